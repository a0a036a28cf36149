//! Pronouns and descriptions: "it", "the country", "the Russian president".
//!
//! Conservative by design: a wrong link costs a wrong stance. An antecedent stands in the same
//! sentence or the one before, the first actor of a sentence (its usual subject) comes first, and
//! where two would do equally well nothing is linked.

use std::sync::LazyLock;

use rustc_hash::{FxHashMap, FxHashSet};
use standpoint_document::{EntityKind, mention};

use crate::atom::{self, Atom};
use crate::cues;
use crate::fold::fold;
use crate::names::{Named, Reader};

/// So many names before a pronoun are looked at.
const MAX_LOOKED_AT: usize = 64;

/// What a description asks of its antecedent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    /// "it", "its": a state or organisation.
    Actor,
    /// "the country": a state.
    State,
    /// "that country": a state that is not the subject, the only one spoken of.
    ThatState,
    /// "he", "the president": a person.
    Person,
    /// "the foreign minister", "the spokesman": whoever speaks for a state without a name.
    Officer,
    /// "the bloc", "the alliance": an organisation of states.
    Union,
    /// "the company", "the party": any other organisation or group.
    Organisation,
}

/// Whether a word refers to somebody by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Pronoun,
    Noun,
}

/// Those who speak for a state where its name stands before them, or behind them and "of".
const OFFICERS: [&str; 10] = [
    "minister",
    "president",
    "premier",
    "chancellor",
    "ambassador",
    "envoy",
    "spokesman",
    "spokeswoman",
    "king",
    "counterpart",
];

/// Words that [`resolve`] looks at, by their folded hashes.
pub(crate) fn referring_words() -> impl Iterator<Item = u64> {
    DESCRIPTIONS.words.keys().copied()
}

static DESCRIPTIONS: LazyLock<Descriptions> = LazyLock::new(Descriptions::new);

/// Pronouns and nouns after "the", with what they refer to.
struct Descriptions {
    the: u64,
    that: u64,
    /// Between a noun and more words that say whom it means.
    links: [u64; 2],
    /// Pronouns, and nouns that need an article.
    words: FxHashMap<u64, (Part, Wanted)>,
    offices: Vec<(u64, &'static [&'static str])>,
    officers: FxHashSet<u64>,
    /// What acts for a state, as its officers do.
    bodies: FxHashSet<u64>,
    he_or_she: [u64; 2],
    a_or_an: [u64; 2],
    its: u64,
    foreign: u64,
    ministry: u64,
    defence: [u64; 2],
    minister: u64,
    prime: u64,
}

impl Descriptions {
    fn new() -> Self {
        let pronouns = [
            ("it", Wanted::Actor),
            ("its", Wanted::Actor),
            ("he", Wanted::Person),
            ("his", Wanted::Person),
            ("him", Wanted::Person),
            ("she", Wanted::Person),
            ("her", Wanted::Person),
        ];
        let nouns = [
            ("country", Wanted::State),
            ("nation", Wanted::State),
            ("government", Wanted::State),
            ("ministry", Wanted::State),
            ("republic", Wanted::State),
            ("kingdom", Wanted::State),
            ("bloc", Wanted::Union),
            ("alliance", Wanted::Union),
            ("president", Wanted::Person),
            ("chancellor", Wanted::Person),
            ("premier", Wanted::Person),
            ("minister", Wanted::Officer),
            ("ambassador", Wanted::Officer),
            ("envoy", Wanted::Officer),
            ("spokesman", Wanted::Officer),
            ("spokeswoman", Wanted::Officer),
            ("company", Wanted::Organisation),
            ("party", Wanted::Organisation),
            ("organisation", Wanted::Organisation),
            ("organization", Wanted::Organisation),
        ];
        let pronouns = pronouns.iter().map(|word| (Part::Pronoun, word));
        let nouns = nouns.iter().map(|word| (Part::Noun, word));
        let entry = |(part, &(word, wanted)): (Part, &(&str, Wanted))| (fold(word), (part, wanted));
        Self {
            the: fold("the"),
            that: fold("that"),
            links: [fold("of"), fold("between")],
            words: pronouns.chain(nouns).map(entry).collect(),
            offices: [
                ("president", &["head-of-state"][..]),
                ("premier", &["head-of-government"]),
                ("chancellor", &["head-of-government"]),
                ("king", &["monarch"]),
                ("monarch", &["monarch"]),
                ("leader", &["supreme-leader", "head-of-state", "head-of-government"]),
            ]
            .map(|(word, offices)| (fold(word), offices))
            .to_vec(),
            officers: OFFICERS.iter().map(|word| fold(word)).collect(),
            bodies: ["ministry", "government"].iter().map(|word| fold(word)).collect(),
            he_or_she: ["he", "she"].map(fold),
            a_or_an: ["a", "an"].map(fold),
            its: fold("its"),
            foreign: fold("foreign"),
            ministry: fold("ministry"),
            defence: [fold("defence"), fold("defense")],
            minister: fold("minister"),
            prime: fold("prime"),
        }
    }

    /// The offices that words after a state's adjective name, and how many words they are.
    fn office(&self, words: &[Atom]) -> Option<(&'static [&'static str], usize)> {
        let first = words.first()?;
        if let Some(&(_, offices)) = self.offices.iter().find(|(word, _)| *word == first.hash) {
            return Some((offices, 1));
        }
        if words.get(1)?.hash != self.minister {
            return None;
        }
        if first.hash == self.prime {
            Some((&["head-of-government"], 2))
        } else if first.hash == self.foreign {
            Some((&["foreign-minister"], 2))
        } else if self.defence.contains(&first.hash) {
            Some((&["defence-minister"], 2))
        } else {
            None
        }
    }
}

/// The state for which somebody speaks by his office, without a name: "Peru's minister said".
#[derive(Debug, Default)]
struct SpokenFor {
    /// In this sentence, with the place of its first word.
    here: Option<(u32, u32)>,
    /// Two states leave it open who is meant.
    several: bool,
    /// In the sentence before.
    earlier: Option<(u32, u32)>,
}

impl SpokenFor {
    fn note(&mut self, state: u32, first: u32) {
        match self.here {
            Some((known, _)) => self.several |= known != state,
            None => self.here = Some((state, first)),
        }
    }

    fn next_sentence(&mut self) {
        let ended = std::mem::take(self);
        self.earlier = ended.here.filter(|_| !ended.several);
    }

    /// In the sentence before.
    fn before(&self) -> Option<u32> {
        self.earlier.map(|(state, _)| state)
    }

    /// In the sentence before, which begins at `start`, if that is about him.
    fn before_by_subject(&self, start: u32) -> Option<u32> {
        self.earlier.filter(|&(_, first)| first <= start + 3).map(|(state, _)| state)
    }
}

/// Whether a state's name stands with one of those who act for it: "Peru's foreign minister", "the
/// Peruvian president", "the president of Peru".
fn is_state_of(
    officers: &FxHashSet<u64>,
    words: &Descriptions,
    atoms: &[Atom],
    name: &Named,
) -> bool {
    if name.kind != EntityKind::Country || name.flags & mention::ANAPHOR != 0 {
        return false;
    }
    let (first, end) = (name.first as usize, name.end as usize);
    let owned = atoms.get(end).is_some_and(|next| next.is(atom::APOSTROPHE));
    let is_owner = owned || name.flags & mention::DEMONYM != 0;
    let the = usize::from(first > 0 && atoms[first - 1].hash == words.the);
    let of = (first - the).checked_sub(2).is_some_and(|at| {
        atoms[at + 1].hash == words.links[0] && officers.contains(&atoms[at].hash)
    });
    of || is_owner && opens_with(officers, &atoms[end + usize::from(owned)..])
}

/// Whether an office is what words begin with: "deputy prime minister said", and not "minister's
/// driver".
fn opens_with(officers: &FxHashSet<u64>, atoms: &[Atom]) -> bool {
    let near = atoms.iter().take(3).take_while(|atom| atom.is(atom::WORD) && !atom.is(atom::FIRST));
    let Some(office) = near.clone().position(|atom| officers.contains(&atom.hash)) else {
        return false;
    };
    !atoms.get(office + 1).is_some_and(|next| next.is(atom::APOSTROPHE))
}

/// Whether a sentence begins with somebody in office who has no name and acts: "The Federal
/// Chancellor spoke with ...".
fn officer_acts(words: &Descriptions, sentence: &[Atom]) -> bool {
    let [the, rest @ ..] = sentence else { return false };
    let near = rest.iter().take(3).take_while(|atom| atom.is(atom::WORD));
    let office = near.clone().position(|atom| words.officers.contains(&atom.hash));
    the.hash == words.the
        && office.and_then(|office| rest.get(office + 1)).is_some_and(|next| {
            let says_more = words.links.contains(&next.hash) || next.is(atom::CAPITAL);
            next.is(atom::WORD) && !says_more
        })
}

/// A pronoun or description where it stands, and the names before it.
struct Place<'a> {
    words: &'static Descriptions,
    atoms: &'a [Atom],
    wanted: Wanted,
    is_he: bool,
    /// Near the beginning of its sentence or clause: a pronoun far into one, without an antecedent in
    /// it, is likelier an expletive.
    early: bool,
    /// Where the sentence before begins, and its atoms.
    previous: u32,
    before: &'a [Atom],
    /// The names before it that are looked at; those of its sentence, and of the one before.
    near: &'a [Named],
    here: &'a [Named],
    earlier: &'a [Named],
}

impl Place<'_> {
    /// The entity of the name that is meant, and how likely that is right.
    fn antecedent(&self, fits: impl Fn(&&Named) -> bool + Copy) -> Option<(u32, f32)> {
        let found = match subject(self.atoms, self.here, fits).or(antecedent(self.here, fits)) {
            _ if self.wanted == Wanted::ThatState => {
                let acts = |name: &&Named| acts(self.atoms, name);
                let objects = self.here.iter().skip(1).filter(|name| !acts(name));
                let other = only(objects.filter(fits));
                let other = other.or_else(|| only(self.earlier.iter().filter(fits)));
                return other.map(|name| (name.entity, 0.6));
            }
            Some(name) => return Some((name.entity, 0.7)),
            // Who spoke then has no name, and those named with him are others.
            None if self.early && self.is_he && officer_acts(self.words, self.before) => None,
            None if self.early => {
                let main = &self.earlier[fronted(self.before, self.previous, self.earlier)..];
                antecedent(main, fits).or(antecedent(self.earlier, fits))
            }
            None => None,
        };
        // "The bloc" may stand far from the name, as long as the text names no other, and "the
        // company" anywhere in the sentence behind it.
        let far = || match self.wanted {
            Wanted::Union => only(self.near.iter().filter(fits)),
            Wanted::Organisation => only(self.earlier.iter().filter(fits)),
            _ => None,
        };
        found.or_else(far).map(|name| (name.entity, 0.55))
    }

    /// The state whose officer, without a name, acted in the sentence before.
    fn officer(&self, spoken: &SpokenFor) -> Option<u32> {
        match self.wanted {
            Wanted::Officer => spoken.before(),
            Wanted::Person if self.early && self.is_he => {
                // "The minister met a boxer": who is met may be meant.
                let meets = self.before.iter().any(|word| self.words.a_or_an.contains(&word.hash));
                spoken.before_by_subject(self.previous).filter(|_| !meets)
            }
            _ => None,
        }
    }
}

/// Adds mentions of whom pronouns and descriptions refer to.
pub fn resolve(reader: &mut Reader<'_>) {
    let descriptions = &*DESCRIPTIONS;
    offices(reader, descriptions);
    let atoms = &reader.sight.atoms;
    let names = reader.named.clone();
    let mut found = Vec::new();
    let mut sentence = 0;
    let mut previous = 0;
    let mut next = 0;
    let mut ministry = None;
    let mut spoken = SpokenFor::default();
    let mut governed = SpokenFor::default();
    for (index, atom) in atoms.iter().enumerate() {
        if atom.is(atom::FIRST) {
            previous = sentence;
            sentence = index as u32;
            spoken.next_sentence();
            governed.next_sentence();
        }
        while next < names.len() && (names[next].first as usize) <= index {
            if is_ministry(descriptions, atoms, sentence as usize, &names[next]) {
                ministry = Some(names[next]);
            }
            if is_state_of(&descriptions.officers, descriptions, atoms, &names[next]) {
                spoken.note(names[next].entity, names[next].first);
            }
            if is_state_of(&descriptions.bodies, descriptions, atoms, &names[next]) {
                governed.note(names[next].entity, names[next].first);
            }
            next += 1;
        }
        let inside_name = next.checked_sub(1).is_some_and(|last| names[last].end as usize > index);
        if inside_name || !atom.cues(cues::REFERRING) || atom.is(atom::PASSED_OVER) {
            continue;
        }
        if let Some(ministry) = ministry.filter(|_| is_the_ministry(descriptions, atoms, index)) {
            let (first, end) = (index as u32 - 1, index as u32 + 1);
            let flags = mention::ANAPHOR;
            found.push(Named { first, end, flags, confidence: 0.7, ..ministry });
            continue;
        }
        let Some((wanted, first)) = wanted(descriptions, atoms, index) else { continue };
        let before = &names[..next];
        // A sentence of a hostile text may hold any number of names.
        let oldest = next.saturating_sub(MAX_LOOKED_AT);
        let here = before.partition_point(|name| name.first < sentence).max(oldest);
        let there = before.partition_point(|name| name.first < previous).max(oldest);
        let ends_speech = is_said_behind(atoms, first as usize, index);
        let is_he = descriptions.he_or_she.contains(&atom.hash);
        let place = Place {
            words: descriptions,
            atoms,
            wanted,
            is_he,
            early: index as u32 - sentence <= 3 || is_he && ends_speech,
            previous,
            before: &atoms[previous as usize..sentence as usize],
            near: &before[oldest..],
            here: &before[here..],
            earlier: &before[there..here],
        };
        // In "X broke the law, the ministry said" it is not X's.
        let is_body = ends_speech && descriptions.bodies.contains(&atom.hash);
        let body = if is_body { governed.before() } else { None };
        let antecedent = body
            .map(|state| (state, 0.55))
            .or_else(|| place.antecedent(|name| fits(reader, name, wanted)))
            .or_else(|| place.officer(&spoken).map(|state| (state, 0.55)));
        let Some((entity, confidence)) = antecedent else { continue };
        let end = index as u32 + 1;
        let kind = reader.table.entities[entity as usize].kind;
        let by_office = wanted == Wanted::Officer
            || is_he
            || atom.hash == descriptions.its
                && opens_with(&descriptions.officers, &atoms[index + 1..]);
        if by_office && kind == EntityKind::Country {
            spoken.note(entity, first);
        }
        found.push(Named { first, end, entity, kind, flags: mention::ANAPHOR, confidence });
    }
    reader.named.extend(found);
}

/// "\"...,\" he said", "..., the ministry said": whoever speaks begins a clause of his own.
///
/// - `first`, `last`: of the pronoun or description.
fn is_said_behind(atoms: &[Atom], first: usize, last: usize) -> bool {
    let is_mark = |at: usize| !atoms[at].is(atom::WORD);
    first.checked_sub(1).is_some_and(is_mark)
        && atoms.get(last + 1).is_some_and(|next| next.cues(cues::SPEECH))
}

/// What the atom at `index` refers to, and where the description begins.
fn wanted(descriptions: &Descriptions, atoms: &[Atom], index: usize) -> Option<(Wanted, u32)> {
    let atom = &atoms[index];
    let &(part, wanted) = descriptions.words.get(&atom.hash)?;
    if part == Part::Pronoun {
        // "IT" is a trade.
        return (!atom.is(atom::UPPER)).then_some((wanted, index as u32));
    }
    // "The deputy foreign minister", and not "the firm's spokesman".
    let is_modifier = |&at: &usize| {
        atoms[at].hash != descriptions.the
            && atoms[at].is(atom::WORD)
            && !atoms[at].is(atom::CAPITAL | atom::APOSTROPHE)
    };
    let most = if wanted == Wanted::Officer { 2 } else { 0 };
    let modifiers = (1..index).rev().take(most).take_while(is_modifier).count();
    let article = index.checked_sub(1 + modifiers)?;
    let wanted = match wanted {
        _ if atoms[article].hash == descriptions.the => wanted,
        // "Said that country music": there it opens a clause.
        Wanted::State if atoms[article].hash == descriptions.that => {
            let opens = article.checked_sub(1).is_some_and(|at| atoms[at].cues(cues::SPEECH));
            (!opens).then_some(Wanted::ThatState)?
        }
        _ => return None,
    };
    let next = atoms.get(index + 1).filter(|next| !next.is(atom::FIRST));
    // "The party leader", "the president of France", "the government of Iraq" say more.
    let of =
        next.is_some_and(|next| descriptions.links.contains(&next.hash) || next.is(atom::CAPITAL));
    (!of && !atom.is(atom::CAPITAL)).then_some((wanted, article as u32))
}

/// "The Ministry", as press releases write.
fn is_the_ministry(descriptions: &Descriptions, atoms: &[Atom], index: usize) -> bool {
    let next = atoms.get(index + 1).filter(|next| !next.is(atom::FIRST));
    atoms[index].hash == descriptions.ministry
        && atoms[index].is(atom::CAPITAL)
        && index.checked_sub(1).is_some_and(|article| atoms[article].hash == descriptions.the)
        && !next
            .is_some_and(|next| next.is(atom::CAPITAL) || descriptions.links.contains(&next.hash))
}

/// Whether a name is a ministry that acts, or the state of one: "The Estonian Foreign Ministry",
/// "The Ministry of Foreign Affairs of Estonia".
fn is_ministry(words: &Descriptions, atoms: &[Atom], sentence: usize, name: &Named) -> bool {
    let (first, end) = (name.first as usize, name.end as usize);
    let start = sentence + usize::from(atoms[sentence].hash == words.the);
    let opens = first <= start;
    let is = |atom: &Atom| atom.hash == words.ministry;
    match name.kind {
        EntityKind::Organisation => {
            atoms[first..end].iter().any(is) && (opens || acts(atoms, name))
        }
        EntityKind::Country => {
            let behind = atoms[end..].iter().take(4);
            let mut behind = behind.take_while(|atom| atom.is(atom::CAPITAL | atom::APOSTROPHE));
            let the = usize::from(first > 0 && atoms[first - 1].hash == words.the);
            let of = (first - the).checked_sub(2).filter(|&of| start < of).is_some_and(|of| {
                atoms[of].is(atom::CAPITAL) && words.links.contains(&atoms[of + 1].hash)
            });
            opens && behind.any(is) || of && is(&atoms[start])
        }
        _ => false,
    }
}

fn fits(reader: &Reader<'_>, name: &Named, wanted: Wanted) -> bool {
    if name.flags & (mention::NOT_AN_ACTOR | mention::NESTED) != 0 || name.confidence < 0.5 {
        return false;
    }
    let entity = &reader.table.entities[name.entity as usize];
    let state_adjective = name.flags & mention::DEMONYM != 0;
    match wanted {
        Wanted::Actor => {
            !state_adjective && matches!(name.kind, EntityKind::Country | EntityKind::Organisation)
        }
        Wanted::State => name.kind == EntityKind::Country && !state_adjective,
        Wanted::ThatState => name.kind == EntityKind::Country,
        Wanted::Person => name.kind == EntityKind::Person,
        // He has no name.
        Wanted::Officer => false,
        Wanted::Union => {
            let record = reader.table.records[name.entity as usize];
            record.is_some_and(|record| reader.gazetteer.record(record).union)
        }
        Wanted::Organisation => {
            name.kind == EntityKind::Organisation && entity.kind == EntityKind::Organisation
        }
    }
}

/// The last fitting name that a verb follows at once: "after Ukraine, Moscow might turn its".
fn subject<'n>(
    atoms: &[Atom],
    names: &'n [Named],
    fits: impl Fn(&&Named) -> bool,
) -> Option<&'n Named> {
    names.iter().rev().find(|name| acts(atoms, name) && fits(name))
}

/// How many names of a sentence stand in the clause before its main one: "When Kyiv asked, Havana
/// refused."
///
/// - `sentence`: its atoms, of which the first has the index `start`.
fn fronted(sentence: &[Atom], start: u32, names: &[Named]) -> usize {
    if !sentence.first().is_some_and(|first| first.cues(cues::SUBORDINATOR)) {
        return 0;
    }
    let comma = atom::hash_of_mark(",");
    let clause = sentence.iter().position(|atom| atom.hash == comma).unwrap_or_default();
    names.partition_point(|name| name.first < start + clause as u32)
}

/// Whether a verb follows a name at once.
fn acts(atoms: &[Atom], name: &Named) -> bool {
    let next = atoms.get(name.end as usize);
    next.is_some_and(|next| next.cues(cues::VERB | cues::SPEECH))
}

/// The name that all of these share, as long as they name one and the same.
fn only<'n>(mut names: impl Iterator<Item = &'n Named>) -> Option<&'n Named> {
    let first = names.next()?;
    names.all(|name| name.entity == first.entity).then_some(first)
}

/// The first fitting name, which is likely the subject.
fn antecedent(names: &[Named], fits: impl Fn(&&Named) -> bool) -> Option<&Named> {
    names.iter().find(|name| fits(name))
}

/// Links "the Russian president" and "Russia's foreign minister" to whoever held the office when
/// the text was published. Without a date, only to somebody whom the text names besides.
fn offices(reader: &mut Reader<'_>, descriptions: &Descriptions) {
    let mut found = Vec::new();
    for index in 0..reader.named.len() {
        let named = reader.named[index];
        let state = named.kind == EntityKind::Country
            && named.flags & (mention::NOT_AN_ACTOR | mention::ANAPHOR) == 0;
        if !state {
            continue;
        }
        let mut from = named.end as usize;
        let possessive = reader.sight.atoms.get(from).is_some_and(|s| s.is(atom::APOSTROPHE));
        if named.flags & mention::DEMONYM == 0 && !possessive {
            continue;
        }
        from += usize::from(possessive);
        let words = reader.sight.atoms.get(from..).unwrap_or_default();
        let Some((offices, count)) = descriptions.office(words) else { continue };
        // The holder is named next, or the office is part of another name.
        if words.get(count).is_some_and(|next| next.is(atom::CAPITAL) && !next.is(atom::FIRST)) {
            continue;
        }
        let country = reader.table.entities[named.entity as usize].id.clone();
        let Some(person) = holder(reader, &country, offices) else { continue };
        let entity = reader.table.record(reader.gazetteer, person, reader.at);
        found.push((
            index,
            Named {
                first: named.first,
                end: (from + count) as u32,
                entity,
                kind: EntityKind::Person,
                flags: mention::ANAPHOR,
                confidence: 0.85,
            },
        ));
    }
    for (index, named) in found {
        reader.named[index].flags |= mention::NESTED;
        reader.named.push(named);
    }
    reader.named.sort_by_key(|named| (named.first, std::cmp::Reverse(named.end)));
}

fn holder(reader: &Reader<'_>, country: &str, offices: &[&str]) -> Option<u32> {
    let named = |person: &u32| reader.table.records.contains(&Some(*person));
    offices.iter().find_map(|office| {
        let mut holders = reader.gazetteer.people_of(country).iter().filter(|&&person| {
            let roles = &reader.gazetteer.record(person).roles;
            roles.iter().any(|role| {
                role.office == *office
                    && role.of.is_none()
                    && match reader.at {
                        Some(month) => role.period.contains(month),
                        None => named(&person),
                    }
            })
        });
        // In a month of change two held it; only one of them is likely meant, if named.
        let first = *holders.next()?;
        let second = holders.next().copied();
        match second {
            None => Some(first),
            Some(second) => [first, second].into_iter().find(|person| named(person)),
        }
    })
}
