//! A daemon becomes another pipeline while it runs: nothing is lost, nothing is doubled.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::os::unix::net::UnixDatagram;
use std::process::{Child, Stdio};
use std::thread;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;

use crate::daemon::signal;
use crate::harness::{Folder, becomes_true, command, finish, pipeline, repository, run};

struct Station {
    folder: Folder,
    pipeline: String,
}

/// A pipeline with these stages, and these settings of its sink besides.
fn text(stages: &str, sink: &str) -> String {
    let sink = format!("results: {{ type: jsonl, path: ./out/results.jsonl{sink} }}");
    pipeline(stages, &sink, "")
}

impl Station {
    fn new() -> Self {
        let folder = Folder::new();
        let pipeline = folder.write("p.yaml", text("[tokenise]", ""));
        fs::create_dir(folder.at("inbox")).unwrap();
        Self { folder, pipeline }
    }

    /// Replaces the pipeline file at once, as careful editors do.
    fn becomes(&self, text: impl AsRef<[u8]>) {
        let draft = self.folder.write("p.yaml.draft", text);
        fs::rename(draft, &self.pipeline).unwrap();
    }

    fn drop_in(&self, name: &str) {
        let draft = self.folder.write("draft", format!("Report {name}. Kazakhstan met Russia."));
        fs::rename(draft, self.folder.at(&format!("inbox/{name}"))).unwrap();
    }

    fn status(&self) -> Value {
        let told = run(&["status", "-c", &self.pipeline, "--format", "json"]).expect(0);
        told.results().remove(0)
    }

    fn answers(&self) -> bool {
        run(&["status", "-c", &self.pipeline]).code == Some(0)
    }

    /// How often each file is in the results, those of rotated files among them, and which
    /// pipelines made them.
    fn results(&self) -> (BTreeMap<String, usize>, Vec<String>) {
        let (mut counts, mut makers) = (BTreeMap::new(), Vec::new());
        for name in self.folder.files("out", true) {
            let text = fs::read_to_string(self.folder.at(&format!("out/{name}"))).unwrap();
            for line in text.lines() {
                let result: Value = serde_json::from_str(line).unwrap();
                let path = result["source"]["path"].as_str().unwrap().to_owned();
                *counts.entry(path).or_insert(0) += 1;
                makers.push(result["provenance"]["pipeline"].as_str().unwrap().to_owned());
            }
        }
        makers.sort_unstable();
        makers.dedup();
        (counts, makers)
    }

    fn start(&self, arguments: &[&str]) -> Child {
        let mut all = vec!["daemon", "-c", &self.pipeline];
        all.extend(arguments);
        // The log of a long run must not fill a pipe that nobody reads.
        let log = fs::File::create(self.folder.at("log")).unwrap();
        let child = command(&all).stdout(Stdio::null()).stderr(log).spawn().unwrap();
        assert!(becomes_true(|| self.answers()), "{}", self.log());
        child
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.at("log")).unwrap()
    }

    /// Ends the daemon, which must have nothing to complain about.
    fn stop(&self, mut child: Child) {
        signal(&child, Signal::TERM);
        let status = crate::harness::wait(&mut child);
        let log = self.log();
        assert!(status.success() && !log.contains("panicked at"), "{status}: {log}");
    }
}

#[test]
fn reloads_under_load_lose_and_double_nothing() {
    const RELOADS: usize = 24;
    let station = Station::new();
    let child = station.start(&[]);
    let names: Vec<String> = thread::scope(|scope| {
        let (stop, stopped) = std::sync::mpsc::sync_channel::<()>(0);
        let station = &station;
        let feeder = scope.spawn(move || {
            let mut names = Vec::new();
            while stopped.try_recv() != Err(std::sync::mpsc::TryRecvError::Disconnected) {
                names.push(format!("{:05}.txt", names.len()));
                station.drop_in(&names[names.len() - 1]);
                thread::sleep(Duration::from_millis(3));
            }
            names
        });
        for round in 0..RELOADS {
            // By turns: another chain, another sink, another source, and one that is refused.
            let next = match round % 4 {
                0 => text("[tokenise, { use: tokenise, id: again }]", ""),
                1 => text("[tokenise]", ", rotate: { max_bytes: 64KiB }"),
                2 => text("[tokenise]", "").replace("settle: 1ms", "settle: 2ms"),
                _ => text("[tokenise]", "").replace("./out/results.jsonl", "/dev/null/results"),
            };
            station.becomes(next);
            let told = run(&["reload", "-c", &station.pipeline, "--wait"]);
            assert_eq!(told.code, Some(if round % 4 == 3 { 2 } else { 0 }), "{}", told.stderr);
        }
        drop(stop);
        feeder.join().unwrap()
    });
    let all_archived = || station.folder.files("archive", false).len() == names.len();
    assert!(becomes_true(all_archived), "{}", station.log());
    let status = station.status();
    assert_eq!(status["generation"], 1 + RELOADS as u64 * 3 / 4);
    assert_eq!(status["config_reload_failures"], RELOADS as u64 / 4);
    station.stop(child);
    let (counts, makers) = station.results();
    assert_eq!(counts.keys().collect::<Vec<_>>(), names.iter().collect::<Vec<_>>());
    assert!(counts.values().all(|&count| count == 1), "{counts:?}");
    assert!(makers.len() >= 3, "results do not say which pipeline made them: {makers:?}");
    assert_eq!(station.folder.files("inbox", true), [""; 0]);
    assert_eq!(station.folder.files("quarantine", false), [""; 0]);
}

#[test]
fn a_refused_reload_says_why_and_the_old_pipeline_goes_on() {
    let station = Station::new();
    let child = station.start(&[]);
    for (mistake, expected) in [
        (text("[tokenise, nobody]", ""), "nobody"),
        (text("[tokenise]", ", rotat: {}"), "rotat"),
        (text("[tokenise]", "").replace("./state", "./other"), "restart the daemon"),
        (text("[tokenise]", "").replace("results:", "others:"), "keep its name"),
        (String::new(), "empty"),
    ] {
        station.becomes(&mistake);
        let state = station.folder.at("state");
        let told = run(&["reload", "--data-dir", &state, "--wait"]).expect(2).stderr;
        assert!(told.contains("goes on as before") && told.contains(expected), "{told}");
        let told = run(&["status", "--data-dir", &state, "--format", "json"]).expect(0);
        let status = &told.results()[0];
        assert_eq!((&status["generation"], &status["ready"]), (&1.into(), &true.into()));
        let refused = &status["config_reload_failed"];
        assert_eq!(refused["generation"], 2);
        assert!(refused["reason"].as_str().unwrap().contains(expected), "{refused}");
    }
    station.drop_in("a.txt");
    assert!(becomes_true(|| station.folder.files("archive", false) == ["a.txt"]));
    assert!(station.log().contains("config_reload_failed"), "{}", station.log());

    // What is mended is taken, by a signal too.
    station.becomes(text("[tokenise, { use: tokenise, id: again }]", ""));
    signal(&child, Signal::HUP);
    assert!(becomes_true(|| station.status()["generation"] == 2));
    assert_eq!(station.status()["config_reload_failed"], Value::Null);
    assert_eq!(station.status()["stages"][1]["id"], "again");
    station.stop(child);
}

#[test]
fn with_watch_config_a_changed_file_is_enough() {
    let station = Station::new();
    let child = station.start(&["--watch-config"]);
    station.becomes(text("[tokenise, { use: tokenise, id: again }]", ""));
    assert!(becomes_true(|| station.status()["generation"] == 2), "{}", station.log());
    // One that is refused is tried once.
    station.becomes(text("[nobody]", ""));
    let state = station.folder.at("state");
    let failures = || {
        let told = run(&["status", "--data-dir", &state, "--format", "json"]).expect(0);
        told.results()[0]["config_reload_failures"].clone()
    };
    assert!(becomes_true(|| failures() == 1), "{}", station.log());
    station.becomes(text("[tokenise]", ""));
    assert!(becomes_true(|| station.status()["generation"] == 3), "{}", station.log());
    assert_eq!(failures(), 1);
    station.stop(child);
}

#[test]
fn documents_that_wait_for_a_dead_server_go_on_by_a_reload() {
    let station = Station::new();
    // Nobody listens there: the port was free a moment ago.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let with_webhook = |url: &str| {
        text("[tokenise]", "").replace(
            "quarantine:",
            &format!("  web: {{ type: webhook, url: 'http://{url}/' }}\nquarantine:"),
        )
    };
    station.becomes(with_webhook(&address.to_string()));
    let child = station.start(&[]);
    for number in 0..5 {
        station.drop_in(&format!("{number}.txt"));
    }
    assert!(becomes_true(|| station.status()["sinks"][1]["paused_by"].is_string()));
    let status = station.status();
    assert_eq!(status["reasons"][0], "sink `web` waits to try again", "{status}");
    assert_eq!(station.folder.files("archive", false), [""; 0]);

    let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = server.local_addr().unwrap();
    let taken = thread::spawn(move || {
        // One connection, request after request.
        let (mut stream, _) = server.accept().unwrap();
        let (mut seen, mut buffer, mut answered) = (Vec::new(), [0; 4096], 0);
        while answered < 5 {
            let count = stream.read(&mut buffer).unwrap();
            assert!(count > 0, "the daemon hung up after {answered}");
            seen.extend_from_slice(&buffer[..count]);
            // A result is one line, and nothing else in a request ends with a brace.
            while seen.windows(2).filter(|two| two == b"}\n").count() > answered {
                let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
                std::io::Write::write_all(&mut stream, answer).unwrap();
                answered += 1;
            }
        }
        String::from_utf8(seen).unwrap().matches("idempotency-key: ").count()
    });
    station.becomes(with_webhook(&address.to_string()));
    run(&["reload", "-c", &station.pipeline, "--wait"]).expect(0);
    assert!(
        becomes_true(|| station.folder.files("archive", false).len() == 5),
        "{}",
        station.log()
    );
    assert_eq!(taken.join().unwrap(), 5);
    assert_eq!(station.status()["ready"], true);
    station.stop(child);
    assert!(station.results().0.values().all(|&count| count == 1));
}

#[test]
fn a_service_manager_hears_of_everything() {
    let station = Station::new();
    let socket = UnixDatagram::bind(station.folder.at("notify")).unwrap();
    socket.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
    let hear = |wanted: &str| {
        let mut buffer = [0; 4096];
        // Something is told each second, so waiting has to end by itself.
        for _ in 0..600 {
            let count = socket.recv(&mut buffer).expect(wanted);
            if String::from_utf8_lossy(&buffer[..count]).contains(wanted) {
                return;
            }
        }
        panic!("{wanted} is not told");
    };
    let child = command(&["daemon", "-c", &station.pipeline])
        .env("NOTIFY_SOCKET", station.folder.at("notify"))
        .env("WATCHDOG_USEC", "200000")
        .spawn()
        .unwrap();
    hear("READY=1");
    hear("WATCHDOG=1\nSTATUS=0 documents done");
    signal(&child, Signal::HUP);
    hear("RELOADING=1");
    hear("READY=1");
    station.drop_in("a.txt");
    hear("STATUS=1 document done");
    signal(&child, Signal::TERM);
    hear("STOPPING=1");
    finish(child).expect(0);
}

#[test]
fn top_and_tap_show_what_passes() {
    let station = Station::new();
    let child = station.start(&[]);
    let tap = |arguments: &[&str]| {
        let mut all = vec!["tap", "-c", &station.pipeline, "-n", "1"];
        all.extend(arguments);
        command(&all).spawn().unwrap()
    };
    let (end, stage) = (tap(&[]), tap(&["--stage", "tokenise"]));
    // Whoever looks sees what passes from then on.
    let mut number = 0;
    let mut taps = vec![end, stage];
    assert!(becomes_true(|| {
        number += 1;
        station.drop_in(&format!("{number}.txt"));
        thread::sleep(Duration::from_millis(50));
        taps.iter_mut().all(|tap| tap.try_wait().unwrap().is_some())
    }));
    for tap in taps {
        let told = finish(tap).expect(0);
        assert_eq!(told.results().len(), 1, "{}", told.stdout);
        assert_eq!(told.results()[0]["source"]["name"], "news");
    }
    let refused = run(&["tap", "-c", &station.pipeline, "--stage", "nobody"]).expect(2);
    assert!(refused.stderr.contains("there is no stage `nobody`: tokenise"), "{}", refused.stderr);

    let told = run(&["top", "-c", &station.pipeline, "-n", "2", "--every", "100ms"]).expect(0);
    assert_eq!(told.stdout.matches("per second").count(), 2 * 4, "{}", told.stdout);
    station.stop(child);
}

/// Builds a plugin in C that says that it is of this version.
fn build(version: u32, library: &str) {
    let manifest = format!(
        r#"{{"abi":{{"major":1,"minor":0,"host_minor_required":0}},"name":"bad","version":"0.0.{version}","reads":[],"writes":["tokens","a","entities","sentiment","stance","language"]}}"#
    );
    let output = std::process::Command::new(std::env::var_os("CC").unwrap_or_else(|| "cc".into()))
        .args(["-std=c11", "-fPIC", "-shared", "-o", library])
        .arg(format!("-DJSON={manifest:?}"))
        .arg("-I")
        .arg(repository("crates/standpoint-abi/include"))
        .arg(repository("crates/standpoint-abi/tests/c/bad.c"))
        .output()
        .expect("a C compiler, as `cc` or in $CC");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_new_build_of_a_plugin_is_taken_over() {
    const BUILDS: u32 = 9;
    let station = Station::new();
    build(0, &station.folder.at("libbad.so"));
    station.becomes(text("[tokenise, ./libbad.so]", ""));
    let child = station.start(&[]);
    for version in 0..BUILDS {
        if version > 0 {
            build(version, &station.folder.at("draft.so"));
            fs::rename(station.folder.at("draft.so"), station.folder.at("libbad.so")).unwrap();
            run(&["reload", "-c", &station.pipeline, "--wait"]).expect(0);
        }
        station.drop_in(&format!("{version}.txt"));
        let archived = || station.folder.files("archive", false).len() == version as usize + 1;
        assert!(becomes_true(archived), "{}", station.log());
    }
    station.stop(child);
    let results = fs::read_to_string(station.folder.at("out/results.jsonl")).unwrap();
    let versions: Vec<String> = results
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .map(|result| result["provenance"]["stages"][1]["version"].as_str().unwrap().to_owned())
        .collect();
    let expected: Vec<String> = (0..BUILDS).map(|version| format!("0.0.{version}")).collect();
    assert_eq!(versions, expected);
    assert!(station.log().contains("old builds stay in memory"), "{}", station.log());
}

#[test]
fn traces_go_to_a_collector_without_a_word_of_a_document() {
    let station = Station::new();
    let collector = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = collector.local_addr().unwrap();
    let child = command(&["daemon", "-c", &station.pipeline])
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{address}/"))
        .spawn()
        .unwrap();
    let heard = thread::spawn(move || {
        let (mut stream, _) = collector.accept().unwrap();
        let (mut heard, mut buffer) = (Vec::new(), [0; 4096]);
        // The message is one JSON object, and ends as none of its parts does.
        while !heard.ends_with(b"]}]}]}") {
            let count = stream.read(&mut buffer).unwrap();
            assert!(count > 0, "{}", String::from_utf8_lossy(&heard));
            heard.extend_from_slice(&buffer[..count]);
        }
        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";
        std::io::Write::write_all(&mut stream, answer).unwrap();
        String::from_utf8(heard).unwrap()
    });
    let mut number = 0;
    assert!(becomes_true(|| {
        number += 1;
        station.drop_in(&format!("{number}.txt"));
        thread::sleep(Duration::from_millis(50));
        heard.is_finished()
    }));
    let heard = heard.join().unwrap();
    assert!(heard.starts_with("POST /v1/traces HTTP/1.1\r\n"), "{heard}");
    for expected in ["\"name\":\"document\"", "\"name\":\"tokenise\"", "\"news\""] {
        assert!(heard.contains(expected), "{expected}: {heard}");
    }
    assert!(!heard.contains("Kazakhstan"), "{heard}");
    signal(&child, Signal::TERM);
    finish(child).expect(0);
}

/// Builds the stage `swap`, which says of each document which build it was, and moves it into
/// place.
fn build_swap(station: &Station, build: usize) {
    let source = station.folder.write(
        "swap.c",
        r#"#include "standpoint.h"
#include <stdio.h>
SP_MANIFEST("{\"abi\":{\"major\":1,\"minor\":0},\"name\":\"swap\",\"version\":\"1.0." BUILD
            "\",\"reads\":[],\"writes\":[\"build\"]}");
static const sp_host *host;
static int32_t create(const sp_host *h, sp_call *c, const sp_start *s, sp_instance **i) {
    (void)c, (void)s, (void)i;
    host = h;
    return SP_OK;
}
static int32_t destroy(sp_instance *i) { (void)i; return SP_OK; }
static int32_t process(sp_instance *i, sp_call *call, const sp_document *d, const sp_context *c,
                       const sp_waker *w, sp_future **f) {
    (void)i, (void)d, (void)c, (void)w, (void)f;
    return host->set_attribute(call, SP_STR("build"), SP_STR(BUILD));
}
const sp_plugin standpoint_plugin_v1 = {
    .size = sizeof(sp_plugin), .abi_major = SP_ABI_MAJOR, .abi_minor = SP_ABI_MINOR,
    .manifest = SP_MANIFEST_TEXT, .create = create, .destroy = destroy, .process = process,
};
"#,
    );
    let draft = station.folder.at("libswap.so.draft");
    let output = std::process::Command::new(std::env::var_os("CC").unwrap_or_else(|| "cc".into()))
        .args(["-std=c11", "-fPIC", "-shared", "-fvisibility=hidden", "-o", &draft, "-I"])
        .arg(repository("crates/standpoint-abi/include"))
        .arg(format!("-DBUILD=\"{build}\""))
        .arg(&source)
        .output()
        .expect("a C compiler, as `cc` or in $CC");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    fs::rename(draft, station.folder.at("libswap.so")).unwrap();
}

#[test]
fn a_new_build_of_a_plugin_is_taken_over_and_the_old_ones_stay_mapped() {
    /// One more than stay in memory without a word.
    const BUILDS: usize = 9;
    let station = Station::new();
    build_swap(&station, 1);
    station.becomes(text("[{ use: ./libswap.so, id: swap }]", ""));
    let child = station.start(&[]);
    let (mut names, warning) = (Vec::new(), "old builds stay in memory");
    let mapped = || {
        let maps = fs::read_to_string(format!("/proc/{}/maps", child.id())).unwrap();
        let plugins = maps.lines().filter_map(|line| line.split(' ').next_back());
        let private = plugins.filter(|path| path.contains("/state/") && path.contains(".so"));
        private.map(str::to_owned).collect::<std::collections::BTreeSet<_>>().len()
    };
    for build in 1..=BUILDS {
        // While documents of the build before are under way.
        for number in 0..20 {
            names.push(format!("{build}-{number:02}.txt"));
            station.drop_in(&names[names.len() - 1]);
        }
        if build < BUILDS {
            build_swap(&station, build + 1);
            run(&["reload", "-c", &station.pipeline, "--wait"]).expect(0);
            assert_eq!(mapped(), build + 1, "the old build is left where it is");
            // After the eighth reload, and not before; the log is written beside what is done.
            let is_told = || station.log().contains(warning);
            let is_as_expected =
                if build + 1 == BUILDS { becomes_true(is_told) } else { !is_told() };
            assert!(is_as_expected, "{}", station.log());
        }
    }
    let all_archived = || station.folder.files("archive", false).len() == names.len();
    assert!(becomes_true(all_archived), "{}", station.log());
    station.stop(child);
    let (counts, _) = station.results();
    names.sort_unstable();
    assert_eq!(counts.keys().collect::<Vec<_>>(), names.iter().collect::<Vec<_>>());
    assert!(counts.values().all(|&count| count == 1), "{counts:?}");
    // What was dropped in after a reload was read by its build, or by a later one.
    let mut builds = std::collections::BTreeSet::new();
    for line in fs::read_to_string(station.folder.at("out/results.jsonl")).unwrap().lines() {
        let result: Value = serde_json::from_str(line).unwrap();
        let path = result["source"]["path"].as_str().unwrap().to_owned();
        let dropped: u64 = path.split('-').next().unwrap().parse().unwrap();
        let build = result["attributes"]["build"].as_u64().unwrap();
        assert!(build >= dropped, "{path} was read by build {build}");
        assert_eq!(result["provenance"]["stages"][0]["version"], format!("1.0.{build}"));
        builds.insert(build);
    }
    assert!(builds.len() > 2 && builds.contains(&(BUILDS as u64)), "{builds:?}");
}
