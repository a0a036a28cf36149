//! A model that only predicts: weights of eight bits behind a bitmap.

mod file;

use std::fmt;

use crate::feature::{Facts, Feature, Features};
pub use file::LoadError;

/// The most bits of a hash that may choose a row; 2^24 buckets.
pub const MAX_BITS: u32 = 24;

/// A trained classifier over `C` classes.
///
/// Only buckets that carry a weight are stored. A bitmap says which those are and, by counting
/// the bits before one, where its row is; it is small enough to stay in the cache, so the many
/// features without a weight cost almost nothing.
// Invariant: the rows are as many as the set bits, and a block knows how many bits are set in all
// earlier ones, so the rows of a bucket whose bit is set are inside `rows`.
#[derive(Clone, PartialEq)]
pub struct LinearModel<const C: usize> {
    bits: u32,
    recipe: u64,
    temperature: f32,
    prior: [f32; C],
    scales: [f32; C],
    blocks: Vec<Block>,
    rows: Vec<[i8; C]>,
}

/// Neighbouring buckets: a bit for each, set where it has a row, and how many rows all earlier
/// blocks have. Both are wanted for a bucket with a row, so they stand in one line of the cache.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Block {
    present: u32,
    before: u32,
}

/// How many buckets a block has.
const BLOCK: u32 = u32::BITS;

impl<const C: usize> LinearModel<C> {
    /// How likely each class is, given the features; sums to 1.
    #[must_use]
    pub fn predict(&self, features: &Features) -> [f32; C] {
        self.probabilities(self.scores(features))
    }

    /// The sum of the features' weights and the prior: natural log-odds before calibration.
    #[must_use]
    pub fn scores(&self, features: &Features) -> [f32; C] {
        let mut scores = self.prior;
        self.add(features, &mut scores);
        scores
    }

    /// Adds the features' weights to `scores`.
    ///
    /// Scores add up, so what several judgements have in common (the sentence, say) is counted
    /// once: start from [`prior`](Self::prior), add the common features, copy the scores, add each
    /// judgement's own features to its copy, and finish with
    /// [`probabilities`](Self::probabilities).
    pub fn add(&self, features: &Features, scores: &mut [f32; C]) {
        let mut adder = self.adder();
        for &(half, value) in features.entries() {
            adder.push_half(half, value);
        }
        adder.add_to(scores);
    }

    /// The sum of the weights of facts that hold, without the prior: what
    /// [`scores`](Self::scores) gives for them, but in whole steps of the weights, so that many
    /// classes cost little more than few.
    #[must_use]
    #[inline]
    pub fn sum(&self, facts: impl Iterator<Item = Feature>) -> [f32; C] {
        self.scaled(self.steps(facts))
    }

    /// The sum of the weights of up to 256 facts that hold, in whole steps, which add up exactly in
    /// any order; [`scaled`](Self::scaled) turns them into log-odds.
    #[must_use]
    #[inline]
    pub fn steps(&self, facts: impl Iterator<Item = Feature>) -> [i16; C] {
        let mut sums = [0_i16; C];
        // 256 weights of eight bits cannot leave sixteen.
        self.each_row(facts.take(256), |row| {
            for (sum, &weight) in sums.iter_mut().zip(row) {
                *sum = sum.wrapping_add(i16::from(weight));
            }
        });
        sums
    }

    /// The weights of each fact that has any, in order, in steps: for whoever adds up rows by
    /// himself, and many of them.
    #[inline]
    pub fn each_row(&self, facts: impl Iterator<Item = Feature>, mut take: impl FnMut(&[i8; C])) {
        let mut found = Found::new();
        for fact in facts {
            if found.is_full() {
                found.take().for_each(|(row, _)| take(self.weights(row)));
            }
            found.note(self.place(fact.half()), 1.0);
        }
        found.take().for_each(|(row, _)| take(self.weights(row)));
    }

    /// Appends to `places` where the weights of each fact stand that has any; for
    /// [`steps_at`](Self::steps_at), so that all facts of many things are looked up before the
    /// first is weighed.
    #[inline]
    pub fn find(&self, facts: impl Iterator<Item = Feature>, places: &mut Vec<u32>) {
        for fact in facts {
            let (row, is_there) = self.place(fact.half());
            places.push(row);
            places.truncate(places.len() - usize::from(!is_there));
        }
    }

    /// The sum of up to 256 weights in whole steps.
    ///
    /// - `places`: as [`find`](Self::find) gives them.
    #[must_use]
    #[inline]
    pub fn steps_at(&self, places: &[u32]) -> [i16; C] {
        let mut sums = [0_i16; C];
        for &row in places.iter().take(256) {
            for (sum, &weight) in sums.iter_mut().zip(self.weights(row)) {
                *sum = sum.wrapping_add(i16::from(weight));
            }
        }
        sums
    }

    /// Adds sums of weights to `scores`, for whoever adds up rows by himself.
    ///
    /// - `sums`: in steps of the weights, as [`row`](Self::row) gives them.
    #[inline]
    pub fn add_sums(&self, sums: &[f32; C], scores: &mut [f32; C]) {
        for ((score, sum), scale) in scores.iter_mut().zip(sums).zip(self.scales) {
            *score += sum * scale;
        }
    }

    /// Steps as log-odds.
    #[must_use]
    #[inline]
    pub fn scaled(&self, steps: [i16; C]) -> [f32; C] {
        std::array::from_fn(|class| f32::from(steps[class]) * self.scales[class])
    }

    /// Takes facts one by one and adds up their weights, so that facts which are weighed once need
    /// no buffer.
    #[must_use]
    pub const fn adder(&self) -> Adder<'_, C> {
        Adder { model: self, sums: [0.0; C], found: Found::new() }
    }

    /// What each feature adds to the score of each class: why the model says what it says.
    ///
    /// - returns: one row of log-odds per feature, in the order they were pushed.
    #[must_use]
    pub fn contributions(&self, features: &Features) -> Vec<[f32; C]> {
        let weigh = |&(half, value): &(u32, f32)| match self.row_of(half) {
            Some(row) => std::array::from_fn(|class| {
                value * f32::from(row[class]) * self.scales[class] / self.temperature
            }),
            None => [0.0; C],
        };
        features.entries().iter().map(weigh).collect()
    }

    /// Calibrated probabilities of raw scores.
    ///
    /// # Source
    ///
    /// Temperature scaling: Guo et al., "On Calibration of Modern Neural Networks", ICML 2017.
    #[must_use]
    pub fn probabilities(&self, scores: [f32; C]) -> [f32; C] {
        softmax(scores.map(|score| score / self.temperature))
    }

    /// The score of each class when no feature is known.
    #[must_use]
    pub const fn prior(&self) -> [f32; C] {
        self.prior
    }

    /// By what scores are divided before softmax; above 1 where the training was over-confident.
    #[must_use]
    pub const fn temperature(&self) -> f32 {
        self.temperature
    }

    /// The weights of a fact in steps, where it has any: for facts that come again and again.
    #[must_use]
    #[inline]
    pub fn row(&self, fact: Feature) -> Option<[i8; C]> {
        self.row_of(fact.half()).copied()
    }

    /// The same for several facts, all of which are looked up before the first is weighed.
    #[must_use]
    #[inline]
    pub fn rows_of<const N: usize>(&self, facts: [Feature; N]) -> [Option<[i8; C]>; N] {
        let places = facts.map(|fact| self.place(fact.half()));
        places.map(|(row, is_there)| is_there.then(|| *self.weights(row)))
    }

    /// How many buckets carry weights.
    #[must_use]
    pub const fn rows(&self) -> usize {
        self.rows.len()
    }

    #[inline]
    fn row_of(&self, half: u32) -> Option<&[i8; C]> {
        let (row, is_there) = self.place(half);
        is_there.then(|| self.weights(row))
    }

    /// Where the row of a feature is, and whether it has one; without a branch.
    #[inline]
    fn place(&self, half: u32) -> (u32, bool) {
        let bucket = half >> (32 - self.bits);
        let block = self.blocks.get((bucket / BLOCK) as usize).copied().unwrap_or_default();
        let bit = 1 << (bucket % BLOCK);
        (block.before + (block.present & (bit - 1)).count_ones(), block.present & bit != 0)
    }

    /// The weights of a row.
    #[inline]
    fn weights(&self, row: u32) -> &[i8; C] {
        self.rows.get(row as usize).unwrap_or(&[0; C])
    }

    /// The buckets that have a row, in order.
    fn buckets(&self) -> impl Iterator<Item = u32> + '_ {
        (0..).step_by(BLOCK as usize).zip(&self.blocks).flat_map(|(first, block)| {
            let has_row = |bit: &u32| block.present >> bit & 1 == 1;
            (0..BLOCK).filter(has_row).map(move |bit| first + bit)
        })
    }
}

/// Adds up the weights of facts as they come; see [`LinearModel::adder`].
#[derive(Debug)]
pub struct Adder<'m, const C: usize> {
    model: &'m LinearModel<C>,
    /// In steps of the weights.
    sums: [f32; C],
    found: Found,
}

impl<const C: usize> Adder<'_, C> {
    /// Adds what the facts come to, as [`LinearModel::add`] does.
    #[inline]
    pub fn add_to(mut self, scores: &mut [f32; C]) {
        self.add_found();
        self.model.add_sums(&self.sums, scores);
    }

    #[inline]
    fn push_half(&mut self, half: u32, value: f32) {
        if self.found.is_full() {
            self.add_found();
        }
        self.found.note(self.model.place(half), value);
    }

    fn add_found(&mut self) {
        for (row, value) in self.found.take() {
            for (sum, &weight) in self.sums.iter_mut().zip(self.model.weights(row)) {
                *sum += value * f32::from(weight);
            }
        }
    }
}

/// Rows of facts, with their values, which wait to be added.
///
/// Whether a fact has a row is known when its block has come from far down the memory. A branch on
/// it would be guessed, and where the guess is wrong, all that follows waits for the block. So many
/// facts are looked up without a branch before the first row is read.
#[derive(Debug)]
struct Found {
    rows: [(u32, f32); Self::ROOM],
    count: usize,
}

impl Found {
    const ROOM: usize = 16;

    const fn new() -> Self {
        Self { rows: [(0, 0.0); Self::ROOM], count: 0 }
    }

    #[inline]
    const fn is_full(&self) -> bool {
        self.count >= Self::ROOM
    }

    /// Notes a row if there is one; only when there is room.
    #[inline]
    fn note(&mut self, (row, is_there): (u32, bool), value: f32) {
        self.rows[self.count] = (row, value);
        self.count += usize::from(is_there);
    }

    /// All that were noted, in order.
    #[inline]
    fn take(&mut self) -> impl Iterator<Item = (u32, f32)> + '_ {
        let count = std::mem::take(&mut self.count);
        self.rows[..count.min(Self::ROOM)].iter().copied()
    }
}

impl<const C: usize> Facts for Adder<'_, C> {
    #[inline]
    fn push_valued(&mut self, feature: Feature, value: f32) {
        if value.is_finite() {
            self.push_half(feature.half(), value);
        }
    }
}

#[cfg(feature = "train")]
impl<const C: usize> LinearModel<C> {
    /// Quantises weights that somebody else has trained.
    ///
    /// - `rows`: buckets (the upper `bits` of a feature's hash) in rising order, each once, with
    ///   its weights.
    #[must_use]
    pub fn quantise(recipe: &str, bits: u32, prior: [f32; C], rows: &[(u32, [f32; C])]) -> Self {
        let scales: [f32; C] = std::array::from_fn(|class| {
            rows.iter().map(|(_, row)| row[class].abs()).fold(0.0, f32::max) / 127.0
        });
        let quantised = rows.iter().filter_map(|&(bucket, row)| {
            let row: [i8; C] = std::array::from_fn(|class| {
                let scale = scales[class];
                if scale > 0.0 { (row[class] / scale).round() as i8 } else { 0 }
            });
            // A row that rounds to nothing says nothing.
            (row != [0; C]).then_some((bucket, row))
        });
        let (buckets, rows): (Vec<u32>, Vec<[i8; C]>) = quantised.unzip();
        Self {
            bits,
            recipe: recipe_id(recipe),
            temperature: 1.0,
            prior,
            scales,
            blocks: blocks_of(&buckets, bits),
            rows,
        }
    }

    pub(crate) fn set_temperature(&mut self, temperature: f32) {
        self.temperature = temperature;
    }
}

impl<const C: usize> fmt::Debug for LinearModel<C> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("LinearModel")
            .field("classes", &C)
            .field("bits", &self.bits)
            .field("rows", &self.rows.len())
            .field("temperature", &self.temperature)
            .finish_non_exhaustive()
    }
}

/// Turns log-odds into probabilities that sum to 1.
#[must_use]
pub fn softmax<const C: usize>(scores: [f32; C]) -> [f32; C] {
    // Subtracting the maximum leaves the result unchanged and keeps `exp` from overflowing.
    let max = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let weights = scores.map(|score| (score - max).exp());
    let total: f32 = weights.iter().sum();
    weights.map(|weight| weight / total)
}

fn recipe_id(recipe: &str) -> u64 {
    Feature::new("recipe").text(recipe).as_u64()
}

/// - `buckets`: rising and below 2^`bits`.
fn blocks_of(buckets: &[u32], bits: u32) -> Vec<Block> {
    let mut blocks = vec![Block::default(); (1_u32 << bits).div_ceil(BLOCK) as usize];
    for bucket in buckets {
        blocks[(bucket / BLOCK) as usize].present |= 1 << (bucket % BLOCK);
    }
    let mut before = 0;
    for block in &mut blocks {
        block.before = before;
        before += block.present.count_ones();
    }
    blocks
}

#[cfg(test)]
mod tests;
