//! Headers after the first record: rows after one are never read with other columns than its own.

use std::collections::BTreeSet;

use proptest::prelude::*;
use trips_core::check::constraints::Constraints;
use trips_core::check::trip_text::TripText;
use trips_core::feed::choice::FeedChoice;
use trips_core::format::delimited::header::read_header;
use trips_core::format::delimited::header_state::HeaderState;
use trips_core::format::delimited::record::RecordReader;
use trips_core::format::parser::{Parsed, Parser, Target};
use trips_core::key;
use trips_core::pool::{Pool, PoolError};
use trips_core::sort::batch;
use trips_core::sort::block::Block;
use trips_core::sort::groups::GroupCache;
use trips_core::split::{self, SplitReader};
use trips_core::upload::part::Part;

const MAX_RECORD: usize = 10_000;
const NAMES: [&str; 5] = ["region", "origin_coord", "destination_coord", "date_time", "datasource"];

/// A part of a joined file: a header, and rows in its order.
#[derive(Debug, Clone)]
struct Section {
    /// Column of the feed at each position; more than 4 means none of them.
    order: Vec<usize>,
    rows: u32,
    style: Style,
    /// Whether its last row ends with a newline.
    ends: bool,
}

#[derive(Debug, Clone, Copy)]
enum Style {
    Plain,
    Mark,
    Quoted,
    MarkQuoted,
    Upper,
    Blanks,
    Alias,
    Invisible,
    /// One of the feed's columns has another name.
    Unclear,
}

/// The five fields of a row, which say where they belong.
fn values(section: usize, row: u32) -> [String; 5] {
    let (minute, second) = (row / 60 % 60, row % 60);
    [
        format!("R{section}"),
        format!("POINT (1 {})", row % 90),
        format!("POINT (2 {})", row % 90),
        format!("2018-05-01 {:02}:{minute:02}:{second:02}", section % 24),
        format!("D{section}"),
    ]
}

impl Section {
    fn line(&self, of: impl Fn(usize) -> String) -> String {
        let values: Vec<String> = self.order.iter().map(|&column| of(column)).collect();
        values.join(",")
    }

    fn header(&self) -> String {
        let name = |column: usize| {
            let name = NAMES.get(column).map_or_else(|| format!("x{column}"), |n| (*n).to_owned());
            match self.style {
                Style::Plain | Style::Mark => name,
                Style::Quoted | Style::MarkQuoted => format!("\"{name}\""),
                Style::Upper => name.to_uppercase(),
                Style::Blanks => format!(" {name}\t"),
                Style::Alias => name.replace("date_time", "datetime"),
                Style::Invisible => format!("\u{a0}{name}\u{200b}"),
                Style::Unclear => name.replace("origin_coord", "start"),
            }
        };
        let mark = matches!(self.style, Style::Mark | Style::MarkQuoted);
        format!("{}{}", if mark { "\u{feff}" } else { "" }, self.line(name))
    }

    fn row(&self, section: usize, row: u32) -> String {
        let values = values(section, row);
        self.line(|column| {
            let value = values.get(column).cloned().unwrap_or_else(|| "9".into());
            if row % 17 == 3 { format!("\"{value}\"") } else { value }
        })
    }
}

/// The joined file.
fn joined(sections: &[Section]) -> String {
    let mut file = String::new();
    for (number, section) in sections.iter().enumerate() {
        file.push_str(&section.header());
        for row in 0..section.rows {
            file.push('\n');
            file.push_str(&section.row(number, row));
        }
        if section.ends {
            file.push('\n');
        }
    }
    file
}

/// The keys of all trips that may be found, and those that must be found: their header is a record.
fn truth(sections: &[Section]) -> (BTreeSet<key::TripKey>, BTreeSet<key::TripKey>) {
    let (mut all, mut certain) = (BTreeSet::new(), BTreeSet::new());
    for (number, section) in sections.iter().enumerate() {
        let is_joined = number > 0 && !sections[number - 1].ends;
        // Rows after an unclear header are not read.
        let rows = if matches!(section.style, Style::Unclear) { 0 } else { section.rows };
        for row in 0..rows {
            let values = values(number, row);
            let text = TripText::of(values.each_ref().map(|value| value.as_bytes().into()));
            let constraints = Constraints::default();
            let key = key::of_trip(&text.validate(&constraints).expect("a trip"));
            all.insert(key);
            let loses_its_newline = row + 1 == section.rows && !section.ends;
            if !is_joined && !loses_its_newline {
                certain.insert(key);
            }
        }
    }
    (all, certain)
}

/// The result of a file: its trips, its rejected lines, and the number of records.
#[derive(Debug, Default, PartialEq, Eq)]
struct Read {
    trips: BTreeSet<key::TripKey>,
    staged: Vec<u8>,
    rows: u64,
    found: u64,
}

impl Read {
    fn take(&mut self, parsed: &Parsed) {
        self.staged.extend_from_slice(parsed.staged.rows());
        self.rows += parsed.rows;
        self.found += (parsed.block.len() + parsed.staged.len()) as u64;
        self.take_trips(&parsed.block);
    }

    fn take_trips(&mut self, block: &Block) {
        let mut part = Part::new(1, 0, "trips");
        let parsed = Parsed { covers: 1 << 40, rows: block.len() as u64, ..Parsed::default() };
        part.push(&parsed).expect("memory");
        part.block.append(block).expect("memory");
        self.trips.extend(keys(&part.block));
    }
}

fn keys(block: &Block) -> Vec<key::TripKey> {
    let mut cache = GroupCache::default();
    let mut sorted = Block::default();
    sorted.append(block).expect("memory");
    sorted.sort().expect("memory");
    let batch = batch::build(&[sorted], (None, None), 1, false, &mut cache).expect("memory");
    batch.entries.iter().map(|entry| entry.key).collect()
}

fn open<R: std::io::Read>(source: R) -> (RecordReader<R>, Parser) {
    let mut reader = RecordReader::new(source, MAX_RECORD);
    let plan = read_header(&FeedChoice::builtin(), &mut reader, MAX_RECORD).expect("a header");
    let (target, constraints) = (Target::History, Constraints::default());
    let parser = Parser {
        plan,
        target,
        load_id: 1,
        max_record: MAX_RECORD,
        constraints,
        keeps_grid_points: false,
    };
    (reader, parser)
}

/// Reads a file one chunk after the other.
fn read(file: &[u8], chunk: usize) -> Read {
    let (mut reader, parser) = open(file);
    let (mut columns, mut read) = (parser.first_header(), Read::default());
    while let Some(chunk) = reader.next_chunk(chunk, 0).expect("memory") {
        read.take(&parser.parse_next(chunk, &mut columns).expect("memory"));
    }
    assert_eq!(read.rows, read.found, "a record is lost");
    read
}

fn read_by_threads(file: Vec<u8>, threads: usize, memory: usize) -> Read {
    let (reader, parser) = open(std::io::Cursor::new(file));
    let mut pool = Pool::start(reader, parser, threads).expect("threads");
    let mut read = Read::default();
    loop {
        let run = pool.read_run::<PoolError>(
            memory,
            || (),
            |parsed| {
                read.take(parsed);
                Ok(())
            },
        );
        if run.expect("memory").is_last {
            return read;
        }
    }
}

fn read_in_pieces(file: &[u8]) -> (usize, Read) {
    let cut =
        split::find_splits(&FeedChoice::builtin(), file, MAX_RECORD, 1, |_| ()).expect("a header");
    let mut read = Read::default();
    for (split, columns) in cut.splits.iter().zip(&cut.columns) {
        let (first, parser) = open(file);
        let mut reader = if split.first_byte == 0 {
            SplitReader::behind_header(first, *split)
        } else {
            let begin = usize::try_from(split.first_byte).expect("a file in memory");
            SplitReader::of(&file[begin..], MAX_RECORD, b',', *split)
        };
        // As in a command line.
        let text = columns.as_ref().map(ToString::to_string);
        let read_back = text.map(|text| HeaderState::read(&text, &parser.plan).expect("columns"));
        assert_eq!(&read_back, columns);
        let mut columns = read_back.unwrap_or_else(|| parser.first_header());
        while let Some(chunk) = reader.next_chunk().expect("memory") {
            read.take(&parser.parse_next(chunk, &mut columns).expect("memory"));
        }
    }
    (cut.splits.len(), read)
}

fn order() -> impl Strategy<Value = Vec<usize>> {
    (0_usize..4)
        .prop_flat_map(|surplus| Just((0..5 + surplus).collect::<Vec<usize>>()).prop_shuffle())
}

fn section(rows: std::ops::Range<u32>) -> impl Strategy<Value = Section> {
    let style = prop_oneof![
        3 => Just(Style::Plain), 1 => Just(Style::Mark), 1 => Just(Style::Quoted), 1 => Just(Style::MarkQuoted),
        1 => Just(Style::Upper), 1 => Just(Style::Blanks), 1 => Just(Style::Alias), 1 => Just(Style::Invisible),
        1 => Just(Style::Unclear),
    ];
    (order(), rows, style, prop::bool::weighted(0.7))
        .prop_map(|(order, rows, style, ends)| Section { order, rows, style, ends })
}

/// The header of the first section is that of the file.
fn sections(
    rows: std::ops::Range<u32>,
    count: std::ops::Range<usize>,
) -> impl Strategy<Value = Vec<Section>> {
    proptest::collection::vec(section(rows), count).prop_map(|mut sections| {
        let first = &mut sections[0];
        first.ends |= first.rows == 0;
        if matches!(first.style, Style::Unclear) {
            first.style = Style::Plain;
        }
        sections
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn rows_are_read_under_their_own_header(
        sections in sections(0..30, 1..6),
        chunk in 1_usize..400,
    ) {
        let file = joined(&sections);
        let found = read(file.as_bytes(), 1 << 20);
        let (all, certain) = truth(&sections);
        prop_assert!(found.trips.is_subset(&all), "a trip that is in no file: {file}");
        // After a joined row and header, some rows are staged; after a header, none.
        prop_assert!(found.trips.is_superset(&certain), "a trip is not found: {file}");
        prop_assert_eq!(read(file.as_bytes(), chunk), found);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6))]

    /// Several chunks of a megabyte: threads, runs and splits have the result of one reader.
    #[test]
    fn threads_and_pieces_do_not_matter(
        sections in sections(0..20_000, 4..8),
        threads in 1_usize..5,
        memory in prop_oneof![Just(usize::MAX), 1_usize..4_000_000],
    ) {
        let file = joined(&sections).into_bytes();
        let found = read(&file, 1 << 20);
        let (all, certain) = truth(&sections);
        prop_assert!(found.trips.is_subset(&all) && found.trips.is_superset(&certain));
        let (splits, in_pieces) = read_in_pieces(&file);
        prop_assert!(splits > 1 || file.len() < 2 << 20);
        prop_assert_eq!(&in_pieces, &found);
        prop_assert_eq!(&read_by_threads(file, threads, memory), &found);
    }
}
