//! The form that says what is looked at; everything in it stands in the page's address.

use maud::{Markup, html};
use standpoint_store::figures::TargetCount;
use standpoint_store::filter::{Filter, MOST_MATCHES};
use standpoint_store::{Store, documents, figures};

use crate::address::{self, KNOWN, Query};
use crate::near::nearest;
use crate::text::{counted, line};

/// The most sources to choose from by ticking them; a longer list is asked for by the address.
const MOST_SOURCES: usize = 60;

/// The form, filled in with what is looked at now.
///
/// - `targets`: those that there are;
/// - `address`: what stands behind the page's question mark, of which the query may lack a part;
/// - `path`: the page that it leads to;
/// - `window`: days that shifts are looked for in unless the query says otherwise.
///
/// # Errors
///
/// When the store cannot be read.
pub fn form(
    store: &Store,
    query: &Query,
    address: &str,
    targets: &[TargetCount],
    path: &str,
    window: u32,
) -> Result<Markup, standpoint_store::Error> {
    let filter = &query.filter;
    let (first, last) = figures::first_and_last_day(store)?;
    let known = figures::sources(store)?;
    let holders = query.address();
    let holders = match () {
        () if holders.contains("holders=authors") => "authors",
        () if holders.contains("holders=all") => "all",
        () => "actors",
    };
    // What is hidden until it is asked for is shown where it says something.
    let set = [
        holders != "actors",
        filter.voice.is_some(),
        filter.time.is_some(),
        filter.verdict.is_some(),
        query.window.is_some(),
        !filter.sources.is_empty(),
    ]
    .into_iter()
    .filter(|is_set| *is_set)
    .count();
    let is_narrow = query.address() != Query::read("", &filter.target).address();
    let day = |value: &Option<String>| value.clone().unwrap_or_default();
    let choice = |name: &str, label: &str, chosen: &str, options: &[(&str, &str)]| {
        html! {
            div.field {
                label for=(format!("f-{name}")) { (label) }
                select id=(format!("f-{name}")) name=(name) {
                    @for (value, text) in options {
                        option value=(value) selected[*value == chosen] { (text) }
                    }
                }
            }
        }
    };
    let of = |value: &Option<String>| value.clone().unwrap_or_default();
    let is_known = targets.is_empty() || targets.iter().any(|target| target.id == filter.target);
    Ok(html! {
        (complaints(address))
        @if !is_known { (no_such_target(query, targets, path)) }
        form.filters method="get" action=(path) role="search" aria-label="What is looked at" {
            div.field {
                label for="f-target" { "Toward" }
                select #f-target name="target" {
                    @if !is_known { option value="" selected { "\u{2013}" } }
                    @for target in targets {
                        option value=(target.id) selected[target.id == filter.target] { (line(&target.name)) }
                    }
                }
            }
            div.field {
                label for="f-from" { "From" }
                input #f-from name="from" type="date" value=(day(&filter.from)) min=[&first] max=[&last];
            }
            div.field {
                label for="f-to" { "To" }
                input #f-to name="to" type="date" value=(day(&filter.to)) min=[&first] max=[&last];
            }
            div.field {
                label for="f-words" { "With the words" }
                input #f-words name="words" type="search" value=(of(&filter.words));
            }
            @if let Some(who) = &filter.who { input type="hidden" name="who" value=(who); }
            div.field.act {
                button { "Look" }
                @if is_narrow {
                    a href=(format!("{path}{}", Query::read("", &filter.target).address())) { "Everything" }
                }
            }
            details.more open[set > 0] {
                summary {
                    "More filters"
                    @if set > 0 { " (" (set) " set)" }
                }
                div.rest {
                    (choice("holders", "Whose stances", holders, &[
                        ("actors", "of those named"), ("authors", "of authors"), ("all", "of both"),
                    ]))
                    (choice("voice", "In whose words", &of(&filter.voice), &[
                        ("", "anybody\u{2019}s"), ("author", "the author\u{2019}s"), ("quoted", "quoted"),
                        ("reported", "reported"),
                    ]))
                    (choice("time", "That holds", &of(&filter.time), &[
                        ("", "whenever"), ("past", "in the past"), ("present", "now"), ("future", "later"),
                        ("hypothetical", "only supposedly"),
                    ]))
                    (choice("verdict", "Looked at by people", &of(&filter.verdict), &[
                        ("", "or not"), ("none", "not yet"), ("accepted", "accepted"), ("rejected", "rejected"),
                    ]))
                    div.field {
                        label for="f-window" { "Shifts within days" }
                        input #f-window name="window" type="number" min="1" max="36500" value=(query.window.unwrap_or(window));
                    }
                }
                (sources(filter, &known))
            }
        }
        (notes(store, query, path)?)
    })
}

/// What in the address is not answered as it stands there.
fn complaints(address: &str) -> Markup {
    html! {
        @if let Err(wrong) = address::check(address, &KNOWN) {
            @let wrong = wrong.to_string();
            p.complaint {
                "A part of this address is passed over: " (line(&wrong))
                @if !wrong.ends_with('?') { "." }
            }
        }
    }
}

/// That nothing is toward a target, and which may have been meant.
fn no_such_target(query: &Query, targets: &[TargetCount], path: &str) -> Markup {
    let known = targets.iter().map(|target| (target.id.clone(), target.name.clone()));
    let near = nearest(&query.filter.target, known.collect());
    let with = |id: &str| format!("{path}{}", query.address_with(&[("target", Some(id))]));
    html! {
        p.complaint { "Nothing here is toward \u{201c}" (line(&query.filter.target)) "\u{201d}: choose a target." }
        (did_you_mean(near.iter().map(|(id, name)| (with(id), name.as_str()))))
    }
}

/// Links to what may have been meant.
///
/// - `near`: where each leads, and its name.
pub(crate) fn did_you_mean<'n>(near: impl Iterator<Item = (String, &'n str)>) -> Markup {
    let near: Vec<_> = near.collect();
    html! {
        @if !near.is_empty() {
            p {
                "Did you mean "
                @for (index, (address, name)) in near.iter().enumerate() {
                    @if index > 0 { ", " }
                    a href=(address) { bdi { (line(name)) } }
                }
                "?"
            }
        }
    }
}

/// The sources, to be ticked.
fn sources(filter: &Filter, known: &[(String, i64)]) -> Markup {
    html! {
        @if known.len() > 1 {
            details.sources open[!filter.sources.is_empty()] {
                summary {
                    "Sources"
                    @if !filter.sources.is_empty() { " (" (filter.sources.len()) " chosen)" }
                }
                @for (index, (source, documents)) in known.iter().take(MOST_SOURCES).enumerate() {
                    label for=(format!("f-source-{index}")) {
                        input id=(format!("f-source-{index}")) type="checkbox" name="source" value=(source)
                            checked[filter.sources.contains(source)];
                        " " bdi { (line(source)) } " " span.faint { (counted(*documents)) }
                    }
                }
            }
        }
    }
}

/// What must be said of what is looked at.
fn notes(store: &Store, query: &Query, path: &str) -> Result<Markup, standpoint_store::Error> {
    let filter = &query.filter;
    Ok(html! {
        @if filter.voice.is_some() || filter.time.is_some() || filter.verdict.is_some() {
            p.faint { "Whose words, when it holds and what people said choose passages; figures are of all." }
        }
        @if filter.from.is_some() && filter.to.is_some() && filter.to < filter.from {
            p.complaint { "The first day is after the last: there is nothing between them." }
        }
        @if documents::are_words_too_common(store, filter)? {
            p.complaint {
                "Many documents of these days and sources hold these words; only the "
                (counted(MOST_MATCHES as i64)) " that came last are looked at."
            }
        }
        @if let Some(who) = &filter.who {
            p.chosen {
                "Only " b { bdi { (line(&figures::name_of(store, who)?)) } } ". "
                a href=(format!("{path}{}", query.address_with(&[("who", None)]))) { "Everybody" }
            }
        }
    })
}
