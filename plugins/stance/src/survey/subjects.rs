//! Measures against those who belong to the target without acting for it: its citizens and
//! businessmen, its firms. "Froze the assets of Russian oligarchs", "blacklisted Lukoil".

use standpoint_document::{Annotation, EntityKind, Span, Time, mention, within};

use super::scene::Scene;
use super::{Holder, MAX_HOLDERS, Survey, TARGET};
use crate::judge::Judgement;
use crate::lexicon::class;

/// The words for measures that states take against people and firms of others, and what else the
/// phrase of a measure names: "closed its border to", "stopped issuing visas to".
///
/// - returns: how some of them begin, and others as they are, of those with this first letter.
const fn measures(initial: u8) -> (&'static [&'static str], &'static [&'static str]) {
    match initial {
        b'a' => (&[], &["airspace", "assets"]),
        b'b' => (
            &["banned", "banning", "blacklist"],
            &["ban", "bans", "bar", "bars", "barred", "barring", "border", "borders"],
        ),
        b'c' => (&["confiscat"], &[]),
        b'e' => (&["embargo", "expel"], &["entry"]),
        b'f' => (&["freez", "froze"], &[]),
        b'i' => (&["impound"], &[]),
        b'n' => (&["nationalis", "nationaliz"], &[]),
        b'p' => (&[], &["ports", "passports"]),
        b'r' => (&["restrict", "revok"], &[]),
        b's' => (&["sanction", "seiz", "strip"], &[]),
        b'v' => (&[], &["visa", "visas"]),
        _ => (&[], &[]),
    }
}

/// How many words of content may stand between a measure and those whom it is against.
const BETWEEN: usize = 3;

impl Survey<'_> {
    /// Files what a sentence says is done against people and firms of the target.
    ///
    /// Only what a pattern reads as a measure counts: other words about them say nothing of their
    /// state.
    pub(super) fn judge_subjects(&mut self, scene: &Scene<'_>) {
        let mentions = within(self.document.mentions(), scene.span).iter();
        let of_target = |mention: &&Annotation| self.is_of_target(mention.link);
        let mut people = mentions.filter(of_target).peekable();
        if people.peek().is_none() || !scene.tokens.iter().any(|token| self.is_measure(token)) {
            return;
        }
        let mut scene = scene.clone();
        for mention in people.filter(|mention| self.is_of_people(mention, scene.tokens)) {
            Self::insert(&mut scene, mention.span, TARGET);
        }
        let parties = 0..scene.parties.len() as u16;
        let subjects = parties.clone().filter(|&index| self.is_subject(&scene, index));
        let pairs: Vec<(Option<u16>, u16)> = subjects
            .flat_map(|subject| parties.clone().map(move |holder| (Some(holder), subject)))
            .filter(|&(holder, _)| holder.is_some_and(|holder| self.takes_measures(&scene, holder)))
            .take(MAX_HOLDERS)
            .collect();
        for (&(holder, subject), judgement) in pairs.iter().zip(self.judge_pairs(&scene, &pairs)) {
            let whom = scene.parties[subject as usize].span;
            let Some(holder) = holder else { continue };
            if self.tells_of_measure(&judgement, whom, scene.tokens) {
                let piece = self.piece(&scene, Some(holder), subject, &judgement);
                self.keep(Holder::Entity(scene.entities[holder as usize]), piece);
            }
        }
    }

    fn is_measure(&self, token: &Annotation) -> bool {
        let word = self.document.slice(token.span);
        let Some(initial) = word.bytes().next() else { return false };
        let (stems, words) = measures(initial.to_ascii_lowercase());
        let begins = |stem: &&str| {
            word.get(..stem.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(stem))
        };
        stems.iter().any(begins) || is_one_of(words, word)
    }

    /// Whether people of the target are meant, or what is theirs: "Russians", "Russian oligarchs".
    fn is_of_people(&self, mention: &Annotation, tokens: &[Annotation]) -> bool {
        let is_adjective = mention.has(mention::DEMONYM | mention::NOT_AN_ACTOR)
            && self.target.owns(mention.link as usize);
        let is_people = mention.has(mention::DEMONYM)
            && EntityKind::from_code(mention.label) == Some(EntityKind::Group);
        let behind = tokens.partition_point(|token| token.span.start < mention.span.end);
        let are_others = tokens.iter().skip(behind).take(2).any(|token| {
            let word = self.document.slice(token.span);
            self.is_of_class(word, class::OUTSIDER | class::DISSENT)
        });
        (is_adjective || is_people) && !are_others
    }

    fn is_of_class(&self, word: &str, class: class::Bits) -> bool {
        self.lexicon.get(&word.to_lowercase()).is_some_and(|entry| entry.classes & class != 0)
    }

    fn is_of_target(&self, entity: u32) -> bool {
        let entity = self.document.entities().get(entity as usize);
        entity.is_some_and(|entity| entity.country.as_deref() == Some(&*self.target.shown.id))
    }

    fn is_subject(&self, scene: &Scene<'_>, party: u16) -> bool {
        let entity = scene.entities[party as usize];
        // What was put in has no entity.
        entity == u32::MAX
            || scene.parties[party as usize].actor != TARGET && self.is_of_target(entity)
    }

    /// Whether a party may take measures: a state or body that does not belong to the target, or
    /// who speaks for one.
    fn takes_measures(&self, scene: &Scene<'_>, party: u16) -> bool {
        let index = scene.entities[party as usize];
        let Some(entity) = self.document.entities().get(index as usize) else { return false };
        let is_body = matches!(entity.kind, EntityKind::Country | EntityKind::Organisation)
            || entity.speaks_for_country;
        is_body && !scene.parties[party as usize].inert && !self.is_of_target(index)
    }

    /// Whether a judgement rests on a measure against `whom`, who stands close to its words:
    /// "banned discrimination against Russians" and "sanctioned those who jailed Russians" are
    /// none.
    fn tells_of_measure(&self, judgement: &Judgement, whom: Span, tokens: &[Annotation]) -> bool {
        let Some(cue) = judgement.cue else { return false };
        let counts = judgement.score != 0.0 && judgement.time != Time::Hypothetical;
        let small = class::DETERMINER | class::PREPOSITION | class::ADVERB;
        let between = tokens
            .iter()
            .filter(|token| token.span.start >= cue.end && token.span.end <= whom.start)
            .map(|token| self.document.slice(token.span));
        let turns =
            |word: &str| is_one_of(&["against", "who", "that", "which", "whose", "for"], word);
        counts
            && within(self.document.tokens(), cue).iter().any(|token| self.is_measure(token))
            && !between.clone().any(turns)
            && between.filter(|word| !self.is_of_class(word, small)).count() <= BETWEEN
    }
}

fn is_one_of(words: &[&str], word: &str) -> bool {
    words.iter().any(|known| known.eq_ignore_ascii_case(word))
}
