//! A folder with everything that an inbox needs, and what is in it.

use std::fs;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use standpoint_connectors::inbox::{InboxSettings, InboxSource, Places, Recognise};
use standpoint_connectors::ledger::Ledger;
use standpoint_connectors::ledger::memory::Window;
use standpoint_connectors::limits::ReadLimits;
use standpoint_engine::{Delivery, Failure, Outcome, Source};
use tempfile::TempDir;

/// A folder with an inbox, an archive and a quarantine.
pub(crate) struct House(pub(crate) TempDir);

impl House {
    pub(crate) fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("inbox")).unwrap();
        Self(root)
    }

    pub(crate) fn at(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    /// Puts a file into the inbox as a careful producer does, by renaming it in.
    pub(crate) fn drop_in(&self, name: &str, text: &str) {
        let draft = self.at("draft");
        fs::write(&draft, text).unwrap();
        let path = self.at("inbox").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::rename(draft, path).unwrap();
    }

    pub(crate) fn open(&self, settings: &Value) -> InboxSource {
        self.open_as(settings, Recognise::Id, true)
    }

    pub(crate) fn open_as(
        &self,
        settings: &Value,
        recognise: Recognise,
        once: bool,
    ) -> InboxSource {
        self.open_called("news", settings, recognise, once)
    }

    /// Opens the inbox under a name: what waits is counted by it, for the whole process.
    pub(crate) fn open_called(
        &self,
        name: &str,
        settings: &Value,
        recognise: Recognise,
        once: bool,
    ) -> InboxSource {
        let mut all = json!({
            "path": self.at("inbox"),
            "settle": "1ms",
            "on_success": { "archive": self.at("archive") },
        });
        all.as_object_mut().unwrap().extend(settings.as_object().unwrap().clone());
        let settings: InboxSettings = serde_json::from_value(all).unwrap();
        let places = Places { recognise, ..self.places() };
        InboxSource::open(name, &settings, &places, ReadLimits::default(), once).unwrap()
    }

    pub(crate) fn places(&self) -> Places {
        Places {
            instance: "0123456789abcdef".into(),
            quarantine: self.at("quarantine"),
            max_attempts: NonZeroU32::new(3).unwrap(),
            sync: true,
            ledger: Ledger::new(&self.at("state"), Window::default()),
            recognise: Recognise::Id,
        }
    }

    /// Runs the inbox until it is drained; `judge` says what becomes of each document.
    pub(crate) async fn run(&self, judge: impl Fn(&Delivery) -> Outcome) -> Vec<String> {
        drain(self.open(&json!({})), judge).await
    }

    /// All files below the house, by their paths, reasons and locks left out.
    pub(crate) fn files(&self) -> Vec<String> {
        let mut files = Vec::new();
        collect(self.0.path(), self.0.path(), &mut files);
        let is_ours = |file: &String| file.ends_with("/lock") || file.starts_with("state/");
        files.retain(|file| !file.ends_with(".reason.json") && !is_ours(file));
        files.sort();
        files
    }

    pub(crate) fn reason(&self, name: &str) -> Value {
        let path = self.at("quarantine").join(format!("{name}.reason.json"));
        serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
    }
}

/// Takes what a source gives until it ends; `judge` says what becomes of each document.
pub(crate) async fn drain(
    mut source: InboxSource,
    judge: impl Fn(&Delivery) -> Outcome,
) -> Vec<String> {
    let mut texts = Vec::new();
    while let Some(delivery) = source.next().await.unwrap() {
        let outcome = match &delivery.content {
            Ok(document) => {
                texts.push(document.text().to_owned());
                judge(&delivery)
            }
            Err(failure) => Outcome::Failed(failure.clone()),
        };
        delivery.receipt.settle(outcome);
    }
    source.close().await.unwrap();
    texts.sort();
    texts
}

pub(crate) fn collect(root: &Path, folder: &Path, files: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(root, &path, files);
        } else {
            files.push(path.strip_prefix(root).unwrap().to_str().unwrap().to_owned());
        }
    }
}

pub(crate) fn failed() -> Outcome {
    Outcome::Failed(Failure { stage: "stance".into(), reason: "it broke".into(), attempts: 1 })
}

/// Whether files of tests keep extended attributes, which not all file systems do.
#[expect(clippy::print_stderr, reason = "a test that is passed over says so")]
pub(crate) fn keeps_attributes() -> bool {
    let probe = tempfile::NamedTempFile::new().unwrap();
    let flags = rustix::fs::XattrFlags::empty();
    let kept = rustix::fs::fsetxattr(probe.as_file(), "user.probe", b"1", flags);
    if let Err(error) = kept {
        eprintln!("SKIPPED: files keep no attributes here: {error}");
    }
    kept.is_ok()
}
