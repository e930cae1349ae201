//! Small leaves that several structures share; a feature alone may leave some of them unused.
#![allow(dead_code, reason = "each structure uses its part")]

pub(crate) mod backoff;
pub(crate) mod padded;
pub(crate) mod wait_list;

#[cfg(test)]
mod tests;
