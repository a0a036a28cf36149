//! The quarantine: files that failed, each beside a file that says why.
//!
//! `a.txt` stands beside `a.txt.reason.json`, which holds a [`Reason`]. The reason is written
//! before the file comes, and goes after it: a reason alone is what a crash left, and never a file
//! alone.

mod numbers;

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Component, Path, PathBuf};

use rustix::fs::CWD;
use rustix::io::Errno;
use serde::{Deserialize, Serialize};
use tracing::debug;

use crate::formats::Compression;
use crate::inbox::Below;
use crate::limits::ReadLimits;
use crate::moves::{self, has_bytes_of, numbered, parent_of, remove_empty, with_ending};
use crate::read::{self, Origin};
use crate::records;

use numbers::note_numbers;
pub(crate) use numbers::noted_numbers;

/// What the name of a reason has behind that of its file.
pub(crate) const ENDING: &str = ".reason.json";

/// Why a file is in quarantine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// The version of this format, 2.
    pub version: u32,
    /// The source's name.
    pub source: String,
    /// What was found, and by whom.
    #[serde(rename = "reason")]
    pub found: String,
    /// Documents of the file that failed, with the reason of each; the others are in the sinks.
    /// No more than [`Reason::MOST_FAILURES`].
    pub failures: Vec<String>,
    /// How many failed in all.
    pub failed: u64,
    /// Its path below the inbox, `/` between its parts; of the file that it stood in, if this is
    /// one record.
    pub path: String,
    /// Which record of the file this is, from 1; `None` for a whole file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<u64>,
    /// The id of its document, if this is a record that was refused because an earlier one of the
    /// file has that id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub same_id: Option<String>,
    /// How often it was in work.
    pub attempts: u32,
    /// When it was put here, in seconds since 1970; written as `2026-11-28T17:50:00Z`.
    #[serde(with = "time")]
    pub quarantined_at: u64,
}

/// A time as every other file of ours has it. Version 1 wrote seconds, which are read, too.
mod time {
    use std::time::{Duration, UNIX_EPOCH};

    use humantime_serde::re::humantime::{format_rfc3339_seconds, parse_rfc3339};
    use serde::{Deserialize, Deserializer, Serializer, de, ser};

    /// The last second of the year 9999, behind which no time can be written.
    const LAST: u64 = 253_402_300_799;

    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Seconds(u64),
        Text(String),
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde lends what it serialises")]
    pub(super) fn serialize<S: Serializer>(seconds: &u64, to: S) -> Result<S::Ok, S::Error> {
        if *seconds > LAST {
            return Err(ser::Error::custom("a time after the year 9999"));
        }
        to.collect_str(&format_rfc3339_seconds(UNIX_EPOCH + Duration::from_secs(*seconds)))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
        let found = match Written::deserialize(from)? {
            Written::Seconds(seconds) => Some(seconds),
            Written::Text(text) => parse_rfc3339(&text)
                .ok()
                .and_then(|time| time.duration_since(UNIX_EPOCH).ok())
                .map(|since| since.as_secs()),
        };
        let expected = "`quarantined_at`: expected a time such as 2026-11-28T17:50:00Z";
        found.filter(|seconds| *seconds <= LAST).ok_or_else(|| de::Error::custom(expected))
    }
}

impl Reason {
    /// How many failures of one file are kept.
    pub const MOST_FAILURES: usize = 1000;

    /// A reason for a file that is not named yet.
    pub(crate) fn new(source: &str, found: String) -> Self {
        Self {
            version: 2,
            source: source.to_owned(),
            found,
            failures: Vec::new(),
            failed: 0,
            path: String::new(),
            record: None,
            same_id: None,
            attempts: 0,
            quarantined_at: 0,
        }
    }
}

/// A file in quarantine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Where it is, below the quarantine.
    pub path: PathBuf,
    /// Its length in bytes.
    pub bytes: u64,
    /// Why it is here, or what is wrong with the file that should say so.
    pub reason: Result<Reason, String>,
}

/// The files in a quarantine, the oldest first; none where there is no such folder.
///
/// # Errors
///
/// When the folder cannot be read.
pub fn entries(folder: &Path) -> io::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    match collect(folder, Path::new(""), &mut entries) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let since = |entry: &Entry| entry.reason.as_ref().map_or(0, |reason| reason.quarantined_at);
    entries.sort_by(|one, other| (since(one), &one.path).cmp(&(since(other), &other.path)));
    Ok(entries)
}

fn collect(folder: &Path, below: &Path, entries: &mut Vec<Entry>) -> io::Result<()> {
    for entry in fs::read_dir(folder.join(below))? {
        let entry = entry?;
        let path = below.join(entry.file_name());
        // Does not follow links.
        let metadata = entry.metadata()?;
        if metadata.is_dir() {
            collect(folder, &path, entries)?;
            continue;
        }
        let reason = match fs::read(with_ending(&folder.join(&path), ENDING)) {
            // A reason, or something that is not ours.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => Err(error.to_string()),
            Ok(json) => serde_json::from_slice(&json).map_err(|error| error.to_string()),
        };
        entries.push(Entry { path, bytes: metadata.len(), reason });
    }
    Ok(())
}

/// Moves a file back into the inbox that it came from, to be tried again.
///
/// - `sync`: whether the move is on the disk before this returns.
///
/// # Errors
///
/// When its reason says no place below the inbox, a file of its name is there, or it cannot be
/// moved.
pub fn replay(folder: &Path, entry: &Entry, inbox: &Path, sync: bool) -> io::Result<()> {
    let relative = place_of(entry)?;
    let _lock = lock(folder)?;
    let from = folder.join(&entry.path);
    fs::create_dir_all(inbox)?;
    // Strangers can write below the inbox: nothing is written through a link that is there.
    let below = Below::open(inbox)?;
    match below.put(CWD, &from, relative) {
        Err(error) if error.kind() == io::ErrorKind::CrossesDevices => {
            let mut original = File::open(&from)?;
            write_into(&below, relative, sync, |copy| {
                copy.set_permissions(original.metadata()?.permissions())?;
                io::copy(&mut original, copy).map(drop)
            })?;
            sync_names(inbox, relative, sync);
            fs::remove_file(&from)?;
        }
        moved => {
            moved.map_err(explained)?;
            sync_names(inbox, relative, sync);
        }
    }
    forget(folder, &from)
}

/// Writes a file below an inbox, which has its name only once it is whole.
fn write_into(
    below: &Below,
    relative: &Path,
    sync: bool,
    write: impl FnOnce(&mut File) -> io::Result<()>,
) -> io::Result<()> {
    let name = relative.file_name().unwrap_or_default();
    // Hidden, so that it is no file of the inbox before it is whole.
    let hidden = format!(".{}.{}", name.to_string_lossy(), std::process::id());
    let draft = relative.with_file_name(hidden);
    let mut file = below.create(&draft).map_err(explained)?;
    let written = write(&mut file)
        .and_then(|()| if sync { file.sync_all() } else { Ok(()) })
        .and_then(|()| below.rename(&draft, name));
    if written.is_err() {
        below.remove(&draft)?;
    }
    written
}

/// Says what a folder of the inbox is that is none.
fn explained(error: io::Error) -> io::Error {
    if matches!(Errno::from_io_error(&error), Some(Errno::NOTDIR | Errno::LOOP)) {
        return io::Error::other("a link, or a file, stands in the inbox where its folder belongs");
    }
    error
}

fn sync_names(inbox: &Path, relative: &Path, sync: bool) {
    if sync {
        moves::sync_folder(parent_of(&inbox.join(relative)));
    }
}

/// Moves records of one file back into the inbox together, under the name of the file that they
/// stood in, so that each has the id that it had.
///
/// # Errors
///
/// As for [`replay`], and where one of them [has the id of another](has_same_id); then the records
/// stay in quarantine.
pub fn replay_records(
    folder: &Path,
    entries: &[&Entry],
    inbox: &Path,
    limits: &ReadLimits,
    sync: bool,
) -> io::Result<()> {
    let Some(first) = entries.first() else { return Ok(()) };
    let relative = place_of(first)?;
    if entries.iter().any(|entry| has_same_id(folder, entry, limits)) {
        return Err(io::Error::other(
            "an earlier record of its file has its id and says something else, and results hold one for \
             each: give it an id of its own first",
        ));
    }
    let _lock = lock(folder)?;
    let records: Vec<PathBuf> = entries.iter().map(|entry| folder.join(&entry.path)).collect();
    let name = relative.file_name().unwrap_or_default().to_string_lossy();
    fs::create_dir_all(inbox)?;
    write_into(&Below::open(inbox)?, relative, sync, |file| {
        note_numbers(file, entries);
        records::join_files(&name, &records, limits, file)
    })?;
    sync_names(inbox, relative, sync);
    for entry in entries {
        let path = folder.join(&entry.path);
        fs::remove_file(&path)?;
        forget(folder, &path)?;
    }
    Ok(())
}

/// Whether a record still has the id of an earlier one of its file, for which it was refused: where
/// it came again, it would be taken for that one and be lost.
#[must_use]
pub fn has_same_id(folder: &Path, entry: &Entry, limits: &ReadLimits) -> bool {
    let Ok(Reason { source, path, same_id: Some(id), .. }) = &entry.reason else { return false };
    let Ok(file) = File::open(folder.join(&entry.path)) else { return false };
    let origin = Origin { source: source.clone(), path: path.clone() };
    // A record that was taken out of a compressed file is not compressed any more.
    let (plain, _) = Compression::of_name(path);
    let documents = read::documents_as(plain, file, &origin, limits);
    documents.into_iter().flatten().flatten().any(|document| document.id() == id)
}

/// Where a file belongs below its inbox, as its reason says.
fn place_of(entry: &Entry) -> io::Result<&Path> {
    let reason = entry.reason.as_ref().map_err(|error| {
        io::Error::other(format!(
            "its reason cannot be read, so that its name is not known: {error}"
        ))
    })?;
    let relative = Path::new(&reason.path);
    // A reason is data: whoever wrote it must not choose a place outside of the inbox.
    let is_below = relative.components().all(|part| matches!(part, Component::Normal(_)));
    if reason.path.is_empty() || !is_below {
        return Err(io::Error::other(format!(
            "its reason says no path below the inbox: `{}`",
            reason.path.escape_debug()
        )));
    }
    Ok(relative)
}

/// Deletes a file in quarantine and its reason.
///
/// # Errors
///
/// What the system says.
pub fn purge(folder: &Path, entry: &Entry) -> io::Result<()> {
    let _lock = lock(folder)?;
    let path = folder.join(&entry.path);
    fs::remove_file(&path)?;
    forget(folder, &path)
}

/// Removes the reason of a file that is gone.
fn forget(folder: &Path, path: &Path) -> io::Result<()> {
    fs::remove_file(with_ending(path, ENDING))?;
    remove_empty(parent_of(path), folder);
    Ok(())
}

/// Keeps other processes from taking names in a quarantine until the value is dropped. Where
/// folders have no locks, as on some network file systems, nobody is kept.
pub(crate) fn lock(folder: &Path) -> io::Result<File> {
    let lock = File::open(folder)?;
    if let Err(error) = lock.lock() {
        debug!(folder = ?folder, error = %error, "cannot lock the quarantine");
    }
    Ok(lock)
}

/// Writes why a file comes into the quarantine, and gives the place below it that is free for it,
/// at or beside `relative`.
pub(crate) fn explain(
    folder: &Path,
    relative: &Path,
    reason: &Reason,
    sync: bool,
) -> io::Result<PathBuf> {
    let json = serde_json::to_vec_pretty(reason)?;
    let place = free_place(folder, relative)?;
    let mut file = File::create(with_ending(&place, ENDING))?;
    file.write_all(&json)?;
    file.write_all(b"\n")?;
    if sync {
        file.sync_all()?;
    }
    Ok(place.strip_prefix(folder).unwrap_or(&place).to_owned())
}

/// Writes bytes into the quarantine as a file of their own, their reason first; gives where. What
/// is there already with the same bytes, as after a crash, is not written twice.
pub(crate) fn put(
    folder: &Path,
    relative: &Path,
    bytes: &mut dyn Read,
    reason: &Reason,
    sync: bool,
) -> io::Result<PathBuf> {
    let wanted = place_for(folder, relative)?;
    let draft = with_ending(&wanted, ".part");
    let mut file = File::create(&draft)?;
    io::copy(bytes, &mut file)?;
    if let Some(place) = place_of_same(&wanted, &draft, reason)? {
        fs::remove_file(draft)?;
        return Ok(place);
    }
    if sync {
        file.sync_all()?;
    }
    let place = folder.join(explain(folder, relative, reason, sync)?);
    fs::rename(draft, &place)?;
    Ok(place)
}

/// Whether a file stands in the quarantine, at or beside `relative`, with the bytes of another and
/// for the same file of the inbox.
pub(crate) fn holds(
    folder: &Path,
    relative: &Path,
    other: &Path,
    reason: &Reason,
) -> io::Result<bool> {
    Ok(place_of_same(&folder.join(relative), other, reason)?.is_some())
}

/// Where a file stands, at or beside `wanted`, with the bytes of another and for the same file or
/// record of the inbox: others may have come to its name, as `a.jsonl` and `a.jsonl.gz` do.
fn place_of_same(wanted: &Path, other: &Path, reason: &Reason) -> io::Result<Option<PathBuf>> {
    let origin = |reason: &Reason| (reason.source.clone(), reason.path.clone(), reason.record);
    let mut place = wanted.to_owned();
    for copy in 2_u64.. {
        let Some(json) = reason_beside(&place) else { break };
        let found = serde_json::from_slice::<Reason>(&json);
        let is_for_same = found.is_ok_and(|found| origin(&found) == origin(reason));
        if is_for_same && has_bytes_of(&place, other)? {
            return Ok(Some(place));
        }
        place = numbered(wanted, copy);
    }
    Ok(None)
}

/// What the reason of a file in the quarantine holds; `None` where one of the two is not there.
fn reason_beside(path: &Path) -> Option<Vec<u8>> {
    path.is_file().then(|| fs::read(with_ending(path, ENDING)).ok())?
}

/// Where a file belongs in the quarantine, in a folder that is there, and with room for what is put
/// behind its name.
fn place_for(folder: &Path, relative: &Path) -> io::Result<PathBuf> {
    const MOST_DIGITS: usize = 20;
    let room = ENDING.len() + "~".len() + MOST_DIGITS;
    Ok(moves::with_room(&moves::with_folders(folder, relative)?, room))
}

fn free_place(folder: &Path, relative: &Path) -> io::Result<PathBuf> {
    let wanted = place_for(folder, relative)?;
    let mut place = wanted.clone();
    let mut copy = 2;
    // A reason without its file is what a crash left behind and may be written over; but a file
    // that is called like a reason has a reason of its own.
    let is_taken = |place: &Path| {
        let reason = with_ending(place, ENDING);
        place.symlink_metadata().is_ok() || reason.is_dir() || with_ending(&reason, ENDING).exists()
    };
    while is_taken(&place) {
        place = numbered(&wanted, copy);
        copy += 1;
    }
    Ok(place)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Puts a file into quarantine and gives where it is.
    fn put(folder: &Path, name: &str, path: &str, at: u64) -> PathBuf {
        let mut reason = Reason::new("news", "it holds no text".to_owned());
        (reason.path, reason.quarantined_at) = (path.to_owned(), at);
        let place = explain(folder, Path::new(name), &reason, true).unwrap();
        fs::write(folder.join(&place), name).unwrap();
        place
    }

    fn listed(folder: &Path) -> Vec<String> {
        let entries = entries(folder).unwrap();
        entries.iter().map(|entry| entry.path.display().to_string()).collect()
    }

    #[test]
    fn the_time_is_written_as_everywhere_and_that_of_version_1_is_read() {
        let mut reason = Reason::new("news", "it holds no text".to_owned());
        reason.quarantined_at = 1_764_352_200;
        let json = serde_json::to_value(&reason).unwrap();
        assert_eq!(json["quarantined_at"], "2025-11-28T17:50:00Z");
        let read = |time: serde_json::Value| {
            let mut json = json.clone();
            json["quarantined_at"] = time;
            serde_json::from_value::<Reason>(json).map(|reason| reason.quarantined_at)
        };
        assert_eq!(read(json["quarantined_at"].clone()).unwrap(), 1_764_352_200);
        assert_eq!(read(1_764_352_200.into()).unwrap(), 1_764_352_200);
        for rubbish in [u64::MAX.into(), "yesterday".into(), "1969-12-31T23:59:59Z".into()] {
            let error = read(rubbish).unwrap_err().to_string();
            assert!(error.contains("expected a time such as"), "{error}");
        }
    }

    #[test]
    fn files_are_listed_oldest_first_and_reasons_are_none() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path();
        assert_eq!(listed(&folder.join("missing")), [""; 0]);
        put(folder, "b.txt", "b.txt", 1);
        put(folder, "sub/a.txt", "sub/a.txt", 2);
        fs::write(folder.join("lonely.txt.reason.json"), "{}").unwrap();
        fs::write(folder.join("stranger.txt"), "x").unwrap();
        put(folder, "broken.txt", "broken.txt", 3);
        fs::write(folder.join("broken.txt.reason.json"), "{").unwrap();
        assert_eq!(listed(folder), ["broken.txt", "b.txt", "sub/a.txt"]);
    }

    #[test]
    fn a_file_that_is_called_like_a_reason_is_never_written_over() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path();
        let hostile = put(folder, "a.txt.reason.json", "a.txt.reason.json", 1);
        let other = put(folder, "a.txt", "a.txt", 2);
        assert_eq!(other, Path::new("a~2.txt"));
        assert_eq!(fs::read_to_string(folder.join(hostile)).unwrap(), "a.txt.reason.json");
        assert_eq!(listed(folder), ["a.txt.reason.json", "a~2.txt"]);
    }

    #[test]
    fn what_is_put_again_stands_there_once_and_for_its_own_file() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path();
        let put = |source: &str, path: &str, text: &str| {
            let mut reason = Reason::new(source, "it broke".to_owned());
            (reason.path, reason.record) = (path.to_owned(), Some(1));
            let name = Path::new("a.record-1.jsonl");
            let place = super::put(folder, name, &mut text.as_bytes(), &reason, true).unwrap();
            place.file_name().unwrap().to_str().unwrap().to_owned()
        };
        assert_eq!(put("news", "a.jsonl", "one"), "a.record-1.jsonl");
        // As after a crash, or where the next record could not be written.
        for _ in 0..2 {
            assert_eq!(put("news", "a.jsonl", "one"), "a.record-1.jsonl");
            assert_eq!(put("news", "a.jsonl", "two"), "a.record-1~2.jsonl");
        }
        // Others with the same bytes are documents of their own.
        assert_eq!(put("news", "a.jsonl.gz", "one"), "a.record-1~3.jsonl");
        assert_eq!(put("mail", "a.jsonl", "one"), "a.record-1~4.jsonl");
        assert_eq!(listed(folder).len(), 4);
    }

    #[test]
    fn what_is_replayed_lands_where_it_came_from_and_nowhere_else() {
        let root = tempfile::tempdir().unwrap();
        let (folder, inbox) = (root.path().join("quarantine"), root.path().join("inbox"));
        fs::create_dir_all(&folder).unwrap();
        fs::create_dir_all(&inbox).unwrap();
        put(&folder, "sub/a~2.txt", "sub/a.txt", 1);
        put(&folder, "evil.txt", "../evil.txt", 2);
        put(&folder, "taken.txt", "taken.txt", 3);
        fs::write(inbox.join("taken.txt"), "new").unwrap();
        let entries = entries(&folder).unwrap();
        let told: Vec<_> = entries
            .iter()
            .map(|entry| match replay(&folder, entry, &inbox, true) {
                Ok(()) => "moved".to_owned(),
                Err(error) => error.kind().to_string(),
            })
            .collect();
        assert_eq!(told, ["moved", "other error", "entity already exists"]);
        assert!(inbox.join("sub/a.txt").is_file());
        assert_eq!(fs::read_to_string(inbox.join("taken.txt")).unwrap(), "new");
        assert_eq!(listed(&folder), ["evil.txt", "taken.txt"]);
        assert!(!folder.join("sub").exists(), "an empty folder goes with its last file");
        purge(&folder, &entries[1]).unwrap();
        assert_eq!(listed(&folder), ["taken.txt"]);
    }

    #[test]
    fn nothing_is_replayed_through_a_link_in_the_inbox() {
        let root = tempfile::tempdir().unwrap();
        let [folder, inbox, outside] = ["quarantine", "inbox", "outside"].map(|name| {
            let path = root.path().join(name);
            fs::create_dir_all(&path).unwrap();
            path
        });
        std::os::unix::fs::symlink(&outside, inbox.join("sub")).unwrap();
        put(&folder, "sub/a.txt", "sub/a.txt", 1);
        put(&folder, "sub/b.record-1.jsonl", "sub/b.jsonl", 2);
        let entries = entries(&folder).unwrap();
        let limits = ReadLimits::default();
        let refused = [
            replay(&folder, &entries[0], &inbox, true).unwrap_err(),
            replay_records(&folder, &[&entries[1]], &inbox, &limits, true).unwrap_err(),
        ];
        for error in refused {
            assert!(error.to_string().starts_with("a link, or a file, stands"), "{error}");
        }
        assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
        assert_eq!(listed(&folder), ["sub/a.txt", "sub/b.record-1.jsonl"]);
    }

    #[test]
    fn what_is_replayed_onto_another_file_system_is_whole_there() {
        let Ok(there) = tempfile::tempdir_in("/dev/shm") else { return };
        let here = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).unwrap();
        let (folder, inbox) = (here.path().to_owned(), there.path().join("inbox"));
        put(&folder, "sub/a.txt", "sub/a.txt", 1);
        let entries = entries(&folder).unwrap();
        replay(&folder, &entries[0], &inbox, true).unwrap();
        assert_eq!(fs::read_to_string(inbox.join("sub/a.txt")).unwrap(), "sub/a.txt");
        assert_eq!(fs::read_dir(inbox.join("sub")).unwrap().count(), 1);
        assert_eq!(listed(&folder), [""; 0]);
    }
}
