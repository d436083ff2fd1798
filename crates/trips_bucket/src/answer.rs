//! Answers, with the faults that a test asks for.

use std::time::Duration;

use super::request::Request;
use super::tls::Connection;
use super::{Behaviour, Fault, KEY_ID, Shared, State, Stored};

/// How the body of an answer ends before its end.
enum End {
    Cut(usize),
    Stall(usize),
}

/// An answer: status, headers, body.
struct Answer {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
    /// Content-Length, where it is not that of the body.
    length: Option<usize>,
}

impl Answer {
    fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self { status, headers: Vec::new(), body: body.into(), length: None }
    }

    /// An error of S3. It repeats a secret, as some servers do: no message of a client may have it.
    fn error(status: u16, code: &str) -> Self {
        let text = format!(
            "<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>secret-of-the-tests</Message></Error>"
        );
        Self::new(status, text)
    }
}

/// Answers a request; `false` if the connection has ended.
pub fn answer(shared: &Shared, connection: &mut dyn Connection, request: &Request) -> bool {
    let mut end = None;
    let mut answer = None;
    let is_object = request.method == "GET" && request.parameter("list-type").is_none();
    let fault = {
        let mut state = shared.state();
        state.requests.push(request.summary.clone());
        if is_object {
            let all = state.fault_of_all.clone();
            state.faults.pop_front().or(all)
        } else {
            None
        }
    };
    match fault {
        Some(Fault::Status(status, code)) => answer = Some(Answer::error(status, code)),
        Some(Fault::Cut(bytes)) => end = Some(End::Cut(bytes)),
        Some(Fault::Stall(bytes)) => end = Some(End::Stall(bytes)),
        Some(Fault::CutHead) => return false,
        Some(Fault::StallHead) => {
            hang(shared);
            return false;
        }
        Some(Fault::Delay(time)) => std::thread::sleep(time),
        Some(Fault::Replace(bytes)) => shared.state().put(request.name.clone(), bytes),
        Some(Fault::Remove) => {
            shared.state().objects.remove(&request.name);
        }
        Some(Fault::Redirect(location)) => {
            let mut redirect = Answer::new(302, "");
            redirect.headers.push(("Location", location));
            answer = Some(redirect);
        }
        None => {}
    }
    let answer = answer.unwrap_or_else(|| of_state(&shared.state(), request));
    send(shared, connection, request, &answer, end)
}

fn of_state(state: &State, request: &Request) -> Answer {
    let behaviour = state.behaviour;
    let key = format!("Credential={KEY_ID}/");
    let has_key = request.header("authorization").is_some_and(|text| text.contains(&key));
    if behaviour.needs_key && !has_key {
        return Answer::error(403, "InvalidAccessKeyId");
    }
    if request.parameter("list-type").is_some() {
        return list(state, request);
    }
    match (request.method.as_str(), state.objects.get(&request.name)) {
        ("HEAD", _) if !behaviour.has_head => Answer::new(405, ""),
        ("GET" | "HEAD", Some(stored)) => object(stored, behaviour, request),
        ("GET" | "HEAD", None) => Answer::error(404, "NoSuchKey"),
        _ => Answer::error(405, "MethodNotAllowed"),
    }
}

fn object(stored: &Stored, behaviour: Behaviour, request: &Request) -> Answer {
    let (etag, modified) = (etag(stored), modified(stored));
    let size = stored.bytes.len();
    let is_other = |header: &str, value: &str| request.header(header).is_some_and(|it| it != value);
    if is_other("if-match", &etag) || is_other("if-unmodified-since", &modified) {
        return Answer::error(412, "PreconditionFailed");
    }
    let mut answer = match request.range(size).filter(|_| behaviour.has_ranges) {
        Some(range) if range.start >= size => return Answer::error(416, "InvalidRange"),
        Some(range) => {
            let text = format!("bytes {}-{}/{size}", range.start, range.end - 1);
            let mut answer = Answer::new(206, &stored.bytes[range]);
            answer.headers.push(("Content-Range", text));
            answer
        }
        None => Answer::new(200, stored.bytes.as_slice()),
    };
    if request.method == "HEAD" {
        answer.length = Some(answer.body.len());
        answer.body.clear();
    }
    if behaviour.has_etags {
        answer.headers.push(("ETag", etag));
    }
    answer.headers.push(("Last-Modified", modified));
    answer
}

fn etag(stored: &Stored) -> String {
    format!("\"{:032x}\"", stored.version)
}

/// A second for each write.
fn modified(stored: &Stored) -> String {
    format!("Thu, 26 Nov 2026 10:{:02}:{:02} GMT", stored.version / 60 % 60, stored.version % 60)
}

fn list(state: &State, request: &Request) -> Answer {
    let bucket = request.name.trim_end_matches('/');
    let prefix = request.parameter("prefix").unwrap_or_default();
    let after = request
        .parameter("continuation-token")
        .or_else(|| request.parameter("start-after"))
        .unwrap_or_default();
    let below = format!("{bucket}/{prefix}");
    let of_bucket = |name: &String| name[bucket.len() + 1..].to_owned();
    let mut found = state
        .objects
        .iter()
        .filter(|(name, _)| name.starts_with(&below))
        .map(|(name, stored)| (of_bucket(name), stored))
        .filter(|(key, _)| key.as_str() > after);
    let page: Vec<_> = found.by_ref().take(state.behaviour.page).collect();
    let mut xml = String::from("<?xml version=\"1.0\"?><ListBucketResult>");
    let is_cut = found.next().is_some();
    xml += &format!("<IsTruncated>{is_cut}</IsTruncated><KeyCount>{}</KeyCount>", page.len());
    if let Some((last, _)) = page.last().filter(|_| is_cut) {
        xml += &format!("<NextContinuationToken>{last}</NextContinuationToken>");
    }
    for (key, stored) in page {
        // With a fraction, which Last-Modified cannot have.
        let (minute, second) = (stored.version / 60 % 60, stored.version % 60);
        xml += &format!(
            "<Contents><Key>{key}</Key><LastModified>2026-11-26T10:{minute:02}:{second:02}.123Z</LastModified>\
             <ETag>&quot;{:032x}&quot;</ETag><Size>{}</Size></Contents>",
            stored.version,
            stored.bytes.len()
        );
    }
    xml += "</ListBucketResult>";
    Answer::new(200, xml)
}

fn send(
    shared: &Shared,
    connection: &mut dyn Connection,
    request: &Request,
    answer: &Answer,
    end: Option<End>,
) -> bool {
    let length = answer.length.unwrap_or(answer.body.len());
    let mut head = format!("HTTP/1.1 {} Answer\r\nContent-Length: {length}\r\n", answer.status);
    for (name, value) in &answer.headers {
        head += &format!("{name}: {value}\r\n");
    }
    head += "\r\n";
    let body: &[u8] = if request.method == "HEAD" { &[] } else { &answer.body };
    let shown = match end {
        Some(End::Cut(bytes) | End::Stall(bytes)) => bytes.min(body.len()),
        None => body.len(),
    };
    let sent = connection
        .write_all(head.as_bytes())
        .and_then(|()| connection.write_all(&body[..shown]))
        .and_then(|()| connection.flush());
    if let Some(End::Stall(_)) = end {
        hang(shared);
    }
    sent.is_ok() && end.is_none()
}

/// Waits until the server stops.
fn hang(shared: &Shared) {
    while !shared.is_stopped() {
        std::thread::sleep(Duration::from_millis(10));
    }
}
