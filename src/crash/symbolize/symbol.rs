//! Symbols: names of functions where there is no debug information, or none for the function.
//!
//! A symbol with a size has the addresses that it says. One without, as assembly leaves them, has those up to the next symbol or the
//! end of its section. Of several for one address a function is preferred to a label, and what others can see to what they cannot.
//!
//! One address is found by one pass over the table, in whatever order that is; for many there is a table in the order
//! of addresses ([`Sorted`]).

use super::arena::Arena;
use super::elf::Elf;
use super::reader::Reader;

/// The size of an entry.
const ENTRY: usize = 24;
/// Labels, functions, functions that are chosen when the program is loaded.
const KINDS: [u8; 3] = [0, 2, 10];
/// From here on a section's number means something else.
const RESERVED: u16 = 0xff00;

/// A table as the file has it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Symbols<'a> {
    elf: Elf<'a>,
    entries: &'a [[u8; ENTRY]],
    names: &'a [u8],
}

/// A symbol of code.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Symbol {
    pub(crate) address: u64,
    size: u64,
    name: u32,
    section: u16,
    /// How much it is preferred to others at the same address.
    rank: u8,
}

impl Symbol {
    fn end(&self) -> u64 {
        self.address.saturating_add(self.size)
    }
}

/// The best of the symbols that were looked at.
#[derive(Clone, Copy, Debug, Default)]
struct Choice {
    /// The innermost that has the address by its size.
    sized: Option<Symbol>,
    /// The nearest before it, with a size or without.
    nearest: Option<Symbol>,
}

impl Choice {
    fn note(&mut self, symbol: Symbol, address: u64) {
        if symbol.address > address {
            return;
        }
        let is_better =
            |than: Option<Symbol>| than.is_none_or(|than| (symbol.address, symbol.rank) > (than.address, than.rank));
        if symbol.size > 0 && address < symbol.end() && is_better(self.sized) {
            self.sized = Some(symbol);
        }
        if is_better(self.nearest) {
            self.nearest = Some(symbol);
        }
    }

    /// `section` is the one that has the address: a symbol without a size does not reach into another.
    fn made(self, section: Option<u16>) -> Option<Symbol> {
        let is_label = |symbol: &Symbol| symbol.size == 0 && section == Some(symbol.section);
        self.sized.or_else(|| self.nearest.filter(is_label))
    }
}

impl<'a> Symbols<'a> {
    /// The table of that name; empty when there is none.
    pub(crate) fn of(elf: &Elf<'a>, name: &[u8]) -> Self {
        let table = || {
            let section = elf.find(name)?;
            let names = elf.section(section.link as usize)?;
            Some(Self { elf: *elf, entries: elf.raw(&section).as_chunks().0, names: elf.raw(&names) })
        };
        table().unwrap_or_default()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(crate) fn name(&self, symbol: &Symbol) -> Option<&'a [u8]> {
        Reader::at(self.names, u64::from(symbol.name)).string().filter(|name| !name.is_empty())
    }

    fn all(&self) -> impl Iterator<Item = Symbol> + use<'a> {
        let names = self.names;
        self.entries.iter().filter_map(symbol).filter(move |symbol| {
            // Marks of the assembler that say where data lie among code; and what has no name names nothing.
            symbol.rank & 0x0f > 1 || !matches!(names.get(symbol.name as usize), None | Some(b'$' | 0))
        })
    }

    /// The symbol that has `address`.
    pub(crate) fn find(&self, address: u64) -> Option<Symbol> {
        let mut choice = Choice::default();
        self.all().for_each(|symbol| choice.note(symbol, address));
        choice.made(self.section(address))
    }

    /// The code section that has `address`.
    fn section(&self, address: u64) -> Option<u16> {
        let has = |index: &u16| {
            let section = self.elf.section(usize::from(*index));
            section.is_some_and(|its| its.is_code() && address >= its.address && address - its.address < its.size)
        };
        (1..RESERVED).take_while(|index| self.elf.section(usize::from(*index)).is_some()).find(has)
    }
}

fn symbol(entry: &[u8; ENTRY]) -> Option<Symbol> {
    let mut reader = Reader::new(entry);
    let (name, info) = (reader.u32()?, reader.u8()?);
    reader.skip(1)?;
    let (section, address, size) = (reader.u16()?, reader.u64()?, reader.u64()?);
    if !KINDS.contains(&(info & 0xf)) || section == 0 || section >= RESERVED {
        return None;
    }
    let is_function = info & 0xf != 0;
    let binding = match info >> 4 {
        1 | 10 => 3,
        2 => 2,
        _ => 1,
    };
    Some(Symbol { address, size, name, section, rank: u8::from(is_function) << 4 | binding })
}

/// The symbols of a table in the order of their addresses.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sorted<'a> {
    symbols: Symbols<'a>,
    /// Each with the highest end of it and all before.
    all: &'a [(Symbol, u64)],
}

impl<'a> Sorted<'a> {
    /// `None` when it does not fit the arena.
    pub(crate) fn new(symbols: &Symbols<'a>, arena: &'a Arena) -> Option<Self> {
        let all = arena.slice(symbols.all().count(), (Symbol::default(), 0))?;
        all.iter_mut().zip(symbols.all()).for_each(|(place, symbol)| *place = (symbol, 0));
        all.sort_unstable_by_key(|(symbol, _)| (symbol.address, symbol.rank, symbol.size, symbol.name));
        let mut reach = 0;
        for (symbol, its) in all.iter_mut() {
            reach = symbol.end().max(reach);
            *its = reach;
        }
        Some(Self { symbols: *symbols, all })
    }

    /// The symbol that has `address`.
    pub(crate) fn find(&self, address: u64) -> Option<Symbol> {
        let end = self.all.partition_point(|(symbol, _)| symbol.address <= address);
        let mut choice = Choice::default();
        for (symbol, reach) in self.all.get(..end)?.iter().rev() {
            let is_nearest = choice.nearest.is_none_or(|nearest| nearest.address == symbol.address);
            if choice.sized.is_some_and(|sized| sized.address > symbol.address) || !is_nearest && *reach <= address {
                break;
            }
            choice.note(*symbol, address);
        }
        // The section is looked up only where it matters.
        match choice.sized {
            Some(_) => choice.sized,
            None => choice.made(self.symbols.section(address)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_pass_and_the_sorted_table_agree() {
        let bytes = std::fs::read("/proc/self/exe").unwrap();
        let elf = Elf::new(&bytes).unwrap();
        let symbols = Symbols::of(&elf, b".symtab");
        assert!(!symbols.is_empty(), "the tests are not stripped");
        let arena = Arena::new(1 << 28).unwrap();
        let sorted = Sorted::new(&symbols, &arena).unwrap();
        let text = elf.find(b".text").unwrap();
        let (low, size) = (text.address, text.size);
        for address in (low - 100..low + size + 100).step_by(usize::try_from(size / 300).unwrap()) {
            let (one, other) = (symbols.find(address), sorted.find(address));
            assert_eq!(one.map(|found| found.address), other.map(|found| found.address), "{address:#x}");
        }
        let own = one_pass_and_the_sorted_table_agree as fn() as usize as u64;
        let base = symbols_base(&bytes);
        let found = sorted.find(own - base + 1).and_then(|found| symbols.name(&found)).unwrap();
        assert!(found.windows(35).any(|part| part == b"one_pass_and_the_sorted_table_agree"));
    }

    /// Where this program was loaded.
    fn symbols_base(bytes: &[u8]) -> u64 {
        // A shared object, as a program is that can be loaded anywhere.
        if bytes[16] != 3 {
            return 0;
        }
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        u64::from_str_radix(maps.split('-').next().unwrap(), 16).unwrap()
    }

    #[test]
    fn the_innermost_symbol_with_a_size_is_chosen() {
        let of = |address, size, rank| Symbol { address, size, rank, section: 1, name: 1 };
        let check = |symbols: &[Symbol], expected: Option<u64>| {
            let mut choice = Choice::default();
            symbols.iter().for_each(|symbol| choice.note(*symbol, 0x150));
            assert_eq!(choice.made(Some(1)).map(|found| found.address), expected);
        };
        check(&[of(0x100, 0x100, 0x13), of(0x140, 0, 1)], Some(0x100));
        check(&[of(0x100, 0x100, 0x13), of(0x140, 0x20, 1)], Some(0x140));
        check(&[of(0x100, 0x10, 0x13)], None);
        check(&[of(0x100, 0, 1), of(0x120, 8, 0x13)], None);
        check(&[of(0x100, 0, 1), of(0x160, 8, 0x13)], Some(0x100));
        check(&[of(0x100, 0, 1), of(0x100, 8, 0x13)], None);
    }
}
