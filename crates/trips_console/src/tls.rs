//! The listening socket, with TLS if there is a certificate.

use std::fs::File;
use std::io::{self, BufReader};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::serve::Listener;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{Receiver, channel};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::options::TlsFiles;

/// How long a browser may take for the handshake.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// Handshakes that may be done and wait to be served.
const QUEUE: usize = 32;

/// What TLS needs.
///
/// # Errors
/// When a file cannot be read, or has no certificate or key that fit.
pub fn acceptor(files: &TlsFiles) -> Result<TlsAcceptor, String> {
    let open = |path: &std::path::Path| {
        File::open(path)
            .map(BufReader::new)
            .map_err(|error| format!("could not read file \"{}\": {error}", path.display()))
    };
    let invalid = |path: &std::path::Path, error: &dyn std::fmt::Display| {
        format!("could not use file \"{}\": {error}", path.display())
    };
    let certificates = CertificateDer::pem_reader_iter(open(&files.certificate)?)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| invalid(&files.certificate, &error))?;
    let key = PrivateKeyDer::from_pem_reader(open(&files.key)?)
        .map_err(|error| invalid(&files.key, &error))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_no_client_auth()
        .with_single_cert(certificates, key)
        .map_err(|error| invalid(&files.certificate, &error))?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Streams whose handshake is done. A browser that is slow with it delays no other.
pub struct TlsListener {
    streams: Receiver<(TlsStream<TcpStream>, SocketAddr)>,
    address: SocketAddr,
}

impl TlsListener {
    pub fn new(listener: TcpListener, acceptor: TlsAcceptor) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let (sender, streams) = channel(QUEUE);
        tokio::spawn(async move {
            let mut listener = listener;
            while !sender.is_closed() {
                // Waits by itself when the process has too many open files.
                let (stream, peer) = Listener::accept(&mut listener).await;
                let (acceptor, sender) = (acceptor.clone(), sender.clone());
                tokio::spawn(async move {
                    if let Ok(Ok(stream)) =
                        tokio::time::timeout(HANDSHAKE, acceptor.accept(stream)).await
                    {
                        let _ = sender.send((stream, peer)).await;
                    }
                });
            }
        });
        Ok(Self { streams, address })
    }
}

impl Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        match self.streams.recv().await {
            Some(accepted) => accepted,
            // The task above ends with the runtime only.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}
