//! `trips.load_stations`: a station file of a feed becomes rows of `trips.zones`.

use std::sync::Arc;

use trips_core::feed::definition::{Definition, StationColumns};
use trips_core::feed::stations::{StationsError, YEARS, stations_of, year_of};
use trips_core::feed::zones::{NYC_TAXI_ZONES, ZoneRow};
use trips_core::format::encoding::Decoder;

use super::definitions::definition;
use super::zones;
use crate::error::{FeedError, FileName, LoadError, report_records};
use crate::source::{Access, Content, Contents, Source};

/// The stations of a member of an archive, for the load of its trips only.
#[derive(Debug)]
pub struct MemberStations {
    /// The set of zones to which they belong.
    pub(super) set: String,
    pub(super) rows: Vec<ZoneRow>,
}

/// Stores the stations of a file. Returns their number.
///
/// `year` is the year in which they are valid. Without it, it is the one in the name of the file if the ids of the feed
/// mean other stations in other years, and otherwise the stations are always valid.
///
/// # Errors
/// 42704 for an unknown feed; 42809 for a feed without station files, or whose zones are built in; 22023 if the year is
/// not known, or not one of a station file; errors of the file. Records that are not stations are a WARNING.
pub fn load(feed: &str, path: &str, year: Option<i32>, access: &Access) -> Result<u64, LoadError> {
    let definition = definition(feed)?;
    columns_and_set(&definition)?;
    if let Some(year) = year.filter(|year| !YEARS.contains(year)) {
        return Err(FeedError::NoYear(year).into());
    }
    let file = Source::open(path, access)?;
    let contents = Contents::open(&file)?;
    if contents.is_archive() {
        return Err(FeedError::StationArchive { file: path.into() }.into());
    }
    let stations = of_content(&definition, contents.read(0)?, year, access.shows_content())?;
    zones::store(&stations.set, &stations.rows)?;
    Ok(stations.rows.len() as u64)
}

/// Reads the stations of a feed from a file or a member.
///
/// # Errors
/// Those of [`load`].
pub fn of_content(
    definition: &Arc<Definition>,
    content: Content,
    year: Option<i32>,
    shows_content: bool,
) -> Result<MemberStations, LoadError> {
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
        Ok(stations) => {
            report_records(&file, &stations, shows_content);
            Ok(MemberStations { set, rows: stations.rows })
        }
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
