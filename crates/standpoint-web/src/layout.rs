//! What stands around the content of the dashboard's pages: where one can go, sections, lists,
//! keys.

use maud::{Markup, html};
use standpoint_store::feed::Passage;

use crate::address::Query;
use crate::correction_form::Forms;
use crate::export::WRITES_PARQUET;
use crate::parts::{self, Links};
use crate::text::counted;

/// - `here`: the path of the page that is shown, or of the list that it is part of.
pub(crate) fn navigation(here: &str, query: Option<&Query>) -> Markup {
    let address = query.map(Query::address).unwrap_or_default();
    let places = [
        ("/", "Overview"),
        ("/evidence", "Evidence"),
        ("/documents", "Documents"),
        ("/shifts", "Shifts"),
        ("/health", "Pipeline"),
        ("/corrections", "Corrections"),
    ];
    html! {
        a.skip href="#main" { "Skip to the content" }
        header.top {
            a.brand href="/" { "Standpoint" }
            nav aria-label="Pages" {
                @for (path, name) in places {
                    @let current = (path == here).then_some("page");
                    a href=(format!("{path}{address}")) aria-current=[current] { (name) }
                }
            }
            button #help-button.scripted type="button" aria-haspopup="dialog" { "Keys" kbd { "?" } }
        }
    }
}

pub(crate) fn section(id: &str, heading: &str, content: &Markup) -> Markup {
    html! { section id=(id) aria-labelledby=(format!("{id}-heading")) { h2 id=(format!("{id}-heading")) { (heading) } (content) } }
}

/// A section that is all of a page.
pub(crate) fn alone(id: &str, content: &Markup) -> Markup {
    html! { section.alone id=(id) aria-labelledby="heading" { (content) } }
}

pub(crate) fn feed(passages: &[Passage], links: &dyn Links, forms: Forms<'_>) -> Markup {
    html! {
        @if passages.is_empty() { p.empty { "No passage is let through." } }
        div.feed { @for passage in passages { (parts::passage(passage, links, Some(forms))) } }
    }
}

pub(crate) fn more(path: &str, query: &Query, cursor: Option<&str>) -> Markup {
    html! {
        @if let Some(cursor) = cursor {
            p.more { a href=(format!("{path}{}", query.address_with(&[("after", Some(cursor))]))) { "Further ones" } }
        }
    }
}

/// Links to what is listed as files.
///
/// - `most`: where these end, for lists that can be so long.
pub(crate) fn exports(path: &str, query: &Query, most: Option<usize>) -> Markup {
    let what = match most {
        Some(most) => format!("These rows, at most {} of them", counted(most as i64)),
        None => "These rows".to_owned(),
    };
    let address = query.address();
    html! {
        p.exports {
            (what) ": "
            a href=(format!("{path}.csv{address}")) download { "CSV" } ", "
            a href=(format!("{path}.jsonl{address}")) download { "JSONL" } ", "
            @if WRITES_PARQUET {
                a href=(format!("{path}.parquet{address}")) download { "Parquet" } ", "
            }
            a href=(format!("{path}{address}")) { "JSON" }
        }
    }
}

pub(crate) fn help() -> Markup {
    let keys = [
        ("j", "next passage"),
        ("k", "passage before"),
        ("a", "accept it"),
        ("r", "reject it: it counts no more"),
        ("x", "take the verdict back"),
        ("c", "correct it: who stands there, and where"),
        ("?", "this help"),
    ];
    html! {
        dialog #help aria-labelledby="help-heading" {
            h2 #help-heading { "Keys" }
            dl { @for (key, what) in keys { dt { kbd { (key) } } dd { (what) } } }
            form method="dialog" { button { "Close" } }
        }
    }
}
