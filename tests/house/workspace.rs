//! The workspace as `cargo metadata` tells it, and its files.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// A crate of the workspace.
pub(crate) struct Crate {
    pub(crate) name: String,
    pub(crate) dir: PathBuf,
    pub(crate) description: Option<String>,
    pub(crate) license: Option<String>,
    /// Names of what the code depends on, build scripts included.
    pub(crate) dependencies: Vec<String>,
    /// Names of what only its tests, benchmarks and examples depend on.
    pub(crate) test_dependencies: Vec<String>,
}

impl Crate {
    pub(crate) fn is_plugin(&self) -> bool {
        self.dir.starts_with(root().join("plugins"))
    }

    pub(crate) fn own_dependencies(&self) -> impl Iterator<Item = &str> {
        own(&self.dependencies)
    }

    pub(crate) fn own_test_dependencies(&self) -> impl Iterator<Item = &str> {
        own(&self.test_dependencies)
    }
}

fn own(names: &[String]) -> impl Iterator<Item = &str> {
    names.iter().map(String::as_str).filter(|name| name.starts_with("standpoint"))
}

/// The folder of the workspace.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// The crates of the workspace.
pub(crate) fn crates() -> Vec<Crate> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--no-deps", "--format-version", "1", "--offline"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    metadata["packages"].as_array().unwrap().iter().map(read).collect()
}

fn read(package: &Value) -> Crate {
    let text = |key: &str| package[key].as_str().map(str::to_owned);
    let manifest = PathBuf::from(package["manifest_path"].as_str().unwrap());
    let dependencies = |wanted: &dyn Fn(&Value) -> bool| {
        let all = package["dependencies"].as_array().unwrap().iter();
        let chosen = all.filter(|dependency| wanted(&dependency["kind"]));
        chosen.map(|dependency| dependency["name"].as_str().unwrap().to_owned()).collect()
    };
    Crate {
        name: text("name").unwrap(),
        dir: manifest.parent().unwrap().canonicalize().unwrap(),
        description: text("description"),
        license: text("license"),
        dependencies: dependencies(&|kind| kind != "dev"),
        test_dependencies: dependencies(&|kind| kind == "dev"),
    }
}

/// Every file of the project, those apart that cargo and git keep for themselves.
pub(crate) fn text_files() -> Vec<PathBuf> {
    fn walk(dir: &Path, into: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let is_passing = name.ends_with(".pending-snap") || name.ends_with(".snap.new");
            if is_passing || ["target", ".git"].contains(&name.as_str()) {
                continue;
            }
            if path.is_dir() {
                walk(&path, into);
            } else {
                into.push(path);
            }
        }
    }
    let mut files = Vec::new();
    walk(&root(), &mut files);
    files.sort();
    files
}
