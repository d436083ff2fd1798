//! What a user asks the program before anything else.

use std::process::{Command, Output};

fn run(argument: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_trips_reader")).arg(argument).output().unwrap()
}

#[test]
fn help_and_version_are_no_errors() {
    for argument in ["--help", "help"] {
        let output = run(argument);
        assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
        assert!(output.stdout.starts_with(b"usage:\n"), "{output:?}");
    }
    for argument in ["--version", "version"] {
        let output = run(argument);
        assert!(output.status.success(), "{output:?}");
        assert_eq!(output.stdout, concat!(env!("CARGO_PKG_VERSION"), "\n").as_bytes());
    }
}

#[test]
fn an_unknown_command_prints_the_usage_as_an_error() {
    let output = run("--halp");
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty());
    assert!(String::from_utf8_lossy(&output.stderr).contains("usage:"), "{output:?}");
}
