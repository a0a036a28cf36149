//! Labelled data on disk: lines of a file, packed with gzip or not, that know where they stand.

use std::fmt;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use flate2::read::MultiGzDecoder;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::exit;

/// A file of labelled data.
#[derive(Debug)]
pub(super) struct DataFile {
    /// Where it lies.
    pub(super) path: PathBuf,
    /// What it holds.
    pub(super) kind: FileKind,
    /// Its text, unpacked.
    pub(super) text: String,
}

/// How a file is to be read, by the end of its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FileKind {
    /// One JSON object a line.
    Jsonl,
    /// Two columns, token and BIO tag.
    Bio,
    /// Ten columns, with comments.
    Conllu,
}

/// A place in a file, for messages.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'f> {
    /// The file.
    pub(super) path: &'f Path,
    /// The line, from 1.
    pub(super) line: usize,
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.path.display(), self.line)
    }
}

/// The first two bytes of a gzip file.
const GZIP: [u8; 2] = [0x1f, 0x8b];

impl DataFile {
    /// Reads and unpacks a file.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, is not UTF-8 or has a name that says nothing of its format.
    pub(super) fn read(path: &Path) -> anyhow::Result<Self> {
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
        let plain = name.strip_suffix(".gz").unwrap_or(&name);
        let kind = match plain.rsplit_once('.').map(|(_, ending)| ending) {
            Some("jsonl" | "ndjson") => FileKind::Jsonl,
            Some("bio" | "iob" | "iob2") => FileKind::Bio,
            Some("conllu") => FileKind::Conllu,
            _ => bail!(
                "{}: the name does not say what it holds: expected .jsonl, .bio or .conllu, also \
                 with .gz behind",
                path.display()
            ),
        };
        let file = File::open(path)
            .map_err(|error| exit::usage(format!("cannot open {}: {error}", path.display())))?;
        let text = unpack(BufReader::new(file))
            .with_context(|| format!("cannot read {} as UTF-8 text", path.display()))?;
        Ok(Self { path: path.to_owned(), kind, text })
    }

    /// The file's name with its folder, which stands for it in figures: data sets call their files
    /// alike, and their folders tell them apart.
    pub(super) fn name(&self) -> String {
        let file = self.path.file_name().unwrap_or_default().to_string_lossy();
        match self.path.parent().and_then(Path::file_name) {
            Some(folder) => format!("{}/{file}", folder.to_string_lossy()),
            None => file.into_owned(),
        }
    }

    /// The place of a line, from 1.
    pub(super) fn place(&self, line: usize) -> Place<'_> {
        Place { path: &self.path, line }
    }

    /// The lines with their places, without the ends of lines.
    pub(super) fn lines(&self) -> impl Iterator<Item = (Place<'_>, &str)> {
        self.text.lines().enumerate().map(|(index, line)| (self.place(index + 1), line))
    }

    /// The JSON object of each line that is not blank.
    ///
    /// # Errors
    ///
    /// Names the first line that is not JSON.
    pub(super) fn values(&self) -> anyhow::Result<Vec<(Place<'_>, Value)>> {
        self.lines()
            .filter(|(_, line)| !line.trim().is_empty())
            .map(|(place, line)| {
                let value = serde_json::from_str(line).with_context(|| place.to_string())?;
                Ok((place, value))
            })
            .collect()
    }
}

/// Reads all of a stream, through gzip if it starts like that.
fn unpack(mut stream: impl BufRead) -> std::io::Result<String> {
    let mut text = String::new();
    if stream.fill_buf()?.starts_with(&GZIP) {
        MultiGzDecoder::new(stream).read_to_string(&mut text)?;
    } else {
        stream.read_to_string(&mut text)?;
    }
    Ok(text)
}

/// Reads one record of a known shape.
///
/// # Errors
///
/// Names the place and what is wrong with the record.
pub(super) fn record<T: DeserializeOwned>(place: Place<'_>, value: &Value) -> anyhow::Result<T> {
    T::deserialize(value).with_context(|| place.to_string())
}

/// Turns offsets that count characters into byte offsets of one text.
pub(super) struct Characters {
    /// Byte offset of each character, and of the end.
    starts: Vec<u32>,
}

impl Characters {
    /// Prepares the look-up for `text`.
    pub(super) fn new(text: &str) -> Self {
        let starts = text.char_indices().map(|(byte, _)| byte).chain([text.len()]);
        Self { starts: starts.map(|byte| byte as u32).collect() }
    }

    /// The byte span of characters `start..end`; `None` when that is empty, backwards or
    /// outside the text.
    pub(super) fn span(&self, start: usize, end: usize) -> Option<standpoint_document::Span> {
        let (from, to) = (self.starts.get(start)?, self.starts.get(end)?);
        (from < to).then_some(standpoint_document::Span::new(*from, *to))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    #[test]
    fn packed_and_plain_streams_read_alike() {
        let mut packed = GzEncoder::new(Vec::new(), Compression::default());
        packed.write_all("ein Rüffel\n".as_bytes()).unwrap();
        let packed = packed.finish().unwrap();
        assert_eq!(unpack(packed.as_slice()).unwrap(), "ein Rüffel\n");
        assert_eq!(unpack("ein Rüffel\n".as_bytes()).unwrap(), "ein Rüffel\n");
        assert_eq!(unpack(&b""[..]).unwrap(), "");
    }

    #[test]
    fn files_of_one_name_are_told_apart_by_their_folder() {
        let cases = [
            ("/data/north/dev.bio", "north/dev.bio"),
            ("dev.bio", "dev.bio"),
            ("./dev.bio", "dev.bio"),
            ("/dev.bio", "dev.bio"),
        ];
        for (path, name) in cases {
            let file = DataFile { path: path.into(), kind: FileKind::Bio, text: String::new() };
            assert_eq!(file.name(), name, "{path}");
        }
    }

    #[test]
    fn a_line_that_is_not_json_is_named() {
        let file =
            DataFile { path: "a.jsonl".into(), kind: FileKind::Jsonl, text: "{}\n\n{\n".into() };
        let error = file.values().unwrap_err();
        insta::assert_snapshot!(format!("{error:#}"), @"a.jsonl:3: EOF while parsing an object at line 1 column 1");
    }

    #[test]
    fn characters_become_bytes() {
        let characters = Characters::new("Żółw.");
        assert_eq!(characters.span(1, 3).map(standpoint_document::Span::range), Some(2..6));
        assert_eq!(characters.span(4, 5).map(standpoint_document::Span::range), Some(7..8));
        for (start, end) in [(2, 2), (3, 1), (4, 6), (9, 10)] {
            assert_eq!(characters.span(start, end), None, "{start}..{end}");
        }
    }

    #[test]
    fn a_name_without_a_known_ending_is_refused() {
        let error = DataFile::read(Path::new("labels.xlsx")).unwrap_err();
        insta::assert_snapshot!(error, @"labels.xlsx: the name does not say what it holds: expected .jsonl, .bio or .conllu, also with .gz behind");
    }
}
