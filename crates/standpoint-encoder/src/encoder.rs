//! The encoder: texts in, a vector for each word piece out.

use std::fmt;

use crate::encoded::Encoded;
use crate::network::{Network, RunError, Threads};
use crate::weights::{Files, LoadError, Weights};
use crate::window::{Job, MARKS, MAX_PIECES, Window, batches};
use crate::word_pieces::{Piece, VOCABULARY, Vocabulary};

const ENCODER: &str = "encoder.onnx";
const WEIGHTS: &str = "encoder.data";

/// Reads texts. The heads, which judge what it read, stand beside it.
///
/// Threads may share it; each call runs on one thread.
pub struct Encoder {
    id: String,
    vocabulary: Vocabulary,
    network: Network<1>,
    /// Word pieces that a window holds besides its marks.
    window: usize,
    overlap: usize,
    /// Numbers of a vector.
    width: usize,
    threads: Threads,
}

impl fmt::Debug for Encoder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Encoder").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Encoder {
    /// Reads the encoder of a model and tries it once, so that one that opens also answers.
    ///
    /// # Errors
    ///
    /// [`LoadError`] names the file that is missing, damaged or of no use.
    pub fn open(files: Files<'_>) -> Result<Self, LoadError> {
        Self::of(&Weights::open(files)?)
    }

    pub(crate) fn of(weights: &Weights<'_>) -> Result<Self, LoadError> {
        // All are checked before the first is used.
        let [vocabulary, network, numbers] =
            [weights.file(VOCABULARY)?, weights.file(ENCODER)?, weights.file(WEIGHTS)?];
        let mut encoder = Self {
            vocabulary: Vocabulary::parse(&String::from_utf8_lossy(&vocabulary))?,
            network: Network::load(ENCODER, network, Some((WEIGHTS, numbers)), ["ids"])?,
            window: weights.manifest.window - MARKS,
            overlap: weights.manifest.overlap,
            width: 0,
            threads: Threads::default(),
            id: weights.id.clone(),
        };
        // The width of the vectors is what comes out.
        let marks = vec![encoder.vocabulary.first, encoder.vocabulary.last];
        let ids = encoder.network.rows(marks, MARKS)?;
        let vectors = encoder.network.run_any([ids], &encoder.threads)?;
        encoder.width = vectors.len() / MARKS;
        encoder.encode(&["."])?;
        Ok(encoder)
    }

    /// The model's name, version and hash, such as `standpoint-encoder/1@0c1d2e3f`.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// How many numbers a vector has.
    #[must_use]
    pub const fn width(&self) -> usize {
        self.width
    }

    /// Encodes texts, one result for each, in order.
    ///
    /// Windows of one length run together, so many texts at once are a little faster than one by
    /// one. The numbers of a text depend on its company in their third digit, for int8 networks
    /// scale a batch as a whole; the same texts in the same order give the same numbers.
    ///
    /// # Errors
    ///
    /// [`RunError`] when the runtime fails.
    pub fn encode(&self, texts: &[&str]) -> Result<Vec<Encoded>, RunError> {
        let mut encoded: Vec<Encoded> = texts.iter().map(|text| self.divided(text)).collect();
        let counts: Vec<usize> = encoded.iter().map(|encoded| encoded.pieces.len()).collect();
        for batch in batches(&counts, self.window, self.overlap) {
            self.encode_batch(&batch, &mut encoded)?;
        }
        Ok(encoded)
    }

    /// A text with its pieces and room for their vectors.
    fn divided(&self, text: &str) -> Encoded {
        let (pieces, is_whole) = self.vocabulary.divide(text, MAX_PIECES);
        let vectors = vec![0.0; pieces.len() * self.width];
        Encoded { width: self.width, pieces, vectors, wholes: Vec::new(), is_whole }
    }

    /// Encodes windows of one length and puts what they keep into their texts.
    fn encode_batch(&self, batch: &[Job], encoded: &mut [Encoded]) -> Result<(), RunError> {
        let Some(first) = batch.first() else { return Ok(()) };
        let length = first.window.reads.len() + MARKS;
        let mut ids = Vec::with_capacity(batch.len() * length);
        for Job { text, window } in batch {
            let pieces = &encoded[*text].pieces[window.reads.clone()];
            ids.push(self.vocabulary.first);
            ids.extend(pieces.iter().map(|&Piece { id, .. }| id));
            ids.push(self.vocabulary.last);
        }
        let ids = self.network.rows(ids, length)?;
        let row = length * self.width;
        let vectors = self.network.run([ids], batch.len() * row, &self.threads)?;
        for (job, vectors) in batch.iter().zip(vectors.chunks_exact(row)) {
            let Window { reads, keeps } = &job.window;
            let into = &mut encoded[job.text];
            into.wholes.push((keeps.end, vectors[..self.width].to_vec()));
            // The first vector is that of the mark before the pieces.
            let from = (keeps.start - reads.start + 1) * self.width;
            let kept = &vectors[from..from + keeps.len() * self.width];
            into.vectors[keeps.start * self.width..keeps.end * self.width].copy_from_slice(kept);
        }
        Ok(())
    }
}
