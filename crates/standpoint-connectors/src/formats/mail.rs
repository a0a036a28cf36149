//! Mails, alone or one after another in a mailbox.

use std::collections::BTreeSet;
use std::io::{self, BufRead, Cursor, Read};

use mail_parser::decoders::base64::base64_decode;
use mail_parser::decoders::charsets::map::charset_decoder;
use mail_parser::decoders::quoted_printable::quoted_printable_decode;
use mail_parser::{ContentType, DateTime, Message, MessageParser, MimeHeaders};
use memchr::memmem;

use super::{Content, Each, Raw, html};
use crate::limits::ReadLimits;
use crate::refusal::ReadError;

/// What begins a mail in a mailbox, at the start of a line.
const FROM: &[u8] = b"From ";

/// How long the head of a mail may be, or of a part of it, in bytes. Mail servers take a tenth of
/// that.
const MOST_OF_HEAD: usize = 1 << 20;

/// How deep parts may lie in one another: each level is looked through anew.
const MOST_DEEP: usize = 32;

/// The text of a mail: its plain body, or what its page says where it has no other. Attachments
/// are not read, nor mails inside it.
///
/// # Errors
///
/// [`ReadError::Mail`] where there is neither sender, date nor subject; [`ReadError::Limit`] for
/// more parts than there may be, or parts too deep in one another.
pub fn read(bytes: &[u8], limits: &ReadLimits) -> Result<Content, ReadError> {
    let (head, _) = head_and_body(bytes)?;
    let mail = MessageParser::default().parse_headers(head).ok_or(ReadError::Mail)?;
    // Every mail says from whom and when (RFC 5322, 3.6); one of the three will do.
    if mail.from().is_none() && mail.date().is_none() && mail.subject().is_none() {
        return Err(ReadError::Mail);
    }
    let from = mail.from().and_then(|addresses| addresses.first());
    Ok(Content {
        id: mail.message_id().map(str::to_owned),
        title: mail.subject().map(str::to_owned),
        author: from.and_then(|from| from.name().or(from.address())).map(str::to_owned),
        published: mail.date().map(DateTime::to_rfc3339),
        language: None,
        outlet: None,
        text: body(bytes, limits)?,
    })
}

/// A mail, or a part of one.
#[derive(Clone, Copy)]
struct Part<'m> {
    bytes: &'m [u8],
    depth: usize,
    /// One of several that say the same, or inside one.
    is_alternative: bool,
    /// Whether it is shown whatever its name.
    is_shown: bool,
    /// What follows from saying nothing of its type: a mail, and else a text.
    is_mail: bool,
}

/// What a reader is shown of a mail first; of parts that say the same, the plain one.
///
/// Only what a mail is made of is taken apart here, level by level, for the reader of whole mails
/// goes down into those inside it as deep as there are any, and copies each that is encoded.
fn body(mail: &[u8], limits: &ReadLimits) -> Result<String, ReadError> {
    let most = limits.max_mail_parts as usize;
    let whole =
        Part { bytes: mail, depth: 0, is_alternative: false, is_shown: true, is_mail: false };
    let (mut parts, mut count) = (vec![whole], 1);
    let (mut text, mut page) = (None, None);
    while let Some(part) = parts.pop() {
        let is_decided = text.is_some() || (page.is_some() && !part.is_alternative);
        let (head, content) = head_and_body(part.bytes)?;
        let head = MessageParser::default().parse_headers(head);
        let kind = head.as_ref().and_then(|head| head.content_type());
        let subtype = kind.and_then(ContentType::subtype);
        let is_attached = || {
            let disposition = head.as_ref().and_then(|head| head.content_disposition());
            disposition.is_some_and(ContentType::is_attachment)
                || (!part.is_shown && kind.is_some_and(|kind| kind.has_attribute("name")))
        };
        match (kind.map(ContentType::ctype), subtype) {
            (Some("multipart"), _) => {
                let boundary = kind.and_then(|kind| kind.attribute("boundary")).unwrap_or_default();
                let inner = between(part.bytes, boundary, most.saturating_sub(count));
                count += inner.len();
                check("max_mail_parts", most, count)?;
                let depth = part.depth + 1;
                check("the depth of a mail's parts", MOST_DEEP, depth)?;
                let inner = inner.into_iter().enumerate().map(|(number, bytes)| Part {
                    bytes,
                    depth,
                    is_alternative: part.is_alternative || subtype == Some("alternative"),
                    is_shown: number == 0,
                    is_mail: subtype == Some("digest"),
                });
                // What goes with the first part, such as its pictures, is no text of the mail.
                let shown = if subtype == Some("related") { 1 } else { usize::MAX };
                parts.extend(inner.take(shown).collect::<Vec<_>>().into_iter().rev());
            }
            _ if is_decided || is_attached() => {}
            (Some("text"), Some("html")) => {
                page = page.or_else(|| Some(decoded(content, head.as_ref(), kind)));
            }
            (Some("text"), Some("plain")) => text = Some(decoded(content, head.as_ref(), kind)),
            (None, _) if !part.is_mail => text = Some(decoded(content, head.as_ref(), kind)),
            _ => {}
        }
    }
    Ok(text.or_else(|| Some(html::read(&page?).text)).unwrap_or_default())
}

fn check(limit: &'static str, allowed: usize, found: usize) -> Result<(), ReadError> {
    if found <= allowed {
        return Ok(());
    }
    let allowed = allowed as u64;
    Err(ReadError::Limit { limit, allowed, found: allowed, at_least: true, line: None })
}

/// The head of a mail or part, and what stands behind the first blank line.
fn head_and_body(part: &[u8]) -> Result<(&[u8], &[u8]), ReadError> {
    let limit = "the length of a mail's head in bytes";
    let mut end = 0;
    for newline in memchr::memchr_iter(b'\n', part) {
        if part[end..newline].trim_ascii().is_empty() {
            return Ok((&part[..end], &part[newline + 1..]));
        }
        end = newline + 1;
        check(limit, MOST_OF_HEAD, end)?;
    }
    check(limit, MOST_OF_HEAD, part.len())?;
    Ok((part, &[]))
}

/// What stands between the lines that are a boundary (RFC 2046, 5.1.1): no more than one above
/// `most`.
fn between<'m>(bytes: &'m [u8], boundary: &str, most: usize) -> Vec<&'m [u8]> {
    let (mut parts, mut start) = (Vec::new(), None);
    if boundary.is_empty() {
        return parts;
    }
    let mark = format!("--{boundary}");
    for at in memmem::find_iter(bytes, &mark) {
        // Before anything else: a hostile line may hold the mark any number of times.
        if at > 0 && bytes[at - 1] != b'\n' {
            continue;
        }
        let rest = &bytes[at + mark.len()..];
        let line = rest.split(|&byte| byte == b'\n').next().unwrap_or_default();
        let is_last = line.starts_with(b"--");
        if !is_last && !line.trim_ascii().is_empty() {
            continue;
        }
        if let Some(start) = start {
            let part = &bytes[start..at.max(start)];
            // The end of the line before a boundary belongs to the boundary.
            let part = part.strip_suffix(b"\n").unwrap_or(part);
            parts.push(part.strip_suffix(b"\r").unwrap_or(part));
        }
        start = Some((at + mark.len() + line.len() + 1).min(bytes.len()));
        if is_last || parts.len() > most {
            return parts;
        }
    }
    // A mail that was cut off.
    parts.extend(start.map(|start| &bytes[start..]));
    parts
}

/// The text of a part; its bytes as they are where they are not encoded as its head says.
fn decoded(content: &[u8], head: Option<&Message<'_>>, kind: Option<&ContentType<'_>>) -> String {
    let encoding = head.and_then(|head| head.content_transfer_encoding()).unwrap_or_default();
    let bytes = match encoding.to_ascii_lowercase().as_str() {
        "base64" => base64_decode(content),
        "quoted-printable" => quoted_printable_decode(content),
        _ => None,
    };
    let bytes = bytes.as_deref().unwrap_or(content);
    let charset = kind.and_then(|kind| kind.attribute("charset"));
    match charset.and_then(|charset| charset_decoder(charset.as_bytes())) {
        Some(decode) => decode(bytes),
        None => String::from_utf8_lossy(bytes).into_owned(),
    }
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
