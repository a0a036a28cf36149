//! Reads a module's manifest from its file, without compiling or running it.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use standpoint_wire::StageManifest;

use crate::error::ModuleError;

/// The largest file that is read.
pub const MAX_MODULE_BYTES: u64 = 64 << 20;

/// The name of the custom section.
const SECTION: &[u8] = b"standpoint";

/// Reads what a module says of itself.
///
/// # Errors
///
/// [`ModuleError`] for what is no module or has no manifest.
pub fn inspect(path: &Path) -> Result<StageManifest, ModuleError> {
    read_manifest(&read(path)?, path)
}

/// Reads a file, within [`MAX_MODULE_BYTES`].
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, ModuleError> {
    let failed = |source| ModuleError::Read { path: path.to_owned(), source };
    // Asked before opening, because opening a FIFO would wait for its writer.
    let found = path.metadata().map_err(failed)?;
    if !found.is_file() || found.len() > MAX_MODULE_BYTES {
        let problem = if found.is_file() { "too large" } else { "not a file" };
        return Err(failed(io::Error::new(io::ErrorKind::InvalidInput, problem)));
    }
    refuse_world_writable(path).map_err(failed)??;
    let mut content = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAX_MODULE_BYTES).read_to_end(&mut content))
        .map_err(failed)?;
    Ok(content)
}

/// Code that anybody can change is nobody's to run.
fn refuse_world_writable(path: &Path) -> io::Result<Result<(), ModuleError>> {
    const OTHERS_WRITE: u32 = 0o002;
    const STICKY: u32 = 0o1000;
    let target = path.canonicalize()?;
    for place in [Some(target.as_path()), path.parent(), target.parent()].into_iter().flatten() {
        let place = if place.as_os_str().is_empty() { Path::new(".") } else { place };
        let found = place.metadata()?;
        let is_sticky = found.is_dir() && found.mode() & STICKY != 0;
        if found.mode() & OTHERS_WRITE != 0 && !is_sticky {
            return Ok(Err(ModuleError::WorldWritable { path: place.to_owned() }));
        }
    }
    Ok(Ok(()))
}

/// Reads the manifest of a module's bytes; `path` is for messages.
///
/// # Errors
///
/// As for [`inspect`].
pub fn read_manifest(module: &[u8], path: &Path) -> Result<StageManifest, ModuleError> {
    let no_module =
        |problem: &str| ModuleError::NoModule { path: path.to_owned(), problem: problem.into() };
    let mut rest = match module {
        [b'\0', b'a', b's', b'm', 1, 0, 0, 0, rest @ ..] => rest,
        [b'\0', b'a', b's', b'm', ..] => {
            return Err(no_module("it is a component; build a core module"));
        }
        _ => return Err(no_module("it does not begin as one")),
    };
    let cut = || no_module("it is cut short");
    while let Some((&id, after)) = rest.split_first() {
        let (length, after) = number(after).ok_or_else(cut)?;
        let (section, after) = after.split_at_checked(length).ok_or_else(cut)?;
        rest = after;
        if id != 0 {
            continue;
        }
        let (length, named) = number(section).ok_or_else(cut)?;
        let (name, content) = named.split_at_checked(length).ok_or_else(cut)?;
        if name == SECTION {
            let wrong = |problem: String| ModuleError::Manifest { path: path.to_owned(), problem };
            // What pads a section is no part of it.
            let content = content.trim_ascii_end();
            let content = content.strip_suffix(&[0]).unwrap_or(content);
            let manifest: StageManifest =
                serde_json::from_slice(content).map_err(|error| wrong(error.to_string()))?;
            manifest.check().map_err(wrong)?;
            return Ok(manifest);
        }
    }
    Err(no_module("it has no section `standpoint` with a manifest"))
}

/// A number of up to 32 bits in LEB128, and what follows it.
fn number(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut value: u64 = 0;
    for (index, byte) in bytes.iter().enumerate().take(5) {
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Some((usize::try_from(value).ok()?, &bytes[index + 1..]));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use proptest::prelude::*;

    use super::*;

    fn module(sections: &[(u8, &[u8])]) -> Vec<u8> {
        let mut bytes = b"\0asm\x01\0\0\0".to_vec();
        for (id, content) in sections {
            bytes.extend([*id, content.len() as u8]);
            bytes.extend_from_slice(content);
        }
        bytes
    }

    fn said(bytes: &[u8]) -> String {
        let read = read_manifest(bytes, Path::new("m.wasm"));
        read.map_or_else(|error| error.to_string(), |manifest| manifest.name)
    }

    #[test]
    fn a_manifest_is_found_among_other_sections_and_nothing_else_is_taken() {
        let manifest = br#"standpoint{"name":"hedge","version":"1"}"#;
        let mut named = vec![10];
        named.extend_from_slice(manifest);
        let whole = module(&[(0, b"\x04nameabc"), (1, b"xyz"), (0, &named)]);
        let found = [
            said(&whole),
            said(b"#!/bin/sh"),
            said(b"\0asm\x0d\0\x01\0"),
            said(&module(&[])),
            said(&whole[..30]),
            said(&module(&[(0, b"\x0astandpoint[]")])),
            said(&module(&[(0, b"\x0astandpoint{\"name\":\"No\",\"version\":\"1\"}")])),
        ];
        assert_snapshot!(found.join("\n"), @r#"
        hedge
        m.wasm is no WebAssembly module that can be a stage: it does not begin as one
        m.wasm is no WebAssembly module that can be a stage: it is a component; build a core module
        m.wasm is no WebAssembly module that can be a stage: it has no section `standpoint` with a manifest
        m.wasm is no WebAssembly module that can be a stage: it is cut short
        the manifest of m.wasm cannot be read: invalid length 0, expected struct StageManifest with 7 elements at line 1 column 2
        the manifest of m.wasm cannot be read: it calls itself "No": a name begins with a lower-case letter, followed by such letters, digits and `-`
        "#);
    }

    proptest! {
        #[test]
        fn whatever_comes_reading_ends(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut module = b"\0asm\x01\0\0\0".to_vec();
            module.extend(bytes);
            let _ = said(&module);
        }
    }
}
