//! What the crate promises: what was trained is what is read, and damage is noticed.

use proptest::prelude::*;
use standpoint_linear::train::{
    Example, Report, Settings, TrainError, cross_validate, fit_temperature, train,
};
use standpoint_linear::{Feature, Features, LinearModel, LoadError};

const WORD: Feature = Feature::new("word");
const RECIPE: &str = "toy/1";

fn bag(words: &[&str]) -> Features {
    let mut features = Features::new();
    features.extend(words.iter().map(|word| WORD.text(word)));
    features
}

/// Three classes with a word each, among words that say nothing. One in `noise` labels is wrong.
fn toy(count: u64, noise: u64) -> Vec<Example> {
    let example = |index: u64| {
        let shown = (index % 3) as usize;
        let told = ["bad", "so-so", "good"][shown];
        let (a, b) = (format!("a{}", index % 7), format!("b{}", index % 11));
        let is_wrong = noise > 0 && (index / 3).is_multiple_of(noise);
        let class = if is_wrong { (shown + 1) % 3 } else { shown };
        Example { features: bag(&[told, &a, &b]), class, weight: 1.0, group: index, labelled: true }
    };
    (0..count).map(example).collect()
}

fn trained(examples: &[Example]) -> LinearModel<3> {
    train(RECIPE, examples, &Settings { bits: 12, ..Settings::default() })
        .expect("the toy can be learnt")
        .model
}

#[test]
fn learns_what_is_separable() {
    let model = trained(&toy(600, 0));
    for (class, word) in ["bad", "so-so", "good"].into_iter().enumerate() {
        let probabilities = model.predict(&bag(&[word, "a1", "unheard"]));
        assert!(probabilities[class] > 0.9, "{word}: {probabilities:?}");
    }
    let report = cross_validate::<3>(&toy(600, 0), 5, &Settings::default()).unwrap().report;
    assert!(report.macro_f1() > 0.999, "{report}");
}

#[test]
fn same_examples_and_settings_give_the_same_bytes() {
    assert_eq!(trained(&toy(300, 5)).to_bytes(), trained(&toy(300, 5)).to_bytes());
    let other_seed = Settings { seed: 2, bits: 12, ..Settings::default() };
    let other = train::<3>(RECIPE, &toy(300, 5), &other_seed).unwrap().model;
    assert_ne!(trained(&toy(300, 5)).to_bytes(), other.to_bytes());
}

#[test]
fn file_round_trips() {
    let model = trained(&toy(300, 5));
    let read = LinearModel::<3>::from_bytes(&model.to_bytes(), RECIPE).unwrap();
    assert_eq!(read, model);
}

#[test]
fn an_unsuitable_file_is_refused_with_the_reason() {
    let bytes = trained(&toy(300, 0)).to_bytes();
    let mut flipped = bytes.clone();
    flipped[40] ^= 1;
    let two_classes = LinearModel::<2>::from_bytes(&bytes, RECIPE).unwrap_err();
    let cases = [
        ("empty", LinearModel::<3>::from_bytes(b"", RECIPE).unwrap_err(), LoadError::NotAModel),
        ("text", LinearModel::<3>::from_bytes(b"hello", RECIPE).unwrap_err(), LoadError::NotAModel),
        (
            "magic only",
            LinearModel::<3>::from_bytes(b"SPLINEAR", RECIPE).unwrap_err(),
            LoadError::Damaged,
        ),
        (
            "bit flipped",
            LinearModel::<3>::from_bytes(&flipped, RECIPE).unwrap_err(),
            LoadError::Damaged,
        ),
        ("classes", two_classes, LoadError::Classes { found: 3, expected: 2 }),
        (
            "recipe",
            LinearModel::<3>::from_bytes(&bytes, "toy/2").unwrap_err(),
            LoadError::Recipe { expected: "toy/2".to_owned() },
        ),
    ];
    for (case, found, expected) in cases {
        assert_eq!(found, expected, "{case}");
    }
}

#[test]
fn every_cut_and_every_flipped_byte_is_noticed() {
    let bytes = trained(&toy(60, 0)).to_bytes();
    for length in 0..bytes.len() {
        assert!(LinearModel::<3>::from_bytes(&bytes[..length], RECIPE).is_err(), "{length}");
    }
    for place in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[place] = !damaged[place];
        assert!(LinearModel::<3>::from_bytes(&damaged, RECIPE).is_err(), "{place}");
    }
}

#[test]
fn few_rows_keep_the_weightiest() {
    let settings = Settings { max_rows: Some(3), ..Settings::default() };
    let model = train::<3>(RECIPE, &toy(600, 0), &settings).unwrap().model;
    assert_eq!(model.rows(), 3);
    assert!(model.predict(&bag(&["good"]))[2] > 0.9);
}

#[test]
fn contributions_and_prior_make_the_scores() {
    let model = trained(&toy(300, 5));
    let features = bag(&["good", "a1", "b2", "unheard"]);
    let scores = model.scores(&features);
    for class in 0..3 {
        let told: f32 = model.contributions(&features).iter().map(|row| row[class]).sum();
        let sum = told * model.temperature() + model.prior()[class];
        assert!((sum - scores[class]).abs() < 1e-4);
    }
    let mut in_parts = model.prior();
    model.add(&bag(&["good", "a1"]), &mut in_parts);
    model.add(&bag(&["b2", "unheard"]), &mut in_parts);
    assert!(in_parts.iter().zip(scores).all(|(a, b)| (a - b).abs() < 1e-4));
}

#[test]
fn noise_lowers_confidence_to_the_share_that_is_right() {
    let settings = Settings { held_out: 0.3, bits: 12, ..Settings::default() };
    let checked = cross_validate::<3>(&toy(3000, 4), 3, &settings).unwrap();
    assert!((checked.report.accuracy() - 0.75).abs() < 0.01, "{}", checked.report);
    assert!(checked.report.expected_calibration_error() < 0.05, "{}", checked.report);
}

#[test]
fn what_a_model_answered_is_learnt_but_never_set_aside() {
    let mut examples = toy(300, 0);
    let labels = train::<3>(RECIPE, &examples, &Settings::default()).unwrap();
    let answered =
        |group| Example { features: bag(&["grim"]), class: 0, weight: 1.0, group, labelled: false };
    examples.extend((1000..2000).map(answered));
    let both = train::<3>(RECIPE, &examples, &Settings::default()).unwrap();
    assert_eq!(both.held_out.count(), labels.held_out.count());
    assert!(both.model.predict(&bag(&["grim"]))[0] > 0.9);
}

#[test]
fn temperature_undoes_a_known_scaling() {
    // Log-odds of 3 to 1 are right three times in four; sharpened fivefold they need 5.
    let scores = [[3.0_f32.ln() * 5.0, 0.0]; 4];
    let temperature = fit_temperature(&scores, &[0, 0, 0, 1]);
    assert!((temperature - 5.0).abs() < 0.01, "{temperature}");
    assert!((fit_temperature::<2>(&[], &[]) - 1.0).abs() < f32::EPSILON);
}

#[test]
fn impossible_training_is_refused() {
    let settings = Settings { bits: 40, ..Settings::default() };
    let error = train::<3>(RECIPE, &toy(30, 0), &settings).unwrap_err();
    assert_eq!(error.to_string(), "the setting bits must be between 1 and 24");
    let error = train::<2>(RECIPE, &toy(30, 0), &Settings::default()).unwrap_err();
    assert_eq!(error, TrainError::Example { index: 2, classes: 2 });
    let error = train::<3>(RECIPE, &[], &Settings::default()).unwrap_err();
    assert_eq!(error, TrainError::NothingHeldOut { examples: 0 });
}

#[test]
fn report_counts_by_class() {
    let answers = [([0.9, 0.1], 0), ([0.8, 0.2], 1), ([0.3, 0.7], 1), ([0.4, 0.6], 1)];
    insta::assert_snapshot!(Report::new(answers), @r"
    class  precision  recall  f1     true
    0      0.500      1.000   0.667  1
    1      1.000      0.667   0.800  3
    macro F1 0.7333  accuracy 0.7500  calibration error 0.4000  n 4
    ");
}

proptest! {
    #[test]
    fn any_bytes_are_a_model_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = LinearModel::<3>::from_bytes(&bytes, RECIPE);
        let _ = LinearModel::<3>::from_bytes(&[b"SPLINEAR", &bytes[..]].concat(), RECIPE);
    }
}
