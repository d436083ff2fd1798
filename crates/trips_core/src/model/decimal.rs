//! The decimal mark of the numbers of a file.

/// The character between the integer and the fraction of a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum DecimalMark {
    /// `.`
    #[default]
    Point,
    /// `,`
    Comma,
}

impl DecimalMark {
    /// The byte.
    #[must_use]
    pub const fn byte(self) -> u8 {
        match self {
            Self::Point => b'.',
            Self::Comma => b',',
        }
    }

    /// The byte between groups of three digits: the other one of the two.
    #[must_use]
    pub const fn thousands(self) -> u8 {
        match self {
            Self::Point => b',',
            Self::Comma => b'.',
        }
    }

    /// The decimal mark that this byte is.
    #[must_use]
    pub fn of_byte(byte: u8) -> Option<Self> {
        [Self::Point, Self::Comma].into_iter().find(|mark| mark.byte() == byte)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_and_bytes() {
        for mark in [DecimalMark::Point, DecimalMark::Comma] {
            assert_eq!(DecimalMark::of_byte(mark.byte()), Some(mark));
            assert_eq!(
                DecimalMark::of_byte(mark.thousands()).map(DecimalMark::thousands),
                Some(mark.byte())
            );
        }
        assert_eq!(DecimalMark::of_byte(b';'), None);
    }
}
