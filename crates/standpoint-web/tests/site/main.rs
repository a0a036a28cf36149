//! What the dashboard promises, asked as a browser and a program would.

#![recursion_limit = "256"]
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test stops where something is wrong")]

mod corrections;
mod exports;
mod health;
mod misspelt;
mod report;

use std::io::Write;
use std::sync::{Arc, Mutex};

use http::{HeaderMap, HeaderName, Method};
use serde_json::{Value, json};
use standpoint_store::{Filter, Record, Store};
use standpoint_web::login::Keys;
use standpoint_web::reply::{Body, Reply, Request};
use standpoint_web::report::Contents;
use standpoint_web::site::{Daemon, Site};
use standpoint_web::{export, frame, openapi};

const HOSTILE: &str = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'&\u{202e}";

/// A daemon that has two files in quarantine.
#[derive(Default)]
struct Fake(Mutex<Vec<String>>);

impl Daemon for Fake {
    fn status(&self) -> Value {
        json!({
            "ready": false, "reasons": [HOSTILE], "uptime_seconds": 10, "started": "2026-11-24",
            "documents": { "read": 3, "done": 2, "failed": 1, "in_flight": 0 },
            "stages": [{ "id": "stance", "done": 2, "time_ms": 40 }],
            "sinks": [{ "name": "store", "done": 2, "paused_by": HOSTILE }],
        })
    }

    fn quarantine(&self) -> Result<Vec<Value>, String> {
        Ok(vec![
            json!({ "file": HOSTILE, "bytes": 9, "reason": { "reason": HOSTILE } }),
            json!({ "file": "b.txt", "bytes": 9, "unreadable": "its reason cannot be read" }),
        ])
    }

    fn replay(&self, file: &str) -> Result<(), String> {
        if file != "b.txt" {
            return Err("there is no such file".to_owned());
        }
        self.0.lock().unwrap().push(file.to_owned());
        Ok(())
    }

    fn sources(&self) -> Option<Vec<String>> {
        Some(vec!["wire".to_owned(), "press".to_owned()])
    }

    fn knows(&self, name: &str) -> bool {
        self.called(name).is_some()
    }

    fn called(&self, name: &str) -> Option<(String, String)> {
        let known = [["EU", "European Union", "the Union"], ["BOR", "Bord", "BRD"]];
        let found = known.into_iter().find(|names| names.contains(&name));
        found.map(|[id, name, _]| (id.to_owned(), name.to_owned()))
    }
}

struct Served {
    site: Arc<Site>,
    daemon: Arc<Fake>,
    folder: tempfile::TempDir,
    login: String,
    cookie: String,
}

fn record(id: &str, day: &str, text: &str, who: &str, score: f64) -> Record {
    let length = text.chars().count();
    let record = json!({
        "version": 1, "id": id, "source": { "name": "wire", "path": HOSTILE, "id": null },
        "title": HOSTILE, "language": "en", "published": day, "author": HOSTILE,
        "status": "partial", "notes": [HOSTILE], "text": text,
        "sentences": [], "sentiment": null, "attributes": { "a": HOSTILE },
        "entities": [{ "start": 0, "end": 4, "label": "country", "id": who, "name": HOSTILE,
            "confidence": 0.9, "sentiment": null }],
        "stance": [{
            "target": { "id": "RUS", "name": "Russia" }, "author": null,
            "actors": [{
                "id": who, "name": format!("{who} {HOSTILE}"), "kind": "country", "country": null,
                "mentions": 1, "label": "opposed", "degree": "distancing", "score": score,
                "confidence": 0.8, "counter_evidence": [],
                "evidence": [{
                    "start": 0, "end": length, "text": text, "score": score, "confidence": 0.9,
                    "voice": "author", "time": "present", "holder": { "start": 0, "end": 4 },
                    "target": { "start": 5, "end": 9 }, "cue": { "start": 7, "end": 12 },
                    "rule": HOSTILE
                }]
            }]
        }],
        "provenance": { "standpoint": "0.1.0", "pipeline": HOSTILE, "stages": [
            { "name": "stance", "version": "0.1.0", "model": HOSTILE, "ms": 0.1 }] }
    });
    Record::read(&record.to_string()).unwrap()
}

fn store(path: &std::path::Path) -> Store {
    let mut store = Store::open(path, false).unwrap();
    let records = [
        record("a/1?", "2024-05-01", &format!("Alda said no. {HOSTILE}"), "ALD", -0.6),
        record("b", "2024-06-01", "Bord said yes to all of it, and gladly so.", "BOR", 0.8),
        record("c", "2024-07-01", "Cord said maybe, =1+1 as one says in spreadsheets.", "COR", 0.1),
    ];
    for answer in store.put(&records).unwrap() {
        answer.unwrap();
    }
    store
}

impl Served {
    fn new() -> Self {
        Self::with(&[], export::MOST_ROWS)
    }

    /// With further documents, and with files that end after so many rows.
    fn with(records: &[Record], most_rows: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.db");
        for answer in store(&path).put(records).unwrap() {
            answer.unwrap();
        }
        let keys = Keys::new([1; 32], [2; 32], "a-token-of-this-test", 8686);
        let daemon = Arc::new(Fake::default());
        let site = Site::new(path, keys, Arc::clone(&daemon) as Arc<dyn Daemon>);
        let site = Arc::new(site.with_most_rows(most_rows));
        let login = site.login().to_owned();
        let mut served = Self { site, daemon, folder, login, cookie: String::new() };
        let own = [("host", "h:1"), ("origin", "http://h:1"), ("x-standpoint", "1")];
        let key = served.login.clone();
        let reply = served.ask(Method::POST, "/api/v1/session", &own, &key);
        let cookie = reply.headers.iter().find(|(name, _)| *name == "set-cookie").unwrap();
        for promise in ["HttpOnly", "SameSite=Strict", "Path=/"] {
            assert!(cookie.1.contains(promise), "{cookie:?}");
        }
        cookie.1.split(';').next().unwrap().clone_into(&mut served.cookie);
        served
    }

    fn ask(
        &self,
        method: Method,
        path: &str,
        headers: &[(&'static str, &str)],
        body: &str,
    ) -> Reply {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let headers: HeaderMap = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()))
            .collect();
        let (path, query) = (path.to_owned(), query.to_owned());
        let request = Request { method, path, query, headers, body: body.as_bytes().to_vec() };
        self.site.answer(&request, false)
    }

    /// As a browser that has logged in.
    fn get(&self, path: &str) -> (u16, String) {
        let reply = self.ask(Method::GET, path, &[("cookie", &self.cookie)], "");
        (reply.status.as_u16(), text(reply))
    }

    /// What an answer says that it lacks.
    fn lacks(&self, path: &str) -> Option<String> {
        let reply = self.ask(Method::GET, path, &[("cookie", &self.cookie)], "");
        assert_eq!(reply.status, 200, "{path}");
        let mut headers = reply.headers.into_iter();
        headers.find(|(name, _)| *name == "x-standpoint-truncated").map(|(_, what)| what)
    }

    fn get_bytes(&self, path: &str) -> (u16, Vec<u8>) {
        let reply = self.ask(Method::GET, path, &[("cookie", &self.cookie)], "");
        (reply.status.as_u16(), bytes(reply))
    }

    fn json(&self, path: &str) -> Value {
        let (code, text) = self.get(path);
        assert_eq!(code, 200, "{path}: {text}");
        serde_json::from_str(&text).unwrap()
    }

    /// As a page of ours.
    fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        self.post_text(path, &body.to_string())
    }

    fn post_text(&self, path: &str, body: &str) -> (u16, Value) {
        let headers = [
            ("cookie", self.cookie.as_str()),
            ("host", "h:1"),
            ("origin", "http://h:1"),
            ("x-standpoint", "1"),
            ("content-type", "application/json"),
        ];
        let reply = self.ask(Method::POST, path, &headers, body);
        (reply.status.as_u16(), serde_json::from_str(&text(reply)).unwrap())
    }
}

fn text(reply: Reply) -> String {
    String::from_utf8(bytes(reply)).unwrap()
}

fn bytes(reply: Reply) -> Vec<u8> {
    match reply.whole().body {
        Body::Whole(bytes) => bytes,
        Body::Written(write) => {
            let mut bytes = Vec::new();
            write(&mut bytes).unwrap();
            bytes
        }
        Body::Begun(..) | Body::Events => panic!("a page was made whole, and events have no end"),
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

const PAGES: [&str; 9] = [
    "/",
    "/figures",
    "/?who=ALD&from=2024-01-01&voice=author",
    "/evidence",
    "/documents",
    "/documents/a%2F1%3F",
    "/shifts",
    "/health",
    "/corrections",
];

#[test]
fn the_numbers_of_the_charts_are_a_page_away_and_keep_the_filter() {
    let served = Served::new();
    let (_, page) = served.get("/?from=2024-01-01&who=ALD");
    let address = "/figures?target=RUS&amp;from=2024-01-01&amp;who=ALD";
    assert!(page.contains(&format!("<a href=\"{address}\">The numbers as a table</a>")), "{page}");
    assert!(!page.contains("aria-label=\"Figures over time\""), "they hold up the charts");
    let (code, page) = served.get(&address.replace("&amp;", "&"));
    let table = page.split("aria-label=\"Figures over time\"").nth(1).unwrap();
    assert_eq!((code, table.matches("<th scope=\"row\">").count()), (200, 1), "{table}");
    assert!(page.contains("aria-current=\"page\">Overview<"), "{page}");
    assert!(!page.contains(" more</a>"), "{page}");
    let (_, page) = served.get("/figures?actors=1");
    let more = "href=\"/figures?target=RUS&amp;actors=3#figures\">And 2 more</a>.";
    assert!(page.contains(more), "{page}");
    let (_, page) = served.get("/?actors=1");
    let more = "href=\"/?target=RUS&amp;actors=3#ranking\">And 2 more</a>, with";
    assert!(page.contains(more), "{page}");
    let (_, page) = served.get("/figures?from=2030");
    assert!(page.contains("Nothing that is looked at has a date."), "{page}");
    assert!(!page.contains("<table"), "{page}");
}

#[test]
fn the_ranking_is_sent_before_the_rest_of_its_page_is_made() {
    let served = Served::new();
    let ask = |path: &str| served.ask(Method::GET, path, &[("cookie", &served.cookie)], "");
    let parts = |reply: Reply| {
        let Body::Begun(head, rest) = reply.body else { panic!("it is sent at once") };
        let mut parts = vec![head];
        rest(&mut |part| {
            parts.push(part);
            true
        });
        parts.into_iter().map(|part| String::from_utf8(part).unwrap()).collect::<Vec<_>>()
    };
    let [head, ranking, rest, end] = &parts(ask("/"))[..] else { panic!("its parts") };
    // A browser fetches what it needs before anything is looked up.
    let begins = |head: &str| head.contains("/assets/style.css") && head.ends_with("</head><body>");
    assert!(begins(head), "{head}");
    for path in ["/evidence", "/documents", "/shifts", "/figures", "/health"] {
        let [head, all, _] = &parts(ask(path))[..] else { panic!("its parts") };
        assert!(begins(head) && all.contains("<main") && all.contains("</main>"), "{path}: {all}");
    }
    assert!(ranking.contains("class=\"ranking\"") && !ranking.contains("</main>"), "{ranking}");
    assert!(ranking.ends_with("</section>"), "{ranking}");
    assert!(rest.starts_with("<section id=\"time\""), "{rest}");
    assert!(rest.ends_with("</dialog>") && end == "</body></html>", "{rest}");
    let lower = ["evidence", "documents", "shifts", "health"].map(|id| format!("id=\"{id}\""));
    for part in lower.iter().map(String::as_str).chain(["</main>"]) {
        assert_eq!(rest.matches(part).count(), 1, "{part}");
    }
    // For a reader that is gone no more is made.
    let Body::Begun(_, rest) = ask("/").body else { panic!("it is sent at once") };
    let mut made = Vec::new();
    rest(&mut |part| {
        made.extend(part);
        false
    });
    let made = String::from_utf8(made).unwrap();
    assert!(made.contains("class=\"ranking\"") && !made.contains("id=\"time\""), "{made}");
    // What fails later is told where it would stand, and the page has its end.
    let begun = ask("/");
    let store = Store::open(&served.folder.path().join("store.db"), false).unwrap();
    store.sqlite().unwrap().execute_batch("DROP TABLE evidence_row").unwrap();
    let page = parts(begun).concat();
    assert!(page.contains("There is more, but the store cannot be used: "), "{page}");
    assert!(
        page.contains("class=\"ranking\"") && page.ends_with("</main></body></html>"),
        "{page}"
    );
    let page = parts(ask("/evidence")).concat();
    assert!(
        page.contains("<form class=\"filters\"")
            && page.contains("Nothing can be shown here: the store cannot be used: "),
        "{page}"
    );
    assert!(page.ends_with("</main></body></html>"), "{page}");
    assert_eq!(ask("/api/v1/evidence").status, 503, "a program is told by the status");
    // Nor is more promised where the ranking itself is gone.
    let begun = ask("/");
    store.sqlite().unwrap().execute_batch("DROP TABLE month_figure").unwrap();
    let page = parts(begun).concat();
    assert!(page.contains("<main id=\"main\"><p class=\"complaint\">Nothing can be"), "{page}");
}

#[test]
fn what_documents_say_is_text_on_every_page() {
    let served = Served::new();
    let passage = served.json("/api/v1/evidence")["rows"][2].take();
    let path = format!("/api/v1/evidence/{}/correction", passage["key"]);
    let said = json!({
        "field": "verdict", "value": "accepted", "fingerprint": passage["fingerprint"],
        "person": HOSTILE, "note": HOSTILE,
    });
    assert_eq!(served.post(&path, &said).0, 200);
    for page in PAGES {
        let (code, page_text) = served.get(page);
        assert_eq!(code, 200, "{page}");
        assert!(page_text.contains("&lt;script&gt;"), "{page} shows nothing of it");
        // A file is named to be tried again as it is called; nobody reads that.
        let page_text = page_text.replace(&format!("data-replay=\"{}\"", escaped(HOSTILE)), "");
        for markup in
            ["<script>", "<img", "onerror=alert(2)>", "\u{202e}", " style=", "javascript:"]
        {
            assert!(!page_text.contains(markup), "{markup} in {page}");
        }
    }
    let mut report = Vec::new();
    let store = Store::read(&served.folder.path().join("store.db")).unwrap();
    standpoint_web::report::write(
        &store,
        &Filter::toward("RUS"),
        &Contents::default(),
        &mut report,
    )
    .unwrap();
    let report = String::from_utf8(report).unwrap();
    for markup in ["<script", "<img", "\u{202e}", " style=", "src=", "url("] {
        assert!(
            !report.contains(markup) || markup == "src=" && report.contains("img src=x"),
            "{markup}"
        );
    }
    assert_eq!(report.matches("class=\"passage").count(), 3);
}

#[test]
fn nobody_sees_a_word_without_a_key() {
    let served = Served::new();
    let paths = PAGES.iter().copied().chain([
        "/api/v1",
        "/api/v1/evidence",
        "/api/v1/evidence.csv",
        "/api/v1/documents/b",
        "/api/v1/events",
        "/api/v1/corrections.jsonl",
        "/api/v1/status",
        "/elsewhere",
    ]);
    for path in paths {
        let reply = served.ask(Method::GET, path, &[], "");
        assert_eq!(reply.status, 401, "{path}");
        assert!(!text(reply).contains("Alda"), "{path}");
    }
    let program = [("authorization", "Bearer a-token-of-this-test")];
    assert_eq!(served.ask(Method::GET, "/api/v1/evidence", &program, "").status, 200);
    for open in ["/login", "/assets/app.js", "/assets/style.css", "/api/v1/openapi.json"] {
        assert_eq!(served.ask(Method::GET, open, &[], "").status, 200, "{open}");
    }
}

/// What a request is, its headers, and the status that it should get.
type Case<'a> = (&'a str, &'a [(&'static str, &'a str)], u16);

#[test]
fn only_a_page_of_ours_or_a_program_changes_anything() {
    let served = Served::new();
    let passage = served.json("/api/v1/evidence")["rows"][0].take();
    let path = format!("/api/v1/evidence/{}/correction", passage["key"]);
    let fingerprint = &passage["fingerprint"];
    let body = json!({ "field": "verdict", "value": "rejected", "fingerprint": fingerprint });
    let body = body.to_string();
    let cookie = ("cookie", served.cookie.as_str());
    let (host, origin, header) = (("host", "h:1"), ("origin", "http://h:1"), ("x-standpoint", "1"));
    let kind = ("content-type", "application/json");
    let cases: [Case<'_>; 8] = [
        ("nothing", &[kind], 401),
        ("the cookie alone", &[cookie, host, kind], 403),
        ("no header", &[cookie, host, origin, kind], 403),
        ("another origin", &[cookie, host, ("origin", "https://evil.example"), header, kind], 403),
        ("a form", &[cookie, host, origin, header, ("content-type", "text/plain")], 415),
        ("a wrong token", &[("authorization", "Bearer nonsense"), kind], 401),
        ("a page of ours", &[cookie, host, origin, header, kind], 200),
        ("a program", &[("authorization", "Bearer a-token-of-this-test"), kind], 200),
    ];
    for (case, headers, expected) in cases {
        let reply = served.ask(Method::POST, &path, headers, &body);
        assert_eq!(reply.status.as_u16(), expected, "{case}");
    }
}

#[test]
fn a_browser_without_scripts_logs_in_by_a_form() {
    let served = Served::new();
    let ask = |origin: &str, body: &str| {
        served
            .ask(Method::POST, "/login", &[("host", "h:1"), ("origin", origin)], body)
            .status
            .as_u16()
    };
    let right = format!("key={}", served.login);
    assert_eq!(ask("http://h:1", &right), 303);
    assert_eq!(ask("https://evil.example", &right), 403);
    assert_eq!(ask("http://h:1", "key=wrong"), 401);
    // Where programs collect the log, it has no address.
    let page = text(served.ask(Method::GET, "/login", &[("host", "h:1")], ""));
    assert!(page.contains("or wrote to <code>dashboard.url</code>"), "{page}");
}

#[test]
fn a_name_is_found_with_its_accents_and_without() {
    let mut given =
        record("d", "2024-07-02", "Erdo\u{11f}an said no to that.", "TUR.ERDOGAN", -0.7);
    given.stance[0].actors[0].name = "Recep Tayyip Erdo\u{11f}an".to_owned();
    let mut other = record("e", "2024-07-03", "Abby said no to that.", "ABB", -0.7);
    other.stance[0].actors[0].name = "Abbrdia".to_owned();
    let served = Served::with(&[given, other], export::MOST_ROWS);
    let rows = |path: &str, key: &str, value: &str| {
        let query =
            form_urlencoded::Serializer::new(String::new()).append_pair(key, value).finish();
        served.json(&format!("/api/v1{path}?{query}"))["rows"].as_array().unwrap().clone()
    };
    for who in ["TUR.ERDOGAN", "Recep Tayyip Erdo\u{11f}an", "recep tayyip erdogan"] {
        let found = rows("/evidence", "who", who);
        assert_eq!((found.len(), &found[0]["who"]), (1, &json!("TUR.ERDOGAN")), "{who}");
    }
    let half = served.get("/api/v1/evidence?who=Erdogan").0;
    assert_eq!(half, 400, "half a name may be anybody's");
    for target in ["RUS", "Russia", "r\u{fa}ssia"] {
        assert_eq!(rows("/evidence", "target", target).len(), 5, "{target}");
    }
    for name in ["erdogan", "ERDO\u{11e}AN", "tayyip erdo"] {
        let found = rows("/actors", "name", name);
        assert_eq!((found.len(), &found[0]["id"]), (1, &json!("TUR.ERDOGAN")), "{name}");
    }
    assert!(rows("/actors", "name", "orban").is_empty());
    // By an id, or by another name that the tables have; whoever is meant comes before the rest,
    // and once.
    for (name, expected) in [
        ("TUR.ERDOGAN", vec!["TUR.ERDOGAN"]),
        ("BRD", vec!["BOR", "ABB"]),
        ("BOR", vec!["BOR"]),
        ("the Union", vec![]),
        ("author:ALD", vec![]),
    ] {
        let found = rows("/actors", "name", name);
        let found: Vec<_> = found.iter().map(|row| row["id"].as_str().unwrap()).collect();
        assert_eq!(found, expected, "{name}");
    }
    let (_, page) = served.get("/?who=recep+tayyip+erdogan&target=russia");
    assert!(page.contains("value=\"TUR.ERDOGAN\"") && !page.contains("Nothing here is toward"));
}

#[test]
fn shifts_are_looked_for_in_the_days_of_the_alerts_and_say_which() {
    let mut served = Served::new();
    let thirty = "from 2024-06-02 to 2024-07-01 (30 days), compared with the 90 days before.";
    assert!(served.get("/shifts").1.contains(thirty));
    let keys = Keys::new([1; 32], [2; 32], "a-token-of-this-test", 8686);
    let site =
        Site::new(served.folder.path().join("store.db"), keys, Arc::clone(&served.daemon) as _);
    served.site = Arc::new(site.with_window(7));
    let seven = "from 2024-06-25 to 2024-07-01 (7 days), compared with the 21 days before.";
    let cases = [
        ("/shifts", seven, false),
        // As the form sends it where nobody chose them.
        ("/shifts?target=RUS&window=7", seven, false),
        ("/shifts?window=1", "(1 day), compared with the 3 days before.", true),
        ("/shifts?window=30", thirty, true),
        ("/shifts?target=NOBODY", "Nothing that is looked at has a date.", false),
    ];
    for (path, expected, is_set) in cases {
        let page = served.get(path).1;
        assert!(page.contains(expected), "{path}: {page}");
        assert_eq!(page.contains("(1 set)"), is_set, "{path}");
    }
    assert!(served.get("/shifts").1.contains("max=\"36500\" value=\"7\""));
}

#[test]
fn every_page_says_which_it_is() {
    let served = Served::new();
    let mut headings: Vec<String> = Vec::new();
    for page in
        ["/", "/evidence", "/documents", "/documents/b", "/shifts", "/health", "/corrections"]
    {
        let text = served.get(page).1;
        // Charts have titles, too.
        let (head, _) = text.split_once("</head>").unwrap();
        let title = head.split_once("<title>").unwrap().1.split_once("</title>").unwrap().0;
        let one = |begin: &str, end: &str| {
            let parts: Vec<_> = text.split(begin).skip(1).collect();
            assert_eq!(parts.len(), 1, "{begin} in {page}");
            parts[0].split_once(end).unwrap().0.to_owned()
        };
        let heading = one("<h1", "</h1>").split_once('>').unwrap().1.to_owned();
        assert_eq!(title, format!("{heading} \u{2013} Standpoint"), "{page}");
        let current = if page == "/documents/b" { "/documents" } else { page };
        let here = one("aria-current=\"page\"", "</a>");
        let path = text.split("aria-current").next().unwrap().rsplit("href=\"").next().unwrap();
        assert_eq!(path.split(['?', '"']).next().unwrap(), current, "{here}");
        headings.push(heading);
    }
    let all = headings.len();
    headings.sort();
    headings.dedup();
    assert_eq!(headings.len(), all, "{headings:?}");
}

#[test]
fn a_file_in_quarantine_is_tried_again() {
    let served = Served::new();
    assert_eq!(served.post("/api/v1/quarantine/replay", &json!({ "file": "b.txt" })).0, 200);
    assert_eq!(served.post("/api/v1/quarantine/replay", &json!({ "file": "../b.txt" })).0, 409);
    assert_eq!(*served.daemon.0.lock().unwrap(), ["b.txt"]);
}

#[test]
fn everything_that_is_described_is_there() {
    let served = Served::new();
    let description = openapi::description();
    let paths = description["paths"].as_object().unwrap();
    assert!(paths.len() > 15);
    for (path, methods) in paths {
        if methods.get("get").is_none() || path == "/events" {
            continue;
        }
        let (code, said) = served.get_bytes(&format!("/api/v1{}", path.replace("{id}", "b")));
        assert_eq!(code, 200, "{path}: {}", String::from_utf8_lossy(&said));
    }
    let text = description.to_string();
    let mut references = text.match_indices("\"#/components/schemas/").peekable();
    assert!(references.peek().is_some());
    for (place, mark) in references {
        let name = text[place + mark.len()..].split('"').next().unwrap();
        assert!(
            description["components"]["schemas"].get(name).is_some(),
            "{name} is not described"
        );
    }
    assert_eq!(served.get("/api/v1/nothing").0, 404);
    assert_eq!(served.get("/documents/nothing").0, 404);
}

#[test]
fn the_script_is_small_and_makes_no_markup_of_text() {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    packed.write_all(frame::SCRIPT.as_bytes()).unwrap();
    let bytes = packed.finish().unwrap().len();
    assert!(bytes < 60 * 1024, "{bytes} bytes");
    for danger in [
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
        "http://",
        "https://",
    ] {
        assert!(!frame::SCRIPT.contains(danger), "{danger}");
    }
    let policy = frame::POLICY;
    assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
}
