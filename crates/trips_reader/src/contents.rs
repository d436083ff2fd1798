//! Files that are not split at bytes: packed ones, JSON, Parquet, and text in UTF-16.

use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use trips_containers::{
    Archive, Budget, ContainerError, FIRST_BYTES, Kind, Limits, Packing, RangeReader, Ranges,
    packing_of, unpack, unsupported_kind_of,
};
use trips_core::feed::choice::FeedChoice;
use trips_core::feed::plan::Plan;
use trips_core::feed::stations::{Stations, StationsError, stations_of, year_of};
use trips_core::feed::zones::{NYC_TAXI_ZONES, ZoneRow};
use trips_core::format::delimited::header::HeaderError;
use trips_core::format::encoding::{Decoder, utf16_of};
use trips_core::format::json::layout::is_json;
use trips_core::format::sniff::{PARQUET, SNIFF_BYTES, is_parquet};
use trips_core::format::{ChunkReader, text};
use trips_core::upload::stations;

use crate::checked::Checked;
use crate::options::Options;
use crate::spool::TemporaryFiles;
use crate::{Failure, shown};

/// Unpacked bytes.
pub type Stream = Box<dyn Read + Send>;

/// What a file contains.
pub struct Contents {
    pub(crate) checked: Arc<Checked>,
    pub(crate) packing: Packing,
    limits: Limits,
    archive: Option<Archive>,
}

/// Records behind a header.
pub struct Begun {
    /// The columns.
    pub plan: Plan,
    /// The records.
    pub reader: ChunkReader<Decoder<Stream>>,
    /// Units of the content before them: the footer of Parquet is one unit before its first row.
    pub position: u64,
    /// The number of rows of each row group, if it is Parquet.
    pub row_groups: Option<Vec<u64>>,
}

/// Whether a file is read in pieces of its content, and not in splits of its bytes.
pub fn has_pieces(file: &File) -> io::Result<bool> {
    let mut first = Vec::new();
    file.take(SNIFF_BYTES as u64).read_to_end(&mut first)?;
    let at = first.len().min(FIRST_BYTES);
    Ok(packing_of(&first[..at]) != Packing::Plain
        || is_parquet(&first)
        || unsupported_kind_of(&first[..at]).is_some()
        || utf16_of(&first).is_some()
        || is_json(&first))
}

impl Contents {
    /// Opens a file.
    pub fn open(checked: Arc<Checked>, limits: Limits) -> io::Result<Self> {
        let mut first = Vec::new();
        let ranges: Arc<dyn Ranges> = checked.clone();
        RangeReader::new(ranges.clone(), 0, FIRST_BYTES as u64).read_to_end(&mut first)?;
        if let Some(kind) = unsupported_kind_of(&first) {
            return Err(ContainerError::unsupported(kind).into());
        }
        let packing = packing_of(&first);
        let archive = match packing {
            Packing::Zip => {
                let budget = Budget::new(limits, checked.size());
                Some(Archive::open(ranges, &budget, &TemporaryFiles)?)
            }
            _ => None,
        };
        Ok(Self { checked, packing, limits, archive })
    }

    /// Whether it has members with names.
    pub fn is_archive(&self) -> bool {
        self.archive.is_some()
    }

    /// Number of its members; a file that is no archive has one.
    pub fn len(&self) -> usize {
        self.archive.as_ref().map_or(1, |archive| archive.members().len())
    }

    /// The name of a member; empty for a file that is no archive.
    pub fn member(&self, index: usize) -> &str {
        let member = self.archive.as_ref().and_then(|archive| archive.members().get(index));
        member.map_or("", |member| member.name.as_str())
    }

    /// The bytes of a member from its beginning. They can be read several times.
    fn stream(&self, index: usize) -> io::Result<Stream> {
        if let Some(archive) = &self.archive {
            return archive.read(index);
        }
        let ranges: Arc<dyn Ranges> = self.checked.clone();
        let stored = RangeReader::new(ranges, 0, self.checked.size());
        Ok(match self.packing {
            Packing::Plain => Box::new(stored),
            packing => unpack(packing, stored, &Budget::new(self.limits, self.checked.size())),
        })
    }

    /// Reads the header of a member, and begins its records; in Parquet those of some row groups, if they are given.
    pub fn begin(
        &self,
        (index, row_groups): (usize, Option<Range<usize>>),
        choice: &FeedChoice,
        max_record: usize,
    ) -> Result<Begun, HeaderError> {
        let mut stream = self.stream(index)?;
        let mut first = Vec::new();
        (&mut stream).take(PARQUET[0].len() as u64).read_to_end(&mut first)?;
        let is_parquet = is_parquet(&first);
        let stream: Stream = Box::new(io::Cursor::new(first).chain(stream));
        if is_parquet {
            return self.begin_parquet(stream, row_groups, choice, max_record);
        }
        let text::Text { first, reader, covered } =
            text::open(Decoder::detect(stream)?, choice, max_record)?;
        Ok(Begun { plan: first.plan?, reader, position: covered, row_groups: None })
    }

    /// A program that was built without the format.
    #[cfg(not(feature = "parquet"))]
    fn begin_parquet(
        &self,
        _: Stream,
        _: Option<Range<usize>>,
        _: &FeedChoice,
        _: usize,
    ) -> Result<Begun, HeaderError> {
        Err(HeaderError::Read(ContainerError::no_parquet().into()))
    }

    /// The choice with the stations of these members, the stations, and warnings of their other records.
    pub fn with_stations(
        &self,
        members: &[usize],
        feed: &str,
        choice: FeedChoice,
        path: &Path,
    ) -> Result<(FeedChoice, Vec<ZoneRow>, Vec<String>), Failure> {
        let (mut all, mut warnings) = (Vec::new(), Vec::new());
        let definition = choice.catalogue.get(feed).cloned();
        let (Some(definition), false) = (definition, members.is_empty()) else {
            return Ok((choice, all, warnings));
        };
        let failed = |error: String| Failure::Stations { path: shown(path), error };
        let set = definition.station_set().unwrap_or_default();
        if set == NYC_TAXI_ZONES {
            return Err(failed("the zones of the feed are built in".into()));
        }
        let by_year = definition.stations.as_ref().is_some_and(|columns| columns.by_year);
        let mut zones = choice.zones.to_builder();
        for &index in members {
            let name = self.member(index);
            let year = by_year.then(|| year_of(name).or_else(|| year_of(&shown(path)))).flatten();
            if by_year && year.is_none() {
                return Err(failed(format!("the name of {name} has no year")));
            }
            let read = || -> Result<_, StationsError> {
                stations_of(&definition, year, Decoder::detect(self.stream(index)?)?)
            };
            let stations = read().map_err(|error| failed(format!("{name}: {error}")))?;
            warnings.extend(warning_of(name, &stations));
            all.extend_from_slice(&stations.rows);
            for row in stations.rows {
                zones.add(set, row).map_err(|error| failed(error.to_string()))?;
            }
        }
        if stations::encode(&all)?.len() > stations::MAX_BYTES {
            let limit = stations::MAX_BYTES;
            return Err(failed(format!(
                "the stations of the archive need more than {limit} bytes"
            )));
        }
        Ok((FeedChoice { zones: zones.build(), ..choice }, all, warnings))
    }
}

/// What is wrong with the records of a station file, if anything is.
fn warning_of(member: &str, stations: &Stations) -> Option<String> {
    let first = stations.errors.first()?;
    let records = match stations.rejected {
        1 => "1 record is not a station".to_owned(),
        rejected => format!("{rejected} records are not stations"),
    };
    Some(format!("member {member}: {records}; line {}: {}", first.line, first.reason))
}

/// The limits, as the settings of the server define them.
pub fn limits(options: &Options<'_>) -> Result<Limits, Failure> {
    let default = Limits::default();
    Ok(Limits {
        unpacked: options.number("max_unpacked_size", Some(default.unpacked))?,
        ratio: options.number("max_compression_ratio", Some(default.ratio))?,
        members: options.number("max_archive_members", Some(default.members))?,
        depth: options.number("max_archive_depth", Some(default.depth))?,
    })
}

/// SQLSTATE and text of an error of a file's content; None if it is one of the system.
/// `member` is the one that was read; empty for none.
pub fn refusal(error: &io::Error, member: &str) -> Option<(&'static str, String)> {
    let named = |name: &str| match name {
        "" => String::new(),
        name => format!("member {name}: "),
    };
    if let Some(container) = ContainerError::of(error) {
        let code = match container.kind() {
            Kind::Damaged | Kind::Cut | Kind::Padded | Kind::Empty => "22P04",
            Kind::NoMemory => "53200",
            Kind::Limit(..) => "54000",
            Kind::Unsupported(_) | Kind::Encrypted => "0A000",
        };
        let member = named(container.member().unwrap_or(member));
        let detail = container.detail().map(|detail| format!(" ({detail})"));
        return Some((code, [member, container.message(), detail.unwrap_or_default()].concat()));
    }
    let is_damaged = error.kind() == io::ErrorKind::InvalidData;
    is_damaged.then(|| (code_of_format(error), format!("{}{error}", named(member))))
}

/// SQLSTATE of an error of a format.
#[cfg(feature = "parquet")]
fn code_of_format(error: &io::Error) -> &'static str {
    use trips_core::format::parquet::fault::{FaultKind, ParquetFault};
    match ParquetFault::of(error).map(|fault| fault.kind) {
        Some(FaultKind::Limit | FaultKind::Memory) => "54000",
        Some(FaultKind::Unsupported) => "0A000",
        Some(FaultKind::NoMemory) => "53200",
        Some(FaultKind::Damaged) | None => "22P04",
    }
}

#[cfg(not(feature = "parquet"))]
fn code_of_format(_: &io::Error) -> &'static str {
    "22P04"
}
