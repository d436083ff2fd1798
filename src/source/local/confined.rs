//! Files below a directory, opened so that no path leads out of it.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat, openat2};
use rustix::io::Errno;

/// The directory of the list that contains the path by its name, and the rest of the path. No directory contains a name
/// with `..`.
pub fn split(directories: &[String], path: &str) -> Option<(PathBuf, PathBuf)> {
    let path = Path::new(path);
    let is_plain = |part: Component<'_>| matches!(part, Component::RootDir | Component::Normal(_));
    if !path.components().all(is_plain) {
        return None;
    }
    directories.iter().find_map(|directory| {
        let rest = path.strip_prefix(directory).ok()?;
        let is_file = rest.components().next().is_some();
        is_file.then(|| (directory.into(), rest.into()))
    })
}

/// Opens a file below a directory. Links in the path may change meanwhile: the kernel checks that the file is below the
/// directory while it follows the path.
pub fn open(directory: &Path, rest: &Path) -> io::Result<File> {
    open_with(directory, rest, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY)
}

/// Finds the entry without opening it: an unreadable file, a directory, a pipe.
pub fn look(directory: &Path, rest: &Path) -> io::Result<File> {
    open_with(directory, rest, OFlags::PATH)
}

/// A name for the open file that stays valid if its path changes.
pub fn name_of(file: &File) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()))
}

fn open_with(directory: &Path, rest: &Path, flags: OFlags) -> io::Result<File> {
    let flags = flags | OFlags::CLOEXEC;
    let root = openat(
        CWD,
        directory,
        OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC,
        Mode::empty(),
    )?;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    match openat2(&root, rest, flags, Mode::empty(), resolve) {
        Ok(file) => Ok(file.into()),
        Err(Errno::NOSYS) => Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "the kernel does not support openat2 (Linux 5.6 or later)",
        )),
        Err(Errno::XDEV) => Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            "a link leads out of the directory",
        )),
        Err(error) => Err(error.into()),
    }
}
