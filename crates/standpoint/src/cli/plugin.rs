//! The commands over plugins.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum, ValueHint};

use super::ReportFormat;

#[derive(Debug, Subcommand)]
pub(crate) enum PluginCommand {
    /// List the plugins that a pipeline can use, and where they were found.
    List {
        /// More folders to look in.
        #[arg(long, value_name = "FOLDER", value_hint = ValueHint::DirPath)]
        path: Vec<PathBuf>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Print what a plugin says of itself, without running any of its code.
    Inspect {
        /// The plugin's file or name, or the command of a program, which is asked.
        #[arg(required = true, value_name = "PLUGIN")]
        plugin: Vec<String>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Try a plugin on all that a stage must withstand, each check in a process of its own.
    Test(PluginTest),
    /// Make a folder with a stage that works, to change into one's own.
    New(PluginNew),
    /// Tell what is installed, where it was found, and what would keep it from loading.
    Doctor {
        /// More folders to look in.
        #[arg(long, value_name = "FOLDER", value_hint = ValueHint::DirPath)]
        path: Vec<PathBuf>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "they are flags of a command line")]
pub(crate) struct PluginTest {
    /// The plugin's file or name, or the command of a program after `--`.
    #[arg(required = true, value_name = "PLUGIN")]
    pub(crate) plugin: Vec<String>,

    /// Its settings, as a JSON object.
    #[arg(long, value_name = "JSON")]
    pub(crate) with: Option<String>,

    /// A folder with texts (`*.txt`) and, beside each, what the stage should write (`*.json`).
    #[arg(long, value_name = "FOLDER", value_hint = ValueHint::DirPath)]
    pub(crate) golden: Option<PathBuf>,

    /// Write the files of `--golden` instead of comparing them.
    #[arg(long, requires = "golden")]
    pub(crate) update: bool,

    /// Count warnings as failures.
    #[arg(long)]
    pub(crate) strict: bool,

    /// Measure how long a document takes.
    #[arg(long)]
    pub(crate) bench: bool,

    /// Run all checks in this process, for debuggers.
    #[arg(long)]
    pub(crate) in_process: bool,

    /// Run one check in this process and print its verdict: what a check's process does.
    #[arg(long, hide = true, value_name = "NAME")]
    pub(crate) check: Option<String>,

    /// How to print what was found.
    #[arg(long, default_value = "text", value_name = "FORMAT")]
    pub(crate) format: ReportFormat,
}

#[derive(Debug, Args)]
pub(crate) struct PluginNew {
    /// What the stage is called: lower case, digits and `-`.
    pub(crate) name: String,

    /// The language that it is written in.
    #[arg(long, default_value = "rust", value_name = "LANGUAGE")]
    pub(crate) lang: Language,

    /// The folder to make; named as the stage if left out.
    #[arg(long, value_name = "FOLDER", value_hint = ValueHint::DirPath)]
    pub(crate) path: Option<PathBuf>,

    /// For Rust: the clone of Standpoint, or the address of one, whose crates it uses; the clone
    /// that this program was built from if left out.
    #[arg(long, value_name = "CLONE", env = "STANDPOINT_SDK")]
    pub(crate) sdk: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Language {
    /// A shared library that runs in the program.
    Rust,
    /// A shared library that runs in the program.
    C,
    /// A program of its own.
    Python,
}
