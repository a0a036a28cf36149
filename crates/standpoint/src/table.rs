//! Results as a table for people: who stands where, how surely, and the strongest sentence.

use std::fmt::Write as _;

use standpoint_connectors::stream::Printer;
use standpoint_document::{Degree, Document, Evidence, Stance, TargetStance};

use crate::style::{Paint, Style, fit, harmless, shorten};

/// Columns of the name of an actor.
const NAME: usize = 22;
/// Columns of a degree, the longest being "distancing" and "supportive".
const DEGREE: usize = 10;
/// Columns of the bar, one of them for its middle.
const BAR: usize = 15;

/// A document as a table.
pub(crate) fn table(document: &Document<'_>, style: Style) -> String {
    let mut out = String::new();
    heading(&mut out, document, style);
    if document.stance().is_empty() {
        line(&mut out, "  no stance was looked for");
    }
    for target in document.stance() {
        stances(&mut out, document, target, style);
    }
    for note in document.notes() {
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
    if let Some(author) = &target.author {
        row(out, document, "(the author)", author, style);
    }
    for actor in &target.actors {
        row(out, document, &harmless(&actor.name), &actor.stance, style);
    }
    if target.author.is_none() && target.actors.is_empty() {
        line(out, "    nobody in it takes a stance");
    }
}

fn row(out: &mut String, document: &Document<'_>, name: &str, stance: &Stance, style: Style) {
    let degree = stance.degree();
    let paint = match degree {
        Degree::Opposed | Degree::Distancing => Paint::Against,
        Degree::Neutral => Paint::Faint,
        Degree::Leaning | Degree::Supportive => Paint::For,
    };
    let score = stance.score.get();
    let fixed = format!(
        "    {} {} {} {score:+.2} {:>4.0}% {:>3} ",
        fit(name, NAME),
        style.paint(paint, &fit(degree.name(), DEGREE)),
        style.paint(paint, &bar(score)),
        stance.confidence.get() * 100.0,
        stance.evidence.len(),
    );
    let columns = 4 + NAME + 1 + DEGREE + 1 + BAR + 1 + 5 + 6 + 4 + 1;
    let sentence = strongest(&stance.evidence)
        .map(|evidence| harmless(document.slice(evidence.span)))
        .unwrap_or_default();
    let room = style.width.saturating_sub(columns).max(20);
    line(out, &format!("{fixed}{}", style.paint(Paint::Faint, &shorten(&sentence, room))));
}

fn strongest(evidence: &[Evidence]) -> Option<&Evidence> {
    let weight = |piece: &Evidence| piece.score.get().abs() * piece.confidence.get();
    evidence.iter().max_by(|one, other| weight(one).total_cmp(&weight(other)))
}

/// A bar from -1 (left) to +1 (right) around a middle.
fn bar(score: f32) -> String {
    let half = BAR / 2;
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

    #[test]
    fn a_document_becomes_a_table() {
        let text = "Astana refused.\x1b[31m Minsk applauded.";
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
                    actor("Belarus", stance(0.9, Span::new(21, 37))),
                ],
            }])
            .unwrap();
        document.add_note("sentiment: skipped by `when`");
        let style = Style { colour: false, width: 100 };
        insta::assert_snapshot!(table(&document, style), @r"
        A � title
          2024-05-01
          toward Russia
            (the author)           neutral           │█       +0.10   86%   1 Astana refused.
            Kazakhstan             distancing    ████│        -0.62   86%   1 Astana refused.�[31m
            Belarus                supportive        │██████  +0.90   86%   1 Minsk applauded.
          note: sentiment: skipped by `when`
        ");
    }
}
