//! Single records of a file, as they stand in it: for the quarantine of one that failed.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufRead, Cursor, Read};

use crate::formats::{Compression, Format};
use crate::limits::ReadLimits;
use crate::read::plain;

/// Whether the records of a file with this name can be told apart in its bytes, so that one that
/// failed is kept alone; of another file that holds several, the whole file is.
pub(crate) fn can_be_separated(path: &str) -> bool {
    matches!(Format::of_path(path), Ok((Format::Jsonl, _)))
}

/// Gives the bytes of the records whose numbers are `wanted`, each once and in their order.
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
    mut each: impl FnMut(u64, &mut dyn Read) -> io::Result<()>,
) -> io::Result<()> {
    let mut lines = plain(file, Compression::of_name(path).1, limits);
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
    lines: &'l mut Box<dyn BufRead + Send>,
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

    #[test]
    fn each_wanted_record_is_given_as_it_stands() {
        let limits = ReadLimits { max_line_bytes: 40, ..ReadLimits::default() };
        let long = format!("{{\"text\": \"{}\"}}\n", "x".repeat(100_000));
        let text = format!("{{\"text\": \"one\"}}\n\n \t\nrubbish\r\n{long}{{\"text\": \"two\"}}");
        let file = || {
            let mut file = tempfile::tempfile().unwrap();
            file.write_all(text.as_bytes()).unwrap();
            std::io::Seek::rewind(&mut file).unwrap();
            file
        };
        let mut found = Vec::new();
        separate(file(), "a.jsonl", &limits, &BTreeSet::from([1, 2, 3, 9]), |number, bytes| {
            let mut record = String::new();
            bytes.read_to_string(&mut record)?;
            found.push((number, record));
            Ok(())
        })
        .unwrap();
        let expected = [(1, "rubbish\r\n"), (2, long.as_str()), (3, "{\"text\": \"two\"}")];
        assert_eq!(found.len(), 3);
        for ((number, record), (expected_number, expected)) in found.iter().zip(expected) {
            assert_eq!((*number, record.as_str()), (expected_number, expected));
        }
        // The reader counts in the same way.
        let origin = Origin { source: "news".into(), path: "a.jsonl".into() };
        let items = read::documents(file(), &origin, &limits).unwrap();
        let bad: Vec<usize> =
            items.enumerate().filter(|(_, item)| item.is_err()).map(|(at, _)| at).collect();
        assert_eq!(bad, [1, 2]);
    }
}
