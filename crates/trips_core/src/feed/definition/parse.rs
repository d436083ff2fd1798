//! A definition from its JSON. All faults are collected: a user mends them at once.

use std::collections::HashMap;

use serde_json::Value;

use super::check::{self, is_text};
use super::name::fold;
use super::reader::{Errors, Members, Node, member_path};
use super::rules::Reader;
use super::{Column, ColumnId, ColumnKind, Definition, DefinitionError, Required, Version};

/// The most bytes of a definition.
const MAX_BYTES: usize = 262_144;
/// The most columns, and the most names of one list.
pub(super) const MAX_COLUMNS: usize = 200;
const MAX_SPELLINGS: usize = 32;
const MAX_VERSIONS: usize = 64;
const NAME_EXPECTED: &str = "a name of 1 to 200 characters without blanks around it";

const DEFINITION: Members = Members {
    names: &[
        "name",
        "title",
        "columns",
        "versions",
        "without",
        "form",
        "time",
        "ended_at",
        "origin",
        "destination",
        "box",
        "zero",
        "areas",
        "region",
        "datasource",
        "identity",
        "trip_id",
        "details",
        "personal",
        "raw_line",
        "stations",
        "notes",
    ],
    expected: "name, title, columns, versions, without, form, time, ended_at, origin, destination, box, zero, areas, \
               region, datasource, identity, trip_id, details, personal, raw_line, stations or notes",
};
const COLUMN: Members = Members {
    names: &["also", "type", "decimals", "zeros", "coalesce"],
    expected: "also, type, decimals, zeros or coalesce",
};

/// Reads a definition.
pub(super) fn definition(json: &str) -> Result<Definition, Vec<DefinitionError>> {
    let mut errors = Errors::default();
    if json.len() > MAX_BYTES {
        let found = format!("a document of {} bytes", json.len());
        errors.add("$".into(), found, "a document of up to 262144 bytes");
        return Err(errors.into_vec());
    }
    let value: Value = match serde_json::from_str(json) {
        Ok(value) => value,
        Err(error) => {
            errors.add("$".into(), format!("a text that is not JSON ({error})"), "an object");
            return Err(errors.into_vec());
        }
    };
    match object(&Node::root(&value), &mut errors) {
        Some(definition) if errors.is_empty() => Ok(definition),
        _ => Err(errors.into_vec()),
    }
}

fn object(root: &Node<'_>, errors: &mut Errors) -> Option<Definition> {
    root.object(&DEFINITION, errors)?;
    let name = word(&root.member("name"), errors);
    let title = root.member("title");
    let title = title.text(|text| is_text(text, 200), check::TITLE_EXPECTED, errors);
    let (columns, spellings) = columns(&root.member("columns"), errors);
    let mut reader = Reader { columns: &columns, spellings: &spellings, errors };
    let versions = versions(&root.member("versions"), &mut reader);
    let without = reader.without(&root.member("without"));
    let form = reader.form(&root.member("form"));
    let time = reader.time(&root.member("time"));
    let ended_at = reader.ended_at(&root.member("ended_at"));
    let origin = reader.places(&root.member("origin"));
    let destination = reader.places(&root.member("destination"));
    let bounds = reader.bounds(&root.member("box"));
    let zero = reader.zero(&root.member("zero"));
    let areas = reader.areas(&root.member("areas"));
    let region = reader.values(&root.member("region"));
    let datasource = match root.member("datasource") {
        node if node.exists() => reader.values(&node),
        _ => vec![super::ValueSource::Constant(title.unwrap_or_default().into())],
    };
    let identity = reader.identity(&root.member("identity"), name.unwrap_or_default());
    let trip_id = root.member("trip_id");
    let trip_id = if trip_id.exists() { reader.column(&trip_id) } else { None };
    let details = reader.column_list(&root.member("details"));
    let personal = reader.column_list(&root.member("personal"));
    let raw_line = reader.raw_line(&root.member("raw_line"));
    let stations = reader.stations(&root.member("stations"));
    let notes = reader.notes(&root.member("notes"));
    let definition = Definition {
        name: name?.into(),
        title: title?.into(),
        versions,
        without,
        form,
        time: time?,
        ended_at,
        origin,
        destination,
        bounds,
        zero,
        areas,
        region,
        datasource,
        identity: identity?,
        trip_id,
        details,
        personal,
        raw_line,
        stations,
        notes,
        columns,
        spellings,
    };
    check::definition(&definition, root, errors);
    Some(definition)
}

/// A name of a feed, of a namespace, or of a set of zones.
pub(super) fn word<'v>(node: &Node<'v>, errors: &mut Errors) -> Option<&'v str> {
    let is_letter = |byte: u8| byte.is_ascii_lowercase();
    let is_valid = |text: &str| {
        text.len() <= 63
            && text.bytes().next().is_some_and(is_letter)
            && text.bytes().all(|byte| is_letter(byte) || byte.is_ascii_digit() || byte == b'_')
    };
    node.text(is_valid, "a name of letters a-z, digits and _, up to 63 characters", errors)
}

/// The columns, and every folded spelling.
fn columns(node: &Node<'_>, errors: &mut Errors) -> (Vec<Column>, HashMap<String, ColumnId>) {
    let mut columns = Vec::new();
    let mut spellings = HashMap::new();
    let Some(members) = node.map("an object of columns", errors) else {
        return (columns, spellings);
    };
    if members.is_empty() || members.len() > MAX_COLUMNS {
        node.fault("an object of 1 to 200 columns", errors);
        return (columns, spellings);
    }
    for (name, id) in members.keys().zip(0_u16..) {
        let node = node.member(name);
        if !is_text(name, 200) || name.starts_with('@') || fold(name).is_empty() {
            let found = format!("the name {}", crate::text::escape::quoted(name.as_bytes()));
            errors.add(node.path.clone(), found, NAME_EXPECTED);
        }
        let also = spellings_of(&node.member("also"), errors);
        let own = std::iter::once((node.path.clone(), name.clone()));
        let mut names = Vec::with_capacity(also.len() + 1);
        for (path, spelling) in own.chain(also) {
            if let Some(other) = spellings.insert(fold(&spelling), ColumnId(id)) {
                let of = if other == ColumnId(id) { "twice" } else { "also in another column" };
                let spelling = crate::text::escape::quoted(spelling.as_bytes());
                errors.add(path, format!("{spelling}, {of}"), "a name that is in no other column");
            }
            names.push(spelling);
        }
        columns.push(column(name, names, &node, errors));
    }
    (columns, spellings)
}

fn column(name: &str, spellings: Vec<String>, node: &Node<'_>, errors: &mut Errors) -> Column {
    let _ = node.object(&COLUMN, errors);
    let types = ["text", "number", "id", "time", "json"].map(|word| (word, word));
    let expected = "text, number, id, time or json";
    let kind = node.member("type").word(&types, "text", expected, errors);
    let (decimals, zeros) = (node.member("decimals"), node.member("zeros"));
    for member in [&decimals, &zeros] {
        if member.exists() && kind != "id" {
            member.fault("nothing, as the type is not id", errors);
        }
    }
    let decimals = decimals.whole_or(None, (1, 9), "a whole number from 1 to 9", errors);
    let strip_zeros =
        zeros.word(&[("keep", false), ("strip", true)], false, "keep or strip", errors);
    let kind = match kind {
        "number" => ColumnKind::Number,
        "id" => ColumnKind::Id {
            decimals: decimals.and_then(|digits| u8::try_from(digits).ok()),
            strip_zeros,
        },
        "time" => ColumnKind::Time,
        "json" => ColumnKind::Json,
        _ => ColumnKind::Text,
    };
    let coalesce = node.member("coalesce").bool_or(false, errors);
    let folded = spellings.iter().map(|name| fold(name)).collect();
    Column { name: name.into(), spellings, folded, kind, coalesce }
}

/// Spellings of names, each with its path.
pub(super) fn spellings_of(node: &Node<'_>, errors: &mut Errors) -> Vec<(String, String)> {
    if !node.exists() {
        return Vec::new();
    }
    let items = node.items((1, MAX_SPELLINGS), "a list of 1 to 32 names", errors);
    let spelling = |item: Node<'_>, errors: &mut Errors| {
        let text = item.text(is_name, NAME_EXPECTED, errors)?;
        Some((item.path.clone(), text.to_owned()))
    };
    items.into_iter().filter_map(|item| spelling(item, errors)).collect()
}

/// A name that a header can have. Blanks around it are legal: they are not compared.
fn is_name(text: &str) -> bool {
    text.chars().count() <= 200 && !fold(text).is_empty()
}

fn versions(node: &Node<'_>, reader: &mut Reader<'_>) -> Vec<Version> {
    let expected = "an object of 1 to 64 lists of names";
    let Some(members) = node.map(expected, reader.errors) else { return Vec::new() };
    if members.is_empty() || members.len() > MAX_VERSIONS {
        node.fault(expected, reader.errors);
        return Vec::new();
    }
    let mut versions = Vec::with_capacity(members.len());
    for name in members.keys() {
        let list = node.member(name);
        if !is_text(name, 63) {
            let path = member_path(&node.path, name);
            let found = "the name of a version".into();
            reader.errors.add(path, found, "a name of 1 to 63 characters without blanks around it");
        }
        let expected = "a list of 1 to 200 names";
        let items = list.items((1, MAX_COLUMNS), expected, reader.errors);
        let mut required: Vec<Required> = Vec::with_capacity(items.len());
        for item in &items {
            let Some(name) = reader.required(item) else { continue };
            if required.iter().any(|other| other.includes(&name) || name.includes(other)) {
                item.fault("each name once", reader.errors);
            }
            required.push(name);
        }
        versions.push(Version { name: name.clone(), required });
    }
    versions
}
