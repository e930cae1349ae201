//! Names and lines for addresses, made without the program's heap.

pub mod decompress;
pub mod demangle;
