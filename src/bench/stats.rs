//! What a handful of samples allows to be said: a median, a spread, and an interval that a ratio lies in.
//!
//! Times on a shared machine have long tails and no known distribution, so nothing here assumes one. The interval for a
//! median comes from order statistics: of `n` samples each lies below the true median with probability one half, so the
//! number that does is binomial, and the `k`-th smallest and `k`-th largest enclose the median with a probability that
//! is known exactly. The price is that few samples allow no interval at all: 99 % takes at least eight.
//!
//! Two things measured in the same rounds are compared round by round ([`paired_ratio`]): whatever slowed the machine
//! in one round slowed both. Two runs of different days have no rounds in common; there every sample of the one is divided
//! by every sample of the other, and the interval is cut from all these ratios as the test of Mann and Whitney has it
//! ([`independent_ratio`]; Hodges and Lehmann, 1963). That one assumes that both days scatter alike, but for the ratio.
//!
//! It refuses to give an interval where the samples do not carry one, and to call a difference what may be none.

/// How often an interval may miss what it is to enclose: one time in a hundred.
const ERROR: f64 = 0.01;
/// 99 % of a normal distribution lie within so many standard deviations of its middle.
const NORMAL_99: f64 = 2.576;

/// A range that encloses the true value with a confidence of 99 %.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

/// A ratio of two times, and how sure it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ratio {
    /// The best guess.
    pub value: f64,
    /// Where the true ratio lies; none where there are too few samples to say.
    pub interval: Option<Interval>,
}

/// The middle of a series of samples and how far they scatter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Summary {
    /// The median.
    pub median: f64,
    /// A quarter of the samples are smaller.
    pub lower_quartile: f64,
    /// A quarter of the samples are larger.
    pub upper_quartile: f64,
    /// Where the true median lies; none where there are fewer than eight samples.
    pub interval: Option<Interval>,
}

impl Interval {
    /// Whether `value` lies inside.
    #[must_use]
    pub fn contains(&self, value: f64) -> bool {
        (self.low..=self.high).contains(&value)
    }
}

impl Ratio {
    /// Whether the samples show that the two differ. Without an interval they show nothing.
    #[must_use]
    pub fn is_difference(&self) -> bool {
        self.interval.is_some_and(|interval| !interval.contains(1.0))
    }
}

impl Summary {
    /// Sums up `samples`; none when there are none. Takes O(n log n).
    #[must_use]
    pub fn of(samples: &[f64]) -> Option<Self> {
        let sorted = sorted(samples);
        let last = sorted.len().checked_sub(1)?;
        Some(Self {
            median: middle(&sorted),
            lower_quartile: sorted[last / 4],
            upper_quartile: sorted[last - last / 4],
            interval: median_interval(&sorted, ERROR),
        })
    }

    /// The distance between the quartiles as a share of the median.
    #[must_use]
    pub fn spread(&self) -> f64 {
        (self.upper_quartile - self.lower_quartile) / self.median
    }
}

/// The median; none when there are no samples.
#[must_use]
pub fn median(samples: &[f64]) -> Option<f64> {
    (!samples.is_empty()).then(|| middle(&sorted(samples)))
}

/// How many times larger the first of each pair is than the second. The pairs are from the same round each.
#[must_use]
pub fn paired_ratio(pairs: impl IntoIterator<Item = (f64, f64)>) -> Option<Ratio> {
    let ratios: Vec<f64> = pairs.into_iter().map(|(first, second)| first / second).collect();
    let summary = Summary::of(&ratios)?;
    Some(Ratio { value: summary.median, interval: summary.interval })
}

/// How many times larger the samples of `first` are than those of `second`, which were not taken together. Takes
/// O(nm log nm).
#[must_use]
pub fn independent_ratio(first: &[f64], second: &[f64]) -> Option<Ratio> {
    let ratios = first.iter().flat_map(|above| second.iter().map(move |below| above / below));
    let ratios = sorted(&ratios.collect::<Vec<_>>());
    if ratios.is_empty() {
        return None;
    }
    let (n, m) = (first.len() as f64, second.len() as f64);
    // Of so many ratios below the true one, half are expected. Rounded down, the normal distribution gives the table of
    // Mann and Whitney from five samples each on.
    let left_out = (n * m / 2.0 - NORMAL_99 * (n * m * (n + m + 1.0) / 12.0).sqrt()).floor();
    let interval = (left_out >= 0.0).then(|| {
        let left_out = left_out as usize;
        Interval { low: ratios[left_out], high: ratios[ratios.len() - 1 - left_out] }
    });
    Some(Ratio { value: middle(&ratios), interval })
}

/// The fewest samples that carry an interval for [`paired_ratio`].
#[must_use]
pub fn least_samples() -> usize {
    (1..).find(|&count| rank(count, ERROR).is_some()).expect("the error halves with each sample")
}

fn sorted(samples: &[f64]) -> Vec<f64> {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted
}

fn middle(sorted: &[f64]) -> f64 {
    let half = sorted.len() / 2;
    if sorted.len().is_multiple_of(2) { (sorted[half - 1] + sorted[half]) / 2.0 } else { sorted[half] }
}

fn median_interval(sorted: &[f64], error: f64) -> Option<Interval> {
    let rank = rank(sorted.len(), error)?;
    Some(Interval { low: sorted[rank], high: sorted[sorted.len() - 1 - rank] })
}

/// How many samples may be left out at each end so that the rest still enclose the median; none where even all of them
/// may not. The error of leaving out `k` is twice the probability that at most `k` of `count` fair coins show heads.
///
/// All of it in logarithms: of 1,075 coins none shows heads with a probability that no double can hold. Takes O(n).
fn rank(count: usize, error: f64) -> Option<usize> {
    let limit = (error / 2.0).ln();
    let mut heads_ln = -(count as f64) * std::f64::consts::LN_2; // That so many coins show heads,
    let mut tail_ln = f64::NEG_INFINITY; // and that so many or fewer do.
    let mut left_out = None;
    for heads in 0..count.div_ceil(2) {
        tail_ln = heads_ln + (tail_ln - heads_ln).exp().ln_1p();
        if tail_ln > limit {
            break;
        }
        left_out = Some(heads);
        heads_ln += ((count - heads) as f64 / (heads + 1) as f64).ln();
    }
    left_out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::random::Random;

    /// Times as a busy machine gives them: a floor, noise, and now and then something much larger.
    fn noisy(random: &mut Random, floor: f64) -> f64 {
        let noise = 1.0 + 0.1 * random.share();
        let outlier = if random.share() < 0.1 { 1.0 + 4.0 * random.share() } else { 1.0 };
        floor * noise * outlier
    }

    fn pairs(random: &mut Random, rounds: usize, ratio: f64) -> Vec<(f64, f64)> {
        (0..rounds).map(|_| (noisy(random, 100.0 * ratio), noisy(random, 100.0))).collect()
    }

    #[test]
    fn the_ranks_are_those_of_the_binomial_distribution() {
        // 2 / 2^7 is more than a hundredth and 2 / 2^8 is less.
        assert_eq!((rank(7, 0.01), rank(8, 0.01), rank(11, 0.01)), (None, Some(0), Some(0)));
        // 2 (1 + 12) / 2^12 = 0.0063; 2 (1 + 15 + 105) / 2^15 = 0.0074.
        assert_eq!((rank(12, 0.01), rank(15, 0.01)), (Some(1), Some(2)));
        assert_eq!((rank(0, 0.01), least_samples()), (None, 8));
    }

    /// The ranks are those of exact arithmetic, `sum(comb(n, k)) / 2**n` in whole numbers.
    #[test]
    fn any_number_of_samples_has_an_interval() {
        let counts = [31, 1000, 1074, 1075, 1100, 1500, 2000, 20_000];
        let ranks = counts.map(|count| rank(count, 0.01));
        assert_eq!(ranks, [7, 458, 494, 494, 506, 699, 941, 9817].map(Some));
        let mut random = Random::new(4);
        let ratio = paired_ratio(pairs(&mut random, 5000, 1.5)).unwrap();
        let interval = ratio.interval.unwrap();
        assert!(interval.contains(ratio.value) && interval.high / interval.low < 1.02, "{ratio:?}");
    }

    #[test]
    fn a_summary_names_the_middle() {
        let summary = Summary::of(&[5.0, 1.0, 3.0, 2.0, 4.0]).unwrap();
        assert_eq!((summary.median, summary.lower_quartile, summary.upper_quartile), (3.0, 2.0, 4.0));
        assert_eq!((summary.interval, Summary::of(&[])), (None, None));
        assert_eq!(median(&[1.0, 2.0]), Some(1.5));
    }

    #[test]
    fn identical_subjects_show_no_difference() {
        let mut random = Random::new(1);
        for rounds in [8, 9, 15, 31] {
            let found = (0..1000).filter(|_| paired_ratio(pairs(&mut random, rounds, 1.0)).unwrap().is_difference());
            let differences = found.count();
            // At most 1 % on average; 25 of 1000 would be five standard deviations more.
            assert!(differences <= 25, "{differences} of 1000 with {rounds} rounds");
        }
    }

    #[test]
    fn identical_runs_of_two_days_show_no_difference() {
        let mut random = Random::new(2);
        let mut day = || (0..15).map(|_| noisy(&mut random, 100.0)).collect::<Vec<_>>();
        let differences = (0..1000).filter(|_| independent_ratio(&day(), &day()).unwrap().is_difference()).count();
        assert!(differences <= 25, "{differences} of 1000");
    }

    #[test]
    fn a_known_ratio_is_recovered() {
        let mut random = Random::new(3);
        let mut missed = 0;
        for _ in 0..200 {
            let ratio = paired_ratio(pairs(&mut random, 15, 1.5)).unwrap();
            assert!((1.3..1.75).contains(&ratio.value), "{ratio:?}");
            missed += usize::from(!ratio.interval.unwrap().contains(1.5));
        }
        assert!(missed <= 8, "{missed} of 200 intervals miss the ratio");
        let series = |random: &mut Random, floor| (0..15).map(|_| noisy(random, floor)).collect::<Vec<_>>();
        let ratio = independent_ratio(&series(&mut random, 150.0), &series(&mut random, 100.0)).unwrap();
        assert!(ratio.is_difference() && ratio.interval.unwrap().contains(1.5), "{ratio:?}");
    }

    #[test]
    fn too_few_samples_show_nothing() {
        let ratio = paired_ratio((0..7).map(|_| (2.0, 1.0))).unwrap();
        assert_eq!((ratio.value, ratio.interval, ratio.is_difference()), (2.0, None, false));
        assert!(paired_ratio([]).is_none() && independent_ratio(&[], &[1.0]).is_none());
    }
}
