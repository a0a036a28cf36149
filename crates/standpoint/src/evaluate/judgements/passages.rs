//! The records that label mentions and pairs of mentions, brought to one form.

use std::collections::{BTreeMap, HashMap};

use anyhow::{Context, anyhow, bail};
use serde::Deserialize;
use serde_json::Value;
use standpoint_document::{Metadata, Span};

use crate::evaluate::input::{Characters, DataFile, Place, record};
use crate::evaluate::outcome::LeftOut;

/// The classes, in the order of [`NEGATIVE`], [`NEUTRAL`], [`POSITIVE`].
pub(super) const CLASSES: [&str; 3] = ["negative", "neutral", "positive"];
/// The class of no attitude.
pub(super) const NEUTRAL: usize = 1;
const NEGATIVE: usize = 0;
const POSITIVE: usize = 2;

/// A text with labelled questions.
#[derive(Debug)]
pub(super) struct Passage {
    /// File and line of the first record.
    pub(super) id: String,
    /// The file.
    pub(super) group: String,
    /// What is read.
    pub(super) text: String,
    /// What is known besides.
    pub(super) metadata: Metadata,
    /// What is asked about it.
    pub(super) questions: Vec<Asked>,
}

/// A question and its label.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Asked {
    /// `None` is the author; not used for sentiment.
    pub(super) holder: Option<Span>,
    /// Toward whom.
    pub(super) target: Span,
    /// The label, as index of a class.
    pub(super) expected: usize,
}

/// Passages in the order of the data. Records with the same text share one, so that the text is
/// read once.
#[derive(Default)]
pub(super) struct Passages {
    /// The passages.
    pub(super) list: Vec<Passage>,
    by_text: HashMap<(String, String), usize>,
    /// Labels that do not fit their text.
    pub(super) left_out: LeftOut,
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

    /// A sentence and one mention in it, as `NewsMTSC` has it.
    ///
    /// # Errors
    ///
    /// Names the place and what is wrong with the record.
    pub(super) fn news_mention(
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

    /// A headline and the names in it, as `SEntFiN` has it.
    ///
    /// # Errors
    ///
    /// Names the place and what is wrong with the record.
    pub(super) fn headline(
        &mut self,
        file: &DataFile,
        place: Place<'_>,
        value: &Value,
    ) -> anyhow::Result<()> {
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

    /// A sentence and one entity in it, as `RuSentNE` has it.
    ///
    /// # Errors
    ///
    /// Names the place and what is wrong with the record.
    pub(super) fn russian_news(
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
    ///
    /// # Errors
    ///
    /// Names the place and what is wrong with the record.
    pub(super) fn marked_pair(
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
    ///
    /// # Errors
    ///
    /// Names the place and what is wrong with the record.
    pub(super) fn attitudes(
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

/// The class that a label names.
pub(super) fn class_of_name(label: &str) -> Option<usize> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluate::fixture::file;

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
    fn names_that_are_equal_are_two_marks() {
        let (text, p, q) = unmark("[Ode] told [Ode].", "Ode", "Ode").unwrap();
        assert_eq!(text, "Ode told Ode.");
        assert_eq!((p, q), (Span::new(0, 3), Span::new(9, 12)));
        assert_eq!(unmark("Ode told [Lund]", "Ode", "Lund"), None);
    }
}
