//! xz: what `.gnu_debugdata` (MiniDebugInfo) is compressed in.
//!
//! A file is one stream or several; a stream is blocks and an index of their sizes; a block is LZMA2, that is chunks of LZMA
//! (`lzma`) and of bytes as they are. Headers and index are verified by CRC-32, contents by CRC-32 or CRC-64 (`crc`);
//! SHA-256 is skipped, because whoever asks for it wants more than to notice damage. The index has to say what the blocks
//! came to.
//!
//! Other filters (BCJ for machine code, delta) are refused by name: no tool that makes these sections asks for them.

mod lzma;

use super::super::crc;
use super::Error;

const HEADER: [u8; 6] = *b"\xfd7zXZ\0";
const FOOTER: [u8; 2] = *b"YZ";

/// The decoder's tables: 28 KiB.
pub struct Scratch(lzma::Lzma);

// The caller plans its memory with this.
const _: () = assert!(size_of::<Scratch>() <= 28 * 1024);

impl Scratch {
    /// Tables for [`decompress`], to be used any number of times.
    pub const fn new() -> Self {
        Self(lzma::Lzma::new())
    }
}

impl Default for Scratch {
    fn default() -> Self {
        Self::new()
    }
}

/// Decompresses all streams of `input` into the beginning of `out`, and says how much they came to.
///
/// # Errors
/// See [`Error`]; what `out` holds then is unspecified.
pub fn decompress(input: &[u8], out: &mut [u8], scratch: &mut Scratch) -> Result<usize, Error> {
    let mut reader = Reader { data: input, at: 0 };
    let mut at = 0;
    loop {
        at = stream(&mut reader, out, at, scratch)?;
        let padding = reader.rest().iter().take_while(|byte| **byte == 0).count();
        if !padding.is_multiple_of(4) {
            return Err(Error::Corrupt);
        }
        reader.at += padding;
        if reader.rest().is_empty() {
            return Ok(at);
        }
    }
}

/// How large `input` is once decompressed, by the indices of its streams, which are read from the end.
///
/// # Errors
/// When `input` does not end in a stream's footer, or an index is damaged.
pub fn uncompressed_size(input: &[u8]) -> Result<u64, Error> {
    let mut end = input.len();
    let mut sum = 0u64;
    loop {
        let data = input.get(..end).ok_or(Error::Corrupt)?;
        let Some(last) = data.iter().rposition(|byte| *byte != 0) else {
            return if end == 0 && !input.is_empty() { Ok(sum) } else { Err(Error::Corrupt) };
        };
        let padding = data.len() - 1 - last;
        end -= padding - padding % 4;
        let footer = end.checked_sub(12).ok_or(Error::Truncated)?;
        let size = index_size(&input[footer..end])?.0;
        let start = usize::try_from(size).ok().and_then(|size| footer.checked_sub(size)).ok_or(Error::Corrupt)?;
        let mut reader = Reader { data: &input[..footer], at: start };
        let index = Blocks::read(&mut reader)?;
        sum = sum.checked_add(index.uncompressed).ok_or(Error::Corrupt)?;
        let blocks = usize::try_from(index.padded).map_err(|_| Error::Corrupt)?;
        end = start.checked_sub(blocks).and_then(|start| start.checked_sub(12)).ok_or(Error::Corrupt)?;
        if input[end..].first_chunk() != Some(&HEADER) {
            return Err(Error::Corrupt);
        }
    }
}

/// What is left to read.
struct Reader<'a> {
    data: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a [u8] {
        self.data.get(self.at..).unwrap_or_default()
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], Error> {
        let taken = self.rest().get(..count).ok_or(Error::Truncated)?;
        self.at += count;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, Error> {
        Ok(self.take(1)?[0])
    }

    fn u32(&mut self) -> Result<u32, Error> {
        self.take(4)?.first_chunk().map(|four| u32::from_le_bytes(*four)).ok_or(Error::Truncated)
    }

    /// A number in groups of seven bits, at most nine of them.
    fn number(&mut self) -> Result<u64, Error> {
        let mut sum = 0;
        for place in 0..9 {
            let byte = self.byte()?;
            sum |= u64::from(byte & 127) << (7 * place);
            if byte < 128 {
                return if byte == 0 && place > 0 { Err(Error::Corrupt) } else { Ok(sum) };
            }
        }
        Err(Error::Corrupt)
    }

    /// Zeros up to a multiple of four from `start`.
    fn padding(&mut self, start: usize) -> Result<(), Error> {
        while !(self.at - start).is_multiple_of(4) {
            if self.byte()? != 0 {
                return Err(Error::Corrupt);
            }
        }
        Ok(())
    }

    /// The CRC-32 of what has been read since `start`.
    fn check(&mut self, start: usize) -> Result<(), Error> {
        let sum = crc::crc32(&self.data[start..self.at]);
        if self.u32()? == sum { Ok(()) } else { Err(Error::Corrupt) }
    }
}

/// How a stream verifies its contents.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Check(u8);

impl Check {
    fn read(flags: &[u8]) -> Result<Self, Error> {
        match *flags {
            [0, check @ 0..16] => Ok(Self(check)),
            _ => Err(Error::Corrupt),
        }
    }

    fn length(self) -> usize {
        [0, 4, 4, 4, 8, 8, 8, 16, 16, 16, 32, 32, 32, 64, 64, 64][usize::from(self.0 & 15)]
    }

    fn is_right(self, stated: &[u8], content: &[u8]) -> bool {
        match self.0 {
            1 => stated == crc::crc32(content).to_le_bytes(),
            4 => stated == crc::crc64(content).to_le_bytes(),
            _ => true,
        }
    }
}

/// From a footer, the size of the index before it, and how contents are verified.
fn index_size(footer: &[u8]) -> Result<(u64, Check), Error> {
    let mut reader = Reader { data: footer, at: 0 };
    let sum = reader.u32()?;
    let size = reader.u32()?;
    let flags = reader.take(2)?;
    if reader.take(2)? != FOOTER || crc::crc32(&footer[4..10]) != sum {
        return Err(Error::Corrupt);
    }
    Ok(((u64::from(size) + 1) * 4, Check::read(flags)?))
}

/// What is known of the blocks of a stream: from themselves, and from the index.
#[derive(Default, PartialEq, Eq)]
struct Blocks {
    count: u64,
    /// What they take in the file, with padding.
    padded: u64,
    uncompressed: u64,
    /// A number that depends on each size and their order.
    order: u64,
}

impl Blocks {
    fn add(&mut self, unpadded: u64, uncompressed: u64) -> Result<(), Error> {
        let padded = unpadded.checked_next_multiple_of(4).ok_or(Error::Corrupt)?;
        self.count += 1;
        self.padded = self.padded.checked_add(padded).ok_or(Error::Corrupt)?;
        self.uncompressed = self.uncompressed.checked_add(uncompressed).ok_or(Error::Corrupt)?;
        for number in [unpadded, uncompressed] {
            self.order = (self.order ^ number).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(23);
        }
        Ok(())
    }

    /// Reads an index, from the 0 that it begins with.
    fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let start = reader.at;
        if reader.byte()? != 0 {
            return Err(Error::Corrupt);
        }
        let count = reader.number()?;
        let mut blocks = Self::default();
        while blocks.count < count {
            let unpadded = reader.number()?;
            let uncompressed = reader.number()?;
            blocks.add(unpadded, uncompressed)?;
        }
        reader.padding(start)?;
        reader.check(start)?;
        Ok(blocks)
    }
}

/// A stream, up to its footer: how far `out` is filled then.
fn stream(reader: &mut Reader<'_>, out: &mut [u8], mut at: usize, scratch: &mut Scratch) -> Result<usize, Error> {
    let start = reader.at;
    if reader.take(6)? != HEADER {
        return Err(Error::Corrupt);
    }
    let check = Check::read(reader.take(2)?)?;
    let sum = crc::crc32(&reader.data[start + 6..start + 8]);
    if reader.u32()? != sum {
        return Err(Error::Corrupt);
    }
    let mut blocks = Blocks::default();
    loop {
        let first = *reader.rest().first().ok_or(Error::Truncated)?;
        if first == 0 {
            break;
        }
        let start = reader.at;
        let filled = block(reader, out, at, scratch)?;
        let unpadded = reader.at - start + check.length();
        reader.padding(start)?;
        let stated = reader.take(check.length())?;
        if !check.is_right(stated, &out[at..filled]) {
            return Err(Error::Corrupt);
        }
        blocks.add(unpadded as u64, (filled - at) as u64)?;
        at = filled;
    }
    let start = reader.at;
    if Blocks::read(reader)? != blocks {
        return Err(Error::Corrupt);
    }
    let size = (reader.at - start) as u64;
    let footer = reader.take(12)?;
    if index_size(footer)? != (size, check) { Err(Error::Corrupt) } else { Ok(at) }
}

/// A block without the padding and the check behind it: how far `out` is filled then.
fn block(reader: &mut Reader<'_>, out: &mut [u8], at: usize, scratch: &mut Scratch) -> Result<usize, Error> {
    let start = reader.at;
    let length = (usize::from(reader.byte()?) + 1) * 4;
    let flags = reader.byte()?;
    if flags & 0x3c != 0 {
        return Err(Error::Unsupported("block flags of a later version of xz"));
    }
    let compressed = if flags & 0x40 != 0 { Some(reader.number()?) } else { None };
    let uncompressed = if flags & 0x80 != 0 { Some(reader.number()?) } else { None };
    let filter = reader.number()?;
    if flags & 3 != 0 || filter != 0x21 {
        return Err(Error::Unsupported("a filter other than LZMA2"));
    }
    let properties = reader.number()?;
    let dictionary = reader.byte()?;
    if properties != 1 || dictionary > 40 {
        return Err(Error::Corrupt);
    }
    let end = start + length - 4;
    while reader.at < end {
        if reader.byte()? != 0 {
            return Err(Error::Corrupt);
        }
    }
    if reader.at != end {
        return Err(Error::Corrupt);
    }
    reader.check(start)?;
    let begin = reader.at;
    let filled = lzma2(reader, out, at, scratch)?;
    let is_as_stated = |stated: Option<u64>, found: usize| stated.is_none_or(|stated| stated == found as u64);
    if is_as_stated(compressed, reader.at - begin) && is_as_stated(uncompressed, filled - at) {
        Ok(filled)
    } else {
        Err(Error::Corrupt)
    }
}

/// What the chunks of a block have set so far.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Needs {
    Nothing,
    State,
    Properties,
    Dictionary,
}

/// The chunks of a block: how far `out` is filled then.
fn lzma2(reader: &mut Reader<'_>, out: &mut [u8], mut at: usize, scratch: &mut Scratch) -> Result<usize, Error> {
    let mut dictionary = at;
    let mut needs = Needs::Dictionary;
    loop {
        let control = reader.byte()?;
        if control == 0 {
            return Ok(at);
        }
        let is_coded = control >= 0x80;
        let sets = match control {
            1 | 0xe0.. => Needs::Dictionary,
            0xc0.. => Needs::Properties,
            0xa0.. => Needs::State,
            2 | 0x80.. => Needs::Nothing,
            _ => return Err(Error::Corrupt),
        };
        let size = reader.take(2)?;
        let mut size = usize::from(u16::from_be_bytes([size[0], size[1]])) + 1;
        if is_coded {
            size += usize::from(control & 0x1f) << 16;
        }
        if (needs == Needs::Dictionary || is_coded) && sets < needs {
            return Err(Error::Corrupt);
        }
        if sets == Needs::Dictionary {
            dictionary = at;
        }
        let end = at + size;
        if end > out.len() {
            return Err(Error::OutputTooSmall);
        }
        if is_coded {
            let coded = reader.take(2)?;
            let coded = usize::from(u16::from_be_bytes([coded[0], coded[1]])) + 1;
            if sets >= Needs::Properties {
                scratch.0.set_properties(reader.byte()?)?;
            }
            if sets >= Needs::State {
                scratch.0.reset();
            }
            scratch.0.chunk(reader.take(coded)?, &mut out[dictionary..end], at - dictionary)?;
            needs = Needs::Nothing;
        } else {
            out[at..end].copy_from_slice(reader.take(size)?);
            // What was learnt does not survive a new dictionary; the next coded chunk has to begin anew.
            needs = if sets == Needs::Dictionary { Needs::Properties } else { needs };
        }
        at = end;
    }
}
