//! Durations and sizes as people write them in a job file: `300s`, `256M`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, Error, Visitor};
use serde::ser::{Serialize, Serializer};

/// A length of time in whole milliseconds, written `500ms`, `300s`, `30m`, `1h` or `30d`; at most 36500d.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timespan {
    ms: u64,
}

const DURATION_UNITS: [(&str, u64); 6] =
    [("ms", 1), ("s", 1_000), ("m", 60_000), ("min", 60_000), ("h", 3_600_000), ("d", 86_400_000)];
const TIMESPAN_MS_MAX: u64 = 36_500 * 86_400_000;

impl Timespan {
    /// `ms` milliseconds.
    pub const fn from_ms(ms: u64) -> Self {
        Self { ms }
    }

    /// `seconds` seconds.
    pub const fn from_secs(seconds: u64) -> Self {
        Self { ms: seconds * 1_000 }
    }

    /// In milliseconds; below 2^42, so it fits every integer type that counts time here.
    pub const fn ms(self) -> u64 {
        self.ms
    }

    /// As the standard library has it.
    pub const fn get(self) -> Duration {
        Duration::from_millis(self.ms)
    }
}

impl FromStr for Timespan {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (digits, unit) = split_unit(text);
        if unit.is_empty() && !digits.is_empty() {
            return Err(bare_number(digits));
        }
        let factor = DURATION_UNITS.iter().find(|(name, _)| *name == unit).map(|(_, factor)| *factor);
        let number = digits.parse::<u64>().ok();
        let (Some(factor), Some(number)) = (factor, number) else {
            return Err(format!(
                "`{text}` is not a duration; write a whole number and ms, s, m, h or d, as in 300s"
            ));
        };
        match number.checked_mul(factor) {
            Some(ms) if ms <= TIMESPAN_MS_MAX => Ok(Self { ms }),
            _ => Err(format!("`{text}` is too long; at most 36500d")),
        }
    }
}

impl fmt::Display for Timespan {
    /// The largest unit that divides it; minutes only from ten on, so that 300s stays 300s.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.ms {
            0 => f.write_str("0s"),
            ms if ms % 86_400_000 == 0 => write!(f, "{}d", ms / 86_400_000),
            ms if ms % 3_600_000 == 0 => write!(f, "{}h", ms / 3_600_000),
            ms if ms % 60_000 == 0 && ms >= 600_000 => write!(f, "{}m", ms / 60_000),
            ms if ms % 1_000 == 0 => write!(f, "{}s", ms / 1_000),
            ms => write!(f, "{ms}ms"),
        }
    }
}

/// An amount of memory in bytes, written `512K`, `256M` or `1G` (binary units); a bare number means MiB,
/// as in spark-submit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Size {
    bytes: u64,
}

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
const TIB: u64 = 1 << 40;
const SIZE_UNITS: [(&str, u64); 10] = [
    ("", MIB),
    ("B", 1),
    ("K", KIB),
    ("KB", KIB),
    ("M", MIB),
    ("MB", MIB),
    ("G", GIB),
    ("GB", GIB),
    ("T", TIB),
    ("TB", TIB),
];

impl Size {
    /// `mib` MiB.
    pub const fn from_mib(mib: u64) -> Self {
        Self { bytes: mib * MIB }
    }

    /// In bytes.
    pub const fn bytes(self) -> u64 {
        self.bytes
    }

    /// In MiB, the unit YARN grants, rounded up.
    pub const fn mib(self) -> u64 {
        self.bytes.div_ceil(MIB)
    }
}

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (digits, unit) = split_unit(text);
        let factor = SIZE_UNITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit));
        let (Some((_, factor)), Ok(number)) = (factor, digits.parse::<u64>()) else {
            return Err(format!("`{text}` is not a size; write a whole number and K, M or G, as in 256M"));
        };
        match number.checked_mul(*factor) {
            Some(bytes) if bytes <= 64 * TIB => Ok(Self { bytes }),
            _ => Err(format!("`{text}` is too much; at most 64T")),
        }
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.bytes {
            bytes if bytes % GIB == 0 && bytes > 0 => write!(f, "{}G", bytes / GIB),
            bytes if bytes % MIB == 0 => write!(f, "{}M", bytes / MIB),
            bytes if bytes % KIB == 0 => write!(f, "{}K", bytes / KIB),
            bytes => write!(f, "{bytes}B"),
        }
    }
}

fn split_unit(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    (&text[..end], &text[end..])
}

fn bare_number(digits: &str) -> String {
    format!(
        "{digits} has no unit, so seconds and milliseconds cannot be told apart; write {digits}s or {digits}ms"
    )
}

struct TimespanVisitor;

impl Visitor<'_> for TimespanVisitor {
    type Value = Timespan;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a duration such as 300s")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Timespan, E> {
        text.parse().map_err(E::custom)
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Timespan, E> {
        Err(E::custom(bare_number(&number.to_string())))
    }
}

struct SizeVisitor;

impl Visitor<'_> for SizeVisitor {
    type Value = Size;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a size such as 256M")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Size, E> {
        text.parse().map_err(E::custom)
    }

    fn visit_u64<E: Error>(self, mib: u64) -> Result<Size, E> {
        mib.to_string().parse().map_err(E::custom)
    }
}

/// Text in files and messages, a pattern in the schema.
macro_rules! as_text {
    ($type:ident, $visitor:ident, $schema:expr) => {
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_any($visitor)
            }
        }

        impl JsonSchema for $type {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($type).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                $schema
            }
        }
    };
}

as_text!(Timespan, TimespanVisitor, json_schema!({"type": "string", "pattern": "^[0-9]+(ms|s|m|min|h|d)$"}));
as_text!(
    Size,
    SizeVisitor,
    json_schema!({"type": ["string", "integer"], "pattern": "^[0-9]+([KkMmGgTt]?[Bb]?)$"})
);

#[cfg(test)]
mod tests;
