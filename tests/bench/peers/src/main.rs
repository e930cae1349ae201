//! The peers of `toolbox fragtop` that cannot be had ready-made, and the launcher that measures a command.
//!
//! ```text
//! peers bound THREADS DIRECTORY    getdents, openat, FIEMAP, close for every file: less cannot be done by path
//! peers reference PATTERN          the `glob` and `fiemap` crates, every file kept in a sorted set, the top printed
//! peers walkdir DIRECTORY          the `walkdir` and `fiemap` crates, nothing kept
//! peers launch COMMAND [ARGUMENT]… runs it; its time, processor time, peak memory and exit code go to stderr
//! ```
//!
//! Each prints what it counted, so that it can be seen to have done the work.

mod bound;
mod crates;
mod launch;

use std::ffi::OsString;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    let words: Vec<_> = arguments.iter().map(|word| word.to_str().unwrap_or_default()).collect();
    let done = match words.as_slice() {
        ["bound", threads, directory] => bound::run(threads.parse().unwrap_or(1), directory),
        ["reference", pattern] => crates::reference(pattern),
        ["walkdir", directory] => crates::walkdir(directory),
        ["launch", _, ..] => launch::run(&arguments[1..]),
        _ => {
            Err("usage: peers bound THREADS DIRECTORY | reference PATTERN | walkdir DIRECTORY | launch COMMAND".into())
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("peers: {error}");
            ExitCode::FAILURE
        }
    }
}
