//! Statements on a Postgres server: a connection with a clock beside it, so that every wait ends.
//!
//! The store's functions block, and so does this: one connection has a small runtime of its own.
//! Statements are prepared once and kept; rows of one statement are sent together.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::error::Error as _;
use std::fmt::Write as _;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::runtime::{Builder, Handle, Runtime, RuntimeFlavor};
use tokio::time::timeout;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::private::BytesMut;
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};
use tokio_postgres::{Client, Config, Row, Statement};

use super::Value;
use crate::server::{Server, ServerError};

/// One writer at a time: who belongs to which story and which row leads it is decided by looking
/// at what is there, as it is in `SQLite`. `Stnd`, as in the header of `SQLite`'s file.
pub(super) const BEGIN: &str = "BEGIN; SELECT pg_advisory_xact_lock(1400008292)";

/// How many prepared statements a connection keeps.
const KEPT_STATEMENTS: usize = 128;

/// Where `SQLite` looks words up, and where Postgres does.
const WORDS_OF_SQLITE: &str = "SELECT rowid FROM document_text WHERE document_text MATCH ?";
const WORDS: &str = "SELECT key FROM document WHERE words @@ plainto_tsquery('simple', ?)";

/// How `SQLite` reads a list of keys, and how Postgres does.
const KEYS_OF_SQLITE: &str = "SELECT value FROM json_each(?)";
const KEYS: &str = "SELECT value::bigint FROM json_array_elements_text(?::text::json)";

/// Why Postgres did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The server says no, or the connection broke.
    #[error("{}", told(.0))]
    Refused(#[source] tokio_postgres::Error),
    /// The server says nothing.
    #[error("the server did not answer within {0:?}")]
    Silent(Duration),
    /// The connection ended before.
    #[error("the connection has ended")]
    Ended,
}

/// What the server says, in one line.
fn told(error: &tokio_postgres::Error) -> String {
    if let Some(error) = error.as_db_error() {
        return format!("{} (SQLSTATE {})", error.message(), error.code().code());
    }
    let mut text = error.to_string();
    if let Some(source) = error.source() {
        // Infallible: a String takes whatever is written.
        let _ = write!(text, ": {source}");
    }
    text
}

impl Error {
    fn state(&self) -> Option<&SqlState> {
        match self {
            Self::Refused(error) => error.code(),
            _ => None,
        }
    }

    /// Data that does not fit, a constraint, a limit of the program, a trigger of the owner's.
    pub(super) fn is_of_the_document(&self) -> bool {
        let of_document = |state: &SqlState| {
            matches!(state.code().get(..2), Some("22" | "23" | "54")) || state.code() == "P0001"
        };
        self.state().is_some_and(of_document)
            // A value that has no form for its column.
            || matches!(self, Self::Refused(error)
                if error.to_string().starts_with("error serializing parameter"))
    }

    pub(super) fn is_lost(&self) -> bool {
        match self {
            Self::Silent(_) | Self::Ended => true,
            Self::Refused(error) => {
                error.is_closed()
                    || error.source().is_some_and(<dyn std::error::Error>::is::<std::io::Error>)
                    // A server that shuts down or starts; a statement that was prepared for
                    // tables that somebody changed.
                    // So does one that had no patience with an open transaction.
                    || self.state().is_some_and(|state| {
                        matches!(state.code().get(..2), Some("57" | "08" | "26"))
                            || *state == SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT
                    })
            }
        }
    }

    /// Whether another writer has its turn for longer than was waited.
    pub(super) fn is_busy(&self) -> bool {
        self.state() == Some(&SqlState::LOCK_NOT_AVAILABLE)
    }

    /// Whether nobody is there yet, as opposed to somebody who says no.
    pub(crate) fn is_away(&self) -> bool {
        self.is_lost()
            || self.is_busy()
            || matches!(self, Self::Refused(error) if error.as_db_error().is_none())
    }

    pub(super) fn advice(&self) -> &'static str {
        match self.state().map(SqlState::code) {
            Some("55P03") => ": another writer has its turn",
            Some("53100") => ": the server's disk is full; make room",
            Some("28P01" | "28000") => ": name a user that may log in, with its password",
            Some("42501") => ": give this user the right to",
            Some("3D000") => ": make the database with `createdb`",
            Some(_) => "",
            None => ": is the server up, and its address right?",
        }
    }
}

/// A connection.
pub(crate) struct Session {
    /// `None` once it is being dropped.
    runtime: Option<Runtime>,
    client: Client,
    patience: Duration,
    /// Whether the server once kept silent for too long.
    is_silent: Cell<bool>,
    prepared: RefCell<HashMap<String, Statement>>,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Session").finish_non_exhaustive()
    }
}

impl Session {
    pub(crate) fn connect(server: &Server, config: &Config) -> Result<Self, ServerError> {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|source| ServerError::Runtime { source })?;
        let tls = tls(server)?;
        let patience = server.timeout;
        let connected = wait_in(&runtime, async {
            let Ok(connected) = timeout(patience, config.connect(tls)).await else {
                return Err(Error::Silent(patience));
            };
            let (client, connection) = connected.map_err(Error::Refused)?;
            tokio::spawn(async move {
                if let Err(error) = connection.await {
                    tracing::debug!(error = told(&error), "a connection to Postgres broke off");
                }
            });
            Ok(client)
        });
        let refuse = |source: Error| ServerError::refusal(server, source.into());
        let client = connected.map_err(refuse)?;
        Ok(Self {
            runtime: Some(runtime),
            client,
            patience,
            is_silent: Cell::new(false),
            prepared: RefCell::default(),
        })
    }

    /// Waits for what a future gives, as long as patience lasts.
    fn wait<T>(
        &self,
        work: impl Future<Output = Result<T, tokio_postgres::Error>> + Send,
    ) -> Result<T, Error>
    where
        T: Send,
    {
        let runtime = self.runtime.as_ref().ok_or(Error::Ended)?;
        if self.is_lost() {
            return Err(Error::Ended);
        }
        let patience = self.patience;
        let answer = wait_in(runtime, async move { timeout(patience, work).await });
        self.is_silent.set(answer.is_err());
        answer.map_err(|_| Error::Silent(patience))?.map_err(Error::Refused)
    }

    /// Whether the connection has ended, or answers that nobody waited for are on their way.
    pub(crate) fn is_lost(&self) -> bool {
        self.is_silent.get() || self.client.is_closed()
    }

    fn prepare(&self, sql: &str) -> Result<Statement, Error> {
        if let Some(statement) = self.prepared.borrow().get(sql) {
            return Ok(statement.clone());
        }
        let translated = translate(sql);
        let statement = self.wait(self.client.prepare(&translated))?;
        let mut prepared = self.prepared.borrow_mut();
        if prepared.len() >= KEPT_STATEMENTS {
            prepared.clear();
        }
        prepared.insert(sql.to_owned(), statement.clone());
        Ok(statement)
    }

    pub(super) fn run(&self, sql: &str, values: &[Value<'_>]) -> Result<u64, Error> {
        let statement = self.prepare(sql)?;
        self.wait(self.client.execute_raw(&statement, values))
    }

    pub(super) fn run_each(&self, sql: &str, rows: &[Vec<Value<'_>>]) -> Result<(), Error> {
        if rows.is_empty() {
            return Ok(());
        }
        let statement = self.prepare(sql)?;
        // All are under way at once, and the server does them in order.
        let sent = rows.iter().map(|values| self.client.execute_raw(&statement, values));
        let answers = join_all(sent);
        self.wait(async { answers.await.into_iter().try_for_each(|answer| answer.map(drop)) })
    }

    pub(super) fn rows(&self, sql: &str, values: &[Value<'_>]) -> Result<Vec<Row>, Error> {
        let statement = self.prepare(sql)?;
        let values: Vec<&(dyn ToSql + Sync)> =
            values.iter().map(|value| value as &(dyn ToSql + Sync)).collect();
        self.wait(self.client.query(&statement, &values))
    }

    pub(super) fn batch(&self, sql: &str) -> Result<(), Error> {
        self.wait(self.client.batch_execute(sql))
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // Tasks of another runtime may drop this, and must not wait for anything.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Waits from wherever this is called: a thread of its own, or one of a runtime.
fn wait_in<T: Send>(runtime: &Runtime, work: impl Future<Output = T> + Send) -> T {
    match Handle::try_current().map(|handle| handle.runtime_flavor()) {
        Err(_) => runtime.block_on(work),
        Ok(RuntimeFlavor::MultiThread) => tokio::task::block_in_place(|| runtime.block_on(work)),
        Ok(_) => std::thread::scope(|scope| {
            let waiting = scope.spawn(|| runtime.block_on(work));
            waiting.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        }),
    }
}

/// A statement without the indices that `SQLite` is told to use.
fn without_hints(sql: &str) -> String {
    let mut parts = sql.split("INDEXED BY ");
    let mut left = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        left.push_str(
            part.trim_start_matches(|letter: char| letter == '_' || letter.is_alphanumeric()),
        );
    }
    left
}

/// A statement as Postgres has it: marks are numbered, words are looked up in its index, and its
/// planner gets no hints.
fn translate(sql: &str) -> String {
    let sql = without_hints(sql)
        .replace(WORDS_OF_SQLITE, WORDS)
        .replace("rowid", "key")
        .replace(KEYS_OF_SQLITE, KEYS)
        .replace("CROSS JOIN", "JOIN");
    let mut translated = String::with_capacity(sql.len() + 16);
    let (mut is_quoted, mut count) = (false, 0);
    let mut characters = sql.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\'' => {
                is_quoted = !is_quoted;
                translated.push(character);
            }
            '?' if !is_quoted => {
                translated.push('$');
                if !characters.peek().is_some_and(char::is_ascii_digit) {
                    count += 1;
                    // Infallible: a String takes whatever is written.
                    let _ = write!(translated, "{count}");
                }
            }
            _ => translated.push(character),
        }
    }
    translated
}

impl ToSql for Value<'_> {
    fn to_sql(
        &self,
        kind: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match self {
            Self::Null => Ok(IsNull::Yes),
            Self::Integer(value) if *kind == Type::INT4 => i32::try_from(*value)?.to_sql(kind, out),
            Self::Integer(value) if *kind == Type::INT8 => value.to_sql(kind, out),
            Self::Real(value) if *kind == Type::FLOAT8 => value.to_sql(kind, out),
            Self::Flag(value) if *kind == Type::BOOL => value.to_sql(kind, out),
            // Postgres keeps no U+0000. Its place is kept, so that offsets stay what they are.
            Self::Text(value) if value.contains('\0') => {
                value.replace('\0', "\u{fffd}").to_sql(kind, out)
            }
            Self::Text(value) if matches!(*kind, Type::TEXT | Type::VARCHAR | Type::NAME) => {
                value.as_ref().to_sql(kind, out)
            }
            Self::Bytes(value) if *kind == Type::BYTEA => value.as_ref().to_sql(kind, out),
            _ => Err(format!("a column of type {kind} cannot hold {self:?}").into()),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

/// TLS with the certificates that the system trusts, and those of `ca_file`.
fn tls(server: &Server) -> Result<tokio_postgres_rustls::MakeRustlsConnect, ServerError> {
    use tokio_rustls::rustls::crypto::ring::default_provider;
    use tokio_rustls::rustls::pki_types::CertificateDer;
    use tokio_rustls::rustls::pki_types::pem::PemObject;
    use tokio_rustls::rustls::{ClientConfig, RootCertStore};

    let mut roots = RootCertStore::empty();
    // A few that cannot be used, as systems have them, are passed over.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(path) = &server.ca_file {
        let fail = |reason: String| ServerError::Certificates { path: path.clone(), reason };
        let certificates = CertificateDer::pem_file_iter(path)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(|error| fail(error.to_string()))?;
        if certificates.is_empty() {
            return Err(fail("it holds none".to_owned()));
        }
        for certificate in certificates {
            roots.add(certificate).map_err(|error| fail(error.to_string()))?;
        }
    }
    let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| ServerError::Tls { reason: error.to_string() })?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(tokio_postgres_rustls::MakeRustlsConnect::new(config))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_are_said_in_the_words_of_postgres() {
        let cases = [
            ("SELECT a FROM t WHERE b = ? AND c = ?", "SELECT a FROM t WHERE b = $1 AND c = $2"),
            ("UPDATE t SET a = ?2 WHERE key = ?1", "UPDATE t SET a = $2 WHERE key = $1"),
            ("SELECT 'why?' WHERE a = ?", "SELECT 'why?' WHERE a = $1"),
            ("SELECT 1 FROM a CROSS JOIN b ON a.x = b.x", "SELECT 1 FROM a JOIN b ON a.x = b.x"),
            ("SELECT 1 FROM a INDEXED BY a_by_b WHERE b = ?", "SELECT 1 FROM a  WHERE b = $1"),
        ];
        for (sql, expected) in cases {
            assert_eq!(translate(sql), expected);
        }
    }
}
