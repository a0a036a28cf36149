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

use standpoint_document::Span;

use crate::{
    chars::{KIND, Kind, Wide, extends_picture, is_regional, wide},
    lists::{Abbreviation, Lists},
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

    /// What the full stop at `at` is to the word that began at `start`.
    fn full_stop(&self, start: usize, part: usize, at: usize) -> Stop {
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

    /// "1,000" and "30,5", but not the notes "[13,14]".
    fn is_grouped(&self, start: usize, at: usize) -> bool {
        let is_note = start.checked_sub(1).is_some_and(|before| self.bytes[before] == b'[');
        let group = self.bytes[at + 1..].iter().take_while(|byte| byte.is_ascii_digit()).take(4);
        let group = group.count();
        self.is_digit(at - 1) && group > 0 && (!is_note || group == 3)
    }

    /// "1/2", "9/11", "s/he", "w/o": what a slash does not cut.
    fn is_joined_by_slash(&self, start: usize, at: usize) -> bool {
        if self.is_digit(at - 1) && self.is_digit(at + 1) {
            return true;
        }
        let word = &self.text[start..self.run_end(at + 1)];
        matches!(word, "s/he" | "S/he" | "w/o" | "c/o" | "b/c" | "n/a" | "N/A" | "l/c" | "L/C")
    }

    /// The end of a telephone number or date whose first group ends at `at`.
    fn telephone_end(&self, start: usize, at: usize) -> Option<usize> {
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

    /// What the apostrophe at `at` is to the word that began at `start`.
    fn clitic(&self, start: usize, at: usize, length: usize) -> Clitic {
        let after = at + length;
        let end = self.run_end(after);
        let suffix = &self.text[after..end];
        if suffix.eq_ignore_ascii_case("t")
            && matches!(self.bytes[at - 1], b'n' | b'N')
            && start < at - 1
        {
            return Clitic::Negation;
        }
        if suffix.is_empty() {
            return Clitic::Outside;
        }
        if is_clitic(suffix) {
            // "the 1930's" is one word.
            let is_decade = self.bytes[start..at].iter().all(u8::is_ascii_digit)
                && suffix == "s"
                && self.text[start + 1..at].ends_with('0');
            return if is_decade { Clitic::Inside } else { Clitic::Outside };
        }
        // "O'Brien", "o'clock", "Qa'ida", "d'état".
        if self.is_letter(at - 1) || !self.bytes[at - 1].is_ascii() {
            return Clitic::Inside;
        }
        Clitic::Outside
    }

    /// Cuts a token that begins with ASCII punctuation.
    fn mark(&mut self, at: usize, chunk: usize) -> usize {
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

    /// Cuts an apostrophe: a clitic, the start of a shortened word ("'em", "'90s"), or a quote.
    fn quote(&mut self, at: usize, length: usize, chunk: usize) -> usize {
        let after = at + length;
        let end = self.run_end(after);
        let suffix = &self.text[after..end];
        let is_glued = self.tokens.last().is_some_and(|token| token.end as usize == at);
        let is_short_word = at == chunk
            && (matches!(suffix, "em" | "til" | "cause" | "n" | "bout" | "round")
                || matches!(
                    suffix.as_bytes(),
                    [b'0'..=b'9', b'0'..=b'9'] | [b'0'..=b'9', b'0'..=b'9', b's']
                ));
        if (is_clitic(suffix) && (is_glued || end == self.end)) || is_short_word {
            self.push(at, end);
            return end;
        }
        // Two apostrophes are a quotation mark.
        let is_double = self.text[after..].starts_with(&self.text[at..after]);
        let end = if is_double { after + length } else { after };
        self.push(at, end);
        end
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

    /// The end of a picture: its variations, skin tone, the other half of a flag, and what a
    /// joiner ties to it.
    fn picture_end(&self, first: char, mut end: usize) -> usize {
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
    fn stops_end(&self, at: usize) -> usize {
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

    /// The end of a web or mail address that begins at `at`.
    fn address_end(&self, at: usize) -> Option<usize> {
        let rest = &self.bytes[at..self.end];
        let host = self.ascii_end(at) - at;
        let scheme = matches!(rest.get(host), Some(b':'))
            && matches!(&rest[..host], b"http" | b"https" | b"ftp" | b"mailto" | b"doi" | b"HTTP");
        let is_web = scheme || rest.starts_with(b"www.");
        // Where a name of letters, digits and ".-_+%" ends: at "@" in a mail address.
        let name = rest.iter().take(80).take_while(|&&byte| is_address_byte(byte)).count();
        let is_mail = name > 0
            && rest.get(name) == Some(&b'@')
            && rest.get(name + 1).is_some_and(u8::is_ascii_alphanumeric);
        let is_path = name > 0
            && rest.get(name) == Some(&b'/')
            && self.text[at..at + name].rsplit_once('.').is_some_and(|(host, last)| {
                !host.is_empty() && last.len() > 1 && self.lists.is_domain(last)
            });
        if !(is_web || is_mail || is_path) {
            return None;
        }
        let length = rest
            .iter()
            .take_while(|&&byte| !matches!(byte, b'<' | b'>' | b'"') && byte.is_ascii())
            .take_while(|&&byte| !is_mail || is_address_byte(byte) || byte == b'@')
            .count();
        let mut address = &rest[..length];
        // Punctuation at the end belongs to the sentence, as does a bracket that opened before.
        while let Some((&last, shorter)) = address.split_last() {
            let is_outside = match last {
                b'.' | b',' | b';' | b':' | b'!' | b'?' | b'\'' | b']' | b'*' => true,
                b')' => !shorter.contains(&b'('),
                _ => false,
            };
            if !is_outside {
                break;
            }
            address = shorter;
        }
        (address.len() > host).then_some(at + address.len())
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

    /// The end of the letters, digits and marks from `at` on, within the chunk.
    fn run_end(&self, mut at: usize) -> usize {
        while at < self.end {
            match KIND[usize::from(self.bytes[at])] {
                Kind::Letter | Kind::Digit => at += 1,
                Kind::Wide => {
                    let Some(character) = self.char_at(at) else { return at };
                    let after = at + character.len_utf8();
                    match wide(character) {
                        Wide::Word => at = after,
                        // A soft hyphen or joiner inside a word.
                        Wide::Invisible if self.continues_word(after) => at = after,
                        _ => return at,
                    }
                }
                _ => return at,
            }
        }
        at
    }

    fn continues_word(&self, at: usize) -> bool {
        at < self.end && self.is_word_char(at)
    }

    fn ascii_end(&self, mut at: usize) -> usize {
        while self.bytes.get(at).is_some_and(u8::is_ascii_alphanumeric) {
            at += 1;
        }
        at
    }

    /// The length of the apostrophe at `at` in bytes; 0 when there is none.
    fn apostrophe(&self, at: usize) -> usize {
        match self.bytes.get(at) {
            Some(b'\'' | b'`') => 1,
            Some(0xe2) if self.text[at..].starts_with('’') => '’'.len_utf8(),
            _ => 0,
        }
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

    fn char_at(&self, at: usize) -> Option<char> {
        self.text.get(at..)?.chars().next()
    }

    fn kind(&self, at: usize) -> Option<Kind> {
        self.bytes.get(at).map(|&byte| KIND[usize::from(byte)])
    }

    fn is_digit(&self, at: usize) -> bool {
        self.bytes.get(at).is_some_and(u8::is_ascii_digit)
    }

    fn is_letter(&self, at: usize) -> bool {
        self.bytes.get(at).is_some_and(u8::is_ascii_alphabetic)
    }

    fn is_upper(&self, at: usize) -> bool {
        self.bytes.get(at).is_some_and(u8::is_ascii_uppercase)
    }

    fn is_lower(&self, at: usize) -> bool {
        self.bytes.get(at).is_some_and(u8::is_ascii_lowercase)
    }

    fn is_word_char(&self, at: usize) -> bool {
        match self.kind(at) {
            Some(Kind::Letter | Kind::Digit) => true,
            Some(Kind::Wide) => self.char_at(at).is_some_and(|c| wide(c) == Wide::Word),
            _ => false,
        }
    }
}

/// What a full stop is to the word before it.
enum Stop {
    Inside,
    Last,
    Outside,
}

/// What an apostrophe is to the word before it.
enum Clitic {
    /// "n't": cut before the n.
    Negation,
    Inside,
    /// It begins a token of its own: "'s", or a closing quote.
    Outside,
}

fn is_clitic(suffix: &str) -> bool {
    ["s", "re", "ve", "ll", "d", "m"].iter().any(|clitic| suffix.eq_ignore_ascii_case(clitic))
}

const fn is_address_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b'+' | b'%')
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
