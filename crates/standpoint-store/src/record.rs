//! A document as plain data: what its result line says, and two things more that explain it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use standpoint_document::{
    CodePoints, Document, EntityKind, Evidence, Sentiment, SourceRef, Span, Stance,
};
use thiserror::Error;

/// A document with all that was found in it. Offsets count Unicode code points of `text`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Record {
    /// The id that recognises the document when it comes again.
    pub id: String,
    /// Where it was read.
    pub source: Source,
    /// Its title.
    pub title: Option<String>,
    /// ISO 639-1 code.
    pub language: Option<String>,
    /// When it was published, ISO 8601.
    pub published: Option<String>,
    /// Who speaks as "we".
    pub author: Option<String>,
    /// `complete` or `partial`.
    pub status: String,
    /// What was skipped and why.
    pub notes: Vec<String>,
    /// The whole text.
    pub text: String,
    /// Its sentences.
    pub sentences: Vec<Sentence>,
    /// Who and what is named.
    pub entities: Vec<Mention>,
    /// How it sounds as a whole.
    pub sentiment: Option<Tone>,
    /// Who stands where, for each target.
    pub stance: Vec<Toward>,
    /// What stages of others said.
    #[serde(default)]
    pub attributes: BTreeMap<String, Value>,
    /// Who made this.
    pub provenance: Provenance,
}

/// The attribute in which a document names the outlet that it is from.
pub const OUTLET: &str = "source";

/// Where a document was read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Source {
    /// The source's name.
    pub name: String,
    /// The path below it.
    pub path: Option<String>,
    /// The id that the input gave.
    pub id: Option<String>,
}

/// A stretch of text.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
pub struct Stretch {
    /// The first code point.
    pub start: u32,
    /// The one behind the last.
    pub end: u32,
}

/// A sentence and how it sounds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Sentence {
    /// The first code point.
    pub start: u32,
    /// The one behind the last.
    pub end: u32,
    /// How it sounds.
    pub sentiment: Option<Tone>,
}

/// How something sounds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Tone {
    /// `negative`, `neutral` or `positive`.
    pub label: String,
    /// -1 to 1.
    pub score: f64,
    /// 0 to 1.
    pub confidence: f64,
}

/// A place where somebody or something is named.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Mention {
    /// The first code point.
    pub start: u32,
    /// The one behind the last.
    pub end: u32,
    /// What kind of thing it is.
    pub label: String,
    /// The entity's id.
    pub id: Option<String>,
    /// The entity's name.
    pub name: Option<String>,
    /// 0 to 1.
    pub confidence: f64,
    /// How the text sounds toward it.
    pub sentiment: Option<Tone>,
}

/// The stances toward one target.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Toward {
    /// Toward whom.
    pub target: Named,
    /// The author's own stance.
    pub author: Option<Position>,
    /// Everybody who takes one.
    pub actors: Vec<Actor>,
}

/// Somebody with an id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Named {
    /// The id.
    pub id: String,
    /// The name to show.
    pub name: String,
}

/// An actor and where it stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Actor {
    /// The entity's id.
    pub id: String,
    /// The name to show.
    pub name: String,
    /// What it is.
    pub kind: String,
    /// The state that it belongs to.
    pub country: Option<String>,
    /// How often the text names it.
    pub mentions: u32,
    /// Where it stands.
    #[serde(flatten)]
    pub position: Position,
}

/// A stance with what shows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Position {
    /// `opposed`, `neutral` or `supportive`.
    pub label: String,
    /// The same in five.
    pub degree: String,
    /// -1 to 1.
    pub score: f64,
    /// 0 to 1.
    pub confidence: f64,
    /// What shows it.
    pub evidence: Vec<Piece>,
    /// What speaks against it.
    pub counter_evidence: Vec<Piece>,
}

/// A passage that shows a stance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Piece {
    /// The first code point.
    pub start: u32,
    /// The one behind the last.
    pub end: u32,
    /// The passage.
    pub text: String,
    /// -1 to 1.
    pub score: f64,
    /// 0 to 1.
    pub confidence: f64,
    /// `author`, `quoted` or `reported`.
    pub voice: String,
    /// `past`, `present`, `future` or `hypothetical`.
    pub time: String,
    /// Where the holder is named.
    pub holder: Option<Stretch>,
    /// Where the target is named.
    pub target: Option<Stretch>,
    /// The words that decided it; result lines do not say.
    #[serde(default)]
    pub cue: Option<Stretch>,
    /// The rule or model that decided it; result lines do not say.
    #[serde(default)]
    pub rule: Option<String>,
}

/// Who made a record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Provenance {
    /// The program's version.
    pub standpoint: String,
    /// The pipeline's name, `@`, and its hash.
    pub pipeline: String,
    /// The stages that it went through.
    pub stages: Vec<StageRun>,
}

/// A stage that a document went through.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StageRun {
    /// Its id in the pipeline.
    pub name: String,
    /// The plugin's version.
    pub version: String,
    /// Its model.
    pub model: Option<String>,
    /// Milliseconds that it took.
    #[serde(default)]
    pub ms: f64,
}

/// Why a result line is none.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RecordError {
    /// It is not JSON of the published form.
    #[error("not a result line of Standpoint; `standpoint run --format jsonl` writes them")]
    Form {
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// An offset lies outside of the text.
    #[error("{start}..{end} lies outside of a text of {length} code points")]
    Outside {
        /// Where it starts.
        start: u32,
        /// Where it ends.
        end: u32,
        /// How long the text is.
        length: usize,
    },
    /// A number lies off its scale.
    #[error("found {found}, expected a score of -1 to 1 or a confidence of 0 to 1")]
    OffScale {
        /// The number.
        found: f64,
    },
}

impl Record {
    /// A document with who made it: the pipeline's name and hash, and the program's version.
    #[must_use]
    pub fn of(document: &Document<'_>, pipeline: &str, standpoint: &str) -> Self {
        let reader = Reader { document, points: CodePoints::new(document.text()) };
        let metadata = document.metadata();
        let SourceRef { name, path, id } = metadata.source.clone();
        Self {
            id: document.id().to_owned(),
            source: Source { name, path, id },
            title: metadata.title.clone(),
            language: metadata.language.clone(),
            published: metadata.published.clone(),
            author: metadata.author.clone(),
            status: document.status().to_owned(),
            notes: document.notes().to_vec(),
            text: document.text().to_owned(),
            sentences: reader.sentences(),
            entities: reader.mentions(),
            sentiment: document.sentiment().and_then(|record| record.document).map(tone),
            stance: reader.stance(),
            attributes: document.attributes().clone(),
            provenance: Provenance {
                standpoint: standpoint.to_owned(),
                // One that was reloaded changes its name between two documents.
                pipeline: document.pipeline().unwrap_or(pipeline).to_owned(),
                stages: document
                    .stages()
                    .iter()
                    .map(|stage| StageRun {
                        name: stage.name.clone(),
                        version: stage.version.clone(),
                        model: stage.model.clone(),
                        ms: stage.ms,
                    })
                    .collect(),
            },
        }
    }

    /// Whose document it is: the outlet that it names, else the source that it was read from.
    #[must_use]
    pub fn outlet(&self) -> &str {
        let named = self.attributes.get(OUTLET).and_then(Value::as_str);
        named.filter(|name| !name.trim().is_empty()).unwrap_or(&self.source.name)
    }

    /// Reads a result line.
    ///
    /// # Errors
    ///
    /// [`RecordError`] when it is none, or one that contradicts itself.
    pub fn read(line: &str) -> Result<Self, RecordError> {
        let record: Self =
            serde_json::from_str(line).map_err(|source| RecordError::Form { source })?;
        record.check()?;
        Ok(record)
    }

    /// Checks what nobody has checked yet: offsets and numbers of a line that anybody may have
    /// written.
    fn check(&self) -> Result<(), RecordError> {
        let length = self.text.chars().count();
        let fits = |start: u32, end: u32| {
            let inside = start <= end && end as usize <= length;
            inside.then_some(()).ok_or(RecordError::Outside { start, end, length })
        };
        for sentence in &self.sentences {
            fits(sentence.start, sentence.end)?;
        }
        for mention in &self.entities {
            fits(mention.start, mention.end)?;
        }
        for position in self.positions() {
            on_scale(position.score, -1.0)?;
            on_scale(position.confidence, 0.0)?;
            for piece in position.evidence.iter().chain(&position.counter_evidence) {
                fits(piece.start, piece.end)?;
                for stretch in [piece.holder, piece.target, piece.cue].into_iter().flatten() {
                    fits(stretch.start, stretch.end)?;
                }
                on_scale(piece.score, -1.0)?;
                on_scale(piece.confidence, 0.0)?;
            }
        }
        Ok(())
    }

    fn positions(&self) -> impl Iterator<Item = &Position> {
        self.stance.iter().flat_map(|toward| {
            toward.author.iter().chain(toward.actors.iter().map(|actor| &actor.position))
        })
    }
}

fn on_scale(found: f64, least: f64) -> Result<(), RecordError> {
    (least..=1.0).contains(&found).then_some(()).ok_or(RecordError::OffScale { found })
}

/// A document that is turned into a record.
struct Reader<'d> {
    document: &'d Document<'d>,
    points: CodePoints,
}

impl Reader<'_> {
    fn stretch(&self, span: Span) -> Stretch {
        Stretch { start: self.points.at(span.start), end: self.points.at(span.end) }
    }

    fn sentences(&self) -> Vec<Sentence> {
        let tones = self.document.sentiment().map_or(&[][..], |record| &record.sentences);
        let sentences = self.document.sentences().iter().enumerate();
        sentences
            .map(|(index, sentence)| {
                let Stretch { start, end } = self.stretch(sentence.span);
                let sentiment = tones.get(index).copied().flatten().map(tone);
                Sentence { start, end, sentiment }
            })
            .collect()
    }

    fn mentions(&self) -> Vec<Mention> {
        let tones = self.document.sentiment().map_or(&[][..], |record| &record.mentions);
        let mentions = self.document.mentions().iter().enumerate();
        mentions
            .map(|(index, mention)| {
                let Stretch { start, end } = self.stretch(mention.span);
                let entity = self.document.entity_of(mention);
                let kind = EntityKind::from_code(mention.label).unwrap_or(EntityKind::Other);
                Mention {
                    start,
                    end,
                    label: kind.name().to_owned(),
                    id: entity.map(|entity| entity.id.clone()),
                    name: entity.map(|entity| entity.name.clone()),
                    confidence: rounded(mention.score),
                    sentiment: tones.get(index).copied().flatten().map(tone),
                }
            })
            .collect()
    }

    fn stance(&self) -> Vec<Toward> {
        let targets = self.document.stance().iter();
        targets
            .map(|toward| Toward {
                target: Named { id: toward.target.id.clone(), name: toward.target.name.clone() },
                author: toward.author.as_ref().map(|stance| self.position(stance)),
                actors: toward
                    .actors
                    .iter()
                    .map(|actor| Actor {
                        id: actor.id.clone(),
                        name: actor.name.clone(),
                        kind: actor.kind.name().to_owned(),
                        country: actor.country.clone(),
                        mentions: actor.mentions,
                        position: self.position(&actor.stance),
                    })
                    .collect(),
            })
            .collect()
    }

    fn position(&self, stance: &Stance) -> Position {
        let list = |pieces: &[Evidence]| pieces.iter().map(|piece| self.piece(piece)).collect();
        Position {
            label: stance.label().name().to_owned(),
            degree: stance.degree().name().to_owned(),
            score: rounded(stance.score.get()),
            confidence: rounded(stance.confidence.get()),
            evidence: list(&stance.evidence),
            counter_evidence: list(&stance.counter_evidence),
        }
    }

    fn piece(&self, evidence: &Evidence) -> Piece {
        let Stretch { start, end } = self.stretch(evidence.span);
        Piece {
            start,
            end,
            text: self.document.slice(evidence.span).to_owned(),
            score: rounded(evidence.score.get()),
            confidence: rounded(evidence.confidence.get()),
            voice: evidence.voice.name().to_owned(),
            time: evidence.time.name().to_owned(),
            holder: evidence.holder.map(|span| self.stretch(span)),
            target: evidence.target.map(|span| self.stretch(span)),
            cue: evidence.cue.map(|span| self.stretch(span)),
            rule: evidence.rule.clone(),
        }
    }
}

fn tone(sentiment: Sentiment) -> Tone {
    Tone {
        label: sentiment.label().name().to_owned(),
        score: rounded(sentiment.score.get()),
        confidence: rounded(sentiment.confidence.get()),
    }
}

/// Three decimals, as in result lines.
fn rounded(number: f32) -> f64 {
    (f64::from(number) * 1000.0).round() / 1000.0
}

#[cfg(test)]
pub(crate) mod tests {
    use standpoint_document::{
        ActorStance, Aliases, Annotation, Confidence, Entity, Polarity, ResultLine, StanceTarget,
        TargetStance, Time, Voice, layers,
    };

    use super::*;

    /// "é" is two bytes and one code point.
    fn document() -> Document<'static> {
        let mut document = Document::new("d1", "Réfusal: Astana refused Moscow.").unwrap();
        let at = |start, end| Annotation::new(Span::new(start, end));
        document.set_layer(layers::SENTENCES, vec![at(0, 32)]).unwrap();
        let entity = Entity {
            id: "KAZ".into(),
            name: "Kazakhstan".into(),
            kind: EntityKind::Country,
            country: Some("KAZ".into()),
            speaks_for_country: true,
            aliases: Aliases::new(),
        };
        let mention = at(10, 16).with_label(2).with_link(0).with_score(0.9);
        document.set_entities(vec![mention], vec![entity]).unwrap();
        let evidence = Evidence {
            span: Span::new(10, 32),
            score: Polarity::saturating(-0.6),
            confidence: Confidence::saturating(0.8),
            voice: Voice::Author,
            time: Time::Present,
            holder: Some(Span::new(10, 16)),
            target: Some(Span::new(25, 31)),
            cue: Some(Span::new(17, 24)),
            rule: Some("refusal".into()),
        };
        let stance = Stance {
            score: Polarity::saturating(-0.6),
            confidence: Confidence::saturating(0.8),
            evidence: vec![evidence],
            counter_evidence: vec![],
        };
        document
            .set_stance(vec![TargetStance {
                target: StanceTarget { id: "RUS".into(), name: "Russia".into() },
                author: None,
                actors: vec![ActorStance {
                    id: "KAZ".into(),
                    name: "Kazakhstan".into(),
                    kind: EntityKind::Country,
                    country: Some("KAZ".into()),
                    mentions: 1,
                    stance,
                }],
            }])
            .unwrap();
        document
    }

    fn line_of(document: &Document<'_>) -> String {
        let mut line = Vec::new();
        ResultLine::new(document, "demo@abc", "0.1.0").write(&mut line);
        String::from_utf8(line).unwrap()
    }

    #[test]
    fn a_result_line_says_the_same_as_its_document_but_for_the_cue() {
        let document = document();
        let line = line_of(&document);
        let mut expected = Record::of(&document, "demo@abc", "0.1.0");
        let piece = &mut expected.stance[0].actors[0].position.evidence[0];
        assert_eq!(piece.cue.take(), Some(Stretch { start: 16, end: 23 }));
        assert_eq!(piece.rule.take().as_deref(), Some("refusal"));
        assert_eq!(Record::read(&line).unwrap(), expected);
    }

    #[test]
    fn a_line_that_contradicts_itself_is_refused() {
        let document = document();
        let line = line_of(&document);
        let cases = [
            ("not JSON", "{", "not a result line"),
            ("another form", "{\"version\":1}", "not a result line"),
            ("beyond the text", &line.replace("\"end\":31", "\"end\":99"), "lies outside"),
            ("backwards", &line.replace("\"start\":9,", "\"start\":32,"), "lies outside"),
            ("off the scale", &line.replace("-0.6", "-6.0"), "found -6"),
        ];
        for (case, line, expected) in cases {
            let error = Record::read(line).unwrap_err().to_string();
            assert!(error.contains(expected), "{case}: {error}");
        }
    }
}
