//! What is known of a document besides its text.

use serde::{Deserialize, Serialize};

/// What is known of a document besides its text; a field without a value is `None`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metadata {
    /// Where the document was read.
    pub source: SourceRef,
    /// The title, which for a text file is its first line when a blank line follows.
    pub title: Option<String>,
    /// Who speaks as "we" and "my country": a name, or an actor id such as `KAZ`.
    pub author: Option<String>,
    /// When it was published, as ISO 8601 (`2022-09-21`, or with a time).
    pub published: Option<String>,
    /// ISO 639-1 code, such as `en`.
    pub language: Option<String>,
}

/// Where a document was read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceRef {
    /// The source's name in the pipeline file.
    pub name: String,
    /// The path relative to the source's folder, with `/` between its parts; invalid UTF-8 is
    /// replaced.
    pub path: Option<String>,
    /// The id that the input itself gave.
    pub id: Option<String>,
}
