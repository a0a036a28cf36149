//! Measures against those who belong to the target without acting for it: its citizens and
//! businessmen, its firms. "Froze the assets of Russian oligarchs", "blacklisted Lukoil".

use standpoint_document::{Annotation, EntityKind, Time, mention, within};

use super::scene::Scene;
use super::{Holder, MAX_HOLDERS, Survey, TARGET};
use crate::judge::Judgement;

/// How the words for measures begin that states take against people and firms of others.
const MEASURES: &[&str] = &[
    "ban",
    "bar",
    "blacklist",
    "block",
    "clos",
    "confiscat",
    "deni",
    "deny",
    "embargo",
    "expel",
    "froz",
    "freez",
    "impound",
    "impos",
    "lift",
    "nationali",
    "refus",
    "restrict",
    "revok",
    "sanction",
    "seiz",
    "shut",
    "stop",
    "suspend",
];

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
        for mention in people.filter(|mention| self.is_of_people(mention)) {
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
            if let Some(holder) = holder.filter(|_| self.tells_of_measure(&judgement)) {
                let piece = self.piece(&scene, Some(holder), subject, &judgement);
                self.keep(Holder::Entity(scene.entities[holder as usize]), piece);
            }
        }
    }

    fn is_measure(&self, token: &Annotation) -> bool {
        let word = self.document.slice(token.span);
        let begins = |stem: &&str| {
            word.get(..stem.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(stem))
        };
        MEASURES.iter().any(begins)
    }

    /// Whether people of the target are meant, or what is theirs: "Russians", "Russian oligarchs".
    fn is_of_people(&self, mention: &Annotation) -> bool {
        let is_adjective = mention.has(mention::DEMONYM | mention::NOT_AN_ACTOR)
            && self.target.owns(mention.link as usize);
        let is_people = mention.has(mention::DEMONYM)
            && EntityKind::from_code(mention.label) == Some(EntityKind::Group)
            && self.is_of_target(mention.link);
        is_adjective || is_people
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

    fn tells_of_measure(&self, judgement: &Judgement) -> bool {
        let cue = judgement.cue.map(|cue| within(self.document.tokens(), cue));
        judgement.score != 0.0
            && judgement.time != Time::Hypothetical
            && cue.is_some_and(|cue| cue.iter().any(|token| self.is_measure(token)))
    }
}
