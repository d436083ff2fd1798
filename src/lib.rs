//! `trips_pipeline` loads files of trips into PostgreSQL, exactly once. docs/architecture.md has the table of rooms.
//!
//! The rooms, in the order the data passes them:
//!
//! * [`api`]: the functions that SQL sees; they check, call a room below, and turn errors into reports;
//! * [`source`]: the file, opened and hashed;
//! * `trips_core` (a crate of its own, without PostgreSQL): bytes to valid, keyed, sorted trips;
//! * [`load`]: files and staged rows into the history; [`upload`]: files that clients send in parts;
//! * [`retract`]: loads that are taken back;
//! * [`deletion`]: trips that are deleted on request;
//! * [`history`], [`staging`], [`derived`], [`ledger`], [`events`], [`queue`]: each owns its tables, and no other room
//!   writes to them;
//! * [`feeds`]: the kinds of files that loads know, and the zones and stations of their trips;
//! * [`monitor`]: the background worker that writes the ledger rows that a load's own transaction cannot write;
//! * [`background`]: the other background workers;
//! * [`grants`]: what a role needs, in one call;
//! * [`questions`]: arguments of queries, and area queries;
//! * [`progress`], [`settings`], [`limits`], [`error`]: shared by all of them;
//! * [`pg`]: PostgreSQL's C functions behind safe ones; [`os`]: calls of the kernel. All `unsafe` code is in these two,
//!   and in `trips_memory`, their allocator.

pgrx::pg_module_magic!(name, version);

mod api;
mod background;
mod deletion;
mod derived;
mod error;
mod events;
mod feeds;
mod grants;
mod history;
mod ledger;
mod limits;
mod load;
mod monitor;
mod os;
mod pg;
mod progress;
mod questions;
mod queue;
mod retract;
mod settings;
mod source;
mod staging;
mod upload;

pgrx::extension_sql_file!("../sql/10_schema.sql", name = "schema", bootstrap);
pgrx::extension_sql_file!("../sql/20_tables.sql", name = "tables", requires = ["schema"]);
pgrx::extension_sql_file!(
    "../sql/21_queue_tables.sql",
    name = "queue_tables",
    requires = ["tables"]
);
pgrx::extension_sql_file!("../sql/22_uploads.sql", name = "uploads", requires = ["queue_tables"]);
pgrx::extension_sql_file!(
    "../sql/23_corrections.sql",
    name = "corrections",
    requires = ["uploads"]
);
pgrx::extension_sql_file!("../sql/24_claims.sql", name = "claims", requires = ["corrections"]);
pgrx::extension_sql_file!("../sql/25_feeds.sql", name = "feeds", requires = ["claims"]);
pgrx::extension_sql_file!("../sql/30_load.sql", name = "load", requires = ["feeds"]);
pgrx::extension_sql_file!("../sql/32_staged.sql", name = "staged", requires = ["load"]);
pgrx::extension_sql_file!("../sql/35_retract.sql", name = "retract", requires = ["staged"]);
pgrx::extension_sql_file!("../sql/40_queue.sql", name = "queue", requires = ["retract"]);
pgrx::extension_sql_file!("../sql/50_upload.sql", name = "upload", requires = ["queue"]);
pgrx::extension_sql_file!("../sql/60_questions.sql", name = "questions", requires = ["upload"]);
pgrx::extension_sql_file!("../sql/70_areas.sql", name = "areas", requires = ["questions"]);
pgrx::extension_sql_file!("../sql/80_changes.sql", name = "changes", requires = ["areas"]);
pgrx::extension_sql_file!("../sql/85_deletion.sql", name = "deletion", requires = ["changes"]);
pgrx::extension_sql_file!("../sql/86_diff.sql", name = "diff", requires = ["deletion"]);
pgrx::extension_sql_file!("../sql/87_metrics.sql", name = "metrics", requires = ["diff"]);
pgrx::extension_sql_file!("../sql/90_verify.sql", name = "verify", requires = ["metrics"]);
pgrx::extension_sql_file!(
    "../sql/99_privileges.sql",
    name = "privileges",
    requires = ["verify"],
    finalize
);

/// Called by PostgreSQL when the library is loaded.
#[pgrx::pg_guard]
extern "C-unwind" fn _PG_init() {
    os::backtraces::disable();
    pg::interrupts::prepare();
    settings::register();
    background::register_launcher();
    pg::upgrade::skip_refresh_in_binary_upgrade();
}
