//! The memory that a module and its host share: the module's own.

use standpoint_wire::ReadText;

/// Bytes at a multiple of eight, which the host fills.
// Invariant: the host writes only where `reserve` said, while nothing of the module runs.
pub(super) struct Buffer(Vec<u64>);

impl Buffer {
    pub(super) const fn new() -> Self {
        Self(Vec::new())
    }

    /// Room for so many bytes in place of what was there; 0 where there is none.
    pub(super) fn reserve(&mut self, length: u32) -> u32 {
        let words = (length as usize).div_ceil(size_of::<u64>()).max(1);
        if self.0.len() < words {
            // Not both at once, which would need the memory of both.
            self.0 = Vec::new();
            if self.0.try_reserve_exact(words).is_err() {
                return 0;
            }
            self.0.resize(words, 0);
        }
        self.0.as_ptr() as usize as u32
    }

    /// What the host wrote; `None` where it says that it lies elsewhere.
    pub(super) fn content(&self, at: u32, length: u32) -> Option<&[u8]> {
        let start = self.0.as_ptr();
        let room = self.0.len() * size_of::<u64>();
        if at as usize != start as usize || length as usize > room {
            return None;
        }
        // SAFETY: within what the vector holds, as just checked, and bytes may hold anything.
        Some(unsafe { std::slice::from_raw_parts(start.cast(), length as usize) })
    }
}

/// Where an answer lies: its place above its length.
pub(super) fn place(answer: &[u8]) -> u64 {
    ((answer.as_ptr() as usize as u64) << 32) | answer.len() as u64
}

/// How the text of the host's document is read: unchecked.
pub(super) const TEXT: ReadText =
    // SAFETY: it is UTF-8; a host that lends anything else breaks its own promise, and harms
    // nothing but this module.
    |bytes| Some(unsafe { str::from_utf8_unchecked(bytes) });
