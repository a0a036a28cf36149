//! A document with its annotation: entities, and each passage with who stands where by it.

use maud::{Markup, html};
use standpoint_store::documents::{Kept, Standing};
use standpoint_store::feed::Passage;
use standpoint_store::record::{Mention, Stretch};

use crate::language::{other_notes, why_unread};
use crate::parts::{self, badges};
use crate::text::{apart, line, many, moment, side, signed, slice, stretches};

/// What identifies the passages of a document on a page that may show several.
#[derive(Debug, Clone, Copy)]
pub struct Anchor<'a> {
    /// Put before the passages' keys.
    pub prefix: &'a str,
}

impl Anchor<'_> {
    /// The id of a passage's place in the text.
    #[must_use]
    pub fn of(&self, key: i64) -> String {
        format!("{}e{key}", self.prefix)
    }
}

/// A stretch of text that the stages passed over.
#[derive(Debug, Clone, Copy)]
pub struct PassedOver {
    /// Where it stands.
    pub stretch: Stretch,
    /// Whether that is for its language, and not because it is furniture of a page.
    pub is_foreign: bool,
}

/// A run of text that passages cover, all of which overlap somehow.
struct Region<'p> {
    stretch: Stretch,
    passages: Vec<&'p Passage>,
}

fn regions(passages: &[Passage], length: u32) -> Vec<Region<'_>> {
    let mut sorted: Vec<&Passage> = passages
        .iter()
        .filter(|passage| passage.start < passage.end && passage.end <= length)
        .collect();
    sorted.sort_by_key(|passage| (passage.start, passage.end));
    let mut regions: Vec<Region<'_>> = Vec::new();
    for passage in sorted {
        match regions.last_mut() {
            Some(region) if passage.start < region.stretch.end => {
                region.stretch.end = region.stretch.end.max(passage.end);
                region.passages.push(passage);
            }
            _ => regions.push(Region {
                stretch: Stretch { start: passage.start, end: passage.end },
                passages: vec![passage],
            }),
        }
    }
    regions
}

/// What a run of the text is.
#[derive(Clone, Copy)]
enum Run {
    /// A region, by its place among them.
    Region(usize),
    PassedOver {
        is_foreign: bool,
    },
}

/// What a stretch is.
#[derive(Clone, Copy)]
enum Role<'d> {
    Part(&'static str),
    Entity(&'d Mention),
}

/// The text with entities and passages marked; a note hangs on each passage, seen when it is
/// pointed at, has the focus, or is tapped.
///
/// - `passed_over`: what the stages did not read, where that is known.
#[must_use]
pub fn text(
    text: &str,
    mentions: &[Mention],
    passages: &[Passage],
    passed_over: &[PassedOver],
    anchor: Anchor<'_>,
) -> Markup {
    let letters: Vec<char> = text.chars().collect();
    let length = letters.len() as u32;
    let regions = regions(passages, length);
    let of_passages =
        regions.iter().enumerate().map(|(index, region)| (region.stretch, Run::Region(index)));
    let others = passed_over
        .iter()
        .filter(|other| other.stretch.end <= length)
        .map(|other| (other.stretch, Run::PassedOver { is_foreign: other.is_foreign }));
    let covered = apart(of_passages.chain(others).collect());
    html! {
        div.text dir="auto" {
            @for (stretch, what) in stretches(length, &covered) {
                @match what {
                    Some(Run::Region(index)) => (passage(&letters, &regions[index], mentions, anchor)),
                    Some(Run::PassedOver { is_foreign }) => {
                        span.passed-over title=(why_passed_over(is_foreign)) {
                            "~ " (run(&letters, stretch, mentions, &[]))
                        }
                    },
                    None => (run(&letters, stretch, mentions, &[])),
                }
            }
        }
    }
}

const fn why_passed_over(is_foreign: bool) -> &'static str {
    if is_foreign { "passed over: in another language" } else { "passed over: furniture of a page" }
}

fn passage(
    letters: &[char],
    region: &Region<'_>,
    mentions: &[Mention],
    anchor: Anchor<'_>,
) -> Markup {
    let sides: Vec<&str> = region.passages.iter().map(|passage| side(passage.score)).collect();
    let all = |wanted: &str| sides.iter().all(|side| *side == wanted);
    let class = match () {
        () if all("against") => "against",
        () if all("for") => "for",
        () => "between",
    };
    let is_rejected =
        region.passages.iter().all(|passage| passage.verdict.as_deref() == Some("rejected"));
    let first = region.passages.first().map_or(0, |passage| passage.key);
    let note = format!("{}n", anchor.of(first));
    html! {
        span.evidence.(class).rejected[is_rejected] id=(anchor.of(first)) tabindex="0"
            aria-describedby=(note) {
            // Other passages of the same words have a place of their own to lead to.
            @for passage in region.passages.iter().skip(1) { span id=(anchor.of(passage.key)) {} }
            (run(letters, region.stretch, mentions, &region.passages))
            span.note id=(note) role="note" {
                @for passage in &region.passages {
                    span.says {
                        b { bdi { (line(&passage.name)) } }
                        " "
                        span.degree.(side(passage.score)) {
                            (signed(passage.score)) " "
                            (standpoint_store::figures::degree(passage.score))
                        }
                        " toward " (line(&passage.target_name)) " "
                        (badges(passage))
                        @if let Some(rule) = &passage.rule { " by " (line(rule)) }
                        (format!(", {:.0}% sure", passage.confidence * 100.0))
                    }
                }
            }
        }
    }
}

/// Text with its entities and the parts of passages.
fn run(letters: &[char], stretch: Stretch, mentions: &[Mention], passages: &[&Passage]) -> Markup {
    let mut wanted: Vec<(Stretch, Role<'_>)> = Vec::new();
    for (part, role) in passages.iter().flat_map(|passage| {
        [(passage.holder, "holder"), (passage.target, "target"), (passage.cue, "cue")]
    }) {
        if let Some(part) = part {
            wanted.push((part, Role::Part(role)));
        }
    }
    let first = mentions.partition_point(|mention| mention.start < stretch.start);
    let inside = mentions[first..].iter().take_while(|mention| mention.start < stretch.end);
    wanted.extend(inside.map(|mention| {
        (Stretch { start: mention.start, end: mention.end }, Role::Entity(mention))
    }));
    wanted.retain(|(part, _)| stretch.start <= part.start && part.end <= stretch.end);
    let mut marks = apart(wanted);
    for (part, _) in &mut marks {
        (part.start, part.end) = (part.start - stretch.start, part.end - stretch.start);
    }
    html! {
        @for (part, role) in stretches(stretch.end - stretch.start, &marks) {
            @let part = Stretch { start: part.start + stretch.start, end: part.end + stretch.start };
            @let words = crate::text::shown(&slice(letters, part));
            @match role {
                Some(Role::Part(role)) => mark.(role) title=(role) { (words) },
                Some(Role::Entity(mention)) => span.entity title=(called(mention)) { (words) },
                None => (words),
            }
        }
    }
}

fn called(mention: &Mention) -> String {
    match &mention.name {
        Some(name) => format!("{} ({})", line(name), line(&mention.label)),
        None => line(&mention.label),
    }
}

/// How to read a text that is marked.
///
/// - `has_cues`: whether the words that decide are marked, which result lines do not say;
/// - `has_passed_over`: whether stretches are marked that no stage read.
#[must_use]
pub fn legend(has_cues: bool, has_passed_over: bool) -> Markup {
    html! {
        p.legend.faint {
            "In the text: "
            span.evidence.against { "against the target" } ", "
            span.evidence.for { "for it" } "; "
            mark.holder { "who holds the stance" } ", "
            mark.target { "the target" }
            @if has_cues { ", " mark.cue { "the words that decide" } }
            "; "
            span.entity { "others that are named" }
            @if has_passed_over { "; " span.passed-over { "~ passed over" } }
            "."
        }
    }
}

/// Whether it is known which words of a passage decide.
#[must_use]
pub const fn has_cue(passage: &Passage) -> bool {
    passage.cue.is_some()
}

/// What is known of a document, and who stands where in it.
#[must_use]
pub fn facts(kept: &Kept) -> Markup {
    let facts = [
        Some(kept.source.clone()),
        kept.path.clone(),
        kept.author.clone().map(|author| format!("by {author}")),
        kept.published.clone(),
        kept.language.clone(),
        kept.sentiment.as_ref().map(|tone| format!("tone {} {}", tone.label, signed(tone.score))),
        (kept.status != "complete").then(|| kept.status.clone()),
    ];
    html! {
        ul.facts {
            @for fact in facts.iter().flatten().filter(|fact| !fact.is_empty()) {
                li dir="auto" { (line(fact)) }
            }
        }
        @let why_unread = why_unread(kept.language.as_deref(), &kept.notes)
            .filter(|_| kept.stances.is_empty());
        @for note in other_notes(&kept.notes, why_unread.is_some()) {
            p.faint { "Note: " (line(note)) }
        }
        @match why_unread {
            Some(why) => p.empty { "No stance was found: " (line(&why)) "." },
            None => (standings(&kept.stances)),
        }
    }
}

fn standings(stances: &[Standing]) -> Markup {
    html! {
        @if stances.is_empty() {
            p.empty { "Nobody takes a stance in it." }
        } @else {
            table.standings {
                thead {
                    tr {
                        th scope="col" { "Who" } th scope="col" { "Toward" } th scope="col" { "Stance" }
                        th.number scope="col" { "Score" } th.number scope="col" { "Sure" }
                    }
                }
                tbody {
                    @for stance in stances {
                        tr.rejected[!stance.is_shown] {
                            th scope="row" {
                                @if stance.who.starts_with("author:") { "The author, " }
                                bdi { (line(&stance.name)) }
                            }
                            td { bdi { (line(&stance.target_name)) } }
                            td {
                                span.degree.(side(stance.score)) { (stance.degree) }
                                @if !stance.is_shown { " " span.badge.rejected { "\u{2717} rejected" } }
                                @if stance.said_score.is_none() { " " span.badge { "by a person" } }
                                @if let Some(said) = stance.said_score
                                    && (said - stance.score).abs() > 0.0005 {
                                    " " span.badge { "corrected, was " (signed(said)) }
                                }
                            }
                            td.number { (signed(stance.score)) }
                            td.number { (format!("{:.0}%", stance.confidence * 100.0)) }
                        }
                    }
                }
            }
        }
    }
}

/// The other printings of a document's story.
#[must_use]
pub fn copies(kept: &Kept, links: &dyn parts::Links) -> Markup {
    html! {
        @if !kept.copies.is_empty() {
            details.data {
                summary { "Printed in " (many(kept.copies.len() as i64, "other document")) "; counted once" }
                ul {
                    @for (id, source, title) in &kept.copies {
                        li {
                            @let name = parts::title(title.as_deref(), id);
                            @match links.document(id) {
                                Some(address) => a href=(address) { (name) },
                                None => (name),
                            }
                            " " span.faint { (line(source)) }
                        }
                    }
                }
            }
        }
    }
}

/// Who made what is known of a document, and what other versions had said.
#[must_use]
pub fn provenance(kept: &Kept) -> Markup {
    html! {
        p.faint {
            "Standpoint " (line(&kept.standpoint)) ", pipeline " code { (line(&kept.pipeline)) }
            @for stage in &kept.stages {
                ", " (line(&stage.name)) " " (line(&stage.version))
                @if let Some(model) = &stage.model { " (" (line(model)) ")" }
            }
            "; kept " (moment(&kept.stored_at)) ". Document " code { (line(&kept.id)) } "."
        }
        @for revision in &kept.revisions {
            details.data {
                summary { "Changed by other versions of the stages, " (moment(&revision.made_at)) }
                pre { (line(&revision.changes.to_string())) }
            }
        }
    }
}
