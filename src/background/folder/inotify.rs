//! An open folder: its events, and whether its path still names it.

use std::collections::BTreeSet;
use std::io;
use std::mem::MaybeUninit;
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

use rustix::fd::OwnedFd;
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use rustix::io::Errno;

use crate::pg::worker;

/// Events of the folder.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Events {
    /// Names of files that were written and closed, or moved there.
    pub names: BTreeSet<String>,
    /// The folder must be scanned: the kernel has dropped events.
    pub is_incomplete: bool,
    /// The folder itself is gone.
    pub is_gone: bool,
}

/// A watched folder.
#[derive(Debug)]
pub struct FolderEvents {
    path: String,
    /// Device and inode.
    identity: (u64, u64),
    events: OwnedFd,
    /// Names that were created since the watch began, and not closed yet.
    unclosed: BTreeSet<String>,
}

fn identity(path: &str) -> io::Result<(u64, u64)> {
    let metadata = std::fs::metadata(path)?;
    Ok((metadata.dev(), metadata.ino()))
}

impl FolderEvents {
    /// Begins to watch a folder.
    pub fn open(path: &str) -> io::Result<Self> {
        // In this order: if the folder is replaced meanwhile, the next check notices it.
        let identity = identity(path)?;
        let events = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?;
        let wanted = WatchFlags::CREATE
            | WatchFlags::CLOSE_WRITE
            | WatchFlags::MOVED_TO
            | WatchFlags::DELETE_SELF
            | WatchFlags::MOVE_SELF
            | WatchFlags::ONLYDIR;
        inotify::add_watch(&events, path, wanted)?;
        Ok(Self { path: path.to_owned(), identity, events, unclosed: BTreeSet::new() })
    }

    /// Whether its path still names it. Renaming a parent, or mounting over it, is not an event.
    pub fn is_in_place(&self) -> io::Result<bool> {
        Ok(identity(&self.path)? == self.identity)
    }

    /// Waits for an event, but not longer than this.
    pub fn wait(&self, timeout: Duration) {
        worker::wait_for(&self.events, timeout);
    }

    /// Whether a file of this name was created while the folder was watched, and has no close event yet.
    pub fn is_unclosed(&self, name: &str) -> bool {
        self.unclosed.contains(name)
    }

    /// Drops the names of files that are gone.
    pub fn retain_unclosed(&mut self, is_there: impl Fn(&str) -> bool) {
        self.unclosed.retain(|name| is_there(name));
    }

    /// Returns all events since the last call.
    pub fn read_events(&mut self) -> io::Result<Events> {
        let mut happened = Events::default();
        let mut buffer = [MaybeUninit::uninit(); 16 * 1024];
        let mut reader = inotify::Reader::new(&self.events, &mut buffer);
        loop {
            let event = match reader.next() {
                Ok(event) => event,
                Err(Errno::WOULDBLOCK) => break,
                Err(Errno::INTR) => continue,
                Err(error) => return Err(error.into()),
            };
            let flags = event.events();
            happened.is_incomplete |= flags.contains(ReadFlags::QUEUE_OVERFLOW);
            happened.is_gone |= flags
                .intersects(ReadFlags::DELETE_SELF | ReadFlags::MOVE_SELF | ReadFlags::IGNORED);
            let Some(name) = event.file_name().and_then(|name| name.to_str().ok()) else {
                continue;
            };
            if flags.contains(ReadFlags::CREATE) {
                self.unclosed.insert(name.to_owned());
            } else {
                self.unclosed.remove(name);
                happened.names.insert(name.to_owned());
            }
        }
        if happened.is_incomplete {
            // Some may have been closed since.
            self.unclosed.clear();
        }
        Ok(happened)
    }
}
