//! The stand-in's idea of a signature against what Alibaba's own SDK signs.

use serde_json::Value;

use crate::oss_server::signature::{Refusal, check};
use crate::oss_server::{Keys, Request};

fn vectors() -> Vec<Value> {
    serde_json::from_str(include_str!("../../support/oss/vectors.json")).unwrap()
}

fn request(vector: &Value) -> Request {
    let headers = vector["headers"].as_object().unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let query = text(&vector["query"]);
    Request {
        method: "GET".to_owned(),
        target: if query.is_empty() {
            text(&vector["path"])
        } else {
            format!("{}?{query}", text(&vector["path"]))
        },
        headers: headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), text(value))).collect(),
    }
}

/// Checked at the time of the request, by somebody who knows its keys.
fn checked(request: &Request, vector: &Value) -> Result<(), &'static str> {
    let text = |value: &Value| -> &'static str { value.as_str().unwrap().to_owned().leak() };
    let token = vector["headers"].get("x-oss-security-token").map(text);
    let keys = Keys { id: "", secret: text(&vector["secret"]), token, expired: false };
    let date = jiff::fmt::rfc2822::parse(text(&vector["headers"]["Date"])).unwrap();
    let now_ms = date.timestamp().as_millisecond();
    check(request, text(&vector["region"]), now_ms, |_| Some(keys.clone()))
        .map_err(|Refusal { code, .. }| code)
}

#[test]
fn what_alibabas_sdk_signs_is_accepted() {
    let vectors = vectors();
    assert_eq!(vectors.len(), 5);
    for vector in &vectors {
        assert_eq!(checked(&request(vector), vector), Ok(()), "{}", vector["what"]);
    }
}

#[test]
fn a_request_that_is_not_quite_the_one_that_was_signed_is_not() {
    for vector in &vectors() {
        let wrong = |change: &dyn Fn(&mut Request)| {
            let mut request = request(vector);
            change(&mut request);
            checked(&request, vector)
        };
        let refused = Err("SignatureDoesNotMatch");
        assert_eq!(wrong(&|request| request.method = "PUT".to_owned()), refused);
        assert_eq!(wrong(&|request| request.target.insert(1, 'x')), refused);
        assert_eq!(
            wrong(&|request| request.headers.push(("x-oss-more".to_owned(), "1".to_owned()))),
            refused
        );
        let signed = request(vector).header("authorization").unwrap().to_owned();
        for name in ["host", "range", "if-match"].iter().filter(|name| signed.contains(**name)) {
            let change = |request: &mut Request| {
                request
                    .headers
                    .iter_mut()
                    .filter(|(known, _)| known == name)
                    .for_each(|(_, value)| value.push('1'));
            };
            assert_eq!(wrong(&change), refused, "{name} of {}", vector["what"]);
        }
        let other = Value::from("another secret");
        let mut with_other = vector.clone();
        with_other["secret"] = other;
        assert_eq!(checked(&request(vector), &with_other), refused);
    }
}
