//! `trips.load_stations`: station files of a feed become rows of `trips.zones`.

use std::io::{self, Read};
use std::sync::Arc;

use trips_core::feed::choice::{FeedChoice, Options};
use trips_core::feed::definition::{Definition, StationColumns};
use trips_core::feed::stations::{MAX_HEADER, Stations, StationsError};
use trips_core::feed::stations::{YEARS, has_station_header, stations_of, year_of};
use trips_core::feed::zones::{NYC_TAXI_ZONES, ZoneRow};
use trips_core::format::encoding::Decoder;

use super::begin::{Sizes, begin};
use super::definitions::definition;
use super::zones;
use crate::error::{FeedError, FileName, LoadError, report_members, report_records};
use crate::pg::interrupts;
use crate::source::{Access, Content, Contents, Source};

/// The stations of a member of an archive, for the load of its trips and merges of its staged records.
#[derive(Debug)]
pub struct MemberStations {
    /// The set of zones to which they belong.
    pub(super) set: String,
    pub(super) rows: Vec<ZoneRow>,
}

/// Stores the stations of a file, or of all members of an archive that have stations. Returns their number.
///
/// `year` is the year in which they are valid. Without it, it is the one in the name of the member or the file if the ids
/// of the feed mean other stations in other years, and otherwise the stations are always valid.
///
/// # Errors
/// 42704 for an unknown feed; 42809 for a feed without station files, or whose zones are built in; 22023 if the year is
/// not known, or not one of a station file; 22P04 for an archive without stations of the feed; errors of the file. Records
/// that are not stations are a WARNING.
pub fn load(feed: &str, path: &str, year: Option<i32>, access: &Access) -> Result<u64, LoadError> {
    let definition = definition(feed)?;
    columns_and_set(&definition)?;
    if let Some(year) = year.filter(|year| !YEARS.contains(year)) {
        return Err(FeedError::NoYear(year).into());
    }
    let file = Source::open(path, access)?;
    let contents = Contents::open(&file)?;
    let (mut count, mut others) = (None, Vec::new());
    for index in 0..contents.len() {
        interrupts::check();
        if contents.is_archive() && !has_stations(&definition, &contents, index)? {
            others.extend(contents.member(index));
            continue;
        }
        let content = contents.read(index)?;
        let file = content.file.clone();
        let (set, stations) = read(&definition, content, year, access.shows_content())?;
        report_records(&file, &stations, (true, access.shows_content()));
        zones::store(&set, &stations.rows)?;
        *count.get_or_insert(0) += stations.rows.len() as u64;
    }
    let none = || FeedError::NoStationMember { file: path.into(), feed: feed.to_owned() };
    let count = count.ok_or_else(none)?;
    others.extend(contents.passed_over().iter().map(|member| &*member.name));
    report_members(&others, &[]);
    Ok(count)
}

/// Reads the stations of a member of an archive, for the load of its trips, and reports its other records.
///
/// # Errors
/// Those of [`load`].
pub fn of_member(
    definition: &Arc<Definition>,
    content: Content,
    shows_content: bool,
) -> Result<MemberStations, LoadError> {
    let file = content.file.clone();
    let (set, stations) = read(definition, content, None, shows_content)?;
    report_records(&file, &stations, (false, shows_content));
    Ok(MemberStations { set, rows: stations.rows })
}

/// Keeps the stations of a member that a load has read, for later merges of its staged records.
///
/// # Errors
/// Those of [`load`].
pub fn keep(
    load_id: i64,
    definition: &Arc<Definition>,
    content: Content,
    shows_content: bool,
) -> Result<(), LoadError> {
    let (set, stations) = read(definition, content, None, shows_content)?;
    zones::keep(load_id, &set, &stations.rows)
}

/// Whether a member of an archive has stations of the feed. It has none if it has trips.
fn has_stations(
    definition: &Arc<Definition>,
    contents: &Contents<'_>,
    index: usize,
) -> Result<bool, LoadError> {
    let content = contents.read(index)?;
    let (file, feed) = (content.file.clone(), definition.clone());
    let work = move |content: Content| {
        let mut first = Vec::new();
        Decoder::detect(content.into_stream())?.take(MAX_HEADER).read_to_end(&mut first)?;
        Ok::<_, io::Error>(has_station_header(&feed, &first))
    };
    let found = content.process(work).and_then(|found| found);
    if !found.map_err(|error| LoadError::of_read(&file, error))? {
        return Ok(false);
    }
    let (choice, sizes) =
        (super::choice(Some(&definition.name), Options::default())?, Sizes::of_settings());
    let work = move |content: Content| has_trips(content, &choice, sizes);
    let has_trips = contents.read(index)?.process(work);
    Ok(!has_trips.map_err(|error| LoadError::of_read(&file, error))?)
}

fn has_trips(content: Content, choice: &FeedChoice, sizes: Sizes) -> bool {
    begin(content, choice, sizes, false).is_ok_and(|begun| begun.first.plan.is_ok())
}

/// Reads the stations of a feed from a file or a member, and the set of zones to which they belong.
fn read(
    definition: &Arc<Definition>,
    content: Content,
    year: Option<i32>,
    shows_content: bool,
) -> Result<(String, Stations), LoadError> {
    let (columns, set) = columns_and_set(definition)?;
    let set = set.to_owned();
    let file = content.file.clone();
    let of_name =
        |name: &FileName| name.member.as_deref().and_then(year_of).or_else(|| year_of(&name.path));
    let year = match year.or_else(|| columns.by_year.then(|| of_name(&file)).flatten()) {
        None if columns.by_year => return Err(FeedError::Year { file }.into()),
        year => year,
    };
    let definition = definition.clone();
    let work = move |content: Content| {
        stations_of(&definition, year, Decoder::detect(content.into_stream())?)
    };
    let stations = content.process(work).unwrap_or_else(|error| Err(error.into()));
    match stations {
        Ok(stations) => Ok((set, stations)),
        Err(StationsError::Read(error)) => Err(LoadError::of_read(&file, error)),
        Err(error) => Err(FeedError::Stations { file, error, shows_content }.into()),
    }
}

/// The columns of the feed's station files, and the set of zones that their stations belong to.
fn columns_and_set(feed: &Definition) -> Result<(&StationColumns, &str), FeedError> {
    match (&feed.stations, feed.station_set()) {
        (Some(_), Some(NYC_TAXI_ZONES)) => Err(FeedError::BuiltinZones(NYC_TAXI_ZONES.to_owned())),
        (Some(columns), Some(set)) => Ok((columns, set)),
        _ => Err(FeedError::NoStations(feed.name.clone())),
    }
}
