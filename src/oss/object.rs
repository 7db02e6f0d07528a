//! One object, and the signed requests for it. Feeds `download`, which makes a whole of the answers.

use reqsign_aliyun_oss::{Credential, RequestSigner, SigningVersion};
use reqsign_core::Signer;
use reqwest::header::{HOST, HeaderMap, HeaderValue, IF_MATCH, LOCATION, RANGE};
use reqwest::{Client, Response, StatusCode, Url};

use super::credentials::{Asker, HadoopKeys, context};
use super::error::{FetchError, Why, shown};
use super::http::{self, Patience};
use super::place::Place;
use super::refusal;
use super::url::ObjectUrl;

/// How often one request may be sent elsewhere on the same host.
const REDIRECTS_MAX: u32 = 3;

/// An object that can be asked for.
#[derive(Debug, Clone)]
pub struct Object {
    pub(super) url: ObjectUrl,
    address: Url,
    client: Client,
    signer: Signer<Credential>,
    pub(super) patience: Patience,
}

/// How one request ended, other than in an answer.
pub(super) enum Broken {
    /// It may work when it is tried again; the text says what happened.
    Again(String),
    /// The object is not the one whose beginning is here.
    Changed,
    /// It will not work.
    No(Why),
}

impl From<Why> for Broken {
    fn from(why: Why) -> Self {
        Self::No(why)
    }
}

impl Object {
    /// The object at `url`. Nothing is asked yet.
    pub fn new(
        url: ObjectUrl,
        place: &Place,
        hadoop: Option<&HadoopKeys>,
        patience: Patience,
    ) -> Result<Self, FetchError> {
        let https = place.url.scheme() == "https";
        let client = match http::client(https, patience) {
            Ok(client) => client,
            Err(why) => return Err(FetchError { url: url.to_string(), why: Why::Setup(why) }),
        };
        let signing = RequestSigner::new(&url.bucket)
            .with_region(&place.region)
            .with_signing_version(SigningVersion::V4);
        let signer = Signer::new(context(), Asker::new(hadoop), signing);
        Ok(Self { url, address: place.url.clone(), client, signer, patience })
    }

    /// The address that was given.
    pub fn url(&self) -> &ObjectUrl {
        &self.url
    }

    /// The object whose key ends in `suffix` besides.
    pub(super) fn beside(&self, suffix: &str) -> Self {
        let mut address = self.address.clone();
        address.set_path(&format!("{}{suffix}", self.address.path()));
        Self { url: self.url.beside(suffix), address, ..self.clone() }
    }

    /// Asks for everything from byte `from` on, of the object with this ETag if there is one. The answer is a good one.
    pub(super) async fn ask(&self, from: u64, etag: Option<&str>) -> Result<Response, Broken> {
        let mut headers = HeaderMap::new();
        headers.insert(RANGE, value(&format!("bytes={from}-"))?);
        if let Some(etag) = etag {
            headers.insert(IF_MATCH, value(etag)?);
            // Without it a range behind the end is answered with the whole object ("Range download").
            headers.insert("x-oss-range-behavior", HeaderValue::from_static("standard"));
        }
        let mut address = self.address.clone();
        for _ in 0..=REDIRECTS_MAX {
            let answer = self.send(&address, headers.clone()).await?;
            match answer.status() {
                StatusCode::OK | StatusCode::PARTIAL_CONTENT => return Ok(answer),
                StatusCode::MOVED_PERMANENTLY
                | StatusCode::FOUND
                | StatusCode::TEMPORARY_REDIRECT
                | StatusCode::PERMANENT_REDIRECT
                    if answer.headers().contains_key(LOCATION) =>
                {
                    address = followed(&address, &answer)?;
                }
                _ => return Err(self.refused(answer).await),
            }
        }
        Err(Why::Redirected("one address after another".to_owned()).into())
    }

    /// Signed for this very address: a signature for one host is of no use to another.
    async fn send(&self, address: &Url, mut headers: HeaderMap) -> Result<Response, Broken> {
        let host = address.host_str().unwrap_or_default();
        let host = address.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        headers.insert(HOST, value(&host)?);
        let unsigned = ::http::Request::get(address.as_str()).body(());
        let (mut parts, ()) = unsigned.map_err(|error| Why::Setup(error.to_string()))?.into_parts();
        parts.headers = headers;
        let signed = self.signer.sign(&mut parts, None).await;
        // Escaped already, place by place.
        signed.map_err(|error| Why::Credentials(error.to_string()))?;
        let request = self.client.get(address.clone()).headers(parts.headers);
        request.send().await.map_err(|error| match http::distrust(&error) {
            Some(why) => Why::Untrusted(why).into(),
            None => Broken::Again(http::broken(&error)),
        })
    }

    async fn refused(&self, answer: Response) -> Broken {
        let status = answer.status();
        match status {
            StatusCode::PRECONDITION_FAILED => return Broken::Changed,
            StatusCode::RANGE_NOT_SATISFIABLE => {
                return Why::Size("it has less than it told of".to_owned()).into();
            }
            StatusCode::TOO_MANY_REQUESTS => return Broken::Again("429, too many requests".to_owned()),
            _ if status.is_server_error() => {
                return Broken::Again(format!("the server answers {}", status.as_u16()));
            }
            _ => {}
        }
        match http::body(answer, refusal::BYTES_MAX).await {
            Ok(body) => Broken::No(refusal::read(&self.url, status.as_u16(), &body.unwrap_or_default())),
            Err(error) => Broken::Again(http::broken(&error)),
        }
    }

    pub(super) fn failed(&self, why: Why) -> FetchError {
        FetchError { url: self.url.to_string(), why }
    }
}

fn value(text: &str) -> Result<HeaderValue, Why> {
    HeaderValue::from_str(text).map_err(|_| Why::Setup(format!("{} cannot stand in a header", shown(text))))
}

/// Only to the same host, and not from https to http: whoever gets a request gets its security token, too.
fn followed(from: &Url, answer: &Response) -> Result<Url, Why> {
    let location =
        answer.headers().get(LOCATION).map(|location| String::from_utf8_lossy(location.as_bytes()));
    let location = location.unwrap_or_default();
    let to = from.join(&location).map_err(|_| Why::Redirected(shown(&location)))?;
    let same = to.host() == from.host() && to.port_or_known_default() == from.port_or_known_default();
    if same && to.scheme() == from.scheme() && to.username().is_empty() && to.password().is_none() {
        return Ok(to);
    }
    Err(Why::Redirected(shown(to.host_str().unwrap_or(&location))))
}
