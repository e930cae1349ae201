//! Whether a writer panicked while it held the lock.
//!
//! The flag is read and written only by those who hold the lock, but for `clear` and a look from outside; so it needs
//! no order of its own.

use crate::primitive::{AtomicU32, constant};
use std::sync::atomic::Ordering::Relaxed;

#[derive(Debug)]
pub(crate) struct Poison {
    is_set: AtomicU32,
}

impl Poison {
    constant! {
        pub(crate) fn new() -> Self {
            Self { is_set: AtomicU32::new(0) }
        }
    }

    pub(crate) fn is_set(&self) -> bool {
        self.is_set.load(Relaxed) != 0
    }

    pub(crate) fn set(&self, is_set: bool) {
        self.is_set.store(is_set.into(), Relaxed);
    }
}
