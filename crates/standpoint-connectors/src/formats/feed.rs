//! Feeds: RSS (0.9 to 2.0, RDF) and Atom files, whose entries are documents.
//!
//! A file is read as a stream of marks and never becomes a tree; entities that it defines itself
//! are not expanded, and nothing that it links to is fetched.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::io;
use std::ops::Range;

use quick_xml::Reader;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesRef, BytesStart, Event};

use super::{Content, Each, Raw, html};
use crate::refusal::ReadError;

/// The entries of a feed, in their order and no more than one above `most`: each is read when it is
/// asked for, so that a feed takes the room of where its entries stand, and of one of them.
///
/// # Errors
///
/// [`ReadError::Feed`] when it is none, or broken off.
pub(crate) fn read(
    text: String,
    most: u64,
) -> Result<impl Iterator<Item = Result<Raw, ReadError>> + use<>, ReadError> {
    let Feed { mut spans, language, .. } = parse(&text)?;
    spans.truncate(usize::try_from(most.saturating_add(1)).unwrap_or(usize::MAX));
    Ok(spans.into_iter().map(move |span| {
        let entry = text.get(span).unwrap_or_default();
        let inside =
            Feed { text: entry, has_root: true, language: language.clone(), ..Feed::default() };
        let content = parse_into(inside)?.content.unwrap_or_default();
        Ok(Raw { content, bytes: entry.as_bytes().to_vec() })
    }))
}

/// Gives the entries of a feed whose numbers are `wanted`, each as the feed without the others.
///
/// # Errors
///
/// When the feed cannot be read; what `each` says.
pub(crate) fn separate(text: &str, wanted: &BTreeSet<u64>, each: &mut Each<'_>) -> io::Result<()> {
    let feed = parse(text).map_err(io::Error::other)?;
    let (before, behind) = feed.around();
    for (number, span) in (0..).zip(&feed.spans).filter(|(number, _)| wanted.contains(number)) {
        let alone = [before, &text[span.clone()], behind].concat();
        each(number, &mut alone.as_bytes())?;
    }
    Ok(())
}

/// Makes one feed of several: the first, with the entries of all.
///
/// # Errors
///
/// When one of them is no feed.
pub(crate) fn join(feeds: &[String]) -> io::Result<String> {
    let feeds = feeds.iter().map(|feed| parse(feed).map_err(io::Error::other));
    let feeds = feeds.collect::<io::Result<Vec<_>>>()?;
    let (before, behind) = feeds.first().map(Feed::around).unwrap_or_default();
    let entries =
        feeds.iter().flat_map(|feed| feed.spans.iter().map(|span| &feed.text[span.clone()]));
    Ok([before].into_iter().chain(entries).chain([behind]).collect())
}

fn parse(text: &str) -> Result<Feed<'_>, ReadError> {
    parse_into(Feed { text, ..Feed::default() })
}

/// Reads on in the text of `feed`.
fn parse_into(mut feed: Feed<'_>) -> Result<Feed<'_>, ReadError> {
    let mut reader = Reader::from_str(feed.text);
    let config = reader.config_mut();
    // Feeds are written by many hands: a lone `&` or a crossed end is no reason to lose entries.
    config.allow_dangling_amp = true;
    config.check_end_names = false;
    config.allow_unmatched_ends = true;
    loop {
        let before = position(&reader);
        let event = reader.read_event().map_err(|error| ReadError::Feed {
            problem: format!("byte {}: {error}", reader.error_position()),
        })?;
        let after = position(&reader);
        match event {
            Event::Start(tag) => feed.open(&tag, before, after)?,
            Event::Empty(tag) => {
                feed.open(&tag, before, after)?;
                feed.close(after, after);
            }
            Event::End(_) => feed.close(before, after),
            Event::Text(text) => feed.add(&text.xml10_content()),
            Event::CData(text) => feed.add(&text.xml10_content()),
            Event::GeneralRef(name) => feed.add(&resolved(&name)),
            Event::Eof => break,
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => {}
        }
    }
    if !feed.has_root {
        return Err(ReadError::Feed { problem: "it holds no element".to_owned() });
    }
    if feed.entry.is_some() {
        return Err(ReadError::Feed { problem: "it ends in the middle of an entry".to_owned() });
    }
    Ok(feed)
}

fn position(reader: &Reader<&[u8]>) -> usize {
    usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX)
}

/// What a reference stands for; one that XML does not know is left to whoever reads the page.
fn resolved(name: &BytesRef<'_>) -> Cow<'static, str> {
    if let Ok(Some(character)) = name.resolve_char_ref() {
        return character.to_string().into();
    }
    let name = name.xml10_content();
    match resolve_predefined_entity(&name) {
        Some(text) => text.into(),
        None => format!("&{name};").into(),
    }
}

/// A feed that is being read.
#[derive(Default)]
struct Feed<'t> {
    text: &'t str,
    has_root: bool,
    /// How many elements are open.
    depth: usize,
    language: Option<String>,
    entry: Option<Entry>,
    /// The element whose text is wanted.
    field: Option<Field>,
    /// The entry that was read last.
    content: Option<Content>,
    /// Where each entry stands in the text.
    spans: Vec<Range<usize>>,
}

/// An entry that is being read.
#[derive(Default)]
struct Entry {
    /// Its depth, and where it begins.
    depth: usize,
    start: usize,
    content: Content,
    updated: Option<String>,
    summary: Option<String>,
    body: Option<String>,
    is_in_author: bool,
}

struct Field {
    what: What,
    depth: usize,
    /// Where its content begins.
    start: usize,
    /// Whether the content is markup of the file itself, and not text that stands for markup.
    is_markup: bool,
    text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Id,
    Title,
    Summary,
    Body,
    Author,
    Published,
    Updated,
    Language,
}

impl<'t> Feed<'t> {
    /// What stands before the first entry and behind the last.
    fn around(&self) -> (&'t str, &'t str) {
        let start = self.spans.first().map_or(self.text.len(), |first| first.start);
        let end = self.spans.last().map_or(self.text.len(), |last| last.end);
        (&self.text[..start], &self.text[end..])
    }

    fn open(&mut self, tag: &BytesStart<'_>, before: usize, after: usize) -> Result<(), ReadError> {
        self.depth += 1;
        let name = tag.name();
        let name = name.as_ref().to_ascii_lowercase();
        let name = name.strip_prefix("atom:").unwrap_or(&name);
        if !self.has_root {
            if !["rss", "feed", "rdf:rdf"].contains(&name) {
                let problem = format!("expected the element rss, feed or rdf:RDF, found {name}");
                return Err(ReadError::Feed { problem });
            }
            self.has_root = true;
            self.language = attribute(tag, "xml:lang").as_deref().and_then(language);
            return Ok(());
        }
        let Some(entry) = &mut self.entry else {
            if matches!(name, "item" | "entry") {
                let mut entry = Entry { depth: self.depth, start: before, ..Entry::default() };
                entry.content.language = attribute(tag, "xml:lang");
                self.entry = Some(entry);
            } else if matches!(name, "language" | "dc:language") {
                self.field = Some(Field::new(What::Language, self.depth, after, false));
            }
            return Ok(());
        };
        if self.field.is_some() {
            return Ok(());
        }
        let level = self.depth - entry.depth;
        let what = match (level, name) {
            (1, "guid" | "id") => What::Id,
            (1, "title") => What::Title,
            (1, "description" | "summary") => What::Summary,
            (1, "content:encoded" | "content") => What::Body,
            (1, "dc:creator") | (2, "name") if level == 1 || entry.is_in_author => What::Author,
            (1, "author") => {
                entry.is_in_author = true;
                What::Author
            }
            (1, "pubdate" | "published" | "dc:date" | "issued") => What::Published,
            (1, "updated" | "modified") => What::Updated,
            _ => return Ok(()),
        };
        let is_markup = attribute(tag, "type").is_some_and(|kind| kind == "xhtml");
        let field = Field::new(what, self.depth, after, is_markup);
        // The author of an Atom entry is in an element of its own inside.
        if what == What::Author && level == 1 && name == "author" && self.has_name(after) {
            return Ok(());
        }
        self.field = Some(field);
        Ok(())
    }

    /// Whether the next thing in the file is an element.
    fn has_name(&self, at: usize) -> bool {
        self.text.get(at..).is_some_and(|rest| {
            let rest = rest.trim_start();
            rest.starts_with('<') && !rest.starts_with("<!") && !rest.starts_with("</")
        })
    }

    fn add(&mut self, text: &str) {
        if let Some(field) = self.field.as_mut().filter(|field| !field.is_markup) {
            field.text.push_str(text);
        }
    }

    fn close(&mut self, before: usize, after: usize) {
        if self.field.as_ref().is_some_and(|field| field.depth >= self.depth)
            && let Some(mut field) = self.field.take()
        {
            if field.is_markup {
                let inner = self.text.get(field.start..before).unwrap_or_default();
                inner.clone_into(&mut field.text);
            }
            self.keep(&field);
        }
        if self.entry.as_ref().is_some_and(|entry| entry.depth >= self.depth)
            && let Some(entry) = self.entry.take()
        {
            self.spans.push(entry.start..after);
            self.content = Some(entry.into_content(self.language.clone()));
        }
        self.depth = self.depth.saturating_sub(1);
    }

    fn keep(&mut self, field: &Field) {
        let text = field.text.trim();
        if text.is_empty() {
            return;
        }
        let line = || text.split_whitespace().collect::<Vec<_>>().join(" ");
        let Some(entry) = &mut self.entry else {
            if field.what == What::Language {
                self.language = language(text);
            }
            return;
        };
        match field.what {
            What::Id => entry.content.id = Some(text.to_owned()),
            What::Title => entry.content.title = Some(squeezed(&readable(text))),
            What::Summary => entry.summary = Some(readable(text)),
            What::Body => entry.body = Some(readable(text)),
            What::Author => entry.content.author = Some(line()),
            What::Published => entry.content.published = Some(text.to_owned()),
            What::Updated => entry.updated = Some(text.to_owned()),
            What::Language => {}
        }
    }
}

impl Field {
    const fn new(what: What, depth: usize, start: usize, is_markup: bool) -> Self {
        Self { what, depth, start, is_markup, text: String::new() }
    }
}

impl Entry {
    fn into_content(self, language: Option<String>) -> Content {
        let mut content = self.content;
        // A body that is shorter than the summary is a pointer to the page, not the text.
        let mut text = match (self.body, self.summary) {
            (Some(body), Some(summary)) if body.len() < summary.len() => summary,
            (Some(text), _) | (None, Some(text)) => text,
            (None, None) => String::new(),
        };
        // Titles are read like sentences; many entries hold nothing else.
        if let Some(title) = &content.title
            && !text.starts_with(title.as_str())
        {
            text = if text.is_empty() { title.clone() } else { format!("{title}\n\n{text}") };
        }
        content.text = text;
        content.published = content.published.or(self.updated);
        content.language = content.language.as_deref().map_or(language, self::language);
        content
    }
}

fn attribute(tag: &BytesStart<'_>, name: &str) -> Option<String> {
    let value = tag.try_get_attribute(name).ok()??.value.into_owned();
    Some(value).filter(|value| !value.is_empty())
}

/// What a page says that stands in a feed, or the text itself where it is no page.
fn readable(text: &str) -> String {
    if text.contains(['<', '&']) { html::read(text).text } else { text.to_owned() }
}

fn squeezed(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// `en` of `en-GB`.
fn language(text: &str) -> Option<String> {
    let code = text.split(['-', '_']).next()?.trim().to_ascii_lowercase();
    (2..=3).contains(&code.len()).then_some(code)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::formats::computing_time;

    fn all(text: &str) -> Result<Vec<Raw>, ReadError> {
        read(text.to_owned(), 1_000_000)?.collect()
    }

    /// One line for each entry: id, date, author, language, title, text.
    fn told(text: &str) -> String {
        let entries = all(text).unwrap().into_iter().map(|Raw { content, bytes }| {
            assert!(text.as_bytes().windows(bytes.len()).any(|window| window == bytes));
            let part = |part: Option<String>| part.unwrap_or_else(|| "-".to_owned());
            let Content { id, title, author, published, language, text, .. } = content;
            let parts = [id, published, author, language, title].map(part);
            format!("{} {:?}", parts.join(" | "), text)
        });
        entries.collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn entries_of_both_kinds_come_out() {
        let rss = r#"<?xml version="1.0"?><!DOCTYPE rss [<!ENTITY big "no">]>
            <rss version="2.0"><channel><title>The Daily</title><language>en-GB</language>
            <description>All the news</description>
            <item><title>Envoys &amp; ministers meet</title><guid>7</guid>
              <pubDate>Wed, 01 May 2024 08:00:00 GMT</pubDate><dc:creator>A. Writer</dc:creator>
              <media:title>no</media:title>
              <description>&lt;p&gt;They met.&lt;/p&gt;</description>
              <content:encoded><![CDATA[<p>They met on <a href="/x">Monday</a>.</p><script>no()</script><p>They talked &amp; agreed.</p>]]></content:encoded></item>
            <item><description>Only a line & no more&nbsp;than that, &big;</description></item>
            </channel></rss>"#;
        insta::assert_snapshot!(told(rss), @r#"
        7 | Wed, 01 May 2024 08:00:00 GMT | A. Writer | en | Envoys & ministers meet "Envoys & ministers meet\n\nThey met on Monday.\n\nThey talked & agreed."
        - | - | - | en | - "Only a line & no more than that, &big;"
        "#);
        let atom = r#"<feed xmlns="http://www.w3.org/2005/Atom" xml:lang="de"><title>Blog</title>
            <author><name>The blog</name></author>
            <entry><id>urn:1</id><title type="html">A &lt;b&gt;bold&lt;/b&gt; move</title>
              <updated>2024-05-02T08:00:00Z</updated>
              <author><name>B. Author</name><uri>http://b.example/</uri></author>
              <content type="xhtml"><div><p>First.</p><p>Second &amp; last.</p></div></content></entry>
            <entry xml:lang="fr"><id>urn:2</id><title>Titre</title><published>2024-05-03</published>
              <summary>Deux mots.</summary><link href="/2"/></entry></feed>"#;
        insta::assert_snapshot!(told(atom), @r#"
        urn:1 | 2024-05-02T08:00:00Z | B. Author | de | A bold move "A bold move\n\nFirst.\n\nSecond & last."
        urn:2 | 2024-05-03 | - | fr | Titre "Titre\n\nDeux mots."
        "#);
    }

    #[test]
    fn what_is_no_feed_is_refused_with_what_was_found() {
        for (text, expected) in [
            ("", "it holds no element"),
            ("<html><body>Hello</body></html>", "found html"),
            ("<rss><channel><item><title>half", "in the middle of an entry"),
            ("<rss><channel><item <", "byte"),
            ("just text", "it holds no element"),
        ] {
            let error = all(text).map(|_| ()).unwrap_err().to_string();
            assert!(error.contains(expected), "{text:?}: {error}");
        }
        assert!(all("<rss/>").unwrap().is_empty());
        let four = format!("<rss>{}</rss>", "<item/>".repeat(4));
        let found = read(four, 2).unwrap().count();
        assert_eq!(found, 3, "one above the most, so that it is told");
    }

    #[test]
    fn hostile_feeds_are_read_in_linear_time() {
        let before = computing_time();
        for inner in [
            "<a>".repeat(200_000),
            "<description>".repeat(100_000),
            "&amp;".repeat(200_000),
            "<item>".repeat(100_000),
            "</item>".repeat(100_000),
            "]]>".repeat(100_000),
        ] {
            let text = format!("<rss><channel><item><title>{inner}</title></item></channel></rss>");
            // Refused or read: what matters is that it ends.
            let _ = all(&text);
        }
        let took = computing_time().saturating_sub(before);
        assert!(took < Duration::from_secs(30), "{took:?}");
    }
}
