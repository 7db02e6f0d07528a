//! Whether a request is signed as OSS demands, written from Alibaba's description of the algorithm and held against what
//! Alibaba's SDK signs (`vectors.json`).
//!
//! help.aliyun.com, "Include a V4 signature in the header".

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use super::Keys;
use super::request::{Request, decoded, encoded};

const ALGORITHM: &str = "OSS4-HMAC-SHA256";
/// How far clocks may be apart.
const SKEW_MS: i64 = 15 * 60 * 1000;

/// What is said no with.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(super) status: u16,
    pub(crate) code: &'static str,
    pub(super) more: String,
}

fn refuse(status: u16, code: &'static str) -> Result<(), Refusal> {
    Err(Refusal { status, code, more: String::new() })
}

/// Checks `request` at a server of `region` whose clock is at `now_ms`.
pub(crate) fn check(
    request: &Request,
    region: &str,
    now_ms: i64,
    known: impl Fn(&str) -> Option<Keys>,
) -> Result<(), Refusal> {
    let Some(claim) = request.header("authorization").and_then(Claim::read) else {
        return refuse(403, "AccessDenied");
    };
    let Some(keys) = known(claim.id) else { return refuse(403, "InvalidAccessKeyId") };
    if request.header("x-oss-security-token") != keys.token {
        return refuse(403, "InvalidSecurityToken");
    }
    let date = request.header("x-oss-date").unwrap_or_default();
    let Some(signed_ms) = millis(date) else { return refuse(403, "AccessDenied") };
    if (signed_ms - now_ms).abs() > SKEW_MS {
        let now = jiff::Timestamp::from_millisecond(now_ms).unwrap();
        let more = format!("<ServerTime>{now}</ServerTime>");
        return Err(Refusal { status: 403, code: "RequestTimeTooSkewed", more });
    }
    if claim.region != region || claim.day != &date[..8] {
        return refuse(400, "InvalidArgument");
    }
    if keys.expired {
        return refuse(403, "SecurityTokenExpired");
    }
    match claim.signature == signature(request, &claim, keys.secret) {
        true => Ok(()),
        false => refuse(403, "SignatureDoesNotMatch"),
    }
}

/// `20261129T101112Z`.
fn millis(date: &str) -> Option<i64> {
    let time = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%SZ", date).ok()?;
    Some(time.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_millisecond())
}

/// What an `Authorization` header says.
struct Claim<'a> {
    id: &'a str,
    day: &'a str,
    region: &'a str,
    scope: &'a str,
    additional: Vec<&'a str>,
    signature: &'a str,
}

impl<'a> Claim<'a> {
    fn read(header: &'a str) -> Option<Self> {
        let fields = header.strip_prefix(ALGORITHM)?.trim();
        let field = |name: &str| {
            fields.split(',').find_map(|field| field.trim().strip_prefix(name)?.strip_prefix('='))
        };
        let (id, scope) = field("Credential")?.split_once('/')?;
        let mut parts = scope.split('/');
        let (day, region) = (parts.next()?, parts.next()?);
        if parts.collect::<Vec<_>>() != ["oss", "aliyun_v4_request"] {
            return None;
        }
        let additional = field("AdditionalHeaders").unwrap_or_default();
        let additional = additional.split(';').filter(|name| !name.is_empty()).collect();
        Some(Self { id, day, region, scope, additional, signature: field("Signature")? })
    }
}

fn signature(request: &Request, claim: &Claim, secret: &str) -> String {
    let always = |name: &str| name.starts_with("x-oss-") || name == "content-type" || name == "content-md5";
    let signed =
        request.headers.iter().filter(|(name, _)| always(name) || claim.additional.contains(&name.as_str()));
    let mut headers: Vec<String> = signed.map(|(name, value)| format!("{name}:{value}\n")).collect();
    headers.sort();
    let mut query: Vec<String> =
        request.query().split('&').filter(|pair| !pair.is_empty()).map(parameter).collect();
    query.sort();
    let (path, query, headers) = (encoded(&request.path()), query.join("&"), headers.concat());
    let (additional, payload) = (claim.additional.join(";"), request.header("x-oss-content-sha256"));
    let payload = payload.unwrap_or_default();
    let canonical = [&request.method, &path, &query, &headers, &additional, payload].join("\n");
    let date = request.header("x-oss-date").unwrap_or_default();
    let to_sign = [ALGORITHM, date, claim.scope, &hex(&Sha256::digest(canonical))].join("\n");
    let steps = [claim.day, claim.region, "oss", "aliyun_v4_request", &to_sign];
    let start = format!("aliyun_v4{secret}").into_bytes();
    hex(&steps.iter().fold(start, |key, step| hmac(&key, step)))
}

/// Names and values stand encoded; one without a value has no `=`.
fn parameter(pair: &str) -> String {
    let strict = |text: &str| encoded(&decoded(text)).replace('/', "%2F");
    match pair.split_once('=') {
        Some((name, value)) if !value.is_empty() => format!("{}={}", strict(name), strict(value)),
        _ => strict(pair.trim_end_matches('=')),
    }
}

fn hmac(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
