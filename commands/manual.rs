//! The manual pages and completion scripts, made from the command line's definition.
//!
//! `man/` holds the pages as committed; a test fails when they are not what this module writes.

use crate::bench;
use crate::cli::Cli;
use crate::crash;
use crate::exit::Exit;
use crate::fragtop;
use crate::ui;
use anyhow::{Context, Result};
use clap::{Command, CommandFactory};
use clap_complete::Shell;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};
use std::path::Path;

/// Chapters of a page that no option tells: a title and its paragraphs. A paragraph with a tab is a term and its text.
pub(crate) type Chapters = &'static [(&'static str, &'static [&'static str])];

const EXIT_STATUS: (&str, &[&str]) = (
    "EXIT STATUS",
    &[
        "0\tdone; also when the reader of standard output went away",
        "1\tdone, but part could not be (unreadable files), or a check that was asked for failed",
        "2\twrong usage, or nothing could be done",
        "130\tinterrupted (Ctrl-C, SIGTERM); what was found by then is printed and marked partial. A second Ctrl-C ends at once.",
    ],
);

/// Prints the completion script for `shell`.
///
/// # Errors
/// When standard output cannot be written to.
pub(crate) fn completions(shell: Shell) -> Result<Exit> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "toolbox", &mut script);
    ui::output::write(|out| out.write_all(&script))?;
    Ok(Exit::Done)
}

/// Writes one page for the program and one for each subcommand into `directory`.
///
/// # Errors
/// When a page cannot be written.
pub(crate) fn pages(directory: &Path) -> Result<Exit> {
    // The pages carry the version alone: they are committed, and would be stale with every commit otherwise.
    let mut program = Cli::command().version(env!("CARGO_PKG_VERSION")).disable_help_subcommand(true);
    program.build();
    write_page(directory, &program, "toolbox", &[EXIT_STATUS])?;
    write_pages_below(directory, &program, "toolbox")?;
    Ok(Exit::Done)
}

/// One page for each subcommand that is not hidden, and for each of theirs.
fn write_pages_below(directory: &Path, command: &Command, above: &str) -> Result<()> {
    for subcommand in command.get_subcommands().filter(|subcommand| !subcommand.is_hide_set()) {
        let name = format!("{above}-{}", subcommand.get_name());
        if subcommand.get_name() == "help" {
            continue;
        }
        let mut chapters = vec![];
        match name.as_str() {
            "toolbox-fragtop" => chapters.extend(fragtop::CHAPTERS),
            "toolbox-bench-queue" | "toolbox-bench-stack" => chapters.extend(bench::CHAPTERS),
            "toolbox-bench-rwlock" | "toolbox-bench-mutex" => chapters.extend(bench::LOCK_CHAPTERS),
            "toolbox-bench-async-mutex" => chapters.extend(bench::TASK_CHAPTERS),
            "toolbox-crash-run" => chapters.extend(crash::RUN_CHAPTERS),
            "toolbox-bench-event" => chapters.extend(bench::EVENT_CHAPTERS),
            _ => {}
        }
        chapters.push(EXIT_STATUS);
        write_page(directory, subcommand, &name, &chapters)?;
        write_pages_below(directory, subcommand, &name)?;
    }
    Ok(())
}

fn write_page(
    directory: &Path,
    command: &Command,
    name: &str,
    chapters: &[(&'static str, &'static [&'static str])],
) -> Result<()> {
    let command = command.clone().version(env!("CARGO_PKG_VERSION"));
    let man = Man::new(command)
        .title(name)
        .section("1")
        .manual("toolbox")
        .source(concat!("toolbox ", env!("CARGO_PKG_VERSION")));
    let mut page = Vec::new();
    man.render(&mut page).context("cannot render a manual page")?;
    page.extend(render(chapters).into_bytes());
    let path = directory.join(format!("{name}.1"));
    std::fs::write(&path, page).with_context(|| format!("cannot write {}", path.display()))
}

fn render(chapters: &[(&'static str, &'static [&'static str])]) -> String {
    let mut roff = Roff::new();
    for (title, paragraphs) in chapters {
        roff.control("SH", [*title]);
        for paragraph in *paragraphs {
            match paragraph.split_once('\t') {
                Some((term, text)) => {
                    roff.control("TP", []);
                    roff.text([bold(term)]);
                    roff.text([roman(text)]);
                }
                None => {
                    roff.control("PP", []);
                    roff.text([roman(*paragraph)]);
                }
            }
        }
    }
    roff.to_roff()
}
