//! What `trips_containers` promises for any bytes.

use std::fs::File;
use std::io::{self, Cursor, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use trips_containers::{
    Archive, Budget, ContainerError, Limits, Packing, Spool, SpoolFile, unpack,
};

/// Limits that keep a search quick.
pub const SMALL: Limits = Limits { unpacked: 1 << 20, ratio: 5_000, members: 100, depth: 3 };

/// A member and its bytes.
pub type Content = Vec<(String, Vec<u8>)>;

/// Files in the folder of the system for temporary ones.
#[derive(Debug)]
pub struct TemporaryFiles;

impl Spool for TemporaryFiles {
    fn create(&self) -> io::Result<Box<dyn SpoolFile>> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path =
            std::env::temp_dir().join(format!("trips-spool-{}-{number}", std::process::id()));
        let file = File::options().read(true).write(true).create_new(true).open(&path)?;
        std::fs::remove_file(path)?;
        Ok(Box::new(file))
    }
}

/// The unpacked bytes of a file, as [`trips_containers::packing_of`] sees it; a stream is a member without a name.
///
/// # Errors
/// Those of the container.
///
/// # Panics
/// When an error is not one of a container.
pub fn content_of(file: &[u8], limits: Limits) -> Result<Content, ContainerError> {
    content_as(trips_containers::packing_of(file), file, limits)
}

/// The same for a file that is taken for one of this packing.
///
/// # Errors
/// Those of the container.
///
/// # Panics
/// When an error is not one of a container.
pub fn content_as(
    packing: Packing,
    file: &[u8],
    limits: Limits,
) -> Result<Content, ContainerError> {
    let budget = Budget::new(limits, file.len() as u64);
    let content = if packing == Packing::Zip {
        members_of(file, &budget)
    } else {
        all_of(unpack(packing, Cursor::new(file.to_vec()), &budget))
            .map(|bytes| vec![(String::new(), bytes)])
    };
    content.map_err(|error| {
        let fault = ContainerError::of(&error)
            .unwrap_or_else(|| panic!("an error of a container: {error:?}"))
            .clone();
        check_error(&fault, file);
        fault
    })
}

fn members_of(file: &[u8], budget: &Budget) -> io::Result<Content> {
    let archive = Archive::open(Arc::new(file.to_vec()), budget, &TemporaryFiles)?;
    let members = archive.members().iter().enumerate();
    let read = |(index, member): (usize, &trips_containers::Member)| {
        let bytes = all_of(archive.read(index)?)?;
        assert!(!member.name.contains('\0') && !member.name.starts_with('/'), "{:?}", member.name);
        Ok((member.name.clone(), bytes))
    };
    members.map(read).collect()
}

fn all_of(mut reader: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    match reader.read_to_end(&mut bytes) {
        Ok(_) => {
            assert_eq!(reader.read(&mut [0; 8])?, 0, "the end stays the end");
            Ok(bytes)
        }
        Err(error) => {
            assert!(reader.read(&mut [0; 8]).is_err(), "no bytes after an error");
            Err(error)
        }
    }
}

/// An error can be shown: it is one line of a limited length, and its byte is in the file.
fn check_error(error: &ContainerError, file: &[u8]) {
    let text = error.to_string();
    assert!(!text.is_empty() && text.chars().count() < 4_000, "{text}");
    assert!(!text.contains(char::is_control), "{text:?}");
    assert!(!error.message().ends_with('.'), "{text}");
    let detail = error.detail().unwrap_or_default();
    assert!(detail.is_empty() || detail.ends_with('.'), "{text}");
    // A member's offset may be one of an inner archive, which is larger than the file.
    if error.member().is_none() && !matches!(error.kind(), trips_containers::Kind::Limit(..)) {
        assert!(
            error.offset().is_none_or(|offset| offset <= file.len() as u64 + SMALL.unpacked),
            "{text}"
        );
    }
}

/// Any bytes as a compressed stream: the sizes of the reads do not matter, and no limit is exceeded.
///
/// # Panics
/// When an invariant is violated.
pub fn check_stream(packing: Packing, file: &[u8]) {
    let whole = content_as(packing, file, SMALL);
    let budget = Budget::new(SMALL, file.len() as u64);
    let sizes = [1, 3, 0, 7, 64, 1, 500];
    let source = Cursor::new(file.to_vec());
    let mut pieces = Vec::new();
    let mut reader = unpack(packing, Pieces { source, sizes, given: 0 }, &budget);
    let mut buffer = [0; 100];
    let mut given = 0;
    let error = loop {
        let size = 1 + given * 7 % 100;
        given += 1;
        match reader.read(&mut buffer[..size]) {
            Ok(0) => break None,
            Ok(count) => pieces.extend_from_slice(&buffer[..count]),
            Err(error) => break Some(error),
        }
    };
    assert!(pieces.len() as u64 <= SMALL.unpacked, "{} bytes", pieces.len());
    match (whole, error) {
        (Ok(whole), None) => assert!(whole[0].1 == pieces, "the sizes of reads change the bytes"),
        (Err(_), Some(_)) => {}
        (whole, error) => panic!("the sizes of reads change the result: {whole:?}, {error:?}"),
    }
    assert!(budget.unpacked() >= pieces.len() as u64);
}

/// Short reads of a source.
struct Pieces<const N: usize> {
    source: Cursor<Vec<u8>>,
    sizes: [usize; N],
    given: usize,
}

impl<const N: usize> Read for Pieces<N> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let size = self.sizes[self.given % N].max(1).min(out.len());
        self.given += 1;
        self.source.read(&mut out[..size])
    }
}

/// Any bytes as gzip: what comes out is what another reader of gzip returns.
///
/// # Panics
/// When an invariant is violated.
pub fn check_gzip(file: &[u8]) {
    check_stream(Packing::Gzip, file);
    if let Ok(content) = content_as(Packing::Gzip, file, Limits { depth: 1, ..SMALL }) {
        let mut other = Vec::new();
        let mut reader = flate2::read::MultiGzDecoder::new(file);
        reader.read_to_end(&mut other).expect("what is good here is good there");
        assert!(other == content[0].1, "another reader has other bytes");
    }
}

/// Any bytes as zstd.
pub fn check_zstd(file: &[u8]) {
    check_stream(Packing::Zstd, file);
}

/// Any bytes as bzip2.
pub fn check_bzip2(file: &[u8]) {
    check_stream(Packing::Bzip2, file);
}

/// Any bytes as xz.
pub fn check_xz(file: &[u8]) {
    check_stream(Packing::Xz, file);
}

/// Any bytes as a zip archive: it reads twice the same, and no limit is exceeded.
///
/// # Panics
/// When an invariant is violated.
pub fn check_zip(file: &[u8]) {
    let once = content_as(Packing::Zip, file, SMALL);
    let again = content_as(Packing::Zip, file, SMALL);
    assert_eq!(once, again);
    let sum: u64 = once.iter().flatten().map(|(_, bytes)| bytes.len() as u64).sum();
    assert!(sum <= SMALL.unpacked, "{sum} bytes");
    // Who reads an archive from its beginning sees the same first member.
    if let Ok(content) = once {
        assert!(!content.is_empty());
        assert!(file.starts_with(b"PK\x03\x04"));
    }
}
