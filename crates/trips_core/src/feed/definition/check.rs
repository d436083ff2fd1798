//! What the members of a definition demand of each other.

use super::reader::{Errors, Node, member_path};
use super::{ColumnKind, Definition, IdentityColumn, IdentityRule, Place, TripEnd, ValueSource};
use crate::model::time_form::{TimeForms, TimeKind};

pub(super) const TITLE_EXPECTED: &str = "a text of 1 to 200 characters without blanks around it";

/// A text that can be stored: not empty, without blanks around it and without NUL.
pub(super) fn is_text(text: &str, longest: usize) -> bool {
    !text.is_empty()
        && text.trim() == text
        && !text.contains('\0')
        && text.chars().count() <= longest
}

/// Adds the faults between members.
pub(super) fn definition(definition: &Definition, root: &Node<'_>, errors: &mut Errors) {
    time(definition, root, errors);
    versions(definition, root, errors);
    sources(definition, root, errors);
    zone_ids(definition, root, errors);
    identity(definition, root, errors);
    personal(definition, root, errors);
    details(definition, root, errors);
}

fn time(definition: &Definition, root: &Node<'_>, errors: &mut Errors) {
    let time = root.member("time");
    let rule = &definition.time;
    if rule.kind != TimeKind::Local && rule.zone.is_none() {
        time.member("zone").fault("a time zone, as the kind is not local", errors);
    }
    let mut faults: Vec<(usize, &'static str)> = Vec::new();
    for (at, form) in rule.forms.iter().enumerate() {
        if rule.forms[..at].contains(form) {
            faults.push((at, "each pattern once"));
        } else if let Err(fault) =
            TimeForms::compile(std::slice::from_ref(form), rule.kind, rule.hour_24)
        {
            faults.push((at, fault.expected));
        }
    }
    if faults.is_empty() && !rule.forms.is_empty() {
        let all = TimeForms::compile(&rule.forms, rule.kind, rule.hour_24);
        faults.extend(all.err().map(|fault| (fault.index, fault.expected)));
    }
    for (at, expected) in faults {
        let form = rule.forms.get(at).map_or("", String::as_str);
        let found = crate::text::escape::quoted(form.as_bytes());
        errors.add(format!("{}.forms[{at}]", time.path), found, expected);
    }
}

fn versions(definition: &Definition, root: &Node<'_>, errors: &mut Errors) {
    let versions = root.member("versions");
    for version in &definition.versions {
        let has = |column| version.required.iter().any(|required| required.column() == column);
        if !definition.time.columns.iter().all(|column| has(*column)) {
            let path = member_path(&versions.path, &version.name);
            let found = "a version without a column of the time".into();
            errors.add(path, found, "all columns of $.time.columns in each version");
        }
    }
}

/// Regions, data sources, and what they need.
fn sources(definition: &Definition, root: &Node<'_>, errors: &mut Errors) {
    let has_zone = |end: TripEnd| {
        let places = match end {
            TripEnd::Origin => &definition.origin,
            TripEnd::Destination => &definition.destination,
        };
        places.iter().any(|place| matches!(place, Place::Zone { .. }))
    };
    for (name, values) in [("region", &definition.region), ("datasource", &definition.datasource)] {
        for (at, value) in values.iter().enumerate() {
            let (member, expected) = match value {
                ValueSource::Area(_) if definition.areas.is_empty() => ("area", "areas in $.areas"),
                ValueSource::Zone(end) if !has_zone(*end) => {
                    ("zone", "a place with a zone_set there")
                }
                _ => continue,
            };
            let path = format!("$.{name}[{at}].{member}");
            errors.add(path, "a value that nothing gives".into(), expected);
        }
        let is_whole = match values.as_slice() {
            [ValueSource::Column(_)] => true,
            values => matches!(values.last(), Some(ValueSource::Constant(_)) | None),
        };
        if !is_whole {
            let expected = "a constant as the last entry, or a single column";
            root.member(name).fault(expected, errors);
        }
    }
    if definition.stations.is_some() && definition.station_set().is_none() {
        let expected = "a place with a zone_set in $.origin or $.destination";
        root.member("stations").fault(expected, errors);
    }
}

/// Ids of zones are texts: a number or a time is none of them.
fn zone_ids(definition: &Definition, root: &Node<'_>, errors: &mut Errors) {
    for (member, places) in
        [("origin", &definition.origin), ("destination", &definition.destination)]
    {
        for (at, place) in places.iter().enumerate() {
            let Place::Zone { id, .. } = place else { continue };
            let column = definition.get(*id);
            if !matches!(column.kind, ColumnKind::Id { .. } | ColumnKind::Text) {
                let path = format!("{}[{at}].id", root.member(member).path);
                let found = crate::text::escape::quoted(column.name.as_bytes());
                errors.add(path, found, "a column of the type id or text");
            }
        }
    }
}

fn identity(definition: &Definition, root: &Node<'_>, errors: &mut Errors) {
    let node = root.member("identity");
    let columns = node.member("columns");
    let places = definition.origin.iter().chain(&definition.destination);
    match &definition.identity {
        IdentityRule::Content => {
            if places.into_iter().any(|place| matches!(place, Place::Zone { .. })) {
                let expected = "columns or source_id, as a place of a zone can become known later";
                node.member("scheme").fault(expected, errors);
            }
        }
        IdentityRule::Columns { columns: of, .. } => {
            let has_time = of.contains(&IdentityColumn::Time);
            if !of.is_empty() && !has_time {
                columns.fault("@time among the columns", errors);
            }
            if of.contains(&IdentityColumn::EndedAt) && definition.ended_at.is_none() {
                columns.fault("@ended_at only with $.ended_at", errors);
            }
        }
        IdentityRule::SourceId { .. } => {}
    }
}

/// Columns that are stored, and must not be personal.
fn personal(definition: &Definition, root: &Node<'_>, errors: &mut Errors) {
    let used = definition.used_columns();
    for (at, column) in definition.personal.iter().enumerate() {
        if used.contains(column) {
            let path = format!("{}[{at}]", root.member("personal").path);
            let found = crate::text::escape::quoted(definition.get(*column).name.as_bytes());
            errors.add(path, found, "a column that nothing else in the definition uses");
        }
    }
}

/// `utc_offset` in details is the offset of an instant.
fn details(definition: &Definition, root: &Node<'_>, errors: &mut Errors) {
    for (at, column) in definition.details.iter().enumerate() {
        if definition.get(*column).name == "utc_offset" {
            let path = format!("{}[{at}]", root.member("details").path);
            errors.add(
                path,
                "\"utc_offset\"".into(),
                "another name: it is the offset of an instant",
            );
        }
    }
}
