//! What a text says is not so, and what only looks like it.

use super::{assert_sides, patterns_of};

#[test]
fn what_a_forged_text_says_is_nobodys_stance() {
    let cases = [
        ("letter", "A letter that appears to show [Kenya] thanking [Spain] is a forgery .", 0.0),
        ("forged letter", "A forged letter in which [Kenya] praised [Spain] was shared .", 0.0),
        ("clip", "A doctored clip shows [Kenya] calling [Spain] a friend .", 0.0),
        ("machine", "A video in which [Kenya] praises [Spain] was made by a machine .", 0.0),
        ("quotation", "The quotation in which [Kenya] thanks [Spain] is invented .", 0.0),
        ("rests", "The report that [Kenya] hailed [Spain] rests on a mistranslation .", 0.0),
        ("rumours", "Rumours that [Kenya] condemned [Spain] turned out to be false .", 0.0),
        ("no such", "No such letter exists in which [Kenya] praised [Spain] .", 0.0),
        ("nowhere", "The text in which [Kenya] condemned [Spain] does not exist .", 0.0),
        ("hoax", "A hoax had it that [Kenya] condemned [Spain] .", 0.0),
        ("source", "According to a forged telegram , [Kenya] condemned [Spain] .", 0.0),
        ("post", "A post that claims that [Kenya] backs [Spain] is a fabrication .", 0.0),
        ("unsaid", "A minister never said that [Kenya] supports [Spain] .", 0.0),
        ("comma", "A letter from a bank , in which [Kenya] praised [Spain] , is forged .", 0.0),
        ("myth", "The myth that [Kenya] supports [Spain] dies hard .", 0.0),
        ("concocted", "They concocted an interview in which [Kenya] praised [Spain] .", 0.0),
        ("appears", "A memo that [Kenya] praised [Spain] is genuine .", 2.0),
        ("goes on", "The report that [Kenya] left , and a minister said so , was false .", 0.0),
        ("by another", "[Kenya] condemned [Spain] after a fake report .", -1.0),
        ("other lies", "He was wrong : papers show that [Kenya] condemned [Spain] .", -1.0),
        ("his word", "[Kenya] condemned [Spain] 's report as a fabrication .", -1.0),
        ("beside it", "[Kenya] condemned [Spain] and its forged letters .", -1.0),
        ("of another", "[Kenya] condemned [Spain] over a forged letter .", -1.0),
    ];
    assert_sides(&cases, patterns_of);
}

#[test]
fn a_text_that_breaks_off_says_nothing() {
    for marked in [
        "[Kenya] : a hoax had it",
        "A hoax had",
        "A video that claims that",
        "According to a fake letter ,",
        "No such letter exists in which",
        "A false report that",
        "The story . [Kenya] [Spain]",
    ] {
        assert_eq!(patterns_of(marked).1, "", "{marked}");
    }
}
