//! Documents that fail, that end their workers, that are no documents, and that are too large for a
//! message.

use std::time::Duration;

use serde_json::json;

use crate::field::{Field, header};
use crate::harness::becomes_true;
use crate::server::is_installed;

#[test]
fn a_document_that_fails_goes_to_the_dead_letters_with_its_reason() {
    if !is_installed() {
        return;
    }
    let mut field = Field::new(&json!({ "max_attempts": 2 }));
    let good: Vec<String> = (0..20).map(|number| format!("Document {number}.")).collect();
    field.publish_texts(good.iter().chain([&"Panic now.".to_owned()]));
    // What somebody else publishes is read, too, if it is a document.
    let mut wire = field.server.wire().unwrap();
    wire.request("docs.0", br#"{"text": "From elsewhere.", "id": 7}"#).unwrap();
    wire.request("docs.0", b"rubbish").unwrap();
    field.start();
    field.drained(Duration::from_mins(1));
    let letters = field.server.read("DOCS_DEAD");
    assert_eq!(letters.len(), 2, "{letters:?}");
    let panicked = letters.iter().find(|(_, letter)| letter["text"] == "Panic now.").unwrap();
    assert_eq!(header(&panicked.0, "Standpoint-Stage"), Some("mischief"));
    assert!(header(&panicked.0, "Standpoint-Reason").unwrap().contains("asked to panic"));
    assert_eq!(header(&panicked.0, "Standpoint-Attempts"), Some("2"));
    let rubbish = letters.iter().find(|(_, letter)| letter.is_null()).unwrap();
    assert!(header(&rubbish.0, "Standpoint-Reason").unwrap().contains("no document"));
    let account = field.account();
    assert_eq!(account.copies.len(), 21, "{account:?}");
    assert_eq!(account.copies["From elsewhere."], 1);
}

#[test]
fn dead_letters_are_listed_shown_tried_again_and_deleted() {
    if !is_installed() {
        return;
    }
    let mut field = Field::new(&json!({ "max_attempts": 1 }));
    let pipeline = field.at("worker.yaml");
    let quarantine = |arguments: &[&str]| {
        let command = ["quarantine", arguments[0], "-c", pipeline.to_str().unwrap()];
        crate::harness::run(&[&command, &arguments[1..]].concat())
    };
    let told = quarantine(&["list"]).expect(1).stderr;
    assert!(told.contains("there is no stream DOCS yet"), "{told}");
    // The stage panics at the first and at the second, and what follows is no document.
    let large = format!("Panic {}.", "a".repeat(2 << 20));
    field.publish_texts([&"Panic now.".to_owned(), &large].into_iter());
    assert_eq!(quarantine(&["list"]).expect(0).stdout, "there are no dead letters\n");
    let mut wire = field.server.wire().unwrap();
    wire.request("docs.0", b"rubb\x1bish").unwrap();
    let number = field.start();
    field.drained(Duration::from_mins(1));
    let is_buried = || field.server.messages("DOCS_DEAD") == Some(3);
    assert!(becomes_true(is_buried), "{}", field.log());

    let listed = quarantine(&["list"]).expect(0).stdout;
    assert_eq!(listed.lines().count(), 6, "{listed}");
    assert!(listed.contains("\n    mischief: ") && listed.contains("asked to panic"), "{listed}");
    let json = quarantine(&["list", "--format", "json"]).expect(0).stdout;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let shown: Vec<serde_json::Value> = (0..3)
        .map(|index| {
            let number = json[index]["letter"].as_u64().unwrap().to_string();
            let shown = quarantine(&["show", &number]).expect(0).stdout;
            serde_json::from_str(&shown).unwrap()
        })
        .collect();
    let of = |content: &str| {
        let is_it =
            |letter: &&serde_json::Value| letter["content"].as_str().unwrap().contains(content);
        let letter = shown.iter().find(is_it).unwrap();
        (letter["letter"].as_u64().unwrap().to_string(), letter.clone())
    };
    let (panicked, letter) = of("Panic now.");
    assert_eq!(letter["reason"]["stage"], "mischief");
    assert_eq!(letter["reason"]["attempts"], 1);
    let (large, letter) = of("Panic aaaa");
    assert_eq!(letter["bytes"], 0, "its content is in the object store");
    let (rubbish, letter) = of("rubb");
    assert!(letter["reason"]["reason"].as_str().unwrap().contains("no document"), "{letter}");
    for name in ["999", "../worker.yaml", "-1"] {
        let told = quarantine(&["show", "--", name]).expect(2).stderr;
        assert!(told.contains("there is no such dead letter"), "{told}");
    }

    // Whoever gave it up reads it again, at once and from the beginning, though the server and the
    // worker know its id; and once more, for it fails again.
    for attempt in 1..=2 {
        let id = &of("Panic now.").1["reason"]["id"];
        let json = quarantine(&["list", "--format", "json"]).expect(0).stdout;
        let json: Vec<serde_json::Value> = serde_json::from_str(&json).unwrap();
        let letter = json.iter().find(|letter| letter["reason"]["id"] == *id).unwrap();
        let name = letter["letter"].to_string();
        assert_eq!(name == panicked, attempt == 1);
        let told = quarantine(&["replay", &name]).expect(0).stdout;
        assert_eq!(told, format!("{name}: back in the stream\n"));
        let died = || {
            let status = field.status(number);
            status.is_some_and(|status| status["cluster"]["dead_lettered"] == 3 + attempt)
        };
        assert!(becomes_true(died), "{}", field.log());
    }
    // A pipeline that can read them takes them, also what somebody else published under an id.
    field.signal(number, rustix::process::Signal::TERM);
    assert_eq!(field.wait(number), Some(3), "{}", field.log());
    let told = quarantine(&["purge", &rubbish]).expect(0).stdout;
    assert_eq!(told, format!("{rubbish}: deleted\n"));
    assert_eq!(quarantine(&["purge", "--older-than", "1h"]).expect(0).stdout, "");
    field.write_pipeline("worker.yaml", &json!({}), &json!({ "stages": ["tokenise"] }));
    let told = quarantine(&["replay", "--all"]).expect(0).stdout;
    assert_eq!(told.matches(": back in the stream").count(), 2, "{told}");
    assert!(told.contains(&large), "{told}");
    assert_eq!(quarantine(&["list"]).expect(0).stdout, "there are no dead letters\n");
    let number = field.start_with(&["--once"]);
    assert_eq!(field.wait(number), Some(0), "{}", field.log());
    assert_eq!(field.server.messages("RESULTS"), Some(2), "{}", field.log());
    quarantine(&["purge"]).expect(2);
    field.server.kill();
    let told = quarantine(&["list"]).expect(1).stderr;
    assert!(told.contains("the dead letters cannot be looked at: cannot connect to"), "{told}");
}

#[test]
fn an_id_that_is_no_header_ends_nobody() {
    if !is_installed() {
        return;
    }
    let mut field = Field::new(&json!({}));
    let good: Vec<String> = (0..5).map(|number| format!("Document {number}.")).collect();
    let mut wire = field.server.wire().unwrap();
    field.publish_texts(good.iter());
    let record = br#"{"id": "a\nb", "source": {"name": "news"}, "text": "Bad."}"#;
    wire.request_with("docs.0", &[("Standpoint-Record", "1")], record).unwrap();
    field.start();
    field.drained(Duration::from_mins(1));
    let letters = field.server.read("DOCS_DEAD");
    assert_eq!(letters.len(), 1, "{}", field.log());
    let reason = header(&letters[0].0, "Standpoint-Reason").unwrap();
    assert!(reason.contains("its id holds control characters"), "{reason}");
    assert_eq!(field.account().copies.len(), good.len());
    assert!(!field.log().contains("panicked at"), "{}", field.log());
}

#[test]
fn a_letter_that_is_too_large_for_a_message_is_put_all_the_same() {
    if !is_installed() {
        return;
    }
    let mut field = Field::new(&json!({}));
    let pipeline = field.at("worker.yaml");
    field.publish_texts(["Good.".to_owned()].iter());
    // As much as the server takes, so that no reason has room beside it.
    let rubbish = "x".repeat((1 << 20) - 20);
    let mut wire = field.server.wire().unwrap();
    wire.request_with("docs.0", &[], rubbish.as_bytes()).unwrap();
    field.start();
    field.drained(Duration::from_mins(1));
    let letters = field.server.read("DOCS_DEAD");
    assert_eq!(letters.len(), 1, "{}", field.log());
    assert!(header(&letters[0].0, "Standpoint-Reason").unwrap().contains("no document"));
    let json = crate::harness::run(&["quarantine", "show", "-c", pipeline.to_str().unwrap(), "1"]);
    let shown: serde_json::Value = serde_json::from_str(&json.expect(0).stdout).unwrap();
    assert_eq!(shown["content"].as_str().map(str::len), Some(rubbish.len()));
    assert_eq!(field.account().copies.len(), 1);
}

#[test]
fn letters_wait_for_their_stream_and_readiness_tells() {
    if !is_installed() {
        return;
    }
    let mut field = Field::new(&json!({ "max_attempts": 1, "ack_wait": "1s", "max_in_flight": 4 }));
    let stream = |max: i64| json!({ "name": "DOCS_DEAD", "subjects": ["docs-dead.>"], "max_msgs": max, "discard": "new" });
    let mut wire = field.server.wire().unwrap();
    assert!(wire.ask("STREAM.CREATE.DOCS_DEAD", &stream(1)).unwrap()["error"].is_null());
    let good: Vec<String> = (0..20).map(|number| format!("Document {number}.")).collect();
    let bad = ["Panic 1.".to_owned(), "Panic 2.".to_owned()];
    field.publish_texts(bad.iter().chain(&good));
    let number = field.start();
    let status = |field: &Field| field.status(number).unwrap_or_default();
    let is_stuck = || {
        let status = status(&field);
        status["ready"] == false && status["cluster"]["acknowledged"] == 20
    };
    assert!(becomes_true(is_stuck), "{:?} {}", field.status(number), field.log());
    let problem = status(&field)["cluster"]["problem"].to_string();
    assert!(problem.contains("cannot be put into stream DOCS_DEAD"), "{problem}");
    // What is stuck takes no more room, however long it is.
    assert!(becomes_true(|| status(&field)["cluster"]["held"] == 1), "{:?}", status(&field));
    wire.ask("STREAM.UPDATE.DOCS_DEAD", &stream(-1)).unwrap();
    field.drained(Duration::from_mins(2));
    assert_eq!(field.server.messages("DOCS_DEAD"), Some(2), "{}", field.log());
    assert!(becomes_true(|| status(&field)["ready"] == true), "{:?}", status(&field));
    // One that somebody deleted is made anew.
    wire.ask("STREAM.DELETE.DOCS_DEAD", &serde_json::Value::Null).unwrap();
    field.publish_texts(["Panic 3.".to_owned()].iter());
    field.drained(Duration::from_mins(2));
    assert_eq!(field.server.messages("DOCS_DEAD"), Some(1), "{}", field.log());
}

#[test]
fn a_document_that_is_published_again_after_its_burial_is_tried_again() {
    if !is_installed() {
        return;
    }
    let mut field = Field::new(&json!({ "max_attempts": 1 }));
    let mut wire = field.server.wire().unwrap();
    field.publish_texts(["Good.".to_owned()].iter());
    field.start();
    for letters in 1..=2 {
        wire.request("docs.0", br#"{"text": "Panic now.", "id": 7}"#).unwrap();
        field.drained(Duration::from_mins(1));
        assert_eq!(field.server.messages("DOCS_DEAD"), Some(letters), "{}", field.log());
    }
}

#[test]
fn a_large_document_that_is_done_is_no_dead_letter_when_it_comes_again() {
    if !is_installed() {
        return;
    }
    let mut field = Field::new(&json!({}));
    field.publish_texts([format!("Large {}.", "a".repeat(2 << 20))].iter());
    let (headers, _) = field.server.read("DOCS").remove(0);
    let object = header(&headers, "Standpoint-Object").unwrap().to_owned();
    let number = field.start();
    field.drained(Duration::from_mins(1));
    let is_gone = || field.server.messages("OBJ_DOCS_large").is_some_and(|left| left <= 1);
    assert!(becomes_true(is_gone));
    // As when the server forgot that it was acknowledged, and another worker gets it.
    field.kill(number);
    field.restart(number);
    let mut wire = field.server.wire().unwrap();
    let headers = [("Standpoint-Record", "1"), ("Standpoint-Object", object.as_str())];
    wire.request_with("docs.0", &headers, b"").unwrap();
    field.drained(Duration::from_mins(1));
    assert_eq!(field.server.messages("DOCS_DEAD"), Some(0), "{}", field.log());
    assert_eq!(field.server.messages("RESULTS"), Some(1));
}

#[test]
fn a_document_that_ends_its_workers_is_set_aside_and_the_others_go_on() {
    if !is_installed() {
        return;
    }
    for ordering in ["none", "per_source"] {
        let mut field = Field::new(&json!({
            "max_attempts": 2, "ordering": ordering, "ack_wait": "1s", "lease": "1s",
        }));
        let good: Vec<String> = (0..30).map(|number| format!("Document {number}.")).collect();
        let (before, after) = good.split_at(15);
        field.publish_texts(before.iter().chain([&"Abort now.".to_owned()]).chain(after));
        field.start();
        let deaths = field.workers.restart_until(0, || field.server.is_empty("DOCS"));
        let letters = field.server.read("DOCS_DEAD");
        let texts: Vec<_> = letters.iter().map(|(_, letter)| &letter["text"]).collect();
        assert_eq!(texts, ["Abort now."], "{ordering}");
        assert!(header(&letters[0].0, "Standpoint-Reason").unwrap().contains("its worker ended"));
        assert!((2..=6).contains(&deaths), "{ordering}: {deaths} deaths");
        let account = field.account();
        assert_eq!(account.copies.len(), good.len(), "{ordering}: {account:?}");
    }
}

#[test]
fn a_document_above_the_limit_of_a_message_comes_through() {
    if !is_installed() {
        return;
    }
    let mut field = Field::new(&json!({}));
    // The server's limit is 1 MiB.
    let texts: Vec<String> =
        ["a", "b"].iter().map(|word| format!("Large {}.", word.repeat(2 << 20))).collect();
    field.publish_texts(texts.iter());
    field.start();
    field.drained(Duration::from_mins(1));
    // Their results are as large, so that what stands in the stream points to the object.
    let results = field.server.read("RESULTS");
    assert_eq!(results.len(), 2);
    for (headers, _) in &results {
        assert!(header(headers, "Standpoint-Object").is_some(), "{headers}");
    }
    let chunks = || field.server.messages("OBJ_DOCS_large") == Some(0);
    // What is left of a deleted object is the word that it was.
    let is_small = || field.server.messages("OBJ_DOCS_large").is_some_and(|left| left <= 2);
    assert!(chunks() || becomes_true(is_small));
    assert!(field.server.messages("OBJ_RESULTS_large").unwrap() > 2);
}

#[test]
fn an_inbox_feeds_the_workers_by_way_of_a_sink() {
    if !is_installed() {
        return;
    }
    let mut field = Field::new(&json!({}));
    let number = field.start();
    let is_made = || field.server.messages("KV_DOCS_cluster").is_some_and(|count| count > 0);
    assert!(becomes_true(is_made), "{}", field.log());
    let feeder = field.at("feeder.yaml");
    let pipeline = json!({
        "version": 1,
        "data_dir": "./feeder",
        "sources": { "news": { "type": "inbox", "path": "./inbox", "on_success": "delete" } },
        "stages": [{ "use": crate::harness::example("mischief"), "id": "mischief" }],
        "sinks": { "stream": {
            "type": "nats", "url": field.server.url(), "stream": "DOCS", "publish": "documents",
        } },
    });
    std::fs::write(&feeder, pipeline.to_string()).unwrap();
    std::fs::create_dir_all(field.at("inbox")).unwrap();
    std::fs::write(field.at("inbox/a.txt"), "Title\n\nFrom the inbox.").unwrap();
    let arguments = ["daemon", "--once", "-c", feeder.to_str().unwrap()];
    crate::harness::run(&arguments).expect(0);
    let came = || field.server.messages("RESULTS") == Some(1);
    assert!(becomes_true(came), "{}", field.log());
    let (headers, result) = field.server.read("RESULTS").remove(0);
    assert_eq!(result["source"]["name"], "news");
    assert_eq!(result["title"], "Title");
    assert_eq!(header(&headers, "Nats-Msg-Id"), result["id"].as_str());
    assert_eq!(field.status(number).unwrap()["cluster"]["acknowledged"], 1);
}
