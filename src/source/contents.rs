//! What a file contains: itself, what a compressed stream unpacks to, or the members of an archive.

use std::io::{self, Read};
use std::sync::Arc;

use trips_containers::{
    Archive, Budget, ContainerError, FIRST_BYTES, Limits, Packing, PassedOver, Ranges, packing_of,
    threaded, unpack,
};

use super::Source;
use super::beside::beside;
use super::bytes::{Bytes, FileRanges, Reading, UnpackedRanges, Wanted};
use super::spool::{self, TemporaryFiles, spool};
use crate::error::{FileName, LoadError};
use crate::os::{memory, signals};
use crate::settings;

/// Bytes that the threads parse.
pub type Stream = Box<dyn Read + Send>;

/// The contents of a file.
pub struct Contents<'s> {
    source: &'s Source,
    packing: Packing,
    first: Vec<u8>,
    /// The members, if the file is an archive, and what is read of it.
    archive: Option<(Arc<Archive>, Reading)>,
}

/// The bytes of a file, or of a member of it.
pub struct Content {
    /// The file, and the member.
    pub file: FileName,
    /// What is read of the stored bytes.
    pub reading: Reading,
    /// Whether the bytes are those of the file, so that a position in them is one in the file.
    pub is_plain: bool,
    bytes: Unpacked,
}

enum Unpacked {
    /// The file itself.
    Stored(Bytes, FileRanges),
    /// Unpacked when it is read.
    Stream(Stream),
}

impl<'s> Contents<'s> {
    /// Finds out how the file is packed. Opens an archive, with all archives in it.
    ///
    /// # Errors
    /// Those of the file, of an archive, and 0A000 for a kind of file that no load reads.
    pub fn open(source: &'s Source) -> Result<Self, LoadError> {
        spool::set_limit();
        let first = source.first(FIRST_BYTES)?;
        if let Some(kind) = trips_containers::unsupported_kind_of(&first) {
            let error = ContainerError::unsupported(kind);
            return Err(LoadError::of_read(&source.path.as_str().into(), error.into()));
        }
        let packing = packing_of(&first);
        let mut contents = Self { source, packing, first, archive: None };
        if packing == Packing::Zip {
            let (reading, budget) = (Reading::default(), contents.budget());
            let ranges = Arc::new(source.ranges(&reading));
            let open = move || Archive::open(ranges, &budget, &TemporaryFiles);
            let archive = beside(&reading, open).and_then(|opened| opened);
            let archive = archive.map_err(|error| contents.error(None, error))?;
            contents.archive = Some((Arc::new(archive), reading));
        }
        Ok(contents)
    }

    /// What is read of the stored bytes counts from 0 again.
    pub fn begin_count(&self) {
        if let Some((_, reading)) = &self.archive {
            reading.begin_count();
        }
    }

    /// Path of the file.
    pub fn path(&self) -> &str {
        &self.source.path
    }

    /// Whether it has members with names.
    pub fn is_archive(&self) -> bool {
        self.archive.is_some()
    }

    /// The first stored bytes.
    pub fn first(&self) -> &[u8] {
        &self.first
    }

    /// Whether it is no container.
    pub fn is_plain(&self) -> bool {
        self.packing == Packing::Plain
    }

    /// Number of its members; a file that is no archive has one.
    pub fn len(&self) -> usize {
        self.archive.as_ref().map_or(1, |(archive, _)| archive.members().len())
    }

    /// What loads do not read.
    pub fn passed_over(&self) -> &[PassedOver] {
        self.archive.as_ref().map_or(&[], |(archive, _)| archive.passed_over())
    }

    /// The name of a member; None for a file that is no archive.
    pub fn member(&self, index: usize) -> Option<&str> {
        let (archive, _) = self.archive.as_ref()?;
        archive.members().get(index).map(|member| member.name.as_str())
    }

    /// The bytes of a member from its beginning. They can be read several times.
    ///
    /// # Errors
    /// Those of the archive.
    pub fn read(&self, index: usize) -> Result<Content, LoadError> {
        let member = self.member(index).map(str::to_owned);
        let file = FileName::of(&self.source.path, member);
        let (bytes, reading) = match &self.archive {
            Some((archive, reading)) => {
                let stream =
                    archive.read(index).map_err(|error| LoadError::of_read(&file, error))?;
                (Unpacked::Stream(stream), reading.clone())
            }
            None => {
                let bytes = self.source.bytes();
                let reading = bytes.reading();
                let bytes = match self.packing {
                    Packing::Plain => Unpacked::Stored(bytes, self.source.ranges(&reading)),
                    packing => Unpacked::Stream(unpack(packing, bytes, &self.budget())),
                };
                (bytes, reading)
            }
        };
        Ok(Content { is_plain: self.is_plain(), file, reading, bytes })
    }

    /// A fresh budget, by the settings.
    fn budget(&self) -> Budget {
        let settings::UnpackLimits { size, ratio, members, depth } = settings::unpack_limits();
        let limits = Limits { unpacked: size, ratio, members, depth };
        Budget::new(limits, self.source.size())
    }

    fn error(&self, member: Option<String>, error: io::Error) -> LoadError {
        LoadError::of_read(&FileName::of(&self.source.path, member), error)
    }
}

impl Content {
    /// Does work on the bytes that may unpack much of them: in a thread of its own, unless they are those of the file.
    ///
    /// # Errors
    /// When there is no thread.
    pub fn process<T: Send + 'static>(
        self,
        work: impl FnOnce(Self) -> T + Send + 'static,
    ) -> io::Result<T> {
        if self.is_plain {
            return Ok(work(self));
        }
        let reading = self.reading.clone();
        beside(&reading, move || work(self))
    }

    /// The same, unpacked by a thread of its own, ahead of its reader.
    ///
    /// # Errors
    /// When there is no thread.
    pub fn ahead(self) -> io::Result<Self> {
        let bytes = match self.bytes {
            Unpacked::Stored(..) => self.bytes,
            Unpacked::Stream(stream) => {
                let _blocked = signals::BlockedSignals::all();
                Unpacked::Stream(Box::new(threaded(stream)?))
            }
        };
        Ok(Self { bytes, ..self })
    }

    /// All bytes in order.
    pub fn into_stream(self) -> Stream {
        match self.bytes {
            Unpacked::Stored(bytes, _) => Box::new(bytes),
            Unpacked::Stream(stream) => Box::new(Wanted::of(stream, self.reading)),
        }
    }

    /// The first bytes, at most this many. The content still has them.
    ///
    /// # Errors
    /// Those of the file, or of a container.
    pub fn peek(&mut self, count: usize) -> io::Result<Vec<u8>> {
        let mut first = Vec::new();
        match &mut self.bytes {
            Unpacked::Stored(_, ranges) => {
                first = memory::buffer(count)?;
                let mut length = 0;
                while length < count {
                    match ranges.read_at(length as u64, &mut first[length..])? {
                        0 => break,
                        read => length += read,
                    }
                }
                first.truncate(length);
            }
            Unpacked::Stream(stream) => {
                let mut rest: Stream = std::mem::replace(stream, Box::new(io::empty()));
                (&mut rest).take(count as u64).read_to_end(&mut first)?;
                *stream = Box::new(io::Cursor::new(first.clone()).chain(rest));
            }
        }
        Ok(first)
    }

    /// The bytes at offsets. Unpacked ones are written to a temporary file before.
    ///
    /// # Errors
    /// Those of the file, of a container, or of the temporary file.
    #[cfg_attr(not(feature = "parquet"), expect(dead_code, reason = "Parquet is read at offsets"))]
    pub fn into_ranges(self) -> io::Result<Box<dyn Ranges>> {
        match self.bytes {
            Unpacked::Stored(_, ranges) => Ok(Box::new(ranges)),
            Unpacked::Stream(mut stream) => {
                let file = spool(&mut *stream)?;
                Ok(Box::new(UnpackedRanges { file, reading: self.reading }))
            }
        }
    }
}
