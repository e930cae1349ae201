//! Two ways of doing the job with crates alone, on one thread.
//!
//! [`reference`] does what the program did that `fragtop` grew from: take what the `glob` crate yields, count what the
//! `fiemap` crate yields, show every path as it comes, keep all counts in a sorted set and print the largest.
//! [`walkdir`] is the shortest loop over the two crates that one would write today; it only counts.

use std::collections::BTreeSet;
use std::error::Error;
use std::io::{self, Write};

const TOP: usize = 20;

pub(crate) fn reference(pattern: &str) -> Result<(), Box<dyn Error>> {
    let mut counts = BTreeSet::new();
    let mut out = io::stdout().lock();
    for path in glob::glob(pattern)? {
        let path = path?;
        if !path.is_file() {
            continue;
        }
        write!(out, "\r{}", path.display())?;
        counts.insert((fiemap::fiemap(&path)?.count(), path));
    }
    writeln!(out, "\n{} files", counts.len())?;
    for (count, path) in counts.iter().rev().take(TOP) {
        writeln!(out, "{count:8}  {}", path.display())?;
    }
    Ok(())
}

pub(crate) fn walkdir(directory: &str) -> Result<(), Box<dyn Error>> {
    let (mut files, mut extents) = (0, 0);
    for entry in walkdir::WalkDir::new(directory) {
        let entry = entry?;
        if entry.file_type().is_file() {
            files += 1;
            extents += fiemap::fiemap(entry.path())?.count();
        }
    }
    println!("{files} files, {extents} extents");
    Ok(())
}
