//! A store on a Postgres server: where it is, and how it is opened and brought up to date.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;

use crate::base;

/// How long a server may take for one answer.
pub const TIMEOUT: Duration = Duration::from_secs(30);

/// The schema that holds a store's tables where nobody says otherwise.
pub const SCHEMA: &str = "standpoint";

/// Where a store on a server is, and who may use it.
#[derive(Clone, PartialEq, Eq)]
pub struct Server {
    /// `postgres://USER:PASSWORD@HOST:PORT/DATABASE?sslmode=require`, or the same as words.
    pub url: String,
    /// In place of the password in the address.
    pub password: Option<String>,
    /// The schema that holds the tables.
    pub schema: String,
    /// Certificates (PEM) that the server's may be signed with, besides those that the system
    /// trusts.
    pub ca_file: Option<PathBuf>,
    /// How long the server may take for one answer.
    pub timeout: Duration,
}

impl Server {
    /// A server by its address alone; the password may stand in `PGPASSWORD`.
    #[must_use]
    pub fn at(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            password: std::env::var("PGPASSWORD").ok().filter(|password| !password.is_empty()),
            schema: SCHEMA.to_owned(),
            ca_file: None,
            timeout: TIMEOUT,
        }
    }

    /// Whether a name is one of a server rather than one of a file.
    #[must_use]
    pub fn is_meant(name: &str) -> bool {
        name.starts_with("postgres://") || name.starts_with("postgresql://")
    }
}

/// Never with the password, nor with the address that may hold one.
impl fmt::Display for Server {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", address(&self.url))?;
        if self.schema != SCHEMA {
            write!(formatter, " (schema {})", self.schema)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Server({self})")
    }
}

/// Host and database of an address, without who may use them.
fn address(url: &str) -> String {
    let Some((_, rest)) = url.split_once("://") else { return "Postgres".to_owned() };
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    let place = rest.rsplit_once('@').map_or(rest, |(_, place)| place);
    format!("postgres://{place}")
}

/// Why a store on a server cannot be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ServerError {
    /// This build cannot.
    #[error(
        "this build speaks to no Postgres: build it with `cargo build --features postgres`, or \
         keep documents in a sink of type `sqlite`"
    )]
    NotBuilt,
    /// The address is none. It may hold a password, so it is not shown.
    #[error(
        "the address of the server is none ({reason}); expected \
         postgres://USER@HOST:5432/DATABASE, with `sslmode=require` behind a `?` to insist on TLS"
    )]
    Address {
        /// What is wrong with it.
        reason: String,
    },
    /// A name that the schema cannot have.
    #[error(
        "`schema` is {found:?}: expected small letters, digits and `_`, not more than 63 of them, \
         a letter first"
    )]
    Schema {
        /// What was found.
        found: String,
    },
    /// Certificates cannot be read.
    #[error("{}: no certificate (PEM): {reason}", path.display())]
    Certificates {
        /// Their file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// TLS cannot be set up.
    #[error("TLS cannot be used: {reason}")]
    Tls {
        /// Why.
        reason: String,
    },
    /// The machine has no room for a connection.
    #[error("no connection can be made")]
    Runtime {
        /// Why.
        source: std::io::Error,
    },
    /// The server cannot be reached, or says no.
    #[error("cannot use the store at {server}{}", source.advice())]
    Refused {
        /// Which.
        server: String,
        /// Why.
        source: base::Error,
    },
    /// Somebody else's tables.
    #[error(
        "schema `{schema}` at {server} holds a table `document` that is not Standpoint's; name \
         another schema with `schema`"
    )]
    Foreign {
        /// Which.
        server: String,
        /// Its schema.
        schema: String,
    },
    /// There is no store.
    #[error(
        "{server} has no store in schema `{schema}`; a daemon or a run with a sink of type \
         `postgres` makes one"
    )]
    None {
        /// Which.
        server: String,
        /// The schema.
        schema: String,
    },
    /// A program of another version made the store.
    #[error("the store at {server} has version {found} and this program {does} version {expected}{}",
        if found > expected { "; use the newer program" }
        else { "; a daemon or a run that writes to it brings it up to date" })]
    Version {
        /// Which.
        server: String,
        /// The version that it has.
        found: i64,
        /// The version that this program knows.
        expected: i64,
        /// What this program would do with it.
        does: &'static str,
    },
}

impl ServerError {
    #[cfg(feature = "postgres")]
    pub(crate) fn refusal(server: &Server, source: base::Error) -> Self {
        Self::Refused { server: server.to_string(), source }
    }

    /// Whether the server may only be away for now.
    #[must_use]
    pub fn is_away(&self) -> bool {
        #[cfg(feature = "postgres")]
        if let Self::Refused { source: base::Error::Postgres(source), .. } = self {
            return source.is_away();
        }
        false
    }
}

#[cfg(not(feature = "postgres"))]
pub(crate) fn open(_: &Server, _: Opened) -> Result<base::Base, ServerError> {
    Err(ServerError::NotBuilt)
}

/// What a store is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Opened {
    /// To be read.
    Read,
    /// To be written.
    Write {
        /// Whether a document counts as kept only once it is on the server's disk.
        sync: bool,
    },
}

#[cfg(feature = "postgres")]
pub(crate) use connected::open;

#[cfg(feature = "postgres")]
mod connected {
    use std::str::FromStr;
    use std::time::Duration;

    use tokio_postgres::Config;

    use super::{Opened, Server, ServerError};
    use crate::base::postgres::Session;
    use crate::base::{Base, values};

    /// The versions that `SQLite`'s store has had, from the one on which Postgres' begins.
    const MIGRATIONS: &[(i64, &str)] = &[
        (2, include_str!("sql/postgres_v2.sql")),
        (3, include_str!("sql/postgres_v3.sql")),
        (4, include_str!("sql/postgres_v4.sql")),
    ];

    fn newest() -> i64 {
        MIGRATIONS.last().map_or(0, |(version, _)| *version)
    }

    pub(crate) fn open(server: &Server, opened: Opened) -> Result<Base, ServerError> {
        let config = config(server)?;
        let base = Base::Postgres(Box::new(Session::connect(server, &config)?));
        let refuse = |source| ServerError::refusal(server, source);
        let schema = &server.schema;
        base.batch(&format!("SET search_path TO {schema}")).map_err(refuse)?;
        if opened == Opened::Read {
            base.batch("SET default_transaction_read_only = on").map_err(refuse)?;
        } else {
            if opened == (Opened::Write { sync: false }) {
                base.batch("SET synchronous_commit = off").map_err(refuse)?;
            }
            base.batch(&patience(server.timeout)).map_err(refuse)?;
            migrate(&base, server)?;
        }
        match version(&base, server)? {
            None => Err(ServerError::None { server: server.to_string(), schema: schema.clone() }),
            Some(found) if found != newest() => Err(other_version(server, found, "reads")),
            Some(_) => Ok(base),
        }
    }

    /// Writers take turns, and one that is stopped in the middle of its own must not stop the
    /// others for ever. Whoever waits hears that it is busy before it would take that for silence.
    fn patience(timeout: Duration) -> String {
        let turn = timeout.as_millis().clamp(1, i32::MAX as u128);
        let wait = (turn - turn / 4).max(1);
        format!("SET idle_in_transaction_session_timeout = {turn}; SET lock_timeout = {wait}")
    }

    fn other_version(server: &Server, found: i64, does: &'static str) -> ServerError {
        ServerError::Version { server: server.to_string(), found, expected: newest(), does }
    }

    fn config(server: &Server) -> Result<Config, ServerError> {
        let mut letters = server.schema.bytes();
        let is_name = letters.next().is_some_and(|first| first.is_ascii_lowercase())
            && letters.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
            && server.schema.len() <= 63;
        if !is_name {
            return Err(ServerError::Schema { found: server.schema.clone() });
        }
        let mut config = Config::from_str(&server.url).map_err(|error| {
            // The source names the key or the port, never the password.
            let reason = std::error::Error::source(&error)
                .map_or_else(|| "it cannot be read".to_owned(), ToString::to_string);
            ServerError::Address { reason }
        })?;
        if let Some(password) = &server.password {
            config.password(password);
        }
        config.application_name("standpoint").connect_timeout(server.timeout);
        // A server whose machine is gone is found out by silence.
        config.tcp_user_timeout(server.timeout);
        Ok(config)
    }

    /// The store's version; `None` where there is no store.
    fn version(base: &Base, server: &Server) -> Result<Option<i64>, ServerError> {
        let refuse = |source| ServerError::refusal(server, source);
        let has = |table: &str| {
            let sql = "SELECT count(*) FROM pg_catalog.pg_tables
                       WHERE schemaname = ? AND tablename = ?";
            let count = base.number(sql, &values![&server.schema, table]).map_err(refuse)?;
            Ok::<_, ServerError>(count > 0)
        };
        if has("standpoint_store")? {
            let sql = "SELECT version FROM standpoint_store";
            return base.row(sql, &[], |row| row.get(0)).map_err(refuse);
        }
        if has("document")? {
            let (server, schema) = (server.to_string(), server.schema.clone());
            return Err(ServerError::Foreign { server, schema });
        }
        Ok(None)
    }

    fn migrate(base: &Base, server: &Server) -> Result<(), ServerError> {
        let refuse = |source| ServerError::refusal(server, source);
        if version(base, server)? == Some(newest()) {
            return Ok(());
        }
        let transaction = base.begin().map_err(refuse)?;
        // Again, now that no other program can be doing the same.
        let done = version(base, server)?.unwrap_or_default();
        if done > newest() {
            return Err(other_version(server, done, "writes"));
        }
        let sql = "SELECT count(*) FROM pg_catalog.pg_namespace WHERE nspname = ?";
        if base.number(sql, &values![&server.schema]).map_err(refuse)? == 0 {
            base.batch(&format!("CREATE SCHEMA {}", server.schema)).map_err(refuse)?;
        }
        for (version, sql) in MIGRATIONS.iter().filter(|(version, _)| *version > done) {
            base.batch(sql).map_err(refuse)?;
            let sql = "UPDATE standpoint_store SET version = ?";
            base.run(sql, &values![*version]).map_err(refuse)?;
        }
        transaction.commit().map_err(refuse)
    }
}
