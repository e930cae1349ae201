//! The runtime library behind the `toolbox` command.
//!
//! Nothing here prints, parses arguments or exits: a subcommand does that, and a program that links this
//! library can do everything a subcommand does. No feature is on by default; the feature table in `Cargo.toml`
//! is the module graph.
//!
//! In reading order:
//!
//! - `sys` (feature `sys`): the only place that speaks to the kernel. Directories, file metadata,
//!   extents, mounts; each call is a safe function that returns an owned value or the error number.
//! - [`fragment`] (feature `fragment`): which files lie in pieces. Folds extents into fragments, walks trees in
//!   parallel, reads whole file systems at metadata speed, and keeps a ranking in bounded memory.
//! - [`mod@bench`] (feature `bench`): measures what several threads do to one structure, beside others, so that the figures
//!   hold: interleaved rounds, workers that own the clock, a check that what came out is what went in.
//! - `primitive` and `util`, with whichever feature needs them: atomics and cells, which a model checker can stand in
//!   for, and small leaves.
//! - [`queue`] (feature `queue`): first in, first out, between any number of threads, without locks.
//! - [`stack`] (feature `stack`): last in, first out, likewise.
//! - [`wait`] (feature `wait`): a thread waits for a future, in the one way in which anything here waits.
//! - [`event`] (feature `event`): signals between threads and tasks: a flag, a count, a condition on a value.
//! - [`mutex`] (feature `mutex`): a lock that tasks await and threads block on, and one that is strictly fair.
//! - [`rwlock`] (feature `rwlock`): a lock for one writer or many readers, writers first.
//! - [`crash`] (feature `crash`, with names and lines `symbolize`): what a program says when it dies: where, and why.
//! - `capi` (feature `capi`): the same for C and C++, as `libtoolbox.so` and `libtoolbox.a`; not for programs in Rust.
//!
//! Threads and tasks wait for each other in one line:
//!
#![cfg_attr(all(feature = "event", feature = "mutex"), doc = "```")]
#![cfg_attr(not(all(feature = "event", feature = "mutex")), doc = "```ignore")]
//! use std::collections::VecDeque;
//! use std::thread;
//! use toolbox::event::Condition;
//! use toolbox::mutex::Mutex;
//! use toolbox::wait::block_on;
//!
//! let (jobs, changed) = (Mutex::new(VecDeque::new()), Condition::new());
//! thread::scope(|scope| {
//!     // A thread blocks until there is a job. A task would do the same by lock_when(..).await.
//!     let worker = scope.spawn(|| changed.lock_when_blocking(&jobs, |jobs| !jobs.is_empty()).pop_front());
//!     block_on(async { jobs.lock().await.push_back("write it") });
//!     changed.notify_one();
//!     assert_eq!(worker.join().unwrap(), Some("write it"));
//! });
//! ```

#![warn(missing_docs)]

#[cfg(feature = "sys")]
pub mod sys;

#[cfg(feature = "fragment")]
pub mod fragment;

#[cfg(feature = "bench")]
pub mod bench;

#[cfg(any(feature = "queue", feature = "stack", feature = "wait"))]
mod primitive;

#[cfg(any(feature = "queue", feature = "stack", feature = "wait"))]
mod util;

#[cfg(feature = "queue")]
pub mod queue;

#[cfg(feature = "stack")]
pub mod stack;

#[cfg(feature = "wait")]
pub mod wait;

#[cfg(feature = "event")]
pub mod event;

#[cfg(feature = "mutex")]
pub mod mutex;

#[cfg(feature = "rwlock")]
pub mod rwlock;

#[cfg(feature = "crash")]
pub mod crash;

#[cfg(feature = "capi")]
pub mod capi;
