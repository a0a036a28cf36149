//! What is known of a document besides its text.

use std::fmt;
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

use crate::entity::Entity;

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

impl Metadata {
    /// How long its texts are together.
    pub(crate) fn size_bytes(&self) -> usize {
        let Self { source, title, author, published, language } = self;
        let texts = [&source.path, &source.id, title, author, published, language];
        source.name.len() + texts.into_iter().flatten().map(String::len).sum::<usize>()
    }
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

/// Whoever lends a document and has parts of it in a form of its own.
pub trait Lender: fmt::Debug + Sync {
    /// A copy of the metadata, made when somebody asks for it; most stages never do.
    fn to_metadata(&self) -> Metadata;

    /// A copy of the entities that mentions link to, made when somebody asks for it.
    fn to_entities(&self) -> Vec<Entity>;
}

/// A part of a document that is there, or is copied from its lender by the first who asks.
#[derive(Clone)]
pub(crate) struct Held<'a, T> {
    /// In a box, so that a document that is lent stays small.
    copied: OnceLock<Box<T>>,
    /// `None` when there is nothing but the copy.
    lent: Option<(&'a dyn Lender, CopyOf<T>)>,
}

/// What copies a part from whoever lends the document.
type CopyOf<T> = fn(&dyn Lender) -> T;

impl<'a, T: Default> Held<'a, T> {
    pub(crate) fn lent(lender: &'a dyn Lender, copy: CopyOf<T>) -> Self {
        Self { copied: OnceLock::new(), lent: Some((lender, copy)) }
    }

    pub(crate) fn get(&self) -> &T {
        self.copied.get_or_init(|| Box::new(self.copy()))
    }

    pub(crate) fn into_inner(mut self) -> T {
        self.copied.take().map_or_else(|| self.copy(), |copied| *copied)
    }

    fn copy(&self) -> T {
        self.lent.map(|(lender, copy)| copy(lender)).unwrap_or_default()
    }
}

impl<T> Default for Held<'_, T> {
    fn default() -> Self {
        Self { copied: OnceLock::new(), lent: None }
    }
}

impl<T: Default + fmt::Debug> fmt::Debug for Held<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The same whether somebody has asked or not.
        self.get().fmt(f)
    }
}

impl<T> From<T> for Held<'_, T> {
    fn from(value: T) -> Self {
        Self { copied: OnceLock::from(Box::new(value)), lent: None }
    }
}
