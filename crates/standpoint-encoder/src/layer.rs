//! Vectors as a layer of a document: what one stage encodes, others judge.
//!
//! A vector for each word piece would be a megabyte for a thousand words, and heads ask for little
//! of it. So the layer [`VECTORS`] holds one row for each window of a sentence that was encoded,
//! and one for each place in it that may be asked about.

use std::borrow::Cow;

use standpoint_document::{Annotation, Document, Layer, Span, Vectors};
use thiserror::Error;

use crate::encoded::Encoded;
use crate::encoder::Encoder;

/// The layer's name. It begins as those do that a stage can do without, for a stage that judges by
/// vectors also judges without them.
pub const VECTORS: &str = "standpoint.vectors";

/// The label of a row that stands for a window.
const WINDOW: u32 = 0;
/// The label of a row that stands for a place; its link is the row of its window.
const PLACE: u32 = 1;

/// Sentences with the places in them whose vectors are kept.
#[derive(Debug, Default)]
pub struct VectorLayer {
    rows: Vec<Annotation>,
    values: Vec<f32>,
}

impl VectorLayer {
    /// Adds a sentence, which comes behind those that are there.
    ///
    /// - `places`: places of the sentence in the document, in order of start; those at which
    ///   nothing was read are left out.
    pub fn push(&mut self, sentence: Span, encoded: &Encoded, places: &[Span]) {
        let mut places = places.iter().peekable();
        let mut windows = encoded.windows().peekable();
        while let Some((bytes, whole)) = windows.next() {
            // What stands before the first piece belongs to the first window.
            let start = sentence.start + bytes.start as u32;
            let end = sentence.start + bytes.end as u32;
            let window = self.rows.len() as u32;
            let first = places.peek().map_or(start, |place| place.start.min(start));
            self.row(Annotation::new(Span::new(first, end.max(first))).with_label(WINDOW), whole);
            let is_last = windows.peek().is_none();
            while let Some(&&place) = places.peek()
                && (is_last || place.start < end)
            {
                places.next();
                let inside = place.start.saturating_sub(sentence.start) as usize
                    ..place.end.saturating_sub(sentence.start) as usize;
                if let Some(vector) = encoded.span(inside) {
                    self.row(Annotation::new(place).with_label(PLACE).with_link(window), &vector);
                }
            }
        }
    }

    fn row(&mut self, row: Annotation, vector: &[f32]) {
        self.rows.push(row);
        self.values.extend_from_slice(vector);
    }

    /// The layer for a document; it names the encoder that made its vectors.
    #[must_use]
    pub fn finish(self, encoder: &Encoder) -> Layer<'static> {
        Layer {
            annotations: self.rows.into(),
            labels: vec!["window".into(), "place".into(), Cow::Owned(encoder.id().to_owned())],
            vectors: Some(Vectors {
                width: encoder.width() as u32,
                values: Cow::Owned(self.values),
            }),
        }
    }
}

/// The vectors of a document.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'d> {
    rows: &'d [Annotation],
    values: &'d [f32],
    width: usize,
}

/// The vectors of a place.
#[derive(Debug, Clone, Copy)]
pub struct Place<'d> {
    /// Of the window that the place stands in.
    pub whole: &'d [f32],
    /// Of the place.
    pub vector: &'d [f32],
}

/// The vectors of a document are not from the encoder that a head belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "the vectors are of the model {found}, and {expected} is to judge them: give both one `model`"
)]
pub struct ForeignVectors {
    /// The encoder's model.
    pub found: String,
    /// The head's.
    pub expected: String,
}

impl<'d> Seen<'d> {
    /// The vectors of a document; `None` where no stage encoded it.
    ///
    /// - `model`: the id of the head that is to judge them.
    ///
    /// # Errors
    ///
    /// [`ForeignVectors`] when another model made them.
    pub fn of(document: &'d Document<'_>, model: &str) -> Result<Option<Self>, ForeignVectors> {
        let Some(layer) = document.layer(VECTORS) else { return Ok(None) };
        let found = layer.labels.last().map(AsRef::as_ref).unwrap_or_default();
        if found != model {
            return Err(ForeignVectors { found: found.to_owned(), expected: model.to_owned() });
        }
        let Some(vectors) = &layer.vectors else { return Ok(None) };
        let (rows, values) = (&*layer.annotations, &*vectors.values);
        Ok(Some(Self { rows, values, width: vectors.width as usize }))
    }

    /// The vectors of a place; `None` where it was not encoded.
    #[must_use]
    pub fn place(&self, place: Span) -> Option<Place<'d>> {
        let first = self.rows.partition_point(|row| row.span.start < place.start);
        let row = self.rows[first..]
            .iter()
            .take_while(|row| row.span.start == place.start)
            .position(|row| row.label == PLACE && row.span == place)?;
        let row = first + row;
        let whole = self.vector(self.rows[row].link as usize)?;
        Some(Place { whole, vector: self.vector(row)? })
    }

    fn vector(&self, row: usize) -> Option<&'d [f32]> {
        self.values.get(row.checked_mul(self.width)?..)?.get(..self.width)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::word_pieces::Piece;

    fn rows_of(places: &[(u32, u32)]) -> (Vec<(u32, u32, u32)>, VectorLayer) {
        let encoded = Encoded {
            width: 1,
            pieces: [0, 3, 6].map(|start| Piece { id: 9, start, end: start + 2 }).to_vec(),
            vectors: vec![1.0, 3.0, 5.0],
            wholes: vec![(2, vec![7.0]), (3, vec![8.0])],
            is_whole: true,
        };
        let places: Vec<Span> = places.iter().map(|&(start, end)| Span::new(start, end)).collect();
        let mut layer = VectorLayer::default();
        layer.push(Span::new(10, 18), &encoded, &places);
        let rows = layer.rows.iter().map(|row| (row.span.start, row.span.end, row.label));
        (rows.collect(), layer)
    }

    #[test]
    fn places_stand_behind_their_windows() {
        let (rows, layer) = rows_of(&[(10, 12), (10, 15), (12, 13), (16, 18), (18, 18)]);
        let expected =
            [(10, 15, WINDOW), (10, 12, PLACE), (10, 15, PLACE), (16, 18, WINDOW), (16, 18, PLACE)];
        assert_eq!(rows, expected);
        assert_eq!(layer.values, [7.0, 1.0, 2.0, 8.0, 5.0]);
        let seen = Seen { rows: &layer.rows, values: &layer.values, width: 1 };
        let place = |start, end| {
            seen.place(Span::new(start, end)).map(|place| (place.whole[0], place.vector[0]))
        };
        assert_eq!(place(10, 15), Some((7.0, 2.0)));
        assert_eq!(place(16, 18), Some((8.0, 5.0)));
        assert_eq!(place(12, 13), None, "only a space stands there");
        assert_eq!(place(13, 15), None, "nobody asked");
    }

    #[test]
    fn vectors_of_another_model_are_refused() {
        let mut document = Document::new("d", "A b.").unwrap();
        assert!(Seen::of(&document, "m@1").unwrap().is_none());
        let layer = Layer { labels: vec!["window".into(), "m@2".into()], ..Layer::default() };
        document.set_layer(VECTORS, layer).unwrap();
        let error = Seen::of(&document, "m@1").unwrap_err();
        assert_eq!(
            error.to_string(),
            "the vectors are of the model m@2, and m@1 is to judge them: give both one `model`"
        );
    }
}
