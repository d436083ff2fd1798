//! The clients of stores.

use std::sync::Arc;
use std::time::Duration;

use object_store::aws::AmazonS3Builder;
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::{BackoffConfig, ObjectStore, RetryConfig};
use rustls::ClientConfig;

use crate::connector::Connector;
use crate::environment::Environment;
use crate::error::{ErrorKind, StoreError};
use crate::retry::Options;
use crate::service::Gate;
use crate::url::{Scheme, Url};
use crate::web::Web;

/// Time for the credentials of a role.
const CREDENTIALS_TIMEOUT: Duration = Duration::from_secs(10);

/// The client of a bucket, or of web servers.
#[derive(Debug, Clone)]
pub enum Source {
    /// S3, GCS or Azure.
    Bucket(Arc<dyn ObjectStore>),
    /// HTTP.
    Web(Web),
}

/// What clients are made of.
#[derive(Debug)]
pub struct Maker {
    objects: Connector,
    credentials: Connector,
    gate: Arc<Gate>,
    environment: Environment,
}

impl Maker {
    /// What the clients of a gate are made of.
    pub fn new(
        gate: Arc<Gate>,
        environment: Environment,
        tls: &Arc<ClientConfig>,
        options: &Options,
    ) -> Self {
        let objects = Connector::for_objects(gate.clone(), tls.clone(), options);
        let mut of_credentials = options.clone();
        of_credentials.stall = CREDENTIALS_TIMEOUT.min(options.stall);
        of_credentials.connect = Duration::from_secs(2).min(options.connect);
        let credentials = Connector::for_credentials(tls.clone(), &of_credentials);
        Self { objects, credentials, gate, environment }
    }

    /// The client for the objects of an address's bucket or host.
    ///
    /// That of a store is made twice: the first one has the connector for credentials, and gives them to the second.
    pub fn source(&self, url: &Url) -> Result<Source, StoreError> {
        let made = match url.scheme() {
            Scheme::S3 => self.s3(url.authority()).ok().map(Source::Bucket),
            Scheme::Gs => self.gcs(url.authority()).ok().map(Source::Bucket),
            Scheme::Az => self.azure(url.authority()).ok().map(Source::Bucket),
            Scheme::Https | Scheme::Http => self
                .objects
                .client()
                .ok()
                .map(|client| Source::Web(Web { client, gate: self.gate.clone() })),
        };
        made.ok_or_else(|| {
            let scheme = url.scheme().name();
            let reason = format!("the environment of the server does not configure {scheme}://");
            StoreError::new(ErrorKind::NoCredentials, url, reason)
        })
    }

    fn s3(&self, bucket: &str) -> object_store::Result<Arc<dyn ObjectStore>> {
        let mut builder = AmazonS3Builder::new();
        for (key, value) in self.environment.of_s3() {
            builder = builder.with_config(key, value);
        }
        let builder = builder.with_bucket_name(bucket);
        let first = builder
            .clone()
            .with_retry(retries_of_credentials())
            .with_http_connector(self.credentials.clone())
            .build()?;
        let builder = builder.with_credentials(first.credentials().clone());
        let builder = builder.with_retry(no_retries());
        Ok(Arc::new(builder.with_http_connector(self.objects.clone()).build()?))
    }

    fn gcs(&self, bucket: &str) -> object_store::Result<Arc<dyn ObjectStore>> {
        let mut builder = GoogleCloudStorageBuilder::new();
        for (key, value) in self.environment.of_gcs() {
            builder = builder.with_config(key, value);
        }
        let builder = builder.with_bucket_name(bucket);
        let first = builder
            .clone()
            .with_retry(retries_of_credentials())
            .with_http_connector(self.credentials.clone())
            .build()?;
        let builder = builder
            .with_credentials(first.credentials().clone())
            .with_signing_credentials(first.signing_credentials().clone())
            .with_retry(no_retries());
        Ok(Arc::new(builder.with_http_connector(self.objects.clone()).build()?))
    }

    fn azure(&self, container: &str) -> object_store::Result<Arc<dyn ObjectStore>> {
        let mut builder = MicrosoftAzureBuilder::new();
        for (key, value) in self.environment.of_azure() {
            builder = builder.with_config(key, value);
        }
        let builder = builder.with_container_name(container);
        let first = builder
            .clone()
            .with_retry(retries_of_credentials())
            .with_http_connector(self.credentials.clone())
            .build()?;
        let builder = builder.with_credentials(first.credentials().clone());
        let builder = builder.with_retry(no_retries());
        Ok(Arc::new(builder.with_http_connector(self.objects.clone()).build()?))
    }
}

/// Requests for objects are tried again here, from the byte that was reached.
fn no_retries() -> RetryConfig {
    RetryConfig { max_retries: 0, ..RetryConfig::default() }
}

fn retries_of_credentials() -> RetryConfig {
    RetryConfig {
        backoff: BackoffConfig::default(),
        max_retries: 3,
        retry_timeout: CREDENTIALS_TIMEOUT,
    }
}
