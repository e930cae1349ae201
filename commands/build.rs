//! Tells the binary which commit it was built from.

fn main() {
    println!("cargo::rustc-env=TOOLBOX_COMMIT=unknown");
}
