//! How long each operation took: a histogram of nanoseconds with a bounded relative error.
//!
//! Values below 64 have a bucket each; above, every power of two is divided into 32 equal buckets, so that a bucket is
//! at most a 32nd (3.1 %) of its value wide. The whole range of 64 bits takes 1920 buckets, 15 KiB: each worker has a
//! histogram of its own, recording is an index and an addition, and they are added up when the workers are done.
//! The largest value is kept exactly. A quantile is the upper end of its bucket: never less than the truth.
//!
//! The idea is Gil Tene's HdrHistogram.

/// Buckets to a power of two, as a power of two.
const PRECISION: u32 = 5;
const BUCKETS: usize = ((64 - PRECISION as usize) + 1) << PRECISION;

/// Counts of values by size.
#[derive(Clone, Debug)]
pub struct Histogram {
    counts: Vec<u64>,
    count: u64,
    largest: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: vec![0; BUCKETS], count: 0, largest: 0 }
    }
}

impl Histogram {
    /// Counts `value`. Never allocates.
    #[inline]
    pub fn record(&mut self, value: u64) {
        self.counts[bucket(value)] += 1;
        self.count += 1;
        self.largest = self.largest.max(value);
    }

    /// Adds what `other` has counted.
    pub fn merge(&mut self, other: &Self) {
        self.counts.iter_mut().zip(&other.counts).for_each(|(mine, its)| *mine += its);
        self.count += other.count;
        self.largest = self.largest.max(other.largest);
    }

    /// How many values were counted.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The largest value, exactly; 0 when there is none.
    #[must_use]
    pub fn largest(&self) -> u64 {
        self.largest
    }

    /// The value that `share` (0 to 1) of all values do not exceed, at most 3.2 % too large. None when so few values
    /// were counted that the answer would be that of a single one: p99.99 takes 10,000.
    #[must_use]
    pub fn quantile(&self, share: f64) -> Option<u64> {
        let beyond = (1.0 - share) * self.count as f64;
        // Of 10,000 values one lies beyond p99.99; the product is not exact.
        if self.count == 0 || beyond < 1.0 - 1e-9 {
            return None;
        }
        let wanted = (self.count as f64 - beyond).ceil().max(1.0) as u64;
        let mut sum = 0;
        let reached = self.counts.iter().position(|count| {
            sum += count;
            sum >= wanted
        });
        reached.map(|bucket| highest(bucket).min(self.largest))
    }
}

#[inline]
fn bucket(value: u64) -> usize {
    let shift = (63 - PRECISION).saturating_sub((value | 1).leading_zeros());
    ((shift as usize) << PRECISION) + (value >> shift) as usize
}

/// The largest value that falls into `bucket`.
fn highest(bucket: usize) -> u64 {
    let shift = (bucket >> PRECISION).saturating_sub(1) as u32;
    let low = (bucket - ((shift as usize) << PRECISION)) as u64;
    // In this order, since the end of the last bucket is the largest number there is.
    (low << shift) + ((1_u64 << shift) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::random::Random;

    #[test]
    fn buckets_follow_each_other_without_gaps() {
        for index in 0..BUCKETS - 1 {
            let end = highest(index);
            assert_eq!((bucket(end), bucket(end + 1)), (index, index + 1));
        }
        assert_eq!((bucket(u64::MAX), highest(BUCKETS - 1)), (BUCKETS - 1, u64::MAX));
    }

    #[test]
    fn quantiles_are_within_their_error() {
        let mut random = Random::new(5);
        let mut values: Vec<u64> = (0..100_000).map(|_| (1e2 / (1.0 - random.share())) as u64).collect();
        let mut histogram = Histogram::default();
        values.iter().for_each(|&value| histogram.record(value));
        values.sort_unstable();
        for share in [0.0, 0.5, 0.9, 0.99, 0.999, 0.9999] {
            let truth = values[((share * 100_000.0_f64).ceil() as usize).saturating_sub(1)] as f64;
            let told = histogram.quantile(share).unwrap() as f64;
            assert!(told >= truth && told <= truth * 1.032 + 1.0, "{share}: {told} for {truth}");
        }
        assert_eq!((histogram.count(), histogram.largest()), (100_000, values[99_999]));
    }

    #[test]
    fn a_quantile_takes_enough_values() {
        let mut histogram = Histogram::default();
        assert_eq!(histogram.quantile(0.5), None);
        (0..9_999).for_each(|_| histogram.record(7));
        assert_eq!((histogram.quantile(0.999), histogram.quantile(0.9999)), (Some(7), None));
        histogram.record(u64::MAX);
        assert_eq!(histogram.quantile(0.9999), Some(7));
    }

    #[test]
    fn merged_is_as_counted_by_one() {
        let (mut all, mut one, mut two) = (Histogram::default(), Histogram::default(), Histogram::default());
        for value in 0..10_000_u64 {
            all.record(value * value);
            if value % 3 == 0 { one.record(value * value) } else { two.record(value * value) }
        }
        one.merge(&two);
        assert_eq!((one.count(), one.largest(), &one.counts), (all.count(), all.largest(), &all.counts));
    }
}
