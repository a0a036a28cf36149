//! What a condition says of fields: whether there are such, and whether what is compared can be.
//!
//! The values of documents are known by their kinds, but for attributes, which may be anything.

use cel::common::ast::{CallExpr, EntryExpr, Expr, LiteralValue, SelectExpr, operators};
use cel::{IdedExpr, Program};
use standpoint_config::nearest;
use standpoint_document::{Degree, EntityKind, SentimentLabel, StanceLabel};

use crate::condition::{Mistake, is_function};
use crate::targets;

type Fields = &'static [(&'static str, Kind)];

/// What is known of a value without a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Unknown,
    Truth,
    Number,
    Text,
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
    ("score", Kind::Number),
    ("confidence", Kind::Number),
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
    ("score", Kind::Number),
    ("confidence", Kind::Number),
];

impl Kind {
    /// Of one of the variables of a condition.
    fn of_variable(name: &str) -> Self {
        match name {
            "id" | "title" | "language" | "source" | "author" | "published" => Self::Text,
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
            Self::Number => Some("a number"),
            Self::Text | Self::Id | Self::Word(_) => Some("a word"),
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
}

/// Looks at the fields of a condition; what variables and functions that there are not give is unknown.
pub(super) fn look(program: &Program, source: &str) -> Findings {
    let bound = Vec::new();
    let mut reader = Reader { program, source, bound, findings: Findings::default() };
    let whole = program.expression();
    let kind = reader.kind_of(whole);
    reader.want_truth(whole, kind);
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
                format!("{owner} has no field `{field}`; {meant}")
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
            // Its arguments may be names that it was to bind.
            if let Some(target) = &call.target {
                self.kind_of(target);
            }
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
            ("size", _) => Kind::Number,
            _ => Kind::Unknown,
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

    /// Doubts that a value is ever equal to a literal.
    fn may_be_equal(&mut self, (value, kind): (&IdedExpr, Kind), literal: &IdedExpr) {
        let Expr::Literal(wanted) = &literal.expr else { return };
        let value = written(value);
        let never = match (kind, wanted) {
            (Kind::Id, LiteralValue::String(wanted)) => {
                let wanted = wanted.inner();
                targets::id_of(wanted).map(|id| {
                    format!("{value} is an id and never `{wanted}`; did you mean `{id}`?")
                })
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

/// A value as it was written, if that is short.
fn written(expression: &IdedExpr) -> String {
    fn path(expression: &IdedExpr) -> Option<String> {
        match &expression.expr {
            Expr::Ident(name) => Some(name.clone()),
            Expr::Select(select) => Some(format!("{}.{}", path(&select.operand)?, select.field)),
            _ => None,
        }
    }
    path(expression).map_or_else(|| "it".to_owned(), |path| format!("`{path}`"))
}

#[cfg(test)]
mod tests {
    use standpoint_document::{
        ActorStance, Aliases, Confidence, Document, Entity, Polarity, Sentiment, SentimentRecord,
        Stance, StanceTarget, TargetStance,
    };

    use super::*;
    use crate::condition::{Condition, VARIABLES, variable};

    #[test]
    fn what_no_document_answers_is_a_mistake() {
        let cases = [
            (
                "title == 'é' || stance.exists(s, s.lable == 'opposed')",
                35,
                "`s` has no field `lable`; did you mean `label`?",
            ),
            ("sentiment.scor > 0.5", 10, "`sentiment` has no field `scor`; did you mean `score`?"),
            ("sentiment['scor'] > 0.5", 11, "`sentiment` has no field `scor`"),
            ("sentiment.valence > 0", 10, "no field `valence`; it has label, score, confidence"),
            ("entities.filter(e, true).size() > 0 && entities[0].kind == 'x'", 51, "field `kind`"),
            ("stance.label == 'opposed'", 7, "`stance` is a list; ask its entries, as in `stance."),
            ("title.size > 3", 6, "`title` is a word and has no fields"),
            ("length > 'a'", 9, "`length` is a number; it cannot be compared with a word"),
            ("0.5 < title", 6, "it is a number; it cannot be compared with a word"),
            ("stance.exists(s, s.score < 'low')", 27, "`s.score` is a number; it cannot"),
            ("length", 0, "`length` is a number, where true or false is needed"),
            ("title || true", 0, "`title` is a word, where true or false is needed"),
        ];
        for (source, at, expected) in cases {
            let mistake = Condition::compile(source).unwrap_err();
            assert!(mistake.to_string().contains(expected), "{source}: {mistake}");
            assert_eq!(mistake.at, Some(at), "{source}: {mistake}");
        }
    }

    #[test]
    fn what_is_never_so_is_a_doubt() {
        let cases = [
            (
                "stance.exists(s, s.target == 'Russia')",
                29,
                "`s.target` is an id and never `Russia`; did you mean `RUS`?",
            ),
            ("stance.exists(s, 'rus' == s.actor)", 17, "did you mean `RUS`?"),
            ("entities.exists(e, e.id in ['KAZ', 'Vladimir Putin'])", 35, "mean `RUS.PUTIN`?"),
            ("stance.exists(s, s.label == 'oposed')", 28, "did you mean `opposed`?"),
            ("sentiment.label != 'bad'", 19, "it is one of negative, neutral, positive"),
            ("length == '5'", 10, "`length` is a number and never equal to a word"),
        ];
        for (source, at, expected) in cases {
            let condition = Condition::compile(source).unwrap();
            let doubts = [condition.doubts, condition.doubts_of_ids].concat();
            let [doubt] = doubts.as_slice() else { panic!("{source}: {doubts:?}") };
            assert!(doubt.to_string().contains(expected), "{source}: {doubt}");
            assert_eq!(doubt.at, Some(at), "{source}: {doubt}");
        }
    }

    #[test]
    fn what_may_be_so_is_none() {
        let cases = [
            "attributes.anything.below == 'x' && attributes['other'] > 3 || attributes.flag",
            "has(attributes.x) && attributes.x",
            "has(sentiment.scor)",
            "sentiment != null && sentiment.score > 0",
            "title == null || title != ''",
            "stance.exists(stance, stance.score < 0) && stance[0].score <= -0.5",
            "stance.map(s, s.actor).exists(a, a.x) && size(stance) > 0 && stance.size() > 0",
            "stance.exists_one(s, s.target == 'RUS' && s.degree in ['leaning', 'neutral'])",
            "stance.all(s, s.actor == 'name:ilse-brandvold' || s.target == 'EU' || s.actor == '')",
            "[1, 2].exists(x, x == 'a' || x > 1) && {'a': length}.a > 1",
            "true ? title.startsWith('A') : !(length > 3)",
        ];
        for source in cases {
            let condition = Condition::compile(source).unwrap();
            let doubts = [condition.doubts, condition.doubts_of_ids].concat();
            assert!(doubts.is_empty(), "{source}: {doubts:?}");
        }
    }

    #[test]
    fn documents_have_the_fields_that_are_known() {
        let mut document = Document::new("d", "").unwrap();
        let (score, confidence) = (Polarity::saturating(0.5), Confidence::saturating(0.5));
        let sentiment = Some(Sentiment { score, confidence });
        document.lend_sentiment(Some(SentimentRecord { document: sentiment, ..<_>::default() }));
        document.lend_entities(vec![Entity {
            id: "KAZ".into(),
            name: "Kazakhstan".into(),
            kind: EntityKind::Country,
            country: None,
            speaks_for_country: false,
            aliases: Aliases::new(),
        }]);
        let (evidence, counter_evidence) = (Vec::new(), Vec::new());
        let actor = ActorStance {
            id: "KAZ".into(),
            name: "Kazakhstan".into(),
            kind: EntityKind::Country,
            country: None,
            mentions: 1,
            stance: Stance { score, confidence, evidence, counter_evidence },
        };
        let target = StanceTarget { id: "RUS".into(), name: "Russia".into() };
        let stance = TargetStance { target, author: None, actors: vec![actor] };
        document.set_stance(vec![stance]).unwrap();
        for name in VARIABLES {
            let value = variable(&document, name);
            let (value, fields) = match Kind::of_variable(name) {
                Kind::Record(fields) => (&value, fields),
                Kind::List(fields) => (&value[0], fields),
                _ => continue,
            };
            let mut known: Vec<&str> = fields.iter().map(|(field, _)| *field).collect();
            known.sort_unstable();
            let found: Vec<&String> = value.as_object().unwrap().keys().collect();
            assert_eq!(found, known, "{name}");
            for (field, kind) in fields {
                let fits = match kind {
                    Kind::Number => value[field].is_number(),
                    Kind::Word(words) => words.contains(&value[field].as_str().unwrap()),
                    _ => value[field].is_string(),
                };
                assert!(fits, "{name}.{field}");
            }
        }
    }
}
