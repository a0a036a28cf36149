//! Documents that end the process.

use serde_json::{Value, json};

use crate::harness::example;
use crate::station::{End, Station};

/// `SIGABRT`.
const ABORTED: End = End::Signal(6);

fn station() -> Station {
    station_that(&json!({}))
}

/// With these settings of its source.
fn station_that(source: &Value) -> Station {
    let mischief = example("mischief");
    Station::with(&json!({
        "sources": { "news": source },
        "stages": ["tokenise", { "use": mischief, "id": "mischief" }],
    }))
}

/// Starts the daemon until it comes through; how often it died.
fn deaths(station: &Station) -> u32 {
    for deaths in 0..20 {
        match station.drain(None) {
            ABORTED => {}
            End::Code(3) => return deaths,
            other => panic!("{other:?}\n{}", station.log()),
        }
    }
    panic!("it dies for ever\n{}", station.log());
}

#[test]
fn a_document_that_ends_the_process_is_quarantined_after_three_times_and_no_other() {
    let mut station = station();
    for number in 0..30 {
        station.feed(&format!("{number}.txt"), &format!("Report {number}. Astana agreed."));
    }
    station.feed_file("poison.txt", "Abort now.");
    assert_eq!(deaths(&station), 3);
    station.check("poison");
    let quarantined = station.quarantined();
    let reason = "news: the process ended 3 times while this was in work; max_attempts is 3";
    assert_eq!(
        quarantined.into_iter().collect::<Vec<_>>(),
        [("poison.txt".to_owned(), reason.to_owned())]
    );
}

#[test]
fn a_record_that_ends_the_process_is_quarantined_alone() {
    let mut station = station();
    let mut texts: Vec<String> = (0..200).map(|number| format!("Record {number}.")).collect();
    texts[120] = "Abort now.".to_owned();
    station.feed_lines("a.jsonl", &texts);
    station.give_up("a.jsonl", "Abort now.");
    assert_eq!(deaths(&station), 3);
    station.check("poison");
    let quarantined: Vec<_> = station.quarantined().into_iter().collect();
    let reason = "news: the process ended 3 times while this was in work; max_attempts is 3";
    assert_eq!(quarantined, [("a.record-121.jsonl".to_owned(), reason.to_owned())]);
}

#[test]
fn a_record_far_behind_others_that_ends_the_process_is_found() {
    // Where nothing is remembered, or the ledger was far behind, one more time shows how far they
    // went out together.
    for (dedupe, bad, expected) in [("id", 5000, 3..=4), ("off", 1500, 4..=4)] {
        let mut station = station_that(&json!({ "dedupe": dedupe }));
        let mut texts: Vec<String> = (0..bad + 100).map(|number| format!("{number}.")).collect();
        texts[bad] = "Abort now.".to_owned();
        station.feed_lines("a.jsonl", &texts);
        station.give_up("a.jsonl", "Abort now.");
        station.feed("b.txt", "Beside it.");
        let deaths = deaths(&station);
        assert!(expected.contains(&deaths), "{dedupe}: {deaths}");
        station.check(dedupe);
        let quarantined: Vec<_> = station.quarantined().into_keys().collect();
        assert_eq!(quarantined, [format!("a.record-{}.jsonl", bad + 1)]);
    }
}
