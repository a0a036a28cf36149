//! A plugin that panics, blocks or lies costs its own document and no other, and not the process.

use std::collections::BTreeMap;
use std::fs;
use std::process::{Child, Command};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::harness::{Folder, becomes_true, command, example, finish, repository, run};

const GOOD: &str = "Kazakhstan condemned Russia.";

/// File, text, and what its failure must name: the stage and the cause.
///
/// `mischief` goes by the first word, `bad` by the last byte of the text.
const BAD: [(&str, &str, [&str; 2]); 5] = [
    ("panic.txt", "Panic in Minsk.", ["mischief", "asked to panic"]),
    ("block.txt", "Block this.", ["mischief", "longer than its timeout of 300ms"]),
    ("beyond.txt", "Rain in Baku: b", ["bad", "layer `a` span #0: 1..99 leaves the text"]),
    ("unsorted.txt", "Rain in Riga: d", ["bad", "layer `a` span #1: 1..2 comes before"]),
    ("silent.txt", "Rain in Kyiv: q", ["bad", "it failed without saying why"]),
];

/// A folder with a pipeline of the tokeniser and two plugins that misbehave.
struct Zoo {
    folder: Folder,
    pipeline: String,
}

impl Zoo {
    fn new() -> Self {
        let folder = Folder::new();
        let mischief = example("mischief");
        assert!(mischief.is_file(), "build it first, with `cargo build -p standpoint --examples`");
        compile_bad(&folder.at("libbad.so"));
        let pipeline = folder.write(
            "p.yaml",
            format!(
                "version: 1
data_dir: ./state
defaults: {{ timeout: 300ms }}
sources:
  news: {{ type: inbox, path: ./inbox, settle: 1ms, on_success: {{ archive: ./archive }} }}
stages:
  - tokenise
  - {{ use: {}, id: mischief }}
  - {{ use: ./libbad.so, id: bad }}
sinks:
  results: {{ type: jsonl, path: ./out/results.jsonl }}
quarantine: {{ path: ./quarantine }}
",
                mischief.display()
            ),
        );
        fs::create_dir(folder.at("inbox")).unwrap();
        Self { folder, pipeline }
    }

    /// Puts a file into the inbox whole, by renaming it in.
    fn drop_in(&self, name: &str, text: &str) {
        let draft = self.folder.write("draft", text);
        fs::rename(draft, self.folder.at(&format!("inbox/{name}"))).unwrap();
    }

    fn archived(&self) -> Vec<String> {
        self.folder.files("archive", false)
    }

    /// How often each file is in the results; each of them has been through the whole chain.
    fn counts(&self) -> BTreeMap<String, usize> {
        let text = fs::read_to_string(self.folder.at("out/results.jsonl")).unwrap();
        let mut counts = BTreeMap::new();
        for line in text.lines() {
            let result: Value = serde_json::from_str(line).unwrap();
            assert_eq!(result["attributes"]["well_behaved"], true, "{line}");
            *counts.entry(result["source"]["path"].as_str().unwrap().to_owned()).or_default() += 1;
        }
        counts
    }

    /// Checks that each bad document lies in quarantine, once, with stage and cause.
    fn expect_quarantined(&self) {
        let mut expected: Vec<String> = BAD
            .iter()
            .flat_map(|(file, ..)| [(*file).to_owned(), format!("{file}.reason.json")])
            .collect();
        expected.sort_unstable();
        assert_eq!(self.folder.files("quarantine", false), expected);
        for (file, _, [stage, cause]) in BAD {
            let path = self.folder.at(&format!("quarantine/{file}.reason.json"));
            let reason: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
            let said = reason["reason"].as_str().unwrap();
            assert!(said.starts_with(&format!("{stage}: ")) && said.contains(cause), "{said}");
        }
    }
}

/// Builds the plugin in C that lies to the host about its spans: one in Rust would be stopped by
/// its own side before it could.
fn compile_bad(library: &str) {
    let output = Command::new(std::env::var_os("CC").unwrap_or_else(|| "cc".into()))
        .args(["-std=c11", "-fPIC", "-shared", "-o", library, "-I"])
        .arg(repository("crates/standpoint-abi/include"))
        .arg(repository("crates/standpoint-abi/tests/c/bad.c"))
        .output()
        .expect("a C compiler, as `cc` or in $CC");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn terminate(child: &Child) {
    kill_process(Pid::from_child(child), Signal::TERM).unwrap();
}

#[test]
fn a_run_reports_what_a_plugin_did_and_gives_the_other_results() {
    let zoo = Zoo::new();
    for (file, text, _) in BAD {
        zoo.folder.write(&format!("in/{file}"), text);
    }
    for file in ["a-good.txt", "z-good.txt"] {
        zoo.folder.write(&format!("in/{file}"), GOOD);
    }
    let ran = run(&["run", "-c", &zoo.pipeline, &zoo.folder.at("in")]).expect(3);
    let mut good: Vec<String> = ran
        .results()
        .iter()
        .map(|result| result["source"]["path"].as_str().unwrap().to_owned())
        .collect();
    good.sort_unstable();
    assert_eq!(good, ["a-good.txt", "z-good.txt"]);
    for (file, _, [stage, cause]) in BAD {
        let lines: Vec<&str> = ran
            .stderr
            .lines()
            .filter(|line| line.starts_with("failed ") && line.contains(file))
            .collect();
        assert_eq!(lines.len(), 1, "{file}: {}", ran.stderr);
        assert!(lines[0].contains(stage) && lines[0].contains(cause), "{}", lines[0]);
    }
    assert!(ran.stderr.contains("5 of 7 documents failed"), "{}", ran.stderr);
}

#[test]
fn once_quarantines_what_a_plugin_spoilt_and_settles_each_document_once() {
    let zoo = Zoo::new();
    for (file, text, _) in BAD {
        zoo.drop_in(file, text);
    }
    for file in ["a-good.txt", "z-good.txt"] {
        zoo.drop_in(file, GOOD);
    }
    run(&["daemon", "--once", "-c", &zoo.pipeline]).expect(3);
    zoo.expect_quarantined();
    assert_eq!(zoo.archived(), ["a-good.txt", "z-good.txt"]);
    assert_eq!(zoo.folder.files("inbox", true), [""; 0]);
    let once = |file: &str| (file.to_owned(), 1);
    assert_eq!(zoo.counts(), BTreeMap::from([once("a-good.txt"), once("z-good.txt")]));

    // Settled for good: nothing comes again.
    run(&["daemon", "--once", "-c", &zoo.pipeline]).expect(0);
    assert_eq!(zoo.counts().values().sum::<usize>(), 2);
}

#[test]
fn the_daemon_goes_on_after_all_that_and_still_drains() {
    let zoo = Zoo::new();
    let child = command(&["daemon", "-c", &zoo.pipeline]).spawn().unwrap();
    for (number, (file, text, _)) in BAD.into_iter().enumerate() {
        zoo.drop_in(file, text);
        let reason = zoo.folder.at(&format!("quarantine/{file}.reason.json"));
        assert!(becomes_true(|| fs::exists(&reason).unwrap()), "{file} was not given up");
        zoo.drop_in(&format!("{number}.txt"), GOOD);
        assert!(becomes_true(|| zoo.archived().len() == number + 1), "nothing after {file}");
    }
    // A thread is blocked for ever by now, and the end does not wait for it.
    terminate(&child);
    finish(child).expect(3);
    zoo.expect_quarantined();
    assert_eq!(zoo.counts(), (0..BAD.len()).map(|number| (format!("{number}.txt"), 1)).collect());
}
