//! Goes through a document: which sentences speak of the target, who is named in them, and what
//! they say. A judge answers for single sentences; here is what only the whole document knows:
//! who belongs to the target, who is at war with it, and whose words a quotation is.

use std::hash::{Hash, Hasher};

use rustc_hash::{FxHashMap, FxHasher};
use standpoint_document::{
    ActorStance, Annotation, Document, EntityKind, Span, StanceTarget, TargetStance, Time, Voice,
    mention, sentence, within,
};

use crate::judge::{Force, Judge, Judgement, Sentence};
use crate::reading::{MAX_PARTIES, Party};
use crate::sum::{Limits, Piece, sum_up};
use crate::target::{Target, find, is_state_id};

/// The number of the target among the actors of a sentence.
const TARGET: u32 = 0;
/// The number of sanctions on the target, where they stand for it.
const MEASURE: u32 = u32::MAX;
/// A target is the topic where at least every so manieth sentence names it.
const TOPIC_SHARE: usize = 5;
/// How many holders of one sentence are judged.
const MAX_HOLDERS: usize = 12;
/// How many sentences of a document are judged; of a longer one the beginning counts.
const MAX_SENTENCES: usize = 20_000;
/// How many pieces are kept of one actor before they are summed up.
const MAX_PIECES: usize = 400;

/// The stances of a document toward one target, and notes on what was left out.
pub(crate) fn survey(
    document: &Document<'_>,
    judge: &dyn Judge,
    wanted: &str,
    limits: Limits,
    notes: &mut Vec<String>,
) -> TargetStance {
    let target = Target::resolve(wanted, document.entities());
    let author = Author::of(document, &target);
    let mut survey = Survey {
        document,
        judge,
        target,
        author,
        pieces: FxHashMap::default(),
        opponents: FxHashMap::default(),
        assaults: Vec::new(),
        speaks_of_measures: false,
        names_target: Vec::new(),
        crowded: false,
    };
    survey.first_pass(notes);
    survey.second_pass();
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
            .and_then(|name| find(name, document.entities()))
            .and_then(|found| document.entities().iter().position(|entity| entity.id == found.id));
        let named = document.metadata().author.as_deref().map(str::trim);
        let is_target =
            named == Some(&*target.shown.id) || entity.is_some_and(|entity| target.owns(entity));
        Self { entity: entity.map(|entity| entity as u32), is_target }
    }
}

struct Survey<'d> {
    document: &'d Document<'d>,
    judge: &'d dyn Judge,
    target: Target,
    author: Author,
    pieces: FxHashMap<Holder, Vec<Piece>>,
    /// Entities on which the target makes war, with how sure that is.
    opponents: FxHashMap<u32, f32>,
    assaults: Vec<(u32, Piece)>,
    /// A sentence that names the target speaks of sanctions: those without it mean the same ones.
    speaks_of_measures: bool,
    /// For each sentence whether it names the target.
    names_target: Vec<bool>,
    crowded: bool,
}

/// The parties of a sentence with the entities behind them.
struct Scene<'d> {
    span: Span,
    tokens: &'d [Annotation],
    parties: Vec<Party>,
    /// For each party its entity in the table; `u32::MAX` for what only stands for the target.
    entities: Vec<u32>,
    in_quotes: bool,
}

impl Survey<'_> {
    /// Judges every sentence that names the target.
    fn first_pass(&mut self, notes: &mut Vec<String>) {
        let mut in_quotes = false;
        let mut last_speaker = None;
        for (index, sentence) in self.document.sentences().iter().enumerate() {
            if index >= MAX_SENTENCES {
                notes.push(format!("stance: only the first {MAX_SENTENCES} sentences were read"));
                break;
            }
            self.names_target.push(false);
            if sentence.has(sentence::BOILERPLATE) || sentence.has(sentence::FOREIGN) {
                continue;
            }
            // Quotations end with their paragraph at the latest, as far as guessing goes.
            if sentence.has(sentence::PARAGRAPH) {
                in_quotes = false;
            }
            let tokens = within(self.document.tokens(), sentence.span);
            let opens = quotes_after(self.document, tokens, in_quotes);
            let scene = self.scene(sentence.span, tokens, in_quotes);
            if scene.parties.iter().any(|party| party.actor == TARGET) {
                self.names_target[index] = true;
                self.judge_scene(&scene, last_speaker);
                self.speaks_of_measures |= measure_in(self.document, tokens).is_some();
            }
            // Whoever is named outside quotation marks may go on speaking in the next sentence.
            if let Some(speaker) = self.speaker_of(&scene) {
                last_speaker = Some(speaker);
            } else if sentence.has(sentence::PARAGRAPH) && !starts_quoted(self.document, tokens) {
                last_speaker = None;
            }
            in_quotes = opens;
        }
    }

    /// Judges sentences without the target: help for whom it fights, and "the invasion".
    fn second_pass(&mut self) {
        let assaults = std::mem::take(&mut self.assaults);
        // Whoever is invaded stands against the invader, unless the text says otherwise.
        for (entity, piece) in assaults {
            self.keep(Holder::Entity(entity), piece);
        }
        let named = self.names_target.iter().filter(|&&named| named).count();
        if named == 0 && self.opponents.is_empty() && !self.speaks_of_measures {
            return;
        }
        let is_topic = named >= 2 && named * TOPIC_SHARE >= self.names_target.len();
        let mut in_quotes = false;
        let mut last_speaker = None;
        // How many sentences ago the paragraph named the target.
        let mut since_named = u32::MAX;
        for (index, sentence) in self.document.sentences().iter().enumerate().take(MAX_SENTENCES) {
            if sentence.has(sentence::PARAGRAPH) {
                since_named = u32::MAX;
            }
            since_named = since_named.saturating_add(1);
            if self.names_target.get(index).copied().unwrap_or(false) {
                since_named = 0;
            }
            if sentence.has(sentence::BOILERPLATE) || sentence.has(sentence::FOREIGN) {
                continue;
            }
            if sentence.has(sentence::PARAGRAPH) {
                in_quotes = false;
            }
            let tokens = within(self.document.tokens(), sentence.span);
            let opens = quotes_after(self.document, tokens, in_quotes);
            let mut scene = self.scene(sentence.span, tokens, in_quotes);
            in_quotes = opens;
            self.judge_proxies(&scene);
            let speaker_before = last_speaker;
            if let Some(speaker) = self.speaker_of(&scene) {
                last_speaker = Some(speaker);
            } else if sentence.has(sentence::PARAGRAPH) && !starts_quoted(self.document, tokens) {
                last_speaker = None;
            }
            if scene.parties.iter().any(|party| party.actor == TARGET) {
                continue;
            }
            if self.speaks_of_measures
                && let Some(measure) = measure_in(self.document, tokens)
                && Self::insert(&mut scene, measure, MEASURE)
            {
                self.judge_measure(&scene);
                continue;
            }
            if !self.opponents.is_empty()
                && let Some(event) = event_in(self.document, tokens)
                && Self::insert(&mut scene, event, TARGET)
            {
                self.judge_scene(&scene, None);
                continue;
            }
            if is_topic || since_named <= 2 {
                self.judge_blame(&scene, speaker_before, is_topic);
            }
        }
    }

    /// Blame that names nobody, in a passage that speaks of the target, is meant for the target.
    fn judge_blame(&mut self, scene: &Scene<'_>, last_speaker: Option<u32>, is_topic: bool) {
        let quoted = scene.in_quotes || starts_quoted(self.document, scene.tokens);
        let implied = self.judge.implied(&self.sentence(scene));
        if implied.follows {
            self.follow(scene);
        }
        for (holder, judgement) in implied.blame {
            let others = scene.parties.iter().enumerate().any(|(index, party)| {
                !party.inert
                    && holder
                        .is_none_or(|holder| scene.parties[holder as usize].actor != party.actor)
                    && !self.speaks_for_same(scene, holder, index)
            });
            if others || judgement.time == Time::Hypothetical {
                continue;
            }
            let piece = self.piece(scene, holder, None, &judgement);
            match (holder, last_speaker) {
                (Some(holder), _) => {
                    self.keep(Holder::Entity(scene.entities[holder as usize]), piece);
                }
                (None, Some(speaker)) if quoted => self.keep(Holder::Entity(speaker), piece),
                (None, _) if !quoted && is_topic && self.document.metadata().author.is_some() => {
                    self.keep(Holder::Author, piece);
                }
                (None, _) => {}
            }
        }
    }

    /// "The Netherlands made similar statements": as the sentence before says of somebody else.
    fn follow(&mut self, scene: &Scene<'_>) {
        let before = |piece: &&Piece| {
            let gap = scene.span.start.checked_sub(piece.span.end);
            gap.is_some_and(|gap| gap <= 8) && piece.time != Time::Hypothetical
        };
        let said = self
            .pieces
            .iter()
            .filter(|(holder, _)| **holder != Holder::Author)
            .flat_map(|(_, pieces)| pieces.iter().filter(before))
            .max_by(|left, right| {
                let strength = |piece: &Piece| piece.score.abs() * piece.confidence;
                strength(left).total_cmp(&strength(right))
            });
        let Some(said) = said.filter(|said| said.score != 0.0).cloned() else { return };
        for (party, &entity) in scene.parties.iter().zip(&scene.entities) {
            if party.inert {
                continue;
            }
            let piece = Piece {
                span: scene.span,
                words: self.words_of(scene.span),
                score: said.score.clamp(-0.5, 0.5),
                confidence: said.confidence * 0.8,
                holder: Some(party.span),
                target: None,
                cue: None,
                rule: "follows another actor",
                ..said
            };
            self.keep(Holder::Entity(entity), piece);
        }
    }

    /// Whether a party of a scene speaks for the state of the holder, or the other way round.
    fn speaks_for_same(&self, scene: &Scene<'_>, holder: Option<u16>, other: usize) -> bool {
        let country = |index: usize| {
            let entity = self.document.entities().get(scene.entities[index] as usize)?;
            entity.country.as_deref()
        };
        holder.is_some_and(|holder| {
            country(holder as usize).is_some_and(|state| country(other) == Some(state))
        })
    }

    /// Lets a common noun be a party of a scene, if no name stands there.
    fn insert(scene: &mut Scene<'_>, span: Span, actor: u32) -> bool {
        let free = scene.parties.iter().all(|party| !party.span.overlaps(span))
            && scene.parties.len() < MAX_PARTIES;
        if free {
            let at = scene.parties.partition_point(|party| party.span.start < span.start);
            scene.parties.insert(at, Party { span, actor, inert: false });
            scene.entities.insert(at, u32::MAX);
        }
        free
    }

    /// Whoever backs sanctions on the target stands against it, whoever fights them beside it.
    fn judge_measure(&mut self, scene: &Scene<'_>) {
        let parties = &scene.parties;
        let Some(measure) = parties.iter().position(|party| party.actor == MEASURE) else { return };
        let pairs: Vec<(Option<u16>, u16)> = (0..parties.len())
            .filter(|&holder| holder != measure && !parties[holder].inert)
            .take(MAX_HOLDERS)
            .map(|holder| (Some(holder as u16), measure as u16))
            .collect();
        for (&(holder, _), judgement) in pairs.iter().zip(self.judge_pairs(scene, &pairs)) {
            let Some(holder) = holder else { continue };
            if judgement.score == 0.0
                || judgement.rule == "weights"
                || judgement.time == Time::Hypothetical
            {
                continue;
            }
            let mut piece = self.piece(scene, Some(holder), measure as u16, &judgement);
            let backs = judgement.score > 0.0;
            piece.score = if backs { -0.75 } else { 0.5 };
            piece.confidence *= 0.8;
            piece.rule = if backs {
                "backs measures against the target"
            } else {
                "resists measures against the target"
            };
            self.keep(Holder::Entity(scene.entities[holder as usize]), piece);
        }
    }

    fn judge_pairs(&self, scene: &Scene<'_>, pairs: &[(Option<u16>, u16)]) -> Vec<Judgement> {
        self.judge.judge(&self.sentence(scene), pairs)
    }

    fn sentence<'s>(&'s self, scene: &'s Scene<'_>) -> Sentence<'s> {
        Sentence {
            text: self.document.text(),
            tokens: scene.tokens,
            parties: &scene.parties,
            in_quotes: scene.in_quotes,
            speaker: None,
        }
    }

    fn scene<'s>(&mut self, span: Span, tokens: &'s [Annotation], in_quotes: bool) -> Scene<'s> {
        let mut found: Vec<(Party, u32)> = Vec::new();
        let mentions = within(self.document.mentions(), span);
        for mention in mentions {
            if mention.has(mention::NESTED) {
                continue;
            }
            let entity = mention.link;
            let kind = EntityKind::from_code(mention.label);
            let own = self.target.owns(entity as usize);
            let inert = mention.has(mention::NOT_AN_ACTOR)
                || matches!(kind, Some(EntityKind::Place | EntityKind::Event | EntityKind::Other));
            let actor = if own { TARGET } else { entity.saturating_add(1) };
            if inert && own {
                // Named, but not as somebody toward whom one can stand.
                continue;
            }
            found.push((Party { span: mention.span, actor, inert }, entity));
            if found.len() > MAX_PARTIES {
                self.crowded = true;
                break;
            }
        }
        found.sort_by_key(|(party, _)| (party.span.start, std::cmp::Reverse(party.span.end)));
        found.truncate(MAX_PARTIES);
        let (parties, entities) = found.into_iter().unzip();
        Scene { span, tokens, parties, entities, in_quotes }
    }

    /// The pairs of a scene: each actor's place nearest to the target, the author, and the
    /// target's own stance toward states, which tells who is at war.
    fn judge_scene(&mut self, scene: &Scene<'_>, last_speaker: Option<u32>) {
        let parties = &scene.parties;
        let targets: Vec<u16> = (0..parties.len() as u16)
            .filter(|&index| parties[index as usize].actor == TARGET)
            .collect();
        let mut pairs: Vec<(Option<u16>, u16)> = Vec::new();
        let mut nearest: Vec<(u32, u16, u16, u32)> = Vec::new();
        for holder in 0..parties.len() as u16 {
            let party = parties[holder as usize];
            if party.actor == TARGET || party.inert {
                continue;
            }
            let Some((target, gap)) = targets
                .iter()
                .map(|&target| (target, gap(party.span, parties[target as usize].span)))
                .min_by_key(|&(_, gap)| gap)
            else {
                continue;
            };
            let candidate = (party.actor, holder, target, gap);
            match nearest.iter().position(|&(actor, ..)| actor == party.actor) {
                Some(known) if gap < nearest[known].3 => nearest[known] = candidate,
                None if nearest.len() < MAX_HOLDERS => nearest.push(candidate),
                _ => {}
            }
        }
        pairs.extend(nearest.iter().map(|&(_, holder, target, _)| (Some(holder), target)));
        let from_holders = pairs.len();
        let author_target = targets[0];
        pairs.push((None, author_target));
        // Only states are made war upon.
        pairs.extend(
            nearest
                .iter()
                .filter(|&&(_, holder, ..)| self.is_state(scene.entities[holder as usize]))
                .map(|&(_, holder, target, _)| (Some(target), holder)),
        );

        let judgements = self.judge_pairs(scene, &pairs);
        for (index, (&(holder, target), judgement)) in pairs.iter().zip(&judgements).enumerate() {
            if index < from_holders {
                if let Some(holder) = holder {
                    let piece = self.piece(scene, Some(holder), target, judgement);
                    self.keep(Holder::Entity(scene.entities[holder as usize]), piece);
                }
            } else if holder.is_none() {
                self.keep_voice(scene, target, judgement, last_speaker);
            } else {
                self.note_assault(scene, holder.unwrap_or(target), target, judgement);
            }
        }
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
        let quoted = scene.in_quotes || starts_quoted(self.document, scene.tokens);
        if !quoted {
            // A reporter's words are taken for a judgement only where one of them judges.
            let reports = self.document.metadata().author.is_none()
                && piece.rule == "weights"
                && !speaks_as_we(self.document, scene.tokens);
            if reports {
                piece.confidence *= 0.6;
            }
            self.keep(Holder::Author, piece);
            return;
        }
        let outside = self.speaker_of(scene);
        if let (None, Some(speaker)) = (outside, last_speaker)
            && !self.target.owns(speaker as usize)
        {
            piece.voice = Voice::Quoted;
            self.keep(Holder::Entity(speaker), piece);
        }
    }

    fn is_state(&self, entity: u32) -> bool {
        let found = self.document.entities().get(entity as usize);
        found.is_some_and(|found| found.kind == EntityKind::Country)
    }

    /// Remembers on whom the target makes war.
    fn note_assault(&mut self, scene: &Scene<'_>, target: u16, victim: u16, judgement: &Judgement) {
        let entity = scene.entities[victim as usize];
        let war = judgement.force == Force::War
            && judgement.score < 0.0
            && matches!(judgement.time, Time::Present | Time::Past);
        if !(war && judgement.confidence >= 0.5) {
            return;
        }
        let sure = self.opponents.entry(entity).or_insert(0.0);
        *sure = sure.max(judgement.confidence);
        let earlier = self.assaults.iter().filter(|(known, _)| *known == entity).count();
        if earlier < 3 {
            let mut piece = self.piece(scene, Some(victim), target, judgement);
            piece.score = -0.8;
            piece.confidence *= 0.65;
            piece.rule = "under attack by the target";
            self.assaults.push((entity, piece));
        }
    }

    /// Help for an opponent of the target stands against the target.
    fn judge_proxies(&mut self, scene: &Scene<'_>) {
        let parties = &scene.parties;
        let is_opponent = |index: u16| {
            self.opponents.contains_key(&scene.entities[index as usize])
                && !parties[index as usize].inert
        };
        let Some(opponent) = (0..parties.len() as u16).find(|&index| is_opponent(index)) else {
            return;
        };
        let mut pairs: Vec<(Option<u16>, u16)> = vec![(None, opponent)];
        for holder in 0..parties.len() as u16 {
            let party = parties[holder as usize];
            let is_new = pairs.iter().all(|(known, _)| {
                known.is_none_or(|known| parties[known as usize].actor != party.actor)
            });
            if party.actor != TARGET
                && !party.inert
                && !is_opponent(holder)
                && is_new
                && pairs.len() <= MAX_HOLDERS
            {
                pairs.push((Some(holder), opponent));
            }
        }
        for (&(holder, _), judgement) in pairs.iter().zip(self.judge_pairs(scene, &pairs)) {
            let aids = judgement.force == Force::Aid;
            // Only what a pattern confirms: warm words alone do not reach the opponent's enemy.
            let sides = judgement.score >= 0.75 && judgement.rule != "weights";
            if judgement.score <= 0.0 || !(aids || sides) || judgement.time == Time::Hypothetical {
                continue;
            }
            let mut piece = self.piece(scene, holder, opponent, &judgement);
            piece.score = if aids { -0.9 } else { -0.6 };
            piece.confidence *= if aids { 0.85 } else { 0.7 };
            piece.rule = if aids {
                "arms the target's opponent"
            } else {
                "sides with the target's opponent"
            };
            match holder {
                Some(holder) => self.keep(Holder::Entity(scene.entities[holder as usize]), piece),
                None if !scene.in_quotes && !starts_quoted(self.document, scene.tokens) => {
                    self.keep(Holder::Author, piece);
                }
                None => {}
            }
        }
    }

    /// Who is named outside quotation marks and acts: the likely speaker of what follows.
    fn speaker_of(&self, scene: &Scene<'_>) -> Option<u32> {
        let mut quoted = scene.in_quotes;
        let mut tokens = scene.tokens.iter().peekable();
        for (party, &entity) in scene.parties.iter().zip(&scene.entities) {
            while let Some(token) = tokens.next_if(|token| token.span.start < party.span.start) {
                quoted = quote_state(self.document.slice(token.span), quoted);
            }
            if !quoted && !party.inert && entity != u32::MAX {
                return Some(entity);
            }
        }
        None
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
        let pieces = self.pieces.entry(holder).or_default();
        if pieces.len() < MAX_PIECES {
            pieces.push(piece);
        }
    }

    /// The state for which a person or body speaks.
    fn state_of(&self, entity: u32) -> Option<Holder> {
        let table = self.document.entities();
        let found = table.get(entity as usize)?;
        let country = found
            .country
            .as_deref()
            .filter(|&country| found.speaks_for_country && found.id != country)?;
        if country == self.target.shown.id {
            return None;
        }
        match table.iter().position(|entity| entity.id == country) {
            Some(state) => Some(Holder::Entity(state as u32)),
            // One entry for all who speak for it: the first of them.
            None => table
                .iter()
                .position(|other| {
                    other.speaks_for_country && other.country.as_deref() == Some(country)
                })
                .map(|first| Holder::StateOf(first as u32)),
        }
    }

    fn conclude(mut self, limits: Limits) -> TargetStance {
        let author = if self.author.is_target {
            None
        } else {
            // A reporter's turn of phrase is no stance; a speaker's single sentence is.
            let alone_is_not_enough = self.document.metadata().author.is_none();
            let limits = Limits { alone_is_not_enough, ..limits };
            self.pieces.remove(&Holder::Author).and_then(|pieces| sum_up(pieces, limits))
        };
        self.pieces.remove(&Holder::Author);
        let mut mentions: FxHashMap<u32, u32> = FxHashMap::default();
        for mention in self.document.mentions() {
            *mentions.entry(mention.link).or_insert(0) += 1;
        }
        let mut holders: Vec<(Holder, Vec<Piece>)> =
            std::mem::take(&mut self.pieces).into_iter().collect();
        holders.sort_by_key(|(holder, _)| *holder);
        let mut actors: Vec<ActorStance> = Vec::new();
        for (holder, pieces) in holders {
            if let Some(stance) = sum_up(pieces, limits)
                && let Some(actor) = self.actor(holder, stance, &mentions)
            {
                actors.push(actor);
            }
        }
        let strength =
            |actor: &ActorStance| actor.stance.score.get().abs() * actor.stance.confidence.get();
        actors.sort_by(|left, right| {
            strength(right).total_cmp(&strength(left)).then_with(|| left.id.cmp(&right.id))
        });
        let shown = StanceTarget { id: self.target.shown.id, name: self.target.shown.name };
        TargetStance { target: shown, author, actors }
    }

    fn actor(
        &self,
        holder: Holder,
        stance: standpoint_document::Stance,
        mentions: &FxHashMap<u32, u32>,
    ) -> Option<ActorStance> {
        let table = self.document.entities();
        match holder {
            Holder::Author => None,
            Holder::Entity(index) => {
                let entity = table.get(index as usize)?;
                Some(ActorStance {
                    id: entity.id.clone(),
                    name: entity.name.clone(),
                    kind: entity.kind,
                    country: entity
                        .country
                        .clone()
                        .or_else(|| is_state_id(&entity.id).then(|| entity.id.clone())),
                    mentions: mentions.get(&index).copied().unwrap_or(0),
                    stance,
                })
            }
            Holder::StateOf(index) => {
                let country = table.get(index as usize)?.country.clone()?;
                let count = |(at, entity): (usize, &standpoint_document::Entity)| {
                    let speaks =
                        entity.speaks_for_country && entity.country.as_ref() == Some(&country);
                    if speaks { mentions.get(&(at as u32)).copied().unwrap_or(0) } else { 0 }
                };
                Some(ActorStance {
                    id: country.clone(),
                    name: country.clone(),
                    kind: EntityKind::Country,
                    mentions: table.iter().enumerate().map(count).sum(),
                    country: Some(country),
                    stance,
                })
            }
        }
    }
}

/// How many bytes lie between two spans.
fn gap(left: Span, right: Span) -> u32 {
    if left.start < right.start {
        right.start.saturating_sub(left.end)
    } else {
        left.start.saturating_sub(right.end)
    }
}

fn quote_state(token: &str, quoted: bool) -> bool {
    match token {
        "“" | "«" | "„" | "``" => true,
        "”" | "»" | "''" => false,
        "\"" => !quoted,
        _ => quoted,
    }
}

/// Whether a quotation is open behind `tokens`.
fn quotes_after(document: &Document<'_>, tokens: &[Annotation], before: bool) -> bool {
    tokens.iter().fold(before, |quoted, token| {
        if token.span.len() > 3 { quoted } else { quote_state(document.slice(token.span), quoted) }
    })
}

fn starts_quoted(document: &Document<'_>, tokens: &[Annotation]) -> bool {
    tokens.first().is_some_and(|token| quote_state(document.slice(token.span), false))
}

/// Whether the text speaks of itself: "we", "our", "I".
fn speaks_as_we(document: &Document<'_>, tokens: &[Annotation]) -> bool {
    tokens.iter().take(256).any(|token| {
        token.span.len() <= 3
            && matches!(
                document.slice(token.span),
                "we" | "We" | "our" | "Our" | "us" | "I" | "my" | "My"
            )
    })
}

/// "Sanctions", "the embargo": what others do to the target.
fn measure_in(document: &Document<'_>, tokens: &[Annotation]) -> Option<Span> {
    let word = |index: usize| tokens.get(index).map(|token| document.slice(token.span));
    // "Sanctions of the council" are others.
    (0..tokens.len().min(256))
        .find(|&index| {
            matches!(word(index), Some("sanctions" | "embargo" | "cap"))
                && word(index + 1) != Some("of")
        })
        .map(|index| tokens[index].span)
}

/// Nouns for what an attacker does.
const EVENTS: [&str; 7] =
    ["invasion", "war", "aggression", "occupation", "annexation", "onslaught", "offensive"];

/// "The invasion", "this war": what the target does, without its name.
fn event_in(document: &Document<'_>, tokens: &[Annotation]) -> Option<Span> {
    let word = |index: usize| document.slice(tokens[index].span);
    let is_one_of = |index: usize, words: &[&str]| {
        words.iter().any(|known| word(index).eq_ignore_ascii_case(known))
    };
    for (index, token) in tokens.iter().enumerate().take(256).skip(1) {
        if is_one_of(index, &EVENTS) {
            let definite = (index.saturating_sub(3)..index)
                .any(|at| is_one_of(at, &["the", "this", "that", "its"]));
            if definite {
                return Some(token.span);
            }
        }
    }
    None
}
