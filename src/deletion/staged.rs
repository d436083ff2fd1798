//! Staged rows of deleted trips. Many could not become trips because a value cannot be read.

use trips_core::check::conditions::{Conditions, Found, FoundValues};
use trips_core::check::constraints::Constraints;
use trips_core::check::trip_text;
use trips_core::feed::definition::ValueSource;
use trips_core::model::position::Position;
use trips_core::model::timestamp::{self, Timestamp};

use crate::error::LoadError;
use crate::feeds::definitions;
use crate::ledger;
use crate::load::{Retry, StagedFeed};
use crate::settings;
use crate::staging::{self, StagedFile, StagedRow};

/// Deletes the staged rows that may meet the conditions. Returns their numbers by load; rows of applications have none.
pub fn delete(conditions: &Conditions) -> Result<Vec<(Option<i64>, u64)>, LoadError> {
    let constraints = settings::constraints()?;
    let mut deleted = Vec::new();
    for load in staging::loads(None)? {
        let arrived = load.map(ledger::arrival_of).transpose()?.flatten();
        let mut rows = 0;
        for file in staging::files(load)? {
            rows += delete_of_file(&file, conditions, arrived, &constraints)?;
        }
        if rows > 0 {
            deleted.push((load, rows));
        }
    }
    Ok(deleted)
}

fn delete_of_file(
    file: &StagedFile,
    conditions: &Conditions,
    arrived: Option<Timestamp>,
    constraints: &Constraints,
) -> Result<u64, LoadError> {
    let member = file.member.as_deref();
    let mut feed = StagedFeed::of_load(file.load, member, &Retry::default())?;
    let names = LineNames::of(file)?;
    let max_record = settings::max_record_size();
    staging::delete_where(file, conditions.texts(), max_record, |row, has_texts| {
        let values = match (&row.record, &mut feed) {
            (Some(json), Some(feed)) => {
                feed.found_values(json, Position::line(row.line), constraints)
            }
            (Some(_), None) => FoundValues::UNKNOWN,
            (None, _) if row.is_raw => names.values(has_texts),
            (None, _) => values_of(row, max_record),
        };
        Ok(conditions.may_be_met(&values, arrived))
    })
}

/// Where the region and the datasource of a line are that is no record.
struct LineNames {
    region: LineName,
    datasource: LineName,
}

enum LineName {
    /// All records of the file have this one.
    Given(String),
    /// In the text of the line, or it has none that can be found.
    InText,
    /// It depends on other values.
    Unknown,
}

impl LineNames {
    /// Those of a file. Rows of applications have the five fields of trips.
    fn of(file: &StagedFile) -> Result<Self, LoadError> {
        let in_text = Self { region: LineName::InText, datasource: LineName::InText };
        let Some(load) = file.load else { return Ok(in_text) };
        let Some(used) = ledger::feed_of(load, file.member.as_deref())? else { return Ok(in_text) };
        let definition = definitions::definition(&used.feed).ok();
        let name = |given: Option<String>, sources: Option<&[ValueSource]>| match (given, sources) {
            (Some(name), _) => LineName::Given(name),
            (None, Some([ValueSource::Constant(name), ..])) => LineName::Given(name.clone()),
            (None, Some(sources)) if sources.iter().all(is_of_column) => LineName::InText,
            _ => LineName::Unknown,
        };
        let definition = definition.as_deref();
        Ok(Self {
            region: name(used.options.region, definition.map(|feed| feed.region.as_slice())),
            datasource: name(
                used.options.datasource,
                definition.map(|feed| feed.datasource.as_slice()),
            ),
        })
    }

    /// The values of a line, whose text has the wanted ones or not.
    fn values(&self, [has_region, has_datasource, has_id]: [bool; 3]) -> FoundValues {
        let in_text = |is_there| if is_there { Found::Unknown } else { Found::Null };
        let value = |name: &LineName, is_there| match name {
            LineName::Given(name) => Found::Value(name.clone()),
            LineName::InText => in_text(is_there),
            LineName::Unknown => Found::Unknown,
        };
        FoundValues {
            region: value(&self.region, has_region),
            datasource: value(&self.datasource, has_datasource),
            trip_id: in_text(has_id),
            date_time: None,
        }
    }
}

fn is_of_column(source: &ValueSource) -> bool {
    matches!(source, ValueSource::Column(_))
}

/// The values of five fields, each by itself.
fn values_of(row: &StagedRow, max_record: usize) -> FoundValues {
    let Ok(values) = row.values(max_record) else { return FoundValues::UNKNOWN };
    let [region, _, _, date_time, datasource] = values;
    let name = |text: &[u8]| match trip_text::text(text) {
        Ok(Some(name)) => Found::Value(name.to_owned()),
        Ok(None) => Found::Null,
        Err(_) => Found::Unknown,
    };
    FoundValues {
        region: name(region),
        datasource: name(datasource),
        trip_id: Found::Null,
        date_time: timestamp::parse(date_time).ok().flatten(),
    }
}
