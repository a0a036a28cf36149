//! A stage in a process of its own, in a pipeline: it works, and what goes wrong in it costs one
//! document and is told with its place.

use serde_json::Value;

use crate::harness::{Folder, repository, run};

/// A stage of a few lines that speaks the protocol without any SDK.
const SCRIPT: &str = r#"
import json, os, struct, sys
def answer(kind, request, payload):
    sys.stdout.buffer.write(struct.pack("<IBI", len(payload), kind, request) + payload)
    sys.stdout.buffer.flush()
while header := sys.stdin.buffer.read(9):
    length, kind, request = struct.unpack("<IBI", header)
    payload = sys.stdin.buffer.read(length)
    if kind == 1:
        manifest = {"name": "shout", "version": "1", "reads": ["tokens"], "writes": ["shouts"],
                    "settings": {"type": "object", "additionalProperties": False,
                                 "properties": {"least": {"type": "integer", "default": 2}}}}
        answer(1, request, json.dumps({"protocol": 1, "form": "json", "manifest": manifest}).encode())
    elif kind == 2:
        least = json.loads(payload)["settings"].get("least", 2)
        answer(5, request, b"")
    elif kind == 3:
        document = json.loads(payload)
        text = document["text"]
        if text.startswith("crash"):
            sys.stderr.write("no way\n")
            sys.stderr.flush()
            os._exit(3)
        if text.startswith("print"):
            print("Loading...", flush=True)
        while text.startswith("hang"):
            pass
        spans = [s for s in document["layers"]["tokens"]
                 if text[s["start"]:s["end"]].isupper() and s["end"] - s["start"] >= least]
        shouts = [{"start": s["start"], "end": s["end"], "label": "shout"} for s in spans]
        answer(5, request, json.dumps({"layers": {"shouts": shouts}}).encode())
    elif kind == 10:
        break
"#;

fn pipeline(folder: &Folder, stage: &str) -> String {
    folder.write("shout.py", SCRIPT);
    folder.write("p.yaml", format!("version: 1\nstages:\n  - tokenise\n{stage}"))
}

#[test]
fn a_script_is_a_stage_and_its_faults_cost_one_document_each() {
    let folder = Folder::new();
    let pipeline = pipeline(
        &folder,
        "  - use: [python3, shout.py]
    with: { least: 3 }
    timeout: 2s
    restart: { backoff: 1ms..5ms }
",
    );
    for (name, text) in [
        ("1-good.txt", "NATO said NO to МОСКВА."),
        ("2-crash.txt", "crash now"),
        ("3-print.txt", "print now"),
        ("4-hang.txt", "hang now"),
        ("5-good.txt", "The USA said so."),
    ] {
        folder.write(&format!("in/{name}"), text);
    }
    let ran = run(&["run", &folder.at("in"), "-c", &pipeline, "--format", "jsonl"]).expect(3);
    let mut words: Vec<Vec<String>> = ran
        .results()
        .iter()
        .map(|result| {
            let text: Vec<char> = result["text"].as_str().unwrap().chars().collect();
            let at = |span: &Value, key: &str| span[key].as_u64().unwrap() as usize;
            let spans = result["layers"]["shouts"].as_array().unwrap().iter();
            spans.map(|span| text[at(span, "start")..at(span, "end")].iter().collect()).collect()
        })
        .collect();
    words.sort();
    assert_eq!(words, [vec!["NATO", "МОСКВА"], vec!["USA"]]);
    for said in [
        "2-crash.txt",
        "its process ended with exit status 3; its last words: no way",
        "its process wrote 'Loading...' where a frame was expected; log to stderr",
        "took longer than its timeout of 2s",
    ] {
        assert!(ran.stderr.contains(said), "{said}: {}", ran.stderr);
    }
}

#[test]
fn who_waits_for_a_process_to_be_started_again_is_not_to_blame() {
    let folder = Folder::new();
    let pipeline = pipeline(
        &folder,
        "  - use: [python3, shout.py]
    timeout: 1s
    restart: { backoff: 3s..3s }
",
    );
    folder.write("in/1-hang.txt", "hang now");
    for number in 2..6 {
        folder.write(&format!("in/{number}.txt"), "The USA said so.");
    }
    let ran = run(&["run", &folder.at("in"), "-c", &pipeline, "--format", "jsonl"]).expect(3);
    assert_eq!(ran.results().len(), 4, "{}", ran.stderr);
    assert!(ran.stderr.contains("1-hang.txt"), "{}", ran.stderr);
}

#[test]
fn mistakes_about_a_script_are_found_before_it_runs() {
    let folder = Folder::new();
    let wrong = "0".repeat(64);
    let pinned = format!("  - use: [python3, shout.py]\n    sha256: \"{wrong}\"\n");
    let cases = [
        ("  - use: [python3, shout.py]\n    with: { laest: 3 }\n", "unknown key `laest`"),
        ("  - use: [python3, gone.py]\n", "its process ended with exit status 2"),
        ("  - use: [no-such-python, shout.py]\n", "no program `no-such-python` on the PATH"),
        ("  - use: ./shout.py\n", "shout.py is not executable: `chmod +x` it, or name what"),
        ("  - use: ./gone.py\n", "there is no program `"),
        (pinned.as_str(), "shout.py has the SHA-256"),
    ];
    for (stage, expected) in cases {
        let ran = run(&["validate", &pipeline(&folder, stage)]).expect(2);
        assert!(ran.stdout.contains(expected), "{expected}: {}", ran.stdout);
        assert!(ran.stdout.contains("p.yaml:4:") || ran.stdout.contains("p.yaml:5:"));
    }
    pipeline(&folder, "");
    let alone = folder.write("p.yaml", "version: 1\nstages:\n  - use: [python3, shout.py]\n");
    let ran = run(&["validate", &alone]).expect(2);
    assert!(ran.stdout.contains("reads `tokens`, which no earlier stage writes"), "{}", ran.stdout);
}

#[test]
fn the_example_of_the_sdk_runs_in_a_pipeline() {
    let folder = Folder::new();
    let sdk = repository("crates/standpoint-process/python");
    let pipeline = folder.write(
        "p.yaml",
        format!(
            "version: 1
stages:
  - tokenise
  - use: [python3, {sdk}/examples/hedge.py]
    env: {{ PYTHONPATH: {sdk}, PYTHONDONTWRITEBYTECODE: 1 }}
    limits: {{ memory: 1GiB, open_files: 64 }}
    batch: {{ max_documents: 4 }}
"
        ),
    );
    for number in 0..10 {
        folder.write(&format!("in/{number}.txt"), "It may rain, reportedly.");
    }
    let ran = run(&["run", &folder.at("in"), "-c", &pipeline, "--format", "jsonl"]).expect(0);
    let hedges = |result: &Value| result["layers"]["hedges"].as_array().unwrap().len();
    assert_eq!(ran.results().iter().map(hedges).collect::<Vec<_>>(), [2; 10]);
}
