//! A document on its way to a stage, and as it arrives there, in whichever form.

use standpoint_document::Document;
use standpoint_stage::StageError;

use crate::binary::{BinaryDocument, LendingBinary, write_binary_reply};
use crate::lent::{PackedDocument, ReadText};
use crate::packed::{Form, LendingPacked, pack_reply};
use crate::simple;

/// A document that is measured, so that it is written once, to where it goes.
#[derive(Debug)]
pub struct Lending<'d>(Measured<'d>);

#[derive(Debug)]
enum Measured<'d> {
    Binary(LendingBinary<'d>),
    Packed(LendingPacked<'d>),
    Json(Vec<u8>),
}

impl<'d> Lending<'d> {
    /// Gathers what a stage reads of a document.
    ///
    /// - `reads`: the layers, records and attributes that the stage's contract reads, and no others
    ///   are written;
    /// - `attempt`: which attempt at this document it is, from 1.
    ///
    /// # Errors
    ///
    /// [`StageError`] when a record of the document is no JSON.
    pub fn new(
        document: &'d Document<'_>,
        reads: &[&str],
        attempt: u32,
        form: Form,
    ) -> Result<Self, StageError> {
        Ok(Self(match form {
            Form::Binary => Measured::Binary(LendingBinary::new(document, reads, attempt)?),
            Form::Packed => Measured::Packed(LendingPacked::new(document, reads, attempt)?),
            Form::Json => Measured::Json(simple::write_document(document, reads, attempt)?),
        }))
    }

    /// How many bytes it takes.
    #[must_use]
    pub fn size(&self) -> usize {
        match &self.0 {
            Measured::Binary(document) => document.size(),
            Measured::Packed(document) => document.size(),
            Measured::Json(json) => json.len(),
        }
    }

    /// Writes it to the beginning of `bytes`.
    ///
    /// # Panics
    ///
    /// When they are fewer than [`Lending::size`].
    pub fn write(&self, bytes: &mut [u8]) {
        match &self.0 {
            Measured::Binary(document) => document.write(bytes),
            Measured::Packed(document) => document.write(bytes),
            Measured::Json(json) => bytes[..json.len()].copy_from_slice(json),
        }
    }
}

/// A document that a host wrote, in the bytes that it was written to.
#[derive(Debug)]
pub struct LentDocument<'b>(Received<'b>);

#[derive(Debug)]
enum Received<'b> {
    Binary(BinaryDocument<'b>),
    Packed(PackedDocument<'b>),
}

impl<'b> LentDocument<'b> {
    /// Reads what stands before the columns.
    ///
    /// - `form`: binary or packed; JSON is for scripts;
    /// - `read_text`: usually [`checked_text`](crate::checked_text).
    ///
    /// # Errors
    ///
    /// [`StageError`] where it is cut short or wrong.
    pub fn read(bytes: &'b [u8], form: Form, read_text: ReadText) -> Result<Self, StageError> {
        Ok(Self(match form {
            Form::Binary => Received::Binary(BinaryDocument::read(bytes, read_text)?),
            Form::Packed | Form::Json => Received::Packed(PackedDocument::read(bytes, read_text)?),
        }))
    }

    /// Which attempt at the document it is, from 1.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        match &self.0 {
            Received::Binary(document) => document.attempt,
            Received::Packed(document) => document.attempt(),
        }
    }

    /// The document as a stage sees it, without annotation yet: what it writes is checked by the
    /// host. Apart from [`LentDocument::annotate`], so that it is made where it stays: moving one
    /// costs more than filling it.
    #[must_use]
    pub fn view(&self) -> Document<'_> {
        match &self.0 {
            Received::Binary(document) => document.view(),
            Received::Packed(document) => document.view(),
        }
    }

    /// Puts all that the host lends into the view.
    ///
    /// - `reads`: what the stage's contract reads.
    ///
    /// # Errors
    ///
    /// [`StageError`] where the columns are cut short or a record is none.
    pub fn annotate<'a>(
        &'a self,
        document: &mut Document<'a>,
        reads: &[&'static str],
    ) -> Result<(), StageError> {
        match &self.0 {
            Received::Binary(lent) => lent.annotate(document, reads),
            Received::Packed(lent) => lent.annotate(document, reads),
        }
    }
}

/// Writes what a stage has written behind what `bytes` hold, which is a multiple of four.
///
/// - `contract`: the names that it may write;
/// - `form`: that in which the document came.
///
/// # Errors
///
/// [`StageError`] when a record or attribute is no JSON, or a name is not in the contract.
pub fn append_reply(
    document: &Document<'_>,
    contract: &'static [&'static str],
    form: Form,
    bytes: &mut Vec<u8>,
) -> Result<(), StageError> {
    match form {
        Form::Binary => write_binary_reply(document, contract, bytes),
        Form::Packed | Form::Json => pack_reply(document, bytes),
    }
}
