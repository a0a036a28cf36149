//! A conditional random field, learnt by AdaGrad from sentences of which some tags may be open.

use std::io::Write;

use standpoint_entity::tagger::{RECIPE, Row, Scores, TAGS, WEIGHED, may_follow};
use standpoint_linear::LinearModel;

use crate::Failure;

const EPOCHS: usize = 10;
/// Weights of the last epochs are averaged.
const AVERAGED: usize = 6;
/// How many bits of a feature's hash choose its weights.
const BITS: u32 = 20;
/// How many of a hundred features are left out of each look at a token, so that no rare word
/// alone carries a decision.
const DROPPED: u64 = 50;
const STEP: f32 = 0.1;
/// Pulls each weight that takes part toward 0.
const DECAY: f32 = 1e-4;
/// A feature that is seen less often has no weights.
const LEAST_SEEN: u8 = 5;
/// Weights below this are not written.
const LEAST_WEIGHT: f32 = 0.06;
const SEED: u64 = 20_260_801;

/// Tokens that could be parts of names.
#[derive(Clone)]
pub(crate) struct Run {
    pub(crate) rows: Vec<Row>,
    /// For each token the tags that it may have, as bits.
    pub(crate) allowed: Vec<u16>,
}

pub(crate) struct Crf {
    weights: Vec<[f32; WEIGHED]>,
    pub(crate) transitions: [[f32; TAGS]; TAGS],
}

/// A sum of logarithms' exponentials and how likely each tag is at each token.
struct Marginals {
    log_total: f64,
    tags: Vec<[f32; TAGS]>,
    moves: [[f32; TAGS]; TAGS],
}

impl Crf {
    pub(crate) fn learn(train: &mut [Run], out: &mut impl Write) -> Result<Self, Failure> {
        let mut seen = vec![0_u8; 1 << BITS];
        for &hash in train.iter().flat_map(|run| run.rows.as_flattened()) {
            let count = &mut seen[bucket(hash)];
            *count = count.saturating_add(1);
        }
        let mut crf =
            Self { weights: vec![[0.0; WEIGHED]; 1 << BITS], transitions: [[0.0; TAGS]; TAGS] };
        let mut squares = vec![[0.0_f32; WEIGHED]; 1 << BITS];
        let mut transition_squares = [[0.0_f32; TAGS]; TAGS];
        let mut sums = vec![[0.0_f32; WEIGHED]; 1 << BITS];
        let mut transition_sums = [[0.0_f32; TAGS]; TAGS];
        let mut random = SEED;
        for epoch in 0..EPOCHS {
            shuffle(train, &mut random);
            let mut loss = 0.0;
            for run in &*train {
                let thin = |row: &Row| -> Vec<usize> {
                    let kept = |&hash: &u64| {
                        let bucket = bucket(hash);
                        let kept = LEAST_SEEN <= seen[bucket] && DROPPED <= next(&mut random) % 100;
                        kept.then_some(bucket)
                    };
                    row.iter().filter_map(kept).collect()
                };
                let rows: Vec<Vec<usize>> = run.rows.iter().map(thin).collect();
                let scores: Vec<Scores> = rows.iter().map(|row| crf.sum(row)).collect();
                let free = crf.marginals(&scores, &vec![u16::MAX; scores.len()]);
                let gold = crf.marginals(&scores, &run.allowed);
                loss += free.log_total - gold.log_total;
                for (row, (free, gold)) in rows.iter().zip(free.tags.iter().zip(&gold.tags)) {
                    let gradient: [f32; WEIGHED] =
                        std::array::from_fn(|class| gold[class + 1] - free[class + 1]);
                    if gradient.iter().all(|part| part.abs() < 1e-3) {
                        continue;
                    }
                    for &bucket in row {
                        let (weights, squares) = (&mut crf.weights[bucket], &mut squares[bucket]);
                        for class in 0..WEIGHED {
                            let part = gradient[class] - DECAY * weights[class];
                            squares[class] += part * part;
                            weights[class] += STEP * part / (squares[class].sqrt() + 1e-2);
                        }
                    }
                }
                for from in 0..TAGS {
                    for to in 0..TAGS {
                        let part = gold.moves[from][to] - free.moves[from][to];
                        let square = &mut transition_squares[from][to];
                        *square += part * part;
                        crf.transitions[from][to] += STEP * part / (square.sqrt() + 1e-2);
                    }
                }
            }
            if EPOCHS - AVERAGED <= epoch {
                add(sums.as_flattened_mut(), crf.weights.as_flattened());
                add(transition_sums.as_flattened_mut(), crf.transitions.as_flattened());
            }
            writeln!(out, "epoch {epoch}: mean loss {:.4}", loss / train.len() as f64)?;
        }
        let share = 1.0 / AVERAGED as f32;
        sums.as_flattened_mut().iter_mut().for_each(|weight| *weight *= share);
        transition_sums.as_flattened_mut().iter_mut().for_each(|weight| *weight *= share);
        // Features that were left out of learning by chance all take part in use.
        let kept = 1.0 - DROPPED as f32 / 100.0;
        sums.as_flattened_mut().iter_mut().for_each(|weight| *weight *= kept);
        Ok(Self { weights: sums, transitions: transition_sums })
    }

    fn sum(&self, row: &[usize]) -> Scores {
        let mut scores = [0.0; TAGS];
        for &bucket in row {
            for (score, weight) in scores[1..].iter_mut().zip(&self.weights[bucket]) {
                *score += weight;
            }
        }
        scores
    }

    /// The scores of a token's tags, with all its features.
    pub(crate) fn scores(&self, row: &Row) -> Scores {
        self.sum(&row.map(bucket))
    }

    /// The weights of features as the bytes of a model.
    pub(crate) fn weights(&self) -> Vec<u8> {
        let rows: Vec<(u32, [f32; WEIGHED])> = (0_u32..)
            .zip(&self.weights)
            .filter(|(_, row)| row.iter().any(|weight| LEAST_WEIGHT <= weight.abs()))
            .map(|(bucket, row)| (bucket, *row))
            .collect();
        LinearModel::quantise(RECIPE, BITS, [0.0; WEIGHED], &rows).to_bytes()
    }

    /// Forward and backward through the paths that stay within the allowed tags.
    fn marginals(&self, scores: &[Scores], allowed: &[u16]) -> Marginals {
        let may = |at: usize, tag: usize| allowed[at] >> tag & 1 == 1;
        let mut forward = vec![[f32::NEG_INFINITY; TAGS]; scores.len()];
        for at in 0..scores.len() {
            for to in (0..TAGS).filter(|&to| may(at, to)) {
                let from = (0..TAGS).filter(|&from| may_follow(from, to)).map(|from| {
                    let before = match at {
                        0 if from == 0 => 0.0,
                        0 => f32::NEG_INFINITY,
                        _ => forward[at - 1][from],
                    };
                    before + self.transitions[from][to]
                });
                forward[at][to] = scores[at][to] + log_sum(from);
            }
        }
        let mut backward = vec![[0.0_f32; TAGS]; scores.len()];
        for at in (0..scores.len().saturating_sub(1)).rev() {
            for from in 0..TAGS {
                let to = (0..TAGS).filter(|&to| may_follow(from, to) && may(at + 1, to));
                backward[at][from] = log_sum(to.map(|to| {
                    self.transitions[from][to] + scores[at + 1][to] + backward[at + 1][to]
                }));
            }
        }
        let total = log_sum(forward.last().map_or([0.0; TAGS], |last| *last).into_iter());
        let mut moves = [[0.0; TAGS]; TAGS];
        let mut tags = Vec::with_capacity(scores.len());
        for at in 0..scores.len() {
            tags.push(std::array::from_fn(|tag| {
                (forward[at][tag] + backward[at][tag] - total).exp()
            }));
            for from in 0..TAGS {
                let before = match at {
                    0 if from == 0 => 0.0,
                    0 => continue,
                    _ => forward[at - 1][from],
                };
                for to in (0..TAGS).filter(|&to| may_follow(from, to) && may(at, to)) {
                    let path = before + self.transitions[from][to] + scores[at][to];
                    moves[from][to] += (path + backward[at][to] - total).exp();
                }
            }
        }
        Marginals { log_total: f64::from(total), tags, moves }
    }
}

fn log_sum(terms: impl Iterator<Item = f32> + Clone) -> f32 {
    let most = terms.clone().fold(f32::NEG_INFINITY, f32::max);
    if most == f32::NEG_INFINITY {
        return most;
    }
    most + terms.map(|term| (term - most).exp()).sum::<f32>().ln()
}

fn add(sums: &mut [f32], weights: &[f32]) {
    for (sum, weight) in sums.iter_mut().zip(weights) {
        *sum += weight;
    }
}

const fn bucket(hash: u64) -> usize {
    (hash >> (64 - BITS)) as usize
}

fn shuffle<T>(items: &mut [T], random: &mut u64) {
    for last in (1..items.len()).rev() {
        items.swap(last, (next(random) % (last as u64 + 1)) as usize);
    }
}

/// `SplitMix64`.
pub(crate) fn next(random: &mut u64) -> u64 {
    *random = random.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *random;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
