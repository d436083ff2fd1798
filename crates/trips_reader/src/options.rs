//! Options `name=value` of the command line, and their defaults.

use std::fs::{File, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

use trips_core::check::constraints::{Constraints, ZeroCoordinates};
use trips_core::feed::builtin;
use trips_core::feed::choice::{FeedChoice, Options as FeedOptions};
use trips_core::feed::detect::Catalogue;
use trips_core::feed::zones::Zones;
use trips_core::text::escape::quoted;

use crate::{Failure, shown, zones};

/// The names that may be given.
const NAMES: [&str; 23] = [
    "feed",
    "feed_file",
    "zones_file",
    "region",
    "datasource",
    "blake3",
    "columns",
    "split_bytes",
    "load_id",
    "first_byte",
    "bytes",
    "first_line",
    "file_bytes",
    "mtime_ns",
    "max_record_size",
    "earliest_date",
    "latest_date",
    "zero_coordinates",
    "piece",
    "max_unpacked_size",
    "max_compression_ratio",
    "max_archive_members",
    "max_archive_depth",
];

/// Options as they were given.
pub struct Options<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Options<'a> {
    /// Parses them.
    pub fn of(arguments: &[&'a str]) -> Result<Self, Failure> {
        let options = arguments.iter().map(|argument| match argument.split_once('=') {
            Some((name, value)) if NAMES.contains(&name) => Ok((name, value)),
            _ => Err(Failure::Usage(format!("unknown option {}", quoted(argument.as_bytes())))),
        });
        options.collect::<Result<_, _>>().map(Self)
    }

    /// The text of an option, if it is given.
    pub fn text(&self, name: &str) -> Option<&'a str> {
        self.0.iter().rev().find(|(given, _)| *given == name).map(|(_, value)| *value)
    }

    /// A required number, unless there is a default.
    pub fn number<T: std::str::FromStr>(
        &self,
        name: &str,
        default: Option<T>,
    ) -> Result<T, Failure> {
        match (self.text(name), default) {
            (Some(text), _) => text.parse().map_err(|_| {
                Failure::Usage(format!("invalid number {name}={}", quoted(text.as_bytes())))
            }),
            (None, Some(default)) => Ok(default),
            (None, None) => Err(Failure::Usage(format!("{name} is missing"))),
        }
    }

    /// A required digest.
    pub fn digest(&self, name: &str) -> Result<blake3::Hash, Failure> {
        let text = self.text(name).ok_or_else(|| Failure::Usage(format!("{name} is missing")))?;
        blake3::Hash::from_hex(text).map_err(|_| {
            Failure::Usage(format!("invalid digest {name}={}", quoted(text.as_bytes())))
        })
    }

    /// The longest record, as `trips.max_record_size` allows it.
    pub fn max_record_size(&self) -> Result<usize, Failure> {
        self.number("max_record_size", Some(1 << 20))
    }

    /// The feeds that the file may be of: the built-in ones, and that of `feed_file`; and what the caller gives. The zones are
    /// the built-in ones, and those of `zones_file`.
    pub fn choice(&self) -> Result<FeedChoice, Failure> {
        let mut feeds = builtin::all().to_vec();
        if let Some(path) = self.text("feed_file") {
            let failed = |error| Failure::File { path: path.to_owned(), error };
            let json = std::fs::read_to_string(path).map_err(failed)?;
            let feed = builtin::definition_of_user(&json).map_err(|errors| {
                let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
                Failure::Usage(format!("invalid feed definition {path}: {}", errors.join("; ")))
            })?;
            if builtin::get(&feed.name).is_some() {
                return Err(Failure::Usage(format!(
                    "feed {} is built in",
                    quoted(feed.name.as_bytes())
                )));
            }
            feeds.push(Arc::new(feed));
        }
        let owned = |name: &str| self.text(name).map(str::to_owned);
        let options = FeedOptions { region: owned("region"), datasource: owned("datasource") };
        let catalogue = Arc::new(Catalogue::new(feeds));
        let mut zones = Zones::builtin();
        if let Some(path) = self.text("zones_file") {
            let mut builder = zones.to_builder();
            zones::add(path, &mut builder)?;
            zones = builder.build();
        }
        Ok(FeedChoice { catalogue, feed: owned("feed"), options, zones })
    }

    /// Constraints of a trip, as the settings of the server define them.
    pub fn constraints(&self) -> Result<Constraints, Failure> {
        let zero_coordinates = match self.text("zero_coordinates") {
            Some("keep") => ZeroCoordinates::Keep,
            Some("warn") | None => ZeroCoordinates::Warn,
            Some("stage") => ZeroCoordinates::Stage,
            Some(other) => {
                let shown = quoted(other.as_bytes());
                return Err(Failure::Usage(format!("invalid value zero_coordinates={shown}")));
            }
        };
        let earliest = self.text("earliest_date").unwrap_or("1970-01-01");
        let latest = self.text("latest_date").unwrap_or("2099-12-31");
        Constraints::new(earliest, latest, zero_coordinates).ok_or_else(|| {
            Failure::Usage(format!(
                "invalid dates earliest_date={} latest_date={}",
                quoted(earliest.as_bytes()),
                quoted(latest.as_bytes())
            ))
        })
    }
}

/// Opens a file, and returns its size and when it was changed, in nanoseconds since 1970.
pub fn open(path: &Path) -> Result<(File, u64, i128), Failure> {
    let failed = |error| Failure::File { path: shown(path), error };
    let file = File::open(path).map_err(failed)?;
    let found = file.metadata().map_err(failed)?;
    Ok((file, found.len(), changed_at(&found)))
}

/// When a file was changed, in nanoseconds since 1970.
fn changed_at(found: &Metadata) -> i128 {
    i128::from(found.mtime()) * 1_000_000_000 + i128::from(found.mtime_nsec())
}
