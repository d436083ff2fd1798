//! The service that sends all requests: it looks at the host of each, and notes how it ends.

use std::error::Error;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use object_store::client::{
    HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpResponseBody, HttpService,
};

use crate::address::{Reach, is_metadata_name, reach_of};
use crate::note::{self, Fault, Note};
use crate::policy::Policy;

/// Limit of the answer that an error has, bytes.
const MAX_ERROR_BODY: usize = 64 * 1024;
/// Limit of the code of an error, characters.
const MAX_CODE: usize = 64;

/// The hosts that requests may reach.
#[derive(Debug)]
pub struct Gate {
    pub policy: Policy,
    /// Hosts of the endpoints that the environment names.
    pub endpoints: Vec<String>,
}

/// A host or an IP address that no request reaches.
#[derive(Debug)]
pub struct Refused(pub Fault);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the address of the host is refused")
    }
}

impl Error for Refused {}

impl Gate {
    /// Checks an IP address of a host.
    pub fn check_ip(&self, host: &str, ip: IpAddr) -> Result<(), Refused> {
        let is_named = || {
            self.policy.names_host(host)
                || self.policy.names_ip(ip)
                || self.endpoints.iter().any(|endpoint| endpoint == host)
        };
        let is_allowed = match reach_of(ip) {
            Reach::Other => true,
            Reach::Loopback => is_named(),
            Reach::Refused => self.policy.names_ip(ip),
        };
        if is_allowed { Ok(()) } else { Err(Refused(Fault::Refused(ip))) }
    }

    /// Checks a host that is not resolved: an IP address, or a name of a server of credentials.
    pub fn check_host(&self, host: &str) -> Result<(), Refused> {
        let host = host.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
        match host.parse() {
            Ok(ip) => self.check_ip(&host, ip),
            Err(_) if is_metadata_name(&host) => Err(Refused(Fault::RefusedName)),
            Err(_) => Ok(()),
        }
    }
}

/// What requests are for.
#[derive(Debug, Clone)]
pub enum Purpose {
    /// Objects and listings: only hosts of the gate.
    Objects(Arc<Gate>),
    /// Credentials, from servers that the environment or the store's own rules name.
    Credentials,
}

/// Sends requests.
#[derive(Debug)]
pub struct Service {
    pub client: reqwest::Client,
    pub purpose: Purpose,
    /// Time for the head of an answer.
    pub patience: Duration,
}

#[async_trait]
impl HttpService for Service {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let is_for_credentials = matches!(self.purpose, Purpose::Credentials);
        if let Purpose::Objects(gate) = &self.purpose
            && let Err(refused) = gate.check_host(request.uri().host().unwrap_or_default())
        {
            note::set(Note { fault: Some(refused.0), ..Note::default() });
            return Err(HttpError::new(HttpErrorKind::Unknown, refused));
        }
        let sent = tokio::time::timeout(self.patience, self.client.call(request)).await;
        let answer =
            sent.unwrap_or_else(|elapsed| Err(HttpError::new(HttpErrorKind::Timeout, elapsed)));
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => {
                let fault = Some(fault_of(&error));
                note::set(Note { fault, credentials: is_for_credentials, ..Note::default() });
                return Err(error);
            }
        };
        let status = answer.status();
        let is_error = status.is_client_error() || status.is_server_error();
        let mut note = Note { status: Some(status.as_u16()), ..Note::default() };
        note.credentials = is_for_credentials;
        if !is_error {
            note::set(note);
            return Ok(answer);
        }
        let (parts, body) = answer.into_parts();
        let body = self.text_of(body).await;
        note.code = code_of(&body);
        note::set(note);
        Ok(HttpResponse::from_parts(parts, HttpResponseBody::from(body)))
    }
}

impl Service {
    /// The answer of an error, empty if it is too long or does not arrive.
    async fn text_of(&self, body: HttpResponseBody) -> Bytes {
        let body = Limited::new(body, MAX_ERROR_BODY).collect();
        match tokio::time::timeout(self.patience, body).await {
            Ok(Ok(body)) => body.to_bytes(),
            _ => Bytes::new(),
        }
    }
}

/// The code in the XML of an error: letters only, so that it cannot have a key or a signature.
fn code_of(body: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(body).ok()?;
    let (code, _) = text.split_once("<Code>")?.1.split_once("</Code>")?;
    let is_code = !code.is_empty() && code.len() <= MAX_CODE;
    (is_code && code.bytes().all(|byte| byte.is_ascii_alphabetic())).then(|| code.to_owned())
}

/// How a request failed, from the errors that caused it.
pub fn fault_of(error: &HttpError) -> Fault {
    let mut fault = match error.kind() {
        HttpErrorKind::Connect => Fault::Connect,
        HttpErrorKind::Timeout => Fault::Timeout,
        _ => Fault::Ended,
    };
    let mut cause: Option<&(dyn Error + 'static)> = error.source();
    while let Some(error) = cause {
        if let Some(refused) = error.downcast_ref::<Refused>() {
            return refused.0;
        }
        if error.is::<UnknownName>() {
            return Fault::Name;
        }
        if let Some(rustls::Error::InvalidCertificate(_)) = error.downcast_ref() {
            return Fault::Certificate;
        }
        // Such an error keeps its cause in itself, not in its source. Clients of TLS put one in another one.
        let error_of_system = error.downcast_ref::<std::io::Error>();
        if error_of_system.is_some_and(|error| error.kind() == std::io::ErrorKind::TimedOut) {
            fault = Fault::Timeout;
        }
        let inner = error_of_system.and_then(std::io::Error::get_ref);
        cause = inner.map(|inner| inner as _).or_else(|| error.source());
    }
    fault
}

/// The name of a host is not known.
#[derive(Debug)]
pub struct UnknownName;

impl fmt::Display for UnknownName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of the host is not known")
    }
}

impl Error for UnknownName {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_do_not_lead_to_refused_addresses() {
        let policy = Policy::parse(["https://data.example.com/x", "http://169.254.1.1/y"]).unwrap();
        let gate = Gate { policy, endpoints: vec!["minio".to_owned()] };
        let is_allowed = |host: &str, ip: &str| gate.check_ip(host, ip.parse().unwrap()).is_ok();
        assert!(is_allowed("data.example.com", "10.0.0.1"));
        assert!(is_allowed("data.example.com", "127.0.0.1"));
        assert!(is_allowed("minio", "::1"));
        assert!(!is_allowed("bucket.s3.amazonaws.com", "127.0.0.1"));
        assert!(is_allowed("169.254.1.1", "169.254.1.1"));
        for ip in [
            "169.254.169.254",
            "fe80::1",
            "febf::1",
            "fd00:ec2::254",
            "::ffff:169.254.169.254",
            "::169.254.169.254",
            "64:ff9b::a9fe:a9fe",
            "100.100.100.200",
            "192.0.0.192",
            "168.63.129.16",
            "0.0.0.0",
            "::",
            "224.0.0.1",
            "255.255.255.255",
            "ff02::1",
        ] {
            assert!(!is_allowed("data.example.com", ip), "{ip}");
            assert!(!is_allowed("minio", ip), "{ip}");
        }
        assert!(gate.check_host("metadata.google.internal").is_err());
        assert!(gate.check_host("[fe80::1]").is_err());
    }

    #[test]
    fn codes_have_letters_only() {
        let code = |text: &str| code_of(text.as_bytes());
        assert_eq!(code("<Error><Code>SlowDown</Code></Error>").as_deref(), Some("SlowDown"));
        assert_eq!(code("<Code>AKIA123</Code>"), None);
        assert_eq!(code("<Code></Code>"), None);
        assert_eq!(code(&format!("<Code>{}</Code>", "a".repeat(65))), None);
    }
}
