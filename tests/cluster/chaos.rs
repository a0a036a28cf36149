//! Workers killed and stopped at random moments, and the server killed and started again: nothing
//! is lost, and every document stands once among the results.

use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::json;

use crate::field::Field;
use crate::server::is_installed;
use crate::workers::Dice;

/// How many documents of a storm are too large for a message.
const LARGE: usize = 3;

/// What happened, for the figures.
#[derive(Debug, Default)]
struct Events {
    killed: u32,
    stopped: u32,
    server_killed: u32,
}

/// Runs `count` documents over `workers` workers with a mishap now and then, and checks the
/// account.
///
/// - `mishaps`: how many there are, one about every `every`.
fn storm(count: usize, workers: usize, mishaps: u32, every: Duration, seed: u64) {
    let mut field = Field::new(&json!({ "max_in_flight": 64 }));
    let texts: Vec<String> =
        (0..count).map(|number| format!("Wait 3 then document {number} is here.")).collect();
    // Among them some that are too large for a message.
    let large: Vec<String> =
        (0..LARGE).map(|number| format!("Wait 3 {number} {}", "large ".repeat(250_000))).collect();
    let (before, behind) = texts.split_at(count / 2);
    field.publish_texts(before.iter().chain(&large).chain(behind));
    let start = Instant::now();
    for _ in 0..workers {
        field.start();
    }
    let mut dice = Dice(seed);
    let mut events = Events::default();
    let mut stopped: Vec<usize> = Vec::new();
    for mishap in 0..mishaps {
        sleep(every.mul_f64(0.5 + dice.roll(100) as f64 / 100.0));
        if field.server.is_empty("DOCS") {
            break;
        }
        for number in stopped.drain(..) {
            field.signal(number, Signal::CONT);
        }
        let number = dice.choose(workers);
        // In turns, so that each kind comes to pass however few there are.
        match mishap % 3 {
            0 => {
                field.kill(number);
                field.restart(number);
                events.killed += 1;
            }
            1 => {
                field.signal(number, Signal::STOP);
                stopped.push(number);
                events.stopped += 1;
            }
            _ => {
                field.server.kill();
                sleep(Duration::from_millis(dice.roll(500)));
                field.server.up();
                events.server_killed += 1;
            }
        }
    }
    for number in stopped.drain(..) {
        field.signal(number, Signal::CONT);
    }
    field.drained(Duration::from_mins(10));
    let elapsed = start.elapsed();
    for number in 0..workers {
        field.signal(number, Signal::TERM);
        assert_eq!(field.wait(number), Some(0), "{}", field.log());
    }
    field.check_with(&texts, LARGE);
    println!(
        "{count} documents, {workers} workers, {events:?}: lost 0, doubled 0, in {elapsed:.1?}"
    );
    assert!(events.killed > 0 && events.stopped > 0 && events.server_killed > 0, "{events:?}");
}

#[test]
fn nothing_is_lost_or_doubled_when_workers_and_the_server_die() {
    if is_installed() {
        storm(3000, 3, 6, Duration::from_millis(400), 11);
    }
}

#[test]
#[ignore = "long form"]
fn twenty_thousand_documents_in_a_storm() {
    if is_installed() {
        for (workers, seed) in [(2, 21), (4, 22)] {
            storm(20_000, workers, 60, Duration::from_secs(1), seed);
        }
    }
}
