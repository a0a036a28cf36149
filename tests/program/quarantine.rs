//! The commands over the quarantine.

use crate::harness::{Folder, run};

fn station() -> (Folder, String) {
    let folder = Folder::new();
    let pipeline = folder.write(
        "p.yaml",
        "version: 1
data_dir: ./state
sources:
  news: { type: inbox, path: ./inbox, settle: 1ms, on_success: delete }
stages: [tokenise, entity, sentiment, stance]
sinks: { results: { type: jsonl, path: ./results.jsonl } }
quarantine: { path: ./quarantine }
",
    );
    folder.write("inbox/empty.txt", " ");
    folder.write("inbox/sub/rubbish.jsonl", "{\"text\": \"Minsk praised Russia.\"}\nrubbish\n");
    (folder, pipeline)
}

#[test]
fn what_failed_is_listed_shown_tried_again_and_deleted() {
    let (folder, pipeline) = station();
    let quarantine = |arguments: &[&str]| {
        let command = ["quarantine", arguments[0], "-c", &pipeline];
        run(&[&command, &arguments[1..]].concat())
    };
    let daemon = || run(&["daemon", "-c", &pipeline, "--once"]);
    assert_eq!(quarantine(&["list"]).expect(0).stdout, "nothing is in quarantine\n");
    daemon().expect(3);

    let listed = quarantine(&["list"]).expect(0).stdout;
    assert!(listed.contains("it holds no text"), "{listed}");
    assert!(listed.contains("1 of its 2 documents failed"), "{listed}");
    let json = quarantine(&["list", "--format", "json"]).expect(0).stdout;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json.as_array().unwrap().len(), 2);
    let shown = quarantine(&["show", "sub/rubbish.jsonl"]).expect(0).stdout;
    assert!(shown.contains("line 2, column 1"), "{shown}");
    let missing = quarantine(&["show", "../p.yaml"]).expect(2).stderr;
    assert!(missing.contains("no such file in quarantine"), "{missing}");

    // Mended in place, it goes through; what is in the results already is not doubled.
    folder.write("quarantine/sub/rubbish.jsonl", "{\"text\": \"Minsk praised Russia.\"}\n");
    let told = quarantine(&["replay", "sub/rubbish.jsonl"]).expect(0).stdout;
    assert_eq!(told, "sub/rubbish.jsonl: back in the inbox\n");
    daemon().expect(0);
    let results = std::fs::read_to_string(folder.at("results.jsonl")).unwrap();
    assert_eq!(results.lines().count(), 1);

    // Another of its name stands in the inbox.
    folder.write("inbox/empty.txt", "Astana condemned Russia.");
    let told = quarantine(&["replay", "--all"]).expect(1).stdout;
    assert!(told.starts_with("empty.txt: stays, because"), "{told}");
    assert_eq!(quarantine(&["purge", "--older-than", "1h"]).expect(0).stdout, "");
    assert_eq!(quarantine(&["purge", "--all"]).expect(0).stdout, "empty.txt: deleted\n");
    assert_eq!(folder.files("quarantine", false), [""; 0]);
    quarantine(&["purge"]).expect(2);
}
