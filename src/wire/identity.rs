//! One secret, one key, one certificate: both ends hold the same and accept no other. Feeds `link`.
//!
//! No authority, no names, no dates: whoever proves the key derived from the secret holds the secret. A reflected
//! proof does not pass, because TLS 1.3 signs different contexts for client and server (RFC 8446, 4.4.3).

use std::sync::Arc;

use rcgen::{CertificateParams, KeyPair, PKCS_ED25519};
use tokio_rustls::rustls::client::Resumption;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::crypto::{self, CryptoProvider};
use tokio_rustls::rustls::pki_types::{
    CertificateDer, PrivatePkcs8KeyDer, ServerName, SubjectPublicKeyInfoDer, UnixTime,
};
use tokio_rustls::rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use tokio_rustls::rustls::server::{NoServerSessionStorage, ParsedCertificate};
use tokio_rustls::rustls::version::TLS13;
use tokio_rustls::rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, DistinguishedName, Error, ServerConfig,
    SignatureScheme,
};

use super::secret::Secret;

/// PKCS#8 version 1 around a 32-byte Ed25519 seed (RFC 8410, section 7).
const PKCS8_PREFIX: [u8; 16] = *b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20";

/// What both ends of a link show and demand.
pub(super) struct Identity {
    pub(super) certificate: CertificateDer<'static>,
    pub(super) key: PrivatePkcs8KeyDer<'static>,
    pub(super) pinned: Arc<PinnedKey>,
}

impl Identity {
    /// The identity that this secret gives, always the same.
    pub(super) fn of(secret: &Secret) -> Result<Self, Error> {
        let seed = secret.derive("spindle link ed25519 v1");
        let key = PrivatePkcs8KeyDer::from([&PKCS8_PREFIX[..], &seed].concat());
        let certificate = self_signed(&key).map_err(|error| Error::General(error.to_string()))?;
        let pinned = PinnedKey {
            public_key: ParsedCertificate::try_from(&certificate)?.subject_public_key_info(),
            provider: crypto::ring::default_provider(),
        };
        Ok(Self { certificate, key, pinned: Arc::new(pinned) })
    }

    /// The listening side: demands the client's proof.
    pub(super) fn server(self) -> Result<ServerConfig, Error> {
        let mut config = ServerConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
            .with_protocol_versions(&[&TLS13])?
            .with_client_cert_verifier(self.pinned)
            .with_single_cert(vec![self.certificate], self.key.into())?;
        // A link lives as long as its session: there is nothing to resume, and each handshake proves the key.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(config)
    }

    /// The connecting side: demands the server's proof and gives its own.
    pub(super) fn client(self) -> Result<ClientConfig, Error> {
        let mut config = ClientConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
            .with_protocol_versions(&[&TLS13])?
            .dangerous()
            .with_custom_certificate_verifier(self.pinned)
            .with_client_auth_cert(vec![self.certificate], self.key.into())?;
        config.resumption = Resumption::disabled();
        config.enable_sni = false;
        Ok(config)
    }
}

fn self_signed(key: &PrivatePkcs8KeyDer<'_>) -> Result<CertificateDer<'static>, rcgen::Error> {
    let key = KeyPair::from_pkcs8_der_and_sign_algo(key, &PKCS_ED25519)?;
    Ok(CertificateParams::new(Vec::new())?.self_signed(&key)?.into())
}

/// Accepts a peer that proves one public key, whatever else its certificate says.
///
/// The key is compared, not the certificate, so that a newer certificate library may write it differently.
#[derive(Debug)]
pub(super) struct PinnedKey {
    public_key: SubjectPublicKeyInfoDer<'static>,
    provider: CryptoProvider,
}

impl PinnedKey {
    fn check(&self, certificate: &CertificateDer<'_>) -> Result<(), Error> {
        let shown = ParsedCertificate::try_from(certificate)?.subject_public_key_info();
        if shown == self.public_key {
            return Ok(());
        }
        Err(Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure))
    }

    fn check_proof(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        proof: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        crypto::verify_tls13_signature(message, certificate, proof, algorithms)
    }
}

/// Never called while only TLS 1.3 is configured; refuses should that change.
fn refuse_tls12() -> Result<HandshakeSignatureValid, Error> {
    Err(Error::General("TLS 1.2 is not spoken here".to_owned()))
}

impl ServerCertVerifier for PinnedKey {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.check(end_entity).map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        refuse_tls12()
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.check_proof(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }
}

impl ClientCertVerifier for PinnedKey {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.check(end_entity).map(|()| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        refuse_tls12()
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.check_proof(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }
}
