//! Words as the judgements see them: normalised, masked, with tone and scope.

use standpoint_document::Span;
use standpoint_linear::Feature;

use crate::lexicon::{Lexicon, Role, key};

/// One token of a passage.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Word {
    pub(crate) span: Span,
    /// The word in lower case; names and numbers are masked, so that a model learns what
    /// sentences say and not who is who.
    pub(crate) form: Feature,
    /// The word without its ending, marked where it is negated.
    pub(crate) stem: Feature,
    pub(crate) kind: Kind,
    /// From about -6 to 6, after negation and intensifiers; 0 for a word without tone.
    pub(crate) tone: f32,
    pub(crate) is_quoted: bool,
    /// Counted from 0.
    pub(crate) clause: u16,
    role: Role,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Plain,
    /// Begins with a capital inside a sentence.
    Name,
    Number,
    Speech,
    Contrast,
    /// Ends a clause: a comma, a dash, a bracket.
    Break,
    Quote,
    Question,
    /// Any other mark.
    Mark,
}

impl Kind {
    pub(crate) const fn is_mark(self) -> bool {
        matches!(self, Self::Break | Self::Quote | Self::Question | Self::Mark)
    }
}

/// The most words that are looked at together; a longer sentence is read in parts, so that the
/// work on a mention is bounded.
pub(crate) const MAX_PASSAGE_WORDS: usize = 120;

const NAME: Feature = Feature::new("a name");
const NUMBER: Feature = Feature::new("a number");
const NOT: Feature = Feature::new("not");

/// How many words a negation reaches at most.
const NEGATION_REACH: u32 = 6;
/// How many words an intensifier waits for its tone.
const BOOST_REACH: u32 = 3;

/// Reads tokens of one sentence, or of a part of it, into `words`.
///
/// - `tokens`: spans of `text` in order; at most [`MAX_PASSAGE_WORDS`].
/// - `words`: is emptied first.
pub(crate) fn read(
    text: &str,
    tokens: impl Iterator<Item = Span>,
    known: &mut Known<'_>,
    words: &mut Vec<Word>,
) {
    words.clear();
    // What is known of each word comes from far down the memory: asked for by itself, for one word
    // while the one before is still on its way.
    for span in tokens {
        if let Some(token) = text.get(span.range()).filter(|token| !token.is_empty()) {
            let Alone { form, stem, kind, tone, role } = known.get(token);
            words.push(Word { span, form, stem, kind, tone, is_quoted: false, clause: 0, role });
        }
    }
    let mut scope = Scope::default();
    for word in words.iter_mut() {
        scope.read(word);
    }
    mark_quotes(text, words);
    if is_title_case(words) {
        return;
    }
    // The first word is capitalised whatever it is, so its capital says nothing.
    let mut is_first = true;
    for word in words.iter_mut().filter(|word| !word.kind.is_mark()) {
        if word.kind == Kind::Name {
            if is_first {
                word.kind = Kind::Plain;
            } else if word.tone == 0.0 {
                word.form = NAME;
                word.stem = NAME;
            }
        }
        is_first = false;
    }
}

/// What a word is by itself, whatever stands before it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Alone {
    form: Feature,
    stem: Feature,
    kind: Kind,
    tone: f32,
    role: Role,
}

/// A lexicon, and what was looked up in it lately: most words of a text were in it before.
#[derive(Debug)]
pub(crate) struct Known<'l> {
    lexicon: &'l Lexicon,
    lately: Lately,
}

/// Words by the hashes of how they are written; a new word takes the place of an old one.
pub(crate) type Lately = Vec<Option<(Feature, Alone)>>;

/// How many words are kept, a power of two.
const LATELY: usize = 4096;

impl<'l> Known<'l> {
    /// - `lately`: what was kept of this lexicon, or nothing.
    pub(crate) fn new(lexicon: &'l Lexicon, mut lately: Lately) -> Self {
        lately.resize(LATELY, None);
        Self { lexicon, lately }
    }

    /// What to keep for the next text.
    pub(crate) fn into_lately(self) -> Lately {
        self.lately
    }

    /// What a word is that is not empty.
    fn get(&mut self, token: &str) -> Alone {
        const WRITTEN: Feature = Feature::new("written");
        let written = WRITTEN.text(token);
        let slot = &mut self.lately[written.as_u64() as usize % LATELY];
        match slot {
            Some((known, alone)) if *known == written => *alone,
            _ => {
                let alone = alone(self.lexicon, token);
                *slot = Some((written, alone));
                alone
            }
        }
    }
}

fn alone(lexicon: &Lexicon, token: &str) -> Alone {
    let number =
        Alone { form: NUMBER, stem: NUMBER, kind: Kind::Number, tone: 0.0, role: Role::Plain };
    if token.starts_with(|first: char| first.is_ascii_digit()) {
        return number;
    }
    let form = key(token);
    if let Some(kind) = mark(token) {
        return Alone { form, stem: form, kind, ..number };
    }
    let entry = lexicon.entry(form);
    let kind = match entry.role {
        Role::Speech => Kind::Speech,
        Role::Contrast => Kind::Contrast,
        _ if token.starts_with(char::is_uppercase) => Kind::Name,
        _ => Kind::Plain,
    };
    // A tokeniser that leaves contractions whole gives "don't" as one word.
    let role = match entry.role {
        Role::Plain if token.ends_with("n't") || token.ends_with("n’t") => Role::Negate(0.8),
        role => role,
    };
    Alone { form, stem: stem(token, form), kind, tone: entry.tone, role }
}

/// What earlier words of the sentence do to the next one.
#[derive(Default)]
struct Scope {
    /// By how much tones are turned, and for how many words yet.
    negation: Option<(f32, u32)>,
    boost: Option<(f32, u32)>,
    clause: u16,
}

impl Scope {
    fn read(&mut self, word: &mut Word) {
        word.clause = self.clause;
        if word.kind.is_mark() {
            if word.kind == Kind::Break {
                self.end_clause();
            }
            return;
        }
        if word.kind == Kind::Number {
            return;
        }
        if let Some((factor, _)) = self.boost.filter(|_| word.tone != 0.0) {
            word.tone *= factor;
            self.boost = None;
        }
        if let Some((factor, _)) = self.negation {
            word.tone *= -factor;
            word.stem = NOT.and(word.stem);
        }
        self.wear_off();
        self.begin(word.role);
        word.clause = self.clause;
    }

    /// Opens or closes scopes after a word.
    fn begin(&mut self, role: Role) {
        match role {
            // Two negations cancel each other: "never without", "did not refuse".
            Role::Negate(factor) | Role::Turn(factor) => {
                self.negation = match self.negation {
                    Some(_) => None,
                    None => Some((factor, NEGATION_REACH)),
                };
            }
            Role::Boost(factor) => {
                let before = self.boost.map_or(1.0, |(factor, _)| factor);
                self.boost = Some(((before * factor).clamp(0.3, 2.0), BOOST_REACH));
            }
            Role::Contrast | Role::Clause => self.end_clause(),
            Role::Plain | Role::Speech => {}
        }
    }

    fn end_clause(&mut self) {
        self.clause = self.clause.saturating_add(1);
        self.negation = None;
        self.boost = None;
    }

    fn wear_off(&mut self) {
        let shorter = |scope: Option<(f32, u32)>| match scope {
            Some((factor, reach)) if reach > 1 => Some((factor, reach - 1)),
            _ => None,
        };
        self.negation = shorter(self.negation);
        self.boost = shorter(self.boost);
    }
}

fn mark(token: &str) -> Option<Kind> {
    let first = token.chars().next()?;
    if first.is_alphanumeric() || (token.len() > 1 && matches!(first, '\'' | '’')) {
        // "'s" and "'re" are words; "''" is an old closing quote.
        return (token == "''").then_some(Kind::Quote);
    }
    Some(match first {
        '"' | '“' | '”' | '„' | '«' | '»' | '`' => Kind::Quote,
        '?' => Kind::Question,
        ',' | ';' | ':' | '—' | '–' | '(' | ')' | '[' | ']' => Kind::Break,
        '-' if token == "-" || token == "--" => Kind::Break,
        _ => Kind::Mark,
    })
}

/// Marks what stands between quotation marks; an unpaired one reaches the end of the passage,
/// or, when it closes, its start.
fn mark_quotes(text: &str, words: &mut [Word]) {
    if !words.iter().any(|word| word.kind == Kind::Quote) {
        return;
    }
    let mut is_open = false;
    let mut any = false;
    for index in 0..words.len() {
        if words[index].kind != Kind::Quote {
            words[index].is_quoted = is_open;
            continue;
        }
        let closes = match &text[words[index].span.range()] {
            "”" | "''" | "»" => true,
            "“" | "„" | "«" | "``" => false,
            _ => is_open,
        };
        if closes && !any {
            for word in &mut words[..index] {
                word.is_quoted = true;
            }
        }
        is_open = !closes;
        any = true;
    }
}

/// Whether most words are capitalised, as in some headlines, so that a capital says nothing.
fn is_title_case(words: &[Word]) -> bool {
    let names = words.iter().filter(|word| word.kind == Kind::Name).count();
    let plain = words.iter().filter(|word| matches!(word.kind, Kind::Plain | Kind::Speech)).count();
    names >= 4 && names > 2 * plain
}

/// The hash of a word without the endings of plural, tense and adverb.
///
/// Only cuts, so "country" and "countries" both become "countr"; words that are not plain ASCII
/// stay whole.
fn stem(token: &str, whole: Feature) -> Feature {
    const STEM: Feature = Feature::new("stem");
    let bytes = token.as_bytes();
    if bytes.len() < 4 || !bytes.iter().all(u8::is_ascii_alphabetic) {
        return whole;
    }
    let mut end = bytes.len();
    let ends = |end: usize, ending: &[u8]| {
        end >= ending.len() + 3 && bytes[end - ending.len()..end].eq_ignore_ascii_case(ending)
    };
    if ends(end, b"ies") || ends(end, b"ied") || ends(end, b"ing") {
        end -= 3;
    } else if ends(end, b"es") || ends(end, b"ed") || ends(end, b"ly") {
        end -= 2;
    } else if ends(end, b"s") && !bytes[end - 2].eq_ignore_ascii_case(&b's') {
        end -= 1;
    }
    let last = |end: usize| bytes[end - 1].to_ascii_lowercase();
    let is_silent = matches!(last(end), b'e' | b'y');
    let is_doubled = end < bytes.len() && last(end) == last(end - 1) && last(end) != b's';
    if end > 3 && (is_silent || is_doubled) {
        end -= 1;
    }
    STEM.lower_case(&token[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<Word> {
        let spans = crate::plain_tokens::tokens(text).into_iter();
        let mut words = Vec::new();
        read(text, spans, &mut Known::new(&Lexicon::standard(), Lately::new()), &mut words);
        words
    }

    #[test]
    fn endings_are_cut() {
        let cases = [
            ("country", "countries"),
            ("stop", "stopped"),
            ("praise", "praising"),
            ("condemn", "condemns"),
            ("quick", "quickly"),
            ("miss", "missed"),
        ];
        for (left, right) in cases {
            assert_eq!(stem(left, key(left)), stem(right, key(right)), "{left} {right}");
        }
        assert_ne!(stem("war", key("war")), stem("ware", key("ware")));
    }

    #[test]
    fn names_and_numbers_are_masked() {
        let masked = words("Yesterday Anna Berg praised 12 towns.");
        let forms: Vec<bool> = masked.iter().map(|word| word.form == NAME).collect();
        assert_eq!(forms, [false, true, true, false, false, false, false]);
        assert_eq!(masked[4].form, NUMBER);
        assert!(words("They praised Berg.")[0].form != NAME);
    }

    #[test]
    fn quoted_words_are_marked() {
        let cases = [("He said “we won” today.", "..--xx--.."), ("It is over,” she said.", "")];
        let quoted = |text: &str| -> String {
            words(text).iter().map(|word| if word.is_quoted { 'x' } else { '.' }).collect()
        };
        assert_eq!(quoted(cases[0].0), "...xx...");
        assert_eq!(quoted(cases[1].0), "xxxx....");
        assert_eq!(quoted("He said \"we won\" today."), "...xx...");
    }
}
