//! Web pages: what a reader reads of one, without the furniture around it.
//!
//! The page is a stream of tokens and never becomes a tree, so a page nested 100,000 deep costs
//! what a flat one does. Nothing in it is fetched, followed or run.

use html5gum::emitters::default::{DefaultEmitter, StartTag};
use html5gum::{HtmlString, Token, Tokenizer};

use super::Content;

/// Elements that hold no prose, with all that is in them.
const SKIPPED: [&[u8]; 20] = [
    b"script",
    b"style",
    b"nav",
    b"footer",
    b"aside",
    b"form",
    b"button",
    b"select",
    b"noscript",
    b"svg",
    b"template",
    b"iframe",
    b"object",
    b"canvas",
    b"audio",
    b"video",
    b"textarea",
    b"dialog",
    b"menu",
    b"math",
];

/// Elements that begin and end a paragraph.
const BLOCKS: [&[u8]; 30] = [
    b"p",
    b"div",
    b"section",
    b"article",
    b"main",
    b"header",
    b"h1",
    b"h2",
    b"h3",
    b"h4",
    b"h5",
    b"h6",
    b"ul",
    b"ol",
    b"li",
    b"dl",
    b"dt",
    b"dd",
    b"blockquote",
    b"pre",
    b"table",
    b"tr",
    b"td",
    b"th",
    b"figure",
    b"figcaption",
    b"hr",
    b"address",
    b"details",
    b"summary",
];

/// Words in a `class` or `id` that mark a part of the page as furniture.
const FURNITURE: [&str; 14] = [
    "comments",
    "comment-respond",
    "comment-form",
    "cookie",
    "cookies",
    "newsletter",
    "related",
    "share",
    "sharing",
    "social",
    "sidebar",
    "breadcrumb",
    "breadcrumbs",
    "advertisement",
];

/// Reads a page.
///
/// The text is that of `<article>` or `<main>` where the page has one, else of the whole body,
/// with a blank line between paragraphs; without navigation, forms, comments, lists of links and
/// whatever else surrounds an article. Title, author, date and language come from the page's head.
#[must_use]
pub fn read(html: &str) -> Content {
    let found = read_part(html, has_main_part(html));
    // Teasers and comments are articles to some, and the page has no other.
    if found.text.is_empty() { read_part(html, false) } else { found }
}

/// - `only_main`: whether only what is inside `<article>` or `<main>` counts.
fn read_part(html: &str, only_main: bool) -> Content {
    let mut page = Page { only_main, ..Page::default() };
    for token in tokens(html) {
        match token {
            Token::StartTag(tag) => page.open(&tag),
            Token::EndTag(tag) => page.close(&tag.name),
            Token::String(text) => page.text(&text),
            Token::Comment(_) | Token::Doctype(_) | Token::Error(_) => {}
        }
    }
    page.end_paragraph();
    page.into_content()
}

fn tokens(html: &str) -> impl Iterator<Item = Token> {
    let mut emitter = DefaultEmitter::default();
    // The text of scripts and styles would else be taken for markup.
    emitter.naively_switch_states(true);
    Tokenizer::new_with_emitter(html, emitter).map(|token| match token {
        Ok(token) => token,
        Err(impossible) => match impossible {},
    })
}

fn has_main_part(html: &str) -> bool {
    tokens(html).any(|token| matches!(token, Token::StartTag(tag) if is_main_part(&tag.name)))
}

fn is_main_part(name: &HtmlString) -> bool {
    matches!(name.as_slice(), b"article" | b"main")
}

/// What has been read of a page so far.
#[derive(Default)]
struct Page {
    content: Content,
    /// Whether only what is inside `<article>` or `<main>` counts.
    only_main: bool,
    /// How many of them are open.
    main_depth: usize,
    /// The element being passed over and how many of its name are open.
    skipped: Option<(HtmlString, usize)>,
    in_title: bool,
    link_depth: usize,
    paragraph: String,
    /// Bytes of the paragraph that are text of links.
    linked: usize,
}

impl Page {
    fn open(&mut self, tag: &StartTag<()>) {
        let name = tag.name.as_slice();
        if let Some((skipped, depth)) = &mut self.skipped {
            if *skipped == tag.name && !tag.self_closing {
                *depth += 1;
            }
            return;
        }
        match name {
            b"html" => self.content.language = language(tag),
            b"meta" => self.meta(tag),
            b"title" if self.content.title.is_none() => self.in_title = true,
            b"a" => self.link_depth += 1,
            b"br" => self.paragraph.push('\n'),
            _ if tag.self_closing => {}
            _ if SKIPPED.contains(&name) || is_furniture(tag) => {
                self.end_paragraph();
                self.skipped = Some((tag.name.clone(), 1));
            }
            _ if BLOCKS.contains(&name) => {
                self.end_paragraph();
                self.main_depth += usize::from(is_main_part(&tag.name));
            }
            _ => {}
        }
    }

    fn close(&mut self, name: &HtmlString) {
        if let Some((skipped, depth)) = &mut self.skipped {
            if skipped == name {
                *depth -= 1;
                if *depth == 0 {
                    self.skipped = None;
                }
            }
            return;
        }
        match name.as_slice() {
            b"title" => self.in_title = false,
            b"a" => self.link_depth = self.link_depth.saturating_sub(1),
            block if BLOCKS.contains(&block) => {
                self.end_paragraph();
                if is_main_part(name) {
                    self.main_depth = self.main_depth.saturating_sub(1);
                }
            }
            _ => {}
        }
    }

    fn text(&mut self, bytes: &[u8]) {
        let text = String::from_utf8_lossy(bytes);
        if self.in_title {
            let title = self.content.title.get_or_insert_default();
            title.push_str(&text);
        } else if self.skipped.is_none() && (!self.only_main || self.main_depth > 0) {
            self.paragraph.push_str(&text);
            if self.link_depth > 0 {
                self.linked += text.len();
            }
        }
    }

    fn meta(&mut self, tag: &StartTag<()>) {
        let attribute = |name: &[u8]| tag.attributes.get(name).map(|value| lossy(value));
        let Some(value) = attribute(b"content").filter(|value| !value.trim().is_empty()) else {
            return;
        };
        let key = attribute(b"name").or_else(|| attribute(b"property")).unwrap_or_default();
        match key.to_ascii_lowercase().as_str() {
            "author" | "article:author" => self.content.author = Some(value),
            "article:published_time" | "date" | "dc.date" => self.content.published = Some(value),
            // What the publisher calls the article, without the site's name behind it.
            "og:title" => self.content.title = Some(value),
            _ => {}
        }
    }

    /// Adds the paragraph to the text, unless it is mostly links.
    fn end_paragraph(&mut self) {
        let lines = self.paragraph.lines().map(squeeze).filter(|line| !line.is_empty());
        let paragraph = lines.collect::<Vec<_>>().join("\n");
        let mostly_links = self.linked * 2 > self.paragraph.trim().len();
        self.paragraph.clear();
        self.linked = 0;
        if paragraph.is_empty() || mostly_links {
            return;
        }
        if !self.content.text.is_empty() {
            self.content.text.push_str("\n\n");
        }
        self.content.text.push_str(&paragraph);
    }

    fn into_content(mut self) -> Content {
        self.content.title = self.content.title.map(|title| squeeze(&title));
        let title = self.content.title.as_deref().filter(|title| !title.is_empty());
        // Titles are read like sentences, so a title that stands only in the head joins the text.
        if let Some(title) = title
            && !self.content.text.is_empty()
            && !self.content.text.starts_with(title)
        {
            // "Headline | Site name": the page's heading says the same without the site.
            match self.content.text.lines().next().filter(|first| title.starts_with(first)) {
                Some(heading) => self.content.title = Some(heading.to_owned()),
                None => self.content.text = format!("{title}\n\n{}", self.content.text),
            }
        }
        self.content
    }
}

/// White space of any kind and length becomes one space.
fn squeeze(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The first part of the `lang` attribute: `en` of `en-GB`.
fn language(tag: &StartTag<()>) -> Option<String> {
    let value = lossy(tag.attributes.get(b"lang".as_slice())?);
    let code = value.split(['-', '_']).next()?.trim().to_ascii_lowercase();
    (2..=3).contains(&code.len()).then_some(code)
}

fn is_furniture(tag: &StartTag<()>) -> bool {
    if matches!(tag.name.as_slice(), b"body" | b"html" | b"article" | b"main") {
        return false;
    }
    [b"class".as_slice(), b"id"].iter().any(|&name| {
        tag.attributes.get(name).is_some_and(|value| {
            let value = lossy(value).to_ascii_lowercase();
            value.split_whitespace().any(|word| FURNITURE.contains(&word))
        })
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::formats::computing_time;

    #[test]
    fn an_article_comes_out_without_its_furniture() {
        let page = r#"<!doctype html><html lang="en-GB"><head>
            <title>Envoys meet | The Daily</title>
            <meta name="author" content="A. Writer">
            <meta property="article:published_time" content="2024-05-01T08:00:00Z">
            <style>p { color: red }</style></head>
            <body><nav><a href="/">Home</a></nav>
            <div class="cookie banner">We use cookies.</div>
            <h1>Envoys meet</h1>
            <p>Envoys of two states met on <a href="/monday">Monday</a> &amp; talked.<br>They agreed.</p>
            <script>alert("<p>no</p>")</script>
            <ul><li><a href="/x">More news from the region</a></li></ul>
            <form><label>Leave a reply</label></form>
            <footer>All rights reserved</footer></body></html>"#;
        let content = read(page);
        insta::assert_snapshot!(content.text, @r"
        Envoys meet

        Envoys of two states met on Monday & talked.
        They agreed.
        ");
        assert_eq!(content.title.as_deref(), Some("Envoys meet"));
        assert_eq!(content.author.as_deref(), Some("A. Writer"));
        assert_eq!(content.published.as_deref(), Some("2024-05-01T08:00:00Z"));
        assert_eq!(content.language.as_deref(), Some("en"));
    }

    #[test]
    fn where_a_page_has_an_article_only_that_counts() {
        let page = "<body><p>Popular today</p><article><p>The article.</p></article>\
                    <p>Read next</p></body>";
        assert_eq!(read(page).text, "The article.");
    }

    #[test]
    fn an_article_that_is_passed_over_hides_no_page() {
        let page = "<body><div><p>The talks failed on Monday.</p></div>\
                    <aside><article><p>Read next</p></article></aside></body>";
        assert_eq!(read(page).text, "The talks failed on Monday.");
    }

    #[test]
    fn a_title_in_the_head_alone_joins_the_text() {
        let content = read("<title>Talks fail</title><p>They met.</p>");
        assert_eq!(content.text, "Talks fail\n\nThey met.");
    }

    #[test]
    fn hostile_pages_are_read_in_linear_time() {
        let before = computing_time();
        for page in [
            "<ul><li>".repeat(100_000),
            "<div class=comments>".repeat(100_000),
            "<".repeat(500_000),
            "&".repeat(500_000),
            "</article>".repeat(100_000),
        ] {
            assert!(read(&page).text.len() <= page.len());
        }
        let took = computing_time().saturating_sub(before);
        assert!(took < Duration::from_secs(30), "{took:?}");
    }
}
