//! Exports hold what the page shows, in every format.

use serde_json::{Value, json};
use standpoint_store::Store;
use standpoint_web::openapi;

use crate::{Served, record};

/// The cells of a table of comma-separated values, line by line.
fn cells(table: &str) -> Vec<Vec<String>> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(table.as_bytes());
    let rows = reader.records().map(Result::unwrap);
    rows.map(|row| row.iter().map(str::to_owned).collect()).collect()
}

/// What stands behind every `mark` on a page, up to a quotation mark.
fn behind<'p>(page: &'p str, mark: &str) -> Vec<&'p str> {
    page.split(mark).skip(1).map(|rest| rest.split('"').next().unwrap()).collect()
}

/// What tells a row from others, as JSONL and as CSV have it.
fn named(row: &Value, columns: &[&str]) -> Vec<String> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    columns.iter().map(|column| text(&row[*column])).collect()
}

#[test]
fn exports_hold_exactly_the_rows_that_are_let_through() {
    let served = Served::new();
    let queries = [
        ("", 3, 3),
        ("?target=RUS", 3, 3),
        ("?target=UKR", 0, 3),
        ("?who=ALD", 1, 1),
        ("?from=2024-06", 2, 2),
        ("?from=2024-06-01&to=2024-06", 1, 1),
        ("?words=gladly", 1, 1),
        ("?words=nothing", 0, 0),
        ("?source=wire", 3, 3),
        ("?source=wire&words=said&who=BOR", 1, 1),
        ("?voice=author&time=present", 3, 3),
        ("?voice=quoted", 0, 3),
        ("?time=past", 0, 3),
        ("?verdict=none", 3, 3),
        ("?verdict=rejected", 0, 3),
        ("?holders=all", 3, 3),
        ("?holders=authors", 0, 3),
    ];
    for (query, passages, documents) in queries {
        for (name, expected, mark, column, columns) in [
            ("evidence", passages, "data-key=\"", "key", &["document_id", "start", "end"][..]),
            ("documents", documents, "<th scope=\"row\"><a href=\"/documents/", "id", &["id"]),
        ] {
            let (code, page) = served.get(&format!("/{name}{query}"));
            let seen: Vec<_> = behind(&page, mark)
                .into_iter()
                .map(|seen| seen.split('?').next().unwrap().to_owned())
                .collect();
            assert_eq!((code, seen.len()), (200, expected), "/{name}{query}");

            let lines = served.get(&format!("/api/v1/{name}.jsonl{query}")).1;
            let lines: Vec<Value> =
                lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
            let told: Vec<_> = lines
                .iter()
                .map(|row| standpoint_web::address::encoded(&named(row, &[column])[0]))
                .collect();
            assert_eq!(told, seen, "{name}.jsonl{query}");
            let rows = served.json(&format!("/api/v1/{name}{query}"))["rows"].take();
            assert_eq!(rows, Value::from(lines.clone()), "{name}{query}");

            let table = cells(&served.get(&format!("/api/v1/{name}.csv{query}")).1);
            let (header, rows) = table.split_first().unwrap();
            let places: Vec<usize> = columns
                .iter()
                .map(|column| header.iter().position(|name| name == column).unwrap())
                .collect();
            let told: Vec<Vec<String>> =
                rows.iter().map(|row| places.iter().map(|at| row[*at].clone()).collect()).collect();
            let expected: Vec<_> = lines.iter().map(|row| named(row, columns)).collect();
            assert_eq!(told, expected, "{name}.csv{query}");
        }
        let figures = served.json(&format!("/api/v1/figures{query}"))["actors"].take();
        let lines = served.get(&format!("/api/v1/figures.jsonl{query}")).1;
        let lines: Vec<Value> =
            lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(figures, Value::from(lines.clone()), "figures{query}");
        let table = cells(&served.get(&format!("/api/v1/figures.csv{query}")).1);
        let all: Vec<_> = table.iter().filter(|row| row[4] == "all").map(|row| &row[0]).collect();
        let expected: Vec<_> = lines.iter().map(|row| row["who"].as_str().unwrap()).collect();
        assert_eq!(all, expected, "figures.csv{query}");
    }
    let figures = served.get("/api/v1/figures.csv").1;
    assert!(figures.contains(",all,-0.6,"), "{figures}");
    let mut page = served.json("/api/v1/evidence?limit=2");
    let next = page["next"].take();
    let rest = served.json(&format!("/api/v1/evidence?limit=2&after={}", next.as_str().unwrap()));
    assert_eq!((rest["rows"].as_array().unwrap().len(), &rest["next"]), (1, &Value::Null));
    // What is sent whole takes no page, and a list no cursor of another.
    assert_eq!(served.get("/api/v1/evidence.csv?limit=2").0, 400);
    assert_eq!(served.get(&format!("/api/v1/documents?after={}", next.as_str().unwrap())).0, 400);
}

/// What the column of a table holds in a line of JSON, where either end of a stretch is in it.
fn in_line<'l>(line: &'l Value, column: &str) -> &'l Value {
    let stretches = ["holder", "target", "cue"];
    match column.rsplit_once('_') {
        Some((stretch, end)) if stretches.contains(&stretch) && line[column].is_null() => {
            &line[stretch][end]
        }
        _ => &line[column],
    }
}

#[test]
fn a_table_has_every_field_of_the_lines() {
    let served = Served::new();
    for name in ["evidence", "documents"] {
        let line = served.get(&format!("/api/v1/{name}.jsonl")).1;
        let line: Value = serde_json::from_str(line.lines().next().unwrap()).unwrap();
        let table = cells(&served.get(&format!("/api/v1/{name}.csv")).1);
        let mut expected: Vec<String> = Vec::new();
        // The cursor is for turning pages.
        for (field, value) in line.as_object().unwrap().iter().filter(|(name, _)| *name != "cursor")
        {
            match value {
                Value::Object(_) => {
                    expected.extend(["start", "end"].map(|end| format!("{field}_{end}")));
                }
                _ => expected.push(field.clone()),
            }
        }
        let mut header = table[0].clone();
        for (column, cell) in header.iter().zip(&table[1]) {
            let value = in_line(&line, column);
            if value.is_number() || value.is_boolean() {
                assert_eq!(*cell, value.to_string(), "{name}: {column}");
            }
        }
        header.sort();
        expected.sort();
        assert_eq!(header, expected, "{name}");
    }
}

#[test]
fn what_an_answer_lacks_is_said() {
    // One more of them than words are looked up in.
    let common: Vec<_> = (0..=standpoint_store::filter::MOST_MATCHES)
        .map(|number| record(&format!("d{number}"), "2023-05-01", "Eord said common.", "EOR", 0.2))
        .collect();
    let served = Served::with(&common, 2);
    let paths = ["evidence", "documents", "figures", "shifts"];
    for name in paths {
        let of = |query: &str| served.lacks(&format!("/api/v1/{name}{query}"));
        assert_eq!(of("?words=common"), Some("words=2500".to_owned()), "{name}");
        assert_eq!(of("?words=gladly"), None, "{name}");
        assert_eq!(of(""), None, "{name}: a page says where the next one begins");
    }
    for name in paths {
        let found =
            |query: &str| served.json(&format!("/api/v1/{name}{query}"))["truncated"].clone();
        assert_eq!((found("?words=common"), found("")), (json!(true), json!(false)), "{name}");
    }
    for (name, formats) in [("evidence", ["jsonl", "csv"]), ("documents", ["jsonl", "csv"])] {
        for format in formats {
            let path = format!("/api/v1/{name}.{format}");
            let cases = [
                ("", Some("rows=2")),
                ("?from=2024-06", None),
                ("?words=common", Some("words=2500, rows=2")),
            ];
            for (query, expected) in cases {
                let path = format!("{path}{query}");
                assert_eq!(served.lacks(&path).as_deref(), expected, "{path}");
                let lines = served.get(&path).1.lines().count();
                assert_eq!(lines - usize::from(format == "csv"), 2, "{path}");
            }
        }
    }
    let lines = served.lacks("/api/v1/figures.jsonl?words=common");
    assert_eq!(lines.as_deref(), Some("words=2500"));
    let (_, page) = served.get("/evidence?words=common");
    assert!(page.contains("at most 2 of them") && page.contains("Many documents of these days"));
    let description = openapi::description();
    for path in ["/evidence", "/evidence.csv", "/figures.jsonl", "/shifts", "/corrections"] {
        let headers = &description["paths"][path]["get"]["responses"]["200"]["headers"];
        assert!(headers["x-standpoint-truncated"].is_object(), "{path}");
    }
    let page = &description["paths"]["/evidence"]["get"]["responses"]["200"]["content"];
    let page = &page["application/json"]["schema"]["properties"];
    assert_eq!(page["truncated"]["type"], "boolean");
}

#[test]
fn every_list_says_in_its_body_whether_it_is_all() {
    let served = Served::new();
    let description = openapi::description();
    let lists = ["targets", "actors", "makers", "shifts", "corrections", "quarantine"];
    let lists = lists.map(|name| format!("/{name}"));
    for path in &lists {
        let list = served.json(&format!("/api/v1{path}"));
        assert_eq!((list["rows"].is_array(), &list["truncated"]), (true, &json!(false)), "{path}");
        let answer = &description["paths"][path]["get"]["responses"]["200"];
        let form = &answer["content"]["application/json"]["schema"];
        assert_eq!(form["required"], json!(["rows", "truncated"]), "{path}");
        assert!(answer["headers"]["x-standpoint-truncated"].is_object(), "{path}");
    }
    // A list that says so by its form only would be one that was forgotten.
    for (path, methods) in description["paths"].as_object().unwrap() {
        let answer = &methods["get"]["responses"]["200"]["content"]["application/json"];
        assert_ne!(answer["schema"]["type"], "array", "{path}");
    }
    let store = Store::open(&served.folder.path().join("store.db"), false).unwrap();
    let fill = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1001)";
    for row in [
        "INSERT INTO actor SELECT 'name:' || i, i, 'other', NULL FROM n",
        "INSERT INTO target SELECT 'name:' || i, i FROM n",
        "INSERT INTO correction (document_id, target_id, who, start_offset, end_offset, field, value,
            passage) SELECT i, 'RUS', 'BOR', 0, 1, 'verdict', 'accepted', '' FROM n",
    ] {
        let (table, rows) = row.split_once(" SELECT").unwrap();
        let sql = format!("{table} {fill} SELECT{rows}");
        store.sqlite().unwrap().execute(&sql, []).unwrap();
    }
    for path in ["actors", "targets", "corrections"] {
        let path = format!("/api/v1/{path}");
        let list = served.json(&path);
        let count = list["rows"].as_array().unwrap().len();
        assert_eq!((count, &list["truncated"]), (1000, &json!(true)), "{path}");
        assert_eq!(served.lacks(&path).as_deref(), Some("rows=1000"), "{path}");
    }
}

#[cfg(not(feature = "parquet"))]
#[test]
fn without_parquet_its_address_says_what_to_do() {
    let served = Served::new();
    let (code, said) = served.get("/api/v1/evidence.parquet");
    assert!(code == 501 && said.contains("`--features parquet`"), "{code} {said}");
    assert!(!served.get("/evidence").1.contains(".parquet"));
}

#[cfg(feature = "parquet")]
#[test]
fn a_table_of_parquet_holds_what_the_lines_hold() {
    use parquet::file::reader::{FileReader, SerializedFileReader};
    use parquet::record::Field;

    let served = Served::new();
    let table = |path: &str| -> Vec<serde_json::Map<String, Value>> {
        let (code, file) = served.get_bytes(path);
        assert_eq!(code, 200, "{path}");
        let kept = served.folder.path().join("table.parquet");
        std::fs::write(&kept, file).unwrap();
        let reader = SerializedFileReader::new(std::fs::File::open(kept).unwrap()).unwrap();
        let value = |field: &Field| match field {
            Field::Null => Value::Null,
            Field::Str(text) => json!(text),
            Field::Double(number) => json!(number),
            Field::Long(count) => json!(count),
            Field::Bool(flag) => json!(flag),
            other => panic!("{other:?}"),
        };
        let rows = reader.get_row_iter(None).unwrap().map(Result::unwrap);
        rows.map(|row| {
            row.get_column_iter().map(|(name, field)| (name.clone(), value(field))).collect()
        })
        .collect()
    };
    for query in ["", "?who=ALD", "?from=2024-06", "?words=gladly", "?words=nothing"] {
        for (path, columns) in [("evidence", 30), ("documents", 11)] {
            let lines = served.get(&format!("/api/v1/{path}.jsonl{query}")).1;
            let lines: Vec<Value> =
                lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
            let rows = table(&format!("/api/v1/{path}.parquet{query}"));
            assert_eq!(rows.len(), lines.len(), "{path}{query}");
            for (row, line) in rows.iter().zip(&lines) {
                assert_eq!(row.len(), columns, "{path}");
                for (name, value) in row {
                    assert_eq!(value, in_line(line, name), "{path}{query}: {name}");
                }
            }
        }
    }
    let all: Vec<_> = table("/api/v1/figures.parquet");
    let all: Vec<_> = all.iter().filter(|row| row["period"] == "all").collect();
    let lines = served.get("/api/v1/figures.jsonl").1;
    assert_eq!(all.len(), lines.lines().count());
    for (row, line) in all.iter().zip(lines.lines()) {
        let line: Value = serde_json::from_str(line).unwrap();
        assert_eq!((&row["who"], &row["score"]), (&line["who"], &line["score"]));
    }
    assert!(served.get("/evidence").1.contains("/api/v1/evidence.parquet"));
}
