//! The rules of a second reading of staged records, as a caller gives them.

use std::borrow::Cow;

use trips_core::check::constraints::Constraints;
use trips_core::columns::{KEY_COUNT, TripColumn};
use trips_core::feed::choice::Options;
use trips_core::mend::mended_texts;
use trips_core::mend::rules::{Rules, Times};

use super::staged_feed::StagedFeed;
use crate::error::{LoadError, StagedError};
use crate::pg::interrupts;
use crate::settings;
use crate::staging::{self, StagedFile};

/// How staged records are read. By default as their files are.
#[derive(Debug, Default)]
pub struct Retry {
    /// What changes in their texts.
    pub rules: Rules,
    /// The pattern of other times, for messages.
    pub time_form: Option<String>,
    /// The feed whose records they are; None for that of their load.
    pub feed: Option<String>,
    /// Values that count before those of the load and of the feed.
    pub options: Options,
    /// The member of the archive; None for all.
    pub member: Option<String>,
}

impl Retry {
    /// Whether the records of a file are read.
    pub fn takes(&self, file: &StagedFile) -> bool {
        self.member.is_none() || self.member == file.member
    }

    /// Fails if none of the files of a load is the member that the caller names.
    ///
    /// # Errors
    /// 42704.
    pub fn require_member(&self, load_id: i64, files: &[StagedFile]) -> Result<(), LoadError> {
        match &self.member {
            Some(member) if !files.iter().any(|file| self.takes(file)) => {
                Err(StagedError::Member { load_id, member: member.clone() }.into())
            }
            _ => Ok(()),
        }
    }

    /// The texts of the five columns, under these rules.
    pub fn texts<'a>(
        &'a self,
        values: [&'a [u8]; KEY_COUNT],
        constraints: &Constraints,
    ) -> [Cow<'a, [u8]>; KEY_COUNT] {
        let mended = match self.rules.is_empty() {
            true => None,
            false => mended_texts(values, &self.rules, constraints),
        };
        let mut texts = mended.unwrap_or_else(|| values.map(Cow::Borrowed));
        let Options { region, datasource, .. } = &self.options;
        for (column, value) in [(TripColumn::Region, region), (TripColumn::Datasource, datasource)]
        {
            if let Some(value) = value {
                texts[column as usize] = value.as_bytes().into();
            }
        }
        texts
    }

    /// Refuses rules that the records of a file contradict, or that its feed does not allow.
    ///
    /// # Errors
    /// 22008 if a record proves the other order of day and month; 22023 if times are instants and the feed has no zone.
    pub fn check(&self, file: &StagedFile, feed: Option<&StagedFeed>) -> Result<(), LoadError> {
        let Some(times) = &self.rules.times else { return Ok(()) };
        if times.are_instants() && !feed.is_some_and(StagedFeed::has_zone) {
            let form = self.time_form.clone().unwrap_or_default();
            let feed = feed.map_or("", StagedFeed::name).to_owned();
            return Err(StagedError::NoZone { form, feed }.into());
        }
        let max_record = settings::max_record_size();
        let mut batches = staging::rows(file)?;
        loop {
            interrupts::check();
            let count = batches.next_batch(max_record, |row| {
                let is_other = match (&row.record, feed) {
                    (Some(json), Some(feed)) => feed.contradicts(json, times),
                    (None, _) => row.values(max_record).is_ok_and(|values| {
                        times.is_contradicted_by(values[TripColumn::DateTime as usize])
                    }),
                    (Some(_), None) => false,
                };
                if is_other { Err(other_order(file, row.line, times)) } else { Ok(()) }
            })?;
            if count == 0 {
                return Ok(());
            }
        }
    }
}

fn other_order(file: &StagedFile, line: u64, times: &Times) -> LoadError {
    let (member, expected) = (file.member.clone(), times.order());
    let (proves, expected) = match expected {
        Some(order) => (order.other().pattern(), order.pattern()),
        None => ("another order of day and month", "that of time_form"),
    };
    StagedError::OtherOrder { member, line, proves, expected }.into()
}
