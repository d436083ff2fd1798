//! Which field of a header is which column of a feed.

use std::borrow::Cow;

use crate::feed::definition::{ColumnId, Definition, Required, is_passed_over};
use crate::text::escape::quoted;

/// Why the fields of a header are not those of a feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unresolved {
    /// Columns of the feed are missing: their names, alternatives joined by "or".
    Missing(Vec<String>),
    /// A column of the feed is there twice, with these numbers from 1.
    Duplicate {
        /// The name in the feed.
        name: String,
        /// Number of the column, from 1.
        first: usize,
        /// Number of the other column, from 1.
        second: usize,
    },
    /// A name that no file of this feed has.
    Excluded(String),
}

/// The positions of the columns of a feed in a header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HeaderColumns {
    /// Number of fields of a record.
    pub(crate) field_count: usize,
    /// For each column its positions from 0: none, one, or several if it is made of several.
    pub(crate) positions: Vec<Vec<usize>>,
    /// The column of each field.
    pub(crate) of_field: Vec<Option<ColumnId>>,
}

impl HeaderColumns {
    /// Finds the columns of a header with these folded names, and checks that a version of the feed has no others.
    pub(crate) fn find(feed: &Definition, folded: &[String]) -> Result<Self, Unresolved> {
        if let Some(name) = folded.iter().find(|name| feed.without.contains(name)) {
            return Err(Unresolved::Excluded(name.clone()));
        }
        let of_field: Vec<_> = folded.iter().map(|name| feed.column_of_folded(name)).collect();
        let mut positions = vec![Vec::new(); feed.columns.len()];
        for (at, column) in of_field.iter().enumerate() {
            if let Some(column) = column {
                positions[usize::from(column.0)].push(at);
            }
        }
        let has = |required: &Required| match required {
            Required::Column(column) => !positions[usize::from(column.0)].is_empty(),
            Required::Spelling(name, _) => folded.contains(name),
        };
        let nearest = feed.nearest_version(has);
        let missing = nearest.iter().flat_map(|(_, missing)| missing);
        let missing: Vec<String> = missing.map(|required| feed.written(required)).collect();
        if !missing.is_empty() || nearest.is_none() {
            return Err(Unresolved::Missing(missing));
        }
        let used = feed.used_columns();
        for ((id, column), found) in (0..).map(ColumnId).zip(&feed.columns).zip(&mut positions) {
            // Nothing of the other columns is stored.
            if !column.coalesce && found.len() > 1 && used.contains(&id) {
                return Err(Unresolved::Duplicate {
                    name: column.name.clone(),
                    first: found[0] + 1,
                    second: found[1] + 1,
                });
            }
            // The order of the spellings counts before that of the header.
            let rank = |at: &usize| column.folded.iter().position(|name| *name == folded[*at]);
            found.sort_by_key(rank);
        }
        Ok(Self { field_count: folded.len(), positions, of_field })
    }

    /// The same from positions of columns; None if they are not valid.
    pub(crate) fn of_positions(field_count: usize, positions: Vec<Vec<usize>>) -> Option<Self> {
        let mut of_field = vec![None; field_count];
        for (column, found) in (0..).map(ColumnId).zip(&positions) {
            for &at in found {
                let field = of_field.get_mut(at)?;
                if field.replace(column).is_some() {
                    return None;
                }
            }
        }
        Some(Self { field_count, positions, of_field })
    }

    /// Of a record that has these columns, each at its own number.
    pub(crate) fn of_record(positions: Vec<Vec<usize>>) -> Self {
        let count = positions.len();
        Self { field_count: count, positions, of_field: vec![None; count] }
    }

    /// Whether the column is in the header.
    pub(crate) fn has(&self, column: ColumnId) -> bool {
        !self.positions[usize::from(column.0)].is_empty()
    }

    /// The names of a header, escaped and quoted, that the feed does not know and that have a meaning.
    pub(crate) fn unknown(&self, names: &[Cow<'_, [u8]>], folded: &[String]) -> Vec<String> {
        let fields = names.iter().zip(folded).zip(&self.of_field);
        let named = fields.filter(|((_, name), column)| column.is_none() && !is_passed_over(name));
        // As the header spells them.
        named.map(|((name, _), _)| quoted(name.trim_ascii())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feed::builtin;

    fn find(names: &str) -> Result<HeaderColumns, Unresolved> {
        let folded: Vec<String> = names.split(',').map(str::to_owned).collect();
        HeaderColumns::find(builtin::get("citibike").expect("a feed"), &folded)
    }

    #[test]
    fn a_column_may_be_there_twice_if_nothing_of_it_is_stored() {
        const NAMES: &str = "starttime,stoptime,start station id,start station latitude,\
            start station longitude,end station id,end station latitude,end station longitude,bikeid";
        for name in ["gender", "birth year", "nobody knows it", ""] {
            assert!(find(&format!("{NAMES},{name},{name}")).is_ok(), "{name}");
        }
        for name in ["usertype", "bike type", "starttime"] {
            let found = find(&format!("{name},{NAMES},usertype,bike type"));
            let is_it =
                |error| matches!(error, Unresolved::Duplicate { name: found, .. } if found == name);
            assert!(found.is_err_and(is_it), "{name}");
        }
    }
}
