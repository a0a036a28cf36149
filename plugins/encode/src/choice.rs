//! Which sentences of a document are encoded, and which places in them are kept.

use serde::Deserialize;
use standpoint_document::{
    Annotation, Document, EntityKind, Span, Target, mention, sentence, within,
};

use crate::settings::Sentences;

/// Questions about given stretches, by whoever runs the pipeline: a list of `{start, end}`.
pub(crate) const TARGETS: &str = "standpoint.targets";
/// And about pairs of them: a list of `{holder, target}`.
pub(crate) const PAIRS: &str = "standpoint.pairs";

/// The most places that are kept of one sentence; those behind are judged without the model.
const MAX_PLACES: usize = 64;

/// A sentence to encode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Chosen {
    pub(crate) span: Span,
    /// In order of start, each once.
    pub(crate) places: Vec<Span>,
}

/// The sentences of a document that are encoded.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Choice {
    pub(crate) sentences: Vec<Chosen>,
    /// How many more there would be without the limit.
    pub(crate) left_out: usize,
}

/// Chooses sentences.
///
/// - `targets`: toward whom stances are sought;
/// - `max_words`: how many words they may have in all.
pub(crate) fn choose(
    document: &Document<'_>,
    targets: &[String],
    sentences: Sentences,
    max_words: u32,
) -> Choice {
    let asked = asked(document);
    let targets: Vec<Target> =
        targets.iter().map(|wanted| Target::resolve(wanted, document.entities())).collect();
    let is_wanted = |mention: &Annotation| {
        let mut targets = targets.iter();
        targets.any(|target| target.is_meant_by(mention, document.entities()))
            || sentences == Sentences::Actors && acts(mention)
    };
    let mut choice = Choice::default();
    let mut words_left = max_words as usize;
    let mut next_asked = 0;
    for line in document.sentences() {
        while asked.get(next_asked).is_some_and(|place| place.start < line.span.start) {
            next_asked += 1;
        }
        let of_line = asked[next_asked..].iter().take_while(|place| place.start < line.span.end);
        let mut places: Vec<Span> = of_line.copied().collect();
        let mentions = within(document.mentions(), line.span);
        let passed_over = line.flags & (sentence::BOILERPLATE | sentence::FOREIGN) != 0;
        if places.is_empty() && (passed_over || !mentions.iter().any(is_wanted)) {
            continue;
        }
        let words = within(document.tokens(), line.span).len();
        if words_left < words {
            choice.left_out += 1;
            continue;
        }
        words_left -= words;
        let named = mentions.iter().filter(|mention| !is_passed_over(mention));
        places.extend(named.map(|mention| mention.span));
        places.sort_unstable();
        places.dedup();
        places.truncate(MAX_PLACES);
        choice.sentences.push(Chosen { span: line.span, places });
    }
    choice
}

/// Whether a mention is of somebody who may hold a stance or meet one.
fn acts(mention: &Annotation) -> bool {
    let kind = EntityKind::from_code(mention.label);
    !is_passed_over(mention) && kind.is_none_or(EntityKind::can_act)
}

/// Whether no stage asks about a mention.
fn is_passed_over(mention: &Annotation) -> bool {
    mention.flags & (mention::NESTED | mention::NOT_AN_ACTOR) != 0
}

/// The stretches that somebody asks about and that fit the text, in order of start.
fn asked(document: &Document<'_>) -> Vec<Span> {
    #[derive(Deserialize)]
    struct Pair {
        holder: Option<Span>,
        target: Span,
    }
    let list = |name: &str| document.attribute(name).and_then(|asked| asked.as_array());
    let targets =
        list(TARGETS).into_iter().flatten().filter_map(|asked| Span::deserialize(asked).ok());
    let pairs = list(PAIRS)
        .into_iter()
        .flatten()
        .filter_map(|asked| Pair::deserialize(asked).ok())
        .flat_map(|pair| [pair.holder, Some(pair.target)])
        .flatten();
    let fits = |span: &Span| span.start < span.end && span.fits(document.text());
    let mut asked: Vec<Span> = targets.chain(pairs).filter(fits).collect();
    asked.sort_unstable();
    asked.dedup();
    asked
}
