//! A store on a real Postgres server: what every store promises, and what only a server can do
//! wrong.

#![cfg(feature = "postgres")]
#![expect(clippy::unwrap_used, reason = "a test stops where something is not as it should be")]

mod cluster;
mod promises;

use std::cell::RefCell;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, mpsc};
use std::time::{Duration, Instant};

use standpoint_store::write::PutError;
use standpoint_store::{Place, Store, StoreError};

use self::cluster::{Cluster, schema};
use self::promises::{record, told, toward_russia, words};

static SCHEMAS: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// The server of a test, which has a thread of its own, and the schema that it uses.
    static CLUSTER: RefCell<Option<(Cluster, String)>> = const { RefCell::new(None) };
}

/// A store on a server of this test's own. Where there is no Postgres, one in `SQLite`, so that the
/// promises are tested nevertheless.
fn empty_store() -> Store {
    let Some(cluster) = Cluster::start() else { return Store::temporary().unwrap() };
    let name = schema(SCHEMAS.fetch_add(1, Ordering::Relaxed));
    let store = cluster.place(&name).open(false).unwrap();
    CLUSTER.with(|kept| *kept.borrow_mut() = Some((cluster, name)));
    store
}

fn number(store: &Store, sql: &str) -> i64 {
    if let Some(sqlite) = store.sqlite() {
        return sqlite.query_row(sql, [], |row| row.get(0)).unwrap();
    }
    CLUSTER.with(|kept| {
        let kept = kept.borrow();
        let (cluster, name) = kept.as_ref().unwrap();
        cluster.ask(&format!("SET search_path TO {name}; {sql}")).parse().unwrap()
    })
}

#[test]
fn nothing_is_lost_and_nothing_doubled_when_the_server_crashes_and_comes_back() {
    let Some(cluster) = Cluster::start() else { return };
    let place = cluster.place("news");
    let mut store = place.open(true).unwrap();
    let group = |n: u64| -> Vec<_> {
        let one = |m: u64| {
            let id = format!("d{}", n * 5 + m);
            record(&id, "wire", "2024-05-02", &words(n * 5 + m), &[("KAZ", -0.6)])
        };
        (0..5).map(one).collect()
    };
    for n in 0..12 {
        if n == 4 || n == 8 {
            cluster.crash();
            let error = store.put(&group(n)).unwrap_err();
            assert!(store.is_lost(), "{error}");
            let away = place.open(true).unwrap_err();
            assert!(matches!(&away, StoreError::Server(error) if error.is_away()), "{away}");
            cluster.up();
            store = place.open(true).unwrap();
        }
        // What was answered is sent again, as after a crash before the answer was noted.
        for _ in 0..2 {
            assert!(store.put(&group(n)).unwrap().iter().all(Result::is_ok));
        }
    }
    assert_eq!(store.size().unwrap(), 60);
    assert_eq!(told(&store, &toward_russia()), ["KAZ 60 -0.60"]);
    assert_eq!(cluster.ask("SELECT count(*), count(DISTINCT id) FROM news.documents"), "60|60");
    assert_eq!(cluster.ask("SELECT count(*) FROM news.evidence"), "60");
}

#[test]
fn machines_that_write_side_by_side_agree() {
    let Some(cluster) = Cluster::start() else { return };
    let place = cluster.place("news");
    std::thread::scope(|scope| {
        for writer in 0..3_u64 {
            let place = &place;
            scope.spawn(move || {
                let mut store = place.open(false).unwrap();
                for n in 0..20 {
                    let n = (n * 7 + writer * 5) % 20;
                    let record = record(
                        &format!("d{n}"),
                        "wire",
                        "2024-05-02",
                        &words(n / 2),
                        &[("KAZ", -0.6)],
                    );
                    assert_eq!(store.put(&[record]).unwrap(), [Ok(())]);
                }
            });
        }
    });
    let store = place.read().unwrap();
    // Each text came under two ids.
    assert_eq!(told(&store, &toward_russia()), ["KAZ 10 -0.60"]);
    assert_eq!(cluster.ask("SELECT count(*) FROM news.documents"), "20");
}

#[test]
fn a_document_costs_no_more_questions_the_more_are_like_it() {
    let Some(cluster) = Cluster::start() else { return };
    cluster.ask("ALTER DATABASE postgres SET log_statement = 'all'");
    let mut store = cluster.place("news").open(false).unwrap();
    let mut ask_for = |n: u64| {
        let asked = || cluster.log().matches("LOG:  execute ").count();
        let before = asked();
        let text = format!("Report of the wire of feed 1 with the number {n}");
        let record = record(&format!("d{n}"), "wire", "2024-05-02", &text, &[]);
        assert_eq!(store.put(&[record]).unwrap(), [Ok(())]);
        asked() - before
    };
    let counts: Vec<usize> = (0..30).map(&mut ask_for).collect();
    assert_eq!(counts[2], counts[29], "{counts:?}");
    // They are no copies of each other.
    assert_eq!(cluster.ask("SELECT count(DISTINCT story) FROM news.documents"), "30");
}

/// Something to write that keeps its writer waiting in the middle of its turn.
struct Stopped {
    begun: mpsc::SyncSender<()>,
    go_on: Mutex<mpsc::Receiver<()>>,
}

impl serde::Serialize for Stopped {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.begun.send(()).unwrap();
        self.go_on.lock().unwrap().recv().unwrap();
        serializer.serialize_unit()
    }
}

#[test]
fn a_writer_that_is_stopped_in_its_turn_does_not_stop_the_others() {
    let Some(cluster) = Cluster::start() else { return };
    let Place::Server(mut server) = cluster.place("news") else { unreachable!() };
    server.timeout = Duration::from_secs(1);
    let place = Place::Server(server);
    let of = |id: &str, n| record(id, "wire", "2024-05-02", &words(n), &[("KAZ", -0.6)]);
    let (mut stopped, mut other) = (place.open(true).unwrap(), place.open(true).unwrap());
    let (begun, has_begun) = mpsc::sync_channel(1);
    let (go_on, waits) = mpsc::sync_channel(1);
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let changes = Stopped { begun, go_on: Mutex::new(waits) };
            let failed = stopped.put_revised(&of("a", 1), &[], &changes).unwrap_err();
            assert!(stopped.is_lost(), "{failed}");
        });
        has_begun.recv().unwrap();
        let mut refusals = 0;
        loop {
            match other.put(&[of("b", 2)]) {
                Ok(answers) => break assert_eq!(answers, [Ok(())]),
                Err(PutError::Refused(error)) => assert!(error.is_busy(), "{error}"),
                Err(error) => unreachable!("{error}"),
            }
            // The same connection tries again.
            assert!(!other.is_lost());
            refusals += 1;
            assert!(refusals < 20);
        }
        go_on.send(()).unwrap();
        writer.join().unwrap();
    });
    assert_eq!(cluster.ask("SELECT string_agg(id, ' ') FROM news.document"), "b");
}

#[test]
fn what_the_server_refuses_is_one_documents_failure() {
    let Some(cluster) = Cluster::start() else { return };
    let mut store = cluster.place("news").open(true).unwrap();
    let of = |id: &str, n| record(id, "wire", "2024-05-02", &words(n), &[("KAZ", -0.6)]);
    // Longer than the server's index takes, and of letters that do not compress.
    let mut state = 1_u32;
    let letters = (0..12_000).map(|_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        char::from(b'!' + (state >> 24) as u8 % 90)
    });
    let long: String = letters.collect();
    let mut with_nul = of("nul", 4);
    with_nul.text.push_str("\0\0");
    let answers = store.put(&[of("a", 1), of(&long, 2), of("c", 3), with_nul]).unwrap();
    let refused: Vec<_> = answers.iter().map(Result::is_err).collect();
    assert_eq!(refused, [false, true, false, false], "{answers:?}");
    assert!(answers[1].as_ref().unwrap_err().contains("SQLSTATE 54000"), "{answers:?}");
    assert_eq!(
        cluster.ask("SELECT string_agg(id, ' ' ORDER BY id) FROM news.documents"),
        "a c nul"
    );
    // Offsets stay what they are, and the document says what became of it.
    let said =
        cluster.ask("SELECT right(text, 2) || ' ' || notes FROM news.documents WHERE id = 'nul'");
    assert!(said.starts_with("\u{fffd}\u{fffd} [\"2 characters U+0000"), "{said}");
}

#[test]
fn views_are_those_of_sqlite() {
    let Some(cluster) = Cluster::start() else { return };
    drop(cluster.place("news").open(true).unwrap());
    let sqlite = Store::temporary().unwrap();
    let views = [
        "documents",
        "actor_stance",
        "author_stance",
        "evidence",
        "entities",
        "provenance",
        "corrections",
    ];
    for view in views {
        let columns: Vec<String> = {
            let sqlite = sqlite.sqlite().unwrap();
            let statement = sqlite.prepare(&format!("SELECT * FROM {view}")).unwrap();
            statement.column_names().map(str::to_owned).collect()
        };
        let found = cluster.ask(&format!(
            "SELECT string_agg(column_name, ',' ORDER BY ordinal_position)
             FROM information_schema.columns
             WHERE table_schema = 'news' AND table_name = '{view}'"
        ));
        assert_eq!(found, columns.join(","), "{view}");
    }
}

#[test]
fn a_schema_that_is_no_store_or_a_newer_one_is_refused_and_left_alone() {
    let Some(cluster) = Cluster::start() else { return };
    let refused = |schema: &str, open: fn(&Place) -> Result<Store, StoreError>| {
        open(&cluster.place(schema)).unwrap_err().to_string()
    };
    let message = refused("none", Place::read);
    assert!(message.contains("has no store in schema `none`"), "{message}");
    cluster.ask("CREATE SCHEMA other; CREATE TABLE other.document (id TEXT)");
    let message = refused("other", |place| place.open(true));
    assert!(message.contains("is not Standpoint's"), "{message}");
    assert_eq!(cluster.ask("SELECT count(*) FROM pg_tables WHERE schemaname = 'other'"), "1");
    drop(cluster.place("news").open(true).unwrap());
    cluster.ask("UPDATE news.standpoint_store SET version = 99");
    for open in [Place::read as fn(&Place) -> _, |place| place.open(true)] {
        let message = refused("news", open);
        assert!(
            message.contains("has version 99") && message.contains("newer program"),
            "{message}"
        );
    }
    let message = refused("News; DROP SCHEMA news", Place::read);
    assert!(message.contains("`schema` is"), "{message}");
}

#[test]
fn a_store_of_an_earlier_version_is_brought_up_to_date() {
    let Some(cluster) = Cluster::start() else { return };
    let first = include_str!("../src/sql/postgres_v2.sql");
    cluster.ask(&format!("CREATE SCHEMA news; SET search_path TO news; {first}"));
    cluster.ask("UPDATE news.standpoint_store SET version = 2");
    let message = cluster.place("news").read().unwrap_err().to_string();
    assert!(message.contains("has version 2"), "{message}");
    let mut store = cluster.place("news").open(true).unwrap();
    assert_eq!(
        store.put(&[record("d1", "wire", "2024-05-02", &words(1), &[("KAZ", -0.6)])]).unwrap(),
        [Ok(())]
    );
    assert_eq!(cluster.ask("SELECT documents FROM news.maker"), "1");
}

#[test]
fn a_server_that_keeps_silent_is_given_up_in_time() {
    let Some(cluster) = Cluster::start() else { return };
    let Place::Server(mut server) = cluster.place("news") else { unreachable!() };
    server.timeout = Duration::from_millis(300);
    cluster.signal("STOP");
    let started = Instant::now();
    let error = Place::Server(server).open(true).unwrap_err();
    cluster.signal("CONT");
    assert!(matches!(&error, StoreError::Server(error) if error.is_away()), "{error}");
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
}

#[test]
fn nobody_sees_the_password() {
    let url = "postgres://ana:s3cret@db.example.org:5433/news?sslmode=require";
    let place = Place::named(std::path::Path::new(url));
    assert_eq!(place.to_string(), "postgres://db.example.org:5433/news");
    for shown in [format!("{place:?}"), place.to_string()] {
        assert!(!shown.contains("s3cret") && !shown.contains("ana"), "{shown}");
    }
    for wrong in
        ["postgres://ana:s3cret@:port/x?sslmode=s3cret", "postgres://ana:s3cret@h?what=s3cret"]
    {
        let error = Place::named(std::path::Path::new(wrong)).read().unwrap_err();
        let chain = format!("{error} {:?} {error:?}", std::error::Error::source(&error));
        assert!(!chain.contains("s3cret"), "{chain}");
    }
}

/// The seconds that a server and those of its processes that have ended spent on processors.
fn processor_time(cluster: &Cluster) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", cluster.pid())).unwrap();
    let fields = stat.rsplit_once(')').unwrap().1.split_whitespace().skip(11).take(4);
    fields.map(|ticks| ticks.parse::<f64>().unwrap()).sum::<f64>() / 100.0
}

#[test]
#[ignore = "a measurement, whose command is in BENCHMARKS.md"]
#[expect(clippy::print_stdout, reason = "it prints figures")]
fn how_many_documents_a_second_a_server_takes() {
    const EACH: u64 = 256;
    let Some(cluster) = Cluster::start() else { return };
    let stances = [("KAZ", -0.6), ("UZB", 0.4), ("KGZ", 0.1), ("TJK", -0.2)];
    for (writers, group) in [(1, 1), (1, 64), (2, 64), (4, 64)] {
        let name = format!("news_{writers}_{group}");
        let Place::Server(mut server) = cluster.place(&name) else { unreachable!() };
        // A busy machine's writers wait long for their turn.
        server.timeout = Duration::from_mins(5);
        let place = Place::Server(server);
        drop(place.open(false).unwrap());
        let each = EACH / writers;
        let of = |n: u64| record(&format!("d{n}"), "wire", "2024-05-02", &words(n), &stances);
        let records: Vec<_> = (0..each * writers).map(of).collect();
        let spent = processor_time(&cluster);
        let started = Instant::now();
        std::thread::scope(|scope| {
            for records in records.chunks(each as usize) {
                let place = &place;
                scope.spawn(move || {
                    let mut store = place.open(false).unwrap();
                    for group in records.chunks(group) {
                        assert!(store.put(group).unwrap().iter().all(Result::is_ok));
                    }
                });
            }
        });
        let seconds = started.elapsed().as_secs_f64();
        let rows = cluster.ask(&format!("SELECT count(*) FROM {name}.document"));
        assert_eq!(rows, (each * writers).to_string());
        let count = (each * writers) as f64;
        println!(
            "{writers} writers in groups of {group}: {:.0} documents a second, {:.1} ms of the server's \
             processor time each",
            count / seconds,
            (processor_time(&cluster) - spent) * 1e3 / count
        );
    }
}
