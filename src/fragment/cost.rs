//! What a fragment costs: the time it adds to reading the file from start to end, nothing cached.
//!
//! A count of fragments says little about cost (64 pieces one block apart are read almost as fast as one; 32 blocks
//! written backwards are not), so there are two models, by the kind of device:
//!
//! - A **solid-state** device pays for each request and not for distance. Reading a 16 MiB file in 4096 pieces took
//!   45 ms longer than in one piece, with gaps of 4 KiB, 64 KiB and 1 MiB alike: 11 to 12 µs a piece.
//! - A **rotating** disk reads through a short gap forwards, and otherwise moves the arm (more, the farther; the
//!   square root is the usual fit for short and middle distances) and waits half a turn.
//!
//! A piece of 64 MiB or more costs nothing: reading it takes so long that getting there no longer shows.
//!
//! The limits: nothing here knows of caches in the device, of RAID, of what else the device is doing, or of where
//! the device really puts the block that it calls number n. The figure ranks; it does not promise.

/// What kind of device a volume is on, as far as seeking goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Media {
    /// Pays for each request: flash, and every virtual disk whose host does not say otherwise.
    #[default]
    Solid,
    /// Pays for distance.
    Rotating,
}

/// A piece this long is free.
pub const FREE_RUN_BYTES: u64 = 64 << 20;

/// One request more, on a solid-state device.
const SOLID_BREAK_NS: u64 = 12_000;

/// A gap this long is read through on a rotating disk, and thrown away.
const READ_THROUGH_BYTES: u64 = 64 << 10;
/// 150 MB/s, so 6.7 ns a byte, in picoseconds.
const ROTATING_BYTE_PS: u64 = 6_700;
/// Half a turn at 7,200 turns a minute.
const HALF_TURN_NS: u64 = 4_170_000;
/// The arm's shortest move, and what is added to that for a move across the whole disk.
const SHORTEST_SEEK_NS: u64 = 1_000_000;
const FULL_SEEK_NS: f64 = 14_000_000.0;

/// The price list of one volume.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cost {
    /// What the volume is on.
    pub media: Media,
    /// How large it is; scales the distance of a seek.
    pub volume_bytes: u64,
}

impl Cost {
    /// What it costs to go on at `to` after having read up to `from`, for a piece of `run_bytes` there.
    #[must_use]
    #[inline]
    pub fn of_break(&self, from: u64, to: u64, run_bytes: u64) -> u64 {
        match self.media {
            _ if run_bytes >= FREE_RUN_BYTES => 0,
            Media::Solid => SOLID_BREAK_NS,
            Media::Rotating => self.of_seek(from, to),
        }
    }

    fn of_seek(&self, from: u64, to: u64) -> u64 {
        if let Some(gap) = to.checked_sub(from).filter(|&gap| gap <= READ_THROUGH_BYTES) {
            return gap * ROTATING_BYTE_PS / 1000;
        }
        let share = to.abs_diff(from) as f64 / self.volume_bytes.max(1) as f64;
        SHORTEST_SEEK_NS + HALF_TURN_NS + (FULL_SEEK_NS * share.min(1.0).sqrt()) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    #[test]
    fn solid_state_pays_per_piece_whatever_the_distance() {
        let cost = Cost { media: Media::Solid, volume_bytes: 1 << 40 };
        assert_eq!(cost.of_break(0, 4096, 4096), SOLID_BREAK_NS);
        assert_eq!(cost.of_break(0, 1 << 39, 4096), SOLID_BREAK_NS);
        assert_eq!(cost.of_break(0, 4096, 64 * MIB), 0);
    }

    #[test]
    fn a_disk_pays_for_distance_and_direction() {
        let cost = Cost { media: Media::Rotating, volume_bytes: 1 << 40 };
        let through = cost.of_break(MIB, MIB + 4096, 4096);
        let back = cost.of_break(MIB, MIB - 8192, 4096);
        let far = cost.of_break(MIB, 1 << 39, 4096);
        assert!(through < 30_000 && back > 5_000_000 && far > back, "{through} {back} {far}");
        assert_eq!(cost.of_break(MIB, 1 << 39, 64 * MIB), 0);
    }
}
