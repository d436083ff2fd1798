//! Requests, as far as the server looks at them.

use std::io::ErrorKind;
use std::ops::Range;

use super::Shared;
use super::tls::Connection;

/// Limit of the head of a request, bytes.
const MAX_HEAD: usize = 64 * 1024;

/// A request without its body, which reading has none of.
pub struct Request {
    pub method: String,
    /// Bucket and key, without the first slash, decoded.
    pub name: String,
    /// Decoded names and values.
    pub query: Vec<(String, String)>,
    /// With names in lower case.
    headers: Vec<(String, String)>,
    /// Method, path and range, for the tests.
    pub summary: String,
}

impl Request {
    /// The value of a header, by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// The value of a parameter of the query.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// The range of an object of this size, if one is requested. An end behind the object is that of the object.
    pub fn range(&self, size: usize) -> Option<Range<usize>> {
        let (from, to) = self.header("range")?.strip_prefix("bytes=")?.split_once('-')?;
        let from = from.parse().ok()?;
        let to = to.parse::<usize>().map_or(size, |to| to.saturating_add(1).min(size));
        Some(from..to)
    }
}

/// The next request of a connection; `None` at its end, or when the server stops.
pub fn read(shared: &Shared, connection: &mut dyn Connection) -> Option<Request> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && head.len() < MAX_HEAD {
        match connection.read(&mut byte) {
            Ok(1) => head.push(byte[0]),
            Err(error)
                if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
                    && !shared.is_stopped() => {}
            _ => return None,
        }
    }
    parse(&String::from_utf8_lossy(&head))
}

fn parse(head: &str) -> Option<Request> {
    let mut lines = head.lines();
    let mut first = lines.next()?.split(' ');
    let (method, target) = (first.next()?.to_owned(), first.next()?);
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let query = query.split('&').filter(|part| !part.is_empty()).map(|part| {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        (decode(name), decode(value))
    });
    let mut request = Request {
        name: decode(path.trim_start_matches('/')),
        query: query.collect(),
        headers,
        summary: format!("{method} {target}"),
        method,
    };
    if let Some(range) = request.header("range") {
        request.summary = format!("{} {range}", request.summary);
    }
    Some(request)
}

/// Decodes percent signs.
fn decode(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let hex = |digit: Option<u8>| char::from(digit.unwrap_or(0)).to_digit(16).unwrap_or(0);
        if byte == b'%' {
            let value = hex(rest.next()) * 16 + hex(rest.next());
            bytes.push(u8::try_from(value).unwrap_or(b'?'));
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
