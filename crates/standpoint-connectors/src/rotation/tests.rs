//! Old files: which they are, what becomes of them, and what a crash leaves.

use super::*;

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn upkeep(path: &Path, settings: RotateSettings) -> Upkeep {
    let (path, sync) = (path.to_owned(), true);
    Upkeep { path, settings, sync, is_asked: AtomicBool::default() }
}

#[test]
fn names_of_old_files_are_told_from_others() {
    let path = Path::new("/out/results.jsonl");
    assert_eq!(numbered(path, 7), Path::new("/out/results.000007.jsonl"));
    for (name, expected) in [
        ("results.000007.jsonl", Some(7)),
        ("results.1000000.jsonl", Some(1_000_000)),
        ("results.000007.jsonl.gz", Some(7)),
        ("results.000007.jsonl.zst", Some(7)),
        ("results.jsonl", None),
        ("results.7.jsonl", None),
        ("results.00000x.jsonl", None),
        ("results.000007.jsonl.zst.part", None),
        ("other.000007.jsonl", None),
        ("results.000007.csv", None),
    ] {
        assert_eq!(number_of(path, &Path::new("/out").join(name)), expected, "{name}");
    }
    assert_eq!(number_of(Path::new("out"), Path::new("out.000001.gz")), Some(1));
}

#[test]
fn what_is_compressed_comes_back_and_a_crash_half_way_is_mended() {
    for (how, ending) in [(Compress::Gzip, "gz"), (Compress::Zstd, "zst")] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("r.jsonl");
        // More than one piece, and not all alike.
        let text: String = (0..400_000).map(|number| format!("{{\"id\":{number}}}\n")).collect();
        assert!(text.len() as u64 > PIECE);
        fs::write(numbered(&path, 1), &text).unwrap();
        // A run ended before it removed the second original, another in the middle of a third.
        fs::write(numbered(&path, 2), "kept\n").unwrap();
        let double = with_ending(&numbered(&path, 2), &format!(".{ending}"));
        let out = File::create(&double).unwrap();
        compress(&mut "kept\n".as_bytes(), out, how).unwrap();
        let draft = with_ending(&numbered(&path, 3), &format!(".{ending}.part"));
        fs::write(draft, "half").unwrap();

        let settings = RotateSettings { compress: how, ..RotateSettings::default() };
        upkeep(&path, settings.clone()).work().unwrap();
        assert_eq!(
            names(folder.path()),
            [format!("r.000001.jsonl.{ending}"), format!("r.000002.jsonl.{ending}")]
        );
        let rotation = Rotation::start(&path, settings, true).unwrap();
        let mut last = Vec::new();
        read_last(&path, |line| last.push(line.to_vec())).unwrap();
        assert_eq!(last, [b"kept\n"], "{how:?}");
        let first = old_files(&path).unwrap().remove(0);
        let mut again = String::new();
        first.open().unwrap().read_to_string(&mut again).unwrap();
        assert_eq!(again, text, "{how:?}");
        assert_eq!(rotation.next_number, 3);
    }
}

#[test]
fn a_file_that_got_its_number_since_they_were_counted_stays() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.jsonl");
    for name in ["out.000001.jsonl", "out.000001.jsonl.gz", "out.000002.jsonl"] {
        fs::write(folder.path().join(name), "{}\n").unwrap();
    }
    let upkeep = upkeep(&path, RotateSettings::default());
    let counted = old_files(&path).unwrap();
    let cases = [
        ("compressed, and not removed yet", "out.000001.jsonl", true),
        ("its compressed form", "out.000001.jsonl.gz", false),
        ("not compressed yet", "out.000002.jsonl", false),
        ("new since", "out.000003.jsonl", false),
        ("draft", "out.000002.jsonl.gz.part", true),
        ("not numbered", "out.jsonl", false),
    ];
    for (case, name, expected) in cases {
        let found = folder.path().join(name);
        assert_eq!(upkeep.is_left_over(&found, &counted), expected, "{case}");
    }
}

#[test]
fn the_oldest_go_when_there_are_too_many_or_they_are_too_old() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("r.jsonl");
    for number in 1..=4 {
        fs::write(numbered(&path, number), "x\n").unwrap();
    }
    let keep_files = NonZeroU32::new(3);
    upkeep(&path, RotateSettings { keep_files, ..RotateSettings::default() }).work().unwrap();
    assert_eq!(names(folder.path()).first().unwrap(), "r.000002.jsonl");

    let old = File::options().write(true).open(numbered(&path, 3)).unwrap();
    old.set_modified(SystemTime::now() - Duration::from_hours(48)).unwrap();
    let keep_for = Some(Duration::from_hours(24));
    upkeep(&path, RotateSettings { keep_for, ..RotateSettings::default() }).work().unwrap();
    assert_eq!(names(folder.path()), ["r.000002.jsonl", "r.000004.jsonl"]);
}

#[test]
fn a_new_file_is_due_by_size_and_by_age_and_never_when_empty() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("r.jsonl");
    let by_size = RotateSettings { max_bytes: Some(Size(10)), ..RotateSettings::default() };
    let rotation = Rotation::start(&path, by_size, false).unwrap();
    assert_eq!([9, 10, 11].map(|bytes| rotation.is_due(bytes)), [false, true, true]);
    let max_age = Some(Duration::from_mins(1));
    let by_age = RotateSettings { max_age, ..RotateSettings::default() };
    let mut rotation = Rotation::start(&path, by_age, false).unwrap();
    assert!(!rotation.is_due(1));
    rotation.age_before = Duration::from_mins(1);
    assert!(rotation.is_due(1) && !rotation.is_due(0));
}
