//! Votes that are told of in another sentence than what was voted on: "The resolution condemned X.
//! Forty states voted for it."

use standpoint_document::Time;

use super::Finder;
use super::nested::{Content, Side, toward};
use super::time::time_of;
use crate::clause::{Doer, Group, groups};
use crate::reading::{Part, Reading, Word};

/// How far behind its text a verb may stand that says what is in it, in words.
const REACH: usize = 4;

/// What a sentence says of votes.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Votes {
    /// Toward whom the texts of the sentence are, and how, from -2 to 2.
    pub texts: Vec<(u16, f32)>,
    /// Who is for (1) or against (-1) a text that the sentence does not describe.
    pub cast: Vec<(u16, f32)>,
}

/// Finds the votes of a sentence, and the texts on which others may have been cast.
pub(crate) fn votes(reading: &Reading<'_, '_>) -> Votes {
    let groups = groups(reading);
    let speaker = vec![None; reading.words.len()];
    let finder = Finder::new(reading, &groups, &speaker);
    let texts = groups.iter().filter_map(|group| finder.text_of(group));
    let texts = texts.map(|content| (content.target, content.score)).collect();
    let cast = groups.iter().filter_map(|group| Some((group, finder.cast(group)?)));
    let voters = |(group, vote): (&Group, f32)| {
        let parties = group.subjects.iter().filter_map(|doer| match doer {
            Doer::Party(party) => Some(*party),
            Doer::First => None,
        });
        parties.map(|party| (party, vote)).collect::<Vec<_>>()
    };
    Votes { texts, cast: cast.flat_map(voters).collect() }
}

/// How whoever votes so on a text stands toward whom it is about: a score from -2 to 2.
pub(crate) fn of_vote(vote: f32, text: f32) -> f32 {
    let side = if vote > 0.0 { Side::For } else { Side::Against };
    toward(side, Content { target: 0, score: text, undoes: false }, false).0
}

impl Finder<'_, '_, '_> {
    /// What a text says whose verb this is: "the resolution condemned X", "a draft calling on X
    /// to".
    fn text_of(&self, group: &Group) -> Option<Content> {
        let words = &self.reading.words;
        let mut before = words.get(..group.start)?.iter().rev().take(REACH);
        let is_small = |word: &&Word<'_, '_>| {
            matches!(word.part, Part::Relative | Part::Adverb | Part::Auxiliary)
        };
        let text = before.find(|word| !is_small(word)).filter(|word| is_text(&word.lower))?;
        (text.part == Part::Noun).then(|| self.content(group)).flatten()
    }

    /// How a verb decides on what another sentence has described: "voted for it", "rejected the
    /// text", "voted against".
    fn cast(&self, group: &Group) -> Option<f32> {
        const FOR: [&str; 10] = [
            "back",
            "support",
            "endors",
            "approv",
            "adopt",
            "draft",
            "sponsor",
            "cosponsor",
            "tabl",
            "introduc",
        ];
        const AGAINST: [&str; 4] = ["reject", "oppos", "veto", "block"];
        let words = &self.reading.words;
        let chain = self.chain(group);
        if group.passive || chain.cut || chain.is_odd() || group.negated {
            return None;
        }
        // "May vote against it", "in 1990 it voted for it".
        if !group.finite || time_of(self.reading, self.groups, group) != Time::Present {
            return None;
        }
        let head = &*words[group.head].lower;
        let begins = |stems: &[&str]| stems.iter().any(|stem| head.starts_with(stem));
        let word = |at: usize| words.get(at).map_or("", |word| &*word.lower);
        let behind = group.head + 1;
        let in_favour = usize::from(word(behind) == "in");
        let (vote, object) = match word(behind + in_favour) {
            "for" | "favour" | "favor" | "yes" if begins(&["vot"]) => (1.0, behind + in_favour + 1),
            "against" | "no" if begins(&["vot"]) => (-1.0, behind + 1),
            _ if begins(&FOR) => (1.0, behind),
            _ if begins(&AGAINST) => (-1.0, behind),
            _ => return None,
        };
        let object = object + usize::from(in_favour > 0 && word(object) == "of");
        let article = usize::from(word(object) == "the");
        let is_bare = words.get(object).is_none_or(|word| {
            matches!(word.part, Part::Comma | Part::Stop | Part::Coordinator | Part::Quote)
        });
        // "The motion on pensions" is another.
        let is_text = is_text(word(object + article));
        let ends = words.get(object + article + 1).is_none_or(|next| {
            let goes_on = matches!(
                next.part,
                Part::Relative | Part::Preposition | Part::To | Part::Possessive | Part::Noun
            );
            !(next.is_verb() || is_text && goes_on) || matches!(&*next.lower, "in" | "at" | "after")
        });
        let is_it = word(object) == "it" || is_text;
        (is_bare && begins(&["vot"]) || is_it && ends).then_some(vote)
    }
}

/// Whether a word names a text on which bodies vote.
pub(crate) fn is_text(word: &str) -> bool {
    let word = word.strip_suffix('s').unwrap_or(word);
    matches!(
        word,
        "resolution"
            | "motion"
            | "text"
            | "draft"
            | "declaration"
            | "statement"
            | "bill"
            | "proposal"
    )
}
