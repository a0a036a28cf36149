//! `report`: result lines or a store, as one page.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::path::Path;

use anyhow::{Context, Result};
use flate2::read::MultiGzDecoder;
use standpoint_connectors::files::{is_same_file, with_causes};
use standpoint_connectors::jsonl::Maker;
use standpoint_document::{Document, Span, is_same_name, sentence};
use standpoint_store::record::Stretch;
use standpoint_store::{Place, Record, Server, Store, figures};
use standpoint_web::address::{self, Query};
use standpoint_web::document::PassedOver;
use standpoint_web::report::{self, Contents};

use crate::cli;
use crate::console;
use crate::exit::{self, Exit};
use crate::style::harmless;
use crate::targets;

/// What every `SQLite` file begins with.
const SQLITE: &[u8] = b"SQLite format 3\0";
/// What every gzip file begins with.
const GZIP: &[u8] = &[0x1f, 0x8b];
/// How many records are put into a store at a time.
const GROUP: usize = 256;

/// Answers the command.
///
/// # Errors
///
/// When the results cannot be read, hold nothing toward the target, or the page not be written.
pub(crate) fn run(arguments: &cli::Report) -> Result<Exit> {
    if let Some(output) = &arguments.output
        && arguments.results.iter().any(|input| is_same_file(input, output))
    {
        return Err(exit::usage(format!(
            "{}: is read and would be written over; name another file with -o",
            output.display()
        )));
    }
    let store = store(&arguments.results)?;
    let target = target(&store, arguments.target.as_deref())?;
    // The reader of a page that somebody chose the target of has nothing to choose.
    let others = if arguments.target.is_none() { others(&store, &target)? } else { Vec::new() };
    if !others.is_empty() {
        console::say(&format!(
            "the page is about `{target}`; the results hold stances toward {} too, for each of which \
             `--target` makes a page",
            others.join(", ")
        ));
    }
    // Read as a page's address is, so that dates mean the same in both.
    let pairs = [
        ("from", arguments.from.as_deref()),
        ("to", arguments.to.as_deref()),
        ("words", arguments.words.as_deref()),
        ("holders", Some(arguments.holders.name())),
    ];
    let query = Query::read("", &target).address_with(&pairs);
    let mut filter = Query::read(query.trim_start_matches('?'), &target).filter;
    for (name, given) in [("from", &arguments.from), ("to", &arguments.to)] {
        if let Some(given) = given
            && let Some(expected) = address::expected_day(given.trim())
        {
            return Err(exit::usage(format!("`--{name} {given}` is no date; expected {expected}")));
        }
    }
    if let (Some(from), Some(to)) = (&filter.from, &filter.to)
        && from > to
    {
        return Err(exit::usage(format!(
            "`--from` is after `--to`: nothing lies between {from} and {to}"
        )));
    }
    check_sources(&store, &arguments.source)?;
    filter.sources.clone_from(&arguments.source);
    let contents = Contents {
        title: arguments.title.clone(),
        actors: arguments.actors,
        passages: arguments.passages,
        documents: arguments.documents,
        others,
    };
    let nothing = if let Some(path) = &arguments.output {
        let fail = || format!("cannot write to {}", path.display());
        let mut out = BufWriter::new(File::create(path).with_context(fail)?);
        let nothing = report::write(&store, &filter, &contents, &mut out)?;
        out.flush().with_context(fail)?;
        nothing
    } else {
        let mut page = Vec::new();
        let nothing = report::write(&store, &filter, &contents, &mut page)?;
        match io::stdout().write_all(&page) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => return Err(error.into()),
            _ => {}
        }
        nothing
    };
    // The page alone would look like an answer.
    if let Some(nothing) = nothing {
        console::say(&harmless(&nothing));
    }
    Ok(Exit::Done)
}

/// Documents as a page: what `explain --format html` prints.
///
/// # Errors
///
/// When there is no room for a temporary store.
pub(crate) fn explained(documents: &[Document<'_>], maker: &Maker) -> Result<String> {
    let mut store = Store::temporary()?;
    let record = |document| Record::of(document, &maker.pipeline, &maker.version);
    let records: Vec<Record> = documents.iter().map(record).collect();
    keep(&mut store, &records)?;
    let passed_over: BTreeMap<String, Vec<PassedOver>> = documents
        .iter()
        .map(|document| (document.id().to_owned(), passed_over(document)))
        .collect();
    let mut page = Vec::new();
    report::explain(&store, &passed_over, &mut page)?;
    Ok(String::from_utf8_lossy(&page).into_owned())
}

/// The sentences that no stage read.
fn passed_over(document: &Document<'_>) -> Vec<PassedOver> {
    let (mut at, mut letters) = (0, 0);
    // Sentences are in order, so every letter is counted once.
    let mut place = |offset: u32| {
        letters += document.slice(Span::new(at, offset)).chars().count() as u32;
        at = offset;
        letters
    };
    let sentences = document.sentences().iter();
    sentences
        .filter(|sentence| sentence.has(sentence::BOILERPLATE) || sentence.has(sentence::FOREIGN))
        .map(|sentence| PassedOver {
            stretch: Stretch { start: place(sentence.span.start), end: place(sentence.span.end) },
            is_foreign: sentence.has(sentence::FOREIGN),
        })
        .collect()
}

/// What people corrected, a line each.
///
/// # Errors
///
/// When the store cannot be read.
pub(crate) fn corrections(arguments: &cli::Corrections) -> Result<String> {
    let path = &arguments.store;
    if !is_server(path) && !path.exists() {
        return Err(exit::usage(format!("{}: there is no such store", path.display())));
    }
    let place = Place::named(path);
    let store = place.read().map_err(|error| exit::usage(with_causes(&error)))?;
    let rows = standpoint_store::corrections::labelled(&store)?;
    let lines = rows.iter().map(|row| Ok(format!("{}\n", serde_json::to_string(row)?)));
    lines.collect()
}

/// The store that is named, or one of the result lines that are.
fn store(paths: &[std::path::PathBuf]) -> Result<Store> {
    let is_store =
        |path: &Path| Ok::<_, anyhow::Error>(is_server(path) || begins_with(path, SQLITE)?);
    if let [path] = paths
        && is_store(path)?
    {
        return Place::named(path).read().map_err(|error| exit::usage(with_causes(&error)));
    }
    let mut store = Store::temporary()?;
    for path in paths {
        if is_store(path)? {
            // Shown as a place, because an address may hold a password.
            let place = Place::named(path);
            return Err(exit::usage(format!(
                "{place}: a store is reported on by itself; name it alone"
            )));
        }
        read_lines(path, &mut store)?;
    }
    Ok(store)
}

fn is_server(path: &Path) -> bool {
    path.to_str().is_some_and(Server::is_meant)
}

fn open(path: &Path) -> Result<File> {
    File::open(path)
        .map_err(|error| exit::usage(format!("{}: cannot be read: {error}", path.display())))
}

fn begins_with(path: &Path, magic: &[u8]) -> Result<bool> {
    let mut first = Vec::new();
    let read = open(path)?.take(magic.len() as u64).read_to_end(&mut first);
    read.map_err(|error| exit::usage(format!("{}: cannot be read: {error}", path.display())))?;
    Ok(first == magic)
}

fn read_lines(path: &Path, store: &mut Store) -> Result<()> {
    let file = open(path)?;
    let lines: Box<dyn BufRead> = if begins_with(path, GZIP)? {
        Box::new(BufReader::new(MultiGzDecoder::new(file)))
    } else {
        Box::new(BufReader::new(file))
    };
    let mut group = Vec::new();
    for (index, line) in lines.lines().enumerate() {
        let place = || format!("{}:{}", path.display(), index + 1);
        let line = line.map_err(|error| exit::usage(format!("{}: {error}", place())))?;
        if line.trim().is_empty() {
            continue;
        }
        let record = Record::read(&line)
            .map_err(|error| exit::usage(format!("{}: {}", place(), with_causes(&error))))?;
        group.push(record);
        if group.len() == GROUP {
            keep(store, &group)?;
            group.clear();
        }
    }
    keep(store, &group)
}

fn keep(store: &mut Store, records: &[Record]) -> Result<()> {
    let answers = store.put(records)?;
    match answers.into_iter().find_map(Result::err) {
        Some(refusal) => Err(anyhow::anyhow!(refusal)),
        None => Ok(()),
    }
}

/// A name that no document came from would make an empty page that looks like an answer.
fn check_sources(store: &Store, wanted: &[String]) -> Result<()> {
    let known = figures::sources(store)?;
    let is_known = |wanted: &&String| known.iter().any(|(name, _)| name == *wanted);
    let Some(missing) = wanted.iter().find(|wanted| !is_known(wanted)) else { return Ok(()) };
    let names: Vec<String> = known.iter().take(20).map(|(name, _)| harmless(name)).collect();
    Err(exit::usage(format!(
        "the results hold nothing of a source `{missing}`; they are from {}",
        if names.is_empty() { "nobody".to_owned() } else { names.join(", ") }
    )))
}

/// The target that is meant: by its id, by its name, or the one with the most stances.
fn target(store: &Store, wanted: Option<&str>) -> Result<String> {
    let targets = figures::targets(store)?;
    let Some(wanted) = wanted else {
        return targets.into_iter().next().map(|target| target.id).ok_or_else(|| {
            exit::usage(
                "the results hold no stance toward anybody; did the pipeline have a stance stage?",
            )
        });
    };
    // The one with the most stances first: a document that does not name somebody has another id
    // for him than the tables.
    let called = targets::called(wanted).map(|(id, _)| id);
    let is_meant = |target: &&figures::TargetCount| {
        is_same_name(&target.name, wanted) || called.as_ref() == Some(&target.id)
    };
    let by_id = targets.iter().find(|target| target.id == wanted);
    if let Some(target) = by_id.or_else(|| targets.iter().find(is_meant)) {
        return Ok(target.id.clone());
    }
    let known: Vec<String> = once(&targets).map(shown).collect();
    Err(exit::usage(format!(
        "the results hold no stance toward `{wanted}`; they do toward {}",
        if known.is_empty() { "nobody".to_owned() } else { known.join(", ") }
    )))
}

/// The targets, without another id of one that the tables know and that is there by its own, under
/// which nobody takes a stance.
fn once(targets: &[figures::TargetCount]) -> impl Iterator<Item = &figures::TargetCount> {
    let is_again = |target: &figures::TargetCount| {
        let own = targets::called(&target.name).map(|(id, _)| id);
        own.is_some_and(|own| own != target.id && targets.iter().any(|other| other.id == own))
    };
    targets.iter().filter(move |target| target.stances > 0 || !is_again(target))
}

/// A target as a message names it.
fn shown(target: &figures::TargetCount) -> String {
    format!("{} ({})", harmless(&target.name), target.id)
}

/// What the page is not about.
fn others(store: &Store, target: &str) -> Result<Vec<String>> {
    let targets = figures::targets(store)?;
    Ok(once(&targets).filter(|other| other.id != target).take(20).map(shown).collect())
}
