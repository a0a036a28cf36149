//! Who speaks in an interview or transcript: "Q: ... A: ...", "Kallas: ...".

use standpoint_document::{Annotation, EntityKind, Span, within};

use super::Survey;

/// Whose words the voice of a sentence is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Teller {
    /// The author's.
    #[default]
    Text,
    /// Those of whoever asks, or of somebody unknown: they count nothing.
    Nobody,
    /// Those of whom the label of the line names.
    Entity(u32),
}

/// Labels of whoever asks, beside "Q" and "Question"; without a question behind them, of a by-line.
const ASKERS: [&str; 7] =
    ["reporter", "interviewer", "journalist", "moderator", "host", "presenter", "correspondent"];

/// So many words, at most, stand in a label before its colon: "Prime Minister Kaja Kallas:".
const LABEL_WORDS: usize = 5;

/// Follows who speaks from one sentence to the next.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Transcript {
    has_labels: bool,
    /// Whom the text names before the first question.
    interviewee: Option<u32>,
    asked: bool,
    /// A label in capitals, as transcripts have it, holds for all paragraphs up to the next one.
    holds: bool,
    now: Teller,
}

impl Transcript {
    /// Goes on to a sentence.
    pub(super) fn teller(
        &mut self,
        survey: &Survey<'_>,
        span: Span,
        tokens: &[Annotation],
    ) -> Teller {
        if !self.has_labels || !survey.begins_line(span) {
            return self.now;
        }
        // Whom no table knows speaks for a known author, if for anybody.
        let author = survey.document.metadata().author.is_some();
        let unnamed = if author { Teller::Text } else { Teller::Nobody };
        match survey.label(span, tokens) {
            Some(Label::Question) => (self.asked, self.now) = (true, Teller::Nobody),
            Some(Label::Answer) if self.asked => {
                self.now = self.interviewee.map_or(unnamed, Teller::Entity);
            }
            Some(Label::Person(entity)) => {
                self.holds = survey.is_shouted(tokens);
                self.interviewee.get_or_insert(entity);
                self.now = Teller::Entity(entity);
            }
            None if self.holds && survey.is_shouted(tokens) => self.now = unnamed,
            None if self.holds && survey.is_rule(tokens) => {
                (self.holds, self.now) = (false, Teller::Text);
            }
            Some(Label::Answer) | None => {
                // A title such as "Kallas: we condemn" ends with its line.
                if !self.asked && !self.holds {
                    self.now = Teller::Text;
                    self.interviewee = self.interviewee.or_else(|| survey.first_person(span));
                }
            }
        }
        self.now
    }
}

/// What stands before the colon at the beginning of a line.
#[derive(Debug, Clone, Copy)]
enum Label {
    Question,
    Answer,
    Person(u32),
}

impl Survey<'_> {
    pub(super) fn transcript(&self) -> Transcript {
        // Most texts have no label, and looking for one in each sentence takes longer.
        let has_labels = self.document.text().lines().any(|line| {
            line.char_indices()
                .take(60)
                .any(|(at, letter)| letter == ':' && line[at + 1..].starts_with(' '))
        });
        Transcript { has_labels, ..Transcript::default() }
    }

    /// Whether a line has a label in capitals, and what follows it is not in capitals, too, as in a
    /// headline.
    fn is_shouted(&self, tokens: &[Annotation]) -> bool {
        let mut words = tokens.iter().map(|token| self.document.slice(token.span));
        let is_small = |word: &str| word.contains(char::is_lowercase);
        let label: Vec<&str> = words.by_ref().take_while(|&word| word != ":").collect();
        let in_capitals = label.iter().any(|word| word.contains(char::is_uppercase));
        label.len() <= LABEL_WORDS
            && in_capitals
            && !label.into_iter().any(is_small)
            && words.any(is_small)
    }

    /// "***": what parts a transcript from the rest.
    fn is_rule(&self, tokens: &[Annotation]) -> bool {
        let mut words = tokens.iter().map(|token| self.document.slice(token.span));
        !words.any(|word| word.contains(char::is_alphanumeric))
    }

    fn begins_line(&self, span: Span) -> bool {
        let before = self.document.text().get(..span.start as usize).unwrap_or_default();
        let before = before.trim_end_matches([' ', '\t']);
        before.is_empty() || before.ends_with('\n')
    }

    fn rest_of_line(&self, span: Span) -> &str {
        let rest = self.document.text().get(span.start as usize..).unwrap_or_default();
        rest.lines().next().unwrap_or_default()
    }

    fn label(&self, span: Span, tokens: &[Annotation]) -> Option<Label> {
        let word = |token: &Annotation| self.document.slice(token.span);
        let colon = tokens.iter().take(LABEL_WORDS + 1).position(|token| word(token) == ":")?;
        let named = tokens.get(..colon)?;
        let is_capital = |token: &Annotation| word(token).starts_with(|c: char| !c.is_lowercase());
        let last = named.last().filter(|_| named.iter().all(is_capital))?;
        if named.len() == 1 {
            let word = word(last);
            let is_asker = ASKERS.iter().any(|asker| word.eq_ignore_ascii_case(asker));
            let asks = || self.rest_of_line(span).contains('?');
            if word == "Q" || word.eq_ignore_ascii_case("question") || is_asker && asks() {
                return Some(Label::Question);
            }
            if word == "A" || word.eq_ignore_ascii_case("answer") {
                return Some(Label::Answer);
            }
        }
        let mut mentions = within(self.document.mentions(), span).iter();
        let person = mentions.find(|mention| mention.span.end == last.span.end)?;
        let is_person = EntityKind::from_code(person.label) == Some(EntityKind::Person);
        is_person.then(|| {
            Label::Person(self.same.get(person.link as usize).copied().unwrap_or(person.link))
        })
    }

    fn first_person(&self, span: Span) -> Option<u32> {
        let mut mentions = within(self.document.mentions(), span).iter();
        let person = mentions
            .find(|mention| EntityKind::from_code(mention.label) == Some(EntityKind::Person))?;
        Some(self.same.get(person.link as usize).copied().unwrap_or(person.link))
    }
}
