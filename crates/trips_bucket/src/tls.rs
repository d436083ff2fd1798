//! TLS: certificates and keys of tests, which protect nothing. They are valid until 2126.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// A certificate that signs itself, in PEM, with its key.
#[derive(Debug, Clone, Copy)]
pub struct Certificate {
    /// The file with which clients trust it.
    pub pem: &'static str,
    certificate: &'static [u8],
    key: &'static [u8],
}

/// The certificate of 127.0.0.1.
pub const OF_LOOPBACK: Certificate = Certificate {
    pem: include_str!("certificates/loopback.pem"),
    certificate: include_bytes!("certificates/loopback.der"),
    key: include_bytes!("certificates/loopback.key.der"),
};

/// The certificate of `example.org`.
pub const OF_ANOTHER_HOST: Certificate = Certificate {
    pem: include_str!("certificates/other.pem"),
    certificate: include_bytes!("certificates/other.der"),
    key: include_bytes!("certificates/other.key.der"),
};

/// A connection, encrypted or not.
pub trait Connection: Read + Write {}

impl<C: Read + Write> Connection for C {}

/// The configuration of a server with this certificate.
pub(crate) fn config(certificate: Certificate) -> Arc<ServerConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring has all versions");
    let chain = vec![CertificateDer::from(certificate.certificate)];
    let key = PrivatePkcs8KeyDer::from(certificate.key);
    let config = builder.with_no_client_auth().with_single_cert(chain, key.into());
    Arc::new(config.expect("a certificate and its key"))
}

/// The connection behind the handshake, which its first read does.
pub(crate) fn accept(
    config: &Arc<ServerConfig>,
    connection: TcpStream,
) -> Option<impl Connection + use<>> {
    let session = ServerConnection::new(config.clone()).ok()?;
    Some(StreamOwned::new(session, connection))
}
