//! What a run of tests has on this machine: nothing of it stays, also when the run is killed.
//!
//! The kernel ends the servers of a process with it. Its files go when it exits; those of a process that was killed go
//! when the next run begins.

use std::fs::{self, File};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use crate::machine::{env, make_directory};

const TEMPLATES_LAST: Duration = Duration::from_secs(24 * 3600);

struct Run {
    directory: PathBuf,
    /// Locked as long as the process lives.
    _alive: File,
}

static RUN: OnceLock<Run> = OnceLock::new();
static SHARED_SERVER: OnceLock<i32> = OnceLock::new();

/// Where all runs have their files.
pub fn home() -> PathBuf {
    PathBuf::from(env("TRIPS_TEST_RUN"))
}

fn lock(file: &File, flags: libc::c_int) -> bool {
    // SAFETY: the descriptor is open; the lock goes with it.
    unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_EX | flags) == 0 }
}

/// Nobody else makes templates, or begins a run, as long as the result lives.
pub fn lock_home() -> File {
    let file = File::create(home().join("lock")).expect("a lock file");
    assert!(lock(&file, 0), "the directory of runs cannot be locked");
    file
}

/// The directory of this process, which only the server's user may enter.
pub fn run_directory() -> &'static Path {
    &RUN.get_or_init(begin).directory
}

fn begin() -> Run {
    let home = home();
    let _lock = lock_home();
    remove_dead_runs(&home);
    let directory = home.join(std::process::id().to_string());
    let alive = File::create(directory.with_extension("alive")).expect("a lock file");
    assert!(lock(&alive, libc::LOCK_NB), "somebody else has our number");
    make_directory(&directory);
    // SAFETY: the function lives as long as the program, and does not unwind.
    unsafe { libc::atexit(end) };
    Run { directory, _alive: alive }
}

/// Runs whose process is gone; and templates of yesterday, which an older build may have made.
fn remove_dead_runs(home: &Path) {
    for entry in fs::read_dir(home).expect("the directory of runs").flatten() {
        let path = entry.path();
        let is_template = entry.file_name().to_string_lossy().starts_with("template-");
        let age = entry.metadata().and_then(|found| found.modified()).map(|time| time.elapsed());
        if is_template && age.is_ok_and(|age| age.is_ok_and(|age| age > TEMPLATES_LAST)) {
            let _ = fs::remove_dir_all(&path);
        }
        if path.extension().is_none_or(|extension| extension != "alive") {
            continue;
        }
        let is_dead = File::open(&path).is_ok_and(|file| lock(&file, libc::LOCK_NB));
        if is_dead {
            let directory = path.with_extension("");
            for cluster in fs::read_dir(&directory).into_iter().flatten().flatten() {
                end_server(&cluster.path().join("data"));
            }
            let _ = fs::remove_dir_all(directory);
            let _ = fs::remove_file(path);
        }
    }
}

/// Ends the server of a data directory, if there is one.
fn end_server(data: &Path) {
    let text = fs::read_to_string(data.join("postmaster.pid")).unwrap_or_default();
    let pid: Option<i32> = text.lines().next().and_then(|line| line.parse().ok());
    let Some(pid) = pid.filter(|&pid| pid > 1) else { return };
    let command = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    if String::from_utf8_lossy(&command).contains(&*data.to_string_lossy()) {
        // SAFETY: a signal to a process that has our data directory in its arguments.
        unsafe { libc::kill(pid, libc::SIGQUIT) };
    }
}

/// Notes the server that is to end with this process.
pub fn end_of_run(server: u32) {
    SHARED_SERVER.get_or_init(|| i32::try_from(server).expect("a process id"));
}

extern "C" fn end() {
    if let Some(&server) = SHARED_SERVER.get() {
        // SAFETY: our own child, for which nobody else has waited.
        unsafe {
            libc::kill(server, libc::SIGQUIT);
            libc::waitpid(server, std::ptr::null_mut(), 0);
        }
    }
    if let Some(run) = RUN.get() {
        let _ = fs::remove_dir_all(&run.directory);
        let _ = fs::remove_file(run.directory.with_extension("alive"));
    }
}
