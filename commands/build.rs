//! Tells the binary which commit it was built from.
fn main() {}
