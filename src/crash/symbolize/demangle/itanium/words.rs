//! The words of the language: types, what the standard's abbreviations stand for, and the names of what a compiler adds.

/// The code of a type of the language: one letter, or `D` and one letter.
pub(super) const fn code(text: &[u8]) -> u16 {
    match *text {
        [one] => one as u16,
        [first, second] => ((first as u16) << 8) | second as u16,
        _ => 0,
    }
}

/// A type of the language.
pub(super) fn builtin(of: u16) -> Option<&'static str> {
    let [first, letter] = of.to_be_bytes();
    Some(match (first, letter) {
        (0, b'a') => "signed char",
        (0, b'b') => "bool",
        (0, b'c') => "char",
        (0, b'd') => "double",
        (0, b'e') => "long double",
        (0, b'f') => "float",
        (0, b'g') => "__float128",
        (0, b'h') => "unsigned char",
        (0, b'i') => "int",
        (0, b'j') => "unsigned int",
        (0, b'l') => "long",
        (0, b'm') => "unsigned long",
        (0, b'n') => "__int128",
        (0, b'o') => "unsigned __int128",
        (0, b's') => "short",
        (0, b't') => "unsigned short",
        (0, b'v') => "void",
        (0, b'w') => "wchar_t",
        (0, b'x') => "long long",
        (0, b'y') => "unsigned long long",
        (0, b'z') => "...",
        (b'D', b'a') => "auto",
        (b'D', b'c') => "decltype(auto)",
        (b'D', b'd') => "decimal64",
        (b'D', b'e') => "decimal128",
        (b'D', b'f') => "decimal32",
        (b'D', b'h') => "half",
        (b'D', b'i') => "char32_t",
        (b'D', b'n') => "decltype(nullptr)",
        (b'D', b's') => "char16_t",
        (b'D', b'u') => "char8_t",
        _ => return None,
    })
}

/// What is written after a constant of that type, when the type can be told by it.
pub(super) fn suffix(of: u16) -> Option<&'static str> {
    Some(match of.to_be_bytes() {
        [0, b'i'] => "",
        [0, b'j'] => "u",
        [0, b'l'] => "l",
        [0, b'm'] => "ul",
        [0, b'x'] => "ll",
        [0, b'y'] => "ull",
        _ => return None,
    })
}

/// What `S` and a letter stand for: as it is written, written out, and the name of its constructors.
pub(super) fn std(letter: u8) -> Option<[&'static str; 3]> {
    Some(match letter {
        b't' => ["std", "std", ""],
        b'a' => ["std::allocator", "std::allocator", "allocator"],
        b'b' => ["std::basic_string", "std::basic_string", "basic_string"],
        b's' => {
            ["std::string", "std::basic_string<char, std::char_traits<char>, std::allocator<char> >", "basic_string"]
        }
        b'i' => ["std::istream", "std::basic_istream<char, std::char_traits<char> >", "basic_istream"],
        b'o' => ["std::ostream", "std::basic_ostream<char, std::char_traits<char> >", "basic_ostream"],
        b'd' => ["std::iostream", "std::basic_iostream<char, std::char_traits<char> >", "basic_iostream"],
        _ => return None,
    })
}

/// How what a compiler adds is called.
pub(super) const SPECIAL: [&str; 24] = [
    "vtable for ",
    "VTT for ",
    "typeinfo for ",
    "typeinfo name for ",
    "typeinfo fn for ",
    "non-virtual thunk to ",
    "virtual thunk to ",
    "covariant return thunk to ",
    "java Class for ",
    "TLS init function for ",
    "TLS wrapper function for ",
    "guard variable for ",
    "hidden alias for ",
    "transaction clone for ",
    "non-transaction clone for ",
    "template parameter object for ",
    "initializer for module ",
    "global constructors keyed to ",
    "global destructors keyed to ",
    "struct ",
    "union ",
    "enum ",
    "invocation function for block in ",
    "::",
];

/// The index of words in [`SPECIAL`].
pub(super) const fn special(text: &str) -> u16 {
    let mut index = 0;
    while index < SPECIAL.len() {
        let (one, other) = (SPECIAL[index].as_bytes(), text.as_bytes());
        let mut same = one.len() == other.len();
        let mut at = 0;
        while same && at < one.len() {
            same = one[at] == other[at];
            at += 1;
        }
        if same {
            return index as u16;
        }
        index += 1;
    }
    panic!("these words are not in the table"); // When it is compiled: all callers are constants.
}
