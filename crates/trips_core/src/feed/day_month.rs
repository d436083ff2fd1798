//! What the values of a file prove of its times: the order of day and month, and offsets from UTC.
//!
//! `03/04/2014` is a date in both orders, `13/04/2014` in one only. A file has one order. The threads note the proofs
//! of their chunks; the proofs of all chunks are joined. If they contradict each other or the feed, the file is
//! refused: the rows before the proof were read in the wrong order, and nothing else shows it.

use crate::model::error::SqlState;
use crate::model::position::{Position, PositionKind};
use crate::model::time_form::{DayMonthOrder, Proof, TimeForms};
use crate::text::escape::quoted;

/// A value, and the position of its record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// The position.
    pub position: Position,
    /// The value in quotes, as a message shows it.
    pub shown: String,
}

/// The proofs of a chunk, or of a file: the first of each kind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TimeProofs {
    month_first: Option<Evidence>,
    day_first: Option<Evidence>,
    against_feed: Option<(Evidence, AgainstFeed)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum AgainstFeed {
    Order(DayMonthOrder),
    HasOffset,
    NoOffset,
}

impl TimeProofs {
    /// Notes the proof of a value. It allocates for the first of each kind alone.
    #[inline]
    pub fn note(&mut self, proof: Proof, position: Position, value: &[u8]) {
        match proof {
            Proof::Order(order) => {
                if self.of(order).is_none() {
                    *self.of_mut(order) = Some(evidence(position, value));
                }
            }
            Proof::OtherOrder(order) => {
                self.note_against(AgainstFeed::Order(order), position, value);
            }
            Proof::HasOffset => self.note_against(AgainstFeed::HasOffset, position, value),
            Proof::NoOffset => self.note_against(AgainstFeed::NoOffset, position, value),
        }
    }

    #[cold]
    fn note_against(&mut self, what: AgainstFeed, position: Position, value: &[u8]) {
        if self.against_feed.is_none() {
            self.against_feed = Some((evidence(position, value), what));
        }
    }

    /// The first value that proves this order, where the feed leaves it to the file.
    #[must_use]
    pub const fn of(&self, order: DayMonthOrder) -> Option<&Evidence> {
        match order {
            DayMonthOrder::MonthFirst => self.month_first.as_ref(),
            DayMonthOrder::DayFirst => self.day_first.as_ref(),
        }
    }

    const fn of_mut(&mut self, order: DayMonthOrder) -> &mut Option<Evidence> {
        match order {
            DayMonthOrder::MonthFirst => &mut self.month_first,
            DayMonthOrder::DayFirst => &mut self.day_first,
        }
    }

    /// Adds the proofs of another chunk of the file, in any order of the chunks. The first positions stay.
    pub fn join(&mut self, other: Self) {
        let is_first = |mine: Option<&Evidence>, other: &Evidence| {
            mine.is_none_or(|mine| other.position.value < mine.position.value)
        };
        for (mine, other) in
            [(&mut self.month_first, other.month_first), (&mut self.day_first, other.day_first)]
        {
            if let Some(other) = other.filter(|other| is_first(mine.as_ref(), other)) {
                *mine = Some(other);
            }
        }
        let mine = self.against_feed.as_ref().map(|(mine, _)| mine);
        if let Some(other) = other.against_feed.filter(|(other, _)| is_first(mine, other)) {
            self.against_feed = Some(other);
        }
    }

    /// Why the file is refused, if it is. `order` is the order in which the file is read, if it is the file's own.
    #[must_use]
    pub fn contradiction(&self, order: Option<DayMonthOrder>, feed: &str) -> Option<Contradiction> {
        let feed = quoted(feed.as_bytes());
        if let Some((Evidence { position, shown }, what)) = &self.against_feed {
            let (found, expected) = match what {
                AgainstFeed::Order(order) => (
                    format!("{shown} proves {}", order.pattern()),
                    format!("feed {feed} says {}", order.other().pattern()),
                ),
                AgainstFeed::HasOffset => (
                    format!("{shown} has an offset from UTC"),
                    format!("times of feed {feed} have none"),
                ),
                AgainstFeed::NoOffset => (
                    format!("{shown} has no offset from UTC"),
                    format!("times of feed {feed} have one"),
                ),
            };
            return Some(Contradiction {
                position: *position,
                message: format!("{position}: {found}, {expected}"),
                hint: format!(
                    "Check that the file is of feed {feed}. For other times, create a feed with \
                     trips.create_feed and name it in the argument feed."
                ),
            });
        }
        let order = order?;
        let against = self.of(order.other())?;
        let Evidence { position, shown } = against;
        let proves = order.other().pattern();
        let message = match self.of(order) {
            Some(first) => format!(
                "{position}: {shown} proves {proves}, but {}: {} proves {}",
                first.position,
                first.shown,
                order.pattern()
            ),
            None => format!(
                "{position}: {shown} proves {proves}, but the file was read as {}",
                order.pattern()
            ),
        };
        Some(Contradiction {
            position: *position,
            message,
            hint: "Split the file: one file has one order of day and month.".to_owned(),
        })
    }
}

#[cold]
fn evidence(position: Position, value: &[u8]) -> Evidence {
    Evidence { position, shown: quoted(value.trim_ascii()) }
}

/// Why a file is refused: its times contradict its feed, or each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contradiction {
    /// The position of the proof.
    pub position: Position,
    /// The message: the position, what it proves, what was expected.
    pub message: String,
    /// What the user can do.
    pub hint: String,
}

impl Contradiction {
    /// 22008.
    pub const STATE: SqlState = SqlState::DatetimeFieldOverflow;
}

/// Looks for the order of day and month of a file whose feed has both, before the file is parsed.
#[derive(Debug)]
pub struct DayMonthScan<'f> {
    forms: &'f TimeForms,
    /// The first value that is a date in both orders.
    ambiguous: Option<Evidence>,
}

/// No value of a file proves its order of day and month.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unproved {
    /// The first value that is a date in both orders.
    pub ambiguous: Evidence,
}

impl Unproved {
    /// 22007.
    pub const STATE: SqlState = SqlState::InvalidDatetimeFormat;

    /// The message.
    #[must_use]
    pub fn message(&self) -> String {
        let Evidence { position, shown } = &self.ambiguous;
        let record = match position.kind {
            PositionKind::Line => "line",
            PositionKind::Record => "record",
            PositionKind::Row => "row",
        };
        format!("{position}: {shown} is MM/DD or DD/MM, and no {record} of the file proves which")
    }

    /// What the user can do.
    #[must_use]
    pub fn hint(&self) -> String {
        "Create a feed whose forms have one order with trips.create_feed and name it in the argument feed."
            .to_owned()
    }
}

impl<'f> DayMonthScan<'f> {
    /// A scan by these forms; it is needed if [`TimeForms::needs_order`].
    #[must_use]
    pub const fn new(forms: &'f TimeForms) -> Self {
        Self { forms, ambiguous: None }
    }

    /// The order that a value proves. Then the scan is done.
    pub fn see(&mut self, position: Position, value: &[u8]) -> Option<DayMonthOrder> {
        let (proven, is_ambiguous) = self.forms.proven_order(value);
        if is_ambiguous && self.ambiguous.is_none() {
            self.ambiguous = Some(evidence(position, value));
        }
        proven
    }

    /// The order of a file without a proof: that of the first form, if no value is ambiguous or the feed says so.
    ///
    /// # Errors
    /// When a value is ambiguous and the feed refuses such files.
    pub fn finish(self, takes_first: bool) -> Result<DayMonthOrder, Unproved> {
        match self.ambiguous {
            Some(ambiguous) if !takes_first => Err(Unproved { ambiguous }),
            _ => Ok(self.forms.first_order()),
        }
    }
}

#[cfg(test)]
mod tests {
    use DayMonthOrder::{DayFirst, MonthFirst};

    use super::*;
    use crate::model::time_form::TimeKind;

    fn both_orders() -> TimeForms {
        let patterns = ["MM/DD/YYYY HH24:MI", "DD/MM/YYYY HH24:MI", "YYYY-MM-DD HH24:MI"];
        TimeForms::compile(&patterns.map(str::to_owned), TimeKind::Local, false).unwrap()
    }

    fn month_first() -> TimeForms {
        let pattern = "MM/DD/YYYY HH24:MI".to_owned();
        TimeForms::compile(&[pattern], TimeKind::Local, false).unwrap()
    }

    /// The proofs of a chunk that begins at a line.
    fn proofs(forms: &TimeForms, begin: u64, values: &[&str], order: DayMonthOrder) -> TimeProofs {
        let mut proofs = TimeProofs::default();
        for (line, value) in (begin..).zip(values) {
            let parsed = forms.parse(value.as_bytes(), order).expect(value).expect("a time");
            if let Some(proof) = parsed.proof {
                proofs.note(proof, Position::line(line), value.as_bytes());
            }
        }
        proofs
    }

    #[test]
    fn a_file_of_one_order_has_no_contradiction() {
        let forms = both_orders();
        let chunk = proofs(&forms, 2, &["1/2/2014 10:00", "1/13/2014 10:00"], MonthFirst);
        assert_eq!(chunk.contradiction(Some(MonthFirst), "toronto"), None);
        assert_eq!(chunk.of(MonthFirst).unwrap().position, Position::line(3));
        let chunk = proofs(&month_first(), 2, &["1/2/2014 10:00", "1/13/2014 10:00"], MonthFirst);
        assert_eq!(chunk, TimeProofs::default());
        assert_eq!(chunk.contradiction(None, "uber_2014"), None);
    }

    #[test]
    fn a_file_against_its_feed_is_refused_with_the_line() {
        let values = ["1/2/2014 10:00", " 13/04/2014 10:00", "14/04/2014 10:00"];
        let chunk = proofs(&month_first(), 811, &values, MonthFirst);
        let refused = chunk.contradiction(None, "uber_2014").unwrap();
        assert_eq!(refused.position, Position::line(812));
        assert_eq!(
            refused.message,
            r#"line 812: "13/04/2014 10:00" proves DD/MM, feed "uber_2014" says MM/DD"#
        );
        assert!(refused.hint.contains("trips.create_feed"));
    }

    #[test]
    fn two_orders_in_one_file_name_both_lines_in_any_order_of_chunks() {
        let forms = both_orders();
        let chunks = [
            proofs(&forms, 2, &["1/2/2014 10:00", "1/13/2014 10:00"], MonthFirst),
            proofs(&forms, 4, &["13/1/2014 10:00", "1/14/2014 10:00"], MonthFirst),
            proofs(&forms, 6, &["14/1/2014 10:00"], MonthFirst),
        ];
        for order in [[0, 1, 2], [2, 1, 0], [1, 0, 2]] {
            let mut file = TimeProofs::default();
            for chunk in order {
                file.join(chunks[chunk].clone());
            }
            assert_eq!(
                file.contradiction(Some(MonthFirst), "toronto").unwrap().message,
                r#"line 4: "13/1/2014 10:00" proves DD/MM, but line 3: "1/13/2014 10:00" proves MM/DD"#
            );
        }
        let alone = &chunks[2];
        assert_eq!(
            alone.contradiction(Some(MonthFirst), "toronto").unwrap().message,
            r#"line 6: "14/1/2014 10:00" proves DD/MM, but the file was read as MM/DD"#
        );
        assert_eq!(alone.contradiction(Some(DayFirst), "toronto"), None);
    }

    #[test]
    fn offsets_against_the_feed_are_refused() {
        let chunk = proofs(&month_first(), 2, &["1/2/2014 10:00Z", "13/1/2014 10:00"], MonthFirst);
        assert_eq!(
            chunk.contradiction(None, "uber_2014").unwrap().message,
            r#"line 2: "1/2/2014 10:00Z" has an offset from UTC, times of feed "uber_2014" have none"#
        );
        let pattern = "YYYY-MM-DD HH24:MI TZ".to_owned();
        let oslo = TimeForms::compile(&[pattern], TimeKind::Offset, false).unwrap();
        let oslo = proofs(&oslo, 2, &["2014-01-02 10:00 +01", "2014-01-02 10:00 "], MonthFirst);
        assert_eq!(
            oslo.contradiction(None, "oslo").unwrap().message,
            r#"line 3: "2014-01-02 10:00" has no offset from UTC, times of feed "oslo" have one"#
        );
        let mut file = oslo;
        file.join(chunk);
        assert_eq!(file.contradiction(None, "x").unwrap().position, Position::line(2));
    }

    #[test]
    fn a_scan_ends_at_the_first_proof() {
        let forms = both_orders();
        let scan = |values: &[&str]| {
            let mut scan = DayMonthScan::new(&forms);
            let found = (2..)
                .zip(values)
                .find_map(|(line, value)| scan.see(Position::line(line), value.as_bytes()));
            found.ok_or(scan)
        };
        let proven = |values| scan(values).expect("a proof");
        assert_eq!(proven(&["1/2/2014 10:00", "1/13/2014 10:00"]), MonthFirst);
        assert_eq!(proven(&["x", "", "13/1/2014 10:00", "1/13/2014 10:00"]), DayFirst);
        // Nothing in the file depends on the order.
        let unproved = |values| scan(values).expect_err("no proof");
        assert_eq!(unproved(&["2014-01-02 10:00", "5/5/2014 10:00"]).finish(false), Ok(MonthFirst));
        assert_eq!(unproved(&["2014-01-02 10:00", "x"]).finish(false), Ok(MonthFirst));
        let ambiguous = ["2014-01-02 10:00", "1/2/2014 10:00", "1/3/2014 10:00"];
        assert_eq!(unproved(&ambiguous).finish(true), Ok(MonthFirst));
        assert_eq!(
            unproved(&ambiguous).finish(false).unwrap_err().message(),
            r#"line 3: "1/2/2014 10:00" is MM/DD or DD/MM, and no line of the file proves which"#
        );
    }
}
