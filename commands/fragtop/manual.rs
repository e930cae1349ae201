//! What the manual page of fragtop says beyond its options.

use crate::manual::Chapters;

/// The chapters.
pub(crate) const CHAPTERS: Chapters = &[
    (
        "DEFINITIONS",
        &[
            "fragments\tRuns of extents that lie one behind the other on the volume. Two neighbours in the file belong to one run when the second begins where the first ends (dense), or when it lies exactly as far from the first on the volume as it does in the file, so that only a hole was left out. This is how filefrag counts.",
            "ideal\tThe fewest runs that the file system could have used for that much data: one for most files; more where a run would have to cross an allocation group of XFS, the metadata of a flex group of ext4 (nearly 2 GiB by default), a chunk of btrfs (1 GiB), or, on ext2 and ext3, a block of pointers after every 1024 blocks of data. Runs are meant, not extent records: a file of 100 GiB on ext4 has 800 of those however well it lies. The geometry of an ext4 volume is read from its device where that is allowed; otherwise the default of mkfs stands in. Never more than fragments.",
            "excess\tThe estimated extra time to read the file from start to end, nothing cached, over the ideal layout. On a solid-state device each run beyond the ideal costs one request (12 us, measured); on a rotating disk a gap of up to 64 KiB forwards is read through at 150 MB/s, and any other jump costs half a turn at 7200/min, 1 ms, and up to 14 ms with the square root of the distance. A run of 64 MiB or more is free. Limits: caches, RAID, load, and a device that puts block n elsewhere are unknown to it. It ranks; it does not promise. The kind of device is what the kernel says (queue/rotational), which for virtual disks is often wrong: --media.",
            "surplus\tFragments less ideal.",
            "fragmented\tOf more fragments than ideal.",
        ],
    ),
    (
        "WHERE THE COUNT DIFFERS FROM FILEFRAG",
        &[
            "Data that has no place yet (delayed allocation) begins no fragment, since nobody knows where it will lie; filefrag counts it as one. A file that has nothing else counts as one fragment, as with filefrag. --sync has it placed first.",
            "A compressed file on btrfs is counted by the space its extents take on the volume; FIEMAP, and so filefrag, gives only the length in the file, so that every extent looks separate. This takes root (TREE_SEARCH_V2); without it the count is marked as an upper bound (at most n; fragments_exact is false).",
            "A file of at most one block of the file system is not opened: it has one fragment, or none if it is empty. Its flags are then not known, and null in JSON; JSON output opens the files that it lists.",
        ],
    ),
    (
        "FLAGS",
        &[
            "unwritten\tAllocated, and reads as zeroes until written.",
            "delayed, unknown\tNot yet placed, or placed where the kernel does not tell.",
            "inline, tail\tLies inside the inode or among metadata; shares a block with other files.",
            "encoded, encrypted\tStored in another form than read: compressed, encrypted.",
            "shared\tOther files or snapshots use the same space. Rewriting such a file takes new space for a copy.",
            "unaligned\tDoes not begin or end on a block.",
            "block_mapped\tMapped block by block (ext2, ext3); the kernel joined the blocks.",
        ],
    ),
    (
        "WHAT IS LEFT OUT",
        &[
            "FIFOs, sockets and devices are never opened. Symbolic links are not followed without -L. A file of several names counts once, under the name that was met first. /proc, /sys and other file systems without extents are not entered when met on the way, nor are network and FUSE mounts, which are told by their type and not touched; named, they are answered with \"not supported here\" and the name of the file system. A file that does not answer within the time limit is counted as such, and the run goes on; after three on one volume the rest of it is passed over.",
            "-x stays on one file system as find -xdev does: a subvolume of btrfs has a device number of its own, and is another one.",
            "A file that was listed and is gone when its turn comes is counted as vanished, which is a note and no failure.",
        ],
    ),
    (
        "WHOLE FILE SYSTEMS",
        &[
            "--filesystem reads the file system's own records instead of opening its files: on ext2, ext3 and ext4 the inode tables and extent trees from the block device (which takes the right to read that, and nothing else), on XFS the BULKSTAT call, on btrfs TREE_SEARCH_V2 (both take root). Where that cannot be done it says why, and walks; so too with --by dir, --exclude, -L, --sync and --sort path, which take the names of all files.",
            "What is counted is the file system, not the mount: files hidden under another mount, or outside the directory that is mounted, count too, and are listed by their inode number. On btrfs it is the one subvolume that is mounted. A file is one inode, however many names it has. Names are looked up only for what is listed; where several files at the end of the list are equal, those of the lowest inode numbers are listed.",
            "On XFS a file whose extents are too few to reach the list is not asked how they lie, so that the number of fragmented files is that of the files that were. Any other key than fragments, and --histogram, take every file; that costs one open and one question for every file of more than one extent.",
            "Data that has no place yet is in none of these records: a file just written may show fewer fragments than it will have. On ext4 what is read is what the mounted file system has in its cache.",
        ],
    ),
    (
        "INTERACTIVE VIEW",
        &[
            "-i shows the ranking while it fills, on the whole screen. Arrows, j, k, PgUp, PgDn, Home, End, g and G move; s sorts by the next key and r reverses; / filters by a part of the path, and Esc clears the filter; Enter shows the selected file closely; e lists the failures by cause; x stops the scan and keeps what it found; R scans again, and with a filter ranks only the files that match it; ? is the help; q quits. Ctrl-Z suspends.",
            "The list holds the first 200 files (or more, with -n) by the key it is sorted by, whichever that is: each has a ranking of its own. Reversing and filtering choose among these (R with a filter has all files that match it ranked); the third line says how many there are.",
            "A file closely: one line shows along the file how many fragments begin in each part of it, another how much of its data lies in each part of the volume; below them every extent. (--extents prints the same two lines.) Along the file the lowest block, or -, is a part in which no fragment begins, and the others mean 1, 2, up to 4, 8, 16, 32 and more that do; in ASCII it is the number. On the volume the heights are shares of the fullest part. A dot is a hole, or a part of the volume without data of this file. Addresses are the file system's own: on btrfs and on volumes of several disks they are no places on one disk.",
            "Exits with 0 after q, and with 130 after Ctrl-C (or SIGINT) while the scan was on its way. SIGTERM, SIGHUP and SIGQUIT give the terminal back and then end the program as they always do. Without a terminal on standard input and standard output, or on one whose TERM is dumb, nothing is drawn and the exit code is 2.",
        ],
    ),
    (
        "MEMORY",
        &[
            "The ranking holds the files that it lists and nothing else, so that memory does not grow with the number of files. These do: a file of several names takes 30 to 60 bytes until the last of them was met; -L, --files0-from and overlapping paths take 30 to 60 bytes for every file, to count each once; --by dir takes about 150 bytes and the path of every directory; --all takes about 200 bytes and the path of every file. -i keeps 200 files for each of the six sort keys in every worker: 2.4 MiB with eight workers and paths of 100 bytes, however many files there are.",
        ],
    ),
    (
        "THREADS",
        &[
            "As many as there are processors to begin with. Where they turn out to wait for the disk: eight, or one in the order of the inodes if the disk turns and a wait takes milliseconds. -j sets a number.",
        ],
    ),
    (
        "JSON",
        &[
            "One object, schema toolbox.fragtop/1: files[] with path, fragments, fragments_exact, ideal, excess_ns, extents, size_bytes, allocated_bytes, filesystem, flags, defragment; summary; failures[] by cause; volumes[]; directories[] with --by dir; histogram[] with --histogram. partial is true when the run was interrupted. Sizes are bytes and times nanoseconds. Fields are added, never renamed. A path that is not UTF-8 comes with path_base64, its exact bytes.",
        ],
    ),
    (
        "REWRITING A FILE",
        &[
            "--advise prints, for every file listed that has more fragments than its ideal, the command that would rewrite it: e4defrag on ext4, xfs_fsr on XFS, btrfs filesystem defragment on btrfs, a copy elsewhere. It is never run. A warning is printed before the command when extents are shared.",
        ],
    ),
];
