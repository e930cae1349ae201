//! What is known of a crash: plain data of a fixed size, which lies ready from the installation on.
//!
//! A stack can be deeper than anybody reads: runaway recursion has a hundred thousand frames. So a [`Trace`] keeps the first
//! frames and the last ones, and folds what repeats: once the same few calls have come three times in a row, further rounds
//! are only counted, up to [`LONGEST_ROUND`] calls a round. Frames keep their true numbers. What was neither kept nor folded is
//! counted too.

use super::maps::Span;
use super::registers::Registers;
use super::unwind::{End, Frame, Kind, Trust};
use super::writer::Writer;
use core::cell::RefCell;

/// How many lines of the beginning are kept.
pub const HEAD: usize = 160;
/// How many of the end.
pub const TAIL: usize = 64;
/// The longest round that is recognized, in calls.
pub const LONGEST_ROUND: usize = 16;
/// How many times a round has to come before it is folded.
const ROUNDS_SHOWN: usize = 3;

/// One line of a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line {
    /// A frame, with its number.
    Frame(u32, Frame),
    /// The `calls` frames above come `times` times more.
    Again {
        /// How many frames a round has.
        calls: u32,
        /// How many more rounds there were.
        times: u32,
    },
}

const EMPTY: Line = Line::Again { calls: 0, times: 0 };
const NO_FRAME: Frame = Frame { pc: 0, sp: 0, cfa: None, trust: Trust::Given, kind: Kind::Stopped };

/// The frames of one stack, from the innermost outwards.
#[derive(Debug)]
pub struct Trace {
    head: [Line; HEAD],
    tail: [Line; TAIL],
    lines: usize,
    /// The last frames, to compare with: frame `n` lies at `n % LONGEST_ROUND`.
    last: [Frame; LONGEST_ROUND],
    frames: usize,
    /// For each length of a round, how many frames in a row were as so many before.
    equal: [u32; LONGEST_ROUND + 1],
    /// The round that is being folded, if any.
    round: usize,
    /// How far the present round has come.
    position: usize,
    times: u32,
    end: Option<End>,
}

impl Trace {
    /// No frames. Signal-safe.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            head: [EMPTY; HEAD],
            tail: [EMPTY; TAIL],
            lines: 0,
            last: [NO_FRAME; LONGEST_ROUND],
            frames: 0,
            equal: [0; LONGEST_ROUND + 1],
            round: 0,
            position: 0,
            times: 0,
            end: None,
        }
    }

    /// Forgets everything. Signal-safe.
    pub fn clear(&mut self) {
        self.lines = 0;
        self.frames = 0;
        self.equal = [0; LONGEST_ROUND + 1];
        self.round = 0;
        self.position = 0;
        self.times = 0;
        self.end = None;
    }

    /// How many frames there were. Signal-safe.
    #[must_use]
    pub fn frames(&self) -> usize {
        self.frames
    }

    /// Why there were no more; none before [`finish`](Self::finish). Signal-safe.
    #[must_use]
    pub fn end(&self) -> Option<End> {
        self.end
    }

    /// Adds the next frame outwards. Signal-safe.
    pub fn push(&mut self, frame: &Frame) {
        if self.round > 0 {
            if self.before(self.round).pc == frame.pc {
                self.remember(frame);
                self.position += 1;
                if self.position == self.round {
                    (self.position, self.times) = (0, self.times.saturating_add(1));
                }
                return;
            }
            self.unfold();
        }
        self.compare(frame);
        self.remember(frame);
        self.add(Line::Frame(self.frames as u32 - 1, *frame));
        self.round =
            (1..=LONGEST_ROUND).find(|round| self.equal[*round] as usize >= (ROUNDS_SHOWN - 1) * round).unwrap_or(0);
    }

    /// There are no more. Signal-safe.
    pub fn finish(&mut self, end: End) {
        if self.round > 0 {
            self.unfold();
        }
        self.end = Some(end);
    }

    /// Ends a fold: the rounds become a line, and the frames of a round that was not whole become lines of their own.
    fn unfold(&mut self) {
        if self.times > 0 {
            self.add(Line::Again { calls: self.round as u32, times: self.times });
        }
        let position = self.position;
        (self.round, self.position, self.times) = (0, 0, 0);
        self.equal = [0; LONGEST_ROUND + 1];
        for back in (1..=position).rev() {
            self.add(Line::Frame((self.frames - back) as u32, *self.before(back)));
        }
    }

    /// Counts for each length of a round whether the frame is as so many before.
    fn compare(&mut self, frame: &Frame) {
        for round in 1..=LONGEST_ROUND.min(self.frames) {
            let is_equal = self.before(round).pc == frame.pc;
            self.equal[round] = if is_equal { self.equal[round] + 1 } else { 0 };
        }
    }

    /// The frame that came `back` frames before the next one.
    fn before(&self, back: usize) -> &Frame {
        &self.last[self.frames.wrapping_sub(back) % LONGEST_ROUND]
    }

    fn remember(&mut self, frame: &Frame) {
        self.last[self.frames % LONGEST_ROUND] = *frame;
        self.frames += 1;
    }

    fn add(&mut self, line: Line) {
        match self.head.get_mut(self.lines) {
            Some(place) => *place = line,
            None => self.tail[(self.lines - HEAD) % TAIL] = line,
        }
        self.lines += 1;
    }

    /// How many lines were kept of the beginning, and how many were left out behind them. Signal-safe.
    #[must_use]
    pub fn left_out(&self) -> (usize, usize) {
        (self.lines.min(HEAD), self.lines.saturating_sub(HEAD + TAIL))
    }

    /// The lines that were kept, from the innermost outwards: first those of the beginning, then those of the end. Signal-safe.
    pub fn lines(&self) -> impl Iterator<Item = &Line> {
        let kept = self.lines.saturating_sub(HEAD).min(TAIL);
        let first = self.lines.saturating_sub(HEAD + kept);
        let tail = (0..kept).map(move |index| &self.tail[(first + index) % TAIL]);
        self.head[..self.lines.min(HEAD)].iter().chain(tail)
    }

    /// The frames that were kept. Signal-safe.
    pub fn kept(&self) -> impl Iterator<Item = (u32, &Frame)> {
        self.lines().filter_map(|line| match line {
            Line::Frame(number, frame) => Some((*number, frame)),
            Line::Again { .. } => None,
        })
    }
}

impl Default for Trace {
    fn default() -> Self {
        Self::new()
    }
}

/// How memory was accessed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Access {
    /// It is not known, or there was no access.
    #[default]
    Unknown,
    /// A load.
    Read,
    /// A store.
    Write,
    /// The fetch of an instruction.
    Execute,
}

/// What was copied out of the program, cut at a fixed length.
#[derive(Clone, Copy, Debug)]
pub struct Excerpt<const LENGTH: usize> {
    bytes: [u8; LENGTH],
    length: usize,
}

impl<const LENGTH: usize> Excerpt<LENGTH> {
    /// Nothing. Signal-safe.
    pub const EMPTY: Self = Self { bytes: [0; LENGTH], length: 0 };

    /// The first of these bytes. Signal-safe.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Self {
        let mut excerpt = Self::EMPTY;
        excerpt.length = bytes.len().min(LENGTH);
        excerpt.bytes[..excerpt.length].copy_from_slice(&bytes[..excerpt.length]);
        excerpt
    }

    /// What there is. Signal-safe.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

/// A crash.
#[derive(Debug)]
pub struct Record {
    /// The signal; zero for a panic.
    pub signal: i32,
    /// Its code.
    pub code: i32,
    /// The address that the kernel gave with a fault.
    pub address: Option<u64>,
    /// Process and user that sent the signal, where somebody did.
    pub sender: Option<(u32, u32)>,
    /// The access that failed.
    pub access: Access,
    /// This process.
    pub process: u32,
    /// The thread that crashed.
    pub thread: u32,
    /// Its name, ended by a zero.
    pub thread_name: [u8; 16],
    /// When, in seconds since 1970.
    pub time: u64,
    /// The registers as they were.
    pub registers: Registers,
    /// The stack that has overflowed, if that is what happened.
    pub overflowed: Option<Span>,
    /// The words that the program itself has left: of a panic, of a failed assertion, of the C library.
    pub message: Excerpt<1024>,
    /// The stack.
    pub trace: Trace,
}

impl Record {
    /// No crash. Signal-safe.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            signal: 0,
            code: 0,
            address: None,
            sender: None,
            access: Access::Unknown,
            process: 0,
            thread: 0,
            thread_name: [0; 16],
            time: 0,
            registers: Registers::new(0, 0),
            overflowed: None,
            message: Excerpt::EMPTY,
            trace: Trace::new(),
        }
    }

    /// The name of the thread. Signal-safe.
    #[must_use]
    pub fn thread_name(&self) -> &[u8] {
        self.thread_name.split(|byte| *byte == 0).next().unwrap_or(&[])
    }
}

impl Default for Record {
    fn default() -> Self {
        Self::new()
    }
}

/// A crash as a callback sees it: what is known, and a way to add to the report.
pub struct Crash<'a> {
    pub(crate) record: &'a Record,
    pub(crate) writer: RefCell<&'a mut Writer>,
}

impl Crash<'_> {
    /// What is known. Signal-safe.
    #[must_use]
    pub fn record(&self) -> &Record {
        self.record
    }

    /// Adds a line to the report. Signal-safe.
    pub fn line(&self, line: &[u8]) {
        if let Ok(mut writer) = self.writer.try_borrow_mut() {
            writer.foreign(line).text("\n");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines of a stack of these program counters: `12` a frame, `2x7` seven further rounds of two.
    fn check(pcs: impl IntoIterator<Item = u64>, expected: &str) {
        let mut trace = Trace::new();
        let mut count = 0;
        for pc in pcs {
            trace.push(&Frame { pc, ..NO_FRAME });
            count += 1;
        }
        trace.finish(End::Bottom);
        let text = |line: &Line| match line {
            Line::Frame(number, frame) => format!("{number}:{}", frame.pc),
            Line::Again { calls, times } => format!("{calls}x{times}"),
        };
        let found: Vec<_> = trace.lines().map(text).collect();
        assert_eq!(found.join(" "), expected);
        assert_eq!(trace.frames(), count);
    }

    #[test]
    fn few_frames_are_kept_as_they_are() {
        check([], "");
        check([5, 6, 7], "0:5 1:6 2:7");
        check([5, 5, 6, 6, 7], "0:5 1:5 2:6 3:6 4:7");
    }

    #[test]
    fn rounds_are_folded() {
        check([1, 1, 1], "0:1 1:1 2:1");
        check([1, 1, 1, 1, 2], "0:1 1:1 2:1 1x1 4:2");
        let deep = [9].into_iter().chain(std::iter::repeat_n(7, 100_000)).chain([3, 4]);
        check(deep, "0:9 1:7 2:7 3:7 1x99997 100001:3 100002:4");
        let two = [1, 2].repeat(10).into_iter().chain([1, 5]);
        check(two, "0:1 1:2 2:1 3:2 4:1 5:2 2x7 20:1 21:5");
    }

    #[test]
    fn a_round_that_is_not_whole_is_shown() {
        let three = [1, 2, 3].repeat(5).into_iter().chain([1, 2]);
        check(three, "0:1 1:2 2:3 3:1 4:2 5:3 6:1 7:2 8:3 3x2 15:1 16:2");
        check([1, 2, 1, 2, 1, 2, 1, 7], "0:1 1:2 2:1 3:2 4:1 5:2 6:1 7:7");
    }

    #[test]
    fn both_ends_of_a_long_stack_are_kept() {
        let mut trace = Trace::new();
        for pc in 0..10_000 {
            trace.push(&Frame { pc, ..NO_FRAME });
        }
        trace.finish(End::TooMany);
        let kept: Vec<_> = trace.kept().map(|(number, frame)| (u64::from(number), frame.pc)).collect();
        assert!(kept.iter().all(|(number, pc)| number == pc));
        assert_eq!(kept.len(), HEAD + TAIL);
        assert_eq!((kept[0].0, kept[HEAD - 1].0, kept[HEAD].0), (0, 159, 9_936));
        assert_eq!(kept.last().unwrap().0, 9_999);
        assert_eq!(trace.left_out(), (HEAD, 10_000 - HEAD - TAIL));
        trace.clear();
        assert_eq!((trace.frames(), trace.kept().count()), (0, 0));
    }
}
