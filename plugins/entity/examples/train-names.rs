//! Makes the tagger's weights: `cargo run --release -p standpoint-entity --example train-names -- DATA`
//! reads the data folder described in `model/CARD.md`, prints figures on the dev sets and writes
//! `model/tagger.bin`. The same data give the same bytes.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use standpoint_document::{Annotation, Span};
use standpoint_entity::fold::fold;
use standpoint_entity::gazetteer::Gazetteer;
use standpoint_entity::sight::Sight;
use standpoint_entity::tagger::{
    BITS, Class, Row, Scores, TAGS, Tagger, USAGE_BITS, Usage, candidates, features, to_bytes,
    viterbi, word,
};

type Failure = Box<dyn std::error::Error>;

const EPOCHS: usize = 12;
/// How many of a hundred features are left out of each look at a token.
const DROPPED: u64 = 50;
/// By how much the right tag has to win.
const MARGIN: f32 = 3.0;
/// The largest weight of a model, in its units.
const STEPS: f64 = 127.0;
const SEED: u64 = 20_260_801;

/// A sentence with the names in it, as ranges of tokens.
struct Example {
    words: Vec<String>,
    names: Vec<(usize, usize, Class)>,
}

fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let data = arguments.next().ok_or("usage: train DATA [OUTPUT]")?;
    let output = arguments
        .next()
        .unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("model/tagger.bin"));
    let gazetteer = Gazetteer::built_in()?;
    let mut out = std::io::stdout().lock();

    let usage = read_usage(&data)?;
    let mut train = Vec::new();
    for file in [
        "wikigold/train.bio",
        "crossner/politics.train.bio",
        "crossner/science.train.bio",
        "crossner/literature.train.bio",
        "crossner/music.train.bio",
        "crossner/ai.train.bio",
        "btc/train.bio.gz",
        "wnut17/train.bio",
        "wnut17/train.bio.gz",
    ] {
        let path = data.join(file);
        if path.exists() {
            let examples = read_bio(&path)?;
            writeln!(out, "{file}: {} sentences", examples.len())?;
            // Edited prose is what the stage reads; the small sets of it count four times.
            let copies = if file.starts_with("btc") || file.starts_with("wnut") { 1 } else { 4 };
            for _ in 0..copies {
                train.extend(examples.iter().map(|example| prepare(&gazetteer, &usage, example)));
            }
        }
    }
    for (file, examples) in [
        ("ud-gum", read_gum(&data.join("ud-gum/train.conllu.gz"))?),
        ("re3d", read_re3d(&data.join("re3d/train.jsonl"))?),
    ] {
        writeln!(out, "{file}: {} sentences", examples.len())?;
        train.extend(examples.iter().map(|example| prepare(&gazetteer, &usage, example)));
    }
    writeln!(out, "{} sentences to learn from", train.len())?;
    let bytes = learn(&mut train, &usage);
    std::fs::write(&output, &bytes)?;
    let tagger = Tagger::from_bytes(&bytes).ok_or("the model just made cannot be read")?;
    for file in ["uner-ewt/dev.bio", "wikigold/dev.bio", "crossner/politics.dev.bio", "btc/dev.bio"]
    {
        let examples = read_bio(&data.join(file))?;
        writeln!(out, "{file}: {}", evaluate(&gazetteer, &tagger, &examples))?;
    }
    Ok(())
}

/// Counts how words are written inside sentences of running text that nobody labelled, and keeps
/// the most frequent word of each slot.
fn read_usage(data: &Path) -> Result<Vec<u8>, Failure> {
    let mut counts: BTreeMap<u64, [u32; 2]> = BTreeMap::new();
    let mut count = |text: &str| {
        let mut starts = true;
        for word in text.split_whitespace() {
            let bare = word.trim_matches(|character: char| !character.is_alphanumeric());
            let bare = bare.split(['\'', '\u{2019}']).next().unwrap_or_default();
            let first = bare.chars().next();
            let shouted = 1 < bare.len() && !bare.chars().any(char::is_lowercase);
            if let Some(first) = first.filter(|first| first.is_alphabetic() && !starts && !shouted)
            {
                counts.entry(fold(bare)).or_default()[usize::from(first.is_uppercase())] += 1;
            }
            starts = word.ends_with(['.', '!', '?', ':', '"', '\u{201d}', '\u{201c}'])
                || word.starts_with(['"', '\u{201c}', '(']);
        }
    };
    for file in ["news-corpus/news.jsonl.gz", "un-general-debate/speeches-2014-2021.jsonl.gz"] {
        for line in read(&data.join(file))?.lines() {
            let document: Text = serde_json::from_str(line)?;
            count(&document.text);
        }
    }
    for line in read(&data.join("ud-ewt/train.conllu.gz"))?.lines() {
        if let Some(text) = line.strip_prefix("# text = ") {
            count(text);
        }
    }
    let mut table = vec![0; 2 << USAGE_BITS];
    let mut kept = vec![0; 1 << USAGE_BITS];
    for (&word, &[small, capital]) in &counts {
        let total = small + capital;
        let usage = match capital * 10 / total.max(1) {
            0 => 1,
            1..=6 => 2,
            _ => 3,
        };
        let (slot, entry) = Usage::entry(word, usage);
        if kept[slot] < total && 2 <= total {
            kept[slot] = total;
            table[slot * 2..slot * 2 + 2].copy_from_slice(&entry.to_le_bytes());
        }
    }
    Ok(table)
}

#[derive(serde::Deserialize)]
struct Text {
    text: String,
}

/// A sentence ready to learn from: features and gold tags of its candidate tokens, in runs.
struct Sentence {
    runs: Vec<(Vec<Row>, Vec<usize>)>,
}

fn layout(words: &[String]) -> (String, Vec<Annotation>) {
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
    (text, tokens)
}

fn prepare(gazetteer: &Gazetteer, usage: &[u8], example: &Example) -> Sentence {
    let (text, tokens) = layout(&example.words);
    let sight = Sight::new(gazetteer, &text, &tokens, &[]);
    let words: Vec<_> = example
        .words
        .iter()
        .zip(&sight.hints)
        .map(|(text, &hint)| word(text, hint, Usage::new(usage)))
        .collect();
    let candidates = candidates(&words);
    let mut gold = vec![0; words.len()];
    for &(first, end, class) in &example.names {
        // A name that leaves the candidates cannot be found; teaching its rest would confuse.
        if !candidates[first..end].iter().all(|&candidate| candidate) {
            continue;
        }
        gold[first] = 2 * class as usize + 1;
        gold[first + 1..end].fill(2 * class as usize + 2);
    }
    let mut runs = Vec::new();
    let mut index = 0;
    while index < words.len() {
        if !candidates[index] {
            index += 1;
            continue;
        }
        let (mut rows, mut tags) = (Vec::new(), Vec::new());
        while index < words.len() && candidates[index] {
            rows.push(features(&words, index));
            tags.push(gold[index]);
            index += 1;
        }
        runs.push((rows, tags));
    }
    Sentence { runs }
}

/// Averaged structured perceptron.
fn learn(train: &mut [Sentence], usage: &[u8]) -> Vec<u8> {
    let mut weights = vec![0.0_f32; TAGS << BITS];
    let mut sums = vec![0.0_f64; TAGS << BITS];
    let mut transitions = [[0.0_f32; TAGS]; TAGS];
    let mut transition_sums = [[0.0_f64; TAGS]; TAGS];
    let mut random = SEED;
    let mut time = 0.0_f64;
    for _ in 0..EPOCHS {
        shuffle(train, &mut random);
        for (rows, gold) in train.iter().flat_map(|sentence| &sentence.runs) {
            time += 1.0;
            let rows: Vec<Vec<u32>> = rows.iter().map(|row| thin(row, &mut random)).collect();
            let mut scores: Vec<Scores> = rows.iter().map(|row| score(&weights, row)).collect();
            for (scores, &gold) in scores.iter_mut().zip(gold) {
                scores[gold] -= MARGIN;
            }
            let guess = viterbi(&scores, &transitions);
            if guess == *gold {
                continue;
            }
            let (mut gold_before, mut guess_before) = (0, 0);
            for (row, (&gold, &guess)) in rows.iter().zip(gold.iter().zip(&guess)) {
                if gold != guess {
                    for &feature in row {
                        for (tag, step) in [(gold, 1.0_f32), (guess, -1.0)] {
                            let at = feature as usize * TAGS + tag;
                            weights[at] += step;
                            sums[at] += time * f64::from(step);
                        }
                    }
                }
                for (from, to, step) in [(gold_before, gold, 1.0_f32), (guess_before, guess, -1.0)]
                {
                    transitions[from][to] += step;
                    transition_sums[from][to] += time * f64::from(step);
                }
                (gold_before, guess_before) = (gold, guess);
            }
        }
    }
    let average = |weight: f32, sum: f64| f64::from(weight) - sum / (time + 1.0);
    let averaged: Vec<f64> =
        weights.iter().zip(&sums).map(|(&weight, &sum)| average(weight, sum)).collect();
    let largest = averaged.iter().map(|weight| weight.abs()).fold(1.0, f64::max);
    let scale = STEPS / largest;
    let scaled: Vec<f32> = averaged.iter().map(|weight| (weight * scale) as f32).collect();
    let mut scaled_transitions = [[0.0; TAGS]; TAGS];
    for from in 0..TAGS {
        for to in 0..TAGS {
            let weight = average(transitions[from][to], transition_sums[from][to]);
            scaled_transitions[from][to] = (weight * scale) as f32;
        }
    }
    to_bytes(&scaled, &scaled_transitions, usage)
}

/// A row without some of its features, so that no rare word alone carries a decision.
fn thin(row: &Row, random: &mut u64) -> Vec<u32> {
    row.iter().copied().filter(|_| DROPPED <= (next(random) % 100)).collect()
}

fn next(random: &mut u64) -> u64 {
    // SplitMix64.
    *random = random.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *random;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

fn score(weights: &[f32], row: &[u32]) -> Scores {
    let mut scores = [0.0; TAGS];
    for &feature in row {
        let start = feature as usize * TAGS;
        for (score, weight) in scores.iter_mut().zip(&weights[start..start + TAGS]) {
            *score += weight;
        }
    }
    scores
}

fn shuffle<T>(items: &mut [T], random: &mut u64) {
    for last in (1..items.len()).rev() {
        items.swap(last, (next(random) % (last as u64 + 1)) as usize);
    }
}

/// F1 of the tagger alone over the classes that the set has.
fn evaluate(gazetteer: &Gazetteer, tagger: &Tagger<'_>, examples: &[Example]) -> String {
    let has_other =
        examples.iter().flat_map(|example| &example.names).any(|name| name.2 == Class::Other);
    let (mut right, mut found, mut gold) = (0, 0, 0);
    for example in examples {
        let (text, tokens) = layout(&example.words);
        let sight = Sight::new(gazetteer, &text, &tokens, &[]);
        let names: Vec<_> = tagger
            .tag(&text, &tokens, &sight.hints)
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

fn read(path: &Path) -> Result<String, Failure> {
    let bytes = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let mut text = String::new();
    if path.extension().is_some_and(|extension| extension == "gz") {
        flate2::read::MultiGzDecoder::new(bytes.as_slice()).read_to_string(&mut text)?;
    } else {
        text = String::from_utf8(bytes)?;
    }
    Ok(text)
}

/// The class of a label of any of the sets; `None` for what is not a name.
fn class(label: &str) -> Option<Class> {
    Some(match label.to_ascii_lowercase().as_str() {
        "per" | "person" | "politician" | "writer" | "scientist" | "musicalartist"
        | "researcher" => Class::Person,
        "org" | "organisation" | "organization" | "politicalparty" | "corporation" | "group"
        | "university" | "band" => Class::Organisation,
        "loc" | "location" | "country" | "place" => Class::Location,
        "misc" | "event" | "election" | "award" | "book" | "album" | "song" | "poem"
        | "magazine" | "academicjournal" | "conference" | "product" | "creative-work"
        | "nationality" | "astronomicalobject" | "programlang" => Class::Other,
        _ => return None,
    })
}

fn read_bio(path: &Path) -> Result<Vec<Example>, Failure> {
    let mut examples = Vec::new();
    let mut example = Example { words: Vec::new(), names: Vec::new() };
    for line in read(path)?.lines().chain([""]) {
        let Some((word, tag)) = line.split_once('\t') else {
            if !example.words.is_empty() {
                examples.push(example);
                example = Example { words: Vec::new(), names: Vec::new() };
            }
            continue;
        };
        let at = example.words.len();
        if let Some(class) = tag.strip_prefix("B-").and_then(class) {
            example.names.push((at, at + 1, class));
        } else if tag.starts_with("I-")
            && let Some(name) = example.names.last_mut().filter(|name| name.1 == at)
        {
            name.1 = at + 1;
        }
        example.words.push(word.to_owned());
    }
    Ok(examples)
}

/// Mentions that begin and end with a proper noun and have a known type are names; an inner one
/// gives way to the one around it.
fn read_gum(path: &Path) -> Result<Vec<Example>, Failure> {
    let text = read(path)?;
    let mut examples = Vec::new();
    let mut rows: Vec<(String, String)> = Vec::new();
    let mut open: Vec<(String, usize, Option<Class>)> = Vec::new();
    let mut names = Vec::new();
    for line in text.lines().chain([""]) {
        if line.starts_with('#') {
            continue;
        }
        let columns: Vec<&str> = line.split('\t').collect();
        if columns.len() < 10 {
            if !rows.is_empty() {
                examples.push(gum_example(&rows, &mut names));
                rows.clear();
                open.clear();
            }
            continue;
        }
        if columns[0].contains(['-', '.']) {
            continue;
        }
        let at = rows.len();
        rows.push((columns[1].to_owned(), columns[3].to_owned()));
        let entity = columns[9].split('|').find_map(|field| field.strip_prefix("Entity="));
        for (mark, body) in brackets(entity.unwrap_or_default()) {
            let mut parts = body.split('-');
            let group = parts.next().unwrap_or_default().to_owned();
            if mark != ')' {
                let class = parts.next().and_then(class);
                open.push((group.clone(), at, class));
            }
            if mark != '('
                && let Some(last) = open.iter().rposition(|entry| entry.0 == group)
            {
                let (_, first, class) = open.remove(last);
                names.extend(class.map(|class| (first, at + 1, class)));
            }
        }
    }
    Ok(examples)
}

/// The parts of GUM's bracket notation: `(` opens, `)` closes, `*` does both.
fn brackets(mut field: &str) -> Vec<(char, &str)> {
    let mut parts = Vec::new();
    while !field.is_empty() {
        if let Some(rest) = field.strip_prefix('(') {
            let end = rest.find(['(', ')']).unwrap_or(rest.len());
            let closes = rest[end..].starts_with(')');
            parts.push((if closes { '*' } else { '(' }, &rest[..end]));
            field = &rest[end + usize::from(closes)..];
        } else {
            let end = field.find(')').unwrap_or(field.len());
            parts.push((')', &field[..end]));
            field = field.get(end + 1..).unwrap_or_default();
        }
    }
    parts
}

fn gum_example(rows: &[(String, String)], names: &mut Vec<(usize, usize, Class)>) -> Example {
    let tag = |at: usize| rows[at].1.as_str();
    let mut kept: Vec<(usize, usize, Class)> = Vec::new();
    names.sort_by_key(|&(first, end, _)| (first, std::cmp::Reverse(end)));
    for (mut first, mut end, class) in names.drain(..) {
        while first < end && tag(first) == "DET" {
            first += 1;
        }
        while first < end && tag(end - 1) == "PART" {
            end -= 1;
        }
        let proper = first < end
            && end - first <= 8
            && tag(first) == "PROPN"
            && tag(end - 1) == "PROPN"
            && (first..end).all(|at| matches!(tag(at), "PROPN" | "ADP" | "DET" | "NUM" | "ADJ"));
        if proper && kept.last().is_none_or(|last| last.1 <= first) {
            kept.push((first, end, class));
        }
    }
    Example { words: rows.iter().map(|row| row.0.clone()).collect(), names: kept }
}

#[derive(serde::Deserialize)]
struct Re3d {
    text: String,
    entities: Vec<Re3dEntity>,
}

#[derive(serde::Deserialize)]
struct Re3dEntity {
    start: usize,
    end: usize,
    #[serde(rename = "type")]
    kind: String,
}

/// Mentions that begin with a capital are names; the set also marks "the government".
fn read_re3d(path: &Path) -> Result<Vec<Example>, Failure> {
    let mut examples = Vec::new();
    for line in read(path)?.lines() {
        let document: Re3d = serde_json::from_str(line)?;
        let characters: Vec<char> = document.text.chars().collect();
        let mut example = Example { words: Vec::new(), names: Vec::new() };
        let mut class_of = vec![None; characters.len()];
        for entity in &document.entities {
            let Some(class) = class(&entity.kind) else { continue };
            for (offset, slot) in
                class_of.iter_mut().enumerate().take(entity.end).skip(entity.start)
            {
                *slot = Some((entity.start.min(offset), class));
            }
        }
        let mut at = 0;
        let mut previous: Option<(usize, Class)> = None;
        while at < characters.len() {
            if characters[at].is_whitespace() {
                at += 1;
                continue;
            }
            let start = at;
            if characters[at].is_alphanumeric() {
                while at < characters.len() && characters[at].is_alphanumeric() {
                    at += 1;
                }
            } else {
                at += 1;
            }
            let word: String = characters[start..at].iter().collect();
            let index = example.words.len();
            let name = class_of[start];
            match (name, example.names.last_mut()) {
                (Some(_), Some(last)) if name == previous && last.1 == index => {
                    last.1 = index + 1;
                }
                (Some((_, class)), _)
                    if name != previous && word.chars().next().is_some_and(char::is_uppercase) =>
                {
                    example.names.push((index, index + 1, class));
                }
                _ => {}
            }
            previous = name;
            let ends = matches!(word.as_str(), "." | "!" | "?");
            example.words.push(word);
            if ends {
                examples.push(std::mem::replace(
                    &mut example,
                    Example { words: Vec::new(), names: Vec::new() },
                ));
                previous = None;
            }
        }
        if !example.words.is_empty() {
            examples.push(example);
        }
    }
    Ok(examples)
}
