//! The sink `sqlite`: keeps documents in a store, which analysts read with SQL and the dashboard
//! and reports show.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use standpoint_document::Document;
use standpoint_engine::{Sink, SinkError};
use standpoint_store::write::{Forgotten, Log, PutError};
use standpoint_store::{Record, Store, StoreError};
use tokio::task;

use crate::jsonl::Maker;

/// Settings of the `sqlite` sink, which keeps documents, stances and evidence in one database.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SqliteSettings {
    /// The database file, relative to the pipeline file. Folders above it are made.
    #[schemars(extend("format" = "path"))]
    pub path: PathBuf,
}

/// Keeps documents in a `SQLite` database, each id once: a document that comes again replaces what
/// was kept of it.
#[derive(Debug)]
pub struct SqliteSink {
    /// `None` while a blocking thread has it, and after a call that was dropped half way.
    store: Option<Store>,
    maker: Maker,
    path: PathBuf,
}

impl SqliteSink {
    /// Opens the store, makes it if there is none, and brings one of an older version up to date.
    ///
    /// - `sync`: whether a document counts as kept only once it is on the disk; else it outlives
    ///   the program but may be lost with the machine's power.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the file is none of ours, newer, damaged, locked or not writable. It is
    /// left as it was.
    pub fn open(path: &Path, maker: Maker, sync: bool) -> Result<Self, StoreError> {
        Ok(Self { store: Some(Store::open(path, sync)?), maker, path: path.to_owned() })
    }
}

/// Deletes a document and all that was found in it from a store.
///
/// # Errors
///
/// [`StoreError`] as for [`SqliteSink::open`].
pub fn forget(path: &Path, id: &str) -> Result<Forgotten, StoreError> {
    if !path.exists() {
        return Ok(Forgotten { was_there: false, log: Log::Empty });
    }
    let mut store = Store::open(path, true)?;
    store
        .forget(id)
        .map_err(|source| StoreError::Forget { store: path.display().to_string(), source })
}

#[async_trait]
impl Sink for SqliteSink {
    async fn write(
        &mut self,
        documents: &[Arc<Document<'static>>],
    ) -> Result<Vec<Result<(), String>>, SinkError> {
        let shown = self.path.display();
        let lost = || SinkError::fatal(format!("writing to {shown} was interrupted"));
        let mut store = self.store.take().ok_or_else(lost)?;
        let group = documents.to_vec();
        let Maker { pipeline, version } = self.maker.clone();
        // Off the I/O runtime, because a slow disk must not delay anything else.
        let (store, result) = task::spawn_blocking(move || {
            let records: Vec<_> =
                group.iter().map(|document| Record::of(document, &pipeline, &version)).collect();
            let result = store.put(&records);
            (store, result)
        })
        .await
        .map_err(|_| lost())?;
        self.store = Some(store);
        result.map_err(|failure| match failure {
            PutError::Replaced => SinkError::fatal(format!(
                "{shown} was removed or replaced while the program ran; put it back and start again"
            )),
            PutError::Refused(error) => {
                let message = format!("cannot write to {shown}{}", error.advice());
                let kind = if error.is_damaged() { SinkError::fatal } else { SinkError::transient };
                kind(message).caused_by(error)
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use standpoint_document::{
        ActorStance, Confidence, EntityKind, Evidence, Metadata, Polarity, SourceRef, Span, Stance,
        StanceTarget, TargetStance, Time, Voice,
    };
    use std::fs;
    use std::time::Duration;

    use rusqlite::{Connection, OpenFlags};

    use super::*;

    const TEXT: &str = "Ré: Aldania condemned Borduria on Monday.";

    fn maker() -> Maker {
        Maker { pipeline: "p@1".into(), version: "0.1.0".into() }
    }

    fn span(part: &str) -> Span {
        let start = TEXT.find(part).unwrap();
        Span::new(start as u32, (start + part.len()) as u32)
    }

    /// A document whose only actor stands at `score`.
    fn document(id: &str, score: f32) -> Arc<Document<'static>> {
        let metadata = Metadata {
            source: SourceRef { name: "news".into(), path: Some("a.txt".into()), id: None },
            published: Some("2026-03-01T08:00:00Z".into()),
            ..Metadata::default()
        };
        let mut document = Document::new(id.to_owned(), TEXT).unwrap().with_metadata(metadata);
        let evidence = Evidence {
            span: span("Aldania condemned Borduria on Monday."),
            score: Polarity::saturating(score),
            confidence: Confidence::saturating(0.9),
            voice: Voice::Author,
            time: Time::Past,
            holder: Some(span("Aldania")),
            target: Some(span("Borduria")),
            cue: None,
            rule: None,
        };
        let stance = Stance {
            score: Polarity::saturating(score),
            confidence: Confidence::saturating(0.8),
            evidence: vec![evidence],
            counter_evidence: Vec::new(),
        };
        let actor = ActorStance {
            id: "ALD".into(),
            name: "Aldania".into(),
            kind: EntityKind::Country,
            country: Some("ALD".into()),
            mentions: 1,
            stance: stance.clone(),
        };
        let target = StanceTarget { id: "BOR".into(), name: "Borduria".into() };
        let stance = TargetStance { target, author: Some(stance), actors: vec![actor] };
        document.set_stance(vec![stance]).unwrap();
        Arc::new(document)
    }

    fn rows(path: &Path, sql: &str) -> Vec<String> {
        let connection =
            Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
        let mut statement = connection.prepare(sql).unwrap();
        let rows = statement.query_map([], |row| row.get(0)).unwrap();
        rows.map(Result::unwrap).collect()
    }

    fn transient(error: &SinkError) -> bool {
        matches!(error, SinkError::Transient { .. })
    }

    #[tokio::test]
    async fn a_document_is_read_through_the_views() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/store.db");
        let mut sink = SqliteSink::open(&path, maker(), true).unwrap();
        assert_eq!(sink.write(&[document("a", -0.8)]).await.unwrap(), [Ok(())]);
        // While the writer is open, as an analyst would.
        let cases = [
            (
                "SELECT id || ' ' || source || ' ' || day || ' ' || status FROM documents",
                "a news 2026-03-01 complete",
            ),
            (
                "SELECT actor_id || ' ' || degree || ' ' || score || ' ' || day FROM actor_stance WHERE target_id = 'BOR'",
                "ALD opposed -0.8 2026-03-01",
            ),
            ("SELECT label || ' ' || confidence FROM author_stance", "opposed 0.8"),
            (
                "SELECT voice || ' ' || time || ' ' || substr(d.text, holder_start + 1, holder_end - holder_start) FROM evidence JOIN documents AS d ON d.id = document_id WHERE holder = 'actor'",
                "author past Aldania",
            ),
            (
                "SELECT id FROM documents WHERE key IN (SELECT rowid FROM document_text WHERE document_text MATCH 're condemned')",
                "a",
            ),
        ];
        for (sql, expected) in cases {
            assert_eq!(rows(&path, sql), [expected], "{sql}");
        }
    }

    #[tokio::test]
    async fn a_document_that_comes_again_replaces_what_was_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.db");
        for score in [-0.8, 0.3, 0.3] {
            let mut sink = SqliteSink::open(&path, maker(), false).unwrap();
            sink.write(&[document("a", -0.1), document("a", score)]).await.unwrap();
        }
        assert_eq!(rows(&path, "SELECT id FROM documents"), ["a"]);
        assert_eq!(rows(&path, "SELECT label FROM actor_stance"), ["supportive"]);
        assert_eq!(rows(&path, "SELECT 'x' FROM evidence_row").len(), 2);
        assert_eq!(
            rows(&path, "SELECT 'x' FROM document_text WHERE document_text MATCH 'monday'").len(),
            1
        );
    }

    #[test]
    fn a_file_that_is_no_store_is_refused_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.db");
        let refused = |fill: &dyn Fn(&Path)| {
            fill(&path);
            let before = fs::read(&path).unwrap();
            let error = SqliteSink::open(&path, maker(), true).unwrap_err().to_string();
            assert_eq!(fs::read(&path).unwrap(), before, "{error}");
            fs::remove_file(&path).unwrap();
            error.replace(&folder.path().display().to_string(), "DIR")
        };
        let messages = [
            refused(&|path| {
                fs::write(path, "not a database, but long enough to be one".repeat(40)).unwrap();
            }),
            refused(&|path| {
                let other = Connection::open(path).unwrap();
                other.execute_batch("CREATE TABLE notes (text)").unwrap();
            }),
            refused(&|path| {
                let newer = Connection::open(path).unwrap();
                newer.pragma_update(None, "application_id", 0x5374_6e64).unwrap();
                newer.pragma_update(None, "user_version", 99).unwrap();
            }),
            refused(&|path| {
                fs::write(path, "").unwrap();
                fs::write(path.with_file_name("store.db-wal"), "left over").unwrap();
            }),
        ];
        insta::assert_snapshot!(messages.join("\n"), @r"
        DIR/store.db is not a store of Standpoint (not a SQLite database); name another file, or move this one away
        DIR/store.db is not a store of Standpoint (a SQLite database of another program); name another file, or move this one away
        DIR/store.db has store version 99 and this program writes version 4; use the newer program
        DIR/store.db is empty, but its write-ahead log DIR/store.db-wal is not: the database was lost; restore it, or move the log away to begin anew
        ");
    }

    #[tokio::test]
    async fn a_store_that_another_program_holds_is_tried_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.db");
        let mut sink = SqliteSink::open(&path, maker(), true).unwrap();
        sink.store.as_ref().unwrap().sqlite().unwrap().busy_timeout(Duration::ZERO).unwrap();
        let other = Connection::open(&path).unwrap();
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        let error = sink.write(&[document("a", 0.0)]).await.unwrap_err();
        assert!(
            transient(&error) && error.to_string().contains("another program holds it"),
            "{error}"
        );
        other.execute_batch("COMMIT").unwrap();
        assert_eq!(sink.write(&[document("a", 0.0)]).await.unwrap(), [Ok(())]);
    }

    #[tokio::test]
    async fn a_full_disk_pauses_and_keeps_nothing_of_the_group() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.db");
        let mut sink = SqliteSink::open(&path, maker(), false).unwrap();
        let connection = sink.store.as_ref().unwrap().sqlite().unwrap();
        let pages: i64 = connection.query_row("PRAGMA page_count", [], |row| row.get(0)).unwrap();
        let limit = |pages: i64| format!("PRAGMA max_page_count = {pages}");
        connection.query_row(&limit(pages + 2), [], |_| Ok(())).unwrap();
        let group: Vec<_> = (0..200).map(|n| document(&n.to_string(), 0.1)).collect();
        let error = sink.write(&group).await.unwrap_err();
        assert!(transient(&error) && error.to_string().contains("make room"), "{error}");
        assert!(rows(&path, "SELECT id FROM documents").is_empty());
        let connection = sink.store.as_ref().unwrap().sqlite().unwrap();
        connection.query_row(&limit(1 << 30), [], |_| Ok(())).unwrap();
        sink.write(&group).await.unwrap();
        assert_eq!(rows(&path, "SELECT id FROM documents").len(), 200);
    }

    #[tokio::test]
    async fn a_store_that_is_removed_stops_the_sink() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.db");
        let mut sink = SqliteSink::open(&path, maker(), true).unwrap();
        let group: Vec<_> = (0..50).map(|n| document(&n.to_string(), 0.1)).collect();
        sink.write(&group).await.unwrap();
        fs::rename(&path, folder.path().join("moved.db")).unwrap();
        let error = sink.write(&group).await.unwrap_err();
        assert!(!transient(&error) && error.to_string().contains("was removed"), "{error}");
    }

    #[tokio::test]
    async fn a_damaged_store_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.db");
        let group: Vec<_> = (0..50).map(|n| document(&n.to_string(), 0.1)).collect();
        let mut sink = SqliteSink::open(&path, maker(), true).unwrap();
        sink.write(&group).await.unwrap();
        // Closing brings everything from the log into the file.
        drop(sink);
        let mut bytes = fs::read(&path).unwrap();
        for page in bytes.chunks_mut(4096).skip(1) {
            page[..8].fill(0xee);
        }
        fs::write(&path, bytes).unwrap();
        let error = match SqliteSink::open(&path, maker(), true) {
            Ok(mut sink) => sink.write(&group).await.unwrap_err().to_string(),
            Err(error) => error.to_string(),
        };
        assert!(error.contains("it is damaged; restore a copy"), "{error}");
    }

    #[tokio::test]
    async fn a_document_that_the_store_refuses_is_its_own_failure() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.db");
        let mut sink = SqliteSink::open(&path, maker(), true).unwrap();
        let connection = sink.store.as_ref().unwrap().sqlite().unwrap();
        connection
            .execute_batch(
                "CREATE TRIGGER refuse BEFORE INSERT ON document WHEN new.id = 'b' BEGIN
                 SELECT raise(ABORT, 'not this one'); END",
            )
            .unwrap();
        let group = [document("a", 0.0), document("b", 0.0), document("c", 0.0)];
        let answers = sink.write(&group).await.unwrap();
        assert_eq!(answers, [Ok(()), Err("the store refuses it: not this one".to_owned()), Ok(())]);
        assert_eq!(rows(&path, "SELECT id FROM documents ORDER BY id"), ["a", "c"]);
    }
}
