//! The library on real file systems: everything that a unit test cannot know because only a kernel can tell.
//!
//! Where a test needs root, a tool or a kernel feature that is not there, it says on stderr what is missing and
//! passes; with `CI` set in the environment it fails instead, so that a build cannot be green for want of tools.

mod filesystem;
mod kinds;
mod property;
mod scan;
mod silent;
mod support;
mod trouble;
mod truth;
