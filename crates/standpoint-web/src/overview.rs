//! The numbers of a page: who stands where, over all and in time.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use standpoint_store::figures::{Figure, Ranked, degree, label};

/// Who stands where, and when.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Overview {
    /// The periods of the time axis: years, quarters or months, without gaps.
    pub periods: Vec<String>,
    /// Those with the most stories, from the most supportive to the most opposed.
    pub actors: Vec<ActorFigure>,
    /// How many more there are.
    pub others: usize,
}

/// Where somebody stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ActorFigure {
    /// An actor's id, or `author:` and a name.
    pub who: String,
    /// The name to show.
    pub name: String,
    /// What it is.
    pub kind: String,
    /// The state that it belongs to.
    pub country: Option<String>,
    /// All that was looked at.
    #[serde(flatten)]
    pub all: Mean,
    /// By period; a period without a story is left out, for nothing was said then.
    pub over_time: Vec<Point>,
}

/// A mean over stories.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Mean {
    /// -1 to 1.
    pub score: f64,
    /// The lower end of what the mean lies in 19 times of 20.
    pub low: f64,
    /// The upper end.
    pub high: f64,
    /// How many stories; copies count once.
    pub stories: i64,
    /// How many passages in them.
    pub passages: i64,
}

impl Mean {
    /// The stance in three.
    #[must_use]
    pub fn label(&self) -> &'static str {
        label(self.score)
    }

    /// The stance in five.
    #[must_use]
    pub fn degree(&self) -> &'static str {
        degree(self.score)
    }
}

/// A mean in a period.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Point {
    /// `2024`, `2024-Q2` or `2024-05`.
    pub period: String,
    /// The mean.
    #[serde(flatten)]
    pub mean: Mean,
}

impl From<&Figure> for Mean {
    fn from(figure: &Figure) -> Self {
        let rounded = |number: f64| (number * 1000.0).round() / 1000.0;
        let (low, high) = figure.interval();
        Self {
            score: rounded(figure.mean()),
            low: rounded(low),
            high: rounded(high),
            stories: figure.stories,
            passages: figure.pieces,
        }
    }
}

/// How far apart two means are, at least, of which one says that somebody moved.
const MOVE: f64 = 0.25;

/// How finely time is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cut {
    Month,
    Quarter,
    Year,
}

impl Cut {
    /// The most periods that a small chart can show: six years of months, thirty of quarters.
    const fn most_periods(self) -> usize {
        match self {
            Self::Month => 72,
            Self::Quarter => 120,
            Self::Year => 60,
        }
    }

    const fn coarser(self) -> Self {
        match self {
            Self::Month => Self::Quarter,
            Self::Quarter | Self::Year => Self::Year,
        }
    }

    /// The period that a month, `2024-05`, falls into.
    fn period(self, month: &str) -> String {
        let (year, number) = (month.get(..4).unwrap_or_default(), number_of(month) % 12);
        match self {
            Self::Month => month.to_owned(),
            Self::Quarter => format!("{year}-Q{}", number / 3 + 1),
            Self::Year => year.to_owned(),
        }
    }

    /// All periods from one month to another; `None` if these are more than a chart shows.
    fn periods(self, first: &str, last: &str) -> Option<Vec<String>> {
        let (first, last) = (number_of(first), number_of(last));
        let months =
            (first..=last).map(|number| format!("{:04}-{:02}", number / 12, number % 12 + 1));
        let mut periods: Vec<String> = Vec::new();
        for month in months {
            let period = self.period(&month);
            if periods.last() != Some(&period) {
                periods.push(period);
            }
            if periods.len() > self.most_periods() && self != Self::Year {
                return None;
            }
        }
        Some(periods)
    }
}

/// Months since the year 0.
fn number_of(month: &str) -> u32 {
    let part = |range| month.get(range).and_then(|text: &str| text.parse::<u32>().ok());
    part(0..4).unwrap_or(0) * 12 + part(5..7).unwrap_or(1).clamp(1, 12) - 1
}

impl Overview {
    /// Makes an overview of what the store says.
    ///
    /// - `rows`: those with the most stories first;
    /// - `most`: how many are shown.
    #[must_use]
    pub fn of(mut rows: Vec<Ranked>, most: usize) -> Self {
        let others = rows.len().saturating_sub(most);
        rows.truncate(most);
        let (cut, periods) = cut(&rows);
        let mut actors: Vec<ActorFigure> =
            rows.iter().map(|row| figure(row, cut, &periods)).collect();
        actors.sort_by(|one, other| {
            other.all.score.total_cmp(&one.all.score).then_with(|| one.who.cmp(&other.who))
        });
        Self { periods, actors, others }
    }
}

/// How time is cut: as finely as a chart has room for. It is cut more coarsely where most periods
/// would be empty, so that lines have something to join, but never where that would hide a move:
/// somebody's means of two neighbouring periods that differ by more than [`MOVE`] and by more than
/// chance are not made one.
fn cut(rows: &[Ranked]) -> (Cut, Vec<String>) {
    let months: BTreeSet<&str> =
        rows.iter().flat_map(|row| row.months.keys()).map(String::as_str).collect();
    let (Some(first), Some(last)) = (months.first(), months.last()) else {
        return (Cut::Year, Vec::new());
    };
    for cut in [Cut::Month, Cut::Quarter] {
        let Some(periods) = cut.periods(first, last) else { continue };
        let filled: BTreeSet<String> = months.iter().map(|month| cut.period(month)).collect();
        if filled.len() * 2 >= periods.len() || rows.iter().any(|row| would_hide(row, cut)) {
            return (cut, periods);
        }
    }
    let mut periods = Cut::Year.periods(first, last).unwrap_or_default();
    // A date of long ago, right or wrong, must not press all others together.
    let most = Cut::Year.most_periods();
    if periods.len() > most {
        periods.drain(..periods.len() - most);
    }
    (Cut::Year, periods)
}

/// Whether a move of somebody's is seen by this cut and not by the next coarser one.
fn would_hide(row: &Ranked, cut: Cut) -> bool {
    // By the coarser period that a month falls into, what the finer ones in it say.
    let mut inside: BTreeMap<String, BTreeMap<String, Figure>> = BTreeMap::new();
    for (month, figure) in &row.months {
        let finer = inside.entry(cut.coarser().period(month)).or_default();
        finer.entry(cut.period(month)).or_default().add(figure);
    }
    inside.values().any(|finer| {
        finer.values().zip(finer.values().skip(1)).any(|(one, next)| {
            // What lies outside of both by chance one time in twenty.
            let chance = 1.96 * one.error().hypot(next.error());
            MOVE.max(chance) < (one.mean() - next.mean()).abs()
        })
    })
}

fn figure(row: &Ranked, cut: Cut, periods: &[String]) -> ActorFigure {
    let mut sums: BTreeMap<String, Figure> = BTreeMap::new();
    for (month, figure) in &row.months {
        sums.entry(cut.period(month)).or_default().add(figure);
    }
    let points = sums.iter().filter(|(period, _)| periods.contains(period));
    ActorFigure {
        who: row.who.clone(),
        name: row.name.clone(),
        kind: row.kind.clone(),
        country: row.country.clone(),
        all: Mean::from(&row.figure),
        over_time: points
            .map(|(period, figure)| Point { period: period.clone(), mean: Mean::from(figure) })
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An actor's means by month, each of so many stories.
    fn actor(months: &[(&str, f64, i64)]) -> Ranked {
        let mut row = Ranked {
            who: "KAZ".into(),
            name: "Kazakhstan".into(),
            kind: "country".into(),
            country: None,
            figure: Figure::default(),
            months: BTreeMap::new(),
        };
        for (month, score, stories) in months {
            let figure = row.months.entry((*month).to_owned()).or_default();
            (0..*stories).for_each(|_| figure.add(&Figure::of(*score, 0.9, 1)));
        }
        row
    }

    fn periods(months: &[&str]) -> Vec<String> {
        let months: Vec<_> = months.iter().map(|month| (*month, 0.5, 1)).collect();
        cut(&[actor(&months)]).1
    }

    #[test]
    fn time_is_cut_so_that_there_is_something_to_see() {
        assert_eq!(periods(&["2024-11", "2025-02"]), ["2024-11", "2024-12", "2025-01", "2025-02"]);
        assert_eq!(periods(&["2014-09", "2015-09", "2016-09"]), ["2014", "2015", "2016"]);
        assert_eq!(
            periods(&["2020-02", "2020-08", "2021-01", "2021-06"]),
            ["2020-Q1", "2020-Q2", "2020-Q3", "2020-Q4", "2021-Q1", "2021-Q2"]
        );
        assert_eq!(periods(&["1066-10", "2024-05"]).len(), 60);
        assert!(periods(&[]).is_empty());
    }

    #[test]
    fn a_move_within_a_year_is_seen_however_long_the_span() {
        let turn = [("2024-02", 0.8, 6), ("2024-11", -0.8, 6)];
        let quick = [("2024-01", 0.8, 6), ("2024-03", -0.8, 6)];
        let cases = [
            ("within a quarter", &[("2019-05", 0.8, 6)][..], quick, Cut::Month, 59),
            ("within a year", &[("2019-05", 0.8, 6)], turn, Cut::Quarter, 23),
            ("no room for months", &[("2012-05", 0.8, 6)], quick, Cut::Year, 13),
            (
                "no room for months, but for quarters",
                &[("2012-05", 0.8, 6)],
                turn,
                Cut::Quarter,
                51,
            ),
            ("no room for either", &[("1990-05", 0.8, 6)], turn, Cut::Year, 35),
        ];
        for (case, before, then, expected, count) in cases {
            let months = [before, &then].concat();
            let (cut, periods) = cut(&[actor(&months)]);
            assert_eq!((cut, periods.len()), (expected, count), "{case}");
        }
        let wavering = [("2019-05", 0.8, 6), ("2024-02", 0.8, 1), ("2024-11", -0.1, 1)];
        assert_eq!(cut(&[actor(&wavering)]).0, Cut::Year, "two stories may differ by chance");
        let steady = [("2019-05", 0.8, 6), ("2024-02", 0.8, 6), ("2024-11", 0.7, 6)];
        assert_eq!(cut(&[actor(&steady)]).0, Cut::Year, "nothing moves");
    }
}
