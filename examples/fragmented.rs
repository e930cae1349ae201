//! Ranks the files below the paths given by their fragments, as a program of your own would.
//!
//! ```text
//! cargo run --release --features fragment --example fragmented -- /var/log
//! ```

use toolbox::fragment::{Key, Options, Ranking, Root, scan};

fn main() {
    let roots: Vec<_> = std::env::args_os().skip(1).map(Root::path).collect();
    let outcome = scan(roots, &Options::default(), || Ranking::new(Key::Fragments, 20), &mut |_| {});
    let ranking = outcome.collectors.into_iter().reduce(Ranking::merge).unwrap_or_default();
    println!("{} files, {} fragmented", ranking.totals.files, ranking.totals.fragmented);
    for file in ranking.into_sorted() {
        println!("{:8}  {}", file.layout.fragments, file.path.display());
    }
    for (cause, tally) in outcome.failures.iter() {
        println!("{:8}  {cause}", tally.count);
    }
}
