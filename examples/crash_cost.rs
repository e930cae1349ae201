//! What the crash handler costs: its installation, a program's memory, and the time from a fault to the death.
//!
//! ```text
//! cargo run --release --features symbolize --example crash_cost
//! cargo run --release --features symbolize --example crash_cost -- 101 names=no
//! ```
//!
//! Each figure is from processes that do nothing else: this program starts itself again, as often as the first argument
//! says, and with the options of the second. Printed are the median, the smallest and the largest value.
//!
//! - *install*: the call, first in its process.
//! - *memory*: what the process has more of its own (private dirty pages) after the call than before.
//! - *death*: from just before a store to address zero until its parent knows that the process is gone; and the same in a
//!   process without the handler, which dies by itself.
//!
//! # Safety
//!
//! The store is a crash on purpose; the clock fills a structure of ours.
#![allow(unsafe_code)]

use std::process::{Command, Stdio};
use toolbox::crash::Builder;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let first = arguments.next().unwrap_or_default();
    let options = arguments.next().unwrap_or_default();
    match first.as_str() {
        "install" => install(&options),
        "die" => die(Some(&options)),
        "die-alone" => die(None),
        count => report(count.parse().unwrap_or(51), &options),
    }
}

/// Nanoseconds on the clock that all processes share.
fn now() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the structure is ours.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// Private dirty pages of this process, in KiB.
fn dirty() -> u64 {
    let text = std::fs::read_to_string("/proc/self/smaps_rollup").expect("Linux 4.14");
    let line = text.lines().find(|line| line.starts_with("Private_Dirty:")).expect("a line for each kind");
    line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).expect("a number")
}

fn install(options: &str) {
    let builder = Builder::new().parse(options.as_bytes()).expect("options as the module names them");
    let memory = (dirty(), dirty());
    let before = now();
    builder.install().expect("memory for the stacks");
    let after = now();
    println!("{} {}", after - before, dirty().saturating_sub(memory.1));
}

fn die(options: Option<&str>) {
    if let Some(options) = options {
        let builder = Builder::new().parse(options.as_bytes()).expect("options as the module names them");
        builder.install().expect("memory for the stacks");
    }
    println!("{}", now());
    // SAFETY: it is not; that is the crash.
    unsafe { std::hint::black_box(std::ptr::null_mut::<u64>()).write_volatile(1) };
}

/// Runs this program in another role, and returns what it printed, and when it was gone.
fn run(role: &str, options: &str) -> (Vec<u64>, u64) {
    let program = std::env::current_exe().expect("a program knows its path");
    let mut command = Command::new(program);
    let file = std::env::temp_dir().join(format!("toolbox-crash-cost-{}", std::process::id()));
    let log = std::fs::File::create(&file).expect("a file for reports");
    command.args([role, options]).stdout(Stdio::piped()).stderr(log);
    let mut child = command.spawn().expect("a program that runs can be started again");
    let pipe = child.stdout.take().expect("a pipe");
    child.wait().expect("a child can be waited for");
    let gone = now();
    let text = std::io::read_to_string(pipe).expect("a pipe can be read");
    let _ = std::fs::remove_file(file);
    (text.split_whitespace().map(|number| number.parse().expect("a number")).collect(), gone)
}

fn show(what: &str, mut values: Vec<f64>, unit: &str) {
    values.sort_by(f64::total_cmp);
    let (first, last) = (values[0], values[values.len() - 1]);
    println!("{what:<22} {:>8.1} {unit}   ({first:.1} to {last:.1})", values[values.len() / 2]);
}

fn report(count: usize, options: &str) {
    let (mut installs, mut memory, mut deaths, mut alone) = (vec![], vec![], vec![], vec![]);
    for _ in 0..count.max(1) {
        let (found, _) = run("install", options);
        installs.push(found[0] as f64 / 1e3);
        memory.push(found[1] as f64);
        let (found, gone) = run("die", options);
        deaths.push((gone - found[0]) as f64 / 1e3);
        let (found, gone) = run("die-alone", options);
        alone.push((gone - found[0]) as f64 / 1e3);
    }
    show("install", installs, "us");
    show("memory", memory, "KiB");
    show("death with a report", deaths, "us");
    show("death without handler", alone, "us");
}
