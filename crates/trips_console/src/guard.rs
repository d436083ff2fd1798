//! What each request passes before a handler sees it: the name it asks for, the token, where it comes from; and the
//! headers that each answer gets.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};

use crate::answer::ApiError;
use crate::assets;
use crate::auth::Token;

/// Nothing inline, nothing from elsewhere, in no frame.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
    connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Headers of each answer.
const HEADERS: [(&str, &str); 7] = [
    ("content-security-policy", POLICY),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("permissions-policy", "camera=(), geolocation=(), microphone=()"),
];

/// Who may pass.
pub struct Guard {
    pub token: Token,
    /// Port of the page, which the cookie's name has.
    pub port: u16,
    /// Names besides localhost and addresses.
    pub allowed_hosts: Vec<String>,
    /// Whether the browser speaks TLS, to us or to a proxy.
    pub is_secure: bool,
}

/// Lets a request pass, or answers it.
pub async fn check(State(guard): State<Arc<Guard>>, request: Request, next: Next) -> Response {
    let is_api = request.uri().path().starts_with("/api/");
    let mut response = match guard.refusal(&request) {
        Some(refusal) => refusal,
        None => next.run(request).await,
    };
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if is_api || !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    if guard.is_secure {
        headers.insert(
            header::STRICT_TRANSPORT_SECURITY,
            HeaderValue::from_static("max-age=31536000"),
        );
    }
    response
}

impl Guard {
    /// The answer to a request that may not pass.
    fn refusal(&self, request: &Request) -> Option<Response> {
        let (headers, uri) = (request.headers(), request.uri());
        // A name of somebody else that leads here: DNS rebinding.
        let Some(host) = text(headers, header::HOST).filter(|host| self.is_allowed_host(host))
        else {
            let hint = "Open the page by an address, by localhost, or start trips_console with --allow-host=NAME.";
            let mut error =
                ApiError::forbidden("the request names a host that is not allowed", hint);
            error.status = StatusCode::MISDIRECTED_REQUEST;
            return Some(error.into_response());
        };
        if request.method() == Method::GET
            && uri.path() == "/"
            && let Some(response) = self.enter(uri)
        {
            return Some(response);
        }
        if !self.token.is_in(headers, self.port) {
            return Some(if uri.path().starts_with("/api/") {
                unknown()
            } else {
                assets::no_token()
            });
        }
        if uri.path().starts_with("/api/")
            && text(headers, "sec-fetch-site").is_some_and(|site| site == "cross-site")
        {
            return Some(foreign());
        }
        if request.method() != Method::GET
            && request.method() != Method::HEAD
            && !is_of_page(headers, host)
        {
            return Some(foreign());
        }
        None
    }

    /// The answer to the link with the token: the cookie, and the page without the token in its address.
    fn enter(&self, uri: &Uri) -> Option<Response> {
        let parameters: Vec<&str> = uri.query()?.split('&').collect();
        let given = parameters.iter().find_map(|parameter| parameter.strip_prefix("token="))?;
        if !self.token.is(given) {
            return Some(assets::no_token());
        }
        let others: Vec<&str> = parameters
            .iter()
            .copied()
            .filter(|parameter| !parameter.starts_with("token="))
            .collect();
        let target = if others.is_empty() { "/".into() } else { format!("/?{}", others.join("&")) };
        let cookie = self.token.cookie(self.port, self.is_secure);
        Some(([(header::SET_COOKIE, cookie)], Redirect::to(&target)).into_response())
    }

    /// Addresses cannot be rebound, names can.
    fn is_allowed_host(&self, host: &str) -> bool {
        let name = host_name(host).to_ascii_lowercase();
        name == "localhost"
            || name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().is_ok()
            || self.allowed_hosts.contains(&name)
    }
}

/// A host without its port.
fn host_name(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port))
            if port.bytes().all(|byte| byte.is_ascii_digit())
                && (!name.contains(':') || name.ends_with(']')) =>
        {
            name
        }
        _ => host,
    }
}

fn text(headers: &HeaderMap, name: impl axum::http::header::AsHeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

/// Whether our page sends it: other pages can neither set the header nor choose the origin.
fn is_of_page(headers: &HeaderMap, host: &str) -> bool {
    let origin = text(headers, header::ORIGIN).and_then(|origin| origin.split_once("://"));
    let is_same = origin.is_some_and(|(scheme, origin)| {
        ["http", "https"].contains(&scheme) && origin.eq_ignore_ascii_case(host)
    });
    is_same && text(headers, "x-trips-console") == Some("1")
}

fn unknown() -> Response {
    let mut error = ApiError::forbidden(
        "the request does not have the token",
        "Open the link that trips_console printed.",
    );
    error.status = StatusCode::UNAUTHORIZED;
    error.into_response()
}

fn foreign() -> Response {
    ApiError::forbidden(
        "the request does not come from the page",
        "Reload the page, and try again.",
    )
    .into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts() {
        let guard = Guard {
            token: Token::random().unwrap(),
            port: 1,
            allowed_hosts: vec!["trips.example".into()],
            is_secure: false,
        };
        for allowed in [
            "localhost",
            "LocalHost:80",
            "127.0.0.1:8432",
            "[::1]:8432",
            "192.0.2.1",
            "trips.example:443",
            "[::1]",
        ] {
            assert!(guard.is_allowed_host(allowed), "{allowed}");
        }
        for foreign in
            ["", "evil.example", "localhost.evil.example:8432", "127.0.0.1.evil.example", "x:y:1"]
        {
            assert!(!guard.is_allowed_host(foreign), "{foreign}");
        }
    }
}
