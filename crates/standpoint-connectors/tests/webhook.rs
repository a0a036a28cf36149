//! A webhook against a real HTTP server on this machine, which fails, stalls, refuses and goes.
#![expect(clippy::unwrap_used, reason = "a test stops where it fails")]

use std::collections::HashMap;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use standpoint_connectors::jsonl::Maker;
use standpoint_connectors::webhook::{WebhookSettings, WebhookSink};
use standpoint_document::Document;
use standpoint_engine::{Sink, SinkError};
use tokio::net::TcpListener;
use tokio::time::Instant;

/// One request as the server saw it.
#[derive(Debug, Clone)]
struct Seen {
    key: String,
    kind: String,
    token: Option<String>,
    ids: Vec<String>,
}

/// What the server answers to a request that holds these ids, at its so-many-th request.
type Rule = Arc<dyn Fn(usize, &[String]) -> Reply + Send + Sync>;

#[derive(Debug, Clone, Copy)]
enum Reply {
    Status(u16),
    /// 503 with `Retry-After` in seconds.
    Later(u64),
    /// None at all.
    Never,
    /// Takes the request and breaks off.
    HangUp,
    Redirect,
}

struct Server {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    connections: Arc<Mutex<usize>>,
}

impl Server {
    async fn start(rule: impl Fn(usize, &[String]) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (seen, connections) = (Arc::default(), Arc::default());
        let rule: Rule = Arc::new(rule);
        let (log, count): (Arc<Mutex<Vec<Seen>>>, Arc<Mutex<usize>>) =
            (Arc::clone(&seen), Arc::clone(&connections));
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                *count.lock().unwrap() += 1;
                let (rule, log) = (Arc::clone(&rule), Arc::clone(&log));
                tokio::spawn(async move {
                    let service = service_fn(move |request| {
                        answer(request, Arc::clone(&rule), Arc::clone(&log))
                    });
                    let _ =
                        http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        Self { address, seen, connections }
    }

    fn sink(&self, max_documents: usize, timeout: Duration) -> WebhookSink {
        let settings = WebhookSettings {
            url: format!("http://{}/results?a=b", self.address),
            token_file: None,
            ca_file: None,
            max_documents: NonZeroUsize::new(max_documents).unwrap(),
            timeout,
        };
        WebhookSink::open(&settings, maker()).unwrap()
    }

    fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

fn maker() -> Maker {
    Maker { pipeline: "p@1".into(), version: "0.1.0".into() }
}

async fn answer(
    request: Request<Incoming>,
    rule: Rule,
    log: Arc<Mutex<Vec<Seen>>>,
) -> Result<Response<Full<Bytes>>, Box<dyn std::error::Error + Send + Sync>> {
    assert_eq!(
        (request.method().as_str(), request.uri().to_string().as_str()),
        ("POST", "/results?a=b")
    );
    let header =
        |name: &str| request.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
    let (key, kind) = (header("idempotency-key").unwrap(), header("content-type").unwrap());
    let token = header("authorization");
    let body = request.into_body().collect().await?.to_bytes();
    let ids: Vec<String> = body
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| {
            serde_json::from_slice::<Value>(line).unwrap()["id"].as_str().unwrap().to_owned()
        })
        .collect();
    let number = {
        let mut log = log.lock().unwrap();
        log.push(Seen { key, kind, token, ids: ids.clone() });
        log.len()
    };
    let mut response = Response::new(Full::new(Bytes::from("{\"error\":\"no\r\nsuch thing\"}")));
    match rule(number, &ids) {
        Reply::Status(status) => *response.status_mut() = status.try_into()?,
        Reply::Later(seconds) => {
            *response.status_mut() = 503.try_into()?;
            response.headers_mut().insert("retry-after", seconds.into());
        }
        Reply::Never => std::future::pending().await,
        Reply::HangUp => return Err("hangs up".into()),
        Reply::Redirect => {
            *response.status_mut() = 307.try_into()?;
            response.headers_mut().insert("location", "http://evil.example/".parse()?);
        }
    }
    Ok(response)
}

fn group(ids: &[&str]) -> Vec<Arc<Document<'static>>> {
    ids.iter().map(|id| Arc::new(Document::new((*id).to_owned(), "x").unwrap())).collect()
}

const LONG: Duration = Duration::from_secs(20);

/// Writes as the engine does: again and again until it works.
async fn write(sink: &mut WebhookSink, ids: &[&str]) -> (Vec<Result<(), String>>, Vec<String>) {
    let documents = group(ids);
    let mut errors = Vec::new();
    loop {
        match sink.write(&documents).await {
            Ok(answers) => return (answers, errors),
            Err(error @ SinkError::Transient { .. }) => errors.push(error.to_string()),
            Err(error) => unreachable!("{error}"),
        }
        assert!(errors.len() < 50, "{errors:?}");
    }
}

#[tokio::test]
async fn each_document_is_sent_once_with_its_id_as_key_over_one_connection() {
    let server = Server::start(|_, _| Reply::Status(204)).await;
    let mut sink = server.sink(1, LONG);
    for ids in [&["a", "b"][..], &["c"]] {
        assert_eq!(write(&mut sink, ids).await, (vec![Ok(()); ids.len()], Vec::new()));
    }
    let seen = server.seen();
    let told: Vec<_> = seen.iter().map(|one| (&*one.key, one.ids.concat())).collect();
    assert_eq!(told, [("a", "a".to_owned()), ("b", "b".to_owned()), ("c", "c".to_owned())]);
    assert!(seen.iter().all(|one| one.kind == "application/json" && one.token.is_none()));
    assert_eq!(*server.connections.lock().unwrap(), 1);
}

#[tokio::test]
async fn one_bad_record_is_refused_and_its_batch_is_not() {
    let bad = |ids: &[String]| ids.iter().any(|id| id == "bad");
    let server = Server::start(move |_, ids| Reply::Status(if bad(ids) { 422 } else { 200 })).await;
    let mut sink = server.sink(100, LONG);
    let ids = ["a", "b", "c", "bad", "d", "e", "f"];
    let (answers, errors) = write(&mut sink, &ids).await;
    assert!(errors.is_empty(), "{errors:?}");
    for (id, answer) in ids.iter().zip(answers) {
        assert_eq!(answer.is_err(), *id == "bad", "{id}: {answer:?}");
        if let Err(reason) = answer {
            let expected = "answered 422 Unprocessable Entity: {\"error\":\"no such thing\"}";
            assert!(reason.ends_with(expected), "{reason}");
        }
    }
    let mut taken: HashMap<String, usize> = HashMap::new();
    for seen in server.seen().iter().filter(|seen| !bad(&seen.ids)) {
        assert_eq!(seen.kind, "application/x-ndjson");
        seen.ids.iter().for_each(|id| *taken.entry(id.clone()).or_default() += 1);
    }
    assert_eq!(taken.len(), 6);
    assert!(taken.values().all(|count| *count == 1), "sent again: {taken:?}");
}

#[tokio::test]
async fn what_is_no_fault_of_a_document_is_waited_out_and_answered_ones_are_not_sent_again() {
    // The third request and a few after it fail, each in another way.
    let failures = [401, 403, 404, 408, 409, 429, 500, 502, 503];
    let server = Server::start(move |number, _| match number {
        3..=11 => Reply::Status(failures[number - 3]),
        12 => Reply::HangUp,
        13 => Reply::Redirect,
        _ => Reply::Status(200),
    })
    .await;
    let mut sink = server.sink(1, LONG);
    let (answers, errors) = write(&mut sink, &["a", "b", "c", "d"]).await;
    assert_eq!(answers, vec![Ok(()); 4]);
    for (status, error) in failures.iter().zip(&errors) {
        assert!(error.contains(&format!("answered {status} ")), "{error}");
    }
    let sent: Vec<_> = server.seen().iter().map(|seen| seen.ids.concat()).collect();
    assert_eq!(sent[..2], ["a", "b"]);
    assert!(sent[2..sent.len() - 1].iter().all(|id| id == "c"), "{sent:?}");
    assert!(errors.iter().any(|error| error.contains("answered 307 ")), "{errors:?}");
}

#[tokio::test]
async fn a_server_that_stalls_is_given_up_after_the_timeout() {
    let server = Server::start(|number, _| match number {
        1 => Reply::Never,
        _ => Reply::Status(200),
    })
    .await;
    let mut sink = server.sink(1, Duration::from_millis(200));
    let started = Instant::now();
    let (answers, errors) = write(&mut sink, &["a"]).await;
    assert_eq!((answers, errors.len()), (vec![Ok(())], 1));
    assert!(errors[0].contains("did not answer within 200ms"), "{errors:?}");
    assert!(started.elapsed() < LONG / 2);
    assert_eq!(*server.connections.lock().unwrap(), 2, "the stalled connection is not used again");
}

#[tokio::test]
async fn retry_after_is_kept() {
    let server = Server::start(|number, _| match number {
        1 => Reply::Later(1),
        _ => Reply::Status(200),
    })
    .await;
    let mut sink = server.sink(1, LONG);
    let started = Instant::now();
    let (answers, errors) = write(&mut sink, &["a"]).await;
    assert_eq!((answers, errors.len()), (vec![Ok(())], 1));
    assert!(started.elapsed() >= Duration::from_millis(900), "{:?}", started.elapsed());
}

#[tokio::test]
async fn nobody_at_the_address_is_waited_for() {
    // A port that was free a moment ago.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let settings = WebhookSettings {
        url: format!("http://{address}/"),
        token_file: None,
        ca_file: None,
        max_documents: NonZeroUsize::MIN,
        timeout: LONG,
    };
    let mut sink = WebhookSink::open(&settings, maker()).unwrap();
    let error = sink.write(&group(&["a"])).await.unwrap_err();
    assert!(matches!(&error, SinkError::Transient { .. }), "{error}");
    assert!(error.to_string().starts_with("cannot reach 127.0.0.1:"), "{error}");
}

#[tokio::test]
async fn a_token_is_sent_and_read_again_when_it_was_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    std::fs::write(&path, "old\n").unwrap();
    let server =
        Server::start(|number, _| Reply::Status(if number == 1 { 401 } else { 200 })).await;
    let settings = WebhookSettings {
        url: format!("http://{}/results?a=b", server.address),
        token_file: Some(path.clone()),
        ca_file: None,
        max_documents: NonZeroUsize::MIN,
        timeout: LONG,
    };
    let mut sink = WebhookSink::open(&settings, maker()).unwrap();
    std::fs::write(&path, "new\n").unwrap();
    let (answers, errors) = write(&mut sink, &["a"]).await;
    assert_eq!((answers, errors.len()), (vec![Ok(())], 1));
    let tokens: Vec<_> = server.seen().into_iter().filter_map(|seen| seen.token).collect();
    assert_eq!(tokens, ["Bearer old", "Bearer new"]);
}
