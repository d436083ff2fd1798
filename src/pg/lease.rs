//! Whether somebody has a file open for writing: what the kernel alone knows.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

/// Who may still write to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Writers {
    /// Nobody has it open for writing.
    None,
    /// Somebody has.
    Some,
    /// That cannot be found out.
    Unknown,
}

/// `fcntl`: which signal tells that somebody wants to write to a file with a lease. (The crate libc has it for some
/// platforms; Linux has one number for all of them.)
const F_SETSIG: libc::c_int = 10;

/// Asks for a read lease, which the kernel refuses while anybody has the file open for writing, and gives it back
/// at once. It is for files of the server's own user, and for who has CAP_LEASE.
pub fn writers(file: &File) -> Writers {
    let descriptor = file.as_raw_fd();
    // SAFETY: calls on a descriptor that is open, with numbers only. A writer that comes while we have the lease waits
    // until it is given back, and a signal is sent: SIGIO would end the process, SIGWINCH does nothing.
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
