//! Daemons that share one pipeline file, each with a folder of its own: for the tests of a cluster.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use crate::harness;
use serde_json::{Value, json};

/// Workers with the file `worker.yaml`; all of them end with the value.
pub(crate) struct Workers {
    root: PathBuf,
    running: Vec<Child>,
    started: usize,
}

impl Workers {
    /// - `root`: a folder for all of them.
    pub(crate) fn new(root: &Path) -> Self {
        Self { root: root.to_owned(), running: Vec::new(), started: 0 }
    }

    pub(crate) fn at(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    /// Publishes files by their paths and contents, as `standpoint publish` does.
    pub(crate) fn publish(&self, files: &[(String, String)]) -> harness::Ran {
        let folder = self.at("input");
        let _ = fs::remove_dir_all(&folder);
        for (path, content) in files {
            let path = folder.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        let pipeline = self.at("worker.yaml");
        harness::run(&["publish", "-c", pipeline.to_str().unwrap(), folder.to_str().unwrap()])
    }

    /// Publishes texts, each a record of one file.
    pub(crate) fn publish_texts<'t>(&self, texts: impl Iterator<Item = &'t String>) {
        let lines: String = texts.map(|text| format!("{}\n", json!({ "text": text }))).collect();
        self.publish(&[("all.jsonl".to_owned(), lines)]).expect(0);
    }

    /// Starts a worker and gives its number.
    pub(crate) fn start(&mut self) -> usize {
        self.start_with(&[])
    }

    pub(crate) fn start_with(&mut self, arguments: &[&str]) -> usize {
        self.started += 1;
        let child = self.worker(self.started, arguments);
        self.running.push(child);
        self.running.len() - 1
    }

    /// Starts a worker in place of one that is gone, in its folder.
    pub(crate) fn restart(&mut self, number: usize) {
        self.running[number] = self.worker(number + 1, &[]);
    }

    fn worker(&self, state: usize, arguments: &[&str]) -> Child {
        let pipeline = self.at("worker.yaml");
        let data = format!("data_dir={}", self.at(&format!("state-{state}")).display());
        let mut all = vec!["daemon", "-c", pipeline.to_str().unwrap(), "--set", &data];
        all.extend(arguments);
        let log = File::options().create(true).append(true).open(self.at("log")).unwrap();
        harness::command(&all).stdout(Stdio::null()).stderr(log).spawn().unwrap()
    }

    pub(crate) fn pid(&self, number: usize) -> u32 {
        self.running[number].id()
    }

    pub(crate) fn kill(&mut self, number: usize) {
        self.running[number].kill().unwrap();
        self.running[number].wait().unwrap();
    }

    /// Sends a signal to a worker.
    pub(crate) fn signal(&self, number: usize, signal: rustix::process::Signal) {
        let pid = i32::try_from(self.pid(number)).unwrap();
        let pid = rustix::process::Pid::from_raw(pid).unwrap();
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// Waits for a worker that was told to end, or ends by itself; its exit code.
    pub(crate) fn wait(&mut self, number: usize) -> Option<i32> {
        harness::wait(&mut self.running[number]).code()
    }

    /// Waits until it is true, and starts a worker again whenever it has ended by itself; how
    /// often.
    #[track_caller]
    pub(crate) fn restart_until(&mut self, number: usize, is_true: impl Fn() -> bool) -> usize {
        let mut deaths = 0;
        let came = harness::becomes_true(|| {
            if is_true() {
                return true;
            }
            if self.running[number].try_wait().unwrap().is_some() {
                deaths += 1;
                self.restart(number);
            }
            false
        });
        assert!(came, "{}", self.log());
        deaths
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.at("log")).unwrap_or_default()
    }

    /// What `standpoint status` says of a worker.
    pub(crate) fn status(&self, number: usize) -> Option<Value> {
        let state = self.at(&format!("state-{}", number + 1));
        let arguments = ["status", "--data-dir", state.to_str().unwrap(), "--format", "json"];
        let ran = harness::run(&arguments);
        (ran.code == Some(0)).then(|| serde_json::from_str(&ran.stdout).unwrap())
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        for worker in &mut self.running {
            // One that is stopped ends, too.
            let _ = worker.kill();
            let _ = worker.wait();
        }
    }
}

/// Puts `over` over `under`, map by map; null takes a key away.
pub(crate) fn merge(under: &mut Value, over: &Value) {
    match (under, over) {
        (Value::Object(under), Value::Object(over)) => {
            for (key, value) in over {
                if value.is_null() {
                    under.remove(key);
                    continue;
                }
                merge(under.entry(key.clone()).or_insert(Value::Null), value);
            }
        }
        (under, over) => *under = over.clone(),
    }
}

/// Numbers that look random and are the same each time.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    /// From 0 to below `sides`.
    pub(crate) fn roll(&mut self, sides: u64) -> u64 {
        // Xorshift: Marsaglia, "Xorshift RNGs", 2003.
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }

    /// One of `count`, from 0.
    pub(crate) fn choose(&mut self, count: usize) -> usize {
        usize::try_from(self.roll(count as u64)).unwrap()
    }
}
