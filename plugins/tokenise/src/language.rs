//! Says in which language a text or a paragraph is written, or nothing when it is too short to
//! tell.
//!
//! English is told by its function words, which costs almost nothing; only what lacks them is
//! given to the trigram and script profiles of `whatlang`. Only words of prose are looked at:
//! names, links and markup are thick in short texts, and say nothing of the language that they
//! stand in.

use std::ops::Range;

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

/// A text with what each of its tokens tells of the language, for the text is asked as a whole and
/// each of its paragraphs again.
#[derive(Debug)]
pub struct Words<'t> {
    text: &'t str,
    tokens: &'t [Span],
    /// Bits of [`glance`].
    glances: Vec<u8>,
}

impl<'t> Words<'t> {
    /// - `tokens`: those of `text`.
    #[must_use]
    pub fn new(text: &'t str, tokens: &'t [Span]) -> Self {
        let glances = tokens.iter().map(|token| glance(text.as_bytes(), *token)).collect();
        Self { text, tokens, glances }
    }

    /// The language of the whole text, as ISO 639-1 code; `None` where it cannot be told.
    #[must_use]
    pub fn language(&self) -> Option<&'static str> {
        // Openings of the text tell enough, and the time stays bounded.
        let opening = 0..self.tokens.len().min(2_000);
        let tokens = &self.tokens[opening.clone()];
        let evidence = self.evidence(opening);
        if evidence.words < MIN_WORDS && evidence.is_latin {
            return None;
        }
        if evidence.english_share() >= ENGLISH_SHARE {
            return Some("en");
        }
        profile(self.text, tokens, SURE).or_else(|| {
            // Names may add to what little English there is, but they make no text foreign.
            detected(&sample(prose(self.text, tokens)), SURE).filter(|found| *found == "en")
        })
    }

    /// The language of a paragraph, when it is surely not that of its document.
    ///
    /// - `paragraph`: its tokens, by their numbers;
    /// - `language`: the document's, as ISO 639-1 code;
    /// - returns: an ISO 639-1 code that is not `language`.
    #[must_use]
    pub fn foreign(&self, paragraph: Range<usize>, language: &str) -> Option<&'static str> {
        let tokens = &self.tokens[paragraph.clone()];
        let evidence = self.evidence(paragraph);
        if language != "en" {
            let is_english = evidence.words >= MIN_WORDS && evidence.english_share() >= 0.3;
            return is_english.then_some("en");
        }
        // Lists of names and headings have no function words either.
        let is_prose = evidence.words >= MIN_WORDS && 2 * evidence.lower >= evidence.words;
        if evidence.is_latin && (!is_prose || evidence.english_share() >= FOREIGN_SHARE) {
            return None;
        }
        // Ten words of which none is English are not English; which language they are may be less
        // sure.
        let confidence = if evidence.english == 0 && evidence.words >= 10 { 0.3 } else { SURE };
        profile(self.text, tokens, confidence).filter(|found| *found != language)
    }

    fn evidence(&self, range: Range<usize>) -> Evidence {
        let (mut words, mut lower, mut english, mut wide) = (0, 0, 0, 0);
        let mut end_of_tag = 0;
        for (token, &glance) in self.tokens[range.clone()].iter().zip(&self.glances[range]) {
            let start = token.start as usize;
            if start < end_of_tag {
                continue;
            }
            if glance & glance::TAG != 0 {
                end_of_tag = start + tag_length(&self.text.as_bytes()[start..]);
            }
            let count = |bit: u8| usize::from(glance & bit != 0);
            words += count(glance::WORD);
            lower += count(glance::LOWER);
            english += count(glance::ENGLISH);
            wide += count(glance::WIDE);
        }
        Evidence { words, lower, english, is_latin: 2 * wide < words }
    }
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
    fn english_share(&self) -> f32 {
        self.english as f32 / self.words.max(1) as f32
    }
}

/// What a token tells by itself.
mod glance {
    /// It is a word of prose, as [`prose`](super::prose) has them, and begins with a letter.
    pub(super) const WORD: u8 = 1;
    /// And with a small one.
    pub(super) const LOWER: u8 = 1 << 1;
    /// And with one that is not of ASCII.
    pub(super) const WIDE: u8 = 1 << 2;
    /// And it is one of [`ENGLISH_WORDS`](super::ENGLISH_WORDS).
    pub(super) const ENGLISH: u8 = 1 << 3;
    /// It may begin a tag.
    pub(super) const TAG: u8 = 1 << 4;
}

fn glance(text: &[u8], token: Span) -> u8 {
    let word = &text[token.range()];
    let kind = match word[0] {
        b'a'..=b'z' => glance::WORD | glance::LOWER,
        b'A'..=b'Z' => glance::WORD,
        0xc3..=0xff => glance::WORD | glance::WIDE,
        b'<' => return glance::TAG,
        _ => return 0,
    };
    if !is_prose(text, token) {
        return 0;
    }
    kind | if is_english_word(word) { glance::ENGLISH } else { 0 }
}

/// Whether a token is written as words are, and no handle.
fn is_prose(text: &[u8], token: Span) -> bool {
    let range = token.range();
    let is_handle = 0 < range.start && matches!(text[range.start - 1], b'#' | b'@');
    !is_handle && text[range].iter().all(|byte| is_letter(*byte))
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
        if bytes[range.start] == b'<' {
            end_of_tag = range.start + tag_length(&bytes[range.start..]);
            return None;
        }
        is_prose(bytes, *token).then(|| &bytes[range])
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

/// The function words of English that no other language we know of has ("in", "a", "on", "me" and
/// the like are left out).
const ENGLISH_WORDS: [&str; 45] = [
    "the", "The", "of", "and", "And", "to", "is", "that", "for", "with", "it", "It", "are", "was",
    "be", "by", "this", "This", "which", "have", "has", "not", "n't", "from", "at", "they", "We",
    "we", "I", "you", "his", "their", "its", "would", "will", "been", "were", "who", "but", "But",
    "or", "an", "'s", "’s", "n’t",
];

/// The most bytes that such a word has.
const MOST_OF_ENGLISH: usize = 5;

/// The same words as numbers: each at its place, or where that is taken, at the next free one.
static ENGLISH: [u64; 256] = {
    let mut table = [0; 256];
    let mut next = 0;
    while next < ENGLISH_WORDS.len() {
        let word = ENGLISH_WORDS[next].as_bytes();
        assert!(word.len() <= MOST_OF_ENGLISH);
        let number = number_of(word);
        let mut place = place_of(number);
        while table[place as usize] != 0 {
            place = place.wrapping_add(1);
        }
        table[place as usize] = number;
        next += 1;
    }
    table
};

const fn number_of(word: &[u8]) -> u64 {
    let mut number = 0;
    let mut at = 0;
    while at < word.len() {
        number = number << 8 | word[at] as u64;
        at += 1;
    }
    number
}

const fn place_of(number: u64) -> u8 {
    (number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8
}

/// Whether `word` is one of [`ENGLISH_WORDS`].
fn is_english_word(word: &[u8]) -> bool {
    if word.len() > MOST_OF_ENGLISH {
        return false;
    }
    let number = number_of(word);
    let mut place = place_of(number);
    while ENGLISH[usize::from(place)] != number {
        if ENGLISH[usize::from(place)] == 0 {
            return false;
        }
        place = place.wrapping_add(1);
    }
    true
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
        Words::new(text, &words(text, &Lists::standard())).language()
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
            let found = Words::new(text, &tokens).foreign(0..tokens.len(), "en");
            assert_eq!(found, expected, "{text:?}");
        }
    }
}
