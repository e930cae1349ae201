//! What is mapped where.
//!
//! A module is an ELF file in memory (the program, a library, the kernel's vDSO), or executable memory without one, such as a
//! compiler makes at run time.

use super::maps::Span;

/// The number by which a linker tells one build from another; empty where there is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BuildId {
    length: u8,
    bytes: [u8; Self::LONGEST],
}

impl BuildId {
    /// How many bytes of it are kept. Linkers make 8 to 20.
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
    /// The device that the file is on (see [`Mapping`](super::maps::Mapping)); 0 where it is not known.
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
#[derive(Clone, Copy, Debug, Default)]
pub struct Slot {
    module: Module<'static>,
    path: (u32, u32),
}

/// The modules of a process, in ascending order, in room that the caller lends.
#[derive(Debug)]
pub struct Modules<'a> {
    slots: &'a mut [Slot],
    names: &'a mut [u8],
    count: usize,
    named: usize,
    left_out: usize,
}

impl<'a> Modules<'a> {
    /// Signal-safe. No modules yet, and room for as many as there are slots.
    #[must_use]
    pub fn new(slots: &'a mut [Slot], names: &'a mut [u8]) -> Self {
        Self { slots, names, count: 0, named: 0, left_out: 0 }
    }

    /// Signal-safe. How many there was no room for.
    #[must_use]
    pub fn left_out(&self) -> usize {
        self.left_out
    }

    /// Signal-safe. All of them, in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = Module<'_>> {
        self.slots[..self.count].iter().map(|slot| self.module(slot))
    }

    /// Signal-safe. The module that `address` belongs to. Logarithmic in the number of modules.
    #[must_use]
    pub fn find(&self, address: u64) -> Option<Module<'_>> {
        let slots = &self.slots[..self.count];
        let behind = slots.partition_point(|slot| slot.module.span.start <= address);
        let slot = slots[..behind].last()?;
        slot.module.span.contains(address).then(|| self.module(slot))
    }

    fn module(&self, slot: &Slot) -> Module<'_> {
        let (at, length) = (slot.path.0 as usize, slot.path.1 as usize);
        Module { path: &self.names[at..at + length], ..slot.module }
    }
}
