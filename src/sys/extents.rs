//! Where a file's data lies: the `FS_IOC_FIEMAP` call.
//!
//! The record and flag types are those of the `fiemap` crate. Its iterator is not used, because it asks for eight
//! records a call (6,250 calls for a file of 50,000 extents, where this reader makes 196), takes its file by value
//! and allocates a request for each; a scan of a whole tree wants one buffer per thread that outlives every file.
//!
//! The kernel gives no snapshot: a file may grow, shrink or be rewritten between two calls. Each call starts where
//! the last one ended, what a later record says of an earlier place is cut off, and the position only ever moves
//! forward, so that every file ends.
//!
//! # Safety
//!
//! The one system call writes to a buffer that [`Reader`] owns, and is told how many records fit. Its layout is
//! asserted at compile time.
#![allow(unsafe_code)]

use super::{check, retry};
use fiemap::{FiemapExtent, FiemapExtentFlags};
use std::io;
use std::os::fd::{AsFd, AsRawFd};

/// Records asked for in one call. A file of fewer extents, which is nearly every file, costs exactly one.
pub const BATCH: usize = 256;

/// `_IOWR('f', 11, struct fiemap)`.
const FS_IOC_FIEMAP: libc::Ioctl = 0xC020_660B_u32 as libc::Ioctl;

const FIEMAP_FLAG_SYNC: u32 = 1;

/// `struct fiemap` with its trailing array.
#[repr(C)]
struct Request {
    start: u64,
    length: u64,
    flags: u32,
    mapped: u32,
    capacity: u32,
    reserved: u32,
    records: [FiemapExtent; BATCH],
}

const _: () = assert!(size_of::<FiemapExtent>() == 56 && std::mem::offset_of!(Request, records) == 32);

/// A reusable buffer for asking about one file after another.
pub struct Reader {
    request: Box<Request>,
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Reader").finish_non_exhaustive()
    }
}

impl Default for Reader {
    fn default() -> Self {
        let request = Box::<Request>::new_uninit();
        // SAFETY: the kernel's structures are integers throughout (the crate's flag type is a transparent `u32`
        // that keeps unknown bits), so all bytes zero is a valid value of each.
        let request = unsafe { Box::<std::mem::MaybeUninit<Request>>::assume_init(zeroed(request)) };
        Self { request }
    }
}

fn zeroed(mut memory: Box<std::mem::MaybeUninit<Request>>) -> Box<std::mem::MaybeUninit<Request>> {
    // SAFETY: the pointer is valid for writes of one `Request`, and bytes have no invalid value.
    unsafe { memory.as_mut_ptr().write_bytes(0, 1) };
    memory
}

impl Reader {
    /// Calls `visit` for every extent of `file`, in the order of the file, and returns the number of calls to the
    /// kernel. With `sync` set the kernel first writes what it still holds back, which changes the disk.
    ///
    /// # Errors
    /// The kernel's error: `EOPNOTSUPP` or `ENOTTY` where the file system has no such call. What was visited before
    /// the error stays visited.
    #[inline]
    pub fn each(&mut self, file: impl AsFd, sync: bool, mut visit: impl FnMut(&FiemapExtent)) -> io::Result<u32> {
        let file = file.as_fd();
        let mut start = 0;
        let mut calls = 0;
        loop {
            let records = self.call(file, start, if sync { FIEMAP_FLAG_SYNC } else { 0 })?;
            calls += 1;
            let mut last = records.len() < BATCH;
            let before = start;
            for record in records {
                last |= record.fe_flags.contains(FiemapExtentFlags::LAST);
                let end = record.fe_logical.saturating_add(record.fe_length);
                if end > start {
                    visit(&cut(record, start));
                    start = end;
                }
            }
            if last || start == before || start == u64::MAX {
                return Ok(calls);
            }
        }
    }

    fn call(&mut self, file: impl AsFd, start: u64, flags: u32) -> io::Result<&[FiemapExtent]> {
        let descriptor = file.as_fd().as_raw_fd();
        let request = &mut *self.request;
        retry(|| {
            request.start = start;
            request.length = u64::MAX - start;
            request.flags = flags;
            request.mapped = 0;
            request.capacity = BATCH as u32;
            // SAFETY: the kernel reads the head and writes at most `capacity` records behind it, which is the
            // length of the array that we own and borrow mutably here.
            check(unsafe { libc::ioctl(descriptor, FS_IOC_FIEMAP, std::ptr::from_mut(request)) })
        })?;
        let mapped = (request.mapped as usize).min(BATCH);
        Ok(&request.records[..mapped])
    }
}

/// `record` without what lies before `start`: a record that was asked for again from its middle.
fn cut(record: &FiemapExtent, start: u64) -> FiemapExtent {
    let mut record = *record;
    let over = start.saturating_sub(record.fe_logical);
    if over > 0 {
        record.fe_logical += over;
        record.fe_length -= over;
        let placed = FiemapExtentFlags::UNKNOWN | FiemapExtentFlags::ENCODED | FiemapExtentFlags::DATA_INLINE;
        if !record.fe_flags.intersects(placed) {
            record.fe_physical = record.fe_physical.saturating_add(over);
        }
    }
    record
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;

    #[test]
    fn agrees_with_the_fiemap_crate() {
        let path = std::env::current_exe().unwrap();
        let expected: Vec<_> = match fiemap::fiemap(&path).unwrap().collect::<Result<_, _>>() {
            Ok(records) => records,
            Err(error) => {
                eprintln!("skipped: {} has no extents to ask for: {error}", path.display());
                return;
            }
        };
        let mut found = Vec::new();
        let calls = Reader::default().each(File::open(&path).unwrap(), false, |record| found.push(*record)).unwrap();
        assert!(calls >= 1);
        // Neighbours may have been merged in the kernel's cache between the two; the bytes they cover stay.
        let end = |records: &[FiemapExtent]| records.last().map(|record| record.fe_logical + record.fe_length);
        assert_eq!(end(&found), end(&expected));
    }

    #[test]
    fn a_file_system_without_extents_is_an_error() {
        let error = Reader::default().each(File::open("/proc/self/maps").unwrap(), false, |_| {}).unwrap_err();
        assert!(matches!(error.raw_os_error(), Some(libc::EOPNOTSUPP | libc::ENOTTY)), "{error}");
    }

    #[test]
    fn a_record_seen_again_is_cut() {
        let mut reader = Reader::default();
        let record = &mut reader.request.records[0];
        (record.fe_logical, record.fe_physical, record.fe_length) = (4096, 1 << 20, 8192);
        let rest = cut(record, 8192);
        assert_eq!((rest.fe_logical, rest.fe_physical, rest.fe_length), (8192, (1 << 20) + 4096, 4096));
        record.fe_flags = FiemapExtentFlags::ENCODED;
        assert_eq!(cut(record, 8192).fe_physical, 1 << 20);
        assert_eq!(cut(record, 0).fe_logical, 4096);
    }
}
