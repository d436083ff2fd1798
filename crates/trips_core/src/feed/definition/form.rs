//! The member `form`: how the files of a feed are written.

use super::check::is_text;
use super::reader::{Members, Node};
use super::rules::Reader;
use super::{Dialect, Encoding, Form};
use crate::model::decimal::DecimalMark;

const FORM: Members = Members {
    names: &["dialects", "encodings", "nulls", "surplus", "records"],
    expected: "dialects, encodings, nulls, surplus or records",
};
const DIALECT: Members =
    Members { names: &["delimiter", "decimal"], expected: "delimiter or decimal" };

impl Default for Form {
    /// Comma, decimal point, UTF-8.
    fn default() -> Self {
        Self {
            dialects: vec![Dialect { delimiter: b',', decimal: DecimalMark::Point }],
            encodings: vec![Encoding::Utf8],
            nulls: Vec::new(),
            surplus_empty: false,
            records: Vec::new(),
        }
    }
}

impl Reader<'_> {
    pub(super) fn form(&mut self, node: &Node<'_>) -> Form {
        let mut form = Form::default();
        if !node.exists() || node.object(&FORM, self.errors).is_none() {
            return form;
        }
        let dialects = node.member("dialects");
        if dialects.exists() {
            let items = dialects.items((1, 4), "a list of 1 to 4 dialects", self.errors);
            form.dialects = items.iter().filter_map(|item| self.dialect(item)).collect();
        }
        let encodings = node.member("encodings");
        if encodings.exists() {
            form.encodings = self.encodings(&encodings);
        }
        // Fields are compared without blanks around them.
        let is_word = |text: &str| is_text(text, 32);
        let expected = "a word of 1 to 32 characters without blanks around it";
        form.nulls = self.texts(&node.member("nulls"), is_word, 16, expected);
        let surplus = [("refuse", false), ("empty", true)];
        let expected = "refuse or empty";
        form.surplus_empty = node.member("surplus").word(&surplus, false, expected, self.errors);
        let is_path = |text: &str| text.chars().count() <= 200;
        let expected = "a dotted path, or an empty text";
        form.records = self.texts(&node.member("records"), is_path, 8, expected);
        form
    }

    fn dialect(&mut self, node: &Node<'_>) -> Option<Dialect> {
        node.object(&DIALECT, self.errors)?;
        let delimiters = [(",", b','), (";", b';'), ("\t", b'\t'), ("|", b'|')];
        let expected = r#"",", ";", "\t" or "|""#;
        let delimiter = node.member("delimiter").word(&delimiters, b',', expected, self.errors);
        let decimal = node.member("decimal");
        let expected = r#""." or ",", and not the delimiter"#;
        let marks = [(".", DecimalMark::Point), (",", DecimalMark::Comma)];
        let mark = decimal.word(&marks, DecimalMark::Point, expected, self.errors);
        if mark.byte() == delimiter {
            decimal.fault(expected, self.errors);
        }
        Some(Dialect { delimiter, decimal: mark })
    }

    fn encodings(&mut self, node: &Node<'_>) -> Vec<Encoding> {
        let words = [
            ("utf-8", Some(Encoding::Utf8)),
            ("windows-1252", Some(Encoding::Windows1252)),
            ("iso-8859-1", Some(Encoding::Latin1)),
            ("euc-kr", Some(Encoding::EucKr)),
            ("utf-16le", Some(Encoding::Utf16Le)),
            ("utf-16be", Some(Encoding::Utf16Be)),
        ];
        let mut encodings = Vec::new();
        let items = node.items((1, 3), "a list of 1 to 3 encodings", self.errors);
        for item in &items {
            let expected =
                "utf-8, windows-1252, iso-8859-1, euc-kr, utf-16le or utf-16be, each once";
            let encoding = item.word(&words, None, expected, self.errors);
            if encoding.is_some_and(|encoding| encodings.contains(&encoding)) {
                item.fault(expected, self.errors);
            }
            encodings.extend(encoding);
        }
        let is_wide = |e: &Encoding| matches!(e, Encoding::Utf16Le | Encoding::Utf16Be);
        if encodings.len() > 1 && encodings.iter().any(is_wide) {
            node.fault("utf-16le and utf-16be alone", self.errors);
        }
        encodings
    }

    fn texts(
        &mut self,
        node: &Node<'_>,
        is_valid: impl Fn(&str) -> bool,
        most: usize,
        expected: &'static str,
    ) -> Vec<String> {
        if !node.exists() {
            return Vec::new();
        }
        let items =
            node.items((1, most), "a list that is not empty, of up to 16 texts", self.errors);
        let text = |item: &Node<'_>| item.text(&is_valid, expected, self.errors).map(str::to_owned);
        items.iter().filter_map(text).collect()
    }
}
