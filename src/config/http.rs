//! `http`: where the page, the API and the metrics of a running job are.

use std::net::{IpAddr, Ipv4Addr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ports::Ports;

/// The section `http`: page, API and metrics.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Http {
    /// Address to listen on.
    pub bind: IpAddr,
    /// Port to listen on; a local run without one takes the first free of 4040 to 4056.
    pub port: Ports,
}

impl Default for Http {
    fn default() -> Self {
        Self { bind: IpAddr::V4(Ipv4Addr::UNSPECIFIED), port: Ports::Any }
    }
}
