//! Archives inside archives.

use std::io::{self, Read};
use std::sync::Arc;

use super::Member;
use super::directory::{self, Entry, check_encryption};
use super::fields::{ZIP, named};
use super::member::{Data, Method};
use super::passed_over::{PassedOver, reason_for};
use super::{end, layout, office};
use crate::budget::{Budget, Marks};
use crate::peel::{Peeled, peel};
use crate::ranges::{Part, Ranges, Spool, Spooled};
use crate::stream::damaged;

/// Bytes that are copied into a file of the spool at once.
const BLOCK: usize = 256 << 10;

/// Where the bytes of a member are.
pub(super) struct Source {
    /// The archive that the member is in.
    archive: Arc<dyn Ranges>,
    data: Data,
    /// Containers around the member.
    level: u32,
    marks: Marks,
}

impl Source {
    /// The bytes of the member, out of all containers of one stream.
    pub(super) fn read(&self, name: &str, budget: &Budget) -> io::Result<Box<dyn Read + Send>> {
        let reader =
            self.peel(budget).map_err(|error| named(error, |fault| fault.in_member(name)))?.reader;
        Ok(Box::new(Named { reader, name: name.to_owned() }))
    }

    fn peel(&self, budget: &Budget) -> io::Result<Peeled> {
        let reader = self.data.read(&self.archive, budget, self.marks.of(0))?;
        peel(Box::new(reader), self.level, budget, &self.marks)
    }
}

/// A reader whose errors name the member.
struct Named {
    reader: Box<dyn Read + Send>,
    name: String,
}

impl Read for Named {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.reader.read(out).map_err(|error| named(error, |fault| fault.in_member(&self.name)))
    }
}

/// An archive that is being opened.
pub(super) struct Opening<'a> {
    budget: &'a Budget,
    spool: &'a dyn Spool,
    pub(super) members: Vec<(Member, Source)>,
    pub(super) passed_over: Vec<PassedOver>,
}

impl<'a> Opening<'a> {
    pub(super) fn new(budget: &'a Budget, spool: &'a dyn Spool) -> Self {
        Self { budget, spool, members: Vec::new(), passed_over: Vec::new() }
    }

    /// Adds the members of an archive, at a level from 1 on. Their names begin with the prefix.
    ///
    /// The recursion is as deep as the level, which the budget limits to 16.
    pub(super) fn open(
        &mut self,
        archive: Arc<dyn Ranges>,
        level: u32,
        prefix: &str,
    ) -> io::Result<()> {
        self.open_here(&archive, level, prefix).map_err(|error| {
            named(error, |fault| if fault.is_placed() { fault } else { fault.in_archive(prefix) })
        })
    }

    fn open_here(&mut self, archive: &Arc<dyn Ranges>, level: u32, prefix: &str) -> io::Result<()> {
        self.budget.check_depth(level)?;
        let end = end::find(&**archive)?;
        self.budget.add_members(end.entries)?;
        let entries = directory::read(archive, &end)?;
        office::check(&entries)?;
        entries
            .iter()
            .filter(|entry| reason_for(entry).is_none())
            .try_for_each(check_encryption)?;
        let offsets = layout::data_offsets(archive, &end, &entries)?;
        for (entry, start) in entries.into_iter().zip(offsets) {
            let name = format!("{prefix}{}", entry.name);
            match reason_for(&entry) {
                Some(reason) => self.passed_over.push(PassedOver { name, reason }),
                None => self.add(archive, &entry, start, level, name)?,
            }
        }
        Ok(())
    }

    /// Two members of one name are an error: programs differ in which of them they read.
    pub(super) fn check_names(&self) -> io::Result<()> {
        let mut names: Vec<&str> =
            self.members.iter().map(|(member, _)| member.name.as_str()).collect();
        names.sort_unstable();
        match names.windows(2).find(|pair| pair[0] == pair[1]) {
            Some(pair) => {
                Err(damaged(ZIP, "archive has two members of one name").in_member(pair[0]).into())
            }
            None => Ok(()),
        }
    }

    /// Adds a member, or the members of an archive that it is.
    fn add(
        &mut self,
        archive: &Arc<dyn Ranges>,
        entry: &Entry,
        start: u64,
        level: u32,
        name: String,
    ) -> io::Result<()> {
        let in_member = |error: io::Error| named(error, |fault| fault.in_member(&entry.name));
        let data = Data::of(entry, start).map_err(|error| error.in_member(&entry.name))?;
        let source = Source { archive: Arc::clone(archive), data, level, marks: Marks::default() };
        let peeled = source.peel(self.budget).map_err(in_member)?;
        if !peeled.is_zip {
            let member = Member { name, stored: entry.stored, unpacked: entry.unpacked };
            self.members.push((member, source));
            return Ok(());
        }
        let inner: Arc<dyn Ranges> = if data.method == Method::Stored && peeled.level == level {
            Arc::new(Part::new(Arc::clone(archive), data.start, data.stored))
        } else {
            self.budget
                .check_depth(peeled.level + 1)
                .map_err(|error| error.in_member(&entry.name))?;
            Arc::new(self.spool(peeled.reader).map_err(in_member)?)
        };
        self.open(inner, peeled.level + 1, &format!("{name}/"))
    }

    /// Writes an inner archive into a file.
    fn spool(&self, mut reader: Box<dyn Read + Send>) -> io::Result<Spooled> {
        let mut file = self.spool.create()?;
        let (mut block, mut size) = (vec![0; BLOCK], 0);
        loop {
            match reader.read(&mut block) {
                Ok(0) => return Ok(Spooled { file, size }),
                Ok(count) => {
                    file.append(&block[..count])?;
                    size += count as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}
