//! A hash for tables of a fixed size, where a collision costs little.

/// A number that texts with other ends or another length usually do not have. Whoever writes a file can find texts of one
/// number: only a table of which each place has one text may use it.
#[inline]
pub(crate) fn hash(text: &[u8]) -> u64 {
    let ends = match (text.first_chunk::<8>(), text.last_chunk::<8>()) {
        (Some(first), Some(last)) => {
            u64::from_le_bytes(*first) ^ u64::from_le_bytes(*last).rotate_left(29)
        }
        _ => text.iter().fold(0, |hash, byte| hash << 8 | u64::from(*byte)),
    };
    (ends ^ text.len() as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_and_length_count() {
        let texts: [&[u8]; 6] = [b"", b"a", b"b", b"Prague_1", b"Prague_2", b"Prague and beyond"];
        for (i, text) in texts.iter().enumerate() {
            assert!(texts[..i].iter().all(|other| hash(other) != hash(text)));
        }
    }
}
