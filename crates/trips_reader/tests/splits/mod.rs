//! The arguments with which a split of a file is read.

use serde_json::Value;

/// The arguments of `trips_reader read` for a split that `trips_reader split` printed for the file.
pub fn arguments(file: &Value, split: &Value) -> Vec<String> {
    let mut arguments = vec![
        "load_id=1".to_owned(),
        format!("first_byte={}", split[0]),
        format!("bytes={}", split[1]),
        format!("first_line={}", split[2]),
        format!("blake3={}", split[3].as_str().unwrap()),
        format!("file_bytes={}", file["bytes"]),
        format!("mtime_ns={}", file["mtime_ns"].as_str().unwrap()),
    ];
    arguments.extend(split[4].as_str().map(|columns| format!("columns={columns}")));
    arguments.extend(split[5].as_str().map(|piece| format!("piece={piece}")));
    arguments
}
