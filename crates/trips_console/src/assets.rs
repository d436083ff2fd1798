//! The files of the page, which are in the program.

use axum::extract::Path;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};

use crate::answer::ApiError;

/// A file of `page/dist`, as `build.rs` lists it.
pub struct File {
    name: &'static str,
    kind: &'static str,
    digest: &'static str,
    plain: &'static [u8],
    /// The file as gzip, where that is smaller.
    gzip: Option<&'static [u8]>,
}

include!(concat!(env!("OUT_DIR"), "/files.rs"));

/// What a program says that was built without the page.
const NOT_BUILT: &str = "<!doctype html><html lang=en><meta charset=utf-8><title>trips_console</title>\
    <h1>The page was not built</h1><p>This trips_console was built without its page. \
    Run <code>make page</code> in the sources, and build the program again. \
    The interface below <code>/api/</code> works.";

const NO_TOKEN: &str = "<!doctype html><html lang=en><meta charset=utf-8><title>trips_console</title>\
    <h1>The link has no valid token</h1><p>Open the link that <code>trips_console</code> printed when it started. \
    It ends with <code>/?token=…</code>. After a restart the token is a new one, unless the program has \
    <code>--token-file</code> or the variable <code>TRIPS_CONSOLE_TOKEN</code>.";

/// The first file.
pub async fn index(headers: HeaderMap) -> Response {
    file("index.html", &headers).unwrap_or_else(|| Html(NOT_BUILT).into_response())
}

/// Another file.
pub async fn asset(Path(name): Path<String>, headers: HeaderMap) -> Response {
    if name.starts_with("api/") {
        let hint = "Look at docs/console.md for the addresses.";
        return ApiError::not_found("the console has no such address".into(), hint).into_response();
    }
    file(&name, &headers).unwrap_or_else(|| StatusCode::NOT_FOUND.into_response())
}

/// What a browser without the token sees.
pub fn no_token() -> Response {
    (StatusCode::UNAUTHORIZED, Html(NO_TOKEN)).into_response()
}

fn file(name: &str, headers: &HeaderMap) -> Option<Response> {
    let file = FILES.iter().find(|file| file.name == name)?;
    let has = |name, word: &str| {
        headers
            .get(name)
            .and_then(|value: &header::HeaderValue| value.to_str().ok())
            .is_some_and(|value| value.contains(word))
    };
    let tag = format!("\"{}\"", file.digest);
    // The browser asks each time, and gets bytes only of another version.
    let common = [
        (header::CONTENT_TYPE, file.kind.to_owned()),
        (header::CACHE_CONTROL, "no-cache".to_owned()),
        (header::VARY, "Accept-Encoding".to_owned()),
        (header::ETAG, tag.clone()),
    ];
    if has(header::IF_NONE_MATCH, &tag) {
        return Some((StatusCode::NOT_MODIFIED, common).into_response());
    }
    Some(match file.gzip.filter(|_| has(header::ACCEPT_ENCODING, "gzip")) {
        Some(gzip) => (common, [(header::CONTENT_ENCODING, "gzip")], gzip).into_response(),
        None => (common, file.plain).into_response(),
    })
}
