//! The order of day and month of a file whose feed has both, before the file is parsed.

use std::io::{self, Read};

use thiserror::Error;

use crate::feed::day_month::{DayMonthScan, Unproved};
use crate::feed::definition::{ColumnId, EndedAt, Unproved as IfUnproved};
use crate::feed::fields::Fields;
use crate::feed::plan::Plan;
use crate::format::delimited::feed_record::{RecordFields, has_fields};
use crate::format::delimited::record::RecordReader;
use crate::model::time_form::{DayMonthOrder, JoinedTime};

/// Records between two checks for interrupts.
const BETWEEN_POLLS: u64 = 4096;

/// Why the order is not known.
#[derive(Debug, Error)]
pub enum OrderError {
    /// The file could not be read.
    #[error("could not read the file: {0}")]
    Read(#[from] io::Error),
    /// Some of its times are dates in both orders, and none in one only.
    #[error("{}", .0.message())]
    Unproved(Unproved),
}

/// Reads the records after the header until one proves the order of day and month. The result is for
/// [`Plan::set_order`], and the file is then read again from its beginning. `poll` is called now and then.
///
/// # Errors
/// When the file cannot be read, or when no record proves the order, one needs it, and the feed refuses such files.
pub fn find_order<R: Read>(
    plan: &Plan,
    reader: &mut RecordReader<R>,
    mut poll: impl FnMut(),
) -> Result<DayMonthOrder, OrderError> {
    let feed = plan.feed();
    let Some(forms) = &feed.rules.forms else { return Ok(DayMonthOrder::MonthFirst) };
    let definition = &feed.definition;
    let end = match &definition.ended_at {
        Some(EndedAt::Columns(columns)) => columns.as_slice(),
        _ => &[],
    };
    let mut scan = DayMonthScan::new(forms);
    let mut count = 0_u64;
    while let Some(record) = reader.next_record()? {
        count += 1;
        if count.is_multiple_of(BETWEEN_POLLS) {
            poll();
        }
        if !has_fields(&record, plan) {
            continue;
        }
        let fields = RecordFields::of(&record, plan);
        for columns in [definition.time.columns.as_slice(), end] {
            if let Some(order) = see(&mut scan, &fields, columns, record.line) {
                return Ok(order);
            }
        }
    }
    let takes_first = definition.time.unproved == IfUnproved::First;
    scan.finish(takes_first).map_err(OrderError::Unproved)
}

/// The order that the time in one column or two proves.
fn see(
    scan: &mut DayMonthScan<'_>,
    fields: &impl Fields,
    columns: &[ColumnId],
    line: u64,
) -> Option<DayMonthOrder> {
    match columns {
        [date, time] => {
            let joined = JoinedTime::of(&fields.text(*date)?, &fields.text(*time)?);
            scan.see(line, joined.text())
        }
        [time] => scan.see(line, &fields.text(*time)?),
        _ => None,
    }
}
