//! Makes the tagger's weights: `cargo run --release -p standpoint-entity --features train --example
//! train-names -- DATA LISTS [OUTPUT [TAUGHT]]` reads the data folder, the lists of names described
//! in `model/CARD.md` and what a teacher says of more sentences, prints figures on the dev sets and
//! writes `model/tagger.bin`. The same data give the same bytes.

mod crf;
mod data;
mod words;

use std::io::Write;
use std::path::{Path, PathBuf};

use standpoint_document::{Annotation, Span};
use standpoint_entity::gazetteer::Gazetteer;
use standpoint_entity::sight::Sight;
use standpoint_entity::tagger::{
    Calibration, Class, KNOTS, Line, Memory, TAGS, Tagger, describe, names, runs, to_bytes, viterbi,
};
use standpoint_entity::vocabulary::Vocabulary;

use crf::{Crf, Run};
use data::{Example, read_bio, read_gum, read_re3d};

type Failure = Box<dyn std::error::Error>;

/// What a set does with names that are neither people, organisations nor places.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Others {
    /// It labels them.
    Labelled,
    /// It does not, and they are there.
    Hidden,
    /// It does not, or mixes them up, and few are there.
    Rare,
}

/// A labelled set: its file, how often it counts, and its other names.
const SETS: [(&str, u32, Others); 10] = [
    ("wikigold/train.bio", 3, Others::Labelled),
    ("crossner/politics.train.bio", 3, Others::Labelled),
    ("crossner/science.train.bio", 2, Others::Labelled),
    ("crossner/literature.train.bio", 2, Others::Labelled),
    ("crossner/music.train.bio", 2, Others::Labelled),
    ("crossner/ai.train.bio", 2, Others::Labelled),
    ("btc/train.bio.gz", 1, Others::Rare),
    ("wnut17/train.bio", 1, Others::Rare),
    ("ud-gum/train.conllu.gz", 2, Others::Hidden),
    ("re3d/train.jsonl", 1, Others::Rare),
];

/// How much the start of a name is favoured, in log-odds: a name that is found wrongly costs less
/// than half of what one that is missed does, as F1 counts.
const LEANING: f32 = 0.7;

/// Sets that tell how sure to be: neither learnt from nor reported in EVALUATION.md.
const CALIBRATE_ON: [&str; 5] = [
    "crossner/science.dev.bio",
    "crossner/literature.dev.bio",
    "crossner/ai.dev.bio",
    "btc/dev.bio",
    "wnut17/dev.bio",
];

fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let (Some(data), Some(lists)) = (arguments.next(), arguments.next()) else {
        return Err("usage: train-names DATA LISTS [OUTPUT [TAUGHT]]".into());
    };
    let output = arguments
        .next()
        .unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("model/tagger.bin"));
    let taught = arguments.next();
    let gazetteer = Gazetteer::built_in()?;
    let mut out = std::io::stdout().lock();

    let table = words::read(&data, &lists, &mut out)?;
    let vocabulary = Vocabulary::new(&table);
    let mut train = Vec::new();
    let labelled = SETS.map(|(file, copies, others)| (data.join(file), copies, others));
    let taught = taught.map(|path| (path, 1, Others::Labelled));
    for (path, copies, others) in labelled.into_iter().chain(taught) {
        let examples = read(&path)?;
        writeln!(out, "{}: {} sentences", path.display(), examples.len())?;
        for example in &examples {
            let runs = prepare(&gazetteer, vocabulary, example, others);
            for _ in 1..copies {
                train.extend(runs.iter().cloned());
            }
            train.extend(runs);
        }
    }
    writeln!(out, "{} runs to learn from", train.len())?;
    let mut crf = Crf::learn(&mut train, &mut out)?;
    for begin in (1..TAGS).step_by(2) {
        crf.transitions.iter_mut().for_each(|row| row[begin] += LEANING);
    }
    let weights = crf.weights();
    let make =
        |calibration: &Calibration| to_bytes(&crf.transitions, calibration, &table, &weights);

    let mut answers = Vec::new();
    for file in CALIBRATE_ON {
        margins(&gazetteer, &crf, vocabulary, &read(&data.join(file))?, &mut answers);
    }
    let calibration = calibrate(&mut answers);
    writeln!(out, "margins and confidences: {calibration:?}")?;
    let bytes = make(&calibration);
    std::fs::write(&output, &bytes)?;
    writeln!(out, "{} bytes", bytes.len())?;

    let tagger = Tagger::from_bytes(&bytes).ok_or("the model just made cannot be read")?;
    for file in ["uner-ewt/dev.bio", "wikigold/dev.bio", "crossner/politics.dev.bio", "btc/dev.bio"]
    {
        let examples = read_bio(&data.join(file))?;
        writeln!(out, "{file}: {}", evaluate(&gazetteer, &tagger, &examples))?;
    }
    Ok(())
}

fn read(path: &Path) -> Result<Vec<Example>, Failure> {
    let name = path.to_string_lossy();
    if name.contains(".conllu") {
        read_gum(path)
    } else if name.ends_with(".jsonl") {
        read_re3d(path)
    } else {
        read_bio(path)
    }
}

/// A sentence as a text, with what the tables see in it.
struct Laid {
    text: String,
    tokens: Vec<Annotation>,
    sight: Sight,
}

impl Laid {
    fn new(gazetteer: &Gazetteer, words: &[String]) -> Self {
        let mut text = String::new();
        let mut tokens = Vec::new();
        for word in words {
            if !text.is_empty() {
                text.push(' ');
            }
            let start = text.len() as u32;
            text.push_str(word);
            tokens.push(Annotation::new(Span::new(start, text.len() as u32)));
        }
        let sight = Sight::new(gazetteer, &text, &tokens, &[]);
        Self { text, tokens, sight }
    }

    fn line(&self) -> Line<'_> {
        Line {
            text: &self.text,
            tokens: &self.tokens,
            looks: &self.sight.looks,
            hints: &self.sight.hints,
        }
    }
}

/// The runs of a sentence with the tags that each token may have.
fn prepare(
    gazetteer: &Gazetteer,
    vocabulary: Vocabulary<'_>,
    example: &Example,
    others: Others,
) -> Vec<Run> {
    let laid = Laid::new(gazetteer, &example.words);
    let runs: Vec<_> = runs(&laid.sight.looks).collect();
    let other = 2 * Class::Other as usize + 1;
    let gold = laid.sight.looks.iter().enumerate().map(|(index, look)| {
        // A capital inside a sentence may begin a name that the set hides.
        let may_hide = others == Others::Hidden && 0 < index && look.upper != 0;
        if may_hide { 1 | 0b11 << other } else { 1 }
    });
    let mut gold: Vec<u16> = gold.collect();
    for &(first, end, class) in &example.names {
        let inside = runs.iter().any(|run| run.start <= first && end <= run.end);
        // A name that leaves the candidates cannot be found whole; its parts may be anything.
        if !inside {
            gold[first..end].fill(u16::MAX);
            continue;
        }
        let begins = 2 * class as usize + 1;
        // What such sets label of other names may be one or not.
        let doubt = u16::from(class == Class::Other && others != Others::Labelled);
        gold[first] = doubt | 1 << begins;
        gold[first + 1..end].fill(doubt | 1 << (begins + 1));
    }
    let mut rows = Vec::new();
    runs.into_iter()
        .map(|run| {
            describe(laid.line(), run.clone(), vocabulary, &mut rows);
            Run { rows: rows.clone(), allowed: gold[run].to_vec() }
        })
        .collect()
}

/// The margin of each name found in a set, and whether it is right.
fn margins(
    gazetteer: &Gazetteer,
    crf: &Crf,
    vocabulary: Vocabulary<'_>,
    examples: &[Example],
    answers: &mut Vec<(f32, bool)>,
) {
    let has_other = has_other(examples);
    let mut rows = Vec::new();
    let (mut back, mut tags) = (Vec::new(), Vec::new());
    for example in examples {
        let laid = Laid::new(gazetteer, &example.words);
        for run in runs(&laid.sight.looks) {
            describe(laid.line(), run.clone(), vocabulary, &mut rows);
            let scores: Vec<_> = rows.iter().map(|row| crf.scores(row)).collect();
            viterbi(&scores, &crf.transitions, &mut back, &mut tags);
            for (name, class, margin) in names(&tags, &scores) {
                if has_other || class != Class::Other {
                    let name = (run.start + name.start, run.start + name.end, class);
                    answers.push((margin, example.names.contains(&name)));
                }
            }
        }
    }
}

/// Puts the answers into bins of equal size by margin, and joins bins until being surer never
/// means being right less often.
fn calibrate(answers: &mut [(f32, bool)]) -> Calibration {
    answers.sort_by(|left, right| left.0.total_cmp(&right.0));
    let size = answers.len().div_ceil(KNOTS).max(1);
    let mut bins: Vec<(f32, f32, usize)> = Vec::new();
    for chunk in answers.chunks(size) {
        let margin = chunk.iter().map(|answer| answer.0).sum::<f32>() / chunk.len() as f32;
        let right = chunk.iter().filter(|answer| answer.1).count() as f32 / chunk.len() as f32;
        bins.push((margin, right, chunk.len()));
    }
    while let Some(at) = bins.windows(2).position(|pair| pair[1].1 < pair[0].1) {
        let (left, right) = (bins[at], bins.remove(at + 1));
        let total = (left.2 + right.2) as f32;
        let mean = |a: f32, b: f32| (a * left.2 as f32 + b * right.2 as f32) / total;
        bins[at] = (mean(left.0, right.0), mean(left.1, right.1), left.2 + right.2);
    }
    std::array::from_fn(|knot| {
        // Fewer bins than points: the last one is repeated, a little further on.
        let (margin, right, _) = bins[knot.min(bins.len() - 1)];
        (margin + knot.saturating_sub(bins.len() - 1) as f32, right)
    })
}

fn has_other(examples: &[Example]) -> bool {
    examples.iter().flat_map(|example| &example.names).any(|name| name.2 == Class::Other)
}

/// F1 of the tagger alone over the classes that the set has.
fn evaluate(gazetteer: &Gazetteer, tagger: &Tagger<'_>, examples: &[Example]) -> String {
    let has_other = has_other(examples);
    let (mut right, mut found, mut gold) = (0, 0, 0);
    for example in examples {
        let laid = Laid::new(gazetteer, &example.words);
        let names: Vec<_> = tagger
            .tag(laid.line(), &mut Memory::default())
            .into_iter()
            .map(|tagged| (tagged.first as usize, tagged.end as usize, tagged.class))
            .filter(|name| has_other || name.2 != Class::Other)
            .collect();
        right += names.iter().filter(|name| example.names.contains(name)).count();
        found += names.len();
        gold += example.names.len();
    }
    let (precision, recall) = (right as f64 / found as f64, right as f64 / gold as f64);
    let f1 = 2.0 * precision * recall / (precision + recall);
    format!("tagger alone: P {precision:.3} R {recall:.3} F1 {f1:.3}")
}
