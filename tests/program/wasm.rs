//! A stage in the sandbox, through the built program: chosen in the pipeline file, held to the same
//! suite, and what it does wrong costs one document.
//!
//! Only where the program was built with the feature `wasm`; what it says where it was not is
//! tested below, too.

use std::fs;

use crate::harness::{Folder, repository, run};

fn hedge() -> String {
    repository("crates/standpoint-wasm/tests/guests/hedge.wasm")
}

#[cfg(not(feature = "wasm"))]
#[test]
fn a_build_without_the_sandbox_says_what_to_do() {
    let expected = "build it with `--features wasm`, or run the stage as `process`";
    let folder = Folder::new();
    let module = folder.at("hedge.wasm");
    fs::copy(hedge(), module).unwrap();
    let pipeline =
        folder.write("p.yaml", "version: 1\nstages: [tokenise, { use: ./hedge.wasm }]\n");
    let told = run(&["validate", &pipeline]).expect(2).stdout;
    assert!(told.contains(expected) && told.contains("p.yaml:2:"), "{told}");
    let told = run(&["plugin", "inspect", &hedge()]).expect(1).stdout;
    assert!(told.contains("loads here: no, because") && told.contains(expected), "{told}");
}

#[cfg(feature = "wasm")]
mod sandboxed {
    use std::path::Path;
    use std::process::Command;

    use serde_json::Value;

    use super::{Folder, fs, hedge, repository, run};
    use crate::harness::{command, finish, plugins};

    fn pipeline(folder: &Folder, more: &str) -> String {
        let module = folder.at("hedge.wasm");
        if !Path::new(&module).exists() {
            fs::copy(hedge(), module).unwrap();
        }
        let text = format!(
            "version: 1\ndata_dir: ./state\nstages:\n  - tokenise\n  - {{ use: ./hedge.wasm, {more} }}\n"
        );
        folder.write("p.yaml", text)
    }

    #[test]
    fn a_module_is_a_stage_of_a_pipeline_like_any_other() {
        let folder = Folder::new();
        let pipeline = pipeline(&folder, "limits: { memory: 16MiB, deadline: 1s, instances: 2 }");
        run(&["validate", &pipeline]).expect(0);
        for name in ["a", "b", "c"] {
            folder.write(&format!("in/{name}.txt"), "It may, perhaps, rain. Мой друг, Perhaps.");
        }
        let ran = run(&["run", &folder.at("in"), "-c", &pipeline, "--format", "jsonl"]).expect(0);
        let results = ran.results();
        assert_eq!(results.len(), 3);
        for result in results {
            let places: Vec<_> = result["layers"]["hedges"].as_array().unwrap().iter().collect();
            let at = |index: usize| places[index]["start"].as_u64().unwrap();
            assert_eq!((places.len(), at(0), at(1)), (2, 8, 33), "{result}");
        }
        let told = run(&["plugin", "inspect", &hedge()]).expect(0).stdout;
        assert!(told.contains("in a sandbox, without any rights"), "{told}");
        assert!(told.ends_with("loads here: yes\n"), "{told}");
        let told = run(&["plugin", "doctor"]).expect(0).stdout;
        assert!(told.contains("yes wasm"), "{told}");
    }

    #[test]
    fn a_module_passes_the_suite_of_every_stage() {
        let ran = run(&["plugin", "test", "--format", "json", &hedge()]).expect(0);
        let told: Value = serde_json::from_str(&ran.stdout).unwrap();
        assert_eq!(told["checks"].as_array().unwrap().len(), 12, "{told}");
    }

    #[test]
    fn what_is_refused_says_why_before_anything_runs() {
        use std::os::unix::fs::PermissionsExt;

        let folder = Folder::new();
        let text = folder.write("note.txt", "perhaps");
        let refused = |pipeline: &str| {
            run(&["run", &text, "-c", pipeline, "--format", "jsonl"]).expect(2).stderr
        };
        let pinned = format!("sha256: {}", "0".repeat(64));
        let told = refused(&pipeline(&folder, &pinned));
        assert!(told.contains("hedge.wasm has the SHA-256"), "{told}");
        let told = refused(&pipeline(&folder, "limits: { memory: 64KiB }"));
        assert!(told.contains("memory"), "{told}");
        let open = pipeline(&folder, "id: hedge");
        fs::set_permissions(folder.at("hedge.wasm"), PermissionsExt::from_mode(0o666)).unwrap();
        let told = refused(&open);
        assert!(told.contains("may be written by anybody"), "{told}");
    }

    /// Follows what the README of a new stage in Rust says of modules.
    #[expect(clippy::print_stderr, reason = "a test that is left out says so")]
    #[test]
    fn a_new_stage_in_rust_is_a_module_untouched() {
        let folder = Folder::new();
        let mut new = command(&["plugin", "new", "word-list"]);
        finish(new.current_dir(folder.at("")).spawn().unwrap()).expect(0);
        let made = folder.at("word-list");
        // What the workspace has fetched is enough.
        fs::copy(repository("Cargo.lock"), format!("{made}/Cargo.lock")).unwrap();
        let readme = fs::read_to_string(format!("{made}/README.md")).unwrap();
        let commands = readme.split("```sh\n").nth(2).unwrap().split("```").next().unwrap();
        let commands: Vec<&str> = commands.lines().collect();
        assert!(commands[0].starts_with("rustup target add "), "{commands:?}");
        assert_eq!(commands.len(), 3);
        let target = commands[0].rsplit(' ').next().unwrap();
        let mut rustc = Command::new("rustc");
        let found = rustc.args(["--print", "target-libdir", "--target", target]).output().unwrap();
        if !Path::new(String::from_utf8_lossy(&found.stdout).trim()).is_dir() {
            let told = format!("SKIPPED: there is no {target}; `{}`", commands[0]);
            assert!(std::env::var_os("STANDPOINT_NEEDS_WASM").is_none(), "{told}");
            eprintln!("{told}");
            return;
        }
        let program = Path::new(env!("CARGO_BIN_EXE_standpoint")).parent().unwrap();
        let path = std::env::var("PATH").unwrap_or_default();
        for line in &commands[1..] {
            let output = Command::new("sh")
                .args(["-c", line])
                .current_dir(&made)
                .env("PATH", format!("{}:{path}", program.display()))
                .env("STANDPOINT_PLUGINS", plugins())
                .env("CARGO_NET_OFFLINE", "true")
                .env_remove("CARGO_TARGET_DIR")
                .output()
                .unwrap();
            let (out, err) =
                (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
            assert!(output.status.success(), "{line}\n{out}\n{err}");
        }
    }
}
