//! Trips in an area, by week.

use std::collections::{BTreeMap, BTreeSet};

use pgrx::datum::{DatumWithOid, Timestamp as PgTimestamp};
use trips_areas::{
    Area, AreaMatcher, Coord, Directory, Ends, Found, first_day, trips as trips_of, week_of_day,
};
use trips_core::model::timestamp::Timestamp;

use super::YEARS;
use crate::derived::areas::PAGE_IDS;
use crate::pg::own_settings::OwnSettings;
use crate::pg::relation::Table;
use crate::pg::spi::{self, Snapshot};
use crate::pg::{interrupts, session};

/// Pages that are read at a time, 4 MB.
const PAGES_AT_ONCE: usize = 512;
/// Minutes that are looked up in the history at a time.
const MINUTES_AT_ONCE: usize = 4096;
/// The last date that PostgreSQL has, in days since 2000-01-01.
const LAST_DAY: i32 = 2_145_031_948;
const MINUTES_PER_WEEK: i64 = 7 * 24 * 60;

/// A matcher about an area.
#[derive(Debug, Clone)]
pub struct AreaQuery {
    /// The area.
    pub area: Area,
    /// The ends that must be inside.
    pub ends: Ends,
    /// The first day, in days since 2000-01-01.
    pub since: Option<i32>,
    /// The last day.
    pub until: Option<i32>,
}

impl AreaQuery {
    /// The settings of this session that apply to its loads.
    fn days(&self, week: i32) -> (u8, u8) {
        let monday = first_day(week);
        let day = |date: i32| u8::try_from((date - monday).clamp(0, 6)).unwrap_or(0);
        (self.since.map_or(0, day), self.until.map_or(6, day))
    }
}

/// Trips of each week of the period, also 0. If a date of the period is missing, the week of the area's own first or
/// last trip replaces it.
pub fn weekly_counts(query: &AreaQuery) -> impl Iterator<Item = (i32, u64)> + use<> {
    let counts = count(query);
    let weeks = [query.since, query.until].map(|day| day.map(week_of_day));
    let own = counts.keys().next().zip(counts.keys().next_back());
    let (first, last) = match (weeks, own) {
        ([Some(first), Some(last)], _) => (first, last),
        ([first, last], Some((&own_first, &own_last))) => {
            (first.unwrap_or(own_first), last.unwrap_or(own_last))
        }
        // Its own trips may be in the week of the given date, before or after that date.
        ([first, last], None) => match first.xor(last) {
            Some(week) if has_trips(query, week) => (week, week),
            _ => (1, 0),
        },
    };
    (first..=last).map(move |week| (week, counts.get(&week).copied().unwrap_or(0)))
}

fn has_trips(query: &AreaQuery, week: i32) -> bool {
    let monday = first_day(week);
    let whole = AreaQuery { since: Some(monday), until: Some(monday + 6), ..query.clone() };
    !count(&whole).is_empty()
}

/// What a query finds out about a week.
#[derive(Default)]
struct WeekState {
    /// Trips in the daily roll-up.
    rolled_up: i64,
    /// Trips in the directory.
    in_segments: i64,
    segments: Vec<(i64, Vec<u8>)>,
    is_damaged: bool,
}

/// Trips of the weeks that have any.
fn count(query: &AreaQuery) -> BTreeMap<i32, u64> {
    if Table::find(c"hist_trip_data").is_some_and(session::has_row_security) {
        return count_visible(query);
    }
    let mut weeks = roll_up(query);
    read_directory(query, &mut weeks);
    let mut matcher = AreaMatcher::new(query.area.clone(), query.ends);
    let mut counts = BTreeMap::new();
    let mut blocks = BTreeMap::new();
    for (&week, state) in &mut weeks {
        if state.is_damaged || state.in_segments != state.rolled_up {
            state.is_damaged = true;
            continue;
        }
        for (segment, directory) in &state.segments {
            let seen =
                Directory::of(directory).and_then(|d| matcher.read_directory(d, query.days(week)));
            let Ok(Found { trips, pages: inside }) = seen else {
                state.is_damaged = true;
                break;
            };
            *counts.entry(week).or_default() += trips;
            let ids =
                inside.into_iter().map(|i| segment * PAGE_IDS + i64::try_from(i).unwrap_or(0));
            blocks.extend(ids.map(|id| (id, week)));
        }
    }
    let mut boundary = BTreeSet::new();
    count_pages(query, &mut matcher, blocks, &mut weeks, &mut counts, &mut boundary);
    recheck(query, &matcher, &boundary, &weeks, &mut counts);
    let damaged: Vec<i32> =
        weeks.iter().filter(|(_, state)| state.is_damaged).map(|(&week, _)| week).collect();
    for &week in &damaged {
        counts.remove(&week);
    }
    count_history(query, &damaged, &mut counts);
    counts.retain(|_, trips| *trips > 0);
    counts
}

/// A policy of the history does not apply to derived data: the query reads the history itself.
fn count_visible(query: &AreaQuery) -> BTreeMap<i32, u64> {
    let mut counts = BTreeMap::new();
    let first = query.since.unwrap_or(*YEARS.start());
    let last = query.until.unwrap_or(*YEARS.end());
    count_days(query, [first, last + 1], &mut counts);
    counts
}

/// The period in days, from the beginning of its first week to the end of its last.
fn period(query: &AreaQuery) -> [Option<i32>; 2] {
    let monday = |day| first_day(week_of_day(day));
    [query.since.map(monday), query.until.map(|day| (monday(day) + 6).min(LAST_DAY))]
}

/// The weeks that have trips, by the daily roll-up.
fn roll_up(query: &AreaQuery) -> BTreeMap<i32, WeekState> {
    let mut weeks = BTreeMap::new();
    let [from, to] = period(query);
    let each = |row: &spi::Row<'_>| {
        if let (Some(day), Some(trips)) = (row.get::<i32>(1), row.get::<i64>(2)) {
            weeks.entry(week_of_day(day)).or_insert_with(WeekState::default).rolled_up += trips;
        }
    };
    spi::query(
        c"SELECT d.day - date '2000-01-01', sum(d.trips)::bigint
            FROM trips.daily_trip_counts AS d
           WHERE isfinite(d.day)
             AND ($1 IS NULL OR d.day >= date '2000-01-01' + $1)
             AND ($2 IS NULL OR d.day <= date '2000-01-01' + $2)
           GROUP BY d.day",
        &[from.into(), to.into()],
        Snapshot::Active,
        each,
    );
    weeks.retain(|_, state: &mut WeekState| state.rolled_up > 0);
    weeks
}

fn read_directory(query: &AreaQuery, weeks: &mut BTreeMap<i32, WeekState>) {
    let [from, to] = period(query);
    let each = |row: &spi::Row<'_>| {
        let (Some(segment), Some(monday)) = (row.get::<i64>(1), row.get::<i32>(2)) else {
            return;
        };
        if let Some(state) = weeks.get_mut(&week_of_day(monday)) {
            let (trips, directory) = (row.get::<i64>(3).unwrap_or(0), row.bytes(4));
            let directory = directory.unwrap_or_default().to_vec();
            state.is_damaged |= u64::try_from(trips) != Ok(trips_of(&directory));
            state.in_segments += trips;
            state.segments.push((segment, directory));
        }
    };
    spi::query(
        c"SELECT d.segment_id, d.week - date '2000-01-01', d.trips, d.directory
            FROM trips_internal.area_directory AS d
           WHERE ($1 IS NULL OR d.week >= date '2000-01-01' + $1)
             AND ($2 IS NULL OR d.week <= date '2000-01-01' + $2)",
        &[from.into(), to.into()],
        Snapshot::Active,
        each,
    );
}

/// Decodes the pages on the area's edge. Minutes of boundary trips are counted from 2000-01-03.
fn count_pages(
    query: &AreaQuery,
    matcher: &mut AreaMatcher,
    blocks: BTreeMap<i64, i32>,
    weeks: &mut BTreeMap<i32, WeekState>,
    counts: &mut BTreeMap<i32, u64>,
    boundary: &mut BTreeSet<i64>,
) {
    let mut missing = blocks.clone();
    let ids: Vec<i64> = blocks.keys().copied().collect();
    let mut minutes = Vec::new();
    for ids in ids.chunks(PAGES_AT_ONCE) {
        interrupts::check();
        let each = |row: &spi::Row<'_>| {
            let id = row.get::<i64>(1).unwrap_or(0);
            let Some(&week) = blocks.get(&id) else { return };
            minutes.clear();
            let counted = matcher.count_page(
                row.bytes(2).unwrap_or_default(),
                query.days(week),
                &mut minutes,
            );
            if let Ok(trips) = counted {
                *counts.entry(week).or_default() += trips;
                let start = i64::from(week) * MINUTES_PER_WEEK;
                boundary.extend(minutes.iter().map(|&minute| start + i64::from(minute)));
                missing.remove(&id);
            }
        };
        let sql =
            c"SELECT b.page_id, b.content FROM trips_internal.area_pages AS b WHERE b.page_id = ANY ($1)";
        spi::query(sql, &[ids.to_vec().into()], Snapshot::Active, each);
    }
    for week in missing.values() {
        if let Some(state) = weeks.get_mut(week) {
            state.is_damaged = true;
        }
    }
}

/// Looks the boundary trips up in the history, by their minutes.
fn recheck(
    query: &AreaQuery,
    matcher: &AreaMatcher,
    boundary: &BTreeSet<i64>,
    weeks: &BTreeMap<i32, WeekState>,
    counts: &mut BTreeMap<i32, u64>,
) {
    let is_sound = |minute: &&i64| {
        let week = i32::try_from(minute.div_euclid(MINUTES_PER_WEEK)).unwrap_or(0);
        weeks.get(&week).is_some_and(|state| !state.is_damaged)
    };
    let minutes: Vec<f64> = boundary.iter().filter(is_sound).map(|&minute| minute as f64).collect();
    // The planner takes a minute for a ninth of all trips. It would read a large history once, and compare each trip with
    // all minutes. OFFSET 0 keeps it from making one join of the two queries: each minute is looked up, by the index.
    let _settings = OwnSettings::for_lookups();
    for minutes in minutes.chunks(MINUTES_AT_ONCE) {
        let each = |row: &spi::Row<'_>| {
            let Some(time) = row.get::<PgTimestamp>(1).map(|time| Timestamp(time.into())) else {
                return;
            };
            let day = time.day();
            let coord = |column| {
                row.point(column).map(|(longitude, latitude)| Coord { longitude, latitude })
            };
            let is_inside = query.since.is_none_or(|since| since <= day)
                && query.until.is_none_or(|until| day <= until);
            if is_inside && matcher.recheck(time.0, coord(2), coord(3)) {
                *counts.entry(week_of_day(day)).or_default() += 1;
            }
        };
        spi::query_in_batches(
            c"SELECT h.date_time, h.origin_coord, h.destination_coord
                FROM unnest($1) AS m (minute)
               CROSS JOIN LATERAL (
                     SELECT t.date_time, t.origin_coord, t.destination_coord
                       FROM trips.hist_trip_data AS t
                      WHERE t.date_time >= timestamp '2000-01-03' + m.minute * interval '1 minute'
                        AND t.date_time < timestamp '2000-01-03' + (m.minute + 1) * interval '1 minute'
                     OFFSET 0) AS h",
            &[minutes.to_vec().into()],
            10_000,
            each,
        );
    }
}

/// Counts weeks from the history itself.
fn count_history(query: &AreaQuery, weeks: &[i32], counts: &mut BTreeMap<i32, u64>) {
    // Consecutive weeks are one matcher.
    for weeks in weeks.chunk_by(|a, b| a + 1 == *b) {
        let (first, last) = (weeks[0], weeks[weeks.len() - 1]);
        let days = [
            first_day(first) + i32::from(query.days(first).0),
            first_day(last) + i32::from(query.days(last).1) + 1,
        ];
        count_days(query, days, counts);
    }
}

/// Counts trips of these days, the last one not inside, from the history itself.
fn count_days(query: &AreaQuery, days: [i32; 2], counts: &mut BTreeMap<i32, u64>) {
    let inside = |point: &str| {
        format!(
            "({point}[1] BETWEEN $4 AND $6 AND ({point}[0] BETWEEN $3 AND $5
               OR {point}[0] + 360 BETWEEN $3 AND $5 OR {point}[0] - 360 BETWEEN $3 AND $5)) IS TRUE"
        )
    };
    let (origin, destination) = (inside("h.origin_coord"), inside("h.destination_coord"));
    let condition = match query.ends {
        Ends::Origin => origin,
        Ends::Destination => destination,
        Ends::Both => format!("{origin} AND {destination}"),
        Ends::Either => format!("({origin} OR {destination})"),
    };
    let sql = format!(
        "SELECT h.date_time::date - date '2000-01-01', count(*)
           FROM trips.hist_trip_data AS h
          WHERE h.date_time >= (date '2000-01-01' + $1)::timestamp
            AND h.date_time < (date '2000-01-01' + $2)::timestamp
            AND {condition}
          GROUP BY 1"
    );
    let sql = std::ffi::CString::new(sql).unwrap_or_default();
    let [west, south, east, north] = query.area.corners();
    let arguments: [DatumWithOid<'_>; 6] =
        [days[0].into(), days[1].into(), west.into(), south.into(), east.into(), north.into()];
    let each = |row: &spi::Row<'_>| {
        if let (Some(day), Some(trips)) = (row.get::<i32>(1), row.get::<i64>(2)) {
            *counts.entry(week_of_day(day)).or_default() += u64::try_from(trips).unwrap_or(0);
        }
    };
    spi::query(&sql, &arguments, Snapshot::Active, each);
}
