//! The commands over results: explaining, reporting, correcting, judging them.

use std::path::PathBuf;

use clap::{Args, ValueEnum, ValueHint};

use super::{PipelineChoice, ReportFormat};

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    standpoint explain article.txt\n  \
    standpoint explain article.txt --format html -o article.html")]
pub(crate) struct Explain {
    /// The document; `-` is standard input.
    #[arg(value_name = "PATH", value_hint = ValueHint::FilePath)]
    pub(crate) path: PathBuf,

    #[command(flatten)]
    pub(crate) pipeline: PipelineChoice,

    /// Toward whom, in place of the stance stage's own setting; may be repeated.
    #[arg(short, long, value_name = "NAME", value_parser = super::target)]
    pub(crate) target: Vec<String>,

    /// How to print it.
    #[arg(long, default_value = "text", value_name = "FORMAT")]
    pub(crate) format: ExplainFormat,

    /// The file to write; standard output if left out.
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) output: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExplainFormat {
    /// For a terminal.
    Text,
    /// A page for a browser: one file that fetches nothing.
    Html,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    standpoint run seeds/ -o results.jsonl && standpoint report results.jsonl -o report.html\n  \
    standpoint report out/standpoint.db --from 2024-01 --to 2024-06 -o spring.html\n  \
    standpoint report speeches.jsonl --holders authors --title 'Toward Russia' -o speeches.html")]
pub(crate) struct Report {
    /// Result lines (`.jsonl`, also `.gz`), or one store: the file of a `sqlite` sink, or the
    /// address of a `postgres` sink (its password in PGPASSWORD).
    #[arg(required = true, value_name = "RESULTS", value_hint = ValueHint::FilePath)]
    pub(crate) results: Vec<PathBuf>,

    /// The page to write; standard output if left out.
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) output: Option<PathBuf>,

    /// Toward whom, a name or an id; the target with the most stances if left out.
    #[arg(short, long, value_name = "NAME")]
    pub(crate) target: Option<String>,

    /// The first day, month or year of publication.
    #[arg(long, value_name = "DATE")]
    pub(crate) from: Option<String>,

    /// The last one.
    #[arg(long, value_name = "DATE")]
    pub(crate) to: Option<String>,

    /// Only documents of this source; may be repeated.
    #[arg(long, value_name = "NAME")]
    pub(crate) source: Vec<String>,

    /// Only documents with these words.
    #[arg(long, value_name = "WORDS")]
    pub(crate) words: Option<String>,

    /// Whose stances: of the actors that texts name, of their authors, or of both.
    #[arg(long, default_value = "actors", value_name = "WHO")]
    pub(crate) holders: HoldersChoice,

    /// The headline.
    #[arg(long, value_name = "TEXT")]
    pub(crate) title: Option<String>,

    /// How many actors, those with the most stories.
    #[arg(long, default_value_t = 24, value_name = "COUNT")]
    pub(crate) actors: usize,

    /// How many passages of each actor, the clearest.
    #[arg(long, default_value_t = 6, value_name = "COUNT")]
    pub(crate) passages: usize,

    /// How many documents with their whole text, the latest.
    #[arg(long, default_value_t = 200, value_name = "COUNT")]
    pub(crate) documents: usize,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    standpoint reprocess -c pipeline.yaml --dry-run   # what would change\n  \
    standpoint reprocess -c pipeline.yaml             # change it; corrections by people stay")]
pub(crate) struct Reprocess {
    /// The pipeline file, with a sink of type `sqlite` or `postgres`.
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) config: PathBuf,

    /// Change one setting, such as `defaults.timeout=5s`; may be repeated.
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,

    /// All documents, and not only those that other versions of the stages had read.
    #[arg(long)]
    pub(crate) all: bool,

    /// Show what would change and keep nothing of it.
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// How to print what changed: `json` has an object a line, the last one being the sum.
    #[arg(long, default_value = "text", value_name = "FORMAT")]
    pub(crate) format: ReportFormat,
}

#[derive(Debug, Args)]
pub(crate) struct Corrections {
    /// The store: the file of a `sqlite` sink, or the address of a `postgres` sink (its password in
    /// PGPASSWORD).
    #[arg(value_name = "STORE", value_hint = ValueHint::FilePath)]
    pub(crate) store: PathBuf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum HoldersChoice {
    /// Those whom texts name.
    Actors,
    /// Those who wrote them.
    Authors,
    /// Both.
    All,
}

impl HoldersChoice {
    /// As it stands in a page's address.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Actors => "actors",
            Self::Authors => "authors",
            Self::All => "all",
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct Evaluate {
    #[command(flatten)]
    pub(crate) pipeline: PipelineChoice,

    #[command(flatten)]
    pub(crate) evaluation: crate::evaluate::Evaluation,
}
