//! Sentiment toward a mention, and attitudes between two mentions, where the data says which.
//!
//! The spans are given to the stages in an attribute, and the stages answer in another, one
//! answer for each question in the same order. Offsets are UTF-8 bytes of the document's text.
//!
//! | asked | answered |
//! |---|---|
//! | `standpoint.targets`: list of `{start, end}` | `standpoint.target_sentiments` |
//! | `standpoint.pairs`: list of `{holder: {start, end} or null, target: {start, end}}` | `standpoint.pair_judgements` |
//!
//! An answer is `{label: "negative" | "neutral" | "positive", score, confidence}`; a holder of
//! `null` is the author.

use anyhow::{Context, bail, ensure};
use serde::Deserialize;
use serde_json::{Value, json};
use standpoint_document::{CodePoints, Document, Span};

use self::passages::{CLASSES, NEUTRAL, Passage, Passages, class_of_name};
use super::input::DataFile;
use super::outcome::{Answer, Outcome, Question, Share};
use super::{Annotate, annotated};

mod passages;

/// What is asked about a passage, and by which stage it is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ask {
    /// How the passage sounds toward each target.
    Sentiment,
    /// How each holder stands toward its target.
    Stance,
}

impl Ask {
    const fn question(self) -> &'static str {
        match self {
            Self::Sentiment => "standpoint.targets",
            Self::Stance => "standpoint.pairs",
        }
    }

    const fn answer(self) -> &'static str {
        match self {
            Self::Sentiment => "standpoint.target_sentiments",
            Self::Stance => "standpoint.pair_judgements",
        }
    }

    const fn stage(self) -> &'static str {
        match self {
            Self::Sentiment => "sentiment",
            Self::Stance => "stance",
        }
    }
}

/// Measures sentiment toward mentions: `NewsMTSC`, `SEntFiN` or `RuSentNE` JSONL.
///
/// # Errors
///
/// When the data is none of these, or the pipeline fails or lacks the stage.
pub(super) fn sentiment(
    files: &[DataFile],
    annotate: &mut Annotate<'_>,
) -> anyhow::Result<Outcome> {
    let mut passages = Passages::default();
    for file in files {
        for (place, value) in file.values()? {
            if value.get("mention").is_some() {
                passages.news_mention(file, place, &value)?;
            } else if value.get("targets").is_some() {
                passages.headline(file, place, &value)?;
            } else if value.get("entity_pos_start_rel").is_some() {
                passages.russian_news(file, place, &value)?;
            } else {
                bail!(
                    "{place}: expected `sentence` with `mention`, `from`, `to` and `polarity`; or \
                     `text` with `targets`; or `sentence` with `entity` and its offsets"
                );
            }
        }
    }
    measure(Ask::Sentiment, passages, annotate)
}

/// Whether a record labels attitudes between mentions.
pub(super) fn is_pair_record(value: &Value) -> bool {
    value.get("text_marked").is_some() || value.get("attitudes").is_some()
}

/// Measures attitudes between mentions: sentences with all their attitudes, or marked pairs.
///
/// # Errors
///
/// When the data is neither, or the pipeline fails or lacks the stage.
pub(super) fn pairs(files: &[&DataFile], annotate: &mut Annotate<'_>) -> anyhow::Result<Outcome> {
    let mut passages = Passages::default();
    for file in files {
        for (place, value) in file.values()? {
            if value.get("text_marked").is_some() {
                passages.marked_pair(file, place, &value)?;
            } else if value.get("attitudes").is_some() {
                passages.attitudes(file, place, &value)?;
            } else {
                bail!("{place}: expected `attitudes` or `text_marked`, as in the first record");
            }
        }
    }
    measure(Ask::Stance, passages, annotate)
}

/// An answer of a stage.
#[derive(Debug)]
struct Judgement {
    /// Index of a class.
    found: usize,
    confidence: Option<f32>,
}

/// Asks the pipeline and counts the answers.
fn measure(ask: Ask, passages: Passages, annotate: &mut Annotate<'_>) -> anyhow::Result<Outcome> {
    let Passages { list: mut passages, mut left_out, .. } = passages;
    left_out.check(passages.iter().map(|passage| passage.questions.len()).sum())?;
    // A passage without an actor has nothing to ask.
    passages.retain(|passage| !passage.questions.is_empty());
    let documents = passages.iter().map(|passage| document(ask, passage));
    let documents = documents.collect::<anyhow::Result<Vec<_>>>()?;
    let documents = annotated(documents, None, annotate)?;
    let mut outcome = Outcome::new(&CLASSES);
    outcome.left_out = left_out;
    outcome.count_documents(&documents);
    let mut unanswered = 0;
    for (passage, document) in passages.iter().zip(&documents) {
        let judgements = answers(ask, passage, document)?;
        unanswered += u64::from(judgements.is_none());
        // A stage that passed over a text, say for its language, has judged nobody in it.
        let judgements = judgements.unwrap_or_else(|| {
            passage
                .questions
                .iter()
                .map(|_| Judgement { found: NEUTRAL, confidence: None })
                .collect()
        });
        let points = CodePoints::new(document.text());
        for (asked, Judgement { found, confidence }) in passage.questions.iter().zip(judgements) {
            let surface = |span: Span| document.slice(span).to_owned();
            let question = match ask {
                Ask::Sentiment => Question::stretch(document, &points, asked.target),
                Ask::Stance => Question::Toward {
                    holder: asked.holder.map(surface),
                    target: surface(asked.target),
                },
            };
            let (id, group, expected) = (&passage.id, &passage.group, asked.expected);
            let answer = Answer { id, group, question, expected, found, confidence };
            outcome.judge(&passage.id, answer, || passage.text.clone());
        }
    }
    if unanswered == documents.len() as u64 {
        let notes = documents.first().map(|document| document.notes().join("; "));
        let notes = notes.filter(|notes| !notes.is_empty());
        bail!(
            "no stage answered `{}` with `{}`: does the pipeline have the stage `{}`?{}",
            ask.question(),
            ask.answer(),
            ask.stage(),
            notes.map(|notes| format!(" Its first document notes: {notes}")).unwrap_or_default()
        );
    }
    if unanswered > 0 {
        outcome.shares.push(Share {
            name: "texts that the stage passed over, which count as neutral",
            part: unanswered,
            whole: documents.len() as u64,
        });
    }
    Ok(outcome)
}

fn document(ask: Ask, passage: &Passage) -> anyhow::Result<Document<'static>> {
    let mut document = Document::new(passage.id.clone(), passage.text.clone())?
        .with_metadata(passage.metadata.clone());
    let span = |span: Span| json!({ "start": span.start, "end": span.end });
    let questions = passage.questions.iter().map(|asked| match ask {
        Ask::Sentiment => span(asked.target),
        Ask::Stance => json!({ "holder": asked.holder.map(span), "target": span(asked.target) }),
    });
    document.set_attribute(ask.question(), Value::Array(questions.collect()));
    Ok(document)
}

/// The answers of a stage, one for each question; `None` when it wrote none.
fn answers(
    ask: Ask,
    passage: &Passage,
    document: &Document<'_>,
) -> anyhow::Result<Option<Vec<Judgement>>> {
    #[derive(Deserialize)]
    struct Row {
        label: String,
        confidence: Option<f32>,
    }
    let Some(value) = document.attribute(ask.answer()) else { return Ok(None) };
    let rows = Vec::<Row>::deserialize(value)
        .with_context(|| format!("{}: attribute `{}`", passage.id, ask.answer()))?;
    ensure!(
        rows.len() == passage.questions.len(),
        "{}: the stage `{}` gave {} answers to {} questions",
        passage.id,
        ask.stage(),
        rows.len(),
        passage.questions.len()
    );
    let judgements = rows.into_iter().map(|Row { label, confidence }| {
        let found = class_of_name(&label).with_context(|| {
            format!("{}: the stage `{}` answered {label:?}, no label", passage.id, ask.stage())
        })?;
        Ok(Judgement { found, confidence })
    });
    judgements.collect::<anyhow::Result<_>>().map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluate::fixture::{file, identity};

    /// Answers every question with the label of `rule`, given text, holder and target.
    fn answering(
        ask: Ask,
        rule: impl Fn(&str, Option<&str>, &str) -> &'static str,
    ) -> impl FnMut(Vec<Document<'static>>, Option<&[String]>) -> anyhow::Result<Vec<Document<'static>>>
    {
        move |mut documents, _| {
            for document in &mut documents {
                let questions =
                    document.attribute(ask.question()).unwrap().as_array().unwrap().clone();
                let slice = |value: &Value| {
                    let at = |key: &str| value[key].as_u64().unwrap() as usize;
                    document.text()[at("start")..at("end")].to_owned()
                };
                let answers: Vec<Value> = questions
                    .iter()
                    .map(|question| {
                        let target = question.get("target").unwrap_or(question);
                        let holder = question.get("holder").filter(|holder| !holder.is_null());
                        let holder = holder.map(slice);
                        let label = rule(document.text(), holder.as_deref(), &slice(target));
                        json!({ "label": label, "score": 0.0, "confidence": 0.5 })
                    })
                    .collect();
                document.set_attribute(ask.answer(), Value::Array(answers));
            }
            Ok(documents)
        }
    }

    #[test]
    fn sentiment_is_asked_of_the_mention_in_all_formats() {
        let data = [
            file(
                "news.jsonl",
                concat!(
                    r#"{"mention":"Ode","polarity":-1,"from":6,"to":9,"sentence":"Größe Ode Lund","id":"1"}"#,
                    "\n",
                    r#"{"mention":"Lund","polarity":1,"from":10,"to":14,"sentence":"Größe Ode Lund","id":"2"}"#,
                ),
            ),
            file(
                "heads.jsonl",
                r#"{"id":"h","text":"Mill up, Yard down","targets":{"Mill":"positive","Yard":"negative"}}"#,
            ),
            file(
                "ru.jsonl",
                r#"{"sentence":"Это Осло.","entity":"Осло","entity_tag":"X","entity_pos_start_rel":"4","entity_pos_end_rel":"8","label":"0"}"#,
            ),
        ];
        let mut stage = answering(Ask::Sentiment, |_, _, target| match target {
            "Ode" | "Yard" => "negative",
            "Mill" => "positive",
            _ => "neutral",
        });
        let outcome = sentiment(&data, &mut stage).unwrap();
        assert_eq!(outcome.documents, 3);
        let total = outcome.total();
        assert_eq!((total.right, total.questions), (4, 5));
        assert_eq!(outcome.wrong.len(), 1);
        assert_eq!(outcome.wrong[0].id, "news.jsonl:1");
    }

    #[test]
    fn a_marked_pair_is_asked_in_both_directions() {
        let line = |label: u8| {
            format!(
                r#"{{"id":"d","text_marked":"[sic] [Lund]s foe [Ode {label}] spoke","p":"Ode {label}","q":"Lund","label":{label}}}"#
            )
        };
        let lines: Vec<String> = (0..=4).map(line).collect();
        let data = file("pairs.jsonl", &lines.join("\n"));
        let mut stage = answering(Ask::Stance, |text, holder, _| {
            assert!(text.starts_with("[sic] Lunds foe Ode "), "{text}");
            let forth = holder.is_some_and(|holder| holder.starts_with("Ode"));
            match text.trim_end_matches(" spoke").chars().last() {
                Some('1') if forth => "positive",
                Some('2') if !forth => "positive",
                Some('3') if forth => "negative",
                Some('4') if !forth => "negative",
                _ => "neutral",
            }
        });
        let outcome = pairs(&[&data], &mut stage).unwrap();
        let total = outcome.total();
        assert_eq!((total.right, total.questions), (10, 10));
        let labelled: Vec<u64> = total.classes.iter().map(|class| class.labelled).collect();
        assert_eq!(labelled, [2, 6, 2]);
    }

    #[test]
    fn a_text_that_the_stage_passed_over_counts_as_neutral() {
        let line = |mention: &str, polarity: i8| {
            format!(
                r#"{{"mention":"{mention}","polarity":{polarity},"from":0,"to":4,"sentence":"{mention}"}}"#
            )
        };
        let data = file("own.jsonl", &[line("Lund", 1), line("Oslo", -1)].join("\n"));
        let mut stage = |mut documents: Vec<Document<'static>>, _: Option<&[String]>| {
            let answer = json!([{ "label": "positive", "score": 1.0, "confidence": 0.9 }]);
            documents[0].set_attribute(Ask::Sentiment.answer(), answer);
            Ok(documents)
        };
        let outcome = sentiment(&[data], &mut stage).unwrap();
        let total = outcome.total();
        assert_eq!((total.right, total.questions), (1, 2));
        assert_eq!(outcome.wrong[0].found.as_deref(), Some("neutral"));
        assert_eq!(outcome.confidences.len(), 1);
        assert_eq!((outcome.shares[0].part, outcome.shares[0].whole), (1, 2));
    }

    #[test]
    fn faults_are_named_with_their_line_or_stage() {
        let problem = |line: &str| {
            format!("{:#}", sentiment(&[file("own.jsonl", line)], &mut identity).unwrap_err())
        };
        insta::assert_snapshot!(
            problem(r#"{"mention":"Ode","polarity":1,"from":0,"to":2,"sentence":"Ode"}"#),
            @r#"own.jsonl:1: "Ode" does not stand at its offsets"#
        );
        insta::assert_snapshot!(
            problem(r#"{"mention":"Ode","polarity":7,"from":0,"to":3,"sentence":"Ode"}"#),
            @"own.jsonl:1: 7 is not a polarity: expected -1, 0 or 1"
        );
        insta::assert_snapshot!(
            problem(r#"{"mention":"Ode"}"#),
            @"own.jsonl:1: missing field `sentence`"
        );
        insta::assert_snapshot!(
            problem(r#"{"mention":"Ode","polarity":1,"from":0,"to":3,"sentence":"Ode"}"#),
            @"no stage answered `standpoint.targets` with `standpoint.target_sentiments`: does the pipeline have the stage `sentiment`?"
        );
    }
}
