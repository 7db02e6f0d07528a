//! What a Jetstream is asked for. Pure.

use reqwest::Url;

use super::hosts::{Host, Version};
use super::place::Asked;
use crate::config::producer::source;
use crate::produce::feed::websocket::MESSAGE_BYTES_MAX;

/// Where streams are (docs/README.md 5.1 and 5.2).
const V1_PATH: &str = "/subscribe";
const V2_PATH: &str = "/xrpc/network.bsky.jetstream.subscribeEvents";

/// The part of an address that stays the same.
#[derive(Debug)]
pub(super) struct Query {
    collections: Vec<String>,
    dids: Vec<String>,
}

impl Query {
    pub(super) fn of(config: &source::Jetstream) -> Self {
        Self { collections: config.collections.clone(), dids: config.dids.clone() }
    }

    /// The address of the stream at this host.
    pub(super) fn url(
        &self,
        host: &Host,
        asked: Asked,
        dictionary: Option<u32>,
        leave_out_long: bool,
    ) -> Url {
        let mut url = host.url.clone();
        let (path, collections, dids) = match host.version {
            Version::V1 => (V1_PATH, "wantedCollections", "wantedDids"),
            Version::V2 => (V2_PATH, "collections", "dids"),
        };
        url.set_path(path);
        let mut pairs = url.query_pairs_mut();
        if host.version == Version::V2 {
            // Else identities and accounts of everyone come as well.
            pairs.append_pair("kinds", "commit");
        }
        for collection in &self.collections {
            pairs.append_pair(collections, collection);
        }
        for did in &self.dids {
            pairs.append_pair(dids, did);
        }
        if let Asked::Seq(cursor) | Asked::Time(cursor) = asked {
            pairs.append_pair("cursor", &cursor.to_string());
        }
        if let Some(id) = dictionary {
            pairs.append_pair("zstdDictionary", &id.to_string());
        }
        if leave_out_long {
            pairs.append_pair("maxMessageSizeBytes", &MESSAGE_BYTES_MAX.to_string());
        }
        drop(pairs);
        url
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::produce::feed::http::url;

    #[test]
    fn each_version_has_its_own_names() {
        let config = source::Jetstream {
            collections: vec!["app.bsky.feed.post".to_owned(), "a.b.*".to_owned()],
            dids: vec!["did:plc:x".to_owned()],
            ..source::Jetstream::default()
        };
        let query = Query::of(&config);
        let host = |version| Host { name: "h".into(), url: url("wss://h").unwrap(), version };
        let v2 = query.url(&host(Version::V2), Asked::Seq(7), Some(9), true);
        assert_eq!(
            v2.as_str(),
            "https://h/xrpc/network.bsky.jetstream.subscribeEvents?kinds=commit&collections=app.bsky.feed.post\
             &collections=a.b.*&dids=did%3Aplc%3Ax&cursor=7&zstdDictionary=9&maxMessageSizeBytes=4194304"
        );
        let v1 = query.url(&host(Version::V1), Asked::Live, None, false);
        assert_eq!(
            v1.as_str(),
            "https://h/subscribe?wantedCollections=app.bsky.feed.post&wantedCollections=a.b.*\
             &wantedDids=did%3Aplc%3Ax"
        );
    }
}
