//! Staged records of a feed without ids: how many equal records of their file are trips.
//!
//! The history says it only for records that the load has inserted. Other loads may have inserted the same trips. So
//! each staged record says it, in the member `$occurrence`.

use trips_core::feed::staged::Preceding;
use trips_core::model::position::Position;
use trips_core::sort::occurrences::EqualRecords;

use super::identity::LoadIdentity;
use super::staged_feed::StagedFeed;
use crate::error::LoadError;
use crate::pg::interrupts;
use crate::settings;
use crate::staging::{self, StagedFile};

/// Staged records whose equal records are counted together.
const RECORDS_AT_ONCE: usize = 32 * 1024;

/// A staged record: its key, whether a number of 0 is not written into it, and its ctid.
type Record = (EqualRecords, bool, String);

/// Sets the member of the staged records of a file whose identity columns are valid. With `says_none`, records without
/// equal ones say so, too.
pub fn number_staged(
    file: &StagedFile,
    feed: &mut StagedFeed,
    identity: &mut LoadIdentity,
    says_none: bool,
) -> Result<(), LoadError> {
    let (constraints, max_record) = (settings::constraints()?, settings::max_record_size());
    let mut batches = staging::rows(file)?;
    let mut records: Vec<Record> = Vec::new();
    loop {
        interrupts::check();
        let count = batches.next_batch(max_record, |row| {
            let Some(json) = &row.record else { return Ok(()) };
            let Some((date_time, base, says)) =
                feed.identity_of(json, Position::line(row.line), &constraints)
            else {
                return Ok(());
            };
            records.try_reserve(1)?;
            let key = EqualRecords { date_time, base, records: 0 };
            records.push((key, says || !says_none, row.ctid.clone()));
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
fn set(identity: &mut LoadIdentity, records: &mut Vec<Record>) -> Result<(), LoadError> {
    records.sort_unstable();
    let mut keys: Vec<EqualRecords> = records.iter().map(|&(key, ..)| key).collect();
    identity.count_all(&mut keys)?;
    let counted = keys.iter().zip(records.drain(..));
    let counted = counted.filter(|(key, (_, needs_some, _))| key.records > 0 || !needs_some);
    let text = |key: &EqualRecords| Preceding { base: key.base, records: key.records }.to_text();
    let members: Vec<(String, String)> =
        counted.map(|(key, (.., ctid))| (ctid, text(key))).collect();
    staging::set_member(Preceding::MEMBER, &members)
}
