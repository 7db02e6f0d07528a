//! Numbers decided by a seed, for what must come out the same everywhere: the demo's posts, simulations, tests.
//! Never for secrets or seeds of hash tables; those come from the system.

/// SplitMix64: Steele, Lea, Flood, *Fast splittable pseudorandom number generators* (OOPSLA 2014); the constants are
/// those of the reference, <https://prng.di.unimi.it/splitmix64.c>.
#[derive(Debug, Clone)]
pub struct Random(u64);

/// What the state grows by with each number.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

impl Random {
    /// The stream of this seed.
    pub fn with_seed(seed: u64) -> Self {
        Self(seed)
    }

    /// Passes over so many numbers, at once.
    pub fn skip(&mut self, numbers: u64) {
        self.0 = self.0.wrapping_add(STEP.wrapping_mul(numbers));
    }

    /// The next number, any 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(STEP);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// An index below `length`; 0 if there is none. Slightly uneven, by less than `length` in 2^64.
    pub fn below(&mut self, length: usize) -> usize {
        (self.next_u64() % length.max(1) as u64) as usize
    }

    /// A number in `[low, high]`.
    pub fn between(&mut self, low: i64, high: i64) -> i64 {
        let span = (high - low + 1).unsigned_abs();
        low + (self.next_u64() % span).cast_signed()
    }

    /// A number in `[0, 1)`, a multiple of 2^-53.
    pub fn unit(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// True once in `times`, on average.
    pub fn one_in(&mut self, times: u64) -> bool {
        self.next_u64().is_multiple_of(times)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_is_that_of_the_reference() {
        let mut random = Random::with_seed(1_234_567);
        let first: Vec<_> = (0..3).map(|_| random.next_u64()).collect();
        assert_eq!(first, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }

    #[test]
    fn skipped_numbers_are_those_that_would_have_come() {
        let mut random = Random::with_seed(1_234_567);
        random.skip(2);
        assert_eq!(random.next_u64(), 9_817_491_932_198_370_423);
    }
}
