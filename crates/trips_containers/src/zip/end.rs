//! The end of an archive, which says where its directory is.

use std::io;

use super::fields::{Fields, ZIP};
use crate::error::{ContainerError, Kind, bytes, hex};
use crate::packing::SPLIT;
use crate::ranges::{Ranges, read_at_most};
use crate::stream::damaged;

const END: [u8; 4] = *b"PK\x05\x06";
const END_SIZE: u64 = 22;
const LOCATOR: [u8; 4] = *b"PK\x06\x07";
const LOCATOR_SIZE: usize = 20;
const END64: [u8; 4] = *b"PK\x06\x06";
const END64_SIZE: usize = 56;

/// Where the directory is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct End {
    /// Offset of the directory.
    pub(super) directory: u64,
    /// Offset behind the directory.
    pub(super) directory_end: u64,
    /// Number of entries.
    pub(super) entries: u64,
}

/// Finds the record at the end of the archive. A comment may follow it, up to 65,535 bytes, and nothing else.
pub(super) fn find(ranges: &dyn Ranges) -> io::Result<End> {
    let size = ranges.size();
    let start = size.saturating_sub(END_SIZE + u64::from(u16::MAX));
    let mut tail = vec![0; usize::try_from(size - start).unwrap_or(0)];
    let count = read_at_most(ranges, start, &mut tail)?;
    tail.truncate(count);
    let mut first_error = None;
    let mut expected = "the directory of the archive";
    for position in
        (0..tail.len().saturating_sub(3)).rev().filter(|&at| tail[at..].starts_with(&END))
    {
        let offset = start + position as u64;
        match tail[position..].first_chunk::<22>() {
            None => expected = "the rest of the last record",
            Some(record) => match read_end(ranges, offset, record)? {
                Ok(end) => return Ok(end),
                Err(error) => drop(first_error.get_or_insert(error)),
            },
        }
    }
    Err(first_error.unwrap_or_else(|| cut_off(size, expected)).into())
}

fn cut_off(size: u64, expected: &str) -> ContainerError {
    ContainerError::new(Kind::Cut, "zip archive is cut off")
        .at(size)
        .found("the end of the file", expected)
}

/// What the record at an offset says. The error inside says why it is not the archive's end.
fn read_end(
    ranges: &dyn Ranges,
    offset: u64,
    record: &[u8; 22],
) -> io::Result<Result<End, ContainerError>> {
    let mut fields = Fields(&record[4..]);
    let disks = [fields.u16(), fields.u16()].map(u32::from);
    let (on_disk, entries) = (u64::from(fields.u16()), u64::from(fields.u16()));
    let (directory_size, directory) = (u64::from(fields.u32()), u64::from(fields.u32()));
    let comment = u64::from(fields.u16());
    let mut found = Found { disks, on_disk, entries, directory_size, directory, end: offset };
    let is_full = entries == u64::from(u16::MAX)
        || directory_size == u64::from(u32::MAX)
        || directory == u64::from(u32::MAX);
    // The bytes before the record may be a comment in the directory that looks like a locator.
    if (is_full || directory.saturating_add(directory_size) != offset)
        && let Some(large) = read_end64(ranges, offset)?
    {
        match large {
            Ok(large) if large.agrees(&found) => found = large,
            Ok(_) => {
                let error = damaged(ZIP, "ends do not agree").at(offset);
                return Ok(Err(error.found("other numbers", "those of the zip64 record")));
            }
            Err(error) => return Ok(Err(error)),
        }
    }
    Ok(found.check().and_then(|end| {
        let file_end = offset + END_SIZE + comment;
        match ranges.size() {
            size if size == file_end => Ok(end),
            size if size < file_end => Err(cut_off(size, "the rest of the comment")),
            size => {
                Err(ContainerError::new(Kind::Padded, "unexpected bytes after the zip archive")
                    .at(file_end)
                    .found(bytes(size - file_end), "the end of the file"))
            }
        }
    }))
}

/// The numbers of a record.
struct Found {
    disks: [u32; 2],
    on_disk: u64,
    entries: u64,
    directory_size: u64,
    directory: u64,
    /// Where the records begin that end the archive.
    end: u64,
}

impl Found {
    /// Whether the smaller record has the same numbers, where it has room for them.
    fn agrees(&self, small: &Found) -> bool {
        let fits = |large: u64, small: u64, full: u64| small == full || small == large;
        fits(self.entries, small.entries, u16::MAX.into())
            && fits(self.on_disk, small.on_disk, u16::MAX.into())
            && fits(self.directory_size, small.directory_size, u32::MAX.into())
            && fits(self.directory, small.directory, u32::MAX.into())
    }

    fn check(&self) -> Result<End, ContainerError> {
        if self.disks != [0, 0] || self.on_disk != self.entries {
            return Err(ContainerError::unsupported(SPLIT).at(self.end));
        }
        let directory_end = self.directory.saturating_add(self.directory_size);
        if directory_end < self.end {
            let before = self.end - directory_end;
            let message = "unexpected bytes before the zip archive or its directory";
            return Err(ContainerError::new(Kind::Padded, message)
                .at(directory_end)
                .found(bytes(before), format!("the end of the directory at byte {}", self.end)));
        }
        if directory_end > self.end {
            let error = damaged(ZIP, "directory is not where the archive says").at(self.end);
            return Err(
                error.found("the end of the directory", format!("it at byte {directory_end}"))
            );
        }
        Ok(End { directory: self.directory, directory_end, entries: self.entries })
    }
}

/// The record of zip64 before the record at an offset, if there is a locator.
fn read_end64(
    ranges: &dyn Ranges,
    offset: u64,
) -> io::Result<Option<Result<Found, ContainerError>>> {
    let Some(position) = offset.checked_sub(LOCATOR_SIZE as u64) else { return Ok(None) };
    let mut locator = [0; LOCATOR_SIZE];
    read_at_most(ranges, position, &mut locator)?;
    let Some(rest) = locator.strip_prefix(&LOCATOR) else { return Ok(None) };
    let mut fields = Fields(rest);
    let (disk, start, disks) = (fields.u32(), fields.u64(), fields.u32());
    if disk != 0 || disks > 1 {
        return Ok(Some(Err(ContainerError::unsupported(SPLIT).at(position))));
    }
    let mut record = [0; END64_SIZE];
    read_at_most(ranges, start, &mut record)?;
    let mut fields = Fields(&record[4..]);
    let size = fields.u64();
    if !record.starts_with(&END64) || start.saturating_add(size).checked_add(12) != Some(position) {
        let error = damaged(ZIP, "zip64 record is not where the archive says").at(position);
        return Ok(Some(Err(error.found(
            hex(&record[..4]),
            format!("a record from byte {start} up to byte {position}"),
        ))));
    }
    let _versions = fields.u32();
    let disks = [fields.u32(), fields.u32()];
    let (on_disk, entries, directory_size, directory) =
        (fields.u64(), fields.u64(), fields.u64(), fields.u64());
    Ok(Some(Ok(Found { disks, on_disk, entries, directory_size, directory, end: start })))
}
