//! The present files of a pattern.

use std::collections::BTreeMap;
use std::fs::{File, Metadata, ReadDir, read_dir};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use glob::{MatchOptions, Pattern, PatternError};

use super::local::{confined, writers};
use super::stored::Stored;
use super::version::changed_at;
use super::{Access, FileVersion, Source, is_url, objects};
use crate::error::{LoadError, RequestError, SourceError};
use crate::os::lease::Writers;
use crate::pg::interrupts;

/// `*` and `?` do not match the dot of a hidden name: programs write files with such names before they rename them.
const OPTIONS: MatchOptions = MatchOptions {
    case_sensitive: true,
    require_literal_separator: true,
    require_literal_leading_dot: true,
};

/// The matches of a pattern.
#[derive(Debug, Default)]
pub struct Listing {
    /// In the order of their paths, byte by byte.
    pub files: Vec<FileVersion>,
    /// More matches follow: the list has reached its limit.
    pub is_cut: bool,
    /// Number of other matches: directories, pipes, links to nothing, names that are not UTF-8.
    pub others: u64,
    /// Matches that could not be opened: unreadable directories, links that lead out or to themselves. Their number,
    /// and the first of them with the reason.
    pub unreadable: (u64, Vec<String>),
}

/// Number of unreadable names that are reported.
const UNREADABLE_REPORTED: usize = 20;

impl First<'_> {
    fn pass_over(&mut self, path: &Path, error: io::Error) {
        let (count, reported) = &mut self.unreadable;
        *count += 1;
        if reported.len() < UNREADABLE_REPORTED {
            let path = path.to_string_lossy().into_owned();
            reported.push(SourceError::Open { path, error }.to_string());
        }
    }
}

/// Limit of the memory of a list, bytes.
const MAX_KEPT: usize = 8 * 1024 * 1024;
/// Approximate memory of a file, without its path.
const OVERHEAD: usize = 128;
/// Limit of the components with `*`, `?` or `[…]`: a directory is open for each of them.
const MAX_WILDCARDS: usize = 32;

/// The first files in the order of their paths, as many as memory allows.
#[derive(Default)]
pub(super) struct First<'a> {
    /// Files up to this path are skipped.
    after: Option<&'a str>,
    files: BTreeMap<String, FileVersion>,
    bytes: usize,
    is_cut: bool,
    others: u64,
    unreadable: (u64, Vec<String>),
}

impl<'a> First<'a> {
    /// The files after this path.
    pub(super) fn after(after: Option<&'a str>) -> Self {
        First { after, ..First::default() }
    }

    pub(super) fn into_listing(self) -> Listing {
        let First { files, is_cut, others, unreadable, .. } = self;
        Listing { files: files.into_values().collect(), is_cut, others, unreadable }
    }

    /// The same, with this number of other matches.
    #[cfg(feature = "object_store")]
    pub(super) fn with_others(self, others: u64) -> Self {
        First { others, ..self }
    }

    pub(super) fn add(&mut self, file: FileVersion) {
        if self.after.is_some_and(|after| file.path.as_str() <= after) {
            return;
        }
        self.bytes += 2 * file.path.len() + OVERHEAD;
        self.files.insert(file.path.clone(), file);
        while self.bytes > MAX_KEPT
            && let Some((path, _)) = self.files.pop_last()
        {
            self.bytes -= 2 * path.len() + OVERHEAD;
            self.is_cut = true;
        }
    }
}

/// A component of a pattern: its text, and whether it has wildcards.
type PatternComponent = (String, Option<Pattern>);

/// A directory that is being read.
struct FolderLevel {
    path: PathBuf,
    names: ReadDir,
    /// The component that its names must match.
    component: usize,
}

/// The root of the listing.
struct ListingRoot {
    /// The directory that no path may leave, if the access is bounded.
    root: Option<PathBuf>,
}

impl ListingRoot {
    fn names(&self, directory: &Path) -> io::Result<ReadDir> {
        match &self.root {
            None => read_dir(directory),
            Some(root) => {
                let opened = confined::look(root, relative_to(root, directory))?;
                read_dir(confined::name_of(&opened))
            }
        }
    }

    fn look(&self, path: &Path) -> io::Result<Metadata> {
        match &self.root {
            None => std::fs::metadata(path),
            Some(root) => {
                confined::look(root, relative_to(root, path)).and_then(|file: File| file.metadata())
            }
        }
    }
}

pub(super) fn relative_to<'a>(root: &Path, path: &'a Path) -> &'a Path {
    match path.strip_prefix(root) {
        Ok(rest) if rest.as_os_str().is_empty() => Path::new("."),
        Ok(rest) => rest,
        Err(_) => path,
    }
}

/// Refuses a pattern whose files the access does not reach. Returns the directory that no path may leave.
pub fn require_access(pattern: &str, access: &Access) -> Result<Option<PathBuf>, LoadError> {
    if is_url(pattern) {
        objects::require_pattern_allowed(pattern)?;
        return Ok(None);
    }
    if !Path::new(pattern).is_absolute() {
        return Err(RequestError::RelativePath(pattern.to_owned()).into());
    }
    match access {
        Access::AnyFile => Ok(None),
        Access::Within(directory) => Ok(Some(directory.into())),
        Access::Below(directories) => {
            let found = confined::split(directories, pattern);
            Ok(Some(found.ok_or_else(|| SourceError::MayNotRead(pattern.to_owned()))?.0))
        }
    }
}

/// The files of an absolute pattern, or the objects of an address with a pattern, after a path: any component may contain `*`, `?` or `[…]`.
pub fn list(pattern: &str, access: &Access, after: Option<&str>) -> Result<Listing, LoadError> {
    if is_url(pattern) {
        return objects::list(pattern, after);
    }
    let root = require_access(pattern, access)?;
    let mut components = Vec::new();
    for component in Path::new(pattern).components() {
        if let Component::RootDir = component {
            continue;
        }
        let text = component.as_os_str().to_string_lossy().into_owned();
        let wild = is_wild(&text).then(|| compile(pattern, &text)).transpose()?;
        components.push((text, wild));
    }
    let wild = components.iter().filter(|(_, wild)| wild.is_some()).count();
    if wild > MAX_WILDCARDS {
        let error = format!("{wild} components have *, ? or [, the limit is {MAX_WILDCARDS}");
        return Err(RequestError::Pattern { pattern: pattern.to_owned(), error }.into());
    }
    list_components(root, Path::new("/"), &components, after)
}

fn is_wild(component: &str) -> bool {
    component.contains(['*', '?', '['])
}

/// The directory of an absolute pattern before its first component with a wildcard; without one, the directory of the
/// file.
pub fn fixed_directory(pattern: &str) -> String {
    let fixed = pattern
        .split('/')
        .take_while(|component| !is_wild(component))
        .collect::<Vec<_>>()
        .join("/");
    let directory = if fixed.len() < pattern.len() {
        fixed.as_str()
    } else {
        fixed.trim_end_matches('/').rsplit_once('/').map_or("", |(directory, _)| directory)
    };
    if directory.is_empty() { "/".to_owned() } else { directory.to_owned() }
}

/// The files of a directory whose names match a pattern, after a path. The name of the directory is taken literally.
pub fn list_directory(
    directory: &str,
    pattern: &str,
    after: Option<&str>,
) -> Result<Listing, LoadError> {
    let components = [(pattern.to_owned(), Some(compile(pattern, pattern)?))];
    list_components(Some(directory.into()), Path::new(directory), &components, after)
}

fn compile(pattern: &str, component: &str) -> Result<Pattern, LoadError> {
    let compiled = Pattern::new(component).map_err(|error| RequestError::Pattern {
        pattern: pattern.to_owned(),
        error: reason(&error),
    })?;
    Ok(compiled)
}

/// The error of a component, in words of PostgreSQL's messages.
fn reason(error: &PatternError) -> String {
    // The numbers of the characters that `glob` reports are those of the component.
    let what = if error.msg.contains("range") {
        "a bracket expression is not closed"
    } else {
        "* must not be repeated, except as a whole component **"
    };
    format!("{what}, at character {} of the component", error.pos + 1)
}

fn list_components(
    root: Option<PathBuf>,
    from: &Path,
    components: &[PatternComponent],
    after: Option<&str>,
) -> Result<Listing, LoadError> {
    let (root, mut first) = (ListingRoot { root }, First::after(after));
    // One level per component with wildcards, independent of the pattern's length.
    let mut levels = Vec::new();
    levels.extend(descend(&root, from.to_owned(), components, 0, &mut first)?);
    loop {
        let depth = levels.len();
        let Some(level) = levels.last_mut() else { break };
        interrupts::check();
        let Some(entry) = level.names.next() else {
            levels.pop();
            continue;
        };
        let name = match entry {
            Ok(entry) => entry.file_name(),
            // The entries that it had until then are listed.
            Err(error) if depth > 1 => {
                first.pass_over(&level.path, error);
                levels.pop();
                continue;
            }
            Err(error) => return Err(unreadable(&level.path, error)),
        };
        let fits = |wild: &Pattern| match name.to_str() {
            Some(name) => wild.matches_with(name, OPTIONS),
            None => wild.matches_with(&name.to_string_lossy(), OPTIONS),
        };
        if components[level.component].1.as_ref().is_some_and(fits) {
            let (path, component) = (level.path.join(&name), level.component + 1);
            levels.extend(descend(&root, path, components, component, &mut first)?);
        }
    }
    Ok(first.into_listing())
}

fn unreadable(path: &Path, error: io::Error) -> LoadError {
    SourceError::Open { path: path.to_string_lossy().into_owned(), error }.into()
}

/// Follows the components without wildcards, from this one on: to a file, or to a directory that is to be read.
fn descend(
    root: &ListingRoot,
    mut path: PathBuf,
    components: &[PatternComponent],
    mut component: usize,
    first: &mut First<'_>,
) -> Result<Option<FolderLevel>, LoadError> {
    // After a component with a wildcard, a name may be that of a file, or may have gone.
    let is_guess = components[..component].iter().any(|(_, wild)| wild.is_some());
    while let Some((name, None)) = components.get(component) {
        path.push(name);
        component += 1;
    }
    if component == components.len() {
        match (root.look(&path), path.to_str()) {
            (Ok(metadata), Some(path)) if metadata.is_file() => {
                first.add(found(path.to_owned(), &metadata));
            }
            // A name that has gone since, or never existed.
            (Err(error), _) if error.kind() == io::ErrorKind::NotFound && !is_guess => {}
            (Err(error), Some(_)) if error.kind() != io::ErrorKind::NotFound => {
                first.pass_over(&path, error);
            }
            _ => first.others += 1,
        }
        return Ok(None);
    }
    match root.names(&path) {
        Ok(names) => Ok(Some(FolderLevel { path, names, component })),
        Err(error)
            if is_guess
                && matches!(
                    error.kind(),
                    io::ErrorKind::NotADirectory | io::ErrorKind::NotFound
                ) =>
        {
            Ok(None)
        }
        // One of many directories: the files of the others are listed.
        Err(error) if is_guess => {
            first.pass_over(&path, error);
            Ok(None)
        }
        Err(error) => Err(unreadable(&path, error)),
    }
}

/// Whether the name of a file matches a pattern.
pub fn matches(pattern: &str, name: &str) -> bool {
    Pattern::new(pattern).is_ok_and(|pattern| pattern.matches_with(name, OPTIONS))
}

/// A file by its path, if it is a regular one.
pub fn find(path: &str, access: &Access) -> Option<FileVersion> {
    let root = match access {
        Access::AnyFile => None,
        Access::Within(directory) => Some(directory.into()),
        Access::Below(directories) => Some(confined::split(directories, path)?.0),
    };
    let metadata = ListingRoot { root }.look(Path::new(path)).ok().filter(Metadata::is_file)?;
    Some(found(path.to_owned(), &metadata))
}

fn found(path: String, metadata: &Metadata) -> FileVersion {
    let (size, links) = (metadata.len(), metadata.nlink());
    FileVersion { path, size, changed_at: changed_at(metadata), links, version: None }
}

/// The processes that have the file open for writing, as far as the kernel reports them.
pub fn writers(path: &str, access: &Access) -> Writers {
    // An object appears when it is complete.
    if is_url(path) {
        return Writers::Unknown;
    }
    Source::open(path, access).map_or(Writers::Unknown, |source| match &*source.stored {
        Stored::File(file) => writers::of(file),
        Stored::Object(_) => Writers::Unknown,
    })
}
