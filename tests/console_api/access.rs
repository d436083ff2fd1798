//! Who gets an answer: the token, the name of the host, the origin; and what a browser is told to refuse.

use std::process::Command;

use serde_json::json;
use trips_bucket::OF_LOOPBACK;
use trips_tests::{Console, Database, until};

use super::{program, start};

#[test]
fn only_who_has_the_token_gets_an_answer() {
    let database = Database::on_shared();
    let console = start(&database);
    let host = ("Host", console.address.as_str());
    let page = console.request("GET /", &[host], "");
    assert_eq!(page.status, 401);
    assert!(page.body.contains("Open the link"), "{}", page.body);
    let refused = console.request("GET /api/now", &[host], "");
    assert_eq!(refused.status, 401);
    assert!(refused.json()["error"]["hint"].as_str().unwrap().contains("link"));
    for wrong in ["", "x", &console.token[1..], &format!("{}0", console.token)] {
        let port = console.address.rsplit(':').next().unwrap();
        let cookie = format!("trips_console_{port}={wrong}");
        for path in ["GET /api/now", "GET /api/events", "POST /api/verify", "GET /index.html"] {
            let reply = console.request(path, &[host, ("Cookie", &cookie)], "");
            assert_eq!(reply.status, 401, "{path} {wrong}");
        }
        let reply = console.request(&format!("GET /?token={wrong}"), &[host], "");
        assert_eq!((reply.status, reply.header("set-cookie")), (401, None));
    }
    // The link sets a cookie that scripts do not see, and leads to the page without the token.
    let link = format!("GET /?token={}&view=map", console.token);
    let entered = console.request(&link, &[host], "");
    assert_eq!((entered.status, entered.header("location")), (303, Some("/?view=map")));
    let cookie = entered.header("set-cookie").unwrap();
    assert_eq!(cookie, format!("{}; Path=/; HttpOnly; SameSite=Strict", console.cookie()));
    assert_eq!(console.get("/").status, 200);
    assert_eq!(console.get("/api/now").status, 200);
    assert_eq!(console.get("/api/nothing").json()["error"]["sqlstate"], "42704");
    assert_eq!(console.get("/../Cargo.toml").status, 404);
}

#[test]
fn foreign_names_and_pages_are_refused() {
    let database = Database::on_shared();
    let console =
        Console::start(program(&database, "postgres").arg("--allow-host=trips.example.com"));
    let cookie = console.cookie();
    let port = console.address.rsplit(':').next().unwrap();
    let status = |host: &str| {
        console.request("GET /api/now", &[("Host", host), ("Cookie", &cookie)], "").status
    };
    for own in [&console.address, "localhost", &format!("localhost:{port}"), "trips.example.com"] {
        assert_eq!(status(own), 200, "{own}");
    }
    // Names that somebody else's name server leads here.
    for foreign in ["evil.example", &format!("evil.example:{port}"), "localhost.evil.example", ""] {
        assert_eq!(status(foreign), 421, "{foreign}");
    }
    let post = |headers: &[(&str, &str)]| {
        let mut all = vec![("Host", console.address.as_str()), ("Cookie", &cookie)];
        all.extend(headers);
        console.request("POST /api/verify", &all, "").status
    };
    let (own, header) = (format!("http://{}", console.address), ("X-Trips-Console", "1"));
    assert_eq!(post(&[("Origin", &own), header]), 200);
    for refused in [
        &[][..],
        &[header],
        &[("Origin", &own)],
        &[("Origin", "http://evil.example"), header],
        &[("Origin", "null"), header],
        &[("Origin", &format!("{own}1")), header],
        &[("Origin", "http://localhost"), header],
    ] {
        assert_eq!(post(refused), 403, "{refused:?}");
    }
    let cross =
        [("Host", console.address.as_str()), ("Cookie", &cookie), ("Sec-Fetch-Site", "cross-site")];
    assert_eq!(console.request("GET /api/now", &cross, "").status, 403);
}

#[test]
fn every_answer_has_the_headers_of_security() {
    let database = Database::on_shared();
    let console = start(&database);
    let foreign = console.request("GET /", &[("Host", "evil.example")], "");
    for reply in [console.get("/"), console.get("/api/now"), console.get("/nothing"), foreign] {
        let policy = reply.header("content-security-policy").unwrap();
        for part in [
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "frame-ancestors 'none'",
        ] {
            assert!(policy.contains(part), "{policy}");
        }
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(reply.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(reply.header("referrer-policy"), Some("no-referrer"));
        assert_eq!(reply.header("x-frame-options"), Some("DENY"));
    }
    assert_eq!(console.get("/api/now").header("cache-control"), Some("no-store"));
}

#[test]
fn parameters_and_bodies_are_bounded() {
    let database = Database::on_shared();
    let console = start(&database);
    let long = "x".repeat(1001);
    for path in [
        &format!("/api/trips?region={long}"),
        "/api/trips?since=2018-02-30",
        "/api/trips?since=2018-03-01&until=2018-02-01",
        "/api/trips?period=hour",
        "/api/trips?top=1000",
        "/api/loads?limit=0",
        "/api/loads?state=gone",
        "/api/loads/x",
        "/api/cells?west=200",
        "/api/cells?west=NaN",
        "/api/cells?south=10&north=-10",
        "/api/trips?region=%00",
    ] {
        let reply = console.get(path);
        assert_eq!(reply.status, 400, "{path}: {}", reply.body);
        assert!(reply.json()["error"]["hint"].is_string(), "{path}: {}", reply.body);
    }
    for body in [json!({}), json!({"polygon": [[0, 0], [1, 1]]}), json!({"box": [0, 0]})] {
        assert_eq!(console.post("/api/area", &body).status, 400, "{body}");
    }
    let huge = json!({ "polygon": vec![[0.0, 0.0]; 100_000] });
    assert_eq!(console.post("/api/area", &huge).status, 400);
}

/// The program that does not start: its exit code and what it says.
fn refusal(database: &Database, arguments: &[&str]) -> (Option<i32>, String) {
    let output = program(database, "postgres").args(arguments).output().expect("the program runs");
    assert!(output.stdout.is_empty(), "{arguments:?}");
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn it_listens_beyond_loopback_only_with_tls() {
    let database = Database::on_shared();
    let (code, said) = refusal(&database, &["--listen=0.0.0.0"]);
    assert!(code == Some(2) && said.contains("--behind-proxy"), "{said}");
    let (code, said) = refusal(&database, &["--tls-cert=/nowhere", "--tls-key=/nowhere"]);
    assert!(code == Some(1) && said.contains("/nowhere"), "{said}");
    let short = database.file("short", "abc");
    let (code, said) = refusal(&database, &["--token-file", &short]);
    assert!(code == Some(1) && said.contains("16 to 200 letters and digits"), "{said}");
    let taken = start(&database);
    let port = format!("--port={}", taken.address.rsplit(':').next().unwrap());
    let (code, said) = refusal(&database, &[&port]);
    assert!(code == Some(1) && said.contains("HINT:  Choose another port"), "{said}");
    // Behind a proxy, the cookie is for TLS only.
    let token = database.file("token", "0123456789abcdef\n");
    let arguments = ["--listen=0.0.0.0", "--behind-proxy", "--token-file", &token];
    let console = Console::start(program(&database, "postgres").args(arguments));
    assert_eq!(console.token, "0123456789abcdef");
    let link = console.request("GET /?token=0123456789abcdef", &[("Host", &console.address)], "");
    assert!(link.header("set-cookie").unwrap().ends_with("; Secure"), "{link:?}");
    assert!(link.header("strict-transport-security").is_some());
}

#[test]
fn it_speaks_tls() {
    if Command::new("curl").arg("--version").output().is_err() {
        println!("this machine has no curl");
        return;
    }
    let database = Database::on_shared();
    let der = include_bytes!("../../crates/trips_bucket/src/certificates/loopback.key.der");
    let base64: String = database
        .client()
        .query_one("SELECT encode($1, 'base64')", &[&der.as_slice()])
        .expect("a text")
        .get(0);
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{base64}\n-----END PRIVATE KEY-----\n");
    let (key, certificate) =
        (database.file("key.pem", pem), database.file("crt.pem", OF_LOOPBACK.pem));
    let console = Console::start(program(&database, "postgres").args([
        "--tls-cert",
        &certificate,
        "--tls-key",
        &key,
    ]));
    let status = until("no answer by TLS", || {
        let output = Command::new("curl")
            .args(["--silent", "--cacert", &certificate, "--cookie", &console.cookie()])
            .arg(format!("https://{}/api/status", console.address))
            .output()
            .expect("curl runs");
        let status: serde_json::Value = serde_json::from_slice(&output.stdout).ok()?;
        status["connected"].as_bool().filter(|connected| *connected).map(|_| status)
    });
    assert_eq!(status["role"], "postgres");
}

#[test]
fn help_and_version_need_no_server() {
    let run = |argument: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_console_program"));
        let output = command.arg(argument).output().expect("the program runs");
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let (code, help) = run("--help");
    assert!(code == Some(0) && help.contains("--allow-actions"), "{help}");
    assert!(run("--version").1.starts_with("trips_console "));
    assert_eq!(run("--wrong").0, Some(2));
}
