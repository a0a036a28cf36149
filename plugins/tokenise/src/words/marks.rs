//! Punctuation: runs of stops, emoticons, pictures, and marks that go with the word behind them.

use super::Cutter;
use crate::chars::{Wide, extends_picture, is_regional, wide};

impl Cutter<'_> {
    /// Cuts a token that begins with ASCII punctuation.
    pub(super) fn mark(&mut self, at: usize, chunk: usize) -> usize {
        let byte = self.bytes[at];
        let next = self.bytes.get(at + 1).copied().unwrap_or(b' ');
        let end = match byte {
            b'.' if self.is_digit(at + 1) && at == chunk => return self.word_after(at, at + 1),
            b'.' | b'!' | b'?' => self.stops_end(at),
            b'\'' => return self.quote(at, 1, chunk),
            b'#' | b'@' if self.is_word_char(at + 1) => return self.word_after(at, at + 1),
            b'+' if next.is_ascii_digit() && at == chunk => return self.word_after(at, at + 1),
            b'[' if self.bytes[at..].starts_with(b"[...]") => at + 5,
            b':' | b';' | b'=' | b'<' => self.emoticon_end(at).unwrap_or_else(|| {
                if matches!(byte, b'=' | b'<') { self.run_of_same(at) } else { at + 1 }
            }),
            b'(' if self.is_letter_item(at, chunk) => at + 3,
            b'-' | b'*' | b'_' | b'~' | b'+' | b'#' | b'>' | b'`' | b'^' | b'|' | b'$' | b'\\' => {
                self.run_of_same(at)
            }
            _ => at + 1,
        };
        self.push(at, end);
        end
    }

    /// "(a)" before an item of a list.
    fn is_letter_item(&self, at: usize, chunk: usize) -> bool {
        at == chunk
            && self.is_lower(at + 1)
            && self.bytes.get(at + 2) == Some(&b')')
            && at + 3 == self.end
    }

    /// The end of a picture: its variations, skin tone, the other half of a flag, and what a
    /// joiner ties to it.
    pub(super) fn picture_end(&self, first: char, mut end: usize) -> usize {
        let mut may_pair = is_regional(first);
        while let Some(next) = self.char_at(end) {
            let after = end + next.len_utf8();
            if extends_picture(next) {
                end = after;
            } else if next == '\u{200d}'
                && self.char_at(after).is_some_and(|c| wide(c) == Wide::Symbol)
            {
                end = after + self.char_at(after).map_or(0, char::len_utf8);
            } else if may_pair && is_regional(next) {
                may_pair = false;
                end = after;
            } else {
                break;
            }
        }
        end
    }

    /// The end of a run of ".", "!", "?" and "…".
    pub(super) fn stops_end(&self, at: usize) -> usize {
        let mut end = at;
        loop {
            match self.bytes.get(end) {
                Some(b'.' | b'!' | b'?') => end += 1,
                Some(0xe2) if self.text[end..].starts_with('…') => end += '…'.len_utf8(),
                _ => return end,
            }
        }
    }

    fn run_of_same(&self, at: usize) -> usize {
        let length = self.bytes[at..].iter().take_while(|&&byte| byte == self.bytes[at]).count();
        at + length
    }

    /// The end of ":-)" and the like, when nothing but punctuation follows.
    fn emoticon_end(&self, at: usize) -> Option<usize> {
        let rest = &self.bytes[at..self.end];
        let nose = usize::from(rest.get(1) == Some(&b'-'));
        let mouth = *rest.get(1 + nose)?;
        let is_face = match rest[0] {
            b'<' => nose == 0 && mouth == b'3',
            _ => matches!(mouth, b')' | b'(') || matches!(mouth, b'D' | b'P' | b'p'),
        };
        let end = at + nose + 2;
        (is_face && !self.is_word_char(end)).then_some(end)
    }

    /// Cuts a word together with the mark before it.
    fn word_after(&mut self, start: usize, word: usize) -> usize {
        let mut end = self.run_end(word);
        while matches!(self.bytes.get(end), Some(b'.' | b'-' | b','))
            && self.is_digit(end - 1)
            && self.is_digit(end + 1)
        {
            end = self.run_end(end + 1);
        }
        self.push(start, end);
        end
    }
}
