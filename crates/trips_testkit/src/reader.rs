//! Records: framed by RFC 4180, independent of buffers and chunks.

use std::io::Read;

use trips_core::format::delimited::record::{FramingError, Record, RecordReader};

use crate::short_reads::ShortReads;

/// A record as it was read.
#[derive(Debug, PartialEq, Eq)]
struct Row {
    line: u64,
    raw: Vec<u8>,
    error: Option<FramingError>,
    tail: Vec<u8>,
    values: Vec<Vec<u8>>,
}

impl Row {
    fn of(record: &Record<'_>) -> Self {
        let values = record.fields().map(std::borrow::Cow::into_owned).collect();
        let (raw, tail) = (record.raw.to_vec(), record.tail.to_vec());
        Self { line: record.line, raw, error: record.error, tail, values }
    }
}

/// [`check`], with the largest record, the chunk and the sizes in the first three bytes.
pub fn check_bytes(bytes: &[u8]) {
    let Some((&[max_record, chunk, sizes], file)) = bytes.split_first_chunk() else { return };
    let sizes = [1 + usize::from(sizes % 16), 1 + usize::from(sizes / 16)];
    check(file, 1 + usize::from(max_record), 1 + usize::from(chunk), &sizes);
}

/// A file is read to its last byte, into the same records independent of buffers and chunks.
pub fn check(file: &[u8], max_record: usize, chunk: usize, sizes: &[usize]) {
    let rows = read_closely(file, max_record);
    assert_eq!(rows, read(ShortReads::of(file, sizes), max_record), "in sizes");
    assert_eq!(rows, read_chunks(file, file.len() as u64, max_record, chunk), "in chunks");
    let source = ShortReads::of(file, sizes);
    assert_eq!(rows, read_chunks(source, file.len() as u64, max_record, chunk), "chunks, sizes");
}

fn read(source: impl Read, max_record: usize) -> Vec<Row> {
    let mut reader = RecordReader::new(source, max_record);
    let mut rows = Vec::new();
    while let Some(record) = reader.next_record().expect("memory can be read") {
        rows.push(Row::of(&record));
    }
    rows
}

fn read_chunks(source: impl Read, size: u64, max_record: usize, chunk: usize) -> Vec<Row> {
    let mut reader = RecordReader::new(source, max_record);
    let (mut rows, mut covered) = (Vec::new(), 0);
    for number in 0.. {
        let Some(mut chunk) = reader.next_chunk(chunk, number).expect("memory can be read") else {
            break;
        };
        assert_eq!(chunk.number, number);
        assert!(chunk.covers > 0, "a chunk of nothing");
        covered += chunk.covers;
        let mut records = || {
            let mut rows = Vec::new();
            let each = |record: &Record<'_>| {
                rows.push(Row::of(record));
                Ok::<(), ()>(())
            };
            chunk.for_each(max_record, each).expect("nothing fails");
            rows
        };
        let of_chunk = records();
        assert_eq!(of_chunk, records(), "read again");
        rows.extend(of_chunk);
    }
    assert_eq!((covered, reader.position()), (size, size), "bytes that chunks cover");
    rows
}

/// Reads a file at once and compares each step with the bytes that it used.
fn read_closely(file: &[u8], max_record: usize) -> Vec<Row> {
    let mut reader = RecordReader::new(file, max_record);
    let (mut rows, mut from, mut line) = (Vec::new(), 0, 1);
    loop {
        let row = reader.next_record().expect("memory can be read").map(|record| Row::of(&record));
        let to = usize::try_from(reader.position()).expect("a file in memory");
        let used = &file[from..to];
        let Some(row) = row else {
            assert_eq!(to, file.len(), "bytes are lost at the end");
            let (_, own) = skip_blank_lines(used);
            assert!(own.iter().all(|b| matches!(b, b' ' | b'\t' | b'\r' | b'\n')), "{used:?}");
            return rows;
        };
        let (blank_lines, own) = skip_blank_lines(used);
        assert_eq!(row.line, line + blank_lines);
        assert!(own.starts_with(&row.raw), "{row:?} is not at {from}");
        check_extent(&row, own, to == file.len(), max_record);
        check_values(&row);
        line += line_ends(used);
        from = to;
        rows.push(row);
    }
}

/// The bytes beyond the record's raw bytes are its line end, or the rest of a line that is too long.
fn check_extent(row: &Row, own: &[u8], is_last: bool, max_record: usize) {
    let rest = &own[row.raw.len()..];
    if row.error == Some(FramingError::TooLong) {
        assert_eq!(row.raw.len(), max_record);
        assert!(!rest.is_empty());
        let line = own.strip_suffix(b"\n").unwrap_or(own);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        assert!(line.ends_with(&row.tail) && !row.tail.is_empty(), "{row:?} of {own:?}");
    } else {
        assert!(row.raw.len() <= max_record);
        let is_line_end = matches!(rest, b"\n" | b"\r\n" | b"\r");
        assert!(is_line_end || (rest.is_empty() && is_last), "{row:?} is followed by {rest:?}");
    }
}

/// An error is real, and a record without one has the fields that its bytes spell.
fn check_values(row: &Row) {
    match row.error {
        None => assert_eq!(by_the_book(&row.raw).as_ref(), Some(&row.values), "{row:?}"),
        Some(error) => {
            assert!(row.values.is_empty(), "{row:?}");
            if error != FramingError::TooLong {
                assert_eq!(line_ends(&row.raw), 0, "{row:?} is not cut at its first line");
                assert_eq!(by_the_book(&row.raw), None, "{row:?} is no error");
            }
        }
    }
}

/// The fields of a record, byte by byte with the grammar of RFC 4180; None if it is not a record.
fn by_the_book(raw: &[u8]) -> Option<Vec<Vec<u8>>> {
    let (mut values, mut rest) = (Vec::new(), raw);
    loop {
        let mut value = Vec::new();
        if let Some(inner) = rest.strip_prefix(b"\"") {
            rest = inner;
            loop {
                match rest {
                    [b'"', b'"', tail @ ..] => (value.push(b'"'), rest = tail),
                    [b'"', tail @ ..] => {
                        rest = tail;
                        break;
                    }
                    [byte, tail @ ..] => (value.push(*byte), rest = tail),
                    [] => return None,
                };
            }
        } else {
            while let [byte, tail @ ..] = rest
                && *byte != b','
            {
                if matches!(byte, b'"' | b'\n' | b'\r') {
                    return None;
                }
                value.push(*byte);
                rest = tail;
            }
        }
        values.push(value);
        match rest {
            [] => return Some(values),
            [b',', tail @ ..] => rest = tail,
            _ => return None,
        }
    }
}

/// Number of empty lines before the record, and the bytes from its first on. Byte order marks at the beginning of a
/// line do not belong to it.
fn skip_blank_lines(mut used: &[u8]) -> (u64, &[u8]) {
    let mut count = 0;
    loop {
        while let Some(behind) = used.strip_prefix(b"\xef\xbb\xbf") {
            used = behind;
        }
        let end = used.iter().position(|b| matches!(b, b'\r' | b'\n')).unwrap_or(used.len());
        let next = end + if used[end..].starts_with(b"\r\n") { 2 } else { 1 };
        // A line of whitespace that is too long is a record, and the last one here.
        if next >= used.len() || used[..end].iter().any(|b| !matches!(b, b' ' | b'\t')) {
            return (count, used);
        }
        used = &used[next..];
        count += 1;
    }
}

/// How many lines end in these bytes.
fn line_ends(bytes: &[u8]) -> u64 {
    let of_newline = bytes.iter().filter(|&&b| b == b'\n').count();
    let alone = |at: usize| bytes[at] == b'\r' && bytes.get(at + 1) != Some(&b'\n');
    (of_newline + (0..bytes.len()).filter(|&at| alone(at)).count()) as u64
}
