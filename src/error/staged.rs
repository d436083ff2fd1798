//! Errors of calls that explain staged records, or read them again.

use pgrx::PgSqlErrorCode as Code;
use trips_core::text::escape::quoted;

use super::report::{Report, reported};

/// Why staged records are not explained, or not read again.
#[derive(Debug)]
pub enum StagedError {
    /// The load has another state.
    NotLoaded {
        load_id: i64,
        state: String,
    },
    DateOrder(String),
    TimeForm {
        form: String,
        expected: &'static str,
    },
    /// Both say how times are read.
    OrderAndForm,
    Examples {
        examples: i32,
        limit: usize,
    },
    Member {
        load_id: i64,
        member: String,
    },
    /// No staged record has the columns of the feed.
    Columns {
        load_id: i64,
        feed: String,
    },
    /// The form is of instants, but the feed has no time zone.
    NoZone {
        form: String,
        feed: String,
    },
    /// A record proves the other order of day and month.
    OtherOrder {
        member: Option<String>,
        line: u64,
        proves: &'static str,
        expected: &'static str,
    },
}

reported!(StagedError);

impl StagedError {
    /// SQLSTATE, message, DETAIL and HINT.
    pub fn report(&self) -> Report {
        match self {
            Self::NotLoaded { load_id, state } => Report::new(
                Code::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                format!("load {load_id} is not loaded"),
            )
            .detail(format!("The state of the load is {state}."))
            .hint("Use the number of a load with the state loaded."),
            Self::DateOrder(word) => {
                invalid("date_order", &quoted(word.as_bytes())).hint("Use 'DMY' or 'MDY'.")
            }
            Self::TimeForm { form, expected } => invalid("time_form", &quoted(form.as_bytes()))
                .detail(format!("Expected {expected}."))
                .hint("Use a pattern such as 'YYYY/MM/DD HH24:MI[:SS]'."),
            Self::OrderAndForm => Report::new(
                Code::ERRCODE_INVALID_PARAMETER_VALUE,
                "date_order and time_form cannot be used together",
            )
            .hint("Use time_form alone: its pattern has the order of day and month."),
            Self::Examples { examples, limit } => {
                invalid("examples", examples).hint(format!("Use 0 to {limit}."))
            }
            Self::Member { load_id, member } => Report::new(
                Code::ERRCODE_UNDEFINED_OBJECT,
                format!(
                    "load {load_id} has no staged records of member {}",
                    quoted(member.as_bytes())
                ),
            )
            .hint(format!("Run SELECT * FROM trips.explain_staged({load_id}).")),
            Self::Columns { load_id, feed } => Report::new(
                Code::ERRCODE_UNDEFINED_COLUMN,
                format!(
                    "no staged record of load {load_id} has the columns of feed {}",
                    quoted(feed.as_bytes())
                ),
            )
            .hint(format!("Run SELECT * FROM trips.explain_staged({load_id}).")),
            Self::NoZone { form, feed } => Report::new(
                Code::ERRCODE_INVALID_PARAMETER_VALUE,
                format!("time_form {} needs a time zone", quoted(form.as_bytes())),
            )
            .detail(format!("Feed {} has no time zone, or several.", quoted(feed.as_bytes())))
            .hint(
                "Create a feed with the time zone of the trips, and name it in the argument feed.",
            ),
            Self::OtherOrder { member, line, proves, expected } => {
                other_order(member.as_deref(), *line, proves, expected)
            }
        }
    }
}

fn other_order(member: Option<&str>, line: u64, proves: &str, expected: &str) -> Report {
    let of = member.map(|member| format!("member {}, ", quoted(member.as_bytes())));
    let of = of.unwrap_or_default();
    let message = format!("{of}line {line} proves {proves}, expected {expected}");
    Report::new(Code::ERRCODE_DATETIME_FIELD_OVERFLOW, message)
        .detail("One file has one order of day and month.")
        .hint("Correct the records of the other order first, or use another date_order.")
}

fn invalid(argument: &str, value: &impl std::fmt::Display) -> Report {
    Report::new(
        Code::ERRCODE_INVALID_PARAMETER_VALUE,
        format!("invalid value for argument {argument}: {value}"),
    )
}
