//! What the compiler made of a module's functions, kept from run to run.
//!
//! What is read back becomes machine code, which is run as it is. So only files are taken that this
//! user's programs wrote into a folder that nobody else can change, under the hash of the module
//! and of the engine that compiled it, and whose content has the hash that it was written with.

use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};
use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use rustix::fs::OFlags;
use sha2::{Digest, Sha256};
use wasmtime::{CacheStore, Module};

use crate::engine::Shared;
use crate::error::ModuleError;

/// Bytes of the hash before what was compiled.
const HASH_BYTES: usize = 32;

/// The largest file that is read back.
const MAX_COMPILED_BYTES: u64 = 1 << 30;

/// How many modules' functions are kept: those that were compiled last.
const MOST_KEPT: usize = 32;

/// Where the engine looks for compiled functions, and puts them: those of the module in hand.
#[derive(Debug, Default)]
pub(crate) struct Functions(Mutex<Compiled>);

/// Compiled functions, by what the compiler knows them by.
#[derive(Debug, Default)]
struct Compiled {
    by_key: BTreeMap<Vec<u8>, Vec<u8>>,
    is_new: bool,
}

impl Functions {
    fn lock(&self) -> MutexGuard<'_, Compiled> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl CacheStore for Functions {
    fn get(&self, key: &[u8]) -> Option<Cow<'_, [u8]>> {
        self.lock().by_key.get(key).cloned().map(Cow::Owned)
    }

    fn insert(&self, key: &[u8], value: Vec<u8>) -> bool {
        let mut compiled = self.lock();
        compiled.by_key.insert(key.to_vec(), value);
        compiled.is_new = true;
        true
    }
}

/// Compiles a module, with what was compiled of it before from `folder`.
///
/// # Errors
///
/// [`ModuleError`] when it cannot be compiled, or others can change the folder.
pub(crate) fn compile(
    shared: &Shared,
    path: &Path,
    module: &[u8],
    sha256: &str,
    folder: Option<&Path>,
) -> Result<Module, ModuleError> {
    // The engine has room for the functions of one.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let compiled = || {
        Module::new(&shared.engine, module).map_err(|error| ModuleError::Run {
            path: path.to_owned(),
            problem: format!("{error:#}"),
        })
    };
    let Some(folder) = folder else { return remember(sha256, compiled) };
    make_private(folder)
        .map_err(|source| ModuleError::Cache { path: folder.to_owned(), source })?;
    let mut hasher = DefaultHasher::new();
    shared.engine.precompile_compatibility_hash().hash(&mut hasher);
    let kept = folder.join(format!("{sha256}-{:016x}.compiled", hasher.finish()));
    let by_key = read_back(&kept).unwrap_or_else(|error| {
        tracing::warn!(%error, "what was compiled of a module is damaged and made again");
        BTreeMap::new()
    });
    *shared.functions.lock() = Compiled { by_key, is_new: false };
    let module = compiled();
    let compiled = std::mem::take(&mut *shared.functions.lock());
    let module = module?;
    let done = if compiled.is_new {
        keep(&kept, &compiled.by_key).and_then(|()| remove_old(folder))
    } else {
        // What is used stays.
        File::open(&kept).and_then(|file| file.set_modified(SystemTime::now()))
    };
    if let Err(error) = done {
        // That it cannot be kept only costs time.
        tracing::warn!(%error, "what was compiled of a module is not kept");
    }
    Ok(module)
}

/// Writes compiled functions: the hash of what follows, then keys and values in turn, each behind
/// its length as 32 bits, little end first.
fn keep(kept: &Path, by_key: &BTreeMap<Vec<u8>, Vec<u8>>) -> io::Result<()> {
    let mut content = Vec::new();
    for part in by_key.iter().flat_map(|(key, value)| [key, value]) {
        let length = u32::try_from(part.len()).map_err(io::Error::other)?;
        content.extend(length.to_le_bytes());
        content.extend(part);
    }
    // Complete when it gets its name.
    let draft = kept.with_extension(format!("{}.tmp", std::process::id()));
    let mut file =
        fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
    file.write_all(&Sha256::digest(&content))?;
    file.write_all(&content)?;
    fs::rename(&draft, kept)
}

/// Removes what was used before the last few, and what was left unfinished as long ago.
fn remove_old(folder: &Path) -> io::Result<()> {
    let mut kept = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let is_ours = path.extension().is_some_and(|end| end == "compiled" || end == "tmp");
        // One that is gone was removed by another program like us.
        if is_ours && let Ok(found) = path.symlink_metadata() {
            kept.push((found.modified()?, path));
        }
    }
    kept.sort_unstable();
    for (_, path) in kept.iter().rev().skip(MOST_KEPT) {
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
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

/// Reads what was kept, if it is whole and ours; nothing where nothing was.
fn read_back(kept: &Path) -> io::Result<BTreeMap<Vec<u8>, Vec<u8>>> {
    // A link would lead out of the folder that was checked.
    let opened = fs::OpenOptions::new()
        .read(true)
        .custom_flags((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed())
        .open(kept);
    let file = match opened {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(error) => return Err(error),
    };
    refuse_foreign(&file)?;
    let mut content = Vec::new();
    file.take(MAX_COMPILED_BYTES).read_to_end(&mut content)?;
    let damaged = || io::Error::new(io::ErrorKind::InvalidData, "its hash is another one");
    let (hash, mut rest) = content.split_at_checked(HASH_BYTES).ok_or_else(damaged)?;
    if Sha256::digest(rest).as_slice() != hash {
        return Err(damaged());
    }
    let mut by_key = BTreeMap::new();
    while !rest.is_empty() {
        let mut part = || -> Option<Vec<u8>> {
            let (length, behind) = rest.split_first_chunk()?;
            let (part, behind) = behind.split_at_checked(u32::from_le_bytes(*length) as usize)?;
            rest = behind;
            Some(part.to_vec())
        };
        let (key, value) = part().zip(part()).ok_or_else(damaged)?;
        by_key.insert(key, value);
    }
    Ok(by_key)
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
