//! The program reads and answers as the framework does that the networks were made with.
//!
//! The model in `tests/fixture` is as the real one in all but size; `training/fixture.py` made it,
//! and asked the framework about sentences of our own.

#![expect(clippy::unwrap_used, reason = "a test stops where something is not as it should be")]

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::thread;

use serde::Deserialize;
use standpoint_encoder::{
    Encoded, Files, LoadError, MAX_PIECES, Model, Name, NameKind, SentimentQuestion, Stance,
    StanceQuestion, Tag, Tagger,
};

/// What the framework says of a sentence.
#[derive(Deserialize)]
struct Expected {
    text: String,
    /// Of the word pieces, in bytes.
    places: Vec<(usize, usize)>,
    holder: (usize, usize),
    target: (usize, usize),
    /// By the same int8 network.
    holder_vector: Vec<f32>,
    /// By the network in 32 bits that it was made from.
    exact_holder_vector: Vec<f32>,
    sentiment: [f32; 3],
    stance: [f32; 11],
    author_stance: [f32; 11],
    names: Vec<ExpectedName>,
}

#[derive(Deserialize)]
struct ExpectedName {
    bytes: (usize, usize),
    kind: String,
    confidence: f32,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixture")
}

fn model() -> Model {
    Model::open(&folder()).unwrap()
}

fn expected() -> Vec<Expected> {
    serde_json::from_slice(&fs::read(folder().join("agreement.json")).unwrap()).unwrap()
}

fn encode(model: &Model, text: &str) -> Encoded {
    model.encode(&[text]).unwrap().remove(0)
}

fn range((start, end): (usize, usize)) -> Range<usize> {
    start..end
}

fn cosine(one: &[f32], other: &[f32]) -> f32 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
    dot(one, other) / (dot(one, one) * dot(other, other)).sqrt()
}

/// The softmax of scores.
fn softmax(scores: &[f32]) -> Vec<f32> {
    let total: f32 = scores.iter().map(|score| score.exp()).sum();
    scores.iter().map(|score| score.exp() / total).collect()
}

/// Fails where two lists of numbers differ by more than rounding.
fn assert_near(found: &[f32], expected: &[f32], what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (found_one, expected_one) in found.iter().zip(expected) {
        assert!((found_one - expected_one).abs() < 0.02, "{what}: {found:?} is not {expected:?}");
    }
}

fn assert_stance(found: Stance, scores: &[f32; 11], what: &str) {
    assert_near(&found.probabilities, &softmax(&scores[..3]), what);
    assert_near(&[found.strong], &[1.0 / (1.0 + (-scores[3]).exp())], what);
    assert_near(&found.voice, &softmax(&scores[4..7]), what);
    assert_near(&found.time, &softmax(&scores[7..]), what);
}

#[test]
fn vectors_are_those_of_the_framework() {
    let model = model();
    for expected in expected() {
        let encoded = encode(&model, &expected.text);
        let found = encoded.span(range(expected.holder)).unwrap();
        assert_near(&found, &expected.holder_vector, &expected.text);
        let likeness = cosine(&found, &expected.exact_holder_vector);
        assert!(0.99 < likeness, "{}: {likeness}", expected.text);
    }
}

#[test]
fn judgements_are_those_of_the_framework() {
    let model = model();
    for expected in expected() {
        let sentence = &encode(&model, &expected.text);
        let target = range(expected.target);
        let question = SentimentQuestion { sentence, target: target.clone() };
        let sentiment = model.sentiment(&[question]).unwrap()[0].unwrap();
        assert_near(&sentiment.probabilities, &softmax(&expected.sentiment), &expected.text);
        let holders = [Some(range(expected.holder)), None];
        let questions =
            holders.map(|holder| StanceQuestion { sentence, holder, target: target.clone() });
        let stances = model.stance(&questions).unwrap();
        assert_stance(stances[0].unwrap(), &expected.stance, &expected.text);
        assert_stance(stances[1].unwrap(), &expected.author_stance, &expected.text);
    }
}

#[test]
fn names_are_those_of_the_framework() {
    let tagger = Tagger::open(Files::Folder(&folder())).unwrap();
    for expected in expected() {
        let found = tagger.names(&[&expected.text]).unwrap().remove(0);
        let shown: Vec<_> = found
            .iter()
            .map(|name| (name.bytes.clone(), format!("{:?}", name.kind).to_lowercase()))
            .collect();
        let names = expected.names.iter();
        let wanted: Vec<_> = names.map(|name| (range(name.bytes), name.kind.clone())).collect();
        assert_eq!(shown, wanted, "{}", expected.text);
        let sure: Vec<f32> = found.iter().map(|name| name.confidence).collect();
        let wanted: Vec<f32> = expected.names.iter().map(|name| name.confidence).collect();
        assert_near(&sure, &wanted, &expected.text);
    }
}

#[test]
fn another_opinion_counts_beside_the_network_s() {
    let tagger = Tagger::open(Files::Folder(&folder())).unwrap();
    let text = "Arcadia condemned the raid.";
    let by = |opinion: fn(usize, Range<usize>, Tag) -> f32| {
        let names = tagger.names_with(&[text], opinion).unwrap().remove(0);
        names.into_iter().map(|name| (name.bytes, name.kind)).collect::<Vec<_>>()
    };
    let alone = by(|_, _, _| 0.0);
    let names = tagger.names(&[text]).unwrap().remove(0);
    assert_eq!(alone, names.into_iter().map(|name| (name.bytes, name.kind)).collect::<Vec<_>>());
    assert_ne!(alone, []);
    assert_eq!(by(|_, _, tag| if tag == Tag::Outside { 99.0 } else { 0.0 }), []);
    let raid = by(|_, bytes, tag| {
        let wanted = if bytes == (22..26) { Tag::Begin(NameKind::Event) } else { Tag::Outside };
        if tag == wanted { 99.0 } else { 0.0 }
    });
    assert_eq!(raid, [(22..26, NameKind::Event)]);
}

#[test]
fn names_in_company_are_nearly_those_alone() {
    let tagger = Tagger::open(Files::Folder(&folder())).unwrap();
    let expected = expected();
    let sentence = &expected[0].text;
    let long = format!("{sentence} ").repeat(40);
    let found = tagger.names(&["", sentence, &long, sentence]).unwrap();
    assert_eq!(found[0], []);
    assert_eq!(found[1], found[3]);
    assert!(found[2].last().is_some_and(|name| long.len() - 80 < name.bytes.end), "to the end");
    for names in &found {
        let in_order = |pair: &[Name]| pair[0].bytes.end <= pair[1].bytes.start;
        assert!(names.windows(2).all(in_order));
    }
}

/// Every byte that the framework gives a word piece has a vector, and no other has.
#[test]
fn word_pieces_stand_where_the_framework_puts_them() {
    let model = model();
    for expected in expected() {
        let encoded = encode(&model, &expected.text);
        for (byte, character) in expected.text.char_indices() {
            let bytes = byte..byte + character.len_utf8();
            let is_read = expected.places.iter().any(|&place| range(place).contains(&byte));
            let found = encoded.span(bytes).is_some();
            assert_eq!(found, is_read, "{character:?} of {}", expected.text);
        }
    }
}

#[test]
fn sentences_in_company_keep_their_order_and_nearly_their_vectors() {
    let model = model();
    let expected = expected();
    let texts: Vec<&str> = expected.iter().map(|expected| expected.text.as_str()).collect();
    let together = model.encode(&texts).unwrap();
    assert_eq!(together, model.encode(&texts).unwrap(), "the same call gives the same numbers");
    let twice: Vec<&str> = texts.iter().chain(&texts).copied().collect();
    for (found, expected) in model.encode(&twice).unwrap().iter().zip(expected.iter().cycle()) {
        let found = found.span(range(expected.holder)).unwrap();
        let likeness = cosine(&found, &expected.holder_vector);
        assert!(0.99 < likeness, "{}: {likeness}", expected.text);
    }
}

#[test]
fn long_sentences_are_read_to_their_end() {
    let model = model();
    let expected = expected();
    let sentence = &expected[0].text;
    let text = format!("{sentence} ").repeat(40);
    let encoded = encode(&model, &text);
    assert!(encoded.is_whole());
    assert!(encoded.span(text.trim_end().len() - 1..text.len()).is_some(), "the last full stop");
    // A name in the middle has nearly the same company in its window as its neighbour in another.
    let at = |number: usize| {
        let start = number * (sentence.len() + 1) + expected[0].holder.0;
        encoded.span(start..start + expected[0].holder.1 - expected[0].holder.0).unwrap()
    };
    for number in 10..20 {
        let likeness = cosine(&at(number), &at(number + 1));
        assert!(0.5 < likeness, "{number}: {likeness}");
    }
}

#[test]
fn a_text_without_end_is_cut_and_says_so() {
    let model = model();
    let text = "a ".repeat(MAX_PIECES + 1);
    let encoded = encode(&model, &text);
    assert!(!encoded.is_whole());
    assert!(encoded.span(2 * MAX_PIECES - 2..2 * MAX_PIECES).is_some(), "the last that is read");
    let behind = 2 * MAX_PIECES..2 * MAX_PIECES + 1;
    assert_eq!(encoded.span(behind.clone()), None);
    let questions = [0..1, behind].map(|target| SentimentQuestion { sentence: &encoded, target });
    let answers = model.sentiment(&questions).unwrap();
    assert_eq!([answers[0].is_some(), answers[1].is_some()], [true, false]);
}

#[test]
fn texts_without_words_have_no_places() {
    let model = model();
    assert_eq!(model.encode(&[]).unwrap(), []);
    for text in ["", " \n", "\u{200b}"] {
        let sentence = &encode(&model, text);
        assert!(sentence.is_whole(), "{text:?}");
        let question = StanceQuestion { sentence, holder: None, target: 0..text.len() };
        assert_eq!(model.stance(&[question]).unwrap(), [None], "{text:?}");
    }
    assert_eq!(model.stance(&[]).unwrap(), []);
    assert_eq!(model.sentiment(&[]).unwrap(), []);
}

#[test]
fn threads_share_a_model_and_agree() {
    let model = model();
    let expected = expected();
    let texts: Vec<&str> = expected.iter().map(|expected| expected.text.as_str()).collect();
    let alone = model.encode(&texts).unwrap();
    thread::scope(|scope| {
        let readers = [(); 4].map(|()| scope.spawn(|| model.encode(&texts).unwrap()));
        for reader in readers {
            assert_eq!(reader.join().unwrap(), alone);
        }
    });
}

/// A copy of the fixture in which one file has been changed.
fn spoilt(name: &str, change: impl FnOnce(Vec<u8>) -> Vec<u8>) -> (tempfile::TempDir, LoadError) {
    let copy = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(folder()).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
    }
    let path = copy.path().join(name);
    fs::write(&path, change(fs::read(&path).unwrap())).unwrap();
    let tagger = Tagger::open(Files::Folder(copy.path()));
    let error = Model::open(copy.path()).err().or(tagger.err()).unwrap();
    (copy, error)
}

#[test]
fn one_changed_bit_is_damage() {
    let files = [
        "encoder.onnx",
        "encoder.data",
        "sentiment.onnx",
        "stance.onnx",
        "names.onnx",
        "names.data",
        "vocab.txt",
    ];
    for name in files {
        let (_, error) = spoilt(name, |mut bytes| {
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            bytes
        });
        let LoadError::Damaged { path, .. } = &error else { panic!("{error}") };
        assert!(path.ends_with(name), "{error}");
        assert!(error.to_string().contains("is damaged"), "{error}");
    }
}

#[test]
fn a_manifest_that_cannot_be_is_refused() {
    let replace = |from: &'static str, to: &'static str| {
        move |bytes: Vec<u8>| String::from_utf8(bytes).unwrap().replace(from, to).into_bytes()
    };
    let cases = [
        ("no JSON", "{", "", "is not the manifest of a model"),
        ("no room", "\"window\": 64", "\"window\": 2", "windows of 2 word pieces"),
        ("all shared", "\"overlap\": 12", "\"overlap\": 62", "that share 62"),
        ("unlisted", "vocab.txt", "words.txt", "does not list vocab.txt"),
    ];
    for (case, from, to, expected) in cases {
        let (_, error) = spoilt("manifest.json", replace(from, to));
        assert!(error.to_string().contains(expected), "{case}: {error}");
    }
    let error = Model::open(Path::new("no-such-model")).unwrap_err();
    assert!(error.to_string().starts_with("cannot read no-such-model/manifest.json"), "{error}");
}
