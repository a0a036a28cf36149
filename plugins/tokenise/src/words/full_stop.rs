//! Whether a full stop belongs to the word before it: abbreviations, initials, decimals, hosts.

use super::Cutter;
use crate::lists::Abbreviation;

/// What a full stop is to the word before it.
pub(super) enum Stop {
    Inside,
    Last,
    Outside,
}

impl Cutter<'_> {
    /// What the full stop at `at` is to the word that began at `start`.
    pub(super) fn full_stop(&self, start: usize, part: usize, at: usize) -> Stop {
        // No abbreviation or host name is longer; the bound keeps the time linear.
        if at - start > 64 {
            return Stop::Outside;
        }
        let before = &self.text[part..at];
        let word = &self.text[start..at];
        let is_initial = before.len() == 1 && self.is_letter(part);
        if self.is_word_char(at + 1) {
            let is_decimal = self.is_digit(at - 1) && self.is_digit(at + 1);
            let next_end = self.ascii_end(at + 1);
            let next_is_initial = next_end == at + 2 && self.bytes.get(next_end) != Some(&b'\'');
            let is_abbreviation = self.bytes.get(next_end) == Some(&b'.')
                && self.lists.abbreviation(&self.text[start..next_end]).is_some();
            if is_decimal
                || is_abbreviation
                || (is_initial && next_is_initial)
                || (self.is_letter(at - 1) && self.is_host(at + 1))
            {
                return Stop::Inside;
            }
            // "St.Petersburg", "J.Smith": the space is missing after an abbreviation.
            let keeps = is_initial && self.is_upper(part) || self.is_abbreviation(word, at);
            return if keeps { Stop::Last } else { Stop::Outside };
        }
        // A run of dots is an ellipsis, whatever stands before it; "Inc.." ends a sentence.
        if self.bytes.get(at + 1) == Some(&b'.') {
            let is_doubled =
                self.bytes.get(at + 2) != Some(&b'.') && self.is_abbreviation(word, at);
            return if is_doubled { Stop::Last } else { Stop::Outside };
        }
        if is_initial {
            // "U.S.", "J. Smith" and "c. 1818", but neither "it was I." nor "in plan b."
            let is_acronym = start < part;
            let is_name = self.is_upper(part) && !self.ends_line(at + 1) && before != "I";
            let is_year = self.is_lower(part) && self.is_before_number(at + 1);
            let is_bracketed =
                start.checked_sub(1).is_some_and(|before| self.bytes[before] == b'(');
            let keeps = is_acronym || is_name || is_year || is_bracketed;
            return if keeps { Stop::Last } else { Stop::Outside };
        }
        if self.is_abbreviation(word, at) || self.is_list_number(start, at) {
            return Stop::Last;
        }
        Stop::Outside
    }

    /// Whether `word` keeps the full stop at `at`. "No." and "Art." are words, unless a number
    /// follows.
    fn is_abbreviation(&self, word: &str, at: usize) -> bool {
        match self.lists.abbreviation(word) {
            None => false,
            Some(Abbreviation::Number) => !self.ends_line(at + 1) && self.is_before_number(at + 1),
            Some(_) => true,
        }
    }

    fn is_before_number(&self, at: usize) -> bool {
        let space = usize::from(self.bytes.get(at) == Some(&b' '));
        self.is_digit(at + space)
    }

    /// "1." and "2.1." at the start of a line.
    fn is_list_number(&self, start: usize, at: usize) -> bool {
        let is_number =
            self.bytes[start..at].iter().all(|&byte| byte.is_ascii_digit() || byte == b'.');
        is_number
            && at - start <= 5
            && (start == 0 || self.bytes[start - 1] == b'\n')
            && self.bytes.get(at + 1) == Some(&b' ')
    }

    /// Whether nothing more stands on the line.
    fn ends_line(&self, at: usize) -> bool {
        matches!(self.bytes.get(at), None | Some(b'\n'))
    }

    /// Whether a host or file name goes on at `at`: labels and stops, the last one known.
    fn is_host(&self, at: usize) -> bool {
        let mut label = at;
        // More labels than this are not a name, and the bound keeps the time linear.
        for labels in 1..7 {
            let end = self.ascii_end(label);
            let is_lower = self.bytes[label..end].iter().all(u8::is_ascii_lowercase);
            let goes_on = self.bytes.get(end) == Some(&b'.') && self.is_letter(end + 1);
            if !goes_on {
                // "alt.religion.scientology" is the name of a newsgroup.
                let is_group = labels > 1 && is_lower && label + 1 < end;
                let is_host = self.lists.is_domain(&self.text[label..end]);
                let is_shouted = self.bytes[label..end].iter().all(u8::is_ascii_uppercase);
                return (is_group || is_host && (is_lower || is_shouted && end - label == 3))
                    && self.apostrophe(end) == 0;
            }
            label = end + 1;
        }
        false
    }
}
