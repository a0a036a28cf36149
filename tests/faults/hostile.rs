//! Hostile files with good ones among them: every good one comes out, every bad one is named.

use std::ffi::OsStr;
use std::fs;
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::station::{Dice, End, Station};

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Bytes that nobody chose.
fn noise(dice: &mut Dice, length: usize) -> Vec<u8> {
    (0..length).map(|_| dice.below(256) as u8).collect()
}

/// Hostile contents, each with the name of its file and part of what must be said of it; nothing
/// where the file may as well be read.
fn hostile(dice: &mut Dice) -> Vec<(&'static str, Vec<u8>, Option<&'static str>)> {
    let deep = |open: &str, count: usize| open.repeat(count).into_bytes();
    let torn = gzip(b"A text that ends in the middle of its compressed bytes.");
    let pairs = "{\"a\":".repeat(200);
    let nested = |encoding: &str| {
        let inside = "Content-Type: message/rfc822\n\n".repeat(50_000);
        format!("Subject: x\nContent-Type: message/rfc822\n{encoding}\n{inside}").into_bytes()
    };
    let levels = (0..1000)
        .map(|level| format!("Content-Type: multipart/mixed; boundary=b{level}\n\n--b{level}\n"));
    let deep_mail = format!("Subject: x\n{}", levels.collect::<String>()).into_bytes();
    let marked = format!(
        "Subject: x\nContent-Type: multipart/mixed; boundary=b\n\n{}",
        "x--b".repeat(500_000)
    );
    let deep_list = [b"[".to_vec(), deep("{},", 1_100_000)].concat();
    vec![
        ("empty.txt", Vec::new(), Some("it holds no text")),
        ("blank.txt", b" \n\t\r\n ".to_vec(), Some("holds no text")),
        ("zeros.txt", vec![0; 4096], Some("not text")),
        ("noise.txt", noise(dice, 4096), None),
        ("noise.html", noise(dice, 4096), None),
        ("noise.json", noise(dice, 512), Some("")),
        ("noise.jsonl", noise(dice, 512), Some("")),
        ("noise.csv", noise(dice, 512), Some("")),
        ("noise.eml", noise(dice, 512), None),
        ("noise.mbox", noise(dice, 512), None),
        ("noise.txt.gz", noise(dice, 512), Some("cannot read it")),
        ("noise.txt.zst", noise(dice, 512), Some("cannot read it")),
        ("torn.txt.gz", torn[..torn.len() - 9].to_vec(), Some("cannot read it")),
        ("bomb.txt.gz", gzip(&vec![b'x'; 40 << 20]), Some("max_")),
        ("bomb.jsonl.gz", gzip(&b"{\"text\":\"x\"}\n".repeat(4_000_000)), Some("")),
        ("long.txt", vec![b'x'; 17 << 20], Some("max_document_bytes is 16777216")),
        ("deep.json", deep("[", 100_000), Some("")),
        ("deep-objects.json", pairs.into_bytes(), Some("")),
        ("deep.html", deep("<ul><li>", 60_000), Some("holds no text")),
        ("nested.eml", nested(""), Some("it holds no text")),
        ("marks.eml", marked.into_bytes(), None),
        ("nested.eml.gz", gzip(&nested("")), Some("it holds no text")),
        (
            "nested-encoded.eml",
            nested("Content-Transfer-Encoding: quoted-printable\n"),
            Some("it holds no text"),
        ),
        ("nested.mbox", [b"From x\n".to_vec(), nested("")].concat(), Some("it holds no text")),
        ("deep.eml", deep_mail, Some("the depth of a mail's parts is 32")),
        ("heads.eml", deep("a:\n", 400_000), Some("length of a mail's head in bytes")),
        ("deep-array.json", deep("[{\"text\":[", 100_000), Some("")),
        ("many.json", deep_list, Some("max_records_per_file is 1000000")),
        ("deep.rss", deep("<rss><item>", 100_000), Some("in the middle of an entry")),
        ("deep.xml", deep("<feed><entry><content type=\"xhtml\">", 50_000), Some("in the middle")),
        ("quotes.md", deep("> ", 50_000), None),
        ("lists.md", deep("- ", 50_000), None),
        ("brackets.md", deep("![[", 50_000), None),
        ("stars.md", deep("*_a", 50_000), None),
        ("open-quotes.csv", deep("text,\"", 100_000), None),
        ("unclosed.html", b"<script>x()".to_vec(), Some("holds no text")),
        ("wrong.json", b"{\"text\": 7}".to_vec(), Some("expected a string")),
        ("no-text.json", b"{\"says\": \"x\"}".to_vec(), Some("missing field `text`")),
        ("no-column.csv", b"a,b\n1,2\n".to_vec(), Some("no column is called")),
        ("open-quote.csv", [b"text\n\"".to_vec(), vec![b'x'; 17 << 20]].concat(), Some("")),
        ("program.exe", b"MZ\x90".to_vec(), Some("the format `exe` is not read")),
        ("double.txt.gz", gzip(&gzip(b"twice")), None),
        ("lone-surrogate.json", b"{\"text\": \"\\ud800\"}".to_vec(), Some("")),
        ("utf16-odd.txt", b"\xff\xfeA\x00B".to_vec(), None),
        ("escape.txt", b"\x1b]0;title\x07\x1b[31mred".to_vec(), None),
        ("formula.csv", b"text\n=cmd|' /C calc'!A0\n".to_vec(), None),
        ("sql.txt", b"'); DROP TABLE documents; --".to_vec(), None),
        (
            "markup.html",
            b"<p>Hello<script>alert(1)</script><img src=x onerror=alert(2)>".to_vec(),
            None,
        ),
    ]
}

#[test]
fn every_good_file_comes_out_and_every_bad_one_is_named() {
    let mut dice = Dice::new(42);
    let mut station = Station::new();
    let files = hostile(&mut dice);
    for (number, (name, bytes, _)) in files.iter().enumerate() {
        station.feed_file(name, bytes);
        station.feed(&format!("good-{number}.txt"), &format!("Report {number}. Astana agreed."));
    }
    let inbox = station.at("inbox");
    // Names that are no text, or look like something else.
    for name in [b"\xff\xfe.txt".as_slice(), b"a\nb.txt", b"-rf.txt", b"$(id).txt", b"%s%n.txt"] {
        let path = inbox.join(OsStr::from_bytes(name));
        fs::write(path, format!("Named {}.", String::from_utf8_lossy(name))).unwrap();
    }
    // What is no file is left alone.
    rustix::fs::mkfifoat(rustix::fs::CWD, inbox.join("pipe.txt"), 0o600.into()).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", inbox.join("link.txt")).unwrap();
    fs::create_dir(inbox.join("folder.txt")).unwrap();
    let end = station.drain(None);
    assert_eq!(end, End::Code(3), "{}", station.log());

    let account = station.account(&["out/results.jsonl"]);
    assert_eq!(account, crate::station::Account::default(), "{}", station.log());
    let quarantined = station.quarantined();
    let archived = station.files("archive");
    for (name, _, expected) in &files {
        match expected {
            Some(part) => {
                let reason =
                    quarantined.get(*name).unwrap_or_else(|| panic!("{name} is not named"));
                assert!(reason.contains(part), "{name}: {reason}");
            }
            None => assert!(quarantined.contains_key(*name) || archived.contains(*name), "{name}"),
        }
    }
    let named = archived.iter().filter(|name| !name.starts_with("good-")).count();
    assert!(named >= 5, "{archived:?}");
    let mut left = station.files("inbox");
    left.retain(|name| !name.ends_with("/lock"));
    assert_eq!(left.into_iter().collect::<Vec<_>>(), ["link.txt", "pipe.txt"]);
    let told = station.log();
    assert_eq!(told.matches("pipe.txt").count(), 1, "told more than once:\n{told}");
    assert!(!told.contains('\u{1b}') && !told.contains("root:"), "{told}");
}
