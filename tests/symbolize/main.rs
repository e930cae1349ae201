//! Names and lines beside those of the crate `addr2line`, for programs of every debug format that the compilers here make.

mod build;
mod files;
mod oracle;
mod rust;
mod variants;
