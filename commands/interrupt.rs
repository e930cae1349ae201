//! Ctrl-C: the first asks the command to finish the step and print what there is; the second ends it at once.
//!
//! SIGTERM counts as a Ctrl-C, so that `timeout 5 toolbox …` gets the partial result too. `timeout` signals its child and
//! then its whole process group, so that the child has the signal twice within microseconds; what comes so soon after
//! the first belongs to it. A thread of its own waits for the signals, so that the second works whatever the others do.

use anyhow::Context;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use signal_hook::iterator::Signals;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// The exit code of a run that a second signal ended at once.
const AT_ONCE: i32 = 130;

/// Signals this close together are one; nobody presses a key twice in that time.
const SAME: Duration = Duration::from_millis(100);

/// A flag that the first Ctrl-C sets.
///
/// # Errors
/// The kernel's error when no handler can be installed.
pub(crate) fn first() -> anyhow::Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    let mut signals = Signals::new([SIGINT, SIGTERM]).context("cannot handle signals")?;
    let set = Arc::clone(&stop);
    let wait = move || {
        let mut first: Option<Instant> = None;
        for _ in signals.forever() {
            match first {
                None => {
                    // Whoever looks at the flag goes on with what it already has; nothing else is published by it.
                    set.store(true, Ordering::Relaxed);
                    first = Some(Instant::now());
                }
                Some(first) if first.elapsed() < SAME => {}
                Some(_) => signal_hook::low_level::exit(AT_ONCE),
            }
        }
    };
    if std::thread::Builder::new().name("signals".into()).spawn(wait).is_err() {
        without_thread(&stop)?;
    }
    Ok(stop)
}

/// The same on a host that has no thread to give, where two signals at once count as two.
fn without_thread(stop: &Arc<AtomicBool>) -> anyhow::Result<()> {
    for signal in [SIGINT, SIGTERM] {
        // In this order: the signal that sets the flag must not see it set.
        flag::register_conditional_shutdown(signal, AT_ONCE, Arc::clone(stop)).context("cannot handle signals")?;
        flag::register(signal, Arc::clone(stop)).context("cannot handle signals")?;
    }
    Ok(())
}
