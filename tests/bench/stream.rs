//! The records: which keys, how often, which values. The same sequence every time.

use spindle::random::Random;

use crate::arguments::{Distribution, Stream};

/// Bytes of a value.
pub(crate) const VALUE_BYTES: usize = 100;
/// Text from which values are cut.
const TEXT_BYTES: usize = 1 << 16;

/// Gives out records.
pub(crate) struct Records {
    random: Random,
    keys: u32,
    /// For Zipf: the probability of this key or one before it.
    cumulative: Vec<f64>,
    text: Vec<u8>,
    key: String,
}

impl Records {
    pub(crate) fn new(stream: &Stream) -> Self {
        let mut random = Random::with_seed(0x5eed);
        let letter = |_| b'0' + random.below(75) as u8;
        let text = (0..TEXT_BYTES).map(letter).collect();
        Self { random, keys: stream.keys, cumulative: cumulative(stream), text, key: String::new() }
    }

    /// The next record's key and value.
    pub(crate) fn next(&mut self) -> (&str, &[u8]) {
        use std::fmt::Write as _;
        let number = if self.cumulative.is_empty() {
            self.random.next_u64() % u64::from(self.keys)
        } else {
            let at = self.random.unit();
            self.cumulative.partition_point(|share| *share < at) as u64
        };
        let from = self.random.below(TEXT_BYTES - VALUE_BYTES);
        self.key.clear();
        // Writing to a string does not fail.
        let _ = write!(self.key, "user-{number:07}");
        (&self.key, &self.text[from..from + VALUE_BYTES])
    }
}

fn cumulative(stream: &Stream) -> Vec<f64> {
    if stream.distribution == Distribution::Uniform {
        return Vec::new();
    }
    let mut sum = 0.0;
    let shares = (1..=stream.keys).map(|n| {
        sum += 1.0 / f64::from(n);
        sum
    });
    let mut shares: Vec<f64> = shares.collect();
    shares.iter_mut().for_each(|share| *share /= sum);
    shares
}
