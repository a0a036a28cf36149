//! The result line: one document as one JSON object, in the published format.

use serde_json::{Map, Value, json};

use crate::document::{Document, StageRecord};
use crate::entity::EntityKind;
use crate::json::Json;
use crate::layer::{Annotation, layers};
use crate::sentiment::Sentiment;
use crate::span::{CodePoints, Span};
use crate::stance::{ActorStance, Evidence, Stance, TargetStance};

/// The version of the format, in the field `version`.
pub const RESULT_VERSION: u32 = 1;

/// A document as one JSON object.
///
/// Offsets count Unicode code points of `text`, which is what a Python slice counts. Scores are
/// -1 to 1, confidences 0 to 1; a field without a value is null.
#[derive(Debug)]
pub struct ResultLine<'d> {
    document: &'d Document<'d>,
    points: CodePoints,
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

    /// Appends the object to `line`, without a line break.
    pub fn write(&self, line: &mut Vec<u8>) {
        let document = self.document;
        let metadata = document.metadata();
        // Twenty-six bytes a token, and as much again of everything else.
        line.reserve(64 * document.tokens().len() + 2 * document.text().len() + 1024);
        let json = &mut Json::new(line);
        json.raw(r#"{"version":"#);
        json.number(RESULT_VERSION);
        json.raw(r#","id":"#);
        json.text(document.id());
        json.raw(r#","source":"#);
        json.value(&metadata.source);
        for (name, text) in [
            (r#","title":"#, &metadata.title),
            (r#","language":"#, &metadata.language),
            (r#","published":"#, &metadata.published),
            (r#","author":"#, &metadata.author),
        ] {
            json.raw(name);
            json.optional(text.as_deref(), Json::text);
        }
        json.raw(r#","status":"#);
        json.text(document.status());
        json.raw(r#","notes":"#);
        json.list(document.notes(), |json, note| json.text(note));
        json.raw(r#","text":"#);
        json.text(document.text());
        json.raw(r#","sentences":"#);
        json.list(document.sentences().iter().enumerate(), |json, row| self.sentence(json, row));
        json.raw(r#","tokens":"#);
        json.spans(document.tokens().iter().map(|token| self.points.of(token.span)));
        json.raw(r#","entities":"#);
        json.list(document.mentions().iter().enumerate(), |json, row| self.mention(json, row));
        json.raw(r#","sentiment":"#);
        json.optional(document.sentiment().and_then(|record| record.document), sentiment);
        json.raw(r#","stance":"#);
        json.list(document.stance(), |json, target| self.target(json, target));
        json.raw(r#","layers":"#);
        json.value(&self.open_layers());
        json.raw(r#","attributes":"#);
        json.value(document.attributes());
        json.raw(r#","provenance":{"pipeline":"#);
        json.text(self.pipeline);
        json.raw(r#","stages":"#);
        json.list(document.stages(), stage);
        json.raw(r#","standpoint":"#);
        json.text(self.program_version);
        json.raw("}}");
    }

    /// Opens an object that begins with a span.
    fn offsets(&self, json: &mut Json<'_>, span: Span) {
        let (start, end) = self.points.of(span);
        json.span(start, end);
    }

    fn sentence(&self, json: &mut Json<'_>, (index, sentence): (usize, &Annotation)) {
        let record = self.document.sentiment().and_then(|record| record.sentences.get(index));
        self.offsets(json, sentence.span);
        json.raw(r#","sentiment":"#);
        json.optional(record.copied().flatten(), sentiment);
        json.raw("}");
    }

    fn mention(&self, json: &mut Json<'_>, (index, mention): (usize, &Annotation)) {
        let entity = self.document.entity_of(mention);
        let record = self.document.sentiment().and_then(|record| record.mentions.get(index));
        self.offsets(json, mention.span);
        json.raw(r#","text":"#);
        json.text(self.document.slice(mention.span));
        json.raw(r#","label":"#);
        json.text(EntityKind::from_code(mention.label).unwrap_or(EntityKind::Other).name());
        json.raw(r#","id":"#);
        json.optional(entity, |json, entity| json.text(&entity.id));
        json.raw(r#","name":"#);
        json.optional(entity, |json, entity| json.text(&entity.name));
        json.raw(r#","confidence":"#);
        json.score(mention.score);
        json.raw(r#","sentiment":"#);
        json.optional(record.copied().flatten(), sentiment);
        json.raw("}");
    }

    fn target(&self, json: &mut Json<'_>, target: &TargetStance) {
        json.raw(r#"{"target":"#);
        json.value(&target.target);
        json.raw(r#","author":"#);
        json.optional(target.author.as_ref(), |json, stance| {
            json.raw("{");
            self.stance(json, stance);
        });
        json.raw(r#","actors":"#);
        json.list(&target.actors, |json, actor| self.actor(json, actor));
        json.raw("}");
    }

    fn actor(&self, json: &mut Json<'_>, actor: &ActorStance) {
        json.raw(r#"{"id":"#);
        json.text(&actor.id);
        json.raw(r#","name":"#);
        json.text(&actor.name);
        json.raw(r#","kind":"#);
        json.text(actor.kind.name());
        json.raw(r#","country":"#);
        json.optional(actor.country.as_deref(), Json::text);
        json.raw(r#","mentions":"#);
        json.number(actor.mentions);
        json.raw(",");
        self.stance(json, &actor.stance);
    }

    /// The fields of a stance, and the end of the object that has them.
    fn stance(&self, json: &mut Json<'_>, stance: &Stance) {
        json.raw(r#""label":"#);
        json.text(stance.label().name());
        json.raw(r#","degree":"#);
        json.text(stance.degree().name());
        scores(json, stance.score.get(), stance.confidence.get());
        json.raw(r#","evidence":"#);
        json.list(&stance.evidence, |json, piece| self.evidence(json, piece));
        json.raw(r#","counter_evidence":"#);
        json.list(&stance.counter_evidence, |json, piece| self.evidence(json, piece));
        json.raw("}");
    }

    fn evidence(&self, json: &mut Json<'_>, evidence: &Evidence) {
        self.offsets(json, evidence.span);
        json.raw(r#","text":"#);
        json.text(self.document.slice(evidence.span));
        scores(json, evidence.score.get(), evidence.confidence.get());
        json.raw(r#","voice":"#);
        json.text(evidence.voice.name());
        json.raw(r#","time":"#);
        json.text(evidence.time.name());
        for (name, span) in [(r#","holder":"#, evidence.holder), (r#","target":"#, evidence.target)]
        {
            json.raw(name);
            json.optional(span, |json, span| {
                self.offsets(json, span);
                json.raw("}");
            });
        }
        json.raw("}");
    }

    /// The layers that stages of others wrote, by name; not those that only stages read.
    fn open_layers(&self) -> Map<String, Value> {
        let standard = [layers::TOKENS, layers::SENTENCES, layers::ENTITIES];
        let is_open = |name: &str| !standard.contains(&name) && !name.starts_with(layers::INNER);
        let open = self.document.layers().filter(|&(name, _)| is_open(name));
        open.map(|(name, layer)| {
            let row = |annotation: &Annotation| {
                json!({
                    "start": self.points.at(annotation.span.start),
                    "end": self.points.at(annotation.span.end),
                    "label": layer.label_of(annotation),
                    "score": annotation.score,
                })
            };
            (name.to_owned(), layer.annotations.iter().map(row).collect())
        })
        .collect()
    }
}

fn sentiment(json: &mut Json<'_>, sentiment: Sentiment) {
    json.raw(r#"{"label":"#);
    json.text(sentiment.label().name());
    scores(json, sentiment.score.get(), sentiment.confidence.get());
    json.raw("}");
}

fn scores(json: &mut Json<'_>, score: f32, confidence: f32) {
    json.raw(r#","score":"#);
    json.score(score);
    json.raw(r#","confidence":"#);
    json.score(confidence);
}

/// A stage's record, its time to a microsecond.
fn stage(json: &mut Json<'_>, record: &StageRecord) {
    json.raw(r#"{"model":"#);
    json.optional(record.model.as_deref(), Json::text);
    json.raw(r#","ms":"#);
    json.value(&((record.ms * 1000.0).round() / 1000.0));
    json.raw(r#","name":"#);
    json.text(&record.name);
    json.raw(r#","version":"#);
    json.text(&record.version);
    json.raw("}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entity::{Aliases, Entity};
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
            aliases: Aliases::new(),
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

    fn line(document: &Document<'_>) -> String {
        let mut line = Vec::new();
        ResultLine::new(document, "demo@abc", "0.1.0").write(&mut line);
        String::from_utf8(line).unwrap()
    }

    #[test]
    fn the_line_has_the_published_shape_and_counts_code_points() {
        let document = document();
        let line = line(&document);
        insta::assert_snapshot!(line.replace(",\"", ",\n\""));
    }

    #[test]
    fn notes_make_a_result_partial() {
        let mut document = document();
        document.add_note("stance: skipped by `when`");
        let line: Value = serde_json::from_str(&line(&document)).unwrap();
        assert_eq!(line["status"], "partial");
    }
}
