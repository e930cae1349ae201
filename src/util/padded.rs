//! A value alone on its cache lines.
//!
//! Two words that different cores write must not share a line, or each write takes the line from the other core. The
//! distance is 128 bytes: x86 cores fetch lines of 64 bytes in pairs, and some aarch64 cores have lines of 128.

use std::ops::Deref;

/// A value that shares its cache lines with nothing.
#[derive(Debug)]
#[repr(align(128))]
pub(crate) struct Padded<T>(pub(crate) T);

impl<T> Deref for Padded<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

const _: () = assert!(size_of::<Padded<u8>>() == 128);
