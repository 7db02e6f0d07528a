//! What OSS says no with: an XML document with a code. Turned into what it means and what to do.
//!
//! Codes: help.aliyun.com, "OSS error responses" and the pages of its HTTP status codes. A bucket of another region is
//! answered with `AccessDenied` and an element `Endpoint`.

use super::error::{Why, shown};
use super::url::ObjectUrl;

/// Longest document that is read, in bytes.
pub(super) const BYTES_MAX: usize = 64 << 10;

/// What the document says.
#[derive(Debug, Default)]
struct Told {
    code: String,
    message: String,
    endpoint: Option<String>,
    request: Option<String>,
    server_time: Option<String>,
}

/// Why OSS refuses `url`, by its HTTP status and the answer's body.
pub(super) fn read(url: &ObjectUrl, status: u16, body: &[u8]) -> Why {
    let Some(told) = parse(body) else {
        let told = format!("{status} from a server that does not answer as OSS does; is the endpoint right?");
        return Why::Refused { code: String::new(), told };
    };
    let bucket = &url.bucket;
    let meaning = match told.code.as_str() {
        "InvalidAccessKeyId" => {
            "the access key id is not known to OSS, or disabled; check OSS_ACCESS_KEY_ID".to_owned()
        }
        "SignatureDoesNotMatch" => {
            "the access key secret does not belong to the access key id; check OSS_ACCESS_KEY_SECRET"
                .to_owned()
        }
        "SecurityTokenExpired" => "the security token has expired; get new temporary credentials".to_owned(),
        "InvalidSecurityToken" => {
            "the security token does not belong to the access key; set both anew".to_owned()
        }
        "RequestTimeTooSkewed" => {
            let theirs = told.server_time.as_deref().map(|time| format!(", where it is {}", shown(time)));
            let theirs = theirs.unwrap_or_default();
            format!(
                "this machine's clock is more than 15 minutes off OSS's{theirs}; set it right, as by chronyc makestep"
            )
        }
        "NoSuchKey" => "there is no such object; check the key".to_owned(),
        "NoSuchBucket" => format!("there is no bucket {bucket}; check its name"),
        "AccessDenied" | "TemporaryRedirect" | "PermanentRedirect" if told.endpoint.is_some() => {
            let endpoint = shown(told.endpoint.as_deref().unwrap_or_default());
            format!("bucket {bucket} is in another region; give --oss-endpoint {endpoint}")
        }
        "AccessDenied" => {
            format!("these credentials may not read it ({}); it takes oss:GetObject", shown(&told.message))
        }
        _ if told.message.to_ascii_lowercase().contains("region") => {
            format!("{}; is --oss-region (or OSS_REGION) the bucket's?", shown(&told.message))
        }
        _ => shown(&told.message),
    };
    let request = told.request.as_deref().map(|id| format!(", request {}", shown(id))).unwrap_or_default();
    let code = shown(&told.code);
    Why::Refused { told: format!("{meaning} ({status} {code}{request})"), code }
}

fn parse(body: &[u8]) -> Option<Told> {
    let document = roxmltree::Document::parse(std::str::from_utf8(body).ok()?).ok()?;
    let error = Some(document.root_element()).filter(|root| root.has_tag_name("Error"))?;
    let text = |name: &str| {
        let element = error.children().find(|node| node.has_tag_name(name))?;
        element.text().map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned)
    };
    Some(Told {
        code: text("Code")?,
        message: text("Message").unwrap_or_default(),
        endpoint: text("Endpoint"),
        request: text("RequestId"),
        server_time: text("ServerTime"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(status: u16, body: &str) -> String {
        read(&ObjectUrl::parse("oss://jars/a").unwrap(), status, body.as_bytes()).to_string()
    }

    fn error(code: &str, message: &str, more: &str) -> String {
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error>\n  <Code>{code}</Code>\n  <Message>{message}</Message>\n  \
             <RequestId>5C3D</RequestId>\n  <HostId>jars.oss-cn-hangzhou.aliyuncs.com</HostId>{more}\n</Error>"
        )
    }

    /// The body of aliyun/aliyun-oss-python-sdk's users who asked the wrong region.
    #[test]
    fn a_bucket_of_another_region_is_told_with_its_endpoint() {
        let message = "The bucket you are attempting to access must be addressed using the specified endpoint. Please send \
                       all future requests to this endpoint.";
        let body = error("AccessDenied", message, "<Endpoint>oss-cn-beijing.aliyuncs.com</Endpoint>");
        let remedy = "bucket jars is in another region; give --oss-endpoint oss-cn-beijing.aliyuncs.com";
        assert_eq!(told(403, &body), format!("{remedy} (403 AccessDenied, request 5C3D)"));
        let body = error("InvalidArgument", "Invalid signing region in Authorization header.", "");
        assert!(
            told(400, &body).contains("is --oss-region (or OSS_REGION) the bucket's?"),
            "{}",
            told(400, &body)
        );
    }

    #[test]
    fn each_refusal_names_its_remedy() {
        let cases = [
            ("InvalidAccessKeyId", 403, "check OSS_ACCESS_KEY_ID"),
            ("SignatureDoesNotMatch", 403, "check OSS_ACCESS_KEY_SECRET"),
            ("SecurityTokenExpired", 403, "get new temporary credentials"),
            ("RequestTimeTooSkewed", 403, "set it right"),
            ("AccessDenied", 403, "oss:GetObject"),
            ("NoSuchKey", 404, "check the key"),
            ("NoSuchBucket", 404, "there is no bucket jars"),
        ];
        for (code, status, remedy) in cases {
            let line = told(status, &error(code, "Words.", ""));
            assert!(
                line.contains(remedy) && line.ends_with(&format!("({status} {code}, request 5C3D)")),
                "{line}"
            );
        }
        let skewed = error("RequestTimeTooSkewed", "", "<ServerTime>2026-11-29T10:00:00.000Z</ServerTime>");
        assert!(told(403, &skewed).contains("where it is 2026-11-29T10:00:00.000Z"));
    }

    #[test]
    fn words_of_a_server_are_escaped_and_cut() {
        let line = told(400, &error("Odd\u{202e}", &format!("a\u{9b}2J&#x202e;{}", "x".repeat(5000)), ""));
        assert!(
            line.len() < 500 && !line.contains(['\u{9b}', '\u{202e}']) && line.contains("\\u{9b}2J"),
            "{line}"
        );
        for strange in ["", "<html>", "<a/>", "{}", "<Error></Error>"] {
            assert!(told(502, strange).contains("is the endpoint right?"), "{strange}");
        }
        // A document type may make a small document large.
        let bomb = "<!DOCTYPE x [<!ENTITY a \"aa\">]><Error><Code>&a;</Code></Error>";
        assert!(told(400, bomb).contains("is the endpoint right?"));
    }
}
