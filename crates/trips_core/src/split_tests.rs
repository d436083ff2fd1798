use super::*;
use crate::format::delimited::record::FramingError;

const HEADER: &str = "region,origin_coord,destination_coord,date_time,datasource\n";

type Rows = Vec<(u64, Vec<u8>, Option<FramingError>)>;

/// A file whose records are quoted, span lines, and are faulty, here and there.
fn dirty(rows: u32) -> Vec<u8> {
    let mut file = format!("\u{feff}{HEADER}");
    for row in 0..rows {
        match row % 9_973 {
            17 => {
                file.push_str("\"two\nlines\",POINT (1 2),,2018-05-01 00:00:00,\"a \"\"b\"\"\"\n")
            }
            18 => file.push_str("\n  \n\r\n"),
            19 => file.push_str("a\"quote,,,,\n"),
            20 => file.push_str("\"text\"behind,,,,\r\n"),
            5_000 => file.push_str("\"it is closed\nmuch later,,,,\n"),
            5_400 => file.push_str("here\",x\n"),
            _ => file
                .push_str(&format!("Turin {row},POINT (1 2),POINT (3 4),2018-05-01 00:00:00,x\n")),
        }
    }
    file.into_bytes()
}

fn read_at_once(file: &[u8], max_record: usize) -> Rows {
    let mut reader = RecordReader::new(file, max_record);
    read_header(&FeedChoice::builtin(), &mut reader, max_record).unwrap();
    let mut rows = Rows::new();
    while let Some(record) = reader.next_record().unwrap() {
        rows.push((record.line, record.raw.to_vec(), record.error));
    }
    rows
}

fn read_in_pieces(file: &[u8], max_record: usize, split_bytes: u64) -> (usize, Rows) {
    let cut = find_splits(&FeedChoice::builtin(), file, max_record, split_bytes, |_| ()).unwrap();
    let (mut rows, mut begin) = (Rows::new(), 0);
    for &split in &cut.splits {
        assert_eq!(split.first_byte, begin);
        begin += split.bytes;
        let mut reader = if split.first_byte == 0 {
            let mut reader = RecordReader::new(file, max_record);
            read_header(&FeedChoice::builtin(), &mut reader, max_record).unwrap();
            SplitReader::behind_header(reader, split)
        } else {
            let from = usize::try_from(split.first_byte).unwrap();
            SplitReader::of(&file[from..], max_record, b',', split)
        };
        while let Some(mut chunk) = reader.next_chunk().unwrap() {
            let each = |record: &crate::format::delimited::record::Record<'_>| {
                rows.push((record.line, record.raw.to_vec(), record.error));
                Ok::<(), ()>(())
            };
            chunk.for_each(max_record, each).unwrap();
        }
    }
    assert_eq!(begin, file.len() as u64);
    (cut.splits.len(), rows)
}

#[test]
fn pieces_are_read_as_the_whole() {
    let with_quotes = dirty(40_000);
    let without: Vec<u8> = with_quotes.iter().copied().filter(|&byte| byte != b'"').collect();
    let carriage_returns: Vec<u8> =
        without.iter().map(|&byte| if byte == b'\n' { b'\r' } else { byte }).collect();
    for file in [&with_quotes, &without, &carriage_returns, &HEADER.into()] {
        for max_record in [60, 2_000] {
            let expected = read_at_once(file, max_record);
            for split_bytes in [1, u64::MAX] {
                let (splits, rows) = read_in_pieces(file, max_record, split_bytes);
                assert!(rows == expected, "{splits} splits, records of {max_record}");
                assert!(
                    splits > 1 || split_bytes > 1 || file.len() < pool::CHUNK,
                    "{splits} splits"
                );
            }
        }
    }
}

/// A file without a line end at its end, and one that ends in empty lines.
#[test]
fn the_end_of_a_file() {
    for end in ["Turin,,,2018-05-01 00:00:00,x", "\"open", "\n\n  \n", "\r"] {
        let file = [&dirty(30_000)[..], end.as_bytes()].concat();
        assert!(read_in_pieces(&file, 1_000, 1).1 == read_at_once(&file, 1_000), "{end:?}");
    }
}

#[test]
fn quotes_that_are_never_closed_are_told() {
    // The next quote is further than a record may reach.
    let open = format!("\"open\n{}", "plain line\n".repeat(20));
    for (count, unclosed) in [(1, vec![2]), (5, vec![2, 23, 44])] {
        let file = [HEADER, &open.repeat(count)].concat();
        let cut =
            find_splits(&FeedChoice::builtin(), file.as_bytes(), 100, u64::MAX, |_| ()).unwrap();
        assert_eq!(cut.unclosed, unclosed);
    }
}

/// Another file than the one that was split.
#[test]
fn a_piece_that_does_not_fit_is_noticed() {
    let file = dirty(30_000);
    let splits = find_splits(&FeedChoice::builtin(), &file[..], 1_000, 1, |_| ()).unwrap().splits;
    let last = *splits.last().unwrap();
    let from = usize::try_from(last.first_byte).unwrap();
    let mut reader = SplitReader::of(&file[from..file.len() - 10], 1_000, b',', last);
    let error = loop {
        match reader.next_chunk() {
            Ok(chunk) => assert!(chunk.is_some(), "the split has ended"),
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), std::io::ErrorKind::UnexpectedEof);
}
