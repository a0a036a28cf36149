//! The commands that move documents: `run`, `daemon`, and what `explain` and `evaluate` need.

use std::io::{self, IsTerminal};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};
use async_trait::async_trait;
use standpoint_connectors::files::{
    FilesSource, Input, Listener, Report, is_same_file, with_causes,
};
use standpoint_connectors::instance::{Instance, InstanceError};
use standpoint_connectors::jsonl::JsonlSink;
use standpoint_connectors::retention::Upkeep;
use standpoint_connectors::stream::{Printer, StreamSink};
use standpoint_document::Document;
use standpoint_engine::{
    Delivery, Engine, Outcome, Pipeline, Receipt, RunError, Sink, SinkError, SinkStep, Source,
    SourceError, SourceStep, StageStep, Summary,
};
use tokio::runtime::{Builder, Runtime};
use tracing::{error, info};

use crate::assemble::{Assembly, Opening};
use crate::cli::{self, PipelineChoice, ResultFormat};
use crate::daemon::Life;
use crate::dashboard::Dashboard;
use crate::exit::{self, Exit};
use crate::page::PagePrinter;
use crate::progress::Progress;
use crate::server::Server;
use crate::signals;
use crate::style::{Style, many};
use crate::table::TablePrinter;
use crate::targets;
use crate::watch::Watch;

/// `run`: one pass over what is given.
pub(crate) fn run(arguments: &cli::Run, colour: clap::ColorChoice) -> Result<Exit> {
    let inputs = inputs(&arguments.paths)?;
    let output_file = arguments.output.as_deref();
    if let Some(path) = output_file
        && arguments.paths.iter().any(|input| is_same_file(input, path))
    {
        return Err(exit::usage(format!(
            "{}: is read and would be written over; name another file with -o",
            path.display()
        )));
    }
    let assembly = Assembly::of(&arguments.pipeline)?;
    let stages = assembly.stages(&arguments.target)?;
    let progress = Progress::new(arguments.output.is_some() || !io::stdout().is_terminal());
    let listener = teller(progress.clone(), true);
    let limits = assembly.read_limits();
    let source = FilesSource::start_beside(output_file, "run", inputs, limits, listener)?;
    progress.reads(&arguments.paths, source.taken());
    let all_taken = source.all_taken();
    let output = output(arguments, &assembly, Style::of_stdout(colour))?;
    let mut sinks = vec![assembly.sink_step("output", output)];
    if arguments.sinks {
        // A daemon may hold the data folder, and its ledger.
        sinks.extend(assembly.sinks(None)?);
    }
    let watch = Watch::default();
    sinks.push(SinkStep::new("targets", Box::new(watch.clone())));
    let sources = vec![SourceStep::new("run", Box::new(source))];
    let pipeline = Pipeline { sources, stages, sinks, limits: assembly.limits() };
    let summary = execute(pipeline, &progress, None)?;
    let was_nothing_read = summary.errors.is_empty() && summary.counts.read == 0;
    if was_nothing_read {
        progress.say(if summary.was_told_to_stop {
            "stopped: no document was read yet"
        } else {
            "nothing was read: there is no document in what was given"
        });
    }
    let is_only_stdin = arguments.paths == [Path::new("-")];
    if is_only_stdin && summary.counts.read == 1 && summary.counts.failed == 1 {
        progress.say("what was read is standard input; name files or folders to read those");
    }
    for hint in targets::hints(&watch) {
        progress.say(&hint);
    }
    // Where nobody reads the output any more, as after `| head`, a run is done; a daemon is not.
    let exit = ending(&summary, &progress, is_broken_pipe);
    Ok(after_one_pass(exit, &summary, &all_taken, &progress))
}

/// The exit code of a pass over what was given: unlike a daemon, it does not come back to what it
/// left when it was stopped.
///
/// - `exit`: what it is otherwise;
/// - `all_taken`: whether all was read.
pub(crate) fn after_one_pass(
    exit: Exit,
    summary: &Summary,
    all_taken: &AtomicBool,
    progress: &Progress,
) -> Exit {
    // A sink that takes no more stops the rest, too.
    let was_told = summary.errors.is_empty() && summary.was_told_to_stop;
    let is_unread = was_told && !all_taken.load(Ordering::Acquire);
    if is_unread && summary.counts.read > 0 {
        progress.say("stopped: what was given was not read to its end");
    }
    match exit {
        Exit::Done | Exit::SomeFailed if is_unread || was_stopped(summary) => Exit::Failed,
        exit => exit,
    }
}

pub(crate) fn inputs(paths: &[std::path::PathBuf]) -> Result<Vec<Input>> {
    let input = |path: &std::path::PathBuf| {
        if path == Path::new("-") {
            return Ok(Input::Stdin);
        }
        // Whether it can be read is told when it is; a name that is nothing is a slip of the hand.
        if path.symlink_metadata().is_err() {
            return Err(exit::usage(format!(
                "{}: there is no such file or folder",
                path.display()
            )));
        }
        Ok(Input::Path(path.clone()))
    };
    paths.iter().map(input).collect()
}

/// Where results go: to `-o`, else to standard output.
fn output(arguments: &cli::Run, assembly: &Assembly, style: Style) -> Result<Box<dyn Sink>> {
    if let Some(path) = &arguments.output {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
            return Err(exit::usage(format!(
                "cannot write to {}: there is no folder {}; make it first",
                path.display(),
                folder.display()
            )));
        }
    }
    let to_terminal = arguments.output.is_none() && io::stdout().is_terminal();
    let usual = if to_terminal { ResultFormat::Table } else { ResultFormat::Jsonl };
    let format = arguments.format.unwrap_or(usual);
    let maker = assembly.maker();
    Ok(match (format, &arguments.output) {
        (ResultFormat::Jsonl, Some(path)) => Box::new(
            JsonlSink::create(path, maker).map_err(|error| exit::usage(with_causes(&error)))?,
        ),
        (ResultFormat::Jsonl, None) => printed(maker, io::stdout()),
        (ResultFormat::Table, Some(path)) => {
            printed(TablePrinter(Style { colour: false, ..style }), create(path)?)
        }
        (ResultFormat::Table, None) => printed(TablePrinter(style), io::stdout()),
        (ResultFormat::Html, Some(path)) => printed(PagePrinter, create(path)?),
        (ResultFormat::Html, None) => printed(PagePrinter, io::stdout()),
    })
}

fn printed(printer: impl Printer, to: impl io::Write + Send + 'static) -> Box<dyn Sink> {
    Box::new(StreamSink::new(printer, to, "the output"))
}

/// Makes the file of `-o`, in place of one that is there.
fn create(path: &Path) -> Result<std::fs::File> {
    std::fs::File::create(path)
        .map_err(|error| exit::usage(format!("cannot write to {}: {error}", path.display())))
}

/// Tells of documents that failed, and of files passed over if `with_passed_over`.
pub(crate) fn teller(progress: Progress, with_passed_over: bool) -> Listener {
    Arc::new(move |report| match report {
        Report::PassedOver { path, reason } if with_passed_over => {
            progress.say(&format!("passed over {path}: {reason}"));
        }
        Report::Again { path, reason } => progress.say(&format!("passed over {path}: {reason}")),
        Report::Failed { path, failure } => progress.say(&format!("failed {path}: {failure}")),
        // What was returned is counted at the end: a run that was stopped would name all that it
        // had read ahead.
        Report::PassedOver { .. } | Report::Returned { .. } => {}
    })
}

/// `daemon`: the sources and sinks of a pipeline file, until a signal or, with `--once`, until
/// they are drained.
pub(crate) fn daemon(arguments: &cli::Daemon) -> Result<Exit> {
    let choice =
        PipelineChoice { config: Some(arguments.config.clone()), set: arguments.set.clone() };
    let mut assembly = Assembly::of(&choice)?;
    if !assembly.is_fit_for_a_daemon() {
        return Err(exit::usage(format!(
            "{}: a daemon needs at least one source and one sink",
            arguments.config.display()
        )));
    }
    let instance = Instance::take(&assembly.file.data_dir).map_err(|error| match error {
        InstanceError::Held { .. } => exit::locked(error.to_string()),
        other => other.into(),
    })?;
    assembly.cache_plugins();
    let stages = assembly.stages(&[])?;
    let progress = Progress::new(false);
    let opening = Opening {
        instance: instance.name().to_owned(),
        ledger: assembly.ledger(),
        until_drained: arguments.once,
        listener: teller(progress.clone(), false),
    };
    let sinks = assembly.sinks(Some(&opening.ledger))?;
    let sources = assembly.sources(&opening)?;
    let pipeline = Pipeline { sources, stages, sinks, limits: assembly.limits() };
    let server = Server::bind(assembly.file.server.as_ref(), instance.folder())?;
    // Where nothing is stored there is nothing to look at.
    let dashboard = match (assembly.store()?, server.address()) {
        (Some(store), Some(address)) => {
            Some(Dashboard::new(store, &assembly, instance.folder(), address)?)
        }
        _ => None,
    };
    let _upkeep = Upkeep::start(assembly.holdings()).context("cannot start the upkeep")?;
    let assembly = Arc::new(assembly);
    let watch_config = arguments.watch_config;
    let life = Life { server, dashboard, assembly, choice, opening, watch_config };
    let summary = execute(pipeline, &progress, Some(life))?;
    let counts = &summary.counts;
    info!(
        read = counts.read,
        done = counts.done,
        failed = counts.failed,
        returned = counts.returned,
        elapsed = ?summary.elapsed,
        "pipeline drained"
    );
    Ok(ending(&summary, &progress, |_| false))
}

/// Runs a pipeline to its end, with signals, a progress bar, and what a daemon has beside it.
pub(crate) fn execute(
    pipeline: Pipeline,
    progress: &Progress,
    life: Option<Life>,
) -> Result<Summary> {
    let runtime = io_runtime()?;
    let summary = runtime.block_on(async {
        let mut engine = Engine::new(pipeline);
        if let Some(life) = &life {
            engine = engine.named(life.assembly.maker().pipeline);
        }
        // First, so that whoever was answered once can also tell it to end.
        let (teller, is_daemon) = (progress.clone(), life.is_some());
        let _listening = signals::listen(engine.shutdown(), move |line| {
            // A daemon has it in its log.
            if !is_daemon {
                teller.say(line);
            }
        })?;
        if let Some(life) = &life {
            info!(pipeline = life.assembly.maker().pipeline, "started");
        }
        let _living = life.map(|life| life.begin(&engine)).transpose()?;
        let bar = progress.follow(engine.stats());
        let summary = engine.run().await;
        bar.abort();
        anyhow::Ok(summary)
    })?;
    // A thread that is blocked in a plugin, or in a read of standard input, is not waited for.
    runtime.shutdown_background();
    progress.finish();
    Ok(summary)
}

/// The runtime of sources, sinks and signals; stages have workers of their own.
fn io_runtime() -> Result<Runtime> {
    Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("io")
        .enable_all()
        .build()
        .context("cannot start the runtime")
}

/// The exit code of a run, after telling what went wrong.
///
/// - `is_forgiven`: errors that are none.
pub(crate) fn ending(
    summary: &Summary,
    progress: &Progress,
    is_forgiven: impl Fn(&RunError) -> bool,
) -> Exit {
    let errors: Vec<_> = summary.errors.iter().filter(|error| !is_forgiven(error)).collect();
    for error in &errors {
        error!("{}", with_causes(*error));
    }
    if !errors.is_empty() {
        return Exit::Failed;
    }
    let counts = &summary.counts;
    if was_stopped(summary) {
        let were = if counts.returned == 1 { "was" } else { "were" };
        let returned = many(counts.returned, "document");
        progress.say(&format!("stopped: {returned} {were} not finished"));
    }
    if counts.failed > 0 {
        progress.say(&format!("{} of {} failed", counts.failed, many(counts.read, "document")));
        return Exit::SomeFailed;
    }
    Exit::Done
}

/// Whether documents went back because somebody stopped the pipeline, and not because it failed or
/// nobody reads its output any more.
fn was_stopped(summary: &Summary) -> bool {
    summary.errors.is_empty() && summary.counts.returned > 0
}

/// Whether nobody reads the output any more.
fn is_broken_pipe(error: &RunError) -> bool {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        let kind = error.downcast_ref::<io::Error>().map(io::Error::kind);
        if kind == Some(io::ErrorKind::BrokenPipe) {
            return true;
        }
        cause = error.source();
    }
    false
}

/// Sends documents through `stages` and gives them back, in their order; one that fails is
/// missing and told on standard error.
///
/// # Errors
///
/// When the run as a whole fails.
pub(crate) fn annotate(
    documents: Vec<Document<'static>>,
    stages: Vec<StageStep>,
    assembly: &Assembly,
) -> Result<Vec<Document<'static>>> {
    let order: Vec<String> = documents.iter().map(|document| document.id().to_owned()).collect();
    let kept = Arc::new(Mutex::new(std::collections::HashMap::new()));
    let sink = SinkStep::new("kept", Box::new(Keep(Arc::clone(&kept))));
    send(Box::new(documents.into_iter()), stages, sink, assembly)?;
    let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(order.iter().filter_map(|id| kept.remove(id)).collect())
}

/// Documents that are there already.
pub(crate) type Documents = Box<dyn Iterator<Item = Document<'static>> + Send>;

/// Sends documents through `stages` into `sink`; one that fails is told on standard error.
///
/// # Errors
///
/// When the run as a whole fails.
pub(crate) fn send(
    documents: Documents,
    stages: Vec<StageStep>,
    sink: SinkStep,
    assembly: &Assembly,
) -> Result<Summary> {
    let pipeline = Pipeline {
        sources: vec![SourceStep::new("given", Box::new(Given(documents)))],
        stages,
        sinks: vec![sink],
        limits: assembly.limits(),
    };
    let progress = Progress::new(true);
    let mut summary = execute(pipeline, &progress, None)?;
    if !summary.errors.is_empty() {
        return Err(summary.errors.remove(0).into());
    }
    Ok(summary)
}

/// Reads the documents of one input.
///
/// # Errors
///
/// What is wrong with it.
pub(crate) fn read(path: &Path, assembly: &Assembly) -> Result<Vec<Document<'static>>> {
    let inputs = inputs(&[path.to_owned()])?;
    let progress = Progress::new(false);
    let listener = teller(progress, true);
    let mut source = FilesSource::start("run", inputs, assembly.read_limits(), listener)?;
    io_runtime()?.block_on(async {
        let mut documents = Vec::new();
        while let Some(delivery) = source.next().await? {
            match delivery.content {
                Ok(document) => {
                    documents.push(document);
                    delivery.receipt.settle(Outcome::Done);
                }
                Err(failure) => delivery.receipt.settle(Outcome::Failed(failure)),
            }
        }
        Ok(documents)
    })
}

/// A source of documents that are there already.
struct Given(Documents);

#[async_trait]
impl Source for Given {
    async fn next(&mut self) -> Result<Option<Delivery>, SourceError> {
        Ok(self.0.next().map(|document| {
            let id = document.id().to_owned();
            let receipt = Receipt::new(move |outcome| {
                if let Outcome::Failed(failure) = outcome {
                    error!(id, "failed: {failure}");
                }
            });
            Delivery::new(document, receipt)
        }))
    }
}

/// A sink that keeps documents by their ids.
struct Keep(Arc<Mutex<std::collections::HashMap<String, Document<'static>>>>);

#[async_trait]
impl Sink for Keep {
    async fn write(
        &mut self,
        documents: &[Arc<Document<'static>>],
    ) -> Result<Vec<Result<(), String>>, SinkError> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for document in documents {
            kept.insert(document.id().to_owned(), Document::clone(document));
        }
        Ok(vec![Ok(()); documents.len()])
    }
}
