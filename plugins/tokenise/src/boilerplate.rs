//! Finds the lines of a text that belong to the page and not to the article: cookie notices, share
//! bars, comment forms, bylines, and lines that were said before, such as a repeated caption.
//!
//! Only whole lines are marked, and only those that `data/boilerplate.txt` names or that repeat
//! another: what is doubtful stays.

use std::ops::Range;

use rustc_hash::{FxHashMap, FxHasher};
use std::hash::Hasher;

use crate::lists::lines;

/// Longer lines are prose; a notice that "..." completes stays below it, too.
const MAX_LINE_BYTES: usize = 240;
/// A line with fewer words may be said twice.
const MIN_REPEATED_WORDS: usize = 8;
/// How much of a text, in percent, a form at its end may take.
const MAX_FORM_PERCENT: usize = 30;
/// A form shorter than this many bytes may take more of a short text.
const SHORT_FORM_BYTES: usize = 600;

/// The lines that are known; made once and shared.
#[derive(Debug)]
pub struct Boilerplate {
    /// By what a line says, in lower case, or how it begins.
    known: FxHashMap<Box<str>, Known>,
    /// The lengths of beginnings in bytes, rising, so that a line is looked up a few times only.
    prefix_lengths: Vec<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Known {
    Line,
    /// A line may go on after it.
    Beginning,
    /// All that follows belongs to it.
    Form,
}

impl Boilerplate {
    /// The lines that come with the stage.
    #[must_use]
    pub fn standard() -> Self {
        let mut known = FxHashMap::default();
        let mut prefix_lengths = Vec::new();
        for line in lines(include_str!("../data/boilerplate.txt")) {
            if let Some(beginning) = line.strip_suffix(" ...") {
                prefix_lengths.push(beginning.len());
                known.insert(beginning.into(), Known::Beginning);
            } else if let Some(form) = line.strip_prefix("! ") {
                known.insert(form.into(), Known::Form);
            } else {
                known.insert(line.into(), Known::Line);
            }
        }
        prefix_lengths.sort_unstable();
        prefix_lengths.dedup();
        Self { known, prefix_lengths }
    }

    /// The byte ranges of `text` that are boilerplate: whole lines, in order, without overlap.
    #[must_use]
    pub fn find(&self, text: &str) -> Vec<Range<usize>> {
        let mut found: Vec<Range<usize>> = Vec::new();
        let mut seen = Seen::default();
        let mut lower = String::new();
        let mut start = 0;
        for (index, line) in text.split_inclusive('\n').enumerate() {
            let range = start..start + line.len();
            start = range.end;
            let words = line.trim();
            if words.is_empty() {
                continue;
            }
            if words.len() <= MAX_LINE_BYTES {
                lower.clear();
                lower.extend(words.chars().flat_map(char::to_lowercase));
                match self.look_up(trim_marks(&lower)) {
                    Some(Known::Form) if is_end_of_page(text, range.start) => {
                        found.push(range.start..text.len());
                        return found;
                    }
                    Some(_) => {
                        found.push(range);
                        continue;
                    }
                    None if is_byline(words) => {
                        found.push(range);
                        continue;
                    }
                    None => {}
                }
            }
            if let Some(repeat) = seen.note(text, words, &range, index) {
                // A caption that stands twice in a row is one both times; a title is not.
                if let Some(first) = repeat.first_neighbour
                    && found.last().is_none_or(|last| last.end <= first.start)
                {
                    found.push(first);
                }
                found.push(range);
            }
        }
        found
    }

    fn look_up(&self, line: &str) -> Option<Known> {
        if let Some(&known) = self.known.get(line) {
            return Some(known);
        }
        for &length in self.prefix_lengths.iter().take_while(|&&length| length < line.len()) {
            let Some(beginning) = line.get(..length) else { continue };
            let ends_word = !line[length..].starts_with(char::is_alphanumeric)
                || !beginning.ends_with(char::is_alphanumeric);
            if ends_word && self.known.get(beginning) == Some(&Known::Beginning) {
                return Some(Known::Beginning);
            }
        }
        None
    }
}

/// Without bullets, brackets, stars and stops at the ends.
fn trim_marks(line: &str) -> &str {
    line.trim_matches(|c: char| c.is_whitespace() || ".,:;!|*()[]<>-–—•·…»«›‹#".contains(c))
}

/// Whether so little of the text follows that it can be a form.
fn is_end_of_page(text: &str, start: usize) -> bool {
    let rest = text.len() - start;
    rest <= SHORT_FORM_BYTES || rest * 100 <= text.len() * MAX_FORM_PERCENT
}

/// "By Jane Smith and John Doe": names and nothing else.
fn is_byline(line: &str) -> bool {
    let Some(names) = line.strip_prefix("By ").or_else(|| line.strip_prefix("BY ")) else {
        return false;
    };
    let mut count = 0;
    for word in names.split([' ', ',']).filter(|word| !word.is_empty()) {
        let is_initial = word.len() == 2 && word.ends_with('.');
        let is_name = word.starts_with(char::is_uppercase)
            && (is_initial || !word.ends_with(['.', '!', '?', ':']))
            && !word.contains(|c: char| c.is_ascii_digit());
        if !is_name && !matches!(word, "and" | "de" | "van" | "von" | "al" | "|") {
            return false;
        }
        count += 1;
    }
    (2..=8).contains(&count)
}

/// Lines that were already read.
#[derive(Default)]
struct Seen {
    /// By hash; the last line of each.
    lines: FxHashMap<u64, (usize, Range<usize>)>,
    /// The number of the last line that was not blank, and whether it is the text's first.
    last: Option<usize>,
    has_passed_first: bool,
}

struct Repeat {
    /// The first of the two, when nothing but blank lines stands between and it is no title.
    first_neighbour: Option<Range<usize>>,
}

impl Seen {
    /// Takes note of a line; tells whether it was there before.
    fn note(
        &mut self,
        text: &str,
        line: &str,
        range: &Range<usize>,
        index: usize,
    ) -> Option<Repeat> {
        let before = self.last.replace(index);
        let is_title = !std::mem::replace(&mut self.has_passed_first, true);
        if line.split_ascii_whitespace().take(MIN_REPEATED_WORDS).count() < MIN_REPEATED_WORDS {
            return None;
        }
        let mut hasher = FxHasher::default();
        hasher.write(line.as_bytes());
        // The title's number is kept out of reach, so that it never counts as a neighbour.
        let number = if is_title { usize::MAX } else { index };
        let (earlier, first) = self.lines.insert(hasher.finish(), (number, range.clone()))?;
        if text[first.clone()].trim() != line {
            return None;
        }
        Some(Repeat { first_neighbour: (before == Some(earlier)).then_some(first) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marked(text: &str) -> Vec<&str> {
        Boilerplate::standard().find(text).into_iter().map(|range| text[range].trim()).collect()
    }

    #[test]
    fn marks_lines_of_the_page_and_nothing_else() {
        let caption = "Ministers pose for a photo in Tashkent on Monday. A. Photographer/Agency";
        let twice = format!("A title\n\n{caption}\n{caption}\n\nThe talks went on.");
        let refrain = "We shall not give in.\n\nThey did.\n\nWe shall not give in.";
        let title = "Ministers meet in Tashkent for talks on water\n\nMinisters meet in Tashkent for talks on water\n\nThey met.";
        let article = "Ministers met.\n".repeat(60);
        let form = format!("{article}\nDeja una respuesta\n\nNombre\n\nEnviar *");
        let cases: [(&str, &str, &[&str]); 12] = [
            (
                "cookies",
                "We use cookies to improve your visit.\n\nMinisters met.",
                &["We use cookies to improve your visit."],
            ),
            (
                "share bar",
                "Ministers met.\nShare on Facebook\nTweet\n",
                &["Share on Facebook", "Tweet"],
            ),
            (
                "byline",
                "By Jane A. Smith and John Doe\n\nMinisters met.",
                &["By Jane A. Smith and John Doe"],
            ),
            ("sentence with by", "By Monday the ministers had met.", &[]),
            ("sentence with share", "Share of the vote fell. Share on.", &[]),
            ("caption twice", &twice, &[caption, caption]),
            ("short refrain", refrain, &[]),
            ("title again", title, &["Ministers meet in Tashkent for talks on water"]),
            ("form at the end", &form, &["Deja una respuesta\n\nNombre\n\nEnviar *"]),
            ("longer word", "Tweeting ministers met.", &[]),
            (
                "quoted notice",
                "\"We use cookies,\" the minister said in a speech that went on about web sites and their rules, about companies which had to follow them, about fines that nobody paid, about judges, about the courts, about lawyers and about the end of the world.",
                &[],
            ),
            ("empty", "", &[]),
        ];
        for (case, text, expected) in cases {
            assert_eq!(marked(text), expected, "{case}");
        }
    }

    #[test]
    fn the_known_lines_are_as_lines_are_compared() {
        for line in lines(include_str!("../data/boilerplate.txt")) {
            let line = line.strip_suffix(" ...").unwrap_or(line);
            let line = line.strip_prefix("! ").unwrap_or(line);
            assert_eq!(trim_marks(&line.to_lowercase()), line);
        }
    }
}
