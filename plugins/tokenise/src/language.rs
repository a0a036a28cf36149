//! Says in which language a text or a paragraph is written, or nothing when it is too short to
//! tell.
//!
//! English is told by its function words, which costs almost nothing; only what lacks them is
//! given to the trigram and script profiles of `whatlang`. Only words of prose are looked at: names,
//! links and markup are thick in short texts, and say nothing of the language that they stand in.

use standpoint_document::Span;

/// Bytes that the trigram profiles are given at most; more does not change their answer.
const SAMPLE_BYTES: usize = 2_000;
/// Fewer words than this say nothing about a language.
const MIN_WORDS: usize = 6;
/// Fewer letters than this say nothing either, in a script that several languages share.
const MIN_LETTERS: usize = 30;
/// A tag is no longer than this, in bytes.
const MOST_OF_TAG: usize = 1_000;
/// The share of function words from which a text is English: running prose has 0.3 to 0.5.
const ENGLISH_SHARE: f32 = 0.2;
/// The share below which a text may be in another language.
const FOREIGN_SHARE: f32 = 0.1;

/// The language of a whole text, as ISO 639-1 code; `None` where it cannot be told.
///
/// - `tokens`: those of `text`.
#[must_use]
pub fn language_of_text(text: &str, tokens: &[Span]) -> Option<&'static str> {
    // Openings of the text tell enough, and the time stays bounded.
    let tokens = &tokens[..tokens.len().min(2_000)];
    let evidence = Evidence::of(text, tokens);
    if evidence.words < MIN_WORDS && evidence.is_latin {
        return None;
    }
    if evidence.english_share() >= ENGLISH_SHARE {
        return Some("en");
    }
    profile(text, tokens, SURE).or_else(|| {
        // Names may add to what little English there is, but they make no text foreign.
        detected(&sample(prose(text, tokens)), SURE).filter(|found| *found == "en")
    })
}

/// The language of a paragraph, when it is surely not that of its document.
///
/// - `tokens`: those of the paragraph;
/// - `language`: the document's, as ISO 639-1 code;
/// - returns: an ISO 639-1 code that is not `language`.
#[must_use]
pub fn foreign_language(text: &str, tokens: &[Span], language: &str) -> Option<&'static str> {
    let evidence = Evidence::of(text, tokens);
    if language != "en" {
        let is_english = evidence.words >= MIN_WORDS && evidence.english_share() >= 0.3;
        return is_english.then_some("en");
    }
    // Lists of names and headings have no function words either.
    let is_prose = evidence.words >= MIN_WORDS && 2 * evidence.lower >= evidence.words;
    if evidence.is_latin && (!is_prose || evidence.english_share() >= FOREIGN_SHARE) {
        return None;
    }
    // Ten words of which none is English are not English; which language they are may be less sure.
    let confidence = if evidence.english == 0 && evidence.words >= 10 { 0.3 } else { SURE };
    profile(text, tokens, confidence).filter(|found| *found != language)
}

/// From this confidence on, `whatlang` calls an answer reliable.
const SURE: f64 = 0.9;

/// What the words of a text tell at a glance.
struct Evidence {
    /// Tokens that begin with a letter.
    words: usize,
    /// Words that begin with a small letter.
    lower: usize,
    english: usize,
    is_latin: bool,
}

impl Evidence {
    fn of(text: &str, tokens: &[Span]) -> Self {
        let (mut words, mut lower, mut english, mut wide) = (0, 0, 0, 0);
        for word in prose(text, tokens) {
            match word[0] {
                b'a'..=b'z' => lower += 1,
                b'A'..=b'Z' => {}
                0xc3..=0xff => wide += 1,
                _ => continue,
            }
            words += 1;
            english += usize::from(word.len() <= 5 && is_english_word(word));
        }
        Self { words, lower, english, is_latin: 2 * wide < words }
    }

    fn english_share(&self) -> f32 {
        self.english as f32 / self.words.max(1) as f32
    }
}

/// The words that are written as words are, without those of addresses, tags and handles.
fn prose<'t>(text: &'t str, tokens: &'t [Span]) -> impl Iterator<Item = &'t [u8]> {
    let bytes = text.as_bytes();
    let mut end_of_tag = 0;
    tokens.iter().filter_map(move |token| {
        let range = token.range();
        if range.start < end_of_tag {
            return None;
        }
        let word = &bytes[range.clone()];
        if word[0] == b'<' {
            end_of_tag = range.start + tag_length(&bytes[range.start..]);
            return None;
        }
        let is_handle = 0 < range.start && matches!(bytes[range.start - 1], b'#' | b'@');
        (!is_handle && word.iter().all(|byte| is_letter(*byte))).then_some(word)
    })
}

const fn is_letter(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || 0x80 <= byte || matches!(byte, b'\'' | b'-')
}

/// The bytes of the tag that a text begins with; 0 where it begins with none.
fn tag_length(text: &[u8]) -> usize {
    if !text.get(1).is_some_and(|byte| byte.is_ascii_alphabetic() || matches!(byte, b'/' | b'!')) {
        return 0;
    }
    let end = text.iter().take(MOST_OF_TAG).position(|byte| *byte == b'>');
    end.map_or(0, |end| end + 1)
}

/// Whether `word` is a function word of English and of no other language we know of. ("in",
/// "a", "on", "me" and the like are left out.)
fn is_english_word(word: &[u8]) -> bool {
    matches!(
        word,
        b"the"
            | b"The"
            | b"of"
            | b"and"
            | b"And"
            | b"to"
            | b"is"
            | b"that"
            | b"for"
            | b"with"
            | b"it"
            | b"It"
            | b"are"
            | b"was"
            | b"be"
            | b"by"
            | b"this"
            | b"This"
            | b"which"
            | b"have"
            | b"has"
            | b"not"
            | b"n't"
            | b"from"
            | b"at"
            | b"they"
            | b"We"
            | b"we"
            | b"I"
            | b"you"
            | b"his"
            | b"their"
            | b"its"
            | b"would"
            | b"will"
            | b"been"
            | b"were"
            | b"who"
            | b"but"
            | b"But"
            | b"or"
            | b"an"
            | b"'s"
    ) || word == "’s".as_bytes()
        || word == "n’t".as_bytes()
}

/// What the trigrams and the script tell.
///
/// - `confidence`: from 0 to 1, what the answer must reach.
fn profile(text: &str, tokens: &[Span], confidence: f64) -> Option<&'static str> {
    // Who is named says less than nothing: "Robert Gibbs en route" is not French.
    let words = prose(text, tokens).filter(|word| !word[0].is_ascii_uppercase());
    detected(&sample(words), confidence)
}

/// The first of these words, with spaces between them.
fn sample<'t>(words: impl Iterator<Item = &'t [u8]>) -> String {
    let mut sample = String::new();
    for word in words {
        if sample.len() + word.len() > SAMPLE_BYTES {
            break;
        }
        // Tokens end at the ends of characters.
        sample.push_str(std::str::from_utf8(word).unwrap_or_default());
        sample.push(' ');
    }
    sample
}

fn detected(sample: &str, confidence: f64) -> Option<&'static str> {
    let info = whatlang::detect(sample)?;
    let letters = sample.chars().filter(|character| character.is_alphabetic()).take(MIN_LETTERS);
    let is_enough = letters.count() == MIN_LETTERS || info.script() != whatlang::Script::Latin;
    (is_enough && confidence <= info.confidence()).then(|| iso_639_1(info.lang())).flatten()
}

fn iso_639_1(language: whatlang::Lang) -> Option<&'static str> {
    // `whatlang` has three-letter codes.
    const CODES: [(&str, &str); 68] = [
        ("afr", "af"),
        ("aka", "ak"),
        ("amh", "am"),
        ("ara", "ar"),
        ("aze", "az"),
        ("bel", "be"),
        ("ben", "bn"),
        ("bul", "bg"),
        ("cat", "ca"),
        ("ces", "cs"),
        ("cmn", "zh"),
        ("cym", "cy"),
        ("dan", "da"),
        ("deu", "de"),
        ("ell", "el"),
        ("eng", "en"),
        ("epo", "eo"),
        ("est", "et"),
        ("fin", "fi"),
        ("fra", "fr"),
        ("guj", "gu"),
        ("heb", "he"),
        ("hin", "hi"),
        ("hrv", "hr"),
        ("hun", "hu"),
        ("hye", "hy"),
        ("ind", "id"),
        ("ita", "it"),
        ("jav", "jv"),
        ("jpn", "ja"),
        ("kan", "kn"),
        ("kat", "ka"),
        ("khm", "km"),
        ("kor", "ko"),
        ("lat", "la"),
        ("lav", "lv"),
        ("lit", "lt"),
        ("mal", "ml"),
        ("mar", "mr"),
        ("mkd", "mk"),
        ("mya", "my"),
        ("nep", "ne"),
        ("nld", "nl"),
        ("nob", "nb"),
        ("ori", "or"),
        ("pan", "pa"),
        ("pes", "fa"),
        ("pol", "pl"),
        ("por", "pt"),
        ("ron", "ro"),
        ("rus", "ru"),
        ("sin", "si"),
        ("slk", "sk"),
        ("slv", "sl"),
        ("sna", "sn"),
        ("spa", "es"),
        ("srp", "sr"),
        ("swe", "sv"),
        ("tam", "ta"),
        ("tel", "te"),
        ("tgl", "tl"),
        ("tha", "th"),
        ("tuk", "tk"),
        ("tur", "tr"),
        ("ukr", "uk"),
        ("urd", "ur"),
        ("uzb", "uz"),
        ("vie", "vi"),
    ];
    let code = language.code();
    CODES.iter().find(|(three, _)| *three == code).map(|&(_, two)| two)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{lists::Lists, words::words};

    fn detect(text: &str) -> Option<&'static str> {
        language_of_text(text, &words(text, &Lists::standard()))
    }

    #[test]
    fn tells_languages_apart_and_abstains_on_short_texts() {
        let cases = [
            (Some("en"), "The minister said that the talks were useful and would go on."),
            (Some("ru"), "Министр заявил, что переговоры были полезными и будут продолжены."),
            (
                Some("uk"),
                "Міністр заявив, що переговори були корисними і триватимуть далі в Києві.",
            ),
            (
                Some("es"),
                "El ministro dijo que las conversaciones fueron útiles y que van a continuar.",
            ),
            (
                Some("de"),
                "Der Minister sagte, die Gespräche seien nützlich gewesen und gingen weiter.",
            ),
            (
                Some("fr"),
                "Le ministre a déclaré que les entretiens avaient été utiles et se poursuivraient.",
            ),
            (Some("zh"), "部长说，会谈是有益的，并将继续进行。"),
            (None, ""),
            (None, "Yes."),
            (None, "Xi Jinping"),
            // Names, links and marks are no language.
            (None, "Robert Gibbs en route, Troy, New York: \u{201c}Air Force One\u{201d}"),
            (
                None,
                "# Panama travel | [Link](https://www.example.it/politica/la-nazione/articolo.html) \
                 **Antony J.** <a href=\"https://t.co/abc\">pic.example.com/della</a> @nazione #crisi",
            ),
            (
                Some("en"),
                "<div class=\"articolo\"><a href=\"/della/cosa\">The talks go on</a> della <b>and they \
                 would not end</b></div><span id=\"nazione\"></span>",
            ),
            (None, "a < b, c < d, e < f, g < h, i < j, k < l"),
            (None, "1 2 3 4 5 6 7 8 9"),
        ];
        for (expected, text) in cases {
            assert_eq!(detect(text), expected, "{text:?}");
        }
    }

    #[test]
    fn a_foreign_paragraph_is_found_but_names_are_not_one() {
        let cases = [
            (Some("es"), "Tu voto no será publicado hasta que los jueces del concurso lo revisen."),
            (
                None,
                "Vladimir Putin, Xi Jinping, Kassym-Jomart Tokayev, Ilham Aliyev, Emomali Rahmon",
            ),
            (
                None,
                "Officials met ministers; envoys met generals; nobody met reporters afterwards.",
            ),
        ];
        for (expected, text) in cases {
            let tokens = words(text, &Lists::standard());
            assert_eq!(foreign_language(text, &tokens, "en"), expected, "{text:?}");
        }
    }
}
