//! Modules without `/proc`: what the dynamic linker keeps.
//!
//! The kernel tells each program where its own headers are (the auxiliary vector). From there a chain leads through the
//! dynamic section to the linker's `r_debug`, which is kept for debuggers, and to the list of all libraries. It is read
//! as memory that may be damaged, step by step, without the linker's lock and without its help: `dl_iterate_phdr` waits for
//! that lock, which whoever crashed may hold. A list that is changed meanwhile gives what it had, or ends early.
//!
//! A static program has no such list; its own headers and the kernel's are then all there is.

use super::headers;
use super::memory::Memory;
use super::modules::{Modules, Origin};
use super::window::Window;

/// No program has more libraries or namespaces than these.
const MOST_LIBRARIES: usize = 4096;
const MOST_NAMESPACES: usize = 16;

/// No dynamic section is longer.
const MOST_ENTRIES: usize = 256;

/// The longest name that is kept.
const LONGEST_NAME: usize = 256;

const ELF_HEADER: u64 = 64;

/// The tag of the dynamic section that leads to `r_debug`.
const DEBUG: u64 = 21;

/// What the kernel tells a program about itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Auxiliary {
    /// Where its program headers are (`AT_PHDR`).
    pub program_headers: u64,
    /// Where the dynamic linker begins (`AT_BASE`); 0 without one.
    pub linker: u64,
    /// Where the kernel's own module begins (`AT_SYSINFO_EHDR`); 0 without one.
    pub kernel: u64,
}

impl Auxiliary {
    /// What is in the bytes of `/proc/PID/auxv`, or of the note of a core file.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Self {
        let mut found = Self::default();
        for entry in bytes.chunks_exact(16) {
            let (tag, value) = entry.split_at(8);
            let word = |bytes: &[u8]| bytes.try_into().map_or(0, u64::from_le_bytes);
            let place = match word(tag) {
                libc::AT_PHDR => &mut found.program_headers,
                libc::AT_BASE => &mut found.linker,
                libc::AT_SYSINFO_EHDR => &mut found.kernel,
                _ => continue,
            };
            *place = word(value);
        }
        found
    }
}

impl Modules<'_> {
    /// Signal-safe. Adds what can be found from what the kernel has told the program: itself, under the name `program`, its
    /// libraries, and the kernel's module. What is known already stays as it is.
    pub fn add_linked(&mut self, memory: &dyn Memory, auxiliary: &Auxiliary, program: &[u8]) {
        let first = auxiliary.program_headers.wrapping_sub(ELF_HEADER);
        self.insert(memory, first, Origin::File, program);
        if auxiliary.kernel != 0 {
            self.insert(memory, auxiliary.kernel, Origin::Kernel, b"[vdso]");
        }
        if let Some(list) = debug_list(memory, first) {
            self.add_namespaces(memory, list);
        }
        if auxiliary.linker != 0 {
            self.insert(memory, auxiliary.linker, Origin::File, b"ld.so");
        }
    }

    /// Adds the libraries of each namespace (`dlmopen`), from the program's on.
    fn add_namespaces(&mut self, memory: &dyn Memory, mut list: u64) {
        for _ in 0..MOST_NAMESPACES {
            let Ok(version) = memory.word(list) else { return };
            let Ok(first) = memory.word(list.wrapping_add(8)) else { return };
            self.add_libraries(memory, first);
            // Since the second version there is a pointer to the next namespace.
            let next = if version as u32 >= 2 { memory.word(list.wrapping_add(40)).unwrap_or(0) } else { 0 };
            if next == 0 {
                return;
            }
            list = next;
        }
    }

    fn add_libraries(&mut self, memory: &dyn Memory, first: u64) {
        let mut library = first;
        for _ in 0..MOST_LIBRARIES {
            // Where it was moved to, its name, its dynamic section, the next.
            let Ok(base) = memory.word(library) else { return };
            let Ok(name) = memory.word(library.wrapping_add(8)) else { return };
            let mut bytes = [0; LONGEST_NAME];
            self.insert(memory, base, Origin::File, text(memory, name, &mut bytes));
            match memory.word(library.wrapping_add(24)) {
                Ok(0) | Err(_) => return,
                Ok(next) => library = next,
            }
        }
    }
}

/// Where the dynamic linker keeps its list, by the dynamic section of the program whose headers are mapped at `base`.
fn debug_list(memory: &dyn Memory, base: u64) -> Option<u64> {
    let dynamic = headers::read(memory, &mut Window::new(), base)?.dynamic;
    for at in (dynamic.start..dynamic.end).step_by(16).take(MOST_ENTRIES) {
        match (memory.word(at).ok()?, memory.word(at.checked_add(8)?).ok()?) {
            (0, _) => return None,
            (DEBUG, list) => return Some(list).filter(|list| *list != 0),
            _ => {}
        }
    }
    None
}

/// The bytes at `address` up to the zero that ends them, as many as there is room for.
fn text<'a>(memory: &dyn Memory, address: u64, into: &'a mut [u8; LONGEST_NAME]) -> &'a [u8] {
    let mut window = Window::<64>::new();
    let mut length = 0;
    while length < LONGEST_NAME {
        match window.read(memory, address.wrapping_add(length as u64)) {
            Ok([0]) | Err(_) => break,
            Ok([byte]) => into[length] = byte,
        }
        length += 1;
    }
    &into[..length]
}

#[cfg(test)]
mod tests {
    use super::super::memory::{OwnMemory, Slices};
    use super::super::modules::{Module, Slot};
    use super::*;

    #[test]
    fn the_linker_knows_the_same_modules_as_the_kernel() {
        let memory = OwnMemory::new();
        let auxiliary = Auxiliary::parse(&std::fs::read("/proc/self/auxv").unwrap());
        let (mut slots, mut names) = (vec![Slot::EMPTY; 64], vec![0; 8192]);
        let mut linked = Modules::new(&mut slots, &mut names);
        linked.add_linked(&memory, &auxiliary, b"program");
        let (mut slots, mut names) = (vec![Slot::EMPTY; 64], vec![0; 8192]);
        let mut mapped = Modules::new(&mut slots, &mut names);
        let text = std::fs::read("/proc/self/maps").unwrap();
        let mut rest = &text[..];
        mapped.read_maps(&memory, &mut [0; 4096], |into| std::io::Read::read(&mut rest, into)).unwrap();
        let is_file = |module: &Module<'_>| module.origin == Origin::File;
        let about =
            |module: Module<'_>| (module.span.start, module.text, module.bias, module.build_id, module.search_table);
        // Another test may open or close a library between the two.
        let known: Vec<_> = mapped.iter().map(about).collect();
        let found: Vec<_> = linked.iter().map(about).collect();
        let least = ["/libc.so.6", "toolbox", "[vdso]"];
        for module in mapped.iter().filter(|module| {
            let path = String::from_utf8_lossy(module.path).into_owned();
            least.iter().any(|name| path.contains(name))
        }) {
            assert!(found.contains(&about(module)), "{module:x?}");
        }
        assert!(found.iter().filter(|module| known.contains(module)).count() >= 3, "{found:x?}");
        assert!(linked.iter().filter(is_file).any(|module| module.path == b"program"));
        assert!(linked.iter().any(|module| module.path.ends_with(b"libc.so.6")));
    }

    #[test]
    fn a_list_that_runs_in_a_circle_ends() {
        let mut words = [0_u64; 8];
        (words[0], words[1]) = (2, 0x1010); // The version, and the first library,
        (words[2], words[3], words[5]) = (0x4_0000, 0x1030, 0x1010); // which is followed by itself;
        words[5] = 0x1000; // and so is the namespace.
        let bytes = words.map(u64::to_le_bytes).concat();
        let (mut slots, mut names) = ([Slot::EMPTY; 2], [0; 64]);
        let mut modules = Modules::new(&mut slots, &mut names);
        modules.add_namespaces(&Slices(&[(0x1000, &bytes)]), 0x1000);
        assert_eq!(modules.iter().count(), 0);
    }

    #[test]
    fn an_auxiliary_vector_may_be_cut() {
        let words = [libc::AT_PHDR, 0x40, libc::AT_SYSINFO_EHDR, 0x50, libc::AT_BASE];
        let bytes = words.map(u64::to_le_bytes).concat();
        let expected = Auxiliary { program_headers: 0x40, linker: 0, kernel: 0x50 };
        assert_eq!(Auxiliary::parse(&bytes), expected);
        assert_eq!(Auxiliary::parse(&[]), Auxiliary::default());
        let mut modules = Modules::new(&mut [], &mut []);
        modules.add_linked(&Slices(&[]), &expected, b"program");
        assert_eq!((modules.left_out(), modules.find(0x40)), (0, None));
    }
}
