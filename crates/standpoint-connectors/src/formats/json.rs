//! JSON documents: an object with `text`, an array of such objects, or one object on each line.

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::ops::Range;

use serde::de::{IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;

use super::{Content, Each};
use crate::limits::ReadLimits;
use crate::refusal::ReadError;

/// The fields of a document in JSON, under the names that columns of tables have, too. Other fields
/// are passed over.
#[derive(Debug, Deserialize)]
pub struct Record {
    id: Option<Id>,
    title: Option<String>,
    #[serde(default)]
    headline: Spare,
    /// Who speaks: a name, or an actor id such as `KAZ`; or several of them.
    #[serde(alias = "speaker")]
    author: Option<Author>,
    #[serde(alias = "date")]
    published: Option<String>,
    #[serde(alias = "lang")]
    language: Option<String>,
    /// The outlet.
    source: Option<Outlet>,
    text: Option<String>,
    #[serde(default)]
    body: Spare,
    #[serde(default)]
    content: Spare,
}

/// A field that stands in for another where that is missing, if it is a text.
#[derive(Debug, Default, Deserialize)]
#[serde(untagged)]
enum Spare {
    Text(String),
    Other(IgnoredAny),
    #[default]
    Missing,
}

impl Spare {
    fn text(self) -> Option<String> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }
}

/// An outlet is a name in some collections and an object with a name in others.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Outlet {
    Name(String),
    Named {
        name: String,
    },
    /// Something else of the same name, which is no reason to refuse the record.
    Other(IgnoredAny),
}

/// Who speaks is one in some collections and a list in others.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Author {
    One(String),
    Several(Vec<String>),
}

/// Ids are words in some collections and numbers in others.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Id {
    Word(String),
    Number(i64),
}

impl Record {
    /// What it says; `None` where it has no text.
    fn content(self) -> Option<Content> {
        let record = self;
        // A field that holds an empty string says as much as one that is missing.
        let says = |value: &String| !value.trim().is_empty();
        let some = |field: Option<String>| field.filter(says);
        let mut texts = [record.text, record.body.text(), record.content.text()];
        // Where none says anything, that is told of the first one.
        let said = texts.iter().position(|text| text.as_ref().is_some_and(says));
        let text = texts[said.or_else(|| texts.iter().position(Option::is_some))?].take()?;
        Some(Content {
            id: some(record.id.map(|id| match id {
                Id::Word(word) => word,
                Id::Number(number) => number.to_string(),
            })),
            title: some(record.title).or_else(|| some(record.headline.text())),
            author: some(record.author.map(|author| match author {
                Author::One(name) => name,
                Author::Several(mut names) => {
                    names.retain(|name| !name.trim().is_empty());
                    names.join(", ")
                }
            })),
            published: some(record.published),
            language: some(record.language),
            outlet: some(record.source.and_then(|source| match source {
                Outlet::Name(name) | Outlet::Named { name } => Some(name),
                Outlet::Other(_) => None,
            })),
            text,
        })
    }
}

/// Reads one record.
///
/// - `line`: where it stands in its file, from 1;
/// - `max_depth`: how deep its values may nest.
///
/// # Errors
///
/// [`ReadError::Json`] with line, column and what is wrong, [`ReadError::Limit`] for nesting
/// deeper than `max_depth`.
pub fn read_record(json: &str, line: u64, max_depth: u32) -> Result<Content, ReadError> {
    if let Some(other) = shape_other_than_object(json) {
        let problem = format!("expected an object with the field `text`, found {other}");
        return Err(ReadError::Json { line, column: 1, problem });
    }
    check_depth(json, line, max_depth)?;
    let error = match serde_json::from_str::<Record>(json) {
        Ok(record) => match record.content() {
            Some(content) => return Ok(content),
            None => without_text(json, line),
        },
        Err(error) if !error.is_data() => return Err(at(line, &error)),
        Err(error) => at(line, &error),
    };
    Err(match (error, misfit(json)) {
        (ReadError::Json { line, column, .. }, Some(problem)) => {
            ReadError::Json { line, column, problem }
        }
        (error, _) => error,
    })
}

/// What is said of a record without a text, where it ends.
fn without_text(json: &str, line: u64) -> ReadError {
    let json = json.trim_end();
    let last = json.rsplit('\n').next().unwrap_or_default();
    let line = line + memchr::memchr_iter(b'\n', json.as_bytes()).count() as u64;
    ReadError::Json {
        line,
        column: last.len(),
        problem: "missing field `text`, `body` or `content`".to_owned(),
    }
}

/// The first field whose value is of another kind than it must be: serde names the kinds alone.
fn misfit(json: &str) -> Option<String> {
    const WORDS: [&str; 8] =
        ["title", "author", "speaker", "published", "date", "language", "lang", "text"];
    let fields: serde_json::Map<String, Value> = serde_json::from_str(json).ok()?;
    fields.iter().find_map(|(field, value)| {
        let expected = match (field.as_str(), value) {
            ("text", Value::String(_)) => return None,
            (field, Value::Null | Value::String(_)) if field != "text" => return None,
            ("id", Value::Number(number)) if number.is_i64() => return None,
            ("id", _) => "a string or a whole number",
            ("author" | "speaker", Value::Array(names)) if names.iter().all(Value::is_string) => {
                return None;
            }
            ("author" | "speaker", _) => "a string or a list of strings",
            (field, _) if WORDS.contains(&field) => "a string",
            _ => return None,
        };
        let found = match value {
            Value::Null => "null",
            Value::Bool(_) => "true or false",
            Value::Number(_) => "a number",
            Value::String(_) => "a string",
            Value::Array(_) => "a list",
            Value::Object(_) => "an object",
        };
        Some(format!("the field `{field}` holds {found}, expected {expected}"))
    })
}

/// One record of a file with its JSON, which its id is made of.
pub type RawRecord = (Result<Content, ReadError>, String);

/// Reads a file that holds one record or an array of them: each record is read when it is asked
/// for, so that a file takes the room of where its records stand, and of one of them.
///
/// # Errors
///
/// [`ReadError::Json`] when the file is neither; [`ReadError::Limit`] for more records than there
/// may be.
pub fn read_file(
    json: String,
    limits: &ReadLimits,
) -> Result<impl Iterator<Item = RawRecord> + use<>, ReadError> {
    let max_depth = limits.max_json_depth;
    let spans = spans_of(&json, limits.max_records_per_file)?;
    let is_array = spans.is_some();
    let whole = 0..json.len();
    let spans = spans.unwrap_or_else(|| vec![whole]);
    Ok(spans.into_iter().enumerate().map(move |(index, span)| {
        let raw = json[span].trim();
        let record = read_record(raw, 1, max_depth);
        let record = record.map_err(|error| if is_array { in_array(error, index) } else { error });
        (record, raw.to_owned())
    }))
}

/// Where the records of an array stand in its file; `None` where the file is no array of objects.
fn spans_of(json: &str, most: u64) -> Result<Option<Vec<Range<usize>>>, ReadError> {
    let array = json.trim_start();
    let is_array_of_objects =
        array.strip_prefix('[').is_some_and(|rest| rest.trim_start().starts_with(['{', ']']));
    if !is_array_of_objects {
        return Ok(None);
    }
    let mut spans = Spans { json, most, is_over: false, found: Vec::new() };
    let mut parser = serde_json::Deserializer::from_str(json);
    let read = parser.deserialize_seq(&mut spans).and_then(|()| parser.end());
    match read {
        _ if spans.is_over => {
            let limit = "max_records_per_file";
            Err(ReadError::Limit { limit, allowed: most, found: most, at_least: true, line: None })
        }
        Ok(()) => Ok(Some(spans.found)),
        Err(error) => Err(at(1, &error)),
    }
}

/// Notes where each value of an array stands, up to as many as there may be.
struct Spans<'j> {
    json: &'j str,
    most: u64,
    is_over: bool,
    found: Vec<Range<usize>>,
}

impl<'j> Visitor<'j> for &mut Spans<'j> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'j>>(self, mut array: A) -> Result<(), A::Error> {
        while let Some(raw) = array.next_element::<&'j RawValue>()? {
            if self.found.len() as u64 >= self.most {
                self.is_over = true;
                return Err(serde::de::Error::custom("too many records"));
            }
            let start = raw.get().as_ptr().addr() - self.json.as_ptr().addr();
            self.found.push(start..start + raw.get().len());
        }
        Ok(())
    }
}

/// Gives the records of a file whose numbers are `wanted`.
///
/// # Errors
///
/// When the file cannot be read; what `each` says.
pub(crate) fn separate(
    json: String,
    limits: &ReadLimits,
    wanted: &BTreeSet<u64>,
    each: &mut Each<'_>,
) -> io::Result<()> {
    let records = read_file(json, limits).map_err(io::Error::other)?;
    for (number, (_, raw)) in (0..).zip(records).filter(|(number, _)| wanted.contains(number)) {
        each(number, &mut raw.as_bytes())?;
    }
    Ok(())
}

/// Makes one file of several with a record each.
#[must_use]
pub(crate) fn join(records: &[Vec<u8>]) -> Vec<u8> {
    let records: Vec<&[u8]> = records.iter().map(|record| record.trim_ascii()).collect();
    match records.as_slice() {
        // An array would say nothing more.
        [one] => one.to_vec(),
        several => [b"[".as_slice(), &several.join(b",\n".as_slice()), b"]\n"].concat(),
    }
}

/// Refuses values that nest deeper than `max_depth`, whether or not they are read: one pass, no
/// recursion.
fn check_depth(json: &str, line: u64, max_depth: u32) -> Result<(), ReadError> {
    // What opens no more values than that, most records, cannot nest them deeper.
    let opened = json.bytes().filter(|byte| matches!(byte, b'[' | b'{')).count();
    if opened <= max_depth as usize {
        return Ok(());
    }
    let mut depth = 0_u32;
    let (mut in_string, mut escaped) = (false, false);
    for byte in json.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > max_depth {
            return Err(ReadError::Limit {
                limit: "max_json_depth",
                allowed: max_depth.into(),
                found: max_depth.into(),
                at_least: true,
                line: Some(line),
            });
        }
    }
    Ok(())
}

/// Says which record of an array is wrong; serde counts lines from the record's start.
fn in_array(error: ReadError, index: usize) -> ReadError {
    match error {
        ReadError::Json { line, column, problem } => {
            let problem = format!("{problem} (counted from the start of record {})", index + 1);
            ReadError::Json { line, column, problem }
        }
        other => other,
    }
}

/// What the JSON is when it is not an object; `None` for an object and for what is no JSON.
fn shape_other_than_object(json: &str) -> Option<&'static str> {
    match json.trim_start().as_bytes().first()? {
        b'[' => Some("an array"),
        b'"' => Some("a string"),
        b'0'..=b'9' | b'-' => Some("a number"),
        _ => None,
    }
}

/// An error of serde at its place in the file; `line` is where the JSON that serde saw begins.
fn at(line: u64, error: &serde_json::Error) -> ReadError {
    let told = error.to_string();
    // serde appends the position, which has a field of its own here.
    let problem = told.rsplit_once(" at line ").map_or(told.as_str(), |(problem, _)| problem);
    ReadError::Json {
        line: line + error.line().saturating_sub(1) as u64,
        column: error.column(),
        problem: in_words(problem),
    }
}

/// What is wrong with JSON, where the parser says it in words of its own trade.
fn in_words(problem: &str) -> String {
    if let Some(what) = problem.strip_prefix("EOF while parsing ") {
        return format!("the JSON ends inside {what}");
    }
    match problem {
        "expected value" => "expected a value, such as a text in quotes or an object",
        "expected ident" => "expected `true`, `false` or `null`, or a text in quotes",
        "key must be a string" => "expected the name of a field in quotes",
        "trailing characters" => "expected the end of the JSON",
        other => other,
    }
    .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_of_another_kind_is_named() {
        let cases = [
            (r#"{"text": 1}"#, "the field `text` holds a number, expected a string"),
            (r#"{"text": null}"#, "the field `text` holds null, expected a string"),
            (r#"{"title": ["a"], "text": "b"}"#, "the field `title` holds a list, expected"),
            (
                r#"{"text": "b", "speaker": {}}"#,
                "the field `speaker` holds an object, expected a string or a list of strings",
            ),
            (r#"{"author": ["a", 1], "text": "b"}"#, "the field `author` holds a list, expected a"),
            (r#"{"id": 1.5, "text": "b"}"#, "`id` holds a number, expected a string or a whole"),
            (r#"{"title": "a"}"#, "missing field `text`"),
            (r#"{"text": "a""#, "the JSON ends inside an object"),
            (r#"{"text": tru}"#, "expected `true`, `false` or `null`, or a text in quotes"),
        ];
        for (json, expected) in cases {
            let told = read_record(json, 7, 64).unwrap_err().to_string();
            assert!(told.starts_with("line 7, column ") && told.contains(expected), "{told}");
        }
        assert!(read_record(r#"{"id": 1, "title": null, "text": "b", "x": [1]}"#, 1, 64).is_ok());
    }

    #[test]
    fn records_may_name_their_fields_as_corpora_do() {
        let record = read_record(
            r#"{"id": 7, "title": "", "speaker": "KAZ", "date": "2015", "lang": "en", "x": [1], "text": "We."}"#,
            1,
            64,
        )
        .unwrap();
        let expected = Content {
            id: Some("7".into()),
            title: None,
            author: Some("KAZ".into()),
            published: Some("2015".into()),
            language: Some("en".into()),
            outlet: None,
            text: "We.".into(),
        };
        assert_eq!(record, expected);
    }

    #[test]
    fn a_field_has_the_names_that_a_column_of_a_table_has() {
        for (field, names) in super::super::csv::COLUMNS {
            for name in names {
                let text = if field == "text" { "" } else { r#", "text": "We.""# };
                let content = read_record(&format!(r#"{{"{name}": "EST"{text}}}"#), 1, 64).unwrap();
                let Content { text, id, title, author, published, language, outlet } = content;
                let fields = [Some(text), id, title, author, published, language, outlet];
                assert!(fields.contains(&Some("EST".to_owned())), "{field} as {name}");
            }
        }
        let both = r#"{"content": {}, "body": "B.", "text": "T.", "headline": 7}"#;
        let content = read_record(both, 1, 64).unwrap();
        assert_eq!((content.text.as_str(), content.title), ("T.", None), "the usual name first");
        for empty in [r#"{"text": "", "body": "B."}"#, r#"{"body": " ", "content": "B."}"#] {
            assert_eq!(read_record(empty, 1, 64).unwrap().text, "B.", "{empty}");
        }
        assert_eq!(read_record(r#"{"text": " ", "body": ""}"#, 1, 64).unwrap().text, " ");
        let none = "{\"content\": {},\n\"body\": 7}";
        let told = read_record(none, 3, 64).unwrap_err().to_string();
        assert_eq!(told, "line 4, column 10: missing field `text`, `body` or `content`");
    }

    #[test]
    fn a_record_may_have_several_authors() {
        let cases = [
            (r#"["Ana Lu", "B. Roe"]"#, Some("Ana Lu, B. Roe")),
            (r#"["KAZ", " "]"#, Some("KAZ")),
            ("[]", None),
            ("null", None),
        ];
        for (authors, expected) in cases {
            let record = format!(r#"{{"text": "We.", "author": {authors}}}"#);
            let content = read_record(&record, 1, 64).unwrap();
            assert_eq!(content.author.as_deref(), expected, "{authors}");
        }
    }

    #[test]
    fn a_record_may_name_its_outlet_as_corpora_do() {
        let cases = [
            ("\"The Daily\"", Some("The Daily")),
            ("{\"id\": \"daily\", \"name\": \"The Daily\"}", Some("The Daily")),
            ("\" \"", None),
            ("null", None),
            ("7", None),
            ("[\"a\", {\"name\": \"b\"}]", None),
            ("{\"name\": null}", None),
        ];
        for (source, expected) in cases {
            let json = format!("{{\"source\": {source}, \"text\": \"We.\"}}");
            let content = read_record(&json, 1, 64).unwrap();
            assert_eq!(content.outlet.as_deref(), expected, "{source}");
        }
    }

    #[test]
    fn an_array_gives_each_record_its_own_fate() {
        let array = r#" [{"text": "a"}, {"txt": "b"}, {"text": "c"}] "#;
        let records = read_file(array.into(), &ReadLimits::default()).unwrap();
        let told: Vec<String> = records
            .map(|(record, _)| match record {
                Ok(content) => content.text,
                Err(error) => error.to_string(),
            })
            .collect();
        assert_eq!(
            told,
            [
                "a",
                "line 1, column 12: missing field `text`, `body` or `content` (counted from the start of record 2)",
                "c"
            ]
        );
    }

    #[test]
    fn an_array_is_counted_while_it_is_read() {
        let limits = ReadLimits { max_records_per_file: 3, ..ReadLimits::default() };
        let refusal = |json: &str| read_file(json.into(), &limits).err().unwrap().to_string();
        // What stands behind the limit is not looked at.
        assert_eq!(
            refusal("[{},{},{},{} and no JSON"),
            "max_records_per_file is 3 and this has more than 3; `limits.max_records_per_file` sets it"
        );
        assert_eq!(refusal("\n[{},{},\n"), "line 3, column 0: the JSON ends inside a value");
        assert_eq!(refusal("[{}] x"), "line 1, column 6: expected the end of the JSON");
        assert_eq!(read_file("[{},{},{}]".into(), &limits).unwrap().count(), 3);
        let deep = format!("[{{\"a\":{}", "[".repeat(1 << 20));
        assert_eq!(refusal(&deep), "line 1, column 1048582: the JSON ends inside a list");
    }

    #[test]
    fn deep_nesting_is_refused_and_never_overflows_the_stack() {
        let (open, close) = ("[".repeat(10_000), "]".repeat(10_000));
        for json in [
            format!("{{\"text\": \"x\", \"other\": {open}{close}}}"),
            format!("{{\"text\": {open}{close}}}"),
            format!("{{\"x\": {open}"),
        ] {
            let error = read_record(&json, 3, 64).unwrap_err().to_string();
            let told =
                "max_json_depth is 64 and this has more than 64 (line 3); `limits.max_json_depth`";
            assert!(error.starts_with(told), "{error}");
        }
        let brackets = format!("{{\"text\": \"{open} and \\\" {open}\"}}");
        assert!(read_record(&brackets, 1, 64).is_ok(), "brackets inside a string are text");
    }
}
