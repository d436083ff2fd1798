//! Keys of many messages.

use super::hash::{Context, SideBySide};
use super::{Identity, TripKey};

/// The keys of many messages of one scheme: hashed side by side, they take a fraction of the time.
#[derive(Debug)]
pub(crate) struct MessageKeys(SideBySide);

impl MessageKeys {
    /// For identities of the scheme of this one; None for `content`, whose message is made of the five values.
    pub(crate) fn of_scheme(identity: Identity<'_>) -> Option<Self> {
        let context = match identity {
            Identity::Content => return None,
            Identity::Columns { .. } => &Context::COLUMNS,
            Identity::SourceId(_) => &Context::SOURCE_ID,
        };
        Some(Self(SideBySide::new(context)))
    }

    /// Adds a message under a number. `put` gets the numbers and keys that are known now.
    #[inline]
    pub(crate) fn push(
        &mut self,
        message: &[u8],
        number: usize,
        mut put: impl FnMut(usize, TripKey),
    ) {
        self.0.push(message, number, &mut put);
    }

    /// Passes the keys that are left.
    pub(crate) fn finish(&mut self, mut put: impl FnMut(usize, TripKey)) {
        self.0.finish(&mut put);
    }
}
