//! A record to a trip.

use std::borrow::Cow;

use super::scratch::column;
use super::{FeedProgram, FeedTrip, PlaceSource, Scratch};
use crate::check::constraints::Constraints;
use crate::check::reject::Rejection;
use crate::check::trip_text;
use crate::columns::{TAIL_COUNT, TripColumn};
use crate::feed::definition::{ColumnId, ColumnKind, Place, TripEnd, ValueSource, Zero};
use crate::feed::fields::Fields;
use crate::feed::place::{PlaceRules, PlaceText, place};
use crate::feed::rules::FeedRules;
use crate::feed::value::canonical;
use crate::feed::zones::Zone;
use crate::model::canonical::Canonical;
use crate::model::error::{SqlState, ValueError};
use crate::model::point::Point;
use crate::model::position::Position;
use crate::model::time_form::{ParsedTime, TimeKind};
use crate::model::timestamp::Timestamp;
use crate::model::trip::{MAX_TEXT, Trip};
use crate::wire::copy_binary::RowWriter;

/// The times of a trip.
#[derive(Debug, Clone, Copy)]
pub(super) struct Times {
    pub(super) start: ParsedTime,
    pub(super) end: Option<ParsedTime>,
    /// The wall clock of the end.
    pub(super) ended_at: Option<Timestamp>,
    pub(super) offset_minutes: Option<i32>,
    /// The area in whose zone they are.
    pub(super) area: Option<usize>,
}

/// An end of a trip.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Known<'z> {
    point: Option<Point>,
    zone: Option<Zone<'z>>,
    pub(super) area: Option<usize>,
    is_unknown: bool,
}

impl FeedProgram {
    /// Makes a trip of the record at this position. No memory is allocated if the buffers are large enough, and
    /// no field has to be unescaped.
    ///
    /// # Errors
    /// The first value, in the order date and time, places, end, region, data source, identity, details, that is
    /// invalid or violates the constraints.
    pub fn trip<'s>(
        &self,
        fields: &impl Fields,
        position: Position,
        scratch: &'s mut Scratch,
        constraints: &Constraints,
    ) -> Result<FeedTrip<'s>, Rejection> {
        let start = self.start(fields, scratch, position)?;
        let year = start.time.year();
        let origin = self.known(self.origin.as_ref(), fields, year, constraints);
        let origin = origin.map_err(|e| Rejection::of_value(TripColumn::Origin, e))?;
        let destination = self.known(self.destination.as_ref(), fields, year, constraints);
        let destination =
            destination.map_err(|e| Rejection::of_value(TripColumn::Destination, e))?;
        let area = origin.area.or(destination.area);
        let (date_time, offset_minutes) = Self::wall(start, area, scratch, TripColumn::DateTime)?;
        let columns = &self.feed.definition.time.columns;
        self.check_time(date_time, columns, fields, constraints)
            .map_err(|e| Rejection::of_value(TripColumn::DateTime, e))?;
        let end = self.end(fields, start, scratch, position)?;
        let ended_at = match end {
            None => None,
            Some(end) => Some(self.wall_of_end(end, area, fields, scratch, constraints)?),
        };
        let times = Times { start, end, ended_at, offset_minutes, area };
        self.names(fields, [origin, destination], scratch)?;
        self.message(fields, times, scratch)?;
        self.tail(fields, times, scratch)?;
        let identity = self.made_identity(scratch);
        let trip = Trip {
            region: &scratch.region,
            origin: origin.point,
            destination: destination.point,
            date_time,
            datasource: Some(&*scratch.datasource).filter(|name| !name.is_empty()),
        };
        let unknown_places = u64::from(origin.is_unknown) + u64::from(destination.is_unknown);
        let (tail, not_numbers) = (&*scratch.tail, &*scratch.not_numbers);
        Ok(FeedTrip { trip, tail, identity, unknown_places, not_numbers })
    }

    /// An end of the trip: its point, its zone, its area.
    pub(super) fn known(
        &self,
        source: Option<&PlaceSource>,
        fields: &impl Fields,
        year: i32,
        constraints: &Constraints,
    ) -> Result<Known<'_>, ValueError> {
        let Some(source) = source else { return Ok(Known::default()) };
        let (rules, feed) = (&self.feed.rules, &*self.feed.definition);
        let text = |column: ColumnId| fields.text(column).unwrap_or_default();
        let place_rules = PlaceRules {
            feed: &feed.name,
            bounds: feed.bounds,
            zero_is_unknown: feed.zero == Zero::Unknown,
            nulls: &rules.nulls,
            decimal: rules.decimal,
        };
        let point = match &source.place {
            Place::LonLat { longitude, latitude } => {
                let numbers = fields.number(*longitude).zip(fields.number(*latitude));
                if let Some((longitude, latitude)) = numbers.filter(|_| !rules.has_null_numbers) {
                    let point = place(PlaceText::Degrees(longitude, latitude), &place_rules)?;
                    return self.located(point, constraints);
                }
                let (longitude, latitude) = (text(*longitude), text(*latitude));
                let (longitude, latitude) = (&*longitude, &*latitude);
                place(PlaceText::Pair { longitude, latitude }, &place_rules)?
            }
            Place::Wkt(column) => place(PlaceText::Wkt(&text(*column)), &place_rules)?,
            Place::LatLonText(column) => place(PlaceText::LatLon(&text(*column)), &place_rules)?,
            Place::GeoJson(column, end) => {
                place(PlaceText::GeoJson(&text(*column), *end), &place_rules)?
            }
            Place::Zone { id, .. } => return self.zone(source, *id, fields, year),
        };
        self.located(point, constraints)
    }

    /// An end at a point.
    fn located(
        &self,
        point: Option<Point>,
        constraints: &Constraints,
    ) -> Result<Known<'_>, ValueError> {
        let point = constraints.check_point(point)?;
        let area = point.and_then(|p| FeedRules::area_of(&self.feed.definition.areas, p));
        Ok(Known { point, area, ..Known::default() })
    }

    /// The zone that a record names.
    fn zone(
        &self,
        source: &PlaceSource,
        id: ColumnId,
        fields: &impl Fields,
        year: i32,
    ) -> Result<Known<'_>, ValueError> {
        let rules = &self.feed.rules;
        let Some(Canonical::Text(id)) = self.canonical(id, fields)? else {
            return Ok(Known::default());
        };
        let zone = source.set.and_then(|set| rules.zones.get(set, id.as_bytes(), year));
        let Some(zone) = zone else { return Ok(Known { is_unknown: true, ..Known::default() }) };
        let area = zone.point.and_then(|p| FeedRules::area_of(&self.feed.definition.areas, p));
        Ok(Known { point: zone.point, zone: Some(zone), area, is_unknown: false })
    }

    /// The canonical value of a column; None if it is NULL or missing.
    pub(super) fn canonical<'f>(
        &self,
        column: ColumnId,
        fields: &'f impl Fields,
    ) -> Result<Option<Canonical<'f>>, ValueError> {
        let rules = &self.feed.rules;
        let kind = self.feed.definition.get(column).kind;
        if kind == ColumnKind::Number
            && !rules.has_null_numbers
            && let Some(number) = fields.number(column)
        {
            return Ok(Some(Canonical::Number(number + 0.0))); // -0 + 0 is 0
        }
        let Some(text) = fields.text(column) else { return Ok(None) };
        if kind != ColumnKind::Time {
            return canonical(text, kind, &rules.nulls, rules.decimal);
        }
        if let Some(typed) = self.typed_time(&[column], fields, None) {
            return typed.map(|parsed| Some(Canonical::Time(parsed.time)));
        }
        let time = rules.nulls.trimmed(&text).zip(rules.forms.as_ref());
        let parsed = time.and_then(|(text, forms)| forms.parse(text, rules.order).ok().flatten());
        match parsed {
            Some(parsed) => Ok(Some(Canonical::Time(parsed.time))),
            None => canonical(text, ColumnKind::Text, &rules.nulls, rules.decimal),
        }
    }

    /// Region and data source.
    fn names(
        &self,
        fields: &impl Fields,
        ends: [Known<'_>; 2],
        scratch: &mut Scratch,
    ) -> Result<(), Rejection> {
        let region = |area: usize| Some(&*self.feed.definition.areas[area].region);
        let datasource = |area: usize| self.feed.definition.areas[area].datasource.as_deref();
        self.name(&self.region, fields, ends, region, &mut scratch.region)
            .map_err(|e| Rejection::of_value(TripColumn::Region, e))?;
        self.name(&self.datasource, fields, ends, datasource, &mut scratch.datasource)
            .map_err(|e| Rejection::of_value(TripColumn::Datasource, e))?;
        if scratch.region.is_empty() {
            let error = ValueError::new(SqlState::NotNullViolation, "region is empty");
            return Err(Rejection::of_value(TripColumn::Region, error));
        }
        Ok(())
    }

    /// The first of some values that is not NULL.
    pub(super) fn name<'p>(
        &'p self,
        sources: &'p [ValueSource],
        fields: &impl Fields,
        ends: [Known<'p>; 2],
        of_area: impl Fn(usize) -> Option<&'p str>,
        out: &mut String,
    ) -> Result<(), ValueError> {
        let end = |end: TripEnd| ends[usize::from(end == TripEnd::Destination)];
        out.clear();
        for source in sources {
            let name = match source {
                ValueSource::Constant(name) => Some(Cow::Borrowed(name.as_str())),
                ValueSource::Zone(of) => end(*of).zone.and_then(|z| z.region).map(Cow::Borrowed),
                ValueSource::Area(of) => end(*of).area.and_then(&of_area).map(Cow::Borrowed),
                ValueSource::Column(column) => match self.canonical(*column, fields)? {
                    Some(Canonical::Text(text) | Canonical::Json(text)) => Some(text),
                    Some(Canonical::Number(number)) => Some(number.to_string().into()),
                    Some(Canonical::Time(time)) => Some(time.to_string().into()),
                    None => None,
                },
            };
            if let Some(name) = name {
                // It may be too long.
                if name.len() > MAX_TEXT {
                    trip_text::text(name.as_bytes())?;
                }
                out.push_str(&name);
                return Ok(());
            }
        }
        Ok(())
    }

    /// The wall clock of a column of times; as it is if that has none.
    fn wall_of_column(
        &self,
        time: Timestamp,
        area: Option<usize>,
        scratch: &mut Scratch,
    ) -> Timestamp {
        let is_instant = self.feed.definition.time.kind != TimeKind::Local;
        let parsed = ParsedTime { time, is_instant, proof: None };
        Self::wall(parsed, area, scratch, column("details")).map_or(time, |(wall, _)| wall)
    }

    /// The columns after `load_id`.
    fn tail(
        &self,
        fields: &impl Fields,
        times: Times,
        scratch: &mut Scratch,
    ) -> Result<(), Rejection> {
        let mut values = scratch.take_values();
        scratch.not_numbers.clear();
        for id in &self.details {
            let value = id.map(|id| {
                let of_column =
                    |e| Rejection::of_value(column(&self.feed.definition.get(id).name), e);
                self.canonical(id, fields).map_err(of_column)
            });
            let value = match value.transpose()?.flatten() {
                // As `date_time` beside it: the wall clock.
                Some(Canonical::Time(time)) => {
                    let time = self.wall_of_column(time, times.area, scratch);
                    Some(Canonical::Text(time.full_text().into()))
                }
                value => value,
            };
            let is_text = matches!(value, Some(Canonical::Text(_)));
            let is_not_number =
                |id: &ColumnId| self.feed.definition.get(*id).kind == ColumnKind::Number;
            scratch.not_numbers.extend(id.filter(|id| is_text && is_not_number(id)));
            values.push(value);
        }
        values.push(times.offset_minutes.map(|minutes| Canonical::Number(f64::from(minutes))));
        scratch.payload.clear();
        let written = scratch.details.write(&values, &mut scratch.payload);
        scratch.give_values(values);
        let has_details = written.map_err(|e| Rejection::of_value(column("details"), e))?;
        let trip_id = self.trip_id.map(|id| self.canonical(id, fields)).transpose();
        let trip_id = trip_id.map_err(|e| Rejection::of_value(column("trip_id"), e))?.flatten();
        let trip_id = trip_id.as_ref().map(text_of_id);
        scratch.tail.clear();
        if times.ended_at.is_none() && trip_id.is_none() && !has_details {
            return Ok(());
        }
        let mut tail = RowWriter::values(&mut scratch.tail);
        match times.ended_at {
            Some(end) => tail.int8(end.0),
            None => tail.null(),
        };
        tail.optional(trip_id.as_ref().map(|text| text.as_bytes()));
        tail.optional(has_details.then_some(&scratch.payload[..]));
        Ok(())
    }
}

/// An id as the history has it.
pub(super) fn text_of_id<'c>(id: &'c Canonical<'_>) -> Cow<'c, str> {
    match id {
        Canonical::Text(text) | Canonical::Json(text) => Cow::Borrowed(&**text),
        Canonical::Number(number) => Cow::Owned(number.to_string()),
        Canonical::Time(time) => Cow::Owned(time.full_text()),
    }
}

// The tail has `ended_at`, `trip_id` and `details`.
const _: () = assert!(TAIL_COUNT == 3);
