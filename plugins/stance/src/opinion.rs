//! What the encoder says of a pair, and how much of it is heard beside rules and weights.

use standpoint_document::{Time, Voice};
use standpoint_encoder::{Stance, StanceHead, StanceVectors};

use crate::judge::{Ground, Implied, Judge, Judgement, RulesAndWeights, Sentence, Votes};

/// What the encoder makes of a pair.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Opinion(pub(crate) Stance);

/// How much the encoder's log-odds count.
const ENCODER: f32 = 0.8;

/// How much those of rules and weights count beside it, by what they base themselves on. A clear
/// pattern was written down because a model may miss it; words around a pair are what the encoder
/// reads better. Five numbers beside [`ENCODER`], chosen on the development sets.
const fn share(ground: Ground) -> f32 {
    match ground {
        Ground::Weights => 0.25,
        Ground::Hypothesis => 0.6,
        Ground::Pattern => 0.8,
        Ground::Deed | Ground::Bystander => 1.2,
        Ground::Denial | Ground::Shared => 1.6,
    }
}

impl Opinion {
    /// The probabilities of the classes by both, each weighed in log-odds.
    pub(crate) fn and(self, by_rules: [f32; 3], ground: Ground) -> [f32; 3] {
        let share = share(ground);
        let weight = |class: usize| {
            let (own, other) = (self.0.probabilities[class], by_rules[class]);
            own.max(least(ground)).powf(ENCODER) * other.max(LEAST).powf(share)
        };
        let weights: [f32; 3] = std::array::from_fn(weight);
        let total: f32 = weights.iter().sum();
        weights.map(|weight| weight / total)
    }

    /// Adds strength, voice and time to what was concluded.
    pub(crate) fn complete(self, judgement: Judgement) -> Judgement {
        let Stance { probabilities, strong, voice, time } = self.0;
        let by_itself = judgement.rule == "weights";
        let found = judgement.score.abs();
        // Where the encoder sees no such attitude, it cannot say how strong it is, nor when it
        // holds.
        let sees = |class: usize| likeliest(probabilities) == class;
        let sees_it = found == 0.0 || sees(if judgement.score < 0.0 { 0 } else { 2 });
        let degree = match 0.5 + 0.5 * strong {
            degree if by_itself => degree,
            degree if sees_it => f32::midpoint(degree, found),
            _ => found,
        };
        let voices = [Voice::Author, Voice::Quoted, Voice::Reported];
        let times = [Time::Past, Time::Present, Time::Future, Time::Hypothetical];
        Judgement {
            score: if found == 0.0 { 0.0 } else { judgement.score.signum() * degree },
            // What is said to be so is not the author's word: "accused X of arming Y".
            voice: match voices[likeliest(voice)] {
                Voice::Author if judgement.voice == Voice::Reported => Voice::Reported,
                heard => heard,
            },
            // Words that say when are surer than the model.
            time: match judgement.time {
                said @ (Time::Past | Time::Hypothetical) => said,
                read if !sees_it => read,
                _ => times[likeliest(time)],
            },
            rule: if by_itself { "encoder" } else { judgement.rule },
            ..judgement
        }
    }
}

/// No class is impossible, so that neither side can forbid what the other is sure of.
const LEAST: f32 = 1e-4;

/// What the encoder leaves of a class at least: more where the words of an act are there and do not
/// mean it, for they make it surer than it may be; most where they stand beside somebody else, for
/// it looks around the name alone.
const fn least(ground: Ground) -> f32 {
    match ground {
        Ground::Shared => 0.1,
        Ground::Denial | Ground::Deed | Ground::Bystander => 0.03,
        _ => LEAST,
    }
}

fn likeliest<const N: usize>(probabilities: [f32; N]) -> usize {
    (0..N).max_by(|&left, &right| probabilities[left].total_cmp(&probabilities[right])).unwrap_or(0)
}

/// Rules and weights, and the encoder wherever a pair was encoded.
#[derive(Debug)]
pub struct RulesAndEncoder {
    rules: RulesAndWeights,
    head: StanceHead,
}

impl RulesAndEncoder {
    /// Joins them.
    #[must_use]
    pub const fn new(rules: RulesAndWeights, head: StanceHead) -> Self {
        Self { rules, head }
    }

    /// What the encoder says of each pair; nothing of one that was not encoded.
    fn opinions(
        &self,
        sentence: &Sentence<'_>,
        pairs: &[(Option<u16>, u16)],
    ) -> Vec<Option<Opinion>> {
        let Some(seen) = sentence.seen else { return Vec::new() };
        let place = |party: u16| seen.place(sentence.parties.get(party as usize)?.span);
        let vectors = |&(holder, target): &(Option<u16>, u16)| {
            let target = place(target)?;
            let holder = match holder {
                Some(holder) => Some(place(holder)?.vector),
                None => None,
            };
            Some(StanceVectors { whole: target.whole, holder, target: target.vector })
        };
        let asked: Vec<Option<StanceVectors<'_>>> = pairs.iter().map(vectors).collect();
        let questions: Vec<StanceVectors<'_>> = asked.iter().copied().flatten().collect();
        // The head was tried when it was opened, with vectors of this width. Should it fail all
        // the same, the rules still know something.
        let mut answers = self.head.judge(&questions).unwrap_or_default().into_iter();
        asked.iter().map(|asked| asked.and_then(|_| answers.next()).map(Opinion)).collect()
    }
}

impl Judge for RulesAndEncoder {
    fn judge(&self, sentence: &Sentence<'_>, pairs: &[(Option<u16>, u16)]) -> Vec<Judgement> {
        self.rules.judge_with(sentence, pairs, &self.opinions(sentence, pairs))
    }

    fn implied(&self, sentence: &Sentence<'_>, blame: bool) -> Implied {
        self.rules.implied(sentence, blame)
    }

    fn votes(&self, sentence: &Sentence<'_>) -> Votes {
        self.rules.votes(sentence)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opinion(probabilities: [f32; 3]) -> Opinion {
        Opinion(Stance {
            probabilities,
            strong: 0.5,
            voice: [1.0, 0.0, 0.0],
            time: [0.0, 1.0, 0.0, 0.0],
        })
    }

    #[test]
    fn who_sees_no_attitude_cannot_say_when_it_holds_or_how_strong_it_is() {
        let judged = Judgement { score: -1.0, rule: "object", ..Judgement::unsure() };
        for (probabilities, time, score) in
            [([0.8, 0.1, 0.1], Time::Hypothetical, -0.875), ([0.1, 0.8, 0.1], Time::Present, -1.0)]
        {
            let heard = Opinion(Stance { time: [0.0, 0.2, 0.0, 0.8], ..opinion(probabilities).0 });
            let completed = heard.complete(judged);
            assert_eq!((completed.time, completed.score), (time, score), "{probabilities:?}");
        }
    }

    #[test]
    fn clear_patterns_are_heard_above_words() {
        use Ground::{Denial, Hypothesis, Pattern, Weights};
        let against = opinion([0.8, 0.15, 0.05]);
        let rules = [0.02, 0.96, 0.02];
        let neutral =
            [Weights, Hypothesis, Pattern, Denial].map(|ground| against.and(rules, ground)[1]);
        assert!(neutral.is_sorted() && neutral[0] < 0.5 && neutral[3] > 0.9, "{neutral:?}");
        for ground in [Weights, Denial] {
            let sum: f32 = opinion([1.0, 0.0, 0.0]).and([0.0, 0.0, 1.0], ground).iter().sum();
            assert!((sum - 1.0).abs() < 1e-5, "{ground:?}: {sum}");
        }
    }
}
