//! What a program says when it dies.

#[cfg(feature = "symbolize")]
pub mod symbolize;
