//! Routes: which documents go to which sinks, as conditions that the engine can ask.

use std::sync::Arc;

use standpoint_document::Document;
use standpoint_engine::Condition as When;

use crate::condition::Condition;

/// The routes of a pipeline file, their conditions read.
pub(crate) struct Routes {
    routes: Arc<[Compiled]>,
}

struct Compiled {
    /// `None` for the route of those that no other takes.
    when: Option<Condition>,
    to: Vec<String>,
}

impl Routes {
    /// Reads the conditions.
    ///
    /// - `routes`: each a condition, or none for the default, and the names of its sinks.
    ///
    /// # Errors
    ///
    /// What is wrong with one of them.
    pub(crate) fn compile<'r>(
        routes: impl IntoIterator<Item = (Option<&'r str>, &'r [String])>,
    ) -> Result<Self, String> {
        let compile = |(when, to): (Option<&str>, &[String])| {
            let when = when.map(Condition::compile).transpose();
            let when = when.map_err(|error| error.to_string())?;
            Ok(Compiled { when, to: to.to_vec() })
        };
        Ok(Self { routes: routes.into_iter().map(compile).collect::<Result<_, String>>()? })
    }

    /// Whether a document goes to `sink`; `None` when every document does.
    pub(crate) fn condition(&self, sink: &str) -> Option<When> {
        if self.routes.is_empty() {
            return None;
        }
        let (routes, sink) = (Arc::clone(&self.routes), sink.to_owned());
        Some(Arc::new(move |document: &Document<'_>| leads_to(&routes, &sink, document)))
    }
}

/// Whether one of `routes` takes `document` to `sink`.
///
/// A condition without an answer is an error, not a no: a document must not miss a sink because an
/// attribute was misspelt.
fn leads_to(routes: &[Compiled], sink: &str, document: &Document<'_>) -> Result<bool, String> {
    let leads = |route: &Compiled| route.to.iter().any(|name| name == sink);
    let has_default = routes.iter().any(|route| route.when.is_none() && leads(route));
    let mut taken = false;
    for route in routes {
        let Some(when) = &route.when else { continue };
        // Where the document would go besides matters only to a default.
        if (leads(route) || has_default) && when.holds(document)? {
            if leads(route) {
                return Ok(true);
            }
            taken = true;
        }
    }
    Ok(has_default && !taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    type Route = (Option<&'static str>, Vec<String>);

    fn route(when: Option<&'static str>, to: &[&str]) -> Route {
        (when, to.iter().map(|&name| name.to_owned()).collect())
    }

    fn compile(routes: &[&Route]) -> Routes {
        Routes::compile(routes.iter().map(|(when, to)| (*when, to.as_slice()))).unwrap()
    }

    #[test]
    fn a_document_goes_where_a_route_leads_it_and_else_to_the_default() {
        let short = route(Some("length < 3"), &["short"]);
        let tiny = route(Some("length < 2"), &["tiny", "short"]);
        let rest = route(None, &["rest"]);
        let cases = [
            ("no routes", vec![], "abc", ["short", "tiny", "rest"].as_slice()),
            ("one holds", vec![&short, &tiny, &rest], "ab", &["short"]),
            ("two hold", vec![&short, &tiny, &rest], "a", &["short", "tiny"]),
            ("none holds", vec![&short, &tiny, &rest], "abc", &["rest"]),
            ("none holds, no default", vec![&short, &tiny], "abc", &[]),
            ("default only", vec![&rest], "a", &["rest"]),
        ];
        for (case, routes, text, expected) in cases {
            let routes = compile(&routes);
            let document = Document::new("d", text).unwrap();
            let goes = |sink: &&str| {
                routes.condition(sink).is_none_or(|condition| condition(&document).unwrap())
            };
            let sinks: Vec<&str> = ["short", "tiny", "rest"].into_iter().filter(goes).collect();
            assert_eq!(sinks, expected, "{case}");
        }
    }

    #[test]
    fn a_condition_without_an_answer_is_no_silent_no() {
        let missing = route(Some("attributes.missing > 1"), &["a"]);
        let routes = compile(&[&missing, &route(None, &["b"])]);
        let document = Document::new("d", "text").unwrap();
        for sink in ["a", "b"] {
            assert!(routes.condition(sink).unwrap()(&document).is_err(), "{sink}");
        }
    }
}
