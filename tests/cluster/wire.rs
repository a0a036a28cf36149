//! As much of NATS as a test needs: requests and their answers, in a hundred lines of its text
//! protocol, so that what the program says is heard by somebody else's ears.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};

/// A connection.
pub(crate) struct Wire {
    reader: BufReader<TcpStream>,
    writer: TcpStream,
    requests: u32,
}

impl Wire {
    /// Connects; `None` when nobody answers.
    pub(crate) fn connect(port: u16, login: &Value) -> Option<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let mut wire =
            Self { reader: BufReader::new(stream.try_clone().ok()?), writer: stream, requests: 0 };
        // INFO comes first.
        wire.line()?;
        let mut options = json!({ "verbose": false, "pedantic": false, "headers": true });
        for (key, value) in login.as_object().unwrap() {
            options[key] = value.clone();
        }
        wire.send(format!("CONNECT {options}\r\nSUB answers.> 1\r\nPING\r\n").as_bytes())?;
        loop {
            match wire.line()?.as_str() {
                "PONG" => return Some(wire),
                line if line.starts_with("-ERR") => return None,
                _ => {}
            }
        }
    }

    /// Asks, and gives the answer's payload; `None` when there is none.
    pub(crate) fn request(&mut self, subject: &str, payload: &[u8]) -> Option<Vec<u8>> {
        let answers = self.answers();
        let head = format!("PUB {subject} {answers} {}\r\n", payload.len());
        self.send(&[head.as_bytes(), payload, b"\r\n"].concat())?;
        self.answer(&answers)
    }

    /// The same with headers.
    pub(crate) fn request_with(
        &mut self,
        subject: &str,
        headers: &[(&str, &str)],
        payload: &[u8],
    ) -> Option<Vec<u8>> {
        let answers = self.answers();
        let lines = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n"));
        let headers = format!("NATS/1.0\r\n{}\r\n", lines.collect::<String>());
        let (head, all) = (headers.len(), headers.len() + payload.len());
        let first = format!("HPUB {subject} {answers} {head} {all}\r\n");
        self.send(&[first.as_bytes(), headers.as_bytes(), payload, b"\r\n"].concat())?;
        self.answer(&answers)
    }

    /// Where the next answer comes.
    fn answers(&mut self) -> String {
        self.requests += 1;
        format!("answers.{}", self.requests)
    }

    fn answer(&mut self, answers: &str) -> Option<Vec<u8>> {
        loop {
            let line = self.line()?;
            let words: Vec<&str> = line.split_whitespace().collect();
            match words.as_slice() {
                ["PING"] => self.send(b"PONG\r\n")?,
                ["MSG", subject, _, length] => {
                    let body = self.body(length.parse().unwrap())?;
                    if *subject == answers {
                        return Some(body);
                    }
                }
                ["HMSG", subject, _, head, length] => {
                    let head: usize = head.parse().unwrap();
                    let body = self.body(length.parse().unwrap())?;
                    if *subject == answers {
                        return Some(body[head..].to_vec());
                    }
                }
                _ => {}
            }
        }
    }

    /// Asks `JetStream`, and gives its answer.
    pub(crate) fn ask(&mut self, what: &str, request: &Value) -> Option<Value> {
        let body = if request.is_null() { String::new() } else { request.to_string() };
        let answer = self.request(&format!("$JS.API.{what}"), body.as_bytes())?;
        serde_json::from_slice(&answer).ok()
    }

    fn body(&mut self, length: usize) -> Option<Vec<u8>> {
        let mut body = vec![0; length + 2];
        self.reader.read_exact(&mut body).ok()?;
        body.truncate(length);
        Some(body)
    }

    fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        if self.reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        Some(line.trim_end().to_owned())
    }

    fn send(&mut self, bytes: &[u8]) -> Option<()> {
        self.writer.write_all(bytes).ok()
    }
}
