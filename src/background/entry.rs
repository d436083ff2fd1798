//! The main functions of the background workers. PostgreSQL finds them in the library by their names.

use pgrx::{pg_guard, pg_sys};

use super::{launcher, resume_queue, start_worker_for_queue, watch_folder, work_on_queue};
use crate::monitor;
use crate::pg::worker;

/// The load monitor. `argument` is the handle of the mailbox of the session that started it.
#[pg_guard]
#[unsafe(no_mangle)]
pub extern "C-unwind" fn trips_monitor(argument: pg_sys::Datum) {
    if worker::connect() {
        worker::track_activities();
        let mailbox = u32::try_from(argument.value()).unwrap_or_default();
        monitor::worker::monitor(mailbox, start_worker_for_queue);
        resume_queue();
    }
}

/// A queue worker. `argument` is the load that it was started for, or 0.
#[pg_guard]
#[unsafe(no_mangle)]
pub extern "C-unwind" fn trips_queue(argument: pg_sys::Datum) {
    if worker::connect() {
        work_on_queue(argument.value().cast_signed() as i64);
    }
}

/// The folder watcher.
#[pg_guard]
#[unsafe(no_mangle)]
pub extern "C-unwind" fn trips_watcher(_argument: pg_sys::Datum) {
    if worker::connect() {
        watch_folder();
    }
}

/// The launcher.
#[pg_guard]
#[unsafe(no_mangle)]
pub extern "C-unwind" fn trips_launcher(_argument: pg_sys::Datum) {
    worker::connect_to_no_database();
    launcher::launch();
}
