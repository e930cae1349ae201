//! Zstandard (RFC 8878): `SHF_COMPRESSED` sections of type `ELFCOMPRESS_ZSTD`.
//!
//! Frames follow each other, those that are to be skipped among them; a frame is made of blocks, and a block of literals
//! (`huffman`) and of sequences that say how to mix them with what came before (`sequences`, over the tables of `fse`).
//! The checksum at the end of a frame is verified (`hash`). What is behind the output is the window, so the size of the window
//! that a frame asks for does not matter.
//!
//! Dictionaries are refused: sections have none. So are the formats from before version 0.8 (2016).

mod bits;
mod fse;
mod hash;
mod huffman;
mod sequences;

use super::Error;
use sequences::{Literals, State};

/// The most that a block may come to.
const BLOCK_MAX: usize = 128 * 1024;

/// Bytes behind the literals that may be read along with the last.
const SLACK: usize = 32;

/// The decoder's tables, and room for the literals of a block: 149 KiB.
pub struct Scratch {
    codes: huffman::Codes,
    weights: fse::Table,
    state: State,
    literals: [u8; BLOCK_MAX + SLACK],
}

// The caller plans its memory with this.
const _: () = assert!(size_of::<Scratch>() <= 149 * 1024);

impl Scratch {
    /// Tables for [`decompress`], to be used any number of times.
    pub const fn new() -> Self {
        Self {
            codes: huffman::Codes::new(),
            weights: fse::Table::new(),
            state: State::new(),
            literals: [0; BLOCK_MAX + SLACK],
        }
    }
}

impl Default for Scratch {
    fn default() -> Self {
        Self::new()
    }
}

/// Decompresses all frames of `input` into the beginning of `out`, and says how much they came to.
///
/// # Errors
/// See [`Error`]; what `out` holds then is unspecified.
pub fn decompress(input: &[u8], out: &mut [u8], scratch: &mut Scratch) -> Result<usize, Error> {
    let mut rest = input;
    let mut at = 0;
    while !rest.is_empty() {
        let (magic, after) = rest.split_first_chunk().ok_or(Error::Truncated)?;
        match u32::from_le_bytes(*magic) {
            0xfd2f_b528 => {
                let (length, left) = frame(after, &mut out[at..], scratch)?;
                at += length;
                rest = left;
            }
            0x184d_2a50..=0x184d_2a5f => {
                let (length, after) = after.split_first_chunk().ok_or(Error::Truncated)?;
                rest = after.get(u32::from_le_bytes(*length) as usize..).ok_or(Error::Truncated)?;
            }
            _ => return Err(Error::Corrupt),
        }
    }
    Ok(at)
}

/// The first `count` bytes, and the others.
fn take(data: &[u8], count: usize) -> Result<(&[u8], &[u8]), Error> {
    data.split_at_checked(count).ok_or(Error::Truncated)
}

/// A number of up to eight bytes.
fn number(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |sum, byte| (sum << 8) | u64::from(*byte))
}

/// A frame, after its magic number: how much it came to, and what follows it.
fn frame<'a>(data: &'a [u8], out: &mut [u8], scratch: &mut Scratch) -> Result<(usize, &'a [u8]), Error> {
    let (descriptor, data) = take(data, 1)?;
    let descriptor = descriptor[0];
    let is_single = descriptor & 32 != 0;
    if descriptor & 8 != 0 {
        return Err(Error::Corrupt);
    }
    let (_window, data) = take(data, usize::from(!is_single))?;
    let (dictionary, data) = take(data, [0, 1, 2, 4][usize::from(descriptor & 3)])?;
    if number(dictionary) != 0 {
        return Err(Error::Unsupported("a dictionary"));
    }
    let size_bytes = [usize::from(is_single), 2, 4, 8][usize::from(descriptor >> 6)];
    let (size, mut data) = take(data, size_bytes)?;
    let size = match size_bytes {
        0 => None,
        2 => Some(number(size) + 256),
        _ => Some(number(size)),
    };
    if size.is_some_and(|size| size > out.len() as u64) {
        return Err(Error::OutputTooSmall);
    }
    scratch.codes.clear();
    scratch.state.clear();
    let mut at = 0;
    loop {
        let (header, after) = take(data, 3)?;
        let header = number(header) as usize;
        (at, data) = block(header, after, out, at, scratch)?;
        if header & 1 != 0 {
            break;
        }
    }
    if size.is_some_and(|size| size != at as u64) {
        return Err(Error::Corrupt);
    }
    if descriptor & 4 != 0 {
        let (checksum, after) = take(data, 4)?;
        if number(checksum) != hash::xxh64(&out[..at]) & 0xffff_ffff {
            return Err(Error::Corrupt);
        }
        data = after;
    }
    Ok((at, data))
}

/// A block: up to where `out` is filled then, and what follows it.
fn block<'a>(
    header: usize,
    data: &'a [u8],
    out: &mut [u8],
    at: usize,
    scratch: &mut Scratch,
) -> Result<(usize, &'a [u8]), Error> {
    let size = header >> 3;
    if size > BLOCK_MAX {
        return Err(Error::Corrupt);
    }
    match (header >> 1) & 3 {
        0 => {
            let (bytes, rest) = take(data, size)?;
            out.get_mut(at..at + size).ok_or(Error::OutputTooSmall)?.copy_from_slice(bytes);
            Ok((at + size, rest))
        }
        1 => {
            let (byte, rest) = take(data, 1)?;
            out.get_mut(at..at + size).ok_or(Error::OutputTooSmall)?.fill(byte[0]);
            Ok((at + size, rest))
        }
        2 => {
            let (bytes, rest) = take(data, size)?;
            // What a block comes to is bounded by cutting the output off behind it.
            let end = out.len().min(at + BLOCK_MAX);
            let filled = compressed(bytes, data, &mut out[..end], at, scratch);
            match filled {
                Err(Error::OutputTooSmall) if end == at + BLOCK_MAX => Err(Error::Corrupt),
                filled => Ok((filled?, rest)),
            }
        }
        _ => Err(Error::Corrupt),
    }
}

/// A compressed block. `readable` begins where `data` does and goes on behind it.
fn compressed(data: &[u8], readable: &[u8], out: &mut [u8], at: usize, scratch: &mut Scratch) -> Result<usize, Error> {
    let header = LiteralsHeader::read(data)?;
    let coded = data.get(header.length..).ok_or(Error::Corrupt)?;
    let room = scratch.literals.get_mut(..header.size).ok_or(Error::Corrupt)?;
    let (literals, rest) = match header.kind {
        0 => {
            let rest = coded.get(header.size..).ok_or(Error::Corrupt)?;
            (Literals { bytes: &readable[header.length..], length: header.size }, rest)
        }
        1 => {
            let (&byte, rest) = coded.split_first().ok_or(Error::Corrupt)?;
            room.fill(byte);
            (Literals { bytes: &scratch.literals, length: header.size }, rest)
        }
        kind => {
            let (mut streams, rest) = coded.split_at_checked(header.coded).ok_or(Error::Corrupt)?;
            if kind == 2 {
                let length = scratch.codes.read(streams, &mut scratch.weights)?;
                streams = streams.get(length..).ok_or(Error::Corrupt)?;
            } else if !scratch.codes.is_set() {
                return Err(Error::Corrupt);
            }
            if header.is_single {
                scratch.codes.one(streams, room)?;
            } else {
                scratch.codes.four(streams, room)?;
            }
            (Literals { bytes: &scratch.literals, length: header.size }, rest)
        }
    };
    scratch.state.block(rest, literals, out, at)
}

/// The header of a block's literals.
struct LiteralsHeader {
    /// 0 as they are, 1 one byte repeated, 2 coded, 3 coded as before.
    kind: u8,
    /// Whether they are in one stream.
    is_single: bool,
    /// What they come to.
    size: usize,
    /// How long they are as they are coded.
    coded: usize,
    /// How long this header is.
    length: usize,
}

impl LiteralsHeader {
    fn read(data: &[u8]) -> Result<Self, Error> {
        let first = *data.first().ok_or(Error::Corrupt)?;
        let (kind, format) = (first & 3, (first >> 2) & 3);
        let length = match (kind, format) {
            (0 | 1, 0 | 2) => 1,
            (0 | 1, 1) => 2,
            (0 | 1, _) | (_, 0 | 1) => 3,
            (_, 2) => 4,
            _ => 5,
        };
        let all = number(data.get(..length).ok_or(Error::Corrupt)?) as usize;
        let (size, coded) = match (kind, format) {
            (0 | 1, 0 | 2) => (all >> 3, 0),
            (0 | 1, _) => (all >> 4, 0),
            (_, 0 | 1) => ((all >> 4) & 0x3ff, all >> 14),
            (_, 2) => ((all >> 4) & 0x3fff, all >> 18),
            _ => ((all >> 4) & 0x3_ffff, all >> 22),
        };
        if size > BLOCK_MAX {
            return Err(Error::Corrupt);
        }
        Ok(Self { kind, is_single: format == 0, size, coded, length })
    }
}
