//! What a stage's process does, it does to its own document and to nobody else.

#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]
#![allow(clippy::print_stdout, reason = "one of them tells its parent something")]

use std::collections::BTreeMap;
use std::fs;
use std::num::{NonZeroU32, NonZeroUsize};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use insta::assert_snapshot;
use serde_json::{Value, json};
use standpoint_process::host::{
    Launcher, ProcessError, ProcessLimits, ProcessSettings, ProcessStage, Program, Restart, ask,
};
use standpoint_stage::document::Document;
use standpoint_stage::{Stage, StageContext, StageError, StageErrorKind, StartContext, testing};

/// A program that `cargo test` has built from `examples/`. With `--test` it does so only when told
/// `--examples`, too.
fn example(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let path = test.parent().and_then(Path::parent).unwrap().join("examples").join(name);
    assert!(path.is_file(), "build it first: cargo build -p standpoint-process --examples");
    path
}

fn program(name: &str, mode: &str) -> Program {
    Program {
        command: vec![example(name).to_str().unwrap().to_owned(), mode.to_owned()],
        dir: std::env::temp_dir(),
        env: BTreeMap::new(),
        limits: ProcessLimits::default(),
        launcher: Launcher::other(example("launcher")),
    }
}

fn quick() -> ProcessSettings {
    let restart = Restart {
        first: Duration::from_millis(1),
        longest: Duration::from_millis(5),
        max_per_minute: NonZeroU32::new(1000).unwrap(),
    };
    ProcessSettings {
        restart,
        start_timeout: Duration::from_secs(20),
        ..ProcessSettings::default()
    }
}

fn start_context() -> StartContext {
    StartContext { stage: "here".into(), pipeline_dir: "/pipeline".into() }
}

fn start(program: Program, settings: ProcessSettings) -> Result<ProcessStage, ProcessError> {
    ProcessStage::start(program, settings, &Value::Null, &start_context())
}

fn chaos() -> ProcessStage {
    start(program("chaos-process", ""), quick()).unwrap()
}

fn run(stage: &dyn Stage, text: &str) -> Result<Document<'static>, StageError> {
    let mut document = testing::tokenised(text);
    let before = format!("{document:?}");
    let result = testing::process(stage, &mut document);
    if result.is_err() {
        assert_eq!(format!("{document:?}"), before, "a failed stage leaves the document alone");
    }
    result.map(|()| document)
}

fn said(stage: &dyn Stage, text: &str) -> Value {
    run(stage, text).unwrap().attribute("said").unwrap().clone()
}

fn message(stage: &dyn Stage, text: &str) -> String {
    run(stage, text).unwrap_err().to_string()
}

/// Waits until a process is gone, or is a zombie that only its parent can clear away.
fn is_gone(pid: u64) -> bool {
    let started = Instant::now();
    loop {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let state = stat.rsplit(')').next().unwrap_or_default().trim().chars().next();
        if matches!(state, None | Some('Z')) {
            return true;
        }
        if started.elapsed() > Duration::from_secs(20) {
            return false;
        }
        std::thread::yield_now();
    }
}

#[test]
fn a_program_beside_the_pipeline_is_told_to_be_named_by_its_path() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("beside.py");
    fs::write(&file, "").unwrap();
    let named = Program {
        command: vec!["beside.py".to_owned()],
        dir: folder.path().to_owned(),
        ..program("spans-process", "")
    };
    let not_executable = named.file().unwrap_err().to_string();
    assert!(not_executable.contains("beside.py is not executable"), "{not_executable}");
    fs::set_permissions(&file, PermissionsExt::from_mode(0o755)).unwrap();
    assert_snapshot!(
        named.stage_file().unwrap_err(),
        @"there is no program `beside.py` on the PATH; for the file of that name write `./beside.py`"
    );
}

#[test]
fn a_stage_in_a_process_works_like_any_other() {
    let stage = start(program("spans-process", ""), quick()).unwrap();
    assert_eq!((stage.manifest().name.as_str(), stage.processes().get()), ("spans", 1));
    let text = "one two three four five six seven eight nine ten eleven twelve thirteen";
    let document = run(&stage, text).unwrap();
    let marks = &document.layer("marks").unwrap().annotations;
    let words: Vec<_> = marks.iter().map(|mark| document.slice(mark.span)).collect();
    assert_eq!(words, ["one", "thirteen"]);

    let mut documents: Vec<_> = (0..40).map(|_| testing::tokenised(text)).collect();
    let cancelled = AtomicBool::new(false);
    let context = StageContext::new("here", 1, &cancelled);
    let results = testing::wait_for(stage.process_batch(&mut documents, &context));
    assert!(results.iter().all(Result::is_ok) && results.len() == 40);
    assert!(documents.iter().all(|d| d.layer("marks").unwrap().annotations.len() == 2));

    // More than a pipe holds, both ways.
    let long = "word ".repeat(1 << 19);
    let document = run(&stage, &long).unwrap();
    assert_eq!(document.layer("marks").unwrap().annotations.len(), (1_usize << 19).div_ceil(12));
}

#[test]
fn a_process_that_goes_wrong_costs_one_document_and_is_started_again() {
    let stage = chaos();
    let cases = [
        ("exit.", "its process ended with exit status 3; its last words: out of luck"),
        ("panic.", "its process ended with exit status 101; its last words: "),
        ("segfault.", "its process was ended by signal 11 (SIGSEGV)"),
        ("abort.", "its process was ended by signal 6 (SIGABRT)"),
        (
            "print.",
            "its process wrote 'Loading model...' where a frame was expected; log to stderr",
        ),
        ("huge.", "its process announced a frame of 4294967295 bytes, above the limit of"),
        ("unasked.", "its process sent Result for request "),
        ("half.", "its process ended with exit status 0"),
    ];
    let mut process = said(&stage, "fine.");
    for (text, expected) in cases {
        let error = run(&stage, text).unwrap_err();
        assert!(error.message().starts_with(expected), "{text} {error}");
        assert_eq!(error.kind(), StageErrorKind::Stage, "{text}");
        let next = said(&stage, "fine.");
        assert_ne!(next, process, "{text} another process goes on");
        process = next;
    }
    // What is only wrong costs no process.
    assert_eq!(
        message(&stage, "lie."),
        "layer `marks` span #0: 1..9999 leaves the text, which has 4 bytes"
    );
    assert_eq!(
        message(&stage, "foreign."),
        "it writes `tokens-of-others`, which its contract does not name: add it to `writes`"
    );
    let error = run(&stage, "document.").unwrap_err();
    assert_eq!((error.kind(), error.message()), (StageErrorKind::Document, "it cannot be read"));
    assert_eq!(said(&stage, "fine."), process);
}

#[test]
fn one_that_answers_before_it_was_given_all_is_ended() {
    let stage = start(program("chaos-process", "hasty"), quick()).unwrap();
    // More than a pipe holds: the rest would stand where the next request is expected.
    let mut document = testing::tokenised(&"a".repeat(4 << 20));
    let error = testing::process(&stage, &mut document).unwrap_err();
    assert_eq!(error.message(), "its process answered before it had read its request");
}

#[test]
fn one_that_ends_while_nobody_looks_costs_no_document() {
    let stage = chaos();
    let process = said(&stage, "fine.").as_u64().unwrap();
    let pid = rustix::process::Pid::from_raw(process as i32).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    assert!(is_gone(process));
    assert_ne!(said(&stage, "fine."), process);
}

#[tokio::test]
async fn what_hangs_is_killed_when_its_time_is_up() {
    let stage = chaos();
    for text in ["loop forever", "wait for it", "loop again"] {
        let before = said(&stage, "fine.");
        let mut document = testing::tokenised(text);
        let cancelled = AtomicBool::new(false);
        let context = StageContext::new("here", 1, &cancelled);
        let call = stage.process(&mut document, &context);
        assert!(tokio::time::timeout(Duration::from_millis(50), call).await.is_err());
        // One that looks for `cancel` may live, the other is replaced.
        let mut document = testing::tokenised("fine.");
        stage.process(&mut document, &context).await.unwrap();
        let after = document.attribute("said").unwrap();
        assert_eq!(*after == before, text.starts_with("wait"), "{text}");
        assert_eq!(is_gone_now(&before), !text.starts_with("wait"), "{text}");
    }
}

fn is_gone_now(pid: &Value) -> bool {
    !Path::new(&format!("/proc/{pid}")).exists()
}

#[test]
fn a_batch_that_is_lost_costs_only_the_document_that_is_to_blame() {
    let stage = chaos();
    let mut documents: Vec<_> =
        ["fine.", "exit.", "good."].iter().map(|text| testing::tokenised(text)).collect();
    let cancelled = AtomicBool::new(false);
    let context = StageContext::new("here", 1, &cancelled);
    let results = testing::wait_for(stage.process_batch(&mut documents, &context));
    let ok: Vec<bool> = results.iter().map(Result::is_ok).collect();
    assert_eq!(ok, [true, false, true]);
    assert!(documents[0].layer("marks").is_some() && documents[1].layer("marks").is_none());
}

#[test]
fn memory_and_files_are_limited_and_the_rest_is_cleared() {
    let mut program = program("chaos-process", "");
    program.limits = ProcessLimits { memory: Some(300 << 20), open_files: Some(20) };
    program.env = BTreeMap::from([("LANG".to_owned(), "C.UTF-8".to_owned())]);
    let stage = start(program, quick()).unwrap();
    let error = message(&stage, "hog.");
    assert!(error.starts_with("its process was ended by signal 6 (SIGABRT)"), "{error}");
    assert!(error.ends_with("its limit of memory is 300 MiB"), "{error}");

    assert_eq!(said(&stage, "environment."), json!([["LANG", "C.UTF-8"]]));
    // Three pipes, and the listing itself.
    assert_eq!(said(&stage, "files."), json!(4));
    let limits = said(&stage, "limits.").as_str().unwrap().to_owned();
    let limit = |name: &str| {
        let line = limits.lines().find(|line| line.starts_with(name)).unwrap();
        line[name.len()..].split_whitespace().next().unwrap().to_owned()
    };
    assert_eq!(limit("Max open files"), "20");
    assert_eq!(limit("Max address space"), (300 << 20).to_string());
    assert_eq!(limit("Max core file size"), "0");
    let status = said(&stage, "status.").as_str().unwrap().to_owned();
    assert!(status.contains("NoNewPrivs:\t1"), "{status}");
}

/// Runs as another process, whose memory is limited for as long as a call takes.
#[test]
fn a_document_that_the_host_has_no_memory_for_costs_no_process() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    const ASKED: &str = "STANDPOINT_TEST_MEMORY";
    if std::env::var_os(ASKED).is_none() {
        let status = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "a_document_that_the_host_has_no_memory_for_costs_no_process"])
            .env(ASKED, "1")
            .status();
        assert!(status.unwrap().success());
        return;
    }
    let stage = chaos();
    let process = said(&stage, "fine.");
    let mut document = testing::tokenised(&"a".repeat(16 << 20));
    let pages = fs::read_to_string("/proc/self/statm").unwrap();
    let pages: u64 = pages.split(' ').next().unwrap().parse().unwrap();
    let before = getrlimit(Resource::As);
    let most = pages * rustix::param::page_size() as u64 + (8 << 20);
    setrlimit(Resource::As, Rlimit { current: Some(most), ..before }).unwrap();
    let result = testing::process(&stage, &mut document);
    setrlimit(Resource::As, before).unwrap();
    let error = result.unwrap_err();
    assert_eq!(error.kind(), StageErrorKind::Transient);
    let expected = "there is no memory for what to ask its process: ";
    assert!(error.message().starts_with(expected), "{error}");
    assert_eq!(said(&stage, "fine."), process);
}

#[test]
fn nobody_is_left_behind() {
    let family = {
        let stage = chaos();
        let grandchild = said(&stage, "family.");
        assert!(!is_gone_now(&grandchild));
        let process = said(&stage, "fine.");
        // A crash takes along what the process had started.
        message(&stage, "abort.");
        assert!(is_gone(grandchild.as_u64().unwrap()), "grandchild after a crash");
        [process, said(&stage, "fine."), said(&stage, "family.")]
    };
    for pid in family {
        assert!(is_gone(pid.as_u64().unwrap()), "{pid} after the stage is dropped");
    }
    // One that does not go when it is told to is made to.
    let stays = start(program("chaos-process", "stays"), quick()).unwrap();
    let process = said(&stays, "fine.");
    drop(stays);
    assert!(is_gone(process.as_u64().unwrap()));
}

/// Runs as another process, which is killed: only the system can end its child then.
#[test]
fn a_child_ends_with_its_host_even_after_kill_9() {
    const ASKED: &str = "STANDPOINT_TEST_HOST";
    if std::env::var_os(ASKED).is_some() {
        let stage = chaos();
        println!("child {}", said(&stage, "fine."));
        std::thread::park();
    }
    let mut host = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_child_ends_with_its_host_even_after_kill_9", "--nocapture"])
        .env(ASKED, "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut child = None;
    let mut output = std::io::BufReader::new(host.stdout.take().unwrap());
    while child.is_none() {
        let mut line = String::new();
        assert!(std::io::BufRead::read_line(&mut output, &mut line).unwrap() > 0, "it ended");
        child = line.split("child ").nth(1).map(|pid| pid.trim().parse::<u64>().unwrap());
    }
    host.kill().unwrap();
    host.wait().unwrap();
    assert!(is_gone(child.unwrap()));
}

#[test]
fn the_simple_form_counts_code_points() {
    let stage = start(program("chaos-process", "json"), quick()).unwrap();
    let document = run(&stage, "Край, йод").unwrap();
    let marks = document.layer("marks").unwrap();
    let words: Vec<_> = marks.annotations.iter().map(|m| document.slice(m.span)).collect();
    assert_eq!(words, ["й", "й"]);
    assert_eq!(marks.label_of(&marks.annotations[1]), Some("short-i"));
    assert_eq!(
        document.attribute("said"),
        Some(&json!([{"start":0,"end":4},{"start":4,"end":5},{"start":6,"end":9}]))
    );
}

#[test]
fn after_too_many_losses_the_stage_rests() {
    let mut settings = quick();
    settings.restart.max_per_minute = NonZeroU32::new(3).unwrap();
    let stage = start(program("chaos-process", ""), settings).unwrap();
    for _ in 0..3 {
        assert!(message(&stage, "exit.").contains("exit status 3"));
    }
    let error = run(&stage, "fine.").unwrap_err();
    assert!(
        error.message().starts_with("its processes ended 3 times within a minute, and it rests"),
        "{error}"
    );
    assert_eq!(error.kind(), StageErrorKind::Transient);
}

#[test]
fn a_program_that_is_no_stage_says_so_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = quick();
    settings.start_timeout = Duration::from_secs(2);
    let refusal = |program: &Program| {
        let error = ask(program, &settings).unwrap_err();
        let name = program.shown();
        let folder = format!("{}/", folder.path().display());
        error.to_string().replace(&name, "it").replace(&folder, "")
    };
    let modes = ["prints", "dies", "newer", "nameless", "silent"];
    let mut said: Vec<_> =
        modes.iter().map(|mode| refusal(&program("chaos-process", mode))).collect();
    let mut other = program("chaos-process", "");
    other.command = vec!["no-such-program".into()];
    said.push(ask(&other, &settings).unwrap_err().to_string());
    other.command = vec!["./no-such-file".into()];
    said.push(ask(&other, &settings).unwrap_err().to_string());
    let open = folder.path().join("open");
    fs::write(&open, "#!/bin/sh\n").unwrap();
    let mode = |mode| std::os::unix::fs::PermissionsExt::from_mode(mode);
    fs::set_permissions(&open, mode(0o777)).unwrap();
    other.command = vec![open.to_str().unwrap().to_owned()];
    said.push(
        other
            .check_files()
            .unwrap_err()
            .to_string()
            .replace(folder.path().canonicalize().unwrap().to_str().unwrap(), "FOLDER"),
    );
    let pinned = program("chaos-process", "");
    assert!(pinned.check_pin(&"0".repeat(64)).unwrap_err().to_string().contains("it was changed"));
    let refused = start(program("chaos-process", "refuses"), settings.clone()).unwrap_err();
    said.push(refused.to_string());
    assert_snapshot!(said.join("\n"), @r#"
    `it` did not answer the hello: its process wrote 'Loading model...' where a frame was expected; log to stderr
    `it` did not answer the hello: its process ended with exit status 7; its last words: no model here
    `it` speaks protocol 9, and this host 1 to 2: update it
    `it` cannot be used: it calls itself "No Name": a name begins with a lower-case letter, followed by such letters, digits and `-`
    `it` did not answer the hello within 2s; is it a stage?
    there is no program `no-such-program` on the PATH: install it, or write its path
    there is no program `./no-such-file`: install it, or write its path
    FOLDER/open may be written by anybody, so its code is not run: `chmod o-w` it
    settings of `chaos`: no such thing
    "#);
}

#[test]
fn several_processes_work_side_by_side() {
    let settings = ProcessSettings { processes: NonZeroUsize::new(3).unwrap(), ..quick() };
    let stage = start(program("chaos-process", ""), settings).unwrap();
    std::thread::scope(|scope| {
        for worker in 0..6 {
            let stage = &stage;
            scope.spawn(move || {
                for round in 0..30 {
                    if worker == 0 && round % 10 == 5 {
                        assert!(message(stage, "exit.").contains("status 3"));
                    } else {
                        said(stage, "fine.");
                    }
                }
            });
        }
    });
}
