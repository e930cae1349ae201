//! Before anything is timed: threads take a lock and give their processor away inside, so that whoever may come in does.
//!
//! Who is inside is counted beside the lock, one by one. The timed runs can only tell that somebody was, from what became
//! of the record.

use super::Lock;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::SeqCst;
use std::thread::yield_now;
use toolbox::bench::crew;
use toolbox::bench::random::Random;
use toolbox::bench::verify::Fault;

/// Enough to find each other on one processor as well, since everyone gives it away inside.
const THREADS: usize = 4;
const LOCKS: u64 = 80;

/// Who is inside, and who was there when they should not have been.
#[derive(Debug, Default)]
struct Watch {
    readers: AtomicU64,
    writers: AtomicU64,
    writer_beside_writer: AtomicU64,
    reader_beside_writer: AtomicU64,
}

/// Checks a lock by those who are inside.
///
/// # Errors
/// Every kind of fault, with how often it was seen.
pub(super) fn check<L: Lock>() -> Result<(), Vec<Fault>> {
    if !L::EXCLUDES {
        return Ok(());
    }
    let (lock, watch) = (L::new(), Watch::default());
    let shifts = crew::run(THREADS, &[], |index| work(&lock, &watch, index));
    let writes: u64 = shifts.iter().map(|shift| shift.result).sum();
    let mut faults = Vec::new();
    let seen = |count: &AtomicU64| Some(count.load(SeqCst)).filter(|&count| count > 0);
    let two = seen(&watch.writer_beside_writer).map(|times| format!("two writers inside: {times} of {writes} times"));
    let beside =
        seen(&watch.reader_beside_writer).map(|times| format!("a reader inside beside a writer: {times} times"));
    faults.extend(two.into_iter().chain(beside).map(Fault::Wrong));
    let counted = lock.write(|record| record.look());
    if counted != Some(writes) {
        faults.push(wrong_count(counted, writes));
    }
    if faults.is_empty() { Ok(()) } else { Err(faults) }
}

/// What to say of a record that should tell how many `writes` there were.
pub(super) fn wrong_count(counted: Option<u64>, writes: u64) -> Fault {
    let found = counted.map_or_else(|| "words that differ".to_owned(), |count| format!("{count} writes"));
    Fault::Wrong(format!("two writers inside: the record counts {found}, and there were {writes} writes"))
}

/// Takes the lock again and again, to read and to write; returns how often to write.
fn work<L: Lock>(lock: &L, watch: &Watch, index: usize) -> u64 {
    let mut random = Random::new(index as u64);
    let mut writes = 0;
    for _ in 0..LOCKS {
        if random.below(2) == 0 {
            lock.write(|record| {
                let others = watch.writers.fetch_add(1, SeqCst);
                watch.writer_beside_writer.fetch_add(u64::from(others > 0), SeqCst);
                let readers = watch.readers.load(SeqCst);
                watch.reader_beside_writer.fetch_add(u64::from(readers > 0), SeqCst);
                yield_now();
                record.count();
                watch.writers.fetch_sub(1, SeqCst);
            });
            writes += 1;
        } else {
            // A mutex takes readers for writers, and keeps them out all the same.
            lock.read(|record| {
                watch.readers.fetch_add(1, SeqCst);
                let writers = watch.writers.load(SeqCst);
                yield_now();
                let is_torn = record.look().is_none();
                watch.reader_beside_writer.fetch_add(u64::from(writers > 0 || is_torn), SeqCst);
                watch.readers.fetch_sub(1, SeqCst);
            });
        }
    }
    writes
}
