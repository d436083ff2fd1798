//! A running `trips_console`, and a browser as small as tests need one.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// The program, and what its link says.
pub struct Console {
    child: Child,
    /// Host and port.
    pub address: String,
    /// The token of the link.
    pub token: String,
}

/// An answer.
#[derive(Debug)]
pub struct Reply {
    /// Status of HTTP.
    pub status: u16,
    head: String,
    /// Content.
    pub body: String,
}

impl Reply {
    /// A header, by its name in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines
            .into_iter()
            .find(|(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    /// The content as JSON.
    ///
    /// # Panics
    /// When it is not.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }
}

impl Console {
    /// Starts the program with these arguments, and reads its link.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn start(command: &mut Command) -> Self {
        Self::start_on(command, 0)
    }

    /// The same on a port.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn start_on(command: &mut Command, port: u16) -> Self {
        let command = command.arg(format!("--port={port}")).stdout(Stdio::piped());
        let mut child = command.spawn().expect("the program runs");
        let mut line = String::new();
        let output = child.stdout.take().expect("its output");
        BufReader::new(output).read_line(&mut line).expect("a line");
        let link = line.trim_end().split_once("://").map(|(_, link)| link);
        let (address, token) =
            link.and_then(|link| link.split_once("/?token=")).expect("the program prints its link");
        Self { address: address.to_owned(), token: token.to_owned(), child }
    }

    /// Its process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The cookie that the link sets.
    #[must_use]
    pub fn cookie(&self) -> String {
        let port = self.address.rsplit(':').next().unwrap_or_default();
        format!("trips_console_{port}={}", self.token)
    }

    /// An answer to a request with these headers and nothing else but the length.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn request(&self, first: &str, headers: &[(&str, &str)], body: &str) -> Reply {
        let mut stream = BufReader::new(self.send(first, headers, body));
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert!(stream.read_line(&mut head).expect("a line") > 0, "{first}: {head}");
        }
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).expect("the content");
        if head.to_ascii_lowercase().contains("transfer-encoding: chunked") {
            bytes = joined(&bytes);
        }
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        let body = String::from_utf8(bytes).expect("UTF-8");
        Reply { status: status.expect("a status"), head, body }
    }

    fn send(&self, first: &str, headers: &[(&str, &str)], body: &str) -> TcpStream {
        let mut stream = TcpStream::connect(&self.address).expect("a connection");
        stream.set_read_timeout(Some(PATIENCE)).expect("a limit");
        let mut text =
            format!("{first} HTTP/1.1\r\nConnection: close\r\nContent-Length: {}\r\n", body.len());
        for (name, value) in headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        stream.write_all(format!("{text}\r\n{body}").as_bytes()).expect("a request");
        stream
    }

    /// The answer that the page gets.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn get(&self, path: &str) -> Reply {
        let headers = [("Host", self.address.as_str()), ("Cookie", &self.cookie())];
        self.request(&format!("GET {path}"), &headers, "")
    }

    /// The JSON that the page gets.
    ///
    /// # Panics
    /// When the request fails.
    #[must_use]
    pub fn json(&self, path: &str) -> Value {
        let reply = self.get(path);
        assert_eq!(reply.status, 200, "{path}: {}", reply.body);
        reply.json()
    }

    /// The answer that the page gets to a change.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn post(&self, path: &str, body: &Value) -> Reply {
        let origin = format!("http://{}", self.address);
        let headers = [
            ("Host", self.address.as_str()),
            ("Cookie", &self.cookie()),
            ("Origin", &origin),
            ("X-Trips-Console", "1"),
            ("Content-Type", "application/json"),
        ];
        self.request(&format!("POST {path}"), &headers, &body.to_string())
    }

    /// The stream of a page that has seen events up to a number.
    #[must_use]
    pub fn events(&self, last: Option<i64>) -> Events {
        let cookie = self.cookie();
        let last = last.map(|last| last.to_string());
        let mut headers = vec![("Host", self.address.as_str()), ("Cookie", &cookie)];
        headers.extend(last.iter().map(|last| ("Last-Event-ID", last.as_str())));
        Events(BufReader::new(self.send("GET /api/events", &headers, "")))
    }
}

impl Drop for Console {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Server-sent events.
pub struct Events(BufReader<TcpStream>);

impl Events {
    /// The next event of a kind: its number and its data.
    ///
    /// # Panics
    /// When the stream ends, or does not bring one.
    pub fn next(&mut self, kind: &str) -> (Option<i64>, Value) {
        // The stream says that it is alive: the limit of a read alone would not end this.
        let end = Instant::now() + PATIENCE;
        loop {
            let (found, id, data) = self.message(end);
            if found == kind {
                return (id, serde_json::from_str(&data).expect("JSON"));
            }
        }
    }

    /// The rest of the stream as it is, without what is read already.
    #[must_use]
    pub fn into_stream(self) -> TcpStream {
        self.0.into_inner()
    }

    fn message(&mut self, end: Instant) -> (String, Option<i64>, String) {
        let (mut kind, mut id, mut data) = (String::new(), None, String::new());
        loop {
            let mut line = String::new();
            assert!(Instant::now() < end, "no event in {PATIENCE:?}");
            assert!(self.0.read_line(&mut line).expect("a line") > 0, "the stream has ended");
            match line.trim_end().split_once(": ") {
                Some(("event", value)) => value.clone_into(&mut kind),
                Some(("id", value)) => id = value.parse().ok(),
                Some(("data", value)) => value.clone_into(&mut data),
                // Lines with the length of a chunk pass, too.
                _ if line.trim_end().is_empty() && !data.is_empty() => return (kind, id, data),
                _ => (),
            }
        }
    }
}

/// The content of chunks.
fn joined(bytes: &[u8]) -> Vec<u8> {
    let (mut rest, mut content) = (bytes, Vec::new());
    while let Some(end) = rest.windows(2).position(|pair| pair == b"\r\n") {
        let size = std::str::from_utf8(&rest[..end])
            .ok()
            .and_then(|hex| usize::from_str_radix(hex, 16).ok());
        let size = size.expect("the length of a chunk");
        content.extend_from_slice(&rest[end + 2..end + 2 + size]);
        rest = rest.get(end + size + 4..).unwrap_or_default();
    }
    content
}
