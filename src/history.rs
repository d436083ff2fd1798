//! The history `trips.hist_trip_data`: its keys, and the insertion of new rows.
//!
//! It is partitioned by ranges of time with any bounds. If there is no partition for a trip, a load creates one for its
//! month. An empty partition is filled without its index, which is then built at once. Into other partitions, rows go
//! through COPY.

mod append;
mod bounds;
mod change_triggers;
mod claims;
mod compare;
mod copy_form;
mod corrections;
mod deleted_versions;
mod deletion;
mod existing_keys;
mod known_rows;
mod lock;
mod new_rows;
mod occurrences;
pub mod owners;
mod partitions;
pub mod pending_counts;
pub mod places;
mod repair;
mod retract;
mod rewrite;
mod same_ids;
mod take_over;
mod undo;

use std::ffi::CStr;

use pgrx::pg_sys;
use trips_core::columns::{self, SqlType};

pub use self::append::{Appended, DerivedCounts, NextBatch};
pub use self::bounds::partition_bounds;
pub use self::change_triggers::{
    create_all_triggers, days_of, has_change_triggers, require_plain_partitions,
    require_sane_dates, sync_triggers, without_own_partition,
};
pub use self::claims::{Traces, delete_of as delete_claims_of, forget_deleted};
pub use self::deletion::DeletedTrips;
use self::partitions::Created;
pub use self::partitions::NewPartitions;
pub use self::repair::{Moved, damaged_partitions, move_misplaced, with_counts_deferred};
pub use self::retract::{delete_trips_of, while_removing};
pub use self::take_over::{Gain, Gains, Passing};
pub use self::undo::{
    corrected_by, delete_kept_versions, join_corrections, pass_on_corrections, raise_kept_versions,
    undo_corrections,
};
use crate::pg::relation::Attribute;

const HISTORY: &CStr = c"hist_trip_data";

const COLUMNS: [Attribute; columns::COUNT] = attributes();

/// The types of the primary key `(date_time, trip_key)`.
const KEY: [pg_sys::Oid; 2] =
    [COLUMNS[columns::INDEX[0]].type_oid, COLUMNS[columns::INDEX[1]].type_oid];
/// The numbers of its columns in a partition whose columns are [`COLUMNS`].
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    reason = "a table has 1,600 columns"
)]
const KEY_NUMBERS: [i16; 2] = [columns::INDEX[0] as i16 + 1, columns::INDEX[1] as i16 + 1];

const fn attributes() -> [Attribute; columns::COUNT] {
    let mut attributes =
        [Attribute { name: c"", type_oid: pg_sys::InvalidOid, is_required: false }; columns::COUNT];
    let mut i = 0;
    while i < columns::COUNT {
        let columns::Column { name, kind, is_required, .. } = columns::COLUMNS[i];
        attributes[i] = Attribute { name, type_oid: type_oid(kind), is_required };
        i += 1;
    }
    attributes
}

const fn type_oid(kind: SqlType) -> pg_sys::Oid {
    match kind {
        SqlType::Text => pg_sys::TEXTOID,
        SqlType::Point => pg_sys::POINTOID,
        SqlType::Timestamp => pg_sys::TIMESTAMPOID,
        SqlType::Uuid => pg_sys::UUIDOID,
        SqlType::Int8 => pg_sys::INT8OID,
        SqlType::Jsonb => pg_sys::JSONBOID,
    }
}

/// The history, locked by one load: no other load writes to it.
///
/// Only one load at a time can be sure that a missing trip stays missing. The second of two loads of the same trips
/// sees the rows of the first.
pub struct History {
    created: Created,
}

/// Days since 2000-01-01, both inside; None means unbounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Days {
    /// The first.
    pub first: Option<i32>,
    /// The last.
    pub last: Option<i32>,
}

impl Days {
    /// All of them.
    pub const ALL: Self = Self { first: None, last: None };
}
