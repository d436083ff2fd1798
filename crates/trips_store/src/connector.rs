//! HTTP clients: TLS by rustls and ring, the certificates of the system, names resolved behind the gate.

use std::net::SocketAddr;
use std::sync::Arc;

use object_store::ClientOptions;
use object_store::client::{HttpClient, HttpConnector};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use rustls::{ClientConfig, RootCertStore};

use crate::retry::Options;
use crate::service::{Gate, Purpose, Service, UnknownName};

/// Makes the clients of one purpose.
#[derive(Debug, Clone)]
pub struct Connector {
    purpose: Purpose,
    tls: Arc<ClientConfig>,
    options: Options,
}

impl Connector {
    /// Clients that reach only the hosts of a gate.
    pub fn for_objects(gate: Arc<Gate>, tls: Arc<ClientConfig>, options: &Options) -> Self {
        Self { purpose: Purpose::Objects(gate), tls, options: options.clone() }
    }

    /// Clients that fetch credentials.
    pub fn for_credentials(tls: Arc<ClientConfig>, options: &Options) -> Self {
        Self { purpose: Purpose::Credentials, tls, options: options.clone() }
    }

    /// A client.
    pub fn client(&self) -> Result<HttpClient, reqwest::Error> {
        let mut builder = reqwest::Client::builder()
            .tls_backend_preconfigured(self.tls.as_ref().clone())
            // Each redirect is checked before it is followed.
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .http1_only()
            .connect_timeout(self.options.connect);
        if let Purpose::Objects(gate) = &self.purpose {
            builder = builder.dns_resolver(Arc::new(Resolver(gate.clone())));
        }
        let client = builder.build()?;
        Ok(HttpClient::new(Service {
            client,
            purpose: self.purpose.clone(),
            patience: self.options.stall,
        }))
    }
}

/// The options of the crate's own clients have no effect: no variable makes them accept any certificate.
impl HttpConnector for Connector {
    fn connect(&self, _options: &ClientOptions) -> object_store::Result<HttpClient> {
        self.client().map_err(|error| object_store::Error::Generic {
            store: "HTTP client",
            source: Box::new(error),
        })
    }
}

/// The certificates that the system trusts, or those of SSL_CERT_FILE and SSL_CERT_DIR.
pub fn tls() -> Result<Arc<ClientConfig>, rustls::Error> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(Arc::new(config.with_root_certificates(roots).with_no_client_auth()))
}

/// Resolves names to the IP addresses that the gate allows.
struct Resolver(Arc<Gate>);

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let gate = self.0.clone();
        Box::pin(async move {
            let host = name.as_str().to_ascii_lowercase();
            let found = tokio::net::lookup_host((host.as_str(), 0)).await;
            let found: Vec<SocketAddr> = found.map_err(|_| UnknownName)?.collect();
            let mut refused = None;
            let mut allowed = Vec::new();
            for address in found {
                match gate.check_ip(&host, address.ip()) {
                    Ok(()) => allowed.push(address),
                    Err(error) => refused = Some(error),
                }
            }
            match refused {
                Some(refused) if allowed.is_empty() => Err(refused.into()),
                _ => Ok(Box::new(allowed.into_iter()) as Addrs),
            }
        })
    }
}
