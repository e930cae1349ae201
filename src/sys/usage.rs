//! What this process has used so far: processor time, and how often it had to wait.
//!
//! # Safety
//!
//! The call fills a plain C struct that we own.
#![allow(unsafe_code)]

use std::mem::MaybeUninit;
use std::time::Duration;

/// What `getrusage` said of the process.
#[derive(Clone, Copy, Debug, Default)]
pub struct Usage {
    /// Processor time of all threads, in the program and in the kernel.
    pub processor: Duration,
    /// Times that a thread gave up the processor because it had to wait.
    pub waits: u64,
}

/// What all threads of this process have used so far.
#[must_use]
pub fn of_process() -> Usage {
    let mut answer = MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: the kernel writes one `struct rusage`, which `answer` has room for; the call cannot fail for `SELF`.
    unsafe { libc::getrusage(libc::RUSAGE_SELF, answer.as_mut_ptr()) };
    // SAFETY: the memory was zeroed, and all its fields are integers.
    let answer = unsafe { answer.assume_init() };
    let time = |time: libc::timeval| Duration::new(time.tv_sec as u64, time.tv_usec as u32 * 1000);
    Usage { processor: time(answer.ru_utime) + time(answer.ru_stime), waits: answer.ru_nvcsw as u64 }
}

#[cfg(test)]
mod tests {
    #[test]
    fn time_passes_and_waits_are_counted() {
        let before = super::of_process();
        std::thread::sleep(std::time::Duration::from_millis(1));
        let after = super::of_process();
        assert!(after.processor >= before.processor && after.waits > before.waits);
    }
}
