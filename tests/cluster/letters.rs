//! Documents that fail, that end their workers, that are no documents, and that are too large for a
//! message.

use std::time::Duration;

use serde_json::json;

use crate::field::Field;
use crate::server::is_installed;

/// The value of a header of a message.
fn header<'h>(headers: &'h str, name: &str) -> Option<&'h str> {
    headers.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

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
        let mut deaths = 0;
        let is_drained = || {
            if field.server.is_empty("DOCS") {
                return true;
            }
            if field.has_ended(0) {
                deaths += 1;
                field.restart(0);
            }
            false
        };
        assert!(crate::harness::becomes_true(is_drained), "{ordering}: {}", field.log());
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
    assert!(chunks() || crate::harness::becomes_true(is_small));
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
    assert!(crate::harness::becomes_true(is_made), "{}", field.log());
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
    assert!(crate::harness::becomes_true(came), "{}", field.log());
    let (headers, result) = field.server.read("RESULTS").remove(0);
    assert_eq!(result["source"]["name"], "news");
    assert_eq!(result["title"], "Title");
    assert_eq!(header(&headers, "Nats-Msg-Id"), result["id"].as_str());
    assert_eq!(field.status(number).unwrap()["cluster"]["acknowledged"], 1);
}
