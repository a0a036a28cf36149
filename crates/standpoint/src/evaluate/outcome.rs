//! What a task found out: answers counted by unit, and those that were wrong.

use std::collections::HashMap;

use serde::Serialize;
use standpoint_document::{CodePoints, Document, Span};

use super::metrics::Tally;

/// The answers to a task.
///
/// Answers in one sentence or document lean on each other, so they are counted by unit: what the
/// intervals draw from.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// The names of the classes.
    pub(super) classes: Vec<String>,
    /// Counts of each sentence or document.
    pub(super) units: Vec<Unit>,
    unit_of_key: HashMap<String, usize>,
    /// What a simple rule would get; `None` means the most frequent class.
    pub(super) baseline: Option<(&'static str, Tally)>,
    /// Confidence and rightness of every answer that has a confidence.
    pub(super) confidences: Vec<(f64, bool)>,
    /// Figures of the task's own.
    pub(super) shares: Vec<Share>,
    /// Counts over a part of the questions, by name.
    pub(super) subsets: Vec<(&'static str, Vec<Unit>)>,
    /// Answers that disagree with the labels.
    pub(super) wrong: Vec<Wrong>,
    /// Labels that do not fit their text, and so cannot be asked about.
    pub(super) left_out: LeftOut,
    /// Documents that went through the pipeline.
    pub(super) documents: usize,
    /// Documents of which the pipeline left out a part.
    pub(super) partial: usize,
}

/// The counts of a sentence or document.
#[derive(Debug)]
pub(super) struct Unit {
    /// The part of the data that it belongs to: a file or a capability.
    pub(super) group: String,
    /// Its counts.
    pub(super) tally: Tally,
}

/// Labels that do not fit their text. Published sets have a few, clipped or shifted when they were
/// made; many mean that the data is not what it seems.
#[derive(Debug, Default)]
pub(super) struct LeftOut {
    /// How many.
    pub(super) count: usize,
    first: Option<anyhow::Error>,
}

impl LeftOut {
    /// Leaves out a label; `problem` says which, with its place.
    pub(super) fn push(&mut self, problem: anyhow::Error) {
        self.count += 1;
        self.first.get_or_insert(problem);
    }

    /// Accepts up to 5% of all labels left out.
    ///
    /// - `kept`: how many labels were not left out.
    ///
    /// # Errors
    ///
    /// The first problem, when there are more.
    pub(super) fn check(&mut self, kept: usize) -> anyhow::Result<()> {
        let too_many = self.count * 20 > self.count + kept;
        match self.first.take_if(|_| too_many) {
            Some(first) => Err(first),
            None => Ok(()),
        }
    }
}

/// A share of something that is not an answer to the task's question.
#[derive(Debug)]
pub(super) struct Share {
    /// What is counted.
    pub(super) name: &'static str,
    /// How many are.
    pub(super) part: u64,
    /// Of how many.
    pub(super) whole: u64,
}

/// A wrong answer, for reading.
#[derive(Debug, Serialize)]
pub(super) struct Wrong {
    /// The document's id: file and line of the data, or the record's own id.
    pub(super) id: String,
    /// The part of the data that it belongs to.
    pub(super) group: String,
    /// What was asked: a span, or a holder and a target.
    #[serde(flatten)]
    pub(super) question: Question,
    /// The label; `null` for a span that is not labelled.
    pub(super) expected: Option<String>,
    /// The answer; `null` for a span that was not found.
    pub(super) found: Option<String>,
    /// How sure the answer was.
    pub(super) confidence: Option<f32>,
    /// The passage, or the text around the span.
    pub(super) text: String,
}

/// What a wrong answer is about.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Question {
    /// A stretch of the document, in code points.
    Stretch {
        /// Where it starts.
        start: u32,
        /// Where it ends.
        end: u32,
        /// What stands there.
        surface: String,
    },
    /// Who stands where toward whom; a holder of `null` is the author.
    Toward {
        /// Who.
        holder: Option<String>,
        /// Toward whom.
        target: String,
    },
}

impl Outcome {
    /// An outcome without answers.
    pub(super) fn new(classes: &[&str]) -> Self {
        Self { classes: classes.iter().map(|&class| class.to_owned()).collect(), ..Self::default() }
    }

    /// The counts of the unit `key` in `group`.
    pub(super) fn unit(&mut self, key: &str, group: &str) -> &mut Tally {
        let index = *self.unit_of_key.entry(key.to_owned()).or_insert_with(|| {
            let tally = Tally::new(self.classes.len());
            self.units.push(Unit { group: group.to_owned(), tally });
            self.units.len() - 1
        });
        &mut self.units[index].tally
    }

    /// Counts one answer; `wrong` is called for the passage of a wrong one.
    ///
    /// - `key`: names the unit, unique over all files.
    pub(super) fn judge(
        &mut self,
        key: &str,
        answer: Answer<'_>,
        passage: impl FnOnce() -> String,
    ) {
        let Answer { id, group, question, expected, found, confidence } = answer;
        self.unit(key, group).judge(expected, found);
        if let Some(confidence) = confidence {
            self.confidences.push((f64::from(confidence), expected == found));
        }
        if expected != found {
            self.wrong.push(Wrong {
                id: id.to_owned(),
                group: group.to_owned(),
                question,
                expected: Some(self.classes[expected].clone()),
                found: Some(self.classes[found].clone()),
                confidence,
                text: passage(),
            });
        }
    }

    /// Counts the documents that came back.
    pub(super) fn count_documents(&mut self, documents: &[Document<'_>]) {
        self.documents += documents.len();
        self.partial += documents.iter().filter(|document| !document.notes().is_empty()).count();
    }

    /// All counts together.
    pub(super) fn total(&self) -> Tally {
        Tally::sum(self.classes.len(), self.units.iter().map(|unit| &unit.tally))
    }
}

/// One answer to one question.
#[derive(Debug)]
pub(super) struct Answer<'a> {
    /// The document's id.
    pub(super) id: &'a str,
    /// The part of the data.
    pub(super) group: &'a str,
    /// What was asked.
    pub(super) question: Question,
    /// The label, as index of a class.
    pub(super) expected: usize,
    /// The answer, as index of a class.
    pub(super) found: usize,
    /// How sure the answer is.
    pub(super) confidence: Option<f32>,
}

impl Question {
    /// A question about a stretch of `document`.
    pub(super) fn stretch(document: &Document<'_>, points: &CodePoints, span: Span) -> Self {
        Self::Stretch {
            start: points.at(span.start),
            end: points.at(span.end),
            surface: document.slice(span).to_owned(),
        }
    }
}

/// How much of the text around a span stands in a wrong answer, in bytes to either side.
const CONTEXT_BYTES: usize = 80;

/// The text around a span.
pub(super) fn surroundings(text: &str, span: Span) -> String {
    let start = text.floor_char_boundary((span.start as usize).saturating_sub(CONTEXT_BYTES));
    let end = text.ceil_char_boundary((span.end as usize + CONTEXT_BYTES).min(text.len()));
    text[start..end].to_owned()
}
