//! The workers on which stages run, apart from the runtime of sources and sinks.
//!
//! Any worker polls any task: they share one queue. So a stage that blocks in a poll holds up its
//! own document and one thread, which is replaced ([`Pool::add_worker`]), and nothing else. A
//! runtime with a queue for each worker could not promise that.

use std::any::Any;
use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{Notify, watch};
use tracing::error;

use crate::pipeline::Compute;

/// Where stages' futures are polled.
#[derive(Clone)]
pub(crate) struct Executor {
    /// `None` to poll on the caller's runtime.
    pool: Option<Arc<Pool>>,
    runtime: Handle,
    live: Arc<Live>,
}

/// Tasks that have not ended.
#[derive(Default)]
struct Live {
    count: AtomicUsize,
    /// How many of them nobody waits for, because they block their workers.
    stuck: AtomicUsize,
    /// Told when there are no others left.
    none: Notify,
}

impl Executor {
    /// Starts the workers. Stages may use the timer of the runtime it is called on.
    ///
    /// # Errors
    ///
    /// When a thread cannot be started.
    pub(crate) fn start(compute: Compute) -> io::Result<Self> {
        let runtime = Handle::current();
        let pool = match compute {
            Compute::Caller => None,
            Compute::Workers(workers) => Some(Pool::start(workers.get(), &runtime)?),
        };
        Ok(Self { pool, runtime, live: Arc::default() })
    }

    /// Polls `future` to its end.
    pub(crate) fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) {
        self.live.count.fetch_add(1, Ordering::Relaxed);
        let ended = Ended(Arc::clone(&self.live));
        let future = async move {
            let _ended = ended;
            future.await;
        };
        match &self.pool {
            Some(pool) => pool.spawn(Box::pin(future)),
            None => drop(self.runtime.spawn(future)),
        }
    }

    /// Replaces a worker that is blocked.
    pub(crate) fn add_worker(&self) {
        if let Some(Err(error)) = self.pool.as_ref().map(Pool::add_worker) {
            error!(%error, "cannot replace a blocked worker; the pipeline goes on with fewer");
        }
    }

    /// Takes one worker away, once a blocked one has come back.
    pub(crate) fn retire_worker(&self) {
        if let Some(pool) = &self.pool {
            pool.lock().surplus += 1;
        }
    }

    /// Waits at most `patience` for the tasks, and again for the workers, to end that are not among
    /// the `stuck` ones; leaves the others behind.
    pub(crate) async fn finish(&self, stuck: usize, patience: Duration) {
        let _ = tokio::time::timeout(patience, self.live.ended(stuck)).await;
        if let Some(pool) = &self.pool {
            pool.close();
            let mut workers = pool.workers.subscribe();
            let idle = workers.wait_for(|workers| *workers <= stuck);
            let _ = tokio::time::timeout(patience, idle).await;
        }
    }
}

impl Live {
    /// Waits until no task is left but `stuck` ones.
    async fn ended(&self, stuck: usize) {
        self.stuck.store(stuck, Ordering::SeqCst);
        loop {
            let none = self.none.notified();
            tokio::pin!(none);
            // Registered before the look, so that no change between the two is missed.
            none.as_mut().enable();
            if self.count.load(Ordering::SeqCst) <= stuck {
                return;
            }
            none.await;
        }
    }
}

/// Counts a task as ended when it is dropped.
struct Ended(Arc<Live>);

impl Drop for Ended {
    fn drop(&mut self) {
        // Either this sees how many are stuck, or whoever has just said so sees this one gone.
        let left = self.0.count.fetch_sub(1, Ordering::SeqCst) - 1;
        if left == self.0.stuck.load(Ordering::SeqCst) {
            self.0.none.notify_waiters();
        }
    }
}

type BoxFuture = Pin<Box<dyn Future<Output = ()> + Send>>;

struct Pool {
    queue: Mutex<Queue>,
    ready: Condvar,
    runtime: Handle,
    /// Threads that have not ended.
    workers: watch::Sender<usize>,
    /// Threads ever started, for their names.
    started: AtomicUsize,
}

#[derive(Default)]
struct Queue {
    /// As long as the documents in flight are many, at most.
    tasks: VecDeque<Arc<Task>>,
    /// Workers that wait for a task.
    idle: usize,
    /// Whether one of them was woken and has not looked yet. It wakes the next where there is more
    /// to do, so that a burst of short tasks does not wake a worker for each.
    is_waking: bool,
    /// Workers that are to end.
    surplus: usize,
    closed: bool,
}

impl Pool {
    fn start(workers: usize, runtime: &Handle) -> io::Result<Arc<Self>> {
        let pool = Arc::new(Self {
            queue: Mutex::default(),
            ready: Condvar::new(),
            runtime: runtime.clone(),
            workers: watch::Sender::new(0),
            started: AtomicUsize::new(0),
        });
        for _ in 0..workers {
            if let Err(error) = pool.add_worker() {
                pool.close();
                return Err(error);
            }
        }
        Ok(pool)
    }

    fn add_worker(self: &Arc<Self>) -> io::Result<()> {
        let number = self.started.fetch_add(1, Ordering::Relaxed);
        let pool = Arc::clone(self);
        self.workers.send_modify(|workers| *workers += 1);
        let spawned = thread::Builder::new().name(format!("compute-{number}")).spawn(move || {
            let runtime = pool.runtime.clone();
            let _timers = runtime.enter();
            while let Some(task) = pool.take() {
                task.run();
            }
            pool.workers.send_modify(|workers| *workers -= 1);
        });
        if spawned.is_err() {
            self.workers.send_modify(|workers| *workers -= 1);
        }
        spawned.map(drop)
    }

    fn spawn(self: &Arc<Self>, future: BoxFuture) {
        let task = Task {
            future: Mutex::new(Some(future)),
            state: AtomicU8::new(QUEUED),
            pool: Arc::clone(self),
        };
        self.push(Arc::new(task));
    }

    fn push(&self, task: Arc<Task>) {
        let mut queue = self.lock();
        if queue.closed {
            return;
        }
        queue.tasks.push_back(task);
        self.wake_one(queue);
    }

    /// Wakes a worker where there is something to do, one waits, and none has been woken.
    fn wake_one(&self, mut queue: MutexGuard<'_, Queue>) {
        let is_needed = !queue.tasks.is_empty() && queue.idle > 0 && !queue.is_waking;
        queue.is_waking |= is_needed;
        drop(queue);
        if is_needed {
            self.ready.notify_one();
        }
    }

    /// Waits for a task; `None` when the worker is to end.
    fn take(&self) -> Option<Arc<Task>> {
        let mut queue = self.lock();
        let mut has_waited = false;
        loop {
            let is_surplus = queue.surplus > 0;
            let task = if is_surplus { None } else { queue.tasks.pop_front() };
            if is_surplus || queue.closed || task.is_some() {
                queue.surplus -= usize::from(is_surplus);
                if has_waited {
                    self.wake_one(queue);
                }
                return task;
            }
            queue.idle += 1;
            queue = self.ready.wait(queue).unwrap_or_else(PoisonError::into_inner);
            queue.idle -= 1;
            queue.is_waking = false;
            has_waited = true;
        }
    }

    fn close(&self) {
        let mut queue = self.lock();
        queue.closed = true;
        let left = std::mem::take(&mut queue.tasks);
        drop(queue);
        // Dropping a task may wake others, which locks the queue.
        drop(left);
        self.ready.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A future and where it stands.
struct Task {
    /// Locked by the one worker that runs it; `None` once it has ended.
    future: Mutex<Option<BoxFuture>>,
    state: AtomicU8,
    pool: Arc<Pool>,
}

/// Waits for a wake.
const IDLE: u8 = 0;
/// Is in the queue.
const QUEUED: u8 = 1;
/// A worker polls it.
const RUNNING: u8 = 2;
/// A worker polls it, and it was woken meanwhile.
const WOKEN: u8 = 3;

impl Task {
    fn run(self: Arc<Self>) {
        self.state.store(RUNNING, Ordering::Release);
        let waker = Waker::from(Arc::clone(&self));
        let ended = {
            let mut slot = self.future.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(future) = slot.as_mut() else { return };
            let mut context = Context::from_waker(&waker);
            let poll = catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(&mut context)));
            let ended = !matches!(poll, Ok(Poll::Pending));
            if ended {
                let dropped = catch_unwind(AssertUnwindSafe(|| *slot = None));
                if let Err(panic) = poll.map(drop).and(dropped) {
                    let panic = panic_message(&*panic);
                    error!(panic, "a document's task panicked; the document is returned");
                }
            }
            ended
        };
        let waits = self.state.compare_exchange(RUNNING, IDLE, Ordering::AcqRel, Ordering::Acquire);
        if !ended && waits.is_err() {
            self.state.store(QUEUED, Ordering::Release);
            Arc::clone(&self.pool).push(self);
        }
    }
}

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        let next = |state| match state {
            IDLE => Some(QUEUED),
            RUNNING => Some(WOKEN),
            _ => None,
        };
        let before = self.state.fetch_update(Ordering::AcqRel, Ordering::Acquire, next);
        if before == Ok(IDLE) {
            Arc::clone(&self.pool).push(self);
        }
    }
}

/// What a panic said.
pub(crate) fn panic_message(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;
    use std::sync::mpsc::sync_channel;

    use super::*;

    #[tokio::test]
    async fn a_burst_of_tasks_comes_to_every_worker_that_waits() {
        const WORKERS: usize = 4;
        let executor = Executor::start(Compute::Workers(NonZeroUsize::new(WORKERS).unwrap()));
        let executor = executor.unwrap();
        for round in 0..50 {
            // Each task needs its worker until all have come.
            let met = Arc::new((Mutex::new(0), Condvar::new()));
            let (told, heard) = sync_channel(WORKERS);
            for _ in 0..WORKERS {
                let (met, told) = (Arc::clone(&met), told.clone());
                executor.spawn(async move {
                    let (count, changed) = &*met;
                    let mut count = count.lock().unwrap();
                    *count += 1;
                    changed.notify_all();
                    let patience = Duration::from_secs(10);
                    let waited =
                        changed.wait_timeout_while(count, patience, |count| *count < WORKERS);
                    told.send(!waited.unwrap().1.timed_out()).unwrap();
                });
            }
            drop(told);
            assert!(heard.iter().all(|have_met| have_met), "round {round}");
        }
        executor.finish(0, Duration::from_secs(10)).await;
    }
}
