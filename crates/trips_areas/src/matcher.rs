//! An area query: how many trips of a week begin or end in the area.

use super::area::{Area, Windows};
use super::coord::Coord;
use super::grid::{GridPoint, PointKind};
use super::page::{Corrupt, Numbers};
use super::segment::{Directory, PageEntry};

/// The ends that must be inside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ends {
    /// The origin.
    Origin,
    /// The destination.
    Destination,
    /// Both of them.
    Both,
    /// One of them, or both.
    Either,
}

impl Ends {
    /// The words for them, in the order of the enumeration.
    pub const WORDS: [&'static str; 4] = ["origin", "destination", "both", "either"];

    /// The meaning of this word; None for others.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        let all = [Self::Origin, Self::Destination, Self::Both, Self::Either];
        Self::WORDS.iter().position(|&known| known == word).map(|i| all[i])
    }

    fn of<T>(self, [origin, destination]: [T; 2], both: fn(T, T) -> T, either: fn(T, T) -> T) -> T {
        match self {
            Self::Origin => origin,
            Self::Destination => destination,
            Self::Both => both(origin, destination),
            Self::Either => either(origin, destination),
        }
    }
}

/// The decision about a page or a point, by its bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Not inside.
    No,
    /// Undecided: it must be checked more closely.
    Perhaps,
    /// Inside.
    Yes,
}

/// The result for a segment.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Found {
    /// Trips that are inside.
    pub trips: u64,
    /// The pages to decode, as ranges of points in the segment.
    pub pages: Vec<usize>,
}

/// The conditions of a query, the same for every week.
#[derive(Debug)]
pub struct AreaMatcher {
    area: Area,
    ends: Ends,
    /// For the exact grid, and for the other one.
    windows: [Vec<Windows>; 2],
    numbers: Numbers,
}

impl AreaMatcher {
    /// Number of trips with these ends in the area.
    #[must_use]
    pub fn new(area: Area, ends: Ends) -> Self {
        let windows = [area.windows(true), area.windows(false)];
        Self { area, ends, windows, numbers: Numbers::default() }
    }

    /// The area.
    #[must_use]
    pub fn area(&self) -> &Area {
        &self.area
    }

    fn windows_of(&self, kind: PointKind) -> &[Windows] {
        &self.windows[usize::from(!kind.is_exact())]
    }

    /// The result for the directory of a segment, for the trips on these days of the week (0 is Monday; both inside).
    ///
    /// # Errors
    /// When the directory is damaged.
    pub fn read_directory(
        &self,
        directory: Directory<'_>,
        days: (u8, u8),
    ) -> Result<Found, Corrupt> {
        let mut found = Found::default();
        for (i, entry) in directory.entries().enumerate() {
            let entry = entry?;
            match self.of_entry(&entry).min(of_days(entry.days, days)) {
                Verdict::No => {}
                Verdict::Perhaps => found.pages.push(i),
                Verdict::Yes => found.trips += u64::from(entry.trips),
            }
        }
        Ok(found)
    }

    fn of_entry(&self, entry: &PageEntry) -> Verdict {
        let windows = self.windows_of(entry.kind);
        let [origin, destination] = entry.kind.ends();
        let verdict = |is_known: bool, bounds| {
            if !is_known || !windows.iter().any(|w| w.possible.overlaps(bounds)) {
                Verdict::No
            } else if windows.iter().any(|w| w.certain.has_all(bounds)) {
                Verdict::Yes
            } else {
                Verdict::Perhaps
            }
        };
        let ends = [verdict(origin, entry.bounds[0]), verdict(destination, entry.bounds[1])];
        self.ends.of(ends, Verdict::min, Verdict::max)
    }

    /// Counts the trips of a page on these days of the week. The minutes of boundary trips are added to
    /// `boundary`, once for each trip.
    ///
    /// # Errors
    /// When the page is damaged.
    pub fn count_page(
        &mut self,
        page: &[u8],
        days: (u8, u8),
        boundary: &mut Vec<u16>,
    ) -> Result<u64, Corrupt> {
        let mut numbers = std::mem::take(&mut self.numbers);
        let [origin, destination] = match self.ends {
            Ends::Origin => [true, false],
            Ends::Destination => [false, true],
            Ends::Both | Ends::Either => [true; 2],
        };
        // Minutes are needed for days and for boundary trips: most pages are decoded without them.
        let has_all_days = days == (0, 6);
        let wanted = [origin, origin, destination, destination, !has_all_days];
        let kind = numbers.read(page, wanted)?;
        let [certain, possible] = self.inside(kind, &numbers);
        let mut trips = certain.iter().filter(|&&is_certain| is_certain).count() as u64;
        if certain != possible || !has_all_days {
            if has_all_days {
                numbers.read(page, [false, false, false, false, true])?;
            }
            let (first, last) = (u32::from(days.0) * 1440, (u32::from(days.1) + 1) * 1440);
            trips = 0;
            for ((&minute, certain), possible) in
                numbers.columns[4].iter().zip(certain).zip(possible)
            {
                let is_asked = minute >= first && minute < last;
                trips += u64::from(certain & is_asked);
                if possible & !certain & is_asked {
                    boundary.push(u16::try_from(minute).unwrap_or(u16::MAX));
                }
            }
        }
        self.numbers = numbers;
        Ok(trips)
    }

    /// For each trip of a page: whether it is certainly inside, and whether it may be.
    fn inside(&self, kind: PointKind, numbers: &Numbers) -> [Vec<bool>; 2] {
        let windows = self.windows_of(kind);
        let of_end = |end: usize| {
            let mut inside = [vec![false; numbers.count], vec![false; numbers.count]];
            if kind.ends()[end] {
                let longitudes = &numbers.columns[2 * end];
                let latitudes = &numbers.columns[2 * end + 1];
                for w in windows {
                    for (inside, window) in inside.iter_mut().zip([w.certain, w.possible]) {
                        let points = longitudes.iter().zip(latitudes);
                        for (inside, (&x, &y)) in inside.iter_mut().zip(points) {
                            *inside |= window.has(x, y);
                        }
                    }
                }
            }
            inside
        };
        let combine = |join: fn(bool, bool) -> bool| {
            let [mut first, second] = [of_end(0), of_end(1)];
            for (first, second) in first.iter_mut().zip(second) {
                for (a, b) in first.iter_mut().zip(second) {
                    *a = join(*a, b);
                }
            }
            first
        };
        match self.ends {
            Ends::Origin => of_end(0),
            Ends::Destination => of_end(1),
            Ends::Both => combine(|a, b| a & b),
            Ends::Either => combine(|a, b| a | b),
        }
    }

    /// Whether a trip of the history is a boundary trip, and inside.
    #[must_use]
    pub fn recheck(&self, micros: i64, origin: Option<Coord>, destination: Option<Coord>) -> bool {
        let point = GridPoint::of(micros, origin, destination);
        self.of_point(&point) == Verdict::Perhaps && self.has(origin, destination)
    }

    /// Whether a trip is inside, by its stored coordinates.
    #[must_use]
    pub fn has(&self, origin: Option<Coord>, destination: Option<Coord>) -> bool {
        let ends = [origin, destination].map(|end| end.is_some_and(|point| self.area.has(point)));
        self.ends.of(ends, |a, b| a && b, |a, b| a || b)
    }

    /// The decision about a point, by its grid numbers.
    #[must_use]
    pub fn of_point(&self, point: &GridPoint) -> Verdict {
        let windows = self.windows_of(point.kind);
        let of_end = |end: usize| {
            let (x, y) = (point.at[2 * end], point.at[2 * end + 1]);
            if !point.kind.ends()[end] || !windows.iter().any(|w| w.possible.has(x, y)) {
                Verdict::No
            } else if windows.iter().any(|w| w.certain.has(x, y)) {
                Verdict::Yes
            } else {
                Verdict::Perhaps
            }
        };
        self.ends.of([of_end(0), of_end(1)], Verdict::min, Verdict::max)
    }
}

fn of_days(found: (u8, u8), asked: (u8, u8)) -> Verdict {
    if found.1 < asked.0 || asked.1 < found.0 {
        Verdict::No
    } else if asked.0 <= found.0 && found.1 <= asked.1 {
        Verdict::Yes
    } else {
        Verdict::Perhaps
    }
}
