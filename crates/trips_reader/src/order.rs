//! The order of day and month of a file whose feed has both. It is found once a file, and each split carries it.

use std::path::Path;

use trips_core::feed::choice::FeedChoice;
use trips_core::feed::day_month::Unproved;
use trips_core::feed::plan::Plan;
use trips_core::format::delimited::header::read_header;
use trips_core::format::delimited::record::RecordReader;
use trips_core::format::order::{OrderError, find_order};
use trips_core::model::time_form::DayMonthOrder;

use crate::options::open;
use crate::{Failure, shown};

const NAMES: [(DayMonthOrder, &str); 2] =
    [(DayMonthOrder::MonthFirst, "month_first"), (DayMonthOrder::DayFirst, "day_first")];

/// The order of a file that has a header; None if its feed needs none. Or no line of the file proves one.
pub fn of_file(
    path: &Path,
    choice: &FeedChoice,
    max_record: usize,
) -> Result<Result<Option<DayMonthOrder>, Unproved>, Failure> {
    let (file, ..) = open(path)?;
    let mut reader = RecordReader::new(file, max_record);
    // A file that has no header has been refused.
    let Ok(plan) = read_header(choice, &mut reader, max_record) else {
        return Err(Failure::Changed(shown(path)));
    };
    if !plan.feed().needs_order() {
        return Ok(Ok(None));
    }
    match find_order(&plan, reader, max_record, || ()) {
        Ok(order) => Ok(Ok(Some(order))),
        Err(OrderError::Unproved(unproved)) => Ok(Err(unproved)),
        Err(OrderError::Read(error)) => Err(Failure::File { path: shown(path), error }),
    }
}

/// The text of the columns of a split, with the order before it.
pub fn with_order(order: Option<DayMonthOrder>, columns: Option<String>) -> Option<String> {
    let Some((_, name)) = NAMES.iter().find(|(known, _)| Some(*known) == order) else {
        return columns;
    };
    Some(format!("{name}:{}", columns.unwrap_or_default()))
}

/// The columns without the order before them, which becomes the plan's.
pub fn take<'t>(columns: Option<&'t str>, plan: &mut Plan) -> Option<&'t str> {
    let (name, rest) = columns?.split_once(':')?;
    let Some((order, _)) = NAMES.iter().find(|(_, known)| *known == name) else { return columns };
    plan.set_order(*order);
    Some(rest).filter(|rest| !rest.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_have_the_order_before_them() {
        let order = Some(DayMonthOrder::DayFirst);
        for (order, columns, text) in [
            (None, None, None),
            (None, Some("6:4:2"), Some("6:4:2")),
            (order, None, Some("day_first:")),
            (order, Some("unknown:7"), Some("day_first:unknown:7")),
        ] {
            let columns = columns.map(str::to_owned);
            assert_eq!(with_order(order, columns).as_deref(), text);
        }
    }
}
