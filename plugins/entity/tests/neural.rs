//! The neural tagger in the stage. The model is the encoder's fixture: its weights are random, so
//! what it says of a word means nothing, but where it was asked can be seen.

#![expect(clippy::unwrap_used, reason = "a test stops where something is not as it should be")]

use std::path::PathBuf;

use standpoint_entity::gazetteer::Gazetteer;
use standpoint_entity::learned::worth_reading;
use standpoint_entity::sight::Sight;
use standpoint_entity::{EntitySettings, EntityStage};
use standpoint_stage::{StageDefinition, StageError, StartContext, testing};

fn start(settings: EntitySettings) -> Result<EntityStage, StageError> {
    let pipeline_dir = env!("CARGO_MANIFEST_DIR").into();
    EntityStage::start(settings, &StartContext { stage: "entity".into(), pipeline_dir })
}

fn settings(model: &str) -> EntitySettings {
    EntitySettings {
        neural: true,
        unknown_names: false,
        model: Some(PathBuf::from(model)),
        ..EntitySettings::default()
    }
}

const FIXTURE: &str = "../../crates/standpoint-encoder/tests/fixture";

/// The names that a stage finds.
fn found(stage: &EntityStage, text: &str) -> Vec<String> {
    let mut document = testing::tokenised(text);
    testing::process(stage, &mut document).unwrap();
    document.mentions().iter().map(|name| document.slice(name.span).to_owned()).collect()
}

#[test]
fn only_what_no_table_explains_is_read() {
    let neural = start(settings(FIXTURE)).unwrap();
    let tables = start(EntitySettings { unknown_names: false, ..EntitySettings::default() });
    let tables = tables.unwrap();
    let known = "Russia condemned the raid.";
    assert_eq!(found(&neural, known), found(&tables, known));
    let unknown = "Varnholt met Brisk Hallow in Lumen.";
    assert_eq!(found(&tables, unknown), Vec::<String>::new());
    assert_ne!(found(&neural, unknown), Vec::<String>::new());
}

/// Of the small words the fixture takes some for names, too.
#[test]
fn a_name_has_a_capital_letter() {
    let neural = start(settings(FIXTURE)).unwrap();
    let names = found(&neural, "Varnholt met Brisk Hallow in Lumen.");
    assert_eq!(names, ["Varnholt", "Brisk", "Hallow", "Lumen"]);
}

#[test]
fn sentences_are_chosen_by_their_capitals() {
    let cases = [
        ("known", "Russia condemned the raid.", 0),
        ("unknown", "Arcadia condemned the raid.", 1),
        ("unknown inside", "Then Arcadia condemned the raid.", 1),
        ("small letters", "then they condemned the raid.", 0),
        ("a common word first", "Raids go on, and raids end.", 0),
        ("nothing", "", 0),
    ];
    let gazetteer = Gazetteer::built_in().unwrap();
    for (case, text, expected) in cases {
        let document = testing::tokenised(text);
        let sight = Sight::new(&gazetteer, text, document.tokens(), document.sentences());
        assert_eq!(worth_reading(&document, &sight, 100).len(), expected, "{case}");
        assert_eq!(worth_reading(&document, &sight, 1).len(), 0, "{case}, without room");
    }
}

#[test]
fn the_model_that_comes_along_knows_strangers() {
    let stage = start(EntitySettings { model: None, ..settings("") }).unwrap();
    let text = "Yesterday Jane Okonkwo thanked the envoy.";
    assert_eq!(found(&stage, text), ["Jane Okonkwo"]);
}

#[test]
fn a_model_that_is_not_there_is_named() {
    let missing = start(settings("no-such-model")).unwrap_err();
    assert!(missing.to_string().contains("no-such-model"), "{missing}");
}

/// With the model that is shipped, which takes the whole of it for a person.
#[test]
fn the_minister_of_a_state_hides_no_state() {
    let settings = EntitySettings { neural: true, ..EntitySettings::default() };
    let stage = start(settings).unwrap();
    for state in ["Poland", "Lithuania", "Hungary", "Norway", "China", "Austria", "Vietnam", "Mali"]
    {
        let text = format!("The foreign minister of {state} condemned the raid.");
        assert_eq!(found(&stage, &text), [state], "{state}");
    }
}
