//! The names in a JSON file: those of the members of its first records.

use crate::feed::definition::{Definition, fold, is_passed_over};
use crate::feed::detect::Catalogue;
use crate::format::json::chunk::JsonChunk;
use crate::format::json::literal::unescape;
use crate::format::json::members::PROPERTIES;
use crate::format::json::scan::MAX_DEPTH;
use crate::format::json::syntax::{self, Cursor, Fault};

/// The most records whose names are read.
const RECORDS: usize = 1000;
/// The most names.
const NAMES: usize = 10_000;
/// The longest name that is a column, in bytes.
pub(super) const LONGEST: usize = 1000;
/// The levels of objects whose members are columns.
const LEVELS: usize = 8;
/// Members of a GeoJSON `Feature` that say nothing of its record.
pub(super) const OF_FEATURES: [&str; 2] = ["type", "bbox"];

/// A member, and those of its objects.
#[derive(Debug, Default)]
struct Name {
    /// The names from the record to it, joined by dots.
    path: String,
    /// Its own name as in the file.
    raw: Box<[u8]>,
    members: Vec<Name>,
    /// Whether some record has a value for it.
    has_value: bool,
}

/// The names of the first records of a file.
#[derive(Debug, Default)]
pub struct Names {
    root: Name,
    count: usize,
}

impl Names {
    /// The names of the first records of a chunk. Records with faults have none.
    pub(super) fn of(chunk: &JsonChunk, max_record: usize) -> Self {
        let mut names = Self::default();
        for record in chunk.texts(max_record).take(RECORDS) {
            if record.fault.is_some() || syntax::check(record.bytes).is_err() {
                continue;
            }
            let mut cursor = Cursor { text: record.bytes, at: 0 };
            if cursor.next_byte() == b'{' {
                // It was checked.
                let _ = add(&mut cursor, &mut names.root, &mut names.count, 0);
            }
        }
        names
    }

    /// Whether no record has a member.
    pub(super) fn is_empty(&self) -> bool {
        self.root.members.is_empty()
    }

    /// Whether the records are GeoJSON features, whose members are in `properties`.
    pub(super) fn are_features(&self) -> bool {
        let has = |name: &str| self.root.members.iter().any(|member| member.path == name);
        has("type") && has("geometry") && has(PROPERTIES)
    }

    /// All names by which the feed of the file is found. A member that is null everywhere may be an object: it has all
    /// members that some feed knows.
    pub(super) fn for_detection(&self, catalogue: &Catalogue) -> Vec<String> {
        let mut all = Vec::new();
        let mut nulls = Vec::new();
        self.each(&mut |name| {
            all.push(name.path.clone());
            if !name.has_value {
                nulls.push(below(&name.path));
            }
        });
        for (folded, _) in catalogue.feeds().iter().flat_map(|feed| feed.spellings()) {
            if nulls.iter().any(|null| folded.starts_with(null)) {
                all.push(folded.to_owned());
            }
        }
        if self.are_features() {
            let property =
                |path: &String| Some(path.strip_prefix(PROPERTIES)?.strip_prefix('.')?.to_owned());
            let properties: Vec<String> = all.iter().filter_map(property).collect();
            all.extend(properties);
        }
        all
    }

    /// The names of the fields of a feed's records, and the outermost ones of the others.
    pub(super) fn of_feed(&self, feed: &Definition) -> Vec<String> {
        let mut names = Vec::new();
        for member in &self.root.members {
            if self.are_features() && OF_FEATURES.contains(&member.path.as_str()) {
                continue;
            }
            if self.are_features() && member.path == PROPERTIES {
                for member in &member.members {
                    of_feed(member, PROPERTIES.len() + 1, feed, &mut names);
                }
            } else {
                of_feed(member, 0, feed, &mut names);
            }
        }
        names
    }

    fn each<'n>(&'n self, f: &mut impl FnMut(&'n Name)) {
        fn each<'n>(name: &'n Name, f: &mut impl FnMut(&'n Name)) {
            for member in &name.members {
                f(member);
                each(member, f);
            }
        }
        each(&self.root, f);
    }
}

/// What the folded paths of members of an object begin with.
fn below(path: &str) -> String {
    let mut below = fold(path);
    below.push('.');
    below
}

/// Whether a feed knows a path, or one in it.
fn is_known(name: &Name, skipped: usize, feed: &Definition) -> bool {
    feed.column_of_folded(&fold(&name.path[skipped..])).is_some()
        || name.members.iter().any(|member| is_known(member, skipped, feed))
}

/// Adds the names that the feed knows, and the outermost ones of the others. `skipped` bytes of a path are no part of the
/// name.
fn of_feed(name: &Name, skipped: usize, feed: &Definition, names: &mut Vec<String>) {
    let path = &name.path[skipped..];
    let folded = fold(path);
    let is_column = feed.column_of_folded(&folded).is_some();
    let is_inside = name.members.iter().any(|member| is_known(member, skipped, feed));
    if !is_column && !name.has_value && name.members.is_empty() {
        let below = below(path);
        let known = feed.spellings().filter(|(spelling, _)| spelling.starts_with(&below));
        let known: Vec<String> = known.map(|(spelling, _)| spelling.to_owned()).collect();
        if !known.is_empty() {
            names.extend(known);
            return;
        }
    }
    if is_column || !is_inside {
        if !is_passed_over(&folded) {
            names.push(path.to_owned());
        }
        if !is_inside {
            return;
        }
    }
    for member in &name.members {
        // Other members of a column are in its value.
        if !is_column || is_known(member, skipped, feed) {
            of_feed(member, skipped, feed, names);
        }
    }
}

/// Adds the names of the object at the cursor.
fn add(
    cursor: &mut Cursor<'_>,
    object: &mut Name,
    count: &mut usize,
    depth: usize,
) -> Result<(), Fault> {
    cursor.at += 1;
    if cursor.next_byte() == b'}' {
        cursor.at += 1;
        return Ok(());
    }
    let mut next = 0;
    loop {
        let (begin, end) = cursor.name()?;
        let byte = cursor.next_byte();
        match member(object, &cursor.text[begin..end], count, &mut next) {
            Some(name) => {
                name.has_value |= !matches!(byte, b'n' | b'{');
                if byte == b'{' && depth < LEVELS {
                    add(cursor, name, count, depth + 1)?;
                } else {
                    cursor.value(depth + 1)?;
                }
            }
            None => {
                cursor.value(depth + 1)?;
            }
        }
        if !cursor.continues(b'}')? {
            return Ok(());
        }
    }
}

/// The member of an object with this name; None if there are too many, or if it is too long or no text.
fn member<'n>(
    object: &'n mut Name,
    raw: &[u8],
    count: &mut usize,
    next: &mut usize,
) -> Option<&'n mut Name> {
    let is_it = |name: &Name| *name.raw == *raw;
    let at = match object.members.get(*next) {
        Some(likely) if is_it(likely) => Some(*next),
        _ => object.members.iter().position(is_it),
    };
    let at = match at {
        Some(at) => at,
        None if *count >= NAMES => return None,
        None => {
            let mut text = Vec::new();
            unescape(raw, &mut text).ok()?;
            let name = String::from_utf8(text).ok()?;
            let path =
                if object.path.is_empty() { name } else { format!("{}.{name}", object.path) };
            if path.len() > LONGEST {
                return None;
            }
            *count += 1;
            object.members.push(Name { path, raw: raw.into(), ..Name::default() });
            object.members.len() - 1
        }
    };
    *next = at + 1;
    object.members.get_mut(at)
}

const _: () = assert!(LEVELS < MAX_DEPTH);
