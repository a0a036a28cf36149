//! Mails, alone or one after another in a mailbox.

use std::io::{BufRead, Read};

use mail_parser::{DateTime, MessageParser, PartType};

use super::{Content, Raw, html};
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
        text,
    })
}

/// The mails of a mailbox.
pub(crate) struct Mails {
    lines: Box<dyn BufRead + Send>,
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
        Self { lines, max_mail_bytes, limits, has_begun: false, ended: false }
    }

    /// The bytes of the next mail, no more than may be kept, and how many it has.
    fn next_mail(&mut self) -> Result<Option<(Vec<u8>, u64)>, ReadError> {
        let (mut mail, mut length) = (Vec::new(), 0);
        // A blank line stands before each but the first.
        let mut after_blank = true;
        loop {
            let mut line = Vec::new();
            // A longer line is read in pieces, none of which can begin a mail.
            let mut bounded = (&mut self.lines).take(self.max_mail_bytes.saturating_add(1));
            let count = bounded.read_until(b'\n', &mut line)?;
            if count == 0 {
                self.ended = true;
                return Ok((self.has_begun || length > 0).then_some((mail, length)));
            }
            if after_blank && line.starts_with(FROM) {
                if std::mem::replace(&mut self.has_begun, true) {
                    return Ok(Some((mail, length)));
                }
                after_blank = false;
                continue;
            }
            after_blank = line.trim_ascii().is_empty();
            length += count as u64;
            if length <= self.max_mail_bytes {
                mail.extend_from_slice(if is_quoted(&line) { &line[1..] } else { &line });
            }
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
