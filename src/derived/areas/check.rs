//! Whether the area index matches the history.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use trips_areas::{Directory, GridPoint};

use super::{PAGE_IDS, grid_points_of_history, weeks_with_trips};
use crate::error::LoadError;
use crate::pg::interrupts;
use crate::pg::spi::{self, Snapshot};

/// What is wrong with a week.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckFailure {
    /// It lacks trips: its week is counted from the history.
    Incomplete,
    /// Its bytes are not a directory or pages, or the directory does not match the pages.
    Damaged,
    /// It has as many trips as the history, but others.
    Other,
}

impl CheckFailure {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Incomplete => "incomplete",
            Self::Damaged => "damaged",
            Self::Other => "not the trips of the history",
        }
    }
}

/// Number of grid points, and a checksum over them.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Sum {
    points: u64,
    sum: u64,
}

impl Sum {
    fn add(&mut self, point: &GridPoint) {
        let mut hasher = DefaultHasher::new();
        (point.kind, point.minute, point.at).hash(&mut hasher);
        self.points += 1;
        self.sum = self.sum.wrapping_add(hasher.finish());
    }
}

/// Compares all weeks with the history; reads all of it.
pub fn find() -> Result<Vec<(i32, CheckFailure)>, LoadError> {
    let mut weeks = weeks_with_trips()?;
    let directory = directory();
    weeks.extend(directory.keys());
    let mut failures = Vec::new();
    for week in weeks {
        interrupts::check();
        let segments = directory.get(&week).map(Vec::as_slice).unwrap_or_default();
        let mut history = Sum::default();
        grid_points_of_history(week, |point| history.add(&point));
        let failure = match kept(segments) {
            None => Some(CheckFailure::Damaged),
            Some(kept) if kept == history => None,
            Some(kept) if kept.points < history.points => Some(CheckFailure::Incomplete),
            Some(_) => Some(CheckFailure::Other),
        };
        failures.extend(failure.map(|failure| (week, failure)));
    }
    Ok(failures)
}

/// A segment: its number, its expected number of trips, its directory.
type Listed = (i64, u64, Vec<u8>);

fn directory() -> BTreeMap<i32, Vec<Listed>> {
    let mut weeks = BTreeMap::<i32, Vec<Listed>>::new();
    spi::query(
        c"SELECT d.week - date '2000-01-01', d.segment_id, d.trips, d.directory FROM trips_internal.area_directory AS d",
        &[], Snapshot::Active,
        |row| {
            let (Some(monday), Some(segment)) = (row.get::<i32>(1), row.get::<i64>(2)) else { return };
            let trips = row.get::<i64>(3).and_then(|trips| u64::try_from(trips).ok()).unwrap_or(0);
            let bytes = row.bytes(4).unwrap_or_default().to_vec();
            weeks.entry(trips_areas::week_of_day(monday)).or_default().push((segment, trips, bytes));
        },
    );
    weeks
}

/// The checksum over the pages of a week; None if something is damaged.
fn kept(segments: &[Listed]) -> Option<Sum> {
    let mut sum = Sum::default();
    for (segment, trips, directory) in segments {
        let mut listed = Vec::new();
        let mut points = Vec::new();
        let mut is_sound = true;
        spi::query(
            c"SELECT b.content FROM trips_internal.area_pages AS b WHERE b.page_id BETWEEN $1 AND $2 ORDER BY b.page_id",
            &[(segment * PAGE_IDS).into(), (segment * PAGE_IDS + PAGE_IDS - 1).into()], Snapshot::Active,
            |row| {
                points.clear();
                is_sound &= trips_areas::decode(row.bytes(1).unwrap_or_default(), &mut points).is_ok();
                trips_areas::write_entry(&points, &mut listed);
                points.iter().for_each(|point| sum.add(point));
            },
        );
        is_sound &= Directory::of(directory).is_ok() && listed == *directory;
        if !is_sound || trips_areas::trips(&listed) != *trips {
            return None;
        }
    }
    Some(sum)
}
