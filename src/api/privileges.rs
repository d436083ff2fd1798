//! Privileges of loaders and readers.

use pgrx::pg_sys::panic::ErrorReport;
use pgrx::{pg_extern, pg_sys};

use crate::error::RequestError;
use crate::grants;
use crate::pg::error_fields;

/// `trips.grant_loader(role)`
#[pg_extern(sql = false)]
fn grant_loader(role: Option<pg_sys::Oid>) -> Result<(), ErrorReport> {
    let _errors = error_fields::preserve();
    Ok(grants::loader(role.ok_or(RequestError::NullArgument("role"))?)?)
}

/// `trips.grant_reader(role)`
#[pg_extern(sql = false)]
fn grant_reader(role: Option<pg_sys::Oid>) -> Result<(), ErrorReport> {
    let _errors = error_fields::preserve();
    Ok(grants::reader(role.ok_or(RequestError::NullArgument("role"))?)?)
}
