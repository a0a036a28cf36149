//! The commands over the quarantine.

use crate::harness::{Folder, keeps_attributes, run};

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
    assert!(listed.contains("sub/rubbish.record-2.jsonl"), "{listed}");
    let json = quarantine(&["list", "--format", "json"]).expect(0).stdout;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json.as_array().unwrap().len(), 2);
    let shown = quarantine(&["show", "sub/rubbish.record-2.jsonl"]).expect(0).stdout;
    assert!(shown.contains("line 2, column 1"), "{shown}");
    let missing = quarantine(&["show", "../p.yaml"]).expect(2).stderr;
    assert!(missing.contains("no such file in quarantine"), "{missing}");

    // Mended in place, it goes through; what is in the results already is not doubled.
    let mended = "{\"text\": \"Minsk praised Russia.\"}\n{\"text\": \"Minsk left.\"}";
    folder.write("quarantine/sub/rubbish.record-2.jsonl", mended);
    let told = quarantine(&["replay", "sub/rubbish.record-2.jsonl"]).expect(0).stdout;
    assert_eq!(told, "sub/rubbish.record-2.jsonl: back in the inbox\n");
    daemon().expect(0);
    let results = std::fs::read_to_string(folder.at("results.jsonl")).unwrap();
    assert_eq!(results.lines().count(), 2);

    // Another of its name stands in the inbox.
    folder.write("inbox/empty.txt", "Astana condemned Russia.");
    let told = quarantine(&["replay", "--all"]).expect(1).stdout;
    assert!(told.starts_with("empty.txt: stays, because"), "{told}");
    let none = quarantine(&["purge", "--older-than", "1h"]).expect(0);
    assert_eq!(none.stdout, "");
    assert!(none.stderr.contains("nothing in quarantine is older"), "{}", none.stderr);
    let refused = quarantine(&["purge", "--older-than", "banana"]).expect(2).stderr;
    assert!(refused.contains("such as `30days`"), "{refused}");
    assert_eq!(quarantine(&["purge", "--all"]).expect(0).stdout, "empty.txt: deleted\n");
    assert_eq!(folder.files("quarantine", false), [""; 0]);
    quarantine(&["purge"]).expect(2);
}

#[test]
fn what_is_in_quarantine_is_seen_also_while_the_pipeline_file_is_edited() {
    let (folder, pipeline) = station();
    run(&["daemon", "-c", &pipeline, "--once"]).expect(3);
    let text = std::fs::read_to_string(&pipeline).unwrap();
    let listed = |text: String| run(&["quarantine", "list", "-c", &folder.write("p.yaml", text)]);
    let whole = listed(text.clone()).expect(0);
    for (from, to) in [("./state", "[]"), ("stance]", "stance"), ("sinks:", "sniks:")] {
        let told = listed(text.replace(from, to)).expect(0);
        assert_eq!(told.stdout, whole.stdout, "{to}");
        assert!(told.stderr.contains("p.yaml has mistakes, which `standpoint validate"), "{to}");
    }
    // Where what is needed cannot be read, nothing is guessed.
    for (from, to) in [("path: ./quarantine }", "path: [] }"), ("version: 1", "{ version: 1")] {
        let told = listed(text.replace(from, to)).expect(2);
        assert_eq!(told.stdout, "", "{to}");
        assert!(told.stderr.contains("p.yaml:"), "{to}: {}", told.stderr);
    }
    // What changes something needs a file without mistakes.
    let broken = folder.write("p.yaml", text.replace("sinks:", "sniks:"));
    run(&["quarantine", "replay", "-c", &broken, "--all"]).expect(2);
}

#[test]
fn records_of_one_file_are_tried_again_together_also_when_it_was_compressed() {
    let (folder, pipeline) = station();
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let lines = "{\"text\": \"One fell.\"}\n{\"text\": 1}\n{\"text\": 2}\n";
    std::io::Write::write_all(&mut packed, lines.as_bytes()).unwrap();
    folder.write("inbox/a.jsonl.gz", packed.finish().unwrap());
    run(&["daemon", "-c", &pipeline, "--once"]).expect(3);
    for (number, text) in [(2, "Two"), (3, "Three")] {
        let mended = format!("{{\"text\": \"{text} fell.\"}}\n");
        folder.write(&format!("quarantine/a.record-{number}.jsonl"), mended);
    }
    let records = ["a.record-2.jsonl", "a.record-3.jsonl"];
    let replay = [["quarantine", "replay", "-c", &pipeline].as_slice(), &records].concat();
    run(&replay).expect(0);
    assert!(std::fs::exists(folder.at("inbox/a.jsonl.gz")).unwrap());
    run(&["daemon", "-c", &pipeline, "--once"]).expect(0);
    let results = std::fs::read_to_string(folder.at("results.jsonl")).unwrap();
    assert_eq!(results.matches(" fell.\",\"sentences\"").count(), 3, "{results}");
}

#[test]
fn records_that_fail_again_keep_their_numbers_and_reasons() {
    let (folder, pipeline) = station();
    let quarantine =
        |words: &[&str]| run(&[&["quarantine", words[0], "-c", &pipeline], &words[1..]].concat());
    quarantine(&["purge", "--all"]).expect(0);
    let lines = "{\"text\": \"One fell.\"}\n{\"text\": 1}\n{\"text\": \"Two.\"}\nrubbish\n";
    folder.write("inbox/a.jsonl", lines);
    folder.write("inbox/b.jsonl", "rubbish\n{\"title\": 7}\n");
    run(&["daemon", "-c", &pipeline, "--once"]).expect(3);
    let listed = || quarantine(&["list"]).expect(0).stdout;
    let before = listed();
    assert!(before.contains("a.record-2.jsonl") && before.contains("a.record-4.jsonl"), "{before}");
    assert!(before.contains("the field `text` holds a number"), "{before}");
    // Of a file that failed as a whole each record says why.
    assert!(before.contains("all of its 2 documents failed"), "{before}");
    assert!(before.contains("line 2, column 11: the field `title` holds a number"), "{before}");

    // A file system that keeps no attributes numbers them anew.
    if !keeps_attributes(&folder.write("probe", "")) {
        return;
    }
    for records in [&["a.record-2.jsonl", "a.record-4.jsonl"][..], &["a.record-4.jsonl"]] {
        quarantine(&[&["replay"], records].concat()).expect(0);
        run(&["daemon", "-c", &pipeline, "--once"]).expect(3);
        let now = listed();
        assert!(now.contains("a.record-2.jsonl") && now.contains("a.record-4.jsonl"), "{now}");
        assert!(now.contains("expected a value") && now.contains("the field `text`"), "{now}");
    }
}

#[test]
fn a_record_with_the_id_of_another_is_tried_again_when_it_has_one_of_its_own() {
    let (folder, pipeline) = station();
    let long = "x".repeat(100);
    for (name, id) in [("a.jsonl", "7"), ("b.csv", &*long)] {
        let (head, lines) = if name == "b.csv" {
            (
                "id,text\n",
                ["One", "Two", "One", "Three"].map(|text| format!("{id},{text} in {name}.\n")),
            )
        } else {
            let record = |text| format!("{{\"id\": \"{id}\", \"text\": \"{text} in {name}.\"}}\n");
            ("", ["One", "Two", "One", "Three"].map(record))
        };
        folder.write(&format!("inbox/{name}"), format!("{head}{}", lines.concat()));
        run(&["daemon", "-c", &pipeline, "--once"]).expect(3);
        let (stem, ending) = name.split_once('.').unwrap();
        let records = [2, 4].map(|number| format!("{stem}.record-{number}.{ending}"));
        // Only what was mended comes again.
        let mended = format!("{head}{}", lines[1].replace(id, &format!("{id}-2")));
        folder.write(&format!("quarantine/{}", records[0]), mended);
        let replay = ["quarantine", "replay", "-c", &pipeline, &records[0], &records[1]];
        let told = run(&replay).expect(1).stdout;
        let (back, stays) = told.split_once('\n').unwrap();
        assert_eq!(back, format!("{}: back in the inbox", records[0]));
        assert!(
            stays.starts_with(&format!("{}: stays, because an earlier", records[1])),
            "{stays}"
        );
        assert!(stays.contains("give it an id of its own first"), "{stays}");
        run(&["daemon", "-c", &pipeline, "--once"]).expect(0);
        let results = std::fs::read_to_string(folder.at("results.jsonl")).unwrap();
        assert!(results.contains(&format!("Two in {name}.")), "{results}");
        assert!(!results.contains(&format!("Three in {name}.")), "{results}");
        assert!(std::fs::exists(folder.at(&format!("quarantine/{}", records[1]))).unwrap());
    }
}

#[test]
fn a_document_is_forgotten_everywhere_and_the_ledger_stays_whole() {
    let folder = Folder::new();
    let pipeline = folder.write(
        "p.yaml",
        "version: 1
sources:
  news: { type: inbox, path: ./inbox, settle: 1ms, on_success: { archive: ./archive } }
stages: [tokenise]
sinks:
  results: { type: jsonl, path: ./results.jsonl }
  store: { type: sqlite, path: ./store.db }
",
    );
    folder.write("inbox/a.txt", "Secret words.");
    folder.write(
        "inbox/b.jsonl",
        "{\"text\": \"Secret too.\"}\n{\"id\": \"own\", \"text\": \"Known.\"}\n",
    );
    run(&["daemon", "-c", &pipeline, "--once"]).expect(0);
    let results = std::fs::read_to_string(folder.at("results.jsonl")).unwrap();
    let ids: Vec<String> = results
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .filter(|result| result["text"].as_str().unwrap().starts_with("Secret"))
        .map(|result| result["id"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(ids.len(), 2);
    for id in &ids {
        let told = run(&["forget", id, "-c", &pipeline]).expect(0).stdout;
        assert!(told.contains("its rows are deleted"), "{told}");
        run(&["forget", id, "-c", &pipeline]).expect(1);
    }
    // An id that a record brought is none of a document.
    let results = std::fs::read_to_string(folder.at("results.jsonl")).unwrap();
    let known: serde_json::Value = serde_json::from_str(results.trim()).unwrap();
    let known = known["id"].as_str().unwrap();
    let told = run(&["forget", "own", "-c", &pipeline]).expect(1).stdout;
    assert!(told.contains("no such document is known"), "{told}");
    assert!(told.contains(&format!("the `id` of its result line, is {known}")), "{told}");
    for file in ["results.jsonl", "store.db", "archive/b.jsonl"] {
        let bytes = std::fs::read(folder.at(file)).unwrap();
        assert!(!String::from_utf8_lossy(&bytes).contains("Secret"), "{file}");
        assert!(String::from_utf8_lossy(&bytes).contains("Known"), "{file}");
    }
    assert_eq!(folder.files("archive", false), ["b.jsonl"]);
    let told = run(&["ledger", "check", "-c", &pipeline]).expect(0).stdout;
    assert!(told.contains("0 with something to tell"), "{told}");
    let dump = run(&["ledger", "dump", "-c", &pipeline]).expect(0).stdout;
    assert_eq!(dump.matches("forgotten").count(), 4, "{dump}");
    // It may come again.
    folder.write("inbox/a.txt", "Secret words.");
    run(&["daemon", "-c", &pipeline, "--once"]).expect(0);
    let results = std::fs::read_to_string(folder.at("results.jsonl")).unwrap();
    assert_eq!(results.lines().count(), 2, "{results}");
}
