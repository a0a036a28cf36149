//! A daemon tells people when a stance moves: a line in a file, a request to an address.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::daemon::signal;
use crate::harness::becomes_true;
use crate::server::Served;

/// Reads a request and answers it; gives its head and what it says.
fn answer(stream: TcpStream, with: &str) -> (String, Value) {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert_ne!(reader.read_line(&mut head).unwrap(), 0, "{head}");
    }
    let head = head.to_lowercase();
    let length = head.split("content-length: ").nth(1).unwrap().split("\r\n").next().unwrap();
    let mut body = vec![0; length.parse().unwrap()];
    reader.read_exact(&mut body).unwrap();
    let reply = format!("HTTP/1.1 {with}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    reader.into_inner().write_all(reply.as_bytes()).unwrap();
    (head, serde_json::from_slice(&body).unwrap())
}

/// Records of four months, in the last of which Kazakhstan turns away.
fn turning_away() -> String {
    let record = |number: u32| {
        let (month, day) = (number / 5 + 1, number % 5 * 4 + 10);
        let says = if month < 4 { "praised" } else { "condemned" };
        let record = json!({
            "id": number, "published": format!("2024-{month:02}-{day}"),
            "text": format!("Kazakhstan {says} Russia."),
        });
        format!("{record}\n")
    };
    (0..20).map(record).collect()
}

#[test]
fn who_moved_is_told_in_the_file_and_at_the_address_once() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let alerts = format!(
        ", alerts: {{ file: ./out/shifts.jsonl, webhook: \"http://{address}/shifts\", \
         token_file: ./token, window_days: 28, every: 50ms }}"
    );
    let daemon = Served::start(&alerts, "  store: { type: sqlite, path: ./out/store.db }\n");
    // Busy at first.
    let asked = thread::spawn(move || {
        ["503 Busy\r\nretry-after: 0", "204 No Content"].map(|with| {
            let (stream, _) = listener.accept().unwrap();
            answer(stream, with)
        })
    });
    daemon.drop_in("articles.jsonl", &turning_away());
    let [(first_head, first), (head, told)] = asked.join().unwrap();
    assert!(head.starts_with("post /shifts http/1.1\r\n"), "{head}");
    assert!(head.contains("authorization: bearer a-token-of-this-test"), "{head}");
    let key = |head: &str| {
        head.lines().find(|line| line.starts_with("idempotency-key")).map(str::to_owned)
    };
    assert_eq!((&first, key(&first_head)), (&told, key(&head)), "the same is sent again");
    assert_eq!((&told["who"], &told["target"]), (&json!("KAZ"), &json!("RUS")));
    assert!(told["before"].as_f64() > Some(0.0) && told["now"].as_f64() < Some(0.0), "{told}");
    // The page and programs are told the same.
    let token = fs::read_to_string(daemon.folder.at("state/server.token")).unwrap();
    let shown = |path: &str| {
        daemon.ask(&format!(
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\n\r\n",
            token.trim()
        ))
    };
    let (_, page) = shown("/shifts");
    assert!(page.contains("from 2024-03-30 to 2024-04-26 (28 days)"), "{page}");
    assert!(shown("/api/v1/shifts").1.contains("\"from\":\"2024-03-30\",\"to\":\"2024-04-26\""));
    let state = daemon.folder.at("state/alerts.json");
    let is_kept = || fs::read_to_string(&state).is_ok_and(|text| text.contains("\"told\":{\"RUS"));
    assert!(becomes_true(is_kept));
    signal(&daemon.child, Signal::TERM);
    let (folder, _) = daemon.finish();
    let lines = fs::read_to_string(folder.at("out/shifts.jsonl")).unwrap();
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines, [told]);
}
