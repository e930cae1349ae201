//! zlib (RFC 1950): `SHF_COMPRESSED` sections of type `ELFCOMPRESS_ZLIB`, and `.zdebug_*` after their header.
//!
//! The decoder is that of the crate `miniz_oxide` without its `with-alloc` feature; its state lies in [`Scratch`], and the
//! output is its window.

use super::Error;
use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::{DecompressorOxide, decompress as inflate, inflate_flags as flags};

/// The decoder's tables.
pub struct Scratch(DecompressorOxide);

// The caller plans its memory with this.
const _: () = assert!(size_of::<Scratch>() <= 12 * 1024);

impl Scratch {
    /// Tables for [`decompress`], to be used any number of times.
    pub fn new() -> Self {
        Self(DecompressorOxide::new())
    }
}

impl Default for Scratch {
    fn default() -> Self {
        Self::new()
    }
}

/// Decompresses `input` into the beginning of `out`, and says how much it came to. What follows the stream in `input`
/// is not looked at. The Adler-32 at its end is verified.
///
/// # Errors
/// See [`Error`]; what `out` holds then is unspecified.
pub fn decompress(input: &[u8], out: &mut [u8], scratch: &mut Scratch) -> Result<usize, Error> {
    scratch.0.init();
    let flags = flags::TINFL_FLAG_PARSE_ZLIB_HEADER | flags::TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
    match inflate(&mut scratch.0, input, out, 0, flags) {
        (TINFLStatus::Done, _, written) => Ok(written),
        (TINFLStatus::HasMoreOutput, ..) => Err(Error::OutputTooSmall),
        (TINFLStatus::FailedCannotMakeProgress | TINFLStatus::NeedsMoreInput, ..) => Err(Error::Truncated),
        _ => Err(Error::Corrupt),
    }
}
