//! The result line: its fields, its offsets, its labels, its ids.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::harness::{Folder, repository, run, run_with_input};

const ARTICLE: &str = "Naïve hopes\n\nKazakhstan condemned Russia’s “war” on Monday. “We will never \
                       support Russia,” the minister said. Belarus praised Russia. China called for talks.\n";

/// The text that `piece` marks, counted in characters as Python does.
fn slice(text: &str, piece: &Value) -> String {
    let at = |key: &str| usize::try_from(piece[key].as_u64().unwrap()).unwrap();
    assert!(at("start") < at("end") && at("end") <= text.chars().count(), "{piece}");
    text.chars().skip(at("start")).take(at("end") - at("start")).collect()
}

fn check_scored(scored: &Value, edge: f64, labels: [&str; 3]) {
    if scored.is_null() {
        return;
    }
    let score = scored["score"].as_f64().unwrap();
    assert!((-1.0..=1.0).contains(&score), "{scored}");
    assert!((0.0..=1.0).contains(&scored["confidence"].as_f64().unwrap()), "{scored}");
    let [low, middle, high] = labels;
    let label = if score <= -edge {
        low
    } else if score >= edge {
        high
    } else {
        middle
    };
    assert_eq!(scored["label"], label, "{scored}");
}

fn check_stance(stance: &Value, text: &str) {
    if stance.is_null() {
        return;
    }
    check_scored(stance, 0.25, ["opposed", "neutral", "supportive"]);
    let degree = match stance["score"].as_f64().unwrap() {
        ..=-0.75 => "opposed",
        ..=-0.25 => "distancing",
        score if score < 0.25 => "neutral",
        score if score < 0.75 => "leaning",
        _ => "supportive",
    };
    assert_eq!(stance["degree"], degree, "{stance}");
    assert!(
        !stance["evidence"].as_array().unwrap().is_empty(),
        "a figure without a sentence: {stance}"
    );
    for list in ["evidence", "counter_evidence"] {
        for piece in stance[list].as_array().unwrap() {
            assert_eq!(piece["text"], slice(text, piece));
            assert!(["author", "quoted", "reported"].contains(&piece["voice"].as_str().unwrap()));
            let times = ["past", "present", "future", "hypothetical"];
            assert!(times.contains(&piece["time"].as_str().unwrap()), "{piece}");
            // The author is named nowhere, and a target may stand in the sentence before.
            for part in ["holder", "target"] {
                if !piece[part].is_null() {
                    slice(text, &piece[part]);
                }
            }
        }
    }
}

/// Checks what holds for every result line.
fn check(result: &Value) {
    let fields = [
        "version",
        "id",
        "source",
        "title",
        "language",
        "published",
        "author",
        "status",
        "notes",
        "text",
        "sentences",
        "tokens",
        "entities",
        "sentiment",
        "stance",
        "layers",
        "attributes",
        "provenance",
    ];
    let found: BTreeSet<&str> = result.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(found, BTreeSet::from(fields));
    let text = result["text"].as_str().unwrap();
    let tone = ["negative", "neutral", "positive"];
    for sentence in result["sentences"].as_array().unwrap() {
        slice(text, sentence);
        check_scored(&sentence["sentiment"], 0.15, tone);
    }
    for token in result["tokens"].as_array().unwrap() {
        assert!(!slice(text, token).trim().is_empty());
    }
    for entity in result["entities"].as_array().unwrap() {
        assert_eq!(entity["text"], slice(text, entity));
        check_scored(&entity["sentiment"], 0.15, tone);
    }
    check_scored(&result["sentiment"], 0.15, tone);
    for stance in result["stance"].as_array().unwrap() {
        check_stance(&stance["author"], text);
        for actor in stance["actors"].as_array().unwrap() {
            assert_ne!(actor["id"], stance["target"]["id"], "the target is an actor");
            let name = actor["name"].as_str().unwrap();
            assert!(!name.ends_with("'s"), "{name} is called by its possessive");
            check_stance(actor, text);
        }
    }
    let stages = result["provenance"]["stages"].as_array().unwrap();
    assert!(stages.iter().all(|stage| stage["name"].is_string() && stage["version"].is_string()));
}

#[test]
fn the_seeds_give_a_whole_result_each_and_the_same_ones_again() {
    let seeds = repository("seeds");
    let results = run(&["run", &seeds]).expect(0).results();
    assert!(results.len() >= 24, "{} results", results.len());
    results.iter().for_each(check);
    let ids = |results: &[Value]| -> BTreeSet<String> {
        results.iter().map(|result| result["id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(ids(&results).len(), results.len(), "two documents share an id");
    assert_eq!(ids(&run(&["run", &seeds]).expect(0).results()), ids(&results));
}

#[test]
fn offsets_count_characters_and_stances_have_their_sentences() {
    let result = &run_with_input(&["run"], ARTICLE.as_bytes()).expect(0).results()[0];
    check(result);
    assert_eq!(result["title"], "Naïve hopes");
    assert_eq!(result["stance"][0]["target"]["id"], "RUS");
    let actors = result["stance"][0]["actors"].as_array().unwrap();
    let label = |id: &str| {
        let actor = actors.iter().find(|actor| actor["id"] == id);
        actor.map(|actor| actor["label"].as_str().unwrap().to_owned())
    };
    assert_eq!(label("KAZ").as_deref(), Some("opposed"), "{actors:#?}");
    assert_eq!(label("BLR").as_deref(), Some("supportive"), "{actors:#?}");
    let kazakhstan = actors.iter().find(|actor| actor["id"] == "KAZ").unwrap();
    assert!(!kazakhstan["evidence"].as_array().unwrap().is_empty());
}

#[test]
fn an_appended_line_renews_nothing() {
    let folder = Folder::new();
    let lines = "{\"text\":\"One.\"}\n{\"id\":\"b\",\"text\":\"Two.\"}\n{\"text\":\"One.\"}\n";
    let path = folder.write("feed.jsonl", lines);
    let ids = || -> Vec<Value> {
        let results = run(&["run", &path]).expect(0).results();
        let mut order = results.iter().map(|result| result["id"].clone()).collect::<Vec<_>>();
        order.sort_by_key(Value::to_string);
        order
    };
    let before = ids();
    assert_eq!(before.len(), 3);
    folder.write("feed.jsonl", format!("{lines}{{\"text\":\"Three.\"}}\n"));
    let after = ids();
    assert_eq!(after.len(), 4);
    assert!(before.iter().all(|id| after.contains(id)));
    let results = run(&["run", &path]).expect(0).results();
    assert!(results.iter().any(|result| result["source"]["id"] == "b"));
}

#[test]
fn standard_input_is_text_jsonl_or_a_page() {
    let cases: [(&str, &[u8], usize); 4] = [
        ("text", b"Kazakhstan condemned Russia.", 1),
        ("jsonl", b"{\"text\":\"Belarus praised Russia.\"}\n{\"text\":\"Rain.\"}\n", 2),
        ("html", b"<html><body><p>Poland condemned Russia.</p></body></html>", 1),
        ("json", b"[\n{\"text\":\"A.\"},\n{\"text\":\"B.\"}\n]", 2),
    ];
    for (case, input, count) in cases {
        let results = run_with_input(&["run", "-"], input).expect(0).results();
        assert_eq!(results.len(), count, "{case}");
        results.iter().for_each(check);
        assert!(!results[0]["text"].as_str().unwrap().contains('<'), "{case}");
    }
}

#[test]
fn several_and_other_targets_are_asked_for_by_name() {
    let text = b"Poland condemned China. Serbia praised Russia. Greece criticised Turkey.";
    let targets = |arguments: &[&str]| -> Vec<String> {
        let results = run_with_input(arguments, text).expect(0).results();
        check(&results[0]);
        let stances = results[0]["stance"].as_array().unwrap();
        stances.iter().map(|stance| stance["target"]["id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(targets(&["run", "-t", "Russia", "-t", "China"]), ["RUS", "CHN"]);
    assert_eq!(targets(&["run", "--target", "Turkey"]), ["TUR"]);
    assert_eq!(targets(&["run", "--target", "NATO"]), ["NATO"]);
}

#[test]
fn a_target_that_no_table_knows_is_found_as_it_is_written() {
    let folder = Folder::new();
    let text = "Poland opposed the carbon tax. Denmark praised the carbon tax. \
                Nepal backed Orinda Mining.";
    let article = folder.write("a.txt", text);
    let actors = |arguments: &[&str]| -> Vec<String> {
        let results = run(&[&["run", &article], arguments].concat()).expect(0).results();
        check(&results[0]);
        let actors = results[0]["stance"][0]["actors"].as_array().unwrap();
        let shown = |actor: &Value| format!("{} {}", actor["id"], actor["label"]).replace('"', "");
        let mut shown: Vec<String> = actors.iter().map(shown).collect();
        shown.sort();
        shown
    };
    let taxed = ["DNK supportive", "POL opposed"];
    assert_eq!(actors(&["--target", "carbon tax"]), taxed);
    assert_eq!(actors(&["--target", "Orinda Mining"]), ["NPL supportive"]);
    // The id that results have is a name, too.
    assert_eq!(actors(&["--target", "name:carbon-tax"]), taxed);
    let nobody = run(&["run", &article, "--target", "..."]).expect(2).stderr;
    assert!(nobody.contains("it is the name of nobody"), "{nobody}");
    // A pipeline file names it once, where stances are sought.
    let pipeline = folder.write(
        "p.yaml",
        "version: 1\nstages:\n  - tokenise\n  - entity\n  - use: stance\n    with: { target: carbon tax }\n",
    );
    assert_eq!(actors(&["-c", &pipeline]), taxed);
    // A table's name is whose it is however it is typed.
    let nato = folder.write("n.txt", "Serbia condemned NATO.");
    for typed in ["nato", "NATO"] {
        let result = &run(&["run", &nato, "--target", typed]).expect(0).results()[0];
        assert_eq!(result["stance"][0]["actors"][0]["id"], "SRB", "{typed}");
    }
}

#[test]
fn results_go_to_a_file_or_a_table_when_asked() {
    let folder = Folder::new();
    let (article, out) = (folder.write("a.txt", ARTICLE), folder.at("out.jsonl"));
    let ran = run(&["run", &article, "-o", &out]).expect(0);
    assert_eq!(ran.stdout, "");
    let written = std::fs::read_to_string(&out).unwrap();
    check(&serde_json::from_str(written.trim_end()).unwrap());

    let table = run(&["run", &article, "--format", "table"]).expect(0).stdout;
    assert!(table.contains("Naïve hopes") && table.contains("Kazakhstan"), "{table}");
    assert!(!table.contains('\u{1b}'), "colour where nobody looks");
}

#[test]
fn a_skipped_stage_leaves_a_note() {
    let folder = Folder::new();
    let pipeline = folder.write(
        "p.yaml",
        "version: 1\nstages:\n  - tokenise\n  - entity\n  - use: stance\n    when: \"length > 1000\"\n",
    );
    let results = run_with_input(&["run", "-c", &pipeline], b"Poland condemned Russia.");
    let result = &results.expect(0).results()[0];
    assert_eq!(result["status"], "partial");
    let note = result["notes"][0].as_str().unwrap();
    assert!(note.contains("stance") && note.contains("when"), "{note}");
    assert_eq!(result["stance"].as_array().unwrap().len(), 0);
}

#[test]
fn a_page_for_a_browser_shows_every_document() {
    let folder = Folder::new();
    folder.write("in/a.txt", "Kazakhstan condemned <b>Russia</b>.");
    folder.write("in/b.txt", "Belarus praised Russia.");
    let page = folder.at("page.html");
    run(&["run", &folder.at("in"), "--format", "html", "-o", &page]).expect(0);
    let page = std::fs::read_to_string(page).unwrap();
    assert!(page.starts_with("<!doctype html>"), "{page}");
    assert_eq!(page.matches("<article>").count(), 2);
    assert_eq!(page.matches("<mark class=\"holder\"").count(), 2 + 1, "and one in the legend");
    assert!(!page.contains("<b>"), "a document's markup is text");
}

#[test]
fn a_pipeline_reads_a_file_of_lines_in_its_order() {
    let folder = Folder::new();
    let lines: Vec<_> = (0..40)
        .map(|index| {
            let times = if index % 2 == 0 { 30 } else { 1 };
            format!(
                "{{\"id\": \"{index}\", \"text\": \"{}\"}}",
                "Minsk praised Russia. ".repeat(times)
            )
        })
        .collect();
    folder.write("feed", lines.join("\n"));
    let pipeline = folder.write(
        "p.yaml",
        "version: 1
sources: { feed: { type: jsonl, path: ./feed, ordering: per_source } }
stages: [tokenise, entity, sentiment, stance]
sinks: { results: { type: stdout } }
",
    );
    let ran = run(&["daemon", "-c", &pipeline, "--once"]).expect(0);
    let ids: Vec<_> = ran.results().iter().map(|result| result["source"]["id"].clone()).collect();
    assert_eq!(ids, (0..40).map(|index| index.to_string()).collect::<Vec<_>>());
}

#[test]
fn results_never_take_the_place_of_what_is_read() {
    let folder = Folder::new();
    let text = "Minsk praised Russia.";
    let article = folder.write("in/article.txt", text);
    let refused = run(&["run", &article, "-o", &article]).expect(2);
    assert!(refused.stderr.contains("would be written over"), "{}", refused.stderr);
    assert_eq!(std::fs::read_to_string(&article).unwrap(), text);

    // A second run over the folder does not read the results of the first.
    let output = folder.at("in/results.jsonl");
    for _ in 0..2 {
        run(&["run", &folder.at("in"), "-o", &output]).expect(0);
        assert_eq!(std::fs::read_to_string(&output).unwrap().lines().count(), 1);
    }
}

#[test]
fn records_of_one_id_in_several_files_all_come_out() {
    let folder = Folder::new();
    let record = "{\"id\": \"1\", \"text\": \"Minsk praised Russia.\"}\n";
    let (one, other) = (folder.write("a/f.jsonl", record), folder.write("b/f.jsonl", record));
    let output = folder.at("results.jsonl");
    run(&["run", &one, &other, "-o", &output]).expect(0);
    assert_eq!(std::fs::read_to_string(&output).unwrap().lines().count(), 2);
}

#[test]
fn standard_input_may_be_compressed() {
    use std::io::Write;

    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(b"{\"text\": \"Minsk praised Russia.\"}\n").unwrap();
    let ran = run_with_input(&["run", "-"], &packed.finish().unwrap()).expect(0);
    assert_eq!(ran.results()[0]["text"], "Minsk praised Russia.");
}

#[test]
fn a_state_is_a_target_once_under_whatever_name_and_by_its_capital_or_seat() {
    let folder = Folder::new();
    let text = folder.write("a.txt", "Poland condemned Moscow on Monday.");
    let toward = |targets: &[&str]| {
        let mut words = vec!["run", &text];
        words.extend(targets.iter().flat_map(|target| ["--target", target]));
        let ran = run(&words).expect(0);
        assert_eq!(ran.stderr.matches("names the target").count(), 0, "{}", ran.stderr);
        let stance = ran.results()[0]["stance"].clone();
        let about = stance
            .as_array()
            .unwrap()
            .iter()
            .map(|about| (about["target"]["id"].clone(), about["actors"][0]["id"].clone()));
        about.collect::<Vec<_>>()
    };
    let several =
        ["Russia", "russia", "RUS", "Russian Federation", "Moscow", "Belarus", "the Kremlin"];
    let russia = (json!("RUS"), json!("POL"));
    assert_eq!(toward(&several), [russia.clone(), (json!("BLR"), Value::Null)]);
    for one in ["Moscow", "the Kremlin", "Russian Federation"] {
        assert_eq!(toward(&[one]), std::slice::from_ref(&russia), "{one}");
    }
}

#[test]
fn a_target_that_no_document_names_is_told_once_with_the_name_that_was_meant() {
    let folder = Folder::new();
    let one = folder.write("one.txt", "Kazakhstan condemned Russia on Monday.");
    let other = folder.write("other.txt", "Dora Quillfeather praised Kazakhstan.");
    let told = |targets: &[&str]| {
        let mut words = vec!["run", &one, &other];
        words.extend(targets.iter().flat_map(|target| ["--target", target]));
        run(&words).expect(0).stderr
    };
    let misspelt = told(&["Rusia"]);
    assert_eq!(misspelt.matches("did you mean").count(), 1, "{misspelt}");
    assert!(
        misspelt.contains("names the target \"Rusia\"; did you mean \"Russia\"?"),
        "{misspelt}"
    );
    let unknown = told(&["Xyzzyville"]);
    assert!(unknown.contains("no document names the target \"Xyzzyville\"; give"), "{unknown}");
    let explained = run(&["explain", &one, "--target", "Rusia"]).expect(0).stderr;
    assert_eq!(explained.matches("did you mean \"Russia\"?").count(), 1, "{explained}");
    // Who is named, or is a state that might be, is no mistake.
    for known in ["Russia", "Peru", "Dora Quillfeather"] {
        assert_eq!(told(&[known]).matches("names the target").count(), 0, "{known}");
    }
}

/// What stages panicked over, once.
#[test]
fn ordinary_text_fails_no_stage() {
    let folder = Folder::new();
    for text in [
        "Marie Curie, née Sklodowska, praised Russia….",
        "Ukraine has Russian surface-to-air missiles.",
        "Iran tested Russian surface-to-air missiles in the desert.",
    ] {
        let file = folder.write("a.txt", text);
        for chain in ["config/fast.yaml", "config/default.yaml"] {
            run(&["run", &file, "-c", &repository(chain), "--format", "jsonl"]).expect(0);
        }
    }
}
