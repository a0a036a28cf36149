//! Mails, alone or one after another in a mailbox.

use std::collections::BTreeSet;
use std::io::{self, BufRead, Cursor, Read};

use mail_parser::{DateTime, MessageParser, PartType};

use super::{Content, Each, Raw, html};
use crate::limits::ReadLimits;
use crate::refusal::ReadError;

/// What begins a mail in a mailbox, at the start of a line.
const FROM: &[u8] = b"From ";

/// The text of a mail: its plain body, or what its page says where it has no other. Attachments
/// are not read.
///
/// # Errors
///
/// [`ReadError::Mail`] where there is neither sender, date nor subject; [`ReadError::Limit`] for more
/// parts than there may be.
pub fn read(bytes: &[u8], limits: &ReadLimits) -> Result<Content, ReadError> {
    let mail = MessageParser::default().parse(bytes).ok_or(ReadError::Mail)?;
    let (found, allowed) = (mail.parts.len() as u64, u64::from(limits.max_mail_parts));
    if found > allowed {
        let (limit, at_least) = ("max_mail_parts", false);
        return Err(ReadError::Limit { limit, allowed, found, at_least, line: None });
    }
    // Every mail says from whom and when (RFC 5322, 3.6); one of the three will do.
    if mail.from().is_none() && mail.date().is_none() && mail.subject().is_none() {
        return Err(ReadError::Mail);
    }
    let page = mail.html_part(0).map(|part| &part.body);
    let text = match (mail.text_part(0).map(|part| &part.body), page) {
        (Some(PartType::Text(text)), _) => text.to_string(),
        (_, Some(PartType::Html(page))) => html::read(page).text,
        _ => String::new(),
    };
    let from = mail.from().and_then(|addresses| addresses.first());
    Ok(Content {
        id: mail.message_id().map(str::to_owned),
        title: mail.subject().map(str::to_owned),
        author: from.and_then(|from| from.name().or(from.address())).map(str::to_owned),
        published: mail.date().map(DateTime::to_rfc3339),
        language: None,
        outlet: None,
        text,
    })
}

/// The mails of a mailbox.
pub(crate) struct Mails {
    lines: Lines,
    max_mail_bytes: u64,
    limits: ReadLimits,
    /// The line that begins the next mail was read already.
    has_begun: bool,
    ended: bool,
}

impl Mails {
    pub(crate) fn new(lines: Box<dyn BufRead + Send>, limits: &ReadLimits) -> Self {
        let max_mail_bytes = limits.max_document_bytes;
        let limits = limits.clone();
        let lines = Lines::new(lines, &limits);
        Self { lines, max_mail_bytes, limits, has_begun: false, ended: false }
    }

    /// The bytes of the next mail, no more than may be kept, and how many it has.
    fn next_mail(&mut self) -> Result<Option<(Vec<u8>, u64)>, ReadError> {
        let (mut mail, mut length) = (Vec::new(), 0);
        while let Some((line, begins_mail)) = self.lines.next()? {
            if begins_mail {
                if std::mem::replace(&mut self.has_begun, true) {
                    return Ok(Some((mail, length)));
                }
                continue;
            }
            length += line.len() as u64;
            if length <= self.max_mail_bytes {
                mail.extend_from_slice(if is_quoted(&line) { &line[1..] } else { &line });
            }
        }
        self.ended = true;
        Ok((self.has_begun || length > 0).then_some((mail, length)))
    }
}

/// The lines of a mailbox.
struct Lines {
    inner: Box<dyn BufRead + Send>,
    max_bytes: u64,
    /// A blank line stands before each mail but the first.
    is_after_blank: bool,
}

impl Lines {
    fn new(inner: Box<dyn BufRead + Send>, limits: &ReadLimits) -> Self {
        Self { inner, max_bytes: limits.max_document_bytes, is_after_blank: true }
    }

    /// The next line with its end, and whether it begins a mail. One that is longer than a mail may
    /// be comes in pieces, none of which begins one.
    fn next(&mut self) -> io::Result<Option<(Vec<u8>, bool)>> {
        let mut line = Vec::new();
        let mut bounded = (&mut self.inner).take(self.max_bytes.saturating_add(1));
        if bounded.read_until(b'\n', &mut line)? == 0 {
            return Ok(None);
        }
        let begins_mail = self.is_after_blank && line.starts_with(FROM);
        self.is_after_blank = !begins_mail && line.trim_ascii().is_empty();
        Ok(Some((line, begins_mail)))
    }
}

/// Gives the mails of a mailbox whose numbers are `wanted`, each as a mailbox that holds it alone.
///
/// # Errors
///
/// When the mailbox cannot be read; what `each` says.
pub(crate) fn separate(
    lines: Box<dyn BufRead + Send>,
    limits: &ReadLimits,
    wanted: &BTreeSet<u64>,
    each: &mut Each<'_>,
) -> io::Result<()> {
    let lines = Lines::new(lines, limits);
    let mut mail = OneMail { lines, line: Cursor::default(), state: State::Before };
    for number in 0..=wanted.last().copied().unwrap_or_default() {
        if wanted.contains(&number) {
            each(number, &mut mail)?;
        }
        io::copy(&mut mail, &mut io::sink())?;
        if mail.state == State::End {
            break;
        }
        mail.state = State::Inside;
    }
    Ok(())
}

/// Reads up to where the next mail begins.
struct OneMail {
    lines: Lines,
    /// What was read of the mailbox and not taken yet.
    line: Cursor<Vec<u8>>,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// No mail has begun.
    Before,
    Inside,
    /// The line in hand begins the next one.
    Between,
    End,
}

impl Read for OneMail {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if self.state == State::Between {
                return Ok(0);
            }
            let count = self.line.read(buffer)?;
            if count > 0 || buffer.is_empty() || self.state == State::End {
                return Ok(count);
            }
            self.state = match (self.lines.next()?, self.state) {
                (None, _) => State::End,
                (Some((line, begins_mail)), state) => {
                    self.line = Cursor::new(line);
                    match (begins_mail, state) {
                        (true, State::Before) => State::Inside,
                        (true, _) => State::Between,
                        (false, _) => state,
                    }
                }
            };
        }
    }
}

/// Whether a line of text was given a `>` because it would have begun a mail.
fn is_quoted(line: &[u8]) -> bool {
    let quotes = line.iter().take_while(|&&byte| byte == b'>').count();
    quotes > 0 && line[quotes..].starts_with(FROM)
}

impl Iterator for Mails {
    type Item = Result<Raw, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        match self.next_mail() {
            Ok(None) => None,
            Ok(Some((_, found))) if found > self.max_mail_bytes => Some(Err(ReadError::Limit {
                limit: "max_document_bytes",
                allowed: self.max_mail_bytes,
                found,
                at_least: false,
                line: None,
            })),
            Ok(Some((bytes, _))) => {
                Some(read(&bytes, &self.limits).map(|content| Raw { content, bytes }))
            }
            Err(error) => {
                self.ended = true;
                Some(Err(error))
            }
        }
    }
}
