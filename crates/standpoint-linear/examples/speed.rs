//! Times a prediction: `cargo run --release -p standpoint-linear --features train --example speed`.
#![expect(clippy::print_stdout, reason = "printing the figure is what it is for")]

use std::hint::black_box;
use std::time::Instant;

use standpoint_linear::train::{Example, Settings, TrainError, train};
use standpoint_linear::{Feature, Features};

const FEATURES: i64 = 300;

fn main() -> Result<(), TrainError> {
    const FACT: Feature = Feature::new("fact");
    let example = |index: i64| {
        let mut features = Features::new();
        // A long tail, as words have: half of the facts are shared by many examples.
        features.extend((0..FEATURES).map(|slot| {
            let variety = if slot % 2 == 0 { 50 } else { 5000 };
            FACT.number(slot).number((index * 7919 + slot * 31) % variety)
        }));
        Example {
            features,
            class: (index % 3) as usize,
            weight: 1.0,
            group: index.unsigned_abs(),
            labelled: true,
        }
    };
    let examples: Vec<Example> = (0..3000).map(example).collect();
    let model = train::<3>("speed", &examples, &Settings::default())?.model;

    let rounds = 200;
    let started = Instant::now();
    for _ in 0..rounds {
        for example in &examples {
            black_box(model.predict(black_box(&example.features)));
        }
    }
    let predictions = rounds as usize * examples.len();
    let each = started.elapsed().as_secs_f64() / predictions as f64;
    println!("{} rows, {FEATURES} features: {:.2} µs a prediction", model.rows(), each * 1e6);
    Ok(())
}
