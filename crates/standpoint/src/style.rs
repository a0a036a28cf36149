//! How text looks on a terminal: colours where they are wanted, and no control characters from
//! documents, which could rewrite what stands on the screen.

use std::io::{IsTerminal, stderr, stdout};

use clap::ColorChoice;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Whether and how wide to print.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Style {
    /// Whether to write colours.
    pub(crate) colour: bool,
    /// Columns of the terminal.
    pub(crate) width: usize,
}

/// What a colour means here; the words beside it say the same, so nothing rests on colour alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Paint {
    Bold,
    Faint,
    /// Against, negative: orange.
    Against,
    /// For, positive: blue.
    For,
    Holder,
    Target,
    Cue,
    Error,
}

impl Paint {
    const fn code(self) -> &'static str {
        match self {
            Self::Bold => "1",
            Self::Faint => "2",
            Self::Against => "38;5;208",
            Self::For => "38;5;33",
            Self::Holder => "1;36",
            Self::Target => "1;35",
            Self::Cue => "4",
            Self::Error => "1;31",
        }
    }
}

impl Style {
    /// For standard output.
    pub(crate) fn of_stdout(choice: ColorChoice) -> Self {
        Self { colour: wants_colour(choice, stdout().is_terminal()), width: terminal_width() }
    }

    /// For a file, which is coloured only where somebody asks for it.
    pub(crate) fn of_file(choice: ColorChoice) -> Self {
        Self { colour: wants_colour(choice, false), width: terminal_width() }
    }

    /// For standard error.
    pub(crate) fn of_stderr(choice: ColorChoice) -> Self {
        Self { colour: wants_colour(choice, stderr().is_terminal()), width: terminal_width() }
    }

    /// `text` in a colour, or as it is.
    pub(crate) fn paint(self, paint: Paint, text: &str) -> String {
        if self.colour && !text.is_empty() {
            format!("\x1b[{}m{text}\x1b[0m", paint.code())
        } else {
            text.to_owned()
        }
    }
}

fn wants_colour(choice: ColorChoice, is_terminal: bool) -> bool {
    match choice {
        ColorChoice::Always => true,
        ColorChoice::Never => false,
        ColorChoice::Auto => {
            is_terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
        }
    }
}

fn terminal_width() -> usize {
    terminal_size::terminal_size().map_or(100, |(width, _)| usize::from(width.0)).clamp(40, 160)
}

/// Text of a document made fit for a terminal: white space becomes one space, control characters
/// and marks that turn the direction of writing become U+FFFD.
pub(crate) fn harmless(text: &str) -> String {
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    words.chars().map(harmless_character).collect()
}

/// So many of something, whose plural ends in an s.
pub(crate) fn many(number: impl Into<u64>, what: &str) -> String {
    let number = number.into();
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

/// One character made fit for a terminal, white space excepted.
pub(crate) fn harmless_character(character: char) -> char {
    let turns_direction = matches!(character, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}');
    if character.is_control() || turns_direction { '\u{FFFD}' } else { character }
}

/// `text` cut to `width` columns, with an ellipsis where something is missing, and filled up with
/// spaces.
pub(crate) fn fit(text: &str, width: usize) -> String {
    let mut fitted = shorten(text, width);
    let missing = width.saturating_sub(fitted.width());
    fitted.extend(std::iter::repeat_n(' ', missing));
    fitted
}

/// `text` cut to at most `width` columns, with an ellipsis where something is missing.
pub(crate) fn shorten(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut used = 0;
    let mut kept: String = text
        .chars()
        .take_while(|character| {
            used += character.width().unwrap_or(0);
            used < width
        })
        .collect();
    kept.truncate(kept.trim_end().len());
    kept.push('…');
    kept
}

/// A row of a table with these cells.
pub(crate) fn row<const COLUMNS: usize>(cells: [&str; COLUMNS]) -> Vec<String> {
    cells.map(str::to_owned).to_vec()
}

/// Rows in columns as wide as they need to be, the first to the left, the others to the right.
pub(crate) fn columns(rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.width()).max()
    };
    let mut text = String::new();
    for row in rows {
        for (column, cell) in row.iter().enumerate() {
            let filling = " ".repeat(width(column).unwrap_or_default() - cell.width());
            match column {
                0 => text.extend([cell, filling.as_str()]),
                _ => text.extend(["  ", &filling, cell]),
            }
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_documents_cannot_steer_the_terminal() {
        let hostile = "a\x1b[2Jb\u{202E}c\r\nd\u{9b}e";
        assert_eq!(harmless(hostile), "a\u{FFFD}[2Jb\u{FFFD}c d\u{FFFD}e");
    }

    #[test]
    fn columns_are_filled_or_cut() {
        assert_eq!(fit("Türkiye", 9), "Türkiye  ");
        assert_eq!(fit("Kazakhstan", 6), "Kazak…");
        assert_eq!(fit("中国国务院", 5), "中国…");
        assert_eq!(fit("", 2), "  ");
    }

    #[test]
    fn colour_is_left_out_when_it_is_not_wanted() {
        let plain = Style { colour: false, width: 80 };
        assert_eq!(plain.paint(Paint::Bold, "x"), "x");
        let coloured = Style { colour: true, width: 80 };
        assert_eq!(coloured.paint(Paint::Bold, "x"), "\x1b[1mx\x1b[0m");
    }
}
