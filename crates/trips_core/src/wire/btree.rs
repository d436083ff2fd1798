//! The pages of a B-tree index over `(timestamp, uuid)`, byte for byte as PostgreSQL 15 to 18 build them.
//!
//! Entries arrive in their order, and pages leave when they are full: nothing is sorted and nothing is read again. The
//! memory is one page for each level.
//!
//! ```text
//! page: header (24 bytes), line pointers (4 bytes each) | free | tuples, the last one first | links, level, flags
//! ```
//!
//! On each page but the last of a level, the first line pointer is of the high key: no key of the page is above it. A
//! tuple of an inner page has the number of a page below, and the least key there. The first one of a page has no key.

mod page;

use self::page::{LEAF, META, PageBuilder, ROOT, Tuple};
use crate::model::timestamp::Timestamp;
use crate::wire::page::{PAGE_BYTES, Page, RowPosition};

/// The number of the page that has the number of the root.
const META_PAGE: u32 = 0;
/// No page.
const NONE: u32 = 0;
/// A page of leaves is full when it has less free space: `fillfactor` is 90.
const LEAF_SPARE: usize = PAGE_BYTES * 10 / 100;
/// The same for an inner page: 70.
const INNER_SPARE: usize = PAGE_BYTES * 30 / 100;
/// A high key may need the position of its row, which takes 8 bytes.
const ROOM_FOR_POSITION: usize = 8;

/// The second value of an entry: the key of a trip.
pub type Uuid = [u8; 16];

/// Builds an index. The pages are passed on with their numbers; those of inner pages come late.
#[derive(Debug)]
pub struct IndexPages {
    /// The last page of each level; leaves first.
    levels: Vec<PageBuilder>,
    /// The number of the next page.
    next: u32,
    last: Option<(Timestamp, Uuid)>,
    entries: u64,
}

impl Default for IndexPages {
    fn default() -> Self {
        Self { levels: Vec::new(), next: META_PAGE + 1, last: None, entries: 0 }
    }
}

impl IndexPages {
    /// Adds an entry. `write` gets a page that is full.
    ///
    /// # Panics
    /// When the entry is not behind all others: a unique index would not be in order.
    pub fn push(
        &mut self,
        time: Timestamp,
        key: &Uuid,
        row: RowPosition,
        write: &mut impl FnMut(u32, &Page),
    ) {
        assert!(self.last.is_none_or(|last| last < (time, *key)), "an entry is not in its order");
        self.last = Some((time, *key));
        self.entries += 1;
        self.add(0, &Tuple::of_entry(time, key, row), write);
    }

    /// Number of its entries.
    #[must_use]
    pub fn entries(&self) -> u64 {
        self.entries
    }

    /// Ends the index: the remaining pages, and the page that names the root.
    pub fn finish(mut self, write: &mut impl FnMut(u32, &Page)) {
        let mut level = 0;
        while level < self.levels.len() {
            let is_root = level + 1 == self.levels.len();
            let page = &mut self.levels[level];
            let (number, mut least) = (page.number, page.least_key.clone());
            if is_root {
                page.flags |= ROOT;
            } else {
                least.set_page_below(number);
                self.add(level + 1, &least, write);
            }
            write(number, self.levels[level].end_as_last());
            level += 1;
        }
        let root = self.levels.last().map_or(NONE, |page| page.number);
        let height = u32::try_from(self.levels.len().saturating_sub(1)).unwrap_or(u32::MAX);
        write(META_PAGE, &page::meta(root, height));
    }

    /// Adds a tuple to the last page of a level, or to a new one.
    fn add(&mut self, level: usize, tuple: &Tuple, write: &mut impl FnMut(u32, &Page)) {
        if level == self.levels.len() {
            let number = self.next_number();
            self.levels.push(PageBuilder::new(number, level));
        }
        let page = &self.levels[level];
        let (reserve, spare) =
            if level == 0 { (ROOM_FOR_POSITION, LEAF_SPARE) } else { (0, INNER_SPARE) };
        let free = page.free();
        if free < tuple.len() + reserve || (free < spare && page.tuples() > 1) {
            self.end_page(level, write);
        }
        self.levels[level].push(tuple);
    }

    /// Ends the last page of a level, and begins the next one with its last tuple.
    fn end_page(&mut self, level: usize, write: &mut impl FnMut(u32, &Page)) {
        let number = self.next_number();
        let page = &mut self.levels[level];
        let last = page.take_last_as_high_key();
        let next = PageBuilder::behind(page, number, &last);
        let mut ended = std::mem::replace(page, next);
        ended.least_key.set_page_below(ended.number);
        self.add(level + 1, &ended.least_key, write);
        write(ended.number, ended.end());
    }

    fn next_number(&mut self) -> u32 {
        let number = self.next;
        self.next += 1;
        number
    }
}

// The flags of the pages of this module.
const _: () = assert!(LEAF | ROOT | META == 0b1011);

#[cfg(test)]
mod tests;
