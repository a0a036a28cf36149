//! A process and the talk with it: one request at a time, over pipes that never block.

use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, ExitStatus};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, kill_process_group};

use super::room::Room;
use crate::protocol::{HEADER_BYTES, Kind, Log, MAX_PAYLOAD_BYTES, NoFrame, header, read_header};

/// How many bytes are read at once.
const CHUNK_BYTES: usize = 64 << 10;

/// What a pipe is asked to hold, so that most documents are written at once.
const PIPE_BYTES: usize = 1 << 20;

/// How soon after a call a process is taken to be there still.
const MOMENT: Duration = Duration::from_millis(1);

/// How many of its last lines on standard error are kept for messages, and how long each may be.
const LAST_WORDS: usize = 3;
const LONGEST_LINE: u64 = 2000;

/// A process that runs.
#[derive(Debug)]
pub(super) struct Link {
    child: Child,
    /// `None` once it was told to end.
    input: Option<ChildStdin>,
    output: ChildStdout,
    request: Room,
    /// What follows the request: that it is not wanted any more.
    trailer: Vec<u8>,
    /// How much of both was written.
    sent: usize,
    incoming: Vec<u8>,
    /// Room to read into.
    chunk: Box<[u8]>,
    /// The request that is not answered.
    pending: Option<u32>,
    last_request: u32,
    /// When it was last driven.
    driven: Instant,
    /// It had closed its input before anything of the last request was written.
    is_deaf: bool,
    last_words: Arc<Mutex<VecDeque<String>>>,
    /// Reads standard error, and ends with it.
    listener: JoinHandle<()>,
    stage: Arc<str>,
}

/// What is asked of a process.
#[derive(Clone, Copy)]
pub(super) struct Request<'r> {
    pub(super) kind: Kind,
    /// Bytes of the payload.
    pub(super) size: usize,
    /// Fills the payload.
    pub(super) write: &'r (dyn Fn(&mut [u8]) + Sync),
}

impl Request<'_> {
    /// The payload by itself.
    ///
    /// # Errors
    ///
    /// When there is no memory for it.
    pub(super) fn to_payload(self) -> io::Result<Vec<u8>> {
        let mut payload = Vec::new();
        payload.try_reserve_exact(self.size).map_err(|_| ErrorKind::OutOfMemory)?;
        payload.resize(self.size, 0);
        (self.write)(&mut payload);
        Ok(payload)
    }
}

/// How a request stands.
#[derive(Debug)]
pub(super) enum Progress {
    Answered(Kind, Vec<u8>),
    /// The time given is over.
    Waiting,
    /// The other end of the bell was rung.
    Woken,
}

/// What ends a process.
#[derive(Debug)]
pub(super) enum Fault {
    /// Its output has ended.
    Ended,
    /// What it wrote is no frame.
    Rubbish(Vec<u8>),
    TooLong(u32),
    /// It answers what nobody asked.
    Unasked(Kind, u32),
    /// It answers what it was not wholly given yet: the rest would be taken for what comes next.
    Early,
    Io(io::Error),
    /// It did not give up what was cancelled.
    Hangs,
}

impl Link {
    pub(super) fn new(mut child: Child, stage: &Arc<str>) -> io::Result<Self> {
        let gone = || io::Error::other("a pipe is missing");
        let input = child.stdin.take().ok_or_else(gone)?;
        let output = child.stdout.take().ok_or_else(gone)?;
        let words = child.stderr.take().ok_or_else(gone)?;
        rustix::io::ioctl_fionbio(&input, true)?;
        rustix::io::ioctl_fionbio(&output, true)?;
        for pipe in [input.as_fd(), output.as_fd()] {
            enlarge(pipe);
        }
        let last_words = Arc::default();
        let listener = listen(words, Arc::clone(stage), &last_words)?;
        Ok(Self {
            child,
            input: Some(input),
            output,
            request: Room::new()?,
            trailer: Vec::new(),
            sent: 0,
            incoming: Vec::new(),
            chunk: vec![0; CHUNK_BYTES].into_boxed_slice(),
            pending: None,
            last_request: 0,
            driven: Instant::now(),
            is_deaf: false,
            last_words,
            listener,
            stage: Arc::clone(stage),
        })
    }

    /// Whether it has not ended while nobody looked.
    pub(super) fn is_alive(&self) -> bool {
        if self.is_deaf {
            return false;
        }
        // Asking costs a system call; one that ends between two calls in a row is found deaf.
        if self.driven.elapsed() < MOMENT {
            return true;
        }
        let mut asked = [PollFd::new(&self.output, PollFlags::IN)];
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        // What is ready when nothing was asked is the end, or rubbish: both are found out later.
        matches!(poll(&mut asked, Some(&now)), Ok(0))
            || !asked[0].revents().contains(PollFlags::HUP)
    }

    /// Whether it had gone before it heard anything of the last request.
    pub(super) fn is_deaf(&self) -> bool {
        self.is_deaf
    }

    /// Puts a request on its way.
    ///
    /// # Errors
    ///
    /// When there is no memory for it: nothing was asked then.
    pub(super) fn begin(&mut self, request: &Request<'_>) -> io::Result<()> {
        self.last_request = self.last_request.wrapping_add(1);
        let Request { kind, size, write } = *request;
        self.request.fill(kind, self.last_request, size, write)?;
        self.pending = Some(self.last_request);
        self.trailer.clear();
        self.sent = 0;
        Ok(())
    }

    /// Puts a request with this payload on its way.
    ///
    /// # Errors
    ///
    /// Those of [`Link::begin`].
    pub(super) fn begin_with(&mut self, kind: Kind, payload: &[u8]) -> io::Result<()> {
        let write = |room: &mut [u8]| room.copy_from_slice(payload);
        self.begin(&Request { kind, size: payload.len(), write: &write })
    }

    /// Says that the answer is not wanted any more.
    pub(super) fn cancel(&mut self) {
        if let Some(request) = self.pending {
            self.trailer.extend(header(0, Kind::Cancel, request));
        }
    }

    /// Goes on with the request for at most `patience`; `bell` ends the wait early.
    pub(super) fn drive(
        &mut self,
        patience: Duration,
        bell: Option<BorrowedFd<'_>>,
    ) -> Result<Progress, Fault> {
        let started = Instant::now();
        self.driven = started;
        loop {
            self.write()?;
            if let Some((kind, answer)) = self.next_answer()? {
                return Ok(Progress::Answered(kind, answer));
            }
            let Some(rest) = patience.checked_sub(started.elapsed()).filter(|rest| !rest.is_zero())
            else {
                return Ok(Progress::Waiting);
            };
            // Before reading: nothing is answered as soon as it is asked, and to find that out
            // costs a system call.
            if self.wait(rest, bell)? {
                return Ok(Progress::Woken);
            }
            if let Some((kind, answer)) = self.read()? {
                return Ok(Progress::Answered(kind, answer));
            }
        }
    }

    /// Waits until something can be read or written; whether the bell was rung.
    fn wait(&self, patience: Duration, bell: Option<BorrowedFd<'_>>) -> Result<bool, Fault> {
        let mut asked = vec![PollFd::new(&self.output, PollFlags::IN)];
        if let Some(bell) = &bell {
            asked.push(PollFd::new(bell, PollFlags::IN));
        }
        if let Some(input) = self.input.as_ref().filter(|_| self.has_unsent()) {
            asked.push(PollFd::new(input, PollFlags::OUT));
        }
        let patience = Timespec {
            tv_sec: patience.as_secs().min(3600).cast_signed(),
            tv_nsec: patience.subsec_nanos().into(),
        };
        match poll(&mut asked, Some(&patience)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(Fault::Io(error.into())),
        }
        Ok(bell.is_some() && asked.get(1).is_some_and(|bell| !bell.revents().is_empty()))
    }

    fn has_unsent(&self) -> bool {
        self.sent < self.request.len() + self.trailer.len()
    }

    fn write(&mut self) -> Result<(), Fault> {
        while self.has_unsent() {
            let Some(input) = &mut self.input else { return Ok(()) };
            let written = match self.sent.checked_sub(self.request.len()) {
                None => self.request.send(self.sent, input),
                Some(sent) => input.write(&self.trailer[sent..]),
            };
            match written {
                Ok(count) => self.sent += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // That it has ended says more, and is found when its output is read.
                Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                    self.is_deaf = self.sent == 0;
                    return Ok(());
                }
                Err(error) => return Err(Fault::Io(error)),
            }
        }
        Ok(())
    }

    /// Reads what there is, up to an answer.
    fn read(&mut self) -> Result<Option<(Kind, Vec<u8>)>, Fault> {
        loop {
            if let Some(answer) = self.next_answer()? {
                return Ok(Some(answer));
            }
            match self.output.read(&mut self.chunk) {
                // Less than a frame before the end is no answer either.
                Ok(0) if self.incoming.is_empty() => return Err(Fault::Ended),
                Ok(0) => return Err(self.rubbish_or_end()),
                Ok(count) => self.incoming.extend_from_slice(&self.chunk[..count]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(Fault::Io(error)),
            }
        }
    }

    /// The next answer among what was read; passes logs on.
    fn next_answer(&mut self) -> Result<Option<(Kind, Vec<u8>)>, Fault> {
        loop {
            let Some(header) = self.incoming.first_chunk::<HEADER_BYTES>() else {
                return Ok(None);
            };
            let (length, kind, request) = match read_header(*header) {
                Ok(header) => header,
                Err(NoFrame::TooLong(length)) if !looks_like_text(&self.incoming) => {
                    return Err(Fault::TooLong(length));
                }
                Err(_) => return Err(Fault::Rubbish(std::mem::take(&mut self.incoming))),
            };
            let end = HEADER_BYTES + length as usize;
            if self.incoming.len() < end {
                return Ok(None);
            }
            let payload = self.incoming[HEADER_BYTES..end].to_vec();
            self.incoming.drain(..end);
            match kind {
                Kind::Log => self.emit(&payload),
                Kind::Hello | Kind::Result | Kind::Error | Kind::BatchResult
                    if self.pending == Some(request) =>
                {
                    if self.sent < self.request.len() {
                        return Err(Fault::Early);
                    }
                    self.pending = None;
                    self.request.clear();
                    return Ok(Some((kind, payload)));
                }
                _ => return Err(Fault::Unasked(kind, request)),
            }
        }
    }

    /// What a script prints may be shorter than a frame's header.
    fn rubbish_or_end(&mut self) -> Fault {
        if looks_like_text(&self.incoming) {
            Fault::Rubbish(std::mem::take(&mut self.incoming))
        } else {
            Fault::Ended
        }
    }

    fn emit(&self, payload: &[u8]) {
        let Ok(Log { level, message, target }) = serde_json::from_slice(payload) else { return };
        let (stage, origin) = (&*self.stage, target);
        match level.as_str() {
            "error" => tracing::error!(target: "plugin", stage, origin, "{message}"),
            "warn" => tracing::warn!(target: "plugin", stage, origin, "{message}"),
            "debug" => tracing::debug!(target: "plugin", stage, origin, "{message}"),
            "trace" => tracing::trace!(target: "plugin", stage, origin, "{message}"),
            _ => tracing::info!(target: "plugin", stage, origin, "{message}"),
        }
    }

    /// Ends the process, and all that it started, and says in words why.
    pub(super) fn bury(mut self, fault: Fault) -> String {
        let own_end = matches!(fault, Fault::Ended);
        // Its end may be a moment behind that of its output.
        let status = if own_end { self.wait_for_end(Duration::from_millis(500)) } else { None };
        self.kill();
        if own_end {
            self.hear_out(Duration::from_millis(500));
        }
        let mut told = match fault {
            Fault::Ended => match status {
                Some(status) => format!("its process {}", describe(status)),
                None => "its process closed its output".to_owned(),
            },
            Fault::Rubbish(bytes) => format!(
                "its process wrote {} where a frame was expected; log to stderr",
                shown(&bytes)
            ),
            Fault::TooLong(length) => format!(
                "its process announced a frame of {length} bytes, above the limit of \
                 {MAX_PAYLOAD_BYTES}"
            ),
            Fault::Unasked(kind, request) => {
                format!("its process sent {kind:?} for request {request}, which nobody made")
            }
            Fault::Early => "its process answered before it had read its request".into(),
            Fault::Io(error) => format!("its process cannot be talked to: {error}"),
            Fault::Hangs => "its process did not stop when it was told to, and was killed".into(),
        };
        let words = self.last_words.lock().unwrap_or_else(PoisonError::into_inner);
        if own_end && !words.is_empty() {
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            told = format!("{told}; its last words: {}", words.join(" / "));
        }
        told
    }

    /// Asks the process to end, and ends it after `patience`.
    pub(super) fn dismiss(mut self, patience: Duration) {
        self.request.clear();
        self.trailer = header(0, Kind::Shutdown, 0).to_vec();
        self.sent = 0;
        let _ = self.write();
        self.input = None;
        self.wait_for_end(patience);
        self.kill();
    }

    /// Waits until all that was written on standard error is read.
    fn hear_out(&self, patience: Duration) {
        let started = Instant::now();
        // A grandchild that left the group may hold the stream open, so the wait has an end.
        while !self.listener.is_finished() && started.elapsed() < patience {
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Waits until the process has ended; its output is read and thrown away meanwhile.
    fn wait_for_end(&mut self, patience: Duration) -> Option<ExitStatus> {
        let started = Instant::now();
        let mut chunk = [0; 4096];
        let mut pause = Duration::from_micros(100);
        loop {
            while matches!(self.output.read(&mut chunk), Ok(1..)) {}
            if let Ok(Some(status)) = self.child.try_wait() {
                return Some(status);
            }
            if started.elapsed() >= patience {
                return None;
            }
            // There is nothing to wait on that std offers.
            thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(10));
        }
    }

    fn kill(&mut self) {
        // The group, whether its first process lives or not; it is gone when all are.
        if let Some(group) = Pid::from_raw(self.child.id().cast_signed()) {
            let _ = kill_process_group(group, Signal::KILL);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(target_os = "linux")]
fn enlarge(pipe: BorrowedFd<'_>) {
    // What the system does not grant only makes it slower.
    let _ = rustix::pipe::fcntl_setpipe_size(pipe, PIPE_BYTES);
}

#[cfg(not(target_os = "linux"))]
fn enlarge(_: BorrowedFd<'_>) {}

/// Passes standard error on to the log, line by line, and keeps the last lines.
fn listen(
    stream: ChildStderr,
    stage: Arc<str>,
    kept: &Arc<Mutex<VecDeque<String>>>,
) -> io::Result<JoinHandle<()>> {
    let kept = Arc::clone(kept);
    let mut stream = BufReader::new(stream);
    let lines = move || {
        let mut line = Vec::new();
        // A line without an end is cut, so that it is bounded.
        while matches!((&mut stream).take(LONGEST_LINE).read_until(b'\n', &mut line), Ok(1..)) {
            let text = String::from_utf8_lossy(&line);
            let text = text.trim_end();
            if !text.is_empty() {
                tracing::info!(target: "plugin", stage = &*stage, "{text}");
                let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                if kept.len() == LAST_WORDS {
                    kept.pop_front();
                }
                kept.push_back(text.to_owned());
            }
            line.clear();
        }
    };
    thread::Builder::new().name("stage-stderr".to_owned()).spawn(lines)
}

fn looks_like_text(bytes: &[u8]) -> bool {
    let beginning = &bytes[..bytes.len().min(HEADER_BYTES)];
    !beginning.is_empty()
        && beginning.iter().all(|byte| *byte >= 0x20 || matches!(byte, b'\n' | b'\r' | b'\t'))
}

/// The beginning of what was written, on one line.
fn shown(bytes: &[u8]) -> String {
    let bytes = &bytes[..bytes.len().min(200)];
    let text = String::from_utf8_lossy(bytes);
    let line = text.lines().next().unwrap_or_default();
    let beginning: String = line.chars().take(40).collect();
    format!("'{}'", beginning.escape_debug())
}

fn describe(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("ended with exit status {code}"),
        (None, Some(signal)) => {
            let name = match Signal::from_named_raw(signal) {
                Some(Signal::SEGV) => " (SIGSEGV)",
                Some(Signal::ABORT) => " (SIGABRT)",
                Some(Signal::KILL) => " (SIGKILL)",
                Some(Signal::TERM) => " (SIGTERM)",
                Some(Signal::BUS) => " (SIGBUS)",
                Some(Signal::ILL) => " (SIGILL)",
                Some(Signal::FPE) => " (SIGFPE)",
                Some(Signal::SYS) => " (SIGSYS)",
                _ => "",
            };
            format!("was ended by signal {signal}{name}")
        }
        (None, None) => "ended".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    /// A process that answers with what it is asked.
    fn echo() -> Link {
        let mut cat = Command::new("cat");
        cat.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Link::new(cat.spawn().unwrap(), &Arc::from("here")).unwrap()
    }

    fn answer(link: &mut Link) -> (Kind, Vec<u8>) {
        match link.drive(Duration::from_secs(20), None) {
            Ok(Progress::Answered(kind, answer)) => (kind, answer),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_request_is_kept_until_it_is_answered_and_no_longer() {
        let mut link = echo();
        let payload = vec![7; 5 << 20];
        link.begin_with(Kind::Result, &payload).unwrap();
        assert!(answer(&mut link) == (Kind::Result, payload));
        assert_eq!(link.request.len(), 0);
        link.dismiss(Duration::ZERO);
    }

    #[test]
    fn a_request_that_there_is_no_memory_for_is_not_asked() {
        let mut link = echo();
        let endless = Request { kind: Kind::Result, size: 1 << 60, write: &|_| {} };
        link.begin(&endless).unwrap_err();
        assert_eq!(endless.to_payload().unwrap_err().kind(), ErrorKind::OutOfMemory);
        assert!(link.is_alive() && link.pending.is_none() && !link.has_unsent());
        link.begin_with(Kind::Result, b"small").unwrap();
        assert_eq!(answer(&mut link), (Kind::Result, b"small".to_vec()));
        link.dismiss(Duration::ZERO);
    }
}
