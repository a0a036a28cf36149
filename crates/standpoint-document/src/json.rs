//! A small JSON writer: what the result line needs of one, without a cost for each field.
//!
//! A result line has some ten thousand small numbers and names. Written through `serde`, they cost
//! more than finding what they say.

use serde::Serialize;

/// Appends JSON to a buffer.
#[derive(Debug)]
pub(crate) struct Json<'o> {
    out: &'o mut Vec<u8>,
}

impl<'o> Json<'o> {
    pub(crate) const fn new(out: &'o mut Vec<u8>) -> Self {
        Self { out }
    }

    /// Text that is JSON already: marks and names of fields.
    #[inline]
    pub(crate) fn raw(&mut self, json: &str) {
        self.out.extend_from_slice(json.as_bytes());
    }

    /// A list: `item` for each of `items`, with commas between.
    pub(crate) fn list<T>(
        &mut self,
        items: impl IntoIterator<Item = T>,
        mut item: impl FnMut(&mut Self, T),
    ) {
        self.raw("[");
        for (index, element) in items.into_iter().enumerate() {
            if index > 0 {
                self.raw(",");
            }
            item(self, element);
        }
        self.raw("]");
    }

    /// `value` written by `some`, or `null`.
    pub(crate) fn optional<T>(&mut self, value: Option<T>, some: impl FnOnce(&mut Self, T)) {
        match value {
            Some(value) => some(self, value),
            None => self.raw("null"),
        }
    }

    /// A text in quotation marks.
    pub(crate) fn text(&mut self, text: &str) {
        self.out.push(b'"');
        let mut rest = text.as_bytes();
        while let Some(at) = first_escape(rest) {
            let (clean, from) = rest.split_at(at);
            self.out.extend_from_slice(clean);
            self.escape(from[0]);
            rest = &from[1..];
        }
        self.out.extend_from_slice(rest);
        self.out.push(b'"');
    }

    fn escape(&mut self, byte: u8) {
        let short = match byte {
            b'"' | b'\\' => byte,
            0x08 => b'b',
            b'\t' => b't',
            b'\n' => b'n',
            0x0c => b'f',
            b'\r' => b'r',
            _ => {
                const HEX: &[u8; 16] = b"0123456789abcdef";
                let digits = [HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]];
                self.raw(r"\u00");
                self.out.extend_from_slice(&digits);
                return;
            }
        };
        self.out.extend_from_slice(&[b'\\', short]);
    }

    /// A whole number.
    pub(crate) fn number(&mut self, number: u32) {
        let mut digits = [0; 10];
        let first = put_number(&mut digits, 10, number);
        self.out.extend_from_slice(&digits[first..]);
    }

    /// The beginning of an object that has a start and an end: most of a result line.
    pub(crate) fn span(&mut self, start: u32, end: u32) {
        const START: &[u8; 9] = br#"{"start":"#;
        const END: &[u8; 7] = br#","end":"#;
        let mut row = [0; START.len() + END.len() + 20];
        let mut first = put_number(&mut row, 36, end);
        first -= END.len();
        row[first..][..END.len()].copy_from_slice(END);
        first = put_number(&mut row, first, start) - START.len();
        row[first..][..START.len()].copy_from_slice(START);
        self.out.extend_from_slice(&row[first..]);
    }

    /// A list of objects that have a span and nothing else; `spans` are starts and ends.
    pub(crate) fn spans(&mut self, spans: impl DoubleEndedIterator<Item = (u32, u32)>) {
        const START: &[u8] = br#",{"start":"#;
        const END: &[u8] = br#","end":"#;
        const ROW: usize = START.len() + 10 + END.len() + 10 + 1;
        let begin = self.out.len();
        let most = spans.size_hint().1.unwrap_or_default();
        self.out.resize(begin + most * ROW + 2, 0);
        let list = &mut self.out[begin..];
        let mut first = list.len() - 1;
        list[first] = b']';
        // From the last to the first, because a number is written from its end.
        for (start, end) in spans.rev() {
            let Some(row) = list[..first].last_chunk_mut::<ROW>() else { break };
            row[ROW - 1] = b'}';
            let mut at = put_number(row, ROW - 1, end) - END.len();
            row[at..][..END.len()].copy_from_slice(END);
            at = put_number(row, at, start) - START.len();
            row[at..][..START.len()].copy_from_slice(START);
            first -= ROW - at;
        }
        // The first comma is the list's bracket.
        if list[first] == b']' {
            first -= 1;
        }
        list[first] = b'[';
        self.out.drain(begin..begin + first);
    }

    /// A score with three decimals: more would only look exact.
    pub(crate) fn score(&mut self, score: f32) {
        let thousandths = (f64::from(score) * 1000.0).round();
        // Beyond that, decimals are few, and scores are wrong in any case.
        if thousandths.is_nan() || 1e9 <= thousandths.abs() {
            return self.value(&(thousandths / 1000.0));
        }
        if thousandths.is_sign_negative() {
            self.raw("-");
        }
        let thousandths = thousandths.abs() as u32;
        self.number(thousandths / 1000);
        let decimals = thousandths % 1000;
        let digit = |of: u32| b'0' + (decimals / of % 10) as u8;
        let decimals = [b'.', digit(100), digit(10), digit(1)];
        let zeros = decimals[2..].iter().rev().take_while(|&&digit| digit == b'0').count();
        self.out.extend_from_slice(&decimals[..4 - zeros]);
    }

    /// Anything else, by its own serialisation.
    pub(crate) fn value<T: Serialize + ?Sized>(&mut self, value: &T) {
        // Whatever a document holds has text for keys, and a buffer does not fail.
        serde_json::to_writer(&mut *self.out, value).expect("a document's values are JSON");
    }
}

/// Writes a number so that it ends before `end`; returns where it begins.
#[inline]
fn put_number<const N: usize>(row: &mut [u8; N], end: usize, number: u32) -> usize {
    let mut first = end;
    let mut rest = number;
    while rest >= 100 {
        first -= 2;
        row[first..][..2].copy_from_slice(&PAIRS[(rest % 100) as usize]);
        rest /= 100;
    }
    let [tens, ones] = PAIRS[rest as usize];
    first -= 1;
    row[first] = ones;
    if rest >= 10 {
        first -= 1;
        row[first] = tens;
    }
    first
}

/// The digits of the numbers below a hundred.
const PAIRS: [[u8; 2]; 100] = {
    let mut pairs = [[b'0'; 2]; 100];
    let mut number = 0;
    while number < 100 {
        pairs[number] = [b'0' + (number / 10) as u8, b'0' + (number % 10) as u8];
        number += 1;
    }
    pairs
};

/// Where the first byte stands that needs an escape.
fn first_escape(bytes: &[u8]) -> Option<usize> {
    // Sixteen at once, without a branch for each, which the compiler makes one comparison.
    let is_clean = |chunk: &&[u8; 16]| !chunk.iter().fold(false, |any, &b| any | needs_escape(b));
    let clean = 16 * bytes.as_chunks::<16>().0.iter().take_while(is_clean).count();
    bytes[clean..].iter().position(|&byte| needs_escape(byte)).map(|at| clean + at)
}

#[expect(
    clippy::needless_bitwise_bool,
    reason = "a branch, or a pattern's look at a table of bits, is for one byte at a time"
)]
const fn needs_escape(byte: u8) -> bool {
    (byte < 0x20) | (byte == b'"') | (byte == b'\\')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(write: impl FnOnce(&mut Json<'_>)) -> String {
        let mut out = Vec::new();
        write(&mut Json::new(&mut out));
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn scores_have_up_to_three_decimals() {
        let cases = [
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (1.0, "1.0"),
            (-0.31, "-0.31"),
            (0.5, "0.5"),
            (0.99949, "0.999"),
            (0.9996, "1.0"),
            (0.004, "0.004"),
            (-1.2304, "-1.23"),
            (f32::NAN, "null"),
            (f32::INFINITY, "null"),
        ];
        for (score, expected) in cases {
            assert_eq!(written(|json| json.score(score)), expected, "{score}");
        }
    }

    #[test]
    fn lists_have_commas_between() {
        let list =
            |items: &[u32]| written(|json| json.list(items, |json, &item| json.number(item)));
        assert_eq!([list(&[]), list(&[1]), list(&[1, 20, 300])], ["[]", "[1]", "[1,20,300]"]);
    }

    proptest! {
        #[test]
        fn texts_are_those_of_serde(text in "(?s).*", control in "[\\x00-\\x2f\\\\é]{0,9}") {
            for text in [text, control] {
                let expected = serde_json::to_string(&text).unwrap();
                prop_assert_eq!(written(|json| json.text(&text)), expected);
            }
        }

        #[test]
        fn numbers_are_those_of_serde(number in any::<u32>(), score in -2.0_f32..2.0) {
            prop_assert_eq!(written(|json| json.number(number)), number.to_string());
            let span = format!(r#"{{"start":{},"end":{number}"#, number / 7);
            prop_assert_eq!(written(|json| json.span(number / 7, number)), &*span);
            for count in 0..3 {
                let spans = vec![(number / 7, number); count];
                let list = vec![format!("{span}}}"); count].join(",");
                let found = written(|json| json.spans(spans.into_iter()));
                prop_assert_eq!(found, format!("[{list}]"));
            }
            let rounded = (f64::from(score) * 1000.0).round() / 1000.0;
            let expected = serde_json::to_string(&rounded).unwrap();
            prop_assert_eq!(written(|json| json.score(score)), expected);
        }
    }
}
