//! The session that calls us: its role, its privileges, its transaction.

use std::ffi::{CStr, CString};

use pgrx::{FromDatum, PgSqlErrorCode, pg_sys};

use super::deferred;
use super::own_settings::OwnSettings;
use super::plans;
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
        // This check comes first: every transaction of a standby is read-only, and that error would not say why.
        pg_sys::PreventCommandDuringRecovery(command.as_ptr());
        pg_sys::PreventCommandIfReadOnly(command.as_ptr());
        pg_sys::PreventCommandIfParallelMode(command.as_ptr());
    }
}

/// Whether the transaction uses one snapshot, that of its beginning.
pub fn has_one_snapshot() -> bool {
    // SAFETY: reads a variable of the backend.
    unsafe { pg_sys::XactIsoLevel >= pg_sys::XACT_REPEATABLE_READ.cast_signed() }
}

/// Whether the database stores text as UTF-8.
pub fn database_is_utf8() -> bool {
    // SAFETY: reads a variable of the backend.
    unsafe { pg_sys::GetDatabaseEncoding() == pg_sys::pg_enc::PG_UTF8 as i32 }
}

/// The current user.
pub fn current_user() -> pg_sys::Oid {
    // SAFETY: reads a variable of the backend.
    unsafe { pg_sys::GetUserId() }
}

/// The name of a role.
pub fn role_name(role: pg_sys::Oid) -> String {
    // SAFETY: with noerr = false the result is a C string in the current memory context.
    unsafe { CStr::from_ptr(pg_sys::GetUserNameFromId(role, false)).to_string_lossy().into_owned() }
}

/// The role of this name; None if there is none.
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
    // SAFETY: two oids; an unknown role is not a member of any.
    unsafe { pg_sys::is_member_of_role(role, other) }
}

/// Whether row-level security hides rows of a table from the current user.
pub fn has_row_security(table: pg_sys::Oid) -> bool {
    let enabled = pg_sys::CheckEnableRlsResult::RLS_ENABLED;
    // SAFETY: a table by its oid; invalid is the current user. With noError = true the function only checks.
    let found = unsafe { pg_sys::check_enable_rls(table, pg_sys::InvalidOid, true) };
    u32::try_from(found) == Ok(enabled)
}

/// Whether the current user may read all columns and all rows of a table.
pub fn may_read_all(table: pg_sys::Oid) -> bool {
    let select = pg_sys::AclMode::from(pg_sys::ACL_SELECT);
    // SAFETY: two oids: an unknown table is an ERROR.
    let found = unsafe { pg_sys::pg_class_aclcheck(table, current_user(), select) };
    found == pg_sys::AclResult::ACLCHECK_OK && !has_row_security(table)
}

/// Whether the role is the other one, or a member of it, or a superuser.
pub fn is_member_of(role: pg_sys::Oid, of: pg_sys::Oid) -> bool {
    // SAFETY: two oids; an unknown role is not a member of any.
    unsafe { pg_sys::has_privs_of_role(role, of) }
}

/// Whether the role sees the sessions of the other one, as in pg_stat_activity.
pub fn may_see_session_of(role: pg_sys::Oid, of: pg_sys::Oid) -> bool {
    let all = pg_sys::Oid::from(pg_sys::ROLE_PG_READ_ALL_STATS);
    is_member_of(role, all) || (of != pg_sys::InvalidOid && is_member_of(role, of))
}

/// Cancels the statement of another process of this server, as pg_cancel_backend() does; `false` when there is no such
/// process.
pub fn cancel(pid: i32) -> bool {
    // SAFETY: looks the process up in the array of PostgreSQL's processes. It may end before the signal is sent. Then its
    // group does not exist either, unless the kernel reuses the number at once. pg_cancel_backend() has the same window.
    unsafe { !pg_sys::BackendPidGetProc(pid).is_null() && libc::kill(-pid, libc::SIGINT) == 0 }
}

/// The data directory of the cluster.
pub fn data_directory() -> String {
    // SAFETY: DataDir is a C string that is set before any session begins.
    unsafe { CStr::from_ptr(pg_sys::DataDir).to_string_lossy().into_owned() }
}

/// The value of a setting; None if there is no such setting.
pub fn setting(name: &CStr) -> Option<String> {
    // SAFETY: the result is NULL, or a C string that is copied before the next call changes it.
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
    // SAFETY: two oids; an unknown role is not a member of any.
    unsafe { pg_sys::has_privs_of_role(role, reader) }
}

/// Releases the lightweight locks that an error has left, as the abort of the transaction does first. Then the caller may
/// use shared memory, and nothing else, before it raises the error again: memory of its own, the lock table, the slots of
/// background workers. No table and no catalog can be read before the abort.
pub fn after_error() {
    // SAFETY: the error has left the code that held these locks.
    unsafe { pg_sys::LWLockReleaseAll() }
}

/// Whether this session restores a dump, as pg_restore and pg_upgrade do: they do not check functions.
pub fn is_restoring() -> bool {
    // SAFETY: reads variables of the backend.
    unsafe { pg_sys::IsBinaryUpgrade || !pg_sys::check_function_bodies }
}

/// Depth of nested triggers.
pub fn trigger_depth() -> i32 {
    // SAFETY: the function has no arguments and reads none; its result is an int, and never NULL.
    unsafe { i32::from_datum(pg_sys::pg_trigger_depth(std::ptr::null_mut()), false).unwrap_or(0) }
}

/// Does the work with a new snapshot of the transaction, outside of any statement.
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
    // SAFETY: we are in a transaction, and not in parallel mode, in which nothing is written.
    unsafe { pg_sys::CommandCounterIncrement() };
    with_snapshot(work)
}

/// Names mean PostgreSQL's own until the transaction ends, or until other code has run.
pub fn use_own_names() -> Result<(), pgrx::spi::SpiError> {
    plans::run("SELECT pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true)", &[])
}

/// Runs as the owner of this table until the result is dropped: callers write through us, never by themselves.
///
/// Outside of any statement, the code that the owner has deferred runs before that, still as the owner. Statements mean
/// what was written while the result lives: see [`OwnSettings`].
#[must_use = "the owner's privileges end when this is dropped"]
pub fn run_as_owner(table: &Table) -> RunsAsOwner {
    let settings = OwnSettings::set();
    let mut before = Identity { user: pg_sys::InvalidOid, context: 0 };
    // SAFETY: both pointers are to our fields. The owner is an existing role.
    unsafe {
        pg_sys::GetUserIdAndSecContext(&raw mut before.user, &raw mut before.context);
        let local = pg_sys::SECURITY_LOCAL_USERID_CHANGE.cast_signed();
        pg_sys::SetUserIdAndSecContext(table.owner(), before.context | local);
    }
    RunsAsOwner { before, _settings: settings }
}

/// What [`run_as_owner`] returns.
///
/// Its Drop runs the owner's deferred code. A method could be forgotten on some path, and that code would run at the commit
/// of a worker, as a superuser.
pub struct RunsAsOwner {
    /// It is restored first, also when the owner's deferred code raises an error.
    before: Identity,
    _settings: OwnSettings,
}

impl Drop for RunsAsOwner {
    fn drop(&mut self) {
        let local = pg_sys::SECURITY_LOCAL_USERID_CHANGE.cast_signed();
        let is_outermost = self.before.context & local == 0;
        if is_outermost && !std::thread::panicking() {
            deferred::run_now();
        }
    }
}

/// The user id and security context of this process. Drop restores them.
struct Identity {
    user: pg_sys::Oid,
    context: i32,
}

impl Drop for Identity {
    fn drop(&mut self) {
        // SAFETY: restores what GetUserIdAndSecContext returned. The abort of a (sub)transaction does the same later. Earlier,
        // while an ERROR unwinds, it only removes privileges.
        unsafe { pg_sys::SetUserIdAndSecContext(self.user, self.context) }
    }
}

/// The client's encoding is UTF-8 until this is dropped.
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
        // SAFETY: `set` opened the level, and no later level is open. While an ERROR unwinds, the abort closes it. But
        // the error is sent before, and must be in the client's own encoding, whose conversions are loaded.
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
