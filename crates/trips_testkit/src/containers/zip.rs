//! zip archives, each number of which is at a known offset.

use std::ops::Range;

use crate::containers::pack;

/// A member of an archive.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The bytes of the name.
    pub name: Vec<u8>,
    /// The unpacked bytes.
    pub content: Vec<u8>,
    /// 0, 8, 9, 12, 14, 93 or 95; the data of any other one is stored.
    pub method: u16,
    /// What follows the data.
    pub descriptor: Descriptor,
    /// Whether the sizes are in the extra fields of zip64.
    pub is_large: bool,
    /// Extra fields of the directory.
    pub extra: Vec<u8>,
}

/// The record behind the data of a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Descriptor {
    /// None: the header has the numbers.
    None,
    /// Without a signature.
    Plain,
    /// With one.
    Signed,
    /// With one, and with sizes of 8 bytes.
    Large,
}

impl Entry {
    /// A member that is compressed by DEFLATE.
    pub fn new(name: impl AsRef<[u8]>, content: impl AsRef<[u8]>) -> Self {
        Self {
            name: name.as_ref().to_vec(),
            content: content.as_ref().to_vec(),
            method: 8,
            descriptor: Descriptor::None,
            is_large: false,
            extra: Vec::new(),
        }
    }

    /// The same member by another method.
    #[must_use]
    pub fn method(mut self, method: u16) -> Self {
        self.method = method;
        self
    }

    /// The same member with a record behind its data.
    #[must_use]
    pub fn descriptor(mut self, descriptor: Descriptor) -> Self {
        self.descriptor = descriptor;
        self
    }

    /// The same member with sizes of zip64.
    #[must_use]
    pub fn large(mut self) -> Self {
        self.is_large = true;
        self
    }

    fn data(&self) -> Vec<u8> {
        match self.method {
            8 => pack::deflate(&self.content, 6),
            // Stored blocks are the same in both.
            9 => pack::deflate(&self.content, 0),
            12 => pack::bzip2(&self.content),
            14 => pack::lzma(&self.content),
            93 => pack::zstd(&self.content),
            95 => pack::xz(&self.content),
            _ => self.content.clone(),
        }
    }
}

/// An archive, and where its parts are.
#[derive(Debug, Clone, Default)]
pub struct Zip {
    /// The archive.
    pub bytes: Vec<u8>,
    /// Offsets of the local headers.
    pub locals: Vec<usize>,
    /// Where the data of the members is.
    pub data: Vec<Range<usize>>,
    /// Offsets of the entries of the directory.
    pub entries: Vec<usize>,
    /// Offset of the directory.
    pub directory: usize,
    /// Offset of the last record.
    pub end: usize,
}

impl Zip {
    /// An archive of these members.
    pub fn new(members: &[Entry]) -> Self {
        let mut zip = Self::default();
        members.iter().for_each(|member| zip.add(member));
        zip.finish(members, b"")
    }

    /// The archive with other bytes at an offset.
    #[must_use]
    pub fn set(&self, offset: usize, bytes: &[u8]) -> Vec<u8> {
        let mut changed = self.bytes.clone();
        changed[offset..offset + bytes.len()].copy_from_slice(bytes);
        changed
    }

    fn add(&mut self, member: &Entry) {
        let data = member.data();
        let numbers = Numbers::of(member, data.len());
        self.locals.push(self.bytes.len());
        let (flags, shown) = match member.descriptor {
            Descriptor::None => (0, numbers),
            _ => (8, Numbers { crc: 0, stored: 0, unpacked: 0 }),
        };
        self.bytes.extend(b"PK\x03\x04\x14\x00");
        self.put_u16(&[flags, member.method, 0, 0x5800]);
        let extra = self.put_numbers(member, shown);
        self.put_u16(&[short(member.name.len()), short(extra.len())]);
        self.bytes.extend(&member.name);
        self.bytes.extend(extra);
        self.data.push(self.bytes.len()..self.bytes.len() + data.len());
        self.bytes.extend(data);
        self.put_descriptor(member.descriptor, numbers);
    }

    fn put_descriptor(&mut self, descriptor: Descriptor, numbers: Numbers) {
        let Numbers { crc, stored, unpacked } = numbers;
        match descriptor {
            Descriptor::None => return,
            Descriptor::Plain => self.put_u32(&[crc]),
            Descriptor::Signed | Descriptor::Large => self.put_u32(&[0x0807_4b50, crc]),
        }
        match descriptor {
            Descriptor::Large => {
                self.bytes.extend([stored, unpacked].map(u64::to_le_bytes).concat())
            }
            _ => self.put_u32(
                &[stored, unpacked].map(|size| u32::try_from(size).expect("a small member")),
            ),
        }
    }

    /// Adds the directory and the last record, with a comment.
    fn finish(mut self, members: &[Entry], comment: &[u8]) -> Self {
        self.directory = self.bytes.len();
        for (index, member) in members.iter().enumerate() {
            self.entries.push(self.bytes.len());
            let flags = if member.descriptor == Descriptor::None { 0 } else { 8 };
            self.bytes.extend(b"PK\x01\x02\x14\x03\x14\x00");
            self.put_u16(&[flags, member.method, 0, 0x5800]);
            let mut extra = self.put_numbers(member, Numbers::of(member, self.data[index].len()));
            extra.extend(&member.extra);
            self.put_u16(&[short(member.name.len()), short(extra.len()), 0, 0, 0]);
            self.put_u32(&[0, u32::try_from(self.locals[index]).expect("a small archive")]);
            self.bytes.extend(&member.name);
            self.bytes.extend(extra);
        }
        self.end = self.bytes.len();
        self.bytes.extend(b"PK\x05\x06\0\0\0\0");
        self.put_u16(&[short(members.len()), short(members.len())]);
        let size = u32::try_from(self.end - self.directory).expect("a small directory");
        self.put_u32(&[size, u32::try_from(self.directory).expect("a small archive")]);
        self.put_u16(&[short(comment.len())]);
        self.bytes.extend(comment);
        self
    }

    /// Puts the checksum and the sizes; returns the extra fields that have the sizes instead.
    fn put_numbers(&mut self, member: &Entry, numbers: Numbers) -> Vec<u8> {
        self.put_u32(&[numbers.crc]);
        if !member.is_large {
            let sizes = [numbers.stored, numbers.unpacked];
            self.put_u32(&sizes.map(|size| u32::try_from(size).expect("a small member")));
            return Vec::new();
        }
        self.put_u32(&[u32::MAX, u32::MAX]);
        let sizes = [numbers.unpacked, numbers.stored].map(u64::to_le_bytes).concat();
        [[1, 0, 16, 0].as_slice(), &sizes].concat()
    }

    fn put_u16(&mut self, numbers: &[u16]) {
        numbers.iter().for_each(|number| self.bytes.extend(number.to_le_bytes()));
    }

    fn put_u32(&mut self, numbers: &[u32]) {
        numbers.iter().for_each(|number| self.bytes.extend(number.to_le_bytes()));
    }
}

#[derive(Debug, Clone, Copy)]
struct Numbers {
    crc: u32,
    stored: u64,
    unpacked: u64,
}

impl Numbers {
    fn of(member: &Entry, stored: usize) -> Self {
        let crc = crc32fast::hash(&member.content);
        Self { crc, stored: stored as u64, unpacked: member.content.len() as u64 }
    }
}

fn short(number: usize) -> u16 {
    u16::try_from(number).expect("a short part")
}

/// An archive of these members with a comment.
pub fn with_comment(members: &[Entry], comment: &[u8]) -> Vec<u8> {
    let mut zip = Zip::default();
    members.iter().for_each(|member| zip.add(member));
    zip.finish(members, comment).bytes
}

/// The archive with a last record of zip64, and the smaller one filled.
pub fn as_zip64(zip: &Zip) -> Vec<u8> {
    let mut bytes = zip.bytes[..zip.end].to_vec();
    let entries = zip.entries.len() as u64;
    bytes.extend(b"PK\x06\x06");
    bytes.extend(44_u64.to_le_bytes());
    bytes.extend([45, 0, 45, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    let (size, directory) = ((zip.end - zip.directory) as u64, zip.directory as u64);
    for number in [entries, entries, size, directory] {
        bytes.extend(number.to_le_bytes());
    }
    bytes.extend(b"PK\x06\x07\0\0\0\0");
    bytes.extend((zip.end as u64).to_le_bytes());
    bytes.extend(1_u32.to_le_bytes());
    bytes.extend(b"PK\x05\x06\0\0\0\0");
    bytes.extend([0xff; 12]);
    bytes.extend([0, 0]);
    bytes
}
