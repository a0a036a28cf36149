//! Stochastic gradient descent over the rows that enough examples use.

use super::random::Random;
use super::{Example, Settings};
use crate::model::{LinearModel, softmax};

/// Which buckets get a row.
pub(super) struct Table {
    bits: u32,
    /// For each bucket the index of its row, or [`NO_ROW`].
    row_of: Vec<u32>,
    /// For each row its bucket, rising.
    buckets: Vec<u32>,
    /// For each row how many examples have it.
    counts: Vec<u32>,
}

const NO_ROW: u32 = u32::MAX;

impl Table {
    pub(super) fn new(examples: &[&Example], settings: &Settings) -> Self {
        let bits = settings.bits;
        let mut count_of = vec![0_u32; 1 << bits];
        let mut seen = Vec::new();
        for example in examples {
            seen.clear();
            seen.extend(example.features.entries().iter().map(|(half, _)| half >> (32 - bits)));
            seen.sort_unstable();
            seen.dedup();
            for &bucket in &seen {
                count_of[bucket as usize] += 1;
            }
        }
        let mut table =
            Self { bits, row_of: vec![NO_ROW; 1 << bits], buckets: Vec::new(), counts: Vec::new() };
        for (bucket, &count) in (0_u32..).zip(&count_of) {
            if count >= settings.min_count.max(1) {
                table.row_of[bucket as usize] = table.buckets.len() as u32;
                table.buckets.push(bucket);
                table.counts.push(count);
            }
        }
        table
    }

    /// Centres, prunes and quantises the weights.
    pub(super) fn quantise<const C: usize>(
        &self,
        recipe: &str,
        weights: &Weights<C>,
        settings: &Settings,
    ) -> LinearModel<C> {
        let mut rows: Vec<(u32, [f32; C])> = self
            .buckets
            .iter()
            .zip(&weights.rows)
            .map(|(&bucket, &row)| (bucket, centred(row)))
            .collect();
        if let Some(limit) = settings.max_rows.filter(|&limit| limit < rows.len()) {
            // A row matters by how far it moves a score and how often it gets to.
            let mut ranked: Vec<(f32, (u32, [f32; C]))> = rows
                .iter()
                .zip(&self.counts)
                .map(|(&row, &count)| {
                    let reach = row.1.iter().map(|weight| weight.abs()).fold(0.0, f32::max);
                    (reach * (count as f32).sqrt(), row)
                })
                .collect();
            ranked.sort_by(|(a, row_a), (b, row_b)| b.total_cmp(a).then(row_a.0.cmp(&row_b.0)));
            rows = ranked.into_iter().take(limit).map(|(_, row)| row).collect();
            rows.sort_unstable_by_key(|(bucket, _)| *bucket);
        }
        LinearModel::quantise(recipe, self.bits, centred(weights.prior), &rows)
    }

    fn compact(&self, example: &Example) -> Vec<(u32, f32)> {
        let rows = example.features.entries().iter().map(|&(half, value)| {
            let row = self.row_of[(half >> (32 - self.bits)) as usize];
            (row, value)
        });
        rows.filter(|(row, _)| *row != NO_ROW).collect()
    }
}

/// Softmax looks only at differences, so what all classes share is noise to the quantiser.
fn centred<const C: usize>(row: [f32; C]) -> [f32; C] {
    let mean = row.iter().sum::<f32>() / C as f32;
    row.map(|weight| weight - mean)
}

#[derive(Clone)]
pub(super) struct Weights<const C: usize> {
    rows: Vec<[f32; C]>,
    prior: [f32; C],
}

/// A training in progress.
pub(super) struct Fit<'a, const C: usize> {
    table: &'a Table,
    settings: &'a Settings,
    examples: Vec<Compact>,
    class_weights: [f32; C],
    weights: Weights<C>,
    /// Sums of squared gradients, from which `AdaGrad` makes each weight's step.
    squares: Vec<[f32; C]>,
    prior_squares: [f32; C],
    /// The step at which each row was last pulled towards 0.
    pulled_at: Vec<u32>,
    step: u32,
    random: Random,
}

struct Compact {
    rows: Vec<(u32, f32)>,
    class: usize,
    weight: f32,
}

/// Keeps a weight's first step from being as long as its later ones together.
const FIRST_SQUARE: f32 = 0.1;

impl<'a, const C: usize> Fit<'a, C> {
    pub(super) fn new(table: &'a Table, examples: &[&Example], settings: &'a Settings) -> Self {
        let mut counts = [0.0_f32; C];
        for example in examples {
            counts[example.class] += example.weight;
        }
        let total: f32 = counts.iter().sum();
        let class_weights = counts.map(|count| {
            if count > 0.0 { (total / (C as f32 * count)).powf(settings.balance) } else { 1.0 }
        });
        let compact = |example: &&Example| Compact {
            rows: table.compact(example),
            class: example.class,
            weight: example.weight,
        };
        let rows = table.buckets.len();
        Self {
            table,
            settings,
            examples: examples.iter().map(compact).collect(),
            class_weights,
            weights: Weights { rows: vec![[0.0; C]; rows], prior: [0.0; C] },
            squares: vec![[FIRST_SQUARE; C]; rows],
            prior_squares: [FIRST_SQUARE; C],
            pulled_at: vec![0; rows],
            step: 0,
            random: Random::new(settings.seed),
        }
    }

    /// Trains until `held_out` stops getting better.
    ///
    /// - returns: the weights and the number of epochs that suited it best.
    pub(super) fn stop_early(mut self, held_out: &[&Example]) -> (Weights<C>, usize) {
        let held_out: Vec<Compact> = held_out
            .iter()
            .map(|example| Compact {
                rows: self.table.compact(example),
                class: example.class,
                weight: example.weight,
            })
            .collect();
        let mut best = (f64::INFINITY, self.weights.clone(), 0);
        for epoch in 1..=self.settings.max_epochs {
            self.epoch();
            let loss = self.loss(&held_out);
            if loss < best.0 {
                best = (loss, self.weights.clone(), epoch);
            } else if epoch - best.2 > self.settings.patience {
                break;
            }
        }
        (best.1, best.2.max(1))
    }

    /// Trains for a given number of epochs.
    pub(super) fn run(mut self, epochs: usize) -> Weights<C> {
        for _ in 0..epochs {
            self.epoch();
        }
        self.weights
    }

    fn epoch(&mut self) {
        let mut examples = std::mem::take(&mut self.examples);
        self.random.shuffle(&mut examples);
        for example in &examples {
            self.learn(example);
        }
        self.examples = examples;
        for row in 0..self.weights.rows.len() {
            self.pull(row);
        }
    }

    fn learn(&mut self, example: &Compact) {
        self.step += 1;
        for &(row, _) in &example.rows {
            self.pull(row as usize);
        }
        let weight = example.weight * self.class_weights[example.class];
        let mut gradient = softmax(self.scores(&example.rows)).map(|p| p * weight);
        gradient[example.class] -= weight;
        let rate = self.settings.learning_rate;
        for &(row, value) in &example.rows {
            let weights = &mut self.weights.rows[row as usize];
            let squares = &mut self.squares[row as usize];
            descend(weights, squares, gradient.map(|g| g * value), rate);
        }
        descend(&mut self.weights.prior, &mut self.prior_squares, gradient, rate);
    }

    /// Pulls a row to 0 for all steps since it was last touched, which is what makes L2 cheap.
    fn pull(&mut self, row: usize) {
        let steps = self.step - std::mem::replace(&mut self.pulled_at[row], self.step);
        if steps == 0 || self.settings.l2 == 0.0 {
            return;
        }
        let pull = self.settings.l2 * self.settings.learning_rate * steps as f32;
        for (weight, square) in self.weights.rows[row].iter_mut().zip(&self.squares[row]) {
            *weight /= 1.0 + pull / square.sqrt();
        }
    }

    fn scores(&self, rows: &[(u32, f32)]) -> [f32; C] {
        let mut scores = self.weights.prior;
        for &(row, value) in rows {
            for (score, weight) in scores.iter_mut().zip(&self.weights.rows[row as usize]) {
                *score += value * weight;
            }
        }
        scores
    }

    /// Mean negative log-likelihood, classes weighted as in training.
    fn loss(&self, examples: &[Compact]) -> f64 {
        let (mut sum, mut total) = (0.0, 0.0);
        for example in examples {
            let weight = f64::from(example.weight * self.class_weights[example.class]);
            let likelihood = softmax(self.scores(&example.rows))[example.class];
            sum -= weight * f64::from(likelihood.max(f32::MIN_POSITIVE)).ln();
            total += weight;
        }
        sum / total
    }
}

fn descend<const C: usize>(
    weights: &mut [f32; C],
    squares: &mut [f32; C],
    gradient: [f32; C],
    rate: f32,
) {
    for ((weight, square), gradient) in weights.iter_mut().zip(squares).zip(gradient) {
        *square += gradient * gradient;
        *weight -= rate * gradient / square.sqrt();
    }
}
