//! Workers that keep their documents on a Postgres server: whoever dies, and whichever server,
//! every document has one row.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::json;

use crate::cluster::Cluster;
use crate::field::{Field, WRITTEN, check_order, feeds};
use crate::harness::{becomes_true, expect_reach};
use crate::server::{Server, is_installed};

#[test]
fn every_document_has_one_row_whoever_dies() {
    if !is_installed() {
        return;
    }
    let Some(store) = Cluster::start() else { return };
    expect_reach(&store.url(), || store.log());
    let sinks = json!({ "sinks": {
        "results": null,
        "store": { "type": "postgres", "url": store.url(), "timeout": "2s" },
    } });
    let mut field = Field::on(Server::start, &json!({ "max_in_flight": 16 }), &sinks);
    let count = 400;
    let texts: Vec<String> = (0..count).map(|number| format!("Wait 5 document {number}")).collect();
    field.publish_texts(texts.iter());
    for _ in 0..2 {
        field.start();
    }
    let rows = || -> usize {
        let has_table = "SELECT count(*) FROM pg_tables WHERE schemaname = 'standpoint' AND tablename = 'document'";
        if store.ask(has_table) == "0" {
            return 0;
        }
        store.ask("SELECT count(*) FROM standpoint.document").parse().unwrap()
    };
    let come = |least: usize| {
        assert!(becomes_true(|| rows() >= least), "{least}: {}\n{}", rows(), store.log());
    };
    come(20);
    field.kill(0);
    field.restart(0);
    come(80);
    field.server.kill();
    field.server.up();
    come(140);
    store.crash();
    store.up();
    come(200);
    // One that is stopped, perhaps with the turn to write, does not stop the other.
    field.signal(1, Signal::STOP);
    come(300);
    field.signal(1, Signal::CONT);
    field.drained(Duration::from_mins(3));
    let told = store.ask("SELECT count(*), count(DISTINCT id) FROM standpoint.document");
    assert_eq!(told, format!("{count}|{count}"), "{}", field.log());
    assert_eq!(field.server.messages("DOCS_DEAD"), Some(0), "{}", field.log());
    assert!(!field.log().contains("panicked at"), "{}", field.log());
}

/// `EACH` documents of each feed in order, over three workers that nobody ends.
#[test]
#[ignore = "long form: measures"]
fn how_many_documents_a_second_stand_in_order_in_the_store() {
    const FEEDS: usize = 8;
    const WORKERS: usize = 3;
    if !is_installed() {
        return;
    }
    let Some(store) = Cluster::start() else { return };
    let each: usize = std::env::var("EACH").map_or(2500, |each| each.parse().unwrap());
    let sinks = json!({ "sinks": {
        "results": null,
        "store": { "type": "postgres", "url": store.url() },
    } });
    let cluster = json!({ "ordering": "per_source", "partition_by": "folder", "partitions": 6 });
    let mut field = Field::on(Server::start, &cluster, &sinks);
    let text = |feed: usize, number: usize| format!("Wait 3 feed {feed} number {number}");
    field.publish(&feeds(FEEDS, each, text)).expect(0);
    let started = Instant::now();
    for _ in 0..WORKERS {
        field.start();
    }
    field.drained(Duration::from_hours(1));
    let seconds = started.elapsed().as_secs_f64();
    let count = FEEDS * each;
    assert_eq!(store.ask("SELECT count(*) FROM standpoint.document"), count.to_string());
    let written = store.ask(WRITTEN);
    check_order(written.lines().filter_map(|line| line.split_once('|')), FEEDS);
    println!("{count} documents in order: {:.0} a second", count as f64 / seconds);
}
