//! What a structure weighs: bytes on the heap with a million items inside, at the most, after they were taken out, and after
//! it was dropped.
//!
//! The C library's allocator counts what it has given out ([`toolbox::bench::heap_in_use`]), to the byte and with what each
//! block costs it. Anything else that the process does would be counted too, and this process has threads and samples; so
//! each structure is weighed in a process of its own, which is this program once more under a hidden subcommand.
//! There glibc is told to keep no blocks for a thread's next call, since it would count them as given out, and to join free
//! neighbours at once, since it counts by walking over all that is free. The items are made before and given away after, so
//! that only the structure weighs, not what a boxed item points to.
//!
//! The most is what was seen at 64 moments on the way in and as many on the way out: what is taken and given back between
//! two of them is not seen.

use super::{Bag, Payload, Rival, queue, stack};
use crate::bench::subject::{Column, Form};
use crate::cli::Carried;
use crate::exit::{Exit, hinted};
use crate::ui::output;
use anyhow::Result;
use clap::ValueEnum;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use toolbox::bench::heap_in_use;

/// How often the heap is looked at on the way in, and on the way out.
const LOOKS: usize = 64;
/// A child that takes longer is given up. A million items take a tenth of a second, unless a structure leaves the allocator
/// so many pieces that a look at all of them takes longer than everything else: sdd's takes more than a minute.
const PATIENCE: Duration = Duration::from_secs(3);
/// What the child's allocator is told.
const TUNABLES: &str = "glibc.malloc.tcache_count=0:glibc.malloc.mxfast=0";

/// The columns, in the order of [`Weight::figures`].
pub(super) const COLUMNS: &[Column] = &[
    Column {
        name: "item_bytes",
        head: "B/item",
        legend: "heap for each item, with a million of them inside, or as many as --weigh says",
        form: Form::Tenth,
        is_detail: true,
    },
    Column {
        name: "item_bytes_most",
        head: "most",
        legend: "the same at the most, while they went in and came out",
        form: Form::Tenth,
        is_detail: true,
    },
    Column {
        name: "drained_bytes",
        head: "drained",
        legend: "heap when all had been taken out",
        form: Form::Bytes,
        is_detail: true,
    },
    Column { name: "left_bytes", head: "left", legend: "heap after the drop", form: Form::Bytes, is_detail: true },
];

/// Bytes on the heap more than without the structure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Weight {
    items: u64,
    full: u64,
    most: u64,
    drained: u64,
    left: u64,
}

impl Weight {
    /// As samples carry them.
    pub(super) fn figures(self) -> Vec<(&'static str, f64)> {
        let each = |bytes: u64| bytes as f64 / self.items as f64;
        let figures = [each(self.full), each(self.most), self.drained as f64, self.left as f64];
        COLUMNS.iter().zip(figures).map(|(column, figure)| (column.name, figure)).collect()
    }

    /// As the child says it.
    fn parse(text: &str) -> Option<Self> {
        let numbers: Vec<u64> = text.split_whitespace().map(|word| word.parse().ok()).collect::<Option<_>>()?;
        let [items, full, most, drained, left] = numbers[..] else { return None };
        (items > 0).then_some(Self { items, full, most, drained, left })
    }
}

/// Weighs a structure in this process; none where the C library does not count, or it does not keep the items.
pub(super) fn weigh<Q: Bag<T>, T: Payload>(items: usize) -> Option<Weight> {
    let made: Vec<T> = (0..items as u64).map(T::make).collect();
    let mut made = made.into_iter();
    let before = heap_in_use()?;
    let over = || heap_in_use().unwrap_or(before).saturating_sub(before);
    let bag = Q::new(items);
    let mut most = over();
    let unlooked = (items / LOOKS).max(1);
    for (index, item) in made.by_ref().enumerate() {
        bag.push(item).ok()?;
        if index.is_multiple_of(unlooked) {
            most = most.max(over());
        }
    }
    let full = over();
    most = most.max(full);
    for index in 0..items {
        // What it points to was there before, and stays.
        std::mem::forget(bag.pop()?);
        if index.is_multiple_of(unlooked) {
            most = most.max(over());
        }
    }
    let drained = over();
    drop(bag);
    Some(Weight { items: items as u64, full, most, drained, left: over() })
}

/// Has a child weigh it with so many items. None where that cannot be done, or takes too long, which costs the columns and
/// nothing else.
pub(super) fn of(bench: &str, rival: &str, payload: Carried, items: usize) -> Option<Weight> {
    let payload = payload.to_possible_value()?;
    let mut child = Command::new(std::env::current_exe().ok()?);
    child.args(["bench", "weigh", bench, rival, payload.get_name(), &items.to_string()]);
    child.env("GLIBC_TUNABLES", TUNABLES).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = child.spawn().ok()?;
    let begin = Instant::now();
    // What it says fits into any pipe, so it never waits for us to read.
    while child.try_wait().ok()?.is_none() {
        if begin.elapsed() > PATIENCE {
            child.kill().and_then(|()| child.wait()).ok()?;
            return None;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    let output = child.wait_with_output().ok().filter(|output| output.status.success())?;
    Weight::parse(&String::from_utf8(output.stdout).ok()?)
}

/// The hidden subcommand: weighs one in this process, and writes the numbers.
///
/// # Errors
/// When there is no such structure, it cannot be weighed, or the answer not written.
pub(in crate::bench) fn run(bench: &str, rival: &str, payload: Carried, items: usize) -> Result<Exit> {
    let rivals: Vec<Rival> = if bench == stack::KIND.name { stack::rivals() } else { queue::rivals() };
    let found = rivals.iter().find(|its| its.name == rival);
    let weight = found.and_then(|found| (found.weigh[payload as usize])(items));
    let Some(weight) = weight else {
        return Err(hinted(format!("{bench} {rival} cannot be weighed here"), "toolbox bench list"));
    };
    let Weight { items, full, most, drained, left } = weight;
    output::write(|out| writeln!(out, "{items} {full} {most} {drained} {left}"))?;
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_child_says_is_read() {
        let weight = Weight::parse("1000 16500 16500 512 0\n").unwrap();
        assert_eq!(weight.figures().iter().map(|(_, value)| *value).collect::<Vec<_>>(), [16.5, 16.5, 512.0, 0.0]);
        assert_eq!((Weight::parse("1000 1 2 3"), Weight::parse("0 1 2 3 4"), Weight::parse("")), (None, None, None));
    }
}
