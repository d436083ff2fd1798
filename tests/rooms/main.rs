//! The rooms of the house: `docs/architecture.md` says what each room owns and which rooms it may call. These tests
//! hold the sources against that table. They need no server.

mod arrows;
mod functions;
mod source;
mod table;
mod writers;

use std::collections::{BTreeMap, BTreeSet};

use crate::arrows::{Arrow, CORE, arrows_of_crate, arrows_of_room};
use crate::source::Source;
use crate::table::Rooms;

const MAX_FILE_LINES: usize = 400;
const MAX_FUNCTION_LINES: usize = 60;

/// What rooms other than `src/pg` and `src/os` may name of `pg_sys`: types of arguments and results, and constants, among
/// them the oids of types. None of them needs `unsafe`.
const PLAIN_NAMES: [&str; 8] = [
    "BOX",
    "Datum",
    "FunctionCallInfo",
    "InvalidOid",
    "Oid",
    "Point",
    "RelationRelationId",
    "panic",
];

/// The crate of the allocator, and the C functions of libpq, which cannot be without `unsafe`.
const UNSAFE_PATHS: [&str; 2] = ["crates/trips_memory/", "crates/trips_libpq/src/connection.rs"];

/// `unsafe` outside of those rooms: the main functions of workers, which PostgreSQL finds by their names.
const UNSAFE_ATTRIBUTES: [&str; 1] = ["src/background/entry.rs"];

fn fail_on(faults: &[String]) {
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

fn rooms() -> Rooms {
    Rooms::parse(&source::read("docs/architecture.md"))
}

/// Every arrow that the sources have.
fn all_arrows() -> Vec<Arrow> {
    let mut arrows = Vec::new();
    for source in source::files("src") {
        arrows.extend(arrows_of_room(&source));
    }
    for name in source::directories("crates") {
        arrows.extend(arrows_of_crate(&name));
    }
    arrows
}

fn core_rooms() -> Rooms {
    Rooms::parse_core(&source::read("docs/architecture.md"))
}

/// The sources of `trips_core`. Files of tests are not among them: tests use whatever shows a fault.
fn core_sources() -> Vec<Source> {
    let mut sources = source::files(CORE.trim_end_matches('/'));
    sources.retain(|source| !source.path.ends_with("tests.rs"));
    sources
}

/// The arrows between the folders of `trips_core`.
fn core_arrows() -> Vec<Arrow> {
    let arrows = core_sources().iter().flat_map(arrows_of_room).collect::<Vec<_>>();
    arrows.into_iter().filter(|arrow| !arrow.to.starts_with("trips_")).collect()
}

/// The calls that a table lists and the sources do not make.
fn unused(rooms: &Rooms, arrows: Vec<Arrow>) -> Vec<String> {
    let made: BTreeSet<(String, String)> =
        arrows.into_iter().map(|arrow| (arrow.from, arrow.to)).collect();
    let listed = rooms.listed();
    let unused = listed.iter().filter(|arrow| !made.contains(*arrow));
    unused.map(|(from, to)| format!("{from} may call {to}, and does not")).collect()
}

/// Rooms that have no row, and rows that have no room.
fn unlike(rooms: &Rooms, mut found: BTreeSet<String>) -> Vec<String> {
    // It declares the rooms.
    found.remove("lib");
    let listed: BTreeSet<String> = rooms.names().map(str::to_owned).collect();
    let mut faults: Vec<String> =
        found.difference(&listed).map(|room| format!("{room} has no row")).collect();
    faults.extend(listed.difference(&found).map(|room| format!("the row of {room} has no room")));
    faults
}

/// The folders of `trips_core` call only folders below them, and exactly those that their table lists.
#[test]
fn folders_of_trips_core_call_what_their_table_says() {
    let rooms = core_rooms();
    let mut faults = rooms.upward();
    faults.extend(core_arrows().iter().filter_map(|arrow| rooms.fault_of(arrow)));
    faults.extend(unused(&rooms, core_arrows()));
    let found = core_sources().iter().map(|source| arrows::room_of(&source.path)).collect();
    faults.extend(unlike(&rooms, found));
    fail_on(&faults);
}

/// Rooms call only rooms below them, and only those that the table lists.
#[test]
fn rooms_call_what_the_table_says() {
    let rooms = rooms();
    let faults: Vec<String> =
        all_arrows().iter().filter_map(|arrow| rooms.fault_of(arrow)).collect();
    fail_on(&faults);
}

/// The table lists no call that the sources do not make.
#[test]
fn the_table_lists_only_calls_that_exist() {
    fail_on(&unused(&rooms(), all_arrows()));
}

/// What a room may call is below it: so there is no circle.
#[test]
fn the_table_goes_down() {
    fail_on(&rooms().upward());
}

/// Each room has one row, and each row a room.
#[test]
fn each_room_has_a_row() {
    let rooms = rooms();
    let mut found: BTreeSet<String> = BTreeSet::new();
    for source in source::files("src") {
        found.insert(arrows::room_of(&source.path));
    }
    found.extend(source::directories("crates"));
    fail_on(&unlike(&rooms, found));
}

/// `unsafe` and PostgreSQL's C functions are in `src/pg` and `src/os`, and `unsafe` in the allocator and for libpq.
#[test]
fn unsafe_code_is_in_its_rooms() {
    let mut faults = Vec::new();
    let sources = source::files("src").into_iter().chain(source::files("crates"));
    for source in sources {
        if ["pg", "os"].contains(&arrows::room_of(&source.path).as_str())
            || UNSAFE_PATHS.iter().any(|path| source.path.starts_with(path))
        {
            continue;
        }
        let tokens = &source.tokens;
        for (i, token) in tokens.iter().enumerate() {
            let next = |n: usize| tokens.get(i + n).map_or("", |token| token.text.as_str());
            let is_fault = match token.text.as_str() {
                // `#[unsafe(no_mangle)]`
                "unsafe" if next(1) == "(" => !UNSAFE_ATTRIBUTES.contains(&source.path.as_str()),
                "unsafe" => true,
                "pg_sys" if next(1) == "::" => {
                    !PLAIN_NAMES.contains(&next(2)) && !next(2).ends_with("OID")
                }
                _ => false,
            };
            if is_fault {
                faults.push(format!("{}:{}: {} {}", source.path, token.line, token.text, next(2)));
            }
        }
    }
    fail_on(&faults);
}

/// One room writes each table.
#[test]
fn one_room_writes_each_table() {
    let sources: Vec<(String, String)> =
        source::files("src").into_iter().map(|s| (source::read(&s.path), s.path)).collect();
    let rooms =
        writers::rooms_by_table(sources.iter().map(|(text, path)| (path.as_str(), text.as_str())));
    assert!(rooms.len() >= 12, "{rooms:?}");
    let shared = rooms.iter().filter(|(_, rooms)| rooms.len() > 1);
    fail_on(&shared.map(|(table, rooms)| format!("{table}: {rooms:?}")).collect::<Vec<_>>());
}

/// A file has 400 lines at most, and a function 60.
#[test]
fn files_and_functions_are_short() {
    let mut faults = Vec::new();
    for folder in ["src", "crates", "tests", "bench", "fuzz"] {
        for source in source::files(folder) {
            if source.lines > MAX_FILE_LINES {
                faults.push(format!("{}: {} lines", source.path, source.lines));
            }
            for (name, line, lines) in functions::lengths(&source.tokens) {
                if lines > MAX_FUNCTION_LINES {
                    faults.push(format!("{}:{line}: {name} has {lines} lines", source.path));
                }
            }
        }
    }
    fail_on(&faults);
}

/// Crates of the extension and `trips_reader` use `trips_core` without its default features: one that used them would
/// give every build Parquet.
#[test]
fn no_crate_adds_features_to_a_build() {
    let mut faults = Vec::new();
    let crates = source::directories("crates").into_iter().map(|name| format!("crates/{name}/"));
    // The tests' own crate may have whatever it needs.
    for path in crates.chain([String::new()]).filter(|path| !path.ends_with("trips_testkit/")) {
        let path = format!("{path}Cargo.toml");
        let manifest = source::read(&path);
        let sections = manifest.split("\n[").filter(|section| section.starts_with("dependencies]"));
        let uses = sections.flat_map(str::lines).filter(|line| line.starts_with("trips_core = "));
        let faulty = uses.filter(|line| !line.contains("default-features = false"));
        faults.extend(faulty.map(|line| format!("{path}: {line}")));
    }
    fail_on(&faults);
}

/// The checks find what they look for: paths in every form, escapes by `super`, long functions.
#[test]
fn the_checks_see_what_they_look_for() {
    let found = |path: &str, text: &str| -> Vec<String> {
        arrows_of_room(&Source::of(path, text)).into_iter().map(|arrow| arrow.to).collect()
    };
    assert_eq!(found("src/pg/spi.rs", "use crate::load::Request;"), ["load"]);
    assert_eq!(found("src/pg/spi.rs", "use crate::{load, queue::{self, Job}};"), ["load", "queue"]);
    assert_eq!(found("src/pg/spi.rs", "fn f() { crate::load::go(); }"), ["load"]);
    assert_eq!(found("src/pg/spi.rs", "use super::super::load::Request;"), ["load"]);
    assert_eq!(found("src/pg/spi.rs", "fn f() { super::super::load::go() }"), ["load"]);
    assert_eq!(found("src/pg/spi.rs", "mod tests { use super::*; use super::super::x; }"), [""; 0]);
    assert_eq!(found("src/pg/spi.rs", "// crate::load\nconst A: &str = \"crate::load\";"), [""; 0]);
    assert_eq!(found("src/pg/spi.rs", "use crate::pg::locks;"), [""; 0]);
    assert_eq!(found("src/pg.rs", "use super::load;"), ["load"]);
    assert_eq!(found("src/load.rs", "use trips_core::key;"), ["trips_core"]);
    assert_eq!(found("src/pg/spi.rs", "use crate::*;"), ["*"]);
    let core = |name: &str| format!("{CORE}{name}");
    assert_eq!(found(&core("model/point.rs"), "use crate::check::reject::Rejection;"), ["check"]);
    assert_eq!(found(&core("model.rs"), "pub mod point; use super::pool::Pool;"), ["pool"]);
    assert_eq!(found("src/pg/spi.rs", "use crate as root;"), ["*"]);
    assert_eq!(
        found("src/pg/spi.rs", "fn f<'a>(c: char) { c == '\"'; crate::load::go() }"),
        ["load"]
    );
    let statements = "INSERT INTO trips.a AS x; DELETE FROM ONLY trips_internal.b; SELECT FROM trips.c; UPDATE trips.{d}";
    assert_eq!(writers::written_tables(statements), ["trips.a", "trips_internal.b"]);
    let long = format!("fn long() {{{}}}", "\n".repeat(60));
    let lengths: BTreeMap<_, _> = functions::lengths(&Source::of("src/a.rs", &long).tokens)
        .into_iter()
        .map(|(name, _, lines)| (name, lines))
        .collect();
    assert_eq!(lengths["long"], 61);
}
