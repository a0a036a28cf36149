//! The data folder of one running program: a lock on it, and the instance's name.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process;

use thiserror::Error;

/// A data folder that this process alone uses, until the value is dropped.
#[derive(Debug)]
pub struct Instance {
    name: String,
    folder: PathBuf,
    /// Holds the lock, which ends with the process however it ends.
    lock: File,
}

impl Drop for Instance {
    fn drop(&mut self) {
        // A child that is just being started has a copy of the file until it runs its program, and
        // closing ours alone would leave the lock to it. It cannot fail on a lock that we have.
        let _ = self.lock.unlock();
    }
}

/// Why a data folder cannot be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum InstanceError {
    /// Another process uses it.
    #[error("another instance holds the data folder {} (process {holder}); stop it first", folder.display())]
    Held {
        /// The folder.
        folder: PathBuf,
        /// Its process id, as it wrote it down.
        holder: String,
    },

    /// It cannot be made or written.
    #[error("cannot use the data folder {}", folder.display())]
    Io {
        /// The folder.
        folder: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl Instance {
    /// Takes the data folder, making it if needed.
    ///
    /// # Errors
    ///
    /// [`InstanceError::Held`] while another process has it.
    pub fn take(folder: &Path) -> Result<Self, InstanceError> {
        let fail = |source| InstanceError::Io { folder: folder.to_owned(), source };
        fs::create_dir_all(folder).map_err(fail)?;
        let mut lock = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(folder.join("lock"))
            .map_err(fail)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                // Only for the message.
                let _ = lock.read_to_string(&mut holder);
                let holder = holder.trim().to_owned();
                return Err(InstanceError::Held { folder: folder.to_owned(), holder });
            }
            Err(TryLockError::Error(source)) => return Err(fail(source)),
        }
        write_pid(&mut lock).map_err(fail)?;
        let name = name_of(folder).map_err(fail)?;
        Ok(Self { name, folder: folder.to_owned(), lock })
    }

    /// The instance's name: the same at every start with this data folder, and no other's.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The data folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

fn write_pid(lock: &mut File) -> io::Result<()> {
    lock.set_len(0)?;
    lock.seek(SeekFrom::Start(0))?;
    writeln!(lock, "{}", process::id())
}

/// Reads the instance's name from the folder, or makes one from where and when it was made.
fn name_of(folder: &Path) -> io::Result<String> {
    let path = folder.join("instance");
    match fs::read(&path).map(|name| String::from_utf8_lossy(&name).trim().to_owned()) {
        Ok(name) if is_name(&name) => return Ok(name),
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let mut hasher = blake3::Hasher::new();
    hasher.update(folder.canonicalize()?.as_os_str().as_encoded_bytes());
    hasher.update(format!("{:?} {}", std::time::SystemTime::now(), process::id()).as_bytes());
    let name = hasher.finalize().to_hex()[..16].to_owned();
    let draft = folder.join("instance.tmp");
    let mut file = File::create(&draft)?;
    writeln!(file, "{name}")?;
    file.sync_all()?;
    fs::rename(draft, path)?;
    Ok(name)
}

fn is_name(name: &str) -> bool {
    name.len() == 16 && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_process_at_a_time_and_the_same_name_each_time() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("state");
        let first = Instance::take(&data).unwrap();
        let name = first.name().to_owned();
        let error = Instance::take(&data).unwrap_err().to_string();
        assert!(error.contains(&format!("(process {})", process::id())), "{error}");
        drop(first);
        assert_eq!(Instance::take(&data).unwrap().name(), name);
        let other = Instance::take(&folder.path().join("other")).unwrap();
        assert_ne!(other.name(), name);
    }

    #[test]
    fn a_copy_in_a_child_does_not_keep_the_lock() {
        let folder = tempfile::tempdir().unwrap();
        let first = Instance::take(folder.path()).unwrap();
        let _copy = first.lock.try_clone().unwrap();
        drop(first);
        Instance::take(folder.path()).unwrap();
    }

    #[test]
    fn a_damaged_name_is_made_anew() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("instance"), b"../../etc\xff").unwrap();
        assert!(is_name(Instance::take(folder.path()).unwrap().name()));
    }
}
