//! What this process has used so far: processor time, time spent waiting for a processor, and what it waited for else.
//!
//! # Safety
//!
//! The call fills a plain C struct that we own.
#![allow(unsafe_code)]

use std::mem::MaybeUninit;
use std::time::Duration;

/// What the kernel has counted for the process.
#[derive(Clone, Copy, Debug, Default)]
pub struct Usage {
    /// Processor time of all threads, in the program and in the kernel.
    pub processor: Duration,
    /// Time in which threads could have run, and others did. Zero where `/proc` is missing.
    pub queued: Duration,
    /// Times that a thread gave up the processor because it had to wait for something.
    pub waits: u64,
    /// Blocks of 512 bytes that were read from a disk for it.
    pub blocks_read: u64,
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
    Usage {
        processor: time(answer.ru_utime) + time(answer.ru_stime),
        queued: queued().unwrap_or_default(),
        waits: answer.ru_nvcsw as u64,
        blocks_read: answer.ru_inblock as u64,
    }
}

/// The sum of the second number of every thread's `schedstat`: nanoseconds on a run queue.
fn queued() -> Option<Duration> {
    let mut sum = 0;
    for thread in std::fs::read_dir("/proc/self/task").ok()?.flatten() {
        let Ok(text) = std::fs::read_to_string(thread.path().join("schedstat")) else { continue };
        sum += text.split(' ').nth(1)?.parse::<u64>().ok()?;
    }
    Some(Duration::from_nanos(sum))
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
