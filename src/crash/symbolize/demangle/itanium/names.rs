//! Names: nested, local, of operators, constructors, lambdas and unnamed types; and the encoding of a function.

use super::super::NotMangled;
use super::node::{Growing, Id, Kind, NIL, flags};
use super::operators;
use super::parse::{Parsed, Parser};

/// What a function's type depends on in its name.
#[derive(Clone, Copy, Default)]
pub(super) struct Info {
    /// Whether it ends with template arguments: then the type begins with what is returned.
    pub(super) has_arguments: bool,
    /// Whether it is a constructor, destructor or conversion: then it does not.
    pub(super) returns_nothing: bool,
    /// `const`, `&` and so on of `this`.
    pub(super) flags: u8,
}

impl Parser<'_> {
    /// A function with its type, or anything else that has a name; `is_local` when something in it is meant.
    pub(super) fn encoding(&mut self, is_local: bool) -> Parsed {
        self.deeper(|parser| {
            if matches!((parser.peek(0), parser.peek(1)), (b'T', _) | (b'G', b'V' | b'R' | b'A' | b'T' | b'I' | b'r')) {
                return parser.special();
            }
            let mut info = Info::default();
            let name = parser.name(&mut info)?;
            parser.function(name, info, is_local)
        })
    }

    /// The type after the name of a function.
    fn function(&mut self, name: Id, info: Info, is_local: bool) -> Parsed {
        if matches!(self.peek(0), 0 | b'E' | b'.') {
            return Ok(name);
        }
        // A compiler may say that it gives the returned type although the name does not ask for it.
        let returns = (info.has_arguments && !info.returns_nothing) | self.take(b"J");
        let mut returned = NIL;
        if returns {
            returned = self.type_()?;
        }
        let list = self.parameters()?;
        let shown = if is_local { NIL } else { returned };
        let function = self.nodes.flagged(Kind::FunctionType, info.flags, shown, list, NIL)?;
        let constraint = if self.take(b"Q") { self.expression()? } else { NIL };
        self.add(Kind::Encoding, name, function, constraint)
    }

    /// Types up to what cannot be one; `v` alone for none.
    pub(super) fn parameters(&mut self) -> Parsed {
        if self.peek(0) == b'v' && matches!(self.peek(1), 0 | b'E' | b'.' | b'Q') {
            self.at += 1;
            return Ok(NIL);
        }
        let mut list = Growing::default();
        while !matches!(self.peek(0), 0 | b'E' | b'.' | b'Q') {
            if matches!((self.peek(0), self.peek(1)), (b'R' | b'O', b'E')) {
                break; // The reference qualifier of a function type.
            }
            let parameter = self.type_()?;
            list.push(self.nodes, parameter)?;
        }
        if list.first == NIL { Err(NotMangled::Damaged) } else { Ok(list.first) }
    }

    /// A name with all its scopes.
    pub(super) fn name(&mut self, info: &mut Info) -> Parsed {
        match self.peek(0) {
            b'N' => self.nested(info),
            b'Z' => self.local(info),
            b'S' if self.peek(1) != b't' => {
                let known = self.substitution(false)?;
                if self.peek(0) != b'I' {
                    // A module that has been named before.
                    let is_module = matches!(self.nodes.kind(known), Kind::ModulePart);
                    return if is_module { self.unscoped(known, info) } else { Ok(known) };
                }
                info.has_arguments = true;
                self.template(known)
            }
            _ => self.unscoped(NIL, info),
        }
    }

    /// A name in no scope but perhaps `std`, with its template arguments.
    fn unscoped(&mut self, module: Id, info: &mut Info) -> Parsed {
        let name = if self.take(b"St") {
            let std = self.add(Kind::Std, u16::from(b't'), 0, 0)?;
            let name = self.unqualified(std, module, info)?;
            self.add(Kind::Nested, std, name, 0)?
        } else {
            self.unqualified(NIL, module, info)?
        };
        if self.peek(0) != b'I' {
            return Ok(name);
        }
        self.remember(name)?;
        info.has_arguments = true;
        self.template(name)
    }

    /// `N ... E`.
    fn nested(&mut self, info: &mut Info) -> Parsed {
        self.expect(b"N")?;
        if self.take(b"H") {
            info.flags |= flags::OTHER;
        }
        info.flags |= self.qualifiers();
        info.flags |= if self.take(b"R") {
            flags::LVALUE
        } else if self.take(b"O") {
            flags::RVALUE
        } else {
            0
        };
        let mut scope = NIL;
        let mut module = NIL;
        while !self.take(b"E") {
            let is_known = self.peek(0) == b'S' && self.peek(1) != b't';
            if is_known && module == NIL && scope == NIL {
                scope = self.substitution(true)?;
                if self.nodes.kind(scope) == Kind::ModulePart {
                    module = core::mem::replace(&mut scope, NIL);
                }
                continue;
            }
            if is_known {
                module = self.substitution(true)?; // Only a module can stand here.
                continue;
            }
            let named = self.component(scope, module, info)?;
            (scope, module) = (named, NIL);
            // The whole is made known by whoever wanted it, or is a function.
            if self.nodes.kind(scope) != Kind::Std && self.peek(0) != b'E' {
                self.remember(scope)?;
            }
            self.take(b"M"); // Before a lambda that initialises this member.
        }
        if scope == NIL { Err(NotMangled::Damaged) } else { Ok(scope) }
    }

    /// One more piece of a nested name, in the scope that has been read so far.
    fn component(&mut self, scope: Id, module: Id, info: &mut Info) -> Parsed {
        match (self.peek(0), self.peek(1)) {
            (b'I', _) if scope != NIL => {
                info.has_arguments = true;
                self.template(scope)
            }
            (b'T', _) if scope == NIL => self.template_parameter(),
            (b'D', b't' | b'T') if scope == NIL => self.decltype(),
            (b'S', b't') if scope == NIL => {
                self.at += 2;
                self.add(Kind::Std, u16::from(b't'), 0, 0)
            }
            _ => {
                info.has_arguments = false;
                let name = self.unqualified(scope, module, info)?;
                if scope == NIL { Ok(name) } else { self.add(Kind::Nested, scope, name, 0) }
            }
        }
    }

    /// `Z function E name`: what lies in a function.
    fn local(&mut self, info: &mut Info) -> Parsed {
        self.expect(b"Z")?;
        let takes = core::mem::replace(&mut self.takes_arguments, true);
        let function = self.encoding(true)?;
        self.expect(b"E")?;
        self.takes_arguments = takes;
        let entity = if self.take(b"s") {
            self.discriminator();
            self.add(Kind::StringLiteral, 0, 0, 0)?
        } else if self.take(b"d") {
            let number = self.ordinal()?;
            let name = self.deeper(|parser| parser.name(info))?;
            self.add(Kind::DefaultArgument, name, number.saturating_add(1), 0)?
        } else {
            let name = self.deeper(|parser| parser.name(info))?;
            self.discriminator();
            name
        };
        self.add(Kind::Local, function, entity, 0)
    }

    /// Which of several of one name in a function it is; not shown.
    fn discriminator(&mut self) {
        if self.take(b"__") {
            self.digits();
            self.take(b"_");
        } else if self.peek(0) == b'_' && self.peek(1).is_ascii_digit() {
            self.at += 2;
        }
    }

    /// A name without scopes and template arguments.
    pub(super) fn unqualified(&mut self, scope: Id, module: Id, info: &mut Info) -> Parsed {
        let module = self.module(module)?;
        let is_friend = self.peek(0) == b'F' && scope != NIL;
        if is_friend {
            self.at += 1;
        }
        self.take(b"L"); // Internal linkage.
        info.returns_nothing = false;
        let name = match (self.peek(0), self.peek(1)) {
            (b'0'..=b'9', _) => self.source_name()?,
            (b'U', b't' | b'l' | b'b') => self.unnamed()?,
            (b'D', b'C') => self.bindings()?,
            (b'C' | b'D', _) => self.constructor(scope, info)?,
            _ => self.operator_name(info)?,
        };
        let mut name = self.abi_tags(name)?;
        if module != NIL {
            name = self.add(Kind::Module, name, module, 0)?;
        }
        if is_friend {
            name = self.add(Kind::Friend, name, 0, 0)?;
        }
        Ok(name)
    }

    /// `W name`, `WP partition`: the module that a name is attached to.
    pub(super) fn module(&mut self, mut module: Id) -> Parsed {
        while self.take(b"W") {
            let is_partition = self.take(b"P");
            let part = self.source_name()?;
            let between = if is_partition { b':' } else { b'.' };
            module = self.add(Kind::ModulePart, module, part, u16::from(between))?;
            self.remember(module)?;
        }
        Ok(module)
    }

    /// `Ut_`, `Ul ... E_`, `Ub_`: unnamed types, lambdas and blocks.
    fn unnamed(&mut self) -> Parsed {
        self.at += 1;
        match self.next() {
            b't' => {
                let number = self.ordinal()?;
                self.add(Kind::Unnamed, number.saturating_add(1), 0, 0)
            }
            b'l' => self.lambda(),
            _ => {
                let number = self.ordinal()?;
                self.add(Kind::Block, number.saturating_add(1), 0, 0)
            }
        }
    }

    fn lambda(&mut self) -> Parsed {
        let takes = core::mem::replace(&mut self.takes_arguments, true);
        let mut declared = Growing::default();
        while self.peek(0) == b'T' && matches!(self.peek(1), b'y' | b'n' | b't' | b'p' | b'k') {
            let declaration = self.declaration()?;
            declared.push(self.nodes, declaration)?;
        }
        let list = self.parameters()?;
        if self.take(b"Q") {
            self.expression()?;
        }
        self.takes_arguments = takes;
        self.expect(b"E")?;
        let number = self.ordinal()?;
        self.add(Kind::Lambda, list, declared.first, number.saturating_add(1))
    }

    /// `DC name name ... E`.
    fn bindings(&mut self) -> Parsed {
        self.at += 2;
        let mut list = Growing::default();
        while !self.take(b"E") {
            let name = self.source_name()?;
            list.push(self.nodes, name)?;
        }
        self.add(Kind::Bindings, list.first, 0, 0)
    }

    /// `C1`, `D0`, `CI1 type`: of which kind it is, is not shown.
    fn constructor(&mut self, scope: Id, info: &mut Info) -> Parsed {
        let is_constructor = self.next() == b'C';
        let inherits = is_constructor && self.take(b"I");
        let is_kind = matches!(self.next(), b'0'..=b'5' | b'9');
        if !is_kind || scope == NIL {
            return Err(NotMangled::Damaged);
        }
        if inherits {
            self.type_()?;
        }
        info.returns_nothing = true;
        self.add(if is_constructor { Kind::Ctor } else { Kind::Dtor }, scope, 0, 0)
    }

    /// The name of an operator, a conversion or a literal.
    pub(super) fn operator_name(&mut self, info: &mut Info) -> Parsed {
        let code = [self.peek(0), self.peek(1)];
        self.at += 2;
        match code {
            [b'c', b'v'] => {
                // Template arguments behind it are those of the operator.
                let takes = core::mem::replace(&mut self.takes_arguments, false);
                let to = self.type_()?;
                self.takes_arguments = takes;
                info.returns_nothing = true;
                self.add(Kind::Conversion, to, 0, 0)
            }
            [b'l', b'i'] => {
                let name = self.source_name()?;
                self.add(Kind::LiteralOperator, name, 0, 0)
            }
            [b'v', b'0'..=b'9'] => {
                let name = self.source_name()?;
                self.add(Kind::VendorOperator, name, 0, 0)
            }
            _ => {
                let index = operators::find(code).ok_or(NotMangled::Damaged)?;
                self.add(Kind::OperatorName, index as u16, 0, 0)
            }
        }
    }
}
