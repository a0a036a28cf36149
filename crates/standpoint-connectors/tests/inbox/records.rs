//! Files of several records: each has its own fate.

use std::fs;

use serde_json::json;
use standpoint_connectors::inbox::{InboxSettings, InboxSource, Recognise};
use standpoint_connectors::limits::ReadLimits;
use standpoint_connectors::meters::{self, Meter};
use standpoint_connectors::quarantine;
use standpoint_engine::{Delivery, Outcome};

use crate::house::{House, drain, failed, keeps_attributes};

#[tokio::test]
async fn a_bad_record_is_quarantined_alone_and_its_file_archived() {
    let house = House::new();
    house.drop_in("sub/a.jsonl", "{\"text\": \"One.\"}\n\nrubbish\n{\"text\": \"Two.\"}\n");
    assert_eq!(house.run(|_| Outcome::Done).await, ["One.", "Two."]);
    let record = "quarantine/sub/a.record-2.jsonl";
    assert_eq!(house.files(), ["archive/sub/a.jsonl", record]);
    assert_eq!(fs::read_to_string(house.at(record)).unwrap(), "rubbish\n");
    let reason = house.reason("sub/a.record-2.jsonl");
    assert_eq!(
        reason["reason"],
        "news: line 3, column 1: expected a value, such as a text in quotes or an object"
    );
    assert_eq!((&reason["path"], &reason["record"]), (&json!("sub/a.jsonl"), &json!(2)));
    assert_eq!(reason["failed"], 1);
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
async fn a_row_that_never_ends_keeps_its_whole_table() {
    let house = House::new();
    house.drop_in("a.csv", &format!("text\nOne.\n\"{}\nTwo.\n", "x".repeat(17 << 20)));
    assert_eq!(house.run(|_| Outcome::Done).await, ["One."]);
    assert_eq!(house.files(), ["quarantine/a.csv"]);
    let failure = house.reason("a.csv")["failures"][0].as_str().unwrap().to_owned();
    assert!(failure.contains("the row at line 3 has more than 16777216"), "{failure}");
}

#[tokio::test]
async fn a_quote_that_is_never_closed_keeps_its_whole_table_for_the_rows_behind_it() {
    let house = House::new();
    house.drop_in("a.csv", "id,text\n1,One.\n2,\"Two.\n3,Three.\n");
    assert_eq!(house.run(|_| Outcome::Done).await, ["One."]);
    assert_eq!(house.files(), ["quarantine/a.csv"]);
    let reason = house.reason("a.csv");
    assert_eq!(reason["reason"], "1 of its 2 documents failed; the other one is in the sinks");
    let failure = reason["failures"][0].as_str().unwrap().to_owned();
    assert!(failure.contains("the quote that opens at line 3 is not closed"), "{failure}");
    // Once it is mended, what was done is not done again.
    house.drop_in("a.csv", "id,text\n1,One.\n2,\"Two.\"\n3,Three.\n");
    assert_eq!(house.run(|_| Outcome::Done).await, ["Three.", "Two."]);
}

#[tokio::test]
async fn of_records_with_one_id_in_a_file_the_first_is_read_and_none_vanishes() {
    for recognise in [Recognise::Id, Recognise::Content, Recognise::Nothing] {
        let house = House::new();
        let second = "{\"text\": \"Two.\", \"id\": 7}\n";
        house.drop_in(
            "a.jsonl",
            &format!(
                "{{\"id\": 7, \"text\": \"One.\"}}\n{second}{{\"text\": \"One.\", \"id\": 7}}\n\
                 {{\"id\": 8, \"text\": \"Three.\"}}\n"
            ),
        );
        let source = format!("twice-{recognise:?}");
        let inbox = house.open_called(&source, &json!({}), recognise, true);
        assert_eq!(drain(inbox, |_| Outcome::Done).await, ["One.", "Three."], "{recognise:?}");
        // What says the same is counted, and what says something else is kept with the reason.
        assert_eq!(meters::of(Meter::DocumentsKnown).get(&source), Some(&1), "{recognise:?}");
        assert_eq!(house.files(), ["archive/a.jsonl", "quarantine/a.record-2.jsonl"]);
        let kept = fs::read_to_string(house.at("quarantine/a.record-2.jsonl")).unwrap();
        assert_eq!(kept, second);
        let reason = house.reason("a.record-2.jsonl")["reason"].as_str().unwrap().to_owned();
        assert_eq!(
            reason,
            format!(
                "{source}: record 2 has the id `7` of an earlier one in its file and says something \
                 else; give each an id of its own"
            )
        );
    }
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
    assert_eq!(reason["reason"], "all of its 2 documents failed");
    assert_eq!(
        reason["failures"][0],
        "news: line 1, column 1: expected a value, such as a text in quotes or an object"
    );
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
async fn records_that_fail_again_keep_their_names_whatever_the_format() {
    if !keeps_attributes() {
        return;
    }
    let mails =
        ["One.", "Bad 2.", "Bad 3."].map(|text| format!("From a\nSubject: x\n\n{text}\n\n"));
    let items =
        ["One.", "Bad 2.", "Bad 3."].map(|text| format!("<item><title>{text}</title></item>"));
    let cases = [
        ("csv", "id,text\n1,One.\n2,Bad 2.\n3,\"Bad 3.\n\"\n".to_owned()),
        ("mbox", mails.concat()),
        ("json", "[{\"text\": \"One.\"},\n {\"text\": \"Bad 2.\"}, {\"text\": \"Bad 3.\"}]".into()),
        ("rss", format!("<rss><channel><title>n</title>{}</channel></rss>", items.concat())),
    ];
    for (ending, content) in cases {
        let house = House::new();
        house.drop_in(&format!("a.{ending}"), &content);
        let is_bad =
            |delivery: &Delivery| delivery.content.as_ref().unwrap().text().starts_with("Bad");
        let judge = |delivery: &Delivery| if is_bad(delivery) { failed() } else { Outcome::Done };
        house.run(judge).await;
        let folder = house.at("quarantine");
        let records = || {
            let entries = quarantine::entries(&folder).unwrap();
            let known = entries.iter().map(|entry| {
                let bytes = fs::read_to_string(folder.join(&entry.path)).unwrap();
                let record = entry.reason.as_ref().unwrap().record;
                (entry.path.display().to_string(), record, bytes)
            });
            (known.collect::<Vec<_>>(), entries)
        };
        let (before, both) = records();
        assert_eq!(before[0].0, format!("a.record-2.{ending}"));
        assert_eq!(before[1].0, format!("a.record-3.{ending}"));
        for again in [both.iter().collect::<Vec<_>>(), vec![&both[1]]] {
            let limits = ReadLimits::default();
            quarantine::replay_records(&folder, &again, &house.at("inbox"), &limits, true).unwrap();
            assert_eq!(house.run(judge).await.len(), again.len(), "{ending}");
            let mut now = records().0;
            now.sort();
            assert_eq!(now, before, "{ending}");
            let archived = fs::read_dir(house.at("archive")).unwrap().count();
            assert_eq!(
                archived, 1,
                "{ending}: the file that they came from, and no copy of its records"
            );
        }
    }
}

#[tokio::test]
async fn no_number_that_is_noted_loses_a_record_or_changes_a_file() {
    if !keeps_attributes() {
        return;
    }
    let twice = "rubbish\nrubbish\n";
    let grown = format!("{twice}{{\"text\": \"One.\"}}\n");
    let mails = "before\n\nFrom a\n\nBad.\n\nFrom b\n\nBad.\n";
    // What was noted, the file, and which records are in quarantine; none where it is there as a
    // whole.
    let cases: [(&str, &str, &[u8], &[u64]); 11] = [
        ("7,9", "a.jsonl", twice.as_bytes(), &[7, 9]),
        ("7,9", "a.mbox", mails.as_bytes(), &[7, 9]),
        // Somebody wrote to the file after it was replayed.
        ("2", "a.jsonl", grown.as_bytes(), &[1, 2]),
        // Somebody else wrote the numbers.
        ("1,1", "a.jsonl", twice.as_bytes(), &[]),
        ("0,2", "a.jsonl", twice.as_bytes(), &[]),
        ("2,2,4", "a.jsonl", grown.as_bytes(), &[1, 2]),
        ("2,x", "a.jsonl", twice.as_bytes(), &[]),
        ("2,4,6", "a.jsonl", twice.as_bytes(), &[]),
        // Records of these are not the bytes that stood there.
        ("3", "a.json", b"{\"text\": \"Bad. \xe9\xe8\"}\n\n", &[]),
        ("3", "a.csv", b"text\r\n\"Bad.\" it is\r\n", &[]),
        ("3", "a.rss", b"<rss><item><title>Bad. \xe9</title></item></rss>", &[]),
    ];
    for (noted, name, content, expected) in cases {
        let house = House::new();
        let path = house.at("inbox").join(name);
        fs::write(&path, content).unwrap();
        let file = fs::File::open(&path).unwrap();
        let flags = rustix::fs::XattrFlags::empty();
        rustix::fs::fsetxattr(&file, "user.standpoint.records", noted.as_bytes(), flags).unwrap();
        let is_bad = |delivery: &Delivery| {
            delivery.content.as_ref().is_ok_and(|document| document.text().starts_with("Bad."))
        };
        house.run(|delivery| if is_bad(delivery) { failed() } else { Outcome::Done }).await;
        let (stem, ending) = name.split_once('.').unwrap();
        let mut files: Vec<String> = expected
            .iter()
            .map(|number| format!("quarantine/{stem}.record-{number}.{ending}"))
            .collect();
        if files.is_empty() {
            files.push(format!("quarantine/{name}"));
        } else if noted != "7,9" {
            // Of a file that came out of the quarantine, and all of which goes back, no copy is
            // kept.
            files.insert(0, format!("archive/{name}"));
        }
        assert_eq!(house.files(), files, "{noted} on {name}");
        if name != "a.jsonl" || expected.is_empty() {
            let parts = files.iter().filter(|file| file.starts_with("quarantine/"));
            let kept: Vec<u8> = parts.flat_map(|file| fs::read(house.at(file)).unwrap()).collect();
            assert_eq!(kept, content, "{noted} on {name}");
        }
    }
}
