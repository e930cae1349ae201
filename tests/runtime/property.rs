//! Random input against references so plain that they cannot be wrong in the same way.

use crate::support::{Format, Random, Scratch};
use std::fs;
use std::path::{Path, PathBuf};
use toolbox::fragment::{Cost, Extent, FileReport, Flags, Fold, Key, Media, Options, Ranking, Root, measure, scan};

/// Fragments by the definition, looking at every pair anew; extents in blocks.
fn naive_count(extents: &[Extent], knows_disk_length: bool) -> u64 {
    let placed: Vec<_> = extents.iter().filter(|extent| !extent.flags.any(Flags::UNPLACED)).collect();
    if placed.is_empty() {
        return u64::from(!extents.is_empty());
    }
    let breaks = placed.windows(2).filter(|pair| {
        let (one, two) = (pair[0], pair[1]);
        let encoded = |extent: &Extent| extent.flags.any(Flags::ENCODED);
        let length = if encoded(one) { one.disk_length } else { one.length };
        let known = knows_disk_length || !encoded(one);
        let dense = known && one.physical + length == two.physical;
        let step = i128::from(two.physical) - i128::from(one.physical);
        let in_step = !encoded(one) && !encoded(two) && step == i128::from(two.logical - one.logical);
        !(dense || in_step)
    });
    1 + breaks.count() as u64
}

/// Extents as a file might have them: in order, most of them near each other, some with flags.
fn random_extents(random: &mut Random, knows_disk_length: bool) -> Vec<Extent> {
    const BLOCK: u64 = 4096;
    let (mut logical, mut physical) = (random.below(3), 100 + random.below(1000));
    let mut extents = Vec::new();
    for _ in 0..random.below(30) {
        let length = 1 + random.below(4);
        let flags = match random.below(12) {
            0 => Flags::DELAYED | Flags::UNKNOWN,
            1 => Flags::INLINE,
            2 | 3 => Flags::ENCODED,
            4 => Flags::UNWRITTEN,
            5 => Flags::SHARED,
            _ => Flags::default(),
        };
        let compressed = knows_disk_length && flags.any(Flags::ENCODED);
        let disk_length = if compressed { 1 + random.below(length) } else { length };
        let place = if flags.any(Flags::UNPLACED) { 0 } else { physical };
        let [at, on, long, short] = [logical, place, length, disk_length].map(|blocks| blocks * BLOCK);
        extents.push(Extent { logical: at, physical: on, length: long, disk_length: short, flags });
        let hole = if random.below(3) == 0 { random.below(4) } else { 0 };
        logical += length + hole;
        physical = match random.below(5) {
            0 => random.below(2000),
            1 => physical + length + hole,
            2 => physical + length + random.below(3),
            _ => physical + disk_length,
        };
    }
    extents
}

#[test]
fn the_fold_counts_what_the_definition_says() {
    let mut random = Random(0x0BAD_5EED);
    for round in 0..20_000 {
        let knows_disk_length = round % 2 == 0;
        let extents = random_extents(&mut random, knows_disk_length);
        let media = if round % 3 == 0 { Media::Rotating } else { Media::Solid };
        let mut fold = Fold::new(Cost { media, volume_bytes: 1 << 30 });
        if knows_disk_length {
            fold = fold.knowing_disk_length();
        }
        extents.iter().for_each(|extent| fold.push(extent));
        let ideal = random.below(5);
        let layout = fold.finish(ideal);
        let expected = naive_count(&extents, knows_disk_length);
        assert_eq!((layout.fragments, layout.extents), (expected, extents.len() as u64), "{extents:#?}");
        assert!(layout.ideal <= layout.fragments && layout.ideal <= ideal);
        assert_eq!(layout.mapped_bytes, extents.iter().map(|extent| extent.length).sum::<u64>());
        assert!(layout.fragments > layout.ideal.max(1) || layout.excess_ns == 0, "{layout:?}");
        let guessed = !knows_disk_length && extents.iter().any(|extent| extent.flags.any(Flags::ENCODED));
        assert!(layout.exact || guessed, "{layout:?} {extents:#?}");
    }
}

/// Taking extents apart, or adding what has no place, changes no count.
#[test]
fn the_fold_does_not_see_how_a_run_is_cut_into_records() {
    let mut random = Random(0x5EED);
    for _ in 0..5_000 {
        let extents = random_extents(&mut random, true);
        let count = |extents: &[Extent]| {
            let mut fold = Fold::new(Cost::default()).knowing_disk_length();
            extents.iter().for_each(|extent| fold.push(extent));
            fold.finish(1)
        };
        let halves = extents.iter().flat_map(|&extent| {
            let half = extent.length / 2;
            if half == 0 || extent.flags.any(Flags::ENCODED | Flags::UNPLACED) {
                return vec![extent];
            }
            let first = Extent { length: half, disk_length: half, ..extent };
            let rest = extent.length - half;
            let (logical, physical) = (extent.logical + half, extent.physical + half);
            vec![first, Extent { logical, physical, length: rest, disk_length: rest, ..extent }]
        });
        let (whole, cut) = (count(&extents), count(&halves.collect::<Vec<_>>()));
        assert_eq!((whole.fragments, whole.excess_ns), (cut.fragments, cut.excess_ns), "{extents:#?}");
    }
}

/// A tree whose files have few different counts and sizes, so that most of the order is made by the paths.
fn random_tree(directory: &Path, random: &mut Random) -> Vec<PathBuf> {
    let names = ["a", "b", "a.b", "a-b", "A", "ab", "\u{e9}", "a b", "~"];
    let mut paths = Vec::new();
    for _ in 0..300 {
        let depth = random.below(4);
        let mut path = directory.to_path_buf();
        (0..depth).for_each(|_| path.push(format!("{}d", names[random.below(9) as usize])));
        fs::create_dir_all(&path).unwrap();
        path.push(format!("{}{}", names[random.below(9) as usize], random.below(3)));
        // Islands far from each other: one extent each, in one run or in several.
        let file = fs::File::create(&path).unwrap();
        (0..random.below(4)).for_each(|island| {
            std::os::unix::fs::FileExt::write_all_at(&file, &[1; 4096], island * 40_960).unwrap();
        });
        paths.push(path);
    }
    paths.sort();
    paths.dedup();
    // The order of `PathBuf` is that of its components, and not that of the bytes.
    fs::File::open(directory).unwrap().sync_all().unwrap();
    paths
}

fn bytes(path: &Path) -> &[u8] {
    std::os::unix::ffi::OsStrExt::as_bytes(path.as_os_str())
}

#[test]
fn a_ranking_is_the_head_of_a_full_sort() {
    let Some(scratch) = Scratch::on(Format::Xfs) else { return };
    let mut random = Random(99);
    let paths = random_tree(&scratch, &mut random);
    let reports: Vec<FileReport> = paths.iter().map(|path| measure(path, true).unwrap()).collect();
    for key in [Key::Fragments, Key::Excess, Key::Surplus, Key::Size, Key::Extents, Key::Path] {
        let mut sorted: Vec<_> = reports.iter().collect();
        let score = |report: &FileReport| key.score(&report.layout, report.size_bytes);
        sorted.sort_by(|a, b| score(b).cmp(&score(a)).then_with(|| bytes(&a.path).cmp(bytes(&b.path))));
        for (capacity, threads) in [(0, 1), (1, 1), (7, 3), (100, 2), (1000, 4)] {
            let options = Options { threads: Some(threads), ..Options::default() };
            let outcome = scan([Root::path(&*scratch)], &options, || Ranking::new(key, capacity), &mut |_| {});
            let ranking = outcome.collectors.into_iter().reduce(Ranking::merge).unwrap();
            assert_eq!(ranking.totals.files, reports.len() as u64);
            assert_eq!(ranking.histogram.iter().sum::<u64>(), reports.len() as u64);
            assert_eq!(ranking.totals.fragments, reports.iter().map(|report| report.layout.fragments).sum::<u64>());
            let ranked: Vec<_> = ranking.into_sorted().into_iter().map(|file| file.path).collect();
            let expected: Vec<_> = sorted.iter().take(capacity).map(|report| report.path.clone()).collect();
            assert_eq!(ranked, expected, "{key:?} {capacity}");
        }
    }
}

#[test]
fn directories_sum_what_is_in_them() {
    let Some(scratch) = Scratch::on(Format::Xfs) else { return };
    let paths = random_tree(&scratch, &mut Random(5));
    for threads in [1, 4] {
        let options = Options { threads: Some(threads), ..Options::default() };
        let ranking = || Ranking::new(Key::Size, 3).by_directory(true).min_fragments(1);
        let outcome = scan([Root::path(&*scratch)], &options, ranking, &mut |_| {});
        let mut ranking = outcome.collectors.into_iter().reduce(Ranking::merge).unwrap();
        let directories = ranking.take_directories();
        for (directory, totals) in &directories {
            let inside = paths.iter().filter(|path| path.parent() == Some(directory));
            let sizes: u64 = inside.clone().map(|path| fs::metadata(path).unwrap().len()).sum();
            assert_eq!((totals.files, totals.size_bytes), (inside.count() as u64, sizes), "{}", directory.display());
        }
        assert_eq!(directories.iter().map(|(_, totals)| totals.files).sum::<u64>(), paths.len() as u64);
        assert!(directories.windows(2).all(|pair| pair[0].1.size_bytes >= pair[1].1.size_bytes));
        assert!(ranking.into_sorted().iter().all(|file| file.layout.fragments >= 1));
    }
}
