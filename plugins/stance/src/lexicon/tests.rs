//! How the lists are read, and what is found in them.

use super::*;

#[test]
fn the_compiled_lists_are_well_formed() {
    let lexicon = Lexicon::standard().unwrap();
    assert!(lexicon.entries.len() > 3000, "{}", lexicon.entries.len());
    for (word, forms) in [
        ("condemned", form::PAST | form::PARTICIPLE),
        ("stood", form::PAST | form::PARTICIPLE),
        ("vetoing", form::ING),
        ("denies", form::S),
        ("banned", form::PAST | form::PARTICIPLE),
    ] {
        let entry = lexicon.get(word).unwrap();
        assert_eq!(entry.forms & forms, forms, "{word}");
    }
}

#[test]
fn a_word_is_of_the_classes_of_its_entry_however_it_is_written() {
    let lexicon = Lexicon::standard().unwrap();
    for (_, fields) in rows(FUNCTION, include_str!("../../cues/function.tsv"), 2).unwrap() {
        let word = &*fields[0];
        let Some(entry) = lexicon.get(word) else { continue };
        for class in (0..32).map(|bit| 1 << bit) {
            for written in [word.to_string(), word.to_ascii_uppercase()] {
                // Capitals are looked at where the first letter is one.
                let same = written == word || written.starts_with(char::is_uppercase);
                let expected = same && entry.classes & class != 0;
                assert_eq!(lexicon.is_of(&written, class), expected, "{written} {class}");
            }
        }
    }
}

#[test]
fn words_that_are_meant_have_the_key_of_their_pattern() {
    let words =
        ["its", "our", "itself", "ourselves", "to", "towards", "about", "over", "with", "of"];
    for pattern in words {
        for word in words {
            assert!(!is_meant(pattern, word) || key(pattern) == key(word), "{pattern} {word}");
        }
    }
    assert!(is_meant("to", "towards") && !is_meant("towards", "to"));
}

#[test]
fn a_wrong_line_is_named() {
    let error = rows("verbs.tsv", "# head\ncondemn\t-2", 4).unwrap_err();
    insta::assert_snapshot!(error, @r#"verbs.tsv:2: found "condemn\t-2", expected columns separated by tabs, as the head of the file says"#);
}
