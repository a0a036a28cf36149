//! The book about stages says nothing that does not work: each of its blocks is run.
//!
//! A block with a file's name after its language is written to that file. Of each chapter, in a
//! folder of its own: YAML is validated, Python compiled, C compiled, and the commands of `sh` are
//! run in their order. Blocks of Rust are tests of the documentation of `standpoint-abi`. Those
//! that need a program with the sandbox are marked `,wasm` and run where it has one; `hedge.wasm`
//! is there.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::harness::{Folder, plugins, repository, run};

/// A fenced block of a chapter.
struct Block {
    language: String,
    /// Whether it needs the sandbox.
    is_wasm: bool,
    file: Option<String>,
    content: String,
    line: usize,
}

fn blocks(text: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for (index, line) in text.lines().enumerate() {
        if let Some(fence) = line.strip_prefix("```") {
            if let Some(block) = open.take() {
                assert!(fence.is_empty(), "line {}: a block is not closed", index + 1);
                blocks.push(block);
            } else {
                let (language, file) = fence.split_once(' ').unwrap_or((fence, ""));
                let file = (!file.is_empty()).then(|| file.to_owned());
                let is_wasm = language.ends_with(",wasm");
                let language = language.trim_end_matches(",wasm").to_owned();
                let content = String::new();
                open = Some(Block { language, is_wasm, file, content, line: index + 2 });
            }
        } else if let Some(block) = &mut open {
            block.content.push_str(line);
            block.content.push('\n');
        }
    }
    assert!(open.is_none(), "a block is not closed");
    blocks
}

/// Runs a command as a reader would, with the program on the path.
fn shell(command: &str, folder: &Folder) -> Result<(), String> {
    let program = Path::new(env!("CARGO_BIN_EXE_standpoint")).parent().unwrap();
    let path = std::env::var("PATH").unwrap_or_default();
    let output = Command::new("sh")
        .args(["-e", "-c", command])
        .current_dir(folder.at(""))
        .env("PATH", format!("{}:{path}", program.display()))
        .env("STANDPOINT_PLUGINS", plugins())
        .env("STANDPOINT_PYTHON", repository("crates/standpoint-process/python"))
        .env("C_INCLUDE_PATH", repository("crates/standpoint-abi/include"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .unwrap();
    if output.status.success() {
        return Ok(());
    }
    let (out, err) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    Err(format!("{command}\n{out}\n{err}"))
}

fn check(chapter: &str, folder: &Folder, block: &Block) -> Result<(), String> {
    let place = format!("{chapter}:{}", block.line);
    if let Some(file) = &block.file {
        folder.write(file, &block.content);
    }
    let file = |default: &str| {
        block.file.clone().unwrap_or_else(|| {
            folder.write(default, &block.content);
            default.to_owned()
        })
    };
    let result = match block.language.as_str() {
        "sh" => shell(&block.content, folder),
        "yaml" => shell(&format!("standpoint validate {}", file("block.yaml")), folder),
        "python" => {
            let check = format!("import ast; ast.parse(open({:?}).read())", file("block.py"));
            shell(&format!("python3 -c {check:?}"), folder)
        }
        "c" => {
            let file = file("block.c");
            shell(&format!("cc -std=c11 -Wall -Wextra -Werror -fsyntax-only {file}"), folder)
        }
        // Rust is compiled elsewhere; `text` shows what somebody sees.
        "rust" | "text" => Ok(()),
        other => Err(format!("a block in {other:?} is not checked by anybody")),
    };
    result.map_err(|error| format!("{place}: {error}"))
}

#[test]
fn every_block_of_the_book_works() {
    let source = repository("docs/book/src");
    let mut chapters: Vec<_> =
        fs::read_dir(&source).unwrap().map(|entry| entry.unwrap().path()).collect();
    chapters.sort();
    let summary = fs::read_to_string(format!("{source}/SUMMARY.md")).unwrap();
    let mut failures = Vec::new();
    let mut ran = 0;
    for path in chapters.iter().filter(|path| !path.ends_with("SUMMARY.md")) {
        let name = path.file_name().unwrap().to_str().unwrap();
        assert!(summary.contains(&format!("({name})")), "{name} is not in the summary");
        let folder = Folder::new();
        let module = repository("crates/standpoint-wasm/tests/guests/hedge.wasm");
        fs::copy(module, folder.at("hedge.wasm")).unwrap();
        for block in blocks(&fs::read_to_string(path).unwrap()) {
            if block.is_wasm && !cfg!(feature = "wasm") {
                continue;
            }
            ran += 1;
            failures.extend(check(name, &folder, &block).err());
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(ran > 20, "{ran} blocks");
    assert_eq!(chapters.len(), 14 + 1, "the chapters and their summary");
    // What the book names is there.
    run(&["plugin", "--help"]).expect(0);
}
