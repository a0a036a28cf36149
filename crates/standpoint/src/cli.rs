//! What the program may be told on its command line.

mod plugin;
mod results;

use std::path::PathBuf;

use clap::{Args, ColorChoice, Parser, Subcommand, ValueEnum, ValueHint};

use crate::targets;

pub(crate) use plugin::{Language, PluginCommand, PluginNew, PluginTest};
pub(crate) use results::{Corrections, Evaluate, Explain, ExplainFormat, Report, Reprocess};

/// Reads documents and says where each actor in them stands toward a target.
#[derive(Debug, Parser)]
#[command(
    name = "standpoint",
    version,
    about,
    long_about = "Reads a stream of documents and says where each actor in them stands toward a \
                  target (Russia, unless told otherwise), with the sentences that show it.",
    after_help = "Exit codes: 0 done; 1 failed while running; 2 wrong usage or configuration; \
                  3 done, but some documents failed; 4 another instance holds the data folder; \
                  128 + signal when a second signal ends it at once.",
    subcommand_required = true,
    arg_required_else_help = true
)]
pub(crate) struct Cli {
    /// When to colour what is printed; the variable `NO_COLOR` is honoured too.
    #[arg(long, global = true, default_value = "auto", value_name = "WHEN")]
    pub(crate) color: ColorChoice,

    /// What to log on standard error, such as `debug` or `standpoint_engine=trace`.
    #[arg(long, global = true, value_name = "FILTER", env = "STANDPOINT_LOG")]
    pub(crate) log: Option<String>,

    /// How to write the log.
    #[arg(long, global = true, default_value = "text", value_name = "FORMAT")]
    pub(crate) log_format: LogFormat,

    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// Lines for people.
    Text,
    /// One JSON object on each line.
    Json,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Read files, folders or standard input once and print what is found.
    Run(Run),
    /// Run the sources of a pipeline file, for ever or until they are drained.
    Daemon(Daemon),
    /// Put documents into the stream that the workers of a cluster share.
    Publish(Publish),
    /// Print what a running daemon is doing.
    Status(Status),
    /// Let a running daemon read its pipeline file again, without a stop.
    Reload(Reload),
    /// Show what a running daemon does, again and again, with rates.
    Top(Top),
    /// Print a sample of the documents that pass through a running daemon, as result lines.
    Tap(Tap),
    /// See, try again or delete the files that a daemon put into quarantine, or the dead letters of
    /// a cluster.
    #[command(subcommand)]
    Quarantine(QuarantineCommand),
    /// Look at what a daemon remembers.
    #[command(subcommand)]
    Ledger(LedgerCommand),
    /// Delete a document, everything that was found in it, and what people said of it.
    Forget(Forget),
    /// Show every mistake of pipeline files, with positions.
    Validate(Validate),
    /// Run the tests that are written in a pipeline file.
    Test(Test),
    /// Print a document with its entities and each piece of evidence marked.
    Explain(Explain),
    /// Make one page of results that can be mailed and printed: who stands where, and what shows
    /// it.
    Report(Report),
    /// Read the documents of a store again that other versions of the stages had read, and show
    /// what changed.
    Reprocess(Reprocess),
    /// Print what people corrected in a store, as labelled data (JSONL).
    Corrections(Corrections),
    /// Measure a task on labelled data: precision, recall, F1.
    Evaluate(Evaluate),
    /// Look at plugins.
    #[command(subcommand)]
    Plugin(PluginCommand),
    /// Print the JSON Schema of pipeline files, with every installed plugin's settings.
    Schema,
    /// Print the pipeline as a graph.
    Graph(Graph),
    /// Print what a pipeline file comes to.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Print a script that completes this program's commands in a shell.
    Completion(Completion),
    /// Write the manual's pages into a folder.
    #[command(hide = true)]
    Man {
        /// The folder, which must exist.
        #[arg(value_name = "FOLDER", value_hint = ValueHint::DirPath)]
        folder: PathBuf,
    },
}

/// Which pipeline, and what to change in it.
#[derive(Debug, Clone, Args)]
pub(crate) struct PipelineChoice {
    /// The pipeline file; without it, the pipeline that the program carries.
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) config: Option<PathBuf>,

    /// Change one setting, such as `defaults.timeout=5s`; may be repeated.
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
}

/// Which pipeline, by its file alone or as elsewhere.
#[derive(Debug, Args)]
pub(crate) struct PipelineToShow {
    /// The pipeline file, as with `--config`.
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with = "config")]
    file: Option<PathBuf>,

    #[command(flatten)]
    choice: PipelineChoice,
}

impl PipelineToShow {
    /// The pipeline that is meant.
    pub(crate) fn choice(&self) -> PipelineChoice {
        let PipelineChoice { config, set } = self.choice.clone();
        PipelineChoice { config: config.or_else(|| self.file.clone()), set }
    }
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    standpoint run article.txt\n  \
    standpoint run seeds/ -o results.jsonl\n  \
    cat feed.jsonl | standpoint run - | jq '.stance[0].actors'\n  \
    standpoint run --target Turkey articles/")]
pub(crate) struct Run {
    /// Files and folders to read; `-` is standard input (text, a web page, JSON or JSONL).
    #[arg(value_name = "PATH", value_hint = ValueHint::AnyPath, default_value = "-")]
    pub(crate) paths: Vec<PathBuf>,

    #[command(flatten)]
    pub(crate) pipeline: PipelineChoice,

    /// Toward whom, in place of the stance stage's own setting; may be repeated.
    #[arg(short, long, value_name = "NAME", value_parser = target)]
    pub(crate) target: Vec<String>,

    /// Write the results to this file instead of standard output.
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) output: Option<PathBuf>,

    /// How to write results: a table on a terminal, JSONL elsewhere, unless told otherwise.
    #[arg(long, value_name = "FORMAT")]
    pub(crate) format: Option<ResultFormat>,

    /// Write to the sinks of the pipeline file too.
    #[arg(long, requires = "config")]
    pub(crate) sinks: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ResultFormat {
    /// One JSON object on each line.
    Jsonl,
    /// A table for people.
    Table,
    /// A page for a browser: one file that fetches nothing.
    Html,
}

#[derive(Debug, Args)]
pub(crate) struct Daemon {
    /// The pipeline file.
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) config: PathBuf,

    /// Change one setting, such as `data_dir=/tmp/state`; may be repeated.
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,

    /// Process what the sources hold now, then end.
    #[arg(long)]
    pub(crate) once: bool,

    /// Read the pipeline file again whenever it, or a plugin that it names, has changed.
    #[arg(long)]
    pub(crate) watch_config: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  standpoint publish -c worker.yaml --source speeches speeches/")]
pub(crate) struct Publish {
    /// Files and folders to read; `-` is standard input (text, a web page, JSON or JSONL).
    #[arg(required = true, value_name = "PATH", value_hint = ValueHint::AnyPath)]
    pub(crate) paths: Vec<PathBuf>,

    /// The pipeline file of the workers; its `cluster` says where the stream is.
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) config: PathBuf,

    /// Change one setting, such as `cluster.nats.url=nats://127.0.0.1`; may be repeated.
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,

    /// The name of the documents' source, which is part of their ids.
    #[arg(long, value_name = "NAME", default_value = "publish")]
    pub(crate) source: String,
}

impl Publish {
    /// The pipeline that is meant.
    pub(crate) fn choice(&self) -> PipelineChoice {
        PipelineChoice { config: Some(self.config.clone()), set: self.set.clone() }
    }
}

/// Which daemon.
#[derive(Debug, Clone, Args)]
pub(crate) struct DaemonChoice {
    /// The pipeline file of the daemon.
    #[arg(
        short,
        long,
        value_name = "FILE",
        value_hint = ValueHint::FilePath,
        required_unless_present = "data_dir",
        conflicts_with = "data_dir"
    )]
    pub(crate) config: Option<PathBuf>,

    /// Its data folder, in place of the pipeline file.
    #[arg(long, value_name = "FOLDER", value_hint = ValueHint::DirPath)]
    pub(crate) data_dir: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Reload {
    #[command(flatten)]
    pub(crate) daemon: DaemonChoice,

    /// Wait until it is done, and say why if it was refused.
    #[arg(long)]
    pub(crate) wait: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Top {
    #[command(flatten)]
    pub(crate) daemon: DaemonChoice,

    /// How often to look.
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = humantime::parse_duration)]
    pub(crate) every: std::time::Duration,

    /// End after so many looks; without it, when the daemon does or at Ctrl-C.
    #[arg(short = 'n', long, value_name = "NUMBER")]
    pub(crate) count: Option<u64>,
}

#[derive(Debug, Args)]
pub(crate) struct Tap {
    #[command(flatten)]
    pub(crate) daemon: DaemonChoice,

    /// Show documents as they leave this stage; without it, as they reach the sinks.
    #[arg(long, value_name = "ID")]
    pub(crate) stage: Option<String>,

    /// End after so many documents; without it, when the daemon does or at Ctrl-C.
    #[arg(short = 'n', long, value_name = "NUMBER")]
    pub(crate) count: Option<u64>,
}

#[derive(Debug, Args)]
pub(crate) struct Status {
    #[command(flatten)]
    pub(crate) daemon: DaemonChoice,

    /// How to print it.
    #[arg(long, default_value = "text", value_name = "FORMAT")]
    pub(crate) format: ReportFormat,
}

#[derive(Debug, Subcommand)]
pub(crate) enum QuarantineCommand {
    /// List the files or dead letters, the oldest first, with the reason of each.
    List {
        #[command(flatten)]
        of: Quarantine,
        /// How to print them.
        #[arg(long, default_value = "text", value_name = "FORMAT")]
        format: ReportFormat,
    },
    /// Print all that is known of one of them.
    Show {
        #[command(flatten)]
        of: Quarantine,
        /// The file, or the number of a dead letter, as `list` names it.
        #[arg(value_name = "FILE")]
        name: PathBuf,
    },
    /// Move files back into the inbox that they came from, dead letters into the stream.
    Replay {
        #[command(flatten)]
        of: Quarantine,
        #[command(flatten)]
        which: Which,
    },
    /// Delete files or dead letters.
    Purge {
        #[command(flatten)]
        of: Quarantine,
        #[command(flatten)]
        which: Which,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum LedgerCommand {
    /// Check every file of the ledger and change nothing; exit code 1 if something is damaged.
    Check {
        #[command(flatten)]
        of: Ledger,
        /// How to print what is found.
        #[arg(long, default_value = "text", value_name = "FORMAT")]
        format: ReportFormat,
    },
    /// Print what the ledger holds, one JSON object on each line.
    Dump {
        #[command(flatten)]
        of: Ledger,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Forget {
    /// The document's id: `id` of its result line, not the one that a record brought (`source.id`).
    #[arg(value_name = "ID")]
    pub(crate) id: String,

    /// The pipeline file of the daemon, which must not be running.
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) config: PathBuf,
}

/// Whose ledger.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct Ledger {
    /// The pipeline file of the daemon.
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) config: Option<PathBuf>,

    /// Its data folder, in place of the pipeline file.
    #[arg(long, value_name = "FOLDER", value_hint = ValueHint::DirPath)]
    pub(crate) data_dir: Option<PathBuf>,
}

/// Whose quarantine.
#[derive(Debug, Args)]
pub(crate) struct Quarantine {
    /// The pipeline file of the daemon.
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) config: PathBuf,
}

/// Which files in quarantine, or dead letters.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct Which {
    /// The files, or the numbers of dead letters, as `list` names them.
    #[arg(value_name = "FILE")]
    pub(crate) names: Vec<PathBuf>,

    /// All of them.
    #[arg(long)]
    pub(crate) all: bool,

    /// Those that have been there for longer, such as `30days`.
    #[arg(long, value_name = "AGE", value_parser = age)]
    pub(crate) older_than: Option<std::time::Duration>,
}

/// Reads toward whom stances are sought.
fn target(text: &str) -> Result<String, String> {
    if targets::is_nameless(text) {
        return Err(format!("it is the name of nobody: {}", targets::A_NAME));
    }
    Ok(text.to_owned())
}

/// Reads how old something is.
fn age(text: &str) -> Result<std::time::Duration, String> {
    let wrong =
        |_| "expected a number with a unit, such as `30days`, `12h` or `1h 30min`".to_owned();
    humantime::parse_duration(text).map_err(wrong)
}

#[derive(Debug, Args)]
pub(crate) struct Validate {
    /// The pipeline files.
    #[arg(required = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) files: Vec<PathBuf>,

    /// How to print what is found.
    #[arg(long, default_value = "text", value_name = "FORMAT")]
    pub(crate) format: ReportFormat,
}

#[derive(Debug, Args)]
pub(crate) struct Test {
    /// The pipeline file; its `tests` are run, its sources and sinks are not used.
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) file: PathBuf,

    /// Change one setting, such as `defaults.timeout=5s`; may be repeated.
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,

    /// How to print what passed and what failed.
    #[arg(long, default_value = "text", value_name = "FORMAT")]
    pub(crate) format: ReportFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReportFormat {
    /// For people.
    Text,
    /// For programs.
    Json,
}

#[derive(Debug, Args)]
pub(crate) struct Graph {
    #[command(flatten)]
    pub(crate) pipeline: PipelineToShow,

    /// The language of the graph.
    #[arg(long, default_value = "mermaid", value_name = "FORMAT")]
    pub(crate) format: GraphFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum GraphFormat {
    /// For Markdown pages.
    Mermaid,
    /// For Graphviz.
    Dot,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Print the resolved pipeline file: defaults, environment and flags filled in, secrets
    /// hidden.
    Show(PipelineToShow),
}

#[derive(Debug, Args)]
pub(crate) struct Completion {
    /// The shell.
    pub(crate) shell: clap_complete::Shell,
}
