//! The printer: names and types, from nodes to text.
//!
//! A declarator of C++ is wound around what it declares: the type of `int (*f)[3]` stands on both sides. So a type has a
//! left part and a right part, of which most have only the first. Text goes out as it is made, and nothing is taken back:
//! the comma before an item of a list waits until the item turns out to have any text, because a pack may be empty.
//!
//! Template parameters are looked up while printing, in the arguments of the function that is being printed; the arguments
//! themselves belong to the function around it. So a node has no meaning without its scope, and one may be shown in several.
//!
//! Arguments that are named again and again can make a short mangled name stand for one of astronomical size. The work is bounded
//! by [`FUEL`], the text by what is left to write, the recursion by [`DEPTH`].

use super::super::NotMangled;
use super::node::{Id, Kind, NIL, Node, Nodes, flags};
use super::{operators, words};
use core::fmt::Write;

/// How many nodes may be visited for one name.
const FUEL: u32 = 1 << 18;

/// How deep nodes may lie in each other. Each takes about two calls.
const DEPTH: usize = 220;

/// How many functions may lie in each other.
const SCOPES: usize = 48;

/// The longest text.
const OUTPUT_MAX: usize = 64 * 1024;

pub(super) type Printed = Result<(), NotMangled>;

/// How a type is wound around what it declares.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    Before,
    Array,
    Function,
}

pub(super) struct Printer<'p> {
    pub(super) input: &'p str,
    pub(super) nodes: &'p Nodes,
    out: &'p mut dyn Write,
    written: usize,
    /// The last byte that was written.
    last: u8,
    /// Whether a comma goes before what comes next.
    comma: bool,
    fuel: u32,
    depth: usize,
    /// Which item of packs is meant, in an expansion.
    pub(super) item: Option<u16>,
    /// The template arguments of functions that lie in each other, and in which of them this is; the first has none.
    scopes: [Id; SCOPES],
    scope: usize,
    /// Whether this is between the parameters of a lambda, where a template parameter is an `auto`.
    in_lambda: bool,
}

impl<'p> Printer<'p> {
    pub(super) fn new(input: &'p str, nodes: &'p Nodes, out: &'p mut dyn Write) -> Self {
        Self {
            input,
            nodes,
            out,
            written: 0,
            last: 0,
            comma: false,
            fuel: FUEL,
            depth: 0,
            item: None,
            scopes: [NIL; SCOPES],
            scope: 0,
            in_lambda: false,
        }
    }

    pub(super) fn put(&mut self, text: &str) -> Printed {
        let Some(&last) = text.as_bytes().last() else { return Ok(()) };
        if core::mem::take(&mut self.comma) {
            self.put(", ")?;
        }
        self.written += text.len();
        if self.written > OUTPUT_MAX {
            return Err(NotMangled::TooComplex);
        }
        self.last = last;
        self.out.write_str(text).map_err(|_| NotMangled::Full)
    }

    /// A piece of the mangled name.
    pub(super) fn piece(&self, place: u16, length: u16) -> Result<&'p str, NotMangled> {
        let start = usize::from(place);
        self.input.get(start..start + usize::from(length)).ok_or(NotMangled::Damaged)
    }

    pub(super) fn put_number(&mut self, number: u16) -> Printed {
        let mut digits = [0; 5];
        let mut at = digits.len();
        let mut rest = number;
        while rest > 0 || at == digits.len() {
            at -= 1;
            digits[at] = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        self.put(core::str::from_utf8(&digits[at..]).unwrap_or_default())
    }

    /// Runs one step of printing a level deeper.
    fn deeper(&mut self, step: impl FnOnce(&mut Self) -> Printed) -> Printed {
        if self.depth >= DEPTH || self.fuel == 0 {
            return Err(NotMangled::TooComplex);
        }
        self.depth += 1;
        self.fuel -= 1;
        let result = step(self);
        self.depth -= 1;
        result
    }

    /// All of a node.
    pub(super) fn all(&mut self, id: Id) -> Printed {
        self.left(id)?;
        self.right(id)
    }

    /// Text on both sides of a node.
    pub(super) fn between(&mut self, before: &str, id: Id, after: &str) -> Printed {
        self.put(before)?;
        self.all(id)?;
        self.put(after)
    }

    /// The items of a list with commas between those that have any text.
    pub(super) fn list(&mut self, list: Id) -> Printed {
        let (start, outer) = (self.written, self.comma);
        let nodes = self.nodes;
        for item in nodes.items(list) {
            self.comma = if self.written > start { true } else { outer };
            self.all(item)?;
        }
        self.comma = self.written == start && outer;
        Ok(())
    }

    /// Pays for one more node that is looked at.
    pub(super) fn pay(&mut self) -> Printed {
        self.fuel = self.fuel.checked_sub(1).ok_or(NotMangled::TooComplex)?;
        Ok(())
    }

    /// Runs `step` on the node that `id` stands for, in the scope of that.
    fn meant<R>(
        &mut self,
        id: Id,
        step: impl FnOnce(&mut Self, Node) -> Result<R, NotMangled>,
    ) -> Result<R, NotMangled> {
        let outer = self.scope;
        let found = self.follow(id)?;
        let result = step(self, found);
        self.scope = outer;
        result
    }

    /// What a template parameter stands for, from scope to scope; other nodes stand for themselves.
    fn follow(&mut self, id: Id) -> Result<Node, NotMangled> {
        let mut node = self.nodes.get(id);
        while node.kind == Kind::Parameter && !self.in_lambda {
            let found = self.argument(node.a).ok_or(NotMangled::Damaged)?;
            node = self.nodes.get(found);
            if let (Kind::Pack, Some(item)) = (node.kind, self.item) {
                node = self.nodes.get(self.nodes.items(node.a).nth(usize::from(item)).unwrap_or(NIL));
            }
            self.scope = self.scope.saturating_sub(1);
            self.pay()?;
        }
        Ok(node)
    }

    fn argument(&self, index: u16) -> Option<Id> {
        let list = *self.scopes.get(self.scope)?;
        self.nodes.items(list).nth(usize::from(index))
    }

    /// The list of the first pack that `id` names without expanding it.
    pub(super) fn pack(&mut self, id: Id, depth: usize) -> Result<Option<Id>, NotMangled> {
        let node = self.nodes.get(id);
        if node.flags & flags::HAS_PARAMETER == 0 || depth == 0 || self.in_lambda {
            return Ok(None);
        }
        self.pay()?;
        let nodes = self.nodes;
        match node.kind {
            Kind::Parameter => {
                let found = self.argument(node.a).map(|found| nodes.get(found));
                Ok(found.filter(|found| found.kind == Kind::Pack).map(|pack| pack.a))
            }
            Kind::List => self.first_pack(nodes.items(id), depth),
            _ => self.first_pack(Nodes::parts(node), depth),
        }
    }

    fn first_pack(&mut self, parts: impl Iterator<Item = Id>, depth: usize) -> Result<Option<Id>, NotMangled> {
        for part in parts {
            let found = self.pack(part, depth - 1)?;
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    fn shape(&mut self, id: Id) -> Result<Shape, NotMangled> {
        let outer = self.scope;
        let mut node = self.follow(id)?;
        let shape = loop {
            match node.kind {
                Kind::FunctionType => break Shape::Function,
                Kind::Array => break Shape::Array,
                Kind::Qualified | Kind::VendorQualified => node = self.follow(node.a)?,
                _ => break Shape::Before,
            }
            self.pay()?;
        };
        self.scope = outer;
        Ok(shape)
    }

    /// What stands before what is declared; for anything but a type, all of it.
    fn left(&mut self, id: Id) -> Printed {
        self.deeper(|printer| {
            printer.meant(id, |printer, node| match node.kind {
                Kind::Qualified
                | Kind::VendorQualified
                | Kind::Pointer
                | Kind::LvalueReference
                | Kind::RvalueReference
                | Kind::Complex
                | Kind::Imaginary
                | Kind::MemberPointer
                | Kind::Array
                | Kind::FunctionType
                | Kind::Vector => printer.type_left(node),
                Kind::Expansion => printer.expansion(node.a),
                Kind::Pack => printer.list(node.a),
                _ => printer.name(node),
            })
        })
    }

    fn type_left(&mut self, node: Node) -> Printed {
        match node.kind {
            Kind::Qualified => {
                self.left(node.a)?;
                let there =
                    self.meant(node.a, |_, inner| Ok(if inner.kind == Kind::Qualified { inner.flags } else { 0 }))?;
                self.qualifiers(node.flags & !there)
            }
            Kind::VendorQualified => {
                self.left(node.a)?;
                self.between(" ", node.b, "")
            }
            Kind::Complex => {
                self.left(node.a)?;
                self.put(" _Complex")
            }
            Kind::Imaginary => {
                self.left(node.a)?;
                self.put(" _Imaginary")
            }
            Kind::Pointer | Kind::LvalueReference | Kind::RvalueReference => self.pointer_left(node),
            Kind::MemberPointer => {
                self.left(node.b)?;
                match self.shape(node.b)? {
                    Shape::Function => self.put("(")?,
                    Shape::Array => self.put(" (")?,
                    Shape::Before => self.put(" ")?,
                }
                self.between("", node.a, "::*")
            }
            Kind::Array => self.left(node.a),
            Kind::Vector => {
                self.left(node.a)?;
                self.between(" __vector(", node.b, ")")
            }
            Kind::FunctionType if node.a != NIL => {
                self.left(node.a)?;
                if self.is_open(node.a)? { Ok(()) } else { self.put(" ") }
            }
            _ => Ok(()),
        }
    }

    /// Whether the left part of a type ends in the middle of a declarator, so that a name follows without a space.
    fn is_open(&mut self, id: Id) -> Result<bool, NotMangled> {
        let outer = self.scope;
        let mut node = self.follow(id)?;
        let is_open = loop {
            let inner = match node.kind {
                Kind::FunctionType | Kind::Array => break true,
                Kind::Qualified
                | Kind::VendorQualified
                | Kind::Pointer
                | Kind::LvalueReference
                | Kind::RvalueReference => node.a,
                Kind::MemberPointer => node.b,
                _ => break false,
            };
            node = self.follow(inner)?;
            self.pay()?;
        };
        self.scope = outer;
        Ok(is_open)
    }

    /// What a pointer or reference leads to, with its sign. A reference to a reference is one reference: `&` unless
    /// both are `&&`. The scope changes to that of the result.
    fn collapsed(&mut self, node: Node) -> Result<(Id, &'static str), NotMangled> {
        let mut sign = match node.kind {
            Kind::Pointer => return Ok((node.a, "*")),
            Kind::LvalueReference => "&",
            _ => "&&",
        };
        let mut id = node.a;
        loop {
            let scope = self.scope;
            let inner = self.follow(id)?;
            match inner.kind {
                Kind::LvalueReference => sign = "&",
                Kind::RvalueReference => {}
                _ => {
                    self.scope = scope;
                    return Ok((id, sign));
                }
            }
            id = inner.a;
            self.pay()?;
        }
    }

    fn pointer_left(&mut self, node: Node) -> Printed {
        let outer = self.scope;
        let (of, sign) = self.collapsed(node)?;
        self.left(of)?;
        let shape = self.shape(of)?;
        self.scope = outer;
        match shape {
            Shape::Before => {}
            Shape::Array => self.put(" (")?,
            Shape::Function => self.put("(")?,
        }
        self.put(sign)
    }

    fn qualifiers(&mut self, own: u8) -> Printed {
        for (flag, text) in [(flags::CONST, " const"), (flags::VOLATILE, " volatile"), (flags::RESTRICT, " restrict")] {
            if own & flag != 0 {
                self.put(text)?;
            }
        }
        Ok(())
    }

    /// What stands behind what is declared.
    fn right(&mut self, id: Id) -> Printed {
        self.deeper(|printer| {
            printer.meant(id, |printer, node| match node.kind {
                Kind::Qualified | Kind::VendorQualified => printer.right(node.a),
                Kind::Complex | Kind::Imaginary | Kind::Vector => printer.right(node.a),
                Kind::Pointer | Kind::LvalueReference | Kind::RvalueReference => {
                    let outer = printer.scope;
                    let (of, _) = printer.collapsed(node)?;
                    let result = printer.closed_right(of);
                    printer.scope = outer;
                    result
                }
                Kind::MemberPointer => printer.closed_right(node.b),
                Kind::Array => printer.array_right(node),
                Kind::FunctionType => printer.function_right(node),
                _ => Ok(()),
            })
        })
    }

    fn closed_right(&mut self, of: Id) -> Printed {
        if self.shape(of)? != Shape::Before {
            self.put(")")?;
        }
        self.right(of)
    }

    fn array_right(&mut self, node: Node) -> Printed {
        if self.last != b']' {
            self.put(" ")?;
        }
        self.between("[", node.b, "]")?;
        self.right(node.a)
    }

    fn function_right(&mut self, node: Node) -> Printed {
        self.put("(")?;
        self.parameters(node.b)?;
        self.put(")")?;
        self.right(node.a)?;
        self.qualifiers(node.flags)?;
        for (flag, text) in [(flags::LVALUE, " &"), (flags::RVALUE, " &&"), (flags::NOEXCEPT, " noexcept")] {
            if node.flags & flag != 0 {
                self.put(text)?;
            }
        }
        if node.c == NIL { Ok(()) } else { self.between(" ", node.c, "") }
    }

    /// The parameters of a function, which are a scope of their own for the comma.
    pub(super) fn parameters(&mut self, list: Id) -> Printed {
        let outer = core::mem::take(&mut self.comma);
        self.list(list)?;
        self.comma = outer;
        Ok(())
    }

    /// A pattern, once for each item of the pack in it.
    fn expansion(&mut self, pattern: Id) -> Printed {
        let Some(pack) = self.pack(pattern, DEPTH)? else {
            self.operand(pattern)?;
            return self.put("...");
        };
        let count = self.nodes.items(pack).count().min(usize::from(u16::MAX)) as u16;
        let (start, outer, item) = (self.written, self.comma, self.item);
        for index in 0..count {
            self.comma = if self.written > start { true } else { outer };
            self.item = Some(index);
            self.all(pattern)?;
        }
        self.item = item;
        self.comma = self.written == start && outer;
        Ok(())
    }

    /// Names of all kinds, and types that have one.
    fn name(&mut self, node: Node) -> Printed {
        match node.kind {
            Kind::Nil => Ok(()),
            Kind::Source => self.source(node),
            Kind::Builtin => self.put(words::builtin(node.a).unwrap_or_default()),
            Kind::Std => {
                let [short, long, _] = words::std(node.a as u8).unwrap_or_default();
                self.put(if node.b == 0 { short } else { long })
            }
            Kind::Nested | Kind::Local => {
                self.left(node.a)?;
                self.right(node.a)?;
                self.between("::", node.b, "")
            }
            Kind::Template => self.template(node),
            Kind::Abi => {
                self.all(node.a)?;
                self.between("[abi:", node.b, "]")
            }
            Kind::Module => {
                self.all(node.a)?;
                self.between("@", node.b, "")
            }
            Kind::ModulePart => {
                self.all(node.a)?;
                if node.a != NIL || node.c == u16::from(b':') {
                    self.put(if node.c == u16::from(b':') { ":" } else { "." })?;
                }
                self.all(node.b)
            }
            Kind::Ctor => self.class_name(node.a),
            Kind::Dtor if node.b == 1 => self.between("~", node.a, ""),
            Kind::Dtor => {
                self.put("~")?;
                self.class_name(node.a)
            }
            Kind::OperatorName => self.operator_name(node.a),
            Kind::Conversion => self.between("operator ", node.a, ""),
            Kind::LiteralOperator => self.between("operator\"\" ", node.a, ""),
            Kind::VendorOperator => self.between("operator ", node.a, ""),
            Kind::Encoding => self.encoding(node),
            Kind::Special => {
                self.put(words::SPECIAL.get(usize::from(node.b)).copied().unwrap_or_default())?;
                self.all(node.a)
            }
            _ => self.rare_name(node),
        }
    }

    /// Names that hardly occur.
    fn rare_name(&mut self, node: Node) -> Printed {
        match node.kind {
            Kind::Unnamed => self.numbered("{unnamed type#", node.a),
            Kind::Block => self.numbered("{block#", node.a),
            Kind::Lambda => {
                self.put("{lambda")?;
                self.declarations(node.b)?;
                self.put("(")?;
                let outer = core::mem::replace(&mut self.in_lambda, true);
                self.parameters(node.a)?;
                self.in_lambda = outer;
                self.numbered(")#", node.c)
            }
            Kind::StringLiteral => self.put("string literal"),
            Kind::DefaultArgument => {
                self.numbered("{default arg#", node.b)?;
                self.between("::", node.a, "")
            }
            Kind::Bindings => {
                self.put("[")?;
                self.parameters(node.a)?;
                self.put("]")
            }
            Kind::Friend => self.between("friend ", node.a, ""),
            Kind::ConstructionVtable => {
                self.between("construction vtable for ", node.a, "-in-")?;
                self.all(node.b)
            }
            Kind::ReferenceTemporary => {
                self.put("reference temporary #")?;
                let number = self.piece(node.b, node.c)?;
                self.put(if number.is_empty() { "0" } else { number })?;
                self.between(" for ", node.a, "")
            }
            Kind::Clone => {
                self.all(node.a)?;
                self.put(" [clone ")?;
                self.put(self.piece(node.b, node.c)?)?;
                self.put("]")
            }
            Kind::Elaborated => {
                self.put(words::SPECIAL.get(usize::from(node.b)).copied().unwrap_or_default())?;
                self.all(node.a)
            }
            Kind::VendorType => {
                self.all(node.a)?;
                self.put("(")?;
                self.parameters(node.b)?;
                self.put(")")
            }
            Kind::BitInt => self.between(if node.b == 0 { "_BitInt(" } else { "unsigned _BitInt(" }, node.a, ")"),
            Kind::FloatN => self.float_n(node),
            Kind::Decltype => self.between("decltype (", node.a, ")"),
            Kind::Noexcept => self.between("noexcept(", node.a, ")"),
            Kind::Throws => {
                self.put("throw(")?;
                self.parameters(node.a)?;
                self.put(")")
            }
            Kind::Parameter => {
                self.put("auto:")?;
                self.put_number(node.a.saturating_add(1))
            }
            _ => self.expression(node),
        }
    }

    fn numbered(&mut self, before: &str, number: u16) -> Printed {
        self.put(before)?;
        self.put_number(number)?;
        self.put("}")
    }

    fn float_n(&mut self, node: Node) -> Printed {
        let number = self.piece(node.a, node.b)?;
        if node.c == u16::from(b'b') {
            return self.put("std::bfloat16_t");
        }
        self.put("_Float")?;
        self.put(number)?;
        self.put(if node.c == u16::from(b'x') { "x" } else { "" })
    }

    /// How the parameters of a lambda's template are declared.
    fn declarations(&mut self, list: Id) -> Printed {
        if list == NIL {
            return Ok(());
        }
        self.put("<")?;
        self.parameters(list)?;
        self.put(">")
    }

    fn source(&mut self, node: Node) -> Printed {
        let name = self.piece(node.a, node.b)?;
        let bytes = name.as_bytes();
        let is_anonymous = bytes.starts_with(b"_GLOBAL_")
            && matches!(bytes.get(8), Some(b'.' | b'_' | b'$'))
            && bytes.get(9) == Some(&b'N');
        self.put(if is_anonymous { "(anonymous namespace)" } else { name })
    }

    fn template(&mut self, node: Node) -> Printed {
        self.all(node.a)?;
        self.put(if self.last == b'<' { " <" } else { "<" })?;
        self.parameters(node.b)?;
        if node.c != NIL {
            self.between(" requires ", node.c, "")?;
        }
        self.put(if self.last == b'>' { " >" } else { ">" })
    }

    fn operator_name(&mut self, index: u16) -> Printed {
        let text = operators::at(index).text.trim_end();
        let is_word = text.starts_with(|first: char| first.is_ascii_lowercase());
        self.put(if is_word { "operator " } else { "operator" })?;
        self.put(text)
    }

    /// The last name of a class, without scopes and arguments: that of its constructors.
    fn class_name(&mut self, class: Id) -> Printed {
        let outer = self.scope;
        let mut id = class;
        let result = loop {
            let node = self.follow(id)?;
            id = match node.kind {
                Kind::Template | Kind::Abi | Kind::Module => node.a,
                Kind::Nested | Kind::Local => node.b,
                Kind::Std => break self.put(words::std(node.a as u8).unwrap_or_default()[2]),
                _ => break self.name(node),
            };
            self.pay()?;
        };
        self.scope = outer;
        result
    }

    /// A function: what it returns on both sides of its name and parameters, which may depend on its template arguments.
    fn encoding(&mut self, node: Node) -> Printed {
        let list = self.own_arguments(node.a)?;
        let outer = (self.item.take(), self.in_lambda, self.scope);
        let mut covered = NIL;
        if list != NIL {
            self.in_lambda = false;
            self.scope += 1;
            let place = self.scopes.get_mut(self.scope).ok_or(NotMangled::TooComplex)?;
            covered = core::mem::replace(place, list); // An argument is printed with more scopes than its own above it.
        }
        self.left(node.b)?;
        self.all(node.a)?;
        self.right(node.b)?;
        if node.c != NIL {
            self.between(" requires ", node.c, "")?;
        }
        if let (true, Some(place)) = (list != NIL, self.scopes.get_mut(self.scope)) {
            *place = covered;
        }
        (self.item, self.in_lambda, self.scope) = outer;
        Ok(())
    }

    /// The template arguments that belong to the name of a function: the last that are written in it.
    fn own_arguments(&mut self, name: Id) -> Result<Id, NotMangled> {
        let mut node = self.nodes.get(name);
        loop {
            node = self.nodes.get(match node.kind {
                Kind::Template => return Ok(node.b),
                Kind::Nested | Kind::Abi | Kind::Module => node.a,
                Kind::Local => node.b,
                _ => return Ok(NIL),
            });
            self.pay()?;
        }
    }
}
