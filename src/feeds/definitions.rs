//! The built-in feeds and those of `trips.feeds`.

use std::cell::RefCell;
use std::sync::{Arc, OnceLock};

use pgrx::{PgSqlErrorCode, Spi};
use trips_core::feed::builtin;
use trips_core::feed::definition::{Definition, DefinitionError};
use trips_core::feed::detect::Catalogue;
use trips_core::text::escape::quoted;

use crate::error::{FeedError, LoadError, Report, RequestError};
use crate::pg::plans::Sql;
use crate::pg::relation::Table;
use crate::pg::session;
use crate::pg::spi::{self, Snapshot};

/// The longest definition, bytes of JSON text.
const MAX_DEFINITION: usize = 1024 * 1024;

/// A row of `trips.feeds`: name, and definition as JSON text.
type OwnFeed = (String, String);

thread_local! {
    /// The catalogue of the last call, with the rows of which it was made.
    static LAST: RefCell<Option<(Vec<OwnFeed>, Arc<Catalogue>)>> = const { RefCell::new(None) };
}

/// The feeds that a load knows: the built-in ones and those of `trips.feeds`.
///
/// A row that this version cannot use is reported as a WARNING and left out.
///
/// # Errors
/// When a query fails.
pub fn catalogue() -> Result<Arc<Catalogue>, LoadError> {
    let rows = own_feeds();
    if rows.is_empty() {
        static BUILTIN: OnceLock<Arc<Catalogue>> = OnceLock::new();
        let make = || Arc::new(Catalogue::new(builtin::all().to_vec()));
        return Ok(BUILTIN.get_or_init(make).clone());
    }
    let last = LAST.with_borrow(|last| match last {
        Some((of, catalogue)) if *of == rows => Some(catalogue.clone()),
        _ => None,
    });
    if let Some(catalogue) = last {
        return Ok(catalogue);
    }
    let mut feeds = builtin::all().to_vec();
    for (name, json) in &rows {
        match parse_row(name, json) {
            Ok(feed) => feeds.push(Arc::new(feed)),
            Err(error) => warn_of_unusable(name, &error),
        }
    }
    let catalogue = Arc::new(Catalogue::new(feeds));
    LAST.set(Some((rows, catalogue.clone())));
    Ok(catalogue)
}

/// A feed by its name.
///
/// # Errors
/// 42704 if there is no such feed.
pub fn definition(name: &str) -> Result<Arc<Definition>, LoadError> {
    let unknown = || FeedError::Unknown(name.to_owned()).into();
    catalogue()?.get(name).cloned().ok_or_else(unknown)
}

/// Creates a feed of the current user. `json` is its definition; its member `name` may be missing.
///
/// # Errors
/// 22023 for an invalid definition, with all of its faults; 42710 if the feed exists.
pub fn create(name: &str, json: &[u8]) -> Result<(), LoadError> {
    if json.len() > MAX_DEFINITION {
        let (bytes, limit) = (json.len(), MAX_DEFINITION);
        return Err(RequestError::TooLong { argument: "definition", bytes, limit }.into());
    }
    let json = std::str::from_utf8(json).map_err(|_| RequestError::DatabaseEncoding)?;
    let exists = |is_builtin| FeedError::Exists { name: name.to_owned(), is_builtin };
    if builtin::get(name).is_some() {
        return Err(exists(true).into());
    }
    let json = with_name(name, json);
    parse_row(name, &json)
        .map_err(|errors| FeedError::Invalid { name: name.to_owned(), errors })?;
    let role = session::role_name(session::current_user());
    let (_owner, _table) = as_owner();
    let inserted = Spi::connect_mut(|client| {
        let insert =
            "INSERT INTO trips.feeds (name, definition, created_by) VALUES ($1, $2::jsonb, $3)
                          ON CONFLICT (name) DO NOTHING RETURNING 1";
        let arguments = [name.into(), json.as_str().into(), role.as_str().into()];
        client.update(insert, None, &arguments).map(|rows| !rows.is_empty())
    })?;
    if inserted { Ok(()) } else { Err(exists(false).into()) }
}

/// Drops a feed of `trips.feeds`.
///
/// # Errors
/// 42704 if it does not exist; 42809 for a built-in feed; 55006 while a queued load names it.
pub fn drop(name: &str) -> Result<(), LoadError> {
    let (_owner, _table) = as_owner();
    let queued = spi::first(
        c"SELECT q.load_id FROM trips.queue AS q WHERE q.feed = $1 ORDER BY q.load_id LIMIT 1",
        &[name.into()],
        Snapshot::Latest,
        |row| row.get::<i64>(1),
    );
    if let Some(load_id) = queued.flatten() {
        return Err(FeedError::Queued { name: name.to_owned(), load_id }.into());
    }
    let deleted = Spi::connect_mut(|client| {
        let delete = "DELETE FROM trips.feeds AS f WHERE f.name = $1 RETURNING 1";
        client.update(delete, None, &[name.into()]).map(|rows| !rows.is_empty())
    })?;
    if deleted {
        return Ok(());
    }
    Err(match builtin::get(name) {
        Some(_) => FeedError::Builtin(name.to_owned()),
        None => FeedError::Unknown(name.to_owned()),
    }
    .into())
}

/// Runs as the owner of `trips.feeds`.
fn as_owner() -> (session::RunsAsOwner, Table) {
    let table = Table::open_for_insert(c"feeds");
    (session::run_as_owner(&table), table)
}

/// The rows of `trips.feeds`, by name.
fn own_feeds() -> Vec<OwnFeed> {
    let table = Table::open_for_read(c"feeds");
    let _owner = session::run_as_owner(&table);
    let mut rows = Vec::new();
    spi::query(
        Sql::Kept(c"SELECT f.name, f.definition::text FROM trips.feeds AS f ORDER BY f.name"),
        &[],
        Snapshot::Latest,
        |row| {
            if let (Some(name), Some(json)) = (row.text(1), row.text(2)) {
                rows.push((name, json));
            }
        },
    );
    rows
}

/// The definition with its name. It stays as it is if it has one, or is not an object: the parser then says so.
fn with_name(name: &str, json: &str) -> String {
    match serde_json::from_str(json) {
        Ok(serde_json::Value::Object(mut members)) => {
            members.entry("name").or_insert_with(|| name.into());
            serde_json::Value::Object(members).to_string()
        }
        _ => json.to_owned(),
    }
}

/// The definition of a row, which must have the row's name.
fn parse_row(name: &str, json: &str) -> Result<Definition, Vec<DefinitionError>> {
    let feed = builtin::definition_of_user(json)?;
    if feed.name == name {
        return Ok(feed);
    }
    let found = quoted(feed.name.as_bytes());
    let expected = "the name of the feed that is created, or no name";
    Err(vec![DefinitionError { path: "$.name".to_owned(), found, expected }])
}

fn warn_of_unusable(name: &str, errors: &[DefinitionError]) {
    let invalid = FeedError::Invalid { name: name.to_owned(), errors: errors.to_vec() };
    let report = Report::new(
        PgSqlErrorCode::ERRCODE_WARNING,
        format!("ignoring a row of trips.feeds: {invalid}"),
    );
    report.hint("Run SELECT trips.drop_feed() for the feed, and create it again.").warning();
}
