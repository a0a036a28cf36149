//! What the page of the pipeline says: how fast it is, what waits, and where failures are.

use serde_json::{Value, json};
use standpoint_web::health;
use standpoint_web::site::Daemon;

/// A daemon that says this of itself.
struct Says(Value, usize);

impl Daemon for Says {
    fn status(&self) -> Value {
        self.0.clone()
    }

    fn quarantine(&self) -> Result<Vec<Value>, String> {
        Ok((0..self.1).map(|index| json!({ "file": format!("{index}.txt"), "bytes": 1 })).collect())
    }

    fn replay(&self, _: &str) -> Result<(), String> {
        Err("nothing is there".to_owned())
    }

    fn sources(&self) -> Option<Vec<String>> {
        None
    }

    fn knows(&self, _: &str) -> bool {
        false
    }
}

fn told(status: Value, files: usize) -> String {
    health::section(&Says(status, files), true).into_string()
}

#[test]
fn a_rate_is_what_is_done_now() {
    let documents = |done: u64, lately: Value| json!({ "uptime_seconds": 100_000, "documents": { "done": done, "lately": lately } });
    for (lately, expected) in [
        (json!({ "done": 90, "ms": 60_000 }), "<b>1.50 documents a second</b>: 90 done"),
        (json!({ "done": 0, "ms": 60_000 }), "<b>0.00 documents a second</b>: 0 done"),
    ] {
        let page = told(documents(1_000_000, lately), 0);
        assert!(page.contains(expected), "{page}");
    }
    for unknown in [json!({ "done": 3, "ms": 20 }), Value::Null] {
        assert!(!told(documents(3, unknown), 0).contains("a second"), "nobody can say yet");
    }
}

#[test]
fn what_waits_is_told_with_the_age_of_the_oldest() {
    for (files, seconds, expected) in [
        (0, 0, "No file waits in <b><bdi>news</bdi></b>."),
        (1, 1, "<b>1 file</b> waits in <b><bdi>news</bdi></b>, the oldest for 1 second."),
        (2, 119, "<b>2 files</b> wait in <b><bdi>news</bdi></b>, the oldest for 119 seconds."),
        (2, 7199, "the oldest for 119 minutes."),
        (2, 90_000, "the oldest for 25 hours."),
        (2, 999_999, "the oldest for 11 days."),
    ] {
        let inbox =
            json!({ "waiting": { "news": files }, "oldest_waiting_seconds": { "news": seconds } });
        let page = told(json!({ "inbox": inbox }), 0);
        assert!(page.contains(expected), "{expected} in {page}");
    }
}

#[test]
fn how_long_is_left_is_told_where_something_waits_and_goes_on() {
    let status = |waiting: Value, lately: Value| json!({ "documents": { "in_flight": 4, "lately": lately }, "inbox": { "waiting": waiting } });
    let steady = || json!({ "done": 60, "ms": 60_000 });
    for (waiting, lately, expected) in [
        (json!({ "news": 90, "mail": 25 }), steady(), "at least <b>2 minutes</b> are left"),
        (json!({ "news": 1 }), steady(), "at least <b>6 seconds</b> are left"),
        (json!({ "news": i64::MAX / 2 }), steady(), " days</b> are left"),
    ] {
        let page = told(status(waiting, lately), 0);
        assert!(page.contains(expected), "{expected} in {page}");
    }
    for (waiting, lately) in [
        (json!({ "news": 0 }), steady()),
        (json!({ "news": 90 }), json!({ "done": 0, "ms": 60_000 })),
        (json!({ "news": 90 }), Value::Null),
    ] {
        assert!(!told(status(waiting, lately), 0).contains("left"), "nobody can say");
    }
}

#[test]
fn a_worker_of_a_cluster_says_where_its_dead_letters_are() {
    let cluster = json!({ "cluster": { "stream": "<news>", "dead_lettered": 3 } });
    let page = told(cluster, 0);
    for expected in ["<bdi>&lt;news&gt;</bdi>", "(3 by this one", "standpoint quarantine list -c"] {
        assert!(page.contains(expected), "{expected} in {page}");
    }
    assert!(!told(json!({}), 0).contains("dead letters"), "one that works alone has none");
}

#[test]
fn what_a_long_quarantine_holds_besides_is_a_click_away() {
    assert!(told(json!({}), 53).contains("<a href=\"/api/v1/quarantine\">And 3 more</a>"));
    assert!(!told(json!({}), 50).contains("more</a>"));
}
