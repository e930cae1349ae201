//! Where the bytes of a report go: descriptors that are prepared at installation and looked at again before the first byte.
//!
//! What can go wrong with a descriptor in a program that dies: it was closed; its number was given to another file, which
//! must not be written to; it is a pipe that nobody reads, on which a write waits for ever. So a duplicate with a high
//! number is kept, which the program has no reason to touch; before it is used, it has to be the file that it was
//! ([`Sink::check`]); and it is written to in a way that cannot wait:
//!
//! - a pipe is opened once more through `/proc/self/fd`, so that not to wait is a property of our own opening and not of
//!   the program's;
//! - a socket is sent to with a flag that says so, and without a `SIGPIPE`;
//! - a terminal, and a pipe that could not be opened again, are asked before each piece whether there is room;
//! - a regular file does not wait.
//!
//! Where there is no room, a sink waits until the report's deadline; one that has failed is left out from then on.
//!
//! A duplicate keeps its file open: who waits for the end of a pipe waits until the program ends, or has closed all its
//! descriptors. The duplicate is closed by `exec`.

use crate::sys::raw::{self, Errno, Identity, Kind};

/// How a descriptor is written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// Nowhere.
    Closed,
    /// It never waits, or says `EAGAIN`.
    Plain,
    /// It is asked first.
    Asked,
    /// It is a socket.
    Socket,
}

/// One place that a report goes to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sink {
    descriptor: i32,
    identity: Identity,
    way: Way,
    is_terminal: bool,
    /// How many more bytes go there.
    left: u64,
}

/// When waiting is over. The clock is not asked before it has to be: a report that nothing holds up is written without.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline {
    limit_ms: u32,
    /// On the monotonic clock, in nanoseconds; zero before the clock was asked.
    at: u64,
}

impl Deadline {
    /// Now.
    pub(crate) const NONE: Self = Self { limit_ms: 0, at: 0 };

    /// So many milliseconds from when it is first asked.
    pub(crate) const fn in_ms(limit_ms: u32) -> Self {
        Self { limit_ms, at: 0 }
    }

    /// How long it is until then, in milliseconds. Signal-safe.
    pub(crate) fn left_ms(&mut self) -> u32 {
        let now = raw::clock(libc::CLOCK_MONOTONIC);
        if self.at == 0 {
            self.at = now + u64::from(self.limit_ms) * 1_000_000;
        }
        u32::try_from(self.at.saturating_sub(now) / 1_000_000).unwrap_or(u32::MAX)
    }
}

/// How much is written to a descriptor that was asked: as much as a pipe takes at once if it takes anything.
const PIECE: usize = 4096;

/// Numbers of descriptors from here on are ours, where the limit allows: programs count from zero. The kernel has room for 64
/// in a table that every process has, and would make a larger one for higher numbers.
const HIGH: i32 = 56;

/// A second descriptor for `descriptor`, out of the program's way. Signal-safe.
pub(crate) fn keep(descriptor: i32) -> Result<i32, Errno> {
    match raw::duplicate(descriptor, HIGH) {
        Err(Errno(libc::EINVAL)) => raw::duplicate(descriptor, 3),
        kept => kept,
    }
}

impl Sink {
    /// Nowhere.
    pub(crate) const NONE: Self = Self {
        descriptor: -1,
        identity: Identity { device: 0, inode: 0, kind: Kind::Other, length: 0 },
        way: Way::Closed,
        is_terminal: false,
        left: 0,
    };

    /// A duplicate of `descriptor`, to be written to later.
    ///
    /// # Errors
    /// `EBADF` when it is not open, `EMFILE` at the limit.
    pub(crate) fn keep(descriptor: i32) -> Result<Self, Errno> {
        let identity = raw::identity(descriptor)?;
        let reopened = if identity.kind == Kind::Pipe { reopen(descriptor) } else { None };
        let (kept, way) = match (reopened, identity.kind) {
            (Some(own), _) => (own, Way::Plain),
            (None, Kind::Socket) => (keep(descriptor)?, Way::Socket),
            (None, Kind::Regular) => (keep(descriptor)?, Way::Plain),
            (None, _) => (keep(descriptor)?, Way::Asked),
        };
        let is_terminal = identity.kind == Kind::Character && raw::is_terminal(kept);
        Ok(Self { descriptor: kept, identity, way, is_terminal, left: u64::MAX })
    }

    /// A descriptor that was just opened, and belongs to the sink from now on, for so many bytes at most. Signal-safe.
    pub(crate) fn own(descriptor: i32, left: u64) -> Self {
        let identity = raw::identity(descriptor).unwrap_or_default();
        let way = if identity.kind == Kind::Regular { Way::Plain } else { Way::Asked };
        Self { descriptor, identity, way, is_terminal: false, left }
    }

    /// Gives up the descriptor if it is no longer the file that it was: then it is somebody else's. Signal-safe.
    pub(crate) fn check(&mut self) {
        if self.is_open() && !raw::identity(self.descriptor).is_ok_and(|now| now.is_same(&self.identity)) {
            self.way = Way::Closed;
        }
    }

    /// Whether anything goes there. Signal-safe.
    pub(crate) fn is_open(&self) -> bool {
        self.way != Way::Closed
    }

    /// Whether it is a terminal. Signal-safe.
    pub(crate) fn is_terminal(&self) -> bool {
        self.is_terminal
    }

    /// The descriptor; -1 when nothing goes there. Signal-safe.
    pub(crate) fn descriptor(&self) -> i32 {
        if self.is_open() { self.descriptor } else { -1 }
    }

    /// Closes the descriptor, if it is still ours. Signal-safe.
    pub(crate) fn close(&mut self) {
        self.check();
        if self.is_open() {
            raw::close(self.descriptor);
            self.way = Way::Closed;
        }
    }

    /// Writes all of `bytes`, and waits for room until the deadline. Signal-safe.
    ///
    /// Whatever fails closes the sink.
    pub(crate) fn write(&mut self, mut bytes: &[u8], deadline: &mut Deadline) {
        bytes = &bytes[..bytes.len().min(usize::try_from(self.left).unwrap_or(usize::MAX))];
        self.left -= bytes.len() as u64;
        while self.is_open() && !bytes.is_empty() {
            let piece = &bytes[..bytes.len().min(PIECE)];
            if self.way == Way::Asked && !self.wait(deadline) {
                break;
            }
            let written = if self.way == Way::Socket {
                raw::send(self.descriptor, piece)
            } else {
                raw::write(self.descriptor, piece)
            };
            match written {
                Ok(length) => bytes = &bytes[length.min(bytes.len())..],
                Err(Errno(libc::EINTR)) => {}
                Err(Errno(libc::EAGAIN)) => {
                    self.wait(deadline);
                }
                Err(error) => {
                    if error == Errno(libc::EPIPE) {
                        raw::take_pending(libc::SIGPIPE);
                    }
                    self.way = Way::Closed;
                }
            }
        }
    }

    /// Whether there is room before the deadline; if not, the sink is closed.
    fn wait(&mut self, deadline: &mut Deadline) -> bool {
        let is_ready = raw::poll_writable(self.descriptor, deadline.left_ms());
        if !is_ready {
            self.way = Way::Closed;
        }
        is_ready
    }
}

/// Another opening of a pipe, for writing without waiting, out of the program's way.
fn reopen(descriptor: i32) -> Option<i32> {
    const PREFIX: &[u8] = b"/proc/self/fd/";
    let mut path = [0; 32];
    path[..PREFIX.len()].copy_from_slice(PREFIX);
    let mut digits = [0; 10];
    let mut count = 0;
    let mut rest = u32::try_from(descriptor).ok()?;
    loop {
        digits[count] = b'0' + (rest % 10) as u8;
        (count, rest) = (count + 1, rest / 10);
        if rest == 0 {
            break;
        }
    }
    for index in 0..count {
        path[PREFIX.len() + index] = digits[count - 1 - index];
    }
    let path = core::ffi::CStr::from_bytes_until_nul(&path).ok()?;
    let low = raw::open(libc::AT_FDCWD, path, libc::O_WRONLY | libc::O_NONBLOCK | libc::O_CLOEXEC, 0).ok()?;
    let high = keep(low);
    raw::close(low);
    high.ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::os::fd::AsRawFd;

    #[test]
    fn a_pipe_that_nobody_reads_is_given_up() {
        let (mut reader, writer) = std::io::pipe().unwrap();
        let mut sink = Sink::keep(writer.as_raw_fd()).unwrap();
        assert!(sink.descriptor() >= HIGH);
        sink.write(&[b'a'; 1 << 20], &mut Deadline::in_ms(5));
        assert!(!sink.is_open());
        assert_eq!(raw::status_flags(writer.as_raw_fd()).unwrap() & libc::O_NONBLOCK, 0, "the program's own opening");
        let mut first = [0; 8];
        reader.read_exact(&mut first).unwrap();
        assert_eq!(&first, b"aaaaaaaa");
    }

    #[test]
    fn a_pipe_that_is_closed_is_given_up_without_a_signal() {
        let (reader, writer) = std::io::pipe().unwrap();
        let mut sink = Sink::keep(writer.as_raw_fd()).unwrap();
        drop(reader);
        let before = raw::mask(libc::SIG_BLOCK, raw::Mask::of(libc::SIGPIPE));
        sink.write(b"a", &mut Deadline::in_ms(100));
        assert!(!sink.is_open());
        assert!(!raw::pending().has(libc::SIGPIPE));
        raw::mask(libc::SIG_SETMASK, before);
    }

    #[test]
    fn a_number_that_is_used_again_is_noticed() {
        let (_reader, writer) = std::io::pipe().unwrap();
        let mut sink = Sink::keep(writer.as_raw_fd()).unwrap();
        sink.check();
        assert!(sink.is_open());
        let null = std::fs::File::open("/dev/null").unwrap();
        let other = Sink { identity: raw::identity(null.as_raw_fd()).unwrap(), ..sink };
        let mut other = other;
        other.check();
        assert!(!other.is_open());
        assert!(Sink::keep(1 << 20).is_err());
        sink.close();
        assert!(!sink.is_open());
    }
}
