//! The figures of a task, as tables or as one JSON object.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use serde::Serialize;

use super::Task;
use super::metrics::{
    Calibration, Counts, Interval, Intervals, Tally, bootstrap, calibration, wilson,
};
use super::outcome::{Outcome, Unit};
use crate::style::many;

/// All figures of one run.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    task: Task,
    data: Vec<String>,
    /// Questions, or labelled spans.
    n: u64,
    /// Sentences or documents from which the intervals are drawn.
    units: usize,
    documents: usize,
    /// Documents of which the pipeline left out a part.
    partial: usize,
    /// Labels that do not fit their text.
    left_out: usize,
    /// `null` where answers are spans.
    accuracy: Option<f64>,
    macro_f1: f64,
    micro: Class,
    /// Intervals of accuracy and macro F1.
    interval: TopIntervals,
    per_class: Named<Class>,
    baseline: Baseline,
    calibration: Option<Calibration>,
    groups: Named<Part>,
    subsets: Named<Part>,
    shares: Named<Share>,
}

/// Entries by name, in an order that means something.
#[derive(Debug)]
struct Named<T>(Vec<(String, T)>);

impl<T: Serialize> Serialize for Named<T> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

#[derive(Debug, Serialize)]
struct TopIntervals {
    accuracy: Option<Interval>,
    macro_f1: Interval,
}

/// The figures of one class, or of all together.
#[derive(Debug, Serialize)]
struct Class {
    precision: f64,
    recall: f64,
    f1: f64,
    right: u64,
    found: u64,
    labelled: u64,
    interval: ClassIntervals,
}

#[derive(Debug, Serialize)]
struct ClassIntervals {
    precision: Interval,
    recall: Interval,
    f1: Interval,
}

impl Class {
    fn new(counts: Counts, [precision, recall, f1]: [Interval; 3]) -> Self {
        Self {
            precision: counts.precision(),
            recall: counts.recall(),
            f1: counts.f1(),
            right: counts.right,
            found: counts.found,
            labelled: counts.labelled,
            interval: ClassIntervals { precision, recall, f1 },
        }
    }
}

#[derive(Debug, Serialize)]
struct Baseline {
    name: String,
    accuracy: Option<f64>,
    macro_f1: f64,
    micro_f1: f64,
}

/// The figures of a part of the data: a file, a capability, or a kind of question.
#[derive(Debug, Serialize)]
struct Part {
    n: u64,
    accuracy: Option<f64>,
    /// By Wilson: a part may be too small to draw from.
    accuracy_interval: Option<Interval>,
    macro_f1: f64,
    micro_f1: f64,
    baseline_macro_f1: Option<f64>,
}

impl Part {
    fn new(classes: usize, units: &[&Unit]) -> Self {
        let tally = Tally::sum(classes, units.iter().map(|unit| &unit.tally));
        let is_answered = tally.questions > 0;
        Self {
            n: size(&tally),
            accuracy: tally.accuracy(),
            accuracy_interval: is_answered.then(|| wilson(tally.right, tally.questions)),
            macro_f1: tally.macro_f1(),
            micro_f1: tally.micro().f1(),
            baseline_macro_f1: is_answered.then(|| tally.majority().1.macro_f1()),
        }
    }
}

#[derive(Debug, Serialize)]
struct Share {
    #[serde(rename = "share")]
    ratio: f64,
    part: u64,
    whole: u64,
    interval: Interval,
}

/// Questions where each has one answer, else labelled spans.
fn size(tally: &Tally) -> u64 {
    if tally.questions > 0 { tally.questions } else { tally.micro().labelled }
}

impl Report {
    /// Works out all figures of an outcome.
    pub(super) fn new(task: Task, data: &[PathBuf], outcome: &Outcome) -> Self {
        let classes = outcome.classes.len();
        let total = outcome.total();
        let tallies: Vec<&Tally> = outcome.units.iter().map(|unit| &unit.tally).collect();
        let Intervals { accuracy, macro_f1, micro, classes: class_intervals } =
            bootstrap(classes, &tallies);

        let per_class = outcome.classes.iter().zip(&total.classes).zip(class_intervals);
        let per_class = per_class
            // The classes of answers are always the same; a set of names labels some classes only.
            .filter(|((_, counts), _)| total.questions > 0 || counts.labelled + counts.found > 0)
            .map(|((name, counts), intervals)| (name.clone(), Class::new(*counts, intervals)));

        // A share of nothing says nothing.
        let shares = outcome.shares.iter().filter(|share| share.whole > 0).map(|share| {
            let (part, whole) = (share.part, share.whole);
            let ratio = part as f64 / whole as f64;
            let interval = wilson(part, whole);
            (share.name.to_owned(), Share { ratio, part, whole, interval })
        });
        let subsets = outcome.subsets.iter().map(|(name, units)| {
            ((*name).to_owned(), Part::new(classes, &units.iter().collect::<Vec<_>>()))
        });
        Self {
            task,
            data: data.iter().map(|path| path.display().to_string()).collect(),
            n: size(&total),
            units: outcome.units.len(),
            documents: outcome.documents,
            partial: outcome.partial,
            left_out: outcome.left_out.count,
            accuracy: total.accuracy(),
            macro_f1: total.macro_f1(),
            micro: Class::new(total.micro(), micro),
            interval: TopIntervals { accuracy: total.accuracy().map(|_| accuracy), macro_f1 },
            per_class: Named(per_class.collect()),
            baseline: baseline(outcome, &total),
            calibration: calibration(&outcome.confidences),
            groups: Named(groups(outcome)),
            subsets: Named(subsets.collect()),
            shares: Named(shares.collect()),
        }
    }
}

fn baseline(outcome: &Outcome, total: &Tally) -> Baseline {
    let (name, tally) = if let Some((name, tally)) = &outcome.baseline {
        ((*name).to_owned(), tally.clone())
    } else {
        let (class, tally) = total.majority();
        (format!("always {}", outcome.classes[class]), tally)
    };
    Baseline {
        name,
        accuracy: tally.accuracy(),
        macro_f1: tally.macro_f1(),
        micro_f1: tally.micro().f1(),
    }
}

/// The figures of each group, by name; none where there is only one.
fn groups(outcome: &Outcome) -> Vec<(String, Part)> {
    let mut by_name: BTreeMap<&str, Vec<&Unit>> = BTreeMap::new();
    for unit in &outcome.units {
        by_name.entry(&unit.group).or_default().push(unit);
    }
    if by_name.len() < 2 {
        return Vec::new();
    }
    let part = |(name, units): (&str, Vec<&Unit>)| {
        (name.to_owned(), Part::new(outcome.classes.len(), &units))
    };
    by_name.into_iter().map(part).collect()
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.head(f)?;
        self.class_table(f)?;
        self.baseline_line(f)?;
        for (title, parts) in [("part", &self.groups), ("only", &self.subsets)] {
            part_table(f, title, parts)?;
        }
        if !self.shares.0.is_empty() {
            writeln!(f)?;
        }
        for (name, share) in &self.shares.0 {
            let Share { ratio, part, whole, interval } = share;
            let (low, high) = (interval.low, interval.high);
            writeln!(f, "{ratio:.3} ({low:.3}-{high:.3})  {name}, {part} of {whole}")?;
        }
        match &self.calibration {
            Some(calibration) => diagram(f, calibration),
            None => Ok(()),
        }
    }
}

/// A figure with its interval.
struct Figure(f64, Interval);

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Through `pad`, so that columns can be aligned.
        f.pad(&format!("{:.3} ({:.3}-{:.3})", self.0, self.1.low, self.1.high))
    }
}

impl Report {
    fn head(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let task = match self.task {
            Task::Tokens => "tokens",
            Task::Sentences => "sentences",
            Task::Entities => "entities",
            Task::Sentiment => "sentiment",
            Task::Stance => "stance",
        };
        writeln!(f, "{task}: {}", self.data.join(", "))?;
        let what = if self.accuracy.is_some() { "question" } else { "labelled span" };
        let count = |number: usize, what: &str| many(number as u64, what);
        write!(f, "{} in {}", many(self.n, what), count(self.documents, "document"))?;
        if self.partial > 0 {
            write!(f, ", of which {} came back partial", self.partial)?;
        }
        writeln!(f, "; in brackets 95% intervals from {}", count(self.units, "unit"))?;
        if self.left_out > 0 {
            let labels = count(self.left_out, "label");
            writeln!(f, "{labels} left out for not fitting the text")?;
        }
        writeln!(f)?;
        if let (Some(accuracy), Some(interval)) = (self.accuracy, self.interval.accuracy) {
            writeln!(f, "accuracy  {}", Figure(accuracy, interval))?;
        }
        // Spans are summed up by all of them together, answers by the mean over the classes.
        if self.accuracy.is_none() {
            writeln!(f, "F1        {}", Figure(self.micro.f1, self.micro.interval.f1))?;
        }
        if self.per_class.0.len() > 1 {
            writeln!(f, "macro-F1  {}", Figure(self.macro_f1, self.interval.macro_f1))?;
        }
        writeln!(f)
    }

    fn class_table(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<12}{:<22}{:<22}{:<22}{:>9}{:>9}",
            "class", "precision", "recall", "F1", "labelled", "found"
        )?;
        let all = std::iter::once(("all", &self.micro));
        let classes = self.per_class.0.iter().map(|(name, class)| (name.as_str(), class));
        // One class is all of them.
        let all = all.filter(|_| self.per_class.0.len() > 1);
        for (name, class) in classes.chain(all) {
            writeln!(
                f,
                "{name:<12}{:<22}{:<22}{:<22}{:>9}{:>9}",
                Figure(class.precision, class.interval.precision),
                Figure(class.recall, class.interval.recall),
                Figure(class.f1, class.interval.f1),
                class.labelled,
                class.found
            )?;
        }
        Ok(())
    }

    fn baseline_line(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Baseline { name, accuracy, macro_f1, micro_f1 } = &self.baseline;
        write!(f, "\nbaseline, {name}: ")?;
        match accuracy {
            Some(accuracy) => writeln!(f, "accuracy {accuracy:.3}, macro-F1 {macro_f1:.3}"),
            None => writeln!(f, "F1 {micro_f1:.3}, macro-F1 {macro_f1:.3}"),
        }
    }
}

fn part_table(f: &mut fmt::Formatter<'_>, title: &str, parts: &Named<Part>) -> fmt::Result {
    if parts.0.is_empty() {
        return Ok(());
    }
    let width = parts.0.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0).max(8) + 2;
    let is_answered = parts.0.iter().any(|(_, part)| part.accuracy.is_some());
    let heading = if is_answered { "accuracy" } else { "F1" };
    writeln!(f, "\n{title:<width$}{:>6}  {heading:<22}{:<10}baseline", "n", "macro-F1")?;
    for (name, part) in &parts.0 {
        let first = match (part.accuracy, part.accuracy_interval) {
            (Some(accuracy), Some(interval)) => Figure(accuracy, interval).to_string(),
            _ => format!("{:.3}", part.micro_f1),
        };
        let baseline = part.baseline_macro_f1.map(|figure| format!("{figure:.3}"));
        let baseline = baseline.unwrap_or_default();
        let line = format!(
            "{name:<width$}{:>6}  {first:<22}{:<10}{baseline}",
            part.n,
            format!("{:.3}", part.macro_f1)
        );
        writeln!(f, "{}", line.trim_end())?;
    }
    Ok(())
}

/// How long a full bar of the diagram is, in characters.
const BAR: usize = 40;

/// The reliability diagram: bars show how many answers are right, the mark how many should be.
fn diagram(f: &mut fmt::Formatter<'_>, calibration: &Calibration) -> fmt::Result {
    let Calibration { n, expected_error, by_chance: Interval { low, high }, bins } = calibration;
    writeln!(f, "\nexpected calibration error {expected_error:.3} over {n} answers")?;
    writeln!(f, "({low:.3}-{high:.3} by chance if each were right as often as it says)")?;
    writeln!(f, "{:<12}{:>7}  right", "confidence", "n")?;
    for bin in bins {
        let filled = (bin.accuracy * BAR as f64).round() as usize;
        let mark = ((bin.confidence * BAR as f64).round() as usize).min(BAR - 1);
        let bar: String = (0..BAR)
            .map(|column| match column {
                _ if column == mark => '|',
                _ if column < filled => '#',
                _ => '.',
            })
            .collect();
        let range = format!("{:.1}-{:.1}", bin.from, bin.to);
        writeln!(f, "{range:<12}{:>7}  {:.3}  {bar}", bin.n, bin.accuracy)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;
    use crate::evaluate::metrics::Tally;
    use crate::evaluate::outcome::{Answer, Question};

    /// Two capabilities; every unit is alike, so the intervals have no width.
    fn outcome() -> Outcome {
        let mut outcome = Outcome::new(&["opposed", "neutral", "supportive"]);
        for unit in 0..4 {
            let group = if unit < 2 { "refusal" } else { "threat" };
            for (expected, found, confidence) in [(0, 0, 0.95), (0, 1, 0.55), (1, 1, 0.95)] {
                let question = Question::Toward { holder: None, target: "Lund".into() };
                let confidence = Some(confidence);
                let answer = Answer { id: "d", group, question, expected, found, confidence };
                outcome.judge(&unit.to_string(), answer, String::new);
            }
        }
        outcome.documents = 4;
        outcome.partial = 1;
        outcome.shares.push(crate::evaluate::outcome::Share {
            name: "passages met",
            part: 15,
            whole: 148,
        });
        outcome
    }

    #[test]
    fn tables_show_every_figure_beside_its_baseline() {
        let report = Report::new(Task::Stance, &["own.jsonl".into()], &outcome());
        assert_snapshot!(report, @r"
        stance: own.jsonl
        12 questions in 4 documents, of which 1 came back partial; in brackets 95% intervals from 4 units

        accuracy  0.667 (0.667-0.667)
        macro-F1  0.667 (0.667-0.667)

        class       precision             recall                F1                     labelled    found
        opposed     1.000 (1.000-1.000)   0.500 (0.500-0.500)   0.667 (0.667-0.667)           8        4
        neutral     0.500 (0.500-0.500)   1.000 (1.000-1.000)   0.667 (0.667-0.667)           4        8
        supportive  0.000 (0.000-0.000)   0.000 (0.000-0.000)   0.000 (0.000-0.000)           0        0
        all         0.667 (0.667-0.667)   0.667 (0.667-0.667)   0.667 (0.667-0.667)          12       12

        baseline, always opposed: accuracy 0.667, macro-F1 0.400

        part           n  accuracy              macro-F1  baseline
        refusal        6  0.667 (0.300-0.903)   0.667     0.400
        threat         6  0.667 (0.300-0.903)   0.667     0.400

        0.101 (0.062-0.160)  passages met, 15 of 148

        expected calibration error 0.217 over 12 answers
        (0.050-0.217 by chance if each were right as often as it says)
        confidence        n  right
        0.5-0.6           4  0.000  ......................|.................
        0.9-1.0           8  1.000  ######################################|#
        ");
    }

    #[test]
    fn spans_have_no_accuracy() {
        let mut outcome = Outcome::new(&["token"]);
        let tally = outcome.unit("d", "own.conllu");
        tally.classes[0] = Counts { right: 3, found: 4, labelled: 5 };
        outcome.baseline = Some(("cut at white space", Tally::new(1)));
        outcome.documents = 1;
        let report = Report::new(Task::Tokens, &["own.conllu".into()], &outcome);
        assert_snapshot!(report, @r"
        tokens: own.conllu
        5 labelled spans in 1 document; in brackets 95% intervals from 1 unit

        F1        0.667 (0.667-0.667)

        class       precision             recall                F1                     labelled    found
        token       0.750 (0.750-0.750)   0.600 (0.600-0.600)   0.667 (0.667-0.667)           5        4

        baseline, cut at white space: F1 0.000, macro-F1 0.000
        ");
    }

    #[test]
    fn json_has_the_published_fields() {
        let report = Report::new(Task::Stance, &["own.jsonl".into()], &outcome());
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!(json["task"], "stance");
        assert_eq!(json["data"][0], "own.jsonl");
        assert_eq!(json["n"], 12);
        assert_eq!(json["per_class"]["opposed"]["recall"], 0.5);
        assert_eq!(json["per_class"]["supportive"]["labelled"], 0);
        assert_eq!(json["groups"]["threat"]["n"], 6);
        assert_eq!(json["baseline"]["name"], "always opposed");
        assert_eq!(json["calibration"]["n"], 12);
    }
}
