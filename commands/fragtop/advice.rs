//! The command that would rewrite a file in one piece. It is printed, and never run.

use crate::ui::escape::shell_word;
use std::os::unix::ffi::OsStrExt;
use toolbox::fragment::{FileReport, Flags, Kind};

/// What to run, and what to know before.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Advice {
    /// A command line for a shell.
    pub(super) command: String,
    /// What it costs besides time.
    pub(super) warning: Option<&'static str>,
}

const UNSHARES: &str = "its data is shared with other files or snapshots; rewriting it takes new space for a copy";

/// What would help `file`; nothing, when it lies as well as it can.
pub(super) fn of(file: &FileReport) -> Option<Advice> {
    let layout = &file.layout;
    if layout.fragments <= layout.ideal.max(1) {
        return None;
    }
    let flags = layout.flags.unwrap_or_default();
    let path = operand(file.path.as_os_str().as_bytes());
    let command = match file.volume.kind {
        Kind::Ext if flags.any(Flags::MERGED) => copy(&path),
        Kind::Ext => format!("e4defrag {path}"),
        Kind::Xfs => format!("xfs_fsr {path}"),
        Kind::Btrfs => format!("btrfs filesystem defragment {path}"),
        _ => copy(&path),
    };
    Some(Advice { command, warning: flags.any(Flags::SHARED).then_some(UNSHARES) })
}

/// For file systems without a tool of their own: a copy is laid out anew.
fn copy(path: &str) -> String {
    format!("cp -a --reflink=never {path}{{,.rewritten}} && mv {path}{{.rewritten,}}")
}

/// A path as an operand that no command takes for an option.
fn operand(path: &[u8]) -> String {
    if path.starts_with(b"-") { shell_word(&[b"./", path].concat()) } else { shell_word(path) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_never_taken_for_an_option() {
        assert_eq!(operand(b"-rf"), "./-rf");
        assert_eq!(operand(b"a b"), "'a b'");
    }
}
