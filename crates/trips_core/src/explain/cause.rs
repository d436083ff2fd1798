//! The causes that a second reading can prove.

use crate::check::reject::Rejection;
use crate::mend::rules::{Rules, Times, is_out_of_place};
use crate::model::error::SqlState;
use crate::model::time_form::DayMonthOrder;

/// Forms of times that are tried, besides both orders of day and month.
const FORMS: [&str; 7] = [
    "YYYY-MM-DD HH24:MI[:SS[.FF]]",
    "YYYY-MM-DD HH12:MI[:SS] AM",
    "YYYY/MM/DD HH24:MI[:SS[.FF]]",
    "YYYY.MM.DD HH24:MI[:SS[.FF]]",
    "epoch",
    "epoch_ms",
    "epoch_us",
];
/// How times are read: as the feed does, in the two orders, in a form.
const TIMES: u8 = 10;
/// The number of causes. Each has a bit in a set.
pub(super) const COUNT: u8 = TIMES * 4;

/// Rules that make a record a trip.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Cause {
    /// Number of its rules: a cause of fewer rules comes first.
    rules: u8,
    time: u8,
    decimal: bool,
    swap: bool,
}

impl Cause {
    /// No rule: the record is a trip as it is.
    pub(super) const NONE: Self = Self { rules: 0, time: 0, decimal: false, swap: false };

    /// All causes.
    pub(super) fn all() -> impl Iterator<Item = Self> {
        (0..TIMES).flat_map(|time| {
            [(false, false), (false, true), (true, false), (true, true)].map(|(decimal, swap)| {
                let rules = u8::from(time > 0) + u8::from(decimal) + u8::from(swap);
                Self { rules, time, decimal, swap }
            })
        })
    }

    /// Its bit.
    pub(super) fn bit(self) -> u64 {
        let number = self.time * 4 + u8::from(self.decimal) * 2 + u8::from(self.swap);
        1 << number
    }

    /// The causes of a set.
    pub(super) fn of_set(set: u64) -> impl Iterator<Item = Self> {
        Self::all().filter(move |cause| set & cause.bit() != 0)
    }

    /// The order of day and month that it says.
    pub(super) fn order(self) -> Option<DayMonthOrder> {
        match self.time {
            1 => Some(DayMonthOrder::DayFirst),
            2 => Some(DayMonthOrder::MonthFirst),
            _ => None,
        }
    }

    /// The causes with one more rule, which may mend this rejection.
    pub(super) fn next(self, rejection: &Rejection) -> Vec<Self> {
        let name = rejection.column.as_ref().map(|column| column.name());
        let is_time = matches!(name, Some("date_time" | "ended_at"))
            && matches!(
                rejection.state,
                SqlState::InvalidDatetimeFormat | SqlState::DatetimeFieldOverflow
            );
        let is_place = matches!(name, Some("origin_coord" | "destination_coord"));
        let rules = self.rules + 1;
        if is_time && self.time == 0 {
            (1..TIMES).map(|time| Self { rules, time, ..self }).collect()
        } else if is_out_of_place(rejection) && !self.swap {
            vec![Self { rules, swap: true, ..self }]
        } else if is_place
            && rejection.state == SqlState::InvalidTextRepresentation
            && !self.decimal
        {
            vec![Self { rules, decimal: true, ..self }]
        } else {
            Vec::new()
        }
    }

    /// The arguments of `trips.retry_staged` that it needs.
    pub(super) fn arguments(self) -> Vec<String> {
        let mut arguments = Vec::new();
        if self.swap {
            arguments.push("swap_coordinates => true".to_owned());
        }
        match (self.order(), self.form()) {
            (Some(DayMonthOrder::DayFirst), _) => arguments.push("date_order => 'DMY'".to_owned()),
            (Some(DayMonthOrder::MonthFirst), _) => {
                arguments.push("date_order => 'MDY'".to_owned())
            }
            (None, Some(form)) => arguments.push(format!("time_form => '{form}'")),
            (None, None) => {}
        }
        if self.decimal {
            arguments.push("decimal_comma => true".to_owned());
        }
        arguments
    }

    /// What is wrong with the records, without the proof of an order of day and month.
    pub(super) fn text(self) -> String {
        let mut texts = Vec::new();
        if self.swap {
            texts.push("longitude and latitude are swapped".to_owned());
        }
        match (self.order(), self.form()) {
            (Some(DayMonthOrder::DayFirst), _) => texts.push("dates are day first".to_owned()),
            (Some(DayMonthOrder::MonthFirst), _) => texts.push("dates are month first".to_owned()),
            (None, Some("epoch")) => texts.push("times are seconds since 1970".to_owned()),
            (None, Some("epoch_ms")) => texts.push("times are milliseconds since 1970".to_owned()),
            (None, Some("epoch_us")) => texts.push("times are microseconds since 1970".to_owned()),
            (None, Some(form)) => texts.push(format!("times have the form {form}")),
            (None, None) => {}
        }
        if self.decimal {
            texts.push("the decimal mark is a comma".to_owned());
        }
        texts.join(", and ")
    }

    fn form(self) -> Option<&'static str> {
        FORMS.get(usize::from(self.time).checked_sub(3)?).copied()
    }

    fn rules(self) -> Rules {
        let times = match self.order() {
            Some(order) => Some(Times::of_order(order)),
            None => self.form().and_then(|form| Times::of_pattern(form).ok()),
        };
        Rules { swap_coordinates: self.swap, decimal_comma: self.decimal, times }
    }
}

/// The rules of all causes.
#[derive(Debug)]
pub(super) struct RuleTable(Vec<Rules>);

impl RuleTable {
    pub(super) fn new() -> Self {
        Self(Cause::all().map(Cause::rules).collect())
    }

    pub(super) fn of(&self, cause: Cause) -> &Rules {
        &self.0[cause.bit().trailing_zeros() as usize]
    }
}

const _: () = assert!(TIMES as usize == 3 + FORMS.len());

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_cause_has_a_bit_and_rules() {
        let table = RuleTable::new();
        let bits: BTreeSet<u64> = Cause::all().map(Cause::bit).collect();
        assert_eq!(bits.len(), usize::from(COUNT));
        assert_eq!(bits.last(), Some(&(1 << (COUNT - 1))));
        for cause in Cause::all() {
            let rules = table.of(cause);
            assert_eq!(rules.swap_coordinates, cause.swap);
            assert_eq!(rules.decimal_comma, cause.decimal);
            assert_eq!(rules.times.is_some(), cause.time > 0);
            assert_eq!(cause.arguments().len(), usize::from(cause.rules));
            assert_eq!(Cause::of_set(cause.bit()).collect::<Vec<_>>(), [cause]);
        }
        assert_eq!(Cause::of_set(u64::MAX).min(), Some(Cause::NONE));
    }
}
