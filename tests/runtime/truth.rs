//! The count, on every file system and for files made in every way, beside `filefrag`'s.
//!
//! Where the two may differ, the difference is asserted as such: compressed files on btrfs, of which FIEMAP does not
//! tell how long they are on the volume, and data that has no place yet.

use crate::support::kernel::set_extended_attribute;
use crate::support::recipe::{self, BLOCK};
use crate::support::{Format, Scratch, as_nobody, filefrag, image, look};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use toolbox::fragment::{FileReport, Flags, Options, Root, extents, measure};

/// Every file of one format, by name, with our report and `filefrag`'s count.
type Counted = BTreeMap<String, (FileReport, u64)>;

fn counted(directory: &Path) -> Option<Counted> {
    let mut paths: Vec<PathBuf> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let told = filefrag(&paths)?;
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    let counted = |(path, told): (&PathBuf, u64)| (name(path), (measure(path, false).expect("readable"), told));
    Some(paths.iter().zip(told).map(counted).collect())
}

/// Makes files in all ways, compares, and returns what was found for further questions.
fn check(format: Format) -> Option<Counted> {
    let scratch = Scratch::on(format)?;
    recipe::make_all(&scratch, format);
    let counted = counted(&scratch)?;
    for (name, (report, told)) in &counted {
        let layout = &report.layout;
        if layout.flags.is_some_and(|flags| flags.any(Flags::ENCODED)) {
            // A compressed file may be in fewer pieces than FIEMAP can tell, never in more.
            assert!(layout.fragments <= *told && layout.extents >= layout.fragments, "{name} {layout:?} {told}");
            assert!(layout.exact || layout.fragments == *told, "{name} {layout:?} {told}");
        } else {
            assert_eq!((layout.fragments, layout.exact), (*told, true), "{} {name} {layout:?}", format.name());
        }
        assert!(layout.ideal <= layout.fragments, "{name} {layout:?}");
    }
    scan_agrees(&scratch, &counted);
    extents_agree(&scratch, &counted);
    Some(counted)
}

/// A scan says the same of every file, whether it had to be opened or not.
fn scan_agrees(directory: &Path, counted: &Counted) {
    let seen = look([Root::path(directory)], &Options::default());
    assert_eq!((seen.files.len(), seen.calls), (counted.len(), counted.len()), "{:?}", seen.outcome);
    for (name, (report, _)) in counted {
        let scanned = &seen.files[&directory.join(name)];
        assert_eq!((scanned.layout, scanned.size_bytes), (report.layout, report.size_bytes), "{name}");
    }
    let unopened = toolbox::fragment::scan(
        [Root::path(directory)],
        &Options::default(),
        || toolbox::fragment::Ranking::new(toolbox::fragment::Key::Path, 1000),
        &mut |_| {},
    );
    let ranking = unopened.collectors.into_iter().reduce(toolbox::fragment::Ranking::merge).unwrap();
    for file in ranking.into_sorted() {
        let expected = counted[file.path.file_name().unwrap().to_str().unwrap()].0.layout.fragments;
        assert_eq!(file.layout.fragments, expected, "{} {:?}", file.path.display(), file.layout);
    }
}

/// Extents come in the order of the file, do not overlap, and add up to the layout.
fn extents_agree(directory: &Path, counted: &Counted) {
    for (name, (report, _)) in counted {
        let (again, extents) = extents(&directory.join(name), false).unwrap();
        assert_eq!(again.layout.fragments, report.layout.fragments, "{name}");
        assert!(extents.windows(2).all(|pair| pair[0].logical + pair[0].length <= pair[1].logical), "{name}");
        let mapped: u64 = extents.iter().map(|extent| extent.length).sum();
        assert_eq!(mapped, report.layout.mapped_bytes, "{name}");
    }
}

fn fragments(counted: &Counted, name: &str) -> u64 {
    counted[name].0.layout.fragments
}

fn has(counted: &Counted, name: &str, flag: Flags) -> bool {
    counted[name].0.layout.flags.is_some_and(|flags| flags.any(flag))
}

fn check_block_mapped(format: Format) {
    let Some(counted) = check(format) else { return };
    assert!(has(&counted, "contiguous", Flags::MERGED), "block_mapped");
    let large = &counted["beyond_indirect"].0.layout;
    assert!(large.fragments >= large.ideal && large.ideal == 3, "cut by its own blocks of pointers: {large:?}");
    assert_eq!(fragments(&counted, "only_a_hole"), 0);
}

#[test]
fn ext2_counts_as_filefrag_does() {
    check_block_mapped(Format::Ext2);
}

#[test]
fn ext3_counts_as_filefrag_does() {
    check_block_mapped(Format::Ext3);
}

#[test]
fn ext4_counts_as_filefrag_does() {
    let Some(counted) = check(Format::Ext4) else { return };
    assert!(has(&counted, "tiny", Flags::INLINE) && fragments(&counted, "tiny") == 1);
    assert!(has(&counted, "preallocated", Flags::UNWRITTEN) && has(&counted, "preallocated_large", Flags::UNWRITTEN));
    assert_eq!((fragments(&counted, "collapsed"), fragments(&counted, "holes")), (64, 1));
    assert_eq!((fragments(&counted, "empty"), fragments(&counted, "only_a_hole")), (0, 0));
}

#[test]
fn xfs_counts_as_filefrag_does() {
    let Some(counted) = check(Format::Xfs) else { return };
    assert!(has(&counted, "shared_whole", Flags::SHARED) && fragments(&counted, "shared_shuffled") > 32);
    assert!(!has(&counted, "contiguous", Flags::SHARED) && has(&counted, "preallocated", Flags::UNWRITTEN));
    assert_eq!(fragments(&counted, "collapsed"), 64);
}

#[test]
fn btrfs_counts_as_filefrag_does_but_for_compressed_files() {
    let Some(counted) = check(Format::Btrfs) else { return };
    assert!(has(&counted, "shared_whole", Flags::SHARED) && has(&counted, "inline", Flags::INLINE));
    assert!(has(&counted, "compressed", Flags::ENCODED) && has(&counted, "compressed_rewritten", Flags::ENCODED));
    let compressed = &counted["compressed"].0.layout;
    assert!(compressed.exact && compressed.fragments < compressed.extents, "{compressed:?}");
    assert!(fragments(&counted, "rewritten") > fragments(&counted, "in_place"));
}

/// Runs by inode, as the tree of the volume has them: `btrfs inspect-internal` prints every item in the order of the
/// file, and of each extent where it lies on the volume and how much it takes there.
fn runs_in_tree(dump: &str) -> BTreeMap<u64, u64> {
    let numbers = |line: &str| -> Vec<u64> {
        line.split(|letter: char| !letter.is_ascii_digit()).filter_map(|word| word.parse().ok()).collect()
    };
    let mut runs: BTreeMap<u64, u64> = BTreeMap::new();
    let (mut inode, mut disk, mut place) = (0, vec![], vec![]);
    // Inode, where in the file, where on the volume it begins and ends, whether it is compressed.
    let mut last = (0, 0, 0, 0, false);
    let mut logical = 0;
    for line in dump.lines().map(str::trim) {
        let compressed = line.strip_prefix("extent compression ").map(|kind| !kind.starts_with('0'));
        if line.starts_with("item ") {
            let key = numbers(line.split_once('(').map_or("", |(_, key)| key));
            (inode, logical) = if line.contains(" EXTENT_DATA ") { (key[0], key[1]) } else { (0, 0) };
        } else if line.contains("data disk byte") {
            disk = numbers(line);
        } else if line.contains("data offset") {
            place = numbers(line);
        } else if inode != 0 && line.contains("inline extent data") {
            *runs.entry(inode).or_default() += 1;
        }
        // The last line of an extent; one that is only allocated has no word on compression.
        let ends = compressed.is_some() || line.starts_with("prealloc data offset");
        if inode != 0 && ends && disk.first().is_some_and(|&byte| byte > 0) {
            let compressed = compressed.unwrap_or(false);
            let (from, length) = if compressed { (disk[0], disk[1]) } else { (disk[0] + place[0], place[1]) };
            let in_step = !compressed && !last.4 && from.wrapping_sub(last.2) == logical.wrapping_sub(last.1);
            let continues = last.0 == inode && (last.3 == from || in_step);
            *runs.entry(inode).or_default() += u64::from(!continues);
            last = (inode, logical, from, from + length, compressed);
            disk.clear();
        }
    }
    runs
}

/// Nobody but the tree knows how many pieces a compressed file is in; who may not read it is told "at most".
#[test]
fn a_compressed_file_is_in_as_many_pieces_as_the_tree_says() {
    let Some(image) = image(Format::Btrfs) else { return };
    let scratch = Scratch::under(&image.point);
    recipe::make_all(&scratch, Format::Btrfs);
    let dump = Command::new("sync").arg("-f").arg(&*scratch).status().and_then(|_| {
        Command::new("btrfs").args(["inspect-internal", "dump-tree", "-t", "5"]).arg(&image.device).output()
    });
    let runs = runs_in_tree(&String::from_utf8_lossy(&dump.expect("btrfs-progs made the volume").stdout));
    let mut compressed = 0;
    for entry in fs::read_dir(&*scratch).unwrap() {
        let path = entry.unwrap().path();
        let layout = measure(&path, false).unwrap().layout;
        let expected = runs.get(&fs::metadata(&path).unwrap().ino()).copied().unwrap_or(0);
        assert_eq!((layout.fragments, layout.exact), (expected, true), "{} {layout:?}", path.display());
        if layout.flags.unwrap().any(Flags::ENCODED) {
            compressed += 1;
            let at_most = as_nobody(move || measure(&path, false).unwrap().layout);
            assert!(!at_most.exact && at_most.fragments >= expected, "{at_most:?}");
        }
    }
    assert!(compressed >= 2);
}

/// Data that was not written out yet has no place, and so no part in the count; `filefrag` calls it one piece more.
#[test]
fn delayed_data_is_no_fragment() {
    for format in [Format::Ext4, Format::Xfs, Format::Btrfs] {
        let Some(scratch) = Scratch::on(format) else { continue };
        let path = scratch.join("growing");
        let file = File::create(&path).unwrap();
        file.write_all_at(&recipe::noise(8), 0).unwrap();
        file.sync_all().unwrap();
        file.write_all_at(&recipe::noise(8), 8 * BLOCK).unwrap();
        let dirty = measure(&path, false).unwrap().layout;
        assert!(dirty.flags.unwrap().any(Flags::DELAYED), "{} {dirty:?}", format.name());
        assert_eq!(dirty.fragments, 1, "{} {dirty:?}", format.name());
        let flushed = measure(&path, true).unwrap().layout;
        assert!(!flushed.flags.unwrap().any(Flags::DELAYED), "{} {flushed:?}", format.name());
        assert_eq!(Some(vec![flushed.fragments]), filefrag(&[path]), "{}", format.name());
    }
}

/// A block that `stat` counts need not hold data: here it holds an extended attribute.
#[test]
fn a_block_of_attributes_is_no_fragment() {
    for format in [Format::Ext2, Format::Ext4, Format::Xfs] {
        let Some(scratch) = Scratch::on(format) else { continue };
        let path = scratch.join("empty");
        fs::write(&path, b"").unwrap();
        set_extended_attribute(&path, "user.long", &[b'a'; 3000]).unwrap();
        let told = filefrag(std::slice::from_ref(&path));
        let seen = ranked(&scratch);
        assert_eq!(told, Some(vec![0]));
        assert_eq!(seen, [0], "{}", format.name());
    }
}

/// Counts of a scan that opens no more than it must, by path.
fn ranked(directory: &Path) -> Vec<u64> {
    use toolbox::fragment::{Key, Ranking, scan};
    let outcome = scan([Root::path(directory)], &Options::default(), || Ranking::new(Key::Path, 1000), &mut |_| {});
    let ranking = outcome.collectors.into_iter().reduce(Ranking::merge).unwrap();
    ranking.into_sorted().iter().map(|file| file.layout.fragments).collect()
}
