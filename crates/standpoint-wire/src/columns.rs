//! Columns of annotations and numbers, little-endian, each beginning at a multiple of four bytes.

use std::borrow::Cow;

use standpoint_document::{Annotation, Layer, Span};
use zerocopy::{FromBytes, Immutable, IntoBytes};

/// Whether numbers lie in this machine's memory as they do in a column.
const IS_LITTLE_ENDIAN: bool = cfg!(target_endian = "little");

/// Bytes of an annotation.
pub(crate) const ANNOTATION_BYTES: usize = 24;

/// Fills up to a multiple of four.
pub(crate) fn pad(bytes: &mut Vec<u8>) {
    bytes.resize(bytes.len().next_multiple_of(4), 0);
}

/// Bytes of a layer's columns.
pub(crate) fn columns_bytes(layer: &Layer<'_>) -> usize {
    let numbers = layer.vectors.as_ref().map_or(0, |vectors| vectors.values.len());
    layer.annotations.len() * ANNOTATION_BYTES + numbers * 4
}

/// Bytes that are written from front to back; whoever writes has measured that they suffice.
#[derive(Debug)]
pub(crate) struct Writer<'b> {
    rest: &'b mut [u8],
    written: usize,
}

impl<'b> Writer<'b> {
    pub(crate) fn new(bytes: &'b mut [u8]) -> Self {
        Self { rest: bytes, written: 0 }
    }

    fn slot(&mut self, count: usize) -> &'b mut [u8] {
        let (slot, rest) = std::mem::take(&mut self.rest).split_at_mut(count);
        self.rest = rest;
        self.written += count;
        slot
    }

    pub(crate) fn put(&mut self, bytes: &[u8]) {
        self.slot(bytes.len()).copy_from_slice(bytes);
    }

    pub(crate) fn number(&mut self, number: u32) {
        self.put(&number.to_le_bytes());
    }

    /// Fills up to a multiple of four.
    pub(crate) fn pad(&mut self) {
        let count = self.written.next_multiple_of(4) - self.written;
        self.slot(count).fill(0);
    }

    /// The columns of a layer: its annotations and vectors.
    pub(crate) fn columns(&mut self, layer: &Layer<'_>) {
        let numbers = layer.vectors.as_ref().map_or(&[][..], |vectors| &vectors.values);
        if IS_LITTLE_ENDIAN {
            self.put(layer.annotations.as_bytes());
            self.put(numbers.as_bytes());
        } else {
            fill_annotations(self.slot(size_of_val(&*layer.annotations)), &layer.annotations);
            fill_numbers(self.slot(size_of_val(numbers)), numbers);
        }
    }
}

fn fill_numbers(bytes: &mut [u8], numbers: &[f32]) {
    let (slots, _) = bytes.as_chunks_mut::<4>();
    for (slot, number) in slots.iter_mut().zip(numbers) {
        *slot = number.to_le_bytes();
    }
}

fn fill_annotations(bytes: &mut [u8], annotations: &[Annotation]) {
    let (rows, _) = bytes.as_chunks_mut::<ANNOTATION_BYTES>();
    for (row, annotation) in rows.iter_mut().zip(annotations) {
        let words = [
            annotation.span.start,
            annotation.span.end,
            annotation.label,
            annotation.flags,
            annotation.score.to_bits(),
            annotation.link,
        ];
        let (slots, _) = row.as_chunks_mut::<4>();
        for (slot, word) in slots.iter_mut().zip(words) {
            *slot = word.to_le_bytes();
        }
    }
}

/// Bytes that are read from front to back.
#[derive(Debug)]
pub(crate) struct Reader<'b> {
    bytes: &'b [u8],
    at: usize,
}

impl<'b> Reader<'b> {
    pub(crate) fn new(bytes: &'b [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// The next `count` bytes; `None` where there are not so many.
    pub(crate) fn take(&mut self, count: usize) -> Option<&'b [u8]> {
        let end = self.at.checked_add(count)?;
        let taken = self.bytes.get(self.at..end)?;
        self.at = end;
        Some(taken)
    }

    /// Goes on to a multiple of four, over no more than there is.
    pub(crate) fn align(&mut self) {
        self.at = self.at.next_multiple_of(4).min(self.bytes.len());
    }

    /// Passes over what fills up to a multiple of four.
    pub(crate) fn padding(&mut self) -> Option<()> {
        self.take(self.at.next_multiple_of(4) - self.at).map(drop)
    }

    pub(crate) fn number(&mut self) -> Option<u32> {
        Some(u32::from_le_bytes(*self.take(4)?.as_array()?))
    }

    /// The next `N` numbers.
    pub(crate) fn array<const N: usize>(&mut self) -> Option<[u32; N]> {
        let (numbers, _) = self.take(N * 4)?.as_chunks::<4>();
        Some(numbers.as_array::<N>()?.map(u32::from_le_bytes))
    }

    pub(crate) fn annotations(&mut self, count: usize) -> Option<Vec<Annotation>> {
        self.take(count.checked_mul(ANNOTATION_BYTES)?).map(read_annotations)
    }

    pub(crate) fn numbers(&mut self, count: usize) -> Option<Vec<f32>> {
        self.take(count.checked_mul(4)?).map(read_numbers)
    }

    /// All that was not read yet.
    pub(crate) fn rest(self) -> &'b [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.at == self.bytes.len()
    }
}

/// Rows of [`ANNOTATION_BYTES`] where they lie, or a copy of them where they cannot be read there.
pub(crate) fn lent_annotations(bytes: &[u8]) -> Cow<'_, [Annotation]> {
    in_place(bytes).map_or_else(|| Cow::Owned(read_annotations(bytes)), Cow::Borrowed)
}

/// The same of numbers of four bytes.
pub(crate) fn lent_numbers(bytes: &[u8]) -> Cow<'_, [f32]> {
    in_place(bytes).map_or_else(|| Cow::Owned(read_numbers(bytes)), Cow::Borrowed)
}

/// Bytes as values; `None` where they are not aligned, or of the other order.
fn in_place<T: FromBytes + Immutable>(bytes: &[u8]) -> Option<&[T]> {
    <[T]>::ref_from_bytes(bytes).ok().filter(|_| IS_LITTLE_ENDIAN)
}

/// Rows of [`ANNOTATION_BYTES`].
pub(crate) fn read_annotations(bytes: &[u8]) -> Vec<Annotation> {
    let (rows, _) = bytes.as_chunks::<ANNOTATION_BYTES>();
    rows.iter().map(annotation).collect()
}

/// Numbers of four bytes.
pub(crate) fn read_numbers(bytes: &[u8]) -> Vec<f32> {
    let (rows, _) = bytes.as_chunks::<4>();
    rows.iter().map(|row| f32::from_le_bytes(*row)).collect()
}

fn annotation(row: &[u8; ANNOTATION_BYTES]) -> Annotation {
    let (words, _) = row.as_chunks::<4>();
    let word = |index: usize| words.get(index).map_or(0, |word| u32::from_le_bytes(*word));
    Annotation {
        span: Span { start: word(0), end: word(1) },
        label: word(2),
        flags: word(3),
        score: f32::from_bits(word(4)),
        link: word(5),
    }
}

#[cfg(test)]
mod tests {
    use standpoint_document::Vectors;

    use super::*;

    #[test]
    fn a_column_is_the_same_row_by_row_and_at_once() {
        let rows = [Annotation::new(Span::new(1, 0x0203_0405)).with_label(6).with_score(-0.5); 3];
        let numbers = [0.25, f32::MIN_POSITIVE, -3.0];
        let vectors = Some(Vectors { width: 1, values: Cow::Borrowed(&numbers) });
        let layer = Layer { annotations: Cow::Borrowed(&rows), labels: Vec::new(), vectors };
        let (mut at_once, mut by_row) = ([0_u8; 3 * 28 + 1], [0_u8; 3 * 28]);
        Writer::new(&mut at_once[1..]).columns(&layer);
        let (annotations, values) = by_row.split_at_mut(3 * ANNOTATION_BYTES);
        fill_annotations(annotations, &rows);
        fill_numbers(values, &numbers);
        assert_eq!(at_once[1..], by_row);
        // One of the two is not aligned.
        for bytes in [&at_once[1..], &by_row] {
            let (annotations, values) = bytes.split_at(3 * ANNOTATION_BYTES);
            assert_eq!(*lent_annotations(annotations), rows);
            assert_eq!(*lent_numbers(values), numbers);
        }
    }
}
