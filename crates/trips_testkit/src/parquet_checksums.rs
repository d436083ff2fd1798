//! Checksums of pages, which the crate that writes files of tests does not write.

use parquet::file::metadata::{
    ColumnChunkMetaData, ParquetMetaData, ParquetMetaDataReader, ParquetMetaDataWriter,
    RowGroupMetaData,
};

/// What a file begins and ends with.
const MAGIC: &[u8] = b"PAR1";

/// The same file with the checksum of each page in its header.
///
/// # Panics
/// When the file is not one of [`crate::parquet::write`].
#[must_use]
pub fn with_checksums(file: &[u8]) -> Vec<u8> {
    let tail = file.len() - MAGIC.len() - 4;
    let length = u32::from_le_bytes(file[tail..tail + 4].try_into().expect("four bytes"));
    let footer = &file[tail - usize::try_from(length).expect("a length")..tail];
    let metadata = ParquetMetaDataReader::decode_metadata(footer).expect("a footer");
    let mut out = MAGIC.to_vec();
    let groups = metadata.row_groups().iter().map(|group| row_group(file, group, &mut out));
    let groups = groups.collect();
    let metadata = ParquetMetaData::new(metadata.file_metadata().clone(), groups);
    let mut footer = Vec::new();
    ParquetMetaDataWriter::new(&mut footer, &metadata).finish().expect("a footer");
    out.extend_from_slice(&footer);
    out
}

fn row_group(file: &[u8], group: &RowGroupMetaData, out: &mut Vec<u8>) -> RowGroupMetaData {
    let columns = group.columns().iter().map(|chunk| column(file, chunk, out)).collect();
    let builder = group.clone().into_builder().set_column_metadata(columns);
    builder.build().expect("a row group")
}

fn column(file: &[u8], chunk: &ColumnChunkMetaData, out: &mut Vec<u8>) -> ColumnChunkMetaData {
    let (start, size) = chunk.byte_range();
    let size = usize::try_from(size).expect("a size");
    let mut rest = &file[usize::try_from(start).expect("an offset")..][..size];
    let begin = out.len();
    let mut pages = Vec::new();
    while !rest.is_empty() {
        pages.push(out.len());
        rest = page(rest, out);
    }
    let offset = |at: usize| i64::try_from(at).expect("an offset");
    let (dictionary, data) = match chunk.dictionary_page_offset() {
        Some(_) => (Some(offset(pages[0])), offset(pages[1])),
        None => (None, offset(pages[0])),
    };
    let builder = chunk.clone().into_builder();
    let builder = builder.set_dictionary_page_offset(dictionary).set_data_page_offset(data);
    let builder = builder.set_column_index_offset(None).set_offset_index_offset(None);
    builder.set_total_compressed_size(offset(out.len() - begin)).build().expect("a column chunk")
}

/// Copies a page with its checksum. Returns the bytes behind it.
fn page<'b>(bytes: &'b [u8], out: &mut Vec<u8>) -> &'b [u8] {
    let mut at = 0;
    let mut size = 0;
    // The type of the page, and both of its sizes.
    for _ in 0..3 {
        assert_eq!(bytes[at], 0x15, "the next field is a number of 32 bits");
        at += 1;
        size = varint(bytes, &mut at) >> 1;
    }
    let (before, header) = (at, bytes[at]);
    assert_eq!(header & 0xf, 12, "the next field is the header of a kind of page");
    at += 1;
    skip_structure(bytes, &mut at);
    assert_eq!(bytes[at], 0, "the header ends");
    at += 1;
    let size = usize::try_from(size).expect("a size");
    let body = &bytes[at..at + size];
    out.extend_from_slice(&bytes[..before]);
    out.push(0x15);
    let crc = i64::from(crc32fast::hash(body).cast_signed());
    push_varint(((crc << 1) ^ (crc >> 63)).cast_unsigned(), out);
    // The number of a field is the distance from the one before it, which is now 4.
    out.push(header - 0x10);
    out.extend_from_slice(&bytes[before + 1..at]);
    out.extend_from_slice(body);
    &bytes[at + size..]
}

fn varint(bytes: &[u8], at: &mut usize) -> u64 {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = bytes[*at];
        *at += 1;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            break;
        }
    }
    value
}

fn push_varint(mut value: u64, out: &mut Vec<u8>) {
    while value > 0x7f {
        out.push(u8::try_from(value & 0x7f).expect("seven bits") | 0x80);
        value >>= 7;
    }
    out.push(u8::try_from(value).expect("seven bits"));
}

/// Skips the fields of a struct, and its end.
fn skip_structure(bytes: &[u8], at: &mut usize) {
    loop {
        let header = bytes[*at];
        *at += 1;
        match header & 0xf {
            0 => return,
            1 | 2 => {}
            4..=6 => {
                varint(bytes, at);
            }
            8 => {
                let length = varint(bytes, at);
                *at += usize::try_from(length).expect("a length");
            }
            12 => skip_structure(bytes, at),
            kind => panic!("a page header has a field of type {kind}"),
        }
    }
}
