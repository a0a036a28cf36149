//! Where an order is asked for, results of a feed stand in it, whoever dies meanwhile.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::field::Field;
use crate::harness;
use crate::workers::Dice;

#[test]
fn results_of_a_feed_keep_their_order_when_workers_die() {
    const FEEDS: usize = 6;
    const EACH: usize = 100;
    const WORKERS: usize = 2;
    let mut field = Field::new(
        &json!({ "ordering": "per_source", "partition_by": "folder" }),
        &json!({ "partition_by": "folder" }),
    );
    let text = |feed: usize, number: usize| format!("Wait 2 feed {feed} number {number:03}");
    let files: Vec<(String, String)> = (0..FEEDS)
        .map(|feed| {
            let lines = (0..EACH).map(|number| json!({ "text": text(feed, number) }).to_string());
            (format!("feed-{feed}/all.jsonl"), lines.collect::<Vec<_>>().join("\n"))
        })
        .collect();
    field.publish(&files).expect(0);
    for _ in 0..WORKERS {
        field.start();
    }
    let mut dice = Dice(41);
    for mishap in 0..4 {
        field.comes_to(((mishap + 1) * FEEDS * EACH / 6) as i64);
        let number = dice.choose(WORKERS);
        if mishap % 2 == 1 {
            field.signal(number, Signal::TERM);
            assert_eq!(field.wait(number), Some(0), "{}", field.log());
        } else {
            field.kill(number);
        }
        field.restart(number);
    }
    field.drained();
    let texts: Vec<String> =
        (0..FEEDS).flat_map(|feed| (0..EACH).map(move |number| text(feed, number))).collect();
    let doubled = field.check(&texts);
    // Each at its first place: what a worker wrote before it died is written again by the next.
    let mut seen = BTreeSet::new();
    let mut of_feed: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for result in field.brokers.read("results") {
        if seen.insert(result.headers["Standpoint-Id"].clone()) {
            let text = result.value["text"].as_str().unwrap().to_owned();
            of_feed.entry(result.key).or_default().push(text);
        }
    }
    assert_eq!(of_feed.len(), FEEDS);
    for (feed, texts) in of_feed {
        assert!(texts.is_sorted(), "{feed}: {texts:?}");
    }
    println!("{FEEDS} feeds of {EACH}, {WORKERS} workers: in order, {doubled} results again");
}

const EACH: usize = 24;

fn numbered() -> Vec<String> {
    (0..EACH).map(|number| format!("Number {number:03}")).collect()
}

fn as_lines(texts: &[String]) -> String {
    let lines: Vec<_> = texts.iter().map(|text| json!({ "text": text }).to_string()).collect();
    lines.join("\n")
}

/// Each message goes by itself, so that one of a group can be refused and the others be taken.
fn alone() -> Value {
    json!({ "batch.num.messages": "1" })
}

/// What a topic holds, each at its first place.
fn first_places(field: &Field, topic: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for message in field.brokers.read(topic) {
        let text = message.value["text"].as_str().unwrap().to_owned();
        if !found.contains(&text) {
            found.push(text);
        }
    }
    found
}

#[test]
fn what_is_refused_is_not_overtaken_by_what_follows_it() {
    let mut field = Field::new(
        &json!({ "ordering": "per_source", "partition_by": "folder", "options": alone() }),
        &json!({ "partition_by": "folder", "options": alone() }),
    );
    let texts = numbered();
    field.brokers.refuse_messages(1);
    field.publish(&[("feed/all.jsonl".to_owned(), as_lines(&texts))]).expect(0);
    field.brokers.refuse_messages(1);
    field.start();
    field.drained();
    field.check(&texts);
    for topic in ["docs", "results"] {
        assert_eq!(first_places(&field, topic), texts, "{topic}");
    }
}

#[test]
fn what_is_refused_is_not_overtaken_by_what_follows_it_in_an_inbox_either() {
    let field = Field::new(&json!({}), &json!({}));
    let texts = numbered();
    let feeder = field.at("feeder.yaml");
    let pipeline = json!({
        "version": 1,
        "data_dir": "./feeder",
        "sources": { "news": {
            "type": "inbox", "path": "./inbox", "on_success": "delete", "ordering": "per_source",
        } },
        "stages": [{ "use": harness::example("mischief"), "id": "mischief" }],
        "sinks": { "topic": {
            "type": "kafka", "brokers": field.brokers.addresses(), "topic": "docs",
            "publish": "documents", "options": alone(),
        } },
        "defaults": { "retry": { "backoff": "10ms..100ms" } },
    });
    fs::write(&feeder, pipeline.to_string()).unwrap();
    fs::create_dir_all(field.at("inbox")).unwrap();
    fs::write(field.at("inbox/all.jsonl"), as_lines(&texts)).unwrap();
    field.brokers.refuse_messages(1);
    harness::run(&["daemon", "--once", "-c", feeder.to_str().unwrap()]).expect(0);
    assert_eq!(first_places(&field, "docs"), texts);
}
