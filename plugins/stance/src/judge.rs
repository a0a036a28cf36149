//! The judgement of one pair in one sentence: the seam behind which the model stands.
//!
//! Everything before (who is named where) and after (what a document says in all) knows only
//! [`Judge`]. [`RulesAndWeights`] judges in the fast chain, and [`RulesAndEncoder`] adds to it what
//! the encoder makes of the sentence.

mod inside;

use std::sync::Arc;

use standpoint_document::{Annotation, Span, Time, Voice};
use standpoint_encoder::Seen;
use standpoint_linear::{Features, LinearModel, LoadError};

use crate::bystander::{is_told_of_others, stands_by};
use crate::clause::{Doer, Group, groups};
pub use crate::edge::Votes;
use crate::edge::{
    ABETS, BETWEEN, DEALS, DEFIES, DEMAND, Edge, Edges, LIKENED, NAMED, RECEIVED, REFRAINS,
    REJECTED, RESISTS, TAKES, TONE, edges, is_over_at, may_blame, nameless, votes,
};
use crate::feature::{Pair, RECIPE, Sheet, extract};
use crate::lexicon::{Kind, Lexicon, class};
use crate::opinion::Opinion;
pub use crate::opinion::RulesAndEncoder;
use crate::reading::{Part, Party, Reading, Word, read};
pub use inside::{bonuses_of, features_of, recipe, rules_of, trace};

/// A sentence and the places in it that name actors.
#[derive(Debug, Clone, Copy)]
pub struct Sentence<'s> {
    /// The document's text.
    pub text: &'s str,
    /// The tokens of the sentence, in order.
    pub tokens: &'s [Annotation],
    /// Who is named; in order of start, the longer first where two begin together.
    pub parties: &'s [Party],
    /// Whether a quotation is open before the first token.
    pub in_quotes: bool,
    /// Who speaks where such a quotation is open; an index into `parties`.
    pub speaker: Option<u16>,
    /// The year in which the text was published, where that is known: what was in it is not over.
    pub published: Option<u16>,
    /// The vectors of the document, where it was encoded.
    pub seen: Option<Seen<'s>>,
}

/// What a sentence says of a holder's stance toward a target.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Judgement {
    /// Calibrated probabilities of negative, neutral and positive.
    pub probabilities: [f32; 3],
    /// -1 (opposed) to 1 (supportive): the likeliest class with its degree.
    pub score: f32,
    /// How sure of that class.
    pub confidence: f32,
    /// Whose words say it.
    pub voice: Voice,
    /// When it holds.
    pub time: Time,
    /// The words that decided, where a pattern found them.
    pub cue: Option<Span>,
    /// The pattern, or `weights` or `encoder` where a model decided by itself.
    pub rule: &'static str,
    /// Whether force against the target, or arms for it, is what was found.
    pub force: Force,
    /// Whether the sentence speaks of balance, abstention or mediation.
    pub weighs: bool,
}

/// What is done rather than said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Force {
    /// Neither.
    None,
    /// The holder makes war on the target.
    War,
    /// The holder arms, funds or aids the target.
    Aid,
}

/// Reads sentences and judges pairs in them.
pub trait Judge: Send + Sync {
    /// Judges pairs of one sentence.
    ///
    /// - `pairs`: holder (`None` for the voice of the text) and target, as indices into the
    ///   sentence's parties; an index that is not there gets a neutral answer without confidence;
    /// - returns one judgement for each pair, in order.
    fn judge(&self, sentence: &Sentence<'_>, pairs: &[(Option<u16>, u16)]) -> Vec<Judgement>;

    /// What a sentence says that only its document can complete.
    ///
    /// - `blame`: whether blame is of use; finding it is most of the work.
    fn implied(&self, sentence: &Sentence<'_>, blame: bool) -> Implied;

    /// What a sentence says of texts that bodies vote on, and of votes.
    fn votes(&self, sentence: &Sentence<'_>) -> Votes;
}

/// Attitudes whose other end stands in another sentence.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Implied {
    /// Blame for what the sentence does not name, with its holders; `None` for the voice of the
    /// text.
    pub blame: Vec<(Option<u16>, Judgement)>,
    /// Who does or says what others do in the sentence before ("followed suit").
    pub followers: Vec<u16>,
}

/// Patterns over the cue lists, weighed by a linear model.
#[derive(Debug)]
pub struct RulesAndWeights {
    lexicon: Arc<Lexicon>,
    model: LinearModel<3>,
}

impl RulesAndWeights {
    /// Takes cue lists and the weights that were trained for their features.
    ///
    /// # Errors
    ///
    /// [`LoadError`] when the weights are damaged or belong to other features.
    pub fn new(lexicon: Arc<Lexicon>, weights: &[u8]) -> Result<Self, LoadError> {
        Ok(Self { lexicon, model: LinearModel::from_bytes(weights, RECIPE)? })
    }
}

impl RulesAndWeights {
    /// Judges pairs, and minds what somebody else says of them: one opinion for each pair.
    pub(crate) fn judge_with(
        &self,
        sentence: &Sentence<'_>,
        pairs: &[(Option<u16>, u16)],
        opinions: &[Option<Opinion>],
    ) -> Vec<Judgement> {
        let (reading, found) = understand(&self.lexicon, sentence);
        let sheet = Sheet::new(&reading);
        let mut features = Features::new();
        pairs
            .iter()
            .enumerate()
            .map(|(index, &(holder, target))| {
                let known = |party: u16| (party as usize) < reading.parties.len();
                if reading.words.is_empty() || !known(target) || holder.is_some_and(|h| !known(h)) {
                    return Judgement::unsure();
                }
                let pair = Pair { holder, target };
                extract(&sheet, &found, pair, &mut features);
                let mut scores = self.model.scores(&features).map(|score| score * SHARPNESS);
                if speaks_of(&reading, &found, pair) {
                    let voice = Pair { holder: None, target };
                    extract(&sheet, &found, voice, &mut features);
                    for (score, said) in scores.iter_mut().zip(self.model.scores(&features)) {
                        *score += SPOKEN * (said * SHARPNESS - *score);
                    }
                }
                let (scores, ground) = with_pattern(&reading, &found, pair, scores);
                let probabilities = self.model.probabilities(scores);
                match opinions.get(index).copied().flatten() {
                    None => conclude(&reading, &found, pair, probabilities),
                    Some(opinion) => {
                        let both = opinion.and(probabilities, ground);
                        opinion.complete(conclude(&reading, &found, pair, both))
                    }
                }
            })
            .collect()
    }
}

impl Judge for RulesAndWeights {
    fn judge(&self, sentence: &Sentence<'_>, pairs: &[(Option<u16>, u16)]) -> Vec<Judgement> {
        self.judge_with(sentence, pairs, &[])
    }

    fn votes(&self, sentence: &Sentence<'_>) -> Votes {
        votes(&read_sentence(&self.lexicon, sentence))
    }

    fn implied(&self, sentence: &Sentence<'_>, blame: bool) -> Implied {
        let slice = |token: &Annotation| sentence.text.get(token.span.range()).unwrap_or_default();
        let words = || sentence.tokens.iter().map(slice);
        let alike = self.lexicon.may_be_alike(words());
        let blame = blame && may_blame(&self.lexicon, words());
        if !blame && !alike {
            return Implied::default();
        }
        let reading = read_sentence(&self.lexicon, sentence);
        let followers = if alike { followers_in(&reading) } else { Vec::new() };
        if !blame {
            return Implied { blame: Vec::new(), followers };
        }
        let blame = nameless(&reading, sentence.speaker.map(Doer::Party))
            .iter()
            .map(|edge| {
                let holder = match edge.holder {
                    Doer::First => None,
                    Doer::Party(party) => Some(party),
                };
                let judgement = Judgement {
                    probabilities: [BLAME, 1.0 - BLAME, 0.0],
                    score: edge.score / 2.0,
                    confidence: BLAME,
                    voice: edge.voice,
                    time: edge.time,
                    cue: cue_span(&reading, edge),
                    rule: edge.rule,
                    ..Judgement::unsure()
                };
                (holder, judgement)
            })
            .collect();
        Implied { blame, followers }
    }
}

/// Who does as the sentence before says of others: the subject where the words for it are a verb
/// ("X followed on Friday"), else whoever is named ("X made similar statements").
fn followers_in(reading: &Reading<'_, '_>) -> Vec<u16> {
    let is_alike = |at: usize| {
        let begins = |&(start, bits): &(u16, class::Bits)| {
            usize::from(start) == at && bits & class::ALIKE != 0
        };
        reading.words[at].is(class::ALIKE) || reading.runs.iter().any(begins)
    };
    let found: Vec<usize> = (0..reading.words.len()).filter(|&at| is_alike(at)).collect();
    if found.is_empty() {
        return Vec::new();
    }
    let groups = groups(reading);
    // "Talks with X followed": it is not X who did.
    let governed = |party: u16| {
        let before = usize::from(reading.word_of[usize::from(party)]).checked_sub(1);
        let word = before.and_then(|at| reading.words.get(at));
        word.is_some_and(|word| word.part == Part::Preposition)
    };
    let subjects = |group: &Group| {
        let parties = group.subjects.iter().filter_map(|doer| match doer {
            Doer::Party(party) => Some(*party).filter(|&party| !governed(party)),
            Doer::First => None,
        });
        parties.collect::<Vec<u16>>()
    };
    let mut followers = Vec::new();
    for &at in &found {
        let verb = groups.iter().find(|group| group.head == at);
        let has_object = |group: &&Group| (group.end..group.until.max(group.end)).contains(&at);
        let doers = verb.or_else(|| groups.iter().find(has_object)).map(subjects);
        match doers {
            Some(doers) if !doers.is_empty() => {
                // "Imposed similar sanctions on X" is said of another goal.
                let mut named = reading.words[at..].iter().filter_map(Word::name);
                let is_aimed = verb.is_none() && named.any(|party| !doers.contains(&party));
                followers.extend(doers.into_iter().filter(|_| !is_aimed));
            }
            _ if verb.is_none() => followers.extend(0..reading.parties.len() as u16),
            _ => {}
        }
    }
    followers.sort_unstable();
    followers.dedup();
    followers
}

/// How much of a speaker's stance is read as if the words were the text's own.
const SPOKEN: f32 = 0.4;

/// Whether the holder is who speaks where the target is named.
fn speaks_of(reading: &Reading<'_, '_>, found: &Edges, pair: Pair) -> bool {
    let at = reading.word_of[pair.target as usize] as usize;
    let actor = |party: u16| reading.parties[party as usize].actor;
    match (found.speaker.get(at).copied().flatten(), pair.holder) {
        (Some(Doer::Party(speaker)), Some(holder)) => actor(speaker) == actor(holder),
        _ => false,
    }
}

/// How often blame without a name meets whom the text speaks of.
const BLAME: f32 = 0.65;

fn understand<'s>(lexicon: &'s Lexicon, sentence: &Sentence<'s>) -> (Reading<'s, 's>, Edges) {
    let reading = read_sentence(lexicon, sentence);
    let found = edges(&reading, sentence.speaker.map(Doer::Party));
    (reading, found)
}

fn read_sentence<'s>(lexicon: &'s Lexicon, sentence: &Sentence<'s>) -> Reading<'s, 's> {
    let Sentence { text, tokens, parties, in_quotes, published, .. } = *sentence;
    Reading { published, ..read(lexicon, text, tokens, parties, in_quotes) }
}

/// The edge between a pair that says most, preferably of a sign.
fn strongest(
    reading: &Reading<'_, '_>,
    found: &Edges,
    pair: Pair,
    sign: Option<f32>,
) -> Option<Edge> {
    let actor = |party: u16| reading.parties[party as usize].actor;
    let weight = |edge: &Edge| {
        edge.score.abs()
            * match edge.time {
                Time::Hypothetical => 0.3,
                Time::Past => 0.4,
                Time::Present | Time::Future => 1.0,
            }
    };
    found
        .list
        .iter()
        .filter(|edge| match (edge.holder, pair.holder) {
            (Doer::First, None) => true,
            (Doer::Party(party), Some(holder)) => actor(party) == actor(holder),
            _ => false,
        })
        .filter(|edge| actor(edge.target) == actor(pair.target))
        .filter(|edge| sign.is_none_or(|sign| edge.score * sign > 0.0))
        .max_by(|left, right| weight(left).total_cmp(&weight(right)))
        .copied()
}

/// What log-odds are worth on text that the model has not seen: fitted on `attitudes` dev, where
/// names are denser than in training.
const SHARPNESS: f32 = 0.8;

/// What a pattern adds to the model's log-odds of its class: the sentences that the model learnt
/// from are fewer than the ways to say a thing.
const PATTERN_BONUS: f32 = 1.2;

/// How much more a pattern adds where it looks beside the words around a pair.
const ASIDE: f32 = 1.5;

/// How much the words of an act count for whoever stands aside from it.
const ACT_WORDS: f32 = 0.6;

/// On what rules and weights base what they say of a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ground {
    /// On the words around it alone.
    Weights,
    /// On a condition, wish or forecast.
    Hypothesis,
    /// On a pattern that is clear by itself.
    Pattern,
    /// On arms or help that are given, or on what is set against what was.
    Deed,
    /// On an attitude that is said of somebody else and shared, or stands behind its goal, where
    /// the encoder looks around the name alone; or on a phrase of several words.
    Shared,
    /// On somebody else who acts while the holder is only named.
    Bystander,
    /// On a claim that the sentence rejects, a place between the sides, or an act about another
    /// act, whose words say something else than they seem to.
    Denial,
}

/// Adds to the model's scores what a clear pattern is worth by itself.
fn with_pattern(
    reading: &Reading<'_, '_>,
    found: &Edges,
    pair: Pair,
    mut scores: [f32; 3],
) -> ([f32; 3], Ground) {
    let Some(edge) = strongest(reading, found, pair, None) else {
        if is_origin_alone(reading, pair.target)
            || stands_by(reading, found, pair)
            || is_told_of_others(reading, found, pair)
        {
            scores[1] += 3.0 * PATTERN_BONUS;
            return (scores, Ground::Bystander);
        }
        return (scores, Ground::Weights);
    };
    if matches!(edge.rule, REJECTED | BETWEEN) {
        scores[1] += 3.0 * PATTERN_BONUS;
        return (scores, Ground::Denial);
    }
    if edge.time == Time::Hypothetical {
        scores[1] += PATTERN_BONUS;
        return (scores, Ground::Hypothesis);
    }
    // The words of the act are there, and speak against the target all the same.
    if matches!(edge.rule, REFRAINS | RESISTS) {
        scores = scores.map(|score| ACT_WORDS * score);
    }
    if edge.rule == REFRAINS {
        scores[0] -= 1.5 * PATTERN_BONUS;
        scores[1] += (1.5 - edge.score) * PATTERN_BONUS;
        scores[2] += 2.0 * PATTERN_BONUS * edge.score;
        return (scores, Ground::Denial);
    }
    if edge.rule == RESISTS {
        scores[0] -= 1.5 * PATTERN_BONUS;
        scores[2] += 2.5 * PATTERN_BONUS;
        return (scores, Ground::Denial);
    }
    let by_itself = matches!(
        edge.rule,
        "object"
            | "passive"
            | "owner of the object"
            | "owner of the relation"
            | "apposition"
            | "noun of the object"
            | "joint act"
            | LIKENED
            | RECEIVED
            | NAMED
            | TONE
            | DEALS
            | DEFIES
            | TAKES
            | ABETS
            | DEMAND
            | "pronoun"
            | "aid to the opponent"
            | "predicate"
            | "verdict"
            | "said to or of"
    );
    // "Kenya's lawsuit against Spain", "Kenya's war on Spain".
    let owns = edge.rule == "owner and goal"
        && (edge.kind == Kind::Attitude || edge.kind == Kind::War && is_on(reading, &edge));
    if (by_itself || owns) && edge.score.abs() >= 0.5 {
        let class = if edge.score < 0.0 { 0 } else { 2 };
        // The words around a pair say little of these.
        let aside =
            matches!(edge.rule, LIKENED | NAMED | RECEIVED | TONE | DEALS | DEFIES | TAKES | ABETS);
        // "Accused Norway of arming Russia": what is around the deed speaks of who reports it.
        let is_reported = edge.rule == "object" && edge.voice == Voice::Reported;
        let share = if aside || is_reported { ASIDE } else { 1.0 };
        scores[class] += PATTERN_BONUS * share * edge.score.abs().clamp(0.8, 1.5);
        let was_other = |earlier: &Edge| {
            earlier.time == Time::Past && edge.time != Time::Past && earlier.rule != REJECTED
        };
        let changes = strongest(reading, found, pair, Some(-edge.score))
            .is_some_and(|earlier| was_other(&earlier));
        // "Expelled A and turned to X": the words against A stand beside what is for X.
        let beside_other = |other: &Edge| {
            other.holder == edge.holder
                && other.target != edge.target
                && other.score * edge.score < 0.0
                && other.rule == "object"
        };
        let changes = changes || edge.rule == "object" && found.list.iter().any(beside_other);
        // A phrase of several words hardly means anything else.
        let idiom = edge.cue.1 - edge.cue.0 >= 3
            && matches!(edge.rule, "object" | "owner of the object" | "pronoun");
        let ground = match edge.kind {
            _ if idiom || aside => Ground::Shared,
            _ if changes => Ground::Deed,
            Kind::Aid if edge.score >= 1.5 => Ground::Deed,
            _ => Ground::Pattern,
        };
        return (scores, ground);
    }
    (scores, Ground::Weights)
}

/// Whether a sentence names the target only to say where something is from.
fn is_origin_alone(reading: &Reading<'_, '_>, target: u16) -> bool {
    let actor = reading.parties[usize::from(target)].actor;
    let mut places = reading.parties.iter().zip(&reading.word_of).filter(|(p, _)| p.actor == actor);
    places.all(|(_, &at)| reading.is_origin(usize::from(at)))
}

/// Puts probabilities and patterns together.
fn conclude(
    reading: &Reading<'_, '_>,
    found: &Edges,
    pair: Pair,
    probabilities: [f32; 3],
) -> Judgement {
    let [negative, neutral, positive] = probabilities;
    let sign = if negative > neutral && negative >= positive {
        -1.0
    } else if positive > neutral {
        1.0
    } else {
        0.0
    };
    let confidence = negative.max(neutral).max(positive);
    let edge = strongest(reading, found, pair, (sign != 0.0).then_some(sign))
        .or_else(|| strongest(reading, found, pair, None));
    let agrees = edge.filter(|edge| edge.score * sign > 0.0);
    let degree = match agrees {
        Some(edge) => edge.score.abs() / 2.0,
        // Without a pattern, only a sure model may speak of more than a leaning.
        None => 0.5 + 0.25 * ((confidence - 0.6) / 0.4).clamp(0.0, 1.0),
    };
    let target_at = reading.word_of[pair.target as usize] as usize;
    let speaker = found.speaker.get(target_at).copied().flatten();
    let voice = edge
        .map_or(if speaker.is_some() { Voice::Quoted } else { Voice::Author }, |edge| edge.voice);
    let cue = agrees.and_then(|edge| cue_span(reading, &edge));
    let weighs = weighs_sides(reading, found, pair) || edge.is_some_and(|e| e.rule == REFRAINS);
    let force = match agrees.map(|edge| edge.kind) {
        Some(Kind::War) => Force::War,
        Some(Kind::Aid) => Force::Aid,
        _ => Force::None,
    };
    Judgement {
        probabilities,
        score: sign * degree,
        confidence,
        voice,
        time: match edge {
            Some(edge) => edge.time,
            // "How much help will Y give X?" says of nobody that he does.
            None if reading.question => Time::Hypothetical,
            None if is_over_at(reading, &found.groups, target_at) => Time::Past,
            None => Time::Present,
        },
        cue,
        rule: agrees.map_or("weights", |edge| edge.rule),
        force,
        weighs,
    }
}

/// Whether the target is the first name behind an act, and stands right behind "on", "against",
/// "of" or "in": not so in "Kenya's war on drugs with Spain".
fn is_on(reading: &Reading<'_, '_>, act: &Edge) -> bool {
    let target = usize::from(reading.word_of[usize::from(act.target)]);
    let behind = reading.words.get(usize::from(act.cue.1)..target).unwrap_or_default();
    let is_attribute =
        |word: &&Word<'_, '_>| matches!(word.part, Part::Determiner | Part::Adjective);
    let governs = behind.iter().rev().find(|word| !is_attribute(word));
    behind.iter().all(|word| word.name().is_none())
        && governs.is_some_and(|word| matches!(&*word.lower, "on" | "against" | "of" | "in"))
}

/// Whether a sentence says of the holder that he mediates, abstains or keeps a balance: he is the
/// subject of such words, owns them ("Peru's mediation") or has them before him ("neutral Peru").
fn weighs_sides(reading: &Reading<'_, '_>, found: &Edges, pair: Pair) -> bool {
    let words = &reading.words;
    let single = (0..words.len()).filter(|&at| words[at].is(class::WEIGHING));
    let is_weighing = |&&(_, bits): &&(u16, class::Bits)| bits & class::WEIGHING != 0;
    let runs = reading.runs.iter().filter(is_weighing).map(|&(start, _)| usize::from(start));
    let mut places = single.chain(runs);
    let Some(holder) = pair.holder else { return places.next().is_some() };
    let actor = |party: u16| reading.parties[usize::from(party)].actor;
    let is_own_at = |at: usize| {
        let name = words.get(at).and_then(Word::name);
        name.is_some_and(|party| actor(party) == actor(holder))
    };
    let is_subject = |doer: &Doer| matches!(doer, Doer::Party(p) if actor(*p) == actor(holder));
    places.any(|at| {
        let part = |at: usize| words.get(at).map(|word| word.part);
        // "Peru's mediation", "Peru, a neutral mediator", "mediated by Peru", "abstaining was Peru".
        if at >= 2 && part(at - 1) == Some(Part::Possessive) {
            return is_own_at(at - 2);
        }
        let comma = (at.saturating_sub(3)..at).find(|&at| part(at) == Some(Part::Comma));
        let is_as = at >= 2 && words[at - 1].lower == "as" && is_own_at(at - 2);
        let is_beside = is_own_at(at + 1)
            || is_as
            || comma.is_some_and(|comma| comma > 0 && is_own_at(comma - 1))
            || words.get(at + 1).is_some_and(|by| by.lower == "by")
                && (at + 2..at + 5).any(is_own_at);
        is_beside
            || at == 0
            || found.groups.iter().any(|group| {
                (group.head..group.until.max(group.end)).contains(&at)
                    && !group.negated
                    && !group.passive
                    && group.subjects.iter().any(is_subject)
            })
    })
}

/// Where the words of an edge's cue stand.
fn cue_span(reading: &Reading<'_, '_>, edge: &Edge) -> Option<Span> {
    let first = reading.words.get(edge.cue.0 as usize)?;
    let last = reading.words.get((edge.cue.1 as usize).max(1) - 1)?;
    Some(Span::new(first.span.start, last.span.end.max(first.span.end)))
}

impl Judgement {
    /// Whether a pattern is what says so, and not the weights or the encoder alone.
    #[must_use]
    pub fn is_by_pattern(&self) -> bool {
        !matches!(self.rule, "weights" | "encoder" | "none")
    }

    /// The answer where there is nothing to judge.
    #[must_use]
    pub const fn unsure() -> Self {
        Self {
            probabilities: [1.0 / 3.0; 3],
            score: 0.0,
            confidence: 1.0 / 3.0,
            voice: Voice::Author,
            time: Time::Present,
            cue: None,
            rule: "none",
            force: Force::None,
            weighs: false,
        }
    }
}

#[cfg(test)]
mod tests;
