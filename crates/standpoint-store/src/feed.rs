//! The passages that show stances, the latest first.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::{self, Row, Value, values};
use crate::documents::in_pages;
use crate::filter::{Conditions, Filter, Holders};
use crate::record::Stretch;
use crate::schema::Store;

/// A passage with who stands where by it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Passage {
    /// The row, by which a person's verdict names it.
    pub key: i64,
    /// The document's id.
    pub document_id: String,
    /// The document's title.
    pub title: Option<String>,
    /// The document's source.
    pub source: String,
    /// The day of publication.
    pub day: Option<String>,
    /// Toward whom, an id.
    pub target_id: String,
    /// The target's name.
    pub target_name: String,
    /// Who stands there: an actor's id, or `author:` and a name.
    pub who: String,
    /// The name to show.
    pub name: String,
    /// Whether it speaks against what the document says in all.
    pub is_counter: bool,
    /// The first code point in the document's text.
    pub start: u32,
    /// The one behind the last.
    pub end: u32,
    /// The passage.
    pub text: String,
    /// -1 to 1.
    pub score: f64,
    /// 0 to 1.
    pub confidence: f64,
    /// In whose words.
    pub voice: String,
    /// When it holds.
    pub time: String,
    /// Where the holder is named.
    pub holder: Option<Stretch>,
    /// Where the target is named.
    pub target: Option<Stretch>,
    /// The words that decided it.
    pub cue: Option<Stretch>,
    /// The rule or model that decided it.
    pub rule: Option<String>,
    /// What a person said of it: `accepted` or `rejected`.
    pub verdict: Option<String>,
    /// What the pipeline said, where a person said otherwise.
    pub said_score: Option<f64>,
    /// Whom the pipeline took for the holder, where a person named another.
    pub said_who: Option<String>,
    /// The name of whom the pipeline took for the holder.
    pub said_name: Option<String>,
    /// How many documents are copies of this one's story, itself among them.
    pub copies: i64,
    /// What the pipeline said and where, in short. A correction carries it back, so that it meets
    /// what the person saw: a key may be another passage's once the document has come again.
    pub fingerprint: String,
    /// Where the next page begins behind this passage.
    pub cursor: String,
}

/// Passages that the filter lets through, the latest first. Of a story's copies one stands for all.
///
/// - `after`: the cursor of the last passage that was seen;
/// - `most`: how many.
///
/// # Errors
///
/// When the store cannot be read.
pub fn passages(
    store: &Store,
    filter: &Filter,
    after: Option<&str>,
    most: usize,
) -> base::Result<Vec<Passage>> {
    let mut passages = Vec::new();
    each(store, filter, after, most, |passage| {
        passages.push(passage);
        true
    })?;
    Ok(passages)
}

/// Gives passages one by one to `take`, until it says no.
///
/// # Errors
///
/// When the store cannot be read.
pub fn each(
    store: &Store,
    filter: &Filter,
    after: Option<&str>,
    most: usize,
    mut take: impl FnMut(Passage) -> bool,
) -> base::Result<()> {
    in_pages(
        store,
        after,
        most,
        &mut take,
        |passage| &passage.cursor,
        |after, most, take| {
            match after.and_then(read_cursor) {
                // What has no date comes last, and an index that knows dates finds it apart only.
                Some((day, stance, key)) if !day.is_empty() => {
                    let behind = "s.day <= ? AND (s.day, s.key, e.key) < (?, ?, ?)";
                    let values = [day.clone().into(), day.into(), stance.into(), key.into()];
                    if each_where(store, filter, most, (behind, &values), take)? {
                        each_where(store, filter, most, ("s.day IS NULL", &[]), take)?;
                    }
                }
                Some((_, stance, key)) => {
                    let behind = "s.day IS NULL AND (s.key, e.key) < (?, ?)";
                    let values = [stance.into(), key.into()];
                    each_where(store, filter, most, (behind, &values), take)?;
                }
                None => {
                    each_where(store, filter, most, ("TRUE", &[]), take)?;
                }
            }
            Ok(())
        },
    )
}

/// Whether the filter lets more than `most` passages through.
///
/// # Errors
///
/// When the store cannot be read.
pub fn are_more_than(store: &Store, filter: &Filter, most: usize) -> base::Result<bool> {
    let limit = most.saturating_add(1);
    let (rows, values) = rows_where(store, filter, limit, ("TRUE", &[]))?;
    let sql = format!("SELECT count(*) FROM (SELECT 1 {rows} LIMIT {limit}) AS few");
    Ok(usize::try_from(store.base.number(&sql, &values)?).is_ok_and(|found| found > most))
}

/// Gives passages for which `place` holds, too; whether `take` wants more than there are.
fn each_where(
    store: &Store,
    filter: &Filter,
    most: usize,
    place: (&str, &[Value<'static>]),
    take: &mut dyn FnMut(Passage) -> bool,
) -> base::Result<bool> {
    let (rows, values) = rows_where(store, filter, most, place)?;
    let sql = format!(
        "{COLUMNS} {rows} ORDER BY s.day DESC NULLS LAST, s.key DESC, e.key DESC LIMIT {most}"
    );
    store.base.each(&sql, &values, |row| Ok(take(passage(row)?)))
}

/// The tables and conditions of the passages that the filter lets through, with the values for
/// their marks.
fn rows_where(
    store: &Store,
    filter: &Filter,
    most: usize,
    place: (&str, &[Value<'static>]),
) -> base::Result<(String, Vec<Value<'static>>)> {
    let filter = &*filter.looked_up(store)?;
    let mut stances = filter.conditions();
    if filter.is_of_whole_sources() {
        stances.add("s.leads", []);
    }
    let mut passages = Conditions::default();
    add_voice(filter, &mut passages);
    let way = Way::choose(store, filter, &stances, &passages)?;
    match filter.verdict.as_deref() {
        Some("none") => passages.add("e.verdict IS NULL", []),
        Some(verdict) => passages.add("e.verdict = ?", [verdict.to_owned().into()]),
        None => {}
    }
    passages.add_all(place.0, place.1);
    let tables = way.tables(filter);
    let mut conditions = if way == Way::Latest {
        let latest = format!(
            "s.key IN (SELECT s.key FROM stance AS s {} WHERE {} AND EXISTS
                (SELECT 1 FROM evidence_row AS e INDEXED BY evidence_of_stance
                 WHERE e.stance = s.key AND {})
             ORDER BY s.day DESC NULLS LAST, s.key DESC LIMIT {most})",
            stances.hint(),
            stances.sql(),
            passages.sql()
        );
        stances.values.extend(passages.values.iter().cloned());
        let mut conditions = Conditions::default();
        conditions.add_all(&latest, &stances.values);
        conditions
    } else {
        stances
    };
    conditions.add_all(&passages.sql(), &passages.values);
    let rows = format!(
        "FROM {tables} CROSS JOIN document AS d ON d.key = s.document
         LEFT JOIN actor AS a ON a.who = s.who WHERE {}",
        conditions.sql()
    );
    Ok((rows, conditions.values))
}

fn add_voice(filter: &Filter, passages: &mut Conditions) {
    match (&filter.voice, &filter.time) {
        (Some(voice), _) => passages.add("e.voice = ?", [voice.clone().into()]),
        // All that there are, so that the index by voice and time knows the way.
        (None, Some(_)) => passages.add("e.voice IN ('author', 'quoted', 'reported')", []),
        (None, None) => {}
    }
    if let Some(time) = &filter.time {
        passages.add("e.time = ?", [time.clone().into()]);
    }
}

/// Which rows are looked at first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// One stance after the other by its day, until there are enough.
    ByDay,
    /// The few stances that the filter lets through are put in order first, and then their passages
    /// are read, of as many as can be needed.
    Latest,
    /// The passages that people looked at, which are few.
    Verdicts,
    /// The passages of a voice or time that is rare.
    Voices,
}

/// Passages of a voice that are few, and stances that are.
const FEW_PASSAGES: usize = 10_000;
const FEW_STANCES: usize = 30_000;

impl Way {
    /// - `passages`: whose words they are and when they hold, and nothing else.
    fn choose(
        store: &Store,
        filter: &Filter,
        stances: &Conditions,
        passages: &Conditions,
    ) -> base::Result<Self> {
        if filter.verdict.as_deref().is_some_and(|verdict| verdict != "none") {
            return Ok(Self::Verdicts);
        }
        if !store.base.needs_hints() {
            return Ok(Self::ByDay);
        }
        let are_few = |from: &str, conditions: &Conditions, most: usize| {
            let sql = format!(
                "SELECT count(*) FROM (SELECT 1 FROM {from} WHERE {} LIMIT {most}) AS few",
                conditions.sql()
            );
            let found = store.base.number(&sql, &conditions.values)?;
            base::Result::Ok(usize::try_from(found).is_ok_and(|found| found < most))
        };
        if filter.voice.is_some() || filter.time.is_some() {
            let from = "evidence_row AS e INDEXED BY evidence_by_voice";
            if are_few(from, passages, FEW_PASSAGES)? {
                return Ok(Self::Voices);
            }
        }
        let stance = format!("stance AS s {}", stances.hint());
        let is_narrow = filter.words.is_some()
            || (!filter.sources.is_empty() || filter.holders == Holders::Authors)
                && are_few(&stance, stances, FEW_STANCES)?;
        Ok(if is_narrow { Self::Latest } else { Self::ByDay })
    }

    fn tables(self, filter: &Filter) -> String {
        const OF_STANCE: &str =
            "CROSS JOIN evidence_row AS e INDEXED BY evidence_of_stance ON e.stance = s.key";
        const OF_PASSAGE: &str = "CROSS JOIN stance AS s ON s.key = e.stance";
        match self {
            Self::ByDay => {
                let index = if filter.who.is_some() { "stance_by_who" } else { "stance_by_day" };
                format!("stance AS s INDEXED BY {index} {OF_STANCE}")
            }
            Self::Latest => format!("stance AS s {OF_STANCE}"),
            Self::Verdicts => {
                format!("evidence_row AS e INDEXED BY evidence_by_verdict {OF_PASSAGE}")
            }
            Self::Voices => format!("evidence_row AS e INDEXED BY evidence_by_voice {OF_PASSAGE}"),
        }
    }
}

/// The passages of one document, in the order of its text.
///
/// # Errors
///
/// When the store cannot be read.
pub fn of_document(store: &Store, document_id: &str) -> base::Result<Vec<Passage>> {
    let sql = format!(
        "{COLUMNS} FROM document AS d JOIN stance AS s ON s.document = d.key
         JOIN evidence_row AS e ON e.stance = s.key LEFT JOIN actor AS a ON a.who = s.who
         WHERE d.id = ? ORDER BY e.start_offset, e.key"
    );
    store.base.rows(&sql, &values![document_id], passage)
}

/// One passage by its key; `None` if there is none.
///
/// # Errors
///
/// When the store cannot be read.
pub fn one(store: &Store, key: i64) -> base::Result<Option<Passage>> {
    let sql = format!(
        "{COLUMNS} FROM evidence_row AS e JOIN stance AS s ON s.key = e.stance
         JOIN document AS d ON d.key = s.document LEFT JOIN actor AS a ON a.who = s.who
         WHERE e.key = ?"
    );
    store.base.row(&sql, &values![key], passage)
}

const COLUMNS: &str = "SELECT e.key, d.id, d.title, s.source, s.day, s.target_id, s.target_name,
    s.who, coalesce(a.name, s.actor_name, s.who), e.is_counter, e.start_offset, e.end_offset,
    e.text, e.score, e.confidence, e.voice, e.time, e.holder_start, e.holder_end, e.target_start,
    e.target_end, e.cue_start, e.cue_end, e.rule, e.verdict,
    CASE WHEN e.said_score <> e.score THEN e.said_score END,
    (SELECT count(*) FROM document AS copy WHERE copy.story = d.story), s.key,
    CASE WHEN e.said_stance <> e.stance THEN
        (SELECT b.who FROM stance AS b WHERE b.key = e.said_stance) END,
    CASE WHEN e.said_stance <> e.stance THEN
        (SELECT coalesce(n.name, b.actor_name, b.who) FROM stance AS b
         LEFT JOIN actor AS n ON n.who = b.who WHERE b.key = e.said_stance) END,
    e.said_score";

fn passage(row: &Row<'_>) -> base::Result<Passage> {
    let stretch = |start: usize| -> base::Result<Option<Stretch>> {
        let (start, end) = (row.offset(start)?, row.offset(start + 1)?);
        Ok(start.zip(end).map(|(start, end)| Stretch { start, end }))
    };
    let (key, day): (i64, Option<String>) = (row.get(0)?, row.get(4)?);
    let stance: i64 = row.get(27)?;
    let (document_id, target_id): (String, String) = (row.get(1)?, row.get(5)?);
    let (who, text): (String, String) = (row.get(7)?, row.get(12)?);
    let (start, end) = (row.offset(10)?.unwrap_or_default(), row.offset(11)?.unwrap_or_default());
    let said_who: Option<String> = row.get(28)?;
    let said = Saying {
        document_id: &document_id,
        target_id: &target_id,
        who: said_who.as_ref().unwrap_or(&who),
        start: start.into(),
        end: end.into(),
        text: &text,
        score: row.get(30)?,
    };
    Ok(Passage {
        key,
        fingerprint: said.fingerprint(),
        document_id,
        title: row.get(2)?,
        source: row.get(3)?,
        target_id,
        target_name: row.get(6)?,
        who,
        name: row.get(8)?,
        is_counter: row.get(9)?,
        start,
        end,
        text,
        score: row.get(13)?,
        confidence: row.get(14)?,
        voice: row.get(15)?,
        time: row.get(16)?,
        holder: stretch(17)?,
        target: stretch(19)?,
        cue: stretch(21)?,
        rule: row.get(23)?,
        verdict: row.get(24)?,
        said_score: row.get(25)?,
        said_who,
        said_name: row.get(29)?,
        copies: row.get(26)?,
        cursor: format!("{}~{stance}~{key}", day.as_deref().unwrap_or_default()),
        day,
    })
}

/// What the pipeline said at a place of a document, whatever people said of it since.
pub(crate) struct Saying<'p> {
    pub(crate) document_id: &'p str,
    pub(crate) target_id: &'p str,
    pub(crate) who: &'p str,
    pub(crate) start: i64,
    pub(crate) end: i64,
    pub(crate) text: &'p str,
    pub(crate) score: Option<f64>,
}

impl Saying<'_> {
    /// The same for the same saying, also after its document came again, and another for any other.
    pub(crate) fn fingerprint(&self) -> String {
        let mut hash = blake3::Hasher::new();
        for text in [self.document_id, self.target_id, self.who, self.text] {
            // Their lengths keep two texts from being read as two others.
            hash.update(&(text.len() as u64).to_le_bytes()).update(text.as_bytes());
        }
        for number in [self.start, self.end] {
            hash.update(&number.to_le_bytes());
        }
        hash.update(&self.score.unwrap_or_default().to_le_bytes());
        hash.finalize().to_hex()[..16].to_owned()
    }
}

fn read_cursor(cursor: &str) -> Option<(String, i64, i64)> {
    let mut parts = cursor.split('~');
    let day = parts.next()?.to_owned();
    Some((day, parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_of_somebody_elses_is_no_cursor() {
        assert_eq!(read_cursor("2024-05-01~3~9"), Some(("2024-05-01".to_owned(), 3, 9)));
        for cursor in ["", "2024-05-01", "2024-05-01~x~9", "2024-05-01~3"] {
            assert_eq!(read_cursor(cursor), None, "{cursor}");
        }
    }
}
