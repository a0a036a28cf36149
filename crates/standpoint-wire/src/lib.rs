//! A document, and what a stage says of it, as bytes: for stages that run outside this process or
//! in a memory of their own.
//!
//! Three forms say the same:
//!
//! - **binary**: numbers, then the texts and one column for each layer, in which an annotation
//!   takes the same 24 bytes as in memory. Offsets are UTF-8 bytes, and JSON is only what is JSON
//!   anyway. Writing and reading it is copying, which is what makes a stage in another process
//!   affordable;
//! - **packed**: the same text and columns behind a JSON header that names them, which is easier to
//!   read for whoever has a reader of JSON, and has been there longer;
//! - **JSON**: one object, in which offsets count code points as in results, so that twenty lines
//!   of a script can read it.
//!
//! A host writes a document with [`write_document`], or to a place of its own with [`Lending`], and
//! takes what comes back with [`read_reply`]; a stage's side does the opposite with
//! [`LentDocument`] and [`append_reply`] or, packed, with [`read_document`] and [`write_reply`].
//! What comes back is never trusted: [`Writes`] checks it against the text and the contract, and
//! applies all of it or nothing.
//!
//! ```
//! use standpoint_stage::document::{Annotation, Document, Span};
//! use standpoint_wire::{Form, Writes, read_document, read_reply, write_document, write_reply};
//!
//! let mut document = Document::new("d", "It may rain.")?;
//! let lent = write_document(&document, &["tokens"], 1, Form::Packed)?;
//!
//! // On the other side:
//! let (mut theirs, _) = read_document(&lent)?;
//! theirs.set_layer("hedges", vec![Annotation::new(Span::new(3, 6))])?;
//! let reply = write_reply(&theirs)?;
//!
//! let mut writes = Writes::default();
//! read_reply(&reply, Form::Packed, document.text(), &["hedges"], &mut writes)?;
//! writes.commit(&mut document)?;
//! assert_eq!(document.slice(document.layer("hedges").unwrap().annotations[0].span), "may");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Modules in reading order: `writes`, `manifest`, `columns`, `lending`, `binary`, `packed`, `lent`
//! (the packed form where it lies), `simple` (the JSON form).

mod binary;
mod columns;
mod lending;
mod lent;
mod manifest;
mod packed;
mod simple;
mod writes;

pub use lending::{Lending, LentDocument, append_reply};
pub use lent::{ReadText, checked_text};
pub use manifest::StageManifest;
pub use packed::{Form, MAX_HEADER_BYTES, read_document, read_reply, write_document, write_reply};
pub use writes::{Writes, keep_names, writable};
