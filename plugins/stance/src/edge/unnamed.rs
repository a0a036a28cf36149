//! What a verb says of what was named before, or of nobody who is named: "rejected it", "condemned
//! the verdict".

use standpoint_document::Voice;

use super::{Edge, Finder, MAX_EDGES, NAMELESS, of_measure, time_of};
use crate::clause::{Doer, Group, noun_cue};
use crate::lexicon::{Cue, Kind, Lexicon, class};
use crate::reading::{Part, lower_case};

impl Finder<'_, '_, '_> {
    /// "It", where the sentence has said who or what that is.
    pub(super) fn of_pronoun(
        &mut self,
        group: &Group,
        index: usize,
        current: f32,
        cue_now: (Cue, usize, usize),
    ) {
        let Some(party) = self.antecedent(group, index).filter(|_| current != 0.0) else { return };
        let (score, rule) = if self.judges_deed(group) && self.ends_measure(group.start, party) {
            of_measure(current)
        } else {
            (current, "pronoun")
        };
        self.give(group, party, score, cue_now, rule);
    }

    /// Whether a verb judges what is done, and not somebody "for" something: "condemned it".
    pub(super) fn judges_deed(&self, group: &Group) -> bool {
        const STEMS: [&str; 10] = [
            "condemn", "criticis", "criticiz", "denounc", "deplor", "oppos", "prais", "reject",
            "support", "welcom",
        ];
        let words = &self.reading.words;
        let is_judged = STEMS.iter().any(|stem| words[group.head].lower.starts_with(stem));
        let objects = &words[group.end..group.until.max(group.end)];
        is_judged && !objects.iter().take(3).any(|word| word.lower == "for")
    }

    /// Whether a party before `from` is the goal of a hostile measure or act: "the blockade imposed
    /// on X". A word for it behind that, "it" or "which", means the measure.
    pub(super) fn ends_measure(&self, from: usize, party: u16) -> bool {
        self.measure_before(from, party).is_some()
    }

    /// The noun of the measure whose goal a party before `from` is.
    pub(super) fn measure_before(&self, from: usize, party: u16) -> Option<usize> {
        const REACH: usize = 12;
        let words = &self.reading.words;
        let goal = (1..from).rev().find(|&at| words[at].name() == Some(party))?;
        let start = goal.saturating_sub(REACH);
        let measure = |at: usize| {
            let (cue, end) = noun_cue(self.reading, at)?;
            let is_hostile = cue.score < 0.0 && matches!(cue.kind, Kind::Attitude | Kind::War);
            is_hostile.then(|| end - 1)
        };
        let governed = matches!(&*words[goal - 1].lower, "on" | "of" | "against" | "upon");
        let is_cut = words[start..goal].iter().any(|word| word.part == Part::Stop);
        (start..goal).find_map(measure).filter(|_| governed && !is_cut)
    }

    /// Whether the object is a thing without an article, which nobody spoke of before, and no deed:
    /// "rejected oranges". Whoever acts against people or assets needs no article to mean
    /// somebody's: "expelled envoys".
    pub(super) fn has_bare_object(&self, group: &Group) -> bool {
        const AGAINST_SOMEBODY: [&str; 5] = ["expel", "freez", "froze", "sanction", "summon"];
        let words = &self.reading.words;
        let verb = &words[group.head].lower;
        if AGAINST_SOMEBODY.iter().any(|stem| verb.starts_with(stem)) {
            return false;
        }
        let is_of_phrase =
            |at: &usize| matches!(words[*at].part, Part::Noun | Part::Adjective | Part::Adverb);
        let mut phrase = (group.end..group.until).take_while(is_of_phrase).peekable();
        phrase.peek().is_some() && phrase.all(|at| noun_cue(self.reading, at).is_none())
    }

    /// Blame whose object is nobody in the sentence: "Berlin condemned the verdict".
    pub(super) fn of_nameless(&mut self, group: &Group, score: f32, cue: (Cue, usize, usize)) {
        let words = &self.reading.words;
        let speaker = self.speaker.get(group.head).copied().flatten();
        let alleged = words[..group.head].iter().any(|word| word.is(class::ALLEGED));
        for number in 0..group.subjects.len() {
            let holder = match (group.subjects[number], speaker) {
                (Doer::First, Some(speaker)) => speaker,
                (holder, _) => holder,
            };
            if self.nameless.len() >= MAX_EDGES {
                return;
            }
            self.nameless.push(Edge {
                holder,
                target: NAMELESS,
                score,
                kind: cue.0.kind,
                lemma: cue.0.lemma,
                cue: (cue.1 as u16, cue.2 as u16),
                voice: match (alleged, speaker) {
                    (true, _) => Voice::Reported,
                    (false, Some(_)) => Voice::Quoted,
                    (false, None) => Voice::Author,
                },
                time: time_of(self.reading, self.groups, group),
                rule: "implied target",
            });
        }
    }
}

/// Whether a sentence of these words may have an attitude toward what it does not name: few have a
/// verb for it, and looking takes a tenth of reading the sentence.
pub(crate) fn may_blame<'t>(lexicon: &Lexicon, mut words: impl Iterator<Item = &'t str>) -> bool {
    let may_blame = |word: &str| {
        let word = lower_case(word);
        lexicon.get(&word).is_some_and(|entry| entry.judges || is_against_somebody(&word))
    };
    // What "be" says is said of other verbs, too.
    lexicon.get("be").is_some_and(|be| be.judges) || words.any(may_blame)
}

/// Whether a verb is an act of speech or of state against somebody who need not be named:
/// "condemned the verdict", "expelled the consul". Of others, such as "left" or "reduce", nobody
/// knows whom they mean.
pub(super) fn is_against_somebody(verb: &str) -> bool {
    const STEMS: [&str; 28] = [
        "accus",
        "admonish",
        "ban",
        "berat",
        "blacklist",
        "blam",
        "blast",
        "castigat",
        "censur",
        "condemn",
        "critici",
        "decri",
        "decry",
        "denounc",
        "deplor",
        "expel",
        "freez",
        "froze",
        "lambast",
        "oppos",
        "protest",
        "rebuk",
        "reject",
        "reprimand",
        "reproach",
        "sanction",
        "slam",
        "summon",
    ];
    STEMS.iter().any(|stem| verb.starts_with(stem))
}
