//! BIO files: a token and its tag on each line, a blank line behind each sentence.
//!
//! The text is rebuilt by joining the tokens with single spaces, marks included, so it reads
//! `Yes , minister .`: the same for every tagger that is measured, and no guess of ours. A
//! sentence is a document of its own, since these files do not say which belong together.

use anyhow::{Context, bail};
use standpoint_document::Span;

use super::input::DataFile;

/// A sentence with its labelled names.
#[derive(Debug)]
pub(super) struct Sentence {
    /// The line on which it starts.
    pub(super) line: usize,
    /// Tokens joined by spaces.
    pub(super) text: String,
    /// Names with their type, as the file calls it.
    pub(super) entities: Vec<(Span, String)>,
}

/// Reads the sentences of a file.
///
/// An `I-` without a `B-` before it starts a name, as the scorer of `CoNLL` 2000 has it.
///
/// # Errors
///
/// Names the first line that is not a token and a tag.
pub(super) fn read(file: &DataFile) -> anyhow::Result<Vec<Sentence>> {
    let mut sentences: Vec<Sentence> = Vec::new();
    let mut inside = false;
    for (place, line) in file.lines() {
        if line.trim().is_empty() {
            inside = false;
            continue;
        }
        let (token, tag) = line
            .rsplit_once('\t')
            .or_else(|| line.trim_end().rsplit_once(' '))
            .with_context(|| format!("{place}: expected a token and a tag divided by a tab"))?;
        let tag = tag.trim();
        if !inside {
            let (text, entities) = (String::new(), Vec::new());
            sentences.push(Sentence { line: place.line, text, entities });
            inside = true;
        }
        let Some(sentence) = sentences.last_mut() else { continue };
        let starts_after_a_token = !sentence.text.is_empty();
        let previous_end = sentence.text.len() as u32;
        if starts_after_a_token {
            sentence.text.push(' ');
        }
        let start = sentence.text.len() as u32;
        sentence.text.push_str(token);
        let end = sentence.text.len() as u32;
        let continues = |(span, kind): &(Span, String), name: &str| {
            starts_after_a_token && span.end == previous_end && kind == name
        };
        match tag.split_once('-') {
            None if tag == "O" => {}
            Some(("B", name)) => sentence.entities.push((Span::new(start, end), name.to_owned())),
            Some(("I", name)) => match sentence.entities.last_mut() {
                Some(entity) if continues(entity, name) => entity.0.end = end,
                _ => sentence.entities.push((Span::new(start, end), name.to_owned())),
            },
            _ => bail!("{place}: {tag:?} is not a tag: expected O, B-<type> or I-<type>"),
        }
    }
    Ok(sentences)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluate::input::FileKind;

    fn file(text: &str) -> DataFile {
        DataFile { path: "own.bio".into(), kind: FileKind::Bio, text: text.into() }
    }

    #[test]
    fn tags_become_spans_of_the_joined_text() {
        let text =
            "Rüya\tB-PER\nAkar\tI-PER\nleft\tO\nBergen\tB-LOC\nOslo\tB-LOC\n\nKyoto\tI-LOC\n";
        let sentences = read(&file(text)).unwrap();
        assert_eq!(sentences.len(), 2);
        assert_eq!((sentences[0].line, sentences[1].line), (1, 7));
        assert_eq!(sentences[0].text, "Rüya Akar left Bergen Oslo");
        let names: Vec<_> = sentences[0]
            .entities
            .iter()
            .map(|(span, kind)| (&sentences[0].text[span.range()], kind.as_str()))
            .collect();
        assert_eq!(names, [("Rüya Akar", "PER"), ("Bergen", "LOC"), ("Oslo", "LOC")]);
        assert_eq!(sentences[1].entities.len(), 1);
    }

    #[test]
    fn faults_are_named_with_their_line() {
        let problem = |text: &str| read(&file(text)).unwrap_err().to_string();
        insta::assert_snapshot!(problem("Oslo\tO\nOslo\n"), @"own.bio:2: expected a token and a tag divided by a tab");
        insta::assert_snapshot!(
            problem("Oslo\tX-LOC\n"),
            @r#"own.bio:1: "X-LOC" is not a tag: expected O, B-<type> or I-<type>"#
        );
    }
}
