//! The members of a record, by the fields of its plan.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use memchr::memchr3;

use crate::check::reject::Rejection;
use crate::feed::definition::{ColumnId, fold, is_passed_over};
use crate::feed::plan::Plan;
use crate::format::json::literal::{compact, unescape};
use crate::format::json::names::{LONGEST, OF_FEATURES};
use crate::format::json::scan::MAX_DEPTH;
use crate::format::json::syntax::{self, Cursor, Expected, Fault, Kind};
use crate::model::error::SqlState;
use crate::text::escape::quoted;

/// The most names of one object that are remembered. Others are looked up whenever they appear.
const MAX_NAMES: usize = 1024;
/// The member of a GeoJSON `Feature` with the members of its record.
pub(super) const PROPERTIES: &str = "properties";

/// The members that a plan has fields for.
#[derive(Debug)]
struct Paths {
    /// The field of each folded path: names joined by dots.
    fields: HashMap<String, usize>,
    /// Folded paths of objects with such members.
    objects: HashSet<String>,
    /// Whether members of `properties` are members of the record, too.
    are_features: bool,
}

impl Paths {
    fn of(plan: &Plan, are_features: bool) -> Self {
        let (mut fields, mut objects) = (HashMap::new(), HashSet::new());
        for (column, positions) in
            plan.feed().definition.columns.iter().zip(&plan.columns().positions)
        {
            // A column that is made of several fields has one for each spelling, in their order.
            for (number, folded) in column.folded.iter().enumerate() {
                let Some(field) = positions.get(number).or(positions.first()) else { continue };
                fields.insert(folded.clone(), *field);
                let dots = folded.match_indices('.').map(|(at, _)| folded[..at].to_owned());
                objects.extend(dots);
            }
        }
        if are_features {
            objects.insert(PROPERTIES.to_owned());
        }
        Self { fields, objects, are_features }
    }

    /// The paths that a member may be named by.
    fn names<'p>(&self, path: &'p str) -> impl Iterator<Item = &'p str> {
        let property = path.strip_prefix(PROPERTIES).and_then(|rest| rest.strip_prefix('.'));
        std::iter::once(path).chain(property.filter(|_| self.are_features))
    }
}

/// A member of the objects at one path.
#[derive(Debug, Clone, Copy, Default)]
struct Member {
    /// Its field.
    field: Option<usize>,
    /// The object, if it has members with fields.
    object: Option<usize>,
}

/// The objects at one path: their members in the order in which they were first seen.
#[derive(Debug, Default)]
struct Object {
    /// Its path, as in the file.
    path: String,
    /// Whether it is a column: its value has all of its members.
    is_column: bool,
    /// The names as in the file, with their escapes.
    members: Vec<(Box<[u8]>, Member)>,
}

/// The value of a field.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Value {
    /// The record does not have it, or it is null.
    #[default]
    Null,
    /// These bytes of the record.
    OfRecord(usize, usize),
    /// These bytes of the texts.
    OfTexts(usize, usize),
}

/// Reads records, one at a time.
#[derive(Debug)]
pub struct RecordMembers {
    plan: Plan,
    paths: Paths,
    objects: Vec<Object>,
    values: Vec<Value>,
    /// Texts that are not in the record as they are.
    texts: Vec<u8>,
    /// The values of the members that have no fields in them, with their own fields.
    listed: Vec<(Option<usize>, usize, usize)>,
    /// The paths of members that the feed does not know, escaped and quoted.
    not_stored: Vec<String>,
}

impl RecordMembers {
    /// For records of this plan, whose fields have these names.
    pub(super) fn of(plan: &Plan, are_features: bool) -> Self {
        Self {
            paths: Paths::of(plan, are_features),
            plan: plan.clone(),
            objects: vec![Object::default()],
            values: vec![Value::Null; plan.field_count],
            texts: Vec::new(),
            listed: Vec::new(),
            not_stored: Vec::new(),
        }
    }

    /// The paths of the members that the records had and the feed does not know, escaped and quoted: the outermost ones.
    pub(super) fn into_not_stored(self) -> Vec<String> {
        self.not_stored
    }

    /// Reads a record.
    ///
    /// # Errors
    /// 22P04 when it is not a JSON object, or has a member twice; 54000 when it has too many levels; 22021 when a member is
    /// not text.
    pub(super) fn read(&mut self, record: &[u8]) -> Result<(), Rejection> {
        self.values.fill(Value::Null);
        self.texts.clear();
        self.listed.clear();
        let mut cursor = Cursor { text: record, at: 0 };
        cursor.skip_space();
        let read = match record.get(cursor.at) {
            Some(b'{') => self.object(&mut cursor, 0, 0).and_then(|()| cursor.end()),
            _ => Err(Fault::token(cursor.at, "an object")),
        };
        read.map_err(|fault| rejection(&fault, record))
    }

    /// The text of the record that was read, with `"…"` instead of the values that may not be kept.
    pub(super) fn kept<'r>(&self, record: &'r [u8]) -> Cow<'r, [u8]> {
        let personal = &self.plan.feed().definition.personal;
        let of_field = &self.plan.columns().of_field;
        let column = |field: usize| of_field.get(field).copied().flatten();
        let is_omitted = |(field, begin, end): &&(Option<usize>, usize, usize)| {
            let may_keep = field.and_then(column).is_some_and(|column| !personal.contains(&column));
            !may_keep && record[*begin..*end] != *b"null"
        };
        let (mut kept, mut copied) = (Vec::new(), 0);
        for (_, begin, end) in self.listed.iter().filter(is_omitted) {
            kept.extend_from_slice(&record[copied..*begin]);
            kept.extend_from_slice("\"…\"".as_bytes());
            copied = *end;
        }
        kept.extend_from_slice(&record[copied..]);
        if copied == 0 { Cow::Borrowed(record) } else { Cow::Owned(kept) }
    }

    /// Reads the object at the cursor, which is inside this many levels.
    fn object(
        &mut self,
        cursor: &mut Cursor<'_>,
        number: usize,
        depth: usize,
    ) -> Result<(), Fault> {
        if depth >= MAX_DEPTH {
            return Err(Fault { at: cursor.at, expected: Expected::FewerLevels });
        }
        cursor.at += 1;
        if cursor.next_byte() == b'}' {
            cursor.at += 1;
            return Ok(());
        }
        let mut next = 0;
        loop {
            let (begin, end) = cursor.name()?;
            cursor.skip_space();
            let member = self.member(number, &cursor.text[begin..end], &mut next);
            let from = cursor.at;
            let is_object = cursor.text.get(from) == Some(&b'{');
            let (kind, is_entered) = match member.object {
                Some(object) if is_object => {
                    self.object(cursor, object, depth + 1)?;
                    (Kind::Container, true)
                }
                _ => (cursor.value(depth + 1)?, false),
            };
            if let Some(field) = member.field {
                let is_first = self.set(field, kind, cursor.text, (from, cursor.at));
                is_first.map_err(|expected| Fault { at: begin - 1, expected })?;
            }
            if !is_entered {
                self.listed.push((member.field, from, cursor.at));
            }
            if !cursor.continues(b'}')? {
                return Ok(());
            }
        }
    }

    /// The member with this name. Records have their members in the same order: `next` is the likely one.
    #[inline]
    fn member(&mut self, number: usize, name: &[u8], next: &mut usize) -> Member {
        let members = &self.objects[number].members;
        if let Some((own, member)) = members.get(*next)
            && **own == *name
        {
            *next += 1;
            return *member;
        }
        if let Some(at) = members.iter().position(|(own, _)| **own == *name) {
            *next = at + 1;
            return members[at].1;
        }
        self.new_member(number, name, next)
    }

    /// Finds what a name is that was not seen before.
    #[cold]
    fn new_member(&mut self, number: usize, name: &[u8], next: &mut usize) -> Member {
        let mut text = Vec::new();
        let parent = &self.objects[number].path;
        if !parent.is_empty() {
            text.extend_from_slice(parent.as_bytes());
            text.push(b'.');
        }
        if unescape(name, &mut text).is_err() {
            return Member::default();
        }
        let Ok(spelled) = String::from_utf8(text) else { return Member::default() };
        let path = fold(&spelled);
        let field = self.paths.names(&path).find_map(|path| self.paths.fields.get(path).copied());
        let has_members = self.paths.names(&path).any(|path| self.paths.objects.contains(path));
        let is_remembered = self.objects[number].members.len() < MAX_NAMES;
        let mut object = None;
        if field.is_none() && !has_members && is_remembered && !self.objects[number].is_column {
            self.add_not_stored(&spelled);
        }
        if has_members && is_remembered {
            object = Some(self.objects.len());
            let is_column = field.is_some();
            self.objects.push(Object { path: spelled, is_column, members: Vec::new() });
        }
        let member = Member { field, object };
        if is_remembered {
            self.objects[number].members.push((name.into(), member));
            *next = self.objects[number].members.len();
        }
        member
    }

    /// Adds the path of a member that has no column.
    fn add_not_stored(&mut self, path: &str) {
        let name = match path.strip_prefix(PROPERTIES).and_then(|rest| rest.strip_prefix('.')) {
            Some(property) if self.paths.are_features => property,
            _ if self.paths.are_features && OF_FEATURES.contains(&path) => return,
            _ => path,
        };
        if name.len() <= LONGEST && !is_passed_over(&fold(name)) {
            self.not_stored.push(quoted(name.trim_ascii().as_bytes()));
        }
    }

    /// Sets the value of a field: these bytes of the text.
    fn set(
        &mut self,
        field: usize,
        kind: Kind,
        text: &[u8],
        (from, to): (usize, usize),
    ) -> Result<(), Expected> {
        if kind == Kind::Null {
            return Ok(());
        }
        if self.values[field] != Value::Null {
            return Err(Expected::OneMember);
        }
        let begin = self.texts.len();
        let bytes = &text[from..to];
        let is_changed = match kind {
            Kind::String { has_escapes: true } => {
                unescape(&text[from + 1..to - 1], &mut self.texts)
                    .map_err(|_| Expected::Characters)?;
                true
            }
            Kind::Container if memchr3(b' ', b'\n', b'\t', bytes).is_some() => {
                compact(bytes, &mut self.texts);
                true
            }
            _ => false,
        };
        self.values[field] = match kind {
            _ if is_changed => Value::OfTexts(begin, self.texts.len()),
            Kind::String { .. } => Value::OfRecord(from + 1, to - 1),
            _ => Value::OfRecord(from, to),
        };
        Ok(())
    }
}

/// Why a text is not a record, if it is none.
pub(super) fn fault_of(text: &[u8]) -> Option<Rejection> {
    let is_object = text.trim_ascii_start().first() == Some(&b'{');
    let at = text.len() - text.trim_ascii_start().len();
    let read = if is_object { syntax::check(text) } else { Err(Fault::token(at, "an object")) };
    read.err().map(|fault| rejection(&fault, text))
}

/// Why a record cannot be read.
fn rejection(fault: &Fault, record: &[u8]) -> Rejection {
    let state = match fault.expected {
        Expected::FewerLevels => SqlState::ProgramLimitExceeded,
        Expected::Characters => SqlState::CharacterNotInRepertoire,
        Expected::Token(_) | Expected::OneMember => SqlState::BadCopyFileFormat,
    };
    Rejection::of_record(state, fault.describe(record))
}

impl RecordMembers {
    /// The text of a column of the record that was read.
    #[inline]
    pub(super) fn text<'r>(&'r self, record: &'r [u8], column: ColumnId) -> Option<Cow<'r, [u8]>> {
        let field = |at: usize| match self.values.get(at).copied().unwrap_or_default() {
            Value::Null => b"",
            Value::OfRecord(begin, end) => &record[begin..end],
            Value::OfTexts(begin, end) => &self.texts[begin..end],
        };
        let text = match self.plan.columns().positions[usize::from(column.0)][..] {
            [] => return None,
            [at] => field(at),
            [first, ref others @ ..] => {
                let nulls = &self.plan.feed().rules.nulls;
                let mut all = std::iter::once(first).chain(others.iter().copied());
                let value = all.find(|at| nulls.trimmed(field(*at)).is_some());
                field(value.unwrap_or(first))
            }
        };
        Some(Cow::Borrowed(text))
    }
}
