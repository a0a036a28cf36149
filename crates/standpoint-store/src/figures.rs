//! Who stands where, as numbers: a mean over stories with an interval, over all and by month.

use std::collections::{BTreeMap, HashMap};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::{self, values};
use crate::days;
use crate::filter::{Conditions, Filter};
use crate::schema::Store;

/// What was said by somebody of a target, stories counted once.
///
/// Weights are confidences and scores, both in thousandths, so that sums are exact.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Figure {
    /// How many stories.
    pub stories: i64,
    /// How many passages in them.
    pub pieces: i64,
    /// The sum of weights.
    pub w: i64,
    /// The sum of squared weights.
    pub ww: i64,
    /// The weighed sum of scores.
    pub wx: i64,
    /// The weighed sum of squared scores.
    pub wxx: i64,
}

/// The spread of scores that is assumed before any is seen, as a standard deviation.
const PRIOR_SPREAD: f64 = 0.5;
/// How many stories that assumption weighs.
const PRIOR_STORIES: f64 = 2.0;
/// Standard errors to each side of a mean that hold it 19 times of 20.
const NINETEEN_OF_TWENTY: f64 = 1.96;

impl Figure {
    /// One stance.
    #[must_use]
    pub fn of(score: f64, confidence: f64, pieces: i64) -> Self {
        let w = ((confidence * 1000.0).round() as i64).max(1);
        let x = (score * 1000.0).round() as i64;
        Self { stories: 1, pieces, w, ww: w * w, wx: w * x, wxx: w * x * x }
    }

    /// Adds what another figure counts.
    pub const fn add(&mut self, other: &Self) {
        self.stories += other.stories;
        self.pieces += other.pieces;
        self.w += other.w;
        self.ww += other.ww;
        self.wx += other.wx;
        self.wxx += other.wxx;
    }

    /// The mean score, -1 to 1, each story weighed by its confidence; 0 without a story.
    #[must_use]
    pub fn mean(&self) -> f64 {
        if self.w == 0 { 0.0 } else { self.wx as f64 / self.w as f64 / 1000.0 }
    }

    /// The standard error of the mean.
    ///
    /// The spread of few stories says little, so two stories of a spread of 0.5 are put beside
    /// those that are there: one story alone has an error of 0.5, and of many the two are not felt.
    #[must_use]
    pub fn error(&self) -> f64 {
        if self.w == 0 {
            return PRIOR_SPREAD;
        }
        let (w, mean) = (self.w as f64, self.mean());
        let stories = w * w / self.ww as f64;
        let spread = (self.wxx as f64 / w / 1e6 - mean * mean).max(0.0);
        let variance = (stories * spread + PRIOR_STORIES * PRIOR_SPREAD * PRIOR_SPREAD)
            / (stories - 1.0 + PRIOR_STORIES);
        (variance / stories).sqrt()
    }

    /// What the mean lies in 19 times of 20, kept within -1 and 1.
    #[must_use]
    pub fn interval(&self) -> (f64, f64) {
        let (mean, reach) = (self.mean(), NINETEEN_OF_TWENTY * self.error());
        ((mean - reach).max(-1.0), (mean + reach).min(1.0))
    }
}

/// A stance in three that a score falls under.
#[must_use]
pub fn label(score: f64) -> &'static str {
    match score {
        score if score <= -0.25 => "opposed",
        score if score >= 0.25 => "supportive",
        _ => "neutral",
    }
}

/// The same in five.
#[must_use]
pub fn degree(score: f64) -> &'static str {
    match score {
        score if score <= -0.75 => "opposed",
        score if score <= -0.25 => "distancing",
        score if score < 0.25 => "neutral",
        score if score < 0.75 => "leaning",
        _ => "supportive",
    }
}

/// One who takes a stance, with the figure of all that was looked at.
#[derive(Debug, Clone, PartialEq)]
pub struct Ranked {
    /// An actor's id, or `author:` and a name.
    pub who: String,
    /// The name to show.
    pub name: String,
    /// What it is.
    pub kind: String,
    /// The state that it belongs to.
    pub country: Option<String>,
    /// All together.
    pub figure: Figure,
    /// The same by month, `2024-05`, in order; what has no date is left out.
    pub months: BTreeMap<String, Figure>,
}

/// Everybody whom the filter lets through, those with the most stories first.
///
/// # Errors
///
/// When the store cannot be read.
pub fn ranking(store: &Store, filter: &Filter) -> base::Result<Vec<Ranked>> {
    let mut rows: HashMap<String, Ranked> = HashMap::new();
    for (who, month, figure) in cells(store, filter)? {
        let row = rows.entry(who).or_insert_with_key(|who| Ranked {
            who: who.clone(),
            name: who.clone(),
            kind: "other".to_owned(),
            country: None,
            figure: Figure::default(),
            months: BTreeMap::new(),
        });
        row.figure.add(&figure);
        if !month.is_empty() {
            row.months.entry(month).or_default().add(&figure);
        }
    }
    name(store, &mut rows)?;
    let mut rows: Vec<Ranked> = rows.into_values().collect();
    rows.sort_by(|one, other| {
        (other.figure.stories, &one.who).cmp(&(one.figure.stories, &other.who))
    });
    Ok(rows)
}

/// The most of whom names are asked for at once.
const MOST_NAMES: usize = 100;

/// Gives everybody the name to show.
fn name(store: &Store, rows: &mut HashMap<String, Ranked>) -> base::Result<()> {
    let everybody: Vec<String> = rows.keys().cloned().collect();
    for some in everybody.chunks(MOST_NAMES) {
        let mut condition = Conditions::default();
        // As many marks each time, so that the statement is prepared once.
        let marked = some.iter().chain(std::iter::repeat(&some[0])).take(MOST_NAMES);
        condition.add_list("who", &marked.cloned().collect::<Vec<_>>());
        let sql = format!("SELECT who, name, kind, country FROM actor WHERE {}", condition.sql());
        store.base.each(&sql, &condition.values, |found| {
            if let Some(row) = rows.get_mut(found.text(0)?) {
                (row.name, row.kind, row.country) = (found.get(1)?, found.get(2)?, found.get(3)?);
            }
            Ok(true)
        })?;
    }
    Ok(())
}

/// Figures by who and month, from monthly sums where these can answer.
pub(crate) fn cells(store: &Store, filter: &Filter) -> base::Result<Vec<(String, String, Figure)>> {
    if !filter.is_of_whole_sources() {
        let conditions = filter.looked_up(store)?.conditions();
        return rows(store, &conditions);
    }
    let first = filter.from.as_deref().map(|from| (month_of(from), from.ends_with("-01")));
    let last = filter.to.as_deref().map(|to| (month_of(to), is_last_day(to)));
    let mut whole = Conditions::default();
    whole.add("s.target_id = ?", [filter.target.clone().into()]);
    filter.add_holder(&mut whole);
    // Months of which a part is asked for are read row by row.
    let mut parts = Vec::new();
    if let Some((month, is_whole)) = first {
        whole.add(if is_whole { "s.month >= ?" } else { "s.month > ?" }, [month.to_owned().into()]);
        if !is_whole {
            parts.push(month);
        }
    }
    if let Some((month, is_whole)) = last {
        whole.add("s.month <> ''", []);
        whole.add(if is_whole { "s.month <= ?" } else { "s.month < ?" }, [month.to_owned().into()]);
        if !is_whole && !parts.contains(&month) {
            parts.push(month);
        }
    }
    let sql = format!(
        "SELECT who, month, stories, pieces, w, ww, wx, wxx FROM month_figure AS s WHERE {}",
        whole.sql()
    );
    let mut cells = store.base.rows(&sql, &whole.values, |row| {
        let figure = Figure {
            stories: row.get(2)?,
            pieces: row.get(3)?,
            w: row.get(4)?,
            ww: row.get(5)?,
            wx: row.get(6)?,
            wxx: row.get(7)?,
        };
        Ok((row.get(0)?, row.get(1)?, figure))
    })?;
    for month in parts {
        // One range of days and not two, of which the wider would be read.
        let (first, last) = (format!("{month}-01"), format!("{month}-31"));
        let part = Filter {
            from: filter.from.clone().max(Some(first)),
            to: Some(filter.to.clone().map_or_else(|| last.clone(), |to| to.min(last.clone()))),
            ..filter.clone()
        };
        let mut conditions = part.conditions();
        conditions.add("s.leads", []);
        cells.extend(rows(store, &conditions)?);
    }
    Ok(cells)
}

/// Figures of single stances; of a story's copies that are let through, the first counts: not at
/// all where people took its stance away, as in the monthly sums.
fn rows(store: &Store, conditions: &Conditions) -> base::Result<Vec<(String, String, Figure)>> {
    let sql = format!(
        "SELECT s.who, s.story, s.document, s.day, s.score, s.confidence, s.pieces, s.is_shown
         FROM stance AS s {} WHERE {}",
        conditions.hint(),
        conditions.sql()
    );
    let mut numbers: HashMap<String, usize> = HashMap::new();
    let mut first: HashMap<(usize, i64), (i64, String, Option<Figure>)> = HashMap::new();
    store.base.each(&sql, &conditions.values, |row| {
        let who = row.text(0)?;
        let number = numbers.get(who).copied().unwrap_or_else(|| {
            numbers.insert(who.to_owned(), numbers.len());
            numbers.len() - 1
        });
        let (story_key, document): (i64, i64) = (row.get(1)?, row.get(2)?);
        let slot = (number, story_key);
        if first.get(&slot).is_none_or(|(known, ..)| document < *known) {
            let is_shown: bool = row.get(7)?;
            let figure = Figure::of(row.get(4)?, row.get(5)?, row.get(6)?);
            let figure = is_shown.then_some(figure);
            first.insert(slot, (document, month_of(row.text(3)?).to_owned(), figure));
        }
        Ok(true)
    })?;
    let mut names = vec![""; numbers.len()];
    for (who, number) in &numbers {
        names[*number] = who;
    }
    // Summed here, so that whoever asks gets as few as from the monthly sums.
    let mut sums: BTreeMap<(usize, String), Figure> = BTreeMap::new();
    for ((number, _), (_, month, figure)) in first {
        if let Some(figure) = figure {
            sums.entry((number, month)).or_default().add(&figure);
        }
    }
    Ok(sums
        .into_iter()
        .map(|((number, month), figure)| (names[number].to_owned(), month, figure))
        .collect())
}

fn month_of(day: &str) -> &str {
    day.get(..7).unwrap_or_default()
}

fn is_last_day(day: &str) -> bool {
    days::number(day).is_some_and(|number| month_of(&days::text(number + 1)) != month_of(day))
}

/// A target, and how many stances toward it are kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TargetCount {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// How many stories with a stance, counted for each who.
    pub stances: i64,
}

/// The targets in a store, the one with the most stances first.
///
/// # Errors
///
/// When the store cannot be read.
pub fn targets(store: &Store) -> base::Result<Vec<TargetCount>> {
    let sql = "SELECT t.id, t.name, CAST(coalesce(sum(m.stories), 0) AS BIGINT) AS stances
         FROM target AS t LEFT JOIN month_figure AS m ON m.target_id = t.id
         GROUP BY t.id ORDER BY stances DESC, t.id";
    store.base.rows(sql, &[], |row| {
        Ok(TargetCount { id: row.get(0)?, name: row.get(1)?, stances: row.get(2)? })
    })
}

/// What a store holds in all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Extent {
    /// Documents.
    pub documents: i64,
    /// Stories, of which the documents are copies.
    pub stories: i64,
    /// The sources, with their documents, the largest first.
    pub sources: Vec<(String, i64)>,
    /// The first day of publication.
    pub first: Option<String>,
    /// The last.
    pub last: Option<String>,
    /// Documents without a day.
    pub undated: i64,
}

/// What a store holds in all.
///
/// # Errors
///
/// When the store cannot be read.
pub fn extent(store: &Store) -> base::Result<Extent> {
    let count = |sql: &str| store.base.number(sql, &[]);
    let (first, last) = first_and_last_day(store)?;
    Ok(Extent {
        documents: count("SELECT count(*) FROM document")?,
        stories: count("SELECT count(DISTINCT story) FROM document")?,
        sources: sources(store)?,
        first,
        last,
        undated: count("SELECT count(*) FROM document WHERE day IS NULL")?,
    })
}

/// The sources, with their documents, the largest first.
///
/// # Errors
///
/// When the store cannot be read.
pub fn sources(store: &Store) -> base::Result<Vec<(String, i64)>> {
    let sql = "SELECT source, count(*) AS documents FROM document GROUP BY source
        ORDER BY documents DESC, source";
    store.base.rows(sql, &[], |row| Ok((row.get(0)?, row.get(1)?)))
}

/// The first day of publication, and the last.
///
/// # Errors
///
/// When the store cannot be read.
pub fn first_and_last_day(store: &Store) -> base::Result<(Option<String>, Option<String>)> {
    let day = |sql: &str| -> base::Result<Option<String>> {
        Ok(store.base.row(sql, &[], |row| row.get(0))?.flatten())
    };
    let first = day("SELECT min(day) FROM document")?;
    Ok((first, day("SELECT max(day) FROM document")?))
}

/// How an actor or author is called; what the store does not know is called as it is.
///
/// # Errors
///
/// When the store cannot be read.
pub fn name_of(store: &Store, who: &str) -> base::Result<String> {
    let sql = "SELECT name FROM actor WHERE who = ?";
    let name = store.base.row(sql, &values![who], |row| row.get(0))?;
    Ok(name.unwrap_or_else(|| who.strip_prefix("author:").unwrap_or(who).to_owned()))
}

/// Who is named in a document: each an id, the name to show, and what he is.
///
/// # Errors
///
/// When the store cannot be read.
pub fn named_in(store: &Store, document_id: &str) -> base::Result<Vec<(String, String, String)>> {
    let sql = "SELECT e.entity_id, e.name, e.kind FROM document AS d JOIN entity AS e ON e.document = d.key
        WHERE d.id = ? ORDER BY e.entity_id";
    store.base.rows(sql, &values![document_id], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
}

/// How somebody is called whom documents name by this id; `None` where none does.
///
/// # Errors
///
/// When the store cannot be read.
pub fn named_by(store: &Store, id: &str) -> base::Result<Option<String>> {
    let sql = "SELECT name FROM entity WHERE entity_id = ? LIMIT 1";
    store.base.row(sql, &values![id], |row| row.get(0))
}

/// Who made what a store holds: programs, pipelines and stages, with their documents, the most
/// first.
///
/// - `most`: how many.
///
/// # Errors
///
/// When the store cannot be read.
pub fn makers(store: &Store, most: usize) -> base::Result<Vec<Maker>> {
    let sql = "SELECT standpoint, pipeline, stages, documents FROM maker
        ORDER BY documents DESC, standpoint, pipeline, stages LIMIT ?";
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    store.base.rows(sql, &values![most], |row| {
        let stages: String = row.get(2)?;
        Ok(Maker {
            standpoint: row.get(0)?,
            pipeline: row.get(1)?,
            stages: serde_json::from_str(&stages).unwrap_or_default(),
            documents: row.get(3)?,
        })
    })
}

/// Who made some of the records.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Maker {
    /// The program's version.
    pub standpoint: String,
    /// The pipeline's name and hash.
    pub pipeline: String,
    /// The stages.
    pub stages: Vec<crate::record::StageRun>,
    /// How many documents.
    pub documents: i64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_stories_make_wide_intervals_and_many_narrow_ones() {
        let figure = |scores: &[f64]| {
            let mut sum = Figure::default();
            for score in scores {
                sum.add(&Figure::of(*score, 0.8, 1));
            }
            sum
        };
        let cases = [
            ("one", vec![-0.6], -0.6, 0.98),
            ("two that agree", vec![-0.6; 2], -0.6, 0.57),
            ("forty that agree", vec![-0.6; 40], -0.6, 0.04),
            ("forty that do not", [-0.9, 0.9].repeat(20), 0.0, 0.28),
        ];
        for (case, scores, mean, reach) in cases {
            let figure = figure(&scores);
            assert!((figure.mean() - mean).abs() < 0.001, "{case}: {}", figure.mean());
            let found = NINETEEN_OF_TWENTY * figure.error();
            assert!((found - reach).abs() < 0.01, "{case}: {found}");
        }
    }

    #[test]
    fn months_end_where_they_end() {
        for (day, expected) in [
            ("2024-02-28", false),
            ("2024-02-29", true),
            ("2023-02-28", true),
            ("2000-02-29", true),
            ("1900-02-28", true),
            ("2024-04-30", true),
            ("2024-12-30", false),
            ("rubbish", false),
        ] {
            assert_eq!(is_last_day(day), expected, "{day}");
        }
    }
}
