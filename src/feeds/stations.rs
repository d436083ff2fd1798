//! `trips.load_stations`: a station file of a feed becomes rows of `trips.zones`.

use trips_core::feed::definition::{Definition, Place, StationColumns, Zero};
use trips_core::feed::place::PlaceRules;
use trips_core::feed::stations::{StationForm, YEARS, read_stations, year_of};
use trips_core::feed::value::Nulls;
use trips_core::feed::zones::NYC_TAXI_ZONES;
use trips_core::format::encoding::Decoder;
use trips_core::model::decimal::DecimalMark;

use super::definitions::definition;
use super::zones;
use crate::error::{FeedError, LoadError, report_records};
use crate::source::{Access, Source};

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
    let none = || FeedError::NoStations(feed.to_owned());
    let columns = definition.stations.as_ref().ok_or_else(none)?;
    let set = definition.station_set().ok_or_else(none)?;
    if set == NYC_TAXI_ZONES {
        return Err(FeedError::BuiltinZones(set.to_owned()).into());
    }
    if let Some(year) = year.filter(|year| !YEARS.contains(year)) {
        return Err(FeedError::NoYear(year).into());
    }
    let file = Source::open(path, access)?;
    let year = match year.or_else(|| columns.by_year.then(|| year_of(path)).flatten()) {
        None if columns.by_year => return Err(FeedError::Year { path: path.to_owned() }.into()),
        year => year,
    };
    let shows_content = access.shows_content();
    let error = |error| FeedError::Stations { path: path.to_owned(), error, shows_content };
    let stations = read(&definition, columns, year, file).map_err(error)?;
    zones::store(set, &stations.rows)?;
    report_records(path, &stations, shows_content);
    Ok(stations.rows.len() as u64)
}

fn read(
    feed: &Definition,
    names: &StationColumns,
    year: Option<i32>,
    file: Source,
) -> Result<trips_core::feed::stations::Stations, trips_core::feed::stations::StationsError> {
    let nulls = Nulls::new(&feed.form.nulls);
    let id = feed.origin.iter().chain(&feed.destination).find_map(|place| match place {
        Place::Zone { id, .. } => Some(feed.get(*id).kind),
        _ => None,
    });
    let rules = PlaceRules {
        feed: &feed.name,
        bounds: feed.bounds,
        zero_is_unknown: feed.zero == Zero::Unknown,
        nulls: &nulls,
        decimal: DecimalMark::Point,
    };
    let form = StationForm {
        names,
        dialects: &feed.form.dialects,
        encodings: &feed.form.encodings,
        id: id.unwrap_or_default(),
        rules,
        year,
    };
    read_stations(Decoder::detect(file.bytes())?, &form)
}
