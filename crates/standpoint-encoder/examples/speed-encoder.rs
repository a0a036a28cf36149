//! Times a model: `cargo run --release -p standpoint-encoder --example speed-encoder -- MODEL_FOLDER`.
#![expect(clippy::print_stdout, reason = "printing the figures is what it is for")]

use std::path::Path;
use std::thread;
use std::time::Instant;

use standpoint_encoder::{Files, Model, RunError, StanceQuestion, Tagger};

/// Twenty to thirty word pieces each, as sentences of news have.
const SENTENCES: [&str; 4] = [
    "The foreign minister of Arcadia condemned the raid on the northern port of its neighbour \
     Borduria and called for a meeting of the council on Thursday.",
    "Unlike its neighbour, Borduria has never recognised the annexation, and it will not lift \
     the sanctions before the last soldier has left.",
    "Trade between the two states fell by almost half last year after both had closed their \
     ports to the ships of the other side.",
    "We thank the mediators for their patience, said the envoy, who asked the members of the \
     alliance to keep their promises.",
];
const ROUNDS: usize = 50;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::args().nth(1).ok_or("give the folder of a model")?;
    let started = Instant::now();
    let model = Model::open(Path::new(&folder))?;
    println!("opened {} in {:?}", model.name(), started.elapsed());

    let texts: Vec<&str> = SENTENCES.into_iter().cycle().take(32).collect();
    model.encode(&texts)?;
    let (alone, together) = (read(&model, &texts, 1)?, read(&model, &texts, texts.len())?);
    println!("one by one {alone:.2} ms a sentence; together {together:.2} ms");

    let encoded = model.encode(&texts[..1])?.remove(0);
    let questions =
        vec![StanceQuestion { sentence: &encoded, holder: Some(24..31), target: 77..85 }; 32];
    let started = Instant::now();
    for _ in 0..ROUNDS {
        model.stance(&questions)?;
    }
    let asked = (ROUNDS * questions.len()) as f64;
    println!("{:.3} ms a question of stance", milliseconds(started) / asked);

    let tagger = Tagger::open(Files::Folder(Path::new(&folder)))?;
    let started = Instant::now();
    for _ in 0..ROUNDS / 10 {
        tagger.names(&texts)?;
    }
    let read_texts = (ROUNDS / 10 * texts.len()) as f64;
    println!("{:.2} ms a sentence for names", milliseconds(started) / read_texts);

    // Interleaved, so that both see the same machine.
    let mut speedups = Vec::new();
    for _ in 0..5 {
        let one = read(&model, &texts, 1)?;
        let started = Instant::now();
        thread::scope(|scope| {
            let readers = [(); 2].map(|()| scope.spawn(|| read(&model, &texts, 1)));
            readers.into_iter().try_for_each(|reader| match reader.join() {
                Ok(result) => result.map(drop),
                Err(panic) => std::panic::resume_unwind(panic),
            })
        })?;
        let two = milliseconds(started) / (2 * ROUNDS / 10 * texts.len()) as f64;
        speedups.push(one / two);
    }
    speedups.sort_by(f64::total_cmp);
    println!("two threads are {:.2} times as fast as one (median of 5)", speedups[2]);
    if let Ok(status) = std::fs::read_to_string("/proc/self/status")
        && let Some(peak) = status.lines().find(|line| line.starts_with("VmHWM"))
    {
        println!("peak memory {}", peak.trim_start_matches("VmHWM:").trim());
    }
    Ok(())
}

/// Milliseconds that a sentence takes, given so many at once.
fn read(model: &Model, texts: &[&str], at_once: usize) -> Result<f64, RunError> {
    let rounds = ROUNDS / 10;
    let started = Instant::now();
    for _ in 0..rounds {
        for texts in texts.chunks(at_once) {
            model.encode(texts)?;
        }
    }
    Ok(milliseconds(started) / (rounds * texts.len()) as f64)
}

fn milliseconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}
