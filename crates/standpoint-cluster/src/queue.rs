//! The queue on the server: which streams there are, what all workers agree on, and how a document
//! gets in.
//!
//! | on the server | holds |
//! |---|---|
//! | stream `S` | documents that are not done, on the subjects `s.PARTITION`; a work queue |
//! | stream `S_DEAD` | documents that were given up, on `s-dead.PARTITION`, with the reason |
//! | object store `S_large` | the content of documents that are too large for a message |
//! | key-value bucket `S_cluster` | the layout, leases, and who works |

use std::fmt;

use async_nats::header::NATS_MESSAGE_ID;
use async_nats::jetstream::context::{
    GetStreamErrorKind, PublishAckFuture, PublishError, PublishErrorKind,
};
use async_nats::jetstream::kv::Store;
use async_nats::jetstream::message::{PublishMessage, StreamMessage};
use async_nats::jetstream::object_store::{self, ObjectStore};
use async_nats::jetstream::stream::{
    self, DiscardPolicy, RawMessageErrorKind, RetentionPolicy, StorageType, Stream,
};
use async_nats::jetstream::{self, Context};
use async_nats::{Client, HeaderMap, HeaderValue};
use bytes::Bytes;
use futures_util::future::join_all;
use serde::{Deserialize, Serialize};
use standpoint_document::Document;
use thiserror::Error;
use tokio::io::AsyncReadExt;

use crate::partition::partition_of;
use crate::record::{OBJECT_HEADER, RECORD_HEADER, RECORD_VERSION, encode};
use crate::settings::{NatsSettings, Ordering, PartitionBy};

/// Room that is left in a message for its headers and for the reason of a dead letter, in bytes.
const HEADER_ROOM: usize = 8 << 10;

/// The key of the layout.
const LAYOUT_KEY: &str = "layout";

/// The subject of all that is in a stream. By a pattern that says more, and by one subject of
/// several, nats-server 2.9 may overlook a message: where those behind it are gone and one before
/// it goes, it takes the last, which is gone, for the only one that is left.
pub(crate) const EVERYTHING: &str = ">";

/// How a stream is divided: the same for all who work on it and for all who publish to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Layout {
    pub(crate) partitions: u32,
    pub(crate) partition_by: PartitionBy,
    pub(crate) ordering: Ordering,
}

/// The queue, and the connection to it.
#[derive(Clone)]
pub(crate) struct Queue {
    pub(crate) client: Client,
    pub(crate) context: Context,
    pub(crate) stream: Stream<()>,
    pub(crate) name: String,
    pub(crate) layout: Layout,
    pub(crate) bucket: Store,
    objects: ObjectStore,
}

/// Why the queue cannot be used.
#[derive(Debug, Error)]
pub(crate) enum QueueError {
    /// Others divide it in another way.
    #[error(
        "stream {stream} was made with `partitions: {}`, `partition_by: {}` and `ordering: {}`: \
         say the same, or let it run empty and delete it with its bucket {stream}_cluster",
        found.partitions, word(&found.partition_by), word(&found.ordering)
    )]
    Layout {
        /// The stream.
        stream: String,
        /// How it is divided.
        found: Layout,
    },

    /// Nobody has made it.
    #[error(
        "there is no stream {stream} yet: start a worker, or publish to it once with `standpoint \
         publish`"
    )]
    Missing {
        /// The stream.
        stream: String,
    },

    /// The server refuses, or is away.
    #[error("cannot {what}")]
    Server {
        /// What was asked.
        what: String,
        /// What came of it.
        source: async_nats::Error,
    },
}

impl QueueError {
    pub(crate) fn server(what: impl Into<String>, source: impl Into<async_nats::Error>) -> Self {
        Self::Server { what: what.into(), source: source.into() }
    }
}

impl Queue {
    /// Opens the queue, making what of it is not there.
    pub(crate) async fn open(client: Client, settings: &NatsSettings) -> Result<Self, QueueError> {
        let context = jetstream::new(client.clone());
        let (name, replicas) = (settings.stream.as_str(), settings.replicas.get());
        let prefix = prefix(name);
        ensure(
            &context,
            stream::Config {
                name: name.to_owned(),
                subjects: vec![format!("{prefix}.>")],
                retention: RetentionPolicy::WorkQueue,
                duplicate_window: settings.duplicate_window,
                ..usual(replicas)
            },
        )
        .await?;
        ensure_dead(&context, settings).await?;
        ensure(&context, bucket_config(name, replicas)).await?;
        objects(&context, name, replicas).await?;
        let wanted = Layout {
            partitions: settings.partitions.get(),
            partition_by: settings.partition_by,
            ordering: settings.ordering,
        };
        let bucket = bucket(&context, name).await?;
        let text = serde_json::to_vec(&wanted).unwrap_or_default();
        // Whoever comes first says how; others find it there.
        let _ = bucket.create(LAYOUT_KEY, text.into()).await;
        let queue = Self::join(client, name).await?;
        if queue.layout != wanted {
            return Err(QueueError::Layout { stream: name.to_owned(), found: queue.layout });
        }
        Ok(queue)
    }

    /// Opens a queue that others have made.
    pub(crate) async fn join(client: Client, name: &str) -> Result<Self, QueueError> {
        let context = jetstream::new(client.clone());
        let missing = || QueueError::Missing { stream: name.to_owned() };
        let what = || format!("look for the stream {name}");
        match context.get_stream(name).await {
            Ok(_) => {}
            Err(error) if is_missing(&error.kind()) => return Err(missing()),
            Err(error) => return Err(QueueError::server(what(), error)),
        }
        let bucket = bucket(&context, name).await?;
        let layout = bucket
            .get(LAYOUT_KEY)
            .await
            .map_err(|error| QueueError::server("read the layout", error))?
            .ok_or_else(missing)?;
        let layout = serde_json::from_slice(&layout)
            .map_err(|error| QueueError::server("understand the layout", error))?;
        let stream = context
            .get_stream_no_info(name)
            .await
            .map_err(|error| QueueError::server(what(), error))?;
        let objects = context
            .get_object_store(objects_of(name))
            .await
            .map_err(|error| QueueError::server("open the object store", error))?;
        Ok(Self { client, context, stream, name: name.to_owned(), layout, bucket, objects })
    }

    /// When the stream was made, in nanoseconds since 1970, by which one that was made anew is told
    /// from the one before it.
    pub(crate) async fn made(&self) -> Result<i64, QueueError> {
        let look = |error| QueueError::server(format!("look for the stream {}", self.name), error);
        let stream = self.context.get_stream(&self.name).await.map_err(look)?;
        Ok(stream.cached_info().created.unix_timestamp_nanos() as i64)
    }

    /// Which of the stream, and of what belongs to it, is not there any more: a server lost its
    /// store, or somebody deleted it.
    ///
    /// - `with_rest`: whether what belongs to the stream is looked for, too.
    pub(crate) async fn missing(&self, with_rest: bool) -> Vec<String> {
        let name = &self.name;
        let whole = [
            name.clone(),
            format!("{name}_DEAD"),
            format!("KV_{name}_cluster"),
            format!("OBJ_{name}_large"),
        ];
        let count = if with_rest { whole.len() } else { 1 };
        let asked = whole.into_iter().take(count);
        let looks = asked.map(async |stream| match self.context.get_stream(&stream).await {
            Err(error) if is_missing(&error.kind()) => Some(stream),
            _ => None,
        });
        join_all(looks).await.into_iter().flatten().collect()
    }

    /// When the bucket was made, in nanoseconds since 1970: one that was made anew counts its
    /// revisions from the start.
    pub(crate) async fn bucket_made(&self) -> Result<u64, QueueError> {
        let look = |error| QueueError::server("look for the bucket of the cluster", error);
        let bucket = self.context.get_stream(format!("KV_{}_cluster", self.name)).await;
        let made = bucket.map_err(look)?.cached_info().created.unix_timestamp_nanos();
        Ok(u64::try_from(made).unwrap_or_default())
    }

    /// The subject of a partition.
    pub(crate) fn subject(&self, partition: u32) -> String {
        format!("{}.{partition}", prefix(&self.name))
    }

    /// The first message that is really there, of a partition or of all: after a server was killed,
    /// what it says of its stream's first message, and of how many there are, may be wrong.
    pub(crate) async fn first(
        &self,
        subject: &str,
    ) -> Result<Option<StreamMessage>, async_nats::Error> {
        match self.stream.get_first_raw_message_by_subject(subject, 1).await {
            Ok(message) => Ok(Some(message)),
            Err(error) if matches!(error.kind(), RawMessageErrorKind::NoMessageFound) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// How many messages are really there, up to `most` of them: each is asked for, up to the first
    /// that cannot be had.
    pub(crate) async fn count_up_to(&self, most: u64) -> u64 {
        let (mut count, mut next) = (0, 1);
        while count < most
            && let Ok(message) =
                self.stream.get_first_raw_message_by_subject(EVERYTHING, next).await
        {
            count += 1;
            next = message.sequence + 1;
        }
        count
    }

    /// Whether no document is left, as far as the server can say.
    pub(crate) async fn is_empty(&self) -> bool {
        matches!(self.first(EVERYTHING).await, Ok(None))
    }

    /// Where a document that came on `subject` goes when it is given up.
    pub(crate) fn dead_subject(&self, subject: &str) -> String {
        let prefix = prefix(&self.name);
        let rest = subject.strip_prefix(&prefix).unwrap_or(".unknown");
        format!("{prefix}-dead{rest}")
    }

    /// Where a document goes when it is taken from the dead letters: the other way round.
    pub(crate) fn live_subject(&self, dead_subject: &str) -> String {
        let prefix = prefix(&self.name);
        let rest = dead_subject.strip_prefix(&format!("{prefix}-dead")).unwrap_or(".0");
        format!("{prefix}{rest}")
    }

    /// Publishes a document; it is in the queue once the future that is returned has an answer.
    pub(crate) async fn publish(
        &self,
        document: &Document<'static>,
        id: HeaderValue,
    ) -> Result<PublishAckFuture, PublishError> {
        let Layout { partitions, partition_by, .. } = self.layout;
        let subject = self.subject(partition_of(document, partition_by, partitions));
        let mut headers = HeaderMap::new();
        headers.insert(RECORD_HEADER, RECORD_VERSION);
        let payload = encode(document).into();
        publish(&self.context, Some(&self.objects), subject, id, headers, payload).await
    }

    /// The content of an object, unless it is larger than `most` bytes.
    pub(crate) async fn object(&self, name: &str, most: u64) -> Result<Object, async_nats::Error> {
        let object = match self.objects.get(name).await {
            Ok(object) => object,
            Err(error) if error.kind() == object_store::GetErrorKind::NotFound => {
                // What was deleted leaves word of that behind.
                let left = self.objects.info(name).await;
                let is_deleted = left.is_ok_and(|left| left.deleted);
                return Ok(if is_deleted { Object::Deleted } else { Object::Missing });
            }
            Err(error) => return Err(error.into()),
        };
        if object.info().size as u64 > most {
            return Ok(Object::TooLarge);
        }
        let mut content = Vec::with_capacity(object.info().size);
        object.take(most).read_to_end(&mut content).await?;
        Ok(Object::Content(content.into()))
    }

    /// Puts the content of a message into the object store; the name that it has there.
    pub(crate) async fn put_object(
        &self,
        id: &str,
        payload: &Bytes,
    ) -> Result<String, PublishError> {
        put_object(&self.context, &self.objects, id, payload).await
    }

    /// Deletes a key of the cluster's bucket without a trace; one that stays costs only room.
    pub(crate) async fn forget(&self, key: &str) {
        let subject = format!("$KV.{}_cluster.{key}", self.name);
        if let Err(error) = self.bucket.stream.purge().filter(subject).await {
            tracing::debug!(key, %error, "a key stays that nobody needs");
        }
    }

    /// Deletes an object that nobody needs any more; one that stays costs only room.
    pub(crate) async fn delete_object(&self, name: &str) {
        if let Err(error) = self.objects.delete(name).await {
            tracing::debug!(name, %error, "an object stays that nobody needs");
        }
    }
}

/// What became of an object.
#[derive(Debug)]
pub(crate) enum Object {
    /// It is there.
    Content(Bytes),
    /// It is there, and larger than was asked for.
    TooLarge,
    /// Somebody who had done with it deleted it.
    Deleted,
    /// There is no trace of it.
    Missing,
}

/// Publishes a message, its payload by way of `objects` where it is too large.
pub(crate) async fn publish(
    context: &Context,
    objects: Option<&ObjectStore>,
    subject: String,
    id: HeaderValue,
    mut headers: HeaderMap,
    mut payload: Bytes,
) -> Result<PublishAckFuture, PublishError> {
    if payload.len() > most_bytes(&context.client())
        && let Some(objects) = objects
    {
        let name = put_object(context, objects, id.as_str(), &payload).await?;
        headers.insert(OBJECT_HEADER, name.as_str());
        payload = Bytes::new();
    }
    headers.insert(NATS_MESSAGE_ID, id);
    let message = PublishMessage::build().payload(payload).headers(headers);
    context.send_publish(subject, message).await
}

/// Named anew each time, so that nobody deletes what another message still points to.
async fn put_object(
    context: &Context,
    objects: &ObjectStore,
    id: &str,
    payload: &Bytes,
) -> Result<String, PublishError> {
    let unique = context.client().new_inbox();
    let name = format!("{id}-{}", unique.rsplit('.').next().unwrap_or_default());
    let put = objects.put(name.as_str(), &mut payload.as_ref()).await;
    put.map_err(|error| PublishError::with_source(PublishErrorKind::Other, error))?;
    Ok(name)
}

/// The largest payload that the server takes in a message of ours.
pub(crate) fn most_bytes(client: &Client) -> usize {
    let most = client.max_payload();
    most.saturating_sub(HEADER_ROOM).max(most / 2)
}

/// How the subjects of a stream begin.
pub(crate) fn prefix(stream: &str) -> String {
    stream.to_ascii_lowercase()
}

/// The object store of a stream, made if it is not there.
pub(crate) async fn objects(
    context: &Context,
    stream: &str,
    replicas: usize,
) -> Result<ObjectStore, QueueError> {
    let bucket = objects_of(stream);
    if let Ok(objects) = context.get_object_store(&bucket).await {
        return Ok(objects);
    }
    let config = object_store::Config {
        bucket,
        num_replicas: replicas,
        storage: StorageType::File,
        ..object_store::Config::default()
    };
    let made = context.create_object_store(config).await;
    made.map_err(|error| QueueError::server("make the object store", error))
}

fn objects_of(stream: &str) -> String {
    format!("{stream}_large")
}

/// Makes the stream of dead letters if it is not there.
pub(crate) async fn ensure_dead(
    context: &Context,
    settings: &NatsSettings,
) -> Result<(), QueueError> {
    let config = stream::Config {
        name: format!("{}_DEAD", settings.stream),
        subjects: vec![format!("{}-dead.>", prefix(&settings.stream))],
        duplicate_window: settings.duplicate_window,
        ..usual(settings.replicas.get())
    };
    ensure(context, config).await
}

/// Makes a stream that is not there; one that is there stays as it is.
pub(crate) async fn ensure(context: &Context, config: stream::Config) -> Result<(), QueueError> {
    let name = config.name.clone();
    match context.get_stream(&name).await {
        Ok(_) => return Ok(()),
        Err(error) if is_missing(&error.kind()) => {}
        Err(error) => return Err(QueueError::server(format!("look for the stream {name}"), error)),
    }
    match context.create_stream(config).await {
        Ok(_) => Ok(()),
        // Another worker may have been quicker.
        Err(_) if context.get_stream(&name).await.is_ok() => Ok(()),
        Err(error) => Err(QueueError::server(format!("make the stream {name}"), error)),
    }
}

fn is_missing(kind: &GetStreamErrorKind) -> bool {
    use async_nats::jetstream::ErrorCode;
    matches!(kind, GetStreamErrorKind::JetStream(error) if error.error_code() == ErrorCode::STREAM_NOT_FOUND)
}

/// What all streams have in common.
pub(crate) fn usual(replicas: usize) -> stream::Config {
    stream::Config {
        storage: StorageType::File,
        num_replicas: replicas,
        ..stream::Config::default()
    }
}

/// A key-value bucket as the stream that it is: servers before 2.10 refuse what the client's own
/// call asks for.
fn bucket_config(stream: &str, replicas: usize) -> stream::Config {
    let bucket = format!("{stream}_cluster");
    stream::Config {
        name: format!("KV_{bucket}"),
        subjects: vec![format!("$KV.{bucket}.>")],
        max_messages_per_subject: 1,
        allow_rollup: true,
        deny_delete: true,
        allow_direct: true,
        discard: DiscardPolicy::New,
        ..usual(replicas)
    }
}

async fn bucket(context: &Context, stream: &str) -> Result<Store, QueueError> {
    let bucket = context.get_key_value(format!("{stream}_cluster")).await;
    bucket.map_err(|error| QueueError::server("open the bucket of the cluster", error))
}

/// A setting's value as it is written.
fn word(value: &impl Serialize) -> String {
    let value = serde_json::to_value(value).unwrap_or_default();
    value.as_str().unwrap_or_default().to_owned()
}

impl fmt::Debug for Queue {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Queue").field("name", &self.name).finish_non_exhaustive()
    }
}
