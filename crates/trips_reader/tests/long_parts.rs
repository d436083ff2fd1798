//! Records whose rejected lines are much longer: no part is longer than a server accepts.

use std::path::PathBuf;
use std::process::Command;

use trips_core::check::constraints::Constraints;
use trips_core::feed::definition::IdentityRule;
use trips_core::upload::part::{Part, most_bytes};

const HEADER: &str = "region,origin_coord,destination_coord,date_time,datasource\n";

/// The lengths of the parts of a file that is one split, and their rejected lines.
fn parts(name: &str, content: &[u8], max_record: usize) -> (Vec<usize>, usize) {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, content).unwrap();
    let reader = |command: &str, options: &[String]| {
        let program = env!("CARGO_BIN_EXE_trips_reader");
        let output = Command::new(program).arg(command).arg(&path).args(options).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    };
    let max_record = format!("max_record_size={max_record}");
    let cut = reader("split", &["split_bytes=1000000000".to_owned(), max_record.clone()]);
    let cut: serde_json::Value = serde_json::from_slice(&cut).unwrap();
    let splits = cut["splits"].as_array().unwrap();
    assert_eq!(splits.len(), 1);
    let options = [
        "load_id=1".to_owned(),
        "first_byte=0".to_owned(),
        format!("bytes={}", splits[0][1]),
        "first_line=1".to_owned(),
        format!("blake3={}", splits[0][3].as_str().unwrap()),
        format!("file_bytes={}", cut["bytes"]),
        format!("mtime_ns={}", cut["mtime_ns"].as_str().unwrap()),
        max_record,
    ];
    let printed = reader("read", &options);
    let (mut rest, mut lengths, mut lines, mut end) = (&printed[..], Vec::new(), 0, 0);
    while let Some((length, behind)) = rest.split_first_chunk() {
        let (part, behind) = behind.split_at(usize::try_from(u64::from_be_bytes(*length)).unwrap());
        lengths.push(part.len());
        let part = Part::decode(part, &Constraints::default(), &IdentityRule::Content).unwrap();
        assert_eq!(part.first_byte, end);
        (end, lines, rest) = (end + part.bytes, lines + part.staged.len(), behind);
    }
    assert_eq!(end, content.len() as u64);
    std::fs::remove_file(&path).unwrap();
    (lengths, lines)
}

fn require_at_most(name: &str, content: &[u8], max_record: usize, expected: usize) {
    let (lengths, lines) = parts(name, content, max_record);
    println!("{name}: {lengths:?}");
    assert_eq!(lines, expected, "{name}");
    let limit = most_bytes(max_record);
    assert!(lengths.iter().all(|&length| length <= limit), "{name}: {lengths:?}, at most {limit}");
}

#[test]
fn many_short_lines() {
    for (name, line) in [("x", "x\n"), ("quotes", "\"\"\n"), ("empty", ",,,,\n")] {
        let content = HEADER.to_owned() + &line.repeat(600_000);
        require_at_most(name, content.as_bytes(), 1 << 20, 600_000);
    }
}

/// A record with bytes that no text can hold takes five times as many.
#[test]
fn long_lines() {
    for max_record in [1 << 20, 16 << 20] {
        let mut content = HEADER.as_bytes().to_vec();
        for _ in 0..3 {
            content.extend("x\n".repeat(100_000).as_bytes());
            content.extend(vec![0xff; max_record]);
            content.push(b'\n');
        }
        require_at_most(&format!("long {max_record}"), &content, max_record, 300_003);
    }
}
