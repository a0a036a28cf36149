//! A layer: annotated spans in the order of the text.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::span::Span;

/// The `link` of an annotation that points nowhere.
pub const NO_LINK: u32 = u32::MAX;

/// One annotated span: 24 bytes that plugins read and write in place.
///
/// The layout is part of the plugin ABI and never changes; what does not fit goes into another
/// layer, into [`Layer::vectors`], or into an attribute.
#[repr(C)]
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Serialize,
    Deserialize,
    FromBytes,
    IntoBytes,
    Immutable,
    KnownLayout,
)]
pub struct Annotation {
    /// Where.
    pub span: Span,
    /// Which label: an index into [`Layer::labels`], or the code of a standard layer.
    pub label: u32,
    /// Bits whose meaning the layer defines.
    pub flags: u32,
    /// A number whose scale the layer defines; 0 where it means nothing.
    pub score: f32,
    /// An index into something else that the layer names, or [`NO_LINK`].
    pub link: u32,
}

impl Annotation {
    /// An annotation of `span` that says nothing else yet.
    #[must_use]
    pub const fn new(span: Span) -> Self {
        Self { span, label: 0, flags: 0, score: 0.0, link: NO_LINK }
    }

    /// The same with a label.
    #[must_use]
    pub const fn with_label(self, label: u32) -> Self {
        Self { label, ..self }
    }

    /// The same with these flags set, and no others.
    #[must_use]
    pub const fn with_flags(self, flags: u32) -> Self {
        Self { flags, ..self }
    }

    /// The same with a score.
    #[must_use]
    pub const fn with_score(self, score: f32) -> Self {
        Self { score, ..self }
    }

    /// The same with a link.
    #[must_use]
    pub const fn with_link(self, link: u32) -> Self {
        Self { link, ..self }
    }

    /// Whether all bits of `flag` are set.
    #[must_use]
    pub const fn has(&self, flag: u32) -> bool {
        self.flags & flag == flag
    }
}

/// Names of the standard layers and records.
pub mod layers {
    /// Words, numbers, marks; a layer. In order, without overlap, leaving out only white space.
    pub const TOKENS: &str = "tokens";
    /// Sentences; a layer with the flags of [`sentence`](super::sentence). Without overlap.
    pub const SENTENCES: &str = "sentences";
    /// Mentions of entities and the table of entities that they link to; a layer and a record.
    pub const ENTITIES: &str = "entities";
    /// Polarity of document, sentences and mentions; a record.
    pub const SENTIMENT: &str = "sentiment";
    /// Who stands where toward the targets; a record.
    pub const STANCE: &str = "stance";
    /// The document's language, which a stage may find out; metadata.
    pub const LANGUAGE: &str = "language";
    /// How the names begin of layers that one stage writes for another, such as vectors. They
    /// are not part of the result.
    pub const INNER: &str = "standpoint.";
}

/// Flags of the layer [`layers::SENTENCES`].
pub mod sentence {
    /// The title, or a heading that stands alone.
    pub const TITLE: u32 = 1;
    /// Furniture of a page or form, or a line said before: later stages pass over it.
    pub const BOILERPLATE: u32 = 1 << 1;
    /// Written in another language than the document.
    pub const FOREIGN: u32 = 1 << 2;
    /// The first sentence of a paragraph.
    pub const PARAGRAPH: u32 = 1 << 3;
    /// Cut by a limit rather than at its end.
    pub const CUT: u32 = 1 << 4;
}

/// Rows of numbers, one row for each annotation of a layer.
#[derive(Debug, Clone, PartialEq)]
pub struct Vectors<'a> {
    /// Numbers in a row; at least 1.
    pub width: u32,
    /// The rows, one after another.
    pub values: Cow<'a, [f32]>,
}

/// Annotations in the order of the text, with the names of their labels.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Layer<'a> {
    /// Ordered by start.
    pub annotations: Cow<'a, [Annotation]>,
    /// What the numbers in [`Annotation::label`] mean; empty where the layer's documentation
    /// defines them, as for the standard layers.
    pub labels: Vec<Cow<'a, str>>,
    /// A vector for each annotation, where the layer has them.
    pub vectors: Option<Vectors<'a>>,
}

impl Layer<'_> {
    /// Checks the layer against the text that it annotates.
    ///
    /// # Errors
    ///
    /// Names the first annotation that is out of order, outside the text, inside a character,
    /// without a known label or with a score that is not a number; or vectors that do not fit.
    pub fn check(&self, name: &str, text: &str) -> Result<(), LayerError> {
        let fail = |index, problem| Err(LayerError { layer: name.to_owned(), index, problem });
        if let Some(index) = self.first_misfit(name, text) {
            let previous = index.checked_sub(1).map(|before| self.annotations[before].span);
            return fail(index, self.problem(index, previous.unwrap_or_default(), text));
        }
        if let Some(vectors) = &self.vectors {
            let expected = vectors.width as usize * self.annotations.len();
            if vectors.width == 0 || vectors.values.len() != expected {
                let problem = SpanProblem::Vectors { found: vectors.values.len(), expected };
                return fail(0, problem);
            }
        }
        Ok(())
    }

    /// The first annotation that is wrong by itself or comes before the one that it follows.
    // By itself and short, because it runs for every annotation that crosses a plugin's boundary.
    #[inline(never)]
    fn first_misfit(&self, name: &str, text: &str) -> Option<usize> {
        let text = text.as_bytes();
        let is_exclusive = matches!(name, layers::TOKENS | layers::SENTENCES);
        // Without names, any label may stand.
        let highest_label = u32::try_from(self.labels.len()).unwrap_or(u32::MAX).wrapping_sub(1);
        let mut floor = 0;
        self.annotations.iter().position(|annotation| {
            let Span { start, end } = annotation.span;
            let fits = floor <= start
                && start <= end
                && begins_character(text, start)
                && begins_character(text, end)
                && annotation.label <= highest_label
                && annotation.score.is_finite();
            floor = if is_exclusive { end } else { start };
            !fits
        })
    }

    /// What is wrong with an annotation that is, which comes after one of `previous`.
    fn problem(&self, index: usize, previous: Span, text: &str) -> SpanProblem {
        let Annotation { span, label, score, .. } = self.annotations[index];
        let known = self.labels.len();
        if !span.fits(text) {
            SpanProblem::of(span, text)
        } else if known > 0 && label as usize >= known {
            SpanProblem::Label { label, known }
        } else if !score.is_finite() {
            SpanProblem::Score
        } else {
            SpanProblem::Order { span, previous }
        }
    }

    /// The same layer, borrowing nothing.
    #[must_use]
    pub fn into_owned(self) -> Layer<'static> {
        Layer {
            annotations: Cow::Owned(self.annotations.into_owned()),
            labels: self.labels.into_iter().map(|label| Cow::Owned(label.into_owned())).collect(),
            vectors: self.vectors.map(|vectors| Vectors {
                width: vectors.width,
                values: Cow::Owned(vectors.values.into_owned()),
            }),
        }
    }

    /// The name of an annotation's label, where the layer names its labels.
    #[must_use]
    pub fn label_of(&self, annotation: &Annotation) -> Option<&str> {
        self.labels.get(annotation.label as usize).map(AsRef::as_ref)
    }
}

impl From<Vec<Annotation>> for Layer<'_> {
    fn from(annotations: Vec<Annotation>) -> Self {
        Self { annotations: Cow::Owned(annotations), ..Self::default() }
    }
}

/// Whether a character begins at `offset`, or the text ends there.
fn begins_character(text: &[u8], offset: u32) -> bool {
    let offset = offset as usize;
    match text.get(offset) {
        // Inside of a character, bytes are 0b10xx_xxxx, which is below -64 when signed.
        Some(byte) => byte.cast_signed() >= -64,
        None => offset == text.len(),
    }
}

/// The annotations that start inside `span`, of a list that is ordered by start.
#[must_use]
pub fn within(annotations: &[Annotation], span: Span) -> &[Annotation] {
    let first = annotations.partition_point(|annotation| annotation.span.start < span.start);
    let rest = &annotations[first..];
    // A span has few of them, so they are looked for close by before they are halved.
    let starts_inside = |annotation: &Annotation| annotation.span.start < span.end;
    let mut most = 16;
    while rest.get(most).is_some_and(starts_inside) {
        most *= 2;
    }
    &rest[..rest[..most.min(rest.len())].partition_point(starts_inside)]
}

/// Why a layer does not fit its text.
#[derive(Debug, Clone, PartialEq)]
pub struct LayerError {
    /// The layer's name.
    pub layer: String,
    /// Which annotation, counted from 0.
    pub index: usize,
    problem: SpanProblem,
}

#[derive(Debug, Clone, PartialEq)]
enum SpanProblem {
    Backwards { span: Span },
    Outside { span: Span, length: usize },
    Cuts { span: Span, character: char, at: usize },
    Order { span: Span, previous: Span },
    Label { label: u32, known: usize },
    Score,
    Vectors { found: usize, expected: usize },
    Link { table: usize },
    Rows { found: usize, expected: usize },
}

impl LayerError {
    /// A span of a record does not fit `text`.
    pub(crate) fn span(layer: &str, index: usize, span: Span, text: &str) -> Self {
        Self { layer: layer.to_owned(), index, problem: SpanProblem::of(span, text) }
    }

    /// A link leaves its table of `table` entries.
    #[must_use]
    pub fn link(layer: &str, index: usize, table: usize) -> Self {
        Self { layer: layer.to_owned(), index, problem: SpanProblem::Link { table } }
    }

    /// A record has not one entry for each row of what it describes.
    #[must_use]
    pub fn rows(layer: &str, found: usize, expected: usize) -> Self {
        Self { layer: layer.to_owned(), index: 0, problem: SpanProblem::Rows { found, expected } }
    }
}

impl SpanProblem {
    /// What is wrong with a span that does not fit `text`.
    fn of(span: Span, text: &str) -> Self {
        if span.end < span.start {
            return Self::Backwards { span };
        }
        let cut = [span.start as usize, span.end as usize]
            .into_iter()
            .find(|&offset| offset < text.len() && !text.is_char_boundary(offset));
        match cut {
            Some(offset) if (span.end as usize) <= text.len() => {
                let at = text.floor_char_boundary(offset);
                let character = text[at..].chars().next().unwrap_or_default();
                Self::Cuts { span, character, at }
            }
            _ => Self::Outside { span, length: text.len() },
        }
    }
}

impl fmt::Display for LayerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { layer, index, problem } = self;
        write!(f, "layer `{layer}` span #{index}: ")?;
        match *problem {
            SpanProblem::Backwards { span } => {
                write!(f, "{}..{} ends before it starts", span.start, span.end)
            }
            SpanProblem::Outside { span, length } => {
                write!(f, "{}..{} leaves the text, which has {length} bytes", span.start, span.end)
            }
            SpanProblem::Cuts { span, character, at } => write!(
                f,
                "{}..{} cuts the character {character:?} (bytes {at}..{}); offsets are UTF-8 \
                 bytes, not characters",
                span.start,
                span.end,
                at + character.len_utf8()
            ),
            SpanProblem::Order { span, previous } => write!(
                f,
                "{}..{} comes before or into {}..{}; sort the spans by start",
                span.start, span.end, previous.start, previous.end
            ),
            SpanProblem::Label { label, known } => {
                write!(f, "label {label} is not one of the layer's {known} labels")
            }
            SpanProblem::Score => write!(f, "its score is not a finite number"),
            SpanProblem::Vectors { found, expected } => write!(
                f,
                "the layer has {found} numbers in its vectors where rows of equal width need \
                 {expected}"
            ),
            SpanProblem::Link { table } => {
                write!(f, "its link leaves the table, which has {table} entries")
            }
            SpanProblem::Rows { found, expected } => {
                write!(f, "it has {found} entries where the document needs {expected}")
            }
        }
    }
}

impl std::error::Error for LayerError {}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    fn problem(name: &str, text: &str, spans: &[(u32, u32)]) -> String {
        let annotations: Vec<_> =
            spans.iter().map(|&(start, end)| Annotation::new(Span::new(start, end))).collect();
        Layer::from(annotations).check(name, text).unwrap_err().to_string()
    }

    #[test]
    fn messages_name_layer_index_and_character() {
        assert_snapshot!(
            problem("stance", "Москва", &[(0, 2), (2, 3)]),
            @"layer `stance` span #1: 2..3 cuts the character 'о' (bytes 2..4); offsets are UTF-8 bytes, not characters"
        );
        assert_snapshot!(
            problem("x", "abc", &[(1, 9)]),
            @"layer `x` span #0: 1..9 leaves the text, which has 3 bytes"
        );
        assert_snapshot!(
            problem("tokens", "abcdef", &[(0, 3), (2, 4)]),
            @"layer `tokens` span #1: 2..4 comes before or into 0..3; sort the spans by start"
        );
        assert_snapshot!(problem("x", "abc", &[(2, 1)]), @"layer `x` span #0: 2..1 ends before it starts");
    }

    #[test]
    fn open_layers_may_overlap_but_keep_their_order() {
        let overlapping = vec![Annotation::new(Span::new(0, 3)), Annotation::new(Span::new(1, 2))];
        assert!(Layer::from(overlapping.clone()).check("hedges", "abc").is_ok());
        assert!(Layer::from(overlapping).check(layers::TOKENS, "abc").is_err());
    }

    #[test]
    fn within_takes_what_starts_inside() {
        let list: Vec<_> =
            [0, 4, 8, 12].map(|start| Annotation::new(Span::new(start, start + 3))).into();
        let starts = |start, end| -> Vec<u32> {
            within(&list, Span::new(start, end)).iter().map(|a| a.span.start).collect()
        };
        assert_eq!(starts(4, 12), [4, 8]);
        assert_eq!(starts(1, 4), [0_u32; 0]);
        assert_eq!(starts(0, 99), [0, 4, 8, 12]);
    }
}
