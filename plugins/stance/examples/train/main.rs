//! Trains the linear model of the stance stage.
//!
//! `cargo run --release -p standpoint-stance --example train --features train --
//! DATA_DIR [OUT [TAUGHT]]` reads `attitudes` and `directed-sentiment` below `DATA_DIR`, and what a
//! larger network says of more sentences (the lines that `teach.py` of `standpoint-encoder` writes);
//! trains with a fixed seed, prints figures on parts set aside and on the development files, and
//! writes the weights.
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a tool for developers"
)]

mod contrast;
mod data;
mod tokens;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use data::Labelled;
use standpoint_linear::train::{Example, Report, Settings, cross_validate, train};
use standpoint_stance::Lexicon;
use standpoint_stance::judge::{
    Judge, RulesAndWeights, Sentence, bonuses_of, features_of, recipe, rules_of,
};

fn main() {
    let mut arguments = std::env::args().skip(1);
    let folder = PathBuf::from(arguments.next().expect("the data folder is the first argument"));
    let out = arguments.next().map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("model/stance.bin"),
        PathBuf::from,
    );
    let lexicon = Lexicon::standard().unwrap();
    let attitudes = data::attitudes(&folder.join("attitudes/train.jsonl.gz"), true);
    let directed = data::directed(&folder.join("directed-sentiment/train.jsonl.gz"));
    let attitudes_dev = data::attitudes(&folder.join("attitudes/dev.jsonl.gz"), false);
    let directed_dev = data::directed(&folder.join("directed-sentiment/dev.jsonl"));

    for (name, set) in [("attitudes train", &attitudes), ("directed train", &directed)] {
        let report = Report::<3>::new(set.iter().flat_map(|row| {
            let scores = rules_of(&lexicon, &sentence(row), &row.pairs);
            scores.into_iter().zip(&row.classes).map(|((score, _), &class)| (one_hot(score), class))
        }));
        println!("patterns alone, {name}\n{report}\n");
    }
    let mut examples = Vec::new();
    push_examples(&lexicon, &attitudes, weight("ATT", 3.0), 1, &mut examples);
    push_examples(&lexicon, &directed, weight("DSE", 1.2), 2, &mut examples);
    push_examples(&lexicon, &contrast::contrasts(), weight("CON", 0.2), 3, &mut examples);
    if let Some(lines) = arguments.next() {
        push_taught(&lexicon, Path::new(&lines), weight("TAUGHT", 0.3), &mut examples);
    }
    println!("{} examples", examples.len());
    let settings = Settings {
        bits: 19,
        l2: weight("L2", 1e-5),
        balance: weight("BALANCE", 0.6),
        learning_rate: weight("RATE", 0.03),
        max_rows: Some(220_000),
        min_count: 2,
        ..Settings::default()
    };
    if std::env::var_os("CV").is_some() {
        let result = cross_validate::<3>(&examples, 5, &settings).unwrap();
        let first = attitudes.iter().map(|row| row.pairs.len()).sum::<usize>();
        let part = |range: std::ops::Range<usize>| {
            Report::<3>::new(
                range.map(|index| (result.probabilities[index], examples[index].class)),
            )
        };
        println!("cross-validation, attitudes\n{}\n", part(0..first));
        let second = first + directed.iter().map(|row| row.pairs.len()).sum::<usize>();
        println!("cross-validation, directed\n{}\n", part(first..second));
        let bonus: Vec<[f32; 3]> = attitudes
            .iter()
            .flat_map(|row| bonuses_of(&lexicon, &sentence(row), &row.pairs))
            .collect();
        let whole = |index: usize| {
            let scores: [f32; 3] = std::array::from_fn(|class| {
                result.probabilities[index][class].max(1e-6) * bonus[index][class].exp()
            });
            scores.map(|score| score / scores.iter().sum::<f32>())
        };
        let report =
            Report::<3>::new((0..first).map(|index| (whole(index), examples[index].class)));
        println!("cross-validation with patterns, attitudes\n{report}\n");
        if std::env::var_os("ERRORS").is_some() {
            let mut index = 0;
            for row in &attitudes {
                let rules = rules_of(&lexicon, &sentence(row), &row.pairs);
                for ((&(holder, target), &class), (score, rule)) in
                    row.pairs.iter().zip(&row.classes).zip(rules)
                {
                    show_error(row, (holder, target), class, whole(index), score, rule);
                    index += 1;
                }
            }
        }
    }
    let trained = train::<3>(recipe(), &examples, &settings).unwrap();
    println!(
        "{} epochs, {} rows; held out\n{}\n",
        trained.epochs,
        trained.model.rows(),
        trained.held_out
    );
    let bytes = trained.model.to_bytes();
    std::fs::create_dir_all(out.parent().unwrap()).unwrap();
    std::fs::write(&out, &bytes).unwrap();
    println!("{} bytes to {}", bytes.len(), out.display());

    let judge = RulesAndWeights::new(Arc::new(lexicon), &bytes).unwrap();
    for (name, set) in [("attitudes dev", &attitudes_dev), ("directed dev", &directed_dev)] {
        let report = Report::<3>::new(set.iter().flat_map(|row| {
            let found = judge.judge(&sentence(row), &row.pairs);
            found.into_iter().map(|j| j.probabilities).zip(row.classes.iter().copied())
        }));
        println!("{name}\n{report}\n");
    }
}

/// Prints a pair that is judged wrongly, with what the patterns alone found.
fn show_error(
    row: &Labelled,
    (holder, target): (Option<u16>, u16),
    class: usize,
    found: [f32; 3],
    score: f32,
    rule: &str,
) {
    let names = ["negative", "neutral", "positive"];
    let best = (0..3).max_by(|&left, &right| found[left].total_cmp(&found[right])).unwrap_or(1);
    if best == class {
        return;
    }
    let name = |party: u16| &row.text[row.parties[party as usize].span.range()];
    println!(
        "ERROR {} | {} -> {} | {} but {} {:.2} | {score} {rule} | {}",
        row.id,
        holder.map_or("AUTHOR", name),
        name(target),
        names[class],
        names[best],
        found[best],
        row.text
    );
}

fn weight(name: &str, usual: f32) -> f32 {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(usual)
}

fn sentence(row: &Labelled) -> Sentence<'_> {
    Sentence {
        text: &row.text,
        tokens: &row.tokens,
        parties: &row.parties,
        in_quotes: false,
        published: None,
        speaker: None,
        seen: None,
    }
}

fn one_hot(score: f32) -> [f32; 3] {
    if score < 0.0 {
        [1.0, 0.0, 0.0]
    } else if score > 0.0 {
        [0.0, 0.0, 1.0]
    } else {
        [0.0, 1.0, 0.0]
    }
}

fn push_examples(
    lexicon: &Lexicon,
    set: &[Labelled],
    weight: f32,
    salt: u64,
    examples: &mut Vec<Example>,
) {
    for (number, row) in set.iter().enumerate() {
        let features = features_of(lexicon, &sentence(row), &row.pairs);
        for (features, &class) in features.into_iter().zip(&row.classes) {
            // Sentences of one document stay together.
            let document = row.id.split('#').next().unwrap_or_default();
            let group = if document.len() < row.id.len() {
                document.bytes().fold(salt, |sum, byte| sum.wrapping_mul(131) ^ u64::from(byte))
            } else {
                (number as u64) << 8 | salt
            };
            examples.push(Example { features, class, weight, group, labelled: true });
        }
    }
}

/// Answers that are less likely than this are left out.
const LEAST_SHARE: f32 = 0.1;

/// An example for each class that the larger network holds for likely, which counts as much as it
/// is.
fn push_taught(lexicon: &Lexicon, lines: &Path, weight: f32, examples: &mut Vec<Example>) {
    for (number, (row, answers)) in data::taught(lines).iter().enumerate() {
        let group = (number as u64) << 8 | 4;
        let features = features_of(lexicon, &sentence(row), &row.pairs);
        for (features, answer) in features.into_iter().zip(answers) {
            for (class, &share) in answer.iter().enumerate() {
                if LEAST_SHARE <= share {
                    let (features, weight) = (features.clone(), weight * share);
                    examples.push(Example { features, class, weight, group, labelled: false });
                }
            }
        }
    }
}
