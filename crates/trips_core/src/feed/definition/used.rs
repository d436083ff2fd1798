//! The columns of which trips are made.

use super::{ColumnId, Definition, EndedAt, IdentityColumn, IdentityRule, Place, ValueSource};

impl Definition {
    /// The columns of which trips are made. The others are known, but nothing stores them. A column may be there twice.
    #[must_use]
    pub fn used_columns(&self) -> Vec<ColumnId> {
        let mut used: Vec<ColumnId> = self.time.columns.clone();
        match &self.ended_at {
            Some(EndedAt::Columns(columns)) => used.extend(columns),
            Some(EndedAt::Points { points, .. }) => used.push(*points),
            None => {}
        }
        used.extend(self.origin.iter().chain(&self.destination).flat_map(Place::columns));
        let values = self.region.iter().chain(&self.datasource);
        used.extend(values.filter_map(|value| match value {
            ValueSource::Column(column) => Some(*column),
            _ => None,
        }));
        match &self.identity {
            IdentityRule::Content => {}
            IdentityRule::Columns { columns, .. } => {
                used.extend(columns.iter().filter_map(|column| match column {
                    IdentityColumn::Column(column) => Some(*column),
                    IdentityColumn::Time | IdentityColumn::EndedAt => None,
                }));
            }
            IdentityRule::SourceId { columns, .. } => used.extend(columns),
        }
        used.extend(self.trip_id);
        used.extend(&self.details);
        used
    }
}
