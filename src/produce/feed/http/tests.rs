//! Which answers end a source, and which end a connection only.

use super::*;

fn refusal(status: u16, body: &str) -> Refusal {
    let status = StatusCode::from_u16(status).unwrap();
    Refusal {
        status,
        reset: Some(Duration::from_secs(7)),
        headers: HeaderMap::new(),
        body: body.into(),
        url: "http://host/".parse().unwrap(),
        secrets: Secrets::default(),
    }
}

#[test]
fn answers_are_told_apart_by_what_can_be_done_about_them() {
    let reset = Some(Duration::from_secs(7));
    for status in [420, 429] {
        assert_eq!(refusal(status, "").ended().failure, Failure::RateLimited { reset });
    }
    for status in [301, 400, 401, 403, 405, 414, 415, 422, 431] {
        let Ended { failure, reason, .. } = refusal(status, "").ended();
        assert!(matches!(failure, Failure::Refused(_)) && reason == Reason::Refused, "{status}");
        assert_eq!(refusal(status, "").ended_here().failure, Failure::Http { status, reset });
    }
    for status in [404, 406, 408, 409, 410, 413, 416, 425, 499, 500, 502, 503, 504, 529] {
        assert_eq!(refusal(status, "").ended().failure, Failure::Http { status, reset });
    }
    for status in [200, 204] {
        assert_eq!(refusal(status, "").ended().failure, Failure::Io);
    }
}

#[test]
fn what_servers_say_is_escaped_and_cut() {
    let long = format!("\u{1b}[2Jno\n{}", "x".repeat(4_000));
    let words = refusal(503, &long).ended().words;
    assert!(words.starts_with("HTTP 503 Service Unavailable: \\u{1b}[2Jno\\nxxx"), "{words}");
    assert!(words.len() < 400, "{}", words.len());
    let mut redirect = refusal(302, "moved");
    redirect.headers.insert("location", HeaderValue::from_static("https://elsewhere.example.org/"));
    assert_eq!(redirect.ended().words, "HTTP 302 Found, to https://elsewhere.example.org/");
}

#[test]
fn addresses_of_websockets_are_those_of_http() {
    for (text, address, shown) in [
        ("wss://host/a?token=s", "https://host/a?token=s", "host"),
        ("ws://host:81/b", "http://host:81/b", "host:81"),
        ("https://host", "https://host/", "host"),
    ] {
        let url = url(text).unwrap();
        assert_eq!((url.as_str(), &*place(&url)), (address, shown));
    }
    let error = url("https://ho st/?token=secret").unwrap_err().to_string();
    assert!(!error.contains("secret"), "{error}");
}

#[test]
fn what_a_request_holds_is_hidden_where_the_server_repeats_it() {
    let client = Http::new(false, Clock::start()).unwrap();
    let mut token = HeaderValue::from_static("Bearer h0hush==");
    token.set_sensitive(true);
    let request = client
        .post("http://host/a?access_token=q%2F0hush&lang=en".parse().unwrap())
        .header("authorization", token)
        .body("track=f0hush%20x");
    let secrets = Secrets::of(&request.build().unwrap());
    let body =
        "no /a?access_token=q%2F0hush&lang=en for q/0hush, Bearer h0hush==, h0hush, f0hush x or f0hush%20x";
    let said = Refusal { secrets: secrets.clone(), ..refusal(404, body) }.ended().words;
    assert!(!said.contains("hush") && said.contains("access_token=***"), "{said}");
    let mut moved = Refusal { secrets, ..refusal(302, "") };
    for (to, shown) in [
        (
            "https://u:p@other.example:8/b/q/0hush?access_token=q%2F0hush#h0hush",
            "https://other.example:8/b/***",
        ),
        ("/login?next=q%2F0hush", "http://host/login"),
    ] {
        moved.headers.insert("location", HeaderValue::from_static(to));
        assert_eq!(moved.words(), format!("HTTP 302 Found, to {shown}"));
    }
}
