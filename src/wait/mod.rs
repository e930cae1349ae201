//! The one way in which a thread waits: for a future, behind a [`std::task::Waker`].
//!
//! Whatever can be waited for in this library is a future, and whoever waits, a task of some executor or a plain
//! thread, leaves a waker. So threads and tasks mix, and there is one protocol to prove. A thread waits by [`block_on`]; the
//! structures offer that as `…_blocking` and `…_timeout`.
//!
//! No wake-up is lost: one that comes between a poll and the sleep ends the sleep before it begins. A thread looks for a while
//! before it sleeps, as long as has paid lately and never longer than a sleep costs; then it sleeps in the kernel.
//! Waiting allocates nothing (but for a thread's first wait, 128 bytes that are used again after the thread's end).
//!
//! What is not here: an executor. [`block_on`] polls one future and nothing else, and it is not for a thread
//! that has other tasks to run.

mod block;
mod guarded;
mod parker;
mod patience;

#[cfg(test)]
mod tests;

pub use block::{TimedOut, block_on, block_on_deadline, block_on_timeout};
pub use guarded::Guarded;
#[allow(unused_imports, reason = "for the structures, each of which is a feature of its own")]
pub(crate) use {block::look, patience::Patience};
