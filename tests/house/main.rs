//! The house rules that no compiler keeps: who may depend on whom, where `unsafe` lives, what a
//! file may hold. Each failure names the file and says what to do.
//!
//! Modules: `workspace` reads manifests, `source` reads code.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test stops where something is not as it should be"
)]

mod source;
mod workspace;

use std::collections::BTreeSet;
use std::fs;

use source::{Code, rust_files};
use workspace::{Crate, crates, root, text_files};

/// What each crate may depend on among our own, besides what its tests need. A new line, or a new
/// name in one, is a change of the design.
const ARROWS: &[(&str, &[&str])] = &[
    ("standpoint-document", &[]),
    ("standpoint-stage", &["standpoint-document"]),
    ("standpoint-linear", &[]),
    ("standpoint-encoder", &["standpoint-document"]),
    ("standpoint-config", &[]),
    ("standpoint-wire", &["standpoint-stage", "standpoint-document"]),
    ("standpoint-abi", &["standpoint-wire", "standpoint-stage", "standpoint-document"]),
    ("standpoint-process", &["standpoint-wire", "standpoint-stage", "standpoint-document"]),
    ("standpoint-wasm", &["standpoint-wire", "standpoint-stage", "standpoint-document"]),
    ("standpoint-engine", &["standpoint-stage", "standpoint-document"]),
    ("standpoint-store", &["standpoint-document"]),
    ("standpoint-web", &["standpoint-store", "standpoint-document"]),
    (
        "standpoint-connectors",
        &["standpoint-engine", "standpoint-stage", "standpoint-document", "standpoint-store"],
    ),
    ("standpoint-cluster", &["standpoint-connectors", "standpoint-engine", "standpoint-document"]),
    (
        "standpoint",
        &[
            "standpoint-abi",
            "standpoint-cluster",
            "standpoint-config",
            "standpoint-connectors",
            "standpoint-document",
            "standpoint-engine",
            "standpoint-process",
            "standpoint-stage",
            "standpoint-store",
            "standpoint-wasm",
            "standpoint-web",
            "standpoint-wire",
        ],
    ),
];

/// What a plugin may depend on among our crates: what anybody's plugin may, and our models.
const PLUGIN_ARROWS: &[&str] = &[
    "standpoint-abi",
    "standpoint-document",
    "standpoint-encoder",
    "standpoint-linear",
    "standpoint-stage",
];

/// All that the two innermost crates are built on. They know no runtime, file, socket or clock.
///
/// zerocopy is derived where an annotation is declared, so that it is read in place without
/// `unsafe`.
const INNER_DEPENDENCIES: &[&str] = &[
    "async-trait",
    "schemars",
    "serde",
    "serde_json",
    "standpoint-document",
    "thiserror",
    "zerocopy",
];

/// Longer files are divided.
const MOST_LINES: usize = 700;

/// Joins what there is to complain about, one line each.
fn report(rule: &str, complaints: &[String]) {
    assert!(complaints.is_empty(), "{rule}:\n  {}", complaints.join("\n  "));
}

#[test]
fn arrows_between_crates_point_inwards() {
    let mut complaints = Vec::new();
    for member in crates() {
        let allowed = if member.is_plugin() {
            PLUGIN_ARROWS
        } else if let Some((_, allowed)) = ARROWS.iter().find(|(name, _)| *name == member.name) {
            allowed
        } else {
            complaints.push(format!("{} is not in ARROWS: say what it may depend on", member.name));
            continue;
        };
        for name in member.own_dependencies() {
            if !allowed.contains(&name) {
                complaints.push(format!("{} depends on {name}", member.name));
            }
        }
    }
    report("a crate depends on what lies nearer to `standpoint-document` only", &complaints);
}

#[test]
fn tests_do_not_turn_arrows_round() {
    let mut complaints = Vec::new();
    for member in crates().iter().filter(|member| member.name != "standpoint") {
        let allowed = ARROWS.iter().find(|(name, _)| *name == member.name);
        let allowed = allowed.map_or(PLUGIN_ARROWS, |(_, allowed)| allowed);
        for name in member.own_test_dependencies() {
            // A crate that depends on itself turns a feature on for its tests.
            if name != member.name && !allowed.contains(&name) {
                complaints.push(format!("the tests of {} depend on {name}", member.name));
            }
        }
    }
    report(
        "tests need no crate that the code may not; those that do stand in `tests/`",
        &complaints,
    );
}

#[test]
fn document_and_stage_depend_on_no_runtime() {
    let mut complaints = Vec::new();
    for member in crates().iter().filter(|member| is_innermost(member)) {
        for name in &member.dependencies {
            if !INNER_DEPENDENCIES.contains(&name.as_str()) {
                complaints.push(format!("{} depends on {name}", member.name));
            }
        }
    }
    report("what every stage is built on stays small", &complaints);
}

#[test]
fn document_and_stage_do_no_io_and_know_no_clock() {
    let worldly = ["fs", "net", "process", "env", "io", "thread", "os"];
    let mut complaints = Vec::new();
    for member in crates().iter().filter(|member| is_innermost(member)) {
        for file in rust_files(&member.dir.join("src")) {
            // What tests of stages share may read the file that it compares with.
            let shared = ["testing.rs", "conformance.rs"];
            if shared.iter().any(|name| file.ends_with(format!("standpoint-stage/src/{name}"))) {
                continue;
            }
            let code = Code::read(&file).without_tests();
            for module in worldly {
                for line in code.lines_with(&["std", ":", ":", module]) {
                    complaints.push(format!("{}:{line}: std::{module}", code.name));
                }
            }
            for name in ["Instant", "SystemTime", "println", "eprintln", "dbg"] {
                for line in code.lines_with(&[name]) {
                    complaints.push(format!("{}:{line}: {name}", code.name));
                }
            }
        }
    }
    report("documents and stages are plain data in, plain data out", &complaints);
}

fn is_innermost(member: &Crate) -> bool {
    ["standpoint-document", "standpoint-stage"].contains(&member.name.as_str())
}

#[test]
fn the_engine_knows_nobody_by_name() {
    let words = [
        "inbox",
        "stdin",
        "jsonl",
        "sqlite",
        "yaml",
        "toml",
        "tokenise",
        "entity",
        "sentiment",
        "stance",
    ];
    let mut complaints = Vec::new();
    for file in rust_files(&root().join("crates/standpoint-engine/src")) {
        let code = Code::read(&file).without_tests();
        for (line, found) in code.words() {
            if let Some(word) = words.iter().find(|word| found.to_lowercase().contains(*word)) {
                complaints.push(format!("{}:{line}: `{word}` in {found}", code.name));
            }
        }
    }
    report("the engine knows no connector, format, plugin or setting by name", &complaints);
}

#[test]
fn only_assemble_ties_the_parts_together() {
    let ties =
        [("standpoint_config", "standpoint_engine"), ("standpoint_abi", "standpoint_engine")];
    let mut complaints = Vec::new();
    for file in rust_files(&root().join("crates/standpoint/src")) {
        if file.ends_with("src/assemble.rs") || file.parent().unwrap().ends_with("src/assemble") {
            continue;
        }
        let code = Code::read(&file);
        for (one, other) in ties {
            if code.names(one) && code.names(other) {
                complaints.push(format!("{} names {one} and {other}", code.name));
            }
        }
    }
    report("settings and plugins meet the engine in assemble.rs alone", &complaints);
}

#[test]
fn unsafe_lives_in_the_abi_crate() {
    let mut complaints = Vec::new();
    for file in all_rust_files() {
        if file.starts_with(root().join("crates/standpoint-abi")) {
            continue;
        }
        let code = Code::read(&file);
        for name in ["unsafe", "unsafe_code"] {
            for line in code.lines_with(&[name]) {
                complaints.push(format!("{}:{line}: `{name}`", code.name));
            }
        }
    }
    report("`unsafe` and what permits it stand in standpoint-abi only", &complaints);
}

#[test]
fn every_unsafe_block_says_why_it_is_sound() {
    let mut complaints = Vec::new();
    for file in rust_files(&root().join("crates/standpoint-abi/src")) {
        let code = Code::read(&file);
        let text = fs::read_to_string(&file).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        for line in code.unsafe_blocks() {
            // The comment stands above the statement, whose first line may be some lines up.
            let above = &lines[line.saturating_sub(12)..line];
            if !above.iter().any(|line| line.contains("SAFETY:")) {
                complaints.push(format!("{}:{line}: no `// SAFETY:` above it", code.name));
            }
        }
    }
    report("an unsafe block names the promise that it relies on and who keeps it", &complaints);
}

#[test]
fn every_queue_is_bounded() {
    let mut complaints = Vec::new();
    for file in all_rust_files() {
        let code = Code::read(&file);
        let endless: [&[&str]; 6] = [
            &["unbounded_channel"],
            &["UnboundedSender"],
            &["UnboundedReceiver"],
            &["unbounded"],
            &["std", ":", ":", "sync", ":", ":", "mpsc", ":", ":", "channel"],
            &["std", ":", ":", "sync", ":", ":", "mpsc", ";"],
        ];
        for words in endless {
            for line in code.lines_with(words) {
                complaints.push(format!("{}:{line}: {}", code.name, words.concat()));
            }
        }
    }
    report("a queue without a bound hides that somebody is too slow", &complaints);
}

#[test]
fn lints_are_silenced_with_a_reason() {
    let mut complaints = Vec::new();
    for file in all_rust_files() {
        let code = Code::read(&file);
        for (line, attribute) in code.silencing() {
            if !attribute.contains("reason") {
                complaints.push(format!("{}:{line}: {attribute}", code.name));
            }
        }
    }
    report("write `#[expect(lint, reason = \"...\")]`", &complaints);
}

#[test]
fn a_file_says_first_what_it_is_for() {
    let mut complaints = Vec::new();
    for file in all_rust_files() {
        let text = fs::read_to_string(&file).unwrap();
        if !text.starts_with("//! ") {
            complaints.push(Code::read(&file).name);
        }
    }
    report("the first line of a file is `//! ` and what it is for", &complaints);
}

#[test]
fn lib_rs_defines_nothing() {
    let mut complaints = Vec::new();
    for member in crates().iter().filter(|member| !member.is_plugin()) {
        let file = member.dir.join("src/lib.rs");
        if file.is_file() {
            let code = Code::read(&file).without_tests();
            for word in code.top_level_definitions() {
                complaints.push(format!("{} has a `{word}`", code.name));
            }
        }
    }
    report("lib.rs holds the story, the modules and the public names of a crate", &complaints);
}

#[test]
fn no_file_is_too_long_to_read() {
    let mut complaints = Vec::new();
    for file in all_rust_files() {
        let lines = fs::read_to_string(&file).unwrap().lines().count();
        if lines > MOST_LINES {
            complaints.push(format!("{}: {lines} lines", Code::read(&file).name));
        }
    }
    report(&format!("divide files of more than {MOST_LINES} lines"), &complaints);
}

#[test]
fn nothing_knows_the_machine_that_it_was_written_on() {
    // Divided, so that this file does not find itself.
    let machine = [concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/ho", "me/")];
    let mut complaints = Vec::new();
    for file in text_files() {
        let Ok(text) = fs::read_to_string(&file) else { continue };
        for (index, line) in text.lines().enumerate() {
            for path in machine {
                // In an address it is a part of somebody's site.
                if line.contains(path) && !line.contains("://") {
                    let name = file.strip_prefix(root()).unwrap().display();
                    complaints.push(format!("{name}:{}: {path}", index + 1));
                }
            }
        }
    }
    report("the project builds anywhere", &complaints);
}

#[test]
fn dependencies_come_from_crates_io() {
    let lock = fs::read_to_string(root().join("Cargo.lock")).unwrap();
    let sources: BTreeSet<&str> =
        lock.lines().filter_map(|line| line.strip_prefix("source = ")).collect();
    let expected = "\"registry+https://github.com/rust-lang/crates.io-index\"";
    assert_eq!(sources, BTreeSet::from([expected]), "Cargo.lock names another source");
    assert!(!root().join(".cargo").exists(), "settings of one machine's cargo stay on it");
}

#[test]
fn every_crate_introduces_itself_and_keeps_the_lints() {
    let mut complaints = Vec::new();
    for member in crates() {
        let name = &member.name;
        if member.description.as_deref().is_none_or(str::is_empty) {
            complaints.push(format!("{name} has no description"));
        }
        if member.license.as_deref() != Some("MIT OR Apache-2.0") {
            complaints.push(format!("{name} has another licence: `license.workspace = true`"));
        }
        let manifest = fs::read_to_string(member.dir.join("Cargo.toml")).unwrap();
        if !manifest.contains("[lints]\nworkspace = true") {
            complaints.push(format!("{name} keeps none of the lints: `[lints] workspace = true`"));
        }
        let versioned = manifest.lines().find(|line| line.contains("version = \""));
        if let Some(line) = versioned {
            complaints.push(format!("{name} sets a version by itself: {line}"));
        }
    }
    report("what is set once, in the root Cargo.toml, is inherited", &complaints);
}

/// The Rust files of every crate, with their tests and examples, and those of `tests/`.
fn all_rust_files() -> Vec<std::path::PathBuf> {
    ["crates", "plugins", "tests"].iter().flat_map(|dir| rust_files(&root().join(dir))).collect()
}
