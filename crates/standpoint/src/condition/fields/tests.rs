//! Which conditions are mistakes, which are doubted, and which are neither.

use standpoint_document::{
    ActorStance, Aliases, Confidence, Document, Entity, Polarity, Sentiment, SentimentRecord,
    Stance, StanceTarget, TargetStance,
};

use super::*;
use crate::condition::{Condition, VARIABLES, variable};

#[test]
fn what_no_document_answers_is_a_mistake() {
    let cases = [
        (
            "title == 'é' || stance.exists(s, s.lable == 'opposed')",
            35,
            "`s` has no field `lable`; did you mean `label`?",
        ),
        ("sentiment.scor > 0.5", 10, "`sentiment` has no field `scor`; did you mean `score`?"),
        ("sentiment['scor'] > 0.5", 11, "`sentiment` has no field `scor`"),
        ("sentiment.valence > 0", 10, "no field `valence`; it has label, score, confidence"),
        ("entities.filter(e, true).size() > 0 && entities[0].kind == 'x'", 51, "field `kind`"),
        (
            "stance[0].actors.size() > 0",
            10,
            "`stance[0]` has no field `actors`; did you mean `actor`? In `stance` each actor is an entry",
        ),
        ("stance.label == 'opposed'", 7, "`stance` is a list; ask its entries, as in `stance."),
        ("title.size > 3", 6, "`title` is a word and has no fields"),
        ("length > 'a'", 9, "`length` is a number; it cannot be compared with a word"),
        ("0.5 < title", 6, "it is a number; it cannot be compared with a word"),
        ("stance.exists(s, s.score < 'low')", 27, "`s.score` is a number; it cannot"),
        ("length", 0, "`length` is a number, where true or false is needed"),
        ("title.startsWith(3)", 17, "it is a number; `startsWith` takes a word"),
        ("id.endsWith(length)", 12, "`length` is a number; `endsWith` takes a word"),
        ("length.startsWith('a')", 0, "`length` is a number; `startsWith` takes a word"),
        ("title.contains(true)", 15, "it is true or false; `contains` takes a word"),
        ("size(length) > 1", 5, "`length` is a number; `size` takes a word or a list or a map"),
        ("title || true", 0, "`title` is a word, where true or false is needed"),
    ];
    for (source, at, expected) in cases {
        let mistake = Condition::compile(source).unwrap_err();
        assert!(mistake.to_string().contains(expected), "{source}: {mistake}");
        assert_eq!(mistake.at, Some(at), "{source}: {mistake}");
    }
}

#[test]
fn what_is_never_so_is_a_doubt() {
    let cases = [
        (
            "stance.exists(s, s.target == 'Russia')",
            29,
            "`s.target` is an id and never `Russia`; did you mean `RUS`?",
        ),
        ("stance.exists(s, 'rus' == s.actor)", 17, "did you mean `RUS`?"),
        ("entities.exists(e, e.id in ['KAZ', 'Vladimir Putin'])", 35, "mean `RUS.PUTIN`?"),
        ("stance.exists(s, s.label == 'oposed')", 28, "did you mean `opposed`?"),
        ("sentiment.label != 'bad'", 19, "it is one of negative, neutral, positive"),
        ("length == '5'", 10, "`length` is a number and never equal to a word"),
        ("language == 'english'", 12, "`language` is a code such as `en`, and `english` is none"),
        ("language in ['en', 'EN']", 19, "`EN` is none"),
        (
            "stance.exists(s, s.score > 2)",
            27,
            "`s.score` lies between -1 and 1, so that this is never",
        ),
        ("stance.exists(s, -1.5 < s.score)", 18, "this is always so"),
        ("sentiment.confidence < 0", 23, "lies between 0 and 1, so that this is never so"),
        ("sentiment.score == -2", 20, "`sentiment.score` lies between -1 and 1"),
    ];
    for (source, at, expected) in cases {
        let condition = Condition::compile(source).unwrap();
        let doubts = [condition.doubts, condition.doubts_of_ids].concat();
        let [doubt] = doubts.as_slice() else { panic!("{source}: {doubts:?}") };
        assert!(doubt.to_string().contains(expected), "{source}: {doubt}");
        assert_eq!(doubt.at, Some(at), "{source}: {doubt}");
    }
}

#[test]
fn what_may_be_so_is_none() {
    let cases = [
        "attributes.anything.below == 'x' && attributes['other'] > 3 || attributes.flag",
        "has(attributes.x) && attributes.x",
        "has(sentiment.scor)",
        "sentiment != null && sentiment.score > 0",
        "title == null || title != ''",
        "stance.exists(stance, stance.score < 0) && stance[0].score <= -0.5",
        "stance.map(s, s.actor).exists(a, a.x) && size(stance) > 0 && stance.size() > 0",
        "stance.exists_one(s, s.target == 'RUS' && s.degree in ['leaning', 'neutral'])",
        "stance.all(s, s.actor == 'name:ilse-brandvold' || s.target == 'EU' || s.actor == '')",
        "[1, 2].exists(x, x == 'a' || x > 1) && {'a': length}.a > 1",
        "title.contains(author) || attributes.words.contains(3) || ['a', 'b'].contains(title)",
        "attributes.x.startsWith(attributes.y) && size(title) > size(attributes.z) && size('a') > 0",
        "true ? title.startsWith('A') : !(length > 3)",
        "language == 'en' || language in ['en-GB', 'yue'] || language == ''",
        "sentiment.score >= -0.5 && sentiment.score <= 0.99 && sentiment.score != -1",
        "true",
    ];
    for source in cases {
        let condition = Condition::compile(source).unwrap();
        let doubts = [condition.doubts, condition.doubts_of_ids].concat();
        assert!(doubts.is_empty(), "{source}: {doubts:?}");
    }
}

#[test]
fn documents_have_the_fields_that_are_known() {
    let mut document = Document::new("d", "").unwrap();
    let (score, confidence) = (Polarity::saturating(0.5), Confidence::saturating(0.5));
    let sentiment = Some(Sentiment { score, confidence });
    document.lend_sentiment(Some(SentimentRecord { document: sentiment, ..<_>::default() }));
    document.lend_entities(vec![Entity {
        id: "KAZ".into(),
        name: "Kazakhstan".into(),
        kind: EntityKind::Country,
        country: None,
        speaks_for_country: false,
        aliases: Aliases::new(),
    }]);
    let (evidence, counter_evidence) = (Vec::new(), Vec::new());
    let actor = ActorStance {
        id: "KAZ".into(),
        name: "Kazakhstan".into(),
        kind: EntityKind::Country,
        country: None,
        mentions: 1,
        stance: Stance { score, confidence, evidence, counter_evidence },
    };
    let target = StanceTarget { id: "RUS".into(), name: "Russia".into() };
    let stance = TargetStance { target, author: None, actors: vec![actor] };
    document.set_stance(vec![stance]).unwrap();
    for name in VARIABLES {
        let value = variable(&document, name);
        let (value, fields) = match Kind::of_variable(name) {
            Kind::Record(fields) => (&value, fields),
            Kind::List(fields) => (&value[0], fields),
            _ => continue,
        };
        let mut known: Vec<&str> = fields.iter().map(|(field, _)| *field).collect();
        known.sort_unstable();
        let found: Vec<&String> = value.as_object().unwrap().keys().collect();
        assert_eq!(found, known, "{name}");
        for (field, kind) in fields {
            let fits = match kind {
                Kind::Number | Kind::Between(..) => value[field].is_number(),
                Kind::Word(words) => words.contains(&value[field].as_str().unwrap()),
                _ => value[field].is_string(),
            };
            assert!(fits, "{name}.{field}");
        }
    }
}
