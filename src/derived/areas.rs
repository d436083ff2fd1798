//! The area index: origins and destinations of trips, by week.
//!
//! A load adds the grid points of its new trips: `trips_internal.area_pages` has them, encoded,
//! `trips_internal.area_directory` has the bounds of the pages. All of it is derived from the history. A week is
//! complete if it has as many trips here as in the daily roll-up. An incomplete week (after a restore, or a change by
//! hand) makes queries slower, never wrong.

pub mod check;

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::CStr;

use pgrx::Spi;
use pgrx::datum::Timestamp as PgTimestamp;
use trips_areas::{
    Coord, Directory, GridPoint, IndexBuilder, SMALL_SEGMENT, Segment, Week, WeekTrips,
};
use trips_core::wire::copy_binary::RowWriter;

use crate::error::{DerivedError, LoadError};
use crate::history::Days;
use crate::os::signals;
use crate::pg::copy::{OwnedRows, copy_rows};
use crate::pg::plans::{self, Kept};
use crate::pg::relation::Table;
use crate::pg::spi;
use crate::pg::{interrupts, session};
use crate::progress::Progress;
use crate::settings;

/// Page numbers of each segment; the directory has fewer.
pub const PAGE_IDS: i64 = 256;
const _: () = assert!(trips_areas::MAX_PAGES <= 256, "a segment has more pages than numbers");

/// Weeks that a change by hand has touched are rebuilt at once if they have up to this many trips together: a second or
/// two of reading. Others wait for `trips.rebuild()`.
pub const WORTH_FILLING: i64 = 1_000_000;

thread_local! {
    /// Calls of [`delete_weeks`] of this backend.
    static DELETIONS: Cell<u64> = const { Cell::new(0) };
}

/// An index builder for the trips of a load.
pub fn start_builder() -> Result<IndexBuilder, LoadError> {
    let _blocked = signals::BlockedSignals::all();
    Ok(IndexBuilder::start().map_err(DerivedError::Areas)?)
}

/// Writes the collected grid points. The cost is that of the new trips: small segments are merged with them, each at
/// most as often as its number of trips doubles.
pub fn write(collected: &mut IndexBuilder, progress: Option<&Progress>) -> Result<(), LoadError> {
    let weeks = collected.take(poll_interrupts).map_err(DerivedError::Areas)?;
    let written: Vec<i32> = weeks.iter().map(|week| week.week).collect();
    let deletions = DELETIONS.get();
    let mut segments = Vec::new();
    for Week { week, trips } in weeks {
        let made = match trips {
            WeekTrips::Many(made) => made,
            WeekTrips::Few(mut points) => {
                merge_small_segments(week, &mut points)?;
                trips_areas::build(&points)?
            }
        };
        segments.extend(made.into_iter().map(|segment| (week, segment)));
    }
    if segments.is_empty() {
        return Ok(());
    }
    append(segments, progress)?;
    // A trigger of a user on the index has changed the history meanwhile: the grid points may be of the time before.
    if DELETIONS.get() != deletions {
        for week in written {
            let monday = trips_areas::first_day(week);
            delete_weeks(Days { first: Some(monday), last: Some(monday + 6) })?;
        }
    }
    Ok(())
}

fn poll_interrupts() {
    interrupts::check();
}

/// Deletes the small segments of the week, and adds their grid points to these.
fn merge_small_segments(week: i32, points: &mut Vec<GridPoint>) -> Result<(), LoadError> {
    let few = i64::try_from(SMALL_SEGMENT).unwrap_or(i64::MAX);
    let small = Spi::connect(|client| {
        let found = client.select(
            Kept("SELECT d.segment_id, d.trips, d.directory FROM trips_internal.area_directory AS d
                   WHERE d.week = date '2000-01-03' + 7 * $1 AND d.trips < $2 ORDER BY d.trips, d.segment_id"),
            None,
            &[week.into(), few.into()],
        )?;
        found
            .map(|row| Ok((row.get::<i64>(1)?, row.get::<i64>(2)?, row.get::<Vec<u8>>(3)?)))
            .collect::<Result<Vec<_>, LoadError>>()
    })?;
    let mut merged = Vec::new();
    let mut total = points.len();
    for (segment, trips, directory) in small {
        let (Some(segment), Some(trips), Some(directory)) = (segment, trips, directory) else {
            continue;
        };
        let trips = usize::try_from(trips).unwrap_or(usize::MAX);
        // A segment with more trips than all that it would be merged with stays as it is.
        if trips > 2 * total || total >= SMALL_SEGMENT {
            break;
        }
        // A damaged segment stays: the week is incomplete without it.
        let Ok(directory) = Directory::of(&directory) else { break };
        let before = points.len();
        if read_pages(segment, directory.pages(), points).is_err() || points.len() != before + trips
        {
            points.truncate(before);
            break;
        }
        total += trips;
        merged.push(segment);
    }
    delete_segments(&merged)
}

fn read_pages(segment: i64, pages: usize, points: &mut Vec<GridPoint>) -> Result<(), LoadError> {
    let last = i64::try_from(pages).unwrap_or(0) - 1;
    Spi::connect(|client| {
        let found = client.select(
            Kept("SELECT b.content FROM trips_internal.area_pages AS b WHERE b.page_id BETWEEN $1 AND $2"),
            None,
            &[(segment * PAGE_IDS).into(), (segment * PAGE_IDS + last).into()],
        )?;
        for row in found {
            let page = row.get::<Vec<u8>>(1)?.unwrap_or_default();
            trips_areas::decode(&page, points).map_err(|_| DerivedError::DamagedAreas)?;
        }
        Ok(())
    })
}

fn delete_segments(segments: &[i64]) -> Result<(), LoadError> {
    for segment in segments {
        plans::run(
            "DELETE FROM trips_internal.area_pages AS b WHERE b.page_id BETWEEN $1 AND $2",
            &[(segment * PAGE_IDS).into(), (segment * PAGE_IDS + PAGE_IDS - 1).into()],
        )?;
        plans::run(
            "DELETE FROM trips_internal.area_directory AS d WHERE d.segment_id = $1",
            &[(*segment).into()],
        )?;
    }
    Ok(())
}

/// Deletes the weeks of these days: they are counted from the history until they are rebuilt.
pub fn delete_weeks(days: Days) -> Result<(), LoadError> {
    DELETIONS.set(DELETIONS.get().wrapping_add(1));
    let monday =
        |day: Option<i32>| day.map(|day| trips_areas::first_day(trips_areas::week_of_day(day)));
    Spi::run_with_args(
        "WITH gone AS (DELETE FROM trips_internal.area_directory AS d
                        WHERE ($1 IS NULL OR d.week >= date '2000-01-01' + $1)
                          AND ($2 IS NULL OR d.week <= date '2000-01-01' + $2)
                       RETURNING d.segment_id)
         DELETE FROM trips_internal.area_pages AS b USING gone
          WHERE b.page_id >= 256 * gone.segment_id AND b.page_id < 256 * (gone.segment_id + 1)",
        &[monday(days.first).into(), monday(days.last).into()],
    )?;
    Ok(())
}

/// Rebuilds all weeks from the history.
pub fn fill() -> Result<(), LoadError> {
    delete_weeks(Days::ALL)?;
    // Pages without a segment: it was deleted by hand.
    Spi::run("DELETE FROM trips_internal.area_pages")?;
    fill_weeks(weeks_with_trips()?)
}

/// Rebuilds the index of the weeks of these days, which were deleted and counted again, if they have at most so many
/// trips.
pub fn refill(days: &[Days], most: Option<i64>) -> Result<(), LoadError> {
    let mut weeks = BTreeMap::new();
    for days in days {
        weeks.extend(trips_of_weeks(*days)?);
    }
    if weeks.is_empty()
        || !settings::maintains_area_index()
        || most.is_some_and(|most| weeks.values().sum::<i64>() > most)
    {
        return Ok(());
    }
    // Queries with the active snapshot do not see the changes of the tracked statement yet.
    session::with_new_snapshot(|| fill_weeks(weeks.into_keys()))
}

fn fill_weeks(weeks: impl IntoIterator<Item = i32>) -> Result<(), LoadError> {
    let mut collected = start_builder()?;
    for week in weeks {
        interrupts::check();
        let mut error = None;
        grid_points_of_history(week, |point| {
            error = error.take().or(collected.push(week, point).err())
        });
        if let Some(error) = error {
            return Err(error.into());
        }
        write(&mut collected, None)?;
    }
    Ok(())
}

/// Number of trips of the weeks of these days, by the daily roll-up.
fn trips_of_weeks(days: Days) -> Result<BTreeMap<i32, i64>, LoadError> {
    let monday = |day| trips_areas::first_day(trips_areas::week_of_day(day));
    let (first, last) = (days.first.map(monday), days.last.map(|day| monday(day) + 6));
    Spi::connect(|client| {
        let found = client.select(
            "SELECT d.day - date '2000-01-01', sum(d.trips)::bigint FROM trips.daily_trip_counts AS d
              WHERE isfinite(d.day) AND d.trips > 0
                AND ($1 IS NULL OR d.day >= date '2000-01-01' + $1)
                AND ($2 IS NULL OR d.day <= date '2000-01-01' + $2)
              GROUP BY d.day",
            None,
            &[first.into(), last.into()],
        )?;
        let mut weeks = BTreeMap::new();
        for row in found {
            let week = trips_areas::week_of_day(row.get::<i32>(1)?.unwrap_or(0));
            *weeks.entry(week).or_default() += row.get::<i64>(2)?.unwrap_or(0);
        }
        Ok(weeks)
    })
}

/// The weeks that have trips, by the daily roll-up.
pub fn weeks_with_trips() -> Result<BTreeSet<i32>, LoadError> {
    Spi::connect(|client| {
        let days = client.select(
            "SELECT DISTINCT d.day - date '2000-01-01' FROM trips.daily_trip_counts AS d
              WHERE isfinite(d.day) AND d.trips > 0",
            None,
            &[],
        )?;
        days.map(|row| Ok(trips_areas::week_of_day(row.get::<i32>(1)?.unwrap_or(0)))).collect()
    })
}

/// Passes the grid points of all trips of a week, as the history has them.
pub fn grid_points_of_history(week: i32, mut each: impl FnMut(GridPoint)) {
    spi::query_in_batches(
        c"SELECT h.date_time, h.origin_coord, h.destination_coord FROM trips.hist_trip_data AS h
           WHERE h.date_time >= (date '2000-01-01' + $1)::timestamp
             AND h.date_time < (date '2000-01-01' + $1 + 7)::timestamp",
        &[trips_areas::first_day(week).into()],
        10_000,
        |row| {
            if let Some(time) = row.get::<PgTimestamp>(1) {
                let coord = |column| {
                    row.point(column).map(|(longitude, latitude)| Coord { longitude, latitude })
                };
                each(GridPoint::of(time.into(), coord(2), coord(3)));
            }
        },
    );
}

/// Appends segments through COPY.
fn append(segments: Vec<(i32, Segment)>, progress: Option<&Progress>) -> Result<(), LoadError> {
    let count = i64::try_from(segments.len()).unwrap_or(i64::MAX);
    let ids = Spi::connect_mut(|client| {
        let ids = client.update(
            Kept("SELECT nextval('trips_internal.area_segments_seq'::regclass) FROM generate_series(1, $1)"),
            None,
            &[count.into()],
        )?;
        ids.map(|row| Ok(row.get::<i64>(1)?.unwrap_or(0))).collect::<Result<Vec<_>, LoadError>>()
    })?;
    let (mut directory, mut pages) = (Vec::new(), Vec::new());
    for (id, (week, segment)) in ids.into_iter().zip(segments) {
        let trips = i64::try_from(segment.trips).unwrap_or(i64::MAX);
        let monday = trips_areas::first_day(week).to_be_bytes();
        directory.push(encoded(&[
            &id.to_be_bytes(),
            &monday,
            &trips.to_be_bytes(),
            &segment.directory,
        ]));
        for (number, page) in (id * PAGE_IDS..).zip(segment.pages) {
            pages.push(encoded(&[&number.to_be_bytes(), &page]));
        }
    }
    copy(c"trips_internal.area_pages", &[c"page_id", c"content"], pages, progress)?;
    copy(
        c"trips_internal.area_directory",
        &[c"segment_id", c"week", c"trips", c"directory"],
        directory,
        progress,
    )
}

/// A row as binary COPY writes it.
fn encoded(values: &[&[u8]]) -> Vec<u8> {
    let mut row = Vec::with_capacity(2 + values.iter().map(|value| 4 + value.len()).sum::<usize>());
    let mut writer = RowWriter::row(&mut row, values.len());
    for value in values {
        writer.value(value);
    }
    row
}

fn copy(
    table: &'static CStr,
    columns: &[&CStr],
    rows: Vec<Vec<u8>>,
    progress: Option<&Progress>,
) -> Result<(), LoadError> {
    let offered = rows.len() as u64;
    let mut rows = OwnedRows::of(rows.into_iter());
    let publish = &mut || progress.into_iter().for_each(Progress::publish);
    let taken = copy_rows(&Table::open_for_insert(table), columns, &mut rows, publish);
    LoadError::require_all(table.to_str().unwrap_or_default(), offered, taken)
}
