//! The sections `routes` and `tests`: which documents go where, and what is expected of the chain.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::diagnostic::{Diagnostic, Fault, Origin, Place, listed, nearest, quoted};
use crate::tree::{Kind, Node, Scalar};
use crate::units::optional_path_schema;

/// Sinks, and the documents that go to them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// A condition over the document after the last stage (CEL). A route without one is the
    /// default: it takes the documents that no other route takes, and stands last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub when: Option<String>,

    /// The names of the sinks; an empty list lets the documents go nowhere.
    pub to: Vec<String>,
}

/// A text, and what the pipeline should say about it.
///
/// Either `text` or `path` says what is read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PipelineTest {
    /// What the test is called when it is told of; the start of its text if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,

    /// The document itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,

    /// A file with one document, in any format that `run` reads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "optional_path_schema")]
    pub path: Option<PathBuf>,

    /// Who says `text`: a name or an actor's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,

    /// Toward whom, in place of the stance stage's own setting.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,

    /// What the result must be.
    pub expect: Expectations,
}

/// What a result must be; what is left out may be anything.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Expectations {
    /// Actors that are listed, by id, with their stances toward the (first) target.
    pub actors: BTreeMap<String, ActorExpectation>,

    /// What the author's own voice conveys.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub author: Option<ActorExpectation>,

    /// Ids of actors that are not listed with a stance; one that is listed as neutral is none.
    pub absent: Vec<String>,

    /// Ids of entities that are found.
    pub entities: Vec<String>,

    /// Conditions over the result (CEL), with the variables of `when`.
    pub holds: Vec<String>,
}

/// What a stance must be: a label, a degree, or both.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ActorExpectation {
    /// In three words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<ExpectedLabel>,

    /// In five words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub degree: Option<ExpectedDegree>,
}

/// A stance in three words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ExpectedLabel {
    /// -0.25 and below.
    Opposed,
    /// Between the two.
    Neutral,
    /// 0.25 and above.
    Supportive,
}

/// A stance in five words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ExpectedDegree {
    /// -0.75 and below.
    Opposed,
    /// -0.25 and below.
    Distancing,
    /// Between -0.25 and 0.25.
    Neutral,
    /// Below 0.75.
    Leaning,
    /// 0.75 and above.
    Supportive,
}

impl ExpectedLabel {
    /// The word, as results have it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Opposed => "opposed",
            Self::Neutral => "neutral",
            Self::Supportive => "supportive",
        }
    }
}

impl ExpectedDegree {
    /// The word, as results have it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Opposed => "opposed",
            Self::Distancing => "distancing",
            Self::Neutral => "neutral",
            Self::Leaning => "leaning",
            Self::Supportive => "supportive",
        }
    }
}

/// Reports routes to sinks that there are not, and tests that say too much or too little.
pub(crate) fn check(tree: &Node, origin: &Origin, findings: &mut Vec<Diagnostic>) {
    let mut report = |place: &Place, key_path: &str, fault: Fault| {
        findings.push(origin.diagnostic(place, key_path, fault));
    };
    check_routes(tree, &mut report);
    check_tests(tree, &mut report);
}

fn check_routes(tree: &Node, report: &mut impl FnMut(&Place, &str, Fault)) {
    let Some(section) = tree.get("routes") else { return };
    let routes = section.items();
    let sinks = tree.get("sinks").map_or(&[][..], Node::entries);
    let names: Vec<&str> = sinks.iter().map(|sink| sink.key.as_str()).collect();
    let mut used = Vec::new();
    for (index, route) in routes.iter().enumerate() {
        if matches!(route.kind, Kind::Map(_))
            && route.get("when").is_none()
            && index + 1 < routes.len()
        {
            let fault = Fault::new("a route without `when` takes what no other takes")
                .help("move it to the end, or give it a condition");
            report(&route.place, &format!("routes[{index}]"), fault);
        }
        for (item, node) in route.get("to").map_or(&[][..], Node::items).iter().enumerate() {
            let Some(scalar) = node.scalar().filter(|scalar| !scalar.broken) else { continue };
            if names.contains(&scalar.text.as_str()) {
                used.push(scalar.text.as_str());
            } else {
                report(
                    &node.place,
                    &format!("routes[{index}].to[{item}]"),
                    no_sink(scalar, &names),
                );
            }
        }
    }
    if routes.last().is_some_and(|last| last.get("when").is_some()) {
        let fault = Fault::warning("a document that no route takes goes to no sink").help(
            "end the list with a route without `when`, such as `- { to: [results] }`, or with \
             `- { to: [] }` to say that it is meant",
        );
        report(&section.place, "routes", fault);
    }
    for sink in sinks.iter().filter(|sink| !used.contains(&sink.key.as_str())) {
        let fault = Fault::warning(format!("no route leads to the sink {}", quoted(&sink.key)))
            .help("name it in `to` of a route, or remove it");
        report(&sink.place, &format!("sinks.{}", sink.key), fault);
    }
}

fn no_sink(scalar: &Scalar, names: &[&str]) -> Fault {
    let message = format!("there is no sink {}", quoted(&scalar.text));
    match nearest(&scalar.text, names.iter().copied()) {
        Some(meant) => Fault::new(format!("{message}; did you mean {}?", quoted(meant))),
        None if names.is_empty() => Fault::new(message).help("`sinks` is empty"),
        None => Fault::new(message).help(format!("known sinks: {}", listed(names, "and"))),
    }
}

fn check_tests(tree: &Node, report: &mut impl FnMut(&Place, &str, Fault)) {
    for (index, test) in tree.get("tests").map_or(&[][..], Node::items).iter().enumerate() {
        if !matches!(test.kind, Kind::Map(_)) {
            continue;
        }
        let path = format!("tests[{index}]");
        match (test.get("text"), test.get("path")) {
            (None, None) => {
                let fault = Fault::new("the test says neither `text` nor `path`")
                    .help("give it a `text`, or the `path` of a file with one document");
                report(&test.place, &path, fault);
            }
            (Some(_), Some(file)) => {
                let fault = Fault::new("a test reads its `text` or its `path`, not both");
                report(&file.place, &format!("{path}.path"), fault);
            }
            _ => {}
        }
        if test
            .get("expect")
            .is_some_and(|expect| matches!(&expect.kind, Kind::Map(entries) if entries.is_empty()))
        {
            let fault = Fault::warning("the test expects nothing, so that it cannot fail");
            report(&test.place, &format!("{path}.expect"), fault);
        }
    }
}
