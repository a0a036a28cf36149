//! `publish`: documents into the stream that the workers of a cluster share.

use anyhow::Result;
use standpoint_connectors::files::FilesSource;
use standpoint_engine::{Pipeline, SourceStep};

use crate::assemble::Assembly;
use crate::cli;
use crate::exit::Exit;
use crate::progress::Progress;
use crate::run::{after_one_pass, ending, execute, inputs, teller};
use crate::style::many;

/// Reads what is given, as `run` does, and publishes each document instead of reading it through.
pub(crate) fn publish(arguments: &cli::Publish) -> Result<Exit> {
    let inputs = inputs(&arguments.paths)?;
    let assembly = Assembly::of(&arguments.choice())?;
    let sink = assembly.feed()?;
    let progress = Progress::new(true);
    let listener = teller(progress.clone(), true);
    let limits = assembly.read_limits();
    let source = FilesSource::start(&arguments.source, inputs, limits, listener)?;
    progress.reads(&arguments.paths, source.taken());
    let all_taken = source.all_taken();
    let mut step = SourceStep::new(&arguments.source, Box::new(source));
    // They are to come out in the order in which they are given, where workers keep one.
    step.keeps_order = true;
    let pipeline = Pipeline {
        sources: vec![step],
        stages: Vec::new(),
        sinks: vec![assembly.sink_step("publish", sink)],
        limits: assembly.limits(),
    };
    let summary = execute(pipeline, &progress, None)?;
    progress.say(&format!("{} published", many(summary.counts.done, "document")));
    let exit = ending(&summary, &progress, |_| false);
    Ok(after_one_pass(exit, &summary, &all_taken, &progress))
}
