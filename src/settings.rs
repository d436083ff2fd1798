//! The settings `trips.*`. Other rooms read them through these functions only.

use std::ffi::CString;
use std::time::Duration;

use pgrx::{GucContext, GucFlags, GucRegistry, GucSetting, PostgresGucEnum};
use trips_core::check::constraints::{self, Constraints};

use crate::error::{LoadError, RequestError};
use crate::pg::guc::define_text;

mod checks;

/// Rows are collected, sorted and written in runs of this much memory. 256 MB hold about 2.6 million trips of 130
/// bytes.
static MEMORY_KB: GucSetting<i32> = GucSetting::<i32>::new(256 * 1024);

/// A record is one trip. A megabyte is a thousand times what a trip needs, and limits the search for a closing quote.
static MAX_RECORD_BYTES: GucSetting<i32> = GucSetting::<i32>::new(1024 * 1024);

/// Two threads parse faster than a backend can insert. More help if many fields are quoted.
static PARSE_THREADS: GucSetting<i32> = GucSetting::<i32>::new(0);

/// The default number of threads is limited to this.
const MOST_THREADS: usize = 8;

/// Twenty years of months. Each partition takes some nine locks until the load commits.
static MAX_NEW_PARTITIONS: GucSetting<i32> = GucSetting::<i32>::new(240);

static MAX_ERRORS: GucSetting<i32> = GucSetting::<i32>::new(-1);

static KEEP_AREAS: GucSetting<bool> = GucSetting::<bool>::new(true);

/// Directories of files that roles without pg_read_server_files may load.
static DATA_DIRECTORIES: GucSetting<Option<CString>> =
    GucSetting::<Option<CString>>::new(Some(c""));

static EARLIEST_DATE: GucSetting<Option<CString>> =
    GucSetting::<Option<CString>>::new(Some(c"1970-01-01"));
static LATEST_DATE: GucSetting<Option<CString>> =
    GucSetting::<Option<CString>>::new(Some(c"2099-12-31"));
static ZERO_COORDINATES: GucSetting<ZeroCoordinates> =
    GucSetting::<ZeroCoordinates>::new(ZeroCoordinates::Warn);

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
enum ZeroCoordinates {
    #[name = c"keep"]
    Keep,
    #[name = c"warn"]
    Warn,
    #[name = c"stage"]
    Stage,
}

/// Defines the settings.
pub fn register() {
    register_limits();
    register_derived();
    register_rules();
    register_telling();
    register_background();
    crate::pg::session::reserve_setting_prefix(c"trips");
}

fn register_limits() {
    GucRegistry::define_int_guc(
        c"trips.work_mem",
        c"Memory for the rows of one sorted run of a load.",
        c"A larger file is loaded run by run. The backend needs a few megabytes beside it.",
        &MEMORY_KB,
        1024,
        2 * 1024 * 1024 - 1,
        GucContext::Suset,
        GucFlags::UNIT_KB,
    );
    GucRegistry::define_int_guc(
        c"trips.max_record_size",
        c"The longest record of a file; a longer one is staged, cut.",
        c"It also bounds how far the end of a quoted value is looked for.",
        &MAX_RECORD_BYTES,
        1024,
        16 * 1024 * 1024,
        GucContext::Suset,
        GucFlags::UNIT_BYTE,
    );
    GucRegistry::define_int_guc(
        c"trips.parse_threads",
        c"Threads that parse a file; 0 is as many as the machine has processors, up to 8.",
        c"They end with the load. The result does not depend on their number.",
        &PARSE_THREADS,
        0,
        64,
        GucContext::Suset,
        GucFlags::default(),
    );
    GucRegistry::define_int_guc(
        c"trips.max_new_partitions",
        c"How many partitions of the history a load may create.",
        c"A load that needs more is refused before it creates one.",
        &MAX_NEW_PARTITIONS,
        0,
        i32::MAX,
        GucContext::Suset,
        GucFlags::default(),
    );
    GucRegistry::define_int_guc(
        c"trips.max_errors",
        c"How many bad lines a file may have before it is refused; -1 is any number.",
        c"The argument max_errors of trips.ingest() goes before it.",
        &MAX_ERRORS,
        -1,
        i32::MAX,
        GucContext::Userset,
        GucFlags::default(),
    );
}

fn register_derived() {
    GucRegistry::define_bool_guc(
        c"trips.maintain_area_index",
        c"Whether loads keep what questions about areas are answered from.",
        c"Without it a load is some percent faster, and its weeks are counted from the history until trips.rebuild().",
        &KEEP_AREAS,
        GucContext::Suset,
        GucFlags::default(),
    );
}

fn register_telling() {
    GucRegistry::define_int_guc(
        c"trips.notice_interval",
        c"Time between two NOTICEs that tell how far a load is; 0 is none.",
        c"A load that is done before tells nothing.",
        &NOTICE_INTERVAL_MS,
        0,
        3_600_000,
        GucContext::Userset,
        GucFlags::UNIT_MS,
    );
    GucRegistry::define_int_guc(
        c"trips.event_retention",
        c"How long events are kept in trips.events; -1 is for ever.",
        c"Older ones are removed when a load ends.",
        &EVENT_RETENTION_MINUTES,
        -1,
        i32::MAX,
        GucContext::Suset,
        GucFlags::UNIT_MIN,
    );
}

fn register_background() {
    GucRegistry::define_int_guc(
        c"trips.max_workers",
        c"How many background workers load what trips.submit() has queued, in each database.",
        c"0 lets it wait. Loads of one database follow each other anyway.",
        &MAX_WORKERS,
        0,
        64,
        GucContext::Sighup,
        GucFlags::default(),
    );
    GucRegistry::define_int_guc(
        c"trips.watch_interval",
        c"How often the watched folder is looked through for what failed in passing, and for what was not told.",
        c"A file of which nobody can tell whether it is being written is loaded when it was left alone for this long.",
        &WATCH_INTERVAL_MS,
        1000,
        24 * 3600 * 1000,
        GucContext::Sighup,
        GucFlags::UNIT_MS,
    );
    define_text::<checks::Database>(
        [
            c"trips.watch_database",
            c"The database into which the watched folder's files are loaded.",
            c"The extension must be in it.",
        ],
        &WATCH_DATABASE,
        GucContext::Sighup,
    );
    define_text::<checks::WatchDirectory>(
        [
            c"trips.watch_directory",
            c"A folder whose files are loaded when they have been written; empty is none.",
            c"Absolute path. The library must be in shared_preload_libraries.",
        ],
        &WATCH_DIRECTORY,
        GucContext::Sighup,
    );
    define_text::<checks::WatchPattern>(
        [
            c"trips.watch_pattern",
            c"Which files of the watched folder are loaded.",
            c"A pattern of names, as *.csv.",
        ],
        &WATCH_PATTERN,
        GucContext::Sighup,
    );
}

fn register_rules() {
    define_text::<checks::Directories>(
        [
            c"trips.data_directories",
            c"Directories of files that may be loaded without the rights of pg_read_server_files.",
            c"Absolute paths, separated by commas; empty allows none. What lies beneath counts too.",
        ],
        &DATA_DIRECTORIES,
        GucContext::Suset,
    );
    for (name, short, setting) in [
        (c"trips.earliest_date", c"The first date on which a trip can have begun.", &EARLIEST_DATE),
        (c"trips.latest_date", c"The last date on which a trip can have begun.", &LATEST_DATE),
    ] {
        define_text::<checks::Date>(
            [name, short, c"YYYY-MM-DD, local to the feed. Lines outside are staged."],
            setting,
            GucContext::Userset,
        );
    }
    GucRegistry::define_enum_guc(
        c"trips.zero_coordinates",
        c"What a coordinate (0 0) is: keep takes it, warn takes it and tells how many, stage refuses it.",
        c"Receivers without a position write it.",
        &ZERO_COORDINATES,
        GucContext::Userset,
        GucFlags::default(),
    );
}

/// Bytes of memory for one run.
pub fn memory() -> usize {
    usize::try_from(MEMORY_KB.get()).unwrap_or(1024) * 1024
}

/// Bytes of the longest record.
pub fn max_record_size() -> usize {
    usize::try_from(MAX_RECORD_BYTES.get()).unwrap_or(1024)
}

/// Number of partitions that a load may create.
pub fn max_new_partitions() -> usize {
    usize::try_from(MAX_NEW_PARTITIONS.get()).unwrap_or(0)
}

/// Bad rows that a file may have; None for any number.
pub fn max_errors() -> Option<u64> {
    u64::try_from(MAX_ERRORS.get()).ok()
}

/// Whether loads maintain the area index.
pub fn keeps_areas() -> bool {
    KEEP_AREAS.get()
}

/// Number of threads that parse a file.
pub fn parse_threads() -> usize {
    match usize::try_from(PARSE_THREADS.get()) {
        Ok(0) | Err(_) => {
            std::thread::available_parallelism().map_or(1, |n| n.get().min(MOST_THREADS))
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

/// The constraints of a trip.
pub fn constraints() -> Result<Constraints, LoadError> {
    let zero_coordinates = match ZERO_COORDINATES.get() {
        ZeroCoordinates::Keep => constraints::ZeroCoordinates::Keep,
        ZeroCoordinates::Warn => constraints::ZeroCoordinates::Warn,
        ZeroCoordinates::Stage => constraints::ZeroCoordinates::Stage,
    };
    let (earliest, latest) = (text_of(&EARLIEST_DATE), text_of(&LATEST_DATE));
    let constraints = Constraints::new(&earliest, &latest, zero_coordinates);
    Ok(constraints.ok_or(RequestError::Dates { earliest, latest })?)
}

/// The settings that constraints() reads, as SET takes them.
pub fn rules_as_text() -> [(&'static str, String); 3] {
    let zero_coordinates = match ZERO_COORDINATES.get() {
        ZeroCoordinates::Keep => "keep",
        ZeroCoordinates::Warn => "warn",
        ZeroCoordinates::Stage => "stage",
    };
    [
        ("trips.earliest_date", text_of(&EARLIEST_DATE)),
        ("trips.latest_date", text_of(&LATEST_DATE)),
        ("trips.zero_coordinates", zero_coordinates.to_owned()),
    ]
}

/// Arguments and settings that decide which records a load takes and when it refuses the file, as a JSON object.
pub fn options(abort_on_error: bool, max_errors: Option<u64>) -> String {
    let mut options = serde_json::Map::new();
    options.insert("on_error".into(), if abort_on_error { "abort" } else { "stage" }.into());
    options.insert("max_errors".into(), max_errors.into());
    for (name, value) in rules_as_text() {
        options.insert(name.into(), value.into());
    }
    options.insert("trips.max_record_size".into(), max_record_size().into());
    options.insert("trips.max_new_partitions".into(), max_new_partitions().into());
    serde_json::Value::Object(options).to_string()
}

fn text_of(setting: &GucSetting<Option<CString>>) -> String {
    setting.get().map_or_else(String::new, |text| text.to_string_lossy().into_owned())
}
