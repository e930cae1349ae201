//! Sequences: so many literals, then so many bytes from further back (RFC 8878, 3.1.1.3.2 and 3.1.1.4).

use super::super::Error;
use super::bits::Bits;
use super::fse::{Counts, Table};

const LENGTH_BASE: [u32; 36] = [
    0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 18, 20, 22, 24, 28, 32, 40, 48, 64, 128, 256, 512, 1024,
    2048, 4096, 8192, 16384, 32768, 65536,
];
const LENGTH_EXTRA: [u8; 36] =
    [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 3, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16];
const MATCH_BASE: [u32; 53] = [
    3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32,
    33, 34, 35, 37, 39, 41, 43, 47, 51, 59, 67, 83, 99, 131, 259, 515, 1027, 2051, 4099, 8195, 16387, 32771, 65539,
];
const MATCH_EXTRA: [u8; 53] = [
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2,
    3, 3, 4, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16,
];
const LENGTH_COUNTS: [i16; 36] =
    [4, 3, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 3, 2, 1, 1, 1, 1, 1, -1, -1, -1, -1];
const MATCH_COUNTS: [i16; 53] = [
    1, 4, 3, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
    1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1, -1, -1,
];
const OFFSET_COUNTS: [i16; 29] =
    [1, 1, 1, 1, 1, 1, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1];

/// What stays from block to block: the tables, and the last three offsets.
pub(super) struct State {
    lengths: Table,
    offsets: Table,
    matches: Table,
    recent: [usize; 3],
}

/// One of the three kinds of codes.
struct Codes {
    symbols: usize,
    log_max: u32,
    stated: (&'static [i16], u32),
    value: fn(usize) -> (u32, u8),
}

const LENGTHS: Codes = Codes {
    symbols: 36,
    log_max: 9,
    stated: (&LENGTH_COUNTS, 6),
    value: |symbol| (LENGTH_BASE[symbol.min(35)], LENGTH_EXTRA[symbol.min(35)]),
};
const OFFSETS: Codes = Codes {
    symbols: 32,
    log_max: 8,
    stated: (&OFFSET_COUNTS, 5),
    value: |symbol| (1 << symbol.min(31), symbol.min(31) as u8),
};
const MATCHES: Codes = Codes {
    symbols: 53,
    log_max: 9,
    stated: (&MATCH_COUNTS, 6),
    value: |symbol| (MATCH_BASE[symbol.min(52)], MATCH_EXTRA[symbol.min(52)]),
};

/// The literals of a block. They may be followed by bytes that can be read, but mean nothing.
#[derive(Clone, Copy)]
pub(super) struct Literals<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) length: usize,
}

impl State {
    pub(super) const fn new() -> Self {
        Self { lengths: Table::new(), offsets: Table::new(), matches: Table::new(), recent: [1, 4, 8] }
    }

    /// As it is at the beginning of a frame.
    pub(super) fn clear(&mut self) {
        self.lengths.clear();
        self.offsets.clear();
        self.matches.clear();
        self.recent = [1, 4, 8];
    }

    /// Reads the sequences of a block and carries them out. `out` is the frame, filled up to `at`; the value is up to
    /// where it is filled then.
    pub(super) fn block(
        &mut self,
        data: &[u8],
        literals: Literals<'_>,
        out: &mut [u8],
        at: usize,
    ) -> Result<usize, Error> {
        let (count, data) = count(data)?;
        let mut writer = Writer { out, at, literals, passed: 0 };
        if count > 0 {
            let (&modes, data) = data.split_first().ok_or(Error::Corrupt)?;
            if modes & 3 != 0 {
                return Err(Error::Corrupt);
            }
            let data = set(&mut self.lengths, modes >> 6, data, &LENGTHS)?;
            let data = set(&mut self.offsets, (modes >> 4) & 3, data, &OFFSETS)?;
            let data = set(&mut self.matches, (modes >> 2) & 3, data, &MATCHES)?;
            self.run(Bits::new(data)?, count, &mut writer)?;
        } else if !data.is_empty() {
            return Err(Error::Corrupt);
        }
        writer.finish()
    }

    fn run(&mut self, mut bits: Bits<'_>, count: usize, writer: &mut Writer<'_>) -> Result<(), Error> {
        let mut length_state = self.lengths.start(&mut bits);
        let mut offset_state = self.offsets.start(&mut bits);
        let mut match_state = self.matches.start(&mut bits);
        let mut recent = self.recent;
        for left in (0..count).rev() {
            bits.refill();
            let length_code = self.lengths.at(length_state);
            let offset_code = self.offsets.at(offset_state);
            let match_code = self.matches.at(match_state);
            let value = offset_code.base as usize + bits.read(u32::from(offset_code.extra)) as usize;
            if offset_code.extra > 24 {
                bits.refill();
            }
            let matched = match_code.base as usize + bits.read(u32::from(match_code.extra)) as usize;
            let length = length_code.base as usize + bits.read(u32::from(length_code.extra)) as usize;
            // The next states take 26 bits of the 57 that there were.
            if u32::from(offset_code.extra) + u32::from(match_code.extra) + u32::from(length_code.extra) > 31 {
                bits.refill();
            }
            if left > 0 {
                length_state = length_code.follow(&mut bits);
                match_state = match_code.follow(&mut bits);
                offset_state = offset_code.follow(&mut bits);
            }
            let offset = resolve(&mut recent, value, length);
            if bits.is_overrun() {
                return Err(Error::Corrupt);
            }
            writer.sequence(length, offset, matched)?;
        }
        self.recent = recent;
        if bits.is_finished() { Ok(()) } else { Err(Error::Corrupt) }
    }
}

/// The offset that a value stands for: 1 to 3 are recent ones, which move to the front.
#[inline(always)]
fn resolve(recent: &mut [usize; 3], value: usize, length: usize) -> usize {
    if value > 3 {
        *recent = [value - 3, recent[0], recent[1]];
        return value - 3;
    }
    // Without literals before it, the most recent offset makes no sense, and the others move up by one.
    let offset = match value - 1 + usize::from(length == 0) {
        0 => return recent[0],
        1 => {
            *recent = [recent[1], recent[0], recent[2]];
            return recent[0];
        }
        2 => recent[2],
        _ => recent[0].wrapping_sub(1), // 0 is refused where it is used.
    };
    *recent = [offset, recent[0], recent[1]];
    offset
}

/// How many sequences there are.
fn count(data: &[u8]) -> Result<(usize, &[u8]), Error> {
    match *data {
        [] => Err(Error::Corrupt),
        [first @ 0..128, ref rest @ ..] => Ok((usize::from(first), rest)),
        [first @ 128..=254, second, ref rest @ ..] => {
            Ok(((usize::from(first) - 128) * 256 + usize::from(second), rest))
        }
        [255, low, high, ref rest @ ..] => Ok((usize::from(low) + usize::from(high) * 256 + 0x7f00, rest)),
        _ => Err(Error::Corrupt),
    }
}

/// Sets a table as its mode says: to what the format states, to one value, to what is read here, or as it was.
fn set<'a>(table: &mut Table, mode: u8, data: &'a [u8], codes: &Codes) -> Result<&'a [u8], Error> {
    match mode {
        0 => {
            table.build(&Counts::of(codes.stated.0, codes.stated.1), codes.value)?;
            Ok(data)
        }
        1 => {
            let (&symbol, rest) = data.split_first().ok_or(Error::Corrupt)?;
            if usize::from(symbol) >= codes.symbols {
                return Err(Error::Corrupt);
            }
            let (base, extra) = (codes.value)(usize::from(symbol));
            table.set_single(base, extra);
            Ok(rest)
        }
        2 => {
            let (counts, length) = Counts::read(data, codes.symbols, codes.log_max)?;
            table.build(&counts, codes.value)?;
            data.get(length..).ok_or(Error::Corrupt)
        }
        _ if table.is_set() => Ok(data),
        _ => Err(Error::Corrupt),
    }
}

/// What carries sequences out.
struct Writer<'a> {
    out: &'a mut [u8],
    at: usize,
    literals: Literals<'a>,
    passed: usize,
}

/// How many bytes are copied at once; what is copied too much is written over later.
const STEP: usize = 16;

impl Writer<'_> {
    #[inline(always)]
    fn sequence(&mut self, length: usize, offset: usize, matched: usize) -> Result<(), Error> {
        let start = self.at + length;
        let end = start + matched;
        let passed = self.passed + length;
        if passed > self.literals.length || offset > start || offset == 0 {
            return Err(Error::Corrupt);
        }
        let has_room = end + 2 * STEP <= self.out.len() && passed + STEP <= self.literals.bytes.len();
        if !has_room {
            return self.careful(length, offset, matched);
        }
        let mut from = self.passed;
        let mut to = self.at;
        loop {
            let step: [u8; STEP] = *chunk(self.literals.bytes, from)?;
            *chunk_mut(self.out, to)? = step;
            (from, to) = (from + STEP, to + STEP);
            if to >= start {
                break;
            }
        }
        (self.passed, self.at) = (passed, end);
        if offset >= STEP { self.repeat(start - offset, start, end) } else { self.overlapping(offset, start, end) }
    }

    /// Copies in steps from at least a step further back.
    #[inline(always)]
    fn repeat(&mut self, mut from: usize, mut to: usize, end: usize) -> Result<(), Error> {
        loop {
            let step: [u8; STEP] = *chunk(self.out, from)?;
            *chunk_mut(self.out, to)? = step;
            (from, to) = (from + STEP, to + STEP);
            if to >= end {
                return Ok(());
            }
        }
    }

    /// Copies what overlaps itself: a step byte by byte, and then from as many whole periods further back as make a step.
    fn overlapping(&mut self, offset: usize, start: usize, end: usize) -> Result<(), Error> {
        let out = self.out.get_mut(start - offset..start + STEP).ok_or(Error::OutputTooSmall)?;
        for index in offset..out.len() {
            out[index] = out[index - offset];
        }
        if start + STEP >= end {
            return Ok(());
        }
        let periods = offset * (STEP / offset);
        // A whole number of periods may be less than a step; two of them are not.
        let back = if periods < STEP { periods + offset } else { periods };
        self.repeat(start + STEP - back, start + STEP, end)
    }

    fn bytewise(&mut self, offset: usize, start: usize, end: usize) -> Result<(), Error> {
        let out = self.out.get_mut(start - offset..end).ok_or(Error::OutputTooSmall)?;
        for index in offset..out.len() {
            out[index] = out[index - offset];
        }
        Ok(())
    }

    /// Near the end of a buffer: not one byte too much.
    #[cold]
    fn careful(&mut self, length: usize, offset: usize, matched: usize) -> Result<(), Error> {
        self.append(length)?;
        let end = self.at + matched;
        self.bytewise(offset, self.at, end)?;
        self.at = end;
        Ok(())
    }

    fn append(&mut self, length: usize) -> Result<(), Error> {
        let from = self.literals.bytes.get(self.passed..self.passed + length).ok_or(Error::Corrupt)?;
        let to = self.out.get_mut(self.at..self.at + length).ok_or(Error::OutputTooSmall)?;
        to.copy_from_slice(from);
        self.passed += length;
        self.at += length;
        Ok(())
    }

    /// The literals after the last sequence.
    fn finish(mut self) -> Result<usize, Error> {
        self.append(self.literals.length - self.passed)?;
        Ok(self.at)
    }
}

#[inline(always)]
fn chunk(bytes: &[u8], at: usize) -> Result<&[u8; STEP], Error> {
    bytes.get(at..).and_then(|rest| rest.first_chunk()).ok_or(Error::Corrupt)
}

#[inline(always)]
fn chunk_mut(bytes: &mut [u8], at: usize) -> Result<&mut [u8; STEP], Error> {
    bytes.get_mut(at..).and_then(|rest| rest.first_chunk_mut()).ok_or(Error::OutputTooSmall)
}
