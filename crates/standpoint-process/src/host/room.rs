//! Where a request is written: memory that a pipe lends to a process instead of copying it.

use std::io::{self, Write};
use std::process::ChildStdin;

use memmap2::MmapMut;

use crate::protocol::{HEADER_BYTES, Kind, header};

/// How much is kept for the next request, in bytes: one that was very large is not the rule, and
/// a stage may be idle for long.
const MOST_KEPT: usize = 4 << 20;

/// From how many bytes on a pipe is lent memory: a copy of less takes no longer.
const LEAST_LENT: usize = 16 << 10;

/// A request in memory of its own.
///
/// What a pipe was lent stays as it is until the process answers, which it may only once all was
/// sent. One that answers before it has read what the pipe still holds reads parts of its next
/// request there, and never anything else of this program: the memory is not the allocator's, and
/// is gone for it once the room is given up.
#[derive(Debug)]
pub(super) struct Room {
    pages: MmapMut,
    end: usize,
    /// Until the system refuses.
    lends: bool,
}

impl Room {
    /// Where a request begins, so that its payload begins at a multiple of four.
    const START: usize = HEADER_BYTES.next_multiple_of(4) - HEADER_BYTES;

    /// Room without a request.
    pub(super) fn new() -> io::Result<Self> {
        let pages = MmapMut::map_anon(LEAST_LENT)?;
        Ok(Self { pages, end: Self::START, lends: true })
    }

    /// Gives up the request, and its memory if that is more than is kept.
    pub(super) fn clear(&mut self) {
        self.end = Self::START;
        if self.pages.len() > MOST_KEPT
            && let Ok(pages) = MmapMut::map_anon(LEAST_LENT)
        {
            self.pages = pages;
        }
    }

    /// Puts a request in place of what was there.
    ///
    /// - `write`: fills the payload of `size` bytes, which still holds what was there.
    pub(super) fn fill(
        &mut self,
        kind: Kind,
        request: u32,
        size: usize,
        write: impl FnOnce(&mut [u8]),
    ) -> io::Result<()> {
        let end = Self::START + HEADER_BYTES + size;
        if self.pages.len() < end {
            let most = MOST_KEPT.max(end);
            self.pages = MmapMut::map_anon(end.next_power_of_two().min(most))?;
        }
        self.end = end;
        let (head, payload) = self.pages[Self::START..end].split_at_mut(HEADER_BYTES);
        head.copy_from_slice(&header(size as u32, kind, request));
        write(payload);
        Ok(())
    }

    /// Bytes of the request.
    pub(super) fn len(&self) -> usize {
        self.end - Self::START
    }

    /// Gives a pipe what comes after `sent` bytes, as far as it takes that; returns how much.
    pub(super) fn send(&mut self, sent: usize, mut pipe: &ChildStdin) -> io::Result<usize> {
        let rest = &self.pages[Self::START + sent..self.end];
        if self.lends && rest.len() >= LEAST_LENT {
            match lend(rest, pipe) {
                Err(error) if !is_passing(&error) => self.lends = false,
                lent => return lent,
            }
        }
        pipe.write(rest)
    }
}

/// Whether an error says how the pipe is, and not that the system does no such thing.
fn is_passing(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, Interrupted, WouldBlock};
    matches!(error.kind(), BrokenPipe | Interrupted | WouldBlock)
}

#[cfg(target_os = "linux")]
fn lend(bytes: &[u8], pipe: &ChildStdin) -> io::Result<usize> {
    use nix::fcntl::{SpliceFFlags, vmsplice};

    let pieces = [io::IoSlice::new(bytes)];
    Ok(vmsplice(pipe, &pieces, SpliceFFlags::SPLICE_F_NONBLOCK)?)
}

#[cfg(not(target_os = "linux"))]
fn lend(_: &[u8], _: &ChildStdin) -> io::Result<usize> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(test)]
mod tests {
    use std::io::{PipeReader, Read};
    use std::os::fd::OwnedFd;

    use super::*;

    fn pipe() -> (PipeReader, ChildStdin) {
        let (reader, writer) = io::pipe().unwrap();
        rustix::io::ioctl_fionbio(&writer, true).unwrap();
        (reader, OwnedFd::from(writer).into())
    }

    fn fill(room: &mut Room, request: u32, size: usize) -> Vec<u8> {
        let payload: Vec<u8> = (request..).map(|at| (at % 251) as u8).take(size).collect();
        room.fill(Kind::Document, request, size, |place| place.copy_from_slice(&payload)).unwrap();
        [&header(size as u32, Kind::Document, request)[..], &payload].concat()
    }

    #[test]
    fn requests_of_any_length_arrive_whole_lent_or_not() {
        for lends in [true, false] {
            let (mut reader, writer) = pipe();
            let mut room = Room { lends, ..Room::new().unwrap() };
            let sizes = [0, 5, LEAST_LENT, 37_000, 300_000, MOST_KEPT + 1, 10];
            for (request, size) in (1..).zip(sizes) {
                let expected = fill(&mut room, request, size);
                assert_eq!(room.len(), expected.len());
                let (mut sent, mut found) = (0, Vec::new());
                let mut piece = vec![0; 1 << 20];
                while found.len() < expected.len() {
                    // More than a pipe holds is passed on in pieces.
                    while sent < room.len() {
                        match room.send(sent, &writer) {
                            Ok(count) => sent += count,
                            Err(error) if is_passing(&error) => break,
                            Err(error) => panic!("{error}"),
                        }
                    }
                    let count = reader.read(&mut piece).unwrap();
                    found.extend_from_slice(&piece[..count]);
                }
                assert!(found == expected, "request {request} of {size} bytes");
                assert_eq!(room.lends, lends);
                room.clear();
                assert!(room.pages.len() <= MOST_KEPT && room.len() == 0);
            }
        }
    }

    #[test]
    fn what_a_pipe_still_holds_of_a_room_that_is_gone_is_the_request() {
        let (mut reader, writer) = pipe();
        let mut room = Room::new().unwrap();
        let expected = fill(&mut room, 1, 37_000);
        assert_eq!(room.send(0, &writer).unwrap(), expected.len());
        let place = room.pages.len();
        drop(room);
        let later = [vec![b'x'; place], vec![b'x'; place]];
        let mut found = vec![0; expected.len()];
        reader.read_exact(&mut found).unwrap();
        drop(later);
        assert!(found == expected);
    }

    #[test]
    fn what_a_pipe_still_holds_of_a_room_filled_anew_is_of_the_two_requests() {
        for size in [20_000, 37_000, 100_000, MOST_KEPT + 1] {
            let (mut reader, writer) = pipe();
            let mut room = Room::new().unwrap();
            let first = fill(&mut room, 1, 37_000);
            assert_eq!(room.send(0, &writer).unwrap(), first.len());
            let place = room.pages.len();
            let second = fill(&mut room, 2, size);
            // No payload has this byte.
            let later = [vec![0xff; place], vec![0xff; place]];
            let mut found = vec![0; first.len()];
            reader.read_exact(&mut found).unwrap();
            drop(later);
            let second = second.iter().map(Some).chain(std::iter::repeat(None));
            let mut places = found.iter().zip(&first).zip(second);
            assert!(places.all(|((byte, first), second)| byte == first || Some(byte) == second));
        }
    }
}
