//! The tables `uploads` and `upload_parts`.

use pgrx::datum::{DatumWithOid, TimestampWithTimeZone};
use pgrx::{Spi, pg_sys};
use trips_core::key::SameId;
use trips_core::upload::part_reader::{PartCounts, PartHeader, PartSource};

use crate::error::LoadError;
use crate::ledger::{LoadHeader, LoadSource};
use crate::pg::interrupts;
use crate::pg::spi::{self, Snapshot};

/// An upload that is not completed.
#[derive(Debug)]
pub struct OpenUpload {
    /// The load of the upload.
    pub header: LoadHeader,
    /// The file.
    pub source: LoadSource,
    /// How its reader splits and checks it.
    pub reader_options: String,
    /// What happens to known ids with other values; None for the policy of the feed.
    pub on_change: Option<SameId>,
}

const COLUMNS: &str =
    "load_id, source, digest, bytes, reader_options, requested_by, requested_at, role, on_change";

/// Inserts an upload; `false` when its role already uploads a file with these bytes.
pub fn create(new: &OpenUpload) -> Result<bool, LoadError> {
    let OpenUpload { header, source, reader_options, on_change } = new;
    let args: [DatumWithOid<'_>; 9] = [
        header.load_id.into(),
        source.name.as_str().into(),
        source.digest.map(Vec::from).into(),
        i64::try_from(source.bytes).unwrap_or(i64::MAX).into(),
        reader_options.as_str().into(),
        header.requested_by.as_str().into(),
        header.started_at.into(),
        header.role.into(),
        on_change.map(SameId::word).into(),
    ];
    let query = format!(
        "INSERT INTO trips.uploads ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
             ON CONFLICT (digest, role) DO NOTHING"
    );
    Spi::connect_mut(|client| Ok(client.update(query.as_str(), None, &args)?.len() == 1))
}

/// The upload of these bytes by a role. Other roles may upload them, too, so no client waits for one that has
/// stopped.
pub fn of_bytes(digest: &[u8; 32], role: pg_sys::Oid) -> Result<Option<OpenUpload>, LoadError> {
    find("digest = $1 AND role = $2", &[digest.to_vec().into(), role.into()])
}

/// The upload of this number.
pub fn of_load(load_id: i64) -> Result<Option<OpenUpload>, LoadError> {
    find("load_id = $1", &[load_id.into()])
}

/// Locks the upload of this number: no session adds a part to it until the transaction ends.
///
/// # Errors
/// 55P03, PostgreSQL's own, when another session adds a part, completes or aborts it.
pub fn lock(load_id: i64) -> Result<Option<OpenUpload>, LoadError> {
    find("load_id = $1 FOR UPDATE NOWAIT", &[load_id.into()])
}

fn find(condition: &str, values: &[DatumWithOid<'_>]) -> Result<Option<OpenUpload>, LoadError> {
    let query = format!("SELECT {COLUMNS} FROM trips.uploads WHERE {condition}");
    Spi::connect_mut(|client| {
        let found = client.update(query.as_str(), Some(1), values)?;
        if found.is_empty() {
            return Ok(None);
        }
        let row = found.first();
        let missing = || LoadError::from(pgrx::spi::SpiError::InvalidPosition);
        let header = LoadHeader {
            load_id: row.get(1)?.ok_or_else(missing)?,
            requested_by: row.get(6)?.ok_or_else(missing)?,
            started_at: row.get::<TimestampWithTimeZone>(7)?.ok_or_else(missing)?,
            role: row.get(8)?.ok_or_else(missing)?,
        };
        let source = LoadSource {
            feed: None,
            name: row.get(2)?.ok_or_else(missing)?,
            digest: row.get::<Vec<u8>>(3)?.and_then(|digest| digest.try_into().ok()),
            bytes: row.get::<i64>(4)?.and_then(|n| n.try_into().ok()).ok_or_else(missing)?,
            changed_at: None,
            version: None,
            options: None,
            days: Vec::new(),
        };
        let reader_options = row.get(5)?.ok_or_else(missing)?;
        let on_change = row.get::<String>(9)?.and_then(|word| SameId::of_word(&word));
        Ok(Some(OpenUpload { header, source, reader_options, on_change }))
    })
}

/// Inserts a part that has been checked; `false` when the upload has it already. Waits only for a session that inserts
/// the same part.
pub fn add(part: PartHeader, found: PartCounts, content: &[u8]) -> Result<bool, LoadError> {
    let number = |count: u64| i64::try_from(count).map_err(|_| LoadError::OutOfMemory);
    let of_content = Some(number(part.content)?).filter(|units| *units > 0);
    Spi::connect_mut(|client| {
        let args: [DatumWithOid<'_>; 7] = [
            part.load_id.into(),
            number(part.first_byte)?.into(),
            number(part.bytes)?.into(),
            number(part.rows)?.into(),
            number(found.rejected)?.into(),
            of_content.into(),
            content.into(),
        ];
        let added = client.update(
            "INSERT INTO trips.upload_parts
                    (load_id, first_byte, bytes, rows_read, rows_rejected, of_content, content)
             VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (load_id, first_byte) DO NOTHING",
            None,
            &args,
        )?;
        Ok(added.len() == 1)
    })
}

/// The first byte of a file of `bytes` bytes that is not in exactly one part of its upload. If the parts are of its
/// content, the first unit of that.
pub fn first_gap(load_id: i64, bytes: u64) -> Result<Option<i64>, LoadError> {
    let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
    let gap = Spi::connect(|client| {
        client
            .select(
                "SELECT min(p.behind)
                   FROM (SELECT lag(first_byte + bytes, 1, 0::bigint) OVER by_offset AS behind, first_byte
                           FROM (SELECT first_byte, bytes FROM trips.upload_parts WHERE load_id = $1
                                 UNION ALL
                                 SELECT coalesce(max(of_content), $2), 0 FROM trips.upload_parts
                                  WHERE load_id = $1) AS parts
                         WINDOW by_offset AS (ORDER BY first_byte, bytes DESC)) AS p
                  WHERE p.behind <> p.first_byte",
                Some(1),
                &[load_id.into(), bytes.into()],
            )?
            .first()
            .get_one::<i64>()
    })?;
    Ok(gap)
}

/// The number of rejected lines of an upload.
pub fn rejected(load_id: i64) -> Result<u64, LoadError> {
    let query =
        "SELECT coalesce(sum(rows_rejected), 0)::bigint FROM trips.upload_parts WHERE load_id = $1";
    let count = Spi::get_one_with_args::<i64>(query, &[load_id.into()])?;
    Ok(count.and_then(|count| count.try_into().ok()).unwrap_or(0))
}

/// A stored part, which is read in slices.
#[derive(Debug)]
pub struct StoredPart {
    load_id: i64,
    /// Its offset in the file, bytes.
    pub offset: i64,
    bytes: usize,
    slice: Vec<u8>,
}

impl StoredPart {
    /// The next part of an upload after this offset.
    pub fn after(load_id: i64, offset: i64) -> Result<Option<Self>, LoadError> {
        Spi::connect(|client| {
            let query = "SELECT first_byte, octet_length(content) FROM trips.upload_parts
                          WHERE load_id = $1 AND first_byte > $2 ORDER BY first_byte LIMIT 1";
            let found = client.select(query, Some(1), &[load_id.into(), offset.into()])?;
            if found.is_empty() {
                return Ok(None);
            }
            let (offset, bytes) = found.first().get_two::<i64, i32>()?;
            let offset = offset.unwrap_or_default();
            let bytes = bytes.and_then(|bytes| bytes.try_into().ok()).unwrap_or_default();
            Ok(Some(Self { load_id, offset, bytes, slice: Vec::new() }))
        })
    }
}

impl PartSource for StoredPart {
    type Error = LoadError;

    fn size(&self) -> usize {
        self.bytes
    }

    /// The value is stored uncompressed: `substr` reads only the pages of the slice.
    fn read(&mut self, at: usize, length: usize) -> Result<&[u8], LoadError> {
        interrupts::check();
        let Self { load_id, offset, slice, .. } = self;
        let number = |count: usize| i32::try_from(count).map_err(|_| LoadError::OutOfMemory);
        let (at, length) = (number(at + 1)?, number(length)?);
        let query = c"SELECT substr(content, $3, $4) FROM trips.upload_parts
                       WHERE load_id = $1 AND first_byte = $2";
        let arguments = [(*load_id).into(), (*offset).into(), at.into(), length.into()];
        slice.clear();
        let mut copied = Ok(false);
        spi::query(query, &arguments, Snapshot::Statement, |row| copied = row.copy_bytes(1, slice));
        copied?;
        Ok(slice)
    }
}

/// Deletes a locked upload and its parts.
pub fn delete(load_id: i64) -> Result<(), LoadError> {
    for table in ["upload_parts", "uploads"] {
        let query = format!("DELETE FROM trips.{table} WHERE load_id = $1");
        Spi::run_with_args(&query, &[load_id.into()])?;
    }
    Ok(())
}
