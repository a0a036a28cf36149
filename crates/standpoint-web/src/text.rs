//! Text of documents, made fit for a page.

use maud::{Markup, html};
use standpoint_store::feed::Passage;
use standpoint_store::record::Stretch;

/// Text without characters that a page may not hold or that would turn its writing round; white
/// space stays.
#[must_use]
pub fn shown(text: &str) -> String {
    let shown = |character: char| match character {
        '\n' | '\t' => character,
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' => '\u{fffd}',
        character if character.is_control() => '\u{fffd}',
        character => character,
    };
    text.chars().map(shown).collect()
}

/// The same on one line.
#[must_use]
pub fn line(text: &str) -> String {
    shown(&text.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// A number with its sign, two decimals.
#[must_use]
pub fn signed(number: f64) -> String {
    // What is rounded to zero has no sign; a minus is as wide as a plus.
    let number = if number.abs() < 0.005 { 0.0 } else { number };
    format!("{number:+.2}").replace('-', "\u{2212}")
}

/// A whole number with thin spaces between its thousands.
#[must_use]
pub fn counted(number: i64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) && digit.is_ascii_digit() {
            out.push('\u{2009}');
        }
        out.push(digit);
    }
    out
}

/// So many of something, whose plural ends in an s.
#[must_use]
pub fn many(number: i64, what: &str) -> String {
    let ending = if number == 1 { "" } else { "s" };
    format!("{} {what}{ending}", counted(number))
}

/// A time as people read it, to the minute: of `2026-11-29T12:30:56Z` it is `2026-11-29 12:30 UTC`.
/// What has another form stays as it is.
#[must_use]
pub fn moment(time: &str) -> String {
    let parts = time.split_once('T').filter(|_| time.ends_with('Z'));
    match parts.and_then(|(day, clock)| Some((day, clock.get(..5)?))) {
        Some((day, minute)) => line(&format!("{day} {minute} UTC")),
        None => line(time),
    }
}

/// On which side a score is: the class of everything that is drawn for it.
#[must_use]
pub fn side(score: f64) -> &'static str {
    match score {
        score if score <= -0.25 => "against",
        score if score >= 0.25 => "for",
        _ => "between",
    }
}

/// A passage with its holder, target and cue marked.
#[must_use]
pub fn marked(passage: &Passage) -> Markup {
    let length = passage.text.chars().count() as u32;
    let roles = [(passage.holder, "holder"), (passage.target, "target"), (passage.cue, "cue")];
    let marks = roles.into_iter().filter_map(|(stretch, role)| {
        let stretch = stretch?;
        let start = stretch.start.checked_sub(passage.start)?;
        let end = stretch.end.checked_sub(passage.start)?;
        (start < end && end <= length).then_some((Stretch { start, end }, role))
    });
    let marks = apart(marks.collect());
    let letters: Vec<char> = passage.text.chars().collect();
    html! {
        @for (stretch, role) in stretches(letters.len() as u32, &marks) {
            @let text = shown(&slice(&letters, stretch));
            @match role {
                Some(role) => mark.(role) title=(role) { (text) },
                None => (text),
            }
        }
    }
}

/// Letters of a stretch.
#[must_use]
pub fn slice(letters: &[char], stretch: Stretch) -> String {
    letters.get(stretch.start as usize..stretch.end as usize).unwrap_or_default().iter().collect()
}

/// Marks in order and without overlap; of two that overlap the first given stands.
#[must_use]
pub fn apart<T>(wanted: Vec<(Stretch, T)>) -> Vec<(Stretch, T)> {
    let mut marks: Vec<(Stretch, T)> = Vec::new();
    for (stretch, role) in wanted {
        // In order, so that only the neighbours can be in the way.
        let place = marks.partition_point(|(taken, _)| taken.start < stretch.start);
        let before = place.checked_sub(1).and_then(|index| marks.get(index));
        let is_free = before.is_none_or(|(taken, _)| taken.end <= stretch.start)
            && marks.get(place).is_none_or(|(taken, _)| stretch.end <= taken.start);
        if is_free && stretch.start < stretch.end {
            marks.insert(place, (stretch, role));
        }
    }
    marks
}

/// The whole as stretches that are marked or not.
#[must_use]
pub fn stretches<T: Copy>(length: u32, marks: &[(Stretch, T)]) -> Vec<(Stretch, Option<T>)> {
    let mut stretches = Vec::new();
    let mut at = 0;
    for &(stretch, role) in marks {
        stretches.push((Stretch { start: at, end: stretch.start }, None));
        stretches.push((stretch, Some(role)));
        at = stretch.end;
    }
    stretches.push((Stretch { start: at, end: length }, None));
    stretches.retain(|(stretch, _)| stretch.start < stretch.end);
    stretches
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_in_print() {
        let cases = [(0.004, "+0.00"), (-0.004, "+0.00"), (-0.5, "\u{2212}0.50"), (1.0, "+1.00")];
        for (number, expected) in cases {
            assert_eq!(signed(number), expected);
        }
        for (number, expected) in [(0, "0"), (999, "999"), (1_234_567, "1\u{2009}234\u{2009}567")] {
            assert_eq!(counted(number), expected);
        }
    }

    #[test]
    fn a_time_is_told_to_the_minute() {
        for (time, expected) in [
            ("2026-11-29T12:30:56Z", "2026-11-29 12:30 UTC"),
            ("2026-11-29T12:30:57.464Z", "2026-11-29 12:30 UTC"),
            ("2026-11-24", "2026-11-24"),
            ("TZ", "TZ"),
            ("a\u{202e}TZ", "a\u{fffd}TZ"),
        ] {
            assert_eq!(moment(time), expected);
        }
    }

    #[test]
    fn of_two_marks_that_overlap_the_first_stands() {
        let at = |start, end| Stretch { start, end };
        let marks = apart(vec![(at(4, 8), 'a'), (at(0, 5), 'b'), (at(8, 9), 'c'), (at(2, 2), 'd')]);
        assert_eq!(marks, [(at(4, 8), 'a'), (at(8, 9), 'c')]);
        let all = stretches(10, &marks);
        let told: Vec<_> = all.iter().map(|(stretch, role)| (stretch.start, *role)).collect();
        assert_eq!(told, [(0, None), (4, Some('a')), (8, Some('c')), (9, None)]);
    }

    #[test]
    fn nothing_steers_the_page() {
        assert_eq!(shown("a\u{202e}b\u{0}c\n"), "a\u{fffd}b\u{fffd}c\n");
        assert_eq!(line(" a \n b\u{1b}"), "a b\u{fffd}");
    }
}
