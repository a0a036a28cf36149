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

use std::collections::{BTreeMap, HashMap};

use anyhow::{Context, anyhow, bail, ensure};
use serde::Deserialize;
use serde_json::{Value, json};
use standpoint_document::{CodePoints, Document, Metadata, Span};

use super::input::{Characters, DataFile, Place, record};
use super::outcome::{Answer, LeftOut, Outcome, Question};
use super::{Annotate, annotated};

/// The classes, in the order of [`NEGATIVE`], [`NEUTRAL`], [`POSITIVE`].
const CLASSES: [&str; 3] = ["negative", "neutral", "positive"];
const NEGATIVE: usize = 0;
const NEUTRAL: usize = 1;
const POSITIVE: usize = 2;

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

/// A text with labelled questions.
#[derive(Debug)]
struct Passage {
    id: String,
    group: String,
    text: String,
    metadata: Metadata,
    questions: Vec<Asked>,
}

/// A question and its label.
#[derive(Debug, PartialEq, Eq)]
struct Asked {
    /// `None` is the author; not used for sentiment.
    holder: Option<Span>,
    target: Span,
    expected: usize,
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

/// Passages in the order of the data. Records with the same text share one, so that the text is
/// read once.
#[derive(Default)]
struct Passages {
    list: Vec<Passage>,
    by_text: HashMap<(String, String), usize>,
    left_out: LeftOut,
}

impl Passages {
    fn add(
        &mut self,
        file: &DataFile,
        place: Place<'_>,
        text: String,
        metadata: Metadata,
        questions: Vec<Asked>,
    ) {
        let key = (file.name(), text);
        if let Some(&index) = self.by_text.get(&key)
            && self.list[index].metadata == metadata
        {
            self.list[index].questions.extend(questions);
            return;
        }
        let id = format!("{}:{}", file.name(), place.line);
        self.by_text.insert(key.clone(), self.list.len());
        let (group, text) = key;
        self.list.push(Passage { id, group, text, metadata, questions });
    }

    fn news_mention(
        &mut self,
        file: &DataFile,
        place: Place<'_>,
        value: &Value,
    ) -> anyhow::Result<()> {
        #[derive(Deserialize)]
        struct Row {
            sentence: String,
            mention: String,
            from: usize,
            to: usize,
            polarity: i64,
        }
        let row: Row = record(place, value)?;
        let target = Characters::new(&row.sentence)
            .span(row.from, row.to)
            .filter(|span| row.sentence[span.range()] == row.mention);
        let Some(target) = target else {
            self.left_out.push(anyhow!("{place}: {:?} does not stand at its offsets", row.mention));
            return Ok(());
        };
        let expected = class_of_sign(place, row.polarity)?;
        let question = Asked { holder: None, target, expected };
        self.add(file, place, row.sentence, Metadata::default(), vec![question]);
        Ok(())
    }

    fn headline(&mut self, file: &DataFile, place: Place<'_>, value: &Value) -> anyhow::Result<()> {
        #[derive(Deserialize)]
        struct Row {
            text: String,
            targets: BTreeMap<String, String>,
        }
        let row: Row = record(place, value)?;
        let mut questions = Vec::new();
        for (name, label) in &row.targets {
            let Some(start) = row.text.find(name) else {
                self.left_out.push(anyhow!("{place}: {name:?} does not stand in the text"));
                continue;
            };
            let expected = class_of_name(label)
                .with_context(|| format!("{place}: {label:?} is not a label"))?;
            let target = Span::new(start as u32, (start + name.len()) as u32);
            questions.push(Asked { holder: None, target, expected });
        }
        self.add(file, place, row.text, Metadata::default(), questions);
        Ok(())
    }

    fn russian_news(
        &mut self,
        file: &DataFile,
        place: Place<'_>,
        value: &Value,
    ) -> anyhow::Result<()> {
        // Numbers stand in quotes in this set.
        #[derive(Deserialize)]
        struct Row {
            sentence: String,
            entity_pos_start_rel: String,
            entity_pos_end_rel: String,
            label: String,
        }
        let row: Row = record(place, value)?;
        let number = |field: &str| {
            field.parse::<i64>().with_context(|| format!("{place}: {field:?} is not a number"))
        };
        let (start, end) = (number(&row.entity_pos_start_rel)?, number(&row.entity_pos_end_rel)?);
        let target = usize::try_from(start)
            .ok()
            .zip(usize::try_from(end).ok())
            .and_then(|(start, end)| Characters::new(&row.sentence).span(start, end));
        let Some(target) = target else {
            self.left_out.push(anyhow!("{place}: {start}..{end} is no part of the sentence"));
            return Ok(());
        };
        let expected = class_of_sign(place, number(&row.label)?)?;
        let metadata = Metadata { language: Some("ru".to_owned()), ..Metadata::default() };
        let question = Asked { holder: None, target, expected };
        self.add(file, place, row.sentence, metadata, vec![question]);
        Ok(())
    }

    /// Two actors stand in square brackets; both directions are asked.
    fn marked_pair(
        &mut self,
        file: &DataFile,
        place: Place<'_>,
        value: &Value,
    ) -> anyhow::Result<()> {
        #[derive(Deserialize)]
        struct Row {
            text_marked: String,
            p: String,
            q: String,
            label: u8,
        }
        let row: Row = record(place, value)?;
        let Row { text_marked, p, q, label } = row;
        let Some((text, p, q)) = unmark(&text_marked, &p, &q) else {
            self.left_out.push(anyhow!("{place}: {p:?} and {q:?} do not stand in brackets"));
            return Ok(());
        };
        let (forth, back) = match label {
            0 => (NEUTRAL, NEUTRAL),
            1 => (POSITIVE, NEUTRAL),
            2 => (NEUTRAL, POSITIVE),
            3 => (NEGATIVE, NEUTRAL),
            4 => (NEUTRAL, NEGATIVE),
            label => bail!("{place}: {label} is not a label: expected 0 to 4"),
        };
        let questions = vec![
            Asked { holder: Some(p), target: q, expected: forth },
            Asked { holder: Some(q), target: p, expected: back },
        ];
        self.add(file, place, text, Metadata::default(), questions);
        Ok(())
    }

    /// Every ordered pair of distinct actors that the labels name is asked, and the author toward
    /// each; what is not listed is neutral. The sentence before goes in front.
    fn attitudes(
        &mut self,
        file: &DataFile,
        place: Place<'_>,
        value: &Value,
    ) -> anyhow::Result<()> {
        #[derive(Deserialize)]
        struct Row {
            author: Option<String>,
            #[serde(default)]
            context: Option<String>,
            sentence: String,
            attitudes: Vec<Attitude>,
        }
        #[derive(Deserialize)]
        struct Attitude {
            holder: Option<Surface>,
            target: Surface,
            score: i64,
        }
        #[derive(Deserialize)]
        struct Surface {
            start: usize,
            end: usize,
            text: String,
        }
        let row: Row = record(place, value)?;
        let mut text = row.context.unwrap_or_default();
        if !text.is_empty() {
            text.push(' ');
        }
        let before = text.len() as u32;
        text.push_str(&row.sentence);
        let characters = Characters::new(&row.sentence);
        let span = |surface: &Surface| {
            characters
                .span(surface.start, surface.end)
                .filter(|span| row.sentence[span.range()] == surface.text)
                .map(|span| Span::new(span.start + before, span.end + before))
                .with_context(|| {
                    format!("{place}: {:?} does not stand at its offsets", surface.text)
                })
        };
        let mut actors: Vec<Span> = Vec::new();
        let mut labels: HashMap<(Option<Span>, Span), usize> = HashMap::new();
        for attitude in &row.attitudes {
            let target = span(&attitude.target)?;
            let holder = attitude.holder.as_ref().map(span).transpose()?;
            for actor in holder.into_iter().chain([target]) {
                if !actors.contains(&actor) {
                    actors.push(actor);
                }
            }
            labels.insert((holder, target), class_of_sign(place, attitude.score.signum())?);
        }
        let holders = std::iter::once(None).chain(actors.iter().copied().map(Some));
        let questions = holders
            .flat_map(|holder| actors.iter().map(move |&target| (holder, target)))
            .filter(|(holder, target)| *holder != Some(*target))
            .map(|(holder, target)| {
                let expected = labels.get(&(holder, target)).copied().unwrap_or(NEUTRAL);
                Asked { holder, target, expected }
            })
            .collect();
        let metadata = Metadata { author: row.author, ..Metadata::default() };
        self.add(file, place, text, metadata, questions);
        Ok(())
    }
}

fn class_of_sign(place: Place<'_>, sign: i64) -> anyhow::Result<usize> {
    match sign {
        -1 => Ok(NEGATIVE),
        0 => Ok(NEUTRAL),
        1 => Ok(POSITIVE),
        _ => bail!("{place}: {sign} is not a polarity: expected -1, 0 or 1"),
    }
}

fn class_of_name(label: &str) -> Option<usize> {
    CLASSES.iter().position(|&class| class == label)
}

/// Takes the brackets off two marked actors; their spans are in the text that is returned.
///
/// Brackets around anything else belong to the text. `None` when an actor is not marked.
fn unmark(marked: &str, p: &str, q: &str) -> Option<(String, Span, Span)> {
    // Some names still wear the quotation marks of the table that they came from.
    let [p, q] = [p, q].map(|name| {
        let is_marked = marked.contains(&format!("[{name}]"));
        let bare = || name.strip_prefix('"')?.strip_suffix('"');
        if is_marked { name } else { bare().unwrap_or(name) }
    });
    let place_of = |name: &str, taken: Option<usize>| {
        let bracketed = format!("[{name}]");
        marked.match_indices(&bracketed).map(|(at, _)| at).find(|&at| Some(at) != taken)
    };
    let p_at = place_of(p, None)?;
    let q_at = place_of(q, Some(p_at))?;
    let mut text = String::with_capacity(marked.len());
    let mut spans = [Span::default(); 2];
    let (first, second) =
        if p_at < q_at { ((p_at, p, 0), (q_at, q, 1)) } else { ((q_at, q, 1), (p_at, p, 0)) };
    let mut from = 0;
    for (at, name, which) in [first, second] {
        text.push_str(marked.get(from..at)?);
        let start = text.len() as u32;
        text.push_str(name);
        spans[which] = Span::new(start, text.len() as u32);
        from = at + name.len() + 2;
    }
    text.push_str(marked.get(from..)?);
    Some((text, spans[0], spans[1]))
}

/// An answer of a stage.
#[derive(Debug, Deserialize)]
struct Judgement {
    label: String,
    #[serde(default)]
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
    for (passage, document) in passages.iter().zip(&documents) {
        let points = CodePoints::new(document.text());
        for (asked, judgement) in passage.questions.iter().zip(answers(ask, passage, document)?) {
            let found = class_of_name(&judgement.label).with_context(|| {
                format!(
                    "the {} stage answered {:?}, which is no label",
                    ask.stage(),
                    judgement.label
                )
            })?;
            let surface = |span: Span| document.slice(span).to_owned();
            let question = match ask {
                Ask::Sentiment => Question::stretch(document, &points, asked.target),
                Ask::Stance => Question::Toward {
                    holder: asked.holder.map(surface),
                    target: surface(asked.target),
                },
            };
            let answer = Answer {
                id: &passage.id,
                group: &passage.group,
                question,
                expected: asked.expected,
                found,
                confidence: judgement.confidence,
            };
            outcome.judge(&passage.id, answer, || passage.text.clone());
        }
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

fn answers(ask: Ask, passage: &Passage, document: &Document<'_>) -> anyhow::Result<Vec<Judgement>> {
    let Some(value) = document.attribute(ask.answer()) else {
        let notes = document.notes().join("; ");
        bail!(
            "{}: no stage answered `{}` with `{}`: does the pipeline have the stage `{}`?{}{notes}",
            passage.id,
            ask.question(),
            ask.answer(),
            ask.stage(),
            if notes.is_empty() { "" } else { " The pipeline notes: " }
        );
    };
    let judgements = Vec::<Judgement>::deserialize(value)
        .with_context(|| format!("{}: attribute `{}`", passage.id, ask.answer()))?;
    ensure!(
        judgements.len() == passage.questions.len(),
        "{}: the stage `{}` gave {} answers to {} questions",
        passage.id,
        ask.stage(),
        judgements.len(),
        passage.questions.len()
    );
    Ok(judgements)
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
    fn every_ordered_pair_of_named_actors_and_the_author_is_asked() {
        let line = r#"{"id":"a","author":"NOR","context":"Été.","sentence":"Ode hit Lund; we thank Lund.","attitudes":[
            {"holder":{"start":0,"end":3,"text":"Ode"},"target":{"start":8,"end":12,"text":"Lund"},"score":-2},
            {"holder":null,"target":{"start":8,"end":12,"text":"Lund"},"score":1}]}"#
            .replace('\n', "");
        let mut passages = Passages::default();
        let data = file("own.jsonl", &line);
        let values = data.values().unwrap();
        passages.attitudes(&data, values[0].0, &values[0].1).unwrap();
        let passage = &passages.list[0];
        assert_eq!(passage.metadata.author.as_deref(), Some("NOR"));
        let asked: Vec<_> = passage
            .questions
            .iter()
            .map(|asked| {
                let holder = asked.holder.map(|span| &passage.text[span.range()]);
                (holder, &passage.text[asked.target.range()], CLASSES[asked.expected])
            })
            .collect();
        assert_eq!(
            asked,
            [
                (None, "Ode", "neutral"),
                (None, "Lund", "positive"),
                (Some("Ode"), "Lund", "negative"),
                (Some("Lund"), "Ode", "neutral"),
            ]
        );
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
    fn names_that_are_equal_are_two_marks() {
        let (text, p, q) = unmark("[Ode] told [Ode].", "Ode", "Ode").unwrap();
        assert_eq!(text, "Ode told Ode.");
        assert_eq!((p, q), (Span::new(0, 3), Span::new(9, 12)));
        assert_eq!(unmark("Ode told [Lund]", "Ode", "Lund"), None);
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
            @"own.jsonl:1: no stage answered `standpoint.targets` with `standpoint.target_sentiments`: does the pipeline have the stage `sentiment`?"
        );
    }
}
