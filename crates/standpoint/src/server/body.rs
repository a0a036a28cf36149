//! What is sent behind the headers: all of it, rows while they are written, or events.

use std::io::{self, Write};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::body::{Body, Bytes, Frame, SizeHint};
use standpoint_store::Store;
use standpoint_web::reply::{self, Rest};
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
            reply::Body::Begun(beginning, rest) => return Some(Sending::begun(beginning, rest)),
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
        Some(Sending::Pieces { receiver, tasks, place: Some(place) })
    }
}

/// What is sent.
pub(super) enum Sending {
    Whole(Option<Bytes>),
    Pieces {
        receiver: mpsc::Receiver<io::Result<Bytes>>,
        /// Who makes them; ended when nobody reads any more.
        tasks: JoinSet<()>,
        /// Of what lasts as long as there is something to send.
        place: Option<OwnedSemaphorePermit>,
    },
}

impl Sending {
    pub(super) fn whole(bytes: impl Into<Bytes>) -> Self {
        Self::Whole(Some(bytes.into()))
    }

    /// Short, and held up by nobody who reads slowly, so that it takes no place.
    fn begun(beginning: Vec<u8>, rest: Rest) -> Self {
        let (sender, receiver) = mpsc::channel(PARTS);
        let _ = sender.try_send(Ok(beginning.into()));
        let mut tasks = JoinSet::new();
        let mut send = move |part: Vec<u8>| sender.blocking_send(Ok(part.into())).is_ok();
        drop(tasks.spawn_blocking(move || rest(&mut send)));
        Self::Pieces { receiver, tasks, place: None }
    }

    /// Whether it takes as long as there is something to send.
    pub(super) const fn is_stream(&self) -> bool {
        matches!(self, Self::Pieces { place: Some(_), .. })
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
            Self::Pieces { receiver, tasks, .. } => match ready!(receiver.poll_recv(context)) {
                Some(piece) => Poll::Ready(Some(piece.map(Frame::data))),
                // Of what a panic cut short nothing more comes either, and it must not look whole.
                None => tasks.poll_join_next(context).map(|ended| match ended {
                    Some(Err(error)) => Some(Err(io::Error::other(error))),
                    _ => None,
                }),
            },
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(None))
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, Bytes::len) as u64),
            Self::Pieces { .. } => SizeHint::default(),
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

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::convert::Infallible;
    use std::io::Read;
    use std::os::unix::net::UnixStream as StdUnixStream;
    use std::sync::mpsc::sync_channel;

    use hyper::Response;
    use hyper::server::conn::http1;
    use hyper::service::service_fn;
    use hyper_util::rt::TokioIo;
    use tokio::net::UnixStream;

    use super::*;

    /// All that a reader gets of a page; its time is up once what it waits for has come.
    fn got(rest: Rest, time_is_up: impl Future<Output = ()>) -> String {
        let (mut reader, server) = StdUnixStream::pair().unwrap();
        reader.write_all(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n").unwrap();
        server.set_nonblocking(true).unwrap();
        let rest = Cell::new(Some(rest));
        tokio::runtime::Runtime::new().unwrap().block_on(async {
            let service = service_fn(|_| {
                let page = Sending::begun(b"head".into(), rest.take().unwrap());
                async { Ok::<_, Infallible>(Response::new(page)) }
            });
            let stream = TokioIo::new(UnixStream::from_std(server).unwrap());
            tokio::select! {
                _ = http1::Builder::new().keep_alive(false).serve_connection(stream, service) => {}
                () = time_is_up => {}
            }
        });
        let mut page = String::new();
        reader.read_to_string(&mut page).unwrap();
        page
    }

    #[test]
    fn a_page_that_breaks_off_has_no_end() {
        let never = std::future::pending;
        let last = "\r\n0\r\n\r\n";
        let rest: Rest = Box::new(|send| {
            send(b"rest".into());
        });
        let page = got(rest, never());
        assert!(page.contains("head") && page.contains("rest") && page.ends_with(last), "{page}");
        let failing: Rest = Box::new(|send| {
            send(b"rest".into());
            panic!("a part that cannot be made");
        });
        let page = got(failing, never());
        assert!(page.contains("head") && !page.ends_with(last), "{page}");
        // As a page that takes longer than a connection may.
        let (goes_on, waits) = sync_channel::<()>(1);
        let (tell, mut told) = tokio::sync::mpsc::channel(1);
        let slow: Rest = Box::new(move |send| {
            send(b"rest".into());
            tell.blocking_send(()).unwrap();
            waits.recv().unwrap_err();
            send(b"end".into());
        });
        let page = got(slow, async move {
            told.recv().await;
            drop(goes_on);
        });
        assert!(page.contains("head") && !page.contains("end") && !page.ends_with(last), "{page}");
    }
}
