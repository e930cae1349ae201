//! Runs a command and tells what it took.
//!
//! Peak memory is the reason for a launcher of its own: what the kernel reports for a child is at least what the
//! process that started it had at its own peak, because the child was a copy of it until it became the command. An
//! interpreter would report its own ten megabytes for everything that it starts; this small program reports no
//! less than about two.
//!
//! # Safety
//!
//! Waiting is one system call that fills two variables of ours, for a child that nobody else waits for.
#![allow(unsafe_code)]

use std::error::Error;
use std::ffi::OsString;
use std::mem::MaybeUninit;
use std::process::Command;
use std::time::Instant;

pub(crate) fn run(command: &[OsString]) -> Result<(), Box<dyn Error>> {
    let started = Instant::now();
    let child = Command::new(&command[0]).args(&command[1..]).spawn()?;
    let mut status = 0;
    let mut usage = MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: the kernel fills the two variables, which live until it has.
    let waited = unsafe { libc::wait4(child.id() as libc::pid_t, &mut status, 0, usage.as_mut_ptr()) };
    let wall = started.elapsed();
    if waited < 0 {
        return Err(std::io::Error::last_os_error().into());
    }
    // SAFETY: it was zeroed, and all its fields are integers.
    let usage = unsafe { usage.assume_init() };
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
    let code = if libc::WIFEXITED(status) { libc::WEXITSTATUS(status) } else { 128 + libc::WTERMSIG(status) };
    let processor = seconds(usage.ru_utime) + seconds(usage.ru_stime);
    eprintln!("\nlaunched {} {processor} {} {code}", wall.as_secs_f64(), usage.ru_maxrss);
    Ok(())
}
