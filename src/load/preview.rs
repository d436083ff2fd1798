//! `trips.preview`: what a load of a file would do. It writes nothing.

use pgrx::check_for_interrupts;
use trips_core::check::reject::BadLine;
use trips_core::feed::definition::Definition;
use trips_core::feed::program::{FeedTrip, TailValues};
use trips_core::format::delimited::trip_reader::TripReader;
use trips_core::format::parser::Target;
use trips_core::model::point::Point;
use trips_core::model::position::Position;
use trips_core::model::timestamp::Timestamp;
use trips_core::text::escape::quoted;
use trips_core::wire::jsonb::DetailsForm;

use super::read;
use super::request::Request;
use crate::error::{FileError, LoadError, counted};
use crate::feeds::{self, Match};
use crate::settings::{self, LoadOptions};
use crate::source::{Access, Source};

/// Records after which a preview ends, although it has fewer trips or rejected records than asked for.
const MAX_RECORDS: u64 = 100_000;

/// Limit of the argument `rows`.
pub const MAX_ROWS: usize = 10_000;

/// What a load would do.
#[derive(Debug)]
pub struct Preview {
    /// The feed, and its columns.
    pub feed: Match,
    /// The first trips.
    pub trips: Vec<PreviewTrip>,
    /// The first rejected records.
    pub rejected: Vec<BadLine>,
    /// Number of records that were read.
    pub records: u64,
    /// Whether these are all records of the file.
    pub is_whole: bool,
}

/// A trip of a preview.
#[derive(Debug)]
pub struct PreviewTrip {
    pub line: u64,
    pub region: String,
    pub origin: Option<Point>,
    pub destination: Option<Point>,
    pub date_time: Timestamp,
    pub datasource: Option<String>,
    pub ended_at: Option<Timestamp>,
    pub trip_id: Option<String>,
    /// JSON text.
    pub details: Option<String>,
    /// What is odd about its values.
    pub note: Option<String>,
}

impl Preview {
    /// The feed, and how much of the file was read.
    pub fn summary(&self) -> String {
        let records = counted(self.records, "record", "records");
        let read = if self.is_whole { "all records" } else { "the first records" };
        format!("{}: read {read} of the file ({records})", self.feed.feed)
    }

    /// One line for each column of the history: the columns of the file, as JSON.
    pub fn columns(&self) -> Vec<String> {
        let members = self.feed.mapping.as_object().into_iter().flatten();
        members.map(|(column, of_file)| format!("{column}: {of_file}")).collect()
    }
}

/// Reads the file until it has this many trips and this many rejected records.
///
/// # Errors
/// Those of a load that has not read a record yet; 22008 when times contradict the feed.
pub fn preview(
    path: &str,
    feed: Option<&str>,
    rows: usize,
    access: &Access,
) -> Result<Preview, LoadError> {
    let file = Source::open(path, access)?;
    let constraints = settings::constraints()?;
    let (abort_on_error, max_errors, region, datasource) = (false, None, None, None);
    let options = LoadOptions { abort_on_error, max_errors, feed, region, datasource };
    let request = Request { path, access, target: Target::History, force: false, options };
    let (plan, mut reader, _stop_reading) = read::open(&request, &file, |_| ())?;
    let (feed, order) = (feeds::describe(path, plan.feed_name(), access)?, plan.feed().order());
    let definition = plan.feed().definition.clone();
    let mut trips = TripReader::new(plan, DetailsForm::Text);
    let mut preview =
        Preview { feed, trips: Vec::new(), rejected: Vec::new(), records: 0, is_whole: false };
    while preview.records < MAX_RECORDS
        && (preview.trips.len() < rows || preview.rejected.len() < rows)
    {
        check_for_interrupts!();
        let Some(record) = reader.next_record().map_err(|error| file.read_error(error))? else {
            preview.is_whole = true;
            break;
        };
        preview.records += 1;
        match trips.read(&record, &constraints) {
            Ok(found) if preview.trips.len() < rows => {
                let TailValues { ended_at, trip_id, details } = found.tail_values();
                let trip = &found.trip;
                preview.trips.push(PreviewTrip {
                    line: record.line,
                    region: trip.region.to_owned(),
                    origin: trip.origin,
                    destination: trip.destination,
                    date_time: trip.date_time,
                    datasource: trip.datasource.map(str::to_owned),
                    ended_at,
                    trip_id: trip_id.map(str::to_owned),
                    details: details.map(str::to_owned),
                    note: note_of(&found, &definition),
                });
            }
            Err(rejection) if preview.rejected.len() < rows => {
                preview.rejected.push(BadLine { position: Position::line(record.line), rejection });
            }
            _ => {}
        }
    }
    let proofs = &trips.scratch().proofs;
    match proofs.contradiction(order, &preview.feed.feed) {
        Some(contradiction) => {
            Err(FileError::Contradiction { file: path.into(), contradiction }.into())
        }
        None => Ok(preview),
    }
}

/// The columns of numbers whose values are stored as texts.
fn note_of(trip: &FeedTrip<'_>, feed: &Definition) -> Option<String> {
    let names: Vec<String> =
        trip.not_numbers.iter().map(|column| quoted(feed.get(*column).name.as_bytes())).collect();
    match names.as_slice() {
        [] => None,
        [name] => Some(format!("{name} is not a number: stored as text")),
        names => Some(format!("{} are not numbers: stored as text", names.join(", "))),
    }
}
