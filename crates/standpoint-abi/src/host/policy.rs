//! Which files may be run, and the private copies that are run instead of them.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, Read, Seek, Write as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use sha2::{Digest, Sha256};

use super::error::LoadError;
use super::inspect::open;

/// What is asked of a plugin before its code is run.
#[derive(Debug, Clone, Default)]
pub struct LoadPolicy {
    /// The SHA-256 that the file must have, in hexadecimal.
    pub sha256: Option<String>,
    /// A folder of our own for copies, which are loaded instead of the files, so that what was
    /// checked is what runs. Without one, files are loaded where they are.
    pub cache_dir: Option<PathBuf>,
}

/// A file that may be loaded.
#[derive(Debug)]
pub(super) struct Approved {
    /// What to load: the copy, where there is a cache.
    pub(super) path: PathBuf,
    /// The same, open.
    pub(super) file: File,
    /// Its SHA-256 in hexadecimal, where anybody needs it.
    pub(super) sha256: Option<String>,
}

impl LoadPolicy {
    /// Checks a file without running it or keeping a copy.
    ///
    /// # Errors
    ///
    /// [`LoadError`] where the file may not be run: it cannot be read, anybody can change it, or it has
    /// another hash.
    pub fn check(&self, path: &Path) -> Result<(), LoadError> {
        Self { cache_dir: None, ..self.clone() }.approve(path).map(drop)
    }

    /// Checks a file, and copies it into the cache where there is one. The file is read whole and
    /// hashed only where a hash is pinned or a copy is kept: libraries have tens of megabytes.
    pub(super) fn approve(&self, path: &Path) -> Result<Approved, LoadError> {
        let read = |source| LoadError::Read { path: path.to_owned(), source };
        let mut file = open(path)?;
        refuse_world_writable(&file, path)?;
        if self.sha256.is_none() && self.cache_dir.is_none() {
            let path = fs::canonicalize(path).map_err(read)?;
            return Ok(Approved { file: File::open(&path).map_err(read)?, path, sha256: None });
        }
        let mut content = Vec::new();
        file.read_to_end(&mut content).map_err(read)?;
        let sha256 = hexadecimal(&Sha256::digest(&content));
        if let Some(expected) = &self.sha256
            && !expected.eq_ignore_ascii_case(&sha256)
        {
            return Err(LoadError::WrongHash {
                path: path.to_owned(),
                expected: expected.clone(),
                found: sha256,
            });
        }
        let Some(folder) = &self.cache_dir else {
            let path = fs::canonicalize(path).map_err(read)?;
            let file = File::open(&path).map_err(read)?;
            return Ok(Approved { file, path, sha256: Some(sha256) });
        };
        let (path, file) = keep_copy(folder, &sha256, &content)
            .map_err(|source| LoadError::Cache { path: folder.clone(), source })?;
        Ok(Approved { path, file, sha256: Some(sha256) })
    }
}

/// Code that anybody can change is nobody's to run.
#[cfg(unix)]
fn refuse_world_writable(file: &File, path: &Path) -> Result<(), LoadError> {
    use std::os::unix::fs::MetadataExt;

    const OTHERS_WRITE: u32 = 0o002;
    const STICKY: u32 = 0o1000;
    let read = |source| LoadError::Read { path: path.to_owned(), source };
    if file.metadata().map_err(read)?.mode() & OTHERS_WRITE != 0 {
        return Err(LoadError::WorldWritable { path: path.to_owned() });
    }
    // Of the file itself, should the path be a link.
    let target = fs::canonicalize(path).map_err(read)?;
    for folder in [path.parent(), target.parent()].into_iter().flatten() {
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        let mode = folder.metadata().map_err(read)?.mode();
        if mode & OTHERS_WRITE != 0 && mode & STICKY == 0 {
            return Err(LoadError::WorldWritable { path: folder.to_owned() });
        }
    }
    Ok(())
}

#[cfg(not(unix))]
fn refuse_world_writable(_: &File, _: &Path) -> Result<(), LoadError> {
    Ok(())
}

/// How many copies are kept: those that were loaded last.
const MOST_COPIES: usize = 32;

/// Puts `content` into `folder` under its hash, unless it is there already; returns the copy, open.
fn keep_copy(folder: &Path, sha256: &str, content: &[u8]) -> io::Result<(PathBuf, File)> {
    make_private(folder)?;
    let copy = folder.join(format!("{sha256}{}", std::env::consts::DLL_SUFFIX));
    if let Some(file) = whole(&copy, sha256)? {
        // Tells which copies are in use; that it cannot be told harms nobody.
        let _ = file.set_modified(SystemTime::now());
        return Ok((copy, file));
    }
    // Only we can write here, and a copy is complete when it gets its name.
    let draft = folder.join(format!("{sha256}.{}.tmp", std::process::id()));
    let mut file = File::create(&draft)?;
    file.write_all(content)?;
    // Or else the name could outlive a power failure without the content.
    file.sync_all()?;
    fs::rename(&draft, &copy)?;
    remove_old(folder)?;
    let file = File::open(&copy)?;
    Ok((copy, file))
}

/// Opens a copy if it is there and has the hash that its name says: a disk may have damaged it.
fn whole(copy: &Path, sha256: &str) -> io::Result<Option<File>> {
    let mut file = match File::open(copy) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut hash = Sha256::new();
    let mut block = vec![0; 1 << 16];
    loop {
        let length = file.read(&mut block)?;
        if length == 0 {
            break;
        }
        hash.update(&block[..length]);
    }
    // For whoever reads it next.
    file.rewind()?;
    Ok((hexadecimal(&hash.finalize()) == sha256).then_some(file))
}

/// Removes what has not been loaded for longest, and what was left unfinished as long ago. Code
/// that runs from a copy goes on: the system keeps what is mapped.
fn remove_old(folder: &Path) -> io::Result<()> {
    let mut copies = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let is_ours = path.extension().is_some_and(|extension| {
            extension == "tmp" || extension == std::env::consts::DLL_EXTENSION
        });
        // One that is gone was removed by another program like us.
        if is_ours && let Ok(found) = path.symlink_metadata() {
            copies.push((found.modified()?, path));
        }
    }
    copies.sort_unstable();
    for (_, path) in copies.iter().rev().skip(MOST_COPIES) {
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// Makes a folder that only we can use, or checks that it is one.
#[cfg(unix)]
fn make_private(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::{DirBuilderExt, MetadataExt};

    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let found = fs::metadata(folder)?;
    if found.uid() != rustix::process::geteuid().as_raw() || found.mode() & 0o022 != 0 {
        return Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            "the folder must be ours, and writable by nobody else",
        ));
    }
    Ok(())
}

#[cfg(not(unix))]
fn make_private(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)
}

fn hexadecimal(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text
}
