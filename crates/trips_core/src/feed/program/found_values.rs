//! What a record says of its region, its datasource, its id and its time, also if other values are invalid.

use super::trip::{Known, text_of_id};
use super::{FeedProgram, PlaceSource, Scratch};
use crate::check::conditions::{Found, FoundValues};
use crate::check::constraints::Constraints;
use crate::columns::TripColumn;
use crate::feed::definition::ValueSource;
use crate::feed::fields::Fields;
use crate::model::position::Position;
use crate::model::timestamp::Timestamp;

impl FeedProgram {
    /// The values of a record, each by itself.
    pub fn found_values(
        &self,
        fields: &impl Fields,
        position: Position,
        scratch: &mut Scratch,
        constraints: &Constraints,
    ) -> FoundValues {
        let start = self.start(fields, scratch, position).ok();
        let year = start.map(|start| start.time.year());
        let end = |source: Option<&PlaceSource>| {
            // Some zones are valid in some years only.
            self.known(source, fields, year?, constraints).ok()
        };
        let ends = [end(self.origin.as_ref()), end(self.destination.as_ref())];
        let date_time = start.and_then(|start| {
            let area = ends.iter().flatten().find_map(|end| end.area);
            let (wall, _) = Self::wall(start, area, scratch, TripColumn::DateTime).ok()?;
            Some(wall)
        });
        let places = &self.feed.definition.areas;
        let region = |area: usize| Some(&*places[area].region);
        let datasource = |area: usize| places[area].datasource.as_deref();
        FoundValues {
            region: self.found_name(&self.region, fields, ends, region),
            datasource: self.found_name(&self.datasource, fields, ends, datasource),
            trip_id: self.found_id(fields),
            date_time: date_time.filter(|&time| is_date(time)),
        }
    }

    /// A name, as far as it does not depend on an end that cannot be read.
    fn found_name<'p>(
        &'p self,
        sources: &'p [ValueSource],
        fields: &impl Fields,
        ends: [Option<Known<'p>>; 2],
        of_area: impl Fn(usize) -> Option<&'p str>,
    ) -> Found<String> {
        let is_of_end =
            |source: &ValueSource| matches!(source, ValueSource::Zone(_) | ValueSource::Area(_));
        if sources.iter().any(is_of_end) && ends.iter().any(Option::is_none) {
            return Found::Unknown;
        }
        let mut name = String::new();
        let ends = ends.map(Option::unwrap_or_default);
        match self.name(sources, fields, ends, of_area, &mut name) {
            Ok(()) if name.is_empty() => Found::Null,
            Ok(()) => Found::Value(name),
            Err(_) => Found::Unknown,
        }
    }

    fn found_id(&self, fields: &impl Fields) -> Found<String> {
        let Some(column) = self.trip_id else { return Found::Null };
        match self.canonical(column, fields) {
            Ok(Some(id)) => Found::Value(text_of_id(&id).into_owned()),
            Ok(None) => Found::Null,
            Err(_) => Found::Unknown,
        }
    }
}

/// Whether a time is in the years 1 to 9999, as those of trips are.
fn is_date(time: Timestamp) -> bool {
    (1..=9999).contains(&time.year())
}
