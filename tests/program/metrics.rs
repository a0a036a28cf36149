//! The page of metrics as a scraper reads it: its form, what the documents say is on it, and
//! counters that never fall while documents flow.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::{Child, Stdio};

use rustix::process::Signal;

use crate::daemon::signal;
use crate::harness::{self, Folder, RESULTS, ask, becomes_true, command, pipeline, run};
use crate::server::Served;

/// A page of metrics, read as strictly as the text format 0.0.4 is written.
#[derive(Debug, Default)]
struct Page {
    /// The kind of each family.
    kinds: BTreeMap<String, String>,
    /// The value of each series, by its name and labels as they stand there.
    values: BTreeMap<String, f64>,
}

impl Page {
    fn read(text: &str) -> Result<Self, String> {
        let mut page = Self::default();
        let mut explained: Option<&str> = None;
        let mut family = "";
        let Some(text) = text.strip_suffix('\n') else { return Err("it ends in a line".into()) };
        for line in text.split('\n') {
            let fail = |problem: &str| Err(format!("{problem}: {line:?}"));
            if let Some(help) = line.strip_prefix("# HELP ") {
                let Some((name, told)) = help.split_once(' ') else { return fail("no help") };
                if told.trim().is_empty() || page.kinds.contains_key(name) {
                    return fail("no help, or a second one");
                }
                explained = Some(name);
            } else if let Some(typed) = line.strip_prefix("# TYPE ") {
                let Some((name, kind)) = typed.split_once(' ') else { return fail("no type") };
                if explained.take() != Some(name) || !["counter", "gauge"].contains(&kind) {
                    return fail("a type without help before it");
                }
                if (kind == "counter") != name.ends_with("_total") {
                    return fail("counters, and they alone, end with `_total`");
                }
                if !is_name(name) || !name.starts_with("standpoint_") {
                    return fail("no name");
                }
                page.kinds.insert(name.to_owned(), kind.to_owned());
                family = name;
            } else {
                let Some((series, value)) = line.rsplit_once(' ') else { return fail("no value") };
                let (name, labels) = match series.split_once('{') {
                    Some((name, rest)) => (name, rest.strip_suffix('}')),
                    None => (series, Some("")),
                };
                let Some(labels) = labels else { return fail("labels without an end") };
                if name != family || !are_labels(labels) {
                    return fail("not of the family that was introduced, or no labels");
                }
                let value: f64 = value.parse().map_err(|_| format!("no number: {line:?}"))?;
                if value < 0.0 || page.values.insert(series.to_owned(), value).is_some() {
                    return fail("below 0, or a second time");
                }
            }
        }
        Ok(page)
    }

    fn counters(&self) -> impl Iterator<Item = (&String, f64)> {
        let is_counter = |series: &str| {
            let name = series.split('{').next().unwrap_or_default();
            self.kinds.get(name).is_some_and(|kind| kind == "counter")
        };
        self.values.iter().filter(move |(series, _)| is_counter(series)).map(|(s, v)| (s, *v))
    }
}

fn is_name(name: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    name.chars().all(is_plain) && name.starts_with(|c: char| !c.is_ascii_digit())
}

/// Whether these are `name="value"` with commas between them, each value escaped.
fn are_labels(mut text: &str) -> bool {
    while !text.is_empty() {
        let Some((name, rest)) = text.split_once("=\"") else { return false };
        let mut characters = rest.char_indices();
        let end = loop {
            match characters.next() {
                Some((_, '\\')) => {
                    if !characters.next().is_some_and(|(_, c)| ['\\', '"', 'n'].contains(&c)) {
                        return false;
                    }
                }
                Some((end, '"')) => break end,
                Some(_) => {}
                None => return false,
            }
        };
        let rest = &rest[end + 1..];
        let Some(rest) = rest.strip_prefix(',').or(rest.is_empty().then_some("")) else {
            return false;
        };
        if !is_name(name) {
            return false;
        }
        text = rest;
    }
    true
}

#[test]
fn a_page_that_is_not_in_the_format_is_refused() {
    let head = "# HELP standpoint_a_total What.\n# TYPE standpoint_a_total counter\n";
    let good = "standpoint_a_total{x=\"1\",y=\"\\\\ \\\" \\n\"} 1\n";
    assert!(Page::read(&format!("{head}{good}")).is_ok());
    let cases = [
        ("no end", "standpoint_a_total 1"),
        ("another family", "standpoint_b_total 1\n"),
        ("no number", "standpoint_a_total one\n"),
        ("twice", "standpoint_a_total 1\nstandpoint_a_total 1\n"),
        ("no closing mark", "standpoint_a_total{x=\"1} 1\n"),
        ("an escape that there is not", "standpoint_a_total{x=\"\\t\"} 1\n"),
        ("a label without a name", "standpoint_a_total{=\"1\"} 1\n"),
        ("no help", "# TYPE standpoint_b gauge\n"),
        ("a counter by another name", "# HELP standpoint_b W.\n# TYPE standpoint_b counter\n"),
    ];
    for (case, rest) in cases {
        assert!(Page::read(&format!("{head}{rest}")).is_err(), "{case}");
    }
}

/// A daemon, which ends with the value.
struct Daemon(Child);

impl Daemon {
    fn start(file: &str) -> Self {
        let mut command = command(&["daemon", "-c", file]);
        Self(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    }

    fn end(&mut self) {
        crate::daemon::signal(&self.0, rustix::process::Signal::TERM);
        assert!(harness::wait(&mut self.0).code().is_some());
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn page(folder: &Folder) -> Option<Page> {
    let (_, answer) = ask(&folder.at("state"), "/metrics")?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    if !head.starts_with("HTTP/1.1 200") {
        return None;
    }
    assert!(head.contains("text/plain; version=0.0.4"), "{head}");
    Some(Page::read(body).unwrap_or_else(|problem| panic!("{problem}\n{body}")))
}

#[test]
fn counters_never_fall_while_documents_flow_and_a_pipeline_is_reloaded() {
    let folder = Folder::new();
    let stages = "[tokenise]";
    let file = folder.write("p.yaml", pipeline(stages, RESULTS, ""));
    fs::create_dir(folder.at("inbox")).unwrap();
    let mut daemon = Daemon::start(&file);
    let mut before = Page::default();
    let mut scrapes = 0;
    for round in 0..6 {
        for number in 0..25 {
            let text = if number % 5 == 0 { " " } else { "Astana agreed." };
            folder.write(&format!("inbox/{round}-{number}.txt"), text);
        }
        if round == 3 {
            folder.write("p.yaml", pipeline("[tokenise, entity]", RESULTS, ""));
            run(&["reload", "--wait", "-c", &file]).expect(0);
        }
        let settled = f64::from((round + 1) * 25);
        let all_are_done = || {
            let Some(now) = page(&folder) else { return false };
            scrapes += 1;
            let after: BTreeMap<_, _> = now.counters().collect();
            for (series, value) in before.counters() {
                // A stage that is made anew counts anew, as a process that is started does.
                let later = after.get(series).copied();
                let fell = later.is_some_and(|later| later < value);
                assert!(!fell, "{series} fell from {value} to {later:?} in round {round}");
            }
            let files = ["done", "quarantined"].map(|outcome| {
                let series = format!(
                    "standpoint_inbox_files_total{{source=\"news\",outcome=\"{outcome}\"}}"
                );
                now.values.get(&series).copied().unwrap_or_default()
            });
            before = now;
            files.iter().sum::<f64>() >= settled
        };
        assert!(becomes_true(all_are_done), "{before:?}");
    }
    daemon.end();
    assert!(scrapes >= 6, "{scrapes}");
}

#[test]
fn every_metric_of_the_documents_is_there_with_its_type_and_help() {
    let folder = Folder::new();
    let file = folder.write("p.yaml", pipeline("[tokenise]", RESULTS, ""));
    folder.write("inbox/a.txt", "Astana agreed.");
    let mut daemon = Daemon::start(&file);
    let mut found = None;
    let is_there = || {
        found = page(&folder);
        found.is_some()
    };
    assert!(becomes_true(is_there));
    daemon.end();
    let found = found.unwrap();
    let mut documented = BTreeSet::new();
    for document in ["docs/operations.md", "README.md"] {
        let text = fs::read_to_string(harness::repository(document)).unwrap();
        let is_part = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        for rest in text.split("`standpoint_").skip(1) {
            let name: String = rest.chars().take_while(|c| is_part(*c)).collect();
            documented.insert(format!("standpoint_{name}"));
        }
    }
    let missing: Vec<&String> = documented
        .iter()
        // Those of a cluster are on the page of its workers, whose test asks for them.
        .filter(|name| !name.starts_with("standpoint_cluster_"))
        .filter(|name| !found.kinds.contains_key(*name))
        .collect();
    assert_eq!(missing, [""; 0]);
    assert!(documented.len() > 15, "{documented:?}");
}

#[test]
fn a_record_that_is_known_is_counted_also_when_it_says_something_else() {
    let daemon = Served::start("", "");
    daemon.drop_in("a.jsonl", "{\"id\":1,\"text\":\"Kazakhstan condemned Russia.\"}\n");
    assert!(becomes_true(|| fs::exists(daemon.folder.at("archive/a.jsonl")).unwrap()));
    let lines = "{\"id\":1,\"text\":\"Kazakhstan praised Russia.\"}\n\
                 {\"id\":2,\"text\":\"Belarus praised Russia.\"}\n";
    daemon.drop_in("a.jsonl", lines);
    let counted = "standpoint_inbox_documents_known_total{source=\"news\"} 1\n";
    let is_counted = || daemon.get("/metrics").1.contains(counted);
    assert!(becomes_true(is_counted), "{}", daemon.get("/metrics").1);
    signal(&daemon.child, Signal::TERM);
    let (folder, ran) = daemon.finish();
    assert!(ran.stderr.contains("`dedupe: content` reads what changed"), "{}", ran.stderr);
    let results = fs::read_to_string(folder.at("out/results.jsonl")).unwrap();
    assert_eq!(results.lines().count(), 2, "{results}");
}
