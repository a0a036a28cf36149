//! Workers killed and stopped at random, and the brokers away for a while: nothing is lost, and
//! what stands among the results twice has one id.

use std::time::Instant;

use rustix::process::Signal;
use serde_json::json;

use crate::brokers::PARTITIONS;
use crate::field::Field;
use crate::harness;
use crate::workers::Dice;

const WORKERS: usize = 3;

#[test]
fn nothing_is_lost_in_a_short_storm() {
    storm(200, 2, 31);
}

#[test]
#[ignore = "long form"]
fn nothing_is_lost_in_a_long_storm() {
    storm(2000, 4, 31);
}

/// Lets so many mishaps befall workers and brokers while they work on documents.
fn storm(documents: usize, mishaps: usize, seed: u64) {
    let mut field = Field::new(&json!({ "partition_by": "id" }), &json!({}));
    let texts: Vec<String> =
        (0..documents).map(|number| format!("Wait 3 then document {number} is here.")).collect();
    field.publish_texts(texts.iter());
    assert_eq!(field.brokers.count("docs"), documents as i64);
    let start = Instant::now();
    for _ in 0..WORKERS {
        field.start();
    }
    let mut dice = Dice(seed);
    let (mut killed, mut stopped, mut away) = (0, 0, 0);
    let mut asleep = None;
    for mishap in 0..mishaps {
        // As often as so much of the work is done.
        field.comes_to(((mishap + 1) * documents / (mishaps + 2)) as i64);
        if let Some(number) = asleep.take() {
            field.signal(number, Signal::CONT);
        }
        let number = dice.choose(WORKERS);
        match mishap % 3 {
            0 => {
                field.kill(number);
                field.restart(number);
                killed += 1;
            }
            1 => {
                field.signal(number, Signal::STOP);
                asleep = Some(number);
                stopped += 1;
            }
            _ => {
                field.brokers.be_away(true);
                // Every worker says so, and is not ready.
                let is_told = |number| {
                    let status = field.status(number);
                    status.is_some_and(|status| status["cluster"]["connected"] == false)
                };
                let are_told = || (0..WORKERS).all(is_told);
                assert!(harness::becomes_true(are_told), "{}", field.log());
                field.brokers.be_away(false);
                away += 1;
            }
        }
    }
    if let Some(number) = asleep.take() {
        field.signal(number, Signal::CONT);
    }
    field.drained();
    let elapsed = start.elapsed();
    for number in 0..WORKERS {
        field.signal(number, Signal::TERM);
        assert_eq!(field.wait(number), Some(0), "{}", field.log());
    }
    let doubled = field.check(&texts);
    assert_eq!(field.brokers.count("docs.dead"), 0, "{}", field.log());
    println!(
        "{documents} documents, {WORKERS} workers, {killed} killed, {stopped} stopped, brokers away \
         {away} times: lost 0, {doubled} results again under the same id, in {elapsed:.1?}"
    );
}

#[test]
fn a_worker_that_is_told_to_go_leaves_nothing_behind() {
    let mut field = Field::new(&json!({ "partition_by": "id" }), &json!({}));
    let texts: Vec<String> =
        (0..200).map(|number| format!("Wait 5 then document {number} is here.")).collect();
    field.publish_texts(texts.iter());
    field.start();
    field.comes_to(20);
    // Another comes, and gets a part of the partitions.
    let other = field.start();
    field.has_partitions(other, 1);
    field.signal(0, Signal::TERM);
    assert_eq!(field.wait(0), Some(0), "{}", field.log());
    field.drained();
    // The one that is left waits at the end of every partition, so that no reader is counted there.
    let is_at_rest = || field.brokers.left().1.iter().all(String::is_empty);
    assert!(harness::becomes_true(is_at_rest), "{:?}", field.brokers.left());
    field.check(&texts);
    let status = field.status(other).unwrap();
    assert_eq!(status["cluster"]["stream"], "docs");
    assert_eq!(status["cluster"]["connected"], true);
}

#[test]
fn partitions_that_were_lost_and_come_back_are_read_on() {
    let mut field = Field::new(&json!({ "partition_by": "id" }), &json!({}));
    // So many wait that the worker has fetching paused when the group takes its partitions away.
    let texts: Vec<String> =
        (0..3000).map(|number| format!("Wait 10 then document {number} is here.")).collect();
    field.publish_texts(texts.iter());
    field.start();
    field.comes_to(10);
    let other = field.start();
    field.has_partitions(other, 1);
    field.signal(0, Signal::STOP);
    field.has_partitions(other, PARTITIONS as usize);
    field.signal(0, Signal::CONT);
    field.signal(other, Signal::TERM);
    assert_eq!(field.wait(other), Some(0), "{}", field.log());
    field.drained();
    // Whoever loses partitions leaves to others what it had of them.
    field.check(&texts);
}

#[test]
fn one_that_is_to_empty_the_topic_ends_when_it_is() {
    let mut field = Field::new(&json!({}), &json!({}));
    let texts: Vec<String> = (0..50).map(|number| format!("Document {number}.")).collect();
    field.publish_texts(texts.iter());
    let number = field.start_with(&["--once"]);
    assert_eq!(field.wait(number), Some(0), "{}", field.log());
    assert_eq!(field.brokers.left().0, 0);
    assert_eq!(field.check(&texts), 0);
}
