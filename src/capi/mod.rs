//! The C face of [`crash`]: `toolbox.h`, and what the shared library does when it is preloaded.
//!
//! `cargo capi` builds `libtoolbox.so` and `libtoolbox.a`. The functions below are what `toolbox.h` declares and
//! documents. Beside them the library takes the place of a few functions of the C library (`signals`, `threads`,
//! `altstack`), so that threads that are made later and programs with handlers of their own are reported on as well; and
//! `preload` installs it at load, when that was asked for. Everything else is hidden.
//!
//! This feature is for those two libraries. A Rust program calls [`crash`] instead; with this feature its
//! `sigaction` would be replaced like that of any program that links them.
//!
//! # Safety
//!
//! A function that is exported under a fixed name must be the one that everybody expects there; each is documented in
//! `toolbox.h` or by the C library. Pointers come from C callers, who answer for them as the header says.
#![allow(unsafe_code)]

mod altstack;
mod next;
mod preload;
mod signals;
mod threads;

use crate::crash::options::{Builder, Callback, Unknown};
use crate::crash::{self, InstallError};
use core::ffi::{CStr, c_char, c_int, c_void};

// As in toolbox.h, where a number never changes its meaning.
const OK: c_int = 0;
const ERROR_OPTIONS: c_int = -1;
const ERROR_MEMORY: c_int = -2;
const ERROR_SYSTEM: c_int = -3;
const ERROR_OUTPUT: c_int = -4;
const ERROR_ARGUMENT: c_int = -5;
const ERROR_ABSENT: c_int = -6;

/// `struct toolbox_crash_options`.
#[repr(C)]
#[derive(Debug)]
pub struct Options {
    size: usize,
    options: *const c_char,
    callback: Option<extern "C" fn(c_int, c_int, *mut c_void)>,
    data: *mut c_void,
}

/// The code for an error.
fn code(error: InstallError) -> c_int {
    match error {
        InstallError::Memory(_) => ERROR_MEMORY,
        InstallError::Signal(..) => ERROR_SYSTEM,
        InstallError::Descriptor(..) | InstallError::Folder(_) => ERROR_OUTPUT,
        InstallError::AlreadyInstalled => ERROR_SYSTEM,
    }
}

/// Installs with these options, instead of those that are in force.
fn install(builder: Builder) -> c_int {
    crash::uninstall();
    match builder.install() {
        Ok(()) => {
            signals::prepare();
            OK
        }
        Err(error) => code(error),
    }
}

/// `toolbox_crash_init()`.
// SAFETY: whoever has a function of this name means this one.
#[unsafe(no_mangle)]
pub extern "C" fn toolbox_crash_init() -> c_int {
    install(Builder::new())
}

/// The options of a structure, checked.
///
/// # Safety
/// `options` is null, or leads to a structure that is as long as its first field says.
unsafe fn read(options: *const Options) -> Result<Builder, c_int> {
    // SAFETY: null, or a structure whose first field is there in every version.
    let size = unsafe { options.cast::<usize>().as_ref() }.ok_or(ERROR_ARGUMENT)?;
    if *size != size_of::<Options>() {
        return Err(ERROR_ARGUMENT);
    }
    // SAFETY: not null, and as long as this version's.
    let options = unsafe { &*options };
    let mut builder = Builder::new();
    if !options.options.is_null() {
        // SAFETY: a string, as the header asks for.
        let text = unsafe { CStr::from_ptr(options.options) };
        builder = builder.parse(text.to_bytes()).map_err(|_: Unknown| ERROR_OPTIONS)?;
    }
    if let Some(callback) = options.callback {
        builder = builder.callback(Callback::C(callback, options.data as usize));
    }
    Ok(builder)
}

/// `toolbox_crash_init_with()`.
///
/// # Safety
/// `options` is null, or leads to a `struct toolbox_crash_options` whose string, if there is one, ends with a zero.
// SAFETY: whoever has a function of this name means this one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn toolbox_crash_init_with(options: *const Options) -> c_int {
    // SAFETY: as the caller says.
    match unsafe { read(options) } {
        Ok(builder) => install(builder),
        Err(code) => code,
    }
}

/// `toolbox_crash_uninstall()`.
// SAFETY: whoever has a function of this name means this one.
#[unsafe(no_mangle)]
pub extern "C" fn toolbox_crash_uninstall() -> c_int {
    crash::uninstall();
    OK
}

/// `toolbox_crash_print()`.
// SAFETY: whoever has a function of this name means this one.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn toolbox_crash_print() -> c_int {
    if !crash::is_installed() {
        return ERROR_ABSENT;
    }
    crash::trace();
    OK
}

/// `toolbox_crash_thread_init()`.
// SAFETY: whoever has a function of this name means this one.
#[unsafe(no_mangle)]
pub extern "C" fn toolbox_crash_thread_init() -> c_int {
    threads::give()
}

/// `toolbox_crash_thread_done()`.
// SAFETY: whoever has a function of this name means this one.
#[unsafe(no_mangle)]
pub extern "C" fn toolbox_crash_thread_done() -> c_int {
    threads::take();
    OK
}

/// `toolbox_error_text()`.
// SAFETY: whoever has a function of this name means this one.
#[unsafe(no_mangle)]
pub extern "C" fn toolbox_error_text(code: c_int) -> *const c_char {
    let text = match code {
        OK => c"no error",
        ERROR_OPTIONS => c"an option or its value is not known",
        ERROR_MEMORY => c"no memory for an alternate signal stack",
        ERROR_SYSTEM => c"the kernel refused to set a signal handler",
        ERROR_OUTPUT => c"the place where reports go cannot be written to",
        ERROR_ARGUMENT => c"a null pointer, or a structure of unknown size",
        ERROR_ABSENT => c"nothing is installed",
        _ => c"no such code",
    };
    text.as_ptr()
}

/// `toolbox_version()`.
// SAFETY: whoever has a function of this name means this one.
#[unsafe(no_mangle)]
pub extern "C" fn toolbox_version() -> *const c_char {
    const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), "\0");
    VERSION.as_ptr().cast()
}
