//! Panics of Rust, through the same renderer, once.
//!
//! A panic is not yet a crash: it may be caught. So it is reported by the hook, while the stack is still there, in place of
//! what the standard library would have printed, and the program goes on to unwind or to abort. If it aborts
//! (`panic = "abort"`, a panic in a destructor), the signal comes from the same stack: the return addresses around the hook
//! are still where they were, which is how the handler knows, and it adds one line instead of a second report.
//!
//! Threads are not stopped for a panic, and other panics wait for each other.

use super::handler;
use super::record::Excerpt;
use super::site::Kind;
use std::panic::{self, PanicHookInfo};
use std::sync::Mutex;

type Hook = Box<dyn Fn(&PanicHookInfo<'_>) + Sync + Send>;

/// The hook that was there before ours, while ours is set.
static EARLIER: Mutex<Option<Hook>> = Mutex::new(None);

/// Sets the hook, if it is wanted.
pub(crate) fn install(wanted: bool) {
    if !wanted || std::thread::panicking() {
        return;
    }
    let mut earlier = EARLIER.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    if earlier.is_none() {
        *earlier = Some(panic::take_hook());
        panic::set_hook(Box::new(hook));
    }
}

/// Puts the hook back that was there before; not while this thread panics, when hooks cannot be set.
pub(crate) fn uninstall() {
    if std::thread::panicking() {
        return;
    }
    let earlier = EARLIER.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).take();
    if let Some(earlier) = earlier {
        panic::set_hook(earlier);
    }
}

/// Reports a panic.
#[inline(never)]
fn hook(information: &PanicHookInfo<'_>) {
    let payload = information.payload();
    let message = match (payload.downcast_ref::<&str>(), payload.downcast_ref::<String>()) {
        (Some(text), _) => text,
        (None, Some(text)) => text.as_str(),
        (None, None) => "(a value that is no text)",
    };
    let message = Excerpt::new(message.as_bytes());
    let (file, line, column) = match information.location() {
        Some(location) => (Excerpt::new(location.file().as_bytes()), location.line(), location.column()),
        None => (Excerpt::EMPTY, 0, 0),
    };
    handler::report_here(Kind::Panic { file, line, column }, message);
}
