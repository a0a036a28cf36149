//! Tokens, sentences and names: stretches of text that must be found exactly.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, anyhow, bail};
use serde::Deserialize;
use standpoint_document::{Annotation, CodePoints, Document, EntityKind, Metadata, Span, mention};

use super::input::{Characters, DataFile, FileKind, record};
use super::metrics::Tally;
use super::outcome::{LeftOut, Outcome, Question, Share, Wrong, surroundings};
use super::{Annotate, annotated, bio, conllu};

/// A text with the spans that an annotator marked, each with its class.
struct Labelled {
    id: String,
    group: String,
    text: String,
    metadata: Metadata,
    spans: BTreeSet<(Span, usize)>,
    /// Whether names may stand inside names, and which classes the data labels.
    scheme: Scheme,
}

/// Measures the tokens of documents in CoNLL-U.
///
/// # Errors
///
/// When the data is no CoNLL-U, or the pipeline fails.
pub(super) fn tokens(files: &[DataFile], annotate: &mut Annotate<'_>) -> anyhow::Result<Outcome> {
    let labelled = treebanks(files, |treebank| &treebank.tokens)?;
    let found = |document: &Document<'_>, _: Scheme| plain(document, document.tokens());
    let rule = |text: &str| {
        let words = text.split_whitespace();
        words.map(|word| (span_of(text, word), 0)).collect()
    };
    let mut outcome = Outcome::new(&["token"]);
    outcome.baseline = Some(("cut at white space", by_rule(1, &labelled, rule)));
    measure(outcome, &labelled, annotate, found)
}

/// Measures the sentences of documents in CoNLL-U.
///
/// # Errors
///
/// When the data is no CoNLL-U, or the pipeline fails.
pub(super) fn sentences(
    files: &[DataFile],
    annotate: &mut Annotate<'_>,
) -> anyhow::Result<Outcome> {
    let labelled = treebanks(files, |treebank| &treebank.sentences)?;
    let found = |document: &Document<'_>, _: Scheme| plain(document, document.sentences());
    let mut outcome = Outcome::new(&["sentence"]);
    let baseline = by_rule(1, &labelled, sentences_at_full_stops);
    outcome.baseline = Some(("cut behind `.`, `!`, `?` and at blank lines", baseline));
    measure(outcome, &labelled, annotate, found)
}

/// Measures the names of documents in BIO, CoNLL-U or re3d's JSONL.
///
/// # Errors
///
/// When the data is none of these, or the pipeline fails.
pub(super) fn entities(files: &[DataFile], annotate: &mut Annotate<'_>) -> anyhow::Result<Outcome> {
    let mut labelled = Vec::new();
    let mut outcome = Outcome::new(&CLASSES);
    for file in files {
        labelled.extend(names(file, &mut outcome.left_out)?);
    }
    outcome.left_out.check(labelled.iter().map(|text| text.spans.len()).sum())?;
    let total = labelled.iter().flat_map(|text| &text.spans);
    let mut frequency = [0; CLASSES.len()];
    total.for_each(|(_, class)| frequency[*class] += 1);
    let most = (0..CLASSES.len()).rev().max_by_key(|&class| frequency[class]).unwrap_or(0);
    let baseline = by_rule(CLASSES.len(), &labelled, |text| capitalised(text, most));
    outcome.baseline = Some(("runs of capitalised words, as the most frequent class", baseline));
    measure(outcome, &labelled, annotate, mentions)
}

/// What the pipeline found: spans with class and confidence.
type Found = BTreeMap<(Span, usize), Option<f32>>;

/// Sends the texts through the pipeline and compares.
fn measure(
    mut outcome: Outcome,
    labelled: &[Labelled],
    annotate: &mut Annotate<'_>,
    find: impl Fn(&Document<'_>, Scheme) -> Found,
) -> anyhow::Result<Outcome> {
    let documents = labelled
        .iter()
        .map(|text| {
            let document = Document::new(text.id.clone(), text.text.clone())?;
            Ok(document.with_metadata(text.metadata.clone()))
        })
        .collect::<anyhow::Result<Vec<_>>>()?;
    let documents = annotated(documents, None, annotate)?;
    outcome.count_documents(&documents);
    let (mut same_span, mut all_found) = (0, 0);
    for (text, document) in labelled.iter().zip(&documents) {
        let found = find(document, text.scheme);
        let marked: BTreeSet<Span> = text.spans.iter().map(|(span, _)| *span).collect();
        same_span += found.keys().filter(|(span, _)| marked.contains(span)).count() as u64;
        all_found += found.len() as u64;
        compare(&mut outcome, text, document, &found);
    }
    if outcome.classes.len() > 1 {
        outcome.shares.push(Share {
            name: "found spans that are labelled, whatever the class",
            part: same_span,
            whole: all_found,
        });
    }
    Ok(outcome)
}

/// Counts the spans of one text and keeps those that differ.
fn compare(outcome: &mut Outcome, text: &Labelled, document: &Document<'_>, found: &Found) {
    let tally = outcome.unit(&text.id, &text.group);
    count(tally, &text.spans, found.keys());
    for (key, confidence) in found {
        if let Some(confidence) = confidence {
            outcome.confidences.push((f64::from(*confidence), text.spans.contains(key)));
        }
    }
    let points = CodePoints::new(document.text());
    let classes = &outcome.classes;
    let wrong = |span: Span, expected: Option<usize>, answer: Option<(usize, Option<f32>)>| Wrong {
        id: text.id.clone(),
        group: text.group.clone(),
        question: Question::stretch(document, &points, span),
        expected: expected.map(|class| classes[class].clone()),
        found: answer.map(|(class, _)| classes[class].clone()),
        confidence: answer.and_then(|(_, confidence)| confidence),
        text: surroundings(document.text(), span),
    };
    let answer_at = |span: Span| {
        let here = found.range((span, 0)..=(span, usize::MAX)).next();
        here.map(|((_, class), confidence)| (*class, *confidence))
    };
    let missed = text.spans.iter().filter(|key| !found.contains_key(key));
    let missed = missed.map(|&(span, class)| wrong(span, Some(class), answer_at(span)));
    // A span with another class is told once, as the label that was missed.
    let labelled_at =
        |span: Span| text.spans.range((span, 0)..=(span, usize::MAX)).next().is_some();
    let extra = found.iter().filter(|((span, _), _)| !labelled_at(*span));
    let extra =
        extra.map(|(&(span, class), &confidence)| wrong(span, None, Some((class, confidence))));
    let all: Vec<Wrong> = missed.chain(extra).collect();
    outcome.wrong.extend(all);
}

fn count<'f>(
    tally: &mut Tally,
    labelled: &BTreeSet<(Span, usize)>,
    found: impl Iterator<Item = &'f (Span, usize)>,
) {
    for (_, class) in labelled {
        tally.classes[*class].labelled += 1;
    }
    for key in found {
        tally.classes[key.1].found += 1;
        tally.classes[key.1].right += u64::from(labelled.contains(key));
    }
}

/// What a rule that sees only the text would get.
fn by_rule(
    classes: usize,
    labelled: &[Labelled],
    rule: impl Fn(&str) -> BTreeSet<(Span, usize)>,
) -> Tally {
    let mut tally = Tally::new(classes);
    for text in labelled {
        count(&mut tally, &text.spans, rule(&text.text).iter());
    }
    tally
}

/// Documents of treebanks with one kind of span.
fn treebanks(
    files: &[DataFile],
    spans: impl Fn(&conllu::Treebank) -> &Vec<Span>,
) -> anyhow::Result<Vec<Labelled>> {
    let mut labelled = Vec::new();
    for file in files {
        if file.kind != FileKind::Conllu {
            bail!("{}: this task needs CoNLL-U, a file that ends in .conllu", file.path.display());
        }
        for treebank in conllu::read(file)? {
            labelled.push(Labelled {
                id: format!("{}#{}", file.name(), treebank.id),
                group: file.name(),
                spans: spans(&treebank).iter().map(|&span| (span, 0)).collect(),
                text: treebank.text,
                metadata: Metadata::default(),
                scheme: Scheme::default(),
            });
        }
    }
    Ok(labelled)
}

/// Spans without class or confidence; white space at their edges does not count.
fn plain(document: &Document<'_>, annotations: &[Annotation]) -> Found {
    annotations
        .iter()
        .filter_map(|annotation| {
            let word = document.slice(annotation.span).trim();
            let inside = document.slice(annotation.span);
            let lead = inside.len() - inside.trim_start().len();
            let start = annotation.span.start + lead as u32;
            let span = Span::new(start, start + word.len() as u32);
            (!word.is_empty()).then_some(((span, 0), None))
        })
        .collect()
}

/// The classes that all entity schemes are brought to.
const CLASSES: [&str; 6] = ["PER", "ORG", "LOC", "NORP", "EVENT", "MISC"];
const PER: usize = 0;
const ORG: usize = 1;
const LOC: usize = 2;
const NORP: usize = 3;
const EVENT: usize = 4;
const MISC: usize = 5;

/// What a set of labelled names covers.
#[derive(Debug, Clone, Copy, Default)]
struct Scheme {
    /// Whether the set labels any name of each class.
    labels: [bool; CLASSES.len()],
    /// Whether names may stand inside names.
    nested: bool,
}

impl Scheme {
    fn of<'s>(nested: bool, spans: impl Iterator<Item = &'s (Span, usize)>) -> Self {
        let mut labels = [false; CLASSES.len()];
        spans.for_each(|(_, class)| labels[*class] = true);
        Self { labels, nested }
    }

    /// The class under which the set would label something that we hold for `class`; `None`
    /// where the set does not label such things.
    fn place(self, class: usize) -> Option<usize> {
        if self.labels[class] {
            return Some(class);
        }
        (matches!(class, NORP | EVENT) && self.labels[MISC]).then_some(MISC)
    }
}

/// The class of a label of a data set; `None` for what is no name (amounts, dates, weapons).
///
/// A type that is not listed is a name of something else.
fn class_of_label(label: &str) -> Option<usize> {
    Some(match label.to_lowercase().as_str() {
        "per" | "person" | "politician" | "researcher" | "scientist" | "writer"
        | "musicalartist" => PER,
        "org" | "organisation" | "organization" | "politicalparty" | "corporation" | "group"
        | "university" | "band" => ORG,
        "loc" | "gpe" | "location" | "place" | "country" => LOC,
        "norp" | "nationality" => NORP,
        "event" | "election" | "conference" => EVENT,
        "quantity" | "temporal" | "time" | "money" | "documentreference" | "coordinate"
        | "weapon" | "vehicle" | "militaryplatform" | "frequency" | "commsidentifier"
        | "substance" | "animal" | "plant" | "abstract" | "object" => return None,
        _ => MISC,
    })
}

/// The names that the pipeline tagged, in the classes of the set.
///
/// Pronouns and descriptions are no names. Countries and places are one class, since no set here
/// tells them apart; demonyms are one of their own, whatever they are tagged as.
fn mentions(document: &Document<'_>, scheme: Scheme) -> Found {
    let mut found = Found::new();
    for tagged in document.mentions() {
        if tagged.has(mention::ANAPHOR) || (!scheme.nested && tagged.has(mention::NESTED)) {
            continue;
        }
        let class = match EntityKind::from_code(tagged.label) {
            _ if tagged.has(mention::DEMONYM) => NORP,
            Some(EntityKind::Person) => PER,
            Some(EntityKind::Organisation | EntityKind::Group) => ORG,
            Some(EntityKind::Country | EntityKind::Place) => LOC,
            Some(EntityKind::Event) => EVENT,
            Some(EntityKind::Other) | None => MISC,
        };
        if let Some(class) = scheme.place(class) {
            found.insert((tagged.span, class), Some(tagged.score));
        }
    }
    found
}

/// The part of a re3d record that names need.
#[derive(Deserialize)]
struct Re3d {
    id: String,
    text: String,
    entities: Vec<Re3dEntity>,
}

#[derive(Deserialize)]
struct Re3dEntity {
    start: usize,
    end: usize,
    #[serde(rename = "type")]
    kind: String,
    text: String,
}

/// Id and text of a document with its names, as the file calls their types.
type NamedText = (String, String, Vec<(Span, String)>);

/// Reads the labelled names of a file.
fn names(file: &DataFile, left_out: &mut LeftOut) -> anyhow::Result<Vec<Labelled>> {
    let mut texts: Vec<NamedText> = Vec::new();
    match file.kind {
        FileKind::Bio => {
            for sentence in bio::read(file)? {
                let id = format!("{}:{}", file.name(), sentence.line);
                texts.push((id, sentence.text, sentence.entities));
            }
        }
        FileKind::Conllu => {
            for treebank in conllu::read(file)? {
                let id = format!("{}#{}", file.name(), treebank.id);
                texts.push((id, treebank.text, treebank.entities));
            }
        }
        FileKind::Jsonl => {
            for (place, value) in file.values()? {
                let Re3d { id, text, entities } = record(place, &value)
                    .context("entities are read from JSONL as re3d has it: id, text, entities")?;
                let characters = Characters::new(&text);
                let mut spans = Vec::new();
                for Re3dEntity { start, end, kind, text: surface } in entities {
                    match characters.span(start, end) {
                        Some(span) if text[span.range()] == surface => spans.push((span, kind)),
                        _ => {
                            left_out.push(anyhow!("{place}: {surface:?} is not at {start}..{end}"));
                        }
                    }
                }
                texts.push((format!("{}#{id}", file.name()), text, spans));
            }
        }
    }
    let texts = texts.into_iter().map(|(id, text, spans)| {
        let spans = spans.into_iter();
        let spans: BTreeSet<_> =
            spans.filter_map(|(span, label)| Some((span, class_of_label(&label)?))).collect();
        (id, text, spans)
    });
    let texts: Vec<_> = texts.collect();
    let nested = file.kind != FileKind::Bio;
    let scheme = Scheme::of(nested, texts.iter().flat_map(|(.., spans)| spans));
    let labelled = texts.into_iter().map(|(id, text, spans)| Labelled {
        id,
        group: file.name(),
        text,
        metadata: Metadata::default(),
        spans,
        scheme,
    });
    Ok(labelled.collect())
}

/// Where `part`, a slice of `text`, stands in it.
fn span_of(text: &str, part: &str) -> Span {
    let start = part.as_ptr() as usize - text.as_ptr() as usize;
    Span::new(start as u32, (start + part.len()) as u32)
}

/// A rule to compare with: a sentence ends behind a mark that ends sentences and white space
/// follows.
fn sentences_at_full_stops(text: &str) -> BTreeSet<(Span, usize)> {
    let mut spans = BTreeSet::new();
    for paragraph in text.split("\n\n") {
        let mut rest = paragraph;
        while !rest.trim().is_empty() {
            let mut ends = rest.match_indices(['.', '!', '?']).map(|(index, _)| index + 1);
            let end = ends
                .find(|&end| rest[end..].is_empty() || rest[end..].starts_with(char::is_whitespace))
                .unwrap_or(rest.len());
            spans.insert((span_of(text, rest[..end].trim()), 0));
            rest = &rest[end..];
        }
    }
    spans
}

/// A rule to compare with: neighbouring words that start with a capital are a name; the first
/// word of the text is not, since every sentence starts with one.
fn capitalised(text: &str, class: usize) -> BTreeSet<(Span, usize)> {
    let mut spans = BTreeSet::new();
    let mut run: Option<Span> = None;
    for word in text.split_whitespace().skip(1) {
        let bare = word.trim_matches(|c: char| c.is_ascii_punctuation());
        if bare.starts_with(char::is_uppercase) {
            let span = span_of(text, bare);
            run = Some(run.map_or(span, |run| Span::new(run.start, span.end)));
        } else if let Some(span) = run.take() {
            spans.insert((span, class));
        }
    }
    spans.extend(run.map(|span| (span, class)));
    spans
}

#[cfg(test)]
mod tests {
    use standpoint_document::{Aliases, Entity, layers};

    use super::*;
    use crate::evaluate::fixture::{file, identity};

    fn texts<'t>(text: &'t str, spans: &BTreeSet<(Span, usize)>) -> Vec<&'t str> {
        spans.iter().map(|(span, _)| &text[span.range()]).collect()
    }

    #[test]
    fn simple_rules_do_what_their_names_say() {
        let text = "Mr. Ode left! He met Ana  Lund,\n\nthen Oslo";
        let found = sentences_at_full_stops(text);
        assert_eq!(texts(text, &found), ["Mr.", "Ode left!", "He met Ana  Lund,", "then Oslo"]);
        let found = capitalised(text, ORG);
        assert_eq!(texts(text, &found), ["Ode", "He", "Ana  Lund", "Oslo"]);
    }

    /// Labels PER, LOC, MISC; found: the PER, the LOC as ORG, and one that is not labelled.
    #[test]
    fn spans_count_when_place_and_class_agree() {
        let data = file("own.bio", "Ana\tB-PER\nleft\tO\nOslo\tB-LOC\nNordic\tB-MISC\nWe\tO\n");
        let mut tag = |mut documents: Vec<Document<'static>>, _: Option<&[String]>| {
            let kinds = [
                (0, 3, EntityKind::Person, 0),
                (9, 13, EntityKind::Organisation, 0),
                (14, 20, EntityKind::Country, mention::DEMONYM),
                (14, 23, EntityKind::Person, mention::ANAPHOR),
                (21, 23, EntityKind::Event, 0),
            ];
            let entity = |kind: EntityKind| Entity {
                id: "name:x".into(),
                name: "x".into(),
                kind,
                country: None,
                speaks_for_country: false,
                aliases: Aliases::new(),
            };
            let mentions = kinds.iter().enumerate().map(|(index, &(start, end, kind, flags))| {
                Annotation::new(Span::new(start, end))
                    .with_label(kind.code())
                    .with_flags(flags)
                    .with_score(0.75)
                    .with_link(index as u32)
            });
            let table = kinds.iter().map(|&(_, _, kind, _)| entity(kind)).collect();
            documents[0].set_entities(mentions.collect(), table)?;
            Ok(documents)
        };
        let outcome = entities(&[data], &mut tag).unwrap();
        let total = outcome.total();
        let row = |class: usize| {
            let counts = total.classes[class];
            (counts.right, counts.found, counts.labelled)
        };
        assert_eq!(row(PER), (1, 1, 1));
        // The set labels no ORG, so what we call one is not asked for.
        assert_eq!(row(ORG), (0, 0, 0));
        assert_eq!(row(LOC), (0, 0, 1));
        // A demonym and an event are MISC where the set knows no better class.
        assert_eq!(row(MISC), (1, 2, 1));
        let wrong: Vec<_> =
            outcome.wrong.iter().map(|w| (w.expected.as_deref(), w.found.as_deref())).collect();
        assert_eq!(wrong, [(Some("LOC"), None), (None, Some("MISC"))]);
        assert_eq!(outcome.confidences.len(), 3);
    }

    #[test]
    fn tokens_and_sentences_are_compared_by_their_place() {
        let word = |id: u32, form: &str| format!("{id}\t{form}\t_\tX\t_\t_\t_\t_\t_\t_\n");
        let conllu = format!("# text = Go on.\n{}{}{}", word(1, "Go"), word(2, "on"), word(3, "."));
        let data = [file("own.conllu", &conllu)];
        let mut cut = |mut documents: Vec<Document<'static>>, _: Option<&[String]>| {
            let spans = [(0, 2), (3, 6)].map(|(s, e)| Annotation::new(Span::new(s, e)));
            documents[0].set_layer(layers::TOKENS, spans.to_vec())?;
            documents[0].set_layer(layers::SENTENCES, vec![Annotation::new(Span::new(0, 6))])?;
            Ok(documents)
        };
        let outcome = tokens(&data, &mut cut).unwrap();
        let counts = outcome.total().classes[0];
        assert_eq!((counts.right, counts.found, counts.labelled), (1, 2, 3));
        assert_eq!(outcome.wrong.len(), 3);
        let baseline = outcome.baseline.unwrap().1.classes[0];
        assert_eq!((baseline.right, baseline.found, baseline.labelled), (1, 2, 3));
        let outcome = sentences(&data, &mut cut).unwrap();
        assert_eq!(outcome.total().classes[0].right, 1);
        assert!(outcome.wrong.is_empty());
    }

    #[test]
    fn a_few_labels_that_miss_their_text_are_left_out_and_many_are_refused() {
        let entity = |start: usize, end: usize, kind: &str, text: &str| {
            format!(r#"{{"start":{start},"end":{end},"type":"{kind}","text":"{text}"}}"#)
        };
        let line = |entities: &[String]| {
            format!(r#"{{"id":"d","text":"Žena in Oslo","entities":[{}]}}"#, entities.join(","))
        };
        let right = entity(8, 12, "Location", "Oslo");
        let (amount, shifted) = (entity(0, 4, "Quantity", "Žena"), entity(0, 4, "Person", "Xena"));
        let mut lines = vec![line(std::slice::from_ref(&right)); 30];
        lines[0] = line(&[right.clone(), amount, shifted.clone()]);
        let data = file("own.jsonl", &lines.join("\n"));
        let outcome = entities(&[data], &mut identity).unwrap();
        assert_eq!(outcome.left_out.count, 1);
        assert_eq!(outcome.total().micro().labelled, 30);
        let data = file("own.jsonl", &line(&[right, shifted]));
        let error = entities(&[data], &mut identity).unwrap_err();
        insta::assert_snapshot!(error, @r#"own.jsonl:1: "Xena" is not at 0..4"#);
        let Question::Stretch { start, end, surface } = &outcome.wrong[0].question else {
            panic!("a span was missed")
        };
        assert_eq!((*start, *end, surface.as_str()), (8, 12, "Oslo"));
    }
}
