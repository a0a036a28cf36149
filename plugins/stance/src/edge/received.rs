//! Attitudes whose goal is the subject: "X drew criticism from A", "X is met with scorn by A",
//! "X can count on A".

use standpoint_document::Time;

use super::{Finder, RECEIVED, time_of};
use crate::clause::{Doer, Group, noun_cue};
use crate::lexicon::{Carry, Cue, Kind};
use crate::reading::Part;

/// What the subject does who comes by what others feel or do.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Comes {
    /// "Drew criticism from A".
    By,
    /// "Lost the support of A".
    Without,
    /// "Came under fire from A".
    UnderFire,
}

/// How many words behind its verb such a noun may begin, and how many further on its owner.
const REACH: usize = 6;

impl Finder<'_, '_, '_> {
    pub(super) fn of_received(&mut self, number: usize) {
        let group = &self.groups[number];
        let chain = self.chain(group);
        if chain.cut || chain.is_odd() {
            return;
        }
        if self.counts_on(group) {
            // "Can" says here that it is so.
            let at = (group.head, group.end);
            self.toward_subject(group, group.end, 1.0, at, Time::Present);
            return;
        }
        let Some(comes) = self.comes(group) else { return };
        let time = time_of(self.reading, self.groups, group);
        let words = &self.reading.words;
        let near = group.head + 1..words.len().min(group.end + REACH);
        if comes == Comes::UnderFire {
            let fire = near.clone().find(|&at| is_fire(&words[at].lower));
            if let Some(at) = fire.filter(|_| self.word(group.head + 1) == "under") {
                self.toward_subject(group, at + 1, -2.0, (group.head, at + 1), time);
            }
            return;
        }
        let is_felt =
            |cue: &Cue| matches!(cue.kind, Kind::Attitude | Kind::Act) && cue.score != 0.0;
        let found = near.clone().take_while(|&at| words[at].name().is_none()).find_map(|at| {
            noun_cue(self.reading, at)
                .filter(|(cue, _)| is_felt(cue))
                .map(|(cue, end)| (cue, at, end))
        });
        let Some((cue, at, end)) = found else { return };
        let score = match comes {
            Comes::Without if cue.score < 0.0 => return,
            Comes::Without => -cue.score.min(1.0),
            _ => cue.score,
        };
        self.toward_subject(group, end, score, (at, end), time);
    }

    fn comes(&self, group: &Group) -> Option<Comes> {
        let head = &*self.reading.words[group.head].lower;
        if group.passive {
            let with = self.word(group.head + 1) == "with";
            return (with && matches!(head, "met" | "greeted" | "received" | "showered"))
                .then_some(Comes::By);
        }
        match head {
            "draw" | "draws" | "drew" | "drawn" | "drawing" | "earn" | "earns" | "earned"
            | "earning" | "win" | "wins" | "won" | "winning" | "gain" | "gains" | "gained"
            | "gaining" | "receive" | "receives" | "received" | "enjoy" | "enjoys" | "enjoyed"
            | "face" | "faces" | "faced" | "facing" | "attract" | "attracts" | "attracted"
            | "incur" | "incurs" | "incurred" | "suffer" | "suffers" | "suffered" | "garner"
            | "garnered" | "has" | "have" | "had" | "secured" | "secures" => Some(Comes::By),
            "lose" | "loses" | "lost" | "losing" | "forfeited" | "forfeits" => Some(Comes::Without),
            "come" | "comes" | "came" | "coming" | "is" | "are" | "was" | "were" => {
                Some(Comes::UnderFire)
            }
            _ => None,
        }
    }

    /// "X can count on A".
    fn counts_on(&self, group: &Group) -> bool {
        let words = &self.reading.words;
        let can = words[group.start..group.head].iter().any(|word| word.lower == "can");
        can && words[group.head].lower == "count" && self.word(group.head + 1) == "on"
    }

    /// Gives an attitude toward the subjects of `group` to whoever is named from `at` on.
    fn toward_subject(
        &mut self,
        group: &Group,
        at: usize,
        score: f32,
        cue_at: (usize, usize),
        time: Time,
    ) {
        let words = &self.reading.words;
        // "The support of A" is A's, and "an understanding of A" is not.
        let is_its = words[group.head..cue_at.0].iter().any(|word| word.lower == "the");
        let from = (at..words.len().min(at + REACH))
            .take_while(|&at| !matches!(words[at].part, Part::Stop | Part::Verb(_)))
            .find(|&at| match &*words[at].lower {
                "from" | "by" => true,
                "of" => is_its,
                _ => false,
            });
        let counts_on = cue_at.1 == at && cue_at.0 == group.head;
        let Some(from) = from.map(|from| from + 1).or(counts_on.then_some(at)) else { return };
        let (holders, _) = self.names(from);
        let cue = Cue { score, carry: Carry::Keep, kind: Kind::Attitude, lemma: 0 };
        for &subject in &group.subjects {
            let Doer::Party(target) = subject else { continue };
            for &holder in &holders {
                self.add(Doer::Party(holder), target, score, cue, cue_at, time, RECEIVED);
            }
        }
    }
}

fn is_fire(word: &str) -> bool {
    matches!(word, "fire" | "criticism" | "attack" | "pressure")
}
