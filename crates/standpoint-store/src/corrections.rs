//! What people said of passages: kept under the document's id, applied whenever it comes.
//!
//! Rows keep what the pipeline said beside what stands now, so that every correction can be taken
//! back. A stance with a corrected passage is summed up again from those that are left.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::base::{self, Base, Value, values};
use crate::days;
use crate::feed::Saying;
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
    /// The row, by which it is taken back.
    pub key: i64,
    /// The row of the passage that it is said of; null where the store has none such any more.
    pub evidence: Option<i64>,
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
    /// Another passage has the row that the person's passage had.
    #[error(
        "passage {key} is not what was shown, because its document has come again since: load it again and judge what stands there now"
    )]
    Changed {
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
    Store(#[from] base::Error),
}

impl Store {
    /// Keeps what a person says of a passage, and lets the figures follow, in the document and in
    /// the copies of its story.
    ///
    /// - `passage`: the row's key, as [`feed`](crate::feed) gives it;
    /// - `shown`: the fingerprint that came with it; `None` trusts that no document has come since.
    ///
    /// # Errors
    ///
    /// [`CorrectionError`]; nothing is changed then.
    pub fn correct(
        &mut self,
        passage: i64,
        shown: Option<&str>,
        correction: &Correction,
        person: Option<&str>,
        note: Option<&str>,
    ) -> Result<(), CorrectionError> {
        check(correction)?;
        let base = &self.base;
        let transaction = base.begin()?;
        let place = place_of(base, passage)?.ok_or(CorrectionError::NoPassage { key: passage })?;
        if shown.is_some_and(|shown| shown != place.saying().fingerprint()) {
            return Err(CorrectionError::Changed { key: passage });
        }
        keep(base, &place, correction, person, note)?;
        follow(base, place.story)?;
        transaction.commit()?;
        Ok(())
    }

    /// Takes back one thing that a person said, also of a passage that is there no more; whether it
    /// was there.
    ///
    /// - `key`, `made_at`: as [`corrections`] gives them. The key alone may be another word's by now.
    ///
    /// # Errors
    ///
    /// When the store refuses; nothing is changed then.
    pub fn take_back(&mut self, key: i64, made_at: &str) -> base::Result<bool> {
        let base = &self.base;
        let transaction = base.begin()?;
        let sql = "DELETE FROM correction WHERE key = ? AND made_at = ? RETURNING document_id";
        let document: Option<String> = base.row(sql, &values![key, made_at], |row| row.get(0))?;
        let Some(document) = document else { return Ok(false) };
        let sql = "SELECT story FROM document WHERE id = ?";
        match base.row(sql, &values![document], |row| row.get(0))? {
            Some(story) => follow(base, story)?,
            None => base.count_change()?,
        }
        transaction.commit()?;
        Ok(true)
    }
}

/// Lets the rows and figures of a story follow what people said.
fn follow(base: &Base, story: i64) -> base::Result<()> {
    for document in documents_of(base, story)? {
        apply(base, document)?;
    }
    promote(base, story)?;
    base.count_change()
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
    score: Option<f64>,
}

impl Place {
    fn saying(&self) -> Saying<'_> {
        Saying {
            document_id: &self.document_id,
            target_id: &self.target_id,
            who: &self.who,
            start: self.start,
            end: self.end,
            text: &self.text,
            score: self.score,
        }
    }
}

fn place_of(base: &Base, key: i64) -> base::Result<Option<Place>> {
    // A holder that a person corrected has a row of its own; the passage remembers the first.
    let sql = "SELECT d.id, d.story, s.target_id, s.who, e.start_offset, e.end_offset, e.text,
            e.said_score
        FROM evidence_row AS e JOIN stance AS s ON s.key = e.said_stance
        JOIN document AS d ON d.key = s.document
        WHERE e.key = ?";
    base.row(sql, &values![key], |row| {
        Ok(Place {
            document_id: row.get(0)?,
            story: row.get(1)?,
            target_id: row.get(2)?,
            who: row.get(3)?,
            start: row.get(4)?,
            end: row.get(5)?,
            text: row.get(6)?,
            score: row.get(7)?,
        })
    })
}

fn keep(
    base: &Base,
    place: &Place,
    correction: &Correction,
    person: Option<&str>,
    note: Option<&str>,
) -> base::Result<()> {
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
    let (start, end) = if field == "actor" { (-1_i64, -1_i64) } else { (place.start, place.end) };
    // Said of a copy, it is said of the story: no second word may stand against it.
    base.run(
        "DELETE FROM correction WHERE target_id = ?1 AND who = ?2 AND field = ?3
             AND (document_id = ?4 AND start_offset = ?5 AND end_offset = ?6
                  OR start_offset >= 0 AND ?5 >= 0 AND passage = ?7 AND document_id IN
                      (SELECT id FROM document WHERE story = ?8))",
        &values![
            &place.target_id,
            &place.who,
            field,
            &place.document_id,
            start,
            end,
            &place.text,
            place.story,
        ],
    )?;
    if let Some(value) = value {
        base.run(
            "INSERT INTO correction (document_id, target_id, who, start_offset, end_offset, field,
                value, passage, person, note, made_at)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            &values![
                &place.document_id,
                &place.target_id,
                &place.who,
                start,
                end,
                field,
                value,
                &place.text,
                person,
                note,
                days::now(),
            ],
        )?;
    }
    Ok(())
}

pub(crate) fn documents_of(base: &Base, story: i64) -> base::Result<Vec<i64>> {
    base.rows("SELECT key FROM document WHERE story = ?", &values![story], |row| row.get(0))
}

/// Brings a document's rows to what people said of it and of its copies.
pub(crate) fn apply(base: &Base, document: i64) -> base::Result<()> {
    let corrections = corrections_of(base, document)?;
    let was_corrected = "SELECT EXISTS (SELECT 1 FROM stance AS s WHERE s.document = ?1 AND
        (s.origin = 'person' OR NOT s.is_shown OR EXISTS (SELECT 1 FROM evidence_row AS e
            WHERE e.stance = s.key AND (e.verdict IS NOT NULL OR e.score <> e.said_score))))";
    let was_corrected: Option<bool> =
        base.row(was_corrected, &values![document], |row| row.get(0))?;
    if corrections.is_empty() && was_corrected != Some(true) {
        return Ok(());
    }
    reset(base, document)?;
    for correction in &corrections {
        match correction.field.as_str() {
            "actor" => move_actor(base, document, correction)?,
            "holder" => move_passages(base, document, correction)?,
            "score" => {
                // Written by this program, so it is a number.
                let score: f64 = correction.value.parse().unwrap_or_default();
                mark(base, document, correction, "score", score.into())?;
            }
            _ => mark(base, document, correction, "verdict", (&correction.value).into())?,
        }
    }
    if !corrections.is_empty() {
        sum_up(base, document)?;
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

fn corrections_of(base: &Base, document: i64) -> base::Result<Vec<Applied>> {
    // Actors first: they move whole stances, and what is said of single passages has the last word.
    let sql =
        "SELECT c.document_id, c.target_id, c.who, c.start_offset, c.end_offset, c.field, c.value,
            c.passage
         FROM document AS own JOIN document AS d ON d.story = own.story
         JOIN correction AS c ON c.document_id = d.id
         WHERE own.key = ? ORDER BY c.field = 'actor' DESC, c.key";
    base.rows(sql, &values![document], |row| {
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
    })
}

/// Takes everything back to what the pipeline said.
fn reset(base: &Base, document: i64) -> base::Result<()> {
    let statements = [
        "UPDATE evidence_row SET stance = said_stance, score = said_score,
             is_counter = said_counter, verdict = NULL
         WHERE stance IN (SELECT key FROM stance WHERE document = ?)",
        "DELETE FROM stance WHERE document = ? AND origin = 'person'",
        "UPDATE stance SET score = said_score, confidence = said_confidence, is_shown = TRUE,
             pieces = (SELECT count(*) FROM evidence_row AS e
                       WHERE e.stance = stance.key AND NOT e.is_counter)
         WHERE document = ?",
    ];
    for sql in statements {
        base.run(sql, &values![document])?;
    }
    relabel(base, document)
}

/// The rows that a correction is about: at its place in its own document, by its words in copies.
const ROWS: &str = "said_stance IN (SELECT key FROM stance WHERE document = ?2
        AND target_id = ?3 AND who = ?4 AND origin = 'pipeline')
    AND (start_offset = ?5 AND end_offset = ?6
            AND EXISTS (SELECT 1 FROM document WHERE key = ?2 AND id = ?7)
        OR text = ?8)";

fn mark(
    base: &Base,
    document: i64,
    correction: &Applied,
    column: &str,
    value: Value<'_>,
) -> base::Result<()> {
    let sql = format!("UPDATE evidence_row SET {column} = ?1 WHERE {ROWS}");
    let Applied { target_id, who, start, end, document_id, passage, .. } = correction;
    let values = values![value, document, target_id, who, *start, *end, document_id, passage];
    base.run(&sql, &values).map(drop)
}

fn move_passages(base: &Base, document: i64, c: &Applied) -> base::Result<()> {
    let Some(to) = stance_of(base, document, c)? else { return Ok(()) };
    mark(base, document, c, "stance", to.into())
}

fn move_actor(base: &Base, document: i64, c: &Applied) -> base::Result<()> {
    let Some(to) = stance_of(base, document, c)? else { return Ok(()) };
    let sql = "UPDATE evidence_row SET stance = ?1 WHERE stance IN (SELECT key FROM stance
        WHERE document = ?2 AND target_id = ?3 AND who = ?4)";
    base.run(sql, &values![to, document, &c.target_id, &c.who]).map(drop)
}

/// The row of the stance that passages are moved to; made if there is none. `None` where the
/// correction's value names nobody or the document has no such stance to begin with.
fn stance_of(base: &Base, document: i64, correction: &Applied) -> base::Result<Option<i64>> {
    let Ok(holder) = serde_json::from_str::<Holder>(&correction.value) else { return Ok(None) };
    let sql = "SELECT key FROM stance WHERE document = ? AND target_id = ? AND who = ?";
    let values = values![document, &correction.target_id, &holder.id];
    let found = base.row(sql, &values, |row| row.get(0))?;
    if found.is_some() {
        return Ok(found);
    }
    let name = holder.name.as_ref().unwrap_or(&holder.id);
    base.run(
        "INSERT INTO actor VALUES (?1, ?2, 'other', NULL) ON CONFLICT (who) DO NOTHING",
        &values![&holder.id, name],
    )?;
    // Hidden until it is summed up.
    let sql = "INSERT INTO stance (document, day, target_id, target_name, holder, actor_id,
                actor_name, kind, country, label, degree, score, confidence, source, who, story,
                origin, is_shown)
             SELECT d.key, d.day, t.id, t.name, 'actor', a.who, a.name, a.kind, a.country,
                'neutral', 'neutral', 0, 0, d.source, a.who, d.story, 'person', FALSE
             FROM document AS d, target AS t, actor AS a
             WHERE d.key = ?1 AND t.id = ?2 AND a.who = ?3
             RETURNING key";
    base.row(sql, &values, |row| row.get(0))
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
fn sum_up(base: &Base, document: i64) -> base::Result<()> {
    let sql = "SELECT s.key, s.origin = 'person', (SELECT count(*) FROM evidence_row AS e
            WHERE e.said_stance = s.key AND e.stance <> s.key) FROM stance AS s
         WHERE s.document = ?";
    let stances: Vec<(i64, bool, i64)> =
        base.rows(sql, &values![document], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    for (stance, is_new, lost) in stances {
        let sql = "SELECT key, score, confidence, time, voice, verdict, said_stance <> stance
                OR score <> said_score FROM evidence_row WHERE stance = ?";
        let mut is_corrected = is_new || lost > 0;
        let mut left = Vec::new();
        base.each(sql, &values![stance], |row| {
            let (time, voice): (String, String) = (row.get(3)?, row.get(4)?);
            let verdict: Option<String> = row.get(5)?;
            let is_changed: bool = row.get(6)?;
            is_corrected |= verdict.is_some() || is_changed;
            if verdict.as_deref() == Some("rejected") {
                return Ok(true);
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
            Ok(true)
        })?;
        if is_corrected {
            put_sum(base, stance, &left)?;
        }
    }
    relabel(base, document)
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

fn put_sum(base: &Base, stance: i64, pieces: &[Weighed]) -> base::Result<()> {
    let is_present = pieces.iter().any(|piece| !piece.is_past && piece.factor > 0.0);
    let weight = |piece: &Weighed| {
        let past = if piece.is_past && is_present { PAST } else { 1.0 };
        piece.confidence * piece.factor * past
    };
    let weights: f64 = pieces.iter().map(weight).sum();
    if weights <= 0.0 {
        let sql = "UPDATE stance SET is_shown = FALSE, pieces = 0 WHERE key = ?";
        return base.run(sql, &values![stance]).map(drop);
    }
    let score = pieces.iter().map(|piece| weight(piece) * piece.score).sum::<f64>() / weights;
    let sure = pieces.iter().any(|piece| piece.is_corrected && piece.factor > 0.0);
    let mut counter = Vec::with_capacity(pieces.len());
    let mut supporting = 0;
    for piece in pieces {
        let is_counter = piece.score * score < 0.0;
        supporting += i64::from(!is_counter);
        counter.push(values![piece.key, is_counter].into());
    }
    base.run_each("UPDATE evidence_row SET is_counter = ?2 WHERE key = ?1", &counter)?;
    let score = (score * 1000.0).round() / 1000.0;
    let sql = "UPDATE stance SET score = ?2, is_shown = TRUE, pieces = ?3, confidence =
        CASE WHEN coalesce(said_confidence, 0) < ?4 THEN ?4 ELSE said_confidence END WHERE key = ?1";
    let sure = if sure { SURE } else { 0.0 };
    base.run(sql, &values![stance, score, supporting, sure]).map(drop)
}

/// The confidence of a stance of which a person has looked at a passage.
const SURE: f64 = 0.95;

fn relabel(base: &Base, document: i64) -> base::Result<()> {
    let sql = "SELECT key, score FROM stance WHERE document = ?";
    let labels: Vec<Vec<Value<'_>>> = base.rows(sql, &values![document], |row| {
        let score = row.get(1)?;
        Ok(values![row.get::<i64>(0)?, label(score), degree(score)].into())
    })?;
    base.run_each("UPDATE stance SET label = ?2, degree = ?3 WHERE key = ?1", &labels)
}

/// Everything that people said, the latest first.
///
/// # Errors
///
/// When the store cannot be read.
pub fn corrections(store: &Store, most: usize) -> base::Result<Vec<KeptCorrection>> {
    // What is said of an actor is said at one of the passages, which its words find again.
    let sql = "SELECT c.document_id, c.target_id, c.who, c.start_offset, c.end_offset, c.field,
            c.value, c.passage, c.person, c.note, c.made_at, c.key,
            (SELECT e.key FROM document AS d
                JOIN stance AS s ON s.document = d.key AND s.target_id = c.target_id
                JOIN evidence_row AS e ON e.stance = s.key
                JOIN stance AS b ON b.key = e.said_stance AND b.who = c.who
             WHERE d.id = c.document_id AND (e.text = c.passage
                OR e.start_offset = c.start_offset AND e.end_offset = c.end_offset)
             ORDER BY e.start_offset = c.start_offset DESC, e.key LIMIT 1)
        FROM correction AS c ORDER BY c.key DESC LIMIT ?";
    store.base.rows(sql, &values![i64::try_from(most).unwrap_or(i64::MAX)], |row| {
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
            key: row.get(11)?,
            evidence: row.get(12)?,
        })
    })
}

/// What people said as labelled data: one passage each, with the right answer.
///
/// # Errors
///
/// When the store cannot be read.
pub fn labelled(store: &Store) -> base::Result<Vec<Labelled>> {
    let sql = "SELECT DISTINCT d.id, e.start_offset, e.end_offset, e.text, d.author, s.target_name, s.who,
            e.score, e.verdict, b.who, e.said_score,
            (SELECT person FROM correction AS c WHERE c.document_id = d.id
                AND c.target_id = s.target_id AND c.who = b.who
                AND c.start_offset IN (-1, e.start_offset) ORDER BY c.key DESC LIMIT 1),
            d.key
         FROM correction AS c JOIN document AS d ON d.id = c.document_id
         JOIN stance AS s ON s.document = d.key AND s.target_id = c.target_id
         JOIN evidence_row AS e ON e.stance = s.key
         JOIN stance AS b ON b.key = e.said_stance AND b.who = c.who
         WHERE c.start_offset = -1
             OR c.start_offset = e.start_offset AND c.end_offset = e.end_offset
         ORDER BY d.key, e.start_offset, s.who";
    store.base.rows(sql, &[], |row| {
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
    })
}
