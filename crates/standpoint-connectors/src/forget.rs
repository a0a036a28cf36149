//! Deletes a document and what was found in it: its lines, its rows, its files.
//!
//! For whoever has a right to be forgotten. Nothing may run meanwhile: the caller holds the data
//! folder.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, BufReader, ErrorKind, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::formats::{Compression, Format};
use crate::inbox::claimed_files;
use crate::jsonl;
use crate::ledger::LedgerError;
use crate::ledger::ids::id_of;
use crate::ledger::memory::{Memory, Position};
use crate::limits::ReadLimits;
use crate::moves::{numbered, parent_of, sync_folder, with_ending};
use crate::quarantine;
use crate::read::{self, Origin};
use crate::refusal::ReadError;
use crate::{records, rotation};

/// The name of a file has this behind it while it is written anew.
const DRAFT: &str = ".forgetting";

/// The largest file of records, other than lines, that is written anew: it is held in memory.
const MOST_IN_MEMORY: u64 = 256 << 20;

/// What was done to a file that held the document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Forgotten {
    /// It is deleted.
    Deleted(PathBuf),
    /// So many of its lines or records are.
    Records(PathBuf, u64),
    /// It holds the document among others and is as it was: it is too large to be written anew.
    Left(PathBuf),
    /// It is in work, and comes again at the next start.
    InWork(PathBuf),
}

/// Takes the lines of a document out of a file of result lines, and out of those before it.
///
/// - `sync`: whether a line counts as written only once it is on the disk;
/// - `written`: what the sink remembers of the file; it learns what it lacks, and where the file
///   ends now.
///
/// # Errors
///
/// When a file cannot be read or written; then it is as it was.
pub fn in_results(
    path: &Path,
    id: &str,
    sync: bool,
    written: &mut Memory,
) -> io::Result<Vec<Forgotten>> {
    if !parent_of(path).is_dir() {
        return Ok(Vec::new());
    }
    // First: once the file is another one, nobody looks for lines that a crash kept from the
    // memory.
    let _hold = if path.is_file() {
        Some(jsonl::catch_up(path, sync, written).map_err(io::Error::other)?)
    } else {
        None
    };
    let is_ours = |line: &[u8]| jsonl::id_in(line).is_some_and(|found| found == id);
    let old = rotation::take_out(path, is_ours)?;
    let mut done: Vec<_> =
        old.into_iter().map(|(path, count)| Forgotten::Records(path, count)).collect();
    let removed = if path.is_file() { without(path, is_ours)? } else { 0 };
    if removed > 0 {
        let metadata = fs::metadata(path)?;
        if written.position().is_some() {
            let (device, inode, end) = (metadata.dev(), metadata.ino(), metadata.len());
            written.add(&[], Some(Position { device, inode, end }))?;
        }
        done.push(Forgotten::Records(path.to_owned(), removed));
    }
    Ok(done)
}

/// Forgets a document's id in what a sink or a source remembers, so that it may come again.
///
/// # Errors
///
/// When the ledger cannot be read or written.
pub fn in_memory(memory: &mut Memory, id: &str) -> Result<bool, LedgerError> {
    let path = PathBuf::from("ledger");
    memory.forget(&id_of(id)).map_err(|source| LedgerError::Io { path, source })
}

/// Deletes the file of a document, or its record, in a folder of inputs: an archive, or an inbox
/// whose files are kept.
///
/// - `source`: the name of the source, which is part of the document's id.
///
/// # Errors
///
/// When the folder or a file cannot be read.
pub fn in_inputs(
    folder: &Path,
    source: &str,
    id: &str,
    limits: &ReadLimits,
) -> io::Result<Vec<Forgotten>> {
    let mut done = Vec::new();
    each_file(folder, &mut |path| {
        let relative = path.strip_prefix(folder).unwrap_or(path);
        // An archived file may have a number behind its name.
        for name in names_before(relative) {
            if let Some(forgotten) = in_input(path, source, &name, id, limits)? {
                done.push(forgotten);
                break;
            }
        }
        Ok(())
    })?;
    Ok(done)
}

/// Finds a document among the files that an inbox has in work. They stay: whoever took them counts
/// their records.
///
/// # Errors
///
/// When a folder or a file cannot be read.
pub fn in_work(
    inbox: &Path,
    source: &str,
    id: &str,
    limits: &ReadLimits,
) -> io::Result<Vec<Forgotten>> {
    let mut found = Vec::new();
    for (path, name) in claimed_files(inbox, source)? {
        if ids_of(&path, source, &name, &name, limits)?.iter().any(|found| found == id) {
            found.push(Forgotten::InWork(path));
        }
    }
    Ok(found)
}

/// Deletes a document's file or record in quarantine, with its reason.
///
/// # Errors
///
/// When the folder or a file cannot be read.
pub fn in_quarantine(folder: &Path, id: &str, limits: &ReadLimits) -> io::Result<Vec<Forgotten>> {
    let mut done = Vec::new();
    for entry in quarantine::entries(folder)? {
        let Ok(reason) = &entry.reason else { continue };
        let path = folder.join(&entry.path);
        // A record that was taken out of a compressed file is not compressed any more.
        let (plain, _) = Compression::of_name(&reason.path);
        for name in [reason.path.as_str(), plain] {
            let is_record = reason.record.is_some();
            let found = ids_of(&path, &reason.source, name, &reason.path, limits)?;
            let holds = found.iter().filter(|found| *found == id).count();
            if holds == 0 {
                continue;
            }
            if is_record || holds == found.len() {
                quarantine::purge(folder, &entry)?;
                done.push(Forgotten::Deleted(path.clone()));
            } else {
                done.push(Forgotten::Left(path.clone()));
            }
            break;
        }
    }
    Ok(done)
}

fn in_input(
    path: &Path,
    source: &str,
    name: &str,
    id: &str,
    limits: &ReadLimits,
) -> io::Result<Option<Forgotten>> {
    let found = ids_of(path, source, name, name, limits)?;
    let holds = found.iter().filter(|found| *found == id).count();
    if holds == 0 {
        return Ok(None);
    }
    if holds == found.len() {
        fs::remove_file(path)?;
        sync_folder(parent_of(path));
        return Ok(Some(Forgotten::Deleted(path.to_owned())));
    }
    let others = (0..).zip(&found).filter(|(_, found)| *found != id).map(|(number, _)| number);
    match Format::of_path(name) {
        Ok((Format::Jsonl, None)) => {
            // Lines that are blank are no records and stay.
            let mut ids = found.iter();
            let is_ours = |line: &[u8]| {
                !line.trim_ascii().is_empty() && ids.next().is_some_and(|found| found == id)
            };
            without(path, is_ours)?;
        }
        _ if fs::metadata(path)?.len() > MOST_IN_MEMORY => {
            return Ok(Some(Forgotten::Left(path.to_owned())));
        }
        _ => keep_only(path, name, &others.collect(), limits)?,
    }
    Ok(Some(Forgotten::Records(path.to_owned(), holds as u64)))
}

/// Writes a file of records again, with some of them.
fn keep_only(
    path: &Path,
    name: &str,
    wanted: &BTreeSet<u64>,
    limits: &ReadLimits,
) -> io::Result<()> {
    let mut kept = Vec::new();
    records::separate(File::open(path)?, name, limits, wanted, &mut |_, record| {
        let mut bytes = Vec::new();
        record.read_to_end(&mut bytes)?;
        kept.push(bytes);
        Ok(())
    })?;
    let draft = with_ending(path, DRAFT);
    let mut file = File::create(&draft)?;
    file.write_all(&records::join(name, &kept, limits)?)?;
    file.sync_all()?;
    replace(path, &draft)
}

/// The ids of the documents in a file, in their order; one that cannot be read has none.
///
/// - `format`: a name that says how the bytes are to be read;
/// - `name`: the path that is part of the ids.
fn ids_of(
    path: &Path,
    source: &str,
    format: &str,
    name: &str,
    limits: &ReadLimits,
) -> io::Result<Vec<String>> {
    let origin = Origin { source: source.to_owned(), path: name.to_owned() };
    let file = match File::open(path) {
        // An inbox has files that others may take away, and that nobody can read.
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::PermissionDenied) => {
            return Ok(Vec::new());
        }
        file => file?,
    };
    let Ok(documents) = read::documents_as(format, file, &origin, limits) else {
        return Ok(Vec::new());
    };
    Ok(documents
        .map(|document| match document {
            Ok(document) => document.id().to_owned(),
            Err(ReadError::Again { document, .. } | ReadError::SameId { document, .. }) => document,
            Err(_) => String::new(),
        })
        .collect())
}

/// Takes lines out of a file; gives how many.
fn without(path: &Path, is_ours: impl FnMut(&[u8]) -> bool) -> io::Result<u64> {
    let draft = with_ending(path, DRAFT);
    let mut lines = BufReader::new(File::open(path)?);
    let removed = rotation::copy_without(&mut lines, &draft, is_ours)?;
    if removed > 0 {
        replace(path, &draft)?;
    }
    Ok(removed)
}

fn replace(path: &Path, draft: &Path) -> io::Result<()> {
    fs::set_permissions(draft, fs::metadata(path)?.permissions())?;
    fs::rename(draft, path)?;
    sync_folder(parent_of(path));
    Ok(())
}

fn each_file(folder: &Path, each: &mut impl FnMut(&Path) -> io::Result<()>) -> io::Result<()> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            if !entry.file_name().as_encoded_bytes().starts_with(b".") {
                each_file(&entry.path(), each)?;
            }
        } else if kind.is_file() {
            each(&entry.path())?;
        }
    }
    Ok(())
}

/// The names that a file may have had before it was archived: its own, and those without the number
/// that the archive put behind it, behind a folder in whose place a file stood, or behind both.
fn names_before(relative: &Path) -> Vec<String> {
    let mut paths = vec![relative.to_owned()];
    paths.extend(without_number(relative));
    let folders = relative.ancestors().skip(1);
    for (folder, plain) in folders.filter_map(|folder| Some((folder, without_number(folder)?))) {
        for path in [Some(relative.to_owned()), without_number(relative)].into_iter().flatten() {
            paths.extend(path.strip_prefix(folder).map(|below| plain.join(below)));
        }
    }
    let told = |path: PathBuf| {
        let parts: Vec<_> = path.iter().map(|part| part.to_string_lossy()).collect();
        parts.join("/")
    };
    paths.into_iter().map(told).collect()
}

/// A path without the number behind the stem of its name, if it has one that is written as we do.
fn without_number(path: &Path) -> Option<PathBuf> {
    let stem = path.file_stem()?.to_string_lossy();
    let (before, number) = stem.rsplit_once('~')?;
    let number = number.parse::<u64>().ok()?;
    let mut name = before.to_owned();
    if let Some(ending) = path.extension() {
        name = format!("{name}.{}", ending.to_string_lossy());
    }
    let original = path.with_file_name(name);
    (numbered(&original, number) == path).then_some(original)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(source: &str, name: &str, content: &str) -> Vec<String> {
        let origin = Origin { source: source.into(), path: name.into() };
        let bytes = io::Cursor::new(content.as_bytes().to_vec());
        read::documents(bytes, &origin, &ReadLimits::default())
            .unwrap()
            .map(|document| document.unwrap().id().to_owned())
            .collect()
    }

    #[test]
    fn a_document_is_deleted_wherever_it_stands_and_nothing_else() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        let limits = ReadLimits::default();
        fs::create_dir_all(at("archive/sub")).unwrap();
        fs::write(at("archive/a.txt"), "One.").unwrap();
        fs::write(at("archive/sub/a~2.txt"), "Two.").unwrap();
        fs::create_dir_all(at("archive/sub~2/deep")).unwrap();
        fs::write(at("archive/sub~2/deep/a~3.txt"), "Five.").unwrap();
        let lines = "{\"text\": \"Three.\"}\n\n{\"text\": \"Four.\"}\n";
        fs::write(at("archive/b.jsonl"), lines).unwrap();
        let [three, four] = ids("news", "b.jsonl", lines).try_into().unwrap();
        let two = ids("news", "sub/a.txt", "Two.").remove(0);
        let forget = |id: &str| in_inputs(&at("archive"), "news", id, &limits).unwrap();
        assert_eq!(forget("unknown"), []);
        assert_eq!(forget(&two), [Forgotten::Deleted(at("archive/sub/a~2.txt"))]);
        let five = ids("news", "sub/deep/a.txt", "Five.").remove(0);
        assert_eq!(forget(&five), [Forgotten::Deleted(at("archive/sub~2/deep/a~3.txt"))]);
        assert_eq!(forget(&three), [Forgotten::Records(at("archive/b.jsonl"), 1)]);
        assert_eq!(fs::read_to_string(at("archive/b.jsonl")).unwrap(), "\n{\"text\": \"Four.\"}\n");
        assert_eq!(forget(&four), [Forgotten::Deleted(at("archive/b.jsonl"))]);
        assert!(at("archive/a.txt").exists());

        let results = "{\"id\":\"x\"}\n{\"id\":\"y\"}\n{\"id\":\"x\"}\n";
        fs::write(at("out.jsonl"), results).unwrap();
        let mut memory = Memory::without_disk();
        memory.add(&[id_of("x"), id_of("y")], Some(Position::default())).unwrap();
        let done = in_results(&at("out.jsonl"), "x", true, &mut memory).unwrap();
        assert_eq!(done, [Forgotten::Records(at("out.jsonl"), 2)]);
        assert_eq!(fs::read_to_string(at("out.jsonl")).unwrap(), "{\"id\":\"y\"}\n");
        assert_eq!(memory.position().unwrap().end, 11);
        assert!(in_memory(&mut memory, "x").unwrap());
        assert!(memory.contains(&id_of("y")) && !memory.contains(&id_of("x")));
    }

    #[test]
    fn each_record_with_the_id_is_deleted_also_those_that_were_not_read_for_it() {
        let root = tempfile::tempdir().unwrap();
        let limits = ReadLimits::default();
        let record = |id: &str, text: &str| format!("{{\"id\": \"{id}\", \"text\": \"{text}\"}}");
        let lines = [("a", "One."), ("b", "Two."), ("a", "One."), ("a", "Three.")]
            .map(|(id, text)| record(id, text));
        let (json, jsonl) = (root.path().join("d.json"), root.path().join("d.jsonl"));
        fs::write(&json, format!("[{}]", lines.join(","))).unwrap();
        fs::write(&jsonl, lines.join("\n")).unwrap();
        for path in [json, jsonl] {
            let name = path.file_name().unwrap().to_str().unwrap();
            let id = ids("news", name, &lines[0]).remove(0);
            let done = in_input(&path, "news", name, &id, &limits).unwrap();
            assert_eq!(done, Some(Forgotten::Records(path.clone(), 3)));
            let left = fs::read_to_string(&path).unwrap();
            assert!(left.contains(&lines[1]) && !left.contains("One."), "{left}");
            assert!(!left.contains("Three."), "{left}");
        }
        let path = root.path().join("e.jsonl");
        fs::write(&path, [&*lines[0], &lines[3]].join("\n")).unwrap();
        let id = ids("news", "e.jsonl", &lines[0]).remove(0);
        let done = in_input(&path, "news", "e.jsonl", &id, &limits).unwrap();
        assert_eq!(done, Some(Forgotten::Deleted(path)));
    }

    #[test]
    fn lines_that_the_memory_lacks_are_learnt_before_the_file_is_another() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("out.jsonl");
        fs::write(root.path().join("out.000001.jsonl"), "{\"id\":\"w\"}\n").unwrap();
        fs::write(&path, "{\"id\":\"x\"}\n{\"id\":\"y\"}\n{\"id\":\"z\"").unwrap();
        let mut memory = Memory::without_disk();
        // The run ended before it remembered anything of the file.
        let done = in_results(&path, "x", true, &mut memory).unwrap();
        assert_eq!(done, [Forgotten::Records(path.clone(), 1)]);
        assert_eq!(fs::read_to_string(&path).unwrap(), "{\"id\":\"y\"}\n");
        assert!(["w", "y"].iter().all(|id| memory.contains(&id_of(id))));
        assert_eq!(memory.position().unwrap().end, 11);

        let other = File::open(&path).unwrap();
        other.lock().unwrap();
        let refused = in_results(&path, "y", true, &mut memory).unwrap_err().to_string();
        assert!(refused.contains("another process writes to"), "{refused}");
    }
}
