//! The frames and what is said in them.

use std::io::{self, Read, Write};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use standpoint_stage::{StageError, StageErrorKind};
use standpoint_wire::{Form, StageManifest};

/// The version of the protocol: the second has its documents and results in their binary form
/// instead of packed.
pub const VERSION: u32 = 2;

/// The lowest version that is still spoken.
pub const LOWEST_VERSION: u32 = 1;

/// The longest payload that either side reads, in bytes.
pub const MAX_PAYLOAD_BYTES: u32 = 256 << 20;

/// Bytes before a payload.
pub const HEADER_BYTES: usize = 9;

/// How much room is kept for the next frame, in bytes: one that was very large is not the rule.
const MOST_ROOM: usize = 4 << 20;

/// What a frame holds.
#[repr(u8)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Both ways, first of all: [`HostHello`], [`StageHello`].
    Hello = 1,
    /// To the stage: [`Start`].
    Start = 2,
    /// To the stage: a document in the form that was chosen.
    Document = 3,
    /// To the stage: a `u32` count, then for each document a `u32` length and the document in the
    /// form that was chosen, each beginning at a multiple of four bytes.
    Batch = 4,
    /// From the stage: what it wrote; empty in answer to `start`.
    Result = 5,
    /// From the stage: [`Failure`].
    Error = 6,
    /// From the stage: a `u32` count, then for each document of the batch a `u32` that is 0 for a
    /// result and 1 for a [`Failure`], a `u32` length and the content, each beginning at a multiple
    /// of four bytes.
    BatchResult = 7,
    /// From the stage: [`Log`].
    Log = 8,
    /// To the stage: the answer to this request is not wanted any more.
    Cancel = 9,
    /// To the stage: finish, and end.
    Shutdown = 10,
}

impl Kind {
    fn of(code: u8) -> Option<Self> {
        use Kind::{
            Batch, BatchResult, Cancel, Document, Error, Hello, Log, Result, Shutdown, Start,
        };
        let all =
            [Hello, Start, Document, Batch, Result, Error, BatchResult, Log, Cancel, Shutdown];
        all.into_iter().find(|kind| *kind as u8 == code)
    }
}

/// What the host says first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostHello {
    /// The host's version.
    pub standpoint: String,
    /// The lowest and the highest version of the protocol that it speaks.
    pub protocol: [u32; 2],
    /// The forms that it speaks.
    pub forms: Vec<Form>,
}

/// What a stage answers to it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StageHello {
    /// The version of the protocol that it speaks.
    pub protocol: u32,
    /// The form of documents and results; packed if left out.
    #[serde(default)]
    pub form: Form,
    /// Whether it takes several documents at once.
    #[serde(default)]
    pub batch: bool,
    /// What it says of itself.
    pub manifest: StageManifest,
}

impl StageHello {
    /// The form that follows from what it says.
    #[must_use]
    pub fn form(&self) -> Form {
        form(self.protocol, self.form)
    }
}

/// How documents and results are written in this version, where `form` is chosen.
pub(crate) fn form(version: u32, form: Form) -> Form {
    if form == Form::Packed && version >= 2 { Form::Binary } else { form }
}

/// How a stage is to work.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Start {
    /// The stage's id in the pipeline.
    pub stage: String,
    /// The folder of the pipeline file.
    pub pipeline_dir: String,
    /// What stands under `with:`.
    pub settings: Value,
}

/// Why a stage could not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// What follows from it; the stage's fault if left out.
    #[serde(default = "of_the_stage")]
    pub kind: StageErrorKind,
    /// What went wrong, in words.
    pub message: String,
}

fn of_the_stage() -> StageErrorKind {
    StageErrorKind::Stage
}

impl From<&StageError> for Failure {
    fn from(error: &StageError) -> Self {
        Self { kind: error.kind(), message: error.message().to_owned() }
    }
}

impl From<Failure> for StageError {
    fn from(failure: Failure) -> Self {
        Self::new(failure.kind, failure.message)
    }
}

/// An event for the host's log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Log {
    /// `error`, `warn`, `info`, `debug` or `trace`.
    pub level: String,
    /// What happened.
    pub message: String,
    /// Where in the stage it came from.
    #[serde(default)]
    pub target: String,
}

/// Why what came is no frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoFrame {
    /// It begins like none.
    Rubbish,
    /// It is longer than [`MAX_PAYLOAD_BYTES`].
    TooLong(u32),
}

/// A header: the length of the payload, the kind and the number of the request.
///
/// # Errors
///
/// Why it is none.
pub fn read_header(header: [u8; HEADER_BYTES]) -> Result<(u32, Kind, u32), NoFrame> {
    let [length @ .., kind, _, _, _, _] = header;
    let [.., request_0, request_1, request_2, request_3] = header;
    let length = u32::from_le_bytes(length);
    let kind = Kind::of(kind).ok_or(NoFrame::Rubbish)?;
    if length > MAX_PAYLOAD_BYTES {
        return Err(NoFrame::TooLong(length));
    }
    Ok((length, kind, u32::from_le_bytes([request_0, request_1, request_2, request_3])))
}

/// What stands before a payload of so many bytes, as [`read_header`] reads it.
#[must_use]
pub(crate) fn header(length: u32, kind: Kind, request: u32) -> [u8; HEADER_BYTES] {
    let [l0, l1, l2, l3] = length.to_le_bytes();
    let [r0, r1, r2, r3] = request.to_le_bytes();
    [l0, l1, l2, l3, kind as u8, r0, r1, r2, r3]
}

/// A frame on its way, whose payload is written where it is sent from.
// Invariant: at least `PAYLOAD` bytes.
#[derive(Debug)]
pub struct Frame {
    kind: Kind,
    bytes: Vec<u8>,
}

impl Frame {
    /// Where it begins in its bytes: so that the payload begins at a multiple of four.
    const START: usize = 3;

    const PAYLOAD: usize = Self::START + HEADER_BYTES;

    /// A frame without a payload yet.
    #[must_use]
    pub fn new(kind: Kind) -> Self {
        Self { kind, bytes: vec![0; Self::PAYLOAD] }
    }

    /// A frame with a payload.
    #[must_use]
    pub fn of(kind: Kind, payload: &[u8]) -> Self {
        let mut frame = Self::new(kind);
        frame.bytes.extend_from_slice(payload);
        frame
    }

    /// To append the payload to: what is there already stays.
    pub fn payload(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// The same frame as another one of `kind`, without a payload.
    pub(crate) fn renew(&mut self, kind: Kind) {
        self.kind = kind;
        self.bytes.truncate(Self::PAYLOAD);
        self.bytes.shrink_to(MOST_ROOM);
    }

    /// Its bytes as an answer to `request`, or as that request.
    pub fn bytes(&mut self, request: u32) -> &[u8] {
        let length = (self.bytes.len() - Self::PAYLOAD) as u32;
        let header = header(length, self.kind, request);
        self.bytes[Self::START..Self::PAYLOAD].copy_from_slice(&header);
        &self.bytes[Self::START..]
    }
}

/// Reads frames from a stream, each where it was read to.
#[derive(Debug)]
pub struct Frames<R> {
    stream: R,
    /// Begins so that the payload of a frame at [`Frame::START`] is read where it lies.
    buffer: Vec<u8>,
    /// How far the buffer was read into, and how far that was handed out.
    filled: usize,
    taken: usize,
}

impl<R: Read> Frames<R> {
    /// A reader of `stream`.
    pub fn new(stream: R) -> Self {
        Self { stream, buffer: vec![0; 64 << 10], filled: Frame::START, taken: Frame::START }
    }

    /// The next frame: its kind, the number of its request and its payload; `None` at the end of
    /// the stream.
    ///
    /// # Errors
    ///
    /// When the stream fails, ends inside a frame, or holds anything else.
    pub fn read(&mut self) -> io::Result<Option<(Kind, u32, &[u8])>> {
        self.buffer.copy_within(self.taken..self.filled, Frame::START);
        self.filled -= self.taken - Frame::START;
        self.taken = Frame::START;
        if self.buffer.len() > MOST_ROOM.max(self.filled) {
            self.buffer.truncate(MOST_ROOM.max(self.filled));
            self.buffer.shrink_to_fit();
        }
        loop {
            if let Some(header) =
                self.buffer[Frame::START..self.filled].first_chunk::<HEADER_BYTES>()
            {
                let (length, kind, request) = read_header(*header).map_err(|problem| {
                    let told = format!("this is no frame: {problem:?}");
                    io::Error::new(io::ErrorKind::InvalidData, told)
                })?;
                let end = Frame::PAYLOAD + length as usize;
                if end <= self.filled {
                    self.taken = end;
                    return Ok(Some((kind, request, &self.buffer[Frame::PAYLOAD..end])));
                }
            }
            if self.filled == self.buffer.len() {
                // Grows with what comes, not with what the header says.
                self.buffer.resize(2 * self.filled, 0);
            }
            match self.stream.read(&mut self.buffer[self.filled..]) {
                Ok(0) if self.filled == Frame::START => return Ok(None),
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => self.filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

/// Writes a frame.
///
/// # Errors
///
/// When the stream fails.
pub fn write_frame(
    stream: &mut impl Write,
    kind: Kind,
    request: u32,
    payload: &[u8],
) -> io::Result<()> {
    stream.write_all(Frame::of(kind, payload).bytes(request))?;
    stream.flush()
}

/// Several contents as one payload.
#[must_use]
pub fn join<'p>(contents: impl ExactSizeIterator<Item = (Option<u32>, &'p [u8])>) -> Vec<u8> {
    let mut bytes = (contents.len() as u32).to_le_bytes().to_vec();
    for (status, content) in contents {
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        if let Some(status) = status {
            bytes.extend_from_slice(&status.to_le_bytes());
        }
        bytes.extend_from_slice(&(content.len() as u32).to_le_bytes());
        bytes.extend_from_slice(content);
    }
    bytes
}

/// The contents of a payload that [`join`] made, each with its status where `has_status`; `None`
/// where it is cut short.
#[must_use]
pub fn split(payload: &[u8], has_status: bool) -> Option<Vec<(u32, &[u8])>> {
    let mut at = 0;
    let number = |at: &mut usize| {
        let bytes = payload.get(*at..at.checked_add(4)?)?;
        *at += 4;
        Some(u32::from_le_bytes(*bytes.as_array()?))
    };
    let count = number(&mut at)? as usize;
    let mut contents = Vec::new();
    for _ in 0..count {
        at = at.next_multiple_of(4);
        let status = if has_status { number(&mut at)? } else { 0 };
        let length = number(&mut at)? as usize;
        contents.push((status, payload.get(at..at.checked_add(length)?)?));
        at += length;
    }
    Some(contents)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A stream that gives so many bytes at a time at most.
    struct Piecemeal<'b>(&'b [u8], usize);

    impl Read for Piecemeal<'_> {
        fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
            let count = room.len().min(self.1);
            self.0.read(&mut room[..count])
        }
    }

    proptest! {
        #[test]
        fn frames_and_batches_arrive_as_they_left(
            contents in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..20), 0..5),
            request: u32,
            piece in 1_usize..40,
        ) {
            let joined = join(contents.iter().map(|content| (Some(1), content.as_slice())));
            let mut bytes = Frame::of(Kind::BatchResult, &joined).bytes(request).to_vec();
            bytes.extend(Frame::of(Kind::Log, b"x").bytes(7));
            let mut frames = Frames::new(Piecemeal(&bytes, piece));
            let (kind, found, payload) = frames.read().unwrap().unwrap();
            prop_assert_eq!((kind, found), (Kind::BatchResult, request));
            let split = split(payload, true).unwrap();
            prop_assert_eq!(split.len(), contents.len());
            for ((status, found), content) in split.into_iter().zip(&contents) {
                prop_assert_eq!((status, found), (1, content.as_slice()));
            }
            prop_assert_eq!(frames.read().unwrap(), Some((Kind::Log, 7, &b"x"[..])));
            prop_assert_eq!(frames.read().unwrap(), None);
        }

        #[test]
        fn whatever_comes_reading_ends(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            let mut frames = Frames::new(bytes.as_slice());
            while matches!(frames.read(), Ok(Some(_))) {}
            let _ = split(&bytes, true);
        }
    }

    #[test]
    fn a_frame_that_is_longer_than_the_reader_has_room_for_arrives() {
        let long = vec![7; 200 << 10];
        let bytes = Frame::of(Kind::Document, &long).bytes(1).to_vec();
        let mut frames = Frames::new(Piecemeal(&bytes, 5000));
        assert_eq!(frames.read().unwrap(), Some((Kind::Document, 1, long.as_slice())));
    }

    #[test]
    fn text_is_no_frame() {
        assert_eq!(read_header(*b"Loading m"), Err(NoFrame::Rubbish));
        assert_eq!(
            read_header([255, 255, 255, 255, 5, 0, 0, 0, 0]),
            Err(NoFrame::TooLong(u32::MAX))
        );
    }
}
