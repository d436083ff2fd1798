//! docs/reference.md has every object of the extension, with every column and every setting.

use std::fs;

use trips_tests::Database;

use super::root;

/// Name of each object of a schema, and its columns. Partitions are user objects.
const OBJECTS: &str = "
    SELECT p.proname::text, '{}'::text[], true
      FROM pg_proc AS p WHERE p.pronamespace = $1::text::regnamespace
     UNION
    SELECT c.relname::text, array_agg(a.attname::text ORDER BY a.attnum) FILTER (WHERE a.attnum > 0), false
      FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid
     WHERE c.relnamespace = $1::text::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm') AND NOT c.relispartition
     GROUP BY c.relname";

const SETTINGS: &str = "SELECT name FROM pg_settings WHERE name LIKE 'trips.%'";

#[test]
fn the_reference_has_every_object() {
    let text = fs::read_to_string(root().join("docs/reference.md")).expect("the reference");
    let database = Database::on_shared();
    let mut client = database.client();
    let mut missing = Vec::new();
    for row in client.query(OBJECTS, &[&"trips"]).expect("the objects") {
        let (name, columns, is_function): (String, Option<Vec<String>>, bool) =
            (row.get(0), row.get(1), row.get(2));
        if !section(&text, "## Contents").contains(&format!("`{name}`")) {
            missing.push(format!("{name} in the contents"));
        }
        let its_own = section(&text, &format!("### trips.{name}"));
        if its_own.is_empty() && !(is_function && name.starts_with("h3_")) {
            missing.push(format!("a section for {name}"));
        }
        for column in columns.unwrap_or_default() {
            if !its_own.contains(&format!("`{column}`")) {
                missing.push(format!("column {column} of {name}"));
            }
        }
    }
    let internal = section(&text, "## Schema trips_internal");
    for row in client.query(OBJECTS, &[&"trips_internal"]).expect("the objects") {
        let name: String = row.get(0);
        if !internal.contains(&format!("`{name}`")) {
            missing.push(format!("{name} of trips_internal"));
        }
    }
    client.batch_execute("LOAD 'trips_pipeline'").expect("the library");
    let rows = client.query(SETTINGS, &[]).expect("the settings");
    let known: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    let settings = section(&text, "## Settings");
    let lines = settings.lines().filter_map(|line| line.strip_prefix("| `trips."));
    let shown: Vec<_> =
        lines.filter_map(|rest| Some(format!("trips.{}", rest.split_once('`')?.0))).collect();
    missing.extend(known.iter().filter(|name| !shown.contains(name)).cloned());
    missing.extend(shown.iter().filter(|name| !known.contains(name)).map(|n| format!("no {n}")));
    assert!(missing.is_empty(), "docs/reference.md lacks:\n{}", missing.join("\n"));
}

/// The lines below a heading, up to the next of its level or above; empty when there is none.
fn section<'a>(text: &'a str, heading: &str) -> &'a str {
    let Some((_, rest)) = text.split_once(&format!("\n{heading}\n")) else { return "" };
    let level = heading.len() - heading.trim_start_matches('#').len();
    let ends = (1..=level).filter_map(|level| rest.find(&format!("\n{} ", "#".repeat(level))));
    &rest[..ends.min().unwrap_or(rest.len())]
}

#[test]
fn the_glossary_has_each_word_once() {
    let text = fs::read_to_string(root().join("docs/architecture.md")).expect("the architecture");
    let rows = section(&text, "## Glossary").lines().filter_map(|line| line.strip_prefix("| "));
    let words: Vec<_> = rows.filter_map(|row| Some(row.split_once(" |")?.0)).skip(1).collect();
    assert!(words.len() > 50, "{words:?}");
    for pair in words.windows(2) {
        assert!(pair[0] < pair[1], "{} is there twice, or not in order", pair[1]);
    }
}
