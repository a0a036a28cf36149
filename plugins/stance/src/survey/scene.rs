//! Who is named in a sentence: the candidates, and whether somebody's quotation is open.

use standpoint_document::{Annotation, Document, EntityKind, Span, mention, sentence, within};

use super::transcript::Teller;
use super::{Survey, TARGET};
use crate::judge::Sentence;
use crate::lexicon::{Lexicon, class};
use crate::reading::{MAX_PARTIES, Party};

/// The parties of a sentence with the entities behind them.
#[derive(Clone)]
pub(super) struct Scene<'d> {
    pub(super) span: Span,
    pub(super) tokens: &'d [Annotation],
    pub(super) parties: Vec<Party>,
    /// For each party its entity in the table; `u32::MAX` for what only stands for the target.
    pub(super) entities: Vec<u32>,
    pub(super) in_quotes: bool,
    /// Whether it begins with a quotation mark.
    pub(super) starts_quoted: bool,
    /// Who is named outside quotation marks and acts: the likely speaker of what follows.
    pub(super) speaker: Option<u32>,
    /// Whose words it is in, outside quotation marks.
    pub(super) teller: Teller,
    /// The sentence behind it says that it is not so.
    pub(super) taken_back: bool,
}

impl Scene<'_> {
    pub(super) fn names_target(&self) -> bool {
        self.parties.iter().any(|party| party.actor == TARGET)
    }

    /// Whether it begins inside a quotation, or with one.
    pub(super) const fn is_quoted(&self) -> bool {
        self.in_quotes || self.starts_quoted
    }

    /// Who goes on speaking behind the sentence, if `before` did so before it.
    pub(super) fn speaker_after(&self, before: Option<u32>, sentence: &Annotation) -> Option<u32> {
        let ends = sentence.has(sentence::PARAGRAPH) && !self.starts_quoted;
        self.speaker.or_else(|| before.filter(|_| !ends))
    }
}

impl Survey<'_> {
    /// Lets a common noun be a party of a scene, if no name stands there.
    pub(super) fn insert(scene: &mut Scene<'_>, span: Span, actor: u32) -> bool {
        let free = scene.parties.iter().all(|party| !party.span.overlaps(span))
            && scene.parties.len() < MAX_PARTIES;
        if free {
            let at = scene.parties.partition_point(|party| party.span.start < span.start);
            scene.parties.insert(at, Party { span, actor, inert: false });
            scene.entities.insert(at, u32::MAX);
        }
        free
    }

    pub(super) fn sentence<'s>(&'s self, scene: &'s Scene<'_>) -> Sentence<'s> {
        Sentence {
            text: self.document.text(),
            tokens: scene.tokens,
            parties: &scene.parties,
            in_quotes: scene.in_quotes,
            speaker: None,
            published: self.published,
            seen: self.seen,
        }
    }

    pub(super) fn scene<'s>(
        &mut self,
        span: Span,
        tokens: &'s [Annotation],
        in_quotes: bool,
    ) -> Scene<'s> {
        let mentions = within(self.document.mentions(), span);
        let mut found: Vec<(Party, u32)> = Vec::with_capacity(mentions.len().min(MAX_PARTIES + 1));
        for mention in mentions {
            if mention.has(mention::NESTED) {
                continue;
            }
            let entity = mention.link;
            let kind = EntityKind::from_code(mention.label);
            let own = self.target.owns(entity as usize);
            let entity = self.same.get(entity as usize).copied().unwrap_or(entity);
            if !own && self.is_no_name(mention, tokens) {
                continue;
            }
            if own && !self.target.is_meant_by(mention, self.document.entities()) {
                continue;
            }
            let acts = !mention.has(mention::NOT_AN_ACTOR) && kind.is_none_or(EntityKind::can_act);
            let inert = !own && (!acts || self.is_where(mention, tokens));
            let actor = if own { TARGET } else { entity.saturating_add(1) };
            found.push((Party { span: mention.span, actor, inert }, entity));
            if found.len() > MAX_PARTIES {
                self.crowded = true;
                break;
            }
        }
        found.sort_by_key(|(party, _)| (party.span.start, std::cmp::Reverse(party.span.end)));
        found.truncate(MAX_PARTIES);
        let parties = found.iter().map(|&(party, _)| party).collect();
        let entities = found.iter().map(|&(_, entity)| entity).collect();
        let starts_quoted = starts_quoted(self.document, tokens);
        let teller = Teller::Text;
        let speaker = None;
        let mut scene = Scene {
            span,
            tokens,
            parties,
            entities,
            in_quotes,
            starts_quoted,
            speaker,
            teller,
            taken_back: false,
        };
        scene.speaker = self.speaker_of(&scene);
        scene
    }

    /// Whether a mention is a word that begins a sentence and was taken for a name.
    fn is_no_name(&self, mention: &Annotation, tokens: &[Annotation]) -> bool {
        if mention.has(mention::ANAPHOR) {
            return false;
        }
        let name = self.document.slice(mention.span);
        let is_word = ["The", "We", "Let", "Our", "They", "This", "That", "These", "Those", "I"]
            .contains(&name);
        is_word
            || tokens.first().is_some_and(|first| first.span.start == mention.span.start) && {
                // "Let me", which is not a movement's acronym.
                name.len() <= 4 && self.lexicon.get(&name.to_lowercase()).is_some()
            }
    }

    /// Whether an organisation is named as the place where others meet, or for its charter.
    fn is_where(&self, mention: &Annotation, tokens: &[Annotation]) -> bool {
        if EntityKind::from_code(mention.label) != Some(EntityKind::Organisation) {
            return false;
        }
        let word =
            |index: usize| tokens.get(index).map_or("", |token| self.document.slice(token.span));
        let first = tokens.partition_point(|token| token.span.start < mention.span.start);
        let behind = tokens.partition_point(|token| token.span.start < mention.span.end);
        if word(behind) == "Charter" {
            return true;
        }
        let article = first.checked_sub(1).filter(|&at| word(at).eq_ignore_ascii_case("the"));
        let Some(before) = article.unwrap_or(first).checked_sub(1) else { return false };
        matches!(word(before), "at" | "At")
            || word(before) == "of" && before.checked_sub(1).is_some_and(|at| word(at) == "Charter")
    }

    /// Whether a mention is the label of who speaks, as transcripts have it: "MR. CARNEY:".
    pub(super) fn is_label(&self, span: Span, tokens: &[Annotation]) -> bool {
        let first = tokens.partition_point(|token| token.span.start < span.start);
        let behind = tokens.partition_point(|token| token.span.start < span.end);
        first <= 3 && tokens.get(behind).is_some_and(|token| self.document.slice(token.span) == ":")
    }

    /// Who is named first outside quotation marks and acts, but for whom others met ("at a meeting
    /// with X, Y said") unless nobody else is named.
    fn speaker_of(&self, scene: &Scene<'_>) -> Option<u32> {
        let mut quoted = scene.in_quotes;
        let mut tokens = scene.tokens.iter().peekable();
        let mut governed = None;
        for (party, &entity) in scene.parties.iter().zip(&scene.entities) {
            while let Some(token) = tokens.next_if(|token| token.span.start < party.span.start) {
                quoted = quote_state(self.document.slice(token.span), quoted);
            }
            // A law or a place that is the target says nothing.
            let found = self.document.entities().get(entity as usize);
            if quoted || party.inert || !found.is_some_and(|found| found.kind.can_act()) {
                continue;
            }
            if !self.is_governed(party.span, scene.tokens) {
                return Some(entity);
            }
            governed.get_or_insert(entity);
        }
        governed
    }

    /// Whether a name stands in a phrase before the subject: "in a call with X, Y said".
    fn is_governed(&self, name: Span, tokens: &[Annotation]) -> bool {
        let word = |token: &Annotation| self.document.slice(token.span);
        let opens = tokens.first().is_some_and(|first| {
            let first = word(first);
            first != "According"
                && (self.lexicon.is_of(first, class::PREPOSITION) || first == "Together")
        });
        let comma = tokens.iter().find(|&token| word(token) == ",");
        opens && comma.is_some_and(|comma| name.end <= comma.span.start)
    }
}

/// How many bytes lie between two spans.
pub(super) fn gap(left: Span, right: Span) -> u32 {
    if left.start < right.start {
        right.start.saturating_sub(left.end)
    } else {
        left.start.saturating_sub(right.end)
    }
}

pub(super) fn quote_state(token: &str, quoted: bool) -> bool {
    match token {
        "“" | "«" | "„" | "``" => true,
        "”" | "»" | "''" => false,
        "\"" => !quoted,
        _ => quoted,
    }
}

/// Whether a quotation is open behind `tokens`.
pub(super) fn quotes_after(document: &Document<'_>, tokens: &[Annotation], before: bool) -> bool {
    tokens.iter().fold(before, |quoted, token| {
        if token.span.len() > 3 { quoted } else { quote_state(document.slice(token.span), quoted) }
    })
}

fn starts_quoted(document: &Document<'_>, tokens: &[Annotation]) -> bool {
    tokens.first().is_some_and(|token| quote_state(document.slice(token.span), false))
}

/// Whether the text speaks of itself: "we", "our", "I".
pub(super) fn speaks_as_we(document: &Document<'_>, tokens: &[Annotation]) -> bool {
    tokens.iter().take(256).any(|token| {
        token.span.len() <= 3
            && matches!(
                document.slice(token.span),
                "we" | "We" | "our" | "Our" | "us" | "I" | "my" | "My"
            )
    })
}

/// "Sanctions", "the embargo": what others do to the target.
pub(super) fn measure_in(
    lexicon: &Lexicon,
    document: &Document<'_>,
    tokens: &[Annotation],
) -> Option<Span> {
    let word = |index: usize| tokens.get(index).map(|token| document.slice(token.span));
    // "Sanctions of the council" are others.
    (0..tokens.len().min(256))
        .find(|&index| {
            word(index).is_some_and(|word| lexicon.is_of(word, class::MEASURE))
                && word(index + 1) != Some("of")
        })
        .map(|index| tokens[index].span)
}

/// "The invasion", "this war": what the target does, without its name.
pub(super) fn event_in(
    lexicon: &Lexicon,
    document: &Document<'_>,
    tokens: &[Annotation],
) -> Option<Span> {
    let word = |index: usize| document.slice(tokens[index].span);
    (1..tokens.len().min(256))
        .find(|&index| {
            lexicon.is_of(word(index), class::EVENT)
                && (index.saturating_sub(3)..index).any(|at| {
                    ["the", "this", "that", "its"]
                        .iter()
                        .any(|known| word(at).eq_ignore_ascii_case(known))
                })
        })
        .map(|index| tokens[index].span)
}

/// Whether a sentence speaks of an invasion, a war, an attack.
pub(super) fn tells_of_event(
    lexicon: &Lexicon,
    document: &Document<'_>,
    tokens: &[Annotation],
) -> bool {
    tokens.iter().take(256).any(|token| lexicon.is_of(document.slice(token.span), class::EVENT))
}
