//! What a feed says of every value of its files, prepared once a file.

use std::sync::Arc;

use crate::feed::definition::{Area, Definition, Dialect, IdentityRule, TimeKind};
use crate::feed::value::{Nulls, number};
use crate::feed::zones::Zones;
use crate::key::Scheme;
use crate::model::decimal::DecimalMark;
use crate::model::point::Point;
use crate::model::time_form::{DayMonthOrder, TimeForms};
use crate::model::zone::TimeZone;

/// The name of the details of a time that is an instant: minutes east of UTC.
pub(crate) const UTC_OFFSET: &str = "utc_offset";

/// The rules of a feed for one file.
#[derive(Debug, Clone)]
pub(crate) struct FeedRules {
    pub(crate) nulls: Nulls,
    pub(crate) decimal: DecimalMark,
    /// Whether a word for NULL is a number, as `-1`.
    pub(crate) has_null_numbers: bool,
    pub(crate) forms: Option<TimeForms>,
    pub(crate) order: DayMonthOrder,
    /// The zones of instants: that of the feed, and then that of each area.
    pub(crate) clocks: Vec<Option<TimeZone>>,
    pub(crate) zones: Arc<Zones>,
    pub(crate) scheme: Scheme,
    /// The names of the details, and after them the offset from UTC if times are instants.
    pub(crate) detail_names: Vec<String>,
}

impl FeedRules {
    pub(crate) fn of(feed: &Definition, dialect: Dialect, zones: Arc<Zones>) -> Self {
        let time = &feed.time;
        let forms = TimeForms::compile(&time.forms, time.kind, time.hour_24).ok();
        let order = forms.as_ref().map_or(DayMonthOrder::MonthFirst, TimeForms::first_order);
        let zone_of = |name: Option<&String>| name.and_then(|name| TimeZone::of(name));
        let zone = zone_of(time.zone.as_ref());
        let of_areas = feed.areas.iter().map(|area| zone_of(area.zone.as_ref()).or(zone));
        let clocks = std::iter::once(zone).chain(of_areas).collect();
        let scheme = match &feed.identity {
            IdentityRule::Content => Scheme::Content,
            IdentityRule::Columns { occurrence, .. } => Scheme::Columns { occurrence: *occurrence },
            IdentityRule::SourceId { .. } => Scheme::SourceId,
        };
        let mut detail_names: Vec<String> =
            feed.details.iter().map(|column| feed.get(*column).name.clone()).collect();
        if feed.time.kind != TimeKind::Local {
            detail_names.push(UTC_OFFSET.to_owned());
        }
        let decimal = dialect.decimal;
        let is_number = |word: &String| number(word.as_bytes(), decimal).is_some();
        let has_null_numbers = feed.form.nulls.iter().any(is_number);
        let nulls = Nulls::new(&feed.form.nulls);
        Self { nulls, decimal, has_null_numbers, forms, order, clocks, zones, scheme, detail_names }
    }

    /// The number of the first area that has the point.
    pub(crate) fn area_of(areas: &[Area], point: Point) -> Option<usize> {
        areas.iter().position(|area| area.bounds.contains(point.longitude, point.latitude))
    }
}
