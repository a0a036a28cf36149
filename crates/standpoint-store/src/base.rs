//! Where statements run: one small face over `SQLite` and Postgres, so that every question is
//! written once.
//!
//! Statements keep to what both understand, with `?` or `?1` for a value. Where the two differ,
//! Postgres' side changes the text (see the module `postgres`): that happens to the full-text
//! search and to hints for `SQLite`'s planner.

#[cfg(feature = "postgres")]
pub(crate) mod postgres;

use std::borrow::Cow;

use rusqlite::types::{FromSql, ToSqlOutput, ValueRef};
use rusqlite::{Connection, ErrorCode, params_from_iter};
use thiserror::Error;

/// What a store answers.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a database did not do what it was asked.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// `SQLite` refuses.
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
    /// Postgres refuses, or cannot be reached.
    #[cfg(feature = "postgres")]
    #[error(transparent)]
    Postgres(#[from] postgres::Error),
    /// What is to be kept has no form that could be.
    #[error("it cannot be written as JSON")]
    Json(#[from] serde_json::Error),
}

impl Error {
    /// Whether trying again cannot help, because the database is no sound one any more.
    #[must_use]
    pub fn is_damaged(&self) -> bool {
        let Self::Sqlite(error) = self else { return false };
        let code = error.sqlite_error_code();
        matches!(code, Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
    }

    /// Whether the document was refused, so that the next one may do better.
    pub(crate) fn is_of_the_document(&self) -> bool {
        match self {
            Self::Sqlite(rusqlite::Error::ToSqlConversionFailure(_)) | Self::Json(_) => true,
            Self::Sqlite(error) => matches!(
                error.sqlite_error_code(),
                Some(ErrorCode::TooBig | ErrorCode::ConstraintViolation | ErrorCode::TypeMismatch)
            ),
            #[cfg(feature = "postgres")]
            Self::Postgres(error) => error.is_of_the_document(),
        }
    }

    /// Whether the connection is of no use any more and a new one may be.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        #[cfg(feature = "postgres")]
        if let Self::Postgres(error) = self {
            return error.is_lost();
        }
        false
    }

    /// Whether nothing was done because another program writes, so that the same connection may do
    /// it later.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        #[cfg(feature = "postgres")]
        if let Self::Postgres(error) = self {
            return error.is_busy();
        }
        false
    }

    /// What a person can do about it, to be put behind what failed.
    #[must_use]
    pub fn advice(&self) -> &'static str {
        match self {
            Self::Sqlite(error) => crate::schema::advice(error),
            #[cfg(feature = "postgres")]
            Self::Postgres(error) => error.advice(),
            Self::Json(_) => "",
        }
    }
}

/// A value of a statement.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value<'v> {
    Null,
    Integer(i64),
    Real(f64),
    Flag(bool),
    Text(Cow<'v, str>),
    Bytes(Cow<'v, [u8]>),
}

impl From<i64> for Value<'_> {
    fn from(value: i64) -> Self {
        Self::Integer(value)
    }
}

impl From<u32> for Value<'_> {
    fn from(value: u32) -> Self {
        Self::Integer(value.into())
    }
}

impl From<f64> for Value<'_> {
    fn from(value: f64) -> Self {
        Self::Real(value)
    }
}

impl From<bool> for Value<'_> {
    fn from(value: bool) -> Self {
        Self::Flag(value)
    }
}

impl<'v> From<&'v str> for Value<'v> {
    fn from(value: &'v str) -> Self {
        Self::Text(value.into())
    }
}

impl<'v> From<&'v String> for Value<'v> {
    fn from(value: &'v String) -> Self {
        Self::Text(value.into())
    }
}

impl From<String> for Value<'_> {
    fn from(value: String) -> Self {
        Self::Text(value.into())
    }
}

impl From<Vec<u8>> for Value<'_> {
    fn from(value: Vec<u8>) -> Self {
        Self::Bytes(value.into())
    }
}

impl<'v, T: Into<Value<'v>>> From<Option<T>> for Value<'v> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl<'v> From<&'v Option<String>> for Value<'v> {
    fn from(value: &'v Option<String>) -> Self {
        value.as_deref().into()
    }
}

/// The values of a statement, in their order.
macro_rules! values {
    ($($value:expr),* $(,)?) => { [$($crate::base::Value::from($value)),*] };
}
pub(crate) use values;

impl rusqlite::ToSql for Value<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Integer(value) => ValueRef::Integer(*value),
            Self::Real(value) => ValueRef::Real(*value),
            Self::Flag(value) => ValueRef::Integer((*value).into()),
            Self::Text(value) => ValueRef::Text(value.as_bytes()),
            Self::Bytes(value) => ValueRef::Blob(value),
        }))
    }
}

/// A row of an answer.
pub(crate) enum Row<'r> {
    Sqlite(&'r rusqlite::Row<'r>),
    #[cfg(feature = "postgres")]
    Postgres(&'r tokio_postgres::Row),
}

/// What a column can be read as.
pub(crate) trait Column: FromSql {
    #[cfg(feature = "postgres")]
    fn of_postgres(row: &tokio_postgres::Row, index: usize) -> Result<Self>;
}

macro_rules! column {
    ($($kind:ty),*) => { $(impl Column for $kind {
        #[cfg(feature = "postgres")]
        fn of_postgres(row: &tokio_postgres::Row, index: usize) -> Result<Self> {
            Ok(row.try_get(index).map_err(postgres::Error::Refused)?)
        }
    })* };
}
column!(i64, f64, bool, String, Vec<u8>);

impl<T: Column> Column for Option<T>
where
    Option<T>: FromSql,
    T: for<'r> OfPostgres<'r>,
{
    #[cfg(feature = "postgres")]
    fn of_postgres(row: &tokio_postgres::Row, index: usize) -> Result<Self> {
        Ok(row.try_get(index).map_err(postgres::Error::Refused)?)
    }
}

/// What Postgres' client can read a column as; everything where it is not built in.
#[cfg(feature = "postgres")]
pub(crate) trait OfPostgres<'r>: tokio_postgres::types::FromSql<'r> {}
#[cfg(feature = "postgres")]
impl<'r, T: tokio_postgres::types::FromSql<'r>> OfPostgres<'r> for T {}
#[cfg(not(feature = "postgres"))]
pub(crate) trait OfPostgres<'r> {}
#[cfg(not(feature = "postgres"))]
impl<T> OfPostgres<'_> for T {}

impl Row<'_> {
    pub(crate) fn get<T: Column>(&self, index: usize) -> Result<T> {
        match self {
            Self::Sqlite(row) => Ok(row.get(index)?),
            #[cfg(feature = "postgres")]
            Self::Postgres(row) => T::of_postgres(row, index),
        }
    }

    /// A text in its place; empty where there is none.
    pub(crate) fn text(&self, index: usize) -> Result<&str> {
        match self {
            Self::Sqlite(row) => Ok(row.get_ref(index)?.as_str().unwrap_or_default()),
            #[cfg(feature = "postgres")]
            Self::Postgres(row) => {
                let text: Option<&str> = row.try_get(index).map_err(postgres::Error::Refused)?;
                Ok(text.unwrap_or_default())
            }
        }
    }

    /// An offset, which is never negative.
    pub(crate) fn offset(&self, index: usize) -> Result<Option<u32>> {
        Ok(self.get::<Option<i64>>(index)?.and_then(|offset| u32::try_from(offset).ok()))
    }
}

/// A connection to a database.
#[derive(Debug)]
pub(crate) enum Base {
    Sqlite(Connection),
    #[cfg(feature = "postgres")]
    Postgres(Box<postgres::Session>),
}

impl Base {
    /// Runs a statement; gives how many rows it changed.
    pub(crate) fn run(&self, sql: &str, values: &[Value<'_>]) -> Result<u64> {
        match self {
            Self::Sqlite(connection) => {
                let rows = connection.prepare_cached(sql)?.execute(params_from_iter(values))?;
                Ok(rows as u64)
            }
            #[cfg(feature = "postgres")]
            Self::Postgres(session) => Ok(session.run(sql, values)?),
        }
    }

    /// Runs a statement for one row of values after the other.
    pub(crate) fn run_each(&self, sql: &str, rows: &[Vec<Value<'_>>]) -> Result<()> {
        match self {
            Self::Sqlite(connection) => {
                let mut statement = connection.prepare_cached(sql)?;
                for values in rows {
                    statement.execute(params_from_iter(values))?;
                }
                Ok(())
            }
            #[cfg(feature = "postgres")]
            Self::Postgres(session) => Ok(session.run_each(sql, rows)?),
        }
    }

    /// The first row of an answer; `None` if there is none.
    pub(crate) fn row<T>(
        &self,
        sql: &str,
        values: &[Value<'_>],
        read: impl FnOnce(&Row<'_>) -> Result<T>,
    ) -> Result<Option<T>> {
        let mut read = Some(read);
        let mut found = None;
        self.each(sql, values, |row| {
            if let Some(read) = read.take() {
                found = Some(read(row)?);
            }
            Ok(false)
        })?;
        Ok(found)
    }

    /// The one number that a question asks for; 0 where there is no answer.
    pub(crate) fn number(&self, sql: &str, values: &[Value<'_>]) -> Result<i64> {
        Ok(self.row(sql, values, |row| row.get(0))?.unwrap_or_default())
    }

    /// All rows of an answer.
    pub(crate) fn rows<T>(
        &self,
        sql: &str,
        values: &[Value<'_>],
        mut read: impl FnMut(&Row<'_>) -> Result<T>,
    ) -> Result<Vec<T>> {
        let mut found = Vec::new();
        self.each(sql, values, |row| {
            found.push(read(row)?);
            Ok(true)
        })?;
        Ok(found)
    }

    /// Gives rows one by one to `take`, until it says no; whether it never did.
    pub(crate) fn each(
        &self,
        sql: &str,
        values: &[Value<'_>],
        mut take: impl FnMut(&Row<'_>) -> Result<bool>,
    ) -> Result<bool> {
        match self {
            Self::Sqlite(connection) => {
                let mut statement = connection.prepare_cached(sql)?;
                let mut rows = statement.query(params_from_iter(values))?;
                while let Some(row) = rows.next()? {
                    if !take(&Row::Sqlite(row))? {
                        return Ok(false);
                    }
                }
            }
            #[cfg(feature = "postgres")]
            Self::Postgres(session) => {
                for row in session.rows(sql, values)? {
                    if !take(&Row::Postgres(&row))? {
                        return Ok(false);
                    }
                }
            }
        }
        Ok(true)
    }

    /// Runs statements that take no values.
    pub(crate) fn batch(&self, sql: &str) -> Result<()> {
        match self {
            Self::Sqlite(connection) => Ok(connection.execute_batch(sql)?),
            #[cfg(feature = "postgres")]
            Self::Postgres(session) => Ok(session.batch(sql)?),
        }
    }

    /// Lets readers see that something has changed; `SQLite` does so by itself.
    #[cfg_attr(
        not(feature = "postgres"),
        expect(clippy::unnecessary_wraps, reason = "a server may refuse")
    )]
    pub(crate) fn count_change(&self) -> Result<()> {
        match self {
            Self::Sqlite(_) => Ok(()),
            #[cfg(feature = "postgres")]
            Self::Postgres(_) => self.batch("UPDATE standpoint_store SET changes = changes + 1"),
        }
    }

    /// Whether a text may hold U+0000.
    pub(crate) const fn keeps_nul(&self) -> bool {
        self.sqlite().is_some()
    }

    /// The connection, where it is one to `SQLite`.
    #[cfg_attr(
        not(feature = "postgres"),
        expect(clippy::unnecessary_wraps, reason = "a server has none")
    )]
    pub(crate) const fn sqlite(&self) -> Option<&Connection> {
        match self {
            Self::Sqlite(connection) => Some(connection),
            #[cfg(feature = "postgres")]
            Self::Postgres(_) => None,
        }
    }

    /// Words of a text stand in the index until its parts are merged.
    pub(crate) fn forget_words(&self) -> Result<()> {
        let Some(connection) = self.sqlite() else { return Ok(()) };
        let merge = "INSERT INTO document_text (document_text) VALUES ('optimize')";
        Ok(connection.execute(merge, []).map(drop)?)
    }

    /// Empties the log; whether it could. Another program that reads the store keeps it from that.
    pub(crate) fn forget_log(&self) -> Result<bool> {
        let Some(connection) = self.sqlite() else { return Ok(true) };
        let is_done = |row: &rusqlite::Row<'_>| Ok(row.get::<_, i64>(0)? == 0);
        Ok(connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], is_done)?)
    }

    /// Whether its planner has to be told which rows to look at first.
    pub(crate) const fn needs_hints(&self) -> bool {
        match self {
            Self::Sqlite(_) => true,
            #[cfg(feature = "postgres")]
            Self::Postgres(_) => false,
        }
    }

    /// How many rows of a long answer are asked for at once.
    ///
    /// `SQLite` gives them one by one; of Postgres they come all together and want memory.
    pub(crate) const fn page(&self) -> usize {
        match self {
            Self::Sqlite(_) => usize::MAX,
            #[cfg(feature = "postgres")]
            Self::Postgres(_) => 2_000,
        }
    }

    /// Begins to change things: one writer at a time.
    pub(crate) fn begin(&self) -> Result<Transaction<'_>> {
        match self {
            Self::Sqlite(_) => self.batch("BEGIN IMMEDIATE")?,
            #[cfg(feature = "postgres")]
            Self::Postgres(_) => {
                // Begun, too, where only the turn is not had.
                let begun = Transaction { base: self, undo: "ROLLBACK" };
                self.batch(postgres::BEGIN)?;
                return Ok(begun);
            }
        }
        Ok(Transaction { base: self, undo: "ROLLBACK" })
    }

    /// Begins a part of a transaction that can be taken back by itself.
    pub(crate) fn savepoint(&self) -> Result<Transaction<'_>> {
        self.batch("SAVEPOINT part")?;
        Ok(Transaction { base: self, undo: "ROLLBACK TO part; RELEASE part" })
    }
}

/// Changes that are taken back when it is dropped.
#[must_use]
pub(crate) struct Transaction<'b> {
    base: &'b Base,
    /// Empty once the changes are to stay.
    undo: &'static str,
}

impl Transaction<'_> {
    /// Lets the changes stay.
    pub(crate) fn commit(mut self) -> Result<()> {
        self.base.batch(if self.undo == "ROLLBACK" { "COMMIT" } else { "RELEASE part" })?;
        self.undo = "";
        Ok(())
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        if !self.undo.is_empty()
            && let Err(error) = self.base.batch(self.undo)
        {
            // The server takes it back by itself when the connection ends.
            tracing::debug!(%error, "changes were not taken back at once");
        }
    }
}
