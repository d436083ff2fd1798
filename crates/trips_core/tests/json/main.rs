//! JSON files: their records, in every layout and style, and the trips of the built-in feeds in them.

mod any;
mod faults;
mod layouts;

use std::io::{self, Read};

use serde_json::json;
use trips_core::feed::choice::FeedChoice;
use trips_core::feed::definition::{ColumnId, Definition};
use trips_core::feed::detect::Catalogue;
use trips_core::feed::plan::Plan;
use trips_core::format::delimited::header::HeaderError;
use trips_core::format::json::error::JsonError;
use trips_core::format::json::reader::JsonReader;
use trips_core::format::{Chunk, ChunkReader};

const MAX_RECORD: usize = 1 << 20;

/// A record: its position, and its texts by the names of its columns, or why it has none.
type Record = (u64, Result<Vec<(String, String)>, String>);

/// A source that gives few bytes at a time.
struct Few<'a>(&'a [u8], usize);

impl Read for Few<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = self.1.min(out.len());
        self.0.read(&mut out[..count])
    }
}

/// The records that a feed with these columns reads, and the error that stops it.
fn records(
    file: &[u8],
    (feed, max_record): (&Definition, usize),
    (chunk, read): (usize, usize),
) -> (Vec<Record>, Option<String>) {
    let (reader, plan) = match open(Few(file, read), feed, max_record) {
        Ok(opened) => opened,
        Err(error) => return (Vec::new(), Some(error.to_string())),
    };
    read_all(reader.into(), &plan, max_record, chunk)
}

fn open<R: Read>(
    source: R,
    feed: &Definition,
    max_record: usize,
) -> Result<(JsonReader<R>, Plan), HeaderError> {
    let mut choice = FeedChoice::builtin();
    choice.catalogue = std::sync::Arc::new(Catalogue::new(vec![feed.clone().into()]));
    choice.feed = Some(feed.name.clone());
    let (reader, first) = JsonReader::open(source, &choice, max_record)?;
    Ok((reader, first.plan?))
}

fn read_all<R: Read>(
    mut reader: ChunkReader<R>,
    plan: &Plan,
    max_record: usize,
    size: usize,
) -> (Vec<Record>, Option<String>) {
    let feed = plan.feed().definition.clone();
    let mut all = Vec::new();
    let mut next = 0;
    loop {
        let mut chunk = match reader.next_chunk(size, next) {
            Ok(Some(chunk)) => chunk,
            Ok(None) => return (all, None),
            Err(error) => {
                assert!(JsonError::of(&error).is_some(), "{error}");
                return (all, Some(error.to_string()));
            }
        };
        next += 1;
        let Chunk::Json(_) = &chunk else { panic!("not JSON") };
        let each = |record: trips_core::format::fields_record::RecordOrFault<'_>| {
            let fields = record.fields.map(|fields| {
                let columns = (0..).map(ColumnId).zip(&feed.columns);
                let text = |(id, column): (ColumnId, &trips_core::feed::definition::Column)| {
                    let text = fields.text(id).filter(|text| !text.is_empty())?;
                    let text = String::from_utf8(text.into_owned()).expect("UTF-8");
                    Some((column.name.clone(), text))
                };
                let mut texts: Vec<_> = columns.filter_map(text).collect();
                texts.sort();
                texts
            });
            all.push((record.position.value, fields.map_err(|rejection| rejection.reason)));
            Ok::<_, ()>(())
        };
        chunk.for_each_fields(plan, max_record, each).expect("no error");
    }
}

/// A feed with some columns, also of nested members.
fn feed() -> Definition {
    let feed = json!({
        "name": "rides", "title": "Rides",
        "columns": {
            "id": { "type": "id" }, "at": { "type": "time" }, "from.lon": {}, "from.lat": {},
            "note": { "also": ["Remark", "comment"], "coalesce": true }, "path": { "type": "json" },
            "x": { "also": ["y"] }
        },
        "versions": { "1": ["id", "at"] },
        "form": { "records": ["data.rides", "rides"] },
        "time": { "columns": ["at"], "forms": ["epoch"], "kind": "utc", "zone": "UTC" },
        "origin": [{ "longitude": "from.lon", "latitude": "from.lat" }],
        "region": [{ "constant": "R" }],
        "identity": { "scheme": "source_id", "columns": ["id"] }
    });
    Definition::parse(&feed.to_string()).expect("a feed")
}

fn at_once(file: &str) -> (Vec<Record>, Option<String>) {
    records(file.as_bytes(), (&feed(), MAX_RECORD), (1 << 20, 1 << 20))
}

/// The texts of one record.
fn one(record: &str) -> Result<Vec<(String, String)>, String> {
    let (mut found, error) = at_once(&format!("{{\"id\":0,\"at\":0}}\n{record}\n"));
    assert_eq!((found.len(), error), (2, None), "{record}");
    found.pop().expect("a record").1
}

fn texts(all: &[(&str, &str)]) -> Vec<(String, String)> {
    let mut texts: Vec<_> =
        all.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
    texts.sort();
    texts
}
