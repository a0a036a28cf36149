//! Who is meant by a name that somebody types: with accents or without, as in all of the program.

use standpoint_document::{holds_name, is_same_name};

use crate::base::{self, values};
use crate::schema::Store;

/// What stands before the names of authors in their ids.
const AUTHOR: &str = "author:";

/// Actors to choose from, states first: each an id and the name to show.
///
/// - `named`: what their names have in them, with accents or without; empty lets everybody through;
/// - `most`: how many.
///
/// # Errors
///
/// When the store cannot be read.
pub fn actors(store: &Store, named: &str, most: usize) -> base::Result<Vec<(String, String)>> {
    let sql = "SELECT who, name FROM actor WHERE who NOT LIKE 'author:%'
        ORDER BY kind = 'country' DESC, name, who LIMIT ?";
    // No database folds names as we do, so all of them are read where some are looked for.
    let rows = if named.is_empty() { i64::try_from(most).unwrap_or(i64::MAX) } else { i64::MAX };
    let mut found = store.base.rows(sql, &values![rows], |row| Ok((row.get(0)?, row.get(1)?)))?;
    found.retain(|(_, name): &(String, String)| named.is_empty() || holds_name(name, named));
    found.truncate(most);
    Ok(found)
}

/// The actor that somebody means by an id or a name, with accents or without; behind `author:` an
/// author. `None` where the store knows none so called.
///
/// # Errors
///
/// When the store cannot be read.
pub fn holder_called(store: &Store, called: &str) -> base::Result<Option<String>> {
    let sql = "SELECT who FROM actor WHERE who = ?";
    if let Some(who) = store.base.row(sql, &values![called], |row| row.get(0))? {
        return Ok(Some(who));
    }
    let wanted = called.strip_prefix(AUTHOR);
    let sql = "SELECT who, name FROM actor ORDER BY kind = 'country' DESC, who";
    let found: Vec<Option<String>> = store.base.rows(sql, &[], |row| {
        let (who, name): (String, String) = (row.get(0)?, row.get(1)?);
        let is_meant = match (wanted, who.strip_prefix(AUTHOR)) {
            (Some(wanted), Some(author)) => is_same_name(author, wanted),
            (None, None) => is_same_name(&name, called) || is_same_name(&who, called),
            _ => false,
        };
        Ok(is_meant.then_some(who))
    })?;
    Ok(found.into_iter().flatten().next())
}

/// The target that somebody means by an id or a name, with accents or without.
///
/// # Errors
///
/// When the store cannot be read.
pub fn target_called(store: &Store, called: &str) -> base::Result<Option<String>> {
    let sql = "SELECT id, name FROM target ORDER BY id = ? DESC, id";
    let targets: Vec<(String, String)> =
        store.base.rows(sql, &values![called], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let found = targets
        .into_iter()
        .find(|(id, name)| id == called || is_same_name(name, called) || is_same_name(id, called));
    Ok(found.map(|(id, _)| id))
}
