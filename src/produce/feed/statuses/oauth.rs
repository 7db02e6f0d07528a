//! Signatures by OAuth 1.0a (RFC 5849): over the address, the query and the form.
//!
//! Forty lines of our own: the crate that signs (`oauth1-request`) brings a second generation of eight crates along.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha1::Sha1;

use crate::config::producer::source;

/// Names and values, not encoded.
pub(super) type Parameters = Vec<(String, String)>;

/// What is signed with. Not shown anywhere.
pub(super) struct Keys {
    consumer_key: String,
    consumer_secret: String,
    token: String,
    secret: String,
}

impl Keys {
    pub(super) fn of(config: &source::StatusesFilter) -> Self {
        Self {
            consumer_key: config.consumer_key.clone(),
            consumer_secret: config.consumer_secret.clone(),
            token: config.token.clone(),
            secret: config.secret.clone(),
        }
    }

    /// The header `Authorization` of a request to `url`, which has no query, with all `parameters`. `second` is the time
    /// since the epoch.
    pub(super) fn header(
        &self,
        method: &str,
        url: &str,
        parameters: Parameters,
        nonce: &str,
        second: u64,
    ) -> String {
        let second = second.to_string();
        let own = [
            ("oauth_consumer_key", self.consumer_key.as_str()),
            ("oauth_nonce", nonce),
            ("oauth_signature_method", "HMAC-SHA1"),
            ("oauth_timestamp", &second),
            ("oauth_token", &self.token),
            ("oauth_version", "1.0"),
        ];
        let own = own.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let signed: Parameters = own.iter().cloned().chain(parameters).collect();
        let signature = self.signature(method, url, &signed);
        let fields = own.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value)));
        let fields = fields.chain([format!("oauth_signature=\"{}\"", escaped(&signature))]);
        format!("OAuth {}", fields.collect::<Vec<_>>().join(","))
    }

    /// RFC 5849, 3.4.1 (the text that is signed) and 3.4.2 (HMAC-SHA1).
    fn signature(&self, method: &str, url: &str, signed: &Parameters) -> String {
        let text = format!("{method}&{}&{}", escaped(url), escaped(&encoded(signed)));
        let key = format!("{}&{}", escaped(&self.consumer_secret), escaped(&self.secret));
        let mut mac = Hmac::<Sha1>::new_from_slice(key.as_bytes()).expect("HMAC takes keys of any length");
        mac.update(text.as_bytes());
        STANDARD.encode(mac.finalize().into_bytes())
    }
}

/// Parameters in the order and the encoding in which they are signed, for a query or a form (RFC 5849, 3.4.1.3.2).
pub(super) fn encoded(parameters: &Parameters) -> String {
    let mut pairs: Vec<_> = parameters.iter().map(|(name, value)| (escaped(name), escaped(value))).collect();
    pairs.sort();
    pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
}

/// RFC 5849, 3.6: all but letters, digits and `-._~`, byte by byte.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => escaped.push(byte.into()),
            // Writing to a string does not fail.
            _ => drop(write!(escaped, "%{byte:02X}")),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys([consumer_key, consumer_secret, token, secret]: [&str; 4]) -> Keys {
        Keys {
            consumer_key: consumer_key.to_owned(),
            consumer_secret: consumer_secret.to_owned(),
            token: token.to_owned(),
            secret: secret.to_owned(),
        }
    }

    fn parameters(pairs: &[(&str, &str)]) -> Parameters {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn twitters_own_example_is_signed_as_twitter_signs_it() {
        // developer.twitter.com, "Creating a signature": every value here is from that page.
        let keys = keys([
            "xvz1evFS4wEEPTGEFPHBog",
            "kAcSOqF21Fu85e7zjz7ZN2U4ZRhfV3WpwPAoE3Z7kBw",
            "370773112-GmHxMAgYyLbNEtIKZeRNFsMKPR9EyMZeS9weJAEb",
            "LswwdoUaIvS8ltyTt5jkRh4J50vUPVVHtR2YPi5kE",
        ]);
        let header = keys.header(
            "POST",
            "https://api.twitter.com/1.1/statuses/update.json",
            parameters(&[
                ("status", "Hello Ladies + Gentlemen, a signed OAuth request!"),
                ("include_entities", "true"),
            ]),
            "kYjzVBB8Y0ZFabxSWbWovY3uYSQ2pTgmZeNu2VS4cg",
            1_318_622_958,
        );
        assert!(header.contains("oauth_signature=\"hCtSmYh%2BiHYCEqBWrE7C7hYmtUk%3D\""), "{header}");
        assert!(header.starts_with("OAuth oauth_consumer_key=\"xvz1evFS4wEEPTGEFPHBog\","), "{header}");
    }

    #[test]
    fn parameters_are_encoded_as_they_are_signed() {
        let pairs = parameters(&[("track", "5G,a b&c,\u{fc}*~"), ("language", "en")]);
        assert_eq!(encoded(&pairs), "language=en&track=5G%2Ca%20b%26c%2C%C3%BC%2A~");
    }
}
