//! Documents that fail, that end their workers, and that are no documents.

use serde_json::json;

use crate::field::Field;

#[test]
fn a_document_that_fails_goes_to_the_dead_letters_with_its_reason() {
    let mut field = Field::new(&json!({ "max_attempts": 2 }), &json!({}));
    let good: Vec<String> = (0..20).map(|number| format!("Document {number}.")).collect();
    field.publish_texts(good.iter().chain([&"Panic now.".to_owned()]));
    // What somebody else publishes is read, too, if it is a document.
    field.brokers.put(r#"{"text": "From elsewhere.", "id": 7}"#);
    field.brokers.put("rubbish");
    field.start();
    field.drained();
    let letters = field.brokers.read("docs.dead");
    assert_eq!(letters.len(), 2, "{letters:?}");
    let panicked = letters.iter().find(|letter| letter.value["text"] == "Panic now.").unwrap();
    assert_eq!(panicked.headers["Standpoint-Stage"], "mischief");
    assert!(panicked.headers["Standpoint-Reason"].contains("asked to panic"));
    assert_eq!(panicked.headers["Standpoint-Attempts"], "2");
    assert_eq!(panicked.headers["Standpoint-Record"], "1", "it can be published again as it is");
    assert_eq!(panicked.key, "publish");
    let rubbish = letters.iter().find(|letter| letter.value.is_null()).unwrap();
    assert!(rubbish.headers["Standpoint-Reason"].contains("no document"));
    assert!(rubbish.headers["Standpoint-From"].starts_with("docs "));
    let mut texts = good;
    texts.push("From elsewhere.".to_owned());
    assert_eq!(field.check(&texts), 0);
    let status = field.status(0).unwrap();
    assert_eq!(status["cluster"]["dead_lettered"], 2, "{status}");
    assert_eq!(status["cluster"]["retried"], 1, "{status}");
    // A letter that is published again is tried again, also by the worker that it failed in.
    for letters in [3, 4] {
        field.brokers.put(r#"{"text": "Panic now.", "id": "again"}"#);
        field.drained();
        assert_eq!(field.brokers.count("docs.dead"), letters, "{}", field.log());
    }
}

#[test]
fn a_document_that_ends_its_workers_is_set_aside_and_the_others_go_on() {
    let mut field = Field::new(&json!({ "max_attempts": 2, "partition_by": "id" }), &json!({}));
    let good: Vec<String> = (0..30).map(|number| format!("Document {number}.")).collect();
    let (before, after) = good.split_at(15);
    field.publish_texts(before.iter().chain([&"Abort now.".to_owned()]).chain(after));
    field.start();
    let deaths = field.workers.restart_until(0, || field.brokers.left().0 == 0);
    let letters = field.brokers.read("docs.dead");
    let texts: Vec<_> = letters.iter().map(|letter| &letter.value["text"]).collect();
    assert_eq!(texts, ["Abort now."]);
    assert!(letters[0].headers["Standpoint-Reason"].contains("its worker ended"));
    assert!((2..=6).contains(&deaths), "{deaths} deaths");
    field.check(&good);
}

#[test]
fn producers_that_broke_down_for_good_are_made_anew() {
    let mut field = Field::new(&json!({ "max_attempts": 1 }), &json!({}));
    let good = "Document.".to_owned();
    field.publish_texts([&good].into_iter());
    // That of the letters, which is made when the worker joins, and that of the results.
    field.brokers.refuse_producers(2);
    field.start();
    field.drained();
    let status = field.status(0).unwrap();
    assert!(status["sinks"][0]["errors"].as_u64() > Some(0), "{status}");
    field.brokers.put(r#"{"text": "Panic now."}"#);
    field.drained();
    let letters = field.brokers.read("docs.dead");
    let texts: Vec<_> = letters.iter().map(|letter| &letter.value["text"]).collect();
    assert_eq!(texts, ["Panic now."]);
    assert_eq!(field.check(&[good]), 0);
    let log = field.log();
    assert!(log.contains("the producer of dead letters broke down and is made anew"), "{log}");
}
