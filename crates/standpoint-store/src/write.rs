//! Records become rows.

use rusqlite::{
    Connection, ErrorCode, OptionalExtension, TransactionBehavior, named_params, params,
};
use thiserror::Error;

use crate::record::{Actor, Piece, Position, Record, StageRun, Stretch, Toward};
use crate::schema::Store;
use crate::{corrections, story};

const PUT_DOCUMENT: &str = "
    INSERT INTO document (id, source, path, source_id, title, language, published, author, status,
        notes, attributes, text, sentiment_label, sentiment_score, sentiment_confidence, pipeline,
        standpoint, stages)
    VALUES (:id, :source, :path, :source_id, :title, :language, :published, :author, :status,
        :notes, :attributes, :text, :sentiment_label, :sentiment_score, :sentiment_confidence,
        :pipeline, :standpoint, :stages)
    ON CONFLICT (id) DO UPDATE SET
        source = excluded.source, path = excluded.path, source_id = excluded.source_id,
        title = excluded.title, language = excluded.language, published = excluded.published,
        author = excluded.author, status = excluded.status, notes = excluded.notes,
        attributes = excluded.attributes, text = excluded.text,
        sentiment_label = excluded.sentiment_label, sentiment_score = excluded.sentiment_score,
        sentiment_confidence = excluded.sentiment_confidence, pipeline = excluded.pipeline,
        standpoint = excluded.standpoint, stages = excluded.stages,
        stored_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now')
    RETURNING key";

const PUT_STANCE: &str = "
    INSERT INTO stance (document, day, target_id, target_name, holder, actor_id, actor_name, kind,
        country, mentions, label, degree, score, confidence, source, who, story, pieces,
        said_score, said_confidence)
    SELECT d.key, d.day, :target_id, :target_name, iif(:actor_id IS NULL, 'author', 'actor'),
        :actor_id, :actor_name, :kind, :country, :mentions, :label, :degree, :score, :confidence,
        d.source, :who, d.story, :pieces, :score, :confidence
    FROM document AS d WHERE d.key = :document";

const PUT_EVIDENCE: &str = "
    INSERT INTO evidence_row (stance, is_counter, start_offset, end_offset, text, score,
        confidence, voice, time, holder_start, holder_end, target_start, target_end, cue_start,
        cue_end, rule, said_stance, said_score, said_counter)
    VALUES (:stance, :is_counter, :start, :end, :text, :score, :confidence, :voice, :time,
        :holder_start, :holder_end, :target_start, :target_end, :cue_start, :cue_end, :rule,
        :stance, :score, :is_counter)";

/// Of each who and target of a story, the first row leads where none does.
const PROMOTE: &str = "
    UPDATE stance SET leads = 1 WHERE key IN (
        SELECT min(key) FROM stance WHERE story = ? GROUP BY target_id, who HAVING max(leads) = 0)";

/// Why a group of records could not be kept.
#[derive(Debug, Error)]
pub enum PutError {
    /// What is written now would be lost with the file that was opened.
    #[error("it was removed or replaced while the program ran; put it back and start again")]
    Replaced,
    /// `SQLite` refuses.
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
}

impl Store {
    /// Keeps a group of records in one transaction, each in the place of what was kept under its
    /// id. Gives for each why the store refuses it, if it does; that takes nothing from the others.
    ///
    /// # Errors
    ///
    /// [`PutError`] when nothing of the group was kept.
    pub fn put(&mut self, records: &[Record]) -> Result<Vec<Result<(), String>>, PutError> {
        if !self.is_in_place() {
            return Err(PutError::Replaced);
        }
        let mut transaction =
            self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut answers = Vec::with_capacity(records.len());
        for record in records {
            let savepoint = transaction.savepoint()?;
            match put(&savepoint, record) {
                Ok(()) => {
                    savepoint.commit()?;
                    answers.push(Ok(()));
                }
                Err(error) if is_of_the_document(&error) => {
                    // Dropped, it takes back what it did.
                    drop(savepoint);
                    answers.push(Err(format!("the store refuses it: {error}")));
                }
                Err(error) => return Err(error.into()),
            }
        }
        transaction.commit()?;
        Ok(answers)
    }

    /// Deletes a document, all that was found in it and all that people said of it; whether it was
    /// there.
    ///
    /// What people said of it goes from the copies of its story, too: a word that nobody can see or
    /// take back any more must not move figures. What was said of a copy itself stays.
    ///
    /// # Errors
    ///
    /// When the store cannot be written.
    pub fn forget(&mut self, document_id: &str) -> rusqlite::Result<bool> {
        // What is deleted is written over, in the file and, below, in the log.
        self.connection.pragma_update(None, "secure_delete", true)?;
        let transaction =
            self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for table in ["correction", "revision"] {
            transaction
                .execute(&format!("DELETE FROM {table} WHERE document_id = ?"), [document_id])?;
        }
        let found: Option<(i64, Option<i64>)> = transaction
            .query_row("SELECT key, story FROM document WHERE id = ?", [document_id], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .optional()?;
        if let Some((key, story)) = found {
            // By itself, so that its figures are taken back.
            transaction.execute("DELETE FROM stance WHERE document = ?", [key])?;
            transaction.execute("DELETE FROM document WHERE key = ?", [key])?;
            if let Some(story) = story {
                bereave(&transaction, key, story)?;
            }
            // Words of the text stand in the index until its parts are merged.
            let merge = "INSERT INTO document_text (document_text) VALUES ('optimize')";
            transaction.execute(merge, [])?;
        }
        transaction.commit()?;
        let truncate = |row: &rusqlite::Row<'_>| row.get::<_, i64>(0);
        self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], truncate)?;
        Ok(found.is_some())
    }

    /// Keeps what another version of the stages changed in a document.
    ///
    /// # Errors
    ///
    /// When the store cannot be written.
    pub fn put_revision(
        &self,
        document_id: &str,
        before: &[StageRun],
        after: &[StageRun],
        changes: &impl serde::Serialize,
    ) -> rusqlite::Result<()> {
        let sql = "INSERT INTO revision (document_id, stages_before, stages_after, changes)
                   VALUES (?, ?, ?, ?)";
        let values = params![document_id, stages(before)?, stages(after)?, json(changes)?];
        self.connection.execute(sql, values).map(drop)
    }
}

/// Whether the next document may do better.
fn is_of_the_document(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::TooBig | ErrorCode::ConstraintViolation | ErrorCode::TypeMismatch)
    ) || matches!(error, rusqlite::Error::ToSqlConversionFailure(_))
}

fn put(connection: &Connection, record: &Record) -> rusqlite::Result<()> {
    let sketch = story::Sketch::of(&record.text);
    let before: Option<i64> = connection
        .prepare_cached("SELECT story FROM document WHERE id = ?")?
        .query_row([&record.id], |row| row.get(0))
        .optional()?;
    let key = put_document(connection, record)?;
    connection.prepare_cached("DELETE FROM stance WHERE document = ?")?.execute([key])?;
    let story = story::join(connection, key, &sketch)?;
    put_layers(connection, key, record)?;
    for toward in &record.stance {
        connection
            .prepare_cached(
                "INSERT INTO target VALUES (?1, ?2) ON CONFLICT (id) DO UPDATE SET name = ?2",
            )?
            .execute([&toward.target.id, &toward.target.name])?;
        if let Some(position) = &toward.author {
            put_stance(connection, key, record, toward, None, position)?;
        }
        for actor in &toward.actors {
            put_stance(connection, key, record, toward, Some(actor), &actor.position)?;
        }
    }
    corrections::apply(connection, key)?;
    for story in before.filter(|before| *before != story).into_iter().chain([story]) {
        promote(connection, story)?;
    }
    Ok(())
}

/// Lets the other documents of a story go on without one that is deleted.
fn bereave(connection: &Connection, key: i64, story: i64) -> rusqlite::Result<()> {
    // A story is called by the key of its first document, which the next one would be given.
    let story = if story == key { story::inherit(connection, key)? } else { Some(story) };
    let Some(story) = story else { return Ok(()) };
    for document in corrections::documents_of(connection, story)? {
        corrections::apply(connection, document)?;
    }
    promote(connection, story)
}

pub(crate) fn promote(connection: &Connection, story: i64) -> rusqlite::Result<()> {
    connection.prepare_cached(PROMOTE)?.execute([story]).map(drop)
}

fn put_document(connection: &Connection, record: &Record) -> rusqlite::Result<i64> {
    let sentiment = record.sentiment.as_ref();
    connection.prepare_cached(PUT_DOCUMENT)?.query_row(
        named_params! {
            ":id": record.id,
            ":source": record.source.name,
            ":path": record.source.path,
            ":source_id": record.source.id,
            ":title": record.title,
            ":language": record.language,
            ":published": record.published,
            ":author": record.author,
            ":status": record.status,
            ":notes": json(&record.notes)?,
            ":attributes": json(&record.attributes)?,
            ":text": record.text,
            ":sentiment_label": sentiment.map(|tone| tone.label.as_str()),
            ":sentiment_score": sentiment.map(|tone| tone.score),
            ":sentiment_confidence": sentiment.map(|tone| tone.confidence),
            ":pipeline": record.provenance.pipeline,
            ":standpoint": record.provenance.standpoint,
            ":stages": stages(&record.provenance.stages)?,
        },
        |row| row.get(0),
    )
}

/// Stages without their times, so that equal chains are equal texts.
fn stages(stages: &[StageRun]) -> rusqlite::Result<String> {
    let timeless = stages.iter().cloned().map(|stage| StageRun { ms: 0.0, ..stage });
    json(&timeless.collect::<Vec<_>>())
}

fn json<T: serde::Serialize + ?Sized>(value: &T) -> rusqlite::Result<String> {
    serde_json::to_string(value)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))
}

fn put_layers(connection: &Connection, key: i64, record: &Record) -> rusqlite::Result<()> {
    connection
        .prepare_cached("INSERT OR REPLACE INTO document_layer VALUES (?, ?, ?)")?
        .execute(params![key, json(&record.sentences)?, json(&record.entities)?])?;
    connection.prepare_cached("DELETE FROM entity WHERE document = ?")?.execute([key])?;
    let mut put = connection.prepare_cached(
        "INSERT INTO entity VALUES (?1, ?2, ?3, ?4, 1, ?5)
         ON CONFLICT (document, entity_id) DO UPDATE SET
             sentiment = coalesce((sentiment * mentions + excluded.sentiment) / (mentions + 1),
                 sentiment, excluded.sentiment),
             mentions = mentions + 1",
    )?;
    for mention in &record.entities {
        if let (Some(id), Some(name)) = (&mention.id, &mention.name) {
            let sentiment = mention.sentiment.as_ref().map(|tone| tone.score);
            put.execute(params![key, id, name, mention.label, sentiment])?;
        }
    }
    Ok(())
}

/// - `actor`: who holds the stance; `None` for the author.
fn put_stance(
    connection: &Connection,
    document: i64,
    record: &Record,
    toward: &Toward,
    actor: Option<&Actor>,
    position: &Position,
) -> rusqlite::Result<()> {
    let who = match actor {
        Some(actor) => actor.id.clone(),
        None => author(record.author.as_deref()),
    };
    let author_name = author_name(record);
    connection
        .prepare_cached(
            "INSERT INTO actor VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (who) DO UPDATE SET name = ?2, kind = ?3, country = ?4",
        )?
        .execute(params![
            who,
            actor.map_or(author_name, |actor| &actor.name),
            actor.map_or("author", |actor| &actor.kind),
            actor.and_then(|actor| actor.country.as_deref()),
        ])?;
    let key = connection.prepare_cached(PUT_STANCE)?.insert(named_params! {
        ":document": document,
        ":target_id": toward.target.id,
        ":target_name": toward.target.name,
        ":actor_id": actor.map(|actor| actor.id.as_str()),
        ":actor_name": actor.map(|actor| actor.name.as_str()),
        ":kind": actor.map(|actor| actor.kind.as_str()),
        ":country": actor.and_then(|actor| actor.country.as_deref()),
        ":mentions": actor.map(|actor| actor.mentions),
        ":label": position.label,
        ":degree": position.degree,
        ":score": position.score,
        ":confidence": position.confidence,
        ":who": who,
        ":pieces": i64::try_from(position.evidence.len()).unwrap_or(i64::MAX),
    })?;
    for (is_counter, list) in [(false, &position.evidence), (true, &position.counter_evidence)] {
        for piece in list {
            put_piece(connection, key, is_counter, piece)?;
        }
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

fn put_piece(
    connection: &Connection,
    stance: i64,
    is_counter: bool,
    piece: &Piece,
) -> rusqlite::Result<()> {
    let start = |stretch: Option<Stretch>| stretch.map(|stretch| stretch.start);
    let end = |stretch: Option<Stretch>| stretch.map(|stretch| stretch.end);
    connection.prepare_cached(PUT_EVIDENCE)?.execute(named_params! {
        ":stance": stance,
        ":is_counter": is_counter,
        ":start": piece.start,
        ":end": piece.end,
        ":text": piece.text,
        ":score": piece.score,
        ":confidence": piece.confidence,
        ":voice": piece.voice,
        ":time": piece.time,
        ":holder_start": start(piece.holder),
        ":holder_end": end(piece.holder),
        ":target_start": start(piece.target),
        ":target_end": end(piece.target),
        ":cue_start": start(piece.cue),
        ":cue_end": end(piece.cue),
        ":rule": piece.rule,
    })?;
    Ok(())
}
