//! Records become rows.

use std::borrow::Cow;

use thiserror::Error;

use crate::base::{self, Base, Value, values};
use crate::days;
use crate::record::{Actor, Piece, Position, Record, StageRun, Stretch, Toward};
use crate::schema::Store;
use crate::{corrections, story};

const PUT_DOCUMENT: &str = "
    INSERT INTO document (id, source, path, source_id, title, language, published, author, status,
        notes, attributes, text, sentiment_label, sentiment_score, sentiment_confidence, pipeline,
        standpoint, stages, stored_at, read_from)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (id) DO UPDATE SET
        source = excluded.source, path = excluded.path, source_id = excluded.source_id,
        title = excluded.title, language = excluded.language, published = excluded.published,
        author = excluded.author, status = excluded.status, notes = excluded.notes,
        attributes = excluded.attributes, text = excluded.text,
        sentiment_label = excluded.sentiment_label, sentiment_score = excluded.sentiment_score,
        sentiment_confidence = excluded.sentiment_confidence, pipeline = excluded.pipeline,
        standpoint = excluded.standpoint, stages = excluded.stages,
        stored_at = excluded.stored_at, read_from = excluded.read_from
    RETURNING key";

const PUT_TARGET: &str =
    "INSERT INTO target VALUES (?1, ?2) ON CONFLICT (id) DO UPDATE SET name = ?2";

const PUT_ACTOR: &str = "
    INSERT INTO actor VALUES (?1, ?2, ?3, ?4)
    ON CONFLICT (who) DO UPDATE SET name = ?2, kind = ?3, country = ?4";

const PUT_STANCE: &str = "
    INSERT INTO stance (document, day, target_id, target_name, holder, actor_id, actor_name, kind,
        country, mentions, label, degree, score, confidence, source, who, story, pieces,
        said_score, said_confidence)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?13,
        ?14)
    RETURNING key";

const PUT_EVIDENCE: &str = "
    INSERT INTO evidence_row (stance, is_counter, start_offset, end_offset, text, score,
        confidence, voice, time, holder_start, holder_end, target_start, target_end, cue_start,
        cue_end, rule, said_stance, said_score, said_counter)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?1, ?6, ?2)";

/// Of each who and target of a story, the row of its first document leads: also when that document
/// comes again, whose rows are then the latest.
const PROMOTE: &str = "
    UPDATE stance SET leads = NOT leads WHERE key IN (
        SELECT key FROM (
            SELECT key, leads, row_number() OVER (
                PARTITION BY target_id, who ORDER BY document, key) AS place
            FROM stance WHERE story = ?) AS row_of_story
        WHERE leads <> (place = 1))";

/// A name that no other document gives.
const FORGET_NAME: &str = "
    DELETE FROM actor WHERE who = ? AND NOT EXISTS (
        SELECT 1 FROM target AS t JOIN stance AS s ON s.target_id = t.id AND s.who = actor.who)";

/// Why a group of records could not be kept.
#[derive(Debug, Error)]
pub enum PutError {
    /// What is written now would be lost with the file that was opened.
    #[error("it was removed or replaced while the program ran; put it back and start again")]
    Replaced,
    /// The database refuses.
    #[error(transparent)]
    Refused(#[from] base::Error),
}

impl Store {
    /// Keeps a group of records in one transaction, each in the place of what was kept under its
    /// id. Gives for each why the store refuses it, if it does; that takes nothing from the others.
    ///
    /// # Errors
    ///
    /// [`PutError`] when nothing of the group was kept.
    pub fn put(&mut self, records: &[Record]) -> Result<Vec<Result<(), String>>, PutError> {
        self.put_with(records, |_, _| Ok(()))
    }

    /// Keeps a record that other stages made, and with it what they changed: both or neither.
    ///
    /// - `before`: the stages that had made what was kept;
    /// - `changes`: what `standpoint reprocess` tells of it.
    ///
    /// # Errors
    ///
    /// [`PutError`] when nothing was kept. The answer says why the store refuses the record, if it
    /// does.
    pub fn put_revised(
        &mut self,
        record: &Record,
        before: &[StageRun],
        changes: &impl serde::Serialize,
    ) -> Result<Result<(), String>, PutError> {
        let mut answers = self.put_with(std::slice::from_ref(record), |base, record| {
            put_revision(base, record, before, changes)
        })?;
        Ok(answers.pop().unwrap_or(Ok(())))
    }

    /// - `then`: what else is written for a record, which stays or goes with it.
    fn put_with(
        &mut self,
        records: &[Record],
        then: impl Fn(&Base, &Record) -> base::Result<()>,
    ) -> Result<Vec<Result<(), String>>, PutError> {
        if !self.is_in_place() {
            return Err(PutError::Replaced);
        }
        let base = &self.base;
        let transaction = base.begin()?;
        let mut answers = Vec::with_capacity(records.len());
        for record in records {
            let savepoint = base.savepoint()?;
            let record = self.fitting(record);
            match put(base, &record).and_then(|()| then(base, &record)) {
                Ok(()) => {
                    savepoint.commit()?;
                    answers.push(Ok(()));
                }
                Err(error) if error.is_of_the_document() => {
                    // Dropped, it takes back what it did.
                    drop(savepoint);
                    answers.push(Err(format!("the store refuses it: {error}")));
                }
                Err(error) => return Err(error.into()),
            }
        }
        base.count_change()?;
        transaction.commit()?;
        Ok(answers)
    }

    /// A record as this database can keep it, with a note of what it cannot.
    fn fitting<'r>(&self, record: &'r Record) -> Cow<'r, Record> {
        let count = record.text.matches('\0').count();
        if count == 0 || self.base.keeps_nul() {
            return Cow::Borrowed(record);
        }
        let mut record = record.clone();
        record.text = record.text.replace('\0', "\u{fffd}");
        let note = format!("{count} characters U+0000 are kept as U+FFFD: Postgres has no U+0000");
        record.notes.push(note);
        Cow::Owned(record)
    }

    /// Deletes a document, all that was found in it and all that people said of it.
    ///
    /// What people said of it goes from the copies of its story, too: a word that nobody can see or
    /// take back any more must not move figures. What was said of a copy itself stays.
    ///
    /// # Errors
    ///
    /// When the store cannot be written.
    pub fn forget(&mut self, document_id: &str) -> base::Result<Forgotten> {
        let base = &self.base;
        let had_log = self.has_in_log(document_id);
        let transaction = base.begin()?;
        for table in ["correction", "revision"] {
            let sql = format!("DELETE FROM {table} WHERE document_id = ?");
            base.run(&sql, &values![document_id])?;
        }
        let sql = "SELECT key, story FROM document WHERE id = ?";
        let found: Option<(i64, Option<i64>)> =
            base.row(sql, &values![document_id], |row| Ok((row.get(0)?, row.get(1)?)))?;
        if let Some((key, story)) = found {
            let sql = "SELECT DISTINCT who FROM stance WHERE document = ?";
            let named = base.rows(sql, &values![key], |row| row.get::<String>(0))?;
            // By itself, so that its figures are taken back.
            base.run("DELETE FROM stance WHERE document = ?", &values![key])?;
            for who in named {
                base.run(FORGET_NAME, &values![who])?;
            }
            base.run("DELETE FROM document WHERE key = ?", &values![key])?;
            if let Some(story) = story {
                bereave(base, key, story)?;
            }
            base.forget_words()?;
        }
        base.count_change()?;
        transaction.commit()?;
        let log = match base.forget_log()? {
            false => Log::Held,
            true if had_log => Log::Emptied,
            true => Log::Empty,
        };
        Ok(Forgotten { was_there: found.is_some(), log })
    }
}

/// What became of a document that was to be forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Forgotten {
    /// Whether the store held it.
    pub was_there: bool,
    /// What is left of it beside the database.
    pub log: Log,
}

/// The write-ahead log of a store in a file, in which what was deleted stands until it is emptied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Log {
    /// Nothing of the document stands in it, and nothing did; or there is none, as on a server.
    Empty,
    /// What an earlier call had to leave in it is gone, too.
    Emptied,
    /// It still holds what was deleted, because another program reads the store.
    Held,
}

fn put_revision(
    base: &Base,
    record: &Record,
    before: &[StageRun],
    changes: &impl serde::Serialize,
) -> base::Result<()> {
    let sql = "INSERT INTO revision (document_id, stages_before, stages_after, changes, made_at)
               VALUES (?, ?, ?, ?, ?)";
    let (before, after) = (stages(before)?, stages(&record.provenance.stages)?);
    base.run(sql, &values![&record.id, before, after, json(changes)?, days::now()]).map(drop)
}

fn put(base: &Base, record: &Record) -> base::Result<()> {
    let sketch = story::Sketch::of(&record.text);
    let sql = "SELECT story FROM document WHERE id = ?";
    let before: Option<i64> = base.row(sql, &values![&record.id], |row| row.get(0))?;
    let key = put_document(base, record)?;
    base.run("DELETE FROM stance WHERE document = ?", &values![key])?;
    let story = story::join(base, key, &sketch)?;
    put_layers(base, key, record)?;
    let place = Place { key, story, record };
    put_names(base, record)?;
    let mut pieces = Vec::new();
    for toward in &record.stance {
        if let Some(position) = &toward.author {
            put_stance(base, &place, toward, None, position, &mut pieces)?;
        }
        for actor in &toward.actors {
            put_stance(base, &place, toward, Some(actor), &actor.position, &mut pieces)?;
        }
    }
    base.run_each(PUT_EVIDENCE, &pieces)?;
    corrections::apply(base, key)?;
    for story in before.filter(|before| *before != story).into_iter().chain([story]) {
        promote(base, story)?;
    }
    Ok(())
}

/// Lets the other documents of a story go on without one that is deleted.
fn bereave(base: &Base, key: i64, story: i64) -> base::Result<()> {
    // A story is called by the key of its first document, which the next one would be given.
    let story = if story == key { story::inherit(base, key)? } else { Some(story) };
    let Some(story) = story else { return Ok(()) };
    for document in corrections::documents_of(base, story)? {
        corrections::apply(base, document)?;
    }
    promote(base, story)
}

/// A document that has its row.
struct Place<'r> {
    key: i64,
    story: i64,
    record: &'r Record,
}

pub(crate) fn promote(base: &Base, story: i64) -> base::Result<()> {
    base.run(PROMOTE, &values![story]).map(drop)
}

fn put_document(base: &Base, record: &Record) -> base::Result<i64> {
    let sentiment = record.sentiment.as_ref();
    let values = values![
        &record.id,
        record.outlet(),
        &record.source.path,
        &record.source.id,
        &record.title,
        &record.language,
        &record.published,
        &record.author,
        &record.status,
        json(&record.notes)?,
        json(&record.attributes)?,
        &record.text,
        sentiment.map(|tone| tone.label.as_str()),
        sentiment.map(|tone| tone.score),
        sentiment.map(|tone| tone.confidence),
        &record.provenance.pipeline,
        &record.provenance.standpoint,
        stages(&record.provenance.stages)?,
        days::now(),
        &record.source.name,
    ];
    // A statement that puts a row gives it back, or fails.
    Ok(base.row(PUT_DOCUMENT, &values, |row| row.get(0))?.unwrap_or_default())
}

/// Stages without their times, so that equal chains are equal texts.
fn stages(stages: &[StageRun]) -> base::Result<String> {
    let timeless = stages.iter().cloned().map(|stage| StageRun { ms: 0.0, ..stage });
    json(&timeless.collect::<Vec<_>>())
}

fn json<T: serde::Serialize + ?Sized>(value: &T) -> base::Result<String> {
    Ok(serde_json::to_string(value)?)
}

fn put_layers(base: &Base, key: i64, record: &Record) -> base::Result<()> {
    base.run(
        "INSERT INTO document_layer VALUES (?, ?, ?) ON CONFLICT (document) DO UPDATE SET
             sentences = excluded.sentences, mentions = excluded.mentions",
        &values![key, json(&record.sentences)?, json(&record.entities)?],
    )?;
    base.run("DELETE FROM entity WHERE document = ?", &values![key])?;
    let mentions = record.entities.iter().filter_map(|mention| {
        let (id, name) = mention.id.as_ref().zip(mention.name.as_ref())?;
        let sentiment = mention.sentiment.as_ref().map(|tone| tone.score);
        Some(values![key, id, name, &mention.label, sentiment].into())
    });
    base.run_each(
        "INSERT INTO entity AS known VALUES (?1, ?2, ?3, ?4, 1, ?5)
         ON CONFLICT (document, entity_id) DO UPDATE SET
             sentiment = coalesce((known.sentiment * known.mentions + excluded.sentiment)
                     / (known.mentions + 1), known.sentiment, excluded.sentiment),
             mentions = known.mentions + 1",
        &mentions.collect::<Vec<_>>(),
    )
}

/// Puts whom stances are toward and who holds them, each kind in one go.
fn put_names(base: &Base, record: &Record) -> base::Result<()> {
    let mut targets: Vec<Vec<Value<'_>>> = Vec::new();
    let mut actors: Vec<Vec<Value<'_>>> = Vec::new();
    for Toward { target, author: of_author, actors: named } in &record.stance {
        targets.push(values![&target.id, &target.name].into());
        if of_author.is_some() {
            let who = author(record.author.as_deref());
            actors.push(values![who, author_name(record), "author", Value::Null].into());
        }
        for actor in named {
            let country = actor.country.as_deref();
            actors.push(values![&actor.id, &actor.name, &actor.kind, country].into());
        }
    }
    base.run_each(PUT_TARGET, &targets)?;
    base.run_each(PUT_ACTOR, &actors)
}

/// - `actor`: who holds the stance; `None` for the author.
/// - `pieces`: gets the rows of what shows it.
fn put_stance<'r>(
    base: &Base,
    place: &Place<'_>,
    toward: &Toward,
    actor: Option<&Actor>,
    position: &'r Position,
    pieces: &mut Vec<Vec<Value<'r>>>,
) -> base::Result<()> {
    let record = place.record;
    let who = match actor {
        Some(actor) => actor.id.clone(),
        None => author(record.author.as_deref()),
    };
    let values = values![
        place.key,
        days::day_of(record.published.as_deref()),
        &toward.target.id,
        &toward.target.name,
        if actor.is_some() { "actor" } else { "author" },
        actor.map(|actor| actor.id.as_str()),
        actor.map(|actor| actor.name.as_str()),
        actor.map(|actor| actor.kind.as_str()),
        actor.and_then(|actor| actor.country.as_deref()),
        actor.map(|actor| actor.mentions),
        &position.label,
        &position.degree,
        position.score,
        position.confidence,
        record.outlet(),
        &who,
        place.story,
        i64::try_from(position.evidence.len()).unwrap_or(i64::MAX),
    ];
    // A statement that puts a row gives it back, or fails.
    let key = base.row(PUT_STANCE, &values, |row| row.get(0))?.unwrap_or_default();
    for (is_counter, list) in [(false, &position.evidence), (true, &position.counter_evidence)] {
        pieces.extend(list.iter().map(|piece| put_piece(key, is_counter, piece)));
    }
    Ok(())
}

/// The name to show for a record's author: that of the entity, where the author is given by its id.
fn author_name(record: &Record) -> &str {
    let Some(author) = record.author.as_deref() else { return "unnamed author" };
    let known = record.entities.iter().find(|mention| mention.id.as_deref() == Some(author));
    known.and_then(|mention| mention.name.as_deref()).unwrap_or(author)
}

/// Who an author is among those who hold stances.
pub(crate) fn author(name: Option<&str>) -> String {
    format!("author:{}", name.unwrap_or_default())
}

fn put_piece(stance: i64, is_counter: bool, piece: &Piece) -> Vec<Value<'_>> {
    let start = |stretch: Option<Stretch>| stretch.map(|stretch| stretch.start);
    let end = |stretch: Option<Stretch>| stretch.map(|stretch| stretch.end);
    values![
        stance,
        is_counter,
        piece.start,
        piece.end,
        &piece.text,
        piece.score,
        piece.confidence,
        &piece.voice,
        &piece.time,
        start(piece.holder),
        end(piece.holder),
        start(piece.target),
        end(piece.target),
        start(piece.cue),
        end(piece.cue),
        &piece.rule,
    ]
    .into()
}
