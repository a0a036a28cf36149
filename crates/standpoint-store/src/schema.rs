//! The database file: opened, recognised, and brought up to date.

use std::fmt;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, MAIN_DB, OpenFlags};
use thiserror::Error;
use tracing::warn;

use crate::base::{self, Base};
use crate::server::{self, Opened, Server, ServerError};
use crate::story;

/// What brings a store from one version to the next; its version is how many were applied.
const MIGRATIONS: &[&str] = &[
    include_str!("sql/v1.sql"),
    include_str!("sql/v2.sql"),
    include_str!("sql/v3.sql"),
    include_str!("sql/v4.sql"),
];

/// The version since which stories are told apart.
const STORIES_SINCE: i64 = 2;

/// How much of a store a reader keeps in memory: 32 MiB, which `SQLite` wants as negative KiB.
const READ_CACHE: i64 = -32_768;

/// How much of a temporary store stays in memory: 256 MiB.
const TEMPORARY_CACHE: i64 = -262_144;

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
    /// An older program made the store, and it is only to be read.
    #[error(
        "{} has store version {found} and this program reads version {}; a daemon or a run that \
         writes to it brings it up to date",
        path.display(),
        MIGRATIONS.len()
    )]
    Older {
        /// Which store.
        path: PathBuf,
        /// The version in the file.
        found: usize,
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
    /// A version of the store before could not be brought up to date.
    #[error("cannot bring {} up to date{}", path.display(), source.advice())]
    Migration {
        /// Which store.
        path: PathBuf,
        /// Why.
        source: base::Error,
    },
    /// A document could not be deleted.
    #[error("cannot delete from {store}{}", source.advice())]
    Forget {
        /// Which store.
        store: String,
        /// Why.
        source: base::Error,
    },
    /// A store on a server cannot be used.
    #[error(transparent)]
    Server(#[from] ServerError),
}

/// What a person can do about an error of `SQLite`, to be put behind what failed.
#[must_use]
pub fn advice(error: &rusqlite::Error) -> &'static str {
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

/// Where a store is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In a file of `SQLite`.
    File(PathBuf),
    /// On a Postgres server.
    Server(Box<Server>),
}

impl Place {
    /// A store by its name on a command line: an address of a server, or else a file.
    #[must_use]
    pub fn named(name: &Path) -> Self {
        match name.to_str().filter(|name| Server::is_meant(name)) {
            Some(url) => Self::Server(Box::new(Server::at(url))),
            None => Self::File(name.to_owned()),
        }
    }

    /// Opens the store, makes it if there is none, and brings one of an older version up to date.
    ///
    /// - `sync`: as for [`Store::open`].
    ///
    /// # Errors
    ///
    /// [`StoreError`] when it cannot be used; it is left as it was.
    pub fn open(&self, sync: bool) -> Result<Store, StoreError> {
        match self {
            Self::File(path) => Store::open(path, sync),
            Self::Server(server) => Store::on(server, Opened::Write { sync }),
        }
    }

    /// Opens a store that is there to read it.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when it is none of ours, or of another version.
    pub fn read(&self) -> Result<Store, StoreError> {
        match self {
            Self::File(path) => Store::read(path),
            Self::Server(server) => Store::on(server, Opened::Read),
        }
    }
}

impl From<PathBuf> for Place {
    fn from(path: PathBuf) -> Self {
        Self::File(path)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(formatter, "{}", path.display()),
            Self::Server(server) => write!(formatter, "{server}"),
        }
    }
}

/// A store that is open.
#[derive(Debug)]
pub struct Store {
    pub(crate) base: Base,
    path: PathBuf,
    /// Which file was opened; `None` for one that nobody can take away or that is only read.
    identity: Option<(u64, u64)>,
}

impl Store {
    /// Opens the store, makes it if there is none, and brings one of an older version up to date.
    ///
    /// - `sync`: whether a document counts as kept only once it is on the disk; else it outlives
    ///   the program but may be lost with the machine's power.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the file is none of ours, newer, damaged, locked or not writable. It is
    /// left as it was.
    pub fn open(path: &Path, sync: bool) -> Result<Self, StoreError> {
        let base = open(path, sync)?;
        let identity = identity(path)
            .map_err(|source| StoreError::Folder { path: path.to_owned(), source })?;
        Ok(Self { base, path: path.to_owned(), identity: Some(identity) })
    }

    /// Opens a store that is there to read it.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the file is none of ours, or of another version.
    pub fn read(path: &Path) -> Result<Self, StoreError> {
        let refuse = |source| refusal(path, source);
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags).map_err(refuse)?;
        connection.busy_timeout(BUSY_TIMEOUT).map_err(refuse)?;
        check_ours(&connection, path)?;
        let found = version(&connection).map_err(refuse)?;
        if found != MIGRATIONS.len() {
            return Err(StoreError::Older { path: path.to_owned(), found });
        }
        connection.pragma_update(None, "trusted_schema", false).map_err(refuse)?;
        connection.pragma_update(None, "cache_size", READ_CACHE).map_err(refuse)?;
        Ok(Self { base: Base::Sqlite(connection), path: path.to_owned(), identity: None })
    }

    /// A store that goes with the program: in memory, and on the disk where it grows large.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when `SQLite` has no room for it.
    pub fn temporary() -> Result<Self, StoreError> {
        // A database without a name is private and removed when it is closed.
        let path = PathBuf::new();
        let refuse = |source| refusal(Path::new("a temporary store"), source);
        let connection = Connection::open(&path).map_err(refuse)?;
        connection.pragma_update(None, "foreign_keys", true).map_err(refuse)?;
        connection.pragma_update(None, "synchronous", "OFF").map_err(refuse)?;
        connection.pragma_update(None, "cache_size", TEMPORARY_CACHE).map_err(refuse)?;
        let base = migrated(connection, &path)?;
        Ok(Self { base, path, identity: None })
    }

    fn on(server: &Server, opened: Opened) -> Result<Self, StoreError> {
        let base = server::open(server, opened)?;
        Ok(Self { base, path: PathBuf::new(), identity: None })
    }

    /// The connection to `SQLite`, for questions that no module of this crate asks; `None` where
    /// the store is on a server.
    #[must_use]
    pub const fn sqlite(&self) -> Option<&Connection> {
        self.base.sqlite()
    }

    /// A number that is another one once somebody else has changed the store.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub fn data_version(&self) -> base::Result<i64> {
        self.base.number(
            match &self.base {
                Base::Sqlite(_) => "SELECT data_version FROM pragma_data_version",
                #[cfg(feature = "postgres")]
                Base::Postgres(_) => "SELECT changes FROM standpoint_store",
            },
            &[],
        )
    }

    /// How many documents it holds.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub fn size(&self) -> base::Result<i64> {
        self.base.number("SELECT count(*) FROM document", &[])
    }

    /// Whether the connection to the store has ended, so that it has to be opened anew.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        match &self.base {
            Base::Sqlite(_) => false,
            #[cfg(feature = "postgres")]
            Base::Postgres(session) => session.is_lost(),
        }
    }

    /// Whether a document's id stands in the write-ahead log of a store in a file.
    pub(crate) fn has_in_log(&self, id: &str) -> bool {
        let log = || fs::read(log_of(&self.path)).unwrap_or_default();
        let id = id.as_bytes();
        self.identity.is_some()
            && !id.is_empty()
            && log().windows(id.len()).any(|found| found == id)
    }

    /// Whether the file that was opened is still at its path.
    pub(crate) fn is_in_place(&self) -> bool {
        self.identity.is_none_or(|opened| identity(&self.path).is_ok_and(|now| now == opened))
    }
}

fn open(path: &Path, sync: bool) -> Result<Base, StoreError> {
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
    let connection = Connection::open_with_flags(path, flags).map_err(refuse)?;
    connection.busy_timeout(BUSY_TIMEOUT).map_err(refuse)?;
    check_ours(&connection, path)?;
    if connection.is_readonly(MAIN_DB).map_err(refuse)? {
        return Err(StoreError::ReadOnly { path: path.to_owned() });
    }
    configure(&connection, path, sync).map_err(refuse)?;
    migrated(connection, path)
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
    let log = log_of(path);
    if length(path) == 0 && length(&log) > 0 {
        return Err(StoreError::Lost { path: path.to_owned(), log });
    }
    Ok(())
}

/// The write-ahead log of the database at a path.
#[must_use]
pub fn log_of(path: &Path) -> PathBuf {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    PathBuf::from(log)
}

/// How many bytes a file has; 0 where there is none.
fn length(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |metadata| metadata.len())
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
    // What is replaced or deleted is written over, so that a forgotten document is not left where
    // it stood before it came again.
    connection.pragma_update(None, "secure_delete", true)?;
    // Finds a damaged page when it is read, not when it has spread.
    connection.pragma_update(None, "cell_size_check", true)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "journal_size_limit", LOG_LIMIT)
}

/// Brings a store of an older version up to date.
fn migrated(connection: Connection, path: &Path) -> Result<Base, StoreError> {
    let base = Base::Sqlite(connection);
    migrate(&base).map_err(|source| match source {
        base::Error::Sqlite(source) => refusal(path, source),
        source => StoreError::Migration { path: path.to_owned(), source },
    })?;
    Ok(base)
}

fn migrate(base: &Base) -> base::Result<()> {
    let transaction = base.begin()?;
    // Read again, now that no other program can be doing the same.
    let done = base.number("SELECT user_version FROM pragma_user_version", &[])?;
    let done = usize::try_from(done).unwrap_or(MIGRATIONS.len());
    for (version, migration) in (1_i64..).zip(MIGRATIONS).skip(done) {
        base.batch(migration)?;
        if version == STORIES_SINCE {
            story::find_all(base)?;
        }
        base.batch(&format!(
            "PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {version}"
        ))?;
    }
    transaction.commit()
}

fn version(connection: &Connection) -> rusqlite::Result<usize> {
    let sql = "SELECT user_version FROM pragma_user_version";
    let version: i64 = connection.query_row(sql, [], |row| row.get(0))?;
    Ok(usize::try_from(version).unwrap_or(MIGRATIONS.len()))
}

/// Tells a file from another that took its place.
fn identity(path: &Path) -> std::io::Result<(u64, u64)> {
    let metadata = fs::metadata(path)?;
    Ok((metadata.dev(), metadata.ino()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Filter;
    use crate::figures;

    /// A store of version 1 with two documents, one of which is a copy of the other.
    fn version_1(path: &Path) {
        let connection = Connection::open(path).unwrap();
        connection.execute_batch(MIGRATIONS[0]).unwrap();
        connection.pragma_update(None, "application_id", APPLICATION_ID).unwrap();
        connection.pragma_update(None, "user_version", 1).unwrap();
        let text = "Astana said on Monday that it would not send its soldiers abroad and asked \
                    Moscow to keep to the treaty that both had signed in spring.";
        for (key, source) in [(1, "wire"), (2, "paper")] {
            connection
                .execute(
                    "INSERT INTO document (key, id, source, title, published, author, status,
                        notes, attributes, text, pipeline, standpoint)
                     VALUES (?1, 'd' || ?1, ?2, 'Title', '2024-05-01', 'A. Writer', 'complete',
                        '[]', '{}', ?3, 'p@1', '0.1.0')",
                    (key, source, text),
                )
                .unwrap();
            for (holder, actor) in [("actor", Some("KAZ")), ("author", None)] {
                connection
                    .execute(
                        "INSERT INTO stance (document, day, target_id, target_name, holder,
                            actor_id, actor_name, kind, mentions, label, degree, score, confidence)
                         VALUES (?1, '2024-05-01', 'RUS', 'Russia', ?2, ?3, ?3, 'country', 1,
                            'opposed', 'distancing', -0.6, 0.8)",
                        (key, holder, actor),
                    )
                    .unwrap();
                let stance = connection.last_insert_rowid();
                connection
                    .execute(
                        "INSERT INTO evidence_row (stance, is_counter, start_offset, end_offset,
                            text, score, confidence, voice, time)
                         VALUES (?1, 0, 0, 6, 'Astana', -0.6, 0.8, 'author', 'present')",
                        [stance],
                    )
                    .unwrap();
            }
        }
    }

    #[test]
    fn a_store_of_version_1_is_brought_up_to_date_and_its_copies_are_found() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.db");
        version_1(&path);
        let refused = Store::read(&path).unwrap_err().to_string();
        assert!(refused.contains("store version 1"), "{refused}");
        drop(Store::open(&path, true).unwrap());
        let store = Store::read(&path).unwrap();
        assert_eq!(version(store.sqlite().unwrap()).unwrap(), MIGRATIONS.len());
        let ranking = figures::ranking(&store, &Filter::toward("RUS")).unwrap();
        let told: Vec<_> = ranking
            .iter()
            .map(|row| (row.who.as_str(), row.figure.stories, row.figure.pieces))
            .collect();
        assert_eq!(told, [("KAZ", 1, 1)], "two copies are one story");
        let stories: String = store
            .sqlite()
            .unwrap()
            .query_row("SELECT group_concat(story) FROM documents", [], |row| row.get(0))
            .unwrap();
        assert_eq!(stories, "d1,d1");
    }

    #[test]
    fn a_fresh_store_is_the_same_as_one_that_was_migrated() {
        let folder = tempfile::tempdir().unwrap();
        let (old, new) = (folder.path().join("old.db"), folder.path().join("new.db"));
        version_1(&old);
        let schema = |path: &Path| -> Vec<String> {
            let store = Store::open(path, true).unwrap();
            let mut statement = store
                .sqlite()
                .unwrap()
                .prepare("SELECT type || ' ' || name || ' ' || coalesce(sql, '') FROM sqlite_schema ORDER BY 1")
                .unwrap();
            let rows = statement.query_map([], |row| row.get(0)).unwrap();
            rows.map(Result::unwrap).collect()
        };
        assert_eq!(schema(&old), schema(&new));
    }
}
