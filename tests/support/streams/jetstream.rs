//! What a Jetstream keeps, how it finds a cursor in it, and what it refuses.
//!
//! github.com/bluesky-social/jetstream: docs/README.md 5.1 and 5.2, and the lexicons of subscribeEvents and
//! getZstdDictionary. What is refused, and by which name, stands there.

use super::Request;
use super::speaks::{Talk, Verdict};

/// The current dictionary (tests/data/producer).
pub(crate) const DICTIONARY: &[u8] = include_bytes!("../../data/producer/jetstream.zdict");
/// From here on a cursor is a time.
const TIMES_FROM: u64 = 1_000_000_000_000_000;
/// When the first sample was seen: 2026-11-29T10:00:00Z.
const BEGIN_US: u64 = 1_795_946_400_000_000;

/// An event: the same one on each host, under a number of that host.
#[derive(Debug, Clone)]
pub(crate) struct Sample {
    /// Which one it is.
    pub(crate) n: u64,
    pub(crate) time_us: u64,
    pub(crate) operation: &'static str,
    pub(crate) text: String,
}

impl Sample {
    /// The post number `n`, seen so many seconds after the first one.
    pub(crate) fn post(n: u64, second: u64) -> Self {
        let text = format!("post {n} about IoT");
        Self { n, time_us: BEGIN_US + second * 1_000_000, operation: "create", text }
    }

    fn v1(&self) -> String {
        let Self { n, time_us, operation, text } = self;
        let record = serde_json::json!({"$type": "app.bsky.feed.post", "text": text});
        let commit = serde_json::json!({
            "rev": format!("rev{n}"), "operation": operation, "collection": "app.bsky.feed.post",
            "rkey": format!("key{n}"), "record": record,
        });
        serde_json::json!({"did": "did:plc:sample", "time_us": time_us, "kind": "commit", "commit": commit})
            .to_string()
    }

    fn v2(&self, seq: u64) -> String {
        let Self { n, time_us, operation, text } = self;
        let time = jiff::Timestamp::from_microsecond(i64::try_from(*time_us).unwrap()).unwrap();
        let record = serde_json::json!({"$type": "app.bsky.feed.post", "text": text});
        let payload = serde_json::json!({
            "$type": "network.bsky.jetstream.subscribeEvents#commit", "seq": seq, "did": "did:plc:sample",
            "time": format!("{time:.6}"), "rev": format!("rev{n}"), "operation": operation,
            "collection": "app.bsky.feed.post", "rkey": format!("key{n}"), "record": record,
        });
        serde_json::json!({"$type": "message", "payload": payload}).to_string()
    }
}

/// What a host keeps.
#[derive(Debug, Clone)]
pub(crate) struct Archive {
    pub(crate) samples: Vec<Sample>,
    /// The number of the first sample on this host.
    pub(crate) first_seq: u64,
    /// The first sample that is still kept.
    pub(crate) floor: usize,
    /// The first sample that is yet to come: all those that were sent on any connection have been.
    pub(crate) live: usize,
    /// The id of its dictionary.
    pub(crate) dictionary: u32,
}

impl Archive {
    /// So many posts, one a second.
    pub(crate) fn of(posts: u64, first_seq: u64) -> Self {
        let samples = (0..posts).map(|n| Sample::post(n, n)).collect();
        Self { samples, first_seq, floor: 0, live: 0, dictionary: 20_261_129 }
    }

    /// The frame of sample `at`.
    pub(super) fn frame(&self, at: usize, is_v2: bool) -> String {
        let sample = &self.samples[at];
        if is_v2 { sample.v2(self.first_seq + at as u64) } else { sample.v1() }
    }

    /// The dictionary under its own id.
    pub(super) fn dictionary(&self) -> Vec<u8> {
        [&DICTIONARY[..4], &self.dictionary.to_le_bytes(), &DICTIONARY[8..]].concat()
    }

    pub(super) fn check(&self, request: &Request, is_v2: bool) -> Verdict {
        if is_v2 { self.check_v2(request) } else { self.check_v1(request) }
    }

    fn check_v1(&self, request: &Request) -> Verdict {
        let plain = |message: &str| Verdict::Answer(400, Vec::new(), message.as_bytes().to_vec());
        if request.path() != "/subscribe" {
            return Verdict::Answer(404, Vec::new(), b"404 page not found".to_vec());
        }
        if !request.wants_websocket() {
            return plain("not a WebSocket handshake");
        }
        match request.parameter("cursor").map(|cursor| cursor.parse::<u64>()) {
            None => Verdict::Stream(Talk::at(self.live)),
            Some(Err(_)) => plain("subscribe: invalid cursor"),
            Some(Ok(cursor)) if cursor >= TIMES_FROM => Verdict::Stream(Talk::at(self.by_time(cursor).0)),
            Some(Ok(cursor)) => Verdict::Stream(Talk::at(self.index(cursor).max(self.floor))),
        }
    }

    fn check_v2(&self, request: &Request) -> Verdict {
        let refused = |status, error: &str, message: String| {
            let body = serde_json::json!({"error": error, "message": message}).to_string();
            let headers = vec![("Content-Type", "application/json".to_owned())];
            Verdict::Answer(status, headers, body.into_bytes())
        };
        let invalid = |message: &str| refused(400, "InvalidRequest", message.to_owned());
        match request.path() {
            "/xrpc/network.bsky.jetstream.subscribeEvents" => {}
            "/xrpc/network.bsky.jetstream.getZstdDictionary" => {
                let id = request.parameter("id").map(|id| id.parse::<u32>());
                if id.is_none_or(|id| id == Ok(self.dictionary)) {
                    return Verdict::Answer(200, Vec::new(), self.dictionary());
                }
                let message = format!("current dictionary id is {}", self.dictionary);
                return refused(404, "DictionaryNotFound", message);
            }
            _ => return refused(404, "MethodNotImplemented", String::new()),
        }
        const KNOWN: [&str; 6] =
            ["cursor", "kinds", "dids", "collections", "maxMessageSizeBytes", "zstdDictionary"];
        let query = request.query();
        if let Some((name, _)) = query.iter().find(|(name, _)| !KNOWN.contains(&name.as_str())) {
            return invalid(&format!("{name} is not a parameter of this endpoint"));
        }
        let all = |wanted: &str| -> Vec<&str> {
            query.iter().filter(|(name, _)| name == wanted).map(|(_, value)| value.as_str()).collect()
        };
        let kinds = all("kinds");
        if kinds.iter().any(|kind| !["commit", "identity", "account", "sync"].contains(kind)) {
            return invalid("unknown kind");
        }
        if !all("collections").is_empty() && !kinds.is_empty() && !kinds.contains(&"commit") {
            return invalid("collections could never apply");
        }
        if all("collections").len() > 100 || all("dids").len() > 10_000 {
            return invalid("too many filters");
        }
        let dictionary = all("zstdDictionary").first().map(|id| id.parse::<u32>());
        if dictionary.as_ref().is_some_and(|id| *id != Ok(self.dictionary)) {
            let current = self.dictionary;
            let message =
                format!("unknown zstd dictionary id; current dictionary id is {current} (fetch it)");
            return refused(400, "UnknownZstdDictionary", message);
        }
        let mut talk = match all("cursor").first().map(|cursor| cursor.parse::<u64>()) {
            None => Talk::at(self.live),
            Some(Err(_)) => return invalid("subscribe: invalid cursor"),
            Some(Ok(cursor)) if cursor >= TIMES_FROM => {
                let (at, outdated) = self.by_time(cursor);
                Talk { outdated, ..Talk::at(at) }
            }
            Some(Ok(seq)) => {
                let (at, floor) = (self.index(seq), self.first_seq + self.floor as u64);
                if seq < floor {
                    let message =
                        format!("subscribe: cursor too old: cursor {seq} below lookback floor {floor}");
                    return refused(400, "CursorTooOld", message);
                }
                Talk::at(at)
            }
        };
        if !request.wants_websocket() {
            return refused(426, "InvalidRequest", "not a WebSocket handshake".to_owned());
        }
        talk.dictionary = dictionary.map(|_| self.dictionary());
        Verdict::Stream(talk)
    }

    /// The sample of this number. One in the future is taken for "live".
    fn index(&self, seq: u64) -> usize {
        usize::try_from(seq.saturating_sub(self.first_seq)).unwrap().min(self.samples.len())
    }

    /// The first sample seen at this time or later, and whether earlier ones were wanted than are kept.
    fn by_time(&self, time_us: u64) -> (usize, bool) {
        let at = self.samples.iter().position(|sample| sample.time_us >= time_us);
        let at = at.unwrap_or(self.samples.len());
        let outdated =
            self.samples.get(self.floor).is_some_and(|oldest| time_us < oldest.time_us) && self.floor > 0;
        (at.max(self.floor), outdated)
    }
}
