//! Answers commands. Those that move documents are in `run`.

use std::io::{self, Write};

use anyhow::{Result, anyhow};
use clap::{ColorChoice, CommandFactory};
use serde_json::json;
use standpoint_config::schema;

use crate::assemble::{Assembly, catalogue};
use crate::cli::{
    Cli, Command, ConfigCommand, Evaluate, Explain, Graph, GraphFormat, PipelineChoice,
    PluginCommand, ReportFormat, Validate,
};
use crate::exit::Exit;
use crate::explain::explain;
use crate::plugins::{self, Installed};
use crate::style::Style;
use crate::{evaluate, run};

/// Answers a command.
///
/// # Errors
///
/// Why there is no answer; [`exit::of`](crate::exit::of) says with which code the program ends.
pub(crate) fn answer(cli: Cli) -> Result<Exit> {
    match cli.command {
        Command::Run(arguments) => run::run(&arguments, cli.color),
        Command::Daemon(arguments) => run::daemon(&arguments),
        Command::Validate(arguments) => validate(&arguments, cli.color),
        Command::Explain(arguments) => explained(&arguments, cli.color),
        Command::Evaluate(arguments) => evaluated(&arguments),
        Command::Plugin(command) => plugin(command),
        Command::Schema => schema_of_everything(),
        Command::Graph(arguments) => graph(&arguments),
        Command::Config(ConfigCommand::Show(choice)) => {
            print(&Assembly::of(&choice)?.file.resolved_yaml())
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
        let findings = Assembly::check(Some(path), &[]).err();
        if findings.is_some() {
            exit = Exit::Usage;
        }
        match arguments.format {
            ReportFormat::Text => {
                let told = findings.map_or_else(
                    || format!("{}: no mistakes", path.display()),
                    |findings| findings.render(style.colour),
                );
                print(&format!("{}\n", told.trim_end()))?;
            }
            ReportFormat::Json => reports.push(json!({
                "file": path,
                "findings": findings.map_or_else(|| json!([]), |findings| findings.to_json()),
            })),
        }
    }
    if arguments.format == ReportFormat::Json {
        print(&format!("{:#}\n", json!(reports)))?;
    }
    Ok(exit)
}

fn explained(arguments: &Explain, colour: ColorChoice) -> Result<Exit> {
    let assembly = Assembly::of(&arguments.pipeline)?;
    let stages = assembly.stages(&arguments.target)?;
    let documents = run::read(&arguments.path, &assembly)?;
    let read = documents.len();
    let documents = run::annotate(documents, stages, &assembly)?;
    let style = Style::of_stdout(colour);
    for document in &documents {
        print(&format!("{}\n", explain(document, style)))?;
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

fn plugin(command: PluginCommand) -> Result<Exit> {
    match command {
        PluginCommand::List { path, json } => {
            let installed = Installed::look(&path);
            print(&if json { format!("{:#}\n", installed.json()) } else { installed.table() })
        }
        PluginCommand::Inspect { plugin, json } => match plugins::named(&plugin) {
            Ok(plugin) if json => print(&format!("{:#}\n", plugin.json())),
            Ok(plugin) => print(&format!("{}\nloads here: yes\n", plugin.text())),
            Err(reason) => {
                print(&format!("loads here: no, because {reason}\n"))?;
                Ok(Exit::Failed)
            }
        },
    }
}

fn schema_of_everything() -> Result<Exit> {
    let none = PipelineChoice { config: None, set: Vec::new() };
    let file = Assembly::of(&none)?.file;
    let installed = Installed::look(&[]);
    print(&format!("{:#}\n", schema(&catalogue(&file, &installed))))
}

fn graph(arguments: &Graph) -> Result<Exit> {
    let file = Assembly::of(&arguments.pipeline)?.file;
    let mut nodes: Vec<(String, String)> = Vec::new();
    let mut edges: Vec<(String, String)> = Vec::new();
    let stages: Vec<String> = (0..file.stages.len()).map(|index| format!("stage{index}")).collect();
    for (node, stage) in stages.iter().zip(&file.stages) {
        let condition =
            stage.when.as_ref().map(|when| format!("\nwhen {when}")).unwrap_or_default();
        nodes.push((node.clone(), format!("{}{condition}", stage.id)));
    }
    edges.extend(stages.windows(2).map(|pair| (pair[0].clone(), pair[1].clone())));
    let (first, last) =
        stages.first().zip(stages.last()).ok_or_else(|| anyhow!("the pipeline has no stages"))?;
    for (index, source) in file.sources.iter().enumerate() {
        let node = format!("source{index}");
        nodes.push((node.clone(), format!("{} ({})", source.name, source.kind)));
        edges.push((node, first.clone()));
    }
    for (index, sink) in file.sinks.iter().enumerate() {
        let node = format!("sink{index}");
        nodes.push((node.clone(), format!("{} ({})", sink.name, sink.kind)));
        edges.push((last.clone(), node));
    }
    print(&match arguments.format {
        GraphFormat::Mermaid => mermaid(&nodes, &edges),
        GraphFormat::Dot => dot(&file.name, &nodes, &edges),
    })
}

fn mermaid(nodes: &[(String, String)], edges: &[(String, String)]) -> String {
    // Quotation marks would end a label; Mermaid knows HTML's name for them.
    let label = |text: &str| text.replace('"', "&quot;").replace('\n', "<br/>");
    let nodes = nodes.iter().map(|(id, text)| format!("  {id}[\"{}\"]\n", label(text)));
    let edges = edges.iter().map(|(from, to)| format!("  {from} --> {to}\n"));
    format!("flowchart LR\n{}", nodes.chain(edges).collect::<String>())
}

fn dot(name: &str, nodes: &[(String, String)], edges: &[(String, String)]) -> String {
    let quoted = |text: &str| {
        format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
    };
    let nodes = nodes.iter().map(|(id, text)| format!("  {id} [label={}];\n", quoted(text)));
    let edges = edges.iter().map(|(from, to)| format!("  {from} -> {to};\n"));
    let body: String = nodes.chain(edges).collect();
    format!("digraph {} {{\n  rankdir=LR;\n  node [shape=box];\n{body}}}\n", quoted(name))
}
