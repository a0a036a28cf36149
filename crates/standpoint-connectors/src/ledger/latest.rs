//! Ids in memory, in little more room than they take.
//!
//! A set of hashes has a third of its room free, and while it grows it needs its old room and the new.
//! A sorted list needs neither and is what is written in the end; the newest ids wait beside it until
//! there are some more of them, so that they are put in their places together.

use std::collections::HashSet;

use super::ids::{Id, RUN_IDS};

/// How many ids wait beside the list.
const NEWEST: usize = 1 << 11;

/// By how many ids the list grows: as many as a run holds and what may come on top.
const ROOM: usize = RUN_IDS + 2 * NEWEST;

/// Ids that were added last.
#[derive(Debug, Default)]
pub(super) struct Latest {
    /// In their order, each once.
    sorted: Vec<Id>,
    /// None of those in the list.
    newest: HashSet<Id>,
}

impl Latest {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.sorted.len() + self.newest.len()
    }

    pub(super) fn contains(&self, id: &Id) -> bool {
        self.newest.contains(id) || self.sorted.binary_search(id).is_ok()
    }

    pub(super) fn add(&mut self, ids: &[Id]) {
        for id in ids {
            if self.sorted.binary_search(id).is_err() {
                self.newest.insert(*id);
            }
            if self.newest.len() >= NEWEST {
                self.merge();
            }
        }
    }

    /// Whether it was there.
    pub(super) fn remove(&mut self, id: &Id) -> bool {
        if let Ok(place) = self.sorted.binary_search(id) {
            self.sorted.remove(place);
            return true;
        }
        self.newest.remove(id)
    }

    pub(super) fn clear(&mut self) {
        self.sorted.clear();
        self.newest.clear();
    }

    /// All of them, in their order, each once.
    pub(super) fn sorted(&mut self) -> &[Id] {
        self.merge();
        &self.sorted
    }

    fn merge(&mut self) {
        let mut newest: Vec<Id> = self.newest.drain().collect();
        newest.sort_unstable();
        if self.sorted.capacity() - self.sorted.len() < newest.len() {
            self.sorted.reserve_exact(ROOM);
        }
        let mut from = self.sorted.len();
        self.sorted.extend_from_slice(&newest);
        let mut to = self.sorted.len();
        // From the end, where there is room for what moves up.
        while let Some(id) = newest.last() {
            to -= 1;
            if from > 0 && self.sorted[from - 1] > *id {
                from -= 1;
                self.sorted[to] = self.sorted[from];
            } else {
                self.sorted[to] = *id;
                newest.pop();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::ledger::ids::id_of;

    proptest! {
        /// It holds what a set holds, whatever is added and removed and however often it is sorted.
        #[test]
        fn it_is_a_set(steps in prop::collection::vec((0_u32..60, 0_u8..8), 0..400)) {
            let (mut latest, mut set) = (Latest::default(), BTreeSet::new());
            for (number, step) in steps {
                let id = id_of(&number.to_string());
                match step {
                    0 => prop_assert_eq!(latest.remove(&id), set.remove(&id)),
                    1 => prop_assert!(latest.sorted().iter().eq(&set)),
                    _ => {
                        latest.add(&[id]);
                        set.insert(id);
                    }
                }
                prop_assert_eq!(latest.len(), set.len());
                prop_assert_eq!(latest.contains(&id), set.contains(&id));
            }
            prop_assert!(latest.sorted().iter().eq(&set));
        }
    }
}
