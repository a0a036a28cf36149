//! A store in a file of `SQLite`: what every store promises, and that a large one is quick.

#![expect(clippy::unwrap_used, reason = "a test stops where something is not as it should be")]

mod promises;

use std::path::Path;
use std::time::{Duration, Instant};

use standpoint_store::filter::Holders;
use standpoint_store::{Filter, Store, documents, feed, figures, shifts};

use self::promises::toward_russia;

fn empty_store() -> Store {
    Store::temporary().unwrap()
}

/// The one number that a question asks for.
fn number(store: &Store, sql: &str) -> i64 {
    store.sqlite().unwrap().query_row(sql, [], |row| row.get(0)).unwrap()
}

/// Fills a store quickly.
fn large(path: &Path, documents: i64) -> Store {
    let store = Store::open(path, false).unwrap();
    let connection = store.sqlite().unwrap();
    connection.execute_batch("CREATE TEMP TABLE size (documents INTEGER)").unwrap();
    connection.execute("INSERT INTO size VALUES (?)", [documents]).unwrap();
    connection.execute_batch(include_str!("large.sql")).unwrap();
    store
}

/// The shortest of a few runs: what the query costs when nothing else runs.
fn least(mut work: impl FnMut()) -> Duration {
    let time = |work: &mut dyn FnMut()| {
        let start = Instant::now();
        work();
        start.elapsed()
    };
    (0..5).map(|_| time(&mut work)).min().unwrap()
}

fn questions(store: &Store) -> Vec<(&'static str, Duration)> {
    let plain = toward_russia();
    let of = |change: &dyn Fn(&mut Filter)| {
        let mut filter = toward_russia();
        change(&mut filter);
        filter
    };
    let two_sources = of(&|f| f.sources = vec!["source1".into(), "source2".into()]);
    let ragged = of(&|f| (f.from, f.to) = (Some("2017-03-05".into()), Some("2023-08-09".into())));
    let actor = of(&|f| f.who = Some("A1".into()));
    let voice = of(&|f| f.voice = Some("reported".into()));
    let rejected = of(&|f| f.verdict = Some("rejected".into()));
    let words = of(&|f| f.words = Some("talks".into()));
    let authors = of(&|f| f.holders = Holders::Authors);
    let ranking = |filter: &Filter| least(|| drop(figures::ranking(store, filter).unwrap()));
    let feed = |filter: &Filter| least(|| drop(feed::passages(store, filter, None, 50).unwrap()));
    let table = |filter: &Filter| {
        least(|| {
            drop(documents::documents(store, filter, None, 50).unwrap());
            documents::count(store, filter).unwrap();
        })
    };
    vec![
        ("ranking and time", ranking(&plain)),
        ("ranking, ragged range", ranking(&ragged)),
        ("ranking, two sources", ranking(&two_sources)),
        ("ranking, one actor", ranking(&actor)),
        ("ranking, a word of every text", ranking(&words)),
        ("ranking, authors", ranking(&authors)),
        ("feed", feed(&plain)),
        ("feed, two sources", feed(&two_sources)),
        ("feed, one actor", feed(&actor)),
        ("feed, one voice", feed(&voice)),
        ("feed, rejected", feed(&rejected)),
        ("feed, a word of every text", feed(&words)),
        ("documents", table(&plain)),
        ("documents, one actor", table(&actor)),
        ("documents, two sources", table(&two_sources)),
        ("documents, a word of every text", table(&words)),
        ("shifts", least(|| drop(shifts::shifts(store, &plain, 30).unwrap()))),
        ("targets", least(|| drop(figures::targets(store).unwrap()))),
        ("extent", least(|| drop(figures::extent(store).unwrap()))),
        ("makers", least(|| drop(figures::makers(store).unwrap()))),
        ("one document", least(|| drop(documents::document(store, "d77").unwrap()))),
        ("its passages", least(|| drop(feed::of_document(store, "d77").unwrap()))),
    ]
}

/// `cargo test --release -p standpoint-store --test store -- --ignored --nocapture` prints the
/// times. The bound is that of the interface: no page waits longer for the store.
#[test]
#[ignore = "makes a store of a million passages; a minute"]
#[expect(clippy::print_stdout, reason = "it tells times")]
fn a_million_passages_answer_every_page_within_100_ms() {
    let folder = tempfile::tempdir().unwrap();
    let store = large(&folder.path().join("large.db"), 100_000);
    let passages: i64 = store
        .sqlite()
        .unwrap()
        .query_row("SELECT count(*) FROM evidence_row", [], |row| row.get(0))
        .unwrap();
    assert!(passages >= 1_000_000, "{passages}");
    let mut slow = Vec::new();
    for (question, took) in questions(&store) {
        println!("{took:>10.1?}  {question}");
        if took > Duration::from_millis(100) {
            slow.push(question);
        }
    }
    assert!(slow.is_empty(), "{slow:?}");
}

#[test]
fn no_page_reads_a_whole_table_but_those_that_count_documents() {
    let folder = tempfile::tempdir().unwrap();
    let store = large(&folder.path().join("small.db"), 300);
    // Every question is asked once, so that a mistake in its SQL is found without the large store.
    assert_eq!(questions(&store).len(), 22);
}
