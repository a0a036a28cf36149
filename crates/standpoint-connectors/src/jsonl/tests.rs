//! The JSON Lines sink writes each document once, whatever is cut off, rotated or full.

use super::*;
use crate::inbox::Size;
use crate::ledger::Ledger;
use crate::ledger::memory::Window;

fn maker() -> Maker {
    Maker { pipeline: "p@1".into(), version: "0.1.0".into() }
}

fn group(ids: &[&str]) -> Vec<Arc<Document<'static>>> {
    ids.iter().map(|id| Arc::new(Document::new((*id).to_owned(), "x").unwrap())).collect()
}

fn append(path: &Path, sync: bool) -> JsonlSink {
    let settings = JsonlSettings { path: path.to_owned(), rotate: None };
    JsonlSink::append(&settings, maker(), sync, Memory::without_disk()).unwrap()
}

fn ids(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap();
    assert!(text.is_empty() || text.ends_with('\n'));
    text.lines().map(|line| id_in(line.as_bytes()).unwrap()).collect()
}

#[tokio::test]
async fn a_torn_line_is_cut_and_a_written_document_stands_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new/folder/out.jsonl");
    let mut sink = append(&path, true);
    sink.write(&group(&["a", "b"])).await.unwrap();
    drop(sink);
    let mut file = OpenOptions::new().append(true).open(&path).unwrap();
    file.write_all(b"{\"version\":1,\"id\":\"c\",\"te").unwrap();

    let mut sink = append(&path, true);
    assert_eq!(ids(&path), ["a", "b"]);
    let results = sink.write(&group(&["b", "c"])).await.unwrap();
    assert_eq!(results, [Ok(()), Ok(())]);
    assert_eq!(ids(&path), ["a", "b", "c"]);
}

#[tokio::test]
async fn a_document_that_comes_again_is_written_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.jsonl");
    let mut sink = append(&path, false);
    sink.write(&group(&["a", "b", "a"])).await.unwrap();
    sink.write(&group(&["b", "c"])).await.unwrap();
    assert_eq!(ids(&path), ["a", "b", "c"]);
}

#[tokio::test]
async fn the_memory_learns_what_was_written_after_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.jsonl");
    let ledger = Ledger::new(folder.path(), Window::default());
    let settings = JsonlSettings { path: path.clone(), rotate: None };
    let open = |sync| JsonlSink::append(&settings, maker(), sync, ledger.of_sink("out").unwrap());
    let mut sink = open(true).unwrap();
    sink.write(&group(&["a", "b"])).await.unwrap();
    drop(sink);
    // Written and synced, but the process ended before the memory was told.
    let more = "{\"id\":\"c\"}\n{\"id\":\"d\"";
    let mut file = OpenOptions::new().append(true).open(&path).unwrap();
    file.write_all(more.as_bytes()).unwrap();
    let mut sink = open(true).unwrap();
    sink.write(&group(&["a", "b", "c", "d"])).await.unwrap();
    drop(sink);
    assert_eq!(ids(&path), ["a", "b", "c", "d"]);

    // A file that lost lines is refused and not touched.
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() - 3]).unwrap();
    let error = open(true).unwrap_err().to_string();
    assert!(error.contains("lines are missing"), "{error}");
    open(false).unwrap();
    assert_eq!(ids(&path), ["a", "b", "c"]);

    // One that was moved away is followed by a new one, and what it holds is not written again.
    fs::rename(&path, folder.path().join("moved")).unwrap();
    let mut sink = open(true).unwrap();
    sink.write(&group(&["a", "e"])).await.unwrap();
    drop(sink);
    assert_eq!(ids(&path), ["e"]);
    // Without the ledger the file says what it holds.
    fs::remove_dir_all(crate::ledger::folder(folder.path())).unwrap();
    let mut sink = open(true).unwrap();
    sink.write(&group(&["e", "f"])).await.unwrap();
    assert_eq!(ids(&path), ["e", "f"]);
}

#[tokio::test]
async fn after_a_failed_write_the_same_group_is_written_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.jsonl");
    let mut sink = append(&path, false);
    sink.write(&group(&["a"])).await.unwrap();
    // What a full disk leaves: part of the group, and no file to go on with.
    let mut file = OpenOptions::new().append(true).open(&path).unwrap();
    file.write_all(b"{\"version\":1,\"id\":\"b\"").unwrap();
    sink.output.as_mut().unwrap().file = None;
    sink.write(&group(&["b"])).await.unwrap();
    assert_eq!(ids(&path), ["a", "b"]);
}

#[tokio::test]
async fn a_file_that_became_shorter_is_not_written_over() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.jsonl");
    let mut sink = append(&path, false);
    sink.write(&group(&["a"])).await.unwrap();
    fs::write(&path, "other\n").unwrap();
    sink.output.as_mut().unwrap().file = None;
    let error = sink.write(&group(&["b"])).await.unwrap_err();
    assert!(matches!(error, SinkError::Transient { .. }));
    assert_eq!(fs::read_to_string(&path).unwrap(), "other\n");
}

#[tokio::test]
async fn a_full_device_pauses_and_does_not_fail() {
    let mut sink = append(Path::new("/dev/full"), true);
    let error = sink.write(&group(&["a"])).await.unwrap_err();
    assert!(matches!(error, SinkError::Transient { .. }), "{error}");
}

#[tokio::test]
async fn a_new_file_takes_the_place_of_the_old_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.jsonl");
    fs::write(&path, "old\n").unwrap();
    let mut sink = JsonlSink::create(&path, maker()).unwrap();
    sink.write(&group(&["a"])).await.unwrap();
    assert_eq!(ids(&path), ["a"]);
}

#[tokio::test]
async fn a_document_stands_once_in_all_rotated_files_together() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.jsonl");
    let rotate = RotateSettings { max_bytes: Some(Size(1)), ..RotateSettings::default() };
    let settings = JsonlSettings { path: path.clone(), rotate: Some(rotate) };
    let ledger = Ledger::new(folder.path(), Window::default());
    // Each open is a restart.
    for group_of in [&["a", "b"][..], &["b", "c"], &["a", "c", "d"]] {
        let written = ledger.of_sink("out").unwrap();
        let mut sink = JsonlSink::append(&settings, maker(), true, written).unwrap();
        for id in group_of {
            sink.write(&group(&[*id])).await.unwrap();
        }
    }
    let files = ["out.000001.jsonl", "out.000002.jsonl", "out.000003.jsonl", "out.jsonl"];
    let all: Vec<_> = files.iter().flat_map(|name| ids(&folder.path().join(name))).collect();
    assert_eq!(all, ["a", "b", "c", "d"]);
    // What the ledger was told last did not reach the disk: the last file knows.
    fs::remove_dir_all(crate::ledger::folder(folder.path())).unwrap();
    let written = ledger.of_sink("out").unwrap();
    let mut sink = JsonlSink::append(&settings, maker(), true, written).unwrap();
    sink.write(&group(&["c", "d", "e"])).await.unwrap();
    assert_eq!(ids(&path), ["e"]);
}
