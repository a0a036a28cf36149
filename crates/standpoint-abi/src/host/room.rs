//! Room for a call, kept from one to the next.

use std::cell::Cell;

use standpoint_wire::Writes;

use super::lend::Lists;

/// What a call lends and what is written in it.
#[derive(Debug, Default)]
pub(super) struct Parts {
    pub(super) lists: Lists,
    pub(super) writes: Writes,
}

thread_local! {
    /// Empty parts that no call on this thread uses.
    static SPARE: Cell<Option<Box<Parts>>> = const { Cell::new(None) };
}

/// The parts of a call. A small handle, because a future is copied to the heap with all it holds.
#[derive(Debug)]
pub(super) struct Room(Option<Box<Parts>>);

impl Room {
    pub(super) fn take() -> Self {
        Self(SPARE.try_with(Cell::take).unwrap_or_default())
    }

    pub(super) fn parts(&mut self) -> &mut Parts {
        self.0.get_or_insert_default()
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        if let Some(mut parts) = self.0.take() {
            parts.lists.clear();
            parts.writes.clear();
            // A thread that ends keeps nothing.
            let _ = SPARE.try_with(|spare| spare.set(Some(parts)));
        }
    }
}

#[cfg(test)]
mod tests {
    use standpoint_document::Document;

    use super::*;

    #[test]
    fn what_a_call_left_is_not_found_by_the_next() {
        let mut room = Room::take();
        let parts = room.parts();
        parts.writes.add_note("left out");
        parts.writes.set_attribute("hedges", "2").unwrap();
        parts.writes.set_language("en");
        drop(room);
        let mut document = Document::new("d", "").unwrap();
        let mut room = Room::take();
        assert!(room.0.is_some());
        room.parts().writes.commit(&mut document).unwrap();
        assert!(document.notes().is_empty() && document.attributes().is_empty());
        assert_eq!(document.language(), None);
    }
}
