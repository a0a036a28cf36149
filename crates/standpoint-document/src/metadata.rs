//! What is known of a document besides its text.

use std::fmt;
use std::sync::OnceLock;

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

/// Whoever lends a document and has its metadata, too, in a form of its own.
pub trait LendMetadata: fmt::Debug + Sync {
    /// A copy of the metadata, made when somebody asks for it; most stages never do.
    fn to_metadata(&self) -> Metadata;
}

/// Metadata that is there, or is copied from its lender by the first who asks.
#[derive(Clone, Default)]
pub(crate) struct HeldMetadata<'a> {
    /// In a box, so that a document that is lent stays small.
    copied: OnceLock<Box<Metadata>>,
    /// `None` when there is nothing but the copy.
    lender: Option<&'a dyn LendMetadata>,
}

impl<'a> HeldMetadata<'a> {
    pub(crate) fn lent(lender: &'a dyn LendMetadata) -> Self {
        Self { copied: OnceLock::new(), lender: Some(lender) }
    }

    pub(crate) fn get(&self) -> &Metadata {
        self.copied.get_or_init(|| Box::new(lent_by(self.lender)))
    }

    pub(crate) fn into_inner(self) -> Metadata {
        self.copied.into_inner().map_or_else(|| lent_by(self.lender), |copied| *copied)
    }
}

impl fmt::Debug for HeldMetadata<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The same whether somebody has asked or not.
        self.get().fmt(f)
    }
}

impl From<Metadata> for HeldMetadata<'_> {
    fn from(metadata: Metadata) -> Self {
        Self { copied: OnceLock::from(Box::new(metadata)), lender: None }
    }
}

fn lent_by(lender: Option<&dyn LendMetadata>) -> Metadata {
    lender.map(LendMetadata::to_metadata).unwrap_or_default()
}
