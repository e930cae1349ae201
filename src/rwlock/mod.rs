//! A lock for one writer or many readers, writers first.
//!
//! [`SharedLock`] holds a value. It refuses to let a thread wait for itself, tells of a writer that panicked, can be given
//! up after a time, and sleeps where waiting takes long, so that it is as good with more threads than processors as with fewer.
//! [`RawSharedLock`] is the word alone, for other locks to be built on; and either can spin or yield as the classic lock
//! of this kind does ([`Waiting`]).
//!
//! ```
//! use toolbox::rwlock::SharedLock;
//! use std::thread;
//!
//! static SCORES: SharedLock<Vec<u32>> = SharedLock::new(Vec::new());
//!
//! thread::scope(|scope| {
//!     for score in 1..=3 {
//!         scope.spawn(move || SCORES.write().unwrap().push(score));
//!     }
//! });
//! let scores = SCORES.read().unwrap();
//! assert_eq!(scores.iter().sum::<u32>(), 6);
//! ```
//!
//! What is not here: an upgrade that waits. Two readers that both wait to become the writer wait for each other for ever, so
//! one of them has to be refused, and has to let go and look at everything again: that is [`ReadGuard::try_upgrade`] and
//! then [`SharedLock::write`]. The other way out, a third kind of lock of which there is one at a time, makes every
//! reader's path and every reader of the code pay for the few who upgrade.

mod error;
mod guard;
mod held;
mod lock;
mod mapped;
mod options;
mod poison;
mod word;

#[cfg(test)]
mod tests;

pub use error::LockError;
pub use guard::{ReadGuard, WriteGuard};
pub use lock::SharedLock;
pub use mapped::{MappedReadGuard, MappedWriteGuard};
pub use options::{Options, Waiting};
pub use word::{RawSharedLock, Refusal};
