//! Every edge of the framing, each by its name.

use super::fill::CHUNK;
use super::*;

/// A source that gives one byte at a time: every boundary is a buffer's boundary.
struct Trickle<'a>(&'a [u8]);

impl Read for Trickle<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = self.0.len().min(out.len()).min(1);
        out[..count].copy_from_slice(&self.0[..count]);
        self.0 = &self.0[count..];
        Ok(count)
    }
}

/// A record as a test sees it: line, raw bytes, and its values or its error.
type Seen = (u64, String, Result<Vec<String>, FramingError>);

fn read_all(source: impl Read, max_record: usize) -> Vec<Seen> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let mut reader = RecordReader::new(source, max_record);
    let mut seen = Vec::new();
    while let Some(record) = reader.next_record().unwrap() {
        let values = record.fields().map(|value| text(&value)).collect();
        let outcome = record.error.map_or(Ok(values), Err);
        seen.push((record.line, text(record.raw), outcome));
    }
    seen
}

/// Reads the bytes at once and byte by byte; both must have the same result, and use all bytes.
fn records(input: &str, max_record: usize) -> Vec<Seen> {
    let at_once = read_all(input.as_bytes(), max_record);
    assert_eq!(at_once, read_all(Trickle(input.as_bytes()), max_record), "{input:?}");
    let mut reader = RecordReader::new(input.as_bytes(), max_record);
    while reader.next_record().unwrap().is_some() {}
    assert_eq!(reader.position(), input.len() as u64, "{input:?}");
    at_once
}

macro_rules! framing {
    ($($name:ident: $input:expr => [$($line:expr, $outcome:expr);* $(;)?])*) => { $(
        #[test]
        fn $name() {
            let seen: Vec<_> = records($input, 1000)
                .into_iter()
                .map(|(line, _, outcome)| (line, outcome))
                .collect();
            let expected: Vec<(u64, Result<Vec<String>, FramingError>)> =
                vec![$(($line, $outcome.map(|values: Vec<&str>| {
                    values.into_iter().map(str::to_owned).collect()
                }))),*];
            assert_eq!(seen, expected);
        }
    )* };
}

fn ok(values: &[&'static str]) -> Result<Vec<&'static str>, FramingError> {
    Ok(values.to_vec())
}

framing! {
    nothing: "" => []
    one_line: "a,b\n" => [1, ok(&["a", "b"])]
    no_line_end_at_the_end: "a,b" => [1, ok(&["a", "b"])]
    crlf: "a\r\nb\r\n" => [1, ok(&["a"]); 2, ok(&["b"])]
    cr_only: "a\rb\r" => [1, ok(&["a"]); 2, ok(&["b"])]
    mixed_line_ends: "a\nb\r\nc\rd" => [1, ok(&["a"]); 2, ok(&["b"]); 3, ok(&["c"]); 4, ok(&["d"])]
    blank_lines: "\n\na\n \t\n\r\nb\n\n" => [3, ok(&["a"]); 6, ok(&["b"])]
    only_blank_lines: "\n\r\n  \n" => []
    empty_values: ",\n,,\n" => [1, ok(&["", ""]); 2, ok(&["", "", ""])]
    quoted: "\"a\",\"b c\"\n" => [1, ok(&["a", "b c"])]
    quoted_comma: "\"a,b\",c" => [1, ok(&["a,b", "c"])]
    doubled_quotes: "\"a\"\"b\",\"\"\"\"\n" => [1, ok(&["a\"b", "\""])]
    quoted_empty: "\"\"\n" => [1, ok(&[""])]
    newline_in_quotes: "\"a\nb\",c\nd,e\n" => [1, ok(&["a\nb", "c"]); 3, ok(&["d", "e"])]
    crlf_in_quotes: "\"a\r\nb\",c\r\nd" => [1, ok(&["a\r\nb", "c"]); 3, ok(&["d"])]
    cr_in_quotes: "\"a\rb\"\nd" => [1, ok(&["a\rb"]); 3, ok(&["d"])]
    blank_lines_in_quotes: "\"\n\n\"\nd" => [1, ok(&["\n\n"]); 4, ok(&["d"])]
    quote_in_bare_value: "a\"b,c\nd,e\n" => [1, Err(FramingError::QuoteInUnquotedField); 2, ok(&["d", "e"])]
    blank_before_quote: " \"a\",b\nc,d\n" => [1, Err(FramingError::QuoteInUnquotedField); 2, ok(&["c", "d"])]
    text_after_quote: "\"a\"b,c\nd,e\n" => [1, Err(FramingError::TextAfterQuote); 2, ok(&["d", "e"])]
    unclosed_at_the_end: "a,b\n\"c,d\n" => [1, ok(&["a", "b"]); 2, Err(FramingError::UnclosedQuote)]
    unclosed_then_good: "\"a,b\nc,d\ne,f\n" => [
        1, Err(FramingError::UnclosedQuote); 2, ok(&["c", "d"]); 3, ok(&["e", "f"]);
    ]
    // The quote of line 3 closes that of line 1, and text follows it: only line 1 is rejected.
    unclosed_then_quoted: "\"a,b\nc,d\n\"e\",f\n" => [
        1, Err(FramingError::TextAfterQuote); 2, ok(&["c", "d"]); 3, ok(&["e", "f"]);
    ]
    backslash_dot: "a\n\\.\nb\n" => [1, ok(&["a"]); 2, ok(&["\\."]); 3, ok(&["b"])]
    nul_and_controls: "a\0,\x1b[1m\n" => [1, ok(&["a\0", "\x1b[1m"])]
    lone_quote: "\"" => [1, Err(FramingError::UnclosedQuote)]
    lone_quote_after_comma: "a,\"" => [1, Err(FramingError::UnclosedQuote)]
}

#[test]
fn raw_is_the_line_as_it_stands() {
    let raw: Vec<_> =
        records("\"a\"\"\n\",b\r\nx\"y\n", 1000).into_iter().map(|(_, raw, _)| raw).collect();
    assert_eq!(raw, ["\"a\"\"\n\",b", "x\"y"]);
}

#[test]
fn a_record_may_be_as_long_as_the_limit() {
    for (length, error) in [
        (15, None),
        (16, None),
        (17, Some(FramingError::TooLong)),
        (99, Some(FramingError::TooLong)),
    ] {
        for end in ["\n", "\r\n", "\r", ""] {
            let input = format!("{}{end}next", "x".repeat(length));
            let input = if end.is_empty() { "x".repeat(length) } else { input };
            let seen = records(&input, 16);
            assert_eq!(seen[0].2.as_ref().err().copied(), error, "{length} {end:?}");
            assert_eq!(seen[0].1.len(), length.min(16), "{length} {end:?}");
            if !end.is_empty() {
                assert_eq!((seen[1].0, seen[1].1.as_str()), (2, "next"), "{length} {end:?}");
            }
        }
    }
}

#[test]
fn an_unclosed_quote_swallows_no_more_than_the_limit() {
    let good = "0123456,89\n".repeat(20);
    let seen = records(&format!("\"open,1\n{good}"), 64);
    assert_eq!(seen.len(), 21);
    assert_eq!(seen[0].2, Err(FramingError::UnclosedQuote));
    assert_eq!(seen[0].1, "\"open,1");
    assert!(seen[1..].iter().all(|(_, raw, values)| raw == "0123456,89" && values.is_ok()));
}

#[test]
fn a_long_line_is_passed_over_without_being_held() {
    let input = format!("a,b\n{}\nc,d\n", "y".repeat(3_000_000));
    let mut reader = RecordReader::new(input.as_bytes(), 100);
    let mut lines = Vec::new();
    while let Some(record) = reader.next_record().unwrap() {
        lines.push((record.line, record.raw.len(), record.error));
    }
    assert_eq!(lines, [(1, 3, None), (2, 100, Some(FramingError::TooLong)), (3, 3, None)]);
    assert!(reader.buffer.len() < 2 * CHUNK + 200, "{} bytes are held", reader.buffer.len());
}

#[test]
fn errors_of_the_source_are_told() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("the disk is gone"))
        }
    }
    assert!(RecordReader::new(Broken, 100).next_record().is_err());
}

#[test]
fn the_end_of_the_file_behind_a_full_window_does_not_matter() {
    // A field that is closed just after the largest record, by a line end that may be half of one: `records` reads it
    // with the end of the file in the buffer, and without.
    for end in ["", "\r", "\n", "\r\n", "x", "\""] {
        let input = format!("a,\"\"\"\n, \n\"\"\"{end}");
        for max_record in 4..14 {
            let seen = records(&input, max_record);
            let mut buffered = RecordReader::new(input.as_bytes(), max_record);
            buffered.peek(1000).unwrap();
            let first = buffered.next_record().unwrap().map(|r| (r.raw.len(), r.error));
            assert_eq!(first.map(|f| f.0), seen.first().map(|s| s.1.len()), "{end:?} {max_record}");
        }
    }
}

/// Line numbers beyond 32 bits.
#[test]
fn lines_are_counted_in_64_bits() {
    let first = u64::from(u32::MAX);
    let mut reader = RecordReader::of_bytes(b"a\n\"b\n\"\nc".to_vec(), first, 100, COMMA);
    let mut lines = Vec::new();
    while let Some(record) = reader.next_record().unwrap() {
        lines.push(record.line);
    }
    assert_eq!(lines, [first, first + 1, first + 3]);
}
