//! A file that changes during a job, and is restored: no part of the changed file is printed.

use std::fs::{File, FileTimes};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const HEADER: &str = "region,origin_coord,destination_coord,date_time,datasource\n";

fn reader(arguments: &[&str], path: &Path, options: &[String]) -> Output {
    let program = env!("CARGO_BIN_EXE_trips_reader");
    Command::new(program).args(arguments).arg(path).args(options).output().unwrap()
}

/// A file of three splits, whose name is not UTF-8.
fn file() -> (PathBuf, String) {
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let path = directory.join(std::ffi::OsStr::from_bytes(b"trips \xc3\xa4\xff.csv"));
    let rows: String = (0..60_000)
        .map(|i| format!("Turin {i},POINT (1 2),POINT (3 4),2018-05-01 00:{:02}:00,car\n", i % 60))
        .collect();
    let content = [HEADER, &rows].concat();
    std::fs::write(&path, &content).unwrap();
    (path, content)
}

#[test]
fn a_changed_file_is_not_read() {
    let (path, content) = file();
    let cut = reader(&["split"], &path, &["split_bytes=1000000".to_owned()]);
    assert!(cut.status.success(), "{}", String::from_utf8_lossy(&cut.stderr));
    let cut: serde_json::Value = serde_json::from_slice(&cut.stdout).unwrap();
    assert_eq!(cut["digest"], blake3::hash(content.as_bytes()).to_hex().as_str());
    let splits = cut["splits"].as_array().unwrap();
    assert!(splits.len() > 2, "{splits:?}");
    let read = |split: &serde_json::Value| {
        let options = [
            "load_id=1".to_owned(),
            format!("first_byte={}", split[0]),
            format!("bytes={}", split[1]),
            format!("first_line={}", split[2]),
            format!("blake3={}", split[3].as_str().unwrap()),
            format!("file_bytes={}", cut["bytes"]),
            format!("mtime_ns={}", cut["mtime_ns"].as_str().unwrap()),
        ];
        reader(&["read"], &path, &options)
    };
    let modified = path.metadata().unwrap().modified().unwrap();
    let write = |content: &str| {
        std::fs::write(&path, content).unwrap();
        let file = File::options().append(true).open(&path).unwrap();
        file.set_times(FileTimes::new().set_modified(modified)).unwrap();
    };
    for split in splits {
        assert!(read(split).status.success());
    }
    // The same length and the same time: other values everywhere, then the columns of the header.
    let other_rows = content.replace("Turin", "Tirin");
    let other_header =
        content.replace("origin_coord,destination_coord", "destination_coord,origin_coord");
    for other in [&other_rows, &other_header] {
        assert_eq!(other.len(), content.len());
        write(other);
        for split in splits {
            let output = read(split);
            let message = String::from_utf8_lossy(&output.stderr);
            assert!(message.contains("changed since it was split"), "{message}");
            assert!(output.status.code() == Some(3) && output.stdout.is_empty(), "{split}");
        }
    }
    write(&content);
    for split in splits {
        let output = read(split);
        assert!(output.status.success() && output.stdout.len() > 1000, "{split}");
    }
    std::fs::remove_file(&path).unwrap();
}
