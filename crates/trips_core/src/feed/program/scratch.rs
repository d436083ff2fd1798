//! The buffers of a thread, used again for every record.

use std::sync::Arc;

use super::FeedProgram;
use crate::check::reject::RejectedColumn;
use crate::feed::day_month::TimeProofs;
use crate::feed::definition::ColumnId;
use crate::model::canonical::Canonical;
use crate::model::zone::ZoneClock;
use crate::wire::jsonb::{DetailsForm, DetailsWriter};

/// The buffers in which a [`FeedProgram`] makes a trip.
#[derive(Debug)]
pub struct Scratch {
    pub(super) region: String,
    pub(super) datasource: String,
    pub(super) tail: Vec<u8>,
    pub(super) message: Vec<u8>,
    pub(super) details: DetailsWriter,
    pub(super) payload: Vec<u8>,
    pub(super) clocks: Vec<Option<ZoneClock>>,
    values: Vec<Option<Canonical<'static>>>,
    pub(super) not_numbers: Vec<ColumnId>,
    /// What times prove of the file.
    pub proofs: TimeProofs,
}

impl FeedProgram {
    /// The buffers for records of this program: `form` is that of its details.
    #[must_use]
    pub fn scratch(&self, form: DetailsForm) -> Scratch {
        let rules = &self.feed.rules;
        Scratch {
            region: String::new(),
            datasource: String::new(),
            tail: Vec::new(),
            message: Vec::new(),
            details: DetailsWriter::of(&rules.detail_names, form),
            payload: Vec::new(),
            clocks: rules.clocks.iter().map(|zone| zone.map(ZoneClock::new)).collect(),
            values: Vec::new(),
            not_numbers: Vec::new(),
            proofs: TimeProofs::default(),
        }
    }
}

impl Scratch {
    /// An empty list of values with the memory of the last one.
    pub(super) fn take_values<'a>(&mut self) -> Vec<Option<Canonical<'a>>> {
        recycled(std::mem::take(&mut self.values))
    }

    /// Keeps the memory of a list of values.
    pub(super) fn give_values(&mut self, values: Vec<Option<Canonical<'_>>>) {
        self.values = recycled(values);
    }
}

/// An empty list in the memory of another: the standard library collects in place.
fn recycled<'b>(mut values: Vec<Option<Canonical<'_>>>) -> Vec<Option<Canonical<'b>>> {
    values.clear();
    values.into_iter().map(|_| None).collect()
}

/// The column of a feed, or of the history, in a rejection.
pub(super) fn column(name: &str) -> RejectedColumn {
    RejectedColumn::Feed(Arc::from(name))
}
