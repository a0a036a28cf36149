//! Conditions over documents: the `when:` of a stage, in CEL.

mod fields;

use std::fmt;
use std::sync::{Arc, LazyLock};

use cel::common::ast::{CallExpr, EntryExpr, Expr};
use cel::{Context, Env, IdedExpr, Program};
use serde_json::{Value, json};
use standpoint_config::nearest;
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

/// The functions that a name may have been meant to be.
const FUNCTIONS: [&str; 10] = [
    "bool",
    "bytes",
    "contains",
    "double",
    "endsWith",
    "int",
    "size",
    "startsWith",
    "string",
    "uint",
];

/// The macros, with how each is written. One that is still a call was written otherwise.
const MACROS: [(&str, &str); 6] = [
    ("all", "list.all(x, condition)"),
    ("exists", "list.exists(x, condition)"),
    ("exists_one", "list.exists_one(x, condition)"),
    ("filter", "list.filter(x, condition)"),
    ("has", "has(map.key)"),
    ("map", "list.map(x, value)"),
];

/// What is wrong with a condition, for whoever wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mistake {
    message: String,
    /// Where in the condition, in characters from 0.
    pub(crate) at: Option<usize>,
}

impl fmt::Display for Mistake {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

/// A condition that was read and whose variables and fields exist.
#[derive(Debug)]
pub(crate) struct Condition {
    program: Program,
    /// Only these are made for a document.
    variables: Vec<&'static str>,
    /// What is never so, or always, whatever the document.
    pub(crate) doubts: Vec<Mistake>,
    /// The same of ids, as far as the tables that are compiled in say whose they are.
    pub(crate) doubts_of_ids: Vec<Mistake>,
    /// Names that the document's source is compared with, and where in the condition.
    pub(crate) sources: Vec<(String, Option<usize>)>,
}

impl Condition {
    /// Reads a condition.
    ///
    /// # Errors
    ///
    /// The first of what is wrong with it, for whoever wrote it.
    pub(crate) fn compile(source: &str) -> Result<Self, Mistake> {
        let empty = || Mistake { message: "it cannot be read".to_owned(), at: None };
        let first = |mistakes: Vec<Mistake>| mistakes.into_iter().next().unwrap_or_else(empty);
        Self::read(source).map_err(first)
    }

    /// Whether it speaks of one of [`VARIABLES`].
    pub(crate) fn speaks_of(&self, variable: &str) -> bool {
        self.variables.contains(&variable)
    }

    /// Reads a condition.
    ///
    /// # Errors
    ///
    /// All that is wrong with it.
    pub(crate) fn read(source: &str) -> Result<Self, Vec<Mistake>> {
        let program = Program::compile(source).map_err(|errors| vec![told(source, &errors)])?;
        let mut free = Vec::new();
        let mut called = Vec::new();
        collect_free(program.expression(), &mut Vec::new(), &mut free, &mut called);
        let at = |name: &String| word_at(source, name);
        let functions = called.iter().filter(|name| !is_function(name));
        let mut mistakes: Vec<Mistake> =
            functions.map(|name| Mistake { message: miscalled(name), at: at(name) }).collect();
        let unknown = free.iter().filter(|name| !VARIABLES.contains(&name.as_str()));
        mistakes.extend(unknown.map(|name| {
            let message = format!("unknown variable `{name}`; {}", meant(name, &VARIABLES));
            Mistake { message, at: at(name) }
        }));
        let mut found = fields::look(&program, source);
        mistakes.append(&mut found.mistakes);
        if !mistakes.is_empty() {
            // Of a name that is there twice only one place is known.
            let mut once: Vec<Mistake> = Vec::new();
            for mistake in mistakes {
                if !once.contains(&mistake) {
                    once.push(mistake);
                }
            }
            return Err(once);
        }
        let variables =
            VARIABLES.into_iter().filter(|name| free.iter().any(|free| free == name)).collect();
        let fields::Findings { doubts, doubts_of_ids, sources, .. } = found;
        Ok(Self { program, variables, doubts, doubts_of_ids, sources })
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

/// Whether a call is one of an operator, or of a function that there is.
fn is_function(name: &str) -> bool {
    let is_operator = !name.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '.');
    // Nothing can be added under a name that the language has.
    let mut context = Context::with_env(Arc::clone(&STANDARD));
    is_operator || context.add_function(name, |number: i64| number).is_err()
}

/// The variable that a call of what is no function was probably to bind, as
/// `list.exist(x, x.id == 'KAZ')`.
fn bound_by(call: &CallExpr) -> Option<&str> {
    let Some(Expr::Ident(name)) = call.args.first().map(|first| &first.expr) else { return None };
    let is_macro = || MACROS.iter().any(|(known, _)| *known == call.func_name);
    let may_bind = !is_function(&call.func_name) && call.target.is_some();
    (may_bind && (call.args.len() > 1 || is_macro())).then_some(name)
}

/// What is wrong with a call of what is no function.
fn miscalled(name: &str) -> String {
    if let Some((_, written)) = MACROS.iter().find(|(known, _)| *known == name) {
        return format!("`{name}` takes other arguments: `{written}`");
    }
    let known = [&MACROS.map(|(name, _)| name)[..], &FUNCTIONS].concat();
    format!("unknown function `{name}`; {}", meant(name, &known))
}

/// The known name that was probably meant, or all of them.
fn meant(name: &str, known: &[&str]) -> String {
    match nearest(name, known.iter().copied()) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!("a condition may use {}", known.join(", ")),
    }
}

/// Where a word stands in a condition outside of quotes, in characters.
pub(crate) fn word_at(source: &str, word: &str) -> Option<usize> {
    let characters: Vec<char> = unquoted(source).chars().collect();
    let word: Vec<char> = word.rsplit('.').next()?.chars().collect();
    let is_of_word =
        |at: usize| characters.get(at).is_some_and(|c| c.is_alphanumeric() || *c == '_');
    (0..characters.len()).find(|&at| {
        characters[at..].starts_with(&word)
            && (at == 0 || !is_of_word(at - 1))
            && !is_of_word(at + word.len())
    })
}

/// A condition with blanks for what is quoted in it, each character in its place.
fn unquoted(source: &str) -> String {
    let mut quote = None;
    let mut is_escaped = false;
    let blank = source.chars().map(|c| {
        let was_inside = quote.is_some();
        match quote {
            Some(_) if is_escaped => is_escaped = false,
            Some(_) if c == '\\' => is_escaped = true,
            Some(end) if c == end => quote = None,
            None if matches!(c, '\'' | '"') => quote = Some(c),
            _ => {}
        }
        if was_inside || quote.is_some() { ' ' } else { c }
    });
    blank.collect()
}

/// Collects the variables of an expression that no `exists(e, ...)` or the like binds, and the
/// functions that are called; `bound` holds the variables that are bound.
fn collect_free(
    expression: &IdedExpr,
    bound: &mut Vec<String>,
    free: &mut Vec<String>,
    called: &mut Vec<String>,
) {
    match &expression.expr {
        Expr::Ident(name) if !name.starts_with('@') && !bound.contains(name) => {
            free.push(name.clone());
        }
        Expr::Call(call) => {
            called.push(call.func_name.clone());
            call.target.iter().for_each(|part| collect_free(part, bound, free, called));
            let outside = bound.len();
            bound.extend(bound_by(call).map(str::to_owned));
            call.args.iter().for_each(|part| collect_free(part, bound, free, called));
            bound.truncate(outside);
        }
        Expr::Comprehension(loops) => {
            collect_free(&loops.iter_range, bound, free, called);
            collect_free(&loops.accu_init, bound, free, called);
            let outside = bound.len();
            bound.extend([loops.iter_var.clone(), loops.accu_var.clone()]);
            bound.extend(loops.iter_var2.clone());
            for part in [&loops.loop_cond, &loops.loop_step, &loops.result] {
                collect_free(part, bound, free, called);
            }
            bound.truncate(outside);
        }
        Expr::List(list) => {
            list.elements.iter().for_each(|part| collect_free(part, bound, free, called));
        }
        Expr::Select(select) => collect_free(&select.operand, bound, free, called),
        Expr::Map(map) => {
            for entry in &map.entries {
                if let EntryExpr::MapEntry(entry) = &entry.expr {
                    collect_free(&entry.key, bound, free, called);
                    collect_free(&entry.value, bound, free, called);
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

fn told(source: &str, errors: &cel::ParseErrors) -> Mistake {
    if let Some(at) = lone_equals(source) {
        return Mistake { message: "`=` is no comparison; write `==`".to_owned(), at: Some(at) };
    }
    if source.trim().is_empty() {
        return Mistake { message: "the condition is empty".to_owned(), at: None };
    }
    // The parser counts lines and columns from 1. What it could not read has no place in a macro's
    // complaint about it, and one of its own beside it.
    let place_of = |error: &cel::ParseError| {
        let lines_before = usize::try_from(error.pos.0).ok()?.checked_sub(1)?;
        let lines = source.split_inclusive('\n').take(lines_before);
        let before: usize = lines.map(|line| line.chars().count()).sum();
        Some(before + usize::try_from(error.pos.1).ok()?.checked_sub(1)?)
    };
    let mut placed = errors.errors.iter().filter_map(|error| Some((error, place_of(error)?)));
    let (error, at) = match placed.next() {
        Some((error, at)) => (Some(error), Some(at)),
        None => (errors.errors.first(), None),
    };
    // Of what the syntax lacks only the place is for people.
    let reason = error.map(|error| &error.msg).filter(|msg| !msg.starts_with("Syntax error:"));
    let rest = at.map(|at| source.chars().skip(at).take(20).collect::<String>());
    let why = match (reason, rest) {
        (Some(reason), _) => reason.clone(),
        (None, Some(rest)) if rest.trim().is_empty() => "it breaks off".to_owned(),
        (None, Some(rest)) => format!("it cannot be read from `{rest}` on"),
        (None, None) => "it cannot be read".to_owned(),
    };
    Mistake { message: format!("`{source}` is not a condition: {why}"), at }
}

/// Where a single `=` stands.
fn lone_equals(source: &str) -> Option<usize> {
    let characters: Vec<char> = unquoted(source).chars().collect();
    let is_one_of = |at: Option<usize>, marks: &[char]| {
        at.and_then(|at| characters.get(at)).is_some_and(|c| marks.contains(c))
    };
    (0..characters.len()).find(|&at| {
        characters[at] == '='
            && !is_one_of(at.checked_sub(1), &['=', '!', '<', '>'])
            && !is_one_of(Some(at + 1), &['='])
    })
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
            ("attributes.priority", Err("gives a number where true or false is needed")),
        ];
        for (source, expected) in cases {
            let holds = Condition::compile(source).unwrap().holds(&document());
            assert_eq!(holds, expected.map_err(str::to_owned), "{source}");
        }
    }

    #[test]
    fn a_bad_condition_says_what_is_wrong() {
        let cases = [
            ("langage == 'en'", 0, "unknown variable `langage`; did you mean `language`?"),
            ("'f' == f", 7, "unknown variable `f`; a condition may use id, title"),
            ("entities.exists(e, f.id == 'KAZ')", 19, "unknown variable `f`"),
            (
                "entities.exist(e, e.id == 'KAZ')",
                9,
                "unknown function `exist`; did you mean `exists`?",
            ),
            (
                "title.startswith('A')",
                6,
                "unknown function `startswith`; did you mean `startsWith`?",
            ),
            ("'size' == frob(title)", 10, "unknown function `frob`; a condition may use all"),
            ("title.matches('x')", 6, "unknown function `matches`"),
            ("has( )", 0, "`has` takes other arguments: `has(map.key)`"),
            ("{1: 2}.has(1)", 7, "`has` takes other arguments"),
            (
                "entities.exists(e)",
                9,
                "`exists` takes other arguments: `list.exists(x, condition)`",
            ),
            ("has(title)", 4, "invalid argument to has() macro"),
            ("language = 'en'", 9, "`=` is no comparison; write `==`"),
            ("title == 'a = b' && language='en'", 28, "`=` is no comparison"),
            ("length > 5 length", 11, "it cannot be read from `length` on"),
            ("(length > 5", 11, "it breaks off"),
        ];
        for (source, at, expected) in cases {
            let error = Condition::compile(source).unwrap_err();
            assert!(error.to_string().contains(expected), "{source}: {error}");
            assert_eq!(error.at, Some(at), "{source}: {error}");
        }
        assert_eq!(Condition::compile(" ").unwrap_err().to_string(), "the condition is empty");
    }

    #[test]
    fn every_mistake_of_a_condition_is_told() {
        let cases = [
            (
                "sentiment.scor > 1 && stance.exists(s, s.lable == 'x')",
                [Some(10), Some(41)].as_slice(),
            ),
            ("langage == 'en' && titel == 'x' && length > 'a'", &[Some(0), Some(19), Some(44)]),
            ("titel == 'x' || titel == 'y'", &[Some(0)]),
            (
                "frob(titel) && title.startswith(sentiment.scor)",
                &[Some(0), Some(21), Some(5), Some(42)],
            ),
            // What a function that there is not was to bind is not known.
            (
                "entities.exist(stance, stance.id == 'x') && sentiment.scor > 1",
                &[Some(9), Some(54)],
            ),
        ];
        for (source, expected) in cases {
            let mistakes = Condition::read(source).unwrap_err();
            let places: Vec<_> = mistakes.iter().map(|mistake| mistake.at).collect();
            assert_eq!(places, expected, "{source}: {mistakes:?}");
        }
    }

    #[test]
    fn a_mistake_of_which_a_macro_gives_no_place_is_told() {
        let error = Condition::compile("has(.)").unwrap_err();
        let expected = "`has(.)` is not a condition: it cannot be read from `)` on";
        assert_eq!(error.to_string(), expected);
        assert_eq!(error.at, Some(5));
    }

    #[test]
    fn the_language_has_each_function_that_is_offered() {
        for name in FUNCTIONS {
            assert!(is_function(name), "{name}");
        }
    }

    #[test]
    fn a_missing_attribute_has_no_answer() {
        let condition = Condition::compile("attributes.missing == 1").unwrap();
        assert!(condition.holds(&document()).is_err());
    }
}
