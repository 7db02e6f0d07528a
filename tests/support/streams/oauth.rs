//! Whether a request is signed by OAuth 1.0a, written from RFC 5849, 3.4, and held against its example.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;

use super::Request;

/// What both ends know.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Keys {
    pub(crate) consumer_key: &'static str,
    pub(crate) consumer_secret: &'static str,
    pub(crate) token: &'static str,
    pub(crate) secret: &'static str,
}

impl Keys {
    /// Whether `request`, which came to `host`, is signed with these keys.
    pub(super) fn have_signed(&self, request: &Request, host: &str) -> bool {
        let Some(claim) = request.header("authorization").and_then(|header| header.strip_prefix("OAuth "))
        else {
            return false;
        };
        let mut parameters: Vec<(String, String)> = claim
            .split(',')
            .filter_map(|part| {
                let (name, value) = part.trim().split_once('=')?;
                Some((name.to_owned(), decoded(value.trim_matches('"'))))
            })
            .collect();
        let taken = |parameters: &mut Vec<(String, String)>, name: &str| {
            let at = parameters.iter().position(|(known, _)| known == name)?;
            Some(parameters.remove(at).1)
        };
        let signature = taken(&mut parameters, "oauth_signature");
        let says = |name: &str, value: &str| parameters.iter().any(|(n, v)| n == name && v == value);
        if !says("oauth_consumer_key", self.consumer_key)
            || !says("oauth_token", self.token)
            || !says("oauth_signature_method", "HMAC-SHA1")
        {
            return false;
        }
        parameters.extend(request.query());
        parameters.extend(request.form());
        let url = format!("http://{host}{}", request.path());
        signature == Some(self.signature(&request.method, &url, parameters))
    }

    fn signature(&self, method: &str, url: &str, parameters: Vec<(String, String)>) -> String {
        let mut pairs: Vec<_> =
            parameters.iter().map(|(name, value)| (encoded(name), encoded(value))).collect();
        pairs.sort();
        let pairs: Vec<_> = pairs.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
        let base = [method, &encoded(url), &encoded(&pairs.join("&"))].join("&");
        let key = format!("{}&{}", encoded(self.consumer_secret), encoded(self.secret));
        let mut mac = Hmac::<Sha1>::new_from_slice(key.as_bytes()).unwrap();
        mac.update(base.as_bytes());
        STANDARD.encode(mac.finalize().into_bytes())
    }
}

/// RFC 5849, 3.6.
fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

fn decoded(text: &str) -> String {
    let mut parts = text.split('%');
    let mut bytes = parts.next().unwrap().as_bytes().to_vec();
    for part in parts {
        bytes.push(u8::from_str_radix(&part[..2], 16).unwrap());
        bytes.extend_from_slice(&part.as_bytes()[2..]);
    }
    String::from_utf8(bytes).unwrap()
}

#[test]
fn the_example_of_rfc_5849_is_signed_so() {
    // 1.2: the request for the photo.
    let keys = Keys {
        consumer_key: "dpf43f3p2l4k3l03",
        consumer_secret: "kd94hf93k423kf44",
        token: "nnch734d00sl2jdk",
        secret: "pfkkdhi9sl3r4s00",
    };
    let parameters = [
        ("file", "vacation.jpg"),
        ("size", "original"),
        ("oauth_consumer_key", keys.consumer_key),
        ("oauth_token", keys.token),
        ("oauth_signature_method", "HMAC-SHA1"),
        ("oauth_timestamp", "137131202"),
        ("oauth_nonce", "chapoH"),
    ];
    let parameters = parameters.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    let signature = keys.signature("GET", "http://photos.example.net/photos", parameters);
    assert_eq!(signature, "MdpQcU8iPSUjWoN/UDMsK2sui9I=");
}
