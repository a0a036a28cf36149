//! What a report tells its reader, read as text.

use serde_json::json;
use standpoint_store::{Filter, Record, Store};
use standpoint_web::report::{self, Contents};

/// A page as a reader sees it: a line for each block, without styles and charts.
fn told(page: &str) -> String {
    let body = page.split_once("<body").unwrap().1.split_once('>').unwrap().1;
    let mut lines = vec![String::new()];
    let mut rest = body;
    while let Some((text, tag)) = rest.split_once('<') {
        lines.last_mut().unwrap().push_str(text);
        let (tag, after) = tag.split_once('>').unwrap();
        rest = after;
        let name = tag.trim_start_matches('/').split([' ', '>']).next().unwrap();
        if name == "svg" {
            rest = rest.split_once("</svg>").unwrap().1;
        }
        let is_block = matches!(
            name,
            "p" | "h1"
                | "h2"
                | "h3"
                | "h4"
                | "li"
                | "tr"
                | "section"
                | "article"
                | "header"
                | "footer"
                | "blockquote"
                | "details"
                | "summary"
                | "table"
                | "ul"
                | "div"
                | "caption"
        );
        if is_block {
            lines.push(String::new());
        } else if matches!(tag.split(' ').next().unwrap(), "td" | "th" | "span" | "time") {
            lines.last_mut().unwrap().push(' ');
        }
    }
    let lines = lines.iter().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
    let lines: Vec<String> = lines.filter(|line| !line.is_empty()).collect();
    let text = lines.join("\n");
    let named = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&amp;", "&")];
    named.iter().fold(text, |text, (name, letter)| text.replace(name, letter))
}

/// What stands between two headings.
fn between<'t>(text: &'t str, from: &str, to: &str) -> &'t str {
    let after = &text[text.find(from).unwrap_or_else(|| panic!("{from} in {text}"))..];
    after[..after.find(to).unwrap_or(after.len())].trim_end()
}

/// A document in which Alda says something, and perhaps something else against it.
fn record(id: &str, day: &str, says: Option<(&str, f64)>, against: Option<(&str, f64)>) -> Record {
    let text = format!(
        "{} {}",
        says.map_or("Nothing was said.", |(text, _)| text),
        against.map_or("", |(text, _)| text)
    );
    let piece = |(said, score): (&str, f64)| {
        let start = text[..text.find(said).unwrap()].chars().count();
        json!({
            "start": start, "end": start + said.chars().count(), "text": said, "score": score,
            "confidence": 0.9, "voice": "quoted", "time": "present", "holder": null,
            "target": null, "cue": null, "rule": "verb"
        })
    };
    let stance = says.map(|says| {
        json!({
            "target": { "id": "RUS", "name": "Russia" }, "author": null,
            "actors": [{
                "id": "ALD", "name": "Alda", "kind": "country", "country": null, "mentions": 1,
                "label": "opposed", "degree": "opposed", "score": says.1, "confidence": 0.9,
                "evidence": [piece(says)],
                "counter_evidence": against.map(piece).into_iter().collect::<Vec<_>>(),
            }]
        })
    });
    let record = json!({
        "version": 1, "id": id, "source": { "name": "wire", "path": null, "id": null },
        "title": format!("Of {day}"), "language": "en", "published": day, "author": null,
        "status": "complete", "notes": [], "text": text, "sentences": [], "sentiment": null,
        "attributes": {}, "entities": [],
        "stance": stance.into_iter().collect::<Vec<_>>(),
        "provenance": { "standpoint": "0.1.0", "pipeline": "news@abc123", "stages": [
            { "name": "entity", "version": "0.3.0", "ms": 0.1 },
            { "name": "stance", "version": "0.4.0", "model": "stance-7 b1946ac9", "ms": 0.1 }] }
    });
    Record::read(&record.to_string()).unwrap()
}

fn page(records: &[Record], contents: &Contents) -> String {
    let mut store = Store::temporary().unwrap();
    for answer in store.put(records).unwrap() {
        answer.unwrap();
    }
    let mut page = Vec::new();
    report::write(&store, &Filter::toward("RUS"), contents, &mut page).unwrap();
    String::from_utf8(page).unwrap()
}

#[test]
fn what_speaks_against_a_stance_stands_beside_what_shows_it() {
    let records = [
        record("a", "2024-01-05", Some(("Alda condemned the raid.", -0.9)), None),
        record(
            "b",
            "2024-03-05",
            Some(("Alda rejected the offer.", -0.7)),
            Some(("Yet Alda thanked Moscow for the grain.", 0.6)),
        ),
    ];
    let text = told(&page(&records, &Contents::default()));
    insta::assert_snapshot!(between(&text, "What shows it", "What was read"), @r"
    What shows it
    In the text: against the target, for it; who holds the stance, the target; others that are named.
    Alda −0.80 opposed 2 stories
    Alda −0.90 opposed quoted present
    Alda condemned the raid.
    Of 2024-01-05 wire 2024-01-05 90% sure by verb
    Alda −0.70 distancing quoted present
    Alda rejected the offer.
    Of 2024-03-05 wire 2024-03-05 90% sure by verb
    What speaks against it
    Alda +0.60 leaning quoted present speaks against it
    Yet Alda thanked Moscow for the grain.
    Of 2024-03-05 wire 2024-03-05 90% sure by verb
    ");
}

#[test]
fn the_foot_says_who_made_it_and_how() {
    let records = [record("a", "2024-01-05", Some(("Alda condemned the raid.", -0.9)), None)];
    let text = told(&page(&records, &Contents::default()));
    insta::assert_snapshot!(between(&text, "How this was made", "\0"), @r"
    How this was made
    1 document by Standpoint 0.1.0, pipeline news@abc123: entity 0.3.0, stance 0.4.0 (stance-7 b1946ac9).
    A score is the mean over stories, each weighed by its confidence; a story printed several times counts once. Intervals are of 95%, and wide where stories are few. Machines read these texts and err: the sentences are there so that you can see.
    ");
}

#[test]
fn a_time_without_evidence_is_a_dash_and_never_a_zero() {
    let records = [
        record("a", "2024-01-05", Some(("Alda condemned the raid.", -0.9)), None),
        record("b", "2024-02-05", Some(("Alda rejected the offer.", -0.7)), None),
        record("c", "2024-04-05", Some(("Alda praised the truce.", 0.8)), None),
    ];
    let text = told(&page(&records, &Contents::default()));
    insta::assert_snapshot!(between(&text, "The numbers as a table", "What shows it"), @r"
    The numbers as a table
    Who 2024-01 2024-02 2024-03 2024-04
    Alda −0.90 (1) −0.70 (1) – +0.80 (1)
    ");
}

#[test]
fn the_documents_of_passages_that_are_shown_come_before_later_ones() {
    let mut records = vec![
        record("a", "2024-01-05", Some(("Alda condemned the raid.", -0.9)), None),
        record("b", "2024-02-05", Some(("Alda rejected the offer.", -0.3)), None),
    ];
    records.extend((1..=9).map(|day| {
        let id = format!("late-{day}");
        record(&id, &format!("2024-12-0{day}"), None, None)
    }));
    for (documents, expected, told_so) in [
        (1, &["Of 2024-01-05"][..], "1 of 11 documents: those of the passages above, as far as"),
        (2, &["Of 2024-02-05", "Of 2024-01-05"], "2 of 11 documents: those of the passages above"),
        (
            4,
            &["Of 2024-12-09", "Of 2024-12-08", "Of 2024-02-05", "Of 2024-01-05"],
            "4 of 11 documents: those of the passages above, and the latest besides",
        ),
    ] {
        let page = page(&records, &Contents { documents, ..Contents::default() });
        let text = told(&page);
        let read = between(&text, "What was read", "How this was made");
        let titles: Vec<&str> = read
            .lines()
            .filter(|line| line.starts_with("Of 2024"))
            .map(|line| line.split(" wire").next().unwrap())
            .collect();
        assert_eq!(titles, expected, "{documents} documents");
        assert!(read.contains(told_so), "{read}");
        // Each link to a passage leads to a place on the page.
        for link in page.split("href=\"#d").skip(1) {
            let id = link.split('"').next().unwrap();
            assert!(page.contains(&format!("id=\"d{id}\"")), "#d{id}");
        }
    }
}
