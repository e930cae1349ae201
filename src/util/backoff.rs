//! How long to keep off a word that others are changing.
//!
//! After a lost exchange the next attempt is put off, twice as long each time, so that one of several threads gets
//! through. While another thread has to act first, the wait is soon given over to the scheduler: that thread may need
//! this very core. Nothing here parks; every wait is bounded and the caller looks again after it.

use crate::primitive::{IS_MODEL, spin_loop, yield_now};

/// Pauses double up to two to this power, and no further.
const MOST_DOUBLINGS: u32 = 6;

/// How patient one operation has been.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    doublings: u32,
}

impl Backoff {
    /// After a lost exchange: somebody got through, so trying again makes sense soon.
    pub(crate) fn retry(&mut self) {
        if !IS_MODEL {
            (0..1_u32 << self.doublings).for_each(|_| spin_loop());
        }
        self.doublings = (self.doublings + 1).min(MOST_DOUBLINGS);
    }

    /// While another thread is in the middle of something.
    pub(crate) fn wait(&mut self) {
        if IS_MODEL || self.doublings == MOST_DOUBLINGS { yield_now() } else { self.retry() }
    }
}
