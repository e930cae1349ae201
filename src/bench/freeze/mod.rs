//! Whether threads wait for each other, by experiment: one is frozen in the middle of an operation, after each of its
//! instructions in turn, and it is seen whether the others still finish theirs.
//!
//! An operation is lock-free when some thread always gets on, whatever the others do. A thread that is frozen is the
//! worst that another can do. So: a *victim* under ptrace does the operation up to one instruction and no further;
//! then the *others* work on the same structure, and either they finish or this instruction is one at which everybody
//! waits for the victim. The next time it is frozen elsewhere. Everything is set up anew for each stop, so that what is
//! seen there does not depend on the stops before.
//!
//! - [`play`] is the process in which that takes place, with the caller's structure and operations ([`Piece`]).
//! - [`Stage`] owns such a process, follows an operation once ([`Stage::follow`]), which gives its [`Route`], and then
//!   freezes the victim at any of its places ([`Stage::freeze`]).
//!
//! When do the others not finish? Not by the clock, which on a busy machine says nothing. They are stuck when each of
//! them sleeps and was not woken between two looks, since only the victim could wake it; or has used many times the
//! processor time that the same work takes when nobody is frozen. Until they were stuck for once in a series they get ten
//! times as long, so that one that never waits is not taken for one that does. When the victim is let go they have to finish; otherwise it was not the victim that they were
//! waiting for, and the series ends with [`Trouble::Stuck`].
//!
//! There is a way of waiting that these signs miss: the others get on, but what they put in cannot be taken out for as
//! long as the victim is frozen. They count that themselves ([`Outcome::Withholds`]).
//!
//! A system call is a single instruction here: no stop is inside the kernel. What is not seen is whatever takes two
//! frozen threads, or states of the structure in which it is not tried: an experiment can show that threads wait, and not
//! that they never do.

mod stage;
#[cfg(test)]
mod tests;
mod victim;
mod watch;

pub use stage::{Piece, play};
pub use victim::{Route, spread};

use stage::Theatre;
use std::fmt;
use std::io;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use victim::Victim;
use watch::Watch;

/// How long a process may take for what should take no time. It only has to be scheduled.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between two looks at threads that are not done.
const LOOK: Duration = Duration::from_millis(1);
/// Threads that spin have so many times the processor time that they need otherwise, and this much at least.
const TIMES: u32 = 6;
const SPINNING: Duration = Duration::from_millis(6);
/// So much longer, until it has been seen in the series that they wait: where they never do, always.
const CONFIRMED: u32 = 10;

/// What the others did while the victim was frozen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// They finished.
    Free,
    /// They slept, waiting for the victim.
    Sleep,
    /// They spun, waiting for the victim.
    Spin,
    /// They finished, but could not take out this many of the items inside.
    Withholds(u64),
}

/// One stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frozen {
    /// How many instructions of the operation were done.
    pub after: usize,
    /// The address of the instruction that was next.
    pub address: u64,
    /// What the others did.
    pub outcome: Outcome,
}

/// Why an experiment ended early.
#[derive(Debug)]
pub enum Trouble {
    /// The kernel refused to trace.
    Refused(io::Error),
    /// The kernel refused something else, or the process does not answer.
    Failed(io::Error),
    /// The victim is gone, by this signal if any.
    Dead(Option<i32>),
    /// The victim did not come to its next place in time.
    Late,
    /// The operation takes more instructions than are followed.
    Endless(usize),
    /// The others did not go on when the victim was let go.
    Stuck,
    /// The others were given so little of the processors that it cannot be told whether they wait.
    Unclear,
    /// What came out was not what went in.
    Wrong(String),
}

/// The threads of an experiment, by their numbers.
#[derive(Clone, Debug)]
struct Cast {
    process: u32,
    victim: u32,
    others: Vec<u32>,
}

/// What the victim is to do, and to what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scene {
    /// The operation, as a place in [`Piece::operations`].
    pub operation: usize,
    /// What [`Piece::make`] is told.
    pub numbers: Vec<u64>,
}

/// A process that plays a piece, and its tracer: the thread that opened it, which must be the one to use it.
#[derive(Debug)]
pub struct Stage {
    // Killed before it is let go: otherwise the process could not be buried.
    victim: Victim,
    theatre: Theatre,
    entries: Vec<u64>,
    /// What the others' work takes when nobody is frozen, in processor time.
    usual: Duration,
}

impl Stage {
    /// Starts `command`, which has to [`play`] a piece on its standard input and output, and takes over its victim.
    ///
    /// # Errors
    /// [`Trouble::Refused`] when the kernel does not allow it; others when the process cannot be started or does not play.
    pub fn open(command: Command) -> Result<Self, Trouble> {
        let (theatre, victim, entries) = Theatre::open(command)?;
        Ok(Self { victim, theatre, entries, usual: Duration::ZERO })
    }

    /// The number of the process.
    #[must_use]
    pub fn process(&self) -> u32 {
        self.victim.cast().process
    }

    /// Puts a question to the piece.
    ///
    /// # Errors
    /// When the process does not answer.
    pub fn ask(&mut self, numbers: &[u64]) -> Result<Vec<u64>, Trouble> {
        self.theatre.say(&line("ask", numbers))?;
        self.theatre.told()
    }

    /// Follows the operation of a scene from its first to its last instruction, and sees what the others' work takes when
    /// it is over.
    ///
    /// # Errors
    /// [`Trouble::Endless`] when it is too long to be followed, after which the stage can be used on; others when the
    /// experiment cannot go on, or what comes out is wrong.
    pub fn follow(&mut self, scene: &Scene) -> Result<Route, Trouble> {
        let entry = *self.entries.get(scene.operation).ok_or(Trouble::Late)?;
        self.set(scene)?;
        let route = match self.victim.follow(entry) {
            Err(endless @ Trouble::Endless(_)) => {
                self.settle()?;
                return Err(endless);
            }
            route => route?,
        };
        let watch = Watch::new(self.victim.cast());
        self.theatre.say("work")?;
        self.done(PATIENCE)?.ok_or(Trouble::Unclear)?;
        self.usual = self.usual.max(watch.used());
        self.settle()?;
        Ok(route)
    }

    /// Freezes the victim at each of `places` of the route in turn, until `stop` is set, and appends what is seen to
    /// `frozen`. A place that the victim does not come to again is left out. `progress` is told how many were tried.
    ///
    /// # Errors
    /// When the experiment cannot go on; what was seen until then is in `frozen`.
    pub fn freeze(
        &mut self,
        scene: &Scene,
        route: &Route,
        places: &[usize],
        stop: &AtomicBool,
        frozen: &mut Vec<Frozen>,
        progress: &mut dyn FnMut(usize),
    ) -> Result<(), Trouble> {
        let mut is_confirmed = false;
        for (tried, &after) in places.iter().enumerate() {
            if stop.load(Ordering::Relaxed) {
                break;
            }
            progress(tried);
            self.set(scene)?;
            let Some(address) = self.victim.freeze(route, after)? else {
                self.victim.leave()?;
                self.settle()?;
                continue;
            };
            let outcome = self.watch(if is_confirmed { 1 } else { CONFIRMED })?;
            is_confirmed |= matches!(outcome, Outcome::Sleep | Outcome::Spin);
            frozen.push(Frozen { after, address, outcome });
            self.settle()?;
        }
        Ok(())
    }

    /// Has the others work while the victim is frozen, and then lets it go.
    fn watch(&mut self, times: u32) -> Result<Outcome, Trouble> {
        let limit = SPINNING.max(self.usual * TIMES);
        let mut watch = Watch::new(self.victim.cast());
        self.theatre.say("work")?;
        while watch.begin.elapsed() < PATIENCE {
            if let Some(withheld) = self.done(LOOK)? {
                self.victim.finish()?;
                return Ok(if withheld > 0 { Outcome::Withholds(withheld) } else { Outcome::Free });
            }
            let Some(outcome) = watch.look(limit, times) else { continue };
            // They may have finished just now, and sleep because there is nothing left to do.
            let at_last = self.done(Duration::ZERO)?;
            self.victim.finish()?;
            return match at_last {
                Some(0) => Ok(Outcome::Free),
                Some(withheld) => Ok(Outcome::Withholds(withheld)),
                None => self.done(PATIENCE)?.map(|_| outcome).ok_or(Trouble::Stuck),
            };
        }
        Err(Trouble::Unclear)
    }

    fn set(&mut self, scene: &Scene) -> Result<(), Trouble> {
        let numbers: Vec<u64> = std::iter::once(scene.operation as u64).chain(scene.numbers.iter().copied()).collect();
        self.theatre.say(&line("set", &numbers))?;
        self.theatre.soon("@set").map(|_| ())
    }

    /// Whether the others are done within `patience`, and how many items they could not get at.
    fn done(&mut self, patience: Duration) -> Result<Option<u64>, Trouble> {
        let withheld = self.theatre.answer("@done", patience)?;
        withheld.map(|number| number.parse().map_err(|_| Trouble::Late)).transpose()
    }

    fn settle(&mut self) -> Result<(), Trouble> {
        self.theatre.say("settle")?;
        let fault = self.theatre.soon("@settled")?;
        if fault.is_empty() { Ok(()) } else { Err(Trouble::Wrong(fault)) }
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // A thread that is traced is only gone when its tracer has seen it go, and before that its process is not.
        self.theatre.kill();
        self.victim.bury();
    }
}

fn line(word: &str, numbers: &[u64]) -> String {
    numbers.iter().fold(word.to_owned(), |line, number| format!("{line} {number}"))
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::Failed(error)
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(error) => write!(formatter, "the kernel refuses to trace: {error}"),
            Self::Failed(error) => write!(formatter, "the process of the experiment fails: {error}"),
            Self::Dead(None) => formatter.write_str("the victim died"),
            Self::Dead(Some(signal)) => write!(formatter, "the victim got signal {signal}"),
            Self::Late => formatter.write_str("the victim did not come where it was expected"),
            Self::Endless(most) => write!(formatter, "the operation takes more than {most} instructions"),
            Self::Stuck => formatter.write_str("the others did not go on when the victim did"),
            Self::Unclear => formatter.write_str("the host is too busy to tell whether the others wait"),
            Self::Wrong(what) => formatter.write_str(what),
        }
    }
}

impl std::error::Error for Trouble {}
