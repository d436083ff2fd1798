//! `trips.preview`: what a load of a file would do. It writes nothing.

use trips_core::check::reject::BadLine;
use trips_core::feed::definition::{Definition, IdentityRule};
use trips_core::feed::program::{FeedTrip, TailValues};
use trips_core::format::delimited::trip_reader::TripReader;
use trips_core::format::parser::Target;
use trips_core::key::SameId;
use trips_core::model::point::Point;
use trips_core::model::position::Position;
use trips_core::model::timestamp::Timestamp;
use trips_core::text::escape::quoted;
use trips_core::wire::jsonb::DetailsForm;

use super::members::{self, Members};
use super::open::{self, Opened};
use super::request::Request;
use crate::error::{FileError, LoadError, counted};
use crate::feeds::{self, Match};
use crate::pg::interrupts;
use crate::settings::{self, LoadOptions};
use crate::source::{Access, Contents, Source, beside};

/// Records after which a preview ends, although it has fewer trips or rejected records than asked for.
const MAX_RECORDS: u64 = 100_000;

/// Bytes that are read at a time.
const CHUNK: usize = 256 * 1024;

/// Limit of the argument `rows`.
pub const MAX_ROWS: usize = 10_000;

/// What a load would do.
#[derive(Debug)]
pub struct Preview {
    /// The feed, and its columns.
    pub feed: Match,
    /// The first trips.
    pub trips: Vec<PreviewTrip>,
    /// The first rejected records, with the members of an archive that have them.
    pub rejected: Vec<(Option<String>, BadLine)>,
    /// Number of records that were read.
    pub records: u64,
    /// Whether these are all records of the file.
    pub is_whole: bool,
    /// What happens to known ids with other values, if the caller gives it.
    pub on_change: Option<String>,
}

/// A trip of a preview.
#[derive(Debug)]
pub struct PreviewTrip {
    /// The member of an archive that has it.
    pub member: Option<String>,
    pub position: Position,
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
    (feed, on_change): (Option<&str>, Option<SameId>),
    rows: usize,
    access: &Access,
) -> Result<Preview, LoadError> {
    let file = Source::open(path, access)?;
    let options = LoadOptions { feed, on_change, ..LoadOptions::default() };
    let request = Request {
        path,
        access,
        target: Target::History,
        force: false,
        is_automatic: false,
        options,
    };
    let contents = Contents::open(&file)?;
    let Members { trips, choice, .. } = members::sort(&contents, open::choice(&request)?, true)?;
    let mut preview: Option<Preview> = None;
    for index in trips {
        let opened = open::open(&contents, index, &choice, |_| ())?;
        let described = || feeds::describe(path, opened.plan.feed_name(), access);
        let so_far =
            preview.take().map_or_else(|| Ok(Preview::of(described()?)), Ok::<_, LoadError>)?;
        let so_far = preview.insert(so_far);
        so_far.is_whole = false;
        so_far.on_change =
            on_change.map(|given| of_known_ids(&opened.plan.feed().definition, given));
        so_far.read(opened, rows)?;
        if !so_far.is_whole {
            break;
        }
    }
    preview.ok_or_else(|| FileError::NoTrips { file: path.into() }.into())
}

impl Preview {
    fn of(feed: Match) -> Self {
        let (trips, rejected) = (Vec::new(), Vec::new());
        Self { feed, trips, rejected, records: 0, is_whole: false, on_change: None }
    }

    /// Reads a file or a member. The preview is whole so far if it was read to its end.
    fn read(&mut self, opened: Opened, rows: usize) -> Result<(), LoadError> {
        let constraints = settings::constraints()?;
        let Opened { file, plan, mut reader, covered, reading } = opened;
        let stop_reading = reading.stopper();
        let (order, definition) = (plan.feed().order(), plan.feed().definition.clone());
        let mut trips = TripReader::new(plan.clone(), DetailsForm::Text);
        let max_record = settings::max_record_size();
        while self.wants_more(rows) {
            interrupts::check();
            let chunk = match covered {
                Some(_) => reader.next_chunk(CHUNK, 0),
                None => {
                    let (back, chunk) = beside(&reading, move || {
                        let chunk = reader.next_chunk(CHUNK, 0);
                        (reader, chunk)
                    })
                    .map_err(|error| LoadError::of_read(&file, error))?;
                    reader = back;
                    chunk
                }
            };
            let Some(mut chunk) = chunk.map_err(|error| LoadError::of_read(&file, error))? else {
                self.is_whole = true;
                break;
            };
            let member = file.member.as_ref();
            let read = chunk.for_each_fields(&plan, max_record, |record| {
                if !self.wants_more(rows) {
                    return Err(Enough);
                }
                self.records += 1;
                let position = record.position;
                match trips.read_fields(record, &constraints) {
                    Ok(found) if self.trips.len() < rows => {
                        self.trips.push(PreviewTrip::of(&found, position, (member, &definition)));
                    }
                    Err(rejection) if self.rejected.len() < rows => {
                        self.rejected.push((member.cloned(), BadLine { position, rejection }));
                    }
                    _ => {}
                }
                Ok(())
            });
            if read.is_err() {
                break;
            }
        }
        if self.is_whole {
            // The archive is read on.
            stop_reading.cancel();
        }
        let proofs = &trips.scratch().proofs;
        match proofs.contradiction(order, &self.feed.feed) {
            Some(contradiction) => Err(FileError::Contradiction { file, contradiction }.into()),
            None => Ok(()),
        }
    }

    fn wants_more(&self, rows: usize) -> bool {
        self.records < MAX_RECORDS && (self.trips.len() < rows || self.rejected.len() < rows)
    }
}

/// What happens to records with a known id and other values. The definition has the policy already.
fn of_known_ids(feed: &Definition, given: SameId) -> String {
    match feed.identity {
        IdentityRule::SourceId { .. } => {
            format!("records with a known id and other values: {}", given.word())
        }
        IdentityRule::Content | IdentityRule::Columns { .. } => {
            "the trips of the feed have no ids: on_change has no effect".to_owned()
        }
    }
}

/// The preview has as many records as it shows.
struct Enough;

impl PreviewTrip {
    fn of(
        found: &FeedTrip<'_>,
        position: Position,
        (member, feed): (Option<&String>, &Definition),
    ) -> Self {
        let TailValues { ended_at, trip_id, details } = found.tail_values();
        let trip = &found.trip;
        Self {
            member: member.cloned(),
            position,
            region: trip.region.to_owned(),
            origin: trip.origin,
            destination: trip.destination,
            date_time: trip.date_time,
            datasource: trip.datasource.map(str::to_owned),
            ended_at,
            trip_id: trip_id.map(str::to_owned),
            details: details.map(str::to_owned),
            note: note_of(found, feed),
        }
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
