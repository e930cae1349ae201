//! Where a program died.
//!
//! The parts, from the bottom:
//!
//! - [`memory`]: reads that may fail, of our own memory and of others'.
//! - [`maps`] and [`modules`]: what is mapped where, from `/proc/PID/maps`; [`linked`], the same without it.
//! - [`registers`]: the registers of a frame.
//! - [`unwind`]: from a frame to its caller, by tables, frame pointers, repair and search.
//!
//! Everything that is marked *Signal-safe* may be called in a handler of a fatal signal, whatever the program was doing:
//! it allocates nothing, takes no lock, touches no thread-local variable and calls nothing that does.

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
compile_error!("the feature `crash` knows the registers of x86-64 and of 64-bit ARM, and of no other machine");

mod headers;
pub mod linked;
pub mod maps;
pub mod memory;
pub mod modules;
pub mod registers;
pub mod unwind;
mod window;
