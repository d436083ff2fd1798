//! The plan of a file: how its records become trips, resolved once from a header.

use std::borrow::Cow;
use std::sync::Arc;

use crate::columns::{KEY_COUNT, TripColumn};
use crate::feed::definition::{Encoding, fold_encoded};
use crate::feed::file_feed::{FileFeed, FiveColumnsSource};
use crate::feed::header_columns::{HeaderColumns, Unresolved};
use crate::feed::names::FieldNames;
use crate::feed::program::FeedProgram;
use crate::model::time_form::DayMonthOrder;

/// The source of the value of one of the five columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnSource {
    /// A field of the record, by its position from 0.
    Field(usize),
    /// Two fields, of a longitude and of a latitude in degrees.
    FieldPair {
        /// Position of the longitude.
        longitude: usize,
        /// Position of the latitude.
        latitude: usize,
    },
}

/// How the records after one header become trips.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Number of fields of a record of this file.
    pub field_count: usize,
    feed: Arc<FileFeed>,
    columns: HeaderColumns,
    not_stored: Vec<String>,
    /// The source of each of the five columns, in the order of [`TripColumn::ALL`], if they are all that the feed has.
    sources: [ColumnSource; KEY_COUNT],
    /// The program, unless the five columns are all that the feed has.
    program: Option<Arc<FeedProgram>>,
    /// The fields that no column uses.
    unused_fields: Vec<usize>,
}

impl Plan {
    /// The plan for records after a header with these names.
    ///
    /// # Errors
    /// When the names are not those of a version of the feed.
    pub fn of_header(feed: &Arc<FileFeed>, names: &[Cow<'_, [u8]>]) -> Result<Self, Unresolved> {
        let folded = names.iter().map(|name| feed.definition.folded(name));
        Self::of_folded(feed, names, &folded.collect::<Vec<_>>())
    }

    /// The plan for records of a format whose names are in UTF-8, whatever the encodings of the feed are.
    ///
    /// # Errors
    /// When the names are not those of a version of the feed.
    pub fn of_names(feed: &Arc<FileFeed>, names: &[Cow<'_, [u8]>]) -> Result<Self, Unresolved> {
        let folded = names.iter().map(|name| fold_encoded(name, &[Encoding::Utf8]));
        Self::of_folded(feed, names, &folded.collect::<Vec<_>>())
    }

    fn of_folded(
        feed: &Arc<FileFeed>,
        names: &[Cow<'_, [u8]>],
        folded: &[String],
    ) -> Result<Self, Unresolved> {
        let columns = HeaderColumns::find(&feed.definition, folded)?;
        let not_stored = columns.unknown(names, folded);
        Ok(Self { not_stored, ..Self::of_columns(feed.clone(), columns) })
    }

    fn of_columns(feed: Arc<FileFeed>, columns: HeaderColumns) -> Self {
        let sources = sources(&feed, &columns);
        let program = sources.is_none().then(|| Arc::new(FeedProgram::of(feed.clone(), &columns)));
        let sources = sources.unwrap_or([ColumnSource::Field(0); KEY_COUNT]);
        let unused_fields = (0..columns.field_count).filter(|&at| columns.of_field[at].is_none());
        let (unused_fields, field_count) = (unused_fields.collect(), columns.field_count);
        Self { field_count, feed, columns, not_stored: Vec::new(), sources, program, unused_fields }
    }

    /// The name of the feed.
    #[must_use]
    pub fn feed_name(&self) -> &str {
        &self.feed.definition.name
    }

    /// The feed.
    #[must_use]
    pub fn feed(&self) -> &Arc<FileFeed> {
        &self.feed
    }

    /// The names of the header, escaped and quoted, that the feed does not know. Their fields are not stored.
    #[must_use]
    pub fn not_stored(&self) -> &[String] {
        &self.not_stored
    }

    /// The program of the feed; None if the five columns are all that it has.
    #[must_use]
    #[inline]
    pub fn program(&self) -> Option<&Arc<FeedProgram>> {
        self.program.as_ref()
    }

    /// The program of the feed, also if the five columns are all that it has.
    pub(crate) fn any_program(&self) -> Arc<FeedProgram> {
        match &self.program {
            Some(program) => program.clone(),
            None => Arc::new(FeedProgram::of(self.feed.clone(), &self.columns)),
        }
    }

    /// Whether the header has the column of this own name.
    #[must_use]
    pub fn has_column(&self, name: &str) -> bool {
        self.feed.definition.column(name).is_some_and(|column| self.columns.has(column))
    }

    /// The columns of the header.
    pub(crate) fn columns(&self) -> &HeaderColumns {
        &self.columns
    }

    /// Sets the order of day and month, which the file decides.
    pub fn set_order(&mut self, order: DayMonthOrder) {
        let not_stored = std::mem::take(&mut self.not_stored);
        let feed = Arc::new(self.feed.with_order(order));
        let plan = Self::of_columns(feed, self.columns.clone());
        *self = Self { not_stored, ..plan };
    }

    /// The source of one of the five columns.
    #[must_use]
    #[inline]
    pub fn source(&self, column: TripColumn) -> ColumnSource {
        self.sources[column as usize]
    }

    /// The names of the feed's columns.
    pub(crate) fn names(&self) -> &FieldNames {
        &self.feed.names
    }

    /// Whether both read records in the same way.
    #[must_use]
    pub fn reads_as(&self, other: &Self) -> bool {
        self.columns == other.columns
    }

    /// The number of fields, and the positions of each column of the feed: the argument of [`Plan::of_positions`].
    pub(crate) fn positions(&self) -> String {
        let mut text = self.field_count.to_string();
        for positions in &self.columns.positions {
            let positions: Vec<String> = positions.iter().map(ToString::to_string).collect();
            text.push(':');
            text.push_str(if positions.is_empty() { "-" } else { "" });
            text.push_str(&positions.join("+"));
        }
        text
    }

    /// The plan of the same feed with these positions; None if they are not valid.
    pub(crate) fn of_positions(&self, text: &str) -> Option<Self> {
        let (field_count, columns) = text.split_once(':')?;
        let positions_of = |column: &str| match column {
            "-" => Some(Vec::new()),
            _ => column.split('+').map(|at| at.parse().ok()).collect(),
        };
        let positions: Vec<Vec<usize>> =
            columns.split(':').map(positions_of).collect::<Option<_>>()?;
        let fits = |(one, other): (&Vec<usize>, &Vec<usize>)| one.is_empty() == other.is_empty();
        let is_complete = positions.len() == self.columns.positions.len()
            && positions.iter().zip(&self.columns.positions).all(fits);
        let columns = HeaderColumns::of_positions(field_count.parse().ok()?, positions);
        let columns = columns.filter(|_| is_complete)?;
        Some(Self::of_columns(self.feed.clone(), columns))
    }

    /// The fields that no column uses.
    pub(crate) fn unused_fields(&self) -> &[usize] {
        &self.unused_fields
    }
}

/// The sources of the five columns, if the feed has nothing else and the header has all of them.
fn sources(feed: &FileFeed, columns: &HeaderColumns) -> Option<[ColumnSource; KEY_COUNT]> {
    let at = |id: crate::feed::definition::ColumnId| {
        columns.positions[usize::from(id.0)].first().copied()
    };
    let mut sources = [ColumnSource::Field(0); KEY_COUNT];
    for (source, five) in sources.iter_mut().zip(feed.five_columns()?) {
        *source = match five {
            FiveColumnsSource::Field(id) => ColumnSource::Field(at(id)?),
            FiveColumnsSource::Pair { longitude, latitude } => {
                ColumnSource::FieldPair { longitude: at(longitude)?, latitude: at(latitude)? }
            }
        };
    }
    Some(sources)
}
