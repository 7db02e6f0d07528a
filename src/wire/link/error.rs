//! Why a link could not be made or ended, in words that name the likely cause. Feeds `link`.

use std::io;
use std::time::Duration;

use tokio_rustls::rustls::{AlertDescription, Error as TlsError};

use super::super::frame::FrameError;

/// Why there is no link, or no longer one.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// No key or certificate could be made of the secret.
    #[error("prepare TLS from the secret: {0}")]
    Setup(TlsError),
    /// Nobody listens there, or the name or the way to it is unknown.
    #[error("connect to {peer}: {source}; is the driver running, and may this host reach it?")]
    Unreachable {
        /// Address as it was given.
        peer: String,
        /// What the system said.
        source: io::Error,
    },
    /// The other end did not prove itself in time.
    #[error("link with {peer}: no handshake within {after:?}")]
    TimedOut {
        /// The other end.
        peer: String,
        /// The time it had.
        after: Duration,
    },
    /// Too many connections are proving themselves; this one was refused unheard.
    #[error("link with {peer}: refused, too many others have not finished their handshake; try again")]
    Crowded {
        /// The other end.
        peer: String,
    },
    /// One end holds another secret.
    #[error(
        "link with {peer}: secret differs; one of the two belongs to another application or an earlier run"
    )]
    SecretDiffers {
        /// The other end.
        peer: String,
    },
    /// The client showed no certificate at all.
    #[error("link with {peer}: no proof of the secret was offered; the client is not a spindle process")]
    NoProof {
        /// The other end.
        peer: String,
    },
    /// The other end speaks something else: plain text, an older TLS, or garbage.
    #[error("link with {peer}: it does not speak TLS 1.3 as spindle does ({source})")]
    NotSpindle {
        /// The other end.
        peer: String,
        /// What TLS found.
        source: TlsError,
    },
    /// TLS failed in another way.
    #[error("link with {peer}: {source}")]
    Tls {
        /// The other end.
        peer: String,
        /// What TLS found.
        source: TlsError,
    },
    /// The server ended or sent something else in place of its hello.
    #[error(
        "link with {peer}: the handshake passed but no hello followed; the driver is ending, or another version"
    )]
    NoHello {
        /// The other end.
        peer: String,
    },
    /// What came, or was to go, is no frame.
    #[error("link with {peer}: {source}")]
    Frame {
        /// The other end.
        peer: String,
        /// Why it is none.
        source: FrameError,
    },
    /// The connection broke, or ended without the other end saying so: its process or its host died.
    #[error("link with {peer}: lost: {source}")]
    Lost {
        /// The other end.
        peer: String,
        /// What the system said.
        source: io::Error,
    },
}

impl LinkError {
    /// Finds the cause behind what tokio-rustls reports as an I/O error.
    pub(super) fn explain(peer: &str, error: io::Error) -> Self {
        let peer = peer.to_owned();
        let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<TlsError>()).cloned();
        match tls {
            // What rustls says of a stream that ends without a goodbye is written for programmers.
            None if error.kind() == io::ErrorKind::UnexpectedEof => Self::Lost {
                peer,
                source: io::Error::new(error.kind(), "the process at the other end is gone"),
            },
            None => Self::Lost { peer, source: error },
            Some(TlsError::InvalidCertificate(_)) => Self::SecretDiffers { peer },
            // What `PinnedKey` at the other end answers; the others mean that it could not verify our proof.
            Some(TlsError::AlertReceived(
                AlertDescription::AccessDenied
                | AlertDescription::BadCertificate
                | AlertDescription::DecryptError,
            )) => Self::SecretDiffers { peer },
            Some(
                TlsError::NoCertificatesPresented
                | TlsError::AlertReceived(AlertDescription::CertificateRequired),
            ) => Self::NoProof { peer },
            Some(
                source @ (TlsError::InvalidMessage(_)
                | TlsError::PeerIncompatible(_)
                | TlsError::AlertReceived(
                    AlertDescription::ProtocolVersion | AlertDescription::HandshakeFailure,
                )),
            ) => Self::NotSpindle { peer, source },
            Some(source) => Self::Tls { peer, source },
        }
    }
}
