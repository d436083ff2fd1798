//! The members of an archive by their headers: which have trips, and which have stations of their feed.

use crate::feed::choice::FeedChoice;
use crate::format::delimited::header::HeaderError;

/// The members of an archive, by their numbers in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Members {
    /// The feed of those with trips.
    pub feed: String,
    /// Those with trips, in the order of the archive.
    pub trips: Vec<usize>,
    /// Those with stations of the feed.
    pub stations: Vec<usize>,
}

/// Why an archive is not loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MembersError<E> {
    /// A member cannot be opened, or is of no feed.
    Member(E),
    /// A member is of another feed than the first one.
    OtherFeed {
        /// Its number in the archive.
        index: usize,
        /// Its feed.
        feed: String,
        /// The number of the first member, and its feed.
        first: (usize, String),
    },
    /// A member has stations, but not those of the feed of the trips.
    OtherStations {
        /// Its number in the archive.
        index: usize,
        /// The feeds whose stations it has.
        feeds: Vec<String>,
    },
    /// No member has trips.
    NoTrips,
}

impl<E> From<E> for MembersError<E> {
    fn from(error: E) -> Self {
        Self::Member(error)
    }
}

/// Sorts the members of an archive. `feed_of` opens a member and returns the feed of its header; `header_error` returns
/// the error of the header that an error is, if it is one.
///
/// # Errors
/// When a member cannot be opened, is of no feed, or is of another feed than the first one; or no member has trips.
///
/// ```
/// use trips_core::{feed::choice::FeedChoice, format::members};
/// let feeds = ["uber_2014", "uber_2014"];
/// let feed_of = |index: usize, _: &FeedChoice| Ok::<_, ()>(feeds[index].to_owned());
/// let sorted = members::sort(2, &FeedChoice::builtin(), feed_of, |()| None);
/// assert_eq!(sorted.unwrap().trips, [0, 1]);
/// ```
pub fn sort<E>(
    count: usize,
    choice: &FeedChoice,
    mut feed_of: impl FnMut(usize, &FeedChoice) -> Result<String, E>,
    header_error: impl Fn(&E) -> Option<&HeaderError>,
) -> Result<Members, MembersError<E>> {
    let (mut trips, mut stations) = (Vec::new(), Vec::new());
    let mut first: Option<(usize, String)> = None;
    for index in 0..count {
        let feed = match feed_of(index, choice) {
            Ok(feed) => feed,
            Err(error) => {
                let again = |any: &FeedChoice| feed_of(index, any);
                stations.push((index, station_feeds(error, choice, again, &header_error)?));
                continue;
            }
        };
        match &first {
            Some(first) if first.1 != feed => {
                return Err(MembersError::OtherFeed { index, feed, first: first.clone() });
            }
            Some(_) => {}
            None => first = Some((index, feed)),
        }
        trips.push(index);
    }
    let Some((_, feed)) = first else { return Err(MembersError::NoTrips) };
    if let Some(at) = stations.iter().position(|(_, feeds)| !feeds.contains(&feed)) {
        let (index, feeds) = stations.swap_remove(at);
        return Err(MembersError::OtherStations { index, feeds });
    }
    let stations = stations.into_iter().map(|(index, _)| index).collect();
    Ok(Members { feed, trips, stations })
}

/// The feeds whose station files have the header of this member; otherwise its error.
fn station_feeds<E>(
    error: E,
    choice: &FeedChoice,
    again: impl FnOnce(&FeedChoice) -> Result<String, E>,
    header_error: &impl Fn(&E) -> Option<&HeaderError>,
) -> Result<Vec<String>, E> {
    let stations = |error: &E| match header_error(error) {
        Some(HeaderError::Stations(feeds)) => Some(feeds.clone()),
        _ => None,
    };
    if let Some(feeds) = stations(&error) {
        return Ok(feeds);
    }
    // With a given feed, the header was compared with that of its trips only.
    if choice.feed.is_some() && matches!(header_error(&error), Some(HeaderError::Columns(_))) {
        let any = FeedChoice { feed: None, ..choice.clone() };
        if let Some(feeds) = again(&any).err().as_ref().and_then(stations) {
            return Ok(feeds);
        }
    }
    Err(error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::delimited::header::ColumnError;

    fn sorted(
        members: &[Result<&str, &[&str]>],
        feed: Option<&str>,
    ) -> Result<Members, MembersError<Option<Vec<String>>>> {
        let choice = FeedChoice { feed: feed.map(str::to_owned), ..FeedChoice::builtin() };
        let feed_of = |index: usize, choice: &FeedChoice| match members[index] {
            Ok(feed) => Ok(feed.to_owned()),
            Err(_) if choice.feed.is_some() => {
                let name = String::new();
                Err(HeaderError::Columns(ColumnError::Duplicate { name, first: 1, second: 2 }))
            }
            Err([]) => Err(HeaderError::Empty),
            Err(feeds) => {
                Err(HeaderError::Stations(feeds.iter().map(|feed| (*feed).to_owned()).collect()))
            }
        };
        sort(members.len(), &choice, feed_of, |error| Some(error)).map_err(|error| match error {
            MembersError::Member(HeaderError::Stations(feeds)) => MembersError::Member(Some(feeds)),
            MembersError::Member(_) => MembersError::Member(None),
            MembersError::OtherFeed { index, feed, first } => {
                MembersError::OtherFeed { index, feed, first }
            }
            MembersError::OtherStations { index, feeds } => {
                MembersError::OtherStations { index, feeds }
            }
            MembersError::NoTrips => MembersError::NoTrips,
        })
    }

    #[test]
    fn stations_are_those_of_the_feed_also_before_its_trips() {
        let stations: &[&str] = &["b", "a"];
        for feed in [None, Some("a")] {
            let found = sorted(&[Err(stations), Ok("a"), Err(stations), Ok("a")], feed).unwrap();
            let expected = Members { feed: "a".into(), trips: vec![1, 3], stations: vec![0, 2] };
            assert_eq!(found, expected, "{feed:?}");
        }
        let feeds = vec!["b".to_owned(), "a".to_owned()];
        assert_eq!(
            sorted(&[Ok("c"), Err(stations)], None),
            Err(MembersError::OtherStations { index: 1, feeds })
        );
    }

    #[test]
    fn another_feed_no_feed_and_no_trips_are_errors() {
        let (feed, first) = ("b".to_owned(), (0, "a".to_owned()));
        assert_eq!(
            sorted(&[Ok("a"), Ok("b")], None),
            Err(MembersError::OtherFeed { index: 1, feed, first })
        );
        assert_eq!(sorted(&[Ok("a"), Err(&[])], None), Err(MembersError::Member(None)));
        assert_eq!(sorted(&[Err(&["a"])], None), Err(MembersError::NoTrips));
        assert_eq!(sorted(&[], None), Err(MembersError::NoTrips));
    }
}
