//! Raw documents with their tokens and sentences, read from CoNLL-U files.

use std::{fs::File, io::Read, ops::Range, path::Path};

use anyhow::{Context, Result};
use flate2::read::MultiGzDecoder;

/// A document rebuilt from its sentences: joined by a space, or by a blank line where a paragraph
/// starts.
#[derive(Default)]
pub(crate) struct Gold {
    pub(crate) text: String,
    pub(crate) tokens: Vec<Range<usize>>,
    pub(crate) sentences: Vec<Range<usize>>,
}

/// Reads a gzipped CoNLL-U file.
pub(crate) fn read(path: &Path) -> Result<Vec<Gold>> {
    let mut file = String::new();
    MultiGzDecoder::new(File::open(path).with_context(|| path.display().to_string())?)
        .read_to_string(&mut file)?;
    let mut documents: Vec<Gold> = Vec::new();
    let (mut is_paragraph, mut text) = (false, "");
    let mut forms: Vec<(&str, &str)> = Vec::new();
    for line in file.lines() {
        if line.starts_with("# newdoc") {
            documents.push(Gold::default());
        } else if line == "# newpar" || line.starts_with("# newpar id") {
            is_paragraph = true;
        } else if let Some(found) = line.strip_prefix("# text = ") {
            text = found;
        } else if line.is_empty() {
            if let Some(document) = documents.last_mut() {
                document.add(text, &forms, is_paragraph)?;
            }
            forms.clear();
            is_paragraph = false;
        } else if !line.starts_with('#') {
            let mut columns = line.split('\t');
            let (id, form) = columns.next().zip(columns.next()).context("a line has no form")?;
            if !id.contains('.') {
                forms.push((id, form));
            }
        }
    }
    Ok(documents)
}

impl Gold {
    fn add(&mut self, text: &str, forms: &[(&str, &str)], is_paragraph: bool) -> Result<()> {
        if !self.text.is_empty() {
            self.text.push_str(if is_paragraph { "\n\n" } else { " " });
        }
        let start = self.text.len();
        self.text.push_str(text);
        self.sentences.push(start..self.text.len());
        let mut at = 0;
        // The parts of a multi-word token stand without a gap where they spell it.
        for (id, form) in forms {
            if id.contains('-') {
                continue;
            }
            let found =
                text[at..].find(form).with_context(|| format!("{form} is not in {text}"))?;
            self.tokens.push(start + at + found..start + at + found + form.len());
            at += found + form.len();
        }
        Ok(())
    }
}
