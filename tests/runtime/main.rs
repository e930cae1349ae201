//! Tests of the runtime library as a program sees it.

mod filesystem;
