//! The forms by which people judge and correct a passage; none of them needs a script.

use http::StatusCode;
use maud::{Markup, html};
use standpoint_store::feed::{self, Passage};

use crate::address::Query;
use crate::correct::{self, MOST_NAME, MOST_NOTE, Refusal, Sent};
use crate::layout::{help, navigation};
use crate::login;
use crate::pages::{ACTORS, Served};
use crate::parts;
use crate::reply::{Reply, Request};
use crate::site::{Site, SiteError};
use crate::text::line;

/// What the forms of a page carry besides what is typed in.
#[derive(Debug, Clone, Copy, Default)]
pub struct Forms<'f> {
    /// Shows that a page of ours made them, for this browser.
    pub mark: &'f str,
    /// The page's address, which is shown again afterwards.
    pub back: &'f str,
    /// Whether passages are corrected on this very page, and not behind a link: the fields of one
    /// passage cost a browser a millisecond or two, and a page has many passages.
    pub is_correcting: bool,
}

/// The buttons that judge a passage, and what leads to correcting it.
pub(crate) fn forms(passage: &Passage, forms: Forms<'_>) -> Markup {
    let verdict = passage.verdict.as_deref().unwrap_or_default();
    let pressed = |name: &str| if verdict == name { "true" } else { "false" };
    html! {
        form.verdicts method="post" action=(correct::path_of(passage.key)) {
            (carried(passage, forms))
            button name="verdict" value="accepted" aria-pressed=(pressed("accepted")) { "Accept" kbd { "a" } }
            button name="verdict" value="rejected" aria-pressed=(pressed("rejected")) { "Reject" kbd { "r" } }
            button name="verdict" value="" { "Undo" kbd { "x" } }
        }
        @if forms.is_correcting {
            (correction(passage, forms))
        } @else {
            a.correct href=(address(passage, forms.back)) { "Correct" kbd { "c" } }
        }
    }
}

/// Where a passage can be corrected: a page of its own, or for a script the form alone. It says
/// which passage is meant, for rows are numbered anew when a document comes again.
fn address(passage: &Passage, back: &str) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("passage", &passage.fingerprint).append_pair("back", back);
    format!("{}?{}", correct::path_of(passage.key), query.finish())
}

fn carried(passage: &Passage, forms: Forms<'_>) -> Markup {
    html! {
        input type="hidden" name="mark" value=(forms.mark);
        input type="hidden" name="back" value=(forms.back);
        input type="hidden" name="passage" value=(passage.fingerprint);
    }
}

/// The form that names another holder, or another score.
fn correction(passage: &Passage, forms: Forms<'_>) -> Markup {
    let is_corrected = passage.said_who.is_some() || passage.said_score.is_some();
    let name = line(&passage.name);
    html! {
        form.correction method="post" action=(correct::path_of(passage.key)) aria-label="Correct this passage" {
            (carried(passage, forms))
            label { "Who stands there" input name="holder" list="actors" maxlength=(MOST_NAME) autocomplete="off" placeholder=(name); }
            label { "Score, \u{2212}1 to +1" input name="score" type="number" min="-1" max="1" step="any" value=(correct::rounded(passage.score)); }
            fieldset {
                legend { "This holder is meant" }
                label { input type="radio" name="scope" value="passage" checked; " in this passage" }
                label { input type="radio" name="scope" value="document"; " wherever this document names \u{201c}" bdi { (name) } "\u{201d}" }
            }
            label { "Why" input name="note" maxlength=(MOST_NOTE) autocomplete="off"; }
            label { "Your name" input name="person" maxlength=(MOST_NAME) autocomplete="name"; }
            div.act {
                button name="keep" value="yes" { "Keep" }
                @if is_corrected { button name="undo" value="yes" { "Take back" } }
            }
        }
    }
}

/// Shows the form that corrects a passage: on a page of its own, and to a script the form alone.
///
/// - `key`: the row of the passage.
///
/// # Errors
///
/// When the store cannot be read.
pub(crate) fn show(site: &Site, request: &Request, key: i64) -> Result<Reply, SiteError> {
    let sent = Sent::read(request.query.as_bytes());
    let back = sent.back();
    let mark = site.form_mark(request);
    let forms = Forms { mark: &mark, back, is_correcting: true };
    let is_scripted = request.headers.contains_key(login::HEADER);
    site.reading(|store| {
        let passage = feed::one(store, key)?;
        let Some(passage) = passage.filter(|one| sent.get("passage") == Some(&one.fingerprint))
        else {
            let refusal = Refusal::Gone;
            return Ok(if is_scripted {
                Reply::refusal(refusal.status(), &refusal.to_string())
            } else {
                correct::refused("Not there any more", &refusal, back, "Back to the passages")
            });
        };
        if is_scripted {
            return Ok(Reply::part(&correction(&passage, forms)));
        }
        let query =
            Query::read(back.split_once('?').map_or("", |(_, query)| query), &passage.target_id);
        let body = html! {
            (navigation("/evidence", Some(&query)))
            main #main {
                h1 #heading { "Correct a passage" }
                p #live role="status" aria-live="polite" {}
                (parts::passage(&passage, &Served { query: &query, actors: ACTORS }, Some(forms)))
                p { a href=(format!("{back}#p{key}")) { "Back to the passages" } }
            }
            (help())
        };
        Ok(Reply::page(StatusCode::OK, "Correct a passage \u{2013} Standpoint", &body))
    })
}
