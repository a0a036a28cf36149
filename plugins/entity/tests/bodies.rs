//! Parties, groups, firms and ministries: what gives them away, and who means them. All sentences are
//! our own.

use standpoint_document::Document;
use standpoint_entity::{EntitySettings, EntityStage};
use standpoint_stage::{StageDefinition, StartContext, testing};

fn stage() -> EntityStage {
    let pipeline_dir = env!("CARGO_MANIFEST_DIR").into();
    let context = StartContext { stage: "entity".into(), pipeline_dir };
    EntityStage::start(EntitySettings::default(), &context).expect("the settings are right")
}

/// Every mention as `text=id`.
fn mentions(stage: &EntityStage, document: &Document<'_>) -> Vec<String> {
    let (mentions, entities) = stage.find(document);
    let id = |link: u32| &entities[link as usize].id;
    mentions
        .iter()
        .map(|found| format!("{}={}", document.slice(found.span), id(found.link)))
        .collect()
}

/// Bodies that no table knows, by the noun beside their names or at their ends.
#[test]
fn a_body_is_known_by_the_noun_that_says_what_it_is() {
    let stage = stage();
    let cases: &[(&str, &[&str])] = &[
        (
            "They met the rights group Voices of Ouham in May.",
            &["Voices of Ouham=name:voices-of-ouham"],
        ),
        ("They met the opposition Free Shore party in May.", &["Free Shore=name:free-shore"]),
        (
            "They met the Norwegian Nobel Committee in the old hall.",
            &["Norwegian Nobel Committee=NOR.NORWEGIAN_NOBEL_COMMITTEE"],
        ),
        ("They met the group Tuesday in the old hall.", &[]),
        ("They met the company President in the old hall.", &[]),
        ("They met the party of Peru in the old hall.", &["Peru=PER"]),
        ("THE RIGHTS GROUP VOICES OF OUHAM", &[]),
    ];
    for (text, expected) in cases {
        assert_eq!(mentions(&stage, &testing::tokenised(text)), *expected, "{text}");
    }
}

/// The ministry of a state that is named acts for it.
#[test]
fn a_ministry_is_of_the_state_behind_it() {
    let stage = stage();
    for (text, expected) in [
        ("They met the Ministry of Foreign Affairs of Estonia.", Some("EST")),
        ("They met the Ministry of Foreign Affairs of the Republic of Moldova.", Some("MDA")),
        ("They met the Ministry of Foreign Affairs in Estonia.", None),
    ] {
        let (_, entities) = stage.find(&testing::tokenised(text));
        let ministry = entities.iter().find(|entity| entity.name.starts_with("Ministry"));
        let ministry = ministry.unwrap_or_else(|| panic!("{text}: {entities:?}"));
        assert_eq!(ministry.country.as_deref(), expected, "{text}");
        assert_eq!(ministry.speaks_for_country, expected.is_some(), "{text}");
    }
}

/// "He" and "the ministry" behind a quotation mark or comma, before a verb of speech.
#[test]
fn whoever_speaks_behind_his_words_is_of_the_sentence_before() {
    let stage = stage();
    let cases = [
        ("Vladimir Putin spoke.\n\"It rains a lot in May,\" he said.", "he", Some("RUS.PUTIN")),
        ("Vladimir Putin spoke.\nIt rains a lot when he sleeps.", "he", None),
        (
            "Sweden's foreign ministry spoke.\nPeru broke the law, the ministry said.",
            "the ministry",
            Some("SWE"),
        ),
        (
            "The government of Sweden met.\nPeru broke the law, the government said.",
            "the government",
            Some("SWE"),
        ),
        (
            "It rained.\nPeru will close its port, the government said.",
            "the government",
            Some("PER"),
        ),
        (
            "Chad and the International Monetary Fund met.\nPeru will leave the organisation.",
            "the organisation",
            Some("IMF"),
        ),
    ];
    for (text, surface, expected) in cases {
        let document = testing::tokenised(text);
        let (mentions, entities) = stage.find(&document);
        let found = mentions.iter().find(|found| document.slice(found.span) == surface);
        assert_eq!(found.map(|found| &*entities[found.link as usize].id), expected, "{text}");
    }
}
