//! Tells the binary which commit it was built from, for `toolbox --version`, and by which compiler, for
//! `toolbox bench`.
//!
//! Sets `TOOLBOX_COMMIT` to the first twelve digits of the commit, with `-dirty` behind them when a file that goes
//! into the binary differs from it, or to `unknown` where there is no git or this is not its repository (an unpacked
//! archive). Reads only: git is told not to take its locks, and nothing is written to the source tree.
//!
//! Cargo runs it again when one of those files changes or when the branch moves, and not otherwise.

use std::path::{Path, PathBuf};
use std::process::Command;

/// What goes into the binary, from the top of the repository.
const BUILT_FROM: [&str; 4] = ["Cargo.toml", "Cargo.lock", "src", "commands"];

fn main() {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the package lies in the workspace");
    let commit = commit(top).unwrap_or_else(|| "unknown".to_owned());
    println!("cargo:rustc-env=TOOLBOX_COMMIT={commit}");
    println!("cargo:rustc-env=TOOLBOX_RUSTC={}", compiler().unwrap_or_else(|| "unknown".to_owned()));
    for path in BUILT_FROM.iter().map(|name| top.join(name)).chain(git_files(top)) {
        println!("cargo:rerun-if-changed={}", path.display());
    }
}

fn commit(top: &Path) -> Option<String> {
    let repository = PathBuf::from(git(top, &["rev-parse", "--show-toplevel"])?);
    // Unpacked inside somebody else's repository, that one's commit would say nothing.
    if repository.canonicalize().ok()? != top.canonicalize().ok()? {
        return None;
    }
    let commit = git(top, &["rev-parse", "--short=12", "HEAD"])?;
    let changes = git(top, &[&["status", "--porcelain", "--"], &BUILT_FROM[..]].concat())?;
    Some(if changes.is_empty() { commit } else { commit + "-dirty" })
}

/// The files of git that change when another commit is made or checked out. (In a worktree they lie elsewhere, so git
/// is asked.)
fn git_files(top: &Path) -> Vec<PathBuf> {
    let place = |name: &str| git(top, &["rev-parse", "--git-path", name]).map(|path| top.join(path));
    let fixed = ["HEAD", "packed-refs"].into_iter().filter_map(place).filter(|path| path.exists());
    // A branch that is in `packed-refs` has no file of its own until its next commit; then that appears in the folder
    // which is already there.
    let branch = git(top, &["symbolic-ref", "--quiet", "HEAD"]).as_deref().and_then(place);
    let branch = branch.and_then(|path| path.ancestors().find(|path| path.exists()).map(Path::to_owned));
    fixed.chain(branch).collect()
}

/// The version of the compiler that builds this.
fn compiler() -> Option<String> {
    let output = Command::new(std::env::var_os("RUSTC")?).arg("--version").output().ok()?;
    let answer = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| answer.trim().trim_start_matches("rustc ").to_owned())
}

/// What git answers, without the line break; `None` when it fails or is not there.
fn git(top: &Path, arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").arg("--no-optional-locks").args(arguments).current_dir(top).output().ok()?;
    let answer = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| answer.trim_end().to_owned())
}
