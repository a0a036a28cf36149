//! Starts the program with the plugins that `cargo test` has built, and waits for it.

use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use rustix::thread::{CapabilitySet, remove_capability_from_bounding_set};
use serde_json::Value;
use tempfile::TempDir;

/// How long anything may take before a test calls it hung.
const DEADLINE: Duration = Duration::from_mins(3);

/// What the program has said.
pub(crate) struct Ran {
    /// The exit code; `None` after a signal.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    /// Standard output as one JSON value a line.
    pub(crate) fn results(&self) -> Vec<Value> {
        self.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Checks the exit code; what the program said is in the failure.
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}\n{}", self.stderr, self.stdout);
        self
    }
}

/// The program with these arguments and nothing of this process's environment but its path.
pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_standpoint"));
    command.args(arguments).env_clear().env("STANDPOINT_PLUGINS", plugins());
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs the program to its end.
pub(crate) fn run(arguments: &[&str]) -> Ran {
    finish(command(arguments).spawn().unwrap())
}

/// Runs the program with `input` on its standard input.
pub(crate) fn run_with_input(arguments: &[&str], input: &[u8]) -> Ran {
    let mut child = command(arguments).stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    // The program may end before it has read everything.
    let writer = thread::spawn(move || drop(stdin.write_all(&input)));
    let ran = finish(child);
    writer.join().unwrap();
    ran
}

/// Waits for the program, and fails if it hangs or panics.
pub(crate) fn finish(mut child: Child) -> Ran {
    let stdout = reader(child.stdout.take().unwrap());
    let stderr = reader(child.stderr.take().unwrap());
    let status = wait(&mut child);
    let (stdout, stderr) = (stdout.join().unwrap(), stderr.join().unwrap());
    assert!(!stderr.contains("panicked at"), "{stderr}");
    Ran { code: status.code(), stdout, stderr }
}

fn reader(mut stream: impl Read + Send + 'static) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text
    })
}

/// Waits until the process ends.
pub(crate) fn wait(child: &mut Child) -> ExitStatus {
    let mut status = None;
    let ended = || {
        status = child.try_wait().unwrap();
        status.is_some()
    };
    if !becomes_true(ended) {
        child.kill().unwrap();
        panic!("the program hangs");
    }
    status.unwrap()
}

/// Asks until the condition holds or [`DEADLINE`] has passed; whether it held.
pub(crate) fn becomes_true(mut condition: impl FnMut() -> bool) -> bool {
    let start = Instant::now();
    while start.elapsed() < DEADLINE {
        if condition() {
            return true;
        }
        thread::sleep(Duration::from_millis(5));
    }
    false
}

/// A folder with links to the standard stages that `cargo test` has built beside this test.
pub(crate) fn plugins() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("plugins");
        fs::create_dir_all(&folder).unwrap();
        for stage in ["tokenise", "entity", "encode", "sentiment", "stance"] {
            let (prefix, suffix) = (std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
            let name = format!("{prefix}standpoint_{stage}{suffix}");
            let library = std::env::current_exe().unwrap().with_file_name(&name);
            assert!(library.is_file(), "{} was not built", library.display());
            let draft = folder.join(format!(".{name}.{}", std::process::id()));
            symlink(library, &draft).unwrap();
            fs::rename(draft, folder.join(name)).unwrap();
        }
        folder
    })
}

/// A plugin that `cargo test` has built. With `--test` it does so only when told, as for the ABI.
pub(crate) fn example(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let profile = test.parent().and_then(Path::parent).unwrap();
    profile.join("examples").join(format!("{DLL_PREFIX}{name}{DLL_SUFFIX}"))
}

/// A file of the repository, by its path from the top.
pub(crate) fn repository(path: &str) -> String {
    format!("{}/../../{path}", env!("CARGO_MANIFEST_DIR"))
}

/// The text of a pipeline over an inbox that is archived, with these stages, sinks and lines
/// besides.
pub(crate) fn pipeline(stages: &str, sinks: &str, more: &str) -> String {
    format!(
        "version: 1
data_dir: ./state
sources:
  news: {{ type: inbox, path: ./inbox, settle: 1ms, on_success: {{ archive: ./archive }} }}
stages: {stages}
sinks:
  {sinks}
quarantine: {{ path: ./quarantine }}
{more}"
    )
}

/// The stages that judge.
pub(crate) const STAGES: &str = "[tokenise, entity, sentiment, stance]";

/// A sink for [`pipeline`].
pub(crate) const RESULTS: &str = "results: { type: jsonl, path: ./out/results.jsonl }";

/// A folder of a test, which goes with it.
pub(crate) struct Folder(TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// A path below it.
    pub(crate) fn at(&self, path: &str) -> String {
        self.0.path().join(path).to_str().unwrap().to_owned()
    }

    /// Writes a file, with the folders that it needs.
    pub(crate) fn write(&self, path: &str, content: impl AsRef<[u8]>) -> String {
        let path = self.at(path);
        fs::create_dir_all(Path::new(&path).parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path
    }

    /// The names of the files below `path`, sorted; hidden folders left out if `visible`.
    pub(crate) fn files(&self, path: &str, visible: bool) -> Vec<String> {
        fn walk(folder: &Path, visible: bool, into: &mut Vec<String>) {
            let Ok(entries) = fs::read_dir(folder) else { return };
            for entry in entries {
                let entry = entry.unwrap();
                let name = entry.file_name().into_string().unwrap();
                if entry.path().is_dir() {
                    if !(visible && name.starts_with('.')) {
                        walk(&entry.path(), visible, into);
                    }
                } else {
                    into.push(name);
                }
            }
        }
        let mut names = Vec::new();
        walk(&self.0.path().join(path), visible, &mut names);
        names.sort();
        names
    }
}

/// What a daemon answers on the socket in its data folder, and how long that takes; `None` while
/// there is none.
pub(crate) fn ask(data_dir: &str, page: &str) -> Option<(Duration, String)> {
    let start = Instant::now();
    let mut socket = UnixStream::connect(Path::new(data_dir).join("control.sock")).ok()?;
    socket.set_read_timeout(Some(DEADLINE)).unwrap();
    write!(socket, "GET {page} HTTP/1.1\r\nHost: localhost\r\n\r\n").ok()?;
    let mut answer = String::new();
    socket.read_to_string(&mut answer).ok()?;
    Some((start.elapsed(), answer))
}

/// A program that a test needs; where it is not installed the test is passed over, aloud, and in CI
/// it fails: a check that nobody makes is none.
#[expect(clippy::print_stderr, reason = "a test that is passed over says so")]
pub(crate) fn is_there(program: &str, argument: &str) -> bool {
    let ran = Command::new(program).arg(argument).output();
    let is_there = ran.is_ok_and(|output| output.status.success());
    if !is_there {
        assert!(std::env::var_os("CI").is_none(), "`{program}` is needed in CI: install it");
        eprintln!("SKIPPED: no `{program}` here");
    }
    is_there
}

/// Whether files keep extended attributes here, which not all file systems do.
#[expect(clippy::print_stderr, reason = "a test that is passed over says so")]
pub(crate) fn keeps_attributes(path: &str) -> bool {
    let probe = std::fs::File::open(path).unwrap();
    let kept = rustix::fs::fsetxattr(&probe, "user.probe", b"1", rustix::fs::XattrFlags::empty());
    if let Err(error) = kept {
        eprintln!("SKIPPED: files keep no attributes here: {error}");
    }
    kept.is_ok()
}

/// Checks that programs which a test starts get to the empty Postgres server that the test got to,
/// and tells what both said where they do not: a daemon that ends at its start says less.
#[cfg(feature = "postgres")]
#[track_caller]
pub(crate) fn expect_reach(url: &str, log: impl FnOnce() -> String) {
    let asked = run(&["report", url]);
    let (code, said) = (asked.code, asked.stderr);
    assert!(said.contains("has no store"), "{code:?}: {said}\nthe server says:\n{}", log());
}

/// Makes programs that this thread starts obey the rights of files even for root.
pub(crate) fn obey_rights() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    for capability in [CapabilitySet::DAC_OVERRIDE, CapabilitySet::DAC_READ_SEARCH] {
        remove_capability_from_bounding_set(capability).unwrap();
    }
}
