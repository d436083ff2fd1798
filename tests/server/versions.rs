//! ALTER EXTENSION UPDATE: an updated extension is the same, to the last comment, as a fresh one.

use std::collections::BTreeSet;
use std::path::Path;

use postgres::Error;
use trips_tests::{Cluster, Programs, catalogue, extension_file, real_trips};

const THIS: &str = env!("CARGO_PKG_VERSION");

/// What the catalogues say after an update from this version, in a database of its own.
fn updated_from(cluster: &Cluster, version: &str) -> Result<Vec<String>, Error> {
    cluster.client().batch_execute(&format!("CREATE DATABASE \"{version}\""))?;
    let mut client = cluster.client_of(version);
    client.batch_execute(&format!("CREATE EXTENSION trips_pipeline VERSION '{version}'"))?;
    client.batch_execute("ALTER EXTENSION trips_pipeline UPDATE")?;
    Ok(catalogue(&mut client))
}

/// An updated extension is the same as a fresh one, and works.
fn check_update(cluster: &Cluster, fresh: &[String], version: &str) {
    let updated = updated_from(cluster, version).unwrap();
    assert_eq!(difference(fresh, &updated), Vec::<String>::new(), "{version}");
    let path = cluster.file("trips.csv", real_trips());
    let mut client = cluster.client_of(version);
    assert_eq!(cluster.ingest(&mut client, &path).rows, [100, 100, 0, 0]);
}

fn fresh(cluster: &Cluster) -> Vec<String> {
    let mut client = cluster.client();
    client.batch_execute("CREATE EXTENSION trips_pipeline").unwrap();
    catalogue(&mut client)
}

/// The lines that only one of the two has.
fn difference(left: &[String], right: &[String]) -> Vec<String> {
    let [left, right] = [left, right].map(|lines| lines.iter().cloned().collect::<BTreeSet<_>>());
    left.symmetric_difference(&right).cloned().collect()
}

/// Names of this extension's scripts in a directory of the project.
fn scripts(directory: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(directory);
    let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name().into_string().unwrap());
    names.filter(|name| name.starts_with("trips_pipeline--") && name.ends_with(".sql")).collect()
}

/// Every version that was released can be installed, and becomes this one.
#[test]
fn every_released_version_becomes_this_one() {
    for name in scripts("sql/released").iter().chain(&scripts("sql")) {
        assert!(!extension_file(name).is_empty(), "{name} is installed");
    }
    let cluster = Cluster::start_bare("");
    let versions = cluster
        .client()
        .query(
            "SELECT version FROM pg_available_extension_versions
              WHERE name = 'trips_pipeline' AND version <> $1",
            &[&THIS],
        )
        .unwrap();
    let fresh = fresh(&cluster);
    for version in versions {
        check_update(&cluster, &fresh, version.get(0));
    }
}

/// Where a statement of the install script begins and ends, and what an update says instead, if it
/// cannot say the same.
type Fragment = (&'static str, &'static str, Option<&'static str>);

/// One of each kind of object that an update may omit.
const FRAGMENTS: [Fragment; 9] = [
    ("CREATE FUNCTION trips.datasource_regions(", "\nEND;\n", None),
    ("COMMENT ON FUNCTION trips.datasource_regions(", ";\n", None),
    (
        ",\n  row_group         bigint\n",
        "bigint",
        Some("ALTER TABLE trips.stg_trip_data ADD COLUMN row_group bigint;"),
    ),
    ("COMMENT ON COLUMN trips.stg_trip_data.row_group IS", ";\n", None),
    ("REVOKE ALL ON FUNCTION trips.stage(text, text, text, text)", ";\n", None),
    ("ALTER TABLE trips.daily_trip_counts REPLICA IDENTITY", ";\n", None),
    ("CREATE INDEX stg_trip_data_load_id_member_line_no_idx", ";\n", None),
    ("SELECT pg_catalog.pg_extension_config_dump('trips.loads', '')", ";\n", None),
    (
        "  CONSTRAINT loads_digest_check",
        ",\n",
        Some(
            "ALTER TABLE trips.loads ADD CONSTRAINT loads_digest_check
               CHECK (pg_catalog.octet_length(digest) = 32);",
        ),
    ),
];

/// The install script without these fragments, and the statements that an update needs to add them.
fn older(mut script: String) -> (String, Vec<String>) {
    let mut statements = Vec::new();
    for (begin, end, instead) in FRAGMENTS {
        let start = script.find(begin).unwrap_or_else(|| panic!("the script has no {begin}"));
        let stop = start + script[start..].find(end).unwrap() + end.len();
        statements.push(instead.unwrap_or(&script[start..stop]).to_owned());
        script.replace_range(start..stop, "");
    }
    (script, statements)
}

/// The comparison finds what an update omits: each of its statements is needed.
#[test]
fn an_incomplete_update_is_found() {
    let (old, statements) = older(extension_file(&format!("trips_pipeline--{THIS}.sql")));
    let programs = Programs::copy();
    // The update from version 0.0.N omits statement N, the last one none.
    for omitted in 0..=statements.len() {
        let mut step = String::from("SET LOCAL search_path = pg_catalog, pg_temp;\n");
        for (_, statement) in statements.iter().enumerate().filter(|&(i, _)| i != omitted) {
            step += &format!("{statement}\n");
        }
        let name = format!("trips_pipeline--0.0.{omitted}");
        programs.add_extension_file(&format!("{name}.sql"), &old);
        programs.add_extension_file(&format!("{name}--{THIS}.sql"), &step);
    }
    let cluster = Cluster::start_of(&programs);
    let fresh = fresh(&cluster);
    for (omitted, statement) in statements.iter().enumerate() {
        // What is not there cannot be commented: such an update does not get to its end.
        if let Ok(updated) = updated_from(&cluster, &format!("0.0.{omitted}")) {
            let found = difference(&fresh, &updated);
            assert!(!found.is_empty(), "nobody noticed that this was omitted: {statement}");
        }
    }
    check_update(&cluster, &fresh, &format!("0.0.{}", statements.len()));
}
