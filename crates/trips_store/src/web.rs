//! Objects of web servers.

use std::ops::Range;
use std::sync::Arc;

use futures_util::StreamExt;
use http::header::{
    ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, ETAG, HeaderMap, HeaderName,
    IF_MATCH, IF_UNMODIFIED_SINCE, LAST_MODIFIED, LOCATION, RANGE,
};
use http::{Method, Request};
use object_store::client::{HttpClient, HttpRequestBody, HttpResponse};

use crate::error::{ErrorKind, StoreError};
use crate::fetch::{Failure, Part, changed, cut, of_fault, of_status};
use crate::note::{Fault, noted};
use crate::object::Object;
use crate::service::Gate;
use crate::url::Url;

/// Limit of the redirects of one request.
const MAX_REDIRECTS: usize = 5;

/// The client of a web server.
#[derive(Debug, Clone)]
pub struct Web {
    pub client: HttpClient,
    pub gate: Arc<Gate>,
}

impl Web {
    /// Describes an object: its size, and what changes with each write.
    pub async fn head(&self, url: &Url) -> Result<Object, Failure> {
        let answer = self.send(Method::HEAD, url, &[]).await?;
        let answer = match answer.status().as_u16() {
            200 => answer,
            // Some servers, and all signed addresses, allow GET only.
            403 | 405 | 501 => {
                let answer = self.send(Method::GET, url, &[(RANGE, "bytes=0-0")]).await?;
                if !answer.status().is_success() {
                    return Err(of_status(url, answer.status().as_u16(), &<_>::default()));
                }
                answer
            }
            status => return Err(of_status(url, status, &<_>::default())),
        };
        let headers = answer.headers();
        let lacks = |what: &str| {
            let reason = format!("the server does not state {what}");
            Failure::Final(StoreError::new(ErrorKind::Unsupported, url, reason))
        };
        let size = size_of(headers).ok_or_else(|| lacks("the size of the object"))?;
        let version = text(headers, ETAG).or_else(|| text(headers, LAST_MODIFIED));
        let version = version.ok_or_else(|| lacks("an ETag or Last-Modified of the object"))?;
        Ok(Object { url: url.clone(), size, version: version.to_owned(), modified: None })
    }

    /// One request for a range. A server may answer with the whole object.
    pub async fn part(&self, object: &Object, range: Range<u64>) -> Result<Part, Failure> {
        let url = &object.url;
        let bytes = format!("bytes={}-{}", range.start, range.end.saturating_sub(1));
        let condition = match object.strong_etag() {
            Some(etag) => Some((IF_MATCH, etag)),
            None if object.is_etag() => None,
            None => Some((IF_UNMODIFIED_SINCE, object.version.as_str())),
        };
        let headers: Vec<_> = [(RANGE, bytes.as_str())].into_iter().chain(condition).collect();
        let answer = self.send(Method::GET, url, &headers).await?;
        let is_range = match answer.status().as_u16() {
            206 => true,
            200 => false,
            404 | 410 => return Err(changed(url)),
            status => return Err(of_status(url, status, &<_>::default())),
        };
        let headers = answer.headers();
        let version =
            if object.is_etag() { text(headers, ETAG) } else { text(headers, LAST_MODIFIED) };
        if version.is_some_and(|version| version != object.version)
            || size_of(headers).is_some_and(|size| size != object.size)
        {
            return Err(changed(url));
        }
        let wrong = |reason: &str| Failure::Final(StoreError::new(ErrorKind::Server, url, reason));
        if headers.contains_key(CONTENT_ENCODING) {
            return Err(wrong("the server encodes the object for transfer"));
        }
        let expected = format!("bytes {}-", range.start);
        if is_range && !text(headers, CONTENT_RANGE).is_some_and(|text| text.starts_with(&expected))
        {
            return Err(wrong("the server answered with another range"));
        }
        let url = url.clone();
        let body = answer.into_body().bytes_stream();
        let body = body.map(move |bytes| bytes.map_err(|_| cut(&url))).boxed();
        Ok(if is_range { Part::Range(body) } else { Part::Whole(body) })
    }

    /// Sends a request, and follows redirects to addresses that the policy allows.
    async fn send(
        &self,
        method: Method,
        url: &Url,
        headers: &[(HeaderName, &str)],
    ) -> Result<HttpResponse, Failure> {
        let mut address = url.to_string();
        for _ in 0..=MAX_REDIRECTS {
            let mut request = Request::builder().method(method.clone()).uri(&address);
            for (name, value) in headers.iter().chain(&[(ACCEPT_ENCODING, "identity")]) {
                request = request.header(name, *value);
            }
            let request = request.body(HttpRequestBody::empty()).map_err(|_| {
                let reason = "the client does not support this address";
                Failure::Final(StoreError::new(ErrorKind::Unsupported, url, reason))
            })?;
            let (answer, note) = noted(self.client.execute(request)).await;
            let answer = match answer {
                Ok(answer) => answer,
                Err(_) => {
                    let failure = of_fault(url, note.fault.unwrap_or(Fault::Ended));
                    return Err(failure.unwrap_or_else(|| cut(url)));
                }
            };
            if !matches!(answer.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
                return Ok(answer);
            }
            address = self.target(url, &address, &answer)?;
        }
        let reason = format!("the server redirects more than {MAX_REDIRECTS} times");
        Err(Failure::Final(StoreError::new(ErrorKind::Server, url, reason)))
    }

    /// Where a redirect leads. Its query may be a credential, so only the host is shown.
    fn target(&self, url: &Url, from: &str, answer: &HttpResponse) -> Result<String, Failure> {
        let fail = |kind, reason: String| Failure::Final(StoreError::new(kind, url, reason));
        let location = text(answer.headers(), LOCATION).unwrap_or_default();
        let target = ::url::Url::parse(from).and_then(|from| from.join(location));
        let Ok(mut target) = target else {
            return Err(fail(ErrorKind::Server, "the redirect is not valid".to_owned()));
        };
        target.set_fragment(None);
        let mut bare = target.clone();
        bare.set_query(None);
        let is_allowed = Url::parse(bare.as_str())
            .is_ok_and(|bare| bare.scheme() == url.scheme() && self.gate.policy.allows(&bare));
        if is_allowed {
            return Ok(target.into());
        }
        let host = target.host_str().unwrap_or_default();
        Err(fail(
            ErrorKind::NotAllowed,
            format!("the server redirects to an address of host \"{host}\" that is not allowed"),
        ))
    }
}

/// The size of the whole object.
fn size_of(headers: &HeaderMap) -> Option<u64> {
    match text(headers, CONTENT_RANGE) {
        Some(range) => range.rsplit_once('/')?.1.parse().ok(),
        None => text(headers, CONTENT_LENGTH)?.parse().ok(),
    }
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}
