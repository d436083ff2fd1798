//! Staging `trips.stg_trip_data`: rows that are not in the history, and why.

mod deletion;

use std::ffi::{CString, c_long};

use pgrx::Spi;
use pgrx::datum::DatumWithOid;
use trips_core::check::reject::{RejectedColumn, Rejection};
use trips_core::columns::{KEY_COUNT, TripColumn};
use trips_core::model::error::{SqlState, ValueError};
use trips_core::model::position::{Position, PositionKind};
use trips_core::model::trip::MAX_TEXT;
use trips_core::wire::staged_row::{self, StagedRows};

mod waiting;

pub use self::waiting::each_waiting;
use crate::error::{LoadError, RetractError};
use crate::pg::copy::copy_rows;
use crate::pg::relation::Table;
use crate::pg::{interrupts, spi};
use crate::progress::Progress;

pub use self::deletion::delete_where;

/// Number of staged rows that are fetched and processed at a time. Long values are stored out of line and not fetched
/// with them.
const FIRST_SIZE: i32 = 3;
#[allow(clippy::cast_possible_truncation, clippy::cast_possible_wrap, reason = "a few columns")]
const FIRST_VALUE: i32 = FIRST_SIZE + TripColumn::ALL.len() as i32;
#[allow(clippy::cast_possible_truncation, clippy::cast_possible_wrap, reason = "a few columns")]
const LINE: i32 = FIRST_VALUE + TripColumn::ALL.len() as i32;
const RECORD_SIZE: i32 = LINE + 1;
const RECORD: i32 = LINE + 2;
const ROWS_AT_ONCE: c_long = 500;

/// Appends rows to staging, of a member of an archive or of a file that is none, whose positions count this.
pub fn append(
    rows: &StagedRows,
    (member, positions): &(Option<String>, PositionKind),
    progress: &Progress,
) -> Result<(), LoadError> {
    let table = Table::open_for_insert(c"stg_trip_data");
    let publish = &mut || progress.publish();
    let taken = match (member, *positions) {
        (None, PositionKind::Line | PositionKind::Record) => {
            copy_rows(&table, &staged_row::COLUMNS, &mut Some(rows.rows()), publish)
        }
        (member, kind) => {
            let place = |value| {
                let position = Position { kind, value };
                (position.row_group().map(u64::from), position.number())
            };
            let rows = rows.of_member(member.as_deref(), place)?;
            copy_rows(&table, &staged_row::MEMBER_COLUMNS, &mut Some(&rows[..]), publish)
        }
    };
    LoadError::require_all("trips.stg_trip_data", rows.len() as u64, taken)
}

/// Deletes the staged rows of a load and returns their number. No session waits for a staged row while it holds the history
/// lock.
///
/// # Errors
/// 55P03 if another transaction has locked one of them.
pub fn delete_of(load_id: i64) -> Result<u64, LoadError> {
    let query = "WITH free AS (SELECT s.ctid FROM trips.stg_trip_data AS s WHERE s.load_id = $1
                                  FOR UPDATE SKIP LOCKED)
                 DELETE FROM trips.stg_trip_data AS s USING free WHERE s.ctid = free.ctid";
    let deleted = Spi::connect_mut(|client| {
        Ok::<_, LoadError>(client.update(query, None, &[load_id.into()])?.len() as u64)
    })?;
    let left = "SELECT EXISTS (SELECT FROM trips.stg_trip_data AS s WHERE s.load_id = $1)";
    match Spi::get_one_with_args::<bool>(left, &[load_id.into()])? {
        Some(true) => Err(RetractError::StagedInUse(load_id).into()),
        _ => Ok(deleted),
    }
}

/// A staged row. Its fields are read only if their length allows a trip.
#[derive(Debug, Default)]
pub struct StagedRow {
    /// Its position.
    pub ctid: String,
    /// Line number of the record in its file; 0 if it has none.
    pub line: u64,
    /// It has a reason and no fields: the line was not a record. It stays as it is until its fields are filled in by
    /// hand.
    pub is_raw: bool,
    /// The record of a feed, as a JSON object, if its fields were not filled in by hand.
    pub record: Option<String>,
    /// Bytes of its fields.
    sizes: [usize; KEY_COUNT],
    values: [Vec<u8>; KEY_COUNT],
}

impl StagedRow {
    /// The fields of the trip, or the reason why they are not read: together they are longer than a record.
    pub fn values(&self, max_record: usize) -> Result<[&[u8]; KEY_COUNT], Rejection> {
        if self.sizes.iter().sum::<usize>() > max_record {
            return Err(self.too_long(max_record));
        }
        Ok(self.values.each_ref().map(Vec::as_slice))
    }

    /// The longest field is too long.
    fn too_long(&self, max_record: usize) -> Rejection {
        let columns = TripColumn::ALL.into_iter().zip(self.sizes).rev();
        let (column, bytes) =
            columns.max_by_key(|(_, bytes)| *bytes).unwrap_or((TripColumn::Region, 0));
        let limit = match column {
            TripColumn::Region | TripColumn::Datasource => format!("the limit is {MAX_TEXT}"),
            _ => format!("the limit for all fields is {max_record} (trips.max_record_size)"),
        };
        let error = ValueError::new(
            SqlState::StringDataRightTruncation,
            format!("the field has {bytes} bytes; {limit}"),
        );
        Rejection::of_value(column, error)
    }

    /// The position of a row of [`rows`].
    fn read(&mut self, row: &spi::Row<'_>, max_record: usize) -> Result<(), LoadError> {
        let mut ctid = std::mem::take(&mut self.ctid).into_bytes();
        row.copy_bytes(1, &mut ctid)?;
        self.ctid = String::from_utf8(ctid).unwrap_or_default();
        let mut has_values = false;
        for ((size, value), column) in self.sizes.iter_mut().zip(&mut self.values).zip(FIRST_SIZE..)
        {
            let bytes = row.get::<i32>(column);
            has_values |= bytes.is_some();
            *size = bytes.and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or(0);
            value.clear();
        }
        let line = row.get::<i64>(LINE).and_then(|line| u64::try_from(line).ok());
        self.line = line.unwrap_or(0);
        let has_record = !has_values && row.get::<i32>(RECORD_SIZE).is_some();
        self.record = if has_record { row.json(RECORD) } else { None };
        self.is_raw = !has_values && !has_record && row.get::<i32>(2) == Some(1);
        if self.sizes.iter().sum::<usize>() <= max_record {
            for (value, column) in self.values.iter_mut().zip(FIRST_VALUE..) {
                row.copy_bytes(column, value)?;
            }
        }
        Ok(())
    }
}

/// The loads that have staged rows, in order. None, at the end, means the rows of applications, which have no load or
/// one that is not in the ledger.
pub fn loads(only: Option<i64>) -> Result<Vec<Option<i64>>, LoadError> {
    Spi::connect(|client| {
        let found = client.select(
            "SELECT DISTINCT l.load_id
               FROM trips.stg_trip_data AS s
               LEFT JOIN trips.loads AS l ON l.load_id = s.load_id AND l.state = 'loaded'
              WHERE $1 IS NULL OR l.load_id = $1 ORDER BY 1 NULLS LAST",
            None,
            &[only.into()],
        )?;
        found.map(|row| Ok(row.get::<i64>(1)?)).collect()
    })
}

/// What a query returns for each column of a trip.
fn columns(of: impl Fn(&str) -> String) -> String {
    TripColumn::ALL.map(|column| of(column.name())).join(", ")
}

/// The staged rows of a file: that of a load, a member of its archive, or the rows of applications.
#[derive(Debug, Default)]
pub struct StagedFile {
    /// The load; None for rows of applications.
    pub load: Option<i64>,
    /// The member of its archive.
    pub member: Option<String>,
    /// Whether lines are numbers in row groups.
    pub has_row_groups: bool,
}

/// The files of a load (None: of applications) that have staged rows, in the order of the archive.
pub fn files(load: Option<i64>) -> Result<Vec<StagedFile>, LoadError> {
    let Some(load_id) = load else { return Ok(vec![StagedFile::default()]) };
    Spi::connect(|client| {
        let found = client.select(
            "SELECT s.member, count(s.row_group) > 0
               FROM trips.stg_trip_data AS s
               LEFT JOIN trips.load_members AS m ON m.load_id = s.load_id AND m.member = s.member
              WHERE s.load_id = $1
              GROUP BY s.member ORDER BY min(m.member_no) NULLS FIRST, s.member NULLS FIRST",
            None,
            &[load_id.into()],
        )?;
        found
            .map(|row| {
                let (member, has_row_groups) = (row.get(1)?, row.get(2)?.unwrap_or(false));
                Ok(StagedFile { load, member, has_row_groups })
            })
            .collect()
    })
}

/// Reads the rows of a file in its order, some at a time.
///
/// Rows that another transaction has locked are skipped: they stay for the next merge, and no session waits for them
/// while it holds the history lock.
pub fn rows(file: &StagedFile) -> Result<StagedBatches, LoadError> {
    open(file, "SKIP LOCKED", "", &[])
}

/// Opens a cursor on the rows of a file, with more columns, which may use arguments from `$3` on.
fn open(
    file: &StagedFile,
    locked: &str,
    more: &str,
    arguments: &[Option<&str>],
) -> Result<StagedBatches, LoadError> {
    let StagedFile { load, member, has_row_groups } = file;
    // A value that is stored out of line is fetched when it is used, and its length is known before.
    let query = format!(
        "SELECT s.ctid::text, (s.error_code IS NOT NULL)::int,
                {}, {}, s.line_no, pg_column_size(s.record), s.record{more}
           FROM trips.stg_trip_data AS s WHERE {}
          ORDER BY {} FOR UPDATE OF s {locked}",
        columns(|name| format!("octet_length(s.{name})")),
        columns(|name| format!("s.{name}")),
        match (load, member) {
            (Some(_), Some(_)) => "s.load_id = $1 AND s.member = $2::text",
            (Some(_), None) => "s.load_id = $1 AND $2::text IS NULL AND s.member IS NULL",
            (None, _) => {
                "$1 IS NULL AND $2::text IS NULL AND NOT EXISTS (SELECT FROM trips.loads AS l
                  WHERE l.load_id = s.load_id AND l.state = 'loaded')"
            }
        },
        // The rows of a load, and of a member, have an index in the order of their lines.
        if *has_row_groups {
            "s.row_group, s.line_no, s.ctid"
        } else {
            "s.load_id, s.member, s.line_no, s.ctid"
        },
    );
    let mut args: Vec<DatumWithOid<'_>> = vec![(*load).into(), member.as_deref().into()];
    args.extend(arguments.iter().map(|&text| DatumWithOid::from(text)));
    let cursor = Spi::connect_mut(|client| {
        let cursor = client.try_open_cursor_mut(query.as_str(), &args)?;
        Ok::<_, LoadError>(cursor.detach_into_name())
    })?;
    let cursor = CString::new(cursor).unwrap_or_default();
    Ok(StagedBatches { cursor, row: StagedRow::default() })
}

/// Deletes rows that became trips.
pub fn delete(rows: &[String]) -> Result<(), LoadError> {
    if rows.is_empty() {
        return Ok(());
    }
    // Arguments are made inside the connection, because its memory is freed with it.
    Spi::connect_mut(|client| {
        let ctids: Vec<&str> = rows.iter().map(String::as_str).collect();
        client.update(
            "DELETE FROM trips.stg_trip_data WHERE ctid = ANY ($1::text[]::tid[])",
            None,
            &[ctids.into()],
        )?;
        Ok(())
    })
}

/// Stores the reasons why rows of this load are still invalid, where they have changed.
pub fn reject(load: i64, rows: &[(String, Rejection)]) -> Result<(), LoadError> {
    if rows.is_empty() {
        return Ok(());
    }
    Spi::connect_mut(|client| {
        let ctids: Vec<&str> = rows.iter().map(|(ctid, _)| ctid.as_str()).collect();
        let columns: Vec<Option<&str>> =
            rows.iter().map(|(_, r)| r.column.as_ref().map(RejectedColumn::name)).collect();
        let codes: Vec<&str> = rows.iter().map(|(_, r)| r.state.code()).collect();
        let reasons: Vec<&str> = rows.iter().map(|(_, r)| r.reason.as_str()).collect();
        let args: [DatumWithOid<'_>; 5] =
            [load.into(), ctids.into(), columns.into(), codes.into(), reasons.into()];
        client.update(
            "UPDATE trips.stg_trip_data AS s
                SET load_id = $1, column_name = r.column_name, error_code = r.code, error = r.reason
               FROM unnest($2::text[]::tid[], $3::text[], $4::text[], $5::text[])
                    AS r (ctid, column_name, code, reason)
              WHERE s.ctid = r.ctid
                AND (s.load_id, s.column_name, s.error_code, s.error)
                    IS DISTINCT FROM ($1, r.column_name, r.code, r.reason)",
            None,
            &args,
        )?;
        Ok(())
    })
}

/// Sets a member of the records of rows.
pub fn set_member(name: &str, rows: &[(String, String)]) -> Result<(), LoadError> {
    if rows.is_empty() {
        return Ok(());
    }
    Spi::connect_mut(|client| {
        let ctids: Vec<&str> = rows.iter().map(|(ctid, _)| ctid.as_str()).collect();
        let texts: Vec<&str> = rows.iter().map(|(_, text)| text.as_str()).collect();
        client.update(
            "UPDATE trips.stg_trip_data AS s
                SET record = s.record || jsonb_build_object($1::text, r.text)
               FROM unnest($2::text[]::tid[], $3::text[]) AS r (ctid, text)
              WHERE s.ctid = r.ctid AND s.record ->> $1 IS DISTINCT FROM r.text",
            None,
            &[name.into(), ctids.into(), texts.into()],
        )?;
        Ok(())
    })
}

/// Assigns raw lines to this load, with their reasons. The load that they name may not be in the ledger, and the next
/// merge must not count them as new again.
pub fn adopt(load: i64, rows: &[String]) -> Result<(), LoadError> {
    if rows.is_empty() {
        return Ok(());
    }
    Spi::connect_mut(|client| {
        let ctids: Vec<&str> = rows.iter().map(String::as_str).collect();
        client.update(
            "UPDATE trips.stg_trip_data SET load_id = $1
              WHERE ctid = ANY ($2::text[]::tid[]) AND load_id IS DISTINCT FROM $1",
            None,
            &[load.into(), ctids.into()],
        )?;
        Ok(())
    })
}

/// The staged rows of a load, as of the begin of the merge.
pub struct StagedBatches {
    cursor: CString,
    row: StagedRow,
}

impl StagedBatches {
    /// Passes the next rows one by one, and returns their number; 0 means that none are left. One row is in memory at a
    /// time.
    pub fn next_batch(
        &mut self,
        max_record: usize,
        mut each: impl FnMut(&StagedRow) -> Result<(), LoadError>,
    ) -> Result<u64, LoadError> {
        let Self { cursor, row } = self;
        spi::fetch(cursor, ROWS_AT_ONCE, |found| {
            interrupts::check();
            row.read(found, max_record)?;
            each(row)
        })
    }
}
