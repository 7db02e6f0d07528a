//! Links over loopback: who is let in, who is not, and what each end then knows.

use std::sync::LazyLock;

use tokio::net::TcpListener;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{AlertDescription, ClientConfig, Error as TlsError, SupportedProtocolVersion};

use super::super::frame::{FrameError, MAX_FRAME_BYTES};
use super::*;

static OURS: LazyLock<Secret> = LazyLock::new(|| Secret::generate().unwrap());
static OTHER: LazyLock<Secret> = LazyLock::new(|| Secret::generate().unwrap());
const LONG: Duration = Duration::from_secs(30);

struct Server {
    listener: TcpListener,
    acceptor: Acceptor,
    addr: String,
}

impl Server {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap().to_string();
        Self { listener, acceptor: Acceptor::new(&OURS).unwrap(), addr }
    }

    async fn accept(&self) -> Result<Link, LinkError> {
        let (tcp, _) = self.listener.accept().await.unwrap();
        self.acceptor.accept(tcp).await
    }

    async fn linked(&self) -> (Link, Link) {
        let (here, there) = tokio::join!(self.accept(), connect(&self.addr, &OURS, LONG));
        (here.unwrap(), there.unwrap())
    }

    /// What both ends find when this client comes.
    async fn refused(&self, client: ClientConfig) -> (LinkError, LinkError) {
        let client = TlsConnector::from(Arc::new(client));
        let (here, there) = tokio::join!(self.accept(), connect_with(&self.addr, client, LONG));
        (here.unwrap_err(), there.unwrap_err())
    }
}

fn client_without_proof(version: &'static SupportedProtocolVersion) -> ClientConfig {
    ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[version])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Identity::of(&OURS).unwrap().pinned)
        .with_no_client_auth()
}

#[tokio::test]
async fn two_ends_with_one_secret_exchange_frames_and_part_cleanly() {
    let server = Server::start().await;
    let (here, there) = server.linked().await;
    let ((mut to_client, mut from_client), (mut to_server, mut from_server)) = (here.split(), there.split());
    let large = vec![0xa5; 3 << 20];
    let talk = async {
        to_server.send(7, &large).await.unwrap();
        to_server.send(8, b"").await.unwrap();
        let answer = from_server.recv().await.unwrap().unwrap();
        assert_eq!((answer.kind, &answer.payload[..]), (9, &b"answer"[..]));
        to_server.close().await.unwrap();
    };
    let listen = async {
        let first = from_client.recv().await.unwrap().unwrap();
        assert_eq!((first.kind, first.payload.len()), (7, large.len()));
        assert_eq!(from_client.recv().await.unwrap().unwrap().kind, 8);
        to_client.send(9, b"answer").await.unwrap();
        assert!(from_client.recv().await.unwrap().is_none());
    };
    tokio::join!(talk, listen);
}

#[tokio::test]
async fn a_client_with_another_secret_refuses_and_is_told() {
    let server = Server::start().await;
    let (here, there) = server.refused(Identity::of(&OTHER).unwrap().client().unwrap()).await;
    assert!(matches!(here, LinkError::SecretDiffers { .. }), "{here}");
    assert!(matches!(there, LinkError::SecretDiffers { .. }), "{there}");
    assert!(there.to_string().contains("secret differs"), "{there}");
}

#[tokio::test]
async fn a_client_that_only_knows_the_servers_key_is_refused_by_the_server() {
    let server = Server::start().await;
    let (ours, other) = (Identity::of(&OURS).unwrap(), Identity::of(&OTHER).unwrap());
    let (here, there) = server.refused(Identity { pinned: ours.pinned, ..other }.client().unwrap()).await;
    assert!(matches!(here, LinkError::SecretDiffers { .. }), "{here}");
    assert!(matches!(there, LinkError::SecretDiffers { .. }), "{there}");
}

#[tokio::test]
async fn a_copied_certificate_without_its_key_is_no_proof() {
    let server = Server::start().await;
    let (ours, other) = (Identity::of(&OURS).unwrap(), Identity::of(&OTHER).unwrap());
    // rustls would refuse to load a certificate with a key that is not its own; so the resolver is set by hand.
    let key = ring::sign::any_eddsa_type(&other.key).unwrap();
    let copied = tokio_rustls::rustls::sign::CertifiedKey::new(vec![ours.certificate.clone()], key);
    let resolver = Arc::new(tokio_rustls::rustls::sign::SingleCertAndKey::from(copied));
    let mut client = ours.client().unwrap();
    client.client_auth_cert_resolver = resolver;
    let (here, there) = server.refused(client).await;
    assert!(matches!(here, LinkError::SecretDiffers { .. }), "{here}");
    assert!(matches!(there, LinkError::SecretDiffers { .. }), "{there}");
}

#[tokio::test]
async fn a_server_with_another_secret_is_refused_by_the_client() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap().to_string();
    let (ours, other) = (Identity::of(&OURS).unwrap(), Identity::of(&OTHER).unwrap());
    // It would take the client, so the refusal is the client's alone.
    let stranger = Identity { pinned: ours.pinned, ..other }.server().unwrap();
    let stranger = TlsAcceptor::from(Arc::new(stranger));
    let accept = async {
        let (tcp, _) = listener.accept().await.unwrap();
        LinkError::explain("client", stranger.accept(tcp).await.err().unwrap())
    };
    let (here, there) = tokio::join!(accept, connect(&addr, &OURS, LONG));
    assert!(matches!(here, LinkError::SecretDiffers { .. }), "{here}");
    assert!(matches!(there, Err(LinkError::SecretDiffers { .. })), "{there:?}");
}

#[tokio::test]
async fn a_client_without_certificate_is_refused_on_both_ends_by_name() {
    let server = Server::start().await;
    let (here, there) = server.refused(client_without_proof(&TLS13)).await;
    assert!(matches!(here, LinkError::NoProof { .. }), "{here}");
    assert!(matches!(there, LinkError::NoProof { .. }), "{there}");
}

#[tokio::test]
async fn tls_1_2_is_refused() {
    let server = Server::start().await;
    let (here, there) = server.refused(client_without_proof(&TLS12)).await;
    assert!(matches!(here, LinkError::NotSpindle { .. }), "{here}");
    let alert = TlsError::AlertReceived(AlertDescription::ProtocolVersion);
    assert!(matches!(&there, LinkError::NotSpindle { source, .. } if *source == alert), "{there}");
}

#[tokio::test]
async fn strangers_do_not_disturb_a_link_that_is_being_made() {
    let server = Server::start().await;
    let connect_raw = || TcpStream::connect(&server.addr);
    let (mut http, mut noise, silent) =
        (connect_raw().await.unwrap(), connect_raw().await.unwrap(), connect_raw().await.unwrap());
    http.write_all(b"GET / HTTP/1.1\r\nHost: driver\r\n\r\n").await.unwrap();
    noise.write_all(&[0x16, 3, 1, 0xff, 0xff, 1, 2, 3, 4, 5, 6, 7, 8, 9]).await.unwrap();
    noise.shutdown().await.unwrap();
    let mut accepted = tokio::task::JoinSet::new();
    let acceptor = Arc::new(Acceptor { deadline: LONG, ..Acceptor::new(&OURS).unwrap() });
    let accept_all = async {
        for _ in 0..4 {
            let (tcp, _) = server.listener.accept().await.unwrap();
            let acceptor = Arc::clone(&acceptor);
            accepted.spawn(async move { acceptor.accept(tcp).await });
        }
    };
    let (link, ()) = tokio::join!(connect(&server.addr, &OURS, LONG), accept_all);
    link.unwrap();
    drop(silent);
    let mut outcomes: Vec<String> = Vec::new();
    while let Some(outcome) = accepted.join_next().await {
        outcomes.push(match outcome.unwrap() {
            Ok(_) => "linked".to_owned(),
            Err(LinkError::NotSpindle { .. }) => "not spindle".to_owned(),
            Err(LinkError::Lost { .. }) => "lost".to_owned(),
            Err(other) => other.to_string(),
        });
    }
    outcomes.sort();
    assert_eq!(outcomes.len(), 4);
    assert_eq!(outcomes.iter().filter(|outcome| *outcome == "linked").count(), 1, "{outcomes:?}");
    assert!(
        outcomes.iter().all(|outcome| ["linked", "not spindle", "lost"].contains(&&**outcome)),
        "{outcomes:?}"
    );
}

#[tokio::test]
async fn a_silent_client_is_dropped_at_the_deadline() {
    let mut server = Server::start().await;
    server.acceptor.deadline = Duration::from_millis(20);
    let mut silent = TcpStream::connect(&server.addr).await.unwrap();
    let error = server.accept().await.unwrap_err();
    assert!(matches!(error, LinkError::TimedOut { .. }), "{error}");
    assert_eq!(silent.read(&mut [0; 16]).await.unwrap(), 0, "the connection is closed");
    assert_eq!(server.acceptor.unproven.available_permits(), HANDSHAKES_MAX);
}

#[tokio::test]
async fn one_handshake_too_many_is_refused_unheard() {
    let mut server = Server::start().await;
    server.acceptor.unproven = Semaphore::new(0);
    let (here, there) = tokio::join!(server.accept(), connect(&server.addr, &OURS, LONG));
    assert!(matches!(here, Err(LinkError::Crowded { .. })), "{here:?}");
    assert!(matches!(there, Err(LinkError::Lost { .. })), "{there:?}");
}

#[tokio::test]
async fn connect_says_who_could_not_be_reached() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap().to_string();
    let silent = connect(&addr, &OURS, Duration::from_millis(20)).await.unwrap_err();
    assert_eq!(silent.to_string(), format!("link with {addr}: no handshake within 20ms"));
    drop(listener);
    let gone = connect(&addr, &OURS, LONG).await.unwrap_err();
    assert!(gone.to_string().starts_with(&format!("connect to {addr}: Connection refused")), "{gone}");
}

#[tokio::test]
async fn an_oversized_frame_ends_the_link_with_the_reason() {
    let server = Server::start().await;
    let (here, there) = server.linked().await;
    let ((_to_client, mut from_client), (mut to_server, _from_server)) = (here.split(), there.split());
    let error = to_server.send(1, &vec![0; MAX_FRAME_BYTES]).await.unwrap_err();
    assert!(matches!(error, LinkError::Frame { source: FrameError::TooLong { .. }, .. }), "{error}");
    to_server.unsent.extend_from_slice(&u32::MAX.to_le_bytes());
    to_server.send(1, b"never seen").await.unwrap();
    let error = from_client.recv().await.unwrap_err();
    assert!(matches!(error, LinkError::Frame { source: FrameError::TooLong { .. }, .. }), "{error}");
    assert!(from_client.recv().await.unwrap().is_none(), "nothing is read after an error");
}

#[tokio::test]
async fn an_end_that_vanishes_is_lost_not_closed() {
    let server = Server::start().await;
    let (here, there) = server.linked().await;
    let ((_to_client, mut from_client), (mut to_server, from_server)) = (here.split(), there.split());
    to_server.send(1, b"last words").await.unwrap();
    drop((to_server, from_server));
    assert!(from_client.recv().await.unwrap().is_some());
    let error = from_client.recv().await.unwrap_err();
    assert!(matches!(error, LinkError::Lost { .. }), "{error}");
}
