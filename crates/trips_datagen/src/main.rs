//! `trips_datagen FILE [rows=N] [seed=N] [regions=N] [days=N] [first_day=YYYY-MM-DD] [feed=lyft|tlc_yellow]`

#![forbid(unsafe_code)]

use std::fs::File;
use std::io::{BufWriter, Write};
use std::process::ExitCode;

use trips_datagen::Shape;
use trips_datagen::wide::{self, WideFeed};

const USAGE: &str = "\
trips_datagen writes a CSV file of made-up trips.

Usage:
  trips_datagen FILE [rows=N] [seed=N] [regions=1..12] [days=N] [first_day=YYYY-MM-DD] [feed=lyft|tlc_yellow]

The same arguments give the same file. An existing file is replaced. A FILE that begins
with a minus is written as ./-FILE. --help prints this text, --version the version.";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        Some("--help" | "-h" | "-?") => println!("{USAGE}"),
        Some("--version" | "-V") => println!("trips_datagen {}", env!("CARGO_PKG_VERSION")),
        _ => {
            if let Err(error) = run(arguments) {
                eprintln!("{error}");
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}

fn run(arguments: Vec<String>) -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = arguments.into_iter();
    let path = arguments.next().ok_or(USAGE)?;
    if path.starts_with('-') {
        return Err(format!("invalid option {path:?}\n{USAGE}").into());
    }
    let (mut shape, mut feed) = (Shape::default(), None);
    for argument in arguments {
        let (name, value) = argument.split_once('=').ok_or(USAGE)?;
        match name {
            "rows" => shape.rows = value.parse()?,
            "seed" => shape.seed = value.parse()?,
            "days" => shape.days = value.parse()?,
            "first_day" => shape.first_day = value.parse()?,
            "regions" => shape.regions = value.parse()?,
            "feed" => {
                feed = Some(match value {
                    "lyft" => WideFeed::Lyft,
                    "tlc_yellow" => WideFeed::TlcYellow,
                    _ => return Err(USAGE.into()),
                });
            }
            _ => return Err(USAGE.into()),
        }
    }
    if !(1..=12).contains(&shape.regions) || shape.days == 0 {
        return Err(USAGE.into());
    }
    let mut file = BufWriter::with_capacity(1 << 20, File::create(path)?);
    match feed {
        Some(feed) => {
            let month = shape.first_day.and_hms_opt(0, 0, 0).ok_or(USAGE)?;
            wide::write(feed, (shape.rows, shape.seed), month, &mut file)?;
        }
        None => trips_datagen::write(&shape, &mut file)?,
    }
    Ok(file.flush()?)
}
