//! The parser: what it reads from, what it remembers, and the productions that all others need: numbers, identifiers,
//! substitutions, template parameters and arguments.
//!
//! It descends by recursion, and counts how deep it is ([`Parser::deeper`]). Nothing is tried and taken back, so the work
//! is bounded by the length of the name and the number of nodes.

use super::super::NotMangled;
use super::node::{Growing, Id, Kind, NIL, Nodes, flags};
use super::words;

/// How many components can be referred back to.
const SUBSTITUTIONS: usize = 800;

/// How deep productions may lie in each other. Each takes about three calls.
const DEPTH: usize = 200;

/// The longest mangled name: its places are numbers of 16 bits.
pub(super) const INPUT_MAX: usize = 60_000;

pub(super) type Parsed = Result<Id, NotMangled>;

/// Everything that is known of a name while it is read.
pub(super) struct Parser<'m> {
    pub(super) input: &'m [u8],
    pub(super) at: usize,
    pub(super) nodes: &'m mut Nodes,
    substitutions: [Id; SUBSTITUTIONS],
    known: usize,
    depth: usize,
    /// Whether `I` after a type is a template's arguments; in the type of a conversion operator they are the operator's.
    pub(super) takes_arguments: bool,
    /// Whether scopes that depend on parameters are written as the ABI says; g++ does otherwise.
    pub(super) keeps_to_abi: bool,
    /// Whether that made a difference.
    pub(super) is_doubtful: bool,
}

impl<'m> Parser<'m> {
    pub(super) fn new(input: &'m [u8], nodes: &'m mut Nodes, keeps_to_abi: bool) -> Self {
        nodes.clear();
        Self {
            input,
            at: 0,
            nodes,
            substitutions: [NIL; SUBSTITUTIONS],
            known: 0,
            depth: 0,
            takes_arguments: true,
            keeps_to_abi,
            is_doubtful: false,
        }
    }

    /// Runs a production one step deeper.
    pub(super) fn deeper(&mut self, production: impl FnOnce(&mut Self) -> Parsed) -> Parsed {
        if self.depth >= DEPTH {
            return Err(NotMangled::TooComplex);
        }
        self.depth += 1;
        let result = production(self);
        self.depth -= 1;
        result
    }

    /// The byte that is `ahead` of the next; 0 behind the end.
    pub(super) fn peek(&self, ahead: usize) -> u8 {
        self.input.get(self.at + ahead).copied().unwrap_or(0)
    }

    pub(super) fn next(&mut self) -> u8 {
        let byte = self.peek(0);
        self.at += 1;
        byte
    }

    /// Whether the input goes on with `text`, which is then passed.
    pub(super) fn take(&mut self, text: &[u8]) -> bool {
        let is_next = self.input.get(self.at..).is_some_and(|rest| rest.starts_with(text));
        if is_next {
            self.at += text.len();
        }
        is_next
    }

    pub(super) fn expect(&mut self, text: &[u8]) -> Result<(), NotMangled> {
        if self.take(text) { Ok(()) } else { Err(NotMangled::Damaged) }
    }

    /// A node without flags.
    pub(super) fn add(&mut self, kind: Kind, a: u16, b: u16, c: u16) -> Parsed {
        self.nodes.add(kind, a, b, c)
    }

    /// Digits: where they are, and how many. There may be none.
    pub(super) fn digits(&mut self) -> (u16, u16) {
        let start = self.at;
        while self.peek(0).is_ascii_digit() {
            self.at += 1;
        }
        (start as u16, (self.at - start) as u16)
    }

    /// A number, which has to be there and to be small.
    pub(super) fn number(&mut self) -> Result<u16, NotMangled> {
        let (start, length) = self.digits();
        let digits = self.input.get(usize::from(start)..usize::from(start) + usize::from(length)).unwrap_or_default();
        if digits.is_empty() {
            return Err(NotMangled::Damaged);
        }
        let step = |sum: u16, digit: &u8| sum.checked_mul(10)?.checked_add(u16::from(digit - b'0'));
        digits.iter().try_fold(0, step).ok_or(NotMangled::Damaged)
    }

    /// `_` for 0, `0_` for 1 and so on.
    pub(super) fn ordinal(&mut self) -> Result<u16, NotMangled> {
        if self.take(b"_") {
            return Ok(0);
        }
        let number = self.number()?;
        self.expect(b"_")?;
        number.checked_add(1).ok_or(NotMangled::Damaged)
    }

    /// An identifier with its length before it.
    pub(super) fn source_name(&mut self) -> Parsed {
        let length = self.number()?;
        let place = self.at as u16;
        self.at += usize::from(length);
        if length == 0 || self.at > self.input.len() {
            return Err(NotMangled::Damaged);
        }
        self.add(Kind::Source, place, length, 0)
    }

    /// Makes a component known for later substitutions.
    pub(super) fn remember(&mut self, id: Id) -> Result<(), NotMangled> {
        *self.substitutions.get_mut(self.known).ok_or(NotMangled::TooComplex)? = id;
        self.known += 1;
        Ok(())
    }

    /// `S_`, `S0_`, `Sa` and so on, but for `St`. Before a constructor
    /// they are written out.
    pub(super) fn substitution(&mut self, is_scope: bool) -> Parsed {
        self.expect(b"S")?;
        let letter = self.peek(0);
        if letter.is_ascii_lowercase() {
            words::std(letter).ok_or(NotMangled::Damaged)?;
            self.at += 1;
            let is_written_out = is_scope && matches!(self.peek(0), b'C' | b'D');
            let id = self.add(Kind::Std, u16::from(letter), u16::from(is_written_out), 0)?;
            let tagged = self.abi_tags(id)?;
            if tagged != id {
                self.remember(tagged)?;
            }
            return Ok(tagged);
        }
        let index = if self.take(b"_") { 0 } else { self.base_36()? + 1 };
        let known = self.substitutions.get(..self.known).unwrap_or_default();
        known.get(index).copied().ok_or(NotMangled::Damaged)
    }

    /// A number in base 36, with the `_` after it.
    fn base_36(&mut self) -> Result<usize, NotMangled> {
        let mut sum = 0usize;
        loop {
            let digit = match self.next() {
                b'_' => return Ok(sum),
                byte @ b'0'..=b'9' => byte - b'0',
                byte @ b'A'..=b'Z' => byte - b'A' + 10,
                _ => return Err(NotMangled::Damaged),
            };
            sum = sum * 36 + usize::from(digit);
            if sum > SUBSTITUTIONS {
                return Err(NotMangled::Damaged);
            }
        }
    }

    /// The tags after a name.
    pub(super) fn abi_tags(&mut self, mut name: Id) -> Parsed {
        while self.take(b"B") {
            let tag = self.source_name()?;
            name = self.add(Kind::Abi, name, tag, 0)?;
        }
        Ok(name)
    }

    /// `T_`, `T0_`, `TL0__`. What it stands for depends on where it is printed: a component with a parameter in it may be
    /// referred to from another function, where it is a parameter of that.
    pub(super) fn template_parameter(&mut self) -> Parsed {
        self.expect(b"T")?;
        if self.take(b"L") {
            self.ordinal()?;
        }
        let index = self.ordinal()?;
        self.nodes.flagged(Kind::Parameter, flags::HAS_PARAMETER, index, 0, 0)
    }

    /// `I ... E`: the list, and the constraint after it.
    pub(super) fn template_arguments(&mut self) -> Result<(Id, Id), NotMangled> {
        if self.peek(0) != b'I' && self.peek(0) != b'J' {
            return Err(NotMangled::Damaged);
        }
        self.at += 1;
        let takes = core::mem::replace(&mut self.takes_arguments, true);
        let mut list = Growing::default();
        let mut constraint = NIL;
        while !self.take(b"E") {
            if self.take(b"Q") {
                constraint = self.expression()?;
                self.expect(b"E")?;
                break;
            }
            let argument = self.template_argument()?;
            list.push(self.nodes, argument)?;
        }
        self.takes_arguments = takes;
        Ok((list.first, constraint))
    }

    /// `name<arguments>`, for a name that has just been read.
    pub(super) fn template(&mut self, name: Id) -> Parsed {
        let (list, constraint) = self.template_arguments()?;
        self.add(Kind::Template, name, list, constraint)
    }

    pub(super) fn template_argument(&mut self) -> Parsed {
        self.deeper(|parser| match parser.peek(0) {
            b'L' => parser.literal(),
            b'X' => {
                parser.at += 1;
                let expression = parser.expression()?;
                parser.expect(b"E")?;
                Ok(expression)
            }
            b'I' | b'J' => {
                let (list, _) = parser.template_arguments()?;
                parser.add(Kind::Pack, list, 0, 0)
            }
            b'T' if matches!(parser.peek(1), b'y' | b'n' | b't' | b'p' | b'k') => {
                parser.declaration()?; // How the parameter is declared tells overloads apart; it is not shown.
                parser.template_argument()
            }
            _ => parser.type_(),
        })
    }

    /// `Ty`, `Tn type`, `Tt ... E`, `Tp ...`, `Tk concept`: how a template parameter is declared.
    pub(super) fn declaration(&mut self) -> Parsed {
        self.deeper(|parser| {
            parser.expect(b"T")?;
            let letter = parser.next();
            let (of, list) = match letter {
                b'y' => (NIL, NIL),
                b'n' => (parser.type_()?, NIL),
                b'p' => (parser.declaration()?, NIL),
                b'k' => (parser.constraint_name()?, NIL),
                b't' => {
                    let mut list = Growing::default();
                    while !parser.take(b"E") {
                        let inner = parser.declaration()?;
                        list.push(parser.nodes, inner)?;
                    }
                    (NIL, list.first)
                }
                _ => return Err(NotMangled::Damaged),
            };
            parser.add(Kind::Declaration, of, u16::from(letter), list)
        })
    }

    /// The concept that a parameter is constrained by, perhaps with arguments.
    fn constraint_name(&mut self) -> Parsed {
        let mut info = super::names::Info::default();
        self.name(&mut info)
    }
}
