//! Servers for tests, of which nothing stays: a database of its own on a shared server for a test that changes nothing
//! of the whole server, a cluster of its own for every other.
//!
//! `make test` (scripts/test.sh) says where the server with the extension is.

mod catalogue;
mod cluster;
mod console;
mod copies;
mod cron;
mod database;
mod database_state;
pub mod document;
mod files;
pub mod historical;
mod leftovers;
mod machine;
mod memory;
mod misplaced;
mod port;
mod programs;
mod psql;
pub mod random_bounds;
mod server_control;
mod shared;
mod spark;
pub mod spec;
mod template;
mod upload_parts;
mod wait;

pub use catalogue::catalogue;
pub use cluster::Cluster;
pub use console::{Console, Events, Reply};
pub use database::Database;
pub use database_state::{database_state, partitions_without_key};
pub use files::{FIVE_COLUMNS, lines_of, month_as_csv, real_trips, rows_as_csv, trip_line};
pub use memory::{AddressLimit, peak_memory};
pub use misplaced::misplaced;
pub use programs::{Programs, extension_file};
pub use psql::Psql;
pub use spark::Spark;
pub use upload_parts::{digest, parts_and_warnings, parts_by_reader, parts_of};
pub use wait::{
    eventually, notifications_until, stays, takes_less_than, text_of, until, until_within,
};

/// A ledger row as tests look at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Load {
    /// Number of the load.
    pub load_id: i64,
    /// `loaded`, `skipped`, …
    pub state: String,
    /// Rows read, inserted, duplicate, staged.
    pub rows: [i64; 4],
    /// The load with the same bytes.
    pub same_as: Option<i64>,
}

impl Load {
    /// Reads `SELECT * FROM trips.loads`-like rows, and checks that the books balance.
    ///
    /// # Panics
    /// When they do not.
    #[must_use]
    pub fn from_row(row: &postgres::Row) -> Self {
        let rows = ["rows_read", "rows_inserted", "rows_duplicate", "rows_staged"]
            .map(|name| row.get(name));
        let [read, inserted, duplicate, staged] = rows;
        assert_eq!(read, inserted + duplicate + staged, "the books of a load do not balance");
        Self {
            load_id: row.get("load_id"),
            state: row.get("state"),
            rows,
            same_as: row.get("same_as"),
        }
    }

    /// State and counts, for a comparison in one line.
    #[must_use]
    pub fn summary(&self) -> (&str, [i64; 4]) {
        (&self.state, self.rows)
    }
}

/// SQLSTATE, message and hint of an error of the server.
///
/// # Panics
/// When the error is not the server's.
#[must_use]
pub fn server_error(error: &postgres::Error) -> (String, String, String) {
    let error =
        error.as_db_error().unwrap_or_else(|| panic!("not an error of the server: {error}"));
    let text = |part: Option<&str>| part.unwrap_or_default().to_owned();
    (error.code().code().to_owned(), error.message().to_owned(), text(error.hint()))
}
