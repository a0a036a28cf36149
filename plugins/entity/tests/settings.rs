//! The settings' schema file says what the settings type says.

use standpoint_entity::EntityStage;

#[test]
fn settings_schema_is_current() {
    standpoint_stage::testing::check_settings_schema::<EntityStage>(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/settings.schema.json"
    ));
}
