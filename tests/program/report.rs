//! Results looked at again: `report`, `explain --format html`, `corrections` and `reprocess`.

use std::fs;
use std::process::Command;

use rusqlite::Connection;

use crate::harness::{Folder, STAGES, pipeline, repository, run, run_with_input};

/// Results of the sample documents.
fn results(folder: &Folder) -> String {
    let results = folder.at("results.jsonl");
    run(&["run", &repository("seeds"), "-o", &results]).expect(0);
    results
}

/// A store with one document, and the pipeline that filled it.
fn kept(folder: &Folder, text: &str) -> (String, String) {
    let store = "store: { type: sqlite, path: ./out/standpoint.db }";
    let pipeline = folder.write("p.yaml", pipeline(STAGES, store, ""));
    folder.write("inbox/a.txt", text);
    run(&["daemon", "--once", "-c", &pipeline]).expect(0);
    (pipeline, folder.at("out/standpoint.db"))
}

#[test]
fn a_report_is_one_page_from_lines_or_from_a_store() {
    let folder = Folder::new();
    let lines = results(&folder);
    let page = folder.at("report.html");
    run(&["report", &lines, "-o", &page]).expect(0);
    let page = fs::read_to_string(page).unwrap();
    assert!(page.contains("Who stands where toward Russia") && !page.contains("<script"));
    let (_, store) = kept(&folder, "Kazakhstan condemned Russia.");
    let from_store = run(&["report", &store, "--title", "A <title>"]).expect(0).stdout;
    assert!(from_store.contains("A &lt;title&gt;") && from_store.contains("Kazakhstan"));
}

/// Prints each view of a store with its columns and the number of its rows.
const VIEWS_IN_PYTHON: &str = r"
import sqlite3, sys
store = sqlite3.connect(f'file:{sys.argv[1]}?mode=ro', uri=True)
for (view,) in store.execute('SELECT name FROM sqlite_master WHERE type = ?  ORDER BY name', ['view']):
    found = store.execute(f'SELECT * FROM {view}')
    columns = [column[0] for column in found.description]
    print(view, len(found.fetchall()), *columns)
found = store.execute('SELECT title FROM documents WHERE key IN (SELECT rowid FROM document_text WHERE document_text MATCH ?)', ['condemned'])
print(len(found.fetchall()), 'found')
";

#[test]
fn pythons_own_sqlite_reads_the_views_that_analysts_were_promised() {
    let folder = Folder::new();
    let (_, store) = kept(&folder, "Kazakhstan condemned Russia. Belarus praised Russia.");
    let ran = Command::new("python3").args(["-c", VIEWS_IN_PYTHON, &store]).output().unwrap();
    let told = String::from_utf8(ran.stdout).unwrap();
    assert!(ran.status.success(), "{told}{}", String::from_utf8_lossy(&ran.stderr));
    for (view, rows, columns) in [
        (
            "actor_stance",
            2,
            "document_id title source published day target_id target_name actor_id actor_name",
        ),
        ("author_stance", 0, "document_id title"),
        ("corrections", 0, "document_id target_id who"),
        ("documents", 1, "key id source path"),
        ("entities", 3, "document_id source published day entity_id name kind mentions sentiment"),
        (
            "evidence",
            2,
            "document_id title source published day target_id target_name holder actor_id",
        ),
        ("provenance", 4, "document_id standpoint pipeline stored_at stage version model"),
    ] {
        let expected = format!("{view} {rows} {columns}");
        assert!(told.lines().any(|line| line.starts_with(&expected)), "{expected}: {told}");
    }
    assert!(told.ends_with("1 found\n"), "{told}");
}

#[test]
fn what_is_no_result_is_named_with_its_place() {
    let folder = Folder::new();
    let (_, store) = kept(&folder, "Kazakhstan condemned Russia.");
    let broken = folder.write("broken.jsonl", "\n{\"version\":1}\n");
    let empty = folder.write("empty.jsonl", "");
    let cases: [(&[&str], &str); 7] = [
        (&[&broken], "broken.jsonl:2: not a result line"),
        (&[&empty], "hold no stance toward anybody"),
        (&[&store, &store], "a store is reported on by itself"),
        (&["missing.jsonl"], "cannot be read"),
        (&[&store, "--target", "Atlantis"], "they do toward Russia (RUS)"),
        (&[&store, "--from", "yesterday"], "such as 2024-05-01"),
        (
            &[&store, "--to", "2024-06-31"],
            "`--to 2024-06-31` is no date; expected a day that exists",
        ),
    ];
    for (arguments, expected) in cases {
        let ran = run(&[&["report"], arguments].concat()).expect(2);
        assert!(ran.stderr.contains(expected), "{arguments:?}: {}", ran.stderr);
    }
}

#[test]
fn a_report_of_nothing_says_so_and_what_there_is() {
    let folder = Folder::new();
    let text = r#"{"title":"A","published":"2024-05-02","text":"Kazakhstan condemned Russia."}"#;
    let results = folder.at("results.jsonl");
    run(&["run", &folder.write("wire.jsonl", text), "-o", &results]).expect(0);
    for (arguments, expected) in [
        (["--from", "2030"], "None matches among 1 document of 2024-05-02 to 2024-05-02 from "),
        (["--words", "zebra"], "None matches among 1 document of 2024-05-02 to 2024-05-02 from "),
        (
            ["--holders", "authors"],
            "Nobody takes a stance toward Russia among 1 document let through",
        ),
        (["--from", "2024"], ""),
    ] {
        let ran = run(&[&["report", &results], &arguments[..]].concat()).expect(0);
        assert_eq!(ran.stderr.is_empty(), expected.is_empty(), "{}", ran.stderr);
        assert!(ran.stderr.starts_with(expected), "{arguments:?}: {}", ran.stderr);
        assert_eq!(ran.stdout.contains("class=\"complaint\""), !expected.is_empty());
        assert!(ran.stdout.contains(expected), "{arguments:?}: {}", ran.stdout);
    }
}

#[test]
fn a_target_is_found_by_another_name_and_the_others_are_told() {
    let folder = Folder::new();
    let results = |name: &str, targets: &str, text: &str| {
        let stages = format!(
            "[tokenise, entity, sentiment, {{ use: stance, with: {{ targets: [{targets}] }} }}]"
        );
        let file = folder.write("p.yaml", format!("version: 1\nstages: {stages}\n"));
        let results = folder.at(&format!("{name}.jsonl"));
        let input = folder.write(&format!("{name}-in.jsonl"), text);
        run(&["run", &input, "-c", &file, "-o", &results]).expect(0);
        results
    };
    let text = "{\"text\":\"Kazakhstan condemned Vladimir Putin. Belarus condemned Russia.\"}
{\"text\":\"Belarus condemned Russia again.\"}\n";
    let both = results("both", "Russia, Putin", text);
    let ran = run(&["report", &both]).expect(0);
    let others = "the results hold stances toward Vladimir Putin (RUS.PUTIN) too, for each";
    assert!(ran.stderr.contains(others), "{}", ran.stderr);
    let others = "hold stances toward <bdi>Vladimir Putin (RUS.PUTIN)</bdi> too; <code>--target";
    assert!(ran.stdout.contains(others), "{}", ran.stdout);
    let ran = run(&["report", &both, "-t", "Putin"]).expect(0);
    assert_eq!(ran.stderr, "");
    assert!(ran.stdout.contains("toward Vladimir Putin"), "{}", ran.stdout);
    assert!(!ran.stdout.contains("<code>--target"), "{}", ran.stdout);
    // Lines of an earlier version have another id where a document does not name him.
    let target = r#"{"id":"RUS.PUTIN","name":"Vladimir Putin"}"#;
    let lines = fs::read_to_string(&both).unwrap();
    let earlier = lines.lines().map(|line| {
        assert!(line.contains(target), "{line}");
        let is_named = line.contains("Vladimir Putin.");
        let line = if is_named {
            line.to_owned()
        } else {
            line.replace(target, r#"{"id":"name:putin","name":"Putin"}"#)
        };
        line + "\n"
    });
    let both = folder.write("earlier.jsonl", earlier.collect::<String>());
    let ran = run(&["report", &both, "-t", "name:putin"]).expect(0);
    assert!(ran.stderr.contains("Nobody takes a stance toward Putin"), "{}", ran.stderr);
    let told = run(&["report", &both, "-t", "Norway"]).expect(2).stderr;
    assert!(told.contains("RUS.PUTIN") && !told.contains("name:putin"), "{told}");
}

#[test]
fn a_document_is_explained_on_a_page() {
    let ran =
        run_with_input(&["explain", "--format", "html", "-"], b"Kazakhstan condemned Russia.");
    let page = ran.expect(0).stdout;
    for part in ["<mark class=\"holder\"", "class=\"evidence against\"", "</html>"] {
        assert!(page.contains(part), "{part}: {page}");
    }
    assert!(!page.contains("passed over"), "nothing was");
}

#[test]
fn an_explained_page_shows_what_no_stage_read_and_why() {
    let folder = Folder::new();
    let text = "Yesterday Kazakhstan condemned Russia, and said so to the ministers of the region. It was \
                the first of its kind, and they are to meet again at the end of this month.\n\n\
                T\u{fa} voto no ser\u{e1} publicado hasta que los jueces del concurso lo revisen con calma.\n\n\
                Subscribe to our newsletter\n";
    let article = folder.write("a.txt", text);
    let file = folder.at("a.html");
    run(&["explain", &article, "--format", "html", "-o", &file]).expect(0);
    let page = fs::read_to_string(&file).unwrap();
    for (begin, why) in [
        ("~ T\u{fa} voto", "in another language"),
        ("~ Subscribe to our newsletter", "furniture of a page"),
    ] {
        let marked = format!("<span class=\"passed-over\" title=\"passed over: {why}\">{begin}");
        assert!(page.contains(&marked), "{marked}: {page}");
    }
    assert!(
        page.contains("<span class=\"passed-over\">~ passed over</span>"),
        "the legend says how"
    );
    assert!(!page.contains("~ Yesterday"));
}

#[test]
fn a_text_in_another_language_says_what_did_not_read_it_and_what_it_was_taken_for() {
    let folder = Folder::new();
    let text =
        "Il ministro ha detto che le trattative sono state utili e che non sarebbero finite.";
    let article = folder.write("a.txt", text);
    let why = [
        ": the stages encode, sentiment and stance did not read it, by their `when`.",
        "The text was taken for Italian",
    ];
    for format in ["text", "html"] {
        let ran = run(&["explain", &article, "--format", format]).expect(0).stdout;
        assert!(why.iter().all(|why| ran.contains(why)), "{format}: {ran}");
    }
    // Once, and not by a note of each stage as well.
    for format in ["table", "html"] {
        let ran = run(&["run", &article, "--format", format]).expect(0).stdout;
        assert!(why.iter().all(|why| ran.contains(why)), "{format}: {ran}");
        assert!(!ran.contains("skipped by"), "{format}: {ran}");
    }
}

#[test]
fn other_versions_of_the_stages_are_told_and_what_people_said_stays() {
    let folder = Folder::new();
    let (pipeline, path) = kept(&folder, "Kazakhstan condemned Russia. Belarus praised Russia.");
    let same = run(&["reprocess", "-c", &pipeline]).expect(0).stdout;
    assert!(same.starts_with("0 documents read again"), "{same}");

    // As another version had left it, and somebody corrected it.
    let store = Connection::open(&path).unwrap();
    let older = "UPDATE document SET stages = replace(stages, '\"name\":\"stance\",\"version\":\"', '\"name\":\"stance\",\"version\":\"0.0.');
                 UPDATE stance SET score = 0.4, said_score = 0.4 WHERE who = 'KAZ';
                 INSERT INTO correction (document_id, target_id, who, start_offset, end_offset, field, value, passage)
                 SELECT d.id, s.target_id, s.who, e.start_offset, e.end_offset, 'verdict', 'accepted', e.text
                 FROM evidence_row AS e JOIN stance AS s ON s.key = e.stance
                 JOIN document AS d ON d.key = s.document WHERE s.who = 'KAZ'";
    store.execute_batch(older).unwrap();
    let scores = || -> Vec<(String, f64)> {
        let mut statement =
            store.prepare("SELECT actor_id, score FROM actor_stance ORDER BY 1").unwrap();
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        rows.map(Result::unwrap).collect()
    };
    let before = scores();
    let dry = run(&["reprocess", "-c", &pipeline, "--dry-run"]).expect(0).stdout;
    assert!(dry.contains("Kazakhstan → Russia: leaning +0.40 →"), "{dry}");
    assert!(
        dry.contains("1 document read again, 1 changed") && dry.contains("nothing was kept"),
        "{dry}"
    );
    assert_eq!(scores(), before);
    let told = run(&["reprocess", "-c", &pipeline, "--format", "json"]).expect(0).results();
    assert_eq!((&told[0]["changes"][0]["who"], &told[1]["relabelled"]), (&"KAZ".into(), &1.into()));
    assert!(scores().iter().any(|(who, score)| who == "KAZ" && *score < 0.0), "{:?}", scores());
    let revisions: i64 =
        store.query_row("SELECT count(*) FROM revision", [], |row| row.get(0)).unwrap();
    assert_eq!(revisions, 1);
    let labelled = run(&["corrections", &path]).expect(0).results();
    assert_eq!((&labelled[0]["holder"], &labelled[0]["label"]), (&"KAZ".into(), &"opposed".into()));
    // The stages can be measured on it.
    let probes = folder.write("probes.jsonl", run(&["corrections", &path]).stdout);
    run(&["evaluate", "stance", &probes]).expect(0);
}

#[test]
fn what_is_not_read_again_is_told_and_what_cannot_be_read_is_named() {
    let folder = Folder::new();
    let (pipeline, path) = kept(&folder, "Kazakhstan condemned Russia.");
    let passed_over = "1 passed over: these versions of the stages have read it";
    let same = run(&["reprocess", "-c", &pipeline]).expect(0).stdout;
    assert!(same.contains(&format!("{passed_over}\n")), "{same}");
    // Other settings of the same stages.
    let text = fs::read_to_string(&pipeline).unwrap();
    let other = text
        .replace(STAGES, "[tokenise, entity, sentiment, { use: stance, with: { target: China } }]");
    assert_ne!(other, text);
    fs::write(&pipeline, other).unwrap();
    let told = run(&["reprocess", "-c", &pipeline]).expect(0).stdout;
    let hint =
        ", 1 of them under another pipeline file, whose settings may differ; `--all` reads it";
    assert!(told.contains(&format!("{passed_over}{hint}")), "{told}");
    let json = run(&["reprocess", "-c", &pipeline, "--format", "json"]).expect(0).results();
    let counted = (&json[0]["documents"], &json[0]["passed_over"], &json[0]["of_other_settings"]);
    assert_eq!(counted, (&0.into(), &1.into(), &1.into()));
    let all = run(&["reprocess", "-c", &pipeline, "--all"]).expect(0).stdout;
    assert!(all.contains("1 document read again, 1 changed"), "{all}");
    assert!(!all.contains("passed over"), "{all}");

    // A damaged text, which is no text.
    let store = Connection::open(&path).unwrap();
    store.execute("UPDATE document SET text = CAST(x'4bff' AS TEXT)", []).unwrap();
    let id: String = store.query_row("SELECT id FROM document", [], |row| row.get(0)).unwrap();
    let ran = run(&["reprocess", "-c", &pipeline]).expect(3);
    assert!(
        ran.stdout.contains("1 document cannot be read from the store and stays as it is"),
        "{}",
        ran.stdout
    );
    assert!(
        ran.stderr.contains(&id) && ran.stderr.contains("cannot be read from the store"),
        "{}",
        ran.stderr
    );
}

#[test]
fn records_that_name_their_outlet_are_found_by_it() {
    let folder = Folder::new();
    let store = "results: { type: jsonl, path: ./out/results.jsonl }
  store: { type: sqlite, path: ./out/standpoint.db }";
    let pipeline = folder.write("p.yaml", pipeline(STAGES, store, ""));
    let lines = [
        "{\"text\": \"Kazakhstan condemned Russia.\", \"source\": \"The Daily\"}",
        "{\"text\": \"Belarus praised Russia.\", \"source\": {\"id\": null, \"name\": \"The Wire\"}}",
        "{\"text\": \"Ukraine condemned Russia.\"}\n",
    ];
    folder.write("inbox/a.jsonl", lines.join("\n"));
    folder.write("inbox/b.csv", "text,source\nChina praised Russia.,The Weekly\n");
    run(&["daemon", "--once", "-c", &pipeline]).expect(0);
    let results = fs::read_to_string(folder.at("out/results.jsonl")).unwrap();
    for line in results.lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(line["source"]["name"], "news", "{line}");
    }
    assert!(results.contains("\"attributes\":{\"source\":\"The Weekly\"}"), "{results}");
    let store = Connection::open(folder.at("out/standpoint.db")).unwrap();
    let sources = || -> String {
        let sql = "SELECT group_concat(actor_id || ' ' || source, ', ')
            FROM (SELECT * FROM actor_stance ORDER BY source)";
        store.query_row(sql, [], |row| row.get(0)).unwrap()
    };
    let expected = "KAZ The Daily, CHN The Weekly, BLR The Wire, UKR news";
    assert_eq!(sources(), expected);
    run(&["reprocess", "-c", &pipeline, "--all"]).expect(0);
    assert_eq!(sources(), expected);
    let sql = "SELECT DISTINCT read_from FROM document";
    let read_from: String = store.query_row(sql, [], |row| row.get(0)).unwrap();
    assert_eq!(read_from, "news");
    // A report of the lines knows them, too.
    let report = run(&["report", &folder.at("out/results.jsonl")]).expect(0).stdout;
    assert!(report.contains("The Weekly"), "{report}");
}

#[test]
fn without_a_store_there_is_nothing_to_read_again() {
    let folder = Folder::new();
    let pipeline = folder.write(
        "p.yaml",
        "version: 1
stages: [tokenise, entity, sentiment, stance]
sinks: { results: { type: jsonl, path: ./results.jsonl } }
",
    );
    let ran = run(&["reprocess", "-c", &pipeline]).expect(2);
    assert!(ran.stderr.contains("no sink of type `sqlite`"), "{}", ran.stderr);
}
