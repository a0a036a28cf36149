//! Results as a page for a browser: one file without a script that fetches nothing.
//!
//! What documents say is text, escaped by the template; the page's own policy forbids whatever
//! could be fetched or run.

use maud::{Markup, html};
use standpoint_connectors::stream::Printer;
use standpoint_document::{Document, Evidence, Span, Stance, StanceLabel, TargetStance};
use standpoint_web::language::other_notes;

use crate::explain::why_unlooked;
use crate::style::{harmless, harmless_character};

/// What stands before the documents. The tags that close it may be left out in HTML, so that
/// documents can follow as they come.
const HEAD: &str = concat!(include_str!("page.html"), "\n");

/// Half the width of a bar, in its own units.
const HALF: f32 = 50.0;

/// Prints a page with a document after the other.
pub(crate) struct PagePrinter;

impl Printer for PagePrinter {
    fn begin(&mut self, out: &mut Vec<u8>) {
        out.extend(HEAD.as_bytes());
    }

    fn print(&mut self, document: &Document<'static>, out: &mut Vec<u8>) {
        out.extend(article(document).into_string().into_bytes());
        out.push(b'\n');
    }
}

/// One document.
fn article(document: &Document<'_>) -> Markup {
    let metadata = document.metadata();
    let path = metadata.source.path.as_deref().unwrap_or_default();
    let title = metadata.title.as_deref().unwrap_or(path);
    let tone = document.sentiment().and_then(|record| record.document).map(|sentiment| {
        format!("tone {} {:+.2}", sentiment.label().name(), sentiment.score.get())
    });
    let facts = [
        metadata.title.as_ref().map(|_| harmless(path)),
        metadata.author.as_deref().map(harmless),
        metadata.published.as_deref().map(harmless),
        tone,
    ];
    html! {
        article {
            h2 dir="auto" { (harmless(title)) }
            ul.facts {
                @for fact in facts.iter().flatten().filter(|fact| !fact.is_empty()) {
                    li dir="auto" { (fact) }
                }
            }
            @let why = why_unlooked(document);
            @if document.stance().is_empty() {
                p {
                    "No stance was looked for"
                    @if let Some(why) = &why { ": " (harmless(why)) }
                    "."
                }
            }
            @for target in document.stance() { (toward(document, target)) }
            @for note in other_notes(document.notes(), why.is_some()) { p.note { "Note: " (harmless(note)) } }
            details {
                summary { "The whole text" }
                p.text dir="auto" { (shown(document.text())) }
            }
        }
    }
}

/// Who stands where toward one target.
fn toward(document: &Document<'_>, target: &TargetStance) -> Markup {
    html! {
        section {
            h3 { "Toward " bdi { (harmless(&target.target.name)) } }
            @if target.author.is_none() && target.actors.is_empty() {
                p { "Nobody in it takes a stance." }
            }
            @if let Some(stance) = &target.author { (holder(document, "The author", stance)) }
            @for actor in &target.actors {
                (holder(document, &harmless(&actor.name), &actor.stance))
            }
        }
    }
}

/// One holder, with what shows the stance folded away.
fn holder(document: &Document<'_>, name: &str, stance: &Stance) -> Markup {
    let score = stance.score.get();
    let side = match stance.label() {
        StanceLabel::Opposed => "against",
        StanceLabel::Neutral => "between",
        StanceLabel::Supportive => "for",
    };
    html! {
        details.holder {
            summary {
                bdi.name { (name) }
                span.degree.(side) { (stance.degree().name()) }
                (bar(score, side))
                span.number { (format!("{score:+.2}")) }
                span.number { (format!("{:.0}% sure", stance.confidence.get() * 100.0)) }
            }
            (list(document, "What shows it", &stance.evidence))
            (list(document, "What speaks against it", &stance.counter_evidence))
        }
    }
}

/// A score as a bar to the left or right of a middle line.
fn bar(score: f32, side: &str) -> Markup {
    let length = score.abs() * HALF;
    let from = if score < 0.0 { HALF - length } else { HALF };
    html! {
        svg.bar viewBox="0 0 100 10" role="img" aria-label=(format!("{score:+.2} of -1 to 1")) {
            rect.(side) x=(format!("{from:.1}")) y="1" width=(format!("{length:.1}")) height="8" {}
            path d="M50 0V10" {}
        }
    }
}

fn list(document: &Document<'_>, heading: &str, pieces: &[Evidence]) -> Markup {
    html! {
        @if !pieces.is_empty() {
            h4 { (heading) }
            ol {
                @for piece in pieces {
                    li {
                        q dir="auto" {
                            @for (role, text) in marked(document, piece) {
                                @match role {
                                    Some(role) => mark.(role) title=(role) { (text) },
                                    None => (text),
                                }
                            }
                        }
                        " "
                        span.reason {
                            (format!("{:+.2}", piece.score.get())) ", "
                            (piece.voice.name()) ", " (piece.time.name()) ", "
                            (format!("{:.0}% sure", piece.confidence.get() * 100.0))
                        }
                    }
                }
            }
        }
    }
}

/// Text without characters that a page may not hold; its white space stays.
fn shown(text: &str) -> String {
    let shown = |character: char| match character {
        '\n' | '\t' => character,
        _ => harmless_character(character),
    };
    text.chars().map(shown).collect()
}

/// The passage in stretches, with what each is to it. Where two overlap, the first stands.
fn marked(document: &Document<'_>, piece: &Evidence) -> Vec<(Option<&'static str>, String)> {
    let mut marks: Vec<(Span, &'static str)> =
        [(piece.holder, "holder"), (piece.target, "target"), (piece.cue, "cue")]
            .into_iter()
            .filter_map(|(span, role)| Some((span?, role)))
            .filter(|(span, _)| piece.span.contains(*span))
            .collect();
    marks.sort_by_key(|(span, _)| span.start);
    let text = |start, end| shown(document.slice(Span::new(start, end)));
    let mut stretches = Vec::new();
    let mut at = piece.span.start;
    for (span, role) in marks {
        if span.start < at {
            continue;
        }
        stretches.push((None, text(at, span.start)));
        stretches.push((Some(role), text(span.start, span.end)));
        at = span.end;
    }
    stretches.push((None, text(at, piece.span.end)));
    stretches.retain(|(_, text)| !text.is_empty());
    stretches
}

#[cfg(test)]
mod tests {
    use standpoint_document::{
        ActorStance, Confidence, EntityKind, Metadata, Polarity, StanceTarget, Time, Voice,
    };

    use super::*;

    #[test]
    fn what_a_document_says_is_text_and_no_markup() {
        let text = "<script>alert(1)</script> Astana refused Russia.";
        let hostile = "<img src=x onerror=alert(1)>\" \u{1b}[31m";
        let mut document = Document::new("d", text).unwrap().with_metadata(Metadata {
            title: Some(hostile.into()),
            author: Some(hostile.into()),
            published: Some(hostile.into()),
            ..Metadata::default()
        });
        let (score, confidence) = (Polarity::saturating(-0.62), Confidence::saturating(0.86));
        let evidence = Evidence {
            span: Span::new(0, 48),
            score,
            confidence,
            voice: Voice::Author,
            time: Time::Present,
            holder: Some(Span::new(26, 32)),
            target: Some(Span::new(41, 47)),
            // Overlaps the holder, as a rule of somebody's could have it.
            cue: Some(Span::new(30, 40)),
            rule: None,
        };
        let stance =
            Stance { score, confidence, evidence: vec![evidence], counter_evidence: vec![] };
        document
            .set_stance(vec![TargetStance {
                target: StanceTarget { id: "RUS".into(), name: hostile.into() },
                author: None,
                actors: vec![ActorStance {
                    id: "KAZ".into(),
                    name: hostile.into(),
                    kind: EntityKind::Country,
                    country: None,
                    mentions: 1,
                    stance,
                }],
            }])
            .unwrap();
        document.add_note(hostile);
        let page = article(&document).into_string();
        for markup in ["<script", "<img", "\u{1b}", "onerror=alert(1)>"] {
            assert!(!page.contains(markup), "{markup} in {page}");
        }
        let passage = "<q dir=\"auto\">&lt;script&gt;alert(1)&lt;/script&gt; \
                       <mark class=\"holder\" title=\"holder\">Astana</mark> refused \
                       <mark class=\"target\" title=\"target\">Russia</mark>.</q>";
        assert!(page.contains(passage), "{page}");
        assert!(page.contains("x=\"19.0\" y=\"1\" width=\"31.0\""), "{page}");
    }

    #[test]
    fn a_page_without_documents_is_a_page() {
        let mut written = Vec::new();
        PagePrinter.begin(&mut written);
        assert_eq!(String::from_utf8(written).unwrap(), HEAD);
    }
}
