//! How long to look before going to sleep.
//!
//! To sleep and be woken costs two system calls and a scheduler's decision, some microseconds in which neither side gets
//! anything done. When what is waited for comes sooner than that, looking again and again is cheaper for both. When it
//! does not, or when the one that has to bring it needs this very processor, the time is lost. Nobody knows beforehand;
//! so it is learnt from how the last waits went. The limit of a wait that had to sleep after all is lowered by an eighth, and
//! after a wait that ended early the limit is at least twice what that took. Now and then the longest look is tried,
//! because what was too far away yesterday may not be so today.
//!
//! The longest look is about as long as a sleep costs: then the worst case is twice the best (Karlin, Manasse, McGeoch,
//! Owicki, 1990). It is counted in the processor's pauses, which last 4 ns on one processor and 140 on another, so
//! their length is measured when a process first waits. On a single processor nobody looks at all.
//!
//! It belongs to whoever waits for one kind of thing: a thread has one for all its wakers, a lock one of its own, which it
//! keeps as a plain number.

use crate::primitive::{IS_MODEL, spin_loop};
use std::sync::OnceLock;
use std::time::Instant;

/// About what it takes to hand something over to a thread that sleeps.
const HAND_OVER_NS: u32 = 20_000;

/// No more pauses than this, however short they are.
const MOST_PAUSES: u32 = 8_000;

/// After so many waits that had to sleep, one looks as long as is ever sensible.
const BETWEEN_TRIALS: u16 = 32;

/// How long it has paid to look before sleeping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Patience {
    /// Pauses, at most.
    limit: u16,
    /// Waits in a row that had to sleep.
    failures: u16,
}

impl Patience {
    /// Of one who knows nothing yet.
    pub(crate) const NEW: Self = Self { limit: 100, failures: 0 };

    /// The longest look that is ever sensible on this host, in pauses; none on a single processor.
    #[allow(dead_code, reason = "for the locks, each of which is a feature of its own")]
    pub(crate) fn longest() -> u16 {
        most_pauses()
    }

    /// Looks until there is something or patience is at an end, and learns from it. Whether there was something.
    pub(crate) fn look(&mut self, mut is_there: impl FnMut() -> bool) -> bool {
        let most = most_pauses();
        let limit = if self.failures >= BETWEEN_TRIALS { most } else { self.limit.min(most) };
        for spent in 0..limit {
            if is_there() {
                self.succeeded(spent, most);
                return true;
            }
            spin_loop();
        }
        self.failed();
        false
    }

    fn succeeded(&mut self, spent: u16, most: u16) {
        let wanted = spent.saturating_mul(2).saturating_add(16).min(most);
        self.limit = (self.limit - self.limit / 8).max(wanted);
        self.failures = 0;
    }

    fn failed(&mut self) {
        self.limit -= self.limit.div_ceil(8);
        self.failures = if self.failures >= BETWEEN_TRIALS { 0 } else { self.failures + 1 };
    }

    /// To be kept in a word.
    #[allow(dead_code, reason = "for the locks, each of which is a feature of its own")]
    pub(crate) fn to_bits(self) -> u32 {
        u32::from(self.failures) << 16 | u32::from(self.limit)
    }

    /// From a word that [`to_bits`](Self::to_bits) made; any other is a patience, too.
    #[allow(dead_code, reason = "as above")]
    pub(crate) fn from_bits(bits: u32) -> Self {
        Self { limit: bits as u16, failures: (bits >> 16) as u16 }
    }
}

/// The longest look that is ever sensible on this host, in pauses; none on a single processor.
fn most_pauses() -> u16 {
    static MOST: OnceLock<u16> = OnceLock::new();
    if IS_MODEL {
        return 0;
    }
    *MOST.get_or_init(|| {
        let is_alone = std::thread::available_parallelism().is_ok_and(|processors| processors.get() == 1);
        if is_alone { 0 } else { (HAND_OVER_NS * 100 / pauses_100_ns()).clamp(1, MOST_PAUSES) as u16 }
    })
}

/// How long a hundred pauses take, in nanoseconds: at least 1.
fn pauses_100_ns() -> u32 {
    let timed = |_| {
        let start = Instant::now();
        (0..100).for_each(|_| spin_loop());
        start.elapsed().as_nanos()
    };
    // The least of several: a thread that loses its processor in between would seem to pause for very long.
    let least = (0..3).map(timed).min().unwrap_or(1);
    u32::try_from(least).unwrap_or(u32::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_is_seen_at_once() {
        let mut patience = Patience::NEW;
        assert!(patience.look(|| true) || most_pauses() == 0);
    }

    #[test]
    fn what_never_comes_is_hardly_looked_for_in_the_end() {
        let mut patience = Patience::NEW;
        for _ in 0..100 {
            assert!(!patience.look(|| false));
        }
        let mut looks = 0_u32;
        let waits = u32::from(BETWEEN_TRIALS) + 1;
        for _ in 0..waits {
            patience.look(|| {
                looks += 1;
                false
            });
        }
        // One trial, and nothing besides.
        assert_eq!(looks, u32::from(most_pauses()));
    }

    #[test]
    fn what_comes_soon_is_waited_for() {
        let most = most_pauses();
        if most == 0 {
            return;
        }
        let mut patience = Patience { limit: 0, failures: 0 };
        let late = most / 2;
        let mut slept = 0;
        for _ in 0..10 * (BETWEEN_TRIALS + 1) {
            let mut looks = 0;
            let came = patience.look(|| {
                looks += 1;
                looks > late
            });
            slept += u16::from(!came);
        }
        // Until the first trial; from then on never.
        assert_eq!(slept, BETWEEN_TRIALS);
    }

    #[test]
    fn a_word_can_keep_it() {
        let mut patience = Patience::NEW;
        for _ in 0..50 {
            patience.look(|| false);
            assert_eq!(Patience::from_bits(patience.to_bits()), patience);
        }
        // Whatever is in the word, a look comes to an end.
        assert!(!Patience::from_bits(u32::MAX).look(|| false));
    }
}
