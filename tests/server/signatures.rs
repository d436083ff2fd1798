//! C functions: SQL declares each of them as Rust has it, and none of them mistakes NULL for a value.
//!
//! The Rust side is what pgrx writes into the library for each function. The SQL side is the catalogue.

use std::collections::BTreeMap;
use std::fmt::Write;

use pgrx_sql_entity_graph::metadata::{Returns, SqlArrayMapping, SqlMapping};
use pgrx_sql_entity_graph::section::{ELF_SECTION_NAME, decode_entities};
use pgrx_sql_entity_graph::{
    ExternArgs, PgExternEntity, PgExternReturnEntity, SqlGraphEntity, UsedTypeEntity,
};
use postgres::{Client, Transaction};
use trips_tests::{Database, server_error};

/// A C function, as one of the two sides has it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Signature {
    name: String,
    /// Names and types.
    arguments: Vec<(String, String)>,
    /// The type, with `setof`; the columns of a table.
    result: String,
    is_strict: bool,
    /// As `pg_proc` has it.
    volatility: char,
    parallel: char,
}

#[test]
fn rust_and_sql_signatures_agree() {
    let database = Database::on_shared();
    let mut client = database.client();
    let rust = in_library(&mut client);
    assert!(rust.len() > 30, "the library declares {} functions", rust.len());
    assert_eq!(differences(&rust, &in_catalogue(&mut client)), Vec::<String>::new());
}

/// A member of an extension cannot be dropped.
const NOT_A_MEMBER: &str = "ALTER EXTENSION trips_pipeline DROP FUNCTION trips.cancel(bigint)";

#[test]
fn an_altered_signature_is_found() {
    let database = Database::on_shared();
    let mut client = database.client();
    let rust = in_library(&mut client);
    for (change, symbol) in [
        ("ALTER FUNCTION trips.cancel(bigint) STRICT", "cancel_wrapper"),
        ("ALTER FUNCTION trips.is_inside(point, box) CALLED ON NULL INPUT", "is_inside_wrapper"),
        ("ALTER FUNCTION trips.is_inside(point, box) VOLATILE", "is_inside_wrapper"),
        ("ALTER FUNCTION trips.is_inside(point, box) PARALLEL UNSAFE", "is_inside_wrapper"),
        ("ALTER FUNCTION trips.cancel(bigint) RENAME TO stop", "cancel_wrapper"),
        (
            "CREATE FUNCTION trips.cancel(load_id integer) RETURNS void LANGUAGE c
               AS '$libdir/trips_pipeline', 'cancel_wrapper'",
            "cancel_wrapper",
        ),
        (
            "CREATE FUNCTION trips.cancel(load bigint) RETURNS void LANGUAGE c
               AS '$libdir/trips_pipeline', 'cancel_wrapper'",
            "cancel_wrapper",
        ),
        (
            "CREATE FUNCTION trips.cancel(load_id bigint) RETURNS bigint LANGUAGE c
               AS '$libdir/trips_pipeline', 'cancel_wrapper'",
            "cancel_wrapper",
        ),
        (
            "CREATE FUNCTION trips.cancel(load_id bigint) RETURNS SETOF void LANGUAGE c
               AS '$libdir/trips_pipeline', 'cancel_wrapper'",
            "cancel_wrapper",
        ),
        (
            "CREATE OR REPLACE FUNCTION trips.cancel(load_id bigint) RETURNS void LANGUAGE c
               AS '$libdir/trips_pipeline', 'rebuild_wrapper'",
            "cancel_wrapper",
        ),
    ] {
        let mut transaction = client.transaction().unwrap();
        if change.starts_with("CREATE FUNCTION") {
            let drop = format!("{NOT_A_MEMBER}; DROP FUNCTION trips.cancel(bigint)");
            transaction.batch_execute(&drop).unwrap();
        }
        transaction.batch_execute(change).unwrap();
        let found = differences(&rust, &declared(&mut transaction));
        assert!(found.iter().any(|line| line.contains(symbol)), "{change}: {found:?}");
        transaction.rollback().unwrap();
    }
}

#[test]
fn null_arguments_are_no_internal_error() {
    let database = Database::on_shared();
    let mut client = database.client();
    let functions = client
        .query(
            "SELECT p.oid::regproc::text, p.proargtypes::regtype[]::text[]
               FROM pg_proc AS p JOIN pg_language AS l ON l.oid = p.prolang
              WHERE p.pronamespace IN ('trips'::regnamespace, 'trips_internal'::regnamespace)
                AND l.lanname = 'c'
                AND p.prorettype NOT IN ('trigger'::regtype, 'event_trigger'::regtype)",
            &[],
        )
        .unwrap();
    let mut calls = 0;
    for row in functions {
        let (name, types): (String, Vec<String>) = (row.get(0), row.get(1));
        let count = types.len();
        let one_null = (0..count).map(|null| (0..count).map(|at| at == null).collect());
        let cases: Vec<Vec<bool>> =
            one_null.chain([vec![true; count], vec![false; count]]).collect();
        for nulls in cases {
            let arguments: Vec<String> =
                types.iter().zip(nulls).map(|(of, is_null)| argument(of, is_null)).collect();
            let call = format!("SELECT {name}({})", arguments.join(", "));
            let mut transaction = client.transaction().unwrap();
            if let Err(error) = transaction.simple_query(&call) {
                assert!(error.as_db_error().is_some(), "{call}: {error}");
                let (code, message, _) = server_error(&error);
                assert!(code != "XX000", "{call}: {message}");
            }
            transaction.rollback().unwrap();
            calls += 1;
        }
    }
    assert!(calls > 100, "{calls} calls");
}

/// An argument as SQL has it.
fn argument(of: &str, is_null: bool) -> String {
    let value = match of {
        "text" => "missing",
        "jsonb" => "{}",
        "bytea" => "\\x00",
        "bigint" | "integer" => "9",
        "boolean" => "false",
        "double precision" => "0.5",
        "point" => "(7.5,45)",
        "box" => "(8,46),(7,45)",
        "date" => "2018-05-01",
        "timestamp without time zone" => "2018-05-01 08:00",
        "interval" => "1 hour",
        "uuid" => "00000000-0000-0000-0000-000000000001",
        "regrole" => "pg_monitor",
        _ => panic!("a value of type {of} is needed here"),
    };
    if is_null { format!("NULL::{of}") } else { format!("'{value}'::{of}") }
}

/// One line for each function that the two sides do not have alike.
fn differences(
    rust: &BTreeMap<String, Signature>,
    sql: &BTreeMap<String, Signature>,
) -> Vec<String> {
    let mut lines = Vec::new();
    for (symbol, signature) in rust {
        match sql.get(symbol) {
            Some(found) if are_alike(signature, found) => {}
            found => lines.push(format!("{symbol}: Rust has {signature:?}, SQL has {found:?}")),
        }
    }
    let unknown = sql.iter().filter(|(symbol, _)| !rust.contains_key(*symbol));
    lines.extend(unknown.map(|(symbol, found)| format!("{symbol}: only SQL has it: {found:?}")));
    lines
}

fn are_alike(rust: &Signature, sql: &Signature) -> bool {
    // Rust reads a text as its bytes, so that no function fails for text that is not UTF-8. Both are a varlena.
    let is_argument = |rust: &str, sql: &str| {
        rust == sql || matches!((rust, sql), ("bytea", "text") | ("oid", "regrole"))
    };
    // `match` is a keyword of Rust.
    let is_name = |rust: &str, sql: &str| rust == sql || (rust, sql) == ("ends", "match");
    let is_result = |rust: &str, sql: &str| {
        rust == sql.replace(" regclass", " oid") || (rust, sql) == ("void", "event_trigger")
    };
    let mut arguments = rust.arguments.iter().zip(&sql.arguments);
    rust.name == sql.name
        && rust.arguments.len() == sql.arguments.len()
        && arguments.all(|(rust, sql)| is_name(&rust.0, &sql.0) && is_argument(&rust.1, &sql.1))
        && is_result(&rust.result, &sql.result)
        && rust.is_strict == sql.is_strict
        && rust.volatility == sql.volatility
        && rust.parallel == sql.parallel
}

/// The C functions of the catalogue, by their symbols.
fn in_catalogue(client: &mut Client) -> BTreeMap<String, Signature> {
    let mut transaction = client.transaction().unwrap();
    declared(&mut transaction)
}

fn declared(transaction: &mut Transaction<'_>) -> BTreeMap<String, Signature> {
    let rows = transaction
        .query(
            "SELECT p.prosrc, p.proname::text, coalesce(p.proargnames[:p.pronargs], '{}')::text[],
                    p.proargtypes::regtype[]::text[],
                    CASE WHEN 't' = ANY (p.proargmodes)
                         THEN 'table (' || (SELECT string_agg(a.name || ' ' || a.type::regtype, ', ' ORDER BY a.n)
                                              FROM unnest(p.proargnames, p.proallargtypes, p.proargmodes)
                                                   WITH ORDINALITY AS a (name, type, mode, n)
                                             WHERE a.mode = 't') || ')'
                         ELSE p.prorettype::regtype::text END,
                    p.proretset AND NOT coalesce('t' = ANY (p.proargmodes), false),
                    p.proisstrict, p.provolatile::text, p.proparallel::text
               FROM pg_proc AS p
              WHERE p.pronamespace IN ('trips'::regnamespace, 'trips_internal'::regnamespace)
                AND p.probin LIKE '%trips_pipeline'",
            &[],
        )
        .unwrap();
    let letter = |text: String| text.chars().next().expect("one letter");
    let signature = |row: &postgres::Row| {
        let (names, types): (Vec<String>, Vec<String>) = (row.get(2), row.get(3));
        let (result, is_set): (String, bool) = (row.get(4), row.get(5));
        Signature {
            name: row.get(1),
            arguments: names.into_iter().zip(types).collect(),
            result: if is_set { format!("setof {result}") } else { result },
            is_strict: row.get(6),
            volatility: letter(row.get(7)),
            parallel: letter(row.get(8)),
        }
    };
    let mut signatures = BTreeMap::new();
    for row in &rows {
        let (mut symbol, signature): (String, _) = (row.get(0), signature(row));
        if signatures.contains_key(&symbol) {
            symbol = format!("{symbol}, once more for {}", signature.name);
        }
        signatures.insert(symbol, signature);
    }
    signatures
}

/// The functions that the library declares, by their symbols.
fn in_library(client: &mut Client) -> BTreeMap<String, Signature> {
    let row = client
        .query_one(
            "SELECT setting || '/trips_pipeline.so' FROM pg_config WHERE name = 'PKGLIBDIR'",
            &[],
        )
        .unwrap();
    let path: String = row.get(0);
    let library = std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let section = section_of(&library).expect("the library has pgrx's section");
    let mut signatures = BTreeMap::new();
    for entity in decode_entities(section).expect("a section of this version of pgrx") {
        let signature = match &entity {
            SqlGraphEntity::Function(function) => of_function(client, function),
            SqlGraphEntity::Trigger(trigger) => Signature {
                name: trigger.function_name.to_owned(),
                arguments: Vec::new(),
                result: "trigger".to_owned(),
                is_strict: false,
                volatility: 'v',
                parallel: 'u',
            },
            _ => continue,
        };
        let name = match &entity {
            SqlGraphEntity::Function(function) => function.unaliased_name,
            _ => &signature.name,
        };
        signatures.insert(format!("{name}_wrapper"), signature);
    }
    signatures
}

fn of_function(client: &mut Client, function: &PgExternEntity<'_>) -> Signature {
    let arguments = function.fn_args.iter().filter_map(|argument| {
        let of = sql_type(client, &argument.used_ty)?;
        Some((argument.pattern.to_owned(), of))
    });
    let arguments: Vec<_> = arguments.collect();
    let has = |wanted: &ExternArgs| function.extern_attrs.contains(wanted);
    Signature {
        name: function.name.to_owned(),
        result: result(client, &function.fn_return),
        is_strict: !arguments.is_empty()
            && function.fn_args.iter().all(|argument| !argument.used_ty.optional),
        arguments,
        volatility: match () {
            () if has(&ExternArgs::Immutable) => 'i',
            () if has(&ExternArgs::Stable) => 's',
            () => 'v',
        },
        parallel: match () {
            () if has(&ExternArgs::ParallelSafe) => 's',
            () if has(&ExternArgs::ParallelRestricted) => 'r',
            () => 'u',
        },
    }
}

/// The SQL type of a Rust type; `None` for the call's own data.
fn sql_type(client: &mut Client, of: &UsedTypeEntity<'_>) -> Option<String> {
    match of.metadata.argument_sql.as_ref().expect("a type that SQL has") {
        SqlMapping::Skip => None,
        mapping => Some(written(client, mapping)),
    }
}

fn written(client: &mut Client, mapping: &SqlMapping) -> String {
    let name = match mapping {
        SqlMapping::As(name) => name.clone(),
        SqlMapping::Array(SqlArrayMapping::As(name)) => format!("{name}[]"),
        SqlMapping::Composite | SqlMapping::Array(_) => return "record".to_owned(),
        SqlMapping::Skip => return "void".to_owned(),
    };
    let row = client.query_one("SELECT to_regtype($1)::text", &[&name]).unwrap();
    row.get::<_, Option<String>>(0).unwrap_or(name).to_lowercase()
}

fn result(client: &mut Client, returned: &PgExternReturnEntity<'_>) -> String {
    let mut one = |of: &UsedTypeEntity<'_>| match of.metadata.return_sql.as_ref() {
        Ok(Returns::One(mapping) | Returns::SetOf(mapping)) => written(client, mapping),
        other => panic!("{}: {other:?}", of.ty_source),
    };
    match returned {
        PgExternReturnEntity::None => "void".to_owned(),
        PgExternReturnEntity::Trigger => "trigger".to_owned(),
        PgExternReturnEntity::Type { ty } => one(ty),
        PgExternReturnEntity::SetOf { ty } => format!("setof {}", one(ty)),
        PgExternReturnEntity::Iterated { tys } => {
            let mut columns = String::new();
            for column in tys {
                let comma = if columns.is_empty() { "" } else { ", " };
                let name = column.name.unwrap_or_default();
                write!(columns, "{comma}{} {}", name.trim_matches('"'), one(&column.ty))
                    .expect("a String");
            }
            format!("table ({columns})")
        }
    }
}

/// The section of an ELF file (64 bits, little-endian) in which pgrx describes the functions.
fn section_of(file: &[u8]) -> Option<&[u8]> {
    let number = |at: usize, bytes: usize| -> Option<usize> {
        let field = file.get(at..at + bytes)?;
        Some(field.iter().rev().fold(0, |number, &byte| number << 8 | usize::from(byte)))
    };
    assert_eq!(file.get(..6), Some(b"\x7fELF\x02\x01".as_slice()), "an ELF file");
    let (table, size, count) = (number(0x28, 8)?, number(0x3a, 2)?, number(0x3c, 2)?);
    let header = |index: usize| table + index * size;
    let names = number(header(number(0x3e, 2)?) + 0x18, 8)?;
    (0..count).find_map(|index| {
        let name = file.get(names + number(header(index), 4)?..)?;
        let is_it = name.strip_prefix(ELF_SECTION_NAME.as_bytes())?.first() == Some(&0);
        let (from, bytes) = (number(header(index) + 0x18, 8)?, number(header(index) + 0x20, 8)?);
        is_it.then(|| file.get(from..from + bytes)).flatten()
    })
}
