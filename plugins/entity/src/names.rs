//! Which names stand where in a text, and whom they mean.

mod links;
mod sought;
mod table;

use rustc_hash::FxHashSet;
use standpoint_document::{EntityKind, Span, mention};

use crate::atom::{self, Atom};
use crate::context::{self, Reading};
use crate::cues;
use crate::date::Month;
use crate::fold::folded;
use crate::gazetteer::{Form, Gazetteer, Match, Record, Sense};
use crate::sight::Sight;
use crate::tagger::{Class, Tagged};
pub use sought::Sought;
pub use table::Table;

/// How much less sure a name is that a table knows and the tagger does not find just there.
const ALONE: f32 = 0.85;

/// What the tagger is less sure of is left out.
pub(crate) const MIN_CONFIDENCE: f32 = 0.41;

/// A name where it stands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Named {
    /// The first atom.
    pub first: u32,
    /// The atom after the last.
    pub end: u32,
    /// The index of the entity.
    pub entity: u32,
    /// What it is at this place.
    pub kind: EntityKind,
    /// Bits of [`mention`].
    pub flags: u32,
    /// From 0 to 1.
    pub confidence: f32,
}

/// What is read and where it is written.
pub struct Reader<'r> {
    /// The tables.
    pub gazetteer: &'r Gazetteer,
    /// The text.
    pub text: &'r str,
    /// What the tables see in it.
    pub sight: &'r Sight,
    /// When it was published.
    pub at: Option<Month>,
    /// Who is found.
    pub table: Table,
    /// Where they are found.
    pub named: Vec<Named>,
}

/// A name from the tables or the tagger.
#[derive(Clone, Copy)]
struct Candidate {
    first: u32,
    end: u32,
    known: Option<Match>,
    tagged: Option<Tagged>,
}

impl<'r> Reader<'r> {
    /// A reader that has found nothing yet.
    #[must_use]
    pub fn new(
        gazetteer: &'r Gazetteer,
        text: &'r str,
        sight: &'r Sight,
        at: Option<Month>,
    ) -> Self {
        Self { gazetteer, text, sight, at, table: Table::default(), named: Vec::new() }
    }

    /// Finds all names.
    ///
    /// - `tagged`: in order, with indices of the document's tokens;
    /// - `sought`: what is a name here because it is looked for.
    pub fn read(&mut self, tagged: &[Tagged], sought: &Sought) {
        let candidates = self.candidates(tagged);
        let full_names = self.full_names(&candidates);
        for (index, &candidate) in candidates.iter().enumerate() {
            // A legal form can reach into what the tagger took for another name.
            if self.named.last().is_some_and(|last| candidate.first < last.end) {
                continue;
            }
            let next_person = candidates
                .get(index + 1)
                .is_some_and(|next| next.first <= candidate.end + 4 && self.is_person(*next));
            let found = match candidate.known {
                Some(known) => self.known(known, candidate.tagged, &full_names, next_person),
                None => None,
            };
            let found = found.or_else(|| self.unknown(candidate));
            self.named.extend(found.map(|named| self.with_legal_form(named)));
        }
        self.find_sought(sought);
        self.short_forms();
        self.acronyms();
        self.bodies();
    }

    fn atoms(&self) -> &'r [Atom] {
        &self.sight.atoms
    }

    /// The text from one atom to another.
    #[must_use]
    pub fn span(&self, first: u32, end: u32) -> Span {
        let atoms = self.atoms();
        Span::new(atoms[first as usize].span.start, atoms[end as usize - 1].span.end)
    }

    fn slice(&self, first: u32, end: u32) -> &'r str {
        self.text.get(self.span(first, end).range()).unwrap_or_default()
    }

    /// Lets tables and tagger agree on what stands where: a longer organisation or title of the
    /// tagger swallows the names inside it, otherwise the tables win.
    fn candidates(&self, tagged: &[Tagged]) -> Vec<Candidate> {
        let matches = &self.sight.matches;
        let mut candidates = Vec::with_capacity(matches.len() + tagged.len());
        let mut next = 0;
        for tag in tagged {
            let tag = &self.whole(self.without_titles(*tag));
            let first = self.sight.atom_of_token[tag.first as usize];
            let end = self.sight.atom_of_token[tag.end as usize];
            let taken = candidates.last().is_some_and(|last: &Candidate| first < last.end);
            // "The minister", "the minister of Poland" in lower case are somebody's office, and no
            // name, nor is the "Minister" of "Minister Lavrov", nor "the President" alone.
            let is_office = |atom: &Atom| atom.cues(cues::TITLE);
            let before_name =
                || self.atoms().get(end as usize).is_some_and(|atom| atom.is(atom::CAPITAL));
            let is_word = tag.class == Class::Person
                && self.has(*tag, cues::TITLE)
                && (!self.slice(first, end).starts_with(char::is_uppercase)
                    || end - first == 1 && before_name()
                    || self.atoms()[first as usize..end as usize].iter().all(is_office));
            // "The ministry of Peru" in lower case is Peru's.
            let is_state = tag.class == Class::Organisation
                && self.atoms()[first as usize].cues(cues::STATE_ORGANISATION)
                && !self.slice(first, end).starts_with(char::is_uppercase);
            if first >= end || taken || is_word || is_state {
                continue;
            }
            while next < matches.len() && matches[next].end <= first {
                candidates.push(known(matches[next]));
                next += 1;
            }
            let inside = matches[next..].iter().take_while(|known| known.first < end).count();
            let overlapping = &matches[next..next + inside];
            next += inside;
            let swallows = overlapping.iter().all(|known| first <= known.first && known.end <= end)
                && !overlapping.iter().any(|known| self.is_all_of(*known, first, end))
                && self.may_swallow(*tag, overlapping, end - first);
            if swallows {
                candidates.push(Candidate { first, end, known: None, tagged: Some(*tag) });
            } else {
                candidates.extend(
                    overlapping
                        .iter()
                        .map(|&known| Candidate { tagged: Some(*tag), ..self::known(known) }),
                );
            }
        }
        candidates.extend(matches[next..].iter().map(|&match_| known(match_)));
        candidates
            .retain(|candidate| !self.atoms()[candidate.first as usize].is(atom::PASSED_OVER));
        candidates
    }

    /// The name behind "President" and "Prime Minister", which a capital at the beginning of a
    /// sentence makes part of it.
    fn without_titles(&self, mut tag: Tagged) -> Tagged {
        let atom = |token: u32| &self.atoms()[self.sight.atom_of_token[token as usize] as usize];
        // "The minister of" has no name behind it.
        while tag.class == Class::Person
            && tag.first + 1 < tag.end
            && atom(tag.first).cues(cues::TITLE)
            && atom(tag.first + 1).is(atom::CAPITAL)
        {
            tag.first += 1;
        }
        tag
    }

    /// The name without words that stand loose at its end and without the "Inc." of a firm, or with
    /// the place that they lead to: "Housing Authority of" [New Orleans].
    fn whole(&self, mut tag: Tagged) -> Tagged {
        const OF: [u64; 1] = folded(["of"]);
        const LOOSE: [u64; 5] = folded(["of", "and", "the", "for", "in"]);
        let atoms = self.atoms();
        let atom = |token: u32| self.sight.atom_of_token[token as usize];
        let is_firm = is_legal_form(atoms[atom(tag.first) as usize].hash);
        let leads_on = OF.contains(&atoms[atom(tag.end - 1) as usize].hash);
        if tag.class == Class::Organisation && leads_on && !is_firm {
            let behind = atom(tag.end);
            let next = self.sight.matches.partition_point(|known| known.first < behind);
            let place = self.sight.matches.get(next).filter(|known| known.first == behind);
            if let Some(place) = place.filter(|known| self.is_location(**known)) {
                tag.end = atoms[place.end as usize - 1].token + 1;
            }
        }
        while tag.first + 1 < tag.end {
            let last = &atoms[atom(tag.end - 1) as usize];
            let says_form = tag.class == Class::Organisation && is_legal_form(last.hash);
            if last.is(atom::WORD) && !LOOSE.contains(&last.hash) && !says_form {
                break;
            }
            tag.end -= 1;
        }
        tag
    }

    /// A firm with the "Inc." behind its name, which makes it no other firm.
    fn with_legal_form(&self, named: Named) -> Named {
        let behind = &self.atoms()[named.end as usize..];
        let comma =
            behind.first().is_some_and(|atom| self.text.get(atom.span.range()) == Some(","));
        let form = behind.get(usize::from(comma));
        let is_firm = named.kind == EntityKind::Organisation
            && form.is_some_and(|atom| atom.is(atom::CAPITAL) && is_legal_form(atom.hash));
        Named { end: named.end + if is_firm { 1 + u32::from(comma) } else { 0 }, ..named }
    }

    /// Whether a known name can be a place.
    fn is_location(&self, known: Match) -> bool {
        let record = self.gazetteer.record(self.gazetteer.best_sense(known).record);
        matches!(record.kind, EntityKind::Country | EntityKind::Place)
    }

    /// Whether nothing but a possessive's apostrophe stands beside a known name: "Ukraine's".
    fn is_all_of(&self, known: Match, first: u32, end: u32) -> bool {
        let mut rest = self.atoms()[known.end as usize..end.max(known.end) as usize].iter();
        known.first == first && rest.all(|atom| atom.is(atom::APOSTROPHE))
    }

    fn may_swallow(&self, tag: Tagged, inside: &[Match], length: u32) -> bool {
        if inside.is_empty() {
            return true;
        }
        let doubtful = inside.iter().all(|&known| {
            let sense = self.gazetteer.best_sense(known);
            sense.ambiguous || sense.form == Form::Nothing
        });
        match tag.class {
            _ if doubtful => true,
            // "Moscow State University", not "Russia and China" or "Kazakh President".
            Class::Organisation => {
                !self.has(tag, cues::TITLE) && (inside.len() == 1 || 4 <= length)
            }
            // "2006 United States Senate election".
            Class::Other => self.has(tag, cues::EVENT_NOUN),
            Class::Event => true,
            Class::Person | Class::Location => false,
        }
    }

    /// Whether the tagger's name has a word of this kind.
    fn has(&self, tag: Tagged, kind: u32) -> bool {
        let first = self.sight.atom_of_token[tag.first as usize] as usize;
        let end = self.sight.atom_of_token[tag.end as usize] as usize;
        self.atoms()[first..end].iter().any(|atom| atom.cues(kind))
    }

    fn is_person(&self, candidate: Candidate) -> bool {
        match candidate.known.map(|known| self.gazetteer.best_sense(known)) {
            Some(sense) => {
                sense.form == Form::Name
                    && self.gazetteer.record(sense.record).kind == EntityKind::Person
            }
            None => candidate.tagged.is_some_and(|tag| tag.class == Class::Person),
        }
    }

    /// People whose whole name stands in the text.
    fn full_names(&self, candidates: &[Candidate]) -> FxHashSet<u32> {
        let mut full = FxHashSet::default();
        for known in candidates.iter().filter_map(|candidate| candidate.known) {
            if known.first + 1 < known.end {
                full.extend(self.gazetteer.senses(known).map(|sense| sense.record));
            }
        }
        full
    }

    fn known(
        &mut self,
        known: Match,
        tagged: Option<Tagged>,
        full_names: &FxHashSet<u32>,
        person_follows: bool,
    ) -> Option<Named> {
        let sense = self.choose(known, tagged, full_names)?;
        let (mut first, end) = (known.first, known.end);
        if sense.article {
            first += 1;
        }
        let (from, to) = (first as usize, end as usize);
        let record = self.gazetteer.record(sense.record);
        if let Some((first, state)) = self.other_party(known, record) {
            let kind = EntityKind::Organisation;
            let country = state.map(|state| (state, false));
            let entity = self.table.unknown(self.slice(first, end), kind, country);
            // In "the Swedish Greens" Sweden does nothing.
            let state = self.named.last_mut().filter(|name| country.is_some() && name.end <= first);
            if let Some(state) = state.filter(|name| name.flags & mention::DEMONYM != 0) {
                state.flags |= mention::NESTED;
            }
            return Some(Named { first, end, entity, kind, flags: 0, confidence: 0.6 });
        }
        let mut kind = record.kind;
        let mut target = sense.record;
        let (mut flags, mut confidence) = (0, 0.95);
        match sense.form {
            Form::Nothing => return None,
            Form::Name => {
                if sense.ambiguous {
                    confidence = 0.7;
                }
            }
            Form::Seat => flags = mention::METONYM,
            // "We condemned the Russians": those who act for the state.
            Form::People if context::people_act(self.atoms(), from, to) => {
                flags = mention::METONYM | mention::DEMONYM;
                confidence = 0.75;
            }
            Form::People => {
                target = self.gazetteer.citizens(sense.record)?;
                kind = EntityKind::Group;
                flags = mention::DEMONYM;
                confidence = 0.9;
            }
            Form::Capital => match context::capital(self.atoms(), self.text, from, to) {
                Reading::State(sure) if !sense.ambiguous => {
                    flags = mention::METONYM;
                    confidence = sure;
                }
                _ => {
                    let name = crate::gazetteer::hash_of_atoms(&self.atoms()[from..to]);
                    target = self.gazetteer.capital_as_place(sense.record, name)?;
                    kind = EntityKind::Place;
                    confidence = 0.9;
                }
            },
            Form::Adjective => {
                flags = mention::DEMONYM;
                match context::adjective(self.atoms(), from, to, person_follows) {
                    Reading::State(sure) => confidence = sure,
                    Reading::Title => flags |= mention::NESTED,
                    _ => {
                        kind = EntityKind::Other;
                        flags |= mention::NOT_AN_ACTOR;
                        confidence = 0.8;
                    }
                }
            }
        }
        if !tagged.is_some_and(|tag| self.agrees(tag, first, end, kind)) {
            confidence *= ALONE;
        }
        let entity = self.table.record(self.gazetteer, target, self.at);
        Some(Named { first, end, entity, kind, flags, confidence })
    }

    /// Where the name of a party begins that is another's here, and its state: "Sweden's Greens",
    /// "the Swedish Social Democrats".
    fn other_party(&self, known: Match, record: &Record) -> Option<(u32, Option<&'r str>)> {
        // "The Swedish opposition Greens", "Sweden's far-left Greens".
        const BETWEEN: [u64; 7] =
            folded(["opposition", "ruling", "governing", "far", "left", "right", "centre"]);
        const OTHER: [u64; 4] = folded(["social", "christian", "liberal", "free"]);
        let country = record.country.as_deref().filter(|_| record.party)?;
        let atoms = self.atoms();
        let mut first = known.first as usize;
        let mut at = first;
        let mut is_other = false;
        for _ in 0..4 {
            let Some(before) = context::before(atoms, at, 1) else { break };
            let owns = before.is(atom::APOSTROPHE);
            let end = at - usize::from(owns);
            let from = self.sight.matches.partition_point(|name| (name.end as usize) < end);
            let owner = self.sight.matches.get(from).filter(|name| name.end as usize == end);
            if let Some(&owner) = owner {
                let sense = self.gazetteer.best_sense(owner);
                let state = self.gazetteer.record(sense.record);
                let is_state = state.kind == EntityKind::Country
                    && (owns || sense.form == Form::Adjective)
                    && (is_other || state.id != country);
                return is_state.then_some((first as u32, Some(&state.id)));
            }
            if at == first && before.is(atom::CAPITAL) && OTHER.contains(&before.hash) {
                is_other = true;
                first -= 1;
            } else if !before.is(atom::CAPITAL | atom::HYPHENATED)
                && !BETWEEN.contains(&before.hash)
            {
                break;
            }
            at -= 1;
        }
        is_other.then_some((first as u32, None))
    }

    /// The meaning of a known name; `None` when it is not this name here.
    fn choose(
        &self,
        known: Match,
        tagged: Option<Tagged>,
        full_names: &FxHashSet<u32>,
    ) -> Option<Sense> {
        let best = *self.gazetteer.best_sense(known);
        let in_small = self.atoms()[known.first as usize].is(atom::WHISPERED);
        let person = |sense: &Sense| self.gazetteer.record(sense.record).kind == EntityKind::Person;
        if !best.ambiguous && !in_small {
            let part_of_person = tagged.is_some_and(|tag| self.reaches_beyond(tag, known));
            let single = known.first + 1 == known.end;
            // "Jordan Smith", "Lula Rogers": a name of one word inside a longer one of somebody.
            let stranger = part_of_person
                && single
                && tagged.is_some_and(|tag| tag.class == Class::Person)
                && best.form == Form::Name;
            return (!stranger).then_some(best);
        }
        // Whose whole name stands in the text, then who is in office, then the first in the table.
        let chosen = self
            .gazetteer
            .senses(known)
            .filter(|sense| sense.form != Form::Nothing)
            .min_by_key(|sense| {
                let (_, speaks) = self.gazetteer.record(sense.record).allegiance(self.at);
                (!full_names.contains(&sense.record), !speaks)
            })
            .copied()?;
        // "Mr" is anybody's: without a date, it makes nobody the holder of an office.
        let dated = self.at.is_some();
        let title_before = context::before(self.atoms(), known.first as usize, 1)
            .is_some_and(|word| word.cues(cues::TITLE) && (dated || !context::is_courtesy(word)));
        // In small letters nothing else tells "to france" from a word.
        let place_before =
            context::before(self.atoms(), known.first as usize, 1).is_some_and(|word| {
                word.cues(cues::PLACE_PREPOSITION) || in_small && TO_OR_FROM.contains(&word.hash)
            });
        let class = tagged.filter(|tag| !self.reaches_beyond(*tag, known)).map(|tag| tag.class);
        let supported = if person(&chosen) {
            full_names.contains(&chosen.record) || title_before
        } else {
            let kind = self.gazetteer.record(chosen.record).kind;
            match kind {
                EntityKind::Country | EntityKind::Place => {
                    place_before || class == Some(Class::Location)
                }
                _ => class.is_some_and(|class| class != Class::Person),
            }
        };
        supported.then_some(chosen)
    }

    /// Whether the tagger found the same name of a like kind.
    fn agrees(&self, tag: Tagged, first: u32, end: u32, kind: EntityKind) -> bool {
        let fits = match tag.class {
            Class::Person => kind == EntityKind::Person,
            Class::Organisation => matches!(kind, EntityKind::Organisation | EntityKind::Group),
            Class::Location => matches!(kind, EntityKind::Country | EntityKind::Place),
            Class::Event => kind == EntityKind::Event,
            Class::Other => matches!(
                kind,
                EntityKind::Event | EntityKind::Other | EntityKind::Group | EntityKind::Country
            ),
        };
        fits && self.sight.atom_of_token[tag.first as usize] == first
            && self.sight.atom_of_token[tag.end as usize] == end
    }

    fn reaches_beyond(&self, tag: Tagged, known: Match) -> bool {
        self.sight.atom_of_token[tag.first as usize] < known.first
            || known.end < self.sight.atom_of_token[tag.end as usize]
    }

    /// An entity of a name that only the tagger found.
    fn unknown(&mut self, candidate: Candidate) -> Option<Named> {
        const THE: [u64; 1] = folded(["the"]);
        const OFFICE: [u64; 3] = folded(["ministry", "minister", "ministers"]);
        let tag = candidate.tagged?;
        if candidate.known.is_some() && !self.tag_fits(candidate) {
            return None;
        }
        let (mut first, end) = (candidate.first, candidate.end);
        if THE.contains(&self.atoms()[first as usize].hash) && first + 1 < end {
            first += 1;
        }
        // "The Ministry" is whichever was spoken of, and "Minister" an office.
        let word = self.atoms()[first as usize].hash;
        if first + 1 == end && (OFFICE.contains(&word) || is_legal_form(word)) {
            return None;
        }
        let confidence = tag.confidence;
        if confidence < MIN_CONFIDENCE {
            return None;
        }
        let name = self.slice(first, end);
        let (kind, country) = match tag.class {
            Class::Person => (EntityKind::Person, None),
            Class::Location => (EntityKind::Place, None),
            Class::Event => (EntityKind::Event, None),
            Class::Other if self.has(tag, cues::EVENT_NOUN) => (EntityKind::Event, None),
            Class::Other => (EntityKind::Other, None),
            Class::Organisation => {
                let state = self.state_inside(first, end).or_else(|| self.state_behind(first, end));
                (EntityKind::Organisation, state)
            }
        };
        let country = country.as_ref().map(|(country, speaks)| (country.as_str(), *speaks));
        let entity = self.table.unknown(name, kind, country);
        Some(Named { first, end, entity, kind, flags: 0, confidence })
    }

    /// Whether a rejected meaning leaves the tagger's exact name.
    fn tag_fits(&self, candidate: Candidate) -> bool {
        candidate.tagged.is_some_and(|tag| {
            self.sight.atom_of_token[tag.first as usize] == candidate.first
                && self.sight.atom_of_token[tag.end as usize] == candidate.end
        })
    }

    /// The state whose ministry, court or army an organisation is: "Ministry of Foreign Affairs" of
    /// Peru.
    fn state_behind(&self, first: u32, end: u32) -> Option<(String, bool)> {
        const OF: [u64; 1] = folded(["of"]);
        const THE: [u64; 1] = folded(["the"]);
        let atoms = &self.atoms()[first as usize..];
        let (name, behind) = atoms.split_at((end - first) as usize);
        let is_of = behind.first().is_some_and(|word| OF.contains(&word.hash));
        let acts = name.iter().any(|atom| atom.cues(cues::STATE_ORGANISATION));
        if !is_of || !acts {
            return None;
        }
        let the = behind.get(1).is_some_and(|word| THE.contains(&word.hash));
        let at = end + 1 + u32::from(the);
        let from = self.sight.matches.partition_point(|known| known.first < at);
        let state = self.sight.matches.get(from).filter(|known| known.first == at)?;
        let sense = self.gazetteer.best_sense(*state);
        let record = self.gazetteer.record(sense.record);
        let is_state = record.kind == EntityKind::Country && sense.form == Form::Name;
        is_state.then(|| (record.id.clone(), true))
    }

    /// The state in an organisation's name, and whether the organisation speaks for it.
    fn state_inside(&self, first: u32, end: u32) -> Option<(String, bool)> {
        let atoms = &self.atoms()[first as usize..end as usize];
        let from = self.sight.matches.partition_point(|known| known.first < first);
        let state = self.sight.matches[from..]
            .iter()
            .take_while(|known| known.end <= end)
            .map(|&known| self.gazetteer.best_sense(known))
            .filter(|sense| sense.form != Form::Nothing)
            .map(|sense| self.gazetteer.record(sense.record))
            .find(|record| record.kind == EntityKind::Country)?;
        let speaks = atoms.iter().any(|atom| atom.cues(cues::STATE_ORGANISATION));
        Some((state.id.clone(), speaks))
    }
}

/// What leads to a place, written small or not.
const TO_OR_FROM: [u64; 2] = folded(["to", "from"]);

/// Whether a word says what kind of firm the name before it is.
fn is_legal_form(word: u64) -> bool {
    const FORMS: [u64; 7] = folded(["inc", "ltd", "corp", "llc", "plc", "lp", "gmbh"]);
    FORMS.contains(&word)
}

const fn known(found: Match) -> Candidate {
    Candidate { first: found.first, end: found.end, known: Some(found), tagged: None }
}
