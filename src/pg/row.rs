//! A row of `trips.loads`, as functions return it.

/// A row of the ledger.
pub type LoadRow = pgrx::composite_type!('static, "trips.loads");
