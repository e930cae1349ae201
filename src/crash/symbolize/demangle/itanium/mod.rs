//! C++ names by the Itanium C++ ABI, as g++ and clang write them.
//!
//! A name is read once into a table of nodes ([`node`], [`parse`], [`names`], [`types`], [`expressions`]) and then printed
//! ([`print`], [`print_expressions`]). What template parameters stand for is looked up while reading, as LLVM does, because
//! it is then a number and not a search; the text is that of binutils' `c++filt`, which C++ programmers know from their debugger,
//! and LLVM's for what binutils 2.40 cannot read (constraints, template heads of lambdas).
//!
//! What is not read: names of Objective-C, and the numbering of parameters in lambdas that are nested in generic lambdas.

mod expressions;
mod names;
mod node;
mod operators;
mod parse;
mod print;
mod print_expressions;
mod types;
mod words;

use super::NotMangled;
use core::fmt::Write;
use node::{Kind, Nodes};
use parse::{INPUT_MAX, Parsed, Parser};

/// The tables for one name.
pub(super) struct Tables(Nodes);

impl Tables {
    pub(super) const fn new() -> Self {
        Self(Nodes::new())
    }
}

/// Whether it can be a name of C++ at all.
pub(super) fn is_candidate(mangled: &str) -> bool {
    mangled.starts_with("_Z") || mangled.starts_with("_GLOBAL__")
}

/// Writes what the name stands for.
pub(super) fn demangle(mangled: &str, tables: &mut Tables, out: &mut dyn Write) -> Result<(), NotMangled> {
    if mangled.len() > INPUT_MAX {
        return Err(NotMangled::TooComplex);
    }
    let mut parser = Parser::new(mangled.as_bytes(), &mut tables.0, true);
    let top = match parser.mangled() {
        Err(NotMangled::Damaged) if parser.is_doubtful => {
            Parser::new(mangled.as_bytes(), &mut tables.0, false).mangled()?
        }
        result => result?,
    };
    print::Printer::new(mangled, &tables.0, out).all(top)
}

impl Parser<'_> {
    /// A whole symbol.
    fn mangled(&mut self) -> Parsed {
        let constructors = const { words::special("global constructors keyed to ") };
        let destructors = const { words::special("global destructors keyed to ") };
        let top = if self.take(b"_Z") {
            self.encoding(false)?
        } else if self.take(b"_GLOBAL__I_") {
            self.keyed_to(constructors)?
        } else if self.take(b"_GLOBAL__D_") {
            self.keyed_to(destructors)?
        } else {
            return Err(NotMangled::Plain);
        };
        let whole = self.clones(top)?;
        if self.at == self.input.len() { Ok(whole) } else { Err(NotMangled::Damaged) }
    }

    /// What runs before or after `main`, called after the first function of its file.
    fn keyed_to(&mut self, special: u16) -> Parsed {
        let name = if self.take(b"_Z") {
            self.encoding(false)?
        } else {
            let place = self.at as u16;
            self.at = self.input.len();
            self.add(Kind::Source, place, self.at as u16 - place, 0)?
        };
        self.add(Kind::Special, name, special, 0)
    }

    /// `.constprop.0`, `.cold` and so on: copies that a compiler has made.
    fn clones(&mut self, mut of: node::Id) -> Parsed {
        while self.peek(0) == b'.' && matches!(self.peek(1), b'a'..=b'z' | b'_' | b'0'..=b'9') {
            let place = self.at as u16;
            if !self.peek(1).is_ascii_digit() {
                self.at += 2;
                while matches!(self.peek(0), b'a'..=b'z' | b'_' | b'0'..=b'9') {
                    self.at += 1;
                }
            }
            while self.peek(0) == b'.' && self.peek(1).is_ascii_digit() {
                self.at += 2;
                self.digits();
            }
            of = self.add(Kind::Clone, of, place, self.at as u16 - place)?;
        }
        Ok(of)
    }
}
