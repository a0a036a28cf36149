//! The stage: puts words, sentences, language and boilerplate into a document's layers.

use std::ops::Range;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use standpoint_abi::export_stage;
use standpoint_document::{Annotation, Document, Span, layers, sentence};
use standpoint_stage::{Contract, Stage, StageContext, StageDefinition, StageError, StartContext};

use crate::{
    boilerplate::Boilerplate,
    language::Words,
    lists::Lists,
    sentences::{Sentence, SentenceSplitter},
    words::words,
};

/// The longest title or heading, in tokens; what is longer is prose.
const MAX_TITLE_TOKENS: usize = 40;
const MAX_HEADING_TOKENS: usize = 12;
/// So many paragraphs of a document are looked at for another language, to bound the time.
const MAX_FOREIGN_LOOKS: usize = 256;

/// Settings of `tokenise`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TokeniseSettings {
    /// The language of all documents, as ISO 639-1 code such as "en". Leave out to take what the
    /// document says of itself, and else to find out.
    pub language: Option<String>,

    /// What becomes of lines that belong to a web page and not to its article (cookie notices,
    /// share bars, comment forms, bylines, repeated captions).
    pub boilerplate: BoilerplateMode,

    /// More words that keep their full stop and may end a sentence, such as "Abg.".
    pub abbreviations: Vec<String>,
}

/// What becomes of boilerplate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum BoilerplateMode {
    /// It is marked, and later stages pass over it.
    #[default]
    Mark,
    /// It is read like any other text.
    Keep,
}

/// The stage `tokenise`.
#[derive(Debug)]
pub struct Tokenise {
    language: Option<String>,
    lists: Lists,
    splitter: SentenceSplitter,
    boilerplate: Option<Boilerplate>,
}

export_stage!(Tokenise, settings: "settings.schema.json");

impl StageDefinition for Tokenise {
    const NAME: &'static str = "tokenise";
    const CONTRACT: Contract =
        Contract { reads: &[], writes: &[layers::TOKENS, layers::SENTENCES, layers::LANGUAGE] };
    const MODEL: Option<&'static str> = Some("sentences/2");
    type Settings = TokeniseSettings;

    fn start(settings: TokeniseSettings, _: &StartContext) -> Result<Self, StageError> {
        if let Some(language) = &settings.language
            && !(language.len() == 2 && language.bytes().all(|byte| byte.is_ascii_lowercase()))
        {
            return Err(StageError::stage(format!(
                "`language` is {language:?}, which is not an ISO 639-1 code: write two small \
                 letters, such as \"en\""
            )));
        }
        let mut lists = Lists::standard();
        for word in &settings.abbreviations {
            lists.add_abbreviation(word);
        }
        let splitter =
            SentenceSplitter::standard().map_err(|error| StageError::stage(error.to_string()))?;
        let boilerplate =
            (settings.boilerplate == BoilerplateMode::Mark).then(Boilerplate::standard);
        Ok(Self { language: settings.language, lists, splitter, boilerplate })
    }
}

#[async_trait]
impl Stage for Tokenise {
    async fn process(
        &self,
        document: &mut Document<'_>,
        _: &StageContext<'_>,
    ) -> Result<(), StageError> {
        let tokens = words(document.text(), &self.lists);
        let seen = Words::new(document.text(), &tokens);
        let found = self.language_of(document, &seen);
        let language = found.as_deref().or(document.language());
        let sentences = self.sentences(document.text(), &tokens, &seen, language);

        if let Some(found) = found {
            document.set_language(found);
        }
        let tokens: Vec<Annotation> = tokens.into_iter().map(Annotation::new).collect();
        document.set_layer(layers::TOKENS, tokens)?;
        document.set_layer(layers::SENTENCES, sentences)?;
        Ok(())
    }
}

impl Tokenise {
    /// The language to write: that of the settings, or what is found where the document is silent.
    fn language_of(&self, document: &Document<'_>, words: &Words<'_>) -> Option<String> {
        if self.language.is_some() {
            return self.language.clone();
        }
        if document.language().is_some() {
            return None;
        }
        words.language().map(String::from)
    }

    fn sentences(
        &self,
        text: &str,
        tokens: &[Span],
        words: &Words<'_>,
        language: Option<&str>,
    ) -> Vec<Annotation> {
        let boilerplate =
            self.boilerplate.as_ref().map(|known| known.find(text)).unwrap_or_default();
        let mut sentences = self.splitter.split(text, tokens, &self.lists);
        if !boilerplate.is_empty() {
            sentences = cut_at_edges(sentences, &boilerplate, tokens);
        }
        mark_titles(text, tokens, &mut sentences);
        if let Some(language) = language {
            mark_foreign(words, language, &mut sentences);
        }
        mark_boilerplate(&boilerplate, tokens, &mut sentences);
        sentences
            .into_iter()
            .map(|sentence| Annotation::new(sentence.span(tokens)).with_flags(sentence.flags))
            .collect()
    }
}

/// Ends sentences where a line of boilerplate begins or ends: a caption without a full stop would
/// else run on into the line below.
fn cut_at_edges(
    sentences: Vec<Sentence>,
    boilerplate: &[Range<usize>],
    tokens: &[Span],
) -> Vec<Sentence> {
    let mut edges = boilerplate.iter().flat_map(|range| [range.start, range.end]).peekable();
    let mut cut = Vec::with_capacity(sentences.len() + 2 * boilerplate.len());
    for mut sentence in sentences {
        let span = sentence.span(tokens);
        while let Some(edge) = edges.next_if(|&edge| edge < span.end as usize) {
            let inside = &tokens[sentence.tokens.clone()];
            let before = inside.partition_point(|token| (token.start as usize) < edge);
            if 0 < before && before < inside.len() {
                let at = sentence.tokens.start + before;
                cut.push(Sentence {
                    tokens: sentence.tokens.start..at,
                    flags: sentence.flags & !sentence::CUT,
                });
                // A line by itself is a paragraph by itself.
                sentence = Sentence {
                    tokens: at..sentence.tokens.end,
                    flags: sentence.flags | sentence::PARAGRAPH,
                };
            }
        }
        cut.push(sentence);
    }
    cut
}

/// The ranges of sentences that make one paragraph each.
fn paragraphs(sentences: &[Sentence]) -> impl Iterator<Item = Range<usize>> + '_ {
    let mut start = 0;
    std::iter::from_fn(move || {
        let rest = sentences.get(start + 1..)?;
        let length = rest.iter().take_while(|s| s.flags & sentence::PARAGRAPH == 0).count() + 1;
        let paragraph = start..start + length;
        start = paragraph.end;
        Some(paragraph)
    })
}

/// Flags the first line when a blank line follows, and short lines without a full stop that stand
/// alone between blank lines.
fn mark_titles(text: &str, tokens: &[Span], sentences: &mut [Sentence]) {
    let last = sentences.len();
    for paragraph in paragraphs(sentences).collect::<Vec<_>>() {
        if paragraph.end == last {
            return;
        }
        let words =
            sentences[paragraph.start].tokens.start..sentences[paragraph.end - 1].tokens.end;
        let span = Span::new(tokens[words.start].start, tokens[words.end - 1].end);
        let line = &text[span.range()];
        let is_first = paragraph.start == 0;
        let is_title = if is_first {
            words.len() <= MAX_TITLE_TOKENS
        } else {
            words.len() <= MAX_HEADING_TOKENS
                && line.starts_with(char::is_alphanumeric)
                && line.ends_with(char::is_alphanumeric)
        };
        if is_title && !line.contains('\n') {
            for sentence in &mut sentences[paragraph] {
                sentence.flags |= sentence::TITLE;
            }
        }
    }
}

fn mark_foreign(words: &Words<'_>, language: &str, sentences: &mut [Sentence]) {
    for paragraph in paragraphs(sentences).take(MAX_FOREIGN_LOOKS).collect::<Vec<_>>() {
        let tokens =
            sentences[paragraph.start].tokens.start..sentences[paragraph.end - 1].tokens.end;
        if words.foreign(tokens, language).is_some() {
            for sentence in &mut sentences[paragraph] {
                sentence.flags |= sentence::FOREIGN;
            }
        }
    }
}

/// - `ranges`: of the text, in order.
fn mark_boilerplate(ranges: &[Range<usize>], tokens: &[Span], sentences: &mut [Sentence]) {
    let mut ranges = ranges.iter().peekable();
    for sentence in sentences {
        let span = sentence.span(tokens);
        while ranges.next_if(|range| range.end <= span.start as usize).is_some() {}
        if ranges.peek().is_some_and(|range| {
            range.start <= span.start as usize && span.end as usize <= range.end
        }) {
            sentence.flags |= sentence::BOILERPLATE;
        }
    }
}
