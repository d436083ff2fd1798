//! Errors of feeds, zones and stations.

use pgrx::PgSqlErrorCode as Code;
use trips_core::feed::definition::DefinitionError;
use trips_core::feed::stations::{Repeat, StationError, Stations, StationsError, YEARS};
use trips_core::feed::zones::TooManyZones;
use trips_core::text::escape::quoted;

use super::file::code_of;
use super::file_name::FileName;
use super::report::{Report, counted, reported};

/// Number of faults of a definition that its error shows.
const SHOWN: usize = 10;

/// Why a feed is not created, dropped or used.
#[derive(Debug)]
pub enum FeedError {
    Unknown(String),
    Invalid {
        name: String,
        errors: Vec<DefinitionError>,
    },
    Exists {
        name: String,
        is_builtin: bool,
    },
    Builtin(String),
    Queued {
        name: String,
        load_id: i64,
    },
    /// No place of the feed is a zone or a station.
    NoZones(String),
    /// The ids of zones are not in details.
    NoIds(String),
    TooManyZones(TooManyZones),
    /// The station file has years, but none is known.
    Year {
        file: FileName,
    },
    /// No station file is of this year.
    NoYear(i32),
    NoStations(String),
    /// The stations would be in a set that is built in.
    BuiltinZones(String),
    /// No member of an archive is a station file of the feed.
    NoStationMember {
        file: FileName,
        feed: String,
    },
    /// `shows_content`: the caller may see what the file has.
    Stations {
        file: FileName,
        error: StationsError,
        shows_content: bool,
    },
}

reported!(FeedError);

impl FeedError {
    /// SQLSTATE, message, DETAIL and HINT.
    pub fn report(&self) -> Report {
        let shown = |name: &String| quoted(name.as_bytes());
        let wrong_type = |message: String| Report::new(Code::ERRCODE_WRONG_OBJECT_TYPE, message);
        match self {
            Self::Unknown(name) => Report::new(
                Code::ERRCODE_UNDEFINED_OBJECT,
                format!("feed {} does not exist", shown(name)),
            )
            .hint("Query trips.all_feeds for the names of feeds."),
            Self::Invalid { name, errors } => invalid(&shown(name), errors),
            Self::Exists { name, is_builtin } => exists(&shown(name), *is_builtin),
            Self::Builtin(name) => wrong_type(format!("feed {} is built in", shown(name))).hint("Drop feeds of trips.feeds only."),
            Self::Queued { name, load_id } => Report::new(
                Code::ERRCODE_OBJECT_IN_USE,
                format!("cannot drop feed {} because load {load_id} is queued for it", shown(name)),
            )
            .hint("Wait for the load, or cancel it with trips.cancel()."),
            Self::NoZones(name) => wrong_type(format!("feed {} has no places by the ids of zones or stations", shown(name))).hint("Use a feed whose definition has zone_set in origin or destination."),
            Self::NoIds(name) => wrong_type(format!("feed {} does not keep the ids of zones or stations", shown(name))).hint("Use a feed whose definition has the columns of these ids in details."),
            Self::TooManyZones(error) => {
                Report::new(Code::ERRCODE_PROGRAM_LIMIT_EXCEEDED, format!("could not read trips.zones: {error}"))
                    .hint("Delete zones that no feed uses.")
            }
            Self::Year { file } => Report::new(
                Code::ERRCODE_INVALID_PARAMETER_VALUE,
                format!("year of station file {file} is not known"),
            )
            .detail("Ids of this feed mean other stations in other years, and the name of the file has no year.")
            .hint("Set the argument year."),
            Self::NoYear(year) => Report::new(
                Code::ERRCODE_INVALID_PARAMETER_VALUE,
                format!("invalid value for argument year: {year}"),
            )
            .hint(format!("Use {} to {}.", YEARS.start(), YEARS.end())),
            Self::BuiltinZones(set) => wrong_type(format!("zones of set {} are built in", shown(set))).hint("Create the feed with a zone_set of its own."),
            Self::NoStations(name) => wrong_type(format!("feed {} has no station files", shown(name))).hint("Use a feed whose definition has stations."),
            Self::NoStationMember { file, feed } => Report::new(
                Code::ERRCODE_BAD_COPY_FILE_FORMAT,
                format!("archive {file} has no station file of feed {}", shown(feed)),
            )
            .hint("Query trips.all_feeds for the columns of the feed's station files."),
            Self::Stations { file, error, shows_content } => {
                stations(&file.to_string(), error, *shows_content)
            }
        }
    }
}

impl FeedError {
    /// The same error without contents of a station file; None if it has none.
    pub(super) fn redacted(&self) -> Option<Self> {
        let Self::Stations { file, error: StationsError::Records(errors), .. } = self else {
            return None;
        };
        let (file, error) = (file.clone(), StationsError::Records(errors.clone()));
        Some(Self::Stations { file, error, shows_content: false })
    }
}

fn exists(name: &str, is_builtin: bool) -> Report {
    let report = Report::new(Code::ERRCODE_DUPLICATE_OBJECT, format!("feed {name} already exists"));
    if is_builtin {
        report.detail("The feed is built in.").hint("Choose another name.")
    } else {
        report.hint("Choose another name, or drop the feed with trips.drop_feed() first.")
    }
}

/// Of a station file, given with its quotes.
fn stations(path: &str, error: &StationsError, shows_content: bool) -> Report {
    let message = |what: &str| format!("could not load station file {path}: {what}");
    match error {
        StationsError::Read(error) => {
            Report::new(Code::ERRCODE_IO_ERROR, message(&error.to_string()))
                .hint("Check the disk or network, then load the file again.")
        }
        StationsError::TooLarge => {
            Report::new(Code::ERRCODE_PROGRAM_LIMIT_EXCEEDED, message(&error.to_string()))
                .hint("Split the file.")
        }
        StationsError::Missing(_) | StationsError::Duplicate(_) => {
            let code = match error {
                StationsError::Missing(_) => Code::ERRCODE_UNDEFINED_COLUMN,
                _ => Code::ERRCODE_DUPLICATE_COLUMN,
            };
            Report::new(code, message(&error.to_string()))
                .hint("Query trips.all_feeds for the columns of the feed's station files.")
        }
        StationsError::Records(errors) => {
            let lines = lines(errors, shows_content);
            let report = Report::new(
                errors
                    .first()
                    .map_or(Code::ERRCODE_BAD_COPY_FILE_FORMAT, |error| code_of(error.state)),
                message(lines.first().map_or("", |line| line)),
            )
            .hint("Correct the file. No record of it is a station.");
            if lines.len() < 2 {
                report
            } else {
                report.detail(format!("First errors:\n{}", lines.join("\n")))
            }
        }
    }
}

fn lines(errors: &[StationError], shows_content: bool) -> Vec<String> {
    let reason = |error: &StationError| match shows_content {
        true => error.reason.clone(),
        false => "the reason is shown to members of pg_read_server_files".to_owned(),
    };
    errors.iter().map(|error| format!("line {}: {}", error.line, reason(error))).collect()
}

/// Reports the records of a station file that are not stations, and those with the id of an earlier one. `are_stored`:
/// the stations go to `trips.zones`; otherwise they are those of one load.
pub fn report_records(
    file: &FileName,
    stations: &Stations,
    (are_stored, shows_content): (bool, bool),
) {
    if stations.rejected > 0 {
        let records =
            counted(stations.rejected, "record is not a station", "records are not stations");
        Report::new(Code::ERRCODE_WARNING, format!("station file {file}: {records}"))
            .detail(format!("First errors:\n{}", lines(&stations.errors, shows_content).join("\n")))
            .hint(match are_stored {
                true => "Correct these records, then load the file again. Its other stations are loaded.",
                false => "Correct these records in a file of their own, run trips.load_stations() for it, then trips.complete_places().",
            })
            .warning();
    }
    if stations.repeated > 0 {
        let records = counted(stations.repeated, "record repeats", "records repeat");
        let line = |repeat: &Repeat| match shows_content {
            true => format!(
                "line {}: {}, as line {}",
                repeat.line,
                quoted(repeat.id.as_bytes()),
                repeat.earlier
            ),
            false => format!("line {}: as line {}", repeat.line, repeat.earlier),
        };
        let lines: Vec<String> = stations.repeats.iter().map(line).collect();
        let message = format!("station file {file}: {records} the id of an earlier record");
        Report::new(Code::ERRCODE_SUCCESSFUL_COMPLETION, message)
            .detail(format!(
                "The last record of an id counts. First records:\n{}",
                lines.join("\n")
            ))
            .notice();
    }
}

/// The first fault is in the message; all of them are in DETAIL if there are several.
fn invalid(name: &str, errors: &[DefinitionError]) -> Report {
    let first = errors.first().map_or_else(String::new, ToString::to_string);
    let report = Report::new(
        Code::ERRCODE_INVALID_PARAMETER_VALUE,
        format!("invalid definition of feed {name}: {first}"),
    )
    .hint("Correct the definition. docs/feeds.md describes its members.");
    if errors.len() < 2 {
        return report;
    }
    let mut lines: Vec<String> = errors.iter().take(SHOWN).map(ToString::to_string).collect();
    if errors.len() > SHOWN {
        lines.push(format!("… and {} more", errors.len() - SHOWN));
    }
    report.detail(format!("All errors:\n{}", lines.join("\n")))
}
