//! The fields of a record by the columns of its feed.

use std::borrow::Cow;

use crate::feed::definition::ColumnId;

/// A record whose fields are columns of a feed, whatever the format of its file.
pub trait Fields {
    /// The text of a column; None if the file does not have the column.
    fn text(&self, column: ColumnId) -> Option<Cow<'_, [u8]>>;
}

impl<F: Fields + ?Sized> Fields for &F {
    #[inline]
    fn text(&self, column: ColumnId) -> Option<Cow<'_, [u8]>> {
        (**self).text(column)
    }
}
