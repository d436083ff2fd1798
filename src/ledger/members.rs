//! The members of loaded archives: `trips.load_members`.

use pgrx::Spi;
use pgrx::datum::DatumWithOid;

use super::{Totals, bigint};
use crate::error::LoadError;

/// A member of an archive that has trips.
#[derive(Debug, Clone)]
pub struct LoadMember {
    /// Its name in the archive.
    pub name: String,
    /// Its feed.
    pub feed: String,
    /// Where its rows went.
    pub totals: Totals,
}

/// Members that one statement inserts.
const AT_ONCE: usize = 1000;

/// Inserts the members of a load, in the order of the archive. The load's own row follows.
pub fn record_members(load_id: i64, members: &[LoadMember]) -> Result<(), LoadError> {
    for (first, members) in members.chunks(AT_ONCE).enumerate() {
        let counts = |of: fn(&Totals) -> u64| {
            members.iter().map(|member| bigint(of(&member.totals))).collect::<Vec<i64>>()
        };
        let names: Vec<&str> = members.iter().map(|member| member.name.as_str()).collect();
        let feeds: Vec<&str> = members.iter().map(|member| member.feed.as_str()).collect();
        let args: [DatumWithOid<'_>; 8] = [
            load_id.into(),
            bigint((first * AT_ONCE) as u64).into(),
            names.into(),
            feeds.into(),
            counts(|totals| totals.inserted).into(),
            counts(|totals| totals.duplicate).into(),
            counts(|totals| totals.corrected).into(),
            counts(|totals| totals.staged).into(),
        ];
        Spi::run_with_args(
            "INSERT INTO trips.load_members (load_id, member_no, member, feed, rows_read, rows_inserted,
                    rows_duplicate, rows_corrected, rows_staged)
             SELECT $1, $2 + m.number, m.name, m.feed, m.inserted + m.duplicate + m.corrected + m.staged,
                    m.inserted, m.duplicate, m.corrected, m.staged
               FROM unnest($3::text[], $4::text[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[])
                    WITH ORDINALITY AS m (name, feed, inserted, duplicate, corrected, staged, number)",
            &args,
        )?;
    }
    Ok(())
}
