//! A folder is watched: a file that has been completely written there is loaded.

use std::collections::BTreeSet;
use std::io;
use std::mem::MaybeUninit;
use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::time::Duration;

use pgrx::{PgLogLevel, PgSqlErrorCode, ereport};
use rustix::fd::OwnedFd;
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use rustix::io::Errno;
use trips_core::parse::Target;

use super::{RETRY, as_owner_of_ledger, in_database, prepare};
use crate::error::LoadError;
use crate::ledger;
use crate::load::{Attempt, Request, load_file};
use crate::pg::session;
use crate::pg::worker;
use crate::settings::{self, WatchedFolder};
use crate::source::Access;
use crate::source::inbox::{self, FoundFile};

/// How often the folder is looked through although nothing has been heard: for what failed in passing,
/// and for file systems that do not tell.
const LOOK_THROUGH: Duration = Duration::from_secs(60);

/// What has happened in the folder.
#[derive(Debug, Default, PartialEq, Eq)]
struct News {
    /// Names of files that were written and closed, or moved there.
    names: BTreeSet<String>,
    /// The folder must be looked through: more has happened than was kept.
    is_incomplete: bool,
    /// The folder itself has gone.
    is_gone: bool,
}

/// Watches until a setting is another.
pub fn watch(folder: &WatchedFolder) {
    let mut is_told = false;
    while settings::watched_folder().as_ref() == Some(folder) {
        match watch_open(folder) {
            Ok(()) => is_told = false,
            Err(error) => {
                if !is_told {
                    is_told = true;
                    tell(&format!("could not watch the folder {}: {error}", folder.directory));
                }
                worker::wait(RETRY);
                worker::reload_settings();
            }
        }
    }
}

fn tell(text: &str) {
    ereport!(PgLogLevel::LOG, PgSqlErrorCode::ERRCODE_WARNING, format!("trips_pipeline: {text}"));
}

/// Watches the folder until it goes, or a setting is another.
fn watch_open(folder: &WatchedFolder) -> io::Result<()> {
    let events = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?;
    let wanted = WatchFlags::CLOSE_WRITE
        | WatchFlags::MOVED_TO
        | WatchFlags::DELETE_SELF
        | WatchFlags::MOVE_SELF
        | WatchFlags::ONLYDIR;
    inotify::add_watch(&events, folder.directory.as_str(), wanted)?;
    tell(&format!("watches the folder {}", folder.directory));
    // What is there already. The watch began before, so that nothing falls between.
    let mut patience = if look_through(folder) { LOOK_THROUGH } else { RETRY };
    loop {
        let is_news = worker::wait_for(&events, patience);
        worker::reload_settings();
        if settings::watched_folder().as_ref() != Some(folder) {
            return Ok(());
        }
        let news = read_news(&events)?;
        if news.is_gone {
            return Err(io::ErrorKind::NotFound.into());
        }
        if news.is_incomplete || !is_news {
            patience = if look_through(folder) { LOOK_THROUGH } else { RETRY };
        } else if !news.names.is_empty() {
            load_names(folder, &news.names);
        }
    }
}

/// Takes all that has happened since the last time.
fn read_news(events: &OwnedFd) -> io::Result<News> {
    let mut news = News::default();
    let mut buffer = [MaybeUninit::uninit(); 16 * 1024];
    let mut reader = inotify::Reader::new(events, &mut buffer);
    loop {
        let event = match reader.next() {
            Ok(event) => event,
            Err(Errno::WOULDBLOCK) => return Ok(news),
            Err(Errno::INTR) => continue,
            Err(error) => return Err(error.into()),
        };
        let flags = event.events();
        news.is_incomplete |= flags.contains(ReadFlags::QUEUE_OVERFLOW);
        news.is_gone |=
            flags.intersects(ReadFlags::DELETE_SELF | ReadFlags::MOVE_SELF | ReadFlags::IGNORED);
        if let Some(name) = event.file_name().and_then(|name| name.to_str().ok()) {
            news.names.insert(name.to_owned());
        }
    }
}

fn access(folder: &WatchedFolder) -> Access {
    Access::Beneath(vec![folder.directory.clone()])
}

fn path_in(folder: &WatchedFolder, name: &str) -> String {
    Path::new(&folder.directory).join(name).to_string_lossy().into_owned()
}

/// Loads what the folder has and no load has brought; `false` when that could not be found out.
fn look_through(folder: &WatchedFolder) -> bool {
    let listing = match inbox::list(&path_in(folder, &folder.pattern), &access(folder)) {
        Ok(listing) => listing,
        Err(error) => {
            tell(&format!("could not look through the folder: {error}"));
            return false;
        }
    };
    load_new(folder, &listing.files)
}

fn load_names(folder: &WatchedFolder, names: &BTreeSet<String>) {
    let wanted = names.iter().filter(|name| inbox::matches(&folder.pattern, name));
    let paths = wanted.map(|name| path_in(folder, name));
    let files: Vec<FoundFile> =
        paths.filter_map(|path| inbox::find(&path, &access(folder))).collect();
    load_new(folder, &files);
}

fn load_new(folder: &WatchedFolder, files: &[FoundFile]) -> bool {
    let new = in_database(|| {
        let _owner = as_owner_of_ledger();
        ledger::not_loaded_yet(files)
    });
    let Some(new) = new else { return false };
    for path in new {
        load(folder, &path);
    }
    true
}

/// Loads one file as the owner of the tables; a failure is in the ledger and in the log, and costs no other file.
fn load(folder: &WatchedFolder, path: &str) {
    let access = &access(folder);
    let loaded = worker::try_transaction(AssertUnwindSafe(|| {
        let work = || -> Result<(), LoadError> {
            prepare()?;
            let attempt = Attempt::begin_as_owner(path)?;
            let request = Request {
                path,
                access,
                target: Target::History,
                abort_on_error: false,
                max_errors: settings::max_errors(),
                force: false,
            };
            session::require_writable(c"trips.watch_directory");
            load_file(&request, attempt).map(drop)
        };
        work().unwrap_or_else(LoadError::raise);
    }));
    if let Err(failed) = loaded {
        failed.log();
    }
}
