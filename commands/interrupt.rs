//! Ctrl-C: the first asks the command to finish the step and print what there is; the second ends it at once.
//!
//! SIGTERM counts as a Ctrl-C, so that `timeout 5 toolbox …` gets the partial result too.

use anyhow::Context;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// The exit code of a run that a second signal ended at once.
const AT_ONCE: i32 = 130;

/// A flag that the first Ctrl-C sets.
///
/// # Errors
/// The kernel's error when no handler can be installed.
pub(crate) fn first() -> anyhow::Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        // In this order: the signal that sets the flag must not see it set.
        flag::register_conditional_shutdown(signal, AT_ONCE, Arc::clone(&stop)).context("cannot handle signals")?;
        flag::register(signal, Arc::clone(&stop)).context("cannot handle signals")?;
    }
    Ok(stop)
}
