//! Reads a plugin's manifest from its file, without loading any code.
//!
//! The file may be anything: only its headers and one section are read, each within the file's
//! own length, so that no file can make us allocate more than it has or read for long.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use object::read::ReadCache;
use object::{
    Architecture, BinaryFormat, FileKind, Object, ObjectKind, ObjectSection, ObjectSymbol,
};

use super::error::LoadError;
use super::libc;
use super::manifest::{HOST_TARGET, Manifest};
use crate::layout::SYMBOL;
use crate::manifest_text::SECTION;

/// The longest section that is read, in bytes. Schemas take a few thousand.
const MAX_SECTION_BYTES: u64 = 1 << 20;

/// How many exported symbols an error lists.
const LISTED_SYMBOLS: usize = 8;

/// Reads what a plugin says of itself, without running any of its code.
///
/// # Errors
///
/// [`LoadError`] for what is not a plugin that this host can use.
pub fn inspect(path: &Path) -> Result<Manifest, LoadError> {
    let file = open(path)?;
    read_manifest(&file, path)
}

/// Opens a regular file.
pub(super) fn open(path: &Path) -> Result<File, LoadError> {
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => LoadError::Missing { path: path.to_owned() },
        _ => LoadError::Read { path: path.to_owned(), source },
    };
    // Asked before opening, because opening a FIFO would wait for its writer.
    if !path.metadata().map_err(failed)?.is_file() {
        let found = "a folder or device";
        return Err(LoadError::NotALibrary { path: path.to_owned(), found });
    }
    File::open(path).map_err(failed)
}

/// Reads the manifest of an open file; `path` is for messages.
pub(super) fn read_manifest(file: &File, path: &Path) -> Result<Manifest, LoadError> {
    check_beginning(file, path)?;
    let unreadable = |_| not_a_library(path, "damaged or cut short");
    let cache = ReadCache::new(file);
    let library = object::File::parse(&cache).map_err(unreadable)?;
    check_machine(&library, path)?;
    if library.kind() != ObjectKind::Dynamic {
        return Err(not_a_library(path, "a program or object file"));
    }
    let section = library.section_by_name(match library.format() {
        BinaryFormat::MachO => "__standpoint",
        _ => SECTION,
    });
    let exports_table = exports(&library).any(|name| name == SYMBOL.as_bytes());
    let (Some(section), true) = (section, exports_table) else {
        let missing =
            if exports_table { "section `.standpoint`" } else { "`standpoint_plugin_v1`" };
        let mut exported: Vec<String> = exports(&library)
            .take(LISTED_SYMBOLS)
            .map(|name| String::from_utf8_lossy(name).escape_debug().to_string())
            .collect();
        exported.sort();
        return Err(LoadError::NotAPlugin { path: path.to_owned(), missing, exported });
    };
    let wrong = |problem: String| LoadError::Manifest { path: path.to_owned(), problem };
    if section.size() > MAX_SECTION_BYTES {
        return Err(wrong(format!("its section has {} bytes", section.size())));
    }
    let content = section.data().map_err(|_| wrong("its section leaves the file".to_owned()))?;
    let manifest = Manifest::parse(content, !library.is_little_endian()).map_err(wrong)?;
    manifest.check(path)?;
    match libc::missing(&library) {
        Some(needed) => Err(LoadError::OldLibc { path: path.to_owned(), needed }),
        None => Ok(manifest),
    }
}

fn exports<'a>(
    library: &'a object::File<'a, &'a ReadCache<&'a File>>,
) -> impl Iterator<Item = &'a [u8]> {
    library
        .dynamic_symbols()
        .filter(|symbol| symbol.is_global() && symbol.is_definition())
        .filter_map(|symbol| symbol.name_bytes().ok())
}

/// Says what a file is that does not begin as a library does.
fn check_beginning(file: &File, path: &Path) -> Result<(), LoadError> {
    let mut beginning = Vec::with_capacity(16);
    file.take(16)
        .read_to_end(&mut beginning)
        .map_err(|source| LoadError::Read { path: path.to_owned(), source })?;
    if beginning.starts_with(b"!<arch>\n") {
        return Err(LoadError::StaticLibrary { path: path.to_owned() });
    }
    // Only the first bytes decide; the rest is parsed later.
    beginning.resize(64, 0);
    let found = match FileKind::parse(&*beginning) {
        Ok(_) => return Ok(()),
        Err(_) if beginning.starts_with(b"#!") => "a script",
        Err(_) if beginning.starts_with(b"\0asm") => "a WebAssembly module",
        Err(_) => "something else",
    };
    Err(not_a_library(path, found))
}

fn check_machine<'a>(
    library: &object::File<'a, &'a ReadCache<&'a File>>,
    path: &Path,
) -> Result<(), LoadError> {
    let ours = match std::env::consts::ARCH {
        "x86_64" => Some(Architecture::X86_64),
        "aarch64" => Some(Architecture::Aarch64),
        // Where we cannot tell, the system's loader will.
        _ => None,
    };
    let format = library.format();
    let here = if cfg!(target_vendor = "apple") { BinaryFormat::MachO } else { BinaryFormat::Elf };
    if format == here && ours.is_none_or(|ours| ours == library.architecture()) {
        return Ok(());
    }
    let system = match format {
        BinaryFormat::Elf => "Linux or another Unix",
        BinaryFormat::MachO => "macOS",
        BinaryFormat::Pe | BinaryFormat::Coff => "Windows",
        _ => "another system",
    };
    let found = format!("{:?} and {system}", library.architecture()).to_lowercase();
    Err(LoadError::OtherMachine { path: path.to_owned(), found, host: HOST_TARGET })
}

fn not_a_library(path: &Path, found: &'static str) -> LoadError {
    LoadError::NotALibrary { path: path.to_owned(), found }
}
