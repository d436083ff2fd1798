//! The settings `trips.*`. Other rooms read them through these functions only.

use std::ffi::CString;
use std::time::Duration;

use pgrx::{GucSetting, PostgresGucEnum};
use trips_core::check::constraints::{self, Constraints};

use crate::error::{LoadError, RequestError};

mod checks;
mod definitions;
mod load_options;

pub use self::definitions::register;
pub use self::load_options::LoadOptions;

/// Rows are collected, sorted and written in runs of this much memory. 256 MB hold about 2.6 million trips of 130
/// bytes.
static WORK_MEM_KB: GucSetting<i32> = GucSetting::<i32>::new(256 * 1024);

/// A record is one trip. A megabyte is a thousand times what a trip needs, and limits the search for a closing quote.
static MAX_RECORD_SIZE: GucSetting<i32> = GucSetting::<i32>::new(1024 * 1024);

/// Two threads parse faster than a backend can insert. More help if many fields are quoted.
static PARSE_THREADS: GucSetting<i32> = GucSetting::<i32>::new(0);

/// The default number of threads is limited to this.
const MAX_DEFAULT_THREADS: usize = 8;

/// Twenty years of months. Each partition takes some nine locks until the load commits.
static MAX_NEW_PARTITIONS: GucSetting<i32> = GucSetting::<i32>::new(240);

/// Far over what any publisher sends, and under what a server must have free for the history.
static MAX_UNPACKED_SIZE_KB: GucSetting<i32> = GucSetting::<i32>::new(64 * 1024 * 1024);

/// Text of trips shrinks to a tenth or less; only text that repeats itself shrinks to less than a hundredth.
static MAX_COMPRESSION_RATIO: GucSetting<i32> = GucSetting::<i32>::new(1000);

static MAX_ARCHIVE_MEMBERS: GucSetting<i32> = GucSetting::<i32>::new(10_000);

/// An archive in an archive.
static MAX_ARCHIVE_DEPTH: GucSetting<i32> = GucSetting::<i32>::new(2);

static MAX_ERRORS: GucSetting<i32> = GucSetting::<i32>::new(-1);

static MAINTAIN_AREA_INDEX: GucSetting<bool> = GucSetting::<bool>::new(true);

/// Directories of files that roles without pg_read_server_files may load.
static DATA_DIRECTORIES: GucSetting<Option<CString>> =
    GucSetting::<Option<CString>>::new(Some(c""));

/// Prefixes of addresses of objects that loads may read.
static ALLOWED_URLS: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(Some(c""));

static EARLIEST_DATE: GucSetting<Option<CString>> =
    GucSetting::<Option<CString>>::new(Some(c"1970-01-01"));
static LATEST_DATE: GucSetting<Option<CString>> =
    GucSetting::<Option<CString>>::new(Some(c"2099-12-31"));
static ZERO_COORDINATES: GucSetting<ZeroCoordinatesWord> =
    GucSetting::<ZeroCoordinatesWord>::new(ZeroCoordinatesWord::Warn);

/// Often enough for a user who waits.
static NOTICE_INTERVAL_MS: GucSetting<i32> = GucSetting::<i32>::new(3000);

/// A week. Older events are in the ledger.
static EVENT_RETENTION_MINUTES: GucSetting<i32> = GucSetting::<i32>::new(7 * 24 * 60);

/// Loads of one database run one after another. A second worker helps if many files are known or refused.
static MAX_WORKERS: GucSetting<i32> = GucSetting::<i32>::new(1);

static WATCH_DIRECTORY: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(Some(c""));
static WATCH_PATTERN: GucSetting<Option<CString>> =
    GucSetting::<Option<CString>>::new(Some(c"*.csv"));
/// Fallback scan for files that inotify missed; one minute keeps the scan cheap.
static WATCH_INTERVAL_MS: GucSetting<i32> = GucSetting::<i32>::new(60_000);
static WATCH_DATABASE: GucSetting<Option<CString>> =
    GucSetting::<Option<CString>>::new(Some(c"postgres"));

/// A watched folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WatchedFolder {
    /// Absolute path.
    pub directory: String,
    /// Which names in it are loaded.
    pub pattern: String,
    /// The database into which they are loaded.
    pub database: String,
}

/// The words of `trips.zero_coordinates`.
#[derive(Debug, Clone, Copy, PostgresGucEnum)]
enum ZeroCoordinatesWord {
    #[name = c"keep"]
    Keep,
    #[name = c"warn"]
    Warn,
    #[name = c"stage"]
    Stage,
}

/// Bytes of memory for one run.
pub fn work_mem() -> usize {
    usize::try_from(WORK_MEM_KB.get()).unwrap_or(1024) * 1024
}

/// Bytes of the longest record.
pub fn max_record_size() -> usize {
    usize::try_from(MAX_RECORD_SIZE.get()).unwrap_or(1024)
}

/// Number of partitions that a load may create.
pub fn max_new_partitions() -> usize {
    usize::try_from(MAX_NEW_PARTITIONS.get()).unwrap_or(0)
}

/// Limits of what a packed file may become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnpackLimits {
    /// Bytes of all members and levels together.
    pub size: u64,
    /// Unpacked bytes for a stored byte.
    pub ratio: u64,
    /// Number of members.
    pub members: u64,
    /// Levels of packing.
    pub depth: u32,
}

/// Limits of what a packed file may become.
pub fn unpack_limits() -> UnpackLimits {
    let number = |setting: &GucSetting<i32>| u64::try_from(setting.get()).unwrap_or(1);
    UnpackLimits {
        size: number(&MAX_UNPACKED_SIZE_KB) * 1024,
        ratio: number(&MAX_COMPRESSION_RATIO),
        members: number(&MAX_ARCHIVE_MEMBERS),
        depth: u32::try_from(MAX_ARCHIVE_DEPTH.get()).unwrap_or(1),
    }
}

/// Bad rows that a file may have; None for any number.
pub fn max_errors() -> Option<u64> {
    u64::try_from(MAX_ERRORS.get()).ok()
}

/// Whether loads maintain the area index.
pub fn maintains_area_index() -> bool {
    MAINTAIN_AREA_INDEX.get()
}

/// Number of threads that parse a file.
pub fn parse_threads() -> usize {
    match usize::try_from(PARSE_THREADS.get()) {
        Ok(0) | Err(_) => {
            std::thread::available_parallelism().map_or(1, |n| n.get().min(MAX_DEFAULT_THREADS))
        }
        Ok(threads) => threads,
    }
}

/// Time between two progress NOTICEs; None for no NOTICEs.
pub fn notice_interval() -> Option<Duration> {
    let milliseconds = u64::try_from(NOTICE_INTERVAL_MS.get()).ok().filter(|&ms| ms > 0)?;
    Some(Duration::from_millis(milliseconds))
}

/// Minutes for which events are kept; None for ever.
pub fn event_retention_minutes() -> Option<i32> {
    Some(EVENT_RETENTION_MINUTES.get()).filter(|&minutes| minutes >= 0)
}

/// Queue workers of a database.
pub fn max_workers() -> u16 {
    u16::try_from(MAX_WORKERS.get()).unwrap_or(0)
}

/// The folder to watch.
pub fn watched_folder() -> Option<WatchedFolder> {
    let directory = text_of(&WATCH_DIRECTORY).trim_end_matches('/').to_owned();
    directory.starts_with('/').then(|| WatchedFolder {
        directory,
        pattern: text_of(&WATCH_PATTERN),
        database: text_of(&WATCH_DATABASE),
    })
}

/// Time between two scans of the folder, and the quiet period of files whose writers cannot be detected.
pub fn watch_interval() -> Duration {
    Duration::from_millis(u64::try_from(WATCH_INTERVAL_MS.get()).unwrap_or(60_000))
}

/// Directories whose files may be loaded without pg_read_server_files.
pub fn data_directories() -> Vec<String> {
    let text = text_of(&DATA_DIRECTORIES);
    let names = text.split(',').map(str::trim).filter(|name| name.starts_with('/'));
    names.map(str::to_owned).collect()
}

/// Prefixes of the addresses of objects that may be loaded.
#[cfg(feature = "object_store")]
pub fn allowed_urls() -> Vec<String> {
    let text = text_of(&ALLOWED_URLS);
    let prefixes = text.split(',').map(str::trim).filter(|prefix| !prefix.is_empty());
    prefixes.map(str::to_owned).collect()
}

/// The constraints of a trip.
pub fn constraints() -> Result<Constraints, LoadError> {
    let zero_coordinates = match ZERO_COORDINATES.get() {
        ZeroCoordinatesWord::Keep => constraints::ZeroCoordinates::Keep,
        ZeroCoordinatesWord::Warn => constraints::ZeroCoordinates::Warn,
        ZeroCoordinatesWord::Stage => constraints::ZeroCoordinates::Stage,
    };
    let (earliest, latest) = (text_of(&EARLIEST_DATE), text_of(&LATEST_DATE));
    let constraints = Constraints::new(&earliest, &latest, zero_coordinates);
    Ok(constraints.ok_or(RequestError::Dates { earliest, latest })?)
}

/// The settings that constraints() reads, as SET takes them.
pub fn constraints_as_text() -> [(&'static str, String); 3] {
    let zero_coordinates = match ZERO_COORDINATES.get() {
        ZeroCoordinatesWord::Keep => "keep",
        ZeroCoordinatesWord::Warn => "warn",
        ZeroCoordinatesWord::Stage => "stage",
    };
    [
        ("trips.earliest_date", text_of(&EARLIEST_DATE)),
        ("trips.latest_date", text_of(&LATEST_DATE)),
        ("trips.zero_coordinates", zero_coordinates.to_owned()),
    ]
}

fn text_of(setting: &GucSetting<Option<CString>>) -> String {
    setting.get().map_or_else(String::new, |text| text.to_string_lossy().into_owned())
}
