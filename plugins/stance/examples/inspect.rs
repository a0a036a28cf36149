//! Shows how a sentence is read: `cargo run -p standpoint-stance --example inspect < LINES`.
//!
//! Each line is a sentence with its names in square brackets: `[Poland] condemned [Russia] .`
#![expect(clippy::print_stdout, reason = "a tool for developers")]

#[path = "train/tokens.rs"]
mod tokens;

use std::sync::Arc;

use standpoint_document::Span;
use standpoint_stance::Lexicon;
use standpoint_stance::Party;
use standpoint_stance::judge::{Judge, RulesAndWeights, Sentence, trace};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let lexicon = Arc::new(Lexicon::standard()?);
    let judge = RulesAndWeights::new(
        Arc::clone(&lexicon),
        include_bytes!("../model/stance.bin").as_slice(),
    )
    .ok();
    for line in std::io::stdin().lines() {
        let line = line?;
        let mut text = String::new();
        let mut parties: Vec<Party> = Vec::new();
        let mut start = 0;
        for character in line.chars() {
            match character {
                '[' => start = text.len() as u32,
                ']' => {
                    let span = Span::new(start, text.len() as u32);
                    parties.push(Party { span, actor: parties.len() as u32, inert: false });
                }
                _ => text.push(character),
            }
        }
        let tokens = tokens::tokens(&text);
        let sentence = Sentence {
            text: &text,
            tokens: &tokens,
            parties: &parties,
            in_quotes: false,
            published: None,
            speaker: None,
            seen: None,
        };
        println!("{line}\n{}", trace(&lexicon, &sentence));
        let Some(judge) = &judge else { continue };
        let count = parties.len() as u16;
        let holders = || std::iter::once(None).chain((0..count).map(Some));
        let pairs: Vec<(Option<u16>, u16)> = holders()
            .flat_map(|holder| (0..count).map(move |target| (holder, target)))
            .filter(|&(holder, target)| holder != Some(target))
            .collect();
        for ((holder, target), found) in pairs.iter().zip(judge.judge(&sentence, &pairs)) {
            let [negative, neutral, positive] = found.probabilities;
            let name = |party: u16| &text[parties[party as usize].span.range()];
            println!(
                "  {} -> {}: - {negative:.2}  0 {neutral:.2}  + {positive:.2}  {} {:?} {:?}",
                holder.map_or("the voice", name),
                name(*target),
                found.rule,
                found.voice,
                found.time
            );
        }
        println!();
    }
    Ok(())
}
