//! Splits of a file with several headers: each is read with the columns at its begin.

mod splits;

use std::path::PathBuf;
use std::process::Command;

use trips_core::check::constraints::Constraints;
use trips_core::feed::definition::IdentityRule;
use trips_core::upload::part::Part;

const HEADER: &str = "region,origin_coord,destination_coord,date_time,datasource\n";
const SWAPPED: &str = "datasource,destination_coord,origin_coord,date_time,region,more\n";

fn reader(command: &str, path: &PathBuf, options: &[String]) -> Vec<u8> {
    let program = env!("CARGO_BIN_EXE_trips_reader");
    let output = Command::new(program).arg(command).arg(path).args(options).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// Trips and rejected lines of a split's parts.
fn counts(mut parts: &[u8]) -> (usize, usize) {
    let (mut trips, mut staged) = (0, 0);
    while let Some((length, rest)) = parts.split_first_chunk() {
        let (part, behind) = rest.split_at(usize::try_from(u64::from_be_bytes(*length)).unwrap());
        let part = Part::decode(part, &Constraints::default(), &IdentityRule::Content).unwrap();
        assert_eq!(part.duplicates, 0);
        (trips, staged, parts) = (trips + part.block.len(), staged + part.staged.len(), behind);
    }
    (trips, staged)
}

#[test]
fn splits_know_their_columns() {
    let rows = |of: &dyn Fn(u32, u32, u32) -> String| -> String {
        (0..30_000).map(|i| of(i, i / 3600, i / 60 % 60)).collect()
    };
    let plain = rows(&|i, h, m| {
        format!("Turin,POINT (1 2),POINT (3 4),2018-05-01 {h:02}:{m:02}:{:02},car\n", i % 60)
    });
    let swapped = rows(&|i, h, m| {
        format!("car,POINT (3 4),POINT (1 2),2018-05-02 {h:02}:{m:02}:{:02},Turin,\n", i % 60)
    });
    let unclear = "region,from,to,date_time,datasource\n";
    let content =
        [HEADER, &plain, SWAPPED, &swapped, unclear, &plain, HEADER, "A,,,2018-06-01 00:00:00,x\n"];
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("several headers.csv");
    std::fs::write(&path, content.concat()).unwrap();
    let cut = reader("split", &path, &["split_bytes=1".to_owned()]);
    let cut: serde_json::Value = serde_json::from_slice(&cut).unwrap();
    let splits = cut["splits"].as_array().unwrap();
    let columns: Vec<Option<&str>> = splits.iter().map(|split| split[4].as_str()).collect();
    assert_eq!(columns[0], None);
    assert!(columns.contains(&Some("6:0:3:1:2:4")), "{columns:?}");
    assert!(columns.contains(&Some("unknown:60003")), "{columns:?}");
    let (mut trips, mut staged) = (0, 0);
    for split in splits {
        let options = splits::arguments(&cut, split);
        let found = counts(&reader("read", &path, &options));
        (trips, staged) = (trips + found.0, staged + found.1);
    }
    assert_eq!((trips, staged), (60_001, 30_003));
    std::fs::remove_file(&path).unwrap();
}
