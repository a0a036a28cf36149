//! Whose words a sentence is in: speakers, quotations, reports, and claims that are none.

use super::*;

#[test]
fn a_transcript_s_speaker_gives_voice_to_its_author() {
    let mut document = document("Larina: We condemn Russia.", Some("NOR"));
    // Nobody knows for whom she speaks.
    let mut entities = document.entities().to_vec();
    let larina = entities.iter_mut().find(|entity| entity.id == "name:vera-larina").unwrap();
    larina.country = None;
    let mentions = document.mentions().to_vec();
    document.set_entities(mentions, entities).unwrap();
    process(&stage(StanceSettings::default()), &mut document).unwrap();
    assert_eq!(label_of(&document, "name:vera-larina"), None);
    assert_eq!(label_of(&document, "author"), Some(StanceLabel::Opposed));
}

/// Whoever is named before a colon at the beginning of a line speaks there.
#[test]
fn answers_are_those_of_whoever_is_asked() {
    use StanceLabel::Opposed;
    let cases = [
        ("named", "Duda: We condemn Russia.", Some(Opposed), None),
        ("goes on", "Duda: Good day.\nWe condemn Russia.", None, Some(Opposed)),
        ("in capitals", "DUDA: Good day.\nWe condemn Russia.", Some(Opposed), None),
        ("next label", "DUDA: Good day.\nTHE HALL: We condemn Russia.", None, None),
        ("behind a rule", "DUDA: Good day.\n***\nWe condemn Russia.", None, Some(Opposed)),
        ("headline", "DUDA: NO DEAL\nWe condemn Russia.", None, Some(Opposed)),
        ("asked", "Duda spoke.\nQ: Well?\nA: We condemn Russia.", Some(Opposed), None),
        ("unknown", "Q: Well?\nA: We condemn Russia.", None, None),
        ("the question", "Duda spoke.\nQ: Why do we condemn Russia?\nA: It rains.", None, None),
        ("a note", "Note: We condemn Russia.", None, Some(Opposed)),
        ("a place", "Poland: We condemn Russia.", None, Some(Opposed)),
        ("a by-line", "Reporter: Ann Lee\n\nWe condemn Russia.", None, Some(Opposed)),
        ("in a line", "It quoted Duda: We condemn Russia.", None, Some(Opposed)),
    ];
    for (case, text, of_person, of_author) in cases {
        let document = judged(text);
        assert_eq!(label_of(&document, "POL.DUDA"), of_person, "{case}: {text}");
        assert_eq!(label_of(&document, "author"), of_author, "{case}: {text}");
    }
}

#[test]
fn what_a_report_says_that_others_said_is_no_word_of_its_own() {
    let cases = [
        ("Russia is a terrorist state.", Some(StanceLabel::Opposed)),
        ("Allegedly Russia is a terrorist state.", None),
    ];
    for (text, expected) in cases {
        assert_eq!(label_of(&judged(text), "author"), expected, "{text}");
    }
}

#[test]
fn a_quotation_means_whom_the_sentence_before_led_to() {
    use StanceLabel::{Opposed, Supportive};
    let cases = [
        ("to", "Poland turned to the Russia bench.\n\"We condemn you,\" it said.", Some(Opposed)),
        (
            "of",
            "Poland spoke about Russia.\n\"It has been a loyal friend to us,\" she said.",
            Some(Supportive),
        ),
        ("beside", "\"We stand with you,\" Poland told Russia.", Some(Supportive)),
        (
            "announces",
            "Poland spoke about Russia.\n\"It is time to condemn theft,\" she said.",
            None,
        ),
        (
            "of others",
            "Poland spoke about Russia and Norway.\n\"It has betrayed us,\" she said.",
            None,
        ),
    ];
    for (case, text, expected) in cases {
        assert_eq!(label_of(&judged(text), "POL"), expected, "{case}: {text}");
    }
}

#[test]
fn a_claim_that_the_next_sentence_rejects_counts_nothing() {
    let claim = "A post claims that Poland has praised Russia.";
    let cases = [
        ("alone", "", true),
        ("another matter", "It was read by many.", true),
        ("it", "It is a fabrication.", false),
        ("the post", "The post was fake.", false),
        ("no", "No such words were ever said.", false),
        ("nothing", "Nothing of the kind: the minister slept.", false),
        ("no fake", "It was not a fake.", true),
        ("another thing", "The passport was forged.", true),
        ("comment", "There was no comment from Norway.", true),
        ("a judgement", "This is wrong and must stop.", true),
        ("another's word", "It is false, Norway said.", true),
    ];
    for (case, next, counts) in cases {
        let document = judged(&format!("{claim}\n{next}"));
        assert_eq!(label_of(&document, "POL").is_some(), counts, "{case}");
    }
    let retold = judged("Poland reportedly praised Russia.\nIt is a fabrication.");
    assert_eq!(label_of(&retold, "POL"), None, "nobody answers for it");
    for (case, text) in [
        ("his claim", "Poland claimed that Russia bombed Norway.\nIt is false."),
        ("its claims", "Poland condemned Russia for its claims.\nThey are a fabrication."),
        ("alleged deed", "Poland condemned Russia over an alleged theft.\nIt was a fabrication."),
        ("his video", "Poland condemned Russia in a video.\nThe video was edited."),
        ("his source", "According to Norway, Poland condemned Russia.\nIt is false."),
    ] {
        assert_eq!(label_of(&judged(text), "POL"), Some(StanceLabel::Opposed), "{case}");
    }
    let war = "A video claims that Russia invaded Ukraine.\nIt is fake.\nUkraine defended itself.";
    assert_eq!(label_of(&judged(war), "UKR"), None, "no war is known of");
}

/// A quotation that goes on is of whoever acts in the sentence before, and not of whom he met.
#[test]
fn quotations_are_of_whoever_acts_before_them() {
    use StanceLabel::Opposed;
    let cases = [
        ("first", "Poland was blunt on Monday.", Some(Opposed), None),
        ("meeting", "At a meeting with Norway, Poland was blunt.", Some(Opposed), None),
        ("held by", "At an event held by Norway, Poland was blunt.", Some(Opposed), None),
        ("spokesman", "A spokesman for Poland came to Norway.", Some(Opposed), None),
        ("nobody else", "He had come with Norway.", None, Some(Opposed)),
        ("source", "According to Norway, Poland was blunt.", None, Some(Opposed)),
    ];
    for (case, before, of_poland, of_norway) in cases {
        let document = judged(&format!("{before}\n\"We condemn Russia,\" was the message."));
        assert_eq!(label_of(&document, "POL"), of_poland, "{case}");
        assert_eq!(label_of(&document, "NOR"), of_norway, "{case}");
    }
}
