//! A folder is watched: a file that has been completely written there is loaded.

use std::collections::BTreeSet;
use std::io;
use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use trips_core::format::delimited::parse::Target;

use super::{RETRY, as_owner_of_ledger, in_database, prepare, tell};
use crate::error::LoadError;
use crate::ledger::{self, NewFile};
use crate::load::{LoadContext, Request, load_file};
use crate::monitor;
use crate::os::lease::Writers;
use crate::pg::session;
use crate::pg::worker::{self, Failed};
use crate::settings::{self, WatchedFolder};
use crate::source::{Access, FileVersion, listing};

mod open_folder;
mod resting;

use open_folder::OpenFolder;
use resting::{Occasion, RestingFiles};

/// How often it is looked whether the folder is still there, and at files that rest.
const TICK: Duration = Duration::from_secs(1);
/// A file that was made while we watched, and of which we have not heard that it was closed, must be left alone for so
/// many times as long as another one, if nobody can tell whether it is still open.
const RESTS_OF_BEGUN: u32 = 60;
/// SQLSTATE of a file that changed while it was read: often a writer's chmod after he has closed it.
const CHANGED: &str = "55006";

/// Watches until a setting is another.
pub fn watch(folder: &WatchedFolder) {
    let mut is_told = false;
    while settings::watched_folder().as_ref() == Some(folder) {
        let watched = if session::database_is_utf8() {
            watch_open(folder)
        } else {
            Err(io::Error::other(LoadError::DatabaseEncoding))
        };
        match watched {
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

/// Watches the folder until it goes, another takes its place, or a setting is another.
fn watch_open(folder: &WatchedFolder) -> io::Result<()> {
    let open = OpenFolder::open(&folder.directory)?;
    tell(&format!("watches the folder {}", folder.directory));
    let access = Access::Beneath(vec![folder.directory.clone()]);
    let mut watch = Watch { folder, access, open, resting: RestingFiles::default() };
    // What is there already. The watch began before, so that nothing falls between.
    let mut occasion = Occasion::Begin;
    let mut next_look = Instant::now();
    loop {
        let news = watch.open.read_news()?;
        if news.is_gone {
            return Err(io::ErrorKind::NotFound.into());
        }
        if !watch.open.is_in_place()? {
            tell(&format!("the folder {} is not the one it was", folder.directory));
            return Ok(());
        }
        // What is busy is looked through nevertheless: the time of the next look stands.
        if news.is_incomplete {
            (occasion, next_look) = (Occasion::Begin, Instant::now());
        }
        let is_done = watch.load_names(news.names) && watch.load_rested();
        if !is_done {
            (occasion, next_look) = (Occasion::Begin, Instant::now() + RETRY);
        } else if next_look <= Instant::now() {
            let is_done = watch.look_through(occasion);
            let pause = if is_done { settings::watch_interval() } else { RETRY };
            next_look = Instant::now() + pause;
            occasion = if is_done { Occasion::Interval } else { occasion };
        }
        watch.open.wait(TICK);
        worker::reload_settings();
        if settings::watched_folder().as_ref() != Some(folder) {
            return Ok(());
        }
        next_look = next_look.min(Instant::now() + settings::watch_interval());
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
    open: OpenFolder,
    resting: RestingFiles,
}

impl Watch<'_> {
    /// Loads what the folder has and no load has brought; `false` when that could not be found out.
    fn look_through(&mut self, occasion: Occasion) -> bool {
        let folder = self.folder;
        if occasion == Occasion::Begin {
            // Loads that the server has died with: until somebody says that they have failed, they seem to run.
            monitor::worker::close_dead();
        }
        let access = &self.access;
        let is_there = |path: &str| listing::find(path, access).is_some();
        self.resting.retain(is_there);
        self.open.forget_begun(|name| is_there(&path_in(folder, name)));
        let mut after = None;
        loop {
            let listed =
                listing::list_directory(&folder.directory, &folder.pattern, after.as_deref());
            let listing = match listed {
                Ok(listing) => listing,
                Err(error) => {
                    tell(&format!("could not look through the folder: {error}"));
                    return false;
                }
            };
            after = listing.files.last().map(|file| file.path.clone()).filter(|_| listing.is_cut);
            let is_done = self.load_new(listing.files, |_| occasion);
            let is_ours = settings::watched_folder().as_ref() == Some(folder);
            if !is_done || after.is_none() || !is_ours {
                return is_done;
            }
        }
    }

    /// Loads files that were closed, or moved there.
    fn load_names(&mut self, names: impl IntoIterator<Item = String>) -> bool {
        let wanted = names.into_iter().filter(|name| listing::matches(&self.folder.pattern, name));
        let paths = wanted.map(|name| path_in(self.folder, &name));
        let files = paths.filter_map(|path| listing::find(&path, &self.access)).collect();
        self.load_new(files, |_| Occasion::Heard)
    }

    /// Loads files that nobody has written to for so long, or whose writers have gone.
    fn load_rested(&mut self) -> bool {
        let mut files = Vec::new();
        let due = self.resting.due();
        for (path, _) in &due {
            match listing::find(path, &self.access) {
                Some(file) => files.push(file),
                None => self.resting.forget(path),
            }
        }
        let occasion_of = |path: &str| {
            let place = due.binary_search_by(|(other, _)| other.as_str().cmp(path));
            place.map_or(Occasion::Interval, |place| due[place].1)
        };
        self.load_new(files, occasion_of)
    }

    /// Loads those that no load has brought, and that nobody is writing to.
    fn load_new(&mut self, files: Vec<FileVersion>, occasion: impl Fn(&str) -> Occasion) -> bool {
        if files.is_empty() {
            return true;
        }
        let paths: Vec<String> = files.iter().map(|file| file.path.clone()).collect();
        let new = in_database(|| {
            let _owner = as_owner_of_ledger();
            ledger::not_loaded_yet(files, &settings::options(false, settings::max_errors()))
        });
        let Some(new) = new else { return false };
        let new_paths: BTreeSet<&str> = new.iter().map(|new| new.file.path.as_str()).collect();
        let known = paths.iter().filter(|path| !new_paths.contains(path.as_str()));
        known.for_each(|path| self.resting.forget(path));
        for NewFile { file, has_failed } in &new {
            if self.is_ready(file, *has_failed, occasion(&file.path)) {
                self.load(file);
                worker::reload_settings();
                // Others are not this folder's any more, or not this database's.
                if settings::watched_folder().as_ref() != Some(self.folder) {
                    break;
                }
            }
        }
        true
    }

    /// Loads one file; a failure is in the ledger and in the log, and costs no other file.
    fn load(&mut self, file: &FileVersion) {
        if let Err(failed) = load(&self.access, &file.path) {
            failed.log();
            if failed.error.code == CHANGED {
                self.resting.has_changed(file);
            }
        }
    }

    fn is_ready(&mut self, file: &FileVersion, has_failed: bool, occasion: Occasion) -> bool {
        let writers = listing::writers(&file.path, &self.access);
        if has_failed && writers != Writers::Some {
            // It was complete before.
            self.resting.forget(&file.path);
            return true;
        }
        let mut rest = settings::watch_interval();
        // One that was linked there is not closed, but then it mostly has two names.
        if file.links == 1 && self.open.is_begun(name_of(&file.path)) {
            rest *= RESTS_OF_BEGUN;
        }
        self.resting.is_ready(file, writers, occasion, rest)
    }
}

/// Loads one file as the owner of the tables.
fn load(access: &Access, path: &str) -> Result<(), Failed> {
    worker::try_transaction(AssertUnwindSafe(|| {
        let work = || -> Result<(), LoadError> {
            prepare()?;
            let context = LoadContext::begin_as_owner(path)?;
            let request = Request {
                path,
                access,
                target: Target::History,
                abort_on_error: false,
                max_errors: settings::max_errors(),
                force: false,
            };
            session::require_writable(c"trips.watch_directory");
            load_file(&request, context).map(drop)
        };
        work().unwrap_or_else(LoadError::raise);
    }))
}
