//! The W3C's WebDriver protocol, as far as the tests need it: JSON over HTTP to a chromedriver of their own.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

/// How long the browser may take for one command.
const TIMEOUT: Duration = Duration::from_secs(120);

/// A chromedriver with one session: a browser without a window.
pub struct WebDriver {
    driver: Child,
    port: u16,
    session: String,
}

impl WebDriver {
    /// Starts both. Their files are in `directory`.
    pub fn start(directory: &str) -> Self {
        // The kernel ends the driver with this process; the browser ends when its pipe to the driver does.
        let mut driver = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "chromedriver", "--port=0"])
            .env("TMPDIR", directory)
            .env("HOME", directory)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("setpriv and chromedriver are there: run the tests by `make test-console`");
        let mut lines = BufReader::new(driver.stdout.take().expect("a pipe"));
        let port = port_of(&mut lines);
        // Read on, so that the pipe never fills.
        std::thread::spawn(move || std::io::copy(&mut lines, &mut std::io::sink()));
        let mut started = Self { driver, port, session: String::new() };
        let session =
            started.call("POST", "/session", &capabilities(directory)).expect("a session");
        started.session = session["sessionId"].as_str().expect("its name").to_owned();
        started
    }

    /// A command of the session.
    pub fn command(&self, method: &str, path: &str, body: &Value) -> Result<Value, String> {
        self.call(method, &format!("/session/{}/{path}", self.session), body)
    }

    fn call(&self, method: &str, path: &str, body: &Value) -> Result<Value, String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).map_err(text)?;
        stream.set_read_timeout(Some(TIMEOUT)).map_err(text)?;
        let body = if method == "POST" { body.to_string() } else { String::new() };
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            self.port,
            body.len()
        )
        .map_err(text)?;
        let answer: Value = serde_json::from_slice(&body_of(stream)?).map_err(text)?;
        match answer["value"]["error"].as_str() {
            Some(error) => Err(format!("{error}: {}", answer["value"]["message"])),
            None => Ok(answer["value"].clone()),
        }
    }
}

impl Drop for WebDriver {
    fn drop(&mut self) {
        let _ = self.call("DELETE", &format!("/session/{}", self.session), &Value::Null);
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

fn text(error: impl ToString) -> String {
    error.to_string()
}

fn capabilities(directory: &str) -> Value {
    let arguments = [
        "--headless=new",
        // Root has no sandbox; the only pages are those of the tests.
        "--no-sandbox",
        "--disable-dev-shm-usage",
        "--disable-gpu",
        "--disable-background-networking",
        "--no-first-run",
        "--force-color-profile=srgb",
        "--hide-scrollbars",
        "--remote-debugging-pipe",
        &format!("--user-data-dir={directory}/browser"),
    ];
    json!({ "capabilities": { "alwaysMatch": {
        "browserName": "chrome",
        "goog:chromeOptions": { "args": arguments },
        "goog:loggingPrefs": { "browser": "ALL", "performance": "ALL" },
    } } })
}

/// The driver says its port in a line of its own.
fn port_of(lines: &mut impl BufRead) -> u16 {
    for line in lines.lines() {
        let line = line.expect("text of chromedriver");
        if let Some((_, port)) = line.split_once("started successfully on port ") {
            return port.trim_end_matches('.').parse().expect("a port");
        }
    }
    panic!("chromedriver ended before it listened")
}

fn body_of(stream: TcpStream) -> Result<Vec<u8>, String> {
    let mut reader = BufReader::new(stream);
    let mut length = 0;
    let mut line = String::new();
    while reader.read_line(&mut line).map_err(text)? > 2 {
        let lower = line.to_ascii_lowercase();
        if let Some(value) = lower.strip_prefix("content-length:") {
            length = value.trim().parse().map_err(text)?;
        }
        line.clear();
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).map_err(text)?;
    Ok(body)
}
