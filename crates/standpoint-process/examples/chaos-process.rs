//! A program for the tests, which does to its host what the first word of a document says.
//!
//! It speaks the protocol by itself, because `serve` would keep it from most of this.

#![allow(clippy::unwrap_used, clippy::panic, reason = "it is meant to go wrong")]
#![allow(clippy::print_stderr, reason = "to be found in the host's log")]

use std::io::{self, Write};
use std::process::{Command, Stdio, exit};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Signal, getpid, kill_process};
use rustix::stdio::stdin;
use serde_json::{Value, json};
use standpoint_process::protocol::{Failure, Frames, Kind, Log, join, split, write_frame};
use standpoint_stage::document::{Annotation, Span};
use standpoint_stage::{StageError, StageErrorKind};
use standpoint_wire::{read_document, write_reply};

fn main() {
    let mode = std::env::args().nth(1).unwrap_or_default();
    match mode.as_str() {
        "silent" => loop {
            std::thread::park();
        },
        "prints" => say(b"Loading model...\n"),
        "dies" => {
            eprintln!("no model here");
            exit(7);
        }
        _ => {}
    }
    let mut input = Frames::new(io::stdin().lock());
    while let Some((kind, request, payload)) = input.read().unwrap() {
        let payload = payload.to_vec();
        match kind {
            Kind::Hello => {
                let hello = json!({
                    "protocol": if mode == "newer" { 9 } else { 1 },
                    "form": if mode == "json" { "json" } else { "packed" },
                    "batch": true,
                    "manifest": {
                        "name": if mode == "nameless" { "No Name" } else { "chaos" },
                        "version": "1.0.0",
                        "reads": ["tokens"],
                        "writes": ["marks", "said"],
                    },
                });
                answer(Kind::Hello, request, hello.to_string().as_bytes());
            }
            Kind::Start if mode == "refuses" => {
                fail(request, StageErrorKind::Document, "settings of `chaos`: no such thing");
            }
            Kind::Start => {
                answer(Kind::Result, request, &[]);
                if mode == "hasty" {
                    // As soon as the document has begun to come, of which nothing is read.
                    let begun = PollFd::from_borrowed_fd(stdin(), PollFlags::IN);
                    poll(&mut [begun], None).unwrap();
                    answer(Kind::Result, request + 1, &[]);
                }
            }
            Kind::Document if mode == "json" => simple(request, &payload),
            Kind::Document => match behave(request, &payload, &mut input) {
                Some(Ok(reply)) => answer(Kind::Result, request, &reply),
                Some(Err(error)) => fail(request, error.kind(), error.message()),
                None => {}
            },
            Kind::Batch => {
                let replies: Vec<Vec<u8>> = split(&payload, false)
                    .unwrap()
                    .into_iter()
                    .filter_map(|(_, document)| behave(request, document, &mut input)?.ok())
                    .collect();
                let replies = replies.iter().map(|reply| (Some(0), reply.as_slice()));
                answer(Kind::BatchResult, request, &join(replies));
            }
            Kind::Shutdown => {
                if mode == "stays" {
                    loop {
                        std::thread::park();
                    }
                }
                return;
            }
            _ => {}
        }
    }
}

/// The reply to a document; `None` where it is told already.
fn behave(
    request: u32,
    payload: &[u8],
    input: &mut Frames<impl io::Read>,
) -> Option<Result<Vec<u8>, StageError>> {
    let (mut document, attempt) = read_document(payload).unwrap();
    let text = document.text().to_owned();
    let said = match text.split([' ', '.']).next().unwrap_or_default() {
        "panic" => panic!("asked to panic"),
        "exit" => {
            eprintln!("out of luck");
            exit(3);
        }
        "once" if attempt == 1 => exit(4),
        "segfault" => {
            // Twice, because the first is taken for a full stack and not repeated by itself.
            loop {
                let _ = kill_process(getpid(), Signal::SEGV);
            }
        }
        "abort" => std::process::abort(),
        "loop" => loop {
            std::hint::spin_loop();
        },
        "hog" => {
            let mut hog: Vec<Vec<u8>> = Vec::new();
            loop {
                hog.push(vec![1; 8 << 20]);
            }
        }
        "wait" => {
            // Until it is cancelled, as a stage that looks for it does.
            let (kind, of, _) = input.read().unwrap().unwrap();
            assert_eq!((kind, of), (Kind::Cancel, request));
            return Some(Err(StageError::cancelled()));
        }
        "print" => {
            say(b"Loading model...\n");
            return Some(Ok(Vec::new()));
        }
        "huge" => {
            say(&[255, 255, 255, 255, 5, 0, 0, 0, 0]);
            return None;
        }
        "unasked" => {
            answer(Kind::Result, request + 5, &[]);
            return None;
        }
        "half" => {
            say(&[9, 0, 0, 0, 5, 0]);
            exit(0);
        }
        "lie" => {
            document.set_layer("marks", Vec::new()).unwrap();
            let beyond = vec![Annotation::new(Span::new(1, 9999))];
            document.lend_layer("marks", beyond.into());
            return Some(write_reply(&document));
        }
        "foreign" => {
            document.set_attribute("tokens-of-others", Value::Null);
            return Some(write_reply(&document));
        }
        "document" => return Some(Err(StageError::document("it cannot be read"))),
        "environment" => json!(std::env::vars().collect::<Vec<_>>()),
        "files" => json!(std::fs::read_dir("/proc/self/fd").unwrap().count()),
        "limits" => json!(std::fs::read_to_string("/proc/self/limits").unwrap()),
        "status" => json!(std::fs::read_to_string("/proc/self/status").unwrap()),
        "family" => {
            // A child that would stay for long, with pipes of its own.
            let mut sleep = Command::new("sleep");
            sleep.arg("1000").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            json!(sleep.spawn().unwrap().id())
        }
        "log" => {
            let log = Log { level: "warn".into(), message: "by frame".into(), target: "x".into() };
            answer(Kind::Log, 0, &serde_json::to_vec(&log).unwrap());
            eprintln!("by stderr");
            json!("logged")
        }
        _ => json!(std::process::id()),
    };
    document.set_attribute("said", said);
    let first = document.tokens().first().copied();
    document.set_layer("marks", Vec::from_iter(first)).unwrap();
    Some(write_reply(&document))
}

/// What a script of twenty lines does: marks every `й`.
fn simple(request: u32, payload: &[u8]) {
    let document: Value = serde_json::from_slice(payload).unwrap();
    let text = document["text"].as_str().unwrap();
    let marks: Vec<Value> = text
        .chars()
        .enumerate()
        .filter(|(_, letter)| *letter == 'й')
        .map(|(at, _)| json!({"start": at, "end": at + 1, "label": "short-i", "score": 0.5}))
        .collect();
    let tokens = document["layers"]["tokens"].clone();
    let reply = json!({"layers": {"marks": marks}, "attributes": {"said": tokens}});
    answer(Kind::Result, request, reply.to_string().as_bytes());
}

fn answer(kind: Kind, request: u32, payload: &[u8]) {
    write_frame(&mut io::stdout().lock(), kind, request, payload).unwrap();
}

fn fail(request: u32, kind: StageErrorKind, message: &str) {
    let failure = Failure { kind, message: message.to_owned() };
    answer(Kind::Error, request, &serde_json::to_vec(&failure).unwrap());
}

/// Writes what is no frame.
fn say(bytes: &[u8]) {
    let mut out = io::stdout().lock();
    out.write_all(bytes).unwrap();
    out.flush().unwrap();
}
