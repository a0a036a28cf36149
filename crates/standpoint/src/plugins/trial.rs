//! `plugin test`: the conformance suite on a plugin, each check in a process of its own, so that a
//! crash is a result.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::atomic::AtomicBool;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use serde_json::{Value, json};
use standpoint_abi::LoadPolicy;
use standpoint_config::OwnSettings;
use standpoint_stage::conformance::{CHECKS, Check, Subject, Verdict, prepared};
use standpoint_stage::document::{Document, ResultLine};
use standpoint_stage::{Stage, StageContext, StageError, StartContext, testing};

use super::Plugin;
use crate::cli::{PluginTest, ReportFormat};
use crate::exit::{self, Exit};
use crate::style::{Paint, Style};

/// How long a check may take before it counts as hung.
const LIMIT: Duration = Duration::from_mins(2);

/// What stands before the verdict on the standard output of a check's process, which a stage that
/// prints would not write.
const MARK: &str = "\u{1}verdict ";

/// What a check came to.
struct Finding {
    name: String,
    claim: String,
    verdict: Verdict,
    took: Duration,
}

/// Runs the suite and tells how it went.
///
/// # Errors
///
/// When there is no such plugin, or the arguments make no sense.
pub(crate) fn run(arguments: &PluginTest, style: Style) -> Result<(String, Exit)> {
    let settings = settings(arguments)?;
    if let Some(name) = &arguments.check {
        return one(arguments, &settings, name);
    }
    let plugin = super::of_words(&arguments.plugin).map_err(exit::usage)?;
    let mut findings = Vec::new();
    for check in CHECKS {
        let began = Instant::now();
        let verdict = if arguments.in_process {
            check.run(&subject_of(&plugin, &settings, &maker(&plugin)))
        } else {
            apart(arguments, check)?
        };
        findings.push(Finding {
            name: check.name.to_owned(),
            claim: check.claim.to_owned(),
            verdict,
            took: began.elapsed(),
        });
    }
    if let Some(folder) = &arguments.golden {
        let began = Instant::now();
        let make = maker(&plugin);
        let verdict = golden(folder, arguments.update, &plugin, &*make(&settings)?)?;
        findings.push(Finding {
            name: "golden".to_owned(),
            claim: format!("it says what {} holds", folder.display()),
            verdict,
            took: began.elapsed(),
        });
    }
    let speed = if arguments.bench { Some(measure(&plugin, &settings)?) } else { None };
    let is_bad = |finding: &Finding| match finding.verdict {
        Verdict::Failed(_) => true,
        Verdict::Warned(_) => arguments.strict,
        Verdict::Passed | Verdict::Skipped(_) => false,
    };
    let exit = if findings.iter().any(is_bad) { Exit::Failed } else { Exit::Done };
    let told = match arguments.format {
        ReportFormat::Text => text(&plugin, &findings, speed.as_ref(), style),
        ReportFormat::Json => format!("{:#}\n", as_json(&plugin, &findings, speed.as_ref())),
    };
    Ok((told, exit))
}

fn settings(arguments: &PluginTest) -> Result<Value> {
    let Some(text) = &arguments.with else { return Ok(json!({})) };
    let settings: Value = serde_json::from_str(text)
        .map_err(|error| exit::usage(format!("`--with` is no JSON: {error}")))?;
    if settings.is_object() {
        Ok(settings)
    } else {
        Err(exit::usage("`--with` needs a JSON object, such as '{\"words\": [\"maybe\"]}'"))
    }
}

/// Makes stages of a plugin.
type Maker<'p> = Box<dyn Fn(&Value) -> Result<Box<dyn Stage>, StageError> + Sync + 'p>;

fn maker(plugin: &Plugin) -> Maker<'_> {
    Box::new(move |settings: &Value| {
        let context = StartContext { stage: plugin.name().to_owned(), pipeline_dir: ".".into() };
        // A pipeline, too, gives a stage nothing that its schema refuses.
        let settings = OwnSettings::from_json(settings)
            .conform(plugin.settings_schema())
            .map_err(|findings| StageError::stage(findings.render(false)))?;
        let loaded = plugin
            .load(&LoadPolicy::default(), &settings, &context)
            .map_err(|error| StageError::stage(format!("{error:#}")))?;
        Ok(Box::new(Shared(loaded.stage)) as Box<dyn Stage>)
    })
}

/// A stage behind a pointer that others hold, too.
struct Shared(std::sync::Arc<dyn Stage>);

#[async_trait::async_trait]
impl Stage for Shared {
    async fn process(
        &self,
        document: &mut Document<'_>,
        context: &StageContext<'_>,
    ) -> Result<(), StageError> {
        self.0.process(document, context).await
    }

    async fn process_batch(
        &self,
        documents: &mut [Document<'_>],
        context: &StageContext<'_>,
    ) -> Vec<Result<(), StageError>> {
        self.0.process_batch(documents, context).await
    }
}

fn subject_of<'s>(plugin: &Plugin, settings: &Value, make: &'s Maker<'_>) -> Subject<'s> {
    Subject {
        name: plugin.name().to_owned(),
        reads: plugin.manifest.reads.clone(),
        writes: plugin.manifest.writes.clone(),
        settings_schema: plugin.manifest.settings.clone(),
        settings: settings.clone(),
        make,
        is_hosted: true,
        memory: Some(&resident_bytes),
    }
}

/// What this process holds in memory.
fn resident_bytes() -> Option<u64> {
    let pages = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = pages.split(' ').nth(1)?.parse().ok()?;
    Some(pages * 4096)
}

/// Runs one check here and prints its verdict: what the process of a check does.
fn one(arguments: &PluginTest, settings: &Value, name: &str) -> Result<(String, Exit)> {
    let check = CHECKS.iter().find(|check| check.name == name).ok_or_else(|| {
        let names: Vec<&str> = CHECKS.iter().map(|check| check.name).collect();
        exit::usage(format!("there is no check `{name}`; there are {}", names.join(", ")))
    })?;
    let plugin = super::of_words(&arguments.plugin).map_err(exit::usage)?;
    let verdict = check.run(&subject_of(&plugin, settings, &maker(&plugin)));
    Ok((format!("\n{MARK}{}\n", verdict_json(&verdict)), Exit::Done))
}

/// Runs one check in a process of its own.
fn apart(arguments: &PluginTest, check: &Check) -> Result<Verdict> {
    let program = std::env::current_exe().context("cannot find this program")?;
    let mut command = Command::new(program);
    command.args(["plugin", "test", "--check", check.name]);
    if let Some(with) = &arguments.with {
        command.args(["--with", with]);
    }
    command.arg("--").args(&arguments.plugin);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().context("cannot start a process for a check")?;
    let output = reader(child.stdout.take());
    let errors = reader(child.stderr.take());
    let began = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break Some(status);
        }
        if began.elapsed() > LIMIT {
            child.kill()?;
            child.wait()?;
            break None;
        }
        thread::sleep(Duration::from_millis(2));
    };
    let output = output.join().unwrap_or_default();
    let errors = errors.join().unwrap_or_default();
    Ok(judge(status, &output, &errors))
}

fn reader(stream: Option<impl Read + Send + 'static>) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut stream) = stream {
            // What cannot be read is not told, and no more.
            let _ = stream.read_to_end(&mut bytes);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

fn judge(status: Option<ExitStatus>, output: &str, errors: &str) -> Verdict {
    let Some(status) = status else {
        return Verdict::Failed(format!("it did not end within {LIMIT:?}"));
    };
    let Some((printed, verdict)) = output.split_once(MARK) else {
        let last = errors.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
        return Verdict::Failed(format!("its process ended with {status}: {last}"));
    };
    let verdict = serde_json::from_str(verdict.lines().next().unwrap_or_default())
        .ok()
        .and_then(|value: Value| verdict_from(&value));
    let printed = printed.trim();
    match verdict {
        Some(Verdict::Failed(why)) => Verdict::Failed(why),
        Some(_) if !printed.is_empty() => {
            let beginning: String = printed.chars().take(40).collect();
            Verdict::Failed(format!("it printed {beginning:?}; a stage logs, and prints nothing"))
        }
        Some(verdict) => verdict,
        None => Verdict::Failed("its verdict cannot be read".to_owned()),
    }
}

fn verdict_json(verdict: &Verdict) -> Value {
    match verdict {
        Verdict::Passed => json!({ "verdict": "passed" }),
        Verdict::Skipped(why) => json!({ "verdict": "skipped", "why": why }),
        Verdict::Warned(why) => json!({ "verdict": "warned", "why": why }),
        Verdict::Failed(why) => json!({ "verdict": "failed", "why": why }),
    }
}

fn verdict_from(value: &Value) -> Option<Verdict> {
    let why = || value["why"].as_str().unwrap_or_default().to_owned();
    Some(match value["verdict"].as_str()? {
        "passed" => Verdict::Passed,
        "skipped" => Verdict::Skipped(why()),
        "warned" => Verdict::Warned(why()),
        "failed" => Verdict::Failed(why()),
        _ => return None,
    })
}

/// Runs the stage on each text of a folder and compares what it writes with the file beside it.
fn golden(folder: &Path, update: bool, plugin: &Plugin, stage: &dyn Stage) -> Result<Verdict> {
    let listed = std::fs::read_dir(folder)
        .map_err(|error| exit::usage(format!("cannot read {}: {error}", folder.display())))?;
    let mut texts: Vec<PathBuf> = listed.filter_map(|entry| Some(entry.ok()?.path())).collect();
    texts.retain(|path| path.extension().is_some_and(|extension| extension == "txt"));
    texts.sort();
    if texts.is_empty() {
        return Err(exit::usage(format!("there is no `.txt` file in {}", folder.display())));
    }
    let mut differing = Vec::new();
    for path in texts {
        let text = std::fs::read_to_string(&path)
            .with_context(|| format!("cannot read {}", path.display()))?;
        let mut document = prepared(&text, &plugin.manifest.reads);
        testing::process(stage, &mut document)
            .map_err(|error| anyhow!("{}: {error}", path.display()))?;
        let written = format!("{:#}\n", written(&document, &plugin.manifest.writes));
        let expected = path.with_extension("json");
        if update {
            std::fs::write(&expected, &written)
                .with_context(|| format!("cannot write {}", expected.display()))?;
        } else if std::fs::read_to_string(&expected).unwrap_or_default() != written {
            differing.push(expected.display().to_string());
        }
    }
    if differing.is_empty() {
        return Ok(Verdict::Passed);
    }
    let files = differing.join(", ");
    Ok(Verdict::Failed(format!("it says another thing than {files}; `--update` writes them")))
}

/// What a stage wrote, as results show it.
fn written(document: &Document<'_>, writes: &[String]) -> Value {
    let mut line = Vec::new();
    ResultLine::new(document, "test", "test").write(&mut line);
    let line: Value = serde_json::from_slice(&line).unwrap_or_default();
    let mut shown = BTreeMap::new();
    for name in writes {
        let found = [&line["layers"][name], &line["attributes"][name], &line[name]];
        let found = found.into_iter().find(|value| !value.is_null());
        shown.insert(name.clone(), found.cloned().unwrap_or_default());
    }
    json!(shown)
}

/// How long calls take.
struct Speed {
    p50: Duration,
    p99: Duration,
    documents: usize,
    bytes: usize,
}

fn measure(plugin: &Plugin, settings: &Value) -> Result<Speed> {
    const ROUNDS: usize = 2000;
    const PATIENCE: Duration = Duration::from_secs(5);
    let stage = maker(plugin)(settings)?;
    let text = "Astana refused on Friday, and Moscow said that it would answer.\n".repeat(90);
    let cancelled = AtomicBool::new(false);
    let context = StageContext::new(plugin.name(), 1, &cancelled);
    let mut times = Vec::new();
    let began = Instant::now();
    while times.len() < ROUNDS && (began.elapsed() < PATIENCE || times.len() < 10) {
        let mut document = prepared(&text, &plugin.manifest.reads);
        let start = Instant::now();
        testing::wait_for(stage.process(&mut document, &context))?;
        times.push(start.elapsed());
    }
    times.sort_unstable();
    Ok(Speed {
        p50: times[times.len() / 2],
        p99: times[times.len() * 99 / 100],
        documents: times.len(),
        bytes: text.len(),
    })
}

fn text(plugin: &Plugin, findings: &[Finding], speed: Option<&Speed>, style: Style) -> String {
    use std::fmt::Write as _;

    let mut told = format!("{} {}\n", plugin.name(), plugin.manifest.version);
    for finding in findings {
        let (mark, why) = match &finding.verdict {
            Verdict::Passed => (style.paint(Paint::For, "ok     "), None),
            Verdict::Skipped(why) => ("skipped".to_owned(), Some(why)),
            Verdict::Warned(why) => (style.paint(Paint::Against, "warning"), Some(why)),
            Verdict::Failed(why) => (style.paint(Paint::Error, "FAILED "), Some(why)),
        };
        let _ = writeln!(told, "  {mark} {:<14} {}", finding.name, finding.claim);
        if let Some(why) = why {
            let _ = writeln!(told, "          {:<14} {why}", "");
        }
    }
    if let Some(speed) = speed {
        let _ = writeln!(
            told,
            "  a document of {} bytes takes {:.1} µs at the median, {:.1} µs at the 99th of 100, \
             over {} calls",
            speed.bytes,
            speed.p50.as_secs_f64() * 1e6,
            speed.p99.as_secs_f64() * 1e6,
            speed.documents
        );
    }
    let count = |wanted: fn(&Verdict) -> bool| {
        findings.iter().filter(|finding| wanted(&finding.verdict)).count()
    };
    let failed = count(|verdict| matches!(verdict, Verdict::Failed(_)));
    let warned = count(|verdict| matches!(verdict, Verdict::Warned(_)));
    let passed = count(|verdict| matches!(verdict, Verdict::Passed));
    let _ = writeln!(told, "{passed} passed, {warned} warned, {failed} failed");
    told
}

fn as_json(plugin: &Plugin, findings: &[Finding], speed: Option<&Speed>) -> Value {
    let checks: Vec<Value> = findings
        .iter()
        .map(|finding| {
            let mut shown = verdict_json(&finding.verdict);
            shown["check"] = json!(finding.name);
            shown["claim"] = json!(finding.claim);
            shown["ms"] = json!(finding.took.as_secs_f64() * 1e3);
            shown
        })
        .collect();
    let speed = speed.map(|speed| {
        json!({
            "documents": speed.documents,
            "bytes": speed.bytes,
            "p50_us": speed.p50.as_secs_f64() * 1e6,
            "p99_us": speed.p99.as_secs_f64() * 1e6,
        })
    });
    json!({
        "plugin": plugin.name(),
        "version": plugin.manifest.version,
        "checks": checks,
        "speed": speed,
    })
}
