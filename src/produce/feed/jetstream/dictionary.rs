//! The zstd dictionary of version 2: fetched, known by its id, used for one frame after another.
//!
//! Lexicon network.bsky.jetstream.getZstdDictionary; RFC 8878, 5 (dictionaries) and 3.1.1 (frames).

use std::time::Duration;

use http::StatusCode;
use tokio::time::timeout;
use tokio_util::bytes::Bytes;
use zstd::bulk::Decompressor;

use super::hosts::Host;
use crate::produce::feed::http::{Http, chunk};
use crate::produce::feed::live::{Ended, Reason};
use crate::produce::feed::websocket::MESSAGE_BYTES_MAX;

const PATH: &str = "/xrpc/network.bsky.jetstream.getZstdDictionary";
/// How long it may take to come, in all. Frames come uncompressed without it.
const FETCH: Duration = Duration::from_secs(10);
/// Longest dictionary, in bytes. Trained ones have about 100 KiB.
const BYTES_MAX: usize = 1 << 20;
/// How a dictionary begins, before its id.
const MAGIC: [u8; 4] = [0x37, 0xa4, 0x30, 0xec];
/// What a frame may need when it does not say so: tried first.
const FRAME_BYTES: usize = 64 << 10;

/// A dictionary, ready for use.
pub(super) struct Dictionary {
    id: u32,
    frames: Decompressor<'static>,
    /// The last frame, decompressed.
    buffer: Vec<u8>,
}

impl Dictionary {
    /// Fetches the dictionary of this id, or the current one.
    ///
    /// # Errors
    /// Why there is none, in words.
    pub(super) async fn fetch(http: &Http, host: &Host, id: Option<u32>) -> Result<Self, String> {
        match timeout(FETCH, Self::fetch_all(http, host, id)).await {
            Ok(fetched) => fetched,
            Err(_) => Err(format!("it did not come within {} s", FETCH.as_secs())),
        }
    }

    async fn fetch_all(http: &Http, host: &Host, id: Option<u32>) -> Result<Self, String> {
        let mut url = host.url.clone();
        url.set_path(PATH);
        if let Some(id) = id {
            url.query_pairs_mut().append_pair("id", &id.to_string());
        }
        let asked = http.ask(http.get(url), StatusCode::OK, FETCH).await;
        let mut response = asked.map_err(|ended| ended.words)?;
        let mut bytes = Vec::new();
        loop {
            match chunk(&mut response, FETCH).await {
                Ok(chunk) => bytes.extend_from_slice(&chunk),
                Err(ended) if ended.reason == Reason::Normal => return Self::new(&bytes),
                Err(ended) => return Err(ended.words),
            }
            if bytes.len() > BYTES_MAX {
                return Err(format!("it has more than {BYTES_MAX} bytes"));
            }
        }
    }

    pub(super) fn new(bytes: &[u8]) -> Result<Self, String> {
        let id =
            bytes.strip_prefix(&MAGIC).and_then(|rest| rest.first_chunk()).map(|id| u32::from_le_bytes(*id));
        let id = id.ok_or("what came is no zstd dictionary")?;
        let frames = Decompressor::with_dictionary(bytes).map_err(|error| error.to_string())?;
        Ok(Self { id, frames, buffer: Vec::new() })
    }

    pub(super) fn id(&self) -> u32 {
        self.id
    }

    /// Decompresses a frame of at most [`MESSAGE_BYTES_MAX`] bytes.
    pub(super) fn unpack(&mut self, frame: &[u8]) -> Result<Bytes, Ended> {
        let told = Decompressor::upper_bound(frame);
        if told.is_some_and(|told| told > MESSAGE_BYTES_MAX) {
            return Err(Ended::too_long(format!(
                "a frame is longer than the {MESSAGE_BYTES_MAX} bytes that are taken"
            )));
        }
        let mut size = told.unwrap_or(FRAME_BYTES).max(1);
        loop {
            self.buffer.clear();
            self.buffer.reserve(size);
            match self.frames.decompress_to_buffer(frame, &mut self.buffer) {
                Ok(_) => return Ok(Bytes::copy_from_slice(&self.buffer)),
                Err(_) if told.is_none() && size < MESSAGE_BYTES_MAX => {
                    size = (size * 4).min(MESSAGE_BYTES_MAX)
                }
                Err(error) => {
                    return Err(Ended::lost(format!("a frame cannot be decompressed: {error}")));
                }
            }
        }
    }
}
