//! The checks of `trips.verify` that are written in Rust.

use pgrx::datum::Date;
use pgrx::iter::TableIterator;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::{name, pg_extern};

use crate::derived::areas::check;
use crate::pg::error_fields;

/// `trips_internal.check_area_index() -> setof (week, fault)`
#[pg_extern(sql = false, stable, parallel_restricted)]
fn check_area_index()
-> Result<TableIterator<'static, (name!(week, Date), name!(fault, &'static str))>, ErrorReport> {
    let _errors = error_fields::preserve();
    let faults = check::find()?.into_iter().map(|(week, fault)| {
        (Date::saturating_from_raw(trips_areas::first_day(week)), fault.word())
    });
    Ok(TableIterator::new(faults))
}
