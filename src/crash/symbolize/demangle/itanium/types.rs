//! Types, and what is not a function or a variable but was made for one: tables, thunks, guards.

use super::super::NotMangled;
use super::node::{Id, Kind, NIL, flags};
use super::parse::{Parsed, Parser};
use super::words;

impl Parser<'_> {
    /// A type.
    pub(super) fn type_(&mut self) -> Parsed {
        self.deeper(|parser| {
            let start = parser.at;
            let (id, is_new) = parser.any_type()?;
            debug_assert!(parser.at > start, "a type has at least a letter");
            if is_new {
                parser.remember(id)?;
            }
            Ok(id)
        })
    }

    /// A type, and whether it can be referred back to: neither types of the language can, nor what is known already.
    fn any_type(&mut self) -> Result<(Id, bool), NotMangled> {
        let id = match self.peek(0) {
            b'r' | b'V' | b'K' => self.qualified()?,
            b'U' if !matches!(self.peek(1), b't' | b'l' | b'b') => self.vendor_qualified()?,
            b'u' => self.vendor_type()?,
            b'D' => return self.type_after_d(),
            b'F' => self.function_type(0, NIL)?,
            b'A' => self.array()?,
            b'M' => self.member_pointer()?,
            b'P' => self.compound(Kind::Pointer)?,
            b'R' => self.compound(Kind::LvalueReference)?,
            b'O' => self.compound(Kind::RvalueReference)?,
            b'C' => self.compound(Kind::Complex)?,
            b'G' => self.compound(Kind::Imaginary)?,
            b'T' => match self.peek(1) {
                b's' => self.elaborated(const { words::special("struct ") })?,
                b'u' => self.elaborated(const { words::special("union ") })?,
                b'e' => self.elaborated(const { words::special("enum ") })?,
                _ => self.parameter_type()?,
            },
            b'S' if self.peek(1) != b't' => return self.known_type(),
            letter if words::builtin(u16::from(letter)).is_some() => {
                self.at += 1;
                return Ok((self.add(Kind::Builtin, u16::from(letter), 0, 0)?, false));
            }
            _ => self.name(&mut super::names::Info::default())?,
        };
        Ok((id, true))
    }

    /// A type that has been seen before, or a template that has, with arguments now.
    fn known_type(&mut self) -> Result<(Id, bool), NotMangled> {
        let known = self.substitution(false)?;
        if self.nodes.kind(known) == Kind::ModulePart {
            let module = known;
            let name = self.unqualified(NIL, module, &mut super::names::Info::default())?;
            return if self.peek(0) == b'I' {
                self.remember(name)?;
                Ok((self.template(name)?, true))
            } else {
                Ok((name, true))
            };
        }
        if self.peek(0) == b'I' && self.takes_arguments {
            return Ok((self.template(known)?, true));
        }
        Ok((known, false))
    }

    /// What a template parameter stands for, perhaps a template.
    fn parameter_type(&mut self) -> Parsed {
        let parameter = self.template_parameter()?;
        if self.peek(0) != b'I' || !self.takes_arguments {
            return Ok(parameter);
        }
        self.remember(parameter)?;
        self.template(parameter)
    }

    fn compound(&mut self, kind: Kind) -> Parsed {
        self.at += 1;
        let of = self.type_()?;
        self.add(kind, of, 0, 0)
    }

    fn elaborated(&mut self, word: u16) -> Parsed {
        self.at += 2;
        let name = self.name(&mut super::names::Info::default())?;
        self.add(Kind::Elaborated, name, word, 0)
    }

    /// `r`, `V` and `K`, in this order.
    pub(super) fn qualifiers(&mut self) -> u8 {
        let mut all = 0;
        for (letter, flag) in [(b"r", flags::RESTRICT), (b"V", flags::VOLATILE), (b"K", flags::CONST)] {
            if self.take(letter) {
                all |= flag;
            }
        }
        all
    }

    fn qualified(&mut self) -> Parsed {
        let own = self.qualifiers();
        let is_function = matches!((self.peek(0), self.peek(1)), (b'F', _) | (b'D', b'o' | b'O' | b'w' | b'x'));
        if is_function {
            return self.function_type(own, NIL);
        }
        let of = self.type_()?;
        self.nodes.flagged(Kind::Qualified, own, of, 0, 0)
    }

    /// `U name type`, with or without arguments.
    fn vendor_qualified(&mut self) -> Parsed {
        self.at += 1;
        let mut name = self.source_name()?;
        if self.peek(0) == b'I' {
            name = self.template(name)?;
        }
        let of = self.type_()?;
        self.add(Kind::VendorQualified, of, name, 0)
    }

    fn vendor_type(&mut self) -> Parsed {
        self.at += 1;
        let name = self.source_name()?;
        if self.peek(0) != b'I' {
            return Ok(name);
        }
        let (list, _) = self.template_arguments()?;
        self.add(Kind::VendorType, name, list, 0)
    }

    /// The types that begin with `D`.
    fn type_after_d(&mut self) -> Result<(Id, bool), NotMangled> {
        let id = match self.peek(1) {
            b't' | b'T' => self.decltype()?,
            b'p' => {
                self.at += 2;
                let pattern = self.type_()?;
                self.add(Kind::Expansion, pattern, 0, 0)?
            }
            b'v' => self.vector()?,
            b'o' | b'O' | b'w' | b'x' => self.function_type(0, NIL)?,
            b'F' => return Ok((self.float_n()?, false)),
            b'B' | b'U' => self.bit_int()?,
            letter => {
                let code = words::code(&[b'D', letter]);
                words::builtin(code).ok_or(NotMangled::Damaged)?;
                self.at += 2;
                let id = self.add(Kind::Builtin, code, 0, 0)?;
                let tagged = self.abi_tags(id)?;
                return Ok((tagged, tagged != id));
            }
        };
        Ok((id, true))
    }

    /// `Dt ... E`, `DT ... E`.
    pub(super) fn decltype(&mut self) -> Parsed {
        self.at += 2;
        let expression = self.expression()?;
        self.expect(b"E")?;
        self.add(Kind::Decltype, expression, 0, 0)
    }

    /// `DF 16 _`, `DF 32 x`, `DF16b`.
    fn float_n(&mut self) -> Parsed {
        self.at += 2;
        let (place, length) = self.digits();
        let end = self.next();
        if length == 0 || !matches!(end, b'_' | b'x' | b'b') {
            return Err(NotMangled::Damaged);
        }
        self.add(Kind::FloatN, place, length, u16::from(end))
    }

    /// `DB 8 _`, `DU expression _`.
    fn bit_int(&mut self) -> Parsed {
        let is_unsigned = self.peek(1) == b'U';
        self.at += 2;
        let size = self.number_or_expression()?;
        self.expect(b"_")?;
        self.add(Kind::BitInt, size, u16::from(is_unsigned), 0)
    }

    fn number_or_expression(&mut self) -> Parsed {
        if !self.peek(0).is_ascii_digit() {
            return self.expression();
        }
        let (place, length) = self.digits();
        self.add(Kind::Number, place, length, 0)
    }

    /// `Dv 4 _ element`, `Dv _ expression _ element`.
    fn vector(&mut self) -> Parsed {
        self.at += 2;
        let size = if self.take(b"_") { self.expression()? } else { self.number_or_expression()? };
        self.expect(b"_")?;
        let element = self.type_()?;
        self.add(Kind::Vector, element, size, 0)
    }

    /// `A 4 _ element`, `A _ element`, `A expression _ element`.
    fn array(&mut self) -> Parsed {
        self.at += 1;
        let size = if self.peek(0) == b'_' { NIL } else { self.number_or_expression()? };
        self.expect(b"_")?;
        let element = self.type_()?;
        self.add(Kind::Array, element, size, 0)
    }

    /// `M class member`.
    fn member_pointer(&mut self) -> Parsed {
        self.at += 1;
        let class = self.type_()?;
        let member = self.type_()?;
        self.add(Kind::MemberPointer, class, member, 0)
    }

    /// `F returned parameters E`, after what it may throw.
    fn function_type(&mut self, mut own: u8, mut throws: Id) -> Parsed {
        loop {
            if self.take(b"Do") {
                own |= flags::NOEXCEPT;
            } else if self.take(b"DO") {
                let condition = self.expression()?;
                self.expect(b"E")?;
                throws = self.add(Kind::Noexcept, condition, 0, 0)?;
            } else if self.take(b"Dw") {
                let mut list = super::node::Growing::default();
                while !self.take(b"E") {
                    let one = self.type_()?;
                    list.push(self.nodes, one)?;
                }
                throws = self.add(Kind::Throws, list.first, 0, 0)?;
            } else if self.take(b"Dx") {
                own |= flags::OTHER;
            } else {
                break;
            }
        }
        self.expect(b"F")?;
        self.take(b"Y"); // extern "C"
        let returned = self.type_()?;
        let list = self.parameters()?;
        if self.take(b"R") {
            own |= flags::LVALUE;
        } else if self.take(b"O") {
            own |= flags::RVALUE;
        }
        self.expect(b"E")?;
        self.nodes.flagged(Kind::FunctionType, own, returned, list, throws)
    }

    /// What begins with `T` or `G` where a function or variable would be.
    pub(super) fn special(&mut self) -> Parsed {
        let code = [self.next(), self.next()];
        macro_rules! words {
            ($text:literal) => {
                const { words::special($text) }
            };
        }
        let (name, of) = match &code {
            b"TV" => (self.type_()?, words!("vtable for ")),
            b"TT" => (self.type_()?, words!("VTT for ")),
            b"TI" => (self.type_()?, words!("typeinfo for ")),
            b"TS" => (self.type_()?, words!("typeinfo name for ")),
            b"TF" => (self.type_()?, words!("typeinfo fn for ")),
            b"TJ" => (self.type_()?, words!("java Class for ")),
            b"TC" => return self.construction_vtable(),
            b"TH" => (self.special_name()?, words!("TLS init function for ")),
            b"TW" => (self.special_name()?, words!("TLS wrapper function for ")),
            b"TA" => (self.template_argument()?, words!("template parameter object for ")),
            b"Th" => {
                self.call_offset(b'h')?;
                (self.encoding(false)?, words!("non-virtual thunk to "))
            }
            b"Tv" => {
                self.call_offset(b'v')?;
                (self.encoding(false)?, words!("virtual thunk to "))
            }
            b"Tc" => {
                for _ in 0..2 {
                    let letter = self.next();
                    self.call_offset(letter)?;
                }
                (self.encoding(false)?, words!("covariant return thunk to "))
            }
            b"GV" => (self.special_name()?, words!("guard variable for ")),
            b"GA" => (self.encoding(false)?, words!("hidden alias for ")),
            b"GR" => return self.reference_temporary(),
            b"GI" => (self.module(NIL)?, words!("initializer for module ")),
            b"GT" if self.take(b"n") => (self.encoding(false)?, words!("non-transaction clone for ")),
            b"GT" => {
                self.at += 1;
                (self.encoding(false)?, words!("transaction clone for "))
            }
            _ => return Err(NotMangled::Damaged),
        };
        self.add(Kind::Special, name, of, 0)
    }

    fn special_name(&mut self) -> Parsed {
        self.name(&mut super::names::Info::default())
    }

    /// `h number _`, `v number _ number _`, after the letter.
    fn call_offset(&mut self, letter: u8) -> Result<(), NotMangled> {
        let numbers = match letter {
            b'h' => 1,
            b'v' => 2,
            _ => return Err(NotMangled::Damaged),
        };
        for _ in 0..numbers {
            self.take(b"n");
            self.digits();
            self.expect(b"_")?;
        }
        Ok(())
    }

    fn construction_vtable(&mut self) -> Parsed {
        let derived = self.type_()?;
        self.digits();
        self.expect(b"_")?;
        let base = self.type_()?;
        self.add(Kind::ConstructionVtable, base, derived, 0)
    }

    /// `name _`, `name 0 _`: the number is shown as it stands there.
    fn reference_temporary(&mut self) -> Parsed {
        let name = self.special_name()?;
        let (place, length) = self.digits();
        self.take(b"_");
        self.add(Kind::ReferenceTemporary, name, place, length)
    }
}
