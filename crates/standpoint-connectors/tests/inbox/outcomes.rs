//! Where a file goes, by what became of its documents and of the process.

use std::fs;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use standpoint_connectors::inbox::{InboxSettings, InboxSource, Places, Recognise};
use standpoint_connectors::ledger::Ledger;
use standpoint_connectors::ledger::memory::Window;
use standpoint_connectors::limits::ReadLimits;
use standpoint_connectors::meters::{self, Meter};
use standpoint_engine::{Delivery, Outcome, Source, SourceError};

use crate::house::{House, collect, drain, failed};

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

#[tokio::test]
async fn what_is_about_a_folder_is_taken_like_all_that_is_dropped_unless_it_is_ignored() {
    let house = House::new();
    let names = ["LICENCE.txt", "sub/LICENSE", "sub/README.md"];
    for name in names {
        house.drop_in(name, "About.");
    }
    let ignore = json!({ "ignore": ["**/README*", "**/LICEN[CS]E*"] });
    assert_eq!(drain(house.open(&ignore), |_| Outcome::Done).await, [""; 0]);
    assert_eq!(house.files(), names.map(|name| format!("inbox/{name}")));
    assert_eq!(house.run(|_| Outcome::Done).await, ["About."; 3]);
    assert_eq!(house.files(), names.map(|name| format!("archive/{name}")));
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
    assert_eq!(empty, "news: it holds no text, only a byte of white space");
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
    // Taken into work, and not decided: what may be hanging there counts as tried. In which order
    // the files come is the file system's choice.
    let mut is_begun = false;
    while !is_begun {
        let delivery = source.next().await.unwrap().unwrap();
        is_begun = delivery.content.as_ref().unwrap().text() == "Two.";
        delivery.receipt.settle(Outcome::Returned);
    }
    source.close().await.unwrap();
    drop(source);
    let files = house.files();
    // A file of records is not to blame for being long.
    let is_claimed = |file: &String| file.starts_with(claimed) && file.ends_with(".0/b.jsonl");
    assert!(files.iter().any(is_claimed), "{files:?}");
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

/// A file of records that an earlier run left, and whose notes cannot be written: where they are
/// drafted stands a folder. It is called by the attempt, which is counted and taken back.
fn left_without_notes(house: &House, source: &str) -> [PathBuf; 2] {
    let claims = house.at("inbox/.standpoint/claimed/0123456789abcdef").join(source);
    let drafts = ["0.1", "0.2"].map(|name| claims.join(name).join(".care.draft"));
    fs::create_dir_all(&drafts[0]).unwrap();
    fs::write(drafts[0].join(".full"), "").unwrap();
    fs::write(claims.join("0.1/a.jsonl"), "{\"text\": \"One.\"}\n").unwrap();
    drafts
}

#[tokio::test]
async fn a_file_whose_note_cannot_be_written_keeps_no_other_and_is_not_archived_unread() {
    let house = House::new();
    let drafts = left_without_notes(&house, "news");
    house.drop_in("b.txt", "Two.");
    let (texts, told) = drain_to_the_end(house.open(&json!({}))).await;
    assert_eq!(texts, ["Two."]);
    let told = told.unwrap_err().to_string();
    assert!(told.contains("stay where they are: [\"a.jsonl\"]"), "{told}");
    assert!(drafts.iter().any(|draft| fs::remove_dir_all(draft).is_ok()));
    assert_eq!(house.run(|_| Outcome::Done).await, ["One."]);
    assert_eq!(house.files(), ["archive/a.jsonl", "archive/b.txt"]);
}

#[tokio::test]
async fn a_file_whose_note_cannot_be_written_is_tried_again_without_a_restart() {
    let house = House::new();
    let drafts = left_without_notes(&house, "noted");
    let mut source = house.open_called("noted", &json!({}), Recognise::Id, false);
    let mending = tokio::task::spawn_blocking(move || {
        while !meters::of(Meter::FilesReturned).contains_key("noted") {
            std::thread::yield_now();
        }
        while !drafts.iter().any(|draft| fs::remove_dir_all(draft).is_ok()) {
            std::thread::yield_now();
        }
    });
    let delivery = source.next().await.unwrap().unwrap();
    delivery.receipt.settle(Outcome::Done);
    mending.await.unwrap();
    source.close().await.unwrap();
    assert_eq!(house.files(), ["archive/a.jsonl"]);
}

#[tokio::test]
async fn a_claim_whose_attempt_cannot_be_counted_keeps_no_other() {
    let house = House::new();
    let claims = house.at("inbox/.standpoint/claimed/0123456789abcdef/news");
    for (claim, file) in [("5.1", "a.txt"), ("6.1", "b.txt"), ("5.2", ".in-the-way")] {
        fs::create_dir_all(claims.join(claim)).unwrap();
        fs::write(claims.join(claim).join(file), file).unwrap();
    }
    house.drop_in("c.txt", "c.txt");
    let (texts, told) = drain_to_the_end(house.open(&json!({}))).await;
    assert_eq!(texts, ["b.txt", "c.txt"]);
    let told = told.unwrap_err().to_string();
    assert!(told.contains("stay where they are: [\"a.txt\"]"), "{told}");
    fs::remove_dir_all(claims.join("5.2")).unwrap();
    assert_eq!(house.run(|_| Outcome::Done).await, ["a.txt"]);
    assert_eq!(house.files(), ["archive/a.txt", "archive/b.txt", "archive/c.txt"]);
}

#[tokio::test]
async fn a_claim_that_is_taken_up_forgives_no_other_of_its_name() {
    let house = House::new();
    let claims = house.at("inbox/.standpoint/claimed/0123456789abcdef/news");
    for (claim, file) in [("5.1", "a.txt"), ("5.2", ".in-the-way"), ("6.1", "a.txt")] {
        fs::create_dir_all(claims.join(claim)).unwrap();
        fs::write(claims.join(claim).join(file), claim).unwrap();
    }
    let (texts, told) = drain_to_the_end(house.open(&json!({}))).await;
    assert_eq!(texts, ["6.1"]);
    let told = told.unwrap_err().to_string();
    assert!(told.contains("stay where they are: [\"a.txt\"]"), "{told}");
    fs::remove_dir_all(claims.join("5.2")).unwrap();
    assert_eq!(house.run(|_| Outcome::Done).await, ["5.1"]);
}

#[tokio::test]
async fn a_drained_inbox_ends_and_tells_of_a_file_that_cannot_come_back() {
    let house = House::new();
    let claims = house.at("inbox/.standpoint/claimed/0123456789abcdef/news");
    // The next number, so that where the first of two files goes is known: there its notes cannot
    // be written, and where it comes back to once that is found out, something is in the way.
    let number = u64::MAX;
    for file in [
        "0.1/a.jsonl",
        "0.1/b.txt",
        &format!("{number}.2/.care.draft/.full"),
        &format!("{number}.1/.in-the-way"),
    ] {
        fs::create_dir_all(claims.join(file).parent().unwrap()).unwrap();
        fs::write(claims.join(file), "{\"text\": \"One.\"}").unwrap();
    }
    let (texts, told) = drain_to_the_end(house.open(&json!({}))).await;
    assert_eq!(texts, ["{\"text\": \"One.\"}"]);
    let told = told.unwrap_err().to_string();
    assert!(told.contains("stay where they are: [\"a.jsonl\"]"), "{told}");
    for folder in ["1", "2"] {
        fs::remove_dir_all(claims.join(format!("{number}.{folder}/.care.draft"))).ok();
        fs::remove_file(claims.join(format!("{number}.{folder}/.in-the-way"))).ok();
    }
    assert_eq!(house.run(|_| Outcome::Done).await, ["One."]);
    assert_eq!(house.files(), ["archive/a.jsonl", "archive/b.txt"]);
}

/// The worker waits to hand over what it has before it looks whether a text that is under way is
/// one more document.
#[tokio::test]
async fn a_file_of_which_nothing_went_out_when_the_inbox_closed_is_not_done() {
    let house = House::new();
    let records: String = (0..128).map(|number| format!("{{\"text\": \"{number}\"}}\n")).collect();
    house.drop_in("a.jsonl", &records);
    house.drop_in("b.jsonl", "{\"text\": \"One.\"}\n");
    house.drop_in("c.jsonl", "{\"text\": \"One.\"}\n{\"text\": \"Two.\"}\n");
    let mut source = house.open_as(&json!({}), Recognise::Content, true);
    let first = source.next().await.unwrap().unwrap();
    while house.at("inbox/c.jsonl").exists() {
        tokio::task::yield_now().await;
    }
    first.receipt.settle(Outcome::Returned);
    source.close().await.unwrap();
    let found = house.files();
    assert!(found.iter().all(|file| file.starts_with("inbox/")), "{found:?}");
    let again = house.open_as(&json!({}), Recognise::Content, true);
    assert_eq!(drain(again, |_| Outcome::Done).await.len(), 128 + 2);
}

/// Has all documents of a source done; gives their texts, and how the source ended.
async fn drain_to_the_end(mut source: InboxSource) -> (Vec<String>, Result<(), SourceError>) {
    let mut texts = Vec::new();
    while let Some(delivery) = source.next().await.unwrap() {
        texts.push(delivery.content.as_ref().unwrap().text().to_owned());
        delivery.receipt.settle(Outcome::Done);
    }
    texts.sort();
    (texts, source.close().await)
}

#[tokio::test]
async fn a_note_that_was_being_made_at_the_end_is_no_file() {
    let house = House::new();
    let claim = house.at("inbox/.standpoint/claimed/0123456789abcdef/news/0.1");
    fs::create_dir_all(&claim).unwrap();
    fs::write(claim.join("a.jsonl"), "{\"text\": \"One.\"}\n").unwrap();
    for note in [".care.draft", ".care.damaged"] {
        fs::write(claim.join(note), "half").unwrap();
    }
    assert_eq!(house.run(|_| Outcome::Done).await, ["One."]);
    assert_eq!(house.files(), ["archive/a.jsonl"]);
    assert!(!claim.with_file_name("0.2").exists());
}
