//! How documents come into the topic: from an inbox, and by `standpoint publish`.

use std::fs;

use serde_json::json;

use crate::field::Field;
use crate::harness;

#[test]
fn an_inbox_feeds_the_workers_by_way_of_a_sink() {
    let mut field = Field::new(&json!({}), &json!({}));
    field.start();
    let feeder = field.at("feeder.yaml");
    let pipeline = json!({
        "version": 1,
        "data_dir": "./feeder",
        "sources": { "news": { "type": "inbox", "path": "./inbox", "on_success": "delete" } },
        "stages": [{ "use": harness::example("mischief"), "id": "mischief" }],
        "sinks": { "topic": {
            "type": "kafka", "brokers": field.brokers.addresses(), "topic": "docs",
            "publish": "documents",
        } },
    });
    fs::write(&feeder, pipeline.to_string()).unwrap();
    fs::create_dir_all(field.at("inbox")).unwrap();
    fs::write(field.at("inbox/a.txt"), "Title\n\nFrom the inbox.").unwrap();
    harness::run(&["daemon", "--once", "-c", feeder.to_str().unwrap()]).expect(0);
    let documents = field.brokers.read("docs");
    assert_eq!(documents[0].key, "news", "documents are keyed by their source");
    assert_eq!(documents[0].headers["Standpoint-Record"], "1");
    field.comes_to(1);
    let result = field.brokers.read("results").remove(0);
    assert_eq!(result.value["source"]["name"], "news");
    assert_eq!(result.value["title"], "Title");
    assert_eq!(result.key, result.value["id"].as_str().unwrap(), "results are keyed by their id");
    assert_eq!(result.headers["Standpoint-Id"], result.key);
}

#[test]
fn one_that_is_too_large_for_a_message_is_refused_by_itself() {
    let field = Field::new(&json!({}), &json!({}));
    let large = "x".repeat(2 << 20);
    let files = [
        ("a.txt".to_owned(), "A small one.".to_owned()),
        ("b.txt".to_owned(), format!("Large {large}.")),
        ("c.txt".to_owned(), "Another small one.".to_owned()),
    ];
    let ran = field.publish(&files).expect(3);
    assert!(ran.stderr.contains("`message.max.bytes` is 1000000"), "{}", ran.stderr);
    assert_eq!(field.brokers.count("docs"), 2);
}

#[test]
fn whoever_publishes_to_nobody_is_told_so() {
    let field = Field::new(&json!({}), &json!({}));
    field.brokers.be_away(true);
    let ran = field.publish(&[("a.txt".to_owned(), "Text.".to_owned())]);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert!(ran.stderr.contains("the topic cannot be used"), "{}", ran.stderr);
    field.brokers.be_away(false);
    field.publish(&[("a.txt".to_owned(), "Text.".to_owned())]).expect(0);
    assert_eq!(field.brokers.count("docs"), 1);
}

#[test]
fn mistakes_in_settings_are_found_before_anything_starts() {
    let cases = [
        (json!({ "brokers": "kafka://a" }), "brokers", "expected such as"),
        (json!({ "topic": "a b" }), "topic", "letters"),
        (json!({ "options": { "acks": "0" } }), "acks", "the promise to lose no document"),
        (json!({ "options": { "no.such": "0" } }), "no.such", "CONFIGURATION.md"),
        (json!({ "toppic": "a" }), "toppic", "did you mean `topic`"),
        (
            json!({ "options": { "sasl.password": "hush", "ssl.key.pem": "hush" } }),
            "ssl.",
            "no TLS",
        ),
    ];
    for (cluster, named, expected) in cases {
        let field = Field::new(&cluster, &json!({}));
        let pipeline = field.at("worker.yaml");
        let ran = harness::run(&["validate", pipeline.to_str().unwrap()]).expect(2);
        let told = format!("{}{}", ran.stdout, ran.stderr);
        assert!(told.contains(named) && told.contains(expected), "{cluster}: {told}");
        assert!(!told.contains("hush"), "{told}");
    }
}
