//! Measures what several threads do to one structure, so that the figure holds.
//!
//! - [`crew`] runs threads that begin together and hold the clock themselves.
//! - [`rounds`] measures several subjects side by side, in shuffled rounds, and drops samples of a machine that was moved.
//! - [`verify`] makes items that can be told apart, and checks that each came out once and in order.
//! - [`stats`] says what the samples allow: medians, and ratios with an interval of 99 %.
//! - [`Histogram`] counts how long single operations took; [`link`] is the time of a cache line between two processors;
//!   [`host`] describes the machine and what is doubtful about it; [`heap_in_use`] is what the allocator has given out.
//!
//! It knows no structure and no rival, prints nothing, and leaves it to the caller what a unit of work is.
//!
//! ```
//! use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
//! use toolbox::bench::{crew, rounds};
//!
//! let counter = AtomicU64::new(0);
//! let count = |ordering: Ordering| -> rounds::Subject<'_> {
//!     let counter = &counter;
//!     Box::new(move |_| {
//!         let shifts = crew::run(2, &[], |_| (0..1000).for_each(|_| drop(counter.fetch_add(1, ordering))));
//!         Ok(rounds::Sample { units: 2000, elapsed: crew::elapsed(&shifts), ..rounds::Sample::default() })
//!     })
//! };
//! let subjects = [count(Ordering::Relaxed), count(Ordering::SeqCst)];
//! let plan = rounds::Plan { rounds: 9, latency_rounds: 0, budget: None, link: None, seed: 1 };
//! let report = rounds::measure(&subjects, &plan, &AtomicBool::new(false), &mut |_, _, _| {});
//! let ratio = report.series[0].speed_beside(&report.series[1]).expect("nine rounds were measured");
//! assert!(ratio.value > 0.0 && ratio.interval.is_some());
//! ```

pub mod crew;
pub mod freeze;
mod histogram;
pub mod host;
pub mod link;
pub mod random;
pub mod rounds;
pub mod stats;
pub mod verify;

pub use crate::sys::heap::in_use as heap_in_use;
pub use histogram::Histogram;
