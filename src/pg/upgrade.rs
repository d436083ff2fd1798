//! What pg_upgrade needs from us.
//!
//! pg_dump dumps the materialized view of an extension as a REFRESH, because the extension's script creates it empty.
//! It does so for pg_upgrade too, which moves the view with its rows. The server of pg_upgrade refuses a REFRESH: it
//! may not choose the oid of a new heap. (PostgreSQL 15 to 18.) No refresh is necessary there, so that one command does
//! nothing.

use std::ffi::CStr;
use std::sync::OnceLock;

use pgrx::{pg_guard, pg_sys};

use super::extension::SCHEMA;

/// The previous hook of PostgreSQL's utility commands.
static NEXT: OnceLock<pg_sys::ProcessUtility_hook_type> = OnceLock::new();

/// Passes over REFRESH of the views in the extension's schema, if this server is pg_upgrade's. The
/// library is loaded there before, by the CREATE FUNCTION of its functions.
pub fn skip_refresh_in_binary_upgrade() {
    // SAFETY: reads a variable of the server, and reads and sets one of this backend, which has one
    // thread while a library is being loaded.
    unsafe {
        let next = pg_sys::ProcessUtility_hook;
        if pg_sys::IsBinaryUpgrade && NEXT.set(next).is_ok() {
            pg_sys::ProcessUtility_hook = Some(process_utility);
        }
    }
}

#[pg_guard]
#[allow(clippy::too_many_arguments, reason = "PostgreSQL's signature")]
unsafe extern "C-unwind" fn process_utility(
    statement: *mut pg_sys::PlannedStmt,
    query: *const std::ffi::c_char,
    read_only_tree: bool,
    context: pg_sys::ProcessUtilityContext::Type,
    params: pg_sys::ParamListInfo,
    environment: *mut pg_sys::QueryEnvironment,
    receiver: *mut pg_sys::DestReceiver,
    completion: *mut pg_sys::QueryCompletion,
) {
    // SAFETY: PostgreSQL calls hooks with a statement, whose utility node has the type of its tag; the relation of a
    // REFRESH is never NULL, its schema may be. All arguments are passed on.
    unsafe {
        if is_refresh_of_ours((*statement).utilityStmt) {
            return;
        }
        let (q, r, c) = (query, read_only_tree, context);
        let (p, e, d, n) = (params, environment, receiver, completion);
        match NEXT.get().copied().flatten() {
            // Its ERROR must be turned into a panic, as pgrx does for PostgreSQL's own functions.
            Some(next) => {
                pg_sys::ffi::pg_guard_ffi_boundary(|| next(statement, q, r, c, p, e, d, n));
            }
            None => pg_sys::standard_ProcessUtility(statement, q, r, c, p, e, d, n),
        }
    }
}

/// # Safety
/// The node is a valid one.
unsafe fn is_refresh_of_ours(node: *mut pg_sys::Node) -> bool {
    // SAFETY: the node has the type of its tag.
    unsafe {
        if (*node).type_ != pg_sys::NodeTag::T_RefreshMatViewStmt {
            return false;
        }
        let schema = (*(*node.cast::<pg_sys::RefreshMatViewStmt>()).relation).schemaname;
        !schema.is_null() && CStr::from_ptr(schema) == SCHEMA
    }
}
