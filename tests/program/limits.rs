//! Every limit of the pipeline file: what is beyond it is kept, with the limit and its value.

use std::io::Write;

use serde_json::Value;

use crate::harness::{Folder, run};

const PIPELINE: &str = "version: 1
data_dir: ./state
sources:
  news: { type: inbox, path: ./inbox, settle: 1ms, on_success: delete }
stages: [tokenise, entity]
sinks: { results: { type: jsonl, path: ./results.jsonl } }
quarantine: { path: ./quarantine }
limits:
  max_document_bytes: 2KiB
  max_expanded_bytes: 1100KiB
  max_expanded_ratio: 50
  max_records_per_file: 3
  max_line_bytes: 1KiB
  max_json_depth: 4
  max_mail_parts: 2
  max_entities: 2
";

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(bytes).unwrap();
    packed.finish().unwrap()
}

/// Bytes that do not compress to a fiftieth.
fn noise(count: u32) -> Vec<u8> {
    let mut state = 1_u32;
    let letters = (0..count).map(|_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        b'a' + (state >> 24) as u8 % 26
    });
    letters.collect()
}

#[test]
fn what_is_beyond_a_limit_is_kept_with_the_limit_and_its_value() {
    let lines = |count: usize| "{\"text\": \"Oslo fell.\"}\n".repeat(count).into_bytes();
    let long_line = format!("{{\"text\": \"{}\"}}\n", "x".repeat(1100));
    let parts = |count: usize| {
        let part = "--b\nContent-Type: text/plain\n\nOslo fell.\n".repeat(count);
        format!("Subject: s\nContent-Type: multipart/mixed; boundary=b\n\n{part}--b--\n")
    };
    let long_mail =
        format!("From a\nSubject: s\n\nOne.\n\nFrom b\nSubject: s\n\n{}\n", "x ".repeat(1100));
    let cases: [(&str, Vec<u8>, &str, &str); 12] = [
        (
            "document.txt",
            vec![b'x'; 2049],
            "document.txt",
            "max_document_bytes is 2048 bytes and this has more than 2048 bytes",
        ),
        (
            "mails.mbox",
            long_mail.into_bytes(),
            "mails.record-2.mbox",
            "max_document_bytes is 2048 bytes and this has 2213 bytes",
        ),
        (
            "expanded.jsonl.gz",
            packed(&noise(1_200_000)),
            "expanded.jsonl.gz",
            "max_expanded_bytes is 1126400",
        ),
        (
            "bomb.jsonl.gz",
            packed(&vec![b'\n'; 3 << 20]),
            "bomb.jsonl.gz",
            "max_expanded_ratio is 50",
        ),
        ("many.jsonl", lines(4), "many.jsonl", "max_records_per_file is 3 and this has 4"),
        (
            "line.jsonl",
            [long_line.into_bytes(), lines(1)].concat(),
            "line.record-1.jsonl",
            "max_line_bytes is 1024 bytes and this has 1112 bytes (line 1)",
        ),
        (
            "row.csv",
            format!("text\nOne.\n{}\n", "x".repeat(1100)).into_bytes(),
            "row.record-2.csv",
            "max_line_bytes is 1024 bytes and this has 1100 bytes (line 3)",
        ),
        (
            "open.csv",
            format!("text\nOne.\n\"{}\n", "x".repeat(3000)).into_bytes(),
            "open.csv",
            "max_line_bytes is 1024 and the row at line 3 has more than 1024",
        ),
        (
            "deep.json",
            b"{\"text\": \"a\", \"x\": [[[[1]]]]}".to_vec(),
            "deep.json",
            "max_json_depth is 4 and this has more than 4",
        ),
        (
            "deep.jsonl",
            [b"{\"text\": \"a\", \"x\": [[[[1]]]]}\n".to_vec(), lines(1)].concat(),
            "deep.record-1.jsonl",
            "max_json_depth is 4 and this has more than 4 (line 1)",
        ),
        (
            "parts.eml",
            parts(2).into_bytes(),
            "parts.eml",
            "max_mail_parts is 2 and this has more than 2",
        ),
        (
            "names.txt",
            b"France, Spain and Italy spoke.".to_vec(),
            "names.txt",
            "max_entities is 2 and this has 3",
        ),
    ];
    let folder = Folder::new();
    let pipeline = folder.write("p.yaml", PIPELINE);
    for (name, bytes, ..) in &cases {
        folder.write(&format!("inbox/{name}"), bytes);
    }
    folder.write("inbox/within.txt", "France and Spain spoke.");
    run(&["daemon", "-c", &pipeline, "--once"]).expect(3);
    for (_, _, kept, expected) in cases {
        let reason = std::fs::read(folder.at(&format!("quarantine/{kept}.reason.json")));
        let reason = reason.unwrap_or_else(|error| panic!("{kept}: {error}"));
        let reason: Value = serde_json::from_slice(&reason).unwrap();
        let told = [&reason["reason"], &reason["failures"]].map(ToString::to_string).concat();
        assert!(told.contains(expected), "{kept}: {told}");
    }
    let results = std::fs::read_to_string(folder.at("results.jsonl")).unwrap();
    assert!(results.contains("within.txt"), "{results}");
}
