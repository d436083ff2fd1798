//! Kinds of the file as a whole: its encoding, its header, its separators, what it is at all.

use std::fs::File;

use trips_tests::FIVE_COLUMNS as HEADER;

use super::case::{Case, ROW, STORED, file, made, rows};

pub fn cases() -> Vec<Case> {
    [encodings(), headers(), no_headers(), empty_files(), separators(), not_text()]
        .into_iter()
        .flatten()
        .collect()
}

/// The usual file, in units of two or four bytes.
fn wide(mark: &[u8], unit: fn(char) -> Vec<u8>) -> Vec<u8> {
    let text = format!("{HEADER}{ROW}\n");
    [mark.to_vec(), text.chars().flat_map(unit).collect()].concat()
}

fn encodings() -> Vec<Case> {
    let utf16_le = |c: char| (c as u32).to_le_bytes()[..2].to_vec();
    let utf16_be = |c: char| (c as u32).to_be_bytes()[2..].to_vec();
    let utf32_le = |c: char| (c as u32).to_le_bytes().to_vec();
    let utf32_be = |c: char| (c as u32).to_be_bytes().to_vec();
    let utf16 = |case: Case| case.refuses("22P04", "is encoded in UTF-16", "iconv -f UTF-16");
    let utf32 = |case: Case| case.refuses("22P04", "is encoded in UTF-32", "iconv -f UTF-32");
    let quoted_name = HEADER.replace("region", "\"region\"");
    vec![
        file(1, "mark of UTF-8", format!("\u{feff}{HEADER}{ROW}\n")).loads([1, 1, 0, 0]),
        file(1, "mark, quoted name", format!("\u{feff}{quoted_name}{ROW}\n"))
            .loads([1, 1, 0, 0])
            .stores(&[STORED]),
        file(1, "two marks", format!("\u{feff}\u{feff}{HEADER}{ROW}\n"))
            .loads([1, 1, 0, 0])
            .stores(&[STORED]),
        // The text of other encodings is not guessed at: it waits in staging, byte by byte.
        rows(9, "Latin-1", [b"P\xf8\xedbram,,,2018-05-01 00:00:00,x\n", ROW.as_bytes()].concat())
            .loads([2, 1, 0, 1])
            .stages(&[(2, "22021", Some("region"))]),
        rows(9, "CP1252", b"A,,,2018-05-01 00:00:00,\x93x\x94\n").loads([1, 0, 0, 1]).stages(&[(
            2,
            "22021",
            Some("datasource"),
        )]),
        utf16(file(10, "UTF-16LE, mark", wide(b"\xff\xfe", utf16_le))),
        utf16(file(10, "UTF-16BE, mark", wide(b"\xfe\xff", utf16_be))),
        utf16(file(10, "UTF-16LE", wide(b"", utf16_le))),
        utf16(file(10, "UTF-16BE", wide(b"", utf16_be))),
        utf32(file(10, "UTF-32LE, mark", wide(b"\xff\xfe\0\0", utf32_le))),
        utf32(file(10, "UTF-32BE, mark", wide(b"\0\0\xfe\xff", utf32_be))),
        utf32(file(10, "UTF-32LE", wide(b"", utf32_le))),
        utf32(file(10, "UTF-32BE", wide(b"", utf32_be))),
    ]
}

#[rustfmt::skip]
fn headers() -> Vec<Case> {
    let names = |kind, name: &str, header: &str| file(kind, name, format!("{header}\n{ROW}\n"));
    let row = |kind, name: &str, header: &str, row: &str| {
        file(kind, name, format!("{header}\n{row}\n")).loads([1, 1, 0, 0]).stores(&[STORED])
    };
    let five = HEADER.trim_end();
    vec![
        row(13, "other order", "datasource,destination_coord,date_time,origin_coord,region",
            "x,POINT (3 4),2018-05-01 00:00:00,POINT (1 2),A"),
        row(13, "case", &five.to_uppercase(), ROW),
        row(13, "blanks", &five.replace(',', " ,\t"), ROW),
        row(13, "quoted", &format!("\"{}\"", five.replace(',', "\",\"")), ROW),
        row(13, "datetime", &five.replace("date_time", "DateTime"), ROW),
        names(14, "a name twice", &format!("{five},Region"))
            .refuses("42701", "column region appears twice, as columns 1 and 6", "each column once"),
        names(14, "both names of a column", &format!("{five},datetime"))
            .refuses("42701", "column date_time appears twice", "each column once"),
        names(14, "a name is missing", "region,origin_coord,destination_coord,datasource,y")
            .refuses("42703", "column date_time or datetime is missing", "with the columns"),
        row(14, "unknown names", &format!("id,{five},fare"), &format!("7,{ROW},9.5"))
            .says("ignoring columns \"id\", \"fare\""),
        row(14, "empty names", &format!(",{five},,"), &format!(",{ROW},1,2")),
        // Nothing is passed over to look for a header: the lines above it might be rows.
        names(14, "a title above the header", &format!("Trips of May\n{five}"))
            .refuses("42703", "are missing", "with the columns"),
        names(14, "the header comes again", &format!("{five}\n{ROW}\n{}", five.to_uppercase()))
            .loads([3, 1, 1, 1]).stages(&[(3, "22P04", None)]),
        names(14, "the header at once again", &format!("{five}\n{five}"))
            .loads([2, 1, 0, 1]).stages(&[(2, "22P04", None)]),
        names(14, "a second line of units", &format!("{five}\ntext,WGS 84,WGS 84,local time,text"))
            .loads([2, 1, 0, 1]).stages(&[(2, "22P02", Some("origin_coord"))]),
        names(14, "a quote in the header", "region,origin\"coord")
            .refuses("22P04", "a quote is inside an unquoted field", "with the columns"),
        names(14, "a quote that stays open", "\"region,origin_coord")
            .refuses("22P04", "a quoted field is not closed", "with the columns"),
        names(38, "codes and a forged line in the header", "\x1b[2J\"\nFORGED: x\"")
            .refuses("22P04", "invalid header", "with the columns"),
        names(38, "a forged line in a missing header", "\"\x1b[2J\nFORGED: x\",y")
            .refuses("42703", "are missing", "with the columns"),
        row(38, "codes and a forged line in a name that is not read",
            &format!("{five},\"\x1b[2J\nFORGED: x\""), &format!("{ROW},y")).says(r"\x1b[2J\nFORGED"),
    ]
}

#[rustfmt::skip]
fn no_headers() -> Vec<Case> {
    let data = "the first line seems to be a row";
    vec![
        file(15, "rows from the first line on", format!("{ROW}\n{ROW}\n"))
            .refuses("42703", "are missing", data),
        file(15, "rows with a time alone", "A,,,2018-05-01 00:00:00,\n")
            .refuses("42703", "are missing", data),
        file(15, "rows with a point alone", "A,\"POINT (1 2)\",,01.05.2018,\n")
            .refuses("42703", "are missing", data),
        file(15, "rows that could be names", "A,B,C,D,E\n")
            .refuses("42703", "are missing", "with the columns"),
    ]
}

#[rustfmt::skip]
fn empty_files() -> Vec<Case> {
    // A file without even a header is one whose writer has failed: refused, so that it can come again.
    let empty = |name, bytes: &[u8]| file(16, name, bytes).refuses("22P04", "is empty", "has finished");
    let loads = |name: &str, bytes: String| {
        file(17, name, bytes).loads([1, 1, 0, 0]).stores(&[STORED])
    };
    vec![
        empty("no bytes", b""),
        empty("only a mark", b"\xef\xbb\xbf"),
        empty("only blank lines", b"\n \t\n\r\n\r"),
        file(16, "only a header", HEADER).loads([0; 4]),
        file(16, "only a header without its end", HEADER.trim_end()).loads([0; 4]),
        loads("no line end at the end", format!("{HEADER}{ROW}")),
        loads("blank lines before, between, behind", format!("\n\n{HEADER}\n \t\n{ROW}\n\n\n")),
        loads("blank lines of CRLF", format!("{HEADER}\r\n\r\n{ROW}\r\n\r\n")),
        file(2, "CRLF", format!("{HEADER}{ROW}\n").replace('\n', "\r\n")).loads([1, 1, 0, 0]),
        file(2, "CR", format!("{HEADER}{ROW}\n").replace('\n', "\r")).loads([1, 1, 0, 0]),
        file(2, "mixed", format!("{}\r\n{ROW}\r{ROW}\n{ROW}\r\r\n{ROW}\n\r", HEADER.trim_end()))
            .loads([4, 1, 3, 0]),
        rows(2, "line ends inside quotes", "\"A\r\nB\rC\",,,2018-05-01 00:00:00,x\r\n")
            .loads([1, 1, 0, 0]).stores(&["A\r\nB\rC|-|-|2018-05-01 00:00:00|x"]),
    ]
}

#[rustfmt::skip]
fn separators() -> Vec<Case> {
    // Another separator is never taken by itself: a comma inside a name would tear the values.
    let by = |name, c: &str, hint| {
        file(18, name, format!("{HEADER}{ROW}\n").replace(',', c)).refuses("42703", "are missing", hint)
    };
    let excel = |name, line: &str| {
        file(18, name, format!("{line}\r\n{HEADER}{ROW}\n"))
            .refuses("42703", "are missing", "Remove the first line (sep=…)")
    };
    vec![
        by("semicolons", ";", "by semicolons"),
        by("tabs", "\t", "by tabs"),
        by("bars", "|", "by pipes"),
        by("carets", "^", "with the columns"),
        file(18, "semicolons, no header", format!("{ROW}\n").replace(',', ";"))
            .refuses("42703", "are missing", "by semicolons"),
        excel("sep=;", "sep=;"),
        excel("sep=,", "sep=,"),
        excel("sep= tab, quoted mark", "\u{feff}SEP=\t"),
        rows(18, "one row by semicolons", ROW.replace(',', ";")).loads([1, 0, 0, 1])
            .stages(&[(2, "22P04", None)]),
    ]
}

/// gzip of the usual file, and what is left of it after 30 bytes.
const GZIP: &[u8] = b"\x1f\x8b\x08\0\0\0\0\0\0\x03\x2b\x4a\x4d\xcf\xcc\xcf\xd3\xc9\x2f\xca\x4c\xcf\xcc\x8b\x4f\xce\xcf\x2f\x4a\xd1";

#[rustfmt::skip]
fn not_text() -> Vec<Case> {
    let is = |name, bytes: &[u8], words, hint| file(20, name, bytes).refuses("22P04", words, hint);
    let garbage: Vec<u8> = (0..=255_u8).cycle().map(|b| b.wrapping_mul(167)).take(100_000).collect();
    let behind = |magic: &[u8]| [magic, &garbage].concat();
    vec![
        is("gzip, cut", GZIP, "gzip data is cut off at byte 30", "again"),
        is("gzip, two bytes of it", &GZIP[..2], "gzip data is cut off at byte 2", "again"),
        is("gzip, garbage in it", &behind(GZIP), "gzip data is invalid at byte 10", "again"),
        is("zip", &behind(b"PK\x03\x04\x14\0"), "zip archive is cut off at byte", "again"),
        file(20, "zstd", behind(b"\x28\xb5\x2f\xfd"))
            .refuses("54000", "zstd frame needs too much memory at byte 0", "smaller window"),
        is("bzip2", &behind(b"BZh91AY&SY"), "bzip2 data is invalid at byte 0", "again"),
        is("xz", &behind(b"\xfd7zXZ\0"), "xz data is invalid at byte 0", "again"),
        is("Parquet", &behind(b"PAR1"), "does not end with the mark PAR1", "again"),
        is("old workbook", &behind(b"\xd0\xcf\x11\xe0"), "is an old Excel workbook", "Save it as CSV"),
        file(20, "SQLite", behind(b"SQLite format 3\0"))
            .refuses("0A000", "SQLite database cannot be loaded", "Export"),
        file(20, "JSON without the members of a feed", b"{\"region\": \"A\"}\n")
            .refuses("42703", "columns origin_coord, destination_coord", "detect_feed"),
        is("page of an error", b"<html><h1>502 Bad Gateway</h1></html>", "is HTML", "download"),
        is("other bytes", &garbage, "is binary", "Export it again"),
        made(20, "64 GB of nothing", |cluster| {
            let path = cluster.file("sparse.csv", "");
            File::options().write(true).open(&path).unwrap().set_len(64 << 30).unwrap();
            path
        }).refuses("22P04", "is binary", "after a crash"),
        made(20, "plain text under the name of gzip", |cluster| {
            cluster.file("trips.csv.gz", format!("{HEADER}{ROW}\n"))
        }).loads([1, 1, 0, 0]).stores(&[STORED]),
        rows(20, "garbage behind a good row", [ROW.as_bytes(), b"\n", GZIP].concat()).loads([2, 1, 0, 1])
            .stages(&[(3, "22P04", None)]),
    ]
}
