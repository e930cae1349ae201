//! Sessions with the tool: the command, what it prints, and its exit code.

mod bench;
mod fragtop;
mod freeze;
mod live;
mod manual;
mod session;
mod symbolize;
mod trouble;
