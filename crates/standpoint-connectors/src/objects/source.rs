//! The source `objects`: an inbox that is filled from a bucket.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use standpoint_engine::{Delivery, Pause, Source, SourceError};
use tokio::runtime::Builder;
use tokio::sync::oneshot;
use tokio::task;

use super::fetch::{Feed, Fetcher};
use super::place::{Place, mistake_in};
use super::spool::Spool;
use super::{ObjectsError, folder, inbox};
use crate::inbox::{
    InboxSettings, InboxSource, OnSuccess, Places, Size, Until, Wanted, Watch, all_files,
};
use crate::limits::ReadLimits;

/// Settings of the `objects` source, which reads the objects below a prefix of a bucket.
/// Credentials and endpoints come from the environment. Objects are left where they are.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ObjectsSourceSettings {
    /// The bucket and prefix, such as `s3://bucket/news`, `gs://bucket/news`,
    /// `az://container/news` or `file:///srv/news`.
    #[schemars(length(min = 1))]
    pub url: String,

    /// A file with credentials, as lines `NAME=value` with the names of the environment, before
    /// which they go.
    #[serde(default)]
    #[schemars(extend("format" = "path"))]
    pub credentials_file: Option<PathBuf>,

    /// Which objects to read, as patterns over the key below the prefix.
    #[serde(default = "all_files")]
    pub include: Vec<String>,

    /// Which objects to leave, besides hidden ones, `*.tmp`, `*.part` and the like, and those in
    /// formats that are not read.
    #[serde(default)]
    pub ignore: Vec<String>,

    /// How often the bucket is looked through for new objects and new versions.
    #[serde(default = "one_minute", with = "humantime_serde")]
    #[schemars(with = "String", extend("format" = "duration"))]
    pub poll_every: Duration,

    /// How much may be fetched and wait on this machine's disk before fetching pauses.
    #[serde(default = "usual_bytes_ahead")]
    #[schemars(with = "String", extend("format" = "size"))]
    pub max_bytes_ahead: Size,

    /// How large an object may be. A larger one is not fetched, and the log names it.
    #[serde(default = "usual_object_bytes")]
    #[schemars(with = "String", extend("format" = "size"))]
    pub max_object_bytes: Size,

    /// The size of one document, in place of the pipeline's `limits.max_document_bytes`.
    #[serde(default)]
    #[schemars(with = "Option<String>", extend("format" = "size"))]
    pub max_document_bytes: Option<Size>,
}

const fn one_minute() -> Duration {
    Duration::from_mins(1)
}

const fn usual_bytes_ahead() -> Size {
    Size(256 << 20)
}

const fn usual_object_bytes() -> Size {
    Size(1 << 30)
}

impl ObjectsSourceSettings {
    /// What no schema can say of the settings: the key, and what is wrong with it.
    #[must_use]
    pub fn mistake(&self) -> Option<(&'static str, String)> {
        mistake_in(&self.url)
    }

    /// The inbox into which the objects of a source are fetched.
    #[must_use]
    pub fn inbox(&self, data_dir: &Path, source: &str) -> InboxSettings {
        InboxSettings {
            path: inbox(data_dir, source),
            include: all_files(),
            ignore: Vec::new(),
            // Files come whole, by being renamed.
            settle: Some(Duration::from_millis(1)),
            scan_every: Duration::from_millis(500),
            watch: Watch::Auto,
            complete_marker: None,
            max_document_bytes: self.max_document_bytes,
            on_success: OnSuccess::Delete,
        }
    }
}

/// Delivers the documents of the objects in a bucket.
#[derive(Debug)]
pub struct ObjectsSource {
    inbox: InboxSource,
    feed: Arc<Feed>,
    /// `None` once closed.
    fetcher: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
}

impl ObjectsSource {
    /// Takes up what an earlier run left and starts to fetch.
    ///
    /// - `data_dir`: where the source has its own folder;
    /// - `until_drained`: whether the source ends once it has delivered what is there now.
    ///
    /// # Errors
    ///
    /// [`ObjectsError`] when the address is none or a folder cannot be used. A server that is away
    /// is waited for.
    pub fn open(
        name: &str,
        settings: &ObjectsSourceSettings,
        places: &Places,
        limits: ReadLimits,
        data_dir: &Path,
        until_drained: bool,
    ) -> Result<Self, ObjectsError> {
        let place = Place::of(&settings.url, settings.credentials_file.as_deref(), places.sync)?;
        let folder = folder(data_dir, name);
        let fail = |source| ObjectsError::Folder { path: folder.clone(), source };
        let spool = Spool::open(&folder, settings.max_bytes_ahead.0, places.sync).map_err(fail)?;
        let feed = Arc::new(Feed::default());
        let until = if until_drained {
            Until::DrainedAfter(Arc::clone(&feed.is_over))
        } else {
            Until::Closed
        };
        let spooled = settings.inbox(data_dir, name);
        let inbox = InboxSource::open_until(name, &spooled, places, limits, until)?;
        let fetcher = Fetcher {
            name: name.to_owned(),
            place,
            spool,
            wanted: Wanted::of(&settings.include, &settings.ignore, None)?,
            memory: places.ledger.of_objects(name)?,
            max_object_bytes: settings.max_object_bytes.0,
            reported: HashSet::new(),
            most_objects: places.ledger.most_ids(),
            poll_every: settings.poll_every,
            until_drained,
            pause: inbox.pause(),
            feed: Arc::clone(&feed),
        };
        // A runtime of its own, so that neither writing files here nor a slow server there delays
        // anything else.
        let runtime = Builder::new_current_thread().enable_all().build().map_err(fail)?;
        let (stop, stopped) = oneshot::channel();
        let thread = thread::Builder::new()
            .name(format!("fetch-{name}"))
            .spawn(move || runtime.block_on(fetcher.run(stopped)))
            .map_err(fail)?;
        Ok(Self { inbox, feed, fetcher: Some((stop, thread)) })
    }
}

#[async_trait]
impl Source for ObjectsSource {
    async fn next(&mut self) -> Result<Option<Delivery>, SourceError> {
        let next = self.inbox.next().await?;
        match self.feed.failure() {
            Some(failure) if next.is_none() => Err(SourceError::new(failure)),
            _ => Ok(next),
        }
    }

    fn pause(&self) -> Pause {
        self.inbox.pause()
    }

    async fn close(&mut self) -> Result<(), SourceError> {
        if let Some((stop, thread)) = self.fetcher.take() {
            // One that has ended hears nothing.
            let _ = stop.send(());
            let joined = task::spawn_blocking(move || thread.join()).await;
            if !matches!(joined, Ok(Ok(()))) {
                self.inbox.close().await?;
                return Err(SourceError::new("the thread that fetches objects ended early"));
            }
        }
        self.inbox.close().await
    }
}
