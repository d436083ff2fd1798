//! The footer of a file: its columns and row groups, within limits.

use std::io;
use std::panic::catch_unwind;

use parquet::basic::Type;
use parquet::file::metadata::{
    ColumnChunkMetaData, ParquetMetaData, ParquetMetaDataReader, RowGroupMetaData,
};

use super::fault::{ParquetFault, Result};
use super::kind::Kind;
use super::page::read_exact;
use super::thrift::{MAX_LIST, check_footer};
use super::{ReadAt, footer_copy};
use crate::model::position::Position;
use crate::text::escape::quoted;

/// Limit of the bytes of the footer.
const MAX_FOOTER: u64 = 16 * 1024 * 1024;
/// What a file begins and ends with.
const MAGIC: &[u8; 4] = b"PAR1";
/// What a file with an encrypted footer begins and ends with.
const ENCRYPTED: &[u8; 4] = b"PARE";
/// Bytes behind the footer: its length, and [`MAGIC`].
const TAIL: u64 = 8;

/// A column of a file, which may be in a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Field {
    /// Its path: names joined by points.
    pub(super) name: String,
    /// Its number among the column chunks of a row group; None if a row has several values of it.
    pub(super) leaf: Option<usize>,
    /// What its values are; None if such values are not read.
    pub(super) kind: Option<Kind>,
}

/// Reads and checks the footer.
pub(super) fn read(source: &dyn ReadAt) -> Result<ParquetMetaData> {
    let size = source.size();
    if size < TAIL + MAGIC.len() as u64 {
        return Err(ParquetFault::damaged(format!("the file has {size} bytes")).into());
    }
    let mut tail = [0; 8];
    read_exact(source, size - TAIL, &mut tail)?;
    let ([a, b, c, d, magic @ ..], at) = (tail, size - TAIL);
    if magic == *ENCRYPTED {
        return Err(ParquetFault::unsupported("the footer of the file is encrypted").into());
    }
    if magic != *MAGIC {
        let reason = "the file does not end with the mark PAR1: it is cut, or something follows it";
        return Err(ParquetFault::damaged(reason).at(at + 4).into());
    }
    let length = u64::from(u32::from_le_bytes([a, b, c, d]));
    if length > at - MAGIC.len() as u64 {
        let reason = format!("the file of {size} bytes declares a footer of {length} bytes");
        return Err(ParquetFault::damaged(reason).at(at).into());
    }
    if length > MAX_FOOTER {
        let reason = format!("the footer has {length} bytes; the limit is {MAX_FOOTER}");
        return Err(ParquetFault::limit(reason).at(at).into());
    }
    let begin = at - length;
    let mut footer = Vec::new();
    let bytes = usize::try_from(length).unwrap_or(0);
    footer.try_reserve_exact(bytes).map_err(|_| io::ErrorKind::OutOfMemory)?;
    footer.resize(bytes, 0);
    read_exact(source, begin, &mut footer)?;
    check_footer(&footer).map_err(|bad| bad.fault("the footer").at(begin))?;
    let footer = footer_copy::copy(&footer).map_err(|bad| bad.fault("the footer").at(begin))?;
    let decoded = catch_unwind(|| ParquetMetaDataReader::decode_metadata(&footer));
    let fault = match decoded {
        Ok(Ok(metadata)) => match check(&metadata, begin) {
            Ok(()) => return Ok(metadata),
            Err(fault) => fault,
        },
        Ok(Err(error)) => ParquetFault::damaged(format!("the footer is damaged: {error}")),
        Err(payload) => ParquetFault::of_panic(payload),
    };
    Err(ParquetFault { byte: fault.byte.or(Some(begin)), ..fault }.into())
}

/// Checks the numbers of rows and columns of all row groups.
fn check(metadata: &ParquetMetaData, end: u64) -> std::result::Result<(), ParquetFault> {
    let columns = metadata.file_metadata().schema_descr().num_columns();
    let groups = metadata.row_groups();
    if groups.len() as u64 > MAX_LIST.min(u64::from(Position::ROW_GROUPS)) {
        return Err(ParquetFault::limit(format!("the file has {} row groups", groups.len())));
    }
    for (number, group) in groups.iter().enumerate() {
        let in_group = |reason: String| ParquetFault {
            row_group: Some(number),
            ..ParquetFault::damaged(reason)
        };
        let rows = u64::try_from(group.num_rows()).ok().filter(|rows| *rows <= Position::ROWS);
        if rows.is_none() {
            return Err(in_group(format!("it declares {} rows", group.num_rows())));
        }
        if group.num_columns() != columns {
            let found = group.num_columns();
            return Err(in_group(format!("it has {found} of {columns} columns")));
        }
        // Writers set any offsets of values that are not there.
        if rows == Some(0) {
            continue;
        }
        for chunk in group.columns() {
            range(chunk, end).map_err(|fault| ParquetFault {
                row_group: Some(number),
                column: Some(quoted(chunk.column_path().string().as_bytes())),
                ..fault
            })?;
        }
    }
    Ok(())
}

/// The bytes of a column chunk: from one to another byte of the file, before `end`.
pub(super) fn range(
    chunk: &ColumnChunkMetaData,
    end: u64,
) -> std::result::Result<(u64, u64), ParquetFault> {
    if chunk.file_path().is_some_and(|path| !path.is_empty()) {
        return Err(ParquetFault::unsupported("its values are in another file"));
    }
    let offset = |offset: i64| u64::try_from(offset).ok().filter(|at| *at >= MAGIC.len() as u64);
    let data = offset(chunk.data_page_offset());
    // Some writers set the offset of a dictionary to 0 if there is none.
    let dictionary = chunk.dictionary_page_offset().and_then(offset);
    let start = data.map(|data| dictionary.map_or(data, |dictionary| dictionary.min(data)));
    let size = u64::try_from(chunk.compressed_size()).ok();
    let range = start.zip(size).and_then(|(start, size)| Some((start, start.checked_add(size)?)));
    range.filter(|(_, behind)| *behind <= end).ok_or_else(|| {
        let (start, size) = (chunk.data_page_offset(), chunk.compressed_size());
        let reason =
            format!("it declares {size} bytes at byte {start}, the footer is at byte {end}");
        ParquetFault::damaged(reason)
    })
}

/// The columns of a file: one for each column without several values in a row, and one for each group that has such
/// columns.
pub(super) fn fields(metadata: &ParquetMetaData) -> Vec<Field> {
    let schema = metadata.file_metadata().schema_descr();
    let mut fields: Vec<Field> = Vec::new();
    for (leaf, column) in schema.columns().iter().enumerate() {
        if column.max_rep_level() == 0 {
            let kind = Kind::of(column);
            fields.push(Field { name: column.path().parts().join("."), leaf: Some(leaf), kind });
            continue;
        }
        let name = schema.get_column_root(leaf).name();
        // Its columns with one value in a row may be between those with several ones.
        let mut of_group = fields.iter().rev().take_while(|field| is_in(&field.name, name));
        let is_known = of_group.any(|field| field.leaf.is_none());
        if !is_known {
            fields.push(Field { name: name.to_owned(), leaf: None, kind: None });
        }
    }
    fields
}

/// Whether a path is that of a group, or of a column in it.
fn is_in(path: &str, group: &str) -> bool {
    path.strip_prefix(group).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// Bytes of memory that a row of these values needs, without bytes of variable length.
pub(super) fn row_width(group: &RowGroupMetaData, leaf: usize) -> usize {
    match group.column(leaf).column_type() {
        // Where it is, and its length in the page.
        Type::BYTE_ARRAY | Type::FIXED_LEN_BYTE_ARRAY => 13,
        _ => 9,
    }
}
