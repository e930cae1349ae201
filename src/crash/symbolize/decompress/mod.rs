//! The formats that sections of object files are compressed in.
//!
//! A section says how large it is once decompressed, so the caller makes room first, in its own arena, and each decoder
//! fills exactly that slice: [`zlib`] and [`zstd`] for `SHF_COMPRESSED`, [`xz`] for `.gnu_debugdata`, whose size is found
//! in its index ([`xz::uncompressed_size`]). A decoder's tables are a value of its type `Scratch`, which the caller places
//! where it has memory; nothing here allocates, recurses or panics, whatever the bytes are. Output that was
//! decompressed earlier is the window, so none is kept beside it.
//!
//! There are no streams: input and output are whole. Checksums of the contents are verified where the format carries one that
//! is cheap (Adler-32, XXH64, CRC-32, CRC-64); SHA-256, which `xz` can be asked for, is skipped.

use core::fmt;

pub mod xz;
pub mod zlib;
pub mod zstd;

/// Why bytes could not be decompressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// The input ends too early.
    Truncated,
    /// The input contradicts itself or the format, or a checksum differs.
    Corrupt,
    /// The format has it, this decoder has not; the text names it.
    Unsupported(&'static str),
    /// There is more than the output has room for.
    OutputTooSmall,
}

impl fmt::Display for Error {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated => to.write_str("compressed data end too early"),
            Self::Corrupt => to.write_str("compressed data are damaged"),
            Self::Unsupported(what) => write!(to, "compressed data use {what}, which is not supported"),
            Self::OutputTooSmall => to.write_str("decompressed data are larger than was said"),
        }
    }
}

impl core::error::Error for Error {}
