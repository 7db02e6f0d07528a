//! A stand-in for STS, which gives the temporary credentials of a role.
//!
//! help.aliyun.com, "AssumeRole" and "AssumeRoleWithOIDC". Its signatures, another kind than OSS's, are not checked here.

use super::server::{Answer, Server};
use super::{KEYS, Keys, Request};

/// The token of the pod that may assume the role.
pub(crate) const OIDC_TOKEN: &str = "eyJhbGciOiJSUzI1NiJ9.pod.signed";

/// The stand-in.
pub(crate) struct Sts(Server);

impl Sts {
    /// One that gives `keys` for the role `reader`.
    pub(crate) fn start(keys: Keys) -> Self {
        Self(Server::start(move |request| answer(&request, &keys)))
    }

    /// As `ALIBABA_CLOUD_STS_ENDPOINT` names it.
    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.0.address())
    }
}

fn answer(request: &Request, keys: &Keys) -> Answer {
    let given =
        |name: &str, value: &str| request.query().split('&').any(|pair| pair == format!("{name}={value}"));
    let asker = match request.query() {
        query if query.contains("Action=AssumeRoleWithOIDC") => given("OIDCToken", OIDC_TOKEN),
        _ => given("Action", "AssumeRole") && given("AccessKeyId", KEYS.id),
    };
    if !asker || !given("RoleArn", "acs%3Aram%3A%3A1%3Arole%2Freader") {
        let no = b"{\"Code\":\"NoPermission\",\"Message\":\"You are not authorized to do this action.\"}";
        return Answer::whole("403 Forbidden", "Content-Type: application/json\r\n", no);
    }
    let (id, secret, token) = (keys.id, keys.secret, keys.token.unwrap());
    let body = format!(
        "{{\"RequestId\":\"5C3D\",\"Credentials\":{{\"AccessKeyId\":\"{id}\",\"AccessKeySecret\":\"{secret}\",\
         \"SecurityToken\":\"{token}\",\"Expiration\":\"2099-11-29T16:00:00Z\"}}}}"
    );
    Answer::whole("200 OK", "Content-Type: application/json\r\n", body.as_bytes())
}
