//! Which protocol the stub speaks: what it takes, and what it refuses before a stream begins.

use super::Request;
use super::jetstream::Archive;
use super::oauth::Keys;

/// A protocol.
#[derive(Debug, Clone)]
pub(crate) enum Speaks {
    JetstreamV1(Archive),
    JetstreamV2(Archive),
    /// `statuses/filter` 1.1 with these keys.
    Statuses(Keys),
    Sse,
    WebSocket,
    Lines,
}

/// What becomes of a request.
pub(super) enum Verdict {
    /// This status, these headers, this body.
    Answer(u16, Vec<(&'static str, String)>, Vec<u8>),
    /// A stream, by the script.
    Stream(Talk),
}

/// A stream that may begin.
#[derive(Debug, Clone)]
pub(super) struct Talk {
    /// The next sample to be replayed.
    pub(super) at: usize,
    /// Whether the cursor was clamped, and that is to be said.
    pub(super) outdated: bool,
    /// What frames are compressed with.
    pub(super) dictionary: Option<Vec<u8>>,
    /// Whether the body is gzip.
    pub(super) gzip: bool,
}

impl Talk {
    pub(super) fn at(at: usize) -> Self {
        Self { at, outdated: false, dictionary: None, gzip: false }
    }
}

impl Speaks {
    pub(super) fn check(&self, request: &Request) -> Verdict {
        let no = |status, body: &str| Verdict::Answer(status, Vec::new(), body.as_bytes().to_vec());
        match self {
            Self::JetstreamV1(archive) => archive.check(request, false),
            Self::JetstreamV2(archive) => archive.check(request, true),
            Self::Statuses(keys) => statuses(request, keys),
            Self::Sse
                if request.header("accept").is_none_or(|accept| !accept.contains("text/event-stream")) =>
            {
                no(406, "text/event-stream only")
            }
            Self::WebSocket if !request.wants_websocket() => no(426, "WebSocket only"),
            Self::Sse | Self::Lines if request.method != "GET" => no(405, ""),
            Self::Sse | Self::WebSocket | Self::Lines => Verdict::Stream(Talk::at(0)),
        }
    }

    /// Whether it is a WebSocket.
    pub(super) fn is_websocket(&self) -> bool {
        matches!(self, Self::JetstreamV1(_) | Self::JetstreamV2(_) | Self::WebSocket)
    }
}

/// Twitter's "Connecting to a streaming endpoint", and the parameters of `statuses/filter` (v1.1).
fn statuses(request: &Request, keys: &Keys) -> Verdict {
    let no = |status, body: &str| Verdict::Answer(status, Vec::new(), body.as_bytes().to_vec());
    if request.path() != "/1.1/statuses/filter.json" {
        return no(404, "");
    }
    if request.method != "POST" {
        return no(405, "");
    }
    let host = request.header("host").unwrap_or_default();
    if !keys.have_signed(request, host) {
        return no(401, "<html><title>Error 401 Unauthorized</title></html>");
    }
    if request.header("content-type") != Some("application/x-www-form-urlencoded") {
        return no(406, "no form");
    }
    if !request.form().iter().any(|(name, value)| name == "track" && !value.is_empty()) {
        return no(406, "No filter parameters found. Expect at least one parameter: follow track locations");
    }
    if request.parameter("delimited").as_deref() != Some("length") {
        return no(400, "the stub speaks delimited=length only");
    }
    let gzip = request.header("accept-encoding").is_some_and(|codings| codings.contains("gzip"));
    Verdict::Stream(Talk { gzip, ..Talk::at(0) })
}
