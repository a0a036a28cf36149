//! Times the stage on an article of 1,200 tokens and 120 mentions: `cargo run --release -p
//! standpoint-sentiment --features train --example speed-sentiment`.
#![expect(clippy::print_stdout, reason = "printing the figures is what it is for")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use anyhow::Result;
use standpoint_document::{Annotation, Span};
use standpoint_sentiment::{Judge, Lexicon, tokens};

/// Twenty-four tokens, two of which are mentions that we add.
const SENTENCE: &str = "Prosecutors in the capital accused Mr. Hale of fraud on Tuesday, but Dale \
                        praised his courage and refused to resign from the troubled council. ";
const TOKENS: usize = 1200;
const EVERY: usize = 10;

fn main() -> Result<()> {
    let built = Instant::now();
    let judge = Judge::new(Lexicon::standard())?;
    println!("built in {:?}", built.elapsed());

    let text = SENTENCE.repeat(TOKENS / 24 + 1);
    let words: Vec<Annotation> =
        tokens(&text).into_iter().take(TOKENS).map(Annotation::new).collect();
    let mentions: Vec<Annotation> = words.iter().step_by(EVERY).copied().collect();
    let sentences: Vec<Annotation> = (0..text.len())
        .step_by(SENTENCE.len())
        .map(|start| Annotation::new(Span::new(start as u32, (start + SENTENCE.len()) as u32 - 1)))
        .collect();

    let mut fastest = Duration::MAX;
    for _ in 0..2000 {
        let started = Instant::now();
        black_box(judge.judge(black_box(&text), &sentences, &words, &mentions));
        fastest = fastest.min(started.elapsed());
    }
    println!("{} tokens, {} mentions: {fastest:?}", words.len(), mentions.len());
    Ok(())
}
