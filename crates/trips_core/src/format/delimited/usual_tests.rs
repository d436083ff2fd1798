use proptest::prelude::*;

use super::*;
use crate::check::constraints::ZeroCoordinates;
use crate::feed::choice::FeedChoice;
use crate::format::delimited::header;
use crate::format::delimited::parse::texts;
use crate::format::delimited::record::RecordReader;
use crate::model::many_values::{self, Random};

const HEADERS: [&str; 3] = [
    "region,origin_coord,destination_coord,datetime,datasource",
    "datetime,datasource,region,destination_coord,origin_coord",
    "datasource,destination_coord,datetime,origin_coord,region",
];

fn plan(header: &str) -> Plan {
    let line = format!("{header}\n");
    let mut reader = RecordReader::new(line.as_bytes(), 1 << 20);
    let record = reader.next_record().expect("memory").expect("a header");
    header::resolve(&FeedChoice::builtin(), &record).expect("the five columns")
}

/// Reads the first line in both ways. What the reader of usual lines takes is what any record says.
fn check(plan: &Plan, text: &[u8]) -> bool {
    for zero_coordinates in [ZeroCoordinates::Warn, ZeroCoordinates::Stage] {
        let constraints = Constraints::new("2000-01-01", "2030-12-31", zero_coordinates);
        let constraints = constraints.expect("two dates");
        let mut usual = UsualLines::of(plan, b',', constraints).expect("the five columns");
        // The second time, its texts are known.
        for _ in 0..2 {
            let mut reader = RecordReader::new(text, 1 << 20);
            let Some((trip, length)) = usual.read(text) else { continue };
            let record = reader.next_record().expect("memory").expect("a record");
            assert_eq!(record.error, None);
            let fields = texts(plan, &record).expect("its fields");
            let expected = fields.validate(&constraints);
            assert_eq!(Ok(&trip), expected.as_ref(), "{}", text.escape_ascii());
            assert_eq!(length as u64, reader.position(), "{}", text.escape_ascii());
            if zero_coordinates == ZeroCoordinates::Stage {
                return true;
            }
        }
    }
    false
}

fn line(
    plan_of: usize,
    [region, origin, destination, time, source]: [&str; 5],
    end: &str,
) -> String {
    let fields = match plan_of {
        0 => [region, origin, destination, time, source],
        1 => [time, source, region, destination, origin],
        _ => [source, destination, time, origin, region],
    };
    fields.join(",") + end
}

#[test]
fn usual_lines_are_taken() {
    for (i, header) in HEADERS.iter().enumerate() {
        let plan = plan(header);
        for end in ["\n", "\r\n", "", "\nnext,line\n"] {
            for origin in ["POINT (14.4973794438195 50.00136875782316)", "", "POINT(-180 90)"] {
                for source in ["funny_car", "", "Škoda"] {
                    let fields = ["Prague", origin, "POINT (9 1.5)", "2018-05-28 09:03:40", source];
                    let text = line(i, fields, end);
                    assert!(check(&plan, text.as_bytes()), "{text}");
                }
            }
        }
    }
}

#[test]
fn other_lines_are_left() {
    let usual = ["Prague", "POINT (14.4 50.0)", "POINT (9 1.5)", "2018-05-28 09:03:40", "x"];
    let other: [(usize, &[&str]); 4] = [
        (0, &["", " Prague", "Prague ", "\u{feff}Prague", "Pra\rgue", "\0", " "]),
        (
            1,
            &[
                "POINT (181 1)",
                "point (1 1)",
                "POINT (1  1)",
                "POINT (1 1",
                "POINT (1e1 1)",
                "POINT (+1 1)",
                "POINT (1 1) ",
            ],
        ),
        (
            3,
            &[
                "",
                "2018-02-30 00:00:00",
                "2018-05-28 09:03:40.5",
                "1999-12-31 23:59:59",
                "2018-05-28",
            ],
        ),
        (4, &[" x", "x\ry", "x,y"]),
    ];
    for (i, header) in HEADERS.iter().enumerate() {
        let plan = plan(header);
        for (column, values) in other {
            for value in values {
                let mut fields = usual;
                fields[column] = value;
                for end in ["\n", "\r\n", ""] {
                    let text = line(i, fields, end);
                    assert!(!check(&plan, text.as_bytes()), "{}", text.escape_debug());
                }
            }
        }
        assert!(!check(&plan, b"\n") && !check(&plan, b"a,b\n") && !check(&plan, b""));
    }
    let long = "x".repeat(5000);
    let text = line(0, [&long, usual[1], usual[2], usual[3], usual[4]], "\n");
    assert!(!check(&plan(HEADERS[0]), text.as_bytes()));
}

#[test]
fn texts_of_one_place_do_not_mix() {
    let plan = plan(HEADERS[0]);
    let mut usual = UsualLines::of(&plan, b',', Constraints::default()).expect("the five columns");
    for i in 0..2000 {
        let text = format!("r{},,,2018-05-28 09:03:40,d{}\n", i % 700, i % 311);
        let (trip, _) = usual.read(text.as_bytes()).expect("a usual line");
        assert_eq!(trip.region, format!("r{}", i % 700));
        assert_eq!(trip.datasource, Some(format!("d{}", i % 311).as_str()));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    /// Usual lines with a few other bytes in them.
    #[test]
    fn near_misses(
        header in 0..3_usize,
        numbers in [-181.0..181.0_f64, -91.0..91.0, -181.0..181.0, -91.0..91.0],
        seconds in 0_i64..1_000_000_000,
        end in prop_oneof!["\n", "\r\n", "", "\r", "\n\n"],
        changes in prop::collection::vec((0..140_usize, prop_oneof![Just(b','), Just(b'\n'), Just(b'\r'), Just(b' '), Just(b'.'), Just(b'-'), any::<u8>()]), 0..3),
    ) {
        let [a, b, c, d] = numbers;
        let [origin, destination] = [(a, b), (c, d)].map(|(x, y)| format!("POINT ({x} {y})"));
        let time = Timestamp(seconds * 1_000_000).full_text();
        let mut text = line(header, ["Prague", &origin, &destination, &time, "x"], &end).into_bytes();
        for (at, byte) in changes {
            // A quote makes another chunk.
            if byte != b'"' && let Some(place) = text.get_mut(at) {
                *place = byte;
            }
        }
        check(&plan(HEADERS[header]), &text);
    }
}

/// As many lines as one likes: `make test-values`.
#[test]
#[ignore = "many values: make test-values"]
fn usual_lines_are_those_of_the_general_reader() {
    let count = many_values::count();
    let plan = plan(HEADERS[0]);
    let constraints =
        Constraints::new("2000-01-01", "2030-12-31", ZeroCoordinates::Warn).expect("two dates");
    let mut usual = UsualLines::of(&plan, b',', constraints).expect("the five columns");
    let mut read = 0_u64;
    let mut random = Random(1);
    let mut below = |end| random.index(end);
    // A line has five values.
    for _ in 0..count / 5 {
        let coordinate = |below: &mut dyn FnMut(usize) -> usize, limit| {
            format!(
                "{}{}.{:0width$}",
                ["", "-"][below(2)],
                below(limit),
                below(1 << 31),
                width = 1 + below(15)
            )
        };
        let [a, b, c, d] = [180, 90, 180, 90].map(|limit| coordinate(&mut below, limit));
        let time =
            Timestamp(i64::try_from(below(900_000_000)).unwrap_or(0) * 1_000_000).full_text();
        let (region, source) = (format!("region {}", below(300)), format!("source {}", below(9)));
        let fields = [
            region.as_str(),
            &format!("POINT ({a} {b})"),
            &format!("POINT ({c} {d})"),
            &time,
            &source,
        ];
        let mut text = line(0, fields, "\n").into_bytes();
        if below(4) == 0 {
            let at = below(text.len());
            text[at] = b"0,\n\r .-(T:"[below(10)];
        }
        let mut reader = RecordReader::new(&text[..], 1 << 20);
        let Some((trip, length)) = usual.read(&text) else { continue };
        read += 1;
        let record = reader.next_record().expect("memory").expect("a record");
        let fields = texts(&plan, &record).expect("its fields");
        assert_eq!(Ok(&trip), fields.validate(&constraints).as_ref(), "{}", text.escape_ascii());
        assert_eq!(length as u64, reader.position(), "{}", text.escape_ascii());
    }
    assert!(read > count / 10, "{read} lines were read");
}
