//! Names as they were written: from `_ZN3foo3barEv` to `foo::bar()`.
//!
//! Three schemes: those of Rust, `_ZN...17h<hash>E` and `_R...`, by the crate `rustc-demangle`, and that of C++
//! (`itanium`). A name may come from a damaged file: whatever it is, the work, the memory (16 KiB of tables; with the
//! recursion less than 64 KiB of stack, when optimised) and the text (64 KiB) are bounded, nothing is allocated and nothing
//! panics. A name beyond those bounds is shown mangled.

mod itanium;

use core::fmt::{self, Write};

/// Why there is no other name than the mangled one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotMangled {
    /// It does not begin as any known scheme does: probably a C function.
    Plain,
    /// It begins so, and then does not keep to the scheme.
    Damaged,
    /// It asks for more memory, depth or text than is given to a name.
    TooComplex,
    /// The writer took no more.
    Full,
}

/// The tables that a C++ name is taken apart in: 14 KiB, to be used any number of times.
pub struct Demangler(itanium::Tables);

const _: () = assert!(size_of::<Demangler>() <= 14 * 1024);

impl Demangler {
    /// Empty tables.
    pub const fn new() -> Self {
        Self(itanium::Tables::new())
    }

    /// Writes the name that `mangled` stands for: Rust (both schemes, without the hash) or C++ (Itanium ABI).
    ///
    /// # Errors
    /// See [`NotMangled`]; what was written until then has to be thrown away, and the mangled name shown.
    pub fn demangle(&mut self, mangled: &[u8], out: &mut impl Write) -> Result<(), NotMangled> {
        let text = core::str::from_utf8(mangled).map_err(|_| NotMangled::Plain)?;
        if is_rust(text) {
            let name = rustc_demangle::try_demangle(text).map_err(|_| NotMangled::Damaged)?;
            return rust(&name, out);
        }
        if !itanium::is_candidate(text) {
            return Err(NotMangled::Plain);
        }
        itanium::demangle(text, &mut self.0, out)
    }
}

impl Default for Demangler {
    fn default() -> Self {
        Self::new()
    }
}

/// Writes the name that `mangled` stands for, with tables on the stack.
///
/// # Errors
/// Those of [`Demangler::demangle`].
pub fn demangle(mangled: &[u8], out: &mut impl Write) -> Result<(), NotMangled> {
    Demangler::new().demangle(mangled, out)
}

/// The same into a buffer of the caller's: the name, or `None` for anything that has none or does not fit.
pub fn demangle_in<'buffer>(mangled: &[u8], buffer: &'buffer mut [u8]) -> Option<&'buffer str> {
    let mut text = Bounded { buffer, used: 0 };
    demangle(mangled, &mut text).ok()?;
    let Bounded { buffer, used } = text;
    core::str::from_utf8(buffer.get(..used)?).ok()
}

/// Whether it follows a scheme of Rust: the first of them is that of a C++ name without arguments, with a hash at the end.
fn is_rust(mangled: &str) -> bool {
    const HASH: usize = 16;
    if mangled.starts_with("_R") {
        return true;
    }
    let end = mangled.rfind("17h").map_or("", |place| &mangled[place + 3..]).as_bytes();
    let is_hash = end.len() > HASH && end[..HASH].iter().all(u8::is_ascii_hexdigit) && end[HASH] == b'E';
    mangled.starts_with("_ZN") && is_hash
}

/// A Rust name, no longer than any other may get.
fn rust(name: &rustc_demangle::Demangle<'_>, out: &mut impl Write) -> Result<(), NotMangled> {
    struct Limited<'out, W>(&'out mut W, usize, NotMangled);
    impl<W: Write> Write for Limited<'_, W> {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            self.2 = NotMangled::TooComplex;
            self.1 = self.1.checked_sub(text.len()).ok_or(fmt::Error)?;
            self.2 = NotMangled::Full;
            self.0.write_str(text)
        }
    }
    let mut limited = Limited(out, 64 * 1024, NotMangled::Full);
    write!(limited, "{name:#}").map_err(|_| limited.2)
}

/// A writer into a slice, which refuses what does not fit.
struct Bounded<'buffer> {
    buffer: &'buffer mut [u8],
    used: usize,
}

impl Write for Bounded<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = self.buffer.get_mut(self.used..self.used + text.len()).ok_or(fmt::Error)?;
        room.copy_from_slice(text.as_bytes());
        self.used += text.len();
        Ok(())
    }
}
