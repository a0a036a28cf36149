//! Gathers tokens into sentences.
//!
//! Blank lines always end a sentence, and so do line breaks that the writer set on purpose. At
//! every other place where a sentence could end, a linear model weighs the words on both sides:
//! "U.S." before "President" goes on, before "He" it seldom does. It was trained on the treebanks
//! GUM and EWT (`data/README.md`); a few rules that it must not unlearn stand before it.

use std::ops::Range;

use standpoint_document::{Span, sentence};
use standpoint_linear::{Facts, Feature, Features, LinearModel, LoadError};

use crate::{
    lists::{Abbreviation, Lists},
    shape::{Shape, shape},
};

/// The longest sentence, in tokens; a longer one is cut at its best place and flagged
/// [`sentence::CUT`], so that later stages have bounded work.
pub const MAX_SENTENCE_TOKENS: usize = 240;

/// Names the features below; change it with them.
pub const RECIPE: &str = "tokenise/sentences/2";

/// A sentence: which tokens it has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sentence {
    /// Indices into the tokens; never empty.
    pub tokens: Range<usize>,
    /// Flags as in [`sentence`].
    pub flags: u32,
}

impl Sentence {
    /// The text from the first to the last of its tokens.
    #[must_use]
    pub fn span(&self, tokens: &[Span]) -> Span {
        Span::new(tokens[self.tokens.start].start, tokens[self.tokens.end - 1].end)
    }
}

/// What separates two neighbouring tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Gap {
    /// Nothing.
    None,
    /// Space within a line.
    Space,
    /// A line break.
    Line,
    /// A blank line.
    Blank,
}

/// Finds sentences; made once and shared.
#[derive(Debug)]
pub struct SentenceSplitter {
    model: LinearModel<2>,
}

impl SentenceSplitter {
    /// The splitter with the weights that come with the stage.
    ///
    /// # Errors
    ///
    /// [`LoadError`] when the weights do not fit the features, which a test rules out.
    pub fn standard() -> Result<Self, LoadError> {
        Self::with_weights(include_bytes!("../data/sentences.weights"))
    }

    /// The splitter with other weights.
    ///
    /// # Errors
    ///
    /// [`LoadError`] when they are damaged or were trained for other features.
    pub fn with_weights(weights: &[u8]) -> Result<Self, LoadError> {
        Ok(Self { model: LinearModel::from_bytes(weights, RECIPE)? })
    }

    /// Gathers the tokens of `text` into sentences.
    ///
    /// - `tokens`: as [`words`](crate::words()) made them.
    /// - returns: every token in exactly one sentence, in order.
    #[must_use]
    pub fn split(&self, text: &str, tokens: &[Span], lists: &Lists) -> Vec<Sentence> {
        let mut walk = Walk::new(text, tokens, lists);
        let mut sentences = Vec::with_capacity(tokens.len() / 16 + 1);
        while let Some(place) = walk.next_place() {
            let ends = match place {
                Place::Certain => true,
                Place::Open => {
                    let mut facts = self.model.adder();
                    walk.features(&mut facts);
                    let mut scores = self.model.prior();
                    facts.add_to(&mut scores);
                    let [goes_on, ends] = scores;
                    goes_on < ends
                }
            };
            if ends {
                walk.end_sentence(&mut sentences);
            }
        }
        walk.finish(&mut sentences);
        sentences
    }
}

/// The features of every open place of a text whose sentences are known, and whether one ends
/// there; for training.
///
/// - `is_end`: whether a sentence ends with the token that ends at this byte.
pub fn examples(
    text: &str,
    tokens: &[Span],
    lists: &Lists,
    is_end: impl Fn(u32) -> bool,
) -> Vec<(Features, bool)> {
    let mut examples = Vec::new();
    let mut sentences = Vec::new();
    let mut walk = Walk::new(text, tokens, lists);
    while let Some(place) = walk.next_place() {
        let ends = is_end(tokens[walk.at - 1].end);
        if place == Place::Open {
            let mut features = Features::new();
            walk.features(&mut features);
            examples.push((features, ends));
        }
        if ends || place == Place::Certain {
            walk.end_sentence(&mut sentences);
        }
    }
    examples
}

/// Lines longer than this, in bytes, were not wrapped by hand: each is a paragraph.
const WRAPPED_WIDTH: usize = 120;

/// Words behind which no line ends on purpose: "in the first half of".
const GOES_ON: [&str; 13] =
    ["a", "an", "and", "between", "his", "into", "its", "of", "or", "our", "the", "their", "with"];

/// No dateline is longer.
const MAX_DATELINE_BYTES: usize = 80;

/// Whether a place, with dates and an agency or in capitals, stands before a dash: "MOSCOW, Nov. 3
/// (Interfax) ", "PARIS ".
///
/// - `behind`: the words behind the dash.
fn is_dateline(head: &str, behind: &str) -> bool {
    let is_shouted = |part: &str| {
        let letters = part.chars().filter(|letter| letter.is_alphabetic());
        letters.clone().count() > 1 && letters.clone().all(char::is_uppercase)
    };
    if !head.ends_with(' ') || behind.starts_with(char::is_lowercase) {
        return false;
    }
    let is_written_small =
        || behind.split(' ').take(3).any(|word| word.contains(char::is_lowercase));
    let parts = || head.split([',', '(', ')', '/']).map(str::trim).filter(|part| !part.is_empty());
    let has_agency = parts().skip(1).any(|part| AGENCIES.contains(&part));
    let has_date = || parts().skip(1).any(is_date);
    let is_place = |part: &str| {
        let mut words = part.split(' ');
        words.all(|word| !word.starts_with(char::is_lowercase) || NAME_LINKS.contains(&word))
    };
    let place = parts().next().unwrap_or_default();
    // "NATO - Russia talks" is no news from a place.
    let is_city = || place.len() >= 4 && !ACRONYMS.contains(&place);
    place.starts_with(char::is_uppercase)
        && !is_date(place)
        && (1..=6).contains(&parts().count())
        && parts().all(|part| AGENCIES.contains(&part) || is_place(part))
        && (parts().count() > 1 || is_city())
        && (has_agency || is_shouted(place) && (has_date() || is_written_small()))
}

/// What is written in capitals, as long as the name of a city, and names none.
const ACRONYMS: [&str; 16] = [
    "APEC", "ASEAN", "AUKUS", "BRICS", "CARICOM", "COVID", "CSTO", "ECOWAS", "MERCOSUR", "NATO",
    "OPEC", "OSCE", "UNESCO", "UNICEF", "USAID", "USSR",
];

/// "Nov. 3", "3 November 2023".
fn is_date(part: &str) -> bool {
    let is_month = |word: &str| {
        let month = word.get(..3).is_some_and(|start| MONTHS.contains(&start));
        month && word.len() <= "September".len()
    };
    let is_number = |word: &str| word.bytes().all(|byte| byte.is_ascii_digit());
    let mut words = part.split(' ');
    words.clone().any(is_month) && words.all(|word| is_month(word) || is_number(word))
}

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Small words in the names of places.
const NAME_LINKS: [&str; 9] = ["de", "la", "el", "al", "da", "do", "of", "am", "and"];

/// Agencies as datelines name them.
const AGENCIES: [&str; 42] = [
    "AA",
    "AFP",
    "ANI",
    "ANSA",
    "AP",
    "APA",
    "Anadolu",
    "Associated Press",
    "BBC",
    "BNS",
    "BTA",
    "BelTA",
    "Bloomberg",
    "CNN",
    "CTK",
    "DPA",
    "EFE",
    "IANS",
    "IRNA",
    "ITAR-TASS",
    "Interfax",
    "KUNA",
    "Kyodo",
    "MENA",
    "MTI",
    "PAP",
    "PTI",
    "RIA",
    "RIA Novosti",
    "Reuters",
    "SANA",
    "SPA",
    "Sputnik",
    "TASS",
    "Tass",
    "UPI",
    "Ukrinform",
    "WAM",
    "Xinhua",
    "Yonhap",
    "dpa",
    "AP Photo",
];

/// A place where a sentence may end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// It does.
    Certain,
    /// The model decides.
    Open,
}

/// A walk over the gaps between tokens.
struct Walk<'a> {
    text: &'a str,
    bytes: &'a [u8],
    tokens: &'a [Span],
    lists: &'a Lists,
    /// The token after the gap in hand.
    at: usize,
    /// The first token of the sentence in hand.
    start: usize,
    gap: Gap,
    /// Straight quotation marks and brackets that the sentence has opened.
    quotes: u32,
    brackets: u32,
    /// The last good places to cut an endless sentence: after ";" or ":", after ",".
    last_break: usize,
    last_comma: usize,
    /// The length of the longest line of the paragraph in hand, in bytes, and where it ends.
    paragraph_width: usize,
    paragraph_end: usize,
    /// Flags of the next sentence.
    flags: u32,
    /// Whether the sentence in hand begins a line.
    starts_line: bool,
}

impl<'a> Walk<'a> {
    fn new(text: &'a str, tokens: &'a [Span], lists: &'a Lists) -> Self {
        Self {
            text,
            bytes: text.as_bytes(),
            tokens,
            lists,
            at: 0,
            start: 0,
            gap: Gap::Blank,
            quotes: 0,
            brackets: 0,
            last_break: 0,
            last_comma: 0,
            paragraph_width: 0,
            paragraph_end: 0,
            flags: sentence::PARAGRAPH,
            starts_line: true,
        }
    }

    /// Goes to the next gap where a sentence may end; `None` behind the last token.
    fn next_place(&mut self) -> Option<Place> {
        loop {
            self.note(self.at);
            self.at += 1;
            let next = *self.tokens.get(self.at)?;
            let before = self.tokens[self.at - 1];
            if self.at - self.start >= MAX_SENTENCE_TOKENS {
                self.gap = Gap::None;
                self.flags |= sentence::CUT;
                return Some(Place::Certain);
            }
            let first = self.bytes[next.start as usize];
            if before.end == next.start {
                // The space after a full stop is missing: "end.Next".
                let may_end = self.ends_with_stop(before) && first.is_ascii_uppercase();
                if !may_end {
                    continue;
                }
                self.gap = Gap::None;
                return Some(Place::Open);
            }
            self.gap = self.gap_between(before, next);
            let is_certain = match self.gap {
                Gap::Blank => true,
                Gap::Line => self.is_deliberate(before, next),
                Gap::None | Gap::Space => false,
            };
            if is_certain || self.ends_dateline(before, next) {
                return Some(Place::Certain);
            }
            let stops = self.may_stop(before);
            if !stops && first.is_ascii_lowercase() || self.is_bound(before, next) {
                continue;
            }
            return Some(Place::Open);
        }
    }

    /// Takes note of what a token opens, closes or separates.
    fn note(&mut self, index: usize) {
        let Some(token) = self.tokens.get(index) else { return };
        match self.bytes[token.start as usize] {
            b'"' => self.quotes += 1,
            b'(' | b'[' => self.brackets += 1,
            b')' | b']' => self.brackets = self.brackets.saturating_sub(1),
            b';' | b':' => self.last_break = index + 1,
            b',' => self.last_comma = index + 1,
            _ => {}
        }
    }

    /// Ends the sentence before the token in hand.
    fn end_sentence(&mut self, sentences: &mut Vec<Sentence>) {
        let mut end = self.at;
        let is_cut = self.flags & sentence::CUT != 0;
        if is_cut {
            let middle = self.start + MAX_SENTENCE_TOKENS / 2;
            let best = [self.last_break, self.last_comma].into_iter().find(|&cut| middle < cut);
            end = best.unwrap_or(end);
        }
        sentences.push(Sentence { tokens: self.start..end, flags: self.flags });
        self.start = end;
        self.starts_line = matches!(self.gap, Gap::Blank | Gap::Line);
        self.flags = if self.gap == Gap::Blank { sentence::PARAGRAPH } else { 0 };
        self.quotes = 0;
        self.brackets = 0;
    }

    fn finish(mut self, sentences: &mut Vec<Sentence>) {
        if self.start < self.tokens.len() {
            self.at = self.tokens.len();
            self.flags &= !sentence::CUT;
            self.end_sentence(sentences);
        }
    }

    fn gap_between(&self, before: Span, next: Span) -> Gap {
        let gap = &self.bytes[before.end as usize..next.start as usize];
        if gap == b" " {
            return Gap::Space;
        }
        match gap.iter().filter(|&&byte| byte == b'\n').take(2).count() {
            // The paragraph separator means what it says.
            0 if self.text[before.end as usize..next.start as usize].contains('\u{2029}') => {
                Gap::Blank
            }
            // A form feed starts a page.
            0 if gap.contains(&0x0c) => Gap::Blank,
            0 if gap.contains(&b'\r') => Gap::Line,
            0 => Gap::Space,
            1 => Gap::Line,
            _ => Gap::Blank,
        }
    }

    /// Whether the writer broke the line after `before` on purpose: before an item of a list, or
    /// where the line still had room for the next word.
    fn is_deliberate(&mut self, before: Span, next: Span) -> bool {
        if self.is_bullet(next) {
            return true;
        }
        let end = before.end as usize;
        if self.paragraph_end <= end {
            self.measure_paragraph(end);
        }
        let first = self.bytes[next.start as usize];
        if first.is_ascii_lowercase() && !self.ends_with_stop(before)
            || GOES_ON.contains(&&self.text[before.range()])
        {
            return false;
        }
        if self.paragraph_width > WRAPPED_WIDTH {
            return true;
        }
        let line_start = self.text[..end]
            .bytes()
            .rev()
            .take(WRAPPED_WIDTH + 1)
            .position(|byte| byte == b'\n')
            .map_or(0, |back| end - back);
        let word = self.bytes[next.start as usize..]
            .iter()
            .take(WRAPPED_WIDTH)
            .take_while(|byte| !byte.is_ascii_whitespace())
            .count();
        end - line_start + 1 + word <= self.paragraph_width
    }

    /// Finds the longest line of the paragraph around the byte `at`.
    fn measure_paragraph(&mut self, at: usize) {
        let start = self.tokens[self.start].start as usize;
        let mut width = 0;
        let mut line_start = self.text[..start].rfind('\n').map_or(0, |line| line + 1);
        loop {
            let line = &self.bytes[line_start..];
            let length = line.iter().position(|&byte| byte == b'\n').unwrap_or(line.len());
            let is_blank = line[..length].iter().all(u8::is_ascii_whitespace);
            let line_end = line_start + length;
            if (is_blank && at < line_end) || line_end == self.bytes.len() {
                self.paragraph_end = line_end.max(at + 1);
                self.paragraph_width = width.max(if is_blank { 0 } else { length });
                return;
            }
            width = width.max(line[..length].trim_ascii_end().len());
            line_start = line_end + 1;
        }
    }

    /// Whether `token` introduces an item of a list at the start of a line.
    fn is_bullet(&self, token: Span) -> bool {
        let word = &self.text[token.range()];
        let is_alone = self.bytes.get(token.end as usize).is_some_and(u8::is_ascii_whitespace);
        let is_number = word.ends_with(['.', ')'])
            && word.starts_with(|first: char| first.is_ascii_digit() || first == '(');
        is_alone
            && (is_number || matches!(word, "-" | "*" | "•" | "–" | "—" | "·" | "▪" | "►" | "●"))
    }

    /// Whether `before` is the dash between a dateline and its text: "CAIRO (AP) - Egypt".
    fn ends_dateline(&self, before: Span, next: Span) -> bool {
        let (start, hyphen) = (self.tokens[self.start].start as usize, before.start as usize);
        self.starts_line
            && matches!(&self.text[before.range()], "-" | "–" | "—" | "--")
            && (1..=MAX_DATELINE_BYTES).contains(&(hyphen - start))
            && is_dateline(&self.text[start..hyphen], &self.text[next.start as usize..])
    }

    /// Whether the token ends with a full stop or its like.
    fn ends_with_stop(&self, token: Span) -> bool {
        matches!(self.bytes[token.end as usize - 1], b'.' | b'!' | b'?')
            || self.text[token.range()].ends_with(['…', '。', '！', '？', '।', '؟', '۔'])
    }

    /// Whether a sentence can end with the token although the next begins with a small letter.
    fn may_stop(&self, token: Span) -> bool {
        let last = self.bytes[token.end as usize - 1];
        !last.is_ascii_alphanumeric() && last != b','
    }

    /// Whether `before` belongs to `next` beyond doubt: title and name, month and day, initials.
    fn is_bound(&self, before: Span, next: Span) -> bool {
        let word = &self.text[before.range()];
        let Some(stem) = word.strip_suffix('.') else { return false };
        let first = self.bytes[next.start as usize];
        if stem.len() == 1 && stem.as_bytes()[0].is_ascii_uppercase() {
            let is_name = self.at - 1 == self.start
                || self.tokens.get(self.at.wrapping_sub(2)).is_some_and(|token| {
                    let token = &self.bytes[token.range()];
                    token[0].is_ascii_uppercase() && token.len() > 1
                });
            let after = &self.text[next.range()];
            return is_name && first.is_ascii_uppercase() && !STARTERS.contains(&after);
        }
        match self.lists.abbreviation(stem) {
            Some(Abbreviation::Title | Abbreviation::Number) => {
                first.is_ascii_alphanumeric() || !first.is_ascii()
            }
            Some(Abbreviation::Month) => first.is_ascii_digit(),
            Some(Abbreviation::Inner) => true,
            _ => false,
        }
    }

    fn token_text(&self, index: usize) -> &'a str {
        self.tokens.get(index).map_or("", |token| &self.text[token.range()])
    }

    fn shape_at(&self, index: usize) -> Shape {
        shape(self.token_text(index), self.lists)
    }

    /// What the model sees at the gap in hand.
    fn features(&self, facts: &mut impl Facts) {
        let at = self.at;
        let (before, next) = (self.token_text(at - 1), self.token_text(at));
        let earlier = if at >= self.start + 2 { self.token_text(at - 2) } else { "" };
        let later = self.token_text(at + 1);
        let shapes = [
            shape(earlier, self.lists),
            shape(before, self.lists),
            shape(next, self.lists).without_stop(next),
            self.shape_at(at + 1),
        ];
        let [s_earlier, s_before, s_next, s_later] = shapes.map(|s| i64::from(s.code()));
        let word_before = BEFORE.lower_case(before);
        let word_next = NEXT.lower_case(next);
        let gap = self.gap as i64;
        let steps = LENGTH_STEPS.partition_point(|&step| step <= at - self.start);
        let length = i64::try_from(steps).unwrap_or_default();
        let open = i64::from(self.quotes % 2) * 2 + i64::from(self.brackets > 0);
        let all = [
            word_before,
            word_next,
            EARLIER.lower_case(earlier),
            LATER.lower_case(later),
            word_before.number(s_next),
            word_next.number(s_before),
            word_next.number(s_before).number(s_earlier),
            word_before.and(word_next),
            word_next.lower_case(later),
            word_before.lower_case(earlier).number(s_next),
            SHAPES.number(s_before).number(s_next),
            SHAPES.number(s_earlier).number(s_before).number(s_next),
            SHAPES_AFTER.number(s_before).number(s_next).number(s_later),
            SHAPES_AROUND.number(s_earlier).number(s_before).number(s_next).number(s_later),
            GAP.number(gap).number(s_before).number(s_next),
            LENGTH.number(length).number(s_before).number(s_next),
            LENGTH_WORD.number(length).and(word_next),
            OPEN.number(open).number(s_before).number(s_next),
        ];
        for fact in all {
            facts.push(fact);
        }
    }
}

const BEFORE: Feature = Feature::new("before");
const NEXT: Feature = Feature::new("next");
const EARLIER: Feature = Feature::new("earlier");
const LATER: Feature = Feature::new("later");
const SHAPES: Feature = Feature::new("shapes");
const SHAPES_AFTER: Feature = Feature::new("shapes after");
const SHAPES_AROUND: Feature = Feature::new("shapes around");
const GAP: Feature = Feature::new("gap");
const LENGTH: Feature = Feature::new("length");
const LENGTH_WORD: Feature = Feature::new("length word");
const OPEN: Feature = Feature::new("open");

/// Steps of how many tokens the sentence has so far.
const LENGTH_STEPS: [usize; 8] = [2, 3, 4, 6, 9, 15, 25, 40];

/// Words that begin a sentence after a letter with a full stop, rather than being a name.
const STARTERS: [&str; 34] = [
    "The", "A", "An", "He", "She", "It", "They", "We", "You", "This", "That", "These", "Those",
    "In", "On", "At", "But", "And", "If", "As", "For", "However", "When", "While", "After", "His",
    "Her", "Its", "Their", "Our", "There", "With", "To", "Then",
];
