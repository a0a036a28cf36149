//! Tokens per CPU-second, on one core.
//!
//! ```text
//! cargo bench -p standpoint-tokenise [-- --file PATH]
//! ```
//!
//! Without `--file` it reads a news-like text that it makes itself. Prints the best of several
//! rounds for words alone, for words and sentences, and for the whole stage.

#![expect(clippy::print_stdout, reason = "a program that reports to its user")]

use std::{env, error::Error, fmt::Write, fs, hint::black_box, time::Duration};

use rustix::time::{ClockId, clock_gettime};
use standpoint_document::Document;
use standpoint_stage::{StageDefinition, StartContext, testing};
use standpoint_tokenise::{Lists, SentenceSplitter, Tokenise, TokeniseSettings, words};

const ROUNDS: usize = 15;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip_while(|argument| argument != "--file").skip(1);
    let text = arguments.next().map_or_else(|| Ok(made_text()), fs::read_to_string)?;
    let lists = Lists::standard();
    let splitter = SentenceSplitter::standard()?;
    let context = StartContext { stage: "tokenise".into(), pipeline_dir: ".".into() };
    let stage = Tokenise::start(TokeniseSettings::default(), &context)?;
    let tokens = words(&text, &lists);
    println!(
        "{} bytes, {} tokens, {} sentences",
        text.len(),
        tokens.len(),
        splitter.split(&text, &tokens, &lists).len()
    );
    report("words", tokens.len(), || {
        black_box(words(&text, &lists));
    });
    report("words and sentences", tokens.len(), || {
        let tokens = words(&text, &lists);
        black_box(splitter.split(&text, &tokens, &lists));
    });
    report("whole stage", tokens.len(), || {
        let mut document = Document::new("bench", text.as_str()).expect("the text fits");
        testing::process(&stage, &mut document).expect("the stage takes any text");
        black_box(document);
    });
    Ok(())
}

fn report(name: &str, tokens: usize, mut work: impl FnMut()) {
    let best = (0..ROUNDS)
        .map(|_| {
            let start = cpu_time();
            work();
            cpu_time().saturating_sub(start)
        })
        .min()
        .unwrap_or_default();
    let millions = tokens as f64 / best.as_secs_f64() / 1e6;
    println!("{name:<20} {millions:6.2} million tokens per CPU-second");
}

/// The processor time of this process so far.
fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// About two megabytes of news-like paragraphs, no two the same.
fn made_text() -> String {
    const OPENINGS: [&str; 6] = [
        "The government of Kazakhstan’s neighbour said on Monday that it wouldn't sign the treaty",
        "“We have never recognised these so-called republics,” Foreign Minister J. R. Example said",
        "Mr. Sample, a deputy chairman of the U.S.-based Institute for Examples, told reporters",
        "In the first 9 months of 2021, trade fell by 3.5 percent (to $1.2 billion)",
        "According to Gen. Muster, who arrived in St. Petersburg on Jan. 6, the army can't",
        "Asked whether the sanctions would be lifted, she said: \"Not before May\"",
    ];
    const MIDDLES: [&str; 5] = [
        ", although the talks with the European Union, its largest partner, had been",
        " and that the non-aligned states of the region, which depend on pipelines, were",
        "; the commission's report (published on 12/05/2021) called the measures",
        " because the parliament, where the opposition has 41 of 120 seats, found them",
        ", as ministers have done since 1991, when the borders were",
    ];
    const ENDINGS: [&str; 4] =
        [" long overdue.", " \"deeply regrettable\".", " hardly a surprise...", " in doubt. Why?"];
    let mut text = String::from("Neighbours Fail to Agree\n\n");
    for number in 0..9_000 {
        text += OPENINGS[number % OPENINGS.len()];
        text += MIDDLES[number / 2 % MIDDLES.len()];
        text += ENDINGS[number / 3 % ENDINGS.len()];
        text += if number % 4 == 3 { "\n\n" } else { " " };
        let year = 1990 + number % 30;
        let _ = write!(text, "By {year} the figure was {number}. ");
    }
    text
}
