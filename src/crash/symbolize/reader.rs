//! A place in bytes that move it forward: the one way in which anything here reads a file.
//!
//! Every read is checked and answers `None` beyond the end, and nothing is moved then that matters, since whoever asked
//! gives up. Numbers are little-endian, as on every machine that this runs on.

/// A place in some bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// At the beginning of `bytes`.
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// At `offset` in `bytes`; nothing is there beyond the end.
    pub(crate) fn at(bytes: &'a [u8], offset: u64) -> Self {
        Self { bytes, at: usize::try_from(offset).unwrap_or(usize::MAX) }
    }

    pub(crate) fn position(&self) -> usize {
        self.at
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.at >= self.bytes.len()
    }

    /// What is left.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    #[inline]
    pub(crate) fn skip(&mut self, count: u64) -> Option<()> {
        self.at = self.at.checked_add(usize::try_from(count).ok()?)?;
        (self.at <= self.bytes.len()).then_some(())
    }

    #[inline]
    pub(crate) fn take(&mut self, count: u64) -> Option<&'a [u8]> {
        let from = self.at;
        self.skip(count)?;
        self.bytes.get(from..self.at)
    }

    #[inline]
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let found = *self.bytes.get(self.at..)?.first_chunk::<N>()?;
        self.at += N;
        Some(found)
    }

    #[inline]
    pub(crate) fn u8(&mut self) -> Option<u8> {
        let found = *self.bytes.get(self.at)?;
        self.at += 1;
        Some(found)
    }

    #[inline]
    pub(crate) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    #[inline]
    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    #[inline]
    pub(crate) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    /// A number of `size` bytes, at most eight.
    #[inline]
    pub(crate) fn sized(&mut self, size: u8) -> Option<u64> {
        match size {
            8 => self.u64(),
            4 => self.u32().map(u64::from),
            2 => self.u16().map(u64::from),
            1 => self.u8().map(u64::from),
            3 => self.array().map(|[a, b, c]: [u8; 3]| u64::from(u32::from_le_bytes([a, b, c, 0]))),
            _ => None,
        }
    }

    /// An offset in a section: eight bytes in the 64-bit format, else four.
    #[inline]
    pub(crate) fn offset(&mut self, is_64: bool) -> Option<u64> {
        if is_64 { self.u64() } else { self.u32().map(u64::from) }
    }

    /// An unsigned LEB128 number. What does not fit 64 bits is cut off, as other readers do; its bytes are passed all the same.
    #[inline]
    pub(crate) fn uleb(&mut self) -> Option<u64> {
        let first = self.u8()?;
        if first < 0x80 {
            return Some(u64::from(first));
        }
        let mut value = u64::from(first & 0x7f);
        let mut shift = 7_u32;
        loop {
            let byte = self.u8()?;
            if shift < 64 {
                value |= u64::from(byte & 0x7f) << shift;
            }
            if byte < 0x80 {
                return Some(value);
            }
            shift = shift.saturating_add(7);
        }
    }

    /// A signed LEB128 number.
    #[inline]
    pub(crate) fn sleb(&mut self) -> Option<i64> {
        let mut value = 0_u64;
        let mut shift = 0_u32;
        loop {
            let byte = self.u8()?;
            if shift < 64 {
                value |= u64::from(byte & 0x7f) << shift;
            }
            shift = shift.saturating_add(7);
            if byte < 0x80 {
                if shift < 64 && byte & 0x40 != 0 {
                    value |= u64::MAX << shift;
                }
                return Some(value.cast_signed());
            }
        }
    }

    /// Passes a LEB128 number.
    #[inline]
    pub(crate) fn skip_leb(&mut self) -> Option<()> {
        while self.u8()? >= 0x80 {}
        Some(())
    }

    /// A string up to its zero, which is passed and not part of it.
    pub(crate) fn string(&mut self) -> Option<&'a [u8]> {
        let rest = self.bytes.get(self.at..)?;
        let length = zero(rest)?;
        self.at += length + 1;
        rest.get(..length)
    }
}

/// Where the first zero is; eight bytes at a time, since names are long and there are many.
fn zero(bytes: &[u8]) -> Option<usize> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let (words, rest) = bytes.as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let zeros = word.wrapping_sub(ONES) & !word & (ONES << 7);
        if zeros != 0 {
            return Some(index * 8 + zeros.trailing_zeros() as usize / 8);
        }
    }
    Some(words.len() * 8 + rest.iter().position(|&byte| byte == 0)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read() {
        let mut reader = Reader::new(&[0xe5, 0x8e, 0x26, 0x7f, 0x80, 0x7f, 0x3f, 1, 2, 3]);
        assert_eq!((reader.uleb(), reader.sleb()), (Some(624_485), Some(-1)));
        assert_eq!((reader.sleb(), reader.sleb()), (Some(-128), Some(63)));
        assert_eq!((reader.sized(3), reader.u8()), (Some(0x03_0201), None));
    }

    #[test]
    fn a_number_that_is_too_long_ends() {
        let long = [0xff_u8; 40];
        assert_eq!(Reader::new(&long).uleb(), None);
        let mut ended = long.to_vec();
        ended.push(0x7f);
        assert_eq!(Reader::new(&ended).uleb(), Some(u64::MAX));
        assert_eq!(Reader::new(&ended).sleb(), Some(-1));
    }

    #[test]
    fn strings_end_at_their_zero() {
        for length in 0..20 {
            let mut bytes = vec![b'x'; length];
            assert_eq!(Reader::new(&bytes).string(), None);
            bytes.extend([0, 0xff, 0]);
            let mut reader = Reader::new(&bytes);
            assert_eq!(reader.string().map(<[u8]>::len), Some(length));
            assert_eq!(reader.string(), Some(&b"\xff"[..]));
        }
        assert_eq!(Reader::new(b"\x01\x00").string(), Some(&b"\x01"[..]));
    }
}
