//! The way to OSS: TLS with the CAs of this machine, the host's name with the bucket in it, a proxy.

use std::fs;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};

use super::Person;
use crate::oss_server::{KEYS, Oss};

/// A server's certificate that vouches for itself, and the file that makes a client trust it.
fn certificate() -> (Arc<ServerConfig>, String) {
    let own = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let certificate = CertificateDer::from(own.cert);
    let text = STANDARD.encode(&certificate);
    let pem = format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n");
    let key = PrivatePkcs8KeyDer::from(own.signing_key.serialize_der());
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let config = config.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
    (Arc::new(config.with_single_cert(vec![certificate], key.into()).unwrap()), pem)
}

#[test]
fn a_server_is_asked_only_if_a_ca_of_this_machine_vouches_for_it() {
    let (tls, pem) = certificate();
    let oss = Oss::start_as(Some(tls));
    oss.put("a", "content");
    let person = Person::new(&oss, &KEYS).set("OSS_ENDPOINT", oss.address()).set("SSL_CERT_FILE", "ca.pem");
    fs::write(person.dir().join("ca.pem"), pem).unwrap();
    assert_eq!(person.fetch("a", &[]).0, Some(0));
    assert_eq!(oss.asked().len(), 2);

    fs::write(person.dir().join("ca.pem"), certificate().1).unwrap();
    let error = person.refused("a", &["-o", "b"]);
    assert!(
        error.contains("its server is not trusted: invalid peer certificate")
            && error.contains("SSL_CERT_FILE"),
        "{error}"
    );
    fs::write(person.dir().join("ca.pem"), "").unwrap();
    let error = person.refused("a", &["-o", "b"]);
    assert!(
        error.contains("no HTTPS client") && error.contains("install the package ca-certificates"),
        "{error}"
    );
    assert!(oss.asked().is_empty(), "no signature has left this machine");
}

#[test]
fn the_bucket_is_part_of_the_hosts_name_and_requests_go_by_the_proxy() {
    let oss = Oss::start();
    oss.put("a b/c", "content");
    let person = Person::new(&oss, &KEYS)
        .set("OSS_ENDPOINT", "http://oss-cn-hangzhou-internal.aliyuncs.com")
        .set("OSS_REGION", "")
        .set("http_proxy", oss.endpoint());
    let (code, _, error) = person.fetch("a b/c", &[]);
    assert_eq!(code, Some(0), "{error}");
    let asked = oss.asked();
    assert_eq!(asked[1].header("host"), Some("jars.oss-cn-hangzhou-internal.aliyuncs.com"));
    // Signed with the host: whoever sees the request cannot send it elsewhere.
    assert!(asked[1].header("authorization").unwrap().contains("AdditionalHeaders=host;range,"), "{asked:?}");
    assert_eq!(asked[1].target, "/jars/a%20b/c");
}
