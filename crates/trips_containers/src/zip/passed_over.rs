//! Members that no load reads.

use super::directory::Entry;

/// A member that no load reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PassedOver {
    /// As [`Member::name`](super::Member::name).
    pub name: String,
    /// Why it is passed over.
    pub reason: Reason,
}

/// Why a member is passed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// A folder.
    Folder,
    /// A file that an operating system makes: `__MACOSX`, `.DS_Store`, `Thumbs.db`.
    SystemFile,
    /// A text or picture for people: README, licence, PDF.
    Document,
    /// A symbolic link.
    Link,
}

impl Reason {
    /// The words for messages: `system file`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Folder => "folder",
            Self::SystemFile => "system file",
            Self::Document => "document",
            Self::Link => "symbolic link",
        }
    }
}

/// Why a member is passed over; `None` if it is read.
pub(super) fn reason_for(entry: &Entry) -> Option<Reason> {
    let reason = reason_for_name(&entry.name);
    match reason {
        // What has data is no folder, whatever its name says.
        Some(Reason::Folder) if entry.unpacked > 0 => None,
        None if entry.is_link => Some(Reason::Link),
        reason => reason,
    }
}

fn reason_for_name(name: &str) -> Option<Reason> {
    let lower = name.to_lowercase();
    let mut parts = lower.trim_end_matches('/').rsplit('/');
    let base = parts.next().unwrap_or_default();
    if is_system_file(base) || parts.any(|folder| folder == "__macosx") {
        return Some(Reason::SystemFile);
    }
    if lower.ends_with('/') {
        return Some(Reason::Folder);
    }
    is_document(base).then_some(Reason::Document)
}

fn is_system_file(base: &str) -> bool {
    base.starts_with("._")
        || matches!(base, "__macosx" | ".ds_store" | "thumbs.db" | "ehthumbs.db" | "desktop.ini")
}

/// Kinds of files that never hold trips.
const DOCUMENTS: [&str; 24] = [
    "asc", "bmp", "css", "doc", "docx", "gif", "htm", "html", "ico", "jpeg", "jpg", "md", "md5",
    "odt", "pdf", "png", "rst", "rtf", "sha1", "sha256", "sha512", "sig", "svg", "url",
];

/// First words of texts about the data. A file `.csv` is never one.
const ABOUT: [&str; 10] = [
    "readme",
    "read me",
    "read_me",
    "read-me",
    "license",
    "licence",
    "copying",
    "notice",
    "metadata",
    "changelog",
];

fn is_document(base: &str) -> bool {
    let extension = base.rsplit_once('.').map(|(_, extension)| extension);
    let about = ABOUT.iter().any(|word| base.starts_with(word));
    match extension {
        Some(extension) if DOCUMENTS.contains(&extension) => true,
        None | Some("txt" | "text") => about,
        Some(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_what_is_passed_over() {
        for (name, expected) in [
            ("202001.csv", None),
            ("2020/1_January/202001-citibike-tripdata_1.csv", None),
            ("trips.txt", None),
            ("metadata.csv", None),
            ("readme.csv", None),
            ("202001.csv.gz", None),
            ("trips.json", None),
            ("data", None),
            ("2020/", Some(Reason::Folder)),
            ("__MACOSX/", Some(Reason::SystemFile)),
            ("__MACOSX/2020/._202001.csv", Some(Reason::SystemFile)),
            ("2020/__MACOSX/202001.csv", Some(Reason::SystemFile)),
            ("2020/.DS_Store", Some(Reason::SystemFile)),
            ("._202001.csv", Some(Reason::SystemFile)),
            ("README", Some(Reason::Document)),
            ("Divvy_2013/README.txt", Some(Reason::Document)),
            ("ReadMe_2014.TXT", Some(Reason::Document)),
            ("LICENSE", Some(Reason::Document)),
            ("Data Policy.pdf", Some(Reason::Document)),
            ("README.md", Some(Reason::Document)),
        ] {
            assert_eq!(reason_for_name(name), expected, "{name}");
        }
    }
}
