//! Object storage: the source `objects` reads what lies below a prefix of a bucket, and the sink
//! `objects` puts results there.
//!
//! The source is an inbox with a hand that fills it: objects are fetched into a folder of the
//! pipeline's own, and from there on they are files of an inbox, with its formats, limits,
//! quarantine and promise. What was fetched is remembered by its key and version, after the file is
//! safe on this machine's disk and before anybody asks for the next; so no version of an object is
//! fetched twice, but the one that was on its way in a crash, whose documents are recognised by
//! their ids.
//!
//! The sink puts a group of documents as one object, which is there whole or not at all. What an
//! object is going to hold is noted before it is put, and what it held is remembered after, so that
//! at the next start it is known of every document whether it is there.
//!
//! Credentials and endpoints come from the environment (`AWS_…`, `GOOGLE_…`, `AZURE_…`) or a file
//! of such lines, and never from the pipeline file.
//!
//! Modules in reading order: `place` is where something lies with the `credentials` for it,
//! `listing` goes through it, `fetch` brings objects in with `spool`, `source` delivers them;
//! `sink` puts results, as a `body`, with `intent`.

mod body;
mod credentials;
mod fetch;
mod intent;
mod listing;
mod place;
mod sink;
mod source;
mod spool;

use std::io;
use std::path::PathBuf;

use thiserror::Error;

pub use self::body::ObjectFormat;
pub use self::sink::{ObjectsSink, ObjectsSinkSettings};
pub use self::source::{ObjectsSource, ObjectsSourceSettings};
use crate::inbox::InboxError;
use crate::ledger::LedgerError;

/// Why object storage cannot be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ObjectsError {
    /// The address is none.
    #[error(
        "`{url}` is no place in object storage: expected an address such as `s3://bucket/prefix`, \
         `gs://bucket/prefix`, `az://container/prefix` or `file:///folder`"
    )]
    Address {
        /// What was found.
        url: String,
    },
    /// The address holds what belongs elsewhere. It is not shown.
    #[error(
        "the address of object storage holds a password, `?` or `#`: leave them out, and give \
         credentials in the environment"
    )]
    Secret,
    /// The format is not for this build.
    #[error("{lack}")]
    Format {
        /// What is lacking.
        lack: &'static str,
    },
    /// The settings of the environment do not fit.
    #[error("cannot use {url}: are the credentials in the environment right?")]
    Environment {
        /// Which place.
        url: String,
        /// Why.
        source: object_store::Error,
    },
    /// The file with credentials is none. What is in it is not shown.
    #[error("cannot read credentials from {}", path.display())]
    Credentials {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A folder of the pipeline's own cannot be used.
    #[error("cannot use {}", path.display())]
    Folder {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The files that were fetched cannot be read.
    #[error("cannot use the folder of fetched objects")]
    Inbox(#[from] InboxError),
    /// What is remembered cannot be used.
    #[error("cannot remember which objects were had")]
    Ledger(#[from] LedgerError),
}

/// The folder of a pipeline's own for the objects of one source.
#[must_use]
pub fn folder(data_dir: &std::path::Path, source: &str) -> PathBuf {
    data_dir.join("objects").join(crate::ledger::escaped(source))
}

/// The file in which a sink notes what it is putting.
#[must_use]
pub fn note(data_dir: &std::path::Path, sink: &str) -> PathBuf {
    data_dir.join("objects").join(format!("{}.json", crate::ledger::escaped(sink)))
}

/// The inbox that a source fetches into.
#[must_use]
pub fn inbox(data_dir: &std::path::Path, source: &str) -> PathBuf {
    folder(data_dir, source).join("inbox")
}
