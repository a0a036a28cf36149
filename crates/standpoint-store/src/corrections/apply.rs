//! What people said, brought to the rows: passages marked or moved, stances summed up again.

use standpoint_document::state_called;

use super::Holder;
use crate::base::{self, Base, Value, values};
use crate::figures::{degree, label};

/// The documents of a story: each may be a copy of the same text.
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
    // A state is known before a document names it.
    let state = state_called(&holder.id).map(|(id, _)| id).filter(|id| *id == holder.id);
    let kind = if state.is_some() { "country" } else { "other" };
    base.run(
        "INSERT INTO actor VALUES (?1, ?2, ?3, ?4) ON CONFLICT (who) DO NOTHING",
        &values![&holder.id, name, kind, state],
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
