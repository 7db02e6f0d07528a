//! Ports to listen on: any, one, or the first free one of a range.

use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, Error, Visitor};
use serde::ser::{Serialize, Serializer};

/// Where a process may listen: `0` (the system chooses), `50100`, or `"50100-50200"` (the first free one).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Ports {
    /// Any free port.
    #[default]
    Any,
    /// This one.
    One(u16),
    /// The first free one of these, both ends included.
    Range(u16, u16),
}

impl Ports {
    /// The ports to try, in order; 0 means that the system chooses.
    pub fn candidates(self) -> impl Iterator<Item = u16> {
        let (first, last) = match self {
            Self::Any => (0, 0),
            Self::One(port) => (port, port),
            Self::Range(first, last) => (first, last),
        };
        first..=last
    }
}

impl FromStr for Ports {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong =
            || format!("`{text}` is not a port; write 0 to 65535, or a range such as \"50100-50200\"");
        let port = |text: &str| text.trim().parse::<u16>().ok();
        match text.split_once('-') {
            None => match port(text).ok_or_else(wrong)? {
                0 => Ok(Self::Any),
                one => Ok(Self::One(one)),
            },
            Some((first, last)) => match (port(first), port(last)) {
                (Some(first), Some(last)) if 0 < first && first <= last => Ok(Self::Range(first, last)),
                _ => Err(wrong()),
            },
        }
    }
}

impl fmt::Display for Ports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("0"),
            Self::One(port) => write!(f, "{port}"),
            Self::Range(first, last) => write!(f, "{first}-{last}"),
        }
    }
}

impl Serialize for Ports {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Any => serializer.serialize_u16(0),
            Self::One(port) => serializer.serialize_u16(*port),
            Self::Range(..) => serializer.collect_str(self),
        }
    }
}

struct PortsVisitor;

impl Visitor<'_> for PortsVisitor {
    type Value = Ports;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a port or a range of ports")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Ports, E> {
        text.parse().map_err(E::custom)
    }

    fn visit_u64<E: Error>(self, port: u64) -> Result<Ports, E> {
        port.to_string().parse().map_err(E::custom)
    }
}

impl<'de> Deserialize<'de> for Ports {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PortsVisitor)
    }
}

impl JsonSchema for Ports {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Ports".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"anyOf": [
            {"type": "integer", "minimum": 0, "maximum": 65535},
            {"type": "string", "pattern": "^[0-9]+(-[0-9]+)?$"},
        ]})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_one_any_or_a_range() {
        assert_eq!("0".parse(), Ok(Ports::Any));
        assert_eq!("4040".parse(), Ok(Ports::One(4040)));
        assert_eq!("50100-50200".parse(), Ok(Ports::Range(50100, 50200)));
        for text in ["", "-", "-1", "65536", "9-8", "0-5", "1-2-3", "http"] {
            assert!(text.parse::<Ports>().is_err(), "{text}");
        }
    }

    #[test]
    fn candidates_are_tried_in_order() {
        assert_eq!(Ports::Range(3, 5).candidates().collect::<Vec<_>>(), [3, 4, 5]);
        assert_eq!(Ports::Range(65535, 65535).candidates().collect::<Vec<_>>(), [65535]);
        assert_eq!(Ports::Any.candidates().collect::<Vec<_>>(), [0]);
    }
}
