//! Which rooms write which tables, by the SQL and the COPY calls in the sources.

use std::collections::{BTreeMap, BTreeSet};

use crate::arrows::room_of;

/// What a statement that writes has in front of the name of its table; the last one is our own function for COPY.
const WRITES: [&str; 8] = [
    "INSERT INTO ",
    "UPDATE ",
    "UPDATE ONLY ",
    "DELETE FROM ",
    "DELETE FROM ONLY ",
    "MERGE INTO ",
    "TRUNCATE ",
    "copy(c\"",
];

/// The tables that a source writes, in the order of their statements.
pub fn written_tables(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices("trips.").chain(text.match_indices("trips_internal.")) {
        if WRITES.iter().any(|write| text[..at].ends_with(write)) {
            let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
            let name: String = text[at..].chars().take_while(|&c| is_name(c)).collect();
            found.push((at, name));
        }
    }
    found.sort();
    // A name that the program completes (`trips.{table}`) is no name yet.
    found.into_iter().map(|(_, name)| name).filter(|name| !name.ends_with('.')).collect()
}

/// The rooms that write each table.
pub fn rooms_by_table<'a>(
    sources: impl Iterator<Item = (&'a str, &'a str)>,
) -> BTreeMap<String, BTreeSet<String>> {
    let mut rooms: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (path, text) in sources {
        for table in written_tables(text) {
            rooms.entry(table).or_default().insert(room_of(path));
        }
    }
    rooms
}
