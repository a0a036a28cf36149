//! The default chain: the encoder reads what speaks of the target, and odd texts cost no more than
//! they may.

use std::fmt::Write as _;

use serde_json::Value;

use crate::harness::{Folder, repository, run, run_with_input};

/// The default chain with less room, so that a debug build fills it soon.
const SMALL: &str = "\
version: 1
stages:
  - tokenise
  - entity
  - use: encode
    with: { max_words: 600 }
    batch: { max_documents: 4, max_delay: 5ms }
    timeout: 60s
  - { use: sentiment, with: { judge: neural } }
  - { use: stance, with: { judge: neural } }
";

fn result_of(text: &str) -> Value {
    run_with_input(&["run"], text.as_bytes()).expect(0).results().remove(0)
}

/// The label of an actor toward Russia.
fn label_of(result: &Value, id: &str) -> Option<String> {
    let actors = result["stance"][0]["actors"].as_array()?;
    let actor = actors.iter().find(|actor| actor["id"] == id)?;
    actor["label"].as_str().map(str::to_owned)
}

#[test]
fn the_encoder_judges_and_results_name_it() {
    let result = result_of("Kazakhstan condemned Russia on Monday. Belarus praised Russia.\n");
    assert_eq!(label_of(&result, "KAZ").as_deref(), Some("opposed"), "{result}");
    assert_eq!(label_of(&result, "BLR").as_deref(), Some("supportive"), "{result}");
    assert_eq!(result["status"], "complete");
    let model = result["attributes"]["standpoint.encoder"].as_str().unwrap();
    let stages = result["provenance"]["stages"].as_array().unwrap();
    let encode = stages.iter().find(|stage| stage["name"] == "encode").unwrap();
    assert!(model.starts_with(encode["model"].as_str().unwrap()), "{model} {encode}");
    assert_eq!(result["layers"], serde_json::json!({}), "vectors are for stages");
}

/// What the rules know without the encoder is 0.78, and what they know with one that says nothing
/// of worth is 0.69: numbers that a processor rounds otherwise show here, wherever the tests run.
#[test]
fn most_of_the_probes_are_known_on_this_processor() {
    let probes = repository("tests/behaviour/probes-dev.jsonl");
    let ran = run(&["evaluate", "stance", &probes, "--format", "json"]).expect(0);
    let figures: Value = serde_json::from_str(&ran.stdout).unwrap();
    let accuracy = figures["accuracy"].as_f64().unwrap();
    assert!(0.8 < accuracy, "{accuracy}: {figures}");
}

#[test]
fn a_document_in_another_language_passes_without_stance_and_says_so() {
    let result = result_of(
        "Казахстан осудил действия России в понедельник. Министр иностранных дел сказал, что \
         страна не поддержит эту войну, и призвал всех к переговорам.\n",
    );
    assert_eq!((&result["language"], &result["status"]), (&"ru".into(), &"partial".into()));
    assert_eq!(result["stance"], serde_json::json!([]));
    let notes = result["notes"].to_string();
    assert!(notes.contains("encode") && notes.contains("stance"), "{notes}");
}

#[test]
fn odd_texts_are_read_within_bounds() {
    let table: String = (0..200).fold(String::new(), |mut table, row| {
        let _ = writeln!(table, "| Russia | {row} | Kazakhstan | {} |", row * 7);
        table
    });
    let cases = [
        ("capitals", "KAZAKHSTAN CONDEMNED RUSSIA. BELARUS PRAISED RUSSIA.".to_owned(), "complete"),
        ("table", table, "partial"),
        ("list", "- Russia\n- Kazakhstan\n- Belarus\n".repeat(20), "complete"),
        (
            "code",
            "fn main() { let russia = \"Russia\"; println!(\"{russia}\"); }\n".repeat(9),
            "complete",
        ),
        (
            "noise",
            "Kazakhs tan c0nd emned Rus5ia ,, 1n. tbe\u{fb01}rst ~~ pIace. ".repeat(9),
            "complete",
        ),
        (
            "a sentence without end",
            format!("Russia {} Kazakhstan.", "and so on ".repeat(1700)),
            "complete",
        ),
        (
            "a megabyte",
            "Kazakhstan condemned Russia on that day as well. ".repeat(21_000),
            "partial",
        ),
    ];
    let folder = Folder::new();
    let pipeline = folder.write("small.yaml", SMALL);
    for (number, (_, text, _)) in cases.iter().enumerate() {
        folder.write(&format!("in/{number}.txt"), text);
    }
    let ran = run(&["run", "-c", &pipeline, &folder.at("in")]).expect(0);
    let results = ran.results();
    assert_eq!(results.len(), cases.len(), "{}", ran.stderr);
    for result in results {
        let path = result["source"]["path"].as_str().unwrap();
        let number: usize = path.strip_suffix(".txt").unwrap().parse().unwrap();
        let (case, _, status) = &cases[number];
        assert_eq!(result["status"], *status, "{case}: {}", result["notes"]);
        let says = result["notes"].to_string().contains("max_words");
        assert_eq!(says, *status == "partial", "{case}: {}", result["notes"]);
    }
}

#[test]
fn vectors_toward_another_target_are_refused_before_the_start() {
    let folder = Folder::new();
    let other = SMALL
        .replace("max_words: 600", "target: Turkey")
        .replace("use: stance, with: { judge", "use: stance, with: { target: Russia, judge");
    let text = folder.write("a.txt", "Kazakhstan condemned Russia on Monday.");
    let pipeline = folder.write("p.yaml", other.replace("target: Turkey", "target: RUS"));
    let ran = run(&["run", "-c", &pipeline, &text]).expect(0);
    assert_eq!(label_of(&ran.results()[0], "KAZ").as_deref(), Some("opposed"));
    let pipeline = folder.write("p.yaml", other);
    let told = run(&["run", "-c", &pipeline, &text]).expect(2).stderr;
    assert!(told.contains("`stance` looks for \"Russia\", but `encode`"), "{told}");
}
