//! Which sentences are read, what is written of them, and what is said where something is not
//! read. All sentences are our own; the model is the small one of the encoder's tests.

#![expect(clippy::unwrap_used, reason = "a test stops where something is not as it should be")]

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use serde_json::json;
use standpoint_document::{
    Aliases, Annotation, Document, Entity, EntityKind, Span, layers, mention, sentence,
};
use standpoint_encode::{EncodeSettings, EncodeStage, Sentences};
use standpoint_encoder::{Seen, VECTORS};
use standpoint_stage::testing::{check_settings_schema, process, tokenised, wait_for};
use standpoint_stage::{Stage, StageContext, StageDefinition, StartContext};

fn fixture() -> PathBuf {
    PathBuf::from(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../crates/standpoint-encoder/tests/fixture"
    ))
}

fn start(settings: EncodeSettings) -> Result<EncodeStage, String> {
    let context = StartContext { stage: "encode".into(), pipeline_dir: fixture() };
    EncodeStage::start(settings, &context).map_err(|error| error.to_string())
}

fn stage(settings: EncodeSettings) -> EncodeStage {
    start(EncodeSettings { model: Some(".".into()), ..settings }).unwrap()
}

/// A document in which each name is a state, but for Oslo, a place; "it" is Norway, and a name
/// behind "like" does not act.
fn document(text: &str) -> Document<'static> {
    let mut document = tokenised(text);
    let names = ["Norway", "Chile", "Togo", "Oslo"];
    let entities = names
        .iter()
        .map(|name| Entity {
            id: name[..3].to_uppercase(),
            name: (*name).into(),
            kind: EntityKind::Country,
            country: None,
            speaks_for_country: false,
            aliases: Aliases::new(),
        })
        .collect();
    let mut mentions = Vec::new();
    let mut before = "";
    for token in document.tokens() {
        let word = document.slice(token.span);
        let link = if word == "it" { Some(0) } else { names.iter().position(|&name| name == word) };
        if let Some(link) = link {
            let kind = if link == 3 { EntityKind::Place } else { EntityKind::Country };
            let flags = if before == "like" { mention::NOT_AN_ACTOR } else { 0 };
            mentions.push(
                Annotation::new(token.span)
                    .with_label(kind.code())
                    .with_flags(flags)
                    .with_link(link as u32),
            );
        }
        before = word;
    }
    document.set_entities(mentions, entities).unwrap();
    document
}

/// The words at the places that have vectors, a bar between windows.
fn places(document: &Document<'_>) -> String {
    let layer = document.layer(VECTORS).unwrap();
    let mut found = String::new();
    for row in layer.annotations.iter() {
        if layer.label_of(row) == Some("window") {
            found.push('|');
        } else {
            found.push(' ');
            found.push_str(document.slice(row.span));
        }
    }
    found
}

fn toward(targets: &[&str]) -> EncodeSettings {
    let targets = targets.iter().map(|&name| name.to_owned()).collect();
    EncodeSettings { targets: Some(targets), ..EncodeSettings::default() }
}

#[test]
fn keeps_to_what_every_stage_must() {
    // "XYZ" is whom the suite's documents name.
    let settings = json!({ "model": fixture(), "target": "XYZ" });
    standpoint_stage::conformance::assert_conforms_with::<EncodeStage>(&settings);
}

#[test]
fn the_schema_file_is_current() {
    check_settings_schema::<EncodeStage>(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/settings.schema.json"
    ));
}

#[test]
fn sentences_that_speak_of_a_target_are_read() {
    let actors = EncodeSettings { sentences: Sentences::Actors, ..toward(&["Norway"]) };
    let cases = [
        ("named", toward(&["Norway"]), "Chile met Norway.\nTogo met Chile.", "| Chile Norway"),
        ("by id", toward(&["NOR"]), "Norway slept.\nIt rained.", "| Norway"),
        ("by reference", toward(&["Norway"]), "Then it met Togo.", "| it Togo"),
        ("two targets", toward(&["TOG", "CHI"]), "Togo.\nNorway.\nChile.", "| Togo| Chile"),
        ("a place besides", toward(&["Norway"]), "Norway left Oslo.\nOslo.", "| Norway Oslo"),
        ("no actor", toward(&["Norway"]), "Food like Norway has.", ""),
        ("nobody", toward(&["Peru"]), "Norway.", ""),
        ("all actors", actors, "Chile.\nIt rained.\nOslo.\nNorway.", "| Chile| Norway"),
    ];
    for (case, settings, text, expected) in cases {
        let mut document = document(text);
        process(&stage(settings), &mut document).unwrap();
        assert_eq!(places(&document), expected, "{case}");
        assert_eq!(document.notes(), [""; 0], "{case}");
        let model = document.attribute("standpoint.encoder").unwrap().as_str().unwrap();
        assert!(model.starts_with("fixture/1@"), "{case}: {model}");
        assert!(Seen::of(&document, model).unwrap().is_some(), "{case}");
    }
}

#[test]
fn what_somebody_asks_about_is_read() {
    let mut document = document("A cat sat.\nChile slept.\nTwo dogs ran after a cat.");
    let last = document.text().rfind("cat").unwrap();
    document.set_attribute("standpoint.targets", json!([{ "start": 2, "end": 5 }, { "end": 9 }]));
    document.set_attribute(
        "standpoint.pairs",
        json!([
            { "holder": null, "target": { "start": last, "end": last + 3 } },
            { "holder": { "start": 9000, "end": 9001 }, "target": { "start": 3, "end": 3 } },
        ]),
    );
    process(&stage(EncodeSettings::default()), &mut document).unwrap();
    assert_eq!(places(&document), "| cat| cat");
}

#[test]
fn boilerplate_and_other_languages_are_passed_over() {
    for flag in [sentence::BOILERPLATE, sentence::FOREIGN] {
        let mut document = document("Norway slept.");
        let line = Annotation::new(Span::new(0, 13)).with_flags(flag);
        document.set_layer(layers::SENTENCES, vec![line]).unwrap();
        process(&stage(toward(&["Norway"])), &mut document).unwrap();
        assert_eq!(places(&document), "");
    }
}

#[test]
fn what_is_left_out_is_said() {
    let mut document = document("Norway slept.\nNorway woke up.\nNorway ran.");
    let settings = EncodeSettings { max_words: 6, ..toward(&["Norway"]) };
    process(&stage(settings), &mut document).unwrap();
    assert_eq!(
        places(&document),
        "| Norway| Norway",
        "the third has room where the second had none"
    );
    assert_eq!(
        document.notes(),
        ["encode: 1 sentences behind the first 6 words were left to the rules (`max_words`)"]
    );
}

#[test]
fn a_sentence_without_end_is_read_in_windows_and_its_rest_is_said() {
    let mut document = document(&format!("Norway {} Norway.", "ran and ran ".repeat(3000)));
    process(&stage(toward(&["Norway"])), &mut document).unwrap();
    assert_eq!(document.notes(), ["encode: 1 sentences were read to their word piece 8192"]);
    let found = places(&document);
    assert_eq!(found.matches("Norway").count(), 1, "the second stands behind the cut");
    assert!(found.matches('|').count() > 100, "in windows of 64");
}

#[test]
fn documents_in_company_keep_their_places() {
    let texts = ["Norway slept.", "It rained.", "Chile met Norway.\nNorway left."];
    let mut documents: Vec<Document<'_>> = texts.iter().map(|text| document(text)).collect();
    let cancelled = AtomicBool::new(false);
    let context = StageContext::new("encode", 1, &cancelled);
    let stage = stage(toward(&["Norway"]));
    let results = wait_for(stage.process_batch(&mut documents, &context));
    assert!(results.iter().all(Result::is_ok));
    let found: Vec<String> = documents.iter().map(places).collect();
    assert_eq!(found, ["| Norway", "", "| Chile Norway| Norway"]);
    cancelled.store(true, std::sync::atomic::Ordering::Relaxed);
    let results = wait_for(stage.process_batch(&mut documents, &context));
    assert!(results.iter().all(Result::is_err), "a cancelled call reads nothing");
}

#[test]
fn a_damaged_model_is_an_error_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["manifest.json", "vocab.txt", "encoder.onnx", "encoder.data"] {
        std::fs::copy(fixture().join(name), folder.path().join(name)).unwrap();
    }
    let encoder = folder.path().join("encoder.data");
    let mut bytes = std::fs::read(&encoder).unwrap();
    bytes[1000] ^= 1;
    std::fs::write(&encoder, bytes).unwrap();
    let model = Some(folder.path().to_owned());
    let error = start(EncodeSettings { model, ..EncodeSettings::default() }).unwrap_err();
    assert!(error.contains("encoder.data is damaged: its SHA-256 is"), "{error}");
}

#[test]
fn the_shipped_model_opens_and_its_hashes_are_right() {
    let stage = start(EncodeSettings::default()).unwrap();
    let mut document = document("Norway met Chile.");
    process(&stage, &mut document).unwrap();
    let model = document.attribute("standpoint.encoder").unwrap().as_str().unwrap();
    let name = EncodeStage::MODEL.unwrap();
    assert!(model.starts_with(&format!("{name}@")), "{model} is not {name}");
}

#[test]
fn settings_that_cannot_work_are_refused_by_name() {
    let both = EncodeSettings { target: Some("Chile".into()), ..toward(&["Togo"]) };
    let elsewhere = EncodeSettings { model: Some("no-such".into()), ..toward(&["Togo"]) };
    let cases = [(both, "`target` and `targets` are both given"), (elsewhere, "cannot read")];
    for (settings, expected) in cases {
        let error = start(settings).unwrap_err();
        assert!(error.starts_with(expected), "{error}");
    }
}
