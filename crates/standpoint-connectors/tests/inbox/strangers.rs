//! What others do with the folder: half files, links, markers, and very many at once.

use std::fs;
use std::num::NonZeroU32;
use std::time::Duration;

use rustix::fs::{Mode, OFlags};
use serde_json::json;
use standpoint_connectors::inbox::{self, InboxSettings, InboxSource, Places, Recognise};
use standpoint_connectors::ledger::Ledger;
use standpoint_connectors::ledger::memory::Window;
use standpoint_connectors::limits::ReadLimits;
use standpoint_engine::{Delivery, Outcome, Source};
use tokio::time::timeout;

use crate::house::{House, drain, failed};

#[tokio::test]
async fn a_link_in_a_folders_place_leads_nowhere() {
    let house = House::new();
    fs::create_dir(house.at("outside")).unwrap();
    fs::write(house.at("outside/a.txt"), "Secret.").unwrap();
    for number in 0..400 {
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
    assert!(house.at("inbox/sub~2/a.txt").exists());
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
async fn what_cannot_be_claimed_keeps_no_other() {
    let house = House::new();
    // A path that is too long for the system stands for a stranger's folder: root moves files out
    // of it.
    let mut folder = fs::File::open(house.at("inbox")).unwrap();
    for _ in 0..25 {
        let name = "a".repeat(200);
        rustix::fs::mkdirat(&folder, &name, 0o700.into()).unwrap();
        let flags = OFlags::DIRECTORY;
        folder = rustix::fs::openat(&folder, name, flags, Mode::empty()).unwrap().into();
    }
    // More than one look through the folder brings.
    for number in 0..600 {
        let flags = OFlags::CREATE | OFlags::WRONLY;
        let file = rustix::fs::openat(&folder, format!("{number}.txt"), flags, Mode::RUSR);
        rustix::io::write(file.unwrap(), b"Deep.").unwrap();
    }
    house.drop_in("b/b.txt", "Beside.");
    house.drop_in("c.txt", "Behind.");
    assert_eq!(house.run(|_| Outcome::Done).await, ["Behind.", "Beside."]);
    assert!(house.at("archive/b/b.txt").exists() && house.at("archive/c.txt").exists());
    let left = rustix::fs::Dir::read_from(&folder).unwrap().count();
    assert_eq!(left, 600 + [".", ".."].len());
}

#[tokio::test]
async fn a_file_finds_a_place_where_its_own_is_taken_or_its_name_too_long() {
    let house = House::new();
    let long = |ending: &str| "ü".repeat((255 - ending.len()) / 2) + ending;
    let refuse = |delivery: &Delivery| {
        let is_bad = delivery.content.as_ref().is_ok_and(|document| document.text() == "Bad.");
        if is_bad { failed() } else { Outcome::Done }
    };
    for text in ["Good.", "Bad."] {
        // First a file, then a folder of its name; a folder where a reason belongs; a long name.
        for name in ["sub.txt", "sub.txt/a.txt", "b.txt.reason.json/b.txt", "b.txt", &long(".txt")]
        {
            house.drop_in(name, text);
            house.run(refuse).await;
            fs::remove_dir_all(house.at("inbox/sub.txt")).ok();
            fs::remove_dir_all(house.at("inbox/b.txt.reason.json")).ok();
        }
    }
    let lines = "{\"text\": \"Good.\"}\n{\"text\": \"Bad.\"}\n";
    house.drop_in(&long(".jsonl"), lines);
    house.drop_in(&long(".txt"), "Good, too.");
    house.run(refuse).await;
    let files = house.files();
    let count = |folder: &str| files.iter().filter(|file| file.starts_with(folder)).count();
    assert_eq!((count("archive/"), count("quarantine/"), count("inbox/")), (7, 6, 0), "{files:#?}");
    for file in ["archive/sub~2.txt/a.txt", "quarantine/sub~2.txt/a.txt", "quarantine/b~2.txt"] {
        assert!(files.iter().any(|found| found == file), "{file} in {files:#?}");
    }
    let record = files.iter().find(|file| file.ends_with(".record-2.jsonl")).unwrap();
    let reason = house.reason(record.strip_prefix("quarantine/").unwrap());
    assert_eq!(reason["path"], long(".jsonl"));
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
async fn no_more_is_claimed_than_can_be_moved_and_what_waits_is_counted() {
    let house = House::new();
    for number in 0..1500 {
        house.drop_in(&format!("{number}.txt"), "");
    }
    fs::create_dir_all(house.at("quarantine")).unwrap();
    // Whoever has this lock keeps files out of the quarantine.
    let lock = fs::File::open(house.at("quarantine")).unwrap();
    lock.lock().unwrap();
    let mut source = house.open_called("crowded", &json!({}), Recognise::Id, true);
    let mut delivered = 0;
    while let Ok(next) = timeout(Duration::from_millis(500), source.next()).await {
        let Some(delivery) = next.unwrap() else { break };
        let failure = delivery.content.unwrap_err();
        delivery.receipt.settle(Outcome::Failed(failure));
        delivered += 1;
    }
    assert!((512..700).contains(&delivered), "{delivered}");
    let waiting = inbox::waiting()["crowded"];
    assert!((800..=988).contains(&waiting.files), "{waiting:?}");
    assert!(waiting.oldest < Duration::from_mins(1), "{waiting:?}");
    lock.unlock().unwrap();
    drain(source, |_| Outcome::Done).await;
    assert_eq!(house.files().len(), 1500);
    assert!(house.files().iter().all(|file| file.starts_with("quarantine/")));
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
