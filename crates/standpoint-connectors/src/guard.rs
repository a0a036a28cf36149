//! Readers that may panic: whatever a file holds, it stops no other and is not taken for one that
//! was read.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crate::read::Documents;
use crate::refusal::ReadError;

thread_local! {
    /// The file whose reader is at work.
    static READING: RefCell<Option<Arc<str>>> = const { RefCell::new(None) };
}

/// The path of the file that this thread reads, if it does.
///
/// For what tells of a panic: what a reader says of it may quote the file.
#[must_use]
pub fn reading() -> Option<Arc<str>> {
    READING.try_with(|reading| reading.borrow().clone()).ok().flatten()
}

/// Opens documents behind a reader that may panic.
pub(crate) fn guarded(
    path: &str,
    open: impl FnOnce() -> Result<Documents, ReadError>,
) -> Result<Documents, ReadError> {
    let path = Arc::from(path);
    let documents = caught(&path, open).unwrap_or(Err(ReadError::Panicked))?;
    Ok(Box::new(Guarded { documents: Some(documents), path }))
}

/// What a reader returns; `None` where it panics.
fn caught<T>(path: &Arc<str>, read: impl FnOnce() -> T) -> Option<T> {
    let before = READING.replace(Some(Arc::clone(path)));
    let result = catch_unwind(AssertUnwindSafe(read));
    READING.set(before);
    result.ok()
}

struct Guarded {
    /// `None` once it has panicked: half read, it is asked no more.
    documents: Option<Documents>,
    path: Arc<str>,
}

impl Iterator for Guarded {
    type Item = <Documents as Iterator>::Item;

    fn next(&mut self) -> Option<Self::Item> {
        let documents = self.documents.as_mut()?;
        caught(&self.path, || documents.next()).unwrap_or_else(|| {
            self.documents = None;
            Some(Err(ReadError::Panicked))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_known_to_be_of_the_file_that_is_read_and_no_longer() {
        let of_this = || reading().as_deref() == Some("a.csv");
        let mut left = 2;
        let mut documents = guarded("a.csv", || {
            assert!(of_this());
            Ok(Box::new(std::iter::from_fn(move || {
                left -= 1;
                assert!(of_this() && left > 0, "told to panic");
                Some(Err(ReadError::Empty { bytes: 0 }))
            })))
        })
        .unwrap();
        let found: Vec<_> = std::iter::from_fn(|| {
            assert_eq!(reading(), None);
            documents.next()
        })
        .collect();
        assert!(matches!(found[..], [Err(ReadError::Empty { .. }), Err(ReadError::Panicked)]));
        assert_eq!(reading(), None);
    }
}
