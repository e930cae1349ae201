//! Report files: a new one for each crash, which nobody else could have put there.
//!
//! A program that crashes may run with more rights than whoever can write to the folder. So a file is only ever *created*
//! (`O_EXCL`), never opened, not followed if its name is a link, and readable by its owner alone. A program that crashes
//! again and again must not fill a disk: a folder takes so many files that match the template, each so many bytes, and
//! then no more. Old ones are not deleted: the first reports are often the ones that matter.
//!
//! The folder is opened at installation, so that a change of the working directory or the root in between does no harm.

use super::options::Path;
use super::record::Record;
use super::signal;
use super::sink::{self, Sink};
use super::text;
use crate::sys::raw::{self, Errno, Identity, Kind};
use core::ffi::CStr;

/// Where the files of one template go.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Folder {
    descriptor: i32,
    identity: Identity,
}

/// Splits a template into folder and name.
fn split(template: &[u8]) -> (&[u8], &[u8]) {
    match template.iter().rposition(|byte| *byte == b'/') {
        Some(0) => (b"/", &template[1..]),
        Some(at) => (&template[..at], &template[at + 1..]),
        None => (b".", template),
    }
}

impl Folder {
    /// None.
    pub(crate) const NONE: Self =
        Self { descriptor: -1, identity: Identity { device: 0, inode: 0, kind: Kind::Directory, length: 0 } };

    /// Opens the folder that a template's files go to.
    ///
    /// # Errors
    /// The kernel's number; `EINVAL` when the folder's own name has a `%`, or the file has no name.
    pub(crate) fn open(template: &Path) -> Result<Self, Errno> {
        let (folder, name) = split(template.as_bytes());
        if folder.contains(&b'%') || name.is_empty() {
            return Err(Errno(libc::EINVAL));
        }
        let mut path = [0; super::options::LONGEST_PATH + 1];
        path[..folder.len()].copy_from_slice(folder);
        let path = CStr::from_bytes_until_nul(&path).map_err(|_| Errno(libc::EINVAL))?;
        let flags = libc::O_RDONLY | libc::O_DIRECTORY | libc::O_CLOEXEC;
        let low = raw::open(libc::AT_FDCWD, path, flags, 0)?;
        let kept = sink::keep(low);
        raw::close(low);
        let descriptor = kept?;
        Ok(Self { descriptor, identity: raw::identity(descriptor)? })
    }

    /// Whether the descriptor is still the folder. Signal-safe.
    fn is_there(&self) -> bool {
        self.descriptor >= 0 && raw::identity(self.descriptor).is_ok_and(|now| now.is_same(&self.identity))
    }

    /// Closes the folder. Signal-safe.
    pub(crate) fn close(&mut self) {
        if self.is_there() {
            raw::close(self.descriptor);
        }
        *self = Self::NONE;
    }

    /// Creates the file for this crash. Signal-safe.
    ///
    /// # Errors
    /// The kernel's number; `ENOSPC` when the folder has as many files already as it may have.
    pub(crate) fn create(
        &self,
        template: &Path,
        record: &Record,
        program: &[u8],
        most_files: u32,
        most_bytes: u64,
    ) -> Result<Sink, Errno> {
        if !self.is_there() {
            return Err(Errno(libc::EBADF));
        }
        let (_, pattern) = split(template.as_bytes());
        if self.count(pattern)? >= most_files {
            return Err(Errno(libc::ENOSPC));
        }
        let mut name = [0; 256];
        let name = expand(pattern, record, program, &mut name).ok_or(Errno(libc::ENAMETOOLONG))?;
        let flags = libc::O_WRONLY | libc::O_CREAT | libc::O_EXCL | libc::O_NOFOLLOW | libc::O_CLOEXEC;
        let descriptor = raw::open(self.descriptor, name, flags, 0o600)?;
        Ok(Sink::own(descriptor, most_bytes))
    }

    /// How many files match the template, by what stands before its first `%` and behind its last.
    fn count(&self, pattern: &[u8]) -> Result<u32, Errno> {
        let first = pattern.iter().position(|byte| *byte == b'%');
        let last = pattern.iter().rposition(|byte| *byte == b'%');
        let (before, behind) = match (first, last) {
            (Some(first), Some(last)) => (&pattern[..first], pattern.get(last + 2..).unwrap_or(&[])),
            _ => (pattern, &[][..]),
        };
        // A descriptor of its own, so that each crash reads the folder from its beginning.
        let flags = libc::O_RDONLY | libc::O_DIRECTORY | libc::O_CLOEXEC;
        let folder = raw::open(self.descriptor, c".", flags, 0)?;
        let (mut count, mut buffer) = (0, [0; 4096]);
        let read = raw::entries(folder, &mut buffer, &mut |name| {
            let is_long_enough = name.len() >= before.len() + behind.len();
            count += u32::from(is_long_enough && name.starts_with(before) && name.ends_with(behind));
        });
        raw::close(folder);
        read.map(|()| count)
    }
}

/// The name that a template stands for; none when it is too long.
fn expand<'a>(pattern: &[u8], record: &Record, program: &[u8], into: &'a mut [u8; 256]) -> Option<&'a CStr> {
    let mut length = 0;
    let mut add = |bytes: &[u8]| {
        let place = into[..255].get_mut(length..length + bytes.len())?;
        place.copy_from_slice(bytes);
        length += bytes.len();
        Some(())
    };
    let mut rest = pattern;
    while let [byte, after @ ..] = rest {
        rest = after;
        if *byte != b'%' {
            add(&[*byte])?;
            continue;
        }
        let mut digits = [0; 20];
        match after.first() {
            Some(b'p') => add(decimal(u64::from(record.process), &mut digits))?,
            Some(b'i') => add(decimal(u64::from(record.thread), &mut digits))?,
            Some(b't') => add(decimal(record.time, &mut digits))?,
            Some(b's') => add(decimal(record.signal.unsigned_abs().into(), &mut digits))?,
            Some(b'e') => text::file_name(program).iter().try_for_each(|byte| add(&[*byte]))?,
            Some(b'n') => add(signal::name(record.signal).as_bytes())?,
            Some(b'%') | None => add(b"%")?,
            Some(other) => add(&[b'%', *other])?,
        }
        rest = after.get(1..).unwrap_or(&[]);
    }
    CStr::from_bytes_until_nul(into).ok()
}

fn decimal(mut number: u64, digits: &mut [u8; 20]) -> &[u8] {
    let mut start = digits.len();
    loop {
        start -= 1;
        digits[start] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            return &digits[start..];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crash::sink::Deadline;
    use std::os::unix::fs::PermissionsExt;

    fn record() -> Box<Record> {
        let mut record = Box::new(Record::new());
        (record.process, record.thread, record.time, record.signal) = (12, 345, 6789, libc::SIGSEGV);
        record
    }

    #[test]
    fn templates_are_expanded() {
        let check = |pattern: &[u8], expected: &CStr| {
            assert_eq!(expand(pattern, &record(), b"/usr/bin/thing", &mut [0; 256]), Some(expected));
        };
        check(b"plain", c"plain");
        check(b"%e.%p.%i.%t-%s%%", c"thing.12.345.6789-11%");
        check(b"%n%x%", c"SIGSEGV%x%");
        assert_eq!(expand(&[b'a'; 300], &record(), b"", &mut [0; 256]), None);
        assert_eq!(expand(b"%e", &record(), &[b'b'; 256], &mut [0; 256]), None);
    }

    #[test]
    fn templates_are_split() {
        assert_eq!(split(b"/a/b%p"), (&b"/a"[..], &b"b%p"[..]));
        assert_eq!(split(b"/b"), (&b"/"[..], &b"b"[..]));
        assert_eq!(split(b"b"), (&b"."[..], &b"b"[..]));
        assert!(Folder::open(&Path::new(b"/a%p/b").unwrap()).is_err());
        assert!(Folder::open(&Path::new(b"/").unwrap()).is_err());
    }

    #[test]
    fn files_are_new_private_and_few() {
        let place = std::env::temp_dir().join(format!("toolbox-reports-{}", std::process::id()));
        std::fs::create_dir(&place).unwrap();
        let template = Path::new(format!("{}/r.%t.txt", place.display()).as_bytes()).unwrap();
        let mut folder = Folder::open(&template).unwrap();
        let mut record = record();
        std::os::unix::fs::symlink("/dev/null", place.join("r.6789.txt")).unwrap();
        assert_eq!(folder.create(&template, &record, b"", 9, 9).unwrap_err(), Errno(libc::EEXIST));
        record.time = 1;
        let mut sink = folder.create(&template, &record, b"", 9, 4).unwrap();
        sink.write(b"123456", &mut Deadline::in_ms(1000));
        sink.close();
        let file = place.join("r.1.txt");
        assert_eq!(std::fs::read(&file).unwrap(), b"1234", "as long as it may be");
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        record.time = 2;
        std::fs::write(place.join("other"), "").unwrap();
        assert_eq!(folder.create(&template, &record, b"", 2, 9).unwrap_err(), Errno(libc::ENOSPC), "two already");
        assert!(folder.create(&template, &record, b"", 3, 9).is_ok());
        folder.close();
        assert_eq!(folder.create(&template, &record, b"", 9, 9).unwrap_err(), Errno(libc::EBADF));
        std::fs::remove_dir_all(place).unwrap();
    }
}
