//! What a group of staged records proves, and the call that mends them.

use std::collections::BTreeMap;

use super::cause::{COUNT, Cause};
use super::facts;
use super::tally::{Key, Orders, Outcome};
use crate::model::time_form::DayMonthOrder;

/// Records with one reason and one cause.
#[derive(Debug, Clone, PartialEq)]
pub struct Explained {
    /// The column that was rejected; None if the whole record was.
    pub column: Option<String>,
    /// The SQLSTATE; None if the records were not checked, or were valid.
    pub code: Option<String>,
    /// The reason, without values; None likewise.
    pub kind: Option<String>,
    /// The number of the records.
    pub records: u64,
    /// Some of them: a JSON array of objects.
    pub examples: Vec<serde_json::Value>,
    /// What the records prove, and what to do; None if they prove nothing.
    pub proposal: Option<String>,
    /// A call of `trips.retry_staged` that makes trips of all of them; None if there is none.
    pub retry: Option<String>,
}

impl Explained {
    /// Records of members that are not explained.
    #[must_use]
    pub fn of_further_members(records: u64) -> Self {
        let kind = Some("records of further members".to_owned());
        let (column, code, proposal, retry) = (None, None, None, None);
        Self { column, code, kind, records, examples: Vec::new(), proposal, retry }
    }
}

/// The records that a call concerns.
#[derive(Debug)]
pub(super) struct Scope {
    pub(super) load_id: i64,
    pub(super) member: Option<String>,
}

/// What records have in common, besides their reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Verdict {
    /// They are trips under these rules.
    Cause(Cause),
    /// Each of them is a date in both orders, and none of its file proves one.
    NoOrder,
    /// The file has both orders of day and month.
    BothOrders,
    /// They are trips of another feed.
    Feeds(u64),
    /// Facts, which no second reading mends.
    Facts(u64),
}

/// The rows of one group.
pub(super) fn explained(
    scope: &Scope,
    key: &Key,
    outcomes: BTreeMap<u64, Outcome>,
    (orders, examples): (&Orders, usize),
    feeds: &[&str],
) -> Vec<Explained> {
    let all: u64 = outcomes.values().map(|outcome| outcome.records).sum();
    let mut verdicts: BTreeMap<Verdict, Outcome> = BTreeMap::new();
    for (bits, outcome) in outcomes {
        let of_verdict = verdicts.entry(verdict(bits, orders)).or_default();
        of_verdict.records += outcome.records;
        let free = examples - of_verdict.examples.len();
        of_verdict.examples.extend(outcome.examples.into_iter().take(free));
    }
    let row = |(verdict, Outcome { records, examples })| {
        let (proposal, arguments) = propose(verdict, key, (records, all), orders, feeds);
        let retry = arguments.map(|arguments| scope.call(&arguments));
        let Key { column, code, kind } = key.clone();
        Explained { column, code, kind, records, examples, proposal, retry }
    };
    verdicts.into_iter().map(row).collect()
}

impl Scope {
    /// The call with these arguments.
    fn call(&self, arguments: &[String]) -> String {
        let mut all = vec![self.load_id.to_string()];
        all.extend(arguments.iter().cloned());
        all.extend(self.member.iter().map(|member| format!("member => {}", literal(member))));
        format!("SELECT * FROM trips.retry_staged({})", all.join(", "))
    }
}

/// A text as an SQL literal, whatever the session's settings are.
fn literal(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    match quoted.contains('\\') {
        true => format!("E'{}'", quoted.replace('\\', "\\\\")),
        false => format!("'{quoted}'"),
    }
}

fn verdict(bits: u64, orders: &Orders) -> Verdict {
    let causes: Vec<Cause> = Cause::of_set(bits).collect();
    let with = |order| causes.iter().copied().filter(move |cause| cause.order() == Some(order));
    let least = causes.iter().copied().filter(|cause| cause.order().is_none()).min();
    let day_first = with(DayMonthOrder::DayFirst).min();
    let month_first = with(DayMonthOrder::MonthFirst).min();
    if let Some(cause) = least {
        return Verdict::Cause(cause);
    }
    match (day_first, month_first, &orders.day_first, &orders.month_first) {
        (None, None, ..) => of_no_cause(bits),
        (.., Some(_), Some(_)) => Verdict::BothOrders,
        (Some(cause), _, Some(_), None) | (_, Some(cause), None, Some(_)) => Verdict::Cause(cause),
        _ => Verdict::NoOrder,
    }
}

fn of_no_cause(bits: u64) -> Verdict {
    let feeds = bits >> COUNT & ((1 << facts::FEEDS) - 1);
    match feeds {
        0 => Verdict::Facts(bits),
        feeds => Verdict::Feeds(feeds),
    }
}

/// The proposal, and the arguments of the call, if there is one.
fn propose(
    verdict: Verdict,
    key: &Key,
    (records, all): (u64, u64),
    orders: &Orders,
    feeds: &[&str],
) -> (Option<String>, Option<Vec<String>>) {
    let counted = format!("{records} of {all} {}", if all == 1 { "record" } else { "records" });
    match verdict {
        Verdict::Cause(Cause::NONE) => (Some(as_it_is(key, &counted)), Some(Vec::new())),
        Verdict::Cause(cause) => {
            let proof = match cause.order() {
                Some(DayMonthOrder::DayFirst) => orders.day_first.as_ref().map(|it| (it, "DD/MM")),
                Some(DayMonthOrder::MonthFirst) => {
                    orders.month_first.as_ref().map(|it| (it, "MM/DD"))
                }
                None => None,
            };
            let proof = proof.map(|(place, order)| format!("; {place} proves {order}"));
            let proof = proof.unwrap_or_default();
            let text =
                format!("{}: so read, {counted} {} valid{proof}", cause.text(), are(records));
            (Some(text), Some(cause.arguments()))
        }
        Verdict::NoOrder => {
            let text = format!(
                "dates are day first or month first: {counted} {} valid in both orders, and no staged record proves one; \
                 find out the order, and give it as date_order",
                are(records)
            );
            (Some(text), None)
        }
        Verdict::BothOrders => {
            let place = |place: &Option<String>| place.clone().unwrap_or_default();
            let text = format!(
                "dates have both orders: {} proves DD/MM, {} proves MM/DD; correct the records of one order first",
                place(&orders.day_first),
                place(&orders.month_first)
            );
            (Some(text), None)
        }
        Verdict::Feeds(found) => of_feeds(found, feeds, (&counted, records)),
        Verdict::Facts(facts::KNOWN_ID) => {
            let text = format!(
                "the trip with the id has other values: {counted} {} so; if the records are right, they correct it; \
                 otherwise delete them",
                are(records)
            );
            (Some(text), Some(vec!["on_change => 'replace'".to_owned()]))
        }
        Verdict::Facts(bits) => (of_facts(bits, key, (&counted, records)), None),
    }
}

fn are(records: u64) -> &'static str {
    if records == 1 { "is" } else { "are" }
}

fn as_it_is(key: &Key, counted: &str) -> String {
    match key.code.as_deref() {
        None => format!("the records are valid: {counted} wait for a merge"),
        Some("54000") => {
            format!(
                "each merge has its own limit of new partitions: {counted} wait for the next one"
            )
        }
        Some(_) => format!("the records are valid now: {counted} wait for a merge"),
    }
}

fn of_feeds(
    found: u64,
    feeds: &[&str],
    (counted, records): (&str, u64),
) -> (Option<String>, Option<Vec<String>>) {
    let numbered = feeds.iter().enumerate();
    let names: Vec<&str> = numbered.filter(|(n, _)| found >> n & 1 == 1).map(|(_, n)| *n).collect();
    match names[..] {
        [name] => {
            let text = format!(
                "the records are those of feed {name}: {counted} {} valid by it",
                are(records)
            );
            (Some(text), Some(vec![format!("feed => {}", literal(name))]))
        }
        _ => {
            let text = format!(
                "{counted} {} valid by each of the feeds {}; name the right one as feed",
                are(records),
                names.join(", ")
            );
            (Some(text), None)
        }
    }
}

fn of_facts(bits: u64, key: &Key, (counted, records): (&str, u64)) -> Option<String> {
    let has = |fact| bits & fact != 0;
    let are = are(records);
    if has(facts::SERIAL) {
        return Some(format!(
            "a spreadsheet wrote times as numbers of days: {counted} {are} so; load a file with dates"
        ));
    }
    if has(facts::OFFSET) {
        return Some(format!(
            "times have an offset from UTC: {counted} {are} so; create a feed with the kind offset and its time zone, and give it as feed"
        ));
    }
    if has(facts::ROUNDED_ID) {
        return Some(format!(
            "a spreadsheet rounded the ids: {counted} {are} like 1.23E+15, and their digits are lost; load the original file"
        ));
    }
    let of_fields = || {
        let delimiters = facts::delimiters(bits);
        if !delimiters.is_empty() {
            let delimiters = delimiters.join(" or ");
            return format!(
                "the delimiter is {delimiters}: so divided, {counted} {} the fields of the header; load the file with a feed of this delimiter",
                if records == 1 { "has" } else { "have" }
            );
        }
        if has(facts::FEWER) {
            return format!(
                "fields are missing: {counted} {are} cut, or have a line end outside of quotes; fill in the five columns, or load the whole file"
            );
        }
        format!(
            "a field has the delimiter outside of quotes: {counted} {are} so; fill in the five columns"
        )
    };
    if has(facts::FEWER) || has(facts::MORE) {
        return Some(of_fields());
    }
    let encodings = facts::encodings(bits);
    if !encodings.is_empty() {
        return Some(format!(
            "the encoding is not UTF-8: {counted} {are} valid in {}; load the file with a feed of its encoding",
            encodings.join(" or ")
        ));
    }
    of_code(key)
}

/// What the code itself says.
fn of_code(key: &Key) -> Option<String> {
    let column = key.column.as_deref().unwrap_or_default();
    Some(match (key.code.as_deref()?, column) {
        ("23505", _) => {
            "the feed stages a known id with other values: decide which record is right".to_owned()
        }
        ("23502", "region" | "datasource") => {
            format!("the records have no {column}: give it as {column}")
        }
        ("42704", _) => {
            "the feed of the load does not exist: create it again, or give another as feed"
                .to_owned()
        }
        _ => return None,
    })
}
