//! Names of facts, hashed: what a linear model sees.

/// The hash of one fact, such as "the next word is `war`".
///
/// Built from parts, the first of which is a namespace, so that the same word in two roles is two
/// facts. Order matters: `a.and(b)` is not `b.and(a)`.
///
/// # Stability
///
/// Weights on disk belong to these hashes, so they never change. A part of `n` bytes is read as
/// little-endian words of eight bytes, the last one padded with zeros. Each word `w` turns the
/// state `s` into `fold((rotl(s, 23) ^ w) * 0x9e3779b97f4a7c15)`, where the product has 128 bits
/// and `fold` is the exclusive or of its halves; after the last word `s` becomes
/// `fold((s ^ n) * 0xe7037ed1a0b428db)`. Without the rotation `a.and(b)` would be `b.and(a)`. A
/// namespace starts from `0x2d358dccaa6c78a5`. A test holds known values.
///
/// # Source
///
/// The folded multiplication is that of wyhash (Wang Yi, public domain).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Feature(u64);

const START: u64 = 0x2d35_8dcc_aa6c_78a5;
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
const FINISH: u64 = 0xe703_7ed1_a0b4_28db;

impl Feature {
    /// A namespace: the role that the parts added later play.
    #[must_use]
    #[inline]
    pub const fn new(namespace: &str) -> Self {
        Self(hash(START, namespace.as_bytes()))
    }

    /// A fact that somebody else has hashed; the upper half of the hash must be well mixed.
    #[must_use]
    #[inline]
    pub const fn of_hash(hash: u64) -> Self {
        Self(hash)
    }

    /// Adds a text, as it is written.
    #[must_use]
    #[inline]
    pub const fn text(self, text: &str) -> Self {
        Self(hash(self.0, text.as_bytes()))
    }

    /// Adds a text in lower case; the same as `text(&text.to_lowercase())`, eight bytes at once
    /// and without allocating where the text is ASCII.
    #[must_use]
    #[inline]
    pub fn lower_case(self, text: &str) -> Self {
        let mut state = self.0;
        let mut seen = 0;
        let (words, rest) = text.as_bytes().as_chunks::<8>();
        for word in words {
            let word = u64::from_le_bytes(*word);
            seen |= word;
            state = fold(state.rotate_left(23) ^ lower_case_of_ascii(word), STEP);
        }
        if !rest.is_empty() {
            let word = last_word(rest);
            seen |= word;
            state = fold(state.rotate_left(23) ^ lower_case_of_ascii(word), STEP);
        }
        if seen & NOT_ASCII != 0 {
            return self.text(&text.to_lowercase());
        }
        Self(fold(state ^ text.len() as u64, FINISH))
    }

    /// Adds a number.
    #[must_use]
    #[inline]
    pub const fn number(self, number: i64) -> Self {
        Self(hash(self.0, &number.to_le_bytes()))
    }

    /// Adds another fact: the conjunction of both.
    #[must_use]
    #[inline]
    pub const fn and(self, other: Self) -> Self {
        Self(hash(self.0, &other.0.to_le_bytes()))
    }

    /// The 64-bit hash.
    #[must_use]
    #[inline]
    pub const fn as_u64(self) -> u64 {
        self.0
    }

    /// The half that is mixed best, of which a model takes the upper bits.
    #[inline]
    pub(crate) const fn half(self) -> u32 {
        (self.0 >> 32) as u32
    }
}

/// Mixes `bytes` into `state`; see [`Feature`] for the definition.
#[inline]
pub(crate) const fn hash(mut state: u64, bytes: &[u8]) -> u64 {
    let mut rest = bytes;
    while let Some((word, tail)) = rest.split_first_chunk::<8>() {
        state = fold(state.rotate_left(23) ^ u64::from_le_bytes(*word), STEP);
        rest = tail;
    }
    if !rest.is_empty() {
        state = fold(state.rotate_left(23) ^ last_word(rest), STEP);
    }
    fold(state ^ bytes.len() as u64, FINISH)
}

/// One to seven bytes, padded with zeros: two reads that may overlap.
#[inline]
const fn last_word(bytes: &[u8]) -> u64 {
    let count = bytes.len();
    if let (Some(first), Some(last)) = (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        let (first, last) = (u32::from_le_bytes(*first), u32::from_le_bytes(*last));
        return first as u64 | (last as u64) << (8 * (count - 4));
    }
    let middle = count / 2;
    bytes[0] as u64
        | (bytes[middle] as u64) << (8 * middle)
        | (bytes[count - 1] as u64) << (8 * (count - 1))
}

/// A bit for each byte of a word that is not ASCII.
const NOT_ASCII: u64 = 0x8080_8080_8080_8080;

/// Eight bytes of ASCII in lower case.
#[inline]
const fn lower_case_of_ascii(word: u64) -> u64 {
    const fn each(byte: u8) -> u64 {
        byte as u64 * 0x0101_0101_0101_0101
    }
    // The highest bit of a byte tells whether it reaches "A", and whether it is beyond "Z".
    let low = word & !NOT_ASCII;
    let from_a = low + each(0x80 - b'A');
    let beyond_z = low + each(0x7f - b'Z');
    let upper = (from_a ^ beyond_z) & NOT_ASCII;
    word | upper >> 2
}

#[inline]
const fn fold(left: u64, right: u64) -> u64 {
    let product = (left as u128) * (right as u128);
    (product as u64) ^ ((product >> 64) as u64)
}

/// Whatever takes facts: a buffer that keeps them, or a model that adds up their weights.
pub trait Facts {
    /// Takes a fact that holds to some degree; see [`Features::push_valued`].
    fn push_valued(&mut self, feature: Feature, value: f32);

    /// Takes a fact that holds.
    #[inline]
    fn push(&mut self, feature: Feature) {
        self.push_valued(feature, 1.0);
    }

    /// Takes several facts that hold to one degree: a model looks them up together.
    #[inline]
    fn push_each(&mut self, features: impl Iterator<Item = Feature>, value: f32) {
        for feature in features {
            self.push_valued(feature, value);
        }
    }

    /// Takes one fact for each of `edges` that `value` reaches, so that a model can learn any
    /// staircase of a number.
    ///
    /// - `edges`: in `value`'s own unit, in any order.
    #[inline]
    fn push_steps(&mut self, namespace: Feature, value: f32, edges: &[f32]) {
        for (index, &edge) in (0_i64..).zip(edges) {
            if value >= edge {
                self.push(namespace.number(index));
            }
        }
    }
}

impl Facts for Features {
    #[inline]
    fn push_valued(&mut self, feature: Feature, value: f32) {
        if value.is_finite() {
            self.entries.push((feature.half(), value));
        }
    }
}

/// The facts about one thing to be judged: a buffer made once and filled again and again.
///
/// A fact that is pushed twice counts twice. Where only its presence should count, push it once.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Features {
    /// The upper half of each feature's hash, and its value.
    entries: Vec<(u32, f32)>,
}

impl Features {
    /// An empty buffer.
    #[must_use]
    pub const fn new() -> Self {
        Self { entries: Vec::new() }
    }

    /// An empty buffer with room for `count` features.
    #[must_use]
    pub fn with_capacity(count: usize) -> Self {
        Self { entries: Vec::with_capacity(count) }
    }

    /// Forgets the features and keeps the memory.
    #[inline]
    pub fn clear(&mut self) {
        self.entries.clear();
    }

    /// Forgets all but the first `count` features, so that a common beginning is made only once.
    pub fn truncate(&mut self, count: usize) {
        self.entries.truncate(count);
    }

    /// How many features were pushed.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether no feature was pushed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Adds a fact that holds.
    #[inline]
    pub fn push(&mut self, feature: Feature) {
        self.push_valued(feature, 1.0);
    }

    /// Adds a fact that holds to some degree.
    ///
    /// - `value`: multiplies the weight; keep it within about [-4, 4], so that one feature cannot
    ///   drown the others. A value that is not finite is ignored.
    #[inline]
    pub fn push_valued(&mut self, feature: Feature, value: f32) {
        Facts::push_valued(self, feature, value);
    }

    /// Adds every run of one to `longest` neighbouring parts.
    ///
    /// - `namespace`: tells these n-grams from those of another window.
    /// - `parts`: usually hashed words, in text order.
    pub fn push_ngrams(&mut self, namespace: Feature, parts: &[Feature], longest: usize) {
        for start in 0..parts.len() {
            let mut gram = namespace;
            for &part in parts[start..].iter().take(longest) {
                gram = gram.and(part);
                self.push(gram);
            }
        }
    }

    /// Adds all features of another buffer.
    pub fn append(&mut self, other: &Self) {
        self.entries.extend_from_slice(&other.entries);
    }

    /// Adds the conjunction of each of `left` with each of `right`.
    pub fn push_pairs(&mut self, namespace: Feature, left: &[Feature], right: &[Feature]) {
        for &first in left {
            let first = namespace.and(first);
            for &second in right {
                self.push(first.and(second));
            }
        }
    }

    /// Adds the last 1 to `longest` characters of `word`, as far as it has them.
    pub fn push_suffixes(&mut self, namespace: Feature, word: &str, longest: usize) {
        for (start, _) in word.char_indices().rev().take(longest) {
            self.push(namespace.text(&word[start..]));
        }
    }

    /// Adds the first 1 to `longest` characters of `word`, as far as it has them.
    pub fn push_prefixes(&mut self, namespace: Feature, word: &str, longest: usize) {
        for (start, character) in word.char_indices().take(longest) {
            self.push(namespace.text(&word[..start + character.len_utf8()]));
        }
    }

    /// Adds one fact for each of `edges` that `value` reaches; see [`Facts::push_steps`].
    #[inline]
    pub fn push_steps(&mut self, namespace: Feature, value: f32, edges: &[f32]) {
        Facts::push_steps(self, namespace, value, edges);
    }

    #[cfg(test)]
    pub(crate) const fn from_entries(entries: Vec<(u32, f32)>) -> Self {
        Self { entries }
    }

    /// Hash halves and values, in the order they were pushed.
    pub(crate) fn entries(&self) -> &[(u32, f32)] {
        &self.entries
    }
}

impl Extend<Feature> for Features {
    fn extend<I: IntoIterator<Item = Feature>>(&mut self, features: I) {
        for feature in features {
            self.push(feature);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn hashes_are_frozen() {
        let cases = [
            ("", Feature::new(""), 0x5489_6dee_09ba_54be),
            ("namespace", Feature::new("word"), 0x96b5_1ca6_1804_667a),
            ("text", Feature::new("word").text("war"), 0xd40d_6a49_61e2_e5ea),
            ("long text", Feature::new("word").text("counter-offensive"), 0xd4d6_5ed8_ac5c_22a9),
            ("number", Feature::new("n").number(-3), 0xf439_0321_91cb_104e),
            ("and", Feature::new("a").and(Feature::new("b")), 0x9764_f35d_6e03_5c7d),
        ];
        for (case, feature, expected) in cases {
            assert_eq!(feature.as_u64(), expected, "{case}");
        }
    }

    #[test]
    fn roles_and_order_tell_facts_apart() {
        let (a, b) = (Feature::new("a"), Feature::new("b"));
        assert_ne!(a.and(b), b.and(a));
        assert_ne!(a.text("b"), Feature::new("ab"));
        assert_ne!(a.text("b").text("c"), a.text("bc"));
        assert_ne!(a.text("x\0"), a.text("x"));
    }

    #[test]
    fn ngrams_are_every_run_up_to_the_longest() {
        let namespace = Feature::new("n");
        let [a, b, c] = ["a", "b", "c"].map(Feature::new);
        let mut found = Features::new();
        found.push_ngrams(namespace, &[a, b, c], 2);
        let mut expected = Features::new();
        expected.extend([
            namespace.and(a),
            namespace.and(a).and(b),
            namespace.and(b),
            namespace.and(b).and(c),
            namespace.and(c),
        ]);
        assert_eq!(found, expected);
    }

    #[test]
    fn affixes_stop_at_the_end_of_a_short_word() {
        let namespace = Feature::new("s");
        let mut found = Features::new();
        found.push_suffixes(namespace, "né", 3);
        found.push_prefixes(namespace, "né", 1);
        let mut expected = Features::new();
        expected.extend(["é", "né", "n"].map(|affix| namespace.text(affix)));
        assert_eq!(found, expected);
    }

    #[test]
    fn steps_reached_are_pushed() {
        let mut features = Features::new();
        features.push_steps(Feature::new("s"), 2.0, &[0.0, 2.0, 3.0]);
        assert_eq!(features.len(), 2);
        features.clear();
        features.push_steps(Feature::new("s"), f32::NAN, &[0.0]);
        features.push_valued(Feature::new("s"), f32::INFINITY);
        assert!(features.is_empty());
    }

    proptest! {
        #[test]
        fn lower_case_is_that_of_the_standard_library(
            any in "\\PC{0,80}",
            ascii in "[ -~]{0,30}",
        ) {
            let namespace = Feature::new("w");
            for text in [any, ascii] { prop_assert_eq!(namespace.lower_case(&text), namespace.text(&text.to_lowercase())); }
        }
    }
}
