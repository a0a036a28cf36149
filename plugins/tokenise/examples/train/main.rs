//! Measures words and sentences on treebanks, and trains the weights of the sentence splitter.

#![allow(clippy::print_stdout, reason = "a program that reports to its user")]

mod conllu;

use std::{collections::HashSet, env, hash::Hash, path::PathBuf};

use anyhow::{Context, Result};
use conllu::Gold;
use standpoint_tokenise::{Lists, words};

fn main() -> Result<()> {
    let data = PathBuf::from(env::args().nth(1).context("say where the data folder is")?);
    let show = env::args().any(|argument| argument == "--errors");
    let split = if env::args().any(|a| a == "--train") { "train" } else { "dev" };
    let lists = Lists::standard();
    for set in ["ud-gum", "ud-ewt"] {
        let documents = conllu::read(&data.join(set).join(format!("{split}.conllu.gz")))?;
        let mut score = Score::default();
        for Gold { text, tokens, .. } in &documents {
            let found: Vec<_> = words(text, &lists)
                .iter()
                .map(|span| span.start as usize..span.end as usize)
                .collect();
            score.add(&found, tokens);
            if show {
                let gold: HashSet<_> = tokens.iter().collect();
                for span in found.iter().filter(|span| !gold.contains(span)) {
                    let from = text.floor_char_boundary(span.start.saturating_sub(25));
                    let to = text.ceil_char_boundary((span.end + 15).min(text.len()));
                    println!(
                        "{set} {:?} {:?}",
                        &text[span.clone()],
                        format!("{}⟦{}⟧{}", &text[from..span.start], &text[span.clone()], &text[span.end..to])
                    );
                }
            }
        }
        println!("{set} {split} tokens {score}");
    }
    Ok(())
}

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

impl std::fmt::Display for Score {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (right, found, gold) = (self.right as f64, self.found as f64, self.gold as f64);
        let f1 = 200.0 * right / (found + gold);
        write!(formatter, "P {:.2} R {:.2} F1 {f1:.2}", 100.0 * right / found, 100.0 * right / gold)
    }
}
