//! What people said of passages: kept under the document's id, applied whenever it comes.
//!
//! Rows keep what the pipeline said beside what stands now, so that every correction can be taken
//! back. A stance with a corrected passage is summed up again from those that are left.

mod apply;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::base::{self, Base, values};
use crate::days;
use crate::feed::Saying;
use crate::figures::label;
use crate::schema::Store;
use crate::write::promote;

pub(crate) use apply::{apply, documents_of};

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
    /// What was said already: kept, it would be a label that nobody gave.
    #[error("nothing was changed: the passage says so already; to say that it is right, accept it")]
    Same,
    /// The target itself: nobody stands toward himself.
    #[error("`{id}` is whom the passage is about, and cannot be its holder too: name who says it")]
    Target {
        /// Which was named.
        id: String,
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
        if is_said_already(base, passage, &place, correction)? {
            return Err(CorrectionError::Same);
        }
        if let Correction::Holder(Some(holder)) | Correction::Actor(Some(holder)) = correction
            && holder.id.trim() == place.target_id
            && place.who != place.target_id
        {
            return Err(CorrectionError::Target { id: place.target_id });
        }
        keep(base, &place, correction, person, note)?;
        follow(base, place.story)?;
        transaction.commit()?;
        Ok(())
    }

    /// Takes back one thing that a person said, also of a passage that is there no more; whether it
    /// was there.
    ///
    /// - `key`, `made_at`: as [`corrections`] gives them. The key alone may be another word's by
    ///   now.
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

/// Whether a correction is what the pipeline said, and what stands there now.
fn is_said_already(
    base: &Base,
    key: i64,
    place: &Place,
    correction: &Correction,
) -> base::Result<bool> {
    let sql = "SELECT s.who, e.score FROM evidence_row AS e JOIN stance AS s ON s.key = e.stance
        WHERE e.key = ?";
    let now = base.row(sql, &values![key], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let Some((who, score)): Option<(String, f64)> = now else { return Ok(false) };
    // A score was one of 32 bits once.
    let is_score = |known: f64, given: f64| (known - given).abs() < 1e-6;
    Ok(match correction {
        Correction::Score(Some(given)) => {
            is_score(score, *given) && place.score.is_some_and(|said| is_score(said, *given))
        }
        Correction::Holder(Some(holder)) => holder.id.trim() == who && who == place.who,
        // What stands in this passage alone says nothing of the whole document.
        Correction::Actor(Some(holder)) => {
            holder.id.trim() == place.who && !is_actor_moved(base, place)?
        }
        _ => false,
    })
}

/// Whether a person said that another is meant wherever the document names the passage's holder.
fn is_actor_moved(base: &Base, place: &Place) -> base::Result<bool> {
    let sql = "SELECT EXISTS (SELECT 1 FROM correction WHERE document_id = ? AND target_id = ?
        AND who = ? AND field = 'actor')";
    let values = values![&place.document_id, &place.target_id, &place.who];
    Ok(base.row(sql, &values, |row| row.get(0))?.unwrap_or(false))
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
        // Whoever is meant as the pipeline said takes the word before back.
        Correction::Actor(holder) => {
            let other = holder.as_ref().filter(|holder| holder.id.trim() != place.who);
            ("actor", other.map(of_holder))
        }
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
