//! What people say of a passage in the dashboard, and what becomes of it.

use http::{StatusCode, header};
use maud::{Markup, html};
use standpoint_store::corrections::{Correction, CorrectionError, Holder, KeptCorrection, Verdict};
use standpoint_store::feed::{self, Passage};
use standpoint_store::{Store, figures, is_same_name, names, slug, state_called};

use crate::layout::navigation;
use crate::login::{self, Visitor};
use crate::reply::{Reply, Request};
use crate::site::{Daemon, Site, SiteError};
use crate::text::{line, signed};

/// The most characters of a note and of a name.
pub(crate) const MOST_NOTE: usize = 2000;
pub(crate) const MOST_NAME: usize = 200;

/// How far from what is shown a score must be to be another one.
const SAME: f64 = 0.0005;

/// A score as a form shows it.
pub(crate) fn rounded(score: f64) -> f64 {
    (score * 1000.0).round() / 1000.0
}

/// Where what is said of a passage is sent.
pub(crate) fn path_of(key: i64) -> String {
    format!("/evidence/{key}/correction")
}

/// The row that a form's path names.
pub(crate) fn key_of(path: &str) -> Option<i64> {
    path.strip_prefix("/evidence/")?.strip_suffix("/correction")?.parse().ok()
}

/// The row of the correction that a path takes back.
pub(crate) fn undone_of(path: &str) -> Option<i64> {
    path.strip_prefix("/corrections/")?.strip_suffix("/undo")?.parse().ok()
}

/// The form that takes one correction back, in the list of all.
pub(crate) fn undoing(correction: &KeptCorrection, mark: &str) -> Markup {
    html! {
        form method="post" action=(format!("/corrections/{}/undo", correction.key)) {
            input type="hidden" name="mark" value=(mark);
            input type="hidden" name="made_at" value=(correction.made_at);
            button { "Take back" }
        }
    }
}

/// What a form or an address says, its fields as they came.
pub(crate) struct Sent(Vec<(String, String)>);

impl Sent {
    pub(crate) fn read(encoded: &[u8]) -> Self {
        Self(form_urlencoded::parse(encoded).into_owned().collect())
    }

    /// The page of ours that is shown again.
    pub(crate) fn back(&self) -> &str {
        self.get("back").filter(|back| is_own(back)).unwrap_or("/evidence")
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.trim())
    }

    /// A field that says something.
    fn filled(&self, name: &str) -> Option<&str> {
        self.get(name).filter(|value| !value.is_empty())
    }
}

/// Why a form's word is not kept.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    #[error(
        "this form was not sent from a page of this dashboard, or before the last login: load the page again"
    )]
    Stranger,
    #[error(
        "this passage is there no more, for its document came again since: load the page again"
    )]
    Gone,
    #[error("this was taken back or said anew since the page was shown: load the page again")]
    Undone,
    #[error("nothing was changed: name another holder or another score")]
    Nothing,
    #[error("found the verdict `{0}`, expected `accepted`, `rejected` or nothing")]
    Verdict(String),
    #[error("found `{0}`, expected a score of -1 (opposed) to 1 (supportive)")]
    Score(String),
    #[error(
        "nobody is called `{found}`: did you mean `{known}`? An id such as `{id}` names somebody new"
    )]
    Misspelt { found: String, known: String, id: String },
    #[error("found {found} characters in `{field}`, expected at most {most}")]
    Long { field: &'static str, found: usize, most: usize },
    #[error(transparent)]
    Kept(#[from] CorrectionError),
}

impl Refusal {
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::Stranger => StatusCode::FORBIDDEN,
            Self::Gone | Self::Undone => StatusCode::CONFLICT,
            Self::Kept(CorrectionError::Store(_)) => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::UNPROCESSABLE_ENTITY,
        }
    }
}

/// Whether a program that may write sent this, or a form that a page of ours made for this browser.
fn may_keep(site: &Site, request: &Request, visitor: Visitor, sent: &Sent) -> bool {
    visitor.may_write() || site.is_marked(request, sent.get("mark"))
}

/// Keeps what a form says, and shows its page again; a script is told as JSON.
///
/// - `key`: the row of the passage.
///
/// # Errors
///
/// When the store cannot be read.
pub(crate) fn receive(
    site: &Site,
    request: &Request,
    visitor: Visitor,
    key: i64,
) -> Result<Reply, SiteError> {
    let sent = Sent::read(&request.body);
    let back = sent.back();
    let is_scripted = request.headers.contains_key(login::HEADER);
    let done = if may_keep(site, request, visitor, &sent) {
        keep(site, &sent, key)?
    } else {
        Err(Refusal::Stranger)
    };
    Ok(match done {
        Ok(passage) if is_scripted => Reply::json(StatusCode::OK, &passage),
        Ok(_) => Reply::new(StatusCode::SEE_OTHER, "text/plain", "")
            .with(header::LOCATION, format!("{back}#p{key}")),
        Err(refusal) if is_scripted => Reply::refusal(refusal.status(), &refusal.to_string()),
        Err(refusal) => refused("Not kept", &refusal, back, "Back to the passages"),
    })
}

/// Takes back what a form of the list of corrections names, and shows the list again.
///
/// - `key`: the row of the correction.
///
/// # Errors
///
/// When the store cannot be written.
pub(crate) fn receive_undo(
    site: &Site,
    request: &Request,
    visitor: Visitor,
    key: i64,
) -> Result<Reply, SiteError> {
    let sent = Sent::read(&request.body);
    let done = if may_keep(site, request, visitor, &sent) {
        undo(site, key, sent.get("made_at").unwrap_or_default())?
    } else {
        Err(Refusal::Stranger)
    };
    Ok(match done {
        Ok(()) => Reply::new(StatusCode::SEE_OTHER, "text/plain", "")
            .with(header::LOCATION, "/corrections".to_owned()),
        Err(refusal) => refused("Not kept", &refusal, "/corrections", "Back to the corrections"),
    })
}

/// Takes back one correction.
pub(crate) fn undo(site: &Site, key: i64, made_at: &str) -> Result<Result<(), Refusal>, SiteError> {
    Ok(match site.writing(|store| store.take_back(key, made_at))? {
        Ok(true) => Ok(()),
        Ok(false) => Err(Refusal::Undone),
        Err(error) => Err(Refusal::Kept(CorrectionError::Store(error))),
    })
}

/// A page that says why something was not done.
///
/// - `back`: the page that leads on, and `called` the words of its link.
pub(crate) fn refused(heading: &str, refusal: &Refusal, back: &str, called: &str) -> Reply {
    let body = html! {
        (navigation("", None))
        main #main {
            h1 { (heading) }
            p.complaint role="alert" { (line(&refusal.to_string())) "." }
            p { a href=(back) { (called) } }
        }
    };
    Reply::page(refusal.status(), &format!("{heading} \u{2013} Standpoint"), &body)
}

/// Whether an address is a page of ours, and nothing that a browser would take for another server.
fn is_own(address: &str) -> bool {
    address.starts_with('/')
        && !address.starts_with("//")
        && !address
            .contains(|letter: char| letter == '\\' || letter == '#' || !letter.is_ascii_graphic())
}

fn keep(site: &Site, sent: &Sent, key: i64) -> Result<Result<Passage, Refusal>, SiteError> {
    // Rows are numbered anew when a document comes again, and what a person said must not fall on
    // another passage.
    let Some(shown) = sent.filled("passage") else { return Ok(Err(Refusal::Gone)) };
    let read = site.reading(|store| match feed::one(store, key)? {
        Some(passage) if passage.fingerprint == shown => said(store, site.daemon(), sent, &passage),
        _ => Ok(Err(Refusal::Gone)),
    })?;
    let said = match read {
        Ok(said) => said,
        Err(refusal) => return Ok(Err(refusal)),
    };
    for (field, most) in [("note", MOST_NOTE), ("person", MOST_NAME)] {
        let found = sent.get(field).map_or(0, |value| value.chars().count());
        if found > most {
            return Ok(Err(Refusal::Long { field, found, most }));
        }
    }
    let done = site.writing(|store| {
        said.iter().try_for_each(|correction| {
            // Looked at again where it is written: the document may come in between.
            let (person, note) = (sent.filled("person"), sent.filled("note"));
            store.correct(key, Some(shown), correction, person, note)
        })
    })?;
    match done {
        Ok(()) => {}
        Err(CorrectionError::NoPassage { .. } | CorrectionError::Changed { .. }) => {
            return Ok(Err(Refusal::Gone));
        }
        Err(error) => return Ok(Err(error.into())),
    }
    let passage = site.reading(|store| feed::one(store, key))?;
    Ok(passage.ok_or(Refusal::Gone))
}

/// What is said of a passage; at least one thing.
fn said(
    store: &Store,
    daemon: &dyn Daemon,
    sent: &Sent,
    passage: &Passage,
) -> Result<Result<Vec<Correction>, Refusal>, standpoint_store::Error> {
    if let Some(verdict) = sent.get("verdict") {
        let verdict = match verdict {
            "accepted" => Some(Verdict::Accepted),
            "rejected" => Some(Verdict::Rejected),
            "" => None,
            other => return Ok(Err(Refusal::Verdict(other.chars().take(60).collect()))),
        };
        return Ok(Ok(vec![Correction::Verdict(verdict)]));
    }
    if sent.get("undo").is_some() {
        let nothing = [Correction::Holder(None), Correction::Actor(None), Correction::Score(None)];
        return Ok(Ok(nothing.into()));
    }
    let mut said = Vec::new();
    if let Some(called) = sent.filled("holder") {
        let given = Holder { id: called.to_owned(), name: None };
        let holder = match holder(store, daemon, passage, given)? {
            Ok(holder) => holder,
            Err(refusal) => return Ok(Err(refusal)),
        };
        if holder.id != passage.who {
            said.push(match sent.get("scope") {
                Some("document") => Correction::Actor(Some(holder)),
                _ => Correction::Holder(Some(holder)),
            });
        }
    }
    if let Some(typed) = sent.filled("score") {
        let Some(number) = number(typed) else {
            return Ok(Err(Refusal::Score(typed.chars().take(60).collect())));
        };
        if SAME < (number - rounded(passage.score)).abs() {
            said.push(Correction::Score(Some(number)));
        }
    }
    Ok(if said.is_empty() { Err(Refusal::Nothing) } else { Ok(said) })
}

/// A score that was typed, -1 to 1: a minus as it is printed, and a comma as some write it, are
/// meant well.
fn number(typed: &str) -> Option<f64> {
    let number = typed.replace('\u{2212}', "-").replace(',', ".").parse().ok()?;
    (-1.0..=1.0).contains(&number).then_some(number)
}

/// How alike a name must be to another, 0 to 1, to be taken for a slip of the pen.
const ALIKE: f64 = 0.8;

/// The most names that one is compared with.
const MOST_NAMES: usize = 1000;

/// What a program says, with whoever is meant in the place of whomever it names: as a form has it.
///
/// - `key`: the row of the passage, and `shown` what came with it. Where it is another one by now,
///   the store refuses what is left as it is.
pub(crate) fn meant(
    store: &Store,
    daemon: &dyn Daemon,
    key: i64,
    shown: &str,
    said: Correction,
) -> Result<Result<Correction, Refusal>, standpoint_store::Error> {
    let (given, correct): (_, fn(Option<Holder>) -> Correction) = match said {
        Correction::Holder(Some(given)) => (given, Correction::Holder),
        Correction::Actor(Some(given)) => (given, Correction::Actor),
        said => return Ok(Ok(said)),
    };
    Ok(match feed::one(store, key)? {
        Some(passage) if passage.fingerprint == shown => {
            holder(store, daemon, &passage, given)?.map(|holder| correct(Some(holder)))
        }
        _ => Ok(correct(Some(given))),
    })
}

/// Who is meant: somebody whom the store knows by this id or name, else somebody new.
///
/// - `given`: an id or a name, and in a program's words a name beside it.
fn holder(
    store: &Store,
    daemon: &dyn Daemon,
    passage: &Passage,
    given: Holder,
) -> Result<Result<Holder, Refusal>, standpoint_store::Error> {
    let called = given.id.trim();
    if called.is_empty() || MOST_NAME < called.len() {
        // The store says what it expects.
        return Ok(Ok(given));
    }
    // Whom the tables know gives way to no name without an id, as a correction may have made of a
    // capital.
    let is_nobody = |id: &str| id.starts_with("name:") && id != called;
    let is_known = |id: &str| is_nobody(id) && daemon.called(called).is_some();
    let actor = names::holder_called(store, called)?;
    if let Some(id) = actor.filter(|who| !who.starts_with("author:") && !is_known(who)) {
        let name = Some(figures::name_of(store, &id)?);
        return Ok(Ok(Holder { id, name }));
    }
    // Who is named in the text may stand nowhere yet.
    let named = figures::named_in(store, &passage.document_id)?;
    let in_text = named.iter().find(|(id, name, _)| id == called || is_same_name(name, called));
    // A capital that is a place in the text stands for its state.
    let is_capital = |(id, _, kind): &&(String, String, String)| kind == "place" && is_known(id);
    if let Some((id, name, _)) = in_text.filter(|found| !is_capital(found)) {
        return Ok(Ok(Holder { id: id.clone(), name: Some(name.clone()) }));
    }
    if let Some(name) = figures::named_by(store, called)? {
        return Ok(Ok(Holder { id: called.to_owned(), name: Some(name) }));
    }
    // A state has the id that documents to come will give it.
    if let Some((id, name)) = state_called(called) {
        return Ok(Ok(Holder { id: id.to_owned(), name: Some(name.to_owned()) }));
    }
    if let Some((id, name)) = daemon.called(called) {
        return Ok(Ok(Holder { id, name: Some(name) }));
    }
    // An id as stages make them stands for itself.
    if called.contains(':') && !called.contains(char::is_whitespace) {
        return Ok(Ok(Holder { id: called.to_owned(), name: given.name }));
    }
    let mut known: Vec<_> = named.into_iter().map(|(id, name, _)| (id, name)).collect();
    known.extend(names::actors(store, "", MOST_NAMES)?);
    // As the stage that finds names makes it; a name without a letter stands for itself.
    let id = slug(called);
    let id = format!("name:{}", if id.is_empty() { called } else { &id });
    if let Some(known) = slip_of(given.name.as_deref(), called, &known) {
        return Ok(Err(Refusal::Misspelt {
            found: called.to_owned(),
            known: known.to_owned(),
            id,
        }));
    }
    Ok(Ok(match given.name {
        // Who gives both means both.
        Some(name) => Holder { id: called.to_owned(), name: Some(name) },
        None if is_of_state(called) => Holder { id: called.to_owned(), name: None },
        None => Holder { id, name: Some(called.to_owned()) },
    }))
}

/// Whether an id is of somebody who belongs to a state, such as `KAZ.TOKAYEV`.
fn is_of_state(called: &str) -> bool {
    let is_upper = |text: &str| text.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
    called.split_once('.').is_some_and(|(state, rest)| {
        let is_known = state_called(state).is_some_and(|(id, _)| id == state);
        is_known && !rest.is_empty() && is_upper(rest)
    })
}

/// Whose name or id was meant, if what is given is a slip of the pen.
///
/// - `name`: the name that is given besides what is looked for.
fn slip_of<'k>(name: Option<&str>, called: &str, known: &'k [(String, String)]) -> Option<&'k str> {
    let slip = known.iter().find(|(id, _)| name.is_none() && is_slip(called, id));
    if let Some((id, _)) = slip {
        return Some(id);
    }
    let small = name.unwrap_or(called).to_lowercase();
    let likeness =
        |name: &str| strsim::normalized_damerau_levenshtein(&small, &name.to_lowercase());
    let names = known.iter().map(|(_, name)| name.as_str());
    names
        .max_by(|one, other| likeness(one).total_cmp(&likeness(other)))
        .filter(|name| ALIKE <= likeness(name))
}

/// Whether an id has a letter more or less than another, or two of its letters exchanged. Another
/// letter makes another id: of Iran and Iraq only the last one differs.
fn is_slip(called: &str, id: &str) -> bool {
    let is_id = called.chars().all(|letter| letter.is_ascii_uppercase() || letter == '.');
    let sorted = |text: &str| {
        let mut letters: Vec<char> = text.chars().collect();
        letters.sort_unstable();
        letters
    };
    is_id
        && strsim::damerau_levenshtein(called, id) == 1
        && (called.len() != id.len() || sorted(called) == sorted(id))
}

/// The ids that a correction speaks of: who the pipeline said, and whom a person named.
pub(crate) fn named(correction: &KeptCorrection) -> impl Iterator<Item = String> {
    let holder = serde_json::from_str::<Holder>(&correction.value).ok();
    std::iter::once(correction.who.clone()).chain(holder.map(|holder| holder.id))
}

/// A correction in words.
///
/// - `name`: how somebody with this id is called.
pub(crate) fn told(correction: &KeptCorrection, name: impl Fn(&str) -> String) -> String {
    let value = &correction.value;
    let who = || match serde_json::from_str::<Holder>(value) {
        Ok(holder) => holder.name.unwrap_or_else(|| name(&holder.id)),
        Err(_) => value.clone(),
    };
    let told = match correction.field.as_str() {
        "score" => match value.parse() {
            Ok(score) => format!("score {}", signed(score)),
            Err(_) => format!("score {value}"),
        },
        "holder" => format!("{} stands there", who()),
        "actor" => format!("{} is meant in the whole document", who()),
        _ => value.clone(),
    };
    line(&told)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_in_an_id_is_told_from_another_id() {
        for (called, expected) in [
            ("KAZZ", true),
            ("KZ", true),
            ("KZA", true),
            ("KAS", false),
            ("KAZ", false),
            ("kazz", false),
            ("KAZ.X", false),
        ] {
            assert_eq!(is_slip(called, "KAZ"), expected, "{called}");
        }
    }

    #[test]
    fn a_form_leads_back_to_a_page_of_ours_only() {
        for address in ["/", "/evidence?verdict=none&target=RUS", "/documents/a%2F1%3F?target=RUS"]
        {
            assert!(is_own(address), "{address}");
        }
        for address in [
            "",
            "//evil.example",
            "https://evil.example",
            "/\\evil.example",
            "/a\r\nset-cookie: a",
            "/a b",
            "/a#b",
            "/\u{e9}",
        ] {
            assert!(!is_own(address), "{address:?}");
        }
    }
}
