//! What people said of passages: kept under the document's id, applied whenever it comes.
//!
//! Rows keep what the pipeline said beside what stands now, so that every correction can be taken
//! back. A stance with a corrected passage is summed up again from those that are left.

use rusqlite::{Connection, OptionalExtension, TransactionBehavior, named_params, params};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::figures::{degree, label};
use crate::schema::Store;
use crate::write::promote;

/// What a person says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "field", content = "value", rename_all = "snake_case")]
pub enum Correction {
    /// Whether a passage shows what it is said to show; `null` takes a verdict back.
    Verdict(Option<Verdict>),
    /// What a passage says, -1 to 1; `null` takes a correction back.
    Score(Option<f64>),
    /// Who holds the stance in a passage; `null` takes a correction back.
    Holder(Option<Holder>),
    /// Who is meant by all that the document says of this passage's holder, where a name was
    /// taken for somebody else's; `null` takes a correction back.
    Actor(Option<Holder>),
}

/// Whether a passage shows what it is said to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It does.
    Accepted,
    /// It does not, and counts no more.
    Rejected,
}

/// Somebody who can hold a stance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Holder {
    /// The entity's id, such as `KAZ`.
    pub id: String,
    /// The name to show; the one that is known if left out.
    #[serde(default)]
    pub name: Option<String>,
}

/// A correction that is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct KeptCorrection {
    /// The document's id.
    pub document_id: String,
    /// Toward whom, an id.
    pub target_id: String,
    /// Who the pipeline said holds the stance.
    pub who: String,
    /// The passage's first code point; -1 for all that a document says of an actor.
    pub start: i64,
    /// The one behind its last.
    pub end: i64,
    /// `verdict`, `score`, `holder` or `actor`.
    pub field: String,
    /// What the person said.
    pub value: String,
    /// The passage.
    pub passage: String,
    /// Who said it.
    pub person: Option<String>,
    /// Why.
    pub note: Option<String>,
    /// When.
    pub made_at: String,
}

/// A passage with the right answer, for those who train and measure.
///
/// `standpoint evaluate` reads it as probes of the capability `correction`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Labelled {
    /// Always `correction`.
    pub capability: String,
    /// Says which passage: the document's id and the passage's place in it.
    pub id: String,
    /// The passage.
    pub text: String,
    /// The document's author.
    pub author: Option<String>,
    /// Toward whom, a name.
    pub target: String,
    /// Who stands there: an actor's id, or `author`.
    pub holder: String,
    /// `opposed`, `neutral` or `supportive`; a passage that was rejected shows nothing of its
    /// holder and is `neutral`.
    pub label: String,
    /// -1 to 1, where it is known.
    pub score: Option<f64>,
    /// What the pipeline had said: who and which score.
    pub said: Said,
    /// Who said otherwise, or the same.
    pub person: Option<String>,
}

/// What the pipeline said of a passage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Said {
    /// Who stands there.
    pub holder: String,
    /// -1 to 1.
    pub score: f64,
}

/// Why a correction could not be kept.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CorrectionError {
    /// There is no such passage.
    #[error(
        "there is no passage {key}; the document may have come again since the page was shown: load it again"
    )]
    NoPassage {
        /// Which was named.
        key: i64,
    },
    /// A value off its scale.
    #[error("found {found}, expected {expected}")]
    Value {
        /// What was given.
        found: String,
        /// What can be.
        expected: &'static str,
    },
    /// The store refuses.
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
}

impl Store {
    /// Keeps what a person says of a passage, and lets the figures follow, in the document and in
    /// the copies of its story.
    ///
    /// - `passage`: the row's key, as [`feed`](crate::feed) gives it.
    ///
    /// # Errors
    ///
    /// [`CorrectionError`]; nothing is changed then.
    pub fn correct(
        &mut self,
        passage: i64,
        correction: &Correction,
        person: Option<&str>,
        note: Option<&str>,
    ) -> Result<(), CorrectionError> {
        check(correction)?;
        let transaction =
            self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let place =
            place_of(&transaction, passage)?.ok_or(CorrectionError::NoPassage { key: passage })?;
        keep(&transaction, &place, correction, person, note)?;
        for document in documents_of(&transaction, place.story)? {
            apply(&transaction, document)?;
        }
        promote(&transaction, place.story)?;
        transaction.commit()?;
        Ok(())
    }
}

fn check(correction: &Correction) -> Result<(), CorrectionError> {
    match correction {
        Correction::Score(Some(score)) if !(-1.0..=1.0).contains(score) => {
            let expected = "a score of -1 (opposed) to 1 (supportive)";
            Err(CorrectionError::Value { found: score.to_string(), expected })
        }
        Correction::Holder(Some(holder)) | Correction::Actor(Some(holder))
            if holder.id.trim().is_empty() || holder.id.len() > 200 =>
        {
            let expected = "an actor's id such as `KAZ`, `KAZ.TOKAYEV` or `name:acme`";
            Err(CorrectionError::Value { found: format!("`{}`", holder.id), expected })
        }
        _ => Ok(()),
    }
}

/// Where a passage stands, as the pipeline said.
struct Place {
    document_id: String,
    story: i64,
    target_id: String,
    who: String,
    start: i64,
    end: i64,
    text: String,
}

fn place_of(connection: &Connection, key: i64) -> rusqlite::Result<Option<Place>> {
    // A holder that a person corrected has a row of its own; the passage remembers the first.
    let sql = "SELECT d.id, d.story, s.target_id, coalesce(b.who, s.who), e.start_offset,
            e.end_offset, e.text
        FROM evidence_row AS e JOIN stance AS s ON s.key = e.said_stance
        JOIN document AS d ON d.key = s.document
        LEFT JOIN stance AS b ON b.key = e.said_stance
        WHERE e.key = ?";
    let place = connection.query_row(sql, [key], |row| {
        Ok(Place {
            document_id: row.get(0)?,
            story: row.get(1)?,
            target_id: row.get(2)?,
            who: row.get(3)?,
            start: row.get(4)?,
            end: row.get(5)?,
            text: row.get(6)?,
        })
    });
    place.optional()
}

fn keep(
    connection: &Connection,
    place: &Place,
    correction: &Correction,
    person: Option<&str>,
    note: Option<&str>,
) -> rusqlite::Result<()> {
    let of_holder = |holder: &Holder| serde_json::json!(holder).to_string();
    let (field, value) = match correction {
        Correction::Verdict(verdict) => (
            "verdict",
            verdict.map(|verdict| match verdict {
                Verdict::Accepted => "accepted".to_owned(),
                Verdict::Rejected => "rejected".to_owned(),
            }),
        ),
        Correction::Score(score) => ("score", score.map(|score| score.to_string())),
        Correction::Holder(holder) => ("holder", holder.as_ref().map(of_holder)),
        Correction::Actor(holder) => ("actor", holder.as_ref().map(of_holder)),
    };
    // An actor is corrected in the whole document.
    let (start, end) = if field == "actor" { (-1, -1) } else { (place.start, place.end) };
    // Said of a copy, it is said of the story: no second word may stand against it.
    connection.execute(
        "DELETE FROM correction WHERE target_id = :target AND who = :who AND field = :field
             AND (document_id = :id AND start_offset = :start AND end_offset = :end
                  OR :start >= 0 AND passage = :passage AND document_id IN
                      (SELECT id FROM document WHERE story = :story))",
        named_params! {
            ":id": place.document_id, ":target": place.target_id, ":who": place.who,
            ":start": start, ":end": end, ":field": field, ":passage": place.text,
            ":story": place.story,
        },
    )?;
    if let Some(value) = value {
        connection.execute(
            "INSERT INTO correction (document_id, target_id, who, start_offset, end_offset, field,
                value, passage, person, note)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            params![
                place.document_id,
                place.target_id,
                place.who,
                start,
                end,
                field,
                value,
                place.text,
                person,
                note
            ],
        )?;
    }
    Ok(())
}

pub(crate) fn documents_of(connection: &Connection, story: i64) -> rusqlite::Result<Vec<i64>> {
    let mut statement = connection.prepare_cached("SELECT key FROM document WHERE story = ?")?;
    let rows = statement.query_map([story], |row| row.get(0))?;
    rows.collect()
}

/// Brings a document's rows to what people said of it and of its copies.
pub(crate) fn apply(connection: &Connection, document: i64) -> rusqlite::Result<()> {
    let corrections = corrections_of(connection, document)?;
    let was_corrected = "SELECT EXISTS (SELECT 1 FROM stance AS s WHERE s.document = ?1 AND
        (s.origin = 'person' OR s.is_shown = 0 OR EXISTS (SELECT 1 FROM evidence_row AS e
            WHERE e.stance = s.key AND (e.verdict IS NOT NULL OR e.score <> e.said_score))))";
    let was_corrected: bool =
        connection.prepare_cached(was_corrected)?.query_row([document], |row| row.get(0))?;
    if corrections.is_empty() && !was_corrected {
        return Ok(());
    }
    reset(connection, document)?;
    for correction in &corrections {
        match correction.field.as_str() {
            "actor" => move_actor(connection, document, correction)?,
            "holder" => move_passages(connection, document, correction)?,
            "score" => mark(connection, document, correction, "score = CAST(:value AS REAL)")?,
            _ => mark(connection, document, correction, "verdict = :value")?,
        }
    }
    if !corrections.is_empty() {
        sum_up(connection, document)?;
    }
    Ok(())
}

/// A correction as it is applied.
struct Applied {
    document_id: String,
    target_id: String,
    who: String,
    start: i64,
    end: i64,
    field: String,
    value: String,
    passage: String,
}

fn corrections_of(connection: &Connection, document: i64) -> rusqlite::Result<Vec<Applied>> {
    // Actors first: they move whole stances, and what is said of single passages has the last word.
    let mut statement = connection.prepare_cached(
        "SELECT c.document_id, c.target_id, c.who, c.start_offset, c.end_offset, c.field, c.value,
            c.passage
         FROM document AS own JOIN document AS d ON d.story = own.story
         JOIN correction AS c ON c.document_id = d.id
         WHERE own.key = ? ORDER BY c.field = 'actor' DESC, c.key",
    )?;
    let rows = statement.query_map([document], |row| {
        Ok(Applied {
            document_id: row.get(0)?,
            target_id: row.get(1)?,
            who: row.get(2)?,
            start: row.get(3)?,
            end: row.get(4)?,
            field: row.get(5)?,
            value: row.get(6)?,
            passage: row.get(7)?,
        })
    })?;
    rows.collect()
}

/// Takes everything back to what the pipeline said.
fn reset(connection: &Connection, document: i64) -> rusqlite::Result<()> {
    let statements = [
        "UPDATE evidence_row SET stance = said_stance, score = said_score,
             is_counter = said_counter, verdict = NULL
         WHERE stance IN (SELECT key FROM stance WHERE document = ?)",
        "DELETE FROM stance WHERE document = ? AND origin = 'person'",
        "UPDATE stance SET score = said_score, confidence = said_confidence, is_shown = 1,
             pieces = (SELECT count(*) FROM evidence_row AS e
                       WHERE e.stance = stance.key AND NOT e.is_counter)
         WHERE document = ?",
    ];
    for sql in statements {
        connection.prepare_cached(sql)?.execute([document])?;
    }
    relabel(connection, document)
}

/// The rows that a correction is about: at its place in its own document, by its words in copies.
const ROWS: &str = "said_stance IN (SELECT key FROM stance WHERE document = :document
        AND target_id = :target AND who = :who AND origin = 'pipeline')
    AND (start_offset = :start AND end_offset = :end
            AND EXISTS (SELECT 1 FROM document WHERE key = :document AND id = :id)
        OR text = :passage)";

fn mark(
    connection: &Connection,
    document: i64,
    correction: &Applied,
    what: &str,
) -> rusqlite::Result<()> {
    let sql = format!("UPDATE evidence_row SET {what} WHERE {ROWS}");
    connection.prepare_cached(&sql)?.execute(named_params! {
        ":value": correction.value, ":document": document, ":target": correction.target_id,
        ":who": correction.who, ":start": correction.start, ":end": correction.end,
        ":id": correction.document_id, ":passage": correction.passage,
    })?;
    Ok(())
}

fn move_passages(connection: &Connection, document: i64, c: &Applied) -> rusqlite::Result<()> {
    let Some(to) = stance_of(connection, document, c)? else { return Ok(()) };
    let sql = format!("UPDATE evidence_row SET stance = :value WHERE {ROWS}");
    connection.prepare_cached(&sql)?.execute(named_params! {
        ":value": to, ":document": document, ":target": c.target_id, ":who": c.who,
        ":start": c.start, ":end": c.end, ":id": c.document_id, ":passage": c.passage,
    })?;
    Ok(())
}

fn move_actor(connection: &Connection, document: i64, c: &Applied) -> rusqlite::Result<()> {
    let Some(to) = stance_of(connection, document, c)? else { return Ok(()) };
    connection
        .prepare_cached(
            "UPDATE evidence_row SET stance = ?1 WHERE stance IN (SELECT key FROM stance
                 WHERE document = ?2 AND target_id = ?3 AND who = ?4)",
        )?
        .execute(params![to, document, c.target_id, c.who])?;
    Ok(())
}

/// The row of the stance that passages are moved to; made if there is none. `None` where the
/// correction's value names nobody or the document has no such stance to begin with.
fn stance_of(
    connection: &Connection,
    document: i64,
    correction: &Applied,
) -> rusqlite::Result<Option<i64>> {
    let Ok(holder) = serde_json::from_str::<Holder>(&correction.value) else { return Ok(None) };
    let found = connection
        .prepare_cached("SELECT key FROM stance WHERE document = ? AND target_id = ? AND who = ?")?
        .query_row(params![document, correction.target_id, holder.id], |row| row.get(0))
        .optional()?;
    if found.is_some() {
        return Ok(found);
    }
    connection
        .prepare_cached(
            "INSERT INTO actor VALUES (?1, coalesce(?2, ?1), 'other', NULL)
             ON CONFLICT (who) DO NOTHING",
        )?
        .execute(params![holder.id, holder.name])?;
    // Hidden until it is summed up.
    connection
        .prepare_cached(
            "INSERT INTO stance (document, day, target_id, target_name, holder, actor_id,
                actor_name, kind, country, label, degree, score, confidence, source, who, story,
                origin, is_shown)
             SELECT d.key, d.day, t.id, t.name, 'actor', a.who, a.name, a.kind, a.country,
                'neutral', 'neutral', 0, 0, d.source, a.who, d.story, 'person', 0
             FROM document AS d, target AS t, actor AS a
             WHERE d.key = ?1 AND t.id = ?2 AND a.who = ?3
             RETURNING key",
        )?
        .query_row(params![document, correction.target_id, holder.id], |row| row.get(0))
        .optional()
}

/// A passage as it counts into a sum.
struct Weighed {
    key: i64,
    score: f64,
    confidence: f64,
    is_past: bool,
    factor: f64,
    is_corrected: bool,
}

/// Sums up the stances whose passages people have said something of.
fn sum_up(connection: &Connection, document: i64) -> rusqlite::Result<()> {
    let mut stances = connection.prepare_cached(
        "SELECT s.key, s.origin = 'person', (SELECT count(*) FROM evidence_row AS e
            WHERE e.said_stance = s.key AND e.stance <> s.key) FROM stance AS s
         WHERE s.document = ?",
    )?;
    let stances: Vec<(i64, bool, i64)> = stances
        .query_map([document], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
        .collect::<Result<_, _>>()?;
    for (stance, is_new, lost) in stances {
        let mut pieces = connection.prepare_cached(
            "SELECT key, score, confidence, time, voice, verdict, said_stance <> stance
                OR score <> said_score FROM evidence_row WHERE stance = ?",
        )?;
        let mut is_corrected = is_new || lost > 0;
        let mut left = Vec::new();
        let mut rows = pieces.query([stance])?;
        while let Some(row) = rows.next()? {
            let (time, voice): (String, String) = (row.get(3)?, row.get(4)?);
            let verdict: Option<String> = row.get(5)?;
            let is_changed: bool = row.get(6)?;
            is_corrected |= verdict.is_some() || is_changed;
            if verdict.as_deref() == Some("rejected") {
                continue;
            }
            left.push(Weighed {
                key: row.get(0)?,
                score: row.get(1)?,
                // A person's word is sure.
                confidence: if verdict.is_some() || is_changed { 1.0 } else { row.get(2)? },
                is_past: time == "past",
                factor: factor(&time, &voice),
                is_corrected: verdict.is_some() || is_changed,
            });
        }
        drop(rows);
        if is_corrected {
            put_sum(connection, stance, &left)?;
        }
    }
    relabel(connection, document)
}

/// How much a passage counts, as the stance stage has it: a threat less than a deed, hearsay less
/// than what the author knows, and what is only supposed not at all.
fn factor(time: &str, voice: &str) -> f64 {
    let time = match time {
        "future" => 0.9,
        "hypothetical" => 0.0,
        _ => 1.0,
    };
    time * if voice == "reported" { 0.6 } else { 1.0 }
}

/// How much the past counts where the present says something.
const PAST: f64 = 0.35;

fn put_sum(connection: &Connection, stance: i64, pieces: &[Weighed]) -> rusqlite::Result<()> {
    let is_present = pieces.iter().any(|piece| !piece.is_past && piece.factor > 0.0);
    let weight = |piece: &Weighed| {
        let past = if piece.is_past && is_present { PAST } else { 1.0 };
        piece.confidence * piece.factor * past
    };
    let weights: f64 = pieces.iter().map(weight).sum();
    if weights <= 0.0 {
        let sql = "UPDATE stance SET is_shown = 0, pieces = 0 WHERE key = ?";
        return connection.prepare_cached(sql)?.execute([stance]).map(drop);
    }
    let score = pieces.iter().map(|piece| weight(piece) * piece.score).sum::<f64>() / weights;
    let sure = pieces.iter().any(|piece| piece.is_corrected && piece.factor > 0.0);
    let mut counter =
        connection.prepare_cached("UPDATE evidence_row SET is_counter = ?2 WHERE key = ?1")?;
    let mut supporting = 0;
    for piece in pieces {
        let is_counter = piece.score * score < 0.0;
        supporting += i64::from(!is_counter);
        counter.execute(params![piece.key, is_counter])?;
    }
    connection
        .prepare_cached(
            "UPDATE stance SET score = round(?2, 3), is_shown = 1, pieces = ?3,
                 confidence = max(coalesce(said_confidence, 0), ?4) WHERE key = ?1",
        )?
        .execute(params![stance, score, supporting, if sure { SURE } else { 0.0 }])?;
    Ok(())
}

/// The confidence of a stance of which a person has looked at a passage.
const SURE: f64 = 0.95;

fn relabel(connection: &Connection, document: i64) -> rusqlite::Result<()> {
    let mut scores =
        connection.prepare_cached("SELECT key, score FROM stance WHERE document = ?")?;
    let scores: Vec<(i64, f64)> = scores
        .query_map([document], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    let mut put =
        connection.prepare_cached("UPDATE stance SET label = ?2, degree = ?3 WHERE key = ?1")?;
    for (key, score) in scores {
        put.execute(params![key, label(score), degree(score)])?;
    }
    Ok(())
}

/// Everything that people said, the latest first.
///
/// # Errors
///
/// When the store cannot be read.
pub fn corrections(store: &Store, most: usize) -> rusqlite::Result<Vec<KeptCorrection>> {
    let mut statement = store.connection.prepare_cached(
        "SELECT document_id, target_id, who, start_offset, end_offset, field, value, passage,
            person, note, made_at FROM correction ORDER BY key DESC LIMIT ?",
    )?;
    let rows = statement.query_map([i64::try_from(most).unwrap_or(i64::MAX)], |row| {
        Ok(KeptCorrection {
            document_id: row.get(0)?,
            target_id: row.get(1)?,
            who: row.get(2)?,
            start: row.get(3)?,
            end: row.get(4)?,
            field: row.get(5)?,
            value: row.get(6)?,
            passage: row.get(7)?,
            person: row.get(8)?,
            note: row.get(9)?,
            made_at: row.get(10)?,
        })
    })?;
    rows.collect()
}

/// What people said as labelled data: one passage each, with the right answer.
///
/// # Errors
///
/// When the store cannot be read.
pub fn labelled(store: &Store) -> rusqlite::Result<Vec<Labelled>> {
    let mut statement = store.connection.prepare_cached(
        "SELECT DISTINCT d.id, e.start_offset, e.end_offset, e.text, d.author, s.target_name, s.who,
            e.score, e.verdict, b.who, e.said_score,
            (SELECT person FROM correction AS c WHERE c.document_id = d.id
                AND c.target_id = s.target_id AND c.who = b.who
                AND c.start_offset IN (-1, e.start_offset) ORDER BY c.key DESC)
         FROM correction AS c JOIN document AS d ON d.id = c.document_id
         JOIN stance AS s ON s.document = d.key AND s.target_id = c.target_id
         JOIN evidence_row AS e ON e.stance = s.key
         JOIN stance AS b ON b.key = e.said_stance AND b.who = c.who
         WHERE c.start_offset = -1
             OR c.start_offset = e.start_offset AND c.end_offset = e.end_offset
         ORDER BY d.key, e.start_offset, s.who",
    )?;
    let rows = statement.query_map([], |row| {
        let (id, start, end): (String, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let who: String = row.get(6)?;
        let (kept, verdict): (f64, Option<String>) = (row.get(7)?, row.get(8)?);
        let is_rejected = verdict.as_deref() == Some("rejected");
        Ok(Labelled {
            capability: "correction".to_owned(),
            id: format!("{id}:{start}-{end}"),
            text: row.get(3)?,
            author: row.get(4)?,
            target: row.get(5)?,
            holder: if who.starts_with("author:") { "author".to_owned() } else { who },
            label: if is_rejected { "neutral" } else { label(kept) }.to_owned(),
            score: (!is_rejected).then_some(kept),
            said: Said { holder: row.get(9)?, score: row.get(10)? },
            person: row.get(11)?,
        })
    })?;
    rows.collect()
}
