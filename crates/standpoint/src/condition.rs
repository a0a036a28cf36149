//! Conditions over documents: the `when:` of a stage, in CEL.

use std::fmt::Write as _;
use std::sync::{Arc, LazyLock};

use cel::common::ast::{EntryExpr, Expr};
use cel::{Context, Env, IdedExpr, Program};
use serde_json::{Value, json};
use standpoint_document::Document;

/// What a condition may speak of.
pub(crate) const VARIABLES: [&str; 11] = [
    "id",
    "title",
    "language",
    "source",
    "author",
    "published",
    "length",
    "entities",
    "sentiment",
    "stance",
    "attributes",
];

/// The functions of the language, made once: making them costs more than most conditions.
static STANDARD: LazyLock<Arc<Env>> = LazyLock::new(|| Arc::new(Env::stdlib()));

/// A condition that was read and whose variables exist.
#[derive(Debug)]
pub(crate) struct Condition {
    program: Program,
    /// Only these are made for a document.
    variables: Vec<&'static str>,
}

impl Condition {
    /// Reads a condition.
    ///
    /// # Errors
    ///
    /// What is wrong with it, for whoever wrote it.
    pub(crate) fn compile(source: &str) -> Result<Self, String> {
        let program = Program::compile(source).map_err(|errors| told(source, &errors))?;
        let mut free = Vec::new();
        collect_free(program.expression(), &mut Vec::new(), &mut free);
        if let Some(name) = free.iter().find(|name| !VARIABLES.contains(&name.as_str())) {
            let known = VARIABLES.join(", ");
            return Err(format!("unknown variable `{name}`; a condition may use {known}"));
        }
        let variables =
            VARIABLES.into_iter().filter(|name| free.iter().any(|free| free == name)).collect();
        Ok(Self { program, variables })
    }

    /// Whether the condition holds for `document`.
    ///
    /// # Errors
    ///
    /// Why it has no answer, such as a comparison of a number with a word.
    pub(crate) fn holds(&self, document: &Document<'_>) -> Result<bool, String> {
        let mut context = Context::with_env(Arc::clone(&STANDARD));
        for &name in &self.variables {
            let value = variable(document, name);
            context.add_variable(name, value).map_err(|error| error.to_string())?;
        }
        match self.program.execute(&context) {
            Ok(cel::Value::Bool(holds)) => Ok(holds),
            Ok(other) => Err(format!("gives {} where true or false is needed", kind(&other))),
            Err(error) => Err(error.to_string()),
        }
    }
}

/// Collects the variables of an expression that no `exists(e, ...)` or the like binds; `bound` holds
/// those that are.
fn collect_free(expression: &IdedExpr, bound: &mut Vec<String>, free: &mut Vec<String>) {
    match &expression.expr {
        Expr::Ident(name) if !name.starts_with('@') && !bound.contains(name) => {
            free.push(name.clone());
        }
        Expr::Call(call) => {
            let parts = call.target.as_deref().into_iter().chain(&call.args);
            parts.for_each(|part| collect_free(part, bound, free));
        }
        Expr::Comprehension(loops) => {
            collect_free(&loops.iter_range, bound, free);
            collect_free(&loops.accu_init, bound, free);
            let outside = bound.len();
            bound.extend([loops.iter_var.clone(), loops.accu_var.clone()]);
            bound.extend(loops.iter_var2.clone());
            for part in [&loops.loop_cond, &loops.loop_step, &loops.result] {
                collect_free(part, bound, free);
            }
            bound.truncate(outside);
        }
        Expr::List(list) => list.elements.iter().for_each(|part| collect_free(part, bound, free)),
        Expr::Select(select) => collect_free(&select.operand, bound, free),
        Expr::Map(map) => {
            for entry in &map.entries {
                if let EntryExpr::MapEntry(entry) = &entry.expr {
                    collect_free(&entry.key, bound, free);
                    collect_free(&entry.value, bound, free);
                }
            }
        }
        _ => {}
    }
}

fn kind(value: &cel::Value) -> &'static str {
    match value {
        cel::Value::Null => "null",
        cel::Value::String(_) => "a word",
        cel::Value::List(_) => "a list",
        cel::Value::Map(_) => "a map",
        cel::Value::Int(_) | cel::Value::UInt(_) | cel::Value::Float(_) => "a number",
        _ => "something else",
    }
}

fn told(source: &str, errors: &cel::ParseErrors) -> String {
    let mut message = format!("`{source}` is not a condition");
    if let Some(error) = errors.errors.first() {
        // Infallible: a String takes whatever is written.
        let _ = write!(message, ": column {}: {}", error.pos.1, error.msg);
    }
    message
}

/// The value of one of [`VARIABLES`].
fn variable(document: &Document<'_>, name: &str) -> Value {
    let metadata = document.metadata();
    match name {
        "id" => json!(document.id()),
        "title" => json!(metadata.title),
        "language" => json!(metadata.language),
        "source" => json!(metadata.source.name),
        "author" => json!(metadata.author),
        "published" => json!(metadata.published),
        "length" => json!(document.text().chars().count()),
        "entities" => document
            .entities()
            .iter()
            .map(|entity| {
                json!({ "id": entity.id, "name": entity.name, "label": entity.kind.name() })
            })
            .collect(),
        "sentiment" => document.sentiment().and_then(|record| record.document).map_or(
            Value::Null,
            |sentiment| {
                json!({
                    "label": sentiment.label(),
                    "score": sentiment.score.get(),
                    "confidence": sentiment.confidence.get(),
                })
            },
        ),
        "stance" => document.stance().iter().flat_map(stances_toward).collect(),
        "attributes" => json!(document.attributes()),
        _ => Value::Null,
    }
}

/// One row for each actor, so that `stance.exists(s, s.actor == 'KAZ' && s.score < 0)` reads well.
fn stances_toward(stance: &standpoint_document::TargetStance) -> impl Iterator<Item = Value> + '_ {
    stance.actors.iter().map(|actor| {
        json!({
            "target": stance.target.id,
            "actor": actor.id,
            "label": actor.stance.label().name(),
            "degree": actor.stance.degree().name(),
            "score": actor.stance.score.get(),
            "confidence": actor.stance.confidence.get(),
        })
    })
}

#[cfg(test)]
mod tests {
    use standpoint_document::Metadata;

    use super::*;

    fn document() -> Document<'static> {
        let mut document = Document::new("d", "Ça va")
            .unwrap()
            .with_metadata(Metadata { language: Some("en".into()), ..Metadata::default() });
        document.set_attribute("priority", json!(7));
        document
    }

    #[test]
    fn conditions_speak_of_the_document() {
        let cases = [
            ("language == 'en'", Ok(true)),
            ("language in ['de', 'fr']", Ok(false)),
            ("length == 5 && title == null", Ok(true)),
            ("attributes.priority > 5", Ok(true)),
            ("entities.exists(e, e.id == 'KAZ' && e.name != title)", Ok(false)),
            ("[1, 2].all(x, x < length)", Ok(true)),
            ("stance.size() == 0", Ok(true)),
            ("true", Ok(true)),
            ("length", Err("gives a number where true or false is needed")),
        ];
        for (source, expected) in cases {
            let holds = Condition::compile(source).unwrap().holds(&document());
            assert_eq!(holds, expected.map_err(str::to_owned), "{source}");
        }
    }

    #[test]
    fn a_bad_condition_says_what_is_wrong() {
        let error = Condition::compile("langage == 'en'").unwrap_err();
        assert!(error.starts_with("unknown variable `langage`; a condition may use id"), "{error}");
        assert!(Condition::compile("entities.exists(e, f.id == 'KAZ')").is_err());
        let error = Condition::compile("language = 'en'").unwrap_err();
        assert!(error.starts_with("`language = 'en'` is not a condition: column"), "{error}");
        assert!(Condition::compile("").is_err());
    }

    #[test]
    fn a_missing_attribute_has_no_answer() {
        let condition = Condition::compile("attributes.missing == 1").unwrap();
        assert!(condition.holds(&document()).is_err());
    }
}
