//! What the linear model sees of a pair: never a name, only what is said around it.

use standpoint_document::{Time, Voice};
use standpoint_linear::{Feature, Features};

use crate::clause::{Doer, noun_cue, owned_run};
use crate::edge::{Edge, Edges, evaluation};
use crate::reading::{Part, Reading};

/// The name of this way to make features; changes whenever a feature changes.
pub(crate) const RECIPE: &str = "stance/1";

const ROLE: Feature = Feature::new("role");
const EDGE: Feature = Feature::new("edge");
const EDGE_KIND: Feature = Feature::new("edge kind");
const EDGE_RULE: Feature = Feature::new("edge rule");
const EDGE_CUE: Feature = Feature::new("edge cue");
const REVERSE: Feature = Feature::new("reverse");
const VOICE_EDGE: Feature = Feature::new("voice edge");
const OTHER: Feature = Feature::new("other edges");
const ORDER: Feature = Feature::new("order");
const BETWEEN: Feature = Feature::new("between");
const BETWEEN_CUE: Feature = Feature::new("between cue");
const AROUND: Feature = Feature::new("around");
const BAG: Feature = Feature::new("bag");
const SUM: Feature = Feature::new("sum");
const PLACE: Feature = Feature::new("place");
const VERB: Feature = Feature::new("verb");
const SPEAKS: Feature = Feature::new("speaks");

/// A pair within a sentence: parties by index, no holder for the voice of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pair {
    pub(crate) holder: Option<u16>,
    pub(crate) target: u16,
}

/// A sentence with what is the same for all its pairs.
#[derive(Debug)]
pub(crate) struct Sheet<'a, 't, 'l> {
    reading: &'a Reading<'t, 'l>,
    /// Each word as the model sees it; a name only where the pair is known.
    words: Vec<Feature>,
    /// The score of whatever cue begins at each word.
    cues: Vec<Option<f32>>,
}

impl<'a, 't, 'l> Sheet<'a, 't, 'l> {
    pub(crate) fn new(reading: &'a Reading<'t, 'l>) -> Self {
        let all = 0..reading.words.len();
        Self {
            reading,
            words: all.clone().map(|index| plain_word(reading, index)).collect(),
            cues: all.map(|index| cue_score(reading, index)).collect(),
        }
    }
}

/// Fills `features` with what there is to know of a pair.
pub(crate) fn extract(
    sheet: &Sheet<'_, '_, '_>,
    edges: &Edges,
    pair: Pair,
    features: &mut Features,
) {
    features.clear();
    let reading = sheet.reading;
    let target_at = reading.word_of[pair.target as usize] as usize;
    let view = View { sheet, reading, pair };
    let role = i64::from(pair.holder.is_some());
    let role = ROLE.number(role);
    features.push(role);
    push_edges(reading, edges, pair, role, features);
    if let Some(holder) = pair.holder {
        let holder_at = reading.word_of[holder as usize] as usize;
        view.push_between(holder_at, target_at, features);
        view.push_place(holder_at, PLACE.text("holder"), edges, features);
        let speaks = edges.speaker.get(target_at).copied().flatten() == Some(Doer::Party(holder));
        if speaks {
            features.push(SPEAKS);
            view.push_bag(SPEAKS, target_at.saturating_sub(8), target_at + 9, features);
        }
    } else {
        let quoted = edges.speaker.get(target_at).copied().flatten().is_some();
        features.push(role.text(if quoted { "quoted" } else { "own" }));
        view.push_bag(BAG, 0, reading.words.len().min(60), features);
        view.push_around(target_at, 6, AROUND.text("voice"), features);
    }
    view.push_place(target_at, PLACE.text("target").and(role), edges, features);
    view.push_sum(role, features);
}

fn level(score: f32) -> i64 {
    if score == 0.0 { 0 } else { (score * 2.0).round() as i64 }
}

fn push_edges(
    reading: &Reading<'_, '_>,
    edges: &Edges,
    pair: Pair,
    role: Feature,
    features: &mut Features,
) {
    let same = |party: u16, other: u16| {
        reading.parties[party as usize].actor == reading.parties[other as usize].actor
    };
    let is_holder = |doer: Doer| match (doer, pair.holder) {
        (Doer::First, None) => true,
        (Doer::Party(party), Some(holder)) => same(party, holder),
        _ => false,
    };
    let mut found = false;
    let mut seen_other = [false; 32];
    for edge in &edges.list {
        let toward = same(edge.target, pair.target);
        if is_holder(edge.holder) && toward {
            found = true;
            push_edge(edge, role, features);
            continue;
        }
        let from_target = matches!(edge.holder, Doer::Party(party) if same(party, pair.target));
        let to_holder = pair.holder.is_some_and(|holder| same(edge.target, holder));
        if from_target && to_holder {
            features.push(REVERSE.and(role).number(level(edge.score)));
            continue;
        }
        if edge.holder == Doer::First && toward {
            features.push(VOICE_EDGE.and(role).number(level(edge.score)));
            continue;
        }
        let relation = if is_holder(edge.holder) {
            0
        } else if toward {
            1
        } else if from_target {
            2
        } else if to_holder {
            3
        } else {
            continue;
        };
        let slot = relation * 8 + level(edge.score).signum() + 1;
        if !seen_other[slot as usize] {
            seen_other[slot as usize] = true;
            features.push(OTHER.and(role).number(slot));
        }
    }
    if !found {
        features.push(EDGE.and(role).text("none"));
    }
}

fn push_edge(edge: &Edge, role: Feature, features: &mut Features) {
    let sign = Feature::new("sign").number(level(edge.score));
    let real = match edge.time {
        Time::Hypothetical => "unreal",
        Time::Past => "past",
        Time::Future => "future",
        Time::Present => "present",
    };
    let voice = match edge.voice {
        Voice::Author => "author",
        Voice::Quoted => "quoted",
        Voice::Reported => "reported",
    };
    features.push(EDGE.and(role).and(sign).text(real));
    features.push(EDGE.and(sign).text(if edge.time == Time::Hypothetical {
        "unreal"
    } else {
        "real"
    }));
    features.push(EDGE.and(sign).text(voice));
    features.push(EDGE_KIND.and(role).and(sign).number(edge.kind as i64));
    features.push(EDGE_RULE.and(sign).text(edge.rule));
    features
        .push(EDGE_CUE.and(role).and(sign).number(i64::from(edge.lemma)).number(edge.kind as i64));
}

const WORD: Feature = Feature::new("w");

/// A word as the model sees it, numbers and unmarked names being masked.
fn plain_word(reading: &Reading<'_, '_>, index: usize) -> Feature {
    let word = &reading.words[index];
    if word.lower.starts_with(|first: char| first.is_ascii_digit()) {
        return WORD.text("0");
    }
    // A capital inside a sentence is likely a name that nobody marked.
    if word.capital && index > 0 && word.entry.is_none() {
        return WORD.text("[c]");
    }
    WORD.text(&word.lower)
}

/// The score of whatever cue begins at `index`.
fn cue_score(reading: &Reading<'_, '_>, index: usize) -> Option<f32> {
    let word = &reading.words[index];
    if word.is_verb() {
        let (phrase, _) = reading.longest(index, &word.entry?.verbs)?;
        return (phrase.cue.score != 0.0).then_some(phrase.cue.score);
    }
    noun_cue(reading, index)
        .map(|(cue, _)| cue.score)
        .or_else(|| evaluation(reading, index).map(|(score, ..)| score))
}

struct View<'a, 't, 'l> {
    sheet: &'a Sheet<'a, 't, 'l>,
    reading: &'a Reading<'t, 'l>,
    pair: Pair,
}

impl View<'_, '_, '_> {
    /// The word as the model sees it: names and numbers are masked.
    fn word(&self, index: usize) -> Feature {
        if let Some(party) = self.reading.words[index].name() {
            let actor = |party: u16| self.reading.parties[party as usize].actor;
            let mask = if actor(party) == actor(self.pair.target) {
                "[t]"
            } else if self.pair.holder.is_some_and(|holder| actor(holder) == actor(party)) {
                "[h]"
            } else {
                "[n]"
            };
            return WORD.text(mask);
        }
        self.sheet.words[index]
    }

    fn push_between(&self, holder_at: usize, target_at: usize, features: &mut Features) {
        let (first, last) = (holder_at.min(target_at), holder_at.max(target_at));
        let forward = holder_at < target_at;
        let order = ORDER.number(i64::from(forward));
        features.push(order);
        let distance = last - first;
        features.push_steps(order.text("far"), distance as f32, &[2.0, 3.0, 5.0, 8.0, 12.0, 20.0]);
        let namespace = BETWEEN.number(i64::from(forward));
        let parts: Vec<Feature> =
            (first + 1..last).take(14).map(|index| self.word(index)).collect();
        features.push_ngrams(namespace, &parts, 3);
        let mut pattern = Feature::new("pattern").number(i64::from(forward));
        let mut only_list = true;
        for index in first + 1..last.min(first + 16) {
            let word = &self.reading.words[index];
            only_list &= matches!(
                word.part,
                Part::Comma | Part::Coordinator | Part::Name(_) | Part::Determiner
            );
            let shape = part_code(word.part);
            pattern = pattern.number(shape);
            if let Some(score) = self.sheet.cues[index] {
                features.push(BETWEEN_CUE.number(i64::from(forward)).number(level(score)));
            }
        }
        if distance < 8 {
            features.push(pattern);
        }
        if only_list {
            features.push(order.text("list"));
        }
        let before: Vec<Feature> =
            (first.saturating_sub(3)..first).map(|index| self.word(index)).collect();
        features.push_ngrams(AROUND.text("before").number(i64::from(forward)), &before, 2);
        let after: Vec<Feature> =
            (last + 1..self.reading.words.len()).take(6).map(|index| self.word(index)).collect();
        features.push_ngrams(AROUND.text("after").number(i64::from(forward)), &after, 2);
    }

    /// What stands right beside a party, and the verb that it belongs to.
    fn push_place(&self, at: usize, namespace: Feature, edges: &Edges, features: &mut Features) {
        let words = &self.reading.words;
        for (offset, number) in [(1, 1), (2, 2)] {
            if let Some(index) = at.checked_sub(offset) {
                features.push(namespace.number(-number).and(self.word(index)));
            }
            if at + offset < words.len() {
                features.push(namespace.number(number).and(self.word(at + offset)));
            }
        }
        if let Some(run) = owned_run(self.reading, at) {
            features.push(namespace.text("owns").and(self.word(run.head)));
            if let Some((cue, ..)) = run.cue(self.reading) {
                features.push(
                    namespace.text("owns cue").number(level(cue.score)).number(cue.kind as i64),
                );
            }
        } else {
            features.push(namespace.text("alone"));
        }
        let party = words[at].name();
        for group in &edges.groups {
            let subject = party.is_some_and(|party| group.subjects.contains(&Doer::Party(party)));
            let object = (group.end..group.until).contains(&at);
            if !subject && !object {
                continue;
            }
            let place = namespace.text(if subject { "does" } else { "gets" });
            let verb = VERB.and(place).and(self.word(group.head));
            features.push(if group.negated { verb.text("not") } else { verb });
            if let Some(cue) = group.cue {
                features.push(
                    place
                        .number(level(cue.score))
                        .number(i64::from(group.negated))
                        .number(i64::from(group.passive)),
                );
            }
        }
    }

    fn push_around(&self, at: usize, reach: usize, namespace: Feature, features: &mut Features) {
        let before: Vec<Feature> =
            (at.saturating_sub(reach)..at).map(|index| self.word(index)).collect();
        let after: Vec<Feature> =
            (at + 1..self.reading.words.len()).take(reach).map(|index| self.word(index)).collect();
        features.push_ngrams(namespace.text("left"), &before, 2);
        features.push_ngrams(namespace.text("right"), &after, 2);
    }

    fn push_bag(&self, namespace: Feature, from: usize, to: usize, features: &mut Features) {
        for index in from..to.min(self.reading.words.len()) {
            features.push_valued(namespace.and(self.word(index)), 0.5);
        }
    }

    /// How many cues of each sign the sentence has.
    fn push_sum(&self, role: Feature, features: &mut Features) {
        let mut counts = [0_u32; 2];
        for index in 0..self.reading.words.len().min(80) {
            if let Some(score) = self.sheet.cues[index] {
                counts[usize::from(score > 0.0)] += 1;
            }
        }
        for (sign, count) in (0_i64..).zip(counts) {
            features.push_steps(SUM.and(role).number(sign), count as f32, &[1.0, 2.0, 4.0]);
        }
        features.push(
            SUM.and(role)
                .text("which")
                .number(i64::from(counts[0] > 0) * 2 + i64::from(counts[1] > 0)),
        );
    }
}

fn part_code(part: Part) -> i64 {
    match part {
        Part::Name(_) => 0,
        Part::Verb(_) => 1,
        Part::Auxiliary => 2,
        Part::Noun => 3,
        Part::Adjective => 4,
        Part::Adverb => 5,
        Part::Preposition => 6,
        Part::To => 7,
        Part::Determiner => 8,
        Part::Coordinator => 9,
        Part::Subordinator => 10,
        Part::Relative => 11,
        Part::Pronoun => 12,
        Part::Negation => 13,
        Part::Possessive => 14,
        Part::Comma => 15,
        Part::Stop => 16,
        Part::Quote => 17,
        Part::Other => 18,
    }
}
