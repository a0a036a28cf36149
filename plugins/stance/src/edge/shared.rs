//! Attitudes that a sentence gives to somebody else as well, without saying them again: "A, like B,
//! condemned X", "A praised X, and so did B", "A's anger at X, echoing B's".
//!
//! The words of the act stand beside A alone, so whoever looks around B finds nothing.

use super::{BETWEEN, Chain, Edge, Finder, LIKENED, MAX_EDGES, REFRAINS, REJECTED, RESISTS};
use crate::clause::{Doer, Group, noun_cue};
use crate::lexicon::{Carry, Cue, Kind};
use crate::reading::{Part, Word};

/// Whose attitudes are whose, too.
#[derive(Debug, Clone, Copy)]
struct Share {
    /// Who has them; `None`: whoever has the one that stands last before [`Share::at`].
    of: Option<u16>,
    with: u16,
    /// The word behind which they are said, or before which where nobody is named.
    at: usize,
}

/// What stands behind whoever does what was just said of somebody else. A bare "too" may as well
/// speak of the act's goal.
const SAME: &[&[&str]] = &[
    &["did", "too"],
    &["does", "too"],
    &["has", "too"],
    &["did", "likewise"],
    &["did", "so", "too"],
    &["did", "the", "same"],
    &["does", "the", "same"],
    &["followed", "suit"],
];

/// How many names joined by "and" or "or" are read.
const MOST_JOINED: usize = 4;
/// How many words behind "like B," its counterpart is named.
const REACH: usize = 6;

impl Finder<'_, '_, '_> {
    pub(super) fn of_shared(&mut self) {
        if self.list.is_empty() {
            return;
        }
        let mut shares = Vec::new();
        for at in 0..self.reading.words.len() {
            self.like(at, &mut shares);
            self.as_did(at, &mut shares);
            self.too(at, &mut shares);
            self.likened(at, &mut shares);
            self.joined(at, &mut shares);
        }
        for share in shares {
            self.give_share(share);
        }
        self.name_shared_predicates();
    }

    /// "A was its ally in the west and B in the east": the words of B's relation stand beside A.
    fn name_shared_predicates(&mut self) {
        let (groups, word_of) = (self.groups, &self.reading.word_of);
        for edge in &mut self.list {
            let Doer::Party(holder) = edge.holder else { continue };
            let is_behind = |group: &Group| {
                group.copula
                    && group.subjects.contains(&edge.holder)
                    && (group.end..=word_of[holder as usize] as usize)
                        .contains(&(edge.cue.1 as usize))
            };
            if groups.iter().any(is_behind) {
                edge.rule = LIKENED;
            }
        }
    }

    pub(super) fn word(&self, at: usize) -> &str {
        self.reading.words.get(at).map_or("", |word| &word.lower)
    }

    fn part(&self, at: usize) -> Option<Part> {
        self.reading.words.get(at).map(|word| word.part)
    }

    /// Whether a clause or an insertion ends before this word.
    fn ends(&self, at: usize) -> bool {
        matches!(self.part(at), None | Some(Part::Comma | Part::Stop))
    }

    /// The names from here on that are joined by "and" or "or", and the word behind them; a "'s"
    /// belongs to its name.
    pub(super) fn names(&self, mut at: usize) -> (Vec<u16>, usize) {
        let words = &self.reading.words;
        let mut names = Vec::new();
        while names.len() < MOST_JOINED {
            let first = at + usize::from(self.part(at) == Some(Part::Determiner));
            let Some(name) = words.get(first).and_then(Word::name) else { break };
            names.push(name);
            at = first + 1 + usize::from(self.part(first + 1) == Some(Part::Possessive));
            if self.part(at) != Some(Part::Coordinator) {
                break;
            }
            at += 1;
        }
        (names, at)
    }

    /// "Like B, A did"; "A, together with B, did".
    fn like(&self, at: usize, shares: &mut Vec<Share>) {
        let begins = at == 0
            || matches!(
                self.part(at - 1),
                Some(Part::Comma | Part::Stop | Part::Quote | Part::Subordinator)
            );
        let names_from = match (self.word(at), self.word(at + 1)) {
            ("like" | "alongside", _) => at + 1,
            ("along" | "together", "with") => at + 2,
            ("just", "like") | ("as", "with") if at == 0 => at + 2,
            _ => return,
        };
        let (names, close) = self.names(names_from);
        let closed = self.ends(close) && close < self.reading.words.len();
        if !begins || !closed {
            return;
        }
        let words = &self.reading.words;
        let before = words[at.saturating_sub(REACH)..at].iter().rev().find_map(Word::name);
        let behind = words[close..].iter().take(REACH).find_map(Word::name);
        let inserted = at > 0 && self.part(at - 1) == Some(Part::Comma) && before.is_some();
        let Some(of) = (if inserted { before } else { behind }) else { return };
        shares.extend(names.into_iter().map(|with| Share { of: Some(of), with, at: close }));
    }

    /// "As did B", "and so has B", "nor would B"; "as B did".
    fn as_did(&self, at: usize, shares: &mut Vec<Share>) {
        let is_auxiliary = |at: usize| self.part(at) == Some(Part::Auxiliary);
        let word = self.word(at);
        if matches!(word, "as" | "so" | "nor" | "neither") && is_auxiliary(at + 1) {
            let (names, close) = self.names(at + 2);
            let owns = close > 0 && self.part(close - 1) == Some(Part::Possessive);
            let said_again = matches!(self.part(close), Some(Part::Verb(_) | Part::Noun));
            if !owns && !said_again {
                shares.extend(names.into_iter().map(|with| Share { of: None, with, at }));
            }
        } else if word == "as" {
            let (names, close) = self.names(at + 1);
            let next = self.part(close + 1);
            let is_all =
                self.ends(close + 1) || matches!(next, Some(Part::Coordinator | Part::Preposition));
            if is_auxiliary(close) && is_all {
                shares.extend(names.into_iter().map(|with| Share { of: None, with, at }));
            }
        }
    }

    /// "And B did too", "and B followed suit".
    fn too(&self, at: usize, shares: &mut Vec<Share>) {
        if !matches!(self.part(at), Some(Part::Coordinator | Part::Comma)) {
            return;
        }
        let (names, close) = self.names(at + 1);
        let behind = |words: &[&str]| {
            let said =
                words.iter().enumerate().all(|(step, word)| self.word(close + step) == *word);
            said && self.ends(close + words.len())
        };
        if SAME.iter().any(|words| behind(words)) {
            shares.extend(names.into_iter().map(|with| Share { of: None, with, at }));
        }
    }

    /// "A's anger at X, echoing B's"; "a view shared by B".
    fn likened(&self, at: usize, shares: &mut Vec<Share>) {
        let words = &self.reading.words;
        let is_like = matches!(self.word(at), "like" | "echoing" | "mirroring" | "matching");
        let by = (at + 1..words.len()).take(2).find(|&by| self.word(by) == "by");
        let from = match (self.word(at), by) {
            _ if is_like => at + 1,
            ("shared" | "echoed" | "matched" | "mirrored" | "seconded", Some(by)) => by + 1,
            _ => return,
        };
        let (names, close) = self.names(from);
        let owns = close > 0 && self.part(close - 1) == Some(Part::Possessive);
        if (owns || !is_like) && self.ends(close) {
            shares.extend(names.into_iter().map(|with| Share { of: None, with, at }));
        }
    }

    /// "A joined B in condemning X".
    fn joined(&self, at: usize, shares: &mut Vec<Share>) {
        if !matches!(self.word(at), "join" | "joins" | "joined" | "joining" | "followed") {
            return;
        }
        let (names, close) = self.names(at + 1);
        let group = self.groups.iter().find(|group| group.head == at);
        let Some(Doer::Party(of)) = group.and_then(|group| group.subjects.first()) else { return };
        let does = matches!(self.part(close + 1), Some(Part::Verb(_)));
        if self.word(close) == "in" && does {
            shares.extend(names.into_iter().map(|with| Share { of: Some(*of), with, at: close }));
        }
    }

    fn give_share(&mut self, share: Share) {
        let Share { of, with, at } = share;
        let actor = |party: u16| self.reading.parties[party as usize].actor;
        if self.reading.parties[with as usize].inert {
            return;
        }
        let is_meant = |edge: &&Edge| match (of, edge.holder) {
            (Some(of), Doer::Party(holder)) => {
                actor(of) == actor(holder) && edge.cue.0 as usize > at
            }
            (None, Doer::Party(_)) => (edge.cue.0 as usize) < at,
            (_, Doer::First) => false,
        };
        // The attitudes of the nearest words, for one act may have several targets.
        let distance = |edge: &Edge| (edge.cue.0 as usize).abs_diff(at);
        let Some(nearest) = self.list.iter().filter(is_meant).map(distance).min() else { return };
        let found: Vec<Edge> = self
            .list
            .iter()
            .filter(is_meant)
            .filter(|edge| distance(edge) == nearest && actor(edge.target) != actor(with))
            .copied()
            .collect();
        for edge in found {
            let keeps = matches!(edge.rule, REJECTED | BETWEEN | REFRAINS | RESISTS);
            let rule = if keeps { edge.rule } else { LIKENED };
            if self.list.len() < MAX_EDGES {
                self.list.push(Edge { holder: Doer::Party(with), rule, ..edge });
            }
        }
    }

    /// "A and B are at odds": the phrase "be at odds with", whose goal is among its subjects.
    fn phrase_without_with(&self, group: &Group) -> Option<(Cue, usize, usize)> {
        let words = &self.reading.words;
        let entry = words[group.head].entry.filter(|_| group.copula)?;
        entry.verbs.iter().find_map(|phrase| {
            let (last, rest) = phrase.rest.split_last()?;
            let end = group.head + 1 + rest.len();
            let said = words.get(group.head + 1..end)?;
            let is_said = said.iter().zip(rest).all(|(word, rest)| *word.lower == **rest);
            let is_alone = words.get(end).is_none_or(|word| word.lower != **last);
            (&**last == "with" && !rest.is_empty() && is_said && is_alone)
                .then_some((phrase.cue, group.head, end))
        })
    }

    /// "Iran and Russia sealed a pact": each of the subjects toward each other.
    pub(super) fn of_joint_act(&mut self, group: &Group, chain: Chain) {
        if group.subjects.len() < 2 || group.subjects.len() > 6 {
            return;
        }
        let objects = group.end..group.until.max(group.end);
        let relation = objects.clone().find_map(|index| {
            noun_cue(self.reading, index)
                .filter(|(cue, _)| cue.kind == Kind::Relation)
                .map(|(cue, end)| (cue, index, end))
        });
        let each_other = self.reading.words[objects.clone()]
            .iter()
            .any(|word| matches!(&*word.lower, "other" | "mutual" | "jointly" | "mutually"));
        let verb = group.cue.filter(|cue| cue.score != 0.0 && each_other);
        let no_goal = !self.reading.words[objects].iter().any(|word| word.name().is_some());
        let found = relation
            .filter(|_| no_goal)
            .or_else(|| verb.map(|cue| (cue, group.head, group.end)))
            .or_else(|| self.phrase_without_with(group));
        let Some((cue, at, end)) = found else { return };
        let carry = group.cue.map_or(Carry::Keep, |cue| cue.carry);
        let score = match carry {
            Carry::Turn => -Self::turned(cue.score, chain),
            _ => Self::turned(cue.score, chain),
        };
        for &holder in &group.subjects {
            for &other in &group.subjects {
                if let Doer::Party(target) = other
                    && holder != other
                {
                    self.push(holder, target, score, cue, (at, end), group, "joint act");
                }
            }
        }
    }
}
