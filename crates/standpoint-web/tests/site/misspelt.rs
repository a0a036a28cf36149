//! What a program gets that misspells a name, a filter, a field or a method.

use http::Method;
use serde_json::{Value, json};
use standpoint_store::Record;
use standpoint_web::{export, openapi};

use super::{Served, record};

#[test]
fn what_a_program_misspells_is_named_and_the_right_method_is_told() {
    let served = Served::new();
    // Toward China none has come yet.
    let cases =
        [("COR", 400), ("CHN", 200), ("EU", 200), ("Rusia", 400), ("china", 200), ("", 200)];
    for (query, code) in cases {
        let (found, told) = served.get(&format!("/api/v1/figures?target={query}"));
        assert_eq!(found, code, "{query}: {told}");
        let names = format!("found `target={query}`, expected one of `");
        assert_eq!(told.contains(&names), code == 400, "{told}");
        assert_eq!(told.contains("; did you mean `Russia`?"), query == "Rusia", "{told}");
    }
    // Nor has anything been said by somebody in Kazakhstan.
    for (query, expected) in [
        ("who=KAZ", None),
        ("who=kazakhstan", None),
        ("who=bor", None),
        ("who=Nobody", Some("found `who=Nobody`, expected an actor's id or name; `/api/v1/actors")),
        ("who=author:Nobody", Some("found `who=author:Nobody`, expected an actor's id or name")),
        ("who=EU", None),
        ("who=author:UKR", None),
        // Other names, of somebody who is there and of somebody who is not.
        ("who=Bord", None),
        ("who=BRD", None),
        ("who=European Union", Some("found `who=European Union`, expected an actor's id or name")),
        ("who=author:the Union", Some("found `who=author:the Union`, expected an actor's id")),
        ("source=wire", None),
        // Configured, and without a document yet.
        ("source=press", None),
        ("source=wire&source=wyre", Some("found `source=wyre`, expected one of `press`, `wire`")),
        ("from=2024-05&to=2024-05-01", None),
        (
            "from=2024-05-02&to=2024-05-01",
            Some("found `to=2024-05-01`, expected a day that is not"),
        ),
        (
            "from=2025&to=2024",
            Some("found `to=2024-12-31`, expected a day that is not before `from`"),
        ),
    ] {
        for path in ["figures", "evidence", "documents.csv", "shifts"] {
            let (code, told) = served.get(&format!("/api/v1/{path}?{query}"));
            assert_eq!(code, if expected.is_some() { 400 } else { 200 }, "{query}: {told}");
            assert!(expected.is_none_or(|expected| told.contains(expected)), "{query}: {told}");
        }
    }
    let rows = |who: &str| served.json(&format!("/api/v1/evidence?who={who}"))["rows"].take();
    assert_eq!(rows("BOR").as_array().unwrap().len(), 1);
    for name in ["Bord", "BRD"] {
        assert_eq!(rows(name), rows("BOR"), "{name}");
    }
    let (code, page) = served.get("/evidence?from=2025&to=2024");
    assert_eq!(code, 200);
    assert!(page.contains("The first day is after the last"), "{page}");
    let targets = served.json("/api/v1/targets");
    for known in ["id", "name"].map(|key| targets["rows"][0][key].as_str().unwrap()) {
        assert_eq!(served.get(&format!("/api/v1/evidence?target={known}")).0, 200, "{known}");
    }
    let passage = served.json("/api/v1/evidence?who=BOR")["rows"][0].take();
    let path = format!("/api/v1/evidence/{}/correction", passage["key"]);
    let (code, told) = served.post_text(&path, "not json");
    assert_eq!(code, 400);
    assert!(told["error"].as_str().unwrap().starts_with("the body is not JSON: "), "{told}");
    let mistake = json!({ "feld": "verdict", "value": "rejected", "fingerprint": "x" });
    let (code, told) = served.post(&path, &mistake);
    assert_eq!(code, 400);
    assert!(
        told["error"].as_str().unwrap().contains("unknown field `feld`, expected one of `field`")
    );
    let program = [("authorization", "Bearer a-token-of-this-test")];
    let cases = [
        (Method::GET, path.as_str(), "POST"),
        (Method::DELETE, &path, "POST"),
        (Method::GET, "/api/v1/quarantine/replay", "POST"),
        (Method::DELETE, "/api/v1/documents/x", "GET, HEAD"),
        (Method::PUT, "/api/v1/evidence", "GET, HEAD"),
        (Method::POST, "/api/v1/evidence", "GET, HEAD"),
        (Method::POST, "/api/v1/figures.csv", "GET, HEAD"),
    ];
    for (method, path, allowed) in cases {
        let reply = served.ask(method.clone(), path, &program, "");
        let allow = reply.headers.iter().find(|(name, _)| *name == "allow");
        let allow = allow.map(|(_, allowed)| allowed.as_str());
        assert_eq!((reply.status.as_u16(), allow), (405, Some(allowed)), "{method} {path}");
    }
    for method in [Method::GET, Method::POST, Method::DELETE] {
        let reply = served.ask(method.clone(), "/api/v1/nowhere", &program, "");
        assert_eq!(reply.status.as_u16(), 404, "{method}");
    }
    let (code, told) = served.get("/api/v1/documents/99999");
    assert_eq!((code, told.contains("there is no such document")), (404, true), "{told}");
}

#[test]
fn a_program_that_misspells_a_filter_is_not_given_everything() {
    let served = Served::new();
    let description = openapi::description();
    let paths = description["paths"].as_object().unwrap();
    for (path, methods) in paths {
        let Some(get) = methods.get("get").filter(|_| path != "/events") else { continue };
        let path = path.replace("{id}", "b");
        let refused = |query: &str| {
            let (code, answer) = served.get(&format!("/api/v1{path}?{query}"));
            let answer: Value = serde_json::from_str(&answer).unwrap();
            assert_eq!(code, 400, "{path}?{query}");
            answer["error"].as_str().unwrap().to_owned()
        };
        let error = refused("vioce=quoted");
        assert!(error.starts_with("found the parameter `vioce`, expected"), "{error}");
        let parameters = get["parameters"].as_array().unwrap().iter();
        for parameter in parameters.filter(|parameter| parameter["in"] == "query") {
            let name = parameter["name"].as_str().unwrap();
            assert!(error.contains(&format!("`{name}`")), "{name} in {error}");
            let example = &parameter["example"];
            let value = example.as_str().or_else(|| example[0].as_str()).unwrap();
            let (code, answer) = served.get_bytes(&format!("/api/v1{path}?{name}={value}"));
            let answer = String::from_utf8_lossy(&answer);
            assert_eq!(code, 200, "{path}?{name}={value}: {answer}");
        }
    }
    assert!(served.get("/api/v1/evidence?limit=many").1.contains("a number of 1 to 1000"));
    // A page is for people, whose address may have been cut by a mail.
    assert_eq!(served.get("/evidence?vioce=quoted&limit=many").0, 200);
}

#[test]
fn a_page_says_who_is_not_there_and_who_may_have_been_meant() {
    let mut given = record("d", "2024-07-02", "Athens said no to that.", "GRC", -0.7);
    given.stance[0].actors[0].name = "Greece".to_owned();
    let served = Served::with(&[given], export::MOST_ROWS);
    let cases = [
        (
            "/?who=%3Cscript%3E",
            404,
            "Nobody here is called \u{201c}<bdi>&lt;script&gt;</bdi>\u{201d}.",
        ),
        ("/?who=Grece", 404, "<a href=\"/?target=RUS&amp;who=GRC\"><bdi>Greece</bdi></a>?"),
        // Half a name, as the store finds it.
        ("/?who=bor+%3Cscr", 404, "<a href=\"/?target=RUS&amp;who=BOR\"><bdi>BOR &lt;script"),
        ("/?who=Nobody", 404, "<a href=\"/?target=RUS\">Everybody</a>"),
        (
            "/evidence?who=Nobody&words=no",
            404,
            "<a href=\"/evidence?target=RUS&amp;words=no\">Everybody",
        ),
        (
            "/shifts?who=author:Nobody",
            404,
            "Nobody here is called \u{201c}<bdi>Nobody</bdi>\u{201d}.",
        ),
        (
            "/documents?source=wyre",
            404,
            "<a href=\"/documents?target=RUS&amp;source=wire\"><bdi>wire",
        ),
        ("/documents?source=else", 404, ">All sources</a>"),
        (
            "/?target=Rusia&words=no",
            404,
            "<a href=\"/?words=no&amp;target=RUS\"><bdi>Russia</bdi></a>?",
        ),
        (
            "/evidence?target=Zzz",
            404,
            "Nothing here is toward \u{201c}Zzz\u{201d}: choose a target.",
        ),
        // Of whom none may have come yet, and who is there.
        ("/?who=kazakhstan", 200, "Nobody takes a stance in what is looked at."),
        ("/?who=ALD", 200, "Only <b>"),
        // By another name.
        ("/evidence?who=BRD", 200, "Only <b><bdi>BOR &lt;script"),
        (
            "/evidence?who=the+Union",
            404,
            "Nobody here is called \u{201c}<bdi>the Union</bdi>\u{201d}.",
        ),
        ("/health?who=Nobody", 200, "Quarantine</h2>"),
    ];
    for (path, expected, told) in cases {
        let (code, page) = served.get(path);
        assert_eq!(code, expected, "{path}");
        assert!(page.contains(told), "{path}: {page}");
        let is_empty = page.contains("is let through.") || page.contains("Nobody takes a stance");
        assert!(code == 200 || !is_empty, "{path}: nothing found is no answer");
        assert!(page.ends_with("</body></html>"), "{path}");
    }
    let (code, told) = served.get("/api/v1/evidence?who=Grece");
    assert!(code == 400 && told.contains("finds them; did you mean `Greece`?"), "{told}");
}

#[test]
fn a_target_stands_once_in_the_list_and_is_found_by_each_of_its_names() {
    let toward = |id: &str, target: &str, name: &str, has_stance: bool| {
        let record = record(id, "2024-05-01", "Alda said no to it, as it had before.", "ALD", -0.6);
        let mut json = serde_json::to_value(&record).unwrap();
        json["stance"][0]["target"] = json!({ "id": target, "name": name });
        if !has_stance {
            json["stance"][0]["actors"] = json!([]);
        }
        Record::read(&json.to_string()).unwrap()
    };
    let records =
        [toward("d", "EU", "European Union", true), toward("e", "name:a", "the Union", false)];
    let served = Served::with(&records, export::MOST_ROWS);
    let targets = served.json("/api/v1/targets");
    let ids: Vec<&str> =
        targets["rows"].as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["RUS", "EU"]);
    let rows = |name: &str| served.json(&format!("/api/v1/evidence?target={name}"))["rows"].take();
    assert_eq!(rows("EU").as_array().unwrap().len(), 1);
    assert_eq!(rows("the Union"), rows("EU"));
    assert_eq!(rows("name:a"), json!([]));
}
