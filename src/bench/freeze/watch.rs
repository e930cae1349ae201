//! Whether threads get on, told by what they use and not by the clock.
//!
//! On a busy machine a thread may take any time for anything. But one that spins uses processor time, and one that sleeps
//! is either woken or not: its state and the number of times that it has gone to sleep tell. Both are in `/proc`.

use super::{Cast, Outcome};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Sleeping for so long without having been woken is sleeping for good. One that was woken and waits for a processor does
/// not sleep, so that a busy host makes no difference; one that sleeps for a time that it has set itself is found out
/// by the first time in a series, which takes ten times as long.
const ASLEEP: Duration = Duration::from_millis(3);
/// Threads that sleep, but wake up from time to time, have so long.
const DOZING: Duration = Duration::from_secs(1);

/// Looks at threads that should be getting on.
#[derive(Debug)]
pub(super) struct Watch {
    pub(super) begin: Instant,
    threads: Vec<Watched>,
}

#[derive(Debug)]
pub(super) struct Watched {
    folder: PathBuf,
    at_begin: Duration,
    /// Since when it has been asleep, as its count of sleeps tells.
    asleep: Option<(u64, Instant)>,
}

impl Watch {
    pub(super) fn new(cast: &Cast) -> Self {
        Self { begin: Instant::now(), threads: cast.others.iter().map(|&other| Watched::new(cast, other)).collect() }
    }

    /// The most processor time that any of them has used since.
    pub(super) fn used(&self) -> Duration {
        self.threads.iter().map(Watched::used).max().unwrap_or_default()
    }

    /// Whether all of them are stuck, and how: each has used its `limit` or sleeps; all of it `times` as long.
    pub(super) fn look(&mut self, limit: Duration, times: u32) -> Option<Outcome> {
        let dozes = self.begin.elapsed() > DOZING * times;
        let (mut all, mut spins) = (true, false);
        for thread in &mut self.threads {
            let sleeps = thread.sleeps();
            let is_asleep = sleeps.is_some_and(|since| since.elapsed() >= ASLEEP * times);
            let has_spun = thread.used() >= limit * times;
            spins |= has_spun;
            all &= is_asleep || has_spun || sleeps.is_some() && dozes;
        }
        all.then_some(if spins { Outcome::Spin } else { Outcome::Sleep })
    }
}

impl Watched {
    pub(super) fn new(cast: &Cast, thread: u32) -> Self {
        let folder = PathBuf::from(format!("/proc/{}/task/{thread}", cast.process));
        Self { at_begin: processor_time(&folder), folder, asleep: None }
    }

    /// Processor time since the begin.
    fn used(&self) -> Duration {
        processor_time(&self.folder).saturating_sub(self.at_begin)
    }

    /// Since when the thread has been asleep without a break, as far as is known.
    pub(super) fn sleeps(&mut self) -> Option<Instant> {
        let status = fs::read_to_string(self.folder.join("status")).unwrap_or_default();
        let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        let is_asleep = field("State:").is_some_and(|state| state.starts_with('S'));
        let count = field("voluntary_ctxt_switches:").and_then(|count| count.parse().ok()).filter(|_| is_asleep);
        self.asleep = match (count, self.asleep) {
            (Some(count), Some((known, since))) if known == count => Some((known, since)),
            (Some(count), _) => Some((count, Instant::now())),
            (None, _) => None,
        };
        self.asleep.map(|(_, since)| since)
    }
}

/// The processor time of a thread: in nanoseconds where the kernel counts them, otherwise in its hundredths of a second.
fn processor_time(folder: &Path) -> Duration {
    let read = |name| fs::read_to_string(folder.join(name)).unwrap_or_default();
    let precise: Option<u64> = read("schedstat").split(' ').next().and_then(|number| number.parse().ok());
    let ticks = || -> Option<u64> {
        // Behind the name, which may hold anything, come the state and ten numbers; then both times.
        let text = read("stat");
        let mut times = text.rsplit(')').next()?.split_whitespace().skip(11);
        Some(times.next()?.parse::<u64>().ok()? + times.next()?.parse::<u64>().ok()?)
    };
    precise.map_or_else(|| Duration::from_millis(ticks().unwrap_or(0) * 10), Duration::from_nanos)
}
