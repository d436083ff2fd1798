//! `docs/feeds.md` lists the built-in feeds as their definitions have them.
//!
//! `TRIPS_WRITE_DOCS=1 cargo test -p trips_core --test feeds_page` writes the list into the document.

use std::fmt::Write;
use std::path::Path;

use trips_core::feed::builtin;
use trips_core::feed::definition::{
    ColumnId, Definition, Dialect, Encoding, EndedAt, IdentityColumn, IdentityRule, LinePoint,
    Place, Required, SameId, TimeKind, TripEnd, Unproved, ValueSource, Version,
};

const BEGIN: &str = "<!-- feeds: generated, from here -->\n";
const END: &str = "<!-- feeds: generated, to here -->\n";

#[test]
fn the_list_of_feeds_is_that_of_the_definitions() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/feeds.md");
    let page = std::fs::read_to_string(&path).expect("docs/feeds.md");
    let (before, rest) = page.split_once(BEGIN).expect("the mark before the list");
    let (_, behind) = rest.split_once(END).expect("the mark behind the list");
    let expected = format!("{before}{BEGIN}{}{END}{behind}", list());
    if std::env::var_os("TRIPS_WRITE_DOCS").is_some() {
        std::fs::write(&path, &expected).expect("docs/feeds.md is written");
    }
    let page = std::fs::read_to_string(&path).expect("docs/feeds.md");
    assert!(
        page == expected,
        "docs/feeds.md is not that of the definitions; write it with TRIPS_WRITE_DOCS=1"
    );
}

fn list() -> String {
    let feeds = builtin::all();
    let versions: usize = feeds.iter().map(|feed| feed.versions.len()).sum();
    let mut out = format!("\n{} feeds have {versions} versions.\n\n", feeds.len());
    out.push_str("| feed | files | versions | identity | places |\n|---|---|---|---|---|\n");
    for feed in feeds {
        let (name, title) = (&feed.name, &feed.title);
        let count = feed.versions.len();
        let (identity, places) = (scheme(feed), places_in_short(feed));
        let _ =
            writeln!(out, "| [`{name}`](#{name}) | {title} | {count} | {identity} | {places} |");
    }
    out.push('\n');
    shared_headers(&mut out);
    for feed in feeds {
        section(feed, &mut out);
    }
    out
}

/// The feeds whose header is that of several systems.
fn shared_headers(out: &mut String) {
    out.push_str("Systems with the same header, which only the coordinates distinguish:\n\n");
    for feed in builtin::all().iter().filter(|feed| !feed.areas.is_empty()) {
        let area = |area: &trips_core::feed::definition::Area| match &area.datasource {
            Some(source) => format!("{source} ({})", area.region),
            None => area.region.clone(),
        };
        let areas: Vec<String> = feed.areas.iter().map(area).collect();
        let _ = writeln!(out, "- `{}`: {}", feed.name, areas.join(", "));
    }
    out.push('\n');
}

fn scheme(feed: &Definition) -> &'static str {
    match &feed.identity {
        IdentityRule::Content => "the five values",
        IdentityRule::Columns { occurrence: true, .. } => "columns, occurrence",
        IdentityRule::Columns { .. } => "columns",
        IdentityRule::SourceId { .. } => "the feed's id",
    }
}

fn places_in_short(feed: &Definition) -> String {
    let short = |place: &Place| match place {
        Place::Zone { set, .. } if set == "nyc_taxi_zones" => "built-in zones",
        Place::Zone { .. } => "station files",
        _ => "coordinates",
    };
    let mut kinds: Vec<&str> = feed.origin.iter().chain(&feed.destination).map(short).collect();
    kinds.dedup();
    kinds.sort_unstable();
    kinds.dedup();
    if kinds.is_empty() { "none".into() } else { kinds.join(", ") }
}

fn section(feed: &Definition, out: &mut String) {
    let _ = writeln!(
        out,
        "### {}\n\n{}. The header has all names of a version:\n",
        feed.name, feed.title
    );
    for version in &feed.versions {
        let names: Vec<String> = required(feed, version).map(|name| code(&name)).collect();
        let _ = writeln!(out, "- `{}`: {}", version.name, names.join(", "));
    }
    if !feed.without.is_empty() {
        let names: Vec<String> = feed.without.iter().map(|name| code(name)).collect();
        let _ = writeln!(out, "- and none of {}", names.join(", "));
    }
    out.push_str("\n| member | value |\n|---|---|\n");
    for (member, value) in rows(feed) {
        if !value.is_empty() {
            let _ = writeln!(out, "| {member} | {} |", value.replace('|', "\\|"));
        }
    }
    out.push('\n');
    if !feed.notes.is_empty() {
        for note in &feed.notes {
            let _ = writeln!(out, "- {note}");
        }
        out.push('\n');
    }
}

fn required<'f>(feed: &'f Definition, version: &'f Version) -> impl Iterator<Item = String> + 'f {
    version.required.iter().map(|required| {
        let column = feed.get(required.column());
        match required {
            Required::Column(_) => column.name.clone(),
            Required::Spelling(folded, _) => {
                let mut spellings = column.spellings.iter().zip(&column.folded);
                let found = spellings.find(|(_, other)| *other == folded);
                found.map_or(folded.clone(), |(name, _)| name.clone())
            }
        }
    })
}

fn rows(feed: &Definition) -> Vec<(&'static str, String)> {
    let personal = columns(feed, &feed.personal);
    let spellings: Vec<String> = feed
        .columns
        .iter()
        .filter(|c| c.spellings.len() > 1)
        .map(|column| {
            let others: Vec<String> = column.spellings[1..].iter().map(|name| code(name)).collect();
            format!("{} is also {}", code(&column.name), others.join(", "))
        })
        .collect();
    vec![
        ("other spellings", spellings.join("; ")),
        ("files", form(feed)),
        ("`date_time`", time(feed)),
        ("`ended_at`", ended_at(feed)),
        ("`origin_coord`", places(feed, &feed.origin)),
        ("`destination_coord`", places(feed, &feed.destination)),
        ("box", bounds(feed)),
        ("`region`", values(feed, &feed.region)),
        ("`datasource`", values(feed, &feed.datasource)),
        ("identity", identity(feed)),
        ("`trip_id`", feed.trip_id.map(|column| of(feed, column)).unwrap_or_default()),
        ("`details`", columns(feed, &feed.details)),
        ("never stored", personal),
        ("stations", stations(feed)),
    ]
}

/// A name in a code span; the blanks of names are kept by it.
fn code(name: &str) -> String {
    format!("`{name}`")
}

fn of(feed: &Definition, column: ColumnId) -> String {
    code(&feed.get(column).name)
}

fn columns(feed: &Definition, columns: &[ColumnId]) -> String {
    columns.iter().map(|column| of(feed, *column)).collect::<Vec<_>>().join(", ")
}

fn form(feed: &Definition) -> String {
    let form = &feed.form;
    let dialect = |dialect: &Dialect| {
        let delimiter = if dialect.delimiter == b'\t' {
            "tab".into()
        } else {
            code(&char::from(dialect.delimiter).to_string())
        };
        match dialect.decimal.byte() {
            b',' => format!("{delimiter} with decimal commas"),
            _ => delimiter,
        }
    };
    let mut parts = vec![format!(
        "delimiter {}",
        form.dialects.iter().map(dialect).collect::<Vec<_>>().join(" or ")
    )];
    let encodings: Vec<&str> =
        form.encodings.iter().map(|encoding| Encoding::name(*encoding)).collect();
    if encodings != ["utf-8"] {
        parts.push(encodings.join(" or "));
    }
    if !form.nulls.is_empty() {
        parts.push(format!(
            "NULL is also {}",
            form.nulls.iter().map(|word| code(word)).collect::<Vec<_>>().join(", ")
        ));
    }
    if form.surplus_empty {
        parts.push("empty fields beyond the header are passed over".into());
    }
    parts.join("; ")
}

fn time(feed: &Definition) -> String {
    let rule = &feed.time;
    let forms: Vec<String> = rule.forms.iter().map(|form| code(form)).collect();
    let zone = rule.zone.as_deref().unwrap_or("of the feed");
    let kind = match rule.kind {
        TimeKind::Local => format!("local time, {zone}"),
        TimeKind::Utc => format!("UTC, stored in the time of {zone}"),
        TimeKind::Offset => format!("with an offset, stored in the time of {zone}"),
    };
    let mut text = format!("{}: {}; {kind}", columns(feed, &rule.columns), forms.join(" or "));
    if rule.hour_24 {
        text.push_str("; `24:00` is midnight of the next day");
    }
    if rule.unproved == Unproved::First {
        text.push_str(
            "; the first form counts if the file does not prove its order of day and month",
        );
    }
    text
}

fn ended_at(feed: &Definition) -> String {
    match &feed.ended_at {
        None => String::new(),
        Some(EndedAt::Columns(names)) => columns(feed, names),
        Some(EndedAt::Points { points, seconds }) => {
            format!(
                "the start and {seconds} seconds for each point of {} after the first",
                of(feed, *points)
            )
        }
    }
}

fn places(feed: &Definition, places: &[Place]) -> String {
    let place = |place: &Place| match place {
        Place::LonLat { longitude, latitude } => {
            format!("{}, {}", of(feed, *longitude), of(feed, *latitude))
        }
        Place::Wkt(column) => format!("WKT in {}", of(feed, *column)),
        Place::LatLonText(column) => format!("latitude and longitude in {}", of(feed, *column)),
        Place::GeoJson(column, LinePoint::First) => {
            format!("the first point of {}", of(feed, *column))
        }
        Place::GeoJson(column, LinePoint::Last) => {
            format!("the last point of {}", of(feed, *column))
        }
        Place::Zone { set, id } => format!("{} in the zones `{set}`", of(feed, *id)),
    };
    places.iter().map(place).collect::<Vec<_>>().join("; else ")
}

fn bounds(feed: &Definition) -> String {
    let text = |b: trips_core::feed::definition::BoundingBox| {
        format!("longitude {} to {}, latitude {} to {}", b.west, b.east, b.south, b.north)
    };
    feed.bounds.map(text).unwrap_or_default()
}

fn values(feed: &Definition, values: &[ValueSource]) -> String {
    let end = |end: &TripEnd| match end {
        TripEnd::Origin => "origin",
        TripEnd::Destination => "destination",
    };
    let value = |value: &ValueSource| match value {
        ValueSource::Constant(text) => text.clone(),
        ValueSource::Column(column) => of(feed, *column),
        ValueSource::Zone(of) => format!("that of the zone of the {}", end(of)),
        ValueSource::Area(of) => format!("that of the area of the {}", end(of)),
    };
    values.iter().map(value).collect::<Vec<_>>().join("; else ")
}

fn identity(feed: &Definition) -> String {
    let in_namespace = |namespace: &str| match namespace == feed.name {
        true => String::new(),
        false => format!(", in the namespace `{namespace}`"),
    };
    match &feed.identity {
        IdentityRule::Content => "scheme `content`".into(),
        IdentityRule::Columns { namespace, columns, occurrence } => {
            let column = |column: &IdentityColumn| match column {
                IdentityColumn::Column(column) => of(feed, *column),
                IdentityColumn::Time => "the start".into(),
                IdentityColumn::EndedAt => "the end".into(),
            };
            let names = columns.iter().map(column).collect::<Vec<_>>().join(", ");
            let equal = if *occurrence { "; equal records are trips of their own" } else { "" };
            format!("scheme `columns`: {names}{}{equal}", in_namespace(namespace))
        }
        IdentityRule::SourceId { namespace, columns: ids, window_days, policy } => {
            let policy = match policy {
                SameId::Keep => "the first stays",
                SameId::Replace => "the last replaces",
                SameId::Stage => "it is staged",
            };
            let (names, days) =
                (columns(feed, ids), if *window_days == 1 { "day" } else { "days" });
            format!(
                "scheme `source_id`: {names}{}; the same id within {window_days} {days}: {policy}",
                in_namespace(namespace)
            )
        }
    }
}

fn stations(feed: &Definition) -> String {
    let Some(stations) = &feed.stations else { return String::new() };
    let names =
        |names: &[String]| names.iter().map(|name| code(name)).collect::<Vec<_>>().join(" or ");
    let valid = if stations.by_year { "; valid for the year in the name of the file" } else { "" };
    let pair = || format!("{} and {}", names(&stations.longitude), names(&stations.latitude));
    let mut places = Vec::new();
    places.extend((!stations.longitude.is_empty()).then(pair));
    places.extend((!stations.lat_lon.is_empty()).then(|| names(&stations.lat_lon)));
    places.extend((!stations.wkt.is_empty()).then(|| names(&stations.wkt)));
    format!("a file with {}; and {}{valid}", names(&stations.id), places.join(", or "))
}
