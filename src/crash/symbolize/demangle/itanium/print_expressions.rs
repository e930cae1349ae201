//! The printer's part for expressions.
//!
//! Operands are put in parentheses unless they are plain names, which spares the table of precedences; binutils does so too.

use super::node::{Id, Kind, NIL, Node, flags};
use super::print::{Printed, Printer};
use super::{operators, words};

impl Printer<'_> {
    /// A node as an operand.
    pub(super) fn operand(&mut self, id: Id) -> Printed {
        match self.nodes.kind(id) {
            Kind::Source | Kind::Nested | Kind::Braced | Kind::FunctionParameter => self.all(id),
            Kind::Parentheses => self.all(id),
            _ => self.between("(", id, ")"),
        }
    }

    /// Expressions of all kinds.
    pub(super) fn expression(&mut self, node: Node) -> Printed {
        match node.kind {
            Kind::Number => self.put(self.piece(node.a, node.b)?),
            Kind::Literal => self.literal(node),
            Kind::Nullary => self.put(operators::at(node.a).text),
            Kind::Unary => self.unary(node),
            Kind::Postfix => {
                self.operand(node.a)?;
                self.put(operators::at(node.b).text)
            }
            Kind::Binary => self.binary(node),
            Kind::Conditional => {
                self.operand(node.a)?;
                self.put("?")?;
                self.operand(node.b)?;
                self.put(" : ")?;
                self.operand(node.c)
            }
            Kind::Call => {
                // Of a function that is called, its name is enough.
                let function = self.nodes.get(node.a);
                self.operand(if function.kind == Kind::Encoding { function.a } else { node.a })?;
                self.parenthesized(node.b)
            }
            Kind::Cast => {
                self.between("(", node.a, ")")?;
                self.operand(node.b)
            }
            Kind::NamedCast => {
                self.put(operators::at(node.c).text)?;
                self.between("<", node.a, ">(")?;
                self.between("", node.b, ")")
            }
            Kind::Braced => {
                self.all(node.a)?;
                self.put("{")?;
                self.parameters(node.b)?;
                self.put("}")
            }
            Kind::Parentheses => self.parenthesized(node.a),
            Kind::SizeofPack => self.sizeof_pack(node.a),
            Kind::SizeofArguments => self.sizeof_arguments(node.a),
            Kind::FunctionParameter if node.a == 0 => self.put("this"),
            Kind::FunctionParameter => {
                self.put("{parm#")?;
                self.put_number(node.a)?;
                self.put("}")
            }
            Kind::New => self.new_expression(node),
            Kind::Fold => self.fold(node),
            _ => self.rare_expression(node),
        }
    }

    fn rare_expression(&mut self, node: Node) -> Printed {
        match node.kind {
            Kind::Designated if node.c == u16::from(b'i') => {
                self.between(".", node.a, "")?;
                self.designated_value(node.b)
            }
            Kind::Designated => {
                self.between("[", node.a, "]")?;
                self.designated_value(node.b)
            }
            Kind::DesignatedRange => {
                self.between("[", node.a, " ... ")?;
                self.between("", node.b, "]")?;
                self.designated_value(node.c)
            }
            Kind::VendorExpression => {
                self.all(node.a)?;
                self.parenthesized(node.b)
            }
            Kind::Requires => {
                self.put("requires")?;
                if node.a != NIL {
                    self.put(" ")?;
                    self.parenthesized(node.a)?;
                }
                self.put(" {")?;
                let nodes = self.nodes;
                for requirement in nodes.items(node.b) {
                    self.between(" ", requirement, ";")?;
                }
                self.put(" }")
            }
            Kind::Requirement => match node.c as u8 {
                b'T' => self.between("typename ", node.a, ""),
                b'Q' => self.between("requires ", node.a, ""),
                _ if node.b == NIL => self.all(node.a),
                _ => {
                    self.between("{", node.a, "} -> ")?;
                    self.all(node.b)
                }
            },
            Kind::Declaration => match node.b as u8 {
                b'y' => self.put("typename"),
                b'n' => self.all(node.a),
                b'k' => self.all(node.a),
                b'p' => self.between("", node.a, "..."),
                _ => {
                    self.put("template<")?;
                    self.parameters(node.c)?;
                    self.put("> typename")
                }
            },
            _ => Ok(()),
        }
    }

    /// What is assigned to a designated item; another designator follows without `=`.
    fn designated_value(&mut self, value: Id) -> Printed {
        let is_designated = matches!(self.nodes.kind(value), Kind::Designated | Kind::DesignatedRange);
        self.between(if is_designated { "" } else { "=" }, value, "")
    }

    /// A list in parentheses.
    fn parenthesized(&mut self, list: Id) -> Printed {
        self.put("(")?;
        self.parameters(list)?;
        self.put(")")
    }

    fn literal(&mut self, node: Node) -> Printed {
        let value = self.piece(node.b, node.c)?;
        let of = self.nodes.get(node.a);
        let code = if of.kind == Kind::Builtin { of.a } else { 0 };
        if code == words::code(b"b") && (value == "0" || value == "1") {
            return self.put(if value == "0" { "false" } else { "true" });
        }
        if value.is_empty() {
            return self.all(node.a); // A null pointer, a lambda, a string.
        }
        let suffix = words::suffix(code);
        if suffix.is_none() {
            self.between("(", node.a, ")")?;
        }
        let digits = value.strip_prefix('n');
        if digits.is_some() {
            self.put("-")?;
        }
        let is_real = [b"d", b"e", b"f", b"g"].iter().any(|letter| code == words::code(*letter));
        self.put(if is_real { "[" } else { "" })?;
        self.put(digits.unwrap_or(value))?;
        self.put(if is_real { "]" } else { "" })?;
        self.put(suffix.unwrap_or_default())
    }

    fn unary(&mut self, node: Node) -> Printed {
        let operator = operators::at(node.b);
        self.put(operator.text)?;
        match &operator.code {
            b"ad" => self.address(node.a),
            b"gs" => self.all(node.a),
            b"st" | b"nx" | b"ti" | b"te" => self.between("(", node.a, ")"),
            _ => self.operand(node.a),
        }
    }

    /// What an address is taken of: of a member function only the name, unless it is one of several by its qualifiers.
    fn address(&mut self, of: Id) -> Printed {
        let node = self.nodes.get(of);
        let is_plain = self.nodes.get(node.b).flags & !flags::HAS_PARAMETER == 0;
        let is_member = node.kind == Kind::Encoding && self.nodes.kind(node.a) == Kind::Nested && is_plain;
        self.operand(if is_member { node.a } else { of })
    }

    fn binary(&mut self, node: Node) -> Printed {
        let operator = operators::at(node.c);
        // Without them, `>` would end the template's arguments.
        let is_greater = operator.code == *b"gt";
        self.put(if is_greater { "(" } else { "" })?;
        self.operand(node.a)?;
        if operator.code == *b"ix" {
            self.between("[", node.b, "]")?;
        } else {
            self.put(operator.text)?;
            self.operand(node.b)?;
        }
        self.put(if is_greater { ")" } else { "" })
    }

    fn sizeof_pack(&mut self, of: Id) -> Printed {
        match self.pack(of, 16)? {
            Some(pack) => self.put_number(self.nodes.items(pack).count().min(65_535) as u16),
            None => self.between("sizeof...(", of, ")"),
        }
    }

    fn sizeof_arguments(&mut self, list: Id) -> Printed {
        let nodes = self.nodes;
        let mut count = 0usize;
        for item in nodes.items(list) {
            let node = nodes.get(item);
            let pack = if node.kind == Kind::Expansion { self.pack(node.a, 16)? } else { None };
            count += pack.map_or(1, |pack| nodes.items(pack).count());
        }
        self.put_number(count.min(65_535) as u16)
    }

    fn new_expression(&mut self, node: Node) -> Printed {
        self.put(if node.flags & flags::OTHER == 0 { "new" } else { "new[]" })?;
        if node.a != NIL {
            self.put(" ")?;
            self.parenthesized(node.a)?;
        }
        self.between(" ", node.b, "")?;
        if node.c == NIL { Ok(()) } else { self.operand(node.c) }
    }

    fn fold(&mut self, node: Node) -> Printed {
        let operator = operators::at(node.c >> 8).text;
        // The pack as a whole is what is folded.
        let item = self.item.take();
        self.put("(")?;
        match node.c as u8 {
            b'l' => {
                self.put("...")?;
                self.put(operator)?;
                self.operand(node.a)?;
            }
            b'r' => {
                self.operand(node.a)?;
                self.put(operator)?;
                self.put("...")?;
            }
            _ => {
                self.operand(node.a)?;
                self.put(operator)?;
                self.put("...")?;
                self.put(operator)?;
                self.operand(node.b)?;
            }
        }
        self.item = item;
        self.put(")")
    }
}
