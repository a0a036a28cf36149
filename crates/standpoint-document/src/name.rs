//! Names as people type them: without regard to case, accents and marks.

/// Base letters of U+00C0 to U+017F, one byte each; ligatures keep their first letter.
const LATIN: &[u8; 192] = b"aaaaaaaceeeeiiiidnoooooxouuuuyts\
aaaaaaaceeeeiiiidnooooo/ouuuuyty\
aaaaaaccccccccddddeeeeeeeeeegggggggghhhhiiiiiiiiiiiijjkkkllllllllll\
nnnnnnnnnoooooooorrrrrrssssssssttttttuuuuuuuuuuuuwwyyyzzzzzzs";

/// The letters of a text without case, accents and full stops: "Erdoğan" is "ERDOGAN", "U.S." is
/// "us". Part of the format of the name tagger's weights.
pub fn folded_letters(text: &str) -> impl Iterator<Item = char> + '_ {
    let letters = text.chars().filter(|&letter| letter != '.' && !is_combining(letter));
    letters.flat_map(|letter| base(letter).to_lowercase())
}

const fn is_combining(letter: char) -> bool {
    matches!(letter, '\u{300}'..='\u{36f}')
}

/// A letter without its accent, where it is one that European languages write.
const fn base(letter: char) -> char {
    match letter as u32 {
        code @ 0x00c0..=0x017f => LATIN[(code - 0x00c0) as usize] as char,
        0x0218 | 0x0219 => 's',
        0x021a | 0x021b => 't',
        _ => letter,
    }
}

/// Whether somebody who types one of two names may mean the other: their letters and digits are the
/// same, whatever accents, case, white space, hyphens and apostrophes stand between them.
#[must_use]
pub fn is_same_name(one: &str, other: &str) -> bool {
    // Most names that are compared differ in the first letter, which costs little to see.
    let initial = |name: &str| {
        name.bytes().next().filter(u8::is_ascii_alphanumeric).map(|byte| byte.to_ascii_lowercase())
    };
    if let (Some(first), Some(second)) = (initial(one), initial(other))
        && first != second
    {
        return false;
    }
    let (mut ours, mut theirs) = (plain(one), plain(other));
    match (ours.next(), theirs.next()) {
        (Some(first), Some(second)) => first == second && ours.eq(theirs),
        // Two that are all marks.
        (None, None) => one.trim() == other.trim(),
        _ => false,
    }
}

/// Whether a name has another in it, compared in the same way.
#[must_use]
pub fn holds_name(name: &str, part: &str) -> bool {
    let (name, part): (String, String) = (plain(name).collect(), plain(part).collect());
    name.contains(&part)
}

fn plain(name: &str) -> impl Iterator<Item = char> + '_ {
    folded_letters(name).filter(|letter| {
        let is_mark = letter.is_ascii_punctuation() || matches!(letter, '\u{2010}'..='\u{2019}');
        !is_mark && !letter.is_whitespace()
    })
}

/// A name as it stands in an id behind `name:`: folded letters and digits, joined by hyphens.
#[must_use]
pub fn slug(name: &str) -> String {
    let mut slug = String::with_capacity(name.len());
    for letter in folded_letters(name) {
        if letter.is_alphanumeric() {
            slug.push(letter);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    slug.truncate(slug.trim_end_matches('-').len());
    slug
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_found_as_people_type_it() {
        for (one, other, expected) in [
            ("Erdoğan", "ERDOGAN", true),
            ("Erdog\u{306}an", "Erdoğan", true),
            ("U.S.", "us", true),
            ("İstanbul", "istanbul", true),
            ("Łódź", "lodz", true),
            ("Țiriac", "Tiriac", true),
            ("МОСКВА", "москва", true),
            ("Côte d\u{2019}Ivoire", "cote d'ivoire", true),
            ("Vaira Vīķe-Freiberga", " vaira vike freiberga ", true),
            ("São Tomé and Príncipe", "Sao Tome and Principe", true),
            ("Iran", "Iraq", false),
            ("Iran", "Iranian", false),
            ("कि", "का", false),
            ("", "", true),
            ("!", "?", false),
            ("!", "", false),
            ("Oman", "", false),
        ] {
            assert_eq!(is_same_name(one, other), expected, "{one:?} {other:?}");
            assert_eq!(is_same_name(other, one), expected, "{other:?} {one:?}");
        }
        assert!(holds_name("Recep Tayyip Erdoğan", "ERDOGAN"));
        assert!(!holds_name("Erdoğan", "Recep Tayyip Erdogan"));
    }

    #[test]
    fn a_name_becomes_part_of_an_id() {
        for (name, expected) in [
            ("the harbour master", "the-harbour-master"),
            ("  o'neill & sons ", "o-neill-sons"),
            ("José Pérez", "jose-perez"),
            ("\u{4e2d}\u{56fd}", "\u{4e2d}\u{56fd}"),
            ("!!", ""),
        ] {
            assert_eq!(slug(name), expected, "{name}");
        }
    }
}
