//! Watches a folder, and loads each file when it has been completely written.

use std::collections::BTreeSet;
use std::io;
use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use trips_core::format::parser::Target;

use super::{RETRY, in_database, log};
use crate::error::{LoadError, RequestError};
use crate::ledger::{self, NewFile};
use crate::load::{LoadContext, Request, load_file};
use crate::monitor;
use crate::os::lease::Writers;
use crate::pg::extension;
use crate::pg::session;
use crate::pg::worker::{self, Failed};
use crate::settings::{self, LoadOptions, WatchedFolder};
use crate::source::{Access, FileVersion, listing};

mod inotify;
mod settling;

use inotify::FolderEvents;
use settling::{SettlingFiles, Trigger};

/// Interval between two checks that the folder still exists, and of files in their quiet period.
const POLL_INTERVAL: Duration = Duration::from_secs(1);
/// The quiet period of a file without a close event, as a multiple: the file was created while the folder was watched,
/// and its writers cannot be detected.
const UNCLOSED_FACTOR: u32 = 60;
/// SQLSTATE of a file that changed while it was read: often by a writer's chmod after the close.
const CHANGED: &str = "55006";

/// Watches until a setting changes.
pub fn watch(folder: &WatchedFolder) {
    let mut is_reported = false;
    while settings::watched_folder().as_ref() == Some(folder) {
        let watched = if session::database_is_utf8() {
            watch_open(folder)
        } else {
            Err(io::Error::other(RequestError::DatabaseEncoding))
        };
        match watched {
            Ok(()) => is_reported = false,
            Err(error) => {
                if !is_reported {
                    is_reported = true;
                    log(&format!("could not watch directory {}: {error}", folder.directory));
                }
                worker::wait(RETRY);
                worker::reload_settings();
            }
        }
    }
}

/// Watches the folder until it is gone or replaced, or a setting has changed.
fn watch_open(folder: &WatchedFolder) -> io::Result<()> {
    let open = FolderEvents::open(&folder.directory)?;
    log(&format!("watching directory {}", folder.directory));
    let access = Access::Below(vec![folder.directory.clone()]);
    let mut watch = Watch { folder, access, open, settling: SettlingFiles::default() };
    // Existing files. The watch began before, so that no file is missed in between.
    let mut trigger = Trigger::FullScan;
    let mut next_scan = Instant::now();
    loop {
        let events = watch.open.read_events()?;
        if events.is_gone {
            return Err(io::ErrorKind::NotFound.into());
        }
        if !watch.open.is_in_place()? {
            log(&format!("directory {} was replaced", folder.directory));
            return Ok(());
        }
        // A busy folder is scanned at its time nevertheless.
        if events.is_incomplete {
            (trigger, next_scan) = (Trigger::FullScan, Instant::now());
        }
        let is_done = watch.load_names(events.names) && watch.load_settled();
        if !is_done {
            (trigger, next_scan) = (Trigger::FullScan, Instant::now() + RETRY);
        } else if next_scan <= Instant::now() {
            let is_done = watch.scan(trigger);
            let pause = if is_done { settings::watch_interval() } else { RETRY };
            next_scan = Instant::now() + pause;
            trigger = if is_done { Trigger::Interval } else { trigger };
        }
        watch.open.wait(POLL_INTERVAL);
        worker::reload_settings();
        if settings::watched_folder().as_ref() != Some(folder) {
            return Ok(());
        }
        next_scan = next_scan.min(Instant::now() + settings::watch_interval());
    }
}

fn path_in(folder: &WatchedFolder, name: &str) -> String {
    format!("{}/{name}", folder.directory)
}

fn name_of(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

struct Watch<'a> {
    folder: &'a WatchedFolder,
    access: Access,
    open: FolderEvents,
    settling: SettlingFiles,
}

impl Watch<'_> {
    /// Loads the files of the folder that no load has loaded; `false` if that could not be found out.
    fn scan(&mut self, trigger: Trigger) -> bool {
        let folder = self.folder;
        if trigger == Trigger::FullScan {
            // Loads that were running when the server stopped. Until they are recorded as failed, they seem to run.
            monitor::worker::close_dead();
        }
        let access = &self.access;
        let is_there = |path: &str| listing::find(path, access).is_some();
        self.settling.retain(is_there);
        self.open.retain_unclosed(|name| is_there(&path_in(folder, name)));
        let mut after = None;
        loop {
            let listed =
                listing::list_directory(&folder.directory, &folder.pattern, after.as_deref());
            let listing = match listed {
                Ok(listing) => listing,
                Err(error) => {
                    log(&format!("could not read the watched directory: {error}"));
                    return false;
                }
            };
            after = listing.files.last().map(|file| file.path.clone()).filter(|_| listing.is_cut);
            let is_done = self.load_new(listing.files, |_| trigger);
            let is_ours = settings::watched_folder().as_ref() == Some(folder);
            if !is_done || after.is_none() || !is_ours {
                return is_done;
            }
        }
    }

    /// Loads files that were closed, or moved into the folder.
    fn load_names(&mut self, names: impl IntoIterator<Item = String>) -> bool {
        let wanted = names.into_iter().filter(|name| listing::matches(&self.folder.pattern, name));
        let paths = wanted.map(|name| path_in(self.folder, &name));
        let files = paths.filter_map(|path| listing::find(&path, &self.access)).collect();
        self.load_new(files, |_| Trigger::Closed)
    }

    /// Loads files after their quiet period, or whose writers have closed them.
    fn load_settled(&mut self) -> bool {
        let mut files = Vec::new();
        let due = self.settling.due();
        for (path, _) in &due {
            match listing::find(path, &self.access) {
                Some(file) => files.push(file),
                None => self.settling.remove(path),
            }
        }
        let trigger_of = |path: &str| {
            let index = due.binary_search_by(|(other, _)| other.as_str().cmp(path));
            index.map_or(Trigger::Interval, |index| due[index].1)
        };
        self.load_new(files, trigger_of)
    }

    /// Loads the files that no load has loaded and that no process writes to.
    fn load_new(&mut self, files: Vec<FileVersion>, trigger: impl Fn(&str) -> Trigger) -> bool {
        if files.is_empty() {
            return true;
        }
        let paths: Vec<String> = files.iter().map(|file| file.path.clone()).collect();
        let new = in_database(|| {
            let _owner = ledger::as_owner();
            ledger::not_loaded_yet(files, &options().to_json())
        });
        let Some(new) = new else { return false };
        let new_paths: BTreeSet<&str> = new.iter().map(|new| new.file.path.as_str()).collect();
        let known = paths.iter().filter(|path| !new_paths.contains(path.as_str()));
        known.for_each(|path| self.settling.remove(path));
        for NewFile { file, has_failed } in &new {
            if self.is_ready(file, *has_failed, trigger(&file.path)) {
                self.load(file);
                worker::reload_settings();
                // The others belong to another folder or another database now.
                if settings::watched_folder().as_ref() != Some(self.folder) {
                    break;
                }
            }
        }
        true
    }

    /// Loads one file. A failure is in the ledger and in the log, and does not stop the other files.
    fn load(&mut self, file: &FileVersion) {
        if let Err(failed) = load(&self.access, &file.path) {
            failed.log();
            if failed.error.code == CHANGED {
                self.settling.has_changed(file);
            }
        }
    }

    fn is_ready(&mut self, file: &FileVersion, has_failed: bool, trigger: Trigger) -> bool {
        let writers = listing::writers(&file.path, &self.access);
        if has_failed && writers != Writers::Some {
            // It was complete before.
            self.settling.remove(&file.path);
            return true;
        }
        let mut quiet_period = settings::watch_interval();
        // A linked file has no close event, but usually two names.
        if file.links == 1 && self.open.is_unclosed(name_of(&file.path)) {
            quiet_period *= UNCLOSED_FACTOR;
        }
        self.settling.is_ready(file, writers, trigger, quiet_period)
    }
}

/// The options of the loads: the header of each file decides its feed.
fn options() -> LoadOptions<'static> {
    LoadOptions { max_errors: settings::max_errors(), ..LoadOptions::default() }
}

/// Loads one file as the owner of the tables.
fn load(access: &Access, path: &str) -> Result<(), Failed> {
    worker::try_transaction(AssertUnwindSafe(|| {
        let work = || -> Result<(), LoadError> {
            extension::begin_work(ledger::TABLE)?;
            let context = LoadContext::begin_as_owner(path)?;
            let request = Request {
                path,
                access,
                target: Target::History,
                force: false,
                is_automatic: true,
                options: options(),
            };
            session::require_writable(c"trips.watch_directory");
            load_file(&request, context).map(drop)
        };
        work().unwrap_or_else(LoadError::raise);
    }))
}
