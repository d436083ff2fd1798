//! A hash for tables of a fixed size, where a collision costs little, and the comparison that follows.

/// What a text of at most [`Ends::WHOLE`] bytes is, and much of a longer one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Ends {
    first: u64,
    last: u64,
    length: usize,
}

impl Ends {
    /// Texts of at most so many bytes are equal if these are.
    pub(crate) const WHOLE: usize = 16;

    /// The first eight bytes and the last eight; of a shorter text, all of them.
    #[inline]
    pub(crate) fn of(text: &[u8]) -> Self {
        let length = text.len();
        match (text.first_chunk::<8>(), text.last_chunk::<8>()) {
            (Some(first), Some(last)) => {
                let [first, last] = [first, last].map(|bytes| u64::from_le_bytes(*bytes));
                Self { first, last, length }
            }
            _ => {
                let first = text.iter().fold(0, |all, byte| all << 8 | u64::from(*byte));
                Self { first, last: 0, length }
            }
        }
    }

    /// A number that texts with other ends or another length usually do not have. Whoever writes a file can find texts of one
    /// number: only a table of which each place has one text may use it.
    #[inline]
    pub(crate) fn hash(self) -> u64 {
        let ends = self.first ^ self.last.rotate_left(29);
        (ends ^ self.length as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }
}

/// The hash of a text's ends.
#[inline]
pub(crate) fn hash(text: &[u8]) -> u64 {
    Ends::of(text).hash()
}

/// Whether two texts are equal. The texts of such tables are short: a call of the C library costs more than the comparison.
#[inline]
pub(crate) fn same(a: &[u8], b: &[u8]) -> bool {
    Ends::of(a) == Ends::of(b) && (a.len() <= Ends::WHOLE || a == b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_texts_are_the_same() {
        for length in 0..40 {
            let text: Vec<u8> = (0..length).collect();
            assert!(same(&text, &text.clone()) && !same(&text, b"other"));
            for at in 0..text.len() {
                let mut other = text.clone();
                other[at] ^= 1;
                assert!(!same(&text, &other) && !same(&text, &text[..at]), "{length} {at}");
            }
        }
    }

    #[test]
    fn ends_and_length_count() {
        let texts: [&[u8]; 6] = [b"", b"a", b"b", b"Prague_1", b"Prague_2", b"Prague and beyond"];
        for (i, text) in texts.iter().enumerate() {
            assert!(texts[..i].iter().all(|other| hash(other) != hash(text)));
        }
    }
}
