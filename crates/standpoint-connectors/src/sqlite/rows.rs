//! One document as rows of the store.

use rusqlite::{Connection, named_params};
use standpoint_document::{ActorStance, CodePoints, Document, Evidence, Stance, TargetStance};

use crate::jsonl::Maker;

const PUT_DOCUMENT: &str = "
    INSERT INTO document (id, source, path, source_id, title, language, published, author, status,
        notes, attributes, text, sentiment_label, sentiment_score, sentiment_confidence, pipeline,
        standpoint)
    VALUES (:id, :source, :path, :source_id, :title, :language, :published, :author, :status,
        :notes, :attributes, :text, :sentiment_label, round(:sentiment_score, 3),
        round(:sentiment_confidence, 3), :pipeline, :standpoint)
    ON CONFLICT (id) DO UPDATE SET
        source = excluded.source, path = excluded.path, source_id = excluded.source_id,
        title = excluded.title, language = excluded.language, published = excluded.published,
        author = excluded.author, status = excluded.status, notes = excluded.notes,
        attributes = excluded.attributes, text = excluded.text,
        sentiment_label = excluded.sentiment_label, sentiment_score = excluded.sentiment_score,
        sentiment_confidence = excluded.sentiment_confidence, pipeline = excluded.pipeline,
        standpoint = excluded.standpoint,
        stored_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now')
    RETURNING key";

const PUT_STANCE: &str = "
    INSERT INTO stance (document, day, target_id, target_name, holder, actor_id, actor_name, kind,
        country, mentions, label, degree, score, confidence)
    VALUES (:document, (SELECT day FROM document WHERE key = :document), :target_id, :target_name,
        iif(:actor_id IS NULL, 'author', 'actor'), :actor_id, :actor_name, :kind, :country,
        :mentions, :label, :degree, round(:score, 3), round(:confidence, 3))";

const PUT_EVIDENCE: &str = "
    INSERT INTO evidence_row (stance, is_counter, start_offset, end_offset, text, score,
        confidence, voice, time, holder_start, holder_end, target_start, target_end)
    VALUES (:stance, :is_counter, :start, :end, :text, round(:score, 3), round(:confidence, 3),
        :voice, :time, :holder_start, :holder_end, :target_start, :target_end)";

/// Puts a document and all that was found in it in the place of what was kept under its id.
pub(super) fn put(
    connection: &Connection,
    document: &Document<'_>,
    maker: &Maker,
) -> rusqlite::Result<()> {
    let key = put_document(connection, document, maker)?;
    connection.prepare_cached("DELETE FROM stance WHERE document = ?")?.execute([key])?;
    let rows = Rows { connection, document, points: CodePoints::new(document.text()), key };
    for target in document.stance() {
        if let Some(stance) = &target.author {
            rows.put_stance(target, None, stance)?;
        }
        for actor in &target.actors {
            rows.put_stance(target, Some(actor), &actor.stance)?;
        }
    }
    Ok(())
}

fn put_document(
    connection: &Connection,
    document: &Document<'_>,
    maker: &Maker,
) -> rusqlite::Result<i64> {
    let metadata = document.metadata();
    let sentiment = document.sentiment().and_then(|record| record.document);
    connection.prepare_cached(PUT_DOCUMENT)?.query_row(
        named_params! {
            ":id": document.id(),
            ":source": metadata.source.name,
            ":path": metadata.source.path,
            ":source_id": metadata.source.id,
            ":title": metadata.title,
            ":language": metadata.language,
            ":published": metadata.published,
            ":author": metadata.author,
            ":status": document.status(),
            ":notes": json(document.notes())?,
            ":attributes": json(document.attributes())?,
            ":text": document.text(),
            ":sentiment_label": sentiment.map(|sentiment| sentiment.label().name()),
            ":sentiment_score": sentiment.map(|sentiment| sentiment.score.get()),
            ":sentiment_confidence": sentiment.map(|sentiment| sentiment.confidence.get()),
            ":pipeline": document.pipeline().unwrap_or(&maker.pipeline),
            ":standpoint": maker.version,
        },
        |row| row.get(0),
    )
}

fn json<T: serde::Serialize + ?Sized>(value: &T) -> rusqlite::Result<String> {
    serde_json::to_string(value)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))
}

/// Where the rows of one document go.
struct Rows<'d> {
    connection: &'d Connection,
    document: &'d Document<'d>,
    points: CodePoints,
    key: i64,
}

impl Rows<'_> {
    /// - `actor`: who holds the stance; `None` for the author.
    fn put_stance(
        &self,
        target: &TargetStance,
        actor: Option<&ActorStance>,
        stance: &Stance,
    ) -> rusqlite::Result<()> {
        let key = self.connection.prepare_cached(PUT_STANCE)?.insert(named_params! {
            ":document": self.key,
            ":target_id": target.target.id,
            ":target_name": target.target.name,
            ":actor_id": actor.map(|actor| actor.id.as_str()),
            ":actor_name": actor.map(|actor| actor.name.as_str()),
            ":kind": actor.map(|actor| actor.kind.name()),
            ":country": actor.and_then(|actor| actor.country.as_deref()),
            ":mentions": actor.map(|actor| actor.mentions),
            ":label": stance.label().name(),
            ":degree": stance.degree().name(),
            ":score": stance.score.get(),
            ":confidence": stance.confidence.get(),
        })?;
        for (is_counter, list) in [(false, &stance.evidence), (true, &stance.counter_evidence)] {
            for evidence in list {
                self.put_evidence(key, is_counter, evidence)?;
            }
        }
        Ok(())
    }

    fn put_evidence(
        &self,
        stance: i64,
        is_counter: bool,
        evidence: &Evidence,
    ) -> rusqlite::Result<()> {
        let at = |offset| self.points.at(offset);
        self.connection.prepare_cached(PUT_EVIDENCE)?.execute(named_params! {
            ":stance": stance,
            ":is_counter": is_counter,
            ":start": at(evidence.span.start),
            ":end": at(evidence.span.end),
            ":text": self.document.slice(evidence.span),
            ":score": evidence.score.get(),
            ":confidence": evidence.confidence.get(),
            ":voice": evidence.voice.name(),
            ":time": evidence.time.name(),
            ":holder_start": evidence.holder.map(|span| at(span.start)),
            ":holder_end": evidence.holder.map(|span| at(span.end)),
            ":target_start": evidence.target.map(|span| at(span.start)),
            ":target_end": evidence.target.map(|span| at(span.end)),
        })?;
        Ok(())
    }
}
