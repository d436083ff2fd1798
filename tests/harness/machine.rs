//! What clusters need of the machine: the user that runs servers, directories, commands.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

pub use crate::leftovers::{end_of_run, home, lock_home, run_directory};

static NUMBER: AtomicU32 = AtomicU32::new(0);

pub const SETTINGS: &str = "listen_addresses = ''\nfsync = off\nshared_buffers = 64MB\n\
    max_wal_size = 4GB\nautovacuum_naptime = 1s\njit = off\nlog_min_messages = warning";

pub const INITDB: [&str; 6] =
    ["--no-sync", "--auth=trust", "-U", "postgres", "--encoding=UTF8", "--locale=C"];

/// A variable that scripts/lib.sh sets, or the caller of the test.
pub fn env(name: &str) -> String {
    std::env::var(name)
        .unwrap_or_else(|_| panic!("{name} is not set: run the tests by `make test`"))
}

/// User and group of the server, when we are root and it must be somebody else.
fn server_ids() -> Option<(u32, u32)> {
    // SAFETY: has no precondition.
    if unsafe { libc::geteuid() } != 0 {
        return None;
    }
    let id = |flag: &str| {
        let output = Command::new("id").arg(flag).arg(env("TRIPS_TEST_USER")).output();
        let text = String::from_utf8(output.expect("id runs").stdout).expect("a number");
        text.trim().parse().expect("a number")
    };
    Some((id("-u"), id("-g")))
}

/// A command that runs as the server's user and ends with the thread that started it.
pub fn server_command(program: impl AsRef<Path>) -> Command {
    let mut command = Command::new(program.as_ref());
    command.current_dir("/").env("LC_ALL", "C").env("RUST_BACKTRACE", "1");
    if let Some((user, group)) = server_ids() {
        command.uid(user).gid(group);
    }
    // SAFETY: prctl is async-signal-safe, and that is all that is called between fork and exec. It
    // comes after the change of user, which would clear it.
    unsafe {
        command.pre_exec(|| {
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGQUIT);
            Ok(())
        });
    }
    command
}

/// Runs a command to its end, which must be a good one.
pub fn run(command: &mut Command) {
    let output = command.output().expect("the command runs");
    let (out, err) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}: {out}{err}");
}

/// A new directory of the server's user, and of nobody else, for a cluster or a database.
pub fn new_directory() -> PathBuf {
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let directory = run_directory().join(number.to_string());
    make_directory(&directory);
    directory
}

pub fn make_directory(directory: &Path) {
    fs::create_dir(directory).expect("a directory");
    fs::set_permissions(directory, fs::Permissions::from_mode(0o700)).expect("permissions");
    if let Some((user, group)) = server_ids() {
        chown(directory, Some(user), Some(group)).expect("root may change owners");
    }
}

/// Appends lines to the configuration in a data directory.
pub fn configure(data: &Path, lines: &str) {
    let path = data.join("postgresql.conf");
    let mut file = fs::OpenOptions::new().append(true).open(path).expect("a data directory");
    writeln!(file, "{lines}").expect("written");
}

/// Copies a directory as the server's user. To keep all times and attributes, as `cp -a` does, takes ten times as long.
pub fn copy(from: &Path, to: &Path) {
    run(server_command("cp").arg("-RP").arg(from).arg(to));
}

/// Makes a data directory with what all clusters have in common.
pub fn initdb(bin: &Path, data: &Path, options: &[&str]) {
    run(server_command(bin.join("initdb")).args(INITDB).args(options).arg("-D").arg(data));
    configure(data, SETTINGS);
}
