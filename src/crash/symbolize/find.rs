//! The files that belong to what is mapped: the file itself, and those with its debug information.
//!
//! Nothing is trusted by its name. A file is taken when it has the build id that is wanted; a file that `.gnu_debuglink` names must
//! have the same build id, or the checksum that stands beside the name; a split unit has its number. Where the file at the path is
//! another by now, the one that is mapped is asked of the kernel: `/proc/self/exe` for the program, `/proc/self/map_files` for the
//! rest, which takes a privilege.

use super::arena::Arena;
use super::crc::crc32;
use super::elf::Elf;
use super::reader::Reader;
use super::{Folders, Wanted, Why};
use core::ffi::CStr;

/// The longest path that the kernel takes, with its zero.
const PATH: usize = 4096;

/// A file.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Found<'a> {
    pub(crate) elf: Elf<'a>,
    pub(crate) path: &'a [u8],
}

/// A path that is put together.
struct Path {
    bytes: [u8; PATH],
    length: usize,
}

impl Path {
    /// `None` when they are too long, or have a zero in them.
    fn of(pieces: &[&[u8]]) -> Option<Self> {
        let mut path = Self { bytes: [0; PATH], length: 0 };
        for piece in pieces {
            let end = path.length.checked_add(piece.len()).filter(|&end| end < PATH)?;
            path.bytes.get_mut(path.length..end)?.copy_from_slice(piece);
            path.length = end;
        }
        (!path.text().contains(&0)).then_some(path)
    }

    fn text(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }

    fn open<'a>(&self, arena: &'a Arena) -> Result<Found<'a>, Why> {
        let path = CStr::from_bytes_until_nul(&self.bytes).map_err(|_| Why::NoFile)?;
        // What is opened in vain leaves nothing behind but the room for its mapping's account.
        let bytes =
            arena.map(path).map_err(|errno| if errno == libc::ENOMEM { Why::OutOfMemory } else { Why::NoFile })?;
        let elf = Elf::new(bytes).ok_or(Why::Damaged)?;
        Ok(Found { elf, path: arena.copy(self.text()).ok_or(Why::OutOfMemory)? })
    }
}

fn open<'a>(arena: &'a Arena, pieces: &[&[u8]]) -> Result<Found<'a>, Why> {
    Path::of(pieces).ok_or(Why::NoFile)?.open(arena)
}

/// The file that is wanted.
pub(crate) fn file<'a>(arena: &'a Arena, folders: &Folders<'_>, wanted: &Wanted<'_>) -> Result<Found<'a>, Why> {
    if let Some(image) = wanted.image {
        // The arena's, so that it lives as long.
        let kept = arena.copy(image).ok_or(Why::OutOfMemory)?;
        return Ok(Found { elf: Elf::new(kept).ok_or(Why::Damaged)?, path: b"" });
    }
    if let Some(Ok(bytes)) = wanted.descriptor.map(|descriptor| arena.map_open(descriptor))
        && let Some(elf) = Elf::new(bytes)
        && let found = (Found { elf, path: arena.copy(wanted.path).unwrap_or_default() })
        && is_it(&found, wanted)
    {
        return Ok(found);
    }
    let mut reason = Why::NoFile;
    let mut digits = [0; 34];
    let from_kernel = map_files(wanted.mapped, &mut digits);
    let candidates: [&[&[u8]]; 3] = [
        if wanted.is_program { &[b"/proc/self/exe"] } else { &[] },
        if wanted.path.is_empty() { &[] } else { &[folders.root, wanted.path] },
        if from_kernel.is_empty() { &[] } else { &[b"/proc/self/map_files/", from_kernel] },
    ];
    for pieces in candidates.iter().filter(|pieces| !pieces.is_empty()) {
        match open(arena, pieces) {
            Ok(found) if is_it(&found, wanted) => {
                // Other files are looked for beside the path, and not beside the kernel's link.
                let path = if wanted.is_program { arena.copy(wanted.path).unwrap_or(found.path) } else { found.path };
                return Ok(Found { path, ..found });
            }
            Ok(_) => reason = Why::OtherBuild,
            Err(why) if reason == Why::NoFile => reason = why,
            Err(_) => {}
        }
    }
    by_build_id(arena, folders, wanted).ok_or(reason)
}

/// Whether a file is the one that is wanted, as far as that can be told.
fn is_it(found: &Found<'_>, wanted: &Wanted<'_>) -> bool {
    wanted.build_id.is_empty() || found.elf.build_id() == wanted.build_id
}

/// A file of the symbol folders that has the build id: by its place, or by the name of what is wanted.
fn by_build_id<'a>(arena: &'a Arena, folders: &Folders<'_>, wanted: &Wanted<'_>) -> Option<Found<'a>> {
    let mut digits = [0; 80];
    let id = hexadecimal(wanted.build_id, &mut digits)?;
    let (begin, rest) = id.split_at_checked(2)?;
    let name = base_name(wanted.path);
    for folder in folders.debug {
        let places: [&[&[u8]]; 7] = [
            &[folder, b"/.build-id/", begin, b"/", rest],
            &[folder, b"/.build-id/", begin, b"/", rest, b".debug"],
            &[folder, b"/", begin, b"/", rest, b".debug"],
            &[folder, b"/", id, b"/executable"],
            &[folder, b"/", id, b"/debuginfo"],
            &[folder, b"/", wanted.path],
            &[folder, b"/", name],
        ];
        let found = places.iter().filter_map(|pieces| open(arena, pieces).ok()).find(|found| is_it(found, wanted));
        if found.is_some() {
            return found;
        }
    }
    None
}

/// The file with the debug information of `image`.
pub(crate) fn debug_file<'a>(
    arena: &'a Arena,
    folders: &Folders<'_>,
    wanted: &Wanted<'_>,
    image: &Found<'a>,
) -> Option<Found<'a>> {
    let id = image.elf.build_id();
    let mut digits = [0; 80];
    if let Some((begin, rest)) = hexadecimal(id, &mut digits).and_then(|id| id.split_at_checked(2)) {
        let places =
            folders.debug.iter().map(|folder| open(arena, &[folder, b"/.build-id/", begin, b"/", rest, b".debug"]));
        let found = places.flatten().find(|found| found.elf.build_id() == id);
        if found.is_some() {
            return found;
        }
    }
    by_link(arena, folders, image).or_else(|| {
        let other = Wanted { build_id: id, path: wanted.path, ..Wanted::default() };
        by_build_id(arena, folders, &other).filter(|found| found.path != image.path)
    })
}

/// The file that `.gnu_debuglink` names: a name, padding, and a checksum.
fn by_link<'a>(arena: &'a Arena, folders: &Folders<'_>, image: &Found<'a>) -> Option<Found<'a>> {
    let section = image.elf.raw(&image.elf.find(b".gnu_debuglink")?);
    let mut reader = Reader::new(section);
    let name = reader.string().filter(|name| !name.is_empty())?;
    let checksum = Reader::at(section, reader.position().next_multiple_of(4) as u64).u32()?;
    let directory = directory(image.path);
    let matches = |found: &Found<'_>| {
        let ids = (image.elf.build_id(), found.elf.build_id());
        if ids.0.is_empty() || ids.1.is_empty() { crc32(found.elf.bytes) == checksum } else { ids.0 == ids.1 }
    };
    let near: [&[&[u8]]; 2] = [&[directory, name], &[directory, b".debug/", name]];
    let near = near.into_iter().find_map(|pieces| open(arena, pieces).ok().filter(&matches));
    near.filter(|found| found.path != image.path).or_else(|| {
        let below = |folder: &&[u8]| {
            let places: [&[&[u8]]; 2] = [&[folder, b"/", directory, name], &[folder, b"/", name]];
            places.into_iter().find_map(|pieces| open(arena, pieces).ok().filter(&matches))
        };
        folders.debug.iter().find_map(below)
    })
}

/// The file that `.gnu_debugaltlink` of `debug` names: a path, and behind its zero a build id.
pub(crate) fn shared_file<'a>(arena: &'a Arena, folders: &Folders<'_>, debug: &Found<'a>) -> Option<Found<'a>> {
    let section = debug.elf.raw(&debug.elf.find(b".gnu_debugaltlink")?);
    let mut reader = Reader::new(section);
    let path = reader.string()?;
    let id = reader.rest();
    let beside = if path.starts_with(b"/") { &[][..] } else { directory(debug.path) };
    let is_it = |found: &Found<'_>| found.elf.build_id() == id;
    open(arena, &[beside, path]).ok().filter(is_it).or_else(|| {
        let mut digits = [0; 80];
        let (begin, rest) = hexadecimal(id, &mut digits)?.split_at_checked(2)?;
        let places =
            folders.debug.iter().map(|folder| open(arena, &[folder, b"/.build-id/", begin, b"/", rest, b".debug"]));
        places.flatten().find(is_it)
    })
}

/// The package of split units beside the file at `path`.
pub(crate) fn package<'a>(arena: &'a Arena, path: &[u8]) -> Option<Found<'a>> {
    if path.is_empty() { None } else { open(arena, &[path, b".dwp"]).ok() }
}

/// The file of a split unit: where the compiler wrote it, or beside the program.
pub(crate) fn split<'a>(arena: &'a Arena, image: &[u8], compiled_in: &[u8], name: &[u8]) -> Option<Found<'a>> {
    let beside = directory(image);
    let first: &[&[u8]] = if name.starts_with(b"/") { &[name] } else { &[compiled_in, b"/", name] };
    let places = [first, &[beside, name], &[beside, base_name(name)]];
    places.into_iter().find_map(|pieces| open(arena, pieces).ok())
}

/// A path up to its last slash, which is part of it.
fn directory(path: &[u8]) -> &[u8] {
    let end = path.iter().rposition(|&byte| byte == b'/').map_or(0, |slash| slash + 1);
    path.get(..end).unwrap_or_default()
}

fn base_name(path: &[u8]) -> &[u8] {
    path.get(directory(path).len()..).unwrap_or_default()
}

/// `None` for no bytes, or more than fit.
fn hexadecimal<'buffer>(bytes: &[u8], buffer: &'buffer mut [u8]) -> Option<&'buffer [u8]> {
    let used = buffer.get_mut(..bytes.len() * 2).filter(|used| !used.is_empty())?;
    for (pair, byte) in used.as_chunks_mut::<2>().0.iter_mut().zip(bytes) {
        *pair = [digit(byte >> 4), digit(byte & 15)];
    }
    Some(used)
}

fn digit(value: u8) -> u8 {
    if value < 10 { b'0' + value } else { b'a' + value - 10 }
}

/// The name that the kernel has for a mapping: both ends, without leading zeros. Empty for no mapping.
fn map_files((start, end): (u64, u64), buffer: &mut [u8; 34]) -> &[u8] {
    if end == 0 {
        return &[];
    }
    let mut length = 0;
    let mut put = |byte| {
        if let Some(place) = buffer.get_mut(length) {
            *place = byte;
            length += 1;
        }
    };
    for (index, number) in [start, end].into_iter().enumerate() {
        if index > 0 {
            put(b'-');
        }
        let digits = (67 - number.leading_zeros()) / 4;
        (0..digits.max(1)).rev().for_each(|place| put(digit((number >> (place * 4) & 15) as u8)));
    }
    &buffer[..length]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_put_together() {
        let mut buffer = [0; 34];
        assert_eq!(map_files((0x40_0000, 0xffff_ffff_ffff_f000), &mut buffer), b"400000-fffffffffffff000");
        assert_eq!(map_files((0, 0), &mut buffer), b"");
        let mut digits = [0; 4];
        assert_eq!(hexadecimal(&[0x0f, 0xa0], &mut digits), Some(&b"0fa0"[..]));
        assert_eq!(hexadecimal(&[1, 2, 3], &mut digits), None);
        assert_eq!((directory(b"/a/b"), base_name(b"/a/b"), base_name(b"b")), (&b"/a/"[..], &b"b"[..], &b"b"[..]));
        assert!(Path::of(&[b"/a", b"\0"]).is_none() && Path::of(&[&[b'a'; PATH]]).is_none());
    }

    #[test]
    fn the_checksum_is_that_of_zip() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }

    #[test]
    fn the_program_is_found_whatever_its_path_says() {
        let arena = Arena::new(1 << 20).unwrap();
        let folders = Folders::default();
        let wanted = Wanted { path: b"/nowhere", is_program: true, ..Wanted::default() };
        assert!(file(&arena, &folders, &wanted).is_ok());
        let wanted = Wanted { build_id: &[1; 20], ..wanted };
        assert_eq!(file(&arena, &folders, &wanted).unwrap_err(), Why::OtherBuild);
        let wanted = Wanted { path: b"/etc/passwd", ..Wanted::default() };
        assert_eq!(file(&arena, &folders, &wanted).unwrap_err(), Why::Damaged);
        let wanted = Wanted { path: b"/nowhere", ..Wanted::default() };
        assert_eq!(file(&arena, &folders, &wanted).unwrap_err(), Why::NoFile);
    }
}
