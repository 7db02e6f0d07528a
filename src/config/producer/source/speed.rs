//! How fast an archive is replayed.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `original`, `10x` (ten times as fast as the posts were written; `0.5x` is half as fast), or `max`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub enum Speed {
    /// As fast as Kafka takes it.
    #[default]
    Max,
    /// By the posts' own times, so many thousandths as fast.
    Times(u32),
}

/// Thousandths of the original speed.
const ORIGINAL: u32 = 1_000;
/// Fastest, in thousandths.
const TIMES_MAX: f64 = 1_000_000.0 * 1_000.0;

impl FromStr for Speed {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "max" => return Ok(Self::Max),
            "original" => return Ok(Self::Times(ORIGINAL)),
            _ => {}
        }
        let wrong = || format!("`{text}` is not a speed; write original, max, or a factor such as 10x");
        let factor: f64 = text.strip_suffix('x').and_then(|number| number.parse().ok()).ok_or_else(wrong)?;
        let thousandths = (factor * f64::from(ORIGINAL)).round();
        if !(1.0..=TIMES_MAX).contains(&thousandths) {
            return Err(format!("`{text}` is out of range; 0.001x to 1000000x"));
        }
        Ok(Self::Times(thousandths as u32))
    }
}

impl TryFrom<String> for Speed {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Speed> for String {
    fn from(speed: Speed) -> Self {
        speed.to_string()
    }
}

impl fmt::Display for Speed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Max => f.write_str("max"),
            Self::Times(ORIGINAL) => f.write_str("original"),
            Self::Times(thousandths) => write!(f, "{}x", f64::from(thousandths) / f64::from(ORIGINAL)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speeds_are_original_max_or_a_factor() {
        for (text, speed) in [
            ("max", Speed::Max),
            ("original", Speed::Times(1_000)),
            ("10x", Speed::Times(10_000)),
            ("0.5x", Speed::Times(500)),
        ] {
            assert_eq!(text.parse(), Ok(speed));
            assert_eq!(speed.to_string(), text);
        }
        for text in ["", "x", "10", "fast", "0x", "-1x", "NaNx", "infx", "1e12x"] {
            assert!(text.parse::<Speed>().is_err(), "{text}");
        }
    }
}
