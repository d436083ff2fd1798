//! A file that is cut, flipped or declares too much is an error, and never a panic.

use trips_core::format::parquet::fault::{FaultKind, ParquetFault};
use trips_testkit::parquet::{Column, Layout, Value, write};
use trips_testkit::parquet_file::{check_bytes, found};

/// A small file of trips in three row groups.
pub fn file(layout: Layout) -> Vec<u8> {
    let rows = 60;
    let texts = |text: &str| {
        let value = |at| (at % 7 > 0).then(|| Value::Bytes(format!("{text}{}", at % 5).into()));
        (0..rows).map(value).collect::<Vec<_>>()
    };
    let numbers = (0..rows).map(|at| Some(Value::Number(40.0 + f64::from(at) / 10.0)));
    let times = (0..rows).map(|at| Some(Value::from(&*format!("4/{}/2014 0:11:00", at % 28 + 1))));
    let columns = [
        Column::new("optional binary Base (STRING)", texts("B0251")),
        Column::new("optional double Lat", numbers.clone().collect()),
        Column::new(
            "optional double Lon",
            numbers.map(|n| n.map(|_| Value::Number(-73.9))).collect(),
        ),
        Column::new("required binary Date/Time (STRING)", times.collect()),
    ];
    write(&columns, Layout { group_rows: 20, ..layout })
}

#[test]
fn every_flipped_byte_and_every_cut_is_an_error_or_trips() {
    for is_v2 in [false, true] {
        let good = file(Layout { is_v2, ..Layout::default() });
        assert_eq!(found(good.clone(), 1 << 20).expect("a good file").rows, 60);
        for at in 0..good.len() {
            for bit in [0x01, 0xff] {
                let mut flipped = good.clone();
                flipped[at] ^= bit;
                check_bytes(&flipped);
            }
            let error = found(good[..at].to_vec(), 1 << 20).expect_err("it is cut");
            assert_eq!(ParquetFault::of(&error).expect("a fault").kind, FaultKind::Damaged);
        }
    }
}

#[test]
fn an_error_names_the_row_group_the_column_and_the_byte() {
    let mut file = file(Layout {
        compression: parquet::basic::Compression::UNCOMPRESSED,
        ..Layout::default()
    });
    // The first page header: its type becomes one of a later version, its sizes stay.
    file[5] = 0x7f;
    let error = found(file, 1 << 20).expect_err("damaged");
    let fault = ParquetFault::of(&error).expect("a fault");
    assert_eq!((fault.row_group, fault.column.as_deref()), (Some(0), Some("Base")));
    assert_eq!(fault.byte, Some(4));
    assert!(error.to_string().starts_with("row group 0, column Base, byte 4: "), "{error}");
}
