//! The counts of some days: by cell of the origin, by cell of the destination, by hour of the week.

use std::collections::HashMap;

use trips_core::model::point::Point;
use trips_h3::{Cell, Resolution};
use trips_libpq::Row;

/// The finest cells that are kept: about 0.7 square kilometers. [`COUNT`] has it, too.
pub const FINEST: i32 = 8;
/// Hours of a week.
pub const HOURS: usize = 7 * 24;

/// One pass over the trips of some days. `kind` says what a row counts. A time is the number of its hour since
/// 2000-01-03, a Monday.
pub const COUNT: &str = "
SELECT g.kind, g.region, g.datasource,
       CASE g.kind WHEN 3 THEN g.origin WHEN 5 THEN g.destination
            ELSE (EXTRACT(epoch FROM g.hour - timestamp '2000-01-03') / 3600)::bigint END,
       g.trips
  FROM (SELECT GROUPING(t.origin, t.destination, t.hour) AS kind, t.region, t.datasource, t.origin, t.destination,
               t.hour, count(*) AS trips
          FROM (SELECT h.region, h.datasource,
                       trips.h3_number(h.origin_coord, 8) AS origin,
                       trips.h3_number(h.destination_coord, 8) AS destination,
                       date_bin('1 hour', h.date_time, timestamp '2000-01-03') AS hour
                  FROM trips.hist_trip_data AS h
                 WHERE h.date_time >= $1::date::timestamp AND h.date_time < ($2::date + 1)::timestamp) AS t
         GROUP BY GROUPING SETS ((t.region, t.datasource, t.origin), (t.region, t.datasource, t.destination),
                                 (t.region, t.datasource, t.hour))) AS g
 WHERE g.kind = 6 OR coalesce(g.origin, g.destination) IS NOT NULL";

/// Which end of a trip.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    Origin,
    Destination,
}

/// Which trips of a slice.
#[derive(Debug, Default, Clone)]
pub struct Wanted {
    pub region: Option<String>,
    pub datasource: Option<String>,
}

/// Trips in a cell.
struct InCell {
    group: u32,
    trips: u32,
    cell: i64,
}

/// The counts of some days.
#[derive(Default)]
pub struct Slice {
    /// What the database said of these days when they were counted.
    pub version: String,
    /// Regions and datasources.
    groups: Vec<(String, Option<String>)>,
    origins: Vec<InCell>,
    destinations: Vec<InCell>,
    /// Trips of each group by hour of the week.
    hours: Vec<[u32; HOURS]>,
    resolution: i32,
}

/// A slice while its rows come.
#[derive(Default)]
pub struct Builder {
    slice: Slice,
    groups: HashMap<String, HashMap<Option<String>, u32>>,
}

impl Builder {
    /// Adds a row of [`COUNT`].
    pub fn add(&mut self, row: Row) {
        let mut row = row.into_iter();
        let mut next = || row.next().flatten();
        let (kind, region, datasource, place, trips) = (next(), next(), next(), next(), next());
        let number = |text: Option<String>| text.and_then(|text| text.parse().ok()).unwrap_or(0);
        let (place, trips) = (number(place), u32::try_from(number(trips)).unwrap_or(u32::MAX));
        let group = self.group(region.unwrap_or_default(), datasource);
        match kind.as_deref() {
            Some("3") => self.slice.origins.push(InCell { group, trips, cell: place }),
            Some("5") => self.slice.destinations.push(InCell { group, trips, cell: place }),
            _ => {
                let hour = usize::try_from(place.rem_euclid(168)).unwrap_or(0);
                let hour = &mut self.slice.hours[group as usize][hour];
                *hour = hour.saturating_add(trips);
            }
        }
    }

    fn group(&mut self, region: String, datasource: Option<String>) -> u32 {
        let slice = &mut self.slice;
        let datasources = self.groups.entry(region.clone()).or_default();
        *datasources.entry(datasource.clone()).or_insert_with(|| {
            slice.groups.push((region, datasource));
            slice.hours.push([0; HOURS]);
            u32::try_from(slice.groups.len() - 1).unwrap_or(u32::MAX)
        })
    }

    /// The counts of all rows.
    pub fn finish(self, version: String) -> Slice {
        let mut slice = Slice { version, resolution: FINEST, ..self.slice };
        slice.origins.shrink_to_fit();
        slice.destinations.shrink_to_fit();
        slice
    }
}

impl Slice {
    /// The same with larger cells.
    pub fn coarser(&self) -> Self {
        let resolution = self.resolution - 1;
        Self {
            version: self.version.clone(),
            groups: self.groups.clone(),
            origins: merged(&self.origins, resolution),
            destinations: merged(&self.destinations, resolution),
            hours: self.hours.clone(),
            resolution,
        }
    }

    /// Bytes that it takes.
    pub fn size(&self) -> usize {
        let names: usize = self
            .groups
            .iter()
            .map(|(region, datasource)| {
                region.len() + datasource.as_ref().map_or(0, String::len) + 64
            })
            .sum();
        (self.origins.len() + self.destinations.len()) * size_of::<InCell>()
            + self.hours.len() * size_of::<[u32; HOURS]>()
            + names
    }

    /// The finest resolution of its cells.
    pub fn resolution(&self) -> i32 {
        self.resolution
    }

    fn is_wanted(&self, wanted: &Wanted) -> Vec<bool> {
        let is_wanted = |(region, datasource): &(String, Option<String>)| {
            wanted.region.as_ref().is_none_or(|wanted| wanted == region)
                && wanted
                    .datasource
                    .as_ref()
                    .is_none_or(|wanted| Some(wanted) == datasource.as_ref())
        };
        self.groups.iter().map(is_wanted).collect()
    }

    /// Adds its trips by cells of a resolution.
    pub fn add_cells(
        &self,
        end: End,
        wanted: &Wanted,
        resolution: i32,
        to: &mut HashMap<i64, u64>,
    ) {
        let is_wanted = self.is_wanted(wanted);
        let cells = match end {
            End::Origin => &self.origins,
            End::Destination => &self.destinations,
        };
        for cell in cells.iter().filter(|cell| is_wanted[cell.group as usize]) {
            *to.entry(ancestor(cell.cell, resolution)).or_default() += u64::from(cell.trips);
        }
    }

    /// Adds its trips by hours of the week, from Monday.
    pub fn add_hours(&self, wanted: &Wanted, to: &mut [u64; HOURS]) {
        let is_wanted = self.is_wanted(wanted);
        for (hours, _) in self.hours.iter().zip(is_wanted).filter(|(_, is_wanted)| *is_wanted) {
            hours.iter().zip(to.iter_mut()).for_each(|(hour, sum)| *sum += u64::from(*hour));
        }
    }
}

fn merged(cells: &[InCell], resolution: i32) -> Vec<InCell> {
    let mut sums: HashMap<(u32, i64), u32> = HashMap::with_capacity(cells.len() / 4);
    for InCell { group, trips, cell } in cells {
        let sum = sums.entry((*group, ancestor(*cell, resolution))).or_default();
        *sum = sum.saturating_add(*trips);
    }
    sums.into_iter().map(|((group, cell), trips)| InCell { group, trips, cell }).collect()
}

fn ancestor(cell: i64, resolution: i32) -> i64 {
    let found = Cell::from_number(cell).zip(Resolution::try_from(resolution).ok());
    found.map_or(cell, |(cell, resolution)| cell.ancestor(resolution).number())
}

/// A rectangle of the map; with west greater than east, one across the antimeridian.
#[derive(Debug, Clone, Copy)]
pub struct Window {
    pub west: f64,
    pub south: f64,
    pub east: f64,
    pub north: f64,
}

impl Window {
    /// Whether a point is inside.
    pub fn has(&self, point: Point) -> bool {
        let Point { longitude, latitude } = point;
        let is_between = if self.west <= self.east {
            longitude >= self.west && longitude <= self.east
        } else {
            longitude >= self.west || longitude <= self.east
        };
        is_between && latitude >= self.south && latitude <= self.north
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(kind: &str, region: &str, datasource: Option<&str>, place: i64, trips: u64) -> Row {
        vec![
            Some(kind.into()),
            Some(region.into()),
            datasource.map(Into::into),
            Some(place.to_string()),
            Some(trips.to_string()),
        ]
    }

    #[test]
    fn counts_by_cell_and_by_hour() {
        let fine = Resolution::try_from(FINEST).unwrap();
        let cell = Cell::of(Point { longitude: 14.4, latitude: 50.1 }, fine).unwrap();
        let rows = vec![
            row("3", "a", Some("x"), cell.number(), 5),
            row("3", "b", None, cell.number(), 2),
            row("5", "a", Some("x"), cell.number(), 5),
            // Tuesday, 2 o'clock, and a week later; an hour before Monday.
            row("6", "a", Some("x"), 26, 4),
            row("6", "a", Some("x"), 26 + 168, 1),
            row("6", "b", None, -1, 2),
        ];
        let mut builder = Builder::default();
        rows.into_iter().for_each(|row| builder.add(row));
        let slice = builder.finish("v".into());
        assert_eq!(slice.resolution(), FINEST);
        let cells = |wanted: &Wanted, resolution| {
            let mut found = HashMap::new();
            slice.add_cells(End::Origin, wanted, resolution, &mut found);
            found
        };
        let of_a = Wanted { region: Some("a".into()), datasource: None };
        assert_eq!(cells(&Wanted::default(), FINEST), HashMap::from([(cell.number(), 7)]));
        assert_eq!(cells(&of_a, FINEST), HashMap::from([(cell.number(), 5)]));
        let coarse = cell.ancestor(Resolution::try_from(5).unwrap());
        assert_eq!(cells(&of_a, 5), HashMap::from([(coarse.number(), 5)]));
        let mut hours = [0; HOURS];
        slice.add_hours(&Wanted::default(), &mut hours);
        assert_eq!((hours[26], hours[167], hours.iter().sum::<u64>()), (5, 2, 7));
        let mut hours = [0; HOURS];
        slice.add_hours(&Wanted { region: None, datasource: Some("x".into()) }, &mut hours);
        assert_eq!((hours[26], hours[167]), (5, 0));
    }

    #[test]
    fn windows_cross_the_antimeridian() {
        let window = Window { west: 170.0, south: -10.0, east: -170.0, north: 10.0 };
        assert!(window.has(Point { longitude: -175.0, latitude: 0.0 }));
        assert!(!window.has(Point { longitude: 0.0, latitude: 0.0 }));
    }
}
