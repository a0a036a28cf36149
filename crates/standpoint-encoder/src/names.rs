//! Names in texts: who and what is named, where, and how sure that is.
//!
//! A small model of its own, for names are sought in many more sentences than are judged. Its
//! vocabulary knows no capitals, so how a word is written goes in beside its pieces.

use std::fmt;
use std::ops::Range;

use crate::network::{Network, RunError, Threads};
use crate::weights::{Files, LoadError, Weights};
use crate::window::{MARKS, MAX_PIECES, batches};
use crate::word_pieces::{Piece, VOCABULARY, Vocabulary};

const NAMES: &str = "names.onnx";
const WEIGHTS: &str = "names.data";

/// Outside of names; then for each kind its beginning and its inside.
const TAGS: usize = 1 + 2 * KINDS.len();
/// In the order of the network's tags.
const KINDS: [NameKind; 6] = [
    NameKind::Person,
    NameKind::Organisation,
    NameKind::Place,
    NameKind::People,
    NameKind::Event,
    NameKind::Other,
];

/// Finds names.
///
/// Threads may share it; each call runs on one thread.
pub struct Tagger {
    id: String,
    vocabulary: Vocabulary,
    network: Network<2>,
    temperature: f32,
    /// Word pieces that a window holds besides its marks.
    window: usize,
    overlap: usize,
    threads: Threads,
}

/// A name in a text.
#[derive(Debug, Clone, PartialEq)]
pub struct Name {
    /// Where it stands, in bytes.
    pub bytes: Range<usize>,
    /// What it names.
    pub kind: NameKind,
    /// That words and kind are right, from 0 to 1.
    pub confidence: f32,
}

/// What a name names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameKind {
    /// A person.
    Person,
    /// An organisation, a party or a firm.
    Organisation,
    /// A state or another place.
    Place,
    /// A nation, a people or a faith, often as an adjective.
    People,
    /// An event.
    Event,
    /// A work, a product, an award and the like.
    Other,
}

/// What a word is to the names of its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tag {
    /// It belongs to none.
    Outside,
    /// A name begins with it.
    Begin(NameKind),
    /// A name that has begun goes on with it.
    Inside(NameKind),
}

impl Tag {
    /// The tag of one of the network's scores.
    const fn of(score: usize) -> Self {
        match score.checked_sub(1) {
            None => Self::Outside,
            Some(of_kinds) if of_kinds.is_multiple_of(2) => Self::Begin(KINDS[of_kinds / 2]),
            Some(of_kinds) => Self::Inside(KINDS[of_kinds / 2]),
        }
    }
}

/// A word of a text: its bytes, and its first piece.
#[derive(Debug, Clone, Copy)]
struct Word {
    start: u32,
    end: u32,
    first: usize,
}

impl fmt::Debug for Tagger {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Tagger").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Tagger {
    /// Reads the tagger of a model and tries it once, so that one that opens also answers.
    ///
    /// # Errors
    ///
    /// [`LoadError`] names the file that is missing, damaged or of no use.
    pub fn open(files: Files<'_>) -> Result<Self, LoadError> {
        let weights = Weights::open(files)?;
        // All are checked before the first is used.
        let [vocabulary, network, numbers] =
            [weights.file(VOCABULARY)?, weights.file(NAMES)?, weights.file(WEIGHTS)?];
        let tagger = Self {
            vocabulary: Vocabulary::parse(&String::from_utf8_lossy(&vocabulary))?,
            network: Network::load(NAMES, network, Some((WEIGHTS, numbers)), ["ids", "shapes"])?,
            temperature: weights.manifest.temperatures.names,
            window: weights.manifest.window - MARKS,
            overlap: weights.manifest.overlap,
            threads: Threads::default(),
            id: weights.id,
        };
        tagger.names(&["."])?;
        Ok(tagger)
    }

    /// The model's name, version and hash, such as `standpoint-encoder/1@0c1d2e3f`.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Finds the names of texts: one list for each text, each in order of place, without overlap.
    ///
    /// What is behind the first [`MAX_PIECES`] word pieces of a text is not read.
    ///
    /// # Errors
    ///
    /// [`RunError`] when the runtime fails.
    pub fn names(&self, texts: &[&str]) -> Result<Vec<Vec<Name>>, RunError> {
        self.names_with(texts, |_, _, _| 0.0)
    }

    /// The same, with another tagger's opinion of each word added to the network's before the
    /// likeliest tags are sought.
    ///
    /// - `opinion`: of a word of a text, by the text's number and the word's bytes: the logarithm of
    ///   how likely a tag is, times what the opinion weighs beside the network's; 0 for all tags
    ///   where there is none.
    ///
    /// # Errors
    ///
    /// [`RunError`] when the runtime fails.
    pub fn names_with(
        &self,
        texts: &[&str],
        opinion: impl Fn(usize, Range<usize>, Tag) -> f32,
    ) -> Result<Vec<Vec<Name>>, RunError> {
        let pieces: Vec<Vec<Piece>> =
            texts.iter().map(|text| self.vocabulary.divide(text, MAX_PIECES).0).collect();
        let words: Vec<Vec<Word>> = pieces.iter().map(|pieces| self.words(pieces)).collect();
        let shapes: Vec<Vec<i32>> = texts
            .iter()
            .zip(pieces.iter().zip(&words))
            .map(|(text, (pieces, words))| shapes(text, pieces.len(), words))
            .collect();
        let scores = self.scores(&pieces, &shapes)?;
        let mut names = Vec::with_capacity(texts.len());
        for (text, (words, scores)) in words.iter().zip(&scores).enumerate() {
            // A word is judged by its first piece.
            let judged = words.iter().map(|word| {
                let bytes = word.start as usize..word.end as usize;
                let own = scores[word.first];
                std::array::from_fn(|at| own[at] + opinion(text, bytes.clone(), Tag::of(at)))
            });
            let rows: Vec<[f32; TAGS]> = judged.collect();
            names.push(names_of(words, &rows, self.temperature));
        }
        Ok(names)
    }

    /// What the network says of each word piece of each text.
    fn scores(
        &self,
        pieces: &[Vec<Piece>],
        shapes: &[Vec<i32>],
    ) -> Result<Vec<Vec<[f32; TAGS]>>, RunError> {
        let mut scores: Vec<Vec<[f32; TAGS]>> =
            pieces.iter().map(|pieces| vec![[0.0; TAGS]; pieces.len()]).collect();
        let lengths: Vec<usize> = pieces.iter().map(Vec::len).collect();
        for batch in batches(&lengths, self.window, self.overlap) {
            let length = batch[0].window.reads.len() + MARKS;
            let mut ids = Vec::with_capacity(batch.len() * length);
            let mut written = Vec::with_capacity(batch.len() * length);
            for job in &batch {
                let reads = job.window.reads.clone();
                ids.push(self.vocabulary.first);
                ids.extend(pieces[job.text][reads.clone()].iter().map(|piece| piece.id));
                ids.push(self.vocabulary.last);
                written.push(SMALL);
                written.extend_from_slice(&shapes[job.text][reads]);
                written.push(SMALL);
            }
            let inputs = [self.network.rows(ids, length)?, self.network.rows(written, length)?];
            let found = self.network.run(inputs, batch.len() * length * TAGS, &self.threads)?;
            let found = found.as_chunks::<TAGS>().0;
            for (job, found) in batch.iter().zip(found.chunks_exact(length)) {
                let (reads, keeps) = (&job.window.reads, job.window.keeps.clone());
                // The first is that of the mark before the pieces.
                let from = keeps.start - reads.start + 1;
                let kept = &found[from..from + keeps.len()];
                scores[job.text][keeps].copy_from_slice(kept);
            }
        }
        Ok(scores)
    }

    /// The words that pieces make up.
    fn words(&self, pieces: &[Piece]) -> Vec<Word> {
        let mut words: Vec<Word> = Vec::new();
        for (index, &Piece { id, start, end }) in pieces.iter().enumerate() {
            match words.last_mut() {
                Some(word) if self.vocabulary.continues(id) => word.end = end,
                _ => words.push(Word { start, end, first: index }),
            }
        }
        words
    }
}

/// Joins the likeliest tags of words to names.
///
/// - `rows`: the scores of each word's tags.
fn names_of(words: &[Word], rows: &[[f32; TAGS]], temperature: f32) -> Vec<Name> {
    let mut names: Vec<Name> = Vec::new();
    let mut sizes: Vec<f32> = Vec::new();
    for (word, (tag, row)) in words.iter().zip(likeliest_tags(rows).into_iter().zip(rows)) {
        let Some(kind) = tag.checked_sub(1).map(|tag| tag / 2) else { continue };
        let probability = probability(row, kind, temperature);
        let is_inside = tag.is_multiple_of(2);
        match (names.last_mut(), sizes.last_mut()) {
            (Some(name), Some(size)) if is_inside => {
                name.bytes.end = word.end as usize;
                *size += 1.0;
                name.confidence += (probability - name.confidence) / *size;
            }
            _ => {
                let bytes = word.start as usize..word.end as usize;
                names.push(Name { bytes, kind: KINDS[kind], confidence: probability });
                sizes.push(1.0);
            }
        }
    }
    names
}

/// That a word belongs to a name of a kind, at its beginning or inside.
fn probability(row: &[f32; TAGS], kind: usize, temperature: f32) -> f32 {
    let max = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let weights = row.map(|score| ((score - max) / temperature).exp());
    (weights[1 + 2 * kind] + weights[2 + 2 * kind]) / weights.iter().sum::<f32>()
}

/// The likeliest tags in which an inside follows the beginning or the inside of its own kind.
///
/// # Source
///
/// Viterbi's algorithm, with a transition that is either free or forbidden.
fn likeliest_tags(rows: &[[f32; TAGS]]) -> Vec<usize> {
    let Some((first, rest)) = rows.split_first() else { return Vec::new() };
    let mut best = *first;
    for (tag, score) in best.iter_mut().enumerate() {
        if is_inside(tag) {
            *score = f32::NEG_INFINITY;
        }
    }
    let mut origins = Vec::with_capacity(rest.len());
    for row in rest {
        let anywhere = likeliest(&best);
        let mut next = [0.0; TAGS];
        let mut origin = [anywhere; TAGS];
        for tag in 0..TAGS {
            if is_inside(tag) {
                origin[tag] = if best[tag - 1] < best[tag] { tag } else { tag - 1 };
            }
            next[tag] = best[origin[tag]] + row[tag];
        }
        best = next;
        origins.push(origin);
    }
    let mut tag = likeliest(&best);
    let mut tags = vec![tag];
    for origin in origins.iter().rev() {
        tag = origin[tag];
        tags.push(tag);
    }
    tags.reverse();
    tags
}

fn likeliest(scores: &[f32; TAGS]) -> usize {
    let mut best = 0;
    for (tag, score) in scores.iter().enumerate() {
        if scores[best] < *score {
            best = tag;
        }
    }
    best
}

const fn is_inside(tag: usize) -> bool {
    tag != 0 && tag.is_multiple_of(2)
}

/// How a word is written, as the network counts it.
const SMALL: i32 = 0;
const CAPITAL: i32 = 1;
const CAPITALS: i32 = 2;
const MIXED: i32 = 3;

/// How the word of each piece is written.
fn shapes(text: &str, pieces: usize, words: &[Word]) -> Vec<i32> {
    let mut shapes = vec![SMALL; pieces];
    for (number, word) in words.iter().enumerate() {
        let behind = words.get(number + 1).map_or(pieces, |next| next.first);
        shapes[word.first..behind].fill(shape(&text[word.start as usize..word.end as usize]));
    }
    shapes
}

fn shape(word: &str) -> i32 {
    let mut letters = word.chars().filter(|letter| letter.is_alphabetic()).map(char::is_uppercase);
    let Some(first) = letters.next() else { return SMALL };
    let rest: Vec<bool> = letters.collect();
    match (first, rest.contains(&true), rest.contains(&false)) {
        (false, false, _) => SMALL,
        (true, false, _) => CAPITAL,
        (true, true, false) => CAPITALS,
        _ => MIXED,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_small_or_capital_in_four_ways() {
        let cases = [
            ("word", SMALL),
            ("2031", SMALL),
            ("", SMALL),
            ("Word", CAPITAL),
            ("A", CAPITAL),
            ("USA", CAPITALS),
            ("É2", CAPITAL),
            ("iPhone", MIXED),
            ("McCain", MIXED),
        ];
        for (word, expected) in cases {
            assert_eq!(shape(word), expected, "{word}");
        }
    }

    /// Scores in which the given tags are likely, each by its own measure.
    fn row(likely: &[(usize, f32)]) -> [f32; TAGS] {
        let mut row = [0.0; TAGS];
        for &(tag, score) in likely {
            row[tag] = score;
        }
        row
    }

    #[test]
    fn an_inside_has_its_own_kind_before_it() {
        let cases = [
            ("nothing", vec![], vec![]),
            ("a name of two words", vec![row(&[(1, 3.0)]), row(&[(2, 3.0)])], vec![1, 2]),
            ("no inside at the start", vec![row(&[(2, 3.0), (1, 2.0)])], vec![1]),
            (
                "the surer word gives the kind",
                vec![row(&[(1, 1.0), (3, 0.5)]), row(&[(4, 3.0)])],
                vec![3, 4],
            ),
            (
                "two names",
                vec![row(&[(1, 3.0)]), row(&[(1, 3.0)]), row(&[(0, 1.0)])],
                vec![1, 1, 0],
            ),
        ];
        for (case, rows, expected) in cases {
            assert_eq!(likeliest_tags(&rows), expected, "{case}");
        }
    }
}
