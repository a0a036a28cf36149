//! A file of records as UTF-8 while it is read, so that one in UTF-16 needs no more memory.

use std::io::{self, BufRead, Cursor, Read};

use encoding_rs::Decoder;

use super::marked_utf16;

/// How many bytes decide whether what begins like a mark is one.
const LOOK_AT: u64 = 512;

/// How many bytes are decoded at a time.
const PIECE_BYTES: usize = 8 << 10;

/// A stream as UTF-8: what begins with a byte order mark of UTF-16 is decoded, and all else stays
/// as it is, for a line or a field is decoded by itself.
pub(crate) struct AsUtf8 {
    inner: Box<dyn BufRead + Send>,
    state: State,
}

enum State {
    Unread,
    AsItIs,
    Decoding(Decoding),
}

struct Decoding {
    decoder: Decoder,
    /// What was decoded and not taken yet lies between `at` and `end`.
    text: Vec<u8>,
    at: usize,
    end: usize,
    is_over: bool,
}

impl AsUtf8 {
    /// Reads nothing yet.
    pub(crate) fn new(inner: Box<dyn BufRead + Send>) -> Self {
        Self { inner, state: State::Unread }
    }

    /// Whether what was read of it is not as it stands there.
    pub(crate) fn is_decoded(&self) -> bool {
        matches!(self.state, State::Decoding(_))
    }

    fn begin(&mut self) -> io::Result<State> {
        // A stream of lines may pause behind each, and no more than its first byte is waited for.
        if !matches!(self.inner.fill_buf()?.first(), Some(0xFE | 0xFF)) {
            return Ok(State::AsItIs);
        }
        let mut start = Vec::new();
        (&mut self.inner).take(LOOK_AT).read_to_end(&mut start)?;
        let encoding = marked_utf16(&start);
        if encoding.is_some() {
            start.drain(..2);
        }
        let rest = std::mem::replace(&mut self.inner, Box::new(io::empty()));
        self.inner = Box::new(Cursor::new(start).chain(rest));
        Ok(encoding.map_or(State::AsItIs, |encoding| {
            let decoder = encoding.new_decoder_without_bom_handling();
            let text = vec![0; PIECE_BYTES];
            State::Decoding(Decoding { decoder, text, at: 0, end: 0, is_over: false })
        }))
    }
}

impl Decoding {
    fn fill(&mut self, inner: &mut impl BufRead) -> io::Result<&[u8]> {
        while self.at == self.end && !self.is_over {
            let bytes = inner.fill_buf()?;
            self.is_over = bytes.is_empty();
            let (_, read, written, _) =
                self.decoder.decode_to_utf8(bytes, &mut self.text, self.is_over);
            inner.consume(read);
            (self.at, self.end) = (0, written);
        }
        Ok(&self.text[self.at..self.end])
    }
}

impl BufRead for AsUtf8 {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if matches!(self.state, State::Unread) {
            self.state = self.begin()?;
        }
        match &mut self.state {
            State::Decoding(decoding) => decoding.fill(&mut self.inner),
            State::Unread | State::AsItIs => self.inner.fill_buf(),
        }
    }

    fn consume(&mut self, count: usize) {
        match &mut self.state {
            State::Decoding(decoding) => decoding.at += count,
            State::Unread | State::AsItIs => self.inner.consume(count),
        }
    }
}

impl Read for AsUtf8 {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(buffer)?;
        self.consume(count);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use super::*;

    fn read(bytes: &[u8], buffer_bytes: usize) -> Vec<u8> {
        let bytes = Cursor::new(bytes.to_vec());
        let mut text = Vec::new();
        let reader = BufReader::with_capacity(buffer_bytes, bytes);
        AsUtf8::new(Box::new(reader)).read_to_end(&mut text).unwrap();
        text
    }

    #[test]
    fn utf_16_with_a_mark_is_decoded_and_all_else_stays() {
        let long = "Жёлтый \u{1F600} café, and so on\r\n".repeat(1_000);
        let big: Vec<u8> = "\u{FEFF}".encode_utf16().flat_map(u16::to_be_bytes).collect();
        let cases = [
            ("UTF-16LE", encoded(&long, u16::to_le_bytes), long.clone().into_bytes()),
            ("UTF-16BE", encoded(&long, u16::to_be_bytes), long.clone().into_bytes()),
            ("a mark alone", big, Vec::new()),
            ("half a character", b"\xFF\xFEA\0B".to_vec(), "A\u{FFFD}".into()),
            ("no mark", long.clone().into_bytes(), long.into_bytes()),
            ("UTF-8 with a mark", b"\xEF\xBB\xBFx".to_vec(), b"\xEF\xBB\xBFx".to_vec()),
            (
                "letters",
                b"\xFF\xFEan old text in Latin-1".to_vec(),
                b"\xFF\xFEan old text in Latin-1".to_vec(),
            ),
            ("one byte", b"\xFF".to_vec(), b"\xFF".to_vec()),
            ("nothing", Vec::new(), Vec::new()),
        ];
        for (case, bytes, expected) in cases {
            for buffer_bytes in [1, 3, 8192] {
                assert!(read(&bytes, buffer_bytes) == expected, "{case} by {buffer_bytes}");
            }
        }
    }

    fn encoded(text: &str, unit: fn(u16) -> [u8; 2]) -> Vec<u8> {
        format!("\u{FEFF}{text}").encode_utf16().flat_map(unit).collect()
    }
}
