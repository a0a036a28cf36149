//! Markdown: its prose, without the marks.

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use super::Content;
use super::text;

/// Reads a Markdown text: paragraphs, headings and list items with a blank line between them;
/// code, images and raw HTML are left out.
///
/// A head between two lines of `---` may give `title`, `author`, `date` and `language`.
#[must_use]
pub fn read(markdown: &str) -> Content {
    let (mut content, body) = split_head(markdown);
    let mut left_out = 0;
    for event in Parser::new_ext(body, Options::ENABLE_TABLES | Options::ENABLE_FOOTNOTES) {
        match event {
            Event::Start(Tag::CodeBlock(_) | Tag::Image { .. } | Tag::HtmlBlock) => left_out += 1,
            Event::End(TagEnd::CodeBlock | TagEnd::Image | TagEnd::HtmlBlock) => left_out -= 1,
            _ if left_out > 0 => {}
            Event::Text(text) | Event::Code(text) => content.text.push_str(&text),
            Event::SoftBreak | Event::End(TagEnd::TableCell) => content.text.push(' '),
            Event::HardBreak => content.text.push('\n'),
            Event::End(
                TagEnd::Paragraph | TagEnd::Heading(_) | TagEnd::Item | TagEnd::TableRow,
            ) => end_paragraph(&mut content.text),
            _ => {}
        }
    }
    content.text.truncate(content.text.trim_end().len());
    if content.title.is_none() {
        content.title = text::title(&content.text).map(str::to_owned);
    }
    content
}

fn end_paragraph(text: &mut String) {
    text.truncate(text.trim_end().len());
    if !text.is_empty() {
        text.push_str("\n\n");
    }
}

/// The values of the head, and what follows it.
fn split_head(markdown: &str) -> (Content, &str) {
    let mut content = Content::default();
    let markdown = markdown.trim_start();
    let head = markdown
        .strip_prefix("---\n")
        .or_else(|| markdown.strip_prefix("---\r\n"))
        .and_then(|rest| rest.split_once("\n---"));
    let Some((head, body)) = head else { return (content, markdown) };
    for line in head.lines() {
        let Some((key, value)) = line.split_once(':') else { continue };
        let value = value.trim().trim_matches(['"', '\'']);
        let field = match key.trim() {
            "title" => &mut content.title,
            "author" => &mut content.author,
            "date" | "published" => &mut content.published,
            "lang" | "language" => &mut content.language,
            _ => continue,
        };
        *field = (!value.is_empty()).then(|| value.to_owned());
    }
    (content, body.trim_start_matches('-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prose_comes_out_without_marks() {
        let content = read(
            "---\ntitle: \"Talks\"\ndate: 2024-05-01\ntags: [a]\n---\n# Talks *fail*\n\nThey met \
             in\n[the capital](http://x.example) & left.\n\n- one\n- two\n\n```\ncode\n```\n\
             ![a picture](x.png)\n",
        );
        insta::assert_snapshot!(content.text, @r"
        Talks fail

        They met in the capital & left.

        one

        two
        ");
        assert_eq!(content.title.as_deref(), Some("Talks"));
        assert_eq!(content.published.as_deref(), Some("2024-05-01"));
    }

    #[test]
    fn without_a_head_the_heading_is_the_title() {
        assert_eq!(read("# Talks\n\nThey met.").title.as_deref(), Some("Talks"));
        assert_eq!(read("---\nno end of a head").title, None);
    }
}
