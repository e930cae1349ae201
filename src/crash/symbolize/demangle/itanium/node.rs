//! The nodes of a parsed name, in a table of fixed size.
//!
//! A node is eight bytes: what it is, some flags and three numbers of 16 bits, which are other nodes, places in the
//! mangled name or plain numbers, as the [`Kind`] says. Node 0 stands for "nothing".

use super::super::NotMangled;

/// The number of a node.
pub(super) type Id = u16;

/// No node.
pub(super) const NIL: Id = 0;

/// How many nodes a name may have. It was enough for each of the 454,000 names in LLVM, node, ICU, boost and whatever else was
/// installed beside them, of which the longest has 950 letters.
const NODES: usize = 1_700;

/// What a node is. In parentheses, what its three numbers are: nodes unless said otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Nothing.
    Nil,

    /// An identifier (place, length).
    Source,
    /// A type of the language (its code, one or two letters).
    Builtin,
    /// What `Sa`, `St` and the like stand for (the letter; whether it is written out).
    Std,
    /// `scope::name` (scope, name).
    Nested,
    /// `function()::name` (encoding, name).
    Local,
    /// `name<arguments>` (name, list; constraint).
    Template,
    /// `name[abi:tag]` (name, tag).
    Abi,
    /// `name@module` (name, module).
    Module,
    /// `module.part` or `module:partition` (module or nothing, part; the character between them).
    ModulePart,
    /// A constructor (class).
    Ctor,
    /// A destructor (class, or a type or name in an expression).
    Dtor,
    /// `operator+` (index in the table of operators).
    OperatorName,
    /// `operator type` (type).
    Conversion,
    /// `operator"" name` (name).
    LiteralOperator,
    /// `operator name`, of a vendor (name).
    VendorOperator,
    /// `{unnamed type#n}` (n).
    Unnamed,
    /// `{lambda(arguments)#n}` (list, declarations of template parameters; n as a number).
    Lambda,
    /// A block of Objective-C (n).
    Block,
    /// A string inside a function.
    StringLiteral,
    /// `{default arg#n}::name` (name; n as a number).
    DefaultArgument,
    /// `[a, b]` (list).
    Bindings,
    /// A friend that is defined in its class (name).
    Friend,
    /// A function with its type (name, type; constraint).
    Encoding,
    /// Words before a name (name; index of the words).
    Special,
    /// `construction vtable for a-in-b` (a, b).
    ConstructionVtable,
    /// `reference temporary #n for name` (name; n as place and length).
    ReferenceTemporary,
    /// ` [clone .suffix]` (what was cloned; place, length).
    Clone,

    /// `type const` (type; flags say which).
    Qualified,
    /// A qualifier of a vendor (type, its name).
    VendorQualified,
    /// A type with arguments of a vendor (name, list).
    VendorType,
    /// `type*`.
    Pointer,
    /// `type&`.
    LvalueReference,
    /// `type&&`.
    RvalueReference,
    /// `type _Complex`.
    Complex,
    /// `type _Imaginary`.
    Imaginary,
    /// `member class::*` (class, member).
    MemberPointer,
    /// `element [size]` (element, size).
    Array,
    /// A function (what it returns or nothing, list, exceptions or nothing; flags).
    FunctionType,
    /// `noexcept(expression)`.
    Noexcept,
    /// `throw(types)` (list).
    Throws,
    /// `element __vector(size)` (element, size).
    Vector,
    /// `struct name` (name; index of the word).
    Elaborated,
    /// `_BitInt(size)` (size; whether it is unsigned).
    BitInt,
    /// `_Float16` and the like (place, length of the number; what follows it).
    FloatN,
    /// `decltype (expression)`.
    Decltype,
    /// A template parameter (its number); in the parameters of a lambda, its `auto`.
    Parameter,
    /// Arguments that are a pack (list).
    Pack,
    /// `pattern...`.
    Expansion,
    /// An item of a list (item, next).
    List,
    /// How a parameter of a template is declared (what it is constrained by or of what type; which: a letter; list).
    Declaration,

    /// A number as it stands (place, length).
    Number,
    /// A constant (type; place, length).
    Literal,
    /// An operator with nothing (operator).
    Nullary,
    /// An operator before its operand (operand; operator).
    Unary,
    /// An operator after its operand (operand; operator).
    Postfix,
    /// An operator between its operands (left, right; operator).
    Binary,
    /// `a ? b : c`.
    Conditional,
    /// `function(arguments)` (function, list).
    Call,
    /// `(type)(expression)` (type, expression or list).
    Cast,
    /// `static_cast<type>(expression)` (type, expression; operator).
    NamedCast,
    /// `type{items}` (type or nothing, list).
    Braced,
    /// Items in parentheses (list).
    Parentheses,
    /// `sizeof...(pack)`.
    SizeofPack,
    /// `sizeof...` of arguments (list).
    SizeofArguments,
    /// A parameter of the function (its number, 0 for `this`).
    FunctionParameter,
    /// `new (where) type` and what it is initialised with (where: list, type, initialiser; flags: an array or not).
    New,
    /// A fold over a pack (first, second or nothing; operator).
    Fold,
    /// `.name=value`, `[index]=value` (name or index, value; the letter).
    Designated,
    /// `[first ... last]=value` (first, last, value).
    DesignatedRange,
    /// An expression of a vendor (name, list).
    VendorExpression,
    /// `requires (parameters) { requirements }` (list, list).
    Requires,
    /// A requirement (expression or type, constraint; letter and whether it must not throw).
    Requirement,
}

/// Which of a node's three numbers are nodes that are part of it: bit 0 for the first.
fn links(kind: Kind) -> u8 {
    use Kind::*;
    match kind {
        Nil | Source | Builtin | Std | OperatorName | Unnamed | Lambda | Block | StringLiteral | FloatN | Expansion
        | Number | Nullary | Parameter | FunctionParameter => 0,
        Ctor | Dtor | Conversion | LiteralOperator | VendorOperator | DefaultArgument | Bindings | Friend | Special
        | ReferenceTemporary | Clone | Qualified | Pointer | LvalueReference | RvalueReference | Complex
        | Imaginary | Noexcept | Throws | Elaborated | BitInt | Decltype | Pack | Literal | Unary | Postfix
        | Parentheses | SizeofPack | SizeofArguments | Declaration => 0b001,
        Nested | Local | Abi | Module | ModulePart | ConstructionVtable | VendorQualified | VendorType
        | MemberPointer | Array | Vector | List | Binary | Call | Cast | NamedCast | Braced | Fold | Designated
        | VendorExpression | Requires | Requirement => 0b011,
        Template | Encoding | FunctionType | Conditional | New | DesignatedRange => 0b111,
    }
}

/// `const`, `volatile` and so on, of a type, a function or its `this`.
pub(super) mod flags {
    /// `const`.
    pub(in super::super) const CONST: u8 = 1;
    /// `volatile`.
    pub(in super::super) const VOLATILE: u8 = 2;
    /// `__restrict`.
    pub(in super::super) const RESTRICT: u8 = 4;
    /// `&`, of a function.
    pub(in super::super) const LVALUE: u8 = 8;
    /// `&&`, of a function.
    pub(in super::super) const RVALUE: u8 = 16;
    /// `noexcept`.
    pub(in super::super) const NOEXCEPT: u8 = 32;
    /// `transaction_safe`; for `new`, that it makes an array; for a function, that its first argument is `this`.
    pub(in super::super) const OTHER: u8 = 64;
    /// There is a template parameter in it, which may be a pack, and is not expanded in it.
    pub(in super::super) const HAS_PARAMETER: u8 = 128;
}

/// A node.
#[derive(Clone, Copy)]
pub(super) struct Node {
    pub(super) kind: Kind,
    pub(super) flags: u8,
    pub(super) a: u16,
    pub(super) b: u16,
    pub(super) c: u16,
}

const _: () = assert!(size_of::<Node>() == 8);

/// All nodes of a name.
pub(super) struct Nodes {
    table: [Node; NODES],
    used: usize,
}

impl Nodes {
    pub(super) const fn new() -> Self {
        let nothing = Node { kind: Kind::Nil, flags: 0, a: NIL, b: NIL, c: NIL };
        Self { table: [nothing; NODES], used: 1 }
    }

    pub(super) fn clear(&mut self) {
        self.used = 1;
    }

    /// The node of that number; nothing for one that there is not.
    pub(super) fn get(&self, id: Id) -> Node {
        *self.table.get(usize::from(id)).unwrap_or(&self.table[0])
    }

    pub(super) fn kind(&self, id: Id) -> Kind {
        self.get(id).kind
    }

    /// A node with flags. It has a parameter in it when one of its parts has.
    pub(super) fn flagged(&mut self, kind: Kind, own: u8, a: u16, b: u16, c: u16) -> Result<Id, NotMangled> {
        let mut all = own;
        for (bit, part) in [a, b, c].into_iter().enumerate() {
            if links(kind) & (1 << bit) != 0 {
                all |= self.get(part).flags & flags::HAS_PARAMETER;
            }
        }
        let place = self.table.get_mut(self.used).ok_or(NotMangled::TooComplex)?;
        *place = Node { kind, flags: all, a, b, c };
        self.used += 1;
        Ok((self.used - 1) as Id)
    }

    /// A node without flags of its own.
    pub(super) fn add(&mut self, kind: Kind, a: u16, b: u16, c: u16) -> Result<Id, NotMangled> {
        self.flagged(kind, 0, a, b, c)
    }

    /// The node of that number, to be completed.
    pub(super) fn change(&mut self, id: Id, change: impl FnOnce(&mut Node)) {
        if let Some(node) = self.table.get_mut(usize::from(id)) {
            change(node);
        }
    }

    /// The nodes that are part of `node`.
    pub(super) fn parts(node: Node) -> impl Iterator<Item = Id> {
        let parts = [node.a, node.b, node.c].into_iter().enumerate();
        parts.filter(move |(bit, _)| links(node.kind) & (1 << bit) != 0).map(|(_, part)| part)
    }

    /// The items of a list, from its first link on.
    pub(super) fn items(&self, list: Id) -> impl Iterator<Item = Id> + '_ {
        let mut next = list;
        core::iter::from_fn(move || {
            let node = self.get(next);
            next = node.b;
            (node.kind == Kind::List).then_some(node.a)
        })
    }
}

/// A list that is being made.
#[derive(Clone, Copy, Default)]
pub(super) struct Growing {
    pub(super) first: Id,
    last: Id,
}

impl Growing {
    pub(super) fn push(&mut self, nodes: &mut Nodes, item: Id) -> Result<(), NotMangled> {
        let link = nodes.add(Kind::List, item, NIL, NIL)?;
        if self.first == NIL {
            self.first = link;
        } else {
            nodes.change(self.last, |node| node.b = link);
        }
        // A parameter anywhere in the list is looked for only when its first link says that there is one.
        let has = nodes.get(link).flags & flags::HAS_PARAMETER;
        nodes.change(self.first, |node| node.flags |= has);
        self.last = link;
        Ok(())
    }
}
