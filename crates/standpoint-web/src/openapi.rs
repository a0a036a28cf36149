//! The API, described: `OpenAPI` 3.0, made from the very types that are sent.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};
use standpoint_store::corrections::{Correction, KeptCorrection, Labelled};
use standpoint_store::documents::{Kept, Listed};
use standpoint_store::feed::Passage;
use standpoint_store::figures::{Extent, Maker, TargetCount};
use standpoint_store::shifts::Shift;

use crate::address::MOST_ROWS;
use crate::api::{FILTERED, Figures, Named, TRUNCATED, known_at};
use crate::export::WRITES_PARQUET;
use crate::overview::ActorFigure;

/// What a path answers with.
enum Answer {
    Json(Value),
    Rows,
    Events,
}

/// A path that can be read.
struct Route {
    path: &'static str,
    summary: &'static str,
    answer: Answer,
}

fn routes(generator: &mut SchemaGenerator) -> Vec<Route> {
    let mut routes = Vec::new();
    let mut add = |path, summary, answer| {
        routes.push(Route { path, summary, answer });
    };
    let page = |row: Value| {
        json!({
            "type": "object",
            "required": ["rows", "next", "truncated"],
            "properties": {
                "rows": { "type": "array", "items": row },
                "next": { "type": ["string", "null"],
                    "description": "What `after` must be to get the next rows; null at the end" },
                "truncated": { "type": "boolean",
                    "description": "Whether more documents hold the words than are looked at" },
            },
        })
    };
    let targets = reference::<TargetCount>(generator);
    add("/targets", "The targets, the one with the most stances first", list(&targets));
    let named = reference::<Named>(generator);
    add("/actors", "Actors to choose from, states first", list(&named));
    add("/extent", "What the store holds in all", one::<Extent>(generator));
    let maker = reference::<Maker>(generator);
    add("/makers", "Who made the records: programs, pipelines, stages", list(&maker));
    add("/figures", "Who stands where, over all and in time", one::<Figures>(generator));
    add("/figures.jsonl", "The same, an actor a line", rows::<ActorFigure>(generator));
    add("/figures.csv", "The same, an actor and period a line", Answer::Rows);
    let passage = reference::<Passage>(generator);
    add("/evidence", "Passages that show stances, the latest first", Answer::Json(page(passage)));
    add("/evidence.jsonl", "All of them, one a line", rows::<Passage>(generator));
    add("/evidence.csv", "The same as a table", Answer::Rows);
    let listed = reference::<Listed>(generator);
    add("/documents", "Documents, the latest first", Answer::Json(page(listed)));
    add("/documents.jsonl", "All of them, one a line", rows::<Listed>(generator));
    add("/documents.csv", "The same as a table", Answer::Rows);
    let (document, passage) = (reference::<Kept>(generator), reference::<Passage>(generator));
    let whole = json!({
        "type": "object",
        "properties": { "document": document, "passages": { "type": "array", "items": passage } },
    });
    add("/documents/{id}", "A document with its text and passages", Answer::Json(whole));
    add("/shifts", "Who moved by more than chance", list(&reference::<Shift>(generator)));
    let correction = reference::<KeptCorrection>(generator);
    add("/corrections", "What people said, the latest first", list(&correction));
    add("/corrections.jsonl", "The same as labelled data", rows::<Labelled>(generator));
    add("/status", "What the daemon says of itself", Answer::Json(json!({ "type": "object" })));
    add("/quarantine", "The files in quarantine", list(&json!({ "type": "object" })));
    if WRITES_PARQUET {
        for path in ["/figures.parquet", "/evidence.parquet", "/documents.parquet"] {
            add(path, "The table as Parquet, with typed columns", Answer::Rows);
        }
    }
    add("/events", "An event `change` whenever the store has changed", Answer::Events);
    routes
}

/// Whether something is read at a path below `/api/v1`.
pub(crate) fn is_read(path: &str) -> bool {
    let is_document = path.strip_prefix("/documents/").is_some_and(|id| !id.is_empty());
    let routes = || routes(&mut schemas().into_generator());
    path.is_empty() || is_document || routes().iter().any(|route| route.path == path)
}

/// How forms are described: as JSON Schema, which version 3.1 takes as it is.
fn schemas() -> SchemaSettings {
    let mut settings = SchemaSettings::draft2020_12();
    settings.definitions_path = "/components/schemas".into();
    settings.meta_schema = None;
    settings
}

fn reference<T: JsonSchema>(generator: &mut SchemaGenerator) -> Value {
    generator.subschema_for::<T>().to_value()
}

fn one<T: JsonSchema>(generator: &mut SchemaGenerator) -> Answer {
    Answer::Json(reference::<T>(generator))
}

/// A list that has no next page.
fn list(row: &Value) -> Answer {
    Answer::Json(json!({
        "type": "object",
        "required": ["rows", "truncated"],
        "properties": {
            "rows": { "type": "array", "items": row },
            "truncated": { "type": "boolean",
                "description": format!(
                    "Whether there is more: more than the {MOST_ROWS} rows that one answer has, or more \
                     documents that hold the words than are looked at") },
        },
    }))
}

/// Rows whose form is among the schemas.
fn rows<T: JsonSchema>(generator: &mut SchemaGenerator) -> Answer {
    reference::<T>(generator);
    Answer::Rows
}

/// What there is, for somebody who asks at the root.
#[must_use]
pub fn index() -> Value {
    let mut generator = schemas().into_generator();
    let paths: Map<String, Value> = routes(&mut generator)
        .into_iter()
        .map(|route| (format!("/api/v1{}", route.path), json!(route.summary)))
        .collect();
    json!({ "description": "/api/v1/openapi.json", "paths": paths })
}

/// The description.
#[must_use]
pub fn description() -> Value {
    let mut generator = schemas().into_generator();
    let mut paths = Map::new();
    for route in routes(&mut generator) {
        paths.insert(route.path.to_owned(), json!({ "get": read(&route) }));
    }
    let correction = reference::<Correction>(&mut generator);
    let passage = reference::<Passage>(&mut generator);
    let body = |schema: Value| json!({ "required": true, "content": { "application/json": { "schema": schema } } });
    let refused = json!({ "description": "Refused; `error` says why" });
    paths.insert(
        "/evidence/{key}/correction".to_owned(),
        json!({ "post": {
            "summary": "Say something of a passage; figures follow",
            "parameters": [{ "name": "key", "in": "path", "required": true, "schema": { "type": "integer" } }],
            "requestBody": body(json!({ "allOf": [correction, {
                "type": "object",
                "required": ["fingerprint"],
                "properties": {
                    "fingerprint": { "type": "string",
                        "description": "The one that came with the passage, which may be another one by now" },
                    "person": { "type": "string" },
                    "note": { "type": "string" },
                },
            }] })),
            "responses": {
                "200": { "description": "The passage as it stands now",
                    "content": { "application/json": { "schema": passage } } },
                "403": refused, "404": refused, "422": refused, "428": refused,
                "409": { "description": "The passage is not what was shown, because its document has come \
                                         again since: read it again and judge what stands there now" },
            },
        } }),
    );
    let file = json!({ "type": "object", "required": ["file"], "properties": { "file": { "type": "string" } } });
    let made_at = json!({ "type": "object", "required": ["made_at"], "properties": {
        "made_at": { "type": "string", "description": "The one that came with the correction" } } });
    paths.insert(
        "/corrections/{key}/undo".to_owned(),
        json!({ "post": {
            "summary": "Take back what a person said; figures follow",
            "parameters": [{ "name": "key", "in": "path", "required": true, "schema": { "type": "integer" } }],
            "requestBody": body(made_at),
            "responses": { "200": { "description": "Done" }, "403": refused, "409": refused },
        } }),
    );
    paths.insert(
        "/quarantine/replay".to_owned(),
        json!({ "post": {
            "summary": "Move a file back into the inbox that it came from",
            "requestBody": body(file),
            "responses": { "200": { "description": "Done" }, "403": refused, "409": refused },
        } }),
    );
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Standpoint",
            "version": "1",
            "description": "Who stands where, and what shows it. A change sent by a browser needs its \
                            cookie, its origin and the header `X-Standpoint`.",
        },
        "servers": [{ "url": "/api/v1" }],
        "security": [{ "token": [] }, { "cookie": [] }],
        "paths": paths,
        "components": {
            "schemas": generator.take_definitions(true),
            "securitySchemes": {
                "token": { "type": "http", "scheme": "bearer" },
                "cookie": { "type": "apiKey", "in": "cookie", "name": "standpoint-PORT" },
            },
        },
    })
}

fn read(route: &Route) -> Value {
    let mut parameters = Vec::new();
    if route.path.contains("{id}") {
        parameters.push(
            json!({ "name": "id", "in": "path", "required": true, "schema": { "type": "string" } }),
        );
    }
    parameters.extend(known_at(route.path).iter().map(|(name, what, example)| {
            let schema = match *name {
                "source" => json!({ "type": "array", "items": { "type": "string" } }),
                "limit" | "window" | "actors" => json!({ "type": "integer", "minimum": 1 }),
                _ => json!({ "type": "string" }),
            };
            let example = if *name == "source" { json!([example]) } else { json!(example) };
            json!({ "name": name, "in": "query", "description": what, "schema": schema, "example": example })
        }));
    let text = json!({ "schema": { "type": "string" } });
    let ending = route.path.rsplit('.').next();
    let binary = json!({ "schema": { "type": "string", "format": "binary" } });
    let content = match &route.answer {
        Answer::Json(schema) => json!({ "application/json": { "schema": schema } }),
        Answer::Rows if ending == Some("csv") => json!({ "text/csv": text }),
        Answer::Rows if ending == Some("parquet") => {
            json!({ "application/vnd.apache.parquet": binary })
        }
        Answer::Rows => json!({ "application/x-ndjson": text }),
        Answer::Events => json!({ "text/event-stream": text }),
    };
    let mut done = json!({ "description": route.summary, "content": content });
    let name = route.path.split('.').next().unwrap_or_default();
    let is_list = ["/targets", "/actors", "/makers", "/corrections", "/quarantine"];
    if FILTERED.contains(&name) || is_list.contains(&route.path) {
        done["headers"] = json!({ TRUNCATED: {
            "description": "There where the answer lacks some of what was asked for: `words=2500` where \
                            more documents hold the words than are looked at, `rows=1000000` where a file \
                            or list ends before the rows do, or both with a comma between them",
            "schema": { "type": "string" },
        } });
    }
    json!({
        "summary": route.summary,
        "parameters": parameters,
        "responses": {
            "200": done,
            "400": { "description": "The query says what or whom the store does not know, or what cannot be; `error` names it" },
            "401": { "description": "Not logged in" },
        },
    })
}
