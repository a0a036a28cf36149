//! Contrast sets: made sentences that differ in one thing, such as direction, negation or mood.
//!
//! They are built from the cue lists, so that the model learns what a pattern is worth where real
//! sentences are too few: a refusal, a condition, a passive, a bystander.

use standpoint_document::Span;
use standpoint_stance::Party;

use crate::data::Labelled;
use crate::tokens::tokens;

const NEGATIVE: usize = 0;
const NEUTRAL: usize = 1;
const POSITIVE: usize = 2;

/// A frame: `H`, `T` and `B` stand for holder, target and bystander, `V` for the verb. Behind it
/// what the holder's stance is when the verb is negative, and when it is positive; `None` leaves
/// the pair out, for it may be read both ways.
const FRAMES: &[(&str, Option<usize>, Option<usize>)] = &[
    ("H will V T .", Some(NEGATIVE), Some(POSITIVE)),
    ("H decided to V T , the minister said .", Some(NEGATIVE), Some(POSITIVE)),
    ("H vowed to V T in the coming weeks .", Some(NEGATIVE), Some(POSITIVE)),
    ("B says that H will V T .", Some(NEGATIVE), Some(POSITIVE)),
    ("H continues to V T , while B has kept silent .", Some(NEGATIVE), Some(POSITIVE)),
    ("Unlike B , H chose to V T .", Some(NEGATIVE), Some(POSITIVE)),
    ("H did not V T .", Some(NEUTRAL), Some(NEGATIVE)),
    ("H has refused to V T .", None, Some(NEGATIVE)),
    ("H declined to V T over the dispute with B .", None, Some(NEGATIVE)),
    ("Not a single official in H was ready to V T .", Some(NEUTRAL), Some(NEGATIVE)),
    ("H will never cease to V T .", Some(NEGATIVE), Some(POSITIVE)),
    ("H could V T , analysts wrote .", Some(NEUTRAL), Some(NEUTRAL)),
    ("If H were to V T , prices would rise .", Some(NEUTRAL), Some(NEUTRAL)),
    ("B urged H to V T .", Some(NEUTRAL), Some(NEUTRAL)),
    ("B asked whether H would V T .", Some(NEUTRAL), Some(NEUTRAL)),
    ("It is untrue that H wanted to V T .", Some(NEUTRAL), Some(NEUTRAL)),
];

/// Makes sentences from every verb of the lists that takes a side.
pub(crate) fn contrasts() -> Vec<Labelled> {
    let mut made = Vec::new();
    let verbs = include_str!("../../cues/verbs.tsv").lines().filter(|line| !line.starts_with('#'));
    for (number, line) in verbs.enumerate() {
        let mut fields = line.split('\t');
        let (Some(verb), Some(score)) = (fields.next(), fields.next()) else { continue };
        let score: f32 = score.parse().unwrap_or(0.0);
        if score == 0.0 {
            continue;
        }
        // Each verb meets a third of the frames, in turn.
        for (index, &(frame, negative, positive)) in FRAMES.iter().enumerate() {
            if (index + number) % 3 == 0 {
                let class = if score < 0.0 { negative } else { positive };
                made.push(fill(frame, verb, class, format!("{number}-{index}")));
            }
        }
    }
    made
}

fn fill(frame: &str, verb: &str, class: Option<usize>, id: String) -> Labelled {
    let mut text = String::new();
    let mut places: Vec<(char, Span)> = Vec::new();
    for word in frame.split(' ') {
        if !text.is_empty() && !matches!(word, "." | ",") {
            text.push(' ');
        }
        let start = text.len() as u32;
        match word {
            "H" | "T" | "B" => {
                // Names are masked; these only keep their places.
                let role = word.chars().next().unwrap_or('H');
                text.push_str(match role {
                    'H' => "Arcadia",
                    'T' => "Borduria",
                    _ => "Cordonia",
                });
                places.push((role, Span::new(start, text.len() as u32)));
            }
            "V" => text.push_str(verb),
            word => text.push_str(word),
        }
    }
    let parties: Vec<Party> = places
        .iter()
        .enumerate()
        .map(|(actor, &(_, span))| Party { span, actor: actor as u32, inert: false })
        .collect();
    let index =
        |role: char| places.iter().position(|&(known, _)| known == role).map(|at| at as u16);
    let mut pairs = Vec::new();
    let mut classes = Vec::new();
    if let (Some(holder), Some(target)) = (index('H'), index('T')) {
        if let Some(class) = class {
            pairs.push((Some(holder), target));
            classes.push(class);
        }
        pairs.push((Some(target), holder));
        classes.push(NEUTRAL);
        if let Some(bystander) = index('B') {
            pairs.push((Some(bystander), target));
            classes.push(NEUTRAL);
        }
    }
    Labelled { id, tokens: tokens(&text), text, parties, pairs, classes }
}
