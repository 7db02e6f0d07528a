//! A stand-in for the metadata service of ECS, which gives the credentials of the instance's RAM role.
//!
//! help.aliyun.com, "Access instance metadata" and "Attach an instance RAM role to an ECS instance": in hardened mode
//! every question needs a token, which a PUT gives.

use super::server::{Answer, Server};
use super::{Keys, Request};

const ROLE: &str = "AliyunECSInstanceForEMRRole";
const TOKEN: &str = "AQAAAmetadata==";
const ROLES: &str = "/latest/meta-data/ram/security-credentials/";

/// The stand-in.
pub(crate) struct Metadata(Server);

impl Metadata {
    pub(crate) fn start(keys: Keys, hardened: bool) -> Self {
        Self(Server::start(move |request| answer(&request, &keys, hardened)))
    }

    /// As `ALIBABA_CLOUD_ECS_METADATA_SERVICE_ENDPOINT` names it.
    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.0.address())
    }
}

fn answer(request: &Request, keys: &Keys, hardened: bool) -> Answer {
    let said = |status: &str, body: &str| Answer::whole(status, "", body.as_bytes());
    let no = |status: &str| said(status, "<html>no</html>");
    match (request.method.as_str(), request.target.as_str()) {
        ("PUT", "/latest/api/token") if hardened => {
            let seconds = request.header("x-aliyun-ecs-metadata-token-ttl-seconds").unwrap_or_default();
            let allowed = seconds.parse().is_ok_and(|seconds: u32| (1..=21_600).contains(&seconds));
            if allowed { said("200 OK", TOKEN) } else { no("400 Bad Request") }
        }
        ("GET", _) if hardened && request.header("x-aliyun-ecs-metadata-token") != Some(TOKEN) => {
            no("403 Forbidden")
        }
        ("GET", ROLES) => said("200 OK", ROLE),
        ("GET", path) if path == format!("{ROLES}{ROLE}") => said("200 OK", &credentials(keys)),
        _ => no("404 Not Found"),
    }
}

fn credentials(keys: &Keys) -> String {
    let (id, secret, token) = (keys.id, keys.secret, keys.token.unwrap());
    format!(
        "{{\n  \"AccessKeyId\" : \"{id}\",\n  \"AccessKeySecret\" : \"{secret}\",\n  \"Expiration\" : \
         \"2099-11-29T16:00:00Z\",\n  \"SecurityToken\" : \"{token}\",\n  \"LastUpdated\" : \
         \"2026-11-29T10:00:00Z\",\n  \"Code\" : \"Success\"\n}}"
    )
}
