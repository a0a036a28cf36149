//! Answers commands. Those that move documents are in `run`.

use std::io::{self, Write};

use anyhow::{Context, Result, anyhow};
use clap::{ColorChoice, CommandFactory};
use serde_json::json;
use standpoint_config::schema;
use standpoint_connectors::files::is_same_file;

use crate::assemble::Assembly;
use crate::cli::{
    Cli, Command, ConfigCommand, Evaluate, Explain, ExplainFormat, Graph, GraphFormat,
    PluginCommand, ReportFormat, Validate,
};
use crate::exit::{self, Exit};
use crate::explain::explain;
use crate::kinds::catalogue;
use crate::plugins::{self, Installed};
use crate::style::Style;
use crate::watch::Watch;
use crate::{
    console, control, evaluate, forget, ledger, publish, quarantine, report, reprocess, run,
    targets, top, trials,
};

/// Answers a command.
///
/// # Errors
///
/// Why there is no answer; [`exit::of`] says with which code the program ends.
pub(crate) fn answer(cli: Cli) -> Result<Exit> {
    match cli.command {
        Command::Run(arguments) => run::run(&arguments, cli.color),
        Command::Daemon(arguments) => run::daemon(&arguments),
        Command::Publish(arguments) => publish::publish(&arguments),
        Command::Status(arguments) => print(&control::status(&arguments)?),
        Command::Reload(arguments) => print(&control::reload(&arguments)?),
        Command::Top(arguments) => top::show(&arguments),
        Command::Tap(arguments) => control::tap(&arguments, print),
        Command::Quarantine(command) => {
            let (told, exit) = quarantine::answer(&command)?;
            print(&told)?;
            Ok(exit)
        }
        Command::Ledger(command) => {
            let (told, exit) = ledger::answer(&command)?;
            print(&told)?;
            Ok(exit)
        }
        Command::Forget(arguments) => {
            let (told, exit) = forget::answer(&arguments)?;
            print(&told)?;
            Ok(exit)
        }
        Command::Validate(arguments) => validate(&arguments, cli.color),
        Command::Test(arguments) => {
            let (told, exit) = trials::run(&arguments, Style::of_stdout(cli.color))?;
            print(&told)?;
            Ok(exit)
        }
        Command::Explain(arguments) => explained(&arguments, cli.color),
        Command::Report(arguments) => report::run(&arguments),
        Command::Reprocess(arguments) => reprocess::run(&arguments),
        Command::Corrections(arguments) => print(&report::corrections(&arguments)?),
        Command::Evaluate(arguments) => evaluated(&arguments),
        Command::Plugin(command) => plugin(command, cli.color),
        Command::Schema => schema_of_everything(),
        Command::Graph(arguments) => graph(&arguments),
        Command::Config(ConfigCommand::Show(pipeline)) => {
            print(&Assembly::of(&pipeline.choice())?.file.resolved_yaml())
        }
        Command::Man { folder } => {
            let write = || format!("cannot write to {}", folder.display());
            clap_mangen::generate_to(Cli::command(), &folder).with_context(write)?;
            Ok(Exit::Done)
        }
        Command::Completion(arguments) => {
            let mut script = Vec::new();
            let mut command = Cli::command();
            clap_complete::generate(arguments.shell, &mut command, "standpoint", &mut script);
            print(&String::from_utf8_lossy(&script))
        }
    }
}

/// Prints on standard output; that nobody reads it any more is no failure.
fn print(text: &str) -> Result<Exit> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(Exit::Done),
    }
}

fn validate(arguments: &Validate, colour: ColorChoice) -> Result<Exit> {
    let style = Style::of_stdout(colour);
    let mut exit = Exit::Done;
    let mut reports = Vec::new();
    for path in &arguments.files {
        let findings = match Assembly::check(Some(path), &[]) {
            Ok((_, warnings)) => warnings,
            Err(findings) => {
                exit = Exit::Usage;
                findings
            }
        };
        match arguments.format {
            ReportFormat::Text => {
                let told = findings.render(style.colour);
                let verdict = match (findings.has_errors(), findings.is_empty()) {
                    (true, _) => String::new(),
                    (false, true) => format!("{}: no mistakes", path.display()),
                    (false, false) => format!("\n\n{}: no mistakes", path.display()),
                };
                print(&format!("{told}{verdict}\n"))?;
            }
            ReportFormat::Json => reports.push(json!({
                "file": path,
                "findings": findings.to_json(),
            })),
        }
    }
    if arguments.format == ReportFormat::Json {
        print(&format!("{:#}\n", json!(reports)))?;
    }
    Ok(exit)
}

fn explained(arguments: &Explain, colour: ColorChoice) -> Result<Exit> {
    if let Some(output) = &arguments.output
        && is_same_file(&arguments.path, output)
    {
        return Err(exit::usage(format!(
            "{}: is read and would be written over; name another file with -o",
            output.display()
        )));
    }
    let assembly = Assembly::of(&arguments.pipeline)?;
    let stages = assembly.stages(&arguments.target)?;
    let documents = run::read(&arguments.path, &assembly)?;
    let read = documents.len();
    let documents = run::annotate(documents, stages, &assembly)?;
    for hint in targets::hints(&Watch::over(&documents)) {
        console::say(&hint);
    }
    let told = match arguments.format {
        ExplainFormat::Html => report::explained(&documents, &assembly.maker())?,
        ExplainFormat::Text => {
            let to_file = arguments.output.is_some();
            let style = if to_file { Style::of_file(colour) } else { Style::of_stdout(colour) };
            documents.iter().map(|document| format!("{}\n", explain(document, style))).collect()
        }
    };
    match &arguments.output {
        Some(path) => std::fs::write(path, told)
            .with_context(|| format!("cannot write to {}", path.display()))?,
        None => drop(print(&told)?),
    }
    Ok(if documents.is_empty() || documents.len() < read { Exit::SomeFailed } else { Exit::Done })
}

fn evaluated(arguments: &Evaluate) -> Result<Exit> {
    let assembly = Assembly::of(&arguments.pipeline)?;
    evaluate::run(&arguments.evaluation, &mut |documents, targets| {
        let stages = assembly.stages(targets.unwrap_or_default())?;
        run::annotate(documents, stages, &assembly)
    })?;
    Ok(Exit::Done)
}

fn plugin(command: PluginCommand, colour: ColorChoice) -> Result<Exit> {
    match command {
        PluginCommand::List { path, json } => {
            let installed = Installed::look(&path);
            print(&if json { format!("{:#}\n", installed.json()) } else { installed.table() })
        }
        PluginCommand::Inspect { plugin, json } => match plugins::of_words(&plugin) {
            Ok(plugin) if json => print(&format!("{:#}\n", plugin.json())),
            Ok(plugin) => print(&format!("{}\nloads here: yes\n", plugin.text())),
            Err(reason) => {
                print(&format!("loads here: no, because {reason}\n"))?;
                Ok(Exit::Failed)
            }
        },
        PluginCommand::Test(arguments) => {
            let (told, exit) = plugins::trial::run(&arguments, Style::of_stdout(colour))?;
            print(&told)?;
            Ok(exit)
        }
        PluginCommand::New(arguments) => print(&plugins::scaffold::run(&arguments)?),
        PluginCommand::Doctor { path, json } => {
            let report = plugins::doctor::look(&path);
            print(&if json { format!("{:#}\n", report.json()) } else { report.text() })?;
            Ok(report.exit())
        }
    }
}

fn schema_of_everything() -> Result<Exit> {
    let installed = Installed::look(&[]);
    print(&format!("{:#}\n", schema(&catalogue(std::iter::empty(), &installed))))
}

fn graph(arguments: &Graph) -> Result<Exit> {
    let file = Assembly::of(&arguments.pipeline.choice())?.file;
    let mut graph = Drawing::default();
    let stages: Vec<String> = (0..file.stages.len()).map(|index| format!("stage{index}")).collect();
    for (node, stage) in stages.iter().zip(&file.stages) {
        let condition =
            stage.when.as_ref().map(|when| format!("\nwhen {when}")).unwrap_or_default();
        graph.nodes.push((node.clone(), format!("{}{condition}", stage.id)));
    }
    for pair in stages.windows(2) {
        graph.edge(&pair[0], &pair[1], "");
    }
    let (first, last) =
        stages.first().zip(stages.last()).ok_or_else(|| anyhow!("the pipeline has no stages"))?;
    for (index, source) in file.sources.iter().enumerate() {
        let node = format!("source{index}");
        graph.nodes.push((node.clone(), format!("{} ({})", source.name, source.kind)));
        graph.edge(&node, first, "");
    }
    for (index, sink) in file.sinks.iter().enumerate() {
        let node = format!("sink{index}");
        graph.nodes.push((node.clone(), format!("{} ({})", sink.name, sink.kind)));
        if file.routes.is_empty() {
            graph.edge(last, &node, "");
        }
        for route in file.routes.iter().filter(|route| route.to.contains(&sink.name)) {
            graph.edge(last, &node, route.when.as_deref().unwrap_or("otherwise"));
        }
    }
    print(&match arguments.format {
        GraphFormat::Mermaid => graph.mermaid(),
        GraphFormat::Dot => graph.dot(&file.name),
    })
}

/// Boxes and arrows.
#[derive(Default)]
struct Drawing {
    /// An identifier and a label.
    nodes: Vec<(String, String)>,
    /// From, to, and a label that may be empty.
    edges: Vec<(String, String, String)>,
}

impl Drawing {
    fn edge(&mut self, from: &str, to: &str, label: &str) {
        self.edges.push((from.to_owned(), to.to_owned(), label.to_owned()));
    }

    fn mermaid(&self) -> String {
        // Quotation marks would end a label; Mermaid knows HTML's name for them.
        let label = |text: &str| text.replace('"', "&quot;").replace('\n', "<br/>");
        let nodes = self.nodes.iter().map(|(id, text)| format!("  {id}[\"{}\"]\n", label(text)));
        let edges = self.edges.iter().map(|(from, to, text)| {
            let text =
                if text.is_empty() { String::new() } else { format!("|\"{}\"|", label(text)) };
            format!("  {from} -->{text} {to}\n")
        });
        format!("flowchart LR\n{}", nodes.chain(edges).collect::<String>())
    }

    fn dot(&self, name: &str) -> String {
        let quoted = |text: &str| {
            format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
        };
        let nodes =
            self.nodes.iter().map(|(id, text)| format!("  {id} [label={}];\n", quoted(text)));
        let edges = self.edges.iter().map(|(from, to, text)| {
            let text =
                if text.is_empty() { String::new() } else { format!(" [label={}]", quoted(text)) };
            format!("  {from} -> {to}{text};\n")
        });
        let body: String = nodes.chain(edges).collect();
        format!("digraph {} {{\n  rankdir=LR;\n  node [shape=box];\n{body}}}\n", quoted(name))
    }
}
