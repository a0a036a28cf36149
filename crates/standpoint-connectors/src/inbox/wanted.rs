//! Which files are wanted, by their names.

use std::path::Path;

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use super::home::OWN_FOLDER;
use super::{InboxError, Marker};

/// Endings of files that are still being written, by custom.
const DRAFTS: [&str; 5] = [".tmp", ".part", ".partial", ".crdownload", "~"];

/// Which files are to be taken, as their names say.
#[derive(Debug)]
pub(crate) struct Wanted {
    include: GlobSet,
    ignore: GlobSet,
    marker: Option<Marker>,
}

impl Wanted {
    /// - `include`: one of these must hold;
    /// - `ignore`: and none of these;
    /// - `marker`: files that only say that another is complete.
    ///
    /// # Errors
    ///
    /// [`InboxError::Pattern`].
    pub(crate) fn of(
        include: &[String],
        ignore: &[String],
        marker: Option<Marker>,
    ) -> Result<Self, InboxError> {
        Ok(Self { include: patterns(include)?, ignore: patterns(ignore)?, marker })
    }

    /// Whether a file is no draft, marker or hidden one, and one of those that are asked for.
    pub(crate) fn covers(&self, relative: &Path) -> bool {
        let name = relative.file_name().unwrap_or_default().to_string_lossy();
        let is_draft = DRAFTS.iter().any(|ending| name.ends_with(ending));
        let is_hidden = relative.ancestors().any(is_hidden);
        !is_draft
            && !is_hidden
            && !relative.starts_with(OWN_FOLDER)
            && !self.marker.as_ref().is_some_and(|marker| marker.is_one(relative))
            && self.include.is_match(relative)
            && !self.ignore.is_match(relative)
    }
}

/// Whether patterns lead into a folder. Which names files will have there is not known, so a
/// pattern for any depth counts as one that does.
pub(super) fn reaches(include: &[String], ignore: &[String], folder: &Path) -> bool {
    let file = folder.join("any.txt");
    let matches = |texts| patterns(texts).is_ok_and(|patterns| patterns.is_match(&file));
    let is_included = include.iter().any(|text| text.contains("**")) || matches(include);
    is_included && !matches(ignore) && !file.ancestors().any(is_hidden)
}

/// Whether the last part of a path is hidden.
pub(super) fn is_hidden(relative: &Path) -> bool {
    relative.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
}

/// Whether a text is a pattern of file names.
///
/// # Errors
///
/// [`InboxError::Pattern`].
pub fn check_pattern(text: &str) -> Result<(), InboxError> {
    patterns(&[text.to_owned()]).map(drop)
}

fn patterns(texts: &[String]) -> Result<GlobSet, InboxError> {
    let mut set = GlobSetBuilder::new();
    for text in texts {
        let fail = |source| InboxError::Pattern { pattern: text.clone(), source };
        set.add(GlobBuilder::new(text).literal_separator(true).build().map_err(fail)?);
    }
    set.build().map_err(|source| InboxError::Pattern { pattern: texts.join(", "), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_reached_unless_it_is_hidden_or_no_pattern_leads_there() {
        let cases: [(&[&str], &[&str], &str, bool); 7] = [
            (&["**/*"], &[], "done", true),
            (&["**/*"], &[], "", true),
            (&["**/reports-*.csv"], &[], "done", true),
            (&["*.txt"], &[], "done", false),
            (&["*.txt"], &[], "", true),
            (&["**/*"], &["done/**"], "done", false),
            (&["**/*"], &[], ".done/old", false),
        ];
        for (include, ignore, folder, expected) in cases {
            let [include, ignore] = [include, ignore]
                .map(|texts| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>());
            let reached = reaches(&include, &ignore, Path::new(folder));
            assert_eq!(reached, expected, "{include:?} {ignore:?} {folder}");
        }
    }
}
