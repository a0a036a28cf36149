//! What else holds the parts of a word or number together: commas, slashes, hyphens.

use super::Cutter;

impl Cutter<'_> {
    /// "1,000" and "30,5", but not the notes "[13,14]".
    pub(super) fn is_grouped(&self, start: usize, at: usize) -> bool {
        let is_note = start.checked_sub(1).is_some_and(|before| self.bytes[before] == b'[');
        let group = self.bytes[at + 1..].iter().take_while(|byte| byte.is_ascii_digit()).take(4);
        let group = group.count();
        self.is_digit(at - 1) && group > 0 && (!is_note || group == 3)
    }

    /// "1/2", "9/11", "s/he", "w/o": what a slash does not cut.
    pub(super) fn is_joined_by_slash(&self, start: usize, at: usize) -> bool {
        if self.is_digit(at - 1) && self.is_digit(at + 1) {
            return true;
        }
        let word = &self.text[start..self.run_end(at + 1)];
        matches!(word, "s/he" | "S/he" | "w/o" | "c/o" | "b/c" | "n/a" | "N/A" | "l/c" | "L/C")
    }

    /// The end of a telephone number or date whose first group ends at `at`.
    pub(super) fn telephone_end(&self, start: usize, at: usize) -> Option<usize> {
        if !self.bytes[start..at].iter().all(u8::is_ascii_digit) {
            return None;
        }
        let (mut groups, mut last, mut end) = (1, at - start, at);
        let first = last;
        while self.bytes.get(end) == Some(&b'-') && self.is_digit(end + 1) && groups < 6 {
            let group = end + 1;
            end = group;
            while self.is_digit(end) {
                end += 1;
            }
            last = end - group;
            groups += 1;
        }
        // A range of round numbers has two groups, too: "200-1000".
        let is_local = groups == 2
            && matches!((first, last), (3 | 5, 4))
            && !self.bytes[..end].ends_with(b"00");
        (is_local || groups > 2).then_some(end)
    }
}
