//! One process and the thread that starts it, watches it and starts it again.
//!
//! A process ends with the thread that started it, so that thread does nothing else, for as long as
//! the stage is there. A call that is answered at once never comes here: whoever calls writes to
//! the process and reads its answer by itself. What takes longer, fails or is given up is handed
//! over.

use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use standpoint_stage::StageError;
use standpoint_wire::Form;
use tokio::sync::oneshot;

use super::error::ProcessError;
use super::link::{Fault, Link, Progress, Request};
use super::stage::{Crew, Lease};
use crate::protocol::{Failure, HostHello, Kind, LOWEST_VERSION, StageHello, VERSION};

/// How long whoever calls waits by itself for an answer.
const INLINE: Duration = Duration::from_micros(500);

/// How long a process has to give up a request that was cancelled.
const GRACE: Duration = Duration::from_secs(1);

/// How long a process has to end when it is told to.
const FAREWELL: Duration = Duration::from_secs(1);

/// A process's place with the thread that attends to it.
#[derive(Debug)]
pub(super) struct Seat {
    place: Arc<Place>,
    /// `None` once the stage is given up.
    jobs: Mutex<Option<SyncSender<Job>>>,
    thread: Option<JoinHandle<()>>,
}

/// What callers and the thread share.
#[derive(Debug)]
struct Place {
    seated: Mutex<Seated>,
    bell: Bell,
}

impl Place {
    fn seated(&self) -> MutexGuard<'_, Seated> {
        self.seated.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug, Default)]
struct Seated {
    /// `None` while there is no process, and while the thread has it in hand.
    link: Option<Link>,
    /// The last answer took longer than [`INLINE`].
    is_slow: bool,
}

/// How the start of a process went.
pub(super) type FirstWords = Result<StageHello, ProcessError>;

/// A call that is handed over.
#[derive(Debug)]
pub(super) struct Job {
    /// The kind and payload of the request; `None` when it is on its way already.
    request: Option<(Kind, Vec<u8>)>,
    fault: Option<Fault>,
    answer: oneshot::Sender<Result<(Kind, Vec<u8>), CallError>>,
    cancelled: Arc<AtomicBool>,
    lease: Lease,
}

/// Why a call has no answer.
#[derive(Debug, Clone)]
pub(super) enum CallError {
    /// The process ended or broke the protocol in the middle of it.
    Lost(StageError),
    /// There is no process to call, or no memory for what to ask it.
    Resting(StageError),
}

impl CallError {
    fn no_memory(error: &io::Error) -> Self {
        let told = format!("there is no memory for what to ask its process: {error}");
        Self::Resting(StageError::transient(told))
    }
}

impl From<CallError> for StageError {
    fn from(error: CallError) -> Self {
        match error {
            CallError::Lost(error) | CallError::Resting(error) => error,
        }
    }
}

/// Wakes the thread of a seat.
#[derive(Debug)]
struct Bell {
    rung: PipeReader,
    rope: PipeWriter,
    /// The stage is given up.
    stop: AtomicBool,
}

impl Bell {
    fn new() -> io::Result<Self> {
        let (rung, rope) = io::pipe()?;
        rustix::io::ioctl_fionbio(&rung, true)?;
        rustix::io::ioctl_fionbio(&rope, true)?;
        Ok(Self { rung, rope, stop: AtomicBool::new(false) })
    }

    fn ring(&self) {
        // A full pipe rings as well.
        let _ = (&self.rope).write(&[1]);
    }

    fn silence(&self) {
        let mut heard = [0; 64];
        while matches!((&self.rung).read(&mut heard), Ok(1..)) {}
    }

    fn is_stop(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }
}

/// Gives a call up when it is dropped before its answer has come.
struct Wanted<'s> {
    bell: &'s Bell,
    cancelled: Arc<AtomicBool>,
    done: bool,
}

impl Drop for Wanted<'_> {
    fn drop(&mut self) {
        if !self.done {
            self.cancelled.store(true, Ordering::Release);
            self.bell.ring();
        }
    }
}

impl Seat {
    /// Starts a thread with a process; the first thing it sends is how that went.
    pub(super) fn start(
        crew: &Arc<Crew>,
        index: usize,
    ) -> io::Result<(Arc<Self>, Receiver<FirstWords>)> {
        let (jobs, received) = sync_channel(1);
        let (told, first) = sync_channel(1);
        let place = Arc::new(Place { seated: Mutex::default(), bell: Bell::new()? });
        let attendant =
            Attendant { crew: Arc::clone(crew), place: Arc::clone(&place), failures: 0 };
        let thread = thread::Builder::new()
            .name(format!("stage-process-{index}"))
            .spawn(move || attendant.run(&told, &received))?;
        let seat = Self { place, jobs: Mutex::new(Some(jobs)), thread: Some(thread) };
        Ok((Arc::new(seat), first))
    }

    /// Has the process answer a request.
    pub(super) async fn call(
        &self,
        request: Request<'_>,
        lease: Lease,
    ) -> Result<(Kind, Vec<u8>), CallError> {
        let (request, fault) = match self.try_inline(&request) {
            Inline::Answered(kind, answer) => return Ok((kind, answer)),
            Inline::Begun => (None, None),
            Inline::Faulty(fault) => (None, Some(fault)),
            Inline::Unasked(error) => return Err(CallError::no_memory(&error)),
            Inline::Down => match request.to_payload() {
                Ok(payload) => (Some((request.kind, payload)), None),
                Err(error) => return Err(CallError::no_memory(&error)),
            },
        };
        let (answer, answered) = oneshot::channel();
        let cancelled = Arc::new(AtomicBool::new(false));
        let mut wanted =
            Wanted { bell: &self.place.bell, cancelled: Arc::clone(&cancelled), done: false };
        let job = Job { request, fault, answer, cancelled, lease };
        let gone = || CallError::Resting(StageError::transient("its process is being ended"));
        // There is room: whoever holds the lease is the only one who sends.
        let jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let sent = jobs.is_some_and(|jobs| jobs.try_send(job).is_ok());
        let result =
            if sent { answered.await.unwrap_or_else(|_| Err(gone())) } else { Err(gone()) };
        wanted.done = true;
        result
    }

    fn try_inline(&self, request: &Request<'_>) -> Inline {
        let mut seated = self.place.seated();
        let patience = if seated.is_slow { Duration::ZERO } else { INLINE };
        let Some(link) = seated.link.as_mut().filter(|link| link.is_alive()) else {
            return Inline::Down;
        };
        if let Err(error) = link.begin(request) {
            return Inline::Unasked(error);
        }
        match link.drive(patience, None) {
            Ok(Progress::Answered(kind, answer)) => Inline::Answered(kind, answer),
            Ok(Progress::Waiting | Progress::Woken) => {
                seated.is_slow = true;
                Inline::Begun
            }
            Err(Fault::Ended) if link.is_deaf() => Inline::Down,
            Err(fault) => Inline::Faulty(fault),
        }
    }

    /// Has the thread end its process and then itself; does not wait.
    pub(super) fn stop(&self) {
        *self.jobs.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.place.bell.stop.store(true, Ordering::Release);
        self.place.bell.ring();
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.stop();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// What came of a call that was made by whoever wants the answer.
enum Inline {
    Answered(Kind, Vec<u8>),
    Begun,
    Faulty(Fault),
    /// There is no process, and nothing was asked.
    Down,
    /// Nothing was asked, and the process is as it was.
    Unasked(io::Error),
}

/// What the thread of a seat knows.
struct Attendant {
    crew: Arc<Crew>,
    place: Arc<Place>,
    /// Processes in a row that answered nothing.
    failures: u32,
}

impl Attendant {
    fn run(mut self, told: &SyncSender<FirstWords>, jobs: &Receiver<Job>) {
        // Nobody waits to hear of the second and later processes of a stage.
        match bring_up(&self.crew) {
            Ok((link, hello)) => {
                self.place.seated().link = Some(link);
                let _ = told.try_send(Ok(hello));
            }
            Err(error) => {
                if self.crew.is_introduced() {
                    tracing::error!(stage = &*self.crew.stage, %error, "a process did not start");
                }
                let _ = told.try_send(Err(error));
            }
        }
        // Until the stage is given up.
        while let Ok(job) = jobs.recv() {
            self.work(job);
        }
        let left = self.place.seated().link.take();
        if let Some(link) = left {
            link.dismiss(FAREWELL);
        }
    }

    /// Brings a call to its end, and gets a new process if that one is lost.
    fn work(&mut self, job: Job) {
        let Job { request, fault, answer, cancelled, lease } = job;
        let started = Instant::now();
        let mut link = self.place.seated().link.take();
        if let Some(request) = request {
            // One that ended while nobody looked costs no document.
            if let Some(dead) = link.take_if(|link| !link.is_alive()) {
                let told = dead.bury(Fault::Ended);
                tracing::warn!(stage = &*self.crew.stage, "{told}");
                self.note_loss();
            }
            let ready = match link.take() {
                Some(link) => Ok(link),
                None => self.restart(&cancelled),
            };
            match ready {
                Ok(mut ready) => {
                    let begun = ready.begin_with(request.0, &request.1);
                    link = Some(ready);
                    if let Err(error) = begun {
                        self.place.seated().link = link;
                        drop(lease);
                        let _ = answer.send(Err(CallError::no_memory(&error)));
                        return;
                    }
                }
                Err(error) => {
                    let _ = answer.send(Err(error));
                    return;
                }
            }
        }
        let Some(mut link) = link else {
            let error = StageError::transient("its process is being ended");
            let _ = answer.send(Err(CallError::Resting(error)));
            return;
        };
        let outcome = match fault {
            Some(fault) => Err(fault),
            None => self.wait_for_answer(&mut link, &cancelled),
        };
        match outcome {
            Ok((kind, reply)) => {
                self.failures = 0;
                {
                    let mut seated = self.place.seated();
                    seated.is_slow = started.elapsed() >= INLINE;
                    seated.link = Some(link);
                }
                // Before the answer, so that whoever gets it can call again at once.
                drop(lease);
                let _ = answer.send(Ok((kind, reply)));
            }
            Err(fault) => {
                let mut told = link.bury(fault);
                if let Some(limit) = self.crew.program.limits.memory {
                    told = format!("{told}; its limit of memory is {} MiB", limit >> 20);
                }
                tracing::warn!(stage = &*self.crew.stage, "{told}");
                self.note_loss();
                let _ = answer.send(Err(CallError::Lost(StageError::stage(told))));
                // With the lease in hand, so that calls go to the other processes meanwhile.
                if !self.place.bell.is_stop()
                    && let Ok(new) = self.restart(&AtomicBool::new(false))
                {
                    self.place.seated().link = Some(new);
                }
                drop(lease);
            }
        }
    }

    fn wait_for_answer(
        &self,
        link: &mut Link,
        cancelled: &AtomicBool,
    ) -> Result<(Kind, Vec<u8>), Fault> {
        let mut end: Option<Instant> = None;
        loop {
            let patience = match end {
                None => Duration::from_hours(1),
                Some(end) => end.saturating_duration_since(Instant::now()),
            };
            if end.is_some() && patience.is_zero() {
                return Err(Fault::Hangs);
            }
            match link.drive(patience, Some(self.place.bell.rung.as_fd()))? {
                Progress::Answered(kind, answer) => return Ok((kind, answer)),
                Progress::Waiting => {}
                Progress::Woken => {
                    self.place.bell.silence();
                    let given_up = cancelled.load(Ordering::Acquire) || self.place.bell.is_stop();
                    if given_up && end.is_none() {
                        link.cancel();
                        end = Some(Instant::now() + GRACE);
                    }
                }
            }
        }
    }

    fn note_loss(&mut self) {
        self.failures = self.failures.saturating_add(1);
        self.crew.note_loss();
    }

    /// Starts another process after the pause that is due; gives up where nobody waits.
    fn restart(&mut self, cancelled: &AtomicBool) -> Result<Link, CallError> {
        loop {
            if let Some(rest) = self.crew.rest() {
                // To the second, as it is read by people.
                let rest = Duration::from_secs(rest.as_secs() + 1);
                return Err(CallError::Resting(StageError::transient(format!(
                    "its processes ended {} times within a minute, and it rests; it is tried \
                     again in {rest:?}",
                    self.crew.settings.restart.max_per_minute
                ))));
            }
            self.pause(cancelled);
            if cancelled.load(Ordering::Acquire) || self.place.bell.is_stop() {
                let error = StageError::cancelled();
                return Err(CallError::Resting(error));
            }
            match bring_up(&self.crew) {
                Ok((link, hello)) if self.crew.is_same(&hello) => {
                    tracing::info!(stage = &*self.crew.stage, "started a process again");
                    return Ok(link);
                }
                Ok((link, _)) => {
                    link.dismiss(FAREWELL);
                    self.note_loss();
                    tracing::error!(
                        stage = &*self.crew.stage,
                        "its program was changed and says other things of itself; restart the \
                         pipeline to use it"
                    );
                }
                Err(error) => {
                    self.note_loss();
                    tracing::error!(stage = &*self.crew.stage, %error, "a process did not start");
                }
            }
        }
    }

    /// Waits as long as the losses in a row demand.
    fn pause(&self, cancelled: &AtomicBool) {
        let Some(doublings) = self.failures.checked_sub(1) else { return };
        let restart = &self.crew.settings.restart;
        let pause = restart.first.saturating_mul(2_u32.saturating_pow(doublings));
        let end = Instant::now() + pause.min(restart.longest);
        loop {
            let rest = end.saturating_duration_since(Instant::now());
            if rest.is_zero() || cancelled.load(Ordering::Acquire) || self.place.bell.is_stop() {
                return;
            }
            let rest = rustix::event::Timespec {
                tv_sec: rest.as_secs().cast_signed(),
                tv_nsec: rest.subsec_nanos().into(),
            };
            let flags = rustix::event::PollFlags::IN;
            let mut asked = [rustix::event::PollFd::new(&self.place.bell.rung, flags)];
            let _ = rustix::event::poll(&mut asked, Some(&rest));
            self.place.bell.silence();
        }
    }
}

/// Starts a process, has it introduce itself and starts its stage.
pub(super) fn bring_up(crew: &Crew) -> Result<(Link, StageHello), ProcessError> {
    let (mut link, hello) = greet(crew)?;
    if let Some(start) = &crew.start {
        let payload = serde_json::to_vec(start).unwrap_or_default();
        let begun = link.begin_with(Kind::Start, &payload);
        match begun.map_err(Fault::Io).and_then(|()| link.drive(crew.settings.start_timeout, None))
        {
            Ok(Progress::Answered(Kind::Result, _)) => {}
            Ok(Progress::Answered(Kind::Error, failure)) => {
                link.dismiss(FAREWELL);
                let failure: Result<Failure, _> = serde_json::from_slice(&failure);
                let message = failure
                    .map_or_else(|error| format!("its error is none: {error}"), |f| f.message);
                return Err(ProcessError::Refused { message });
            }
            other => return Err(explain(crew, link, other, "`start`")),
        }
    }
    Ok((link, hello))
}

fn greet(crew: &Crew) -> Result<(Link, StageHello), ProcessError> {
    let program = crew.program.shown();
    let child = crew.program.spawn()?;
    let mut link = Link::new(child, &crew.stage)
        .map_err(|source| ProcessError::Start { program: program.clone(), source })?;
    let hello = HostHello {
        standpoint: env!("CARGO_PKG_VERSION").to_owned(),
        protocol: [LOWEST_VERSION, VERSION],
        forms: vec![Form::Packed, Form::Json],
    };
    let payload = serde_json::to_vec(&hello).unwrap_or_default();
    let begun = link.begin_with(Kind::Hello, &payload);
    let hello =
        match begun.map_err(Fault::Io).and_then(|()| link.drive(crew.settings.start_timeout, None))
        {
            Ok(Progress::Answered(Kind::Hello, hello)) => hello,
            Ok(Progress::Answered(Kind::Error, failure)) => {
                link.dismiss(FAREWELL);
                let failure: Result<Failure, _> = serde_json::from_slice(&failure);
                let message = failure.map_or_else(|error| error.to_string(), |f| f.message);
                return Err(ProcessError::Hello { program, problem: format!("says: {message}") });
            }
            other => return Err(explain(crew, link, other, "the hello")),
        };
    let checked = serde_json::from_slice::<StageHello>(&hello)
        .map_err(|error| format!("does not introduce itself as it should: {error}"))
        .and_then(|hello| match hello.protocol {
            LOWEST_VERSION..=VERSION => Ok(hello),
            other => Err(format!(
                "speaks protocol {other}, and this host {LOWEST_VERSION} to {VERSION}: update it"
            )),
        })
        .and_then(|hello| match hello.manifest.check() {
            Ok(()) => Ok(hello),
            Err(problem) => Err(format!("cannot be used: {problem}")),
        });
    match checked {
        Ok(hello) => Ok((link, hello)),
        Err(problem) => {
            link.dismiss(FAREWELL);
            Err(ProcessError::Hello { program, problem })
        }
    }
}

/// Why a process did not begin as it should.
fn explain(crew: &Crew, link: Link, outcome: Result<Progress, Fault>, what: &str) -> ProcessError {
    let problem = match outcome {
        Ok(Progress::Waiting | Progress::Woken) => {
            let limit = crew.settings.start_timeout;
            link.dismiss(Duration::ZERO);
            format!("did not answer {what} within {limit:?}; is it a stage?")
        }
        Ok(Progress::Answered(kind, _)) => {
            link.dismiss(Duration::ZERO);
            format!("answered {what} with {kind:?}")
        }
        Err(fault) => format!("did not answer {what}: {}", link.bury(fault)),
    };
    ProcessError::Hello { program: crew.program.shown(), problem }
}
