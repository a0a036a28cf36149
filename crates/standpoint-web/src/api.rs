//! Everything that pages show, for programs: JSON below `/api/v1`.

use std::sync::Arc;

use http::{HeaderName, Method, StatusCode, header};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use standpoint_store::corrections::{self, Correction, CorrectionError};
use standpoint_store::filter::MOST_MATCHES;
use standpoint_store::{Filter, Store, documents, feed, figures, names, shifts};

use crate::address::{self, KNOWN, Known, MOST_ROWS, Query, decoded};
use crate::correct;
use crate::export::{self, Format};
use crate::login;
use crate::openapi;
use crate::overview::Overview;
use crate::reply::{Body, Reply, Request};
use crate::site::{Site, SiteError};
use crate::stranger::Stranger;

/// Rows of a list, unless told otherwise.
const ROWS: usize = 100;

/// A list with the place where it goes on.
#[derive(Debug, Serialize)]
struct Page<T> {
    rows: Vec<T>,
    /// What `after` must be to get the next rows; null at the end.
    next: Option<String>,
    /// Whether more documents hold the words than are looked at.
    truncated: bool,
}

/// A list that has no next page.
#[derive(Debug, Serialize)]
struct List<T> {
    rows: Vec<T>,
    /// Whether there is more: more rows than one answer has, or more documents that hold the words
    /// than are looked at.
    truncated: bool,
}

/// A list as an answer, cut where it is longer than one has.
///
/// - `are_words_cut`: whether more documents hold the words than are looked at.
fn list<T: Serialize>(mut rows: Vec<T>, are_words_cut: bool) -> Reply {
    let is_cut = rows.len() > MOST_ROWS;
    rows.truncate(MOST_ROWS);
    let list = List { rows, truncated: is_cut || are_words_cut };
    Reply::json(StatusCode::OK, &list).lacking(lacks(are_words_cut, is_cut.then_some(MOST_ROWS)))
}

/// One row more than a list has, so that it is seen to be cut.
const ONE_MORE: usize = MOST_ROWS + 1;

/// An overview, and whether it is of all that was asked for.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Figures {
    #[serde(flatten)]
    overview: Overview,
    /// Whether more documents hold the words than are looked at.
    truncated: bool,
}

/// Says what an answer lacks of what was asked for: `words=2500` where more documents hold the
/// words than are looked at, `rows=1000000` where there are more rows than one answer has, or both
/// with a comma between them.
pub(crate) const TRUNCATED: &str = "x-standpoint-truncated";

/// What an answer lacks; see [`TRUNCATED`].
fn lacks(are_words: bool, rows: Option<usize>) -> Option<String> {
    let words = are_words.then(|| format!("words={MOST_MATCHES}"));
    let parts: Vec<_> = words.into_iter().chain(rows.map(|rows| format!("rows={rows}"))).collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

impl Reply {
    fn lacking(self, what: Option<String>) -> Self {
        match what {
            Some(what) => self.with(HeaderName::from_static(TRUNCATED), what),
            None => self,
        }
    }
}

/// An actor to choose.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub(crate) struct Named {
    id: String,
    name: String,
}

/// What a person says of a passage.
#[derive(Debug, Deserialize)]
struct Said {
    #[serde(flatten)]
    correction: Correction,
    /// The one that came with the passage.
    fingerprint: Option<String>,
    person: Option<String>,
    note: Option<String>,
}

/// Reads what a person says. What else stands beside its fields is named: with `flatten` serde
/// would pass over it, and miss the field that was meant.
fn said(body: serde_json::Value) -> Result<Said, serde_json::Error> {
    const FIELDS: [&str; 5] = ["field", "value", "fingerprint", "person", "note"];
    let mut keys = body.as_object().into_iter().flatten().map(|(key, _)| key.as_str());
    if let Some(unknown) = keys.find(|key| !FIELDS.contains(key)) {
        return Err(serde::de::Error::unknown_field(unknown, &FIELDS));
    }
    serde_json::from_value(body)
}

/// What is taken back.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Undone {
    made_at: String,
}

/// Which file is tried again.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Again {
    file: String,
}

pub(crate) fn answer(site: &Arc<Site>, request: &Request) -> Result<Reply, SiteError> {
    let Some(path) = request.path.strip_prefix("/api/v1") else { return Ok(not_found()) };
    let path = path.trim_end_matches('/');
    if !login::is_reading(&request.method) {
        return change(site, request, path);
    }
    if is_for_changes(path) {
        return Ok(wrong_method("changes are sent with POST", "POST"));
    }
    let query = request.query.as_str();
    let checked = address::check(query, &known_at(path));
    if let Err(error) = checked.and_then(|()| address::check_days(query)) {
        return Ok(Reply::refusal(StatusCode::BAD_REQUEST, &error.to_string()));
    }
    if let Some(stranger) = Stranger::in_address(site, query)? {
        let told = site.reading(|store| stranger.told(store))?;
        return Ok(Reply::refusal(StatusCode::BAD_REQUEST, &told));
    }
    if let Some(id) = path.strip_prefix("/documents/").and_then(decoded) {
        let found = site.reading(|store| {
            let Some(kept) = documents::document(store, &id)? else { return Ok(None) };
            let passages = feed::of_document(store, &id)?;
            Ok(Some(json!({ "document": kept, "passages": passages })))
        })?;
        let missing = || Reply::refusal(StatusCode::NOT_FOUND, "there is no such document");
        return Ok(found.map_or_else(missing, |found| Reply::json(StatusCode::OK, &found)));
    }
    if let Some((name, format)) =
        path.rsplit_once('.').and_then(|(name, ending)| Some((name, Format::of(ending)?)))
    {
        return exported(site, name, format, query);
    }
    let rows = |limit: Option<usize>| limit.unwrap_or(ROWS).clamp(1, MOST_ROWS);
    let reply = match path {
        "" => Reply::json(StatusCode::OK, &openapi::index()),
        "/events" => {
            let reply = Reply::new(StatusCode::OK, "text/event-stream", "");
            Reply { body: Body::Events, ..reply }
        }
        "/status" => Reply::json(StatusCode::OK, &site.daemon().status()),
        "/quarantine" => match site.daemon().quarantine() {
            Ok(files) => list(files, false),
            Err(error) => Reply::refusal(StatusCode::SERVICE_UNAVAILABLE, &error),
        },
        "/targets" => list(site.reading(|store| site.targets(store))?, false),
        "/actors" => {
            let pairs = form_urlencoded::parse(query.as_bytes());
            let named = pairs.last().map(|(_, name)| name.into_owned()).unwrap_or_default();
            let actors = site.reading(|store| actors(site, store, &named))?.into_iter();
            list(actors.map(|(id, name)| Named { id, name }).collect(), false)
        }
        "/extent" => Reply::json(StatusCode::OK, &site.reading(figures::extent)?),
        "/makers" => list(site.reading(|store| figures::makers(store, ONE_MORE))?, false),
        "/corrections" => {
            list(site.reading(|store| corrections::corrections(store, ONE_MORE))?, false)
        }
        "/figures" => filtered(site, query, |store, query| {
            let ranking = figures::ranking(store, &query.filter)?;
            let overview = Overview::of(ranking, query.actors);
            Ok(Figures { overview, truncated: query.filter.is_cut })
        })?,
        "/shifts" => {
            let (rows, are_words_cut) = site.reading(|store| {
                let query = site.query(store, query)?;
                let rows = shifts::shifts(store, &query.filter, site.window(&query))?;
                Ok((rows, query.filter.is_cut))
            })?;
            list(rows, are_words_cut)
        }
        "/evidence" => filtered(site, query, |store, query| {
            let limit = rows(query.limit);
            let rows = feed::passages(store, &query.filter, query.after.as_deref(), limit)?;
            let next = rows.last().filter(|_| rows.len() == limit).map(|last| last.cursor.clone());
            Ok(Page { rows, next, truncated: query.filter.is_cut })
        })?,
        "/documents" => filtered(site, query, |store, query| {
            let limit = rows(query.limit);
            let rows = documents::documents(store, &query.filter, query.after.as_deref(), limit)?;
            let next = rows.last().filter(|_| rows.len() == limit).map(|last| last.cursor.clone());
            Ok(Page { rows, next, truncated: query.filter.is_cut })
        })?,
        _ => not_found(),
    };
    Ok(reply)
}

/// Actors to choose from: first whom the words mean by an id or a name, then those whose names have
/// them in them.
fn actors(
    site: &Site,
    store: &Store,
    named: &str,
) -> Result<Vec<(String, String)>, standpoint_store::Error> {
    let mut actors = names::actors(store, named, ONE_MORE)?;
    let meant = if named.is_empty() { None } else { site.holder_called(store, named)? };
    if let Some(who) = meant.filter(|who| !who.starts_with("author:")) {
        actors.retain(|(id, _)| *id != who);
        let name = figures::name_of(store, &who)?;
        actors.insert(0, (who, name));
    }
    Ok(actors)
}

/// The parameters that a path takes, with an example of each.
pub(crate) fn known_at(path: &str) -> Vec<Known> {
    let name = path.split_once('.').map_or(path, |(name, _)| name);
    if path == "/actors" {
        return vec![(
            "name",
            "An id or a name, whose actor comes first, or what names have in them, with accents or without.",
            "erdogan",
        )];
    }
    if !FILTERED.contains(&name) {
        return Vec::new();
    }
    // What is sent whole has no next page.
    let is_list = matches!(path, "/evidence" | "/documents");
    let mut known = KNOWN.to_vec();
    known.retain(|(key, ..)| is_list || !matches!(*key, "after" | "limit"));
    if path == "/evidence" {
        known.iter_mut().filter(|(key, ..)| *key == "after").for_each(|row| row.2 = PASSAGE_CURSOR);
    }
    known
}

/// Where a list of passages goes on: a day, a document's stance and a passage of it.
const PASSAGE_CURSOR: &str = "2024-05-01~17~2";

/// What takes a filter, as rows and as files.
pub(crate) const FILTERED: [&str; 4] = ["/figures", "/evidence", "/documents", "/shifts"];

/// What a filter lets through, with a header that says whether that is all.
fn filtered<T: Serialize>(
    site: &Site,
    query: &str,
    read: impl FnOnce(&Store, &Query) -> Result<T, standpoint_store::Error>,
) -> Result<Reply, SiteError> {
    let (found, is_cut) = site.reading(|store| {
        let query = site.query(store, query)?;
        Ok((read(store, &query)?, query.filter.is_cut))
    })?;
    Ok(Reply::json(StatusCode::OK, &found).lacking(lacks(is_cut, None)))
}

/// How many rows a file ends at although the filter lets more through.
fn cut_at(
    store: &Store,
    name: &str,
    filter: &Filter,
    most: usize,
) -> Result<Option<usize>, standpoint_store::Error> {
    let is_cut = match name {
        "/evidence" => feed::are_more_than(store, filter, most)?,
        "/documents" => documents::are_more_than(store, filter, most)?,
        _ => false,
    };
    Ok(is_cut.then_some(most))
}

fn not_found() -> Reply {
    Reply::refusal(StatusCode::NOT_FOUND, "there is nothing here; /api/v1 lists what there is")
}

/// Rows as a file, written while they are sent.
fn exported(site: &Arc<Site>, name: &str, format: Format, query: &str) -> Result<Reply, SiteError> {
    let is_known = matches!(
        (name, format),
        ("/evidence" | "/documents" | "/figures", _) | ("/corrections", Format::Jsonl)
    );
    if !is_known {
        return Ok(not_found());
    }
    if format == Format::Parquet && !export::WRITES_PARQUET {
        return Ok(Reply::refusal(StatusCode::NOT_IMPLEMENTED, export::NO_PARQUET));
    }
    // Found out before the first byte is sent.
    let most = site.most_rows();
    let (query, lacking) = site.reading(|store| {
        let query = site.query(store, query)?;
        let lacking = lacks(query.filter.is_cut, cut_at(store, name, &query.filter, most)?);
        Ok((query, lacking))
    })?;
    let (site, name) = (Arc::clone(site), name.to_owned());
    let file =
        format!("attachment; filename=\"{}.{}\"", name.trim_start_matches('/'), format.ending());
    let write = move |out: &mut dyn std::io::Write| {
        let filter = &query.filter;
        let done = site.reading(|store| {
            Ok(match name.as_str() {
                "/evidence" => export::passages(store, filter, most, format, out),
                "/documents" => export::documents(store, filter, most, format, out),
                "/figures" => {
                    let all = Overview::of(figures::ranking(store, filter)?, usize::MAX);
                    export::figures(&all, format, out)
                }
                _ => {
                    let rows = corrections::labelled(store)?;
                    rows.iter().try_for_each(|row| export::json_line(out, row))
                }
            })
        });
        done.map_err(std::io::Error::other)?
    };
    let reply = Reply::new(StatusCode::OK, format.media_type(), "");
    Ok(Reply { body: Body::Written(Box::new(write)), ..reply }
        .with(header::CONTENT_DISPOSITION, file)
        .lacking(lacking))
}

/// Whether something is changed at a path, and nothing is read.
fn is_for_changes(path: &str) -> bool {
    path == "/quarantine/replay"
        || correct::undone_of(path).is_some()
        || corrected_at(path).is_some()
}

/// The passage that a correction sent to a path is of.
fn corrected_at(path: &str) -> Option<i64> {
    path.strip_prefix("/evidence/")?.strip_suffix("/correction")?.parse().ok()
}

fn wrong_method(why: &str, allowed: &str) -> Reply {
    Reply::refusal(StatusCode::METHOD_NOT_ALLOWED, why).with(header::ALLOW, allowed.to_owned())
}

fn change(site: &Site, request: &Request, path: &str) -> Result<Reply, SiteError> {
    let wrong = |error: serde_json::Error| {
        let is_json = !error.is_syntax() && !error.is_eof();
        let what = if is_json { "" } else { "the body is not JSON: " };
        Reply::refusal(StatusCode::BAD_REQUEST, &format!("{what}{error}"))
    };
    if !is_for_changes(path) {
        let is_read = openapi::is_read(path);
        let wrong = || wrong_method("nothing is changed here, only read", "GET, HEAD");
        return Ok(if is_read { wrong() } else { not_found() });
    }
    if request.method != Method::POST {
        return Ok(wrong_method("changes are sent with POST", "POST"));
    }
    let is_json = request
        .headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|kind| {
            kind.split(';').next().unwrap_or_default().trim() == "application/json"
        });
    if !is_json {
        let why = "expected `Content-Type: application/json`";
        return Ok(Reply::refusal(StatusCode::UNSUPPORTED_MEDIA_TYPE, why));
    }
    if path == "/quarantine/replay" {
        let again: Again = match serde_json::from_slice(&request.body) {
            Ok(again) => again,
            Err(error) => return Ok(wrong(error)),
        };
        return Ok(match site.daemon().replay(&again.file) {
            Ok(()) => Reply::json(StatusCode::OK, &json!({ "file": again.file, "replayed": true })),
            Err(error) => Reply::refusal(StatusCode::CONFLICT, &error),
        });
    }
    if let Some(key) = correct::undone_of(path) {
        let undone: Undone = match serde_json::from_slice(&request.body) {
            Ok(undone) => undone,
            Err(error) => return Ok(wrong(error)),
        };
        return Ok(match correct::undo(site, key, &undone.made_at)? {
            Ok(()) => Reply::json(StatusCode::OK, &json!({ "key": key, "undone": true })),
            Err(refusal) => Reply::refusal(refusal.status(), &refusal.to_string()),
        });
    }
    let Some(key) = corrected_at(path) else { return Ok(not_found()) };
    let said = serde_json::from_slice(&request.body).and_then(said);
    let said: Said = match said {
        Ok(said) => said,
        Err(error) => return Ok(wrong(error)),
    };
    let Some(shown) = said.fingerprint.as_deref() else {
        let why = "expected `fingerprint`: send the one that came with the passage, so that nothing \
                   is said of another one";
        return Ok(Reply::refusal(StatusCode::PRECONDITION_REQUIRED, why));
    };
    let (person, note) = (said.person.as_deref(), said.note.as_deref());
    let correction = match site
        .reading(|store| correct::meant(store, site.daemon(), key, shown, said.correction))?
    {
        Ok(correction) => correction,
        Err(refusal) => return Ok(Reply::refusal(refusal.status(), &refusal.to_string())),
    };
    let done = site.writing(|store| store.correct(key, Some(shown), &correction, person, note))?;
    Ok(match done {
        Ok(()) => {
            let changed = site.reading(|store| feed::one(store, key))?;
            changed.map_or_else(not_found, |changed| Reply::json(StatusCode::OK, &changed))
        }
        Err(error @ CorrectionError::NoPassage { .. }) => {
            Reply::refusal(StatusCode::NOT_FOUND, &error.to_string())
        }
        Err(error @ CorrectionError::Changed { .. }) => {
            Reply::refusal(StatusCode::CONFLICT, &error.to_string())
        }
        Err(
            error @ (CorrectionError::Value { .. }
            | CorrectionError::Same
            | CorrectionError::Target { .. }),
        ) => Reply::refusal(StatusCode::UNPROCESSABLE_ENTITY, &error.to_string()),
        Err(error) => Reply::refusal(StatusCode::SERVICE_UNAVAILABLE, &error.to_string()),
    })
}
