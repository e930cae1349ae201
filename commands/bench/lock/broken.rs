//! Locks that are wrong on purpose, each in one way, to show that the check finds it.
//!
//! They appear in no list; `--with broken-writers` measures one, and the run ends with the evidence and exit code 1.

use super::{Lock, Record};
use std::sync::{PoisonError, RwLock};

/// Lets writers in whoever is inside.
#[derive(Debug)]
pub(super) struct OpenToWriters(RwLock<()>, Record);

impl Lock for OpenToWriters {
    fn new() -> Self {
        Self(RwLock::new(()), Record::default())
    }

    fn write<R>(&self, act: impl FnOnce(&Record) -> R) -> R {
        act(&self.1)
    }

    fn read<R>(&self, act: impl FnOnce(&Record) -> R) -> R {
        let _held = self.0.read().unwrap_or_else(PoisonError::into_inner);
        act(&self.1)
    }
}

/// Lets readers in beside a writer.
#[derive(Debug)]
pub(super) struct OpenToReaders(RwLock<()>, Record);

impl Lock for OpenToReaders {
    fn new() -> Self {
        Self(RwLock::new(()), Record::default())
    }

    fn write<R>(&self, act: impl FnOnce(&Record) -> R) -> R {
        let _held = self.0.write().unwrap_or_else(PoisonError::into_inner);
        act(&self.1)
    }

    fn read<R>(&self, act: impl FnOnce(&Record) -> R) -> R {
        act(&self.1)
    }
}
