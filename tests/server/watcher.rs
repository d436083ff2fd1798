//! The program `trips_watch`: what it prints of loads, over lost connections, and without a session.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Output, Stdio};

use trips_bucket::OF_LOOPBACK;
use trips_tests::{Cluster, Database, FIVE_COLUMNS, trip_line, until};

/// The program, whose output goes to a file.
struct Watcher {
    child: Child,
    output: String,
}

impl Drop for Watcher {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Watcher {
    fn start(database: &Database, role: &str) -> Self {
        Self::run(database, &mut program(database, role))
    }

    fn run(database: &Database, command: &mut Command) -> Self {
        let output = database.path("watched.txt");
        let file = File::create(&output).expect("a file");
        let child = command.stdout(file).spawn().expect("the program runs");
        let watcher = Self { child, output };
        watcher.printed("connected to database");
        watcher
    }

    /// Waits for a text, and returns all that was printed.
    fn printed(&self, text: &str) -> String {
        until(format!("not printed: {text}"), || {
            let all = fs::read_to_string(&self.output).expect("the output");
            all.contains(text).then_some(all)
        })
    }
}

/// The program with the variables of this database alone.
fn program(database: &Database, role: &str) -> Command {
    let socket = database.path("");
    let mut command = Command::new(env!("CARGO_BIN_EXE_watch_program"));
    command.env_clear().env("HOME", &socket).env("PGUSER", role).stdin(Stdio::null());
    let config = database.config();
    if let Some(postgres::config::Host::Unix(path)) = config.get_hosts().first() {
        command.env("PGHOST", path);
    }
    command.env("PGDATABASE", config.get_dbname().expect("a name"));
    command
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr].concat()).into_owned()
}

/// Ends, names of files with escapes, and loads while there was no server: nothing is missed.
#[test]
fn it_shows_all_loads_over_a_restart() {
    let mut cluster = Cluster::start();
    let good = cluster.file("a \x1b[2J.csv", format!("{FIVE_COLUMNS}{}", trip_line("A", 1)));
    let bad = cluster.file("b.csv", "not a header\n");
    let watcher = Watcher::start(&cluster, "postgres");
    let mut client = cluster.client();
    // Every role may send a notification; this one would hide all events behind it.
    let forged = r#"NOTIFY trips_ingest, '{"seq": 9000000000000000000, "load_id": 9, "state": "loaded", "bytes_done": 1, "bytes_total": 1, "rows_read": 1}'"#;
    client.batch_execute(forged).expect("a notification");
    cluster.ingest(&mut client, &good);
    let shown = r"a \u{1b}[2J.csv";
    let all = watcher.printed("1 rows read: 1 inserted, 0 duplicate, 0 staged");
    assert!(all.contains(shown) && !all.contains('\x1b') && !all.contains("load     9"), "{all}");
    client.query("SELECT trips.ingest($1)", &[&bad]).expect_err("no header");
    let all = watcher.printed("failed     42703 invalid header");
    assert!(all.contains("(hint: Use a first line"), "{all}");
    drop(client);
    cluster.restart(|_| ());
    // Before it is connected again, perhaps.
    cluster.ingest(&mut cluster.client(), &good);
    watcher.printed("connecting again");
    let all = watcher.printed("skipped    load 1 has the same bytes");
    assert!(all.contains("connected again to database"), "{all}");
    assert_eq!(all.matches("  loaded ").count(), 1, "{all}");
}

/// Readers see the ends of all loads, and no values of files.
#[test]
fn a_reader_may_watch() {
    let cluster = Cluster::start();
    let mut client = cluster.client();
    client.batch_execute("CREATE ROLE reader LOGIN").expect("a role");
    let refused = refusal(&mut program(&cluster, "reader"));
    assert!(refused.contains("HINT:  Run SELECT trips.grant_reader('reader')"), "{refused}");
    client.batch_execute("SELECT trips.grant_reader('reader')").expect("granted");
    let watcher = Watcher::start(&cluster, "reader");
    let path = cluster.file("secret.csv", "secret header\n");
    client.query("SELECT trips.ingest($1)", &[&path]).expect_err("no header");
    let all = watcher.printed("failed     42703 invalid header");
    assert!(!all.contains("secret header") && !all.contains("hint:"), "{all}");
}

/// What the program prints when it gets no session.
#[track_caller]
fn refusal(command: &mut Command) -> String {
    let mut child =
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program runs");
    until("the program has a session", || child.try_wait().expect("a child"));
    let output = child.wait_with_output().expect("its output");
    assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0), "{}", text(&output));
    text(&output)
}

#[test]
fn it_says_why_there_is_no_session() {
    let cluster = Cluster::start();
    cluster.client().batch_execute("CREATE DATABASE other").expect("a database");
    let cases = [
        ("PGHOST", "/nowhere", "HINT:  Start the server, or set PGHOST and PGPORT"),
        (
            "PGDATABASE",
            "other",
            "does not have the extension trips_pipeline\nHINT:  Run CREATE EXTENSION",
        ),
        ("PGDATABASE", "missing", "HINT:  Set PGDATABASE to the database"),
        ("PGSERVICE", "missing", "HINT:  Set PGSERVICEFILE"),
    ];
    for (variable, value, expected) in cases {
        let printed = refusal(program(&cluster, "postgres").env(variable, value));
        assert!(printed.contains(expected), "{printed}");
    }
    let invalid = refusal(program(&cluster, "postgres").arg("colour=red"));
    assert!(invalid.contains("HINT:  Run trips_watch --help"), "{invalid}");
}

/// The password of the variable, of the file, of neither; and what it prints when the password is wrong.
#[test]
fn it_finds_passwords_as_all_clients_do() {
    let cluster = Cluster::start();
    let mut client = cluster.client();
    client
        .batch_execute("CREATE ROLE etl LOGIN PASSWORD 'right'; SELECT trips.grant_loader('etl')")
        .expect("a role");
    let rules = cluster.path("data/pg_hba.conf");
    let others = fs::read_to_string(&rules).expect("rules");
    fs::write(&rules, format!("local all etl scram-sha-256\n{others}")).expect("a rule");
    client.batch_execute("SELECT pg_reload_conf()").expect("reloaded");
    until("no password is asked for", || {
        let printed =
            program(&cluster, "etl").env("PGPASSWORD", "wrong").env("PGDATABASE", "no").output();
        text(&printed.expect("the program runs"))
            .contains("password authentication failed")
            .then_some(())
    });
    for password in [None, Some("wrong")] {
        let mut command = program(&cluster, "etl");
        command.envs(password.map(|password| ("PGPASSWORD", password)));
        let printed = refusal(&mut command);
        assert!(printed.contains("HINT:  Set PGPASSWORD, or write the password"), "{printed}");
    }
    let file = cluster.path("passwords");
    fs::write(&file, "*:*:*:etl:right\n").expect("a file");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("permissions");
    for (variable, value) in [("PGPASSFILE", file.as_str()), ("PGPASSWORD", "right")] {
        let watcher = Watcher::run(&cluster, program(&cluster, "etl").env(variable, value));
        watcher.printed("as \"etl\"");
    }
}

/// Certificates are checked as PGSSLMODE says.
#[test]
fn it_connects_with_tls() {
    let cluster = Cluster::start();
    let mut client = cluster.client();
    let library = client.query_one("SELECT current_setting('ssl_library')", &[]).expect("a text");
    if library.get::<_, &str>(0).is_empty() {
        println!("this server was built without TLS");
        return;
    }
    let key = include_bytes!("../../crates/trips_bucket/src/certificates/loopback.key.der");
    let base64: String =
        client.query_one("SELECT encode($1, 'base64')", &[&key.as_slice()]).expect("a text").get(0);
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{base64}\n-----END PRIVATE KEY-----\n");
    let (key, certificate) =
        (cluster.file("key.pem", pem), cluster.file("crt.pem", OF_LOOPBACK.pem));
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).expect("permissions");
    cluster.give_to_server(&key);
    let mut cluster = cluster;
    // An address of the machine that no other server has: the port stays the one of the socket.
    let id = std::process::id();
    let address = format!("127.{}.{}.77", id >> 8 & 0xff, id & 0xff);
    cluster.restart(|cluster| {
        cluster.configure(&format!(
            "listen_addresses = '{address}'\nssl = on\nssl_key_file = '{key}'\nssl_cert_file = '{certificate}'"
        ));
        let rules = cluster.path("data/pg_hba.conf");
        let others = fs::read_to_string(&rules).expect("rules");
        fs::write(&rules, format!("hostnossl all all 127.0.0.0/8 reject\n{others}")).expect("a rule");
    });
    let with_tls = |mode: &str, host: &str| {
        let mut command = program(&cluster, "postgres");
        command.env("PGHOST", host).env("PGHOSTADDR", &address).env("PGSSLMODE", mode);
        command.env("PGSSLROOTCERT", &certificate);
        command
    };
    let watcher = Watcher::run(&cluster, &mut with_tls("verify-full", "127.0.0.1"));
    watcher.printed(", TLSv1.3)");
    let other = refusal(&mut with_tls("verify-full", "db.example.com"));
    assert!(other.contains("HINT:  Set PGSSLMODE, and PGSSLROOTCERT"), "{other}");
    let none = refusal(&mut with_tls("disable", "127.0.0.1"));
    assert!(none.contains("HINT:  Set PGUSER to a role that pg_hba.conf"), "{none}");
}

#[test]
fn help_and_version_need_no_server() {
    let run = |argument: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_watch_program"));
        command.arg(argument).output().expect("the program runs")
    };
    let help = run("--help");
    assert!(help.status.success() && text(&help).contains("PGPASSFILE"), "{}", text(&help));
    assert!(text(&run("--version")).starts_with("trips_watch "));
    let wrong = run("--wrong");
    assert_eq!(wrong.status.code(), Some(2));
    assert!(text(&wrong).contains("HINT:  Run trips_watch --help"), "{}", text(&wrong));
}
