//! What is sent behind the headers: all of it, rows while they are written, or events.

use std::io::{self, Write};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::body::{Body, Bytes, Frame, SizeHint};
use standpoint_store::Store;
use standpoint_web::reply;
use standpoint_web::site::Site;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::{MissedTickBehavior, interval};
use tracing::debug;

/// How many are sent rows or events at a time; each holds a connection to the store.
const STREAMS: usize = 32;

/// Pieces that wait for a slow reader.
const PIECES: usize = 4;

/// Parts of a page that wait: more than a page has.
const PARTS: usize = 16;

/// Bytes of a piece.
const PIECE_BYTES: usize = 64 * 1024;

/// How often the store is asked whether it has changed.
const PULSE: Duration = Duration::from_millis(700);

/// Pulses without a change after which something is sent, so that a reader that is gone is noticed.
const QUIET_PULSES: u32 = 20;

/// Room for those that are sent rows or events.
#[derive(Clone)]
pub(super) struct Streams(Arc<Semaphore>);

impl Default for Streams {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(STREAMS)))
    }
}

impl Streams {
    /// Begins to send; `None` where there is no room.
    pub(super) fn send(&self, body: reply::Body, site: &Arc<Site>) -> Option<Sending> {
        let write = match body {
            reply::Body::Whole(bytes) => return Some(Sending::whole(bytes)),
            // Short, and held up by nobody who reads slowly, so that it takes no place.
            reply::Body::Begun(beginning, rest) => {
                let (sender, parts) = mpsc::channel(PARTS);
                let _ = sender.try_send(beginning.into());
                let mut send = move |part: Vec<u8>| drop(sender.blocking_send(part.into()));
                drop(spawn_blocking(move || rest(&mut send)));
                return Some(Sending::Begun(parts));
            }
            reply::Body::Written(write) => Some(write),
            reply::Body::Events => None,
        };
        let place = Arc::clone(&self.0).try_acquire_owned().ok()?;
        let (sender, receiver) = mpsc::channel(PIECES);
        let mut tasks = JoinSet::new();
        match write {
            Some(write) => drop(tasks.spawn_blocking(move || {
                let mut pieces = Pieces { sender, piece: Vec::with_capacity(PIECE_BYTES) };
                if let Err(error) = write(&mut pieces).and_then(|()| pieces.flush()) {
                    debug!(%error, "an export ended early");
                    // Without its end the reader knows that rows are missing.
                    let _ = pieces.sender.blocking_send(Err(error));
                }
            })),
            None => drop(tasks.spawn(tell_changes(Arc::clone(site), sender))),
        }
        Some(Sending::Pieces { receiver, _tasks: tasks, _place: place })
    }
}

/// What is sent.
pub(super) enum Sending {
    Whole(Option<Bytes>),
    Begun(mpsc::Receiver<Bytes>),
    Pieces {
        receiver: mpsc::Receiver<io::Result<Bytes>>,
        /// Ended when nobody reads any more.
        _tasks: JoinSet<()>,
        _place: OwnedSemaphorePermit,
    },
}

impl Sending {
    pub(super) fn whole(bytes: impl Into<Bytes>) -> Self {
        Self::Whole(Some(bytes.into()))
    }

    /// Whether it takes as long as there is something to send.
    pub(super) const fn is_stream(&self) -> bool {
        matches!(self, Self::Pieces { .. })
    }
}

impl Body for Sending {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        match &mut *self {
            Self::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Begun(parts) => {
                parts.poll_recv(context).map(|part| part.map(|part| Ok(Frame::data(part))))
            }
            Self::Pieces { receiver, .. } => {
                receiver.poll_recv(context).map(|piece| piece.map(|piece| piece.map(Frame::data)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(None))
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, Bytes::len) as u64),
            Self::Begun(_) | Self::Pieces { .. } => SizeHint::default(),
        }
    }
}

/// Gathers what is written into pieces.
struct Pieces {
    sender: mpsc::Sender<io::Result<Bytes>>,
    piece: Vec<u8>,
}

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.piece.extend_from_slice(bytes);
        if self.piece.len() >= PIECE_BYTES {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.piece.is_empty() {
            return Ok(());
        }
        let piece = Bytes::from(std::mem::take(&mut self.piece));
        // Waits for a slow reader; fails for one that went away.
        self.sender.blocking_send(Ok(piece)).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

/// Sends an event at once and whenever the store has changed, until nobody listens any more.
async fn tell_changes(site: Arc<Site>, sender: mpsc::Sender<io::Result<Bytes>>) {
    let mut ticks = interval(PULSE);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut reader, mut last, mut quiet) = (None::<Store>, None, 0);
    loop {
        tokio::select! {
            () = sender.closed() => return,
            _ = ticks.tick() => {}
        }
        let site = Arc::clone(&site);
        let asked = spawn_blocking(move || {
            let pulse = site.pulse(&mut reader);
            (reader, pulse)
        });
        let Ok((back, pulse)) = asked.await else { return };
        reader = back;
        let text = match pulse {
            Ok(pulse) if last != Some(pulse) => {
                last = Some(pulse);
                format!("event: change\ndata: {{\"documents\":{}}}\n\n", pulse.1)
            }
            Ok(_) if quiet < QUIET_PULSES => {
                quiet += 1;
                continue;
            }
            Ok(_) => ": nothing new\n\n".to_owned(),
            // A page that cannot be told asks again, and is told why then.
            Err(error) => return debug!(%error, "events ended"),
        };
        quiet = 0;
        if sender.send(Ok(Bytes::from(text))).await.is_err() {
            return;
        }
    }
}
