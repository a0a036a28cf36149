//! The SDK for Python: its own tests, and its example as a stage of this host.

#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use standpoint_process::host::{
    Launcher, ProcessLimits, ProcessSettings, ProcessStage, Program, ask,
};
use standpoint_stage::{StartContext, testing};

fn python() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("python")
}

fn hedge() -> Program {
    let test = std::env::current_exe().unwrap();
    let launcher = test.parent().and_then(Path::parent).unwrap().join("examples/launcher");
    Program {
        command: vec!["python3".into(), "examples/hedge.py".into()],
        dir: python(),
        env: BTreeMap::from([
            ("PYTHONPATH".into(), python().to_str().unwrap().into()),
            ("PYTHONDONTWRITEBYTECODE".into(), "1".into()),
        ]),
        limits: ProcessLimits { memory: Some(1 << 30), open_files: Some(64) },
        launcher: Launcher::other(launcher),
    }
}

#[test]
fn the_sdk_keeps_its_promises() {
    let output = Command::new("python3")
        .args(["-B", "-m", "unittest", "discover", "-s", "tests"])
        .current_dir(python())
        .output()
        .expect("python3 on the PATH");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_stage_in_python_works_like_any_other() {
    let manifest = ask(&hedge(), &ProcessSettings::default()).unwrap();
    assert_eq!((manifest.name.as_str(), manifest.reads), ("hedge", vec!["tokens".to_owned()]));
    assert_eq!(manifest.settings.unwrap().pointer("/properties/words/type"), Some(&json!("array")));
    let start = StartContext { stage: "here".into(), pipeline_dir: "/pipeline".into() };
    let stage =
        ProcessStage::start(hedge(), ProcessSettings::default(), &Value::Null, &start).unwrap();
    for text in ["It may, perhaps, rain.", "Мой друг may йод 👍 perhaps", ""] {
        let mut document = testing::tokenised(text);
        testing::process(&stage, &mut document).unwrap();
        let hedges = document.layer("hedges").unwrap();
        let words: Vec<_> = hedges.annotations.iter().map(|h| document.slice(h.span)).collect();
        let expected: &[&str] = if text.is_empty() { &[] } else { &["may", "perhaps"] };
        assert_eq!(words, expected, "{text}");
        assert!(hedges.annotations.iter().all(|h| hedges.label_of(h) == Some("hedge")));
    }
    let refused = json!({ "wrods": [] });
    let error = ProcessStage::start(hedge(), ProcessSettings::default(), &refused, &start);
    assert!(error.unwrap_err().to_string().contains("wrods"));
}
