//! The records that label stances in documents, brought to one form.

use anyhow::{Context, ensure};
use serde::Deserialize;
use serde_json::Value;
use standpoint_document::{Document, Metadata, Span};

use super::{NEUTRAL, ReadDocuments, class_of_name};
use crate::evaluate::input::{Characters, DataFile, Place, record};
use crate::style::many;

/// A document with what is labelled in it.
#[derive(Debug)]
pub(super) struct Labelled {
    /// What goes through the pipeline.
    pub(super) document: Document<'static>,
    /// What the intervals draw from: questions with the same key lean on each other.
    pub(super) unit: String,
    /// The part of the data: a file or a capability.
    pub(super) group: String,
    /// Toward whom: a name or an id.
    pub(super) target: String,
    /// Whose stances are labelled.
    pub(super) holders: Vec<Holder>,
    /// Whether every actor that is not listed is neutral, or only those listed are judged.
    pub(super) complete: bool,
}

/// A labelled holder.
#[derive(Debug)]
pub(super) struct Holder {
    /// Who it is.
    pub(super) who: Who,
    /// The label, as index of a class.
    pub(super) expected: usize,
    /// Passages that show it.
    pub(super) evidence: Vec<Span>,
}

/// Whose stance is labelled.
#[derive(Debug)]
pub(super) enum Who {
    /// The voice of the text.
    Author,
    /// Somebody else, by id, by name or by both.
    Actor { id: Option<String>, name: Option<String> },
}

impl Who {
    /// The id, or else the name; `None` for the author.
    pub(super) fn shown(&self) -> Option<String> {
        match self {
            Self::Author => None,
            Self::Actor { id, name } => id.clone().or_else(|| name.clone()),
        }
    }
}

/// A document with every actor that has a stance.
///
/// # Errors
///
/// Names the place and what is wrong with the record.
pub(super) fn whole_document(
    file: &DataFile,
    place: Place<'_>,
    value: &Value,
) -> anyhow::Result<Labelled> {
    #[derive(Deserialize)]
    struct Row {
        id: String,
        title: Option<String>,
        author: Option<String>,
        published: Option<String>,
        language: Option<String>,
        text: String,
        target: String,
        actors: Vec<Actor>,
    }
    #[derive(Deserialize)]
    struct Actor {
        id: Option<String>,
        name: String,
        label: String,
        #[serde(default)]
        evidence: Vec<Passage>,
    }
    #[derive(Deserialize)]
    struct Passage {
        start: usize,
        end: usize,
    }
    let row: Row = record(place, value)?;
    let characters = Characters::new(&row.text);
    let mut holders = Vec::new();
    for actor in row.actors {
        let evidence = actor.evidence.iter().map(|passage| {
            characters.span(passage.start, passage.end).with_context(|| {
                format!("{place}: {}..{} is no part of the text", passage.start, passage.end)
            })
        });
        holders.push(Holder {
            evidence: evidence.collect::<anyhow::Result<_>>()?,
            expected: class_of_name(place, &actor.label)?,
            who: Who::Actor { id: actor.id, name: Some(actor.name) },
        });
    }
    let filled = |field: Option<String>| field.filter(|value| !value.is_empty());
    let metadata = Metadata {
        title: filled(row.title),
        author: filled(row.author),
        published: filled(row.published),
        language: filled(row.language),
        ..Metadata::default()
    };
    let id = format!("{}#{}", file.name(), row.id);
    Ok(Labelled {
        document: Document::new(id.clone(), row.text)?.with_metadata(metadata),
        unit: id,
        group: file.name(),
        target: row.target,
        holders,
        complete: true,
    })
}

/// A short text with one question.
///
/// # Errors
///
/// Names the place and what is wrong with the record.
pub(super) fn probe(file: &DataFile, place: Place<'_>, value: &Value) -> anyhow::Result<Labelled> {
    #[derive(Deserialize)]
    struct Row {
        capability: String,
        id: String,
        text: String,
        author: Option<String>,
        target: String,
        holder: String,
        label: String,
    }
    let row: Row = record(place, value)?;
    let expected = class_of_name(place, &row.label)?;
    let who = match row.holder.as_str() {
        "author" => Who::Author,
        _ => Who::Actor {
            name: row.holder.strip_prefix("name:").map(str::to_owned),
            id: Some(row.holder),
        },
    };
    let metadata = Metadata { author: row.author, ..Metadata::default() };
    // The two probes of a pair differ in one thing and lean on each other.
    let pair = row.id.trim_end_matches(|letter: char| letter.is_ascii_lowercase());
    Ok(Labelled {
        document: Document::new(row.id.clone(), row.text)?.with_metadata(metadata),
        unit: format!("{}#{pair}", file.name()),
        group: row.capability,
        target: row.target,
        holders: vec![Holder { who, expected, evidence: Vec::new() }],
        complete: false,
    })
}

/// What is expected of a document that lies in a folder.
///
/// # Errors
///
/// Names the place and what is wrong with the record.
pub(super) fn expectation(
    file: &DataFile,
    place: Place<'_>,
    value: &Value,
    open: &ReadDocuments<'_>,
) -> anyhow::Result<Labelled> {
    #[derive(Deserialize)]
    struct Row {
        file: String,
        item: Option<String>,
        target: String,
        actors: Vec<Actor>,
        author: Option<String>,
    }
    #[derive(Deserialize)]
    struct Actor {
        id: String,
        name: Option<String>,
        label: String,
    }
    let row: Row = record(place, value)?;
    let mut documents = open(&row.file).with_context(|| place.to_string())?;
    if let Some(item) = &row.item {
        documents.retain(|document| document.metadata().source.id.as_ref() == Some(item));
    }
    ensure!(
        documents.len() == 1,
        "{place}: {} holds {}{}",
        row.file,
        many(documents.len() as u64, "document"),
        row.item.map(|item| format!(" with the id {item:?}")).unwrap_or_default()
    );
    let document = documents.remove(0);
    let mut holders = Vec::new();
    for actor in row.actors {
        holders.push(Holder {
            expected: class_of_name(place, &actor.label)?,
            who: Who::Actor { id: Some(actor.id), name: actor.name },
            evidence: Vec::new(),
        });
    }
    // No attitude of the author's own is told apart from a wrong one.
    let expected = row.author.map_or(Ok(NEUTRAL), |label| class_of_name(place, &label))?;
    holders.push(Holder { who: Who::Author, expected, evidence: Vec::new() });
    Ok(Labelled {
        unit: document.id().to_owned(),
        document,
        group: file.name(),
        target: row.target,
        holders,
        complete: false,
    })
}
