//! Compiled modules, kept from run to run.
//!
//! What is read back is machine code, which is run as it is. So only files are taken that this
//! user's programs wrote into a folder that nobody else can change, under the hash of the module and
//! of the engine that compiled it, and whose content has the hash that it was written with.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use rustix::fs::OFlags;
use sha2::{Digest, Sha256};
use wasmtime::{Engine, Module};

use crate::error::ModuleError;

/// Bytes of the hash before the machine code.
const HASH_BYTES: usize = 32;

/// The largest file that is read back.
const MAX_COMPILED_BYTES: u64 = 1 << 30;

/// Compiles a module, or takes what was compiled before from `folder`.
///
/// # Errors
///
/// [`ModuleError`] when it cannot be compiled, or others can change the folder.
pub(crate) fn compile(
    engine: &Engine,
    path: &Path,
    module: &[u8],
    sha256: &str,
    folder: Option<&Path>,
) -> Result<Module, ModuleError> {
    let compiled = || {
        Module::new(engine, module).map_err(|error| ModuleError::Run {
            path: path.to_owned(),
            problem: format!("{error:#}"),
        })
    };
    let Some(folder) = folder else { return remember(sha256, compiled) };
    make_private(folder)
        .map_err(|source| ModuleError::Cache { path: folder.to_owned(), source })?;
    let mut hasher = DefaultHasher::new();
    engine.precompile_compatibility_hash().hash(&mut hasher);
    let kept = folder.join(format!("{sha256}-{:016x}.cwasm", hasher.finish()));
    match read_back(&kept) {
        Ok(Some(code)) => match load(engine, &code) {
            Ok(module) => return Ok(module),
            Err(error) => {
                let error = format!("{error:#}");
                tracing::warn!(error, "a compiled module is of another engine and made again");
            }
        },
        Ok(None) => {}
        Err(error) => tracing::warn!(%error, "a compiled module is damaged and made again"),
    }
    let module = compiled()?;
    let written = module.serialize().map_err(io::Error::other).and_then(|code| {
        // Complete when it gets its name; that it cannot be kept only costs time.
        let draft = folder.join(format!("{sha256}.{}.tmp", std::process::id()));
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&draft)?;
        file.write_all(&Sha256::digest(&code))?;
        file.write_all(&code)?;
        fs::rename(&draft, &kept)
    });
    if let Err(error) = written {
        tracing::warn!(%error, "a compiled module is not kept");
    }
    Ok(module)
}

/// Without a folder, the modules that were compiled last stay in memory: a stage that is tried is
/// made many times.
fn remember(
    sha256: &str,
    compiled: impl FnOnce() -> Result<Module, ModuleError>,
) -> Result<Module, ModuleError> {
    const MOST: usize = 4;
    static LAST: Mutex<VecDeque<(String, Module)>> = Mutex::new(VecDeque::new());
    // Held while it compiles, so that several who want it at once wait for one.
    let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, module)) = last.iter().find(|(known, _)| known == sha256) {
        return Ok(module.clone());
    }
    let module = compiled()?;
    if last.len() == MOST {
        last.pop_front();
    }
    last.push_back((sha256.to_owned(), module.clone()));
    Ok(module)
}

/// Reads what was kept, if it is whole and ours; `None` where nothing was.
fn read_back(kept: &Path) -> io::Result<Option<Vec<u8>>> {
    // A link would lead out of the folder that was checked.
    let opened = fs::OpenOptions::new()
        .read(true)
        .custom_flags((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed())
        .open(kept);
    let file = match opened {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    refuse_foreign(&file)?;
    let mut code = Vec::new();
    file.take(MAX_COMPILED_BYTES).read_to_end(&mut code)?;
    let damaged = || io::Error::new(io::ErrorKind::InvalidData, "its hash is another one");
    let (hash, content) = code.split_at_checked(HASH_BYTES).ok_or_else(damaged)?;
    if Sha256::digest(content).as_slice() != hash {
        return Err(damaged());
    }
    code.drain(..HASH_BYTES);
    Ok(Some(code))
}

#[expect(unsafe_code, reason = "machine code is trusted because this program wrote it")]
fn load(engine: &Engine, code: &[u8]) -> wasmtime::Result<Module> {
    // SAFETY: `read_back` has the code from a file of ours in a folder that nobody else can change,
    // as `make_private` has checked, and it is whole by its hash; only `compile` writes such files,
    // and the engine checks that it is of its own version.
    unsafe { Module::deserialize(engine, code) }
}

/// Makes a folder that only we can change, or checks that it is one.
fn make_private(folder: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    refuse_foreign(&File::open(folder)?)?;
    // Whoever can rename a folder above it can put another in its place.
    let whole = folder.canonicalize()?;
    for above in whole.ancestors().skip(1) {
        let found = above.metadata()?;
        let is_sticky = found.mode() & 0o1000 != 0;
        if found.mode() & 0o002 != 0 && !is_sticky {
            return Err(io::Error::new(
                io::ErrorKind::PermissionDenied,
                format!("anybody can change {} above it: chmod o-w", above.display()),
            ));
        }
    }
    Ok(())
}

fn refuse_foreign(file: &File) -> io::Result<()> {
    let found = file.metadata()?;
    if found.uid() == rustix::process::geteuid().as_raw() && found.mode() & 0o022 == 0 {
        return Ok(());
    }
    Err(io::Error::new(
        io::ErrorKind::PermissionDenied,
        "what is kept there is run: it must be ours, and writable by nobody else",
    ))
}
