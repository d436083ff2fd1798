//! The fixtures of the built-in feeds: a small file for each version, and the trips that it must give.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use csv::{ByteRecord, QuoteStyle, ReaderBuilder, Terminator, WriterBuilder};
use serde_json::Value;
use trips_core::feed::builtin;
use trips_core::feed::definition::{ColumnKind, Definition};

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The fixture of one version of a feed.
#[derive(Debug, Clone)]
pub struct Fixture {
    /// The name of the feed.
    pub feed: String,
    /// The version of the feed.
    pub version: String,
    /// The bytes of the file.
    pub bytes: Vec<u8>,
    /// The expected result: `trips`, `rejected`, `equal` (lines of records that are one trip by the feed's identity),
    /// `not_stored` (names of columns), `scheme`.
    pub expected: Value,
}

/// How a file is written again.
#[derive(Debug, Clone)]
pub struct Style {
    /// A number that chooses the order of the columns.
    pub column_order: u64,
    /// A number that chooses the order of the records; None keeps it.
    pub row_order: Option<u64>,
    /// Whether all fields are quoted.
    pub quotes_all: bool,
    /// Whether lines end with CR LF.
    pub crlf: bool,
    /// Whether numbers get zeros at their end, and ids `.0`.
    pub respells_numbers: bool,
}

impl Style {
    /// A style that changes everything.
    #[must_use]
    pub fn other(seed: u64) -> Self {
        Self {
            column_order: seed,
            row_order: Some(seed),
            quotes_all: seed.is_multiple_of(2),
            crlf: seed.is_multiple_of(3),
            respells_numbers: true,
        }
    }
}

/// The folder of the fixtures.
#[must_use]
pub fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../trips_core/tests/feeds")
}

/// The name of a version's files: letters and digits in lower case, everything else as `_`.
#[must_use]
pub fn file_name(version: &str) -> String {
    let mut name = String::new();
    for c in version.to_lowercase().chars() {
        if c.is_ascii_alphanumeric() {
            name.push(c);
        } else if !name.ends_with('_') {
            name.push('_');
        }
    }
    name
}

/// The fixtures of all versions of all built-in feeds.
///
/// # Panics
/// When a version has no fixture.
#[must_use]
pub fn fixtures() -> Vec<Fixture> {
    let of_feed = |feed: &'static Arc<Definition>| {
        feed.versions.iter().map(|version| Fixture::read(&feed.name, &version.name))
    };
    builtin::all().iter().flat_map(of_feed).collect()
}

/// The delimiter of a file: the one that its first line has most of.
fn delimiter_of(bytes: &[u8]) -> u8 {
    let line = bytes.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let count = |delimiter: u8| line.iter().filter(|&&byte| byte == delimiter).count();
    if count(b';') > count(b',') { b';' } else { b',' }
}

/// A permutation of so many positions; the same for the same number.
fn permutation(count: usize, mut seed: u64) -> Vec<usize> {
    let mut positions: Vec<usize> = (0..count).collect();
    for i in (1..count).rev() {
        // Numbers of Knuth's MMIX generator.
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let chosen = (seed >> 33) % (i as u64 + 1);
        positions.swap(i, usize::try_from(chosen).unwrap_or(0));
    }
    positions
}

/// Digits with commas between thousands.
fn grouped(digits: &[u8]) -> Vec<u8> {
    let groups: Vec<&[u8]> = digits.rchunks(3).rev().collect();
    groups.join(&b',')
}

/// A number or an id in another spelling of the same value.
fn respelled(field: &[u8], kind: ColumnKind) -> Vec<u8> {
    let digits = field.strip_prefix(b"-").unwrap_or(field);
    let is_digits = |part: &[u8]| !part.is_empty() && part.iter().all(u8::is_ascii_digit);
    let fraction = digits.iter().position(|&byte| byte == b'.').map(|at| digits.split_at(at));
    let added: &[u8] = match (kind, fraction) {
        (ColumnKind::Id { .. }, None) if is_digits(field) && field.first() != Some(&b'0') => {
            return [&grouped(field), b".0".as_slice()].concat();
        }
        (ColumnKind::Id { .. }, None) if is_digits(field) => b".0",
        (ColumnKind::Number, None) if is_digits(digits) => b".0",
        (ColumnKind::Number, Some((whole, rest)))
            if is_digits(&rest[1..]) && (whole.is_empty() || is_digits(whole)) =>
        {
            b"0"
        }
        _ => b"",
    };
    [field, added].concat()
}

impl Fixture {
    /// The fixture of a version.
    ///
    /// # Panics
    /// When it does not exist, or its expectation is not JSON.
    #[must_use]
    pub fn read(feed: &str, version: &str) -> Self {
        let path = directory().join(feed).join(file_name(version));
        let read = |extension: &str| {
            let path = path.with_extension(extension);
            fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
        };
        let expected = serde_json::from_slice(&read("expected.json")).expect("JSON");
        Self { feed: feed.to_owned(), version: version.to_owned(), bytes: read("csv"), expected }
    }

    /// A name for messages and files.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}-{}", self.feed, file_name(&self.version))
    }

    /// The records of the file, the header first; its delimiter; and its byte order mark, if it has one.
    pub(crate) fn records(&self) -> (Vec<ByteRecord>, u8, &'static [u8]) {
        let (mark, text) = match self.bytes.strip_prefix(BYTE_ORDER_MARK) {
            Some(text) => (BYTE_ORDER_MARK, text),
            None => (&b""[..], &self.bytes[..]),
        };
        let delimiter = delimiter_of(text);
        let mut reader = ReaderBuilder::new();
        reader.has_headers(false).flexible(true).delimiter(delimiter);
        let records = reader.from_reader(text).into_byte_records();
        (records.map(|record| record.expect("CSV")).collect(), delimiter, mark)
    }

    /// The same trips in a file of JSON, if the folder has one.
    #[must_use]
    pub fn json(&self) -> Option<Vec<u8>> {
        let path = directory().join(&self.feed).join(file_name(&self.version));
        fs::read(path.with_extension("json")).ok()
    }

    /// The file with a secret in all personal columns and in a column that the feed does not know, and with more records
    /// that are rejected: with an invalid time, with too many fields, and with an unclosed quote.
    ///
    /// # Panics
    /// When the file is not CSV.
    #[must_use]
    pub fn with_secret(&self, secret: &str) -> Vec<u8> {
        let (records, delimiter, mark) = self.records();
        let header = &records[0];
        let definition = builtin::get(&self.feed).expect("a feed");
        let columns: Vec<_> = header.iter().map(|name| definition.column_of_header(name)).collect();
        let mut writer = WriterBuilder::new();
        writer.flexible(true).delimiter(delimiter);
        let mut writer = writer.from_writer(mark.to_vec());
        let mut line = header.clone();
        line.push_field(b"Home address");
        writer.write_byte_record(&line).expect("memory");
        let complete = records[1..].iter().filter(|record| record.len() >= header.len());
        for record in complete.clone().chain(complete.take(2)).enumerate() {
            let (number, record) = record;
            let mut line = ByteRecord::new();
            for (column, value) in columns.iter().zip(record) {
                let is_time = |id| definition.time.columns.contains(id);
                let is_bad = number + 2 >= records.len() && column.as_ref().is_some_and(is_time);
                match column {
                    Some(id) if definition.personal.contains(id) => {
                        line.push_field(secret.as_bytes())
                    }
                    _ if is_bad => line.push_field(b"no time"),
                    _ => line.push_field(value),
                }
            }
            line.push_field(secret.as_bytes());
            if number % 3 == 2 {
                // Too many fields.
                line.push_field(secret.as_bytes());
            }
            writer.write_byte_record(&line).expect("memory");
        }
        let mut bytes = writer.into_inner().expect("memory");
        bytes.extend_from_slice(format!("\"{secret}").as_bytes());
        bytes
    }

    /// The file in another style: the same trips, with other bytes.
    ///
    /// # Panics
    /// When the file is not CSV.
    #[must_use]
    pub fn restyled(&self, style: &Style) -> Vec<u8> {
        let (mut records, delimiter, mark) = self.records();
        let header = records.remove(0);
        let definition = builtin::get(&self.feed).expect("a feed");
        let kinds: Vec<Option<ColumnKind>> = header
            .iter()
            .map(|name| definition.column_of_header(name).map(|id| definition.get(id).kind))
            .collect();
        let order = permutation(header.len(), style.column_order);
        let rows = match style.row_order {
            Some(seed) => permutation(records.len(), seed),
            None => (0..records.len()).collect(),
        };
        let mut writer = WriterBuilder::new();
        writer.flexible(true).delimiter(delimiter);
        writer.quote_style(if style.quotes_all {
            QuoteStyle::Always
        } else {
            QuoteStyle::Necessary
        });
        writer.terminator(if style.crlf { Terminator::CRLF } else { Terminator::Any(b'\n') });
        let mut writer = writer.from_writer(mark.to_vec());
        let respells = style.respells_numbers && delimiter == b',';
        writer.write_byte_record(&order.iter().map(|&i| &header[i]).collect()).expect("memory");
        for row in rows {
            let record = &records[row];
            let field = |i: usize| match kinds.get(i).copied().flatten() {
                Some(kind) if respells => respelled(&record[i], kind),
                _ => record[i].to_vec(),
            };
            // A record that is too short is rejected in any order; fields beyond the header stay behind.
            let positions: Vec<usize> = if record.len() < header.len() {
                (0..record.len()).collect()
            } else {
                order.iter().copied().chain(header.len()..record.len()).collect()
            };
            writer.write_byte_record(&positions.into_iter().map(field).collect()).expect("memory");
        }
        writer.into_inner().expect("memory")
    }
}
