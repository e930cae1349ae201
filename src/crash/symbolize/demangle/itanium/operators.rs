//! The table of operators: two letters, how each is written, and with how many operands.

/// An operator.
pub(super) struct Operator {
    pub(super) code: [u8; 2],
    /// A space at the end belongs to expressions (`sizeof (x)`), and not to the name (`operator delete`).
    pub(super) text: &'static str,
    pub(super) operands: Operands,
}

/// What follows an operator in an expression.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Operands {
    None,
    One,
    /// One; it may stand behind it, which a `_` says.
    OneEitherSide,
    /// One, which is a type.
    Type,
    Two,
    /// A type and an expression.
    Cast,
    /// An expression and the name of a member.
    Member,
    /// A rule of its own.
    Special,
}

const fn op(code: &[u8; 2], text: &'static str, operands: Operands) -> Operator {
    Operator { code: *code, text, operands }
}

use Operands::{Cast, Member, None, One, OneEitherSide, Special, Two, Type};

/// All of them, sorted by their letters.
pub(super) const OPERATORS: [Operator; 78] = [
    op(b"aN", "&=", Two),
    op(b"aS", "=", Two),
    op(b"aa", "&&", Two),
    op(b"ad", "&", One),
    op(b"an", "&", Two),
    op(b"at", "alignof ", Type),
    op(b"aw", "co_await ", One),
    op(b"az", "alignof ", One),
    op(b"cc", "const_cast", Cast),
    op(b"cl", "()", Special),
    op(b"cm", ",", Two),
    op(b"co", "~", One),
    op(b"cp", "()", Special),
    op(b"dV", "/=", Two),
    op(b"dX", "[...]=", Special),
    op(b"da", "delete[] ", One),
    op(b"dc", "dynamic_cast", Cast),
    op(b"de", "*", One),
    op(b"di", "=", Special),
    op(b"dl", "delete ", One),
    op(b"ds", ".*", Two),
    op(b"dt", ".", Member),
    op(b"dv", "/", Two),
    op(b"dx", "]=", Special),
    op(b"eO", "^=", Two),
    op(b"eo", "^", Two),
    op(b"eq", "==", Two),
    op(b"fL", "...", Special),
    op(b"fR", "...", Special),
    op(b"fl", "...", Special),
    op(b"fr", "...", Special),
    op(b"ge", ">=", Two),
    op(b"gs", "::", Special),
    op(b"gt", ">", Two),
    op(b"il", "{}", Special),
    op(b"ix", "[]", Two),
    op(b"lS", "<<=", Two),
    op(b"le", "<=", Two),
    op(b"ls", "<<", Two),
    op(b"lt", "<", Two),
    op(b"mI", "-=", Two),
    op(b"mL", "*=", Two),
    op(b"mi", "-", Two),
    op(b"ml", "*", Two),
    op(b"mm", "--", OneEitherSide),
    op(b"na", "new[]", Special),
    op(b"ne", "!=", Two),
    op(b"ng", "-", One),
    op(b"nt", "!", One),
    op(b"nw", "new", Special),
    op(b"nx", "noexcept", One),
    op(b"oR", "|=", Two),
    op(b"oo", "||", Two),
    op(b"or", "|", Two),
    op(b"pL", "+=", Two),
    op(b"pl", "+", Two),
    op(b"pm", "->*", Two),
    op(b"pp", "++", OneEitherSide),
    op(b"ps", "+", One),
    op(b"pt", "->", Member),
    op(b"qu", "?", Special),
    op(b"rM", "%=", Two),
    op(b"rS", ">>=", Two),
    op(b"rc", "reinterpret_cast", Cast),
    op(b"rm", "%", Two),
    op(b"rs", ">>", Two),
    op(b"sP", "sizeof...", Special),
    op(b"sZ", "sizeof...", Special),
    op(b"sc", "static_cast", Cast),
    op(b"sp", "...", Special),
    op(b"ss", "<=>", Two),
    op(b"st", "sizeof ", Type),
    op(b"sz", "sizeof ", One),
    op(b"te", "typeid ", One),
    op(b"ti", "typeid ", Type),
    op(b"tl", "{}", Special),
    op(b"tr", "throw", None),
    op(b"tw", "throw ", One),
];

/// The index of the operator with these letters.
pub(super) fn find(code: [u8; 2]) -> Option<usize> {
    OPERATORS.binary_search_by(|operator| operator.code.cmp(&code)).ok()
}

/// The operator at an index that [`find`] gave.
pub(super) fn at(index: u16) -> &'static Operator {
    const NOTHING: Operator = op(b"  ", "", None);
    OPERATORS.get(usize::from(index)).unwrap_or(&NOTHING)
}
