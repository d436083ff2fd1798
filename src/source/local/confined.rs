//! Files beneath a directory, and no way out of it.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat, openat2};
use rustix::io::Errno;

/// The directory of the list beneath which the path lies by its name, and the rest of the path. A name
/// with `..` in it lies beneath none.
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

/// Opens a file beneath a directory. Whatever links the path has, and whoever changes them meanwhile,
/// the file that is opened lies there: the kernel sees to it while it follows the path.
pub fn open(directory: &Path, rest: &Path) -> io::Result<File> {
    open_with(directory, rest, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY)
}

/// Finds what lies there without opening it: a file that may not be read, a directory, a pipe.
pub fn look(directory: &Path, rest: &Path) -> io::Result<File> {
    open_with(directory, rest, OFlags::PATH)
}

/// A name by which this process finds what it has found, whatever happens to its path.
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
            "this system cannot keep a path beneath a directory (openat2, Linux 5.6)",
        )),
        Err(Errno::XDEV) => Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            "a link leads out of the directory that it must stay in",
        )),
        Err(error) => Err(error.into()),
    }
}
