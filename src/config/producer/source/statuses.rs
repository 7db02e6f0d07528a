//! `source.statuses_filter`: the protocol that the replaced producer spoke.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::check_url;
use crate::config::error::Problem;
use crate::config::forms::{SecretMap, list, opaque_debug};
use crate::config::keypath::KeyPath;

/// The section `source.statuses_filter`.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct StatusesFilter {
    /// The endpoint, as in `https://gateway.example.org/1.1/statuses/filter.json`.
    pub url: String,
    /// What the server filters by; empty: all terms of the keywords.
    #[serde(deserialize_with = "list")]
    pub track: Vec<String>,
    /// Further parameters of the endpoint, such as `language`.
    pub parameters: SecretMap,
    /// Consumer key (OAuth 1.0a).
    pub consumer_key: String,
    /// Consumer secret.
    pub consumer_secret: String,
    /// Access token.
    pub token: String,
    /// Secret of the access token.
    pub secret: String,
}

opaque_debug!(StatusesFilter);

impl StatusesFilter {
    pub(super) const SECRETS: [&str; 4] = ["consumer_key", "consumer_secret", "token", "secret"];

    pub(super) fn check(&self, at: &KeyPath) -> Result<(), Problem> {
        check_url(&self.url, &["https", "http"], &at.key("url"))?;
        let values = [&self.consumer_key, &self.consumer_secret, &self.token, &self.secret];
        for (key, value) in Self::SECRETS.iter().zip(values) {
            if value.is_empty() {
                let message = "missing; write \"${file:PATH}\" or \"${env:NAME}\"";
                return Err(Problem::value(at.key(key), message));
            }
        }
        for owned in ["track", "delimited", "stall_warnings"] {
            if self.parameters.contains_key(owned) {
                let message = "Spindle sets this parameter itself; for track there is a key of its own";
                return Err(Problem::key(at.key("parameters").key(owned), message));
            }
        }
        Ok(())
    }
}
