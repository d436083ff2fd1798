//! Reads splits of files of trips for a server: see the library.

use std::ffi::OsString;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    match trips_reader::run(&arguments, &mut std::io::stdout().lock()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failed) => {
            eprintln!("trips_reader: {failed}");
            ExitCode::from(failed.status)
        }
    }
}
