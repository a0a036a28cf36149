//! `plugin new`: a folder with a stage that works, for its author to change.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::cli::{Language, PluginNew};
use crate::exit;

/// The crates of this clone, for stages in Rust: they are on no registry.
const CLONE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../standpoint-abi");

/// Files of each language: where they go and what they hold. Names hold placeholders, too.
const RUST: &[(&str, &str)] = &[
    ("Cargo.toml", include_str!("../../scaffold/rust/Cargo.toml.in")),
    ("src/lib.rs", include_str!("../../scaffold/rust/lib.rs.in")),
    ("settings.schema.json", include_str!("../../scaffold/rust/settings.schema.json")),
    (".gitignore", "/target\n"),
];
const C: &[(&str, &str)] = &[
    ("{{crate}}.c", include_str!("../../scaffold/c/stage.c.in")),
    ("Makefile", include_str!("../../scaffold/c/Makefile.in")),
    ("standpoint.h", include_str!("../../../standpoint-abi/include/standpoint.h")),
    (".gitignore", "*.so\n"),
];
const PYTHON: &[(&str, &str)] = &[
    ("{{crate}}.py", include_str!("../../scaffold/python/stage.py.in")),
    ("test_{{crate}}.py", include_str!("../../scaffold/python/test_stage.py.in")),
    (
        "standpoint_stage/__init__.py",
        include_str!("../../../standpoint-process/python/standpoint_stage/__init__.py"),
    ),
    (
        "standpoint_stage/testing.py",
        include_str!("../../../standpoint-process/python/standpoint_stage/testing.py"),
    ),
    ("standpoint_stage/py.typed", ""),
    (".gitignore", "__pycache__/\n"),
];

/// Files of every language.
const ALL: &[(&str, &str)] = &[
    ("README.md", include_str!("../../scaffold/README.md.in")),
    ("pipeline.yaml", include_str!("../../scaffold/pipeline.yaml.in")),
    ("golden/example.txt", include_str!("../../scaffold/golden.txt")),
    ("golden/example.json", include_str!("../../scaffold/golden.json.in")),
];

/// Makes the folder; returns what to tell.
///
/// # Errors
///
/// Exit code 2 for a name that no stage can have, a folder that is there, or crates that are not.
pub(crate) fn run(arguments: &PluginNew) -> Result<String> {
    let name = arguments.name.as_str();
    let is_name = name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.len() <= 64
        && !name.ends_with('-')
        && !name.contains("--")
        && name.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-'));
    if !is_name {
        return Err(exit::usage(format!(
            "`{name}` cannot be the name of a stage: it begins with a lower-case letter, followed \
             by such letters, digits and single `-`"
        )));
    }
    let folder = arguments.path.clone().unwrap_or_else(|| PathBuf::from(name));
    if folder.exists() {
        return Err(exit::usage(format!(
            "{} is there already: choose another name, or another place with `--path`",
            folder.display()
        )));
    }
    let sdk = match arguments.lang {
        Language::Rust => sdk(arguments.sdk.as_deref())?,
        Language::C | Language::Python => String::new(),
    };
    let filled = Template::new(arguments.lang, name, &sdk);
    let own = match arguments.lang {
        Language::Rust => RUST,
        Language::C => C,
        Language::Python => PYTHON,
    };
    for (path, content) in own.iter().chain(ALL) {
        let path = folder.join(filled.fill(path));
        write(&path, &filled.fill(content))
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    let commands = filled.commands.join("\n  ");
    Ok(format!("made {}; next:\n\n  cd {}\n  {commands}\n", folder.display(), folder.display()))
}

fn write(path: &Path, content: &str) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(path, content)
}

/// The dependency on `standpoint-abi`, as Cargo writes it.
fn sdk(asked: Option<&str>) -> Result<String> {
    let quoted = |key: &str, value: &str| format!("{key} = {value:?}");
    match asked {
        Some(address) if address.contains("://") => Ok(quoted("git", address)),
        asked => {
            let path = Path::new(asked.unwrap_or(CLONE));
            // A clone may be named as well as the crate in it.
            let inside = path.join("crates/standpoint-abi");
            let path = if inside.is_dir() { inside } else { path.to_owned() };
            if !path.join("Cargo.toml").is_file() {
                return Err(exit::usage(format!(
                    "the crates for stages in Rust are not in {}: name a clone of Standpoint with \
                     `--sdk`, by its path or its address",
                    path.display()
                )));
            }
            let path = path.canonicalize().unwrap_or(path);
            Ok(quoted("path", &path.display().to_string()))
        }
    }
}

/// What stands for the placeholders.
struct Template {
    values: [(&'static str, String); 7],
    commands: [String; 3],
}

impl Template {
    fn new(language: Language, name: &str, sdk: &str) -> Self {
        let under = name.replace('-', "_");
        let module = format!("./target/wasm32-unknown-unknown/release/{under}.wasm");
        let (built, used, tried) = match language {
            Language::Rust => {
                let library = format!("./target/release/lib{under}.so");
                ("cargo build --release".to_owned(), library.clone(), library)
            }
            Language::C => {
                let library = format!("./lib{under}.so");
                ("make".to_owned(), library.clone(), library)
            }
            Language::Python => (
                "python3 -m unittest".to_owned(),
                format!("[python3, {under}.py]"),
                format!("python3 {under}.py"),
            ),
        };
        let commands = [
            built,
            format!("standpoint plugin test --golden golden -- {tried}"),
            "standpoint run golden/example.txt -c pipeline.yaml --format jsonl".to_owned(),
        ];
        let notes = match language {
            Language::Rust => {
                "`cargo test` runs the same suite and tests of its own. The crate `standpoint-abi` \
                 is taken from\nthe clone of Standpoint that made this folder; its line in \
                 `Cargo.toml` can name another one, or a\n`git` address.\n\nThe same code makes a \
                 WebAssembly module, for a program that was built with the feature `wasm`:\n\n\
                 ```sh\nrustup target add wasm32-unknown-unknown\n\
                 cargo build --release --target wasm32-unknown-unknown\n\
                 standpoint plugin test --golden golden -- {{module}}\n```\n\nIt is used by its \
                 path: `use: {{module}}`."
            }
            Language::C => {
                "`standpoint.h` says what host and stage promise each other. **A native stage can \
                 do whatever the\nprogram can**: a wild pointer ends it."
            }
            Language::Python => {
                "`standpoint_stage/` is the whole SDK and needs only Python 3.9; keep it beside \
                 the stage, or install\nit. The stage runs in a process of its own with an empty \
                 environment: `env:` gives it more, `limits:`\nless, `processes:` company."
            }
        };
        let values = [
            ("name", name.to_owned()),
            ("crate", under),
            ("type", type_name(name)),
            ("sdk", sdk.to_owned()),
            ("use", used),
            ("commands", commands.join("\n")),
            ("notes", notes.replace("{{module}}", &module)),
        ];
        Self { values, commands }
    }

    fn fill(&self, text: &str) -> String {
        self.values.iter().fold(text.to_owned(), |text, (key, value)| {
            text.replace(&format!("{{{{{key}}}}}"), value)
        })
    }
}

/// `word-list` becomes `WordList`.
fn type_name(name: &str) -> String {
    name.split('-')
        .map(|word| {
            let mut letters = word.chars();
            let first = letters.next().map(|letter| letter.to_ascii_uppercase());
            first.into_iter().chain(letters).collect::<String>()
        })
        .collect()
}
