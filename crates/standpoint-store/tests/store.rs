//! A store in a file of `SQLite`: what every store promises, and which way it finds things.

#![expect(clippy::unwrap_used, reason = "a test stops where something is not as it should be")]

mod promises;

use std::path::Path;

use standpoint_store::feed::{self, Passage};
use standpoint_store::write::Log;
use standpoint_store::{Filter, Store, documents, figures, filter};

use self::promises::{record, toward_russia, words};

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

/// All passages that a filter lets through, read a few at a time.
fn all(store: &Store, filter: &Filter) -> Vec<Passage> {
    let mut all: Vec<Passage> = Vec::new();
    loop {
        let after = all.last().map(|passage| passage.cursor.clone());
        let page = feed::passages(store, filter, after.as_deref(), 7).unwrap();
        let is_last = page.len() < 7;
        all.extend(page);
        if is_last {
            return all;
        }
    }
}

/// Whether a passage should be let through.
type Holds<'a> = Box<dyn Fn(&Passage) -> bool + 'a>;

#[test]
fn passages_are_the_same_whichever_way_they_are_looked_for() {
    let folder = tempfile::tempdir().unwrap();
    let store = large(&folder.path().join("small.db"), 600);
    let every_source = (0..30).map(|number| format!("source{number}")).collect();
    let of_sources = |sources: Vec<String>| Filter { sources, ..toward_russia() };
    // What leads where sources are not told apart, and every copy where they are.
    let led = all(&store, &toward_russia());
    let copied = all(&store, &of_sources(every_source));
    let count = |what: &str| {
        number(
            &store,
            &format!(
                "SELECT count(*) FROM evidence_row AS e JOIN stance AS s ON s.key = e.stance
                 WHERE s.holder = 'actor' AND {what}"
            ),
        )
    };
    let counted = |passages: &[Passage]| i64::try_from(passages.len()).unwrap();
    assert_eq!((counted(&led), counted(&copied)), (count("s.leads"), count("TRUE")));
    let holding: Vec<String> = {
        let sql = "SELECT id FROM document WHERE text LIKE '% w17 %'";
        let mut statement = store.sqlite().unwrap().prepare(sql).unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    };
    let some = |text: &str| Some(text.to_owned());
    let words = Filter { words: some("w17"), ..toward_russia() };
    let two = || of_sources(vec!["source1".into(), "source7".into()]);
    let is_of_two = |passage: &Passage| ["source1", "source7"].contains(&passage.source.as_str());
    let holds = |passage: &Passage| holding.contains(&passage.document_id);
    let cases: [(&str, &[Passage], Filter, Holds<'_>); 8] = [
        ("two sources", &copied, two(), Box::new(is_of_two)),
        (
            "their hearsay",
            &copied,
            Filter { voice: some("reported"), ..two() },
            Box::new(|passage| is_of_two(passage) && passage.voice == "reported"),
        ),
        ("words", &copied, words.clone(), Box::new(holds)),
        (
            "words since a day",
            &copied,
            Filter { from: some("2018-01-01"), time: some("past"), ..words },
            Box::new(|passage| {
                holds(passage)
                    && passage.time == "past"
                    && passage.day.as_deref() >= Some("2018-01-01")
            }),
        ),
        (
            "a voice",
            &led,
            Filter { voice: some("reported"), ..toward_russia() },
            Box::new(|passage| passage.voice == "reported"),
        ),
        (
            "a time",
            &led,
            Filter { time: some("past"), verdict: some("none"), ..toward_russia() },
            Box::new(|passage| passage.time == "past" && passage.verdict.is_none()),
        ),
        (
            "a verdict",
            &led,
            Filter { verdict: some("rejected"), ..toward_russia() },
            Box::new(|passage| passage.verdict.as_deref() == Some("rejected")),
        ),
        (
            "one actor",
            &led,
            Filter { who: some("A0"), voice: some("author"), ..toward_russia() },
            Box::new(|passage| passage.who == "A0" && passage.voice == "author"),
        ),
    ];
    for (case, among, filter, holds) in cases {
        let keys = |passages: &mut dyn Iterator<Item = &Passage>| -> Vec<i64> {
            passages.map(|passage| passage.key).collect()
        };
        let expected = keys(&mut among.iter().filter(|passage| holds(passage)));
        assert!(!expected.is_empty() && expected.len() < among.len(), "{case}");
        assert_eq!(keys(&mut all(&store, &filter).iter()), expected, "{case}");
        for (most, are_more) in [(expected.len(), false), (expected.len() - 1, true)] {
            let found = feed::are_more_than(&store, &filter, most).unwrap();
            assert_eq!(found, are_more, "{case}: more than {most}");
        }
    }
}

#[test]
fn words_that_many_hold_are_looked_up_in_the_days_and_sources_that_are_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let store = large(&folder.path().join("large.db"), 8_000);
    let many = filter::MOST_MATCHES as i64;
    let hold = "SELECT count(*) FROM document WHERE text LIKE '%talks%'";
    assert!(number(&store, hold) > many);
    let words = Filter { words: Some("talks".to_owned()), ..toward_russia() };
    assert_eq!(documents::count(&store, &words).unwrap(), many);
    assert!(documents::are_words_too_common(&store, &words).unwrap());
    assert!(feed::are_more_than(&store, &words, 100).unwrap());
    let old = Filter { to: Some("2016-12-31".to_owned()), ..words.clone() };
    let of_source = Filter { sources: vec!["source1".to_owned()], ..words };
    for (filter, fits) in [(old, "day <= '2016-12-31'"), (of_source, "source = 'source1'")] {
        let expected = number(&store, &format!("{hold} AND {fits}"));
        assert!((1..many).contains(&expected), "{fits}: {expected}");
        assert_eq!(documents::count(&store, &filter).unwrap(), expected, "{fits}");
        assert!(!documents::are_words_too_common(&store, &filter).unwrap(), "{fits}");
    }
}

/// Whether a file holds the word.
fn holds(path: &Path, word: &str) -> bool {
    let bytes = std::fs::read(path).unwrap();
    bytes.windows(word.len()).any(|bytes| bytes == word.as_bytes())
}

#[test]
fn a_text_that_came_in_several_forms_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let mut store = Store::open(&path, false).unwrap();
    let put = |store: &mut Store, id: &str, text: &str| {
        store.put(&[record(id, "wire", "2024-05-02", text, &[("KAZ", -0.6)])]).unwrap();
    };
    // Long ones lie on pages of their own.
    for length in [600, 3, 20] {
        put(&mut store, "a", &"Pelikanstrasse leads to the harbour. ".repeat(length));
        put(&mut store, "b", &"Nobody lives by the river any more. ".repeat(length));
    }
    drop(store);
    let mut store = Store::open(&path, false).unwrap();
    assert!(store.forget("a").unwrap().was_there);
    drop(store);
    assert!(!holds(&path, "elikanstrasse") && holds(&path, "river"));
}

#[test]
fn a_log_that_a_reader_holds_is_told_of_and_emptied_by_the_next_call() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let mut store = Store::open(&path, false).unwrap();
    let text = "Pelikanstrasse is named nowhere else.";
    store.put(&[record("a", "wire", "2024-05-02", text, &[("KAZ", -0.6)])]).unwrap();
    let holds = |path: &Path| holds(path, "Pelikanstrasse");
    // Somebody looks at the store and does not end.
    let reader = Store::read(&path).unwrap();
    let reader = reader.sqlite().unwrap();
    reader.execute_batch("BEGIN; SELECT count(*) FROM document").unwrap();
    store.sqlite().unwrap().busy_timeout(std::time::Duration::ZERO).unwrap();
    let forgotten = store.forget("a").unwrap();
    assert_eq!((forgotten.was_there, forgotten.log), (true, Log::Held));
    let log = standpoint_store::schema::log_of(&path);
    assert!(holds(&log), "the log is as it was");
    assert_eq!(store.forget("a").unwrap().log, Log::Held);
    reader.execute_batch("COMMIT").unwrap();
    let forgotten = store.forget("a").unwrap();
    assert_eq!((forgotten.was_there, forgotten.log), (false, Log::Emptied));
    store.put(&[record("b", "wire", "2024-05-02", "Nobody.", &[("KAZ", -0.6)])]).unwrap();
    let forgotten = store.forget("nope").unwrap();
    assert_eq!((forgotten.was_there, forgotten.log), (false, Log::Empty));
    assert!(!holds(&log) && !holds(&path));
    assert_eq!(store.forget("a").unwrap().log, Log::Empty);
}

#[test]
fn who_made_the_documents_is_counted_whatever_is_done() {
    let mut store = empty_store();
    let record = |id: &str| record(id, "wire", "2024-05-02", &words(1), &[("KAZ", -0.6)]);
    store.put(&[record("a"), record("b"), record("c")]).unwrap();
    store.put(&[record("a")]).unwrap();
    let made = |store: &Store| -> Vec<(String, i64)> {
        let makers = figures::makers(store, 9).unwrap();
        makers.into_iter().map(|maker| (maker.pipeline, maker.documents)).collect()
    };
    assert_eq!(made(&store), [("p@1".to_owned(), 3)]);
    let other = "UPDATE document SET pipeline = 'p@2' WHERE id <> 'a'";
    store.sqlite().unwrap().execute(other, []).unwrap();
    assert_eq!(made(&store), [("p@2".to_owned(), 2), ("p@1".to_owned(), 1)]);
    store.forget("a").unwrap();
    assert_eq!(made(&store), [("p@2".to_owned(), 2)]);
}
