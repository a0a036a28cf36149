//! What whoever runs workers relies on: readiness, logins, clear refusals, a consumer that comes
//! back, and a worker that leaves without making anybody wait.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::field::Field;
use crate::harness;
use crate::server::{Server, is_installed};

#[test]
fn a_worker_is_not_ready_while_the_server_is_away_and_comes_back_with_it() {
    if !is_installed() {
        return;
    }
    let mut field = Field::new(&json!({}));
    let texts: Vec<String> = (0..40).map(|number| format!("Document {number}.")).collect();
    let number = field.start();
    let is_ready =
        |field: &Field| field.status(number).is_some_and(|status| status["ready"] == true);
    assert!(harness::becomes_true(|| is_ready(&field)), "{:?}", field.status(number));
    field.server.kill();
    let away = json!(["the cluster's server is away"]);
    let is_away = || field.status(number).is_some_and(|status| status["reasons"] == away);
    assert!(harness::becomes_true(is_away), "{:?}", field.status(number));
    field.server.up();
    assert!(harness::becomes_true(|| is_ready(&field)), "{:?}", field.status(number));
    field.publish_texts(texts.iter());
    field.drained(Duration::from_mins(1));
    field.check(&texts);
    let cluster = field.status(number).unwrap()["cluster"].clone();
    assert_eq!(cluster["acknowledged"], 40, "{cluster}");
    assert_eq!(cluster["disconnects"], 1, "{cluster}");
}

#[test]
fn a_document_comes_out_of_a_cluster_as_it_does_of_one_machine() {
    if !is_installed() {
        return;
    }
    let field = Field::on(Server::start, &json!({}), &json!({ "stages": ["tokenise"] }));
    let records = [
        json!({ "id": 7, "title": "Talks", "author": "KAZ", "published": "5 May 2024",
            "language": "en", "text": "Talks went on.", "source": { "name": "The Post" },
            "url": "https://example.org/7", "section": "world" }),
        json!({ "text": "Talks went on.", "source": "The Times", "date": "some day" }),
        json!({ "text": "Nothing is known of this." }),
    ];
    let lines: String = records.iter().map(|record| format!("{record}\n")).collect();
    let files = [
        ("wire/all.jsonl".to_owned(), lines),
        ("post/page.html".to_owned(), PAGE.to_owned()),
        ("post/plain.txt".to_owned(), "A title\n\nAnd what it says.\n".to_owned()),
    ];
    field.publish(&files).expect(0);
    let mut field = field;
    let number = field.start_with(&["--once"]);
    assert_eq!(field.wait(number), Some(0), "{}", field.log());
    let input = field.at("input");
    let pipeline = field.at("worker.yaml");
    let (input, pipeline) = (input.to_str().unwrap(), pipeline.to_str().unwrap());
    let mut alone = harness::run(&["run", input, "-c", pipeline]).expect(0).results();
    let mut shared: Vec<Value> =
        field.server.read("RESULTS").into_iter().map(|(_, result)| result).collect();
    for results in [&mut alone, &mut shared] {
        for result in results.iter_mut() {
            result.as_object_mut().unwrap().remove("provenance").unwrap();
            // The source's name is the command's, and ids are made of it.
            result.as_object_mut().unwrap().remove("id").unwrap();
            result["source"].as_object_mut().unwrap().remove("name").unwrap();
        }
        results.sort_by_key(Value::to_string);
    }
    assert_eq!(alone.len(), 5);
    assert_eq!(shared, alone);
    let named = shared.iter().filter(|result| result["attributes"]["source"].is_string());
    assert_eq!(named.count(), 2);
    let noted = shared.iter().filter(|result| result["status"] == "partial");
    assert_eq!(noted.count(), 1, "a date that nobody can read is told");
}

/// A page with all that a page says of itself.
const PAGE: &str = "<html lang=\"en\"><head><title>Talks</title>\
    <meta name=\"author\" content=\"Ada\">\
    <meta property=\"article:published_time\" content=\"2024-05-06T10:00:00Z\"></head>\
    <body><article><h1>Talks</h1><p>Talks went on in the old town hall, and nobody minded that they \
    were long. They end tomorrow.</p></article></body></html>";

#[test]
fn a_worker_may_start_before_its_server() {
    if !is_installed() {
        return;
    }
    let mut field = Field::new(&json!({}));
    let texts = ["One.".to_owned(), "Two.".to_owned()];
    field.publish_texts(texts.iter());
    field.server.kill();
    let number = field.start();
    let is_away = || field.status(number).is_some_and(|status| status["ready"] == false);
    assert!(harness::becomes_true(is_away));
    field.server.up();
    field.drained(Duration::from_mins(1));
    field.check(&texts);
}

#[test]
fn a_consumer_that_is_deleted_is_made_anew() {
    if !is_installed() {
        return;
    }
    let mut field = Field::new(&json!({}));
    field.start();
    let delete = |field: &Field| {
        let mut wire = field.server.wire()?;
        wire.ask("CONSUMER.DELETE.DOCS.workers", &Value::Null)?["success"].as_bool()
    };
    assert!(harness::becomes_true(|| delete(&field) == Some(true)));
    let texts: Vec<String> = (0..10).map(|number| format!("Document {number}.")).collect();
    field.publish_texts(texts.iter());
    field.drained(Duration::from_mins(1));
    field.check(&texts);
}

#[test]
fn the_server_hears_of_documents_that_wait_for_room() {
    if !is_installed() {
        return;
    }
    // One at a time has room in the stages, and all of them are taken at once.
    let limits = json!({ "limits": { "max_bytes_in_flight": "64KiB" } });
    let mut field = Field::on(Server::start, &json!({ "ack_wait": "3s" }), &limits);
    let body = "word ".repeat(10_000);
    let texts: Vec<String> = (0..24).map(|number| format!("Wait 500 {number} {body}")).collect();
    field.publish_texts(texts.iter());
    let number = field.start();
    field.drained(Duration::from_mins(2));
    field.check(&texts);
    let cluster = field.status(number).unwrap()["cluster"].clone();
    assert_eq!(cluster["recognised"], 0, "none came again: {cluster}");
}

#[test]
fn what_waits_is_told_as_it_is() {
    if !is_installed() {
        return;
    }
    let mut field = Field::new(&json!({ "ack_wait": "1s", "max_in_flight": 4 }));
    let texts: Vec<String> = (0..30).map(|number| format!("Wait 600000 {number}")).collect();
    field.publish_texts(texts.iter());
    let number = field.start();
    let tells = |field: &Field, key: &str, holds: &dyn Fn(u64) -> bool| {
        let cluster = || field.status(number).unwrap_or_default()["cluster"].clone();
        let is_told = || cluster()[key].as_u64().is_some_and(holds);
        assert!(harness::becomes_true(is_told), "{key}: {}", cluster());
    };
    tells(&field, "pending", &|count| count == 30);
    tells(&field, "in_flight", &|count| count == 4);
    tells(&field, "held", &|count| count == 4);
    tells(&field, "redelivered", &|count| count == 0);
    tells(&field, "oldest_ms", &|age| (1000..600_000).contains(&age));
    // What a worker had that is gone comes again.
    field.kill(number);
    field.restart(number);
    tells(&field, "redelivered", &|count| count > 0);
    tells(&field, "pending", &|count| count == 30);
}

#[test]
fn a_document_of_a_stream_that_was_made_anew_is_not_taken_for_one_of_the_old() {
    if !is_installed() {
        return;
    }
    let mut field = Field::new(&json!({}));
    field.publish_texts(["Wait 8000 old".to_owned()].iter());
    let number = field.start();
    let holds = || field.status(number).is_some_and(|status| status["cluster"]["held"] == 1);
    assert!(harness::becomes_true(holds), "{}", field.log());
    let mut wire = field.server.wire().unwrap();
    wire.ask("STREAM.DELETE.DOCS", &Value::Null).unwrap();
    // It has the same sequence.
    field.publish_texts(["New.".to_owned()].iter());
    field.drained(Duration::from_mins(1));
    let account = field.account();
    assert_eq!(account.copies.get("New."), Some(&1), "{account:?} {}", field.log());
}

#[test]
fn a_worker_that_is_told_to_go_gives_back_what_it_has_not_done() {
    if !is_installed() {
        return;
    }
    // Nobody may wait for the server to lose patience.
    let mut field = Field::on(Server::start, &json!({ "ack_wait": "300s" }), &json!({}));
    let texts: Vec<String> = (0..200).map(|number| format!("Wait 20 document {number}")).collect();
    field.publish_texts(texts.iter());
    let first = field.start();
    let has_begun = || field.server.messages("RESULTS").is_some_and(|count| count > 5);
    assert!(harness::becomes_true(has_begun), "{}", field.log());
    field.start();
    let start = Instant::now();
    field.signal(first, Signal::TERM);
    assert_eq!(field.wait(first), Some(0), "{}", field.log());
    field.drained(Duration::from_mins(1));
    assert!(start.elapsed() < Duration::from_secs(45), "{:?}", start.elapsed());
    field.check(&texts);
}

#[test]
fn a_worker_that_drains_ends_when_the_stream_is_empty() {
    if !is_installed() {
        return;
    }
    for ordering in ["none", "per_source"] {
        let mut field = Field::new(&json!({ "ordering": ordering }));
        let texts: Vec<String> = (0..50).map(|number| format!("Document {number}.")).collect();
        field.publish_texts(texts.iter());
        let number = field.start_with(&["--once"]);
        assert_eq!(field.wait(number), Some(0), "{ordering}: {}", field.log());
        field.check(&texts);
    }
}

#[test]
fn every_login_opens_the_door_and_a_wrong_one_does_not() {
    if !is_installed() {
        return;
    }
    // A key that the server's documentation prints.
    let seed = "SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY";
    let key = "UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4";
    let users =
        format!("authorization {{ users = [ {{ user: u, password: p }}, {{ nkey: {key} }} ] }}");
    let cases = [
        (
            users.clone(),
            json!({ "user": "u", "pass": "p" }),
            json!({ "user": "u", "password": "p" }),
        ),
        (users, json!({ "user": "u", "pass": "p" }), json!({ "nkey_file": "./seed" })),
        (
            "authorization { token: hush-hush }".to_owned(),
            json!({ "auth_token": "hush-hush" }),
            json!({ "token": "${file:./token}" }),
        ),
    ];
    for (configuration, login, auth) in cases {
        let start = |folder: &std::path::Path, _: &str| {
            std::fs::write(folder.join("seed"), seed).unwrap();
            std::fs::write(folder.join("token"), "hush-hush").unwrap();
            Server::start_for(folder, &configuration, login.clone())
        };
        let sink = |auth: &Value| json!({ "sinks": { "results": { "auth": auth } } });
        let mut field = Field::on(start, &json!({ "auth": auth }), &sink(&auth));
        let texts = ["One.".to_owned()];
        field.publish_texts(texts.iter());
        let number = field.start_with(&["--once"]);
        assert_eq!(field.wait(number), Some(0), "{auth}: {}", field.log());
        field.check(&texts);
        assert!(!field.log().contains("hush-hush"));

        let wrong = json!({ "auth": { "token": "wrong", "user": null, "password": null, "nkey_file": null } });
        field.write_pipeline("worker.yaml", &wrong, &json!({}));
        let pipeline = field.at("worker.yaml");
        let input = field.at("input");
        let arguments = ["publish", "-c", pipeline.to_str().unwrap(), input.to_str().unwrap()];
        let ran = harness::run(&arguments).expect(1);
        assert!(ran.stderr.contains("cannot connect to nats://127.0.0.1"), "{}", ran.stderr);
    }
}

#[test]
fn a_server_is_trusted_by_its_certificate_or_not_at_all() {
    if !is_installed() {
        return;
    }
    let file =
        |name: &str| harness::repository(&format!("crates/standpoint-connectors/tests/tls/{name}"));
    let configuration = format!(
        "tls {{ cert_file: {:?}, key_file: {:?} }}",
        file("server.pem"),
        file("server.key")
    );
    let start = |folder: &std::path::Path, _: &str| Server::start_in_secret(folder, &configuration);
    let trusting = json!({ "tls": { "required": true, "ca_file": file("ca.pem") } });
    let lines =
        json!({ "sinks": { "results": null, "lines": { "type": "jsonl", "path": "./lines" } } });
    let mut field = Field::on(start, &trusting, &lines);
    field.server.host = "localhost";
    field.write_pipeline("worker.yaml", &trusting, &lines);
    field.publish_texts(["One.".to_owned()].iter());
    let number = field.start_with(&["--once"]);
    assert_eq!(field.wait(number), Some(0), "{}", field.log());
    let lines_found = std::fs::read_to_string(field.at("lines")).unwrap();
    assert!(lines_found.contains("\"text\":\"One.\""), "{lines_found}");

    field.write_pipeline("worker.yaml", &json!({ "tls": { "required": true } }), &lines);
    let (pipeline, input) = (field.at("worker.yaml"), field.at("input"));
    let arguments = ["publish", "-c", pipeline.to_str().unwrap(), input.to_str().unwrap()];
    let ran = harness::run(&arguments).expect(1);
    assert!(ran.stderr.contains("cannot connect to nats://localhost"), "{}", ran.stderr);
}

#[test]
fn what_cannot_work_is_refused_with_what_to_do() {
    if !is_installed() {
        return;
    }
    let mut field = Field::new(&json!({}));
    field.publish_texts(["One.".to_owned()].iter());
    // Others divide the stream in another way.
    field.write_pipeline("worker.yaml", &json!({ "partitions": 9 }), &json!({}));
    let number = field.start();
    assert_eq!(field.wait(number), Some(1), "{}", field.log());
    let told =
        "stream DOCS was made with `partitions: 4`, `partition_by: source` and `ordering: none`";
    assert!(field.log().contains(told), "{}", field.log());

    let pipeline = field.at("worker.yaml");
    let pipeline = pipeline.to_str().unwrap();
    let cases = [
        (json!({ "stream": "a.b" }), json!({}), "found \"a.b\", expected up to 64 letters"),
        (
            json!({ "orderin": "none" }),
            json!({}),
            "unknown key `orderin`; did you mean `ordering`?",
        ),
        (json!({ "lease": "5" }), json!({}), "a bare number has no unit"),
        (
            json!({}),
            json!({ "sinks": { "results": { "stream": null } } }),
            "name the stream that keeps the results",
        ),
    ];
    for (cluster, whole, expected) in cases {
        field.write_pipeline("worker.yaml", &cluster, &whole);
        let ran = harness::run(&["validate", pipeline]).expect(2);
        let told = format!("{}{}", ran.stdout, ran.stderr);
        assert!(told.contains(expected) && told.contains("worker.yaml:1:"), "{expected}: {told}");
    }

    field.write_pipeline("worker.yaml", &json!({}), &json!({}));
    field.server.kill();
    let ran = harness::run(&["publish", "-c", pipeline, field.at("input").to_str().unwrap()]);
    let ran = ran.expect(1);
    assert!(ran.stderr.contains("the stream cannot be used"), "{}", ran.stderr);
}

#[test]
fn without_a_cluster_there_is_nowhere_to_publish_to() {
    let folder = harness::Folder::new();
    let pipeline = folder.write("p.yaml", "version: 1\nstages: [tokenise]\n");
    let input = folder.write("a.txt", "x");
    let ran = harness::run(&["publish", "-c", &pipeline, &input]).expect(2);
    assert!(ran.stderr.contains("the pipeline file has no `cluster`"), "{}", ran.stderr);
}
