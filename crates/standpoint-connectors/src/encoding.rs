//! From bytes to text: byte order marks, UTF-8, UTF-16, then a guess among the legacy encodings.

pub(crate) mod stream;

use std::borrow::Cow;

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};

/// A decoded text and what happened on the way.
#[derive(Debug, PartialEq, Eq)]
pub struct Decoded {
    /// The text, without a byte order mark.
    pub text: String,
    /// The encoding's name, such as `UTF-8` or `windows-1251`.
    pub encoding: &'static str,
    /// Whether bytes that mean nothing in the encoding became U+FFFD.
    pub replaced: bool,
    /// Whether it was taken for UTF-16 without a byte order mark.
    pub without_mark: bool,
}

impl Decoded {
    /// What a reader of the text should know, where it may not be what was meant.
    #[must_use]
    pub fn note(&self) -> Option<String> {
        let Self { encoding, .. } = self;
        match (self.without_mark, self.replaced) {
            (_, true) => Some(format!(
                "read as {encoding}, in which some of its bytes mean nothing: they became U+FFFD"
            )),
            (true, false) => Some(format!(
                "read as {encoding}, though it has no byte order mark: every other byte is zero"
            )),
            (false, false) => None,
        }
    }
}

/// Bytes that no text holds.
#[derive(Debug, PartialEq, Eq)]
pub struct Binary {
    /// How many of the bytes looked at are control characters, in percent.
    pub control_percent: usize,
}

/// How many bytes decide whether a file is text, and of which encoding.
const LOOK_AT: usize = 64 * 1024;

/// More control characters than this, in percent, are no text; prose has none but line ends.
const MOST_CONTROL_PERCENT: usize = 5;

/// Decodes `bytes`; those that are handed over and are UTF-8 are not copied.
///
/// The order: a byte order mark; UTF-8 if it is valid; UTF-16 if every other byte is mostly zero;
/// the guess of `chardetng`. NUL characters become U+FFFD, since sinks such as Postgres refuse
/// them.
///
/// # Errors
///
/// [`Binary`] when the bytes hold more control characters than any text does.
pub fn decode<'b>(bytes: impl Into<Cow<'b, [u8]>>) -> Result<Decoded, Binary> {
    let bytes = bytes.into();
    if let Some((encoding, mark)) = Encoding::for_bom(&bytes)
        && !is_letters_that_look_like_a_mark(&bytes)
    {
        return Ok(decode_as(encoding, &bytes[mark..]));
    }
    if let Some(encoding) = utf16_by_zeros(&bytes) {
        return Ok(Decoded { without_mark: true, ..decode_as(encoding, &bytes) });
    }
    refuse_binary(&bytes)?;
    let bytes = match String::from_utf8(bytes.into_owned()) {
        Ok(text) => return Ok(decoded(text, UTF_8, false)),
        Err(error) => error.into_bytes(),
    };
    let mut detector = chardetng::EncodingDetector::new(chardetng::Iso2022JpDetection::Deny);
    detector.feed(&bytes[..bytes.len().min(LOOK_AT)], bytes.len() <= LOOK_AT);
    let guess = detector.guess(None, chardetng::Utf8Detection::Allow);
    Ok(decode_as(guess, &bytes))
}

fn decode_as(encoding: &'static Encoding, bytes: &[u8]) -> Decoded {
    let (text, replaced) = encoding.decode_without_bom_handling(bytes);
    decoded(text.into_owned(), encoding, replaced)
}

fn decoded(mut text: String, encoding: &'static Encoding, replaced: bool) -> Decoded {
    if memchr::memchr(0, text.as_bytes()).is_some() {
        text = text.replace('\0', "\u{FFFD}");
    }
    Decoded { text, encoding: encoding.name(), replaced, without_mark: false }
}

/// The UTF-16 whose byte order mark stands at the start.
fn marked_utf16(start: &[u8]) -> Option<&'static Encoding> {
    let (encoding, _) = Encoding::for_bom(start)?;
    (encoding != UTF_8 && !is_letters_that_look_like_a_mark(start)).then_some(encoding)
}

/// Whether what begins like UTF-16 is `ÿþ` or `þÿ` in a legacy encoding: half of the bytes of most
/// scripts in UTF-16 are no printable ASCII, and nearly all of those of such a text are.
fn is_letters_that_look_like_a_mark(bytes: &[u8]) -> bool {
    let Some(sample) = bytes.get(2..bytes.len().min(LOOK_AT)) else { return false };
    let is_utf16 = matches!(bytes[..2], [0xFF, 0xFE] | [0xFE, 0xFF]);
    let is_ascii = |byte: &&u8| matches!(byte, b' '..=b'~' | b'\t' | b'\r' | b'\n');
    is_utf16
        && sample.len() >= 16
        && sample.iter().filter(is_ascii).count() * 10 >= sample.len() * 9
}

/// Which UTF-16 it is when one of the two bytes of most units is zero, as in Latin script.
fn utf16_by_zeros(bytes: &[u8]) -> Option<&'static Encoding> {
    let sample = &bytes[..bytes.len().min(LOOK_AT)];
    let units = sample.len() / 2;
    if units < 4 || !bytes.len().is_multiple_of(2) || memchr::memchr(0, sample).is_none() {
        return None;
    }
    let zeros = |offset| sample.iter().skip(offset).step_by(2).filter(|&&byte| byte == 0).count();
    let (even, odd) = (zeros(0), zeros(1));
    match (even * 10 >= units * 4, odd * 10 >= units * 4) {
        (true, false) if odd * 20 <= units => Some(UTF_16BE),
        (false, true) if even * 20 <= units => Some(UTF_16LE),
        _ => None,
    }
}

fn refuse_binary(bytes: &[u8]) -> Result<(), Binary> {
    let sample = &bytes[..bytes.len().min(LOOK_AT)];
    // Comparisons alone, which the compiler makes for many bytes at once.
    let is_control = |&byte: &u8| {
        let is_space = byte == b'\t' || byte == b'\n' || byte == b'\r' || byte == 0x0c;
        (byte < 0x20 || byte == 0x7f) && !is_space && byte != 0x1b
    };
    // And counted in bytes, of which sixteen are added at once.
    let in_chunk = |chunk: &[u8]| chunk.iter().map(|byte| u8::from(is_control(byte))).sum::<u8>();
    let control: usize = sample.chunks(128).map(|chunk| usize::from(in_chunk(chunk))).sum();
    if control * 100 > sample.len() * MOST_CONTROL_PERCENT {
        return Err(Binary { control_percent: control * 100 / sample.len() });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn encodings_are_told_apart() {
        let utf16 = |text: &str, big: bool| -> Vec<u8> {
            let unit = |unit: u16| if big { unit.to_be_bytes() } else { unit.to_le_bytes() };
            text.encode_utf16().flat_map(unit).collect()
        };
        let with_mark = |mark: &[u8], rest: Vec<u8>| [mark, &rest].concat();
        let cyrillic = "Москва заявила, что переговоры прошли успешно и будут продолжены.";
        let cases: [(&str, Vec<u8>, &str, &str); 10] = [
            ("empty", vec![], "", "UTF-8"),
            ("UTF-8", "café".into(), "café", "UTF-8"),
            ("UTF-8 with mark", with_mark(b"\xEF\xBB\xBF", "café".into()), "café", "UTF-8"),
            (
                "UTF-16LE with mark",
                with_mark(b"\xFF\xFE", utf16("café", false)),
                "café",
                "UTF-16LE",
            ),
            ("UTF-16BE with mark", with_mark(b"\xFE\xFF", utf16("café", true)), "café", "UTF-16BE"),
            ("UTF-16LE", utf16("no mark here", false), "no mark here", "UTF-16LE"),
            ("UTF-16BE", utf16("no mark here", true), "no mark here", "UTF-16BE"),
            (
                "UTF-16BE with mark, no letter of ASCII",
                with_mark(b"\xFE\xFF", utf16("哈萨克斯坦谴责了这次袭击", true)),
                "哈萨克斯坦谴责了这次袭击",
                "UTF-16BE",
            ),
            (
                "what a mark would be, in Icelandic",
                encoding_rs::WINDOWS_1252.encode("þÿ is no word, but this is text.").0.into_owned(),
                "þÿ is no word, but this is text.",
                "windows-1252",
            ),
            (
                "windows-1251",
                encoding_rs::WINDOWS_1251.encode(cyrillic).0.into_owned(),
                cyrillic,
                "windows-1251",
            ),
        ];
        for (case, bytes, text, encoding) in cases {
            let decoded = decode(&bytes).unwrap();
            assert_eq!((decoded.text.as_str(), decoded.encoding), (text, encoding), "{case}");
        }
    }

    #[test]
    fn binary_is_refused_and_a_stray_nul_is_not() {
        let rubbish: Vec<u8> = (0..=255).cycle().take(4096).collect();
        assert_eq!(decode(&rubbish), Err(Binary { control_percent: 10 }));
        let text = format!("{}\0{}", "a good line of text. ".repeat(3), "more");
        assert!(decode(text.as_bytes()).unwrap().text.contains("text. \u{FFFD}more"));
    }

    proptest! {
        #[test]
        fn any_bytes_are_decoded_or_refused(bytes in any::<Vec<u8>>()) {
            if let Ok(decoded) = decode(&bytes) {
                prop_assert!(!decoded.text.contains('\0'));
            }
        }

        #[test]
        fn valid_text_comes_through(text in "[a-zé☂ \n]{0,200}") {
            prop_assert_eq!(decode(text.as_bytes()).unwrap().text, text);
        }
    }
}
