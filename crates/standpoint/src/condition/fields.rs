//! What a condition says of fields: whether there are such, and whether what is compared can be.
//!
//! The values of documents are known by their kinds, but for attributes, which may be anything.

use std::cmp::Ordering;

use cel::common::ast::{CallExpr, EntryExpr, Expr, LiteralValue, SelectExpr, operators};
use cel::{IdedExpr, Program};
use standpoint_config::nearest;
use standpoint_document::{Degree, EntityKind, SentimentLabel, StanceLabel};

use crate::condition::{Mistake, bound_by, is_function};
use crate::targets;

type Fields = &'static [(&'static str, Kind)];

/// What is known of a value without a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Unknown,
    Truth,
    Number,
    /// A number from one to another.
    Between(i8, i8),
    Text,
    /// The code of a language.
    Language,
    /// The name of a source.
    Source,
    /// The id of somebody.
    Id,
    /// One of these words.
    Word(&'static [&'static str]),
    Record(Fields),
    /// A list of records.
    List(Fields),
}

const SENTIMENT: Fields = &[
    (
        "label",
        Kind::Word(&[
            SentimentLabel::Negative.name(),
            SentimentLabel::Neutral.name(),
            SentimentLabel::Positive.name(),
        ]),
    ),
    ("score", Kind::Between(-1, 1)),
    ("confidence", Kind::Between(0, 1)),
];

const ENTITY: Fields = &[
    ("id", Kind::Id),
    ("name", Kind::Text),
    (
        "label",
        Kind::Word(&[
            EntityKind::Person.name(),
            EntityKind::Organisation.name(),
            EntityKind::Country.name(),
            EntityKind::Place.name(),
            EntityKind::Group.name(),
            EntityKind::Event.name(),
            EntityKind::Other.name(),
        ]),
    ),
];

const STANCE: Fields = &[
    ("target", Kind::Id),
    ("actor", Kind::Id),
    (
        "label",
        Kind::Word(&[
            StanceLabel::Opposed.name(),
            StanceLabel::Neutral.name(),
            StanceLabel::Supportive.name(),
        ]),
    ),
    (
        "degree",
        Kind::Word(&[
            Degree::Opposed.name(),
            Degree::Distancing.name(),
            Degree::Neutral.name(),
            Degree::Leaning.name(),
            Degree::Supportive.name(),
        ]),
    ),
    ("score", Kind::Between(-1, 1)),
    ("confidence", Kind::Between(0, 1)),
];

impl Kind {
    /// Of one of the variables of a condition.
    fn of_variable(name: &str) -> Self {
        match name {
            "id" | "title" | "author" | "published" => Self::Text,
            "language" => Self::Language,
            "source" => Self::Source,
            "length" => Self::Number,
            "entities" => Self::List(ENTITY),
            "sentiment" => Self::Record(SENTIMENT),
            "stance" => Self::List(STANCE),
            _ => Self::Unknown,
        }
    }

    fn of_literal(literal: &LiteralValue) -> Self {
        match literal {
            LiteralValue::Boolean(_) => Self::Truth,
            LiteralValue::Int(_) | LiteralValue::UInt(_) | LiteralValue::Double(_) => Self::Number,
            LiteralValue::String(_) => Self::Text,
            LiteralValue::Null | LiteralValue::Bytes(_) => Self::Unknown,
        }
    }

    /// What people call such a value; nothing where it may be anything.
    fn name(self) -> Option<&'static str> {
        match self {
            Self::Unknown => None,
            Self::Truth => Some("true or false"),
            Self::Number | Self::Between(..) => Some("a number"),
            Self::Text | Self::Language | Self::Source | Self::Id | Self::Word(_) => Some("a word"),
            Self::Record(_) => Some("a map"),
            Self::List(_) => Some("a list"),
        }
    }
}

/// What is wrong with the fields of a condition.
#[derive(Debug, Default)]
pub(super) struct Findings {
    /// What would have no answer for a document.
    pub(super) mistakes: Vec<Mistake>,
    /// What has an answer, but always the same.
    pub(super) doubts: Vec<Mistake>,
    /// The same of ids, as far as the tables that are compiled in say whose they are.
    pub(super) doubts_of_ids: Vec<Mistake>,
    /// Names that the document's source is compared with, and where.
    pub(super) sources: Vec<(String, Option<usize>)>,
}

/// Looks at the fields of a condition; what variables and functions that there are not give is
/// unknown.
pub(super) fn look(program: &Program, source: &str) -> Findings {
    let bound = Vec::new();
    let mut reader = Reader { program, source, bound, findings: Findings::default() };
    let whole = program.expression();
    let kind = reader.kind_of(whole);
    reader.want_truth(whole, kind);
    if let Expr::Literal(LiteralValue::Boolean(truth)) = &whole.expr
        && !*truth.inner()
    {
        let message = "it is never so, whatever the document".to_owned();
        reader.findings.doubts.push(Mistake { message, at: None });
    }
    reader.findings
}

struct Reader<'a> {
    program: &'a Program,
    source: &'a str,
    /// The variables that macros bind, the innermost last.
    bound: Vec<(String, Kind)>,
    findings: Findings,
}

impl Reader<'_> {
    fn kind_of(&mut self, expression: &IdedExpr) -> Kind {
        match &expression.expr {
            Expr::Literal(literal) => Kind::of_literal(literal),
            Expr::Ident(name) => {
                let bound = self.bound.iter().rev().find(|(bound, _)| bound == name);
                bound.map_or_else(|| Kind::of_variable(name), |(_, kind)| *kind)
            }
            Expr::Select(select) => self.select(expression, select),
            Expr::Call(call) => self.call(call),
            Expr::Comprehension(loops) => {
                let element = match self.kind_of(&loops.iter_range) {
                    Kind::List(fields) if loops.iter_var2.is_none() => Kind::Record(fields),
                    _ => Kind::Unknown,
                };
                let outside = self.bound.len();
                self.bound.push((loops.accu_var.clone(), Kind::Unknown));
                self.bound.push((loops.iter_var.clone(), element));
                self.bound.extend(loops.iter_var2.clone().map(|name| (name, Kind::Unknown)));
                self.kind_of(&loops.loop_step);
                self.bound.truncate(outside);
                Kind::Unknown
            }
            Expr::List(list) => {
                for element in &list.elements {
                    self.kind_of(element);
                }
                Kind::Unknown
            }
            Expr::Map(map) => {
                for entry in &map.entries {
                    if let EntryExpr::MapEntry(entry) = &entry.expr {
                        self.kind_of(&entry.key);
                        self.kind_of(&entry.value);
                    }
                }
                Kind::Unknown
            }
            _ => Kind::Unknown,
        }
    }

    fn select(&mut self, expression: &IdedExpr, select: &SelectExpr) -> Kind {
        let kind = self.kind_of(&select.operand);
        // Whether there is such a field is what `has()` asks.
        if select.test {
            return Kind::Truth;
        }
        let at = self.place_of(expression).map(|at| self.behind_the_dot(at));
        self.field(&select.operand, kind, &select.field, at)
    }

    /// The kind of a field of `operand`, which is of `kind`.
    fn field(&mut self, operand: &IdedExpr, kind: Kind, field: &str, at: Option<usize>) -> Kind {
        let owner = written(operand);
        let message = match kind {
            Kind::Unknown => return Kind::Unknown,
            Kind::Record(fields) => {
                if let Some((_, kind)) = fields.iter().find(|(name, _)| *name == field) {
                    return *kind;
                }
                let known: Vec<&str> = fields.iter().map(|(name, _)| *name).collect();
                let meant = match nearest(field, known.iter().copied()) {
                    Some(meant) => format!("did you mean `{meant}`?"),
                    None => format!("it has {}", known.join(", ")),
                };
                // Unlike in a result, where a target has a list of actors.
                let is_nested = field == "actors" && known.contains(&"actor");
                let flat = if is_nested { " In `stance` each actor is an entry" } else { "" };
                format!("{owner} has no field `{field}`; {meant}{flat}")
            }
            Kind::List(_) => format!(
                "{owner} is a list; ask its entries, as in `{}.exists(x, x.{field} == ...)`",
                owner.trim_matches('`')
            ),
            other => format!("{owner} is {} and has no fields", other.name().unwrap_or_default()),
        };
        self.findings.mistakes.push(Mistake { message, at });
        Kind::Unknown
    }

    fn call(&mut self, call: &CallExpr) -> Kind {
        if !is_function(&call.func_name) {
            let bound = bound_by(call).map(|name| (name.to_owned(), Kind::Unknown));
            if let Some(target) = &call.target {
                self.kind_of(target);
            }
            let outside = self.bound.len();
            self.bound.extend(bound);
            for argument in &call.args {
                self.kind_of(argument);
            }
            self.bound.truncate(outside);
            return Kind::Unknown;
        }
        let parts = call.target.as_deref().into_iter().chain(&call.args);
        let parts: Vec<(&IdedExpr, Kind)> = parts.map(|part| (part, self.kind_of(part))).collect();
        match (call.func_name.as_str(), parts.as_slice()) {
            (operators::LOGICAL_AND | operators::LOGICAL_OR | operators::LOGICAL_NOT, _) => {
                for (part, kind) in &parts {
                    self.want_truth(part, *kind);
                }
                Kind::Truth
            }
            (operators::CONDITIONAL, [(part, kind), ..]) => {
                self.want_truth(part, *kind);
                Kind::Unknown
            }
            (operators::EQUALS | operators::NOT_EQUALS, [one, other]) => {
                self.may_be_equal(*one, other.0);
                self.may_be_equal(*other, one.0);
                Kind::Truth
            }
            (
                operators::LESS
                | operators::LESS_EQUALS
                | operators::GREATER
                | operators::GREATER_EQUALS,
                [one, other],
            ) => {
                if let (Some(kind), Some(than)) = (one.1.name(), other.1.name())
                    && kind != than
                {
                    let (one, at) = (written(one.0), self.place_of(other.0));
                    let message = format!("{one} is {kind}; it cannot be compared with {than}");
                    self.findings.mistakes.push(Mistake { message, at });
                }
                self.may_differ(&call.func_name, *one, other.0);
                self.may_differ(mirrored(&call.func_name), *other, one.0);
                Kind::Truth
            }
            (operators::IN, [one, (list, _)]) => {
                if let Expr::List(list) = &list.expr {
                    for element in &list.elements {
                        self.may_be_equal(*one, element);
                    }
                }
                Kind::Truth
            }
            (operators::INDEX, [(operand, kind), (index, index_kind)]) => {
                match (&index.expr, kind, index_kind) {
                    (Expr::Literal(LiteralValue::String(name)), Kind::Record(_), _) => {
                        let at = self.place_of(index).map(|at| at + 1);
                        self.field(operand, *kind, name.inner(), at)
                    }
                    (_, Kind::List(fields), Kind::Number) => Kind::Record(fields),
                    _ => Kind::Unknown,
                }
            }
            // A list may contain anything.
            ("contains", [(_, Kind::Unknown | Kind::Record(_) | Kind::List(_)), ..]) => Kind::Truth,
            ("startsWith" | "endsWith" | "contains", _) => {
                for (part, kind) in &parts {
                    self.want_kind(part, *kind, &["a word"], &call.func_name);
                }
                Kind::Truth
            }
            ("size", [(part, kind)]) => {
                self.want_kind(part, *kind, &["a word", "a list", "a map"], "size");
                Kind::Number
            }
            ("size", _) | (operators::NEGATE, [(_, Kind::Number)]) => Kind::Number,
            _ => Kind::Unknown,
        }
    }

    /// Doubts a comparison that comes out the same for every document.
    fn may_differ(&mut self, operator: &str, (value, kind): (&IdedExpr, Kind), limit: &IdedExpr) {
        let (Kind::Between(low, high), Some(number)) = (kind, number_in(limit)) else { return };
        let holds = |value: i8| {
            let order = f64::from(value).partial_cmp(&number);
            match operator {
                operators::LESS => order == Some(Ordering::Less),
                operators::LESS_EQUALS => order.is_some_and(Ordering::is_le),
                operators::GREATER => order == Some(Ordering::Greater),
                _ => order.is_some_and(Ordering::is_ge),
            }
        };
        // What holds at both ends holds between them.
        if holds(low) == holds(high) {
            let how = if holds(low) { "always" } else { "never" };
            let value = written(value);
            let message =
                format!("{value} lies between {low} and {high}, so that this is {how} so");
            let at = self.place_of(limit);
            self.findings.doubts.push(Mistake { message, at });
        }
    }

    fn want_truth(&mut self, expression: &IdedExpr, kind: Kind) {
        if let Some(name) = kind.name().filter(|_| kind != Kind::Truth) {
            let message =
                format!("{} is {name}, where true or false is needed", written(expression));
            let at = self.place_of(expression);
            self.findings.mistakes.push(Mistake { message, at });
        }
    }

    /// Refuses what a function cannot take.
    fn want_kind(&mut self, expression: &IdedExpr, kind: Kind, taken: &[&str], function: &str) {
        if let Some(name) = kind.name().filter(|name| !taken.contains(name)) {
            let (value, taken) = (written(expression), taken.join(" or "));
            let message = format!("{value} is {name}; `{function}` takes {taken}");
            let at = self.place_of(expression);
            self.findings.mistakes.push(Mistake { message, at });
        }
    }

    /// Doubts that a value is ever equal to a literal.
    fn may_be_equal(&mut self, (value, kind): (&IdedExpr, Kind), literal: &IdedExpr) {
        let value = written(value);
        if let (Kind::Between(low, high), Some(number)) = (kind, number_in(literal))
            && !(f64::from(low)..=f64::from(high)).contains(&number)
        {
            let message = format!("{value} lies between {low} and {high}");
            let at = self.place_of(literal);
            self.findings.doubts.push(Mistake { message, at });
        }
        let Expr::Literal(wanted) = &literal.expr else { return };
        let never = match (kind, wanted) {
            (Kind::Id, LiteralValue::String(wanted)) => {
                let wanted = wanted.inner();
                targets::id_of(wanted).map(|id| {
                    format!("{value} is an id and never `{wanted}`; did you mean `{id}`?")
                })
            }
            (Kind::Source, LiteralValue::String(wanted)) => {
                let at = self.place_of(literal);
                self.findings.sources.push((wanted.inner().to_owned(), at));
                None
            }
            (Kind::Language, LiteralValue::String(wanted)) => {
                let wanted = wanted.inner();
                // An empty one asks whether there is one.
                (!wanted.is_empty() && !is_language_code(wanted))
                    .then(|| format!("{value} is a code such as `en`, and `{wanted}` is none"))
            }
            (Kind::Word(words), LiteralValue::String(wanted)) => {
                let wanted = wanted.inner();
                let meant = || match nearest(wanted, words.iter().copied()) {
                    Some(meant) => format!("did you mean `{meant}`?"),
                    None => format!("it is one of {}", words.join(", ")),
                };
                (!words.contains(&wanted))
                    .then(|| format!("{value} is never `{wanted}`; {}", meant()))
            }
            _ => match (kind.name(), Kind::of_literal(wanted).name()) {
                (Some(kind), Some(other)) if kind != other => {
                    Some(format!("{value} is {kind} and never equal to {other}"))
                }
                _ => None,
            },
        };
        if let Some(message) = never {
            let at = self.place_of(literal);
            let doubts = match (kind, wanted) {
                (Kind::Id, LiteralValue::String(_)) => &mut self.findings.doubts_of_ids,
                _ => &mut self.findings.doubts,
            };
            doubts.push(Mistake { message, at });
        }
    }

    /// Where an expression begins, in characters.
    fn place_of(&self, expression: &IdedExpr) -> Option<usize> {
        let (start, _) = self.program.source_info().offset_for(expression.id)?;
        let before = self.source.get(..usize::try_from(start).ok()?)?;
        Some(before.chars().count())
    }

    /// The place of the field of a selection, whose own place is its dot.
    fn behind_the_dot(&self, at: usize) -> usize {
        let rest = self.source.chars().skip(at);
        at + rest.take_while(|c| *c == '.' || c.is_whitespace()).count()
    }
}

/// The comparison with its sides exchanged.
fn mirrored(operator: &str) -> &str {
    match operator {
        operators::LESS => operators::GREATER,
        operators::LESS_EQUALS => operators::GREATER_EQUALS,
        operators::GREATER => operators::LESS,
        _ => operators::LESS_EQUALS,
    }
}

/// The number that an expression is.
fn number_in(expression: &IdedExpr) -> Option<f64> {
    match &expression.expr {
        Expr::Literal(LiteralValue::Int(number)) => Some(*number.inner() as f64),
        Expr::Literal(LiteralValue::UInt(number)) => Some(*number.inner() as f64),
        Expr::Literal(LiteralValue::Double(number)) => Some(*number.inner()),
        Expr::Call(call) if call.func_name == operators::NEGATE => {
            Some(-number_in(call.args.first()?)?)
        }
        _ => None,
    }
}

/// Whether a word can be the code of a language, with or without a country: `en`, `en-GB`, `yue`.
fn is_language_code(word: &str) -> bool {
    let language = word.split('-').next().unwrap_or_default();
    (2..=3).contains(&language.len()) && language.bytes().all(|byte| byte.is_ascii_lowercase())
}

/// A value as it was written, if that is short.
fn written(expression: &IdedExpr) -> String {
    fn path(expression: &IdedExpr) -> Option<String> {
        match &expression.expr {
            Expr::Ident(name) => Some(name.clone()),
            Expr::Select(select) => Some(format!("{}.{}", path(&select.operand)?, select.field)),
            Expr::Call(call) if call.func_name == operators::INDEX => {
                let [list, index] = call.args.as_slice() else { return None };
                let Expr::Literal(LiteralValue::Int(index)) = &index.expr else { return None };
                Some(format!("{}[{}]", path(list)?, index.inner()))
            }
            _ => None,
        }
    }
    path(expression).map_or_else(|| "it".to_owned(), |path| format!("`{path}`"))
}

#[cfg(test)]
mod tests;
