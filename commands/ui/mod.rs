//! How every subcommand speaks: stdout carries the answer and nothing else, stderr the rest.

pub(crate) mod bars;
pub(crate) mod csv;
pub(crate) mod escape;
pub(crate) mod json;
pub(crate) mod message;
pub(crate) mod numbers;
pub(crate) mod output;
pub(crate) mod picture;
pub(crate) mod progress;
pub(crate) mod table;
pub(crate) mod terminal;
