//! How throughput grows with workers, with the work of one core each simulated by a stage that
//! waits, and what the server spends on a document.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::field::Field;
use crate::server::is_installed;

/// What a document waits in its stage.
const WAIT: Duration = Duration::from_millis(50);

/// Documents for each worker.
const EACH: usize = 400;

/// Documents that the server is measured over.
const COUNT: usize = 10_000;

/// The time that a process has spent on processors.
fn processor_time(pid: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    Duration::from_millis(ticks * 10)
}

#[test]
#[ignore = "long form: measures"]
fn throughput_grows_with_the_workers() {
    if !is_installed() {
        return;
    }
    let mut alone = None;
    for workers in [1, 2, 4, 8] {
        // Sixteen are held, so that the last documents are shared out, too.
        let mut field = Field::new(&json!({ "max_in_flight": 16 }));
        for _ in 0..workers {
            field.start();
        }
        let are_there =
            || (0..workers).all(|number| field.status(number).is_some_and(|s| s["ready"] == true));
        assert!(crate::harness::becomes_true(are_there));
        let count = EACH * workers;
        let wait = WAIT.as_millis();
        let texts: Vec<String> =
            (0..count).map(|number| format!("Wait {wait} document {number}")).collect();
        field.publish_texts(texts.iter());
        let results = |field: &Field| field.server.messages("RESULTS").unwrap_or_default();
        // From when all work to when the first has nothing more to do.
        let (low, high) = ((count / 10) as u64, (count * 9 / 10) as u64);
        while results(&field) < low {
            std::thread::sleep(Duration::from_millis(50));
        }
        let (start, first) = (Instant::now(), results(&field));
        while results(&field) < high {
            std::thread::sleep(Duration::from_millis(50));
        }
        let (elapsed, last) = (start.elapsed(), results(&field));
        let rate = (last - first) as f64 / elapsed.as_secs_f64();
        field.drained(Duration::from_mins(5));
        field.check(&texts);
        let alone = *alone.get_or_insert(rate);
        println!(
            "{workers} workers: {rate:.1} documents a second, {:.2} of linear",
            rate / (alone * workers as f64),
        );
    }
}

#[test]
#[ignore = "long form: measures"]
fn what_the_server_spends_on_a_document() {
    if !is_installed() {
        return;
    }
    let mut field = Field::new(&json!({}));
    // Some 6 KB each.
    let words = "It says nothing of anybody. ".repeat(210);
    let texts: Vec<String> = (0..COUNT).map(|number| format!("Wait 0 {number} {words}")).collect();
    let start = processor_time(field.server.pid());
    field.publish_texts(texts.iter());
    let published = processor_time(field.server.pid());
    let numbers = [field.start(), field.start()];
    // Seldom, because each look is work for the server, too.
    while field.server.messages("RESULTS") != Some(COUNT as u64) {
        std::thread::sleep(Duration::from_secs(1));
    }
    field.drained(Duration::from_mins(1));
    let done = processor_time(field.server.pid());
    let each = |spent: Duration| spent.as_secs_f64() * 1e6 / COUNT as f64;
    println!(
        "the server's processor time a document of 6 KB: {:.0} µs to take it in, {:.0} µs to hand it \
         to a worker and keep its result",
        each(published.saturating_sub(start)),
        each(done.saturating_sub(published)),
    );
    for number in numbers {
        field.signal(number, rustix::process::Signal::TERM);
        assert_eq!(field.wait(number), Some(0), "{}", field.log());
    }
    field.check(&texts);
}
