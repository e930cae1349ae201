//! Many addresses of one image: what a tool uses that has its own heap and several threads.
//!
//! [`Many`] knows which unit has an address, and is shared; each thread loads a unit into an arena of its own ([`Many::load`]), asks for
//! all the addresses of that unit, and resets the arena. So what is needed at once is a few units, however large the file.

use super::Why;
use super::arena::Arena;
use super::dwarf::Unit;
use super::dwarf::index::Index;
use super::dwarf::unit::Head;
use super::image::Image;
use super::place::Loaded;
use super::symbol::{Sorted, Symbols};

/// An image with tables of its units and symbols.
#[derive(Clone, Copy, Debug)]
pub struct Many<'a> {
    image: Image<'a>,
    index: Index<'a>,
    symbols: [Sorted<'a>; 2],
}

impl<'a> Many<'a> {
    /// Makes the tables. `None` when they do not fit the arena.
    pub fn new(image: Image<'a>, arena: &'a Arena) -> Option<Self> {
        let index = match &image.dwarf {
            Some(dwarf) => Index::new(dwarf, arena)?,
            None => Index::default(),
        };
        let symbols = [Sorted::new(&image.symbols, arena)?, Sorted::new(&image.dynamic, arena)?];
        Some(Self { image, index, symbols })
    }

    /// The units that may have `address`, the likeliest first.
    pub fn units(&self, address: u64) -> impl Iterator<Item = usize> + use<'a> {
        self.index.units(address)
    }

    /// Reads a unit, and makes its tables.
    pub fn load<'b>(&self, unit: usize, arena: &'b Arena) -> Option<Loaded<'b>>
    where
        'a: 'b,
    {
        let dwarf = self.image.dwarf.as_ref()?;
        let head = Head::read(dwarf.sections.info, unit)?;
        let skeleton = Unit::new(dwarf, dwarf.sections, head)?;
        let mut loaded = Loaded::new(dwarf, self.image.path, &skeleton, arena)?;
        loaded.tabulate(arena);
        Some(loaded)
    }

    /// Why a name is missing that was not found.
    pub fn why(&self) -> Why {
        self.image.why()
    }

    /// The symbol that has `address`, and how far into it that is.
    pub fn symbol(&self, address: u64) -> Option<(&'a [u8], u64)> {
        let tables: [Symbols<'a>; 2] = [self.image.symbols, self.image.dynamic];
        tables.iter().zip(&self.symbols).find_map(|(table, sorted)| {
            let symbol = sorted.find(address)?;
            Some((table.name(&symbol)?, address.wrapping_sub(symbol.address)))
        })
    }
}
