//! Makes weights from labelled examples: seeded, so that the same input gives the same bytes.
//!
//! [`train`] sets a part of the examples aside to know when to stop and how sure to be, then
//! trains on all of them for as many epochs as that part wanted. [`cross_validate`] says how good
//! the result will be. What a caller tunes on (a development set) is never needed here.

mod calibrate;
mod fit;
mod random;
mod report;

pub use calibrate::fit_temperature;
pub use report::Report;

use thiserror::Error;

use crate::feature::{Features, hash};
use crate::model::{LinearModel, MAX_BITS};
use fit::{Fit, Table};

/// One thing and its class.
#[derive(Debug, Clone, PartialEq)]
pub struct Example {
    /// What is known about the thing.
    pub features: Features,
    /// Its class, counted from 0.
    pub class: usize,
    /// How much it counts; 1 is usual, 0 leaves it out.
    pub weight: f32,
    /// Examples of one group (a document, say) are never divided between training and checking,
    /// so that the check is not of what was learnt by heart.
    pub group: u64,
    /// Whether its class is a label. What another model answered is learnt from and never set
    /// aside: stopping, calibration and figures are by labels alone.
    pub labelled: bool,
}

/// How to train. The defaults suit some ten thousand examples of some hundred features.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// How many bits of a hash choose the row; 18 to 22 are usual. More bits mean fewer
    /// collisions; only rows in use are stored.
    pub bits: u32,
    /// The most passes over the examples.
    pub max_epochs: usize,
    /// How many epochs without a better loss on the part set aside end the training.
    pub patience: usize,
    /// The length of a weight's first step, in log-odds.
    pub learning_rate: f32,
    /// Pulls weights to 0: the factor of half the squared weights beside the mean loss.
    pub l2: f32,
    /// 0 counts every example alike, 1 every class alike; between them, by the power.
    pub balance: f32,
    /// A feature must occur in this many examples to get a weight.
    pub min_count: u32,
    /// Keep only this many rows, the weightiest, so that the file stays small.
    pub max_rows: Option<usize>,
    /// The part of the groups set aside to stop and calibrate on, between 0 and 1.
    pub held_out: f32,
    /// Decides the order of the examples and which groups are set aside.
    pub seed: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            bits: 20,
            max_epochs: 30,
            patience: 3,
            learning_rate: 0.05,
            l2: 1e-5,
            balance: 0.0,
            min_count: 2,
            max_rows: None,
            held_out: 0.1,
            seed: 1,
        }
    }
}

/// What training made.
#[derive(Debug, Clone, PartialEq)]
pub struct Trained<const C: usize> {
    /// Trained on all examples, quantised, calibrated.
    pub model: LinearModel<C>,
    /// How many epochs the part set aside asked for.
    pub epochs: usize,
    /// How a model trained without that part did on it.
    pub held_out: Report<C>,
}

/// How a model does on examples that it was not trained on, every example having its turn.
#[derive(Debug, Clone, PartialEq)]
pub struct CrossValidation<const C: usize> {
    /// Calibrated probabilities per example, each by the model that did not see it.
    pub probabilities: Vec<[f32; C]>,
    /// How good they are.
    pub report: Report<C>,
}

/// Trains a classifier over `C` classes.
///
/// - `recipe`: the name of how the features were made; see [`LinearModel::from_bytes`].
///
/// # Errors
///
/// [`TrainError`] names the setting or the example that cannot be used.
///
/// # Source
///
/// Multinomial logistic regression by stochastic gradient descent with the step sizes of `AdaGrad`
/// (Duchi, Hazan and Singer, JMLR 2011) over hashed features (Weinberger et al., ICML 2009).
pub fn train<const C: usize>(
    recipe: &str,
    examples: &[Example],
    settings: &Settings,
) -> Result<Trained<C>, TrainError> {
    check::<C>(examples, settings)?;
    let (held_out, fitted): (Vec<&Example>, Vec<&Example>) =
        examples.iter().partition(|example| is_held_out(example, settings));
    if held_out.is_empty() || fitted.is_empty() {
        return Err(TrainError::NothingHeldOut { examples: examples.len() });
    }

    let table = Table::new(&fitted, settings);
    let (weights, epochs) = Fit::<C>::new(&table, &fitted, settings).stop_early(&held_out);
    let trial = table.quantise(recipe, &weights, settings);
    let scores: Vec<[f32; C]> = held_out.iter().map(|e| trial.scores(&e.features)).collect();
    let classes: Vec<usize> = held_out.iter().map(|example| example.class).collect();
    let temperature = fit_temperature(&scores, &classes);

    let everything: Vec<&Example> = examples.iter().collect();
    let table = Table::new(&everything, settings);
    let weights = Fit::<C>::new(&table, &everything, settings).run(epochs);
    let mut model = table.quantise(recipe, &weights, settings);
    model.set_temperature(temperature);

    let calibrated = scores.iter().map(|&scores| model.probabilities(scores));
    let report = Report::new(calibrated.zip(classes));
    Ok(Trained { model, epochs, held_out: report })
}

/// Trains `folds` models, each without one part of the groups, and judges that part with it.
///
/// # Errors
///
/// As [`train`], and [`TrainError::Setting`] for fewer than two folds.
pub fn cross_validate<const C: usize>(
    examples: &[Example],
    folds: u64,
    settings: &Settings,
) -> Result<CrossValidation<C>, TrainError> {
    if folds < 2 {
        return Err(TrainError::Setting { name: "folds", expected: "at least 2" });
    }
    check::<C>(examples, settings)?;
    let fold_of = |example: &Example| group_hash(example, settings.seed ^ 0x0f01_d0f0) % folds;
    let mut probabilities = vec![[0.0; C]; examples.len()];
    for fold in 0..folds {
        let others: Vec<Example> =
            examples.iter().filter(|example| fold_of(example) != fold).cloned().collect();
        let model = train::<C>("", &others, settings)?.model;
        for (example, place) in examples.iter().zip(&mut probabilities) {
            if fold_of(example) == fold {
                *place = model.predict(&example.features);
            }
        }
    }
    let classes = examples.iter().map(|example| example.class);
    let report = Report::new(probabilities.iter().copied().zip(classes));
    Ok(CrossValidation { probabilities, report })
}

/// Why nothing could be trained.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TrainError {
    /// A setting is outside its range.
    #[error("the setting {name} must be {expected}")]
    Setting {
        /// Which.
        name: &'static str,
        /// Its range.
        expected: &'static str,
    },

    /// An example has a class that the model lacks, or a weight that is not a number from 0 up.
    #[error("example {index} has a class or weight that cannot be: classes are below {classes}")]
    Example {
        /// Its place in the list.
        index: usize,
        /// How many classes there are.
        classes: usize,
    },

    /// There are too few groups to set some aside.
    #[error("{examples} examples are too few, or in too few groups, to set some aside")]
    NothingHeldOut {
        /// How many there were.
        examples: usize,
    },
}

fn check<const C: usize>(examples: &[Example], settings: &Settings) -> Result<(), TrainError> {
    let positive = |number: f32| number.is_finite() && 0.0 < number;
    let from_zero = |number: f32| number.is_finite() && 0.0 <= number;
    let checks = [
        ((1..=MAX_BITS).contains(&settings.bits), "bits", "between 1 and 24"),
        (settings.max_epochs > 0, "max_epochs", "at least 1"),
        (positive(settings.learning_rate), "learning_rate", "above 0"),
        (from_zero(settings.l2), "l2", "0 or more"),
        ((0.0..=1.0).contains(&settings.balance), "balance", "between 0 and 1"),
        (0.0 < settings.held_out && settings.held_out < 1.0, "held_out", "between 0 and 1"),
    ];
    for (holds, name, expected) in checks {
        if !holds {
            return Err(TrainError::Setting { name, expected });
        }
    }
    match examples.iter().position(|example| example.class >= C || !from_zero(example.weight)) {
        Some(index) => Err(TrainError::Example { index, classes: C }),
        None => Ok(()),
    }
}

fn is_held_out(example: &Example, settings: &Settings) -> bool {
    let share = (group_hash(example, settings.seed) >> 40) as f32 / (1_u64 << 24) as f32;
    example.labelled && share < settings.held_out
}

fn group_hash(example: &Example, seed: u64) -> u64 {
    hash(seed, &example.group.to_le_bytes())
}
