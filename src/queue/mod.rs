//! First in, first out, between any number of threads.
//!
//! - [`Queue`]: without a limit. What to use unless there is a reason.
//! - [`PointerQueue`]: the same for boxes, references and other pointers, in an eighth less memory.
//! - [`Bounded`]: at most as many items as it was made for, in memory that is taken once.
//! - `Linked` (feature `queue-linked`): the textbook's linked list, for reference. Usually slower than [`Queue`], and its
//!   memory is not bounded while a thread stalls.
//!
//! All are linearizable: each operation takes effect at one instant between its call and its return, so an item that was
//! pushed before another was even begun leaves before it, whichever threads do the work. A pop on an empty queue returns
//! `None`, and whoever wants to sleep until there is something needs a lock or an event beside it. [`Queue`] and
//! `Linked` are lock-free; [`Bounded`] is not: an operation waits for one that was begun before it on the same slot.

mod block;
mod bounded;
mod group;
#[cfg(feature = "queue-linked")]
mod linked;
mod packed;
mod unbounded;
mod words;

#[cfg(test)]
mod tests;

pub use bounded::Bounded;
#[cfg(feature = "queue-linked")]
pub use linked::Linked;
pub use unbounded::{Drain, IntoIter, PointerQueue, Queue};
pub use words::Pointer;
