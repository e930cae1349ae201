//! Sessions with the tool: the command, what it prints, and its exit code.

mod live;
