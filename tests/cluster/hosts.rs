//! Workers on hosts of their own, and both servers on another: hosts are parted and come back,
//! while workers and the server die. Nothing is lost, every document has one row and stands once
//! among the results, in order where one is asked for, and whoever was cut off writes no more than
//! it had.

use std::ops::Range;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::json;

use crate::cluster::Cluster;
use crate::field::{Field, WRITTEN, check_order, feeds};
use crate::harness::becomes_true;
use crate::network::{Cut, Network, SERVERS};
use crate::server::{Server, is_installed};
use crate::workers::Dice;

const FEEDS: usize = 8;
const PARTITIONS: usize = 6;

/// How many documents of a partition are under way at a time (`lane::PARTITION_WINDOW`).
const WINDOW: usize = 8;

/// What a field's workers have.
const ACK_WAIT: Duration = Duration::from_secs(2);

/// Workers, each on its host, and the servers.
struct Hosts<'n> {
    field: Field,
    store: Cluster,
    network: &'n Network,
    workers: usize,
    /// What a document takes, in milliseconds.
    wait: u32,
    texts: Vec<String>,
}

/// Runs a test on the servers' host.
fn on_hosts(workers: usize, test: impl FnOnce(&Network) + Send) {
    if !is_installed() {
        return;
    }
    let Some(network) = Network::start(workers) else { return };
    network.on_servers(|| test(&network));
}

impl<'n> Hosts<'n> {
    fn start(network: &'n Network, workers: usize, ordering: &str, wait: u32) -> Option<Self> {
        let store = Cluster::start_at(SERVERS)?;
        let cluster = json!({
            "ordering": ordering, "partition_by": "folder", "partitions": PARTITIONS,
            "max_in_flight": 32,
        });
        let sink = json!({ "type": "postgres", "url": store.url(), "timeout": "2s" });
        let sinks = json!({ "sinks": { "store": sink } });
        let start = |folder: &Path, _: &str| Server::start_at(SERVERS, folder);
        let field = Field::on(start, &cluster, &sinks);
        let mut hosts = Self { field, store, network, workers, wait, texts: Vec::new() };
        for worker in 0..workers {
            network.on_worker(worker, || hosts.field.start());
        }
        hosts.texts.push("First.".to_owned());
        hosts.field.publish_texts(hosts.texts.iter());
        hosts.field.drained(Duration::from_mins(1));
        hosts.note_writers();
        Some(hosts)
    }

    /// Publishes the documents of these numbers of every feed.
    fn publish(&mut self, numbers: Range<usize>) {
        let wait = self.wait;
        let text = |feed, number| format!("Wait {wait} feed {feed} number {number}");
        let files = feeds(FEEDS, numbers.len(), |feed, at| text(feed, numbers.start + at));
        self.field.publish(&files).expect(0);
        let texts = (0..FEEDS).flat_map(|feed| numbers.clone().map(move |at| text(feed, at)));
        self.texts.extend(texts);
    }

    /// From here on the store notes which host writes a document.
    fn note_writers(&self) {
        self.store.ask(
            "CREATE TABLE public.written (number BIGSERIAL, host INET DEFAULT inet_client_addr(), id TEXT);
             CREATE INDEX ON public.written (id);
             CREATE FUNCTION public.note() RETURNS TRIGGER LANGUAGE plpgsql AS $$
                 BEGIN INSERT INTO public.written (id) VALUES (NEW.id); RETURN NULL; END $$;
             CREATE TRIGGER note AFTER INSERT OR UPDATE OF text ON standpoint.document
                 FOR EACH ROW EXECUTE FUNCTION public.note();",
        );
    }

    /// How many documents a worker wrote, and how many of those after another one had.
    fn written(&self, worker: usize) -> (usize, usize) {
        let address = Network::address(worker);
        let said = self.store.ask(&format!(
            "SELECT count(DISTINCT id), count(DISTINCT id) FILTER (WHERE EXISTS (
                 SELECT FROM public.written other WHERE other.id = one.id AND other.host <> one.host
                     AND other.number < one.number))
             FROM public.written one WHERE host = '{address}'"
        ));
        let (all, late) = said.split_once('|').unwrap();
        (all.parse().unwrap(), late.parse().unwrap())
    }

    /// The partitions that a worker says it has.
    fn partitions(&self, worker: usize) -> Option<usize> {
        Some(self.field.status(worker)?["cluster"]["partitions"].as_array()?.len())
    }

    #[track_caller]
    fn until(&self, what: &str, condition: impl Fn(&Self) -> bool) {
        let told = |worker| self.field.status(worker).unwrap_or_default()["cluster"].clone();
        let told = || (0..self.workers).map(told).collect::<Vec<_>>();
        assert!(
            becomes_true(|| condition(self)),
            "never {what}: {:?}\n{}",
            told(),
            self.field.log()
        );
    }

    fn restart(&mut self, worker: usize) {
        self.network.on_worker(worker, || self.field.restart(worker));
    }

    /// Lets everything come to its end and checks what is in the stream of results and in the
    /// store.
    fn finish(mut self, is_ordered: bool) {
        self.field.drained(Duration::from_mins(15));
        for worker in 0..self.workers {
            self.field.signal(worker, Signal::TERM);
            assert_eq!(self.field.wait(worker), Some(0), "{}", self.field.log());
        }
        self.field.check(&self.texts);
        let count = self.texts.len();
        let rows = self.store.ask("SELECT count(*), count(DISTINCT id) FROM standpoint.document");
        assert_eq!(rows, format!("{count}|{count}"), "{}", self.field.log());
        if is_ordered {
            let account = self.field.account();
            check_order(account.in_order.iter().map(|(path, text)| (&**path, &**text)), FEEDS);
            let stored = self.store.ask(WRITTEN);
            check_order(stored.lines().filter_map(|line| line.split_once('|')), FEEDS);
        }
    }
}

#[test]
fn a_host_that_is_cut_off_writes_no_more_than_it_had_and_order_holds() {
    const WORKERS: usize = 3;
    on_hosts(WORKERS, |network| {
        let Some(mut hosts) = Hosts::start(network, WORKERS, "per_source", 60) else { return };
        let is_shared = |hosts: &Hosts<'_>| {
            (0..WORKERS).all(|worker| hosts.partitions(worker) == Some(PARTITIONS / WORKERS))
        };
        hosts.until("shared out", is_shared);
        hosts.publish(0..100);
        hosts.until("at work", |hosts| hosts.written(0).0 > 5);
        let start = Instant::now();
        network.cut(Some(0), Cut::Dead);
        hosts.until("taken over", |hosts| {
            hosts.partitions(1).zip(hosts.partitions(2)).map(|(one, two)| one + two)
                == Some(PARTITIONS)
        });
        let taken = start.elapsed();
        hosts.until("given up by whoever was cut off", |hosts| hosts.partitions(0) == Some(0));
        let given_up = start.elapsed();
        // Nobody says that the connection has ended: it is asked, and does not answer.
        hosts.until("aware of it", |hosts| {
            let status = hosts.field.status(0).unwrap_or_default();
            status["cluster"]["connected"] == false && status["ready"] == false
        });
        let aware = start.elapsed();
        assert!(aware < Duration::from_secs(25), "{aware:?}");
        assert!(taken > ACK_WAIT / 2 && given_up > ACK_WAIT, "{taken:?} {given_up:?}");
        let (before, late) = hosts.written(0);
        assert_eq!(late, 0, "it was cut off");
        let left = hosts.field.server.messages("DOCS").unwrap();
        // With nothing left to do the cut would show nothing, and who comes back would do nothing.
        assert!(left > 50, "{left} documents are left after {aware:?}");
        hosts.publish(100..150);
        network.mend(Some(0), Cut::Dead);
        hosts.until("back at work", |hosts| {
            hosts.written(0).0 > before + WINDOW * PARTITIONS / WORKERS
        });
        let (_, late) = hosts.written(0);
        assert!(late <= WINDOW * PARTITIONS / WORKERS, "{late} written after others had");
        println!(
            "{left} documents left, partitions taken over after {taken:.1?} and given up after {given_up:.1?}, the connection \
             after {aware:.1?}; {late} documents written late"
        );
        // The others' turn.
        hosts.field.kill(1);
        hosts.restart(1);
        network.cut(Some(2), Cut::Pulled);
        hosts.field.server.kill();
        hosts.field.server.up();
        hosts.until("taken over", |hosts| {
            hosts.partitions(0).zip(hosts.partitions(1)).map(|(one, two)| one + two)
                == Some(PARTITIONS)
        });
        network.mend(Some(2), Cut::Pulled);
        hosts.finish(true);
    });
}

/// 20,000 documents over `workers` hosts, with a mishap now and then.
fn storm(workers: usize, ordering: &str, seed: u64) {
    const MISHAPS: usize = 60;
    on_hosts(workers, |network| {
        let started = Instant::now();
        let Some(mut hosts) = Hosts::start(network, workers, ordering, 3) else { return };
        hosts.publish(0..2500);
        let mut dice = Dice(seed);
        let mut counts = [0; 5];
        let mut stopped: Vec<usize> = Vec::new();
        let mut parted: Vec<(Option<usize>, Cut)> = Vec::new();
        for mishap in 0..MISHAPS {
            sleep(Duration::from_millis(1000 + dice.roll(3000)));
            if hosts.field.server.is_empty("DOCS") {
                break;
            }
            // Now and then for so long that others take over, or that the connection is given up.
            if dice.roll(3) > 0 {
                stopped.drain(..).for_each(|worker| hosts.field.signal(worker, Signal::CONT));
                parted.drain(..).for_each(|(host, cut)| network.mend(host, cut));
            }
            let worker = dice.choose(workers);
            let host = if mishap % 5 == 4 { None } else { Some(worker) };
            let kind = mishap % 5;
            if kind >= 3 && parted.iter().any(|(other, _)| *other == host) {
                continue;
            }
            counts[kind] += 1;
            match kind {
                0 => {
                    stopped.retain(|stopped| *stopped != worker);
                    hosts.field.kill(worker);
                    hosts.restart(worker);
                }
                1 => {
                    hosts.field.signal(worker, Signal::STOP);
                    stopped.push(worker);
                }
                2 => {
                    hosts.field.server.kill();
                    hosts.field.server.up();
                }
                _ => {
                    let cut = [Cut::Pulled, Cut::Dead][dice.choose(2)];
                    network.cut(host, cut);
                    parted.push((host, cut));
                }
            }
        }
        stopped.drain(..).for_each(|worker| hosts.field.signal(worker, Signal::CONT));
        parted.drain(..).for_each(|(host, cut)| network.mend(host, cut));
        let count = hosts.texts.len();
        hosts.finish(ordering == "per_source");
        println!(
            "{count} documents, {workers} hosts, ordering {ordering}, \
             killed/stopped/server/parted/servers parted {counts:?}: lost 0, doubled 0, \
             one row each, in {:.1?}",
            started.elapsed()
        );
    });
}

#[test]
#[ignore = "long form"]
fn twenty_thousand_documents_over_hosts_that_are_parted() {
    storm(4, "none", 41);
    storm(3, "per_source", 42);
}
