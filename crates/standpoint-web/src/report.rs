//! A report: everything of a store on one page that can be mailed and printed.

use std::collections::BTreeMap;
use std::io::{self, Write};

use maud::{Markup, html};
use standpoint_store::documents::{self, Kept};
use standpoint_store::feed::{self, Passage};
use standpoint_store::figures::{self, Extent};
use standpoint_store::{Filter, Store};
use thiserror::Error;

use crate::charts::stories;
use crate::document::{self, Anchor, PassedOver};
use crate::frame;
use crate::overview::{ActorFigure, Overview};
use crate::parts::{self, Links};
use crate::text::{counted, line, many, side, signed};

/// What a report holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contents {
    /// The headline; made of the target if left out.
    pub title: Option<String>,
    /// Actors in the ranking.
    pub actors: usize,
    /// Passages of each actor and side.
    pub passages: usize,
    /// Annotated documents.
    pub documents: usize,
    /// Targets that the results hold besides, where nobody chose the one that the report is about.
    pub others: Vec<String>,
}

impl Default for Contents {
    fn default() -> Self {
        Self { title: None, actors: 24, passages: 6, documents: 200, others: Vec::new() }
    }
}

/// Why a report was not made.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ReportError {
    /// The store cannot be read.
    #[error("cannot read the store")]
    Store(#[from] standpoint_store::Error),
    /// The page cannot be written.
    #[error("cannot write the page")]
    Write(#[from] io::Error),
}

/// Links inside of the page.
struct Inside<'r> {
    actors: &'r [ActorFigure],
    documents: &'r [Kept],
}

impl Inside<'_> {
    fn number(&self, id: &str) -> Option<usize> {
        self.documents.iter().position(|document| document.id == id)
    }
}

impl Links for Inside<'_> {
    fn actor(&self, who: &str) -> Option<String> {
        let place = self.actors.iter().position(|actor| actor.who == who)?;
        Some(format!("#a{place}"))
    }

    fn passage(&self, passage: &Passage) -> Option<String> {
        let number = self.number(&passage.document_id)?;
        Some(format!("#d{number}e{}", passage.key))
    }

    fn document(&self, id: &str) -> Option<String> {
        Some(format!("#d{}", self.number(id)?))
    }
}

/// Writes the report of what the filter lets through. Returns what the page says where it can show
/// nothing.
///
/// # Errors
///
/// [`ReportError`] when the store cannot be read or the page not written.
pub fn write(
    store: &Store,
    filter: &Filter,
    contents: &Contents,
    out: &mut impl Write,
) -> Result<Option<String>, ReportError> {
    let overview = Overview::of(figures::ranking(store, filter)?, contents.actors);
    let extent = figures::extent(store)?;
    let mut passages = Vec::new();
    for actor in &overview.actors {
        let filter = Filter { who: Some(actor.who.clone()), ..filter.clone() };
        passages.push(of_actor(feed::passages(store, &filter, None, 400)?, contents.passages));
    }
    let (kept, shown) = annotated(store, filter, &passages, contents.documents)?;
    let in_all = documents::count(store, filter)?;
    let target = target_name(store, &filter.target)?;
    let title =
        contents.title.clone().unwrap_or_else(|| format!("Who stands where toward {target}"));
    let nothing = nothing_found(&extent, in_all, &overview, &target);
    let links = Inside { actors: &overview.actors, documents: &kept };
    let has_cues = passages
        .iter()
        .flat_map(|(shows, counters)| shows.iter().chain(counters))
        .any(document::has_cue);
    let body = html! {
        a.skip href="#ranking" { "Skip to the figures" }
        header.title {
            h1 { (title) }
            (lede(&extent, in_all, filter, &overview))
            @if !contents.others.is_empty() {
                p.faint {
                    "The results hold stances toward " bdi { (line(&contents.others.join(", "))) } " too; "
                    code { "--target" } " makes a page of each."
                }
            }
            @if let Some(nothing) = &nothing { p.complaint { (nothing) "." } }
        }
        main {
            section #ranking {
                h2 { "Who stands where" }
                (parts::ranking(&overview, &target, &links))
                @if overview.others > 0 { p.faint { code { "--actors" } " asks for more of them." } }
            }
            section #time { h2 { "Over time" } (parts::over_time(&overview, &links)) }
            section #evidence {
                h2 { "What shows it" }
                (document::legend(has_cues, false))
                @for (place, (actor, passages)) in overview.actors.iter().zip(&passages).enumerate() {
                    (evidence_of(place, actor, passages, &links))
                }
            }
            section #documents {
                h2 { "What was read" }
                @if (kept.len() as i64) < in_all {
                    p.faint {
                        (counted(kept.len() as i64)) " of " (counted(in_all)) " documents: "
                        @if shown < kept.len() { "those of the passages above, and the latest besides" }
                        @else { "those of the passages above, as far as they are asked for" }
                        "; `--documents` asks for more."
                    }
                }
                @for (number, document) in kept.iter().enumerate() {
                    (whole(store, number, document, &links)?)
                }
            }
        }
        footer.provenance {
            h2 { "How this was made" }
            (parts::makers(&figures::makers(store, parts::MOST_MAKERS + 1)?))
            p {
                "A score is the mean over stories, each weighed by its confidence; a story printed "
                "several times counts once. Intervals are of 95%, and wide where stories are few. "
                "Machines read these texts and err: the sentences are there so that you can see."
            }
        }
    };
    out.write_all(frame::alone(&title, &body).into_string().as_bytes())?;
    Ok(nothing)
}

/// What there is, where nothing of it is let through or nobody in it takes a stance.
fn nothing_found(
    extent: &Extent,
    in_all: i64,
    overview: &Overview,
    target: &str,
) -> Option<String> {
    if in_all == 0 {
        let days = match (&extent.first, &extent.last) {
            (Some(first), Some(last)) => format!(" of {first} to {last}"),
            _ => String::new(),
        };
        let sources = extent.sources.iter().take(20).map(|(name, _)| line(name));
        let sources = sources.collect::<Vec<_>>().join(", ");
        let documents = many(extent.documents, "document");
        return Some(format!("None matches among {documents}{days} from {sources}"));
    }
    let documents = many(in_all, "document");
    let nobody = || format!("Nobody takes a stance toward {target} among {documents} let through");
    overview.actors.is_empty().then(nobody)
}

/// The name of a target.
///
/// # Errors
///
/// When the store cannot be read.
pub fn target_name(store: &Store, id: &str) -> Result<String, standpoint_store::Error> {
    let targets = figures::targets(store)?;
    let known = targets.into_iter().find(|target| target.id == id);
    Ok(line(&known.map_or_else(|| id.to_owned(), |target| target.name)))
}

fn lede(extent: &Extent, in_all: i64, filter: &Filter, overview: &Overview) -> Markup {
    let from = filter.from.as_ref().or(extent.first.as_ref());
    let to = filter.to.as_ref().or(extent.last.as_ref());
    let sources = extent.sources.len() as i64;
    html! {
        p.lede {
            (counted(in_all)) (if in_all == 1 { " document" } else { " documents" })
            @if filter.sources.is_empty() {
                " from " (counted(sources)) (if sources == 1 { " source" } else { " sources" })
            } @else {
                " from " (line(&filter.sources.join(", ")))
            }
            @if let (Some(from), Some(to)) = (from, to) && from <= to {
                @if from == to { ", of " (from) } @else { ", " (from) " to " (to) }
            }
            "; " (counted(extent.stories)) " different stories in all"
            @if let Some(words) = &filter.words { ", with the words \u{201c}" (line(words)) "\u{201d}" }
            ". "
            @let by_side = |wanted: &str| {
                overview.actors.iter().filter(|actor| actor.all.label() == wanted).count()
            };
            (by_side("opposed")) " of those shown are opposed, " (by_side("neutral")) " in between, "
            (by_side("supportive")) " supportive."
        }
    }
}

/// An actor's passages: those that show the stance, and those that speak against it.
type Shown = (Vec<Passage>, Vec<Passage>);

/// The documents that are shown whole, the latest first, and how many of them hold passages that
/// are shown. Those come before others: each actor's clearest one first, then each one's second, so
/// that where there are not enough places everybody has some.
fn annotated(
    store: &Store,
    filter: &Filter,
    passages: &[Shown],
    most: usize,
) -> Result<(Vec<Kept>, usize), standpoint_store::Error> {
    let lists: Vec<Vec<&str>> = passages
        .iter()
        .map(|(shows, counters)| {
            shows.iter().chain(counters).map(|passage| passage.document_id.as_str()).collect()
        })
        .collect();
    let longest = lists.iter().map(Vec::len).max().unwrap_or(0);
    let mut seen = std::collections::HashSet::new();
    let mut chosen: Vec<String> = (0..longest)
        .flat_map(|place| lists.iter().filter_map(move |list| list.get(place)))
        .filter(|id| seen.insert(**id))
        .take(most)
        .map(|id| (*id).to_owned())
        .collect();
    let shown = chosen.len();
    // As many as could be wanted if all of these were among them.
    let latest = documents::documents(store, filter, None, most)?;
    let others =
        latest.into_iter().map(|listed| listed.id).filter(|id| !seen.contains(id.as_str()));
    chosen.extend(others.take(most - shown));
    let mut kept: Vec<Kept> = chosen
        .iter()
        .filter_map(|id| documents::document(store, id).transpose())
        .collect::<Result<_, _>>()?;
    // Undated ones last; the sort keeps the order of those of one day.
    kept.sort_by(|one, other| other.published.cmp(&one.published));
    Ok((kept, shown))
}

/// The clearest passages for and against, one of each sentence.
fn of_actor(mut passages: Vec<Passage>, most: usize) -> Shown {
    let weight = |passage: &Passage| passage.score.abs() * passage.confidence;
    passages.retain(|passage| passage.verdict.as_deref() != Some("rejected"));
    passages.sort_by(|one, other| weight(other).total_cmp(&weight(one)));
    let (mut counter, mut for_it): (Vec<_>, Vec<_>) =
        passages.into_iter().partition(|passage| passage.is_counter);
    for list in [&mut counter, &mut for_it] {
        let mut seen = std::collections::HashSet::new();
        list.retain(|passage| seen.insert(passage.text.clone()));
        list.truncate(most);
    }
    (for_it, counter)
}

fn evidence_of(
    place: usize,
    actor: &ActorFigure,
    (shows, counters): &Shown,
    links: &dyn Links,
) -> Markup {
    html! {
        section.actor id=(format!("a{place}")) {
            h3 {
                bdi { (line(&actor.name)) }
                " "
                span.degree.(side(actor.all.score)) { (signed(actor.all.score)) " " (actor.all.degree()) }
                " "
                span.faint { (stories(actor.all.stories)) }
            }
            @for passage in shows { (parts::passage(passage, links, None)) }
            @if !counters.is_empty() {
                h4 { "What speaks against it" }
                @for passage in counters { (parts::passage(passage, links, None)) }
            }
        }
    }
}

fn whole(
    store: &Store,
    number: usize,
    kept: &Kept,
    links: &dyn Links,
) -> Result<Markup, ReportError> {
    let passages = feed::of_document(store, &kept.id)?;
    let prefix = format!("d{number}");
    let title = parts::title(kept.title.as_deref(), kept.path.as_deref().unwrap_or(&kept.id));
    Ok(html! {
        details.document id=(prefix) {
            summary {
                span.name dir="auto" { (title) }
                " "
                span.faint { (line(&kept.source)) " " (kept.published.as_deref().map(line).unwrap_or_default()) }
            }
            (document::facts(kept))
            (document::text(&kept.text, &kept.mentions, &passages, &[], Anchor { prefix: &prefix }))
            (document::copies(kept, links))
            (document::provenance(kept))
        }
    })
}

/// A page with documents alone, each open: what `explain --format html` prints.
///
/// - `passed_over`: what no stage read, by the documents' ids.
///
/// # Errors
///
/// [`ReportError`] when the store cannot be read or the page not written.
pub fn explain(
    store: &Store,
    passed_over: &BTreeMap<String, Vec<PassedOver>>,
    out: &mut impl Write,
) -> Result<(), ReportError> {
    let mut articles = Vec::new();
    for id in documents::ids(store)? {
        if let Some(kept) = documents::document(store, &id)? {
            let passages = feed::of_document(store, &id)?;
            let prefix = format!("d{}", articles.len());
            let others = passed_over.get(&id).map(Vec::as_slice).unwrap_or_default();
            let title = parts::title(kept.title.as_deref(), kept.path.as_deref().unwrap_or(&id));
            articles.push(html! {
                article.document {
                    h1 dir="auto" { (title) }
                    (document::facts(&kept))
                    (document::legend(passages.iter().any(document::has_cue), !others.is_empty()))
                    (document::text(&kept.text, &kept.mentions, &passages, others, Anchor { prefix: &prefix }))
                    (document::provenance(&kept))
                }
            });
        }
    }
    let body = html! { main { @for article in &articles { (article) } } };
    out.write_all(frame::alone("Who stands where", &body).into_string().as_bytes())?;
    Ok(())
}
