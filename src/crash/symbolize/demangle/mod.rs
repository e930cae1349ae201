//! Names as they were written: from `_ZN3foo3barEv` to `foo::bar()`.

use core::fmt::Write;

/// Why there is no other name than the mangled one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotMangled {
    /// It does not begin as any known scheme does: probably a C function.
    Plain,
    /// It begins so, and then does not keep to the scheme.
    Damaged,
    /// It asks for more memory, depth or output than is given to a name.
    TooComplex,
    /// The writer took no more.
    Full,
}

/// Writes the name that `mangled` stands for: Rust (both schemes, without the hash) or C++ (Itanium ABI).
///
/// # Errors
/// See [`NotMangled`]; what was written until then has to be thrown away, and the mangled name shown.
pub fn demangle(_mangled: &[u8], _out: &mut impl Write) -> Result<(), NotMangled> {
    Err(NotMangled::Plain)
}

/// The same into a buffer of the caller's: the name, or `None` for anything that has none or does not fit.
pub fn demangle_in<'buffer>(_mangled: &[u8], _buffer: &'buffer mut [u8]) -> Option<&'buffer str> {
    None
}
