//! What the stage promises, in tables: each text is our own.

use std::fmt::Write;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use standpoint_document::{
    Aliases, Annotation, Document, Entity, EntityKind, SentimentRecord, Span, layers, mention,
    sentence,
};
use standpoint_stage::{StageDefinition, StartContext, testing};

use crate::judge::Judge;
use crate::lexicon::Lexicon;
use crate::plain_tokens::tokens;
use crate::stage::{SentimentSettings, SentimentStage};

fn judge() -> Judge {
    Judge::new(Lexicon::standard()).unwrap()
}

fn annotate(spans: impl IntoIterator<Item = Span>) -> Vec<Annotation> {
    spans.into_iter().map(Annotation::new).collect()
}

/// Judges one sentence with a mention at each place where one of `names` stands.
fn record(text: &str, names: &[&str]) -> SentimentRecord {
    let mut mentions: Vec<Span> = names
        .iter()
        .flat_map(|name| text.match_indices(name))
        .map(|(at, name)| Span::new(at as u32, (at + name.len()) as u32))
        .collect();
    mentions.sort();
    let whole = annotate([Span::new(0, text.len() as u32)]);
    judge().judge(text, &whole, &annotate(tokens(text)), &annotate(mentions), &[])
}

fn score(text: &str) -> f32 {
    record(text, &[]).sentences[0].map_or(0.0, |sentiment| sentiment.score.get())
}

#[test]
fn scopes_turn_and_weigh_tones() {
    // Each case: the left sentence sounds better than the right one.
    let cases = [
        ("tone", "The talks were good.", "The talks were bad."),
        ("negation", "The talks were good.", "The talks were not good."),
        ("contraction", "The talks were good.", "The talks weren’t good."),
        ("negated ill", "The talks were not bad.", "The talks were bad."),
        ("double negation", "It was never without hope.", "It was without hope."),
        (
            "negation ends with its clause",
            "They did not come, great as it was.",
            "It was not great.",
        ),
        ("refusal", "They gave help.", "They refused help."),
        ("refusal denied", "They did not refuse help.", "They refused help."),
        ("intensifier", "A very good plan.", "A good plan."),
        ("intensified ill", "A bad plan.", "A very bad plan."),
        ("dampener", "A slightly bad plan.", "A bad plan."),
        ("but", "A bad start, but a great end.", "A great start, but a bad end."),
        ("question", "Is this a disaster?", "This is a disaster."),
        ("quotation", "She spoke of a “disaster” there.", "She spoke of a disaster there."),
    ];
    for (case, better, worse) in cases {
        let (left, right) = (score(better), score(worse));
        assert!(left > right, "{case}: {better:?} {left}, {worse:?} {right}");
    }
}

#[test]
fn silence_is_not_neutrality() {
    for text in ["", "   ", "The ministers met in the capital on Tuesday.", "12, 14 and 16."] {
        let record = record(text, &["capital"]);
        assert_eq!(record.document, None, "{text:?}");
        assert_eq!(record.sentences, [None], "{text:?}");
    }
}

#[test]
fn boilerplate_foreign_text_and_non_actors_are_passed_over() {
    let text = "Berg committed a horrible crime.";
    let whole = Annotation::new(Span::new(0, text.len() as u32));
    let name = Annotation::new(Span::new(0, 4));
    let words = annotate(tokens(text));
    for flag in [sentence::BOILERPLATE, sentence::FOREIGN] {
        let record = judge().judge(text, &[whole.with_flags(flag)], &words, &[name], &[]);
        assert_eq!((record.sentences[0], record.mentions[0]), (None, None));
    }
    for flag in [mention::NESTED, mention::NOT_AN_ACTOR] {
        let record = judge().judge(text, &[whole], &words, &[name.with_flags(flag)], &[]);
        assert!(record.sentences[0].is_some() && record.mentions[0].is_none());
    }
}

#[test]
fn sentiment_is_toward_the_one_who_is_meant() {
    let cases = [
        "Senator Dale was praised for her courage and honesty.",
        "Prosecutors accused Mr. Hale of fraud and corruption.",
        "The minister met Dale and Hale on Tuesday to discuss a terrible flood.",
        "Dale won the respect of many voters.",
        "Hale lied to the committee and was convicted.",
    ];
    let mut picture = String::new();
    for text in cases {
        let record = record(text, &["Dale", "Hale"]);
        let label = |s: &Option<standpoint_document::Sentiment>| {
            s.map_or_else(|| "-".to_owned(), |s| format!("{:?}", s.label()))
        };
        let mentions: Vec<String> = record.mentions.iter().map(label).collect();
        let whole = label(&record.sentences[0]);
        writeln!(picture, "{whole:<8} {mentions:?} {text}").unwrap();
    }
    insta::assert_snapshot!(picture, @r#"
    Positive ["Positive"] Senator Dale was praised for her courage and honesty.
    Negative ["Negative"] Prosecutors accused Mr. Hale of fraud and corruption.
    Negative ["Neutral", "Neutral"] The minister met Dale and Hale on Tuesday to discuss a terrible flood.
    Positive ["Positive"] Dale won the respect of many voters.
    Negative ["Negative"] Hale lied to the committee and was convicted.
    "#);
}

#[test]
fn stage_reads_layers_and_writes_the_record() {
    let context = StartContext { stage: "sentiment".to_owned(), pipeline_dir: ".".into() };
    let stage = SentimentStage::start(SentimentSettings::default(), &context).unwrap();
    let mut document = testing::tokenised("Berg was praised.\nThe flood was a disaster.");
    let berg = Entity {
        id: "name:berg".to_owned(),
        name: "Berg".to_owned(),
        kind: EntityKind::Person,
        country: None,
        speaks_for_country: false,
        aliases: Aliases::new(),
    };
    let mention = Annotation::new(Span::new(0, 4)).with_link(0);
    document.set_entities(vec![mention], vec![berg]).unwrap();
    testing::process(&stage, &mut document).unwrap();
    let record = document.sentiment().unwrap();
    assert_eq!((record.sentences.len(), record.mentions.len()), (2, 1));
    assert!(record.document.is_some());
    assert!(document.written().any(|name| name == layers::SENTIMENT));
}

#[test]
fn a_missing_lexicon_stops_the_start() {
    let context = StartContext { stage: "sentiment".to_owned(), pipeline_dir: "/nowhere".into() };
    let settings =
        SentimentSettings { lexicon: Some("own.tsv".into()), ..SentimentSettings::default() };
    let error = SentimentStage::start(settings, &context).unwrap_err();
    assert!(error.message().starts_with("cannot read the lexicon /nowhere/own.tsv: "), "{error}");
}

#[test]
fn keeps_to_what_every_stage_must() {
    standpoint_stage::conformance::assert_conforms::<SentimentStage>();
}

#[test]
fn settings_schema_is_current() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/settings.schema.json");
    testing::check_settings_schema::<SentimentStage>(file);
}

/// A sentence of 200 KB with a mention at every word: unoptimised, what reads all words at each of
/// them takes many minutes, and this some seconds.
#[test]
fn work_on_an_endless_sentence_is_bounded() {
    let text = "Berg denied the awful claims of fraud and ".repeat(5_000);
    let spans = tokens(&text);
    let whole = annotate([Span::new(0, text.len() as u32)]);
    let words = annotate(spans);
    let judge = judge();
    let started = Instant::now();
    let record = judge.judge(&text, &whole, &words, &words, &[]);
    assert!(record.sentences[0].is_some());
    assert!(started.elapsed() < Duration::from_mins(2), "{:?}", started.elapsed());
}

#[test]
fn layers_that_do_not_fit_each_other_are_survived() {
    let text = "Berg won.";
    let nowhere = annotate([Span::new(4, 4), Span::new(7, 3), Span::new(90, 99)]);
    let whole = annotate([Span::new(0, 9), Span::new(50, 70)]);
    let record = judge().judge(text, &whole, &annotate(tokens(text)), &nowhere, &[]);
    assert_eq!(record.mentions, [None; 3]);
    let record = judge().judge(text, &whole, &nowhere, &nowhere, &[]);
    assert_eq!(record.document, None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_text_gives_one_place_for_each_part(text in "(\\PC|good |bad |not |“|”|\\?){0,80}") {
        let judge = judge();
        let words = annotate(tokens(&text));
        let whole = annotate([Span::new(0, text.len() as u32)]);
        let record = judge.judge(&text, &whole, &words, &words, &[]);
        prop_assert_eq!(record.sentences.len(), 1);
        prop_assert_eq!(record.mentions.len(), words.len());
        let mut document = Document::new("t", text.as_str()).unwrap();
        document.set_layer(layers::TOKENS, words).unwrap();
        document.set_layer(layers::SENTENCES, whole).unwrap();
        let again = judge.judge(&text, document.sentences(), document.tokens(), &[], &[]);
        prop_assert_eq!(again.sentences, record.sentences);
    }
}
