//! Rows into the heap of a partition of the history without COPY between, and without its index, which is built anew
//! afterwards: for the table as the extension makes it.
//!
//! COPY calls a receive function for every value and builds each row from what they return. Our rows
//! are checked and encoded already, so they are handed to `heap_multi_insert`, the function that COPY
//! ends in, as they lie in the batch. Whatever somebody has added to the table (a trigger, a column, a
//! constraint, an index) makes [`HeapAppend::fits`] false, and COPY does the work.

use pgrx::pg_sys::panic::ErrorReport;
use pgrx::{PgLogLevel, PgSqlErrorCode, check_for_interrupts, pg_sys};
use trips_core::model::partition_bounds::PartitionBounds;
use trips_core::model::timestamp::Timestamp;

use super::relation::{Column, Table};

/// Columns of the history: region, origin, destination, date_time, datasource, trip_key, load_id.
const COLUMNS: usize = 7;
const DATE_TIME: usize = 3;
const TRIP_KEY: usize = 5;
/// Rows of one `heap_multi_insert`, as many as COPY takes.
const ROWS_AT_ONCE: usize = 1000;
/// The longest text with a header of one byte.
const SHORT_TEXT: usize = 126;

/// Appends rows to a partition of the history.
pub struct HeapAppend<'a> {
    table: &'a Table,
    state: pg_sys::BulkInsertState,
    slots: Vec<*mut pg_sys::TupleTableSlot>,
    command: pg_sys::CommandId,
    /// Memory of one `heap_multi_insert`.
    scratch: pg_sys::MemoryContext,
    /// Texts that need a header of four bytes, which must be aligned.
    long_texts: Vec<Box<[u32]>>,
    /// Of the partition. Nobody else looks whether a row is within them.
    bounds: PartitionBounds,
    /// That of the row that was filled last.
    date_time: Timestamp,
}

impl<'a> HeapAppend<'a> {
    /// Whether the table is as the extension makes it: a plain table with the columns of the history
    /// and its primary key, no trigger but the extension's, no check.
    pub fn fits(table: &Table, columns: &[Column; COLUMNS]) -> bool {
        // SAFETY: the relation is open, so its descriptors are valid; the list is a copy.
        unsafe {
            let relation = &*table.as_ptr();
            let (class, descriptor) = (&*relation.rd_rel, &*relation.rd_att);
            let indexes = pg_sys::RelationGetIndexList(table.as_ptr());
            cfg!(target_endian = "little")
                && class.relkind.cast_unsigned() == pg_sys::RELKIND_RELATION
                && class.relam == pg_sys::HEAP_TABLE_AM_OID
                && !table.has_user_triggers()
                && table.has_columns(columns)
                && (descriptor.constr.is_null() || (*descriptor.constr).num_check == 0)
                && !indexes.is_null()
                && (*indexes).length == 1
        }
    }

    /// Begins to append to a partition of these bounds, which its rows must be within. The primary key does not hear
    /// of the rows: it must be built anew afterwards.
    ///
    /// # Panics
    /// When the table does not fit.
    pub fn begin(table: &'a Table, columns: &[Column; COLUMNS], bounds: PartitionBounds) -> Self {
        assert!(Self::fits(table, columns), "the partition has changed");
        // SAFETY: the table is open and locked for inserting, and stays so while `self` lives; what is
        // made here is given back by `finish`, or by the abort of the transaction.
        unsafe {
            let slots = (0..ROWS_AT_ONCE)
                .map(|_| pg_sys::table_slot_create(table.as_ptr(), std::ptr::null_mut()))
                .collect();
            let scratch = pg_sys::AllocSetContextCreateInternal(
                pg_sys::CurrentMemoryContext,
                c"trips append".as_ptr(),
                0,
                8 * 1024,
                8 * 1024 * 1024,
            );
            Self {
                table,
                state: pg_sys::GetBulkInsertState(),
                slots,
                command: pg_sys::GetCurrentCommandId(true),
                scratch,
                long_texts: Vec::new(),
                bounds,
                date_time: Timestamp(0),
            }
        }
    }

    /// Appends rows as binary COPY writes them, in the order of their times, and returns how many. The bytes are used
    /// up: numbers and lengths are turned into the processor's form where they lie.
    pub fn append(&mut self, mut rows: &mut [u8]) -> u64 {
        let mut appended = 0;
        while !rows.is_empty() {
            check_for_interrupts!();
            let mut count = 0;
            while count < ROWS_AT_ONCE && !rows.is_empty() {
                rows = self.fill(self.slots[count], rows);
                count += 1;
                if count == 1 {
                    self.require_within_bounds();
                }
            }
            self.require_within_bounds();
            self.insert(count);
            self.long_texts.clear();
            appended += count as u64;
        }
        appended
    }

    /// Refuses the row that was filled last, if it does not belong to the partition: what is stored there would be
    /// found by some queries and not by others.
    fn require_within_bounds(&self) {
        let (time, bounds) = (self.date_time, self.bounds);
        if !bounds.contains(time) {
            let message = format!(
                "a trip of {time} is not within the bounds of the partition {}: {bounds}",
                self.table.name()
            );
            ErrorReport::new(
                PgSqlErrorCode::ERRCODE_CHECK_VIOLATION,
                message,
                "HeapAppend::append",
            )
            .report(PgLogLevel::ERROR);
        }
    }

    /// Makes a slot stand for the first row, and returns the rows behind it.
    fn fill<'r>(&mut self, slot: *mut pg_sys::TupleTableSlot, rows: &'r mut [u8]) -> &'r mut [u8] {
        let (_, mut rest) = rows.split_at_mut(2);
        for column in 0..COLUMNS {
            let count = i32::from_be_bytes([rest[0], rest[1], rest[2], rest[3]]);
            let Ok(count) = usize::try_from(count) else {
                self.set(slot, column, None);
                rest = &mut rest[4..];
                continue;
            };
            let (field, behind) = rest.split_at_mut(4 + count);
            let datum = match column {
                0 | 4 => self.text(field),
                1 | 2 => {
                    let value = &mut field[4..20];
                    value[..8].reverse();
                    value[8..].reverse();
                    pg_sys::Datum::from(value.as_mut_ptr())
                }
                TRIP_KEY => pg_sys::Datum::from(field[4..20].as_mut_ptr()),
                _ => {
                    let value = &field[4..];
                    let mut number = [0; 8];
                    number.copy_from_slice(value);
                    let number = i64::from_be_bytes(number);
                    if column == DATE_TIME {
                        self.date_time = Timestamp(number);
                    }
                    pg_sys::Datum::from(number)
                }
            };
            self.set(slot, column, Some(datum));
            rest = behind;
        }
        // SAFETY: the slot was made by us and is empty: `insert` clears it; all its columns are set.
        unsafe { pg_sys::ExecStoreVirtualTuple(slot) };
        rest
    }

    /// A text with PostgreSQL's header: one byte, in the place of the last byte of its length; or four
    /// bytes, in a copy that is aligned.
    fn text(&mut self, field: &mut [u8]) -> pg_sys::Datum {
        if field.len() - 4 <= SHORT_TEXT {
            let short = &mut field[3..];
            short[0] = u8::try_from(short.len() << 1).unwrap_or(u8::MAX) | 1;
            return pg_sys::Datum::from(short.as_mut_ptr());
        }
        let value = &field[4..];
        let size = 4 + value.len();
        let mut copy = vec![0_u32; size.div_ceil(4)].into_boxed_slice();
        copy[0] = u32::try_from(size << 2).expect("a text of a trip is short");
        for (word, bytes) in copy[1..].iter_mut().zip(value.chunks(4)) {
            let mut four = [0; 4];
            four[..bytes.len()].copy_from_slice(bytes);
            *word = u32::from_ne_bytes(four);
        }
        let datum = pg_sys::Datum::from(copy.as_mut_ptr());
        self.long_texts.push(copy);
        datum
    }

    fn set(&self, slot: *mut pg_sys::TupleTableSlot, column: usize, value: Option<pg_sys::Datum>) {
        // SAFETY: the slot was made for the table, which has seven columns (`fits`), so both arrays
        // have that length.
        unsafe {
            *(*slot).tts_values.add(column) = value.unwrap_or(pg_sys::Datum::null());
            *(*slot).tts_isnull.add(column) = value.is_none();
        }
    }

    fn insert(&mut self, count: usize) {
        // SAFETY: the first `count` slots are filled, and what their values point to (the rows, the
        // long texts) lives until they are cleared below. What the calls allocate is in `scratch`,
        // which is emptied when nothing points there any more.
        unsafe {
            let before = pg_sys::MemoryContextSwitchTo(self.scratch);
            pg_sys::heap_multi_insert(
                self.table.as_ptr(),
                self.slots.as_mut_ptr(),
                i32::try_from(count).expect("a thousand at most"),
                self.command,
                0,
                self.state,
            );
            for &slot in &self.slots[..count] {
                pg_sys::ExecClearTuple(slot);
            }
            pg_sys::MemoryContextSwitchTo(before);
            pg_sys::MemoryContextReset(self.scratch);
        }
    }

    /// Ends it.
    pub fn finish(self) {
        // SAFETY: gives back what `begin` took, once.
        unsafe {
            for slot in self.slots {
                pg_sys::ExecDropSingleTupleTableSlot(slot);
            }
            pg_sys::FreeBulkInsertState(self.state);
            pg_sys::MemoryContextDelete(self.scratch);
        }
    }
}
