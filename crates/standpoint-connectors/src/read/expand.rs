//! A file's bytes as they are once expanded, within the limits.

use std::io::{self, BufRead, BufReader, Chain, Cursor, Read};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::bufread::MultiGzDecoder;
use ruzstd::decoding::{FrameDecoder, StreamingDecoder};

use crate::formats::Compression;
use crate::limits::ReadLimits;

/// The bytes as they are once expanded, within the limits.
pub(crate) fn plain(
    bytes: impl Read + Send + 'static,
    compression: Option<Compression>,
    limits: &ReadLimits,
) -> Box<dyn BufRead + Send> {
    match compression {
        Some(compression) => Box::new(BufReader::new(Expanding::new(bytes, compression, limits))),
        None => Box::new(BufReader::new(bytes)),
    }
}

/// A compressed stream that stops where it grows beyond the limits.
struct Expanding {
    inner: Box<dyn Read + Send>,
    /// Compressed bytes that were taken.
    taken: Arc<AtomicU64>,
    expanded: u64,
    max_bytes: u64,
    max_ratio: u64,
}

impl Expanding {
    /// A small file may always become this large, whatever the ratio: a page of one letter is no
    /// bomb.
    const ALWAYS_ALLOWED: u64 = 1 << 20;

    fn new(
        bytes: impl Read + Send + 'static,
        compression: Compression,
        limits: &ReadLimits,
    ) -> Self {
        let taken = Arc::default();
        let mut counted = BufReader::new(Counted { inner: bytes, taken: Arc::clone(&taken) });
        let inner: Box<dyn Read + Send> = match compression {
            Compression::Gzip if !may_be_gzip(&mut counted) => Box::new(NotGzip),
            Compression::Gzip => Box::new(MultiGzDecoder::new(counted)),
            Compression::Zstd => Box::new(Frames::Between(counted)),
        };
        Self {
            inner,
            taken,
            expanded: 0,
            max_bytes: limits.max_expanded_bytes,
            max_ratio: limits.max_expanded_ratio,
        }
    }
}

/// Whether bytes begin like gzip. What cannot be read is told by who reads on.
fn may_be_gzip(bytes: &mut impl BufRead) -> bool {
    const MAGIC: [u8; 2] = [0x1f, 0x8b];
    bytes.fill_buf().map_or(true, |start| start.iter().zip(MAGIC).all(|(byte, own)| *byte == own))
}

/// In place of a decoder, which says of a short file only that it ends too soon.
struct NotGzip;

impl Read for NotGzip {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        let problem = "it is not gzip, which its name says that it is";
        Err(io::Error::new(io::ErrorKind::InvalidInput, problem))
    }
}

impl Read for Expanding {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.expanded += count as u64;
        if self.expanded > self.max_bytes {
            return Err(io::Error::other(format!(
                "max_expanded_bytes is {} and this expands to more",
                self.max_bytes
            )));
        }
        let compressed = self.taken.load(Ordering::Relaxed).max(1);
        if self.expanded > Self::ALWAYS_ALLOWED && self.expanded / compressed > self.max_ratio {
            return Err(io::Error::other(format!(
                "max_expanded_ratio is {} and {compressed} bytes have become {}",
                self.max_ratio, self.expanded
            )));
        }
        Ok(count)
    }
}

/// Counts the bytes that were taken, as they are before anything expands them.
pub(crate) struct Counted<R> {
    pub(crate) inner: R,
    pub(crate) taken: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.taken.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

/// How frames begin that hold nothing of the file: what packs in parallel writes them, for one
/// (RFC 8878, 3.1.2).
const SKIPPED_FRAMES: RangeInclusive<u32> = 0x184D_2A50..=0x184D_2A5F;

/// Passes over such a frame from its length on.
fn skip_frame(rest: &mut impl Read) -> io::Result<()> {
    let mut length = [0; 4];
    rest.read_exact(&mut length)?;
    let length = u64::from(u32::from_le_bytes(length));
    if io::copy(&mut rest.take(length), &mut io::sink())? < length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(())
}

type Frame<R> = StreamingDecoder<Chain<Cursor<[u8; 4]>, R>, FrameDecoder>;

/// The frames of a zstd file, one after another.
pub(crate) enum Frames<R: BufRead> {
    /// Before the first frame, or behind one.
    Between(R),
    /// In the middle of one, whose first four bytes were looked at.
    Within(Box<Frame<R>>),
    /// At the end, or after an error.
    Ended,
}

impl<R: BufRead> Read for Frames<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        // Stays ended after an error.
        loop {
            match std::mem::replace(self, Self::Ended) {
                Self::Ended => return Ok(0),
                Self::Between(mut rest) => {
                    if rest.fill_buf()?.is_empty() {
                        continue;
                    }
                    let mut magic = [0; 4];
                    rest.read_exact(&mut magic)?;
                    *self = if SKIPPED_FRAMES.contains(&u32::from_le_bytes(magic)) {
                        skip_frame(&mut rest)?;
                        Self::Between(rest)
                    } else {
                        let rest = Cursor::new(magic).chain(rest);
                        let frame = StreamingDecoder::new(rest).map_err(io::Error::other)?;
                        Self::Within(Box::new(frame))
                    };
                }
                Self::Within(mut frame) => {
                    let count = frame.read(buffer)?;
                    if count > 0 {
                        *self = Self::Within(frame);
                        return Ok(count);
                    }
                    *self = Self::Between(frame.into_inner().into_inner().1);
                }
            }
        }
    }
}
