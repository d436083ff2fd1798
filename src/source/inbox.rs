//! Files that a pattern names, as they lie there now.

use std::fs::{File, Metadata, read_dir};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};
use std::time::{Duration, SystemTime};

use glob::{MatchOptions, Pattern};
use pgrx::check_for_interrupts;

use super::{Access, EPOCH, Source, beneath, changed_at, writers};
use crate::error::LoadError;
use crate::pg::lease::Writers;

/// `*` and `?` do not begin a hidden name: programs write files under such names before they rename them.
const OPTIONS: MatchOptions = MatchOptions {
    case_sensitive: true,
    require_literal_separator: true,
    require_literal_leading_dot: true,
};

/// A regular file.
#[derive(Debug, Clone)]
pub struct FoundFile {
    /// Absolute path.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// Its ctime: microseconds since 2000-01-01 UTC.
    pub changed_at: i64,
    /// How many names it has.
    pub links: u64,
}

impl FoundFile {
    /// How long ago it was changed, by the clock of this machine.
    pub fn age(&self) -> Duration {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let micros = self.changed_at.saturating_add(EPOCH * 1_000_000);
        now.saturating_sub(Duration::from_micros(u64::try_from(micros).unwrap_or(0)))
    }
}

/// What a pattern names.
#[derive(Debug, Default)]
pub struct Listing {
    /// In the order of their paths, byte by byte.
    pub files: Vec<FoundFile>,
    /// How many other things have such names: directories, pipes, links to nothing, names that are no UTF-8.
    pub others: u64,
    /// Names that the pattern has given and behind which nobody could look: a directory that may not be read, a link
    /// that leads out or to itself. So many, and the first of them, each with the reason.
    pub unreadable: (u64, Vec<String>),
}

/// So many of the names that could not be read are told.
const UNREADABLE_TOLD: usize = 20;

impl Listing {
    fn pass_over(&mut self, path: &Path, error: io::Error) {
        let (count, told) = &mut self.unreadable;
        *count += 1;
        if told.len() < UNREADABLE_TOLD {
            let path = path.to_string_lossy().into_owned();
            told.push(LoadError::Open { path, error }.to_string());
        }
    }
}

/// Where files are looked for.
struct Place {
    /// The directory that nothing leads out of, when the access is bounded.
    root: Option<PathBuf>,
}

impl Place {
    fn names(&self, directory: &Path) -> io::Result<Vec<std::ffi::OsString>> {
        let listed = match &self.root {
            None => read_dir(directory)?,
            Some(root) => {
                let opened = beneath::look(root, below(root, directory))?;
                read_dir(beneath::name_of(&opened))?
            }
        };
        listed.map(|entry| entry.map(|entry| entry.file_name())).collect()
    }

    fn look(&self, path: &Path) -> io::Result<Metadata> {
        match &self.root {
            None => std::fs::metadata(path),
            Some(root) => {
                beneath::look(root, below(root, path)).and_then(|file: File| file.metadata())
            }
        }
    }
}

pub(super) fn below<'a>(root: &Path, path: &'a Path) -> &'a Path {
    match path.strip_prefix(root) {
        Ok(rest) if rest.as_os_str().is_empty() => Path::new("."),
        Ok(rest) => rest,
        Err(_) => path,
    }
}

/// Refuses a pattern whose files the access does not reach. Returns the directory that nothing leads out of.
pub fn require_access(pattern: &str, access: &Access) -> Result<Option<PathBuf>, LoadError> {
    if !Path::new(pattern).is_absolute() {
        return Err(LoadError::RelativePath(pattern.to_owned()));
    }
    match access {
        Access::AnyFile => Ok(None),
        Access::Within(directory) => Ok(Some(directory.into())),
        Access::Beneath(directories) => {
            let found = beneath::split(directories, pattern);
            Ok(Some(found.ok_or_else(|| LoadError::MayNotRead(pattern.to_owned()))?.0))
        }
    }
}

/// The files that an absolute pattern names: `*`, `?` and `[…]` may stand in any part of it.
pub fn list(pattern: &str, access: &Access) -> Result<Listing, LoadError> {
    let root = require_access(pattern, access)?;
    let mut parts = Vec::new();
    for part in Path::new(pattern).components() {
        if let Component::RootDir = part {
            continue;
        }
        let text = part.as_os_str().to_string_lossy().into_owned();
        let wild = is_wild(&text).then(|| compile(pattern, &text)).transpose()?;
        parts.push((text, wild));
    }
    list_parts(root, Path::new("/"), &parts)
}

fn is_wild(part: &str) -> bool {
    part.contains(['*', '?', '['])
}

/// The directory of an absolute pattern before its first part with a wildcard; that of the file, where it has none.
pub fn fixed_directory(pattern: &str) -> String {
    let fixed = pattern.split('/').take_while(|part| !is_wild(part)).collect::<Vec<_>>().join("/");
    let directory = if fixed.len() < pattern.len() {
        fixed.as_str()
    } else {
        fixed.trim_end_matches('/').rsplit_once('/').map_or("", |(directory, _)| directory)
    };
    if directory.is_empty() { "/".to_owned() } else { directory.to_owned() }
}

/// The files of a directory whose names fit a pattern. The directory's name means itself, whatever is in it.
pub fn list_directory(directory: &str, pattern: &str) -> Result<Listing, LoadError> {
    let parts = [(pattern.to_owned(), Some(compile(pattern, pattern)?))];
    list_parts(Some(directory.into()), Path::new(directory), &parts)
}

fn compile(pattern: &str, part: &str) -> Result<Pattern, LoadError> {
    Pattern::new(part).map_err(|error| LoadError::Pattern {
        pattern: pattern.to_owned(),
        error: error.to_string(),
    })
}

fn list_parts(
    root: Option<PathBuf>,
    from: &Path,
    parts: &[(String, Option<Pattern>)],
) -> Result<Listing, LoadError> {
    let mut listing = Listing::default();
    expand(&Place { root }, from.to_owned(), parts, false, &mut listing)?;
    listing.files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(listing)
}

/// Whether a file's name is one of those that a pattern names.
pub fn matches(pattern: &str, name: &str) -> bool {
    Pattern::new(pattern).is_ok_and(|pattern| pattern.matches_with(name, OPTIONS))
}

/// A file by its path, if it is a regular one.
pub fn find(path: &str, access: &Access) -> Option<FoundFile> {
    let root = match access {
        Access::AnyFile => None,
        Access::Within(directory) => Some(directory.into()),
        Access::Beneath(directories) => Some(beneath::split(directories, path)?.0),
    };
    let metadata = Place { root }.look(Path::new(path)).ok().filter(Metadata::is_file)?;
    Some(found(path.to_owned(), &metadata))
}

fn found(path: String, metadata: &Metadata) -> FoundFile {
    let (size, links) = (metadata.len(), metadata.nlink());
    FoundFile { path, size, changed_at: changed_at(metadata), links }
}

/// Who has the file open for writing, as far as that can be found out.
pub fn writers(path: &str, access: &Access) -> Writers {
    Source::open(path, access).map_or(Writers::Unknown, |source| writers::of(&source.file))
}

fn expand(
    place: &Place,
    path: PathBuf,
    parts: &[(String, Option<Pattern>)],
    is_guess: bool,
    listing: &mut Listing,
) -> Result<(), LoadError> {
    check_for_interrupts!();
    let Some(((name, wild), rest)) = parts.split_first() else {
        match (place.look(&path), path.to_str()) {
            (Ok(metadata), Some(path)) if metadata.is_file() => {
                listing.files.push(found(path.to_owned(), &metadata));
            }
            // What is gone since, or was never there.
            (Err(error), _) if error.kind() == io::ErrorKind::NotFound && !is_guess => {}
            (Err(error), Some(_)) if error.kind() != io::ErrorKind::NotFound => {
                listing.pass_over(&path, error);
            }
            _ => listing.others += 1,
        }
        return Ok(());
    };
    let Some(wild) = wild else {
        return expand(place, path.join(name), rest, is_guess, listing);
    };
    let names = match place.names(&path) {
        Ok(names) => names,
        // A name that a pattern has given may be that of a file, or gone.
        Err(error)
            if is_guess
                && matches!(
                    error.kind(),
                    io::ErrorKind::NotADirectory | io::ErrorKind::NotFound
                ) =>
        {
            return Ok(());
        }
        // One of many directories: it costs no file of the others.
        Err(error) if is_guess => {
            listing.pass_over(&path, error);
            return Ok(());
        }
        Err(error) => {
            return Err(LoadError::Open { path: path.to_string_lossy().into_owned(), error });
        }
    };
    for name in names {
        let matches = match name.to_str() {
            Some(name) => wild.matches_with(name, OPTIONS),
            None => wild.matches_with(&name.to_string_lossy(), OPTIONS),
        };
        if matches {
            expand(place, path.join(&name), rest, true, listing)?;
        }
    }
    Ok(())
}
