//! Goes through a document: which sentences speak of the target, who is named in them, and what
//! they say. A judge answers for single sentences; here is what only the whole document knows:
//! who belongs to the target, who is at war with it, and whose words a quotation is.

mod actors;
mod deeds;
mod identity;
mod indirect;
mod quoted;
mod rejected;
mod scene;
mod subjects;
mod transcript;
mod voted;

use std::hash::{Hash, Hasher};

use rustc_hash::{FxHashMap, FxHasher};
use standpoint_document::{
    Annotation, Document, EntityKind, Span, Target, TargetStance, Time, Voice, find_entity,
    sentence, within,
};
use standpoint_encoder::Seen;

use crate::edge::DEMAND;
use crate::judge::{Judge, Judgement};
use crate::lexicon::{Lexicon, class, form};
use crate::reading::MAX_PARTIES;
use crate::sum::{Limits, Piece, is_indirect};
use scene::{Scene, gap, measure_in, quotes_after, speaks_as_we};
use transcript::Teller;

/// The number of the target among the actors of a sentence.
const TARGET: u32 = 0;
/// The number of sanctions on the target, where they stand for it.
const MEASURE: u32 = u32::MAX;
/// The number of what somebody has just done toward the target, where a noun stands for it.
const DEED: u32 = u32::MAX - 1;
/// A target is the topic where at least every so manieth sentence names it.
const TOPIC_SHARE: usize = 5;
/// How many holders of one sentence are judged.
const MAX_HOLDERS: usize = 12;
/// How many sentences of a document are judged; of a longer one the beginning counts.
const MAX_SENTENCES: usize = 20_000;
/// How many pieces are kept of one actor before they are summed up.
const MAX_PIECES: usize = 400;

/// By what a document is judged.
#[derive(Clone, Copy)]
pub(crate) struct Tools<'s> {
    pub(crate) judge: &'s dyn Judge,
    pub(crate) lexicon: &'s Lexicon,
    /// The document's vectors, where it was encoded.
    pub(crate) seen: Option<Seen<'s>>,
}

/// The stances of a document toward one target, and notes on what was left out.
pub(crate) fn survey(
    document: &Document<'_>,
    tools: Tools<'_>,
    wanted: &str,
    limits: Limits,
    notes: &mut Vec<String>,
) -> TargetStance {
    let target = Target::resolve(wanted, document.entities());
    let author = Author::of(document, &target);
    let Tools { judge, lexicon, seen } = tools;
    let mut survey = Survey {
        document,
        judge,
        lexicon,
        seen,
        same: identity::same(document.entities()),
        target,
        author,
        published: document.metadata().published.as_deref().and_then(year_of),
        pieces: FxHashMap::default(),
        opponents: FxHashMap::default(),
        assaults: Vec::new(),
        blames: 0,
        speaks_of_measures: false,
        crowded: false,
    };
    let scenes = survey.first_pass(notes);
    survey.second_pass(scenes);
    if survey.crowded {
        notes.push(format!(
            "stance: a sentence names more than {MAX_PARTIES} actors; those behind were passed over"
        ));
    }
    survey.conclude(limits)
}

/// Who holds a stance: an entity by its index, or the author.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Holder {
    Author,
    Entity(u32),
    /// A state for which an entity speaks, by the entity's index, where the table lacks the state.
    StateOf(u32),
}

/// A place of an actor, with the place of the target that is nearest to it; indices of parties.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Near {
    actor: u32,
    holder: u16,
    target: u16,
    /// How many bytes lie between them.
    gap: u32,
}

impl Near {
    const fn pair(&self) -> (Option<u16>, u16) {
        (Some(self.holder), self.target)
    }
}

/// Whether a judgement of an actor's first place says clearly more than one of a nearer place, of
/// which no pattern is sure: the nearer one may be a pronoun of somebody else or of nobody ("let it
/// be known"), and the first is the subject as a rule.
fn speaks_up(of_near: &Judgement, of_first: &Judgement) -> bool {
    let decided = |judgement: &Judgement| 1.0 - judgement.probabilities[1];
    matches!(of_near.rule, "weights" | "encoder") && decided(of_near) + CLEARLY < decided(of_first)
}

/// By how much likelier an attitude must be.
const CLEARLY: f32 = 0.15;

/// What the metadata say of the author.
#[derive(Debug, Clone, Copy)]
struct Author {
    /// The author's entity in the table.
    entity: Option<u32>,
    /// The author speaks for the target, and so takes no stance toward it.
    is_target: bool,
}

impl Author {
    fn of(document: &Document<'_>, target: &Target) -> Self {
        let entity = document
            .metadata()
            .author
            .as_deref()
            .and_then(|name| find_entity(name, document.entities()))
            .and_then(|found| document.entities().iter().position(|entity| entity.id == found.id));
        let named = document.metadata().author.as_deref().map(str::trim);
        let is_target =
            named == Some(&*target.shown.id) || entity.is_some_and(|entity| target.owns(entity));
        Self { entity: entity.map(|entity| entity as u32), is_target }
    }
}

/// The first number of four digits in a date.
fn year_of(date: &str) -> Option<u16> {
    date.split(|letter: char| !letter.is_ascii_digit())
        .find(|digits| digits.len() == 4)
        .and_then(|digits| digits.parse().ok())
}

struct Survey<'d> {
    document: &'d Document<'d>,
    judge: &'d dyn Judge,
    lexicon: &'d Lexicon,
    seen: Option<Seen<'d>>,
    /// For each entity the one that it is a short form of, or itself.
    same: Vec<u32>,
    target: Target,
    author: Author,
    /// The year in which the document was published.
    published: Option<u16>,
    pieces: FxHashMap<Holder, Vec<Piece>>,
    /// Entities on which the target makes war, with how sure that is.
    opponents: FxHashMap<u32, f32>,
    assaults: Vec<(u32, Piece)>,
    /// In how many passages the author is against the target or it makes war, less those where he
    /// is for it or war is made on it; wars count twice.
    blames: i32,
    /// A sentence that names the target speaks of sanctions: those without it mean the same ones.
    speaks_of_measures: bool,
    crowded: bool,
}

impl<'d> Survey<'d> {
    /// Judges every sentence that names the target.
    ///
    /// - returns: one place for each sentence that counts, empty where it is passed over.
    fn first_pass(&mut self, notes: &mut Vec<String>) -> Vec<Option<Scene<'d>>> {
        let (mut scenes, speakers_before) = self.scenes(notes);
        for at in 0..scenes.len() {
            let next = self.document.sentences().get(at + 1);
            let next = next.map_or(&[][..], |next| within(self.document.tokens(), next.span));
            let Some(scene) = &mut scenes[at] else { continue };
            scene.taken_back = scene.names_target() && self.is_taken_back(scene, next);
            if scene.taken_back {
                continue;
            }
            if scene.names_target() {
                self.judge_scene(scene, speakers_before[at]);
                self.speaks_of_measures |=
                    measure_in(self.lexicon, self.document, scene.tokens).is_some();
            }
            self.judge_subjects(scene);
        }
        scenes
    }

    /// The scenes of all sentences, and for each whoever may go on speaking from the one before.
    fn scenes(&mut self, notes: &mut Vec<String>) -> (Vec<Option<Scene<'d>>>, Vec<Option<u32>>) {
        let document = self.document;
        let count = document.sentences().len();
        if MAX_SENTENCES < count {
            notes.push(format!("stance: only the first {MAX_SENTENCES} sentences were read"));
        }
        let mut scenes = Vec::with_capacity(count.min(MAX_SENTENCES));
        let mut speakers_before = Vec::with_capacity(scenes.capacity());
        let mut in_quotes = false;
        let mut last_speaker = None;
        let mut transcript = self.transcript();
        for sentence in document.sentences().iter().take(MAX_SENTENCES) {
            speakers_before.push(last_speaker);
            if sentence.has(sentence::BOILERPLATE) || sentence.has(sentence::FOREIGN) {
                scenes.push(None);
                continue;
            }
            // Quotations end with their paragraph at the latest, as far as guessing goes.
            if sentence.has(sentence::PARAGRAPH) {
                in_quotes = false;
            }
            let tokens = within(document.tokens(), sentence.span);
            let mut scene = self.scene(sentence.span, tokens, in_quotes);
            scene.teller = transcript.teller(self, sentence.span, tokens);
            in_quotes = quotes_after(document, tokens, in_quotes);
            if scene.names_target()
                && let Some(talk) = self.talk_in(&scene)
            {
                self.insert_references(&mut scene, talk);
            }
            // Whoever is named outside quotation marks may go on speaking in the next sentence.
            last_speaker = scene.speaker_after(last_speaker, sentence);
            scenes.push(Some(scene));
        }
        (scenes, speakers_before)
    }

    fn judge_pairs(&self, scene: &Scene<'_>, pairs: &[(Option<u16>, u16)]) -> Vec<Judgement> {
        self.judge.judge(&self.sentence(scene), pairs)
    }

    /// The pairs of a scene: each actor's place nearest to the target, the author, and the
    /// target's own stance toward states, which tells who is at war.
    fn judge_scene(&mut self, scene: &Scene<'_>, last_speaker: Option<u32>) {
        let targets: Vec<u16> = (0..scene.parties.len() as u16)
            .filter(|&index| scene.parties[index as usize].actor == TARGET)
            .collect();
        let nearest = self.nearest(scene, &targets, 0..scene.parties.len());
        let mut pairs: Vec<(Option<u16>, u16)> = nearest.iter().map(Near::pair).collect();
        let from_holders = pairs.len();
        let author_target = targets[0];
        pairs.push((None, author_target));
        // Only states are made war upon.
        pairs.extend(
            nearest
                .iter()
                .filter(|near| self.is_state(scene.entities[near.holder as usize]))
                .map(|near| (Some(near.target), near.holder)),
        );
        let from_targets = pairs.len();
        let first_named = self.first_named(scene, &targets, &nearest);
        pairs.extend(first_named.iter().map(|(_, near)| near.pair()));

        let mut judgements = self.judge_pairs(scene, &pairs);
        for (first, &(near, _)) in (from_targets..).zip(&first_named) {
            if speaks_up(&judgements[near], &judgements[first]) {
                pairs.swap(near, first);
                judgements.swap(near, first);
            }
        }
        pairs.truncate(from_targets);
        for (index, (&(holder, target), judgement)) in pairs.iter().zip(&judgements).enumerate() {
            if index < from_holders {
                self.blames -= 2 * i32::from(self.is_war(scene, judgement));
                if let Some(holder) = holder {
                    let piece = self.piece(scene, Some(holder), target, judgement);
                    self.keep(self.holder(scene, holder), piece);
                }
            } else if holder.is_none() {
                self.blames += i32::from(judgement.score < 0.0) - i32::from(judgement.score > 0.0);
                self.keep_voice(scene, target, judgement, last_speaker);
            } else {
                self.note_assault(scene, holder.unwrap_or(target), target, judgement);
            }
        }
    }

    /// For each actor of a scene his place nearest to the target, of some of its parties.
    fn nearest(
        &self,
        scene: &Scene<'_>,
        targets: &[u16],
        holders: impl Iterator<Item = usize>,
    ) -> Vec<Near> {
        let parties = &scene.parties;
        let mut nearest: Vec<Near> = Vec::new();
        for index in holders {
            let (party, holder) = (parties[index], index as u16);
            // What whoever speaks says is the voice's.
            let speaks = scene.teller == Teller::Entity(scene.entities[index])
                && self.is_label(party.span, scene.tokens);
            if party.actor == TARGET || party.inert || speaks {
                continue;
            }
            let Some((gap, target)) = targets
                .iter()
                .map(|&target| (gap(party.span, parties[target as usize].span), target))
                .map(|(gap, target)| (gap + self.aside(party.span, scene.tokens), target))
                .min_by_key(|&(gap, _)| gap)
            else {
                continue;
            };
            let candidate = Near { actor: party.actor, holder, target, gap };
            match nearest.iter().position(|known| known.actor == party.actor) {
                Some(known) if gap < nearest[known].gap => nearest[known] = candidate,
                None if nearest.len() < MAX_HOLDERS => nearest.push(candidate),
                _ => {}
            }
        }
        nearest
    }

    /// The first places of actors who are named again nearer to the target, by their number in
    /// `nearest`, unless somebody else stands between the place and the target.
    fn first_named(
        &self,
        scene: &Scene<'_>,
        targets: &[u16],
        nearest: &[Near],
    ) -> Vec<(usize, Near)> {
        let parties = &scene.parties;
        let is_first = |&index: &usize| {
            parties[..index].iter().all(|earlier| earlier.actor != parties[index].actor)
        };
        let is_alone = |near: &Near| {
            let (first, last) = (near.holder.min(near.target), near.holder.max(near.target));
            let mut between = parties[usize::from(first)..usize::from(last)].iter();
            between.all(|party| party.inert || [TARGET, near.actor].contains(&party.actor))
        };
        let again = |first: &Near| {
            nearest.iter().position(|near| near.actor == first.actor && near.holder != first.holder)
        };
        self.nearest(scene, targets, (0..parties.len()).filter(is_first))
            .into_iter()
            .filter(is_alone)
            .filter_map(|first| Some((again(&first)?, first)))
            .collect()
    }

    /// How much farther away a place counts that only says whose something is, or whom somebody
    /// means: "its" (but not in "its minister", who acts), "you", the "it" of "to help it fight".
    fn aside(&self, span: Span, tokens: &[Annotation]) -> u32 {
        let word = self.document.slice(span);
        let is = |known: &[&str]| known.iter().any(|own| word.eq_ignore_ascii_case(own));
        let behind = tokens.partition_point(|token| token.span.start < span.end);
        let next = tokens.get(behind).map_or("", |next| self.document.slice(next.span));
        let owns = is(&["his", "her", "you", "your"])
            || is(&["its", "their"]) && !self.lexicon.is_of(next, class::AGENT);
        let is_object = || {
            let forms = self.lexicon.get(next).map_or(0, |entry| entry.forms);
            forms & form::BASE != 0 && forms & form::PAST == 0
        };
        if owns || word == "it" && is_object() { 1000 } else { 0 }
    }

    /// Who holds what a party of a scene says: in a transcript of the author's own people, who
    /// speaks gives voice to the author.
    fn holder(&self, scene: &Scene<'_>, party: u16) -> Holder {
        let entity = scene.entities[party as usize];
        let speaks_for_author = self.is_of_author(entity)
            && self.is_label(scene.parties[party as usize].span, scene.tokens);
        if speaks_for_author { Holder::Author } else { Holder::Entity(entity) }
    }

    /// Whether somebody is a stranger in a text of a known author, and so speaks for him.
    fn is_of_author(&self, entity: u32) -> bool {
        let found = self.document.entities().get(entity as usize);
        let is_stranger = found
            .is_some_and(|entity| entity.kind == EntityKind::Person && entity.country.is_none());
        is_stranger && self.document.metadata().author.is_some()
    }

    /// The voice of the text: the author's, or inside a quotation that of whoever spoke last.
    fn keep_voice(
        &mut self,
        scene: &Scene<'_>,
        target: u16,
        judgement: &Judgement,
        last_speaker: Option<u32>,
    ) {
        let mut piece = self.piece(scene, None, target, judgement);
        if !scene.is_quoted() && scene.teller != Teller::Text {
            piece.voice = Voice::Quoted;
            self.keep_told(scene, piece);
            return;
        }
        if !scene.is_quoted() {
            let is_report = self.document.metadata().author.is_none();
            // What a report gives as said by others is no word of its own.
            if is_report && piece.voice != Voice::Author {
                return;
            }
            // A reporter's words are taken for a judgement only where one of them judges, and what
            // he says must happen is what others have agreed on.
            let reports = is_report
                && matches!(piece.rule, "weights" | "encoder" | DEMAND)
                && !speaks_as_we(self.document, scene.tokens);
            // A question is no statement.
            let asks =
                scene.tokens.last().is_some_and(|last| self.document.slice(last.span) == "?");
            if reports || asks {
                piece.confidence *= 0.6;
            }
            self.keep(Holder::Author, piece);
            return;
        }
        if let Some(speaker) = scene.speaker.or(last_speaker)
            && !self.target.owns(speaker as usize)
        {
            piece.voice = Voice::Quoted;
            self.keep(Holder::Entity(speaker), piece);
        }
    }

    /// Files what the voice of a scene says under whoever speaks there.
    fn keep_told(&mut self, scene: &Scene<'_>, piece: Piece) {
        match scene.teller {
            Teller::Text => self.keep(Holder::Author, piece),
            Teller::Entity(entity) if self.is_of_author(entity) => self.keep(Holder::Author, piece),
            Teller::Entity(entity) => self.keep(Holder::Entity(entity), piece),
            Teller::Nobody => {}
        }
    }

    fn is_state(&self, entity: u32) -> bool {
        let found = self.document.entities().get(entity as usize);
        found.is_some_and(|found| found.kind == EntityKind::Country)
    }

    fn piece(
        &self,
        scene: &Scene<'_>,
        holder: Option<u16>,
        target: impl Into<Option<u16>>,
        judgement: &Judgement,
    ) -> Piece {
        // Without a pattern nobody knows whether the weights read the condition or what it is of.
        let conditional = judgement.rule == "weights"
            && scene.tokens.first().is_some_and(|token| self.document.slice(token.span) == "If");
        let time = if conditional { Time::Hypothetical } else { judgement.time };
        Piece {
            span: scene.span,
            words: self.words_of(scene.span),
            score: judgement.score,
            confidence: judgement.confidence,
            voice: judgement.voice,
            time,
            holder: holder.map(|holder| scene.parties[holder as usize].span),
            target: target.into().map(|target| scene.parties[target as usize].span),
            cue: judgement.cue,
            rule: judgement.rule,
            weighs: judgement.weighs,
        }
    }

    /// A number that equal passages share.
    fn words_of(&self, span: Span) -> u64 {
        let mut hasher = FxHasher::default();
        self.document.slice(span).hash(&mut hasher);
        hasher.finish()
    }

    /// Files a piece under its holder, and under the state for which the holder speaks.
    fn keep(&mut self, holder: Holder, piece: Piece) {
        if let Holder::Entity(entity) = holder {
            if entity == u32::MAX || self.target.owns(entity as usize) {
                return;
            }
            if self.author.entity == Some(entity) {
                self.file(Holder::Author, piece.clone());
            }
            if let Some(state) = self.state_of(entity) {
                if state == self.author.entity.map_or(Holder::Author, Holder::Entity) {
                    self.file(Holder::Author, piece.clone());
                }
                self.file(state, piece.clone());
            }
        }
        self.file(holder, piece);
    }

    fn file(&mut self, holder: Holder, piece: Piece) {
        // Who belongs to the target's state helps its enemies less than words around him say.
        if let Holder::Entity(entity) = holder
            && is_indirect(piece.rule)
            && self
                .document
                .entities()
                .get(entity as usize)
                .is_some_and(|entity| entity.country.as_deref() == Some(&*self.target.shown.id))
        {
            return;
        }
        let pieces = self.pieces.entry(holder).or_default();
        if pieces.len() < MAX_PIECES {
            pieces.push(piece);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_first_place_says_more_than_a_nearer_one_of_which_no_pattern_is_sure() {
        let judged = |rule, probabilities| Judgement { probabilities, rule, ..Judgement::unsure() };
        let (sure, vague) = ([0.8, 0.15, 0.05], [0.2, 0.7, 0.1]);
        let cases = [
            ("surer", judged("encoder", vague), judged("encoder", sure), true),
            ("a pattern", judged("encoder", vague), judged("object", sure), true),
            ("less sure", judged("encoder", sure), judged("encoder", vague), false),
            ("beside a pattern", judged("object", vague), judged("encoder", sure), false),
        ];
        for (case, of_near, of_first, expected) in cases {
            assert_eq!(speaks_up(&of_near, &of_first), expected, "{case}");
        }
    }

    #[test]
    fn dates_have_a_year() {
        let cases = [
            ("2022-03-17", Some(2022)),
            ("October 25, 2024", Some(2024)),
            ("17/03/1998 12:00", Some(1998)),
            ("yesterday", None),
            ("", None),
        ];
        for (date, year) in cases {
            assert_eq!(year_of(date), year, "{date}");
        }
    }
}
