//! The stage keeps to what every stage must, and its schema file says what its settings type says.

use standpoint_entity::EntityStage;

#[test]
fn settings_schema_is_current() {
    standpoint_stage::testing::check_settings_schema::<EntityStage>(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/settings.schema.json"
    ));
}

#[test]
fn keeps_to_what_every_stage_must() {
    standpoint_stage::conformance::assert_conforms::<EntityStage>();
}
