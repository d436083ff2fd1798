//! Staged records of a feed, read as the records of its files are read, or again under other rules.

use std::borrow::Cow;
use std::sync::Arc;

use super::places::{swapped_lat_lon, swapped_wkt, with_points};
use super::rules::{Rules, Times, is_of_place, is_out_of_place};
use crate::check::conditions::FoundValues;
use crate::check::constraints::Constraints;
use crate::check::reject::Rejection;
use crate::columns::TripColumn;
use crate::feed::day_month::TimeProofs;
use crate::feed::definition::{ColumnId, ColumnKind, Definition, EndedAt, Place, TimeKind};
use crate::feed::fields::Fields;
use crate::feed::file_feed::FileFeed;
use crate::feed::program::{FeedProgram, FeedTrip, Scratch};
use crate::feed::staged::{self, FeedRecord, RecordForm};
use crate::key::TripKey;
use crate::model::decimal::DecimalMark;
use crate::model::error::{SqlState, ValueError};
use crate::model::position::Position;
use crate::model::time_form::JoinedTime;
use crate::model::timestamp::Timestamp;
use crate::wire::jsonb::DetailsForm;

/// Programs that are kept, for records of several forms.
const PROGRAMS: usize = 8;
/// Bytes of the date in a canonical time, `2024-06-17 08:05:00`.
const DATE: usize = 10;

/// Reads staged records of a feed.
#[derive(Debug)]
pub struct StagedReader {
    feed: Arc<FileFeed>,
    programs: Vec<(RecordForm, FeedProgram, Scratch)>,
}

impl StagedReader {
    /// A reader of this feed.
    #[must_use]
    pub fn new(feed: Arc<FileFeed>) -> Self {
        Self { feed, programs: Vec::new() }
    }

    /// The feed.
    #[must_use]
    pub fn definition(&self) -> &Arc<Definition> {
        &self.feed.definition
    }

    /// Whether an instant has one local time: all trips of the feed have the same time zone, or its own times are instants.
    #[must_use]
    pub fn has_zone(&self) -> bool {
        let Definition { time, areas, .. } = &*self.feed.definition;
        let is_own = |zone: &Option<String>| zone.is_none() || *zone == time.zone;
        time.kind != TimeKind::Local
            || (time.zone.is_some() && areas.iter().all(|area| is_own(&area.zone)))
    }

    /// The trip of a record. Its position is for messages.
    ///
    /// # Errors
    /// Those of the feed's files; 22007 if the feed leaves the order of day and month to the file, and the record does not
    /// say it; 22008 if a time is valid in another order only.
    pub fn trip(
        &mut self,
        record: &FeedRecord,
        position: Position,
        constraints: &Constraints,
    ) -> Result<FeedTrip<'_>, Rejection> {
        self.check(record, position, constraints)?;
        let (program, scratch) = self.prepare(record);
        program.trip(record, position, scratch, constraints)
    }

    /// Checks a record as [`StagedReader::trip`] does.
    ///
    /// # Errors
    /// The same.
    pub fn check(
        &mut self,
        record: &FeedRecord,
        position: Position,
        constraints: &Constraints,
    ) -> Result<(), Rejection> {
        let order = record.order().filter(|_| self.feed.needs_order());
        if order.is_none() && self.feed.needs_order() {
            return Err(of_time(
                SqlState::InvalidDatetimeFormat,
                "the column record has no member $order: expected MM/DD or DD/MM".to_owned(),
            ));
        }
        let feed = self.feed.clone();
        let (program, scratch) = self.prepare(record);
        scratch.proofs = TimeProofs::default();
        program.trip(record, position, scratch, constraints)?;
        // A time in another order of day and month would be another time.
        match scratch.proofs.contradiction(order, &feed.definition.name) {
            Some(found) => Err(of_time(SqlState::DatetimeFieldOverflow, found.message)),
            None => Ok(()),
        }
    }

    /// The id of a record, for a message.
    #[must_use]
    pub fn id_of(&mut self, record: &FeedRecord) -> String {
        let (program, _) = self.prepare(record);
        staged::id_of(program, record)
    }

    /// The time and the key of a record, if its identity columns are valid.
    #[must_use]
    pub fn identity_of(
        &mut self,
        record: &FeedRecord,
        position: Position,
        constraints: &Constraints,
    ) -> Option<(Timestamp, TripKey)> {
        let (program, scratch) = self.prepare(record);
        program.identity_of(record, position, scratch, constraints)
    }

    /// What a record says of its values, each by itself.
    #[must_use]
    pub fn found_values(
        &mut self,
        record: &FeedRecord,
        position: Position,
        constraints: &Constraints,
    ) -> FoundValues {
        let has_order = record.order().is_some() || !self.feed.needs_order();
        let (program, scratch) = self.prepare(record);
        let found = program.found_values(record, position, scratch, constraints);
        let date_time = found.date_time.filter(|_| has_order);
        FoundValues { date_time, ..found }
    }

    /// The record as the rules mean it; None if they change nothing in it.
    #[must_use]
    pub fn mended(
        &mut self,
        record: &FeedRecord,
        rules: &Rules,
        position: Position,
        constraints: &Constraints,
    ) -> Option<FeedRecord> {
        let feed = self.feed.definition.clone();
        let (mut mended, mut is_changed) = (record.clone(), false);
        if let Some(times) = &rules.times {
            is_changed |= self.set_times(times, record, &mut mended);
        }
        if rules.decimal_comma {
            is_changed |= set_decimal_comma(&feed, record, &mut mended);
        }
        if rules.swap_coordinates
            && let Err(rejection) = self.check(&mended, position, constraints)
            && is_out_of_place(&rejection)
        {
            for ends in [[true, true], [true, false], [false, true]] {
                let Some(swapped) = self.swapped(&mended, ends) else { continue };
                let rejection = self.check(&swapped, position, constraints).err();
                if !rejection.is_some_and(|rejection| is_of_place(&rejection)) {
                    return Some(swapped);
                }
            }
        }
        is_changed.then_some(mended)
    }

    /// The texts of the start of a record, if it has one.
    #[must_use]
    pub fn time_text(&self, record: &FeedRecord) -> Option<String> {
        joined(record, &self.feed.definition.time.columns)
    }

    /// The texts of the origin of a record, or of its destination.
    #[must_use]
    pub fn place_texts(&self, record: &FeedRecord, is_origin: bool) -> Option<String> {
        let feed = &self.feed.definition;
        let places = if is_origin { &feed.origin } else { &feed.destination };
        let place = places.iter().find(|place| has_columns(place, record))?;
        let texts = place.columns().filter_map(|column| record.text(column));
        let texts: Vec<String> =
            texts.map(|text| String::from_utf8_lossy(&text).into_owned()).collect();
        Some(texts.join(" "))
    }

    /// Whether a time of a record is a date in the other order of day and month only.
    #[must_use]
    pub fn contradicts(&self, record: &FeedRecord, times: &Times) -> bool {
        let groups = time_groups(&self.feed.definition);
        groups
            .iter()
            .filter_map(|group| joined(record, group))
            .any(|text| times.is_contradicted_by(text.as_bytes()))
    }

    /// Sets the times that have one of the forms. Instants need a zone, and a feed with offsets needs instants.
    fn set_times(&self, times: &Times, from: &FeedRecord, to: &mut FeedRecord) -> bool {
        let feed = &self.feed.definition;
        let fits = match times.are_instants() {
            true => self.has_zone(),
            false => feed.time.kind != TimeKind::Offset,
        };
        let mut is_changed = false;
        for group in time_groups(feed).iter().filter(|_| fits) {
            let Some(time) = joined(from, group).and_then(|text| times.canonical(text.as_bytes()))
            else {
                continue;
            };
            is_changed = true;
            match group[..] {
                [date, time_of_day] => {
                    let (date_text, rest) = time.split_at(DATE);
                    let zone = if times.are_instants() { "Z" } else { "" };
                    to.set_time(date, format!("{date_text}{zone}"));
                    to.set_time(time_of_day, rest.trim_start().to_owned());
                }
                [column] => to.set_time(column, time),
                _ => {}
            }
        }
        if let Some(order) = times.order().filter(|_| self.feed.needs_order())
            && from.order() != Some(order)
        {
            to.set_order(order);
            is_changed = true;
        }
        is_changed
    }

    /// The record with exchanged coordinates of its origin, its destination, or both. None if nothing changes.
    fn swapped(&self, record: &FeedRecord, [origin, destination]: [bool; 2]) -> Option<FeedRecord> {
        let feed = &self.feed.definition;
        let (mut swapped, mut is_changed) = (record.clone(), false);
        for (places, is_wanted) in [(&feed.origin, origin), (&feed.destination, destination)] {
            let mut wanted = places.iter().filter(|_| is_wanted);
            let Some(place) = wanted.find(|place| has_columns(place, record)) else { continue };
            is_changed |= swap_place(place, record, &mut swapped);
        }
        is_changed.then_some(swapped)
    }

    /// The program for a record, and its buffers.
    fn prepare(&mut self, record: &FeedRecord) -> (&FeedProgram, &mut Scratch) {
        let form = record.form();
        let at = self.programs.iter().position(|(known, ..)| *known == form);
        let at = at.unwrap_or_else(|| {
            let program = record.program(&self.feed);
            let scratch = program.scratch(DetailsForm::OnDisk);
            if self.programs.len() == PROGRAMS {
                self.programs.remove(0);
            }
            self.programs.push((form, program, scratch));
            self.programs.len() - 1
        });
        let (_, program, scratch) = &mut self.programs[at];
        (program, scratch)
    }
}

/// The columns of each time: of the start, of the end, and of details.
fn time_groups(feed: &Definition) -> Vec<Vec<ColumnId>> {
    let mut groups = vec![feed.time.columns.clone()];
    if let Some(EndedAt::Columns(columns)) = &feed.ended_at {
        groups.push(columns.clone());
    }
    let columns = (0..).map(ColumnId).zip(&feed.columns);
    let times: Vec<ColumnId> = columns
        .filter(|(id, column)| column.kind == ColumnKind::Time && !groups.concat().contains(id))
        .map(|(id, _)| id)
        .collect();
    groups.extend(times.into_iter().map(|column| vec![column]));
    groups
}

/// The text of a time in one column or two; None if a part is empty, or the file has it as a time.
fn joined(record: &FeedRecord, columns: &[ColumnId]) -> Option<String> {
    let text = |column: &ColumnId| {
        let text = record.text(*column).filter(|_| !record.has_times(*column))?;
        let text = text.trim_ascii().to_vec();
        (!text.is_empty()).then_some(text)
    };
    match columns {
        [one] => text(one).map(|text| String::from_utf8_lossy(&text).into_owned()),
        [date, time] => {
            let (date, time) = (text(date)?, text(time)?);
            let joined = JoinedTime::of(&date, &time);
            Some(String::from_utf8_lossy(joined.text()).into_owned())
        }
        _ => None,
    }
}

fn has_columns(place: &Place, record: &FeedRecord) -> bool {
    place.columns().all(|column| record.text(column).is_some())
}

fn swap_place(place: &Place, from: &FeedRecord, to: &mut FeedRecord) -> bool {
    let text = |column: ColumnId| from.text(column).map(Cow::into_owned).unwrap_or_default();
    let (column, swapped) = match *place {
        Place::LonLat { longitude, latitude } => {
            to.swap_texts(longitude, latitude);
            return true;
        }
        Place::Wkt(column) => (column, swapped_wkt(&text(column))),
        Place::LatLonText(column) => (column, swapped_lat_lon(&text(column), from.decimal())),
        Place::GeoJson(..) | Place::Zone { .. } => return false,
    };
    let Some(swapped) = swapped.and_then(|text| String::from_utf8(text).ok()) else { return false };
    to.set_text(column, swapped);
    true
}

/// Makes the comma the decimal mark of a record whose numbers have commas and no points.
fn set_decimal_comma(feed: &Definition, from: &FeedRecord, to: &mut FeedRecord) -> bool {
    let places: Vec<&Place> = feed.origin.iter().chain(&feed.destination).collect();
    let is_wkt = |place: &&&Place| matches!(place, Place::Wkt(_));
    let of_places = places.iter().filter(|p| !is_wkt(p)).flat_map(|place| place.columns());
    let of_kind = (0..)
        .map(ColumnId)
        .zip(&feed.columns)
        .filter(|(_, column)| column.kind == ColumnKind::Number);
    let numbers: Vec<ColumnId> = of_places.chain(of_kind.map(|(id, _)| id)).collect();
    let has = |byte: u8| {
        numbers.iter().any(|column| from.text(*column).is_some_and(|text| text.contains(&byte)))
    };
    let mut is_changed = false;
    if from.decimal() == DecimalMark::Point && has(b',') && !has(b'.') {
        to.set_decimal(DecimalMark::Comma);
        is_changed = true;
    }
    for column in places.iter().filter(is_wkt).flat_map(|place| place.columns()) {
        let points = from.text(column).and_then(|text| with_points(&text));
        if let Some(text) = points.and_then(|text| String::from_utf8(text).ok()) {
            to.set_text(column, text);
            is_changed = true;
        }
    }
    is_changed
}

fn of_time(state: SqlState, reason: String) -> Rejection {
    Rejection::of_value(TripColumn::DateTime, ValueError::new(state, reason))
}
