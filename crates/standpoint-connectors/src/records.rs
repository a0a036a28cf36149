//! Single records of a file, as they stand in it: for the quarantine of one that failed.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Cursor, Read, Write};
use std::path::PathBuf;

use flate2::write::GzEncoder;
use ruzstd::encoding::{CompressionLevel, compress_to_vec};

use crate::encoding;
use crate::encoding::stream::AsUtf8;
use crate::formats::{Compression, Each, Format, csv, feed, json, mail};
use crate::limits::ReadLimits;
use crate::read::expand::plain;

/// Whether a file with this name may hold several records, so that one that failed is kept alone.
pub(crate) fn can_be_separated(path: &str) -> bool {
    let Ok((format, _)) = Format::of_path(path) else { return false };
    match format {
        Format::Jsonl | Format::Json | Format::Csv | Format::Mbox | Format::Feed => true,
        Format::Text | Format::Markdown | Format::Html | Format::Mail => false,
    }
}

/// Whether the records of a file are given as the bytes that stand in it, with nothing of it left
/// out: those of other formats, and of lines in UTF-16, are decoded, or written anew.
///
/// # Errors
///
/// When the file cannot be read.
pub(crate) fn are_its_bytes(
    open: impl Fn() -> io::Result<File>,
    path: &str,
    limits: &ReadLimits,
) -> io::Result<bool> {
    match Format::of_path(path) {
        Ok((Format::Jsonl, compression)) => {
            let mut lines = AsUtf8::new(plain(open()?, compression, limits));
            lines.fill_buf()?;
            Ok(!lines.is_decoded())
        }
        Ok((Format::Mbox, _)) => Ok(true),
        _ => Ok(false),
    }
}

/// Whether a file is no more than its records: put together again they are its bytes. So it is with
/// a file of records that were tried again, unless somebody wrote to it since.
///
/// - `count`: how many records it holds.
///
/// # Errors
///
/// When the file cannot be read.
pub(crate) fn are_all_of(
    open: impl Fn() -> io::Result<File>,
    path: &str,
    limits: &ReadLimits,
    count: u64,
) -> io::Result<bool> {
    let (name, compression) = Compression::of_name(path);
    let mut all = Vec::new();
    plain(open()?, compression, limits).take(MOST_TOGETHER + 1).read_to_end(&mut all)?;
    if all.len() as u64 > MOST_TOGETHER {
        return Ok(false);
    }
    let mut records = Vec::new();
    separate(open()?, path, limits, &(0..count).collect(), &mut |_, bytes| {
        let mut record = Vec::new();
        bytes.read_to_end(&mut record)?;
        records.push(record);
        Ok(())
    })?;
    Ok(records.len() as u64 == count && join(name, &records, limits)? == all)
}

/// Gives the records whose numbers are `wanted`, each once and in their order, as a file that holds
/// it alone: under the name of the file that they stand in, the document in it has the same id.
///
/// Records are counted from 0 as [`read::documents`](crate::read::documents) counts them: blank
/// lines are none, lines over the limit are. The bytes are expanded where the file is compressed.
///
/// # Errors
///
/// When the file cannot be read; what `each` says.
pub(crate) fn separate(
    file: File,
    path: &str,
    limits: &ReadLimits,
    wanted: &BTreeSet<u64>,
    each: &mut Each<'_>,
) -> io::Result<()> {
    let (format, compression) = Format::of_path(path).map_err(io::Error::other)?;
    let plain = plain(file, compression, limits);
    match format {
        Format::Jsonl => lines(plain, limits, wanted, each),
        Format::Csv => csv::separate(plain, limits, wanted, each),
        Format::Mbox => mail::separate(plain, limits, wanted, each),
        Format::Json => json::separate(text(plain, limits)?, limits, wanted, each),
        Format::Feed => feed::separate(&text(plain, limits)?, wanted, each),
        Format::Text | Format::Markdown | Format::Html | Format::Mail => Ok(()),
    }
}

/// Makes one file of records that stood in it, each in a file that holds it alone.
///
/// - `path`: of that file, which says the format and whether it is compressed.
///
/// # Errors
///
/// When a record cannot be read.
pub(crate) fn join(path: &str, records: &[Vec<u8>], limits: &ReadLimits) -> io::Result<Vec<u8>> {
    let (format, compression) = Format::of_path(path).map_err(io::Error::other)?;
    let plain = match format {
        Format::Csv => csv::join(records, limits)?,
        Format::Json => json::join(records),
        Format::Feed => {
            let feeds = records.iter().map(|record| text(&mut record.as_slice(), limits));
            feed::join(&feeds.collect::<io::Result<Vec<_>>>()?)?.into_bytes()
        }
        _ => {
            let mut all = Vec::new();
            one_by_one(records.iter().map(|record| Ok(record.as_slice())), &mut all)?;
            all
        }
    };
    Ok(match compression {
        None => plain,
        Some(Compression::Gzip) => {
            let mut packed = GzEncoder::new(Vec::new(), flate2::Compression::default());
            packed.write_all(&plain)?;
            packed.finish()?
        }
        Some(Compression::Zstd) => compress_to_vec(plain.as_slice(), CompressionLevel::Fastest),
    })
}

/// How many bytes of records are joined in memory, where their format or compression needs all of
/// them at once.
const MOST_TOGETHER: u64 = 64 << 20;

/// Does what [`join`] does for records in files of their own, and takes little memory however many
/// they are.
///
/// # Errors
///
/// When a record cannot be read, `out` cannot be written, or there is more than can be joined.
pub(crate) fn join_files(
    path: &str,
    records: &[PathBuf],
    limits: &ReadLimits,
    out: &mut dyn Write,
) -> io::Result<()> {
    let (format, compression) = Format::of_path(path).map_err(io::Error::other)?;
    match (format, compression) {
        (Format::Jsonl | Format::Mbox, None) => one_by_one(opened(records), out),
        (Format::Jsonl | Format::Mbox, Some(Compression::Gzip)) => {
            let mut packed = GzEncoder::new(out, flate2::Compression::default());
            one_by_one(opened(records), &mut packed)?;
            packed.finish().map(drop)
        }
        _ => {
            let bytes = records.iter().map(|record| Ok(record.metadata()?.len()));
            let bytes: u64 = bytes.sum::<io::Result<u64>>()?;
            if bytes > MOST_TOGETHER {
                return Err(io::Error::other(format!(
                    "its records have {bytes} bytes together, and no more than {MOST_TOGETHER} can be \
                     put back at once: name fewer of them"
                )));
            }
            let records = records.iter().map(fs::read).collect::<io::Result<Vec<_>>>()?;
            out.write_all(&join(path, &records, limits)?)
        }
    }
}

fn opened(records: &[PathBuf]) -> impl Iterator<Item = io::Result<BufReader<File>>> {
    records.iter().map(|record| Ok(BufReader::new(File::open(record)?)))
}

/// One behind the other, a piece at a time; the last line of a file may have no end, and others
/// must.
fn one_by_one(
    records: impl Iterator<Item = io::Result<impl BufRead>>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut last = b'\n';
    for record in records {
        let mut bytes = record?;
        if last != b'\n' {
            out.write_all(b"\n")?;
        }
        loop {
            let piece = bytes.fill_buf()?;
            let Some(&end) = piece.last() else { break };
            last = end;
            out.write_all(piece)?;
            let length = piece.len();
            bytes.consume(length);
        }
    }
    Ok(())
}

/// A file that is read as a whole. It is no larger than a document may be, or was refused.
fn text(plain: impl Read, limits: &ReadLimits) -> io::Result<String> {
    let mut bytes = Vec::new();
    plain.take(limits.max_document_bytes).read_to_end(&mut bytes)?;
    encoding::decode(&bytes)
        .map(|decoded| decoded.text)
        .map_err(|_| io::Error::other("it is not text"))
}

fn lines(
    lines: Box<dyn BufRead + Send>,
    limits: &ReadLimits,
    wanted: &BTreeSet<u64>,
    each: &mut Each<'_>,
) -> io::Result<()> {
    let mut lines = AsUtf8::new(lines);
    let most = limits.max_line_bytes;
    let last = wanted.last().copied().unwrap_or_default();
    let mut number = 0;
    while number <= last {
        let mut line = Vec::new();
        let mut bounded = (&mut lines).take(most.saturating_add(2));
        if bounded.read_until(b'\n', &mut line)? == 0 {
            break;
        }
        let is_ended = line.last() == Some(&b'\n');
        let is_long = line.len() as u64 - u64::from(is_ended) > most;
        if !is_long && line.trim_ascii().is_empty() {
            continue;
        }
        let mut rest = Rest { lines: &mut lines, is_ended };
        if wanted.contains(&number) {
            each(number, &mut Cursor::new(line).chain(&mut rest))?;
        }
        io::copy(&mut rest, &mut io::sink())?;
        number += 1;
    }
    Ok(())
}

/// What follows of a line that was read in part, its end included.
struct Rest<'l> {
    lines: &'l mut AsUtf8,
    is_ended: bool,
}

impl Read for Rest<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.is_ended || buffer.is_empty() {
            return Ok(0);
        }
        let available = self.lines.fill_buf()?;
        let end = memchr::memchr(b'\n', available).map(|end| end + 1);
        let count = end.unwrap_or(available.len()).min(buffer.len());
        buffer[..count].copy_from_slice(&available[..count]);
        self.is_ended = count == 0 || end == Some(count);
        self.lines.consume(count);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::read::{self, Origin};

    const LONG: usize = 100_000;

    /// A file, and the records that are wanted of it.
    type Case<'c> = (&'c str, String, &'c [(u64, &'c str)]);

    fn limits() -> ReadLimits {
        ReadLimits { max_line_bytes: 60, max_document_bytes: 400, ..ReadLimits::default() }
    }

    fn file(content: &[u8]) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(content).unwrap();
        std::io::Seek::rewind(&mut file).unwrap();
        file
    }

    fn records(path: &str, content: &[u8], wanted: &[u64]) -> Vec<(u64, Vec<u8>)> {
        let mut found = Vec::new();
        let wanted = wanted.iter().copied().collect();
        separate(file(content), path, &limits(), &wanted, &mut |number, bytes| {
            let mut record = Vec::new();
            bytes.read_to_end(&mut record)?;
            found.push((number, record));
            Ok(())
        })
        .unwrap();
        found
    }

    /// What the reader makes of a file: of each record the id, or nothing if it is bad.
    fn ids(path: &str, content: &[u8]) -> Vec<Option<String>> {
        let origin = Origin { source: "news".into(), path: path.into() };
        let documents = read::documents(file(content), &origin, &limits()).unwrap();
        documents.map(|document| Some(document.ok()?.id().to_owned())).collect()
    }

    #[test]
    fn each_wanted_record_is_given_as_it_stands() {
        let long = format!("{{\"text\": \"{}\"}}\n", "x".repeat(LONG));
        let lines = format!("{{\"text\": \"one\"}}\n\n \t\nrubbish\r\n{long}{{\"text\": \"two\"}}");
        let mail = |subject: &str, text: &str| format!("Subject: {subject}\n\n{text}\n\n");
        let many = "long ".repeat(LONG);
        let (one, two, three) = (mail("1", "One."), mail("2", &many), mail("3", ">From me\nx"));
        let mails = format!("From a\n{one}From b\n{two}From c\n{three}");
        let (second, third) = (format!("From b\n{two}"), format!("From c\n{three}"));
        let feed = "<rss><channel><title>n</title>{}</channel></rss>";
        let entries =
            ["<item><title>One</title></item>", "<item/>", "<item><title>Two</title></item>"];
        let cases: [Case<'_>; 5] = [
            ("a.jsonl", lines, &[(1, "rubbish\r\n"), (2, &long), (3, "{\"text\": \"two\"}")]),
            ("a.mbox", mails, &[(1, &second), (2, &third)]),
            (
                "a.csv",
                "id;text\n1;One.\n2;\"a;\n\"\"b\"\"\"\n\n3\n".to_owned(),
                &[(1, "id;text\n2;\"a;\n\"\"b\"\"\"\n"), (2, "id;text\n3\n")],
            ),
            (
                "a.json",
                "[{\"text\": \"one\"}, {\"no\": [1, 2]} ]".to_owned(),
                &[(1, "{\"no\": [1, 2]}")],
            ),
            (
                "a.rss",
                feed.replace("{}", &entries.join("\n")),
                &[(1, &feed.replace("{}", entries[1])), (2, &feed.replace("{}", entries[2]))],
            ),
        ];
        for (path, content, expected) in cases {
            let wanted: Vec<u64> = expected.iter().map(|(number, _)| *number).chain([99]).collect();
            let found = records(path, content.as_bytes(), &wanted);
            let found: Vec<_> = found
                .iter()
                .map(|(at, bytes)| (*at, std::str::from_utf8(bytes).unwrap()))
                .collect();
            assert_eq!(found, expected, "{path}");
            // The reader counts in the same way, and knows each again.
            let all = ids(path, content.as_bytes());
            for (number, bytes) in found {
                let number = usize::try_from(number).unwrap();
                assert_eq!(ids(path, bytes.as_bytes()), [all[number].clone()], "{path} {number}");
            }
        }
    }

    #[test]
    fn records_of_a_file_in_utf_16_are_separated_as_utf_8() {
        for (path, text, expected) in [
            ("a.jsonl", "{\"text\": \"один\"}\r\nrubbish\r\n", "rubbish\r\n"),
            ("a.csv", "id,text\r\n1,один\r\n2,два\r\n", "id,text\n2,два\n"),
        ] {
            let units = format!("\u{FEFF}{text}");
            let bytes: Vec<u8> = units.encode_utf16().flat_map(u16::to_be_bytes).collect();
            assert_eq!(records(path, &bytes, &[1]), [(1, expected.as_bytes().to_vec())], "{path}");
            let own = |bytes: &[u8]| are_its_bytes(|| Ok(file(bytes)), path, &limits()).unwrap();
            assert!(!own(&bytes), "{path}");
            assert_eq!(own(text.as_bytes()), path == "a.jsonl");
        }
    }

    #[test]
    fn records_that_are_joined_are_the_file_that_they_stood_in() {
        let feed = "<feed><id>n</id><entry><id>1</id><title>A</title></entry>\
             <entry><title>B</title></entry><entry><title>B</title></entry></feed>";
        for (path, content) in [
            ("a.jsonl", "{\"text\": \"one\"}\n{\"text\": \"one\"}\n{\"id\": 1, \"text\": \"x\"}"),
            (
                "a.mbox.gz",
                "From a\nSubject: 1\n\nOne.\n\nFrom b\nSubject: 2\n\n\nFrom c\nSubject: 3\n",
            ),
            ("a.tsv.zst", "text\tid\nOne\t\nOne\t\nTwo\t7\n"),
            ("a.json", "[{\"text\": \"one\"},\n{\"text\": \"one\"}]"),
            ("a.json", "{\"text\": \"one\"}"),
            ("a.atom", feed),
        ] {
            let plain = Compression::of_name(path).0;
            let alone = records(plain, content.as_bytes(), &[0, 1, 2]);
            let alone: Vec<_> = alone.into_iter().map(|(_, bytes)| bytes).collect();
            let joined = join(path, &alone, &limits()).unwrap();
            let folder = tempfile::tempdir().unwrap();
            let files: Vec<PathBuf> = (0..alone.len())
                .map(|number| folder.path().join(number.to_string()))
                .inspect(|file| {
                    let number = file.file_name().unwrap().to_str().unwrap();
                    fs::write(file, &alone[number.parse::<usize>().unwrap()]).unwrap();
                })
                .collect();
            let mut from_files = Vec::new();
            join_files(path, &files, &limits(), &mut from_files).unwrap();
            assert_eq!(from_files, joined, "{path}");
            let whole = join(path, &[content.as_bytes().to_vec()], &limits()).unwrap();
            assert_eq!(ids(path, &joined), ids(path, &whole), "{path}");
            assert!(ids(path, &joined).len() == alone.len(), "{path}");
        }
        // A file with a hole: nothing of it is read.
        let huge = tempfile::NamedTempFile::new().unwrap();
        huge.as_file().set_len(MOST_TOGETHER + 1).unwrap();
        let huge = [huge.path().to_owned()];
        let refused = join_files("a.csv", &huge, &limits(), &mut io::sink()).unwrap_err();
        assert!(refused.to_string().contains("name fewer of them"), "{refused}");
        let tables = [b"id,text\n1,One\n".to_vec(), b"text,id\nTwo,2\n".to_vec()];
        assert!(join("a.csv", &tables, &limits()).is_err());
    }
}
