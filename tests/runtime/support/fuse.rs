//! A file system that leaves its users waiting: served by the test itself, as plainly as the protocol allows.
//!
//! `/dev/fuse` hands out requests and takes answers; every request says how long it is and what it asks. Only what the
//! kernel asks before it opens a file is answered here, and, depending on the manner, not even that. The layouts are
//! those of `linux/fuse.h`, written out field by field.

use super::kernel;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

/// How the file system treats who asks it something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    /// Nobody even takes the requests.
    Absent,
    /// It is there, says so, and answers nothing else.
    Mute,
    /// It lists its directory and says what is in it, and lets nobody open a file.
    Closed,
}

impl Manner {
    pub(crate) const ALL: [Self; 3] = [Self::Absent, Self::Mute, Self::Closed];
}

/// A mounted file system with one file, `file`; gone when dropped, and whoever waits for it is told so.
#[derive(Debug)]
pub(crate) struct Fuse {
    point: PathBuf,
    /// Holds the connection open where nobody reads from it.
    _device: File,
}

const ROOT: u64 = 1;
const FILE: u64 = 2;
const NAME: &[u8] = b"file";

impl Fuse {
    /// `None`, and a word on stderr, where there can be none.
    pub(crate) fn mount(point: &Path, manner: Manner) -> Option<Self> {
        if !kernel::has_own_mounts() {
            return super::skip("mounting takes root (CAP_SYS_ADMIN)");
        }
        let device = match File::options().read(true).write(true).open("/dev/fuse") {
            Ok(device) => device,
            Err(error) => return super::skip(&format!("/dev/fuse: {error}")),
        };
        let options = format!("fd={},rootmode=40000,user_id=0,group_id=0", device.as_raw_fd());
        kernel::mount("toolbox-test", point, "fuse", &options).expect("root may mount a FUSE file system");
        if manner != Manner::Absent {
            let device = device.try_clone().expect("a descriptor can be doubled");
            std::thread::spawn(move || serve(device, manner));
        }
        Some(Self { point: point.to_owned(), _device: device })
    }
}

impl Drop for Fuse {
    fn drop(&mut self) {
        let _ = kernel::abort_and_unmount(&self.point);
    }
}

/// Answers until the connection ends.
fn serve(mut device: File, manner: Manner) {
    let mut request = vec![0; 64 << 10];
    while let Ok(length) = device.read(&mut request) {
        let Some(asked) = Asked::parse(&request[..length]) else { continue };
        let Some(answer) = answer(&asked, manner) else { continue };
        if say(&mut device, asked.unique, &answer).is_err() {
            return;
        }
    }
}

/// The head of a request, and what follows it.
struct Asked<'a> {
    operation: u32,
    unique: u64,
    node: u64,
    body: &'a [u8],
}

impl<'a> Asked<'a> {
    fn parse(bytes: &'a [u8]) -> Option<Self> {
        let word = |at: usize| Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
        let long = |at: usize| Some(u64::from_ne_bytes(bytes.get(at..at + 8)?.try_into().ok()?));
        Some(Self { operation: word(4)?, unique: long(8)?, node: long(16)?, body: bytes.get(40..)? })
    }
}

fn say(device: &mut File, unique: u64, answer: &Result<Vec<u8>, i32>) -> io::Result<()> {
    let (error, body) = match answer {
        Ok(body) => (0, body.as_slice()),
        Err(error) => (-error, &[][..]),
    };
    let mut message = Vec::new();
    message.extend((16 + body.len() as u32).to_ne_bytes());
    message.extend(error.to_ne_bytes());
    message.extend(unique.to_ne_bytes());
    message.extend(body);
    device.write_all(&message)
}

/// `None` where there is none to give.
fn answer(asked: &Asked<'_>, manner: Manner) -> Option<Result<Vec<u8>, i32>> {
    const LOOKUP: u32 = 1;
    const FORGET: u32 = 2;
    const GETATTR: u32 = 3;
    const OPEN: u32 = 14;
    const STATFS: u32 = 17;
    const INIT: u32 = 26;
    const OPENDIR: u32 = 27;
    const READDIR: u32 = 28;
    const RELEASEDIR: u32 = 29;
    const INTERRUPT: u32 = 36;
    const FORGET_ALL: u32 = 42;
    match asked.operation {
        INIT => Some(Ok(init())),
        _ if manner == Manner::Mute => None,
        OPEN | FORGET | FORGET_ALL | INTERRUPT => None,
        LOOKUP if asked.body.strip_suffix(b"\0") == Some(NAME) => Some(Ok(entry())),
        LOOKUP => Some(Err(libc::ENOENT)),
        GETATTR => Some(Ok(words(&[u64::MAX >> 32, 0]).into_iter().chain(attributes(asked.node)).collect())),
        OPENDIR => Some(Ok(words(&[0, 0]))),
        READDIR => Some(Ok(listing(asked.body))),
        RELEASEDIR => Some(Ok(Vec::new())),
        STATFS => Some(Ok(words(&[0; 10]))),
        _ => Some(Err(libc::ENOSYS)),
    }
}

fn words(words: &[u64]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_ne_bytes()).collect()
}

/// `struct fuse_init_out`: version 7.31, and 64 bytes in all.
fn init() -> Vec<u8> {
    let mut bytes: Vec<u8> = [7u32, 31].iter().flat_map(|word| word.to_ne_bytes()).collect();
    bytes.resize(64, 0);
    // `max_write`.
    bytes[20..24].copy_from_slice(&4096u32.to_ne_bytes());
    bytes
}

/// `struct fuse_entry_out`.
fn entry() -> Vec<u8> {
    words(&[FILE, 0, 1000, 1000, 0]).into_iter().chain(attributes(FILE)).collect()
}

/// `struct fuse_attr`.
fn attributes(node: u64) -> Vec<u8> {
    let (mode, links) = if node == ROOT { (libc::S_IFDIR | 0o755, 2) } else { (libc::S_IFREG | 0o644, 1) };
    let mut bytes = words(&[node, 8192, 16, 0, 0, 0]);
    let small = [0, 0, 0, mode, links, 0, 0, 0, 4096, 0];
    bytes.extend(small.iter().flat_map(|word: &u32| word.to_ne_bytes()));
    bytes
}

/// One `struct fuse_dirent`, or the end.
fn listing(body: &[u8]) -> Vec<u8> {
    if body.get(8..16).is_none_or(|offset| offset != [0; 8]) {
        return Vec::new();
    }
    let mut bytes = words(&[FILE, 1]);
    bytes.extend((NAME.len() as u32).to_ne_bytes());
    bytes.extend(u32::from(libc::DT_REG).to_ne_bytes());
    bytes.extend(NAME);
    bytes.resize(bytes.len().next_multiple_of(8), 0);
    bytes
}
