//! Where members lie in an archive: each byte belongs to one thing.

use std::io;
use std::sync::Arc;

use super::directory::{ENCRYPTED, Entry, HAS_DESCRIPTOR, Sizes};
use super::end::End;
use super::fields::{Fields, ZIP, bytes_of, named, record};
use crate::error::{ContainerError, Kind, bytes, hex};
use crate::input::Input;
use crate::ranges::{RangeReader, Ranges, read_at_most};
use crate::stream::damaged;

const LOCAL: [u8; 4] = *b"PK\x03\x04";
const DESCRIPTOR: [u8; 4] = *b"PK\x07\x08";

/// The offset of each entry's data, in the order of the entries.
///
/// Local headers must agree with the directory. Members must not overlap. No bytes may lie between them.
pub(super) fn data_offsets(
    ranges: &Arc<dyn Ranges>,
    end: &End,
    entries: &[Entry],
) -> io::Result<Vec<u64>> {
    entries.iter().try_for_each(|entry| check_position(entry, end))?;
    let mut order: Vec<usize> = (0..entries.len()).collect();
    order.sort_by_key(|&index| entries[index].header);
    let mut offsets = vec![0; entries.len()];
    let starts = order.iter().map(|&index| entries[index].header).chain([end.directory]);
    let first = order.first().map_or(end.directory, |&index| entries[index].header);
    if first > 0 {
        return Err(unclaimed(0, first).into());
    }
    for (&index, next) in order.iter().zip(starts.skip(1)) {
        let entry = &entries[index];
        offsets[index] = member(ranges, entry, next, end)
            .map_err(|error| named(error, |e| e.in_member(&entry.name)))?;
    }
    Ok(offsets)
}

/// Fails unless the member is before the directory.
fn check_position(entry: &Entry, end: &End) -> Result<(), ContainerError> {
    if entry.header < end.directory {
        return Ok(());
    }
    let error = damaged(ZIP, "member is not before the directory").at(entry.offset);
    let found = format!("a member at byte {}", entry.header);
    Err(error.found(found, format!("one before byte {}", end.directory)).in_member(&entry.name))
}

/// Bytes that belong to nothing.
fn unclaimed(offset: u64, size: u64) -> ContainerError {
    ContainerError::new(Kind::Padded, "unexpected bytes between the members of the zip archive")
        .at(offset)
        .found(bytes(size), "a member or the directory")
}

/// The offset of a member's data. The next member, or the directory, begins at `next`.
fn member(ranges: &Arc<dyn Ranges>, entry: &Entry, next: u64, end: &End) -> io::Result<u64> {
    let source = RangeReader::new(Arc::clone(ranges), entry.header, end.directory);
    let mut input = Input::small(Box::new(source), entry.header).of("the members");
    let header = record::<30>(&mut input, "the header of a member")?;
    let local = Local::read(&mut input, &header, entry)?;
    let start = input.offset();
    let Some(rest) = start.checked_add(entry.stored).and_then(|end| next.checked_sub(end)) else {
        let error = damaged(ZIP, "members overlap").at(next);
        let size = bytes(entry.stored);
        return Err(error
            .found("the next member or the directory", format!("it after {size} of data"))
            .into());
    };
    let describes = local.flags & HAS_DESCRIPTOR != 0;
    if rest == 0 && local.is_complete(entry) {
        return Ok(start);
    }
    if !describes {
        if !local.is_complete(entry) {
            let error = damaged(ZIP, "header and directory do not agree").at(entry.header);
            return Err(error.found(local.numbers(), numbers(entry)).into());
        }
        return Err(unclaimed(next - rest, rest).into());
    }
    if !local.is_complete(entry) && !local.is_open() {
        let error = damaged(ZIP, "header and directory do not agree").at(entry.header);
        return Err(error.found(local.numbers(), numbers(entry)).into());
    }
    descriptor(ranges, entry, next - rest, rest)?;
    Ok(start)
}

/// Checks the record behind the data, `size` bytes of it.
fn descriptor(ranges: &Arc<dyn Ranges>, entry: &Entry, offset: u64, size: u64) -> io::Result<()> {
    if !matches!(size, 12 | 16 | 20 | 24) {
        let error = damaged(ZIP, "member's data does not end where its size says").at(offset);
        return Err(error.found(bytes(size), "a data descriptor of 12, 16, 20 or 24").into());
    }
    let mut buffer = [0; 24];
    let record = &mut buffer[..usize::try_from(size).unwrap_or(24)];
    read_at_most(&**ranges, offset, record)?;
    // The signature is optional. Sizes have 4 or 8 bytes.
    let body =
        if matches!(size, 16 | 24) { record.strip_prefix(&DESCRIPTOR) } else { Some(&*record) };
    let agrees = body.is_some_and(|body| {
        let mut fields = Fields(body);
        let crc = fields.u32();
        let sizes = if body.len() > 12 {
            [fields.u64(), fields.u64()]
        } else {
            [fields.u32(), fields.u32()].map(u64::from)
        };
        crc == entry.crc && sizes == [entry.stored, entry.unpacked]
    });
    if agrees {
        return Ok(());
    }
    let error = damaged(ZIP, "data descriptor and directory do not agree").at(offset);
    Err(error.found(hex(record), numbers(entry)).into())
}

/// The numbers of a local header.
struct Local {
    flags: u16,
    crc: u32,
    stored: u64,
    unpacked: u64,
}

impl Local {
    fn read(input: &mut Input, header: &[u8; 30], entry: &Entry) -> io::Result<Self> {
        let Some(rest) = header.strip_prefix(&LOCAL) else {
            let error = damaged(ZIP, "member has no header").at(entry.header);
            return Err(error.found(hex(&header[..4]), "0x504b0304").into());
        };
        let mut fields = Fields(rest);
        let [_needed, flags, method, _time, _date] = [(); 5].map(|()| fields.u16());
        let (crc, stored, unpacked) = (fields.u32(), fields.u32(), fields.u32());
        let (name_size, extra_size) = (fields.u16(), fields.u16());
        let name = bytes_of(input, name_size, "the name in a member's header")?;
        let extra = bytes_of(input, extra_size, "the extra fields of a member's header")?;
        let error = damaged(ZIP, "header and directory do not agree").at(entry.header);
        if name != entry.raw_name {
            let name = String::from_utf8_lossy(&name).escape_debug().to_string();
            return Err(error
                .found(format!("the name \"{name}\""), format!("\"{}\"", entry.name.escape_debug()))
                .into());
        }
        if method != entry.method || (flags ^ entry.flags) & ENCRYPTED != 0 {
            let found = format!("method {method}, flags 0x{flags:04x}");
            return Err(error
                .found(found, format!("method {}, flags 0x{:04x}", entry.method, entry.flags))
                .into());
        }
        let mut sizes = Sizes::of(&extra);
        let (unpacked, stored) = (sizes.or(unpacked), sizes.or(stored));
        Ok(Self { flags, crc, stored, unpacked })
    }

    /// Whether the header has the numbers of the directory.
    fn is_complete(&self, entry: &Entry) -> bool {
        (self.crc, self.stored, self.unpacked) == (entry.crc, entry.stored, entry.unpacked)
    }

    /// Whether the header leaves the numbers to the record behind the data.
    fn is_open(&self) -> bool {
        let is_open = |size: u64| size == 0 || size == u64::from(u32::MAX);
        self.crc == 0 && is_open(self.stored) && is_open(self.unpacked)
    }

    fn numbers(&self) -> String {
        format!("CRC 0x{:08x} and {} of {}", self.crc, self.stored, bytes(self.unpacked))
    }
}

fn numbers(entry: &Entry) -> String {
    format!("CRC 0x{:08x} and {} of {}", entry.crc, entry.stored, bytes(entry.unpacked))
}
