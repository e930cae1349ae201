//! `toolbox bench`: primitives beside what one would use instead, measured on this host.
//!
//! ```text
//! $ toolbox bench queue --with segqueue,kanal,mutex-linkedlist --workload split --threads 2
//! split 1:1, 8 B
//! ns/pair  spread     x             foreign  fair  of limit  cpu ns    p50  p99.99     max
//!    24.7    27 %  1.48  1.04-1.69    100 %     -         -    24.3  40 ns  847 ns  4.1 ms  ████████████  *  kanal
//!    31.5    30 %  1.00  1.00-1.00    100 %     -         -    31.1  40 ns  703 ns  4.1 ms  █████████▍       segqueue
//!    55.3    27 %  0.62  0.48-0.76    100 %     -         -    54.9  41 ns  1.5 us  4.9 ms  █████▎           mutex-linkedlist
//! a line from core to core 35; 3 of 45 samples dropped
//!
//! split 1:1, 8 B: kanal, 1.48 times (1.04 to 1.69) the speed of segqueue
//! ```
//!
//! Each primitive has a folder that makes cases and closures of its options ([`subject`]); what all have in common, from
//! the check to the exit code, is in [`session`], and knows none of them.

mod all;
mod bag;
mod compare;
mod event;
mod freeze;
mod list;
mod load;
mod lock;
mod manual;
mod plan;
mod render;
mod report;
mod session;
mod soak;
mod subject;
mod verdict;

pub(crate) use event::manual::CHAPTERS as EVENT_CHAPTERS;
pub(crate) use lock::manual::{CHAPTERS as LOCK_CHAPTERS, TASK_CHAPTERS};
pub(crate) use manual::CHAPTERS;

use crate::cli::{Bench, Benchmark, Measuring};
use crate::exit::Exit;
use crate::ui::terminal::Terminal;
use anyhow::{Context, Result};
use bag::{queue, stack};
use load::Setup;
use lock::{async_mutex, mutex, rwlock};
use subject::{Entry, Kind};

/// Runs the subcommand.
///
/// # Errors
/// A name that is not known, a file that cannot be read or written, an answer that cannot be written.
pub(crate) fn run(arguments: Bench) -> Result<Exit> {
    match arguments.what {
        Benchmark::Queue(options) if options.freezing.freeze => {
            freeze::run(queue::KIND.name, &queue::rivals(), &options.freezing, &options.measuring)
        }
        Benchmark::Stack(options) if options.freezing.freeze => {
            freeze::run(stack::KIND.name, &stack::rivals(), &options.freezing, &options.measuring)
        }
        Benchmark::Stage { kind, name } => {
            let rivals = if kind == stack::KIND.name { stack::rivals() } else { queue::rivals() };
            freeze::perform(&rivals, &name)
        }
        Benchmark::All(options) => all::run(&options),
        Benchmark::List { output } => {
            list::write(&all(), &Terminal::new(&output))?;
            Ok(Exit::Done)
        }
        Benchmark::Weigh { bench, name, payload, items } => bag::memory::run(&bench, &name, payload, items),
        what => {
            let (measuring, make) = parts(&what).context("what is neither of those has loads")?;
            match measuring.soak {
                Some(duration) => soak::run(measuring, duration, make),
                None => session::run(measuring, weighs(&what), make),
            }
        }
    }
}

/// Whether what is measured is weighed as well.
fn weighs(what: &Benchmark) -> bool {
    matches!(what, Benchmark::Queue(options) | Benchmark::Stack(options) if options.weigh > 0)
}

/// Makes a bench for a setup.
type Make<'a> = Box<dyn FnOnce(&Setup) -> Result<subject::Bench> + 'a>;

/// The common options of a bench and what makes it; none for a subcommand that is no bench.
fn parts(what: &Benchmark) -> Option<(&Measuring, Make<'_>)> {
    let bag = |kind, rivals: fn() -> Vec<bag::Rival>, options| -> Make<'_> {
        Box::new(move |setup| bag::bench(kind, rivals(), options, setup))
    };
    let lock = |kind, rivals: fn() -> Vec<lock::Rival>, loads| -> Make<'_> {
        Box::new(move |setup| Ok(lock::bench(kind, &rivals(), loads, setup)))
    };
    match what {
        Benchmark::Queue(options) => Some((&options.measuring, bag(queue::KIND, queue::rivals, options))),
        Benchmark::Stack(options) => Some((&options.measuring, bag(stack::KIND, stack::rivals, options))),
        Benchmark::Rwlock(options) => {
            let (threads, is_bare) = (&options.measuring.threads, options.bare);
            let loads = lock::Loads { threads, writes: &options.writes, held: &options.held, is_bare };
            Some((&options.measuring, lock(rwlock::KIND, rwlock::rivals, loads)))
        }
        Benchmark::Mutex(options) => {
            let (threads, is_bare) = (&options.measuring.threads, options.bare);
            let loads = lock::Loads { threads, writes: &[100], held: &options.held, is_bare };
            Some((&options.measuring, lock(mutex::KIND, mutex::rivals, loads)))
        }
        Benchmark::AsyncMutex(options) => {
            Some((&options.measuring, Box::new(move |setup: &Setup| Ok(async_mutex::bench(options, setup)))))
        }
        Benchmark::Event(options) => {
            Some((&options.measuring, Box::new(move |setup: &Setup| Ok(event::bench(options, setup)))))
        }
        Benchmark::All(_) | Benchmark::List { .. } | Benchmark::Stage { .. } | Benchmark::Weigh { .. } => None,
    }
}

/// Everything that can be measured.
fn all() -> Vec<(Kind, Vec<Entry>)> {
    vec![
        (queue::KIND, bag::entries(&queue::rivals())),
        (stack::KIND, bag::entries(&stack::rivals())),
        (rwlock::KIND, lock::entries(&rwlock::rivals())),
        (mutex::KIND, lock::entries(&mutex::rivals())),
        (async_mutex::KIND, async_mutex::entries()),
        (event::KIND, event::entries(&event::rivals())),
    ]
}
