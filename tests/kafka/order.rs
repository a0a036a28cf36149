//! Where an order is asked for, results of a feed stand in it, whoever dies meanwhile.

use std::collections::{BTreeMap, BTreeSet};

use rustix::process::Signal;
use serde_json::json;

use crate::field::Field;
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
