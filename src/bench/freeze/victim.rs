//! The thread that is frozen: followed once through its operation, and then brought to any place on that route.
//!
//! A single step costs the way into the kernel and back twice, and more on a virtual machine: some 5 to 50 us. The
//! whole operation by single steps for every stop would take the square of its length. So a place is reached by a
//! breakpoint where its instruction is passed for the first time, by several hits of one, or by a breakpoint before it and
//! steps from there: whichever takes the fewest traps.
//!
//! A breakpoint is a trap in the code, which all threads of the process would run into. It is only there while the
//! victim goes to it, and all others sleep ([`Victim::freeze`] makes sure of that).

use super::watch::Watched;
use super::{Cast, PATIENCE, Trouble};
use crate::sys::trace::{Breakpoint, Registers, Stop, Tracee};
use std::collections::HashMap;
use std::time::Instant;

/// An operation that takes more instructions is not followed to its end.
const LONGEST: usize = 200_000;

/// The instructions of an operation, in the order in which they were done.
#[derive(Clone, Debug)]
pub struct Route {
    addresses: Vec<u64>,
    /// How often the address was passed before, for each.
    passes: Vec<u32>,
    /// The latest place, up to each, that is passed there for the first time.
    anchors: Vec<usize>,
}

/// A traced thread that stops at a mark before its operation and at one after it.
#[derive(Debug)]
pub(super) struct Victim {
    tracee: Tracee,
    cast: Cast,
}

impl Route {
    /// A route over these addresses.
    #[must_use]
    pub fn new(addresses: Vec<u64>) -> Self {
        let mut seen: HashMap<u64, u32> = HashMap::new();
        let (mut passes, mut anchors) = (Vec::new(), Vec::new());
        let mut anchor = 0;
        for (place, &address) in addresses.iter().enumerate() {
            let passed = seen.entry(address).or_default();
            if *passed == 0 {
                anchor = place;
            }
            passes.push(*passed);
            anchors.push(anchor);
            *passed += 1;
        }
        Self { addresses, passes, anchors }
    }

    /// How many instructions there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.addresses.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.addresses.is_empty()
    }

    /// The addresses, in order.
    #[must_use]
    pub fn addresses(&self) -> &[u64] {
        &self.addresses
    }

    /// The places to stop at: before each instruction, but where one is passed more than twice, only at its first and its
    /// last time.
    #[must_use]
    pub fn ends(&self) -> Vec<usize> {
        let last: HashMap<u64, usize> = self.addresses.iter().enumerate().map(|(place, &at)| (at, place)).collect();
        let is_end = |&place: &usize| self.passes[place] == 0 || last[&self.addresses[place]] == place;
        (0..self.len()).filter(is_end).collect()
    }
}

/// `most` of `places`, evenly spread, with the first and the last.
#[must_use]
pub fn spread(places: &[usize], most: usize) -> Vec<usize> {
    if places.len() <= most {
        return places.to_vec();
    }
    let steps = most.saturating_sub(1).max(1);
    (0..most).map(|step| places[step * (places.len() - 1) / steps]).collect()
}

impl Victim {
    /// Takes over the victim of `cast`.
    pub(super) fn seize(cast: Cast) -> Result<Self, Trouble> {
        Ok(Self { tracee: Tracee::seize(cast.victim).map_err(Trouble::Refused)?, cast })
    }

    /// Follows an operation, whose function begins at the address `entry`, from the mark before it to its end, and lets
    /// the thread go on to the mark after it and beyond.
    pub(super) fn follow(&self, entry: u64) -> Result<Route, Trouble> {
        self.arrive()?;
        if !self.run_to(entry)? {
            return Err(Trouble::Late);
        }
        let mut addresses = Vec::new();
        let entry = self.tracee.registers()?;
        let mut now = entry;
        while !is_over(entry, now) {
            if addresses.len() == LONGEST {
                self.finish()?;
                return Err(Trouble::Endless(LONGEST));
            }
            addresses.push(now.pc);
            now = self.step()?;
        }
        self.finish()?;
        Ok(Route::new(addresses))
    }

    /// Brings the thread from the mark before its operation to a place on its route, and returns the address of the next
    /// instruction. None if it took another way and never came there; then it stands at the mark after the operation.
    pub(super) fn freeze(&self, route: &Route, place: usize) -> Result<Option<u64>, Trouble> {
        self.arrive()?;
        // The operation's own beginning first: the code between the mark and it may pass the same instructions.
        let entry = route.addresses[0];
        if !self.run_to(entry)? {
            return Ok(None);
        }
        let (anchor, passes) = (route.anchors[place], route.passes[place] as usize);
        let by_hits = 2 * passes < place - anchor;
        let first = if by_hits { route.addresses[place] } else { route.addresses[anchor] };
        if first != entry && !self.run_to(first)? {
            return Ok(None);
        }
        let mut now = self.tracee.registers()?;
        for _ in 0..if by_hits { passes } else { place - anchor } {
            now = self.step()?;
            if by_hits {
                if !self.run_to(first)? {
                    return Ok(None);
                }
                now = self.tracee.registers()?;
            }
        }
        Ok(Some(now.pc))
    }

    /// The threads of the experiment.
    pub(super) fn cast(&self) -> &Cast {
        &self.cast
    }

    /// Lets the thread go on from where it stands, and does not wait for it.
    pub(super) fn leave(&self) -> Result<(), Trouble> {
        Ok(self.tracee.go_on()?)
    }

    /// Waits for the thread to be gone, after its process was killed.
    pub(super) fn bury(&self) {
        // An error says that it is not there to be waited for.
        while let Ok(Some(stop)) = self.tracee.wait(PATIENCE) {
            if stop == Stop::Gone {
                return;
            }
        }
    }

    /// Lets the thread go on to the mark after its operation, and past it.
    pub(super) fn finish(&self) -> Result<(), Trouble> {
        self.tracee.go_on()?;
        self.come(Stop::Mark)?;
        Ok(self.tracee.go_on()?)
    }

    /// Waits for the mark before the operation, and for all others to sleep. Until they are told to begin they touch no
    /// code of the operation, where there are going to be breakpoints that nobody would catch for them.
    fn arrive(&self) -> Result<(), Trouble> {
        self.come(Stop::Mark)?;
        let begin = Instant::now();
        let mut threads: Vec<_> = self.cast.others.iter().map(|&other| Watched::new(&self.cast, other)).collect();
        while !threads.iter_mut().all(|thread| thread.sleeps().is_some()) {
            if begin.elapsed() > PATIENCE {
                return Err(Trouble::Unclear);
            }
            std::thread::yield_now();
        }
        Ok(())
    }

    fn step(&self) -> Result<Registers, Trouble> {
        self.tracee.step()?;
        self.come(Stop::Trap)?;
        Ok(self.tracee.registers()?)
    }

    /// Lets the thread go on to `address`. False if it came to its mark instead, and stands there.
    fn run_to(&self, address: u64) -> Result<bool, Trouble> {
        let breakpoint = self.tracee.set(address)?;
        let there = self.run_until(&breakpoint);
        self.tracee.clear(&breakpoint)?;
        there
    }

    fn run_until(&self, breakpoint: &Breakpoint) -> Result<bool, Trouble> {
        self.tracee.go_on()?;
        match self.stop()? {
            Stop::Trap if self.tracee.is_at(breakpoint)? => Ok(true),
            Stop::Mark => Ok(false),
            _ => Err(Trouble::Late),
        }
    }

    fn come(&self, expected: Stop) -> Result<(), Trouble> {
        if self.stop()? == expected { Ok(()) } else { Err(Trouble::Late) }
    }

    fn stop(&self) -> Result<Stop, Trouble> {
        match self.tracee.wait(PATIENCE)? {
            None => Err(Trouble::Late),
            Some(Stop::Gone) => Err(Trouble::Dead(None)),
            Some(Stop::Signal(signal)) => Err(Trouble::Dead(Some(signal))),
            Some(stop) => Ok(stop),
        }
    }
}

/// Whether the function that was `entry`ed has returned.
fn is_over(entry: Registers, now: Registers) -> bool {
    match entry.link {
        Some(link) => now.pc == link && now.sp >= entry.sp,
        None => now.sp > entry.sp,
    }
}
