//! `toolbox`: parse, run, exit.

mod bench;
mod cli;
mod crash;
mod exit;
mod fragtop;
mod interrupt;
mod manual;
mod ui;

use clap::Parser;
use cli::{Cli, Command};
use exit::Exit;
use std::process::ExitCode;

fn main() -> ExitCode {
    // Without it everything works as well; a crash would only have less to say.
    let _ = toolbox::crash::install();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(answer) => return exit::of_parser(&answer),
    };
    let done = match cli.command {
        Command::Fragtop(arguments) => fragtop::run(*arguments),
        Command::Bench(arguments) => bench::run(arguments),
        Command::Crash(arguments) => crash::run(arguments),
        Command::Completions { shell } => manual::completions(shell),
        Command::Man { directory } => manual::pages(&directory),
    };
    done.unwrap_or_else(|error| Exit::of_error(&error)).into()
}
