//! The source `files`: reads files and folders once, where they lie, and moves nothing.

use std::borrow::Cow;
use std::error::Error;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use standpoint_document::Document;
use standpoint_engine::{Delivery, Failure, Outcome, Receipt, Source, SourceError};
use tokio::sync::mpsc;

use crate::formats::{Compression, Format};
use crate::limits::ReadLimits;
use crate::read::expand::{self, Counted};
use crate::read::{self, Documents, Origin};
use crate::refusal::ReadError;

/// Settings of the `files` source, which reads a file or folder once and moves nothing.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FilesSettings {
    /// The file or folder to read, relative to the pipeline file.
    #[schemars(extend("format" = "path"))]
    pub path: PathBuf,
}

/// Settings of the `jsonl` source, which reads a file of records once, from its first line, and
/// leaves it where it is. A record keeps its id when lines are appended, so that a sink which knows
/// what it has takes the file again without doubling anything.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LinesSettings {
    /// The file, relative to the pipeline file: a JSON object on each line, whatever the file is
    /// called; compressed if its name ends in `.gz` or `.zst`.
    #[schemars(extend("format" = "path"))]
    pub path: PathBuf,
}

/// Settings of the `stdin` source, which reads standard input to its end: text, a web page, or
/// JSONL, told apart by how it begins, compressed or not.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StdinSettings {}

/// What to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// A file, or a folder with all that is in it.
    Path(PathBuf),
    /// A file with a JSON object on each line, whatever its name says.
    Lines(PathBuf),
    /// Standard input.
    Stdin,
}

/// Something about an input that whoever started the run should hear.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Report {
    /// A file that a folder holds and that is no document.
    PassedOver {
        /// Which.
        path: String,
        /// Why.
        reason: String,
    },
    /// A record that says once more what an earlier one of its file with its id says.
    Again {
        /// Which file it stands in.
        path: String,
        /// What is told of it.
        reason: String,
    },
    /// A document that failed.
    Failed {
        /// Which file it came from.
        path: String,
        /// Who gave it up, and why.
        failure: Failure,
    },
    /// A document that was not finished because the run was stopped.
    Returned {
        /// Which file it came from.
        path: String,
    },
}

/// Hears reports; called from any thread.
pub type Listener = Arc<dyn Fn(Report) + Send + Sync>;

/// Reads inputs one after another, on a thread of its own.
///
/// The thread stops at the end of the inputs, or when the source is dropped.
#[derive(Debug)]
pub struct FilesSource {
    deliveries: mpsc::Receiver<Delivery>,
    taken: Arc<AtomicU64>,
    all_taken: Arc<AtomicBool>,
}

/// Documents that wait to be taken: enough to keep the thread busy, few enough to cost nothing.
const READ_AHEAD: usize = 4;

impl FilesSource {
    /// Starts to read.
    ///
    /// - `name`: the source's name, which is part of the documents' ids;
    /// - `listener`: hears of what was passed over and what failed.
    ///
    /// # Errors
    ///
    /// When the system gives no thread.
    pub fn start(
        name: &str,
        inputs: Vec<Input>,
        limits: ReadLimits,
        listener: Listener,
    ) -> io::Result<Self> {
        Self::start_beside(None, name, inputs, limits, listener)
    }

    /// Starts to read, as [`FilesSource::start`] does, and passes `output` over where a folder
    /// holds it: results are no documents.
    ///
    /// # Errors
    ///
    /// When the system gives no thread.
    pub fn start_beside(
        output: Option<&Path>,
        name: &str,
        inputs: Vec<Input>,
        limits: ReadLimits,
        listener: Listener,
    ) -> io::Result<Self> {
        let (sender, deliveries) = mpsc::channel(READ_AHEAD);
        let output = output.map(Path::to_owned);
        let taken = Arc::default();
        let reader = Reader {
            output,
            name: name.to_owned(),
            limits,
            listener,
            sender,
            taken: Arc::clone(&taken),
        };
        thread::Builder::new()
            .name(format!("read-{name}"))
            .spawn(move || inputs.iter().try_for_each(|input| reader.input(input)))?;
        Ok(Self { deliveries, taken, all_taken: Arc::default() })
    }

    /// How many bytes of its files it has read or passed over, counted on while it reads.
    #[must_use]
    pub fn taken(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.taken)
    }

    /// Whether all of its inputs was read, told once the source is dropped.
    #[must_use]
    pub fn all_taken(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.all_taken)
    }
}

impl Drop for FilesSource {
    fn drop(&mut self) {
        let is_all = self.deliveries.is_closed() && self.deliveries.is_empty();
        self.all_taken.store(is_all, Ordering::Release);
        // Before anything is taken out, which would let in one more that nobody settles.
        self.deliveries.close();
        // What was read ahead goes back.
        while let Ok(delivery) = self.deliveries.try_recv() {
            delivery.receipt.settle(Outcome::Returned);
        }
    }
}

#[async_trait]
impl Source for FilesSource {
    async fn next(&mut self) -> Result<Option<Delivery>, SourceError> {
        Ok(self.deliveries.recv().await)
    }
}

/// How a file is read.
type Reading<Bytes> = fn(Bytes, &Origin, &ReadLimits) -> Result<Documents, ReadError>;

/// What runs on the thread.
struct Reader {
    /// Where results go, if to a file.
    output: Option<PathBuf>,
    name: String,
    limits: ReadLimits,
    listener: Listener,
    sender: mpsc::Sender<Delivery>,
    taken: Arc<AtomicU64>,
}

/// The source was dropped: nobody wants the rest.
struct Closed;

impl Reader {
    fn input(&self, input: &Input) -> Result<(), Closed> {
        match input {
            Input::Stdin => self.stdin(),
            Input::Path(path) if path.is_dir() => self.folder(path, path),
            Input::Path(path) => self.file(path, &name_of(path), read::documents),
            Input::Lines(path) => self.file(path, &name_of(path), read::lines),
        }
    }

    fn stdin(&self) -> Result<(), Closed> {
        let mut input = BufReader::new(io::stdin());
        let opened = input.fill_buf().map(Compression::of_bytes).and_then(|compression| {
            let mut plain = expand::plain(input, compression, &self.limits);
            let name = stdin_name(plain.fill_buf()?);
            Ok((plain, name))
        });
        let (plain, name) = match opened {
            Ok(opened) => opened,
            Err(error) => return self.unreadable("-", &error),
        };
        self.documents(read::documents, plain, Path::new("-"), name)
    }

    /// Goes through a folder in the order of its names, so that two runs give the same output.
    fn folder(&self, folder: &Path, root: &Path) -> Result<(), Closed> {
        let entries = fs::read_dir(folder)
            .and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect());
        let mut entries: Vec<PathBuf> = match entries {
            Ok(entries) => entries,
            Err(error) => return self.unreadable(&folder.display().to_string(), &error),
        };
        entries.sort();
        for path in entries {
            self.entry(&path, root)?;
        }
        Ok(())
    }

    fn entry(&self, path: &Path, root: &Path) -> Result<(), Closed> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let kind = match fs::symlink_metadata(path) {
            Ok(metadata) => metadata.file_type(),
            Err(error) => return self.unreadable(&path.display().to_string(), &error),
        };
        if name.starts_with('.') {
            return Ok(());
        }
        if kind.is_dir() {
            return self.folder(path, root);
        }
        // A link to a folder could lead back here.
        if kind.is_symlink() && path.is_dir() {
            self.pass_over(path, "a link to a folder is not followed");
            return Ok(());
        }
        if self.output.as_deref().is_some_and(|output| is_same_file(output, path)) {
            self.pass_over(path, "the results go there");
            return Ok(());
        }
        if is_about_the_folder(&name) {
            self.pass_over(path, "it is about the folder, not a document");
            return Ok(());
        }
        if let Err(error) = Format::of_path(&name) {
            self.pass_over(path, &error.to_string());
            return Ok(());
        }
        let relative = path.strip_prefix(root).unwrap_or(path);
        let parts: Vec<_> = relative.iter().map(|part| part.to_string_lossy()).collect();
        self.file(path, &parts.join("/"), read::documents)
    }

    fn pass_over(&self, path: &Path, reason: &str) {
        // Nothing of it is left to read.
        let bytes = fs::metadata(path).map_or(0, |file| file.len());
        self.taken.fetch_add(bytes, Ordering::Relaxed);
        let path = path.display().to_string();
        (self.listener)(Report::PassedOver { path, reason: reason.to_owned() });
    }

    fn file(
        &self,
        path: &Path,
        relative: &str,
        read: Reading<Counted<File>>,
    ) -> Result<(), Closed> {
        let taken = Arc::clone(&self.taken);
        match open_regular(path) {
            Ok(inner) => self.documents(read, Counted { inner, taken }, path, relative),
            Err(error) => self.unreadable(&path.display().to_string(), &error),
        }
    }

    fn documents<Bytes>(
        &self,
        read: Reading<Bytes>,
        bytes: Bytes,
        path: &Path,
        relative: &str,
    ) -> Result<(), Closed> {
        let origin = Origin { source: self.name.clone(), path: relative.to_owned() };
        let path = path.display().to_string();
        let documents = match read(bytes, &origin, &self.limits) {
            Ok(documents) => documents,
            Err(error) => return self.unreadable(&path, &error),
        };
        let mut documents = documents.peekable();
        if documents.peek().is_none() {
            let (path, reason) = (path.clone(), "it holds no document".to_owned());
            (self.listener)(Report::PassedOver { path, reason });
        }
        for document in documents {
            match document {
                Ok(document) => self.deliver(&path, Ok(document))?,
                Err(error @ ReadError::Again { .. }) => {
                    let (path, reason) = (path.clone(), error.to_string());
                    (self.listener)(Report::Again { path, reason });
                }
                Err(error) => self.unreadable(&path, &error)?,
            }
        }
        Ok(())
    }

    fn unreadable(&self, path: &str, error: &dyn Error) -> Result<(), Closed> {
        self.deliver(path, Err(with_causes(error)))
    }

    fn deliver(
        &self,
        path: &str,
        content: Result<Document<'static>, String>,
    ) -> Result<(), Closed> {
        let (listener, path) = (Arc::clone(&self.listener), path.to_owned());
        let receipt = Receipt::new(move |outcome| match outcome {
            Outcome::Done => {}
            Outcome::Failed(failure) => listener(Report::Failed { path, failure }),
            Outcome::Returned | Outcome::Unsent => listener(Report::Returned { path }),
        });
        let delivery = match content {
            Ok(document) => Delivery::new(document, receipt),
            Err(reason) => Delivery::unreadable(&self.name, reason, receipt),
        };
        self.sender.blocking_send(delivery).map_err(|refused| {
            // Nobody is left to hear of it.
            refused.0.receipt.settle(Outcome::Returned);
            Closed
        })
    }
}

/// An error and its causes, in one line.
#[must_use]
pub fn with_causes(error: &dyn Error) -> String {
    let mut told = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        told = format!("{told}: {error}");
        cause = error.source();
    }
    told
}

/// The last part of a path.
fn name_of(path: &Path) -> Cow<'_, str> {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy()
}

/// Opens a file for reading if it is a regular one: a pipe or device could hold the reader for
/// ever.
fn open_regular(path: &Path) -> io::Result<File> {
    let refuse = |kind: &str| io::Error::other(format!("it is {kind}, not a regular file"));
    // Looked at before it is opened, because opening a pipe waits for a writer.
    let kind = fs::metadata(path).map_err(|error| {
        let leads_nowhere = error.kind() == io::ErrorKind::NotFound && path.is_symlink();
        if leads_nowhere { io::Error::other("it is a link that leads nowhere") } else { error }
    })?;
    let kind = kind.file_type();
    if kind.is_dir() {
        return Err(refuse("a folder"));
    }
    if !kind.is_file() {
        return Err(refuse("a pipe, socket or device"));
    }
    File::open(path)
}

/// Whether two paths lead to one file.
#[must_use]
pub fn is_same_file(one: &Path, other: &Path) -> bool {
    let of = |path: &Path| fs::metadata(path).map(|file| (file.dev(), file.ino())).ok();
    of(one).is_some_and(|one| Some(one) == of(other))
}

/// Whether a file says something about its folder, as README and LICENCE do.
fn is_about_the_folder(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default().to_ascii_uppercase();
    matches!(stem.as_str(), "README" | "LICENCE" | "LICENSE" | "NOTICE" | "COPYING")
}

/// A file name for standard input, whose ending says what it seems to be.
fn stdin_name(start: &[u8]) -> &'static str {
    let start = start.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(start).trim_ascii_start();
    let line = start.split(|&byte| byte == b'\n').next().unwrap_or_default().trim_ascii_end();
    match start.first() {
        Some(b'{') if line.ends_with(b"}") || line.len() == start.len() => "stdin.jsonl",
        Some(b'{' | b'[') => "stdin.json",
        Some(b'<') => "stdin.html",
        _ => "stdin.txt",
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::sync::Mutex;

    use super::*;

    /// What a run over `inputs` delivers and reports, one line each, paths relative to `root`.
    async fn run(root: &Path, inputs: Vec<Input>) -> Vec<String> {
        let reports = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&reports);
        let listener: Listener = Arc::new(move |report| heard.lock().unwrap().push(report));
        let mut source =
            FilesSource::start("run", inputs, ReadLimits::default(), listener).unwrap();
        let mut told = Vec::new();
        while let Some(delivery) = source.next().await.unwrap() {
            match delivery.content {
                Ok(document) => {
                    let path = document.metadata().source.path.clone().unwrap_or_default();
                    told.push(format!("read {path}"));
                    delivery.receipt.settle(Outcome::Done);
                }
                Err(failure) => delivery.receipt.settle(Outcome::Failed(failure)),
            }
        }
        let root = format!("{}/", root.display());
        let mut reports: Vec<_> = reports
            .lock()
            .unwrap()
            .drain(..)
            .map(|report| match report {
                Report::PassedOver { path, reason } => {
                    format!("passed over {}: {reason}", path.replace(&root, ""))
                }
                Report::Again { path, reason } => {
                    format!("again {}: {reason}", path.replace(&root, ""))
                }
                Report::Failed { path, failure } => {
                    format!("failed {}: {}", path.replace(&root, ""), failure.reason)
                }
                Report::Returned { path } => format!("returned {path}"),
            })
            .collect();
        // The thread reads ahead of who settles, so reports of both come as they may.
        reports.sort();
        told.extend(reports);
        told
    }

    #[tokio::test]
    async fn a_folder_gives_its_documents_in_order_and_names_the_rest() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        fs::create_dir(at("sub")).unwrap();
        for (name, text) in [
            ("b.txt", "B."),
            ("a.md", "A."),
            ("sub/c.jsonl", "{\"text\": \"C.\"}\n"),
            ("README.md", "about"),
            ("LICENCE.txt", "about"),
            ("picture.png", "x"),
            (".hidden.txt", "x"),
            ("empty.txt", ""),
        ] {
            fs::write(at(name), text).unwrap();
        }
        symlink(at("missing"), at("broken.txt")).unwrap();
        symlink(root.path(), at("loop")).unwrap();
        rustix::fs::mkfifoat(rustix::fs::CWD, at("pipe.txt"), 0o600.into()).unwrap();

        let told = run(root.path(), vec![Input::Path(root.path().to_owned())]).await;
        insta::assert_snapshot!(told.join("\n"), @r"
        read a.md
        read b.txt
        read sub/c.jsonl
        failed broken.txt: it is a link that leads nowhere
        failed empty.txt: it holds no text
        failed pipe.txt: it is a pipe, socket or device, not a regular file
        passed over LICENCE.txt: it is about the folder, not a document
        passed over README.md: it is about the folder, not a document
        passed over loop: a link to a folder is not followed
        passed over picture.png: the format `png` is not read; the formats are txt, md, html, json, jsonl, csv, tsv, eml, mbox, rss, atom, xml, and .gz or .zst of each
        ");
    }

    #[tokio::test]
    async fn what_was_taken_of_files_is_counted_as_they_lie_there() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("a.txt"), "Twelve bytes").unwrap();
        fs::write(root.path().join("picture.png"), "passed over").unwrap();
        let inputs = vec![Input::Path(root.path().to_owned())];
        let listener: Listener = Arc::new(|_| {});
        let mut source =
            FilesSource::start("run", inputs, ReadLimits::default(), listener).unwrap();
        let taken = source.taken();
        while let Some(delivery) = source.next().await.unwrap() {
            delivery.receipt.settle(Outcome::Done);
        }
        assert_eq!(taken.load(Ordering::Relaxed), 12 + 11);
    }

    #[tokio::test]
    async fn a_file_named_outright_is_read_whatever_it_is_called() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("README.md");
        fs::write(&path, "A text.").unwrap();
        assert_eq!(run(root.path(), vec![Input::Path(path)]).await, ["read README.md"]);
    }

    #[tokio::test]
    async fn a_record_that_says_once_more_what_another_said_is_passed_over_and_told() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("a.jsonl");
        let lines = ["A.", "A.", "B."].map(|text| format!("{{\"id\": 7, \"text\": \"{text}\"}}\n"));
        fs::write(&path, lines.concat()).unwrap();
        insta::assert_snapshot!(run(root.path(), vec![Input::Path(path)]).await.join("\n"), @r"
        read a.jsonl
        again a.jsonl: record 2 says once more what an earlier one with its id `7` says
        failed a.jsonl: record 3 has the id `7` of an earlier one in its file and says something else; give each an id of its own
        ");
    }

    #[tokio::test]
    async fn a_file_of_lines_is_read_as_such_whatever_it_is_called() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("feed.log");
        fs::write(&path, "{\"text\": \"A.\"}\nrubbish\n{\"text\": \"B.\"}\n").unwrap();
        let missing = root.path().join("missing.jsonl");
        let told = run(root.path(), vec![Input::Lines(path), Input::Lines(missing)]).await;
        insta::assert_snapshot!(told.join("\n"), @r"
        read feed.log
        read feed.log
        failed feed.log: line 2, column 1: expected a value, such as a text in quotes or an object
        failed missing.jsonl: No such file or directory (os error 2)
        ");
    }

    #[test]
    fn standard_input_is_told_apart_by_how_it_begins() {
        let cases = [
            ("{\"text\": \"a\"}\n{\"te", "stdin.jsonl"),
            ("{\"text\": \"cut by the buff", "stdin.jsonl"),
            ("{\n  \"text\": \"a\"\n}", "stdin.json"),
            ("\u{feff}[{}]", "stdin.json"),
            ("<!doctype html>", "stdin.html"),
            ("A text.", "stdin.txt"),
            ("", "stdin.txt"),
        ];
        for (start, expected) in cases {
            assert_eq!(stdin_name(start.as_bytes()), expected, "{start:?}");
        }
    }
}
