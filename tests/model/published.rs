//! The three-flag mutex as it was published, kept to show that the models find what is wrong with it.
//!
//! An unlock that finds `NOT_EMPTY` clear frees the mutex, even if somebody holds the queue to put itself into it. That one
//! then sleeps on a free mutex, and nobody comes to wake it. Here nobody sleeps; it is looked at in the end who would.

use super::primitive::{AtomicU32, yield_now};
use std::sync::atomic::Ordering::{AcqRel, Relaxed, Release};

const LOCKED: u32 = 1;
const QUEUE_LOCKED: u32 = 2;
const NOT_EMPTY: u32 = 4;

/// The protocol alone; of the list it is only known how many are in it.
pub(crate) struct Published {
    word: AtomicU32,
    waiting: AtomicU32,
    /// Whether taking the queue sets `NOT_EMPTY` in the same step.
    is_mended: bool,
}

impl Published {
    pub(crate) fn new(is_mended: bool) -> Self {
        Self { word: AtomicU32::new(0), waiting: AtomicU32::new(0), is_mended }
    }

    /// Takes the mutex, or a place in the list.
    pub(crate) fn lock(&self) -> bool {
        loop {
            let word = self.word.load(Relaxed);
            if word & QUEUE_LOCKED != 0 {
                yield_now();
            } else if word & LOCKED == 0 {
                if self.exchange(word, word | LOCKED) {
                    return true;
                }
            } else {
                let also = if self.is_mended { NOT_EMPTY } else { 0 };
                if self.exchange(word, word | QUEUE_LOCKED | also) {
                    break;
                }
            }
        }
        self.waiting.fetch_add(1, Relaxed);
        self.word.fetch_or(NOT_EMPTY, AcqRel);
        self.word.fetch_and(!QUEUE_LOCKED, Release);
        false
    }

    /// Frees the mutex, or hands it to the first in the list.
    pub(crate) fn unlock(&self) {
        loop {
            let word = self.word.load(Relaxed);
            if word & NOT_EMPTY == 0 {
                if self.exchange(word, word & !LOCKED) {
                    return;
                }
            } else if word & QUEUE_LOCKED == 0 {
                if self.exchange(word, word | QUEUE_LOCKED) {
                    break;
                }
            } else {
                yield_now();
            }
        }
        let is_last = self.waiting.fetch_sub(1, Relaxed) == 1;
        let clear = if is_last { QUEUE_LOCKED | NOT_EMPTY } else { QUEUE_LOCKED };
        self.word.fetch_and(!clear, Release);
    }

    /// Whether somebody waits for a mutex that nobody has.
    pub(crate) fn has_lost_one(&self) -> bool {
        self.word.load(Relaxed) & LOCKED == 0 && self.waiting.load(Relaxed) > 0
    }

    fn exchange(&self, seen: u32, next: u32) -> bool {
        self.word.compare_exchange(seen, next, AcqRel, Relaxed).is_ok()
    }
}
