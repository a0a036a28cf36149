//! Streams and consumers that stop: what waits in them is done all the same, and soon.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::field::Field;
use crate::harness::becomes_true;
use crate::server::is_installed;

/// Waits until these are all that came out.
#[track_caller]
fn comes_out(field: &Field, texts: &[String]) {
    let count = texts.len() as u64;
    let are_out = || field.server.messages("RESULTS") == Some(count);
    assert!(becomes_true(are_out), "{:?} {}", field.status(0), field.log());
    field.drained(Duration::from_mins(1));
    field.check(texts);
}

#[test]
fn a_server_that_lost_its_store_gets_its_streams_again() {
    if !is_installed() {
        return;
    }
    for ordering in ["none", "per_source"] {
        let mut field = Field::new(&json!({ "ordering": ordering }));
        let texts: Vec<String> = (0..10).map(|number| format!("Document {number}.")).collect();
        field.publish_texts(texts.iter());
        field.start();
        comes_out(&field, &texts);
        field.server.wipe();
        field.server.up();
        // Somebody publishes who makes no streams.
        let record = |text: &str| json!({ "text": text, "id": text }).to_string();
        let is_taken = |text: &String| {
            let answer = field.server.wire()?.request("docs.0", record(text).as_bytes())?;
            serde_json::from_slice::<Value>(&answer).ok()?["seq"].as_u64()
        };
        for text in &texts {
            let taken = becomes_true(|| is_taken(text).is_some());
            assert!(taken, "{ordering}: {:?} {}", field.status(0), field.log());
        }
        comes_out(&field, &texts);
        field.signal(0, Signal::TERM);
        assert_eq!(field.wait(0), Some(0), "{ordering}: {}", field.log());
    }
}

#[test]
fn what_was_done_before_a_server_lost_its_store_is_done_again_when_it_is_asked_for() {
    if !is_installed() {
        return;
    }
    let mut field = Field::new(&json!({}));
    // One is too large for a message.
    let large = format!("Large {}", "large ".repeat(250_000));
    let texts: Vec<String> = (0..10).map(|number| format!("Document {number}.")).collect();
    let publish = |field: &Field| field.publish_texts([&large].into_iter().chain(&texts));
    publish(&field);
    field.start();
    let are_out = |field: &Field| field.server.messages("RESULTS") == Some(11);
    assert!(becomes_true(|| are_out(&field)), "{}", field.log());
    field.server.wipe();
    field.server.up();
    publish(&field);
    assert!(becomes_true(|| are_out(&field)), "{:?} {}", field.status(0), field.log());
    field.drained(Duration::from_mins(1));
    field.check_with(&texts, 1);
}

#[test]
fn a_stream_that_is_deleted_is_made_anew() {
    if !is_installed() {
        return;
    }
    for ordering in ["none", "per_source"] {
        let mut field = Field::new(&json!({ "ordering": ordering }));
        let texts: Vec<String> = (0..10).map(|number| format!("Document {number}.")).collect();
        let (first, second) = texts.split_at(5);
        field.publish_texts(first.iter());
        field.start();
        comes_out(&field, first);
        let mut wire = field.server.wire().unwrap();
        for stream in ["DOCS", "KV_DOCS_cluster", "DOCS_DEAD", "OBJ_DOCS_large"] {
            let gone = wire.ask(&format!("STREAM.DELETE.{stream}"), &Value::Null).unwrap();
            assert_eq!(gone["success"], true, "{gone}");
        }
        let is_there = || {
            let streams = ["DOCS", "KV_DOCS_cluster", "DOCS_DEAD", "OBJ_DOCS_large"];
            streams.iter().all(|stream| field.server.messages(stream).is_some())
        };
        assert!(becomes_true(is_there), "{ordering}: {:?} {}", field.status(0), field.log());
        field.publish_texts(second.iter());
        comes_out(&field, &texts);
    }
}

#[test]
fn what_belongs_to_a_stream_is_made_anew_where_it_alone_is_deleted() {
    if !is_installed() {
        return;
    }
    // Each is noticed after some twenty seconds.
    let cases: [(&str, &[&str]); 2] =
        [("none", &["DOCS_DEAD", "OBJ_DOCS_large"]), ("per_source", &["KV_DOCS_cluster"])];
    for (ordering, streams) in cases {
        let mut field = Field::new(&json!({ "ordering": ordering }));
        let texts: Vec<String> = (0..15).map(|number| format!("Document {number}.")).collect();
        field.publish_texts(texts[..5].iter());
        field.start();
        comes_out(&field, &texts[..5]);
        for (number, stream) in streams.iter().enumerate() {
            let mut wire = field.server.wire().unwrap();
            let gone = wire.ask(&format!("STREAM.DELETE.{stream}"), &Value::Null).unwrap();
            assert_eq!(gone["success"], true, "{gone}");
            let is_there = || field.server.messages(stream).is_some();
            assert!(
                becomes_true(is_there),
                "{ordering}, {stream}: {:?} {}",
                field.status(0),
                field.log()
            );
            let done = 5 * (number + 2);
            field.publish_texts(texts[done - 5..done].iter());
            comes_out(&field, &texts[..done]);
        }
        // A worker that comes shares the partitions with the other one.
        if ordering == "per_source" {
            let number = field.start();
            let has_some = || {
                let status = field.status(number).unwrap_or_default();
                status["cluster"]["partitions"].as_array().is_some_and(|all| all.len() == 2)
            };
            assert!(becomes_true(has_some), "{:?} {}", field.status(number), field.log());
        }
    }
}

#[test]
fn a_consumer_whose_room_is_held_by_the_dead_or_the_stopped_goes_on() {
    if !is_installed() {
        return;
    }
    let mut field = Field::new(&json!({ "max_in_flight": 4 }));
    let start = field.start();
    let info = |field: &Field| field.server.wire()?.ask("CONSUMER.INFO.DOCS.workers", &Value::Null);
    let is_open = || info(&field).is_some_and(|info| info.get("config").is_some());
    assert!(becomes_true(is_open), "{}", field.log());
    // As many as one worker holds.
    let mut config = info(&field).unwrap()["config"].clone();
    config["max_ack_pending"] = json!(4);
    let request = json!({ "stream_name": "DOCS", "config": config });
    let mut wire = field.server.wire().unwrap();
    // The server may answer with what was before.
    let is_changed = || {
        let changed = wire.ask("CONSUMER.DURABLE.CREATE.DOCS.workers", &request).unwrap();
        changed["config"]["max_ack_pending"] == 4
    };
    assert!(becomes_true(is_changed), "{:?}", info(&field));
    let held: Vec<String> = (0..4).map(|number| format!("Wait 3000 number {number}")).collect();
    let waiting: Vec<String> = (0..4).map(|number| format!("Document {number}.")).collect();
    field.publish_texts(held.iter());
    let is_full = || info(&field).is_some_and(|info| info["num_ack_pending"] == 4);
    assert!(becomes_true(is_full), "{:?}", info(&field));
    field.publish_texts(waiting.iter());
    field.signal(start, Signal::STOP);
    let next = field.start();
    let begun = Instant::now();
    let is_held = || field.status(next).is_some_and(|status| status["cluster"]["held"] == 4);
    assert!(becomes_true(is_held), "{:?} {}", info(&field), field.log());
    // What the server waits for an acknowledgement, and a request.
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
    field.kill(next);
    field.kill(start);
    field.restart(next);
    field.drained(Duration::from_mins(1));
    let texts: Vec<String> = held.into_iter().chain(waiting).collect();
    field.check(&texts);
}

#[test]
fn a_message_that_the_server_overlooks_is_done() {
    if !is_installed() {
        return;
    }
    for ordering in ["none", "per_source"] {
        let mut field = Field::new(&json!({ "ordering": ordering }));
        // Two subjects.
        let texts: Vec<String> = (0..6).map(|number| format!("Document {number}.")).collect();
        for (number, text) in texts.iter().enumerate() {
            let files = [(format!("{}/{number}.txt", number % 2), text.clone())];
            field.publish(&files).expect(0);
        }
        // What is left is neither the first nor the last that its subject had.
        let mut wire = field.server.wire().unwrap();
        for sequence in [1, 3, 5, 6, 2] {
            let delete = json!({ "seq": sequence });
            let deleted = wire.ask("STREAM.MSG.DELETE.DOCS", &delete).unwrap();
            assert_eq!(deleted["success"], true, "{deleted}");
        }
        let number = field.start_with(&["--once"]);
        assert_eq!(field.wait(number), Some(0), "{ordering}: {}", field.log());
        field.check(&texts[3..4]);
    }
}

#[test]
fn a_consumer_of_a_lease_that_only_seems_to_be_later_is_in_nobodys_way() {
    if !is_installed() {
        return;
    }
    let mut field = Field::new(&json!({ "ordering": "per_source", "partitions": 1 }));
    let texts: Vec<String> = (0..5).map(|number| format!("Document {number}.")).collect();
    field.publish_texts(texts.iter());
    // As of a worker whose bucket was made by a server with a clock that was ahead.
    let name = format!("workers-0-{}", u64::MAX);
    let config = json!({
        "durable_name": name, "filter_subject": "docs.0", "ack_policy": "explicit",
        "deliver_policy": "all",
    });
    let request = json!({ "stream_name": "DOCS", "config": config });
    let mut wire = field.server.wire().unwrap();
    let made = wire.ask(&format!("CONSUMER.DURABLE.CREATE.DOCS.{name}"), &request).unwrap();
    assert_eq!(made["name"], name, "{made}");
    field.start();
    comes_out(&field, &texts);
}

#[test]
fn a_consumer_waits_as_long_as_the_workers_say_now() {
    if !is_installed() {
        return;
    }
    let mut field = Field::new(&json!({}));
    let waits = |field: &Field| {
        let info = field.server.wire()?.ask("CONSUMER.INFO.DOCS.workers", &Value::Null)?;
        info["config"]["ack_wait"].as_u64().map(Duration::from_nanos)
    };
    for seconds in [2, 5] {
        let cluster = json!({ "ack_wait": format!("{seconds}s") });
        field.write_pipeline("worker.yaml", &cluster, &json!({}));
        let number = field.start();
        let is_so = || waits(&field) == Some(Duration::from_secs(seconds));
        assert!(becomes_true(is_so), "{seconds}: {:?} {}", waits(&field), field.log());
        field.signal(number, Signal::TERM);
        assert_eq!(field.wait(number), Some(0), "{}", field.log());
    }
}
