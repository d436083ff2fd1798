//! Rows into an empty table as whole pages.
//!
//! `heap_multi_insert` forms each tuple, finds a page for it, and describes it in the WAL. Here the pages are filled by
//! [`HeapPage`], and go to the WAL as they are. A subscriber of logical replication gets rows, not pages: with `wal_level =
//! logical` this way is not taken.

use pgrx::pg_sys;
use trips_core::wire::heap::{Format, HeapPage, Inserter, RowFormat, RowValues};
use trips_core::wire::page::RowPosition;

use super::locks;
use super::new_pages::NewPages;
use super::relation::Table;

// SAFETY: as in storage/predicate.h; pgrx does not bind it.
unsafe extern "C-unwind" {
    fn CheckForSerializableConflictIn(
        relation: pg_sys::Relation,
        tid: pg_sys::ItemPointer,
        block: pg_sys::BlockNumber,
    );
}

/// Fills the pages of a table.
pub struct HeapPages<'a> {
    table: &'a Table,
    format: RowFormat,
    /// The column of the uuid.
    uuid: usize,
    /// The columns that must have a value.
    required: Vec<usize>,
    page: HeapPage,
    pages: NewPages,
    values: RowValues,
    by: Inserter,
    /// Number of rows that statistics do not have yet.
    uncounted: i64,
}

impl<'a> HeapPages<'a> {
    /// Whether the table is permanent, has no settings, and its rows are not decoded for subscribers.
    pub fn fits(table: &Table) -> bool {
        // SAFETY: the relation is open.
        unsafe {
            let relation = &*table.as_ptr();
            NewPages::fit()
                && pg_sys::wal_level == pg_sys::WalLevel::WAL_LEVEL_REPLICA as i32
                && (*relation.rd_rel).relpersistence.cast_unsigned()
                    == pg_sys::RELPERSISTENCE_PERMANENT
                && relation.rd_options.is_null()
        }
    }

    /// Begins to fill an empty table with rows of these columns, in this command.
    ///
    /// # Panics
    /// When the table does not fit, has pages, has no uuid, or is not locked in SHARE mode, which excludes others that insert
    /// into it.
    pub fn begin(table: &'a Table, columns: &[(Format, bool)], command: pg_sys::CommandId) -> Self {
        assert!(Self::fits(table) && table.has_no_pages(), "the partition has changed");
        assert!(locks::holds_share(table.oid()), "the partition is not locked");
        // SAFETY: the table is open and locked. Who has read the empty table, in a serializable
        // transaction, conflicts with its rows.
        let (pages, xid) = unsafe {
            let relation = table.as_ptr();
            let conflict = || {
                let none = pg_sys::InvalidBlockNumber;
                CheckForSerializableConflictIn(relation, std::ptr::null_mut(), none);
            };
            pg_sys::ffi::pg_guard_ffi_boundary(conflict);
            (NewPages::of(relation, true), pg_sys::GetCurrentTransactionId())
        };
        let format = RowFormat::of(columns.iter().map(|column| column.0).collect());
        let required = (0..).zip(columns).filter(|(_, column)| column.1).map(|(at, _)| at);
        Self {
            table,
            uuid: format.first(Format::Uuid).expect("the table has a key"),
            format,
            required: required.collect(),
            page: HeapPage::new(0),
            pages,
            values: RowValues::default(),
            by: Inserter { xid: u32::from(xid), command },
            uncounted: 0,
        }
    }

    /// Appends the first row of these, in the format of binary COPY. Returns its length and position; None if it is one that
    /// `heap_multi_insert` must store, because its values are long.
    ///
    /// # Panics
    /// When the bytes are not rows of the table's columns.
    pub fn append(&mut self, rows: &[u8]) -> Option<(usize, RowPosition)> {
        let length = self.values.read(rows, &self.format);
        assert!(!self.required.iter().any(|&at| self.values.is_null(at)), "a value is missing");
        if !self.values.is_plain() {
            return None;
        }
        let position = self.page.add(&self.values, self.by).or_else(|| {
            self.end_page();
            self.page.add(&self.values, self.by)
        });
        self.uncounted += 1;
        Some((length, position.expect("an empty page has room for a plain row")))
    }

    fn end_page(&mut self) {
        self.pages.write(self.page.number(), self.page.end());
        self.page.restart(self.pages.count());
    }

    /// Writes all rows so far. The next page is at the end of the table.
    pub fn flush(&mut self) {
        if !self.page.is_empty() {
            self.end_page();
        }
        self.pages.flush();
        // SAFETY: the table is open; the function counts for the statistics of this session.
        unsafe { pg_sys::pgstat_count_heap_insert(self.table.as_ptr(), self.uncounted) };
        self.uncounted = 0;
    }

    /// After rows that others of this transaction have stored: the next page is behind theirs.
    pub fn continue_behind(&mut self) {
        self.pages.recount();
        self.page.restart(self.pages.count());
    }

    /// The number of this column and the uuid of the row that was appended last.
    pub fn key_of_last(&self, number: usize) -> (i64, [u8; 16]) {
        let uuid = self.values.uuid(self.uuid).unwrap_or_default();
        (self.values.number(number).unwrap_or_default(), uuid)
    }
}
