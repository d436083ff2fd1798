//! The session that calls us: who it is, what it may, how it talks.

use std::ffi::{CStr, CString};

use pgrx::{FromDatum, PgSqlErrorCode, pg_sys};

use super::deferred;
use super::own_settings::OwnSettings;
use super::relation::Table;

/// No other module may define settings with this prefix, and unknown ones are refused.
pub fn reserve_setting_prefix(prefix: &CStr) {
    // SAFETY: the prefix is a C string; PostgreSQL copies it.
    unsafe { pg_sys::MarkGUCPrefixReserved(prefix.as_ptr()) }
}

/// Refuses, as PostgreSQL's own commands do, to write in a read-only transaction, on a standby or in
/// parallel mode.
pub fn require_writable(command: &CStr) {
    // SAFETY: the name is a C string that is only read.
    unsafe {
        // First: every transaction of a standby is read-only, and that would tell nobody why.
        pg_sys::PreventCommandDuringRecovery(command.as_ptr());
        pg_sys::PreventCommandIfReadOnly(command.as_ptr());
        pg_sys::PreventCommandIfParallelMode(command.as_ptr());
    }
}

/// Whether all of the transaction sees the data as they were at its beginning.
pub fn has_one_snapshot() -> bool {
    // SAFETY: reads a variable of the backend.
    unsafe { pg_sys::XactIsoLevel >= pg_sys::XACT_REPEATABLE_READ.cast_signed() }
}

/// Whether the database stores text as UTF-8.
pub fn database_is_utf8() -> bool {
    // SAFETY: reads a variable of the backend.
    unsafe { pg_sys::GetDatabaseEncoding() == pg_sys::pg_enc::PG_UTF8 as i32 }
}

/// The role whose rights count now.
pub fn current_user() -> pg_sys::Oid {
    // SAFETY: reads a variable of the backend.
    unsafe { pg_sys::GetUserId() }
}

/// The name of a role.
pub fn role_name(role: pg_sys::Oid) -> String {
    // SAFETY: with noerr = false the result is a C string in the current memory context.
    unsafe { CStr::from_ptr(pg_sys::GetUserNameFromId(role, false)).to_string_lossy().into_owned() }
}

/// The role of this name; none when there is none.
pub fn role_of_name(name: &str) -> Option<pg_sys::Oid> {
    let name = CString::new(name).ok()?;
    // SAFETY: a C string; with missing_ok = true an unknown name gives InvalidOid.
    let role = unsafe { pg_sys::get_role_oid(name.as_ptr(), true) };
    (role != pg_sys::InvalidOid).then_some(role)
}

/// Whether there is a role of this number.
pub fn is_role(role: pg_sys::Oid) -> bool {
    // SAFETY: with noerr = true the result of an unknown number is NULL.
    unsafe { !pg_sys::GetUserNameFromId(role, true).is_null() }
}

/// Whether the role is the other one, or a superuser, or may SET ROLE to it.
pub fn may_become(role: pg_sys::Oid, other: pg_sys::Oid) -> bool {
    // SAFETY: two oids; an unknown one is a member of nothing.
    unsafe { pg_sys::is_member_of_role(role, other) }
}

/// Whether row-level security keeps rows of a table from the current user.
pub fn has_row_security(table: pg_sys::Oid) -> bool {
    let enabled = pg_sys::CheckEnableRlsResult::RLS_ENABLED;
    // SAFETY: a table by its oid; invalid is the current user, and with noError = true it is only asked.
    let found = unsafe { pg_sys::check_enable_rls(table, pg_sys::InvalidOid, true) };
    u32::try_from(found) == Ok(enabled)
}

/// Whether the role is the other one, or a member of it, or a superuser.
pub fn is_member_of(role: pg_sys::Oid, of: pg_sys::Oid) -> bool {
    // SAFETY: two oids; an unknown one is a member of nothing.
    unsafe { pg_sys::has_privs_of_role(role, of) }
}

/// Whether the role sees what sessions of the other one do, as in pg_stat_activity.
pub fn may_see_session_of(role: pg_sys::Oid, of: pg_sys::Oid) -> bool {
    let all = pg_sys::Oid::from(pg_sys::ROLE_PG_READ_ALL_STATS);
    is_member_of(role, all) || (of != pg_sys::InvalidOid && is_member_of(role, of))
}

/// Cancels what another process of this server does, as pg_cancel_backend() does.
pub fn cancel(pid: i32) -> bool {
    // SAFETY: a signal, to a process that pg_locks has just named.
    unsafe { libc::kill(pid, libc::SIGINT) == 0 }
}

/// The data directory of the cluster.
pub fn data_directory() -> String {
    // SAFETY: DataDir is a C string that is set before any session begins.
    unsafe { CStr::from_ptr(pg_sys::DataDir).to_string_lossy().into_owned() }
}

/// The value of a setting; none when there is no such setting.
pub fn setting(name: &CStr) -> Option<String> {
    // SAFETY: the result is NULL, or a C string that is copied before the next question changes it.
    unsafe {
        let found = pg_sys::GetConfigOption(name.as_ptr(), true, false);
        (!found.is_null()).then(|| CStr::from_ptr(found).to_string_lossy().into_owned())
    }
}

/// The name of a role, quoted as SQL needs it; one that is missing is an ERROR.
pub fn quoted_role_name(role: pg_sys::Oid) -> String {
    // SAFETY: both results are C strings in the current memory context.
    unsafe {
        let name = pg_sys::GetUserNameFromId(role, false);
        CStr::from_ptr(pg_sys::quote_identifier(name)).to_string_lossy().into_owned()
    }
}

/// Whether the role is a member of pg_read_server_files, or a superuser.
pub fn may_read_server_files(role: pg_sys::Oid) -> bool {
    let reader = pg_sys::Oid::from(pg_sys::ROLE_PG_READ_SERVER_FILES);
    // SAFETY: two oids; an unknown one is a member of nothing.
    unsafe { pg_sys::has_privs_of_role(role, reader) }
}

/// Makes it safe to do a little more after an error of PostgreSQL has been caught, which then goes on: what
/// the abort of the transaction does first of all.
pub fn after_error() {
    // SAFETY: the code that held these locks has been left by the error.
    unsafe { pg_sys::LWLockReleaseAll() }
}

/// Whether this session restores a dump, as pg_restore and pg_upgrade do: they do not check functions.
pub fn is_restoring() -> bool {
    // SAFETY: reads variables of the backend.
    unsafe { pg_sys::IsBinaryUpgrade || !pg_sys::check_function_bodies }
}

/// How many triggers are at work, one within another.
pub fn trigger_depth() -> i32 {
    // SAFETY: the function has no arguments and does not look for any; its result is an int, and never NULL.
    unsafe { i32::from_datum(pg_sys::pg_trigger_depth(std::ptr::null_mut()), false).unwrap_or(0) }
}

/// Runs queries outside of any statement, as at the end of a transaction.
pub fn with_snapshot<T>(work: impl FnOnce() -> T) -> T {
    // SAFETY: we are in a transaction; the snapshot is popped as it was pushed, or by the abort.
    unsafe {
        pg_sys::PushActiveSnapshot(pg_sys::GetTransactionSnapshot());
        let result = deferred::outside_statements(work);
        pg_sys::PopActiveSnapshot();
        result
    }
}

/// As [`with_snapshot`], within a statement: queries see all that this transaction has done so far.
pub fn with_new_snapshot<T>(work: impl FnOnce() -> T) -> T {
    // SAFETY: we are in a transaction, and not in parallel mode, where nothing is changed.
    unsafe { pg_sys::CommandCounterIncrement() };
    with_snapshot(work)
}

/// Names mean PostgreSQL's own until the transaction ends, or until code of somebody else has run.
pub fn use_own_names() -> Result<(), pgrx::spi::SpiError> {
    pgrx::Spi::run("SELECT pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true)")
}

/// The rights of the tables' owner, until this goes: callers write through us, never by themselves. Outside
/// of any statement, what the owner has deferred runs before that.
///
/// Statements mean what was written while this lives: see [`OwnSettings`].
pub struct AsOwner {
    user: pg_sys::Oid,
    context: i32,
    /// It goes after the owner's rights have gone.
    _settings: OwnSettings,
}

impl AsOwner {
    /// Takes on the rights of the owner of this table.
    pub fn of(table: &Table) -> Self {
        let mut before =
            Self { user: pg_sys::InvalidOid, context: 0, _settings: OwnSettings::set() };
        // SAFETY: both pointers are to fields of ours. The owner is an existing role.
        unsafe {
            pg_sys::GetUserIdAndSecContext(&raw mut before.user, &raw mut before.context);
            let local = pg_sys::SECURITY_LOCAL_USERID_CHANGE.cast_signed();
            pg_sys::SetUserIdAndSecContext(table.owner(), before.context | local);
        }
        before
    }
}

impl Drop for AsOwner {
    fn drop(&mut self) {
        let is_outermost = self.context & pg_sys::SECURITY_LOCAL_USERID_CHANGE.cast_signed() == 0;
        if is_outermost && !std::thread::panicking() {
            deferred::run_now();
        }
        // SAFETY: gives back what GetUserIdAndSecContext said. PostgreSQL does the same at the abort
        // of a (sub)transaction; doing it earlier, while an ERROR unwinds, takes rights away only.
        unsafe { pg_sys::SetUserIdAndSecContext(self.user, self.context) }
    }
}

/// The client's encoding is UTF-8 until this goes.
pub struct Utf8Client {
    level: Option<i32>,
    /// The client's own encoding.
    before: i32,
}

impl Utf8Client {
    /// Sets it, if it is another.
    pub fn set() -> Self {
        // SAFETY: the name and the value are C strings. The nest level undoes the change at its end,
        // or PostgreSQL does at the abort of the transaction.
        unsafe {
            let before = pg_sys::pg_get_client_encoding();
            if before == pg_sys::pg_enc::PG_UTF8 as i32 {
                return Self { level: None, before };
            }
            let level = pg_sys::NewGUCNestLevel();
            pg_sys::set_config_option(
                c"client_encoding".as_ptr(),
                c"UTF8".as_ptr(),
                pg_sys::GucContext::PGC_USERSET,
                pg_sys::GucSource::PGC_S_SESSION,
                pg_sys::GucAction::GUC_ACTION_SAVE,
                true,
                0,
                false,
            );
            Self { level: Some(level), before }
        }
    }
}

impl Drop for Utf8Client {
    fn drop(&mut self) {
        let Some(level) = self.level.take() else { return };
        // SAFETY: the level is the one that `set` opened, and nothing opened later is open still. While an
        // ERROR unwinds, the abort closes it; but the error is sent before, and must be in the client's own
        // encoding, whose conversions are loaded.
        unsafe {
            if std::thread::panicking() {
                pg_sys::SetClientEncoding(self.before);
            } else {
                pg_sys::AtEOXact_GUC(true, level);
            }
        }
    }
}

/// The five characters of a code: PostgreSQL packs six bits of each into a number.
pub fn sqlstate(code: PgSqlErrorCode) -> String {
    sqlstate_of_number(code as i32)
}

/// The same of a code that pgrx does not know.
pub fn sqlstate_of_number(packed: i32) -> String {
    let packed = packed.cast_unsigned();
    (0..5).filter_map(|i| char::from_u32(((packed >> (6 * i)) & 0x3f) + u32::from('0'))).collect()
}
