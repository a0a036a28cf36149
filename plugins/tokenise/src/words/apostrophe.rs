//! What an apostrophe is: a clitic, a part of a name, the start of a short word, or a quote.

use super::Cutter;

/// What an apostrophe is to the word before it.
pub(super) enum Clitic {
    /// "n't": cut before the n.
    Negation,
    Inside,
    /// It begins a token of its own: "'s", or a closing quote.
    Outside,
}

impl Cutter<'_> {
    /// What the apostrophe at `at` is to the word that began at `start`.
    pub(super) fn clitic(&self, start: usize, at: usize, length: usize) -> Clitic {
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

    /// Cuts an apostrophe: a clitic, the start of a shortened word ("'em", "'90s"), or a quote.
    pub(super) fn quote(&mut self, at: usize, length: usize, chunk: usize) -> usize {
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

    /// The length of the apostrophe at `at` in bytes; 0 when there is none.
    pub(super) fn apostrophe(&self, at: usize) -> usize {
        match self.bytes.get(at) {
            Some(b'\'' | b'`') => 1,
            Some(0xe2) if self.text[at..].starts_with('’') => '’'.len_utf8(),
            _ => 0,
        }
    }
}

fn is_clitic(suffix: &str) -> bool {
    ["s", "re", "ve", "ll", "d", "m"].iter().any(|clitic| suffix.eq_ignore_ascii_case(clitic))
}
