//! The members of a definition that name its columns.

use std::collections::HashMap;

use super::check::is_text;
use super::name::fold;
use super::parse::{MAX_COLUMNS, spellings_of, word};
use super::reader::{Errors, Members, Node};
use super::{
    Area, BoundingBox, Column, ColumnId, EndedAt, IdentityColumn, IdentityRule, LinePoint, Place,
    RawLine, Required, StationColumns, TimeRule, TripEnd, Unproved, ValueSource, Zero,
};
use crate::key::SameId;
use crate::model::time_form::TimeKind;
use crate::model::zone::TimeZone;

const TIME: Members = Members {
    names: &["columns", "forms", "kind", "zone", "hour_24", "unproved"],
    expected: "columns, forms, kind, zone, hour_24 or unproved",
};
const ENDED_AT: Members = Members {
    names: &["columns", "points", "seconds"],
    expected: "columns, or points and seconds",
};
const AREA: Members = Members {
    names: &["region", "datasource", "zone", "box"],
    expected: "region, datasource, zone or box",
};
const CONTENT: Members = Members { names: &["scheme"], expected: "scheme alone" };
const BY_COLUMNS: Members = Members {
    names: &["scheme", "columns", "namespace", "occurrence"],
    expected: "scheme, columns, namespace or occurrence",
};
const BY_SOURCE_ID: Members = Members {
    names: &["scheme", "columns", "namespace", "window_days", "policy"],
    expected: "scheme, columns, namespace, window_days or policy",
};
const STATIONS: Members = Members {
    names: &["id", "name", "longitude", "latitude", "lat_lon", "wkt", "valid"],
    expected: "id, name, longitude, latitude, lat_lon, wkt or valid",
};
const PLACE: Members = Members {
    names: &["longitude", "latitude", "wkt", "lat_lon", "geojson", "point", "zone_set", "id"],
    expected: "longitude and latitude, wkt, lat_lon, geojson and point, or zone_set and id",
};
const VALUE: Members = Members {
    names: &["constant", "column", "zone", "area"],
    expected: "constant, column, zone or area",
};
const COLUMN_EXPECTED: &str = "a column of $.columns, by its own name";
const TEXT_EXPECTED: &str = "a text of 1 to 1000 characters without blanks around it";
const ZONE_EXPECTED: &str = "a time zone of the IANA database, such as Europe/Prague";
const BOX_EXPECTED: &str = "four numbers of degrees: west, south, east, north";

/// Reads members that name columns.
pub(super) struct Reader<'e> {
    pub(super) columns: &'e [Column],
    pub(super) spellings: &'e HashMap<String, ColumnId>,
    pub(super) errors: &'e mut Errors,
}

impl Reader<'_> {
    /// A column by its own name.
    pub(super) fn column(&mut self, node: &Node<'_>) -> Option<ColumnId> {
        let find = |name: &str| self.columns.iter().position(|column| column.name == name);
        let name = node.text(|name| find(name).is_some(), COLUMN_EXPECTED, self.errors)?;
        find(name).and_then(|at| u16::try_from(at).ok()).map(ColumnId)
    }

    /// A list of columns, each once; empty if it is missing.
    pub(super) fn column_list(&mut self, node: &Node<'_>) -> Vec<ColumnId> {
        match node.exists() {
            true => self.some_columns(node, (1, MAX_COLUMNS), "a list of 1 to 200 columns"),
            false => Vec::new(),
        }
    }

    fn some_columns(
        &mut self,
        node: &Node<'_>,
        count: (usize, usize),
        expected: &'static str,
    ) -> Vec<ColumnId> {
        let mut columns = Vec::new();
        for item in node.items(count, expected, self.errors) {
            if let Some(column) = self.column(&item) {
                if columns.contains(&column) {
                    item.fault("each column once", self.errors);
                }
                columns.push(column);
            }
        }
        columns
    }

    /// A name of a version.
    pub(super) fn required(&mut self, node: &Node<'_>) -> Option<Required> {
        let own = |name: &str| self.columns.iter().position(|column| column.name == name);
        let is_known = |name: &str| own(name).is_some() || self.spellings.contains_key(&fold(name));
        let name = node.text(is_known, "a column or one of its spellings", self.errors)?;
        match own(name) {
            Some(at) => u16::try_from(at).ok().map(|at| Required::Column(ColumnId(at))),
            None => {
                let folded = fold(name);
                let column = *self.spellings.get(&folded)?;
                Some(Required::Spelling(folded, column))
            }
        }
    }

    pub(super) fn without(&mut self, node: &Node<'_>) -> Vec<String> {
        let mut folded = Vec::new();
        for (path, name) in spellings_of(node, self.errors) {
            let name = fold(&name);
            if self.spellings.contains_key(&name) {
                let found = crate::text::escape::quoted(name.as_bytes());
                self.errors.add(path, found, "a name that is not of a column of this feed");
            }
            folded.push(name);
        }
        folded
    }

    pub(super) fn time(&mut self, node: &Node<'_>) -> Option<TimeRule> {
        node.object(&TIME, self.errors)?;
        let columns = self.time_columns(&node.member("columns"));
        let forms = node.member("forms").items((1, 12), "a list of 1 to 12 patterns", self.errors);
        let forms = forms.iter().filter_map(|item| self.pattern(item)).collect();
        let kinds =
            [("local", TimeKind::Local), ("utc", TimeKind::Utc), ("offset", TimeKind::Offset)];
        let expected = "local, utc or offset";
        let kind = node.member("kind").word(&kinds, TimeKind::Local, expected, self.errors);
        let zone = node.member("zone");
        let zone = if zone.exists() { self.zone(&zone) } else { None };
        let hour_24 = node.member("hour_24").bool_or(false, self.errors);
        let unproved = [("refuse", Unproved::Refuse), ("first", Unproved::First)];
        let member = node.member("unproved");
        let unproved = member.word(&unproved, Unproved::Refuse, "refuse or first", self.errors);
        Some(TimeRule { columns, forms, kind, zone, hour_24, unproved })
    }

    fn time_columns(&mut self, node: &Node<'_>) -> Vec<ColumnId> {
        self.some_columns(node, (1, 2), "a list of 1 or 2 columns")
    }

    fn pattern(&mut self, node: &Node<'_>) -> Option<String> {
        let is_valid = |text: &str| (1..=64).contains(&text.len());
        node.text(is_valid, "a pattern of 1 to 64 bytes", self.errors).map(str::to_owned)
    }

    fn zone(&mut self, node: &Node<'_>) -> Option<String> {
        node.text(|name| TimeZone::of(name).is_some(), ZONE_EXPECTED, self.errors)
            .map(str::to_owned)
    }

    pub(super) fn ended_at(&mut self, node: &Node<'_>) -> Option<EndedAt> {
        if !node.exists() {
            return None;
        }
        node.object(&ENDED_AT, self.errors)?;
        let (columns, points) = (node.member("columns"), node.member("points"));
        if columns.exists() == points.exists() {
            node.fault("columns, or points and seconds", self.errors);
            return None;
        }
        if columns.exists() {
            if node.member("seconds").exists() {
                node.member("seconds").fault("nothing, as there are no points", self.errors);
            }
            return Some(EndedAt::Columns(self.time_columns(&columns)));
        }
        let seconds = node.member("seconds");
        let is_valid = |seconds: f64| seconds > 0.0 && seconds <= 86_400.0;
        let seconds = seconds.number(is_valid, "seconds, over 0, up to 86400", self.errors);
        Some(EndedAt::Points { points: self.column(&points)?, seconds: seconds? })
    }

    pub(super) fn places(&mut self, node: &Node<'_>) -> Vec<Place> {
        if !node.exists() {
            return Vec::new();
        }
        let items = node.items((1, 4), "a list of 1 to 4 places", self.errors);
        items.iter().filter_map(|item| self.place(item)).collect()
    }

    fn place(&mut self, node: &Node<'_>) -> Option<Place> {
        node.object(&PLACE, self.errors)?;
        let has = |names: &[&str]| {
            PLACE.names.iter().all(|name| node.member(name).exists() == names.contains(name))
        };
        if has(&["longitude", "latitude"]) {
            let longitude = self.column(&node.member("longitude"));
            let latitude = self.column(&node.member("latitude"));
            return Some(Place::LonLat { longitude: longitude?, latitude: latitude? });
        }
        if has(&["wkt"]) {
            return self.column(&node.member("wkt")).map(Place::Wkt);
        }
        if has(&["lat_lon"]) {
            return self.column(&node.member("lat_lon")).map(Place::LatLonText);
        }
        if has(&["geojson"]) || has(&["geojson", "point"]) {
            let points = [("first", LinePoint::First), ("last", LinePoint::Last)];
            let point = node.member("point");
            let point = point.word(&points, LinePoint::First, "first or last", self.errors);
            return self.column(&node.member("geojson")).map(|id| Place::GeoJson(id, point));
        }
        if has(&["zone_set", "id"]) {
            let set = word(&node.member("zone_set"), self.errors);
            let id = self.column(&node.member("id"));
            return Some(Place::Zone { set: set?.to_owned(), id: id? });
        }
        node.fault(PLACE.expected, self.errors);
        None
    }

    pub(super) fn bounds(&mut self, node: &Node<'_>) -> Option<BoundingBox> {
        match node.exists() {
            true => self.some_bounds(node),
            false => None,
        }
    }

    fn some_bounds(&mut self, node: &Node<'_>) -> Option<BoundingBox> {
        let items = node.items((4, 4), BOX_EXPECTED, self.errors);
        let limits = [180.0, 90.0, 180.0, 90.0];
        let mut edges = [0.0; 4];
        for ((item, limit), edge) in items.iter().zip(limits).zip(&mut edges) {
            let is_valid = |degrees: f64| degrees.abs() <= limit;
            let expected = "degrees: a longitude up to 180, a latitude up to 90";
            *edge = item.number(is_valid, expected, self.errors)?;
        }
        let [west, south, east, north] = edges;
        if items.len() == 4 && (west >= east || south >= north) {
            node.fault("west before east, and south before north", self.errors);
        }
        (items.len() == 4).then_some(BoundingBox { west, south, east, north })
    }

    pub(super) fn zero(&mut self, node: &Node<'_>) -> Zero {
        let words = [("unknown", Zero::Unknown), ("point", Zero::Point)];
        node.word(&words, Zero::Unknown, "unknown or point", self.errors)
    }

    pub(super) fn areas(&mut self, node: &Node<'_>) -> Vec<Area> {
        if !node.exists() {
            return Vec::new();
        }
        let items = node.items((1, 64), "a list of 1 to 64 areas", self.errors);
        items.iter().filter_map(|item| self.area(item)).collect()
    }

    fn area(&mut self, node: &Node<'_>) -> Option<Area> {
        node.object(&AREA, self.errors)?;
        let region = self.text(&node.member("region"));
        let datasource = node.member("datasource");
        let datasource = if datasource.exists() { self.text(&datasource) } else { None };
        let zone = node.member("zone");
        let zone = if zone.exists() { self.zone(&zone) } else { None };
        let bounds = self.some_bounds(&node.member("box"));
        Some(Area { region: region?, datasource, zone, bounds: bounds? })
    }

    fn text(&mut self, node: &Node<'_>) -> Option<String> {
        node.text(|text| is_text(text, 1000), TEXT_EXPECTED, self.errors).map(str::to_owned)
    }

    pub(super) fn values(&mut self, node: &Node<'_>) -> Vec<ValueSource> {
        let items = node.items((1, 6), "a list of 1 to 6 values", self.errors);
        items.iter().filter_map(|item| self.value(item)).collect()
    }

    fn value(&mut self, node: &Node<'_>) -> Option<ValueSource> {
        node.object(&VALUE, self.errors)?;
        let mut members = VALUE.names.iter().filter(|name| node.member(name).exists());
        let (Some(&name), None) = (members.next(), members.next()) else {
            node.fault(VALUE.expected, self.errors);
            return None;
        };
        let member = node.member(name);
        let ends = [("origin", TripEnd::Origin), ("destination", TripEnd::Destination)];
        let expected = "origin or destination";
        Some(match name {
            "constant" => ValueSource::Constant(self.text(&member)?),
            "column" => ValueSource::Column(self.column(&member)?),
            "zone" => ValueSource::Zone(member.word(&ends, TripEnd::Origin, expected, self.errors)),
            _ => ValueSource::Area(member.word(&ends, TripEnd::Origin, expected, self.errors)),
        })
    }

    pub(super) fn identity(&mut self, node: &Node<'_>, feed: &str) -> Option<IdentityRule> {
        node.map("an object", self.errors)?;
        let is_scheme = |scheme: &str| ["content", "columns", "source_id"].contains(&scheme);
        let expected = "content, columns or source_id";
        let scheme = node.member("scheme").text(is_scheme, expected, self.errors)?;
        let namespace = node.member("namespace");
        let namespace = match namespace.exists() && scheme != "content" {
            true => word(&namespace, self.errors),
            false => Some(feed),
        };
        let columns = node.member("columns");
        match scheme {
            "content" => {
                node.object(&CONTENT, self.errors)?;
                Some(IdentityRule::Content)
            }
            "columns" => {
                node.object(&BY_COLUMNS, self.errors)?;
                let columns = self.identity_columns(&columns);
                let occurrence = node.member("occurrence").bool_or(true, self.errors);
                Some(IdentityRule::Columns { namespace: namespace?.into(), columns, occurrence })
            }
            _ => {
                node.object(&BY_SOURCE_ID, self.errors)?;
                let columns = self.some_columns(&columns, (1, 16), "a list of 1 to 16 columns");
                let days = node.member("window_days");
                let expected = "a whole number of days from 0 to 400";
                let window_days = days.whole_or(Some(45), (0, 400), expected, self.errors);
                let policy = node.member("policy");
                let policy = policy.word(
                    &SameId::WORDS,
                    SameId::Keep,
                    "keep, replace or stage",
                    self.errors,
                );
                let namespace = namespace?.into();
                Some(IdentityRule::SourceId {
                    namespace,
                    columns,
                    window_days: window_days?,
                    policy,
                })
            }
        }
    }

    fn identity_columns(&mut self, node: &Node<'_>) -> Vec<IdentityColumn> {
        let mut columns = Vec::new();
        let expected = "a list of 1 to 200 columns, @time or @ended_at";
        for item in node.items((1, MAX_COLUMNS), expected, self.errors) {
            let mut ignored = Errors::default();
            let special = item.text(|name| name.starts_with('@'), "", &mut ignored);
            let column = match special {
                Some("@time") => Some(IdentityColumn::Time),
                Some("@ended_at") => Some(IdentityColumn::EndedAt),
                _ => self.column(&item).map(IdentityColumn::Column),
            };
            if let Some(column) = column {
                if columns.contains(&column) {
                    item.fault("each column once", self.errors);
                }
                columns.push(column);
            }
        }
        columns
    }

    pub(super) fn notes(&mut self, node: &Node<'_>) -> Vec<String> {
        if !node.exists() {
            return Vec::new();
        }
        let items = node.items((1, 16), "a list of 1 to 16 texts", self.errors);
        items.iter().filter_map(|item| self.text(item)).collect()
    }

    pub(super) fn raw_line(&mut self, node: &Node<'_>) -> RawLine {
        let words = [("listed", RawLine::Listed), ("whole", RawLine::Whole)];
        node.word(&words, RawLine::Listed, "listed or whole", self.errors)
    }

    pub(super) fn stations(&mut self, node: &Node<'_>) -> Option<StationColumns> {
        if !node.exists() {
            return None;
        }
        node.object(&STATIONS, self.errors)?;
        let mut names = |member: &str, required: bool| -> Vec<String> {
            let member = node.member(member);
            if required && !member.exists() {
                member.fault("a list of 1 to 32 names", self.errors);
            }
            spellings_of(&member, self.errors).into_iter().map(|(_, name)| name).collect()
        };
        let (id, name) = (names("id", true), names("name", false));
        let (lat_lon, wkt) = (names("lat_lon", false), names("wkt", false));
        let is_alone = lat_lon.is_empty() && wkt.is_empty();
        let has_pair = node.member("longitude").exists() || node.member("latitude").exists();
        let needs_pair = is_alone || has_pair;
        let (longitude, latitude) = (names("longitude", needs_pair), names("latitude", needs_pair));
        let valid = node.member("valid");
        let expected = "always or year";
        let by_year =
            valid.word(&[("always", false), ("year", true)], false, expected, self.errors);
        Some(StationColumns { id, name, longitude, latitude, lat_lon, wkt, by_year })
    }
}
