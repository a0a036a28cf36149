//! Reads the labelled sets into sentences with parties and pairs.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use flate2::read::GzDecoder;
use serde_json::Value;
use standpoint_document::{Annotation, Span};
use standpoint_stance::Party;

use crate::tokens::tokens;

/// A sentence with its parties, pairs and the class of each pair.
pub(crate) struct Labelled {
    pub(crate) id: String,
    pub(crate) text: String,
    pub(crate) tokens: Vec<Annotation>,
    pub(crate) parties: Vec<Party>,
    pub(crate) pairs: Vec<(Option<u16>, u16)>,
    /// 0 negative, 1 neutral, 2 positive.
    pub(crate) classes: Vec<usize>,
}

fn lines(path: &Path) -> Vec<Value> {
    let file = File::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let reader: Box<dyn Read> = if path.extension().is_some_and(|ending| ending == "gz") {
        Box::new(GzDecoder::new(file))
    } else {
        Box::new(file)
    };
    BufReader::new(reader)
        .lines()
        .map(|line| serde_json::from_str(&line.expect("UTF-8")).expect("JSON"))
        .collect()
}

/// The set `attitudes`: every ordered pair of actors named by the labels, and the author.
///
/// - `others`: add names that no label mentions, whose pairs are neutral, as a document has them.
pub(crate) fn attitudes(path: &Path, others: bool) -> Vec<Labelled> {
    lines(path).iter().map(|row| attitude(row, others)).collect()
}

/// What a larger network says of sentences that nobody labelled: the lines that `teach.py` of
/// `standpoint-encoder` writes, with how likely it holds each class of a pair.
pub(crate) fn taught(path: &Path) -> Vec<(Labelled, Vec<[f32; 3]>)> {
    lines(path).iter().map(answered).collect()
}

fn answered(row: &Value) -> (Labelled, Vec<[f32; 3]>) {
    let text = row["text"].as_str().expect("a text").to_owned();
    let list = |key: &str| row[key].as_array().expect("a list");
    let byte = |offset: &Value| byte_at(&text, offset.as_u64().expect("an offset"));
    let party = |(index, span): (usize, &Value)| Party {
        span: Span::new(byte(&span[0]), byte(&span[1])),
        actor: index as u32,
        inert: false,
    };
    let number = |value: &Value| value.as_u64().map(|number| number as u16);
    let pair = |pair: &Value| (number(&pair[0]), number(&pair[1]).expect("a target"));
    let share = |value: &Value| value.as_f64().expect("a share") as f32;
    let shares = |answer: &Value| std::array::from_fn(|class| share(&answer[class]));
    let answers = list("stance").iter().map(shares).collect();
    let labelled = Labelled {
        id: text.clone(),
        tokens: tokens(&text),
        parties: list("spans").iter().enumerate().map(party).collect(),
        pairs: list("pairs").iter().map(pair).collect(),
        classes: Vec::new(),
        text: text.clone(),
    };
    (labelled, answers)
}

fn attitude(row: &Value, others: bool) -> Labelled {
    let text = row["sentence"].as_str().unwrap_or_default().to_owned();
    let byte = |offset: u64| byte_at(&text, offset);
    let span = |place: &Value| -> Option<Span> {
        Some(Span::new(byte(place["start"].as_u64()?), byte(place["end"].as_u64()?)))
    };
    let empty = Vec::new();
    let labels = row["attitudes"].as_array().unwrap_or(&empty);
    let mut spans: Vec<Span> = labels
        .iter()
        .flat_map(|label| [span(&label["holder"]), span(&label["target"])])
        .flatten()
        .collect();
    // Whoever else is named has no stance and meets none, as the guideline says.
    let words = tokens(&text);
    let labelled = spans.len();
    if others && labelled < 8 {
        spans.extend(other_names(&text, &words, &spans));
    }
    spans.sort_by_key(|span| (span.start, std::cmp::Reverse(span.end)));
    spans.dedup();
    let parties: Vec<Party> = spans
        .iter()
        .enumerate()
        .map(|(index, &span)| Party { span, actor: index as u32, inert: false })
        .collect();
    let find = |place: &Value| {
        let wanted = span(place)?;
        spans.iter().position(|&span| span == wanted).map(|index| index as u16)
    };
    let mut pairs = Vec::new();
    for target in 0..spans.len() as u16 {
        pairs.push((None, target));
        pairs.extend(
            (0..spans.len() as u16).filter(|&holder| holder != target).map(|h| (Some(h), target)),
        );
    }
    let mut classes = vec![1; pairs.len()];
    for label in labels {
        let Some(target) = find(&label["target"]) else { continue };
        let pair = (find(&label["holder"]), target);
        if let Some(index) = pairs.iter().position(|&known| known == pair) {
            classes[index] = if label["score"].as_f64().unwrap_or(0.0) < 0.0 { 0 } else { 2 };
        }
    }
    let id = row["id"].as_str().unwrap_or_default().to_owned();
    Labelled { id, tokens: words, text, parties, pairs, classes }
}

/// The byte offset of the character with this number.
fn byte_at(text: &str, character: u64) -> u32 {
    text.char_indices().nth(character as usize).map_or(text.len(), |(at, _)| at) as u32
}

/// At most three runs of capitalised words that no label names.
fn other_names(text: &str, words: &[Annotation], known: &[Span]) -> Vec<Span> {
    let mut names: Vec<Span> = Vec::new();
    let mut open: Option<Span> = None;
    for (index, word) in words.iter().enumerate().skip(1) {
        let surface = &text[word.span.range()];
        let capital = surface.len() > 2 && surface.starts_with(char::is_uppercase);
        let free = known.iter().all(|span| !span.overlaps(word.span));
        let joins = open.is_some_and(|span| span.end + 1 == word.span.start);
        if capital && free && !matches!(&text[words[index - 1].span.range()], "." | "“" | "\"") {
            open = match open {
                Some(span) if joins => Some(Span::new(span.start, word.span.end)),
                Some(span) => {
                    names.push(span);
                    Some(word.span)
                }
                None => Some(word.span),
            };
        } else if let Some(span) = open.take() {
            names.push(span);
        }
    }
    names.truncate(3);
    names
}

/// The set `directed-sentiment`: both directions of each marked pair.
pub(crate) fn directed(path: &Path) -> Vec<Labelled> {
    lines(path).iter().filter_map(directed_pair).collect()
}

fn directed_pair(row: &Value) -> Option<Labelled> {
    let marked = row["text_marked"].as_str()?;
    let mut text = String::new();
    let mut spans: Vec<Span> = Vec::new();
    let mut open = None;
    for character in marked.chars() {
        match character {
            '[' => open = Some(text.len() as u32),
            ']' => {
                if let Some(start) = open.take() {
                    spans.push(Span::new(start, text.len() as u32));
                }
            }
            _ => text.push(character),
        }
    }
    if spans.len() != 2 || spans.iter().any(|span| span.is_empty()) {
        return None;
    }
    let surface = |index: usize| &text[spans[index].range()];
    let p = row["p"].as_str()?;
    // The strings are clipped now and then, so the better match decides.
    let similarity = |index: usize| {
        let found = surface(index);
        if found == p {
            3
        } else if found.starts_with(p) || p.starts_with(found) {
            2
        } else {
            i32::from(found.contains(p) || p.contains(found))
        }
    };
    let p_index = usize::from(similarity(1) > similarity(0)) as u16;
    let q_index = 1 - p_index;
    let parties = spans
        .iter()
        .enumerate()
        .map(|(index, &span)| Party { span, actor: index as u32, inert: false })
        .collect();
    let (forward, back) = match row["label"].as_u64()? {
        1 => (2, 1),
        2 => (1, 2),
        3 => (0, 1),
        4 => (1, 0),
        _ => (1, 1),
    };
    let id = row["id"].as_str().unwrap_or_default().to_owned();
    Some(Labelled {
        id,
        tokens: tokens(&text),
        text,
        parties,
        pairs: vec![(Some(p_index), q_index), (Some(q_index), p_index)],
        classes: vec![forward, back],
    })
}
