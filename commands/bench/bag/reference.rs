//! What keeps nothing, to measure the others by: what the harness itself costs, and the least that a shared structure
//! can do with on this machine.
//!
//! The limit is one atomic addition for each operation. A structure that lets one thread keep its lines for long
//! stretches, as happens without own work in between, can be faster; that is then said instead of ranked.

use super::{Bag, Discipline, Payload};
use std::hint::black_box;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicU64, Ordering};

/// Takes everything and hands out something.
pub(super) struct Nothing<T>(PhantomData<fn() -> T>);

impl<T: Reference> Bag<T> for Nothing<T> {
    const KEEPS: bool = false;
    const DISCIPLINE: Discipline = Discipline::Queue;

    fn new(_: usize) -> Self {
        Self(PhantomData)
    }

    fn push(&self, item: T) -> Result<(), T> {
        black_box(item);
        Ok(())
    }

    fn pop(&self) -> Option<T> {
        Some(T::any())
    }
}

/// The same, but that every operation claims a place, as a queue would: at one end or at the other.
pub(super) struct TwoWords<T> {
    head: Padded,
    tail: Padded,
    items: PhantomData<fn() -> T>,
}

/// A word that no other shares its line with, nor the line beside it that the processor fetches along.
#[derive(Default)]
#[repr(align(128))]
struct Padded(AtomicU64);

impl<T: Reference> Bag<T> for TwoWords<T> {
    const KEEPS: bool = false;
    const DISCIPLINE: Discipline = Discipline::Queue;

    fn new(_: usize) -> Self {
        Self { head: Padded::default(), tail: Padded::default(), items: PhantomData }
    }

    fn push(&self, item: T) -> Result<(), T> {
        self.tail.0.fetch_add(1, Ordering::AcqRel);
        black_box(item);
        Ok(())
    }

    fn pop(&self) -> Option<T> {
        self.head.0.fetch_add(1, Ordering::AcqRel);
        Some(T::any())
    }
}

/// The same, but that both operations claim a place at the one end that a stack has.
pub(super) struct OneWord<T> {
    top: Padded,
    items: PhantomData<fn() -> T>,
}

impl<T: Reference> Bag<T> for OneWord<T> {
    const KEEPS: bool = false;
    const DISCIPLINE: Discipline = Discipline::Stack;

    fn new(_: usize) -> Self {
        Self { top: Padded::default(), items: PhantomData }
    }

    fn push(&self, item: T) -> Result<(), T> {
        self.top.0.fetch_add(1, Ordering::AcqRel);
        black_box(item);
        Ok(())
    }

    fn pop(&self) -> Option<T> {
        self.top.0.fetch_sub(1, Ordering::AcqRel);
        Some(T::any())
    }
}

/// What a reference hands out.
pub(super) trait Reference {
    /// One that nobody put in.
    fn any() -> Self;
}

impl<T: Payload> Reference for T {
    #[inline]
    fn any() -> Self {
        T::make(0)
    }
}
