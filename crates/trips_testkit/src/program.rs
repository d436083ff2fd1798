//! The program of a feed: any fields are a trip, or a rejection that names a column.

use std::borrow::Cow;
use std::sync::{Arc, LazyLock};

use trips_core::check::constraints::{Constraints, ZeroCoordinates};
use trips_core::check::reject::Rejection;
use trips_core::columns::TripColumn;
use trips_core::feed::builtin;
use trips_core::feed::choice::FeedChoice;
use trips_core::feed::definition::{ColumnId, ColumnKind, Definition, Required, Version};
use trips_core::feed::fields::Fields;
use trips_core::feed::file_feed::FileFeed;
use trips_core::feed::plan::Plan;
use trips_core::feed::program::FeedTrip;
use trips_core::key::TripKey;
use trips_core::model::position::Position;
use trips_core::wire::jsonb::DetailsForm;

use crate::check_reason;

/// Between two fields of a record.
const BETWEEN_FIELDS: u8 = 0x1f;
/// Between the change of a definition and the record.
const AFTER_CHANGE: u8 = 0x1e;
/// Columns of the history that a rejection may name, other than the five.
const OTHERS: [&str; 3] = ["ended_at", "trip_id", "details"];

/// The versions of the built-in feeds that have a program: each with the columns of the version alone, and with all
/// columns of its feed.
static PLANS: LazyLock<Vec<Plan>> = LazyLock::new(|| {
    let of_feed = |feed: &Arc<Definition>| plans(feed.clone());
    builtin::all().iter().flat_map(of_feed).collect()
});

/// Number of built-in plans, for callers that choose one.
#[must_use]
pub fn count() -> usize {
    PLANS.len()
}

/// The first two bytes are a plan. The others are the fields of a record, or a change of the feed's definition and then
/// these fields.
pub fn check_bytes(bytes: &[u8]) {
    let Some((&[first, second], rest)) = bytes.split_first_chunk() else { return };
    let plan = usize::from(u16::from_be_bytes([first & 0x7f, second]));
    if first < 0x80 {
        check(plan, &fields(rest));
    } else {
        check_changed(plan, rest);
    }
}

/// A record of a built-in feed: column n has the n-th of these fields, which begin again after the last one.
pub fn check(plan: usize, fields: &[&[u8]]) {
    check_record(&PLANS[plan % PLANS.len()], fields);
}

fn fields(bytes: &[u8]) -> Vec<&[u8]> {
    bytes.split(|byte| *byte == BETWEEN_FIELDS).collect()
}

/// A position, a number of bytes and a text that replaces them in the document of a feed.
fn check_changed(plan: usize, bytes: &[u8]) {
    let Some((&[high, low, removed], rest)) = bytes.split_first_chunk() else { return };
    let mut parts = rest.splitn(2, |byte| *byte == AFTER_CHANGE);
    let text = String::from_utf8_lossy(parts.next().unwrap_or_default());
    let record = fields(parts.next().unwrap_or_default());
    let (_, document) = builtin::DOCUMENTS[plan % builtin::DOCUMENTS.len()];
    let boundary = |at: usize| document.floor_char_boundary(at);
    let begin = boundary(usize::from(u16::from_be_bytes([high, low])) % document.len());
    let end = boundary((begin + usize::from(removed)).min(document.len())).max(begin);
    let changed = format!("{}{text}{}", &document[..begin], &document[end..]);
    match Definition::parse(&changed) {
        Ok(feed) => plans(Arc::new(feed)).iter().for_each(|plan| check_record(plan, &record)),
        Err(errors) => {
            assert!((1..=100).contains(&errors.len()), "{} errors", errors.len());
            for error in errors {
                assert!(
                    error.path.starts_with('$') && !error.path.contains(char::is_control),
                    "{error}"
                );
                assert!(
                    error.found.chars().count() < 1000 && !error.expected.is_empty(),
                    "{error}"
                );
            }
        }
    }
}

/// The plans of each version that have a program.
fn plans(feed: Arc<Definition>) -> Vec<Plan> {
    let dialect = feed.form.dialects[0];
    let file_feed = Arc::new(FileFeed::new(feed.clone(), dialect, &FeedChoice::builtin()));
    let mut plans = Vec::new();
    for version in &feed.versions {
        for has_all in [false, true] {
            let names = header(&feed, version, has_all);
            let names: Vec<Cow<'_, [u8]>> =
                names.iter().map(|name| Cow::Borrowed(name.as_bytes())).collect();
            // A name of `without` can be that of a column here.
            let plan = Plan::of_header(&file_feed, &names).ok();
            plans.extend(plan.filter(|plan| plan.program().is_some()));
        }
    }
    plans
}

/// The names of a version, and of the other columns of its feed.
fn header<'f>(feed: &'f Definition, version: &'f Version, has_all: bool) -> Vec<&'f str> {
    let name = |required: &'f Required| match required {
        Required::Column(column) => feed.get(*column).name.as_str(),
        Required::Spelling(folded, _) => folded.as_str(),
    };
    let is_required = |name: &str| {
        let column = feed.column(name);
        version.required.iter().any(|required| Some(required.column()) == column)
    };
    let others = feed.columns.iter().map(|column| column.name.as_str());
    let others = others.filter(|name| has_all && !is_required(name));
    version.required.iter().map(name).chain(others).collect()
}

/// The fields of a record.
struct Record<'r> {
    fields: &'r [&'r [u8]],
    /// Whether the file has each column.
    has: &'r [bool],
}

impl Fields for Record<'_> {
    fn text(&self, column: ColumnId) -> Option<Cow<'_, [u8]>> {
        let at = usize::from(column.0);
        let field = self.fields.get(at % self.fields.len().max(1)).copied().unwrap_or_default();
        self.has[at].then_some(Cow::Borrowed(field))
    }
}

fn constraints() -> Constraints {
    Constraints::new("1990-01-01", "2049-12-31", ZeroCoordinates::Warn).expect("dates")
}

/// The key and the tail of a trip, or the rejection.
type Found = Result<(TripKey, Vec<u8>), Rejection>;

fn check_record(plan: &Plan, fields: &[&[u8]]) {
    let program = plan.program().expect("a program");
    let definition = &*plan.feed().definition;
    let has: Vec<bool> =
        definition.columns.iter().map(|column| plan.has_column(&column.name)).collect();
    let record = Record { fields, has: &has };
    let mut scratch = program.scratch(DetailsForm::Text);
    let mut read = || -> Found {
        let found = program.trip(&record, Position::line(7), &mut scratch, &constraints())?;
        check_trip(&found, definition);
        Ok((found.identity.base_key(&found.trip), found.tail.to_vec()))
    };
    let first = read();
    // The buffers of the first record have no effect on the second.
    assert_eq!(read(), first);
    if let Err(rejection) = first {
        check_reason(&rejection.reason);
        let name = rejection.column.as_ref().expect("a column").name().to_owned();
        let is_known = TripColumn::ALL.iter().any(|column| column.name() == name)
            || OTHERS.contains(&&*name)
            || definition.column(&name).is_some();
        assert!(is_known, "{name}: {}", rejection.reason);
    }
}

fn check_trip(found: &FeedTrip<'_>, definition: &Definition) {
    let (trip, tail) = (&found.trip, found.tail_values());
    assert!(!trip.region.is_empty());
    for point in [trip.origin, trip.destination].into_iter().flatten() {
        assert!((-180.0..=180.0).contains(&point.longitude), "{point:?}");
        assert!((-90.0..=90.0).contains(&point.latitude), "{point:?}");
    }
    for time in std::iter::once(trip.date_time).chain(tail.ended_at) {
        assert!(constraints().check_time(time, b"").is_ok(), "{time}");
    }
    let details: serde_json::Value = match tail.details {
        Some(json) => serde_json::from_str(json).expect("JSON"),
        None => serde_json::Value::Null,
    };
    for column in found.not_numbers {
        let column = definition.get(*column);
        assert_eq!(column.kind, ColumnKind::Number);
        assert!(details[&column.name].is_string(), "{details}");
    }
}
