//! Every debug format of the compilers here, beside the oracle.

use super::build::{self, folder, has, run};
use super::oracle::compare;
use toolbox::crash::symbolize::Folders;

/// Builds with `options` and compares every address.
fn check(name: &str, compiler: &str, options: &[&str]) {
    if !has(compiler) {
        return;
    }
    let folder = folder(name);
    let program = build::program(&folder, compiler, options).expect("it compiles");
    let compared = compare(&program, &program, Folders::default(), 3);
    println!("{name}: {compared:?}");
    assert!(compared.with_lines > 1000 && compared.with_inlined > 300, "{name}: {compared:?}");
    // Only the oldest format, taken by its word or split by clang, has calls that were inlined and that theirs leaves out.
    // (Of the split one binutils and LLVM name `main` alone, at a line of the standard library: ours has the calls between.)
    let is_oldest = options.contains(&"-gdwarf-2");
    let leaves_out =
        is_oldest && (options.contains(&"-gstrict-dwarf") || compiler == "clang" && options.contains(&"-gsplit-dwarf"));
    assert_eq!((compared.differing, compared.deeper > 0), (0, leaves_out), "{name}: {compared:?}");
    std::fs::remove_dir_all(folder).expect("it was made above");
}

#[test]
fn gcc_versions() {
    for version in ["-gdwarf-2", "-gdwarf-3", "-gdwarf-4", "-gdwarf-5"] {
        check(&format!("gcc{version}"), "gcc", &["-O2", version]);
    }
}

#[test]
fn gcc_strict_and_64_bit_format() {
    check("gcc-strict", "gcc", &["-O2", "-gdwarf-2", "-gstrict-dwarf"]);
    check("gcc-dwarf64", "gcc", &["-O2", "-gdwarf-5", "-gdwarf64"]);
}

#[test]
fn gcc_compressed() {
    for kind in ["-gz=zlib", "-gz=zlib-gnu"] {
        check(&format!("gcc{kind}"), "gcc", &["-O2", "-g", kind]);
    }
}

#[test]
fn gcc_split() {
    for version in ["-gdwarf-4", "-gdwarf-5"] {
        check(&format!("gcc-split{version}"), "gcc", &["-O2", version, "-gsplit-dwarf"]);
    }
}

#[test]
fn gcc_link_time() {
    check("gcc-lto", "gcc", &["-O2", "-g", "-flto"]);
}

#[test]
fn clang() {
    for version in ["-gdwarf-2", "-gdwarf-4", "-gdwarf-5"] {
        check(&format!("clang{version}"), "clang", &["-O2", version]);
        check(&format!("clang-split{version}"), "clang", &["-O2", version, "-gsplit-dwarf"]);
    }
    check("clang-aranges", "clang", &["-O2", "-g", "-gdwarf-aranges"]);
}

#[test]
fn zstd() {
    // Older tools do not know it; then there is nothing to look at.
    let folder = folder("zstd");
    if has("gcc") && run(&folder, "sh", &["-c", "echo 'int main(){}' | gcc -x c -g -gz=zstd - -o try"]) {
        check("gcc-zstd", "gcc", &["-O2", "-g", "-gz=zstd"]);
    }
}
