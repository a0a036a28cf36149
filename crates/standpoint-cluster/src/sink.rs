//! The sink `nats`: results, or documents for a cluster's workers, on a NATS server.

use std::sync::Arc;

use async_nats::jetstream::context::{PublishAckFuture, PublishError, PublishErrorKind};
use async_nats::jetstream::object_store::ObjectStore;
use async_nats::jetstream::{self, Context, stream};
use async_nats::{Client, HeaderMap, HeaderValue};
use async_trait::async_trait;
use standpoint_connectors::jsonl::Maker;
use standpoint_document::Document;
use standpoint_engine::{Sink, SinkError};

use crate::connect::{Address, ConnectError};
use crate::queue::{self, Queue, QueueError, most_bytes, prefix};
use crate::record::{RESULT_HEADER, RESULT_VERSION};
use crate::settings::{NatsSettings, NatsSinkSettings, Ordering, Publish, SettingsError};

/// Publishes documents, or what was found in them.
///
/// A document counts as written once the server has answered that it is in its stream. One whose
/// answer was lost is published again under the same id, which the server recognises.
#[derive(Debug)]
pub struct NatsSink {
    address: Address,
    work: Work,
    /// `None` before the first write, and after the streams could not be had.
    open: Option<Open>,
    client: Option<Client>,
    /// Whether results are to stand in their stream in the order in which they come here.
    keeps_order: bool,
}

/// What to publish where.
#[derive(Debug, Clone)]
enum Work {
    Results {
        settings: Box<NatsSinkSettings>,
        maker: Maker,
    },
    /// For a stream that its workers have made.
    Documents {
        stream: String,
    },
    /// For a stream that is made if it is not there.
    Feed {
        settings: Box<NatsSettings>,
    },
}

/// What is there once connected.
#[expect(clippy::large_enum_variant, reason = "a sink holds one of them")]
enum Open {
    Results { context: Context, objects: Option<ObjectStore>, subject: String },
    Documents(Box<Queue>),
}

impl std::fmt::Debug for Open {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Open")
    }
}

impl NatsSink {
    /// Takes the settings of a sink; no connection is made yet.
    ///
    /// - `keeps_order`: whether results are to stand in their stream in the order of `write`.
    ///
    /// # Errors
    ///
    /// [`SettingsError`] when they cannot work.
    pub fn new(
        settings: &NatsSinkSettings,
        maker: Maker,
        instance: &str,
        keeps_order: bool,
    ) -> Result<Self, SettingsError> {
        settings.check()?;
        let work = match (settings.publish, &settings.stream) {
            (Publish::Documents, Some(stream)) => Work::Documents { stream: stream.clone() },
            _ => Work::Results { settings: Box::new(settings.clone()), maker },
        };
        let address = Address {
            url: settings.url.clone(),
            auth: settings.auth.clone(),
            tls: settings.tls.clone(),
            name: format!("standpoint {instance} sink"),
            is_worker: false,
        };
        Ok(Self { address, work, open: None, client: None, keeps_order })
    }

    /// A sink that puts documents into the stream of a cluster, which is made if it is not there.
    ///
    /// # Errors
    ///
    /// [`SettingsError`] when the settings cannot work.
    pub fn feeding(settings: &NatsSettings) -> Result<Self, SettingsError> {
        settings.check()?;
        let address = Address {
            url: settings.url.clone(),
            auth: settings.auth.clone(),
            tls: settings.tls.clone(),
            name: "standpoint publish".to_owned(),
            is_worker: false,
        };
        let work = Work::Feed { settings: Box::new(settings.clone()) };
        Ok(Self { address, work, open: None, client: None, keeps_order: false })
    }

    /// Connects and looks for the streams, for whoever does not want to wait for a server that is
    /// away. A runtime is needed, and what is found is used by the first write only in that
    /// runtime.
    ///
    /// # Errors
    ///
    /// Why it cannot publish.
    pub async fn probe(&self) -> Result<(), SinkError> {
        let mut probing = Self {
            address: self.address.clone(),
            work: self.work.clone(),
            open: None,
            client: None,
            keeps_order: self.keeps_order,
        };
        probing.open().await
    }

    async fn open(&mut self) -> Result<(), SinkError> {
        if self.open.is_some() {
            return Ok(());
        }
        let client = if let Some(client) = &self.client {
            client.clone()
        } else {
            let connected = self.address.connect().await;
            let client = connected.map_err(|error| unconnected(&error))?;
            self.client.insert(client).clone()
        };
        self.open = Some(match &self.work {
            Work::Documents { stream } => {
                let queue = Queue::join(client, stream).await;
                Open::Documents(Box::new(queue.map_err(|error| unusable(&error))?))
            }
            Work::Feed { settings } => {
                let queue = Queue::open(client, settings).await;
                Open::Documents(Box::new(queue.map_err(|error| unusable(&error))?))
            }
            Work::Results { settings, .. } => {
                results(client, settings).await.map_err(|error| unusable(&error))?
            }
        });
        Ok(())
    }

    /// Publishes all and then waits for the answers; where there is an order, one after the other:
    /// a connection that breaks drops what was to be written and takes what comes later, so that
    /// what is tried again would stand behind it.
    async fn publish(
        &self,
        documents: &[Arc<Document<'static>>],
    ) -> Result<Vec<Result<(), String>>, PublishError> {
        let keeps_order = match &self.open {
            Some(Open::Documents(queue)) => queue.layout.ordering == Ordering::PerSource,
            _ => self.keeps_order,
        };
        let mut answers = Vec::with_capacity(documents.len());
        let group = if keeps_order { 1 } else { documents.len().max(1) };
        for group in documents.chunks(group) {
            let mut sent = Vec::with_capacity(group.len());
            for document in group {
                sent.push(self.send(document).await?);
            }
            for one in sent {
                answers.push(match one {
                    Ok(sent) => sent.await.map(drop).map(Ok)?,
                    Err(reason) => Err(reason),
                });
            }
        }
        Ok(answers)
    }

    /// Publishes one; inside, why it never will be.
    async fn send(
        &self,
        document: &Document<'static>,
    ) -> Result<Result<PublishAckFuture, String>, PublishError> {
        let Ok(id) = document.id().parse::<HeaderValue>() else {
            return Ok(Err("its id is not one line, as the header `Nats-Msg-Id` is".to_owned()));
        };
        match (&self.open, &self.work) {
            (Some(Open::Documents(queue)), _) => queue.publish(document, id).await.map(Ok),
            (Some(Open::Results { context, objects, subject }), Work::Results { maker, .. }) => {
                let mut line = Vec::new();
                maker.line(document, &mut line);
                line.pop();
                let most = most_bytes(&context.client());
                if line.len() > most && objects.is_none() {
                    return Ok(Err(format!(
                        "its result has {} bytes and the server takes {most}: name the `stream` of \
                         the results, so that large ones go to its object store",
                        line.len()
                    )));
                }
                let mut headers = HeaderMap::new();
                headers.insert(RESULT_HEADER, RESULT_VERSION);
                let (objects, subject) = (objects.as_ref(), subject.clone());
                queue::publish(context, objects, subject, id, headers, line.into()).await.map(Ok)
            }
            _ => Ok(Err("the sink is not open".to_owned())),
        }
    }
}

/// Makes the stream of results if it has a name.
async fn results(client: Client, settings: &NatsSinkSettings) -> Result<Open, QueueError> {
    let context = jetstream::new(client);
    let subject = match (&settings.subject, &settings.stream) {
        (Some(subject), _) => subject.clone(),
        (None, stream) => prefix(stream.as_deref().unwrap_or("results")),
    };
    let mut objects = None;
    if let Some(stream) = &settings.stream {
        let config = stream::Config {
            name: stream.clone(),
            subjects: vec![subject.clone()],
            duplicate_window: settings.duplicate_window,
            ..queue::usual(settings.replicas.get())
        };
        queue::ensure(&context, config).await?;
        objects = Some(queue::objects(&context, stream, settings.replicas.get()).await?);
    }
    Ok(Open::Results { context, objects, subject })
}

fn unconnected(error: &ConnectError) -> SinkError {
    SinkError::transient("cannot publish").caused_by(told(error))
}

fn unusable(error: &QueueError) -> SinkError {
    match error {
        QueueError::Layout { .. } => SinkError::fatal(error.to_string()),
        _ => SinkError::transient("cannot publish").caused_by(told(error)),
    }
}

/// An error and its causes in one line: whoever tells it tells one cause.
fn told(error: &dyn std::error::Error) -> String {
    standpoint_connectors::files::with_causes(error)
}

#[async_trait]
impl Sink for NatsSink {
    async fn write(
        &mut self,
        documents: &[Arc<Document<'static>>],
    ) -> Result<Vec<Result<(), String>>, SinkError> {
        self.open().await?;
        self.publish(documents).await.map_err(|error| {
            let is_missing = error.kind() == PublishErrorKind::StreamNotFound;
            // Somebody may have deleted it, or it never was; so may the store of large ones be
            // gone.
            if is_missing || error.kind() == PublishErrorKind::Other {
                self.open = None;
            }
            if is_missing {
                return SinkError::transient(
                    "no stream takes what is published: name one with `stream`, or make one for \
                     the subject",
                );
            }
            SinkError::transient("the server did not take what was published")
                .caused_by(told(&error))
        })
    }

    async fn close(&mut self) -> Result<(), SinkError> {
        self.open = None;
        self.client = None;
        Ok(())
    }
}
