//! Trains the weights of the sentence splitter on treebanks and measures tokens and sentences.
//!
//! ```text
//! cargo run --release -p standpoint-tokenise --example train-sentences -- DATA [--check] [--errors]
//! ```
//!
//! `DATA` holds the folders `ud-gum` and `ud-ewt` with `train.conllu.gz` and `dev.conllu.gz`. The
//! weights go to `data/sentences.weights` of the crate; the same data gives the same bytes.
//! `--check` only measures the weights that are there, and `--errors` shows each wrong sentence.

#![expect(clippy::print_stdout, reason = "a program that reports to its user")]

mod conllu;

use std::{collections::HashSet, env, fmt, fs, hash::Hash, ops::Range, path::Path};

use anyhow::{Context, Result};
use conllu::Gold;
use standpoint_linear::train::{Example, Settings, train};
use standpoint_tokenise::{Lists, RECIPE, SentenceSplitter, examples, words};

const WEIGHTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/data/sentences.weights");

/// Treebanks, and how much a sentence of each counts: edited prose is what we read.
const TREEBANKS: [(&str, f32); 2] = [("ud-gum", 2.0), ("ud-ewt", 1.0)];

fn main() -> Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let has = |name: &str| arguments.iter().any(|argument| argument == name);
    let data = Path::new(arguments.first().context("say where the data folder is")?);
    let lists = Lists::standard();
    if !has("--check") {
        train_weights(data, &lists)?;
    }
    let splitter = SentenceSplitter::with_weights(&fs::read(WEIGHTS)?)?;
    for (treebank, _) in TREEBANKS {
        let documents = conllu::read(&data.join(treebank).join("dev.conllu.gz"))?;
        let (mut tokens, mut sentences) = (Score::default(), Score::default());
        for document in &documents {
            let spans = words(&document.text, &lists);
            let found: Vec<_> = splitter
                .split(&document.text, &spans, &lists)
                .iter()
                .map(|sentence| sentence.span(&spans).range())
                .collect();
            if has("--errors") {
                show_errors(treebank, document, &found);
            }
            let spans: Vec<_> = spans.iter().map(|span| span.range()).collect();
            tokens.add(&spans, &document.tokens);
            sentences.add(&found, &document.sentences);
        }
        println!("{treebank} dev tokens    {tokens}");
        println!("{treebank} dev sentences {sentences}");
    }
    Ok(())
}

fn train_weights(data: &Path, lists: &Lists) -> Result<()> {
    let mut all = Vec::new();
    let mut group = 0;
    for (treebank, weight) in TREEBANKS {
        for document in conllu::read(&data.join(treebank).join("train.conllu.gz"))? {
            let tokens = words(&document.text, lists);
            let ends: HashSet<usize> = document.sentences.iter().map(|span| span.end).collect();
            let places =
                examples(&document.text, &tokens, lists, |end| ends.contains(&(end as usize)));
            all.extend(places.into_iter().map(|(features, ends)| Example {
                features,
                class: usize::from(ends),
                weight,
                group,
                labelled: true,
            }));
            group += 1;
        }
    }
    let settings =
        Settings { bits: 18, min_count: 3, learning_rate: 0.1, l2: 1e-4, ..Settings::default() };
    let trained = train::<2>(RECIPE, &all, &settings)?;
    println!(
        "{} places, {} epochs, {} rows, F1 of ends on the part set aside {:.4}",
        all.len(),
        trained.epochs,
        trained.model.rows(),
        trained.held_out.f1(1)
    );
    fs::write(WEIGHTS, trained.model.to_bytes()).context(WEIGHTS)
}

fn show_errors(treebank: &str, document: &Gold, found: &[Range<usize>]) {
    let text = &document.text;
    let ends = |spans: &[Range<usize>]| spans.iter().map(|s| s.end).collect::<HashSet<_>>();
    let (found, gold) = (ends(found), ends(&document.sentences));
    for (kind, places) in [("wrong", found.difference(&gold)), ("missed", gold.difference(&found))]
    {
        for &place in places {
            let from = text.floor_char_boundary(place.saturating_sub(40));
            let to = text.ceil_char_boundary((place + 30).min(text.len()));
            println!(
                "{treebank} {kind} {:?}",
                format!("{}⟦⟧{}", &text[from..place], &text[place..to])
            );
        }
    }
}

/// How many spans are right.
#[derive(Default)]
struct Score {
    right: usize,
    found: usize,
    gold: usize,
}

impl Score {
    fn add<T: Eq + Hash>(&mut self, found: &[T], gold: &[T]) {
        let expected: HashSet<_> = gold.iter().collect();
        self.right += found.iter().filter(|span| expected.contains(span)).count();
        self.found += found.len();
        self.gold += gold.len();
    }
}

impl fmt::Display for Score {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (right, found, gold) = (self.right as f64, self.found as f64, self.gold as f64);
        let (precision, recall) = (100.0 * right / found, 100.0 * right / gold);
        let f1 = 200.0 * right / (found + gold);
        write!(formatter, "precision {precision:.2} recall {recall:.2} F1 {f1:.2}")
    }
}
