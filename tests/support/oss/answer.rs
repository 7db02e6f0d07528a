//! What OSS answers: an object or a part of it, or an error as XML.
//!
//! help.aliyun.com, "GetObject" and "OSS error responses".

use super::Fault;
use super::request::Request;
use super::server::{Answer, Then};

/// An error with this code.
pub(super) fn error(status: u16, code: &str, more: &str) -> Answer {
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error>\n  <Code>{code}</Code>\n  <Message>About {code}.</Message>\n  \
         <RequestId>5C3D9175B6FC201293AD0001</RequestId>\n  <HostId>127.0.0.1</HostId>\n  {more}\n</Error>\n"
    );
    Answer::whole(
        &status_line(status),
        "Content-Type: application/xml\r\nServer: AliyunOSS\r\n",
        body.as_bytes(),
    )
}

fn status_line(status: u16) -> String {
    format!("{status} Whatever")
}

/// An object that is there.
pub(super) fn found(request: &Request, content: &[u8], fault: Option<&Fault>) -> Answer {
    let etag = format!("\"{:08X}\"", crc32c::crc32c(content));
    match fault {
        Some(Fault::Status(status)) => return Answer::whole(&status_line(*status), "", b""),
        Some(Fault::Redirect(to)) => {
            return Answer::whole("302 Found", &format!("Location: {to}\r\n"), b"");
        }
        _ => {}
    }
    if request.header("if-match").is_some_and(|wanted| wanted != etag) {
        return error(412, "PreconditionFailed", "<Condition>If-Match</Condition>");
    }
    let from = request.header("range").map(|range| {
        range.strip_prefix("bytes=").and_then(|range| range.strip_suffix('-')?.parse::<usize>().ok()).unwrap()
    });
    let standard = request.header("x-oss-range-behavior") == Some("standard");
    let from = match from {
        Some(from) if from >= content.len() && standard => return error(416, "InvalidRange", ""),
        // Not as RFC 9110 has it, but as OSS does it.
        Some(from) if from >= content.len() => None,
        other => other,
    };
    let told = content.len() + if let Some(Fault::TellMore(more)) = fault { *more } else { 0 };
    let begin = from.unwrap_or(0);
    let status = if from.is_some() { "206 Partial Content" } else { "200 OK" };
    let range = from.map(|from| format!("Content-Range: bytes {from}-{}/{told}\r\n", told.saturating_sub(1)));
    let common =
        format!("ETag: {etag}\r\nAccept-Ranges: bytes\r\n{}Connection: close\r\n", range.unwrap_or_default());
    let mut body = content[begin..].to_vec();
    let length = match fault {
        Some(Fault::TellLess(bytes)) => format!("Content-Length: {bytes}\r\n"),
        Some(Fault::SendMore(more)) => {
            body.extend(vec![b'+'; *more]);
            body = [format!("{:x}\r\n", body.len()).as_bytes(), &body, b"\r\n0\r\n\r\n"].concat();
            "Transfer-Encoding: chunked\r\n".to_owned()
        }
        _ => format!("Content-Length: {}\r\n", told - begin),
    };
    if let Some(Fault::Cut(bytes) | Fault::CutAndChange(bytes, _) | Fault::Silent(bytes)) = fault {
        body.truncate(*bytes);
    }
    let then = match fault {
        Some(Fault::Silent(_)) => Then::Hold,
        Some(Fault::Trickle) => {
            body.clear();
            Then::Trickle
        }
        _ => Then::Close,
    };
    let head = format!("HTTP/1.1 {status}\r\n{common}{length}\r\n");
    Answer { bytes: [head.as_bytes(), &body].concat(), then }
}
