//! Dirt that moves the bounds of values, records and lines.

use trips_tests::FIVE_COLUMNS as HEADER;

use super::clean::{Fate, Kind, Row, Style, Whole, kind};

/// The style in which nothing is quoted that need not be.
const BARE: Style = Style { name: "", eol: "\n", quotes_all: false, ends_at_end: true };

/// The cells of a row, joined by hand.
fn cells(row: &Row<'_>) -> Vec<String> {
    row.trip().cells(row.style)
}

/// The first half of the line, as a writer leaves it that was stopped.
fn half(row: &Row<'_>) -> String {
    let line = row.line();
    line[..line.len() / 2].to_owned()
}

pub const ROWS: &[Kind] = &[
    kind("a value is missing", |row| {
        let mut cells = cells(row);
        cells.remove(row.column());
        row.staged(cells.join(","))
    }),
    kind("a value too many", |row| {
        let mut cells = cells(row);
        cells.insert(row.column(), "x".into());
        row.staged(cells.join(","))
    }),
    kind("a comma at the end", |row| row.staged(row.line() + ",")),
    kind("commas at the end", |row| row.staged(row.line() + ",,,")),
    kind("a comma in front", |row| row.staged(format!(",{}", row.line()))),
    kind("a comma doubled", |row| {
        let mut cells = cells(row);
        cells.insert(row.pick % 4 + 1, String::new());
        row.staged(cells.join(","))
    }),
    kind("a comma is missing", |row| {
        let mut cells = cells(row);
        let second = cells.remove(row.pick % 4 + 1);
        cells[row.pick % 4].push_str(&second);
        row.staged(cells.join(","))
    }),
    kind("only one value", |row| row.staged(&cells(row)[row.column()])),
    kind("only commas", |row| row.staged(",,,,")),
    kind("a row cut in the middle", |row| row.staged(half(row))),
    kind("a row broken between two values", |row| {
        let (head, tail) = (&cells(row)[..=row.pick % 4], &cells(row)[row.pick % 4 + 1..]);
        row.all_staged(&[head.join(","), tail.join(",")])
    }),
    kind("a row broken inside a name", broken_name),
    Kind {
        name: "two rows in one line",
        rows: 2,
        make: |row| row.staged(row.line() + &row.trips[1].line(row.style)),
    },
    Kind {
        name: "two rows and another separator between them",
        rows: 2,
        make: |row| {
            let between = row.one_of(&["\x1e", "\x0c", "\u{2028}", "\u{85}", "\\n", "<br>"]);
            row.staged([row.line(), row.trips[1].line(&BARE)].join(between))
        },
    },
    kind("a row twice", |row| {
        let line = row.line();
        Fate { duplicates: 1, ..row.stays([&line, row.style.eol, &line].concat()) }
    }),
    kind("a row twice, in another spelling", |row| {
        let other = row.trip().cells(&BARE).join(" ,\t");
        Fate { duplicates: 1, ..row.stays([&row.line(), row.style.eol, &other].concat()) }
    }),
    kind("another separator", |row| {
        row.staged(row.line().replace(',', row.one_of(&[";", "\t", "|", ":", "\x1f", " "])))
    }),
    kind("values in a wrong order", |row| {
        let mut cells = cells(row);
        cells.rotate_left(1);
        row.staged(cells.join(","))
    }),
    kind("origin and destination exchanged", |row| {
        let mut trip = row.trip().clone();
        trip.0.swap(1, 2);
        row.becomes(trip.line(row.style), trip)
    }),
    kind("region and datasource exchanged", |row| {
        let mut trip = row.trip().clone();
        trip.0.swap(0, 4);
        row.becomes(trip.line(row.style), trip)
    }),
    kind("a hundred thousand values", |row| row.staged(row.line() + &",".repeat(100_000))),
    kind("a record of megabytes", |row| {
        let long = row.trip().with(row.column(), "x".repeat(2_000_000));
        row.staged(long.line(row.style))
    }),
];

/// A line end inside a bare name cuts the row in two, and the second half is a row of its own right;
/// inside quotes it belongs to the name.
fn broken_name(row: &Row<'_>) -> Fate {
    let name = &row.trip().0[0];
    let (head, tail) = name.split_at(name.len() / 2);
    if row.style.quotes_all {
        let trip = row.trip().with(0, [head, row.style.eol, tail].concat());
        return row.becomes(trip.line(row.style), trip);
    }
    let trip = row.trip().with(0, tail);
    let lines = [head, row.style.eol, &trip.line(row.style)].concat();
    Fate { staged: 1, ..row.becomes(lines, trip) }
}

pub const LINES: &[Kind] = &[
    kind("blank lines", |row| row.stays(row.style.eol.repeat(3) + &row.line())),
    kind("a line of blanks", |row| row.stays([" \t ", row.style.eol, &row.line()].concat())),
    kind("a line of Unicode blanks", |row| row.preceded("\u{a0}\u{2003}\u{3000}")),
    kind("a comment", |row| row.preceded(row.one_of(&["# May", "// May", "-- May", "REM May"]))),
    kind("the header again", |row| row.preceded(HEADER.trim_end())),
    kind("the header again, shouted", |row| row.preceded(&HEADER.trim_end().to_uppercase())),
    // The rows behind a header are read by it.
    kind("two headers, the first in another order", |row| {
        let other = "datasource,region,origin_coord,destination_coord,date_time";
        let lines = [other, HEADER.trim_end(), &row.line()].join(row.style.eol);
        Fate { staged: 2, ..row.stays(lines) }
    }),
    kind("another file's mark and header", |row| {
        row.preceded(&format!("\u{feff}{}", HEADER.trim_end()))
    }),
    kind("\\. before the row", |row| row.preceded("\\.")),
    kind("\\. instead of the row", |row| row.staged("\\.")),
    kind("a total", |row| row.followed(row.one_of(&["Total,30,,,", "30 rows", "(30 rows)"]))),
    kind("a line that separates", |row| row.preceded(row.one_of(&["-----", "=====", "+--+--+"]))),
    kind("a conflict of a merge", |row| {
        let lines = ["<<<<<<< HEAD", "=======", &row.line()].join(row.style.eol);
        Fate { staged: 2, ..row.stays(lines) }
    }),
    kind("JSON", |row| row.staged(r#"{"region": "A", "origin_coord": null}"#)),
    kind("HTML", |row| row.staged("<tr><td>A</td><td>x</td></tr>")),
    kind("the end of a text of DOS", |row| row.followed("\x1a")),
    kind("a block of NUL", |row| row.followed(&"\0".repeat(512))),
    kind("noise that prints", |row| row.staged(noise(row.pick, b' '..=b'~'))),
    kind("noise", |row| row.staged(noise(row.pick, 0..=255))),
    kind("the file ends in the row", |row| {
        let bytes = half(row).into_bytes();
        Fate { bytes, ..row.staged("") }.and(Whole::EndsHere)
    }),
    kind("the line end of another system", |row| {
        let others: Vec<&str> =
            ["\n", "\r\n", "\r"].into_iter().filter(|end| *end != row.style.eol).collect();
        ends_with(row, row.one_of(&others))
    }),
    kind("a line end the wrong way round", |row| ends_with(row, "\n\r")),
    kind("a line end with a CR too many", |row| ends_with(row, "\r\r\n")),
    kind("a form feed or a vertical tab behind the row", |row| {
        row.stays_if_bare(row.line() + row.one_of(&["\x0c", "\x0b"]))
    }),
    kind("another line end behind the row", |row| {
        let end = row.one_of(&["\u{85}", "\u{2028}", "\u{2029}", "\x1e"]);
        let line = row.line() + end;
        let name = &row.trip().0[4];
        if row.style.quotes_all {
            row.staged(line)
        } else {
            row.becomes(line, row.trip().with(4, [name, end].concat()))
        }
    }),
    kind("blanks in front of the row", |row| row.stays_if_bare(format!(" \t{}", row.line()))),
    kind("blanks behind the row", |row| row.stays_if_bare(row.line() + " \t ")),
    kind("blanks around the commas", |row| row.stays_if_bare(cells(row).join(" , "))),
    kind("a mark in front of the file", |row| {
        row.stays(row.line()).headed(format!("\u{feff}{}", HEADER.trim_end()))
    }),
    kind("a name too many in the header", |row| {
        row.staged(row.line()).headed([HEADER.trim_end(), ",x"].concat()).and(Whole::AllStaged)
    }),
    kind("a header that does not fit", |row| {
        let five = HEADER.trim_end();
        let (head, code) = match row.pick {
            0 => (five.replace("region", "place"), "42703"),
            1 => (five.replace(",datasource", ""), "42703"),
            2 => (five.replace(',', ";"), "42703"),
            3 => ("Trips of May".to_owned(), "42703"),
            4 => (row.line(), "42703"),
            5 => (five.to_owned() + ",region", "42701"),
            6 => (five.to_owned() + ",\"x\"y", "22P04"),
            7 => ("PK\x03\x04".to_owned() + five, "22P04"),
            _ => ("\0".to_owned() + five, "22P04"),
        };
        row.stays(row.line()).headed(head).and(Whole::Refused(code))
    }),
];

fn ends_with(row: &Row<'_>, end: &str) -> Fate {
    let bytes = [&row.line(), end].concat().into_bytes();
    Fate { bytes, ..row.stays("") }
}

/// Sixty bytes of a range, but no line ends: the same ones for the same seed.
fn noise(seed: usize, range: std::ops::RangeInclusive<u8>) -> Vec<u8> {
    let mut state = u32::try_from(seed).unwrap_or(0) * 7919 + 12345;
    let next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    };
    let fits = |byte: &u8| range.contains(byte) && !matches!(byte, b'\n' | b'\r');
    std::iter::repeat_with(next).filter(fits).take(60).collect()
}

/// The column's value between these texts, as it is.
fn around(row: &Row<'_>, before: &str, after: &str) -> Vec<u8> {
    row.with_cell(row.column(), format!("{before}{}{after}", row.value()))
}

pub const QUOTES: &[Kind] = &[
    kind("a quote in front of a value", |row| {
        let cell = &cells(row)[row.column()];
        row.staged(row.with_cell(row.column(), format!("\"{cell}")))
    }),
    kind("a quote inside a value", |row| row.staged(row.with_bytes(b"\""))),
    kind("a quote behind a value", |row| {
        let cell = &cells(row)[row.column()];
        row.staged(row.with_cell(row.column(), format!("{cell}\"")))
    }),
    kind("a quote as a value", |row| row.staged(row.with_cell(row.column(), "\""))),
    kind("two quotes as a value", |row| row.is_nothing(row.with_cell(row.column(), "\"\""))),
    kind("four quotes as a value", |row| row.is_text_only("\"")),
    kind("text behind a closing quote", |row| row.staged(around(row, "\"", "\"x"))),
    kind("blanks behind a closing quote", |row| row.staged(around(row, "\"", "\" "))),
    kind("blanks before a quote", |row| row.staged(around(row, " \"", "\""))),
    kind("a quote on one side", |row| row.staged(around(row, "\"", ""))),
    kind("quotes doubled around a value", |row| row.staged(around(row, "\"\"", "\"\""))),
    kind("three quotes around a value", |row| row.is_text_only(&format!("\"{}\"", row.value()))),
    kind("quotes of other kinds", |row| {
        let (open, close) = row.one_of(&[("'", "'"), ("\u{201c}", "\u{201d}"), ("`", "`")]);
        row.is_text_only(&[open, row.value(), close].concat())
    }),
    kind("a quote behind a backslash", |row| row.staged(around(row, "\"", "\\\"x\""))),
    kind("the whole row in quotes", |row| {
        row.staged(format!("\"{}\"", row.line().replace('"', "\"\"")))
    }),
    kind("quotes without commas between them", |row| {
        let all = row.trip().0.iter().map(|value| format!("\"{value}\""));
        row.staged(all.collect::<String>())
    }),
    kind("a line end inside quotes", |row| {
        let column = if row.pick.is_multiple_of(2) { 0 } else { 4 };
        let end = row.one_of(&["\n", "\r\n", "\r"]);
        let trip = row.trip().with(column, ["two", end, "lines"].concat());
        row.becomes(trip.line(row.style), trip)
    }),
    Kind {
        name: "three rows with open quotes",
        rows: 3,
        make: |row| {
            let lines = row.trips.iter().map(|trip| format!("\"{}", trip.line(row.style)));
            row.all_staged(&lines.collect::<Vec<_>>())
        },
    },
    // By all rules, this is one record: it swallows the row that it was opened in.
    Kind {
        name: "a quote that the next row closes",
        rows: 2,
        make: |row| {
            let [first, second] = [row.trips[0].line(&BARE), row.trips[1].line(&BARE)];
            let region = &row.trips[1].0[0];
            let swallowed = [&first, row.style.eol, region].concat();
            let rest = second.strip_prefix(region).unwrap_or_default();
            row.becomes(format!("\"{swallowed}\"{rest}"), row.trips[1].with(0, swallowed))
        },
    },
];
