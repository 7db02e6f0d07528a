//! One whole of as many answers as it takes: resumed where a connection broke, begun anew when the object has changed,
//! its size and its SHA-256 checked. Feeds `cli` by way of [`Object`].

use std::fs::{File, Permissions};
use std::io::{self, Seek as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use reqwest::header::{CONTENT_LENGTH, CONTENT_RANGE, ETAG, HeaderMap, HeaderName};
use reqwest::{Response, StatusCode};
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;
use tokio::time::Instant;
use tokio_util::bytes::Bytes;

use super::checksum::Sha256Hex;
use super::error::{FetchError, Why};
use super::http::broken;
use super::object::{Broken, Object};

/// Largest object that is fetched, in bytes: what one upload to OSS may have.
const FILE_BYTES_MAX: u64 = 5 << 30;
/// Longest file with a hash, in bytes.
const CHECKSUM_BYTES_MAX: u64 = 64 << 10;
/// Less than this in the time of `Patience::pace`, or within a row of tries, is no progress.
const LEAST_BYTES: u64 = 1 << 20;
/// What `KEY.sha256` ends in.
const CHECKSUM_SUFFIX: &str = ".sha256";

/// Hears how many bytes of how many are there.
pub(super) type Tell<'a> = &'a mut dyn FnMut(u64, u64);

impl Object {
    /// All of it as a text of at most `bytes_max` bytes.
    pub async fn text(&self, bytes_max: u64) -> Result<String, FetchError> {
        let (mut bytes, mut unheard) = (Vec::new(), |_, _| {});
        let whole = download(self, bytes_max, &mut bytes, &mut unheard);
        let whole = tokio::time::timeout(self.patience.text, whole).await;
        let slow = || Why::Unreachable { last: "not whole in time".to_owned(), tries: 1 };
        whole.map_err(|_| slow()).flatten().map_err(|why| self.failed(why))?;
        String::from_utf8(bytes).map_err(|_| self.failed(Why::NotText))
    }

    /// The hash that the object `KEY.sha256` beside it tells; `None` where there is no such object.
    pub async fn told_sha256(&self) -> Result<Option<Sha256Hex>, FetchError> {
        let beside = self.beside(CHECKSUM_SUFFIX);
        let text = match beside.text(CHECKSUM_BYTES_MAX).await {
            Err(error) if error.why.is_missing() => return Ok(None),
            Err(FetchError { url, why: Why::Refused { code, told } }) if code == "AccessDenied" => {
                let told = format!("{told}; or give --sha256, with which that object is not asked for");
                return Err(FetchError { url, why: Why::Refused { code, told } });
            }
            other => other?,
        };
        let told = Sha256Hex::from_listing(&text, self.url.file_name());
        let missing =
            || beside.failed(Why::Checksum("it is not what sha256sum writes about that object".to_owned()));
        Ok(Some(told.ok_or_else(missing)?))
    }

    /// Fetches it into a new file at `path`, with the permission bits `mode`. The file is there once it is whole and, if
    /// `wanted` names a hash and where that is from, right. Returns the hash.
    pub async fn save(
        &self,
        path: &Path,
        mode: u32,
        wanted: Option<(&Sha256Hex, &str)>,
        tell: Tell<'_>,
    ) -> Result<Sha256Hex, FetchError> {
        let failed = |source| self.failed(Why::File { path: path.display().to_string(), source });
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut file = Unfinished {
            file: NamedTempFile::with_prefix_in(".spindle-", folder).map_err(failed)?,
            digest: Sha256::new(),
        };
        download(self, FILE_BYTES_MAX, &mut file, tell).await.map_err(|why| self.failed(why))?;
        let found = Sha256Hex::of(file.digest);
        if let Some((wanted, from)) = wanted.filter(|(wanted, _)| **wanted != found) {
            let from = format!(" by {from}");
            return Err(self.failed(Why::WrongHash { wanted: wanted.clone(), found, from }));
        }
        file.file.as_file().set_permissions(Permissions::from_mode(mode)).map_err(failed)?;
        file.file.as_file().sync_all().map_err(failed)?;
        file.file.persist(path).map_err(|error| failed(error.error))?;
        Ok(found)
    }
}

/// Where bytes go.
trait Sink {
    fn take(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Forgets what it has.
    fn clear(&mut self) -> io::Result<()>;
    /// What it is, for messages.
    fn name(&self) -> String;
}

impl Sink for Vec<u8> {
    fn take(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.extend_from_slice(bytes);
        Ok(())
    }

    fn clear(&mut self) -> io::Result<()> {
        Vec::clear(self);
        Ok(())
    }

    fn name(&self) -> String {
        "memory".to_owned()
    }
}

/// A file that has not its name yet, and goes with this value unless it gets it.
struct Unfinished {
    file: NamedTempFile,
    digest: Sha256,
}

impl Sink for Unfinished {
    fn take(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.digest.update(bytes);
        self.file.write_all(bytes)
    }

    fn clear(&mut self) -> io::Result<()> {
        self.digest = Sha256::new();
        let file: &mut File = self.file.as_file_mut();
        file.set_len(0)?;
        file.rewind()
    }

    fn name(&self) -> String {
        self.file.path().display().to_string()
    }
}

/// What the server has said of the object.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Whole {
    etag: Option<String>,
    bytes: u64,
}

/// How far a download is.
struct Progress<'a, S> {
    object: &'a Object,
    to: &'a mut S,
    bytes_max: u64,
    have: u64,
    whole: Option<Whole>,
}

async fn download<S: Sink>(object: &Object, bytes_max: u64, to: &mut S, tell: Tell<'_>) -> Result<(), Why> {
    let patience = object.patience;
    let mut progress = Progress { object, to, bytes_max, have: 0, whole: None };
    let (mut tries, mut changed, mut wait) = (0, false, patience.back_off);
    let mut had = 0;
    loop {
        match progress.go_on(tell).await {
            Ok(()) => return Ok(()),
            Err(Broken::No(why)) => return Err(why),
            Err(Broken::Changed) if changed => return Err(Why::Changed),
            Err(Broken::Changed) => {
                changed = true;
                progress.begin_anew()?;
                had = 0;
            }
            Err(Broken::Again(last)) => {
                if progress.have >= had + LEAST_BYTES {
                    (tries, wait, had) = (0, patience.back_off, progress.have);
                }
                tries += 1;
                if tries >= patience.tries {
                    return Err(Why::Unreachable { last, tries });
                }
                tracing::debug!(have = progress.have, "{}: {last}; trying again", object.url());
                tokio::time::sleep(wait).await;
                wait = (2 * wait).min(patience.back_off_max);
            }
        }
    }
}

impl<S: Sink> Progress<'_, S> {
    /// Asks for what is missing, and takes it.
    async fn go_on(&mut self, tell: Tell<'_>) -> Result<(), Broken> {
        let etag = self.whole.as_ref().and_then(|whole| whole.etag.as_deref());
        let pace = self.object.patience.pace;
        let answer = tokio::time::timeout(pace, self.object.ask(self.have, etag)).await;
        let mut answer = answer.map_err(|_| Broken::Again("no answer in time".to_owned())).flatten()?;
        let told = Whole::told(&answer, self.have)?;
        let bytes = told.bytes;
        match &self.whole {
            Some(whole) if whole.etag != told.etag => return Err(Broken::Changed),
            Some(whole) if whole.bytes != bytes => {
                return Err(Why::Size(format!("first {}, then {bytes} bytes", whole.bytes)).into());
            }
            Some(_) => {}
            None if bytes > self.bytes_max => return Err(Why::TooLong { bytes, max: self.bytes_max }.into()),
            None => self.whole = Some(told),
        }
        let (mut had, mut until) = (self.have, Instant::now() + pace);
        while let Some(chunk) = next(&mut answer, until, pace).await? {
            if self.have + chunk.len() as u64 > bytes {
                return Err(Why::Size(format!("it told of {bytes} bytes, and more came")).into());
            }
            self.to.take(&chunk).map_err(|source| Why::File { path: self.to.name(), source })?;
            self.have += chunk.len() as u64;
            tell(self.have, bytes);
            if self.have >= had + LEAST_BYTES {
                (had, until) = (self.have, Instant::now() + pace);
            }
        }
        match self.have == bytes {
            true => Ok(()),
            false => Err(Broken::Again(format!("the answer ended after {} of {bytes} bytes", self.have))),
        }
    }

    fn begin_anew(&mut self) -> Result<(), Why> {
        self.have = 0;
        self.whole = None;
        self.to.clear().map_err(|source| Why::File { path: self.to.name(), source })
    }
}

/// The next bytes of an answer. `until` then a MiB must have come, for which there was the time `pace`.
async fn next(answer: &mut Response, until: Instant, pace: Duration) -> Result<Option<Bytes>, Broken> {
    match tokio::time::timeout_at(until, answer.chunk()).await {
        Ok(chunk) => chunk.map_err(|error| Broken::Again(broken(&error))),
        Err(_) => Err(Broken::Again(format!("less than 1 MiB in {pace:?}"))),
    }
}

impl Whole {
    /// What an answer that begins at byte `from` tells: the object's ETag and size. Length and range must agree.
    fn told(answer: &Response, from: u64) -> Result<Self, Why> {
        let headers = answer.headers();
        let etag = text(headers, ETAG).map(str::to_owned);
        let length = text(headers, CONTENT_LENGTH).and_then(|length| length.parse::<u64>().ok());
        let wrong = |what: &str| Why::Size(what.to_owned());
        if answer.status() != StatusCode::PARTIAL_CONTENT {
            return match length {
                _ if from > 0 => Err(wrong("asked for a part, it sends the whole")),
                Some(bytes) => Ok(Self { etag, bytes }),
                None => Err(wrong("it does not tell it")),
            };
        }
        let range = text(headers, CONTENT_RANGE).and_then(range);
        let (first, last, bytes) = range.ok_or_else(|| wrong("it does not tell which part it sends"))?;
        if first != from || last.checked_add(1) != Some(bytes) {
            return Err(wrong("it sends another part than was asked for"));
        }
        match length.filter(|length| *length != bytes - from) {
            Some(length) => Err(Why::Size(format!("{length} bytes by length, {} by range", bytes - from))),
            None => Ok(Self { etag, bytes }),
        }
    }
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

/// `bytes FIRST-LAST/SIZE` (RFC 9110, 14.4).
fn range(text: &str) -> Option<(u64, u64, u64)> {
    let (part, bytes) = text.strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = part.split_once('-')?;
    let (first, last, bytes) = (first.parse().ok()?, last.parse().ok()?, bytes.parse().ok()?);
    (first <= last && last < bytes).then_some((first, last, bytes))
}
