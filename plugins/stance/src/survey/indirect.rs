//! Sentences that do not name the target and still speak of it: help for whom it fights, measures
//! against it, "the invasion", blame whose object stands in the sentence before.

use standpoint_document::{Annotation, Span, Time, Voice, sentence};

use super::scene::{Scene, event_in, measure_in, tells_of_event};
use super::{Holder, MAX_HOLDERS, MEASURE, Survey, TARGET, TOPIC_SHARE};
use crate::judge::{Force, Judgement};
use crate::reading::Party;
use crate::sum::Piece;

impl Survey<'_> {
    /// Judges sentences without the target: help for whom it fights, and "the invasion".
    ///
    /// - `scenes`: as the first pass found them.
    pub(super) fn second_pass(&mut self, scenes: Vec<Option<Scene<'_>>>) {
        let assaults = std::mem::take(&mut self.assaults);
        // Whoever is invaded and fights stands against the invader. What is only done to him is the
        // invader's stance.
        for (entity, piece) in assaults {
            if scenes.iter().flatten().any(|scene| self.fights(entity, scene)) {
                self.keep(Holder::Entity(entity), piece);
            }
        }
        let named = scenes.iter().flatten().filter(|scene| scene.names_target()).count();
        if named == 0 && self.opponents.is_empty() && !self.speaks_of_measures {
            return;
        }
        let is_topic = named >= 2 && named * TOPIC_SHARE >= scenes.len();
        let mut last_speaker = None;
        // How many sentences ago the paragraph named the target.
        let mut since_named = u32::MAX;
        // How the speaker of the sentence before brought up the target.
        let mut talk = None;
        // The last sentence that named it, and how many have come since.
        let mut text: Option<(Scene<'_>, usize)> = None;
        for (sentence, scene) in self.document.sentences().iter().zip(scenes) {
            if sentence.has(sentence::PARAGRAPH) {
                since_named = u32::MAX;
            }
            since_named = since_named.saturating_add(1);
            let Some(mut scene) = scene else { continue };
            if !scene.taken_back {
                self.judge_proxies(&scene);
            }
            let speaker_before = last_speaker;
            last_speaker = scene.speaker_after(last_speaker, sentence);
            let talk_before = std::mem::replace(&mut talk, self.talk_in(&scene));
            if scene.names_target() {
                since_named = 0;
                text = Some((scene, 0));
                continue;
            }
            if let Some((text, since)) = text.as_mut().filter(|(_, since)| *since < 2) {
                *since += 1;
                let just_before = *since == 1 && !sentence.has(sentence::PARAGRAPH);
                if self.judge_votes(&scene, text, just_before) {
                    continue;
                }
            }
            if let Some(leads) = talk_before
                && self.insert_references(&mut scene, leads)
            {
                self.judge_reply(&scene, speaker_before);
                talk = talk_before;
                continue;
            }
            let tokens = scene.tokens;
            if self.speaks_of_measures
                && let Some(measure) = measure_in(self.lexicon, self.document, tokens)
                && Self::insert(&mut scene, measure, MEASURE)
            {
                self.judge_measure(&scene);
                continue;
            }
            if !self.opponents.is_empty()
                && let Some(event) = event_in(self.lexicon, self.document, tokens)
                && Self::insert(&mut scene, event, TARGET)
            {
                self.judge_scene(&scene, None);
                continue;
            }
            self.judge_allies(&scene);
            if self.judge_deed(&mut scene) {
                continue;
            }
            if is_topic || since_named <= 2 {
                self.judge_blame(&scene, speaker_before, is_topic);
            }
        }
    }

    /// What a quotation says of the target that the sentence before led to it: by clear patterns
    /// alone, for a model has not learnt to read "you" and "it".
    fn judge_reply(&mut self, scene: &Scene<'_>, speaker: Option<u32>) {
        let Some(speaker) = scene.speaker.or(speaker) else { return };
        let Some(target) = scene.parties.iter().position(|party| party.actor == TARGET) else {
            return;
        };
        let own = scene.entities.iter().position(|&entity| entity == speaker);
        let pairs = [(None, target as u16), (own.map(|own| own as u16), target as u16)];
        let judgements = self.judge_pairs(scene, &pairs[..=usize::from(own.is_some())]);
        let strongest = judgements
            .iter()
            .filter(|judgement| {
                judgement.score != 0.0 && !matches!(judgement.rule, "weights" | "encoder")
            })
            .max_by(|left, right| left.score.abs().total_cmp(&right.score.abs()));
        if let Some(judgement) = strongest {
            let mut piece = self.piece(scene, None, target as u16, judgement);
            piece.voice = Voice::Quoted;
            self.keep(Holder::Entity(speaker), piece);
        }
    }

    /// Blame that names nobody, in a passage that speaks of the target, is meant for the target.
    fn judge_blame(&mut self, scene: &Scene<'_>, last_speaker: Option<u32>, is_topic: bool) {
        let quoted = scene.is_quoted();
        let author_blames = !quoted && is_topic && self.document.metadata().author.is_some();
        let voice_counts = author_blames || quoted && last_speaker.is_some();
        // Where the author is for the target, or tells of wars on it, others are blamed.
        let blame = self.blames >= -1 && self.may_blame(scene, voice_counts);
        if scene.parties.is_empty() && !blame {
            return;
        }
        let implied = self.judge.implied(&self.sentence(scene), blame);
        self.follow(scene, &implied.followers);
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
                (None, _) if author_blames => self.keep(Holder::Author, piece),
                (None, _) => {}
            }
        }
    }

    /// Whether blame in a scene could be meant for the target: not where two act who are not of one
    /// state, for either may be meant.
    ///
    /// - `voice_counts`: whether it counts what the voice of the text says.
    fn may_blame(&self, scene: &Scene<'_>, voice_counts: bool) -> bool {
        let mut live = scene.parties.iter().enumerate().filter(|(_, party)| !party.inert);
        let Some((first, party)) = live.next() else {
            return voice_counts || !scene.parties.is_empty();
        };
        live.all(|(index, other)| {
            other.actor == party.actor || self.speaks_for_same(scene, Some(first as u16), index)
        })
    }

    /// "The Netherlands made similar statements": as the sentence before says of somebody else.
    fn follow(&mut self, scene: &Scene<'_>, followers: &[u16]) {
        if followers.is_empty() {
            return;
        }
        let Some(said) = self.said_before(scene, |_| true) else { return };
        for &follower in followers {
            let party = scene.parties[usize::from(follower)];
            if !party.inert {
                let piece = self.like(&said, scene, party.span, "follows another actor");
                let entity = scene.entities[usize::from(follower)];
                self.keep(Holder::Entity(entity), piece);
            }
        }
    }

    /// "Slovakia backed Budapest.": whoever sides with somebody, and says no more, sides with what
    /// he has just said.
    fn judge_allies(&mut self, scene: &Scene<'_>) {
        let parties = &scene.parties;
        let is_another = |party: &Party| party.actor != parties[0].actor;
        if !parties.iter().any(is_another) {
            return;
        }
        for ally in 0..parties.len() {
            let entity = scene.entities[ally];
            let is_said_by = |holder: Holder| holder == Holder::Entity(entity);
            if !self.ends_clause(parties[ally].span) {
                continue;
            }
            let Some(said) = self.said_before(scene, is_said_by) else { continue };
            let pairs: Vec<(Option<u16>, u16)> = (0..parties.len())
                .filter(|&index| parties[index].actor != parties[ally].actor)
                .filter(|&index| !parties[index].inert)
                .take(MAX_HOLDERS)
                .map(|index| (Some(index as u16), ally as u16))
                .collect();
            for (&(holder, _), judgement) in pairs.iter().zip(self.judge_pairs(scene, &pairs)) {
                let Some(holder) = holder.map(usize::from) else { continue };
                let sides = judgement.score > 0.0 && self.is_siding(judgement.cue);
                if sides && judgement.time == Time::Present {
                    let span = parties[holder].span;
                    let piece = self.like(&said, scene, span, "sides with another actor");
                    self.keep(Holder::Entity(scene.entities[holder]), piece);
                }
            }
        }
    }

    /// Whether nothing but a mark follows a name.
    fn ends_clause(&self, name: Span) -> bool {
        let behind = self.document.text().get(name.end as usize..).unwrap_or_default();
        behind.is_empty() || behind.starts_with(['.', ',', ';', '!'])
    }

    /// Whether words say that somebody takes another's side, rather than that he helps or likes
    /// him.
    fn is_siding(&self, cue: Option<Span>) -> bool {
        let words = cue.map_or("", |cue| self.document.slice(cue));
        let verb = words.split_whitespace().next().unwrap_or_default().to_lowercase();
        let stems = ["back", "side", "second", "agree", "concur", "echo"];
        stems.iter().any(|stem| verb.starts_with(stem))
    }

    /// What whoever is named first says or does in the passage right before a scene: the one who
    /// acts, as a rule.
    pub(super) fn said_before(
        &self,
        scene: &Scene<'_>,
        by: impl Fn(Holder) -> bool,
    ) -> Option<Piece> {
        let before = |piece: &&Piece| {
            let gap = scene.span.start.checked_sub(piece.span.end);
            gap.is_some_and(|gap| gap <= 8) && piece.time != Time::Hypothetical
        };
        let strength = |piece: &Piece| piece.score.abs() * piece.confidence;
        let place = |piece: &Piece| piece.holder.map_or(u32::MAX, |holder| holder.start);
        self.pieces
            .iter()
            .filter(|(holder, _)| **holder != Holder::Author && by(**holder))
            .flat_map(|(_, pieces)| pieces.iter().filter(before))
            .filter(|said| said.score != 0.0)
            .min_by(|left, right| {
                let by_place = place(left).cmp(&place(right));
                by_place.then(strength(right).total_cmp(&strength(left)))
            })
            .cloned()
    }

    /// A piece of another actor as that of whoever is named at `holder`: weaker, and less sure.
    pub(super) fn like(
        &self,
        said: &Piece,
        scene: &Scene<'_>,
        holder: Span,
        rule: &'static str,
    ) -> Piece {
        Piece {
            span: scene.span,
            words: self.words_of(scene.span),
            score: said.score.clamp(-0.5, 0.5),
            confidence: said.confidence * 0.8,
            holder: Some(holder),
            target: None,
            cue: None,
            rule,
            ..said.clone()
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

    /// Whether force is what a judgement found.
    pub(super) fn is_war(&self, scene: &Scene<'_>, judgement: &Judgement) -> bool {
        let is_sure = judgement.rule == "encoder"
            && judgement.probabilities[0] >= 0.85
            && tells_of_event(self.lexicon, self.document, scene.tokens);
        (judgement.force == Force::War || is_sure)
            && judgement.score < 0.0
            && matches!(judgement.time, Time::Present | Time::Past)
            && judgement.confidence >= 0.5
    }

    /// Remembers on whom the target makes war.
    pub(super) fn note_assault(
        &mut self,
        scene: &Scene<'_>,
        target: u16,
        victim: u16,
        judgement: &Judgement,
    ) {
        let entity = scene.entities[victim as usize];
        if !self.is_war(scene, judgement) {
            return;
        }
        self.blames += 2;
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

    /// Whether a sentence shows somebody fighting: "Ukraine's fight", "helps Kyiv defend itself". In
    /// "to defend Ukraine" others do, and a Defence Ministry is an office.
    fn fights(&self, entity: u32, scene: &Scene<'_>) -> bool {
        const REACH: usize = 7;
        const STEMS: [&str; 10] = [
            "beat", "counter", "defen", "fight", "fought", "liberat", "repel", "repuls", "resist",
            "retak",
        ];
        let fights = |token: &Annotation| {
            let word = self.document.slice(token.span);
            STEMS.iter().any(|stem| word.starts_with(stem))
        };
        let goes_on = |token: &&Annotation| {
            !matches!(self.document.slice(token.span), "." | ";" | ":" | "by" | "against")
        };
        scene.parties.iter().zip(&scene.entities).any(|(party, &named)| {
            let behind = scene.tokens.partition_point(|token| token.span.start < party.span.end);
            named == entity
                && scene.tokens[behind..].iter().take(REACH).take_while(goes_on).any(fights)
        })
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
            let sides = judgement.score >= 0.75 && judgement.is_by_pattern();
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
                None if !scene.is_quoted() => self.keep_told(scene, piece),
                None => {}
            }
        }
    }
}
