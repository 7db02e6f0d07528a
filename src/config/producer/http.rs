//! `http`: where a producer serves metrics and health. On this machine alone, unless the file says otherwise.

use std::net::{IpAddr, Ipv4Addr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::ports::Ports;

/// The section `http`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Http {
    /// Address to listen on.
    pub bind: IpAddr,
    /// Port to listen on: one, a range, or 0 for any.
    pub port: Ports,
}

impl Default for Http {
    fn default() -> Self {
        Self { bind: IpAddr::V4(Ipv4Addr::LOCALHOST), port: Ports::Any }
    }
}
