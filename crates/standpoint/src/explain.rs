//! A document as annotated text: entities, and for each piece of evidence its holder, target and
//! cue, with the reason under the sentence.

use standpoint_document::{Document, Evidence, Span, StanceTarget, Time, Voice, sentence};

use standpoint_web::language::why_unread;

use crate::style::{Paint, Style, harmless, harmless_character};

/// What is said about how to read the text.
const LEGEND: &str = "\
{…}h holder  {…}t target  {…}c the words that decide  […] entity  ~ passed over
(n% sure) of that sentence alone; of an actor, all its sentences decide together";

/// A piece of evidence with who holds the stance toward whom.
struct Piece<'d> {
    holder: &'d str,
    target: &'d StanceTarget,
    evidence: &'d Evidence,
    speaks_against: bool,
}

/// The document's text, annotated.
pub(crate) fn explain(document: &Document<'_>, style: Style) -> String {
    let pieces = pieces(document);
    let mut out = format!("{}\n\n", style.paint(Paint::Faint, LEGEND));
    if let Some(why) = why_unlooked(document) {
        let told = format!("No stance was looked for: {}.", harmless(&why));
        out.extend([style.paint(Paint::Faint, &told).as_str(), "\n\n"]);
    }
    for stance in document.stance() {
        if stance.author.is_none() && stance.actors.is_empty() {
            let target = harmless(&stance.target.name);
            let told = format!("Nobody in it takes a stance toward {target}.");
            out.extend([style.paint(Paint::Faint, &told).as_str(), "\n\n"]);
        }
    }
    for (index, sentence) in document.sentences().iter().enumerate() {
        if index > 0 && sentence.has(sentence::PARAGRAPH) {
            out.push('\n');
        }
        let here: Vec<&Piece<'_>> = pieces
            .iter()
            .filter(|piece| {
                sentence.span.start <= piece.evidence.span.start
                    && piece.evidence.span.start < sentence.span.end
            })
            .collect();
        if sentence.has(sentence::BOILERPLATE) || sentence.has(sentence::FOREIGN) {
            let text = format!("~ {}", harmless(document.slice(sentence.span)));
            out.push_str(&style.paint(Paint::Faint, &text));
        } else {
            out.push_str(&marked(
                document,
                sentence.span,
                &marks(document, sentence.span, &here),
                style,
            ));
        }
        out.push('\n');
        for piece in here {
            out.push_str(&reason(piece, style));
        }
    }
    out
}

/// Why no stance was looked for, where conditions kept stages from the text.
pub(crate) fn why_unlooked(document: &Document<'_>) -> Option<String> {
    let is_judged = !document.stance().is_empty();
    why_unread(document.language(), document.notes()).filter(|_| !is_judged)
}

fn pieces<'d>(document: &'d Document<'_>) -> Vec<Piece<'d>> {
    let mut pieces = Vec::new();
    for stance in document.stance() {
        let author = stance.author.iter().map(|position| ("the author", position));
        let actors = stance.actors.iter().map(|actor| (actor.name.as_str(), &actor.stance));
        for (holder, position) in author.chain(actors) {
            let lists = [(&position.evidence, false), (&position.counter_evidence, true)];
            for (list, speaks_against) in lists {
                pieces.extend(list.iter().map(|evidence| Piece {
                    holder,
                    target: &stance.target,
                    evidence,
                    speaks_against,
                }));
            }
        }
    }
    pieces.sort_by_key(|piece| piece.evidence.span);
    pieces
}

/// What a stretch of text is to its sentence, the more telling first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Role {
    Holder,
    Target,
    Cue,
    Entity,
}

/// The stretches to mark inside `sentence`, without overlap and in order.
fn marks(document: &Document<'_>, sentence: Span, pieces: &[&Piece<'_>]) -> Vec<(Span, Role)> {
    let mut wanted = Vec::new();
    for piece in pieces {
        let roles = [
            (piece.evidence.holder, Role::Holder),
            (piece.evidence.target, Role::Target),
            (piece.evidence.cue, Role::Cue),
        ];
        wanted.extend(roles.into_iter().filter_map(|(span, role)| Some((role, span?))));
    }
    let mentions = standpoint_document::within(document.mentions(), sentence);
    wanted.extend(mentions.iter().map(|mention| (Role::Entity, mention.span)));
    wanted.sort();
    let mut marks: Vec<(Span, Role)> = Vec::new();
    for (role, span) in wanted {
        let is_free = marks.iter().all(|(taken, _)| !taken.overlaps(span));
        if is_free && sentence.contains(span) && !span.is_empty() {
            marks.push((span, role));
        }
    }
    marks.sort();
    marks
}

fn marked(document: &Document<'_>, sentence: Span, marks: &[(Span, Role)], style: Style) -> String {
    let mut out = String::new();
    let mut at = sentence.start;
    for &(span, role) in marks {
        out.push_str(&plain(document, Span::new(at, span.start)));
        let text = plain(document, span);
        let (paint, text) = match role {
            Role::Holder => (Paint::Holder, format!("{{{text}}}h")),
            Role::Target => (Paint::Target, format!("{{{text}}}t")),
            Role::Cue => (Paint::Cue, format!("{{{text}}}c")),
            Role::Entity => (Paint::Bold, format!("[{text}]")),
        };
        out.push_str(&style.paint(paint, &text));
        at = span.end;
    }
    out.push_str(&plain(document, Span::new(at, sentence.end)));
    out
}

/// Text of the document with line ends as spaces and nothing that steers a terminal.
fn plain(document: &Document<'_>, span: Span) -> String {
    let text = document.slice(span).chars();
    text.map(|c| if c.is_whitespace() { ' ' } else { harmless_character(c) }).collect()
}

fn reason(piece: &Piece<'_>, style: Style) -> String {
    let evidence = piece.evidence;
    let score = evidence.score.get();
    let paint = if score < 0.0 { Paint::Against } else { Paint::For };
    let voice = match evidence.voice {
        Voice::Author => "author's voice",
        Voice::Quoted => "quoted",
        Voice::Reported => "reported",
    };
    let time = match evidence.time {
        Time::Past => "past",
        Time::Present => "present",
        Time::Future => "future",
        Time::Hypothetical => "hypothetical",
    };
    let counts = if piece.speaks_against { ", counter-evidence" } else { "" };
    let rule = evidence.rule.as_deref().map(|rule| format!(", {rule}")).unwrap_or_default();
    format!(
        "    {} {} {}\n",
        style.paint(
            paint,
            &format!("{score:+.2} {} → {}", harmless(piece.holder), harmless(&piece.target.name))
        ),
        style.paint(Paint::Faint, &format!("({:.0}% sure)", evidence.confidence.get() * 100.0)),
        style.paint(Paint::Faint, &format!("{voice}, {time}{counts}{rule}")),
    )
}

#[cfg(test)]
mod tests {
    use standpoint_document::{
        ActorStance, Annotation, Confidence, EntityKind, Polarity, Stance, TargetStance, layers,
    };

    use super::*;

    #[test]
    fn evidence_is_marked_with_its_reason_below() {
        let text = "Astana refused to back Moscow. Leave a reply";
        let mut document = Document::new("d", text).unwrap();
        let span = |part: &str| {
            let start = text.find(part).unwrap() as u32;
            Span::new(start, start + part.len() as u32)
        };
        let furniture = Annotation::new(span("Leave a reply")).with_flags(sentence::BOILERPLATE);
        document
            .set_layer(layers::SENTENCES, vec![Annotation::new(Span::new(0, 30)), furniture])
            .unwrap();
        let (score, confidence) = (Polarity::saturating(-0.6), Confidence::saturating(0.86));
        let evidence = Evidence {
            span: Span::new(0, 30),
            score,
            confidence,
            voice: Voice::Author,
            time: Time::Present,
            holder: Some(span("Astana")),
            target: Some(span("Moscow")),
            cue: Some(span("refused")),
            rule: Some("refusal".into()),
        };
        let stance =
            Stance { score, confidence, evidence: vec![evidence], counter_evidence: vec![] };
        document
            .set_stance(vec![TargetStance {
                target: StanceTarget { id: "RUS".into(), name: "Russia".into() },
                author: None,
                actors: vec![ActorStance {
                    id: "KAZ".into(),
                    name: "Kazakhstan".into(),
                    kind: EntityKind::Country,
                    country: None,
                    mentions: 1,
                    stance,
                }],
            }])
            .unwrap();
        insta::assert_snapshot!(explain(&document, Style { colour: false, width: 80 }), @r"
        {…}h holder  {…}t target  {…}c the words that decide  […] entity  ~ passed over
        (n% sure) of that sentence alone; of an actor, all its sentences decide together

        {Astana}h {refused}c to back {Moscow}t.
            -0.60 Kazakhstan → Russia (86% sure) author's voice, present, refusal
        ~ Leave a reply
        ");
    }

    #[test]
    fn where_nobody_takes_a_stance_it_is_told() {
        let mut document = Document::new("d", "Astana met Moscow.").unwrap();
        let target = StanceTarget { id: "RUS".into(), name: "Russia".into() };
        let stance = TargetStance { target, author: None, actors: vec![] };
        document.set_stance(vec![stance]).unwrap();
        let told = explain(&document, Style { colour: false, width: 80 });
        assert!(told.contains("\n\nNobody in it takes a stance toward Russia.\n\n"), "{told}");
    }

    #[test]
    fn where_conditions_kept_stages_from_a_text_it_is_told() {
        let mut document = Document::new("d", "Astana ha rifiutato.").unwrap();
        document.set_language("it");
        let plain = Style { colour: false, width: 80 };
        assert!(!explain(&document, plain).contains("Italian"), "nothing was skipped");
        document.add_note(standpoint_engine::skipped_note("stance"));
        let told = explain(&document, plain);
        let why = "No stance was looked for: the stage stance did not read it, by its `when`. The \
                   text was taken for Italian (`it`); where that is wrong";
        assert!(told.contains(why), "{told}");
    }
}
