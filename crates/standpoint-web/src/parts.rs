//! The parts that pages are put together from: ranking, time, passages, documents.

use maud::{Markup, html};
use standpoint_store::documents::Listed;
use standpoint_store::feed::Passage;
use standpoint_store::shifts::{Period, Shift};

use crate::charts;
use crate::correction_form::{self, Forms};
use crate::overview::{ActorFigure, Mean, Overview};
use crate::text::{counted, line, many, marked, side, signed};

/// Where links of a page lead.
pub trait Links {
    /// The page that looks at one actor.
    fn actor(&self, who: &str) -> Option<String>;
    /// A passage in its document.
    fn passage(&self, passage: &Passage) -> Option<String>;
    /// What that link is called: the document's title, where passages of many are listed.
    fn place(&self, passage: &Passage) -> String {
        title(passage.title.as_deref(), &passage.document_id)
    }
    /// A document.
    fn document(&self, id: &str) -> Option<String>;
    /// The page with the numbers of the charts over time; none where they stand beside them.
    fn numbers(&self) -> Option<String> {
        None
    }
    /// The same page with so many actors.
    fn more_actors(&self, _actors: usize) -> Option<String> {
        None
    }
}

/// A name, as a link where there is a page for it.
fn linked(name: &str, address: Option<String>) -> Markup {
    html! {
        @match address {
            Some(address) => a href=(address) { bdi { (line(name)) } },
            None => bdi { (line(name)) },
        }
    }
}

/// A title, or what stands for one.
#[must_use]
pub fn title(title: Option<&str>, otherwise: &str) -> String {
    title.map(line).filter(|title| !title.is_empty()).unwrap_or_else(|| line(otherwise))
}

/// Who stands where, as a table with bars.
#[must_use]
pub fn ranking(overview: &Overview, target: &str, links: &dyn Links) -> Markup {
    html! {
        @if overview.actors.is_empty() {
            p.empty { "Nobody takes a stance in what is looked at." }
        } @else {
            table.ranking {
                caption {
                    "Mean over stories, from \u{2212}1 (opposed to " (target) ") to +1 (supportive). "
                    "The thin line under a bar is what the mean lies in 19 times of 20."
                }
                thead {
                    tr {
                        th scope="col" { "Who" }
                        th scope="col" { "Stance" }
                        th.drawn scope="col" { span.said { "Drawn" } (charts::scale()) }
                        th.number scope="col" { "Mean" }
                        th.number.interval scope="col" { "Interval" }
                        th.number scope="col" { "Stories" }
                        th.number scope="col" { "Passages" }
                    }
                }
                tbody {
                    @for actor in &overview.actors {
                        tr {
                            th scope="row" { (linked(&actor.name, links.actor(&actor.who))) }
                            td.short { (degree(&actor.all)) }
                            td.drawn { (charts::bar(&actor.all)) }
                            td.number { (signed(actor.all.score)) }
                            td.number.interval { (signed(actor.all.low)) " to " (signed(actor.all.high)) }
                            td.number { (counted(actor.all.stories)) }
                            td.number { (counted(actor.all.passages)) }
                        }
                    }
                }
            }
            @if overview.others > 0 {
                p.faint { (others(overview, links)) ", with no more stories than these." }
            }
        }
    }
}

/// How many actors are not shown, as a link to them where there is a page for it.
fn others(overview: &Overview, links: &dyn Links) -> Markup {
    let more = format!("And {} more", counted(overview.others as i64));
    let address = links.more_actors(overview.actors.len() + overview.others);
    html! {
        @match address {
            Some(address) => a.more-actors href=(address) { (more) },
            None => (more),
        }
    }
}

fn degree(mean: &Mean) -> Markup {
    html! { span.degree.(side(mean.score)) { (mean.degree()) } }
}

/// Everybody over time, each in a small chart of the same scale, with the numbers in a table.
#[must_use]
pub fn over_time(overview: &Overview, links: &dyn Links) -> Markup {
    let dated: Vec<&ActorFigure> =
        overview.actors.iter().filter(|actor| !actor.over_time.is_empty()).collect();
    html! {
        @if dated.is_empty() {
            (no_dates())
        } @else {
            ul.multiples {
                @for actor in &dated {
                    li {
                        h3 { (linked(&actor.name, links.actor(&actor.who))) }
                        (charts::over_time(actor, &overview.periods))
                    }
                }
            }
            p.faint {
                "One scale for all: +1 supportive, \u{2212}1 opposed. A larger dot has more stories, "
                "a thin line is the interval. A gap is a time without evidence."
            }
            @match links.numbers() {
                Some(address) => p { a href=(address) { "The numbers as a table" } },
                None => details.data { summary { "The numbers as a table" } (numbers(overview)) },
            }
        }
    }
}

/// Everybody over time, in numbers, as a page of its own.
#[must_use]
pub fn all_numbers(overview: &Overview, links: &dyn Links) -> Markup {
    html! {
        @if overview.actors.iter().all(|actor| actor.over_time.is_empty()) {
            (no_dates())
        } @else {
            (numbers(overview))
        }
        @if overview.others > 0 { p.faint { (others(overview, links)) "." } }
    }
}

fn no_dates() -> Markup {
    html! { p.empty { "Nothing that is looked at has a date." } }
}

/// Everybody over time, in numbers.
fn numbers(overview: &Overview) -> Markup {
    html! {
        div.wide tabindex="0" role="region" aria-label="Figures over time" {
            table {
                thead {
                    tr {
                        th scope="col" { "Who" }
                        @for period in &overview.periods { th.number scope="col" { (period) } }
                    }
                }
                tbody {
                    @for actor in overview.actors.iter().filter(|actor| !actor.over_time.is_empty()) {
                        tr {
                            th scope="row" { bdi { (line(&actor.name)) } }
                            @for period in &overview.periods { (cell(actor, period)) }
                        }
                    }
                }
            }
        }
    }
}

fn cell(actor: &ActorFigure, period: &str) -> Markup {
    let point = actor.over_time.iter().find(|point| point.period == period);
    html! {
        td.number {
            @if let Some(point) = point {
                (signed(point.mean.score)) " "
                span.faint title=(charts::stories(point.mean.stories)) {
                    "(" (counted(point.mean.stories)) ")"
                }
            } @else {
                span.faint { "\u{2013}" }
            }
        }
    }
}

/// What stands on a passage besides its words: voice, time, what people said.
#[must_use]
pub fn badges(passage: &Passage) -> Markup {
    html! {
        span.badges {
            span.badge { (voice(&passage.voice)) }
            " "
            span.badge { (passage.time) }
            @if passage.is_counter { " " span.badge.counter { "speaks against it" } }
            @if passage.time == "hypothetical" { " " span.badge { "does not count" } }
            @match passage.verdict.as_deref() {
                Some("accepted") => { " " span.badge.accepted { "\u{2713} accepted" } }
                Some(_) => { " " span.badge.rejected { "\u{2717} rejected" } }
                None => {}
            }
            @if let Some(name) = &passage.said_name {
                " " span.badge.moved { "moved by a person, was " bdi { (line(name)) } }
            }
            @if let Some(said) = passage.said_score {
                " " span.badge { "corrected, was " (signed(said)) }
            }
            @if passage.copies > 1 {
                " " span.badge { "printed " (counted(passage.copies)) " times" }
            }
        }
    }
}

fn voice(voice: &str) -> &str {
    if voice == "author" { "author\u{2019}s words" } else { voice }
}

/// A passage: who stands where, the sentence with its marks, and where it comes from.
///
/// - `forms`: what the forms carry by which people judge and correct it; none where nobody can.
#[must_use]
pub fn passage(passage: &Passage, links: &dyn Links, forms: Option<Forms<'_>>) -> Markup {
    let key = passage.key;
    let verdict = passage.verdict.as_deref().unwrap_or("open");
    html! {
        article.passage.(verdict) id=(format!("p{key}")) data-key=(key) tabindex="0"
            aria-label=(format!("{}, {}", line(&passage.name), signed(passage.score))) {
            header {
                span.who { (linked(&passage.name, links.actor(&passage.who))) }
                " "
                span.degree.(side(passage.score)) {
                    (signed(passage.score)) " " (standpoint_store::figures::degree(passage.score))
                }
                " "
                (badges(passage))
            }
            blockquote dir="auto" { (marked(passage)) }
            footer {
                (linked(&links.place(passage), links.passage(passage)))
                span { (line(&passage.source)) }
                @if let Some(day) = &passage.day { time datetime=(day) { (day) } }
                span { (format!("{:.0}% sure", passage.confidence * 100.0)) }
                @if let Some(rule) = &passage.rule { span { "by " (line(rule)) } }
            }
            @if let Some(forms) = forms { (correction_form::forms(passage, forms)) }
        }
    }
}

/// Documents as a table.
#[must_use]
pub fn documents(documents: &[Listed], links: &dyn Links) -> Markup {
    html! {
        @if documents.is_empty() {
            p.empty { "No document is let through." }
        } @else {
            div.wide tabindex="0" role="region" aria-label="Documents" {
                table.documents {
                    thead {
                        tr {
                            th scope="col" { "Title" }
                            th scope="col" { "Source" }
                            th scope="col" { "Date" }
                            th scope="col" { "Author" }
                            th.number scope="col" { "Tone" }
                            th.number scope="col" { "Stances" }
                            th.number scope="col" { "Copies" }
                        }
                    }
                    tbody {
                        @for document in documents {
                            @let path = document.path.as_deref().unwrap_or(&document.id);
                            tr {
                                th scope="row" {
                                    (linked(&title(document.title.as_deref(), path), links.document(&document.id)))
                                    @if document.status != "complete" { " " span.badge { (document.status) } }
                                }
                                td { (line(&document.source)) }
                                td.day { (document.day.as_deref().unwrap_or("\u{2013}")) }
                                td { bdi { (line(document.author.as_deref().unwrap_or("\u{2013}"))) } }
                                td.number { (document.tone.map_or_else(|| "\u{2013}".to_owned(), signed)) }
                                td.number { (counted(document.stances)) }
                                td.number { (counted(document.copies)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Who moved.
///
/// - `period`: the days that were looked at; none where nothing has a date.
#[must_use]
pub fn shifts(shifts: &[Shift], period: Option<&Period>, links: &dyn Links) -> Markup {
    let Some(period) = period else {
        return no_dates();
    };
    let days = html! {
        "from " (period.from) " to " (period.to) " (" (many(period.days.into(), "day"))
        "), compared with the " (many(period.days_before.into(), "day")) " before."
    };
    html! {
        @if shifts.is_empty() {
            p.empty { "Nobody moved by more than chance " (days) }
        } @else {
            div.wide tabindex="0" role="region" aria-label="Shifts" {
                table.shifts {
                    thead {
                        tr {
                            th scope="col" { "Who" }
                            th scope="col" { "Moved" }
                            th.number scope="col" { "Before" }
                            th.number scope="col" { "Now" }
                            th.number scope="col" { "Stories before, now" }
                            th.number scope="col" { "Standard errors" }
                        }
                    }
                    tbody {
                        @for shift in shifts {
                            @let is_up = shift.now > shift.before;
                            tr {
                                th scope="row" { (linked(&shift.name, links.actor(&shift.who))) }
                                td.short {
                                    span.degree.(if is_up { "for" } else { "against" }) {
                                        (if is_up { "\u{2197} toward" } else { "\u{2198} away" })
                                    }
                                }
                                td.number { (signed(shift.before)) }
                                td.number { (signed(shift.now)) }
                                td.number {
                                    (counted(shift.stories_before)) ", " (counted(shift.stories_now))
                                }
                                td.number { (format!("{:.1}", shift.errors.abs())) }
                            }
                        }
                    }
                }
            }
            p.faint { "Who moved " (days) }
        }
    }
}

/// How many makers the foot of a page names.
pub const MOST_MAKERS: usize = 20;

/// Who made the figures, for the foot of a page.
///
/// - `makers`: one more than [`MOST_MAKERS`] where there are more.
#[must_use]
pub fn makers(makers: &[standpoint_store::figures::Maker]) -> Markup {
    html! {
        @for maker in makers.iter().take(MOST_MAKERS) {
            p {
                (many(maker.documents, "document")) " by Standpoint " (line(&maker.standpoint))
                ", pipeline " code { (line(&maker.pipeline)) }
                @if !maker.stages.is_empty() {
                    ": "
                    @for (index, stage) in maker.stages.iter().enumerate() {
                        @if index > 0 { ", " }
                        (line(&stage.name)) " " (line(&stage.version))
                        @if let Some(model) = &stage.model { " (" (line(model)) ")" }
                    }
                }
                "."
            }
        }
        @if makers.len() > MOST_MAKERS { p { "And others, for fewer documents each." } }
    }
}
