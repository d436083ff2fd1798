//! The settings with which a statement of this extension means what was written, independent of the session, its role
//! and its database.

use std::ffi::CStr;

use pgrx::pg_sys;

use super::compat;
use super::safe_drop::drop_unless_panicking;

/// Settings that change how a statement is read, how a name is printed into one, or where a new table is stored.
/// Settings that change only how a value is shown (DateStyle, IntervalStyle, TimeZone, extra_float_digits,
/// bytea_output, lc_*) stay the caller's: our statements contain no values as text. So do planner settings (but see `jit`
/// and `LOOKUPS`), memory and timeouts.
const SETTINGS: [(&CStr, &CStr); 9] = [
    (c"search_path", c"pg_catalog, pg_temp"),
    // PostgreSQL 15 cannot refresh a materialized view concurrently with it.
    (c"quote_all_identifiers", c"off"),
    (c"standard_conforming_strings", c"on"),
    (c"backslash_quote", c"safe_encoding"),
    (c"transform_null_equals", c"off"),
    (c"array_nulls", c"on"),
    // The caller may have no rights there; the owner of the tables has.
    (c"default_tablespace", c""),
    (c"default_table_access_method", c"heap"),
    // Our statements are short. To load the compiler alone takes 40 ms in each new session.
    (c"jit", c"off"),
];

/// Settings with which the planner looks each row up in an index, even if the table is small when the statement begins
/// and grows while it runs. What is off adds a cost of 10^10 before PostgreSQL 18: without `jit`, it would compile such
/// a statement with all optimizations.
const LOOKUPS: [(&CStr, &CStr); 4] = [
    (c"enable_seqscan", c"off"),
    (c"enable_bitmapscan", c"off"),
    (c"enable_indexscan", c"on"),
    (c"jit", c"off"),
];

/// These settings apply until this is dropped.
#[derive(Debug)]
pub struct OwnSettings {
    level: i32,
}

impl OwnSettings {
    /// Sets those that have another value.
    pub fn set() -> Self {
        Self::set_these(&SETTINGS)
    }

    /// The same for a statement that only looks rows up by a key.
    pub fn for_lookups() -> Self {
        Self::set_these(&LOOKUPS)
    }

    fn set_these(settings: &[(&CStr, &CStr)]) -> Self {
        // SAFETY: we are in a transaction. The nest level undoes the changes at its end, or PostgreSQL does at the
        // abort of the (sub)transaction. Temporary files are where the caller may write: PostgreSQL caches the
        // tablespaces for the rest of the transaction.
        let level = unsafe {
            pg_sys::PrepareTempTablespaces();
            pg_sys::NewGUCNestLevel()
        };
        for &(name, value) in settings {
            if !is(name, value) {
                // SAFETY: two C strings, which are copied.
                unsafe {
                    pg_sys::set_config_option(
                        name.as_ptr(),
                        value.as_ptr(),
                        pg_sys::GucContext::PGC_USERSET,
                        pg_sys::GucSource::PGC_S_SESSION,
                        pg_sys::GucAction::GUC_ACTION_SAVE,
                        true,
                        0,
                        false,
                    );
                }
            }
        }
        Self { level }
    }
}

drop_unless_panicking!(OwnSettings, |settings| {
    // SAFETY: the level is the one that `set` opened, and no level opened later is open. The abort closes it after an ERROR.
    unsafe { pg_sys::AtEOXact_GUC(true, settings.level) }
});

/// Whether a setting has this value.
fn is(name: &CStr, value: &CStr) -> bool {
    // SAFETY: the result is NULL, or a C string that is read before the next call changes it.
    unsafe {
        let found = pg_sys::GetConfigOption(name.as_ptr(), true, false);
        !found.is_null() && CStr::from_ptr(found) == value
    }
}

/// The settings of a worker, for its lifetime: what a database or a role has set for its sessions does not apply to
/// workers. It could disable lock waits or writes, or make an error end the process. PostgreSQL's own workers do the
/// same.
pub fn set_for_worker() {
    let of_sessions = [
        (c"lock_timeout", c"0"),
        (c"statement_timeout", c"0"),
        (c"idle_in_transaction_session_timeout", c"0"),
        (c"default_transaction_isolation", c"read committed"),
        (c"default_transaction_read_only", c"off"),
        (c"default_transaction_deferrable", c"off"),
        (c"session_replication_role", c"origin"),
        (c"exit_on_error", c"off"),
    ];
    for (name, value) in
        SETTINGS.into_iter().chain(of_sessions).chain(compat::WORKER_SETTINGS.iter().copied())
    {
        // SAFETY: two C strings, which are copied. This runs before the connection, so that the first transaction has
        // them, too. Values from this source override those of the database.
        unsafe {
            pg_sys::SetConfigOption(
                name.as_ptr(),
                value.as_ptr(),
                pg_sys::GucContext::PGC_SUSET,
                pg_sys::GucSource::PGC_S_OVERRIDE,
            );
        }
    }
}
