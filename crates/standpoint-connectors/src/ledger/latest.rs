//! Ids in memory, in little more room than they take.
//!
//! A set of hashes has a third of its room free, and while it grows it needs its old room and the
//! new. A sorted list needs neither and is what is written in the end; the newest ids wait beside
//! it until there are some more of them, so that they are put in their places together.

use std::collections::HashSet;

use super::ids::{Id, RUN_IDS, likely_place};

/// How many ids wait beside the list.
const NEWEST: usize = 1 << 11;

/// By how many ids the list grows: as many as a run holds and what may come on top.
const ROOM: usize = RUN_IDS + 2 * NEWEST;

/// How far an id mostly is from its likely place at most.
const NEAR: usize = 256;

/// Ids that were added last.
#[derive(Debug, Default)]
pub(super) struct Latest {
    /// In their order, each once.
    sorted: Vec<Id>,
    /// Some may be in the list, too, if they were added twice.
    newest: HashSet<Id>,
}

impl Latest {
    /// How many there are at most: one that was added twice may count twice until they are sorted.
    pub(super) fn len(&self) -> usize {
        self.sorted.len() + self.newest.len()
    }

    pub(super) fn contains(&self, id: &Id) -> bool {
        self.newest.contains(id) || self.place(id).is_some()
    }

    pub(super) fn add(&mut self, ids: &[Id]) {
        for id in ids {
            self.newest.insert(*id);
            if self.newest.len() >= NEWEST {
                self.merge();
            }
        }
    }

    /// Whether it was there.
    pub(super) fn remove(&mut self, id: &Id) -> bool {
        let place = self.place(id);
        if let Some(place) = place {
            self.sorted.remove(place);
        }
        self.newest.remove(id) || place.is_some()
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

    /// Where an id stands in the list.
    fn place(&self, id: &Id) -> Option<usize> {
        let count = self.sorted.len();
        let likely = likely_place(id, count);
        let (low, high) = (likely.saturating_sub(NEAR), (likely + NEAR).min(count));
        let is_near =
            (low == 0 || self.sorted[low - 1] < *id) && (high == count || *id < self.sorted[high]);
        let (low, high) = if is_near { (low, high) } else { (0, count) };
        self.sorted[low..high].binary_search(id).ok().map(|place| low + place)
    }

    fn merge(&mut self) {
        let mut newest: Vec<Id> = self.newest.drain().collect();
        newest.retain(|id| self.place(id).is_none());
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

    #[test]
    fn all_of_many_are_found_and_no_other() {
        let id = |number: u32| id_of(&number.to_string());
        let mut latest = Latest::default();
        latest.add(&(0..20_000).map(id).collect::<Vec<_>>());
        assert!((0..20_000).all(|number| latest.contains(&id(number))));
        assert!(!(20_000..40_000).any(|number| latest.contains(&id(number))));
        assert_eq!(latest.sorted().len(), 20_000);
        assert!(latest.sorted().is_sorted());
    }

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
                prop_assert_eq!(latest.contains(&id), set.contains(&id));
            }
            prop_assert!(latest.sorted().iter().eq(&set));
            prop_assert_eq!(latest.len(), set.len());
        }
    }
}
