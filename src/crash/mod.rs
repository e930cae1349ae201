//! Where a program died, and why.
//!
//! [`install`] sets handlers for the signals that end a program. When one comes, the report is written first in raw
//! lines, then with names, then the signal takes the course that it would have taken without us. A healthy program pays
//! for the installation and nothing more.
//!
//! ```no_run
//! toolbox::crash::install().expect("no memory for a stack");
//! ```
//!
//! The parts, from the bottom:
//!
//! - [`memory`]: reads that may fail, of our own memory and of others'.
//! - [`maps`] and [`modules`]: what is mapped where, from `/proc/PID/maps`; [`linked`], the same without it.
//! - [`registers`]: the registers of a frame.
//! - [`unwind`]: from a frame to its caller, by tables, frame pointers, repair and search.
//! - `symbolize` (feature `symbolize`): names and lines, without the program's heap.
//! - [`signal`] and [`fault`]: signals, their codes and their addresses in words.
//! - [`record`]: what is known of a crash, as plain data of a fixed size.
//! - [`options`]: what a report is to be like.
//! - `install`, `altstack`, `handler`, `chain`: from the installation to the death.
//!
//! Everything that is marked *Signal-safe* may be called in a handler of a fatal signal, whatever the program was doing:
//! it allocates nothing, takes no lock, touches no thread-local variable and calls nothing that does.

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
compile_error!("the feature `crash` knows the registers of x86-64 and of 64-bit ARM, and of no other machine");

mod altstack;
mod chain;
mod child;
pub mod fault;
mod files;
mod handler;
mod headers;
mod install;
#[cfg(target_arch = "x86_64")]
mod instruction;
mod json;
pub mod linked;
pub mod maps;
pub mod memory;
pub mod modules;
#[cfg(feature = "symbolize")]
mod names;
pub mod options;
mod panic;
pub mod record;
pub mod registers;
mod render;
pub mod signal;
mod sink;
mod site;
mod step;
#[cfg(feature = "symbolize")]
pub mod symbolize;
mod text;
mod threads;
pub mod unwind;
mod window;
mod writer;

pub use altstack::{ThreadGuard, is_enough, thread_guard};
pub use chain::{exchange_next, next};
pub use install::{InstallError, install, is_handling, is_installed, trace, uninstall};
pub use options::{Builder, Callback, Chain, Color, Destination};
