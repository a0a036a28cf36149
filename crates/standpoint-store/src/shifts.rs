//! Shifts: who stands elsewhere than before, by more than chance would have it.

use std::collections::HashMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::{self, values};
use crate::days;
use crate::figures::{Figure, cells};
use crate::filter::Filter;
use crate::schema::Store;

/// The least stories on each side: fewer are anecdotes.
const LEAST_STORIES: i64 = 3;
/// The least difference of means that anybody would call a shift.
const LEAST_MOVE: f64 = 0.2;
/// Standard errors of the difference that a shift has at least. Many actors are looked at, so this
/// asks for more than the usual two.
const LEAST_ERRORS: f64 = 2.5;
/// How many windows of before are compared with the last one.
const BEFORE: u32 = 3;

/// Somebody who moved.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Shift {
    /// An actor's id, or `author:` and a name.
    pub who: String,
    /// The name to show.
    pub name: String,
    /// Toward whom.
    pub target: String,
    /// The mean before.
    pub before: f64,
    /// The mean in the window.
    pub now: f64,
    /// Stories before.
    pub stories_before: i64,
    /// Stories in the window.
    pub stories_now: i64,
    /// The difference in standard errors.
    pub errors: f64,
    /// The first day of the window.
    pub from: String,
    /// Its last.
    pub to: String,
}

/// The days that are compared with those before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Period {
    /// The first.
    pub from: String,
    /// The last.
    pub to: String,
    /// How many.
    pub days: u32,
    /// How many before are compared with them.
    pub days_before: u32,
}

/// The days in which [`shifts`] looks; `None` where nothing toward the target has a date.
///
/// # Errors
///
/// When the store cannot be read.
pub fn period(store: &Store, filter: &Filter, days: u32) -> base::Result<Option<Period>> {
    let Some(to) = last_day(store, filter)? else { return Ok(None) };
    let Some(last) = days::number(&to) else { return Ok(None) };
    let days = days.clamp(1, 36_500);
    let from = days::text(last - i64::from(days - 1));
    Ok(Some(Period { from, to, days, days_before: BEFORE * days }))
}

/// Who moved within the last `days` before the filter's last day, else before the last day that
/// anything toward the target was published on, compared with the three times as many days before;
/// the clearest first.
///
/// # Errors
///
/// When the store cannot be read.
pub fn shifts(store: &Store, filter: &Filter, days: u32) -> base::Result<Vec<Shift>> {
    let Some(Period { from, to, days, days_before }) = period(store, filter, days)? else {
        return Ok(Vec::new());
    };
    let Some(last) = days::number(&to) else { return Ok(Vec::new()) };
    let back = |days: u32| days::text(last - i64::from(days));
    let start = back(days + days_before - 1);
    let (now, before) =
        (sums(store, filter, &from, &to)?, sums(store, filter, &start, &back(days))?);
    let mut found = Vec::new();
    for (who, now) in now {
        let Some(before) = before.get(&who) else { continue };
        let errors = (now.mean() - before.mean()) / now.error().hypot(before.error());
        if now.stories.min(before.stories) >= LEAST_STORIES
            && (now.mean() - before.mean()).abs() >= LEAST_MOVE
            && errors.abs() >= LEAST_ERRORS
        {
            found.push(Shift {
                name: name(store, &who)?,
                who,
                target: filter.target.clone(),
                before: before.mean(),
                now: now.mean(),
                stories_before: before.stories,
                stories_now: now.stories,
                errors,
                from: from.clone(),
                to: to.clone(),
            });
        }
    }
    found.sort_by(|one, other| {
        other.errors.abs().total_cmp(&one.errors.abs()).then_with(|| one.who.cmp(&other.who))
    });
    Ok(found)
}

/// The day that a window ends on. A date in the future is somebody's mistake or ruse.
fn last_day(store: &Store, filter: &Filter) -> base::Result<Option<String>> {
    let today = days::today();
    let to = filter.to.as_ref().map_or(&today, |to| to.min(&today));
    let sql = "SELECT max(day) FROM stance WHERE target_id = ? AND day <= ?";
    Ok(store.base.row(sql, &values![&filter.target, to], |row| row.get(0))?.flatten())
}

fn sums(
    store: &Store,
    filter: &Filter,
    from: &str,
    to: &str,
) -> base::Result<HashMap<String, Figure>> {
    let (from, to) = (Some(from.to_owned()), Some(to.to_owned()));
    let filter = Filter { from, to, found: None, ..filter.clone() };
    let mut sums: HashMap<String, Figure> = HashMap::new();
    for (who, _, figure) in cells(store, &filter)? {
        sums.entry(who).or_default().add(&figure);
    }
    Ok(sums)
}

fn name(store: &Store, who: &str) -> base::Result<String> {
    let sql = "SELECT name FROM actor WHERE who = ?";
    let name = store.base.row(sql, &values![who], |row| row.get(0))?;
    Ok(name.unwrap_or_else(|| who.to_owned()))
}
