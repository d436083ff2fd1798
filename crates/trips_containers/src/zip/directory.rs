//! The directory of an archive.

use std::io;
use std::sync::Arc;

use super::end::End;
use super::fields::{Fields, ZIP, bytes_of, extra_field, record};
use super::name;
use crate::error::{ContainerError, Kind, hex};
use crate::input::Input;
use crate::packing::SPLIT;
use crate::ranges::{RangeReader, Ranges};
use crate::stream::damaged;

const ENTRY: [u8; 4] = *b"PK\x01\x02";

/// What the directory says of a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) raw_name: Vec<u8>,
    pub(super) flags: u16,
    pub(super) method: u16,
    pub(super) crc: u32,
    pub(super) stored: u64,
    pub(super) unpacked: u64,
    /// Offset of the local header.
    pub(super) header: u64,
    pub(super) is_link: bool,
    /// Offset of this entry.
    pub(super) offset: u64,
}

/// Bits of [`Entry::flags`].
pub(super) const ENCRYPTED: u16 = 1;
pub(super) const HAS_DESCRIPTOR: u16 = 1 << 3;
const STRONGLY_ENCRYPTED: u16 = 1 << 6;
const UTF_8: u16 = 1 << 11;
const HEADERS_ENCRYPTED: u16 = 1 << 13;

/// The method that AES encryption states.
const AES: u16 = 99;

impl Entry {
    /// Whether its data, or its header, is encrypted.
    pub(super) fn is_encrypted(&self) -> bool {
        self.flags & (ENCRYPTED | STRONGLY_ENCRYPTED | HEADERS_ENCRYPTED) != 0 || self.method == AES
    }
}

/// Reads all entries. Their number is that of [`End`], which the caller has checked.
pub(super) fn read(ranges: &Arc<dyn Ranges>, end: &End) -> io::Result<Vec<Entry>> {
    let source = RangeReader::new(Arc::clone(ranges), end.directory, end.directory_end);
    let mut input = Input::new(Box::new(source), end.directory).of("the directory");
    let mut entries = Vec::new();
    while (entries.len() as u64) < end.entries {
        entries.push(entry(&mut input)?);
    }
    if input.fill()?.is_empty() {
        return Ok(entries);
    }
    let offset = input.offset();
    let error = damaged(ZIP, "directory has more entries than the archive says").at(offset);
    Err(error
        .found(
            hex(input.peek(4)?),
            format!("the end of the directory after {} entries", end.entries),
        )
        .into())
}

fn entry(input: &mut Input) -> io::Result<Entry> {
    let offset = input.offset();
    let header = record::<46>(input, "an entry of the directory")?;
    let Some(rest) = header.strip_prefix(&ENTRY) else {
        let error = damaged(ZIP, "directory is invalid").at(offset);
        return Err(error.found(hex(&header[..4]), "an entry, 0x504b0102").into());
    };
    let mut fields = Fields(rest);
    let made_by = fields.u16();
    let [_needed, flags, method, _time, _date] = [(); 5].map(|()| fields.u16());
    let (crc, stored, unpacked) = (fields.u32(), fields.u32(), fields.u32());
    let [name_size, extra_size, comment_size, disk, _kind] = [(); 5].map(|()| fields.u16());
    let (attributes, header) = (fields.u32(), fields.u32());
    let raw_name = bytes_of(input, name_size, "the name of a member")?;
    let extra = bytes_of(input, extra_size, "the extra fields of an entry")?;
    bytes_of(input, comment_size, "the comment of an entry")?;
    if disk != 0 && disk != u16::MAX {
        return Err(ContainerError::unsupported(SPLIT).at(offset).into());
    }
    let name =
        name::decode(&raw_name, flags & UTF_8 != 0, &extra).map_err(|error| error.at(offset))?;
    let mut sizes = Sizes::of(&extra);
    // The order of zip64: sizes before the offset.
    let (unpacked, stored, header) = (sizes.or(unpacked), sizes.or(stored), sizes.or(header));
    let is_link = matches!(made_by >> 8, 3 | 19) && attributes >> 28 == 0xa;
    Ok(Entry { name, raw_name, flags, method, crc, stored, unpacked, header, is_link, offset })
}

/// The larger numbers of the zip64 extra field, in their order.
pub(super) struct Sizes<'a>(Option<&'a [u8]>);

impl<'a> Sizes<'a> {
    pub(super) fn of(extra: &'a [u8]) -> Self {
        Self(extra_field(extra, 1))
    }

    /// The number, or the next larger one if it is full.
    pub(super) fn or(&mut self, number: u32) -> u64 {
        match self.0.and_then(|field| field.split_first_chunk::<8>()) {
            Some((&large, rest)) if number == u32::MAX => {
                self.0 = Some(rest);
                u64::from_le_bytes(large)
            }
            _ => number.into(),
        }
    }
}

/// An error if a member that would be read is encrypted.
pub(super) fn check_encryption(entry: &Entry) -> Result<(), ContainerError> {
    if !entry.is_encrypted() {
        return Ok(());
    }
    Err(ContainerError::new(Kind::Encrypted, "zip member is encrypted")
        .at(entry.offset)
        .found(
            format!("flags 0x{:04x} and method {}", entry.flags, entry.method),
            "a member without encryption",
        )
        .in_member(&entry.name))
}
