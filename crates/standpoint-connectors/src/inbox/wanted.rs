//! Which files are wanted, by their names.

use std::path::Path;

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use super::claims::OWN_FOLDER;
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

/// Whether the last part of a path is hidden.
pub(super) fn is_hidden(relative: &Path) -> bool {
    relative.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
}

fn patterns(texts: &[String]) -> Result<GlobSet, InboxError> {
    let mut set = GlobSetBuilder::new();
    for text in texts {
        let fail = |source| InboxError::Pattern { pattern: text.clone(), source };
        set.add(GlobBuilder::new(text).literal_separator(true).build().map_err(fail)?);
    }
    set.build().map_err(|source| InboxError::Pattern { pattern: texts.join(", "), source })
}
