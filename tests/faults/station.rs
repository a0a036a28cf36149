//! A folder with an inbox and a daemon over it, and the account of what came out.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::Read as _;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use flate2::read::MultiGzDecoder;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness;

/// How long a run may take before it counts as hung.
const DEADLINE: Duration = Duration::from_mins(10);

/// A daemon's folder. It lies in memory where that is possible, so that thousands of syncs cost
/// nothing; what is on the disk when the power goes is not what these tests are about.
pub(crate) struct Station {
    root: TempDir,
    /// Documents that must come out once each: path and text.
    expected: BTreeSet<(String, String)>,
    /// Files that must not vanish, whatever becomes of them: by path, and how often each was fed.
    fed: BTreeMap<String, usize>,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Code(i32),
    Signal(i32),
}

/// What an account of a station comes to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Account {
    pub(crate) lost: Vec<String>,
    pub(crate) doubled: Vec<String>,
    pub(crate) torn: usize,
    /// Files that are not in exactly one place.
    pub(crate) misplaced: Vec<String>,
}

impl Station {
    pub(crate) fn new() -> Self {
        Self::with(&json!({}))
    }

    /// With these settings in place of the usual ones.
    pub(crate) fn with(settings: &Value) -> Self {
        let memory = Path::new("/dev/shm");
        let root = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
        let station = Self { root: root.unwrap(), expected: BTreeSet::new(), fed: BTreeMap::new() };
        fs::create_dir(station.at("inbox")).unwrap();
        station.write_pipeline("p.yaml", settings);
        station
    }

    /// Writes a pipeline file: YAML takes JSON.
    pub(crate) fn write_pipeline(&self, name: &str, settings: &Value) {
        let mut pipeline = json!({
            "version": 1,
            "name": "faults",
            "data_dir": "./state",
            "sources": { "news": {
                "type": "inbox", "path": "./inbox", "settle": "1ms", "scan_every": "100ms",
                "on_success": { "archive": "./archive" },
            }},
            "stages": ["tokenise"],
            "sinks": { "results": { "type": "jsonl", "path": "./out/results.jsonl" } },
            "quarantine": { "path": "./quarantine" },
            "defaults": { "retry": { "backoff": "10ms..100ms" } },
            "shutdown_timeout": "5s",
        });
        merge(&mut pipeline, settings);
        fs::write(self.at(name), pipeline.to_string()).unwrap();
    }

    pub(crate) fn at(&self, path: &str) -> PathBuf {
        self.root.path().join(path)
    }

    /// Puts a file into the inbox whole, by renaming it in.
    pub(crate) fn feed_file(&mut self, name: &str, content: impl AsRef<[u8]>) {
        let draft = self.at("draft");
        fs::write(&draft, content).unwrap();
        let path = self.at("inbox").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::rename(draft, path).unwrap();
        *self.fed.entry(name.to_owned()).or_default() += 1;
    }

    /// A text that must come out.
    pub(crate) fn feed(&mut self, name: &str, text: &str) {
        self.feed_file(name, text);
        self.expect(name, text);
    }

    /// A file of records, those of which begin with `{` must come out.
    pub(crate) fn feed_lines(&mut self, name: &str, texts: &[String]) {
        let lines: String = texts
            .iter()
            .map(|text| match text.as_str() {
                "rubbish" => "rubbish\n".to_owned(),
                text => format!("{}\n", json!({ "text": text })),
            })
            .collect();
        self.feed_file(name, lines);
        for text in texts.iter().filter(|text| *text != "rubbish") {
            self.expect(name, text);
        }
    }

    pub(crate) fn expect(&mut self, name: &str, text: &str) {
        self.expected.insert((name.to_owned(), text.to_owned()));
    }

    /// A document that need not come out.
    pub(crate) fn give_up(&mut self, name: &str, text: &str) {
        self.expected.remove(&(name.to_owned(), text.to_owned()));
    }

    pub(crate) fn expected(&self) -> usize {
        self.expected.len()
    }

    /// The daemon, which writes what it says to `log`.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        self.command_after(&[], arguments)
    }

    /// The same, with arguments of the program before those of the daemon.
    pub(crate) fn command_after(&self, before: &[&str], arguments: &[&str]) -> Command {
        let pipeline = self.at("p.yaml");
        let daemon = ["daemon", "-c", pipeline.to_str().unwrap()];
        let all = [before, &daemon, arguments].concat();
        let mut command = harness::command(&all);
        let log = File::options().create(true).append(true).open(self.at("log")).unwrap();
        command.stdout(Stdio::null()).stderr(log);
        command
    }

    pub(crate) fn start(&self) -> Child {
        self.command(&[]).spawn().unwrap()
    }

    /// Drains the inbox; dies at the point `crash_at` if it comes to it.
    pub(crate) fn drain(&self, crash_at: Option<&str>) -> End {
        let mut command = self.command(&["--once"]);
        if let Some(point) = crash_at {
            command.env("STANDPOINT_CRASH_AT", point);
        }
        let mut child = command.spawn().unwrap();
        self.wait(&mut child)
    }

    pub(crate) fn wait(&self, child: &mut Child) -> End {
        let start = Instant::now();
        while start.elapsed() < DEADLINE {
            if let Some(status) = child.try_wait().unwrap() {
                return match status.signal() {
                    Some(signal) => End::Signal(signal),
                    None => End::Code(status.code().unwrap()),
                };
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        child.kill().unwrap();
        panic!("the daemon hangs:\n{}", self.log());
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.at("log")).unwrap_or_default()
    }

    /// Bytes of the output.
    pub(crate) fn written(&self) -> u64 {
        fs::metadata(self.at("out/results.jsonl")).map_or(0, |metadata| metadata.len())
    }

    /// The names of the files below a folder, with the folders that they are in.
    pub(crate) fn files(&self, folder: &str) -> BTreeSet<String> {
        fn walk(root: &Path, folder: &Path, files: &mut BTreeSet<String>) {
            let Ok(entries) = fs::read_dir(folder) else { return };
            for entry in entries {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    walk(root, &path, files);
                } else {
                    let relative = path.strip_prefix(root).unwrap();
                    files.insert(relative.to_string_lossy().into_owned());
                }
            }
        }
        let mut files = BTreeSet::new();
        walk(&self.at(folder), &self.at(folder), &mut files);
        files
    }

    /// Files in quarantine, each with its reason.
    pub(crate) fn quarantined(&self) -> BTreeMap<String, String> {
        let files = self.files("quarantine");
        let is_reason = |name: &&String| name.ends_with(".reason.json");
        files
            .iter()
            .filter(|name| !is_reason(name))
            .map(|name| {
                let path = self.at("quarantine").join(format!("{name}.reason.json"));
                let reason: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
                (name.clone(), reason["reason"].as_str().unwrap().to_owned())
            })
            .collect()
    }

    /// Compares what came out with what must, document by document.
    pub(crate) fn account(&self, outputs: &[&str]) -> Account {
        let mut account = Account::default();
        let mut counts: BTreeMap<(String, String), usize> = BTreeMap::new();
        let mut ids: BTreeMap<String, usize> = BTreeMap::new();
        for output in outputs {
            let mut text = fs::read(self.at(output)).unwrap_or_default();
            if Path::new(output).extension().is_some_and(|ending| ending == "gz") {
                let packed = std::mem::take(&mut text);
                // What is cut short counts as torn.
                if MultiGzDecoder::new(packed.as_slice()).read_to_end(&mut text).is_err() {
                    account.torn += 1;
                }
            }
            for line in text.split_inclusive(|&byte| byte == b'\n') {
                let Ok(result) = serde_json::from_slice::<Value>(line) else {
                    account.torn += 1;
                    continue;
                };
                account.torn += usize::from(!line.ends_with(b"\n"));
                let field = |value: &Value| value.as_str().unwrap().to_owned();
                let key = (field(&result["source"]["path"]), field(&result["text"]));
                *counts.entry(key).or_default() += 1;
                *ids.entry(field(&result["id"])).or_default() += 1;
            }
        }
        let lost = self.expected.iter().filter(|key| !counts.contains_key(*key));
        account.lost = lost.map(|(path, text)| format!("{path}: {text}")).collect();
        let doubled = ids.iter().filter(|(_, count)| **count > 1);
        account.doubled = doubled.map(|(id, count)| format!("{id} {count} times")).collect();
        account.misplaced = self.misplaced();
        account
    }

    /// Files that are in none of inbox, claimed, archive and quarantine, or in more than one: each
    /// with the number of its places.
    fn misplaced(&self) -> Vec<String> {
        let mut places: BTreeMap<String, usize> = BTreeMap::new();
        for place in ["inbox", "archive", "quarantine"] {
            for found in self.files(place) {
                *places.entry(original(&found)).or_default() += 1;
            }
        }
        let found = |path: &String| places.get(path).copied().unwrap_or_default();
        let is_wrong = |(path, times): &(&String, &usize)| found(path) != **times;
        let misplaced = self.fed.iter().filter(is_wrong);
        misplaced
            .map(|(path, times)| format!("{path}: fed {times} times, in {} places", found(path)))
            .collect()
    }

    /// Checks that everything came out once, and that no file is left in work.
    #[track_caller]
    pub(crate) fn check(&self, case: &str) {
        let account = self.account(&["out/results.jsonl"]);
        assert_eq!(account, Account::default(), "{case}\n{}", self.log());
        let mut left = self.files("inbox");
        left.retain(|file| !file.ends_with("/lock"));
        assert!(left.is_empty(), "{case}: {left:?} is left in the inbox\n{}", self.log());
        assert!(!self.log().contains("panicked"), "{case}\n{}", self.log());
    }
}

/// The path that a file was fed under: a claim puts folders before it, and where there was one of
/// its name already it has a number.
fn original(found: &str) -> String {
    let path = match found.strip_prefix(".standpoint/claimed/") {
        // Instance, source, and number with attempt.
        Some(claimed) => claimed.splitn(4, '/').last().unwrap_or_default(),
        None => found,
    };
    let (folder, name) = path.rsplit_once('/').map_or(("", path), |(folder, name)| (folder, name));
    let (stem, ending) = name.rsplit_once('.').unwrap_or((name, ""));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let stem = stem
        .rsplit_once('~')
        .filter(|(_, number)| is_number(number))
        .map_or(stem, |(stem, _)| stem);
    let name = if ending.is_empty() { stem.to_owned() } else { format!("{stem}.{ending}") };
    if folder.is_empty() { name } else { format!("{folder}/{name}") }
}

#[test]
fn a_file_is_known_by_the_path_that_it_was_fed_under() {
    for (found, expected) in [
        ("a.txt", "a.txt"),
        ("sub/a~2.txt", "sub/a.txt"),
        ("a~b.txt", "a~b.txt"),
        (".standpoint/claimed/me/news/7.1/sub/a.txt", "sub/a.txt"),
        (".standpoint/claimed/me/news/lock", "lock"),
    ] {
        assert_eq!(original(found), expected, "{found}");
    }
}

/// Puts the values of `other` into `value`, map by map.
fn merge(value: &mut Value, other: &Value) {
    match (value, other) {
        (Value::Object(value), Value::Object(other)) => {
            for (key, other) in other {
                merge(value.entry(key.clone()).or_insert(Value::Null), other);
            }
        }
        (value, other) => *value = other.clone(),
    }
}

/// Numbers that are as good as random and the same every time.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// A number below `most`. Xorshift: Marsaglia, "Xorshift RNGs", 2003.
    pub(crate) const fn below(&mut self, most: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % most
    }
}
