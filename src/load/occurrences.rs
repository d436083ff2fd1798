//! Staged records of a feed without ids: how many equal records of their file are trips.
//!
//! The history says it only for records that the load has inserted. Other loads may have inserted the same trips. So
//! each staged record says it, in the member `$occurrence`.

use pgrx::check_for_interrupts;
use trips_core::feed::staged::Preceding;
use trips_core::model::position::Position;
use trips_core::sort::occurrences::EqualRecords;

use super::identity::LoadIdentity;
use super::staged_feed::StagedFeed;
use crate::error::LoadError;
use crate::settings;
use crate::staging::{self, StagedFile};

/// Staged records whose equal records are counted together.
const RECORDS_AT_ONCE: usize = 32 * 1024;

/// Sets the member of the staged records of a file whose identity columns are valid.
pub fn number_staged(
    file: &StagedFile,
    feed: &mut StagedFeed,
    identity: &mut LoadIdentity,
) -> Result<(), LoadError> {
    let (constraints, max_record) = (settings::constraints()?, settings::max_record_size());
    let mut batches = staging::rows(file)?;
    let mut records: Vec<(EqualRecords, String)> = Vec::new();
    loop {
        check_for_interrupts!();
        let count = batches.next_batch(max_record, |row| {
            let Some(json) = &row.record else { return Ok(()) };
            let Some((date_time, base)) =
                feed.identity_of(json, Position::line(row.line), &constraints)
            else {
                return Ok(());
            };
            records.try_reserve(1)?;
            records.push((EqualRecords { date_time, base, records: 0 }, row.ctid.clone()));
            Ok(())
        })?;
        if count == 0 || records.len() >= RECORDS_AT_ONCE {
            set(identity, &mut records)?;
        }
        if count == 0 {
            return Ok(());
        }
    }
}

/// Sets the member of these records, and forgets them.
fn set(
    identity: &mut LoadIdentity,
    records: &mut Vec<(EqualRecords, String)>,
) -> Result<(), LoadError> {
    records.sort_unstable();
    let mut keys: Vec<EqualRecords> = records.iter().map(|&(key, _)| key).collect();
    identity.count_all(&mut keys)?;
    let counted = keys.iter().zip(records.drain(..)).filter(|(key, _)| key.records > 0);
    let text = |key: &EqualRecords| Preceding { base: key.base, records: key.records }.to_text();
    let members: Vec<(String, String)> =
        counted.map(|(key, (_, ctid))| (ctid, text(key))).collect();
    staging::set_member(Preceding::MEMBER, &members)
}
