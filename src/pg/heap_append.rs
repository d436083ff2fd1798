//! Rows into the heap of a table without COPY: with the entries of its index, or without its index, which the caller builds
//! afterwards.
//!
//! COPY calls a receive function for each value and forms each row from the results. Our rows are checked and encoded
//! already, so this room passes them to `heap_multi_insert`, the function that COPY ends in, as they lie in the batch. A
//! table with anything else than the given columns and one index (a trigger, a column, a constraint) does not fit:
//! [`HeapAppend::fits`] is false, and the caller uses COPY.

use pgrx::pg_sys;
use trips_core::wire::heap::Format;
use trips_core::wire::page::RowPosition;

use super::heap_pages::HeapPages;
use super::index_build::IndexBuild;
use super::index_insert::IndexInsert;
use super::relation::{Attribute, Table};
use crate::pg::interrupts;

/// Rows of one `heap_multi_insert`, as many as COPY takes.
const ROWS_AT_ONCE: usize = 1000;
/// The longest value with a header of one byte.
const SHORT_VALUE: usize = 126;

/// How values of a type lie in a row.
fn format_of(type_oid: pg_sys::Oid) -> Option<Format> {
    match type_oid {
        pg_sys::TEXTOID | pg_sys::JSONBOID => Some(Format::Bytes),
        pg_sys::POINTOID => Some(Format::Point),
        pg_sys::INT8OID | pg_sys::TIMESTAMPOID => Some(Format::Int8),
        pg_sys::UUIDOID => Some(Format::Uuid),
        _ => None,
    }
}

/// How the rows get their entries in the index of the table.
enum Entries<'a> {
    /// The caller builds it afterwards.
    Later,
    /// One by one.
    Inserted(IndexInsert<'a>),
    /// The index is built while the rows are appended.
    Built(IndexBuild<'a>),
}

/// Appends rows to a table.
pub struct HeapAppend<'a> {
    table: &'a Table,
    /// The columns of the rows, and whether each must have a value.
    columns: Vec<(Format, bool)>,
    /// The column that the rows are ordered by: int8 or timestamp.
    ordered_by: usize,
    /// Raises an ERROR for a value of that column that must not be stored.
    check: &'a dyn Fn(i64),
    /// That column's value in the row that was filled last.
    last: i64,
    state: pg_sys::BulkInsertState,
    /// The first columns of the table: those of the rows.
    descriptor: pg_sys::TupleDesc,
    slots: Vec<*mut pg_sys::TupleTableSlot>,
    command: pg_sys::CommandId,
    entries: Entries<'a>,
    /// Present if the table is filled by whole pages.
    pages: Option<HeapPages<'a>>,
    /// That column's value, and the uuid, of each row that was filled.
    keys: Vec<(i64, [u8; 16])>,
    /// The uuid of the row that was filled last.
    uuid: [u8; 16],
    /// Memory of one `heap_multi_insert`.
    scratch: pg_sys::MemoryContext,
    /// Values that need a header of four bytes, which must be aligned.
    long_values: Vec<Box<[u32]>>,
}

impl<'a> HeapAppend<'a> {
    /// Whether the table is a plain one with exactly these columns, one index, no triggers but the extension's, and no CHECK
    /// constraints.
    pub fn fits(table: &Table, columns: &[Attribute]) -> bool {
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
                && columns.iter().all(|column| format_of(column.type_oid).is_some())
                && (descriptor.constr.is_null() || (*descriptor.constr).num_check == 0)
                && !indexes.is_null()
                && (*indexes).length == 1
        }
    }

    /// Begins to append rows with the first `count` of these columns, in the order of one column. `check` is called with
    /// that column's first and last value before rows are stored. Without [`HeapAppend::with_entries`] and
    /// [`HeapAppend::with_new_index`], the table's index must be built afterwards.
    ///
    /// The other columns are NULL: their tuples end before them, as those of a table that ALTER TABLE has given a column.
    ///
    /// # Panics
    /// When the table does not fit, or one of the other columns must have a value.
    pub fn begin(
        table: &'a Table,
        columns: &[Attribute],
        count: usize,
        ordered_by: usize,
        check: &'a dyn Fn(i64),
    ) -> Self {
        assert!(Self::fits(table, columns), "the partition has changed");
        assert!(columns[count..].iter().all(|c| !c.is_required), "a column is missing");
        let formats =
            columns[..count].iter().map(|c| Some((format_of(c.type_oid)?, c.is_required)));
        let formats: Vec<_> = formats.collect::<Option<_>>().unwrap_or_default();
        assert_eq!(formats[ordered_by].0, Format::Int8, "the rows are ordered by a number");
        // SAFETY: the table is open and locked for inserting, and stays so while `self` lives. `finish` frees what is made
        // here, or the abort of the transaction.
        unsafe {
            let descriptor = first_columns(table, count);
            let callbacks = pg_sys::table_slot_callbacks(table.as_ptr());
            let slots = (0..ROWS_AT_ONCE)
                .map(|_| pg_sys::MakeSingleTupleTableSlot(descriptor, callbacks))
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
                columns: formats,
                ordered_by,
                check,
                last: 0,
                state: pg_sys::GetBulkInsertState(),
                descriptor,
                slots,
                command: pg_sys::GetCurrentCommandId(true),
                scratch,
                long_values: Vec::new(),
                entries: Entries::Later,
                pages: None,
                keys: Vec::with_capacity(ROWS_AT_ONCE),
                uuid: [0; 16],
            }
        }
    }

    /// Also inserts the entries of the index. The rows must be in its order for this to be fast.
    ///
    /// # Panics
    /// When [`IndexInsert::fits`] is false for the table and these columns.
    pub fn with_entries(self, key: [i16; 2]) -> Self {
        let entries = Entries::Inserted(IndexInsert::open(self.table, key));
        Self { entries, ..self }
    }

    /// Also builds the index of the table, which is empty, and fills its pages itself where that is possible. The rows must be
    /// in the order of the index.
    ///
    /// # Panics
    /// When [`IndexBuild::fits`] is false for the table and these columns, or it is not locked in SHARE mode.
    pub fn with_new_index(self, key: [i16; 2]) -> Self {
        let entries = Entries::Built(IndexBuild::begin(self.table, key));
        let begin = || HeapPages::begin(self.table, &self.columns, self.command);
        let pages = HeapPages::fits(self.table).then(begin);
        Self { entries, pages, ..self }
    }

    /// Appends rows in the format of binary COPY and returns how many. The bytes are used up: numbers and lengths are
    /// converted to the processor's format in place.
    ///
    /// # Panics
    /// When the bytes are not rows of the table's columns.
    pub fn append(&mut self, mut rows: &mut [u8]) -> u64 {
        let mut appended = 0;
        while !rows.is_empty() {
            interrupts::check();
            let (bytes, count) = self.append_to_pages(rows);
            if count > 0 {
                rows = &mut rows[bytes..];
                appended += count;
                continue;
            }
            let mut count = 0;
            while count < ROWS_AT_ONCE && !rows.is_empty() {
                rows = self.fill(self.slots[count], rows);
                count += 1;
                if count == 1 {
                    (self.check)(self.last);
                }
            }
            (self.check)(self.last);
            self.insert(count);
            self.long_values.clear();
            appended += count as u64;
        }
        appended
    }

    /// Appends the first rows by whole pages, and returns their bytes and how many: none, if that is not possible.
    fn append_to_pages(&mut self, rows: &[u8]) -> (usize, u64) {
        let (Some(pages), Entries::Built(index)) = (&mut self.pages, &mut self.entries) else {
            return (0, 0);
        };
        let (mut bytes, mut count) = (0, 0);
        while count < ROWS_AT_ONCE as u64 && bytes < rows.len() {
            let Some((length, position)) = pages.append(&rows[bytes..]) else { break };
            let key = pages.key_of_last(self.ordered_by);
            index.push(key, position);
            if count == 0 {
                (self.check)(key.0);
            }
            self.last = key.0;
            bytes += length;
            count += 1;
        }
        (self.check)(self.last);
        (bytes, count)
    }

    /// Fills a slot with the first row, and returns the rows behind it.
    fn fill<'r>(&mut self, slot: *mut pg_sys::TupleTableSlot, rows: &'r mut [u8]) -> &'r mut [u8] {
        let (count, mut rest) = rows.split_at_mut(2);
        let count = usize::from(u16::from_be_bytes([count[0], count[1]]));
        assert_eq!(count, self.columns.len(), "a row has other columns");
        for column in 0..self.columns.len() {
            let (format, is_required) = self.columns[column];
            let size = i32::from_be_bytes([rest[0], rest[1], rest[2], rest[3]]);
            let Ok(size) = usize::try_from(size) else {
                assert!(!is_required, "a value is missing");
                self.set(slot, column, None);
                rest = &mut rest[4..];
                continue;
            };
            let (field, behind) = rest.split_at_mut(4 + size);
            let datum = match format {
                Format::Bytes => self.bytes(field),
                Format::Point => {
                    assert_eq!(size, 16, "a point has two numbers");
                    let value = &mut field[4..20];
                    value[..8].reverse();
                    value[8..].reverse();
                    pg_sys::Datum::from(value.as_mut_ptr())
                }
                Format::Uuid => {
                    assert_eq!(size, 16, "a key has 16 bytes");
                    self.uuid.copy_from_slice(&field[4..]);
                    pg_sys::Datum::from(field[4..20].as_mut_ptr())
                }
                Format::Int8 => {
                    assert_eq!(size, 8, "a number has 8 bytes");
                    let mut number = [0; 8];
                    number.copy_from_slice(&field[4..]);
                    let number = i64::from_be_bytes(number);
                    if column == self.ordered_by {
                        self.last = number;
                    }
                    pg_sys::Datum::from(number)
                }
            };
            self.set(slot, column, Some(datum));
            rest = behind;
        }
        self.keys.push((self.last, self.uuid));
        // SAFETY: the slot was made by `begin` and is empty: `insert` clears it. All its columns are set.
        unsafe { pg_sys::ExecStoreVirtualTuple(slot) };
        rest
    }

    /// A value with PostgreSQL's header: one byte, instead of the last byte of its length; or four bytes, in an aligned
    /// copy. The alignment of a short one does not matter: it is copied before its parts are read.
    fn bytes(&mut self, field: &mut [u8]) -> pg_sys::Datum {
        if field.len() - 4 <= SHORT_VALUE {
            let short = &mut field[3..];
            short[0] = u8::try_from(short.len() << 1).unwrap_or(u8::MAX) | 1;
            return pg_sys::Datum::from(short.as_mut_ptr());
        }
        let value = &field[4..];
        let size = 4 + value.len();
        let mut copy = vec![0_u32; size.div_ceil(4)].into_boxed_slice();
        copy[0] = u32::try_from(size << 2).expect("a value of a trip is under 1 GiB");
        let (words, rest) = value.as_chunks::<4>();
        for (word, bytes) in copy[1..].iter_mut().zip(words) {
            *word = u32::from_ne_bytes(*bytes);
        }
        if let Some(last) = copy.last_mut().filter(|_| !rest.is_empty()) {
            let mut four = [0; 4];
            four[..rest.len()].copy_from_slice(rest);
            *last = u32::from_ne_bytes(four);
        }
        let datum = pg_sys::Datum::from(copy.as_mut_ptr());
        self.long_values.push(copy);
        datum
    }

    fn set(&self, slot: *mut pg_sys::TupleTableSlot, column: usize, value: Option<pg_sys::Datum>) {
        // SAFETY: the slot was made for a descriptor with the columns of `self.columns`, so both arrays have that length.
        unsafe {
            *(*slot).tts_values.add(column) = value.unwrap_or(pg_sys::Datum::null());
            *(*slot).tts_isnull.add(column) = value.is_none();
        }
    }

    fn insert(&mut self, count: usize) {
        if let Some(pages) = &mut self.pages {
            pages.flush();
        }
        // SAFETY: the first `count` slots are filled. What their values point to (the rows, the long values) lives until they
        // are cleared below. What the calls allocate is in `scratch`, which is reset when nothing points there any more.
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
            let slots = &self.slots[..count];
            match &mut self.entries {
                Entries::Later => {}
                Entries::Inserted(index) => index.insert(&self.keys, slots),
                Entries::Built(index) => {
                    for (&slot, &key) in slots.iter().zip(&self.keys) {
                        let (block, offset) = pgrx::itemptr::item_pointer_get_both((*slot).tts_tid);
                        index.push(key, RowPosition { block, offset });
                    }
                }
            }
            for &slot in slots {
                pg_sys::ExecClearTuple(slot);
            }
            self.keys.clear();
            pg_sys::MemoryContextSwitchTo(before);
            pg_sys::MemoryContextReset(self.scratch);
        }
        if let Some(pages) = &mut self.pages {
            pages.continue_behind();
        }
    }

    /// Ends it.
    pub fn finish(self) {
        if let Some(mut pages) = self.pages {
            pages.flush();
        }
        if let Entries::Built(index) = self.entries {
            index.finish();
        }
        // SAFETY: frees what `begin` made, once.
        unsafe {
            for slot in self.slots {
                pg_sys::ExecDropSingleTupleTableSlot(slot);
            }
            pg_sys::FreeTupleDesc(self.descriptor);
            pg_sys::FreeBulkInsertState(self.state);
            pg_sys::MemoryContextDelete(self.scratch);
        }
    }
}

/// A descriptor of the first columns of a table, which nobody counts references of.
///
/// # Panics
/// When the table has fewer columns.
fn first_columns(table: &Table, count: usize) -> pg_sys::TupleDesc {
    // SAFETY: the table is open, so its descriptor is valid. Columns of both descriptors are counted from 1; the table
    // has as many, which is checked.
    unsafe {
        let from = (*table.as_ptr()).rd_att;
        let count = i16::try_from(count).expect("a table has at most 1,600 columns");
        assert!(i32::from(count) <= (*from).natts, "the table has lost a column");
        let to = pg_sys::CreateTemplateTupleDesc(count.into());
        for column in 1..=count {
            pg_sys::TupleDescCopyEntry(to, column, from, column);
        }
        to
    }
}
