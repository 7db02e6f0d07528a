//! What a frame of a source means: a post, a control message, or neither. Pure. `feed` fills events with it, and
//! `recall` finds by it which posts are in the topic already.
//!
//! A frame is read in one pass, which takes out the id, the time, the cursor, and the fields that keywords are looked
//! for in.

use std::sync::Arc;

use tokio_util::bytes::Bytes;

use super::event::{Kind, Malformed, Post, PostId};
use super::json::{Found, Pointers};
use super::keywords::{self, Keywords as Terms};
use crate::config::Pointer;
use crate::config::producer::source::Places;
use crate::config::producer::{Keywords, Match, Source};

mod id;
mod jetstream;
mod plain;
mod status;

/// How the frames of a source look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shape {
    /// Jetstream, version 1: `{"did", "time_us", "kind", "commit": {"operation", "record", ...}}`.
    JetstreamV1,
    /// Jetstream, version 2: `{"$type": "message", "payload": {"$type", "seq", "did", "time", "record", ...}}`.
    JetstreamV2,
    /// `statuses/filter` 1.1: a status, or an object with one known key.
    Status,
    /// Any object is a post.
    Plain(Places),
}

impl Shape {
    /// The frames of this source. Jetstream begins with version 2; [`Shape::JetstreamV1`] is for its fallback.
    pub fn of(source: &Source) -> Self {
        let posts = |id: &Option<Pointer>, time: &Option<Pointer>| Places {
            id: id.clone(),
            time: time.clone(),
            cursor: None,
        };
        match source {
            Source::Jetstream(_) => Self::JetstreamV2,
            Source::StatusesFilter(_) => Self::Status,
            Source::Sse(sse) => Self::Plain(sse.places()),
            Source::Websocket(websocket) => Self::Plain(websocket.places()),
            Source::HttpLines(lines) => Self::Plain(lines.places()),
            Source::File(file) => Self::Plain(posts(&file.id, &file.time)),
            Source::Stdin(stdin) => Self::Plain(posts(&stdin.id, &stdin.time)),
            Source::Synthetic(_) => Self::Plain(posts(&Some(Pointer::of("/id")), &None)),
        }
    }

    /// Where the object lies that `keywords.fields` are rooted at: what people call the post.
    fn post(&self) -> &'static str {
        match self {
            Self::JetstreamV1 => "/commit/record",
            Self::JetstreamV2 => "/payload/record",
            Self::Status | Self::Plain(_) => "",
        }
    }

    /// What is taken from each frame beside the fields.
    fn places(&self) -> Vec<Pointer> {
        match self {
            Self::JetstreamV1 => jetstream::V1.iter().map(|place| Pointer::of(place)).collect(),
            Self::JetstreamV2 => jetstream::V2.iter().map(|place| Pointer::of(place)).collect(),
            Self::Status => status::PLACES.iter().map(|place| Pointer::of(place)).collect(),
            Self::Plain(places) => plain::places(places),
        }
    }
}

/// What a frame is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// What comes of it for the ledger.
    pub kind: Kind,
    /// Where it lies in its stream.
    pub place: Place,
    /// What the server says about the stream itself.
    pub notice: Option<Notice>,
}

impl Frame {
    fn of(kind: Kind) -> Self {
        Self { kind, place: Place::Unknown, notice: None }
    }

    fn malformed(why: Malformed) -> Self {
        Self::of(Kind::Malformed(why))
    }
}

/// Where a frame lies in its stream, as far as it says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// It does not say.
    Unknown,
    /// In a Jetstream.
    Jetstream {
        /// Its number on this host; version 2 alone has one.
        seq: Option<u64>,
        /// When the host saw it, in microseconds since the epoch.
        time_us: u64,
    },
    /// What the server resumes from.
    Cursor(Arc<str>),
}

/// What a server says about the stream itself. Texts are as it wrote them: escape them before they are shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// Advice by this name (Jetstream: `#info`).
    Info(String, String),
    /// The stream ends with an error of this name (Jetstream: `error`).
    Error(String, String),
    /// The stream ends for the reason of this number (`statuses/filter`: `disconnect`).
    Disconnect(u16, String),
    /// So many posts since the connection began were not delivered (`statuses/filter`: `limit`).
    Undelivered(u64),
    /// Trouble of this kind (`statuses/filter`: `warning`).
    Warning(String, String),
}

/// Reads frames of one shape. Keeps its buffers: one for each task.
#[derive(Debug)]
pub struct Reader {
    shape: Shape,
    pointers: Pointers,
    /// How many pointers come before those of the fields.
    places: usize,
    fields: usize,
    found: Found,
    matching: Match,
    terms: Terms,
}

impl Reader {
    /// For the source's frames and these keywords.
    ///
    /// # Errors
    /// Keywords that cannot be looked for, and fields that cannot be reached, in words.
    pub fn new(shape: Shape, keywords: &Keywords) -> Result<Self, String> {
        let how = match keywords.matching {
            Match::Word => keywords::Match::Word,
            Match::RawSubstring => keywords::Match::RawSubstring,
        };
        let list = keywords.list.iter().map(|keyword| keywords::Keyword { terms: keyword.terms.clone() });
        let terms = Terms::new(how, &list.collect::<Vec<_>>())?;
        Self::with(shape, keywords, terms)
    }

    /// The same keywords in frames of another shape.
    ///
    /// # Errors
    /// Fields that cannot be reached, in words.
    pub fn reshaped(&self, shape: Shape, keywords: &Keywords) -> Result<Self, String> {
        Self::with(shape, keywords, self.terms.clone())
    }

    fn with(shape: Shape, keywords: &Keywords, terms: Terms) -> Result<Self, String> {
        let fields: &[Pointer] = match keywords.matching {
            Match::Word => &keywords.fields,
            Match::RawSubstring => &[],
        };
        let mut pointers = shape.places();
        let places = pointers.len();
        for field in fields {
            pointers.push(format!("{}{field}", shape.post()).parse()?);
        }
        Ok(Self {
            pointers: Pointers::new(&pointers),
            places,
            fields: fields.len(),
            found: Found::default(),
            matching: keywords.matching,
            terms,
            shape,
        })
    }

    /// What `json` is.
    pub fn read(&mut self, json: Bytes) -> Frame {
        if let Err(why) = self.pointers.read(&json, &mut self.found) {
            return Frame::malformed(why);
        }
        let Meaning { what, place, notice } = match &self.shape {
            Shape::JetstreamV1 => jetstream::v1(&self.found),
            Shape::JetstreamV2 => jetstream::v2(&self.found),
            Shape::Status => status::meaning(&self.found),
            Shape::Plain(places) => plain::meaning(places, &self.found),
        };
        let kind = match what {
            What::Post { id, time_ms } => {
                Kind::Post(Post { keyword: self.keyword(&json), json, id, time_ms })
            }
            What::Control => Kind::Control,
            What::NotAPost => Kind::Malformed(Malformed::NotAPost),
        };
        Frame { kind, place, notice }
    }

    /// Which keyword the post has that was read last, and whose text is `json`.
    fn keyword(&mut self, json: &[u8]) -> Option<u16> {
        match self.matching {
            Match::RawSubstring => self.terms.find_raw(json),
            Match::Word => {
                let fields = self.places..self.places + self.fields;
                let found = &self.found;
                self.terms.find_in(fields.filter_map(|at| found.get(at)?.text()))
            }
        }
    }
}

/// Finds the id of a post in a text read back from Kafka.
#[derive(Debug)]
pub struct Identify {
    readers: Vec<(Shape, Pointers)>,
    found: Found,
}

impl Identify {
    /// For the posts of this shape. Those of Jetstream may have come by either version.
    pub fn new(shape: Shape) -> Self {
        let shapes = match shape {
            Shape::JetstreamV1 | Shape::JetstreamV2 => vec![Shape::JetstreamV2, Shape::JetstreamV1],
            other => vec![other],
        };
        let readers = shapes.into_iter().map(|shape| {
            let pointers = Pointers::new(&shape.places());
            (shape, pointers)
        });
        Self { readers: readers.collect(), found: Found::default() }
    }

    /// The id of the post that `json` is; `None` if it is none, or has no id.
    pub fn identify(&mut self, json: &[u8]) -> Option<PostId> {
        self.readers.iter().find_map(|(shape, pointers)| {
            pointers.read(json, &mut self.found).ok()?;
            let meaning = match shape {
                Shape::JetstreamV1 => jetstream::v1(&self.found),
                Shape::JetstreamV2 => jetstream::v2(&self.found),
                Shape::Status => status::meaning(&self.found),
                Shape::Plain(places) => plain::meaning(places, &self.found),
            };
            match meaning.what {
                What::Post { id, .. } => id,
                What::Control | What::NotAPost => None,
            }
        })
    }
}

/// What the values in a frame say.
struct Meaning {
    what: What,
    place: Place,
    notice: Option<Notice>,
}

enum What {
    Post { id: Option<PostId>, time_ms: Option<crate::ids::Millis> },
    Control,
    NotAPost,
}

impl Meaning {
    fn control() -> Self {
        Self { what: What::Control, place: Place::Unknown, notice: None }
    }

    fn not_a_post() -> Self {
        Self { what: What::NotAPost, place: Place::Unknown, notice: None }
    }

    fn notice(notice: Notice) -> Self {
        Self { what: What::Control, place: Place::Unknown, notice: Some(notice) }
    }
}

#[cfg(test)]
mod tests;
