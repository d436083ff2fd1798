//! Damaged containers, always the same ones for the same content.

mod archives;
mod limits;
mod refused;
mod streams;

use std::collections::BTreeSet;

use trips_containers::{ContainerError, Kind, Limit};

/// A damaged container.
#[derive(Debug, Clone)]
pub struct Damaged {
    /// A name for its file, without a folder: `cut-17.csv.gz`.
    pub name: String,
    /// The file.
    pub bytes: Vec<u8>,
    /// What a reader must say.
    pub expected: Expected,
}

/// What a reader must say of a damaged container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// An error of this kind.
    Fault(Fault),
    /// An error.
    AnyFault,
    /// An error, or the content: not every bit of a container matters.
    FaultOrContent,
}

/// The kinds of errors, without what they say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// [`Kind::Damaged`].
    Damaged,
    /// [`Kind::Cut`].
    Cut,
    /// [`Kind::Padded`].
    Padded,
    /// [`Kind::Limit`].
    Limit(Limit),
    /// [`Kind::Unsupported`].
    Unsupported,
    /// [`Kind::Encrypted`].
    Encrypted,
    /// [`Kind::Empty`].
    Empty,
}

impl Fault {
    /// The kind of an error.
    pub fn of(error: &ContainerError) -> Self {
        match error.kind() {
            Kind::Damaged => Self::Damaged,
            Kind::Cut => Self::Cut,
            Kind::Padded => Self::Padded,
            Kind::Limit(limit, _) => Self::Limit(limit),
            Kind::Unsupported(_) => Self::Unsupported,
            Kind::Encrypted => Self::Encrypted,
            Kind::Empty => Self::Empty,
            Kind::NoMemory => panic!("an error of a reader is never one of this kind"),
        }
    }
}

/// More than 200 damaged containers of a CSV file of at least 1,000 bytes.
///
/// Their limits are the default ones of [`trips_containers::Limits`].
pub fn all(content: &[u8]) -> Vec<Damaged> {
    assert!(content.len() >= 1000, "a longer content");
    let mut files = Files { content, files: Vec::new() };
    streams::add(&mut files);
    archives::add(&mut files);
    refused::add(&mut files);
    limits::add(&mut files);
    // Offsets that were drawn may be among the others.
    let mut names = BTreeSet::new();
    files.files.retain(|file| names.insert(file.name.clone()));
    files.files
}

/// The files so far.
struct Files<'a> {
    content: &'a [u8],
    files: Vec<Damaged>,
}

impl Files<'_> {
    fn add(&mut self, name: impl Into<String>, bytes: impl Into<Vec<u8>>, expected: Expected) {
        self.files.push(Damaged { name: name.into(), bytes: bytes.into(), expected });
    }

    fn fault(&mut self, name: impl Into<String>, bytes: impl Into<Vec<u8>>, fault: Fault) {
        self.add(name, bytes, Expected::Fault(fault));
    }
}

impl<'a> Files<'a> {
    /// The first line of the content.
    fn header(&self) -> &'a [u8] {
        self.content.split_inclusive(|&byte| byte == b'\n').next().unwrap_or_default()
    }

    /// The content as two files, each with the header.
    fn halves(&self) -> (&'a [u8], Vec<u8>) {
        let half = self.content.len() / 2;
        let line = self.content[half..].iter().position(|&byte| byte == b'\n').expect("a line");
        let (first, second) = self.content.split_at(half + line + 1);
        (first, [self.header(), second].concat())
    }
}

/// Offsets all over a file, always the same ones.
fn offsets(size: usize, count: usize) -> impl Iterator<Item = usize> {
    let mut state = size as u64;
    (0..count).map(move |_| {
        // The generator of Knuth's MMIX: the lower bits are weak.
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).expect("31 bits") % size
    })
}

/// The bytes with one bit flipped.
fn flipped(bytes: &[u8], offset: usize) -> Vec<u8> {
    let mut flipped = bytes.to_vec();
    flipped[offset] ^= 1 << (offset % 8);
    flipped
}

/// The bytes with other ones at an offset.
fn with(bytes: &[u8], offset: usize, new: &[u8]) -> Vec<u8> {
    let mut changed = bytes.to_vec();
    changed[offset..offset + new.len()].copy_from_slice(new);
    changed
}
