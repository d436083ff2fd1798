//! The feed of a file, by the names in its header.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::definition::{
    ColumnId, Definition, Encoding, Required, Version, fold, fold_encoded, is_passed_over,
};

/// A feed that a header fits.
#[derive(Debug, Clone)]
pub struct Candidate<'c> {
    /// The feed.
    pub feed: &'c Arc<Definition>,
    /// The name of the version that fits: that with the most spellings of its own, then with the most names.
    pub version: &'c str,
    /// The number of different names of the header that the feed knows.
    pub matched: usize,
}

/// The feed nearest to a header that fits none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Near {
    /// Its name.
    pub feed: String,
    /// The version of it that lacks the fewest names.
    pub version: String,
    /// The number of different names of the header that the feed knows.
    pub matched: usize,
    /// The names that the header lacks, as the feed writes them. If there are none, the feed does not allow the
    /// delimiter of the file.
    pub missing: Vec<String>,
}

/// What a header is.
#[derive(Debug, Clone)]
pub enum Detection<'c> {
    /// Of this feed: no other one knows as many names of the header.
    Feed(Candidate<'c>),
    /// Of several feeds that know the same number of names, by name.
    Tie(Vec<Candidate<'c>>),
    /// Of none. There is a nearest feed if any feed knows a name of the header.
    None(Option<Near>),
    /// Of the station files of these feeds, by name.
    Stations(Vec<&'c Arc<Definition>>),
}

/// The feeds that a load knows, prepared for detection.
#[derive(Debug)]
pub struct Catalogue {
    /// By name.
    feeds: Vec<Arc<Definition>>,
    /// The feeds that know a folded name, by their numbers.
    known_by: HashMap<String, Vec<(usize, ColumnId)>>,
    /// The encodings other than UTF-8 of some feed.
    encodings: Vec<Encoding>,
}

/// The names of a header as one encoding reads them.
struct Header {
    encoding: Encoding,
    names: HashSet<String>,
    /// For each feed, the number of names that it knows.
    matched: Vec<usize>,
}

impl Catalogue {
    /// Prepares the feeds. Their names must be unique.
    #[must_use]
    pub fn new(mut feeds: Vec<Arc<Definition>>) -> Self {
        feeds.sort_by(|a, b| a.name.cmp(&b.name));
        let mut known_by: HashMap<String, Vec<_>> = HashMap::new();
        let mut encodings = Vec::new();
        for (at, feed) in feeds.iter().enumerate() {
            for (folded, column) in feed.spellings() {
                known_by.entry(folded.to_owned()).or_default().push((at, column));
            }
            for encoding in &feed.form.encodings {
                let is_utf8 = *encoding == Encoding::Utf8 || encoding.is_utf16();
                if !is_utf8 && !encodings.contains(encoding) {
                    encodings.push(*encoding);
                }
            }
        }
        Self { feeds, known_by, encodings }
    }

    /// The feeds, by name.
    #[must_use]
    pub fn feeds(&self) -> &[Arc<Definition>] {
        &self.feeds
    }

    /// A feed by its name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Arc<Definition>> {
        let at = self.feeds.binary_search_by(|feed| feed.name.as_str().cmp(name)).ok()?;
        self.feeds.get(at)
    }

    /// The delimiters of all feeds, the comma first.
    #[must_use]
    pub fn delimiters(&self) -> Vec<u8> {
        let mut delimiters = vec![b','];
        for dialect in self.feeds.iter().flat_map(|feed| &feed.form.dialects) {
            if !delimiters.contains(&dialect.delimiter) {
                delimiters.push(dialect.delimiter);
            }
        }
        delimiters
    }

    /// The feed of a header with these names.
    ///
    /// `delimiter` is the byte between the names. A feed without it in its dialects is not a candidate. It is None for a
    /// format without delimiters.
    ///
    /// ```
    /// use std::borrow::Cow;
    /// use trips_core::feed::{builtin, detect::{Catalogue, Detection}};
    /// let catalogue = Catalogue::new(builtin::all().to_vec());
    /// let names = ["Base", "Lat", "Lon", "Date/Time"].map(|name| Cow::Borrowed(name.as_bytes()));
    /// let Detection::Feed(found) = catalogue.detect(&names, Some(b',')) else { panic!() };
    /// assert_eq!((found.feed.name.as_str(), found.matched), ("uber_2014", 4));
    /// ```
    #[must_use]
    pub fn detect(&self, names: &[Cow<'_, [u8]>], delimiter: Option<u8>) -> Detection<'_> {
        let mut candidates = self.candidates(names, delimiter);
        let Some(most) = candidates.first().map(|best| best.matched) else {
            let stations = self.stations_of(names, delimiter);
            return match stations.is_empty() {
                true => Detection::None(self.nearest(names)),
                false => Detection::Stations(stations),
            };
        };
        candidates.retain(|candidate| candidate.matched == most);
        match candidates.len() {
            1 => Detection::Feed(candidates.swap_remove(0)),
            _ => Detection::Tie(candidates),
        }
    }

    /// All feeds that the header fits: those with the most matched names first, of equal ones by name.
    #[must_use]
    pub fn candidates(&self, names: &[Cow<'_, [u8]>], delimiter: Option<u8>) -> Vec<Candidate<'_>> {
        let headers = self.headers(names);
        let mut candidates = Vec::new();
        for (at, feed) in self.feeds.iter().enumerate() {
            let header = header_of(&headers, feed);
            if is_excluded(feed, header)
                || !delimiter.is_none_or(|delimiter| feed.allows(delimiter))
            {
                continue;
            }
            let has = |required: &Required| has(feed, required, &header.names);
            let fits = |version: &&Version| version.required.iter().all(has);
            let versions = feed.versions.iter().filter(fits);
            let last = versions.max_by_key(rank);
            if let Some(version) = last {
                let (version, matched) = (version.name.as_str(), header.matched[at]);
                candidates.push(Candidate { feed, version, matched });
            }
        }
        candidates.sort_by_key(|candidate| std::cmp::Reverse(candidate.matched));
        candidates
    }

    /// The feed that knows the most names; of these the one that lacks the fewest, then by name.
    #[must_use]
    pub fn nearest(&self, names: &[Cow<'_, [u8]>]) -> Option<Near> {
        let headers = self.headers(names);
        let near = |(at, feed): (usize, &Arc<Definition>)| {
            let header = header_of(&headers, feed);
            let matched = header.matched[at];
            (matched > 0 && !is_excluded(feed, header)).then(|| near(feed, &header.names, matched))
        };
        let all = self.feeds.iter().enumerate().filter_map(near);
        all.min_by_key(|near| (usize::MAX - near.matched, near.missing.len()))
    }

    /// The feeds whose station files have this header and this delimiter, by name.
    #[must_use]
    pub fn stations_of(
        &self,
        names: &[Cow<'_, [u8]>],
        delimiter: Option<u8>,
    ) -> Vec<&Arc<Definition>> {
        let headers = self.headers(names);
        let is_of = |feed: &&Arc<Definition>| {
            let have = &header_of(&headers, feed).names;
            let has = |names: &[String]| names.iter().any(|name| have.contains(&fold(name)));
            let is_of = feed.stations.as_ref().is_some_and(|columns| columns.fits(has));
            is_of && delimiter.is_none_or(|delimiter| feed.allows(delimiter))
        };
        self.feeds.iter().filter(is_of).collect()
    }

    /// The header in UTF-8, and if it is not UTF-8, in the other encodings in which all names are text.
    fn headers(&self, names: &[Cow<'_, [u8]>]) -> Vec<Header> {
        let is_text = |encoding: Encoding| names.iter().all(|name| encoding.is_valid(name));
        let mut headers = vec![self.header(names, Encoding::Utf8)];
        if !is_text(Encoding::Utf8) {
            let others = self.encodings.iter().filter(|encoding| is_text(**encoding));
            headers.extend(others.map(|encoding| self.header(names, *encoding)));
        }
        headers
    }

    fn header(&self, names: &[Cow<'_, [u8]>], encoding: Encoding) -> Header {
        let folded = names.iter().map(|name| fold_encoded(name, &[encoding]));
        let names: HashSet<String> = folded.filter(|name| !is_passed_over(name)).collect();
        let mut matched = vec![0; self.feeds.len()];
        for (feed, _) in names.iter().filter_map(|name| self.known_by.get(name)).flatten() {
            matched[*feed] += 1;
        }
        Header { encoding, names, matched }
    }
}

/// The header as the feed reads it.
fn header_of<'h>(headers: &'h [Header], feed: &Definition) -> &'h Header {
    let read_as = |encoding: &Encoding| headers.iter().find(|it| it.encoding == *encoding);
    let is_utf8 = headers.len() == 1;
    let others = feed.form.encodings.iter().filter(|it| is_utf8 || **it != Encoding::Utf8);
    others.filter_map(read_as).next().unwrap_or(&headers[0])
}

/// Whether the header has a name that no header of the feed has.
fn is_excluded(feed: &Definition, header: &Header) -> bool {
    feed.without.iter().any(|name| header.names.contains(name))
}

/// Whether a name is among these names.
fn has(feed: &Definition, required: &Required, names: &HashSet<String>) -> bool {
    match required {
        Required::Spelling(folded, _) => names.contains(folded),
        Required::Column(column) => {
            feed.get(*column).folded.iter().any(|name| names.contains(name))
        }
    }
}

/// The order of versions that a header fits: one with its own spellings is more exact, then one with more names.
fn rank<'v>(version: &&'v Version) -> (usize, usize, &'v str) {
    let is_exact = |required: &&Required| matches!(required, Required::Spelling(..));
    let exact = version.required.iter().filter(is_exact).count();
    (exact, version.required.len(), &version.name)
}

fn near(feed: &Definition, names: &HashSet<String>, matched: usize) -> Near {
    let nearest = feed.nearest_version(|required| has(feed, required, names));
    let (version, missing) = nearest.map_or_else(Default::default, |(version, missing)| {
        let written = |required: &&Required| match required {
            Required::Column(column) => feed.get(*column).name.clone(),
            Required::Spelling(..) => feed.written(required),
        };
        (version.name.clone(), missing.iter().map(written).collect())
    });
    Near { feed: feed.name.clone(), version, matched, missing }
}
