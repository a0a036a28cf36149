//! What people say of passages, and what becomes of it.

use super::*;

#[test]
fn what_a_person_rejects_counts_no_more_also_when_the_document_comes_again() {
    let original = record("a", "wire", "2024-05-02", &words(1), &[("KAZ", -0.6), ("BLR", 0.8)]);
    let copy = record("b", "paper", "2024-05-02", &words(1), &[("KAZ", -0.6), ("BLR", 0.8)]);
    let mut store = in_memory(&[original.clone(), copy.clone()]);
    let reject = Correction::Verdict(Some(Verdict::Rejected));
    let key = key_of(&store, "a", "KAZ");
    store.correct(key, None, &reject, Some("ana"), Some("irony")).unwrap();
    assert_eq!(told(&store, &toward_russia()), ["BLR 1 0.80"], "and the copy does not step in");
    store.put(&[original, copy]).unwrap();
    assert_eq!(told(&store, &toward_russia()), ["BLR 1 0.80"], "it sticks");
    let labelled = corrections::labelled(&store).unwrap();
    assert_eq!(
        labelled.iter().map(|row| (row.holder.as_str(), row.label.as_str())).collect::<Vec<_>>(),
        [("KAZ", "neutral")]
    );
    let key = key_of(&store, "a", "KAZ");
    store.correct(key, None, &Correction::Verdict(None), None, None).unwrap();
    assert_eq!(told(&store, &toward_russia()), ["BLR 1 0.80", "KAZ 1 -0.60"], "taken back");
    assert!(corrections::corrections(&store, 10).unwrap().is_empty());
}

#[test]
fn a_word_is_taken_back_by_itself_also_where_its_passage_is_gone() {
    let first = record("a", "wire", "2024-05-02", &words(1), &[("KAZ", -0.6), ("BLR", 0.8)]);
    let mut store = in_memory(std::slice::from_ref(&first));
    let reject = Correction::Verdict(Some(Verdict::Rejected));
    let uzbekistan = Some(Holder { id: "UZB".to_owned(), name: None });
    for (who, correction) in [
        ("KAZ", Correction::Score(Some(-0.2))),
        ("KAZ", Correction::Actor(uzbekistan)),
        ("BLR", reject),
    ] {
        store.correct(key_of(&store, "a", who), None, &correction, None, None).unwrap();
    }
    let kept = |store: &Store| corrections::corrections(store, 9).unwrap();
    let passages = feed::of_document(&store, "a").unwrap();
    for correction in kept(&store) {
        let passage = passages.iter().find(|passage| Some(passage.key) == correction.evidence);
        let passage = passage.unwrap();
        let said = passage.said_who.as_ref().unwrap_or(&passage.who);
        assert_eq!((said, &passage.text), (&correction.who, &correction.passage));
    }
    let of = |field: &str, kept: &[corrections::KeptCorrection]| {
        kept.iter().find(|correction| correction.field == field).unwrap().clone()
    };
    let actor = of("actor", &kept(&store));
    assert!(!store.take_back(actor.key, "2024-05-02T00:00:00.000Z").unwrap(), "another word");
    assert_eq!(told(&store, &toward_russia()), ["UZB 1 -0.20"]);
    assert!(store.take_back(actor.key, &actor.made_at).unwrap());
    assert_eq!(told(&store, &toward_russia()), ["KAZ 1 -0.20"], "the others stand");
    assert!(!store.take_back(actor.key, &actor.made_at).unwrap(), "it is gone");
    // The document comes again and says nothing of Belarus any more.
    store.put(&[record("a", "wire", "2024-05-02", &words(1), &[("KAZ", -0.6)])]).unwrap();
    let verdict = of("verdict", &kept(&store));
    assert_eq!(verdict.evidence, None);
    assert!(store.take_back(verdict.key, &verdict.made_at).unwrap());
    let other = of("score", &kept(&store));
    assert!(store.take_back(other.key, &other.made_at).unwrap());
    assert_eq!(told(&store, &toward_russia()), ["KAZ 1 -0.60"]);
    store.put(&[first]).unwrap();
    assert_eq!(told(&store, &toward_russia()), ["BLR 1 0.80", "KAZ 1 -0.60"]);
}

#[test]
fn what_was_said_of_a_forgotten_document_is_forgotten_in_its_copies() {
    let print = |id: &str| record(id, id, "2024-05-02", &words(1), &[("KAZ", -0.6), ("BLR", 0.8)]);
    let mut store = in_memory(&[print("a"), print("b"), print("c")]);
    let reject = Correction::Verdict(Some(Verdict::Rejected));
    let (first, copy) = (key_of(&store, "a", "KAZ"), key_of(&store, "b", "BLR"));
    store.correct(first, None, &reject, Some("ana"), None).unwrap();
    store.correct(copy, None, &reject, Some("ana"), None).unwrap();
    assert_eq!(told(&store, &toward_russia()), [""; 0]);
    assert!(store.forget("a").unwrap().was_there && !store.forget("a").unwrap().was_there);
    // What was said of a copy itself stays, and holds for the other one.
    assert_eq!(told(&store, &toward_russia()), ["KAZ 1 -0.60"]);
    assert_eq!(number(&store, "SELECT count(*) FROM documents WHERE story = 'b'"), 2);
    store.put(&[print("b"), print("c")]).unwrap();
    assert_eq!(told(&store, &toward_russia()), ["KAZ 1 -0.60"], "also when they come again");
}

#[test]
fn a_name_that_only_a_forgotten_document_gives_is_forgotten() {
    let mut store = in_memory(&[
        record("a", "wire", "2024-05-02", &words(1), &[("KAZ", -0.6), ("BLR", 0.8)]),
        record("b", "wire", "2024-05-02", &words(2), &[("BLR", 0.8)]),
    ]);
    assert!(store.forget("a").unwrap().was_there);
    assert_eq!(number(&store, "SELECT count(*) FROM actor WHERE who = 'KAZ'"), 0);
    assert_eq!(number(&store, "SELECT count(*) FROM actor WHERE who = 'BLR'"), 1);
}

#[test]
fn a_new_document_does_not_join_the_story_of_a_forgotten_one() {
    let of = |id: &str, seed| record(id, id, "2024-05-02", &words(seed), &[("KAZ", -0.6)]);
    let mut store = in_memory(&[of("a", 1), of("b", 2)]);
    // The first becomes a copy of the last, whose key the next document is given.
    store.put(&[of("a", 2)]).unwrap();
    store.forget("b").unwrap();
    store.put(&[of("c", 3)]).unwrap();
    assert_eq!(told(&store, &toward_russia()), ["KAZ 2 -0.60"]);
}

#[test]
fn who_is_between_the_sides_stands_by_passages_that_people_judge() {
    let mut store =
        in_memory(&[record("a", "wire", "2024-05-02", &words(1), &[("KAZ", 0.0), ("BLR", 0.8)])]);
    let ranking = figures::ranking(&store, &toward_russia()).unwrap();
    assert!(ranking.iter().all(|row| row.figure.pieces == 1), "{ranking:?}");
    let passage = feed::of_document(&store, "a").unwrap().swap_remove(0);
    let cases: [(Option<Verdict>, &[&str]); 3] = [
        (Some(Verdict::Accepted), &["BLR 1 0.80", "KAZ 1 0.00"]),
        (Some(Verdict::Rejected), &["BLR 1 0.80"]),
        (None, &["BLR 1 0.80", "KAZ 1 0.00"]),
    ];
    for (verdict, expected) in cases {
        let said = Correction::Verdict(verdict);
        store.correct(passage.key, Some(&passage.fingerprint), &said, None, None).unwrap();
        assert_eq!(told(&store, &toward_russia()), expected, "{verdict:?}");
    }
}

#[test]
fn a_person_names_another_holder_and_another_score() {
    let mut store =
        in_memory(&[record("a", "wire", "2024-05-02", &words(1), &[("KAZ", -0.6), ("BLR", 0.8)])]);
    let holder = |id: &str| Some(Holder { id: id.into(), name: Some(format!("Land {id}")) });
    let cases: [(&str, Correction, &[&str]); 5] = [
        ("another holder", Correction::Holder(holder("UKR")), &["BLR 1 0.80", "UKR 1 -0.60"]),
        // A person's word is sure, and weighs a little more.
        ("one who is there", Correction::Holder(holder("BLR")), &["BLR 1 0.06"]),
        ("taken back", Correction::Holder(None), &["BLR 1 0.80", "KAZ 1 -0.60"]),
        ("another score", Correction::Score(Some(0.3)), &["BLR 1 0.80", "KAZ 1 0.30"]),
        ("another actor", Correction::Actor(holder("UZB")), &["BLR 1 0.80", "UZB 1 0.30"]),
    ];
    for (case, correction, expected) in cases {
        let passages = feed::of_document(&store, "a").unwrap();
        // What people said of it makes no other passage of it.
        let (key, shown) = (passages[0].key, passages[0].fingerprint.as_str());
        store.correct(key, Some(shown), &correction, None, None).unwrap();
        assert_eq!(told(&store, &toward_russia()), expected, "{case}");
    }
    let labelled = corrections::labelled(&store).unwrap();
    assert_eq!(labelled.len(), 1);
    assert_eq!((labelled[0].said.holder.as_str(), labelled[0].said.score), ("KAZ", -0.6));
    assert_eq!((labelled[0].holder.as_str(), labelled[0].score), ("UZB", Some(0.3)));
    let refused = [
        (99_999, Correction::Score(Some(0.0)), "no passage"),
        (1, Correction::Score(Some(7.0)), "-1 (opposed) to 1"),
        (1, Correction::Holder(Some(Holder { id: " ".into(), name: None })), "an actor's id"),
        (1, Correction::Holder(holder("RUS")), "`RUS` is whom the passage is about"),
        (1, Correction::Actor(holder("RUS")), "`RUS` is whom the passage is about"),
    ];
    for (key, correction, expected) in refused {
        let said = store.correct(key, None, &correction, None, None);
        let error = said.unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn whom_the_pipeline_meant_in_a_document_is_no_correction() {
    let mut store = in_memory(&[record("a", "wire", "2024-05-02", &words(1), &[("KAZ", -0.6)])]);
    let key = key_of(&store, "a", "KAZ");
    let holder = |id: &str| Some(Holder { id: id.into(), name: None });
    let mut say = |correction| store.correct(key, None, &correction, None, None);
    // Another stands in this passage; who is meant in the document is what it was.
    say(Correction::Holder(holder("UKR"))).unwrap();
    let said = say(Correction::Actor(holder("KAZ")));
    assert!(matches!(said, Err(CorrectionError::Same)), "{said:?}");
    // Once another was meant in the document, it takes that back.
    say(Correction::Actor(holder("UZB"))).unwrap();
    say(Correction::Actor(holder("KAZ"))).unwrap();
    let kept = corrections::corrections(&store, 9).unwrap();
    let fields: Vec<&str> = kept.iter().map(|correction| correction.field.as_str()).collect();
    assert_eq!(fields, ["holder"]);
    assert_eq!(told(&store, &toward_russia()), ["UKR 1 -0.60"]);
}

#[test]
fn a_word_about_a_passage_that_is_another_one_by_now_changes_nothing() {
    let of = |who: &str, score: f64| record("a", "wire", "2024-05-02", &words(1), &[(who, score)]);
    let mut store = in_memory(&[of("KAZ", -0.6)]);
    let shown = |store: &Store| feed::of_document(store, "a").unwrap().remove(0);
    let before = shown(&store);
    let reject = Correction::Verdict(Some(Verdict::Rejected));
    for (case, other) in [("another holder", of("BLR", -0.6)), ("another score", of("KAZ", -0.5))] {
        store.put(&[other]).unwrap();
        let said = store.correct(before.key, Some(&before.fingerprint), &reject, None, None);
        let error = said.unwrap_err();
        // SQLite gives the key to the next passage, and Postgres to none.
        let is_told = match &error {
            CorrectionError::Changed { key } => *key == before.key,
            error => store.sqlite().is_none() && matches!(error, CorrectionError::NoPassage { .. }),
        };
        assert!(is_told && error.to_string().contains("load it again"), "{case}: {error}");
        assert!(corrections::corrections(&store, 9).unwrap().is_empty(), "{case}");
        assert_eq!(told(&store, &toward_russia()).len(), 1, "{case}");
    }
    // It comes once more as it was shown.
    store.put(&[of("KAZ", -0.6)]).unwrap();
    let again = shown(&store);
    assert_eq!(again.fingerprint, before.fingerprint);
    store.correct(again.key, Some(&before.fingerprint), &reject, None, None).unwrap();
    assert_eq!(told(&store, &toward_russia()), [""; 0]);
}
