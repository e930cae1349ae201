//! Ranks the files of a whole file system by its own records, or says why that cannot be done.
//!
//! ```text
//! cargo run --release --features fragment --example whole -- /home
//! ```

use toolbox::fragment::filesystem::{Request, scan};

fn main() {
    for mount in std::env::args_os().skip(1) {
        match scan(mount.as_ref(), &Request::default(), &mut |_| {}) {
            Ok(report) => {
                let (elapsed, naming) = (report.elapsed, report.naming);
                println!("{} files by {} in {elapsed:?}, names {naming:?}", report.totals.files, report.method);
                for file in &report.files {
                    match &file.path {
                        Some(path) => println!("{:8}  {}", file.layout.fragments, path.display()),
                        None => println!("{:8}  inode {}, not below this mount", file.layout.fragments, file.inode),
                    }
                }
            }
            Err(refusal) => println!("{}: {refusal}", mount.display()),
        }
    }
}
