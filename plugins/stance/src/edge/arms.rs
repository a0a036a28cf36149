//! Arms on their way: "bought missiles from X", "shot down missiles bound for X".

use super::{DEALS, Finder, RESISTS, TAKES};
use crate::clause::{Group, noun_cue};
use crate::lexicon::Kind;
use crate::reading::{Part, Word};

/// How far behind arms it may stand where they go, or from whom they come, in words.
const REACH: usize = 6;

impl Finder<'_, '_, '_> {
    /// "Bought missiles from X": whoever strikes such a deal leans to whom he strikes it with, a
    /// little; not whoever "buys its missiles from X", year by year.
    pub(super) fn of_purchase(&mut self, number: usize) {
        let group = &self.groups[number];
        let words = &self.reading.words;
        let head = &*words[group.head].lower;
        let stems = ["buy", "bought", "purchas", "acquir", "order"];
        let is_habit = group.start == group.head && head.ends_with('s');
        let buys = stems.iter().any(|stem| head.starts_with(stem)) && group.finite && !is_habit;
        let chain = self.chain(group);
        if !buys || group.passive || chain.cut || chain.is_odd() {
            return;
        }
        let Some(from) = self.arms_before(group, |at| words[at].lower == "from") else { return };
        if let Some((seller, at)) = self.name_right_behind(from) {
            self.rule(group, (group.start, at + 1), seller, 1.0, DEALS);
        }
    }

    /// "Shot down missiles bound for X": whoever stops what would hit X helps X, and whoever stops
    /// "a shipment of rifles bound for X" does not.
    pub(super) fn of_interception(&mut self, number: usize) {
        let group = &self.groups[number];
        let words = &self.reading.words;
        let next = words.get(group.head + 1).map_or("", |word| &*word.lower);
        let downs = match &*words[group.head].lower {
            "shoot" | "shot" | "shooting" | "bring" | "brought" => next == "down",
            "downed" | "downs" | "intercept" | "intercepts" | "intercepted" => true,
            _ => false,
        };
        let chain = self.chain(group);
        if !downs || group.passive || chain.cut || chain.is_odd() {
            return;
        }
        // "Launched by X" and "fired from X" tell whose they are.
        let goes = |at: usize| {
            let forms = ["bound", "heading", "headed", "aimed", "fired", "launched", "flying"];
            let next = words.get(at + 1).map_or("", |word| &*word.lower);
            forms.contains(&&*words[at].lower)
                && matches!(next, "for" | "at" | "to" | "toward" | "towards" | "on" | "against")
        };
        let Some(way) = self.arms_before(group, goes) else { return };
        if let Some((goal, at)) = self.name_behind(way + 1) {
            let object = &words[group.end..way];
            let hits = object.iter().any(|word| is_projectile(&word.lower))
                && object.iter().all(|word| word.part != Part::Preposition);
            let (score, rule) = if hits { (1.0, RESISTS) } else { (-1.0, TAKES) };
            self.rule(group, (group.start, at + 1), goal, score, rule);
        }
    }

    /// Where the first word of a kind stands behind arms, the object of a verb; nothing but what
    /// describes them between: "a shipment of missiles".
    fn arms_before(&self, group: &Group, is: impl Fn(usize) -> bool) -> Option<usize> {
        let words = &self.reading.words;
        let way = (group.end..words.len()).take(2 * REACH).find(|&at| is(at))?;
        let object = &words[group.end..way];
        let is_plain = object.iter().all(|word| {
            matches!(
                word.part,
                Part::Name(_) | Part::Noun | Part::Adjective | Part::Determiner | Part::Possessive
            ) || word.part == Part::Other
                || word.lower == "of"
        });
        let armed = (group.end..way).any(|at| {
            noun_cue(self.reading, at)
                .is_some_and(|(noun, _)| noun.kind == Kind::Aid && 0.0 < noun.score)
        });
        (is_plain && armed).then_some(way)
    }

    /// A name with nothing before it but what describes it: not "from rivals of X".
    fn name_right_behind(&self, at: usize) -> Option<(u16, usize)> {
        let words = &self.reading.words;
        let describes =
            |word: &Word<'_, '_>| matches!(word.part, Part::Determiner | Part::Adjective);
        let mut behind = (at + 1..words.len()).skip_while(|&at| describes(&words[at]));
        behind.next().and_then(|at| Some((words[at].name()?, at)))
    }

    fn name_behind(&self, at: usize) -> Option<(u16, usize)> {
        let words = &self.reading.words;
        let behind = (at + 1..words.len()).take(REACH);
        let mut behind =
            behind.take_while(|&at| !matches!(words[at].part, Part::Comma | Part::Stop));
        behind.find_map(|at| Some((words[at].name()?, at)))
    }
}

/// Whether a word names arms that fly at somebody.
fn is_projectile(word: &str) -> bool {
    let word = word.strip_suffix('s').unwrap_or(word);
    matches!(word, "missile" | "rocket" | "drone" | "projectile" | "shell")
}
