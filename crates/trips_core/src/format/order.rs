//! The order of day and month of a file whose feed has both, before the file is parsed.

use std::io::{self, Read};

use thiserror::Error;

use crate::feed::day_month::{DayMonthScan, Unproved};
use crate::feed::definition::{ColumnId, EndedAt, Unproved as IfUnproved};
use crate::feed::fields::Fields;
use crate::feed::plan::Plan;
use crate::format::ChunkReader;
use crate::format::position::Position;
use crate::model::time_form::{DayMonthOrder, JoinedTime};

/// Bytes of the file between two checks for interrupts.
const CHUNK: usize = 1024 * 1024;

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
    reader: impl Into<ChunkReader<R>>,
    max_record: usize,
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
    let mut reader = reader.into();
    while let Some(mut chunk) = reader.next_chunk(CHUNK, 0)? {
        poll();
        let found = chunk.for_each_fields(plan, max_record, |record| {
            let Ok(fields) = record.fields else { return Ok(()) };
            let columns = [definition.time.columns.as_slice(), end];
            let mut orders =
                columns.into_iter().map(|columns| see(&mut scan, fields, columns, record.position));
            orders.find_map(|order| order).map_or(Ok(()), Err)
        });
        if let Err(order) = found {
            return Ok(order);
        }
    }
    let takes_first = definition.time.unproved == IfUnproved::First;
    scan.finish(takes_first).map_err(OrderError::Unproved)
}

/// The order that the time in one column or two proves.
fn see(
    scan: &mut DayMonthScan<'_>,
    fields: &dyn Fields,
    columns: &[ColumnId],
    position: Position,
) -> Option<DayMonthOrder> {
    match columns {
        [date, time] => {
            let joined = JoinedTime::of(&fields.text(*date)?, &fields.text(*time)?);
            scan.see(position, joined.text())
        }
        [time] => scan.see(position, &fields.text(*time)?),
        _ => None,
    }
}
