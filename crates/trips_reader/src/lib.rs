//! Reads splits of files of trips for a server: with the parser of `trips.ingest`, into parts for `trips.upload_part`.
//! The program `trips_reader` is this library; `docker/spark/load.py` runs it on every worker of a cluster.

mod checked;
mod contents;
mod options;
mod order;
#[cfg(feature = "parquet")]
mod parquet;
mod parts;
mod piece;
mod pieces;
mod read;
mod split;
mod spool;
mod zones;

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::Path;

use options::Options;

const USAGE: &str = "usage:
  trips_reader split FILE [split_bytes=N] [max_record_size=N] [LIMITS] [FEED]
      looks through a file and prints one line of JSON: its size, time and BLAKE3, and its splits as
      [first_byte, bytes, first_line, BLAKE3 of the header and the split, columns, if a second header has changed
      them or the file decides the order of day and month]; or, under \"refused\", why the file is refused.
      A packed file, JSON, Parquet or text in UTF-16 has pieces of its content: a stream is one, and so is each member
      of an archive; Parquet has row groups. A sixth value is then the piece, and first_byte and bytes count the content
  trips_reader read FILE load_id=N first_byte=N bytes=N first_line=N blake3=D file_bytes=N mtime_ns=N
               [columns=C] [piece=P] [max_record_size=N] [earliest_date=D] [latest_date=D]
               [zero_coordinates=keep|warn|stage] [LIMITS] [FEED]
      reads one split, which is held in memory, or one piece, and prints its parts, each behind its length (8 bytes,
      big-endian)
  trips_reader version | --help
LIMITS: max_unpacked_size=BYTES max_compression_ratio=N max_archive_members=N max_archive_depth=N, as the settings
FEED: feed=NAME feed_file=PATH region=TEXT datasource=TEXT zones_file=PATH; the header decides the feed unless it is
      given; feed_file is the definition of a feed that is not built in; the options of split and read must be the same.
      zones_file has the zones and stations of the server, of which read alone needs the places: lines of JSON
      [set, id, first year, last year, region, longitude as text, latitude as text], in which others than set and id may
      be null; it may be /dev/stdin
WARNINGS: split prints the records of the stations of an archive that are no stations under \"warnings\"
exit codes: 1; 3 when the file changed meanwhile; 4 when its times contradict its feed";

/// The error that ends the program.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("{0}\n{USAGE}")]
    Usage(String),
    #[error("file {path}: {error}")]
    File { path: String, error: io::Error },
    #[error("file {0} changed since it was split")]
    Changed(String),
    #[error("file {path}: stations of the archive: {error}")]
    Stations { path: String, error: String },
    #[error("file {path}: {message}")]
    Contradiction { path: String, message: String },
    #[error("out of memory")]
    Memory(#[from] std::collections::TryReserveError),
    #[error("could not write the output: {0}")]
    Write(io::Error),
}

/// A path for messages.
fn shown(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// The error that ends the program.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Failed {
    /// What the program prints.
    pub message: String,
    /// Its exit status, which says whether another attempt could succeed.
    pub status: u8,
}

impl From<Failure> for Failed {
    fn from(failure: Failure) -> Self {
        let status = match failure {
            Failure::Changed(_) => 3,
            Failure::Contradiction { .. } => 4,
            _ => 1,
        };
        Self { message: failure.to_string(), status }
    }
}

/// Runs the program with these arguments.
///
/// # Errors
/// When an argument is invalid, or the file cannot be read.
///
/// ```
/// let mut out = Vec::new();
/// trips_reader::run(&["version".into()], &mut out)?;
/// assert!(out.ends_with(b"\n"));
/// # Ok::<(), trips_reader::Failed>(())
/// ```
pub fn run(arguments: &[OsString], out: &mut impl Write) -> Result<(), Failed> {
    // A path may be any bytes; an option must be text.
    let texts: Vec<&str> = arguments.iter().map(|a| a.to_str().unwrap_or_default()).collect();
    let path = || Path::new(&arguments[1]);
    match texts[..] {
        ["--help" | "help"] => writeln!(out, "{USAGE}").map_err(Failure::Write)?,
        ["version" | "--version"] => {
            writeln!(out, "{}", env!("CARGO_PKG_VERSION")).map_err(Failure::Write)?
        }
        ["split", _, ref options @ ..] => split::run(path(), &Options::of(options)?, out)?,
        ["read", _, ref options @ ..] => read::run(path(), &Options::of(options)?, out)?,
        _ => return Err(Failure::Usage("missing or unknown command".into()).into()),
    }
    Ok(())
}
