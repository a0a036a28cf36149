//! Plain text.

use super::Content;

/// The longest first line that is taken for a title, in characters.
const LONGEST_TITLE: usize = 300;

/// Reads a text as it is; its first line is the title when a blank line follows.
#[must_use]
pub fn read(text: String) -> Content {
    Content { title: title(&text).map(str::to_owned), text, ..Content::default() }
}

/// The first line, when a blank line follows and it is no longer than a title is.
pub(super) fn title(text: &str) -> Option<&str> {
    let mut lines = text.trim_start().lines();
    let first = lines.next()?.trim();
    let blank_follows = lines.next().is_some_and(|line| line.trim().is_empty());
    (blank_follows && !first.is_empty() && first.chars().count() <= LONGEST_TITLE).then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_is_a_title_when_a_blank_line_follows() {
        let cases = [
            ("Title\n\nBody", Some("Title")),
            ("Title \r\n\r\nBody", Some("Title")),
            ("\nTitle\n \nBody", Some("Title")),
            ("No title\nBody", None),
            ("Only a line", None),
            ("", None),
        ];
        for (text, expected) in cases {
            assert_eq!(title(text), expected, "{text:?}");
        }
        assert_eq!(title(&format!("{}\n\nBody", "x".repeat(400))), None);
    }
}
