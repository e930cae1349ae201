//! Exit codes, and what is said on the way out.
//!
//! | code | meaning |
//! |------|---------|
//! | 0    | done |
//! | 1    | done, but part could not be, or a check that was asked for failed |
//! | 2    | wrong usage, or nothing could be done |
//! | 130  | interrupted; what there was by then was printed |
//!
//! A reader that closes the pipe early has what it wanted: that is success.

use crate::ui;
use std::fmt;
use std::io;
use std::process::ExitCode;

/// How a subcommand ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// All was done.
    Done,
    /// Part could not be done, or a check failed.
    Partly,
    /// Nothing could be done.
    Nothing,
    /// The user interrupted it.
    Interrupted,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::Partly => 1,
            Exit::Nothing => 2,
            Exit::Interrupted => 130,
        })
    }
}

impl Exit {
    /// Says what went wrong, and how the command ends for it.
    pub(crate) fn of_error(error: &anyhow::Error) -> Self {
        if is_closed_pipe(error) {
            return Self::Done;
        }
        ui::message::error(error);
        Self::Nothing
    }
}

fn is_closed_pipe(error: &anyhow::Error) -> bool {
    let kind = |cause: &(dyn std::error::Error + 'static)| cause.downcast_ref::<io::Error>().map(io::Error::kind);
    error.chain().filter_map(kind).any(|kind| kind == io::ErrorKind::BrokenPipe)
}

/// The end of a run whose command line could not be parsed, or asked for help or the version.
pub(crate) fn of_parser(answer: &clap::Error) -> ExitCode {
    // A help text that cannot be written has nobody to be shown to.
    let _ = answer.print();
    if answer.use_stderr() { Exit::Nothing.into() } else { Exit::Done.into() }
}

/// A command that would help, to be printed below an error.
#[derive(Debug)]
pub(crate) struct Hinted {
    /// What failed, on what, and why.
    pub(crate) message: String,
    /// What to try.
    pub(crate) hint: String,
}

impl fmt::Display for Hinted {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl std::error::Error for Hinted {}

/// An error with a hint.
pub(crate) fn hinted(message: impl Into<String>, hint: impl Into<String>) -> anyhow::Error {
    Hinted { message: message.into(), hint: hint.into() }.into()
}
