//! Bits from the end of a stream to its beginning, as all coded parts of Zstandard are read.
//!
//! Eight bytes are held at a time, of which some bits have been used. Reading past the beginning is noticed afterwards
//! ([`Bits::is_overrun`]): what is read then is some bits or other, and no more than the caller asks for.

use super::super::Error;

/// A stream that is read backwards.
#[derive(Clone, Copy)]
pub(super) struct Bits<'a> {
    data: &'a [u8],
    /// Where the eight bytes begin that are held.
    at: usize,
    word: u64,
    /// How many bits of them have been used, from the top.
    used: u32,
}

impl<'a> Bits<'a> {
    /// A stream that ends with a 1 above its last bit.
    pub(super) fn new(data: &'a [u8]) -> Result<Self, Error> {
        let last = *data.last().ok_or(Error::Corrupt)?;
        if last == 0 {
            return Err(Error::Corrupt);
        }
        let at = data.len().saturating_sub(8);
        let mut bits = Self { data, at, word: 0, used: last.leading_zeros() + 1 };
        if data.len() >= 8 {
            bits.load();
        } else {
            let mut whole = [0; 8];
            whole[..data.len()].copy_from_slice(data);
            bits.word = u64::from_le_bytes(whole);
            bits.used += 64 - data.len() as u32 * 8;
        }
        Ok(bits)
    }

    #[inline(always)]
    fn load(&mut self) {
        if let Some((eight, _)) = self.data.get(self.at..).and_then(|rest| rest.split_first_chunk()) {
            self.word = u64::from_le_bytes(*eight);
        }
    }

    /// Makes at least 57 bits readable, or all that are left.
    #[inline(always)]
    pub(super) fn refill(&mut self) {
        if self.at >= 8 {
            self.at = self.at.saturating_sub((self.used >> 3) as usize); // At most eight bytes.
            self.used &= 7;
            self.load();
        } else {
            self.refill_last();
        }
    }

    #[cold]
    fn refill_last(&mut self) {
        let bytes = self.at.min((self.used >> 3) as usize);
        self.at -= bytes;
        self.used -= bytes as u32 * 8;
        if bytes > 0 {
            self.load();
        }
    }

    /// The next `count` bits, at most 56 of what [`Bits::refill`] made readable.
    #[inline(always)]
    pub(super) fn read(&mut self, count: u32) -> u64 {
        let bits = (self.word.wrapping_shl(self.used) >> 1).wrapping_shr(63 - count);
        self.used += count;
        bits
    }

    /// The next bits without using them: at least one, namely `64 - shift`.
    #[inline(always)]
    pub(super) fn peek(&self, shift: u32) -> usize {
        self.word.wrapping_shl(self.used).wrapping_shr(shift) as usize
    }

    /// Uses bits that have been looked at.
    #[inline(always)]
    pub(super) fn pass(&mut self, count: u32) {
        self.used += count;
    }

    /// Whether more has been read than there is.
    pub(super) fn is_overrun(&self) -> bool {
        self.at == 0 && self.used > 64
    }

    /// Whether exactly everything has been read.
    pub(super) fn is_finished(&mut self) -> bool {
        self.refill();
        self.at == 0 && self.used == 64
    }
}
