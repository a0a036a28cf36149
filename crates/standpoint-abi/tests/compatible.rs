//! What was built for ABI 1.0 loads for ever, and either side may know more than the other.

#![cfg(all(target_os = "linux", target_arch = "x86_64", target_env = "gnu"))]
#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]
#![allow(unsafe_code, reason = "it plays a host of its own")]

mod common;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::ptr;
use std::sync::atomic::AtomicU32;

use common::{compile_c, example, run, start};
use serde_json::Value;
use standpoint_abi::layout::{
    ERROR, HostTable, OK, PluginTable, RawCall, RawInstance, RawLayer, RawStart, RawWaker, SYMBOL,
    Str, v1_0,
};
use standpoint_abi::{LoadPolicy, LoadedPlugin};

#[test]
fn plugins_of_version_1_0_load_for_ever() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/v1_0");
    let mut files: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 2);
    for file in files {
        let plugin = LoadedPlugin::load(&file, &LoadPolicy::default()).unwrap();
        assert_eq!(plugin.manifest().abi.major, 1);
        let stage = plugin.create(&Value::Null, &start()).unwrap();
        let document = run(&stage, "Мой друг, perhaps so, perhaps not.").unwrap();
        let hedges = &document.layer("hedges").unwrap().annotations;
        let words: Vec<_> = hedges.iter().map(|hedge| document.slice(hedge.span)).collect();
        assert_eq!(words, ["perhaps", "perhaps"], "{}", file.display());
    }
}

/// A host that has grown, as a plugin of today sees it.
#[repr(C)]
struct LongerTable {
    table: HostTable,
    more: [usize; 8],
}

unsafe extern "C" fn log(_: *const HostTable, _: u32, _: Str, _: Str, _: Str) {}
unsafe extern "C" fn set_layer(_: *mut RawCall, _: *const RawLayer) -> i32 {
    OK
}
unsafe extern "C" fn set_json(_: *mut RawCall, _: Str, _: Str) -> i32 {
    OK
}
unsafe extern "C" fn set_text(_: *mut RawCall, _: Str) -> i32 {
    OK
}
unsafe extern "C" fn set_error(_: *mut RawCall, _: u32, _: Str) {}
unsafe extern "C" fn clone(waker: *const RawWaker) -> *const RawWaker {
    waker
}
unsafe extern "C" fn wake(_: *const RawWaker) {}

fn host(size: u32, minor: u32) -> &'static LongerTable {
    let table = HostTable {
        size,
        abi_major: 1,
        abi_minor: minor,
        max_level: AtomicU32::new(0),
        log,
        set_layer,
        set_record: set_json,
        set_attribute: set_json,
        set_language: set_text,
        add_note: set_text,
        set_error,
        waker_clone: clone,
        waker_wake: wake,
        waker_drop: wake,
    };
    Box::leak(Box::new(LongerTable { table, more: [usize::MAX; 8] }))
}

#[test]
fn a_plugin_takes_a_host_that_has_grown_and_refuses_one_that_lacks_something() {
    // By itself, so that its first host is one of ours: a plugin keeps the first that it sees.
    let folder = tempfile::tempdir().unwrap();
    let cases = [
        ("the same", v1_0::HOST_SIZE, 0, OK),
        ("longer", size_of::<LongerTable>() as u32, 7, OK),
        ("shorter", v1_0::HOST_SIZE - 8, 0, ERROR),
    ];
    for (case, size, minor, expected) in cases {
        let copy = folder.path().join(format!("{}.so", case.replace(' ', "-")));
        fs::copy(example("spans"), &copy).unwrap();
        // SAFETY: a plugin of this crate; its table is constant, and the library stays.
        let status = unsafe {
            let library = Box::leak(Box::new(libloading::Library::new(&copy).unwrap()));
            let table = **library.get::<*const PluginTable>(SYMBOL.as_bytes()).unwrap();
            let host = host(size, minor);
            assert_eq!(host.more, [usize::MAX; 8]);
            let (stage, settings) = (Str::new("here"), Str::new("{}"));
            let start = RawStart {
                size: v1_0::START_SIZE,
                reserved: 0,
                stage,
                pipeline_dir: Str::new("."),
                settings,
            };
            let mut call = 0_u8;
            let mut instance: *mut RawInstance = ptr::null_mut();
            table.create.unwrap()(
                &raw const host.table,
                (&raw mut call).cast(),
                &raw const start,
                &raw mut instance,
            )
        };
        assert_eq!(status, expected, "{case}");
    }
}

#[test]
fn a_library_for_a_newer_system_says_which() {
    let folder = tempfile::tempdir().unwrap();
    // A C library from the future, to link against.
    let future = folder.path().join("future.c");
    fs::write(&future, "void from_the_future(void) {}\n").unwrap();
    let versions = folder.path().join("versions");
    fs::write(&versions, "GLIBC_2.99 { global: from_the_future; local: *; };\n").unwrap();
    let built = Command::new(std::env::var_os("CC").unwrap_or_else(|| "cc".into()))
        .args(["-shared", "-fPIC", "-nostdlib", "-Wl,-soname,libc.so.6"])
        .arg(format!("-Wl,--version-script={}", versions.display()))
        .arg("-o")
        .arg(folder.path().join("libfuture.so"))
        .arg(&future)
        .status()
        .unwrap();
    assert!(built.success());
    let source = folder.path().join("user.c");
    let hedge = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/c/hedge.c");
    fs::write(
        &source,
        format!(
            "void from_the_future(void);\n#include \"{}\"\n\
             __attribute__((constructor)) static void begin(void) {{ from_the_future(); }}\n",
            hedge.display()
        ),
    )
    .unwrap();
    let search = format!("-L{}", folder.path().display());
    let flags = [search.as_str(), "-Wl,--no-as-needed", "-lfuture"];
    let library = compile_c(source.to_str().unwrap(), folder.path(), "libuser.so", &flags);
    let error = LoadedPlugin::load(&library, &LoadPolicy::default()).unwrap_err().to_string();
    assert!(
        error.contains("needs GLIBC_2.99, which this system does not have: build it"),
        "{error}"
    );
}
