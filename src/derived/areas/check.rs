//! Whether the area index matches the history.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use pgrx::check_for_interrupts;
use trips_areas::{Directory, GridPoint};

use super::{BLOCK_IDS, places_of_history, weeks_with_trips};
use crate::error::LoadError;
use crate::pg::spi::{self, Snapshot};

/// What is wrong with a week.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It lacks trips: its week is counted from the history.
    Incomplete,
    /// Its bytes are not a directory or pages, or the directory does not match the pages.
    Damaged,
    /// It has as many trips as the history, but others.
    Other,
}

impl Fault {
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
    places: u64,
    sum: u64,
}

impl Sum {
    fn add(&mut self, place: &GridPoint) {
        let mut hasher = DefaultHasher::new();
        (place.kind, place.minute, place.at).hash(&mut hasher);
        self.places += 1;
        self.sum = self.sum.wrapping_add(hasher.finish());
    }
}

/// Compares all weeks with the history; reads all of it.
pub fn find() -> Result<Vec<(i32, Fault)>, LoadError> {
    let mut weeks = weeks_with_trips()?;
    let directory = directory();
    weeks.extend(directory.keys());
    let mut faults = Vec::new();
    for week in weeks {
        check_for_interrupts!();
        let groups = directory.get(&week).map(Vec::as_slice).unwrap_or_default();
        let mut history = Sum::default();
        places_of_history(week, |place| history.add(&place));
        let fault = match kept(groups) {
            None => Some(Fault::Damaged),
            Some(kept) if kept == history => None,
            Some(kept) if kept.places < history.places => Some(Fault::Incomplete),
            Some(_) => Some(Fault::Other),
        };
        faults.extend(fault.map(|fault| (week, fault)));
    }
    Ok(faults)
}

/// A segment: its number, its expected number of trips, its directory.
type Listed = (i64, u64, Vec<u8>);

fn directory() -> BTreeMap<i32, Vec<Listed>> {
    let mut weeks = BTreeMap::<i32, Vec<Listed>>::new();
    spi::query(
        c"SELECT d.week - date '2000-01-01', d.segment_id, d.trips, d.directory FROM trips_internal.area_directory AS d",
        &[], Snapshot::Active,
        |row| {
            let (Some(monday), Some(group)) = (row.get::<i32>(1), row.get::<i64>(2)) else { return };
            let trips = row.get::<i64>(3).and_then(|trips| u64::try_from(trips).ok()).unwrap_or(0);
            let bytes = row.bytes(4).unwrap_or_default().to_vec();
            weeks.entry(trips_areas::week_of_day(monday)).or_default().push((group, trips, bytes));
        },
    );
    weeks
}

/// The checksum over the pages of a week; None if something is damaged.
fn kept(groups: &[Listed]) -> Option<Sum> {
    let mut sum = Sum::default();
    for (group, trips, directory) in groups {
        let mut listed = Vec::new();
        let mut places = Vec::new();
        let mut is_sound = true;
        spi::query(
            c"SELECT b.content FROM trips_internal.area_pages AS b WHERE b.page_id BETWEEN $1 AND $2 ORDER BY b.page_id",
            &[(group * BLOCK_IDS).into(), (group * BLOCK_IDS + BLOCK_IDS - 1).into()], Snapshot::Active,
            |row| {
                places.clear();
                is_sound &= trips_areas::decode(row.bytes(1).unwrap_or_default(), &mut places).is_ok();
                trips_areas::write_entry(&places, &mut listed);
                places.iter().for_each(|place| sum.add(place));
            },
        );
        is_sound &= Directory::of(directory).is_ok() && listed == *directory;
        if !is_sound || trips_areas::trips(&listed) != *trips {
            return None;
        }
    }
    Some(sum)
}
