//! Expressions, as they stand in the arguments of templates and in types that depend on them.

use super::super::NotMangled;
use super::names::Info;
use super::node::{Growing, Id, Kind, NIL, flags};
use super::operators::{self, Operands};
use super::parse::{Parsed, Parser};

impl Parser<'_> {
    /// An expression.
    pub(super) fn expression(&mut self) -> Parsed {
        self.deeper(|parser| match (parser.peek(0), parser.peek(1)) {
            (b'L', _) => parser.literal(),
            (b'T', _) => {
                let parameter = parser.template_parameter()?;
                parser.with_arguments(parameter)
            }
            (b'f', b'p') => parser.parameter(false),
            (b'f', b'L') if parser.peek(2).is_ascii_digit() => parser.parameter(true),
            (b's', b'r') => parser.unresolved(),
            (b'o', b'n') => {
                parser.at += 2;
                let name = parser.operator_name(&mut Info::default())?;
                parser.with_arguments(name)
            }
            (b'd', b'n') => {
                parser.at += 2;
                parser.destructor_name()
            }
            (b'u', _) => parser.vendor_expression(),
            (b'r', b'q' | b'Q') => parser.requires(),
            (b's', b'o') => parser.subobject(),
            (b'm', b'c') => parser.member_conversion(),
            (b'c', b'v') => parser.conversion(),
            (b'0'..=b'9', _) => {
                let name = parser.unqualified(NIL, NIL, &mut Info::default())?;
                parser.with_arguments(name)
            }
            _ => parser.operation(),
        })
    }

    fn with_arguments(&mut self, name: Id) -> Parsed {
        if self.peek(0) == b'I' { self.template(name) } else { Ok(name) }
    }

    /// Expressions up to `E`.
    fn expressions(&mut self) -> Parsed {
        let mut list = Growing::default();
        while !self.take(b"E") {
            let one = self.expression()?;
            list.push(self.nodes, one)?;
        }
        Ok(list.first)
    }

    /// What begins with an operator.
    fn operation(&mut self) -> Parsed {
        let index = operators::find([self.peek(0), self.peek(1)]).ok_or(NotMangled::Damaged)? as u16;
        let operator = operators::at(index);
        self.at += 2;
        match operator.operands {
            Operands::None => self.add(Kind::Nullary, index, 0, 0),
            Operands::One => {
                let operand = self.expression()?;
                self.add(Kind::Unary, operand, index, 0)
            }
            Operands::OneEitherSide => {
                let kind = if self.take(b"_") { Kind::Unary } else { Kind::Postfix };
                let operand = self.expression()?;
                self.add(kind, operand, index, 0)
            }
            Operands::Type => {
                let operand = self.type_()?;
                self.add(Kind::Unary, operand, index, 0)
            }
            Operands::Two => {
                let left = self.expression()?;
                let right = self.expression()?;
                self.add(Kind::Binary, left, right, index)
            }
            Operands::Cast => {
                let to = self.type_()?;
                let from = self.expression()?;
                self.add(Kind::NamedCast, to, from, index)
            }
            Operands::Member => {
                let left = self.expression()?;
                let right = self.member()?;
                self.add(Kind::Binary, left, right, index)
            }
            Operands::Special => self.special_operation(operator.code, index),
        }
    }

    /// The operators with a rule of their own.
    fn special_operation(&mut self, code: [u8; 2], index: u16) -> Parsed {
        match &code {
            b"cl" | b"cp" => {
                let function = self.expression()?;
                let list = self.expressions()?;
                self.add(Kind::Call, function, list, 0)
            }
            b"qu" => {
                let condition = self.expression()?;
                let yes = self.expression()?;
                let no = self.expression()?;
                self.add(Kind::Conditional, condition, yes, no)
            }
            b"gs" => {
                let name = self.expression()?;
                let is_new = self.nodes.kind(name) == Kind::New;
                if is_new { Ok(name) } else { self.add(Kind::Unary, name, index, 0) }
            }
            b"il" => {
                let list = self.braced()?;
                self.add(Kind::Braced, NIL, list, 0)
            }
            b"tl" => {
                let of = self.type_()?;
                let list = self.braced()?;
                self.add(Kind::Braced, of, list, 0)
            }
            b"sp" => {
                let pattern = self.expression()?;
                self.add(Kind::Expansion, pattern, 0, 0)
            }
            b"sZ" => {
                let pack = self.expression()?;
                self.add(Kind::SizeofPack, pack, 0, 0)
            }
            b"sP" => {
                let mut list = Growing::default();
                while !self.take(b"E") {
                    let one = self.template_argument()?;
                    list.push(self.nodes, one)?;
                }
                self.add(Kind::SizeofArguments, list.first, 0, 0)
            }
            b"nw" | b"na" => self.new_expression(code == *b"na"),
            b"fl" | b"fr" | b"fL" | b"fR" => self.fold(code[1]),
            b"di" | b"dx" | b"dX" => {
                self.at -= 2;
                self.initializer()
            }
            _ => Err(NotMangled::Damaged),
        }
    }

    /// The operator of a fold and what it folds: a row of `+` for `(... + pack)`.
    fn fold(&mut self, which: u8) -> Parsed {
        let operator = operators::find([self.next(), self.next()]).ok_or(NotMangled::Damaged)? as u16;
        let first = self.expression()?;
        let second = if matches!(which, b'L' | b'R') { self.expression()? } else { NIL };
        self.add(Kind::Fold, first, second, (operator << 8) | u16::from(which))
    }

    /// Items in braces up to `E`.
    fn braced(&mut self) -> Parsed {
        let mut list = Growing::default();
        while !self.take(b"E") {
            let one = self.initializer()?;
            list.push(self.nodes, one)?;
        }
        Ok(list.first)
    }

    /// An item in braces: an expression, or `.name=`, `[index]=`, `[first ... last]=` and another such.
    fn initializer(&mut self) -> Parsed {
        self.deeper(|parser| match (parser.peek(0), parser.peek(1)) {
            (b'd', b'i') => {
                parser.at += 2;
                let field = parser.source_name()?;
                let value = parser.initializer()?;
                parser.add(Kind::Designated, field, value, u16::from(b'i'))
            }
            (b'd', b'x') => {
                parser.at += 2;
                let index = parser.expression()?;
                let value = parser.initializer()?;
                parser.add(Kind::Designated, index, value, u16::from(b'x'))
            }
            (b'd', b'X') => {
                parser.at += 2;
                let first = parser.expression()?;
                let last = parser.expression()?;
                let value = parser.initializer()?;
                parser.add(Kind::DesignatedRange, first, last, value)
            }
            _ => parser.expression(),
        })
    }

    /// `fpT`, `fp qualifiers number _`, `fL number p qualifiers number _`.
    fn parameter(&mut self, has_level: bool) -> Parsed {
        self.at += 2;
        if !has_level && self.take(b"T") {
            return self.add(Kind::FunctionParameter, 0, 0, 0);
        }
        if has_level {
            self.number()?;
            self.expect(b"p")?;
        }
        self.qualifiers();
        let number = self.ordinal()?;
        self.add(Kind::FunctionParameter, number.saturating_add(1), 0, 0)
    }

    /// `L type value E`, `L _Z encoding E`.
    pub(super) fn literal(&mut self) -> Parsed {
        self.expect(b"L")?;
        if self.take(b"_Z") || self.take(b"Z") {
            // (Old compilers left out the `_`.)
            let encoding = self.encoding(false)?;
            self.expect(b"E")?;
            return Ok(encoding);
        }
        let of = self.type_()?;
        let place = self.at as u16;
        self.take(b"n");
        while self.peek(0) != b'E' {
            if !matches!(self.next(), b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F' | b'_' | b'.' | b'-' | b'+') {
                return Err(NotMangled::Damaged);
            }
        }
        let length = self.at as u16 - place;
        self.at += 1;
        self.add(Kind::Literal, of, place, length)
    }

    /// `sr ...`: a name in a scope that depends on a parameter.
    ///
    /// g++ writes a class and the member, and what it writes can be referred to later; clang keeps to the ABI, where a
    /// row of scopes ends with `E` and cannot. Which it is may turn out only much later, so a name that
    /// makes no sense by the ABI is read once more as g++ would mean it.
    fn unresolved(&mut self) -> Parsed {
        self.at += 2;
        let is_digit = self.peek(0).is_ascii_digit();
        if is_digit && self.keeps_to_abi {
            self.is_doubtful = true;
            let first = self.simple_name(false)?;
            let scope = self.scopes(first, false)?;
            let name = self.bare_member()?;
            let nested = self.add(Kind::Nested, scope, name, 0)?;
            return self.with_arguments(nested);
        }
        let scope = if self.take(b"N") {
            let is_known = self.peek(0).is_ascii_digit() || (self.peek(0), self.peek(1)) == (b'S', b't');
            self.is_doubtful |= !is_known;
            let remembers = is_known || !self.keeps_to_abi;
            let first = if self.peek(0).is_ascii_digit() { self.simple_name(true)? } else { self.type_()? };
            self.scopes(first, remembers)?
        } else {
            self.type_()?
        };
        let name = self.member()?;
        self.add(Kind::Nested, scope, name, 0)
    }

    /// Scopes within scopes up to `E`.
    fn scopes(&mut self, mut scope: Id, remembers: bool) -> Parsed {
        while !self.take(b"E") {
            let name = self.source_name()?;
            scope = self.add(Kind::Nested, scope, name, 0)?;
            if remembers {
                self.remember(scope)?;
            }
            if self.peek(0) == b'I' {
                scope = self.template(scope)?;
                if remembers {
                    self.remember(scope)?;
                }
            }
        }
        Ok(scope)
    }

    fn simple_name(&mut self, remembers: bool) -> Parsed {
        let name = self.source_name()?;
        if remembers {
            self.remember(name)?;
        }
        let whole = self.with_arguments(name)?;
        if remembers && whole != name {
            self.remember(whole)?;
        }
        Ok(whole)
    }

    /// The name of a member: an identifier, an operator, a destructor, or a name in a scope.
    fn member(&mut self) -> Parsed {
        let name = self.bare_member()?;
        self.with_arguments(name)
    }

    fn bare_member(&mut self) -> Parsed {
        self.deeper(|parser| match (parser.peek(0), parser.peek(1)) {
            (b's', b'r') => parser.unresolved(),
            (b'd', b'n') => {
                parser.at += 2;
                parser.destructor_name()
            }
            _ => {
                parser.take(b"on");
                parser.unqualified(NIL, NIL, &mut Info::default())
            }
        })
    }

    fn destructor_name(&mut self) -> Parsed {
        let of = if self.peek(0).is_ascii_digit() { self.simple_name(false)? } else { self.type_()? };
        self.add(Kind::Dtor, of, 1, 0)
    }

    /// `cv type expression`, `cv type _ expressions E`.
    fn conversion(&mut self) -> Parsed {
        self.at += 2;
        let to = self.type_()?;
        let from = if self.take(b"_") {
            let list = self.expressions()?;
            self.add(Kind::Parentheses, list, 0, 0)?
        } else {
            self.expression()?
        };
        self.add(Kind::Cast, to, from, 0)
    }

    /// `nw where _ type E`, `nw where _ type pi values E`, `nw where _ type il values E`.
    fn new_expression(&mut self, is_array: bool) -> Parsed {
        let mut place = Growing::default();
        while !self.take(b"_") {
            let one = self.expression()?;
            place.push(self.nodes, one)?;
        }
        let of = self.type_()?;
        let value = if self.take(b"E") {
            NIL
        } else if self.take(b"pi") {
            let list = self.expressions()?;
            self.add(Kind::Parentheses, list, 0, 0)?
        } else {
            self.expression()?
        };
        let own = if is_array { flags::OTHER } else { 0 };
        self.nodes.flagged(Kind::New, own, place.first, of, value)
    }

    /// `u name arguments E`.
    fn vendor_expression(&mut self) -> Parsed {
        self.at += 1;
        let name = self.source_name()?;
        let mut list = Growing::default();
        while !self.take(b"E") {
            let one = self.template_argument()?;
            list.push(self.nodes, one)?;
        }
        self.add(Kind::VendorExpression, name, list.first, 0)
    }

    /// `so type expression offset selectors E`: a part of an object, which is shown as the object.
    fn subobject(&mut self) -> Parsed {
        self.at += 2;
        self.type_()?;
        let object = self.expression()?;
        while !matches!(self.peek(0), b'E' | 0) {
            self.at += 1; // The offset, which parts of unions, and whether it is past the end.
        }
        self.expect(b"E")?;
        Ok(object)
    }

    /// `mc type expression offset E`.
    fn member_conversion(&mut self) -> Parsed {
        self.at += 2;
        let to = self.type_()?;
        let from = self.expression()?;
        self.take(b"n");
        self.digits();
        self.expect(b"E")?;
        self.add(Kind::Cast, to, from, 0)
    }

    /// `rq requirements E`, `rQ parameters _ requirements E`.
    fn requires(&mut self) -> Parsed {
        let has_parameters = self.peek(1) == b'Q';
        self.at += 2;
        let mut parameters = Growing::default();
        while has_parameters && !self.take(b"_") {
            let one = self.type_()?;
            parameters.push(self.nodes, one)?;
        }
        let mut list = Growing::default();
        while !self.take(b"E") {
            let one = self.requirement()?;
            list.push(self.nodes, one)?;
        }
        self.add(Kind::Requires, parameters.first, list.first, 0)
    }

    /// `X expression [N] [R constraint]`, `T type`, `Q condition`.
    fn requirement(&mut self) -> Parsed {
        let letter = self.next();
        let (of, constraint) = match letter {
            b'X' => {
                let of = self.expression()?;
                self.take(b"N");
                (of, if self.take(b"R") { self.name(&mut Info::default())? } else { NIL })
            }
            b'T' => (self.type_()?, NIL),
            b'Q' => (self.expression()?, NIL),
            _ => return Err(NotMangled::Damaged),
        };
        self.add(Kind::Requirement, of, constraint, u16::from(letter))
    }
}
