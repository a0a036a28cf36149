//! Results as a table for people: who stands where, how surely, and the strongest sentence.

use std::fmt::Write as _;

use standpoint_connectors::stream::Printer;
use standpoint_document::{Degree, Document, Evidence, Stance, TargetStance};
use standpoint_web::language::other_notes;

use unicode_width::UnicodeWidthStr;

use crate::explain::why_unlooked;
use crate::style::{Paint, Style, fit, harmless, shorten};

/// Columns before a row.
const INDENT: usize = 4;
/// Columns of the name of an actor, at least and at most.
const NAME: std::ops::RangeInclusive<usize> = 8..=24;
/// Columns of a degree, the longest being "distancing" and "supportive".
const DEGREE: usize = 10;
/// Columns of score and confidence, each with a space before it.
const NUMBERS: usize = 6 + 6;
/// Columns of the number of pieces, with a space before it.
const PIECES: usize = 7;
/// The fewest columns in which a sentence stands beside the rest; else it has a line of its own.
const SENTENCE: usize = 24;

/// A document as a table.
pub(crate) fn table(document: &Document<'_>, style: Style) -> String {
    let mut out = String::new();
    heading(&mut out, document, style);
    let why = why_unlooked(document);
    let is_told = why.is_some();
    if document.stance().is_empty() {
        match why {
            Some(why) => line(&mut out, &format!("  no stance was looked for: {}", harmless(&why))),
            None => line(&mut out, "  no stance was looked for"),
        }
    }
    for target in document.stance() {
        stances(&mut out, document, target, style);
    }
    for note in other_notes(document.notes(), is_told) {
        line(&mut out, &style.paint(Paint::Faint, &format!("  note: {}", harmless(note))));
    }
    out
}

/// Ends a line of the table.
fn line(out: &mut String, text: &str) {
    out.push_str(text.trim_end());
    out.push('\n');
}

fn heading(out: &mut String, document: &Document<'_>, style: Style) {
    let metadata = document.metadata();
    let path = metadata.source.path.as_deref().unwrap_or_default();
    let title = harmless(metadata.title.as_deref().unwrap_or(path));
    line(out, &style.paint(Paint::Bold, &shorten(&title, style.width)));
    let mut facts = Vec::new();
    if metadata.title.is_some() && !path.is_empty() {
        facts.push(harmless(path));
    }
    facts.extend(metadata.published.as_deref().map(harmless));
    if let Some(sentiment) = document.sentiment().and_then(|record| record.document) {
        let label = sentiment.label().name();
        facts.push(format!("tone {label} {:+.2}", sentiment.score.get()));
    }
    let facts = shorten(&facts.join(" · "), style.width - 2);
    line(out, &style.paint(Paint::Faint, &format!("  {facts}")));
}

fn stances(out: &mut String, document: &Document<'_>, target: &TargetStance, style: Style) {
    line(out, &format!("  toward {}", style.paint(Paint::Bold, &harmless(&target.target.name))));
    let author = target.author.as_ref().map(|stance| ("(the author)".to_owned(), stance));
    let actors = target.actors.iter().map(|actor| (harmless(&actor.name), &actor.stance));
    let rows: Vec<(String, &Stance)> = author.into_iter().chain(actors).collect();
    if rows.is_empty() {
        line(out, "    nobody in it takes a stance");
        return;
    }
    let longest = rows.iter().map(|(name, _)| name.width()).max().unwrap_or(0);
    let layout = Layout::of(style.width, longest);
    line(out, &style.paint(Paint::Faint, &layout.heading()));
    for (name, stance) in rows {
        row(out, document, &name, stance, &layout, style);
    }
}

/// What a terminal of this width has room for.
struct Layout {
    name: usize,
    /// Columns of the bar, one of them for its middle; 0 where there is none.
    bar: usize,
    has_pieces: bool,
    /// Columns of the sentence beside the rest; `None` where it has a line of its own.
    beside: Option<usize>,
}

impl Layout {
    /// - `longest`: columns of the longest name.
    fn of(width: usize, longest: usize) -> Self {
        let name = longest.clamp(*NAME.start(), *NAME.end());
        for (bar, is_beside) in [(15, true), (15, false), (9, false), (0, false)] {
            let mut layout = Self { name, bar, has_pieces: true, beside: None };
            let left = width.checked_sub(layout.columns());
            match left {
                Some(left) if is_beside && SENTENCE + 2 <= left => layout.beside = Some(left - 2),
                Some(_) if !is_beside => {}
                _ => continue,
            }
            return layout;
        }
        let mut narrow = Self { name, bar: 0, has_pieces: false, beside: None };
        let too_wide = narrow.columns().saturating_sub(width);
        narrow.name = name.saturating_sub(too_wide).max(*NAME.start());
        narrow
    }

    /// Columns of all but the sentence.
    const fn columns(&self) -> usize {
        let bar = if self.bar > 0 { 1 + self.bar } else { 0 };
        let pieces = if self.has_pieces { PIECES } else { 0 };
        INDENT + self.name + 1 + DEGREE + bar + NUMBERS + pieces
    }

    fn heading(&self) -> String {
        let mut text = format!("    {} {}", fit("who", self.name), fit("stance", DEGREE));
        if self.bar > 0 {
            // Infallible: a String takes whatever is written.
            let _ = write!(text, " -1{:^1$}+1", "0", self.bar - 4);
        }
        text.push_str(" score  sure");
        if self.has_pieces {
            text.push_str(" pieces");
        }
        if self.beside.is_some() {
            text.push_str("  strongest sentence");
        }
        text
    }
}

fn row(
    out: &mut String,
    document: &Document<'_>,
    name: &str,
    stance: &Stance,
    layout: &Layout,
    style: Style,
) {
    let degree = stance.degree();
    let paint = match degree {
        Degree::Opposed | Degree::Distancing => Paint::Against,
        Degree::Neutral => Paint::Faint,
        Degree::Leaning | Degree::Supportive => Paint::For,
    };
    let (score, sure) = (stance.score.get(), stance.confidence.get() * 100.0);
    let degree = style.paint(paint, &fit(degree.name(), DEGREE));
    let mut text = format!("    {} {degree}", fit(name, layout.name));
    if layout.bar > 0 {
        let _ = write!(text, " {}", style.paint(paint, &bar(score, layout.bar)));
    }
    let _ = write!(text, " {score:+.2} {sure:>4.0}%");
    if layout.has_pieces {
        let _ = write!(text, " {:>6}", stance.evidence.len());
    }
    let sentence = strongest(&stance.evidence)
        .map(|evidence| harmless(document.slice(evidence.span)))
        .unwrap_or_default();
    let faint = |room: usize| style.paint(Paint::Faint, &shorten(&sentence, room));
    if let Some(room) = layout.beside {
        line(out, &format!("{text}  {}", faint(room)));
        return;
    }
    line(out, &text);
    if !sentence.is_empty() {
        line(out, &format!("      {}", faint(style.width.saturating_sub(6))));
    }
}

fn strongest(evidence: &[Evidence]) -> Option<&Evidence> {
    let weight = |piece: &Evidence| piece.score.get().abs() * piece.confidence.get();
    evidence.iter().max_by(|one, other| weight(one).total_cmp(&weight(other)))
}

/// A bar from -1 (left) to +1 (right) around a middle.
///
/// - `columns`: an odd number.
fn bar(score: f32, columns: usize) -> String {
    let half = columns / 2;
    let length = (score.abs() * half as f32).round() as usize;
    let (left, right) = if score < 0.0 { (length, 0) } else { (0, length) };
    let mut bar = String::new();
    // Infallible: a String takes whatever is written.
    let _ = write!(
        bar,
        "{}{}│{}{}",
        " ".repeat(half - left),
        "█".repeat(left),
        "█".repeat(right),
        " ".repeat(half - right)
    );
    bar
}

/// Prints a table for each document.
pub(crate) struct TablePrinter(pub(crate) Style);

impl Printer for TablePrinter {
    fn print(&mut self, document: &Document<'static>, out: &mut Vec<u8>) {
        out.extend(table(document, self.0).into_bytes());
        out.push(b'\n');
    }
}

#[cfg(test)]
mod tests {
    use standpoint_document::{
        ActorStance, Confidence, EntityKind, Metadata, Polarity, Span, StanceTarget, Time, Voice,
    };

    use super::*;

    fn stance(score: f32, span: Span) -> Stance {
        let (score, confidence) = (Polarity::saturating(score), Confidence::saturating(0.86));
        let evidence = Evidence {
            span,
            score,
            confidence,
            voice: Voice::Author,
            time: Time::Present,
            holder: None,
            target: None,
            cue: None,
            rule: None,
        };
        Stance { score, confidence, evidence: vec![evidence], counter_evidence: vec![] }
    }

    fn document() -> Document<'static> {
        let text = "Astana refused.\x1b[31m Minsk applauded, and was told so at length by those who \
                    had asked for it.";
        let mut document = Document::new("d", text).unwrap().with_metadata(Metadata {
            title: Some("A \x1b title".into()),
            published: Some("2024-05-01".into()),
            ..Metadata::default()
        });
        let actor = |name: &str, stance| ActorStance {
            id: name.to_uppercase(),
            name: name.into(),
            kind: EntityKind::Country,
            country: None,
            mentions: 1,
            stance,
        };
        document
            .set_stance(vec![TargetStance {
                target: StanceTarget { id: "RUS".into(), name: "Russia".into() },
                author: Some(stance(0.1, Span::new(0, 15))),
                actors: vec![
                    actor("Kazakhstan", stance(-0.62, Span::new(0, 21))),
                    actor("Belarus", stance(0.9, Span::new(21, text.len() as u32))),
                    actor("\u{4e2d}\u{56fd}", stance(0.0, Span::new(0, 15))),
                ],
            }])
            .unwrap();
        document.add_note("sentiment: skipped by `when`");
        document
    }

    #[test]
    fn where_conditions_kept_stages_from_it_it_is_told() {
        let mut document = Document::new("d", "Astana ha rifiutato.").unwrap();
        document.set_language("it");
        document.add_note(standpoint_engine::skipped_note("stance"));
        let told = table(&document, Style { colour: false, width: 80 });
        assert!(told.contains("looked for: the stage stance did not read it"), "{told}");
    }

    fn drawn(width: usize) -> String {
        table(&document(), Style { colour: false, width })
    }

    #[test]
    fn a_document_becomes_a_table() {
        insta::assert_snapshot!(drawn(100), @r"
        A � title
          2024-05-01
          toward Russia
            who          stance     -1     0     +1 score  sure pieces  strongest sentence
            (the author) neutral           │█       +0.10   86%      1  Astana refused.
            Kazakhstan   distancing    ████│        -0.62   86%      1  Astana refused.�[31m
            Belarus      supportive        │██████  +0.90   86%      1  Minsk applauded, and was told so at…
            中国         neutral           │        +0.00   86%      1  Astana refused.
          note: sentiment: skipped by `when`
        ");
    }

    #[test]
    fn where_there_is_no_room_beside_a_sentence_has_its_own_line() {
        insta::assert_snapshot!(drawn(72), @r"
        A � title
          2024-05-01
          toward Russia
            who          stance     -1     0     +1 score  sure pieces
            (the author) neutral           │█       +0.10   86%      1
              Astana refused.
            Kazakhstan   distancing    ████│        -0.62   86%      1
              Astana refused.�[31m
            Belarus      supportive        │██████  +0.90   86%      1
              Minsk applauded, and was told so at length by those who had asked…
            中国         neutral           │        +0.00   86%      1
              Astana refused.
          note: sentiment: skipped by `when`
        ");
    }

    #[test]
    fn a_narrow_terminal_gets_what_it_has_room_for() {
        insta::assert_snapshot!(drawn(40), @r"
        A � title
          2024-05-01
          toward Russia
            who          stance     score  sure
            (the author) neutral    +0.10   86%
              Astana refused.
            Kazakhstan   distancing -0.62   86%
              Astana refused.�[31m
            Belarus      supportive +0.90   86%
              Minsk applauded, and was told so…
            中国         neutral    +0.00   86%
              Astana refused.
          note: sentiment: skipped by `when`
        ");
    }

    #[test]
    fn no_row_is_wider_than_the_terminal() {
        for width in 40..=160 {
            for line in drawn(width).lines() {
                assert!(line.width() <= width, "{width}: {line}");
            }
        }
    }
}
