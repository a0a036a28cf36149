//! The sink `sqlite`: a store that analysts read with SQL.
//!
//! One file in WAL mode, so that readers never wait for the writer. People read its views
//! (`documents`, `actor_stance`, `author_stance`, `evidence`) and search the full text through
//! `document_text`; the tables behind them may change with the store's version, which is in
//! `PRAGMA user_version`. `PRAGMA application_id` tells it from the databases of others.

mod rows;

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use rusqlite::{Connection, ErrorCode, MAIN_DB, OpenFlags, TransactionBehavior};
use schemars::JsonSchema;
use serde::Deserialize;
use standpoint_document::Document;
use standpoint_engine::{Sink, SinkError};
use thiserror::Error;
use tokio::task;
use tracing::warn;

use crate::jsonl::Maker;

/// Settings of the `sqlite` sink, which keeps documents, stances and evidence in one database.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SqliteSettings {
    /// The database file, relative to the pipeline file. Folders above it are made.
    #[schemars(extend("format" = "path"))]
    pub path: PathBuf,
}

/// What brings a store from one version to the next; its version is how many were applied.
const MIGRATIONS: &[&str] = &[include_str!("sqlite/v1.sql")];

/// `Stnd`, in the header of every store.
const APPLICATION_ID: i32 = 0x5374_6e64;

/// How long a write waits for another program that holds the store, before the engine waits.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// How large the write-ahead log stays on the disk once it was larger, in bytes.
const LOG_LIMIT: i64 = 64 << 20;

/// Why a store cannot be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The folder of the store cannot be made or looked into.
    #[error("cannot use the folder of {}", path.display())]
    Folder {
        /// Which store.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not a database that Standpoint made.
    #[error(
        "{} is not a store of Standpoint ({found}); name another file, or move this one away",
        path.display()
    )]
    Foreign {
        /// Which file.
        path: PathBuf,
        /// What it is instead.
        found: &'static str,
    },
    /// A newer program made the store.
    #[error(
        "{} has store version {found} and this program writes version {}; use the newer program",
        path.display(),
        MIGRATIONS.len()
    )]
    Newer {
        /// Which store.
        path: PathBuf,
        /// The version in the file.
        found: i64,
    },
    /// The database was emptied while its write-ahead log still holds what was in it.
    #[error(
        "{} is empty, but its write-ahead log {} is not: the database was lost; restore it, or \
         move the log away to begin anew",
        path.display(),
        log.display()
    )]
    Lost {
        /// Which store.
        path: PathBuf,
        /// The log that is left.
        log: PathBuf,
    },
    /// The file can be read but not written.
    #[error("{} cannot be written; give this user the right to", path.display())]
    ReadOnly {
        /// Which store.
        path: PathBuf,
    },
    /// `SQLite` refuses.
    #[error("cannot open {}{}", path.display(), advice(source))]
    Sqlite {
        /// Which store.
        path: PathBuf,
        /// Why.
        source: rusqlite::Error,
    },
}

/// What a person can do about an error of `SQLite`.
fn advice(error: &rusqlite::Error) -> &'static str {
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt) => {
            ": it is damaged; restore a copy, or recover it with `sqlite3 FILE .recover`"
        }
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            ": another program holds it; end that program or its transaction"
        }
        Some(ErrorCode::DiskFull) => ": the disk is full; make room",
        Some(ErrorCode::ReadOnly) => ": it cannot be written; give this user the right to",
        _ => "",
    }
}

/// Keeps documents in a `SQLite` database, each id once: a document that comes again replaces what
/// was kept of it.
#[derive(Debug)]
pub struct SqliteSink {
    /// `None` while a blocking thread has it, and after a call that was dropped half way.
    store: Option<Store>,
    path: PathBuf,
}

#[derive(Debug)]
struct Store {
    connection: Connection,
    maker: Maker,
    /// Which file was opened.
    identity: (u64, u64),
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
        let connection = open(path, sync)?;
        let identity = identity(path)
            .map_err(|source| StoreError::Folder { path: path.to_owned(), source })?;
        Ok(Self { store: Some(Store { connection, maker, identity }), path: path.to_owned() })
    }
}

fn open(path: &Path, sync: bool) -> Result<Connection, StoreError> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::create_dir_all(folder)
            .map_err(|source| StoreError::Folder { path: path.to_owned(), source })?;
    }
    refuse_lost(path)?;
    // No URI: a path with a `?` in it is a path.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let refuse = |source| refusal(path, source);
    let mut connection = Connection::open_with_flags(path, flags).map_err(refuse)?;
    connection.busy_timeout(BUSY_TIMEOUT).map_err(refuse)?;
    check_ours(&connection, path)?;
    if connection.is_readonly(MAIN_DB).map_err(refuse)? {
        return Err(StoreError::ReadOnly { path: path.to_owned() });
    }
    configure(&connection, path, sync).map_err(refuse)?;
    migrate(&mut connection).map_err(refuse)?;
    Ok(connection)
}

fn refusal(path: &Path, source: rusqlite::Error) -> StoreError {
    let path = path.to_owned();
    match source.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => {
            StoreError::Foreign { path, found: "not a SQLite database" }
        }
        _ => StoreError::Sqlite { path, source },
    }
}

/// `SQLite` would delete the log of a database that is gone, and what was in it with it.
fn refuse_lost(path: &Path) -> Result<(), StoreError> {
    let length = |path: &Path| fs::metadata(path).map_or(0, |metadata| metadata.len());
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    let log = PathBuf::from(log);
    if length(path) == 0 && length(&log) > 0 {
        return Err(StoreError::Lost { path: path.to_owned(), log });
    }
    Ok(())
}

/// Refuses what is not a store, before anything is written into it.
fn check_ours(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let number = |sql| {
        let row = connection.query_row(sql, [], |row| row.get::<_, i64>(0));
        row.map_err(|source| refusal(path, source))
    };
    let application = number("SELECT application_id FROM pragma_application_id")?;
    let version = number("SELECT user_version FROM pragma_user_version")?;
    if application == i64::from(APPLICATION_ID) {
        if usize::try_from(version).is_ok_and(|version| version > MIGRATIONS.len()) {
            return Err(StoreError::Newer { path: path.to_owned(), found: version });
        }
    } else if application != 0 || version != 0 || number("SELECT count(*) FROM sqlite_schema")? > 0
    {
        let found = "a SQLite database of another program";
        return Err(StoreError::Foreign { path: path.to_owned(), found });
    }
    Ok(())
}

fn configure(connection: &Connection, path: &Path, sync: bool) -> rusqlite::Result<()> {
    let mode: String = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    if mode != "wal" {
        let path = path.display();
        warn!(%path, mode, "readers of this store will wait for the writer: no WAL mode here");
    }
    // In WAL mode only FULL syncs every commit.
    connection.pragma_update(None, "synchronous", if sync { "FULL" } else { "NORMAL" })?;
    connection.pragma_update(None, "foreign_keys", true)?;
    // Finds a damaged page when it is read, not when it has spread.
    connection.pragma_update(None, "cell_size_check", true)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "journal_size_limit", LOG_LIMIT)
}

fn migrate(connection: &mut Connection) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Read again, now that no other program can be doing the same.
    let version =
        transaction.query_row("SELECT user_version FROM pragma_user_version", [], |row| {
            row.get::<_, i64>(0)
        })?;
    let done = usize::try_from(version).unwrap_or(MIGRATIONS.len());
    for (version, migration) in (1_i64..).zip(MIGRATIONS).skip(done) {
        transaction.execute_batch(migration)?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", version)?;
    }
    transaction.commit()
}

/// Tells a file from another that took its place.
fn identity(path: &Path) -> std::io::Result<(u64, u64)> {
    let metadata = fs::metadata(path)?;
    Ok((metadata.dev(), metadata.ino()))
}

/// Why a group could not be kept.
enum Failure {
    /// The file is no longer at its path; what is written now would be lost with it.
    Replaced,
    Sqlite(rusqlite::Error),
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl Store {
    /// Keeps a group in one transaction. What is wrong with one document is its own answer.
    fn put(
        &mut self,
        path: &Path,
        documents: &[Arc<Document<'static>>],
    ) -> Result<Vec<Result<(), String>>, Failure> {
        if identity(path).ok() != Some(self.identity) {
            return Err(Failure::Replaced);
        }
        let mut transaction =
            self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut answers = Vec::with_capacity(documents.len());
        for document in documents {
            let savepoint = transaction.savepoint()?;
            match rows::put(&savepoint, document, &self.maker) {
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
}

/// Whether the next document may do better.
fn is_of_the_document(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::TooBig | ErrorCode::ConstraintViolation | ErrorCode::TypeMismatch)
    ) || matches!(error, rusqlite::Error::ToSqlConversionFailure(_))
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
        let path = self.path.clone();
        // Off the I/O runtime, because a slow disk must not delay anything else.
        let (store, result) = task::spawn_blocking(move || {
            let result = store.put(&path, &group);
            (store, result)
        })
        .await
        .map_err(|_| lost())?;
        self.store = Some(store);
        result.map_err(|failure| match failure {
            Failure::Replaced => SinkError::fatal(format!(
                "{shown} was removed or replaced while the program ran; put it back and start again"
            )),
            Failure::Sqlite(error) => {
                let message = format!("cannot write to {shown}{}", advice(&error));
                let damaged = matches!(
                    error.sqlite_error_code(),
                    Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)
                );
                let kind = if damaged { SinkError::fatal } else { SinkError::transient };
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
                newer.pragma_update(None, "application_id", APPLICATION_ID).unwrap();
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
        DIR/store.db has store version 99 and this program writes version 1; use the newer program
        DIR/store.db is empty, but its write-ahead log DIR/store.db-wal is not: the database was lost; restore it, or move the log away to begin anew
        ");
    }

    #[tokio::test]
    async fn a_store_that_another_program_holds_is_tried_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.db");
        let mut sink = SqliteSink::open(&path, maker(), true).unwrap();
        sink.store.as_ref().unwrap().connection.busy_timeout(Duration::ZERO).unwrap();
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
        let connection = &sink.store.as_ref().unwrap().connection;
        let pages: i64 = connection.query_row("PRAGMA page_count", [], |row| row.get(0)).unwrap();
        let limit = |pages: i64| format!("PRAGMA max_page_count = {pages}");
        connection.query_row(&limit(pages + 2), [], |_| Ok(())).unwrap();
        let group: Vec<_> = (0..200).map(|n| document(&n.to_string(), 0.1)).collect();
        let error = sink.write(&group).await.unwrap_err();
        assert!(transient(&error) && error.to_string().contains("make room"), "{error}");
        assert!(rows(&path, "SELECT id FROM documents").is_empty());
        let connection = &sink.store.as_ref().unwrap().connection;
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
        let connection = &sink.store.as_ref().unwrap().connection;
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
