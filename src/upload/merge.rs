//! The parts of a complete upload become trips and staged rows, in the order of the file.

use std::sync::Arc;

use trips_core::feed::definition::Definition;
use trips_core::feed::zones::NYC_TAXI_ZONES;
use trips_core::key::SameId;
use trips_core::upload::decode::DecodeError;
use trips_core::upload::part::Piece;
use trips_core::upload::part_reader::{Content, PartHeader, PartReader, Stop};
use trips_core::wire::staged_row::StagedRows;

use super::parts::{self, StoredPart};
use super::{begin, of};
use crate::error::LoadError;
use crate::feeds::{definitions, zones};
use crate::history::History;
use crate::ledger::{LoadMember, Totals};
use crate::load::{Loader, RunBuilder, warn_of_zero_coordinates};
use crate::os::memory;
use crate::progress::{Phase, Progress};
use crate::settings;

/// What an upload became.
pub struct Merged {
    /// Where its rows went.
    pub totals: Totals,
    /// The days on which it inserted trips.
    pub days: Vec<(i32, i32)>,
    /// Its members, if its file is an archive.
    pub members: Vec<LoadMember>,
}

/// The merge of an upload.
pub struct Merge<'a> {
    load_id: i64,
    /// What happens to known ids with other values; None for the policy of the feed.
    on_change: Option<SameId>,
    /// Size of the file.
    bytes: u64,
    loader: Loader<'a>,
    run: RunBuilder,
    progress: &'a Progress,
    /// The content of the file that the current part is of, and the totals before it.
    piece: Option<(Piece, Totals)>,
    feed: Option<Arc<Definition>>,
    members: Vec<LoadMember>,
    rows: u64,
    zero_coordinates: u64,
    /// It has rejected records, whose later merge needs the stations of the archive.
    keeps_stations: bool,
}

impl<'a> Merge<'a> {
    /// Begins the merge of an upload of a file of so many bytes.
    pub fn begin(
        history: &'a History,
        (load_id, on_change): (i64, Option<SameId>),
        bytes: u64,
        progress: &'a Progress,
    ) -> Result<Self, LoadError> {
        progress.phase(Phase::Reading);
        let loader = Loader::new(history, load_id)?;
        let run = RunBuilder::new(load_id, &loader);
        let keeps_stations = parts::rejected(load_id)? > 0;
        let (piece, feed, members, rows, zero_coordinates) = (None, None, Vec::new(), 0, 0);
        Ok(Self {
            load_id,
            on_change,
            bytes,
            loader,
            run,
            progress,
            piece,
            feed,
            members,
            rows,
            zero_coordinates,
            keeps_stations,
        })
    }

    /// Merges all parts. `feed_name` becomes the name of their feed.
    pub fn all(mut self, feed_name: &mut Option<String>) -> Result<Merged, LoadError> {
        let mut offset = -1;
        while let Some(part) = StoredPart::after(self.load_id, offset)? {
            offset = part.offset;
            self.part(part, feed_name)?;
        }
        self.end_piece()?;
        self.loader.end(self.progress)?;
        warn_of_zero_coordinates(self.zero_coordinates);
        let days = self.loader.take_days();
        Ok(Merged { totals: self.loader.totals, days, members: self.members })
    }

    fn part(&mut self, part: StoredPart, feed_name: &mut Option<String>) -> Result<(), LoadError> {
        let (load_id, progress) = (self.load_id, self.progress);
        let refused = |error| Err(of(load_id, Stop::Part(error)));
        let mut reader = begin(load_id, part)?;
        let part = reader.header;
        let feed = match &self.feed {
            Some(feed) => feed.clone(),
            None => {
                let first = self.feed.insert(definitions::definition(part.feed_name())?);
                *feed_name = Some(first.name.clone());
                first.clone()
            }
        };
        if feed.name != part.feed_name() {
            return refused(DecodeError::OtherFeed);
        }
        let piece = reader.piece();
        let is_next = match &self.piece {
            Some((before, _)) if *before == piece => false,
            Some((before, _)) => {
                let of_archive = before.member_no > 0 && before.member_no < piece.member_no;
                if !of_archive || before.content != piece.content {
                    return refused(DecodeError::OtherContent);
                }
                true
            }
            None => true,
        };
        if is_next {
            self.end_piece()?;
            self.begin_piece(piece, &feed);
        }
        if self.keeps_stations {
            keep_stations(load_id, &mut reader, &feed)?;
        }
        let (constraints, max_record) = (settings::constraints()?, settings::max_record_size());
        let (loader, run) = (&mut self.loader, &mut self.run);
        let take = |content: Content<'_>| {
            match content {
                Content::Trip(trip, tail, identity, line) => {
                    run.push_feed(trip, tail, identity, line)?;
                }
                Content::Rejected(rows, count) => {
                    loader.stage(&StagedRows::copy(rows, count)?, progress)?;
                    memory::release_free();
                }
            }
            if run.is_full() {
                run.write(loader, false, progress)?;
                memory::release_free();
                progress.phase(Phase::Reading);
            }
            Ok(())
        };
        reader
            .read(&constraints, &feed.identity, max_record, take)
            .map_err(|stop| of(load_id, stop))?;
        self.count(part);
        Ok(())
    }

    /// Begins the file, or a member of it.
    fn begin_piece(&mut self, piece: Piece, feed: &Definition) {
        let member = Some(piece.member.clone()).filter(|_| piece.member_no > 0);
        self.loader.begin_member(member, piece.kind);
        // Equal records are numbered by themselves in each member.
        self.loader.set_identity(&feed.identity.clone().with_policy(self.on_change));
        self.piece = Some((piece, self.loader.totals));
    }

    /// Writes the last trips of the file, or of a member.
    fn end_piece(&mut self) -> Result<(), LoadError> {
        let Some((piece, before)) = self.piece.take() else { return Ok(()) };
        self.run.write(&mut self.loader, true, self.progress)?;
        let feed = self.feed.as_ref().map(|feed| feed.name.clone());
        self.loader.end_file(self.load_id, feed.as_deref())?;
        if let (true, Some(feed)) = (piece.member_no > 0, feed) {
            let totals = self.loader.totals.since(before);
            self.members.push(LoadMember { name: piece.member, feed, totals });
        }
        Ok(())
    }

    fn count(&mut self, part: PartHeader) {
        self.rows += part.rows;
        self.zero_coordinates += part.zero_coordinates;
        self.loader.totals.duplicate += part.duplicates;
        let end = part.first_byte + part.bytes;
        let done = match part.content {
            0 => end,
            content => {
                let done = u128::from(self.bytes) * u128::from(end) / u128::from(content);
                u64::try_from(done).unwrap_or(self.bytes)
            }
        };
        self.progress.read(done, self.rows);
    }
}

/// Keeps the stations of a part for later merges of rejected records.
fn keep_stations(
    load_id: i64,
    reader: &mut PartReader<StoredPart>,
    feed: &Definition,
) -> Result<(), LoadError> {
    let stations = reader.stations().map_err(|stop| of(load_id, stop))?;
    match feed.station_set() {
        _ if stations.is_empty() => Ok(()),
        Some(set) if feed.stations.is_some() && set != NYC_TAXI_ZONES => {
            zones::keep(load_id, set, &stations)
        }
        _ => Err(of(load_id, Stop::Part(DecodeError::NoStations))),
    }
}
