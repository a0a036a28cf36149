//! Where an order is asked for, results of a source stand in it, whoever dies meanwhile.

use std::collections::BTreeMap;
use std::thread::sleep;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::json;

use crate::cable::{Cable, Proxy};
use crate::field::{Field, header};
use crate::harness::becomes_true;
use crate::server::{Server, is_installed, unbase64};
use crate::wire::Wire;
use crate::workers::Dice;

/// `feeds` feeds of `each` documents over `workers` workers, which are killed, stopped and told to
/// go in turns.
fn storm(feeds: usize, each: usize, workers: usize, mishaps: u32, seed: u64) {
    let mut field = Field::new(&json!({
        "ordering": "per_source", "partition_by": "folder", "partitions": 8,
    }));
    let text = |feed: usize, number: usize| format!("Wait 1 feed {feed} number {number}");
    let files: Vec<(String, String)> = (0..feeds)
        .map(|feed| {
            let lines = (0..each).map(|number| json!({ "text": text(feed, number) }).to_string());
            (format!("feed-{feed}/all.jsonl"), lines.collect::<Vec<_>>().join("\n"))
        })
        .collect();
    field.publish(&files).expect(0);
    for _ in 0..workers {
        field.start();
    }
    let mut dice = Dice(seed);
    let mut counts = [0; 4];
    for mishap in 0..mishaps {
        sleep(Duration::from_millis(1500 + dice.roll(1000)));
        if field.server.is_empty("DOCS") {
            break;
        }
        let number = dice.choose(workers);
        counts[mishap as usize % 4] += 1;
        match mishap % 4 {
            0 => {
                field.kill(number);
                field.restart(number);
            }
            // Long enough that others take its partitions while it has documents under way.
            1 => {
                field.signal(number, Signal::STOP);
                sleep(Duration::from_secs(4));
                field.signal(number, Signal::CONT);
            }
            2 => {
                field.server.kill();
                field.server.up();
            }
            _ => {
                field.signal(number, Signal::TERM);
                assert_eq!(field.wait(number), Some(0), "{}", field.log());
                field.restart(number);
            }
        }
    }
    field.drained(Duration::from_mins(5));
    let texts: Vec<String> =
        (0..feeds).flat_map(|feed| (0..each).map(move |number| text(feed, number))).collect();
    field.check(&texts);
    let mut of_path: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (path, text) in field.account().in_order {
        let number = text.rsplit(' ').next().unwrap().parse().unwrap();
        of_path.entry(path).or_default().push(number);
    }
    for (path, numbers) in of_path {
        assert!(numbers.is_sorted(), "{path} is out of order: {numbers:?}\n{}", field.log());
    }
    println!(
        "{feeds} feeds of {each}, {workers} workers, killed/stopped/server/drained {counts:?}: \
         lost 0, doubled 0, all in order"
    );
}

#[test]
fn results_of_a_source_keep_its_order_when_workers_die() {
    if is_installed() {
        storm(8, 250, 3, 4, 31);
    }
}

#[test]
#[ignore = "long form"]
fn order_is_kept_in_a_long_storm() {
    if is_installed() {
        storm(16, 1250, 4, 40, 32);
    }
}

#[test]
fn order_is_kept_when_the_connection_breaks_inside_a_group_of_results() {
    const FEEDS: usize = 8;
    const EACH: usize = 6;
    if !is_installed() {
        return;
    }
    // All that is under way is one group.
    let mut field = Field::on(
        Server::start,
        &json!({ "ordering": "per_source", "partition_by": "folder", "partitions": 4 }),
        &json!({
            "commit": { "max_delay": "1m" },
            "limits": { "max_bytes_in_flight": "8GiB" },
        }),
    );
    let cable = Proxy::to(field.server.port);
    field.start_with(&["--set", &format!("sinks.results.url={}", cable.url())]);
    field.publish_texts([&"First.".to_owned()].into_iter());
    let is_open = || field.server.messages("RESULTS") == Some(1);
    assert!(becomes_true(is_open), "{}", field.log());
    cable.lay(Cable::Silent);
    // Together more than the library takes at a time and a connection holds that nobody reads, so
    // that it ends with some of them on their way and the others behind it. The first keeps the
    // stages busy until they are all there.
    let body = "word ".repeat(60_000);
    let files: Vec<(String, String)> = (0..FEEDS)
        .map(|feed| {
            let wait = |number| if (feed, number) == (0, 0) { 4000 } else { 0 };
            let text = |number| format!("Wait {} {body} {number}", wait(number));
            let lines = (0..EACH).map(|number| json!({ "text": text(number) }).to_string());
            (format!("feed-{feed}/all.jsonl"), lines.collect::<Vec<_>>().join("\n"))
        })
        .collect();
    field.publish(&files).expect(0);
    let has_tried_all = || {
        let sink = field.status(0).unwrap_or_default()["sinks"][0].clone();
        sink["waiting"].as_u64() > Some(20) && !sink["paused_by"].is_null()
    };
    assert!(becomes_true(has_tried_all), "{:?} {}", field.status(0), field.log());
    cable.lay(Cable::Cut);
    cable.lay(Cable::Whole);
    field.drained(Duration::from_mins(2));
    let mut of_path: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (path, text) in field.account().in_order {
        if let Ok(number) = text.rsplit(' ').next().unwrap().parse() {
            of_path.entry(path).or_default().push(number);
        }
    }
    assert_eq!(of_path.len(), FEEDS);
    for (path, numbers) in of_path {
        let in_order: Vec<usize> = (0..EACH).collect();
        assert_eq!(numbers, in_order, "{path}\n{}", field.log());
    }
}

#[test]
fn a_document_whose_content_cannot_be_had_keeps_its_place() {
    if !is_installed() {
        return;
    }
    let mut field = Field::new(&json!({ "ordering": "per_source" }));
    let large = format!("Large {}.", "a".repeat(2 << 20));
    field.publish_texts(["First.".to_owned(), large, "Last.".to_owned()].iter());
    // The server does not show the object yet.
    let mut wire = field.server.wire().unwrap();
    let word = json!({ "last_by_subj": "$O.DOCS_large.M.>" });
    let found = wire.ask("STREAM.MSG.GET.OBJ_DOCS_large", &word).unwrap();
    let message = &found["message"];
    let (subject, content) = (message["subject"].as_str().unwrap(), &message["data"]);
    let content = unbase64(content.as_str().unwrap());
    let delete = json!({ "seq": message["seq"] });
    let deleted = wire.ask("STREAM.MSG.DELETE.OBJ_DOCS_large", &delete).unwrap();
    assert_eq!(deleted["success"], true, "{deleted}");
    let number = field.start();
    let waits = || {
        let status = field.status(number).unwrap_or_default();
        status["cluster"]["reopened"].as_u64().is_some_and(|count| count > 2)
    };
    assert!(becomes_true(waits), "{:?} {}", field.status(number), field.log());
    assert!(field.server.messages("RESULTS").is_none_or(|count| count <= 1));
    wire.request(subject, &content).unwrap();
    field.drained(Duration::from_mins(1));
    let results = field.server.read("RESULTS");
    assert_eq!(results.len(), 3, "{}", field.log());
    assert_eq!(results[0].1["text"], "First.");
    assert!(header(&results[1].0, "Standpoint-Object").is_some());
    assert_eq!(results[2].1["text"], "Last.");
    assert_eq!(field.server.messages("DOCS_DEAD"), Some(0));
}

#[test]
fn partitions_are_shared_out_and_handed_over() {
    if !is_installed() {
        return;
    }
    let mut field = Field::new(&json!({ "ordering": "per_source", "partitions": 8 }));
    let partitions = |field: &Field, number| {
        let status = field.status(number)?;
        Some(status["cluster"]["partitions"].as_array()?.len())
    };
    let has = |field: &Field, number, count| {
        let holds = || partitions(field, number) == Some(count);
        assert!(becomes_true(holds), "worker {number}: {:?}", field.status(number));
    };
    field.start();
    has(&field, 0, 8);
    field.start();
    has(&field, 0, 4);
    has(&field, 1, 4);
    // One that is gone without a word loses them after the lease, one that says so at once.
    field.kill(0);
    has(&field, 1, 8);
    field.restart(0);
    has(&field, 0, 4);
    has(&field, 1, 4);
    field.signal(1, Signal::TERM);
    assert_eq!(field.wait(1), Some(0), "{}", field.log());
    has(&field, 0, 8);
}

#[test]
fn a_lease_that_cannot_be_looked_at_keeps_no_other_from_being_renewed() {
    const PARTITIONS: u64 = 8;
    if !is_installed() {
        return;
    }
    let mut field = Field::new(&json!({ "ordering": "per_source", "partitions": PARTITIONS }));
    let number = field.start();
    let has_all = || {
        let status = field.status(number).unwrap_or_default();
        status["cluster"]["partitions"].as_array().is_some_and(|all| all.len() as u64 == PARTITIONS)
    };
    assert!(becomes_true(has_all), "{:?} {}", field.status(number), field.log());
    let mut wire = field.server.wire().unwrap();
    // From now on the server takes what is written and shows nothing.
    let mut config =
        wire.ask("STREAM.INFO.KV_DOCS_cluster", &json!(null)).unwrap()["config"].clone();
    config["allow_direct"] = false.into();
    let updated = wire.ask("STREAM.UPDATE.KV_DOCS_cluster", &config).unwrap();
    assert_ne!(updated["config"]["allow_direct"], true, "{updated}");
    assert!(updated["error"].is_null(), "{updated}");
    let subject = |partition: u64| format!("$KV.DOCS_cluster.partition.{partition}");
    let entry = |wire: &mut Wire, partition: u64| {
        let last = json!({ "last_by_subj": subject(partition) });
        wire.ask("STREAM.MSG.GET.KV_DOCS_cluster", &last).unwrap()["message"].clone()
    };
    // Half of the leases are another's by their revision; only a look would show whose they are.
    for partition in 0..PARTITIONS / 2 {
        let content = entry(&mut wire, partition);
        let content = unbase64(content["data"].as_str().unwrap());
        wire.request(&subject(partition), &content).unwrap();
    }
    let others = PARTITIONS / 2..PARTITIONS;
    let before: Vec<_> =
        others.clone().map(|partition| entry(&mut wire, partition)["seq"].clone()).collect();
    let mut are_renewed = || {
        let now = others.clone().map(|partition| entry(&mut wire, partition)["seq"].clone());
        now.zip(&before).all(|(now, before)| now.as_u64() > before.as_u64())
    };
    assert!(becomes_true(&mut are_renewed), "{}", field.log());
}
