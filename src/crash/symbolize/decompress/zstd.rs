//! zstd.

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
    Err(Error::Unsupported("zstd"))
}
