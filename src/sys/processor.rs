//! The processors that a thread may run on, and the time that it has spent on them.
//!
//! # Safety
//!
//! Each call fills or reads a plain C struct that we own, whose size we pass.
#![allow(unsafe_code)]

use super::check;
use std::io;
use std::mem::MaybeUninit;
use std::time::Duration;

/// The numbers of the processors that the calling thread may run on, in order: at most the first 1024.
///
/// # Errors
/// The kernel's error; on a host of more than 1024 processors, `EINVAL`.
pub fn allowed() -> io::Result<Vec<usize>> {
    // SAFETY: a set is an array of integers, for which zero is a value.
    let mut set = unsafe { MaybeUninit::<libc::cpu_set_t>::zeroed().assume_init() };
    // SAFETY: the kernel writes at most the size that we name, which is that of `set`.
    check(unsafe { libc::sched_getaffinity(0, size_of_val(&set), &raw mut set) })?;
    // SAFETY: the numbers stay below the capacity of the set.
    let is_in = |&number: &usize| unsafe { libc::CPU_ISSET(number, &set) };
    Ok((0..libc::CPU_SETSIZE as usize).filter(is_in).collect())
}

/// Keeps the calling thread on processor `number` from now on.
///
/// # Errors
/// `EINVAL` when there is no such processor or the thread may not use it.
pub fn pin(number: usize) -> io::Result<()> {
    keep_on(&[number])
}

/// Keeps the calling thread on the processors with these numbers from now on.
///
/// # Errors
/// `EINVAL` when one is beyond the first 1024, or the thread may use none of them.
pub fn keep_on(numbers: &[usize]) -> io::Result<()> {
    if numbers.iter().any(|&number| number >= libc::CPU_SETSIZE as usize) {
        return Err(io::Error::from_raw_os_error(libc::EINVAL));
    }
    // SAFETY: a set is an array of integers, for which zero is a value.
    let mut set = unsafe { MaybeUninit::<libc::cpu_set_t>::zeroed().assume_init() };
    for &number in numbers {
        // SAFETY: the number is below the capacity of the set, as was just checked.
        unsafe { libc::CPU_SET(number, &mut set) };
    }
    // SAFETY: the kernel reads the size that we name, which is that of `set`.
    check(unsafe { libc::sched_setaffinity(0, size_of_val(&set), &raw const set) }).map(|_| ())
}

/// The time that the calling thread has spent on a processor.
#[must_use]
pub fn time_of_thread() -> Duration {
    let mut time = MaybeUninit::<libc::timespec>::zeroed();
    // SAFETY: the kernel writes one `timespec`, which `time` has room for; it has this clock for every thread.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, time.as_mut_ptr()) };
    // SAFETY: the memory was zeroed, and both fields are integers.
    let time = unsafe { time.assume_init() };
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pinned_thread_may_run_on_one_processor() {
        let all = allowed().unwrap();
        let last = *all.last().unwrap();
        let pinned = std::thread::spawn(move || pin(last).and_then(|()| allowed())).join().unwrap().unwrap();
        assert_eq!((pinned, allowed().unwrap()), (vec![last], all.clone()));
        assert_eq!(pin(1 << 20).unwrap_err().raw_os_error(), Some(libc::EINVAL));
        assert_eq!(keep_on(&[]).unwrap_err().raw_os_error(), Some(libc::EINVAL));
        let freed = std::thread::spawn(move || pin(last).and_then(|()| keep_on(&all)).and_then(|()| allowed()));
        assert_eq!(freed.join().unwrap().unwrap(), allowed().unwrap());
    }

    #[test]
    fn only_time_on_a_processor_counts() {
        let before = time_of_thread();
        std::thread::sleep(Duration::from_millis(20));
        let slept = time_of_thread();
        assert!(slept - before < Duration::from_millis(10));
        while time_of_thread() - slept < Duration::from_millis(1) {}
    }
}
