//! JSON text as a list of nodes, in the order of the text, without an allocation for a value.

use std::ops::Range;

use super::numeric::Decimal;

/// Deeper values are not read: each level takes a frame of the stack.
const MAX_DEPTH: u32 = 64;

/// A value; texts and numbers by the position of their bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Value {
    Null,
    False,
    True,
    /// In the text.
    Number {
        start: u32,
        length: u32,
    },
    /// Among the strings of the tape.
    String {
        start: u32,
        length: u32,
    },
    Array {
        count: u32,
    },
    /// Its nodes are a key, its value, the next key, and so on.
    Object {
        count: u32,
    },
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Node {
    pub(super) value: Value,
    /// The node after it and all that it contains.
    pub(super) next: u32,
}

/// The nodes of one JSON value.
#[derive(Debug, Default)]
pub(super) struct Tape {
    nodes: Vec<Node>,
    strings: Vec<u8>,
    /// The keys of the objects that are being written.
    keys: Vec<u32>,
}

impl Tape {
    /// Reads a JSON value; None if the text is not one that `jsonb` holds.
    pub(super) fn read(&mut self, text: &str) -> Option<()> {
        self.nodes.clear();
        self.strings.clear();
        self.keys.clear();
        let mut parser = Parser { text: text.as_bytes(), at: 0, tape: self };
        parser.value(0)?;
        parser.skip_blanks();
        (parser.at == text.len()).then_some(())
    }

    pub(super) fn is_object(&self) -> bool {
        matches!(self.nodes.first(), Some(Node { value: Value::Object { .. }, .. }))
    }

    pub(super) fn node(&self, at: u32) -> Node {
        let missing = Node { value: Value::Null, next: at + 1 };
        self.nodes.get(at as usize).copied().unwrap_or(missing)
    }

    pub(super) fn string(&self, start: u32, length: u32) -> &[u8] {
        let rest = self.strings.get(start as usize..).unwrap_or_default();
        rest.get(..length as usize).unwrap_or_default()
    }

    /// Sorts the keys of an object, each once: of equal ones the last. Their numbers are for [`Tape::key`].
    pub(super) fn sort_keys(&mut self, object: u32) -> Range<usize> {
        let start = self.keys.len();
        let Value::Object { count } = self.node(object).value else { return start..start };
        let mut key = object + 1;
        for _ in 0..count {
            self.keys.push(key);
            key = self.node(key + 1).next;
        }
        let mut keys = std::mem::take(&mut self.keys);
        let bytes = |&key: &u32| match self.node(key).value {
            Value::String { start, length } => self.string(start, length),
            _ => &[],
        };
        let order = |key: &u32| (bytes(key).len(), bytes(key));
        // The last of equal keys comes first, and stays.
        keys[start..].sort_unstable_by(|a, b| order(a).cmp(&order(b)).then(b.cmp(a)));
        let mut kept = start;
        for i in start..keys.len() {
            if i == start || bytes(&keys[i]) != bytes(&keys[kept - 1]) {
                keys[kept] = keys[i];
                kept += 1;
            }
        }
        keys.truncate(kept);
        self.keys = keys;
        start..kept
    }

    pub(super) fn key(&self, number: usize) -> u32 {
        self.keys.get(number).copied().unwrap_or(0)
    }

    pub(super) fn forget_keys(&mut self, from: usize) {
        self.keys.truncate(from);
    }
}

struct Parser<'t> {
    text: &'t [u8],
    at: usize,
    tape: &'t mut Tape,
}

impl Parser<'_> {
    fn skip_blanks(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.text.get(self.at) {
            self.at += 1;
        }
    }

    /// The next byte that is not blank.
    fn peek(&mut self) -> Option<u8> {
        self.skip_blanks();
        self.text.get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.at += 1)
    }

    fn push(&mut self, value: Value) -> Option<usize> {
        let number = self.tape.nodes.len();
        let next = u32::try_from(number + 1).ok()?;
        self.tape.nodes.push(Node { value, next });
        Some(number)
    }

    fn value(&mut self, depth: u32) -> Option<()> {
        let value = match self.peek()? {
            b'{' | b'[' if depth == MAX_DEPTH => return None,
            open @ (b'{' | b'[') => return self.container(open, depth),
            b'"' => return self.string(),
            b'n' => self.word(b"null", Value::Null)?,
            b'f' => self.word(b"false", Value::False)?,
            b't' => self.word(b"true", Value::True)?,
            _ => self.number()?,
        };
        self.push(value).map(|_| ())
    }

    fn word(&mut self, word: &[u8], value: Value) -> Option<Value> {
        self.text.get(self.at..)?.starts_with(word).then(|| {
            self.at += word.len();
            value
        })
    }

    fn number(&mut self) -> Option<Value> {
        let rest = self.text.get(self.at..)?;
        let is_part = |b: &u8| matches!(b, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
        let length = rest.iter().take_while(|byte| is_part(byte)).count();
        Decimal::parse(&rest[..length])?;
        let start = u32::try_from(self.at).ok()?;
        self.at += length;
        Some(Value::Number { start, length: u32::try_from(length).ok()? })
    }

    fn container(&mut self, open: u8, depth: u32) -> Option<()> {
        let is_object = open == b'{';
        let close = if is_object { b'}' } else { b']' };
        self.at += 1;
        let number = self.push(Value::Null)?;
        let mut count = 0;
        if self.peek()? == close {
            self.at += 1;
        } else {
            loop {
                if is_object {
                    (self.peek()? == b'"').then_some(())?;
                    self.string()?;
                    self.take(b':')?;
                }
                self.value(depth + 1)?;
                count += 1;
                let next = self.peek()?;
                self.at += 1;
                match next {
                    b',' => {}
                    next if next == close => break,
                    _ => return None,
                }
            }
        }
        let value = if is_object { Value::Object { count } } else { Value::Array { count } };
        let next = u32::try_from(self.tape.nodes.len()).ok()?;
        self.tape.nodes[number] = Node { value, next };
        Some(())
    }

    fn string(&mut self) -> Option<()> {
        self.at += 1;
        let start = self.tape.strings.len();
        loop {
            let rest = self.text.get(self.at..)?;
            let plain = rest.iter().take_while(|&&b| b != b'"' && b != b'\\' && b >= b' ').count();
            self.tape.strings.extend_from_slice(&rest[..plain]);
            self.at += plain + 1;
            match rest.get(plain)? {
                b'"' => break,
                b'\\' => self.escape()?,
                _ => return None,
            }
        }
        let length = u32::try_from(self.tape.strings.len() - start).ok()?;
        self.push(Value::String { start: u32::try_from(start).ok()?, length }).map(|_| ())
    }

    fn escape(&mut self) -> Option<()> {
        let byte = *self.text.get(self.at)?;
        self.at += 1;
        let char = match byte {
            b'"' | b'\\' | b'/' => char::from(byte),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => self.unicode()?,
            _ => return None,
        };
        let mut buffer = [0; 4];
        self.tape.strings.extend_from_slice(char.encode_utf8(&mut buffer).as_bytes());
        Some(())
    }

    /// `jsonb` does not hold U+0000.
    fn unicode(&mut self) -> Option<char> {
        let high = self.hex()?;
        if !(0xD800..0xDC00).contains(&high) {
            return char::from_u32(high).filter(|&char| char != '\0');
        }
        let is_pair = self.text.get(self.at..)?.starts_with(b"\\u");
        is_pair.then(|| self.at += 2)?;
        let low = self.hex().filter(|low| (0xDC00..0xE000).contains(low))?;
        char::from_u32(0x1_0000 + ((high - 0xD800) << 10) + (low - 0xDC00))
    }

    fn hex(&mut self) -> Option<u32> {
        let digits = self.text.get(self.at..)?.first_chunk::<4>()?;
        self.at += 4;
        digits
            .iter()
            .try_fold(0, |sum, &digit| char::from(digit).to_digit(16).map(|digit| sum * 16 + digit))
    }
}
