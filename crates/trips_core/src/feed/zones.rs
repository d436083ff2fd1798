//! Named places of feeds without coordinates: taxi zones and stations.
//!
//! A load takes an immutable snapshot of them before its threads start, so all of its trips have the same places.

use std::collections::HashMap;
use std::sync::Arc;

use thiserror::Error;

use crate::model::point::Point;

/// The set of New York's taxi zones.
pub const NYC_TAXI_ZONES: &str = "nyc_taxi_zones";
/// The most rows of a snapshot: each takes about a hundred bytes of every load.
pub const MAX_ROWS: usize = 1_000_000;
/// The most sets of a snapshot.
const MAX_SETS: usize = 1000;
/// Ids of digits under this number are found without a hash.
const DIRECT: usize = 4096;

/// A set of a snapshot. Another snapshot may have another number for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ZoneSetId(u16);

/// A row of the table of zones.
#[derive(Debug, Clone, PartialEq)]
pub struct ZoneRow {
    /// Its id in canonical form.
    pub id: String,
    /// The first year in which it is valid; None: always.
    pub valid_from: Option<i32>,
    /// The last year in which it is valid; None: always.
    pub valid_to: Option<i32>,
    /// Its name.
    pub name: Option<String>,
    /// The region in which it is.
    pub region: Option<String>,
    /// Its place, if that is known.
    pub point: Option<Point>,
}

/// What is known of a zone in a year.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Zone<'z> {
    /// The region in which it is.
    pub region: Option<&'z str>,
    /// Its place.
    pub point: Option<Point>,
}

/// Why there is no snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum TooManyZones {
    /// There are more than [`MAX_ROWS`] rows.
    #[error("there are more than {MAX_ROWS} zones")]
    Rows,
    /// There are too many sets.
    #[error("there are more than {MAX_SETS} sets of zones")]
    Sets,
}

/// A snapshot of the zones.
///
/// ```
/// use trips_core::feed::zones::{Zones, ZoneRow};
/// let mut zones = Zones::builder();
/// let row = |id: &str, year, region: &str| ZoneRow {
///     id: id.into(), valid_from: year, valid_to: year, name: None, region: Some(region.into()), point: None,
/// };
/// zones.add("bixi", row("6001", Some(2019), "Rosemont")).unwrap();
/// zones.add("bixi", row("6001", Some(2020), "Verdun")).unwrap();
/// let zones = zones.build();
/// let bixi = zones.set("bixi").unwrap();
/// assert_eq!(zones.get(bixi, b"6001", 2020).unwrap().region, Some("Verdun"));
/// assert_eq!(zones.get(bixi, b"6001", 2021), None);
/// ```
#[derive(Debug, Default, Clone)]
pub struct Zones {
    sets: HashMap<Box<str>, ZoneSetId>,
    by_id: Vec<ZoneSet>,
}

#[derive(Debug, Default, Clone)]
struct ZoneSet {
    /// The position in `zones` of an id of digits, plus one; 0 is none.
    direct: Vec<u32>,
    others: HashMap<Box<[u8]>, u32>,
    /// The versions of each id, the latest first.
    zones: Vec<Vec<Version>>,
}

/// A zone in some years.
#[derive(Debug, Clone)]
struct Version {
    from: i32,
    to: i32,
    region: Option<Arc<str>>,
    point: Option<Point>,
}

/// Collects the rows of a snapshot.
#[derive(Debug, Default)]
pub struct ZonesBuilder {
    zones: Zones,
    regions: HashMap<Box<str>, Arc<str>>,
    rows: usize,
}

impl Zones {
    /// A builder of a snapshot.
    #[must_use]
    pub fn builder() -> ZonesBuilder {
        ZonesBuilder::default()
    }

    /// A builder of a snapshot that has these zones, and more.
    #[must_use]
    pub fn to_builder(&self) -> ZonesBuilder {
        let rows = self.by_id.iter().flat_map(|set| &set.zones).map(Vec::len).sum();
        ZonesBuilder { zones: self.clone(), rows, ..ZonesBuilder::default() }
    }

    /// A snapshot of the built-in zones.
    ///
    /// # Panics
    /// Never in a released build: a test reads the zones.
    #[must_use]
    pub fn builtin() -> Arc<Self> {
        let mut builder = Self::builder();
        for row in nyc_taxi_zones() {
            builder.add(NYC_TAXI_ZONES, row).expect("a few hundred zones");
        }
        builder.build()
    }

    /// The set with this name, if it has a row.
    #[must_use]
    pub fn set(&self, name: &str) -> Option<ZoneSetId> {
        self.sets.get(name).copied()
    }

    /// The zone with this id in a year. Of several that are valid, it is the one that is valid from the latest year.
    #[must_use]
    pub fn get(&self, set: ZoneSetId, id: &[u8], year: i32) -> Option<Zone<'_>> {
        let set = self.by_id.get(usize::from(set.0))?;
        let versions = set.zones.get(set.position(id)?)?;
        let version = versions.iter().find(|it| it.from <= year && year <= it.to)?;
        Some(Zone { region: version.region.as_deref(), point: version.point })
    }
}

impl ZoneSet {
    #[inline]
    fn position(&self, id: &[u8]) -> Option<usize> {
        let position = match direct(id) {
            Some(number) => self.direct.get(number)?.checked_sub(1)?,
            None => *self.others.get(id)?,
        };
        usize::try_from(position).ok()
    }

    fn add(&mut self, id: &[u8], version: Version) {
        if let Some(position) = self.position(id) {
            let versions = &mut self.zones[position];
            let before = |it: &Version| (it.from, it.to) > (version.from, version.to);
            let at = versions.partition_point(before);
            // A row of the same years replaces the one before it.
            match versions.get_mut(at) {
                Some(same) if (same.from, same.to) == (version.from, version.to) => *same = version,
                _ => versions.insert(at, version),
            }
            return;
        }
        let position = u32::try_from(self.zones.len()).expect("under the limit of rows");
        self.zones.push(vec![version]);
        match direct(id) {
            Some(number) => {
                if self.direct.len() <= number {
                    self.direct.resize(number + 1, 0);
                }
                self.direct[number] = position + 1;
            }
            None => {
                self.others.insert(id.into(), position);
            }
        }
    }
}

/// The number that an id is, if it is found without a hash: up to four digits without leading zeros.
#[inline]
fn direct(id: &[u8]) -> Option<usize> {
    let is_number = match id {
        [b'0'] => true,
        [b'1'..=b'9', rest @ ..] => rest.len() < 4 && rest.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    let digit = |sum: usize, byte: &u8| sum * 10 + usize::from(byte - b'0');
    is_number.then(|| id.iter().fold(0, digit)).filter(|number| *number < DIRECT)
}

impl ZonesBuilder {
    /// Adds a row of a set. It replaces a row with the same id and the same years.
    ///
    /// # Errors
    /// When there are too many rows or sets.
    pub fn add(&mut self, set: &str, row: ZoneRow) -> Result<(), TooManyZones> {
        if self.rows == MAX_ROWS {
            return Err(TooManyZones::Rows);
        }
        let at = match self.zones.set(set) {
            Some(ZoneSetId(at)) => usize::from(at),
            None if self.zones.by_id.len() == MAX_SETS => return Err(TooManyZones::Sets),
            None => {
                let at = self.zones.by_id.len();
                let number = u16::try_from(at).map_err(|_| TooManyZones::Sets)?;
                self.zones.sets.insert(set.into(), ZoneSetId(number));
                self.zones.by_id.push(ZoneSet::default());
                at
            }
        };
        self.rows += 1;
        let ZoneRow { id, valid_from, valid_to, region, point, .. } = row;
        let (from, to) = (valid_from.unwrap_or(i32::MIN), valid_to.unwrap_or(i32::MAX));
        let region = region.map(|region| self.shared(&region));
        self.zones.by_id[at].add(id.as_bytes(), Version { from, to, region, point });
        Ok(())
    }

    /// Many zones are in one region.
    fn shared(&mut self, region: &str) -> Arc<str> {
        if let Some(shared) = self.regions.get(region) {
            return shared.clone();
        }
        let shared: Arc<str> = region.into();
        self.regions.insert(region.into(), shared.clone());
        shared
    }

    /// The snapshot.
    #[must_use]
    pub fn build(self) -> Arc<Zones> {
        Arc::new(self.zones)
    }
}

/// The taxi zones of New York with their boroughs. The points are computed for this project from the city's polygons.
/// Zones 264 (unknown) and 265 (outside of the city) have no place and are not among them.
///
/// # Panics
/// Never in a released build: a test reads the zones.
#[must_use]
pub fn nyc_taxi_zones() -> Vec<ZoneRow> {
    let mut reader =
        csv::Reader::from_reader(include_bytes!("builtin/nyc_taxi_zones.csv").as_slice());
    let row = |zone: Result<BuiltinZone, csv::Error>| {
        let BuiltinZone { zone_id, zone, borough, longitude, latitude } =
            zone.expect("a row of the built-in zones");
        let point = Point::new(longitude, latitude).expect("a point of the built-in zones");
        ZoneRow {
            id: zone_id,
            valid_from: None,
            valid_to: None,
            name: Some(zone),
            region: Some(borough),
            point: Some(point),
        }
    };
    reader.deserialize().map(row).collect()
}

#[derive(serde::Deserialize)]
struct BuiltinZone {
    zone_id: String,
    zone: String,
    borough: String,
    longitude: f64,
    latitude: f64,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn row(id: &str, years: (Option<i32>, Option<i32>), region: &str) -> ZoneRow {
        let (valid_from, valid_to) = years;
        let region = Some(region.to_owned());
        ZoneRow { id: id.to_owned(), valid_from, valid_to, name: None, region, point: None }
    }

    #[test]
    fn taxi_zones_of_new_york() {
        let rows = nyc_taxi_zones();
        assert_eq!(rows.len(), 263);
        let zones = Zones::builtin();
        let nyc = zones.set(NYC_TAXI_ZONES).unwrap();
        for row in &rows {
            let zone = zones.get(nyc, row.id.as_bytes(), 2019).unwrap();
            assert_eq!((zone.region, zone.point), (row.region.as_deref(), row.point));
            let Point { longitude, latitude } = row.point.unwrap();
            assert!((-74.3..-73.6).contains(&longitude) && (40.4..41.0).contains(&latitude));
        }
        let newark = zones.get(nyc, b"1", 2009).unwrap();
        assert_eq!((newark.region, newark.point.unwrap().longitude), (Some("EWR"), -74.174_002));
        for id in ["0", "264", "265", "01", "1.0", "", "x", "4096", "99999"] {
            assert_eq!(zones.get(nyc, id.as_bytes(), 2019), None, "{id}");
        }
        assert_eq!(zones.set("divvy"), None);
    }

    #[test]
    fn the_latest_valid_row_is_taken() {
        let mut zones = Zones::builder();
        for (years, region) in [
            ((None, None), "always"),
            ((Some(2019), Some(2019)), "2019"),
            ((Some(2018), Some(2020)), "2018-20"),
            ((Some(2020), None), "from 2020"),
            ((None, Some(1999)), "to 1999"),
            ((Some(2019), Some(2019)), "2019 again"),
        ] {
            zones.add("s", row("A1", years, region)).unwrap();
        }
        let zones = zones.build();
        let set = zones.set("s").unwrap();
        for (year, region) in [
            (1990, "always"),
            (2017, "always"),
            (2018, "2018-20"),
            (2019, "2019 again"),
            (2020, "from 2020"),
            (2099, "from 2020"),
        ] {
            assert_eq!(zones.get(set, b"A1", year).unwrap().region, Some(region), "{year}");
        }
    }

    #[test]
    fn too_many_sets_are_an_error() {
        let mut zones = Zones::builder();
        for set in 0..MAX_SETS {
            zones.add(&set.to_string(), row("1", (None, None), "r")).unwrap();
        }
        assert_eq!(zones.add("one more", row("1", (None, None), "r")), Err(TooManyZones::Sets));
        assert_eq!(zones.add("0", row("2", (None, None), "r")), Ok(()));
        zones.rows = MAX_ROWS;
        assert_eq!(zones.add("0", row("3", (None, None), "r")), Err(TooManyZones::Rows));
    }

    proptest! {
        #[test]
        fn every_row_is_found_and_nothing_else(
            ids in proptest::collection::hash_set("[0-9]{1,6}|[A-Z0-9. ]{0,4}", 0..60),
            others in proptest::collection::vec("[0-9]{1,6}|[A-Z0-9. ]{0,4}", 0..60),
        ) {
            let mut zones = Zones::builder();
            for id in &ids {
                zones.add("s", row(id, (None, None), id)).unwrap();
            }
            let zones = zones.build();
            let Some(set) = zones.set("s") else { return Ok(()) };
            for id in ids.iter().chain(&others) {
                let region = zones.get(set, id.as_bytes(), 2020).map(|zone| zone.region.unwrap());
                prop_assert_eq!(region, ids.contains(id).then_some(id.as_str()));
            }
        }
    }
}
