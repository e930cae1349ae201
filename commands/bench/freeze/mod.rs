//! `toolbox bench queue --freeze`: whether a thread that is stopped in the middle of an operation holds up the others.
//!
//! ```text
//! $ toolbox bench queue --freeze --with toolbox,segqueue,mutex-vecdeque
//! queue           operation  before                instructions  stops  block  hide  in libc  block  first at
//! toolbox         push       empty                           46     46      0     0        0      0
//! toolbox         push       882 inside                  15,804    365      0     0      423      0
//! segqueue        push       3 inside                        59     59      7     0        0      0  crossbeam-queue-0.3.14/src/seg_queue.rs:243 push (spin)
//! mutex-vecdeque  pop        3 inside                        69     69     34     0        0      0  commands/bench/bag/mod.rs:165 locked (sleep)
//! ...
//! toolbox: lock-free by experiment: 0 of 1,102 stops block
//! segqueue: blocks at 46 of 591 stops, first in push at crossbeam-queue-0.3.14/src/seg_queue.rs:243 push
//! ```
//!
//! Each structure gets a process of its own: this program again, as `bench stage`, which nobody else has a use for. The
//! library freezes and watches ([`toolbox::bench::freeze`]); here it is chosen who is frozen in what state, and the stops
//! get their places in the source.
//!
//! The states: empty, one item, a few; and those in which an operation is not like the others, such as when a block
//! is full. These are proposed by the process ([`super::bag::piece`]), followed by single steps, and taken when they come to
//! instructions of the structure's that none came to before.
//!
//! All of it happens on a thread that is kept on one processor together with the victim: a single step is a switch to it
//! and back, and takes several times as long between two processors.

mod places;
mod render;
mod report;

use super::bag::Rival;
use super::bag::piece::{self, Before, OPERATIONS, Search};
use super::subject::Role;
use crate::cli::{Freezing, Measuring};
use crate::exit::{Exit, hinted};
use crate::interrupt;
use crate::ui::message;
use crate::ui::numbers::things;
use crate::ui::progress::Progress;
use crate::ui::terminal::Terminal;
use anyhow::{Context, Result};
use places::Places;
use report::{Report, Series, Site, Subject, Tally};
use std::collections::HashSet;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use toolbox::bench::freeze::{Route, Stage, Trouble, spread};
use toolbox::bench::host::Host;
use toolbox::sys::processor;

/// States of an operation beyond those that are always tried.
const FURTHER: usize = 4;
/// What a structure takes, roughly, when none of its stops is left out.
const SECONDS_EACH: u64 = 3;

/// Freezes whoever takes part.
///
/// # Errors
/// A name that is not known, a kernel that refuses to trace, an answer that cannot be written.
pub(super) fn run(kind: &'static str, rivals: &[Rival], options: &Freezing, measuring: &Measuring) -> Result<Exit> {
    let terminal = Terminal::new(&measuring.output);
    let cast = cast(kind, rivals, &measuring.with)?;
    let stop = interrupt::first()?;
    if !terminal.quiet && cast.len() > 1 {
        let (subjects, seconds) = (things(cast.len() as u64, kind), cast.len() as u64 * SECONDS_EACH);
        message::note(&format!("{subjects}, some {seconds} s; Ctrl-C shows what was seen by then"));
    }
    if cfg!(debug_assertions) && !terminal.quiet {
        message::warning("a debug build: its operations have other instructions than those that are used in earnest");
    }
    let mut report = Report { kind, host: Host::look(), subjects: Vec::new(), faults: Vec::new(), partial: false };
    let session = Session { kind, options, stop: &stop, terminal: &terminal };
    // The tracer is a thread: this one only waits for it, and keeps its processors.
    let done = std::thread::scope(|scope| scope.spawn(|| session.all(&cast, &mut report)).join());
    done.unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
    for (name, what) in &report.faults {
        message::error(&anyhow::anyhow!("{name}: {what}"));
    }
    if report.partial && !terminal.quiet {
        message::warning("interrupted: this is what was seen until then");
    }
    render::write(&report, &terminal)?;
    Ok(report.exit())
}

/// Goes on stage as the structure of that name.
///
/// # Errors
/// When there is none, or nobody watches.
pub(super) fn perform(rivals: &[Rival], name: &str) -> Result<Exit> {
    let Some(rival) = rivals.iter().find(|rival| rival.name == name) else {
        return Err(hinted(format!("there is no '{name}'"), "toolbox bench list"));
    };
    (rival.perform)().context("nobody watches")?;
    // Threads of the piece may be stuck: they end with the process.
    Ok(Exit::Done)
}

/// The limit, which nobody can block, and those that were named or all rivals.
fn cast<'a>(kind: &str, rivals: &'a [Rival], with: &[String]) -> Result<Vec<&'a Rival>> {
    for name in with {
        if !rivals.iter().any(|rival| rival.name == name) {
            return Err(hinted(format!("--with: there is no {kind} called '{name}'"), "toolbox bench list"));
        }
    }
    let is_named = |rival: &Rival| with.iter().any(|name| name == rival.name);
    let takes_part =
        |rival: &&Rival| is_named(rival) || with.is_empty() && rival.role == Role::Rival || rival.role == Role::Limit;
    Ok(rivals.iter().filter(takes_part).collect())
}

/// Everything that a run needs.
struct Session<'a> {
    kind: &'static str,
    options: &'a Freezing,
    stop: &'a AtomicBool,
    terminal: &'a Terminal,
}

/// An operation in one state, followed to its end.
struct Followed {
    operation: usize,
    before: Before,
    route: Route,
}

impl Session<'_> {
    /// # Errors
    /// When the kernel refuses to trace: then nothing can be seen of anybody.
    fn all(&self, cast: &[&Rival], report: &mut Report) -> Result<()> {
        let home = processor::allowed().ok().and_then(|all| all.last().copied());
        if let Some(home) = home {
            // If not, it takes longer.
            let _ = processor::pin(home);
        }
        let mut progress = Progress::new(self.terminal.progress, self.terminal.ascii);
        for (index, rival) in cast.iter().enumerate() {
            if self.stop.load(Ordering::Relaxed) {
                break;
            }
            let mut subject = Subject { name: rival.name, series: Vec::new() };
            let mut tell = |share: usize, place: &str| {
                let what = || format!("{} {} of {}, {share}%", self.kind, index + 1, cast.len());
                progress.draw(|| (what(), format!("{}: {place}", rival.name)));
            };
            let done = self.one(rival, &mut subject, &mut tell);
            report.subjects.extend((!subject.series.is_empty()).then_some(subject));
            match done {
                Ok(()) => {}
                Err(Trouble::Refused(error)) => return Err(refused(&error)),
                Err(trouble) => report.faults.push((rival.name, trouble.to_string())),
            }
        }
        progress.erase();
        report.partial = self.stop.load(Ordering::Relaxed);
        Ok(())
    }

    /// Everything about one structure.
    fn one(&self, rival: &Rival, subject: &mut Subject, tell: &mut dyn FnMut(usize, &str)) -> Result<(), Trouble> {
        let mut stage = Stage::open(self.command(rival)?)?;
        let mut places = Places::of(stage.process());
        tell(0, "looking for operations that are not like the others");
        let followed = self.follow(&mut stage, &places)?;
        let chosen: Vec<Vec<usize>> = followed.iter().map(|followed| self.stops(&followed.route)).collect();
        let all: usize = chosen.iter().map(Vec::len).sum();
        let mut before = 0;
        for (followed, chosen) in followed.iter().zip(&chosen) {
            if self.stop.load(Ordering::Relaxed) {
                break;
            }
            let scene = piece::scene(followed.operation, followed.before);
            let mut series = Series {
                operation: OPERATIONS[followed.operation],
                passed: followed.before.passed,
                inside: followed.before.inside,
                instructions: followed.route.len(),
                sites: Vec::new(),
            };
            let place = format!("{}, {}", series.operation, series.before());
            let mut frozen = Vec::new();
            let mut progress = |tried: usize| tell((before + tried) * 100 / all.max(1), &place);
            let done = stage.freeze(&scene, &followed.route, chosen, self.stop, &mut frozen, &mut progress);
            for stop in &frozen {
                series.note(places.at(stop.address), stop.outcome);
            }
            before += chosen.len();
            subject.series.push(series);
            done?;
        }
        Ok(())
    }

    fn command(&self, rival: &Rival) -> Result<Command, Trouble> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["bench", "stage", self.kind, rival.name]).stderr(Stdio::inherit());
        // A Ctrl-C is for this process: the other one is ended when it is no more needed.
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        Ok(command)
    }

    /// The operations in the states that were asked for, or in those that are always tried and the further ones that
    /// come to other instructions.
    fn follow(&self, stage: &mut Stage, places: &Places) -> Result<Vec<Followed>, Trouble> {
        // None where it is too long to be followed: what is done to every slot of a large block, without optimisation.
        let one = |stage: &mut Stage, operation, before| match stage.follow(&piece::scene(operation, before)) {
            Err(Trouble::Endless(_)) => Ok(None),
            route => route.map(|route| Some(Followed { operation, before, route })),
        };
        if !self.options.inside.is_empty() {
            let inside = self.options.inside.iter().map(|&inside| Before { passed: 0, inside });
            let both = inside.flat_map(|before| (0..OPERATIONS.len()).map(move |operation| (operation, before)));
            return both.filter_map(|(operation, before)| one(stage, operation, before).transpose()).collect();
        }
        let always = piece::always();
        let mut followed: Vec<Followed> = always
            .into_iter()
            .filter_map(|(operation, before)| one(stage, operation, before).transpose())
            .collect::<Result<_, Trouble>>()?;
        for Search { question, operation, meaning } in piece::searches() {
            if self.stop.load(Ordering::Relaxed) {
                return Ok(followed);
            }
            let proposed = stage.ask(&[question])?;
            let proposed = proposed.into_iter().filter_map(|number| one(stage, operation, meaning(number)).transpose());
            let mut proposed: Vec<Followed> = proposed.collect::<Result<_, Trouble>>()?;
            proposed.sort_by_key(|followed| std::cmp::Reverse(followed.route.len()));
            for candidate in proposed.into_iter().take(FURTHER) {
                let own = |address: &&u64| !places.is_system(**address);
                let same = followed.iter().filter(|followed| followed.operation == operation);
                let known: HashSet<u64> = same.flat_map(|followed| followed.route.addresses()).copied().collect();
                if candidate.route.addresses().iter().filter(own).any(|address| !known.contains(address)) {
                    followed.push(candidate);
                }
            }
        }
        followed.sort_by_key(|followed| followed.operation);
        Ok(followed)
    }

    /// Where to stop on a route.
    fn stops(&self, route: &Route) -> Vec<usize> {
        let ends = route.ends();
        self.options.stops.map_or_else(|| ends.clone(), |most| spread(&ends, most as usize))
    }
}

impl Series {
    /// Counts a stop at its place.
    fn note(&mut self, place: places::Place, outcome: toolbox::bench::freeze::Outcome) {
        let site = match self.sites.iter().position(|site| site.place.is_with(&place)) {
            Some(index) => &mut self.sites[index],
            None => {
                self.sites.push(Site { place, tally: Tally::default() });
                self.sites.last_mut().expect("one was just added")
            }
        };
        site.tally.note(outcome);
    }
}

/// Why nothing can be frozen here, and what would help.
fn refused(error: &std::io::Error) -> anyhow::Error {
    let hint = match error.raw_os_error() {
        Some(1) if is_traced() => {
            "this command is traced itself, and a thread has one tracer: run it without strace -f or a debugger"
        }
        Some(1) => {
            "kernel.yama.ptrace_scope has to be 0 or 1 (for root 2); in a container a seccomp profile must permit ptrace \
             (docker run --cap-add SYS_PTRACE)"
        }
        Some(38 | 5) => "run it on the machine itself: emulators such as qemu's user mode have no ptrace",
        None => "it takes a processor of the kind x86-64 or 64-bit ARM",
        _ => "see ptrace(2)",
    };
    hinted(format!("--freeze: the kernel refuses to trace: {error}"), hint)
}

/// Whether another process traces this one.
fn is_traced() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let tracer = status.lines().find_map(|line| line.strip_prefix("TracerPid:"));
    tracer.is_some_and(|tracer| tracer.trim() != "0")
}
