//! Where a JSON value ends: strings and brackets only, eight bytes at a time.

/// The most levels of objects and arrays in a record.
pub const MAX_DEPTH: usize = 64;

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = ONES * 0x80;

/// The highest bit of each byte that is zero. Bits above the lowest one may be wrong.
#[inline(always)]
const fn zeros(word: u64) -> u64 {
    word.wrapping_sub(ONES) & !word & HIGHS
}

/// The same for bytes that are control characters.
#[inline(always)]
const fn controls(word: u64) -> u64 {
    word.wrapping_sub(ONES * 0x20) & !word & HIGHS
}

#[inline(always)]
const fn equal(word: u64, byte: u8) -> u64 {
    zeros(word ^ (ONES * byte as u64))
}

/// The first byte for which `is_it` holds; `of_word` marks at least these bytes.
#[inline(always)]
fn find(bytes: &[u8], of_word: impl Fn(u64) -> u64, is_it: impl Fn(u8) -> bool) -> Option<usize> {
    let (words, rest) = bytes.as_chunks::<8>();
    for (i, word) in words.iter().enumerate() {
        let marked = of_word(u64::from_le_bytes(*word));
        if marked != 0 {
            let first = i * 8 + (marked.trailing_zeros() / 8) as usize;
            // A byte that only looks like one is rare.
            return if is_it(bytes[first]) {
                Some(first)
            } else {
                find_slowly(bytes, first + 1, is_it)
            };
        }
    }
    rest.iter().position(|byte| is_it(*byte)).map(|at| words.len() * 8 + at)
}

#[cold]
fn find_slowly(bytes: &[u8], from: usize, is_it: impl Fn(u8) -> bool) -> Option<usize> {
    bytes[from..].iter().position(|byte| is_it(*byte)).map(|at| from + at)
}

/// The first quote, backslash or control character.
#[inline(always)]
pub(super) fn string_stop(bytes: &[u8]) -> Option<usize> {
    find(
        bytes,
        |word| equal(word, b'"') | equal(word, b'\\') | controls(word),
        |byte| byte == b'"' || byte == b'\\' || byte < b' ',
    )
}

/// The first quote or bracket.
#[inline(always)]
fn structure(bytes: &[u8]) -> Option<usize> {
    find(
        bytes,
        // With these bits, the four brackets are one byte, and few others are.
        |word| equal(word | (ONES * 0x26), 0x7f) | equal(word, b'"'),
        |byte| matches!(byte, b'"' | b'{' | b'}' | b'[' | b']'),
    )
}

/// How far the end of a value has been searched, over any number of buffers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Balance {
    depth: usize,
    /// The kinds of the open brackets, the innermost in the lowest bit: 1 is an object. Deeper ones are only counted.
    kinds: u64,
    in_string: bool,
    is_escaped: bool,
}

/// What some more bytes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// The value continues.
    Continues,
    /// It ends before this byte.
    Ends(usize),
    /// This byte cannot be there: a line end in a string, or the closing bracket of the other kind.
    Fault(usize),
}

impl Balance {
    /// Continues the search in the bytes that follow. The first byte of the value is a quote or an opening bracket.
    pub(super) fn scan(&mut self, bytes: &[u8]) -> Step {
        let mut at = 0;
        while at < bytes.len() {
            if self.is_escaped {
                self.is_escaped = false;
                if matches!(bytes[at], b'\n' | b'\r') {
                    return Step::Fault(at);
                }
                at += 1;
                continue;
            }
            let found =
                if self.in_string { string_stop(&bytes[at..]) } else { structure(&bytes[at..]) };
            let Some(found) = found else { return Step::Continues };
            at += found + 1;
            match self.take(bytes[at - 1]) {
                Taken::Inside => {}
                Taken::Last => return Step::Ends(at),
                Taken::Fault => return Step::Fault(at - 1),
            }
        }
        Step::Continues
    }

    /// Takes a quote, a backslash, a control character or a bracket.
    #[inline(always)]
    fn take(&mut self, byte: u8) -> Taken {
        if self.in_string {
            match byte {
                b'"' => {
                    self.in_string = false;
                    return if self.depth == 0 { Taken::Last } else { Taken::Inside };
                }
                b'\\' => self.is_escaped = true,
                b'\n' | b'\r' => return Taken::Fault,
                // The record is rejected, and ends where it ends.
                _ => {}
            }
            return Taken::Inside;
        }
        match byte {
            b'"' => self.in_string = true,
            b'{' | b'[' => {
                if self.depth < MAX_DEPTH {
                    self.kinds = (self.kinds << 1) | u64::from(byte == b'{');
                }
                self.depth += 1;
            }
            _ => {
                if self.depth <= MAX_DEPTH {
                    if self.depth == 0 || (self.kinds & 1 == 1) != (byte == b'}') {
                        return Taken::Fault;
                    }
                    self.kinds >>= 1;
                }
                self.depth -= 1;
                if self.depth == 0 {
                    return Taken::Last;
                }
            }
        }
        Taken::Inside
    }

    /// Whether the search stopped inside a string.
    pub(super) fn is_in_string(self) -> bool {
        self.in_string
    }
}

enum Taken {
    Inside,
    Last,
    Fault,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The end of the value, in parts of any size.
    fn end(bytes: &[u8]) -> Step {
        let whole = Balance::default().scan(bytes);
        for size in 1..=bytes.len() {
            let (mut balance, mut before) = (Balance::default(), 0);
            let mut result = Step::Continues;
            for part in bytes.chunks(size) {
                result = match balance.scan(part) {
                    Step::Continues => {
                        before += part.len();
                        continue;
                    }
                    Step::Ends(at) => Step::Ends(before + at),
                    Step::Fault(at) => Step::Fault(before + at),
                };
                break;
            }
            assert_eq!(result, whole, "{size} {:?}", String::from_utf8_lossy(bytes));
        }
        whole
    }

    #[test]
    fn ends_of_values() {
        for (value, behind) in [
            ("{}", ","),
            ("[]", "]"),
            (r#"{"a": "}", "b": [1, {"c": "\"]"}]}"#, "}"),
            (r#""text \\""#, "\""),
            (r#"{"long_name_with_underscores_Y": "y_Y[{\\\\"}"#, " {"),
            ("[[[[[[[[[[]]]]]]]]]]", "]"),
        ] {
            assert_eq!(
                end(format!("{value}{behind}").as_bytes()),
                Step::Ends(value.len()),
                "{value}"
            );
            for cut in 1..value.len() {
                assert_eq!(end(&value.as_bytes()[..cut]), Step::Continues, "{value} {cut}");
            }
        }
    }

    #[test]
    fn what_proves_that_the_end_cannot_be_found() {
        assert_eq!(end(b"{\"a\": [1}"), Step::Fault(8));
        assert_eq!(end(b"[{]"), Step::Fault(2));
        assert_eq!(end(b"{\"a\": \"b\n"), Step::Fault(8));
        assert_eq!(end(b"{\"a\": \"\\\n"), Step::Fault(8));
        assert_eq!(end(b"{\"a\": \"\t\"}"), Step::Ends(10), "the record is rejected");
    }

    #[test]
    fn deeper_levels_are_counted() {
        for depth in [63, 64, 65, 66, 200] {
            let value = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
            assert_eq!(end(value.as_bytes()), Step::Ends(2 * depth), "{depth}");
            let other = format!("{}{}", "[".repeat(depth), "]".repeat(depth - 1));
            assert_eq!(end(format!("{other}}}").as_bytes()), Step::Fault(2 * depth - 1), "{depth}");
        }
    }

    #[test]
    fn bytes_are_found_at_any_offset() {
        for length in 0..40 {
            for at in 0..length {
                let mut bytes = vec![b'Y'; length];
                bytes[at] = b'{';
                assert_eq!(structure(&bytes), Some(at), "{length} {at}");
                let mut bytes = vec![0xe9; length];
                bytes[at] = b'\\';
                assert_eq!(string_stop(&bytes), Some(at), "{length} {at}");
                bytes[at] = 0x1f;
                assert_eq!(string_stop(&bytes), Some(at), "{length} {at}");
            }
            assert_eq!(structure(&vec![b'_'; length]), None);
            assert_eq!(string_stop(&vec![b' '; length]), None);
        }
    }
}
