//! The rules of a second reading.

use crate::check::reject::Rejection;
use crate::columns::TripColumn;
use crate::model::error::SqlState;
use crate::model::time_form::{DayMonthOrder, ParsedTime, Proof, TimeForms, TimeKind};
use crate::model::timestamp::Timestamp;

/// What a second reading of staged records changes.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    /// Longitude and latitude are exchanged in a record that has an end outside of its range or box. An end that is valid
    /// only as it is stays.
    pub swap_coordinates: bool,
    /// A comma is the decimal mark of a record whose numbers have no points.
    pub decimal_comma: bool,
    /// Other forms of times, tried before those of the feed.
    pub times: Option<Times>,
}

impl Rules {
    /// Whether they change nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        !self.swap_coordinates && !self.decimal_comma && self.times.is_none()
    }
}

/// Forms of times.
#[derive(Debug, Clone)]
pub struct Times {
    forms: TimeForms,
    /// The order of day and month, if the caller says it.
    order: Option<DayMonthOrder>,
    is_instant: bool,
}

impl Times {
    /// Dates of four-digit years with day and month in this order, before a time of day.
    ///
    /// ```
    /// use trips_core::mend::rules::Times;
    /// use trips_core::model::time_form::DayMonthOrder;
    /// let times = Times::of_order(DayMonthOrder::DayFirst);
    /// assert_eq!(times.canonical(b"17.06.2024 8:05").as_deref(), Some("2024-06-17 08:05:00"));
    /// assert_eq!(times.canonical(b"06/17/2024 8:05"), None);
    /// assert!(times.is_contradicted_by(b"06/17/2024 8:05"));
    /// ```
    ///
    /// # Panics
    /// Never: a unit test compiles the patterns.
    #[must_use]
    pub fn of_order(order: DayMonthOrder) -> Self {
        let mut patterns = Vec::new();
        for mark in ['/', '.', '-'] {
            let date = match order {
                DayMonthOrder::DayFirst => format!("DD{mark}MM{mark}YYYY"),
                DayMonthOrder::MonthFirst => format!("MM{mark}DD{mark}YYYY"),
            };
            patterns.push(format!("{date} HH24:MI[:SS[.FF]]"));
            patterns.push(format!("{date} HH12:MI[:SS] AM"));
        }
        let forms = TimeForms::compile(&patterns, TimeKind::Local, false);
        let forms = forms.expect("patterns of dates and times of day");
        Self { forms, order: Some(order), is_instant: false }
    }

    /// The form of a pattern, as feeds have them.
    ///
    /// # Errors
    /// What was expected, if it is no pattern.
    pub fn of_pattern(pattern: &str) -> Result<Self, &'static str> {
        let kind = if pattern.starts_with("epoch") {
            TimeKind::Utc
        } else if pattern.contains("TZ") {
            TimeKind::Offset
        } else {
            TimeKind::Local
        };
        let forms = TimeForms::compile(&[pattern.to_owned()], kind, false);
        let forms = forms.map_err(|error| error.expected)?;
        Ok(Self { forms, order: None, is_instant: kind != TimeKind::Local })
    }

    /// The order of day and month that the caller says.
    #[must_use]
    pub fn order(&self) -> Option<DayMonthOrder> {
        self.order
    }

    /// Whether the times are instants, which need a time zone to be local times.
    #[must_use]
    pub fn are_instants(&self) -> bool {
        self.is_instant
    }

    /// The time of a text in the one form that is no feed's: `2024-06-17 08:05:00`, with `Z` if it is an instant. None if
    /// it has another form.
    #[must_use]
    pub fn canonical(&self, text: &[u8]) -> Option<String> {
        let ParsedTime { time: Timestamp(time), proof, .. } = self.parse(text)?;
        let text = Timestamp(time).full_text();
        proof.is_none().then(|| if self.is_instant { text + "Z" } else { text })
    }

    /// Whether a text is a date in the other order of day and month only.
    #[must_use]
    pub fn is_contradicted_by(&self, text: &[u8]) -> bool {
        self.parse(text).is_some_and(|time| matches!(time.proof, Some(Proof::OtherOrder(_))))
    }

    fn parse(&self, text: &[u8]) -> Option<ParsedTime> {
        self.forms.parse(text, self.order.unwrap_or(DayMonthOrder::MonthFirst)).ok().flatten()
    }
}

/// Whether a place is outside of its range or its box.
pub(crate) fn is_out_of_place(rejection: &Rejection) -> bool {
    rejection.state == SqlState::NumericValueOutOfRange && is_of_place(rejection)
}

/// Whether a place is rejected.
pub(crate) fn is_of_place(rejection: &Rejection) -> bool {
    let name = rejection.column.as_ref().map(|column| column.name());
    [TripColumn::Origin, TripColumn::Destination].iter().any(|end| name == Some(end.name()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_orders() {
        for (order, text, other) in [
            (DayMonthOrder::DayFirst, "13/02/2024 10:00", "02/13/2024 10:00"),
            (DayMonthOrder::MonthFirst, "02/13/2024 10:00:00.5", "13-02-2024 10:00"),
        ] {
            let times = Times::of_order(order);
            assert!(times.canonical(text.as_bytes()).unwrap().starts_with("2024-02-13 10:00:00"));
            assert_eq!(times.canonical(other.as_bytes()), None, "{other}");
            assert!(times.is_contradicted_by(other.as_bytes()), "{other}");
            for neutral in ["2024-02-13 10:00", "13/13/2024 10:00", "13/02/24 10:00", "x", ""] {
                assert_eq!(times.canonical(neutral.as_bytes()), None, "{neutral}");
                assert!(!times.is_contradicted_by(neutral.as_bytes()), "{neutral}");
            }
        }
    }

    #[test]
    fn patterns() {
        let of = |pattern: &str, text: &str| {
            Times::of_pattern(pattern).unwrap().canonical(text.as_bytes())
        };
        assert_eq!(of("epoch", "1718611500").as_deref(), Some("2024-06-17 08:05:00Z"));
        assert_eq!(of("epoch_ms", "1718611500"), None);
        let zoned = of("YYYY-MM-DD HH24:MI TZ", "2024-06-17 10:05 +02");
        assert_eq!(zoned.as_deref(), Some("2024-06-17 08:05:00Z"));
        assert_eq!(of("YYYY/MM/DD HH24:MI", "2024/06/17 08:05").unwrap(), "2024-06-17 08:05:00");
        assert_eq!(of("YYYY/MM/DD HH24:MI", "2024/06/17 08:05 +02"), None);
        assert!(Times::of_pattern("YYYY").is_err());
        assert!(Times::of_pattern("").is_err());
    }
}
