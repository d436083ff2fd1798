//! Reads a piece of the content of a file into parts.

use std::io::Write;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use trips_core::format::delimited::header::HeaderError;
use trips_core::format::parser::{Parser, Target};
use trips_core::model::position::PositionKind;
use trips_core::text::escape::quoted;
use trips_core::upload::part::Piece;
use trips_core::upload::stations;

use crate::checked::{Blocks, Checked};
use crate::contents::{Begun, Contents, limits};
use crate::options::{Options, open};
use crate::parts::Parts;
use crate::{Failure, order, shown};

/// Bytes of a chunk: rejected records take up to eighty times as many in a part, which is limited.
pub const CHUNK: usize = 256 * 1024;

/// A piece of a file, as `split` prints it for `read`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PieceOfFile {
    /// Units of the whole content.
    pub content: u64,
    /// The number of the member in the archive, from 0.
    pub index: usize,
    /// Its number among those with trips, from 1; 0 for a file that is no archive.
    pub member_no: u64,
    /// The row groups of Parquet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub row_groups: Option<Range<usize>>,
    /// The members with stations.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stations: Vec<usize>,
    /// The feed of the trips.
    pub feed: String,
    /// The blocks of the file that it needs, as text.
    pub blocks: String,
}

/// Reads a piece, which `split` printed as this text.
pub fn read(
    path: &Path,
    text: &str,
    options: &Options<'_>,
    out: &mut impl Write,
) -> Result<(), Failure> {
    let invalid = || Failure::Usage(format!("invalid piece={}", quoted(text.as_bytes())));
    let piece: PieceOfFile = serde_json::from_str(text).map_err(|_| invalid())?;
    let failed = |error| Failure::File { path: shown(path), error };
    let expected = (options.number("file_bytes", None)?, options.number("mtime_ns", None)?);
    let (file, size, mtime_ns) = open(path)?;
    if (size, mtime_ns) != expected {
        return Err(Failure::Changed(shown(path)));
    }
    let blocks = Blocks::parse(&piece.blocks, size).ok_or_else(invalid)?;
    let checked = Arc::new(Checked::of_blocks(file, size, &blocks).map_err(failed)?);
    if checked.digest(&blocks) != options.digest("blake3")? {
        return Err(Failure::Changed(shown(path)));
    }
    let result = read_checked(path, &piece, &checked, options, out);
    if checked.has_changed() { Err(Failure::Changed(shown(path))) } else { result }
}

/// Reads a piece of a file whose blocks are those that were split.
fn read_checked(
    path: &Path,
    piece: &PieceOfFile,
    checked: &Arc<Checked>,
    options: &Options<'_>,
    out: &mut impl Write,
) -> Result<(), Failure> {
    let failed = |error| Failure::File { path: shown(path), error };
    let changed = || Failure::Changed(shown(path));
    let max_record = options.max_record_size()?;
    let contents = Contents::open(checked.clone(), limits(options)?).map_err(failed)?;
    let (choice, stations, _) =
        contents.with_stations(&piece.stations, &piece.feed, options.choice()?, path)?;
    let begun = contents.begin((piece.index, piece.row_groups.clone()), &choice, max_record);
    let begun = begun.map_err(|error| match error {
        HeaderError::Read(error) => failed(error),
        _ => changed(),
    })?;
    let (first, units): (u64, u64) =
        (options.number("first_byte", None)?, options.number("bytes", None)?);
    let Begun { mut plan, mut reader, position, .. } = begun;
    if order::take(options.text("columns"), &mut plan).is_some() {
        return Err(Failure::Usage("a piece has the columns of its header".into()));
    }
    let (kind, mut at) = (reader.position_kind(), first + position);
    let member = contents.member(piece.index).to_owned();
    let piece = Piece { content: piece.content, member_no: piece.member_no, member, kind };
    let (feed, order) = (plan.feed_name().to_owned(), plan.feed().order());
    let load_id = options.number("load_id", None)?;
    let (target, constraints) = (Target::Upload, options.constraints()?);
    let parser =
        Parser { plan, target, load_id, max_record, constraints, keeps_grid_points: false };
    let mut header = parser.first_header();
    let mut parts = Parts::new(out, (load_id, first), (&feed, piece), max_record);
    // One part of the upload has them.
    if first == 0 {
        parts.set_stations(stations::encode(&stations)?);
    }
    while let Some(mut chunk) = reader.next_chunk(CHUNK, 0).map_err(failed)? {
        let parsed = chunk.parse_next(&parser, &mut header)?;
        if let Some(found) = parsed.proofs.contradiction(order, &feed) {
            return Err(Failure::Contradiction { path: shown(path), message: found.message });
        }
        let begin = at;
        at += if kind == PositionKind::Row { parsed.rows } else { parsed.covers };
        parts.push(&parsed, (begin, at))?;
    }
    // Each part was of the bytes that were split, so this is not expected.
    if at != first + units { Err(changed()) } else { parts.finish(at) }
}
