//! Makes the weights: `cargo run --release -p standpoint-sentiment --features train --example
//! train-sentiment -- DATA_DIR [TAUGHT]`.
//!
//! Trains on the training parts of `newsmtsc` and `sentfin` and on what a larger network says of
//! more sentences (the lines that `teach.py` of `standpoint-encoder` writes), writes
//! `data/target.weights` beside this crate's `Cargo.toml` and prints figures for the development
//! parts. The same data gives the same bytes.
#![expect(clippy::print_stdout, reason = "printing the figures is half of what it is for")]

use std::fs;
use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result};
use flate2::read::GzDecoder;
use serde_json::Value;
use standpoint_document::Span;
use standpoint_linear::Feature;
use standpoint_linear::train::{Example, Report, Settings, cross_validate, train};
use standpoint_sentiment::{Lexicon, RECIPE, describe, tokens};

/// How much a financial headline counts beside a political sentence; by cross-validation.
const HEADLINE_WEIGHT: f32 = 0.2;
/// How much an answer of the larger network counts beside it.
const TAUGHT_WEIGHT: f32 = 0.5;
/// Answers that are less likely than this are left out.
const LEAST_SHARE: f32 = 0.1;
const CLASSES: [&str; 3] = ["negative", "neutral", "positive"];

/// An example and the score that the lexicon alone gives its sentence.
type Row = (Example, f32);

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().context("give the folder that holds newsmtsc and sentfin")?;
    let folder = Path::new(&folder);
    let lexicon = Lexicon::standard();
    let news = read_news(&folder.join("newsmtsc/train.jsonl.gz"), &lexicon)?;
    let headlines = read_headlines(&folder.join("sentfin/train.jsonl.gz"), &lexicon)?;

    let taught = match arguments.next() {
        Some(lines) => read_taught(Path::new(&lines), &lexicon)?,
        None => Vec::new(),
    };

    let settings = Settings {
        learning_rate: 0.02,
        l2: 1e-4,
        balance: 0.4,
        max_rows: Some(60_000),
        held_out: 0.15,
        ..Settings::default()
    };
    let examples: Vec<Example> =
        news.iter().chain(&headlines).chain(&taught).map(|(example, _)| example.clone()).collect();
    let trained = train::<3>(RECIPE, &examples, &settings)?;
    let bytes = trained.model.to_bytes();
    fs::write(Path::new(env!("CARGO_MANIFEST_DIR")).join("data/target.weights"), &bytes)?;
    println!("{} epochs, {} rows, {} bytes", trained.epochs, trained.model.rows(), bytes.len());

    let checked = cross_validate::<3>(&examples, 4, &settings)?;
    let answers = checked.probabilities.iter().zip(&examples).take(news.len());
    let report = Report::<3>::new(answers.map(|(answer, example)| (*answer, example.class)));
    println!("\nnewsmtsc train, 4-fold cross-validation\n{report}");

    let sets = [
        ("newsmtsc dev_rw", read_news(&folder.join("newsmtsc/dev_rw.jsonl"), &lexicon)?),
        ("newsmtsc dev_mt", read_news(&folder.join("newsmtsc/dev_mt.jsonl"), &lexicon)?),
        ("sentfin dev", read_headlines(&folder.join("sentfin/dev.jsonl"), &lexicon)?),
    ];
    for (name, rows) in &sets {
        let answer = |(example, _): &Row| (trained.model.predict(&example.features), example.class);
        println!("\n{name}\n{}", Report::<3>::new(rows.iter().map(answer)));
        let baseline = Report::<3>::new(
            rows.iter().map(|(example, score)| (by_lexicon(*score), example.class)),
        );
        println!("baseline, the sentence's score by the lexicon: {:.4}", baseline.macro_f1());
    }
    print_sentence_calibration(&news);
    Ok(())
}

fn by_lexicon(score: f32) -> [f32; 3] {
    match score {
        score if score <= -0.15 => [1.0, 0.0, 0.0],
        score if score >= 0.15 => [0.0, 0.0, 1.0],
        _ => [0.0, 1.0, 0.0],
    }
}

/// How often the lexicon's label is that of the mention, by the size of its score: from this the
/// confidence of sentences was fitted by hand.
fn print_sentence_calibration(rows: &[Row]) {
    println!("\nsentence score: share of mentions with the same label");
    for bin in 0..10_u8 {
        let low = f32::from(bin) / 10.0;
        let inside = |&&(_, score): &&Row| low <= score.abs() && score.abs() < low + 0.1;
        let answers = rows.iter().filter(inside).map(|(e, score)| (by_lexicon(*score), e.class));
        let report = Report::<3>::new(answers);
        println!("{low:.1}  {:.3}  n {}", report.accuracy(), report.count());
    }
}

fn read_news(path: &Path, lexicon: &Lexicon) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for record in read_lines(path)? {
        let text = record["sentence"].as_str().context("a sentence")?;
        let number = |key: &str| record[key].as_u64().with_context(|| format!("a number {key}"));
        let span = Span::new(byte_at(text, number("from")?), byte_at(text, number("to")?));
        let class = record["polarity"].as_i64().context("a polarity")? + 1;
        // The first three parts of an id name the article.
        let id = record["id"].as_str().context("an id")?;
        let article: Vec<&str> = id.split('_').take(3).collect();
        rows.extend(row(lexicon, text, span, usize::try_from(class)?, 1.0, &article.join("_")));
    }
    Ok(rows)
}

fn read_headlines(path: &Path, lexicon: &Lexicon) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for record in read_lines(path)? {
        let text = record["text"].as_str().context("a text")?;
        for (name, class) in record["targets"].as_object().context("targets")? {
            // A few names are not spelt as in the headline.
            let Some(start) = text.find(name.as_str()) else { continue };
            let span = Span::new(start as u32, (start + name.len()) as u32);
            let class = CLASSES.iter().position(|known| class == known).context("a class")?;
            rows.extend(row(lexicon, text, span, class, HEADLINE_WEIGHT, text));
        }
    }
    Ok(rows)
}

/// An example for each class that the larger network holds for likely, which counts as much as it
/// is.
fn read_taught(path: &Path, lexicon: &Lexicon) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for record in read_lines(path)? {
        let text = record["text"].as_str().context("a text")?;
        let list = |key: &str| record[key].as_array().with_context(|| format!("a list {key}"));
        let (spans, answers) = (list("spans")?, list("sentiment")?);
        for (pair, answer) in list("pairs")?.iter().zip(answers) {
            // The sentiment toward a target is the same whoever is asked about.
            if !pair[0].is_null() {
                continue;
            }
            let target = pair[1].as_u64().context("a target")? as usize;
            let end = |index: usize| spans[target][index].as_u64().context("a span");
            let span = Span::new(byte_at(text, end(0)?), byte_at(text, end(1)?));
            let Some((example, score)) = row(lexicon, text, span, 0, 1.0, text) else { continue };
            for class in 0..CLASSES.len() {
                let share = answer[class].as_f64().context("a share")? as f32;
                if LEAST_SHARE <= share {
                    let (example, weight) = (example.clone(), TAUGHT_WEIGHT * share);
                    rows.push((Example { class, weight, labelled: false, ..example }, score));
                }
            }
        }
    }
    Ok(rows)
}

fn row(
    lexicon: &Lexicon,
    text: &str,
    span: Span,
    class: usize,
    weight: f32,
    group: &str,
) -> Option<Row> {
    let (features, score) = describe(lexicon, text, &tokens(text), span)?;
    let group = Feature::new("group").text(group).as_u64();
    Some((Example { features, class, weight, group, labelled: true }, score))
}

fn read_lines(path: &Path) -> Result<Vec<Value>> {
    let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut text = String::new();
    if path.extension().is_some_and(|extension| extension == "gz") {
        GzDecoder::new(&bytes[..]).read_to_string(&mut text)?;
    } else {
        text = String::from_utf8(bytes)?;
    }
    text.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
}

/// The byte offset of the character with this number.
fn byte_at(text: &str, character: u64) -> u32 {
    text.char_indices().nth(character as usize).map_or(text.len(), |(at, _)| at) as u32
}
