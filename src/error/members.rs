//! The NOTICE that names members of an archive.

use pgrx::PgSqlErrorCode as Code;
use trips_core::text::escape::quoted_path;

use super::report::Report;

/// How many members it names.
const NAMED: usize = 20;

/// Reports the members that are passed over, and those whose stations are read.
pub fn report_members(passed_over: &[&str], stations: &[&str]) {
    let parts = [("passing over", passed_over), ("reading stations from", stations)];
    let parts = parts.iter().filter(|(_, names)| !names.is_empty());
    let parts: Vec<String> = parts.map(|(what, names)| part(what, names)).collect();
    if !parts.is_empty() {
        Report::new(Code::ERRCODE_SUCCESSFUL_COMPLETION, parts.join("; ")).notice();
    }
}

fn part(what: &str, names: &[&str]) -> String {
    let noun = if names.len() == 1 { "member" } else { "members" };
    let quoted: Vec<String> = names.iter().take(NAMED).map(|name| quoted_path(name)).collect();
    let more = match names.len() - quoted.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("{what} {noun} {}{more}", quoted.join(", "))
}
