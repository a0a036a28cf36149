//! The instance that calls go to, and what follows when it panics.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use standpoint_stage::StageError;
use tokio::time::Instant;

use super::run::Instance;

/// How many instances in a row may panic before the stage rests. A call that does not panic starts
/// the count again.
pub const MAX_PANICS: u32 = 32;

/// How long a stage rests the first time; each further panic doubles it.
const FIRST_REST: Duration = Duration::from_secs(1);

/// The longest rest, so that a stage that works again is found out.
const LONGEST_REST: Duration = Duration::from_mins(5);

/// Holds an instance, and makes another one after a panic: at once while panics are few, and with
/// growing rests when there is nothing else.
#[derive(Debug)]
pub(super) struct Seat {
    slot: RwLock<Slot>,
    /// Instances that were made one after another and panicked, each counted once.
    panics_in_a_row: AtomicU32,
}

#[derive(Debug)]
struct Slot {
    instance: Arc<Instance>,
    /// When it may be replaced; set once its panic has been counted.
    rests_until: Option<Instant>,
}

impl Seat {
    pub(super) fn new(instance: Instance) -> Self {
        let slot = Slot { instance: Arc::new(instance), rests_until: None };
        Self { slot: RwLock::new(slot), panics_in_a_row: AtomicU32::new(0) }
    }

    /// An instance to call: the one there is, or one that `create` makes in place of one that
    /// panicked, which is left to the calls that are still in it.
    ///
    /// # Errors
    ///
    /// That the stage rests, or what `create` says.
    pub(super) fn instance(
        &self,
        stage: &str,
        create: impl FnOnce() -> Result<Instance, StageError>,
    ) -> Result<Arc<Instance>, StageError> {
        let current =
            Arc::clone(&self.slot.read().unwrap_or_else(PoisonError::into_inner).instance);
        if !current.is_poisoned() {
            return Ok(current);
        }
        let mut slot = self.slot.write().unwrap_or_else(PoisonError::into_inner);
        // Another call may have been faster.
        if slot.instance.is_poisoned() {
            let rest = self.count(&mut slot, stage).saturating_duration_since(Instant::now());
            if !rest.is_zero() {
                return Err(self.resting(rest));
            }
            // Cleared first: an instance that cannot be made counts like one that panics.
            slot.rests_until = None;
            slot.instance = Arc::new(create()?);
            tracing::warn!(stage, "restarted a stage that panicked");
        }
        Ok(Arc::clone(&slot.instance))
    }

    /// Notes that a call of `instance` came back.
    pub(super) fn note_return(&self, stage: &str, instance: &Arc<Instance>) {
        if instance.is_poisoned() {
            let mut slot = self.slot.write().unwrap_or_else(PoisonError::into_inner);
            if Arc::ptr_eq(&slot.instance, instance) {
                self.count(&mut slot, stage);
            }
        } else if self.panics_in_a_row.load(Ordering::Relaxed) > 0 {
            // Written only when it changes: all workers come by here.
            self.panics_in_a_row.store(0, Ordering::Relaxed);
        }
    }

    /// Counts the panic of an instance, unless it has been; returns until when the stage rests.
    fn count(&self, slot: &mut Slot, stage: &str) -> Instant {
        *slot.rests_until.get_or_insert_with(|| {
            let panics = self.panics_in_a_row.fetch_add(1, Ordering::Relaxed).saturating_add(1);
            let rest = match panics.checked_sub(MAX_PANICS) {
                None => Duration::ZERO,
                Some(doublings) => FIRST_REST.saturating_mul(2_u32.saturating_pow(doublings)),
            };
            let rest = rest.min(LONGEST_REST);
            if !rest.is_zero() {
                tracing::error!(stage, panics, ?rest, "a stage only panics and rests");
            }
            Instant::now() + rest
        })
    }

    fn resting(&self, rest: Duration) -> StageError {
        let panics = self.panics_in_a_row.load(Ordering::Relaxed);
        // To the second, as it is read by people.
        let rest = Duration::from_secs(rest.as_secs_f64().ceil() as u64);
        StageError::stage(format!(
            "it panicked {panics} times in a row and rests; it is tried again in {rest:?}"
        ))
    }
}
