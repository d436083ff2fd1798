//! Staging `trips.stg_trip_data`: rows that wait, and why.

use std::ffi::CStr;

use pgrx::Spi;
use pgrx::datum::DatumWithOid;
use trips_core::reject::{Column, Rejection};
use trips_core::staged::StagedRows;
use trips_core::trip::TripText;

use crate::error::LoadError;
use crate::pg::copy::{Rows, copy_rows};
use crate::pg::progress::Progress;
use crate::pg::relation::Table;

const COLUMNS: [&CStr; 12] = [
    c"load_id",
    c"line_no",
    c"region",
    c"origin_coord",
    c"destination_coord",
    c"date_time",
    c"datasource",
    c"raw_line",
    c"raw_bytes",
    c"column_name",
    c"error_code",
    c"error",
];

/// Staged rows are fetched and settled some at a time: a few first, and then as many as have about
/// these bytes.
const FIRST_BATCH: usize = 16;
const BATCH_BYTES: usize = 4 * 1024 * 1024;
const LARGEST_BATCH: usize = 10_000;

/// Appends rows to staging.
pub fn append(rows: &StagedRows, progress: &Progress) -> Result<(), LoadError> {
    let table = Table::open_for_insert(c"stg_trip_data");
    let mut source = Staged { rows: Some(rows.rows()), progress };
    let (offered, taken) = (rows.len() as u64, copy_rows(&table, &COLUMNS, &mut source));
    if taken != offered {
        return Err(LoadError::RowsVanished { table: "stg_trip_data", offered, taken });
    }
    Ok(())
}

struct Staged<'a> {
    rows: Option<&'a [u8]>,
    progress: &'a Progress,
}

impl Rows for Staged<'_> {
    fn next_rows(&mut self) -> Option<&[u8]> {
        // COPY has begun and cleared what the load had told of itself.
        self.progress.publish();
        self.rows.take()
    }
}

/// A staged row.
pub struct StagedRow {
    ctid: String,
    values: [Option<String>; 5],
    /// It is a line that was no record, and nobody has filled in its values.
    is_raw: bool,
}

impl StagedRow {
    fn bytes(&self) -> usize {
        self.values.iter().flatten().map(String::len).sum()
    }

    /// The texts that should make a trip; none when there is but the raw line, rejected before.
    pub fn texts(&self) -> Option<TripText<'_>> {
        if self.is_raw {
            return None;
        }
        let text = |i: usize| self.values[i].as_deref().unwrap_or_default().as_bytes().into();
        Some(TripText {
            region: text(0),
            origin_coord: text(1),
            destination_coord: text(2),
            date_time: text(3),
            datasource: text(4),
        })
    }
}

/// The loads that have staged rows, in order; none, at the end, stands for the rows of outside
/// writers, which have no load or one that is not in the ledger.
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

/// Goes through the rows of a load (none: of outside writers), some at a time.
///
/// Rows that another session is changing are passed over: they wait for the next merge, and nobody
/// waits for them while holding the history.
pub fn rows(load: Option<i64>) -> Result<StagedBatches, LoadError> {
    let query = format!(
        "SELECT s.ctid::text, s.region, s.origin_coord, s.destination_coord, s.date_time, s.datasource,
                s.raw_line IS NOT NULL AND s.error_code IS NOT NULL
           FROM trips.stg_trip_data AS s WHERE {} FOR UPDATE OF s SKIP LOCKED",
        if load.is_some() {
            "s.load_id = $1"
        } else {
            "$1 IS NULL AND NOT EXISTS (SELECT FROM trips.loads AS l
              WHERE l.load_id = s.load_id AND l.state = 'loaded')"
        },
    );
    let cursor = Spi::connect_mut(|client| {
        let cursor = client.try_open_cursor_mut(query.as_str(), &[load.into()])?;
        Ok::<_, LoadError>(cursor.detach_into_name())
    })?;
    Ok(StagedBatches { cursor, size: FIRST_BATCH })
}

/// Takes rows away that are trips now.
pub fn delete(rows: &[&StagedRow]) -> Result<(), LoadError> {
    // Arguments are made inside the connection, whose memory goes with it.
    Spi::connect_mut(|client| {
        let ctids: Vec<&str> = rows.iter().map(|row| row.ctid.as_str()).collect();
        client.update(
            "DELETE FROM trips.stg_trip_data WHERE ctid = ANY ($1::text[]::tid[])",
            None,
            &[ctids.into()],
        )?;
        Ok(())
    })
}

/// Notes why rows of this load are still no trips, where that is news.
pub fn reject(load: i64, rows: &[(&StagedRow, Rejection)]) -> Result<(), LoadError> {
    if rows.is_empty() {
        return Ok(());
    }
    Spi::connect_mut(|client| {
        let ctids: Vec<&str> = rows.iter().map(|(row, _)| row.ctid.as_str()).collect();
        let columns: Vec<Option<&str>> =
            rows.iter().map(|(_, r)| r.column.map(Column::name)).collect();
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

/// Makes raw lines this load's, with the reasons that they have: the load that they name may not be in
/// the ledger, and the next merge must not take them for new ones again.
pub fn adopt(load: i64, rows: &[&StagedRow]) -> Result<(), LoadError> {
    if rows.is_empty() {
        return Ok(());
    }
    Spi::connect_mut(|client| {
        let ctids: Vec<&str> = rows.iter().map(|row| row.ctid.as_str()).collect();
        client.update(
            "UPDATE trips.stg_trip_data SET load_id = $1
              WHERE ctid = ANY ($2::text[]::tid[]) AND load_id IS DISTINCT FROM $1",
            None,
            &[load.into(), ctids.into()],
        )?;
        Ok(())
    })
}

/// The staged rows of a load, as they were when the merge began.
pub struct StagedBatches {
    cursor: String,
    size: usize,
}

impl StagedBatches {
    /// The next rows; none are left when it is empty. Each batch is its own connection to SPI, so
    /// that the memory of the one before is free.
    pub fn next_batch(&mut self) -> Result<Vec<StagedRow>, LoadError> {
        let rows = Spi::connect(|client| {
            let mut cursor = client.find_cursor(&self.cursor)?;
            let count = i64::try_from(self.size).unwrap_or(i64::MAX);
            let rows =
                cursor.fetch(count)?.map(|row| read_row(&row)).collect::<Result<Vec<_>, _>>()?;
            if !rows.is_empty() {
                cursor.detach_into_name();
            }
            Ok::<_, LoadError>(rows)
        })?;
        let bytes: usize = rows.iter().map(StagedRow::bytes).sum();
        let average = bytes / rows.len().max(1) + 1;
        self.size = (BATCH_BYTES / average).clamp(1, LARGEST_BATCH);
        Ok(rows)
    }
}

fn read_row(row: &pgrx::spi::SpiHeapTupleData<'_>) -> Result<StagedRow, LoadError> {
    let mut values: [Option<String>; 5] = Default::default();
    for (i, value) in values.iter_mut().enumerate() {
        *value = row.get(i + 2)?;
    }
    Ok(StagedRow {
        ctid: row.get(1)?.unwrap_or_default(),
        is_raw: row.get(7)?.unwrap_or(false) && values.iter().all(Option::is_none),
        values,
    })
}
