//! The result line: one document as one JSON object, in the published format.

use serde::ser::SerializeSeq;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value, json};

use crate::document::{Document, StageRecord};
use crate::entity::EntityKind;
use crate::layer::{Annotation, layers};
use crate::sentiment::Sentiment;
use crate::span::{CodePoints, Span};
use crate::stance::{Evidence, Stance, TargetStance};

/// The version of the format, in the field `version`.
pub const RESULT_VERSION: u32 = 1;

/// A document as one JSON object: serialise it with `serde_json` and end it with a newline.
///
/// Offsets count Unicode code points of `text`, which is what a Python slice counts. Scores are
/// -1 to 1, confidences 0 to 1; a field without a value is null.
#[derive(Debug)]
pub struct ResultLine<'d> {
    document: &'d Document<'d>,
    points: CodePoints<'d>,
    pipeline: &'d str,
    program_version: &'d str,
}

impl<'d> ResultLine<'d> {
    /// The result of `document`, which `pipeline` (its name, `@`, its hash) of the program in
    /// version `program_version` produced, unless the document itself knows its pipeline.
    #[must_use]
    pub fn new(document: &'d Document<'d>, pipeline: &'d str, program_version: &'d str) -> Self {
        let points = CodePoints::new(document.text());
        let pipeline = document.pipeline().unwrap_or(pipeline);
        Self { document, points, pipeline, program_version }
    }

    fn offsets(&self, span: Span) -> Offsets {
        Offsets { start: self.points.at(span.start), end: self.points.at(span.end) }
    }
}

#[derive(Serialize)]
struct Offsets {
    start: u32,
    end: u32,
}

#[derive(Serialize)]
struct Root<'r> {
    version: u32,
    id: &'r str,
    source: &'r crate::metadata::SourceRef,
    title: Option<&'r str>,
    language: Option<&'r str>,
    published: Option<&'r str>,
    author: Option<&'r str>,
    status: &'static str,
    notes: &'r [String],
    text: &'r str,
    sentences: Rows<'r, SentenceRow>,
    tokens: Rows<'r, Offsets>,
    entities: Rows<'r, MentionRow<'r>>,
    sentiment: Option<SentimentJson>,
    stance: Vec<TargetJson<'r>>,
    layers: Map<String, Value>,
    attributes: &'r std::collections::BTreeMap<String, Value>,
    provenance: Value,
}

/// A stage's record, its time to a microsecond.
fn stage(record: &StageRecord) -> Value {
    json!({
        "name": record.name,
        "version": record.version,
        "model": record.model,
        "ms": (record.ms * 1000.0).round() / 1000.0,
    })
}

/// A list that is written row by row, so that a long document needs no second copy in memory.
struct Rows<'r, T> {
    annotations: &'r [Annotation],
    row: Box<dyn Fn(usize, &'r Annotation) -> T + 'r>,
}

impl<T: Serialize> Serialize for Rows<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut rows = serializer.serialize_seq(Some(self.annotations.len()))?;
        for (index, annotation) in self.annotations.iter().enumerate() {
            rows.serialize_element(&(self.row)(index, annotation))?;
        }
        rows.end()
    }
}

#[derive(Serialize)]
struct SentenceRow {
    #[serde(flatten)]
    offsets: Offsets,
    sentiment: Option<SentimentJson>,
}

#[derive(Serialize)]
struct MentionRow<'r> {
    #[serde(flatten)]
    offsets: Offsets,
    text: &'r str,
    label: &'static str,
    id: Option<&'r str>,
    name: Option<&'r str>,
    confidence: f32,
    sentiment: Option<SentimentJson>,
}

#[derive(Serialize)]
struct SentimentJson {
    label: crate::sentiment::SentimentLabel,
    score: Rounded,
    confidence: Rounded,
}

impl From<Sentiment> for SentimentJson {
    fn from(sentiment: Sentiment) -> Self {
        Self {
            label: sentiment.label(),
            score: Rounded(sentiment.score.get()),
            confidence: Rounded(sentiment.confidence.get()),
        }
    }
}

/// A score with three decimals: more would only look exact.
struct Rounded(f32);

impl Serialize for Rounded {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64((f64::from(self.0) * 1000.0).round() / 1000.0)
    }
}

#[derive(Serialize)]
struct TargetJson<'r> {
    target: &'r crate::stance::StanceTarget,
    author: Option<StanceJson<'r>>,
    actors: Vec<ActorJson<'r>>,
}

#[derive(Serialize)]
struct ActorJson<'r> {
    id: &'r str,
    name: &'r str,
    kind: EntityKind,
    country: Option<&'r str>,
    mentions: u32,
    #[serde(flatten)]
    stance: StanceJson<'r>,
}

#[derive(Serialize)]
struct StanceJson<'r> {
    label: &'static str,
    degree: &'static str,
    score: Rounded,
    confidence: Rounded,
    evidence: Vec<EvidenceJson<'r>>,
    counter_evidence: Vec<EvidenceJson<'r>>,
}

#[derive(Serialize)]
struct EvidenceJson<'r> {
    #[serde(flatten)]
    offsets: Offsets,
    text: &'r str,
    score: Rounded,
    confidence: Rounded,
    voice: crate::stance::Voice,
    time: crate::stance::Time,
    holder: Option<Offsets>,
    target: Option<Offsets>,
}

impl ResultLine<'_> {
    fn sentence(&self, index: usize, sentence: &Annotation) -> SentenceRow {
        let sentiment = self.document.sentiment().and_then(|record| record.sentences.get(index));
        SentenceRow {
            offsets: self.offsets(sentence.span),
            sentiment: sentiment.copied().flatten().map(Into::into),
        }
    }

    fn mention(&self, index: usize, mention: &Annotation) -> MentionRow<'_> {
        let entity = self.document.entity_of(mention);
        let sentiment = self.document.sentiment().and_then(|record| record.mentions.get(index));
        MentionRow {
            offsets: self.offsets(mention.span),
            text: self.document.slice(mention.span),
            label: EntityKind::from_code(mention.label).unwrap_or(EntityKind::Other).name(),
            id: entity.map(|entity| entity.id.as_str()),
            name: entity.map(|entity| entity.name.as_str()),
            confidence: (mention.score * 1000.0).round() / 1000.0,
            sentiment: sentiment.copied().flatten().map(Into::into),
        }
    }

    fn target<'s>(&'s self, target: &'s TargetStance) -> TargetJson<'s> {
        let actors = target.actors.iter().map(|actor| ActorJson {
            id: &actor.id,
            name: &actor.name,
            kind: actor.kind,
            country: actor.country.as_deref(),
            mentions: actor.mentions,
            stance: self.stance(&actor.stance),
        });
        TargetJson {
            target: &target.target,
            author: target.author.as_ref().map(|stance| self.stance(stance)),
            actors: actors.collect(),
        }
    }

    fn stance<'s>(&'s self, stance: &'s Stance) -> StanceJson<'s> {
        let list = |evidence: &'s [Evidence]| evidence.iter().map(|e| self.evidence(e)).collect();
        StanceJson {
            label: stance.label().name(),
            degree: stance.degree().name(),
            score: Rounded(stance.score.get()),
            confidence: Rounded(stance.confidence.get()),
            evidence: list(&stance.evidence),
            counter_evidence: list(&stance.counter_evidence),
        }
    }

    fn evidence(&self, evidence: &Evidence) -> EvidenceJson<'_> {
        EvidenceJson {
            offsets: self.offsets(evidence.span),
            text: self.document.slice(evidence.span),
            score: Rounded(evidence.score.get()),
            confidence: Rounded(evidence.confidence.get()),
            voice: evidence.voice,
            time: evidence.time,
            holder: evidence.holder.map(|span| self.offsets(span)),
            target: evidence.target.map(|span| self.offsets(span)),
        }
    }

    /// The layers that stages of others wrote, by name; not those that only stages read.
    fn open_layers(&self) -> Map<String, Value> {
        let standard = [layers::TOKENS, layers::SENTENCES, layers::ENTITIES];
        let is_open = |name: &str| !standard.contains(&name) && !name.starts_with(layers::INNER);
        let open = self.document.layers().filter(|&(name, _)| is_open(name));
        open.map(|(name, layer)| {
            let row = |annotation: &Annotation| {
                let Offsets { start, end } = self.offsets(annotation.span);
                json!({
                    "start": start,
                    "end": end,
                    "label": layer.label_of(annotation),
                    "score": annotation.score,
                })
            };
            (name.to_owned(), layer.annotations.iter().map(row).collect())
        })
        .collect()
    }
}

impl Serialize for ResultLine<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let document = self.document;
        let metadata = document.metadata();
        Root {
            version: RESULT_VERSION,
            id: document.id(),
            source: &metadata.source,
            title: metadata.title.as_deref(),
            language: metadata.language.as_deref(),
            published: metadata.published.as_deref(),
            author: metadata.author.as_deref(),
            status: document.status(),
            notes: document.notes(),
            text: document.text(),
            sentences: Rows {
                annotations: document.sentences(),
                row: Box::new(|index, sentence| self.sentence(index, sentence)),
            },
            tokens: Rows {
                annotations: document.tokens(),
                row: Box::new(|_, token| self.offsets(token.span)),
            },
            entities: Rows {
                annotations: document.mentions(),
                row: Box::new(|index, mention| self.mention(index, mention)),
            },
            sentiment: document.sentiment().and_then(|record| record.document).map(Into::into),
            stance: document.stance().iter().map(|target| self.target(target)).collect(),
            layers: self.open_layers(),
            attributes: document.attributes(),
            provenance: json!({
                "standpoint": self.program_version,
                "pipeline": self.pipeline,
                "stages": document.stages().iter().map(stage).collect::<Vec<_>>(),
            }),
        }
        .serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entity::Entity;
    use crate::score::{Confidence, Polarity};
    use crate::sentiment::SentimentRecord;
    use crate::stance::{ActorStance, StanceTarget, Time, Voice};

    /// "é" is two bytes and one code point, so every offset behind it differs by one.
    fn document() -> Document<'static> {
        let mut document = Document::new("d1", "Réfusal: Astana refused Moscow.").unwrap();
        let token = |start, end| Annotation::new(Span::new(start, end));
        document.set_layer(layers::TOKENS, vec![token(0, 8), token(10, 16)]).unwrap();
        document.set_layer(layers::SENTENCES, vec![token(0, 32)]).unwrap();
        let mention = token(10, 16).with_label(2).with_link(0).with_score(0.9);
        let entity = Entity {
            id: "KAZ".into(),
            name: "Kazakhstan".into(),
            kind: EntityKind::Country,
            country: Some("KAZ".into()),
            speaks_for_country: true,
            aliases: vec![],
        };
        document.set_entities(vec![mention], vec![entity]).unwrap();
        let score = |score| Polarity::new(score).unwrap();
        let sure = Confidence::new(0.8).unwrap();
        let sentiment = Sentiment { score: score(-0.4), confidence: sure };
        document
            .set_sentiment(SentimentRecord {
                document: Some(sentiment),
                sentences: vec![Some(sentiment)],
                mentions: vec![None],
            })
            .unwrap();
        let evidence = Evidence {
            span: Span::new(10, 32),
            score: score(-0.6),
            confidence: sure,
            voice: Voice::Author,
            time: Time::Present,
            holder: Some(Span::new(10, 16)),
            target: Some(Span::new(25, 31)),
            cue: Some(Span::new(17, 24)),
            rule: Some("refusal".into()),
        };
        let stance = Stance {
            score: score(-0.6),
            confidence: sure,
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

    #[test]
    fn the_line_has_the_published_shape_and_counts_code_points() {
        let document = document();
        let line = serde_json::to_string(&ResultLine::new(&document, "demo@abc", "0.1.0")).unwrap();
        insta::assert_snapshot!(line.replace(",\"", ",\n\""));
    }

    #[test]
    fn notes_make_a_result_partial() {
        let mut document = document();
        document.add_note("stance: skipped by `when`");
        let line = serde_json::to_value(ResultLine::new(&document, "demo@abc", "0.1.0")).unwrap();
        assert_eq!(line["status"], "partial");
    }
}
