//! The pages of the dashboard that show what the store holds.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use http::{StatusCode, header};
use maud::{Markup, PreEscaped, html};
use standpoint_store::corrections::KeptCorrection;
use standpoint_store::feed::{self, Passage};
use standpoint_store::figures::TargetCount;
use standpoint_store::{Store, documents, figures, shifts};

use crate::address::{MOST_ACTORS, Query, decoded, encoded};
use crate::correct;
use crate::correction_form::{self, Forms};
use crate::document::{self, Anchor};
use crate::layout::{alone, exports, feed, help, more, navigation, section};
use crate::login;
use crate::overview::Overview;
use crate::parts::{self, Links};
use crate::reply::{Reply, Request};
use crate::report::target_name;
use crate::site::{Site, SiteError};
use crate::stranger::Stranger;
use crate::text::{line, many, moment};

/// Rows of a list on the page of everything, and on a page of its own, where more would hold up a
/// browser.
const FEW: usize = 20;
const MANY: usize = 30;

/// How many corrections a page shows.
const MOST_CORRECTIONS: usize = 500;

impl Site {
    pub(crate) fn page(self: &Arc<Self>, request: &Request) -> Result<Reply, SiteError> {
        if !login::is_reading(&request.method) {
            let refusal = Reply::refusal(StatusCode::METHOD_NOT_ALLOWED, "pages can be read only");
            return Ok(refusal.with(header::ALLOW, "GET, HEAD"));
        }
        let Request { path, query, .. } = request;
        let mark = self.form_mark(request);
        let back = if query.is_empty() { path.clone() } else { format!("{path}?{query}") };
        let forms = Forms { mark: &mark, back: &back, is_correcting: false };
        if let Some(key) = correct::key_of(path) {
            return correction_form::show(self, request, key);
        }
        if let Some(id) = path.strip_prefix("/documents/").and_then(decoded) {
            return self.document_page(&id, query, forms);
        }
        if path == "/corrections" {
            return self.corrections_page(forms.mark);
        }
        let view = match path.as_str() {
            "/" => View::All,
            "/evidence" => View::Evidence,
            "/documents" => View::Documents,
            "/shifts" => View::Shifts,
            "/figures" => View::Figures,
            "/health" => View::Health,
            _ => {
                let body = html! {
                    (navigation("", None))
                    main #main { h1 { "There is no such page" } p { a href="/" { "Who stands where" } } }
                };
                return Ok(Reply::page(StatusCode::NOT_FOUND, "Not found", &body));
            }
        };
        self.view(view, query, forms)
    }

    fn view(
        self: &Arc<Self>,
        view: View,
        address: &str,
        forms: Forms<'_>,
    ) -> Result<Reply, SiteError> {
        let stranger = Stranger::in_address(self, address)?.filter(|_| view != View::Health);
        let asked = self.reading(|store| self.asked(store, view, address))?;
        let title = format!("{} \u{2013} Standpoint", view.heading(&asked.target));
        if let Some(stranger) = stranger {
            let page = self.reading(|store| {
                let (shown, _) = self.first_view(store, &asked, Some(&stranger))?;
                Ok(html! { (shown) (foot(store)?) })
            })?;
            return Ok(Reply::page(StatusCode::NOT_FOUND, &title, &page));
        }
        // The browser fetches the style while the body is made: one that comes after the body finds
        // it laid out without a style. The page of everything shows its first view while the rest
        // is made.
        let (site, mark, back) = (Arc::clone(self), forms.mark.to_owned(), forms.back.to_owned());
        Ok(Reply::begun(&title, move |send| {
            let forms = Forms { mark: &mark, back: &back, ..Forms::default() };
            let mut shown = Markup::default();
            let first_view = site.reading(|store| site.first_view(store, &asked, None));
            let is_begun = first_view.is_ok();
            let rest = first_view.and_then(|(first, overview)| {
                shown = first;
                // Nothing more is made for a reader that is gone.
                if view == View::All && !send(std::mem::take(&mut shown)) {
                    return Ok(Markup::default());
                }
                let (overview, health) = (overview.as_ref(), site.health(view));
                site.reading(|store| site.rest(store, &asked, overview, health.as_ref(), forms))
            });
            let rest = rest.unwrap_or_else(|error| {
                let but = match view {
                    View::All if is_begun => "There is more, but ",
                    _ => "Nothing can be shown here: ",
                };
                html! {
                    @if !is_begun { (MAIN_BEGINS) }
                    p.complaint { (but) (line(&error.to_string())) "." }
                    (MAIN_ENDS)
                }
            });
            send(html! { (shown) (rest) });
        }))
    }

    /// How the pipeline is, where a page shows it. It is read from the disk, which no connection to
    /// the store waits for.
    fn health(&self, view: View) -> Option<Markup> {
        let section = || crate::health::section(self.daemon(), view == View::Health);
        view.shows(View::Health).then(section)
    }

    fn asked(
        &self,
        store: &Store,
        view: View,
        address: &str,
    ) -> Result<Asked, standpoint_store::Error> {
        let targets = self.targets(store)?;
        let first = || Ok(targets.first().map(|target| target.id.clone()));
        let query = self.query_toward(store, address, first)?;
        let target = target_name(store, &query.filter.target)?;
        Ok(Asked { view, address: address.to_owned(), targets, target, query })
    }

    /// The body of a page up to where its first view ends, which leaves `main` open; and the
    /// numbers, where the page has some.
    ///
    /// - `stranger`: whom or what the address names and nobody knows.
    fn first_view(
        &self,
        store: &Store,
        asked: &Asked,
        stranger: Option<&Stranger>,
    ) -> Result<(Markup, Option<Overview>), standpoint_store::Error> {
        let Asked { view, address, targets, target, query, .. } = asked;
        let overview = matches!(view, View::All | View::Figures) && stranger.is_none();
        let overview = overview
            .then(|| figures::ranking(store, &query.filter))
            .transpose()?
            .map(|ranking| Overview::of(ranking, query.actors));
        // The numbers are a part of the overview.
        let here = if *view == View::Figures { View::All.path() } else { view.path() };
        let shown = html! {
            (navigation(here, Some(query)))
            (MAIN_BEGINS)
            h1 #heading { (view.heading(target)) }
            @if *view != View::Health {
                (crate::filters::form(store, query, address, targets, view.path(), self.usual_window())?)
            }
            p #live role="status" aria-live="polite" {}
            @if let Some(stranger) = stranger { (stranger.shown(store, query, view.path())?) }
            @if let (View::All, Some(overview)) = (view, &overview) {
                (section("ranking", "Who stands where", &html! {
                    (parts::ranking(overview, target, &view.links(query)))
                    (exports("/api/v1/figures", query, None))
                }))
            }
        };
        Ok((shown, overview))
    }

    /// What follows, to the end of the page.
    fn rest(
        &self,
        store: &Store,
        asked: &Asked,
        overview: Option<&Overview>,
        health: Option<&Markup>,
        forms: Forms<'_>,
    ) -> Result<Markup, standpoint_store::Error> {
        let Asked { view, query, .. } = asked;
        let (view, filter) = (*view, &query.filter);
        let links = view.links(query);
        let usual = if view == View::All { FEW } else { MANY };
        let rows = query.limit.unwrap_or(usual).clamp(1, 200);
        let after = query.after.as_deref();
        let placed = |part: View, id: &str, heading: &str, content: &Markup| {
            // On a page of its own the page's heading is the section's.
            if view == part { alone(id, content) } else { section(id, heading, content) }
        };
        Ok(html! {
            @if let (View::Figures, Some(overview)) = (view, overview) {
                (alone("figures", &parts::all_numbers(overview, &links)))
            } @else if let Some(overview) = overview {
                (section("time", "Over time", &parts::over_time(overview, &links)))
            }
            @if view.shows(View::Evidence) {
                @let passages = feed::passages(store, filter, after, rows)?;
                @let last = passages.last().filter(|_| passages.len() == rows);
                (placed(View::Evidence, "evidence", "What shows it", &html! {
                    (feed(&passages, &links, forms))
                    (more("/evidence", query, last.map(|last| last.cursor.as_str())))
                    (exports("/api/v1/evidence", query, Some(self.most_rows())))
                }))
            }
            @if view.shows(View::Documents) {
                @let listed = documents::documents(store, filter, after, rows)?;
                @let last = listed.last().filter(|_| listed.len() == rows);
                (placed(View::Documents, "documents", "What was read", &html! {
                    p.faint { (many(documents::count(store, filter)?, "document")) " let through." }
                    (parts::documents(&listed, &links))
                    (more("/documents", query, last.map(|last| last.cursor.as_str())))
                    (exports("/api/v1/documents", query, Some(self.most_rows())))
                }))
            }
            @if view.shows(View::Shifts) {
                @let days = self.window(query);
                (placed(View::Shifts, "shifts", "Who moved", &parts::shifts(
                    &shifts::shifts(store, filter, days)?,
                    shifts::period(store, filter, days)?.as_ref(),
                    &links,
                )))
            }
            @if let Some(health) = health {
                (placed(View::Health, "health", "How the pipeline is", health))
            }
            (foot(store)?)
        })
    }

    fn document_page(&self, id: &str, query: &str, forms: Forms<'_>) -> Result<Reply, SiteError> {
        let found = self.reading(|store| {
            let Some(kept) = documents::document(store, id)? else { return Ok(None) };
            let passages = feed::of_document(store, id)?;
            let query = self.query(store, query)?;
            let links = InDocument(View::Documents.links(&query));
            let title = parts::title(kept.title.as_deref(), kept.path.as_deref().unwrap_or(id));
            let anchor = Anchor { prefix: "" };
            let body = html! {
                (navigation("/documents", Some(&query)))
                main #main.document-page {
                    h1 dir="auto" { (title) }
                    (document::facts(&kept))
                    (document::copies(&kept, &links))
                    p #live role="status" aria-live="polite" {}
                    div.columns {
                        div {
                            (document::legend(passages.iter().any(document::has_cue), false))
                            (document::text(&kept.text, &kept.mentions, &passages, &[], anchor))
                        }
                        aside aria-label="Passages" {
                            section #evidence { h2 { "What shows it" } (feed(&passages, &links, forms)) }
                        }
                    }
                }
                footer.provenance { (document::provenance(&kept)) }
                (help())
            };
            let title = format!("{title} \u{2013} Standpoint");
            Ok(Some(Reply::page(StatusCode::OK, &title, &body)))
        })?;
        Ok(found.unwrap_or_else(|| {
            let body = html! {
                (navigation("", None))
                main #main { h1 { "There is no such document" } p { a href="/documents" { "All documents" } } }
            };
            Reply::page(StatusCode::NOT_FOUND, "Not found", &body)
        }))
    }

    /// - `mark`: what the forms of this page carry.
    fn corrections_page(&self, mark: &str) -> Result<Reply, SiteError> {
        let (mut kept, names, targets) = self.reading(|store| {
            let most = MOST_CORRECTIONS + 1;
            let kept = standpoint_store::corrections::corrections(store, most)?;
            let mut names = HashMap::new();
            for correction in &kept {
                for who in correct::named(correction) {
                    if let Entry::Vacant(place) = names.entry(who) {
                        let name = figures::name_of(store, place.key())?;
                        place.insert(name);
                    }
                }
            }
            let targets = figures::targets(store)?.into_iter();
            let targets: HashMap<String, String> =
                targets.map(|target| (target.id, target.name)).collect();
            Ok((kept, names, targets))
        })?;
        let is_cut = kept.len() > MOST_CORRECTIONS;
        kept.truncate(MOST_CORRECTIONS);
        let name = |who: &str| names.get(who).cloned().unwrap_or_else(|| who.to_owned());
        let body = html! {
            (navigation("/corrections", None))
            main #main {
                h1 { "What people corrected" }
                @if kept.is_empty() {
                    p.empty {
                        "Nothing yet. On the page of " a href="/evidence" { "evidence" } " people accept, "
                        "reject and correct passages."
                    }
                }
                @else {
                    div.wide tabindex="0" role="region" aria-label="Corrections" {
                        table {
                            thead { tr {
                                th scope="col" { "Passage" } th scope="col" { "Who, as the pipeline said" }
                                th scope="col" { "What" } th scope="col" { "By whom" } th scope="col" { "When" }
                                th scope="col" { "Undo" }
                            } }
                            tbody {
                                @for correction in &kept {
                                    tr {
                                        td.passage-cell dir="auto" {
                                            @match place_of(correction) {
                                                Some(place) => a href=(place) { (line(&correction.passage)) },
                                                None => {
                                                    (line(&correction.passage)) " "
                                                    span.faint { "(not in the store any more)" }
                                                }
                                            }
                                        }
                                        td {
                                            @let target = &correction.target_id;
                                            bdi { (line(&name(&correction.who))) } " toward "
                                            bdi { (line(targets.get(target).unwrap_or(target))) }
                                        }
                                        td {
                                            (correct::told(correction, name))
                                            @if let Some(note) = &correction.note { ": " span.faint { (line(note)) } }
                                        }
                                        td { (line(correction.person.as_deref().unwrap_or("\u{2013}"))) }
                                        td.day { (moment(&correction.made_at)) }
                                        td { (correct::undoing(correction, mark)) }
                                    }
                                }
                            }
                        }
                    }
                    @if is_cut {
                        p.faint { "These are the latest " (MOST_CORRECTIONS) "; the file holds all." }
                    }
                    p.exports {
                        "As labelled data: " a href="/api/v1/corrections.jsonl" download { "JSONL" }
                    }
                }
            }
        };
        Ok(Reply::page(StatusCode::OK, "What people corrected \u{2013} Standpoint", &body))
    }
}

/// What a page is asked for.
struct Asked {
    view: View,
    /// What stands behind its question mark, and what that says.
    address: String,
    query: Query,
    targets: Vec<TargetCount>,
    /// The name of the one that is looked at.
    target: String,
}

const MAIN_BEGINS: PreEscaped<&str> = PreEscaped("<main id=\"main\">");
const MAIN_ENDS: PreEscaped<&str> = PreEscaped("</main>");

/// What stands at the end of a page and below its `main`.
fn foot(store: &Store) -> Result<Markup, standpoint_store::Error> {
    Ok(html! {
        (MAIN_ENDS)
        footer.provenance {
            (parts::makers(&figures::makers(store, parts::MOST_MAKERS + 1)?))
            p {
                a href="/api/v1" { "All of this for programs" } " (JSON, described by "
                a href="/api/v1/openapi.json" { "OpenAPI" } "). "
                a href="/corrections" { "What people corrected" } "."
            }
        }
        (help())
    })
}

/// Where the passage stands in its document.
fn place_of(correction: &KeptCorrection) -> Option<String> {
    let query = Query::read("", &correction.target_id).address();
    let document = encoded(&correction.document_id);
    correction.evidence.map(|key| format!("/documents/{document}{query}#e{key}"))
}

/// Which part of the dashboard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum View {
    All,
    Evidence,
    Documents,
    Shifts,
    /// The numbers over time: their table would hold up the page with the charts.
    Figures,
    Health,
}

impl View {
    fn shows(self, part: Self) -> bool {
        self == Self::All || self == part
    }

    /// What the page says of itself, so that whoever hears it or has ten of them open tells it from
    /// the others.
    fn heading(self, target: &str) -> String {
        let (what, toward) = match self {
            Self::All => ("Who stands where", "toward"),
            Self::Evidence => ("Passages that show stances", "toward"),
            Self::Shifts => ("Who moved", "in their stance toward"),
            Self::Figures => ("Means over time", "of stances toward"),
            Self::Documents => return "Documents".to_owned(),
            Self::Health => return "How the pipeline is".to_owned(),
        };
        if target.is_empty() { what.to_owned() } else { format!("{what} {toward} {target}") }
    }

    const fn path(self) -> &'static str {
        match self {
            Self::All => "/",
            Self::Evidence => "/evidence",
            Self::Documents => "/documents",
            Self::Shifts => "/shifts",
            Self::Figures => "/figures",
            Self::Health => "/health",
        }
    }

    fn links(self, query: &Query) -> Served<'_> {
        Served { query, actors: if self == Self::Figures { "/figures#figures" } else { ACTORS } }
    }
}

/// The list of actors that most pages lead to.
pub(crate) const ACTORS: &str = "/#ranking";

/// Links of the dashboard, which keep the filter.
pub(crate) struct Served<'q> {
    pub(crate) query: &'q Query,
    /// The list that shows more actors where a page does not show all.
    pub(crate) actors: &'static str,
}

impl Links for Served<'_> {
    fn actor(&self, who: &str) -> Option<String> {
        Some(format!("/{}", self.query.address_with(&[("who", Some(who))])))
    }

    fn passage(&self, passage: &Passage) -> Option<String> {
        let address = self.document(&passage.document_id)?;
        Some(format!("{address}#e{}", passage.key))
    }

    fn numbers(&self) -> Option<String> {
        Some(format!("/figures{}", self.query.address()))
    }

    fn more_actors(&self, actors: usize) -> Option<String> {
        // What is beyond the most that a page shows is in the files.
        let actors = actors.min(MOST_ACTORS);
        let is_more = self.query.actors < actors;
        let actors = actors.to_string();
        let address = || self.query.address_with(&[("actors", Some(actors.as_str()))]);
        let (path, place) = self.actors.split_once('#').unwrap_or((self.actors, ""));
        is_more.then(|| format!("{path}{}#{place}", address()))
    }

    fn document(&self, id: &str) -> Option<String> {
        let target = self.query.filter.target.as_str();
        let query = Query::read("", target).address();
        Some(format!("/documents/{}{query}", encoded(id)))
    }
}

/// The same on the page of one document, whose title stands above all of its passages.
struct InDocument<'q>(Served<'q>);

impl Links for InDocument<'_> {
    fn actor(&self, who: &str) -> Option<String> {
        self.0.actor(who)
    }

    fn passage(&self, passage: &Passage) -> Option<String> {
        Some(format!("#e{}", passage.key))
    }

    fn place(&self, _: &Passage) -> String {
        "In the text".to_owned()
    }

    fn document(&self, id: &str) -> Option<String> {
        self.0.document(id)
    }
}
