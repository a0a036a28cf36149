//! Cuts a text into words and marks, the way Universal Dependencies does for English.
//!
//! "Don't" is `Do` `n't`, "Russia’s" is `Russia` `’s`, "cannot" is `can` `not`, compounds are cut
//! at the hyphen ("foreign-policy" is three tokens, but "non-aligned" one), abbreviations keep
//! their full stop. Tokens leave out nothing but white space, control characters and characters
//! that show nothing.
//!
//! One pass over the bytes: most words are ASCII letters between spaces and never leave the
//! first few lines of [`words`]. Everything else is looked at by the *chunk*, what stands between
//! two spaces. Each byte is looked at a bounded number of times, so the time is linear in the
//! text whatever it holds.
//!
//! Modules in reading order: `full_stop`, `apostrophe`, `joints`, `marks`, `address`, `look`.

mod address;
mod apostrophe;
mod full_stop;
mod joints;
mod look;
mod marks;

use apostrophe::Clitic;
use full_stop::Stop;
use standpoint_document::Span;

use crate::{
    chars::{KIND, Kind, Wide, wide},
    lists::Lists,
};

/// The longest token, in bytes; what is longer is cut, so that later stages have bounded work.
pub const MAX_TOKEN_BYTES: usize = 512;

/// Cuts `text` into tokens.
///
/// - returns: spans in text order that do not overlap, none empty, each on character boundaries.
#[must_use]
pub fn words(text: &str, lists: &Lists) -> Vec<Span> {
    // English has a token for about five bytes; the vector then seldom grows.
    let mut cutter = Cutter {
        text,
        bytes: text.as_bytes(),
        lists,
        tokens: Vec::with_capacity(text.len() / 5 + 8),
        end: 0,
    };
    let mut at = 0;
    while let Some(&byte) = cutter.bytes.get(at) {
        match KIND[usize::from(byte)] {
            Kind::Space => at += 1,
            Kind::Letter => at = cutter.plain_word(at),
            // White space beyond ASCII is an empty chunk.
            _ => at = cutter.chunk(at).max(text.ceil_char_boundary(at + 1)),
        }
    }
    cutter.tokens
}

struct Cutter<'a> {
    text: &'a str,
    bytes: &'a [u8],
    lists: &'a Lists,
    tokens: Vec<Span>,
    /// Where the chunk in hand ends.
    end: usize,
}

impl Cutter<'_> {
    /// Cuts a word of ASCII letters that a space, or one mark and a space, follows; anything else
    /// it leaves to [`chunk`](Self::chunk). Returns where to go on.
    fn plain_word(&mut self, start: usize) -> usize {
        let mut at = start + 1;
        while self.kind(at) == Some(Kind::Letter) {
            at += 1;
        }
        match self.bytes.get(at) {
            None | Some(b' ' | b'\n') => {}
            Some(b',' | b';' | b'!' | b'?' | b')')
                if matches!(self.bytes.get(at + 1), None | Some(b' ' | b'\n')) =>
            {
                self.push_word(start, at);
                self.push(at, at + 1);
                return at + 1;
            }
            Some(_) => return self.chunk(start),
        }
        self.push_word(start, at);
        at
    }

    /// Cuts what stands between two spaces. Returns its end.
    fn chunk(&mut self, start: usize) -> usize {
        self.end = self.chunk_end(start);
        let mut at = start;
        // Only after an opening mark can an address begin; so each byte is scanned for one once.
        let mut opens = true;
        while at < self.end {
            if opens && let Some(end) = self.address_end(at) {
                self.push(at, end);
                at = end;
                opens = false;
                continue;
            }
            let byte = self.bytes[at];
            at = match KIND[usize::from(byte)] {
                Kind::Space => at + 1,
                Kind::Letter | Kind::Digit => {
                    opens = false;
                    self.word(at)
                }
                Kind::Mark => {
                    opens = matches!(byte, b'(' | b'[' | b'"' | b'\'' | b'<' | b'{');
                    self.mark(at, start)
                }
                Kind::Wide => self.wide(at, &mut opens),
            };
        }
        self.end
    }

    fn chunk_end(&self, start: usize) -> usize {
        let mut at = start;
        while let Some(&byte) = self.bytes.get(at) {
            match KIND[usize::from(byte)] {
                Kind::Space => break,
                Kind::Wide => {
                    let Some(character) = self.char_at(at) else { break };
                    if wide(character) == Wide::Space {
                        break;
                    }
                    at += character.len_utf8();
                }
                _ => at += 1,
            }
        }
        at.max(start)
    }

    /// Cuts a token that begins with a letter or digit, and its clitic where it has one.
    fn word(&mut self, start: usize) -> usize {
        let mut at = self.run_end(start);
        // Where the last part of the word in hand begins: after "U.", "non-", "12:".
        let mut part = start;
        while at < self.end {
            let goes_on = match self.bytes[at] {
                b'.' => match self.full_stop(start, part, at) {
                    Stop::Inside => true,
                    Stop::Last => {
                        self.push_word(start, at + 1);
                        return at + 1;
                    }
                    Stop::Outside => false,
                },
                b',' => self.is_grouped(start, at),
                b':' => self.is_digit(at - 1) && self.is_digit(at + 1),
                b'/' => self.is_joined_by_slash(start, at),
                b'&' => self.is_upper(at - 1) && self.is_upper(at + 1),
                b'*' => self.is_letter(at - 1) && self.is_letter(at + 1),
                b'$' => {
                    let end = at + 1;
                    if matches!(&self.text[start..at], "US" | "A" | "C" | "HK" | "NZ" | "S") {
                        self.push(start, end);
                        return end;
                    }
                    false
                }
                b'-' => {
                    if let Some(end) = self.telephone_end(part, at) {
                        self.push(start, end);
                        return end;
                    }
                    let suffix = &self.text[at + 1..self.ascii_end(at + 1)];
                    let is_suffixed = matches!(suffix, "wise" | "esque");
                    self.is_word_char(at + 1)
                        && (is_suffixed || self.lists.is_prefix(&self.text[start..at]))
                }
                _ => match self.apostrophe(at) {
                    0 => false,
                    length => match self.clitic(start, at, length) {
                        Clitic::Negation => {
                            self.push(start, at - 1);
                            self.push(at - 1, at + length + 1);
                            return at + length + 1;
                        }
                        Clitic::Inside => {
                            part = at + length;
                            at = self.run_end(part);
                            continue;
                        }
                        Clitic::Outside => false,
                    },
                },
            };
            if !goes_on {
                break;
            }
            part = at + 1;
            at = self.run_end(part);
        }
        self.push_word(start, at);
        at
    }

    /// Cuts a token that begins with a character beyond ASCII.
    fn wide(&mut self, at: usize, opens: &mut bool) -> usize {
        let Some(character) = self.char_at(at) else { return at + 1 };
        let after = at + character.len_utf8();
        let was_open = *opens;
        *opens = false;
        let end = match wide(character) {
            Wide::Space => return after,
            Wide::Invisible => {
                *opens = was_open;
                return after;
            }
            Wide::Word => return self.word(at),
            Wide::Apostrophe => {
                *opens = true;
                // Only a straight start of a chunk is an opening quote; both are cut alike.
                let chunk = if was_open { at } else { 0 };
                return self.quote(at, after - at, chunk);
            }
            Wide::Ideograph => after,
            Wide::Symbol if character == '…' => self.stops_end(at),
            Wide::Symbol => {
                *opens = true;
                self.picture_end(character, after)
            }
        };
        self.push(at, end);
        end
    }

    /// Adds a word, cut in two where it is a contraction or a number with its unit.
    fn push_word(&mut self, start: usize, end: usize) {
        let bytes = &self.bytes[start..end];
        let cut = match bytes {
            [b'0'..=b'9', .., last] if last.is_ascii_alphabetic() => {
                let unit = bytes.iter().rev().take_while(|byte| byte.is_ascii_alphabetic()).count();
                self.lists.is_unit(&self.text[end - unit..end]).then_some(bytes.len() - unit)
            }
            // The list is asked only about words that end like one of its own.
            [_, .., before, last] if bytes.len() <= 8 && may_be_contraction(*before, *last) => {
                self.lists.contraction(&self.text[start..end])
            }
            _ => None,
        };
        match cut {
            Some(cut) => {
                self.push(start, start + cut);
                self.push(start + cut, end);
            }
            None => self.push(start, end),
        }
    }

    fn push(&mut self, start: usize, end: usize) {
        if end - start <= MAX_TOKEN_BYTES {
            self.tokens.push(Span::new(start as u32, end as u32));
            return;
        }
        let mut start = start;
        while start < end {
            let cut = self.text.floor_char_boundary(end.min(start + MAX_TOKEN_BYTES));
            self.tokens.push(Span::new(start as u32, cut as u32));
            start = cut;
        }
    }
}

const fn may_be_contraction(before: u8, last: u8) -> bool {
    matches!(
        (before | 0x20, last | 0x20),
        (b'o' | b'n', b't')
            | (b'n' | b't', b'a')
            | (b'i', b'm')
            | (b'v' | b'r', b'e')
            | (b't', b's')
    )
}
