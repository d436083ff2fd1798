//! Credentials of roles: of a machine, of a container, of an identity of another system.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use trips_bucket::{KEY_ID, Server};
use trips_store::{Environment, ErrorKind, Policy, StoreError, Stores};

use super::{bytes, head, options, read};

/// The answer of an issuer: status and body.
type Answer = (u16, String);

/// A server that issues credentials. It ends when it is dropped.
struct Issuer {
    address: SocketAddr,
    /// The first line of each request.
    requests: Arc<Mutex<Vec<String>>>,
    is_stopped: Arc<AtomicBool>,
}

impl Issuer {
    /// A server that answers the head of each request by this function. Names of headers are in lower case.
    fn start(answer: impl Fn(&str) -> Option<Answer> + Send + 'static) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port of loopback is free");
        let address = listener.local_addr().expect("a bound listener has an address");
        let (requests, is_stopped) = (Arc::<Mutex<Vec<String>>>::default(), Arc::default());
        let issuer = Self { address, requests, is_stopped };
        let (requests, is_stopped) = (issuer.requests.clone(), issuer.is_stopped.clone());
        std::thread::spawn(move || {
            for connection in listener.incoming() {
                if is_stopped.load(Ordering::Relaxed) {
                    break;
                }
                let Some((mut connection, head)) = connection.ok().and_then(head_of) else {
                    continue;
                };
                let line = head.lines().next().unwrap_or_default().to_owned();
                requests.lock().unwrap_or_else(PoisonError::into_inner).push(line);
                let (status, body) = answer(&head).unwrap_or((401, String::new()));
                let length = body.len();
                let text = format!(
                    "HTTP/1.1 {status} Answer\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
                );
                let _ = connection.write_all(text.as_bytes());
            }
        });
        issuer
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Issuer {
    fn drop(&mut self) {
        self.is_stopped.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(self.address);
    }
}

/// The head of a request, with the names of its headers in lower case.
fn head_of(mut connection: TcpStream) -> Option<(TcpStream, String)> {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        connection.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).ok()?;
    let lines = head.lines().map(|line| match line.split_once(": ") {
        Some((name, value)) => format!("{}: {value}", name.to_ascii_lowercase()),
        None => line.to_owned(),
    });
    let head = lines.collect::<Vec<_>>().join("\n");
    Some((connection, head))
}

const FAR: &str = "2099-01-01T00:00:00Z";
const PAST: &str = "2001-01-01T00:00:00Z";

/// Credentials as the servers of machines and containers have them.
fn credentials(key: &str, until: &str) -> String {
    format!(
        r#"{{"Code":"Success","AccessKeyId":"{key}","SecretAccessKey":"secret-of-the-tests","Token":"t","Expiration":"{until}"}}"#
    )
}

/// The server of a machine with the role `reader`, with session tokens (IMDSv2).
fn machine(key: &'static str, until: &'static str) -> Issuer {
    const PATH: &str = "/latest/meta-data/iam/security-credentials/";
    Issuer::start(move |head| {
        if head.starts_with("PUT /latest/api/token ") {
            let has_age = head.contains("x-aws-ec2-metadata-token-ttl-seconds: ");
            return has_age.then(|| (200, "session".to_owned()));
        }
        let has_token = head.contains("x-aws-ec2-metadata-token: session");
        let body = match head.lines().next()?.split(' ').nth(1)?.strip_prefix(PATH)? {
            "" => "reader".to_owned(),
            "reader" => credentials(key, until),
            _ => return None,
        };
        has_token.then_some((200, body))
    })
}

/// The objects of a server below `s3://trips/in`, with these variables instead of its key.
fn stores(server: &Server, variables: &[(&str, &str)]) -> Stores {
    let names = ["AWS_ENDPOINT_URL", "AWS_REGION"];
    let of_server = server.variables().into_iter().filter(|(name, _)| names.contains(&&**name));
    let others = variables.iter().map(|&(name, value)| (name.to_owned(), value.to_owned()));
    let policy = Policy::parse(["s3://trips/in"]).expect("a valid prefix");
    let environment = Environment::new(of_server.chain(others));
    Stores::new(policy, environment, options()).expect("a thread starts")
}

/// A server with one object.
fn server() -> Server {
    let server = Server::start();
    server.put("trips", "in/may.csv", &bytes(200_000));
    server
}

/// The object can be read.
fn require_read(stores: &Stores) {
    let object = head(stores, "s3://trips/in/may.csv").unwrap();
    assert!(read(stores, &object).unwrap() == bytes(200_000));
}

/// A file in a directory of its own.
fn token_file(name: &str, text: &str) -> std::path::PathBuf {
    let path = std::env::temp_dir().join(format!("trips_store_{name}_{}", std::process::id()));
    std::fs::write(&path, text).expect("a temporary file");
    path
}

#[test]
fn the_role_of_a_machine() {
    let (server, issuer) = (server(), machine(KEY_ID, FAR));
    let stores = stores(&server, &[("AWS_METADATA_ENDPOINT", &issuer.url())]);
    require_read(&stores);
    require_read(&stores);
    // They are fetched once.
    assert_eq!(issuer.requests().len(), 3, "{:?}", issuer.requests());
    // The server of credentials is none of objects.
    let address = format!("{}/latest/meta-data/iam/security-credentials/reader", issuer.url());
    assert_eq!(head(&stores, &address).unwrap_err().kind(), ErrorKind::NotAllowed);
    assert_eq!(issuer.requests().len(), 3);
}

#[test]
fn credentials_that_expire_are_fetched_again() {
    let (server, issuer) = (server(), machine(KEY_ID, PAST));
    let stores = stores(&server, &[("AWS_METADATA_ENDPOINT", &issuer.url())]);
    require_read(&stores);
    require_read(&stores);
    assert!(issuer.requests().len() > 3, "{:?}", issuer.requests());
}

/// A key of the environment or of a profile counts before the role of the machine.
#[test]
fn keys_count_before_roles() {
    let (server, issuer) = (server(), machine("AKIDOTHER", FAR));
    let url = issuer.url();
    let keys = [("AWS_ACCESS_KEY_ID", KEY_ID), ("AWS_SECRET_ACCESS_KEY", "secret-of-the-tests")];
    require_read(&stores(&server, &[&keys[..], &[("AWS_METADATA_ENDPOINT", &url)]].concat()));
    let file = token_file(
        "role_profile",
        &format!(
            "[default]\naws_access_key_id={KEY_ID}\naws_secret_access_key=secret-of-the-tests\n"
        ),
    );
    let profile = [("AWS_SHARED_CREDENTIALS_FILE", file.to_str().unwrap())];
    require_read(&stores(&server, &[&profile[..], &[("AWS_METADATA_ENDPOINT", &url)]].concat()));
    std::fs::remove_file(file).unwrap();
    assert_eq!(issuer.requests(), Vec::<String>::new());
}

/// A pod of EKS: an address, and a file with the token that it wants.
#[test]
fn the_role_of_a_container() {
    let server = server();
    let issuer = Issuer::start(|head| {
        let is_it = head.starts_with("GET /v1/credentials ") && head.contains("authorization: pod");
        is_it.then(|| (200, credentials(KEY_ID, FAR)))
    });
    let (file, address) = (token_file("pod", "pod"), format!("{}/v1/credentials", issuer.url()));
    let machine = machine("AKIDOTHER", FAR);
    let variables = [
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", address.as_str()),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", file.to_str().unwrap()),
        ("AWS_METADATA_ENDPOINT", &machine.url()),
    ];
    require_read(&stores(&server, &variables));
    std::fs::remove_file(file).unwrap();
    assert_eq!((issuer.requests().len(), machine.requests().len()), (1, 0));
}

/// A role that an identity of another system assumes, such as an account of Kubernetes.
#[test]
fn a_web_identity() {
    let server = server();
    let issuer = Issuer::start(|head| {
        let line = head.lines().next()?;
        let has = |text: &str| line.contains(text);
        let is_it = line.starts_with("POST ")
            && has("Action=AssumeRoleWithWebIdentity")
            && has("RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Freader")
            && has("RoleSessionName=loads")
            && has("WebIdentityToken=the-identity");
        let body = format!(
            "<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials>\
             <AccessKeyId>{KEY_ID}</AccessKeyId><SecretAccessKey>secret-of-the-tests</SecretAccessKey>\
             <SessionToken>t</SessionToken><Expiration>{FAR}</Expiration></Credentials>\
             </AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>"
        );
        is_it.then_some((200, body))
    });
    let file = token_file("web_identity", "the-identity");
    let variables = [
        ("AWS_WEB_IDENTITY_TOKEN_FILE", file.to_str().unwrap()),
        ("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/reader"),
        ("AWS_ROLE_SESSION_NAME", "loads"),
        ("AWS_ENDPOINT_URL_STS", &issuer.url()),
    ];
    require_read(&stores(&server, &variables));
    std::fs::remove_file(file).unwrap();
    assert_eq!(issuer.requests().len(), 1);
}

/// The error of a load without credentials: no message has an answer of the issuer.
fn refused(server: &Server, variables: &[(&str, &str)]) -> StoreError {
    let error = head(&stores(server, variables), "s3://trips/in/may.csv").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NoCredentials, "{error:?}");
    assert!(!format!("{error:?}").contains("secret"), "{error:?}");
    error
}

#[test]
fn issuers_that_fail() {
    let server = server();
    for (status, body) in [
        (404, "secret".to_owned()),
        (403, credentials(KEY_ID, FAR)),
        (200, "secret".to_owned()),
        (200, credentials(KEY_ID, "secret")),
    ] {
        let issuer = Issuer::start(move |_| Some((status, body.clone())));
        let error = refused(&server, &[("AWS_METADATA_ENDPOINT", &issuer.url())]);
        let is_answer = error.reason().contains("answer");
        assert_eq!(is_answer, status == 200, "{error:?}");
        assert!(!issuer.requests().is_empty());
    }
    // Nobody listens.
    let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap();
    refused(&server, &[("AWS_METADATA_ENDPOINT", &format!("http://{port}"))]);
    // A token that is not there.
    let variables = [
        ("AWS_WEB_IDENTITY_TOKEN_FILE", "/nowhere/token"),
        ("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/reader"),
    ];
    refused(&server, &variables);
    assert_eq!(server.requests(), Vec::<String>::new());
    // Credentials of another account.
    let issuer = machine("AKIDOTHER", FAR);
    let stores = stores(&server, &[("AWS_METADATA_ENDPOINT", &issuer.url())]);
    let error = head(&stores, "s3://trips/in/may.csv").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied, "{error:?}");
}

/// The identity of a machine of Azure.
#[test]
fn the_identity_of_a_machine() {
    let server = server();
    // The server looks for the key in whatever authorizes a request.
    let issuer = Issuer::start(|head| {
        let line = head.lines().next()?;
        let is_it = line.starts_with("GET /identity?")
            && line.contains("resource=https%3A%2F%2Fstorage.azure.com")
            && head.contains("metadata: true");
        let token =
            format!(r#"{{"access_token":"Credential={KEY_ID}/","expires_on":"4102444800"}}"#);
        is_it.then_some((200, token))
    });
    let variables = [
        ("AZURE_STORAGE_ACCOUNT_NAME", "account".to_owned()),
        ("AZURE_ENDPOINT", server.url()),
        ("AZURE_MSI_ENDPOINT", format!("{}/identity", issuer.url())),
    ];
    let policy = Policy::parse(["az://trips/in"]).unwrap();
    let stores = Stores::new(policy, Environment::new(variables), options()).unwrap();
    let object = head(&stores, "az://trips/in/may.csv").unwrap();
    assert!(read(&stores, &object).unwrap() == bytes(200_000));
    assert_eq!(issuer.requests().len(), 1);
}
