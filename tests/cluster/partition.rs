//! A cut between a worker and the server, while documents flow and the worker lives on: others do
//! its work, it comes back, and every document stands once among the results.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::cable::{Cable, Proxy};
use crate::field::{Account, Field, feeds};
use crate::harness::becomes_true;
use crate::server::is_installed;

const FEEDS: usize = 8;
const PARTITIONS: usize = 4;

/// What the workers of a field have.
const ACK_WAIT: Duration = Duration::from_secs(2);

/// A field with two workers, each at a cable of its own.
struct Divided {
    field: Field,
    cables: Vec<Proxy>,
    texts: Vec<String>,
}

fn text(feed: usize, number: usize) -> String {
    format!("Wait 10 feed {feed} number {number}")
}

impl Divided {
    /// - `each`: documents of each feed, which keep both workers busy longer than the cuts last.
    fn new(ordering: &str, each: usize) -> Self {
        let mut field = Field::new(&json!({
            "ordering": ordering, "partition_by": "folder", "partitions": PARTITIONS,
            "max_in_flight": 32,
        }));
        let files = feeds(FEEDS, each, text);
        field.publish(&files).expect(0);
        let texts = (0..FEEDS).flat_map(|feed| (0..each).map(move |number| text(feed, number)));
        let texts = texts.collect();
        let mut cables = Vec::new();
        for _ in 0..2 {
            let cable = Proxy::to(field.server.port);
            let settings = [
                format!("cluster.nats.url={}", cable.url()),
                format!("sinks.results.url={}", cable.url()),
            ];
            field.start_with(&["--set", &settings[0], "--set", &settings[1]]);
            cables.push(cable);
        }
        Self { field, cables, texts }
    }

    fn cluster(&self, worker: usize) -> Option<Value> {
        Some(self.field.status(worker)?["cluster"].clone())
    }

    #[track_caller]
    fn until(&self, what: &str, condition: impl Fn(&Self) -> bool) {
        let holds = becomes_true(|| condition(self));
        let told = [self.cluster(0), self.cluster(1)];
        assert!(holds, "never {what}: {told:?}\n{}", self.field.log());
    }

    fn partitions(&self, worker: usize) -> Option<usize> {
        Some(self.cluster(worker)?["partitions"].as_array()?.len())
    }

    /// Cuts the first worker's cable while it has documents under way, in this way, and mends it
    /// once `is_felt`.
    fn cut(&self, cable: Cable, is_felt: impl Fn(&Self) -> bool) {
        // Both of its connections are there, its source's and its sink's, when it gets something
        // done.
        let done = |this: &Self| Some(this.cluster(0)?["acknowledged"].as_u64());
        let before = done(self).flatten();
        self.until("busy", |this| {
            done(this).flatten() > before.max(Some(0))
                && this.cluster(0).is_some_and(|cluster| cluster["held"].as_u64() > Some(0))
        });
        let start = Instant::now();
        self.cables[0].lay(cable);
        self.until("felt", is_felt);
        let left = self.field.server.messages("DOCS").unwrap();
        // With nothing left to do the cut would show nothing.
        assert!(left > 100, "{left} documents are left after {:?}", start.elapsed());
        self.cables[0].lay(Cable::Whole);
        println!("{cable:?}: felt after {:?}, {left} documents left", start.elapsed());
    }

    /// Lets everything come to its end and checks the account.
    fn finish(mut self) -> Account {
        self.until("back", |this| {
            this.cluster(0).is_some_and(|cluster| cluster["connected"] == true)
        });
        self.field.drained(Duration::from_mins(5));
        for worker in 0..2 {
            self.field.signal(worker, Signal::TERM);
            assert_eq!(self.field.wait(worker), Some(0), "{}", self.field.log());
        }
        self.field.check(&self.texts);
        self.field.account()
    }
}

#[test]
fn nothing_is_lost_or_doubled_when_a_worker_is_cut_off() {
    if !is_installed() {
        return;
    }
    let divided = Divided::new("none", 700);
    // Long enough that what the worker had goes to the other one, which the account shows at the
    // end: it is done then, and not a second time when the worker comes back with it.
    for cable in [Cable::Cut, Cable::Silent, Cable::Mute] {
        let start = std::cell::OnceCell::new();
        divided.cut(cable, |_| start.get_or_init(Instant::now).elapsed() > 2 * ACK_WAIT);
    }
    // So long that the worker gives the silent connection up.
    divided.cut(Cable::Silent, |this| {
        this.cluster(0).is_some_and(|cluster| cluster["connected"] == false)
    });
    divided.finish();
}

#[test]
fn partitions_of_a_worker_that_is_cut_off_go_over_and_order_holds() {
    if !is_installed() {
        return;
    }
    let divided = Divided::new("per_source", 500);
    let shared = |this: &Divided| {
        [0, 1].iter().all(|&worker| this.partitions(worker) == Some(PARTITIONS / 2))
    };
    for cable in [Cable::Cut, Cable::Silent, Cable::Mute] {
        divided.until("shared out", shared);
        divided.cut(cable, |this| this.partitions(1) == Some(PARTITIONS));
    }
    divided.until("shared out again", shared);
    let log = divided.field.log();
    assert!(log.contains("took a partition whose worker is gone"), "{log}");
    let account = divided.finish();
    let mut of_path: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (path, text) in account.in_order {
        let number = text.rsplit(' ').next().unwrap().parse().unwrap();
        of_path.entry(path).or_default().push(number);
    }
    assert_eq!(of_path.len(), FEEDS);
    for (path, numbers) in of_path {
        assert!(numbers.is_sorted(), "{path} is out of order: {numbers:?}");
    }
}
