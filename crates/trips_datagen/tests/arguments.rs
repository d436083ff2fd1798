//! Options are not names of files.

use std::process::{Command, Output};

fn run(argument: &str) -> (Output, Vec<String>) {
    let directory =
        std::env::temp_dir().join(format!("trips_datagen-{}-{argument}", std::process::id()));
    std::fs::create_dir_all(&directory).expect("a directory");
    let mut command = Command::new(env!("CARGO_BIN_EXE_trips_datagen"));
    let output = command.arg(argument).current_dir(&directory).output().expect("the program runs");
    let entries = std::fs::read_dir(&directory).expect("the directory").flatten();
    let files = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    std::fs::remove_dir_all(&directory).expect("removed");
    (output, files)
}

#[test]
fn options_write_no_file() {
    for (option, is_good, expected) in [
        ("--help", true, "Usage:"),
        ("--version", true, "trips_datagen "),
        ("--rows=1", false, "invalid option"),
    ] {
        let (output, files) = run(option);
        let printed =
            String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert_eq!((output.status.success(), files), (is_good, Vec::new()), "{option}: {printed}");
        assert!(printed.contains(expected), "{printed}");
    }
}
