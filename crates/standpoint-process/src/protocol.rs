//! The frames and what is said in them.

use std::io::{self, Read, Write};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use standpoint_stage::{StageError, StageErrorKind};
use standpoint_wire::{Form, StageManifest};

/// The version of the protocol.
pub const VERSION: u32 = 1;

/// The longest payload that either side reads, in bytes.
pub const MAX_PAYLOAD_BYTES: u32 = 256 << 20;

/// Bytes before a payload.
pub const HEADER_BYTES: usize = 9;

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
    /// To the stage: a `u32` count, then for each document a `u32` length and the document packed,
    /// each beginning at a multiple of four bytes.
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

/// The bytes of a frame.
#[must_use]
pub fn frame(kind: Kind, request: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER_BYTES + payload.len());
    bytes.extend_from_slice(&(payload.len() as u32).to_le_bytes());
    bytes.push(kind as u8);
    bytes.extend_from_slice(&request.to_le_bytes());
    bytes.extend_from_slice(payload);
    bytes
}

/// Reads a frame; `None` at the end of the stream.
///
/// # Errors
///
/// When the stream fails, ends inside a frame, or holds anything else.
pub fn read_frame(stream: &mut impl Read) -> io::Result<Option<(Kind, u32, Vec<u8>)>> {
    let mut header = [0; HEADER_BYTES];
    let mut filled = 0;
    while filled < HEADER_BYTES {
        match stream.read(&mut header[filled..])? {
            0 if filled == 0 => return Ok(None),
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => filled += count,
        }
    }
    let (length, kind, request) = read_header(header).map_err(|problem| {
        io::Error::new(io::ErrorKind::InvalidData, format!("this is no frame: {problem:?}"))
    })?;
    let mut payload = Vec::new();
    // Grows with what comes, not with what the header says.
    if stream.take(length.into()).read_to_end(&mut payload)? < length as usize {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(Some((kind, request, payload)))
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
    stream.write_all(&frame(kind, request, payload))?;
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

    proptest! {
        #[test]
        fn frames_and_batches_arrive_as_they_left(
            contents in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..20), 0..5),
            request: u32,
        ) {
            let joined = join(contents.iter().map(|content| (Some(1), content.as_slice())));
            let mut bytes = frame(Kind::BatchResult, request, &joined);
            bytes.extend(frame(Kind::Log, 7, b"x"));
            let mut stream = bytes.as_slice();
            let (kind, found, payload) = read_frame(&mut stream).unwrap().unwrap();
            prop_assert_eq!((kind, found), (Kind::BatchResult, request));
            let split = split(&payload, true).unwrap();
            prop_assert_eq!(split.len(), contents.len());
            for ((status, found), content) in split.into_iter().zip(&contents) {
                prop_assert_eq!((status, found), (1, content.as_slice()));
            }
            prop_assert!(read_frame(&mut stream).unwrap().is_some());
            prop_assert!(read_frame(&mut stream).unwrap().is_none());
        }

        #[test]
        fn whatever_comes_reading_ends(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            let _ = read_frame(&mut bytes.as_slice());
            let _ = split(&bytes, true);
        }
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
