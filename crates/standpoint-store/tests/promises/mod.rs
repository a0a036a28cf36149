//! What a store promises, wherever it is: what is put in comes out, stories count once, and people
//! have the last word.

mod people;

use serde_json::json;
use standpoint_store::corrections::{self, Correction, CorrectionError, Holder, Verdict};
use standpoint_store::filter::Holders;
use standpoint_store::{Filter, Record, Store, documents, feed, figures, shifts};

use super::{empty_store, number};

/// A record with one sentence for each actor and score; `words` make the text like no other.
pub(crate) fn record(
    id: &str,
    source: &str,
    published: &str,
    words: &str,
    stances: &[(&str, f64)],
) -> Record {
    let mut text = format!("{words}\n");
    let mut actors = Vec::new();
    for (actor, score) in stances {
        let start = text.chars().count();
        let sentence = format!("{actor} spoke of Moscow at {score}.");
        text.push_str(&sentence);
        let end = text.chars().count();
        text.push(' ');
        actors.push(json!({
            "id": actor, "name": format!("Land {actor}"), "kind": "country", "country": actor,
            "mentions": 1, "label": figures::label(*score), "degree": figures::degree(*score),
            "score": score, "confidence": 0.8, "counter_evidence": [],
            "evidence": [{
                "start": start, "end": end, "text": sentence, "score": score, "confidence": 0.9,
                "voice": "author", "time": "present",
                "holder": {"start": start, "end": start + 3}, "target": null
            }]
        }));
    }
    let record = json!({
        "version": 1, "id": id, "source": {"name": source, "path": format!("{id}.txt"), "id": null},
        "title": format!("Title of {id}"), "language": "en", "published": published,
        "author": "A. Writer", "status": "complete", "notes": [], "text": text,
        "sentences": [{"start": 0, "end": words.chars().count(), "sentiment": null}],
        "entities": [{"start": 0, "end": 1, "label": "country", "id": "KAZ", "name": "Kazakhstan",
            "confidence": 0.9, "sentiment": {"label": "neutral", "score": 0.1, "confidence": 0.5}}],
        "sentiment": {"label": "negative", "score": -0.4, "confidence": 0.7},
        "stance": [{"target": {"id": "RUS", "name": "Russia"}, "author": null, "actors": actors}],
        "attributes": {}, "layers": {},
        "provenance": {"standpoint": "0.1.0", "pipeline": "p@1",
            "stages": [{"name": "stance", "version": "0.1.0", "model": null, "ms": 0.4}]}
    });
    Record::read(&record.to_string()).unwrap()
}

/// Sixty words that depend on the seed alone.
pub(crate) fn words(seed: u64) -> String {
    let word =
        |n: u64| format!("w{}", seed.wrapping_mul(1_000_003).wrapping_add(n * n * 7) % 99_991);
    (0..60).map(word).collect::<Vec<_>>().join(" ")
}

fn in_memory(records: &[Record]) -> Store {
    let mut store = empty_store();
    for answer in store.put(records).unwrap() {
        answer.unwrap();
    }
    store
}

/// `who stories mean` of everybody, in alphabetical order.
pub(crate) fn told(store: &Store, filter: &Filter) -> Vec<String> {
    let mut told: Vec<_> = figures::ranking(store, filter)
        .unwrap()
        .iter()
        .map(|row| format!("{} {} {:.2}", row.who, row.figure.stories, row.figure.mean()))
        .collect();
    told.sort();
    told
}

pub(crate) fn toward_russia() -> Filter {
    Filter::toward("RUS")
}

#[test]
fn a_story_printed_by_ten_counts_once_for_all_and_for_each() {
    let mut records: Vec<_> = (0..10)
        .map(|n| {
            let introduction = format!("Printed by paper {n}. {}", words(7));
            record(
                &format!("c{n}"),
                &format!("paper{n}"),
                "2024-05-02",
                &introduction,
                &[("KAZ", -0.6)],
            )
        })
        .collect();
    records.push(record("other", "paper3", "2024-05-03", &words(8), &[("KAZ", 0.2)]));
    records.push(record("late", "paper4", "2025-05-03", &words(7), &[("KAZ", -0.6)]));
    let store = in_memory(&records);
    assert_eq!(told(&store, &toward_russia()), ["KAZ 3 -0.33"]);
    let extent = figures::extent(&store).unwrap();
    assert_eq!((extent.documents, extent.stories), (12, 3));
    // A copy speaks where the first printing is not looked at.
    let of_paper = |name: &str| Filter { sources: vec![name.to_owned()], ..toward_russia() };
    assert_eq!(told(&store, &of_paper("paper5")), ["KAZ 1 -0.60"]);
    assert_eq!(told(&store, &of_paper("paper3")), ["KAZ 2 -0.20"]);
    let passages = feed::passages(&store, &toward_russia(), None, 50).unwrap();
    assert_eq!(passages.iter().map(|passage| passage.copies).collect::<Vec<_>>(), [1, 1, 10]);
}

#[test]
fn outlets_that_came_by_one_inbox_are_told_apart_and_are_one_voice() {
    let print = |number: usize| {
        let name = format!("c{number}");
        let mut record = record(&name, "inbox", "2024-05-02", &words(7), &[("KAZ", -0.6)]);
        record.attributes.insert("source".into(), json!(format!("paper{number}")));
        record
    };
    let mut records: Vec<_> = (0..10).map(print).collect();
    records.push(record("own", "inbox", "2024-05-02", &words(8), &[("KAZ", 0.2)]));
    for (name, nothing) in [("blank", json!(" ")), ("other", json!(["paper1"]))] {
        let mut record = record(name, "inbox", "2024-05-02", name, &[]);
        record.attributes.insert("source".into(), nothing);
        records.push(record);
    }
    let store = in_memory(&records);
    let of = |name: &str| Filter { sources: vec![name.to_owned()], ..toward_russia() };
    assert_eq!(told(&store, &toward_russia()), ["KAZ 2 -0.20"]);
    assert_eq!(told(&store, &of("paper5")), ["KAZ 1 -0.60"]);
    assert_eq!(told(&store, &of("inbox")), ["KAZ 1 0.20"]);
    let extent = figures::extent(&store).unwrap();
    assert_eq!(extent.sources.len(), 11, "{extent:?}");
    assert_eq!(extent.sources[0], ("inbox".to_owned(), 3));
    let passage = feed::of_document(&store, "c3").unwrap().remove(0);
    let document = documents::document(&store, "c3").unwrap().unwrap();
    assert_eq!((passage.source.as_str(), document.read_from.as_str()), ("paper3", "inbox"));
    let listed = documents::documents(&store, &of("paper3"), None, 9).unwrap();
    assert_eq!(listed.iter().map(|row| row.id.as_str()).collect::<Vec<_>>(), ["c3"]);
}

#[test]
fn the_first_of_a_story_may_go_and_another_stands_for_it() {
    let copies: Vec<_> =
        ["a", "b"].map(|id| record(id, id, "2024-05-02", &words(1), &[("KAZ", -0.6)])).into();
    let mut store = in_memory(&copies);
    // It comes again with another text under the id that somebody gave it.
    let changed = record("a", "a", "2024-05-02", &words(2), &[("KAZ", 0.8)]);
    store.put(&[changed]).unwrap();
    assert_eq!(told(&store, &toward_russia()), ["KAZ 2 0.10"]);
}

#[test]
fn a_copy_that_comes_again_changes_nothing() {
    let copies = [
        record("a", "a", "2024-05-02", &words(1), &[("KAZ", 0.9)]),
        record("b", "b", "2024-05-03", &words(1), &[("KAZ", -0.7)]),
    ];
    let mut store = in_memory(&copies);
    assert_eq!(told(&store, &toward_russia()), ["KAZ 1 0.90"]);
    for again in [&copies[..1], &copies[1..], &copies[..]] {
        store.put(again).unwrap();
        assert_eq!(told(&store, &toward_russia()), ["KAZ 1 0.90"]);
        assert_eq!(number(&store, "SELECT count(*) FROM stance WHERE leads"), 1);
    }
}

#[test]
fn a_text_that_is_printed_again_and_again_begins_a_story_anew() {
    let days = ["2024-05-02", "2024-05-12", "2024-05-22", "2024-06-01"];
    let printed: Vec<_> =
        days.iter().map(|day| record(day, "paper", day, &words(1), &[("KAZ", 0.9)])).collect();
    let store = in_memory(&printed);
    assert_eq!(number(&store, "SELECT count(DISTINCT story) FROM document"), 2);
}

#[test]
fn every_way_to_ask_for_the_same_gives_the_same() {
    let records: Vec<_> = (0..240)
        .map(|n: u64| {
            let day = format!("2024-{:02}-{:02}", n % 7 + 1, n % 27 + 1);
            let score = (n % 19) as f64 / 10.0 - 0.9;
            let source = if n.is_multiple_of(3) { "wire" } else { "paper" };
            record(&format!("d{n}"), source, &day, &words(n), &[("KAZ", score), ("BLR", -score)])
        })
        .collect();
    let store = in_memory(&records);
    let ranges = [
        (None, None),
        (Some("2024-02-01"), Some("2024-04-30")),
        (Some("2024-02-11"), Some("2024-04-17")),
        (Some("2024-03-05"), Some("2024-03-09")),
        (Some("2024-03-05"), None),
        (None, Some("2024-03-05")),
    ];
    for (from, to) in ranges {
        let quick =
            Filter { from: from.map(str::to_owned), to: to.map(str::to_owned), ..toward_russia() };
        // Naming all sources reads every row.
        let slow = Filter { sources: vec!["wire".into(), "paper".into()], ..quick.clone() };
        assert_eq!(told(&store, &quick), told(&store, &slow), "{from:?} to {to:?}");
        assert!(!told(&store, &quick).is_empty());
    }
}

#[test]
fn words_are_found_and_forgotten_with_the_text() {
    let mut store = in_memory(&[record("a", "wire", "2024-05-02", "pipeline", &[("KAZ", -0.6)])]);
    let found = |store: &Store, words: &str| {
        let filter = Filter { words: Some(words.to_owned()), ..toward_russia() };
        documents::count(store, &filter).unwrap()
    };
    assert_eq!((found(&store, "pipeline"), found(&store, "harbour")), (1, 0));
    store.put(&[record("a", "wire", "2024-05-02", "harbour", &[("KAZ", -0.6)])]).unwrap();
    assert_eq!((found(&store, "pipeline"), found(&store, "harbour")), (0, 1));
    assert_eq!(found(&store, "\" OR NEAR("), 0, "no language of queries");
}

#[test]
fn every_list_understands_every_filter() {
    let quoted = record("a", "wire", "2024-05-02", "pipeline", &[("KAZ", -0.6)]);
    let store = in_memory(&[quoted]);
    let filter = |change: &dyn Fn(&mut Filter)| {
        let mut filter = toward_russia();
        change(&mut filter);
        filter
    };
    let text = |text: &str| Some(text.to_owned());
    let ways: [&dyn Fn(&mut Filter); 9] = [
        &|filter| filter.from = text("2024-05-01"),
        &|filter| filter.to = text("2024-05-03"),
        &|filter| filter.sources = vec!["wire".to_owned()],
        &|filter| filter.who = text("KAZ"),
        &|filter| filter.words = text("pipeline"),
        &|filter| filter.holders = Holders::All,
        &|filter| filter.voice = text("author"),
        &|filter| filter.time = text("present"),
        &|filter| filter.verdict = text("none"),
    ];
    for (number, way) in ways.iter().enumerate() {
        // By itself, and with every other that came before.
        let alone = filter(way);
        let together = filter(&|filter| ways[..=number].iter().for_each(|way| way(filter)));
        for filter in [alone, together] {
            let listed = documents::documents(&store, &filter, None, 9).unwrap();
            assert_eq!(listed.len(), 1, "{filter:?}");
            assert_eq!(documents::count(&store, &filter).unwrap(), 1, "{filter:?}");
            let passages = feed::passages(&store, &filter, None, 9).unwrap();
            assert_eq!(passages.len(), 1, "{filter:?}");
            assert_eq!(told(&store, &filter), ["KAZ 1 -0.60"], "{filter:?}");
            shifts::shifts(&store, &filter, 30).unwrap();
        }
    }
}

#[test]
fn a_page_follows_the_other_until_the_end_and_dates_that_lack_come_last() {
    let records: Vec<_> = (0..25)
        .map(|n: u64| {
            let day = if n < 7 { String::new() } else { format!("2024-05-{:02}", n / 3 + 1) };
            record(&format!("d{n}"), "wire", &day, &words(n), &[("KAZ", -0.6), ("BLR", 0.6)])
        })
        .collect();
    let store = in_memory(&records);
    let (mut passages, mut cursor) = (Vec::new(), None);
    loop {
        let page = feed::passages(&store, &toward_russia(), cursor.as_deref(), 4).unwrap();
        let Some(last) = page.last() else { break };
        cursor = Some(last.cursor.clone());
        passages.extend(page);
    }
    let mut keys: Vec<_> = passages.iter().map(|passage| passage.key).collect();
    let days: Vec<_> = passages.iter().map(|passage| passage.day.clone()).collect();
    assert!(days.is_sorted_by(|one, other| one >= other), "{days:?}");
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), 50);
    let (mut listed, mut cursor) = (Vec::new(), None);
    loop {
        let page = documents::documents(&store, &toward_russia(), cursor.as_deref(), 4).unwrap();
        let Some(last) = page.last() else { break };
        cursor = Some(last.cursor.clone());
        listed.extend(page.into_iter().map(|document| document.id));
    }
    listed.sort();
    listed.dedup();
    assert_eq!(listed.len(), 25);
}

fn key_of(store: &Store, document: &str, who: &str) -> i64 {
    let passages = feed::of_document(store, document).unwrap();
    passages.iter().find(|passage| passage.who == who).unwrap().key
}

/// What has no form as JSON.
struct Unwritable;
impl serde::Serialize for Unwritable {
    fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom("no"))
    }
}

#[test]
fn what_other_stages_changed_is_kept_with_the_document_or_not_at_all() {
    let of = |score: f64| record("a", "wire", "2024-05-02", &words(1), &[("KAZ", score)]);
    let mut store = in_memory(&[of(-0.6)]);
    let before = documents::document(&store, "a").unwrap().unwrap().stages;
    let kept = |store: &Store| number(store, "SELECT count(*) FROM revision");
    let refused = store.put_revised(&of(0.6), &before, &Unwritable).unwrap().unwrap_err();
    assert!(refused.contains("JSON"), "{refused}");
    assert_eq!((told(&store, &toward_russia()), kept(&store)), (vec!["KAZ 1 -0.60".into()], 0));
    store.put_revised(&of(0.6), &before, &json!(["moved"])).unwrap().unwrap();
    assert_eq!((told(&store, &toward_russia()), kept(&store)), (vec!["KAZ 1 0.60".into()], 1));
    let revision = documents::document(&store, "a").unwrap().unwrap().revisions.remove(0);
    assert_eq!((revision.before, revision.changes), (before, json!(["moved"])));
}

/// Prints of one story: the first says one thing of Kazakhstan and the copy another.
fn differing_copies() -> [Record; 2] {
    let print = |id: &str, day: &str, score: f64| {
        record(id, id, day, &words(1), &[("KAZ", score), ("BLR", 0.8)])
    };
    [print("first", "2024-05-02", -0.6), print("copy", "2024-05-03", 0.4)]
}

#[test]
fn a_copy_that_differs_does_not_speak_for_a_first_printing_that_was_rejected() {
    let mut store = in_memory(&differing_copies());
    let of = |name: &str| Filter { sources: vec![name.to_owned()], ..toward_russia() };
    let all = || Filter { sources: vec!["first".into(), "copy".into()], ..toward_russia() };
    let part = || Filter {
        from: Some("2024-05-02".into()),
        to: Some("2024-05-03".into()),
        ..toward_russia()
    };
    assert_eq!(told(&store, &toward_russia()), ["BLR 1 0.80", "KAZ 1 -0.60"]);
    let reject = Correction::Verdict(Some(Verdict::Rejected));
    let key = key_of(&store, "first", "KAZ");
    store.correct(key, None, &reject, Some("ana"), None).unwrap();
    let is_as_promised = |store: &Store, when: &str| {
        // By monthly sums, by the days of a month, and by rows: the story is silent.
        for filter in [toward_russia(), part(), all(), of("first")] {
            assert_eq!(told(store, &filter), ["BLR 1 0.80"], "{when}: {filter:?}");
        }
        // What the copy says itself nobody rejected, and it is told where the first is not looked
        // at.
        assert_eq!(told(store, &of("copy")), ["BLR 1 0.80", "KAZ 1 0.40"], "{when}");
        assert_eq!(number(store, "SELECT count(*) FROM stance WHERE leads"), 2, "{when}");
        let shown = feed::passages(store, &toward_russia(), None, 9).unwrap();
        let shown: Vec<_> =
            shown.iter().map(|row| (row.who.as_str(), row.document_id.as_str())).collect();
        assert_eq!(shown, [("BLR", "first"), ("KAZ", "first")], "{when}");
    };
    is_as_promised(&store, "rejected");
    let [first, copy] = differing_copies();
    for again in [vec![copy.clone()], vec![first.clone()], vec![first, copy]] {
        store.put(&again).unwrap();
        is_as_promised(&store, "come again");
    }
    // Once the first is gone, the copy is the first.
    store.forget("first").unwrap();
    assert_eq!(told(&store, &toward_russia()), ["BLR 1 0.80", "KAZ 1 0.40"]);
}

#[test]
fn sums_of_months_are_what_single_rows_add_up_to_whatever_was_done() {
    let mut store = in_memory(&[]);
    for round in 0..3_u64 {
        for n in 0..40_u64 {
            let points = ((n * 7 + round * 3) % 21) as f64 / 10.0 - 1.0;
            let id = format!("d{}", n % 25);
            let words = words((n + round) % 13);
            store.put(&[record(&id, "wire", "2024-05-02", &words, &[("KAZ", points)])]).unwrap();
            if n.is_multiple_of(5) {
                let key = key_of(&store, &id, "KAZ");
                let verdict =
                    if n.is_multiple_of(2) { Verdict::Rejected } else { Verdict::Accepted };
                store.correct(key, None, &Correction::Verdict(Some(verdict)), None, None).unwrap();
            }
        }
    }
    let count = |sql: &str| number(&store, sql);
    for column in ["w", "w * w", "w * x", "w * x * x"] {
        let name = column.replace(" * ", "");
        assert_eq!(
            count(&format!("SELECT coalesce(sum({name}), 0) FROM month_figure")),
            count(&format!("SELECT coalesce(sum({column}), 0) FROM stance_weight")),
            "{column}"
        );
    }
    assert_eq!(
        count(
            "SELECT count(*) FROM (SELECT 1 FROM stance WHERE leads GROUP BY story, who, target_id HAVING count(*) > 1) AS several"
        ),
        0,
        "one leads"
    );
}

#[test]
fn who_moved_is_told_from_who_wavered() {
    let mut records = Vec::new();
    for n in 0..60_u64 {
        let day = format!("2024-{:02}-{:02}", n / 15 + 1, n % 15 + 10);
        let moved = if n < 45 { -0.5 } else { 0.4 };
        let wavers = if n.is_multiple_of(2) { -0.8 } else { 0.8 };
        records.push(record(
            &format!("d{n}"),
            "wire",
            &day,
            &words(n),
            &[("KAZ", moved), ("BLR", wavers), ("UKR", -0.9)],
        ));
    }
    // A date in the future does not move the window away.
    records.push(record("future", "wire", "2999-01-01", &words(99), &[("KAZ", 0.9)]));
    let store = in_memory(&records);
    let period = shifts::period(&store, &toward_russia(), 30).unwrap().unwrap();
    assert_eq!((period.from.as_str(), period.to.as_str()), ("2024-03-26", "2024-04-24"));
    assert_eq!((period.days, period.days_before), (30, 90));
    let shifts = shifts::shifts(&store, &toward_russia(), 30).unwrap();
    assert_eq!((&shifts[0].from, &shifts[0].to), (&period.from, &period.to));
    let told: Vec<_> = shifts.iter().map(|shift| (shift.who.as_str(), shift.to.as_str())).collect();
    assert_eq!(told, [("KAZ", "2024-04-24")]);
    assert!(shifts[0].before < 0.0 && shifts[0].now > 0.0 && shifts[0].errors > 2.5);
}
