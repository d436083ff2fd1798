//! How a load has failed: what readers of the ledger may see, and what only some roles may see.

use crate::error::{LoadError, RecordPosition, Report};
use crate::pg::error_fields::Caught;
use crate::pg::session;

/// Bytes that the ledger keeps of a text.
const LONGEST_TEXT: usize = 4000;
/// Bytes that the ledger keeps of a name.
const LONGEST_NAME: usize = 256;
/// Bytes of the mark at the end of a shortened text.
const MARK: usize = '…'.len_utf8();
/// The length of a missing text, the number of a missing row group.
const NONE: u32 = u32::MAX;

/// How a load has failed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LoadFailure {
    /// The message without contents of the file: for all readers of the ledger.
    pub error: String,
    /// BLAKE3 of the file's bytes, if they were read.
    pub digest: Option<[u8; 32]>,
    /// Arguments and settings of the load, as [`LoadSource`](super::LoadSource) has them.
    pub options: Option<String>,
    /// The feed of the file, if its header was read.
    pub feed: Option<String>,
    /// The member of an archive that the error concerns.
    pub member: Option<String>,
    /// The record that the error concerns.
    pub record: RecordPosition,
    /// The oid of the role that requested the load; 0 if it is unknown.
    pub role: u32,
    /// The complete error, as the session got it: for the requesting role and the owner.
    pub report: Caught,
}

impl LoadFailure {
    /// No encoded failure has more bytes.
    pub const MOST_BYTES: usize =
        1 + 32 + 4 + 8 + 4 + 14 * 4 + 7 * (LONGEST_TEXT + MARK) + 7 * (LONGEST_NAME + MARK);

    /// A failure with the same message for all readers.
    pub fn new(code: &str, error: &str) -> Self {
        let report =
            Caught { code: code.to_owned(), message: error.to_owned(), ..Caught::default() };
        Self { error: error.to_owned(), report, ..Self::default() }.cut()
    }

    /// The transaction of a load has not committed, and reported no failure.
    pub fn rolled_back() -> Self {
        Self::new("40000", "the transaction of the load was rolled back")
    }

    /// An error of ours. Its public message contains nothing of the file.
    pub fn of_load(error: &LoadError) -> Self {
        let (public, member) = (error.public(), error.member().map(str::to_owned));
        let Report { code, message, detail, hint } = error.report();
        let report = Caught {
            code: session::sqlstate(code),
            message,
            detail,
            hint: hint.map(String::from),
            column_name: error.column().map(str::to_owned),
            ..Caught::default()
        };
        let record = error.record();
        Self { error: public, member, record, report, ..Self::default() }.cut()
    }

    /// An error of PostgreSQL, or of code in the database, during a load.
    pub fn of_caught(report: Caught) -> Self {
        Self { error: public(&report), report, ..Self::default() }.cut()
    }

    /// SQLSTATE.
    pub fn code(&self) -> &str {
        &self.report.code
    }

    /// As bytes, for another process.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![u8::from(self.digest.is_some())];
        out.extend(self.digest.unwrap_or_default());
        out.extend(self.role.to_le_bytes());
        let RecordPosition { line_no, row_group } = self.record;
        out.extend(line_no.unwrap_or(0).to_le_bytes());
        out.extend(row_group.unwrap_or(NONE).to_le_bytes());
        for text in self.texts() {
            let bytes = text.unwrap_or_default().as_bytes();
            let length = text.map_or(NONE, |_| u32::try_from(bytes.len()).unwrap_or(0));
            out.extend(length.to_le_bytes());
            out.extend(bytes);
        }
        out
    }

    /// Decodes the bytes of [`LoadFailure::encode`]; None for others.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (head, rest) = bytes.split_first_chunk::<33>()?;
        let (role, rest) = rest.split_first_chunk::<4>()?;
        let (line_no, rest) = rest.split_first_chunk::<8>()?;
        let (row_group, mut rest) = rest.split_first_chunk::<4>()?;
        let digest = (head[0] == 1).then(|| std::array::from_fn(|i| head[i + 1]));
        let mut next = || -> Option<Option<String>> {
            let (length, after) = rest.split_first_chunk::<4>()?;
            rest = after;
            let length = u32::from_le_bytes(*length);
            if length == NONE {
                return Some(None);
            }
            let (text, after) = rest.split_at_checked(usize::try_from(length).ok()?)?;
            rest = after;
            Some(Some(String::from_utf8(text.to_vec()).ok()?))
        };
        let error = next()??;
        let options = next()?;
        let feed = next()?;
        let member = next()?;
        let report = Caught {
            is_ours: false,
            code: next()??,
            message: next()??,
            detail: next()?,
            hint: next()?,
            context: next()?,
            schema_name: next()?,
            table_name: next()?,
            column_name: next()?,
            datatype_name: next()?,
            constraint_name: next()?,
        };
        let record = RecordPosition {
            line_no: Some(u64::from_le_bytes(*line_no)).filter(|number| *number > 0),
            row_group: Some(u32::from_le_bytes(*row_group)).filter(|number| *number != NONE),
        };
        let role = u32::from_le_bytes(*role);
        Some(Self { error, digest, options, feed, member, record, role, report })
    }

    fn texts(&self) -> [Option<&str>; 14] {
        let report = &self.report;
        [
            Some(&self.error),
            self.options.as_deref(),
            self.feed.as_deref(),
            self.member.as_deref(),
            Some(&report.code),
            Some(&report.message),
            report.detail.as_deref(),
            report.hint.as_deref(),
            report.context.as_deref(),
            report.schema_name.as_deref(),
            report.table_name.as_deref(),
            report.column_name.as_deref(),
            report.datatype_name.as_deref(),
            report.constraint_name.as_deref(),
        ]
    }

    fn cut(mut self) -> Self {
        // A shortened text would not be JSON.
        self.options = self.options.filter(|options| options.len() <= LONGEST_TEXT);
        let report = &mut self.report;
        for text in [&mut self.error, &mut report.message] {
            cut(text, LONGEST_TEXT);
        }
        for text in [&mut self.member, &mut report.detail, &mut report.hint, &mut report.context] {
            text.as_mut().into_iter().for_each(|text| cut(text, LONGEST_TEXT));
        }
        cut(&mut report.code, LONGEST_NAME);
        for name in [
            &mut report.schema_name,
            &mut report.table_name,
            &mut report.column_name,
            &mut report.datatype_name,
            &mut report.constraint_name,
        ] {
            name.as_mut().into_iter().for_each(|name| cut(name, LONGEST_NAME));
        }
        self
    }
}

/// The public message of an error that code in the database raised. Trips that have come this far would be in the
/// history, which readers see. Rejected records, and values that PostgreSQL could not read, are not public.
fn public(report: &Caught) -> String {
    let of_staging = report.table_name.as_deref() == Some("stg_trip_data")
        || report.context.as_ref().is_some_and(|context| context.contains("stg_trip_data"));
    if of_staging {
        return "an error occurred while rejected rows were inserted into trips.stg_trip_data"
            .into();
    }
    let has_content = ["22", "23", "42701", "42703", "54000", "XX000"];
    if report.is_ours && has_content.iter().any(|class| report.code.starts_with(class)) {
        return "an error occurred during the load; trips.load_errors has its message".into();
    }
    let message = &report.message;
    // PostgreSQL quotes the value at the end: invalid input syntax for type integer: "x".
    match message.find(": \"") {
        Some(end) if report.code.starts_with("22") => message[..end].to_owned(),
        _ => message.clone(),
    }
}

fn cut(text: &mut String, limit: usize) {
    if text.len() > limit {
        text.truncate(text.floor_char_boundary(limit));
        text.push('…');
    }
}
