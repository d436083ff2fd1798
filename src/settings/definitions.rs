//! The definitions of the settings: names, descriptions, defaults, ranges and contexts.

use pgrx::{GucContext, GucFlags, GucRegistry};

use super::{
    ALLOWED_URLS, DATA_DIRECTORIES, EARLIEST_DATE, EVENT_RETENTION_MINUTES, LATEST_DATE,
    MAINTAIN_AREA_INDEX, MAX_ARCHIVE_DEPTH, MAX_ARCHIVE_MEMBERS, MAX_COMPRESSION_RATIO, MAX_ERRORS,
    MAX_NEW_PARTITIONS, MAX_RECORD_SIZE, MAX_UNPACKED_SIZE_KB, MAX_WORKERS, NOTICE_INTERVAL_MS,
    PARSE_THREADS, WATCH_DATABASE, WATCH_DIRECTORY, WATCH_INTERVAL_MS, WATCH_PATTERN, WORK_MEM_KB,
    ZERO_COORDINATES, checks,
};
use crate::pg::guc::define_text;
use crate::pg::session;

/// Defines the settings.
pub fn register() {
    define_limits();
    define_unpack_limits();
    define_derived();
    define_constraints();
    define_notifications();
    define_background();
    session::reserve_setting_prefix(c"trips");
}

fn define_limits() {
    GucRegistry::define_int_guc(
        c"trips.work_mem",
        c"Memory for one sorted run of a load.",
        c"A larger file is loaded in several runs. The backend needs a few more megabytes.",
        &WORK_MEM_KB,
        1024,
        2 * 1024 * 1024 - 1,
        GucContext::Suset,
        GucFlags::UNIT_KB,
    );
    GucRegistry::define_int_guc(
        c"trips.max_record_size",
        c"Maximum size of a record of a file.",
        c"The load stages longer records, truncated. The limit also bounds the search for a closing quote.",
        &MAX_RECORD_SIZE,
        1024,
        16 * 1024 * 1024,
        GucContext::Suset,
        GucFlags::UNIT_BYTE,
    );
    GucRegistry::define_int_guc(
        c"trips.parse_threads",
        c"Number of threads that parse a file.",
        c"0 uses one thread for each processor, up to 8. The result does not depend on the number.",
        &PARSE_THREADS,
        0,
        64,
        GucContext::Suset,
        GucFlags::default(),
    );
    GucRegistry::define_int_guc(
        c"trips.max_new_partitions",
        c"Maximum number of partitions that a load creates.",
        c"A load that needs more fails before it creates any.",
        &MAX_NEW_PARTITIONS,
        0,
        i32::MAX,
        GucContext::Suset,
        GucFlags::default(),
    );
    GucRegistry::define_int_guc(
        c"trips.max_errors",
        c"Maximum number of invalid rows of a file.",
        c"-1 sets no limit. The argument max_errors of trips.ingest() overrides the setting.",
        &MAX_ERRORS,
        -1,
        i32::MAX,
        GucContext::Userset,
        GucFlags::default(),
    );
}

fn define_unpack_limits() {
    GucRegistry::define_int_guc(
        c"trips.max_unpacked_size",
        c"Maximum size of what a packed file becomes.",
        c"All members of an archive count together. A larger file is refused.",
        &MAX_UNPACKED_SIZE_KB,
        1024,
        i32::MAX,
        GucContext::Suset,
        GucFlags::UNIT_KB,
    );
    for (name, short, long, setting, most) in [
        (
            c"trips.max_compression_ratio",
            c"Maximum number of unpacked bytes for a stored byte.",
            c"The limit applies after the first megabyte. A file over it is refused.",
            &MAX_COMPRESSION_RATIO,
            i32::MAX,
        ),
        (
            c"trips.max_archive_members",
            c"Maximum number of members of an archive.",
            c"The members of archives in it count, too. A larger archive is refused.",
            &MAX_ARCHIVE_MEMBERS,
            1_000_000,
        ),
        (
            c"trips.max_archive_depth",
            c"Maximum number of levels of packing.",
            c"An archive in an archive has two levels, and so has a compressed file in an archive.",
            &MAX_ARCHIVE_DEPTH,
            8,
        ),
    ] {
        let (context, flags) = (GucContext::Suset, GucFlags::default());
        GucRegistry::define_int_guc(name, short, long, setting, 1, most, context, flags);
    }
}

fn define_derived() {
    GucRegistry::define_bool_guc(
        c"trips.maintain_area_index",
        c"Maintains the area index in loads.",
        c"If off, loads are faster, and queries about areas read the history for the loaded weeks until trips.rebuild().",
        &MAINTAIN_AREA_INDEX,
        GucContext::Suset,
        GucFlags::default(),
    );
}

fn define_notifications() {
    GucRegistry::define_int_guc(
        c"trips.notice_interval",
        c"Time between two progress NOTICEs of a load.",
        c"0 turns them off. Shorter loads send none.",
        &NOTICE_INTERVAL_MS,
        0,
        3_600_000,
        GucContext::Userset,
        GucFlags::UNIT_MS,
    );
    GucRegistry::define_int_guc(
        c"trips.event_retention",
        c"Time for which trips.events keeps events.",
        c"-1 keeps them for ever. The end of a load deletes older events.",
        &EVENT_RETENTION_MINUTES,
        -1,
        i32::MAX,
        GucContext::Suset,
        GucFlags::UNIT_MIN,
    );
}

fn define_background() {
    GucRegistry::define_int_guc(
        c"trips.max_workers",
        c"Maximum number of queue workers of each database.",
        c"0 pauses the queue. Loads of one database run one after another anyway.",
        &MAX_WORKERS,
        0,
        64,
        GucContext::Sighup,
        GucFlags::default(),
    );
    GucRegistry::define_int_guc(
        c"trips.watch_interval",
        c"Time between two scans of the watched folder.",
        c"Also the quiet period before loading a file whose writers cannot be detected.",
        &WATCH_INTERVAL_MS,
        1000,
        24 * 3600 * 1000,
        GucContext::Sighup,
        GucFlags::UNIT_MS,
    );
    define_text::<checks::Database>(
        [
            c"trips.watch_database",
            c"Database into which the files of the watched folder are loaded.",
            c"The extension must be installed in it.",
        ],
        &WATCH_DATABASE,
        GucContext::Sighup,
    );
    define_text::<checks::WatchDirectory>(
        [
            c"trips.watch_directory",
            c"Folder whose files are loaded when they have been written.",
            c"Absolute path; empty for none. Requires the library in shared_preload_libraries.",
        ],
        &WATCH_DIRECTORY,
        GucContext::Sighup,
    );
    define_text::<checks::WatchPattern>(
        [
            c"trips.watch_pattern",
            c"Pattern of the files of the watched folder that are loaded.",
            c"A pattern of file names, such as *.csv.",
        ],
        &WATCH_PATTERN,
        GucContext::Sighup,
    );
}

fn define_constraints() {
    define_text::<checks::Directories>(
        [
            c"trips.data_directories",
            c"Directories whose files may be loaded without the privileges of pg_read_server_files.",
            c"Absolute paths, separated by commas; empty for none. Includes subdirectories.",
        ],
        &DATA_DIRECTORIES,
        GucContext::Suset,
    );
    define_text::<checks::Urls>(
        [
            c"trips.allowed_urls",
            c"Addresses of objects that may be loaded.",
            c"Prefixes such as s3://bucket/incoming, separated by commas; empty for none. A prefix allows the addresses that continue it by whole components.",
        ],
        &ALLOWED_URLS,
        GucContext::Suset,
    );
    for (name, short, setting) in [
        (c"trips.earliest_date", c"First valid date of a trip.", &EARLIEST_DATE),
        (c"trips.latest_date", c"Last valid date of a trip.", &LATEST_DATE),
    ] {
        define_text::<checks::Date>(
            [name, short, c"YYYY-MM-DD, local time of the feed. Rows with other dates are staged."],
            setting,
            GucContext::Userset,
        );
    }
    GucRegistry::define_enum_guc(
        c"trips.zero_coordinates",
        c"Handling of the coordinate (0 0).",
        c"keep loads the row, warn loads it and reports the number of rows, stage stages it. Receivers without a position write (0 0).",
        &ZERO_COORDINATES,
        GucContext::Userset,
        GucFlags::default(),
    );
}
