//! The forms of a word, as English spells them.

use super::form;

/// All forms of a verb with their bits of [`form`].
pub(super) fn verb_forms(base: &str, irregular: Option<&[String]>) -> Vec<(String, u8)> {
    let mut forms = vec![
        (base.to_owned(), form::BASE),
        (plural(base), form::S),
        (with_ending(base, "ing"), form::ING),
    ];
    match irregular {
        None => forms.push((with_ending(base, "ed"), form::PAST | form::PARTICIPLE)),
        Some(others) => {
            for (index, other) in others.iter().enumerate() {
                let bits = if other.ends_with("ing") {
                    form::ING
                } else if other.ends_with('s') && !other.ends_with("ss") && other != "was" {
                    form::S
                } else if index == 0 && others.len() > 1 && !others[1].ends_with("ing") {
                    form::PAST
                } else {
                    form::PAST | form::PARTICIPLE
                };
                forms.push((other.clone(), bits));
            }
        }
    }
    forms
}

/// The base with `-ing` or `-ed`, as English spells it.
fn with_ending(base: &str, ending: &str) -> String {
    let bytes = base.as_bytes();
    let vowel = |byte: u8| matches!(byte, b'a' | b'e' | b'i' | b'o' | b'u');
    if let Some(stem) = base.strip_suffix("ie")
        && ending == "ing"
    {
        return format!("{stem}ying");
    }
    if base.ends_with('e') && !(ending == "ing" && (base.ends_with("ee") || base.ends_with("oe"))) {
        return format!("{}{ending}", &base[..base.len() - 1]);
    }
    if let Some(stem) = base.strip_suffix('y')
        && ending == "ed"
        && stem.as_bytes().last().is_some_and(|&last| !vowel(last))
    {
        return format!("{stem}ied");
    }
    if let [.., first, second, last] = *bytes
        && bytes.len() == 3
        && !vowel(first)
        && vowel(second)
        && !vowel(last)
        && !matches!(last, b'w' | b'x' | b'y')
    {
        return format!("{base}{}{ending}", char::from(last));
    }
    format!("{base}{ending}")
}

/// The plural of a noun, which is also the third person of a verb.
pub(super) fn plural(word: &str) -> String {
    let vowel_before = |word: &str| {
        word.as_bytes().iter().rev().nth(1).is_some_and(|byte| b"aeiou".contains(byte))
    };
    if let Some(stem) = word.strip_suffix('y')
        && !vowel_before(word)
    {
        return format!("{stem}ies");
    }
    if ["s", "x", "z", "ch", "sh"].iter().any(|ending| word.ends_with(ending)) {
        return format!("{word}es");
    }
    format!("{word}s")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endings_follow_english_spelling() {
        let cases = [
            ("condemn", "ed", "condemned"),
            ("praise", "ing", "praising"),
            ("deny", "ed", "denied"),
            ("bar", "ed", "barred"),
            ("agree", "ing", "agreeing"),
            ("lie", "ing", "lying"),
            ("annoy", "ed", "annoyed"),
        ];
        for (base, ending, expected) in cases {
            assert_eq!(with_ending(base, ending), expected);
        }
        for (word, expected) in [("ally", "allies"), ("attack", "attacks"), ("breach", "breaches")]
        {
            assert_eq!(plural(word), expected);
        }
    }
}
