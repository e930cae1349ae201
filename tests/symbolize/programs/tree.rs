//! A Rust program with generics, closures, traits and inlined calls.
use std::collections::BTreeMap;
use std::fmt::Display;

trait Visit {
    fn visit(&mut self, word: &str) -> usize;
}

#[derive(Default)]
struct Counter {
    counts: BTreeMap<String, usize>,
}

impl Visit for Counter {
    fn visit(&mut self, word: &str) -> usize {
        let count = self.counts.entry(word.to_owned()).or_default();
        *count += word.chars().filter(|letter| letter.is_alphabetic()).count();
        *count
    }
}

#[inline(always)]
fn shown<T: Display>(items: impl Iterator<Item = T>) -> String {
    items.map(|item| item.to_string()).collect::<Vec<_>>().join(",")
}

fn main() {
    let mut counter = Counter::default();
    let visitor: &mut dyn Visit = &mut counter;
    let sum: usize = std::env::args().map(|word| visitor.visit(&word)).sum();
    println!("{} {sum}", shown(counter.counts.values()));
}
