//! A daemon whose store is on a Postgres server: a real one, which the test starts.

#[expect(dead_code, reason = "the store's own tests need more of it")]
#[path = "../../crates/standpoint-store/tests/cluster/mod.rs"]
mod cluster;

use std::fs;

use rustix::process::Signal;
use serde_json::Value;
use standpoint_store::server::SCHEMA;

use self::cluster::Cluster;
use crate::daemon::signal;
use crate::harness::{Folder, STAGES, becomes_true, command, expect_reach, finish, pipeline, run};
use crate::server::Served;

/// A server that programs get to.
fn server() -> Option<Cluster> {
    let cluster = Cluster::start()?;
    expect_reach(&cluster.url(), || cluster.log());
    Some(cluster)
}

/// The sink `store`.
fn sink(cluster: &Cluster) -> String {
    format!("store: {{ type: postgres, url: '{}' }}", cluster.url())
}

/// Puts a file into an inbox whole, by renaming it in.
fn drop_in(folder: &Folder, name: &str, text: &str) {
    let draft = folder.write("draft", text);
    fs::rename(draft, folder.at(&format!("inbox/{name}"))).unwrap();
}

#[test]
fn whoever_is_killed_every_document_has_one_row_on_the_server() {
    let Some(cluster) = server() else { return };
    let folder = Folder::new();
    let file = folder.write("p.yaml", pipeline(STAGES, &sink(&cluster), ""));
    fs::create_dir(folder.at("inbox")).unwrap();
    let names: Vec<String> = (0..60).map(|index| format!("{index:02}.txt")).collect();
    for name in &names {
        drop_in(&folder, name, &format!("Report {name}. Kazakhstan condemned Russia."));
    }
    let rows = || -> usize {
        let has_table = "SELECT count(*) FROM pg_tables WHERE schemaname = 'standpoint' AND tablename = 'document'";
        if cluster.ask(has_table) == "0" {
            return 0;
        }
        cluster.ask("SELECT count(*) FROM standpoint.document").parse().unwrap()
    };
    for killed_at in [1, 20] {
        let mut child = command(&["daemon", "-c", &file]).spawn().unwrap();
        let came = becomes_true(|| rows() >= killed_at);
        child.kill().unwrap();
        let ran = finish(child);
        assert!(came, "no rows: {:?} {}\n{}", ran.code, ran.stderr, cluster.log());
    }
    // The server dies under a daemon, which waits for it.
    let daemon = command(&["daemon", "-c", &file]).spawn().unwrap();
    let came = becomes_true(|| rows() >= 21);
    cluster.crash();
    drop_in(&folder, "late.txt", "Report late. Kazakhstan condemned Russia.");
    cluster.up();
    let archived = becomes_true(|| folder.files("archive", false).len() == 61);
    signal(&daemon, Signal::TERM);
    let ran = finish(daemon).expect(0);
    assert!(came && archived, "{}\n{}", ran.stderr, cluster.log());

    assert_eq!(
        cluster.ask(
            "SELECT count(*), count(DISTINCT path), min(label), max(label)
             FROM standpoint.documents JOIN standpoint.actor_stance ON id = document_id"
        ),
        "61|61|opposed|opposed"
    );
    assert_eq!(folder.files("inbox", true), [""; 0]);
    assert_eq!(folder.files("quarantine", false), [""; 0]);
}

#[test]
fn what_reads_a_store_reads_the_servers() {
    let Some(cluster) = server() else { return };
    drop(cluster.place(SCHEMA).open(false).unwrap());
    // The owner of the database wants no such row.
    cluster.ask(
        "CREATE FUNCTION standpoint.refuse() RETURNS trigger LANGUAGE plpgsql AS
           $$ BEGIN RAISE EXCEPTION 'not this one'; END $$;
         CREATE TRIGGER refuse BEFORE INSERT ON standpoint.document FOR EACH ROW
           WHEN (new.path = 'bad.txt') EXECUTE FUNCTION standpoint.refuse()",
    );
    let daemon = Served::start("", &format!("  {}\n", sink(&cluster)));
    daemon.drop_in("bad.txt", "Belarus praised Russia.");
    let names: Vec<String> = (0..8).map(|index| format!("{index}.txt")).collect();
    for name in &names {
        daemon.drop_in(name, &format!("Report {name}\n\nKazakhstan condemned Russia."));
    }
    let folder = &daemon.folder;
    let settled = || {
        // The reason comes before the file that it speaks of.
        folder.files("archive", false).len() == 8 && folder.files("quarantine", false).len() == 2
    };
    assert!(becomes_true(settled), "{}\n{}", daemon.get("/status").1, cluster.log());
    assert_eq!(folder.files("archive", false), names);
    assert_eq!(folder.files("quarantine", false), ["bad.txt", "bad.txt.reason.json"]);
    let reason = fs::read_to_string(folder.at("quarantine/bad.txt.reason.json")).unwrap();
    assert!(reason.contains("not this one"), "{reason}");
    assert_eq!(cluster.ask("SELECT count(*), count(DISTINCT id) FROM standpoint.documents"), "8|8");

    let token = fs::read_to_string(folder.at("state/server.token")).unwrap();
    let page = |path: &str| {
        let token = token.trim();
        let (code, answer) = daemon.ask(&format!(
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n"
        ));
        assert_eq!(code, 200, "{path}: {answer}");
        answer
    };
    for (path, expected) in [
        ("/", "Kazakhstan"),
        ("/evidence", "Report 3.txt"),
        ("/documents?words=condemned", "Report 3.txt"),
        ("/shifts", "Shifts"),
        ("/api/v1/evidence.csv", "Kazakhstan condemned Russia."),
        ("/api/v1/figures", "\"passages\":8"),
    ] {
        let answer = page(path);
        assert!(answer.contains(expected), "{path}: {answer}");
    }

    let report = run(&["report", &cluster.url()]).expect(0).stdout;
    assert!(report.contains("Kazakhstan") && report.contains("Report 3.txt"), "{report}");
    let again = run(&["reprocess", "-c", &daemon.pipeline, "--all", "--format", "json"]);
    let told: Vec<Value> = again.expect(0).results();
    assert_eq!(told.last().unwrap()["documents"], 8, "{told:?}");
    signal(&daemon.child, Signal::TERM);
    let file = daemon.pipeline.clone();
    let (_folder, ran) = daemon.finish();
    ran.expect(3);

    let id = cluster.ask("SELECT id FROM standpoint.documents WHERE path = '3.txt'");
    let told = run(&["forget", "-c", &file, &id]).expect(0).stdout;
    assert!(told.contains("the store of sink `store`: its rows are deleted"), "{told}");
    assert_eq!(cluster.ask("SELECT count(*) FROM standpoint.documents"), "7");
    assert_eq!(cluster.ask("SELECT count(*) FROM standpoint.evidence"), "7");
}
