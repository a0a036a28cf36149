//! Workers that keep their documents on a Postgres server: whoever dies, and whichever server, every
//! document has one row.

use std::time::Duration;

use rustix::process::Signal;
use serde_json::json;

use crate::cluster::Cluster;
use crate::field::Field;
use crate::harness::{becomes_true, gets_to};
use crate::server::{Server, is_installed};

#[test]
fn every_document_has_one_row_whoever_dies() {
    if !is_installed() {
        return;
    }
    let Some(store) = Cluster::start() else { return };
    if !gets_to(&store.url(), || store.log()) {
        return;
    }
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
