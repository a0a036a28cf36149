//! What people say of passages by forms, with a script and without one.

use http::Method;
use serde_json::{Value, json};
use standpoint_store::Store;
use standpoint_web::export;

use super::{Served, record, text};

/// The value of a page's hidden field, of the form behind `begin`.
fn field(page: &str, begin: &str, name: &str) -> String {
    let form = page.split(begin).nth(1).unwrap();
    let value = form.split(&format!("name=\"{name}\" value=\"")).nth(1).unwrap();
    value.split('"').next().unwrap().replace("&amp;", "&")
}

/// Where the first passage of a page is corrected.
fn link_on(served: &Served, page: &str) -> String {
    let (code, shown) = served.get(page);
    assert_eq!(code, 200, "{shown}");
    assert!(!shown.contains("class=\"correction\""), "no form before it is wanted");
    let link = shown.split("class=\"correct\" href=\"").nth(1).unwrap();
    link.split('"').next().unwrap().replace("&amp;", "&")
}

/// A form of a passage, as a browser fills it in.
struct Form {
    path: String,
    fields: Vec<(&'static str, String)>,
}

impl Form {
    /// The form that the link of a page's first passage leads to.
    fn on(served: &Served, page: &str) -> Self {
        let (code, shown) = served.get(&link_on(served, page));
        assert_eq!(code, 200, "{shown}");
        let path = shown.split("class=\"correction\" method=\"post\" action=\"").nth(1).unwrap();
        let path = path.split('"').next().unwrap().to_owned();
        let named = |name| (name, field(&shown, "class=\"correction\"", name));
        Self { path, fields: vec![named("mark"), named("back"), named("passage")] }
    }

    fn with(mut self, name: &'static str, value: &str) -> Self {
        self.fields.retain(|(known, _)| *known != name);
        self.fields.push((name, value.to_owned()));
        self
    }

    fn body(&self) -> String {
        form_urlencoded::Serializer::new(String::new()).extend_pairs(&self.fields).finish()
    }

    /// Sent without a script: the status, where it leads, and what is said.
    fn send(&self, served: &Served) -> (u16, String, String) {
        let headers =
            [("cookie", served.cookie.as_str()), ("host", "h:1"), ("origin", "http://h:1")];
        let reply = served.ask(Method::POST, &self.path, &headers, &self.body());
        let place = reply.headers.iter().find(|(name, _)| *name == "location");
        let place = place.map(|(_, value)| value.clone()).unwrap_or_default();
        (reply.status.as_u16(), place, text(reply))
    }
}

/// Who stands where by the figures.
fn standing(served: &Served) -> Vec<(String, f64)> {
    let figures = served.json("/api/v1/figures");
    let actors = figures["actors"].as_array().unwrap().iter();
    actors
        .map(|actor| (actor["who"].as_str().unwrap().to_owned(), actor["score"].as_f64().unwrap()))
        .collect()
}

#[test]
fn a_form_names_another_holder_and_takes_it_back() {
    let served = Served::new();
    let before = standing(&served);
    for (case, called, scope, expected) in [
        ("an id in a passage", "ALD", "passage", "ALD"),
        ("an id in the whole document", "ALD", "document", "ALD"),
        ("somebody new", "The Harbour Master", "passage", "name:the-harbour-master"),
        ("an id that is new", "name:acme", "document", "name:acme"),
    ] {
        let page = "/documents/b?target=RUS";
        let form = Form::on(&served, page).with("holder", called).with("scope", scope);
        let (code, place, said) = form.send(&served);
        assert_eq!(code, 303, "{case}: {said}");
        let key = form.path.split('/').nth(2).unwrap();
        assert_eq!(place, format!("{page}#p{key}"), "{case}");
        let now = standing(&served);
        assert!(!now.iter().any(|(who, _)| who == "BOR"), "{case}: {now:?}");
        assert!(now.iter().any(|(who, _)| who == expected), "{case}: {now:?}");
        let shown = served.get(page).1;
        assert!(shown.contains("moved by a person, was <bdi>BOR "), "{case}");
        let form = Form::on(&served, page).with("undo", "yes");
        assert_eq!(form.send(&served).0, 303, "{case}");
        assert_eq!(standing(&served), before, "{case}");
        assert!(!served.get(page).1.contains("moved by a person"), "{case}");
    }
    let form = served.get(&link_on(&served, "/documents/b")).1;
    assert!(!form.contains("Take back"), "there is nothing to take back");
}

#[test]
fn a_name_is_known_however_it_is_written() {
    let served = Served::new();
    let name = served.json("/api/v1/actors")["rows"][0]["name"].as_str().unwrap().to_uppercase();
    let name = name.replace("ALD", "\u{c5}ld");
    let form = Form::on(&served, "/documents/b").with("holder", &name);
    assert_eq!(form.send(&served).0, 303);
    assert_eq!(served.json("/api/v1/evidence?who=ALD")["rows"].as_array().unwrap().len(), 2);
}

#[test]
fn a_slip_of_the_pen_makes_nobody_new() {
    let served = Served::new();
    let before = standing(&served);
    let right = Form::on(&served, "/documents/b").with("holder", "Kazakhstan");
    assert_eq!(right.send(&served).0, 303, "somebody new");
    let wrong = Form::on(&served, "/documents/c").with("holder", "Kazkhstan");
    let (code, _, said) = wrong.send(&served);
    assert_eq!(code, 422);
    assert!(said.contains("did you mean `Kazakhstan`?"), "{said}");
    let meant = Form::on(&served, "/documents/c").with("holder", "name:kazkhstan");
    assert_eq!(meant.send(&served).0, 303, "who insists has it");
    for page in ["/documents/b", "/documents/c"] {
        assert_eq!(Form::on(&served, page).with("undo", "yes").send(&served).0, 303);
    }
    assert_eq!(standing(&served), before);
}

#[test]
fn whom_the_tables_know_is_meant_before_a_name_that_an_old_correction_made() {
    let served = Served::new();
    let corrected = |who: &str, value: Value| {
        let passage = served.json(&format!("/api/v1/evidence?who={who}"))["rows"][0].take();
        let path = format!("/api/v1/evidence/{}/correction", passage["key"]);
        let said =
            json!({ "field": "holder", "value": value, "fingerprint": passage["fingerprint"] });
        let (code, answer) = served.post(&path, &said);
        assert_eq!(code, 200, "{answer}");
        answer["who"].as_str().unwrap().to_owned()
    };
    let old = json!({ "id": "name:union", "name": "the Union" });
    assert_eq!(corrected("COR", old), "name:union");
    assert_eq!(corrected("ALD", json!({ "id": "the Union" })), "EU");
    // The old one can be meant by its id, and be put right.
    assert_eq!(corrected("BOR", json!({ "id": "name:union" })), "name:union");
    assert_eq!(corrected("name:union", json!({ "id": "the Union" })), "EU");
}

#[test]
fn a_program_and_a_form_mean_the_same_people() {
    // Somebody who is named and stands nowhere.
    let mut named = record("d", "2024-07-02", "Dord said perhaps, and that was that.", "DOR", 0.3);
    let mut other = named.entities[0].clone();
    (other.id, other.name) = (Some("KAZ".to_owned()), Some("Kazakhstan".to_owned()));
    named.entities.push(other.clone());
    for name in ["the Union", "Ghent"] {
        (other.id, other.name) = (Some(format!("name:{name}")), Some(name.to_owned()));
        other.label = "place".to_owned();
        named.entities.push(other.clone());
    }
    let served = Served::with(&[named], export::MOST_ROWS);
    let passage = served.json("/api/v1/evidence?who=DOR")["rows"][0].take();
    let path = format!("/api/v1/evidence/{}/correction", passage["key"]);
    let cases = [
        ("KAZ", None, Ok(("KAZ", "Kazakhstan"))),
        ("kazakhstan", None, Ok(("KAZ", "Kazakhstan"))),
        (
            "KAZZ",
            None,
            Err("nobody is called `KAZZ`: did you mean `KAZ`? An id such as `name:kazz`"),
        ),
        ("Kazkhstan", None, Err("did you mean `Kazakhstan`?")),
        ("KAZZ", Some("Kazakhstan"), Err("did you mean `Kazakhstan`?")),
        ("The Pilot", None, Ok(("name:the-pilot", "The Pilot"))),
        ("name:acme", None, Ok(("name:acme", "name:acme"))),
        ("UZB", Some("Uzbekistan"), Ok(("UZB", "Uzbekistan"))),
        // States that nobody has named yet.
        ("MNG", None, Ok(("MNG", "Mongolia"))),
        ("cote d'ivoire", None, Ok(("CIV", "C\u{f4}te d'Ivoire"))),
        ("MNG.KHURAL", None, Ok(("MNG.KHURAL", "MNG.KHURAL"))),
        ("EU", None, Ok(("EU", "European Union"))),
        ("European Union", None, Ok(("EU", "European Union"))),
        // A place in the text, which the tables know as somebody; and one that they do not.
        ("the Union", None, Ok(("EU", "European Union"))),
        ("name:the Union", None, Ok(("name:the Union", "the Union"))),
        ("ghent", None, Ok(("name:Ghent", "Ghent"))),
        ("russia", None, Err("`RUS` is whom the passage is about")),
    ];
    for (id, name, expected) in cases {
        let said = |holder: Value| json!({ "field": "holder", "value": holder, "fingerprint": passage["fingerprint"] });
        let holder = match name {
            Some(name) => json!({ "id": id, "name": name }),
            None => json!({ "id": id }),
        };
        let (code, answer) = served.post(&path, &said(holder));
        match expected {
            Ok((who, name)) => {
                assert_eq!(code, 200, "{id}: {answer}");
                assert_eq!((&answer["who"], &answer["name"]), (&json!(who), &json!(name)), "{id}");
                let figures = served.json("/api/v1/figures");
                let mut actors = figures["actors"].as_array().unwrap().iter();
                let actor = actors.find(|actor| actor["who"] == who).unwrap();
                let (kind, country) =
                    if who.len() == 3 { ("country", json!(who)) } else { ("other", Value::Null) };
                assert_eq!((&actor["kind"], &actor["country"]), (&json!(kind), &country), "{id}");
            }
            Err(error) => {
                assert_eq!(code, 422, "{id}: {answer}");
                assert!(answer["error"].as_str().unwrap().contains(error), "{id}: {answer}");
            }
        }
        assert_eq!(served.post(&path, &said(Value::Null)).0, 200);
        if name.is_none() {
            let form = Form::on(&served, "/documents/d").with("holder", id);
            let (code, _, page) = form.send(&served);
            assert_eq!(code == 303, expected.is_ok(), "{id}: {page}");
            if let Err(error) = expected {
                assert!(page.contains(error), "{id}: {page}");
            }
            Form::on(&served, "/documents/d").with("undo", "yes").send(&served);
        }
    }
}

#[test]
fn a_form_corrects_a_score_and_says_by_whom() {
    let served = Served::new();
    let form = Form::on(&served, "/documents/b")
        .with("score", "\u{2212}0,25")
        .with("person", "Ada")
        .with("note", "it is a quotation");
    assert_eq!(form.send(&served).0, 303);
    let score = standing(&served).into_iter().find(|(who, _)| who == "BOR").unwrap().1;
    assert!((score + 0.25).abs() < 1e-9, "{score}");
    assert!(served.get("/documents/b").1.contains("corrected, was +0.80"));
    let listed = served.get("/corrections").1;
    for said in ["score \u{2212}0.25", "Ada", "it is a quotation"] {
        assert!(listed.contains(said), "{said}");
    }
}

#[test]
fn without_a_script_a_passage_is_judged_by_a_form() {
    let served = Served::new();
    let key = served.json("/api/v1/evidence?who=BOR")["rows"][0]["key"].clone();
    for (verdict, expected) in
        [("accepted", "accepted".into()), ("rejected", "rejected".into()), ("", Value::Null)]
    {
        let form = Form::on(&served, "/documents/b").with("verdict", verdict);
        assert_eq!(form.send(&served).0, 303, "{verdict}");
        let rows = served.json("/api/v1/evidence?who=BOR");
        assert_eq!((&rows["rows"][0]["key"], &rows["rows"][0]["verdict"]), (&key, &expected));
    }
}

#[test]
fn what_cannot_be_kept_is_refused_with_a_way_back() {
    let served = Served::new();
    let before = standing(&served);
    let long = "a".repeat(2001);
    for (name, value, code, expected) in [
        ("score", "0.8", 422, "nothing was changed"),
        ("holder", "BOR", 422, "nothing was changed"),
        ("score", "7", 422, "found `7`, expected a score of -1 (opposed) to 1 (supportive)"),
        ("score", "NaN", 422, "found `NaN`, expected a score"),
        ("verdict", "loud", 422, "found the verdict `loud`"),
        ("passage", "0000", 409, "its document came again since: load the page again"),
        ("mark", "0000", 403, "load the page again"),
    ] {
        let form = Form::on(&served, "/documents/b").with(name, value);
        let (found, _, said) = form.send(&served);
        assert_eq!(found, code, "{name}={value}: {said}");
        assert!(said.contains(expected), "{name}={value}: {said}");
        assert!(said.contains("href=\"/documents/b\""), "{name}={value} leads back");
    }
    let form = Form::on(&served, "/documents/b").with("score", "0").with("note", &long);
    let (code, _, said) = form.send(&served);
    assert!(code == 422 && said.contains("2001 characters in `note`"), "{said}");
    assert_eq!(standing(&served), before);
    let form = Form::on(&served, "/documents/b").with("back", "//evil.example").with("score", "0");
    assert!(form.send(&served).1.starts_with("/evidence#p"), "it leads nowhere else");
}

#[test]
fn a_form_is_taken_from_a_page_of_ours_only() {
    let served = Served::new();
    let form = Form::on(&served, "/documents/b").with("score", "0");
    let cookie = ("cookie", served.cookie.as_str());
    let (host, origin) = (("host", "h:1"), ("origin", "http://h:1"));
    let cases: [super::Case<'_>; 6] = [
        ("nobody", &[host, origin], 401),
        ("the cookie alone", &[cookie, host], 403),
        ("another site", &[cookie, host, ("origin", "https://evil.example")], 403),
        ("no origin", &[cookie, host, ("origin", "null")], 403),
        ("a script of ours", &[cookie, host, origin, ("x-standpoint", "1")], 200),
        ("a program", &[("authorization", "Bearer a-token-of-this-test")], 303),
    ];
    for (case, headers, expected) in cases {
        let reply = served.ask(Method::POST, &form.path, headers, &form.body());
        assert_eq!(reply.status.as_u16(), expected, "{case}");
        Form::on(&served, "/documents/b").with("undo", "yes").send(&served);
    }
    let page = served.ask(Method::GET, "/documents/b", &[cookie], "");
    let policy = page.headers.iter().find(|(name, _)| *name == "referrer-policy").unwrap();
    assert_eq!(policy.1, "same-origin", "else a browser says nothing of where a form comes from");
}

#[test]
fn a_word_is_taken_back_where_all_words_are_listed() {
    let served = Served::new();
    let before = standing(&served);
    let key = served.json("/api/v1/evidence?who=BOR")["rows"][0]["key"].clone();
    let said = Form::on(&served, "/documents/b").with("score", "-0.5").with("person", "Ada");
    assert_eq!(said.send(&served).0, 303);
    let listed = served.get("/corrections").1;
    assert!(listed.contains(&format!("href=\"/documents/b?target=RUS#e{key}\"")), "{listed}");
    assert!(served.get("/documents/b?target=RUS").1.contains(&format!("id=\"e{key}\"")));
    let path = listed.split("action=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let named = |name| (name, field(&listed, "action=\"/corrections/", name));
    let undo = || Form { path: path.clone(), fields: vec![named("mark"), named("made_at")] };
    for (name, value, expected) in [("mark", "0000", 403), ("made_at", "2024-05-01", 409)] {
        let (code, _, page) = undo().with(name, value).send(&served);
        assert_eq!(code, expected, "{name}: {page}");
        assert!(page.contains("href=\"/corrections\""), "{page}");
    }
    let (code, place, _) = undo().send(&served);
    assert_eq!((code, place.as_str()), (303, "/corrections"));
    assert_eq!(standing(&served), before);
    assert!(served.get("/corrections").1.contains("Nothing yet."));
    assert_eq!(undo().send(&served).0, 409, "once is enough");
}

#[test]
fn a_program_takes_a_word_back() {
    let served = Served::new();
    let before = standing(&served);
    let said = Form::on(&served, "/documents/b").with("verdict", "rejected");
    assert_eq!(said.send(&served).0, 303);
    let row = served.json("/api/v1/corrections")["rows"][0].take();
    let path = format!("/api/v1/corrections/{}/undo", row["key"]);
    assert_eq!(served.post(&path, &json!({ "made_at": "never" })).0, 409);
    assert_eq!(served.post(&path, &json!({ "made_at": row["made_at"] })).0, 200);
    assert_eq!(standing(&served), before);
}

#[test]
fn a_script_gets_the_form_alone_and_a_browser_a_page() {
    let served = Served::new();
    let link = link_on(&served, "/evidence?who=COR&target=RUS");
    let (code, page) = served.get(&link);
    assert_eq!(code, 200);
    assert!(
        page.starts_with("<!DOCTYPE html>") && page.contains("class=\"passage open\""),
        "{page}"
    );
    assert_eq!(field(&page, "class=\"correction\"", "back"), "/evidence?who=COR&target=RUS");
    let cookie = [("cookie", served.cookie.as_str()), ("x-standpoint", "1")];
    let form = text(served.ask(Method::GET, &link, &cookie, ""));
    assert!(form.starts_with("<form class=\"correction\"") && form.ends_with("</form>"), "{form}");
    assert!(page.contains(&form), "the same form");
    // Nobody else gets it, and what it leads back to is ours.
    assert_eq!(served.ask(Method::GET, &link, &[], "").status, 401);
    let elsewhere = link.replace("back=%2Fevidence", "back=%2F%2Fevil.example%2Fevidence");
    assert_ne!(elsewhere, link);
    assert!(!served.get(&elsewhere).1.contains("evil"));
}

#[test]
fn a_form_is_of_the_passage_that_was_shown_or_of_none() {
    let served = Served::new();
    let link = link_on(&served, "/evidence?who=COR");
    let never = record("c", "2024-07-01", "Dord said never, and that was that.", "DOR", -0.9);
    let mut store = Store::open(&served.folder.path().join("store.db"), false).unwrap();
    store.put(&[never]).unwrap()[0].clone().unwrap();
    let (code, page) = served.get(&link);
    assert!(code == 409 && page.contains("load the page again"), "{code} {page}");
    assert!(!page.contains("<form"), "{page}");
    let cookie = [("cookie", served.cookie.as_str()), ("x-standpoint", "1")];
    let reply = served.ask(Method::GET, &link, &cookie, "");
    assert_eq!(reply.status, 409);
    assert!(text(reply).starts_with("{\"error\""), "a script is told as JSON");
}

#[test]
fn a_verdict_moves_the_figures_and_can_be_taken_back() {
    let served = Served::new();
    let who = |served: &Served| -> Vec<String> {
        let figures = served.json("/api/v1/figures");
        let actors = figures["actors"].as_array().unwrap().iter();
        actors.map(|actor| actor["who"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(who(&served), ["BOR", "COR", "ALD"]);
    let passage = served.json("/api/v1/evidence?who=BOR")["rows"][0].take();
    let path = format!("/api/v1/evidence/{}/correction", passage["key"]);
    let fingerprint = passage["fingerprint"].clone();
    let said = |field: &str, value: Value| json!({ "field": field, "value": value, "fingerprint": fingerprint });
    let (code, passage) = served.post(&path, &said("verdict", json!("rejected")));
    assert_eq!((code, &passage["verdict"]), (200, &json!("rejected")));
    assert_eq!(who(&served), ["COR", "ALD"]);
    let labelled = served.get("/api/v1/corrections.jsonl").1;
    let row: Value = serde_json::from_str(&labelled).unwrap();
    assert_eq!(
        (&row["holder"], &row["label"], &row["said"]["score"]),
        (&json!("BOR"), &json!("neutral"), &json!(0.8))
    );
    assert_eq!(served.post(&path, &said("verdict", Value::Null)).0, 200);
    assert_eq!(who(&served), ["BOR", "COR", "ALD"]);
    for (body, expected) in [
        (said("score", json!(7)), 422),
        // What is said already is no label of a person's.
        (said("score", passage["score"].clone()), 422),
        (said("holder", json!({ "id": "BOR" })), 422),
        (said("actor", json!({ "id": "BOR" })), 422),
        (said("verdict", json!("loud")), 400),
        (said("holder", json!({ "id": "" })), 422),
        (json!({ "field": "verdict", "value": "rejected" }), 428),
        (json!({}), 400),
    ] {
        let (code, answer) = served.post(&path, &body);
        assert_eq!(code, expected, "{body}: {answer}");
    }
    let nowhere = "/api/v1/evidence/999/correction";
    assert_eq!(served.post(nowhere, &said("verdict", Value::Null)).0, 404);
}

#[test]
fn a_verdict_from_a_page_of_before_meets_no_other_passage() {
    let served = Served::new();
    let (_, page) = served.get("/evidence?who=COR");
    let shown = |mark: &str| page.split(mark).nth(1).unwrap().split('"').next().unwrap();
    let (key, fingerprint) = (shown("data-key=\""), shown("name=\"passage\" value=\""));
    // The document comes again and says something of somebody else, in the row that is free now.
    let never = "Dord said never, and that was that.";
    let mut store = Store::open(&served.folder.path().join("store.db"), false).unwrap();
    store.put(&[record("c", "2024-07-01", never, "DOR", -0.9)]).unwrap()[0].clone().unwrap();
    let rows = served.json("/api/v1/evidence?who=DOR");
    assert_eq!(rows["rows"][0]["key"].to_string(), key, "it has the key of the one of before");
    let path = format!("/api/v1/evidence/{key}/correction");
    let said = json!({ "field": "verdict", "value": "rejected", "fingerprint": fingerprint });
    let (code, answer) = served.post(&path, &said);
    let error = answer["error"].as_str().unwrap();
    assert!(code == 409 && error.contains("load it again"), "{code} {error}");
    // As a form sends it, too.
    let own = [
        ("cookie", served.cookie.as_str()),
        ("host", "h:1"),
        ("origin", "http://h:1"),
        ("x-standpoint", "1"),
    ];
    let path = format!("/evidence/{key}/correction");
    for body in [format!("passage={fingerprint}&verdict=rejected"), "verdict=rejected".to_owned()] {
        let reply = served.ask(Method::POST, &path, &own, &body);
        assert_eq!(reply.status, 409, "{body}");
        assert!(text(reply).contains("load the page again"), "{body}");
    }
    assert_eq!(served.json("/api/v1/evidence?who=DOR"), rows, "nothing is said of it");
}
