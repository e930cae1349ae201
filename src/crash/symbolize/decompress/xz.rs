//! xz.

use super::Error;

/// The decoder's tables.
pub struct Scratch(());

impl Scratch {
    /// Tables for [`decompress`], to be used any number of times.
    pub const fn new() -> Self {
        Self(())
    }
}

impl Default for Scratch {
    fn default() -> Self {
        Self::new()
    }
}

/// Decompresses `input` into the beginning of `out`, and says how much it came to.
///
/// # Errors
/// See [`Error`]; what `out` holds then is unspecified.
pub fn decompress(_input: &[u8], _out: &mut [u8], _scratch: &mut Scratch) -> Result<usize, Error> {
    Err(Error::Unsupported("xz"))
}

/// How large `input` is once decompressed, by the indices of its streams.
///
/// # Errors
/// When `input` does not end in a stream's footer, or its index is damaged.
pub fn uncompressed_size(_input: &[u8]) -> Result<u64, Error> {
    Err(Error::Unsupported("xz"))
}
