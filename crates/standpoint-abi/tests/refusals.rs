//! Each file that is not a plugin for this host is refused, in its own words and before its code
//! runs.

#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::{compile_c, example, start};
use insta::assert_snapshot;
use proptest::prelude::*;
use serde_json::Value;
use standpoint_abi::{LoadError, LoadPolicy, LoadedPlugin, PluginFolders, inspect};
use tempfile::TempDir;

/// What loading `path` says, with the path's folder left out and the whole chain of causes.
fn refusal(path: &Path) -> String {
    refusal_under(path, &LoadPolicy::default())
}

fn refusal_under(path: &Path, policy: &LoadPolicy) -> String {
    words(path, &LoadedPlugin::load(path, policy).unwrap_err())
}

fn words(path: &Path, error: &LoadError) -> String {
    let folder = format!("{}/", path.parent().unwrap().display());
    error.to_string().replace(&folder, "").replace(standpoint_abi::HOST_TARGET, "<host>")
}

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn written(folder: &TempDir, name: &str, content: &[u8]) -> PathBuf {
    let path = folder.path().join(name);
    fs::write(&path, content).unwrap();
    path
}

fn bad(folder: &TempDir, flags: &[&str]) -> PathBuf {
    compile_c("tests/c/bad.c", folder.path(), "libbad.so", flags)
}

#[test]
fn what_is_not_a_shared_library_says_what_it_is() {
    let folder = folder();
    assert_snapshot!(
        refusal(&folder.path().join("gone.so")),
        @"there is no plugin gone.so: build it first, or correct the path"
    );
    assert_snapshot!(
        refusal(&written(&folder, "libx.rlib", b"!<arch>\nrest")),
        @r#"libx.rlib is not a shared library: add `[lib] crate-type = ["cdylib"]` to its Cargo.toml"#
    );
    assert_snapshot!(
        refusal(&written(&folder, "a.so", b"#!/bin/sh\n")),
        @"a.so is not a shared library but a script"
    );
    assert_snapshot!(
        refusal(&written(&folder, "b.so", b"\0asm\x01\0\0\0")),
        @"b.so is not a shared library but a WebAssembly module"
    );
    assert_snapshot!(
        refusal(&written(&folder, "c.so", b"")),
        @"c.so is not a shared library but something else"
    );
    let inner = folder.path().join("inner");
    fs::create_dir(&inner).unwrap();
    assert_snapshot!(refusal(&inner), @"inner is not a shared library but a folder or device");
    let mut cut = fs::read(example("hedge")).unwrap();
    cut.truncate(100);
    assert_snapshot!(
        refusal(&written(&folder, "d.so", &cut)),
        @"d.so is not a shared library but damaged or cut short"
    );
    let program = std::env::current_exe().unwrap();
    assert!(refusal(&program).contains("has no `standpoint_plugin_v1`"));
}

#[test]
fn a_library_without_a_table_or_manifest_is_no_plugin() {
    let folder = folder();
    let plain = bad(&folder, &["-DNO_TABLE", "-DNO_MANIFEST"]);
    assert_snapshot!(
        refusal(&plain),
        @"libbad.so is a library, but has no `standpoint_plugin_v1`; is `export_stage!(..)` missing? It exports: bar, foo"
    );
    let without_section = bad(&folder, &["-DNO_MANIFEST"]);
    assert_snapshot!(
        refusal(&without_section),
        @"libbad.so is a library, but has no section `.standpoint`; is `export_stage!(..)` missing? It exports: standpoint_plugin_v1"
    );
    let without_table = bad(&folder, &["-DNO_TABLE"]);
    assert_snapshot!(
        refusal(&without_table),
        @"libbad.so is a library, but has no `standpoint_plugin_v1`; is `export_stage!(..)` missing? It exports: bar, foo"
    );
}

#[test]
fn other_abis_and_machines_are_refused_from_the_manifest() {
    let folder = folder();
    let cases: [&[&str]; 5] = [
        &["-DREQUIRED=\"3\""],
        &["-DMAJOR=\"2\""],
        &["-DMAJOR=\"0\""],
        &["-DMORE=\",\\\"panic\\\":\\\"abort\\\"\""],
        &["-DMORE=\",\\\"target\\\":\\\"aarch64-apple-darwin\\\"\""],
    ];
    let messages: Vec<_> = cases.iter().map(|flags| refusal(&bad(&folder, flags))).collect();
    assert_snapshot!(messages.join("\n"), @r#"
    bad 0.4.1 needs host ABI >= 1.3; this host has 1.1: upgrade standpoint, or build the plugin with an older standpoint-abi
    bad 0.4.1 needs host ABI >= 2.0; this host has 1.1: upgrade standpoint, or build the plugin with an older standpoint-abi
    bad 0.4.1 speaks ABI 0.0; this host speaks 1.1: rebuild the plugin
    bad 0.4.1 was built with `panic = "abort"`, so that its panics would end this program: remove that from its profile and rebuild it
    libbad.so is built for aarch64-apple-darwin; this host is <host>
    "#);
}

#[test]
fn another_processor_is_seen_in_the_file_s_header() {
    let folder = folder();
    let mut other = fs::read(bad(&folder, &[])).unwrap();
    // `e_machine` of an ELF file: RISC-V.
    other[18] = 243;
    assert_snapshot!(
        refusal(&written(&folder, "riscv.so", &other)),
        @"riscv.so is built for riscv64 and linux or another unix; this host is <host>"
    );
}

/// A library that names a glibc which there is not yet: what one built on a newer system looks
/// like.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[test]
fn a_newer_c_library_is_asked_for_in_vain() {
    let folder = folder();
    let built = fs::read(bad(&folder, &["-DUSES_LIBC"])).unwrap();
    let mut newer = built.clone();
    let name = b"GLIBC_2.";
    let places: Vec<usize> =
        (0..built.len() - name.len()).filter(|&at| built[at..].starts_with(name)).collect();
    assert!(!places.is_empty(), "it needs nothing of the C library");
    for at in places {
        newer[at + 6] = b'9';
    }
    let library = written(&folder, "libnewer.so", &newer);
    let told = refusal(&library);
    assert!(told.starts_with("libnewer.so needs GLIBC_9."), "{told}");
    assert!(told.ends_with(
        ", which this system does not have: build it on an older system, with `cargo zigbuild`, \
         or in a container"
    ));
    // Before any of its code is loaded.
    assert!(matches!(inspect(&library), Err(LoadError::OldLibc { .. })));
}

#[test]
fn a_table_that_is_not_what_the_abi_says_is_refused() {
    let folder = folder();
    let cases: [&[&str]; 6] = [
        &["-DTABLE_SIZE=40"],
        &["-DTABLE_MAJOR=2"],
        &["-DTABLE_REQUIRED=1"],
        &["-DPROCESS=0", "-Wno-unused-function"],
        &["-DDROP=0", "-Wno-unused-function"],
        &[
            "-DOTHER_MANIFEST=\"{\\\"abi\\\":{\\\"major\\\":1,\\\"minor\\\":0},\\\"name\\\":\\\"x\\\",\\\"version\\\":\\\"1\\\"}\"",
        ],
    ];
    let mut messages = Vec::new();
    for (number, flags) in cases.iter().enumerate() {
        // Under another name each, because the system knows loaded libraries by theirs.
        let name = format!("libbad{number}.so");
        let library = compile_c("tests/c/bad.c", folder.path(), &name, flags);
        messages.push(refusal(&library));
    }
    assert_snapshot!(messages.join("\n"), @"
    the table of libbad0.so is wrong: it has 40 bytes where ABI 1.0 has 88
    the table of libbad1.so is wrong: it speaks ABI 2 and this host 1
    the table of libbad2.so is wrong: it requires another host than its manifest says
    the table of libbad3.so is wrong: `create`, `destroy` or `process` is null
    the table of libbad4.so is wrong: of `poll` and `drop_future` one is null
    the table of libbad5.so is wrong: its manifest is not that of the file's section
    ");
}

#[test]
fn a_table_that_has_grown_loads() {
    let folder = folder();
    let library = bad(&folder, &["-DTABLE_SIZE=(sizeof(sp_plugin)+64)"]);
    let plugin = LoadedPlugin::load(library, &LoadPolicy::default()).unwrap();
    plugin.create(&Value::Null, &start()).unwrap();
}

#[test]
fn a_broken_manifest_is_refused() {
    let folder = folder();
    let refused = refusal(&bad(&folder, &["-DJSON=\"{}\""]));
    assert_snapshot!(refused, @"the manifest of libbad.so cannot be read: missing field `abi` at line 1 column 2");
}

#[cfg(unix)]
#[test]
fn what_anybody_may_write_is_not_run() {
    use std::os::unix::fs::PermissionsExt;

    let folder = folder();
    let library = folder.path().join("libhedge.so");
    fs::copy(example("hedge"), &library).unwrap();
    let set = |path: &Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    set(&library, 0o777);
    assert_snapshot!(
        refusal(&library),
        @"libhedge.so may be written by anybody, so its code is not run: `chmod o-w` it"
    );
    set(&library, 0o755);
    set(folder.path(), 0o777);
    assert!(refusal(&library).contains("may be written by anybody"));
    // With the sticky bit, as on /tmp, only owners replace their files.
    set(folder.path(), 0o1777);
    LoadedPlugin::load(&library, &LoadPolicy::default()).unwrap();
    set(folder.path(), 0o700);

    let cache = folder.path().join("cache");
    fs::create_dir(&cache).unwrap();
    set(&cache, 0o777);
    let policy = LoadPolicy { cache_dir: Some(cache.clone()), ..LoadPolicy::default() };
    let error = LoadedPlugin::load(&library, &policy).unwrap_err();
    assert!(matches!(error, LoadError::Cache { .. }), "{error}");
}

#[test]
fn a_pin_holds() {
    let library = example("hedge");
    // Nobody hashes what nobody pins or keeps.
    let loaded = LoadedPlugin::load(&library, &LoadPolicy::default()).unwrap();
    assert_eq!(loaded.sha256(), None);
    let folder = folder();
    let cache_dir = Some(folder.path().join("cache"));
    let keeping = LoadPolicy { cache_dir, ..LoadPolicy::default() };
    let right = LoadedPlugin::load(&library, &keeping).unwrap().sha256().unwrap().to_owned();
    let pinned = |pin: &str| LoadPolicy { sha256: Some(pin.to_owned()), ..LoadPolicy::default() };
    LoadedPlugin::load(&library, &pinned(&right.to_uppercase())).unwrap();
    let refused = refusal_under(&library, &pinned("00ff")).replace(&right, "<found>");
    assert_snapshot!(refused, @"libhedge.so has the SHA-256 <found>, not 00ff: it was changed; correct `sha256` if that was meant");
}

#[test]
fn plugins_are_found_by_the_name_of_their_stage() {
    let folder = folder();
    let copy = |name: &str| fs::copy(example("hedge"), folder.path().join(name)).unwrap();
    copy("libhedge.so");
    copy("libother_name.so");
    written(&folder, "libbroken.so", b"\x7fELF");
    written(&folder, "readme.txt", b"");
    bad(&folder, &["-DNO_TABLE", "-DNO_MANIFEST"]);
    let folders = PluginFolders::new(vec!["/nonexistent".into(), folder.path().to_owned()]);

    let (path, manifest) = folders.find("hedge").unwrap();
    assert_eq!((path, manifest.name.as_str()), (folder.path().join("libhedge.so"), "hedge"));
    copy("libstandpoint_hedge.so");
    assert!(folders.find("hedge").unwrap().0.ends_with("libstandpoint_hedge.so"));

    let error = folders.find("other-name").unwrap_err();
    assert_snapshot!(
        words(&folder.path().join("x"), &error),
        @"libother_name.so holds the stage `hedge`, not `other-name`"
    );
    let error = PluginFolders::new(vec!["/nonexistent".into()]).find("../hedge").unwrap_err();
    assert_snapshot!(error, @"no plugin `../hedge` in /nonexistent: build or install it, or name its folder in `plugins.paths`");

    let listed: Vec<_> = folders
        .list()
        .iter()
        .map(|l| (l.path.file_name().unwrap().to_owned(), l.manifest.is_ok()))
        .collect();
    let expected = [
        ("libbroken.so", false),
        ("libhedge.so", true),
        ("libother_name.so", true),
        ("libstandpoint_hedge.so", true),
    ];
    assert_eq!(listed, expected.map(|(name, good)| (name.into(), good)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Reading a damaged file says so or reads a manifest; it neither panics nor runs code.
    #[test]
    fn damaged_files_are_read_safely(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..40),
        headers in any::<bool>(),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        thread_local! {
            static PLUGIN: (TempDir, Vec<u8>) = {
                let folder = folder();
                let content = fs::read(bad(&folder, &[])).unwrap();
                (folder, content)
            };
        }
        PLUGIN.with(|(folder, plugin)| {
            let mut content = plugin.clone();
            // Most of what is read lies in the headers at both ends and in the manifest.
            for (place, byte) in &changes {
                let range = if headers { 64 } else { content.len() };
                content[place.index(range)] = *byte;
            }
            if let Some(cut) = cut {
                content.truncate(cut.index(plugin.len()));
            }
            let _ = inspect(&written(folder, "damaged.so", &content));
        });
    }
}
