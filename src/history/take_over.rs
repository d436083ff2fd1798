//! The trips of a load that is retracted pass to other loads that have found them.
//!
//! A trip passes to the first load after it that has it. That one has found it with the same values (a claim), or with
//! others (a kept version). So claims are read in their order, and a claim after a kept version is not the first.

use std::collections::BTreeMap;

use pgrx::datum::{DatumWithOid, Timestamp as PgTimestamp};
use pgrx::{Spi, Uuid};
use trips_core::model::partition_bounds::{Bound, PartitionBounds};
use trips_core::sort::claims::Claim;

use super::bounds::partition_bounds;
use super::claims::{StoredBlock, stored_block, write_rest};
use super::pending_counts;
use super::rewrite::{Rewritten, rewrite_partitions};
use crate::error::LoadError;
use crate::pg::interrupts;
use crate::pg::own_settings::OwnSettings;
use crate::pg::relation::name_of;
use crate::pg::table_locks::{self, Mode};

/// What another load gets from a retracted one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Gain {
    /// Trips that it has inserted now.
    pub inserted: i64,
    /// Trips that it has corrected now.
    pub corrected: i64,
    /// The first and the last day of the trips, if they may be other days than those of the retracted load.
    pub days: Option<(i32, i32)>,
}

impl Gain {
    /// Adds another one.
    pub fn add(&mut self, other: Self) {
        self.inserted += other.inserted;
        self.corrected += other.corrected;
        self.days = match (self.days, other.days) {
            (Some(a), Some(b)) => Some((a.0.min(b.0), a.1.max(b.1))),
            (a, b) => a.or(b),
        };
    }
}

/// What the other loads get, by their numbers.
pub type Gains = BTreeMap<i64, Gain>;

/// How the trips of a load pass to others.
#[derive(Debug, Clone, Copy)]
pub struct Passing {
    /// The load that is retracted.
    from: i64,
    /// Whether the load has corrected trips, or other loads have records with other values.
    has_versions: bool,
}

/// Claims of a load, and when it has made them.
#[derive(Debug, Clone, Copy)]
struct Claimant {
    load_id: i64,
    number: i64,
    /// It has committed after the other one: it may claim what that one has corrected.
    is_later: bool,
    /// It would have corrected a trip with other values.
    corrects: bool,
}

/// What becomes of a claim.
struct Used {
    /// Its position.
    at: usize,
    /// The loads that get something.
    gains: [Option<(i64, Gain)>; 2],
}

impl Passing {
    /// That of a load whose own claims and versions are deleted.
    pub fn of(from: i64) -> Result<Self, LoadError> {
        let query = "SELECT EXISTS (SELECT FROM trips_internal.kept_versions)
                         OR EXISTS (SELECT FROM trips.corrections AS c WHERE c.load_id = $1)";
        let has_versions = Spi::get_one_with_args::<bool>(query, &[from.into()])? == Some(true);
        Ok(Self { from, has_versions })
    }

    /// Writes partitions again in which most trips pass. Their trips pass, or are deleted.
    pub fn rewrite(self) -> Result<Rewritten, LoadError> {
        if self.has_versions { Ok(Rewritten::default()) } else { rewrite_partitions(self.from) }
    }

    /// Passes trips to the loads that claim them: each to the one that has claimed it first, unless it passes to one with
    /// other values. A claim that is used is deleted. Blocks are compared only if they have one of the days of the load,
    /// unless all of them are wanted. Partitions that were written again have no trips of the load.
    pub fn take_over(self, all: bool, done: &Rewritten) -> Result<Gains, LoadError> {
        let partitions: Vec<(String, PartitionBounds)> = {
            let of = |(oid, bounds, _)| (oid, bounds);
            let mut all: Vec<_> = partition_bounds().into_iter().map(of).collect();
            all.retain(|(oid, _)| !done.partitions.contains(oid));
            all.into_iter().map(|(oid, bounds)| (name_of(oid), bounds)).collect()
        };
        let (mut gains, mut after) = (Gains::new(), i64::MIN);
        while let Some((mut block, claimant)) = self.next_block(after, all)? {
            interrupts::check();
            after = block.number;
            let mut used = vec![false; block.claims.len()];
            for (name, bounds) in &partitions {
                let before = |bound| match bound {
                    Bound::MinValue => 0,
                    Bound::At(time) => block.claims.partition_point(|claim| claim.0 < time),
                    Bound::MaxValue => block.claims.len(),
                };
                let (first, end) = (before(bounds.lower), before(bounds.upper));
                if first >= end {
                    continue;
                }
                for Used { at, gains: of_claim } in
                    self.take_some(name, &block.claims[first..end], claimant)?
                {
                    used[first + at] = true;
                    for (load_id, gain) in of_claim.into_iter().flatten() {
                        gains.entry(load_id).or_default().add(gain);
                    }
                }
            }
            if used.contains(&true) {
                let mut is_used = used.iter();
                block.claims.retain(|_| is_used.next() == Some(&false));
                write_rest(&block)?;
            }
        }
        Ok(gains)
    }

    /// The next block of another load.
    fn next_block(
        self,
        after: i64,
        all: bool,
    ) -> Result<Option<(StoredBlock, Claimant)>, LoadError> {
        Spi::connect_mut(|client| {
            let query = "SELECT c.claim_no, c.load_id, c.first_time, c.trips, c.keys,
                                (SELECT l.commit_no FROM trips.loads AS l WHERE l.load_id = c.load_id)
                                > (SELECT l.commit_no FROM trips.loads AS l WHERE l.load_id = $2),
                                c.corrects
                           FROM trips_internal.claims AS c
                          WHERE c.claim_no > $1 AND c.load_id <> $2
                            AND ($3 OR daterange(c.first_time::date, c.last_time::date, '[]')
                                       && (SELECT l.days FROM trips.loads AS l WHERE l.load_id = $2))
                          ORDER BY c.claim_no LIMIT 1";
            let arguments = [after.into(), self.from.into(), all.into()];
            let mut found = client.update(query, Some(1), &arguments)?;
            let Some(row) = found.next() else { return Ok(None) };
            let (is_later, corrects) = (row.get(6)? == Some(true), row.get(7)? == Some(true));
            let block = stored_block(&row)?;
            let StoredBlock { number, load_id, .. } = block;
            Ok(Some((block, Claimant { load_id, number, is_later, corrects })))
        })
    }

    /// Passes those of these trips that the load has. Returns the claims that are used.
    fn take_some(
        self,
        table: &str,
        claims: &[Claim],
        claimant: Claimant,
    ) -> Result<Vec<Used>, LoadError> {
        let Some(oid) = Spi::get_one_with_args::<pgrx::pg_sys::Oid>(
            "SELECT to_regclass($1)::oid",
            &[table.into()],
        )?
        else {
            return Ok(Vec::new());
        };
        table_locks::lock_with_indexes(oid, Mode::RowExclusive)?;
        let times: Vec<Option<PgTimestamp>> =
            claims.iter().map(|(time, _)| PgTimestamp::try_from(time.0).ok()).collect();
        let keys: Vec<Uuid> = claims.iter().map(|(_, key)| Uuid::from_bytes(*key)).collect();
        let Claimant { load_id, number, is_later, corrects } = claimant;
        let query = if self.has_versions { among_versions(table) } else { plain(table) };
        let _settings = OwnSettings::for_lookups();
        pending_counts::while_filling(oid, || {
            Spi::connect_mut(|client| {
                // Arguments are made inside the connection, because its memory is freed with it.
                let mut args: Vec<DatumWithOid<'_>> =
                    vec![times.into(), keys.into(), load_id.into(), self.from.into()];
                if self.has_versions {
                    args.extend([number.into(), is_later.into(), corrects.into()]);
                }
                let rows = client.update(&query, None, &args)?;
                rows.map(|row| {
                    let at = row.get::<i64>(1)?.and_then(|number| usize::try_from(number - 1).ok());
                    let gain = |inserted, corrected, days| Gain { inserted, corrected, days };
                    let gains = match row.get::<&str>(2)? {
                        Some("take") => [Some((load_id, gain(1, 0, None))), None],
                        Some("correct") => {
                            let (of, day) = (row.get(3)?.unwrap_or(0), row.get::<i32>(4)?);
                            let days = day.map(|day| (day, day));
                            [Some((of, gain(1, 0, days))), Some((load_id, gain(0, 1, None)))]
                        }
                        _ => [None, None],
                    };
                    Ok(Used { at: at.unwrap_or(usize::MAX), gains })
                })
                .filter(|used| !matches!(used, Ok(Used { at: usize::MAX, .. })))
                .collect()
            })
        })
    }
}

/// Each of the trips passes.
fn plain(table: &str) -> String {
    // Each trip by the primary key. OFFSET 0 keeps the planner from reading the whole partition for each block.
    format!(
        "WITH found AS MATERIALIZED (
           SELECT c.number, h.tid
             FROM unnest($1::timestamp[], $2::uuid[]) WITH ORDINALITY AS c (date_time, trip_key, number)
            CROSS JOIN LATERAL (
                  SELECT t.ctid AS tid FROM ONLY {table} AS t
                   WHERE t.date_time = c.date_time AND t.trip_key = c.trip_key AND t.load_id = $4
                  OFFSET 0) AS h)
         UPDATE ONLY {table} AS h SET load_id = $3 FROM found AS f WHERE h.ctid = f.tid
         RETURNING f.number, 'take', NULL::bigint, NULL::int"
    )
}

/// The values of a trip, of the table with this alias.
fn values(alias: &str) -> String {
    super::undo::VALUES
        .split(", ")
        .map(|column| format!("{alias}.{column}"))
        .collect::<Vec<_>>()
        .join(", ")
}

/// What becomes of each claim of a load, if there are trips with other values:
///
/// - `take`: the trip passes to the load. If the retracted load had corrected it, so has this one.
/// - `keep`: another load has the trip before. The claim becomes a kept version.
/// - `correct`: the same, but the load corrects the values of the other one.
/// - `none`: the trip gets another load or other values, but these. The claim stays.
fn among_versions(table: &str) -> String {
    let columns = super::undo::VALUES;
    let (of_trip, of_old, of_version, of_found) =
        (values("t"), values("c"), values("v"), values("f"));
    // The sums keep the planner from reading all rows of a load for each trip.
    format!(
        "WITH found AS MATERIALIZED (
           SELECT c.number, t.*, v.version_no, v.load_id AS before_load, coalesce(k.date_time, v.date_time) AS before_time,
                  k.correction_id,
                  CASE WHEN k.correction_id IS NOT NULL
                       THEN CASE WHEN NOT $6 OR k.is_same THEN 'none' WHEN $7 THEN 'take' ELSE 'keep' END
                       WHEN v.version_no IS NULL THEN 'take'
                       WHEN v.is_same THEN 'none' WHEN $7 THEN 'correct' ELSE 'keep' END AS fate
             FROM unnest($1::timestamp[], $2::uuid[]) WITH ORDINALITY AS c (date_time, trip_key, number)
            CROSS JOIN LATERAL (
                  SELECT t.ctid AS tid, {of_trip} FROM ONLY {table} AS t
                   WHERE t.date_time = c.date_time AND t.trip_key = c.trip_key AND t.load_id = $4
                  OFFSET 0) AS t
             LEFT JOIN LATERAL (
                  SELECT c.correction_id, c.date_time, record_image_eq(ROW({of_old}), ROW({of_trip})) AS is_same
                    FROM trips.corrections AS c
                   WHERE c.trip_key = t.trip_key AND c.new_date_time = t.date_time AND c.load_id + 0 = $4
                   ORDER BY c.correction_id DESC LIMIT 1) AS k ON true
             LEFT JOIN LATERAL (
                  SELECT v.version_no, v.load_id, v.date_time, record_image_eq(ROW({of_version}), ROW({of_trip})) AS is_same
                    FROM trips_internal.kept_versions AS v
                   WHERE v.trip_key = t.trip_key AND v.kept_date_time = t.date_time AND v.claim_no + 0 < $5
                     AND v.load_id <> $4
                   ORDER BY v.claim_no, v.version_no LIMIT 1) AS v ON k.correction_id IS NULL
         ), kept AS (
           INSERT INTO trips_internal.kept_versions (load_id, claim_no, kept_date_time, {columns})
           SELECT $3, $5, CASE WHEN f.correction_id IS NULL THEN f.date_time ELSE f.before_time END, {of_found}
             FROM found AS f WHERE f.fate = 'keep'
         ), corrected AS (
           INSERT INTO trips.corrections (load_id, corrected_load_id, new_date_time, {columns})
           SELECT $3, v.load_id, f.date_time, {of_version}
             FROM found AS f JOIN trips_internal.kept_versions AS v ON v.version_no = f.version_no
            WHERE f.fate = 'correct'
         ), used AS (
           DELETE FROM trips_internal.kept_versions AS v USING found AS f
            WHERE v.version_no = f.version_no AND f.fate = 'correct'
         ), before AS (
           -- Records that were found between are no longer compared with this trip.
           UPDATE trips_internal.kept_versions AS v SET kept_date_time = f.before_time
             FROM found AS f
            WHERE v.trip_key = f.trip_key AND v.kept_date_time = f.date_time AND v.claim_no + 0 < $5 AND v.load_id <> $4
              AND f.before_time <> f.date_time
              AND CASE f.fate WHEN 'correct' THEN v.version_no <> f.version_no
                              WHEN 'take' THEN f.correction_id IS NOT NULL AND {is_later} END
         ), taken AS (
           UPDATE ONLY {table} AS h SET load_id = $3 FROM found AS f
            WHERE h.ctid = f.tid AND f.fate IN ('take', 'correct')
           RETURNING f.number, f.fate, f.before_load, f.before_time)
         SELECT t.number, t.fate, t.before_load, t.before_time::date - date '2000-01-01' FROM taken AS t
          UNION ALL
         SELECT f.number, f.fate, NULL, NULL FROM found AS f WHERE f.fate = 'keep'",
        is_later = super::undo::is_later("v", "$4")
    )
}
