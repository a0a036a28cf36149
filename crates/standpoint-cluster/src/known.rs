//! What a worker remembers to have done, so that it recognises what comes again.

use std::collections::{HashSet, VecDeque};

/// How many ids are remembered that were done.
const MOST_KNOWN: usize = 1 << 16;

/// Ids that are done, the oldest forgotten first.
#[derive(Default)]
pub(crate) struct Known {
    ids: HashSet<u128>,
    in_order: VecDeque<u128>,
}

impl Known {
    pub(crate) fn add(&mut self, id: &str) {
        let digest = digest(id);
        if self.ids.insert(digest) {
            self.in_order.push_back(digest);
        }
        while self.in_order.len() > MOST_KNOWN {
            if let Some(oldest) = self.in_order.pop_front() {
                self.ids.remove(&oldest);
            }
        }
    }

    pub(crate) fn has(&self, id: &str) -> bool {
        self.ids.contains(&digest(id))
    }
}

fn digest(id: &str) -> u128 {
    let mut first = [0; 16];
    first.copy_from_slice(&blake3::hash(id.as_bytes()).as_bytes()[..16]);
    u128::from_le_bytes(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_recognised_and_the_oldest_forgotten() {
        let mut known = Known::default();
        for number in 0..=MOST_KNOWN {
            known.add(&number.to_string());
        }
        known.add("7");
        assert!(!known.has("0") && known.has("1") && known.has("7"));
        assert_eq!((known.ids.len(), known.in_order.len()), (MOST_KNOWN, MOST_KNOWN));
    }
}
