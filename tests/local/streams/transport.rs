//! The way to a source: TLS with the CAs of this machine, and proxies of the environment. Both are the environment's, so
//! each test runs itself once more with another one.

use std::fs;
use std::process::Command;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use spindle::config::SecretMap;
use spindle::config::producer::Source;
use spindle::config::producer::source::{HttpLines, Jetstream};
use spindle::logging::{self, Format};
use tempfile::TempDir;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};

use super::{Reading, pointer};
use crate::stub::proxy::Proxy;
use crate::stub::{Archive, Speaks, Step, Stub};

/// What the process that a test starts is to read, as `kind address`.
const READ: &str = "SPINDLE_TEST_READ";
const HOST: &str = "stream.example.org";

/// A server's certificate that vouches for itself, and the file that makes a client trust it.
fn certificate(directory: &TempDir) -> Arc<ServerConfig> {
    let own = rcgen::generate_simple_self_signed([HOST.to_owned()]).unwrap();
    let certificate = CertificateDer::from(own.cert);
    let text = STANDARD.encode(&certificate);
    let pem = format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n");
    fs::write(directory.path().join("ca.pem"), pem).unwrap();
    let key = PrivatePkcs8KeyDer::from(own.signing_key.serialize_der());
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let config = config.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
    Arc::new(config.with_single_cert(vec![certificate], key.into()).unwrap())
}

/// Runs `reader` in another process, and returns what it writes.
fn read(what: &str, environment: &[(&str, String)]) -> (bool, String) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "streams::transport::reader", "--nocapture", "--ignored"]).env(READ, what);
    for name in [
        "http_proxy",
        "https_proxy",
        "all_proxy",
        "no_proxy",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
        "NO_PROXY",
    ] {
        command.env_remove(name);
    }
    let output = command.envs(environment.iter().map(|(name, value)| (name, value))).output().unwrap();
    let text =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (output.status.success(), text)
}

/// The process that the other tests start.
#[tokio::test]
#[ignore = "started by the other tests of this file"]
async fn reader() {
    // Libraries as well, and everything that they say.
    logging::start("trace,spindle=trace", Format::Text, None).unwrap();
    let Ok(what) = std::env::var(READ) else { return };
    let (kind, address) = what.split_once(' ').unwrap();
    let source = match kind {
        "lines" => Source::HttpLines(HttpLines {
            url: format!("https://{address}/stream?token=p0hush"),
            headers: SecretMap::from_iter([("Authorization".to_owned(), "Bearer h0hush".to_owned())]),
            id: pointer("/id"),
            ..HttpLines::default()
        }),
        "jetstream" => Source::Jetstream(Jetstream {
            hosts: vec![address.to_owned()],
            fallback: Vec::new(),
            ..Jetstream::default()
        }),
        other => panic!("{other}"),
    };
    let mut reading = Reading::open(&source, None);
    let over = |reading: &Reading| reading.posts().len() == 2 || !reading.waits.is_empty();
    reading.until(over).await.unwrap();
    assert_eq!(reading.posts().len(), 2, "{:?}", reading.feed.health());
}

#[test]
fn secure_streams_go_through_the_proxy_to_a_server_that_a_ca_vouches_for() {
    let directory = TempDir::new().unwrap();
    let tls = certificate(&directory);
    let lines = vec![Step::Accept, Step::send("{\"id\":1}\n{\"id\":2}\n"), Step::Silence];
    let lines = Stub::start_as(Some(Arc::clone(&tls)), Speaks::Lines, vec![lines]);
    let replay = vec![Step::Accept, Step::Replay(2), Step::Silence];
    let jetstream = Stub::start_as(Some(tls), Speaks::JetstreamV2(Archive::of(2, 1)), vec![replay]);
    for (kind, stub) in [("lines", &lines), ("jetstream", &jetstream)] {
        let proxy = Proxy::start(stub.address());
        let ca = directory.path().join("ca.pem").display().to_string();
        let environment = [("https_proxy", proxy.url()), ("SSL_CERT_FILE", ca)];
        let (is_read, text) = read(&format!("{kind} {HOST}"), &environment);
        assert!(is_read, "{kind}: {text}");
        let targets: Vec<_> = proxy.requests().iter().map(|request| request.target.clone()).collect();
        assert_eq!(targets, [format!("{HOST}:443")], "the name is resolved by the proxy");
        assert_eq!(stub.requests().len(), 1);
        assert!(text.contains("TRACE") && !text.contains("h0hush"), "{text}");
    }
    assert_eq!(lines.requests()[0].header("authorization"), Some("Bearer h0hush"));
}

#[test]
fn a_server_that_nobody_vouches_for_is_not_read_and_the_remedy_is_told() {
    let directory = TempDir::new().unwrap();
    let stub = Stub::start_as(Some(certificate(&directory)), Speaks::Lines, vec![]);
    // Another one under the same name.
    certificate(&directory);
    let proxy = Proxy::start(stub.address());
    let ca = directory.path().join("ca.pem").display().to_string();
    let environment = [("https_proxy", proxy.url()), ("SSL_CERT_FILE", ca)];
    let (is_read, text) = read(&format!("lines {HOST}"), &environment);
    assert!(!is_read && stub.requests().is_empty(), "{text}");
    let told = "its certificate is not trusted: invalid peer certificate";
    assert!(text.contains(told) && text.contains("set SSL_CERT_FILE"), "{text}");
}
