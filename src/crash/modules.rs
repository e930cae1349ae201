//! What is mapped where.
//!
//! A module is an ELF file in memory (the program, a library, the kernel's vDSO), or executable memory without one, such as a
//! compiler makes at run time. All that is known of it comes from two places: the list of mappings, which says what file is
//! where, and the file's own program headers, which are mapped with it and say how far it was moved, what its build id is
//! and where its tables are. They are read only where something is executable: a file that is mapped for its contents
//! is not touched.
//!
//! Mappings are given in ascending order ([`Modules::add`], or [`Modules::read_maps`] for the whole text). The first one of
//! a file holds its headers; what follows of the same file belongs to it, and so does anonymous memory within
//! the segments that the headers name: some programs move their code to larger pages. Without `/proc` there is no such
//! list; then what the dynamic linker keeps serves ([`linked`](super::linked)).
//!
//! Everything is kept in room that the caller lends. When it is full, what comes is counted and left out.

use super::headers::{self, Headers};
use super::maps::{self, Mapping, Span};
use super::memory::Memory;
use super::window::Window;

/// The number by which a linker tells one build from another; empty where there is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BuildId {
    length: u8,
    bytes: [u8; Self::LONGEST],
}

impl BuildId {
    /// How many bytes a build id may have. Linkers make 8 to 20.
    pub const LONGEST: usize = 32;

    /// Signal-safe. The first bytes of `bytes`, as many as are kept.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Self {
        let length = bytes.len().min(Self::LONGEST);
        let mut kept = [0; Self::LONGEST];
        kept[..length].copy_from_slice(&bytes[..length]);
        Self { length: length as u8, bytes: kept }
    }

    /// Signal-safe. Its bytes; none where there is no build id.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }
}

/// What a module is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Origin {
    /// An ELF file.
    #[default]
    File,
    /// What the kernel maps into every process.
    Kernel,
    /// Executable memory that no ELF file is behind: code that was made at run time.
    Anonymous,
}

/// A module.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Module<'a> {
    /// Its addresses, from the first to the last that belongs to it.
    pub span: Span,
    /// Those of them that are code.
    pub text: Span,
    /// What an address in memory has more than in the file, modulo 2⁶⁴.
    pub bias: u64,
    /// What it is.
    pub origin: Origin,
    /// The path as the kernel or the dynamic linker gives it; `[vdso]` for the kernel's; may be empty.
    pub path: &'a [u8],
    /// Whether the file has been deleted, or replaced by another of its name.
    pub is_deleted: bool,
    /// The device that the file is on (see [`Mapping`]); 0 where it is not known.
    pub device: u64,
    /// The number of the file; 0 where it is not known.
    pub inode: u64,
    /// The first of its mappings, whole: the kernel keeps the file open under `/proc/PID/map_files/START-END`. Empty
    /// where it is not known.
    pub mapping: Span,
    /// Its build id.
    pub build_id: BuildId,
    /// Where the search table of `.eh_frame` is; empty without one.
    pub search_table: Span,
}

/// Room for one module.
#[derive(Clone, Copy, Debug)]
pub struct Slot {
    module: Module<'static>,
    path: (u32, u32),
}

impl Slot {
    /// Signal-safe. Nothing yet; for an array of them.
    pub const EMPTY: Self = Self {
        module: Module {
            span: Span { start: 0, end: 0 },
            text: Span { start: 0, end: 0 },
            bias: 0,
            origin: Origin::File,
            path: &[],
            is_deleted: false,
            device: 0,
            inode: 0,
            mapping: Span { start: 0, end: 0 },
            build_id: BuildId { length: 0, bytes: [0; BuildId::LONGEST] },
            search_table: Span { start: 0, end: 0 },
        },
        path: (0, 0),
    };
}

/// Paths of memory that has a number like a file's, and is none.
const NO_FILES: [&[u8]; 3] = [b"/memfd:", b"/dev/", b"/SYSV"];

/// Mappings of one file that follow each other.
#[derive(Clone, Copy, Debug)]
struct Run {
    /// The first of them.
    first: Span,
    /// Where in the file that begins.
    offset: u64,
    device: u64,
    inode: u64,
    /// Its path among the names.
    path: (u32, u32),
    /// Where the last of them ends.
    end: u64,
    /// The module that it is, once something of it was executable.
    slot: Option<usize>,
}

impl Run {
    const NONE: Self =
        Self { first: Span { start: 0, end: 0 }, offset: 0, device: 0, inode: 0, path: (0, 0), end: 0, slot: None };
}

/// The modules of a process, in ascending order, in room that the caller lends.
#[derive(Debug)]
pub struct Modules<'a> {
    slots: &'a mut [Slot],
    names: &'a mut [u8],
    count: usize,
    named: usize,
    left_out: usize,
    is_complete: bool,
    run: Run,
}

impl<'a> Modules<'a> {
    /// Signal-safe. No modules yet, and room for as many as there are slots.
    ///
    /// A path that finds no room in `names` is left empty.
    #[must_use]
    pub const fn new(slots: &'a mut [Slot], names: &'a mut [u8]) -> Self {
        Self { slots, names, count: 0, named: 0, left_out: 0, is_complete: false, run: Run::NONE }
    }

    /// Signal-safe. How many modules there was no room for.
    #[must_use]
    pub const fn left_out(&self) -> usize {
        self.left_out
    }

    /// Signal-safe. Whether every mapping is known, so that what is in no module is no code.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        self.is_complete && self.left_out == 0
    }

    /// Signal-safe. All of them, in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = Module<'_>> {
        self.slots[..self.count].iter().map(|slot| self.module(slot))
    }

    /// Signal-safe. The module that `address` belongs to. Logarithmic in the number of modules.
    #[must_use]
    pub fn find(&self, address: u64) -> Option<Module<'_>> {
        self.slot_of(address).map(|slot| self.module(slot))
    }

    /// Signal-safe. Whether `address` lies in a module's code.
    #[must_use]
    pub fn is_code(&self, address: u64) -> bool {
        self.slot_of(address).is_some_and(|slot| slot.module.text.contains(address))
    }

    /// Signal-safe. Adds all modules of a text in the form of `/proc/PID/maps`, pieces of which `read` fills `buffer`
    /// with (see [`maps::each`]). Headers are read from `memory`.
    ///
    /// # Errors
    /// The first error of `read`; what came before it has been added.
    pub fn read_maps<E>(
        &mut self,
        memory: &dyn Memory,
        buffer: &mut [u8],
        read: impl FnMut(&mut [u8]) -> Result<usize, E>,
    ) -> Result<(), E> {
        maps::each(buffer, read, |mapping| self.add(memory, mapping))?;
        self.is_complete = true;
        Ok(())
    }

    /// Signal-safe. Adds what `mapping` is part of. Mappings have to come in ascending order.
    pub fn add(&mut self, memory: &dyn Memory, mapping: &Mapping<'_>) {
        let run = &mut self.run;
        if mapping.inode != 0 {
            let is_same_file = (mapping.device, mapping.inode) == (run.device, run.inode);
            if is_same_file && mapping.offset != 0 {
                run.end = mapping.span.end;
            } else {
                self.begin(mapping);
            }
        }
        match self.run.slot {
            Some(slot) if mapping.inode != 0 || self.slots[slot].module.span.contains(mapping.span.start) => {
                let module = &mut self.slots[slot].module;
                module.span.end = module.span.end.max(mapping.span.end);
                if mapping.is_executable {
                    module.text.end = module.text.end.max(mapping.span.end);
                }
            }
            _ if mapping.is_executable => self.add_code(memory, mapping),
            _ => {}
        }
    }

    /// Begins another file, and forgets the path of the one before if no module has come of it.
    fn begin(&mut self, mapping: &Mapping<'_>) {
        let (at, length) = self.run.path;
        if self.run.slot.is_none() && (at + length) as usize == self.named {
            self.named = at as usize;
        }
        let &Mapping { span, offset, device, inode, path, .. } = mapping;
        self.run = Run { first: span, offset, device, inode, path: self.keep(path), end: span.end, slot: None };
    }

    /// Adds the module that the executable `mapping` is the first code of.
    fn add_code(&mut self, memory: &dyn Memory, mapping: &Mapping<'_>) {
        let run = self.run;
        if mapping.path.starts_with(b"[v") {
            let headers = headers::read(memory, &mut Window::new(), mapping.span.start);
            let path = self.keep(mapping.path);
            self.push(module(mapping, mapping.span, Origin::Kernel, headers), path);
            return;
        }
        let is_file = mapping.inode != 0;
        let may_be_of_run = is_file || (run.inode != 0 && mapping.span.start == run.end);
        let headers = (may_be_of_run && run.offset == 0)
            .then(|| headers::read(memory, &mut Window::new(), run.first.start))
            .flatten();
        if is_file || headers.is_some_and(|headers| headers.text.contains(mapping.span.start)) {
            let is_named =
                mapping.path.starts_with(b"/") && !NO_FILES.iter().any(|name| mapping.path.starts_with(name));
            let origin = if headers.is_some() || is_named { Origin::File } else { Origin::Anonymous };
            let of_file = Mapping { device: run.device, inode: run.inode, ..*mapping };
            self.run.slot = self.push(module(&of_file, run.first, origin, headers), run.path);
        } else {
            self.add_anonymous(mapping);
        }
    }

    /// Adds code that was made at run time: to what lies right before it, if that is such code as well.
    fn add_anonymous(&mut self, mapping: &Mapping<'_>) {
        if let Some(Slot { module: last, .. }) = self.slots[..self.count].last_mut()
            && last.origin == Origin::Anonymous
            && last.inode == 0
            && last.span.end == mapping.span.start
        {
            (last.span.end, last.text.end) = (mapping.span.end, mapping.span.end);
            return;
        }
        let path = self.keep(mapping.path);
        self.push(module(mapping, mapping.span, Origin::Anonymous, None), path);
    }

    /// Signal-safe. Adds a module whose headers are mapped at `base`, under the name `path`, wherever it belongs in the
    /// order; nothing when that is no ELF file or overlaps with one that is known. For lists that are in no order.
    pub(super) fn insert(&mut self, memory: &dyn Memory, base: u64, origin: Origin, path: &[u8]) {
        let Some(headers) = headers::read(memory, &mut Window::new(), base) else { return };
        let Span { start, end } = headers.span;
        let known = &self.slots[..self.count];
        let place = known.partition_point(|slot| slot.module.span.start < start);
        let overlaps = |slot: &Slot| slot.module.span.start < end && start < slot.module.span.end;
        if known[place.saturating_sub(1)..].iter().take(2).any(overlaps) {
            return;
        }
        let module = Module { origin, ..Module::default() };
        let path = self.keep(path);
        if self.push(with_headers(module, Some(headers)), path).is_some() {
            self.slots[place..self.count].rotate_right(1);
        }
    }

    /// Adds a module at the end, if there is room; where it is. The one before must not reach into it.
    fn push(&mut self, module: Module<'static>, path: (u32, u32)) -> Option<usize> {
        let index = self.count;
        if index == self.slots.len() {
            self.left_out += 1;
            return None;
        }
        if let Some(before) = index.checked_sub(1).map(|before| &mut self.slots[before].module)
            && before.span.start < module.span.start
        {
            before.span.end = before.span.end.min(module.span.start);
        }
        self.slots[index] = Slot { module, path };
        self.count += 1;
        Some(index)
    }

    /// Keeps a copy of `path`, or of nothing when there is no room.
    fn keep(&mut self, path: &[u8]) -> (u32, u32) {
        let begin = self.named;
        let end = begin.saturating_add(path.len());
        let (Some(room), Ok(_)) = (self.names.get_mut(begin..end), u32::try_from(end)) else { return (0, 0) };
        room.copy_from_slice(path);
        self.named = end;
        (begin as u32, path.len() as u32)
    }

    fn slot_of(&self, address: u64) -> Option<&Slot> {
        let slots = &self.slots[..self.count];
        let behind = slots.partition_point(|slot| slot.module.span.start <= address);
        slots[..behind].last().filter(|slot| slot.module.span.contains(address))
    }

    fn module(&self, slot: &Slot) -> Module<'_> {
        let (at, length) = (slot.path.0 as usize, slot.path.1 as usize);
        Module { path: &self.names[at..at + length], ..slot.module }
    }
}

/// The module that `mapping` is the first code of, and `first` the first mapping.
fn module(mapping: &Mapping<'_>, first: Span, origin: Origin, headers: Option<Headers>) -> Module<'static> {
    let known = Module {
        span: Span { start: first.start.min(mapping.span.start), end: mapping.span.end },
        text: mapping.span,
        bias: mapping.span.start.wrapping_sub(mapping.offset),
        origin,
        is_deleted: mapping.is_deleted,
        device: mapping.device,
        inode: mapping.inode,
        mapping: first,
        ..Module::default()
    };
    with_headers(known, headers)
}

/// What a module's headers say goes before what its mappings say.
fn with_headers(known: Module<'static>, headers: Option<Headers>) -> Module<'static> {
    let Some(headers) = headers else { return known };
    Module {
        span: headers.span,
        text: if headers.text.is_empty() { known.text } else { headers.text },
        bias: headers.bias,
        build_id: headers.build_id,
        search_table: headers.search_table,
        ..known
    }
}

#[cfg(test)]
mod tests {
    use super::super::headers::tests::{file, note};
    use super::super::memory::Slices;
    use super::*;

    /// What is asked of a module.
    type Said = (String, u64, u64, Origin);

    /// The modules that these lines make, with these files in memory: path, start, bias, what it is.
    fn said(lines: &str, files: &[(u64, &[u8])]) -> Vec<Said> {
        with(lines, files, |modules| {
            let said = |module: Module<'_>| {
                (String::from_utf8(module.path.to_vec()).unwrap(), module.span.start, module.bias, module.origin)
            };
            modules.iter().map(said).collect()
        })
    }

    fn with<R>(lines: &str, files: &[(u64, &[u8])], use_them: impl FnOnce(&Modules<'_>) -> R) -> R {
        let (mut slots, mut names) = ([Slot::EMPTY; 8], [0; 128]);
        let mut modules = Modules::new(&mut slots, &mut names);
        let mut rest = lines.as_bytes();
        modules.read_maps(&Slices(files), &mut [0; 128], |into| std::io::Read::read(&mut rest, into)).unwrap();
        use_them(&modules)
    }

    /// A library of three segments.
    fn library() -> Vec<u8> {
        let at = 64 + 56 * 4;
        let id = note(&[7; 20]);
        let segments = [(1, 4, 0, 0, 0x800), (1, 5, 0x1000, 0x1000, 0x900), (1, 6, 0x2000, 0x3000, 0x2000)];
        let all = [&segments[..], &[(4, 4, at, at, id.len() as u64)]].concat();
        file(&all, &id)
    }

    const LIBRARY: &str = "\
        7f0000000000-7f0000001000 r--p 00000000 fe:01 9 /lib/one.so\n\
        7f0000001000-7f0000002000 r-xp 00001000 fe:01 9 /lib/one.so\n\
        7f0000003000-7f0000004000 rw-p 00002000 fe:01 9 /lib/one.so\n\
        7f0000004000-7f0000005000 rw-p 00000000 00:00 0 \n";

    #[test]
    fn a_library_is_one_module() {
        let library = library();
        with(LIBRARY, &[(0x7f00_0000_0000, &library)], |modules| {
            assert_eq!(modules.iter().count(), 1);
            let module = modules.find(0x7f00_0000_1234).unwrap();
            let expected = Module {
                span: Span { start: 0x7f00_0000_0000, end: 0x7f00_0000_5000 },
                text: Span { start: 0x7f00_0000_1000, end: 0x7f00_0000_1900 },
                bias: 0x7f00_0000_0000,
                origin: Origin::File,
                path: b"/lib/one.so",
                is_deleted: false,
                device: 0xfe_0000_0001,
                inode: 9,
                mapping: Span { start: 0x7f00_0000_0000, end: 0x7f00_0000_1000 },
                build_id: BuildId::new(&[7; 20]),
                search_table: Span::default(),
            };
            assert_eq!(module, expected);
            assert!(modules.is_code(0x7f00_0000_1234) && !modules.is_code(0x7f00_0000_0234));
            assert!(modules.find(0x7f00_0000_5000).is_none() && modules.find(0x7eff_ffff_ffff).is_none());
        });
    }

    #[test]
    fn a_library_whose_headers_are_lost_is_still_known_by_its_mappings() {
        with(LIBRARY, &[], |modules| {
            let module = modules.find(0x7f00_0000_1234).unwrap();
            assert_eq!((module.path, module.origin), (&b"/lib/one.so"[..], Origin::File));
            assert_eq!(module.span, Span { start: 0x7f00_0000_0000, end: 0x7f00_0000_4000 });
            assert_eq!(module.bias, 0x7f00_0000_0000);
        });
    }

    #[test]
    fn what_is_mapped_only_to_be_read_is_no_module() {
        let data = "7e0000000000-7e0000005000 r--p 00000000 fe:01 9 /lib/one.so\n";
        let library = library();
        let files = [(0x7e00_0000_0000, &library[..]), (0x7f00_0000_0000, &library)];
        let both = said(&(data.to_owned() + LIBRARY), &files);
        assert_eq!(both, [("/lib/one.so".to_owned(), 0x7f00_0000_0000, 0x7f00_0000_0000, Origin::File)]);
    }

    #[test]
    fn a_deleted_file_is_told() {
        let lines = LIBRARY.replace("one.so", "one.so (deleted)");
        with(&lines, &[(0x7f00_0000_0000, &library())], |modules| {
            let module = modules.iter().next().unwrap();
            assert_eq!((module.path, module.is_deleted), (&b"/lib/one.so"[..], true));
        });
    }

    #[test]
    fn code_that_was_moved_to_larger_pages_belongs_to_its_file() {
        let lines = LIBRARY.replace("r-xp 00001000 fe:01 9 /lib/one.so", "r-xp 00000000 00:00 0 ");
        let found = said(&lines, &[(0x7f00_0000_0000, &library())]);
        assert_eq!(found, [("/lib/one.so".to_owned(), 0x7f00_0000_0000, 0x7f00_0000_0000, Origin::File)]);
    }

    #[test]
    fn code_that_was_made_at_run_time_is_anonymous() {
        let lines = "\
            600000000000-600000001000 rwxp 00000000 00:00 0 \n\
            600000001000-600000002000 r-xp 00000000 00:00 0 [anon:code]\n\
            600000003000-600000004000 r-xs 00000000 00:01 77 /memfd:code (deleted)\n\
            7ffe00000000-7ffe00001000 r-xp 00000000 00:00 0 [vdso]\n\
            ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0 [vsyscall]\n";
        let found = said(lines, &[(0x7ffe_0000_0000, &library())]);
        let expected = [
            (String::new(), 0x6000_0000_0000, 0x6000_0000_0000, Origin::Anonymous),
            ("/memfd:code".to_owned(), 0x6000_0000_3000, 0x6000_0000_3000, Origin::Anonymous),
            ("[vdso]".to_owned(), 0x7ffe_0000_0000, 0x7ffe_0000_0000, Origin::Kernel),
            ("[vsyscall]".to_owned(), 0xffff_ffff_ff60_0000, 0xffff_ffff_ff60_0000, Origin::Kernel),
        ];
        assert_eq!(found, expected);
        with(lines, &[], |modules| {
            assert_eq!(modules.find(0x6000_0000_1fff).unwrap().text.end, 0x6000_0000_2000);
        });
    }

    #[test]
    fn headers_cannot_claim_what_is_another_modules() {
        let greedy = file(&[(1, 5, 0, 0, 1 << 40)], &[]);
        let lines = "\
            7f0000000000-7f0000001000 r-xp 00000000 fe:01 9 /lib/one.so\n\
            7f0000001000-7f0000002000 r-xp 00000000 fe:01 10 /lib/two.so\n";
        let files = [(0x7f00_0000_0000, &greedy[..]), (0x7f00_0000_1000, &greedy)];
        with(lines, &files, |modules| {
            assert_eq!(modules.find(0x7f00_0000_0fff).unwrap().path, b"/lib/one.so");
            assert_eq!(modules.find(0x7f00_0000_1000).unwrap().path, b"/lib/two.so");
        });
    }

    #[test]
    fn what_finds_no_room_is_counted() {
        let lines: String = (1..=10).map(|n| format!("{n}000-{n}800 r-xp 0 fe:01 {n} /{n:0>20}\n")).collect();
        with(&lines, &[], |modules| {
            assert_eq!((modules.iter().count(), modules.left_out(), modules.is_complete()), (8, 2, false));
            // A path without room is left empty.
            let lengths: Vec<_> = modules.iter().map(|module| module.path.len()).collect();
            assert_eq!(lengths, [21, 21, 21, 21, 21, 21, 0, 0]);
        });
    }

    #[test]
    fn modules_without_order_are_put_in_order() {
        let library = library();
        let places = [0x5000_0000, 0x1000_0000, 0x9000_0000, 0x3000_0000, 0x5000_0000];
        let files: Vec<_> = places.iter().map(|place| (*place, &library[..])).collect();
        let (mut slots, mut names) = ([Slot::EMPTY; 8], [0; 64]);
        let mut modules = Modules::new(&mut slots, &mut names);
        for place in places {
            modules.insert(&Slices(&files), place, Origin::File, format!("{place:x}").as_bytes());
        }
        modules.insert(&Slices(&files), 0x7777, Origin::File, b"nothing");
        let found: Vec<_> = modules.iter().map(|module| (module.span.start, module.path.to_vec())).collect();
        let expected =
            [0x1000_0000, 0x3000_0000, 0x5000_0000, 0x9000_0000].map(|at| (at, format!("{at:x}").into_bytes()));
        assert_eq!(found, expected);
        assert!(!modules.is_complete());
    }
}
