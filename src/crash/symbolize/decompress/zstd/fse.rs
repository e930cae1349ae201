//! Tables of finite state entropy coding (RFC 8878, 4.1): how probable each symbol is, and from that what each state stands for.

use super::super::Error;
use super::bits::Bits;

/// What a state stands for: a value with more bits to be added, and which states may follow.
#[derive(Clone, Copy)]
pub(super) struct Entry {
    /// The value, or the least of them.
    pub(super) base: u32,
    /// The least state that may follow.
    next: u16,
    /// How many bits say which.
    bits: u8,
    /// How many bits are added to the value.
    pub(super) extra: u8,
}

/// A table for states of up to nine bits.
pub(super) struct Table {
    entries: [Entry; 512],
    log: u32,
    is_set: bool,
}

/// The most symbols that any table here has.
const SYMBOLS: usize = 64;

/// How probable each symbol is: of how many states; -1 for less than one.
pub(super) struct Counts {
    counts: [i16; SYMBOLS],
    symbols: usize,
    log: u32,
}

impl Counts {
    /// Those that the format states.
    pub(super) fn of(stated: &[i16], log: u32) -> Self {
        let mut counts = [0; SYMBOLS];
        for (to, from) in counts.iter_mut().zip(stated) {
            *to = *from;
        }
        Self { counts, symbols: stated.len().min(SYMBOLS), log }
    }

    /// Reads them; the second value is how many bytes they took.
    pub(super) fn read(data: &[u8], symbols_max: usize, log_max: u32) -> Result<(Self, usize), Error> {
        let peek = |at: usize| {
            let mut eight = [0; 8];
            let rest = data.get(at / 8..).unwrap_or_default();
            let length = rest.len().min(8);
            eight[..length].copy_from_slice(&rest[..length]);
            (u64::from_le_bytes(eight) >> (at % 8)) as i32 & 0xff_ffff
        };
        let log = 5 + (peek(0) & 15) as u32;
        if log > log_max {
            return Err(Error::Corrupt);
        }
        let mut found = Self { counts: [0; SYMBOLS], symbols: 0, log };
        let mut at = 4;
        let mut left = (1i32 << log) + 1;
        let mut threshold = 1i32 << log;
        let mut width = log as usize + 1;
        while left > 1 {
            let few = 2 * threshold - 1 - left;
            let low = peek(at) & (threshold - 1);
            let mut count = low;
            at += width - 1;
            if low >= few {
                count = peek(at - (width - 1)) & (2 * threshold - 1);
                at += 1;
                if count >= threshold {
                    count -= few;
                }
            }
            count -= 1;
            left -= count.abs();
            if left < 1 || found.symbols >= symbols_max.min(SYMBOLS) {
                return Err(Error::Corrupt);
            }
            found.counts[found.symbols] = count as i16;
            found.symbols += 1;
            if count == 0 {
                at += 2 * zeros(&mut found.symbols, symbols_max, |more| (peek(at + 2 * more) & 3) as usize)?;
            }
            while left < threshold {
                width -= 1;
                threshold >>= 1;
            }
        }
        let bytes = at.div_ceil(8);
        if bytes > data.len() { Err(Error::Truncated) } else { Ok((found, bytes)) }
    }
}

/// Passes further symbols that do not occur: pairs of bits say how many, and 3 that another pair follows. The value is how
/// many pairs there were.
fn zeros(symbols: &mut usize, symbols_max: usize, pair: impl Fn(usize) -> usize) -> Result<usize, Error> {
    for index in 0.. {
        let more = pair(index);
        *symbols += more;
        if *symbols > symbols_max {
            break;
        }
        if more < 3 {
            return Ok(index + 1);
        }
    }
    Err(Error::Corrupt)
}

impl Table {
    pub(super) const fn new() -> Self {
        Self { entries: [Entry { base: 0, next: 0, bits: 0, extra: 0 }; 512], log: 0, is_set: false }
    }

    pub(super) fn clear(&mut self) {
        self.is_set = false;
    }

    pub(super) fn is_set(&self) -> bool {
        self.is_set
    }

    /// One state, which stands for the same value for ever.
    pub(super) fn set_single(&mut self, base: u32, extra: u8) {
        self.entries[0] = Entry { base, next: 0, bits: 0, extra };
        (self.log, self.is_set) = (0, true);
    }

    /// Spreads the symbols over the states. `value` gives the value of a symbol and the bits that are added to it.
    pub(super) fn build(&mut self, counts: &Counts, value: impl Fn(usize) -> (u32, u8)) -> Result<(), Error> {
        let size = 1usize << counts.log;
        let entries = self.entries.get_mut(..size).ok_or(Error::Corrupt)?;
        let known = &counts.counts[..counts.symbols.min(SYMBOLS)];
        let mut next = [0u16; SYMBOLS];
        let mut high = size;
        for (symbol, &count) in known.iter().enumerate() {
            next[symbol] = count.unsigned_abs();
            if count == -1 {
                high = high.checked_sub(1).ok_or(Error::Corrupt)?;
                entries[high].base = symbol as u32;
            }
        }
        let mut place = 0;
        for (symbol, &count) in known.iter().enumerate() {
            for _ in 0..count.max(0) {
                entries[place].base = symbol as u32;
                loop {
                    place = (place + (size >> 1) + (size >> 3) + 3) & (size - 1);
                    if place < high {
                        break;
                    }
                    if high == 0 {
                        return Err(Error::Corrupt);
                    }
                }
            }
        }
        if place != 0 {
            return Err(Error::Corrupt);
        }
        for entry in entries {
            let symbol = entry.base as usize & (SYMBOLS - 1);
            let state = u32::from(next[symbol]);
            next[symbol] += 1;
            let bits = counts.log - state.max(1).ilog2();
            let (base, extra) = value(symbol);
            *entry = Entry { base, next: ((state << bits) - size as u32) as u16, bits: bits as u8, extra };
        }
        (self.log, self.is_set) = (counts.log, true);
        Ok(())
    }

    /// The first state.
    pub(super) fn start(&self, bits: &mut Bits<'_>) -> usize {
        bits.refill();
        bits.read(self.log) as usize
    }

    /// What a state stands for.
    #[inline(always)]
    pub(super) fn at(&self, state: usize) -> Entry {
        self.entries[state & 511]
    }
}

impl Entry {
    /// The state after this one; takes at most nine bits.
    #[inline(always)]
    pub(super) fn follow(self, bits: &mut Bits<'_>) -> usize {
        usize::from(self.next) + bits.read(u32::from(self.bits)) as usize
    }
}
