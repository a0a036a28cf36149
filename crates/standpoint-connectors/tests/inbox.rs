//! What the inbox promises: at every moment a file is in exactly one of inbox, claimed, archive
//! and quarantine.

#![expect(clippy::unwrap_used, reason = "a test stops where something is not as it should be")]

use std::fs;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use serde_json::{Value, json};
use standpoint_connectors::inbox::{InboxSettings, InboxSource, Places, Recognise};
use standpoint_connectors::ledger::Ledger;
use standpoint_connectors::ledger::memory::Window;
use standpoint_connectors::limits::ReadLimits;
use standpoint_engine::{Delivery, Failure, Outcome, Source};
use tempfile::TempDir;

/// A folder with an inbox, an archive and a quarantine.
struct House(TempDir);

impl House {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("inbox")).unwrap();
        Self(root)
    }

    fn at(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    /// Puts a file into the inbox as a careful producer does, by renaming it in.
    fn drop_in(&self, name: &str, text: &str) {
        let draft = self.at("draft");
        fs::write(&draft, text).unwrap();
        let path = self.at("inbox").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::rename(draft, path).unwrap();
    }

    fn open(&self, settings: &Value) -> InboxSource {
        self.open_as(settings, Recognise::Id, true)
    }

    fn open_as(&self, settings: &Value, recognise: Recognise, once: bool) -> InboxSource {
        let mut all = json!({
            "path": self.at("inbox"),
            "settle": "1ms",
            "on_success": { "archive": self.at("archive") },
        });
        all.as_object_mut().unwrap().extend(settings.as_object().unwrap().clone());
        let settings: InboxSettings = serde_json::from_value(all).unwrap();
        let places = Places { recognise, ..self.places() };
        InboxSource::open("news", &settings, &places, ReadLimits::default(), once).unwrap()
    }

    fn places(&self) -> Places {
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
    async fn run(&self, judge: impl Fn(&Delivery) -> Outcome) -> Vec<String> {
        drain(self.open(&json!({})), judge).await
    }

    /// All files below the house, by their paths, reasons and locks left out.
    fn files(&self) -> Vec<String> {
        let mut files = Vec::new();
        collect(self.0.path(), self.0.path(), &mut files);
        let is_ours = |file: &String| file.ends_with("/lock") || file.starts_with("state/");
        files.retain(|file| !file.ends_with(".reason.json") && !is_ours(file));
        files.sort();
        files
    }

    fn reason(&self, name: &str) -> Value {
        let path = self.at("quarantine").join(format!("{name}.reason.json"));
        serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
    }
}

/// Takes what a source gives until it ends; `judge` says what becomes of each document.
async fn drain(mut source: InboxSource, judge: impl Fn(&Delivery) -> Outcome) -> Vec<String> {
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

fn collect(root: &Path, folder: &Path, files: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(root, &path, files);
        } else {
            files.push(path.strip_prefix(root).unwrap().to_str().unwrap().to_owned());
        }
    }
}

fn failed() -> Outcome {
    Outcome::Failed(Failure { stage: "stance".into(), reason: "it broke".into(), attempts: 1 })
}

#[tokio::test]
async fn a_file_that_is_done_is_archived_and_replaces_none() {
    let house = House::new();
    house.drop_in("a.txt", "One.");
    house.drop_in("sub/b.txt", "Two.");
    assert_eq!(house.run(|_| Outcome::Done).await, ["One.", "Two."]);
    assert_eq!(house.files(), ["archive/a.txt", "archive/sub/b.txt"]);

    house.drop_in("a.txt", "Another.");
    assert_eq!(house.run(|_| Outcome::Done).await, ["Another."]);
    assert_eq!(house.files(), ["archive/a.txt", "archive/a~2.txt", "archive/sub/b.txt"]);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn an_archive_on_another_file_system_loses_and_replaces_nothing() {
    use std::os::unix::fs::MetadataExt;

    let house = House::new();
    // Memory is a file system of its own on nearly every Linux.
    let archive = tempfile::tempdir_in("/dev/shm").unwrap();
    let device = |path: &Path| fs::metadata(path).unwrap().dev();
    assert_ne!(device(archive.path()), device(house.0.path()), "/dev/shm is no file system");
    for text in ["One.", "Another."] {
        house.drop_in("a.txt", text);
        let mut source = house.open(&json!({ "on_success": { "archive": archive.path() } }));
        while let Some(delivery) = source.next().await.unwrap() {
            delivery.receipt.settle(Outcome::Done);
        }
        source.close().await.unwrap();
    }
    assert_eq!(house.files(), Vec::<String>::new());
    let mut archived = Vec::new();
    collect(archive.path(), archive.path(), &mut archived);
    archived.sort();
    assert_eq!(archived, ["a.txt", "a~2.txt"]);
    assert_eq!(fs::read_to_string(archive.path().join("a~2.txt")).unwrap(), "Another.");
}

#[tokio::test]
async fn what_fails_is_quarantined_with_its_reason_and_the_others_go_on() {
    let house = House::new();
    house.drop_in("bad.txt", "Bad.");
    house.drop_in("empty.txt", " ");
    house.drop_in("good.txt", "Good.");
    house.drop_in("picture.png", "x");
    let is_bad = |delivery: &Delivery| {
        delivery.content.as_ref().is_ok_and(|document| document.text() == "Bad.")
    };
    house.run(|delivery| if is_bad(delivery) { failed() } else { Outcome::Done }).await;
    assert_eq!(
        house.files(),
        [
            "archive/good.txt",
            "quarantine/bad.txt",
            "quarantine/empty.txt",
            "quarantine/picture.png"
        ]
    );
    assert_eq!(house.reason("bad.txt")["reason"], "stance: it broke");
    assert_eq!(house.reason("bad.txt")["attempts"], 1);
    let empty = house.reason("empty.txt")["reason"].as_str().unwrap().to_owned();
    assert_eq!(empty, "news: it holds no text, only 1 bytes of white space");
}

#[tokio::test]
async fn a_bad_record_is_quarantined_alone_and_its_file_archived() {
    let house = House::new();
    house.drop_in("sub/a.jsonl", "{\"text\": \"One.\"}\n\nrubbish\n{\"text\": \"Two.\"}\n");
    assert_eq!(house.run(|_| Outcome::Done).await, ["One.", "Two."]);
    let record = "quarantine/sub/a.record-2.jsonl";
    assert_eq!(house.files(), ["archive/sub/a.jsonl", record]);
    assert_eq!(fs::read_to_string(house.at(record)).unwrap(), "rubbish\n");
    let reason = house.reason("sub/a.record-2.jsonl");
    assert_eq!(reason["reason"], "news: line 3, column 1: expected value");
    assert_eq!((&reason["path"], &reason["record"]), (&json!("sub/a.jsonl"), &json!(2)));
}

#[tokio::test]
async fn a_record_that_failed_is_quarantined_alone_whatever_the_format() {
    let mails = "From a\nSubject: 1\n\nOne.\n\nFrom b\nSubject: 2\n\nBad.\n";
    let entry = |title: &str| format!("<item><title>{title}</title></item>");
    let feed = |entries: &str| format!("<rss><channel>{entries}</channel></rss>");
    let cases = [
        ("csv", "id,text\n1,One.\n2,Bad.\n".to_owned(), "id,text\n2,Bad.\n".to_owned()),
        ("mbox", mails.to_owned(), "From b\nSubject: 2\n\nBad.\n".to_owned()),
        ("json", r#"[{"text": "One."}, {"text": "Bad."}]"#.into(), r#"{"text": "Bad."}"#.into()),
        ("rss", feed(&[entry("One."), entry("Bad.")].concat()), feed(&entry("Bad."))),
    ];
    for (ending, content, expected) in cases {
        let house = House::new();
        house.drop_in(&format!("a.{ending}"), &content);
        let is_bad =
            |delivery: &Delivery| delivery.content.as_ref().unwrap().text().starts_with("Bad.");
        house.run(|delivery| if is_bad(delivery) { failed() } else { Outcome::Done }).await;
        let record = format!("quarantine/a.record-2.{ending}");
        assert_eq!(house.files(), [format!("archive/a.{ending}"), record.clone()]);
        assert_eq!(fs::read_to_string(house.at(&record)).unwrap(), expected);
        assert_eq!(house.reason(&format!("a.record-2.{ending}"))["record"], 2);
        // Under its file's name it is the document that it was.
        house.drop_in(&format!("a.{ending}"), &expected);
        assert_eq!(house.run(|_| Outcome::Done).await.len(), 1, "{ending}");
        house.drop_in(&format!("a.{ending}"), &content);
        assert_eq!(house.run(|_| Outcome::Done).await, [""; 0], "{ending}");
    }
}

#[tokio::test]
async fn a_link_in_a_folders_place_leads_nowhere() {
    let house = House::new();
    fs::create_dir(house.at("outside")).unwrap();
    fs::write(house.at("outside/a.txt"), "Secret.").unwrap();
    for number in 0..20 {
        house.drop_in(&format!("{number}.txt"), "Harmless.");
    }
    house.drop_in("zz/a.txt", "Seen.");
    let mut source = house.open(&json!({}));
    let first = source.next().await.unwrap().unwrap();
    // All were found; only the first few are claimed, for nobody takes more.
    fs::rename(house.at("inbox/zz"), house.at("inbox/yy")).unwrap();
    std::os::unix::fs::symlink(house.at("outside"), house.at("inbox/zz")).unwrap();
    first.receipt.settle(Outcome::Done);
    let texts = drain(source, |_| Outcome::Done).await;
    assert!(!texts.contains(&"Secret.".to_owned()), "{texts:?}");
    assert_eq!(texts.iter().filter(|text| *text == "Seen.").count(), 1, "{texts:?}");
    assert_eq!(fs::read_to_string(house.at("outside/a.txt")).unwrap(), "Secret.");
    assert!(house.at("archive/yy/a.txt").exists());
}

#[tokio::test]
async fn what_goes_back_does_not_follow_a_link() {
    let house = House::new();
    fs::create_dir(house.at("outside")).unwrap();
    house.drop_in("sub/a.txt", "One.");
    let mut source = house.open(&json!({ "on_success": "keep" }));
    let delivery = source.next().await.unwrap().unwrap();
    fs::remove_dir(house.at("inbox/sub")).unwrap();
    std::os::unix::fs::symlink(house.at("outside"), house.at("inbox/sub")).unwrap();
    delivery.receipt.settle(Outcome::Done);
    source.close().await.unwrap();
    assert_eq!(fs::read_dir(house.at("outside")).unwrap().count(), 0);
    assert!(
        house.files().iter().any(|file| file.contains("claimed") && file.ends_with("sub/a.txt"))
    );
}

#[tokio::test]
async fn what_is_written_to_after_it_was_read_is_read_again() {
    use std::io::Write;

    let house = House::new();
    house.drop_in("a.txt", "One half.");
    let mut writer = fs::File::options().append(true).open(house.at("inbox/a.txt")).unwrap();
    let mut source = house.open(&json!({}));
    let delivery = source.next().await.unwrap().unwrap();
    assert_eq!(delivery.content.as_ref().unwrap().text(), "One half.");
    writer.write_all(b" The other.").unwrap();
    drop(writer);
    delivery.receipt.settle(Outcome::Done);
    source.close().await.unwrap();
    assert_eq!(house.files(), ["inbox/a.txt"]);
    assert_eq!(house.run(|_| Outcome::Done).await, ["One half. The other."]);
    assert_eq!(house.files(), ["archive/a.txt"]);
}

#[tokio::test]
async fn a_file_that_is_renamed_before_it_is_finished_is_waited_for() {
    use std::io::Write;

    let house = House::new();
    let mut source =
        house.open_as(&json!({ "scan_every": "1h", "settle": "1h" }), Recognise::Id, false);
    let mut writer = fs::File::create(house.at("inbox/.a.part")).unwrap();
    writer.write_all(b"One half.").unwrap();
    fs::rename(house.at("inbox/.a.part"), house.at("inbox/a.txt")).unwrap();
    // The next file shows that the rename was heard.
    house.drop_in("b.txt", "Between.");
    let text = |delivery: &Delivery| delivery.content.as_ref().unwrap().text().to_owned();
    let between = source.next().await.unwrap().unwrap();
    assert_eq!(text(&between), "Between.");
    between.receipt.settle(Outcome::Done);
    writer.write_all(b" The other.").unwrap();
    drop(writer);
    let whole = source.next().await.unwrap().unwrap();
    assert_eq!(text(&whole), "One half. The other.");
    whole.receipt.settle(Outcome::Done);
    source.close().await.unwrap();
}

#[tokio::test]
async fn a_claim_that_cannot_be_looked_into_keeps_no_other_and_is_told() {
    let house = House::new();
    let claimed = house.at("inbox/.standpoint/claimed/0123456789abcdef/news");
    for (number, text) in [(0, "Zero."), (1, "One.")] {
        fs::create_dir_all(claimed.join(format!("{number}.1"))).unwrap();
        fs::write(claimed.join(format!("{number}.1/{number}.txt")), text).unwrap();
    }
    // A path that is too long for the system stands for a folder that is closed: root enters those.
    fs::remove_file(claimed.join("0.1/0.txt")).unwrap();
    let mut folder = fs::File::open(claimed.join("0.1")).unwrap();
    for _ in 0..25 {
        rustix::fs::mkdirat(&folder, "x".repeat(200), 0o700.into()).unwrap();
        let flags = OFlags::DIRECTORY;
        folder = rustix::fs::openat(&folder, "x".repeat(200), flags, Mode::empty()).unwrap().into();
    }
    let mut source = house.open(&json!({}));
    let delivery = source.next().await.unwrap().unwrap();
    assert_eq!(delivery.content.as_ref().unwrap().text(), "One.");
    delivery.receipt.settle(Outcome::Done);
    assert!(source.next().await.unwrap().is_none());
    let told = source.close().await.unwrap_err().to_string();
    assert!(told.contains("stay where they are") && told.contains("0.1"), "{told}");
    assert!(house.files().contains(&"archive/1.txt".to_owned()));
}

#[tokio::test]
async fn a_lock_that_a_stranger_holds_is_told_of() {
    use std::os::unix::fs::PermissionsExt;

    let house = House::new();
    let first = house.open(&json!({}));
    let settings = json!({ "path": house.at("inbox"), "on_success": "delete" });
    let settings: InboxSettings = serde_json::from_value(settings).unwrap();
    let second = InboxSource::open("news", &settings, &house.places(), ReadLimits::default(), true);
    let told = format!("{:?}", second.err().unwrap());
    assert!(told.contains("another process holds the lock"), "{told}");
    drop(first);
    for (path, mode) in [("", 0o700), ("/claimed/0123456789abcdef/news/lock", 0o600)] {
        let path = house.at(&format!("inbox/.standpoint{path}"));
        assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, mode);
    }
}

#[tokio::test]
async fn a_row_that_never_ends_keeps_its_whole_table() {
    let house = House::new();
    house.drop_in("a.csv", &format!("text\nOne.\n\"{}\nTwo.\n", "x".repeat(17 << 20)));
    assert_eq!(house.run(|_| Outcome::Done).await, ["One."]);
    assert_eq!(house.files(), ["quarantine/a.csv"]);
    let failure = house.reason("a.csv")["failures"][0].as_str().unwrap().to_owned();
    assert!(failure.contains("the row at line 3 has more than 16777216"), "{failure}");
}

#[tokio::test]
async fn a_compressed_record_is_quarantined_as_it_reads() {
    use std::io::Write;

    let house = House::new();
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(b"{\"text\": \"One.\"}\nrubbish\n").unwrap();
    fs::write(house.at("inbox/a.jsonl.gz"), packed.finish().unwrap()).unwrap();
    assert_eq!(house.run(|_| Outcome::Done).await, ["One."]);
    let record = "quarantine/a.record-2.jsonl";
    assert_eq!(house.files(), ["archive/a.jsonl.gz", record]);
    assert_eq!(fs::read_to_string(house.at(record)).unwrap(), "rubbish\n");
    assert_eq!(house.reason("a.record-2.jsonl")["path"], "a.jsonl.gz");
}

#[tokio::test]
async fn a_file_whose_records_all_fail_is_quarantined_whole() {
    let house = House::new();
    house.drop_in("a.jsonl", "rubbish\nmore of it\n");
    house.run(|_| Outcome::Done).await;
    assert_eq!(house.files(), ["quarantine/a.jsonl"]);
    let reason = house.reason("a.jsonl");
    assert_eq!(reason["reason"], "2 of its 2 documents failed; the others are in the sinks");
    assert_eq!(reason["failures"][0], "news: line 1, column 1: expected value");
}

#[tokio::test]
async fn a_file_with_more_records_than_allowed_is_quarantined_whole() {
    let house = House::new();
    house.drop_in("a.jsonl", &"{\"text\": \"One.\"}\n".repeat(4));
    let settings = json!({ "path": house.at("inbox"), "on_success": "delete" });
    let settings: InboxSettings = serde_json::from_value(settings).unwrap();
    let limits = ReadLimits { max_records_per_file: 3, ..ReadLimits::default() };
    let source = InboxSource::open("news", &settings, &house.places(), limits, true).unwrap();
    drain(source, |_| Outcome::Done).await;
    assert_eq!(house.files(), ["quarantine/a.jsonl"]);
}

#[tokio::test]
async fn daemons_that_share_a_quarantine_keep_each_file_with_its_reason() {
    let root = tempfile::tempdir().unwrap();
    let quarantine = root.path().join("quarantine");
    let names: Vec<_> = (0..4).map(|number| format!("source-{number}")).collect();
    let open = |name: &String| {
        let inbox = root.path().join(name);
        fs::create_dir(&inbox).unwrap();
        for number in 0..50 {
            fs::write(inbox.join(format!("{number}.txt")), name).unwrap();
        }
        let settings = json!({ "path": inbox, "settle": "1ms", "on_success": "delete" });
        let places = Places {
            instance: "0123456789abcdef".into(),
            quarantine: quarantine.clone(),
            max_attempts: NonZeroU32::MIN,
            sync: false,
            ledger: Ledger::new(&root.path().join("state"), Window::default()),
            recognise: Recognise::Id,
        };
        let settings: InboxSettings = serde_json::from_value(settings).unwrap();
        InboxSource::open(name, &settings, &places, ReadLimits::default(), true).unwrap()
    };
    // Each has threads of its own, which move the files while the others do.
    let mut running = tokio::task::JoinSet::new();
    for name in &names {
        let mut source = open(name);
        running.spawn(async move {
            while let Some(delivery) = source.next().await.unwrap() {
                delivery.receipt.settle(failed());
            }
            source.close().await.unwrap();
        });
    }
    running.join_all().await;
    let mut files = Vec::new();
    collect(&quarantine, &quarantine, &mut files);
    files.retain(|file| !file.ends_with(".reason.json"));
    assert_eq!(files.len(), 200);
    for file in files {
        let reason = fs::read(quarantine.join(format!("{file}.reason.json"))).unwrap();
        let reason: Value = serde_json::from_slice(&reason).unwrap();
        assert_eq!(reason["source"], fs::read_to_string(quarantine.join(&file)).unwrap(), "{file}");
    }
}

#[tokio::test]
async fn what_was_in_work_at_the_end_stays_claimed_and_counts_and_the_rest_goes_back() {
    let house = House::new();
    house.drop_in("sub/a.txt", "One.");
    house.drop_in("b.jsonl", "{\"text\": \"Two.\"}\n{\"text\": \"Three.\"}\n");
    house.drop_in("c.txt", "Four.");
    let claimed = "inbox/.standpoint/claimed/0123456789abcdef/news";
    let mut source = house.open(&json!({}));
    // Taken into work, and not decided: what may be hanging there counts as tried.
    for _ in 0..2 {
        let delivery = source.next().await.unwrap().unwrap();
        delivery.receipt.settle(Outcome::Returned);
    }
    source.close().await.unwrap();
    drop(source);
    let files = house.files();
    let is_claimed = |number: u32, attempt: u32, name: &str| {
        files.contains(&format!("{claimed}/{number}.{attempt}/{name}"))
    };
    // A file of records is not to blame for being long.
    assert!(is_claimed(0, 0, "b.jsonl"), "{files:?}");
    assert!(files.contains(&"inbox/c.txt".to_owned()), "{files:?}");
    assert!(files.contains(&"inbox/sub/a.txt".to_owned()), "{files:?}");
    assert_eq!(house.run(|_| Outcome::Done).await, ["Four.", "One.", "Three.", "Two."]);
    assert_eq!(house.files(), ["archive/b.jsonl", "archive/c.txt", "archive/sub/a.txt"]);
}

#[tokio::test]
async fn a_document_that_was_done_is_not_done_again_and_one_that_failed_is() {
    let house = House::new();
    house.drop_in("a.jsonl", "{\"text\": \"One.\"}\n{\"text\": \"Two.\"}\n");
    let is_one = |delivery: &Delivery| delivery.content.as_ref().unwrap().text() == "One.";
    house.run(|delivery| if is_one(delivery) { failed() } else { Outcome::Done }).await;
    assert_eq!(house.files(), ["archive/a.jsonl", "quarantine/a.record-1.jsonl"]);
    // The same file again: what is done is passed over.
    fs::rename(house.at("archive/a.jsonl"), house.at("inbox/a.jsonl")).unwrap();
    assert_eq!(house.run(|_| Outcome::Done).await, ["One."]);
    house.drop_in("a.jsonl", "{\"text\": \"One.\"}\n{\"text\": \"Two.\"}\n");
    assert_eq!(house.run(|_| Outcome::Done).await, [""; 0]);
    // The record in quarantine has the id that it had in its file.
    house.drop_in("a.jsonl", "{\"text\": \"One.\"}\n");
    assert_eq!(house.run(|_| Outcome::Done).await, [""; 0]);
    assert_eq!(
        drain(house.open_as(&json!({}), Recognise::Nothing, true), |_| Outcome::Done).await,
        [""; 0]
    );
    house.drop_in("a.jsonl", "{\"text\": \"One.\"}\n");
    let source = house.open_as(&json!({}), Recognise::Nothing, true);
    assert_eq!(drain(source, |_| Outcome::Done).await, ["One."]);
}

#[tokio::test]
async fn content_is_recognised_under_another_name_where_that_is_asked_for() {
    let house = House::new();
    house.drop_in("a.txt", "One.");
    house.drop_in("b.txt", "Two.");
    let open = || house.open_as(&json!({}), Recognise::Content, true);
    assert_eq!(drain(open(), |_| Outcome::Done).await, ["One.", "Two."]);
    house.drop_in("c.txt", "One.");
    house.drop_in("d.txt", "Three.");
    assert_eq!(drain(open(), |_| Outcome::Done).await, ["Three."]);
    assert_eq!(house.files().len(), 4);
    assert!(house.files().iter().all(|file| file.starts_with("archive/")));
}

#[tokio::test]
async fn a_kept_file_stays_and_is_read_again_only_when_it_changes() {
    let house = House::new();
    house.drop_in("a.txt", "One.");
    house.drop_in("sub/b.txt", "Two.");
    house.drop_in("empty.txt", " ");
    let open = || house.open(&json!({ "on_success": "keep" }));
    assert_eq!(drain(open(), |_| Outcome::Done).await, ["One.", "Two."]);
    let kept = ["inbox/a.txt", "inbox/sub/b.txt", "quarantine/empty.txt"];
    assert_eq!(house.files(), kept);
    assert_eq!(drain(open(), |_| Outcome::Done).await, [""; 0]);
    house.drop_in("a.txt", "Another.");
    assert_eq!(drain(open(), |_| Outcome::Done).await, ["Another."]);
    assert_eq!(drain(open(), |_| Outcome::Done).await, [""; 0]);
    assert_eq!(house.files(), kept);
}

#[tokio::test]
async fn a_file_waits_for_its_marker_where_there_are_markers() {
    let house = House::new();
    let open = || house.open(&json!({ "complete_marker": "{name}.done" }));
    house.drop_in("a.txt", "One.");
    house.drop_in("b.txt", "Two.");
    house.drop_in("b.txt.done", "");
    assert_eq!(drain(open(), |_| Outcome::Done).await, ["Two."]);
    assert_eq!(house.files(), ["archive/b.txt", "inbox/a.txt"]);
    house.drop_in("a.txt.done", "");
    assert_eq!(drain(open(), |_| Outcome::Done).await, ["One."]);
    let bad = json!({ "path": "x", "on_success": "delete", "complete_marker": "done" });
    let error = serde_json::from_value::<InboxSettings>(bad).unwrap_err().to_string();
    assert!(error.contains("write `{name}` in it once"), "{error}");
}

#[tokio::test]
async fn an_inbox_that_is_removed_and_made_again_is_watched_again() {
    let house = House::new();
    house.drop_in("a.txt", "One.");
    let settings = json!({ "scan_every": "20ms" });
    let mut source = house.open_as(&settings, Recognise::Id, false);
    source.next().await.unwrap().unwrap().receipt.settle(Outcome::Done);
    while !house.at("archive/a.txt").exists() {
        tokio::task::yield_now().await;
    }
    fs::rename(house.at("inbox"), house.at("old")).unwrap();
    fs::create_dir(house.at("inbox")).unwrap();
    house.drop_in("b.txt", "Two.");
    let delivery = source.next().await.unwrap().unwrap();
    assert_eq!(delivery.content.as_ref().unwrap().text(), "Two.");
    delivery.receipt.settle(Outcome::Done);
    source.close().await.unwrap();
    assert!(house.at("archive/b.txt").exists(), "{:?}", house.files());
}

#[tokio::test]
async fn a_file_that_ends_the_process_is_quarantined_after_three_times() {
    let house = House::new();
    house.drop_in("a.txt", "One.");
    house.drop_in("b.txt", "Two.");
    // A crash: what is claimed stays claimed.
    let claims = house.at("inbox/.standpoint/claimed/0123456789abcdef/news");
    fs::create_dir_all(claims.join("7.3")).unwrap();
    fs::rename(house.at("inbox/a.txt"), claims.join("7.3/a.txt")).unwrap();
    fs::create_dir_all(claims.join("8.1")).unwrap();
    fs::rename(house.at("inbox/b.txt"), claims.join("8.1/b.txt")).unwrap();
    // And one that ended between making the folder and the claim.
    fs::create_dir_all(claims.join("9.1/sub")).unwrap();

    assert_eq!(house.run(|_| Outcome::Done).await, ["Two."]);
    assert_eq!(house.files(), ["archive/b.txt", "quarantine/a.txt"]);
    assert_eq!(
        house.reason("a.txt")["reason"],
        "news: the process ended 3 times while this was in work; max_attempts is 3"
    );
    assert!(!claims.join("9.1").exists());
}

#[tokio::test]
async fn the_claims_of_a_dead_instance_are_taken_over_and_those_of_a_living_one_are_not() {
    let house = House::new();
    let claimed = house.at("inbox/.standpoint/claimed");
    let claim = |instance: &str, name: &str| {
        let folder = claimed.join(instance).join("mail");
        fs::create_dir_all(folder.join("4.1")).unwrap();
        fs::write(folder.join("4.1").join(name), name).unwrap();
        fs::File::create(folder.join("lock")).unwrap()
    };
    claim("1111111111111111", "dead.txt");
    let living = claim("2222222222222222", "living.txt");
    living.lock().unwrap();

    assert_eq!(house.run(|_| Outcome::Done).await, ["dead.txt"]);
    let kept = "inbox/.standpoint/claimed/2222222222222222/mail/4.1/living.txt";
    assert_eq!(house.files(), ["archive/dead.txt", kept]);

    drop(living);
    assert_eq!(house.run(|_| Outcome::Done).await, ["living.txt"]);
    assert_eq!(house.files(), ["archive/dead.txt", "archive/living.txt"]);
}

#[tokio::test]
async fn drafts_hidden_files_and_pipes_are_left_alone() {
    let house = House::new();
    for name in ["a.txt.part", ".hidden", "b.tmp", "c~"] {
        house.drop_in(name, "x");
    }
    let pipe = house.at("inbox/pipe.txt");
    rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, 0o600.into()).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", house.at("inbox/link.txt")).unwrap();
    assert_eq!(house.run(|_| Outcome::Done).await, [""; 0]);
    assert_eq!(house.files().len(), 6, "{:?}", house.files());
}

#[tokio::test]
async fn patterns_choose_the_files() {
    let house = House::new();
    for name in ["a.txt", "sub/b.txt", "sub/c.md", "old/d.txt"] {
        house.drop_in(name, name);
    }
    let mut source = house.open(&json!({ "include": ["**/*.txt"], "ignore": ["old/**"] }));
    let mut texts = Vec::new();
    while let Some(delivery) = source.next().await.unwrap() {
        texts.push(delivery.content.unwrap().text().to_owned());
        delivery.receipt.settle(Outcome::Done);
    }
    source.close().await.unwrap();
    texts.sort();
    assert_eq!(texts, ["a.txt", "sub/b.txt"]);
}

#[tokio::test]
async fn a_thousand_files_and_more_are_all_taken() {
    let house = House::new();
    for number in 0..2500 {
        fs::write(house.at("inbox").join(format!("{number}.txt")), format!("Text {number}."))
            .unwrap();
    }
    let texts = house.run(|_| Outcome::Done).await;
    assert_eq!(texts.len(), 2500);
    assert!(house.files().iter().all(|file| file.starts_with("archive/")));
}

#[tokio::test]
async fn mistakes_in_the_settings_are_named() {
    let house = House::new();
    let open = |path: &str, include: &str| {
        let settings: InboxSettings = serde_json::from_value(json!({
            "path": house.at(path), "include": [include], "on_success": "delete",
        }))
        .unwrap();
        let places = Places {
            instance: "0123456789abcdef".into(),
            quarantine: house.at("quarantine"),
            max_attempts: NonZeroU32::MIN,
            sync: false,
            ledger: Ledger::new(&house.at("state"), Window::default()),
            recognise: Recognise::Id,
        };
        InboxSource::open("news", &settings, &places, ReadLimits::default(), true)
            .map(drop)
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        open("missing", "*"),
        format!("cannot use the inbox {}", house.at("missing").display())
    );
    assert_eq!(open("inbox", "a{b"), "`a{b` is not a pattern of file names");
}
