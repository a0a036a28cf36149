//! Catches panics at the boundary, where they would otherwise abort the whole program.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

thread_local! {
    static INSIDE: Cell<bool> = const { Cell::new(false) };
    static LAST: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Runs `entry`; a panic in it becomes `Err` with its message and place.
pub(super) fn catch<T>(entry: impl FnOnce() -> T) -> Result<T, String> {
    install_hook();
    let result = INSIDE.with(|inside| {
        let outer = inside.replace(true);
        let result = panic::catch_unwind(AssertUnwindSafe(entry));
        inside.set(outer);
        result
    });
    result.map_err(|payload| {
        discard(payload);
        LAST.take().unwrap_or_else(|| "panicked".to_owned())
    })
}

/// Drops what a panic carried, which may panic itself.
fn discard(payload: Box<dyn Any + Send>) {
    if let Err(second) = panic::catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        // Whoever panics while a panic's payload is dropped is not asked a third time.
        std::mem::forget(second);
    }
}

/// Keeps message and place of panics inside entries, which the host reports, from being printed.
///
/// A plugin has its own copy of the standard library and so its own hook: the host's stays as it
/// is.
fn install_hook() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let printing = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !INSIDE.get() {
                return printing(info);
            }
            let message = info.payload_as_str().unwrap_or("something that is not a text");
            let message = match info.location() {
                Some(place) => {
                    format!("panicked: {message} (at {}:{})", place.file(), place.line())
                }
                None => format!("panicked: {message}"),
            };
            LAST.set(Some(message));
        }));
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_a_message_with_its_place() {
        let message = catch(|| panic!("boom {}", 7)).unwrap_err();
        assert!(message.starts_with("panicked: boom 7 (at "), "{message}");
        assert!(message.contains("guard.rs:"), "{message}");
        assert_eq!(catch(|| 3), Ok(3));
    }

    #[test]
    fn a_payload_that_panics_when_dropped_is_contained() {
        struct Bomb;
        impl Drop for Bomb {
            fn drop(&mut self) {
                panic!("again");
            }
        }
        assert!(catch(|| panic::panic_any(Bomb)).is_err());
    }
}
