//! Documents: a table of them, and one with all that is kept of it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::base::{self, Row, values};
use crate::filter::{Conditions, Filter};
use crate::record::{Mention, Sentence, StageRun, Tone};
use crate::schema::Store;

/// A document in a table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Listed {
    /// Its id.
    pub id: String,
    /// Its title.
    pub title: Option<String>,
    /// Its source.
    pub source: String,
    /// The path below the source.
    pub path: Option<String>,
    /// The day of publication.
    pub day: Option<String>,
    /// Who wrote it.
    pub author: Option<String>,
    /// ISO 639-1 code.
    pub language: Option<String>,
    /// `complete` or `partial`.
    pub status: String,
    /// How it sounds, -1 to 1.
    pub tone: Option<f64>,
    /// How many stances toward the target it shows.
    pub stances: i64,
    /// Documents that are copies of its story, itself among them.
    pub copies: i64,
    /// Where the next page begins behind it.
    pub cursor: String,
}

/// Documents that the filter lets through, the latest first.
///
/// # Errors
///
/// When the store cannot be read.
pub fn documents(
    store: &Store,
    filter: &Filter,
    after: Option<&str>,
    most: usize,
) -> base::Result<Vec<Listed>> {
    let mut documents = Vec::new();
    each(store, filter, after, most, |document| {
        documents.push(document);
        true
    })?;
    Ok(documents)
}

/// Gives documents one by one to `take`, until it says no.
///
/// # Errors
///
/// When the store cannot be read.
pub fn each(
    store: &Store,
    filter: &Filter,
    after: Option<&str>,
    most: usize,
    mut take: impl FnMut(Listed) -> bool,
) -> base::Result<()> {
    in_pages(
        store,
        after,
        most,
        &mut take,
        |document| &document.cursor,
        |after, most, take| {
            match after.and_then(read_cursor) {
                Some((day, key)) if !day.is_empty() => {
                    let values = [day.clone().into(), day.into(), key.into()];
                    let behind = ("d.day <= ? AND (d.day, d.key) < (?, ?)", &values[..]);
                    if each_where(store, filter, most, behind, take)? {
                        each_where(store, filter, most, ("d.day IS NULL", &[]), take)?;
                    }
                }
                Some((_, key)) => {
                    let behind = ("d.day IS NULL AND d.key < ?", &[key.into()][..]);
                    each_where(store, filter, most, behind, take)?;
                }
                None => {
                    each_where(store, filter, most, ("TRUE", &[]), take)?;
                }
            }
            Ok(())
        },
    )
}

/// Gives rows one by one to `take`, until it says no or has had `most`.
///
/// - `cursor_of`: where the next page begins behind a row;
/// - `read`: gives the rows behind a cursor, at most so many.
pub(crate) fn in_pages<T>(
    store: &Store,
    after: Option<&str>,
    most: usize,
    take: &mut impl FnMut(T) -> bool,
    cursor_of: impl Fn(&T) -> &str,
    mut read: impl FnMut(Option<&str>, usize, &mut dyn FnMut(T) -> bool) -> base::Result<()>,
) -> base::Result<()> {
    let (mut left, mut is_wanted) = (most, true);
    let mut after = after.map(str::to_owned);
    while left > 0 && is_wanted {
        let page = left.min(store.base.page());
        let mut last = None;
        let mut found = 0;
        read(after.as_deref(), page, &mut |row| {
            found += 1;
            last = (found == page).then(|| cursor_of(&row).to_owned());
            is_wanted = take(row);
            is_wanted && found < page
        })?;
        left -= found;
        let Some(cursor) = last else { break };
        after = Some(cursor);
    }
    Ok(())
}

/// Gives documents for which `place` holds, too; whether `take` wants more than there are.
fn each_where(
    store: &Store,
    filter: &Filter,
    most: usize,
    place: (&str, &[base::Value<'static>]),
    take: &mut dyn FnMut(Listed) -> bool,
) -> base::Result<bool> {
    let filter = &*filter.looked_up(store)?;
    let mut conditions = conditions(filter, has_stance(store, filter)?);
    conditions.add_all(place.0, place.1);
    let sql = format!(
        "SELECT d.key, d.id, d.title, d.source, d.path, d.day, d.author, d.language, d.status,
            d.sentiment_score,
            (SELECT count(*) FROM stance AS s
             WHERE s.document = d.key AND s.target_id = ? AND s.is_shown),
            (SELECT count(*) FROM document AS copy WHERE copy.story = d.story)
         FROM document AS d WHERE {} ORDER BY d.day DESC NULLS LAST, d.key DESC LIMIT {most}",
        conditions.sql()
    );
    let mut values = vec![filter.target.clone().into()];
    values.append(&mut conditions.values);
    store.base.each(&sql, &values, |row| Ok(take(listed(row)?)))
}

fn listed(row: &Row<'_>) -> base::Result<Listed> {
    let (key, day): (i64, Option<String>) = (row.get(0)?, row.get(5)?);
    Ok(Listed {
        id: row.get(1)?,
        title: row.get(2)?,
        source: row.get(3)?,
        path: row.get(4)?,
        author: row.get(6)?,
        language: row.get(7)?,
        status: row.get(8)?,
        tone: row.get(9)?,
        stances: row.get(10)?,
        copies: row.get(11)?,
        cursor: format!("{}~{key}", day.as_deref().unwrap_or_default()),
        day,
    })
}

/// Whether the filter lets more than `most` documents through.
///
/// # Errors
///
/// When the store cannot be read.
pub fn are_more_than(store: &Store, filter: &Filter, most: usize) -> base::Result<bool> {
    Ok(usize::try_from(count(store, filter)?).is_ok_and(|found| found > most))
}

/// How many documents the filter lets through.
///
/// # Errors
///
/// When the store cannot be read.
pub fn count(store: &Store, filter: &Filter) -> base::Result<i64> {
    let filter = filter.looked_up(store)?;
    let conditions = conditions(&filter, HAS_STANCE_OF_ALL);
    let sql = format!("SELECT count(*) FROM document AS d WHERE {}", conditions.sql());
    store.base.number(&sql, &conditions.values)
}

/// Whether more documents hold the filter's words than the latest
/// [`MOST_MATCHES`](crate::filter::MOST_MATCHES), which are looked at.
///
/// # Errors
///
/// When the store cannot be read.
pub fn are_words_too_common(store: &Store, filter: &Filter) -> base::Result<bool> {
    Ok(filter.looked_up(store)?.is_cut)
}

/// Somebody's stance in a document, looked for in one document after the other.
const HAS_STANCE: &str = "EXISTS (SELECT 1 FROM stance AS s WHERE s.document = d.key
    AND s.target_id = ? AND s.who = ? AND s.is_shown)";

/// The same, looked for once for all documents.
const HAS_STANCE_OF_ALL: &str = "d.key IN (SELECT s.document FROM stance AS s
    WHERE s.target_id = ? AND s.who = ? AND s.is_shown)";

/// How to look for documents of which the first few are wanted: one by one where many of them fit.
fn has_stance(store: &Store, filter: &Filter) -> base::Result<&'static str> {
    let Some(who) = &filter.who else { return Ok(HAS_STANCE) };
    let sql = "SELECT count(*) FROM (SELECT 1 FROM stance AS s INDEXED BY stance_by_who
        WHERE s.target_id = ? AND s.who = ? AND s.is_shown LIMIT 5000) AS few";
    let found = store.base.number(sql, &values![&filter.target, who])?;
    Ok(if found < 5000 { HAS_STANCE_OF_ALL } else { HAS_STANCE })
}

/// A document without a stance toward the target is a document too, unless somebody's is asked for.
fn conditions(filter: &Filter, has_stance: &str) -> Conditions {
    let mut conditions = filter.of_documents("d.");
    filter.add_words(&mut conditions, "d.key");
    if let Some(who) = &filter.who {
        conditions.add(has_stance, [filter.target.clone().into(), who.clone().into()]);
    }
    conditions
}

fn read_cursor(cursor: &str) -> Option<(String, i64)> {
    let (day, key) = cursor.split_once('~')?;
    Some((day.to_owned(), key.parse().ok()?))
}

/// A document with all that is kept of it but its passages, which [`feed`](crate::feed) gives.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Kept {
    /// Its id.
    pub id: String,
    /// Its title.
    pub title: Option<String>,
    /// Its source: the outlet that it names, else the source that it was read from.
    pub source: String,
    /// The source of the pipeline that it was read from.
    pub read_from: String,
    /// The path below that.
    pub path: Option<String>,
    /// The id that the input gave.
    pub source_id: Option<String>,
    /// When it was published, as it said.
    pub published: Option<String>,
    /// Who wrote it.
    pub author: Option<String>,
    /// ISO 639-1 code.
    pub language: Option<String>,
    /// `complete` or `partial`.
    pub status: String,
    /// What was skipped and why.
    pub notes: Vec<String>,
    /// What stages of others said.
    pub attributes: Value,
    /// The whole text.
    pub text: String,
    /// How it sounds.
    pub sentiment: Option<Tone>,
    /// Its sentences.
    pub sentences: Vec<Sentence>,
    /// Who and what is named in it.
    pub mentions: Vec<Mention>,
    /// Who stands where in it.
    pub stances: Vec<Standing>,
    /// The other documents of its story: id, source, title.
    pub copies: Vec<(String, String, Option<String>)>,
    /// The program's version.
    pub standpoint: String,
    /// The pipeline's name and hash.
    pub pipeline: String,
    /// The stages that it went through.
    pub stages: Vec<StageRun>,
    /// When it was put into the store.
    pub stored_at: String,
    /// What other versions of the stages changed in it, the latest first.
    pub revisions: Vec<Revision>,
}

/// A stance in one document.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Standing {
    /// An actor's id, or `author:` and a name.
    pub who: String,
    /// The name to show.
    pub name: String,
    /// Toward whom, an id.
    pub target_id: String,
    /// The target's name.
    pub target_name: String,
    /// In three.
    pub label: String,
    /// In five.
    pub degree: String,
    /// -1 to 1, after people's corrections.
    pub score: f64,
    /// 0 to 1.
    pub confidence: f64,
    /// What the pipeline said; `None` for a stance that a person gave.
    pub said_score: Option<f64>,
    /// Whether anything is left of it after people's corrections.
    pub is_shown: bool,
}

/// What another version of the stages changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Revision {
    /// When.
    pub made_at: String,
    /// The stages before.
    pub before: Vec<StageRun>,
    /// The stages after.
    pub after: Vec<StageRun>,
    /// What changed, as `standpoint reprocess` tells it.
    pub changes: Value,
}

/// A document by its id; `None` if there is none.
///
/// # Errors
///
/// When the store cannot be read.
pub fn document(store: &Store, id: &str) -> base::Result<Option<Kept>> {
    let sql = "SELECT d.key, d.id, d.title, d.source, d.path, d.source_id, d.published, d.author,
            d.language, d.status, d.notes, d.attributes, d.text, d.sentiment_label,
            d.sentiment_score, d.sentiment_confidence, d.standpoint, d.pipeline, d.stages,
            d.stored_at, l.sentences, l.mentions, d.story, coalesce(d.read_from, d.source)
         FROM document AS d LEFT JOIN document_layer AS l ON l.document = d.key WHERE d.id = ?";
    store.base.row(sql, &values![id], |row| kept(store, row))
}

fn kept(store: &Store, row: &Row<'_>) -> base::Result<Kept> {
    let (key, story_key): (i64, i64) = (row.get(0)?, row.get(22)?);
    let id: String = row.get(1)?;
    let tone = row.get::<Option<String>>(13)?;
    let sentiment = tone
        .map(|label| -> base::Result<Tone> {
            Ok(Tone { label, score: row.get(14)?, confidence: row.get(15)? })
        })
        .transpose()?;
    Ok(Kept {
        title: row.get(2)?,
        source: row.get(3)?,
        read_from: row.get(23)?,
        path: row.get(4)?,
        source_id: row.get(5)?,
        published: row.get(6)?,
        author: row.get(7)?,
        language: row.get(8)?,
        status: row.get(9)?,
        notes: json(row, 10)?,
        attributes: json(row, 11)?,
        text: row.get(12)?,
        sentiment,
        sentences: json(row, 20)?,
        mentions: json(row, 21)?,
        stances: standings(store, key)?,
        copies: copies(store, key, story_key)?,
        standpoint: row.get(16)?,
        pipeline: row.get(17)?,
        stages: json(row, 18)?,
        stored_at: row.get(19)?,
        revisions: revisions(store, &id)?,
        id,
    })
}

/// What we wrote as JSON; nothing where a version before wrote nothing.
fn json<T: serde::de::DeserializeOwned + Default>(row: &Row<'_>, column: usize) -> base::Result<T> {
    let text: Option<String> = row.get(column)?;
    Ok(text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default())
}

fn standings(store: &Store, key: i64) -> base::Result<Vec<Standing>> {
    let sql =
        "SELECT s.who, coalesce(a.name, s.actor_name, s.who), s.target_id, s.target_name, s.label,
            s.degree, s.score, s.confidence, CASE WHEN s.origin = 'pipeline' THEN s.said_score END,
            s.is_shown
         FROM stance AS s LEFT JOIN actor AS a ON a.who = s.who
         WHERE s.document = ? ORDER BY s.target_id, s.score, s.who";
    store.base.rows(sql, &values![key], |row| {
        Ok(Standing {
            who: row.get(0)?,
            name: row.get(1)?,
            target_id: row.get(2)?,
            target_name: row.get(3)?,
            label: row.get(4)?,
            degree: row.get(5)?,
            score: row.get(6)?,
            confidence: row.get(7)?,
            said_score: row.get(8)?,
            is_shown: row.get(9)?,
        })
    })
}

fn copies(
    store: &Store,
    key: i64,
    story_key: i64,
) -> base::Result<Vec<(String, String, Option<String>)>> {
    let sql =
        "SELECT id, source, title FROM document WHERE story = ? AND key <> ? ORDER BY key LIMIT 50";
    store
        .base
        .rows(sql, &values![story_key, key], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
}

fn revisions(store: &Store, id: &str) -> base::Result<Vec<Revision>> {
    let sql =
        "SELECT made_at, stages_before, stages_after, changes FROM revision WHERE document_id = ?
         ORDER BY key DESC LIMIT 20";
    store.base.rows(sql, &values![id], |row| {
        Ok(Revision {
            made_at: row.get(0)?,
            before: json(row, 1)?,
            after: json(row, 2)?,
            changes: json(row, 3)?,
        })
    })
}

/// The ids of documents, in the order in which they came.
///
/// # Errors
///
/// When the store cannot be read.
pub fn ids(store: &Store) -> base::Result<Vec<String>> {
    store.base.rows("SELECT id FROM document ORDER BY key", &[], |row| row.get(0))
}
