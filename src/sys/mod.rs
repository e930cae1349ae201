//! The kernel boundary.
//!
//! Every system call that the library makes is made in this folder, and every module here is a thin, safe face on
//! one of them: arguments are owned or borrowed Rust values, results are owned descriptors and plain structs, and
//! errors are [`std::io::Error`]s that carry the kernel's number. Nothing here decides anything; policy (what to
//! open, what to count, what to retry) lives with the callers.
//!
//! Unsafe code is denied for the crate. The files here that need it open with `#![allow(unsafe_code)]` under a
//! paragraph that says why.

#[cfg(feature = "fragment")]
pub mod block;
#[cfg(feature = "fragment")]
pub mod btrfs;
pub mod directory;
#[cfg(feature = "fragment")]
pub mod extents;
#[cfg(feature = "wait")]
pub(crate) mod futex;
#[cfg(feature = "fragment")]
pub mod handle;
#[cfg(feature = "bench")]
pub mod heap;
#[cfg(feature = "symbolize")]
pub mod mapping;
pub mod metadata;
pub mod mounts;
#[cfg(feature = "bench")]
pub mod processor;
#[cfg(feature = "crash")]
pub mod raw;
#[cfg(feature = "bench")]
pub mod trace;
pub mod usage;
#[cfg(feature = "fragment")]
pub mod xfs;

use std::io;

/// Turns the C convention "negative means look at errno" into a `Result`.
fn check(returned: libc::c_int) -> io::Result<libc::c_int> {
    if returned < 0 { Err(io::Error::last_os_error()) } else { Ok(returned) }
}

/// Repeats `call` for as long as a signal interrupts it.
fn retry<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.raw_os_error() == Some(libc::EINTR) => {}
            done => return done,
        }
    }
}
