//! Files are read as what they are, and refused with the limit that they pass.

use std::error::Error;
use std::io::{self, Cursor, Write};

use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;

use super::*;

fn origin(path: &str) -> Origin {
    Origin { source: "news".into(), path: path.into() }
}

fn small() -> ReadLimits {
    ReadLimits {
        max_document_bytes: 200,
        max_records_per_file: 3,
        max_line_bytes: 200,
        ..ReadLimits::default()
    }
}

/// What comes out of a file: `id title: text`, or the error with its causes.
fn read(path: &str, bytes: &[u8], limits: &ReadLimits) -> Vec<String> {
    let told = |error: &ReadError| {
        let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
        format!("error: {error}{cause}")
    };
    match documents(Cursor::new(bytes.to_vec()), &origin(path), limits) {
        Err(error) => vec![told(&error)],
        Ok(items) => items
            .map(|item| match item {
                Err(error) => told(&error),
                Ok(document) => {
                    let metadata = document.metadata();
                    format!("{:?}: {:?}", metadata.title, document.text())
                }
            })
            .collect(),
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn bad_files_are_named_with_what_is_wrong() {
    let long = "x".repeat(201);
    let deep = "[".repeat(100);
    let cases: [(&str, &[u8], &str); 12] = [
        ("a.txt", b"", "error: it holds no text"),
        ("a.txt", b" \n\t ", "error: it holds no text, only 4 bytes of white space"),
        (
            "a.docx",
            b"x",
            "error: the format `docx` is not read; the formats are txt, md, html, json, \
             jsonl, csv, tsv, eml, mbox, rss, atom, xml, and .gz or .zst of each",
        ),
        ("a", b"no ending is text", "None: \"no ending is text\""),
        (
            "a.txt",
            long.as_bytes(),
            "error: max_document_bytes is 200 bytes and this has more than 200 bytes; `limits.max_document_bytes`, or the source's own, sets it",
        ),
        (
            "a.txt",
            &[0, 1, 2, 3, 4, 5],
            "error: it is not text: 100% of its bytes are control characters",
        ),
        (
            "a.json",
            b"{\"title\": 3}",
            "error: line 1, column 11: the field `title` holds a number, expected a string",
        ),
        (
            "a.json",
            deep.as_bytes(),
            "error: line 1, column 1: expected an object with the field `text`, found an array",
        ),
        (
            "a.json",
            b"{\"says\": \"x\"}",
            "error: line 1, column 13: missing field `text`, `body` or `content`",
        ),
        (
            "a.txt.gz",
            b"not gzip at all",
            "error: cannot read it: it is not gzip, which its name says that it is",
        ),
        (
            "a.txt.gz",
            b"not gzip",
            "error: cannot read it: it is not gzip, which its name says that it is",
        ),
        (
            "a.csv",
            b"",
            "error: it is empty; expected a header with a column `text`, `body` or `content`",
        ),
    ];
    for (path, bytes, expected) in cases {
        assert_eq!(read(path, bytes, &small())[0], expected, "{path}");
    }
}

#[test]
fn a_bad_line_is_named_and_the_next_one_follows() {
    let long = format!("{{\"text\": \"{}\"}}", "x".repeat(300));
    let lines = format!("{{\"text\": \"one\"}}\n\nrubbish\n{long}\n{{\"text\": \"two\"}}");
    insta::assert_snapshot!(read("a.jsonl", lines.as_bytes(), &small()).join("\n"), @r#"
    None: "one"
    error: line 3, column 1: expected a value, such as a text in quotes or an object
    error: max_line_bytes is 200 bytes and this has 312 bytes (line 4); `limits.max_line_bytes` sets it
    None: "two"
    "#);
}

#[test]
fn a_file_of_too_many_records_ends_with_the_limit() {
    let lines = "{\"text\": \"x\"}\n".repeat(5);
    let found = read("a.jsonl", lines.as_bytes(), &small());
    assert_eq!(found.len(), 4);
    assert_eq!(
        found[3],
        "error: max_records_per_file is 3 and this has 4; `limits.max_records_per_file` sets it"
    );
}

#[test]
fn compressed_files_are_read_and_bombs_are_not() {
    let plain = gzip(b"Title\n\nBody.");
    assert_eq!(read("a.txt.gz", &plain, &small()), ["Some(\"Title\"): \"Title\\n\\nBody.\""]);
    let lines: Vec<u8> = b"{\"text\": \"the same line again\"}\n".repeat(200_000);
    let found = read("a.jsonl.gz", &gzip(&lines), &ReadLimits::default());
    let last = found.last().unwrap();
    assert!(
        last.contains("max_expanded_ratio is 200 and"),
        "{last}; {} records came before",
        found.len()
    );
}

#[test]
fn a_table_gives_a_document_a_row() {
    let table = "\u{feff}Date;Title;Body\n2024-05-01;\"One;\nmore\";First.\n;;\n2024;Two;Second.\n";
    insta::assert_snapshot!(read("a.csv", table.as_bytes(), &small()).join("\n"), @r#"
    Some("One;\nmore"): "First."
    error: it holds no text
    Some("Two"): "Second."
    "#);
    assert_eq!(
        read("a.csv", b"name,words\na,b\n", &small()),
        ["error: no column is called `text`, `body` or `content`; found name, words"]
    );
    let several = b"content,text,body\nC.,T.,B.\nC.,,B.\nC., ,\n";
    insta::assert_snapshot!(read("a.csv", several, &small()).join("\n"), @r#"
    None: "T."
    None: "B."
    None: "C."
    "#);
    let loose = b"id,text\n1,Kenya condemned it, but Mali did not.\n2,One.,,\n3,\"One, two.\"\n";
    insta::assert_snapshot!(read("a.csv", loose, &small()).join("\n"), @r#"
    error: the row at line 2 has 3 fields and the header 2; put a text that holds the delimiter into quotes
    None: "One."
    None: "One, two."
    "#);
    let open = format!("text\nfirst\n\"{}", "x".repeat(1 << 16));
    assert_eq!(
        read("a.csv", open.as_bytes(), &small()).last().unwrap(),
        "error: max_line_bytes is 200 and the row at line 3 has more than 200, so that the rows behind it are not read; a quote in it may not be closed"
    );
}

#[test]
fn records_of_a_doubtful_encoding_have_a_note() {
    let utf16 = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    let feed = "<rss><channel><item><title>Rain.</title></item></channel></rss>";
    let by_zeros = "read as UTF-16LE, though it has no byte order mark: every other byte is zero";
    let replaced = "read as UTF-8, in which some of its bytes mean nothing: they became U+FFFD";
    let cases: [(&str, Vec<u8>, Option<&str>); 5] = [
        ("a.json", utf16("{\"text\": \"Rain.\"}"), Some(by_zeros)),
        ("a.json", utf16("[{\"text\": \"Rain.\"}]"), Some(by_zeros)),
        ("a.rss", utf16(feed), Some(by_zeros)),
        ("a.rss", feed.into(), None),
        ("a.jsonl", b"\xef\xbb\xbf{\"text\": \"Rain. \xe9\"}".into(), Some(replaced)),
    ];
    for (path, bytes, note) in cases {
        let origin = origin(path);
        let mut found = documents(Cursor::new(bytes), &origin, &ReadLimits::default()).unwrap();
        let document = found.next().unwrap().unwrap();
        assert_eq!(document.notes().first().map(String::as_str), note, "{path}");
    }
}

#[test]
fn tables_and_lines_in_utf_16_are_read_with_the_limits_of_others() {
    let long = "x".repeat(220);
    let cases = [
        ("a.csv", format!("id,text\r\n1,Дождь café.\r\n2,{long}\r\n3,\"a \u{1F327},\nb\"\r\n")),
        ("a.tsv", format!("text\tid\r\nДождь café.\t1\r\n{long}\t2\r\n")),
        ("a.jsonl", format!("{{\"text\":\"Дождь café.\"}}\r\n\r\n{{\"text\":\"{long}\"}}\n{{}}")),
    ];
    for (path, content) in cases {
        let expected = read(path, content.as_bytes(), &small());
        assert!(expected[0].contains("Дождь café."), "{expected:?}");
        assert!(expected[1].starts_with("error: max_line_bytes is 200"), "{expected:?}");
        for unit in [u16::to_le_bytes, u16::to_be_bytes] {
            let bytes: Vec<u8> =
                format!("\u{FEFF}{content}").encode_utf16().flat_map(unit).collect();
            assert_eq!(read(path, &bytes, &small()), expected, "{path}");
            let name = format!("{path}.gz");
            assert_eq!(read(&name, &gzip(&bytes), &small()), expected, "{name}");
            let bomb = ReadLimits { max_expanded_bytes: 100, ..small() };
            let refused = read(&name, &gzip(&bytes), &bomb).pop().unwrap();
            assert!(refused.contains("max_expanded_bytes is 100"), "{refused}");
        }
    }
}

#[test]
fn a_record_with_the_id_of_an_earlier_one_is_told_in_every_format() {
    let mails = "From a\nMessage-ID: <7@x>\nSubject: A\n\nOne.\n\nFrom b\nMessage-ID: <7@x>\nSubject: A\n\
                 Received: twice\n\nOne.\n\nFrom c\nMessage-ID: <7@x>\nSubject: A\n\nTwo.\n";
    let entry = |text: &str| format!("<item><guid>7@x</guid><title>{text}</title></item>");
    let feed = ["One.", "One.", "Two."].map(entry).concat();
    let record = |text: &str| format!("{{\"id\": \"7@x\", \"text\": \"{text}\"}}");
    let lines = ["One.", "One.", "Two."].map(record);
    let cases = [
        ("a.jsonl", lines.join("\n")),
        ("a.json", format!("[{}]", lines.join(","))),
        ("a.csv", "id,text\n7@x,One.\n7@x,One.\n7@x,Two.\n".to_owned()),
        ("a.mbox", mails.to_owned()),
        ("a.rss", format!("<rss><channel>{feed}</channel></rss>")),
    ];
    for (path, content) in cases {
        let found = read(path, content.as_bytes(), &ReadLimits::default());
        assert!(found[0].contains("One."), "{path}: {found:?}");
        assert_eq!(
            found[1..],
            [
                "error: record 2 says once more what an earlier one with its id `7@x` says",
                "error: record 3 has the id `7@x` of an earlier one in its file and says something else; \
                 give each an id of its own",
            ],
            "{path}"
        );
    }
    // A line that is too long is a record.
    let long = format!("{}\n{}\n{}\n", lines[0], "x".repeat(300), lines[2]);
    assert!(read("a.jsonl", long.as_bytes(), &small())[2].starts_with("error: record 3 has"));
    // What was refused for something else has not taken its id.
    let empty = "{\"id\": 1, \"text\": \" \"}\n{\"id\": 1, \"text\": \"One.\"}\n";
    assert_eq!(read("a.jsonl", empty.as_bytes(), &small())[1], "None: \"One.\"");
}

#[test]
fn a_quote_that_is_not_closed_is_told_with_its_line() {
    let told = |line| {
        format!(
            "error: the quote that opens at line {line} is not closed where its field ends, so that \
             rows behind it are taken into its text; close it, or double each quote inside a text and \
             quote the whole"
        )
    };
    let cases: [(&str, &str, &[&str], Option<u64>); 12] = [
        ("the rows behind it", "id,text\n1,One.\n2,\"Two.\n3,Three.\n", &["One."], Some(3)),
        ("one that opens in the middle of a row", "text,id\n\"a\nb\",\"2\n3,", &[], Some(3)),
        ("a doubled one does not close", "text\nOne.\n\"Two.\"\"\n", &["One."], Some(3)),
        ("in the last byte", "text\nOne.\n\"", &["One."], Some(3)),
        ("in the header", "id,\"text\n1,One.\n", &[], Some(1)),
        ("closed at the end", "text\n\"One.\n\"", &["One.\n"], None),
        ("no last line end", "\u{feff}text\r\nOne.\r\n\"Two.\"", &["One.", "Two."], None),
        ("blank lines at the end", "text\nOne.\n\n\n", &["One."], None),
        ("inside of a field it is a mark", "text\n5\" of snow", &["5\" of snow"], None),
        ("and behind one on its line", "text\n\"A\" b\n\"c\"", &["A b", "c"], None),
        (
            "blanks behind one of another line",
            "text,id\n\"A\nb\" \n\"C\nd\"\t ,7\n",
            &["A\nb ", "C\nd\t "],
            None,
        ),
        ("and a quote behind these", "text\n\"A\nb\" \"c\n", &[], Some(2)),
    ];
    // One that the next quoted text closes takes the rows between into its text, and no more.
    let strays = "id,text\r\n1,\"One.\r\n2,\"Two.\"\r\n3,\"Three.\"\r\n4,\"Four\r\n5,\"Five\" or \r\n6,\"Six\nand\"\"\n\",\r\n";
    let found = read("a.csv", strays.as_bytes(), &ReadLimits::default());
    let expected =
        [told(2), "None: \"Three.\"".into(), told(5), "None: \"Six\\nand\\\"\\n\"".into()];
    assert_eq!(found, expected);
    assert_eq!(read("a.csv", strays.replace('\r', "").as_bytes(), &small())[..3], expected[..3]);
    for (case, table, texts, line) in cases {
        let mut expected: Vec<_> = texts.iter().map(|text| format!("None: {text:?}")).collect();
        expected.extend(line.map(told));
        assert_eq!(read("a.csv", table.as_bytes(), &small()), expected, "{case}");
        assert_eq!(read("a.csv.gz", &gzip(table.as_bytes()), &small()), expected, "{case}");
    }
}

#[test]
fn mails_are_read_alone_and_from_a_mailbox() {
    let mail = |subject: &str, text: &str| {
        format!(
            "From: Ana <ana@example.org>\nSubject: {subject}\nDate: Wed, 1 May 2024 10:00:00 +0200\n\n{text}\n"
        )
    };
    let alone = mail("=?utf-8?q?Caf=C3=A9?=", "Minsk agreed.");
    assert_eq!(
        read("a.eml", alone.as_bytes(), &ReadLimits::default()),
        ["Some(\"Café\"): \"Minsk agreed.\\n\""]
    );
    let page = "Subject: Page\nContent-Type: text/html\n\n<script>x()</script><p>Minsk agreed.</p>";
    assert_eq!(read("a.eml", page.as_bytes(), &small()), ["Some(\"Page\"): \"Minsk agreed.\""]);
    let long = mail("Long", &"x".repeat(300));
    let mailbox = format!(
        "From ana@example.org Wed May  1\n{}\nFrom b@example.org Wed May  1\n{long}\nFrom c\n{}",
        mail("One", "First.\n\n>From here on."),
        mail("Two", "Last."),
    );
    insta::assert_snapshot!(read("a.mbox", mailbox.as_bytes(), &small()).join("\n"), @r#"
    Some("One"): "First.\n\nFrom here on.\n\n"
    error: max_document_bytes is 200 bytes and this has 382 bytes; `limits.max_document_bytes`, or the source's own, sets it
    Some("Two"): "Last.\n"
    "#);
    let two_of_one = "Subject: Two\nContent-Type: multipart/mixed; boundary=out\n\nFor old readers.\n--out\n\
         Content-Type: multipart/alternative; boundary=\"in\"\n\n--in\nContent-Type: text/html\n\n\
         <p>Page.</p>\r\n--in\nContent-Type: text/plain; charset=iso-8859-1\n\
         Content-Transfer-Encoding: quoted-printable\n\nCaf=E9.\r\n--in--\n--out\n\
         Content-Type: text/plain; name=a.txt\n\nAttached.\n--out\n\nBelow.\n--out--\n";
    let read_whole = |mail: &str| read("a.eml", mail.as_bytes(), &ReadLimits::default());
    assert_eq!(read_whole(two_of_one), ["Some(\"Two\"): \"Café.\""]);
    let page_alone = two_of_one.replace("text/plain; charset", "text/calendar; charset");
    assert_eq!(read_whole(&page_alone), ["Some(\"Two\"): \"Page.\""]);
    let no_mail = read("a.eml", b"\x00\x01", &small());
    assert_eq!(no_mail, ["error: it is no mail: it has neither sender, date nor subject"]);
}

#[test]
fn mails_inside_mails_are_not_gone_into() {
    let limits = ReadLimits { max_mail_parts: 1000, ..ReadLimits::default() };
    let inside = "Content-Type: message/rfc822\n\n".repeat(50_000);
    let alone = format!("Subject: x\n{inside}");
    assert_eq!(read("a.eml", alone.as_bytes(), &limits), ["error: it holds no text"]);
    let beside = |part: &str| {
        let head = "Subject: x\nContent-Type: multipart/mixed; boundary=b\n\n--b\n";
        read("a.eml", format!("{head}{part}\n--b\n\nSaid.\n--b--\n").as_bytes(), &limits)
    };
    let encoded = "Content-Type: message/rfc822\nContent-Transfer-Encoding: quoted-printable\n\n";
    let digest =
        "Content-Type: multipart/digest; boundary=d\n\n--d\n\nSubject: y\n\nNot this.\n--d--\n";
    for part in [&inside, &format!("{encoded}{inside}"), digest] {
        assert_eq!(beside(part), ["Some(\"x\"): \"Said.\""]);
    }
    let deep =
        (0..40).map(|at| format!("Content-Type: multipart/mixed; boundary=b{at}\n\n--b{at}\n"));
    assert_eq!(
        beside(&deep.collect::<String>()),
        ["error: the depth of a mail's parts is 32 and this has more than 32"]
    );
    let many = "--b\n\nx\n".repeat(1001);
    assert_eq!(
        beside(&many),
        [
            "error: max_mail_parts is 1000 and this has more than 1000; `limits.max_mail_parts` sets it"
        ]
    );
    let head = format!("{}\n\n", "a:\n".repeat(400_000));
    assert_eq!(
        beside(&head),
        ["error: the length of a mail's head in bytes is 1048576 and this has more than 1048576"]
    );
}

#[test]
fn a_document_is_as_long_as_what_it_says_once_decoded() {
    let limits = ReadLimits { max_text_bytes: 20, ..ReadLimits::default() };
    let told = |found: u64| {
        format!(
            "error: max_text_bytes is 20 bytes and this has {found} bytes; `limits.max_text_bytes` sets it"
        )
    };
    assert_eq!(read("a.txt", &[b'x'; 20], &limits).len(), 1);
    assert_eq!(read("a.txt", &[b'x'; 21], &limits), [told(21)]);
    // A byte each, and two once they are decoded.
    assert_eq!(read("a.txt", &[0xE9; 12], &limits), [told(24)]);
    let long_title = "{\"title\": \"0123456789012345\", \"text\": \"01234\"}";
    let short_title = "{\"title\": \"0123456789012345\", \"text\": \"0\"}";
    let lines = format!("{long_title}\n{short_title}\n");
    assert_eq!(
        read("a.jsonl", lines.as_bytes(), &limits),
        [told(21), "Some(\"0123456789012345\"): \"0\"".to_owned()]
    );
    let array = format!("[{long_title}]");
    assert_eq!(read("a.json", array.as_bytes(), &limits), [told(21)]);
    assert_eq!(read("a.csv", b"title,text\n0123456789012345,01234\n", &limits), [told(21)]);
}

#[test]
fn zstd_files_are_read_frame_by_frame() {
    let frame = |text: &[u8]| {
        ruzstd::encoding::compress_to_vec(text, ruzstd::encoding::CompressionLevel::Fastest)
    };
    let two = [frame(b"Title\n\nBo"), frame(b"dy.")].concat();
    assert_eq!(read("a.txt.zst", &two, &small()), ["Some(\"Title\"): \"Title\\n\\nBody.\""]);
    let skipped =
        |length: u8| [&[0x5E, 0x2A, 0x4D, 0x18, length, 0, 0, 0], "hidden".as_bytes()].concat();
    let between = [skipped(6), two.clone(), skipped(6)].concat();
    assert_eq!(read("a.txt.zst", &between, &small()), read("a.txt.zst", &two, &small()));
    let short = [two.clone(), skipped(7)].concat();
    assert!(read("a.txt.zst", &short, &small())[0].starts_with("error: cannot read it"));
    let cut = &two[..two.len() - 2];
    assert!(read("a.txt.zst", cut, &small())[0].starts_with("error: cannot read it"));
    let bomb = frame(&vec![b'x'; 64 << 20]);
    let told = read("a.jsonl.zst", &bomb, &ReadLimits::default());
    assert!(
        told[0].contains("max_expanded_ratio") || told[0].contains("max_line_bytes"),
        "{told:?}"
    );
}

/// Gives some bytes, and panics where more are asked for.
struct Breaks(&'static [u8]);

impl Read for Breaks {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self.0.read(into)? {
            0 => panic!("told to panic"),
            read => Ok(read),
        }
    }
}

#[test]
fn what_makes_a_reader_panic_is_refused_as_a_file_after_what_was_read() {
    for (path, bytes, before) in [
        ("a.txt", "Some", 0),
        ("a.csv", "", 0),
        ("a.csv", "text\nOne.\nTwo.\nThr", 2),
        ("a.jsonl", "{\"text\": \"One.\"}\n{", 1),
        ("a.mbox.gz", "", 0),
    ] {
        let opened = documents(Breaks(bytes.as_bytes()), &origin(path), &ReadLimits::default());
        let found: Vec<_> = match opened {
            Ok(documents) => documents.collect(),
            Err(error) => vec![Err(error)],
        };
        assert_eq!(found.len(), before + 1, "{path}: {found:?}");
        let last = found.last().unwrap().as_ref().unwrap_err();
        assert!(matches!(last, ReadError::Panicked) && last.is_of_the_file(), "{path}: {last}");
    }
}

proptest! {
    #[test]
    fn no_bytes_bring_a_reader_down(
        bytes in any::<Vec<u8>>(),
        ending in prop::sample::select(vec![
            "txt", "md", "html", "json", "jsonl", "csv", "eml", "mbox", "txt.gz", "txt.zst",
        ]),
    ) {
        read(&format!("a.{ending}"), &bytes, &small());
    }
}
