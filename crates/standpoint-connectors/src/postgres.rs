//! The sink `postgres`: keeps documents in a store on a Postgres server, where many machines may
//! write and everybody reads the views that a file of `sqlite` has.
//!
//! The server gets a document again after a crash, and whenever its answer was lost. The document's
//! id is its key there, so it has one row. A server that is away or slow is waited for: the sources
//! pause, and readiness says so.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use standpoint_document::Document;
use standpoint_engine::{Sink, SinkError};
use standpoint_store::server::{SCHEMA, TIMEOUT};
use standpoint_store::write::PutError;
use standpoint_store::{Place, Record, Server, Store, StoreError};
use thiserror::Error;
use tokio::task;
use tracing::warn;

use crate::jsonl::Maker;

/// Settings of the `postgres` sink, which keeps documents, stances and evidence on a server.
#[derive(Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PostgresSettings {
    /// Where the database is, such as `postgres://standpoint@db.example.org/news`. Put
    /// `?sslmode=require` behind it to insist on TLS.
    #[schemars(length(min = 1))]
    pub url: String,

    /// The user's password, such as `${PGPASSWORD}`: better than in the address, where some signs
    /// mean something else. Leave out where the server asks for none.
    #[serde(default)]
    pub password: Option<String>,

    /// A file that holds the password, in place of `password`. It is read for each connection.
    #[serde(default)]
    #[schemars(extend("format" = "path"))]
    pub password_file: Option<PathBuf>,

    /// The schema that holds the tables; it is made if there is none.
    #[serde(default = "usual_schema")]
    pub schema: String,

    /// A file with certificates (PEM) that the server's may be signed with, besides those that the
    /// system trusts.
    #[serde(default)]
    #[schemars(extend("format" = "path"))]
    pub ca_file: Option<PathBuf>,

    /// How long the server may take for one answer before the connection counts as lost.
    #[serde(default = "patience", with = "humantime_serde")]
    #[schemars(with = "String", extend("format" = "duration"))]
    pub timeout: Duration,
}

fn usual_schema() -> String {
    SCHEMA.to_owned()
}

const fn patience() -> Duration {
    TIMEOUT
}

/// Without what nobody may see.
impl std::fmt::Debug for PostgresSettings {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("PostgresSettings")
            .field("schema", &self.schema)
            .finish_non_exhaustive()
    }
}

/// Why a server cannot be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PostgresError {
    /// The password cannot be read.
    #[error("{}: cannot read the password", path.display())]
    Password {
        /// Its file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl PostgresSettings {
    /// Where the store is, with the password as it stands now.
    ///
    /// # Errors
    ///
    /// [`PostgresError::Password`] when its file cannot be read.
    pub fn place(&self) -> Result<Place, PostgresError> {
        let password = match &self.password_file {
            Some(path) => {
                let text = fs::read_to_string(path)
                    .map_err(|source| PostgresError::Password { path: path.clone(), source })?;
                Some(text.trim_end_matches(['\r', '\n']).to_owned())
            }
            None => self.password.clone(),
        };
        Ok(Place::Server(Box::new(Server {
            url: self.url.clone(),
            password,
            schema: self.schema.clone(),
            ca_file: self.ca_file.clone(),
            timeout: self.timeout,
        })))
    }
}

/// Keeps documents on a Postgres server, each id once.
#[derive(Debug)]
pub struct PostgresSink {
    settings: PostgresSettings,
    /// `None` while there is no connection, or a blocking thread has it.
    store: Option<Store>,
    maker: Maker,
    sync: bool,
}

impl PostgresSink {
    /// Opens the store, makes it if there is none, and brings one of an older version up to date.
    /// A server that is away now is asked again when there is something to keep.
    ///
    /// - `sync`: whether a document counts as kept only once it is on the server's disk.
    ///
    /// # Errors
    ///
    /// [`PostgresError`] when the server says no, or the settings cannot be.
    pub fn open(
        settings: PostgresSettings,
        maker: Maker,
        sync: bool,
    ) -> Result<Self, PostgresError> {
        let store = match settings.place()?.open(sync) {
            Ok(store) => Some(store),
            Err(StoreError::Server(error)) if error.is_away() => {
                let error = crate::files::with_causes(&error);
                warn!(error, "the server of a sink is away; its documents will wait for it");
                None
            }
            Err(error) => return Err(error.into()),
        };
        Ok(Self { settings, store, maker, sync })
    }
}

/// Deletes a document and all that was found in it; whether it was there.
///
/// # Errors
///
/// [`PostgresError`] as for [`PostgresSink::open`].
pub fn forget(settings: &PostgresSettings, id: &str) -> Result<bool, PostgresError> {
    let place = settings.place()?;
    let mut store = place.open(true)?;
    let fail = |source| StoreError::Forget { store: place.to_string(), source };
    Ok(store.forget(id).map_err(fail)?.was_there)
}

/// The connection, for the next group, and what the store says to each document.
type Answered = (Option<Store>, Result<Vec<Result<(), String>>, SinkError>);

/// Keeps a group over the connection, or over a new one.
fn put(
    store: Option<Store>,
    place: &Place,
    sync: bool,
    maker: &Maker,
    group: &[Arc<Document<'static>>],
) -> Answered {
    let mut store =
        match store.filter(|store| !store.is_lost()).map_or_else(|| place.open(sync), Ok) {
            Ok(store) => store,
            // Who may log in and where may be mended without a restart.
            Err(error) => {
                let error = SinkError::transient("cannot open the store").caused_by(error);
                return (None, Err(error));
            }
        };
    let records: Vec<_> = group
        .iter()
        .map(|document| Record::of(document, &maker.pipeline, &maker.version))
        .collect();
    match store.put(&records) {
        Ok(answers) => (Some(store), Ok(answers)),
        Err(PutError::Refused(error)) => {
            let message = format!("cannot write to {place}{}", error.advice());
            // The connection goes with the store: a transaction may be open on it. Where none was
            // begun, it stays.
            let store = error.is_busy().then_some(store);
            (store, Err(SinkError::transient(message).caused_by(error)))
        }
        Err(error @ PutError::Replaced) => {
            let error = SinkError::fatal(format!("cannot write to {place}")).caused_by(error);
            (None, Err(error))
        }
    }
}

#[async_trait]
impl Sink for PostgresSink {
    async fn write(
        &mut self,
        documents: &[Arc<Document<'static>>],
    ) -> Result<Vec<Result<(), String>>, SinkError> {
        let place = self
            .settings
            .place()
            .map_err(|error| SinkError::transient("cannot log in").caused_by(error))?;
        let (store, group) = (self.store.take(), documents.to_vec());
        let (maker, sync) = (self.maker.clone(), self.sync);
        // Off the I/O runtime, because a slow server must not delay anything else.
        let put = task::spawn_blocking(move || put(store, &place, sync, &maker, &group));
        let (store, answers) =
            put.await.map_err(|_| SinkError::transient("writing was interrupted"))?;
        self.store = store;
        answers
    }
}
