//! Who stands where toward a target, and the sentences that show it.

use serde::{Deserialize, Serialize};

use crate::entity::EntityKind;
use crate::layer::{LayerError, layers};
use crate::score::{Confidence, Polarity};
use crate::span::Span;

/// The stances that a document conveys toward one target.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TargetStance {
    /// Toward whom.
    pub target: StanceTarget,
    /// The author's own stance; `None` when the author's voice takes none.
    pub author: Option<Stance>,
    /// Every actor that the text shows to hold a stance, strongest evidence first.
    pub actors: Vec<ActorStance>,
}

impl TargetStance {
    /// Checks the evidence against the text that it comes from.
    ///
    /// # Errors
    ///
    /// [`LayerError`] names the first piece, counted over the author and all actors, that has a
    /// span which does not fit.
    pub fn check(&self, text: &str) -> Result<(), LayerError> {
        let positions = self.author.iter().chain(self.actors.iter().map(|actor| &actor.stance));
        let evidence = positions
            .flat_map(|position| position.evidence.iter().chain(&position.counter_evidence));
        for (index, piece) in evidence.enumerate() {
            let spans = [Some(piece.span), piece.holder, piece.target, piece.cue];
            if let Some(span) = spans.into_iter().flatten().find(|span| !span.fits(text)) {
                return Err(LayerError::span(layers::STANCE, index, span, text));
            }
        }
        Ok(())
    }
}

/// Whom the stances are toward.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StanceTarget {
    /// The entity's id.
    pub id: String,
    /// The name to show.
    pub name: String,
}

/// An actor and its stance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ActorStance {
    /// The entity's id.
    pub id: String,
    /// The name to show.
    pub name: String,
    /// What it is.
    pub kind: EntityKind,
    /// The state that it belongs to, as ISO 3166-1 alpha-3.
    pub country: Option<String>,
    /// How often the document names it.
    pub mentions: u32,
    /// Where it stands.
    pub stance: Stance,
}

/// A position toward a target with what shows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stance {
    /// Opposed to supportive.
    pub score: Polarity,
    /// How sure.
    pub confidence: Confidence,
    /// What shows it, in the order of the text.
    pub evidence: Vec<Evidence>,
    /// What speaks against it.
    pub counter_evidence: Vec<Evidence>,
}

impl Stance {
    /// The label in three that the score falls under.
    #[must_use]
    pub fn label(&self) -> StanceLabel {
        StanceLabel::of(self.score)
    }

    /// The label in five that the score falls under.
    #[must_use]
    pub fn degree(&self) -> Degree {
        Degree::of(self.score)
    }
}

/// A passage that shows a stance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// The passage, in most cases a sentence.
    pub span: Span,
    /// What this passage alone says.
    pub score: Polarity,
    /// How sure.
    pub confidence: Confidence,
    /// Whose words say it.
    pub voice: Voice,
    /// When it holds.
    pub time: Time,
    /// Where the holder is named; `None` for the author's own voice.
    pub holder: Option<Span>,
    /// Where the target is named; `None` where only the sentences around it name it.
    pub target: Option<Span>,
    /// The words that decided it.
    pub cue: Option<Span>,
    /// The rule or model that decided it, for `explain`.
    pub rule: Option<String>,
}

/// Whose words a passage is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Voice {
    /// The author tells it.
    Author,
    /// A named source says it.
    Quoted,
    /// It is claimed, alleged or rumoured.
    Reported,
}

impl Voice {
    /// The name in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Author => "author",
            Self::Quoted => "quoted",
            Self::Reported => "reported",
        }
    }
}

/// When a passage's stance holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Time {
    /// Over.
    Past,
    /// Holds, or was done and stands.
    Present,
    /// Promised or threatened.
    Future,
    /// Only supposed; never counts into a score.
    Hypothetical,
}

impl Time {
    /// The name in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Past => "past",
            Self::Present => "present",
            Self::Future => "future",
            Self::Hypothetical => "hypothetical",
        }
    }
}

/// A stance in three.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StanceLabel {
    /// Score at most -0.25.
    Opposed,
    /// Between.
    Neutral,
    /// Score at least 0.25.
    Supportive,
}

impl StanceLabel {
    /// The label of a score.
    #[must_use]
    pub fn of(score: Polarity) -> Self {
        match score.get() {
            score if score <= -0.25 => Self::Opposed,
            score if score >= 0.25 => Self::Supportive,
            _ => Self::Neutral,
        }
    }

    /// The name in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Opposed => "opposed",
            Self::Neutral => "neutral",
            Self::Supportive => "supportive",
        }
    }
}

/// A stance in five.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Degree {
    /// Score at most -0.75.
    Opposed,
    /// Score at most -0.25.
    Distancing,
    /// Between.
    Neutral,
    /// Score at least 0.25.
    Leaning,
    /// Score at least 0.75.
    Supportive,
}

impl Degree {
    /// The degree of a score.
    #[must_use]
    pub fn of(score: Polarity) -> Self {
        match score.get() {
            score if score <= -0.75 => Self::Opposed,
            score if score <= -0.25 => Self::Distancing,
            score if score < 0.25 => Self::Neutral,
            score if score < 0.75 => Self::Leaning,
            _ => Self::Supportive,
        }
    }

    /// The name in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Opposed => "opposed",
            Self::Distancing => "distancing",
            Self::Neutral => "neutral",
            Self::Leaning => "leaning",
            Self::Supportive => "supportive",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn degrees_and_labels_meet_at_the_published_bounds() {
        let cases = [
            (-1.0, "opposed", "opposed"),
            (-0.75, "opposed", "opposed"),
            (-0.74, "opposed", "distancing"),
            (-0.25, "opposed", "distancing"),
            (-0.24, "neutral", "neutral"),
            (0.24, "neutral", "neutral"),
            (0.25, "supportive", "leaning"),
            (0.75, "supportive", "supportive"),
        ];
        for (score, label, degree) in cases {
            let score = Polarity::new(score).unwrap();
            assert_eq!(StanceLabel::of(score).name(), label, "{score:?}");
            assert_eq!(Degree::of(score).name(), degree, "{score:?}");
        }
    }
}
