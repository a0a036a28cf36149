//! Words of context that decide how a name is meant.

/// The kinds of cue in `cues.tsv`, each with its bit.
const KINDS: [(&str, u32); 23] = [
    ("place-preposition", PLACE_PREPOSITION),
    ("direction", DIRECTION),
    ("motion", MOTION),
    ("place-verb", PLACE_VERB),
    ("place-noun", PLACE_NOUN),
    ("speech", SPEECH),
    ("verb", VERB),
    ("attitude-prefix", ATTITUDE_PREFIX),
    ("attitude-suffix", ATTITUDE_SUFFIX),
    ("actor-noun", ACTOR_NOUN),
    ("culture-noun", CULTURE_NOUN),
    ("not-state-prefix", NOT_STATE_PREFIX),
    ("title", TITLE),
    ("state-organisation", STATE_ORGANISATION),
    ("event-noun", EVENT_NOUN),
    ("event-modifier", EVENT_MODIFIER),
    ("state-office", STATE_OFFICE),
    ("department", DEPARTMENT),
    ("no-office", NO_OFFICE),
    ("seated", SEATED),
    ("subordinator", SUBORDINATOR),
    ("body-noun", BODY_NOUN),
    ("body-head", BODY_HEAD),
];

/// "in", "near": what follows is a place.
pub const PLACE_PREPOSITION: u32 = 1;
/// "to", "from": what follows is a place after a verb of motion.
pub const DIRECTION: u32 = 1 << 1;
/// "flew", "trip".
pub const MOTION: u32 = 1 << 2;
/// "visited", "shelled": what follows is a place.
pub const PLACE_VERB: u32 = 1 << 3;
/// "airport", "residents": a city's.
pub const PLACE_NOUN: u32 = 1 << 4;
/// "said".
pub const SPEECH: u32 = 1 << 5;
/// "has", "refused": what a state does, after its name.
pub const VERB: u32 = 1 << 6;
/// "pro", "anti".
pub const ATTITUDE_PREFIX: u32 = 1 << 7;
/// "backed", "led".
pub const ATTITUDE_SUFFIX: u32 = 1 << 8;
/// "officials", "invasion": a state's.
pub const ACTOR_NOUN: u32 = 1 << 9;
/// "novels", "journalist": a nation's, not a state's.
pub const CULTURE_NOUN: u32 = 1 << 10;
/// "ethnic".
pub const NOT_STATE_PREFIX: u32 = 1 << 11;
/// "president", "Mr".
pub const TITLE: u32 = 1 << 12;
/// "ministry": an organisation with it in its name belongs to a state.
pub const STATE_ORGANISATION: u32 = 1 << 13;
/// "election": a name with it is an event.
pub const EVENT_NOUN: u32 = 1 << 14;
/// "presidential": written small inside an event's name.
pub const EVENT_MODIFIER: u32 = 1 << 15;
/// "minister", "ambassador": whoever is one speaks for a state.
pub const STATE_OFFICE: u32 = 1 << 16;
/// "foreign", "deputy": stands beside an office.
pub const DEPARTMENT: u32 = 1 << 17;
/// "former", "shadow": an office with it speaks for nobody.
pub const NO_OFFICE: u32 = 1 << 18;
/// "ministry", "rulers": those in a capital are its state's.
pub const SEATED: u32 = 1 << 19;
/// "when", "after": opens a clause that a sentence may begin with, before its main one.
pub const SUBORDINATOR: u32 = 1 << 20;

/// "it", "government": may refer to somebody who was named; in no table, as these words are in
/// [`crate::anaphora`].
pub const REFERRING: u32 = 1 << 21;

/// "Vladimir": somebody in the tables has this first name; in no table, as names are in theirs.
pub const FIRST_NAME: u32 = 1 << 22;

/// "party", "firm": a name beside it is one.
pub const BODY_NOUN: u32 = 1 << 23;

/// "Party", "Committee": a name that ends in it is one of a body.
pub const BODY_HEAD: u32 = 1 << 24;

/// The bit of a kind of cue by its name in `cues.tsv`.
pub(crate) fn kind(name: &str) -> Option<u32> {
    KINDS.iter().find(|(known, _)| *known == name).map(|&(_, bit)| bit)
}
