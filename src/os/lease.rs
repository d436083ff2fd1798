//! Whether a process has a file open for writing. Only the kernel knows.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

/// Whether a file has writers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Writers {
    /// No process has it open for writing.
    None,
    /// A process has it open for writing.
    Some,
    /// The kernel cannot say.
    Unknown,
}

/// `fcntl`: the signal that the kernel sends when a process opens a leased file for writing. (The crate libc defines it
/// for some platforms only; Linux has one number for all.)
const F_SETSIG: libc::c_int = 10;

/// Requests a read lease, which the kernel refuses while a process has the file open for writing, and releases it at
/// once. The kernel grants leases on files of the server's own user, or with CAP_LEASE.
pub fn writers(file: &File) -> Writers {
    let descriptor = file.as_raw_fd();
    // SAFETY: calls on an open descriptor, with numbers only. A writer that opens the file during the lease waits until
    // its release, and the kernel sends a signal: SIGIO would end the process, SIGWINCH is ignored.
    unsafe {
        if libc::fcntl(descriptor, F_SETSIG, libc::SIGWINCH) != 0 {
            return Writers::Unknown;
        }
        if libc::fcntl(descriptor, libc::F_SETLEASE, libc::F_RDLCK) == 0 {
            libc::fcntl(descriptor, libc::F_SETLEASE, libc::F_UNLCK);
            return Writers::None;
        }
    }
    match io::Error::last_os_error().raw_os_error() {
        Some(libc::EAGAIN) => Writers::Some,
        _ => Writers::Unknown,
    }
}
